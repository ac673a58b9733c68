"""Invariants that people write themselves: nobody of WHO can DO on WHAT, except when.

The environment file has them in its section ``access.invariants``; the command line makes rules of that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gatehouse.access.iam import TEAM_TAG
from gatehouse.access.invariants.model import Invariant, Never, Severity
from gatehouse.access.invariants.stack import ANOTHER_TEAM, Stack, Subject
from gatehouse.access.policy import Policy
from gatehouse.access.proof import (
    OBJECT_KEY,
    PRINTABLE,
    SEGMENT,
    TEAM,
    AllOf,
    AnyOf,
    Constraint,
    Holds,
    Like,
    Not,
    ProofError,
    Question,
    Symbol,
    Text,
    Who,
    different,
    text,
)
from gatehouse.catalogue.model import CAPABILITIES

_CAPABILITIES = frozenset(map(str, CAPABILITIES))
#: What a capability on artifacts is in S3.
_ON_OBJECTS = {
    "artifacts:read": ("s3:GetObject",),
    "artifacts:write": ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
    "artifacts:delete": ("s3:DeleteObject",),
}
_WILD = re.compile(r"[*?]|\$\{")
#: Whose data a rule may be on.
OWN, OTHER, ANY = "own", "other", "any"


@dataclass(frozen=True)
class Rule:
    """One such sentence.

    ``personas`` are those meant, all principals of the stack if empty, but for ``except_personas``. ``do`` are
    capabilities and actions; ``on`` is ``own``, ``other`` or ``any`` (whose team's data), or the pattern of an ARN,
    which actions need that are not of S3. Where all of ``mfa``, ``networks`` and ``endpoints`` that are given hold,
    the rule does not.
    """

    name: str
    sentence: str
    severity: Severity
    do: tuple[str, ...]
    on: str = ANY
    personas: tuple[str, ...] = ()
    except_personas: tuple[str, ...] = ()
    mfa: bool = False
    networks: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()

    def as_invariant(self) -> Invariant:
        """Return the invariant that asks this."""

        def asks(stack: Stack) -> Iterator[Never]:
            for subject in stack.subjects:
                if self._means(subject):
                    yield from self._asked(stack, subject)

        sentence = self.sentence or self._sentence()
        return Invariant(self.name, self.name, sentence, self.severity, self._assumptions(), asks)

    def _means(self, subject: Subject) -> bool:
        if subject.persona in self.except_personas:
            return False
        return not self.personas or subject.persona in self.personas

    def _sentence(self) -> str:
        who = ", ".join(self.personas) or "anybody"
        but = f" but {', '.join(self.except_personas)}" if self.except_personas else ""
        return f"Nobody of {who}{but} does {', '.join(self.do)} on {self.on}."

    def _assumptions(self) -> tuple[str, ...]:
        found = ["Personas are those of the roles' paths, /PREFIX/PERSONA/."]
        if any(one in _CAPABILITIES for one in self.do):
            found.append(
                "Routes are those of the catalogue for the MLflow that the servers install, with plain "
                "text for parameters."
            )
        return tuple(found)

    def _asked(self, stack: Stack, subject: Subject) -> Iterator[Never]:
        is_arn = self.on not in (OWN, OTHER, ANY)
        for do in self.do:
            questions = self._on_arn(stack, subject, do) if is_arn else self._on_team(stack, subject, do)
            for one in questions:
                yield Never(subject.name, f"does {do} on {self.on}", (one,))

    @property
    def _unless(self) -> tuple[Constraint, ...]:
        """That what excuses it does not hold."""
        excuses: list[Constraint] = []
        if self.mfa:
            excuses.append(Holds("Bool", "aws:MultiFactorAuthPresent", "true"))
        if self.networks:
            keys = ("aws:SourceIp", "aws:VpcSourceIp")
            excuses.append(AnyOf(tuple(Holds("IpAddress", key, *self.networks) for key in keys)))
        if self.endpoints:
            excuses.append(Holds("StringEquals", "aws:SourceVpce", *self.endpoints))
        return (Not(AllOf(tuple(excuses))),) if excuses else ()

    def _on_team(self, stack: Stack, subject: Subject, do: str) -> Iterator[Question]:
        for who, team, apart in self._teams(stack, subject):
            given = (*apart, *self._unless)
            actions = _ON_OBJECTS.get(do, ()) if do in _CAPABILITIES else (do,)
            if actions and all(one.startswith("s3:") for one in actions):
                where = text(f"{stack.artifacts.arn}/workspaces/", team, "/", Symbol("key", OBJECT_KEY))
                policies = stack.effective(subject, stack.artifacts.policy)
                yield Question(who, actions, where, policies, stack.account, given=given)
            elif actions:
                raise ProofError(
                    f"{self.name}: {do} is on no team's data. Fix: the pattern of an ARN as what it is on"
                )
            if do in _CAPABILITIES:
                policies = stack.effective(subject, stack.world.api.policy)
                for where in stack.routes((do,), team):
                    yield Question(who, ("execute-api:Invoke",), where, policies, stack.account, given=given)

    def _teams(
        self, stack: Stack, subject: Subject
    ) -> Iterator[tuple[Who, str | Symbol, tuple[Constraint, ...]]]:
        """Go through who asks, and of which team the data is."""
        general = subject.general
        if subject.persona is None or subject.persona in (*stack.meaning.all_teams, *stack.meaning.stack):
            if self.on != OWN:
                for team in (*stack.world.teams, ANOTHER_TEAM):
                    yield stack.untagged(general), team, ()
            return
        own = Symbol("own team", TEAM)
        who = general.tagged(others=True, **{TEAM_TAG: own})
        if self.on in (OWN, ANY):
            yield who, own, ()
        if self.on in (OTHER, ANY):
            other = Symbol("other team", SEGMENT)
            yield who, other, (different(own, other),)

    def _on_arn(self, stack: Stack, subject: Subject, do: str) -> Iterator[Question]:
        if do in _CAPABILITIES:
            raise ProofError(f"{self.name}: {do} is on a team's data. Fix: on own, other or any")
        wild = _WILD.search(self.on)
        start = self.on[: wild.start()] if wild else self.on
        where: Text = text(start, Symbol("resource", PRINTABLE)) if wild else text(start)
        like = (Like(where, self.on),) if wild else ()
        policies = stack.effective(subject, _policy_of(stack, start))
        who = stack.tagged(subject.general)
        yield Question(who, (do,), where, policies, stack.account, given=(*like, *self._unless))


def _policy_of(stack: Stack, start: str) -> Policy | None:
    """Return the policy of the resource whose ARN begins so."""
    world = stack.world
    places: list[tuple[str, Policy | None]] = [
        *((one.arn, one.policy) for one in world.buckets),
        *((one.arn, one.policy) for one in world.keys),
        *((one.arn, one.policy) for one in world.topics),
        *((one.arn, one.policy) for one in world.secrets),
        *((one.execution_arn, one.policy) for one in world.apis),
        *((one.arn, one.trust) for one in world.roles.values()),
    ]
    return next((policy for arn, policy in places if start == arn or start.startswith(f"{arn}/")), None)
