"""The stack that questions are about: who is in it, where its data is, and its policies by themselves.

A layer by itself is asked about with nothing of the others in its way: a policy that allows everything stands in the
place of a principal's own, one that leaves all to the account in the place of a resource's. That is how each layer is
proved to hold alone, so that a hole needs a mistake in all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from gatehouse.access.context import Variable
from gatehouse.access.iam import TEAM_TAG, Role
from gatehouse.access.invariants.actions import Actions
from gatehouse.access.model import Policies
from gatehouse.access.pattern import Token, Wildcard
from gatehouse.access.policy import Kind, Policy
from gatehouse.access.proof import IAM_NAME, TAG, TEAM, Alphabet, Symbol, Text, Who, roles, text, users
from gatehouse.access.resources import Bucket, Key
from gatehouse.access.world import World
from gatehouse.catalogue import shipped
from gatehouse.catalogue.model import CAPABILITIES, Catalogue
from gatehouse.errors import InputError, Problem

VERSION = "2012-10-17"
#: The caller's own team in a pattern.
OWN = "${aws:PrincipalTag/team}"
_OWN_TEAM = Variable("aws:principaltag/team", None)
_TWO = 2
#: Slashes of a call's ARN before the team: API/STAGE/METHOD/.
_BEFORE_TEAM = 3
#: A team that is in no stack.
ANOTHER_TEAM = "another-team"
HTTP_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
MADE_UP = "made up for the question"


def _policy(name: str, kind: Kind, **elements: object) -> Policy:
    statement = {"Sid": "Everything", "Effect": "Allow", **elements}
    return Policy.parse({"Version": VERSION, "Statement": [statement]}, f"{name}, {MADE_UP}", kind)


_READS = tuple(
    f"{area}:read"
    for area in ("ui", "experiments", "runs", "traces", "evaluation", "datasets", "registry", "artifacts")
)
_ALL = tuple(map(str, CAPABILITIES))
#: What the built-in personas are for; the README's table.
WORK: Mapping[str, tuple[str, ...]] = {
    "reader": _READS,
    "data-scientist": (
        *_READS,
        *("experiments:write", "runs:write", "traces:write", "evaluation:write", "datasets:write"),
        *("registry:register", "artifacts:write"),
    ),
    "model-approver": (*_READS, "registry:promote"),
    "ci-pipeline": (
        *(
            "experiments:read",
            "experiments:write",
            "runs:read",
            "runs:write",
            "datasets:read",
            "datasets:write",
        ),
        *("registry:register", "artifacts:read", "artifacts:write"),
    ),
    "model-server": ("registry:read", "artifacts:read"),
    "team-admin": tuple(one for one in _ALL if not one.startswith("workspaces:")),
    "auditor": tuple(one for one in _ALL if one.endswith(":read") and one != "artifacts:read"),
    "platform-admin": _ALL,
}


@dataclass(frozen=True)
class Personas:
    """What the names of personas mean, which no document tells: an assumption of the proofs that use it.

    ``work`` are the capabilities that a persona has to have; of one that is not in it, nothing is said.
    """

    all_teams: tuple[str, ...] = ("auditor", "platform-admin")
    stack: tuple[str, ...] = ("operator",)
    deleters: tuple[str, ...] = ("team-admin", "platform-admin")
    promoters: tuple[str, ...] = ("model-approver", "team-admin", "platform-admin")
    without_contents: tuple[str, ...] = ("auditor", "operator")
    work: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: WORK)


def patterns_of(policy: Policy, *, allow_only: bool = False) -> Iterator[Sequence[Token]]:
    """Go through the patterns of a policy's resources."""
    for statement in policy.statements:
        if statement.resources is not None and not (allow_only and statement.is_deny):
            yield from statement.resources.written


def _named(policies: tuple[Policy, ...]) -> tuple[str, ...]:
    """Return the methods and ends of the paths that policies name: METHOD/END, wildcards filled."""
    found: dict[str, None] = {}
    for pattern in (one for policy in policies for one in patterns_of(policy)):
        filled = "".join(part if isinstance(part, str) else "1a" for part in pattern)
        method, _, path = filled.partition("/api/")[2].partition("/")
        found[f"{method}/1a{path.removeprefix('1a')}"] = None
        found[f"{method}/{path.rpartition('/')[2]}"] = None
    return tuple(found)


