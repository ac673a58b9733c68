"""Our own checks of single resources: each finds what breaks it, under its id alone, and nothing in what is sound."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from gatehouse.fields import POSTGRESQL_MAJORS
from gatehouse.scan import checkov_gate
from gatehouse.scan.checkov_gate import HOUSE_PREFIX, scan
from gatehouse.scan.explanation import explanation
from gatehouse.scan.findings import Check, ScanError, Severity, shipped_checks
from tests.scan.conftest import Write

POLICY = json.dumps({"Version": "2012-10-17", "Statement": []})
SESSION = {
    "sessionType": "NonInteractiveCommands",
    "parameters": {"task": {"type": "String", "allowedPattern": "^(status|boot-logs)$"}},
    "properties": {"linux": {"commands": "/bin/status {{ task }}"}},
}
ACCESS_LOG = json.dumps(
    {
        "time": "$context.requestTimeEpoch",
        "caller": "$context.identity.userArn",
        "source_ip": "$context.identity.sourceIp",
        "method": "$context.httpMethod",
        "path": "$context.path",
        "status": "$context.status",
    }
)
#: What every check is content with, by resource type; dev and prod are the other sound examples.
SOUND: dict[str, dict[str, Any]] = {
    "aws_api_gateway_method": {"authorization": "AWS_IAM", "http_method": "ANY"},
    "aws_api_gateway_rest_api": {
        "endpoint_configuration": {"types": ["PRIVATE"], "vpc_endpoint_ids": ["${aws_vpc_endpoint.e.id}"]}
    },
    "aws_api_gateway_integration": {
        "type": "HTTP_PROXY",
        "integration_http_method": "ANY",
        "connection_type": "VPC_LINK",
        "connection_id": "${aws_api_gateway_vpc_link.l.id}",
        "uri": "https://${aws_lb.b.dns_name}/{proxy}",
        "tls_config": {"insecure_skip_verification": True},
        "request_parameters": {
            "integration.request.header.X-MLFLOW-WORKSPACE": "method.request.path.team",
            "integration.request.header.X-Gatehouse-Path": "context.path",
            "integration.request.path.proxy": "method.request.path.proxy",
        },
    },
    "aws_api_gateway_method_settings": {
        "method_path": "*/*",
        "settings": {
            "metrics_enabled": True,
            "logging_level": "ERROR",
            "data_trace_enabled": False,
            "throttling_rate_limit": "${var.requests_per_second}",
            "throttling_burst_limit": 20,
        },
    },
    "aws_api_gateway_stage": {
        "access_log_settings": {"destination_arn": "${aws_cloudwatch_log_group.g.arn}", "format": ACCESS_LOG}
    },
    "aws_api_gateway_vpc_link": {"target_arns": ["${aws_lb.b.arn}"]},
    "aws_wafv2_web_acl": {
        "default_action": {"block": {}},
        "rule": [
            {
                "override_action": {"none": {}},
                "statement": {"managed_rule_group_statement": {"name": "a", "vendor_name": "AWS"}},
            },
            {
                "action": {"allow": {}},
                "statement": {"ip_set_reference_statement": {"arn": "${aws_wafv2_ip_set.s.arn}"}},
            },
        ],
    },
    "aws_wafv2_ip_set": {"addresses": ["198.51.100.0/24", "10.0.0.0/8"]},
    "aws_api_gateway_request_validator": {"validate_request_parameters": True},
    "aws_vpc_security_group_ingress_rule": {
        "description": "clients",
        "cidr_ipv4": "10.0.0.0/8",
        "ip_protocol": "tcp",
        "from_port": 443,
        "to_port": 443,
    },
    "aws_vpc_security_group_egress_rule": {
        "description": "to the internet",
        "cidr_ipv4": "0.0.0.0/0",
        "ip_protocol": "tcp",
        "from_port": 443,
        "to_port": 443,
    },
    "aws_security_group": {"description": "servers"},
    "aws_default_security_group": {"vpc_id": "${aws_vpc.v.id}"},
    "aws_network_acl_rule": {
        "rule_action": "allow",
        "protocol": "tcp",
        "cidr_block": "10.1.0.0/20",
        "from_port": 5432,
        "to_port": 5432,
    },
    "aws_vpc": {"cidr_block": "10.1.0.0/16"},
    "aws_subnet": {"cidr_block": "10.1.0.0/20", "map_public_ip_on_launch": False},
    "aws_route_table": {"vpc_id": "${aws_vpc.v.id}"},
    "aws_default_route_table": {"default_route_table_id": "${aws_vpc.v.default_route_table_id}"},
    "aws_flow_log": {"traffic_type": "ALL", "log_destination": "${aws_cloudwatch_log_group.g.arn}"},
    "aws_vpc_endpoint": {
        "vpc_endpoint_type": "Interface",
        "service_name": "com.amazonaws.eu-west-1.execute-api",
        "security_group_ids": ["${aws_security_group.g.id}"],
        "policy": POLICY,
    },
    "aws_iam_role": {"assume_role_policy": POLICY, "permissions_boundary": "${aws_iam_policy.b.arn}"},
    "aws_iam_user": {"permissions_boundary": "${aws_iam_policy.b.arn}"},
    "aws_iam_role_policy_attachment": {"policy_arn": "${aws_iam_policy.p.arn}"},
    "aws_iam_policy": {"policy": POLICY},
    "aws_kms_key": {"enable_key_rotation": True, "deletion_window_in_days": 30, "policy": POLICY},
    "aws_launch_template": {
        "image_id": "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
        "iam_instance_profile": {"arn": "${aws_iam_instance_profile.p.arn}"},
        "metadata_options": {
            "http_endpoint": "enabled",
            "http_tokens": "required",
            "http_put_response_hop_limit": 1,
        },
        "monitoring": {"enabled": True},
        "network_interfaces": [
            {"associate_public_ip_address": "false", "security_groups": ["${aws_security_group.g.id}"]}
        ],
        "block_device_mappings": [{"device_name": "/dev/xvda", "ebs": {"encrypted": "true"}}],
    },
    "aws_autoscaling_group": {
        "launch_template": {"id": "${aws_launch_template.t.id}"},
        "health_check_type": "ELB",
    },
    "aws_lb": {
        "internal": True,
        "load_balancer_type": "network",
        "security_groups": ["${aws_security_group.g.id}"],
        "enforce_security_group_inbound_rules_on_private_link_traffic": "off",
    },
    "aws_lb_listener": {
        "protocol": "TLS",
        "port": 443,
        "ssl_policy": "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
        "certificate_arn": "${var.certificate_arn}",
    },
    "aws_lb_target_group": {
        "protocol": "TLS",
        "target_type": "instance",
        "preserve_client_ip": "false",
        "health_check": {"protocol": "HTTPS"},
    },
    "aws_ssm_document": {"document_type": "Session", "content": json.dumps(SESSION)},
    "aws_db_instance": {
        "publicly_accessible": False,
        "vpc_security_group_ids": ["${aws_security_group.g.id}"],
        "db_subnet_group_name": "${aws_db_subnet_group.s.name}",
        "storage_encrypted": True,
        "kms_key_id": "${aws_kms_key.k.arn}",
        "performance_insights_enabled": True,
        "performance_insights_kms_key_id": "${aws_kms_key.k.arn}",
        "manage_master_user_password": True,
        "master_user_secret_kms_key_id": "${aws_kms_key.k.arn}",
        "backup_retention_period": "${var.backup_retention_days}",
        "parameter_group_name": "${aws_db_parameter_group.p.name}",
        "enabled_cloudwatch_logs_exports": ["postgresql", "upgrade"],
        "engine": "postgres",
        "engine_version": "16",
    },
    "aws_db_parameter_group": {
        "parameter": [
            {"name": name, "value": "1"}
            for name in ("rds.force_ssl", "log_connections", "log_disconnections")
        ]
    },
    "aws_s3_bucket": {"bucket": "artifacts"},
    "aws_s3_object": {"server_side_encryption": "aws:kms", "kms_key_id": "${aws_kms_key.k.arn}"},
    "aws_cloudwatch_log_group": {
        "kms_key_id": "${aws_kms_key.k.arn}",
        "retention_in_days": "${var.log_retention_days}",
    },
    "aws_cloudwatch_metric_alarm": {"alarm_actions": ["${aws_sns_topic.t.arn}"]},
    "aws_sns_topic": {"kms_master_key_id": "${aws_kms_key.k.arn}"},
}
_PROVIDER = "arn:aws:iam::${data.aws_caller_identity.account.account_id}:oidc-provider/"


#: Principals of roles that people may have.
_WITH_PEOPLE: tuple[list[object], ...] = (
    [{"AWS": "arn:aws:iam::111122223333:user/lead"}],
    ["*"],
    [{}],
    [{"Federated": _PROVIDER + "idp.example.com"}],
    [{"Federated": "arn:aws:iam::111122223333:saml-provider/corp"}],
    [{"Federated": _PROVIDER + "app.terraform.io.example.com"}],
    [{"Service": "ec2.amazonaws.com"}, {"AWS": "arn:aws:iam::111122223333:root"}],
    [],
)


def _sessions_of(*principals: object) -> dict[str, Any]:
    """Return the attributes of a role whose sessions last half a day, and which these may have."""
    statements = [{"Effect": "Allow", "Principal": one, "Action": "sts:AssumeRole"} for one in principals]
    return {
        "max_session_duration": 43200,
        "assume_role_policy": json.dumps({"Version": "2012-10-17", "Statement": statements}),
    }


#: Other attributes with which a resource is sound as well.
ALSO_SOUND: list[tuple[str, dict[str, Any]]] = [
    ("aws_api_gateway_rest_api", {"endpoint_configuration": {"types": ["REGIONAL"]}}),
    ("aws_api_gateway_integration", {"uri": "https://${aws_lb.b.dns_name}/"}),
    (
        "aws_api_gateway_integration",
        {"uri": "https://mlflow.example.com/{proxy}", "tls_config": {"insecure_skip_verification": False}},
    ),
    ("aws_vpc_security_group_ingress_rule", {"cidr_ipv4": None, "referenced_security_group_id": "sg-1"}),
    ("aws_vpc_security_group_egress_rule", {"cidr_ipv4": None, "from_port": 5432, "to_port": 5432}),
    ("aws_network_acl_rule", {"rule_action": "deny", "protocol": "-1", "cidr_block": "0.0.0.0/0"}),
    ("aws_vpc_endpoint", {"vpc_endpoint_type": "Gateway", "security_group_ids": None}),
    ("aws_lb_listener", {"protocol": "TCP", "ssl_policy": None, "certificate_arn": None}),
    ("aws_db_instance", {"snapshot_identifier": "before", "kms_key_id": None}),
    ("aws_db_instance", {"snapshot_identifier": "rds:mlflow-2026-11-01", "kms_key_id": None}),
    ("aws_db_instance", {"engine_version": "17.6"}),
    *(("aws_db_instance", {"engine_version": major}) for major in POSTGRESQL_MAJORS),
    ("aws_iam_role", {"max_session_duration": 28800}),
    *(
        ("aws_iam_role", _sessions_of(principal))
        for principal in (
            {"Service": ["ec2.amazonaws.com"]},
            {"Federated": _PROVIDER + "token.actions.githubusercontent.com"},
            {"Federated": _PROVIDER + "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF"},
        )
    ),
    (
        "aws_db_instance",
        {"performance_insights_enabled": False, "performance_insights_kms_key_id": None},
    ),
    ("aws_kms_key", {"is_enabled": True}),
]

_PRIVATE_LINK = "enforce_security_group_inbound_rules_on_private_link_traffic"
Flaw = tuple[str, str, dict[str, Any], str]
_HEADERS = SOUND["aws_api_gateway_integration"]["request_parameters"]
_WORKSPACE, _PATH, _PROXY = _HEADERS
_METADATA = SOUND["aws_launch_template"]["metadata_options"]
_SETTINGS = SOUND["aws_api_gateway_method_settings"]["settings"]
_LOGGED = SOUND["aws_db_parameter_group"]["parameter"][1:]
_GROUPS = ["${aws_security_group.g.id}"]


def _session(**changes: object) -> dict[str, Any]:
    return {"content": json.dumps({**SESSION, **changes})}


#: Check, resource type, what is changed in the sound one, and the place of the finding.
FLAWS: list[Flaw] = [
    ("GH201", "aws_api_gateway_method", {"authorization": "NONE"}, "authorization"),
    ("GH201", "aws_api_gateway_method", {"authorization": "NONE", "http_method": "OPTIONS"}, "authorization"),
    ("GH201", "aws_api_gateway_method", {"authorization": "${var.who}"}, "authorization"),
    ("GH201", "aws_api_gateway_method", {"authorization": None}, "authorization"),
    ("GH201", "aws_api_gateway_method", {"authorizer_id": "a"}, "authorizer_id"),
    ("GH202", "aws_api_gateway_rest_api", {"body": "{}"}, "body"),
    ("GH203", "aws_api_gateway_integration", {"connection_type": "INTERNET"}, "connection_type"),
    ("GH203", "aws_api_gateway_integration", {"connection_type": None}, "connection_type"),
    ("GH203", "aws_api_gateway_integration", {"connection_id": "abc123"}, "connection_id"),
    ("GH203", "aws_api_gateway_integration", {"type": "AWS_PROXY"}, "type"),
    ("GH204", "aws_api_gateway_integration", {"uri": "http://${aws_lb.b.dns_name}/{proxy}"}, ""),
    (
        "GH204",
        "aws_api_gateway_integration",
        {"uri": "https://mlflow.example.com/{proxy}"},
        "tls_config/insecure_skip_verification",
    ),
    ("GH205", "aws_api_gateway_integration", {"request_parameters": {_PATH: "context.path"}}, ""),
    ("GH206", "aws_api_gateway_integration", {"request_parameters": {_WORKSPACE: _HEADERS[_WORKSPACE]}}, ""),
    (
        "GH207",
        "aws_api_gateway_integration",
        {"request_parameters": {**_HEADERS, "integration.request.header.X": "method.request.header.X"}},
        "request_parameters",
    ),
    (
        "GH207",
        "aws_api_gateway_integration",
        {"request_parameters": {**_HEADERS, _PROXY: "method.request.header.X"}},
        "request_parameters",
    ),
    (
        "GH207",
        "aws_api_gateway_integration",
        {"request_parameters": {name: _HEADERS[name] for name in (_WORKSPACE, _PATH)}},
        "request_parameters",
    ),
    ("GH207", "aws_api_gateway_integration", {"request_templates": {"a/b": "c"}}, "request_templates"),
    (
        "GH207",
        "aws_api_gateway_integration",
        {"integration_http_method": "DELETE"},
        "integration_http_method",
    ),
    ("GH208", "aws_api_gateway_method_settings", {"method_path": "a/GET"}, "method_path"),
    *(
        (
            "GH208",
            "aws_api_gateway_method_settings",
            {"settings": {**_SETTINGS, name: bad}},
            f"settings/{name}",
        )
        for name, bad in [
            ("throttling_rate_limit", None),
            ("throttling_rate_limit", 0),
            ("throttling_burst_limit", -1),
            ("throttling_burst_limit", 1_000_000),
            ("metrics_enabled", False),
            ("logging_level", "OFF"),
            ("data_trace_enabled", True),
        ]
    ),
    ("GH209", "aws_api_gateway_stage", {"access_log_settings": None}, ""),
    (
        "GH209",
        "aws_api_gateway_stage",
        {
            "access_log_settings": {
                "destination_arn": "${aws_cloudwatch_log_group.g.arn}",
                "format": ACCESS_LOG.replace("$context.identity.userArn", ""),
            }
        },
        "access_log_settings/format",
    ),
    (
        "GH210",
        "aws_api_gateway_rest_api",
        {"endpoint_configuration": {"types": ["EDGE"]}},
        "endpoint_configuration/types",
    ),
    ("GH210", "aws_api_gateway_rest_api", {"endpoint_configuration": None}, "endpoint_configuration/types"),
    (
        "GH210",
        "aws_api_gateway_rest_api",
        {"endpoint_configuration": {"types": ["PRIVATE"]}},
        "endpoint_configuration/vpc_endpoint_ids",
    ),
    (
        "GH211",
        "aws_api_gateway_vpc_link",
        {"target_arns": ["arn:aws:elasticloadbalancing:..."]},
        "target_arns",
    ),
    ("GH212", "aws_wafv2_web_acl", {"rule": [{"override_action": {"count": {}}}]}, "rule/override_action"),
    ("GH213", "aws_wafv2_ip_set", {"addresses": ["0.0.0.0/1", "128.0.0.0/1"]}, "addresses"),
    ("GH213", "aws_wafv2_ip_set", {"addresses": ["${var.clients}"]}, "addresses"),
    ("GH213", "aws_wafv2_ip_set", {"addresses": []}, "addresses"),
    ("GH213", "aws_wafv2_ip_set", {"addresses": [f"{n}.0.0.0/8" for n in range(256)]}, "addresses"),
    (
        "GH214",
        "aws_api_gateway_request_validator",
        {"validate_request_parameters": False},
        "validate_request_parameters",
    ),
    ("GH220", "aws_vpc_security_group_ingress_rule", {"description": None}, "description"),
    ("GH220", "aws_vpc_security_group_egress_rule", {"description": " "}, "description"),
    ("GH220", "aws_security_group", {"description": "Managed by Terraform"}, "description"),
    *(
        ("GH221", "aws_vpc_security_group_ingress_rule", {"cidr_ipv4": cidr}, "cidr_ipv4")
        for cidr in ("0.0.0.0/0", "10.0.0.0/7", "203.0.113.0/24", "${var.clients}")
    ),
    ("GH221", "aws_vpc_security_group_ingress_rule", {"cidr_ipv6": "::/0"}, "cidr_ipv6"),
    ("GH221", "aws_vpc_security_group_ingress_rule", {"prefix_list_id": "pl-1"}, "prefix_list_id"),
    ("GH222", "aws_vpc_security_group_ingress_rule", {"ip_protocol": "-1"}, "ip_protocol"),
    ("GH222", "aws_vpc_security_group_ingress_rule", {"from_port": 22}, "from_port, to_port"),
    ("GH222", "aws_vpc_security_group_egress_rule", {"from_port": None}, "from_port, to_port"),
    ("GH223", "aws_vpc_security_group_egress_rule", {"from_port": 25, "to_port": 25}, "cidr_ipv4"),
    ("GH223", "aws_vpc_security_group_egress_rule", {"cidr_ipv6": "::/0"}, "cidr_ipv6"),
    ("GH223", "aws_vpc_security_group_egress_rule", {"prefix_list_id": "pl-1"}, "prefix_list_id"),
    ("GH224", "aws_security_group", {"ingress": [{"from_port": 443}]}, "ingress"),
    ("GH224", "aws_default_security_group", {"egress": [{"from_port": 0}]}, "egress"),
    ("GH225", "aws_network_acl_rule", {"protocol": "-1"}, "protocol"),
    ("GH225", "aws_network_acl_rule", {"cidr_block": "0.0.0.0/0"}, "cidr_block"),
    ("GH225", "aws_network_acl_rule", {"ipv6_cidr_block": "::/0"}, "ipv6_cidr_block"),
    ("GH225", "aws_network_acl_rule", {"from_port": None}, "from_port"),
    ("GH226", "aws_vpc", {"assign_generated_ipv6_cidr_block": True}, "assign_generated_ipv6_cidr_block"),
    ("GH226", "aws_subnet", {"ipv6_cidr_block": "fd00::/64"}, "ipv6_cidr_block"),
    ("GH227", "aws_subnet", {"map_public_ip_on_launch": True}, "map_public_ip_on_launch"),
    ("GH227", "aws_subnet", {"map_public_ip_on_launch": "${var.public}"}, "map_public_ip_on_launch"),
    ("GH228", "aws_route_table", {"route": [{"cidr_block": "0.0.0.0/0"}]}, "route"),
    ("GH228", "aws_default_route_table", {"route": [{"cidr_block": "0.0.0.0/0"}]}, "route"),
    ("GH229", "aws_flow_log", {"traffic_type": "ACCEPT"}, "traffic_type"),
    ("GH229", "aws_flow_log", {"log_destination": "arn:aws:s3:::elsewhere"}, "log_destination"),
    ("GH230", "aws_vpc_endpoint", {"security_group_ids": None}, "security_group_ids"),
    ("GH230", "aws_vpc_endpoint", {"vpc_endpoint_type": None}, "vpc_endpoint_type"),
    ("GH231", "aws_iam_role", {"permissions_boundary": None}, "permissions_boundary"),
    (
        "GH231",
        "aws_iam_role",
        {"permissions_boundary": "arn:aws:iam::aws:policy/AdministratorAccess"},
        "permissions_boundary",
    ),
    ("GH231", "aws_iam_user", {"permissions_boundary": None}, "permissions_boundary"),
    (
        "GH232",
        "aws_iam_role_policy_attachment",
        {"policy_arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
        "policy_arn",
    ),
    ("GH233", "aws_iam_role", {"managed_policy_arns": ["arn:aws:iam::aws:policy/A"]}, "managed_policy_arns"),
    ("GH233", "aws_iam_role", {"inline_policy": [{"name": "a", "policy": POLICY}]}, "inline_policy"),
    ("GH234", "aws_iam_policy", {"policy": '${jsonencode({"Statement": []})}'}, "policy"),
    ("GH234", "aws_iam_policy", {"policy": "${data.aws_iam_policy_document.d.json}"}, "policy"),
    ("GH234", "aws_iam_role", {"assume_role_policy": '${file("trust.json")}'}, "assume_role_policy"),
    ("GH234", "aws_vpc_endpoint", {"policy": "[]"}, "policy"),
    ("GH235", "aws_iam_user_policy", {"user": "anna", "policy": POLICY}, "user"),
    ("GH235", "aws_iam_user_policy_attachment", {"policy_arn": "${aws_iam_policy.p.arn}"}, "user"),
    ("GH236", "aws_iam_access_key", {"user": "anna"}, "user"),
    ("GH236", "aws_iam_user_login_profile", {"user": "anna"}, "user"),
    (
        "GH237",
        "aws_vpc_endpoint",
        {"service_name": "com.amazonaws.vpce.eu-west-1.vpce-svc-0123456789abcdef0"},
        "service_name",
    ),
    *(
        ("GH238", "aws_iam_role", _sessions_of(*principals), "max_session_duration")
        for principals in _WITH_PEOPLE
    ),
    ("GH238", "aws_iam_role", {"max_session_duration": 28801}, "max_session_duration"),
    ("GH238", "aws_iam_role", {"max_session_duration": "${var.session}"}, "max_session_duration"),
    *(
        (
            "GH240",
            "aws_launch_template",
            {"metadata_options": {**_METADATA, name: bad}},
            f"metadata_options/{name}",
        )
        for name, bad in [
            ("http_tokens", "optional"),
            ("http_put_response_hop_limit", 2),
            ("http_endpoint", None),
        ]
    ),
    (
        "GH241",
        "aws_launch_template",
        {"network_interfaces": [{"associate_public_ip_address": "true", "security_groups": _GROUPS}]},
        "network_interfaces/associate_public_ip_address",
    ),
    (
        "GH241",
        "aws_launch_template",
        {
            "network_interfaces": [
                *SOUND["aws_launch_template"]["network_interfaces"],
                {"associate_public_ip_address": "false", "security_groups": ["sg-1"]},
            ]
        },
        "network_interfaces/security_groups",
    ),
    ("GH241", "aws_launch_template", {"network_interfaces": None}, "network_interfaces"),
    ("GH242", "aws_launch_template", {"block_device_mappings": None}, "block_device_mappings"),
    (
        "GH242",
        "aws_launch_template",
        {"block_device_mappings": [{"ebs": {"encrypted": "true"}}, {"ebs": {"volume_size": 8}}]},
        "block_device_mappings/ebs/encrypted",
    ),
    ("GH243", "aws_launch_template", {"key_name": "mine"}, "key_name"),
    ("GH244", "aws_launch_template", {"iam_instance_profile": {"name": "admin"}}, "iam_instance_profile"),
    ("GH245", "aws_launch_template", {"image_id": "ami-0abc"}, "image_id"),
    ("GH246", "aws_launch_template", {"monitoring": None}, "monitoring/enabled"),
    ("GH247", "aws_autoscaling_group", {"launch_template": {"id": "lt-1"}}, "launch_template"),
    ("GH247", "aws_autoscaling_group", {"launch_configuration": "old"}, "launch_configuration"),
    ("GH247", "aws_autoscaling_group", {"health_check_type": "EC2"}, "health_check_type"),
    ("GH248", "aws_lb", {"internal": False}, "internal"),
    ("GH248", "aws_lb", {"internal": None}, "internal"),
    ("GH248", "aws_lb", {"load_balancer_type": "application"}, "load_balancer_type"),
    ("GH248", "aws_lb", {"security_groups": None}, "security_groups"),
    ("GH248", "aws_lb", {_PRIVATE_LINK: "on"}, _PRIVATE_LINK),
    ("GH249", "aws_lb_listener", {"protocol": "TCP_UDP"}, "protocol"),
    ("GH249", "aws_lb_listener", {"ssl_policy": "ELBSecurityPolicy-2016-08"}, "ssl_policy"),
    ("GH249", "aws_lb_listener", {"certificate_arn": None}, "certificate_arn"),
    ("GH249", "aws_lb_listener", {"port": 80}, "port"),
    ("GH250", "aws_lb_target_group", {"protocol": "UDP"}, "protocol"),
    ("GH250", "aws_lb_target_group", {"health_check": {"protocol": "TCP"}}, "health_check/protocol"),
    ("GH250", "aws_lb_target_group", {"target_type": "ip"}, "target_type"),
    ("GH250", "aws_lb_target_group", {"preserve_client_ip": None}, "preserve_client_ip"),
    ("GH251", "aws_ssm_document", {"document_type": "Command"}, "document_type"),
    ("GH251", "aws_ssm_document", {"content": "{"}, "content/properties/linux/commands, content/sessionType"),
    ("GH251", "aws_ssm_document", _session(sessionType="Standard_Stream"), "content/sessionType"),
    (
        "GH251",
        "aws_ssm_document",
        _session(parameters={"task": {"type": "String"}}),
        "content/parameters/task",
    ),
    (
        "GH251",
        "aws_ssm_document",
        _session(parameters={"task": {"type": "String", "allowedPattern": "^(.*)$"}}),
        "content/parameters/task",
    ),
    ("GH251", "aws_ssm_document", _session(properties={}), "content/properties/linux/commands"),
    ("GH260", "aws_db_instance", {"publicly_accessible": True}, "publicly_accessible"),
    ("GH260", "aws_db_instance", {"publicly_accessible": "${var.public}"}, "publicly_accessible"),
    ("GH260", "aws_db_instance", {"vpc_security_group_ids": None}, "vpc_security_group_ids"),
    ("GH260", "aws_db_instance", {"db_subnet_group_name": "default"}, "db_subnet_group_name"),
    ("GH261", "aws_db_instance", {"storage_encrypted": False}, "storage_encrypted"),
    ("GH261", "aws_db_instance", {"kms_key_id": None}, "kms_key_id"),
    (
        "GH261",
        "aws_db_instance",
        {"performance_insights_kms_key_id": None},
        "performance_insights_kms_key_id",
    ),
    ("GH262", "aws_db_instance", {"manage_master_user_password": None}, "manage_master_user_password"),
    ("GH262", "aws_db_instance", {"password": "${var.password}"}, "password"),
    ("GH262", "aws_db_instance", {"master_user_secret_kms_key_id": None}, "master_user_secret_kms_key_id"),
    ("GH263", "aws_db_instance", {"backup_retention_period": 0}, "backup_retention_period"),
    ("GH263", "aws_db_instance", {"backup_retention_period": None}, "backup_retention_period"),
    ("GH264", "aws_db_instance", {"parameter_group_name": "default.postgres16"}, "parameter_group_name"),
    (
        "GH264",
        "aws_db_instance",
        {"enabled_cloudwatch_logs_exports": ["upgrade"]},
        "enabled_cloudwatch_logs_exports",
    ),
    (
        "GH265",
        "aws_db_parameter_group",
        {"parameter": [{"name": "rds.force_ssl", "value": "0"}, *_LOGGED]},
        "parameter/rds.force_ssl",
    ),
    (
        "GH265",
        "aws_db_parameter_group",
        {"parameter": [{"name": "rds.force_ssl", "value": "1"}]},
        "parameter/log_connections, parameter/log_disconnections",
    ),
    *(
        (
            "GH265",
            "aws_db_parameter_group",
            {
                "parameter": [
                    {"name": "rds.force_ssl", "value": "1"},
                    *_LOGGED,
                    {"name": name, "value": value},
                ]
            },
            f"parameter/{name}",
        )
        for name, value in [("ssl_min_protocol_version", "TLSv1"), ("log_statement", "all")]
    ),
    ("GH266", "aws_s3_bucket", {"acl": "public-read"}, "acl"),
    ("GH266", "aws_s3_bucket", {"website": [{"index_document": "a"}]}, "website"),
    ("GH267", "aws_s3_object", {"server_side_encryption": None}, "server_side_encryption"),
    ("GH267", "aws_s3_object", {"kms_key_id": None}, "kms_key_id"),
    ("GH267", "aws_s3_object", {"acl": "public-read"}, "acl"),
    ("GH268", "aws_kms_key", {"enable_key_rotation": False}, "enable_key_rotation"),
    ("GH268", "aws_kms_key", {"deletion_window_in_days": 7}, "deletion_window_in_days"),
    ("GH268", "aws_kms_key", {"policy": None}, "policy"),
    (
        "GH268",
        "aws_kms_key",
        {"bypass_policy_lockout_safety_check": True},
        "bypass_policy_lockout_safety_check",
    ),
    ("GH268", "aws_kms_key", {"is_enabled": False}, "is_enabled"),
    ("GH269", "aws_cloudwatch_log_group", {"kms_key_id": None}, "kms_key_id"),
    ("GH269", "aws_cloudwatch_log_group", {"retention_in_days": None}, "retention_in_days"),
    ("GH269", "aws_cloudwatch_log_group", {"retention_in_days": 0}, "retention_in_days"),
    ("GH270", "aws_cloudwatch_metric_alarm", {"alarm_actions": []}, "alarm_actions"),
    ("GH270", "aws_cloudwatch_metric_alarm", {"actions_enabled": False}, "actions_enabled"),
    ("GH271", "aws_sns_topic", {"kms_master_key_id": "alias/aws/sns"}, "kms_master_key_id"),
    *(
        ("GH272", "aws_db_instance", {"engine_version": version}, "engine_version")
        for version in ("11", "14.20", "160", "${var.version}", None)
    ),
    ("GH272", "aws_db_instance", {"engine": "custom-postgres"}, "engine"),
    *(
        ("GH273", "aws_db_instance", {"snapshot_identifier": snapshot}, "snapshot_identifier")
        for snapshot in ("arn:aws:rds:eu-west-1:444455556666:snapshot:theirs", "${var.snapshot}")
    ),
    ("GH273", "aws_db_instance", {"replicate_source_db": "other"}, "replicate_source_db"),
    ("GH273", "aws_db_instance", {"s3_import": [{"bucket_name": "other"}]}, "s3_import"),
    (
        "GH273",
        "aws_db_instance",
        {"restore_to_point_in_time": {"source_dbi_resource_id": "db-1"}},
        "restore_to_point_in_time",
    ),
]


def changed(kind: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the sound resource of a type with other attributes; None takes one away."""
    attributes = {**deepcopy(SOUND.get(kind, {})), **changes}
    return {name: found for name, found in attributes.items() if found is not None}


