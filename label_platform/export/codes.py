"""Text features as the codes that the platform's own rankers learn from."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from label_platform.lake import Engine, quote_identifier
from label_platform.ranking import FeatureCodes

CODES_FILE = "feature_codes.json"


def coded_rows(engine: Engine, rows: str, codes: FeatureCodes) -> str:
    """The rows with text features as codes, null where a value is missing or not in training rows.

    Args:
        engine: reads the rows; keeps the vocabularies as tables.
        rows: relation with the features as text.
        codes: of the features that are text.
    """
    if not codes.vocabularies:
        return rows
    replaced, joined = [], []
    for number, (name, values) in enumerate(codes.vocabularies.items(), start=1):
        table, column = f"feature_codes_{number}", quote_identifier(name)
        places = pa.array(range(len(values)), pa.int32())
        engine.register(table, pa.table({"value": pa.array(values, pa.string()), "code": places}))
        replaced.append(f"{table}.code as {column}")
        joined.append(f"left join {table} on {table}.value = rows.{column}")
    return f"(select rows.* replace ({', '.join(replaced)}) from {rows} as rows {' '.join(joined)})"


def write_codes(codes: FeatureCodes, folder: Path) -> str:
    """Write the vocabularies as ``FeatureCodes.from_fields`` reads them; returns the file's name.

    Args:
        codes: of the features that are text.
        folder: an existing folder.
    """
    (folder / CODES_FILE).write_text(json.dumps(asdict(codes), indent=2) + "\n")
    return CODES_FILE


def describe_codes(program: str, features: Sequence[str], codes: FeatureCodes) -> dict[str, Any]:
    """How a program is told which features are codes and not magnitudes.

    Args:
        program: lightgbm or xgboost.
        features: all that are written, in their order.
        codes: of those of them that are text.

    Returns:
        The features, where their codes are, and what to pass to the program, in words and values.
    """
    known = {
        "names": [name for name in features if name in codes.vocabularies],
        "codes": f"{CODES_FILE}: a value's code is its place in the vocabulary, counted from 0; "
        "a value that is missing or not in it has none",
    }
    if program == "xgboost":
        kinds = ["c" if name in codes.vocabularies else "q" for name in features]
        advice = (
            "a libsvm file cannot say which features are categories: pass these feature_types and "
            "enable_categorical=True to xgboost.DMatrix, to train and to score"
        )
        return known | {"pass": advice, "feature_types": kinds}
    advice = (
        "train.conf says so; in Python, pass this categorical_feature to lightgbm.Dataset. "
        "Features count from 0, without the label; nan stands for a value without a code"
    )
    return known | {"pass": advice, "categorical_feature": places_of_codes(features, codes)}


def places_of_codes(features: Sequence[str], codes: FeatureCodes) -> list[int]:
    """Which features are codes, as LightGBM counts: from 0, without the label.

    Names would do only where LightGBM keeps them as they are.
    """
    return [place for place, name in enumerate(features) if name in codes.vocabularies]
