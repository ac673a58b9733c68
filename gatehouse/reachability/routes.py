"""Route tables: where traffic goes that leaves a subnet for addresses outside its VPC.

The most specific route wins. A subnet without a table of its own has the main table of the VPC. Within a VPC
everything is routed to everything.

Source: Amazon VPC User Guide, "Configure route tables", "Route priority", "Example routing options" and "Subnet route
tables".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from gatehouse.document import Document, Resource
from gatehouse.reachability.graph import Reason
from gatehouse.reachability.groups import Groups
from gatehouse.reachability.ranges import EVERYWHERE, Ranges
from gatehouse.reachability.reading import blocks, cidr, reason, text, texts


class Target(Enum):
    """What a route leads to."""

    INTERNET_GATEWAY = auto()
    EGRESS_ONLY = auto()
    NAT = auto()
    OUTSIDE = auto()


#: Attributes with what a route leads to.
_TARGETS = {
    "gateway_id": Target.INTERNET_GATEWAY,
    "nat_gateway_id": Target.NAT,
    "egress_only_gateway_id": Target.EGRESS_ONLY,
    "carrier_gateway_id": Target.OUTSIDE,
    "core_network_arn": Target.OUTSIDE,
    "local_gateway_id": Target.OUTSIDE,
    "network_interface_id": Target.OUTSIDE,
    "transit_gateway_id": Target.OUTSIDE,
    "vpc_endpoint_id": Target.OUTSIDE,
    "vpc_peering_connection_id": Target.OUTSIDE,
}
_DESTINATIONS = ("destination_cidr_block", "destination_ipv6_cidr_block", "cidr_block", "ipv6_cidr_block")


@dataclass(frozen=True)
class Route:
    """One route. ``prefix_length`` of None: what a prefix list holds, whose routes are not compared with others."""

    destination: Ranges
    prefix_length: int | None
    target: Target
    target_id: str
    reason: Reason


@dataclass(frozen=True)
class Table:
    """A route table; ``services`` are those of AWS that gateway endpoints join to it, with what joins them."""

    address: str
    routes: tuple[Route, ...]
    services: Mapping[str, tuple[str, Reason]]

    def leading(self, wanted: Ranges) -> Iterator[tuple[Route, Ranges]]:
        """Return the routes that traffic to these addresses takes, each with its own addresses."""
        for route in self.routes:
            found = route.destination & wanted
            for other in self.routes:
                if (
                    route.prefix_length is not None
                    and other.prefix_length is not None
                    and other.prefix_length > route.prefix_length
                ):
                    found -= other.destination
            if found:
                yield route, found


class Tables:
    """The route tables of a document, by subnet."""

    def __init__(self, document: Document, groups: Groups) -> None:
        """Read every table, route and association.

        Raises:
            InputError: something cannot be resolved.

        """
        self._document, self._groups = document, groups
        self._tables: dict[str, Resource | None] = {}
        self._routes: dict[str, list[Route]] = {}
        self._services: dict[str, dict[str, tuple[str, Reason]]] = {}
        self._of_subnet: dict[str, str] = {}
        self._main_of: dict[str, str] = {}
        for vpc in document.of_type("aws_vpc"):
            self._main_of[vpc.text("id")] = vpc.text("main_route_table_id")
            self._declare(vpc.text("default_route_table_id"), None)
        for table in document.of_type("aws_default_route_table"):
            self._declare(table.text("default_route_table_id"), table)
        for table in document.of_type("aws_route_table"):
            self._declare(table.text("id"), table)
        for route in document.of_type("aws_route"):
            self._add(route.text("route_table_id"), route, dict(route.attributes), "")
        self._associate(document)
        self._join_endpoints(document)

    def _declare(self, table_id: str, table: Resource | None) -> None:
        self._tables[table_id] = table
        self._routes[table_id] = []
        self._services.setdefault(table_id, {})
        for index, body in enumerate(blocks(table, "route") if table else []):
            self._add(table_id, self._tables[table_id], body, f"route.{index}")
        if table is not None and texts(table, "propagating_vgws"):
            raise table.refused("propagating_vgws", "propagates routes that nobody sees", "write routes out")

    def _add(self, table_id: str, resource: Resource | None, body: Mapping[str, Any], place: str) -> None:
        if resource is None or table_id not in self._routes:
            if resource is not None:
                raise resource.refused(
                    "route_table_id", f"there is no table {table_id}", "refer to one of the document"
                )
            return
        targets = [(name, body[name]) for name in _TARGETS if body.get(name)]
        if len(targets) != 1:
            raise resource.refused(
                place, "leads to nothing that is modelled, or to several", "name one target"
            )
        ((name, target_id),) = targets
        target = _TARGETS[name]
        if target_id == "local":
            return
        if name == "gateway_id" and not str(target_id).startswith("igw-"):
            target = Target.OUTSIDE
        why = reason(self._document, resource, place)
        for destination, length in self._destinations(resource, body, place):
            self._routes[table_id].append(Route(destination, length, target, str(target_id), why))

    def _destinations(
        self, resource: Resource, body: Mapping[str, Any], place: str
    ) -> Iterator[tuple[Ranges, int | None]]:
        written = [(name, one) for name in _DESTINATIONS for one in texts(resource, name, body) if one]
        for name, one in written:
            # What IPv6 has more of bits does not matter: routes of the two never compete.
            yield cidr(resource, name, one), int(one.partition("/")[2] or 128)
        prefix_lists = [one for one in texts(resource, "destination_prefix_list_id", body) if one]
        for one in prefix_lists:
            held = self._groups.prefix_lists.get(one)
            yield (held.ranges if held and not held.services else EVERYWHERE), None
        if not written and not prefix_lists:
            raise resource.refused(place, "has no destination", "give it a range of addresses")

    def _associate(self, document: Document) -> None:
        for one in document.of_type("aws_main_route_table_association"):
            self._main_of[one.text("vpc_id")] = one.text("route_table_id")
        for one in document.of_type("aws_route_table_association"):
            if text(one, "subnet_id") is None:
                raise one.refused("gateway_id", "routes what comes in, which is not modelled", "remove it")
            self._of_subnet[one.text("subnet_id")] = one.text("route_table_id")

    def _join_endpoints(self, document: Document) -> None:
        ids = {}
        for endpoint in document.of_type("aws_vpc_endpoint"):
            ids[endpoint.text("id")] = endpoint
            if (text(endpoint, "vpc_endpoint_type") or "Gateway") == "Gateway":
                for table_id in texts(endpoint, "route_table_ids"):
                    self._join(table_id, endpoint, reason(document, endpoint, "route_table_ids"))
        for one in document.of_type("aws_vpc_endpoint_route_table_association"):
            endpoint_id = one.text("vpc_endpoint_id")
            if endpoint_id not in ids:
                raise one.refused("vpc_endpoint_id", f"there is no endpoint {endpoint_id}", "refer to one")
            self._join(one.text("route_table_id"), ids[endpoint_id], reason(document, one))

    def _join(self, table_id: str, endpoint: Resource, why: Reason) -> None:
        services = self._services.setdefault(table_id, {})
        services[endpoint.text("service_name")] = (endpoint.address, why)

    def of(self, subnet: Resource) -> Table | None:
        """Return the table of a subnet; None where it is that of a VPC outside the document."""
        table_id = self._of_subnet.get(subnet.text("id")) or self._main_of.get(text(subnet, "vpc_id") or "")
        if table_id is None or (table_id not in self._routes and table_id not in self._main_of.values()):
            return None
        declared = self._tables.get(table_id)
        return Table(
            declared.address if declared else table_id,
            tuple(self._routes.get(table_id, ())),
            self._services.get(table_id, {}),
        )
