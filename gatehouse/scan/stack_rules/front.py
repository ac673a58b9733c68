"""The front door as a whole: policy, paths, limits, and TLS on the way to the servers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gatehouse.scan.stack_rules.stack import Flaw, Resource, Stack, blocks, items, references

#: Headers that prove who calls: whoever reads them in a log could use them.
SECRET_HEADERS = frozenset({"authorization", "x-amz-security-token"})

#: A managed rule that may only count: clients of a data platform do call from hosting providers.
COUNTED = "HostingProviderIPList"


def with_policy(stack: Stack) -> Iterator[Flaw]:
    """Every API has a resource policy."""
    for api in stack.of("aws_api_gateway_rest_api"):
        apart = stack.naming(api, "aws_api_gateway_rest_api_policy", "rest_api_id")
        if not any(one.body.get("policy") for one in apart):
            yield Flaw(api.address, "has no resource policy", "policy")


def paths_of_teams(stack: Stack) -> Iterator[Flaw]:
    """Every path begins with the team: that is what IAM decides on."""
    for resource in stack.of("aws_api_gateway_resource"):
        at_root = "root_resource_id" in str(resource.body.get("parent_id"))
        wanted = "{team}" if at_root else "{proxy+}"
        if resource.body.get("path_part") != wanted:
            yield Flaw(resource.address, f"is a path that does not begin with a team ({wanted})", "path_part")


def every_path_integrated(stack: Stack) -> Iterator[Flaw]:
    """Every method has one integration, and it is on a path of a team: none answers at the root."""
    for method in stack.of("aws_api_gateway_method"):
        places = references(method.body.get("resource_id"))
        if not any(address.startswith("aws_api_gateway_resource.") for address in places):
            yield Flaw(method.address, "is not on a path of a team", "resource_id")
        if len(stack.naming(method, "aws_api_gateway_integration", "http_method")) != 1:
            yield Flaw(method.address, "does not have one integration")


def settings_for_all(stack: Stack) -> Iterator[Flaw]:
    """Every stage has settings for all methods, and none for some."""
    for stage in stack.of("aws_api_gateway_stage"):
        found = stack.naming(stage, "aws_api_gateway_method_settings", "stage_name")
        if [one.body.get("method_path") for one in found] != ["*/*"]:
            yield Flaw(stage.address, "does not have settings for all its methods")


def deployed_whole(stack: Stack) -> Iterator[Flaw]:
    """A deployment is a snapshot: it waits for the policy, every method and every integration."""
    kinds = ("aws_api_gateway_rest_api_policy", "aws_api_gateway_method", "aws_api_gateway_integration")
    for deployment in stack.of("aws_api_gateway_deployment"):
        for part in stack.of(*kinds):
            if part.address not in items(deployment.body.get("depends_on")):
                yield Flaw(deployment.address, f"may be made before {part.address}", "depends_on")


def before_a_public_api(stack: Stack) -> Iterator[Flaw]:
    """The stage of an API with a public address is behind a web ACL that logs whom it turns away."""
    for api in stack.of("aws_api_gateway_rest_api"):
        if "PRIVATE" in [one for block in _endpoints(api) for one in items(block.get("types"))]:
            continue
        for stage in stack.naming(api, "aws_api_gateway_stage", "rest_api_id"):
            joined = stack.naming(stage, "aws_wafv2_web_acl_association", "resource_arn")
            named = {address for one in joined for address in references(one.body.get("web_acl_arn"))}
            acls = [one for one in stack.of("aws_wafv2_web_acl") if one.address in named]
            logged = "aws_wafv2_web_acl_logging_configuration"
            if not acls or not all(stack.naming(one, logged, "resource_arn") for one in acls):
                yield Flaw(stage.address, "is not behind a web ACL of the document with a log")


def _endpoints(api: Resource) -> list[Mapping[str, Any]]:
    return blocks(api.body, "endpoint_configuration")


def tls_to_the_end(stack: Stack) -> Iterator[Flaw]:
    """A listener forwards to servers of the same protocol: what ends TLS opens it anew."""
    groups = {one.address: one.body.get("protocol") for one in stack.of("aws_lb_target_group")}
    for listener in stack.of("aws_lb_listener"):
        for action in blocks(listener.body, "default_action"):
            targets = references(action.get("target_group_arn"))
            same = {groups.get(address) for address in targets} == {listener.body.get("protocol")}
            if action.get("type") != "forward" or not same:
                yield Flaw(
                    listener.address, "does not forward to servers of its own protocol", "default_action"
                )


def strangers_blocked(stack: Stack) -> Iterator[Flaw]:
    """A web ACL blocks whom it does not know, and admits nobody but by a set of addresses."""
    for acl in stack.of("aws_wafv2_web_acl"):
        if [set(one) for one in blocks(acl.body, "default_action")] != [{"block"}]:
            yield Flaw(acl.address, "does not block whom no rule names", "default_action")
        for rule in blocks(acl.body, "rule"):
            by = {name for statement in blocks(rule, "statement") for name in statement}
            if blocks(rule, "action", "allow") and by != {"ip_set_reference_statement"}:
                yield Flaw(acl.address, "admits by something else than a set of addresses", "rule")
            for flaw in _loosened(rule):
                yield Flaw(acl.address, flaw, "rule")


def _loosened(rule: Mapping[str, Any]) -> Iterator[str]:
    """Go through what makes a rule weaker than its name says."""
    if blocks(rule, "statement", "ip_set_reference_statement", "ip_set_forwarded_ip_config"):
        yield "admits by a header that the caller writes"
    managed = blocks(rule, "statement", "managed_rule_group_statement")
    for group in managed:
        if "scope_down_statement" in group:
            yield f"asks {group.get('name')} about some requests only"
        for override in blocks(group, "rule_action_override"):
            actions = {name for one in blocks(override, "action_to_use") for name in one}
            if not actions <= {"block"} and (actions, override.get("name")) != ({"count"}, COUNTED):
                yield f"lets pass what {override.get('name')} of {group.get('name')} finds"


def log_without_secrets(stack: Stack) -> Iterator[Flaw]:
    """A web ACL logs into a group of the stack, and leaves out what proves who calls."""
    groups = {one.address for one in stack.of("aws_cloudwatch_log_group")}
    for log in stack.of("aws_wafv2_web_acl_logging_configuration"):
        targets = items(log.body.get("log_destination_configs"))
        if not targets or not all(references(one) & groups for one in targets):
            yield Flaw(log.address, "does not log into a group of the stack", "log_destination_configs")
        redacted = blocks(log.body, "redacted_fields")
        headers = {
            str(one.get("name")).lower() for one in blocks(log.body, "redacted_fields", "single_header")
        }
        if not headers >= SECRET_HEADERS or not any("query_string" in one for one in redacted):
            yield Flaw(log.address, "keeps a header or a query that proves who calls", "redacted_fields")
