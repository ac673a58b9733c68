"""Who is compared: every principal of the two documents, and those outside whom the policies of resources let in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from gatehouse.access.iam import Group, Role, User
from gatehouse.access.policy import Kind, Policy
from gatehouse.access.proof import (
    ACCOUNT,
    SESSION,
    AnyOf,
    Constraint,
    Not,
    Same,
    Symbol,
    Who,
    anonymous,
    different,
    roles,
    root,
    service,
    text,
    users,
)
from gatehouse.access.proof.conditions import variables_in
from gatehouse.access.request import Sort
from gatehouse.access.world import World

_TAG = "aws:principaltag/"
#: Stands for the policies of those outside, of which no document tells: they allow everything, so that what the
#: policies of resources leave to them is all that counts.
EVERYTHING = Policy.parse(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]},
    "own policies, taken to allow everything",
    Kind.IDENTITY,
)
ANONYMOUS, OTHER_ACCOUNTS, OWN_ACCOUNT = "anonymous", "other-accounts", "own-account"


@dataclass(frozen=True)
class Held:
    """What a principal has in one document."""

    identity: tuple[Policy, ...] = ()
    boundary: Policy | None = None


@dataclass(frozen=True)
class Form:
    """One form in which a principal asks."""

    who: Who
    given: tuple[Constraint, ...] = ()


@dataclass(frozen=True)
class Subject:
    """A principal, or several of a kind, with what it has before and after; None where there is no such principal.

    ``group`` is what personas of several teams have in common, ``name`` its own name.
    """

    group: str
    name: str
    forms: tuple[Form, ...] = field(repr=False)
    old: Held | None = field(repr=False)
    new: Held | None = field(repr=False)
    team: str | None = None
    is_group: bool = False

    @property
    def is_outside(self) -> bool:
        """Whether it is in neither document."""
        return any(
            held is not None and held in (Held(), Held((EVERYTHING,))) for held in (self.old, self.new)
        )

    def is_named(self, name: str) -> bool:
        """Whether a name in an approval means it: the persona's, or its own."""
        return name in (self.group, self.name)


def subjects(old: World, new: World) -> Iterator[Subject]:
    """Go through all; a principal with other tags, as far as policies ask for them, is one gone and one come."""
    asked = _tags_asked(old) | _tags_asked(new)
    for arn in dict.fromkeys((*new.roles, *old.roles)):
        yield from _role(old.roles.get(arn), new.roles.get(arn), asked)
    for arn in dict.fromkeys((*new.users, *old.users)):
        yield from _user(old.users.get(arn), new.users.get(arn), asked)
    for arn in dict.fromkeys((*new.groups, *old.groups)):
        yield _group(old.groups.get(arn), new.groups.get(arn))
    yield from outsiders(old, new)


def _tags_asked(world: World) -> frozenset[str]:
    """Return the principal tags that any policy asks for, in lower case."""
    keys: set[str] = set()
    for statement in chain.from_iterable(one.statements for one in world.policies.values()):
        for condition in statement.conditions:
            keys |= {condition.key, *variables_in(condition)}
        if statement.resources is not None:
            keys |= {one.key for one in statement.resources.variables}
    return frozenset(one.removeprefix(_TAG) for one in keys if one.startswith(_TAG))


def _held(who: Role | User | Group | None) -> Held | None:
    if who is None:
        return None
    return Held(who.identity, None if isinstance(who, Group) else who.boundary)


def _tags(who: Role | User, asked: frozenset[str]) -> Mapping[str, str]:
    return {key: value for key, value in who.tags.items() if key.lower() in asked}


