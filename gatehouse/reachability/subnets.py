"""Subnets: their addresses, and the route table and network ACL that are theirs."""

from __future__ import annotations

from dataclasses import dataclass

from gatehouse.document import Document, Resource
from gatehouse.reachability.acls import Acl, Acls
from gatehouse.reachability.graph import Reason
from gatehouse.reachability.groups import Box, Groups
from gatehouse.reachability.ranges import EVERY_PORT, IPV6, PRIVATE, Ranges
from gatehouse.reachability.reading import cidr, is_true, reason, text
from gatehouse.reachability.routes import Table, Tables


@dataclass(frozen=True, eq=False)
class Subnet:
    """A subnet. One that is not in the document has any private address, and no table and no ACL that is known."""

    id: str
    address: str
    vpc_id: str | None
    addresses: Ranges
    table: Table | None
    acl: Acl | None
    gives_public_addresses: bool
    reason: Reason

    @property
    def is_known(self) -> bool:
        """Whether the document has it."""
        return self.vpc_id is not None

    @property
    def has_ipv6(self) -> bool:
        """Whether what is in it may have addresses that the internet routes without anybody's translation."""
        return not self.is_known or bool(self.addresses & IPV6)

    def passing(self, direction: str, peers: Ranges) -> list[Box]:
        """Return the connections that pass the edge of the subnet, with their answers."""
        if self.acl is None:
            return [Box(peers, EVERY_PORT, ())]
        return list(self.acl.opened(direction, peers))


class Subnets:
    """The subnets of a document by id."""

    def __init__(self, document: Document, groups: Groups) -> None:
        """Read every subnet.

        Raises:
            InputError: something cannot be resolved.

        """
        self._document = document
        acls, tables = Acls(document), Tables(document, groups)
        self._known = {
            one.text("id"): self._read(one, acls, tables) for one in document.of_type("aws_subnet")
        }
        vpcs = document.of_type("aws_vpc")
        self.vpc_addresses = Ranges()
        for vpc in vpcs:
            if text(vpc, "cidr_block"):
                self.vpc_addresses |= cidr(vpc, "cidr_block", vpc.text("cidr_block"))

    def _read(self, one: Resource, acls: Acls, tables: Tables) -> Subnet:
        found = Ranges()
        for name in ("cidr_block", "ipv6_cidr_block"):
            if written := text(one, name):
                found |= cidr(one, name, written)
        public = is_true(one, "map_public_ip_on_launch", one.attributes.get("map_public_ip_on_launch"))
        return Subnet(
            id=one.text("id"),
            address=one.address,
            vpc_id=one.text("vpc_id"),
            addresses=found,
            table=tables.of(one),
            acl=acls.of(one),
            gives_public_addresses=public,
            reason=reason(self._document, one),
        )

    @property
    def all(self) -> tuple[Subnet, ...]:
        """Every subnet of the document."""
        return tuple(self._known.values())

    def get(self, subnet_id: str) -> Subnet:
        """Return a subnet by id, of which nothing is known where it is not in the document."""
        if subnet_id not in self._known:
            why = Reason(f"{subnet_id}, whose routes and ACL are not in the document")
            return Subnet(
                id=subnet_id,
                address=subnet_id,
                vpc_id=None,
                addresses=PRIVATE,
                table=None,
                acl=None,
                gives_public_addresses=False,
                reason=why,
            )
        return self._known[subnet_id]
