"""How much of true relevance do the label policies recover from biased logs?

Each seed simulates a product search, ingests it and builds propensities, labels and examples by
the pipeline's own steps. Every ranker of every policy is trained as the pipeline trains it, and
beside it two more on the same rows, with the same objective and without position as a feature:
one on raw clicks, one on true relevance. All are judged by nDCG@10 of true relevance over all
candidates of queries that are in no log.

    python benchmarks/recovery.py --seeds 5 --loggers weak,strong,random

What is demanded of the recommended default stands in ``judge``; the other arms are shown as they
are. The exit code is 1 if the default misses it. The last line is one JSON object.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from math import ceil, sqrt
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from scipy.stats import t as student

from label_platform.evaluation import Yardstick, true_ndcg_yardsticks
from label_platform.examples import split_days
from label_platform.lake import Partition, scan_parquet
from label_platform.logs import ingest
from label_platform.logs.simulators import ProductSearchSettings, simulate_product_search
from label_platform.logs.simulators.settings import Logger
from label_platform.pipeline.context import Context, Project
from label_platform.pipeline.evaluations import truth_path
from label_platform.pipeline.rankers import SEED, ranker_features
from label_platform.pipeline.steps import STEPS, build_partition, partitions_of
from label_platform.pipeline.workspace import Workspace
from label_platform.policy import Policy, RankerSpec, load_policies, longest_window
from label_platform.ranking import RankerTrainer, TrainingData

DAYS = 10
PROBLEM = Path(__file__).parents[1] / "data" / "problems" / "product_search.yaml"

DEFAULT = ("coec_multi_signal", "pointwise")
"""The recommended policy and objective, named before anything is measured."""
WANTED_SHARE, OF_MANY, MANY = 0.6, 0.8, 3_000_000
"""Of the gap: from a log of any size, and from one of many impressions."""
MARGIN = -0.005
CLEAR_GAP = 0.02
"""Below it, a share of the gap between raw clicks and the truth is mostly noise."""

TABLES = frozenset(
    {
        "matched_interactions",
        "impression_signals",
        "position_statistics",
        "propensities",
        "label_statistics",
        "labels",
        "examples",
    }
)

OnStep = Callable[[str], None]
Side = Literal["policy", "raw", "truth"]


def main() -> None:
    """Run the benchmark, print tables and verdicts."""
    options = parse_options()
    started = time.perf_counter()
    console = Console(width=126)
    all_settings = settings_of(options)
    console.print(
        f"{options.impressions:,} impressions on training days: logs of {DAYS} days with "
        f"{all_settings[0].lists_per_day:,} lists each; bots are set aside before training"
    )
    measured = pd.concat(list(measure_all(all_settings, options)), ignore_index=True)
    verdicts: dict[str, Any] = {}
    summaries = {}
    for logger, rows in measured.groupby("logger", sort=False):
        summaries[logger] = summarize(rows)
        verdicts |= judge(str(logger), summaries[logger], options.impressions)
        console.print(as_table(str(logger), rows, summaries[logger]))
    for text, verdict in verdicts.items():
        console.print(f"{'met   ' if verdict['met'] else 'MISSED'}  {text}: {verdict['found']}")
    figures = {
        "benchmark": "recovery",
        "cores": os.cpu_count(),
        "seeds": options.seeds,
        "impressions": options.impressions,
        "lists_per_day": all_settings[0].lists_per_day,
        "trained_impressions": int(measured["trained_impressions"].mean()),
        "first_seed": options.first_seed,
        "default": " ".join(DEFAULT),
        "verdicts": verdicts,
        "arms": {name: rows.to_dict("records") for name, rows in summaries.items()},
        "seconds": round(time.perf_counter() - started, 1),
    }
    print(json.dumps(without_nan(figures), allow_nan=False))
    sys.exit(not all(verdict["met"] for verdict in verdicts.values()))


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="what policies recover of true relevance")
    parser.add_argument("--seeds", type=int, default=5, help="logs per logger")
    parser.add_argument(
        "--impressions", type=int, default=600_000, help="shown on the days that are trained on"
    )
    parser.add_argument("--loggers", default=",".join(get_args(Logger)))
    parser.add_argument("--first-seed", type=int, default=0, help="of the logs")
    parser.add_argument("--policies", help="separated by commas, in place of the problem's")
    parser.add_argument("--save", type=Path, help="CSV file of all arms, written after each log")
    return parser.parse_args()


def project_of(policies: str | None, workspace: Workspace, logs: Path | None = None) -> Project:
    """The problem, with the policies to measure in place of its own."""
    project = Project.load(PROBLEM, workspace, logs)
    if policies is None:
        return project
    selection = project.problem.policies.model_copy(update={"use": tuple(policies.split(","))})
    problem = project.problem.model_copy(update={"policies": selection})
    chosen = tuple(load_policies(problem))
    return replace(project, problem=problem, policies=chosen, named=chosen)


def settings_of(options: argparse.Namespace) -> list[ProductSearchSettings]:
    """Every log to simulate: as many lists a day as give the impressions to train on."""
    project = project_of(options.policies, Workspace.from_environment())
    problem = project.problem
    windows = [longest_window(policy, problem) for policy in project.policies]
    last_day = problem.start_date + timedelta(days=DAYS - 1)
    days = len(split_days(problem, windows, problem.start_date, last_day).train)
    return [
        ProductSearchSettings(
            days=DAYS,
            start_date=problem.start_date,
            lists_per_day=ceil(options.impressions / days / ProductSearchSettings.list_length),
            logger=logger,
            seed=seed,
        )
        for logger in options.loggers.split(",")
        for seed in range(options.first_seed, options.first_seed + options.seeds)
    ]


def measure_all(
    all_settings: list[ProductSearchSettings], options: argparse.Namespace
) -> Iterator[pd.DataFrame]:
    """The arms of every log, with a progress bar where errors go."""
    found: list[pd.DataFrame] = []
    columns = (
        TextColumn("{task.description:<56}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        logs = progress.add_task("logs", total=len(all_settings))
        for settings in all_settings:
            name = f"{settings.logger} logger, seed {settings.seed}"

            def show(step: str, name: str = name) -> None:
                progress.update(logs, description=f"{name}: {step}")

            with tempfile.TemporaryDirectory(prefix="recovery-") as folder:
                found.append(measure(settings, options.policies, Path(folder), show))
            if options.save:
                pd.concat(found, ignore_index=True).to_csv(options.save, index=False)
            yield found[-1]
            progress.advance(logs)


def measure(
    settings: ProductSearchSettings, policies: str | None, folder: Path, show: OnStep
) -> pd.DataFrame:
    """One log's arms: nDCG of each policy's rankers, of raw clicks and of the truth."""
    show("simulate")
    simulate_product_search(settings, folder)
    project = project_of(policies, Workspace(folder / "data"), folder / "logs")
    with project.open() as context:
        show("ingest")
        ingest(project.problem, context.lake, context.engine)
    with project.open() as context:
        day = context.log_days[-1]
        build_tables(context, day, show)
        arms = pd.DataFrame(measure_arms(context, day, show))
        return arms.assign(logger=settings.logger, seed=settings.seed, **evidence(context, day))


def measure_arms(context: Context, day: date, show: OnStep) -> Iterator[dict[str, str | float]]:
    """Every ranker of every policy with what raw clicks and the truth teach on its rows."""
    rankers = Rankers.of(context, day)
    for policy in context.project.policies:
        examples = examples_with_truth(context, day, policy)
        for spec in policy.rankers:
            show(f"{policy.name}, {spec.objective}")
            names = {"policy_name": policy.name, "ranker": spec.title, "objective": spec.objective}
            tune = policy.auxiliary.tune if policy.auxiliary is not None else "label"
            yield {**names, **rankers.measure(examples, spec, tune)}


def build_tables(context: Context, last_day: date, show: OnStep) -> None:
    """What the examples are made from, day by day, as a run of the pipeline builds it."""
    split = context.split(last_day)
    learned_from = {*split.train, *split.validate}
    names = [policy.name for policy in context.project.policies]
    for step in STEPS:
        if step.table not in TABLES:
            continue
        show(step.table)
        for name in names if step.per_policy else [""]:
            for partition in partitions_of(context, step, name, last_day):
                # evaluation days are not needed: the truth judges
                if step.of_events or not step.every_day or partition.day in learned_from:
                    build_partition(context, partition)


def examples_with_truth(context: Context, day: date, policy: Policy) -> pa.Table:
    """A policy's examples in their stored order, with the true relevance of each row."""
    return context.engine.arrow(f"""
        select examples.*, truth.relevance
        from {context.lake.scan("examples", [day], policy.name)} as examples
        left join {truth_relation(context)} as truth
            on examples.query_id = truth.query_id and examples.item_id = truth.item_id
        order by part, group_id, position nulls last, examples.item_id, impression_id nulls last
    """)


