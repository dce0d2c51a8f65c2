"""Examples as lines of text, made and written by the engine."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from label_platform.export.codes import coded_rows, places_of_codes, write_codes
from label_platform.export.labels import LEVELS, LabelScale
from label_platform.export.targets import Target
from label_platform.lake import Engine, quote_identifier, quote_literal
from label_platform.ranking import NUMBERS_ONLY, FeatureCodes

_ORDER = "group_id, position nulls last, item_id, impression_id nulls last"
_TAKEN = ("label", "group_id", "position", "item_id", "impression_id")
"""A header's name is one that rows are ordered by, too: no feature may come to be called so."""
_SEPARATOR = "\x01"
"""Stands in no line, so that a line is one column whatever it holds."""


@dataclass(frozen=True)
class Export:
    """What is written.

    Attributes:
        target: for which program.
        scale: of the labels.
        features: feature columns, of which the first is number 1.
        ranks: whether the program is to learn from pairs or lists.
        train: relation of the training rows, which scale the labels.
        codes: of those features that are text and are written as codes.
    """

    target: Target
    scale: LabelScale
    features: tuple[str, ...]
    ranks: bool
    train: str
    codes: FeatureCodes = NUMBERS_ONLY


def write_part(engine: Engine, export: Export, rows: str, part: str, folder: Path) -> list[str]:
    """Write the rows of a part; returns the names of the files.

    Args:
        engine: reads and writes.
        export: what is written.
        rows: relation in the layout of ``examples``, of this part, without rows of weight 0.
        part: train or validate.
        folder: an existing folder.
    """
    name = export.target.file_of(part)
    scaled = _scaled(export, coded_rows(engine, rows, export.codes))
    if export.target.name == "parquet":
        query = f"select * exclude (group_number) from {scaled} order by {_ORDER}"
        _copy(engine, query, folder / name, "parquet")
        return [name]
    writer = {"lightgbm": _lightgbm, "xgboost": _xgboost, "trec": _qrels}.get(
        export.target.name, _svmlight
    )
    names = writer(engine, export, scaled, folder / name)
    if part == "train" and export.codes.vocabularies:
        names.append(write_codes(export.codes, folder))
    return names


def _scaled(export: Export, rows: str) -> str:
    """The rows with labels on the scale, and groups numbered from 1."""
    relation, label = export.scale.sql(export.train)
    return f"""(
    select
        rows.* replace ({label} as label),
        dense_rank() over (order by group_id) as group_number
    from {rows} as rows
    cross join {relation} as scale
)"""


def _lightgbm(engine: Engine, export: Export, rows: str, path: Path) -> list[str]:
    columns = "".join(
        f", {quote_identifier(column)} as {quote_identifier(name)}"
        for column, name in zip(export.features, _header(export.features), strict=True)
    )
    query = f"select label{columns} from {rows} order by {_ORDER}"
    # LightGBM reads an empty field as 0
    _copy(engine, query, path, "csv, header true, delimiter ',', nullstr 'nan'")
    _lines(engine, _of_rows("cast(weight as varchar)", rows), Path(f"{path}.weight"))
    names = [path.name, f"{path.name}.weight"]
    if export.ranks:
        _lines(engine, _of_groups("count(*)", rows), Path(f"{path}.query"))
        names.append(f"{path.name}.query")
    if path.stem == "train":
        lines = ["task = train", f"data = {path.name}", "header = true", "label_column = 0"]
        if export.codes.vocabularies:
            places = places_of_codes(export.features, export.codes)
            lines.append(f"categorical_feature = {','.join(map(str, places))}")
        lines.append(f"objective = {'lambdarank' if export.ranks else 'regression'}")
        if export.ranks:
            largest = export.scale.largest or LEVELS - 1
            lines.append(f"label_gain = {','.join(map(str, range(largest + 1)))}")
        (path.parent / "train.conf").write_text("\n".join(lines) + "\n")
        names.append("train.conf")
    return names


def _header(features: Sequence[str]) -> list[str]:
    """Features as LightGBM can name them, all different.

    Of some characters it makes underscores, in models but not in files, and then takes the feature
    for missing; of others it makes an error.
    """
    names: list[str] = []
    for feature in features:
        name = re.sub(r'[\s",:\[\]{}]', "_", feature)
        while name in {*names, *_TAKEN}:
            name += "_"
        names.append(name)
    return names


def _xgboost(engine: Engine, export: Export, rows: str, path: Path) -> list[str]:
    group = " || ' qid:' || group_number" if export.ranks else ""
    _lines(engine, _of_rows(f"{_label()}{group} || {_pairs(export.features)}", rows), path)
    weights = Path(f"{path}.weights")
    if export.ranks:
        _lines(engine, _of_groups("avg(weight)", rows), weights)
    else:
        _lines(engine, _of_rows("cast(weight as varchar)", rows), weights)
    names = [path.name, weights.name]
    if path.stem == "train":
        ranking = {"objective": "rank:ndcg", "ndcg_exp_gain": False}
        parameters = ranking if export.ranks else {"objective": "reg:squarederror"}
        (path.parent / "parameters.json").write_text(json.dumps(parameters, indent=2) + "\n")
        names.append("parameters.json")
    return names


def _svmlight(engine: Engine, export: Export, rows: str, path: Path) -> list[str]:
    """SVMrank and RankLib: the group's number, the features, and the ids as a comment."""
    ids = r"regexp_replace(group_id || ' ' || item_id, '\s+', ' ', 'g')"
    line = f"{_label()} || ' qid:' || group_number || {_pairs(export.features)} || ' # ' || {ids}"
    _lines(engine, _of_rows(line, rows), path)
    return [path.name]


def _qrels(engine: Engine, export: Export, rows: str, path: Path) -> list[str]:
    del export  # judgments have no features
    _lines(
        engine,
        "select concat_ws(' ', group_id, '0', item_id, max(label))"
        f" from {rows} group by group_id, item_id order by group_id, item_id",
        path,
    )
    return [path.name]


def _label() -> str:
    return "cast(label as varchar)"


def _pairs(features: Sequence[str]) -> str:
    """Features as `` 1:0.5 2:3``; those without a value are left out."""
    if not features:
        return "''"
    pairs = [
        f"coalesce(' {number}:' || nullif(cast({column} as float), 'nan'::float), '')"
        for number, column in enumerate(map(quote_identifier, features), start=1)
    ]
    return " || ".join(pairs)


def _of_rows(value: str, rows: str) -> str:
    return f"select {value} from {rows} order by {_ORDER}"


def _of_groups(value: str, rows: str) -> str:
    return (
        f"select cast({value} as varchar) from {rows} group by group_number order by group_number"
    )


def _lines(engine: Engine, query: str, path: Path) -> None:
    options = f"csv, header false, delimiter {quote_literal(_SEPARATOR)}, quote '', escape ''"
    _copy(engine, query, path, options)


def _copy(engine: Engine, query: str, path: Path, options: str) -> None:
    engine.execute(f"copy ({query}) to {quote_literal(str(path))} (format {options})")
