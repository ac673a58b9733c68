"""Which of many routes the text of an ARN pattern meets.

In a resource ARN ``*`` is any text, slashes included (IAM User Guide, "IAM JSON policy elements: Resource"). A
route is a pattern as well, so the question is whether two patterns have a text in common, for hundreds of routes
and thousands of patterns. All routes are walked at once: the places reached in them are the bits of one integer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

#: Parameters in a shape: one or more characters of one segment, and any text.
SEGMENT, ANY = "{}", "{:path}"
_SLASHES = "{/}"
#: No address and no pattern holds this character, so that only ``*`` matches it.
_UNKNOWN = "\0"
_PIECE = re.compile(r"\{:path\}|\{\}|\{/\}|.", re.DOTALL)


def reachable(shape: str) -> str:
    """Return the shape of all addresses that reach a route: MLflow takes any number of slashes at the start for one."""
    return f"/{_SLASHES}{shape.removeprefix('/')}"


def unknown(shape: str) -> str:
    """Return the shape with parameters whose value is not known: what meets it, matches it for every value."""
    return shape.replace(ANY, _UNKNOWN).replace(SEGMENT, _UNKNOWN)


class Shapes:
    """The shapes of routes (``Endpoint.shape``), ready to be asked which of them have a text that a pattern matches.

    Answers have a bit for each shape, in the order given.
    """

    def __init__(self, shapes: Iterable[str]) -> None:
        """Lay the shapes out one after the other: a bit for each place, and one that stays empty behind each."""
        advances: dict[str, list[int]] = {}
        # A place with a loop can be kept while text goes by: any text, any within a segment, or slashes.
        loops: dict[str, list[int]] = {ANY: [], SEGMENT: [], _SLASHES: []}
        starts, ends, place = [], [], 0
        for shape in shapes:
            starts.append(place)
            for piece in _PIECE.findall(shape):
                if piece in (ANY, _SLASHES):
                    loops[piece].append(place)
                    continue
                advances.setdefault(piece, []).append(place)
                place += 1
                if piece == SEGMENT:
                    loops[SEGMENT].append(place)
            ends.append(place)
            place += 2
        self._ends, self._guards = _mask(ends), _mask([end + 1 for end in ends])
        self._advances = {piece: _mask(places) for piece, places in advances.items()}
        self._loops = {kind: _mask(places) for kind, places in loops.items()}
        self._positions = {end: position for position, end in enumerate(ends)}
        self._reached = {"": _mask(starts)}

    def met_by(self, pattern: str) -> int:
        """Return which shapes are met."""
        return sum(1 << self._positions[end] for end in bits(self._walk(pattern) & self._ends))

    def meet(self, pattern: str) -> bool:
        """Whether any shape is met."""
        return bool(self._walk(pattern) & self._ends)

    def _walk(self, pattern: str) -> int:
        """Return the places reached; those after each beginning are kept, because patterns share beginnings."""
        places = self._reached.get(pattern)
        if places is None:
            places = self._step(self._walk(pattern[:-1]), pattern[-1])
            self._reached[pattern] = places
        return places

    def _step(self, places: int, character: str) -> int:
        if character == "*":
            # From each shape's first place reached, every later one: subtracting a shape's bits from the empty one
            # behind it turns all bits above the lowest over, so that either is set in each.
            return (places | (self._guards - places)) & ~self._guards
        onward = self._advances.get(character, 0)
        stay = self._loops[ANY]
        if character == "/":
            stay |= self._loops[_SLASHES]
        else:
            onward |= self._advances.get(SEGMENT, 0)
            stay |= self._loops[SEGMENT]
        return (places & onward) << 1 | places & stay


def bits(mask: int) -> Iterator[int]:
    """Go through the positions of the bits that are set, lowest first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _mask(places: Sequence[int]) -> int:
    octets = bytearray(max(places, default=0) // 8 + 1)
    for place in places:
        octets[place // 8] |= 1 << place % 8
    return int.from_bytes(octets, "little")
