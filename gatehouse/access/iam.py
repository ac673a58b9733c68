"""The principals of a document: its roles, users and groups, with all that IAM attaches to them.

Source: IAM User Guide, "IAM identities", "Managed policies and inline policies" and "Permissions boundaries for IAM
entities" (a boundary limits users and roles, not groups).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gatehouse.access.compiled import Compiled
from gatehouse.access.policy import Kind, Policy
from gatehouse.access.request import Principal
from gatehouse.document import Document, Resource

#: The tag that says of which team a principal is.
TEAM_TAG = "team"
_SESSION_SECONDS = 3600
_KINDS = ("role", "user", "group")
#: Types that say nothing of what a principal may do.
_WITHOUT_GRANTS = frozenset(
    {
        "aws_iam_account_alias",
        "aws_iam_account_password_policy",
        "aws_iam_instance_profile",
        "aws_iam_openid_connect_provider",
        "aws_iam_saml_provider",
        "aws_iam_service_linked_role",
    }
)
_READ = _WITHOUT_GRANTS | {
    "aws_iam_group_membership",
    "aws_iam_policy",
    "aws_iam_policy_attachment",
    "aws_iam_user_group_membership",
    *(f"aws_iam_{kind}" for kind in _KINDS),
    *(f"aws_iam_{kind}_policy" for kind in _KINDS),
    *(f"aws_iam_{kind}_policy_attachment" for kind in _KINDS),
}


@dataclass(frozen=True, eq=False)
class Identity:
    """What roles and users have in common: ``identity`` are all policies that grant, ``tags`` those in AWS."""

    address: str
    arn: str
    name: str
    path: str
    tags: Mapping[str, str]
    identity: tuple[Policy, ...] = field(repr=False)
    boundary: Policy | None = field(repr=False)

    @property
    def account(self) -> str:
        """The account, 12 digits."""
        return self.arn.split(":")[4]


@dataclass(frozen=True, eq=False)
class Role(Identity):
    """An IAM role. ``trust`` is its trust policy."""

    trust: Policy = field(repr=False)
    description: str
    max_session_seconds: int

    @property
    def persona(self) -> str | None:
        """The persona that the path ``/PREFIX/PERSONA/`` names; None for a role of the stack's services."""
        parts = self.path.strip("/").split("/")
        return parts[1] if len(parts) == 2 else None  # noqa: PLR2004 - the path's two parts

    @property
    def team(self) -> str | None:
        """The team that the role's own tag names; None if sessions bring it, or there is none."""
        return self.tags.get(TEAM_TAG)

    def principal(self, session: str = "session", tags: Mapping[str, str] | None = None) -> Principal:
        """Return a session of the role; a session tag replaces the role's tag of the same key.

        Source: IAM User Guide, "Pass session tags in AWS STS".
        """
        partition = self.arn.split(":")[1]
        return Principal(
            self.arn,
            self.account,
            session_arn=f"arn:{partition}:sts::{self.account}:assumed-role/{self.name}/{session}",
            tags={**self.tags, **(tags or {})},
        )


@dataclass(frozen=True, eq=False)
class User(Identity):
    """An IAM user; its identity policies include those of its groups."""

    groups: tuple[str, ...]

    def principal(self, tags: Mapping[str, str] | None = None) -> Principal:
        """Return the user as who asks."""
        return Principal(self.arn, self.account, tags={**self.tags, **(tags or {})})


@dataclass(frozen=True, eq=False)
class Group:
    """An IAM group, which itself asks for nothing."""

    address: str
    arn: str
    name: str
    path: str
    identity: tuple[Policy, ...] = field(repr=False)


@dataclass(frozen=True)
class Identities:
    """Every principal of a document by ARN."""

    roles: Mapping[str, Role]
    users: Mapping[str, User]
    groups: Mapping[str, Group]


def read_identities(document: Document, compiled: Compiled) -> Identities:
    """Return the principals of a document.

    Raises:
        InputError: a type of resource that is not known, or a policy or principal that is not in the document.
        MalformedPolicyError: a policy that AWS would refuse.

    """
    _refuse_unknown(document)
    attached = _Attachments(document, compiled)
    groups = {one.arn: one for one in map(attached.group, document.of_type("aws_iam_group"))}
    members = _memberships(document, {group.name: group for group in groups.values()})
    roles = map(attached.role, document.of_type("aws_iam_role"))
    users = [attached.user(one, members) for one in document.of_type("aws_iam_user")]
    return Identities({one.arn: one for one in roles}, {one.arn: one for one in users}, groups)


def _refuse_unknown(document: Document) -> None:
    for kind in sorted(document.types):
        if kind.startswith("aws_iam_") and kind not in _READ:
            raise document.of_type(kind)[0].refused(
                "",
                "is of a type whose effect on access is not modelled",
                "grant by policies and attachments alone",
            )


