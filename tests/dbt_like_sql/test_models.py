"""Runs the given/expect tests that stand in the models' .yml files."""

import json
from typing import Any

import pytest

from label_platform.lake import Engine, SqlModel, create_models, load_models, quote_identifier
from label_platform.logs.contract import KEY_OF, layout
from label_platform.logs.publication import empty

MODELS = load_models()
CASES = [
    pytest.param(model, case, id=case["name"])
    for model in MODELS.values()
    for case in model.unit_tests
]
# Ids are text here, so that rows can be read; the models only compare and group them.
LAYOUTS: dict[str, dict[str, str]] = {
    table: layout(table, "integer", {}) | {KEY_OF[table][0]: "VARCHAR"}
    for table in ("impressions", "interactions")
} | {"requests": layout("requests", "integer", {})}
LAYOUTS["matched_interactions"] = LAYOUTS["interactions"] | {
    "impression_id": "VARCHAR",
    "impression_day": "DATE",
    "reported_position": "INTEGER",
    "delay_s": "DOUBLE",
    "orphan_reason": "VARCHAR",
}
SOURCES = {table: empty(columns) for table, columns in LAYOUTS.items()}
VARIABLES: dict[str, Any] = {
    "signals": [{"name": "click", "window_s": 1800, "of": None, "reversed_by": None}],
    "click_signal": "click",
    "context": [],
    "features": [],
    "first_event_day": "2026-10-01",
    "last_event_day": "2026-10-01",
    "touch": "last",
    "session_gap_s": 1800,
    "clock_skew_s": 0,
    "viewed_signal": None,
    "bot_clicks_per_minute": 30,
    "bot_lists_per_session": 1000,
    "bot_users": "null",
    "bot_sessions": "null",
    "bot_user_agents": [],
    "as_of": "2026-10-02 00:00:00+00",
}


def input_name(text: str) -> str:
    return text.rsplit("'", 2)[-2]


@pytest.mark.parametrize(("model", "case"), CASES)
def test_given_expect(model: SqlModel, case: dict[str, Any]) -> None:
    variables = VARIABLES | case.get("overrides", {}).get("vars", {})
    with Engine() as engine:
        for name, relation in SOURCES.items():
            engine.execute(f"create temp table lake_{name} as {relation}")
        sources = {name: f"lake_{name}" for name in SOURCES}
        create_models(engine, MODELS, variables=variables, sources=sources)
        given = {}
        for entry in case["given"]:
            name = input_name(entry["input"])
            relation = sources.get(name, name)
            given[name] = quote_identifier(name)
            columns = engine.schema(relation)
            if name not in sources:
                kind = MODELS[name].materialized
                engine.execute(f"create temp table filled as from {relation}")
                engine.execute(f"drop {kind} {quote_identifier(name)}")
                engine.execute(f"alter table filled rename to {quote_identifier(name)}")
            for row in entry["rows"]:
                unknown = set(row) - set(columns)
                assert not unknown, f"{name} has no columns {unknown}"
                engine.execute(
                    f"insert into {relation} by name select "
                    + ", ".join(f"? as {quote_identifier(key)}" for key in row),
                    list(row.values()),
                )
        create_models(engine, [model.name], variables=variables, sources=sources, given=given)
        expected = case["expect"]["rows"]
        keys = list(expected[0])
        found = engine.frame(f"select {', '.join(map(quote_identifier, keys))} from {model.name}")
    assert canonical(json.loads(found.to_json(orient="records", date_format="iso"))) == canonical(
        expected
    )


def canonical(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(
        json.dumps(
            {
                k: float(v) if isinstance(v, int) and not isinstance(v, bool) else v
                for k, v in row.items()
            },
            sort_keys=True,
        )
        for row in rows
    )
