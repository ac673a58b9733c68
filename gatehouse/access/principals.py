"""The Principal and NotPrincipal elements: whom they name, and how directly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from gatehouse.access.request import Principal, Sort

_ACCOUNT = re.compile(r"(?:arn:[^:]+:iam::)?(\d{12})(?::root)?")
_ARN = re.compile(r"arn:[^:]+:(?:iam|sts)::[^:]*:.+")
#: Unique ids: what is left of a principal in a policy when the role or user was deleted.
_UNIQUE_ID = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,}")
_TYPES = ("AWS", "Service", "Federated", "CanonicalUser")


class PrincipalError(ValueError):
    """A Principal element that AWS would refuse; the message is what is wrong and the fix."""


class Reach(IntEnum):
    """How directly a Principal element names the one who asks."""

    #: Not at all.
    NONE = 0
    #: By its account: an Allow leaves it to the account's own policies.
    ACCOUNT = 1
    #: By the role or user behind a session, or the role: boundary and session policy still limit an Allow.
    NAMED = 2
    #: As the very principal that asks, or as anybody.
    DIRECT = 3


@dataclass(frozen=True)
class Principals:
    """Whom the element names; ``negated`` for NotPrincipal."""

    negated: bool
    everybody: bool = False
    aws: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    federated: frozenset[str] = frozenset()

    def reach(self, principal: Principal, *, has_boundary: bool) -> Reach:
        """Return how directly the element, as written in its statement, applies to who asks."""
        if self.negated:
            return Reach.DIRECT if has_boundary or not self._excepts(principal) else Reach.NONE
        return self._names(principal)

    def _names(self, principal: Principal) -> Reach:
        """Return how directly a Principal element names the one who asks.

        Source: IAM User Guide, "AWS JSON policy elements: Principal" (account, role, session, user, service,
        federated and all principals) and "How AWS enforcement code logic evaluates requests to allow or deny
        access" (which of them boundary and session policies limit).
        """
        if self.everybody:
            return Reach.DIRECT
        if principal.sort is Sort.SERVICE:
            return Reach.DIRECT if self.services & {principal.service, "*"} else Reach.NONE
        if principal.sort is Sort.FEDERATED:
            return Reach.DIRECT if self.federated & {principal.arn, "*"} else Reach.NONE
        return self._names_signed_in(principal)

    def _names_signed_in(self, principal: Principal) -> Reach:
        own_account = bool(principal.account) and principal.account in self.accounts
        if "*" in self.aws or principal.session_arn in self.aws:
            return Reach.DIRECT
        if principal.sort is Sort.ROOT:
            return Reach.DIRECT if own_account else Reach.NONE
        if principal.arn in self.aws:
            limited = principal.sort is Sort.ROLE or principal.session_arn is not None
            return Reach.NAMED if limited else Reach.DIRECT
        return Reach.ACCOUNT if own_account else Reach.NONE

    def _excepts(self, principal: Principal) -> bool:
        """Whether a NotPrincipal element excepts who asks.

        A user is excepted where its account is named as well, a session where account, role and session are:
        AWS may check each of them on its own.

        Source: IAM User Guide, "AWS JSON policy elements: NotPrincipal".
        """
        if self.everybody or (principal.has_identity_policies and "*" in self.aws):
            return True
        if not principal.has_identity_policies:
            return self._names(principal) is not Reach.NONE
        own = {principal.arn, principal.session_arn} - {None}
        if principal.sort is Sort.ROOT:
            own = set()
        return principal.account in self.accounts and own <= self.aws


def parse_principals(element: Any, *, negated: bool, is_deny: bool) -> Principals:  # noqa: ANN401
    """Return the element read from a policy; an empty one names nobody.

    No document tells which account a CanonicalUser is. An Allow for one is taken to name nobody who asks, which
    is the narrower grant; a Deny for one cannot be decided.

    Source: IAM User Guide, "AWS JSON policy elements: Principal", "Grammar of the IAM JSON policy language" and
    "Access Analyzer policy check reference" ("Empty object principal").

    Raises:
        PrincipalError: another form, a wildcard for part of a name, or a CanonicalUser in a Deny.

    """
    if element == "*":
        return Principals(negated=negated, everybody=True)
    if not isinstance(element, dict):
        raise PrincipalError('is neither "*" nor an object of AWS, Service and Federated')
    listed = {kind: _strings(kind, names) for kind, names in element.items()}
    if is_deny and listed.get("CanonicalUser"):
        raise PrincipalError("denies a CanonicalUser, whose account no document tells. Fix: name the account")
    if negated and not any(listed.values()):
        raise PrincipalError("names nobody, so that it would mean everybody. Fix: name somebody")
    names = listed.get("AWS", ())
    accounts = {name: found[1] for name in names if (found := _ACCOUNT.fullmatch(name))}
    others = [name for name in names if name not in accounts]
    for name in others:
        if name != "*" and ("*" in name or "?" in name):
            raise PrincipalError(
                f"names {name!r}: a wildcard stands for everybody only. Fix: aws:PrincipalArn"
            )
        if name != "*" and not _ARN.fullmatch(name) and not _UNIQUE_ID.fullmatch(name):
            raise PrincipalError(f"names {name!r}, which is no principal. Fix: an ARN or 12 digits")
    return Principals(
        negated=negated,
        aws=frozenset(others),
        accounts=frozenset(accounts.values()),
        services=frozenset(listed.get("Service", ())),
        federated=frozenset(listed.get("Federated", ())),
    )


def _strings(kind: str, names: object) -> tuple[str, ...]:
    if kind not in _TYPES:
        raise PrincipalError(f"has {kind!r}. Fix: one of {', '.join(_TYPES)}")
    listed = [names] if isinstance(names, str) else names
    if not isinstance(listed, list | tuple) or not all(isinstance(name, str) for name in listed):
        raise PrincipalError(f"{kind} is neither a string nor a list of strings")
    for name in listed:
        if kind != "AWS" and name != "*" and ("*" in name or "?" in name):
            raise PrincipalError(f"names {name!r}: a wildcard cannot stand for part of a name")
    return tuple(listed)
