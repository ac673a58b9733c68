"""A synthesized document as the stack lint reads it: resources by type, and which of them name each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gatehouse.scan.documents import texts

#: The comment of Terraform's JSON, which is no name.
COMMENT = "//"
_EXPRESSION = re.compile(r"(?<!\$)\$\{([^{}]*)\}")
_NAMED = re.compile(r"(?<![\w.\"])(aws_[a-z0-9_]+\.[\w-]+)")


@dataclass(frozen=True)
class Flaw:
    """Something that a rule finds wrong; ``detail`` completes the address to a sentence."""

    address: str
    detail: str
    place: str = ""


@dataclass(frozen=True)
class Resource:
    """One resource."""

    type: str
    name: str
    body: Mapping[str, Any] = field(hash=False)

    @property
    def address(self) -> str:
        """How Terraform names it."""
        return f"{self.type}.{self.name}"


@dataclass(frozen=True)
class Stack:
    """A parsed ``cdk.tf.json``."""

    document: Mapping[str, Any]

    def of(self, *types: str) -> list[Resource]:
        """Return the resources of these types; of all types if none are given."""
        return [
            Resource(kind, name, body)
            for kind, named in self.document.get("resource", {}).items()
            if not types or kind in types
            for name, body in named.items()
            if name != COMMENT
        ]

    def naming(self, target: Resource, kind: str, attribute: str) -> list[Resource]:
        """Return the resources of a type whose attribute refers to the target."""
        return [one for one in self.of(kind) if target.address in references(one.body.get(attribute))]


Rule = Callable[[Stack], Iterator[Flaw]]


def references(value: object) -> set[str]:
    """Return the addresses of the resources that the expressions in a value name."""
    return {
        address
        for text in texts(value)
        for expression in _EXPRESSION.findall(text)
        for address in _NAMED.findall(expression)
    }


def blocks(body: Mapping[str, Any], *path: str) -> list[Mapping[str, Any]]:
    """Return the blocks at a path: Terraform's JSON has one as an object, or any number as a list."""
    found: list[Mapping[str, Any]] = [body]
    for name in path:
        found = [one for block in found for one in items(block.get(name)) if isinstance(one, Mapping)]
    return found


def items(value: object) -> list[Any]:
    """Return the items of a list; a value without a list is a list of one, and null one of none."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def is_on(value: object) -> bool:
    """Return whether a value is true for certain; what a variable decides is not."""
    return value is True or value == "true"


def listed(names: Collection[str]) -> str:
    """Return names in a sentence."""
    return ", ".join(sorted(names))
