"""The front door: every call is decided by IAM on its path, and the server hears of that path and of no other."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatehouse.scan.house_checks.house_reading import (
        Attributes,
        HouseCheck,
        all_refer_to,
        blocks,
        is_given,
        is_off,
        is_on,
        number,
        refers_to,
        value,
        values,
    )
else:  # Checkov has the folder on the path, not the package.
    from house_reading import (
        HouseCheck,
        all_refer_to,
        blocks,
        is_given,
        is_off,
        is_on,
        number,
        refers_to,
        value,
        values,
    )

WORKSPACE_HEADER = "integration.request.header.X-MLFLOW-WORKSPACE"
PATH_HEADER = "integration.request.header.X-Gatehouse-Path"
PATH = "integration.request.path.proxy"
#: What an integration may hand on, and from where.
PARAMETERS = {
    WORKSPACE_HEADER: "method.request.path.team",
    PATH_HEADER: "context.path",
    PATH: "method.request.path.proxy",
}
#: Without one of these an entry of the access log does not say who called what, from where, and what came of it.
LOGGED = (
    "$context.requestTimeEpoch",
    "$context.identity.userArn",
    "$context.identity.sourceIp",
    "$context.httpMethod",
    "$context.path",
    "$context.status",
)
#: Prefix length of the widest range that may call.
WIDEST = 8
#: Addresses of four such ranges.
MOST_ADDRESSES = 4 * 2 ** (32 - WIDEST)
#: What API Gateway itself lets through in a region, in a second.
MOST_CALLS = 10_000
_URI = re.compile(r"https://(\$\{[^}]+\}|[a-z0-9.-]+)(/|/\{proxy\})")
_LOAD_BALANCER = re.compile(r"\$\{aws_lb\.[\w-]+\.dns_name\}")


def decided_by_iam(method: Attributes) -> Iterator[str]:
    """Every method, OPTIONS included, asks for a signature that IAM judges."""
    if value(method, "authorization") != "AWS_IAM":
        yield "authorization"
    if is_given(method, "authorizer_id"):
        yield "authorizer_id"


def methods_in_sight(api: Attributes) -> Iterator[str]:
    """An OpenAPI document would bring methods that no check of methods sees."""
    if is_given(api, "body"):
        yield "body"


def through_the_link(integration: Attributes) -> Iterator[str]:
    """Requests reach the servers through the VPC link alone."""
    if value(integration, "type") != "HTTP_PROXY":
        yield "type"
    if value(integration, "connection_type") != "VPC_LINK":
        yield "connection_type"
    if not refers_to(value(integration, "connection_id"), "id", "aws_api_gateway_vpc_link"):
        yield "connection_id"


def with_tls(integration: Attributes) -> Iterator[str]:
    """TLS to the load balancer; a name that a certificate can have is verified."""
    uri = _URI.fullmatch(str(value(integration, "uri")))
    if uri is None:
        yield "uri"
    skipped = value(integration, "tls_config", "insecure_skip_verification")
    unverifiable = uri is not None and _LOAD_BALANCER.fullmatch(uri[1]) is not None
    if not is_off(skipped) and not (is_on(skipped) and unverifiable):
        yield "tls_config/insecure_skip_verification"


def workspace_from_path(integration: Attributes) -> Iterator[str]:
    """The team of a request is the one in the path that IAM decided on, whatever the client sent."""
    if value(integration, "request_parameters", WORKSPACE_HEADER) != PARAMETERS[WORKSPACE_HEADER]:
        yield "request_parameters"


def path_told(integration: Attributes) -> Iterator[str]:
    """The server compares what arrives with the path that IAM decided on."""
    if value(integration, "request_parameters", PATH_HEADER) != PARAMETERS[PATH_HEADER]:
        yield "request_parameters"


def nothing_else(integration: Attributes) -> Iterator[str]:
    """No other part of the request is put where the server looks."""
    for given in blocks(integration, "request_parameters"):
        if any(value(given, name) != PARAMETERS.get(name) for name in given if not name.startswith("__")):
            yield "request_parameters"
    if str(value(integration, "uri")).endswith("/{proxy}") and (
        value(integration, "request_parameters", PATH) is None
    ):
        yield "request_parameters"
    if is_given(integration, "request_templates"):
        yield "request_templates"
    # Another method than the caller's is one that IAM has not decided on.
    if value(integration, "integration_http_method") != "ANY":
        yield "integration_http_method"


def limited_and_counted(settings: Attributes) -> Iterator[str]:
    """Calls are throttled and counted; what they hold is not logged."""
    if value(settings, "method_path") != "*/*":
        yield "method_path"
    for name in ("throttling_rate_limit", "throttling_burst_limit"):
        limit = value(settings, "settings", name)
        fixed = number(limit)
        if limit is None or (fixed is not None and not 1 <= fixed <= MOST_CALLS):
            yield f"settings/{name}"
    if not is_on(value(settings, "settings", "metrics_enabled")):
        yield "settings/metrics_enabled"
    if value(settings, "settings", "logging_level") not in ("ERROR", "INFO"):
        yield "settings/logging_level"
    if not is_off(value(settings, "settings", "data_trace_enabled")):
        yield "settings/data_trace_enabled"


def calls_logged(stage: Attributes) -> Iterator[str]:
    """The access log names the caller, the path and what became of the call."""
    destination = value(stage, "access_log_settings", "destination_arn")
    if not refers_to(destination, "arn", "aws_cloudwatch_log_group"):
        yield "access_log_settings/destination_arn"
    form = str(value(stage, "access_log_settings", "format"))
    if any(not re.search(re.escape(variable) + r"(?![\w.])", form) for variable in LOGGED):
        yield "access_log_settings/format"


def known_entry(api: Attributes) -> Iterator[str]:
    """A private API has the VPC endpoints that lead to it; no API has CloudFront before it."""
    types = values(api, "endpoint_configuration", "types")
    if types not in (["PRIVATE"], ["REGIONAL"]):
        yield "endpoint_configuration/types"
    if types == ["PRIVATE"] and not values(api, "endpoint_configuration", "vpc_endpoint_ids"):
        yield "endpoint_configuration/vpc_endpoint_ids"


def link_to_own_balancer(link: Attributes) -> Iterator[str]:
    """The VPC link leads to the stack's own load balancer."""
    if not all_refer_to(values(link, "target_arns"), "arn", "aws_lb"):
        yield "target_arns"