def findings(kind: str, attributes: dict[str, Any]) -> dict[str, str]:
    """Return the place of each finding of ours in one resource, by check, as Checkov itself calls the checks."""
    from checkov.common.models.enums import CheckResult
    from checkov.runner_filter import RunnerFilter
    from checkov.terraform.checks.resource.registry import resource_registry
    from checkov.terraform_json.parser import prepare_definition

    from gatehouse.scan.checkov_runner import FRAMEWORK, load_house_checks

    load_house_checks()
    (entity,) = prepare_definition({"resource": {kind: {"one": attributes}}})["resource"]
    results = resource_registry.scan(
        "cdk.tf.json", entity, [], RunnerFilter(framework=[FRAMEWORK]), FRAMEWORK
    )
    ours = {check: result for check, result in results.items() if check.id.startswith(HOUSE_PREFIX)}
    assert ours
    assert {result["result"] for result in ours.values()} <= {CheckResult.PASSED, CheckResult.FAILED}
    return {
        check.id: ", ".join(sorted(result["evaluated_keys"]))
        for check, result in ours.items()
        if result["result"] is CheckResult.FAILED
    }


@pytest.mark.parametrize("kind", SOUND)
def test_nothing_is_found_in_what_is_sound(kind: str) -> None:
    assert findings(kind, SOUND[kind]) == {}


