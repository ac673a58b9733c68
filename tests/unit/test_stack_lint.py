"""The stack lint: nothing in the golden documents, and each flaw put into one of them under its id."""

from __future__ import annotations

import ast
import copy
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gatehouse.fields import ROOT
from gatehouse.scan.findings import shipped_checks
from gatehouse.scan.gate import LINTERS
from gatehouse.scan.stack_lint import RULES, lint_stack
from gatehouse.scan.stack_rules.attributes import known_attributes
from gatehouse.scan.stack_rules.known import DATA, NEEDED, RESOURCES
from gatehouse.scan.stack_rules.stack import Stack, references

GOLDEN = ROOT / "tests" / "synth" / "__snapshots__" / "test_golden"
SERVER = ROOT / "templates" / "server"
SESSION = ROOT / "templates" / "operations" / "session.json"
_TEXT = (SERVER / "launcher.py").read_text(encoding="utf-8")
DIGEST = hashlib.sha256(_TEXT.encode()).hexdigest()
LAUNCHER = re.sub(r"([$%])\{", r"\1\1{", _TEXT)
KEY = f"boot/{DIGEST}/launcher.py"


def _user_data() -> str:
    """Return user data as its template makes it, with one setting and one file."""
    template = (SERVER / "user_data.sh.j2").read_text(encoding="utf-8")
    text = template[template.index("#!/bin/bash\n") :]
    filled = {
        "SETTINGS": 'GATEHOUSE_PORT="8443"\n',
        "SOURCE": "eu-west-1 bucket\n",
        "FILES": f"{DIGEST} launcher.py {KEY}\n",
    }
    for name, body in filled.items():
        start, end = text.index(f"<<'GATEHOUSE_{name}'\n"), text.index(f"\nGATEHOUSE_{name}\n")
        text = f"{text[:start]}<<'GATEHOUSE_{name}'\n{body}{text[end + 1 :]}"
    return text.rstrip("\n")


TEXTS = ("assume_role_policy", "content", "dashboard_body", "policy")
_FILES = "${aws_s3_bucket.storage_server_files.id}"
Document = dict[str, Any]
Change = Callable[[Document], None]


@cache
def _golden(environment: str) -> str:
    """Return a golden document, with one boot file in the place of those whose contents it leaves out."""
    path = GOLDEN / f"test_{environment}_is_as_reviewed[{environment}].json"
    document = json.loads(path.read_text(encoding="utf-8"))
    for named in document["resource"].values():
        for body in named.values():  # what synthesis writes as text, the golden document has as JSON
            body |= {name: json.dumps(body[name]) for name in TEXTS if isinstance(body.get(name), dict)}
    document["resource"]["aws_s3_object"] = {"launcher": {"key": KEY, "content": LAUNCHER, "bucket": _FILES}}
    document["resource"]["aws_ssm_document"]["operations_document"]["content"] = SESSION.read_text(
        encoding="utf-8"
    )
    document["locals"]["server_user_data"] = _user_data()
    return json.dumps(document)


def sound(environment: str) -> Document:
    """Return a document of which the lint finds nothing wrong."""
    document: Document = json.loads(_golden(environment))
    return document


def put(address: str, **attributes: object) -> Change:
    """Return what sets attributes of a resource, which it makes if it is not there; ... removes one."""
    kind, name = address.split(".")

    def change(document: Document) -> None:
        body = document["resource"].setdefault(kind, {}).setdefault(name, {})
        for attribute, value in attributes.items():
            if value is ...:
                del body[attribute]
            else:
                body[attribute] = value

    return change


def drop(kind: str, name: str | None = None) -> Change:
    """Return what removes a resource, or all of a type."""

    def change(document: Document) -> None:
        if name is None:
            del document["resource"][kind]
        else:
            del document["resource"][kind][name]

    return change


def part(path: str, value: object) -> Change:
    """Return what sets a value below the document's top; ... removes it."""
    *outer, last = path.split(".")

    def change(document: Document) -> None:
        place: Any = document
        for name in outer:
            place = place.setdefault(name, {}) if isinstance(place, dict) else place[int(name)]
        if value is ...:
            del place[last]
        else:
            place[last] = value

    return change


