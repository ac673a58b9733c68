"""On which line of a JSON text each member of an object stands, some levels deep."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from functools import cache
from json import decoder

#: Keys and indexes from the top of the text.
Place = tuple[str | int, ...]

#: As deep as the attributes of blocks in a plan's resources are.
_DEPTH = 9
_SIGN = re.compile(r'["{}\[\],]')


def member_lines(text: str, depth: int) -> Mapping[Place, int]:
    """Return the line, from 1, of every member of an object and item of a list, by path, down to a depth.

    The text has been found to be JSON.
    """
    ends = [found.start() for found in re.finditer("\n", text)]
    lines: dict[Place, int] = {}
    path: list[str | int] = []
    keyed: list[bool] = []
    fresh = True  # a key or an item comes next
    position = 0
    while found := _SIGN.search(text, position):
        start, sign, position = found.start(), found[0], found.end()
        if keyed and fresh and sign not in "]},":
            fresh = False
            if keyed[-1]:
                path[-1], position = _string(text, position)
            if len(path) <= depth:
                lines[tuple(path)] = bisect_right(ends, start) + 1
            if keyed[-1]:
                continue
        if sign == '"':
            position = _string(text, position)[1]
        elif sign in "{[":
            keyed.append(sign == "{")
            path.append("" if sign == "{" else 0)
            fresh = True
        elif sign in "}]":
            keyed.pop()
            path.pop()
            fresh = False
        else:
            last = path[-1]
            path[-1] = last + 1 if isinstance(last, int) else ""
            fresh = True
    return lines


def _string(text: str, position: int) -> tuple[str, int]:
    """Return the string whose opening quote is before a position, and the position after it."""
    scan = decoder.scanstring  # type: ignore[attr-defined]  # public by name, and not in the stubs
    found: tuple[str, int] = scan(text, position)
    return found


def line_finder(text: str, places: Mapping[str, Place]) -> Callable[[str, str], int | None]:
    """Return the function from address and attribute to a line; the text is searched when it is first asked.

    ``places`` are those of the addresses that are not their own. What is not in the text has the line of what is
    around it.
    """

    @cache
    def lines() -> Mapping[Place, int]:
        return member_lines(text, _DEPTH)

    def line_of(address: str, attribute: str) -> int | None:
        place: Place = places.get(address) or tuple(address.split("."))
        names = [int(part) if part.isdecimal() else part for part in attribute.split(".") if part]
        for count in range(len(names), -1, -1):
            line = lines().get((*place, *names[:count]))
            if line is not None:
                return line
        return None

    return line_of
