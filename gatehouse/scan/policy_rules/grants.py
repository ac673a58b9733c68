"""What an Allow grants: actions and resources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gatehouse.personas.actions import (
    actions_named,
    closest_action,
    has_wildcard,
    service_of,
    supports_resources,
)
from gatehouse.scan.documents import PolicyDocument, PolicyKind
from gatehouse.scan.policy_rules.flaw import Flaw
from gatehouse.scan.statements import Condition, Statement
from gatehouse.scan.templates import without_templates

_PASS_ROLE = "iam:PassRole"  # noqa: S105 - an action
_ASSUME_ROLE = "sts:AssumeRole"
_ALL_ROLES = ("*", ":role/*")
#: Services whose resources in other accounts take data from anybody, if they are made so.
_LEADING_OUT = ("execute-api", "s3")
_S3 = ":s3:::"
_PREFIX = "s3:prefix"


def known_actions(policy: PolicyDocument) -> Iterator[Flaw]:
    """Each action exists, each pattern matches one: a misspelt Allow grants nothing, a misspelt Deny denies nothing."""
    for statement in policy.statements:
        for action in (*statement.actions, *statement.not_actions):
            if action == "*" or actions_named(action):
                continue
            meant = None if has_wildcard(action) else closest_action(action)
            yield Flaw(
                f"{action} matches no AWS action" + (f"; {meant} is one" if meant else ""), statement.place
            )


def named_actions(policy: PolicyDocument) -> Iterator[Flaw]:
    """No Allow has all actions, or all of a service."""
    for statement in _allows(policy):
        for action in statement.actions:
            if action == "*" or action.partition(":")[2] == "*":
                yield Flaw(f"allows {action}", statement.place)


def no_not_action(policy: PolicyDocument) -> Iterator[Flaw]:
    """No Allow grants everything but a list."""
    for statement in _allows(policy):
        if statement.not_actions:
            yield Flaw(f"allows all but {', '.join(statement.not_actions)}", statement.place)


def no_not_resource(policy: PolicyDocument) -> Iterator[Flaw]:
    """No Allow is for every resource but a list."""
    for statement in _allows(policy):
        if statement.not_resources:
            yield Flaw(f"allows on all but {', '.join(statement.not_resources)}", statement.place)


def named_resources(policy: PolicyDocument) -> Iterator[Flaw]:
    """No Allow has Resource ``*`` where each of its actions supports resources.

    Of resource-based policies ``*`` is the resource itself, and of an endpoint whatever principals are allowed; but
    an endpoint for S3 or for APIs would also lead to those of others, who let anybody in.
    """
    for statement in _allows(policy):
        actions = list(statement.named_actions())
        if policy.kind is PolicyKind.ENDPOINT:
            actions = [action for action in actions if service_of(action) in _LEADING_OUT]
        elif policy.kind.names_principals:
            return
        if "*" in statement.resources and actions and all(map(supports_resources, actions)):
            yield Flaw(f"allows {', '.join(statement.actions)} on every resource", statement.place)


def named_roles_to_pass(policy: PolicyDocument) -> Iterator[Flaw]:
    """iam:PassRole is for named roles: whoever passes any role to a service has the permissions of each."""
    for statement in _allows(policy):
        if statement.has_action(_PASS_ROLE) and any(one.endswith(_ALL_ROLES) for one in statement.resources):
            yield Flaw("allows iam:PassRole for every role", statement.place)


def named_roles_to_become(policy: PolicyDocument) -> Iterator[Flaw]:
    """Who may become other roles is told which: no pattern. What only narrows may have one."""
    for statement in _allows(policy):
        if policy.kind.names_principals or policy.kind.only_narrows or not statement.has_action(_ASSUME_ROLE):
            continue
        for resource in (one for one in statement.resources if has_wildcard(without_templates(one))):
            yield Flaw(f"may become {resource}", statement.place)


def whole_folders(policy: PolicyDocument) -> Iterator[Flaw]:
    """The ``*`` of S3 objects stands behind a slash: ``workspaces/fraud*`` is also ``workspaces/fraud-secret/``."""
    for statement in policy.statements:
        values = (value for condition in statement.conditions for value in condition.values)
        for pattern in (*statement.resources, *statement.not_resources, *values):
            if _cuts_a_name(pattern):
                yield Flaw(f"{pattern} also matches names that only begin so", statement.place)


def _cuts_a_name(pattern: str) -> bool:
    """Whether an ARN of S3 has a ``*`` that continues a name to its end or to the next slash."""
    _, is_s3, objects = pattern.partition(_S3)
    if not is_s3 or not pattern.startswith("arn:"):
        return False
    parts = without_templates(objects.replace("${", "x${")).split("/")
    return any(part.endswith("*") and part.strip("*") for part in parts)


def whole_prefixes(policy: PolicyDocument) -> Iterator[Flaw]:
    """An s3:prefix that opens a folder ends with its slash, or with a slash and ``*``."""
    for statement in policy.statements:
        for condition in statement.on(_PREFIX):
            if condition.name == "Null" or statement.denies != condition.negated:
                continue
            for value in condition.values:
                if value.rstrip("*") and not value.rstrip("*").endswith("/"):
                    yield Flaw(f"s3:prefix {value} also lists folders that only begin so", statement.place)


#: What uses a key, as opposed to administering it. Source: KMS Developer Guide, "Permissions for AWS services in
#: key policies" and "Cryptographic operations"; a grant hands the use on.
_KEY_USE = (
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DeriveSharedSecret",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyPairWithoutPlaintext",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:GenerateMac",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:Sign",
    "kms:Verify",
    "kms:VerifyMac",
)


def keys_through_services(policy: PolicyDocument) -> Iterator[Flaw]:
    """Keys are used only through a service, by kms:ViaService: in key policies for an account, and by identities."""
    if policy.kind.names_principals and policy.kind is not PolicyKind.KEY:
        return
    for statement in _allows(policy):
        used = [action for action in _KEY_USE if statement.has_action(action)]
        whose = names_account(statement) or not policy.kind.names_principals
        if used and whose and not _demanded(statement.on("kms:viaservice")):
            yield Flaw(f"lets keys be used directly: {', '.join(used)}", statement.place)


def names_account(statement: Statement) -> bool:
    """Return whether a statement is for a whole account, or for everyone."""
    return any(
        name == "*" or name.endswith(":root") or name.isdecimal() or name.endswith(".account_id}")
        for type_, name in statement.principals
        if type_ in ("*", "AWS")
    )


def _demanded(conditions: Iterable[Condition]) -> bool:
    return any(
        one.name != "Null" and one.demands_value and not any(value.strip("*?") == "" for value in one.values)
        for one in conditions
    )


def _allows(policy: PolicyDocument) -> Iterator[Statement]:
    return (statement for statement in policy.statements if statement.allows)
