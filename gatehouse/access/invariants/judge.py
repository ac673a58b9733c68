"""The verdicts: every question asked, every witness replayed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gatehouse.access.context import ContextValue
from gatehouse.access.evaluate import evaluate
from gatehouse.access.invariants.model import (
    Ask,
    Counterexample,
    Invariant,
    Must,
    Never,
    Place,
    Proof,
)
from gatehouse.access.invariants.stack import Stack
from gatehouse.access.model import Decision, Policies
from gatehouse.access.proof import ProofError, Prover, Question, Symbol, text
from gatehouse.access.proof.text import literal
from gatehouse.access.request import Principal, Request, Resource

#: Taken for granted by every proof.
ALWAYS = (
    "AWS decides as its IAM User Guide says, which gatehouse.access implements and cites.",
    "What is not in the document allows nothing: other policies of resources, access points, grants.",
    "Organisation policies can only take away, and are not looked at.",
)


class Judge:
    """Judges the invariants of one stack; keeps what the prover knows from one to the next."""

    def __init__(self, stack: Stack) -> None:
        """Start with a prover of its own."""
        self._stack = stack
        self._prover = Prover()
        self._circumstances: dict[str, list[Mapping[str, ContextValue]]] = {}

    def judge(self, invariant: Invariant) -> Proof | None:
        """Return the verdict on an invariant, None if the stack has nothing that it is about.

        Raises:
            ProofError: the solver gave no answer, or something is not modelled: there is no verdict then.

        """
        count, valid = 0, dict[str, None]()
        for ask in invariant.asks(self._stack):
            count += 1
            if isinstance(ask, Never):
                for one in (*ask.asked, *ask.wider):
                    valid |= dict.fromkeys(_alphabets(one))
            found = self._never(ask) if isinstance(ask, Never) else self._must(ask)
            if found is not None:
                return Proof(invariant, self._assumed(invariant, valid), count, found)
        return Proof(invariant, self._assumed(invariant, valid), count) if count else None

    def _assumed(self, invariant: Invariant, valid: dict[str, None]) -> tuple[str, ...]:
        return (*invariant.assumptions, *(f"{one[0].upper()}{one[1:]}." for one in valid), *ALWAYS)

    def _never(self, ask: Never) -> Counterexample | None:
        if any(self._prover.find(one, unless=ask.unless) is None for one in ask.wider):
            return None
        for one in ask.asked:
            found = self._prover.find(one, unless=ask.unless)
            if found is not None:
                return self._shown(ask, found.request, found.decision, one.policies)
        return None

    def _must(self, ask: Must) -> Counterexample | None:
        """Look for a request that is allowed: first in the circumstances of one that was, then by the solver."""
        question = ask.question
        service = question.actions[0].partition(":")[0]
        known = self._circumstances.setdefault(service, [])
        for context in known:
            if evaluate(plain_request(question, context), question.policies).allowed:
                return None
        found = self._prover.find(question)
        if found is not None:
            known.append(found.request.context)
            return None
        request = plain_request(question, known[0] if known else {})
        return self._shown(ask, request, evaluate(request, question.policies), question.policies)

    def _shown(self, ask: Ask, request: Request, decision: Decision, policies: Policies) -> Counterexample:
        return Counterexample(
            ask.who, ask.what, request, decision, policies, tuple(_places(self._stack, decision))
        )


def plain_request(question: Question, context: Mapping[str, ContextValue]) -> Request:
    """Return a request of a question whose principal and resource are no symbols, in some circumstances.

    Raises:
        ProofError: they are.

    """
    who = question.who
    resource, arn, account = literal(question.resource), literal(who.arn), literal(who.account)
    session = None if who.session is None else literal(who.session)
    tags = {name: literal(text(tag)) for name, tag in who.tags.items() if tag is not None}
    if resource is None or arn is None or account is None or None in tags.values():
        raise ProofError("what must be possible is asked of one principal and one resource")
    principal = Principal(arn, account, session, {name: tag or "" for name, tag in tags.items()}, who.service)
    given = {name: value for name, value in question.context.items() if isinstance(value, str | list)}
    owner = Resource(resource, question.owner)
    return Request(principal, question.actions[0], owner, {**context, **given})


def _alphabets(question: Question) -> Iterator[str]:
    who = question.who
    texts = [question.resource, who.arn, who.account, who.session or ()]
    texts += [tag if isinstance(tag, tuple) else (tag,) for tag in who.tags.values() if tag is not None]
    return (part.alphabet.meaning for value in texts for part in value if isinstance(part, Symbol))


def _places(stack: Stack, decision: Decision) -> Iterator[Place]:
    """Go through the statements that decided: those that allow, or the one that denies."""
    for layer, verdict in decision.layers.items():
        for one in verdict.statements:
            if one.is_deny == decision.allowed:
                continue
            made_up = stack.is_made_up(one.policy)
            yield Place(
                one.policy,
                one.sid or f"statement {one.index}",
                "Deny" if one.is_deny else "Allow",
                layer.value,
                "" if made_up else stack.world.locate(one),
            )
