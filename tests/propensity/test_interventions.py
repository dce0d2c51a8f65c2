from label_platform.logs.simulators.click_lists import ClickListSettings, simulate_click_lists
from label_platform.propensity.cells import Cells
from label_platform.propensity.gates.interventions import count_interventions
from tests.propensity.written_cells import cells_of


def test_counts_by_hand() -> None:
    cells = cells_of(
        ("q", "a", 1, 10, 4),
        ("q", "a", 2, 10, 3),
        ("q", "b", 2, 5, 1),
        ("r", "a", 1, 7, 2),
        ("r", "a", 3, 7, 0),
        ("r", "a", 2, 0, 0),
        positions=4,
    )

    found = count_interventions(cells)

    assert found.query_items == 3
    assert found.at_several_positions == 2
    assert found.share == 2 / 3


def test_the_gap_carries_the_numbers() -> None:
    found = count_interventions(
        cells_of(("q", "a", 1, 9, 1), ("q", "a", 2, 9, 1), ("q", "b", 3, 9, 1))
    )

    assert found.gap(1) is None
    assert found.gap(50) == (
        "of 2 pairs of a query and an item 1 (50.00%) had the item at two positions or more, "
        "where at least 50 are needed to compare positions"
    )


def test_one_ranker_without_chance_leaves_no_comparison() -> None:
    settings = ClickListSettings(n_lists=2_000, n_queries=50, rankers=1)
    found = count_interventions(Cells.from_table(simulate_click_lists(settings, 1).table()))

    assert found.at_several_positions == 0
    assert found.share == 0
    gap = found.gap(1)
    assert gap is not None
    assert f"of {found.query_items:,} pairs of a query and an item none (0.00%)" in gap


def test_nothing_was_shown() -> None:
    found = count_interventions(cells_of(("q", "a", 1, 0, 0)))

    assert found.query_items == 0
    assert found.gap(1) == "no item was shown"
