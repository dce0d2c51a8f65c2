"""A small shop: lists are shown and published, labels compiled from them, examples built."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from label_platform.examples import ExampleRelations, examples_sql
from label_platform.lake import Engine, Lake, Partition
from label_platform.policy import LabelInputs, Policy, compile_labels, load_policy
from label_platform.problem import Problem, load_problem

DAYS = (date(2026, 10, 1), date(2026, 10, 2))
VALIDATE = date(2026, 10, 3)
PROBLEM = {
    "name": "shop",
    "start_date": DAYS[0],
    "ids": "integer",
    "logs": [{"format": "native", "impressions": "i/*.parquet", "interactions": "e/*.jsonl"}],
    "signals": {"click": {"window": "30m"}, "purchase": {"window": "3d"}},
    "features": ["f_*"],
    "item_features": ["item_*"],
    "policies": {"use": ["mine"]},
}
POLICY = {
    "name": "mine",
    "grain": "impression",
    "signals": {"click": {"gain": 1.0}},
    "rankers": [{"objective": "pointwise"}],
}
SIGNALS = """
    cast(md5(concat(request_id, '|', item_id, '|', position)) as uuid) as impression_id,
    cast(request_id as bigint) as request_id, cast(query_id as bigint) as query_id,
    cast(item_id as bigint) as item_id, cast(position as integer) as position,
    cast(shown_at as timestamptz) as shown_at, cast(click as double) as click,
    cast(purchase as double) as purchase,
    cast(max(case when click > 0 then position end) over (partition by request_id) as integer)
        as last_clicked_position,
    cast(nullif(excluded_reason, '') as varchar) as excluded_reason,
    cast(user_key as varchar) as user_key, cast(randomized as boolean) as randomized,
    cast(f_price as double) as f_price
"""


@dataclass
class Shop:
    """The tables of a small shop in a real lake."""

    engine: Engine
    lake: Lake
    problem: Problem
    items: str | None = None
    shown: dict[date, list[dict[str, Any]]] = field(default_factory=dict)

    def show(
        self,
        request_id: int,
        items: Sequence[int],
        *,
        clicked: Sequence[int] = (),
        day: date = DAYS[0],
        **columns: object,
    ) -> None:
        """One list, items from position 1 on; ``clicked`` are positions."""
        for position, item_id in enumerate(items, start=1):
            row = {
                "request_id": request_id,
                "query_id": 1,
                "item_id": item_id,
                "position": position,
                "shown_at": f"{day} 12:00:00+00",
                "click": 1 if position in clicked else 0,
                "purchase": 0,
                "excluded_reason": "",
                "user_key": "u1",
                "randomized": False,
                "f_price": 10.0 * item_id,
            }
            self.shown.setdefault(day, []).append(row | columns)

    def stock(self, versions: Sequence[tuple[int, date, float]]) -> None:
        """The catalogue: item, valid from, item_a."""
        rows = pd.DataFrame(versions, columns=["item_id", "valid_from", "item_a"])
        self.engine.register("stock", rows)
        query = """
            select cast(item_id as bigint) as item_id,
                cast(valid_from as timestamptz) as valid_from, cast(item_a as double) as item_a
            from stock"""
        self.lake.publish(self.engine, Partition("items", DAYS[0]), query, recipe="r")
        self.items = self.lake.scan("items", [DAYS[0]])

    def theta(self, thetas: Sequence[float]) -> str:
        """A pooled curve."""
        positions = range(1, len(thetas) + 1)
        self.engine.register("thetas", pd.DataFrame({"position": positions, "propensity": thetas}))
        partition = Partition("propensities", DAYS[0])
        self.lake.publish(
            self.engine,
            partition,
            "select *, cast(null as double) as trust_offset, true as chosen from thetas",
            recipe="r",
        )
        return self.lake.scan("propensities", [DAYS[0]])

    def relations(self, policy: Policy, propensities: str | None = None) -> ExampleRelations:
        """Publish what was shown, and its labels; the last day validates."""
        for day, rows in self.shown.items():
            self.engine.register("rows", pd.DataFrame(rows))
            query = f"select {SIGNALS} from rows"
            self.lake.publish(self.engine, Partition("impression_signals", day), query, recipe="r")
            inputs = LabelInputs(self.lake.scan("impression_signals", [day]), propensities)
            labels = compile_labels(policy, self.problem, inputs)
            partition = Partition("labels", day, policy.name)
            self.lake.publish(self.engine, partition, labels, recipe="r")
        train = [day for day in self.shown if day != VALIDATE]
        validate = [VALIDATE] if VALIDATE in self.shown else train
        return ExampleRelations(
            labels_train=self.lake.scan("labels", train, policy.name),
            labels_validate=self.lake.scan("labels", validate, policy.name),
            signals_train=self.lake.scan("impression_signals", train),
            signals_validate=self.lake.scan("impression_signals", validate),
            items=self.items,
            propensities=propensities,
            feature_columns=("f_price",) if self.problem.features else (),
            item_feature_columns=("item_a",) if self.items else (),
        )

    def examples(
        self, policy: Policy, propensities: str | None = None, part: str = "train"
    ) -> pd.DataFrame:
        """The examples of a part, in their order."""
        sql = examples_sql(policy, self.problem, self.relations(policy, propensities))
        rows = self.engine.frame(sql)
        return rows[rows["part"] == part].reset_index(drop=True)


MakeShop = Callable[..., Shop]


@pytest.fixture
def make_shop(tmp_path: Path) -> Iterator[MakeShop]:
    opened: list[Engine] = []

    def make(*, threads: int = 2, **changes: object) -> Shop:
        path = tmp_path / "shop.yaml"
        path.write_text(yaml.safe_dump(PROBLEM | changes, sort_keys=False))
        opened.append(Engine(threads=threads))
        return Shop(opened[-1], Lake(tmp_path / f"lake{len(opened)}", "shop"), load_problem(path))

    yield make
    for engine in opened:
        engine.close()


@pytest.fixture
def shop(make_shop: MakeShop) -> Shop:
    return make_shop()


@pytest.fixture
def make_policy(tmp_path: Path) -> Callable[..., Policy]:
    def make(**changes: Any) -> Policy:  # noqa: ANN401 - parsed YAML
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(POLICY | changes))
        return load_policy(path)

    return make