def truth_relation(context: Context) -> str:
    """The SQL relation of true relevance."""
    path = truth_path(context)
    if path is None:
        raise FileNotFoundError("the simulation has written no truth")
    return scan_parquet([path])


def evidence(context: Context, day: date) -> dict[str, int]:
    """What rankers and propensities of the training days rest on, bots left out."""
    relation = context.lake.scan("position_statistics", context.split(day).train)
    impressions, clicks, lists = context.engine.row(f"""
        select
            cast(sum(impressions) as bigint),
            cast(sum(clicks) as bigint),
            cast(sum(case when randomized and position = 1 then impressions end) as bigint)
        from {relation}
    """)
    return {
        "trained_impressions": impressions,
        "trained_clicks": clicks,
        "randomized_lists": lists,
    }


@dataclass
class Rankers:
    """Trains and judges; policies whose rows are the same share what is trained on them.

    Attributes:
        features: the columns to learn from.
        yardstick: nDCG@10 of true relevance on unseen queries.
        rounds: the most trees.
        known: values by what was trained.
    """

    features: tuple[str, ...]
    yardstick: Yardstick
    rounds: int
    known: dict[bytes, float] = field(default_factory=dict)

    @classmethod
    def of(cls, context: Context, day: date) -> "Rankers":
        """For the features and the truth of one log."""
        features = ranker_features(context, Partition("examples", day))
        truth = context.engine.arrow(f"from {truth_relation(context)}")
        unseen = true_ndcg_yardsticks(truth, features)[1]
        return cls(features, unseen, context.problem.training.rounds)

    def measure(
        self, examples: pa.Table, spec: RankerSpec, tune: Literal["label", "both"]
    ) -> dict[str, float]:
        """Train and judge a policy's ranker, and raw clicks and the truth on its rows."""
        train = self._sides(examples, spec, "train")
        validate = self._sides(examples, spec, "validate")
        plain = spec.model_copy(update={"position": "none", "weight": "one", "auxiliary": "none"})
        specs = {side: spec if side == "policy" else plain for side in train}
        keys = {side: _digest(specs[side], tune, train[side], validate[side]) for side in train}
        trainers = {
            keys[side]: RankerTrainer(train[side], validate[side], specs[side], tune)
            for side in train
            if keys[side] not in self.known
        }
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            values = pool.map(self._value, trainers.values())
            self.known |= dict(zip(trainers, values, strict=True))
        return {side: self.known[key] for side, key in keys.items()}

    def _value(self, trainer: RankerTrainer) -> float:
        ranker = trainer.fit(rounds=self.rounds, seed=SEED)
        return self.yardstick.measure(ranker.score(self.yardstick.features)).value

    def _sides(
        self, examples: pa.Table, spec: RankerSpec, part: Literal["train", "validate"]
    ) -> dict[Side, TrainingData]:
        own = TrainingData.from_examples(examples, spec, self.features, part)
        raw = own.raw_side()
        # examples come sorted by group, so that no row was moved
        relevance = examples.filter(pc.equal(examples["part"], part))["relevance"].to_numpy()
        return {"policy": own, "raw": raw, "truth": raw.with_labels(relevance, np.ones(len(raw)))}


