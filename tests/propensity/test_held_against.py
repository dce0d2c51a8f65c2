"""Estimators with strong assumptions are ``ok`` only beside one that does not share them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from propensity_logs import log_statistics
from propensity_settings_table import Setting

from label_platform.logs.simulators.click_lists import ClickListSettings, simulate_click_lists
from label_platform.propensity import Answer, Verdict, estimate_all
from label_platform.propensity.agreement import held_against
from label_platform.propensity_settings import PropensitySettings

SETTINGS = PropensitySettings(replicates=40)
TRUE, WRONG = (1, 1 / 2, 1 / 3), (1, 2**-0.5, 3**-0.5)
INVERSE = tuple(1 / k for k in range(1, 6))
RANDOM = ClickListSettings(
    n_lists=12_000, n_queries=300, candidates=10, curves=(INVERSE,), logger="random"
)
STRONG = replace(RANDOM, logger="strong")


def answer_to(lists: ClickListSettings, seed: int, names: tuple[str, ...]) -> Answer:
    shown = simulate_click_lists(lists, seed)
    statistics = log_statistics(shown, Setting("small", lists), seed, with_lists=True)
    return estimate_all(statistics, names, SETTINGS)


@pytest.mark.parametrize(
    "name", ["regression_em", "dual_learning", "cascade", "dbn", "sdbn", "ubm", "pbm_em"]
)
def test_alone_it_is_untested(name: str) -> None:
    few = replace(RANDOM, n_lists=4_000, n_queries=100)
    curve = answer_to(few, 1, (name,)).curves[name]
    assert curve.verdict in {Verdict.UNTESTED, Verdict.WIDE}
    assert "no estimate that assumes less was at hand" in curve.reason


@pytest.mark.parametrize("seed", [1, 2])
def test_a_relevance_model_that_took_relevance_for_position_disagrees(seed: int) -> None:
    """A strong ranker knows more of relevance than the features say."""
    names = ("regression_em", "dual_learning") if seed == 1 else ("dual_learning",)
    answer = answer_to(STRONG, seed, ("pbm", *names))
    assert not answer.curves["pbm"].verdict.is_refusal
    truth = np.array(INVERSE)[1:]
    for name in names:
        found = answer.tables[name].set_index("position")["propensity"].to_numpy()[1:]
        assert np.mean(found / truth - 1) < -0.1
        assert answer.curves[name].verdict is Verdict.DISAGREEMENT
        assert "disagrees with pbm" in answer.curves[name].reason


def test_beside_an_estimate_that_does_not_share_its_assumption_it_may_be_ok() -> None:
    answer = answer_to(replace(RANDOM, n_lists=20_000), 1, ("pbm", "ubm", "pbm_em"))
    for name in ("pbm", "ubm", "pbm_em"):
        assert answer.curves[name].verdict is Verdict.OK


def table_of(
    estimator: str, propensity: tuple[float, ...], log_error: float = 0.02
) -> pd.DataFrame:
    values = np.array(propensity)
    half = np.exp(1.96 * log_error * (np.arange(len(values)) > 0))
    return pd.DataFrame(
        {
            "estimator": estimator,
            "position": range(1, len(values) + 1),
            "propensity": values,
            "ci_low": values / half,
            "ci_high": values * half,
            "verdict": "ok",
            "reason": "",
        }
    )


def verdicts(curves: dict[str, tuple[float, ...]]) -> dict[str, str]:
    found = held_against({name: table_of(name, curve) for name, curve in curves.items()}, ())
    return {name: str(table["verdict"].iloc[-1]) for name, table in found.items()}


def test_who_shares_the_fault_of_a_harvest_is_held_against_random_lists_too() -> None:
    found = verdicts({"pbm": WRONG, "dual_learning": WRONG, "randomized": TRUE})
    assert found["dual_learning"] == "disagreement"
    assert verdicts({"pbm": TRUE, "dual_learning": TRUE, "randomized": TRUE}) == {
        "pbm": "ok",
        "dual_learning": "ok",
        "randomized": "ok",
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [("randomized", "swap"), ("pbm", "harvest_all_pairs"), ("pbm", "harvest_adjacent")],
)
def test_two_of_one_kind_that_contradict_each_other_are_both_flagged(one: str, other: str) -> None:
    assert verdicts({one: TRUE, other: WRONG}) == {one: "disagreement", other: "disagreement"}
    assert verdicts({one: TRUE, other: TRUE}) == {one: "ok", other: "ok"}
    found = held_against({one: table_of(one, TRUE), other: table_of(other, WRONG)}, ())
    # log(3^.5) = .549 at position 3 is the widest gap
    assert found[one]["reason"].iloc[0] == (
        f"; it disagrees with {other} beyond their intervals (position 3: 0.333 and 0.577)"
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_estimates_of_clicks_that_follow_the_model_do_not_contradict_each_other(seed: int) -> None:
    names = ("randomized", "harvest_all_pairs", "harvest_adjacent", "pbm")
    answer = answer_to(replace(RANDOM, randomized_share=0.1), seed, names)
    for name in names:
        assert "disagrees" not in answer.curves[name].reason
