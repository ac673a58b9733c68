"""From a document to the graph: who in it can open a connection to whom.

A connection is possible if groups and network ACLs of both ends let it pass, and a route leads there and back. Where
the document does not say, it is assumed that it is possible: what is found *might* be reached.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from gatehouse.document import Document
from gatehouse.reachability.front import Front
from gatehouse.reachability.graph import Graph, Kind, Node, Reason, Way, collected
from gatehouse.reachability.groups import EGRESS, INGRESS, Box, Groups, Party
from gatehouse.reachability.hosts import Host, Hosts, service_label, target_ports
from gatehouse.reachability.known import refuse_unapplied, refuse_unknown
from gatehouse.reachability.ranges import EVERY_PORT, IPV4, IPV6, PRIVATE, PUBLIC, Ranges
from gatehouse.reachability.reading import reason, text
from gatehouse.reachability.routes import Route, Target
from gatehouse.reachability.subnets import Subnet, Subnets

Found = Iterator[tuple[Node, Node, Way]]
INTERNET = Node(Kind.INTERNET, "internet", "internet")
NEIGHBOUR = Node(Kind.NEIGHBOUR, "anything else in the VPC", "anything else in the VPC")


@dataclass(frozen=True)
class Far:
    """A node that is in no subnet, with the addresses from which it comes and at which it is found."""

    node: Node
    addresses: Ranges
    group: str = ""

    @property
    def party(self) -> Party:
        """What rules see of it."""
        return Party(self.addresses, frozenset({self.group} if self.group else ()))


def build_graph(document: Document) -> Graph:
    """Return the graph of a document.

    Raises:
        InputError: something cannot be resolved, or is of a type that is not modelled.

    """
    refuse_unknown(document)
    refuse_unapplied(document)
    return _Builder(document).graph()


class _Builder:
    """Everything that edges are found from."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._groups = Groups(document)
        self._subnets = Subnets(document, self._groups)
        self._hosts = Hosts(document, self._groups, self._subnets)
        self._front = Front(document, self._groups, self._hosts, INTERNET)
        self._placed = tuple(
            dict.fromkeys((*self._subnets.all, *(one for host in self._hosts.all for one in host.subnets)))
        )
        self._networks = tuple(self._named_networks())
        self._outsides = tuple(self._routed_outsides())
        self._strangers = tuple(self._memberless_groups())

    def graph(self) -> Graph:
        edges = collected(self._edges())
        ends = [node for edge in edges for node in (edge.source, edge.target)]
        hosts = [one.node for one in (*self._hosts.all, *self._hosts.nats.values())]
        nodes = dict.fromkeys((INTERNET, *self._front.nodes, *hosts, *ends))
        return Graph(tuple(nodes), edges, tuple(self._assumptions()))

    def _edges(self) -> Found:
        yield from self._front.edges()
        yield from self._forwarded()
        for target in self._hosts.all:
            for source in self._hosts.all:
                if source.opens:
                    yield from self._between(source, target)
            yield from self._from_neighbours(target)
            for far in (*self._networks, *self._outsides):
                yield from self._from_far(far, target)
            for far in self._strangers:
                yield from self._from_group(far, target)
            yield from self._from_internet(target)
        for source in self._hosts.all:
            if source.opens:
                yield from self._leaving(source)
        yield from self._behind_nats()
        yield from self._behind_endpoints()

    # -- within the VPC ------------------------------------------------------------------------------------------

    def _between(self, source: Host, target: Host, narrowed: Ranges = EVERY_PORT) -> Found:
        for start, end in product(source.subnets, target.subnets):
            if start.is_known and end.is_known and start.vpc_id != end.vpc_id:
                continue  # what leads from one VPC to the other is a route, and so is outside
            out = self._groups.let(source.groups, EGRESS, target.party_in(end))
            inside = start is end
            leaving = _both(out, None if inside else start.passing(EGRESS, end.addresses))
            yield from self._arriving(
                source.node, leaving, source.party_in(start), target, end, narrowed, inside=inside
            )

    def _arriving(
        self,
        source: Node,
        leaving: Iterator[Box],
        party: Party,
        target: Host,
        end: Subnet,
        narrowed: Ranges = EVERY_PORT,
        *,
        inside: bool = False,
    ) -> Found:
        """Find what of the connections that leave somewhere is let in by a target in a subnet."""
        let = self._groups.let(target.groups, INGRESS, party)
        arriving = list(_both(let, None if inside else end.passing(INGRESS, party.addresses)))
        for out, into in product(list(leaving), arriving):
            ports = out.ports & into.ports & target.listens & narrowed
            if ports:
                yield source, target.node, Way(ports, _once(*out.reasons, *into.reasons))

    def _forwarded(self) -> Found:
        """Find what load balancers open: to the servers behind them, on the ports of the target group."""
        for balancer, server, group, joined in self._front.forwards():
            for source, target, way in self._between(balancer, server, target_ports(group)):
                yield source, target, Way(way.ports, (*joined, *way.reasons))

    def _from_neighbours(self, target: Host) -> Found:
        """Find what lets in whatever else may be in a subnet, by ranges of addresses."""
        for start, end in product(self._placed, target.subnets):
            if start.is_known and end.is_known and start.vpc_id != end.vpc_id:
                continue
            out = iter([Box(end.addresses, EVERY_PORT, ())])
            leaving = _both(out, None if start is end else start.passing(EGRESS, end.addresses))
            party = Party(start.addresses)
            yield from self._arriving(NEIGHBOUR, leaving, party, target, end, inside=start is end)

    def _from_group(self, far: Far, target: Host) -> Found:
        """Find what lets in a group without known members, which may be in any subnet of the VPC."""
        for start, end in product(self._placed, target.subnets):
            for _, node, way in self._arriving(
                far.node,
                _both(
                    iter([Box(end.addresses, EVERY_PORT, ())]),
                    None if start is end else start.passing(EGRESS, end.addresses),
                ),
                Party(start.addresses, frozenset({far.group})),
                target,
                end,
                inside=start is end,
            ):
                # What a range of addresses lets in is a neighbour's.
                if self._names_group(way, far.group):
                    yield far.node, node, way

    def _names_group(self, way: Way, group_id: str) -> bool:
        naming = {
            rule.reason
            for group in self._groups.all
            for rule in (group.rules or {}).get(INGRESS, ())
            if rule.group == group_id
        }
        return bool(naming & set(way.reasons))

    # -- in from outside -----------------------------------------------------------------------------------------

    def _from_internet(self, target: Host) -> Found:
        """Find what the internet reaches: a public address, and a route of the subnet to an internet gateway."""
        for end in target.subnets:
            for reachable, why in self._exposed(target, end):
                out = iter([Box(end.addresses, EVERY_PORT, why)])
                yield from self._arriving(INTERNET, out, Party(reachable), target, end)

    def _exposed(self, target: Host, end: Subnet) -> Iterator[tuple[Ranges, tuple[Reason, ...]]]:
        """Return addresses of the internet that get to a target's subnet, and what lets them."""
        public = PUBLIC - self._subnets.vpc_addresses
        families = [(IPV4 & public, target.public)] if target.public else []
        if end.has_ipv6 and end.is_known:
            families.append((IPV6 & public, end.reason))
        for addresses, why in families:
            if end.table is None:
                yield addresses, (why, end.reason)
                continue
            for route, found in end.table.leading(addresses):
                if route.target is Target.INTERNET_GATEWAY:
                    yield found, (why, route.reason)

    def _from_far(self, far: Far, target: Host) -> Found:
        for end in target.subnets:
            back: tuple[Reason, ...] = ()
            if far.node.kind is Kind.OUTSIDE and end.table is not None:
                routes = [
                    one
                    for one, _ in end.table.leading(far.addresses)
                    if one.target is Target.OUTSIDE and one.target_id == far.node.address
                ]
                if not routes:
                    continue
                back = (routes[0].reason,)
            out = iter([Box(end.addresses, EVERY_PORT, back)])
            yield from self._arriving(far.node, out, far.party, target, end)

    # -- out of the VPC ------------------------------------------------------------------------------------------

    def _leaving(self, source: Host) -> Found:
        for start in source.subnets:
            public = PUBLIC - self._subnets.vpc_addresses
            yield from self._to_public(source, start, public)
            for far in (*self._networks, *self._outsides):
                yield from self._to_far(source, start, far)
            for far in self._strangers:
                for box in self._groups.let(source.groups, EGRESS, Party(Ranges(), frozenset({far.group}))):
                    if source.groups is not None and self._of_group(source, box, far.group):
                        yield source.node, far.node, Way(box.ports, box.reasons)
            yield from self._to_services(source, start)

    def _of_group(self, source: Host, box: Box, group_id: str) -> bool:
        rules = [
            rule
            for one in source.groups or ()
            for rule in (self._groups.get(one).rules or {}).get(EGRESS, ())
        ]
        return any(rule.reason in box.reasons and rule.group == group_id for rule in rules)

    def _to_far(self, source: Host, start: Subnet, far: Far) -> Found:
        """Find the ways to a private network, which is assumed to be joined, or by a route of the document."""
        out = self._groups.let(source.groups, EGRESS, far.party)
        for box in _both(out, start.passing(EGRESS, far.addresses)):
            if far.node.kind is Kind.NETWORK:
                yield source.node, far.node, Way(box.ports, box.reasons)
                continue
            for route, _ in start.table.leading(box.peers) if start.table else ():
                if route.target is Target.OUTSIDE and route.target_id == far.node.address:
                    yield source.node, far.node, Way(box.ports, _once(*box.reasons, route.reason))

    def _to_public(self, source: Host, start: Subnet, public: Ranges) -> Found:
        """Find the ways to the internet: each route that leads there, or any where the routes are not known."""
        out = self._groups.let(source.groups, EGRESS, Party(public))
        for box in _both(out, start.passing(EGRESS, public)):
            if start.table is None:
                yield source.node, INTERNET, Way(box.ports, (*box.reasons, start.reason))
                continue
            for route, found in start.table.leading(box.peers):
                for node in self._public_target(source, start, route, found):
                    yield source.node, node, Way(box.ports, _once(*box.reasons, route.reason))

    def _public_target(self, source: Host, start: Subnet, route: Route, found: Ranges) -> Iterator[Node]:
        if route.target is Target.NAT:
            nat = self._hosts.nats.get(route.target_id)
            yield nat.node if nat else INTERNET
        elif route.target is Target.INTERNET_GATEWAY:
            if (found & IPV4 and source.public) or (found & IPV6 and start.has_ipv6):
                yield INTERNET
        elif route.target is Target.EGRESS_ONLY and found & IPV6:
            yield INTERNET

    def _to_services(self, source: Host, start: Subnet) -> Found:
        """Find the ways to services of AWS that have prefix lists: gateway endpoints, or else as to the internet."""
        public = PUBLIC - self._subnets.vpc_addresses
        joined = start.table.services if start.table else {}
        lists = self._groups.prefix_lists.values()
        for held in sorted({service for one in lists for service in one.services}):
            party = Party(public, service=held)
            for box in _both(self._groups.let(source.groups, EGRESS, party), start.passing(EGRESS, public)):
                if start.table is None:
                    service = Node(Kind.SERVICE, held, f"AWS {service_label(held)}")
                    yield source.node, service, Way(box.ports, (*box.reasons, start.reason))
                elif held in joined:
                    address, why = joined[held]
                    node = self._gateway(address, held)
                    yield source.node, node, Way(box.ports, (*box.reasons, why))
                else:
                    for route, found in start.table.leading(box.peers):
                        for node in self._public_target(source, start, route, found):
                            yield source.node, node, Way(box.ports, (*box.reasons, route.reason))

    def _behind_nats(self) -> Found:
        for nat in self._hosts.nats.values():
            if nat.public is None:
                continue
            for start in nat.subnets:
                for box in start.passing(EGRESS, PUBLIC - self._subnets.vpc_addresses):
                    if start.table is None:
                        yield nat.node, INTERNET, Way(box.ports, (*box.reasons, nat.public, start.reason))
                        continue
                    for route, _ in start.table.leading(box.peers):
                        if route.target is Target.INTERNET_GATEWAY:
                            yield nat.node, INTERNET, Way(box.ports, (*box.reasons, nat.public, route.reason))

    def _behind_endpoints(self) -> Found:
        for one in self._document.of_type("aws_vpc_endpoint"):
            name, why = one.text("service_name"), (reason(self._document, one),)
            service = Node(Kind.SERVICE, name, f"AWS {service_label(name)}")
            if (text(one, "vpc_endpoint_type") or "Gateway") == "Gateway":
                yield self._gateway(one.address, name), service, Way(EVERY_PORT, why)
            elif not name.endswith(".execute-api"):
                node = next(host.node for host in self._hosts.endpoints if host.resource is one)
                yield node, service, Way(EVERY_PORT, why)

    @staticmethod
    def _gateway(address: str, service: str) -> Node:
        return Node(Kind.GATEWAY_ENDPOINT, address, f"gateway endpoint {service_label(service)}")

    # -- who is out there ----------------------------------------------------------------------------------------

    def _named_networks(self) -> Iterator[Far]:
        """Return the ranges of private addresses outside the VPC that rules name: clients' networks, say."""
        found: dict[str, Ranges] = {}
        for group in self._groups.all:
            for rule in (rule for rules in (group.rules or {}).values() for rule in rules):
                if rule.cidr is not None and rule.cidr.within(PRIVATE):
                    beyond = rule.cidr - self._subnets.vpc_addresses
                    if beyond:
                        found[rule.written] = beyond
        for written, beyond in found.items():
            yield Far(Node(Kind.NETWORK, written, f"network {written}"), beyond)

    def _routed_outsides(self) -> Iterator[Far]:
        found: dict[str, Ranges] = {}
        for subnet in self._placed:
            for route in subnet.table.routes if subnet.table else ():
                if route.target is Target.OUTSIDE:
                    found[route.target_id] = found.get(route.target_id, Ranges()) | route.destination
        for target_id, addresses in found.items():
            beyond = addresses - self._subnets.vpc_addresses
            yield Far(Node(Kind.OUTSIDE, target_id, f"what is behind {target_id}"), beyond)

    def _memberless_groups(self) -> Iterator[Far]:
        """Return the groups that rules name and of which no member opens connections."""
        members = {
            group
            for host in self._hosts.all
            if host.opens or host.node.kind is Kind.LOAD_BALANCER
            for group in host.groups or ()
        }
        targets = {group for host in self._hosts.all for group in host.groups or ()}
        named = {
            (rule.group, direction)
            for group in self._groups.all
            for direction, rules in (group.rules or {}).items()
            for rule in rules
            if rule.group
        }
        wanted = {
            one for one, direction in named if one not in (members if direction == INGRESS else targets)
        }
        for group_id in sorted(wanted):
            group = self._groups.get(group_id)
            address = group.address if group.rules is not None else group_id
            kind = Kind.OUTSIDE if "/" in group_id else Kind.GROUP
            yield Far(Node(kind, address, f"whatever is in {address}"), Ranges(), group_id)

    def _assumptions(self) -> Iterator[str]:
        if self._networks:
            names = ", ".join(one.node.address for one in self._networks)
            yield f"Private networks that rules name are routed to and from the VPC: {names}."
        unknown = [one.id for one in self._placed if not one.is_known]
        if unknown:
            yield f"Of subnets outside the document any route may lead anywhere: {', '.join(unknown)}."
        foreign = [one.node.address for one in self._strangers if self._groups.get(one.group).rules is None]
        if foreign:
            yield f"Groups outside the document may have any member: {', '.join(foreign)}."


def _both(let: Iterator[Box], passing: list[Box] | None) -> Iterator[Box]:
    """Return what two filters let pass; None filters nothing."""
    if passing is None:
        yield from let
        return
    for one, other in product(let, passing):
        peers, ports = one.peers & other.peers, one.ports & other.ports
        if peers and ports:
            yield Box(peers, ports, _once(*one.reasons, *other.reasons))


def _once(*reasons: Reason) -> tuple[Reason, ...]:
    return tuple(dict.fromkeys(reasons))
