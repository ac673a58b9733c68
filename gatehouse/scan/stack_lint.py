"""The stack lint: what must be there, and what must hold between the resources of a synthesized environment.

Checkov looks at one resource after the other; these rules look at all of them. Each stands under the id of a check in
``findings.yaml``. A rule that fails is not caught: without it there is no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from gatehouse.scan.findings import Finding
from gatehouse.scan.stack_rules import (
    attributes,
    boot,
    expressions,
    front,
    identity,
    joins,
    logs,
    network,
    storage,
    whole,
)
from gatehouse.scan.stack_rules.stack import Rule, Stack

#: By the ids of their checks.
RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "GH301": whole.known_types,
        "GH302": whole.known_parts,
        "GH303": whole.plain_resources,
        "GH304": whole.nothing_ignored,
        "GH305": whole.nothing_missing,
        "GH306": whole.alarms,
        "GH307": whole.one_provider,
        "GH308": whole.encrypted_state,
        "GH309": whole.validated_variables,
        "GH310": whole.no_secret,
        "GH311": whole.no_secret_output,
        "GH312": joins.joined_within,
        "GH313": joins.endpoints_placed,
        "GH314": whole.refusals_counted,
        "GH315": expressions.plain_expressions,
        "GH316": attributes.attributes_that_are_judged,
        "GH317": logs.writable_logs,
        "GH320": storage.versions,
        "GH321": storage.no_public_access,
        "GH322": storage.one_owner,
        "GH323": storage.own_key,
        "GH324": storage.with_policy,
        "GH325": storage.old_versions_end,
        "GH326": storage.accounted_for,
        "GH327": storage.kept_objects,
        "GH328": storage.kept_data,
        "GH329": storage.told_nobody_else,
        "GH330": network.isolated_database,
        "GH331": network.own_subnets,
        "GH332": network.no_way_in,
        "GH333": network.internet_behind_nat,
        "GH334": network.one_after_the_other,
        "GH335": network.groups_apart,
        "GH336": network.empty_defaults,
        "GH337": network.endpoint_policies,
        "GH338": network.second_lock,
        "GH340": front.with_policy,
        "GH341": front.paths_of_teams,
        "GH342": front.every_path_integrated,
        "GH343": front.settings_for_all,
        "GH344": front.deployed_whole,
        "GH345": front.tls_to_the_end,
        "GH346": front.strangers_blocked,
        "GH347": front.log_without_secrets,
        "GH348": front.before_a_public_api,
        "GH350": boot.files_as_named,
        "GH351": boot.fetched_by_digest,
        "GH352": boot.mlflow_switches,
        "GH353": boot.user_data_as_reviewed,
        "GH354": boot.files_as_reviewed,
        "GH355": boot.commands_as_reviewed,
        "GH360": identity.boundaries_only_bound,
        "GH361": identity.boundaries_in_the_document,
        "GH362": identity.servers_role,
    }
)


def lint_stack(document: Mapping[str, Any], rules: Mapping[str, Rule] = RULES) -> list[Finding]:
    """Return what is wrong in a parsed ``cdk.tf.json`` as a whole, sorted."""
    stack = Stack(document)
    found = {
        Finding(check, flaw.address, flaw.detail, flaw.place)
        for check, rule in rules.items()
        for flaw in rule(stack)
    }
    return sorted(found)
