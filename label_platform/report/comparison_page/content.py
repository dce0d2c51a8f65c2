"""What stands on a comparison's page."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from label_platform.evaluation import ArmVerdict


@dataclass(frozen=True)
class Curve:
    """An examination curve of one context.

    Attributes:
        title: the context, for people.
        positions: 1-based, ascending.
        propensity: of each position.
        low: of the interval.
        high: of the interval.
        note: estimator and verdict.
    """

    title: str
    positions: tuple[int, ...]
    propensity: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    note: str


@dataclass(frozen=True)
class Histogram:
    """Counted labels.

    Attributes:
        title: whose labels.
        low: of the first bin.
        high: of the last one.
        counts: of bins of equal width.
    """

    title: str
    low: float
    high: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Importance:
    """What a ranker looks at.

    Attributes:
        title: the policy and its ranker.
        shares: of the gain of all splits, by feature, the largest first.
    """

    title: str
    shares: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class RankedItem:
    """An item of an example list.

    Attributes:
        name: its title, or its id.
        logged_position: where it was shown.
        clicked: whether it was clicked there.
        moved: how many ranks higher than by the other ranker; below 0 for lower.
    """

    name: str
    logged_position: int
    clicked: bool
    moved: int


@dataclass(frozen=True)
class ExampleList:
    """A logged list as two rankers order it.

    Attributes:
        title: the query.
        chosen_for: why it stands here.
        baseline: the items as the baseline's ranker orders them, the best first.
        contender: the same for the other ranker.
    """

    title: str
    chosen_for: str
    baseline: tuple[RankedItem, ...]
    contender: tuple[RankedItem, ...]


@dataclass(frozen=True)
class Check:
    """Something about the data that a reader should know.

    Attributes:
        passed: whether it is as it should be.
        text: what was looked at and found.
    """

    passed: bool
    text: str


@dataclass(frozen=True)
class ComparisonPage:
    """Everything on the page.

    Attributes:
        problem: its name.
        day: the comparison's.
        baseline: what others are compared with.
        verdicts: a sentence per policy and ranker.
        table: of the comparison.
        supported: policies and rankers that may be promoted, the best first.
        promotion: what became of champion and challenger; empty where nothing was decided.
        curves: of examination.
        histograms: of labels.
        importances: of features.
        examples: logged lists under two rankings.
        contender: which policy and ranker the examples set beside the baseline.
        agreement: which yardstick has agreed with online tests.
        checks: of the log and of the comparison itself.
        lineage: what the comparison was made from.
    """

    problem: str
    day: str
    baseline: str
    verdicts: tuple[ArmVerdict, ...]
    table: pd.DataFrame
    supported: tuple[tuple[str, str], ...] = ()
    promotion: str = ""
    curves: tuple[Curve, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    importances: tuple[Importance, ...] = ()
    examples: tuple[ExampleList, ...] = ()
    contender: str = ""
    agreement: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    lineage: Mapping[str, str] = field(default_factory=dict)

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        if not self.supported:
            return (
                f"Nothing that a real log has shows any policy to be better than {self.baseline} "
                "and worse nowhere."
            )
        names = list(dict.fromkeys(policy for policy, _ in self.supported))
        verb = "is" if len(names) == 1 else "are"
        return f"{', '.join(names)} {verb} better than {self.baseline}, and worse nowhere."
