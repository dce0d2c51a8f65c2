"""Impressions of the evaluation days as arrays, prepared once for every score vector."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from label_platform.evaluation.evidence import Evidence
from label_platform.evaluation.metrics import Floats, Integers, Lists
from label_platform.evaluation.off_policy import logged_examination, logged_trust_offset
from label_platform.propensity import PropensityCurve
from label_platform.ranking import NUMBERS_ONLY, FeatureCodes, read_features

NOT_KNOWN = "null"


@dataclass(frozen=True, eq=False)
class ShownLists:
    """What was shown, items of a list together, and what was clicked.

    Attributes:
        matrix: float32, rows of features as the rankers' own ``feature_names``; one object for
            all selections of the same impressions, so that none of them is scored twice.
        rows: of the matrix, one per item.
        lists: of the items.
        query: the query of each list, as text.
        request: the request of each list, as text.
        position: logged, of each item.
        clicks: 0 or 1 of each item.
        randomized: whether chance alone made each list.
        examination: P(examined) at the logged position, NaN where none is known; None without a
            propensity curve.
        day: of each list, as datetime64[D]; None where times are not known.
        segments: values of each item, as text, by the column that slices may be made of.
        offset: the clicks that trust alone explains there (beta), 0 where the curve has none; None
            without a propensity curve.
        item: which rows show the same item, by number; None where items have no ids.
        logging_probability: of the item at its position, NaN where it was not logged; None if it
            never was.
    """

    matrix: NDArray[np.float32]
    rows: Integers
    lists: Lists
    query: NDArray[np.str_]
    request: NDArray[np.str_]
    position: Integers
    clicks: Floats
    randomized: NDArray[np.bool_]
    examination: Floats | None
    day: NDArray[np.datetime64] | None = None
    segments: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
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
        segments: Sequence[str] = (),
        codes: FeatureCodes = NUMBERS_ONLY,
    ) -> Self:
        """Lists from ``impression_signals`` of the evaluation days.

        Impressions with an ``excluded_reason`` are left out.

        Args:
            impressions: with request_id, query_id, position, randomized, the click's column, the
                features, the curve's context columns and the segments; in any order.
            feature_names: the rankers' features, without position.
            click: the click signal's column.
            curve: from training days, for off-policy estimates.
            segments: columns that slices are made of.
            codes: of text features, as the rankers have them.
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
            matrix=read_features(rows, feature_names, codes=codes),
            rows=np.arange(rows.num_rows),
            lists=lists,
            query=_texts(rows, "query_id")[first],
            request=request[first],
            position=rows.column("position").to_numpy().astype(np.int64),
            clicks=(rows.column(click).to_numpy() > 0).astype(np.float64),
            randomized=rows.column("randomized").to_numpy()[first].astype(np.bool_),
            examination=None if curve is None else logged_examination(frame, curve),
            day=_days(rows, first),
            segments={name: _texts(rows, name) for name in segments},
            offset=None if curve is None else logged_trust_offset(frame, curve),
            item=_codes(rows, "item_id"),
            logging_probability=_numbers(rows, "logging_probability"),
        )

    @property
    def features(self) -> NDArray[np.float32]:
        """One row per item."""
        found: NDArray[np.float32] = self.matrix[self.rows]
        return found

    @property
    def are_single_items(self) -> bool:
        """Whether no list has two items, so that there is nothing to re-rank."""
        return bool((self.lists.sizes <= 1).all())

    @property
    def evidence(self) -> Evidence:
        """How much there is to count."""
        return Evidence(
            lists=len(self.lists),
            positives=int(self.clicks.sum()),
            days=0 if self.day is None else len(np.unique(self.day)),
            randomized_share=float(self.randomized.mean()) if len(self.lists) else float("nan"),
        )

    def chosen(self, kept: NDArray[np.bool_]) -> Self:
        """Only some of the lists."""
        items = kept[self.lists.codes]
        return type(self)(
            matrix=self.matrix,
            rows=self.rows[items],
            lists=Lists.of_sorted(self.lists.codes[items]),
            query=self.query[kept],
            request=self.request[kept],
            position=self.position[items],
            clicks=self.clicks[items],
            randomized=self.randomized[kept],
            examination=None if self.examination is None else self.examination[items],
            day=None if self.day is None else self.day[kept],
            segments={name: values[items] for name, values in self.segments.items()},
            offset=None if self.offset is None else self.offset[items],
            item=None if self.item is None else self.item[items],
            logging_probability=(
                None if self.logging_probability is None else self.logging_probability[items]
            ),
        )

    def counting(self, items: NDArray[np.bool_]) -> Self:
        """Only the clicks on some of the items, on the lists that showed any of them.

        The lists stay whole: where an item is ranked depends on what it stands beside.
        """
        clicks = np.where(items, self.clicks, 0.0)
        return replace(self, clicks=clicks).chosen(self.lists.totals(items.astype(float)) > 0)


def _texts(rows: pa.Table, name: str) -> NDArray[np.str_]:
    """A column as text; dictionary codes first, since few values repeat."""
    coded = rows.column(name).combine_chunks().dictionary_encode()
    names = [*coded.dictionary.cast(pa.string()).to_pylist(), NOT_KNOWN]
    codes = pc.fill_null(coded.indices, len(names) - 1).to_numpy()
    texts: NDArray[np.str_] = np.array(names, dtype=np.str_)[codes]
    return texts


def _days(rows: pa.Table, first: Integers) -> NDArray[np.datetime64] | None:
    if "shown_at" not in rows.column_names:
        return None
    moments = rows.column("shown_at").take(pa.array(first)).to_pandas()
    days: NDArray[np.datetime64] = moments.dt.tz_localize(None).to_numpy().astype("datetime64[D]")
    return days


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