@pytest.mark.parametrize(("kind", "changes"), ALSO_SOUND)
def test_nothing_is_found_in_what_is_sound_as_well(kind: str, changes: dict[str, Any]) -> None:
    assert findings(kind, changed(kind, changes)) == {}


@pytest.mark.parametrize(("check", "kind", "changes", "place"), FLAWS)
def test_a_flaw_is_found(check: str, kind: str, changes: dict[str, Any], place: str) -> None:
    found = findings(kind, changed(kind, changes))
    assert check in found
    if place:
        assert found == {check: place}


def house_checks() -> dict[str, str]:
    """Return the titles of our checks by id, as Checkov has them."""
    from gatehouse.scan.checkov_runner import registered

    return registered(HOUSE_PREFIX)


def test_every_check_has_a_flaw_that_it_finds() -> None:
    assert {check for check, *_ in FLAWS} == set(house_checks())


def test_titles_are_those_of_the_catalogue() -> None:
    catalogue = {name: one.title for name, one in shipped_checks().items() if name.startswith(HOUSE_PREFIX)}
    assert house_checks() == catalogue


def test_loading_twice_registers_once() -> None:
    from checkov.terraform.checks.resource.registry import resource_registry

    from gatehouse.scan.checkov_runner import load_house_checks

    load_house_checks()
    before, search_path = list(resource_registry.all_checks()), list(sys.path)
    load_house_checks.cache_clear()
    load_house_checks()
    assert list(resource_registry.all_checks()) == before
    assert sys.path == search_path


