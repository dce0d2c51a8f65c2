"""The problem file: what is ranked, where its logs lie, its signals, features and windows."""

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, field_validator

from label_platform.evaluation_settings import EvaluationSettings
from label_platform.propensity_settings import PropensitySettings
from label_platform.strict_yaml import (
    ConfigurationError,
    StrictModel,
    nearest,
    parse,
    read_yaml,
    unknown_name,
)

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _duration(value: object) -> object:
    """30m, 1d, 12h, 45s as a timedelta; a number without a unit could mean any of them."""
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"(\d+)\s*([smhd])", value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a duration such as 30m, 12h or 7d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(lambda value: f"{int(value.total_seconds())}s"),
]


def duration_text(length: timedelta) -> str:
    """A duration as a file would say it: in the largest unit that takes it whole."""
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _common_zones() -> list[str]:
    """UTC, and the zones that are named after a place."""
    return ["UTC", *(zone for zone in available_timezones() if "/" in zone)]


class LogSource(StrictModel):
    """One place that logs come from; paths are globs relative to the problem's logs folder.

    Attributes:
        format: the name of a log format, ours or one that another package has registered.
        path: the files of a format with a single stream of records.
        impressions: the impression files of a format that keeps its tables apart.
        interactions: its files of feedback events.
        items: its files of catalogue items.
        time_zone: the zone of times that name none; without it such records are refused.
        options: what the format itself wants to know, see its page in docs.
    """

    format: str = Field(pattern=NAME_PATTERN)
    path: str | None = None
    impressions: str | None = None
    interactions: str | None = None
    items: str | None = None
    time_zone: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, zone: str | None) -> str | None:
        if zone is not None and zone not in available_timezones():
            raise ValueError(f"expected a zone such as UTC; {nearest(zone, _common_zones())}")
        return zone


class Signal(StrictModel):
    """One kind of feedback and how long after the impression it still counts for it.

    Attributes:
        window: the longest delay after the impression.
        of: the signal this one describes (the dwell of a click).
        reversed_by: the event that takes one of these back (a return).
    """

    window: Duration
    of: str | None = None
    reversed_by: str | None = None


class Training(StrictModel):
    """How the days are split; validate and evaluate days come after the training days.

    Attributes:
        window: the most days that rankers learn from.
        validation: the days that say when to stop.
        evaluate: the days that rankers are judged by.
        fits: on resampled logs, beside the main one. More cost time, and find smaller differences.
        rounds: the most trees.
    """

    window: Duration = timedelta(days=14)
    validation: Duration = Field(default=timedelta(days=1), alias="validate")
    evaluate: Duration = timedelta(days=2)
    fits: int = Field(default=10, ge=2, le=50)
    rounds: int = Field(default=100, ge=1)


class PolicySelection(StrictModel):
    """Where label policies lie and which of them are active."""

    folder: str = Field(default="../../policies", alias="from")
    use: tuple[str, ...]
    baseline: str = "raw_click"
    allow_refused: bool = False


class BotRules(StrictModel):
    """Sessions that are set aside as nobody's opinion; each keeps its rows, with the reason.

    Attributes:
        clicks_per_minute: the most clicks that a person makes within one minute.
        lists_per_session: the most lists that a person looks at in one session.
        user_agents: parts of user agents, whatever their case, that programs send.
        users: user ids of the team's own people and test accounts.
        sessions: session ids of tests.
        warn_share: the share of a day's impressions set aside above which a check warns.
    """

    clicks_per_minute: int | None = Field(default=30, ge=1)
    lists_per_session: int | None = Field(default=None, ge=1)
    user_agents: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    warn_share: float = Field(default=0.2, gt=0, le=1)


class Attribution(StrictModel):
    """How feedback finds the impression that led to it.

    Attributes:
        touch: which impression gets an event that names no list: the last one before it, or the
            first one within the signal's window.
        session_gap: where logs have no sessions, this much idleness ends one.
        clock_skew: how much earlier than its impression an event may be, clocks being what they
            are; it counts as if it had come at once.
    """

    touch: Literal["last", "first"] = "last"
    session_gap: Duration = timedelta(minutes=30)
    clock_skew: Duration = timedelta(0)


