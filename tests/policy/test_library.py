import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from label_platform.policy import load_policies, load_policy
from label_platform.problem import Problem, load_problem
from label_platform.strict_yaml import ConfigurationError
from tests.policy.conftest import without_lines

ROOT = Path(__file__).parents[2]
MakeProblem = Callable[..., Problem]
POLICY = {
    "name": "mine",
    "grain": "impression",
    "signals": {"click": {"gain": 1.0}},
    "rankers": [{"objective": "pointwise"}],
}


def write(path: Path, /, **changes: object) -> Path:
    path.write_text(yaml.safe_dump(POLICY | changes))
    return path


def test_every_shipped_policy_fits_a_shipped_problem() -> None:
    every = {path.stem: path for path in (ROOT / "policies").glob("*.yaml")}
    of_feeds = {name for name in every if load_policy(every[name]).watch_time} | {"ef"}
    of_catalogues = {name for name in every if load_policy(every[name]).negatives.random}
    checked: set[str] = set()
    for name, changes, use in (
        ("product_search", {}, set(every) - of_feeds - of_catalogues),
        # what is not shown has no features of an impression
        ("product_search", {"features": ()}, of_catalogues),
        ("kuairand", {}, of_feeds),
    ):
        problem = load_problem(ROOT / "data" / "problems" / f"{name}.yaml")
        problem = problem.model_copy(update=changes)
        used = problem.policies.model_copy(update={"use": tuple(sorted(use))})
        policies = load_policies(problem.model_copy(update={"policies": used}))
        assert [policy.name for policy in policies] == sorted(use)
        assert all(policy.description for policy in policies)
        checked |= use
    assert checked == set(every)
    assert len(of_feeds) == 10
    assert of_catalogues == {"coec_never_shown"}
    assert len(every) >= 15


def test_policies_come_in_the_problems_order(make_problem: MakeProblem) -> None:
    use = ["ips_click", "raw_click"]
    problem = make_problem(policies={"from": str(ROOT / "policies"), "use": use})
    assert [policy.name for policy in load_policies(problem)] == use


def test_a_loaded_policy_knows_its_file(tmp_path: Path) -> None:
    assert load_policy(write(tmp_path / "mine.yaml")).path == tmp_path / "mine.yaml"


def test_everything_that_is_wrong_is_told_at_once(
    tmp_path: Path, make_problem: MakeProblem
) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    write(folder / "mine.yaml")
    write(folder / "other.yaml", name="other", signals={"clik": {"gain": 1}})
    use = ["mine", "mine", "mien", "other"]
    with pytest.raises(ConfigurationError) as refusal:
        load_policies(make_problem(policies={"from": str(folder), "use": use}))
    assert without_lines(refusal.value).splitlines() == [
        "shop: policies.use: 'mine' stands there more than once",
        (
            f"shop: policies.use: no policy 'mien' in {folder}; did you mean 'mine'? "
            "valid: mine, other"
        ),
        (
            f"{folder / 'other.yaml'}: signals.clik: the problem has no such signal; "
            "did you mean 'click'? valid: add_to_cart, click, dwell_s, purchase"
        ),
    ]


def test_a_key_without_a_value_is_refused_in_lists_too(tmp_path: Path) -> None:
    empty = {"when": {"device": "mobile"}, "signals": {"click": {"gain": 1.0, "quality": None}}}
    path = write(tmp_path / "mine.yaml", segments=[empty])
    with pytest.raises(ConfigurationError) as refusal:
        load_policy(path)
    words = "segments.0.signals.click.quality: has no value; write one, or {} for a block with its"
    assert words in str(refusal.value)


