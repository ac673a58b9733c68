"""The front door."""

from __future__ import annotations

import json

import pytest

from tests.synth.conftest import Synthesize, example
from tests.synth.template import Template

CERTIFICATE = "arn:aws:acm:eu-west-1:111122223333:certificate/01234567-89ab-cdef-0123-456789abcdef"


def test_every_method_is_decided_by_iam(stack: Template) -> None:
    methods = stack.resources("aws_api_gateway_method")
    assert set(methods) == {"api_team_method", "api_proxy_method"}
    assert {method["authorization"] for method in methods.values()} == {"AWS_IAM"}
    assert {method["http_method"] for method in methods.values()} == {"ANY"}
    paths = {resource["path_part"] for resource in stack.resources("aws_api_gateway_resource").values()}
    assert paths == {"{team}", "{proxy+}"}


def test_every_method_wants_its_path_parameters(stack: Template) -> None:
    validator = stack.named("aws_api_gateway_request_validator", "api_validator")
    assert (validator["validate_request_parameters"], validator["validate_request_body"]) == (True, False)
    for method in stack.resources("aws_api_gateway_method").values():
        assert method["request_validator_id"] == "${aws_api_gateway_request_validator.api_validator.id}"
        assert set(method["request_parameters"].values()) == {True}
    required = stack.named("aws_api_gateway_method", "api_proxy_method")["request_parameters"]
    assert set(required) == {"method.request.path.team", "method.request.path.proxy"}


def test_the_api_is_not_gone_before_another_is_there(stack: Template) -> None:
    assert stack.only("aws_api_gateway_rest_api")["lifecycle"] == {"create_before_destroy": True}


def test_before_a_regional_api_a_web_acl_admits_the_clients_alone(dev: Template) -> None:
    acl = dev.named("aws_wafv2_web_acl", "api_web_acl")
    assert (acl["scope"], acl["default_action"]) == ("REGIONAL", {"block": {}})
    *groups, admitted = sorted(acl["rule"], key=lambda rule: int(rule["priority"]))
    assert (admitted["name"], admitted["action"]) == ("clients", {"allow": {}})
    assert admitted["statement"] == {
        "ip_set_reference_statement": {"arn": "${aws_wafv2_ip_set.api_web_acl_clients.arn}"}
    }
    assert dev.only("aws_wafv2_ip_set")["addresses"] == example("dev")["api"]["client_cidrs"]
    # Before the clients are admitted, and with no rule of theirs switched off but the one that only counts.
    statements = {rule["name"]: rule["statement"]["managed_rule_group_statement"] for rule in groups}
    assert all(rule["override_action"] == {"none": {}} for rule in groups)
    assert statements == {
        "AWSManagedRulesKnownBadInputsRuleSet": {
            "name": "AWSManagedRulesKnownBadInputsRuleSet",
            "vendor_name": "AWS",
        },
        "AWSManagedRulesAnonymousIpList": {
            "name": "AWSManagedRulesAnonymousIpList",
            "vendor_name": "AWS",
            "rule_action_override": [{"name": "HostingProviderIPList", "action_to_use": {"count": {}}}],
        },
    }
    association = dev.only("aws_wafv2_web_acl_association")
    assert association["resource_arn"] == "${aws_api_gateway_stage.api_stage.arn}"
    assert association["web_acl_arn"] == "${aws_wafv2_web_acl.api_web_acl.arn}"


def test_what_the_web_acl_blocks_is_logged_without_what_proves_who_calls(dev: Template) -> None:
    logging = dev.only("aws_wafv2_web_acl_logging_configuration")
    assert logging["resource_arn"] == "${aws_wafv2_web_acl.api_web_acl.arn}"
    assert logging["redacted_fields"] == [
        {"single_header": {"name": "authorization"}},
        {"single_header": {"name": "x-amz-security-token"}},
        {"query_string": {}},
    ]
    (kept,) = logging["logging_filter"]["filter"]
    assert (logging["logging_filter"]["default_behavior"], kept["behavior"]) == ("DROP", "KEEP")
    assert kept["condition"] == [{"action_condition": {"action": "BLOCK"}}]
    acl = dev.only("aws_wafv2_web_acl")
    shown = [acl["visibility_config"], *(rule["visibility_config"] for rule in acl["rule"])]
    assert [one["sampled_requests_enabled"] for one in shown] == [False] * 4
    group = dev.named("aws_cloudwatch_log_group", "api_web_acl_logs")
    assert group["name"] == "aws-waf-logs-mlflow-dev"
    patterns = dev.policy("aws_kms_key", "log_key")["LogGroupsOfThisStack"]["Condition"]["ArnLike"]
    assert any(one.endswith(":aws-waf-logs-mlflow-dev") for one in next(iter(patterns.values())))


def test_a_private_api_has_no_web_acl(prod: Template) -> None:
    assert not [kind for kind in prod.document["resource"] if kind.startswith("aws_wafv2_")]
    assert "aws-waf-logs" not in json.dumps(prod.document)


