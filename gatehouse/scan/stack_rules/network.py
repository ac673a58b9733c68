"""The network as a whole: which subnets lead where, and who is let in by the groups of whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gatehouse.scan.stack_rules.stack import Flaw, Resource, Stack, blocks, is_on, items, listed, references

ANYWHERE = "0.0.0.0/0"
POSTGRESQL = 5432
#: Resources that may not be in a subnet that leads to the internet, and the attribute with their subnets.
INSIDE = {
    "aws_autoscaling_group": "vpc_zone_identifier",
    "aws_lb": "subnets",
    "aws_vpc_endpoint": "subnet_ids",
}
DATABASE_SUBNETS = "aws_db_subnet_group"


def isolated_database(stack: Stack) -> Iterator[Flaw]:
    """The database's subnets have a route table of their own, and it has no route."""
    for subnet in _subnets(stack, DATABASE_SUBNETS, "subnet_ids"):
        tables = _tables(stack, subnet)
        if not tables:
            yield Flaw(subnet.address, "holds the database and has no route table of its own")
        for table in tables:
            for route in stack.naming(table, "aws_route", "route_table_id"):
                yield Flaw(route.address, f"leads out of {subnet.address}, which holds the database")
            for endpoint in stack.naming(table, "aws_vpc_endpoint", "route_table_ids"):
                yield Flaw(endpoint.address, f"leads out of {subnet.address}, which holds the database")


def own_subnets(stack: Stack) -> Iterator[Flaw]:
    """In a VPC of the stack, everything is in subnets of the stack."""
    if not stack.of("aws_vpc"):
        return
    for kind, attribute in {**INSIDE, DATABASE_SUBNETS: "subnet_ids"}.items():
        for one in stack.of(kind):
            for subnet in items(one.body.get(attribute)):
                if not any(address.startswith("aws_subnet.") for address in references(subnet)):
                    yield Flaw(
                        one.address, f"is in the subnet {subnet}, which is not in the document", attribute
                    )


def no_way_in(stack: Stack) -> Iterator[Flaw]:
    """Servers, load balancer and endpoints are in subnets whose only routes are to NAT gateways."""
    for kind, attribute in INSIDE.items():
        for subnet in _subnets(stack, kind, attribute):
            for table in _tables(stack, subnet):
                for route in stack.naming(table, "aws_route", "route_table_id"):
                    if not references(route.body.get("nat_gateway_id")):
                        yield Flaw(route.address, f"is a way into {subnet.address}, which holds a {kind}")


def internet_behind_nat(stack: Stack) -> Iterator[Flaw]:
    """Without a NAT gateway there is no internet gateway, and no rule lets anything out to it.

    The document does not say ``egress: none``; it has no NAT gateway then. In somebody else's VPC nothing can be
    told.
    """
    if not stack.of("aws_vpc") or stack.of("aws_nat_gateway"):
        return
    for gateway in stack.of("aws_internet_gateway", "aws_egress_only_internet_gateway", "aws_eip"):
        yield Flaw(gateway.address, "leads to the internet without a NAT gateway")
    for route in stack.of("aws_route"):
        yield Flaw(route.address, "is a route though the VPC has no NAT gateway")
    for rule in stack.of("aws_vpc_security_group_egress_rule"):
        if rule.body.get("cidr_ipv4") == ANYWHERE:
            yield Flaw(
                rule.address, "lets out to the internet though the VPC has no NAT gateway", "cidr_ipv4"
            )


def one_after_the_other(stack: Stack) -> Iterator[Flaw]:
    """The database admits servers, servers the load balancer, and the load balancer nobody.

    What PrivateLink brings is not held against the load balancer's group.
    """
    database = _groups(stack, "aws_db_instance", "vpc_security_group_ids")
    servers = _groups(stack, "aws_launch_template", "network_interfaces")
    balancer = _groups(stack, "aws_lb", "security_groups")
    declared = {one.address for one in stack.of("aws_security_group")}
    for rule in stack.of("aws_vpc_security_group_ingress_rule"):
        group = references(rule.body.get("security_group_id")) & declared
        if not group:
            yield Flaw(rule.address, "is of a group that is not in the document", "security_group_id")
        admitted = references(rule.body.get("referenced_security_group_id"))
        for name, guarded, may in (
            ("database", database, servers),
            ("servers", servers, balancer),
            ("load balancer", balancer, set[str]()),
        ):
            if group & guarded and not (admitted and admitted <= may):
                yield Flaw(rule.address, f"lets others to the {name} than {listed(may) or 'PrivateLink'}")


