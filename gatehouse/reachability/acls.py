"""Network ACLs: what passes the edge of a subnet.

The rules of a direction are tried by number, lowest first; the first that fits decides, and what fits none is denied.
ACLs remember nothing: the answers to a connection pass in the other direction, to an ephemeral port of the caller.
What stays within a subnet passes no ACL.

Source: Amazon VPC User Guide, "Control subnet traffic with network access control lists", "Network ACL rules",
"Default network ACL for a VPC" and "Ephemeral ports".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gatehouse.document import Document, Resource
from gatehouse.reachability.graph import Reason
from gatehouse.reachability.groups import EGRESS, INGRESS, Box
from gatehouse.reachability.ranges import (
    EVERY_PORT,
    EVERYWHERE,
    TCP,
    Ranges,
    is_other_protocol,
    ports,
)
from gatehouse.reachability.reading import cidr, is_true, port_range, reason, text, texts

#: Ports from which clients open connections.
EPHEMERAL = ports("tcp", 1024, 65535)
_ICMP = ports("icmp") | ports("icmpv6")


@dataclass(frozen=True)
class AclRule:
    """One rule of one direction."""

    number: int
    allows: bool
    peers: Ranges
    ports: Ranges
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Acl:
    """Rules by direction, each in the order in which they are tried."""

    rules: Mapping[str, tuple[AclRule, ...]]

    def let(self, direction: str, peers: Ranges) -> Iterator[Box]:
        """Return what passes in one direction from, or to, these addresses."""
        left = [(peers, EVERY_PORT)]
        for rule in self.rules[direction]:
            rest = []
            for addresses, open_ports in left:
                hit, through = addresses & rule.peers, open_ports & rule.ports
                if hit and through:
                    if rule.allows:
                        yield Box(hit, through, rule.reasons)
                    rest += [(addresses - rule.peers, open_ports), (hit, open_ports - rule.ports)]
                else:
                    rest.append((addresses, open_ports))
            left = [pair for pair in rest if all(pair)]

    def opened(self, direction: str, peers: Ranges) -> Iterator[Box]:
        """Return the connections that pass in one direction and whose answers pass in the other.

        Only TCP needs answers; a datagram has arrived without one.
        """
        back = [
            box
            for box in self.let(INGRESS if direction == EGRESS else EGRESS, peers)
            if box.ports & EPHEMERAL
        ]
        for box in self.let(direction, peers):
            if box.ports - TCP:
                yield Box(box.peers, box.ports - TCP, box.reasons)
            for answer in back:
                both = box.peers & answer.peers
                if both and box.ports & TCP:
                    reasons = tuple(dict.fromkeys((*box.reasons, *answer.reasons)))
                    yield Box(both, box.ports & TCP, reasons)


class Acls:
    """The network ACLs of a document, by subnet."""

    def __init__(self, document: Document) -> None:
        """Read every ACL and every rule.

        Raises:
            InputError: something cannot be resolved.

        """
        self._document = document
        self._rules: dict[str, dict[str, list[AclRule]]] = {}
        self._of_subnet: dict[str, str] = {}
        self._default_of: dict[str, str] = {}
        for vpc in document.of_type("aws_vpc"):
            self._add_default(vpc)
        for kind in ("aws_network_acl", "aws_default_network_acl"):
            for acl in document.of_type(kind):
                self._add(acl, is_default=kind == "aws_default_network_acl")
        for rule in document.of_type("aws_network_acl_rule"):
            direction = EGRESS if is_true(rule, "egress", rule.attributes.get("egress")) else INGRESS
            self._add_rule(rule.text("network_acl_id"), direction, rule, dict(rule.attributes), "")
        for one in document.of_type("aws_network_acl_association"):
            self._of_subnet[one.text("subnet_id")] = one.text("network_acl_id")

    def _add_default(self, vpc: Resource) -> None:
        """Add the ACL that AWS makes with a VPC, which lets everything pass."""
        acl_id = vpc.text("default_network_acl_id")
        self._default_of[vpc.text("id")] = acl_id
        rule = AclRule(number=100, allows=True, peers=EVERYWHERE, ports=EVERY_PORT, reasons=())
        self._rules[acl_id] = {INGRESS: [rule], EGRESS: [rule]}

    def _add(self, acl: Resource, *, is_default: bool) -> None:
        acl_id = acl.text("default_network_acl_id") if is_default else acl.text("id")
        self._rules[acl_id] = {INGRESS: [], EGRESS: []}
        for subnet_id in texts(acl, "subnet_ids"):
            self._of_subnet[subnet_id] = acl_id
        for direction in (INGRESS, EGRESS):
            found = acl.attributes.get(direction)
            listed = found if isinstance(found, list) else [] if found is None else [found]
            for index, body in enumerate(listed):
                self._add_rule(acl_id, direction, acl, body, f"{direction}.{index}")

    def _add_rule(
        self, acl_id: str, direction: str, resource: Resource, body: Mapping[str, Any], place: str
    ) -> None:
        if acl_id not in self._rules:
            raise resource.refused(
                "network_acl_id", f"there is no network ACL {acl_id}", "refer to one of the document"
            )
        written = str(body.get("rule_action", body.get("action"))).lower()
        if written not in ("allow", "deny"):
            raise resource.refused(place or "rule_action", f"{written} is no action", "allow or deny")
        protocol = str(body.get("protocol", "-1"))
        if written == "deny" and _is_narrower(protocol, body):
            return  # denies a part of what is not told apart here: the rest stays open
        names = ("cidr_block", "ipv6_cidr_block")
        found = [cidr(resource, name, one) for name in names for one in texts(resource, name, body) if one]
        if len(found) != 1:
            raise resource.refused(place or "cidr_block", "is not one range of addresses", "give one range")
        try:
            number = int(str(body.get("rule_number", body.get("rule_no"))))
        except ValueError:
            raise resource.refused(place or "rule_number", "is no number", "write a whole number") from None
        why = (reason(self._document, resource, place),)
        rules = self._rules[acl_id][direction]
        rules.append(AclRule(number, written == "allow", found[0], port_range(resource, body), why))
        rules.sort(key=lambda one: one.number)

    def of(self, subnet: Resource) -> Acl | None:
        """Return the ACL of a subnet; None where it is the default one of a VPC outside the document."""
        acl_id = self._of_subnet.get(subnet.text("id")) or self._default_of.get(text(subnet, "vpc_id") or "")
        if acl_id is None:
            return None
        if acl_id not in self._rules:
            raise subnet.refused("id", f"has the network ACL {acl_id}, which is not there", "declare it")
        return Acl({direction: tuple(rules) for direction, rules in self._rules[acl_id].items()})


def _is_narrower(protocol: str, body: Mapping[str, Any]) -> bool:
    """Return whether a rule is for less than the ports that stand for it: one type of ICMP, or port 0 alone."""
    ends = body.get("from_port"), body.get("to_port")
    kind = str(body.get("icmp_type") if body.get("icmp_type") is not None else -1)
    is_every = ports(protocol) == EVERY_PORT
    whole = kind == "-1" if ports(protocol) & _ICMP else tuple(map(str, ends)) != ("0", "0")
    return not is_every and (is_other_protocol(protocol) or not whole)
