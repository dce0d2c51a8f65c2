"""What a comparison says of a policy, in one sentence.

"better than raw_click on 3 of 4 yardsticks (...); the randomised slice cannot tell; worse for
device=mobile on ..." A yardstick that is refused has no say and is not counted, but named; what a
simulation knows and what the logging ranker's choice biases is named as such and decides nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from label_platform.evaluation.off_policy_rankings import SAME_NUMBER
from label_platform.evaluation.shown_feedback import SHOWN_PREFIX
from label_platform.evaluation.yardsticks import ALL

TRUTH_PREFIX = "true_"
DECIDE_NOTHING = (TRUTH_PREFIX, SHOWN_PREFIX)
"""Prefixes of yardsticks that only simulations have, or that the logging ranker biases."""

_WORDS = {
    "true_ndcg_at_10": "true relevance",
    "true_ndcg_at_10_unseen": "true relevance of unseen queries",
    "randomized_click_dcg": "the randomised slice",
    "randomized_click_auc": "the randomised slice",
    "off_policy_dcg": "the off-policy estimate",
}
_BETTER, _WORSE, _REFUSED, _BASELINE = "better than ", "worse than ", "refused: ", "baseline"
_NAMED = 3

Found = tuple[str, str]
"""A yardstick and a slice."""


@dataclass(frozen=True)
class ArmVerdict:
    """What the comparison says of one ranker of one policy.

    Attributes:
        policy: its name.
        ranker: its title.
        baseline: what it is compared with.
        better: yardsticks on which it is better on all of the data.
        worse: likewise.
        undecided: yardsticks that show no difference on all of the data.
        refused: yardsticks that give no answer, with the reason.
        better_slices: yardstick and slice, where it is better.
        worse_slices: likewise.
        is_baseline: whether it is the baseline itself.
    """

    policy: str
    ranker: str
    baseline: str
    better: tuple[str, ...] = ()
    worse: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    better_slices: tuple[Found, ...] = ()
    worse_slices: tuple[Found, ...] = ()
    is_baseline: bool = False

    @property
    def judged(self) -> int:
        """How many yardsticks gave an answer on all of the data."""
        return len(self.better) + len(self.worse) + len(self.undecided)

    @property
    def sentence(self) -> str:
        """For a person who has to sign it off."""
        if self.is_baseline:
            return "the baseline that the others are compared with"
        if not self.judged:
            return f"no answer: {'; '.join(dict.fromkeys(reason for _, reason in self.refused))}"
        parts = [
            f"{word} than {self.baseline} on {len(names)} of {_yardsticks(self.judged)} "
            f"({_listed(names)})"
            for word, names in (("better", self.better), ("worse", self.worse))
            if names
        ]
        if not parts:
            parts.append(f"{_yardsticks(self.judged)} cannot tell it from {self.baseline}")
        elif self.undecided:
            parts.append(f"{_listed(self.undecided)} cannot tell")
        if self.refused:
            parts.append(f"no answer from {_listed([name for name, _ in self.refused])}")
        parts += _of_slices("better", self.better_slices, self.better)
        parts += _of_slices("worse", self.worse_slices, self.worse)
        supported = (*self.better, *(name for name, _ in self.better_slices))
        if self.better and not any(map(_decides, supported)):
            parts.append("nothing that a real log has supports it")
        return "; ".join(parts)


def verdicts(table: pd.DataFrame, baseline: str) -> tuple[ArmVerdict, ...]:
    """The verdicts of a comparison, one per policy and ranker, in the table's order.

    Args:
        table: of ``compare``.
        baseline: the policy that it compares with.
    """
    found = []
    for (policy, ranker), rows in table.groupby(["policy", "ranker"], sort=False):
        cells = [
            (str(row["yardstick"]), str(row["slice"]), str(row["verdict"]), str(row["reason"]))
            for row in rows.to_dict(orient="records")
        ]
        whole = [cell for cell in cells if cell[1] == ALL]
        parts = [cell for cell in cells if cell[1] != ALL]
        found.append(
            ArmVerdict(
                str(policy),
                str(ranker),
                baseline,
                better=tuple(name for name, *_ in _said(whole, _BETTER)),
                worse=tuple(name for name, *_ in _said(whole, _WORSE)),
                undecided=tuple(name for name, *_ in _said(whole, "no difference shown")),
                refused=tuple(
                    (name, reason)
                    for name, _, _, reason in _said(whole, _REFUSED)
                    # the other one's answer is this one's
                    if not reason.startswith(SAME_NUMBER)
                ),
                better_slices=tuple((name, part) for name, part, *_ in _said(parts, _BETTER)),
                worse_slices=tuple((name, part) for name, part, *_ in _said(parts, _WORSE)),
                is_baseline=any(verdict == _BASELINE for _, _, verdict, _ in whole),
            )
        )
    return tuple(found)


def in_words(yardstick: str) -> str:
    """A yardstick as a sentence calls it."""
    return _WORDS.get(yardstick, yardstick.replace("_", " "))


def _said(cells: Sequence[tuple[str, ...]], verdict: str) -> list[tuple[str, ...]]:
    return [cell for cell in cells if cell[2].startswith(verdict)]


def _decides(yardstick: str) -> bool:
    return not yardstick.startswith(DECIDE_NOTHING)


def _listed(names: Iterable[str]) -> str:
    words = list(dict.fromkeys(map(in_words, names)))
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _yardsticks(number: int) -> str:
    return "1 yardstick" if number == 1 else f"{number} yardsticks"


def _of_slices(word: str, found: Sequence[Found], whole: Sequence[str]) -> list[str]:
    """The slices that say what their yardstick does not say of everything, by yardstick."""
    by_name: dict[str, list[str]] = {}
    for name, part in found:
        if name not in whole:
            by_name.setdefault(name, []).append(part)
    said = []
    for name, parts in by_name.items():
        more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
        said.append(f"{word} for {', '.join(parts[:_NAMED])}{more} on {in_words(name)}")
    return said
