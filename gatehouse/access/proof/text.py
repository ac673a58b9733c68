"""Texts of a question: literals and symbols, which stand for any text of their alphabet."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, field

from gatehouse.errors import GatehouseError


class ProofError(GatehouseError):
    """A question that is not answered: beyond what is modelled, or the solver gave up. Never a verdict."""

    exit_code = 2


@dataclass(frozen=True)
class Alphabet:
    """Which values are valid: the characters, the first one, and the length. Each is an assumption of a proof."""

    meaning: str
    characters: frozenset[str] = field(repr=False)
    first: frozenset[str] = field(repr=False)
    shortest: int = 0
    longest: int | None = None

    @classmethod
    def of(
        cls,
        meaning: str,
        characters: str,
        *,
        first: str | None = None,
        shortest: int = 0,
        longest: int | None = None,
    ) -> Alphabet:
        """Return the alphabet of these characters; ``first`` if not each of them can come first."""
        return cls(
            meaning,
            frozenset(characters),
            frozenset(characters if first is None else first),
            shortest,
            longest,
        )

    def has(self, value: str) -> bool:
        """Whether a value is valid."""
        if not self.shortest <= len(value) or (self.longest is not None and len(value) > self.longest):
            return False
        return not value or (value[0] in self.first and self.characters.issuperset(value))


_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
_WORD = string.ascii_letters + string.digits
_IAM_NAME = _WORD + "_+=,.@-"

#: Any condition key's value. AWS takes more; what is proved for these characters is not claimed for others.
PRINTABLE = Alphabet.of("values are printable ASCII characters", _PRINTABLE)
TAG = Alphabet.of(
    "tag values are letters, digits, spaces and _.:/=+-@, at most 256", _WORD + " _.:/=+-@", longest=256
)
TEAM = Alphabet.of(
    "a team's name is [a-z][a-z0-9-]{1,30}",
    string.ascii_lowercase + string.digits + "-",
    first=string.ascii_lowercase,
    shortest=2,
    longest=31,
)
#: What follows ``role/`` or ``user/``: path and name.
IAM_NAME = Alphabet.of(
    "names and paths of roles and users are letters, digits and _+=,.@-/",
    _IAM_NAME + "/",
    first=_IAM_NAME,
    shortest=1,
    longest=576,
)
SESSION = Alphabet.of(
    "session names are letters, digits and _+=,.@-, 2 to 64", _IAM_NAME, shortest=2, longest=64
)
ACCOUNT = Alphabet.of("accounts are 12 digits", string.digits, shortest=12, longest=12)
OBJECT_KEY = Alphabet.of(
    "object keys are printable ASCII characters, at most 1024", _PRINTABLE, shortest=1, longest=1024
)
#: One part of a path, such as an HTTP method or what stands where a team does.
SEGMENT = Alphabet.of(
    "parts of a path are printable ASCII characters without /", _PRINTABLE.replace("/", ""), shortest=1
)


@dataclass(frozen=True)
class Symbol:
    """A text that a question leaves open. Two symbols of one name are the same text."""

    name: str
    alphabet: Alphabet = PRINTABLE


#: Literals and symbols one after another; no literal is empty, and no two are neighbours.
Text = tuple[str | Symbol, ...]
#: What questions are written with.
TextLike = str | Symbol | tuple[str | Symbol, ...]


def text(*parts: TextLike) -> Text:
    """Return parts as one text."""
    found: list[str | Symbol] = []
    for part in parts:
        for one in part if isinstance(part, tuple) else (part,):
            if isinstance(one, str) and found and isinstance(found[-1], str):
                found[-1] += one
            elif one != "":
                found.append(one)
    return tuple(found)


def literal(value: Text) -> str | None:
    """Return the text if it has no symbol, else None."""
    if not value:
        return ""
    return value[0] if len(value) == 1 and isinstance(value[0], str) else None


def beginning(value: Text) -> str:
    """Return the literal that a text begins with."""
    return value[0] if value and isinstance(value[0], str) else ""


def fill(value: Text, values: Mapping[str, str]) -> str:
    """Return a text with these values of its symbols."""
    return "".join(part if isinstance(part, str) else values[part.name] for part in value)
