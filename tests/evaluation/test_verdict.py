"""Sentences about a policy, for whoever has to sign it off."""

import pandas as pd
import pytest

from label_platform.evaluation import verdicts

BETTER, WORSE = "better than raw_click", "worse than raw_click"
SAME, REFUSED = "no difference shown", "refused: 3 clicks"


def sentence_of(*cells: tuple[str, str, str]) -> str:
    """The sentence of one arm with these (yardstick, slice, verdict)."""
    (found,) = verdicts(table_of(*cells), "raw_click")
    return found.sentence


def table_of(*cells: tuple[str, str, str]) -> pd.DataFrame:
    rows = pd.DataFrame(cells, columns=["yardstick", "slice", "verdict"])
    reason = rows["verdict"].str.partition("refused: ")[2]
    return rows.assign(policy="coec", ranker="lambdarank", reason=reason)


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        (
            [
                ("true_ndcg_at_10", "all", BETTER),
                ("true_ndcg_at_10_unseen", "all", BETTER),
                ("off_policy_dcg", "all", BETTER),
                ("randomized_click_dcg", "all", SAME),
                ("off_policy_dcg", "device=mobile", WORSE),
            ],
            (
                "better than raw_click on 3 of 4 yardsticks (true relevance, true relevance of "
                "unseen queries and the off-policy estimate); the randomised slice cannot tell; "
                "worse for device=mobile on the off-policy estimate"
            ),
        ),
        (
            [("off_policy_dcg", "all", BETTER), ("off_policy_dcg", "device=mobile", BETTER)],
            "better than raw_click on 1 of 1 yardstick (the off-policy estimate)",
        ),
        (
            [("off_policy_dcg", "all", WORSE), ("randomized_click_mrr", "all", REFUSED)],
            (
                "worse than raw_click on 1 of 1 yardstick (the off-policy estimate); no answer "
                "from randomized click mrr"
            ),
        ),
        (
            [("off_policy_dcg", "all", SAME), ("off_policy_dcg", "new_items", BETTER)],
            (
                "1 yardstick cannot tell it from raw_click; better for new_items on the off-policy "
                "estimate"
            ),
        ),
        ([("off_policy_dcg", "all", REFUSED)], "no answer: 3 clicks"),
        (
            [
                ("off_policy_dcg", "all", SAME),
                ("randomized_click_dcg", "all", REFUSED),
                ("randomized_click_auc", "all", REFUSED),
            ],
            "1 yardstick cannot tell it from raw_click; no answer from the randomised slice",
        ),
        (
            [
                ("off_policy_dcg", "all", BETTER),
                ("off_policy_dcg_ips", "all", "refused: the same number as off_policy_dcg, of"),
            ],
            "better than raw_click on 1 of 1 yardstick (the off-policy estimate)",
        ),
        (
            [("true_ndcg_at_10", "all", BETTER), ("off_policy_dcg", "all", SAME)],
            (
                "better than raw_click on 1 of 2 yardsticks (true relevance); the off-policy "
                "estimate cannot tell; nothing that a real log has supports it"
            ),
        ),
        (
            [
                ("true_ndcg_at_10", "all", BETTER),
                ("off_policy_dcg", "all", SAME),
                ("off_policy_dcg", "device=mobile", BETTER),
            ],
            (
                "better than raw_click on 1 of 2 yardsticks (true relevance); the off-policy "
                "estimate cannot tell; better for device=mobile on the off-policy estimate"
            ),
        ),
        ([("y", "all", "baseline")], "the baseline that the others are compared with"),
    ],
)
def test_a_verdict_is_one_sentence(cells: list[tuple[str, str, str]], sentence: str) -> None:
    assert sentence_of(*cells) == sentence


def test_many_slices_are_counted_and_not_listed() -> None:
    cells = [("off_policy_dcg", f"device={n}", WORSE) for n in range(5)]

    found = sentence_of(("off_policy_dcg", "all", SAME), *cells)

    assert found.endswith(
        "worse for device=0, device=1, device=2 and 2 more on the off-policy estimate"
    )


def test_policies_and_rankers_have_verdicts_of_their_own_in_the_tables_order() -> None:
    better = table_of(("off_policy_dcg", "all", BETTER))
    same = table_of(("off_policy_dcg", "all", SAME))
    table = pd.concat([same.assign(policy="z"), better, same.assign(ranker="pointwise")])

    found = [(each.policy, each.ranker, len(each.better)) for each in verdicts(table, "raw_click")]

    assert found == [("z", "lambdarank", 0), ("coec", "lambdarank", 1), ("coec", "pointwise", 0)]
