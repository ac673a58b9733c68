"""Sets of addresses and of ports as ranges of whole numbers, so that both are cut and joined in the same way.

IPv6 addresses come after all IPv4 addresses on one line of numbers, and the ports of each protocol after those of the
one before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

_V4 = 1 << 32
_V6 = 1 << 128
_PORTS = 1 << 16
#: Protocols that rules tell apart, by their IANA numbers; every other one is the last.
_PROTOCOLS = ("tcp", "udp", "icmp", "icmpv6", "other")
_NUMBERS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}
_WITH_PORTS = ("tcp", "udp")
_EVERY = ("-1", "all")


@dataclass(frozen=True)
class Ranges:
    """A set of whole numbers: ranges, first and last of each, sorted and apart from each other."""

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def joined(cls, ranges: Iterable[tuple[int, int]]) -> Ranges:
        """Return the set of ranges that may overlap."""
        found: list[tuple[int, int]] = []
        for first, last in sorted(ranges):
            if found and first <= found[-1][1] + 1:
                found[-1] = (found[-1][0], max(found[-1][1], last))
            else:
                found.append((first, last))
        return cls(tuple(found))

    def __bool__(self) -> bool:
        """Return whether there is anything in it."""
        return bool(self.ranges)

    def __or__(self, other: Ranges) -> Ranges:
        """Return what is in one of the two."""
        return Ranges.joined((*self.ranges, *other.ranges))

    def __and__(self, other: Ranges) -> Ranges:
        """Return what is in both."""
        return Ranges.joined(
            (max(first, start), min(last, end))
            for first, last in self.ranges
            for start, end in other.ranges
            if max(first, start) <= min(last, end)
        )

    def __sub__(self, other: Ranges) -> Ranges:
        """Return what is in this one alone."""
        left = list(self.ranges)
        for start, end in other.ranges:
            left = [
                piece
                for first, last in left
                for piece in ((first, min(last, start - 1)), (max(first, end + 1), last))
                if piece[0] <= piece[1]
            ]
        return Ranges.joined(left)

    def within(self, other: Ranges) -> bool:
        """Return whether all of it is in the other."""
        return not self - other


def addresses(*cidrs: str) -> Ranges:
    """Return the addresses of ranges such as ``10.0.0.0/8`` and ``fd00::/8``.

    Raises:
        ValueError: one is no range of addresses.

    """
    return Ranges.joined(map(_numbers, map(ip_network, cidrs)))


def _numbers(network: IPv4Network | IPv6Network) -> tuple[int, int]:
    base = 0 if network.version == 4 else _V4  # noqa: PLR2004 - the version of IP
    return base + int(network.network_address), base + int(network.broadcast_address)


IPV4 = Ranges(((0, _V4 - 1),))
IPV6 = Ranges(((_V4, _V4 + _V6 - 1),))
EVERYWHERE = IPV4 | IPV6
#: What is not routed on the internet. Source: IANA IPv4 and IPv6 Special-Purpose Address Registries.
PRIVATE = addresses(
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "fc00::/7",
    "fe80::/10",
)
PUBLIC = EVERYWHERE - PRIVATE


def ports(protocol: str, first: int = 0, last: int = _PORTS - 1) -> Ranges:
    """Return the ports of a protocol, given by name or number; of protocols without ports, all of it.

    ICMP's types and codes are not told apart. A protocol that is not known by name is among the ``other`` ones.
    """
    name = _NUMBERS.get(protocol, protocol).lower()
    if name in _EVERY:
        return EVERY_PORT
    if name not in _WITH_PORTS:
        first, last = 0, _PORTS - 1
    base = _PROTOCOLS.index(name if name in _PROTOCOLS else "other") * _PORTS
    return Ranges(((base + first, base + last),))


EVERY_PORT = Ranges(((0, len(_PROTOCOLS) * _PORTS - 1),))
TCP = ports("tcp")
HTTPS = ports("tcp", 443, 443)


def ports_text(found: Ranges) -> str:
    """Return ports as people write them: ``tcp 443``, ``tcp 0-1023, udp`` or ``every port``."""
    if EVERY_PORT.within(found):
        return "every port"
    parts = []
    for index, name in enumerate(_PROTOCOLS):
        base = index * _PORTS
        for first, last in (found & Ranges(((base, base + _PORTS - 1),))).ranges:
            low, high = first - base, last - base
            whole = (low, high) == (0, _PORTS - 1)
            parts.append(name if whole else f"{name} {low}" if low == high else f"{name} {low}-{high}")
    return ", ".join(parts)


def is_other_protocol(protocol: str) -> bool:
    """Return whether a protocol is one of those that are not told apart."""
    name = _NUMBERS.get(protocol, protocol).lower()
    return name not in _PROTOCOLS and name not in _EVERY
