"""A small network as plain JSON: one private and one isolated subnet, and everything from the API to the database."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

Resources = dict[str, dict[str, dict[str, Any]]]

VPC = "${aws_vpc.v.id}"
PRIVATE, ISOLATED = "${aws_subnet.private.id}", "${aws_subnet.isolated.id}"
BALANCER, SERVER, DATABASE = (
    f"${{aws_security_group.{one}.id}}" for one in ("balancer", "server", "database")
)
PRIVATE_TABLE, ISOLATED_TABLE = "${aws_route_table.private.id}", "${aws_route_table.isolated.id}"
_INGRESS, _EGRESS = "aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"


def rule(group: str, port: int | None = None, **peer: str) -> dict[str, Any]:
    """A rule of a security group for one TCP port, or for everything."""
    ports = (
        {"ip_protocol": "-1"} if port is None else {"ip_protocol": "tcp", "from_port": port, "to_port": port}
    )
    return {"security_group_id": group, **ports, **peer}


def acl_rule(number: int, port: int, last: int | None = None, **attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A rule of the isolated subnet's network ACL."""
    return {
        "network_acl_id": "${aws_network_acl.isolated.id}",
        "rule_number": number,
        "rule_action": "allow",
        "protocol": "tcp",
        "from_port": port,
        "to_port": last or port,
        "cidr_block": "10.0.0.0/24",
        **attributes,
    }


_STACK: Resources = {
    "aws_vpc": {"v": {"cidr_block": "10.0.0.0/16"}},
    "aws_default_security_group": {"d": {"vpc_id": VPC}},
    "aws_subnet": {
        "private": {"vpc_id": VPC, "cidr_block": "10.0.0.0/24"},
        "isolated": {"vpc_id": VPC, "cidr_block": "10.0.1.0/24"},
    },
    "aws_route_table": {"private": {"vpc_id": VPC}, "isolated": {"vpc_id": VPC}},
    "aws_route_table_association": {
        "private": {"subnet_id": PRIVATE, "route_table_id": PRIVATE_TABLE},
        "isolated": {"subnet_id": ISOLATED, "route_table_id": ISOLATED_TABLE},
    },
    "aws_network_acl": {"isolated": {"vpc_id": VPC, "subnet_ids": [ISOLATED]}},
    "aws_network_acl_rule": {
        "in": acl_rule(100, 5432),
        "back": acl_rule(100, 1024, 65535, egress=True),
    },
    "aws_security_group": {
        name: {"name": name, "vpc_id": VPC} for name in ("balancer", "server", "database")
    },
    _EGRESS: {
        "balancer": rule(BALANCER, 8443, referenced_security_group_id=SERVER),
        "server": rule(SERVER, 5432, referenced_security_group_id=DATABASE),
    },
    _INGRESS: {
        "server": rule(SERVER, 8443, referenced_security_group_id=BALANCER),
        "database": rule(DATABASE, 5432, referenced_security_group_id=SERVER),
    },
    "aws_lb": {
        "b": {
            "name": "b",
            "internal": True,
            "load_balancer_type": "network",
            "subnets": [PRIVATE],
            "security_groups": [BALANCER],
            "enforce_security_group_inbound_rules_on_private_link_traffic": "off",
        }
    },
    "aws_lb_target_group": {"t": {"name": "t", "port": 8443, "protocol": "TCP", "vpc_id": VPC}},
    "aws_lb_listener": {
        "l": {
            "load_balancer_arn": "${aws_lb.b.arn}",
            "port": 443,
            "protocol": "TCP",
            "default_action": [{"type": "forward", "target_group_arn": "${aws_lb_target_group.t.arn}"}],
        }
    },
    "aws_launch_template": {"s": {"name": "s", "vpc_security_group_ids": [SERVER]}},
    "aws_autoscaling_group": {
        "s": {
            "name": "s",
            "vpc_zone_identifier": [PRIVATE],
            "target_group_arns": ["${aws_lb_target_group.t.arn}"],
            "launch_template": {"id": "${aws_launch_template.s.id}"},
        }
    },
    "aws_db_subnet_group": {"d": {"name": "d", "subnet_ids": [ISOLATED]}},
    "aws_db_instance": {
        "d": {
            "identifier": "d",
            "db_subnet_group_name": "${aws_db_subnet_group.d.name}",
            "vpc_security_group_ids": [DATABASE],
        }
    },
    "aws_api_gateway_rest_api": {"a": {"name": "a", "endpoint_configuration": {"types": ["REGIONAL"]}}},
    "aws_api_gateway_vpc_link": {"k": {"name": "k", "target_arns": ["${aws_lb.b.arn}"]}},
    "aws_api_gateway_integration": {
        "i": {
            "rest_api_id": "${aws_api_gateway_rest_api.a.id}",
            "type": "HTTP_PROXY",
            "connection_type": "VPC_LINK",
            "connection_id": "${aws_api_gateway_vpc_link.k.id}",
        }
    },
}


def network(**changed: Mapping[str, dict[str, Any] | None]) -> Resources:
    """The network with attributes changed: ``aws_lb={"b": {"internal": False}}``; None removes a resource."""
    found = deepcopy(_STACK)
    for kind, named in changed.items():
        for name, attributes in named.items():
            if attributes is None:
                del found[kind][name]
            else:
                found.setdefault(kind, {}).setdefault(name, {}).update(deepcopy(attributes))
    return found


def to_internet(table: str = PRIVATE_TABLE) -> dict[str, dict[str, Any]]:
    """An internet gateway, and a route to it from a table."""
    route = {"destination_cidr_block": "0.0.0.0/0", "gateway_id": "${aws_internet_gateway.g.id}"}
    return {
        "aws_internet_gateway": {"g": {"vpc_id": VPC}},
        "aws_route": {"out": {"route_table_id": table, **route}},
    }


def behind_nat() -> dict[str, dict[str, Any]]:
    """A NAT gateway in a public subnet, and a route to it from the private one."""
    public = to_internet("${aws_route_table.public.id}")
    return {
        **public,
        "aws_route": {
            **public["aws_route"],
            "nat": {
                "route_table_id": PRIVATE_TABLE,
                "destination_cidr_block": "0.0.0.0/0",
                "nat_gateway_id": "${aws_nat_gateway.n.id}",
            },
        },
        "aws_subnet": {"public": {"vpc_id": VPC, "cidr_block": "10.0.2.0/24"}},
        "aws_route_table": {"public": {"vpc_id": VPC}},
        "aws_route_table_association": {
            "public": {
                "subnet_id": "${aws_subnet.public.id}",
                "route_table_id": "${aws_route_table.public.id}",
            }
        },
        "aws_nat_gateway": {"n": {"subnet_id": "${aws_subnet.public.id}"}},
    }
