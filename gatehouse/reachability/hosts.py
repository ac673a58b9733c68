"""What is in the subnets: servers, load balancers, databases, interface endpoints and NAT gateways.

Source: Terraform AWS provider, the pages of these resources; Elastic Load Balancing User Guide, "Update the security
groups for your Network Load Balancer"; Amazon RDS User Guide, "Working with a DB instance in a VPC"; Amazon EC2
User Guide, "Amazon EC2 instance IP addressing".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_

from gatehouse.document import Document, Resource
from gatehouse.reachability.graph import Kind, Node, Reason
from gatehouse.reachability.groups import Groups, Party
from gatehouse.reachability.ranges import EVERY_PORT, Ranges, ports
from gatehouse.reachability.reading import blocks, is_true, reason, text, texts
from gatehouse.reachability.subnets import Subnet, Subnets


@dataclass(frozen=True, eq=False)
class Host:
    """A node in subnets.

    ``groups`` of None: it has none, and nothing is held against it. ``public``: what gives it a public address.
    ``listens``: the ports on which it can be reached at all. ``opens``: it opens connections as it likes.
    """

    node: Node
    resource: Resource
    subnets: tuple[Subnet, ...]
    groups: frozenset[str] | None
    public: Reason | None = None
    listens: Ranges = EVERY_PORT
    opens: bool = False

    def party_in(self, subnet: Subnet) -> Party:
        """Return what rules see of the part of it that is in a subnet."""
        return Party(subnet.addresses, self.groups or frozenset())

    @property
    def addresses(self) -> Ranges:
        """All addresses that it may have."""
        return reduce(or_, (one.addresses for one in self.subnets), Ranges())


class Hosts:
    """The hosts of a document."""

    def __init__(self, document: Document, groups: Groups, subnets: Subnets) -> None:
        """Read every host.

        Raises:
            InputError: something cannot be resolved, or is not modelled.

        """
        self._document, self._groups, self._subnets = document, groups, subnets
        for address in document.of_type("aws_eip"):
            for name in ("instance", "network_interface"):
                if text(address, name):
                    raise address.refused(
                        name, "gives somebody a public address, which is not modelled", "remove it"
                    )
        self.balancers = {one.text("arn"): self._balancer(one) for one in document.of_type("aws_lb")}
        self._templates = {one.text("id"): one for one in document.of_type("aws_launch_template")}
        self._names = {one.text("name"): one for one in self._templates.values()}
        self.servers = tuple(map(self._server, document.of_type("aws_autoscaling_group")))
        self.databases = tuple(map(self._database, document.of_type("aws_db_instance")))
        self.endpoints = tuple(self._endpoints())
        self.nats = {one.text("id"): self._nat(one) for one in document.of_type("aws_nat_gateway")}

    @property
    def all(self) -> tuple[Host, ...]:
        """Every host but NAT gateways, to which nobody opens connections."""
        return (*self.balancers.values(), *self.servers, *self.databases, *self.endpoints)

    def _placed(self, resource: Resource, name: str) -> tuple[Subnet, ...]:
        found = texts(resource, name)
        if not found:
            raise resource.refused(name, "names no subnet", "name the subnets that it is in")
        return tuple(map(self._subnets.get, found))

    def _grouped(
        self, resource: Resource, found: list[str], placed: tuple[Subnet, ...], name: str
    ) -> frozenset[str]:
        """Return groups; what names none has the default group of its VPC."""
        if found:
            return self._groups.canonical(found)
        vpc_id = placed[0].vpc_id or text(resource, "vpc_id")
        if vpc_id is None:
            problem = "names no security group: it gets the default one of a VPC outside the document"
            raise resource.refused(name, problem, "name its security groups")
        return frozenset({self._groups.default_of(vpc_id)})

    def _balancer(self, one: Resource) -> Host:
        placed = self._placed(one, "subnets") if not blocks(one, "subnet_mapping") else self._mapped(one)
        found = texts(one, "security_groups")
        is_network = (text(one, "load_balancer_type") or "application") == "network"
        # A network load balancer without groups admits everybody; an application load balancer gets the default one.
        groups = None if is_network and not found else self._grouped(one, found, placed, "security_groups")
        internal = is_true(one, "internal", one.attributes.get("internal"))
        public = None if internal else reason(self._document, one, "internal")
        node = Node(Kind.LOAD_BALANCER, one.address, f"load balancer {text(one, 'name') or one.name}")
        return Host(node, one, placed, groups, public, self._listened(one))

    def _mapped(self, one: Resource) -> tuple[Subnet, ...]:
        found = [block.get("subnet_id") for block in blocks(one, "subnet_mapping")]
        return tuple(self._subnets.get(str(subnet_id)) for subnet_id in found)

    def _listened(self, balancer: Resource) -> Ranges:
        found = Ranges()
        for listener in self.listeners(balancer):
            protocol = (text(listener, "protocol") or "HTTP").lower()
            number = _port(listener, listener.attributes.get("port"))
            for name in ("tcp", "udp") if "_" in protocol else ("udp" if protocol == "udp" else "tcp",):
                found |= ports(name, number, number)
        return found

    def listeners(self, balancer: Resource) -> tuple[Resource, ...]:
        """Return the listeners of a load balancer."""
        arn = balancer.text("arn")
        found = self._document.of_type("aws_lb_listener")
        return tuple(one for one in found if one.text("load_balancer_arn") == arn)

    def _server(self, group: Resource) -> Host:
        template = self._template(group)
        placed = self._placed(group, "vpc_zone_identifier")
        interfaces = blocks(template, "network_interfaces")
        for interface in interfaces:
            for name in ("subnet_id", "network_interface_id"):
                if interface.get(name):
                    problem, fix = (
                        f"gives {name}, which is not modelled",
                        "leave it to the Auto Scaling group",
                    )
                    raise template.refused("network_interfaces", problem, fix)
        found = [one for interface in interfaces for one in texts(template, "security_groups", interface)]
        found += texts(template, "vpc_security_group_ids")
        groups = self._grouped(template, found, placed, "vpc_security_group_ids")
        node = Node(Kind.SERVER, group.address, f"servers {text(group, 'name') or group.name}")
        return Host(node, group, placed, groups, self._public(template, placed), opens=True)

    def _template(self, group: Resource) -> Resource:
        found = blocks(group, "launch_template")
        if len(found) != 1:
            raise group.refused(
                "launch_template", "is not one launch template, which alone is modelled", "give it one"
            )
        wanted = found[0].get("id"), found[0].get("name")
        template = self._templates.get(str(wanted[0])) or self._names.get(str(wanted[1]))
        if template is None:
            problem = f"there is no launch template {wanted[0] or wanted[1]}"
            raise group.refused("launch_template", problem, "refer to one of the document")
        return template

    def _public(self, template: Resource, placed: tuple[Subnet, ...]) -> Reason | None:
        """Return what gives servers public addresses: the template, or else their subnets."""
        interfaces = blocks(template, "network_interfaces")
        asked = [one.get("associate_public_ip_address") for one in interfaces] or [None]
        name = "network_interfaces"
        if any(one in (None, "") for one in asked):
            return next((one.reason for one in placed if one.gives_public_addresses), None)
        if any(is_true(template, name, one) for one in asked):
            return reason(self._document, template, name)
        return None

    def _database(self, one: Resource) -> Host:
        name = text(one, "db_subnet_group_name")
        groups = {group.text("name"): group for group in self._document.of_type("aws_db_subnet_group")}
        if name not in groups:
            problem = f"{name} is no subnet group of the document" if name else "is not given"
            raise one.refused("db_subnet_group_name", problem, "refer to an aws_db_subnet_group")
        placed = self._placed(groups[name], "subnet_ids")
        found = self._grouped(one, texts(one, "vpc_security_group_ids"), placed, "vpc_security_group_ids")
        is_public = is_true(one, "publicly_accessible", one.attributes.get("publicly_accessible"))
        public = reason(self._document, one, "publicly_accessible") if is_public else None
        node = Node(Kind.DATABASE, one.address, f"database {text(one, 'identifier') or one.name}")
        return Host(node, one, placed, found, public, opens=True)

    def _endpoints(self) -> Iterator[Host]:
        for one in self._document.of_type("aws_vpc_endpoint"):
            kind = text(one, "vpc_endpoint_type") or "Gateway"
            if kind == "Gateway":
                continue
            if kind != "Interface":
                raise one.refused("vpc_endpoint_type", f"{kind} is not modelled", "Interface or Gateway")
            placed = self._placed(one, "subnet_ids")
            found = self._grouped(one, texts(one, "security_group_ids"), placed, "security_group_ids")
            node = Node(Kind.ENDPOINT, one.address, f"endpoint {service_label(one.text('service_name'))}")
            yield Host(node, one, placed, found)

    def _nat(self, one: Resource) -> Host:
        node = Node(Kind.NAT, one.address, f"NAT gateway {one.name}")
        is_public = (text(one, "connectivity_type") or "public") == "public"
        public = reason(self._document, one) if is_public else None
        return Host(node, one, self._placed(one, "subnet_id"), None, public)

    def registered(self) -> Iterator[tuple[Host, str, Reason]]:
        """Return servers with the ARN of each target group that they are in."""
        by_name: Mapping[str, Host] = {one.resource.text("name"): one for one in self.servers}
        for server in self.servers:
            for arn in texts(server.resource, "target_group_arns"):
                yield server, arn, reason(self._document, server.resource, "target_group_arns")
        for one in self._document.of_type("aws_autoscaling_attachment"):
            name = one.text("autoscaling_group_name")
            if name not in by_name:
                raise one.refused("autoscaling_group_name", f"there is no group {name}", "refer to one")
            yield by_name[name], one.text("lb_target_group_arn"), reason(self._document, one)


def service_label(service_name: str) -> str:
    """Return the short name of a service of AWS: the last part, ``s3`` of ``com.amazonaws.eu-west-1.s3``."""
    return service_name.rpartition(".")[2]


def _port(resource: Resource, value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise resource.refused("port", f"{value} is no port", "write a number") from None


def target_ports(group: Resource) -> Ranges:
    """Return the ports to which a load balancer forwards, and on which it asks for health."""
    number = _port(group, group.attributes.get("port"))
    protocol = (text(group, "protocol") or "TCP").lower()
    found = ports("tcp", number, number)
    if "udp" in protocol:
        found |= ports("udp", number, number)
    for check in blocks(group, "health_check"):
        asked = check.get("port")
        if asked not in (None, "", "traffic-port"):
            found |= ports("tcp", _port(group, asked), _port(group, asked))
    return found
