"""The cheapest cover, against every choice there is."""

from __future__ import annotations

from random import Random

import pytest

from gatehouse.personas.smallest import Column, smallest


def _columns(*rows: tuple[int, int]) -> list[Column]:
    return [Column(cost, held, f"c{number:02}") for number, (cost, held) in enumerate(rows)]


def _names(columns: list[Column], rows: int) -> list[str]:
    return [column.name for column in smallest(columns, rows).columns]


def _by_trying_all(columns: list[Column], rows: int) -> int:
    """The least cost, from the cheapest way to every set of rows."""
    cheapest = {0: 0}
    for column in columns:
        for reached, cost in list(cheapest.items()):
            more = (reached | column.rows) & rows
            cheapest[more] = min(cheapest.get(more, cost + column.cost), cost + column.cost)
    return cheapest[rows]


def test_the_cheaper_of_two_is_taken() -> None:
    assert _names(_columns((3, 0b11), (1, 0b01), (1, 0b10)), 0b11) == ["c01", "c02"]
    assert _names(_columns((2, 0b11), (1, 0b01), (2, 0b10)), 0b11) == ["c00"]


def test_of_two_alike_the_first_is_taken() -> None:
    columns = _columns((2, 0b11), (2, 0b11))
    assert _names(columns, 0b11) == ["c00"]
    assert _names(columns[::-1], 0b11) == ["c01"]


def test_nothing_is_needed_for_nothing() -> None:
    assert smallest([], 0).columns == ()
    assert smallest([], 0).proved


def test_a_row_in_no_column_is_told() -> None:
    with pytest.raises(ValueError, match=r"no column covers the rows \[2\]"):
        smallest(_columns((1, 0b011)), 0b111)


def _random(seed: int) -> tuple[list[Column], int]:
    """Columns of a few rows each, which are not reduced to nothing."""
    random = Random(seed)
    count = random.randint(1, 30)
    sets = [random.sample(range(12), random.choice((2, 3, 3, 4))) for _ in range(count)]
    columns = _columns(*((random.randint(8, 14), sum(1 << row for row in rows)) for rows in sets))
    covered = 0
    for column in columns:
        covered |= column.rows
    return columns, covered


@pytest.mark.parametrize("seed", range(60))
def test_no_choice_is_cheaper(seed: int) -> None:
    columns, rows = _random(seed)
    found = smallest(columns, rows)
    assert found.proved
    assert sum(column.cost for column in found.columns) == _by_trying_all(columns, rows)
    covered = 0
    for column in found.columns:
        covered |= column.rows
    assert not rows & ~covered
    assert smallest(columns, rows) == found


def test_a_search_cut_short_says_so_and_covers_all() -> None:
    # Each row is in three columns and each column holds three rows, so that nothing is dominated.
    steiner = [(0, 1, 2), (0, 3, 4), (0, 5, 6), (1, 3, 5), (1, 4, 6), (2, 3, 6), (2, 4, 5)]
    columns = _columns(*((10 + number, sum(1 << row for row in rows)) for number, rows in enumerate(steiner)))
    whole = smallest(columns, 0b1111111)
    cut = smallest(columns, 0b1111111, node_limit=0)
    assert whole.proved
    assert not cut.proved
    assert sum(column.cost for column in whole.columns) == _by_trying_all(columns, 0b1111111)
    assert set().union(*(steiner[int(column.name[1:])] for column in cut.columns)) == set(range(7))
