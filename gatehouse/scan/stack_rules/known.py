"""What belongs into a stack: the types of its resources, those that are always there, and what has an alarm."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_ABOVE, BELOW = "GreaterThanThreshold", "LessThanThreshold"

#: Types that constructs make; each has its rules, or grants and opens nothing.
RESOURCES = frozenset(
    {
        "aws_api_gateway_account",
        "aws_api_gateway_deployment",
        "aws_api_gateway_integration",
        "aws_api_gateway_method",
        "aws_api_gateway_method_settings",
        "aws_api_gateway_request_validator",
        "aws_api_gateway_resource",
        "aws_api_gateway_rest_api",
        "aws_api_gateway_rest_api_policy",
        "aws_api_gateway_stage",
        "aws_api_gateway_vpc_link",
        "aws_autoscaling_group",
        "aws_autoscaling_policy",
        "aws_cloudwatch_dashboard",
        "aws_cloudwatch_log_group",
        "aws_cloudwatch_log_metric_filter",
        "aws_cloudwatch_metric_alarm",
        "aws_cloudwatch_query_definition",
        "aws_db_instance",
        "aws_db_parameter_group",
        "aws_db_subnet_group",
        "aws_default_route_table",
        "aws_default_security_group",
        "aws_eip",
        "aws_flow_log",
        "aws_iam_group",
        "aws_iam_group_policy",
        "aws_iam_instance_profile",
        "aws_iam_policy",
        "aws_iam_role",
        "aws_iam_role_policy",
        "aws_iam_role_policy_attachment",
        "aws_iam_user",
        "aws_iam_user_group_membership",
        "aws_internet_gateway",
        "aws_kms_alias",
        "aws_kms_key",
        "aws_launch_template",
        "aws_lb",
        "aws_lb_listener",
        "aws_lb_target_group",
        "aws_nat_gateway",
        "aws_network_acl",
        "aws_network_acl_rule",
        "aws_route",
        "aws_route_table",
        "aws_route_table_association",
        "aws_s3_bucket",
        "aws_s3_bucket_lifecycle_configuration",
        "aws_s3_bucket_logging",
        "aws_s3_bucket_notification",
        "aws_s3_bucket_ownership_controls",
        "aws_s3_bucket_policy",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_versioning",
        "aws_s3_object",
        "aws_security_group",
        "aws_sns_topic",
        "aws_sns_topic_policy",
        "aws_ssm_document",
        "aws_subnet",
        "aws_vpc",
        "aws_vpc_endpoint",
        "aws_vpc_endpoint_policy",
        "aws_vpc_security_group_egress_rule",
        "aws_vpc_security_group_ingress_rule",
        "aws_wafv2_ip_set",
        "aws_wafv2_web_acl",
        "aws_wafv2_web_acl_association",
        "aws_wafv2_web_acl_logging_configuration",
    }
)
#: Data sources, which ask AWS and nobody else.
DATA = frozenset({"aws_availability_zones", "aws_caller_identity", "aws_prefix_list"})
#: Types of which every stack has one or more, in whatever network.
NEEDED = frozenset(
    {
        "aws_api_gateway_deployment",
        "aws_api_gateway_integration",
        "aws_api_gateway_method",
        "aws_api_gateway_method_settings",
        "aws_api_gateway_rest_api",
        "aws_api_gateway_rest_api_policy",
        "aws_api_gateway_stage",
        "aws_api_gateway_vpc_link",
        "aws_autoscaling_group",
        "aws_cloudwatch_log_group",
        "aws_cloudwatch_log_metric_filter",
        "aws_cloudwatch_metric_alarm",
        "aws_db_instance",
        "aws_db_parameter_group",
        "aws_db_subnet_group",
        "aws_iam_policy",
        "aws_iam_role",
        "aws_kms_key",
        "aws_launch_template",
        "aws_lb",
        "aws_lb_listener",
        "aws_lb_target_group",
        "aws_s3_bucket",
        "aws_s3_object",
        "aws_security_group",
        "aws_sns_topic",
        "aws_sns_topic_policy",
        "aws_ssm_document",
        "aws_vpc_security_group_egress_rule",
        "aws_vpc_security_group_ingress_rule",
    }
)
#: Metrics that show an outage or an attack: namespace (None for one of the stack's own), comparison, and the threshold
#: that an alarm has at most, or with LessThanThreshold at least.
ALARMS: Mapping[str, tuple[str | None, str, int]] = MappingProxyType(
    {
        "5XXError": ("AWS/ApiGateway", _ABOVE, 5),
        "CPUUtilization": ("AWS/RDS", _ABOVE, 80),
        "DatabaseConnections": ("AWS/RDS", _ABOVE, 100_000),
        "ForbiddenRequests": (None, _ABOVE, 50),
        "FreeStorageSpace": ("AWS/RDS", BELOW, 5 * 1024**3),
        "HealthyHostCount": ("AWS/NetworkELB", BELOW, 1),
        "Latency": ("AWS/ApiGateway", _ABOVE, 5000),
        "UnHealthyHostCount": ("AWS/NetworkELB", _ABOVE, 0),
    }
)
#: Longest time in seconds that something may be wrong before anybody hears of it.
UNHEARD = 3600