class FeatureTable(StrictModel):
    """Features that are kept beside the logs, joined as they stood when an item was shown.

    Attributes:
        of: what its rows are about.
        path: its Parquet or CSV files, a glob relative to the problem's logs folder.
        key: the column with the id; by default item_id, query_id or user_id.
        valid_from: the column with the moment from which a row holds.
        known_at: the column with the moment at which a row was known, where that is later: an
            impression in between must not see it, and training refuses to. A column of this name
            is one without being named.
        columns: which columns are features, as globs.
        max_age: rows older than this when an item is shown count as missing.
    """

    of: Literal["item", "query", "user"]
    path: str
    key: str | None = None
    valid_from: str = "valid_from"
    known_at: str | None = None
    columns: tuple[str, ...] = Field(default=("*",), min_length=1)
    max_age: Duration | None = None

    @property
    def key_column(self) -> str:
        """The column with the id."""
        return self.key or f"{self.of}_id"


class QueryText(StrictModel):
    """Which query texts are kept; people type names and addresses into search boxes.

    Attributes:
        keep: all of them, none, or only frequent ones: a rarer text is replaced by a keyed hash.
        frequent_from: the number of lists, in one log file, from which a text is frequent.
    """

    keep: Literal["all", "frequent", "none"] = "all"
    frequent_from: int = Field(default=10, ge=2)


class Problem(StrictModel):
    """A problem file, checked.

    Attributes:
        ids: the type of request, query and item ids; integers are several times faster.
        logs_folder: the folder that log paths start from, relative to the problem file.
        truth: a simulation's true relevance, relative to the logs folder.
        context: columns of the impression that examination may depend on.
        features: columns logged with the impression, as globs.
        item_features: columns of the items table, as globs, joined as of the impression.
        feature_tables: further features of items, queries and users, by a name of the table.
        user_ids: whether user ids become keys, by HMAC with a secret, or are anonymous already.
        retention: how long after its day a record is kept; without it, for ever.
    """

    name: str = Field(pattern=NAME_PATTERN)
    start_date: date
    end_date: date | None = None
    engine: Literal["duckdb"] = "duckdb"
    ids: Literal["integer", "string"] = "string"
    logs_folder: str = "."
    logs: tuple[LogSource, ...] = Field(min_length=1)
    truth: str | None = None
    signals: dict[str, Signal] = Field(min_length=1)
    context: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    item_features: tuple[str, ...] = ()
    feature_tables: dict[str, FeatureTable] = Field(default_factory=dict)
    training: Training = Training()
    policies: PolicySelection
    propensity: PropensitySettings = PropensitySettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    attribution: Attribution = Attribution()
    bots: BotRules | None = None
    user_ids: Literal["keyed", "public"] = "keyed"
    query_text: QueryText = QueryText()
    retention: Duration | None = None
    folder: Path = Field(default=Path(), exclude=True)

    @field_validator("feature_tables")
    @classmethod
    def _table_names(cls, tables: dict[str, FeatureTable]) -> dict[str, FeatureTable]:
        for name in tables:
            if re.fullmatch(NAME_PATTERN, name) is None:
                raise ValueError(f"table {name!r}: expected lower-case letters, digits and _")
        return tables

    @field_validator("signals")
    @classmethod
    def _signal_names(cls, signals: dict[str, Signal]) -> dict[str, Signal]:
        for name, signal in signals.items():
            if re.fullmatch(NAME_PATTERN, name) is None:
                raise ValueError(f"signal {name!r}: expected lower-case letters, digits and _")
            if signal.of is not None and signal.of not in signals:
                raise unknown_name([name, "of"], signal.of, signals)
        return signals

    @field_validator("propensity")
    @classmethod
    def _viewed_signal(
        cls, settings: PropensitySettings, info: ValidationInfo
    ) -> PropensitySettings:
        viewed, signals = settings.viewed_signal, info.data.get("signals")
        if viewed is not None and signals is not None and viewed not in signals:
            raise unknown_name(["viewed_signal"], viewed, signals)
        return settings

    @property
    def longest_window(self) -> timedelta:
        """The longest attribution window of any signal."""
        return max(signal.window for signal in self.signals.values())

    def resolve(self, pattern: str) -> Path:
        """A log path or glob as an absolute path."""
        return (self.folder / self.logs_folder / pattern).absolute()

    def resolve_policies(self) -> Path:
        """The folder of label policies as an absolute path."""
        return (self.folder / self.policies.folder).resolve()


def load_problem(path: Path, logs: Path | None = None) -> Problem:
    """Read a problem file.

    Args:
        path: the YAML file.
        logs: a folder that stands in for the file's ``logs_folder``.

    Raises:
        ConfigurationError: names file and key, what was found and what was expected.
    """
    content = read_yaml(path)
    if "folder" in content:
        raise ConfigurationError(f"{path}: folder: unknown key; did you mean 'logs_folder'?")
    problem = parse(Problem, content, path)
    moved = {"logs_folder": str(logs.absolute())} if logs is not None else {}
    return problem.model_copy(update={"folder": path.parent.resolve(), **moved})
