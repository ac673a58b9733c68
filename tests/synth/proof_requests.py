"""Random requests about one stack, drawn near to what its policies say: their constants, near misses, missing keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random

from gatehouse.access import Kind, Policies, Policy, Principal, Request, Resource
from gatehouse.access.conditions import Condition
from gatehouse.access.context import Context, Variable
from gatehouse.access.pattern import Token, tokens
from gatehouse.access.proof import Question, Symbol, Who, text
from gatehouse.access.world import World

_NO_CONTEXT = Context({})
OTHER = "444455556666"
#: What stands where a pattern has a wildcard.
WILD = ("", "x", "a/b", "..", "*", ":", "workspaces/", "1")
TEAMS = ("fraud", "pricing", "fraud/", "Fraud", "*", "", "fraud/..", "a:b", "search")
#: Values of any key beside those of the policies.
VALUES = ("", "x", "true", "FALSE", "1.1", "1.2", "10.0.0.1", "198.51.100.9", "*", "..", "2001:db8::1")
#: What lets an ordinary call pass what is asked of all calls.
ORDINARY = {
    "aws:securetransport": "true",
    "s3:tlsversion": "1.3",
    "aws:multifactorauthpresent": "true",
    "aws:sourceip": "198.51.100.7",
}
ANYTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
TRUST = ("sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity")


@dataclass(frozen=True)
class Batch:
    """One principal, action and set of policies, about which many requests are asked."""

    principal: Principal
    action: str
    policies: Policies
    resources: tuple[tuple[Token, ...], ...]
    conditions: tuple[Condition, ...]
    #: Those of statements that allow.
    wanted: tuple[Condition, ...]
    owner: str
    #: The resource of all requests, where its policy is a trust policy.
    role: str | None

    @property
    def question(self) -> Question:
        """All requests of the principal for the action."""
        who = replace(Who.of(self.principal), tags={}, other_tags=self.principal.has_identity_policies)
        resource = text(Symbol("resource") if self.role is None else self.role)
        return Question(who, (self.action,), resource, self.policies, self.owner)


@dataclass(frozen=True)
class Requests:
    """Draws requests about a world."""

    world: World
    random: Random

    def batches(self, count: int) -> Iterator[Batch]:
        """Go through batches; those that nothing allows at all are rare."""
        return (self._batch() for _ in range(count))

    def _batch(self) -> Batch:
        random, world = self.random, self.world
        role = random.choice(tuple(world.roles.values())) if random.random() < 0.12 else None
        resource = role.trust if role else random.choice(self._resource_policies)
        who = random.choice((*world.personas, *world.roles.values(), *world.users.values(), None))
        principal = random.choice(self._outsiders) if who is None else who.principal()
        identity = who.identity if who else (self._anything,) * principal.has_identity_policies
        if random.random() < 0.1:
            identity = (*identity, self._anything)
        endpoint = random.choice(world.endpoints).policy if random.random() < 0.15 else None
        policies = Policies(identity, who.boundary if who else None, None, resource, endpoint)
        documents = [
            one for one in (*identity, policies.boundary, resource, endpoint) if isinstance(one, Policy)
        ]
        statements = [one for document in documents for one in document.statements]
        action = random.choice(TRUST) if role else self._action(documents)
        if not role and action.startswith("sts:"):
            action = "s3:GetObject"
        about = [one for one in statements if one.actions.match(action, _NO_CONTEXT) != one.not_action]
        return Batch(
            principal,
            action,
            policies,
            tuple(tokens_ for one in about if one.resources for tokens_ in one.resources.written),
            tuple(condition for one in about for condition in one.conditions),
            tuple(condition for one in about if not one.is_deny for condition in one.conditions),
            world.account,
            role.arn if role else None,
        )

    @cached_property
    def _anything(self) -> Policy:
        return Policy.parse(ANYTHING, "anything", Kind.IDENTITY)

    @cached_property
    def _resource_policies(self) -> tuple[Policy | None, ...]:
        world = self.world
        buckets = [one.policy for one in world.buckets]
        apis = [one.policy for one in world.apis]
        others = [*(one.policy for one in world.keys), *(one.policy for one in world.topics)]
        # Twice what most is asked of.
        return (*buckets, buckets[0], *apis, *apis, *others, None)

    @cached_property
    def _outsiders(self) -> tuple[Principal, ...]:
        account = self.world.account
        path = next(iter(self.world.personas)).arn.partition(":role/")[2]
        return (
            Principal(
                f"arn:aws:iam::{OTHER}:role/{path}", OTHER, f"arn:aws:sts::{OTHER}:assumed-role/x/session"
            ),
            Principal(
                f"arn:aws:iam::{account}:role/x", account, f"arn:aws:sts::{account}:assumed-role/x/session"
            ),
            Principal(f"arn:aws:iam::{account}:user/anna", account),
            Principal(f"arn:aws:iam::{account}:root", account),
            Principal(service="logs.eu-west-1.amazonaws.com"),
            Principal(service="logging.s3.amazonaws.com"),
            Principal(service="ec2.amazonaws.com"),
            Principal("*"),
        )

    def _action(self, documents: list[Policy]) -> str:
        """Return an action of one of the policies, one document as likely as another."""
        if not documents:
            return "s3:GetObject"
        statement = self.random.choice(self.random.choice(documents).statements)
        written = self.random.choice(statement.actions.written)
        found = "".join(part if isinstance(part, str) else "X" for part in written)
        if ":" not in found:
            found = self.random.choice(("s3:GetObject", "s3:ListBucket", "s3:DeleteObject", "kms:Decrypt"))
        return found.replace("s3:X", "s3:GetObject")

    def request(self, batch: Batch) -> Request:
        """Return a request of a batch."""
        random = self.random
        team = random.choice(TEAMS[:2]) if random.random() < 0.6 else random.choice((*TEAMS, None))
        tags = {} if team is None or not batch.principal.has_identity_policies else {"team": team}
        context: dict[str, str | list[str]] = dict(ORDINARY) if random.random() < 0.7 else {}
        conditions = batch.wanted if context and random.random() < 0.8 else batch.conditions
        for condition in conditions:
            if condition.key.startswith(("aws:principal", "aws:userid", "aws:username")):
                continue
            if random.random() < 0.05:
                context.pop(condition.key, None)
            elif condition.key not in context or random.random() < 0.5:
                context[condition.key] = self._value(condition, team)
        arn = batch.role or self._resource(batch, team)
        return Request(
            replace(batch.principal, tags=tags), batch.action, Resource(arn, self.world.account), context
        )

    def _value(self, condition: Condition, team: str | None) -> str:
        if condition.is_null or self.random.random() < 0.15:
            return self.random.choice(VALUES)
        wildcards = condition.operator.endswith("Like") or condition.operator.startswith("Arn")
        written = self.random.choice(condition.values)
        if condition.operator == "Bool":
            return self.random.choice(("true", "false"))
        return self._near(tokens(written, variables=condition.variables, wildcards=wildcards), team)

    def _resource(self, batch: Batch, team: str | None) -> str:
        if not batch.resources:
            return f"{self.world.buckets[0].arn}/x"
        found = self._near(self.random.choice(batch.resources), team)
        return (
            found if found.startswith("arn:") and found.count(":") >= 5 else f"{self.world.buckets[0].arn}/x"
        )

    def _near(self, pattern: tuple[Token, ...], team: str | None) -> str:
        """Return what fits a pattern, or nearly does."""
        found = ""
        for token in pattern:
            if isinstance(token, str):
                found += token
            elif isinstance(token, Variable):
                found += (
                    team if team is not None and self.random.random() < 0.8 else self.random.choice(TEAMS)
                )
            else:
                found += self.random.choice(WILD)
        if self.random.random() < 0.2:
            place = self.random.randrange(len(found) + 1)
            change = self.random.choice(("", "x", "/", found[place : place + 1].swapcase(), "*", "${aws:x}"))
            found = found[:place] + change + found[place + 1 :]
        return found
