"""What is asked of the prover: may anybody of a kind do any of these actions, on anything of a kind, where ...?

A question is a set of requests, given by what they have in common. All else is open: each condition key that a
policy asks for may be absent or have any value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from gatehouse.access.conditions import Condition, parse_condition
from gatehouse.access.model import Policies
from gatehouse.access.proof.text import ACCOUNT, IAM_NAME, SESSION, Symbol, Text, TextLike, text
from gatehouse.access.request import Principal, Sort

#: What a question says of a key: its value, its values, or that the request does not have it.
Given = TextLike | list[str] | None
#: Sorts of principals whose own policies count.
SIGNED_IN = frozenset({Sort.ROLE, Sort.USER, Sort.ROOT, Sort.FEDERATED_USER})


@dataclass(frozen=True)
class Who:
    """The principals that are meant: one, or all of a sort whose ARN has a form.

    ``tags`` are the principal tags: a text, or None for a tag that it does not have. With ``other_tags``, it may
    have any others that a policy asks for; without, it has none. ``session`` is the session's ARN.
    """

    sort: Sort
    arn: Text = ()
    account: Text = ()
    session: Text | None = None
    service: str | None = None
    tags: Mapping[str, TextLike | None] = field(default_factory=dict)
    other_tags: bool = False

    @classmethod
    def of(cls, principal: Principal) -> Who:
        """Return exactly this principal, with its tags and no others."""
        return cls(
            principal.sort,
            text(principal.arn),
            text(principal.account),
            None if principal.session_arn is None else text(principal.session_arn),
            principal.service,
            dict(principal.tags),
        )

    def tagged(self, *, others: bool = False, **tags: TextLike | None) -> Who:
        """Return the same principal with these tags."""
        return replace(self, tags=tags, other_tags=others)

    @property
    def is_signed_in(self) -> bool:
        """Whether policies can be attached to it."""
        return self.sort in SIGNED_IN

    @property
    def is_federated_session(self) -> bool:
        """Whether it is the session of ``sts:GetFederationToken``."""
        return self.sort is Sort.FEDERATED_USER or (self.sort is Sort.USER and self.session is not None)


def roles(account: TextLike, name: TextLike | None = None, *, partition: str = "aws") -> Who:
    """Return all role sessions of an account; ``name`` is path and name of the role, if not any."""
    path = text(Symbol("role", IAM_NAME) if name is None else name)
    session = text(f"arn:{partition}:sts::", account, ":assumed-role/", Symbol("session role", IAM_NAME), "/")
    return Who(
        Sort.ROLE,
        text(f"arn:{partition}:iam::", account, ":role/", path),
        text(account),
        text(session, Symbol("session", SESSION)),
        other_tags=True,
    )


def users(account: TextLike, name: TextLike | None = None, *, partition: str = "aws") -> Who:
    """Return all users of an account; ``name`` is path and name of the user, if not any."""
    path = text(Symbol("user", IAM_NAME) if name is None else name)
    return Who(
        Sort.USER, text(f"arn:{partition}:iam::", account, ":user/", path), text(account), other_tags=True
    )


def root(account: TextLike, *, partition: str = "aws") -> Who:
    """Return the root of an account."""
    return Who(Sort.ROOT, text(f"arn:{partition}:iam::", account, ":root"), text(account))


def service(name: str) -> Who:
    """Return a service principal."""
    return Who(Sort.SERVICE, service=name)


def anonymous() -> Who:
    """Return nobody signed in."""
    return Who(Sort.ANONYMOUS)


def anybody(account: str | None = None, *, partition: str = "aws") -> tuple[Who, ...]:
    """Return who can ask in person: roles, users and root of an account (None: of any), and nobody signed in.

    Services and users of identity providers are left out; ask for them by name.
    """
    of = Symbol("account", ACCOUNT) if account is None else account
    signed_in = (
        roles(of, partition=partition),
        users(of, partition=partition),
        root(of, partition=partition),
    )
    return signed_in if account is not None else (*signed_in, anonymous())


@dataclass(frozen=True)
class Holds:
    """A condition as in a policy: ``Holds("IpAddress", "aws:SourceIp", "10.0.0.0/8")``; variables are read."""

    operator: str
    key: str
    values: tuple[str, ...]

    def __init__(self, operator: str, key: str, *values: str) -> None:
        """Take the values one after another."""
        object.__setattr__(self, "operator", operator)
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "values", values)

    @cached_property
    def condition(self) -> Condition:
        """The condition, read.

        Raises:
            ConditionError: no operator, or a value that it cannot compare with.

        """
        return parse_condition(self.operator, self.key, list(self.values), variables=True)


@dataclass(frozen=True)
class Same:
    """Two texts are the same."""

    one: TextLike
    other: TextLike


@dataclass(frozen=True)
class Like:
    """A text fits a pattern with wildcards and variables, as in StringLike."""

    text: TextLike
    pattern: str


@dataclass(frozen=True)
class Not:
    """The opposite."""

    of: Constraint


@dataclass(frozen=True)
class AllOf:
    """All hold; with none, it holds."""

    of: tuple[Constraint, ...]


@dataclass(frozen=True)
class AnyOf:
    """One holds; with none, it does not."""

    of: tuple[Constraint, ...]


Constraint = Holds | Same | Like | Not | AllOf | AnyOf


def absent(key: str) -> Constraint:
    """The request does not have the key."""
    return Holds("Null", key, "true")


def present(key: str) -> Constraint:
    """The request has the key."""
    return Holds("Null", key, "false")


def different(one: TextLike, other: TextLike) -> Constraint:
    """Two texts differ."""
    return Not(Same(one, other))


def unlike(value: TextLike, *patterns: str) -> Constraint:
    """A text fits none of the patterns."""
    return Not(AnyOf(tuple(Like(value, pattern) for pattern in patterns)))


#: What every proof takes for granted, beside the alphabets of the symbols that it is about.
ALWAYS_ASSUMED = (
    "a key that policies take for a Boolean, a number, a date, an address or bytes has such a value",
    "a key has one value at most, unless AWS documents it as multivalued or a policy asks for it with "
    "ForAnyValue or ForAllValues",
)


@dataclass(frozen=True)
class Question:
    """Whether one of a set of requests is allowed.

    ``actions`` are names without wildcards (see :mod:`gatehouse.access.proof.actions`). ``resource`` is the ARN,
    ``owner`` the account that owns it. ``context`` gives keys a value, values or None (absent); it wins over what
    follows from principal and resource, as in a request. ``given`` must hold of each request. ``policies`` are
    those of whoever asks and of the resource, for all requests the same.
    """

    who: Who
    actions: tuple[str, ...]
    resource: Text
    policies: Policies
    owner: str = ""
    context: Mapping[str, Given] = field(default_factory=dict)
    given: tuple[Constraint, ...] = ()
