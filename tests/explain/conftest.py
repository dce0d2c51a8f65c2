"""Built logs whose labels are to be explained: a simulated one, and one that names no lists."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from label_platform.cli.application import app
from label_platform.lake import Partition
from label_platform.logs import ingest
from label_platform.logs.simulators import ProductSearchSettings, simulate_product_search
from label_platform.pipeline.context import Project
from label_platform.pipeline.steps import STEPS, build_partition, partitions_of
from label_platform.pipeline.workspace import Workspace
from label_platform.policy import Policy, check_policy, load_policy
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
    "reweighted_with_auxiliary": {
        "grain": "impression",
        "signals": {"add_to_cart": {"gain": 0.5}},
        "auxiliary": {"signals": {"purchase": {"gain": 1.5}}},
        "delay": {"immature": "reweight"},
        "rankers": [{"objective": "pointwise", "auxiliary": "combine"}],
    },
    "robust_reweighted_by_cell": {
        "grain": "query_item",
        "signals": _CLICK,
        "debias": {"method": "doubly_robust", "clip": 0.2, "propensity": "affine"},
        "delay": {"immature": "reweight"},
        "rankers": _DEBIASED,
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


def write_policies(folder: Path, policies: dict[str, dict[str, Any]]) -> None:
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
    write_policies(folder / "policies", VARIANTS)
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


@pytest.fixture
def make(tmp_path: Path) -> Any:  # noqa: ANN401 - a function
    def policy(**changes: Any) -> Policy:  # noqa: ANN401 - parsed YAML
        content = {
            "name": "mine",
            "grain": "impression",
            "signals": {"click": {"gain": 0.5}},
            "rankers": [{"objective": "pointwise"}],
        }
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(content | changes))
        return load_policy(path)

    return policy


Run = Callable[..., Any]
DAY = date(2026, 10, 3)
SIMULATED_DAYS = SIMULATED.log_days


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    def invoke(project: Project, *arguments: str, fails: bool = False) -> Any:  # noqa: ANN401
        monkeypatch.setenv("LABEL_PLATFORM_DATA", str(project.workspace.folder))
        monkeypatch.setenv("COLUMNS", "200")
        result = CliRunner().invoke(app, ["labels", *arguments])
        if fails:
            assert isinstance(result.exception, ConfigurationError), result.output
            return str(result.exception)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def copied(simulated: Project, tmp_path: Path) -> Project:
    """A copy, to be spoilt."""
    folder = simulated.path.parents[2]
    shutil.copytree(folder, tmp_path / "copy", ignore=shutil.ignore_patterns("*.lock"))
    path = tmp_path / "copy" / simulated.path.relative_to(folder)
    return Project.load(path, Workspace(tmp_path / "copy" / "data"))


def clicked(project: Project, policy: str) -> dict[str, Any]:
    """An impression with a label above 0, its query and item, and its click."""
    with project.open() as context:
        names = ("impression", "query", "item", "list", "event")
        row = context.engine.row(
            f"""select impression_id::varchar, shown.query_id, shown.item_id, shown.request_id,
                interaction_id::varchar
            from {context.lake.scan("labels", [DAY], policy)}
            join {context.lake.scan("impression_signals", [DAY])} as shown using (impression_id)
            join {context.lake.scan("matched_interactions", [DAY])} as matched
                using (impression_id)
            where label > 0 and matched.signal = 'click' and shown.purchase = 0
                and matched.orphan_reason is null
            order by impression_id limit 1"""
        )
    return dict(zip(names, map(str, row), strict=True))
