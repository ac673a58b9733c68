"""The network and the firewall: what exists, and above all what does not."""

from __future__ import annotations

import json

import pytest

from tests.synth.conftest import Synthesize
from tests.synth.template import Template

ANYWHERE = "0.0.0.0/0"
EXISTING = {
    "existing": {
        "vpc_id": "vpc-0123456789abcdef0",
        "server_subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        "database_subnet_ids": ["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"],
        "egress": "none",
        "endpoint_security_group_ids": ["sg-0123456789abcdef0"],
    }
}


def test_subnets_cover_every_tier_in_every_zone(dev: Template, prod: Template) -> None:
    names = set(prod.resources("aws_subnet"))
    assert names == {f"network_{tier}_{zone}" for tier in ("private", "isolated") for zone in range(3)}
    names = set(dev.resources("aws_subnet"))
    assert names == {
        f"network_{tier}_{zone}" for tier in ("private", "isolated", "public") for zone in range(2)
    }


def test_subnets_are_in_the_zones_that_the_file_names(synthesize: Synthesize, prod: Template) -> None:
    def zones(template: Template) -> dict[str, str]:
        return {name: each["availability_zone"] for name, each in template.resources("aws_subnet").items()}

    assert zones(prod)["network_private_2"] == "eu-west-1c"
    create = {"cidr": "10.40.0.0/18", "availability_zones": ["c", "a"], "egress": "none"}
    assert zones(synthesize("prod", network={"create": create})) == {
        "network_private_0": "eu-west-1c",
        "network_private_1": "eu-west-1a",
        "network_isolated_0": "eu-west-1c",
        "network_isolated_1": "eu-west-1a",
    }


def test_a_zone_that_is_not_there_stops_a_plan(dev: Template) -> None:
    zones = dev.document["data"]["aws_availability_zones"]["network_zones"]
    assert zones["filter"] == [{"name": "zone-name", "values": ["eu-west-1a", "eu-west-1b"]}]
    # One that is out of order is still there, and its plan is the one that is needed.
    assert "state" not in zones
    (condition,) = zones["lifecycle"]["postcondition"]
    assert condition["condition"] == "${(length(self.names) == 2)}"


def test_no_subnet_gives_out_public_addresses(stack: Template) -> None:
    assert all(
        subnet["map_public_ip_on_launch"] is False for subnet in stack.resources("aws_subnet").values()
    )


def test_without_egress_there_is_no_route_to_the_internet(prod: Template) -> None:
    for kind in (
        "aws_internet_gateway",
        "aws_nat_gateway",
        "aws_eip",
        "aws_route",
        "aws_egress_only_internet_gateway",
    ):
        assert not prod.resources(kind), kind
    assert ANYWHERE not in json.dumps(prod.document["resource"])


def test_with_nat_the_internet_is_reached_by_https_from_servers_alone(dev: Template) -> None:
    rules = dev.find("aws_vpc_security_group_egress_rule", cidr_ipv4=ANYWHERE)
    assert [(rule["from_port"], rule["to_port"], rule["ip_protocol"]) for rule in rules] == [
        (443, 443, "tcp")
    ]
    assert rules[0]["security_group_id"] == "${aws_security_group.firewall_server.id}"
    assert not dev.find("aws_vpc_security_group_ingress_rule", cidr_ipv4=ANYWHERE)
    default_routes = dev.find("aws_route", destination_cidr_block=ANYWHERE)
    assert sorted("nat_gateway_id" in route for route in default_routes) == [False, True, True]


def test_one_nat_gateway_or_one_in_each_zone(synthesize: Synthesize, dev: Template) -> None:
    assert len(dev.resources("aws_nat_gateway")) == 1
    network = {
        "create": {
            "cidr": "10.0.0.0/16",
            "availability_zones": ["a", "b", "c"],
            "egress": "nat",
            "nat_gateway_per_zone": True,
        }
    }
    template = synthesize("dev", network=network)
    assert len(template.resources("aws_nat_gateway")) == 3
    used = [
        route["nat_gateway_id"]
        for route in template.resources("aws_route").values()
        if "nat_gateway_id" in route
    ]
    assert len(set(used)) == 3


