"""What a picture shows: boxes in columns from the callers to what the servers call, and arrows between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gatehouse.reachability.graph import TRANSIT, Edge, Graph, Kind, Node
from gatehouse.reachability.invariants import OUTSIDERS, Verdict
from gatehouse.reachability.ranges import Ranges, ports_text

#: Columns by what is in them; who is called stands to the right of who calls.
_COLUMNS: Mapping[Kind, int] = {
    Kind.INTERNET: 0,
    Kind.NETWORK: 0,
    Kind.OUTSIDE: 0,
    Kind.NEIGHBOUR: 0,
    Kind.GROUP: 0,
    Kind.API: 1,
    Kind.VPC_LINK: 2,
    Kind.LOAD_BALANCER: 2,
    Kind.SERVER: 3,
    Kind.DATABASE: 4,
    Kind.ENDPOINT: 4,
    Kind.GATEWAY_ENDPOINT: 4,
    Kind.NAT: 4,
    Kind.SERVICE: 5,
}
_ENTRY_COLUMN = 1
_LAST_COLUMN = 5
#: From so many on, endpoints that are called by the same and their services are drawn as one.
_MANY = 2
_LONGEST_LABEL = 11


@dataclass(frozen=True)
class Box:
    """A box: what kind it is, the names in it, and its column."""

    title: str
    lines: tuple[str, ...]
    column: int
    kind: Kind


@dataclass(frozen=True)
class Arrow:
    """An arrow from one box to another; ``fails``: a verdict is against it."""

    source: Box
    target: Box
    ports: str
    fails: bool

    @property
    def label(self) -> str:
        """The ports, as far as there is room for them."""
        if self.ports == "every port":
            return "all ports"
        return self.ports if len(self.ports) <= _LONGEST_LABEL else f"{self.ports.partition(',')[0]}, …"


@dataclass(frozen=True)
class View:
    """A picture without places."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def view_of(graph: Graph, verdicts: Sequence[Verdict]) -> View:
    """Return what a picture of a graph shows."""
    failing = {
        (edge.source, edge.target)
        for verdict in verdicts
        for failure in verdict.failures
        for edge in failure.path[-1:]
    }
    boxes = dict(_boxes(graph))
    joined: dict[tuple[Box, Box], list[tuple[Ranges, bool]]] = {}
    for edge in graph.edges:
        ends = boxes[edge.source], _target_box(boxes, edge)
        fails = (edge.source, edge.target) in failing
        joined.setdefault(ends, []).append((_passed(graph, edge), fails))
    arrows = [
        Arrow(source, target, _ports(each), any(fails for _, fails in each))
        for (source, target), each in joined.items()
    ]
    shown = dict.fromkeys([*(box for arrow in arrows for box in (arrow.source, arrow.target))])
    return View(tuple(sorted(shown, key=_order)), tuple(arrows))


def _order(box: Box) -> tuple[int, int, str]:
    """Return by what boxes are sorted: in the order of kinds, but for who is called outside, who comes last."""
    place = list(Kind).index(box.kind)
    if box.kind is Kind.ENDPOINT and box.column == _ENTRY_COLUMN:
        place = -1  # it stands above the private API to which it leads
    if box.column == _LAST_COLUMN and box.kind is not Kind.SERVICE:
        place += len(Kind)
    return box.column, place, box.title


def _ports(each: Iterable[tuple[Ranges, bool]]) -> str:
    return ports_text(Ranges.joined(pair for ports, _ in each for pair in ports.ranges))


def _boxes(graph: Graph) -> Iterator[tuple[Node, Box]]:
    """Return the box of each node; many endpoints of AWS in one, and what is behind them in another."""
    callers: dict[frozenset[Node], list[Node]] = {}
    for node in graph.of(Kind.ENDPOINT):
        if not _leads_to_api(graph, node):
            calling = frozenset(edge.source for edge in graph.edges if edge.target == node)
            callers.setdefault(calling, []).append(node)
    merged: set[Node] = set()
    for nodes in callers.values():
        if len(nodes) >= _MANY:
            services = [edge.target for node in nodes for edge in graph.leaving(node)]
            names = tuple(node.label.removeprefix("endpoint ") for node in nodes)
            endpoints = Box(f"{len(nodes)} endpoints", names, _COLUMNS[Kind.ENDPOINT], Kind.ENDPOINT)
            behind = Box(f"{len(services)} AWS services", names, _LAST_COLUMN, Kind.SERVICE)
            yield from ((node, endpoints) for node in nodes)
            yield from ((node, behind) for node in services)
            merged |= {*nodes, *services}
    for node in graph.nodes:
        if node not in merged:
            entry = node.kind is Kind.ENDPOINT and _leads_to_api(graph, node)
            yield node, _box(node, _ENTRY_COLUMN if entry else _COLUMNS[node.kind])


def _leads_to_api(graph: Graph, node: Node) -> bool:
    return any(edge.target.kind is Kind.API for edge in graph.leaving(node))


def _box(node: Node, column: int) -> Box:
    # The rest of the label is what the resource is called.
    words = str(node.kind)
    title = words if node.kind is not Kind.SERVER else "servers"
    if node.label.startswith("clients "):
        title = "clients"
    name = node.label.removeprefix(title).removeprefix(words).removeprefix("AWS").strip()
    return Box(title, (name,) if name else (), column, node.kind)


def _passed(graph: Graph, edge: Edge) -> Ranges:
    """Return the ports of an edge; of what passes connections on, those alone that come to it."""
    if edge.source.kind not in TRANSIT - {Kind.VPC_LINK}:  # which opens a connection of its own
        return edge.ports
    arriving = [pair for one in graph.edges if one.target == edge.source for pair in one.ports.ranges]
    return edge.ports & Ranges.joined(arriving)


def _target_box(boxes: Mapping[Node, Box], edge: Edge) -> Box:
    """Return the box of a target; whoever is called outside has a second box, at the other end."""
    box = boxes[edge.target]
    if edge.target.kind in (*OUTSIDERS, Kind.GROUP):
        return Box(box.title, box.lines, _LAST_COLUMN, box.kind)
    return box
