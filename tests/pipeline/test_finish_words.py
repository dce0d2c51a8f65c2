"""What a training row's label is made into, in words: each sum by hand."""

from pathlib import Path

import pytest
import yaml

from label_platform.examples import Fitted
from label_platform.pipeline.policy_diff.finish_words import label_words, weight_words
from label_platform.policy import Policy, load_policy
from tests.pipeline.conftest import PROJECT

COEC = {"method": "coec", "clip": 0.05}


def policy(folder: Path, name: str, **changes: object) -> Policy:
    content = yaml.safe_load((PROJECT / "policies" / f"{name}.yaml").read_text())
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**content, **changes}))
    return load_policy(path)


def test_a_prior_and_grades(tmp_path: Path) -> None:
    prior = {"toward": "empirical_bayes"}
    graded = policy(
        tmp_path, "coec_click", debias={**COEC, "prior": prior}, grading={"quantiles": 4}
    )
    fitted = Fitted(prior_mean=0.2, prior_strength=3.0, bounds=(0.0, 0.3, 0.5))
    row = {"label": 2.0, "expected_examinations": 2.0}
    # (1 x 2 + 3 x .2) / (2 + 3) = 2.6 / 5 = .52, above all three bounds but the row says 2
    assert label_words(graded, fitted, row, {"label": 1.0}) == (
        "drawn toward the mean of all 0.2 with strength 3: (1 x 2 + 3 x 0.2) / (2 + 3) = 0.52; "
        "above 2 of the bounds 0, 0.3, 0.5: grade 2"
    )
    refused = Fitted(prior_refusal="rarely examined items are clicked less")
    words = label_words(graded, refused, row, {"label": 1.0})
    assert words.startswith("without a prior, which is refused: rarely examined items are clicked")


def test_a_doubly_robust_label_and_a_teacher(tmp_path: Path) -> None:
    taught = policy(
        tmp_path, "doubly_robust_click", teacher={"model": "teacher.txt", "share": 0.25}
    )
    row = {"label": 0.7, "prediction": 0.4, "teacher_score": 0.8}
    # .5 + .4 x .1 = .54; .75 x .54 + .25 x .8 = .605
    assert label_words(taught, Fitted(), row, {"label": 0.5, "prediction_share": 0.1}) == (
        "0.5 + prediction 0.4 x share 0.1 not examined = 0.54; "
        "0.75 x 0.54 + 0.25 x the teacher's score 0.8 = 0.605"
    )
    # of an item that no list showed the label is the prediction: .75 x .4 + .25 x .8 = .5
    assert label_words(taught, Fitted(), row, None).endswith(
        "= 0.4; 0.75 x 0.4 + 0.25 x the teacher's score 0.8 = 0.5"
    )


def test_weights(tmp_path: Path) -> None:
    posterior = policy(tmp_path, "posterior_click")
    row = {"weight": 0.375, "origin": "shown", "expected_examinations": 0.5, "prediction": 0.2}
    row |= {"raw_label": 0.0}
    # .5 x .8 / (1 - .1) = .4 / .9
    assert weight_words(posterior, row, {"label": 0.0}) == (
        "weight 0.375 as shown, by P(examined, if not clicked) = 0.5 x (1 - 0.2) / "
        f"(1 - 0.5 x 0.2) = {0.4 / 0.9:g}"
    )
    assert weight_words(posterior, row, {"label": 1.0}) == "weight 0.375 as shown"
    # a complaint, and a click that was worth nothing
    assert weight_words(posterior, row, {"label": -1.0}) == "weight 0.375 as shown"
    clicked = row | {"raw_label": 1.0}
    assert weight_words(posterior, clicked, {"label": 0.0}) == "weight 0.375 as shown"
    for half_life, words in (
        ("7d", "7 days"),
        ("24h", "1 day"),
        ("36h", "36 hours"),
        ("90m", "1.5 hours"),
    ):
        decayed = policy(tmp_path, "raw_click", decay={"half_life": half_life})
        assert weight_words(decayed, row, {"label": 0.0}) == (
            f"weight 0.375 as shown, by its age at a half-life of {words}"
        )


@pytest.mark.parametrize("name", ["raw_click", "coec_click"])
def test_what_trains_as_it_is_needs_no_words(tmp_path: Path, name: str) -> None:
    assert label_words(policy(tmp_path, name), Fitted(), {"label": 1.0}, {"label": 1.0}) == ""
