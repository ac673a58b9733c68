"""New and lost access: requests that one document allows and the other does not, found by the solver.

For each principal, resource and set of actions that no policy tells apart, the question is whether a request is allowed
by the one and not by the other. It is left out only where both say the same of it (:mod:`.normal`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from gatehouse.access.diff.normal import Sayings
from gatehouse.access.diff.subjects import Form, Held, Subject, subjects
from gatehouse.access.diff.targets import TRUST, Guard, Target, Targets, like
from gatehouse.access.evaluate import evaluate
from gatehouse.access.model import Decision, Layer, Policies
from gatehouse.access.pattern import Wildcard
from gatehouse.access.policy import Policy
from gatehouse.access.proof import Prover, Question, Witness
from gatehouse.access.resources import Endpoint
from gatehouse.access.world import World


class Direction(StrEnum):
    """Which of the two allows."""

    NEW = "new"
    LOST = "lost"


@dataclass(frozen=True)
class Pair:
    """The policies that decide about one principal and resource in each document; None where one of them is missing."""

    old: Policies | None
    new: Policies | None

    def towards(self, direction: Direction) -> tuple[Policies | None, Policies | None]:
        """Return those that are to allow, and those that are not to."""
        return (self.new, self.old) if direction is Direction.NEW else (self.old, self.new)


@dataclass(frozen=True)
class Change:
    """Access that one document gives and the other does not.

    ``do`` is a capability of MLflow, empty where actions say it; ``actions`` are all of which policies say the same.
    ``before`` is the decision of the other document on the same request, None if it has no such principal or
    resource. ``questions`` are the requests that are meant, of which the witness is one.
    """

    direction: Direction
    subject: Subject
    target: Target
    do: str
    actions: tuple[str, ...]
    on: str
    witness: Witness
    before: Decision | None
    questions: tuple[Question, ...] = field(repr=False)
    unless: Policies | None = field(repr=False)


@dataclass(frozen=True)
class Difference:
    """What changed between two documents; ``notes`` are changes beside policies that open something.

    ``principals`` are the names by which those who were compared are known, ``asked`` the questions that it took.
    """

    old: World
    new: World
    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    principals: frozenset[str]
    asked: int

    def of(self, direction: Direction) -> tuple[Change, ...]:
        """Return the new or the lost access."""
        return tuple(one for one in self.changes if one.direction is direction)


def compare(old: World, new: World) -> Difference:
    """Return what changed.

    Raises:
        ProofError: a question that the solver does not answer, or that is beyond what is modelled.
        MalformedPolicyError: a policy that AWS would refuse.

    """
    comparison = Comparison(old, new)
    changes = tuple(comparison.changes())
    names = frozenset(name for one in subjects(old, new) for name in (one.group, one.name))
    return Difference(old, new, changes, tuple(_notes(old, new)), names, comparison.asked)


class Comparison:
    """Asks the questions about two documents."""

    def __init__(self, old: World, new: World) -> None:
        """Keep the documents."""
        self._old, self._new = old, new
        self._targets = Targets(old, new)
        self._sayings = Sayings()
        self._prover = Prover()
        self.asked = 0

    def changes(self) -> Iterator[Change]:
        """Go through the changes, principal by principal."""
        for subject in subjects(self._old, self._new):
            if subject.is_group and self._has_the_same(subject):
                continue  # what resources give to its members, they give to users of the account
            for target in self._targets_of(subject):
                for endpoints, context in self._ways(target):
                    yield from self._of_target(subject, target, endpoints, context)

    def _targets_of(self, subject: Subject) -> Iterator[Target]:
        for target in self._targets.own:
            # API Gateway asks for a signature first, and those who sign in are asked about the whole API.
            if target.service != "execute-api" or target.is_open == (subject.group == "anonymous"):
                yield target
        for service in self._services_of(subject):
            yield from self._targets.others(service)

    def _services_of(self, subject: Subject) -> Iterable[str]:
        """Return the services of which something in neither document may have changed for a principal."""
        if subject.is_outside:
            return sorted({door.service for door, _ in self._doors})
        if self._has_the_same(subject):
            return sorted({door.service for door, _ in self._doors})
        return _services(subject, self._targets.services)

    def _has_the_same(self, subject: Subject) -> bool:
        """Whether the principal's own policies say the same in both documents."""
        pair = [None if held is None else _policies(held, Guard()) for held in (subject.old, subject.new)]
        return self._sayings.whole(pair[0]) == self._sayings.whole(pair[1])

    @cached_property
    def _doors(self) -> list[tuple[Endpoint, Endpoint]]:
        """The endpoints that both documents have, and that let through something else."""
        found = []
        before = {one.id: one for one in self._old.endpoints}
        for after in self._new.endpoints:
            door = before.get(after.id)
            if door is None or door.policy is after.policy is None:
                continue
            both = [Policies(endpoint=one.policy) for one in (door, after)]
            if self._sayings.whole(both[0]) != self._sayings.whole(both[1]):
                found.append((door, after))
        return found

    def _ways(
        self, target: Target
    ) -> Iterator[tuple[tuple[Policy | None, Policy | None] | None, dict[str, str]]]:
        """Go through the ways to a target: from anywhere, and through each endpoint that has changed."""
        yield None, {}
        for before, after in self._doors:
            if before.service == target.service and target.service != "execute-api":
                yield (before.policy, after.policy), {"aws:SourceVpce": after.id}

    def _of_target(
        self,
        subject: Subject,
        target: Target,
        endpoints: tuple[Policy | None, Policy | None] | None,
        context: dict[str, str],
    ) -> Iterator[Change]:
        guards = [target.old, target.new]
        if endpoints is not None:
            guards = [
                None if guard is None else replace(guard, endpoint=endpoint)
                for guard, endpoint in zip(guards, endpoints, strict=True)
            ]
        both = [
            None if held is None or guard is None else _policies(held, guard)
            for held, guard in zip((subject.old, subject.new), guards, strict=True)
        ]
        pair = Pair(*both)
        if self._sayings.whole(pair.old) == self._sayings.whole(pair.new):
            return
        for actions in self._classes(pair, target.actions):
            for direction in Direction:
                yield from self._of_actions(direction, subject, target, pair, actions, context)

    def _classes(self, pair: Pair, actions: Iterable[str]) -> Iterable[tuple[str, ...]]:
        """Return the actions of which the two documents say different things, together if they say the same of each."""
        found: dict[Hashable, list[str]] = {}
        for action in actions:
            old, new = (self._sayings.about(one, action) for one in (pair.old, pair.new))
            if old != new:
                found.setdefault((old, new, action in TRUST), []).append(action)
        return [tuple(one) for one in found.values()]

    def _of_actions(
        self,
        direction: Direction,
        subject: Subject,
        target: Target,
        pair: Pair,
        actions: tuple[str, ...],
        context: dict[str, str],
    ) -> Iterator[Change]:
        policies, unless = pair.towards(direction)
        if policies is None or not _may_allow(policies, actions[0]):
            return
        whole = [
            _question(form, target, policies, actions[0], context, self._new.account)
            for form in subject.forms
        ]
        for do, questions in self._parts(subject, whole, target, actions):
            found = self.first(questions, unless)
            if found is not None:
                yield self._change(direction, subject, target, do, actions, found, questions, unless)

    def _parts(
        self, subject: Subject, whole: list[Question], target: Target, actions: tuple[str, ...]
    ) -> list[tuple[str, list[Question]]]:
        """Return the questions about each capability, and about calls that are no route of MLflow.

        Those outside are asked about the API as a whole: what limits them names no routes.
        """
        if subject.is_outside or not target.routes or actions != ("execute-api:Invoke",):
            return [("", whole)]
        return [
            (name, [replace(one, resource=call) for one in whole for call in calls])
            for name, calls in target.routes.items()
        ]

    def first(self, questions: Iterable[Question], unless: Policies | None) -> Witness | None:
        """Return the witness of the first question that has one."""
        for question in questions:
            self.asked += 1
            found = self._prover.find(question, unless=unless)
            if found is not None:
                return found
        return None

    def _change(
        self,
        direction: Direction,
        subject: Subject,
        target: Target,
        do: str,
        actions: tuple[str, ...],
        witness: Witness,
        questions: list[Question],
        unless: Policies | None,
    ) -> Change:
        return Change(
            direction=direction,
            subject=subject,
            target=target,
            do=do,
            actions=actions,
            on=like(target.resource),
            witness=witness,
            before=None if unless is None else evaluate(witness.request, unless),
            questions=tuple(questions),
            unless=unless,
        )


