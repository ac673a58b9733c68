"""Strings of policies: wildcards, policy variables, and what they match."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import TypeGuard

from gatehouse.access.context import Context, Variable

#: Sets of values of variables for which patterns are kept compiled.
_KEPT = 256
_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_DEFAULT = re.compile(r"([^,']+?)\s*,\s*'(.*)'", re.DOTALL)
#: The prefix is a service, or an identity provider: cognito-identity.amazonaws.com:sub.
_KEY = re.compile(r"[A-Za-z0-9.-]+(?:/[A-Za-z0-9._/-]+)?:[^\s']+")
_SPECIAL = frozenset("*?$")
#: Colons before the part of an ARN that is the service's own.
ARN_COLONS = 5


class Wildcard(Enum):
    """Any characters, or any one."""

    MANY = "*"
    ONE = "?"


Piece = str | Wildcard
Token = Piece | Variable


class PatternError(ValueError):
    """A string that is no pattern; the message is what is wrong with it."""


def tokens(text: str, *, variables: bool, wildcards: bool) -> tuple[Token, ...]:
    """Return the pieces of a policy's string.

    ``variables``: read ``${key}``, ``${key, 'default'}``, ``${*}``, ``${?}`` and ``${$}``; the last three
    stand for the characters themselves. Without, and so before Version 2012-10-17, they are plain text.

    Source: IAM User Guide, "IAM policy elements: Variables and tags"; what is wrong with a variable: "Access
    Analyzer policy check reference".

    Raises:
        PatternError: a variable that is not closed, or no condition key.

    """
    if not variables:
        return _plain(text, wildcards=wildcards)
    found: list[Token] = []
    position = 0
    for variable in _VARIABLE.finditer(text):
        found += _plain(_closed(text[position : variable.start()]), wildcards=wildcards)
        found.append(_variable(variable[1]))
        position = variable.end()
    return (*found, *_plain(_closed(text[position:]), wildcards=wildcards))


def _closed(text: str) -> str:
    if "${" in text:
        raise PatternError("has a ${ that opens no variable")
    return text


def _variable(inside: str) -> Token:
    if inside in _SPECIAL:
        return inside
    default = _DEFAULT.fullmatch(inside)
    key, text = (default[1], default[2]) if default else (inside, None)
    if not _KEY.fullmatch(key):
        raise PatternError(f"has ${{{inside}}}, which names no condition key")
    return Variable(key.lower(), text)


def _plain(text: str, *, wildcards: bool) -> tuple[Token, ...]:
    if not wildcards:
        return (text,) if text else ()
    parts = (part for part in re.split(r"(\*+|\?)", text) if part)
    return tuple(Wildcard(part[0]) if part[0] in "*?" else part for part in parts)


class Grammar(Enum):
    """What wildcards stand for, and whether case counts."""

    TEXT = "any characters"
    ANY_CASE = "any characters, letters of either case"
    ARN = "characters of one part of an ARN"
    RESOURCE = "characters of one part of an ARN, or of the rest where they end a part"


#: Whether a value of a request fits.
Test = Callable[[str], bool]


class Patterns:
    """Strings of a policy of which a value must fit one.

    ``written`` are the patterns as they were read, ``variables`` those in any of them.
    """

    def __init__(self, patterns: Iterable[tuple[Token, ...]], grammar: Grammar) -> None:
        """Compile the patterns without variables; the others wait for the values."""
        self.written = tuple(patterns)
        self.variables = tuple(dict.fromkeys(filter(_is_variable, chain.from_iterable(self.written))))
        self._grammar = grammar
        self._open = [pattern for pattern in self.written if any(map(_is_variable, pattern))]
        closed = [pattern for pattern in self.written if not any(map(_is_variable, pattern))]
        self._closed = _forms(closed, {}, grammar)
        self._known: dict[tuple[str | None, ...], Filled] = {}

    def match(self, value: str, context: Context) -> bool:
        """Whether ``value`` fits one of the patterns as this context fills them."""
        return self.filled(context).fits(value)

    def filled(self, context: Context) -> Filled:
        """Return the patterns with the values of their variables.

        A pattern that has a variable without a value is fitted by nothing. The value of a variable is text: a
        ``*`` in it is no wildcard.

        Source: IAM User Guide, "IAM policy elements: Variables and tags", "Policy variables with no value": the
        value is null, nothing is equal to it or like it, and no resource matches it.
        """
        values = context.of(self.variables)
        found = self._known.get(values)
        if found is None:
            if len(self._known) == _KEPT:
                self._known.clear()
            texts = dict(zip(self.variables, values, strict=True))
            found = self._known[values] = Filled(self._closed + _forms(self._open, texts, self._grammar))
        return found


def _is_variable(part: Token) -> TypeGuard[Variable]:
    return isinstance(part, Variable)


@dataclass(frozen=True)
class _Form:
    """One pattern: what every value that fits begins with, whether it ends there, and what is to test beyond."""

    head: str
    is_whole: bool = False
    test: Test | None = None


def _forms(
    patterns: Iterable[tuple[Token, ...]], texts: Mapping[Variable, str | None], grammar: Grammar
) -> list[_Form]:
    """Return the patterns with the texts of their variables, without those that lack one."""
    filled = ([texts[part] if isinstance(part, Variable) else part for part in one] for one in patterns)
    whole = ([part for part in parts if part is not None] for parts in filled if None not in parts)
    return [_form(_merged(pieces), grammar) for pieces in whole]


def _form(pieces: tuple[Piece, ...], grammar: Grammar) -> _Form:
    texts = _between_stars(pieces, grammar)
    if texts is None:
        first = pieces[0] if pieces and grammar is not Grammar.ANY_CASE else ""
        return _Form(first if isinstance(first, str) else "", test=_regex_test(pieces, grammar))
    if len(texts) == 1:
        return _Form(texts[0], is_whole=True)
    if len(texts) == 2 and not texts[1]:  # noqa: PLR2004  # a text, a star, and nothing after it
        return _Form(texts[0])
    return _Form(texts[0], test=_stars_test(texts))


class Filled:
    """Patterns whose variables have values: whole strings and beginnings apart, as those are compared at once.

    ``heads`` are beginnings of which every value has one that fits: ``value.startswith(heads)`` is the fastest
    way to say no. If ``is_decided_by_head`` it is the answer.
    """

    def __init__(self, forms: Sequence[_Form]) -> None:
        """Sort the patterns."""
        self.heads = tuple(dict.fromkeys(form.head for form in forms))
        self.is_decided_by_head = all(not form.is_whole and form.test is None for form in forms)
        self._whole = frozenset(form.head for form in forms if form.is_whole)
        self._beginnings = tuple(form.head for form in forms if not form.is_whole and form.test is None)
        self._tests = tuple((form.head, form.test) for form in forms if form.test is not None)

    def fits(self, value: str) -> bool:
        """Whether a value fits one."""
        if value in self._whole or value.startswith(self._beginnings):
            return True
        for head, test in self._tests:  # noqa: SIM110  # faster than any(), in the innermost loop
            if value.startswith(head) and test(value):
                return True
        return False


def _merged(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Return pieces with neighbouring texts made one."""
    found: list[Piece] = []
    for piece in pieces:
        if found and isinstance(piece, str) and isinstance(found[-1], str):
            found[-1] += piece
        else:
            found.append(piece)
    return tuple(found)


