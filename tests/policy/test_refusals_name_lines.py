"""What does not fit the problem is refused with the line of the file on which it stands."""

from pathlib import Path

import pytest

from label_platform.policy import check_policy, load_policies, load_policy, policy_of_text
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError
from tests.policy.conftest import MakeProblem

POLICY = """\
# a comment, so that lines and keys are not counted alike
name: mine

grain: impression
signals:
  click: {gain: 1.0}
  purchas:                   # misspelt
    gain: 2.0
segments:
  - when: {device: mobile}
    signals: {click: {gain: 0.5}}
  - {when: {devise: desktop}, signals: {click: {gain: 0.5}}}
rankers:
  - objective: pointwise
  - objective: pointwise
    position: both
"""


def refused(path: Path, problem: Problem) -> list[str]:
    """File, line and key of each refusal."""
    with pytest.raises(ConfigurationError) as refusal:
        check_policy(load_policy(path), problem)
    return [": ".join(line.split(": ")[:3]) for line in str(refusal.value).splitlines()]


def line_of(text: str) -> int:
    (number,) = [number for number, line in enumerate(POLICY.splitlines(), 1) if text in line]
    return number


def test_the_line_of_each_key_is_named(tmp_path: Path, problem: Problem) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(POLICY)
    assert refused(path, problem) == [
        f"{path}: line {line_of('misspelt')}: signals.purchas",
        f"{path}: line {line_of('devise')}: segments.1.when.devise",
        f"{path}: line {line_of('position: both')}: rankers.1.position",
    ]


def test_a_value_that_the_file_leaves_out_has_the_line_of_the_block(
    tmp_path: Path, problem: Problem
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\ngrain: impression\nrankers:\n- objective: pointwise\n"
        "watch_time:\n  watch_s: dwell_s\n  label: wt\n"
    )
    # duration is duration_s where the file does not say it
    assert refused(path, problem) == [f"{path}: line 5: watch_time.duration"]


def test_a_key_that_is_not_in_the_file_at_all_has_no_line(
    tmp_path: Path, make_problem: MakeProblem
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\ngrain: impression\nrankers:\n- objective: pointwise\n"
        "watch_time: {watch_s: dwell_s, label: wt, duration: f_d}\n"
    )
    never = make_problem(signals={"click": {"window": "30m"}, "dwell_s": {"window": "0m"}})
    (line,) = refused(path, never)
    assert line.startswith(f"{path}: signals.dwell_s: its window")


def test_what_only_an_older_text_says_has_no_line_of_the_file_of_now(
    tmp_path: Path, problem: Problem
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(POLICY.replace("purchas:", "purchase:").replace("devise", "device"))
    then = policy_of_text(POLICY, path, "mine@HEAD~1")
    with pytest.raises(ConfigurationError) as refusal:
        check_policy(then, problem)
    assert "line" not in str(refusal.value)
    assert str(refusal.value).startswith(f"{path}: signals.purchas: the problem has no such")
    path.unlink()
    with pytest.raises(ConfigurationError) as refusal:
        check_policy(then, problem)
    assert "line" not in str(refusal.value)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("name: yours\n", "line 1: name: found 'yours'"),
        ("name: mine\npath: /etc\n", "line 2: path: unknown key"),
        ("name: mine\nnegatives:\n  random: {per_positive: 1}\n  skip_above:\n", "line 4: negat"),
    ],
)
def test_what_is_wrong_of_the_file_alone_has_lines_too(
    tmp_path: Path, make_problem: MakeProblem, wrong: str, told: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(wrong + POLICY.partition("name: mine\n")[2])
    with pytest.raises(ConfigurationError) as refusal:
        load_policies(make_problem(policies={"from": str(tmp_path), "use": ["mine"]}))
    assert f"{path}: {told}" in str(refusal.value)