def _may_allow(policies: Policies, action: str) -> bool:
    """Whether an identity policy, or that of the resource, has an Allow for the action: without, nobody has it."""
    levels = policies.levels(is_trust=False)
    granting = (
        policy
        for layer in (Layer.IDENTITY, Layer.RESOURCE)
        for one in levels.get(layer, ())
        for policy in one
    )
    return any(
        not statement.is_deny and statement.covers_action(action)
        for policy in granting
        for statement in policy.statements
    )


def _policies(held: Held, guard: Guard) -> Policies:
    return Policies(
        identity=held.identity, boundary=held.boundary, resource=guard.policy, endpoint=guard.endpoint
    )


def _question(
    form: Form, target: Target, policies: Policies, action: str, context: Mapping[str, str], owner: str
) -> Question:
    return Question(
        who=form.who,
        actions=(action,),
        resource=target.resource,
        policies=policies,
        owner=owner,
        context=context,
        given=(*form.given, *target.given),
    )


def _services(subject: Subject, known: tuple[str, ...]) -> Iterable[str]:
    """Return the services to which Allow statements of a principal's own policies belong."""
    found: dict[str, None] = {}
    for held in (subject.old, subject.new):
        for policy in held.identity if held else ():
            for statement in policy.statements:
                if statement.is_deny:
                    continue
                for pattern in statement.actions.written:
                    first = pattern[0] if pattern else ""
                    if statement.not_action or isinstance(first, Wildcard) or ":" not in str(first):
                        return known
                    found[str(first).partition(":")[0].lower()] = None
    return found


def _notes(old: World, new: World) -> Iterator[str]:
    """Go through what opens something and is no policy."""
    before = {one.arn: one.public_access_block for one in old.buckets}
    for bucket in new.buckets:
        for name, is_on in bucket.public_access_block.items():
            if not is_on and before.get(bucket.arn, {}).get(name):
                yield f"{bucket.address}: {name} of the public access block is off, and was on"
