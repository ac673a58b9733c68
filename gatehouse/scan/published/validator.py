"""iam-policy-validator over every policy, with all of its checks, by the kind of each policy."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gatehouse.policies import Kind
from gatehouse.scan.documents import PolicyDocument, PolicyKind, find_documents
from gatehouse.scan.findings import Finding
from gatehouse.scan.published.false_alarms import FALSE_ALARMS, Issue
from gatehouse.scan.published.isolation import PublishedCheckError, failures_raised
from gatehouse.scan.published.refusal import is_refused
from gatehouse.scan.statements import Statement, StatementError
from gatehouse.scan.templates import stand_ins

if TYPE_CHECKING:
    from iam_validator.core.check_registry import CheckRegistry
    from iam_validator.core.models import IAMPolicy, PolicyType, ValidationIssue

PACKAGE = "iam-policy-validator"
#: Our ids by those of the package's checks.
CHECKS: Mapping[str, str] = MappingProxyType(
    {
        "policy_structure": "GH401",
        "sid_uniqueness": "GH402",
        "policy_size": "GH403",
        "policy_type_validation": "GH404",
        "action_validation": "GH405",
        "resource_validation": "GH406",
        "condition_key_validation": "GH407",
        "condition_type_mismatch": "GH408",
        "set_operator_validation": "GH409",
        "ifexists_condition_usage": "GH410",
        "action_resource_matching": "GH411",
        "wildcard_action": "GH412",
        "wildcard_resource": "GH413",
        "full_wildcard": "GH414",
        "service_wildcard": "GH415",
        "not_action_not_resource": "GH416",
        "not_principal_validation": "GH417",
        "sensitive_action": "GH418",
        "action_condition_enforcement": "GH419",
        "mfa_condition_antipattern": "GH420",
        "principal_validation": "GH421",
        "trust_policy_validation": "GH422",
        "rcp_best_practices": "GH423",
    }
)
_CRASH = "check_execution_error"
_TYPES: Mapping[PolicyKind, PolicyType] = MappingProxyType({PolicyKind.TRUST: "TRUST_POLICY"})
#: A policy of AWS Organizations is a ceiling for accounts; one that names principals is for resources.
_ORGANIZATIONS = "aws_organizations_policy."
#: The quota that a policy has where it stands; IAM's are by what the policy is attached to.
_QUOTAS: Mapping[PolicyKind, Kind] = MappingProxyType(
    {
        PolicyKind.TRUST: Kind.TRUST,
        PolicyKind.GROUP: Kind.GROUP,
        PolicyKind.BUCKET: Kind.BUCKET,
        PolicyKind.KEY: Kind.KEY,
        PolicyKind.ENDPOINT: Kind.ENDPOINT,
        PolicyKind.API: Kind.API,
        PolicyKind.TOPIC: Kind.TOPIC,
    }
)
_INLINE = "aws_iam_role_policy."
#: The package's size limit that is replaced by ours.
_LIMIT = "limit"
_MARKUP = re.compile(r"`|\*\*(?=\w)|(?<=\w)\*\*")


def validate_policies(document: Mapping[str, Any]) -> list[Finding]:
    """Return what iam-policy-validator finds in the policies of a parsed ``cdk.tf.json``, sorted.

    Raises:
        PublishedCheckError: the package failed, or one of its checks did.

    """
    policies, _ = find_documents(document)
    return sorted({finding for policy in policies for finding in validate_policy(policy)})


def validate_policy(policy: PolicyDocument) -> Iterator[Finding]:
    """Go through what iam-policy-validator finds in one policy, false alarms left out.

    Raises:
        PublishedCheckError: the package failed, or one of its checks did.

    """
    for issue in issues_of(policy):
        if not any(one.fits(policy.kind, issue) for one in FALSE_ALARMS):
            place = f"{policy.attribute}:{issue.statement.place}" if issue.statement else policy.attribute
            detail = f"{issue.message} [{PACKAGE}: {issue.type}]"
            yield Finding(CHECKS[issue.check], policy.address, detail, place)


def issues_of(policy: PolicyDocument) -> list[Issue]:
    """Return everything that the package has to say of a policy.

    One that neither the package nor AWS can read is left to our own lint, of which it is a finding.

    Raises:
        PublishedCheckError: the package failed, or one of its checks did.

    """
    with failures_raised(PACKAGE, ("iam_validator",)):
        from iam_validator.core.models import IAMPolicy  # noqa: PLC0415 - the package's import takes a second

        document = stand_ins(policy.document)
        try:
            read = IAMPolicy.model_validate(document)
        except ValueError:
            if is_refused(policy):
                return []
            raise
        return [_issue(policy, found) for found in _validate(policy, read, document)]


def _validate(policy: PolicyDocument, read: IAMPolicy, document: dict[str, Any]) -> list[ValidationIssue]:
    from iam_validator.core.policy_checks import validate_policies as validate  # noqa: PLC0415

    from gatehouse.scan.published.definitions import Definitions  # noqa: PLC0415

    config, registry = _checks(_quota(policy))
    definitions = Definitions()
    run = validate(
        [(policy.address, read, document)],
        policy_type=_type(policy),
        config=config,
        registry=registry,
        fetcher=definitions,
    )
    (result,) = asyncio.run(run)
    if definitions.failures:
        raise definitions.failures[0]
    issues: list[ValidationIssue] = result.issues
    return issues


@cache
def _checks(quota: int) -> tuple[Any, CheckRegistry]:
    """Return all checks of the package, and the configuration: its own defaults, made stricter, and no file's.

    Plug-ins that others have installed are not among them.
    """
    from iam_validator import checks  # noqa: PLC0415 - the package's import takes a second
    from iam_validator.core.check_registry import CheckRegistry  # noqa: PLC0415
    from iam_validator.core.config.config_loader import ConfigLoader, ValidatorConfig  # noqa: PLC0415

    config = ValidatorConfig(
        {
            "policy_size": {"policy_type": _LIMIT, "size_limits": {_LIMIT: quota}},
            "service_wildcard": {"allowed_services": []},
            "wildcard_resource": {"allowed_wildcards": []},
        }
    )
    registry = CheckRegistry(enable_parallel=False, suppress_superseded=False, on_check_error="fail")
    for name in checks.__all__:
        registry.register(getattr(checks, name)())
    ConfigLoader.apply_config_to_registry(config, registry)
    return config, registry


def _type(policy: PolicyDocument) -> PolicyType:
    names_principals = policy.kind.names_principals
    if policy.address.startswith(_ORGANIZATIONS):
        return "RESOURCE_CONTROL_POLICY" if names_principals else "SERVICE_CONTROL_POLICY"
    return _TYPES.get(policy.kind, "RESOURCE_POLICY" if names_principals else "IDENTITY_POLICY")


def _quota(policy: PolicyDocument) -> int:
    inline = Kind.INLINE if policy.address.startswith(_INLINE) else Kind.MANAGED
    return _QUOTAS.get(policy.kind, inline).quota


def _issue(policy: PolicyDocument, found: ValidationIssue) -> Issue:
    check = str(found.check_id)
    if found.issue_type == _CRASH:
        raise PublishedCheckError(f"{PACKAGE}: {policy.address}: {found.message}")
    if check not in CHECKS:
        raise PublishedCheckError(f"{PACKAGE} has a check of which nothing is known here: {check}")
    message = _MARKUP.sub("", " ".join(found.message.split()))
    statement = _statement(policy, found.statement_index)
    return Issue(check, found.issue_type, message, statement, found.action or "", found.condition_key or "")


def _statement(policy: PolicyDocument, index: int) -> Statement | None:
    """Return the statement that an issue is about; none if it is about the policy, or nothing can be read."""
    try:
        return policy.statements[index] if 0 <= index < len(policy.statements) else None
    except StatementError:
        return None
