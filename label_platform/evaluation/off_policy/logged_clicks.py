"""What a log says of items that a target ranks: their clicks, where they stood, how likely."""

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.metrics import Floats, Lists

_NONE = np.zeros(0)


@dataclass(frozen=True, eq=False)
class LoggedClicks:
    """One row per item that the target ranks, items of one ranking together.

    A ranking is one that was shown, or the pool of a query: all items retrieved for it, shown or
    not, whose rows sum up ``times`` lists.

    Attributes:
        lists: of the rows.
        clicks: the row's clicks, shape (n,); 0 where it was not shown.
        examination: sum of alpha_k (theta_k under the position-based model) over the impressions
            of the row, shape (n,); 0 where it was not shown, NaN where none is known.
        offset: sum of beta_k, the clicks that trust alone explains, shape (n,); 0 without trust.
        expected: rho, the examination that logging gives the item in one list on average,
            shape (n,): sum over k of P(item at k) alpha_k, where "not shown" adds 0. NaN or 0:
            logging never shows it, or nobody knows how often.
        times: how many lists each ranking stands for, shape (lists,).
        predicted: what a model says of the item's relevance, on the scale of
            (click - beta_k) / alpha_k, shape (n,); needed by doubly robust estimates.
    """

    lists: Lists
    clicks: Floats
    examination: Floats
    offset: Floats
    expected: Floats
    times: Floats = field(default_factory=lambda: _NONE)
    predicted: Floats | None = None

    def __post_init__(self) -> None:
        """Check shapes; a ranking stands for one list unless it is said otherwise."""
        if not self.times.size:
            object.__setattr__(self, "times", np.ones(len(self.lists)))
        shapes = {len(each) for each in (self.clicks, self.examination, self.offset)}
        if shapes | {len(self.expected)} != {len(self.lists.codes)}:
            raise ValueError(
                f"expected {len(self.lists.codes)} clicks, examinations, offsets and expected "
                f"examinations, found {sorted(shapes | {len(self.expected)})}"
            )
        if len(self.times) != len(self.lists):
            raise ValueError(f"expected {len(self.lists)} times, found {len(self.times)}")

    @classmethod
    def as_shown(
        cls, lists: Lists, clicks: Floats, examination: Floats, offset: Floats | None = None
    ) -> Self:
        """Lists and positions taken as given, so that rho is alpha at the item's own position.

        For a target that re-orders what a list shows: given the list, each click tells of its own
        item, whatever chose the items. Nothing needs to be known of the logging ranker.

        Args:
            lists: that were shown.
            clicks: 0 or 1.
            examination: alpha at the logged position, NaN where none is known.
            offset: beta there; by default 0.
        """
        given = np.zeros(len(clicks)) if offset is None else offset
        return cls(lists, clicks, examination, given, examination)

    @classmethod
    def as_shuffled(
        cls, lists: Lists, clicks: Floats, examination: Floats, offset: Floats | None = None
    ) -> Self:
        """Randomised lists: every order of a list was as likely, so rho is the list's mean alpha.

        For a target that re-orders what a list shows. Arguments are those of ``as_shown``.
        """
        given = np.zeros(len(clicks)) if offset is None else offset
        mean = lists.totals(examination) / lists.sizes
        return cls(lists, clicks, examination, given, mean[lists.codes])

    @property
    def supported(self) -> NDArray[np.bool_]:
        """Rows whose clicks may be weighted."""
        return (np.nan_to_num(self.expected) > 0) & np.isfinite(self.examination)

    @property
    def row_times(self) -> Floats:
        """How many lists each row stands for, shape (n,)."""
        return self.times[self.lists.codes]

    def with_predictions(self, predicted: Floats) -> Self:
        """The same with a model's predictions of relevance, shape (n,)."""
        return replace(self, predicted=predicted)
