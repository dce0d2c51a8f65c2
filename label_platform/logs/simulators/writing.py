"""The simulated logs as files, in the native format."""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from label_platform.logs.simulators import faults
from label_platform.logs.simulators.browsing import Browsing
from label_platform.logs.simulators.catalogue import Catalogue
from label_platform.logs.simulators.feedback import SIGNALS, Events
from label_platform.logs.simulators.log_settings import LogSettings
from label_platform.logs.simulators.retrieval import Floats, Retrieval
from label_platform.logs.simulators.settings import ProductSearchSettings
from label_platform.logs.simulators.shown_lists import DAY_MS, ShownLists, epoch_ms

MOMENT = pa.timestamp("ms", tz="UTC")


@dataclass(frozen=True)
class Written:
    """Records of one file.

    Attributes:
        sound: each counted once.
        repeated: written a second time.
        broken: broken copies beside the sound ones.
    """

    sound: int
    repeated: int
    broken: int


def write_impressions(
    browsing: Browsing,
    catalogue: Catalogue,
    settings: ProductSearchSettings,
    path: Path,
    rng: np.random.Generator,
) -> Written:
    """Writes a day of impressions, sorted by request and position."""
    sound = impression_table(browsing, catalogue, settings, "search")
    repeated = faults.draw_rows(len(sound), settings.duplicate_share, rng)
    broken = faults.draw_rows(len(sound), settings.malformed_share, rng)
    rows = pa.concat_tables(
        [sound, sound.take(repeated), faults.break_impressions(sound.take(broken), rng)]
    )
    place = np.lexsort((rows["position"].to_numpy(), rows["request_id"].to_numpy()))
    write_table(rows.take(place), path)
    return Written(len(sound), len(repeated), len(broken))


def impression_table(
    lists: ShownLists, retrieval: Retrieval, settings: LogSettings, surface: str
) -> pa.Table:
    """One row per item shown, looked at or not, in the order of lists and positions.

    `logging_probability` is the probability of this item at this position given the query and the
    ranker that made the list: exact where chance made it, else null.
    """
    n_lists, length = lists.shown.shape
    n_candidates = retrieval.candidates.shape[1]
    pair = (lists.query[:, None] * n_candidates + lists.shown).ravel()
    by_chance = lists.randomized | (settings.logger == "random")
    columns = {
        "request_id": lists.request_id,
        "query_id": lists.query + 1,
        "query_text": pa.array(retrieval.query_texts).take(lists.query),
        "user_id": lists.user + 1,
        "session_id": lists.session_id,
        "shown_at": pa.array(lists.shown_at_ms).cast(MOMENT),
        "surface": pa.array([surface] * n_lists),
        "device": pa.array(settings.devices).take(lists.device),
        "ranker_id": pa.array([settings.logger, "randomized"]).take(
            lists.randomized.astype(np.int8)
        ),
        "randomized": lists.randomized,
        "logging_probability": pa.array(np.full(n_lists, 1 / n_candidates), mask=~by_chance),
    }
    table = pa.table(columns).take(np.repeat(np.arange(n_lists), length))
    positions = np.tile(np.arange(1, length + 1, dtype=np.int32), n_lists)
    table = table.add_column(5, "item_id", [retrieval.candidates.ravel()[pair] + 1])
    table = table.add_column(6, "position", [positions])
    for name, values in retrieval.features.items():
        table = table.append_column(name, [values.ravel()[pair]])
    return table


def write_interactions(
    events: Events, settings: ProductSearchSettings, path: Path, rng: np.random.Generator
) -> Written:
    """Writes a day of events as gzipped JSON lines, about in the order in which they happened."""
    lines = interaction_lines(events)
    real = np.flatnonzero(faults.asked_for(events))
    repeated = real[faults.draw_rows(len(real), settings.duplicate_share, rng)]
    broken = real[faults.draw_rows(len(real), settings.malformed_share, rng)]
    all_lines = [
        *lines,
        *(lines[row] for row in repeated.tolist()),
        *faults.break_lines(events[broken], [lines[row] for row in broken.tolist()], rng),
    ]
    order = faults.arrival_order(len(lines), repeated, broken, rng)
    write_lines([all_lines[row] for row in order.tolist()], path)
    return Written(len(lines), len(repeated), len(broken))


