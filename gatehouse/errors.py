"""What goes wrong, as data: every error knows its exit code and prints as what a reader can act on.

Exit codes of the command line: 0 all is well, 1 a verdict is bad or a step failed, 2 bad input or usage.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

_Item = TypeVar("_Item")

LONGEST_VALUE = 80
#: Texts that let somebody in: AWS access key ids and GitHub tokens. They are never printed.
CREDENTIAL = re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])|(?:ghp|github_pat)_\w+")
_SECRET_NAME = re.compile(r"pass|secret|token|credential|key", re.IGNORECASE)
_HIDDEN = "(not shown)"
_MOST_ITEMS = 5
_DEEPEST = 2


class GatehouseError(Exception):
    """A failure that is explained to the user instead of traced. ``exit_code`` is the process's."""

    exit_code = 1


class MissingValue:
    """The value of a field that is not there."""

    def __repr__(self) -> str:
        """Return the name."""
        return "MISSING"


MISSING = MissingValue()


@dataclass(frozen=True)
class Raw:
    """A scalar as it was written, so that ``16.10`` is not shown as ``16.1``."""

    text: str


@dataclass(frozen=True)
class Problem:
    """One refused value: where it is, what was received, what is wrong, and what to write instead.

    ``file`` is as the user would type it, ``line`` counts from 1, ``field`` is a dotted path such as
    ``api.client_cidrs[1]`` and empty for the whole file.
    """

    file: str
    problem: str
    fix: str
    line: int | None = None
    column: int | None = None
    field: str = ""
    value: object = MISSING

    def __str__(self) -> str:
        """Return ``FILE:LINE: FIELD: VALUE PROBLEM. Fix: FIX.`` on one line."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        what = self.problem if self.value is MISSING else f"{show(self.value)} {self.problem}"
        parts = [place, self.field, f"{_sentence(what)} Fix: {_sentence(self.fix)}"]
        return ": ".join(part for part in parts if part)


class InputError(GatehouseError):
    """Input that was refused, with every problem found, not only the first."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep the problems, at least one, in the order in which they are printed."""
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def show(value: object) -> str:
    """Return a value on one line as it would stand in YAML flow style, cut where it is long."""
    text = value.text if isinstance(value, Raw) else _flow(value, 0)
    text = without_credentials(text).replace("\n", "\\n")
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def without_credentials(text: str) -> str:
    """Return ``text`` with what looks like a credential left out."""
    return CREDENTIAL.sub(_HIDDEN, text)


def names_a_secret(name: object) -> bool:
    """Return whether a field of this name probably holds something that must not be printed."""
    return isinstance(name, str) and _SECRET_NAME.search(name) is not None


def _flow(value: object, depth: int) -> str:
    # Depth and breadth are bounded: YAML aliases can make a small file endless.
    if isinstance(value, Mapping):
        if depth == _DEEPEST:
            return "{…}"
        items = [
            f"{_flow(key, depth + 1)}: {_HIDDEN if names_a_secret(key) else _flow(item, depth + 1)}"
            for key, item in _first(value.items())
        ]
        return "{" + ", ".join(items) + (", …" if len(value) > _MOST_ITEMS else "") + "}"
    if isinstance(value, list | tuple):
        if depth == _DEEPEST:
            return "[…]"
        items = [_flow(item, depth + 1) for item in _first(value)]
        return "[" + ", ".join(items) + (", …" if len(value) > _MOST_ITEMS else "") + "]"
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    return json.dumps(str(value), ensure_ascii=False)


def _first(items: Iterable[_Item]) -> list[_Item]:
    return list(islice(items, _MOST_ITEMS))


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