def groups_that_block(acl: Attributes) -> Iterator[str]:
    """A managed rule group turns requests away; overridden as a whole, it only counts them."""
    for rule in blocks(acl, "rule"):
        for override in blocks(rule, "override_action"):
            if [action for action in override if not action.startswith("__")] != ["none"]:
                yield "rule/override_action"


def narrow_callers(addresses: Attributes) -> Iterator[str]:
    """An address set has written ranges, none of them wide."""
    given = values(addresses, "addresses")
    if (
        not given
        or not all(_is_narrow(one) for one in given)
        or sum(ipaddress.IPv4Network(str(one)).num_addresses for one in given) > MOST_ADDRESSES
    ):
        yield "addresses"


def _is_narrow(cidr: object) -> bool:
    try:
        network = ipaddress.IPv4Network(str(cidr))
    except ValueError:
        return False
    return network.prefixlen >= WIDEST


def parameters_validated(validator: Attributes) -> Iterator[str]:
    """A request without its path parameters is refused."""
    if not is_on(value(validator, "validate_request_parameters")):
        yield "validate_request_parameters"


METHOD, INTEGRATION = ["aws_api_gateway_method"], ["aws_api_gateway_integration"]
API = ["aws_api_gateway_rest_api"]

HouseCheck("GH201", "A method is not decided by IAM", METHOD, decided_by_iam)
HouseCheck("GH202", "Methods of an API are not in sight", API, methods_in_sight)
HouseCheck("GH203", "An integration does not go through the VPC link", INTEGRATION, through_the_link)
HouseCheck("GH204", "An integration has no TLS, or does not verify it", INTEGRATION, with_tls)
HouseCheck("GH205", "The workspace is not set from the path", INTEGRATION, workspace_from_path)
HouseCheck("GH206", "The server is not told the path that IAM decided on", INTEGRATION, path_told)
HouseCheck("GH207", "An integration hands on more than was decided on", INTEGRATION, nothing_else)
HouseCheck(
    "GH208", "Calls are not limited or not counted", ["aws_api_gateway_method_settings"], limited_and_counted
)
HouseCheck("GH209", "The access log does not say who called what", ["aws_api_gateway_stage"], calls_logged)
HouseCheck("GH210", "The API has an entry that nobody judged", API, known_entry)
HouseCheck("GH211", "The VPC link leads elsewhere", ["aws_api_gateway_vpc_link"], link_to_own_balancer)
HouseCheck("GH212", "A rule group of the web ACL only counts", ["aws_wafv2_web_acl"], groups_that_block)
HouseCheck("GH213", "An address set is wide or unknown", ["aws_wafv2_ip_set"], narrow_callers)
HouseCheck(
    "GH214", "Path parameters are not validated", ["aws_api_gateway_request_validator"], parameters_validated
)
