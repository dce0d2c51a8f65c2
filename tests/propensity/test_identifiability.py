import pandas as pd

from label_platform.logs.simulators.click_lists import ClickListSettings, simulate_click_lists
from label_platform.propensity.cells import Cells
from label_platform.propensity.gates.identifiability import identify

COLUMNS = ["query", "item", "position", "impressions", "clicks"]


def cells_of(places: dict[str, tuple[int, ...]], positions: int | None = None) -> Cells:
    """Each item was shown 10 times at each of its places and clicked 3 times there."""
    rows = [("q", item, at, 10, 3) for item, shown in places.items() for at in shown]
    return Cells.from_table(pd.DataFrame(rows, columns=COLUMNS), positions)


def test_a_chain_of_items_connects_all() -> None:
    found = identify(cells_of({"a": (1, 3), "b": (2, 3), "c": (4, 2)}))

    assert found.connected
    assert found.components == ((1, 2, 3, 4),)
    assert found.fixes == ()
    assert found.reason() == ""


def test_two_blocks_need_one_swap_across_the_gap() -> None:
    found = identify(cells_of({"a": (1, 2), "b": (2, 3), "c": (4, 5)}))

    assert not found.connected
    assert found.components == ((1, 2, 3), (4, 5))
    assert found.comparable == (1, 2, 3)
    assert found.fixes == ((3, 4),)
    assert found.reason() == (
        "no clicked item was seen on both sides of the bars, so that positions 1-3 | 4-5 cannot "
        "be compared; to compare them, swap positions 3 and 4 on some lists, or merge position "
        "3 with 4 if people look at them equally often"
    )


def test_interleaved_components_need_one_fix_per_missing_one() -> None:
    found = identify(cells_of({"a": (1, 3, 5), "b": (2, 6), "c": (4,)}))

    assert found.components == ((1, 3, 5), (2, 6), (4,))
    assert found.fixes == ((1, 2), (3, 4))
    assert "positions 1, 3, 5 | 2, 6 | 4 cannot" in found.reason()


def test_the_fixes_connect_what_was_not() -> None:
    places: dict[str, tuple[int, ...]] = {"a": (2, 7), "b": (3, 5), "c": (1, 8), "d": (4, 6)}
    found = identify(cells_of(places))
    assert len(found.fixes) == len(found.components) - 1 == 3

    mended = identify(cells_of(places | {f"swap{fix}": fix for fix in found.fixes}))
    assert mended.connected

    for left_out in found.fixes:
        swaps = {f"swap{fix}": fix for fix in found.fixes if fix != left_out}
        assert not identify(cells_of(places | swaps)).connected


def test_items_without_a_click_compare_nothing() -> None:
    rows = [("q", "a", 1, 10, 0), ("q", "a", 2, 10, 0), ("q", "b", 1, 10, 1), ("q", "b", 2, 0, 0)]
    found = identify(Cells.from_table(pd.DataFrame(rows, columns=COLUMNS)))

    assert found.components == ((1,), (2,))


def test_a_position_that_no_list_has_shown_is_alone() -> None:
    assert identify(cells_of({"a": (1, 2)}, positions=3)).components == ((1, 2), (3,))


def test_one_ranker_compares_nothing_and_two_compare_all() -> None:
    for rankers, components in ((1, 10), (2, 1)):
        settings = ClickListSettings(n_lists=20_000, n_queries=200, rankers=rankers)
        cells = Cells.from_table(simulate_click_lists(settings, 5).table())
        found = identify(cells)

        assert len(found.components) == components
        assert len(found.fixes) == components - 1
        if rankers == 1:
            assert "3 with 4, 4 with 5, 5 more such pairs if" in found.reason()


def test_nothing_was_shown() -> None:
    empty = Cells.from_table(pd.DataFrame([], columns=COLUMNS).astype({"position": int}))
    assert identify(empty).connected