def test_isolated_subnets_have_no_route_and_an_acl_for_postgresql_alone(stack: Template) -> None:
    table = "${aws_route_table.network_isolated_routes.id}"
    assert "route" not in stack.named("aws_route_table", "network_isolated_routes")
    assert not stack.find("aws_route", route_table_id=table)
    rules = stack.resources("aws_network_acl_rule").values()
    private = {
        subnet["cidr_block"] for name, subnet in stack.resources("aws_subnet").items() if "_private_" in name
    }
    inbound = {
        (rule["cidr_block"], rule["from_port"], rule["to_port"]) for rule in rules if not rule["egress"]
    }
    assert inbound == {(cidr, 5432, 5432) for cidr in private}
    assert all(rule["rule_action"] == "allow" and rule["protocol"] == "tcp" for rule in rules)


def test_default_security_group_is_emptied(stack: Template) -> None:
    group = stack.only("aws_default_security_group")
    assert "ingress" not in group
    assert "egress" not in group


def test_flows_are_logged_to_an_encrypted_group(stack: Template) -> None:
    flow_log = stack.only("aws_flow_log")
    assert flow_log["traffic_type"] == "ALL"
    assert flow_log["log_destination"] == "${aws_cloudwatch_log_group.flow_logs.arn}"


def test_no_security_group_has_inline_rules_and_every_rule_is_described(stack: Template) -> None:
    for group in stack.resources("aws_security_group").values():
        assert "ingress" not in group
        assert "egress" not in group
        assert group["description"]
    for kind in ("aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"):
        for name, rule in stack.resources(kind).items():
            assert rule["description"], name
            assert rule["ip_protocol"] == "tcp", name


def connections(template: Template) -> set[tuple[str, str, int]]:
    """Return (group, direction and peer, port) of every rule."""
    found = set()
    for direction in ("ingress", "egress"):
        for rule in template.resources(f"aws_vpc_security_group_{direction}_rule").values():
            group = rule["security_group_id"].split(".")[1].removeprefix("firewall_")
            peer = next(
                rule[key]
                for key in ("referenced_security_group_id", "prefix_list_id", "cidr_ipv4")
                if key in rule
            )
            peer = (
                peer.split(".")[1].removeprefix("firewall_")
                if peer.startswith("$") and "aws_security" in peer
                else peer
            )
            assert rule["from_port"] == rule["to_port"]
            found.add((group, f"{'from' if direction == 'ingress' else 'to'} {peer}", rule["from_port"]))
    return found


COMMON = {
    ("load_balancer", "to server", 8443),
    ("server", "from load_balancer", 8443),
    ("server", "to database", 5432),
    ("database", "from server", 5432),
    ("server", "to ${data.aws_prefix_list.firewall_s3_prefix_list.id}", 443),
}


def test_connections_of_dev_are_these_and_no_others(dev: Template) -> None:
    assert connections(dev) == COMMON | {("server", f"to {ANYWHERE}", 443)}


def test_connections_of_prod_are_these_and_no_others(prod: Template) -> None:
    assert connections(prod) == COMMON | {
        ("server", "to endpoints", 443),
        ("endpoints", "from server", 443),
        ("execute_api", "from 10.0.0.0/11", 443),
        ("execute_api", "from 172.20.0.0/16", 443),
    }


def test_private_api_admits_exactly_the_named_groups(synthesize: Synthesize) -> None:
    api = {"visibility": "private", "client_security_groups": ["sg-0aaaaaaaaaaaaaaa1"]}
    template = synthesize("prod", api=api)
    rules = template.find(
        "aws_vpc_security_group_ingress_rule",
        security_group_id="${aws_security_group.firewall_execute_api.id}",
    )
    assert [rule["referenced_security_group_id"] for rule in rules] == ["sg-0aaaaaaaaaaaaaaa1"]


