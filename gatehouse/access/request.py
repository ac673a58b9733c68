"""What is asked: who, does what, on what, under which circumstances."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from gatehouse.access.context import Context, ContextValue
from gatehouse.errors import GatehouseError, show

_SESSION = re.compile(r"arn:([^:]+):sts::(\d{12}):assumed-role/([^/]+)/([^/]+)")
_IAM = re.compile(r"arn:[^:]+:(iam|sts)::(\d{12}):([^/]+)(?:/(.+))?")
_ACTION = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9_-]+")
_SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?")
#: Identity providers of their own name, not an ARN, that look like a service.
_WEB_IDENTITY = frozenset({"cognito-identity.amazonaws.com"})
_ANONYMOUS = frozenset({"", "*", "anonymous"})
#: Stands for the unique id of a role or user, which a document does not know; see :meth:`Request.facts`.
UNKNOWN_ROLE_ID, UNKNOWN_USER_ID = "AROAUNKNOWN0000000000", "AIDAUNKNOWN0000000000"


class MalformedRequestError(GatehouseError):
    """A request that nothing can be decided about; the message names the value and the fix."""

    exit_code = 2


class Sort(Enum):
    """What a principal is; the value is that of ``aws:PrincipalType``, which the last two do not have."""

    ROLE = "AssumedRole"
    USER = "User"
    ROOT = "Account"
    FEDERATED_USER = "FederatedUser"
    ANONYMOUS = "Anonymous"
    FEDERATED = "Federated"
    SERVICE = "Service"


@dataclass(frozen=True)
class Principal:
    """Who asks.

    ``arn`` is that of the role, user or account root; of the SAML or OIDC provider for
    ``sts:AssumeRoleWithSAML`` and ``sts:AssumeRoleWithWebIdentity``; empty or ``*`` for nobody signed in.
    ``account`` has 12 digits (that in the ARN if empty; none for a service or nobody). ``session_arn`` is that
    of the role session (``arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION``) or of the federated user session; a
    session given as ``arn`` is understood, its role then has no path. ``tags`` are principal and session tags
    together. ``service`` is a service principal such as ``logs.amazonaws.com``, and then needs no ``arn``; one
    that is not of IAM, such as that of the trail for which CloudTrail asks, is not read.
    """

    arn: str = ""
    account: str = ""
    session_arn: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    service: str | None = None

    def __post_init__(self) -> None:
        """Read a session given as ``arn``, and check the form.

        Raises:
            MalformedRequestError: an ARN or account that no principal has.

        """
        if self.service is None and _SERVICE.fullmatch(self.arn) and self.arn not in _WEB_IDENTITY:
            object.__setattr__(self, "service", self.arn)
        session = _SESSION.fullmatch(self.arn)
        if session:
            partition, account, role, _ = session.groups()
            object.__setattr__(self, "session_arn", self.session_arn or self.arn)
            object.__setattr__(self, "arn", f"arn:{partition}:iam::{account}:role/{role}")
        if self.has_identity_policies and not self.account:
            object.__setattr__(self, "account", self.arn.split(":")[4])
        if self.has_identity_policies and not re.fullmatch(r"\d{12}", self.account):
            raise MalformedRequestError(
                f"principal.account: {show(self.account)} is no account. Fix: its 12 digits, as a string"
            )
        if self.has_identity_policies and f"::{self.account}:" not in self.arn:
            raise MalformedRequestError(
                f"principal.account: {show(self.account)} is not that of {show(self.arn)}. Fix: one of them"
            )

    @cached_property
    def sort(self) -> Sort:
        """What this principal is.

        Source: IAM User Guide, "IAM identifiers" (ARNs) and "AWS global condition context keys"
        (aws:PrincipalType).
        """
        if self.service is not None:
            if _IAM.fullmatch(self.arn):
                raise MalformedRequestError(
                    f"principal: {show(self.arn)} and the service {show(self.service)}. Fix: one of them"
                )
            return Sort.SERVICE
        if self.arn in _ANONYMOUS:
            return Sort.ANONYMOUS
        found = _IAM.fullmatch(self.arn)
        kinds = {"role": Sort.ROLE, "user": Sort.USER, "federated-user": Sort.FEDERATED_USER}
        if found and found[3] == "root":
            return Sort.ROOT
        if found and found[3] in kinds:
            return kinds[found[3]]
        if found and found[3] not in ("saml-provider", "oidc-provider"):
            raise MalformedRequestError(
                f"principal.arn: {show(self.arn)} makes no request. Fix: the ARN of a role, a user, an account's "
                "root, or an identity provider"
            )
        if not found and (self.arn.startswith("arn:") or "." not in self.arn):
            raise MalformedRequestError(
                f"principal.arn: {show(self.arn)} is no principal. Fix: such as arn:aws:iam::111122223333:role/x"
            )
        return Sort.FEDERATED

    @cached_property
    def has_identity_policies(self) -> bool:
        """Whether policies can be attached to it; a service, an identity provider or nobody has none."""
        return self.sort in _SIGNED_IN

    @cached_property
    def facts(self) -> Mapping[str, tuple[str, ...]]:
        """The condition keys that follow from it, in lower case; see :meth:`Request.facts`.

        Raises:
            MalformedRequestError: two tags whose keys differ in case alone.

        """
        tags = {f"aws:PrincipalTag/{name}": value for name, value in self.tags.items()}
        return {key: (value,) for key, value in _derived(self).items()} | _context(tags, "tags")

    @property
    def is_federated_session(self) -> bool:
        """Whether it is the session of ``sts:GetFederationToken``."""
        return self.sort is Sort.FEDERATED_USER or (self.sort is Sort.USER and self.session_arn is not None)

    @property
    def is_service_linked(self) -> bool:
        """Whether it is a service-linked role."""
        return ":role/aws-service-role/" in self.arn


_SIGNED_IN = (Sort.ROLE, Sort.USER, Sort.ROOT, Sort.FEDERATED_USER)


@dataclass(frozen=True)
class Resource:
    """What is acted on: its ARN (``*`` for an action that has no resource), and the account that owns it.

    Without ``account``, the account is that in the ARN; where that has none either (S3), the principal's.
    """

    arn: str
    account: str = ""

    @property
    def owner(self) -> str:
        """The account that owns it, empty if nothing tells."""
        if self.account:
            return self.account
        parts = self.arn.split(":", 5)
        return parts[4] if len(parts) > 5 and parts[4].isdecimal() else ""  # noqa: PLR2004  # parts of an ARN


@dataclass(frozen=True)
class Request:
    """One request. ``context`` maps condition keys to a string, or to strings for multivalued keys.

    A key that is not in the context is missing from the request, except for those that follow from the
    principal and the resource: see :meth:`facts`.
    """

    principal: Principal
    action: str
    resource: Resource
    context: Mapping[str, ContextValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the form.

        Raises:
            MalformedRequestError: an action that is not ``service:Name``, or a resource that is no ARN.

        """
        if not _ACTION.fullmatch(self.action):
            raise MalformedRequestError(
                f"action: {show(self.action)} is no action. Fix: such as s3:GetObject"
            )
        arn = self.resource.arn
        if arn != "*" and (not arn.startswith("arn:") or arn.count(":") < 5):  # noqa: PLR2004  # parts of an ARN
            raise MalformedRequestError(
                f"resource.arn: {show(arn)} is no ARN. Fix: the whole ARN, or * for an action without a resource"
            )

    @property
    def facts(self) -> Context:
        """The context with what follows from principal and resource; what was given wins.

        ``aws:PrincipalArn`` is the role's ARN for a role session. ``aws:userid`` has a stand-in for the unique
        id of a role or user, which no document knows, so that a pattern for the session name works.

        Source: IAM User Guide, "AWS global condition context keys", and the table of principal key values in
        "IAM policy elements: Variables and tags".

        Raises:
            MalformedRequestError: two keys that differ in case alone.

        """
        found = dict(self.principal.facts)
        owner = self.resource.owner
        if owner:
            found["aws:resourceaccount"] = (owner,)
        found.update(_context(self.context, "context"))
        return Context(found)

    @property
    def is_in_account(self) -> bool:
        """Whether principal and resource belong to one account."""
        return self.resource.owner in ("", self.principal.account)