_ARTIFACTS = "${aws_s3_bucket.storage_artifacts.id}"
_PRIVATE_TABLE = "${aws_route_table.network_private_routes_0.id}"
_ISOLATED_TABLE = "${aws_route_table.network_isolated_routes.id}"
_LOAD_BALANCER = "${aws_security_group.firewall_load_balancer.id}"
_SERVER = "${aws_security_group.firewall_server.id}"
_DATABASE = "${aws_security_group.firewall_database.id}"
_BUCKET = "aws_s3_bucket.storage_artifacts"
_KMS = {"sse_algorithm": "aws:kms", "kms_master_key_id": "${aws_kms_key.storage_key.arn}"}
_ENCRYPTION = "aws_s3_bucket_server_side_encryption_configuration.storage_artifacts_encryption"
_NOTIFICATION = "aws_s3_bucket_notification.storage_artifacts_notification"
_ACL = "aws_wafv2_web_acl.api_web_acl"
_ACL_LOG = "aws_wafv2_web_acl_logging_configuration.api_web_acl_logging"
_REDACTED = [
    *({"single_header": {"name": name}} for name in ("Authorization", "X-Amz-Security-Token")),
    {"query_string": {}},
]
_OVERRIDES: tuple[tuple[str, Document], ...] = (
    ("Log4JRCE_HEADER", {"count": {}}),
    ("HostingProviderIPList", {"allow": {}}),
)
_LIFECYCLE = "aws_s3_bucket_lifecycle_configuration.storage_artifacts_lifecycle"
_OLD = {"status": "Enabled", "noncurrent_version_expiration": [{"noncurrent_days": 30}]}

_LISTENER = "aws_lb_listener.load_balancer_https"
_FORBIDDEN = "aws_cloudwatch_metric_alarm.observability_forbidden_surge"
_STORAGE_ALARM = "aws_cloudwatch_metric_alarm.observability_database_storage"
_PROFILE = "aws_iam_instance_profile.server_profile"
_TEMPLATE = "aws_launch_template.server_template"
_ENDPOINT = "aws_vpc_endpoint.endpoints_kms"
_COMMANDS = "aws_ssm_document.operations_document"
_LAUNCHER = "aws_s3_object.launcher"
_COUNTED = "aws_cloudwatch_log_metric_filter.observability_forbidden"
_FLOW_LOG = "aws_cloudwatch_log_group.flow_logs"
_CONTEXT = "kms:EncryptionContext:aws:logs:arn"
_STAGE = "aws_api_gateway_stage.api_stage"


def _key_policy(**elements: object) -> str:
    """Return a key's policy that admits CloudWatch Logs for every group, but for these elements."""
    logs = {"Effect": "Allow", "Principal": {"Service": "logs.eu-west-1.amazonaws.com"}, "Action": "kms:*"}
    statement = {**logs, "Resource": "*", **elements}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


