"""The network: who may open a connection to whom, rule by rule."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatehouse.scan.house_checks.house_reading import (
        Attributes,
        HouseCheck,
        all_refer_to,
        is_given,
        is_off,
        number,
        refers_to,
        value,
        values,
    )
else:  # Checkov has the folder on the path, not the package.
    from house_reading import (
        HouseCheck,
        all_refer_to,
        is_given,
        is_off,
        number,
        refers_to,
        value,
        values,
    )

ANYWHERE = "0.0.0.0/0"
HTTPS = 443
#: RFC 1918, and what carriers share (RFC 6598).
PRIVATE = tuple(
    ipaddress.IPv4Network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)

_PREFIX_LIST = re.compile(r"\$\{data\.aws_prefix_list\.[\w-]+\.id\}")
_SERVICE = re.compile(r"com\.amazonaws\.[a-z]{2}(-[a-z]+)+-\d\.[a-z0-9.-]+")


def is_private(cidr: object) -> bool:
    """Return whether a value is a range of private addresses, none wider than those set aside for them."""
    try:
        network = ipaddress.IPv4Network(str(cidr))
    except ValueError:
        return False
    return any(network.subnet_of(one) for one in PRIVATE)


def described(rule: Attributes) -> Iterator[str]:
    """A reviewer reads what a rule is for, not what it is."""
    text = value(rule, "description")
    if not isinstance(text, str) or not text.strip() or text == "Managed by Terraform":
        yield "description"


def narrow_ingress(rule: Attributes) -> Iterator[str]:
    """Who comes in is a security group, or a range of private addresses."""
    cidr = value(rule, "cidr_ipv4")
    if cidr is not None and not is_private(cidr):
        yield "cidr_ipv4"
    if is_given(rule, "cidr_ipv6"):
        yield "cidr_ipv6"
    if is_given(rule, "prefix_list_id"):
        yield "prefix_list_id"


def one_tcp_port(rule: Attributes) -> Iterator[str]:
    """A rule is for one TCP port."""
    if value(rule, "ip_protocol") not in ("tcp", "6"):
        yield "ip_protocol"
    ports = number(value(rule, "from_port")), number(value(rule, "to_port"))
    if None in ports or ports[0] != ports[1]:
        yield "from_port"
        yield "to_port"


def narrow_egress(rule: Attributes) -> Iterator[str]:
    """To addresses goes HTTPS alone; to nowhere goes IPv6. Prefix lists are those of AWS, asked for by name."""
    prefix_list = value(rule, "prefix_list_id")
    if prefix_list is not None and not _PREFIX_LIST.fullmatch(str(prefix_list)):
        yield "prefix_list_id"
    if is_given(rule, "cidr_ipv6"):
        yield "cidr_ipv6"
    cidr, port = value(rule, "cidr_ipv4"), number(value(rule, "to_port"))
    if cidr is not None and not ((cidr == ANYWHERE or is_private(cidr)) and port == HTTPS):
        yield "cidr_ipv4"


def rules_apart(group: Attributes) -> Iterator[str]:
    """Rules are resources of their own: those inside a group have no address and undo the others."""
    for name in ("ingress", "egress"):
        if is_given(group, name):
            yield name


def narrow_acl(rule: Attributes) -> Iterator[str]:
    """An ACL lets in and out TCP of private addresses alone."""
    if value(rule, "rule_action") == "deny":
        return
    if value(rule, "protocol") not in ("tcp", "6"):
        yield "protocol"
    if not is_private(value(rule, "cidr_block")):
        yield "cidr_block"
    if is_given(rule, "ipv6_cidr_block"):
        yield "ipv6_cidr_block"
    if None in (number(value(rule, "from_port")), number(value(rule, "to_port"))):
        yield "from_port"


def no_ipv6(network: Attributes) -> Iterator[str]:
    """No IPv6: every rule and range of the stack was judged for IPv4."""
    for name in ("assign_generated_ipv6_cidr_block", "assign_ipv6_address_on_creation", "ipv6_native"):
        if not is_off(value(network, name)):
            yield name
    for name in ("ipv6_cidr_block", "ipv6_ipam_pool_id"):
        if is_given(network, name):
            yield name


def no_public_addresses(subnet: Attributes) -> Iterator[str]:
    """No instance gets a public address because of where it is."""
    if not is_off(value(subnet, "map_public_ip_on_launch")):
        yield "map_public_ip_on_launch"


def routes_apart(table: Attributes) -> Iterator[str]:
    """Routes are resources of their own, where their target is seen."""
    if is_given(table, "route"):
        yield "route"


def all_flows(log: Attributes) -> Iterator[str]:
    """The flow log has what was let through and what was refused, in a group of the stack."""
    if value(log, "traffic_type") != "ALL":
        yield "traffic_type"
    if not refers_to(value(log, "log_destination"), "arn", "aws_cloudwatch_log_group"):
        yield "log_destination"


def guarded_endpoint(endpoint: Attributes) -> Iterator[str]:
    """An interface endpoint has a security group of the stack: without one it takes the VPC's default."""
    groups = values(endpoint, "security_group_ids")
    kind = value(endpoint, "vpc_endpoint_type")
    if kind not in ("Gateway", "Interface"):
        yield "vpc_endpoint_type"
    if kind == "Interface" and not all_refer_to(groups, "id", "aws_security_group"):
        yield "security_group_ids"


def service_of_amazon(endpoint: Attributes) -> Iterator[str]:
    """An endpoint leads to a service of AWS, not to one that somebody offers there."""
    if not _SERVICE.fullmatch(str(value(endpoint, "service_name"))):
        yield "service_name"


INGRESS, EGRESS = "aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"
GROUPS = ["aws_security_group", "aws_default_security_group"]

HouseCheck(
    "GH220",
    "A security group or a rule of it has no description",
    [INGRESS, EGRESS, "aws_security_group"],
    described,
)
HouseCheck("GH221", "A security group admits a wide or unknown range", [INGRESS], narrow_ingress)
HouseCheck("GH222", "A security group's rule is for more than one TCP port", [INGRESS, EGRESS], one_tcp_port)
HouseCheck("GH223", "A security group lets out more than HTTPS", [EGRESS], narrow_egress)
HouseCheck("GH224", "A security group has rules inside", GROUPS, rules_apart)
HouseCheck("GH225", "A network ACL is wider than TCP of private ranges", ["aws_network_acl_rule"], narrow_acl)
HouseCheck("GH226", "A network has IPv6", ["aws_vpc", "aws_subnet"], no_ipv6)
HouseCheck("GH227", "A subnet gives out public addresses", ["aws_subnet"], no_public_addresses)
HouseCheck(
    "GH228", "A route table has routes inside", ["aws_route_table", "aws_default_route_table"], routes_apart
)
HouseCheck("GH229", "A flow log leaves out traffic", ["aws_flow_log"], all_flows)
HouseCheck("GH230", "An interface endpoint has no security group", ["aws_vpc_endpoint"], guarded_endpoint)
HouseCheck(
    "GH237", "A VPC endpoint leads to a service of somebody else", ["aws_vpc_endpoint"], service_of_amazon
)
