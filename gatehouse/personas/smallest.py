"""The cheapest choice of columns that covers every row: the weighted set cover problem, solved exactly.

Rows and sets of rows are bits of integers, costs are integers, and every order is fixed, so that the same input
gives the same choice on every machine. The steps are the usual ones (Beasley 1987, "An algorithm for set covering
problem"; Caprara, Toth, Fischetti 2000, "Algorithms for the set covering problem"): dominated columns and rows
are left out, parts that share no column are solved apart, and each is searched by branch and bound with a lower
bound from a dual solution.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gatehouse.personas.wildcards import bits

#: Nodes of the search after which the best choice so far is taken for each part that is left.
NODE_LIMIT = 20_000


@dataclass(frozen=True)
class Column:
    """What can be chosen: its cost, the rows that it covers, and what it stands for."""

    cost: int
    rows: int
    name: str


@dataclass(frozen=True)
class Choice:
    """The columns chosen, sorted by name; ``proved`` unless the search was cut short."""

    columns: tuple[Column, ...]
    proved: bool


def smallest(columns: Iterable[Column], rows: int, *, node_limit: int = NODE_LIMIT) -> Choice:
    """Return the cheapest columns that together cover ``rows``; of two alike, the one that is given first.

    Raises:
        ValueError: some row is in no column.

    """
    ordered = sorted(columns, key=lambda column: column.cost)
    covered = 0
    for column in ordered:
        covered |= column.rows
    if rows & ~covered:
        raise ValueError(f"no column covers the rows {list(bits(rows & ~covered))}")
    search = _Search(ordered, node_limit)
    best = search.solve(rows, {number: column.rows for number, column in enumerate(ordered)}, None)
    chosen = sorted((ordered[number] for number in best or ()), key=lambda column: column.name)
    return Choice(tuple(chosen), search.nodes <= node_limit)


class _Search:
    """A search under way: columns are numbers, cheapest first."""

    def __init__(self, columns: Sequence[Column], node_limit: int) -> None:
        self.costs = [column.cost for column in columns]
        self.limit = node_limit
        self.nodes = 0

    def solve(self, rows: int, columns: Mapping[int, int], below: int | None) -> list[int] | None:
        """Return the cheapest columns that cover the rows; None if none cost less than ``below``."""
        self.nodes += 1
        rows, left, chosen = self._reduce(rows, columns)
        spent = self._cost(chosen)
        parts = _parts(rows, left)
        bounds = [self._dual(part, held)[0] for part, held in parts]
        spent += sum(bounds)
        if below is not None and spent >= below:
            return None
        for (part, held), bound in zip(parts, bounds, strict=True):
            # What the other parts cost at least is spent; the rest is what this one may cost.
            spent -= bound
            found = self._branch(part, held, None if below is None else below - spent)
            if found is None:
                return None
            spent += self._cost(found)
            chosen += found
            if below is not None and spent >= below:
                return None
        return chosen

    def _branch(self, rows: int, columns: dict[int, int], below: int | None) -> list[int] | None:
        """Solve a part that no reduction helps: some column of its scarcest row has to be chosen."""
        found: list[int] | None = self._greedy(rows, columns)
        cost = self._cost(found or ())
        answer = found if below is None or cost < below else None
        ceiling = cost if below is None else min(cost, below)
        bound, rest = self._dual(rows, columns)
        if bound >= ceiling or self.nodes > self.limit:
            return answer
        # A column that cannot be in anything cheaper, by what it costs beyond its rows' share, is out.
        columns = {number: held for number, held in columns.items() if bound + rest[number] < ceiling}
        holders = _holders(rows, columns)
        if len(holders) < rows.bit_count():
            return answer
        row = min(holders, key=lambda one: (len(holders[one]), one))
        for number in sorted(holders[row], key=lambda one: (rest[one], -columns[one].bit_count(), one)):
            held = columns.pop(number)
            if _uncovered(rows & ~held, columns):
                break  # no choice is left without the columns tried so far
            found = self.solve(rows & ~held, columns, ceiling - self.costs[number])
            if found is not None:
                answer = [number, *found]
                ceiling = self._cost(answer)
            if self.nodes > self.limit:
                break
        return answer

    def _reduce(self, rows: int, columns: Mapping[int, int]) -> tuple[int, dict[int, int], list[int]]:
        """Return the rows and columns that are left without the dominated ones, and what has to be chosen."""
        chosen: list[int] = []
        left = {number: held & rows for number, held in columns.items()}
        while True:
            left = self._undominated(left)
            holders = _holders(rows, left)
            needed = {numbers[0] for numbers in holders.values() if len(numbers) == 1}
            covered = 0
            for number in sorted(needed):
                chosen.append(number)
                covered |= left.pop(number)
            if not needed:
                covered = _implied(holders)
            if not covered:
                return rows, left, chosen
            rows &= ~covered
            left = {number: held & rows for number, held in left.items()}

    def _undominated(self, columns: Mapping[int, int]) -> dict[int, int]:
        """Leave out the columns that another one, no dearer, makes needless."""
        kept: dict[int, int] = {}
        order = sorted(columns, key=lambda one: (self.costs[one], -columns[one].bit_count(), one))
        for number in order:
            held = columns[number]
            if held and not any(held & ~other == 0 for other in kept.values()):
                kept[number] = held
        return kept

    def _greedy(self, rows: int, columns: Mapping[int, int]) -> list[int]:
        chosen: list[int] = []
        left = rows
        while left:
            best = min(
                (number for number in columns if columns[number] & left),
                key=lambda one: (self.costs[one] * 10_000 // (columns[one] & left).bit_count(), one),
            )
            chosen.append(best)
            left &= ~columns[best]
        for number in sorted(chosen, key=lambda one: -self.costs[one]):
            others = 0
            for other in chosen:
                others |= columns[other] if other != number else 0
            if not rows & ~others:
                chosen.remove(number)
        return chosen

    def _dual(self, rows: int, columns: Mapping[int, int]) -> tuple[int, dict[int, int]]:
        """Return a lower bound, and what each column costs beyond the shares of its rows.

        Each row pays a share; if no column gets more than it costs, all choices cost at least the shares' sum.
        """
        rest = {number: self.costs[number] for number in columns}
        holders = _holders(rows, columns)
        bound = 0
        for row in sorted(holders, key=lambda one: (len(holders[one]), one)):
            share = min(rest[number] for number in holders[row])
            bound += share
            for number in holders[row]:
                rest[number] -= share
        return bound, rest

    def _cost(self, numbers: Iterable[int]) -> int:
        return sum(self.costs[number] for number in numbers)


def _holders(rows: int, columns: Mapping[int, int]) -> dict[int, list[int]]:
    """Return the columns of each row."""
    holders: dict[int, list[int]] = {}
    for number, held in columns.items():
        for row in bits(held & rows):
            holders.setdefault(row, []).append(number)
    return holders


def _uncovered(rows: int, columns: Mapping[int, int]) -> int:
    for held in columns.values():
        rows &= ~held
    return rows


def _implied(holders: Mapping[int, Sequence[int]]) -> int:
    """Return the rows that are covered whenever some other row is: theirs are more columns."""
    sets = {row: sum(1 << number for number in numbers) for row, numbers in holders.items()}
    implied, kept = 0, list[int]()
    for row in sorted(sets, key=lambda one: (sets[one].bit_count(), one)):
        if any(other & ~sets[row] == 0 for other in kept):
            implied |= 1 << row
        else:
            kept.append(sets[row])
    return implied


def _parts(rows: int, columns: Mapping[int, int]) -> list[tuple[int, dict[int, int]]]:
    """Return the parts that share no column, in the order of their first rows."""
    parts: list[int] = []
    for held in columns.values():
        together = held
        apart = []
        for part in parts:
            if part & held:
                together |= part
            else:
                apart.append(part)
        parts = [*apart, together]
    parts.sort(key=lambda part: part & -part)
    return [(part & rows, {n: held for n, held in columns.items() if held & part}) for part in parts]
