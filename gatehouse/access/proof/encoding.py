"""One question about one action, encoded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

from gatehouse.access.proof import given
from gatehouse.access.proof.formula import Formula, Formulas
from gatehouse.access.proof.keys import Keys, vocabulary
from gatehouse.access.proof.layers import Asked, Layers, asked
from gatehouse.access.proof.question import Question
from gatehouse.access.proof.text import ProofError, Text, beginning, text
from gatehouse.access.request import Resource

#: Colons before the account in an ARN, and after it.
_TO_ACCOUNT, _PAST_ACCOUNT = 4, 5


@dataclass(frozen=True)
class Encoding:
    """What is to be satisfied: a request of the question is allowed, and not by the policies of ``other``."""

    question: Question
    action: str
    owner: str
    make: Formulas
    keys: Keys
    formula: Formula


def encode(question: Question, action: str, layers: Layers, other: Layers | None, make: Formulas) -> Encoding:
    """Return the encoding of a question for one of its actions.

    Raises:
        ProofError: what is not modelled.

    """
    conditions, variables = asked(chain(layers.statements(), other.statements() if other else ()))
    more_conditions, more_variables = given.asked(question.given)
    words = vocabulary([*conditions, *more_conditions], [*variables, *more_variables])
    owner = owner_of(question)
    who = question.who
    for one in texts(question):
        make.know(one)
    keys = Keys(make, who, owner, question.context, words)
    asking = Asked(make, keys, who, action, question.resource, owner, layers)

    def parts() -> Iterator[Formula]:
        yield asking.allowed()
        if other is not None:
            yield make.no(replace(asking, layers=other).allowed())
        for constraint in question.given:
            yield given.formula(make, keys, constraint)

    return Encoding(question, action, owner, make, keys, make.all(parts()))


def texts(question: Question) -> Iterator[Text]:
    """Go through the texts that a question is written with; each of their symbols has a value in a witness."""
    who = question.who
    yield from (question.resource, who.arn, who.account, who.session or ())
    yield from (text(tag) for tag in who.tags.values() if tag is not None)
    yield from (
        text(one) for one in question.context.values() if one is not None and not isinstance(one, list)
    )
    yield from given.texts(question.given)


def owner_of(question: Question) -> str:
    """Return the account that owns the resource, empty if nothing tells: :attr:`gatehouse.access.Resource.owner`.

    Raises:
        ProofError: the account in the ARN is open.

    """
    start = beginning(question.resource)
    if not question.owner and len(question.resource) > 1 and start.count(":") == _TO_ACCOUNT:
        raise ProofError("the account that owns the resource is open. Fix: give the question an owner")
    if not question.owner and start.count(":") < _TO_ACCOUNT and start != "*":
        raise ProofError("the account that owns the resource is open. Fix: give the question an owner")
    return Resource(start, question.owner).owner