def test_the_workspace_is_set_from_the_path(stack: Template) -> None:
    for integration in stack.resources("aws_api_gateway_integration").values():
        parameters = integration["request_parameters"]
        assert parameters["integration.request.header.X-MLFLOW-WORKSPACE"] == "method.request.path.team"
        assert integration["type"] == "HTTP_PROXY"
        assert integration["connection_type"] == "VPC_LINK"
        assert integration["uri"].startswith("https://")
    for method in stack.resources("aws_api_gateway_method").values():
        assert method["request_parameters"]["method.request.path.team"] is True


def test_the_server_is_sent_the_path_that_iam_decided_on(stack: Template) -> None:
    integrations = stack.resources("aws_api_gateway_integration")
    assert set(integrations) == {"api_team_integration", "api_proxy_integration"}
    for integration in integrations.values():
        parameters = integration["request_parameters"]
        assert parameters["integration.request.header.X-Gatehouse-Path"] == "context.path"
    # With the stage before it, which the server is told.
    stage = stack.only("aws_api_gateway_stage")["stage_name"]
    assert f'GATEHOUSE_API_STAGE="{stage}"\n' in stack.document["locals"]["server_user_data"]


def test_binary_content_passes(stack: Template) -> None:
    assert stack.only("aws_api_gateway_rest_api")["binary_media_types"] == ["*/*"]


def test_without_a_certificate_tls_passes_through_unverified(dev: Template) -> None:
    assert dev.only("aws_lb_listener")["protocol"] == "TCP"
    assert all(
        integration["tls_config"] == {"insecure_skip_verification": True}
        for integration in dev.resources("aws_api_gateway_integration").values()
    )


def test_with_a_certificate_the_gateway_verifies_the_name(synthesize: Synthesize) -> None:
    api = {**example("dev")["api"], "certificate_arn": CERTIFICATE, "domain": "mlflow.example.com"}
    template = synthesize("dev", api=api)
    listener = template.only("aws_lb_listener")
    assert (listener["protocol"], listener["certificate_arn"]) == ("TLS", "${var.certificate_arn}")
    assert template.only("aws_lb_target_group")["protocol"] == "TLS"
    assert template.document["variable"]["certificate_arn"]["default"] == CERTIFICATE
    for integration in template.resources("aws_api_gateway_integration").values():
        assert integration["tls_config"] == {"insecure_skip_verification": False}
        assert integration["uri"].startswith("https://mlflow.example.com/")
    assert "mlflow.example.com,mlflow.example.com:443" in template.document["locals"]["server_user_data"]


def test_the_load_balancer_is_entered_through_the_vpc_link_alone(stack: Template) -> None:
    load_balancer = stack.only("aws_lb")
    assert load_balancer["internal"] is True
    assert load_balancer["enforce_security_group_inbound_rules_on_private_link_traffic"] == "off"
    group = "${aws_security_group.firewall_load_balancer.id}"
    assert load_balancer["security_groups"] == [group]
    assert not stack.find("aws_vpc_security_group_ingress_rule", security_group_id=group)
    check = stack.only("aws_lb_target_group")["health_check"]
    assert (check["protocol"], check["path"]) == ("HTTPS", "/health")


def test_the_load_balancer_logs_to_the_bucket_that_admits_it(stack: Template) -> None:
    load_balancer = stack.only("aws_lb")
    assert load_balancer["access_logs"] == {
        "bucket": "${aws_s3_bucket.storage_access_logs.id}",
        "enabled": True,
        "prefix": "load-balancer",
    }
    # AWS tries whether it may write when the log is switched on.
    assert load_balancer["depends_on"] == ["aws_s3_bucket_policy.storage_access_logs_policy"]


def test_resource_policy_of_a_regional_api_only_denies(dev: Template) -> None:
    statements = dev.policy("aws_api_gateway_rest_api_policy", "api_policy")
    assert {statement["Effect"] for statement in statements.values()} == {"Deny"}


def test_resource_policy_of_a_private_api_leaves_the_decision_to_identity_policies(prod: Template) -> None:
    statements = prod.policy("aws_api_gateway_rest_api_policy", "api_policy")
    (allow,) = [statement for statement in statements.values() if statement["Effect"] == "Allow"]
    account = "arn:aws:iam::${data.aws_caller_identity.account.account_id}"
    # "Principal": "*" would let in every identity of the account without any identity policy.
    assert allow["Principal"] == {"AWS": f"{account}:root"}
    assert allow["Condition"] == {"ArnLike": {"aws:PrincipalArn": f"{account}:role/mlflow-prod/*"}}


def test_resource_policy_of_a_regional_api(dev: Template) -> None:
    statements = dev.policy("aws_api_gateway_rest_api_policy", "api_policy")
    assert statements["DenyOutsideNetwork"]["Condition"] == {
        "NotIpAddress": {"aws:SourceIp": ["198.51.100.0/24"]}
    }
    assert "DenyOtherAccounts" in statements


