"""The graph: what is in the network, which connections can be opened in it, and what makes each of them possible."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from gatehouse.reachability.ranges import EVERY_PORT, Ranges


class Kind(StrEnum):
    """What a node is."""

    INTERNET = "internet"
    NETWORK = "network"
    """A range of private addresses outside the VPC that a rule names, such as that of the clients."""
    OUTSIDE = "outside"
    """What a route leads to that is neither internet nor NAT: peered VPCs, transit gateways, private lines."""
    NEIGHBOUR = "neighbour"
    """Anything else that may be in the VPC, in a security group of its own that lets everything out."""
    GROUP = "group"
    """Whatever is or comes into a security group of which the document has no member that opens connections."""
    API = "API"
    VPC_LINK = "VPC link"
    LOAD_BALANCER = "load balancer"
    SERVER = "server"
    DATABASE = "database"
    ENDPOINT = "endpoint"
    GATEWAY_ENDPOINT = "gateway endpoint"
    NAT = "NAT gateway"
    SERVICE = "AWS service"


#: What passes a connection on.
TRANSIT = frozenset({Kind.VPC_LINK, Kind.ENDPOINT, Kind.GATEWAY_ENDPOINT, Kind.NAT})


@dataclass(frozen=True, order=True)
class Node:
    """Somebody who opens connections, or to whom they are opened.

    ``address`` is the resource's in Terraform, or says what stands for it; ``label`` is for people.
    """

    kind: Kind
    address: str
    label: str

    def __str__(self) -> str:
        """Return how a sentence names it."""
        return self.label


@dataclass(frozen=True)
class Reason:
    """A resource that makes a connection possible, and where it stands in the document."""

    address: str
    line: int | None = None

    def __str__(self) -> str:
        """Return the address and the line."""
        return f"{self.address} (line {self.line})" if self.line else self.address


@dataclass(frozen=True)
class Way:
    """Ports that the same resources open."""

    ports: Ranges
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Edge:
    """``source`` can open connections to ``target``, in one or more ways."""

    source: Node
    target: Node
    ways: tuple[Way, ...]

    @cached_property
    def ports(self) -> Ranges:
        """All ports together."""
        return Ranges.joined(one for way in self.ways for one in way.ports.ranges)

    def narrowed(self, ports: Ranges) -> Edge | None:
        """Return the edge for these ports alone; None if it has none of them."""
        ways = tuple(Way(way.ports & ports, way.reasons) for way in self.ways if way.ports & ports)
        return Edge(self.source, self.target, ways) if ways else None


#: Edges, each of which begins where the one before ends; the ports are those that pass all of them.
Path = tuple[Edge, ...]


@dataclass(frozen=True)
class Graph:
    """Everything that can open a connection to something. ``assumptions`` are sentences about what is not seen."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    assumptions: tuple[str, ...] = ()
    _leaving: dict[Node, list[Edge]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort the edges by where they begin."""
        for edge in self.edges:
            self._leaving.setdefault(edge.source, []).append(edge)

    def of(self, *kinds: Kind) -> tuple[Node, ...]:
        """Return the nodes of these kinds."""
        return tuple(node for node in self.nodes if node.kind in kinds)

    def leaving(self, node: Node) -> tuple[Edge, ...]:
        """Return the edges that begin at a node."""
        return tuple(self._leaving.get(node, ()))

    def opened_from(self, source: Node, ports: Ranges = EVERY_PORT) -> Iterator[Path]:
        """Find where a node can open connections to, through what passes them on: the shortest path to each node.

        A search in breadth; what passes connections on is found as well as what is behind it.
        """
        return self._search(source, ports, lambda node: node.kind in TRANSIT)

    def led_to(self, source: Node) -> Iterator[Path]:
        """Find where one gets from node to node, when each passes on what it was told: the shortest path to each."""
        return self._search(source, EVERY_PORT, lambda _: True)

    def _search(self, source: Node, ports: Ranges, goes_on: Callable[[Node], bool]) -> Iterator[Path]:
        seen: dict[Node, Ranges] = {}
        queue: deque[tuple[Node, Ranges, Path]] = deque([(source, ports, ())])
        while queue:
            node, left, path = queue.popleft()
            for edge in self.leaving(node):
                # A VPC link or an endpoint opens a connection of its own; a NAT gateway passes the caller's on.
                found = edge.narrowed(left if node.kind is Kind.NAT or not path else EVERY_PORT)
                new = found.ports - seen.get(edge.target, Ranges()) if found else Ranges()
                if found is None or not new:
                    continue
                first = edge.target not in seen
                seen[edge.target] = seen.get(edge.target, Ranges()) | new
                if first:
                    yield (*path, found)
                if goes_on(edge.target):
                    queue.append((edge.target, new, (*path, found)))


def collected(ways: Iterable[tuple[Node, Node, Way]]) -> tuple[Edge, ...]:
    """Return edges of single ways, each way once."""
    found: dict[tuple[Node, Node], dict[tuple[Reason, ...], Ranges]] = {}
    for source, target, way in ways:
        by_reason = found.setdefault((source, target), {})
        by_reason[way.reasons] = by_reason.get(way.reasons, Ranges()) | way.ports
    return tuple(Edge(*ends, _ways(by_reason)) for ends, by_reason in found.items())


def _ways(by_reason: Mapping[tuple[Reason, ...], Ranges]) -> tuple[Way, ...]:
    return tuple(Way(ports, reasons) for reasons, ports in by_reason.items())
