"""The programs that examples can be written for, and what each of them can read."""

from dataclasses import dataclass
from typing import Literal

LabelKind = Literal["number", "grade"]


@dataclass(frozen=True)
class Target:
    """What a program can read.

    Attributes:
        name: as a user writes it.
        file_name: of a part's file.
        scale: how labels are written by default: as_is, levels, or grades:N.
        ranking_scale: the same for rankers that learn from pairs or lists.
        labels: numbers, or whole grades from 0 on.
        largest_grade: the largest that it takes; None for any.
        weights: for each row, for each group, or not at all.
        text: whether features of text are written as codes, as they are, or left out, since
            their codes would be read as magnitudes.
        missing_is_zero: whether a value that is left out counts as 0.
        reader: who reads it, for people.
    """

    name: str
    file_name: str
    scale: str
    ranking_scale: str
    labels: LabelKind
    largest_grade: int | None
    weights: Literal["row", "group", "none"]
    text: Literal["codes", "as_is", "left_out"]
    missing_is_zero: bool
    reader: str

    def file_of(self, part: str) -> str:
        """The name of a part's file."""
        return self.file_name.format(part=part)


TARGETS = {
    target.name: target
    for target in (
        Target(
            "lightgbm",
            "{part}.csv",
            "as_is",
            "levels",
            "number",
            None,
            "row",
            "codes",
            missing_is_zero=False,
            reader="lightgbm config=train.conf, or lightgbm.Dataset",
        ),
        Target(
            "xgboost",
            "{part}.libsvm",
            "as_is",
            "levels",
            "number",
            None,
            "group",
            "codes",
            missing_is_zero=False,
            reader="sklearn.datasets.load_svmlight_file, then xgboost.DMatrix(..., qid=...)",
        ),
        Target(
            "svmrank",
            "{part}.dat",
            "as_is",
            "as_is",
            "number",
            None,
            "none",
            "left_out",
            missing_is_zero=True,
            reader="svm_rank_learn",
        ),
        Target(
            "ranklib",
            "{part}.txt",
            "grades:5",
            "grades:5",
            "grade",
            31,
            "none",
            "left_out",
            missing_is_zero=True,
            reader="RankLib -train",
        ),
        Target(
            "trec",
            "{part}.qrels",
            "grades:5",
            "grades:5",
            "grade",
            None,
            "none",
            "as_is",
            missing_is_zero=False,
            reader="trec_eval, ir_measures",
        ),
        Target(
            "parquet",
            "{part}.parquet",
            "as_is",
            "as_is",
            "number",
            None,
            "row",
            "as_is",
            missing_is_zero=False,
            reader="anything that reads Parquet",
        ),
    )
}
