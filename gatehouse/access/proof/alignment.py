"""Texts and patterns side by side: what of both goes together for sure is worked out, and what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from gatehouse.access.proof.formula import Formula, Formulas, cut, separator_of
from gatehouse.access.proof.text import Symbol, Text


@dataclass(frozen=True)
class Wild:
    """A wildcard: any characters or one, colons among them or not."""

    many: bool
    colons: bool


Part = str | Symbol | Wild
Pattern = tuple[Part, ...]
_P = TypeVar("_P")


def aligned(make: Formulas, value: Text, pattern: Pattern) -> tuple[Formula, Text, Pattern]:
    """Return what must hold of the parts up to separators, and what is left of text and pattern after them.

    A symbol whose alphabet has no ``/`` and that is followed by one ends there, so that it is what the pattern has
    before its first ``/``; so for every character.
    """
    conditions: list[Formula] = []
    left, rest = _stripped(value, pattern)
    while left:
        parts = _up_to_separator(left, rest)
        if parts is None:
            break
        one, other, left, rest = parts
        conditions.append(make.equal(one, other))
        left, rest = _stripped(left, rest)
    return (False, (), ()) if left is None else (make.all(conditions), left, rest)


def _up_to_separator(value: Text, pattern: Pattern) -> tuple[Text, Text, Text, Pattern] | None:
    """Return what text and pattern have before a separator, and after it; None if that is not known."""
    wild = next((index for index, part in enumerate(pattern) if isinstance(part, Wild)), len(pattern))
    head = text_of(pattern[:wild])
    if not head or not value or (isinstance(head[0], str) and isinstance(value[0], str)):
        return None
    separator = separator_of(head) if isinstance(head[0], Symbol) else separator_of(value)
    if separator is None:
        return None
    one, after = cut(value, separator)
    other, others_after = cut(head, separator)
    if one is None or other is None:
        return None
    if any(isinstance(part, Symbol) and separator in part.alphabet.characters for part in (*one, *other)):
        return None
    return one, other, after, (*others_after, *pattern[wild:])


def _stripped(value: Text, pattern: Pattern) -> tuple[Text | None, Pattern]:
    """Return what is left after a beginning and an end that are the same for sure; None for what never fits."""
    left, rest = value, pattern
    for backwards in (False, True):
        while left and rest:
            if not backwards:
                left, rest = _to_colon(left, rest)
            step = _step(left[-1 if backwards else 0], rest[-1 if backwards else 0], backwards=backwards)
            if step is None:
                return None, ()
            if not step[0]:
                break
            left = _dropped(left, step[1], backwards=backwards)
            rest = _dropped(rest, step[2], backwards=backwards)
    return left, rest


def _to_colon(value: Text, pattern: Pattern) -> tuple[Text, Pattern]:
    """Return both from a colon on, if a star without colons is right before it, and where it ends is known."""
    star = Wild(many=True, colons=False)
    after = pattern[1] if len(pattern) > 1 and pattern[0] == star else ""
    if not isinstance(after, str) or not after.startswith(":"):
        return value, pattern
    for index, part in enumerate(value):
        if isinstance(part, Symbol):
            if ":" in part.alphabet.characters:
                break
        elif ":" in part:
            return (part[part.index(":") :], *value[index + 1 :]), pattern[1:]
    return value, pattern


#: How far two texts go together: whether at all, and what is left of each.
_Step = tuple[bool, str, str]


def _step(first: str | Symbol, part: Part, *, backwards: bool) -> _Step | None:
    """Return how far one part of a text and one of a pattern go together, None if they cannot."""
    if isinstance(first, Symbol):
        return (first == part, "", "")
    if isinstance(part, str):
        return _literal_step(first, part, backwards=backwards)
    if isinstance(part, Symbol) or part.many:
        return False, "", ""
    if not part.colons and first[-1 if backwards else 0] == ":":
        return None
    return True, first[:-1] if backwards else first[1:], ""


def _literal_step(first: str, part: str, *, backwards: bool) -> _Step | None:
    shorter = min(len(first), len(part))
    if backwards:
        left, rest = first[: len(first) - shorter], part[: len(part) - shorter]
        return (True, left, rest) if first[-shorter:] == part[-shorter:] else None
    return (True, first[shorter:], part[shorter:]) if first[:shorter] == part[:shorter] else None


def _dropped(parts: tuple[_P, ...], left: str, *, backwards: bool) -> tuple[_P | str, ...]:
    kept = (left,) if left else ()
    return (*parts[:-1], *kept) if backwards else (*kept, *parts[1:])


def text_of(parts: Pattern) -> Text:
    """Return the parts of a pattern that are no wildcards, as a text."""
    return tuple(part for part in parts if not isinstance(part, Wild))
