"""Do off-policy intervals hold the true value where the gates pass, and do the gates refuse?

Each setting draws logs from a population whose truth is known exactly, estimates a target's value
and asks whether the 95% interval over queries holds it:

    python benchmarks/off_policy_studies.py --replications 2000

``coverage`` is over the replications whose gates pass, ``p`` the exact two-sided binomial test of
95%, ``p_holm`` the same corrected for the number of settings by Holm. Where overlap is destroyed
the gates must refuse in 95% of the replications. The exit code is 1 if a corrected test rejects,
or gates let pass what they must not. The last line is one JSON object.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from off_policy_worlds import Drawn, World, WorldSettings, predictions
from scipy.stats import binomtest

from label_platform.evaluation.comparison import holm
from label_platform.evaluation.metrics import Floats
from label_platform.evaluation.off_policy import (
    LoggedClicks,
    cross_fitted_relevance,
    estimate_value,
)
from label_platform.evaluation_settings import OffPolicyEstimator

CONFIDENCE = 0.95
LEVEL = 0.05
MIN_REFUSED = 0.95
MIN_PASSED_FOR_A_TEST = 100

Source = Literal["as_shown", "shuffled", "known", "counted"]


@dataclass(frozen=True)
class Setting:
    """One row of the study.

    Attributes:
        name: what is special about it.
        target: of the world's targets.
        estimator: which one.
        source: where propensities come from: ``known`` ones are the logger's own, as a log holds
            them, ``counted`` ones are frequencies within the query.
        world: what it is drawn from.
        queries: of a log.
        lists_per_query: of each of them.
        is_destroyed: gates must refuse.
        trains: the regression is fitted anew in every replication.
    """

    name: str
    target: str
    estimator: OffPolicyEstimator = "snips"
    source: Source = "known"
    world: WorldSettings = field(default_factory=WorldSettings)
    queries: int = 200
    lists_per_query: int = 5
    is_destroyed: bool = False
    trains: bool = False


WHOLE = WorldSettings(candidates=6, rankers=(0.6, 0.4), chance=0.0)
"""Lists that show all candidates."""
TRUST = WorldSettings(trust=0.1, click_rate=0.2)
FEW_CLICKS = WorldSettings(click_rate=0.02)
STEEP = WorldSettings(candidates=6, rankers=(0.6, 0.4), chance=0.0, eta=3.0)
ALONE = WorldSettings(rankers=(1.0,), chance=0.0)
NEARLY_ALONE = WorldSettings(rankers=(0.97,), chance=0.03)
BY_CHANCE = WorldSettings(candidates=6, rankers=(), chance=1.0)

SETTINGS: tuple[Setting, ...] = (
    Setting("re-ordered lists", "logger", source="as_shown", world=WHOLE),
    Setting("re-ordered lists", "true relevance", source="as_shown", world=WHOLE),
    Setting("re-ordered lists", "random", source="as_shown", world=WHOLE),
    Setting("re-ordered, randomised", "random", source="shuffled", world=BY_CHANCE),
    Setting("not-shown items", "logger"),
    Setting("not-shown items", "both rankers"),
    Setting("not-shown items", "noisy relevance"),
    Setting("not-shown items", "true relevance"),
    Setting("not-shown items", "both rankers", "ips"),
    Setting("not-shown items", "true relevance", "ips"),
    Setting("not-shown items", "both rankers", "doubly_robust"),
    Setting("not-shown items", "true relevance", "doubly_robust"),
    Setting("one list per query", "true relevance", queries=800, lists_per_query=1),
    Setting("40 queries", "both rankers", queries=40, lists_per_query=30),
    Setting("counted", "logger", source="counted", queries=60, lists_per_query=25),
    Setting("counted", "both rankers", source="counted", queries=60, lists_per_query=25),
    Setting("trust bias", "both rankers", world=TRUST),
    Setting("trust bias", "true relevance", world=TRUST),
    Setting("trust bias", "true relevance", "ips", world=TRUST),
    Setting("trust bias, counted", "logger", "ips", "counted", TRUST, 60, 25),
    Setting("trust bias", "both rankers", "doubly_robust", world=TRUST),
    Setting("about 100 clicks", "logger", world=FEW_CLICKS, queries=340),
    Setting("about 100 clicks", "logger", "ips", world=FEW_CLICKS, queries=340),
    Setting("about 90 clicks", "logger", world=FEW_CLICKS, queries=300),
    Setting("about 120 clicks", "logger", world=FEW_CLICKS, queries=400),
    Setting("regression fitted", "both rankers", "doubly_robust", trains=True),
    Setting("steep examination", "reversed", source="as_shown", world=STEEP, is_destroyed=True),
    Setting("other items", "reversed", is_destroyed=True),
    Setting("other items", "random", is_destroyed=True),
    Setting("one ranker, no chance", "reversed", world=ALONE, is_destroyed=True),
    Setting("one ranker, no chance", "noisy relevance", world=ALONE, is_destroyed=True),
    Setting("one ranker, 3% chance", "random", world=NEARLY_ALONE, is_destroyed=True),
    Setting("one ranker, 3% chance", "random", "ips", world=NEARLY_ALONE, is_destroyed=True),
    Setting("one ranker, 3% chance", "random", "clipped", world=NEARLY_ALONE, is_destroyed=True),
    Setting(
        "one ranker, 3% chance", "random", "doubly_robust", world=NEARLY_ALONE, is_destroyed=True
    ),
    Setting("about 20 clicks", "logger", world=FEW_CLICKS, queries=60, is_destroyed=True),
)


def main() -> None:
    """Run all settings, print a table and whether intervals and gates are good enough."""
    parser = argparse.ArgumentParser(description="coverage of off-policy intervals, and gates")
    parser.add_argument("--replications", type=int, default=2000)
    parser.add_argument("--training-replications", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    started = time.process_time()
    rows = []
    for number, setting in enumerate(SETTINGS):
        replications = options.training_replications if setting.trains else options.replications
        rows.append(study(setting, replications, (options.seed, number)))
        print(line(rows[-1]), flush=True)
    table = judged(pd.DataFrame(rows))
    print()
    print(markdown(table))
    met = demands(table)
    for text, verdict in met.items():
        print(f"{'met   ' if verdict else 'MISSED'}  {text}")
    seconds = round(time.process_time() - started, 1)
    result = {"benchmark": "off_policy_studies", **vars(options), "cpu_seconds": seconds}
    rows_as_json = json.loads(table.to_json(orient="records"))
    print(json.dumps({**result, "met": met, "settings": rows_as_json}))
    sys.exit(not all(met.values()))


def study(setting: Setting, replications: int, seed: tuple[int, ...]) -> dict[str, Any]:
    """One setting over many logs: coverage where the gates pass, and how often they do not."""
    world = World(setting.world)
    found = pd.DataFrame(_replications(setting, world, replications, seed))
    truth = _truth(setting, world)
    passed = found["passed"]
    covered = ((found["low"] <= truth) & (truth <= found["high"]))[passed]
    test = binomtest(int(covered.sum()), len(covered), CONFIDENCE) if len(covered) else None
    return {
        "setting": setting.name,
        "target": setting.target,
        "estimator": setting.estimator,
        "source": setting.source,
        "is_destroyed": setting.is_destroyed,
        "replications": replications,
        "refused": float(1 - passed.mean()),
        "coverage": float(covered.mean()) if len(covered) else None,
        "p": float(test.pvalue) if test is not None else None,
        "bias": float(found.loc[passed, "value"].mean() / truth - 1) if len(covered) else None,
        "all_covered": float(((found["low"] <= truth) & (truth <= found["high"])).mean()),
        "list_ess_share": float(found["list_ess_share"].mean()),
        "click_ess": float(found["click_ess"].mean()),
        "half_width": float(((found["high"] - found["low"]) / 2 / truth).median()),
    }


def _replications(
    setting: Setting, world: World, replications: int, seed: tuple[int, ...]
) -> Iterator[dict[str, Any]]:
    discounts = world.discounts(world.target(setting.target))
    predicted = predictions(world)
    for number in range(replications):
        rng = np.random.default_rng([*seed, number])
        log = world.draw(setting.queries, setting.lists_per_query, rng)
        logged, of_rows, unit = _prepared(setting, log, discounts)
        if setting.estimator == "doubly_robust":
            logged = logged.with_predictions(_predicted(setting, log, logged, predicted))
        found = estimate_value(logged, of_rows, setting.estimator)
        interval = found.interval(unit, CONFIDENCE)
        yield {
            "passed": found.overlap.verdict == "ok",
            "value": found.unsupported_value,
            "low": interval.low,
            "high": interval.high,
            "list_ess_share": found.overlap.list_ess_share,
            "click_ess": found.overlap.click_ess,
        }


def _prepared(
    setting: Setting, log: Drawn, discounts: Floats
) -> tuple[LoggedClicks, Floats, Floats]:
    """What is known of the log, the target's discount of each row, and each ranking's unit."""
    if setting.source in {"as_shown", "shuffled"}:
        # all candidates are shown, so the target's order of the list is that of the candidates
        logged = log.as_shown(shuffled=setting.source == "shuffled")
        return logged, log.shown(discounts), log.unit.astype(np.float64)
    is_counted = setting.source == "counted"
    logged = log.of_candidates(is_counted=is_counted)
    step = setting.lists_per_query if is_counted else 1
    return logged, discounts[log.query[::step]].ravel(), log.unit[::step].astype(np.float64)


def _predicted(setting: Setting, log: Drawn, logged: LoggedClicks, predicted: Floats) -> Floats:
    of_rows = predicted[log.query].ravel()
    if not setting.trains:
        return of_rows
    features = np.stack([of_rows, log.world.scores[0][log.query].ravel()], axis=1)
    units = log.unit.astype(np.str_)[logged.lists.codes]
    return cross_fitted_relevance(features, logged.clicks, logged.examination, logged.offset, units)


def _truth(setting: Setting, world: World) -> float:
    return world.true_value(world.discounts(world.target(setting.target)))


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """With Holm's correction over all settings whose coverage is tested."""
    tested = ~table["is_destroyed"] & (
        table["replications"] * (1 - table["refused"]) >= MIN_PASSED_FOR_A_TEST
    )
    corrected = pd.Series(np.nan, table.index)
    corrected[tested] = holm(table.loc[tested, "p"].to_numpy(dtype=np.float64))
    return table.assign(p_holm=corrected)