def _digest(spec: RankerSpec, tune: str, *parts: TrainingData) -> bytes:
    digest = hashlib.blake2b(f"{spec.objective} {spec.auxiliary} {tune}".encode())
    for rows in parts:
        second = () if rows.auxiliary_label is None else (rows.auxiliary_label,)
        for values in (rows.features.matrix, rows.label, rows.weight, rows.group_sizes, *second):
            digest.update(repr(values.shape).encode())
            digest.update(np.asfortranarray(values).tobytes(order="A"))
    return digest.digest()


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """Over the seeds of one logger, per arm."""
    found = []
    keys = ["policy_name", "ranker", "objective"]
    for (policy, ranker, objective), arm in rows.groupby(keys, sort=False):
        difference, gap = arm["policy"] - arm["raw"], arm["truth"] - arm["raw"]
        n = len(arm)
        spread = difference.std()
        share = difference / gap if gap.mean() > CLEAR_GAP else pd.Series(dtype=float)
        found.append(
            {
                "policy": policy,
                "ranker": ranker,
                "objective": objective,
                "minus_raw_by_seed": difference.round(5).tolist(),
                "value": arm["policy"].mean(),
                "raw": arm["raw"].mean(),
                "truth": arm["truth"].mean(),
                "minus_raw": difference.mean(),
                "sd": spread,
                "bound": difference.mean() - student.ppf(0.95, n - 1) * spread / sqrt(n),
                "share": share.mean(),
                "lowest": share.min(),
            }
        )
    return pd.DataFrame(found).round(5)


