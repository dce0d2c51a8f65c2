"""What is said first of each estimator: the sentence that its verdict rests on."""

from datetime import date
from io import StringIO

import pandas as pd
import pytest
from rich.console import Console

from label_platform.lake import Partition
from label_platform.pipeline.propensity_report import DayPropensities, Judged, sentences_of
from label_platform.pipeline.terminal import print_reasons

WIDTH = (
    "all contexts: 9 clicks on 99 impressions: position 2 lies between .1 and .9 (p = .1; 3 more)"
)
STRATUM = "device = tv: 1 click on 9 impressions: position 2 lies between .1 and .99"
MISFIT = "good and poor items follow different curves (p = .001)"
UNTESTED = "device = tv: trust in high positions could not be ruled out"
GAP = "randomized and pbm disagree beyond their intervals (position 2); randomized assumes less"


def day_of(
    reasons: dict[str, tuple[str, str, str]], findings: list[dict[str, object]], chosen: str
) -> DayPropensities:
    """A day of curves.

    Args:
        reasons: verdict, reason of all and of the pooled curve, by estimator.
        findings: as manifests have them.
        chosen: the answer.
    """
    rows = [
        {"estimator": name, "device": None, "position": position, "reason": reason}
        for name, (_, _, pooled) in reasons.items()
        for position, reason in ((1, pooled), (2, "interval .3 times"))
    ]
    estimators = {
        name: {"verdict": verdict, "reason": reason, "is_wide": False}
        for name, (verdict, reason, _) in reasons.items()
    }
    attributes = {
        "estimator": chosen,
        "verdict": reasons[chosen][0],
        "reason": f"{chosen}, since it is best: {reasons[chosen][1]}",
        "estimators": estimators,
        "findings": findings,
    }
    day = Partition("propensities", date(2026, 10, 1))
    return DayPropensities(day, pd.DataFrame(rows), attributes, ("device",))


def finding(verdict: str, sentence: str, context: str = "") -> dict[str, object]:
    fires = verdict not in {"ok", "untested"}
    return {"verdict": verdict, "sentence": sentence, "context": context, "fires": fires}


def why(
    verdict: str, reason: str, pooled: str, findings: list[dict[str, object]] | None = None
) -> str:
    (judged,) = day_of({"pbm": (verdict, reason, pooled)}, findings or [], "pbm").judged()
    return judged.why


@pytest.mark.parametrize(
    ("reason", "parts"),
    [
        ("", [""]),
        ("one", ["one"]),
        ("one; two", ["one", "two"]),
        ("one (a; b (c; d)); two; three (e; f)", ["one (a; b (c; d))", "two", "three (e; f)"]),
        ("one;two", ["one;two"]),
    ],
)
def test_sentences_are_parted_outside_of_brackets(reason: str, parts: list[str]) -> None:
    assert sentences_of(reason) == parts


@pytest.mark.parametrize("verdict", ["ok", "wide", "insufficient_interventions", "not_identified"])
def test_evidence_decides_most_verdicts_and_comes_first(verdict: str) -> None:
    pooled = f"{WIDTH}; 3 positions are wide; {UNTESTED}"
    assert why(verdict, f"{pooled}; {STRATUM}", pooled) == WIDTH
    assert why(verdict, f"{STRATUM}; {pooled}", pooled) == STRATUM


def test_a_test_that_fires_is_named_with_its_context() -> None:
    pooled = f"{WIDTH}; device = tv: {MISFIT}; {UNTESTED}"
    found = [finding("ok", WIDTH), finding("misfit", f"{MISFIT}; more", "device = tv")]
    reason = f"{pooled.replace(MISFIT, f'{MISFIT}; more')}; {STRATUM}"
    assert why("misfit", reason, pooled, found) == f"device = tv: {MISFIT}"
    # that of another estimator says nothing of this one, which allows for it
    assert why("wide", f"{WIDTH}; {STRATUM}", WIDTH, found) == WIDTH
    assert why("misfit", f"{WIDTH}; {STRATUM}", WIDTH, found) == WIDTH
    assert why("drift", f"{WIDTH}; moves", WIDTH, [finding("drift", "moves")]) == "moves"


def test_a_flag_without_a_test_that_fires_is_the_last_of_the_pooled_curve() -> None:
    pooled = f"{WIDTH}; the widest interval; {UNTESTED}"
    tests = [finding("untested", UNTESTED)]
    assert why("untested", f"{pooled}; {STRATUM}", pooled, tests) == UNTESTED
    against = "it disagrees with randomized beyond their intervals (position 3: 1; 2)"
    pooled = f"{pooled}; {against}"
    assert why("disagreement", f"{pooled}; {STRATUM}", pooled, tests) == against
    pooled = f"{WIDTH}; {GAP}"
    agreement = [finding("disagreement", GAP)]
    assert why("disagreement", pooled, pooled, agreement) == GAP.partition(";")[0]


def test_the_chosen_one_comes_first_and_its_reasons_are_not_said_twice() -> None:
    reasons = {
        "pbm": ("wide", WIDTH, WIDTH),
        "swap": ("not_identified", STRATUM, STRATUM),
        "combined": ("wide", f"{WIDTH}; {STRATUM}", WIDTH),
    }
    found = day_of(reasons, [], "combined")
    assert found.chosen_because == "combined, since it is best"
    assert [each.estimator for each in found.judged()] == ["combined", "pbm", "swap"]
    first = found.judged()[0]
    expected = Judged("combined", True, first.verdict, WIDTH, (WIDTH, STRATUM))  # noqa: FBT003
    assert (first, first.verdict.value) == (expected, "wide")


def test_all_reasons_are_shown_with_the_details() -> None:
    text = StringIO()
    found = day_of({"pbm": ("wide", f"{WIDTH}; {STRATUM}", WIDTH)}, [], "pbm")
    print_reasons(Console(file=text, width=200), found)
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    assert lines == ["", "pbm: wide", f"  {WIDTH}", f"  {STRATUM}"]