def test_existing_execute_api_endpoints_are_used_and_none_is_made(synthesize: Synthesize) -> None:
    template = synthesize(
        "prod", api={"visibility": "private", "vpc_endpoint_ids": ["vpce-0123456789abcdef0"]}
    )
    assert not any(
        "execute-api" in endpoint["service_name"]
        for endpoint in template.resources("aws_vpc_endpoint").values()
    )
    api = template.only("aws_api_gateway_rest_api")
    assert api["endpoint_configuration"]["vpc_endpoint_ids"] == ["vpce-0123456789abcdef0"]


def test_endpoints_where_there_is_no_internet(dev: Template, prod: Template) -> None:
    services = {name.removeprefix("endpoints_") for name in prod.resources("aws_vpc_endpoint")} - {
        "private_entry"
    }
    assert services == {
        "s3", "ssm", "ssmmessages", "ec2messages", "secretsmanager", "kms", "logs", "sts", "monitoring", "autoscaling",
    }  # fmt: skip
    assert set(dev.resources("aws_vpc_endpoint")) == {"endpoints_s3"}


def test_interface_endpoints_when_asked_for(synthesize: Synthesize) -> None:
    network = {"create": {"cidr": "10.0.0.0/20", "egress": "nat", "interface_endpoints": True}}
    template = synthesize("dev", network=network)
    assert len(template.resources("aws_vpc_endpoint")) == 10
    assert ("server", "to endpoints", 443) in connections(template)


@pytest.mark.parametrize(
    "service", ["ssm", "secretsmanager", "kms", "logs", "sts", "monitoring", "ssmmessages"]
)
def test_endpoint_policies_let_the_server_role_alone_do_what_it_needs(prod: Template, service: str) -> None:
    statement = prod.policy("aws_vpc_endpoint", f"endpoints_{service}")["ServerRoleOnly"]
    assert all("*" not in action for action in statement["Action"])
    assert statement["Condition"]["ArnEquals"]["aws:PrincipalArn"].endswith(":role/mlflow-prod-server")


def test_s3_endpoint_opens_own_buckets_and_amazon_linux_for_reading(stack: Template) -> None:
    statements = stack.policy("aws_vpc_endpoint", "endpoints_s3")
    assert set(statements) == {"ServerReadsOwnBuckets", "AmazonLinuxPackages"}
    assert statements["ServerReadsOwnBuckets"]["Action"] == ["s3:GetObject", "s3:ListBucket"]
    assert statements["AmazonLinuxPackages"]["Action"] == "s3:GetObject"
    assert statements["AmazonLinuxPackages"]["Resource"] == "arn:aws:s3:::al2023-repos-eu-west-1-de612dc2/*"


def test_private_entry_leads_to_this_api_alone(prod: Template) -> None:
    statement = prod.policy("aws_vpc_endpoint_policy", "private_entry_policy")["PersonasCallThisApi"]
    assert statement["Resource"] == "${aws_api_gateway_rest_api.api_rest_api.execution_arn}/*"
    assert statement["Condition"]["ArnLike"]["aws:PrincipalArn"].endswith(":role/mlflow-prod/*")
    assert prod.named("aws_vpc_endpoint", "private_entry")["private_dns_enabled"] is False


def test_existing_vpc_is_used_and_not_changed(synthesize: Synthesize) -> None:
    template = synthesize("prod", network=EXISTING)
    made = {kind for kind, _, _ in template.all()}
    assert not made & {
        "aws_vpc",
        "aws_subnet",
        "aws_route",
        "aws_route_table",
        "aws_network_acl",
        "aws_flow_log",
    }
    assert template.only("aws_db_subnet_group")["subnet_ids"] == EXISTING["existing"]["database_subnet_ids"]
    assert ("server", "to sg-0123456789abcdef0", 443) in connections(template)
