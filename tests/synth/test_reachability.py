"""Reachability of what is synthesized: nothing is found in it, and every hole that is put into it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gatehouse.document import read_document
from gatehouse.reachability import INVARIANTS, Kind, Outcome, Verdict, build_graph, judge
from tests.synth.conftest import Synthesize
from tests.synth.template import Template
from tests.synth.test_network import EXISTING

INGRESS, EGRESS = "aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"
VPC = "${aws_vpc.network_vpc.id}"
SERVER, DATABASE, BALANCER = (
    f"${{aws_security_group.firewall_{name}.id}}" for name in ("server", "database", "load_balancer")
)
ANYWHERE = {"cidr_ipv4": "0.0.0.0/0"}
PUBLIC_TABLE = "${aws_route_table.network_public_routes.id}"
GATEWAY = "${aws_internet_gateway.network_internet.id}"
Resources = dict[str, dict[str, dict[str, Any] | None]]


def rule(group: str, port: int, **peer: str) -> dict[str, Any]:
    return {"security_group_id": group, "ip_protocol": "tcp", "from_port": port, "to_port": port, **peer}


def verdicts(
    template: Template, folder: Path, changed: Resources, *, no_egress: bool = False
) -> tuple[Verdict, ...]:
    """The verdicts on a stack with attributes of resources changed; None removes a resource."""
    path = folder / "cdk.tf.json"
    content = json.loads(json.dumps(template.document))
    for kind, named in changed.items():
        for name, attributes in named.items():
            there = content["resource"].setdefault(kind, {})
            if attributes is None:
                del there[name]
            else:
                there[name] = {**there.get(name, {}), **attributes}
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")
    return judge(read_document(path), no_egress=no_egress)


#: Invariant, environment, what is changed, and addresses that the way must name.
HOLES: list[tuple[str, str, Resources, set[str]]] = [
    (
        "NW01",
        "dev",
        {
            "aws_route_table_association": {
                "network_private_association_1": {"route_table_id": PUBLIC_TABLE}
            },
            "aws_launch_template": {
                "server_template": {
                    "network_interfaces": [
                        {"associate_public_ip_address": "true", "security_groups": [SERVER]}
                    ]
                }
            },
            INGRESS: {"hole": rule(SERVER, 8443, **ANYWHERE)},
        },
        {"aws_route.network_public_internet", f"{INGRESS}.hole"},
    ),
    (
        "NW01",
        "dev",
        {
            "aws_lb": {
                "load_balancer": {"internal": False, "subnets": ["${aws_subnet.network_public_0.id}"]}
            },
            INGRESS: {"hole": rule(BALANCER, 443, **ANYWHERE)},
        },
        {"aws_lb.load_balancer.internal", "aws_route.network_public_internet", f"{INGRESS}.hole"},
    ),
    ("NW02", "prod", {INGRESS: {"hole": rule(SERVER, 8443, cidr_ipv4="172.20.0.0/16")}}, {f"{INGRESS}.hole"}),
    ("NW03", "dev", {INGRESS: {"hole": rule(DATABASE, 5432, cidr_ipv4="10.0.0.0/8")}}, {f"{INGRESS}.hole"}),
    (
        "NW03",
        "prod",
        {INGRESS: {"hole": rule(DATABASE, 5432, referenced_security_group_id="444455556666/sg-1")}},
        {f"{INGRESS}.hole"},
    ),
    ("NW04", "prod", {INGRESS: {"hole": rule(SERVER, 8443, cidr_ipv4="10.40.0.0/18")}}, {f"{INGRESS}.hole"}),
    ("NW05", "dev", {INGRESS: {"hole": rule(BALANCER, 443, cidr_ipv4="10.20.0.0/20")}}, {f"{INGRESS}.hole"}),
    (
        "NW06",
        "dev",
        {
            EGRESS: {"hole": rule(DATABASE, 443, **ANYWHERE)},
            "aws_network_acl": {"network_isolated_acl": {"subnet_ids": []}},
            "aws_route": {
                "hole": {
                    "route_table_id": "${aws_route_table.network_isolated_routes.id}",
                    "destination_cidr_block": "0.0.0.0/0",
                    "nat_gateway_id": "${aws_nat_gateway.network_nat_0.id}",
                }
            },
        },
        {f"{EGRESS}.hole", "aws_route.hole"},
    ),
    (
        "NW07",
        "prod",
        {
            "aws_vpc_peering_connection": {"p": {"vpc_id": VPC}},
            "aws_route": {
                "hole": {
                    "route_table_id": "${aws_route_table.network_private_routes_1.id}",
                    "destination_cidr_block": "198.51.100.0/24",
                    "vpc_peering_connection_id": "${aws_vpc_peering_connection.p.id}",
                }
            },
            EGRESS: {"hole": rule(SERVER, 443, cidr_ipv4="198.51.100.0/24")},
        },
        {f"{EGRESS}.hole", "aws_route.hole"},
    ),
    ("NW08", "prod", {INGRESS: {"hole": rule(SERVER, 22, cidr_ipv4="172.20.0.0/16")}}, {f"{INGRESS}.hole"}),
    (
        "NW09",
        "prod",
        {"aws_default_security_group": {"network_default_security_group": None}},
        {"aws_vpc.network_vpc"},
    ),
    ("NW10", "prod", {EGRESS: {"firewall_server_to_database": None}}, set()),
    (
        "NW11",
        "prod",
        {
            "aws_api_gateway_integration": {
                "api_team_integration": {"connection_type": "INTERNET", "uri": "https://example.net/"}
            }
        },
        {"aws_api_gateway_integration.api_team_integration"},
    ),
]


@pytest.mark.parametrize(
    ("id_", "environment", "changed", "named"), HOLES, ids=[f"{one[0]}-{n}" for n, one in enumerate(HOLES)]
)
def test_a_hole_in_a_stack_is_found(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    id_: str,
    environment: str,
    changed: Resources,
    named: set[str],
) -> None:
    template: Template = request.getfixturevalue(environment)
    found = {one.invariant.id: one for one in verdicts(template, tmp_path, changed)}
    assert found[id_].outcome is Outcome.FAILED
    told = [" ".join((*one.hops, *map(str, one.reasons))) for one in found[id_].failures]
    assert any(all(address in one for address in named) for one in told), told


def test_every_invariant_has_a_hole_in_a_stack() -> None:
    assert {one.id for one in INVARIANTS} == {one[0] for one in HOLES}


def test_nothing_is_found_in_a_stack(stack: Template, tmp_path: Path) -> None:
    found = verdicts(stack, tmp_path, {})
    assert [one.invariant.id for one in found if not one.sound] == []


def test_a_stack_without_nat_is_asked_whether_anything_leads_out(
    dev: Template, prod: Template, tmp_path: Path
) -> None:
    outcomes = {
        name: {one.invariant.id: one.outcome for one in verdicts(template, tmp_path, {})}["NW07"]
        for name, template in (("dev", dev), ("prod", prod))
    }
    assert outcomes == {"dev": Outcome.NOT_ASKED, "prod": Outcome.PASSED}
    told = {one.invariant.id: one for one in verdicts(dev, tmp_path, {}, no_egress=True)}["NW07"]
    assert told.outcome is Outcome.FAILED
    assert [edge.target.kind for edge in told.failures[-1].path] == [Kind.NAT, Kind.INTERNET]


def test_every_interface_endpoint_is_reached_by_the_servers_alone(prod: Template, tmp_path: Path) -> None:
    path = tmp_path / "cdk.tf.json"
    path.write_text(json.dumps(prod.document), encoding="utf-8")
    found = build_graph(read_document(path))
    entry = {one for one in found.of(Kind.ENDPOINT) if "execute-api" in one.label}
    called = {edge.target for edge in found.edges if edge.source.kind is Kind.SERVER}
    assert set(found.of(Kind.ENDPOINT)) - entry <= called
    assert not entry & called


def test_a_vpc_of_somebody_else_is_judged_by_groups_alone(synthesize: Synthesize, tmp_path: Path) -> None:
    found = {one.invariant.id: one for one in verdicts(synthesize("prod", network=EXISTING), tmp_path, {})}
    assert [one for one in found.values() if not one.sound] == []
    assert {one.invariant.id for one in found.values() if one.outcome is Outcome.NOT_ASKED} == {
        "NW07",
        "NW09",
    }
    assert any("outside the document" in one for one in found["NW03"].assumptions)