def judge(logger: str, arms: pd.DataFrame, impressions: int) -> dict[str, dict[str, Any]]:
    """What is demanded of the default, and whether it was met."""
    is_default = (arms["policy"] == DEFAULT[0]) & (arms["objective"] == DEFAULT[1])
    default = arms[is_default].iloc[0]
    name = " ".join(DEFAULT)
    if logger == "weak":
        wanted = OF_MANY if impressions >= MANY else WANTED_SHARE
        text = f"{logger}: {name} closes at least {wanted:.0%} of the gap on average"
        share = float(default["share"])
        return {text: {"met": share >= wanted, "found": share}}
    text = f"{logger}: {name} minus raw has a one-sided 95% bound above {MARGIN}"
    bound = float(default["bound"])
    return {text: {"met": bound > MARGIN, "found": bound}}


def without_nan(found: Any) -> Any:  # noqa: ANN401 - as JSON is
    """The same with null where a figure does not exist, as JSON wants it."""
    if isinstance(found, dict):
        return {key: without_nan(value) for key, value in found.items()}
    if isinstance(found, list):
        return [without_nan(value) for value in found]
    return None if isinstance(found, float) and np.isnan(found) else found


def as_table(logger: str, rows: pd.DataFrame, arms: pd.DataFrame) -> Table:
    """One logger's arms for people."""
    logs = rows.groupby("seed")[["trained_impressions", "trained_clicks", "randomized_lists"]]
    mean = logs.first().mean()
    table = Table(
        title=f"{logger} logger, {rows['seed'].nunique()} logs; on average "
        f"{mean['trained_impressions']:,.0f} impressions and {mean['trained_clicks']:,.0f} clicks "
        f"of people trained on, {mean['randomized_lists']:,.0f} randomised lists",
        caption="nDCG@10 of true relevance on unseen queries; bound: one-sided 95% over logs; "
        f"gap closed: (policy - raw) / (truth - raw) where that gap exceeds {CLEAR_GAP}",
    )
    table.add_column("policy")
    table.add_column("ranker", max_width=22)
    for heading in ("value", "raw", "truth", "minus raw", "sd", "bound", "gap closed", "lowest"):
        table.add_column(heading, justify="right")
    for arm in arms.to_dict("records"):
        style = "bold" if (arm["policy"], arm["objective"]) == DEFAULT else None
        columns = (
            ("{:.4f}", (arm["value"], arm["raw"], arm["truth"])),
            ("{:+.4f}", (arm["minus_raw"],)),
            ("{:.4f}", (arm["sd"],)),
            ("{:+.4f}", (arm["bound"],)),
            ("{:.2f}", (arm["share"], arm["lowest"])),
        )
        cells = [
            "-" if pd.isna(value) else form.format(value)
            for form, values in columns
            for value in values
        ]
        table.add_row(arm["policy"], arm["ranker"], *cells, style=style)
    return table


if __name__ == "__main__":
    main()
