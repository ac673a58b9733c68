"""What an invariant is, what it asks, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from gatehouse.access.model import Decision, Policies
from gatehouse.access.proof import Question
from gatehouse.access.request import Request

if TYPE_CHECKING:
    from gatehouse.access.invariants.stack import Stack


class Severity(StrEnum):
    """How bad it is if an invariant does not hold."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"


class Outcome(StrEnum):
    """The verdict: proved under the assumptions, or a request that might be allowed."""

    PASS = "PASS"  # noqa: S105  # a verdict
    FAIL = "FAIL"


@dataclass(frozen=True)
class Never:
    """Nobody may make any request of the questions ``asked``; ``who`` and ``what`` say it in words.

    ``wider`` are questions that each hold all requests of ``asked``, and are answered sooner: if one has no witness,
    that is the proof. ``unless``: of requests that these policies allow as well, nothing is said.
    """

    who: str
    what: str
    asked: tuple[Question, ...]
    wider: tuple[Question, ...] = ()
    unless: Policies | None = None


@dataclass(frozen=True)
class Must:
    """Some request of a question has to be allowed, without which a proof of what nobody can do would be cheap."""

    who: str
    what: str
    question: Question


Ask = Never | Must
Asks = Callable[["Stack"], Iterable[Ask]]


@dataclass(frozen=True)
class Invariant:
    """What holds of every stack: a sentence, what it takes for granted, and what is asked to prove it.

    Where ``asks`` yields nothing, the stack has nothing that the invariant is about.
    """

    id: str
    name: str
    sentence: str
    severity: Severity
    assumptions: tuple[str, ...]
    asks: Asks


def invariant(
    id_: str, name: str, sentence: str, severity: Severity, *assumptions: str
) -> Callable[[Asks], Invariant]:
    """Make an invariant of the function that asks its questions."""

    def made(asks: Asks) -> Invariant:
        return Invariant(id_, name, sentence, severity, assumptions, asks)

    return made


@dataclass(frozen=True)
class Place:
    """A statement that decided: its policy as ``address.attribute``, its Sid or number, and where it stands."""

    policy: str
    statement: str
    effect: str
    layer: str
    location: str


@dataclass(frozen=True)
class Counterexample:
    """A request that shows that an invariant does not hold, the evaluator's decision on it, and what decided it."""

    who: str
    what: str
    request: Request
    decision: Decision
    policies: Policies
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Proof:
    """The verdict on one invariant. ``questions`` counts what was asked of the solver and the evaluator."""

    invariant: Invariant
    assumptions: tuple[str, ...]
    questions: int
    counterexample: Counterexample | None = None

    @property
    def outcome(self) -> Outcome:
        """PASS: proved under the assumptions. FAIL: somebody might."""
        return Outcome.PASS if self.counterexample is None else Outcome.FAIL
