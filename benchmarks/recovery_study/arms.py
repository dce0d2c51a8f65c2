"""Every ranker of every policy on one log, beside what raw clicks and the truth teach."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from recovery_study.tables import (
    OnStep,
    build_tables,
    evidence,
    examples_with_truth,
    project_of,
    truth_relation,
)

from label_platform.evaluation import Yardstick, true_ndcg_yardsticks
from label_platform.lake import Partition
from label_platform.logs import ingest
from label_platform.logs.simulators import ProductSearchSettings, simulate_product_search
from label_platform.pipeline.context import Context
from label_platform.pipeline.rankers import SEED, ranker_features
from label_platform.pipeline.workspace import Workspace
from label_platform.policy import RankerSpec
from label_platform.ranking import RankerTrainer, TrainingData

Side = Literal["policy", "raw", "truth"]


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
