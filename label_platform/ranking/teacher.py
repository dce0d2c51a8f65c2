"""A model whose scores stand in for a share of the label (distillation)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow as pa

from label_platform.policy.check_teacher import TeacherFileError, read_teacher_file
from label_platform.ranking.comparable_lists import Floats
from label_platform.ranking.errors import TrainingError
from label_platform.ranking.feature_matrix import read_features
from label_platform.strict_yaml import nearest


@dataclass(frozen=True, eq=False)
class Teacher:
    """A LightGBM model read from a file.

    Attributes:
        path: of the file.
        feature_names: the columns it reads, in its order.
        trees: the model.
    """

    path: Path
    feature_names: tuple[str, ...]
    trees: lgb.Booster


def load_teacher(path: Path, feature_names: Sequence[str]) -> Teacher:
    """Read a teacher.

    Args:
        path: of a LightGBM text model (``Booster.save_model``) that was trained with names of
            features.
        feature_names: of the features that examples have; a teacher may know fewer.

    Raises:
        TrainingError: no such file, not a LightGBM text model of one output, or a model of
            features that examples do not have.
    """
    try:
        trees = lgb.Booster(model_str=read_teacher_file(path).text)
    except (TeacherFileError, lgb.basic.LightGBMError) as error:
        raise TrainingError(f"{path}: {error}") from error
    names = tuple(trees.feature_name())
    unknown = [name for name in names if name not in feature_names]
    if unknown:
        hints = "; ".join(f"{name!r}: {nearest(name, feature_names)}" for name in unknown[:3])
        raise TrainingError(
            f"{path}: found a model of {len(names)} features, {len(unknown)} of which the "
            f"examples do not have, expected features of the examples; {hints}"
        )
    return Teacher(path, names, trees)


def teacher_scores(teacher: Teacher, rows: pa.Table) -> Floats:
    """The model's predictions, on the scale it was trained on: probabilities of a binary model.

    Args:
        teacher: the model.
        rows: hold the columns it reads, in any order, among others.

    Returns:
        One score per row.

    Raises:
        TrainingError: a column is absent or not numeric.
    """
    matrix = read_features(rows, teacher.feature_names)
    if not len(matrix):
        return np.zeros(0)
    return np.asarray(teacher.trees.predict(matrix, num_threads=1), dtype=np.float64)
