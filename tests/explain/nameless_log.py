"""A log whose events name no lists, and its project."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from label_platform.logs import ingest
from label_platform.pipeline.context import Project
from label_platform.pipeline.workspace import Workspace
from tests.explain.conftest import build, write_policies

FIRST_DAY = date(2026, 10, 1)
OWN_POLICIES: dict[str, dict[str, Any]] = {
    "worth": {
        "grain": "impression",
        "signals": {
            "click": {"gain": 0.5, "quality": {"of": "dwell_s", "shape": "linear", "cap": 60}},
            "purchase": {"gain": 2.0},
        },
        "combine": "max",
        "segments": [{"when": {"device": "mobile"}, "signals": {"click": {"gain": 0.7}}}],
    },
    "first_of": {
        "grain": "impression",
        "signals": {"click": {"gain": 0.5}, "purchase": {"gain": 2.0}},
        "combine": {"first": ["purchase", "click"]},
    },
    "dual": {
        "grain": "impression",
        "signals": {"click": {"gain": 0.5}, "purchase": {"gain": 1.0}},
        "combine": {"dual": ["purchase"]},
        "auxiliary": {"signals": {"click": {"gain": 1.0}}},
        "rankers": [{"objective": "pointwise", "auxiliary": "combine"}],
    },
    "cells": {
        "grain": "query_item",
        "signals": {"click": {"gain": 0.5}, "purchase": {"gain": 2.0}},
    },
}


def nameless_log(folder: Path, seed: int) -> None:
    """Lists of few people and few items, and events that mostly name no list.

    Nearly everything that attribution has to decide on happens: people without sessions, sessions
    without people, two surfaces, items shown twice in a list, events before their impression, too
    late, sent twice, taken back, taken back twice, and of nobody.
    """
    chance = random.Random(seed)  # noqa: S311 - a simulation
    start = datetime.combine(FIRST_DAY, datetime.min.time(), UTC)
    impressions, events = [], []
    for number in range(160):
        at = start + timedelta(seconds=chance.randrange(4 * 86_400))
        who = chance.choice([{"user_id": "ann"}, {"user_id": "bob"}, {"session_id": "s1"}, {}])
        who = {**who, **chance.choice([{}, {"session_id": chance.choice(["s1", "s2"])}])}
        where = chance.choice([{}, {"surface": "web"}, {"surface": "app"}])
        impressions += [
            {
                "request_id": f"r{number}",
                "query_id": chance.choice(["q1", "q2"]),
                "item_id": chance.choice(["a", "b", "c", "d"]),
                "position": position,
                "shown_at": at.isoformat(),
                "device": chance.choice(["mobile", "desktop"]),
                **who,
                **where,
            }
            for position in range(1, 4)
        ]
    for number in range(900):
        shown = chance.choice(impressions)
        delay_s = chance.choice([-30, -2, 5, 60, 1200, 3500, 3700, 20_000, 80_000, 100_000])
        at = datetime.fromisoformat(shown["shown_at"]) + timedelta(
            seconds=delay_s, milliseconds=chance.randrange(1000)
        )
        event: dict[str, Any] = {
            "item_id": shown["item_id"],
            "signal": chance.choice(["click", "dwell_s", "purchase", "purchase", "return"]),
            "value": chance.choice([1, 1, 2, 30, 90]),
            "occurred_at": at.isoformat(),
        }
        named = ["user_id", "session_id", "surface", "position"]
        event |= {key: shown[key] for key in named if key in shown and chance.random() < 0.7}
        if chance.random() < 0.3:
            event["request_id"] = shown["request_id"]
        if not {"request_id", "user_id", "session_id"} & set(event):
            event["user_id"] = chance.choice(["ann", "bob", "nobody"])
        if chance.random() < 0.5:
            event["interaction_id"] = f"e{number}"
        events.extend([event] * (2 if chance.random() < 0.1 else 1))
    chance.shuffle(events)
    _write(folder / "impressions.jsonl", impressions)
    _write(folder / "events_1.jsonl", events[:500])
    _write(folder / "events_2.jsonl", events[450:])


def _write(path: Path, records: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def nameless_project(folder: Path, touch: str, seed: int) -> Project:
    """The project of such a log, labels built."""
    nameless_log(folder / "logs", seed)
    write_policies(folder, OWN_POLICIES)
    problem = {
        "name": "nameless",
        "start_date": FIRST_DAY - timedelta(days=1),
        "end_date": FIRST_DAY + timedelta(days=6),
        "ids": "string",
        "user_ids": "public",
        "logs_folder": "logs",
        "logs": [
            {
                "format": "native",
                "impressions": "impressions.jsonl",
                "interactions": "events_*.jsonl",
            }
        ],
        "signals": {
            "click": {"window": "1h"},
            "dwell_s": {"of": "click", "window": "1h"},
            "purchase": {"window": "1d", "reversed_by": "return"},
        },
        "attribution": {"touch": touch, "clock_skew": "10s"},
        "context": ["device"],
        "policies": {"from": ".", "use": list(OWN_POLICIES), "baseline": "worth"},
    }
    path = folder / "nameless.yaml"
    path.write_text(yaml.safe_dump(problem))
    project = Project.load(path, Workspace(folder / "data"))
    with project.open() as context:
        ingest(context.problem, context.lake, context.engine)
    build(project, {"matched_interactions", "impression_signals", "labels"})
    return project
