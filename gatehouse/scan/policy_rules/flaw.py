"""What a rule finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gatehouse.scan.documents import PolicyDocument


@dataclass(frozen=True)
class Flaw:
    """One thing wrong in a policy: one sentence, and the Sid of the statement, empty for the whole policy."""

    detail: str
    place: str = ""


Rule = Callable[[PolicyDocument], Iterator[Flaw]]
