"""All estimators on one window of days: their curves, the tests of the model, and the answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from label_platform.propensity.agreement import BY_CHANCE, HARVESTS, held_against, with_flag
from label_platform.propensity.choice import HARVESTED, Choice, choose
from label_platform.propensity.curve import (
    REFERENCE_POSITION,
    PropensityCurve,
    Verdict,
    is_pooled,
)
from label_platform.propensity.curves import estimate_curves
from label_platform.propensity.findings import Finding, disagreement, flagged, model_findings
from label_platform.propensity.log_statistics import LogStatistics, Stratum
from label_platform.propensity.randomized import estimate_randomized
from label_platform.propensity.strata import context_name
from label_platform.propensity_settings import PropensitySettings


@dataclass(frozen=True, eq=False)
class Answer:
    """What a window of days says of examination.

    Attributes:
        tables: rows of the ``propensities`` table by estimator.
        choice: which of them is the answer.
        findings: the tests of the position-based model.
        context: the context columns.
    """

    tables: dict[str, pd.DataFrame]
    choice: Choice
    findings: list[Finding]
    context: tuple[str, ...]

    @property
    def curves(self) -> dict[str, PropensityCurve]:
        """Each estimator's curves with verdict and reason."""
        return {
            name: PropensityCurve.from_table(rows, self.context)
            for name, rows in self.tables.items()
        }

    def table(self) -> pd.DataFrame:
        """All rows, those of the answer marked ``chosen``."""
        return pd.concat(
            [
                self.tables[name].assign(chosen=name == self.choice.estimator)
                for name in sorted(self.tables)
            ],
            ignore_index=True,
        )


def estimate_all(
    statistics: LogStatistics,
    names: Sequence[str],
    settings: PropensitySettings,
    on_estimator: Callable[[str], None] | None = None,
) -> Answer:
    """Run the estimators, test the model, hold estimates against each other, and choose.

    Args:
        statistics: of the window of days.
        names: of the estimators to run; where trust in high positions is found, ``affine`` too.
        settings: of the problem.
        on_estimator: told the name of each that is begun.
    """
    context = statistics.context
    strata = list(statistics.strata())
    findings = model_findings(statistics, strata, settings)
    tables = {}
    trusting = any(
        each.test.name == "trust" and each.verdict is Verdict.MISFIT for each in findings
    )
    for name in dict.fromkeys([*names, *(["affine"] if trusting else [])]):
        if on_estimator is not None:
            on_estimator(name)
        if name == "randomized":
            table = estimate_randomized(statistics.randomized, context, settings).table
        else:
            table = estimate_curves(name, statistics, strata, settings)
        tables[name] = flagged(table, name, context, findings)
    # what does not allow for trust says nothing against what does
    allowing = {"affine"} if trusting else set()
    tables |= held_against({k: v for k, v in tables.items() if k not in allowing}, context)
    choice = choose(tables, context, settings)
    if choice.table is not None:
        combined = _noted(choice.table, statistics, strata, tables)
        tables[choice.estimator] = flagged(combined, choice.estimator, context, findings)
    if choice.gap is not None:
        findings.append(disagreement(choice.why, choice.gap.p_value))
        # which of them is wrong is not known
        for name in {choice.estimator, *BY_CHANCE, *HARVESTED} & set(tables):
            tables[name] = with_flag(tables[name], Verdict.DISAGREEMENT, choice.why)
    return Answer(tables, choice, findings, tuple(context))


def _noted(
    table: pd.DataFrame,
    statistics: LogStatistics,
    strata: Sequence[Stratum],
    parts: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    """A combined estimate, its reason with what its parts' reasons say of the log and of them."""
    context = statistics.context
    notes = [*statistics.notes]
    known = set(table[list(context)].dropna().itertuples(index=False, name=None))
    lacking = [
        context_name(context, each.key)
        for each in strata
        if each.key is not None and each.key not in known
    ]
    if lacking:
        notes.append(f"{'; '.join(lacking)}: too little evidence, this curve is taken")
    contradicted = [
        name
        for name in (*BY_CHANCE, *HARVESTS)
        if name in parts and (parts[name]["verdict"] == Verdict.DISAGREEMENT).any()
    ]
    if contradicted:
        notes.append(f"{', '.join(contradicted)} disagree with one another")
    speaks = is_pooled(table, context) & (table["position"] == REFERENCE_POSITION)
    reason = table["reason"].where(~speaks, table["reason"] + "".join(f"; {n}" for n in notes))
    return table.assign(reason=reason)
