"""Attributes of resources as the graph needs them: blocks, texts, ranges of addresses and ports.

What has not the form that AWS takes is an error that names resource and attribute.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatehouse.document import Document, Resource
from gatehouse.reachability.graph import Reason
from gatehouse.reachability.ranges import Ranges, addresses, ports


def blocks(resource: Resource, name: str) -> list[Mapping[str, Any]]:
    """Return the blocks of a name: JSON has one as an object, or any number as a list."""
    found = resource.attributes.get(name)
    listed = found if isinstance(found, list) else [] if found is None else [found]
    for one in listed:
        if not isinstance(one, Mapping):
            raise resource.refused(name, "is no block", f"write an object for each {name}")
    return listed


def texts(resource: Resource, name: str, body: Mapping[str, Any] | None = None) -> list[str]:
    """Return the texts of a list; none where it is not given."""
    found = (resource.attributes if body is None else body).get(name)
    listed = found if isinstance(found, list) else [] if found is None else [found]
    for one in listed:
        if not isinstance(one, str):
            raise resource.refused(name, "has an item that is no text", "write a list of texts")
    return listed


def text(resource: Resource, name: str) -> str | None:
    """Return a text; None where it is not given."""
    return next(iter(texts(resource, name)), None)


def is_true(resource: Resource, name: str, value: object) -> bool:
    """Return whether a flag is set; one that is not given is not.

    Raises:
        InputError: it is neither true nor false.

    """
    if value in (True, "true"):
        return True
    if value in (None, False, "false", ""):
        return False
    raise resource.refused(name, "is neither true nor false", "write one of the two")


def cidr(resource: Resource, name: str, value: str) -> Ranges:
    """Return a range of addresses.

    Raises:
        InputError: it is none.

    """
    try:
        return addresses(value)
    except ValueError:
        problem, fix = f"{value} is no range of addresses", "write one such as 10.0.0.0/8"
        raise resource.refused(name, problem, fix) from None


def port_range(resource: Resource, body: Mapping[str, Any], protocol_name: str = "protocol") -> Ranges:
    """Return the ports of a rule: ``from_port`` to ``to_port`` of its protocol.

    Raises:
        InputError: they are no ports.

    """
    protocol = str(body.get(protocol_name, "-1"))
    first, last = (_port(resource, name, body.get(name)) for name in ("from_port", "to_port"))
    if first is None or last is None or (first, last) == (-1, -1) or (first, last) == (0, 0):
        # 0 to 0 is how a rule for every protocol is written; of TCP it is port 0, and more is opened than less.
        return ports(protocol)
    found = ports(protocol, first, last)
    if first > last:
        raise resource.refused("from_port", f"{first} is above to_port {last}", "write the lower one first")
    return found


def _port(resource: Resource, name: str, value: object) -> int | None:
    if value is None:
        return None
    try:
        number = int(str(value))
    except ValueError:
        number = -2
    if not -1 <= number < 1 << 16:
        raise resource.refused(name, f"{value} is no port", "write a number from 0 to 65535")
    return number


def reason(document: Document, resource: Resource, place: str = "") -> Reason:
    """Return a resource, or a place in it, as what makes a connection possible."""
    line = document.line_of(resource.address, place)
    return Reason(f"{resource.address}.{place}" if place else resource.address, line)
