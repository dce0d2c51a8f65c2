"""Estimators with strong assumptions are ``ok`` only beside one that does not share them."""

from dataclasses import replace

import numpy as np
import pytest
from propensity_logs import log_statistics
from propensity_settings_table import Setting

from label_platform.logs.simulators.click_lists import ClickListSettings, simulate_click_lists
from label_platform.propensity import Answer, Verdict, estimate_all
from label_platform.propensity_settings import PropensitySettings

SETTINGS = PropensitySettings(replicates=40)
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