def _between_stars(pieces: tuple[Piece, ...], grammar: Grammar) -> list[str] | None:
    """Return the texts between the stars, None if case does not count or a wildcard is not a free star.

    A star is free if it stands for any characters: everywhere in text, in the last part of an ARN.
    """
    if grammar is Grammar.ANY_CASE or Wildcard.ONE in pieces:
        return None
    first = pieces[0] if pieces else ""
    in_last_part = isinstance(first, str) and first.count(":") >= ARN_COLONS
    everything = grammar is Grammar.RESOURCE and pieces == (Wildcard.MANY,)
    if Wildcard.MANY in pieces and not (grammar is Grammar.TEXT or in_last_part or everything):
        return None
    texts = [""]
    for piece in pieces:
        if isinstance(piece, str):
            texts[-1] += piece
        else:
            texts.append("")
    return texts


def _stars_test(texts: Sequence[str]) -> Test:
    """Return the test of a value that begins with the first of the texts: the others, with anything between."""
    first, *middle, last = texts
    shortest = sum(map(len, texts))

    def test(value: str) -> bool:
        if len(value) < shortest or not value.endswith(last):
            return False
        place, end = len(first), len(value) - len(last)
        for text in middle:
            found = value.find(text, place, end)
            if found < 0:
                return False
            place = found + len(text)
        return True

    return test


def _regex_test(pieces: tuple[Piece, ...], grammar: Grammar) -> Test:
    """Return the test by a regular expression, which is compiled when the first value is tested."""
    compiled: list[re.Pattern[str]] = []

    def test(value: str) -> bool:
        if not compiled:
            compiled.append(re.compile(_regex(pieces, grammar), re.DOTALL))
        return compiled[0].fullmatch(value) is not None

    return test


def _regex(pieces: tuple[Piece, ...], grammar: Grammar) -> str:
    if grammar is Grammar.TEXT:
        return _text_regex(pieces)
    if grammar is Grammar.ANY_CASE:
        return f"(?i:{_text_regex(pieces)})"
    return _arn_regex(pieces) if grammar is Grammar.ARN else _resource_regex(pieces)


def _text_regex(pieces: tuple[Piece, ...]) -> str:
    """Wildcards stand for any characters: StringLike, and the exact operators, which have none.

    Source: IAM User Guide, "IAM JSON policy elements: Condition operators", "String condition operators".
    """
    wild = {Wildcard.MANY: ".*", Wildcard.ONE: "."}
    return "".join(wild[piece] if isinstance(piece, Wildcard) else re.escape(piece) for piece in pieces)


def _arn_regex(pieces: tuple[Piece, ...]) -> str:
    """Each of the six parts of an ARN is compared apart; in the last, wildcards match colons too.

    ``*`` alone is any ARN.

    Source: IAM User Guide, "IAM JSON policy elements: Condition operators", "ARN condition operators".
    """
    if pieces == (Wildcard.MANY,):
        return r"(?:[^:]*:){5}.*"
    return _in_parts(pieces, crossing=False)


def _resource_regex(pieces: tuple[Piece, ...]) -> str:
    """As :func:`_arn_regex`, but a ``*`` that ends a part can match across the colons after it.

    Source: IAM User Guide, "IAM JSON policy elements: Resource", "Using wildcards in resource ARNs".
    """
    return _in_parts(pieces, crossing=True)


def _in_parts(pieces: tuple[Piece, ...], *, crossing: bool) -> str:
    colons = 0
    found = []
    for index, piece in enumerate(pieces):
        if isinstance(piece, str):
            colons += piece.count(":")
            found.append(re.escape(piece))
            continue
        after = pieces[index + 1] if index + 1 < len(pieces) else ":"
        ends_part = isinstance(after, str) and after.startswith(":")
        one = "." if colons >= ARN_COLONS or (crossing and ends_part and piece is Wildcard.MANY) else "[^:]"
        found.append(f"{one}*" if piece is Wildcard.MANY else one)
    return "".join(found)
