"""The API: who calls it, from where, as which team, and what is written down."""

from __future__ import annotations

from tests.mutations.edits import (
    added,
    both,
    changed,
    condition,
    drop,
    entry,
    insert,
    operator,
    policy,
    put,
    removed,
    text,
    unconditional,
    with_more,
    without,
)
from tests.mutations.mutation import Assigned, Mutation

DEV, PROD = "dev", "prod"
ACCOUNT = "${data.aws_caller_identity.account.account_id}"
API = "aws_api_gateway_rest_api.api_rest_api"
POLICY = "aws_api_gateway_rest_api_policy.api_policy"
PROXY = "aws_api_gateway_method.api_proxy_method"
TEAM = "aws_api_gateway_method.api_team_method"
PROXY_TO = "aws_api_gateway_integration.api_proxy_integration"
TEAM_TO = "aws_api_gateway_integration.api_team_integration"
STAGE = "aws_api_gateway_stage.api_stage"
SETTINGS = "aws_api_gateway_method_settings.api_settings"
FIREWALL = "aws_wafv2_web_acl.api_web_acl"
LINK = "aws_api_gateway_vpc_link.api_vpc_link"
HEADER = "integration.request.header.X-MLFLOW-WORKSPACE"

MUTATIONS = (
    # Methods.
    Mutation("api-none", "requests need no signature", PROD, PROXY, put("authorization", "NONE")),
    Mutation(
        "api-none-team",
        "requests for a team's start page need no signature",
        DEV,
        TEAM,
        put("authorization", "NONE"),
    ),
    Mutation(
        "api-custom",
        "a program decides who calls",
        PROD,
        PROXY,
        both(put("authorization", "CUSTOM"), insert("authorizer_id", "abc123")),
    ),
    Mutation("api-authorization-gone", "authorization is left out", DEV, PROXY, drop("authorization")),
    Mutation(
        "api-new-method",
        "one more method, without a signature",
        PROD,
        "aws_api_gateway_method.open",
        added(
            authorization="NONE",
            http_method="GET",
            resource_id="${aws_api_gateway_resource.api_proxy.id}",
            rest_api_id="${aws_api_gateway_rest_api.api_rest_api.id}",
        ),
    ),
    Mutation(
        "api-new-resource",
        "a path beside the teams",
        PROD,
        "aws_api_gateway_resource.open",
        added(
            path_part="public",
            parent_id="${aws_api_gateway_rest_api.api_rest_api.root_resource_id}",
            rest_api_id="${aws_api_gateway_rest_api.api_rest_api.id}",
        ),
    ),
    Mutation(
        "api-path",
        "the team is not in the path",
        PROD,
        "aws_api_gateway_resource.api_team",
        put("path_part", "mlflow"),
    ),
    Mutation(
        "api-path-moved",
        "the proxy lies at the root",
        DEV,
        "aws_api_gateway_resource.api_proxy",
        put("parent_id", "${aws_api_gateway_rest_api.api_rest_api.root_resource_id}"),
    ),
    # Which team a request is of.
    Mutation(
        "api-header-client",
        "the client says of which team it is",
        PROD,
        PROXY_TO,
        entry("request_parameters", HEADER, "method.request.header.X-MLFLOW-WORKSPACE"),
    ),
    Mutation(
        "api-header-gone",
        "nobody says of which team a request is",
        DEV,
        PROXY_TO,
        entry("request_parameters", HEADER, None),
    ),
    Mutation(
        "api-header-fixed",
        "every request is of team fraud",
        PROD,
        TEAM_TO,
        entry("request_parameters", HEADER, "'fraud'"),
    ),
    Mutation(
        "api-header-query",
        "the address's query says of which team a request is",
        DEV,
        TEAM_TO,
        entry("request_parameters", HEADER, "method.request.querystring.team"),
    ),
    Mutation(
        "api-header-all-gone",
        "a request for a start page is of no team",
        PROD,
        TEAM_TO,
        drop("request_parameters"),
    ),
    Mutation(
        "api-header-more",
        "the client chooses one more header",
        PROD,
        TEAM_TO,
        entry("request_parameters", "integration.request.header.Authorization", "method.request.header.X-A"),
    ),
    Mutation(
        "api-proxy-path",
        "another path than the one that IAM decided on",
        PROD,
        PROXY_TO,
        entry("request_parameters", "integration.request.path.proxy", "method.request.querystring.path"),
    ),
    Mutation(
        "api-path-header",
        "the server is not told the path that IAM decided on",
        PROD,
        PROXY_TO,
        entry("request_parameters", "integration.request.header.X-Gatehouse-Path", None),
    ),
    Mutation(
        "api-path-header-client",
        "the client says which path IAM decided on",
        DEV,
        TEAM_TO,
        entry(
            "request_parameters",
            "integration.request.header.X-Gatehouse-Path",
            "method.request.header.X-Gatehouse-Path",
        ),
    ),
    # Where a request goes.
    Mutation(
        "api-plain",
        "requests go to the server without TLS",
        PROD,
        PROXY_TO,
        put("uri", "http://${aws_lb.load_balancer.dns_name}/{proxy}"),
    ),
    Mutation(
        "api-elsewhere",
        "requests go to somebody else",
        PROD,
        PROXY_TO,
        both(
            put("connection_type", "INTERNET"),
            drop("connection_id"),
            put("uri", "https://example.net/{proxy}"),
        ),
    ),
    Mutation(
        "api-elsewhere-link",
        "requests go through the link to another host",
        DEV,
        TEAM_TO,
        put("uri", "https://example.net/"),
    ),
    Mutation("api-mock", "the gateway answers itself", DEV, TEAM_TO, put("type", "MOCK")),
    Mutation(
        "api-link",
        "the link leads to another load balancer",
        PROD,
        LINK,
        put(
            "target_arns",
            ["arn:aws:elasticloadbalancing:eu-west-1:444455556666:loadbalancer/net/theirs/0123456789abcdef"],
        ),
    ),
    # The API's own policy.
    Mutation("api-policy", "no policy", PROD, POLICY, removed, (API,)),
    Mutation(
        "api-accounts",
        "other accounts are not denied",
        PROD,
        POLICY,
        policy(without("DenyOtherAccounts")),
        (API,),
    ),
    Mutation(
        "api-accounts-null",
        "other accounts are denied only if they say so",
        DEV,
        POLICY,
        policy(
            operator("DenyOtherAccounts", "StringNotEquals", "StringNotEqualsIfExists"),
            with_more(
                "OtherAccounts",
                Principal={"AWS": "444455556666"},
                Action="execute-api:Invoke",
                Resource="${aws_api_gateway_rest_api.api_rest_api.execution_arn}/*",
            ),
        ),
        (API,),
    ),
    Mutation(
        "api-personas",
        "whoever may call any API calls this one",
        DEV,
        POLICY,
        policy(without("DenyAllButPersonas")),
        (API,),
    ),
    Mutation(
        "api-personas-any",
        "any principal counts as a persona",
        DEV,
        POLICY,
        policy(condition("DenyAllButPersonas", "ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::*:*")),
        (API,),
    ),
    Mutation(
        "api-personas-role",
        "any role counts as a persona",
        PROD,
        POLICY,
        text(f"arn:aws:iam::{ACCOUNT}:role/mlflow-prod/*", f"arn:aws:iam::{ACCOUNT}:role/*"),
        (API,),
    ),
    Mutation(
        "api-personas-only-denied",
        "personas alone are denied",
        DEV,
        POLICY,
        policy(operator("DenyAllButPersonas", "ArnNotLike", "ArnLike")),
        (API,),
    ),
    Mutation(
        "api-endpoints",
        "requests through other endpoints",
        PROD,
        POLICY,
        policy(without("DenyOutsideEndpoints")),
        (API,),
    ),
    Mutation(
        "api-endpoint-more",
        "requests through one more endpoint",
        PROD,
        POLICY,
        policy(
            condition(
                "DenyOutsideEndpoints",
                "StringNotEquals",
                "aws:SourceVpce",
                ["${aws_vpc_endpoint.private_entry.id}", "vpce-0123456789abcdef0"],
            )
        ),
        (API,),
        assigned=Assigned.PROOF,
        reason="which endpoints are the clients' own, only the environment file says",
    ),
    Mutation(
        "api-network", "requests from anywhere", DEV, POLICY, policy(without("DenyOutsideNetwork")), (API,)
    ),
    Mutation(
        "api-network-open",
        "every address counts as the own network",
        DEV,
        POLICY,
        policy(condition("DenyOutsideNetwork", "NotIpAddress", "aws:SourceIp", ["0.0.0.0/0"])),
        (API,),
    ),
    Mutation(
        "api-network-key",
        "a key that requests do not have tells the address",
        PROD,
        POLICY,
        text("aws:VpcSourceIp", "aws:SourceIp"),
        (API,),
    ),
    Mutation(
        "api-network-reads",
        "addresses count for reads alone",
        DEV,
        POLICY,
        policy(
            changed(
                "DenyOutsideNetwork",
                Resource="${aws_api_gateway_rest_api.api_rest_api.execution_arn}/api/GET/*",
            )
        ),
        (API,),
    ),
    Mutation(
        "api-network-mfa",
        "a second factor stands for the address",
        DEV,
        POLICY,
        text(
            '"Condition":{"NotIpAddress"',
            '"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"false"},"NotIpAddress"',
        ),
        (API,),
    ),
    Mutation(
        "api-delegate",
        "whoever it is counts as allowed",
        PROD,
        POLICY,
        policy(unconditional("DelegateToIdentityPolicies")),
        (API,),
    ),
    Mutation(
        "api-public",
        "everybody is allowed",
        DEV,
        POLICY,
        policy(
            with_more(
                "Open",
                Principal="*",
                Action="execute-api:Invoke",
                Resource="${aws_api_gateway_rest_api.api_rest_api.execution_arn}/*",
            )
        ),
        (API,),
    ),
    Mutation(
        "api-allowed",
        "the Deny of other accounts allows them",
        PROD,
        POLICY,
        policy(changed("DenyOtherAccounts", Effect="Allow")),
        (API,),
    ),
    # The API itself.
    Mutation(
        "api-visible",
        "the private API is public",
        PROD,
        API,
        put("endpoint_configuration", {"types": ["REGIONAL"]}),
        concerns=("aws_api_gateway_stage.api_stage",),
    ),
    Mutation("api-edge", "the API is at the edge", DEV, API, put("endpoint_configuration.types", ["EDGE"])),
    Mutation(
        "api-other-endpoint",
        "the private API is at another endpoint",
        PROD,
        API,
        put("endpoint_configuration.vpc_endpoint_ids", ["vpce-0123456789abcdef0"]),
        assigned=Assigned.PROOF,
        reason="which endpoints are the clients' own, only the environment file says",
    ),
    Mutation(
        "api-inline-policy",
        "a policy within the API",
        DEV,
        API,
        insert(
            "policy",
            '{"Version":"2012-10-17","Statement":[{"Sid":"Open","Effect":"Allow","Principal":"*",'
            '"Action":"execute-api:Invoke","Resource":"*"}]}',
        ),
    ),
    Mutation(
        "api-imported",
        "the API is what an OpenAPI text says",
        DEV,
        API,
        insert("body", '{"openapi":"3.0.1","paths":{}}'),
    ),
    # The firewall in front of a public API.
    Mutation(
        "api-firewall",
        "no firewall",
        DEV,
        "aws_wafv2_web_acl_association.api_web_acl_association",
        removed,
        (STAGE, FIREWALL),
    ),
    Mutation(
        "api-firewall-open",
        "the firewall lets everybody in",
        DEV,
        FIREWALL,
        put("default_action", {"allow": {}}),
    ),
    Mutation("api-firewall-rule", "the firewall does not know bad input", DEV, FIREWALL, drop("rule.0")),
    Mutation(
        "api-firewall-counts",
        "the firewall counts bad input and lets it in",
        DEV,
        FIREWALL,
        put("rule.0.override_action", {"count": {}}),
    ),
    Mutation(
        "api-firewall-world",
        "the firewall takes half of the world for clients",
        DEV,
        "aws_wafv2_ip_set.api_web_acl_clients",
        put("addresses", ["0.0.0.0/1"]),
        (FIREWALL,),
    ),
    Mutation(
        "api-firewall-log",
        "nobody sees what the firewall refused",
        DEV,
        "aws_wafv2_web_acl_logging_configuration.api_web_acl_logging",
        removed,
        (FIREWALL,),
    ),
    Mutation(
        "api-validator",
        "the gateway validates nothing",
        PROD,
        "aws_api_gateway_request_validator.api_validator",
        put("validate_request_parameters", False),
        (PROXY, TEAM),
    ),
    # The stage.
    Mutation("api-access-log", "nobody sees who calls", PROD, STAGE, drop("access_log_settings")),
    Mutation(
        "api-access-log-caller",
        "the access log leaves out the caller",
        DEV,
        STAGE,
        put("access_log_settings.format", '{"path":"$context.path","status":"$context.status"}'),
    ),
    Mutation(
        "api-access-log-elsewhere",
        "the access log goes elsewhere",
        PROD,
        STAGE,
        put("access_log_settings.destination_arn", "arn:aws:logs:eu-west-1:444455556666:log-group:theirs"),
    ),
    Mutation(
        "api-execution-log", "errors are not logged", PROD, SETTINGS, put("settings.logging_level", "OFF")
    ),
    Mutation(
        "api-data-trace",
        "whole requests are logged",
        PROD,
        SETTINGS,
        put("settings.data_trace_enabled", True),
    ),
    Mutation("api-settings", "the stage's settings are the default", DEV, SETTINGS, removed, (STAGE,)),
    Mutation(
        "api-settings-path", "the settings are for one path", PROD, SETTINGS, put("method_path", "{team}/GET")
    ),
    Mutation(
        "api-throttle",
        "no limit on requests",
        DEV,
        SETTINGS,
        both(drop("settings.throttling_burst_limit"), drop("settings.throttling_rate_limit")),
    ),
    Mutation(
        "api-cache",
        "answers are kept, for whoever asks next",
        PROD,
        SETTINGS,
        insert("settings.caching_enabled", True),
    ),
    Mutation(
        "api-cache-stage",
        "answers are kept",
        DEV,
        STAGE,
        both(insert("cache_cluster_enabled", True), insert("cache_cluster_size", "0.5")),
    ),
    Mutation(
        "api-canary",
        "some requests go to another deployment",
        PROD,
        STAGE,
        insert("canary_settings", {"deployment_id": "abc123", "percent_traffic": 50}),
    ),
    Mutation(
        "api-deployment",
        "the stage serves a deployment of another time",
        PROD,
        STAGE,
        put("deployment_id", "abc123"),
    ),
    Mutation(
        "api-new-stage",
        "one more stage, without a log",
        PROD,
        "aws_api_gateway_stage.side",
        added(
            stage_name="side",
            rest_api_id="${aws_api_gateway_rest_api.api_rest_api.id}",
            deployment_id="${aws_api_gateway_deployment.api_deployment.id}",
        ),
        (API,),
    ),
    Mutation("api-new-api", "one more API", DEV, "aws_api_gateway_rest_api.side", added(name="side")),
    Mutation(
        "api-http",
        "an API of the other kind, without a signature",
        DEV,
        "aws_apigatewayv2_api.side",
        added(name="side", protocol_type="HTTP", target="https://example.net"),
    ),
    Mutation(
        "api-domain",
        "an address that takes old TLS",
        DEV,
        "aws_api_gateway_domain_name.old",
        added(
            domain_name="mlflow.example.com",
            security_policy="TLS_1_0",
            regional_certificate_arn="arn:aws:acm:eu-west-1:111122223333:certificate/1",
        ),
    ),
    Mutation(
        "api-log-role",
        "another role writes the API's logs",
        PROD,
        "aws_api_gateway_account.api_account",
        put("cloudwatch_role_arn", "arn:aws:iam::444455556666:role/theirs"),
    ),
    Mutation(
        "api-wider-network",
        "the own network is larger than it was",
        DEV,
        POLICY,
        policy(condition("DenyOutsideNetwork", "NotIpAddress", "aws:SourceIp", ["198.51.100.0/22"])),
        (API,),
        Assigned.PROOF,
        "what the own network is, only the environment file says; the access diff shows it",
    ),
)
