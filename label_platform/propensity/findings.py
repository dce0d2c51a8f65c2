"""Whether clicks follow a position-based model at all, and whether its curve stays the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from label_platform.propensity.cells import Floats
from label_platform.propensity.curve import REFERENCE_POSITION, Verdict, is_pooled
from label_platform.propensity.estimators.pbm import pbm_propensities
from label_platform.propensity.gates.chi_square import MisfitTest
from label_platform.propensity.gates.drift import drift_test, joint_drift
from label_platform.propensity.gates.misfit import (
    OUTLIER_SIGNIFICANCE,
    cascade_misfit,
    outlier_misfit,
)
from label_platform.propensity.gates.trust import trust_misfit
from label_platform.propensity.log_statistics import LogStatistics, Stratum
from label_platform.propensity.registry import ESTIMATORS
from label_platform.propensity.strata import Key, context_name
from label_platform.propensity_settings import PropensityGates

_DECISIVE = "trust"
"""What bends every curve alike, those of random lists too, so that no other estimate shows it."""
ENOUGH_POWER = 0.5
"""Of a test whose silence says something."""
_TELLING_SHARE = 0.05
"""Of impressions: contexts that hold less together say little of the curve over all."""
_NAMED = 3
"""Untested contexts that the reason of the curve over all names."""
_POOLED = MisfitTest(
    _DECISIVE, 0.0, 0, 1.0, 0.0, "items were pooled, so that no test of the position model was made"
)


@dataclass(frozen=True)
class Finding:
    """One test of one context's clicks.

    Attributes:
        context: the context in words; empty where it concerns all.
        key: the context's values; None where it concerns all.
        test: name, p value, power and sentence.
        verdict: drift or misfit where the test fires; untested where that of trust is too weak to,
            as no other estimate would show it; else ok.
        share: of the impressions that the context has.
    """

    context: str
    key: Key | None
    test: MisfitTest
    verdict: Verdict
    share: float = 1.0

    @property
    def sentence(self) -> str:
        """What is to be said of the curve because of it."""
        test = self.test
        if self.verdict is Verdict.UNTESTED and test is not _POOLED:
            said = (
                "trust in high positions could not be ruled out: a trust bias of .1 would be "
                f"found {test.power:.0%} of times"
            )
        else:
            said = test.sentence
        return f"{self.context}: {said}" if self.context else said

    def as_json(self) -> dict[str, object]:
        """What a manifest keeps of it."""
        return {
            "context": self.context,
            "test": self.test.name,
            "fires": self.verdict not in {Verdict.OK, Verdict.UNTESTED},
            "verdict": self.verdict.value,
            "p_value": float(f"{self.test.p_value:.4g}"),
            "power": round(self.test.power, 4),
            "sentence": self.test.sentence,
        }


def model_findings(
    statistics: LogStatistics, strata: Sequence[Stratum], gates: PropensityGates
) -> list[Finding]:
    """Trust, cascade and outliers in every context against its own curve, and drift once.

    All contexts together are tested only where there are none, or none with a known value:
    contexts whose curves differ would otherwise look like a misfit.

    Args:
        statistics: of the window of days; where items were pooled nothing is tested, since a
            misfit shows item by item.
        strata: ``statistics.strata()``.
        gates: below which p value a test fires; its power and its sentence are for that too.
    """
    if statistics.pooled:
        return [Finding("", None, _POOLED, Verdict.UNTESTED)]
    findings, drifts = [], {}
    total = float(strata[-1].cells.impressions.sum())
    for stratum in _tested(statistics, strata):
        name = context_name(statistics.context, stratum.key) if stratum.key else ""
        curve = pbm_propensities(stratum.cells.of_several_positions())
        # where no ranker made a list nothing is tested, and that tells
        share = float(stratum.cells.impressions.sum()) / total if total else 1.0
        for test in _misfits(stratum, curve, gates.misfit_significance):
            # one item of very many must not look odd by chance: fewer fire than the problem asks
            level = OUTLIER_SIGNIFICANCE if test.name == "outliers" else 1.0
            significance = min(level, gates.misfit_significance)
            verdict = _verdict(test, Verdict.MISFIT, significance)
            findings.append(Finding(name, stratum.key, test, verdict, share))
        if len(stratum.days) > 1:
            drifts[name] = drift_test(stratum.days, curve, gates.drift_significance)
    if drifts:
        # one test of all contexts: with one for each, some would fire by chance
        joint = joint_drift(drifts, gates.drift_significance)
        verdict = _verdict(joint, Verdict.DRIFT, gates.drift_significance)
        findings.append(Finding("", None, joint, verdict))
    return findings


def disagreement(sentence: str, p_value: float) -> Finding:
    """That random lists and changes of rank tell different curves, which one model cannot.

    Under a position-based model both estimate the same curve. Trust bias bends them apart, as
    random lists show average items at the top and rankers good ones; so do ranks that follow
    relevance.
    """
    return Finding(
        "", None, MisfitTest("agreement", 0.0, 1, p_value, 0.0, sentence), Verdict.DISAGREEMENT
    )


def flagged(
    table: pd.DataFrame, estimator: str, context: Sequence[str], findings: Sequence[Finding]
) -> pd.DataFrame:
    """An estimator's table with the findings that concern it in verdicts and reasons.

    A finding of one context concerns that context's curve and the pooled one, one of no context
    concerns all curves. What could not be tested concerns the pooled one only where the contexts
    of which that holds have a share of the impressions that tells.

    Args:
        table: rows of the ``propensities`` table, of one estimator.
        estimator: its name; one that allows for trust, say, is not flagged for it.
        context: the context columns.
        findings: of ``model_findings``.
    """
    known = ESTIMATORS[estimator].knows if estimator in ESTIMATORS else frozenset()
    fired = [
        each for each in findings if each.verdict is not Verdict.OK and each.test.name not in known
    ]
    untested = [each for each in fired if each.verdict is Verdict.UNTESTED]
    tells = sum(each.share for each in untested) >= _TELLING_SHARE
    flagged, pooled = table.copy(), is_pooled(table, context)
    for each in fired:
        rows = _concerned(flagged, context, each.key)
        if each.verdict is Verdict.UNTESTED:
            rows &= ~_refused(flagged)
            rows &= ~pooled | tells
        flagged.loc[rows, "verdict"] = [
            Verdict.worst([verdict, each.verdict]).value for verdict in flagged.loc[rows, "verdict"]
        ]
        speaks = rows & (flagged["position"] == REFERENCE_POSITION)
        if each.key is None or (each.verdict is Verdict.UNTESTED and tells):
            # the pooled curve says it for all; to say it again for each context helps nobody
            speaks &= pooled
        flagged.loc[speaks, "reason"] += _said(each, untested)
    return flagged


def _concerned(table: pd.DataFrame, context: Sequence[str], key: Key | None) -> pd.Series:
    """The rows of a context and those of the pooled curve; all rows where there is no context."""
    if key is None:
        return pd.Series(True, index=table.index)  # noqa: FBT003 - a value, not a flag
    keys: Mapping[str, str | None] = dict(zip(context, key, strict=True))
    return is_pooled(table, context) | (table[list(keys)] == pd.Series(keys)).all(axis=1)


def _said(finding: Finding, untested: Sequence[Finding]) -> str:
    """What a reason adds for a finding; of many untested contexts the first are named."""
    place = untested.index(finding) if finding in untested else 0
    if place < _NAMED:
        return f"; {finding.sentence}"
    return f"; and so of {len(untested) - _NAMED} more contexts" if place == _NAMED else ""


def _refused(table: pd.DataFrame) -> pd.Series:
    return table["verdict"].map(lambda verdict: Verdict(verdict).is_refusal).astype(bool)


def _tested(statistics: LogStatistics, strata: Sequence[Stratum]) -> Sequence[Stratum]:
    """The contexts, and what no context is known of; all together where there are none."""
    unknown = statistics.of_unknown_context() if len(strata) > 1 else None
    if unknown is None:
        return strata[:-1] or strata
    return [*strata[:-1], unknown]


def _verdict(test: MisfitTest, fires: Verdict, significance: float) -> Verdict:
    if test.p_value < significance:
        return fires
    blind = test.name == _DECISIVE and test.power < ENOUGH_POWER
    return Verdict.UNTESTED if blind else Verdict.OK


def _misfits(stratum: Stratum, curve: Floats, significance: float) -> list[MisfitTest]:
    cells, below = stratum.cells, stratum.below_click
    return [
        trust_misfit(cells, curve, significance),
        cascade_misfit(cells, below[:, 0], below[:, 1], significance),
        outlier_misfit(cells, curve),
    ]