def _context(values: Mapping[str, ContextValue], name: str) -> dict[str, tuple[str, ...]]:
    found = {
        key.lower(): (value,) if isinstance(value, str) else tuple(value) for key, value in values.items()
    }
    if len(found) < len(values):
        lowered = [key.lower() for key in values]
        twice = next(key for key in values if lowered.count(key.lower()) > 1)
        raise MalformedRequestError(
            f"{name}: {show(twice)} is there twice, in other letters. Fix: one, as case does not count in keys"
        )
    return found


def _derived(principal: Principal) -> dict[str, str]:
    found = {"aws:principalisawsservice": "true" if principal.sort is Sort.SERVICE else "false"}
    if principal.has_identity_policies or principal.sort is Sort.ANONYMOUS:
        found["aws:principaltype"] = principal.sort.value
    if principal.service is not None:
        found["aws:principalservicename"] = principal.service
    if principal.has_identity_policies:
        found |= {"aws:principalarn": principal.arn, "aws:principalaccount": principal.account}
        found |= _names(principal)
    return found


def _names(principal: Principal) -> dict[str, str]:
    if principal.sort is Sort.ROOT:
        return {"aws:userid": principal.account}
    if principal.is_federated_session:
        # It is a principal of its own, unlike the session of a role, which is the role to aws:PrincipalArn.
        session = principal.session_arn or principal.arn
        return {
            "aws:principalarn": session,
            "aws:principaltype": Sort.FEDERATED_USER.value,
            "aws:userid": f"{principal.account}:{session.rpartition('/')[2]}",
        }
    if principal.sort is Sort.USER:
        return {"aws:username": principal.arn.rpartition("/")[2], "aws:userid": UNKNOWN_USER_ID}
    if principal.session_arn is None:
        return {}
    return {"aws:userid": f"{UNKNOWN_ROLE_ID}:{principal.session_arn.rpartition('/')[2]}"}
