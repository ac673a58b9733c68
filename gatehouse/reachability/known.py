"""Which types of resources the graph is made of, and which open nothing in a network; any other type is an error."""

from __future__ import annotations

from gatehouse.document import Document
from gatehouse.errors import InputError, Problem

#: Types that are read here.
MODELLED = frozenset(
    {
        "aws_api_gateway_integration",
        "aws_api_gateway_rest_api",
        "aws_api_gateway_rest_api_policy",
        "aws_api_gateway_vpc_link",
        "aws_autoscaling_attachment",
        "aws_autoscaling_group",
        "aws_db_instance",
        "aws_db_subnet_group",
        "aws_default_network_acl",
        "aws_default_route_table",
        "aws_default_security_group",
        "aws_ec2_managed_prefix_list",
        "aws_egress_only_internet_gateway",
        "aws_eip",
        "aws_internet_gateway",
        "aws_launch_template",
        "aws_lb",
        "aws_lb_listener",
        "aws_lb_target_group",
        "aws_main_route_table_association",
        "aws_nat_gateway",
        "aws_network_acl",
        "aws_network_acl_association",
        "aws_network_acl_rule",
        "aws_route",
        "aws_route_table",
        "aws_route_table_association",
        "aws_security_group",
        "aws_security_group_rule",
        "aws_subnet",
        "aws_vpc",
        "aws_vpc_endpoint",
        "aws_vpc_endpoint_route_table_association",
        "aws_vpc_security_group_egress_rule",
        "aws_vpc_security_group_ingress_rule",
    }
)
#: Types that matter here by the routes to them alone: what is behind them is outside.
BEHIND_ROUTES = frozenset(
    {
        "aws_ec2_transit_gateway",
        "aws_ec2_transit_gateway_vpc_attachment",
        "aws_vpc_peering_connection",
        "aws_vpc_peering_connection_accepter",
        "aws_vpc_peering_connection_options",
        "aws_vpn_gateway",
    }
)
#: Types that neither are in a network nor let anybody into one.
APART = frozenset(
    {
        "aws_acm_certificate",
        "aws_api_gateway_account",
        "aws_api_gateway_base_path_mapping",
        "aws_api_gateway_deployment",
        "aws_api_gateway_domain_name",
        "aws_api_gateway_gateway_response",
        "aws_api_gateway_method",
        "aws_api_gateway_method_settings",
        "aws_api_gateway_request_validator",
        "aws_api_gateway_resource",
        "aws_api_gateway_stage",
        "aws_autoscaling_policy",
        "aws_cloudwatch_dashboard",
        "aws_cloudwatch_log_group",
        "aws_cloudwatch_log_metric_filter",
        "aws_cloudwatch_metric_alarm",
        "aws_cloudwatch_query_definition",
        "aws_db_parameter_group",
        "aws_flow_log",
        "aws_kms_alias",
        "aws_kms_key",
        "aws_s3_object",
        "aws_secretsmanager_secret",
        "aws_secretsmanager_secret_policy",
        "aws_sns_topic",
        "aws_sns_topic_policy",
        "aws_sns_topic_subscription",
        "aws_sqs_queue",
        "aws_sqs_queue_policy",
        "aws_ssm_document",
        "aws_ssm_parameter",
        "aws_vpc_endpoint_policy",
    }
)
#: The same, by the beginnings of their names.
APART_FAMILIES = ("aws_iam_", "aws_kms_", "aws_s3_bucket", "aws_wafv2_")
#: Ends of types whose ids nothing refers to; what they refer to is known if that is made already.
_REFERRED_TO_BY_NOBODY = ("_association", "_attachment", "_integration", "_route", "_rule")


def refuse_unapplied(document: Document) -> None:
    """Refuse a plan that makes what the graph is made of: what is joined to what is known only after its apply.

    Raises:
        InputError: with every such resource.

    """
    unknown = document.resolver.source.unknown
    problems = [
        Problem(
            str(document.path),
            f"{one.address} is yet to be made, and nobody knows its id",
            "judge the synthesized document, or a plan after the first apply",
            line=document.line_of(one.address),
            field=f"{one.address}.id",
        )
        for one in document.resources.values()
        if one.type in MODELLED
        and not one.type.endswith(_REFERRED_TO_BY_NOBODY)
        and unknown.get(one.address, {}).get("id")
    ]
    if problems:
        raise InputError(problems)


def refuse_unknown(document: Document) -> None:
    """Refuse types of which it is not known what they open.

    Raises:
        InputError: with every resource of such a type.

    """
    known = MODELLED | BEHIND_ROUTES | APART
    problems = [
        Problem(
            str(document.path),
            f"{resource.address} is of a type whose connections are not modelled",
            "remove it, or judge it by other means and teach gatehouse/reachability its type",
            line=document.line_of(resource.address),
            field=resource.address,
        )
        for resource in document.resources.values()
        if resource.type not in known and not resource.type.startswith(APART_FAMILIES)
    ]
    if problems:
        raise InputError(problems)