def test_the_folder_stands_alone() -> None:
    """Nothing but Checkov, the standard library and the folder itself is imported when the checks run."""
    from gatehouse.scan.checkov_runner import HOUSE_CHECKS

    for path in HOUSE_CHECKS.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        typed = {
            id(node)
            for branch in ast.walk(tree)
            if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
            for statement in branch.body
            for node in ast.walk(statement)
        }
        for node in ast.walk(tree):
            if id(node) in typed:
                continue
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                names = [str(node.module)]
            for name in names:
                root = name.partition(".")[0]
                assert root in ("checkov", "house_reading") or root in sys.stdlib_module_names, (path, name)


def test_a_scan_shows_them(write: Write) -> None:
    found = {(one.check, one.address, one.detail) for one in scan(write()).findings}
    title = shipped_checks()["GH248"].title
    assert ("GH248", "aws_lb.open", title) in found


def test_a_rule_that_crashes_is_no_verdict(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    from checkov.terraform.checks.resource.registry import resource_registry

    from gatehouse.scan.checkov_runner import load_house_checks

    load_house_checks()
    check = resource_registry.get_check_by_id("GH248")

    def crash(_attributes: object) -> list[str]:
        raise KeyError("internal")

    monkeypatch.setattr(check, "_rule", crash)
    with pytest.raises(ScanError, match="Failed to run check GH248") as refused:
        scan(write())
    assert refused.value.exit_code == 2


def test_a_check_that_is_not_loaded_is_no_verdict(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    more = {**shipped_checks(), "GH299": Check("GH299", Severity.LOW, "A thing", "It is bad.", "Mend it.")}
    monkeypatch.setattr(checkov_gate, "shipped_checks", lambda: more)
    with pytest.raises(ScanError, match=r"were not loaded: GH299\. Fix: "):
        scan(write())


def test_they_are_explained() -> None:
    title, known = explanation("gh201")
    assert title == "GH201: A method is not decided by IAM"
    assert known["severity"] == "critical"


def test_plain_checkov_runs_them(write: Write, tmp_path: Path) -> None:
    """As the README says, outside of this process and of Gatehouse."""
    from gatehouse.scan.checkov_runner import HOUSE_CHECKS

    command = [sys.executable, "-P", "-m", "checkov.main", "--framework", "terraform_json", "--skip-download"]
    command += ["--external-checks-dir", str(HOUSE_CHECKS), "-f", str(write()), "--output", "json"]
    environment = {name: found for name, found in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    failed = json.loads(ran.stdout)["results"]["failed_checks"]
    assert {("GH248", "resource.open"), ("CKV_AWS_150", "resource.open")} <= {
        (one["check_id"], one["resource"]) for one in failed
    }
    assert ran.returncode == 1