def may_match(pattern: Sequence[Token], call: str) -> bool:
    """Whether a pattern may fit the ARN of a call with any team; never False of one that does.

    ``call`` is the ARN with nothing for the team, ``.../METHOD//path``. A literal of the pattern, from its first slash
    on, is in the ARN wherever the team is put, because a team's name has no slash: but for the one that spans it.
    """
    first, head = pattern[0], call.partition("//")[0] + "/"
    rest = _after_own_team(pattern)
    if rest is not None and first == head:
        return re.fullmatch(rest, f"/{call.partition('//')[2]}", re.DOTALL) is not None
    if isinstance(first, str) and not (first.startswith(head) or head.startswith(first)):
        return False
    # What is matched already is the slash before the team, so that nothing after it spans the team.
    past_head = isinstance(first, str) and first == head
    for part in pattern:
        if isinstance(part, str):
            pieces = part.split("/")
            inner = "/" + "/".join(pieces[1:-1]) + "/" if len(pieces) > _TWO else ""
            if inner and inner not in call and (past_head or not _spans(inner, call)):
                return False
            if part is pattern[-1] and len(pieces) > 1 and not call.endswith(f"/{pieces[-1]}"):
                return False
    return True


class Near:
    """Whether some of many patterns may fit a call; see :func:`may_match`."""

    def __init__(self, patterns: Iterable[Sequence[Token]]) -> None:
        """Put together the patterns of the own team with the same head."""
        rests: dict[str, list[str]] = {}
        self._all = tuple(patterns)
        self._others: list[Sequence[Token]] = []
        for pattern in self._all:
            rest, head = _after_own_team(pattern), str(pattern[0])
            if rest is not None and head.endswith("/") and head.count("/") == _BEFORE_TEAM:
                rests.setdefault(head, []).append(rest)
            else:
                self._others.append(pattern)
        self._rests = {head: re.compile("|".join(found), re.DOTALL) for head, found in rests.items()}

    def may_match(self, call: str) -> bool:
        """Whether one may fit the ARN of a call with nothing for the team."""
        head, team, path = call.partition("//")
        if not team or head.count("/") + 1 != _BEFORE_TEAM:
            return any(may_match(pattern, call) for pattern in self._all)
        # Of two heads with as many slashes that end in one, neither begins the other.
        rest = self._rests.get(f"{head}/")
        if rest is not None and rest.fullmatch(f"/{path}"):
            return True
        return any(may_match(pattern, call) for pattern in self._others)


def _after_own_team(pattern: Sequence[Token]) -> str | None:
    """Return what follows the own team in a pattern, as an expression; None if it is not of that form.

    Neither team has a slash: what is between two slashes is the team, and the rest is plain text.
    """
    rest = pattern[_TWO:]
    if len(pattern) < _TWO or pattern[1] != _OWN_TEAM or (rest and not str(rest[0]).startswith("/")):
        return None
    if any(isinstance(part, Variable) for part in rest):
        return None
    wild = {Wildcard.MANY: ".*", Wildcard.ONE: "."}
    return "".join(wild[part] if isinstance(part, Wildcard) else re.escape(str(part)) for part in rest)


def _spans(inner: str, call: str) -> bool:
    """Whether a text with slashes at both ends is in a call if some team is put between its two slashes."""
    before, _, after = call.partition("//")
    whole = f"{before}/"
    return any(
        whole.endswith(inner[: start + 1]) and f"/{after}".startswith(inner[inner.index("/", start + 1) :])
        for start in range(len(inner) - 1)
        if inner[start] == "/"
    )


@dataclass(frozen=True)
class Subject:
    """Principals with the same policies. ``general`` is any of them, ``each`` is every one that there is.

    ``persona`` is None for all but the personas of this stack.
    """

    name: str
    persona: str | None
    general: Who
    each: tuple[Who, ...]
    identity: tuple[Policy, ...] = field(repr=False)
    boundary: Policy | None = field(repr=False)


