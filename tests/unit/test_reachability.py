"""Reachability: ranges, what filters and leads connections, and every invariant with a hole of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gatehouse.document import Placeholders, read_document
from gatehouse.errors import InputError
from gatehouse.reachability import INVARIANTS, Graph, Kind, Outcome, Verdict, build_graph, judge
from gatehouse.reachability.ranges import (
    EVERY_PORT,
    PRIVATE,
    PUBLIC,
    Ranges,
    addresses,
    ports,
    ports_text,
)
from tests.unit.network_documents import (
    BALANCER,
    DATABASE,
    ISOLATED_TABLE,
    PRIVATE_TABLE,
    SERVER,
    VPC,
    acl_rule,
    behind_nat,
    network,
    rule,
    to_internet,
)
from tests.unit.network_documents import (
    PRIVATE as PRIVATE_SUBNET,
)
from tests.unit.stacks import Stack, stack_in

INGRESS, EGRESS = "aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"
ENDPOINT = {
    "vpc_id": VPC,
    "vpc_endpoint_type": "Interface",
    "subnet_ids": [PRIVATE_SUBNET],
    "security_group_ids": ["${aws_security_group.entry.id}"],
}
ENTRY_GROUP = {"entry": {"name": "entry", "vpc_id": VPC}}
Changed = dict[str, dict[str, Any]]


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return stack_in(tmp_path)


def verdict(stack: Stack, id_: str, changed: Changed, *, no_egress: bool = False) -> Verdict:
    """The verdict on one invariant in the small network with something changed."""
    found = judge(stack(network(**changed)), no_egress=no_egress)
    return next(one for one in found if one.invariant.id == id_)


def graph(stack: Stack, **changed: dict[str, Any]) -> Graph:
    return build_graph(stack(network(**changed)))


def opened(found: Graph) -> set[tuple[str, str, str]]:
    """Every edge by kinds, with its ports."""
    return {(edge.source.kind, edge.target.kind, ports_text(edge.ports)) for edge in found.edges}


# -- sets of numbers ---------------------------------------------------------------------------------------------------


def test_ranges_are_cut_and_joined() -> None:
    half = addresses("10.0.0.0/9")
    whole = addresses("10.0.0.0/8")
    assert half & whole == half
    assert half | (whole - half) == whole
    assert half.within(whole)
    assert not whole.within(half)
    assert not half - whole
    assert Ranges.joined([(5, 9), (1, 4), (20, 30)]) == Ranges(((1, 9), (20, 30)))
    assert not PRIVATE & PUBLIC
    assert not addresses("::/0") & addresses("0.0.0.0/0")


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (ports("tcp", 443, 443), "tcp 443"),
        (ports("6", 1, 2) | ports("17"), "tcp 1-2, udp"),
        (ports("-1"), "every port"),
        (ports("icmp", 8, 0), "icmp"),
        (ports("47"), "other"),
        (EVERY_PORT - ports("tcp"), "udp, icmp, icmpv6, other"),
    ],
)
def test_ports_are_written_as_people_do(found: Ranges, text: str) -> None:
    assert ports_text(found) == text


# -- the graph ---------------------------------------------------------------------------------------------------------


def test_small_network_has_one_way_in_and_none_out(stack: Stack) -> None:
    assert opened(graph(stack)) == {
        (Kind.INTERNET, Kind.API, "tcp 443"),
        (Kind.API, Kind.VPC_LINK, "tcp 443"),
        (Kind.VPC_LINK, Kind.LOAD_BALANCER, "tcp 443"),
        (Kind.LOAD_BALANCER, Kind.SERVER, "tcp 8443"),
        (Kind.SERVER, Kind.DATABASE, "tcp 5432"),
    }
    assert {one.outcome for one in judge(stack(network()))} == {Outcome.PASSED}


def test_edge_names_the_resources_that_make_it_possible(stack: Stack) -> None:
    (edge,) = (one for one in graph(stack).edges if one.target.kind is Kind.DATABASE)
    (way,) = edge.ways
    assert {one.address for one in way.reasons} == {
        f"{EGRESS}.server",
        f"{INGRESS}.database",
        "aws_network_acl_rule.in",
        "aws_network_acl_rule.back",
    }
    assert all(one.line for one in way.reasons)


@pytest.mark.parametrize(
    ("rules", "reached"),
    [
        ({"deny": acl_rule(50, 5432, rule_action="deny")}, False),
        ({"deny": acl_rule(150, 5432, rule_action="deny")}, True),
        ({"deny": acl_rule(50, 5433, rule_action="deny")}, True),
        ({"deny": acl_rule(50, 0, protocol="-1", rule_action="deny")}, False),
        ({"deny": acl_rule(50, 5432, rule_action="deny", cidr_block="10.0.0.0/25")}, True),
        ({"deny": acl_rule(50, 0, 0, rule_action="deny")}, True),
        ({"deny": acl_rule(50, 0, protocol="47", rule_action="deny")}, True),
        ({"in": None}, False),
        ({"back": None}, False),
        ({"back": acl_rule(100, 443, egress=True)}, False),
        ({"back": acl_rule(100, 40000, egress=True)}, True),
        ({"back": acl_rule(100, 1024, 65535, egress=True, cidr_block="10.9.0.0/24")}, False),
    ],
)
def test_network_acls_are_tried_in_order_and_in_both_directions(
    stack: Stack, rules: dict[str, Any], reached: bool
) -> None:
    found = opened(graph(stack, aws_network_acl_rule=rules))
    assert ((Kind.SERVER, Kind.DATABASE, "tcp 5432") in found) is reached


@pytest.mark.parametrize(("icmp_type", "left"), [(8, True), (-1, False), (None, False)])
def test_denying_one_type_of_icmp_leaves_the_others(stack: Stack, icmp_type: int | None, left: bool) -> None:
    rules = {
        "deny": acl_rule(50, 0, protocol="icmp", rule_action="deny", icmp_type=icmp_type),
        "in": acl_rule(100, 0, protocol="-1"),
    }
    groups = {EGRESS: {"all": rule(SERVER, None, referenced_security_group_id=DATABASE)},
              INGRESS: {"all": rule(DATABASE, None, referenced_security_group_id=SERVER)}}  # fmt: skip
    found = graph(stack, aws_network_acl_rule=rules, **groups)
    (edge,) = (one for one in found.edges if one.target.kind is Kind.DATABASE)
    assert bool(edge.ports & ports("icmp")) is left


def test_answers_pass_no_acl_within_a_subnet(stack: Stack) -> None:
    closed = {"closed": {"vpc_id": VPC, "subnet_ids": [PRIVATE_SUBNET]}}
    found = opened(graph(stack, aws_network_acl=closed))
    assert (Kind.LOAD_BALANCER, Kind.SERVER, "tcp 8443") in found
    assert (Kind.SERVER, Kind.DATABASE, "tcp 5432") not in found


@pytest.mark.parametrize(
    "group",
    [
        {"ingress": [{"protocol": "tcp", "from_port": 1, "to_port": 9, "cidr_blocks": ["10.0.0.0/24"]}]},
        {"ingress": [{"protocol": "6", "from_port": 1, "to_port": 9, "security_groups": [BALANCER]}]},
    ],
)
def test_inline_rules_are_rules(stack: Stack, group: dict[str, Any]) -> None:
    everything = rule(BALANCER, cidr_ipv4="0.0.0.0/0")
    listening = {"t": {"port": 5}}
    found = graph(stack, aws_security_group={"server": group}, aws_lb_target_group=listening,
                  **{EGRESS: {"balancer": everything}})  # fmt: skip
    assert (Kind.LOAD_BALANCER, Kind.SERVER, "tcp 5") in opened(found)


def test_most_specific_route_wins(stack: Stack) -> None:
    to_pl = rule(SERVER, 443, cidr_ipv4="198.51.100.0/24")
    aside = {
        "route_table_id": PRIVATE_TABLE,
        "destination_cidr_block": "198.51.100.0/24",
        "transit_gateway_id": "tgw-1",
    }
    nat = behind_nat()
    plain = opened(graph(stack, **nat, **{EGRESS: {"out": to_pl}}))
    assert (Kind.SERVER, Kind.NAT, "tcp 443") in plain
    nat["aws_route"]["aside"] = aside
    turned = opened(graph(stack, **nat, **{EGRESS: {"out": to_pl}}))
    assert (Kind.SERVER, Kind.NAT, "tcp 443") not in turned
    assert (Kind.SERVER, Kind.OUTSIDE, "tcp 443") in turned


def test_a_subnet_without_a_table_has_the_main_one(stack: Stack) -> None:
    table = {
        "default_route_table_id": "${aws_vpc.v.default_route_table_id}",
        "route": [{"cidr_block": "0.0.0.0/0", "nat_gateway_id": "nat-1"}],
    }
    out = {EGRESS: {"out": rule(SERVER, 443, cidr_ipv4="0.0.0.0/0")}}
    changed: Changed = {"aws_default_route_table": {"d": table}, **out}
    assert Kind.INTERNET not in {edge.target.kind for edge in graph(stack, **changed).edges}
    found = graph(stack, aws_route_table_association={"private": None}, **changed)
    assert (Kind.SERVER, Kind.INTERNET, "tcp 443") in opened(found)


def test_gateway_endpoint_is_the_way_to_its_service(stack: Stack) -> None:
    endpoint = {
        "vpc_id": VPC,
        "service_name": "com.amazonaws.eu-west-1.s3",
        "route_table_ids": [PRIVATE_TABLE],
    }
    resources = network(
        aws_vpc_endpoint={"s3": endpoint},
        **{EGRESS: {"out": rule(SERVER, 443, prefix_list_id="${data.aws_prefix_list.list.id}")}},
    )
    data = {"aws_prefix_list": {"list": {"name": "com.amazonaws.eu-west-1.s3"}}}
    found = opened(build_graph(stack(resources, data=data)))
    assert (Kind.SERVER, Kind.GATEWAY_ENDPOINT, "tcp 443") in found
    other = {"aws_prefix_list": {"list": {"name": "com.amazonaws.eu-west-1.dynamodb"}}}
    found = opened(build_graph(stack(resources, data=other)))
    assert (Kind.SERVER, Kind.GATEWAY_ENDPOINT, "tcp 443") not in found


def test_private_api_is_entered_through_its_endpoint(stack: Stack) -> None:
    changed: Changed = {
        "aws_api_gateway_rest_api": {"a": {"endpoint_configuration": {"types": ["PRIVATE"]}}},
        "aws_vpc_endpoint": {"e": {**ENDPOINT, "service_name": "com.amazonaws.eu-west-1.execute-api"}},
        "aws_security_group": ENTRY_GROUP,
        INGRESS: {"e": rule("${aws_security_group.entry.id}", 443, cidr_ipv4="10.8.0.0/16")},
    }
    found = build_graph(stack(network(**changed)))
    assert (Kind.NETWORK, Kind.ENDPOINT, "tcp 443") in opened(found)
    assert (Kind.ENDPOINT, Kind.API, "tcp 443") in opened(found)
    assert Kind.API not in {edge.target.kind for edge in found.edges if edge.source.kind is Kind.INTERNET}
    assert any("10.8.0.0/16" in one for one in found.assumptions)
    assert {one.outcome for one in judge(stack(network(**changed)))} == {Outcome.PASSED}


# -- a hole for each invariant -----------------------------------------------------------------------------------------

ANYWHERE = {"cidr_ipv4": "0.0.0.0/0"}
PEERING = {
    "route_table_id": PRIVATE_TABLE,
    "destination_cidr_block": "172.16.0.0/12",
    "vpc_peering_connection_id": "${aws_vpc_peering_connection.p.id}",
}
PEERED: Changed = {"aws_vpc_peering_connection": {"p": {"vpc_id": VPC}}, "aws_route": {"p": PEERING}}

#: Invariant, what is changed, and addresses that the way must name.
HOLES: list[tuple[str, Changed, set[str]]] = [
    (  # servers with public addresses in a public subnet
        "NW01",
        {
            **to_internet(),
            "aws_subnet": {"private": {"map_public_ip_on_launch": True}},
            INGRESS: {"hole": rule(SERVER, 443, **ANYWHERE)},
        },
        {"aws_subnet.private", "aws_route.out", f"{INGRESS}.hole"},
    ),
    (  # the same by the launch template
        "NW01",
        {
            **to_internet(),
            "aws_launch_template": {"s": {"network_interfaces": {"associate_public_ip_address": "true"}}},
            INGRESS: {"hole": rule(SERVER, 443, **ANYWHERE)},
        },
        {"aws_launch_template.s.network_interfaces", "aws_route.out", f"{INGRESS}.hole"},
    ),
    (  # the same by IPv6, for which nothing has to be given out
        "NW01",
        {
            **to_internet(),
            "aws_route": {
                "out": {
                    "route_table_id": PRIVATE_TABLE,
                    "destination_ipv6_cidr_block": "::/0",
                    "gateway_id": "igw-1",
                }
            },
            "aws_subnet": {"private": {"ipv6_cidr_block": "2001:db8::/64"}},
            INGRESS: {"hole": rule(SERVER, 443, cidr_ipv6="::/0")},
        },
        {"aws_subnet.private", "aws_route.out", f"{INGRESS}.hole"},
    ),
    (  # a database with a public address
        "NW01",
        {
            **to_internet(ISOLATED_TABLE),
            "aws_db_instance": {"d": {"publicly_accessible": True}},
            "aws_network_acl_rule": {
                "in": acl_rule(100, 5432, cidr_block="0.0.0.0/0"),
                "back": acl_rule(100, 1024, 65535, cidr_block="0.0.0.0/0", egress=True),
            },
            INGRESS: {"hole": rule(DATABASE, 5432, **ANYWHERE)},
        },
        {
            "aws_db_instance.d.publicly_accessible",
            "aws_route.out",
            "aws_network_acl_rule.in",
            f"{INGRESS}.hole",
        },
    ),
    (  # a load balancer that faces the internet
        "NW01",
        {
            **to_internet(),
            "aws_lb": {"b": {"internal": False}},
            INGRESS: {"hole": rule(BALANCER, 443, **ANYWHERE)},
        },
        {"aws_lb.b.internal", "aws_route.out", f"{INGRESS}.hole"},
    ),
    (
        "NW02",
        {INGRESS: {"hole": rule(SERVER, 8443, cidr_ipv4="192.168.0.0/24")}},
        {f"{INGRESS}.hole"},
    ),
    (
        "NW02",
        {**PEERED, INGRESS: {"hole": rule(SERVER, 8443, cidr_ipv4="172.16.0.0/8".replace("/8", "/12"))}},
        {f"{INGRESS}.hole"},
    ),
    ("NW03", {INGRESS: {"hole": rule(DATABASE, 5432, cidr_ipv4="10.0.0.0/24")}}, {f"{INGRESS}.hole"}),
    (
        "NW03",
        {INGRESS: {"hole": rule(DATABASE, 5432, referenced_security_group_id="444455556666/sg-1")}},
        {f"{INGRESS}.hole"},
    ),
    (
        "NW03",
        {
            "aws_security_group_rule": {
                "hole": {
                    "type": "ingress",
                    "security_group_id": DATABASE,
                    "protocol": "tcp",
                    "from_port": 5432,
                    "to_port": 5432,
                    "cidr_blocks": ["10.0.0.0/16"],
                }
            }
        },
        {"aws_security_group_rule.hole"},
    ),
    (
        "NW04",
        {
            INGRESS: {"hole": rule(SERVER, 8443, referenced_security_group_id=SERVER)},
            EGRESS: {"hole": rule(SERVER, 8443, referenced_security_group_id=SERVER)},
        },
        {f"{INGRESS}.hole", f"{EGRESS}.hole"},
    ),
    (
        "NW04",
        {
            "aws_security_group": {"bastion": {"name": "bastion", "vpc_id": VPC}},
            INGRESS: {
                "hole": rule(SERVER, 8443, referenced_security_group_id="${aws_security_group.bastion.id}")
            },
        },
        {f"{INGRESS}.hole"},
    ),
    ("NW05", {INGRESS: {"hole": rule(BALANCER, 443, cidr_ipv4="10.0.0.0/16")}}, {f"{INGRESS}.hole"}),
    ("NW05", {"aws_lb": {"b": {"security_groups": []}}}, set()),
    (
        "NW06",
        {
            EGRESS: {"hole": rule(DATABASE, 8443, referenced_security_group_id=SERVER)},
            INGRESS: {"hole": rule(SERVER, 8443, referenced_security_group_id=DATABASE)},
            "aws_network_acl_rule": {
                "out": acl_rule(110, 8443, egress=True),
                "answers": acl_rule(110, 1024, 65535),
            },
        },
        {f"{INGRESS}.hole", f"{EGRESS}.hole"},
    ),
    (  # an address of its own and an internet gateway, without NAT
        "NW07",
        {
            **to_internet(),
            "aws_subnet": {"private": {"map_public_ip_on_launch": True}},
            EGRESS: {"hole": rule(SERVER, 443, **ANYWHERE)},
        },
        {"aws_route.out", f"{EGRESS}.hole"},
    ),
    ("NW07", {**PEERED, EGRESS: {"hole": rule(SERVER, 443, **ANYWHERE)}}, {"aws_route.p", f"{EGRESS}.hole"}),
    ("NW07", {EGRESS: {"hole": rule(SERVER, 443, cidr_ipv4="192.168.0.0/24")}}, {f"{EGRESS}.hole"}),
    (
        "NW08",
        {INGRESS: {"hole": rule(SERVER, 22, cidr_ipv4="10.0.0.0/24")}},
        {f"{INGRESS}.hole"},
    ),
    ("NW08", {INGRESS: {"hole": rule(SERVER, 3389, cidr_ipv4="198.51.100.7/32")}}, {f"{INGRESS}.hole"}),
    (
        "NW08",
        {**behind_nat(), EGRESS: {"hole": rule(SERVER, None, **ANYWHERE)}},
        {f"{EGRESS}.hole", "aws_route.nat"},
    ),
    ("NW09", {"aws_default_security_group": {"d": None}}, {"aws_vpc.v"}),
    (
        "NW09",
        {"aws_default_security_group": {"d": {"ingress": [{"protocol": "-1", "self": True}]}}},
        {"aws_default_security_group.d.ingress.0"},
    ),
    (
        "NW09",
        {EGRESS: {"hole": rule("${aws_vpc.v.default_security_group_id}", None, **ANYWHERE)}},
        {f"{EGRESS}.hole"},
    ),
    ("NW10", {"aws_autoscaling_group": {"s": {"target_group_arns": []}}}, set()),
    ("NW10", {INGRESS: {"database": None}}, set()),
    ("NW10", {"aws_db_instance": {"d": None}}, set()),
    (
        "NW11",
        {
            "aws_api_gateway_integration": {
                "hole": {
                    "rest_api_id": "${aws_api_gateway_rest_api.a.id}",
                    "type": "HTTP_PROXY",
                    "uri": "https://example.net/",
                }
            }
        },
        {"aws_api_gateway_integration.hole"},
    ),
    (
        "NW11",
        {
            "aws_api_gateway_integration": {
                "hole": {
                    "rest_api_id": "${aws_api_gateway_rest_api.a.id}",
                    "type": "AWS",
                    "uri": "arn:aws:apigateway:eu-west-1:s3:path/artifacts",
                }
            }
        },
        {"aws_api_gateway_integration.hole"},
    ),
]


@pytest.mark.parametrize(
    ("id_", "changed", "named"), HOLES, ids=[f"{id_}-{n}" for n, (id_, _, _) in enumerate(HOLES)]
)
def test_a_hole_is_found_and_its_way_named(stack: Stack, id_: str, changed: Changed, named: set[str]) -> None:
    found = verdict(stack, id_, changed)
    assert found.outcome is Outcome.FAILED
    reasons = [
        {reason.address for edge in failure.path for way in edge.ways for reason in way.reasons}
        | {reason.address for reason in failure.reasons}
        for failure in found.failures
    ]
    assert any(named <= one for one in reasons), reasons
    if named:
        told = " ".join(line for one in found.failures for line in (*one.hops, *map(str, one.reasons)))
        assert all(address in told for address in named)


def test_every_invariant_has_a_hole() -> None:
    assert {one.id for one in INVARIANTS} == {id_ for id_, _, _ in HOLES}
    assert len({one.name for one in INVARIANTS}) == len(INVARIANTS)


def test_half_of_a_hole_is_none(stack: Stack) -> None:
    """A rule alone, a route alone and a public address alone let nobody in."""
    open_rule = {INGRESS: {"hole": rule(SERVER, 443, **ANYWHERE)}}
    public = {"aws_subnet": {"private": {"map_public_ip_on_launch": True}}}
    for changed in ({**open_rule, **to_internet()}, {**open_rule, **public}, {**public, **to_internet()}):
        assert verdict(stack, "NW01", changed).sound


def test_egress_is_asked_without_nat_or_when_told(stack: Stack) -> None:
    out = {**behind_nat(), EGRESS: {"out": rule(SERVER, 443, **ANYWHERE)}}
    assert verdict(stack, "NW07", out).outcome is Outcome.NOT_ASKED
    told = verdict(stack, "NW07", out, no_egress=True)
    assert told.outcome is Outcome.FAILED
    assert [edge.target.kind for edge in told.failures[-1].path] == [Kind.NAT, Kind.INTERNET]
    assert verdict(stack, "NW07", behind_nat(), no_egress=True).sound


def test_of_subnets_elsewhere_everything_is_assumed(stack: Stack) -> None:
    elsewhere: Changed = {
        "aws_autoscaling_group": {"s": {"vpc_zone_identifier": ["subnet-1"]}},
        EGRESS: {"out": rule(SERVER, 443, **ANYWHERE)},
    }
    found = verdict(stack, "NW07", elsewhere)
    assert found.outcome is Outcome.FAILED
    assert "subnet-1" in " ".join(found.failures[0].hops)
    assert any("subnet-1" in one for one in found.assumptions)


def test_private_link_is_held_against_the_group_only_if_that_is_on(stack: Stack) -> None:
    on = {"b": {"enforce_security_group_inbound_rules_on_private_link_traffic": "on"}}
    assert (Kind.VPC_LINK, Kind.LOAD_BALANCER, "tcp 443") not in opened(graph(stack, aws_lb=on))


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"aws_lambda_function": {"f": {"function_name": "f"}}}, "aws_lambda_function.f"),
        ({"aws_instance": {"i": {"ami": "ami-1"}}}, "aws_instance.i"),
        ({"aws_db_instance": {"d": {"db_subnet_group_name": "other"}}}, "aws_db_instance.d.db_subnet_group_name"),
        ({"aws_autoscaling_group": {"s": {"launch_template": []}}}, "aws_autoscaling_group.s.launch_template"),
        (
            {"aws_launch_template": {"s": {"network_interfaces": [{"subnet_id": "subnet-1"}]}}},
            "aws_launch_template.s.network_interfaces",
        ),
        ({"aws_api_gateway_vpc_link": {"k": {"target_arns": ["arn:x"]}}}, "aws_api_gateway_vpc_link.k.target_arns"),
        ({INGRESS: {"server": {"referenced_security_group_id": None}}}, f"{INGRESS}.server"),
        ({INGRESS: {"server": {"cidr_ipv4": "10.0.0.0/40"}}}, f"{INGRESS}.server.cidr_ipv4"),
        ({INGRESS: {"server": {"from_port": 99999}}}, f"{INGRESS}.server.from_port"),
        ({INGRESS: {"server": {"security_group_id": "${aws_security_group.none.id}"}}}, f"{INGRESS}.server"),
        ({"aws_network_acl_rule": {"in": {"rule_action": "maybe"}}}, "aws_network_acl_rule.in"),
        ({"aws_route": {"r": {"route_table_id": PRIVATE_TABLE}}}, "aws_route.r"),
        ({"aws_eip": {"e": {"network_interface": "eni-1"}}}, "aws_eip.e.network_interface"),
        ({"aws_route_table": {"private": {"propagating_vgws": ["vgw-1"]}}}, "aws_route_table.private"),
        ({"aws_vpc_endpoint": {"e": {**ENDPOINT, "vpc_endpoint_type": "GatewayLoadBalancer",
                                     "service_name": "s"}}}, "aws_vpc_endpoint.e"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_an_error_that_names_it(stack: Stack, changed: Changed, named: str) -> None:
    with pytest.raises(InputError) as raised:
        graph(stack, **changed)
    assert named in str(raised.value)
    assert "Fix: " in str(raised.value)


@pytest.mark.parametrize(("is_new", "refused"), [(True, True), (False, False)])
def test_a_plan_is_judged_once_ids_are_known(tmp_path: Path, is_new: bool, refused: bool) -> None:
    values = {"id": None if is_new else "vpc-1", "cidr_block": "10.0.0.0/16"}
    vpc = {"address": "aws_vpc.v", "mode": "managed", "type": "aws_vpc", "name": "v", "values": values}
    topic = {"address": "aws_sns_topic.t", "mode": "managed", "type": "aws_sns_topic", "name": "t"}
    group = {"type": "egress", "cidr_blocks": ["0.0.0.0/0"], "security_group_id": "sg-1"}
    added = {"address": "aws_security_group_rule.r", "mode": "managed", "type": "aws_security_group_rule",
             "name": "r", "values": group}  # fmt: skip
    plan = {
        "planned_values": {"root_module": {"resources": [vpc, topic, added]}},
        "resource_changes": [
            {"address": "aws_vpc.v", "change": {"after_unknown": {"id": is_new}}},
            {"address": "aws_security_group_rule.r", "change": {"after_unknown": {"id": True}}},
        ],
    }
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan), encoding="utf-8")
    document = read_document(path, Placeholders(region="eu-west-1"))
    if refused:
        with pytest.raises(InputError, match=r"aws_vpc\.v\.id: .*yet to be made"):
            build_graph(document)
    else:
        assert build_graph(document).of(Kind.INTERNET)