class _Attachments:
    """Which policies are attached to which principal, by kind and name."""

    def __init__(self, document: Document, compiled: Compiled) -> None:
        self._compiled = compiled
        self._managed = {one.text("arn"): one for one in document.of_type("aws_iam_policy")}
        for one in self._managed.values():  # all are read, attached or not
            compiled.policy(one, "policy", Kind.IDENTITY)
        self._names = {
            (kind, one.text("name")) for kind in _KINDS for one in document.of_type(f"aws_iam_{kind}")
        }
        self._found: dict[tuple[str, str], list[Policy]] = {}
        for kind in _KINDS:
            for one in document.of_type(f"aws_iam_{kind}_policy_attachment"):
                self._add(one, kind, kind, self._managed_policy(one, "policy_arn"))
        for one in document.of_type("aws_iam_policy_attachment"):
            for kind in _KINDS:
                self._add(one, kind, f"{kind}s", self._managed_policy(one, "policy_arn"))
        for kind in _KINDS:
            for one in document.of_type(f"aws_iam_{kind}_policy"):
                self._add(one, kind, kind, compiled.policy(one, "policy", Kind.IDENTITY))

    def _add(self, attachment: Resource, kind: str, attribute: str, policy: Policy) -> None:
        value = attachment.attributes.get(attribute) or []
        for name in [value] if isinstance(value, str) else value:
            if (kind, name) not in self._names:
                raise attachment.refused(
                    attribute,
                    f"names the {kind} {name}, which is not in the document",
                    f"create the {kind} in it",
                )
            self._found.setdefault((kind, name), []).append(policy)

    def _managed_policy(self, resource: Resource, attribute: str, arn: str | None = None) -> Policy:
        arn = arn or resource.text(attribute)
        if arn not in self._managed:
            raise resource.refused(
                attribute,
                f"names the policy {arn}, whose content is not in the document",
                "write the policy out in it",
            )
        return self._compiled.policy(self._managed[arn], "policy", Kind.IDENTITY)

    def _boundary(self, resource: Resource) -> Policy | None:
        if not resource.attributes.get("permissions_boundary"):
            return None
        return self._managed_policy(resource, "permissions_boundary")

    def _policies(self, kind: str, resource: Resource) -> tuple[Policy, ...]:
        return tuple(self._found.get((kind, resource.text("name")), ()))

    def group(self, resource: Resource) -> Group:
        return Group(
            resource.address,
            resource.text("arn"),
            resource.text("name"),
            resource.text("path"),
            self._policies("group", resource),
        )

    def role(self, resource: Resource) -> Role:
        return Role(
            **_common(resource),
            identity=(*self._policies("role", resource), *self._written_in(resource)),
            boundary=self._boundary(resource),
            trust=self._compiled.policy(resource, "assume_role_policy", Kind.TRUST),
            description=resource.attributes.get("description") or "",
            max_session_seconds=int(resource.attributes.get("max_session_duration") or _SESSION_SECONDS),
        )

    def user(self, resource: Resource, members: Mapping[str, tuple[Group, ...]]) -> User:
        groups = members.get(resource.text("name"), ())
        of_groups = [policy for group in groups for policy in group.identity]
        return User(
            **_common(resource),
            identity=(*self._policies("user", resource), *of_groups),
            boundary=self._boundary(resource),
            groups=tuple(group.name for group in groups),
        )

    def _written_in(self, resource: Resource) -> Iterator[Policy]:
        """Go through what a role's own block attaches."""
        for arn in resource.attributes.get("managed_policy_arns") or ():
            yield self._managed_policy(resource, "managed_policy_arns", arn)
        blocks = resource.attributes.get("inline_policy") or ()
        for index, block in enumerate([blocks] if isinstance(blocks, Mapping) else blocks):
            if block.get("policy"):
                yield self._compiled.text(
                    resource, f"inline_policy.{index}.policy", block["policy"], Kind.IDENTITY
                )


def _common(resource: Resource) -> dict[str, Any]:
    return {
        "address": resource.address,
        "arn": resource.text("arn"),
        "name": resource.text("name"),
        "path": resource.text("path"),
        "tags": resource.value("tags_all"),
    }


def _memberships(document: Document, groups: Mapping[str, Group]) -> dict[str, tuple[Group, ...]]:
    """Return the groups of each user."""
    found: dict[str, dict[str, Group]] = {}

    def add(resource: Resource, attribute: str, user: str, group: str) -> None:
        if group not in groups:
            raise resource.refused(
                attribute, f"names the group {group}, which is not in the document", "create the group in it"
            )
        found.setdefault(user, {})[group] = groups[group]

    for one in document.of_type("aws_iam_user_group_membership"):
        for group in one.attributes["groups"]:
            add(one, "groups", one.text("user"), group)
    for one in document.of_type("aws_iam_group_membership"):
        for user in one.attributes["users"]:
            add(one, "group", user, one.text("group"))
    return {user: tuple(of_user.values()) for user, of_user in found.items()}