def _role(old: Role | None, new: Role | None, asked: frozenset[str]) -> Iterator[Subject]:
    both = [one for one in (old, new) if one is not None]
    # A session's tag replaces the role's, so that where sessions may bring tags, each is open.
    is_open = any(
        not statement.is_deny and statement.covers_action("sts:TagSession")
        for role in both
        for statement in role.trust.statements
    )
    if len(both) > 1 and not is_open and _tags(both[0], asked) != _tags(both[1], asked):
        yield from _role(old, None, asked)
        yield from _role(None, new, asked)
        return
    role = both[-1]
    partition, account = role.arn.split(":")[1], role.account
    session = text(f"arn:{partition}:sts::{account}:assumed-role/{role.name}/", Symbol("session", SESSION))
    who = Who(
        Sort.ROLE,
        text(role.arn),
        text(account),
        session,
        tags={} if is_open else _tags(role, asked),
        other_tags=is_open,
    )
    persona, team = role.persona, role.team
    yield Subject(
        persona or role.name, role.name, (Form(who),), _held(old), _held(new), team if persona else None
    )


def _user(old: User | None, new: User | None, asked: frozenset[str]) -> Iterator[Subject]:
    both = [one for one in (old, new) if one is not None]
    if len(both) > 1 and _tags(both[0], asked) != _tags(both[1], asked):
        yield from _user(old, None, asked)
        yield from _user(None, new, asked)
        return
    user = both[-1]
    who = Who(Sort.USER, text(user.arn), text(user.account), tags=_tags(user, asked))
    name = f"user {user.name}"
    yield Subject(name, name, (Form(who),), _held(old), _held(new))


def _group(old: Group | None, new: Group | None) -> Subject:
    """Return whoever is put into a group, beside its members in the document: users without a boundary."""
    group = new or old
    assert group is not None  # noqa: S101  # it is in one of the two
    partition, account = group.arn.split(":")[1], group.arn.split(":")[4]
    who = users(account, partition=partition)
    name = f"group {group.name}"
    return Subject(name, name, (Form(who),), _held(old), _held(new), is_group=True)


def outsiders(old: World, new: World) -> Iterator[Subject]:
    """Go through those who are in neither document, as kinds."""
    everything = Held((EVERYTHING,))
    yield Subject(ANONYMOUS, ANONYMOUS, (Form(anonymous()),), Held(), Held())
    partition, account = new.partition, new.account
    of = Symbol("account", ACCOUNT)
    elsewhere = (different(of, account),)
    strangers = (
        roles(of, partition=partition),
        users(of, partition=partition),
        root(of, partition=partition),
    )
    yield Subject(
        OTHER_ACCOUNTS,
        OTHER_ACCOUNTS,
        tuple(Form(who, elsewhere) for who in strangers),
        everything,
        everything,
    )
    # With policies of their own, what those of resources forbid counts; without any, what they grant by themselves.
    for own in (everything, Held()):
        yield Subject(OWN_ACCOUNT, OWN_ACCOUNT, tuple(_others(old, new)), own, own)
    for name in _named(old, new, "services"):
        yield Subject(name, name, (Form(service(name)),), Held(), Held())
    for name in _named(old, new, "federated"):
        yield Subject(name, name, (Form(Who(Sort.FEDERATED, text(name))),), Held(), Held())


def _others(old: World, new: World) -> Iterator[Form]:
    """Go through the principals of the account that are in neither document."""
    account, partition = new.account, new.partition
    for who, known in (
        (roles(account, partition=partition), {**old.roles, **new.roles}),
        (users(account, partition=partition), {**old.users, **new.users}),
    ):
        yield Form(who, (Not(AnyOf(tuple(Same(who.arn, arn) for arn in known))),))
    yield Form(root(account, partition=partition))


def _named(old: World, new: World, kind: str) -> list[str]:
    """Return the services or identity providers that policies of resources name."""
    return sorted(
        {
            name
            for world in (old, new)
            for policy in world.policies.values()
            for statement in policy.statements
            if statement.principals is not None and not statement.principals.negated
            for name in (
                statement.principals.services if kind == "services" else statement.principals.federated
            )
            if name != "*"
        }
    )