#: Check, environment, what is changed in it, and the address of the finding.
FLAWS: list[tuple[str, str, Change, str]] = [
    ("GH301", "prod", put("aws_iam_access_key.a", user="anna"), "aws_iam_access_key.a"),
    ("GH301", "prod", put("aws_vpc_peering_connection.a", vpc_id="v"), "aws_vpc_peering_connection.a"),
    ("GH301", "prod", part("data.external.e", {"program": ["sh"]}), "data.external.e"),
    ("GH302", "prod", part("module.m", {"source": "./m"}), "terraform.module"),
    ("GH303", "prod", put(_BUCKET, provisioner=[{"local-exec": {"command": "x"}}]), _BUCKET),
    ("GH303", "prod", put(_BUCKET, count=0), _BUCKET),
    ("GH303", "prod", put(_BUCKET, provider="aws.other"), _BUCKET),
    (
        "GH303",
        "prod",
        put("aws_security_group.firewall_server", dynamic={}),
        "aws_security_group.firewall_server",
    ),
    (
        "GH304",
        "dev",
        put("aws_iam_policy.boundary", lifecycle={"ignore_changes": ["policy"]}),
        "aws_iam_policy.boundary",
    ),
    ("GH304", "dev", put(_BUCKET, lifecycle=[{"ignore_changes": "all"}]), _BUCKET),
    *(("GH305", "prod", drop(kind), f"{kind}.missing") for kind in sorted(NEEDED)),
    (
        "GH306",
        "prod",
        drop("aws_cloudwatch_metric_alarm", "observability_forbidden_surge"),
        "aws_cloudwatch_metric_alarm.missing",
    ),
    ("GH307", "prod", part("provider.aws.0.access_key", "a"), "provider.aws"),
    ("GH307", "prod", part("provider.aws.0.endpoints", [{"s3": "http://example.com"}]), "provider.aws"),
    ("GH307", "prod", part("provider.aws.0.default_tags", ...), "provider.aws"),
    ("GH307", "prod", part("provider.aws", []), "provider.aws"),
    ("GH307", "prod", part("provider.null", [{}]), "provider.null"),
    (
        "GH307",
        "prod",
        part("terraform.required_providers.aws.source", "example/aws"),
        "terraform.required_providers",
    ),
    ("GH308", "prod", part("terraform.backend.s3.encrypt", False), "terraform.backend"),
    ("GH308", "prod", part("terraform.backend.s3.use_lockfile", ...), "terraform.backend"),
    ("GH308", "prod", part("terraform.backend.s3.secret_key", "a"), "terraform.backend"),
    (
        "GH308",
        "prod",
        part("terraform.backend", {"http": {"address": "http://example.com"}}),
        "terraform.backend",
    ),
    ("GH308", "prod", part("terraform.backend", {}), "terraform.backend"),
    ("GH308", "dev", part("terraform.cloud", {"organization": "a", "token": "b"}), "terraform.backend"),
    (
        "GH309",
        "prod",
        part("variable.backup_retention_days.validation", ...),
        "variable.backup_retention_days",
    ),
    (
        "GH309",
        "prod",
        part("variable.backup_retention_days.validation", [{"condition": "${true}"}]),
        "variable.backup_retention_days",
    ),
    ("GH309", "prod", part("variable.log_retention_days.nullable", True), "variable.log_retention_days"),
    ("GH310", "prod", part("locals.more", "key AKIAIOSFODNN7EXAMPLE"), "locals.more"),
    (
        "GH310",
        "prod",
        part("variable.instance_type.default", "postgresql://a:b@c/d"),
        "variable.instance_type",
    ),
    (
        "GH310",
        "prod",
        put("aws_ssm_document.operations_document", content="-----BEGIN RSA PRIVATE KEY-----"),
        "aws_ssm_document.operations_document",
    ),
    (
        "GH310",
        "prod",
        put("aws_db_instance.database_instance", password="x"),
        "aws_db_instance.database_instance",
    ),
    (
        "GH311",
        "prod",
        part("output.more", {"value": "${aws_db_instance.database_instance.password}"}),
        "output.more",
    ),
    (
        "GH312",
        "prod",
        put("aws_sns_topic_policy.observability_topic_policy", arn="arn:aws:sns:eu-west-1:1:a"),
        "aws_sns_topic_policy.observability_topic_policy",
    ),
    ("GH312", "prod", put("aws_lb_listener.load_balancer_https", load_balancer_arn=...), _LISTENER),
    ("GH312", "prod", put("aws_lb.load_balancer", access_logs={"bucket": "others"}), "aws_lb.load_balancer"),
    (
        "GH312",
        "prod",
        put("aws_lb_listener.load_balancer_https", load_balancer_arn="${aws_lb.other.arn}"),
        _LISTENER,
    ),
    (
        "GH312",
        "prod",
        put("aws_autoscaling_group.server_group", launch_template={"id": "a", "version": "1"}),
        "aws_autoscaling_group.server_group",
    ),
    (
        "GH312",
        "prod",
        put("aws_iam_role_policy_attachment.identity_auditor_policy_1", role="admin"),
        "aws_iam_role_policy_attachment.identity_auditor_policy_1",
    ),
    (
        "GH312",
        "dev",
        put(_ACL, rule=[{"statement": {"ip_set_reference_statement": {"arn": "arn:aws:wafv2:..."}}}]),
        _ACL,
    ),
    ("GH312", "prod", put("aws_subnet.network_private_0", vpc_id="vpc-1"), "aws_subnet.network_private_0"),
    (
        "GH313",
        "prod",
        put("aws_vpc_endpoint.endpoints_s3", route_table_ids=["rtb-1"]),
        "aws_vpc_endpoint.endpoints_s3",
    ),
    (
        "GH313",
        "prod",
        put("aws_vpc_endpoint.endpoints_kms", subnet_ids=...),
        "aws_vpc_endpoint.endpoints_kms",
    ),
    (
        "GH313",
        "prod",
        put(
            "aws_vpc_security_group_egress_rule.firewall_server_to_database",
            referenced_security_group_id="sg-1",
        ),
        "aws_vpc_security_group_egress_rule.firewall_server_to_database",
    ),
    *(
        ("GH314", "prod", put(_COUNTED, **{attribute: value}), _COUNTED)
        for attribute, value in {
            "pattern": '{ $.status = "404" }',
            "log_group_name": "${aws_cloudwatch_log_group.server_logs.name}",
            "metric_transformation": {"name": "Other", "namespace": "Other", "value": "1"},
        }.items()
    ),
    *(
        ("GH306", "prod", put(_FORBIDDEN, **changed), _FORBIDDEN)
        for changed in (
            {"threshold": 10**9},
            {"threshold": "${-1}"},
            {"comparison_operator": "LessThanThreshold"},
            {"evaluation_periods": 1000},
            {"metric_name": "Weather"},
        )
    ),
    ("GH306", "prod", put(_STORAGE_ALARM, threshold=1), _STORAGE_ALARM),
    ("GH306", "prod", put(_STORAGE_ALARM, namespace="Nowhere"), _STORAGE_ALARM),
    ("GH307", "prod", part("terraform.provider_meta", {"aws": {}}), "terraform.provider_meta"),
    *(
        ("GH308", "prod", part(f"terraform.backend.s3.{name}", value), "terraform.backend")
        for name, value in {
            "endpoints": {"s3": "https://example.net"},
            "http_proxy": "http://example.net",
            "profile": "other",
            "acl": "public-read",
        }.items()
    ),
    *(
        ("GH315", "prod", put(_PROFILE, role=value), _PROFILE)
        for value in (
            '${true ? "Admin" : aws_iam_role.server_role.name}',
            "${aws_iam_role.server_role.description}",
            "%{ if true }Admin%{ endif }",
            'Admin${replace(aws_iam_role.server_role.name, aws_iam_role.server_role.name, "")}',
            "${local.role}",
            "$$${aws_iam_role.server_role.name}",
        )
    ),
    (
        "GH315",
        "prod",
        put(_LIFECYCLE, rule=[{**_OLD, "status": '${"Enabled"}', "expiration": [{"days": 1}]}]),
        _LIFECYCLE,
    ),
    ("GH315", "prod", part("locals.more", '${file("/etc/passwd")}'), "locals.more"),
    ("GH315", "prod", part("data.aws_prefix_list.p", {"name": "${local.more}"}), "data.aws_prefix_list.p"),
    *(
        ("GH316", "prod", put(address, **attributes), address)
        for address, attributes in (
            ("aws_db_instance.database_instance", {"domain": "d-1234567890"}),
            ("aws_db_instance.database_instance", {"region": "us-east-1"}),
            ("aws_kms_key.storage_key", {"xks_key_id": "x"}),
            ("aws_autoscaling_group.server_group", {"suspended_processes": ["ReplaceUnhealthy"]}),
            (_ENDPOINT, {"service_region": "us-east-1"}),
            (_TEMPLATE, {"block_device_mappings": [{"ebs": {"snapshot_id": "snap-1"}}]}),
            (_TEMPLATE, {"network_interfaces": {"network_interface_id": "eni-1"}}),
            (_LIFECYCLE, {"rule": [{"dynamic": {"expiration": {"for_each": [1]}}}]}),
            ("aws_athena_workgroup.a", {"name": "a"}),
        )
    ),
    *(
        ("GH317", environment, put(address, **attributes), _FLOW_LOG)
        for environment, address, attributes in (
            ("prod", _FLOW_LOG, {"kms_key_id": "${aws_kms_key.storage_key.arn}"}),
            ("dev", _FLOW_LOG, {"name": "/somewhere/else"}),
            ("dev", "aws_kms_key.log_key", {"policy": "no JSON"}),
            ("dev", "aws_kms_key.log_key", {"policy": "[]"}),
            ("dev", "aws_kms_key.log_key", {"policy": _key_policy(Action="kms:Decrypt")}),
            ("dev", "aws_kms_key.log_key", {"policy": _key_policy(Effect="Deny")}),
            ("dev", "aws_kms_key.log_key", {"policy": _key_policy(Principal={"AWS": "logs.me"})}),
            (
                "dev",
                "aws_kms_key.log_key",
                {"policy": _key_policy(Condition={"ArnNotLike": {_CONTEXT: "*:log-group:/gatehouse/*"}})},
            ),
        )
    ),
    ("GH320", "prod", drop("aws_s3_bucket_versioning", "storage_artifacts_versioning"), _BUCKET),
    (
        "GH320",
        "prod",
        put(
            "aws_s3_bucket_versioning.storage_artifacts_versioning",
            versioning_configuration={"status": "Suspended"},
        ),
        _BUCKET,
    ),
    ("GH321", "prod", drop("aws_s3_bucket_public_access_block", "storage_artifacts_public_access"), _BUCKET),
    (
        "GH321",
        "prod",
        put(
            "aws_s3_bucket_public_access_block.storage_artifacts_public_access",
            block_public_policy="${var.x}",
        ),
        _BUCKET,
    ),
    ("GH322", "prod", drop("aws_s3_bucket_ownership_controls", "storage_artifacts_ownership"), _BUCKET),
    (
        "GH322",
        "prod",
        put(
            "aws_s3_bucket_ownership_controls.storage_artifacts_ownership",
            rule={"object_ownership": "ObjectWriter"},
        ),
        _BUCKET,
    ),
    ("GH323", "prod", drop(_ENCRYPTION.split(".", maxsplit=1)[0], "storage_artifacts_encryption"), _BUCKET),
    (
        "GH323",
        "prod",
        put(_ENCRYPTION, rule=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}]),
        _BUCKET,
    ),
    ("GH323", "prod", put(_ENCRYPTION, rule=[{"apply_server_side_encryption_by_default": _KMS}]), _BUCKET),
    ("GH324", "prod", drop("aws_s3_bucket_policy", "storage_artifacts_policy"), _BUCKET),
    ("GH325", "prod", drop("aws_s3_bucket_lifecycle_configuration", "storage_artifacts_lifecycle"), _BUCKET),
    ("GH325", "prod", put(_LIFECYCLE, rule=[{**_OLD, "status": "Disabled"}]), _BUCKET),
    ("GH325", "prod", put(_LIFECYCLE, rule=[{**_OLD, "expiration": [{"days": 1}]}]), _BUCKET),
    (
        "GH325",
        "prod",
        put(_LIFECYCLE, rule=[{**_OLD, "noncurrent_version_expiration": [{"newer_noncurrent_versions": 9}]}]),
        _BUCKET,
    ),
    ("GH326", "prod", drop("aws_s3_bucket_logging", "storage_artifacts_logging"), _BUCKET),
    (
        "GH326",
        "prod",
        put("aws_s3_bucket_logging.storage_artifacts_logging", target_bucket="elsewhere"),
        _BUCKET,
    ),
    ("GH327", "prod", put(_BUCKET, force_destroy=True), _BUCKET),
    ("GH327", "prod", put(_BUCKET, force_destroy="${var.x}"), _BUCKET),
    ("GH328", "prod", put("aws_kms_key.storage_key", lifecycle=...), "aws_kms_key.storage_key"),
    ("GH329", "prod", drop("aws_s3_bucket_notification", "storage_artifacts_notification"), _BUCKET),
    ("GH329", "prod", put(_NOTIFICATION, eventbridge=False), _BUCKET),
    (
        "GH329",
        "prod",
        put(_NOTIFICATION, queue=[{"queue_arn": "arn:aws:sqs:eu-west-1:444455556666:q"}]),
        _BUCKET,
    ),
    (
        "GH328",
        "prod",
        put("aws_db_instance.database_instance", skip_final_snapshot=True),
        "aws_db_instance.database_instance",
    ),
    (
        "GH330",
        "dev",
        put(
            "aws_route.more",
            route_table_id=_ISOLATED_TABLE,
            nat_gateway_id="${aws_nat_gateway.network_nat_0.id}",
        ),
        "aws_route.more",
    ),
    (
        "GH330",
        "prod",
        put("aws_vpc_endpoint.endpoints_s3", route_table_ids=[_ISOLATED_TABLE]),
        "aws_vpc_endpoint.endpoints_s3",
    ),
    (
        "GH330",
        "prod",
        drop("aws_route_table_association", "network_isolated_association_0"),
        "aws_subnet.network_isolated_0",
    ),
    (
        "GH331",
        "prod",
        put("aws_db_subnet_group.database_subnets", subnet_ids=["subnet-1"]),
        "aws_db_subnet_group.database_subnets",
    ),
    ("GH331", "prod", put("aws_lb.load_balancer", subnets=["subnet-1"]), "aws_lb.load_balancer"),
    (
        "GH332",
        "dev",
        put(
            "aws_route.network_private_internet_0",
            nat_gateway_id=...,
            gateway_id="${aws_internet_gateway.network_internet.id}",
        ),
        "aws_route.network_private_internet_0",
    ),
    (
        "GH332",
        "dev",
        put("aws_autoscaling_group.server_group", vpc_zone_identifier=["${aws_subnet.network_public_0.id}"]),
        "aws_route.network_public_internet",
    ),
    (
        "GH333",
        "prod",
        put("aws_internet_gateway.more", vpc_id="${aws_vpc.network_vpc.id}"),
        "aws_internet_gateway.more",
    ),
    ("GH333", "prod", put("aws_route.more", route_table_id=_PRIVATE_TABLE), "aws_route.more"),
    (
        "GH333",
        "prod",
        put("aws_vpc_security_group_egress_rule.more", security_group_id=_SERVER, cidr_ipv4="0.0.0.0/0"),
        "aws_vpc_security_group_egress_rule.more",
    ),
    *(
        (
            "GH334",
            "prod",
            put("aws_vpc_security_group_ingress_rule.more", security_group_id=group, **who),
            "aws_vpc_security_group_ingress_rule.more",
        )
        for group, who in [
            (_DATABASE, {"cidr_ipv4": "10.0.0.0/8"}),
            (_DATABASE, {"referenced_security_group_id": _LOAD_BALANCER}),
            (_DATABASE, {"referenced_security_group_id": "sg-1"}),
            (_SERVER, {"cidr_ipv4": "10.40.0.0/18"}),
            (_SERVER, {"referenced_security_group_id": _SERVER}),
            (_LOAD_BALANCER, {"cidr_ipv4": "10.40.0.0/18"}),
            (_LOAD_BALANCER, {"referenced_security_group_id": _SERVER}),
            ("sg-1", {"cidr_ipv4": "10.40.0.0/18"}),
        ]
    ),
    (
        "GH335",
        "prod",
        put("aws_db_instance.database_instance", vpc_security_group_ids=[_SERVER]),
        "aws_security_group.firewall_server",
    ),
    *(
        (
            "GH335",
            "prod",
            put(endpoint, security_group_ids=["${" + group + ".id}"]),
            group,
        )
        for endpoint, group in (
            ("aws_vpc_endpoint.endpoints_secretsmanager", "aws_security_group.firewall_execute_api"),
            ("aws_vpc_endpoint.private_entry", "aws_security_group.firewall_endpoints"),
        )
    ),
    ("GH336", "prod", drop("aws_flow_log"), "aws_vpc.network_vpc"),
    ("GH336", "prod", drop("aws_default_security_group"), "aws_vpc.network_vpc"),
    ("GH336", "prod", drop("aws_default_route_table"), "aws_vpc.network_vpc"),
    ("GH337", "prod", put("aws_vpc_endpoint.endpoints_s3", policy=...), "aws_vpc_endpoint.endpoints_s3"),
    ("GH337", "prod", drop("aws_vpc_endpoint_policy"), "aws_vpc_endpoint.private_entry"),
    ("GH338", "prod", drop("aws_network_acl"), "aws_subnet.network_isolated_0"),
    (
        "GH338",
        "prod",
        put(
            "aws_network_acl_rule.more",
            network_acl_id="${aws_network_acl.network_isolated_acl.id}",
            egress="0",
            from_port=0,
            to_port=65535,
        ),
        "aws_network_acl_rule.more",
    ),
    (
        "GH338",
        "prod",
        put("aws_network_acl.network_isolated_acl", ingress=[{"protocol": -1}]),
        "aws_network_acl.network_isolated_acl",
    ),
    (
        "GH338",
        "prod",
        put("aws_network_acl_rule.network_acl_from_private_0", from_port=0),
        "aws_network_acl_rule.network_acl_from_private_0",
    ),
    ("GH340", "prod", drop("aws_api_gateway_rest_api_policy"), "aws_api_gateway_rest_api.api_rest_api"),
    (
        "GH341",
        "prod",
        put("aws_api_gateway_resource.api_team", path_part="admin"),
        "aws_api_gateway_resource.api_team",
    ),
    (
        "GH341",
        "prod",
        put(
            "aws_api_gateway_resource.more",
            parent_id="${aws_api_gateway_rest_api.api_rest_api.root_resource_id}",
            path_part="{proxy+}",
        ),
        "aws_api_gateway_resource.more",
    ),
    (
        "GH342",
        "prod",
        drop("aws_api_gateway_integration", "api_proxy_integration"),
        "aws_api_gateway_method.api_proxy_method",
    ),
    (
        "GH342",
        "prod",
        put(
            "aws_api_gateway_method.api_team_method",
            resource_id="${aws_api_gateway_rest_api.api_rest_api.root_resource_id}",
        ),
        "aws_api_gateway_method.api_team_method",
    ),
    ("GH343", "prod", drop("aws_api_gateway_method_settings"), "aws_api_gateway_stage.api_stage"),
    (
        "GH343",
        "prod",
        put(
            "aws_api_gateway_method_settings.more",
            stage_name="${aws_api_gateway_stage.api_stage.stage_name}",
            method_path="{team}/GET",
        ),
        "aws_api_gateway_stage.api_stage",
    ),
    (
        "GH344",
        "prod",
        put("aws_api_gateway_deployment.api_deployment", depends_on=[]),
        "aws_api_gateway_deployment.api_deployment",
    ),
    (
        "GH345",
        "prod",
        put("aws_lb_listener.load_balancer_https", protocol="TLS"),
        "aws_lb_listener.load_balancer_https",
    ),
    (
        "GH345",
        "prod",
        put("aws_lb_listener.load_balancer_https", default_action=[{"type": "redirect"}]),
        "aws_lb_listener.load_balancer_https",
    ),
    ("GH346", "dev", put(_ACL, default_action={"allow": {}}), _ACL),
    ("GH346", "dev", put(_ACL, default_action=...), _ACL),
    (
        "GH346",
        "dev",
        put(_ACL, rule=[{"action": {"allow": {}}, "statement": {"geo_match_statement": {}}}]),
        _ACL,
    ),
    ("GH346", "dev", put(_ACL, rule=[{"action": {"allow": {}}}]), _ACL),
    *(
        ("GH346", "dev", put(_ACL, rule=[{"statement": statement}]), _ACL)
        for statement in (
            {
                "ip_set_reference_statement": {
                    "ip_set_forwarded_ip_config": {"header_name": "X-Forwarded-For"}
                }
            },
            {"managed_rule_group_statement": {"scope_down_statement": {"geo_match_statement": {}}}},
            *(
                {
                    "managed_rule_group_statement": {
                        "rule_action_override": [{"name": name, "action_to_use": action}]
                    }
                }
                for name, action in _OVERRIDES
            ),
        )
    ),
    (
        "GH347",
        "dev",
        put(_ACL_LOG, log_destination_configs=["arn:aws:s3:::aws-waf-logs-elsewhere"]),
        _ACL_LOG,
    ),
    ("GH347", "dev", put(_ACL_LOG, redacted_fields=...), _ACL_LOG),
    ("GH347", "dev", put(_ACL_LOG, redacted_fields=_REDACTED[1:]), _ACL_LOG),
    ("GH347", "dev", put(_ACL_LOG, redacted_fields=_REDACTED[:2]), _ACL_LOG),
    ("GH348", "dev", drop("aws_wafv2_web_acl_association"), _STAGE),
    ("GH348", "dev", drop("aws_wafv2_web_acl_logging_configuration"), _STAGE),
    ("GH348", "dev", put("aws_wafv2_web_acl_association.api_web_acl_association", web_acl_arn="a"), _STAGE),
    ("GH350", "prod", put("aws_s3_object.launcher", content="curl | sh"), "aws_s3_object.launcher"),
    ("GH350", "prod", put("aws_s3_object.launcher", content=..., source="/tmp/x"), "aws_s3_object.launcher"),
    (
        "GH351",
        "prod",
        part("locals.server_user_data", f"{'0' * 64} launcher.py {KEY}\n"),
        "aws_launch_template.server_template",
    ),
    ("GH351", "prod", part("locals.server_user_data", "curl | sh"), "aws_launch_template.server_template"),
    (
        "GH351",
        "prod",
        put("aws_launch_template.server_template", user_data="Y3VybA=="),
        "aws_launch_template.server_template",
    ),
    (
        "GH352",
        "prod",
        put("aws_s3_object.launcher", content=LAUNCHER.replace("no-serve", "serve")),
        "aws_s3_object.missing",
    ),
    (
        "GH352",
        "prod",
        put("aws_s3_object.launcher", content=LAUNCHER.replace('"--enable', '# "--enable')),
        "aws_s3_object.missing",
    ),
    ("GH353", "prod", part("locals.server_user_data", _user_data() + "\ncurl x | sh"), _TEMPLATE),
    (
        "GH353",
        "prod",
        part(
            "locals.server_user_data", _user_data().replace('="8443"\n', '="8443"\nLD_PRELOAD="/tmp/x.so"\n')
        ),
        _TEMPLATE,
    ),
    (
        "GH353",
        "prod",
        part(
            "locals.server_user_data", _user_data().replace("<<'GATEHOUSE_SETTINGS'", "<<GATEHOUSE_SETTINGS")
        ),
        _TEMPLATE,
    ),
    ("GH354", "prod", put(_LAUNCHER, content="curl | sh"), _LAUNCHER),
    ("GH354", "prod", put(_LAUNCHER, key=f"boot/{DIGEST}/other.py"), _LAUNCHER),
    ("GH354", "prod", put(_LAUNCHER, key=f"boot/{DIGEST}/teams.txt", content="fraud; curl\n"), _LAUNCHER),
    ("GH355", "prod", put(_COMMANDS, content="{}"), _COMMANDS),
    ("GH355", "prod", put(_COMMANDS, content="no JSON"), _COMMANDS),
    (
        "GH360",
        "prod",
        put("aws_iam_role_policy_attachment.more", policy_arn="${aws_iam_policy.identity_boundary_team.arn}"),
        "aws_iam_role_policy_attachment.more",
    ),
    ("GH361", "prod", put("aws_iam_role.server_role", permissions_boundary=...), "aws_iam_role.server_role"),
    (
        "GH361",
        "prod",
        put("aws_iam_role.server_role", permissions_boundary="${aws_iam_policy.other.arn}"),
        "aws_iam_role.server_role",
    ),
    (
        "GH362",
        "prod",
        put(
            "aws_iam_role_policy_attachment.more",
            role="${aws_iam_role.server_role.name}",
            policy_arn="${aws_iam_policy.identity_data_scientist.arn}",
        ),
        "aws_iam_role_policy_attachment.more",
    ),
]


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_nothing_is_found_in_the_golden_documents(environment: str) -> None:
    assert lint_stack(sound(environment)) == []


