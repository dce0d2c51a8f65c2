"""Which ranker a comparison may make champion.

An arm (a policy's ranker) is supported if its paired difference to the baseline has a positive
lower bound after Holm's correction on some independent yardstick over all lists, and if it is worse
on no independent yardstick and no slice. Holm's bound is positive exactly where the corrected p
value is below the level and the difference is positive: where the verdict says better. Yardsticks
that only a simulation knows, and those that the logging ranker's choice biases, decide nothing;
those whose overlap gates refuse them have no verdict that could.

Among supported arms the highest lower bound comes first, as a share of the baseline's value, since
yardsticks have different scales.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from label_platform.evaluation.off_policy_rankings import SAME_NUMBER
from label_platform.evaluation.verdict import DECIDE_NOTHING
from label_platform.evaluation.yardsticks import ALL

ArmKey = tuple[str, str]
"""Policy and ranker, as the comparison's table names them."""


@dataclass(frozen=True)
class ArmSupport:
    """What a comparison says for and against an arm.

    Attributes:
        arm: policy and ranker.
        bound: the highest lower bound of its differences, as a share of the baseline's value;
            -inf where it is not supported.
        words: why, for people.
        difference: what that bound is the lower end of, as a share of the baseline's value.
    """

    arm: ArmKey
    bound: float
    words: str
    difference: float = -np.inf

    @property
    def is_supported(self) -> bool:
        """Whether it may be promoted."""
        return self.bound > -np.inf


@dataclass(frozen=True)
class Incumbent:
    """The champion that a decision starts from.

    Attributes:
        arm: policy and ranker.
        day: the last day that it knows; None if its run does not say.
        held: why somebody made it champion by hand; empty if a verdict did.
    """

    arm: ArmKey
    day: date | None
    held: str = ""


@dataclass(frozen=True)
class Decision:
    """What becomes of the titles.

    Attributes:
        champion: the arm whose ranker of this comparison is champion from now on; None: nothing
            changes.
        challenger: likewise; None: there is none.
        stands: whether titles follow this comparison at all; an older day's do not.
        words: of each arm, whether and why.
        summary: the decision in words.
    """

    champion: ArmKey | None
    challenger: ArmKey | None
    stands: bool
    words: Mapping[ArmKey, str] = field(default_factory=dict)
    summary: str = ""


def judge_arms(table: pd.DataFrame) -> list[ArmSupport]:
    """What a comparison says of every arm but the baseline's, the best supported first.

    Args:
        table: rows of the ``comparisons`` table; without a column ``slice`` all rows are of all
            lists.
    """
    rows = table if "slice" in table else table.assign(slice=ALL)
    judged = [
        _judge((str(policy), str(ranker)), of_arm)
        for (policy, ranker), of_arm in rows.groupby(["policy", "ranker"], sort=True)
        if not (of_arm["verdict"] == "baseline").any()
    ]
    return sorted(judged, key=lambda evidence: -evidence.bound)


def decide(
    judged: Sequence[ArmSupport],
    day: date,
    incumbent: Incumbent | None = None,
    barred: Mapping[ArmKey, str] | None = None,
) -> Decision:
    """Who is champion and challenger after a comparison.

    The champion changes only to a supported arm; with none, it stays. A supported arm that holds
    the title already passes it to its newer ranker, and gives way only to one whose lower bound
    lies above what it reaches itself: of two that are as good, chance puts the one first today and
    the other tomorrow. One that people chose gives way to no other arm, which may be challenger.

    Args:
        judged: as ``judge_arms`` orders them.
        day: the last day that the compared rankers know.
        incumbent: the champion up to now, if any.
        barred: arms that are not to be promoted whatever the evidence, and why.
    """
    barred = barred or {}
    words = {
        each.arm: f"{each.words}; not promoted: {barred[each.arm]}"
        if each.arm in barred
        else each.words
        for each in judged
    }
    if incumbent and incumbent.day and day < incumbent.day:
        summary = f"the champion stays: it knows {incumbent.day}, these rankers only {day}"
        return Decision(None, None, stands=False, words=words, summary=summary)
    eligible = [each for each in judged if each.is_supported and each.arm not in barred]
    if not eligible:
        return Decision(None, None, stands=True, words=words, summary=_stays(judged, incumbent))
    if incumbent and incumbent.held:
        return _held(eligible, incumbent, words)
    own = next((each for each in eligible if incumbent and each.arm == incumbent.arm), None)
    if own and eligible[0].bound <= own.difference:
        eligible = [own, *(each for each in eligible if each is not own)]
    best = eligible[0]
    second = eligible[1].arm if len(eligible) > 1 else None
    if incumbent is None:
        change = "the first champion"
    elif incumbent.arm == best.arm:
        change = "champion as before"
    else:
        change = f"champion instead of {_named(incumbent.arm)}"
    summary = f"{_named(best.arm)} is {change}: {best.words}"
    if second:
        summary += f". {_named(second)} is challenger: {eligible[1].words}"
    return Decision(best.arm, second, stands=True, words=words, summary=summary)


