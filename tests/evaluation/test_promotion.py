"""Which ranker a comparison may make champion: from written tables, without a registry."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from label_platform.evaluation.promotion import (
    ArmSupport,
    Decision,
    Incumbent,
    decide,
    judge_arms,
)

BETTER, WORSE = "better than raw_click", "worse than raw_click"
NO_DIFFERENCE, REFUSED = "no difference shown", "refused: no_overlap: too few queries"
REPEATED = "refused: the same number as off_policy_dcg, of every ranking"
DAY = date(2026, 10, 6)
COEC = ("coec", "lambdarank")


def table(*rows: tuple[str, str, str, float | None], value: float = 1.0) -> pd.DataFrame:
    """Rows of (policy, yardstick, verdict, lower bound of the difference), all of one ranker."""
    names = ["policy", "yardstick", "verdict", "difference_low"]
    found = pd.DataFrame(rows, columns=names).assign(ranker="lambdarank", baseline_value=value)
    return found.assign(difference=found["difference_low"].astype(float) + 0.1)


@pytest.mark.parametrize(
    ("verdicts", "supported"),
    [
        ({"randomized_click_dcg": BETTER}, True),
        ({"randomized_click_dcg": BETTER, "off_policy_dcg": NO_DIFFERENCE}, True),
        ({"randomized_click_dcg": BETTER, "off_policy_dcg": REFUSED}, True),
        ({"randomized_click_dcg": BETTER, "off_policy_dcg": WORSE}, False),
        ({"randomized_click_dcg": NO_DIFFERENCE}, False),
        ({"randomized_click_dcg": REFUSED, "off_policy_dcg": REFUSED}, False),
        ({"true_ndcg_at_10": BETTER}, False),
        ({"shown_watch_ndcg_at_10": BETTER}, False),
        ({"shown_watch_ndcg_at_10": WORSE, "randomized_click_dcg": BETTER}, True),
        ({"true_ndcg_at_10": BETTER, "randomized_click_dcg": NO_DIFFERENCE}, False),
        ({"true_ndcg_at_10": WORSE, "randomized_click_dcg": BETTER}, True),
    ],
)
def test_support_is_better_on_some_clicks_and_worse_on_none(
    verdicts: dict[str, str],
    supported: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    rows = [("coec", yardstick, verdict, 0.01) for yardstick, verdict in verdicts.items()]
    (found,) = judge_arms(table(*rows))
    assert found.is_supported is supported
    assert found.words.startswith("supported: " if supported else "not supported: ")


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (
            {"randomized_click_dcg": BETTER, "off_policy_dcg": WORSE},
            "not supported: worse on off_policy_dcg",
        ),
        (
            {"randomized_click_dcg": NO_DIFFERENCE, "off_policy_dcg": REFUSED},
            "not supported: no difference shown on randomized_click_dcg; off_policy_dcg refused",
        ),
        (
            {"off_policy_dcg": NO_DIFFERENCE, "off_policy_dcg_ips": REPEATED},
            "not supported: no difference shown on off_policy_dcg",
        ),
        (
            {"off_policy_dcg": REFUSED},
            "not supported: every independent yardstick is refused (off_policy_dcg)",
        ),
        (
            {"true_ndcg_at_10": BETTER},
            "not supported: no independent yardstick was measured",
        ),
        (
            {"randomized_click_dcg": BETTER},
            (
                "supported: better than raw_click on randomized_click_dcg, worse on none; "
                "lower bound +0.0100 on randomized_click_dcg, +2.0% of 0.5000"
            ),
        ),
    ],
)
def test_the_words_name_what_decided(verdicts: dict[str, str], words: str) -> None:
    rows = [("coec", yardstick, verdict, 0.01) for yardstick, verdict in verdicts.items()]
    (found,) = judge_arms(table(*rows, value=0.5))
    assert found.words == words


def test_a_slice_can_forbid_but_not_promote() -> None:
    everywhere = table(("coec", "randomized_click_dcg", BETTER, 0.01)).assign(slice="all")
    on_mobile = everywhere.assign(slice="device = mobile")
    assert judge_arms(everywhere)[0].is_supported
    assert not judge_arms(on_mobile)[0].is_supported
    harmed = pd.concat([everywhere, on_mobile.assign(verdict=WORSE)])
    (found,) = judge_arms(harmed)
    assert found.words == "not supported: worse on randomized_click_dcg (device = mobile)"


def test_better_without_a_positive_bound_is_no_support() -> None:
    """Of a yardstick where less is better, the difference is negative."""
    (found,) = judge_arms(table(("coec", "average_relevant_position", BETTER, -0.4)))
    assert not found.is_supported


def test_the_baseline_is_not_judged() -> None:
    rows = (("raw_click", "randomized_click_dcg", "baseline", None),)
    assert judge_arms(table(*rows)) == []


def test_bounds_are_shares_of_the_baselines_value() -> None:
    """+.02 of a value of .1 is more than +.05 of a value of 1."""
    small = table(("much", "randomized_click_dcg", BETTER, 0.02), value=0.1)
    large = table(("little", "off_policy_dcg", BETTER, 0.05), value=1.0)
    found = judge_arms(pd.concat([large, small]))
    assert [each.arm[0] for each in found] == ["much", "little"]
    assert [each.bound for each in found] == pytest.approx([0.02 / 0.1, 0.05 / 1.0])


def test_without_a_value_to_share_in_the_bound_itself_counts() -> None:
    for value in (0.0, np.nan):
        (found,) = judge_arms(table(("coec", "randomized_click_dcg", BETTER, 0.03), value=value))
        assert found.bound == 0.03
        assert "%" not in found.words


def test_rankers_of_a_policy_are_judged_apart() -> None:
    pointwise = table(("coec", "randomized_click_dcg", WORSE, -0.2)).assign(ranker="pointwise")
    found = judge_arms(pd.concat([table(("coec", "randomized_click_dcg", BETTER, 0.1)), pointwise]))
    assert {each.arm: each.is_supported for each in found} == {
        COEC: True,
        ("coec", "pointwise"): False,
    }


def evidence(**bounds: float) -> list[ArmSupport]:
    """ArmSupport as ``judge_arms`` orders it; a bound that is no number supports nothing."""
    return [
        ArmSupport((name, "lambdarank"), -np.inf if np.isnan(bound) else bound, f"words of {name}")
        for name, bound in sorted(bounds.items(), key=lambda each: -np.nan_to_num(each[1], nan=-1))
    ]


def titles(decision: Decision) -> tuple[str | None, str | None]:
    champion, challenger = decision.champion, decision.challenger
    return champion[0] if champion else None, challenger[0] if challenger else None


def test_the_best_is_champion_and_the_next_one_challenger() -> None:
    found = decide(evidence(coec=0.1, ips=0.2, multi=0.05), DAY)
    assert titles(found) == ("ips", "coec")
    assert found.summary == (
        "ips lambdarank is the first champion: words of ips. coec lambdarank is challenger: "
        "words of coec"
    )


@pytest.mark.parametrize("holder", ["coec", "another"])
def test_without_support_the_champion_stays(holder: str) -> None:
    incumbent = Incumbent((holder, "lambdarank"), DAY)
    found = decide(evidence(coec=np.nan), DAY, incumbent)
    assert titles(found) == (None, None)
    assert found.stands
    assert found.summary.startswith(f"{holder} lambdarank stays champion")
    assert ("of it, this comparison says words of coec" in found.summary) == (holder == "coec")


def test_nobody_is_champion_without_support() -> None:
    found = decide(evidence(coec=np.nan), DAY)
    assert titles(found) == (None, None)
    assert found.summary == "nobody is champion: the evidence supports no ranker"


def test_a_champion_gives_way_only_to_what_is_supported() -> None:
    incumbent = Incumbent(COEC, DAY)
    found = decide(evidence(coec=np.nan, ips=0.1), DAY, incumbent)
    assert titles(found) == ("ips", None)
    assert "champion instead of coec lambdarank" in found.summary
    kept = decide(evidence(coec=0.2, ips=0.1), DAY, incumbent)
    assert titles(kept) == ("coec", "ips")
    assert "coec lambdarank is champion as before" in kept.summary


def test_an_older_day_changes_no_title() -> None:
    incumbent = Incumbent(COEC, date(2026, 10, 7))
    found = decide(evidence(ips=0.5), DAY, incumbent)
    assert (titles(found), found.stands) == ((None, None), False)
    assert found.summary == (
        "the champion stays: it knows 2026-10-07, these rankers only 2026-10-06"
    )
    assert decide(evidence(ips=0.5), date(2026, 10, 7), incumbent).stands


def test_who_is_barred_is_passed_over_and_told_why() -> None:
    barred = {("ips", "lambdarank"): "retired (leaks)"}
    found = decide(evidence(coec=0.1, ips=0.2), DAY, barred=barred)
    assert titles(found) == ("coec", None)
    assert found.words["ips", "lambdarank"] == "words of ips; not promoted: retired (leaks)"
    assert found.words[COEC] == "words of coec"


def test_a_champion_that_people_chose_gives_way_to_no_other_arm() -> None:
    held = Incumbent(COEC, DAY, held="an A/B test")
    found = decide(evidence(coec=0.1, ips=0.2), DAY, held)
    assert titles(found) == ("coec", "ips"), "its newer ranker takes over"
    assert found.summary == (
        "coec lambdarank stays champion, chosen by hand (an A/B test). ips lambdarank is "
        "challenger: words of ips"
    )
    unsupported = decide(evidence(coec=np.nan, ips=0.2), DAY, held)
    assert titles(unsupported) == (None, "ips")
    assert decide(evidence(coec=0.1), DAY, held).summary.endswith("(an A/B test)")


@pytest.mark.parametrize(("bound", "champion"), [(0.03, "old"), (0.05, "old"), (0.051, "new")])
def test_a_supported_champion_gives_way_only_to_what_is_surely_better(
    bound: float, champion: str
) -> None:
    own = ArmSupport(("old", "lambdarank"), 0.02, "words", difference=0.05)
    other = ArmSupport(("new", "lambdarank"), bound, "words", difference=0.08)
    found = decide([other, own], DAY, Incumbent(own.arm, DAY))
    assert found.champion == (champion, "lambdarank")
    assert found.challenger == ("new" if champion == "old" else "old", "lambdarank")


def test_the_difference_is_that_of_the_bound() -> None:
    (found,) = judge_arms(table(("coec", "randomized_click_dcg", BETTER, 0.1), value=2.0))
    # .1 and .2 of a value of 2
    assert (found.bound, found.difference) == (pytest.approx(0.05), pytest.approx(0.1))