def test_resource_policy_of_a_private_api(prod: Template) -> None:
    statements = prod.policy("aws_api_gateway_rest_api_policy", "api_policy")
    assert statements["DenyOutsideEndpoints"]["Condition"] == {
        "StringNotEquals": {"aws:SourceVpce": ["${aws_vpc_endpoint.private_entry.id}"]}
    }
    assert statements["DenyOutsideNetwork"]["Condition"] == {
        "NotIpAddress": {"aws:VpcSourceIp": ["10.0.0.0/11", "172.20.0.0/16"]}
    }
    endpoint = prod.only("aws_api_gateway_rest_api")["endpoint_configuration"]
    assert endpoint == {"types": ["PRIVATE"], "vpc_endpoint_ids": ["${aws_vpc_endpoint.private_entry.id}"]}


def triggers(template: Template) -> dict[str, str]:
    """Return what replaces the deployment when it changes."""
    deployment = template.only("aws_api_gateway_deployment")
    assert deployment["lifecycle"] == {"create_before_destroy": True}
    found: dict[str, str] = deployment["triggers"]
    return found


@pytest.mark.parametrize(
    "change",
    [
        {"client_cidrs": ["203.0.113.0/24"]},
        {"certificate_arn": CERTIFICATE, "domain": "mlflow.example.com"},
        {"visibility": "private", "client_cidrs": ["172.16.0.0/16"]},
    ],
)
def test_deployment_is_replaced_when_the_api_changes(
    synthesize: Synthesize, dev: Template, change: dict[str, object]
) -> None:
    changed = synthesize("dev", api={**example("dev")["api"], **change})
    assert triggers(changed) != triggers(dev)
    assert triggers(changed)["definition"] != triggers(dev)["definition"]


@pytest.mark.parametrize("header", ["WORKSPACE_HEADER", "PATH_HEADER"])
def test_deployment_is_replaced_when_the_server_is_sent_something_else(
    synthesize: Synthesize, dev: Template, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    monkeypatch.setattr(f"modules.api.{header}", "integration.request.header.X-Another")
    assert triggers(synthesize("dev"))["definition"] != triggers(dev)["definition"]


def test_deployment_is_replaced_when_parameters_are_validated_otherwise(
    synthesize: Synthesize, dev: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modules.api.VALIDATES_PARAMETERS", False)
    assert triggers(synthesize("dev"))["definition"] != triggers(dev)["definition"]


def test_deployment_is_kept_when_something_else_changes(synthesize: Synthesize, dev: Template) -> None:
    throttled = {**example("dev")["api"], "throttle": {"burst": 7}}
    changed = synthesize("dev", teams=["another"], access={}, api=throttled)
    assert triggers(changed) == triggers(dev)


def test_deployment_follows_what_only_an_apply_knows(prod: Template) -> None:
    assert triggers(prod)["vpc_endpoints"] == "${aws_vpc_endpoint.private_entry.id}"
    assert triggers(prod)["host"] == "${aws_lb.load_balancer.dns_name}"


def test_access_log_names_caller_team_method_path_status_and_latency(stack: Template) -> None:
    settings = stack.only("aws_api_gateway_stage")["access_log_settings"]
    fields = json.loads(settings["format"])
    assert {"caller", "method", "path", "status", "latency_ms", "request_id"} <= set(fields)
    assert fields["caller"] == "$context.identity.userArn"
    # A caller could put a quote into its user agent, and with it write a field of its own.
    assert not {"user_agent", "authorize_error"} & set(fields)
    queries = stack.resources("aws_cloudwatch_query_definition").values()
    assert all("<team>" in query["query_string"] for query in queries)


def test_stage_is_measured_and_throttled(stack: Template) -> None:
    settings = stack.only("aws_api_gateway_method_settings")
    assert settings["method_path"] == "*/*"
    assert settings["settings"]["metrics_enabled"] is True
    assert settings["settings"]["data_trace_enabled"] is False
    assert settings["settings"]["throttling_rate_limit"] == "${var.requests_per_second}"


def test_the_account_log_role_is_left_alone_when_another_stack_has_it(synthesize: Synthesize) -> None:
    template = synthesize("dev", api={**example("dev")["api"], "manage_account_log_role": False})
    assert not template.resources("aws_api_gateway_account")
    assert "api_logs_role" not in template.resources("aws_iam_role")


@pytest.mark.parametrize(("environment", "host"), [
    ("dev", "https://${aws_api_gateway_rest_api.api_rest_api.id}.execute-api.eu-west-1.amazonaws.com/api"),
    (
        "prod",
        "https://${aws_api_gateway_rest_api.api_rest_api.id}-${aws_vpc_endpoint.private_entry.id}"
        ".execute-api.eu-west-1.amazonaws.com/api",
    ),
])  # fmt: skip
def test_each_team_has_a_tracking_uri(request: pytest.FixtureRequest, environment: str, host: str) -> None:
    template: Template = request.getfixturevalue(environment)
    uris = template.document["output"]["tracking_uris"]["value"]
    assert uris == {team: f"{host}/{team}" for team in example(environment)["teams"]}
