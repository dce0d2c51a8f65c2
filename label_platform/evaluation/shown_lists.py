"""Impressions of the evaluation days as arrays, prepared once for every score vector."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from label_platform.evaluation.metrics import Floats, Integers, Lists
from label_platform.evaluation.off_policy import logged_examination, logged_trust_offset
from label_platform.propensity import PropensityCurve
from label_platform.ranking import read_features


@dataclass(frozen=True, eq=False)
class ShownLists:
    """What was shown, items of a list together, and what was clicked.

    Attributes:
        features: float32, one row per item, as the rankers' own ``feature_names``.
        lists: of the items.
        query: the query of each list, as text.
        request: the request of each list, as text.
        position: logged, of each item.
        clicks: 0 or 1 of each item.
        randomized: whether chance alone made each list.
        examination: P(examined) at the logged position, NaN where none is known; None without a
            propensity curve.
        offset: the clicks that trust alone explains there (beta), 0 where the curve has none; None
            without a propensity curve.
        item: which rows show the same item, by number; None where items have no ids.
        logging_probability: of the item at its position, NaN where it was not logged; None if it
            never was.
    """

    features: NDArray[np.float32]
    lists: Lists
    query: NDArray[np.str_]
    request: NDArray[np.str_]
    position: Integers
    clicks: Floats
    randomized: NDArray[np.bool_]
    examination: Floats | None
    offset: Floats | None = None
    item: Integers | None = None
    logging_probability: Floats | None = None

    @classmethod
    def from_impressions(
        cls,
        impressions: pa.Table,
        feature_names: Sequence[str],
        click: str,
        curve: PropensityCurve | None = None,
    ) -> Self:
        """Lists from ``impression_signals`` of the evaluation days.

        Impressions with an ``excluded_reason`` are left out.

        Args:
            impressions: with request_id, query_id, position, randomized, the click's column, the
                features, and the curve's context columns; in any order.
            feature_names: the rankers' features, without position.
            click: the click signal's column.
            curve: from training days, for off-policy estimates.
        """
        if "excluded_reason" in impressions.column_names:
            impressions = impressions.filter(pc.is_null(impressions.column("excluded_reason")))
        ties = ["item_id"] if "item_id" in impressions.column_names else []
        keys = [(name, "ascending") for name in ("request_id", "position", *ties)]
        rows = impressions.sort_by(keys)
        request = _texts(rows, "request_id")
        lists = Lists.of_sorted(request)
        first = lists.starts
        context = [] if curve is None else [*curve.context, "position"]
        frame = rows.select(context).to_pandas()
        return cls(
            features=read_features(rows, feature_names),
            lists=lists,
            query=_texts(rows, "query_id")[first],
            request=request[first],
            position=rows.column("position").to_numpy().astype(np.int64),
            clicks=(rows.column(click).to_numpy() > 0).astype(np.float64),
            randomized=rows.column("randomized").to_numpy()[first].astype(np.bool_),
            examination=None if curve is None else logged_examination(frame, curve),
            offset=None if curve is None else logged_trust_offset(frame, curve),
            item=_codes(rows, "item_id"),
            logging_probability=_numbers(rows, "logging_probability"),
        )

    @property
    def are_single_items(self) -> bool:
        """Whether no list has two items, so that there is nothing to re-rank."""
        return bool((self.lists.sizes <= 1).all())

    def chosen(self, kept: NDArray[np.bool_]) -> Self:
        """Only some of the lists."""
        items = kept[self.lists.codes]
        return type(self)(
            features=self.features[items],
            lists=Lists.of_sorted(self.lists.codes[items]),
            query=self.query[kept],
            request=self.request[kept],
            position=self.position[items],
            clicks=self.clicks[items],
            randomized=self.randomized[kept],
            examination=None if self.examination is None else self.examination[items],
            offset=None if self.offset is None else self.offset[items],
            item=None if self.item is None else self.item[items],
            logging_probability=(
                None if self.logging_probability is None else self.logging_probability[items]
            ),
        )


def _texts(rows: pa.Table, name: str) -> NDArray[np.str_]:
    column = rows.column(name).combine_chunks().dictionary_encode()
    names = np.array(column.dictionary.cast(pa.string()).to_pylist(), dtype=np.str_)
    texts: NDArray[np.str_] = names[column.indices.to_numpy()]
    return texts


def _codes(rows: pa.Table, name: str) -> Integers | None:
    if name not in rows.column_names:
        return None
    column = rows.column(name).combine_chunks().dictionary_encode()
    codes: Integers = column.indices.to_numpy().astype(np.int64)
    return codes


def _numbers(rows: pa.Table, name: str) -> Floats | None:
    if name not in rows.column_names:
        return None
    numbers: Floats = rows.column(name).to_numpy().astype(np.float64)
    return None if np.isnan(numbers).all() else numbers
