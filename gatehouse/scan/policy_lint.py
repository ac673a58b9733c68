"""The policy lint: rules of our own for every policy document of a synthesized environment.

They are for what the general linters miss. Each rule stands under the id of a check in ``findings.yaml``; what is no
policy, and a rule that fails, are findings as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from gatehouse.scan.documents import PolicyDocument, find_documents
from gatehouse.scan.findings import Finding
from gatehouse.scan.policy_rules import conditions, denials, grants, principals, writing
from gatehouse.scan.policy_rules.flaw import Rule
from gatehouse.scan.statements import StatementError

UNREADABLE = "GH101"
FAILED_RULE = "GH102"
REFUSED = "GH103"
#: By the ids of their checks.
RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "GH104": writing.version,
        "GH105": writing.sids,
        "GH106": writing.references,
        "GH107": writing.policy_variables,
        "GH110": grants.known_actions,
        "GH111": grants.named_actions,
        "GH112": grants.no_not_action,
        "GH113": grants.no_not_resource,
        "GH114": grants.named_resources,
        "GH115": grants.named_roles_to_pass,
        "GH116": grants.whole_folders,
        "GH117": grants.whole_prefixes,
        "GH118": grants.keys_through_services,
        "GH119": grants.named_roles_to_become,
        "GH120": principals.no_not_principal,
        "GH121": principals.nobody_unknown,
        "GH122": principals.accounts_with_conditions,
        "GH123": principals.whose_token,
        "GH124": principals.tags_by_others,
        "GH125": principals.whose_assertion,
        "GH126": principals.people_with_second_factor,
        "GH127": principals.services_on_own_behalf,
        "GH130": conditions.literal_wildcards,
        "GH131": conditions.values_of_the_right_type,
        "GH132": conditions.supported_keys,
        "GH133": conditions.all_of_nothing,
        "GH134": conditions.second_factor_demanded,
        "GH135": conditions.second_factor_missing,
        "GH140": denials.no_sisters_spared,
        "GH141": denials.no_nameless_spared,
        "GH142": denials.only_with_tls,
        "GH143": denials.only_from_networks,
    }
)


def lint_policies(document: Mapping[str, Any]) -> list[Finding]:
    """Return what is wrong in the policies of a parsed ``cdk.tf.json``, sorted."""
    policies, unreadable = find_documents(document)
    found = [
        Finding(UNREADABLE, one.address, f"the policy {one.reason}", one.attribute) for one in unreadable
    ]
    for policy in policies:
        found += lint_policy(policy)
    return sorted(set(found))


def lint_policy(policy: PolicyDocument, rules: Mapping[str, Rule] = RULES) -> list[Finding]:
    """Return what is wrong in one policy. What AWS would refuse is reported where no rule has a better word for it."""
    try:
        _ = policy.statements
    except StatementError as error:
        return [Finding(REFUSED, policy.address, f"the policy {error}", policy.attribute)]
    found = [finding for check, rule in rules.items() for finding in _apply(check, rule, policy)]
    return found or list(_apply(REFUSED, writing.as_aws_reads_it, policy))


def _apply(check: str, rule: Rule, policy: PolicyDocument) -> Iterator[Finding]:
    try:
        flaws = list(rule(policy))
    except Exception as error:
        detail = f"rule {check} failed: {type(error).__name__}: {error}"
        yield Finding(FAILED_RULE, policy.address, detail, policy.attribute)
        return
    for flaw in flaws:
        place = f"{policy.attribute}:{flaw.place}" if flaw.place else policy.attribute
        yield Finding(check, policy.address, flaw.detail, place)