def write_lines(lines: Sequence[str], path: Path) -> None:
    """Writes gzipped lines, the same bytes whenever it is done."""
    text = "".join(f"{line}\n" for line in lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), compresslevel=2, mtime=0))


def interaction_lines(events: Events, signals: Sequence[str] = SIGNALS) -> list[str]:
    """One JSON object per event.

    Args:
        events: what happened.
        signals: the names that the events' signals are indices of.
    """
    moments = np.datetime_as_string(events.occurred_at_ms.astype("datetime64[ms]"))
    names = pa.array(signals).take(events.signal)
    # whole numbers without a decimal point, as most loggers write them
    texts = pc.replace_substring_regex(pa.array(events.value).cast(pa.string()), r"\.0$", "")
    pieces = [
        '{"request_id":',
        pa.array(events.request_id).cast(pa.string()),
        ',"item_id":',
        pa.array(events.item_id).cast(pa.string()),
        ',"signal":"',
        names,
        '","value":',
        texts,
        ',"occurred_at":"',
        pa.array(moments.astype(object), pa.string()),
        'Z","user_id":',
        pa.array(events.user_id).cast(pa.string()),
        ',"position":',
        pa.array(events.position).cast(pa.string()),
        "}",
        "",
    ]
    lines: list[str] = pc.binary_join_element_wise(*pieces).to_pylist()
    return lines


def write_items(
    catalogue: Catalogue, first_day: date, days: int, path: Path, rng: np.random.Generator
) -> None:
    """Writes the catalogue; a few items get more reviews and a new title during the log."""
    items, n = catalogue.items, len(catalogue.items.titles)
    start = epoch_ms(first_day)
    changed = np.sort(rng.choice(n, max(1, n // 100), replace=False))
    row = np.concatenate([np.arange(n), changed])
    later = np.arange(len(row)) >= n
    since = np.where(later, start + rng.integers(1, days * DAY_MS, len(row)), start - 30 * DAY_MS)
    columns = {
        "item_id": row + 1,
        "valid_from": pa.array(since).cast(MOMENT),
        "title": [items.titles[i] for i in range(n)]
        + [f"{items.titles[i]} (new)" for i in changed],
    }
    columns |= {name: values[row] for name, values in items.features.items()}
    columns["item_reviews_log"] = columns["item_reviews_log"] + np.float32(0.25) * later
    order = np.lexsort((since, row))
    write_table(pa.table(columns).take(order), path)


def write_relevance(
    retrieval: Retrieval, item_features: Mapping[str, NDArray[np.float32]], path: Path
) -> None:
    """Writes what no log may hold: relevance, beside all features."""
    n_queries, n_candidates = retrieval.candidates.shape
    item = retrieval.candidates.ravel()
    query = np.repeat(np.arange(n_queries), n_candidates)
    columns = {
        "query_id": query + 1,
        "item_id": item + 1,
        "relevance": retrieval.relevance.ravel(),
        "seen_in_log": query < retrieval.n_logged,
        **{name: values.ravel() for name, values in retrieval.features.items()},
        **{name: values[item] for name, values in item_features.items()},
    }
    write_table(pa.table(columns), path)


def write_examination(examination: Floats, devices: Sequence[str], path: Path) -> None:
    """Writes how far people look, by device and position, shape (devices, positions)."""
    length = examination.shape[1]
    columns = {
        "device": np.repeat(devices, length),
        "position": np.tile(np.arange(1, length + 1, dtype=np.int32), len(devices)),
        "examination": examination.ravel(),
    }
    write_table(pa.table(columns), path)


def write_table(table: pa.Table, path: Path) -> None:
    """Writes a compressed Parquet file that any reader opens with the types it names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd")
