"""The real server on loopback: over HTTP the same scores as a batch, bit for bit."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from label_platform.policy import RankerSpec
from label_platform.ranking import Ranker, TrainingData, fit_ranker
from label_platform.tracking import CHAMPION, RankerRecord, TrackingStore
from tests.e2e.conftest import PROJECT, Installation

pytestmark = pytest.mark.e2e

NUMBERS = ("f_match", "f_price", "f rare/ünicode")
FEATURES = (*NUMBERS, "f_hue")
HUES = ("", "3", "Grün", "blue", "nan", "red")
TEXTS = (*HUES, "never seen", " red", "RED", "Gru\u0308n", "null", "3.0", "2026-10-06", None)
"""Those of training, others that look like them, and none."""
LARGEST = float(np.finfo(np.float32).max)
AWKWARD = (
    0.1,
    np.nextafter(0.1, 1),
    0.1 + 2**-28,  # halfway between two float32
    1 / 3,
    -0.0,
    5e-324,
    1e-45,
    2.0**-149,
    LARGEST,
    -LARGEST,
    2**24 + 1.0,
    2.0**53,
    float("inf"),
    float("-inf"),
    float("nan"),
    None,
)


@pytest.fixture(scope="module")
def ranker() -> Ranker:
    """Its trees split at many thresholds, the awkward values among them, and know missing ones."""
    rng = np.random.default_rng(11)
    lists, length = 150, 8
    rows = lists * length
    awkward = np.array([np.nan if each is None else each for each in AWKWARD])
    finite = np.where(np.isfinite(awkward), awkward, np.nan)
    features = {
        name: np.where(rng.random(rows) < 0.3, rng.choice(finite, rows), rng.random(rows))
        for name in NUMBERS
    }
    hue = rng.integers(0, len(HUES) + 1, rows)
    texts = [*HUES, None]
    features["f_hue"] = pa.array([texts[number] for number in hue], pa.string())
    wanted = np.nan_to_num(features["f_match"], nan=0.4) + hue % 2 / 5 + rng.random(rows) / 2
    examples = pa.table(
        {
            "part": ["train"] * rows,
            "group_id": np.repeat(np.arange(lists), length),
            "query_id": np.repeat(np.arange(lists), length),
            "item_id": np.arange(rows),
            "position": np.tile(np.arange(1, length + 1), lists),
            "label": (wanted > 0.8).astype(float),
            "raw_label": (wanted > 0.8).astype(float),
            "weight": np.ones(rows),
            "raw_weight": np.ones(rows),
            **features,
        }
    )
    spec = RankerSpec(objective="pointwise", position="feature")
    train = TrainingData.from_examples(examples, spec, FEATURES)
    return fit_ranker(train, None, spec, rounds=60, seed=0)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, ranker: Ranker) -> Installation:
    """A problem with a champion, and nothing else."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(PROJECT / "data" / "problems", folder / "data" / "problems")
    shutil.copytree(PROJECT / "policies", folder / "policies")
    found = Installation(folder)
    store = TrackingStore(found.workspace.mlflow_folder, "product_search")
    tags = {"kind": "ranker", "policy": "raw_click", "ranker": "pointwise", "day": "2026-10-06"}
    record = RankerRecord("raw_click", tags, {}, {}, "name: raw_click\n", {}, ranker)
    store.registry.crown(store.registry.register(store.log_ranker(record)), "by hand", "a test")
    assert store.registry.aliases() == {CHAMPION: "1"}
    return found


