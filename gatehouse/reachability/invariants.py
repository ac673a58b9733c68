"""What must hold of every stack, proved by searching its graph; what fails is shown with the way that was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from gatehouse.document import Document
from gatehouse.reachability.build import build_graph
from gatehouse.reachability.graph import Graph, Kind, Node, Path, Reason
from gatehouse.reachability.groups import INGRESS, Groups
from gatehouse.reachability.ranges import ports, ports_text

#: Secure Shell and Remote Desktop.
SHELLS = ports("tcp", 22, 22) | ports("tcp", 3389, 3389)
#: Who is not in the VPC.
OUTSIDERS = (Kind.INTERNET, Kind.NETWORK, Kind.OUTSIDE)


class Severity(StrEnum):
    """How bad it is if an invariant does not hold."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"


class Outcome(StrEnum):
    """What became of an invariant."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_ASKED = "not asked"


@dataclass(frozen=True)
class Failure:
    """Why an invariant does not hold: a sentence, and the way that was found, if it is about one."""

    sentence: str
    path: Path = ()
    reasons: tuple[Reason, ...] = ()

    @property
    def hops(self) -> tuple[str, ...]:
        """The hops of the way, each with its ports and what makes it possible."""
        return tuple(
            f"{edge.source} -> {edge.target} ({ports_text(edge.ports)}) by "
            + ", ".join(map(str, edge.ways[0].reasons))
            for edge in self.path
        )


@dataclass(frozen=True)
class Facts:
    """What invariants are asked of. ``no_egress``: nothing may lead out of the VPC."""

    graph: Graph
    groups: Groups
    vpcs: tuple[tuple[str, str], ...]
    """Addresses and ids of the VPCs."""
    no_egress: bool


Search = Callable[[Facts], Iterator[Failure]]


@dataclass(frozen=True)
class Invariant:
    """A sentence that is to hold. ``asked`` returns why it is not asked of a document, or nothing."""

    id: str
    name: str
    sentence: str
    severity: Severity
    search: Search
    asked: Callable[[Facts], str] = lambda _: ""


@dataclass(frozen=True)
class Verdict:
    """What became of an invariant in a document; with PASSED, under the assumptions."""

    invariant: Invariant
    outcome: Outcome
    failures: tuple[Failure, ...] = ()
    reason: str = ""
    assumptions: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return self.outcome is not Outcome.FAILED


def judge(document: Document, *, no_egress: bool = False) -> tuple[Verdict, ...]:
    """Return the verdict on every invariant.

    ``no_egress`` asks that nothing leads out of the VPC. Without it, that is asked of a document that has a VPC and
    no NAT gateway: a document says no more of what its author meant.

    Raises:
        InputError: something cannot be resolved, or is of a type that is not modelled.

    """
    return judge_graph(document, build_graph(document), no_egress=no_egress)


def judge_graph(document: Document, graph: Graph, *, no_egress: bool = False) -> tuple[Verdict, ...]:
    """Return the verdict on every invariant, of a graph that is there already."""
    vpcs = tuple((one.address, one.text("id")) for one in document.of_type("aws_vpc"))
    closed = no_egress or (bool(vpcs) and not graph.of(Kind.NAT))
    facts = Facts(graph, Groups(document), vpcs, closed)
    return tuple(_verdict(one, facts) for one in INVARIANTS)


def _verdict(invariant: Invariant, facts: Facts) -> Verdict:
    not_asked = invariant.asked(facts)
    if not_asked:
        return Verdict(invariant, Outcome.NOT_ASKED, reason=not_asked)
    failures = tuple(invariant.search(facts))
    outcome = Outcome.FAILED if failures else Outcome.PASSED
    return Verdict(invariant, outcome, failures, assumptions=facts.graph.assumptions)


def _from_internet(facts: Facts) -> Iterator[Failure]:
    for source in facts.graph.of(Kind.INTERNET):
        for path in facts.graph.opened_from(source):
            if path[-1].target.kind is not Kind.API:
                yield _reaches(path)


def _from_other_networks(facts: Facts) -> Iterator[Failure]:
    """The API, or the endpoints that lead to a private one and to nothing else."""
    for source in facts.graph.of(Kind.NETWORK, Kind.OUTSIDE, Kind.GROUP):
        for path in facts.graph.opened_from(source):
            target = path[-1].target
            if target.kind is not Kind.API and not _is_entry(facts.graph, target):
                yield _reaches(path)


def _is_entry(graph: Graph, node: Node) -> bool:
    behind = [edge.target.kind for edge in graph.leaving(node)]
    return node.kind is Kind.ENDPOINT and bool(behind) and set(behind) == {Kind.API}


def _reaches(path: Path) -> Failure:
    return Failure(f"{path[0].source} opens connections to {path[-1].target}", path)


def _only_from(target: Kind, allowed: Kind) -> Search:
    def search(facts: Facts) -> Iterator[Failure]:
        for edge in facts.graph.edges:
            if edge.target.kind is target and edge.source.kind is not allowed:
                path = (*_way_to(facts.graph, edge.source), edge)
                yield Failure(f"{edge.source} opens connections to {edge.target}", path)

    return search


def _way_to(graph: Graph, node: Node) -> Path:
    """Return the shortest way from outside to a node inside, if there is one: who comes so far may go on."""
    if node.kind in OUTSIDERS:
        return ()
    found = (path for one in graph.of(*OUTSIDERS) for path in graph.led_to(one) if path[-1].target == node)
    return min(found, key=len, default=())


def _database_calls_nobody(facts: Facts) -> Iterator[Failure]:
    for node in facts.graph.of(Kind.DATABASE):
        for path in facts.graph.opened_from(node):
            yield _reaches(path)


def _api_calls_its_link(facts: Facts) -> Iterator[Failure]:
    """What the API passes on has all that was sent to it, artifacts included, and who sent it."""
    for edge in facts.graph.edges:
        if edge.source.kind is Kind.API and edge.target.kind is not Kind.VPC_LINK:
            yield Failure(f"{edge.source} passes calls on to {edge.target}", (edge,))


def _no_way_out(facts: Facts) -> Iterator[Failure]:
    for source in facts.graph.of(Kind.SERVER, Kind.DATABASE):
        for path in facts.graph.opened_from(source):
            if path[-1].target.kind in (*OUTSIDERS, Kind.NAT):
                yield _reaches(path)


def _egress_asked(facts: Facts) -> str:
    if facts.no_egress:
        return ""
    if not facts.vpcs:
        return "the VPC is not in the document; --no-egress asks it"
    return "the document has a NAT gateway; --no-egress asks it all the same"


def _no_shells(facts: Facts) -> Iterator[Failure]:
    for edge in facts.graph.edges:
        found = edge.narrowed(SHELLS)
        # What is behind a gateway or an endpoint is asked of who calls it: they pass on what they are told.
        if found is not None and edge.source.kind not in (Kind.NAT, Kind.ENDPOINT, Kind.GATEWAY_ENDPOINT):
            yield Failure(f"{edge.source} opens {ports_text(found.ports)} of {edge.target}", (found,))
    defaults = {facts.groups.default_of(vpc_id) for _, vpc_id in facts.vpcs}
    for group in facts.groups.all:
        for rule in (group.rules or {}).get(INGRESS, ()):
            if rule.ports & SHELLS and group.id not in defaults:  # of those, every rule is found elsewhere
                opened = ports_text(rule.ports & SHELLS)
                yield Failure(f"{group.address} lets in {opened}, whoever comes so far", (), (rule.reason,))


def _empty_default_groups(facts: Facts) -> Iterator[Failure]:
    for address, vpc_id in facts.vpcs:
        group = facts.groups.get(facts.groups.default_of(vpc_id))
        rules = [rule for each in (group.rules or {}).values() for rule in each]
        if rules:
            reasons = tuple(dict.fromkeys(rule.reason for rule in rules))
            yield Failure(f"the default security group of {address} has rules: {group.address}", (), reasons)


def _way_in(facts: Facts) -> Iterator[Failure]:
    """Whoever finds nothing anywhere has proved nothing: the way that is meant to be there is there."""
    chain = (Kind.API, Kind.VPC_LINK, Kind.LOAD_BALANCER, Kind.SERVER, Kind.DATABASE)
    for kind in chain:
        if not facts.graph.of(kind):
            yield Failure(f"there is no {kind}")
    for api in facts.graph.of(Kind.API):
        callers = facts.graph.of(*OUTSIDERS, Kind.GROUP, Kind.NEIGHBOUR)
        if not any(path[-1].target == api for one in callers for path in facts.graph.opened_from(one)):
            yield Failure(f"nobody outside opens connections to {api}")
        reached = {path[-1].target.kind for path in facts.graph.led_to(api)}
        for kind in chain[1:]:
            if facts.graph.of(kind) and kind not in reached:
                yield Failure(f"no way leads from {api} to the {kind}")


INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        "NW01",
        "internet-meets-the-api",
        "The internet opens connections to nothing but the API's own endpoint.",
        Severity.CRITICAL,
        _from_internet,
    ),
    Invariant(
        "NW02",
        "networks-meet-the-api",
        "Other networks, and groups of others, open connections to nothing but the API or its entry.",
        Severity.HIGH,
        _from_other_networks,
    ),
    Invariant(
        "NW03",
        "database-for-servers",
        "Only the servers open connections to the database.",
        Severity.CRITICAL,
        _only_from(Kind.DATABASE, Kind.SERVER),
    ),
    Invariant(
        "NW04",
        "servers-behind-balancer",
        "Only the load balancer opens connections to the servers.",
        Severity.CRITICAL,
        _only_from(Kind.SERVER, Kind.LOAD_BALANCER),
    ),
    Invariant(
        "NW05",
        "balancer-behind-link",
        "Only the API's VPC link opens connections to the load balancer.",
        Severity.CRITICAL,
        _only_from(Kind.LOAD_BALANCER, Kind.VPC_LINK),
    ),
    Invariant(
        "NW06",
        "database-calls-nobody",
        "The database opens connections to nobody.",
        Severity.HIGH,
        _database_calls_nobody,
    ),
    Invariant(
        "NW07",
        "no-way-out",
        "Without egress, servers and database open connections to nothing outside the VPC but AWS, by endpoints.",
        Severity.HIGH,
        _no_way_out,
        _egress_asked,
    ),
    Invariant(
        "NW08",
        "no-shells",
        "Nobody opens connections to the ports of SSH and RDP, 22 and 3389, and no security group lets them in.",
        Severity.HIGH,
        _no_shells,
    ),
    Invariant(
        "NW09",
        "empty-default-groups",
        "The default security group of a VPC has no rules.",
        Severity.MEDIUM,
        _empty_default_groups,
        lambda facts: "" if facts.vpcs else "the VPC is not in the document",
    ),
    Invariant(
        "NW10",
        "way-in",
        "A way leads from the API by VPC link and load balancer to the servers, and from these to the database.",
        Severity.MEDIUM,
        _way_in,
    ),
    Invariant(
        "NW11",
        "api-calls-its-link",
        "The API passes calls on to its VPC link and to nothing else.",
        Severity.CRITICAL,
        _api_calls_its_link,
    ),
)
