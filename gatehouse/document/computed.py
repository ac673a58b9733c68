"""What AWS gives a resource when it is made: ARNs as AWS writes them, and for ids a name that stays the same.

One row for each attribute. In a value, ``{label}`` is the name of the resource in Terraform, which stands for ids that
nobody can know, ``{partition}``, ``{region}``, ``{account}`` and ``{suffix}`` are those of the world, and any other
word is another attribute of the same resource.

Source: AWS Service Authorization Reference, "Resource types defined by" each service (the form of ARNs); Terraform
AWS provider documentation, "Attribute Reference" of each resource.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ARN = "arn:{partition}"
#: ARNs of what is in a region of an account.
_HERE = "{region}:{account}"
_EC2 = f"{_ARN}:ec2:{_HERE}"
_LB = f"{_ARN}:elasticloadbalancing:{_HERE}"
_API = f"{_ARN}:apigateway:{{region}}::"


@dataclass(frozen=True)
class ByValue:
    """The value that depends on another attribute."""

    attribute: str
    values: Mapping[str, str]


#: Values by attribute; anything but text is taken as it is, with the texts inside filled in.
Row = Mapping[str, Any]


def _ec2(prefix: str, kind: str) -> Row:
    """Return the row of what EC2 gives an id with a prefix."""
    return {"id": f"{prefix}-{{label}}", "arn": f"{_EC2}:{kind}/{{id}}", "owner_id": "{account}"}


def _iam(kind: str, extra: Row | None = None) -> Row:
    """Return the row of what IAM names, with a path."""
    return {"id": "{name}", "arn": f"{_ARN}:iam::{{account}}:{kind}{{path}}{{name}}", **(extra or {})}


def _firewall(kind: str) -> Row:
    """Return the row of what AWS WAF makes for a region, or for CloudFront."""
    arn = f"{_ARN}:wafv2:{_HERE}:{{scope}}/{kind}/{{name}}/{{label}}"
    scopes = {"REGIONAL": "regional", "CLOUDFRONT": "global"}
    arns = {scope: arn.replace("{scope}", written) for scope, written in scopes.items()}
    return {"id": "{label}", "arn": ByValue("scope", arns)}


COMPUTED: Mapping[str, Row] = {
    "aws_api_gateway_deployment": {"id": "{label}"},
    "aws_api_gateway_method": {"id": "agm-{rest_api_id}-{resource_id}-{http_method}"},
    "aws_api_gateway_request_validator": {"id": "{label}"},
    "aws_api_gateway_resource": {"id": "{label}"},
    "aws_api_gateway_rest_api": {
        "id": "{label}",
        "arn": f"{_API}/restapis/{{id}}",
        "execution_arn": f"{_ARN}:execute-api:{_HERE}:{{id}}",
        "root_resource_id": "{label}-root",
    },
    "aws_api_gateway_stage": {
        "id": "ags-{rest_api_id}-{stage_name}",
        "arn": f"{_API}/restapis/{{rest_api_id}}/stages/{{stage_name}}",
        "execution_arn": f"{_ARN}:execute-api:{_HERE}:{{rest_api_id}}/{{stage_name}}",
        "invoke_url": "https://{rest_api_id}.execute-api.{region}.{suffix}/{stage_name}",
    },
    "aws_api_gateway_domain_name": {
        "id": "{domain_name}",
        "arn": f"{_API}/domainnames/{{domain_name}}",
        "regional_domain_name": "d-{label}.execute-api.{region}.{suffix}",
        "regional_zone_id": "Z-{label}",
    },
    "aws_api_gateway_vpc_link": {"id": "{label}", "arn": f"{_API}/vpclinks/{{id}}"},
    "aws_acm_certificate": {"id": "{arn}", "arn": f"{_ARN}:acm:{_HERE}:certificate/{{label}}"},
    "aws_autoscaling_group": {
        "id": "{name}",
        "arn": f"{_ARN}:autoscaling:{_HERE}:autoScalingGroup:{{label}}:autoScalingGroupName/{{name}}",
    },
    "aws_cloudwatch_log_group": {"id": "{name}", "arn": f"{_ARN}:logs:{_HERE}:log-group:{{name}}"},
    "aws_cloudwatch_metric_alarm": {
        "id": "{alarm_name}",
        "arn": f"{_ARN}:cloudwatch:{_HERE}:alarm:{{alarm_name}}",
    },
    "aws_db_instance": {
        "id": "db-{label}",
        "resource_id": "db-{label}",
        "arn": f"{_ARN}:rds:{_HERE}:db:{{identifier}}",
        "address": "{identifier}.{label}.{region}.rds.{suffix}",
        "endpoint": "{address}:{port}",
        "master_user_secret": [
            {
                "secret_arn": f"{_ARN}:secretsmanager:{_HERE}:secret:rds!db-{{label}}",
                "secret_status": "active",
            }
        ],
    },
    "aws_db_parameter_group": {"id": "{name}", "arn": f"{_ARN}:rds:{_HERE}:pg:{{name}}"},
    "aws_db_subnet_group": {"id": "{name}", "arn": f"{_ARN}:rds:{_HERE}:subgrp:{{name}}"},
    "aws_default_network_acl": _ec2("acl", "network-acl"),
    "aws_default_route_table": {"id": "{default_route_table_id}", "arn": f"{_EC2}:route-table/{{id}}"},
    "aws_default_security_group": _ec2("sg", "security-group"),
    "aws_ec2_managed_prefix_list": _ec2("pl", "prefix-list"),
    "aws_ec2_transit_gateway": _ec2("tgw", "transit-gateway"),
    "aws_egress_only_internet_gateway": {"id": "eigw-{label}"},
    "aws_eip": {**_ec2("eipalloc", "elastic-ip"), "allocation_id": "{id}"},
    "aws_flow_log": _ec2("fl", "vpc-flow-log"),
    "aws_iam_group": _iam("group"),
    "aws_iam_instance_profile": _iam("instance-profile"),
    "aws_iam_openid_connect_provider": {"id": "{arn}"},
    "aws_iam_policy": {**_iam("policy"), "id": "{arn}"},
    "aws_iam_role": _iam("role", {"unique_id": "AROA-{label}"}),
    "aws_iam_saml_provider": {"id": "{arn}", "arn": f"{_ARN}:iam::{{account}}:saml-provider/{{name}}"},
    "aws_iam_user": _iam("user", {"unique_id": "AIDA-{label}"}),
    "aws_internet_gateway": _ec2("igw", "internet-gateway"),
    "aws_kms_alias": {"id": "{name}", "arn": f"{_ARN}:kms:{_HERE}:{{name}}"},
    "aws_kms_key": {"id": "{label}", "key_id": "{label}", "arn": f"{_ARN}:kms:{_HERE}:key/{{label}}"},
    "aws_launch_template": {**_ec2("lt", "launch-template"), "latest_version": 1, "default_version": 1},
    "aws_lb": {
        "id": "{arn}",
        "arn": f"{_LB}:loadbalancer/{{arn_suffix}}",
        "arn_suffix": ByValue(
            "load_balancer_type",
            {
                "application": "app/{name}/{label}",
                "gateway": "gwy/{name}/{label}",
                "network": "net/{name}/{label}",
            },
        ),
        "dns_name": "{name}-{label}.elb.{region}.{suffix}",
        "zone_id": "Z-{label}",
    },
    "aws_lb_listener": {"id": "{arn}", "arn": f"{_LB}:listener/{{label}}"},
    "aws_lb_target_group": {
        "id": "{arn}",
        "arn": f"{_LB}:{{arn_suffix}}",
        "arn_suffix": "targetgroup/{name}/{label}",
    },
    "aws_nat_gateway": _ec2("nat", "natgateway"),
    "aws_network_acl": _ec2("acl", "network-acl"),
    "aws_route_table": _ec2("rtb", "route-table"),
    "aws_s3_bucket": {
        "id": "{bucket}",
        "arn": f"{_ARN}:s3:::{{bucket}}",
        "bucket_domain_name": "{bucket}.s3.{suffix}",
        "bucket_regional_domain_name": "{bucket}.s3.{region}.{suffix}",
    },
    "aws_s3_object": {"id": "{key}", "arn": f"{_ARN}:s3:::{{bucket}}/{{key}}", "version_id": "{label}"},
    "aws_secretsmanager_secret": {
        "id": "{arn}",
        "arn": f"{_ARN}:secretsmanager:{_HERE}:secret:{{name}}-{{label}}",
    },
    "aws_security_group": _ec2("sg", "security-group"),
    "aws_sns_topic": {"id": "{arn}", "arn": f"{_ARN}:sns:{_HERE}:{{name}}", "owner": "{account}"},
    "aws_sqs_queue": {
        "id": "https://sqs.{region}.{suffix}/{account}/{name}",
        "url": "{id}",
        "arn": f"{_ARN}:sqs:{_HERE}:{{name}}",
    },
    "aws_ssm_document": {"id": "{name}", "arn": f"{_ARN}:ssm:{_HERE}:document/{{name}}"},
    "aws_ssm_parameter": {"id": "{name}", "arn": f"{_ARN}:ssm:{_HERE}:parameter/{{name}}"},
    "aws_subnet": _ec2("subnet", "subnet"),
    "aws_vpc": {
        **_ec2("vpc", "vpc"),
        "default_network_acl_id": "acl-{label}-default",
        "default_route_table_id": "rtb-{label}-default",
        "default_security_group_id": "sg-{label}-default",
        "main_route_table_id": "rtb-{label}-default",
    },
    "aws_vpc_endpoint": {
        **_ec2("vpce", "vpc-endpoint"),
        "prefix_list_id": "pl-{label}",
    },
    "aws_vpc_peering_connection": {"id": "pcx-{label}"},
    "aws_vpc_security_group_egress_rule": {
        **_ec2("sgr", "security-group-rule"),
        "security_group_rule_id": "{id}",
    },
    "aws_vpc_security_group_ingress_rule": {
        **_ec2("sgr", "security-group-rule"),
        "security_group_rule_id": "{id}",
    },
    "aws_wafv2_ip_set": _firewall("ipset"),
    "aws_wafv2_rule_group": _firewall("rulegroup"),
    "aws_wafv2_web_acl": _firewall("webacl"),
    "aws_vpn_gateway": _ec2("vgw", "vpn-gateway"),
    # Data sources: what is outside the document, as the world has it.
    "data.aws_availability_zones": {
        "id": "{region}",
        "names": [f"{{region}}{letter}" for letter in "abcdef"],
        "zone_ids": [f"{{region}}-az{number}" for number in range(1, 7)],
    },
    "data.aws_caller_identity": {
        "id": "{account}",
        "account_id": "{account}",
        "arn": f"{_ARN}:iam::{{account}}:role/terraform",
        "user_id": "AROA-{label}",
    },
    "data.aws_ec2_managed_prefix_list": _ec2("pl", "prefix-list"),
    "data.aws_partition": {
        "id": "{partition}",
        "partition": "{partition}",
        "dns_suffix": "{suffix}",
        "reverse_dns_prefix": "com.amazonaws",
    },
    "data.aws_prefix_list": {"id": "pl-{label}"},
    "data.aws_region": {"id": "{region}", "name": "{region}", "region": "{region}"},
}

#: Attributes that have a value where the document gives none.
DEFAULTS: Mapping[str, Row] = {
    **{f"aws_iam_{kind}": {"path": "/"} for kind in ("group", "instance_profile", "policy", "role", "user")},
    "aws_db_instance": {"port": 5432},
    "aws_lb": {"load_balancer_type": "application"},
    "aws_security_group": {"description": "Managed by Terraform"},
}
#: Names that the provider makes up where the document gives none, and the attribute with their beginning.
GENERATED: Mapping[str, str] = {
    "bucket": "bucket_prefix",
    "identifier": "identifier_prefix",
    "name": "name_prefix",
}


def row(kind: str) -> Row:
    """Return what is known of the computed attributes of a type; data sources begin with ``data.``."""
    return {**DEFAULTS.get(kind, {}), **COMPUTED.get(kind, {})}
