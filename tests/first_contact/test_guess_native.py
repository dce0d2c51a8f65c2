"""Logs under our own keys: which file is which, and what its columns say."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from label_platform.strict_yaml import ConfigurationError
from tests.first_contact.conftest import Guessed, event, impression, write_lines, write_native

Guess = Callable[..., Guessed]


def test_tables_are_told_apart_by_their_columns(tmp_path: Path, guessed: Guess) -> None:
    logs = tmp_path / "logs"
    write_native(logs, [impression(n) for n in range(6)], [event("click")])
    write_lines(logs / "goods.jsonl", [{"item_id": "i0", "price": 3, "brand": "x"}])
    found = guessed(logs)
    assert found.source == {
        "format": "native",
        "impressions": "shown.jsonl",
        "interactions": "happened.jsonl",
        "items": "goods.jsonl",
    }
    assert found.content["item_features"] == ["price"]
    assert found.content["logs_folder"] == "../logs"


def test_three_kinds_of_files_are_tables(tmp_path: Path, guessed: Guess) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    shown = pd.DataFrame([impression(n, score=n / 2, device="tv") for n in range(6)])
    shown["shown_at"] = pd.to_datetime(shown["shown_at"])
    shown.to_parquet(logs / "shown.parquet")
    pd.DataFrame([event("click", 5)]).to_csv(logs / "happened.tsv.gz", sep="\t")
    found = guessed(logs)
    assert found.source["impressions"] == "shown.parquet"
    assert found.source["interactions"] == "happened.tsv.gz"
    assert found.content["features"] == ["score"]
    assert found.content["signals"] == {"click": {"window": "30m"}}
    assert found.problem.start_date == date(2026, 11, 10)


def test_files_of_other_days_are_matched_too(tmp_path: Path, guessed: Guess) -> None:
    logs = tmp_path / "logs"
    for day in ("2026-11-10", "2026-11-11"):
        write_lines(logs / "shown" / f"{day}.jsonl", [impression(0)])
        write_lines(logs / f"day={day}" / "part-00000-4f1c22ab.jsonl.gz", [event("click")])
    found = guessed(logs)
    assert found.source["impressions"] == "shown/*.jsonl"
    assert found.source["interactions"] == "day=*/part-*.jsonl.gz"


def test_a_glob_does_not_reach_files_of_another_table(tmp_path: Path, guessed: Guess) -> None:
    logs = tmp_path / "logs"
    write_lines(logs / "log1.jsonl", [impression(n) for n in range(6)])
    write_lines(logs / "log2.jsonl", [event("click")])
    found = guessed(logs)
    assert found.source["impressions"] == "log1.jsonl"
    assert found.source["interactions"] == "log2.jsonl"


def test_signals_have_windows_by_their_names(tmp_path: Path, guessed: Guess) -> None:
    names = ["click", "click", "dwell_s", "add_to_cart", "purchase", "return", "like", "hover"]
    logs = write_native(
        tmp_path / "logs",
        [impression(n) for n in range(6)],
        [event(name) for name in names] + [event("addToWish")],
    )
    found = guessed(logs)
    assert found.content["signals"] == {
        "click": {"window": "30m"},
        "dwell_s": {"of": "click", "window": "30m"},
        "add_to_cart": {"window": "1d"},
        "purchase": {"window": "7d", "reversed_by": "return"},
        "like": {"window": "1d"},
        "hover": {"window": "1d"},
    }
    (line,) = [line for line in found.text.splitlines() if line.strip().startswith("click:")]
    assert line.endswith("# guessed: seen 2 times")
    assert "'addToWish' was seen 1 times, but is no name of a signal" in found.words


def test_without_a_click_a_person_has_to_look(tmp_path: Path, guessed: Guess) -> None:
    logs = write_native(tmp_path / "logs", [impression(0)], [event("purchase")])
    found = guessed(logs)
    assert list(found.content["signals"]) == ["click", "purchase"]
    assert "please check: no click was seen" in found.text
    assert found.doubts == ["signals"]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "integer"),
        ({"request_id": "7a"}, "string"),
        ({"item_id": 1.5}, "string"),
        ({"query_id": "shoes"}, "string"),
    ],
)
def test_ids_are_integers_only_if_all_are(
    tmp_path: Path, guessed: Guess, changes: dict[str, object], kind: str
) -> None:
    shown = [impression(n, request_id=n // 3, item_id=n) for n in range(6)]
    shown[5] |= changes
    logs = write_native(tmp_path / "logs", shown, [event("click", request_id=0, item_id=0)])
    assert guessed(logs).content["ids"] == kind


def test_an_event_of_another_kind_of_item_makes_ids_text(tmp_path: Path, guessed: Guess) -> None:
    shown = [impression(n, request_id=n // 3, item_id=n) for n in range(6)]
    logs = write_native(tmp_path / "logs", shown, [event("click", request_id=0, item_id="sku-1")])
    assert guessed(logs).content["ids"] == "string"


def test_features_are_numbers_that_are_no_keys_and_no_outcomes(
    tmp_path: Path, guessed: Guess
) -> None:
    more = {
        "f_price": 1.5,
        "f_age": "3",
        "f_new": True,
        "score": 2,
        "brand": "x",
        "nested": {"a": 1},
        "label": 1,
        "clicked": 1,
        "weight": 2,
        "session_id": 7,
        "customer_id": 8,
        "f_userId": 9,
        "list_length": 3,
    }
    logs = write_native(
        tmp_path / "logs", [impression(n, **more) for n in range(6)], [event("click")]
    )
    found = guessed(logs)
    assert found.content["features"] == ["f_*", "score"]
    assert "left out of the features, as they look like an outcome: clicked" in found.text
    assert found.proposal.outcomes == ("clicked",)


def test_a_prefix_that_text_shares_is_no_glob(tmp_path: Path, guessed: Guess) -> None:
    more = {"f_1": 1, "f_2": 2, "f_3": 3, "f_name": "x", "g_a": 1, "g_b": 1}
    logs = write_native(tmp_path / "logs", [impression(0, **more)], [event("click")])
    # f_1 to f_3 alone would be f_*, which the text f_name matches, too
    assert guessed(logs).content["features"] == ["f_1", "f_2", "f_3", "g_a", "g_b"]


@pytest.mark.parametrize(
    ("devices", "context"),
    [(["tv"], []), (["tv", "phone"], ["device"]), ([str(n) for n in range(21)], [])],
)
def test_device_is_context_where_there_are_several(
    tmp_path: Path, guessed: Guess, devices: list[str], context: list[str]
) -> None:
    shown = [impression(n, device=device) for n, device in enumerate(devices)]
    logs = write_native(tmp_path / "logs", shown, [event("click")])
    assert guessed(logs).content["context"] == context


def test_times_without_a_zone_are_for_a_person_to_place(tmp_path: Path, guessed: Guess) -> None:
    shown = [impression(0), impression(1, shown_at="2026-11-12T10:00:00")]
    found = guessed(write_native(tmp_path / "logs", shown, [event("click")]))
    assert found.source["time_zone"] == "UTC"
    assert found.doubts == ["time_zone"]
    assert "please check: 1 of 3 times name no zone" in found.text


def test_times_with_a_zone_need_none(tmp_path: Path, guessed: Guess) -> None:
    ms = int(datetime(2026, 11, 9, tzinfo=UTC).timestamp() * 1000)
    shown = [impression(0, shown_at=ms), impression(1, shown_at="2026-11-12T10:00:00+01:00")]
    found = guessed(write_native(tmp_path / "logs", shown, [event("click")]))
    assert "time_zone" not in found.source
    assert found.problem.start_date == date(2026, 11, 9)
    assert found.doubts == []


def test_users_are_keyed_and_nobody_is_public(tmp_path: Path, guessed: Guess) -> None:
    logs = write_native(tmp_path / "logs", [impression(0)], [event("click")])
    assert guessed(logs).content["user_ids"] == "keyed"
    logs = write_native(tmp_path / "logs", [impression(0, user_id=None)], [event("click")])
    assert guessed(logs).content["user_ids"] == "public"
    logs = write_native(
        tmp_path / "logs", [impression(0, user_id="")], [event("click", user_id="u")]
    )
    assert guessed(logs).content["user_ids"] == "keyed"


def test_debiasing_is_proposed_where_lists_were_shuffled(tmp_path: Path, guessed: Guess) -> None:
    shown = [impression(n) for n in range(6)]
    logs = write_native(tmp_path / "logs", shown, [event("click")])
    assert guessed(logs).content["policies"]["use"] == ["raw_click"]
    shown = [impression(n, randomized=n < 3) for n in range(6)]
    found = guessed(write_native(tmp_path / "logs", shown, [event("click")]))
    assert found.content["policies"]["use"] == ["raw_click", "ips_click", "coec_click"]
    assert "1 of 2 lists were in random order" in found.text
    assert (found.path.parent / found.content["policies"]["from"] / "raw_click.yaml").is_file()


@pytest.mark.parametrize(("age_days", "end"), [(7, None), (8, date(2026, 11, 13))])
def test_a_log_that_ended_more_than_a_week_ago_looks_closed(
    tmp_path: Path, guessed: Guess, age_days: int, end: date | None
) -> None:
    today = date(2026, 11, 21)
    last = str(today - timedelta(days=age_days))
    shown = [impression(0), impression(1, shown_at=f"{last}T23:59:59Z")]
    found = guessed(write_native(tmp_path / "logs", shown, [event("click")]), today)
    assert found.problem.end_date == end
    assert f"2026-11-{21 - age_days}" in found.text


@pytest.mark.parametrize(
    ("days", "window", "evaluate"), [(3, "1d", "1d"), (6, "4d", "1d"), (7, "4d", "2d")]
)
def test_training_fits_into_the_days_of_a_closed_log(
    tmp_path: Path, guessed: Guess, days: int, window: str, evaluate: str
) -> None:
    # 3 = 1 + 1 + 1; 6 = 4 + 1 + 1; 7 = 4 + 1 + 2
    shown = [
        impression(0, shown_at=f"2025-03-{day:02d}T00:00:00Z", f=1) for day in range(1, days + 1)
    ]
    clicks = [event("click", occurred_at="2025-03-01T00:00:00Z")]
    found = guessed(write_native(tmp_path / "logs", shown, clicks))
    training = {"window": window, "validate": "1d", "evaluate": evaluate}
    assert found.content["training"] == training
    assert found.proposal.next_command == "run"


def test_two_days_go_as_far_as_labels(tmp_path: Path, guessed: Guess) -> None:
    logs = write_native(tmp_path / "logs", [impression(n, f=1) for n in range(6)], [event("click")])
    found = guessed(logs)
    assert found.proposal.next_command == "labels"
    assert "so the chain goes as far as labels" in found.words


def test_events_long_before_any_impression_do_not_begin_the_log(
    tmp_path: Path, guessed: Guess
) -> None:
    shown = [impression(n) for n in range(6)]
    early = event("click", occurred_at="2026-10-12T00:00:00Z")
    found = guessed(write_native(tmp_path / "logs", shown, [early]))
    assert found.problem.start_date == date(2026, 10, 12)  # 29 days before the first list
    early = event("click", occurred_at="2026-10-10T00:00:00Z")
    found = guessed(write_native(tmp_path / "logs", shown, [early]))
    assert found.problem.start_date == date(2026, 11, 10)  # 31 days before it
    assert "events since 2026-10-10 are too old" in found.words


def test_a_clock_that_is_far_off_is_nobodys_day(tmp_path: Path, guessed: Guess) -> None:
    times = ["1970-01-01T00:00:00Z", "2026-11-15T00:00:00Z", "2199-01-01T00:00:00Z"]
    shown = [impression(n, shown_at=time) for n, time in enumerate(times)]
    found = guessed(write_native(tmp_path / "logs", shown, [event("click", 5)]))
    assert found.problem.start_date == date(2026, 11, 11)
    assert found.problem.end_date is None
    words = "no end_date, because the log goes on; its last day so far is 2026-11-15"
    assert words in found.words


def test_the_days_of_files_that_are_not_sampled_count(tmp_path: Path, guessed: Guess) -> None:
    logs = tmp_path / "logs"
    first = date(2026, 10, 20)
    # by name the earliest is neither the first, nor the middle, nor the last of nine files
    for place, day in enumerate([5, 0, 6, 7, 8, 9, 10, 11, 12]):
        shown = impression(0, shown_at=f"{first + timedelta(days=day)}T00:00:00Z")
        write_lines(logs / f"shown-{place}.jsonl", [shown])
    write_lines(logs / "happened.jsonl", [event("click", occurred_at="2026-10-25T00:00:00Z")])
    found = guessed(logs)
    assert found.problem.start_date == first
    assert found.doubts == []
    assert "every record of 10 of 10 files" in found.text


def test_the_end_of_a_long_file_counts(tmp_path: Path, guessed: Guess) -> None:
    padding = "x" * 1000
    shown = [impression(0, brand=padding) for _ in range(6_000)]  # 6 MB: more than is sampled
    shown.append(impression(1, shown_at="2026-11-20T00:00:00Z"))
    logs = write_native(tmp_path / "logs", shown, [event("click")])
    found = guessed(logs)
    assert found.proposal.last_day == date(2026, 11, 20)
    assert "the first and last records of 2 of 2 files" in found.words
    assert found.doubts == []


def test_interactions_alone_are_no_log(tmp_path: Path, guessed: Guess) -> None:
    write_lines(tmp_path / "logs" / "happened.jsonl", [event("click")])
    with pytest.raises(ConfigurationError, match=r"found happened\.jsonl but no impressions"):
        guessed(tmp_path / "logs")


def test_names_cannot_break_out_of_comments_and_values(tmp_path: Path, guessed: Guess) -> None:
    name = "x: [\n# y\u2028z}"
    shown = [impression(n, device=name + str(n), **{name: 1}) for n in range(6)]
    found = guessed(write_native(tmp_path / "logs", shown, [event(name)]))
    assert found.content["features"] == ["x: [[]\n# y\u2028z}"]
    assert list(found.content["signals"]) == ["click"]
    json.dumps(found.content, default=str)