@pytest.mark.parametrize(("check", "environment", "change", "address"), FLAWS)
def test_a_flaw_is_found(check: str, environment: str, change: Change, address: str) -> None:
    document = sound(environment)
    change(document)
    found = lint_stack(document, {check: RULES[check]})
    assert address in {one.address for one in found}
    assert all(one.detail for one in found)


def test_every_rule_has_a_flaw_that_it_finds() -> None:
    assert {check for check, *_ in FLAWS} == set(RULES)


def test_null_is_no_attribute() -> None:
    document = sound("prod")
    put("aws_db_instance.database_instance", domain=None)(document)
    assert lint_stack(document) == []


def test_every_known_type_has_attributes() -> None:
    assert known_attributes().keys() == RESOURCES


def test_every_rule_is_described() -> None:
    assert {name for name in shipped_checks() if name.startswith("GH3")} == set(RULES)


def test_an_empty_document_is_not_sound() -> None:
    found = lint_stack({"resource": {}})
    assert {"GH305", "GH306", "GH307", "GH308", "GH352"} <= {one.check for one in found}


def test_a_rule_that_fails_is_not_caught() -> None:
    """The gate turns it into exit code 2; a rule that has judged nothing must not look like one that passed."""

    def crash(_stack: Stack) -> Any:  # noqa: ANN401 - never returns
        raise KeyError("bucket")

    with pytest.raises(KeyError):
        lint_stack(sound("dev"), {"GH301": crash})


