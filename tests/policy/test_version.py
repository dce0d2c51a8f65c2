from collections.abc import Callable
from pathlib import Path

import pytest

from label_platform.policy import label_version, load_policy, policy_version, version
from label_platform.problem import Problem

MakeProblem = Callable[..., Problem]

POLICY = """
name: mine
grain: impression
signals:
  click: {gain: 0.3, quality: {of: dwell_s, shape: log, cap: 300}}
  add_to_cart: {gain: 1}
debias: {method: ips}
negatives: {skip_above: {}}
rankers:
  - {objective: pointwise, position: debias_only}
"""


@pytest.fixture
def versions(tmp_path: Path, problem: Problem) -> Callable[..., tuple[str, str]]:
    def compute(text: str, of: Problem = problem) -> tuple[str, str]:
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        policy = load_policy(path)
        return label_version(policy, of), policy_version(policy, of)

    return compute


Versions = Callable[..., tuple[str, str]]


def test_versions_are_twelve_hex_digits(versions: Versions) -> None:
    for found in versions(POLICY):
        assert len(found) == 12
        assert int(found, 16) >= 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: mine", "# a comment\nname: mine\ndescription: other words"),
        ("add_to_cart: {gain: 1}", "add_to_cart: {gain: 1.0}"),
        ("debias: {method: ips}", "debias: {clip: 0.05, method: ips, on_refusal: fail}"),
        ("grain: impression", "combine: sum\ngrain: impression\ndelay: {immature: exclude}"),
        ("negatives: {skip_above: {}}", "negatives: {skip_above: {weight: 1}}"),
        ("position: debias_only}", "weight: one, position: debias_only}"),
        (
            (
                "  click: {gain: 0.3, quality: {of: dwell_s, shape: log, cap: 300}}\n"
                "  add_to_cart: {gain: 1}"
            ),
            (
                "  add_to_cart: {gain: 1}\n"
                "  click: {quality: {cap: 300, shape: log, of: dwell_s}, gain: 0.3}"
            ),
        ),
    ],
)
def test_comments_order_and_spelt_out_defaults_do_not_count(
    versions: Versions, old: str, new: str
) -> None:
    assert old in POLICY
    assert versions(POLICY.replace(old, new)) == versions(POLICY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("gain: 0.3", "gain: 0.31"),
        ("cap: 300", "cap: 200"),
        ("shape: log", "shape: linear"),
        ("grain: impression", "grain: impression\ncombine: max"),
        ("{method: ips}", "{method: ips, clip: 0.1}"),
        ("{method: ips}", "{method: none}"),
    ],
)
def test_what_changes_labels_changes_both_versions(versions: Versions, old: str, new: str) -> None:
    before, after = versions(POLICY), versions(POLICY.replace(old, new))
    assert before[0] != after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("objective: pointwise", "objective: lambdarank"),
        ("skip_above: {}", "skip_above: {weight: 2}"),
        ("negatives: {skip_above: {}}\n", ""),
        ("grain: impression", "grain: impression\ndelay: {immature: provisional}"),
    ],
)
def test_rankers_negatives_and_delay_change_the_policys_version_alone(
    versions: Versions, old: str, new: str
) -> None:
    before, after = versions(POLICY), versions(POLICY.replace(old, new))
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_only_definitions_that_the_policy_uses_count(
    versions: Versions, make_problem: MakeProblem
) -> None:
    signals = {
        "click": {"window": "30m"},
        "dwell_s": {"of": "click", "window": "30m"},
        "add_to_cart": {"window": "1d"},
        "purchase": {"window": "3d", "reversed_by": "return"},
    }
    before = versions(POLICY)
    unused = make_problem(signals=signals | {"purchase": {"window": "7d"}})
    assert versions(POLICY, unused) == before
    for name, changed in (
        ("click", {"window": "1h"}),
        ("dwell_s", {"of": "click", "window": "1h"}),
        ("add_to_cart", {"window": "1d", "reversed_by": "remove_from_cart"}),
    ):
        assert versions(POLICY, make_problem(signals=signals | {name: changed}))[0] != before[0]


def test_the_definition_of_a_described_signal_counts(
    versions: Versions, make_problem: MakeProblem
) -> None:
    """A dwell counts only where its click does, so the click's window decides too."""
    quality = "click: {gain: 0.3, quality: {of: dwell_s, shape: log, cap: 300}}"
    dwell = POLICY.replace(quality, "dwell_s: {gain: 1}").replace("add_to_cart", "purchase")
    signals = {
        "click": {"window": "30m"},
        "dwell_s": {"of": "click", "window": "30m"},
        "purchase": {"window": "3d"},
    }
    before = versions(dwell, make_problem(signals=signals))
    longer = make_problem(signals=signals | {"click": {"window": "1h"}})
    assert versions(dwell, longer)[0] != before[0]


def test_context_counts_where_it_is_debiased(versions: Versions, make_problem: MakeProblem) -> None:
    elsewhere = make_problem(context=["device", "surface"])
    assert versions(POLICY, elsewhere)[0] != versions(POLICY)[0]
    raw = POLICY.replace("method: ips", "method: none")
    assert versions(raw, elsewhere) == versions(raw)
    # without debiasing, theta still weighs examined rows
    theta = raw.replace("skip_above: {}", "examined: {}")
    assert versions(theta, elsewhere)[0] == versions(theta)[0]
    assert versions(theta, elsewhere)[1] != versions(theta)[1]


def test_a_new_meaning_of_the_formulas_changes_every_version(
    versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = versions(POLICY)
    monkeypatch.setattr(version, "SEMANTICS", version.SEMANTICS + 1)
    after = versions(POLICY)
    assert before[0] != after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("method: ips", "method: ips", False),
        ("method: ips", "method: affine", True),
        ("method: ips", "method: doubly_robust", True),
        ("negatives:", "delay: {immature: reweight}\nnegatives:", False),
        ("negatives:", "auxiliary: {signals: {click: {gain: 1}}}\nnegatives:", False),
        (
            "negatives:",
            "auxiliary: {signals: {click: {gain: 1}}}\ndelay: {immature: reweight}\nnegatives:",
            True,
        ),
    ],
)
def test_a_corrected_formula_changes_the_versions_of_its_labels_alone(
    versions: Versions,
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    new: str,
    changes: bool,  # noqa: FBT001 - of a parametrised test
) -> None:
    text = POLICY.replace(old, new)
    before = versions(text)
    monkeypatch.setattr(version, "_CORRECTED", -1)
    assert (versions(text)[0] != before[0]) == changes
    assert (versions(text)[1] != before[1]) == changes
