"""Security groups: what they let in and out of the resources that are in them.

A connection that a group lets in or out is answered, whatever the rules of the other direction say: groups remember
connections. Rules only allow; they have no order.

Source: Amazon VPC User Guide, "Control traffic to your AWS resources using security groups", "Security group rules"
and "Default security groups for your VPCs".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gatehouse.document import Document, Resource
from gatehouse.reachability.graph import Reason
from gatehouse.reachability.ranges import EVERY_PORT, EVERYWHERE, Ranges
from gatehouse.reachability.reading import blocks, cidr, is_true, port_range, reason, texts

INGRESS, EGRESS = "ingress", "egress"
_NOTHING = Ranges()
#: Where a rule is a resource of its own: its type and direction.
_RULES = {
    "aws_vpc_security_group_ingress_rule": INGRESS,
    "aws_vpc_security_group_egress_rule": EGRESS,
}


@dataclass(frozen=True)
class Box:
    """Connections with some addresses, to some ports, and what lets them."""

    peers: Ranges
    ports: Ranges
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Party:
    """The other end of a connection: addresses, the ids of its groups, and the AWS service that it is."""

    addresses: Ranges
    groups: frozenset[str] = frozenset()
    service: str = ""


@dataclass(frozen=True)
class Rule:
    """One rule with one peer: a range, a group's id or a prefix list's."""

    ports: Ranges
    reason: Reason
    cidr: Ranges | None = None
    written: str = ""
    group: str = ""
    prefix_list: str = ""


@dataclass(frozen=True)
class PrefixList:
    """What a prefix list holds: services of AWS by name, or ranges of the document's own.

    Source: Amazon VPC User Guide, "AWS-managed prefix lists" and "Customer-managed prefix lists".
    """

    services: frozenset[str] = frozenset()
    ranges: Ranges = _NOTHING


@dataclass(frozen=True)
class Group:
    """A group. ``rules`` are by direction; None where the document does not have the group."""

    id: str
    address: str
    rules: Mapping[str, tuple[Rule, ...]] | None


class Groups:
    """The security groups of a document by id."""

    def __init__(self, document: Document) -> None:
        """Read every group and every rule.

        Raises:
            InputError: something cannot be resolved.

        """
        self._document = document
        self._rules: dict[str, dict[str, list[Rule]]] = {}
        self._addresses: dict[str, str] = {}
        self._default_of: dict[str, str] = {}
        self._same: dict[str, str] = {}
        for vpc in document.of_type("aws_vpc"):
            self._add_default(vpc)
        for group in document.of_type("aws_default_security_group"):
            self._take_over(group)
        for group in document.of_type("aws_security_group"):
            self._add(group.text("id"), group)
        for kind, direction in _RULES.items():
            for rule in document.of_type(kind):
                body = {**rule.attributes, "protocol": rule.attributes.get("ip_protocol")}
                self._add_rules(rule.text("security_group_id"), direction, rule, body, "")
        for rule in document.of_type("aws_security_group_rule"):
            group_id = rule.text("security_group_id")
            self._add_rules(group_id, rule.text("type"), rule, dict(rule.attributes), "")

    def _add_default(self, vpc: Resource) -> None:
        """Add the group that AWS makes with a VPC: its members talk to each other and to everybody outside."""
        group_id = vpc.text("default_security_group_id")
        why = reason(self._document, vpc)
        self._addresses[group_id] = f"default security group of {vpc.address}"
        self._default_of[vpc.text("id")] = group_id
        self._rules[group_id] = {
            INGRESS: [Rule(EVERY_PORT, why, group=group_id)],
            EGRESS: [Rule(EVERY_PORT, why, cidr=EVERYWHERE, written="0.0.0.0/0")],
        }

    def _take_over(self, group: Resource) -> None:
        """Let Terraform have the default group of a VPC: it removes the rules that the document does not give.

        Source: Terraform AWS provider, "aws_default_security_group".
        """
        vpc_id = group.attributes.get("vpc_id")
        made = self._default_of.get(vpc_id) if isinstance(vpc_id, str) else None
        group_id = group.text("id")
        if made is not None:
            self._same[made] = group_id
            del self._rules[made]
        if isinstance(vpc_id, str):
            self._default_of[vpc_id] = group_id
        self._add(group_id, group)

    def _add(self, group_id: str, group: Resource) -> None:
        self._addresses[group_id] = group.address
        self._rules[group_id] = {INGRESS: [], EGRESS: []}
        for direction in (INGRESS, EGRESS):
            found = group.attributes.get(direction)
            listed = found if isinstance(found, list) else [] if found is None else [found]
            for index, body in enumerate(listed):
                self._add_rules(group_id, direction, group, body, f"{direction}.{index}")

    def _add_rules(
        self, group_id: str, direction: str, resource: Resource, body: Mapping[str, Any], place: str
    ) -> None:
        """Add a rule once for each of its peers; a rule of a group that is elsewhere is that group's alone."""
        there = self._rules.setdefault(self._canonical(group_id), {INGRESS: [], EGRESS: []})
        if direction not in there:
            raise resource.refused("type", f"{direction} is no direction", f"{INGRESS} or {EGRESS}")
        found = port_range(resource, body), reason(self._document, resource, place)
        peers = list(self._peers(group_id, resource, body))
        if not peers:
            raise resource.refused(place, "names nobody", "give it a range, a group or a prefix list")
        there[direction] += [Rule(*found, **peer) for peer in peers]

    def _peers(self, group_id: str, resource: Resource, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        for name in ("cidr_ipv4", "cidr_ipv6", "cidr_blocks", "ipv6_cidr_blocks"):
            for written in texts(resource, name, body):
                yield {"cidr": cidr(resource, name, written), "written": written}
        names = ("referenced_security_group_id", "security_groups", "source_security_group_id")
        for other in (other for name in names for other in texts(resource, name, body)):
            yield {"group": self._canonical(other)}
        if is_true(resource, "self", body.get("self")):
            yield {"group": self._canonical(group_id)}
        for name in ("prefix_list_id", "prefix_list_ids"):
            for prefix_list in texts(resource, name, body):
                yield {"prefix_list": prefix_list}

    def _canonical(self, group_id: str) -> str:
        return self._same.get(group_id, group_id)

    def default_of(self, vpc_id: str) -> str:
        """Return the id of the group of what names none in a VPC."""
        return self._default_of.get(vpc_id, f"the default security group of {vpc_id}")

    def canonical(self, group_ids: list[str]) -> frozenset[str]:
        """Return ids of groups, each group by one id."""
        return frozenset(map(self._canonical, group_ids))

    def get(self, group_id: str) -> Group:
        """Return a group by id; of one that is not in the document nothing is known."""
        known = group_id in self._addresses
        rules = {name: tuple(rules) for name, rules in self._rules[group_id].items()} if known else None
        return Group(group_id, self._addresses.get(group_id, group_id), rules)

    @property
    def all(self) -> tuple[Group, ...]:
        """Every group of the document."""
        return tuple(map(self.get, dict.fromkeys(one for one in self._addresses if one in self._rules)))

    @cached_property
    def prefix_lists(self) -> Mapping[str, PrefixList]:
        """The prefix lists of which the document tells what they hold, by id.

        Ids that are not known before an apply are made of names and may be the same: such lists are taken together.
        """
        found: dict[str, PrefixList] = {}

        def hold(list_id: str, service: str = "", ranges: Ranges = _NOTHING) -> None:
            there = found.get(list_id, PrefixList())
            services = there.services | ({service} if service else set())
            found[list_id] = PrefixList(services, there.ranges | ranges)

        for one in self._document.data.values():
            if one.type in ("aws_prefix_list", "aws_ec2_managed_prefix_list") and "name" in one.attributes:
                hold(one.text("id"), one.text("name"))
        for endpoint in self._document.of_type("aws_vpc_endpoint"):
            hold(endpoint.text("prefix_list_id"), endpoint.text("service_name"))
        for one in self._document.of_type("aws_ec2_managed_prefix_list"):
            hold(one.text("id"))
            for entry in blocks(one, "entry"):
                hold(one.text("id"), ranges=cidr(one, "entry", str(entry.get("cidr"))))
        return found

    def let(self, group_ids: frozenset[str] | None, direction: str, party: Party) -> Iterator[Box]:
        """Return what groups let in from, or out to, somebody; without groups, everything.

        Of a group that is not in the document it is assumed that it lets everything.
        """
        if group_ids is None:
            yield Box(party.addresses, EVERY_PORT, ())
            return
        for group_id in sorted(group_ids):
            group = self.get(group_id)
            if group.rules is None:
                yield Box(party.addresses, EVERY_PORT, (Reason(f"{group_id}, which is not in the document"),))
                continue
            for rule in group.rules[direction]:
                peers = self._matched(rule, party)
                if peers:
                    yield Box(peers, rule.ports, (rule.reason,))

    def _matched(self, rule: Rule, party: Party) -> Ranges:
        if rule.cidr is not None:
            return rule.cidr & party.addresses
        if rule.group:
            return party.addresses if rule.group in party.groups else Ranges()
        held = self.prefix_lists.get(rule.prefix_list)
        if held is None or party.service in held.services:
            return party.addresses  # a list that nobody knows may hold anything
        return held.ranges & party.addresses
