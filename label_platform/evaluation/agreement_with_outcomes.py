"""Which yardstick has agreed with online tests: by sign, and by slope.

Sign: of the tests whose interval excludes 0, on how many the offline difference points the same
way, with the exact binomial interval of that share (Clopper and Pearson 1934). A yardstick that
flips coins is right on half of them, so an interval that reaches down to .5 shows nothing.

Slope: the online difference expected per offline difference of 1,

    b = sum_t w_t x_t y_t / sum_t w_t x_t^2,    w_t = 1 / se_t^2 of the online difference y_t

through the origin, since a policy equal to its baseline has neither. Its standard error is that of
the weights, or, where the tests scatter more than their own intervals allow, larger by that factor
(Birge 1932); the interval is Student's with n - 1 degrees of freedom. Offline differences have
errors too, which pull the slope towards 0: a slope says how much of an offline gain to expect, not
what is true of gains known exactly. It needs three tests of one metric: a slope of clicks says
nothing of revenue.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betaincinv, stdtrit

from label_platform.evaluation.outcomes import Outcome
from label_platform.evaluation.verdict import in_words
from label_platform.evaluation.yardsticks import ALL
from label_platform.strict_yaml import listed

MIN_OUTCOMES = 3
CONFIDENCE = 0.95
_HALF_WIDTH = 1.959964
"""Of a 95% normal interval, in standard errors."""


@dataclass(frozen=True)
class Agreement:
    """How a yardstick has fared against online tests of one metric.

    Attributes:
        yardstick: its name.
        kind: of the tests.
        metric: that the tests counted.
        outcomes: tests that could be matched with a row of the comparison.
        clear: those of them whose interval excludes 0.
        agreeing: those of the clear ones that the yardstick's sign agrees with.
        sign_low: of the share of agreeing ones; None without a clear test.
        sign_high: likewise.
        slope: online difference per offline difference; None where there is none to tell.
        slope_low: of the slope.
        slope_high: likewise.
        words: all of it in a sentence, or why there is no number.
    """

    yardstick: str
    kind: str
    metric: str
    outcomes: int
    clear: int
    agreeing: int
    sign_low: float | None
    sign_high: float | None
    slope: float | None
    slope_low: float | None
    slope_high: float | None
    words: str


def agreement(
    table: pd.DataFrame, outcomes: Sequence[Outcome], baseline: str
) -> tuple[Agreement, ...]:
    """Each yardstick against each metric of the online tests, on all of the data.

    Tests of policies that the comparison does not have, or against another baseline, are left out
    and named by ``unmatched``.

    Args:
        table: of ``compare``.
        outcomes: of ``read_outcomes``.
        baseline: the policy that the table compares with.
    """
    whole = table[(table["slice"] == ALL) & table["difference"].notna()]
    rankers = _rankers(table)
    usable = [each for each in outcomes if not _mismatch(each, rankers, baseline)]
    metrics = sorted({(each.kind, each.metric) for each in usable})
    found = []
    for yardstick in sorted(set(table.loc[table["slice"] == ALL, "yardstick"])):
        rows = whole[whole["yardstick"] == yardstick]
        offline = {
            (str(row.policy), str(row.ranker)): float(row.difference) for row in rows.itertuples()
        }
        for kind, metric in metrics:
            tests = [
                (each, offline[arm])
                for each in usable
                if (each.kind, each.metric) == (kind, metric)
                and (arm := _arm(each, rankers)) in offline
            ]
            found.append(_agreement(yardstick, kind, metric, tests))
    return tuple(found)


def unmatched(table: pd.DataFrame, outcomes: Sequence[Outcome], baseline: str) -> tuple[str, ...]:
    """The tests that say nothing of this comparison, and why."""
    rankers = _rankers(table)
    reasons = ((each.test, _mismatch(each, rankers, baseline)) for each in outcomes)
    return tuple(f"{test}: {reason}" for test, reason in reasons if reason)


def _rankers(table: pd.DataFrame) -> dict[str, list[str]]:
    """The rankers of each policy."""
    return {
        str(policy): sorted(set(map(str, names)))
        for policy, names in table.groupby("policy")["ranker"]
    }


def _mismatch(outcome: Outcome, rankers: dict[str, list[str]], baseline: str) -> str:
    if outcome.baseline != baseline:
        return f"tested against {outcome.baseline}, not {baseline}"
    if outcome.policy not in rankers:
        return f"{outcome.policy} is not in the comparison"
    own = rankers[outcome.policy]
    if outcome.ranker and outcome.ranker not in own:
        return f"{outcome.policy} has no ranker {outcome.ranker!r}, only {listed(own)}"
    if not outcome.ranker and len(own) > 1:
        return f"names none of the rankers of {outcome.policy}: {listed(own)}"
    return ""


def _arm(outcome: Outcome, rankers: dict[str, list[str]]) -> tuple[str, str]:
    return outcome.policy, outcome.ranker or rankers[outcome.policy][0]


def _agreement(
    yardstick: str, kind: str, metric: str, tests: list[tuple[Outcome, float]]
) -> Agreement:
    clear = [(each.sign, offline) for each, offline in tests if each.sign]
    agreeing = sum(sign * offline > 0 for sign, offline in clear)
    sign_low, sign_high = _clopper_pearson(agreeing, len(clear))
    slope, low, high = _slope(tests)
    what = f"{in_words(yardstick)} and {metric} ({'A/B' if kind == 'ab' else kind})"
    if not tests:
        words = f"{what}: no test of a policy that this yardstick judges"
    elif not clear:
        words = f"{what}: none of {len(tests)} tests excludes 0"
    else:
        words = (
            f"{what}: same sign in {agreeing} of {len(clear)} tests that exclude 0 "
            f"({sign_low:.0%} to {sign_high:.0%})"
        )
    if slope is not None:
        words += f"; {slope:.3g} online per 1 offline ({low:.3g} to {high:.3g})"
    elif tests:
        words += f"; no slope from {len(tests)} tests, needed {MIN_OUTCOMES}"
    return Agreement(
        yardstick,
        kind,
        metric,
        outcomes=len(tests),
        clear=len(clear),
        agreeing=agreeing,
        sign_low=sign_low if clear else None,
        sign_high=sign_high if clear else None,
        slope=slope,
        slope_low=low,
        slope_high=high,
        words=words,
    )


def _clopper_pearson(successes: int, trials: int) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    failures = trials - successes
    low = float(betaincinv(successes, failures + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, failures, 1 - tail)) if failures else 1.0
    return low, high


def _slope(
    tests: list[tuple[Outcome, float]],
) -> tuple[float | None, float | None, float | None]:
    offline = np.array([found for _, found in tests])
    if len(tests) < MIN_OUTCOMES or not offline.any():
        return None, None, None
    online = np.array([each.difference for each, _ in tests])
    errors = np.array([(each.high - each.low) / (2 * _HALF_WIDTH) for each, _ in tests])
    weights = errors**-2.0
    information = (weights * offline**2).sum()
    slope = float((weights * offline * online).sum() / information)
    freedom = len(tests) - 1
    scatter = (weights * (online - slope * offline) ** 2).sum() / freedom
    half = float(stdtrit(freedom, (1 + CONFIDENCE) / 2) * np.sqrt(max(1, scatter) / information))
    return slope, slope - half, slope + half
