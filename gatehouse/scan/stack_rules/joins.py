"""What is joined to what: a resource belongs to others of the same document, never to something that it only names.

Each table is by type and attribute, and says what the attribute refers to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gatehouse.scan.stack_rules.stack import Flaw, Resource, Stack, blocks, items, references

_API = "aws_api_gateway_rest_api"
_RESOURCE = "aws_api_gateway_resource"
_STAGE = "aws_api_gateway_stage"
_ROLE = "aws_iam_role"
_BUCKET = "aws_s3_bucket"
_GROUP = "aws_security_group"
_VPC = "aws_vpc"
_SUBNET = "aws_subnet"

#: In every stack.
JOINS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "aws_api_gateway_account": {"cloudwatch_role_arn": (_ROLE,)},
    "aws_api_gateway_deployment": {"rest_api_id": (_API,)},
    "aws_api_gateway_integration": {
        "rest_api_id": (_API,),
        "resource_id": (_RESOURCE,),
        "http_method": ("aws_api_gateway_method",),
    },
    "aws_api_gateway_method": {
        "rest_api_id": (_API,),
        "resource_id": (_RESOURCE,),
        "request_validator_id": ("aws_api_gateway_request_validator",),
    },
    "aws_api_gateway_method_settings": {"rest_api_id": (_API,), "stage_name": (_STAGE,)},
    "aws_api_gateway_request_validator": {"rest_api_id": (_API,)},
    "aws_api_gateway_resource": {"rest_api_id": (_API,), "parent_id": (_API, _RESOURCE)},
    "aws_api_gateway_rest_api_policy": {"rest_api_id": (_API,)},
    "aws_api_gateway_stage": {"rest_api_id": (_API,), "deployment_id": ("aws_api_gateway_deployment",)},
    "aws_autoscaling_group": {
        "target_group_arns": ("aws_lb_target_group",),
        "launch_template.version": ("aws_launch_template",),
    },
    "aws_autoscaling_policy": {"autoscaling_group_name": ("aws_autoscaling_group",)},
    "aws_cloudwatch_log_metric_filter": {"log_group_name": ("aws_cloudwatch_log_group",)},
    "aws_db_instance": {"monitoring_role_arn": (_ROLE,)},
    "aws_flow_log": {"iam_role_arn": (_ROLE,), "vpc_id": (_VPC,)},
    "aws_iam_group_policy": {"group": ("aws_iam_group",)},
    "aws_iam_instance_profile": {"role": (_ROLE,)},
    "aws_iam_role_policy": {"role": (_ROLE,)},
    "aws_iam_role_policy_attachment": {"role": (_ROLE,)},
    "aws_iam_user_group_membership": {"user": ("aws_iam_user",), "groups": ("aws_iam_group",)},
    "aws_kms_alias": {"target_key_id": ("aws_kms_key",)},
    "aws_lb": {"access_logs.bucket": (_BUCKET,)},
    "aws_lb_listener": {"load_balancer_arn": ("aws_lb",)},
    "aws_nat_gateway": {"subnet_id": (_SUBNET,)},
    "aws_network_acl_rule": {"network_acl_id": ("aws_network_acl",)},
    "aws_route": {"route_table_id": ("aws_route_table",)},
    "aws_route_table_association": {"route_table_id": ("aws_route_table",), "subnet_id": (_SUBNET,)},
    "aws_s3_bucket_lifecycle_configuration": {"bucket": (_BUCKET,)},
    "aws_s3_bucket_logging": {"bucket": (_BUCKET,), "target_bucket": (_BUCKET,)},
    "aws_s3_bucket_notification": {"bucket": (_BUCKET,)},
    "aws_s3_bucket_ownership_controls": {"bucket": (_BUCKET,)},
    "aws_s3_bucket_policy": {"bucket": (_BUCKET,)},
    "aws_s3_bucket_public_access_block": {"bucket": (_BUCKET,)},
    "aws_s3_bucket_server_side_encryption_configuration": {"bucket": (_BUCKET,)},
    "aws_s3_bucket_versioning": {"bucket": (_BUCKET,)},
    "aws_s3_object": {"bucket": (_BUCKET,)},
    "aws_sns_topic_policy": {"arn": ("aws_sns_topic",)},
    "aws_vpc_endpoint_policy": {"vpc_endpoint_id": ("aws_vpc_endpoint",)},
    "aws_vpc_security_group_egress_rule": {"security_group_id": (_GROUP,)},
    "aws_vpc_security_group_ingress_rule": {"security_group_id": (_GROUP,)},
    "aws_wafv2_web_acl": {"rule.statement.ip_set_reference_statement.arn": ("aws_wafv2_ip_set",)},
    "aws_wafv2_web_acl_association": {"resource_arn": (_STAGE,), "web_acl_arn": ("aws_wafv2_web_acl",)},
    "aws_wafv2_web_acl_logging_configuration": {"resource_arn": ("aws_wafv2_web_acl",)},
}
#: In a stack that makes its VPC; in somebody else's, these are ids.
JOINS_IN_OWN_VPC: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "aws_autoscaling_group": {"vpc_zone_identifier": (_SUBNET,)},
    "aws_db_subnet_group": {"subnet_ids": (_SUBNET,)},
    "aws_internet_gateway": {"vpc_id": (_VPC,)},
    "aws_lb": {"subnets": (_SUBNET,)},
    "aws_lb_target_group": {"vpc_id": (_VPC,)},
    "aws_network_acl": {"vpc_id": (_VPC,), "subnet_ids": (_SUBNET,)},
    "aws_route_table": {"vpc_id": (_VPC,)},
    "aws_security_group": {"vpc_id": (_VPC,)},
    "aws_subnet": {"vpc_id": (_VPC,)},
    "aws_vpc_endpoint": {"vpc_id": (_VPC,)},
}


def joined_within(stack: Stack) -> Iterator[Flaw]:
    """Every resource belongs to others of the document."""
    tables = [JOINS, JOINS_IN_OWN_VPC] if stack.of("aws_vpc") else [JOINS]
    there = {one.address for one in stack.of()}
    for table in tables:
        for kind, attributes in table.items():
            for resource in stack.of(kind):
                for attribute, kinds in attributes.items():
                    if not _is_joined(resource, attribute, kinds, there):
                        yield Flaw(resource.address, f"is not joined to {' or '.join(kinds)}", attribute)


def endpoints_placed(stack: Stack) -> Iterator[Flaw]:
    """In a VPC of the stack, endpoints are in its subnets and route tables, and servers talk to its own groups."""
    if not stack.of(_VPC):
        return
    there = {one.address for one in stack.of()}
    for endpoint in stack.of("aws_vpc_endpoint"):
        gateway = endpoint.body.get("vpc_endpoint_type") == "Gateway"
        attribute, kind = ("route_table_ids", "aws_route_table") if gateway else ("subnet_ids", _SUBNET)
        if not _is_joined(endpoint, attribute, (kind,), there):
            yield Flaw(endpoint.address, f"is not joined to {kind}", attribute)
    for rule in stack.of("aws_vpc_security_group_egress_rule"):
        given = "referenced_security_group_id" in rule.body
        if given and not _is_joined(rule, "referenced_security_group_id", (_GROUP,), there):
            yield Flaw(rule.address, f"is not joined to {_GROUP}", "referenced_security_group_id")


def _is_joined(resource: Resource, attribute: str, kinds: tuple[str, ...], there: set[str]) -> bool:
    *outer, name = attribute.split(".")
    values = [value for block in blocks(resource.body, *outer) for value in items(block.get(name))]
    return bool(values) and all(_refers(value, kinds, there) for value in values)


def _refers(value: object, kinds: tuple[str, ...], there: set[str]) -> bool:
    named = references(value)
    return bool(named) and all(address in there and address.partition(".")[0] in kinds for address in named)