def test_no_policy_or_no_file_at_all(tmp_path: Path, make_problem: MakeProblem) -> None:
    with pytest.raises(ConfigurationError, match=r"policies.use: names no policy"):
        load_policies(make_problem(policies={"from": str(tmp_path), "use": []}))
    empty = tmp_path / "empty"
    with pytest.raises(ConfigurationError, match=r"'raw_click' in .*empty; there are no policy"):
        load_policies(make_problem(policies={"from": str(empty), "use": ["raw_click"]}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "yours"}, "name: found 'yours', expected 'mine' as the file is called"),
        (
            {"negatives": {"skip_above": None}},
            "negatives.skip_above: has no value; write one, or {}",
        ),
        ({"path": "/etc"}, "path: unknown key"),
        ({"debais": {"method": "ips"}}, "debais: unknown key; did you mean 'debias'?"),
        ({"signals": {"click": {"gain": float("nan")}}}, "signals.click.gain: "),
        (
            {"negatives": {"skip_above": {"wieght": 1}}},
            "negatives.skip_above.wieght: unknown key; did you mean 'weight'?",
        ),
    ],
)
def test_what_does_not_fit_the_form_is_named(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    path = write(tmp_path / "mine.yaml", **changes)
    with pytest.raises(
        ConfigurationError, match=rf"{re.escape(str(path))}: (line \d+: )?{re.escape(words)}"
    ):
        load_policy(path)


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (
            {"grading": {"quantiles": 1}},
            ["grading.quantiles: Input should be greater than or equal to 2, found 1"],
        ),
        (
            {"combine": {"dual": ["click"], "dense_share": 1.5}},
            ["combine.dense_share: Input should be less than or equal to 1, found 1.5"],
        ),
        (
            {"combine": "summ"},
            [
                (
                    "combine: expected sum, max, {first: ...} or {dual: ...}, found 'summ'; did "
                    "you mean 'sum'?"
                )
            ],
        ),
        (
            {"grading": {"quantils": 3}},
            [
                (
                    "grading: expected continuous, {quantiles: ...} or {thresholds: ...}, found "
                    "{'quantils': 3}; did you mean 'quantiles'?"
                )
            ],
        ),
        (
            {"combine": {"first": ["click"], "dual": ["click"]}},
            [
                (
                    "combine: expected sum, max, {first: ...} or {dual: ...}, found "
                    "{'dual': ['click'], 'first': ['click']}"
                )
            ],
        ),
        (
            {"grading": {"thresholds": [1, "b", "c"]}},
            [
                "grading.thresholds.1: expected a number, found 'b'",
                "grading.thresholds.2: expected a number, found 'c'",
            ],
        ),
        (
            {"debias": {"on_refusal": "nothing"}},
            ["debias.on_refusal: expected fail or {fall_back_to: ...}, found 'nothing'"],
        ),
        (
            {"grading": {"thresholds": [0.1, float("inf")]}},
            ["grading.thresholds: expected finite numbers, found [0.1, inf]"],
        ),
        (
            {"segments": [{"when": {"device": []}}]},
            ["segments.0.when: device: expected a value, or a list of them, found none"],
        ),
        (
            {"segments": [{"when": {"position": 1}}]},
            ["segments.0.when.position: expected a text or a list of texts, found 1"],
        ),
        (
            {"segments": [{"when": {"position": ["a", 1]}}]},
            ["segments.0.when.position.1: Input should be a valid string, found 1"],
        ),
        (
            {"negatives": {"examined": {"weight": "thta"}}},
            [
                (
                    "negatives.examined.weight: expected theta, posterior or a number, found "
                    "'thta'; did you mean 'theta'?"
                )
            ],
        ),
        (
            {"signals": {"click": 1}, "decay": "7d"},
            [
                "signals.click: expected a mapping of keys such as {gain: ...}, found 1",
                "decay: expected a mapping of keys such as {half_life: ...}, found '7d'",
            ],
        ),
        (
            {"decay": {"half_life": 7}},
            ["decay.half_life: expected a duration such as 30m, 12h or 7d, found 7"],
        ),
        (
            {"rankers": [{"objective": "pointwis"}]},
            [
                (
                    "rankers.0.objective: found 'pointwis'; did you mean 'pointwise'? "
                    "valid: lambdarank, pointwise, rank_xendcg"
                )
            ],
        ),
        ({"rankers": []}, ["rankers: expected at least 1 item, found []"]),
    ],
)
def test_only_the_form_that_was_meant_is_told_of(
    tmp_path: Path, changes: dict[str, object], lines: list[str]
) -> None:
    path = write(tmp_path / "mine.yaml", **changes)
    with pytest.raises(ConfigurationError) as refusal:
        load_policy(path)
    told = [line.split(": ", 2)[2] for line in str(refusal.value).splitlines()]
    assert told == lines


@pytest.mark.parametrize(
    ("parameters", "beginnings"),
    [
        (
            {"learning_rte": 0.1, "num_leaves": 1, "max_bin": "many"},
            [
                ".num_leaves: Input should be greater than or equal to 2, found 1",
                ".max_bin: ",
                ".learning_rte: unknown key; did you mean 'learning_rate'? valid: bagging_fraction",
            ],
        ),
        ({"seed": 1}, [": seed cannot be set: two fits would differ; the platform sets it"]),
        ({"num_threads": 8}, [": num_threads cannot be set: trees must not depend on"]),
        ({"objective": "binary"}, [": objective cannot be set: the ranker says it by objective"]),
        ({"label_gain": [0, 1]}, [": label_gain cannot be set: the ranker says it by gain"]),
        ({"bagging_fraction": 0.5}, [": bagging_fraction 0.5 and bagging_freq 0 have no effect"]),
    ],
)
def test_parameters_that_are_none_of_a_policys_are_refused_by_name(
    tmp_path: Path, parameters: dict[str, object], beginnings: list[str]
) -> None:
    ranker = {"objective": "pointwise", "parameters": parameters}
    path = write(tmp_path / "mine.yaml", rankers=[ranker])
    with pytest.raises(ConfigurationError) as refusal:
        load_policy(path)
    told = [line.split(": ", 2)[2] for line in str(refusal.value).splitlines()]
    assert len(told) == len(beginnings)
    for line, beginning in zip(told, beginnings, strict=True):
        assert line.startswith(f"rankers.0.parameters{beginning}")