@contextmanager
def served(installation: Installation) -> Iterator[str]:
    """The server's address; the server and its children end with the context."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = installation.folder / "server.log"
    with log.open("wb") as printed:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("label-platform"), "serve", "--port", str(port)],
            env={**os.environ, "LABEL_PLATFORM_DATA": str(installation.workspace.folder)},
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                with urlopen(f"{address}/ping", timeout=5):  # noqa: S310 - loopback
                    break
            except (URLError, OSError):
                time.sleep(0.3)  # between two looks
        yield address
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=30)


@pytest.fixture(scope="module")
def address(installation: Installation) -> Iterator[str]:
    with served(installation) as found:
        yield found


def ask(address: str, body: dict[str, Any]) -> list[float]:
    request = Request(  # noqa: S310 - loopback
        f"{address}/invocations",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
        return list(json.load(answer)["predictions"])


def rows_to_score() -> list[list[float | str | None]]:
    rng = np.random.default_rng(12)
    plain = rng.normal(size=(300, 3)).tolist()
    stored = rng.random((300, 3), dtype=np.float32).astype(float).tolist()
    awkward = [list(rng.permutation(np.array(AWKWARD, dtype=object))[:3]) for _ in range(300)]
    same = [[each] * 3 for each in AWKWARD]
    numbers = [*plain, *stored, *awkward, *same]
    texts = rng.permutation(np.array(TEXTS, dtype=object).repeat(len(numbers) // len(TEXTS) + 1))
    rows = [[*row, text] for row, text in zip(numbers, texts, strict=False)]
    return [*rows, *([0.5, 0.5, 0.5, text] for text in TEXTS)]


def as_table(rows: Sequence[Sequence[float | str | None]]) -> pa.Table:
    *numbers, texts = zip(*rows, strict=True)
    values = [[np.nan if each is None else each for each in column] for column in numbers]
    columns = dict(zip(NUMBERS, np.array(values, dtype=np.float64), strict=True))
    return pa.table(columns | {"f_hue": pa.array(texts, pa.string())})


def csv_field(value: float | str | None) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return "" if value is None else repr(float(value))


def batch_scores(installation: Installation, source: Path) -> np.ndarray:
    out = source.with_suffix(".scored.parquet")
    done = installation.run("score", str(source), "--out", str(out))
    assert done.returncode == 0, done.stderr
    return pd.read_parquet(out)["score"].to_numpy()


def test_http_and_batch_give_the_same_scores(
    installation: Installation, address: str, ranker: Ranker
) -> None:
    rows = rows_to_score()
    served_scores = ask(address, {"dataframe_split": {"columns": FEATURES, "data": rows}})
    table = as_table(rows)
    expected = ranker.score(table)
    assert len(np.unique(expected)) > 300
    np.testing.assert_array_equal(served_scores, expected)

    parquet = installation.folder / "rows.parquet"
    pq.write_table(table, parquet)
    np.testing.assert_array_equal(batch_scores(installation, parquet), expected)
    # an empty field of CSV is an empty text, where text is expected
    with_text = [number for number, row in enumerate(rows) if row[-1] is not None]
    csv = installation.folder / "rows.csv"
    lines = [",".join(map(csv_field, rows[number])) for number in with_text]
    csv.write_text("\n".join([",".join(FEATURES), *lines, ""]))
    np.testing.assert_array_equal(batch_scores(installation, csv), expected[with_text])
    # JSON itself has no infinities
    finite = [n for n, row in enumerate(rows) if not {float("inf"), float("-inf")} & {*row}]
    jsonl = installation.folder / "rows.jsonl"
    records = [dict(zip(FEATURES, rows[number], strict=True)) for number in finite]
    jsonl.write_text("".join(json.dumps(each) + "\n" for each in records))
    np.testing.assert_array_equal(batch_scores(installation, jsonl), expected[finite])


def test_text_is_scored_by_the_vocabulary_of_training(address: str, ranker: Ranker) -> None:
    same = [0.5, 0.5, 0.5]
    records = [dict(zip(FEATURES, [*same, text], strict=True)) for text in TEXTS]
    scores = dict(zip(TEXTS, ask(address, {"dataframe_records": records}), strict=True))
    codes = [[*same, HUES.index(text) if text in HUES else np.nan] for text in TEXTS]
    assert list(scores.values()) == ranker.score(np.array(codes)).tolist()
    assert min(scores[text] for text in HUES[1::2]) > max(scores[text] for text in HUES[::2])
    assert {scores[text] for text in TEXTS if text not in HUES} == {scores[None]}
    assert scores[None] != scores["blue"]


def test_rows_alone_columns_in_any_order_and_no_values_at_all(address: str, ranker: Ranker) -> None:
    every = rows_to_score()
    rows = [*every[:5], *every[-5:]]
    assert rows[-1][-1] is None
    expected = ranker.score(as_table(rows))
    for number, row in enumerate(rows):
        turned = dict(reversed(list(zip(FEATURES, row, strict=True))))
        assert ask(address, {"dataframe_records": [turned]}) == [expected[number]]
    nothing = ask(address, {"dataframe_records": [dict.fromkeys(FEATURES)]})
    assert nothing == ranker.score(np.full((1, len(FEATURES)), np.nan)).tolist()


def test_whole_numbers_and_position_change_nothing(address: str, ranker: Ranker) -> None:
    row = {**dict.fromkeys(NUMBERS, 1), "f_hue": "red"}
    expected = ranker.score(as_table([[1, 1, 1, "red"]])).tolist()
    assert ask(address, {"dataframe_records": [row]}) == expected
    assert ask(address, {"dataframe_records": [row | {"position": 7}]}) == expected


def test_a_number_in_place_of_text_is_refused(address: str) -> None:
    with pytest.raises(HTTPError) as refused:
        ask(address, {"dataframe_records": [dict.fromkeys(FEATURES, 3)]})
    assert refused.value.code == 400
    assert "f_hue" in refused.value.read().decode()


def test_a_missing_column_is_named(address: str) -> None:
    with pytest.raises(HTTPError) as refused:
        ask(address, {"dataframe_records": [{"f_match": 1.0}]})
    assert refused.value.code == 400
    assert "f_price" in refused.value.read().decode()


def test_the_server_listens_on_this_machine_only(installation: Installation, address: str) -> None:
    assert address.startswith("http://127.0.0.1:")
    shown = installation.run("serve", "--print").stdout
    assert "--host 127.0.0.1" in shown
    assert "--env-manager local" in shown
    assert not installation.network_log.exists() or not installation.network_log.read_text()