@dataclass(frozen=True)
class Stack:
    """One world with what all invariants ask about; what ``meaning`` says of personas is taken as given."""

    world: World
    meaning: Personas = field(default_factory=Personas)

    @property
    def account(self) -> str:
        """The account, 12 digits."""
        return self.world.account

    @cached_property
    def prefix(self) -> str:
        """The start of every name, which is the API's."""
        return self.world.api.name

    @cached_property
    def iam(self) -> str:
        """Start of the ARNs of IAM in this account."""
        return f"arn:{self.world.partition}:iam::{self.account}"

    @cached_property
    def personas_path(self) -> str:
        """The pattern of the ARNs of all personas' roles, ``arn:aws:iam::ACCOUNT:role/PREFIX/*``."""
        return f"{self.iam}:role/{self.prefix}/*"

    def of(self, *personas: str) -> tuple[str, ...]:
        """Return the patterns of the ARNs of some personas' roles."""
        return tuple(f"{self.iam}:role/{self.prefix}/{name}/*" for name in personas)

    @cached_property
    def server_arn(self) -> str:
        """ARN of the servers' role, which the name ``PREFIX-server`` tells."""
        return f"{self.iam}:role/{self.prefix}-server"

    @cached_property
    def server(self) -> Role:
        """The servers' role.

        Raises:
            InputError: there is none.

        """
        found = self.world.roles.get(self.server_arn)
        if found is None:
            raise self._refused(f"has no role {self.prefix}-server", "the servers' role by that name")
        return found

    @cached_property
    def artifacts(self) -> Bucket:
        """The bucket that holds artifacts, which the output ``artifact_bucket`` names.

        Raises:
            InputError: it is not in the document.

        """
        return self._bucket("artifact_bucket")

    @cached_property
    def server_files(self) -> Bucket:
        """The bucket that servers boot from, which the output ``server_bucket`` names."""
        return self._bucket("server_bucket")

    def _bucket(self, output: str) -> Bucket:
        document = self.world.document
        name = document.outputs[output] if output in document.raw_outputs else None
        found = [one for one in self.world.buckets if one.name == name]
        if not found:
            raise self._refused(f"has no bucket that its output {output} names", f"an output {output}")
        return found[0]

    @cached_property
    def storage_key(self) -> Key:
        """The KMS key of the artifacts, by the alias ``PREFIX-storage``.

        Raises:
            InputError: there is none.

        """
        return self._key("storage")

    @cached_property
    def database_key(self) -> Key:
        """The KMS key of the database and its secret, by the alias ``PREFIX-database``."""
        return self._key("database")

    def _key(self, name: str) -> Key:
        alias = f"alias/{self.prefix}-{name}"
        found = [one for one in self.world.keys if alias in one.aliases]
        if not found:
            raise self._refused(f"has no key with the alias {alias}", "that alias for the key")
        return found[0]

    @cached_property
    def catalogue(self) -> Catalogue:
        """The routes of the MLflow that the servers install."""
        return shipped.load(self.world.mlflow_version)

    @cached_property
    def actions(self) -> Actions:
        """The actions of AWS, as far as the document's policies tell them apart."""
        return Actions((*self.world.policies.values(), self.anything))

    @cached_property
    def deployers(self) -> tuple[str, ...]:
        """ARNs of the roles that deploy, which the database key's policy names; none if that is left to IAM."""
        found = [one for one in self.database_key.policy.statements if one.sid == "DeployersThroughServices"]
        return tuple(
            value
            for one in found
            for condition in one.conditions
            if condition.key == "aws:principalarn" and condition.operator == "ArnLike"
            for value in condition.values
            if "*" not in value and "?" not in value
        )

    # Who asks.

    def persona_of(self, role: Role) -> str | None:
        """Return the persona of this stack that a role is, by its path ``/PREFIX/PERSONA/``."""
        return role.persona if role.path.startswith(f"/{self.prefix}/") else None

    @cached_property
    def subjects(self) -> tuple[Subject, ...]:
        """Every role and user, and members of every group; roles at one path with the same policies are one."""
        return (*self._roles(), *self._users(), *self._members())

    @cached_property
    def personas(self) -> tuple[Subject, ...]:
        """The personas of this stack."""
        return tuple(one for one in self.subjects if one.persona)

    @cached_property
    def of_one_team(self) -> tuple[Subject, ...]:
        """All but the servers and the personas that are of all teams or of the stack."""
        exempt = (*self.meaning.all_teams, *self.meaning.stack)
        return tuple(
            one
            for one in self.subjects
            if one.persona not in exempt and one.name != f"role {self.prefix}-server"
        )

    def _roles(self) -> Iterator[Subject]:
        found: dict[tuple[object, ...], list[Role]] = {}
        for role in self.world.roles.values():
            persona = self.persona_of(role)
            path = role.path if persona else role.arn
            found.setdefault((path, *map(id, role.identity), id(role.boundary)), []).append(role)
        for alike in found.values():
            first = alike[0]
            persona, each = self.persona_of(first), tuple(Who.of(role.principal()) for role in alike)
            general = each[0]
            if len(alike) > 1:
                general = roles(self.account, text(first.path[1:], Symbol("role", IAM_NAME)))
            yield Subject(
                persona or f"role {first.name}", persona, general, each, first.identity, first.boundary
            )

    def _users(self) -> Iterator[Subject]:
        for user in self.world.users.values():
            who = Who.of(user.principal())
            yield Subject(f"user {user.name}", None, who, (who,), user.identity, user.boundary)

    def _members(self) -> Iterator[Subject]:
        for group in self.world.groups.values():
            who = users(self.account)
            yield Subject(f"a user in group {group.name}", None, who, (), group.identity, None)

    @cached_property
    def named_teams(self) -> tuple[str, ...]:
        """Teams whose names some policy's resource has in the ARN of a call."""
        written = {
            part
            for policy in self.world.policies.values()
            for pattern in patterns_of(policy)
            if any(isinstance(one, str) and ":execute-api:" in one for one in pattern)
            for part in pattern
            if isinstance(part, str)
        }
        return tuple(team for team in self.world.teams if any(team in part for part in written))

    # Of which team, and what of it.

    def tagged(self, who: Who, alphabet: Alphabet = TAG) -> Who:
        """Return a principal whose tag ``team`` may have any value, as may its other tags."""
        return who.tagged(others=True, **{TEAM_TAG: Symbol("own team", alphabet)})

    @staticmethod
    def untagged(who: Who) -> Who:
        """Return a principal without the tag ``team``, whatever other tags it has."""
        return who.tagged(others=True, **{TEAM_TAG: None})

    @staticmethod
    def proper(who: Who) -> Who:
        """Return a principal whose tag ``team`` is the name of a team."""
        return who.tagged(others=True, **{TEAM_TAG: Symbol("own team", TEAM)})

    def calls(self, *path: str | Symbol) -> Iterator[Text]:
        """Go through the ARNs of a call of the API with each method that API Gateway knows.

        Source: API Gateway API Reference, "PutMethod" (httpMethod).
        """
        for method in HTTP_METHODS:
            yield text(f"{self.world.api.arn}/{method}/", *path)

    def routes(
        self, capabilities: tuple[str, ...], team: str | Symbol, policies: tuple[Policy, ...] = ()
    ) -> tuple[Text, ...]:
        """Return the ARNs of calls of every route of some capabilities.

        Its parameters are plain text, and every text that makes the path look like another that the policies name.
        """
        named, found = _named(policies), dict[Text, None]()
        for route in self.catalogue:
            if str(route.capability) not in capabilities:
                continue
            shape, method = route.endpoint.shape, route.endpoint.method
            alike = (one for one in named if one.startswith(f"{method}/")) if "{" in shape else ()
            for value in ("1a", *(one.partition("/")[2] for one in alike)):
                if "{:path}" in shape or (value and "/" not in value):
                    path = shape.replace("{:path}", value).replace("{}", value)
                    found[text(f"{self.world.api.arn}/{method}/", team, path)] = None
        return tuple(found)

    # Policies.

    @cached_property
    def anything(self) -> Policy:
        """A principal's own policy that allows everything."""
        return _policy("a policy that allows everything", Kind.IDENTITY, Action="*", Resource="*")

    @cached_property
    def delegates(self) -> Policy:
        """A resource's policy that leaves everything to the account's own."""
        return _policy(
            "a policy that leaves all to the account",
            Kind.RESOURCE,
            Principal={"AWS": f"{self.iam}:root"},
            Action="*",
            Resource="*",
        )

    @cached_property
    def trusts_account(self) -> Policy:
        """A trust policy that leaves everything to the account's own policies."""
        return _policy(
            "a role that trusts its account",
            Kind.TRUST,
            Principal={"AWS": f"{self.iam}:root"},
            Action="sts:*",
        )

    def effective(self, subject: Subject, resource: Policy | None) -> Policies:
        """Return what decides for somebody about a resource with this policy."""
        return Policies(identity=subject.identity, boundary=subject.boundary, resource=resource)

    def own(self, subject: Subject) -> Policies:
        """Return somebody's own policies alone: no boundary, and a resource that leaves all to the account."""
        return Policies(identity=subject.identity, resource=self.delegates)

    def bounded(self, subject: Subject, resource: Policy | None = None) -> Policies:
        """Return what decides when somebody had attached everything: the boundary, and the resource's policy."""
        return Policies(
            identity=(self.anything,), boundary=subject.boundary, resource=resource or self.delegates
        )

    def alone(self, resource: Policy | None) -> Policies:
        """Return what decides for principals that may do everything: the resource's policy alone."""
        return Policies(identity=(self.anything,), resource=resource)

    def open_to_all(self, resource: Policy | None, *keys: str) -> Policies:
        """Return the same for a resource whose policy allows everybody everything that it does not deny.

        With ``keys``, only its denials that ask for one of these condition keys are left, which denies less.
        """
        return Policies(identity=(self.anything,), resource=self._opened(resource, keys))

    def _opened(self, resource: Policy | None, keys: tuple[str, ...]) -> Policy:
        key = (resource.name if resource else "", keys)
        if key not in self._all_opened:
            added = _policy(
                "a policy that allows everybody", Kind.RESOURCE, Principal="*", Action="*", Resource="*"
            )
            own = [
                one
                for one in (resource.statements if resource else ())
                if not keys or (one.is_deny and any(each.key in keys for each in one.conditions))
            ]
            self._all_opened[key] = Policy(added.name, (*own, *added.statements))
        return self._all_opened[key]

    @cached_property
    def _all_opened(self) -> dict[tuple[str, tuple[str, ...]], Policy]:
        return {}

    def is_made_up(self, policy: str) -> bool:
        """Whether a policy is one of the above and not the document's."""
        return policy.endswith(MADE_UP)

    def _refused(self, problem: str, fix: str) -> InputError:
        return InputError([Problem(str(self.world.document.path), problem, fix)])
