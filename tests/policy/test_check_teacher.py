"""A teacher is opened when its policy is checked, not when its labels are built."""

from collections.abc import Sequence
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pytest

from label_platform.policy import Policy
from label_platform.problem import Problem
from tests.policy.conftest import MakePolicy, MakeProblem, refusal_of

NAMES = ("f_match", "item_price")
"""Of features as the problem's f_* and item_* name them."""


@pytest.fixture
def policy(make_policy: MakePolicy) -> Policy:
    return make_policy(teacher={"model": "models/teacher.txt"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path / "models" / "teacher.txt"


def save(path: Path, names: Sequence[str] = NAMES, **parameters: object) -> str:
    """A small model; returns its text."""
    rng = np.random.default_rng(3)
    matrix = rng.random((200, len(names)))
    label = (matrix[:, 0] > 0.7).astype(float)
    settings = {"verbosity": -1, "num_threads": 1, "objective": "regression", **parameters}
    data = lgb.Dataset(matrix, label, feature_name=list(names))
    lgb.train(settings, data, 4).save_model(path)
    return path.read_text()


def test_a_model_of_the_problems_features_passes(
    file: Path, policy: Policy, problem: Problem
) -> None:
    save(file)
    assert refusal_of(policy, problem) == ""
    save(file, ["item_price"])  # it may know fewer
    assert refusal_of(policy, problem) == ""


def test_a_file_is_looked_for_beside_the_policy_file(
    tmp_path: Path, file: Path, policy: Policy, problem: Problem
) -> None:
    refusal = (
        f"{tmp_path / 'mine.yaml'}: teacher.model: there is no file {file}; it is looked for "
        "beside the policy file"
    )
    assert refusal_of(policy, problem) == refusal
    save(file.with_name("techer.txt"))
    hint = "; did you mean 'techer.txt'? valid: techer.txt"
    assert refusal_of(policy, problem) == refusal + hint
    file.mkdir()
    assert refusal_of(policy, problem) == refusal + hint


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "found '' in its first line and no line 'end of trees'"),
        (b"{}", "found '{}' in its first line and no line 'end of trees'"),
        (b"PAR1\x00\xff\xfe", "found no text"),
        (b"tree\n\nend of trees\n", "found no line num_class=... before its trees"),
    ],
)
def test_what_is_no_model_is_refused(
    file: Path, policy: Policy, problem: Problem, content: bytes, found: str
) -> None:
    file.write_bytes(content)
    said = refusal_of(policy, problem)
    assert f"teacher.model: {file}: {found}, expected a LightGBM text model" in said


def test_a_model_that_is_cut_off_or_damaged_is_refused(
    file: Path, policy: Policy, problem: Problem
) -> None:
    text = save(file)
    file.write_text(text[: text.index("Tree=3")])
    assert "no line 'end of trees', expected a LightGBM" in refusal_of(policy, problem)
    file.write_text(text.replace("\nleaf_value=", "\nleaf_value=0.5 ", 1))
    start, end = text.index("Tree=0"), text.index("end of trees")
    longer = end - start + len("0.5 ")
    assert f"found trees of {longer} bytes where its line tree_sizes says otherwise" in refusal_of(
        policy, problem
    )


@pytest.mark.parametrize("key", ["num_class", "feature_names", "feature_infos"])
def test_a_header_without_what_is_needed_is_refused(
    file: Path, policy: Policy, problem: Problem, key: str
) -> None:
    lines = save(file).split("\n")
    file.write_text("\n".join(line for line in lines if not line.startswith(f"{key}=")))
    assert f"found no line {key}=... before its trees" in refusal_of(policy, problem)


def test_features_that_the_problem_does_not_have_are_named(
    file: Path, policy: Policy, problem: Problem, make_problem: MakeProblem
) -> None:
    save(file, ["price", "f_match", "Column_0"])
    assert refusal_of(policy, problem).endswith(
        f"teacher.model: {file}: found a model of 3 features, 2 of which the problem does not have "
        "(price, Column_0), expected names that the problem's features or item_features name: "
        "f_*, item_*"
    )
    save(file)
    assert "2 of which" in refusal_of(policy, make_problem(features=["g_*"], item_features=[]))


def test_a_model_of_several_classes_is_refused(
    file: Path, policy: Policy, problem: Problem
) -> None:
    save(file, objective="multiclass", num_class=3)
    assert "found a model of 3 outputs, expected one score" in refusal_of(policy, problem)


def test_a_file_that_may_not_be_read_is_refused(
    file: Path, policy: Policy, problem: Problem
) -> None:
    save(file)
    file.chmod(0)
    try:
        file.read_text()
    except PermissionError:
        assert f"{file}: found Permission denied, expected" in refusal_of(policy, problem)
    else:
        pytest.skip("this user may read every file")
    finally:
        file.chmod(0o600)
