"""Built logs whose labels are to be explained: a simulated one, and one that names no lists."""

import json
import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from label_platform.lake import Partition
from label_platform.logs import ingest
from label_platform.logs.simulators import ProductSearchSettings, simulate_product_search
from label_platform.pipeline.context import Project
from label_platform.pipeline.steps import STEPS, build_partition, partitions_of
from label_platform.pipeline.workspace import Workspace
from label_platform.policy import check_policy, load_policy
from label_platform.problem import load_problem
from label_platform.strict_yaml import ConfigurationError

PROJECT = Path(__file__).parents[2]
POLICIES = PROJECT / "policies"
SIMULATED = ProductSearchSettings(
    days=6,
    lists_per_day=200,
    n_queries=60,
    n_unseen_queries=10,
    n_items=300,
    randomized_share=0.4,
    bot_share=0.02,
    duplicate_share=0.02,
    malformed_share=0.01,
)
_CHANGES = {
    "end_date": SIMULATED.log_days[-1],
    "training": {"window": "14d", "validate": "1d", "evaluate": "1d", "fits": 2, "rounds": 5},
    "propensity": {"replicates": 20, "estimators": ["pbm", "affine", "randomized"]},
    "bots": {"clicks_per_minute": 12},
}
_CLICK = {"click": {"gain": 0.5}}
_DEBIASED = [{"objective": "pointwise", "position": "debias_only"}]
VARIANTS: dict[str, dict[str, Any]] = {
    "weighted": {
        "grain": "impression",
        "signals": _CLICK,
        "debias": {"method": "ips", "into": "weight", "self_normalise": True, "clip": 0.3},
        "rankers": _DEBIASED,
    },
    "by_segment": {
        "grain": "impression",
        "signals": {"click": {"gain": 0.5}, "add_to_cart": {"gain": 1.5}},
        "segments": [
            {"when": {"device": "mobile"}, "clip": 0.4, "signals": {"click": {"gain": 0.25}}},
            {"when": {"surface": ["search", "home"]}, "signals": {"purchase": {"gain": 4.0}}},
        ],
        "debias": {"method": "ips", "propensity": "pbm"},
        "rankers": _DEBIASED,
    },
    "of_trust": {
        "grain": "impression",
        "signals": _CLICK,
        "debias": {"method": "affine", "clip": 0.2, "propensity": "affine"},
        "rankers": _DEBIASED,
    },
    "of_trust_by_cell": {
        "grain": "query_item",
        "signals": _CLICK,
        "debias": {"method": "affine", "clip": 0.2},
        "rankers": _DEBIASED,
    },
    "robust": {
        "grain": "impression",
        "signals": _CLICK,
        "debias": {"method": "doubly_robust", "clip": 0.2, "propensity": "affine"},
        "rankers": _DEBIASED,
    },
    "ips_by_cell": {
        "grain": "query_item",
        "signals": {"click": {"gain": 0.5}, "purchase": {"gain": 1.5}},
        "debias": {"method": "ips", "clip": 0.2},
        "rankers": _DEBIASED,
    },
    "reweighted": {
        "grain": "impression",
        "signals": {"click": {"gain": 0.5}, "purchase": {"gain": 1.5}},
        "delay": {"immature": "reweight"},
    },
    "reweighted_by_cell": {
        "grain": "query_item",
        "signals": {"purchase": {"gain": 1.5}},
        "debias": {"method": "coec", "clip": 0.2},
        "delay": {"immature": "reweight"},
        "rankers": _DEBIASED,
    },
}
"""What the policies that come with the project do not say."""


def usable_policies(problem_file: Path) -> list[str]:
    """The policies that come with the project and fit a problem."""
    problem, found = load_problem(problem_file), []
    for path in sorted(POLICIES.glob("*.yaml")):
        try:
            check_policy(load_policy(path), problem)
        except ConfigurationError:
            continue
        found.append(path.stem)
    return found


def build(project: Project, tables: set[str]) -> None:
    """Bring tables up to date, all days of them."""
    for step in STEPS:
        if step.table not in tables:
            continue
        with project.open() as context:
            policies = [each.name for each in project.policies] if step.per_policy else [""]
            for policy in policies:
                for partition in partitions_of(context, step, policy, context.log_days[-1]):
                    build_partition(context, partition)


def _give_trust_curve(project: Project) -> None:
    """A curve with trust offsets, which so small a log does not tell, and with all that is awkward.

    It ends at position 8 of 10, the pool skips position 3, and mobile has only 1, 2 and 4.
    """
    rows = ", ".join(
        f"({'null' if device is None else repr(device)}, {position}, {theta}, {beta})"
        for device, thetas in {
            None: {1: 1.0, 2: 0.7, 4: 0.3, 5: 0.28, 6: 0.22, 7: 0.19, 8: 0.12},
            "desktop": {1: 1.0, 2: 0.6, 3: 0.45, 8: 0.1},
            "mobile": {1: 1.0, 2: 0.5, 4: 0.25},
        }.items()
        for position, theta in thetas.items()
        for beta in ["null" if position == 8 else 0.04 / position]
    )
    for day in SIMULATED.log_days:
        with project.open() as context:
            partition = Partition("propensities", day)
            manifest = context.require(partition)
            verdicts = manifest.attributes["estimators"]
            sound = {"verdict": "ok", "reason": "made by hand", "is_wide": False}
            context.lake.publish(
                context.engine,
                partition,
                f"""select * from {context.lake.scan("propensities", [day])}
                where estimator <> 'affine' union all by name
                select 'affine' as estimator, device::varchar as device, position::integer as
                    position, theta::double as propensity, beta::double as trust_offset,
                    false as chosen
                from (values {rows}) as curve(device, position, theta, beta)""",
                recipe=manifest.recipe_hash,
                attributes={**manifest.attributes, "estimators": {**verdicts, "affine": sound}},
            )


def _place(table: str) -> int:
    return [step.table for step in STEPS].index(table)


def _write_policies(folder: Path, policies: dict[str, dict[str, Any]]) -> None:
    for name, content in policies.items():
        policy = {"name": name, "rankers": [{"objective": "pointwise"}], **content}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(policy))


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Simulated product search with bots, repeats, broken lines, late feedback and returns."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate_product_search(SIMULATED, folder / "data" / "simulated" / "product_search")
    content = yaml.safe_load((PROJECT / "data" / "problems" / "product_search.yaml").read_text())
    content |= _CHANGES
    content["signals"]["purchase"]["window"] = "2d"
    shutil.copytree(POLICIES, folder / "policies")
    content["policies"] = {"from": "../../policies", "use": ["raw_click"], "allow_refused": True}
    problem_file = folder / "data" / "problems" / "product_search.yaml"
    problem_file.parent.mkdir(parents=True)
    problem_file.write_text(yaml.safe_dump(content))
    shipped = usable_policies(problem_file)
    _write_policies(folder / "policies", VARIANTS)
    content["policies"]["use"] = [*shipped, *VARIANTS]
    problem_file.write_text(yaml.safe_dump(content))
    project = Project.load(problem_file, Workspace(folder / "data"))
    with project.open() as context:
        ingest(context.problem, context.lake, context.engine)
    build(project, {step.table for step in STEPS[: _place("propensities") + 1]})
    _give_trust_curve(project)
    build(project, {"label_statistics", "labels"})
    of_shipped = tuple(policy for policy in project.policies if policy.name in shipped)
    build(replace(project, policies=of_shipped), {"examples"})
    return project


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
        "signals": {"click": {"gain": 0.5}, "purchase": {"gain": 2.0}},
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
    _write_policies(folder, OWN_POLICIES)
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
