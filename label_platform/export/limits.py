"""What would go wrong in a program that reads the files, said before it happens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from label_platform.export.facts import Facts
from label_platform.export.labels import LabelScale
from label_platform.export.targets import Target
from label_platform.ranking.feature_codes import MOST_VALUES

LARGEST_LIGHTGBM_GROUP = 10_000
LARGEST_EXPONENTIAL_GRADE = 31


@dataclass(frozen=True)
class Finding:
    """One thing that a reader would stumble over.

    Attributes:
        level: error: the program fails or learns something else; warning: something is lost.
        text: what was found, and what to do.
    """

    level: Literal["error", "warning"]
    text: str


def findings(
    target: Target,
    facts: Facts,
    scale: LabelScale,
    left_out: Sequence[str],
    *,
    ranks: bool,
) -> list[Finding]:
    """What a program would make of the rows of a part.

    Args:
        target: the program.
        facts: of the rows.
        scale: of the labels.
        left_out: features of text that are not written.
        ranks: whether it is to learn from pairs or lists.
    """
    errors = [Finding("error", text) for text in _errors(target, facts, scale, ranks=ranks)]
    warnings = _warnings(target, facts, scale, left_out, ranks=ranks)
    return errors + [Finding("warning", text) for text in warnings]


def _errors(target: Target, facts: Facts, scale: LabelScale, *, ranks: bool) -> Iterator[str]:
    if facts.rows == 0:
        yield "there are no rows with weight"
        return
    if facts.lowest == facts.highest:
        yield f"constant labels: {facts.lowest:g} in all {facts.rows:,} rows"
    if target.name == "lightgbm" and ranks and facts.largest_group > LARGEST_LIGHTGBM_GROUP:
        yield (
            f"LightGBM fails on groups of more than {LARGEST_LIGHTGBM_GROUP:,} rows, the largest "
            f"has {facts.largest_group:,}; leave rows out by negatives.at_most_per_list"
        )
    if target.labels == "grade" and scale.kind == "as_is":
        yield f"{target.name} takes whole grades from 0 on; write --labels grades:5"
    ranks_by_grade = ranks and target.name in {"lightgbm", "xgboost"}
    if ranks_by_grade and scale.kind == "as_is" and facts.lowest < 0:
        yield (
            f"{target.name} ranks by labels of 0 or more, the lowest is {facts.lowest:g}; "
            "write --labels levels"
        )
    if target.name == "lightgbm" and ranks and scale.kind == "as_is":
        yield "LightGBM's lambdarank takes whole labels; write --labels levels or grades:5"
    largest = target.largest_grade
    if largest is not None and scale.largest is not None and scale.largest > largest:
        yield (
            f"{target.name} gains 2^grade - 1, which overflows above {largest}; "
            f"found {scale.title}, write grades:5"
        )
    if target.name == "trec" and facts.ids_with_spaces:
        yield f"TREC's columns are parted by spaces, {facts.ids_with_spaces:,} rows have such ids"


def _warnings(
    target: Target,
    facts: Facts,
    scale: LabelScale,
    left_out: Sequence[str],
    *,
    ranks: bool,
) -> Iterator[str]:
    if left_out:
        many = f" of more than {MOST_VALUES:,} values" if target.text == "codes" else ""
        yield f"{len(left_out)} features are text{many} and are left out: {', '.join(left_out)}"
    if facts.missing and target.missing_is_zero:
        worst = max(facts.missing, key=lambda name: facts.missing[name])
        yield (
            f"{target.name} takes a missing value for 0: {len(facts.missing)} features have such, "
            f"most of all {worst} in {facts.missing[worst]:,} of {facts.rows:,} rows"
        )
    if target.weights == "none" and facts.weights > 1:
        yield f"{target.name} knows no weights: the {facts.weights:,} different ones are lost"
    if target.weights == "group" and ranks and facts.groups_of_mixed_weights:
        yield (
            f"{target.name} ranks with one weight a group: in {facts.groups_of_mixed_weights:,} of "
            f"{facts.groups:,} groups rows differ, their mean is written"
        )
    if scale.kind == "grades":
        yield (
            f"labels become {scale.grades} grades: differences within a grade are lost (five cost "
            ".02 to .05 nDCG in the platform's own studies)"
        )
    if target.name == "trec" and facts.repeated_items:
        yield (
            f"{facts.repeated_items:,} rows repeat an item of their group, the highest grade counts"
        )
    if ranks and facts.largest_group <= 1:
        yield "all groups have one row: there is nothing to rank"