def test_the_gate_runs_the_lint() -> None:
    assert lint_stack in LINTERS


def test_the_document_is_left_as_it_is() -> None:
    document = sound("prod")
    before = copy.deepcopy(document)
    lint_stack(document)
    assert document == before


def test_a_key_may_admit_logs_for_every_group() -> None:
    document = sound("dev")
    put("aws_kms_key.log_key", policy=_key_policy())(document)
    assert lint_stack(document, {"GH317": RULES["GH317"]}) == []


def test_headers_are_redacted_in_any_case() -> None:
    document = sound("dev")
    put(_ACL_LOG, redacted_fields=_REDACTED)(document)
    assert lint_stack(document) == []


def test_a_bucket_of_access_logs_alone_is_emptied() -> None:
    """The dev environment has one; its golden document is the sound example."""
    bucket: Mapping[str, Any] = sound("dev")["resource"]["aws_s3_bucket"]["storage_access_logs"]
    assert bucket["force_destroy"] is True


def test_known_types_are_those_that_constructs_make() -> None:
    """The names of the bindings' modules are the types; lines of source are read, cdktf is not imported."""
    prefix = "cdktf_cdktf_provider_aws."
    made = {
        str(node.module).removeprefix(prefix)
        for path in sorted(Path(ROOT / "modules").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(prefix)
    } - {"provider"}
    data = {name.removeprefix("data_") for name in made if name.startswith("data_")}
    assert data == DATA
    assert {f"aws_{name}" for name in made if not name.startswith("data_")} == RESOURCES


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("${aws_s3_bucket.a.id}", {"aws_s3_bucket.a"}),
        ("x ${element(aws_subnet.a-b.id, 0)} ${aws_vpc.v.id}", {"aws_subnet.a-b", "aws_vpc.v"}),
        ("${aws_db_instance.d.master_user_secret[0].secret_arn}", {"aws_db_instance.d"}),
        ("${data.aws_caller_identity.account.account_id}", set()),
        ("$${aws_s3_bucket.a.id}", set()),
        ("aws_s3_bucket.a", set()),
        ('${lookup(local.x, "aws_s3_bucket.a")}', set()),
    ],
)
def test_references_are_read(text: str, found: set[str]) -> None:
    assert references({"a": [text]}) == found
