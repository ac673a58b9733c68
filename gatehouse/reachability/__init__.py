"""Who can open a connection to whom, from a synthesized document or a plan alone, and what must never be reached.

::

    from gatehouse.document import read_document
    from gatehouse.reachability import build_graph, judge

    document = read_document(Path("cdktf.out/stacks/dev/cdk.tf.json"))
    for verdict in judge(document):
        print(verdict.invariant.name, verdict.outcome, [one.hops for one in verdict.failures])

``groups``, ``acls``, ``routes`` and ``subnets`` read what filters and leads connections, ``hosts`` and ``front`` who
has them, ``build`` makes the ``graph`` of it, ``invariants`` asks it, ``report`` and ``picture`` write it down.

Where the document does not say, it is assumed that a connection is possible: FAIL means *might*, PASS means proved
under the assumptions that a verdict lists. Assumed of every document: group members, subnets and routes are those of
the document; nothing is added by hand; public addresses come from the internet alone; the services of AWS keep their
promises. A plan is judged once what it holds has ids.

Not modelled: the DNS resolver, time and instance metadata of a VPC, which no group filters; names and certificates;
who may call the API or pass an endpoint, which policies decide (``gatehouse.access``); which address a load balancer
shows its targets; what an Auto Scaling group's instances listen on; AWS Network Firewall, VPC peering between two VPCs
of one document (both ends are outside to each other), prefix lists without a name, local zones and Outposts. A type of
resource that is not known is an error.
"""

from gatehouse.reachability.build import build_graph
from gatehouse.reachability.graph import Edge, Graph, Kind, Node, Path, Reason
from gatehouse.reachability.invariants import INVARIANTS, Invariant, Outcome, Verdict, judge, judge_graph

__all__ = [
    "INVARIANTS",
    "Edge",
    "Graph",
    "Invariant",
    "Kind",
    "Node",
    "Outcome",
    "Path",
    "Reason",
    "Verdict",
    "build_graph",
    "judge",
    "judge_graph",
]
