from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from label_platform.crafting import compile_watch_time, fit_watch_time
from label_platform.crafting.watch_percentiles import MOST_POINTS
from label_platform.lake import Engine, scan_parquet
from label_platform.policy import LabelInputs
from tests.crafting.conftest import labels, policy

Register = Callable[..., str]
FITTED = ("d2q", "dvr", "d2co")


def feed(rows: int, seed: int, *, digits: int = 0) -> list[tuple[float, float]]:
    """Durations of 3 to 200 seconds; who does not finish leaves early or late."""
    rng = np.random.default_rng(seed)
    duration = np.round(np.exp(rng.uniform(np.log(3), np.log(200), rows)))
    share = np.minimum(rng.gamma(1.2, 0.4, rows), 1.3)
    return list(zip(duration.tolist(), np.round(duration * share, digits).tolist(), strict=True))


def of_bins(
    engine: Engine, spec_bins: int, shown: str, found: dict[int, float]
) -> list[list[float]]:
    """The labels of each bin, by the rule of the fit told in Python."""
    durations = [
        d for (d,) in engine.rows(f"select duration_ms / 1000 from {shown} order by impression_id")
    ]
    shorter = np.searchsorted(np.sort(durations), durations)
    slots = spec_bins * shorter // len(durations)
    return [[found[key] for key in np.flatnonzero(slots == slot)] for slot in np.unique(slots)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_d2q_has_mean_one_half_in_each_bin(
    engine: Engine, impressions: Register, seed: int
) -> None:
    shown = impressions(feed(3000, seed))
    found = labels(engine, policy("d2q", bins=10), shown)
    bins = of_bins(engine, 10, shown, found)
    assert len(bins) == 10
    for values in bins:
        assert np.mean(values) == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("seed", [1, 2])
def test_d2q_is_uniform_where_nothing_ties(
    engine: Engine, impressions: Register, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    duration = np.repeat([10.0, 20.0, 40.0], 500)
    watched = rng.permutation(1500) / 100
    shown = impressions(list(zip(duration.tolist(), watched.tolist(), strict=True)))
    found = labels(engine, policy("d2q", bins=3), shown)
    for values in of_bins(engine, 3, shown, found):
        expected = (np.arange(500) + 0.5) / 500
        np.testing.assert_allclose(sorted(values), expected, atol=1e-6)


def test_d2q_of_many_watch_times_is_off_by_less_than_a_slot(
    engine: Engine, impressions: Register
) -> None:
    watched = np.random.default_rng(4).exponential(30, 20_000)
    shown = impressions([(60.0, each) for each in watched.tolist()])
    spec = policy("d2q", bins=1)
    found = labels(engine, spec, shown)
    rows = engine.row("select count(*) from statistics where statistic = 'watch_percentile'")[0]
    assert MOST_POINTS - 2 <= rows <= MOST_POINTS
    exact = (np.argsort(np.argsort(watched)) + 0.5) / len(watched)
    off = np.abs([found[key] for key in range(len(watched))] - exact)
    assert 0 < off.max() < 1 / (MOST_POINTS - 1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_dvr_has_mean_about_one_half(engine: Engine, impressions: Register, seed: int) -> None:
    shown = impressions(feed(3000, seed))
    found = labels(engine, policy("dvr", bins=10), shown)
    for values in of_bins(engine, 10, shown, found):
        assert np.mean(values) == pytest.approx(0.5, abs=0.05)
        assert np.std(values) > 0.2


def test_longer_videos_are_preferred_by_seconds_alone(
    engine: Engine, impressions: Register
) -> None:
    rows = feed(3000, 5)
    shown = impressions(rows)
    duration = np.array([d for d, _ in rows])
    slopes = {}
    for label in ("wt", "pc", "d2q", "dvr"):
        found = labels(engine, policy(label), shown)
        slopes[label] = np.corrcoef(duration, [found[key] for key in range(len(rows))])[0, 1]
    assert slopes["wt"] > 0.3
    assert abs(slopes["d2q"]) < 0.03
    assert abs(slopes["dvr"]) < 0.03


@pytest.mark.parametrize("label", FITTED)
def test_neither_row_order_nor_files_change_a_label(
    engine: Engine, impressions: Register, tmp_path: Path, label: str
) -> None:
    shown = impressions(feed(4000, 6, digits=3))
    spec = policy(label, bins=7)
    expected, statistics = labels(engine, spec, shown), fit_watch_time(spec, engine, shown)
    files = [tmp_path / f"{part}.parquet" for part in range(3)]
    for part, file in enumerate(files):
        engine.execute(
            f"copy (from {shown} where impression_id % 3 = {part} order by md5(watch_s::varchar))"
            f" to '{file}' (row_group_size 500)"
        )
    scan = scan_parquet(files[::-1])
    assert fit_watch_time(spec, engine, scan).equals(statistics)
    assert labels(engine, spec, scan) == expected


@pytest.mark.parametrize("label", FITTED)
def test_labels_lie_between_0_and_1_and_grow_with_watching(
    engine: Engine, impressions: Register, label: str
) -> None:
    fitted = impressions(feed(2000, 7))
    asked = [(d, w) for d in (1.0, 7.0, 33.0, 180.0, 5000.0) for w in np.arange(0, 300, 3).tolist()]
    found = labels(engine, policy(label, bins=9), impressions(asked, "asked"), fitted)
    by_duration = np.array([found[key] for key in range(len(asked))]).reshape(5, 100)
    assert (np.diff(by_duration, axis=1) >= 0).all()
    assert by_duration.min() >= 0
    assert by_duration.max() <= 1
    assert (by_duration[:, -1] - by_duration[:, 0] > 0.5).all()


@pytest.mark.parametrize("label", FITTED)
def test_what_is_labelled_is_not_fitted_on(
    engine: Engine, impressions: Register, label: str
) -> None:
    fitted = impressions(feed(1000, 8))
    statistics = fit_watch_time(policy(label), engine, fitted)
    engine.register("kept", statistics)
    sql = compile_watch_time(policy(label), LabelInputs("more", statistics="kept"))
    impressions([(20.0, 7.0)], "more")
    alone = engine.row(f"select label from ({sql})")
    impressions([(20.0, 7.0), *feed(500, 9)], "more")
    assert engine.row(f"select label from ({sql}) where impression_id = 0") == alone
