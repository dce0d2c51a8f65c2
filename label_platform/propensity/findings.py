"""Whether clicks follow a position-based model at all, and whether its curve stays the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from label_platform.propensity.cells import Floats
from label_platform.propensity.curve import REFERENCE_POSITION, Verdict, is_pooled
from label_platform.propensity.estimators.pbm import pbm_propensities
from label_platform.propensity.gates.chi_square import MisfitTest
from label_platform.propensity.gates.drift import drift_test, joint_drift
from label_platform.propensity.gates.misfit import cascade_misfit, outlier_misfit
from label_platform.propensity.gates.trust import trust_misfit
from label_platform.propensity.log_statistics import LogStatistics, Stratum
from label_platform.propensity.registry import ESTIMATORS
from label_platform.propensity.strata import context_name
from label_platform.propensity_settings import PropensityGates

_DECISIVE = "trust"
"""What bends every curve alike, those of random lists too, so that no other estimate shows it."""
_ENOUGH_POWER = 0.5
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
        verdict: drift or misfit where the test fires; untested where it is too weak to; else ok.
    """

    context: str
    key: tuple[str, ...] | None
    test: MisfitTest
    verdict: Verdict

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
    for stratum in strata[:-1] or strata:
        name = context_name(statistics.context, stratum.key) if stratum.key else ""
        curve = pbm_propensities(stratum.cells.of_several_positions())
        findings += [
            _finding(name, stratum.key, test, Verdict.MISFIT, gates.misfit_significance)
            for test in _misfits(stratum, curve, gates.misfit_significance)
        ]
        if len(stratum.days) > 1:
            drifts[name] = drift_test(stratum.days, curve, gates.drift_significance)
    if drifts:
        # one test of all contexts: with one for each, some would fire by chance
        joint = joint_drift(drifts, gates.drift_significance)
        findings.append(_finding("", None, joint, Verdict.DRIFT, gates.drift_significance))
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
    concerns all curves.

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
    flagged = table.copy()
    for each in fired:
        rows = pd.Series(True, index=flagged.index)  # noqa: FBT003 - a value, not a flag
        if each.key is not None:
            keys: Mapping[str, str] = dict(zip(context, each.key, strict=True))
            rows = is_pooled(flagged, context)
            rows |= (flagged[list(keys)] == pd.Series(keys)).all(axis=1)
        if each.verdict is Verdict.UNTESTED:
            rows &= ~_refused(flagged)
        flagged.loc[rows, "verdict"] = [
            Verdict.worst([verdict, each.verdict]).value for verdict in flagged.loc[rows, "verdict"]
        ]
        speaks = rows & (flagged["position"] == REFERENCE_POSITION)
        if each.verdict is Verdict.UNTESTED or each.key is None:
            # the pooled curve says it for all; to say it again for each context helps nobody
            speaks &= is_pooled(flagged, context)
        flagged.loc[speaks, "reason"] += f"; {each.sentence}"
    return flagged


def _refused(table: pd.DataFrame) -> pd.Series:
    return table["verdict"].map(lambda verdict: Verdict(verdict).is_refusal).astype(bool)


def _finding(
    context: str,
    key: tuple[str, ...] | None,
    test: MisfitTest,
    verdict: Verdict,
    significance: float,
) -> Finding:
    if test.p_value >= significance:
        blind = test.name == _DECISIVE and test.power < _ENOUGH_POWER
        verdict = Verdict.UNTESTED if blind else Verdict.OK
    return Finding(context, key, test, verdict)


def _misfits(stratum: Stratum, curve: Floats, significance: float) -> list[MisfitTest]:
    cells, below = stratum.cells, stratum.below_click
    return [
        trust_misfit(cells, curve, significance),
        cascade_misfit(cells, below[:, 0], below[:, 1], significance),
        outlier_misfit(cells, curve),
    ]