def _held(
    eligible: Sequence[ArmSupport], incumbent: Incumbent, words: Mapping[ArmKey, str]
) -> Decision:
    """What becomes of the titles while the champion is one that people chose."""
    own = next((each.arm for each in eligible if each.arm == incumbent.arm), None)
    summary = f"{_named(incumbent.arm)} stays champion, chosen by hand ({incumbent.held})"
    other = next((each for each in eligible if each.arm != incumbent.arm), None)
    if other:
        summary += f". {_named(other.arm)} is challenger: {other.words}"
    challenger = other.arm if other else None
    return Decision(own, challenger, stands=True, words=words, summary=summary)


def _judge(arm: ArmKey, rows: pd.DataFrame) -> ArmSupport:
    said_before = rows["verdict"].astype(str).str.startswith(f"refused: {SAME_NUMBER}")
    known = rows[~rows["yardstick"].str.startswith(DECIDE_NOTHING) & ~said_before]
    verdicts = known["verdict"].astype(str)
    worse = known[verdicts.str.startswith("worse")]
    of_all = known["slice"] == ALL
    shown = known[of_all & verdicts.str.startswith("better") & (known["difference_low"] > 0)]
    if len(worse):
        return ArmSupport(arm, -np.inf, f"not supported: worse on {_listed(worse)}")
    if not len(shown):
        return ArmSupport(arm, -np.inf, f"not supported: {_without_support(known)}")
    bounds = _shares(shown)
    best = int(bounds.argmax())
    row = shown.iloc[best]
    words = (
        f"supported: {row['verdict']} on {_listed(shown)}, worse on none; lower bound "
        f"{row['difference_low']:+.4f} on {row['yardstick']}"
    )
    if row["baseline_value"] > 0:
        words += f", {bounds[best]:+.1%} of {row['baseline_value']:.4f}"
    return ArmSupport(arm, float(bounds[best]), words, float(_shares(shown, "difference")[best]))


def _shares(shown: pd.DataFrame, column: str = "difference_low") -> Any:  # noqa: ANN401 - floats
    """Lower bounds as shares of the baseline's value, where there is one to share in."""
    low = shown[column].to_numpy(dtype=np.float64)
    base = shown["baseline_value"].to_numpy(dtype=np.float64)
    return np.divide(low, base, out=low.copy(), where=base > 0)


def _without_support(known: pd.DataFrame) -> str:
    of_all = known[known["slice"] == ALL]
    refused = of_all["verdict"].astype(str).str.startswith("refused")
    if not len(of_all):
        return "no independent yardstick was measured"
    if refused.all():
        return f"every independent yardstick is refused ({_listed(of_all)})"
    said = f"no difference shown on {_listed(of_all[~refused])}"
    return said + (f"; {_listed(of_all[refused])} refused" if refused.any() else "")


def _listed(rows: pd.DataFrame) -> str:
    return ", ".join(
        str(yardstick) + ("" if part == ALL else f" ({part})")
        for yardstick, part in zip(rows["yardstick"], rows["slice"], strict=True)
    )


def _stays(judged: Sequence[ArmSupport], incumbent: Incumbent | None) -> str:
    if incumbent is None:
        return "nobody is champion: the evidence supports no ranker"
    summary = f"{_named(incumbent.arm)} stays champion: the evidence supports no other ranker"
    own = next((each for each in judged if each.arm == incumbent.arm), None)
    if own and not own.is_supported:
        summary += f"; of it, this comparison says {own.words}"
    return summary


def _named(arm: ArmKey) -> str:
    return " ".join(arm)
