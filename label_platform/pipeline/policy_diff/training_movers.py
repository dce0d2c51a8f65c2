"""The training rows that a change of policy moves most, each with the arithmetic of both labels."""

from typing import Any

from label_platform.lake import quote_literal
from label_platform.pipeline.examples import labels_of_days
from label_platform.pipeline.labels import label_inputs
from label_platform.pipeline.policy_diff.finish_words import (
    Row,
    half_life_words,
    label_words,
    weight_words,
)
from label_platform.pipeline.policy_diff.movers import (
    Key,
    Mover,
    evidence_of,
    mean_theta,
    rows_of,
)
from label_platform.pipeline.policy_diff.training_rows import TrainingRows
from label_platform.policy import (
    PREDICTION_SHARE,
    LabelDiff,
    Layout,
    cell_words,
    impression_words,
    used_signals,
)

_IDS = {"impression": ("impression_id",), "query_item": ("query_id", "item_id")}


def training_movers(
    sides: tuple[TrainingRows, TrainingRows], layout: Layout, diff: LabelDiff
) -> tuple[Mover, ...]:
    """Explain the training rows that move most.

    Args:
        sides: old and new.
        layout: of their comparison.
        diff: names the rows.
    """
    if not diff.movers:
        return ()
    told = [_Told(side, layout, diff.movers) for side in sides]
    return tuple(_mover(told[0], told[1], row) for row in diff.movers)


class _Told:
    """What is known of the rows that move, of one side."""

    def __init__(
        self, side: TrainingRows, layout: Layout, movers: tuple[dict[str, Any], ...]
    ) -> None:
        self.side = side
        self.keys = layout.keys
        self.ids = _IDS[layout.grain]
        engine = side.context.engine
        condition = _any_of(movers, self.keys)
        wanted = ", ".join(side.columns)
        found = rows_of(engine, f"select {wanted} from {side.relation} where {condition}")
        self.rows = {self.key(row): row for row in found}
        self.evidence: dict[tuple[str, Key], list[Row]] = {}
        self.bases: dict[tuple[str, Key], Row] = {}
        for part in dict.fromkeys(str(row["part"]) for row in movers):
            shown = [row for row in found if row["part"] == part and row[self.ids[0]] is not None]
            if shown:
                self._read(part, _any_of(tuple(shown), self.ids))

    def key(self, row: Row) -> Key:
        """What tells a row from others."""
        return tuple(str(row[name]) for name in self.keys)

    def of(self, row: Row) -> tuple[Row, list[Row], Row | None]:
        """The finished row, the impressions behind it, and its label before it trains."""
        finished = self.rows[self.key(row)]
        place = str(finished["part"]), tuple(str(finished[name]) for name in self.ids)
        return finished, self.evidence.get(place, []), self.bases.get(place)

    def _read(self, part: str, condition: str) -> None:
        context, policy, split = self.side.context, self.side.policy, self.side.split
        days = split.train if part == "train" else split.validate
        inputs = {day: label_inputs(context, policy, day) for day in days}
        found = evidence_of(context, policy, inputs, condition, self.ids)
        self.evidence |= {(part, key): rows for key, rows in found.items()}
        labels = labels_of_days(context, policy, days, split)
        for row in rows_of(context.engine, self._bases_sql(labels, condition)):
            self.bases[part, tuple(str(row[name]) for name in self.ids)] = row

    def _bases_sql(self, labels: str, condition: str) -> str:
        """SQL of labels before they train: at query-item grain the sums over days, divided."""
        policy = self.side.policy
        if policy.grain == "impression":
            return f"select * from {labels} where {condition}"
        times = " * decay" if policy.decay else ""
        gain, examined, unclipped = (
            f"cast(sum(cast({name}{times} as decimal(28, 10))) as double)"
            for name in ("gain_sum", "expected_examinations", "unclipped_examinations")
        )
        share = ""
        if policy.debias.method == "doubly_robust":
            share = f", round(1 - {unclipped} / {examined}, 6) as {PREDICTION_SHARE}"
        return (
            f"select query_id, item_id, {gain} as gain, {examined} as examined, "
            f"round({gain} / {examined}, 6) as label{share} from {labels} where {condition} "
            "group by query_id, item_id"
        )


def _any_of(rows: tuple[dict[str, Any], ...], keys: tuple[str, ...]) -> str:
    conditions = {
        " and ".join(
            f"{key} is null" if row[key] is None else f"{key} = {quote_literal(str(row[key]))}"
            for key in keys
        ): None
        for row in rows
    }
    return "(" + " or ".join(f"({each})" for each in conditions) + ")"


def _mover(old: _Told, new: _Told, row: dict[str, Any]) -> Mover:
    finished, shown, _ = old.of(row)
    _, again, _ = new.of(row)
    names = dict.fromkeys(["part", *old.ids, "query_id", "item_id"])
    ids = {name: str(finished[name]) for name in names if finished[name] is not None}
    signals = {
        name: float(sum(each[name] for each in rows))
        for side, rows in ((old.side, shown), (new.side, again))
        for name in used_signals(side.policy)
    }
    return Mover(
        ids=ids,
        days=tuple(sorted({each["day"] for each in shown})),
        positions=tuple(sorted({int(each["position"]) for each in shown})),
        signals={name: value for name, value in signals.items() if value},
        theta=(mean_theta(shown), mean_theta(again)),
        labels=(row["old_label"], row["new_label"]),
        old_words=_words(old, row),
        new_words=_words(new, row),
        weights=(row["old_weight"], row["new_weight"]),
    )


def _words(told: _Told, row: dict[str, Any]) -> str:
    policy = told.side.policy
    finished, shown, base = told.of(row)
    if base is None or not shown:
        words = "no list showed the item: 0"
    elif policy.grain == "impression":
        words = impression_words(policy, shown[0], float(base["label"]))
    else:
        sums = float(base["gain"]), float(base["examined"])
        words = cell_words(policy, shown, float(base["label"]), sums)
        if policy.decay is not None:
            half_life = half_life_words(policy.decay.half_life)
            words += f", each day's by its age at a half-life of {half_life}"
    said = [words, label_words(policy, told.side.fitted, finished, base)]
    if row["old_label"] == row["new_label"]:
        said.append(weight_words(policy, finished, base))
    return "; ".join(filter(None, said))