def demands(table: pd.DataFrame) -> dict[str, bool]:
    """What is demanded, and whether it was met."""
    tested, destroyed = table["p_holm"].dropna(), table[table["is_destroyed"]]
    return {
        f"coverage of 95% where the gates pass: none of {len(tested)} settings is rejected": (
            bool((tested >= LEVEL).all())
        ),
        f"destroyed overlap is refused in 95%: in all {len(destroyed)} settings": (
            bool((destroyed["refused"] >= MIN_REFUSED).all())
        ),
    }


def line(row: dict[str, Any]) -> str:
    """One setting while the study runs."""
    coverage = "  -  " if row["coverage"] is None else f"{row['coverage']:.3f} (p {row['p']:.3f})"
    return (
        f"{row['setting']:24s} {row['target']:16s} {row['estimator']:14s} {row['source']:9s} "
        f"covered {coverage} refused {row['refused']:.3f} "
        f"ESS {row['list_ess_share']:.2f} clicks {row['click_ess']:.0f} "
        f"all {row['all_covered']:.3f} half-width {row['half_width']:.1%}"
    )


def markdown(table: pd.DataFrame) -> str:
    """The table of docs/off-policy.md."""
    head = (
        "| setting | target | estimator | coverage | p | refused | mean list ESS | click ESS |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    rows = []
    for row in table.itertuples():
        has_any = row.coverage is not None and not pd.isna(row.coverage) and row.refused < 1
        coverage = f"{row.coverage:.3f}" if has_any and not row.is_destroyed else "-"
        p_value = f"{row.p:.2f}" if coverage != "-" else "-"
        rows.append(
            f"| {row.setting} ({row.source}) | {row.target} | {row.estimator} | {coverage} | "
            f"{p_value} | {row.refused:.1%} | {row.list_ess_share:.0%} | {row.click_ess:.0f} |"
        )
    return "\n".join([head, *rows])


if __name__ == "__main__":
    main()