def groups_apart(stack: Stack) -> Iterator[Flaw]:
    """Database, servers, load balancer and endpoints share no group: its rules would be for all of them.

    Clients reach the API's endpoint, and servers those of AWS services: these two share none either.
    """
    entries = [one for one in stack.of("aws_vpc_endpoint") if _is_entry(one)]
    services = [one for one in stack.of("aws_vpc_endpoint") if not _is_entry(one)]
    uses = [
        ("the database", _groups(stack, "aws_db_instance", "vpc_security_group_ids")),
        ("the servers", _groups(stack, "aws_launch_template", "network_interfaces")),
        ("the load balancer", _groups(stack, "aws_lb", "security_groups")),
        ("the API's endpoint", _groups_of(entries, "security_group_ids")),
        ("endpoints of AWS services", _groups_of(services, "security_group_ids")),
    ]
    for position, (name, groups) in enumerate(uses):
        for other, others in uses[position + 1 :]:
            for group in sorted(groups & others):
                yield Flaw(group, f"is the group of {name} and of {other}")


def empty_defaults(stack: Stack) -> Iterator[Flaw]:
    """What AWS makes with a VPC is taken over and emptied, and its flows are logged."""
    wanted = {
        "aws_default_security_group": "vpc_id",
        "aws_default_route_table": "default_route_table_id",
        "aws_flow_log": "vpc_id",
    }
    for vpc in stack.of("aws_vpc"):
        for kind, attribute in wanted.items():
            if not stack.naming(vpc, kind, attribute):
                yield Flaw(vpc.address, f"has no {kind}")


def endpoint_policies(stack: Stack) -> Iterator[Flaw]:
    """An endpoint without a policy lets everybody through to every account."""
    for endpoint in stack.of("aws_vpc_endpoint"):
        apart = stack.naming(endpoint, "aws_vpc_endpoint_policy", "vpc_endpoint_id")
        if not endpoint.body.get("policy") and not any(one.body.get("policy") for one in apart):
            yield Flaw(endpoint.address, "has no policy", "policy")


def second_lock(stack: Stack) -> Iterator[Flaw]:
    """The database's subnets are behind a network ACL that admits PostgreSQL alone."""
    for subnet in _subnets(stack, DATABASE_SUBNETS, "subnet_ids"):
        acls = stack.naming(subnet, "aws_network_acl", "subnet_ids")
        if not acls:
            yield Flaw(subnet.address, "holds the database and has no network ACL of its own")
        for acl in acls:
            if blocks(acl.body, "ingress") or blocks(acl.body, "egress"):
                yield Flaw(acl.address, "has rules inside")
            for rule in stack.naming(acl, "aws_network_acl_rule", "network_acl_id"):
                ports = rule.body.get("from_port"), rule.body.get("to_port")
                inward = not is_on(rule.body.get("egress"))
                allows = rule.body.get("rule_action") != "deny"
                if inward and allows and ports != (POSTGRESQL, POSTGRESQL):
                    yield Flaw(rule.address, "admits more than PostgreSQL to the database", "from_port")


def _subnets(stack: Stack, kind: str, attribute: str) -> list[Resource]:
    named = {address for one in stack.of(kind) for address in references(one.body.get(attribute))}
    return [one for one in stack.of("aws_subnet") if one.address in named]


def _tables(stack: Stack, subnet: Resource) -> list[Resource]:
    joined = stack.naming(subnet, "aws_route_table_association", "subnet_id")
    named = {address for one in joined for address in references(one.body.get("route_table_id"))}
    return [one for one in stack.of("aws_route_table") if one.address in named]


def _is_entry(endpoint: Resource) -> bool:
    return str(endpoint.body.get("service_name")).endswith(".execute-api")


def _groups(stack: Stack, kind: str, attribute: str) -> set[str]:
    return _groups_of(stack.of(kind), attribute)


def _groups_of(resources: Iterable[Resource], attribute: str) -> set[str]:
    named = {address for one in resources for address in references(one.body.get(attribute))}
    return {address for address in named if address.startswith("aws_security_group.")}
