"""One mutation, and how it is applied to a parsed ``cdk.tf.json``."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from enum import Enum
from typing import Any

Document = dict[str, Any]
Body = dict[str, Any]
#: From a resource's attributes to new ones, which may be the same object; None where there is no resource.
Edit = Callable[[Body | None], Body | None]


class Assigned(Enum):
    """What has to catch a mutation."""

    SCAN = "scan"
    PROOF = "proof"


@dataclass(frozen=True)
class Mutation:
    """One change of one resource.

    ``concerns`` are the addresses of resources that a finding may name besides the mutated one: a bucket whose policy
    was removed, say. ``reason`` says why a mutation is not the scan's to catch.
    """

    id: str
    sentence: str
    environment: str
    address: str
    edit: Edit
    concerns: tuple[str, ...] = ()
    assigned: Assigned = Assigned.SCAN
    reason: str = ""

    @property
    def named_by(self) -> frozenset[str]:
        """The addresses one of which a finding must name."""
        return frozenset((self.address, *self.concerns))

    def apply(self, document: Document) -> Document:
        """Return the document with the change, and leave the one given as it is.

        Raises:
            ValueError: the document has not what the mutation changes, or would be the same.

        """
        kind, _, name = self.address.partition(".")
        mutated = deepcopy(document)
        named = mutated["resource"].setdefault(kind, {})
        try:
            after = self.edit(named.get(name))
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError(f"{self.id}: {self.address} is not as expected: {error!r}") from error
        if after is None:
            del named[name]
        else:
            named[name] = after
        if not named:
            del mutated["resource"][kind]
        if mutated == document:
            raise ValueError(f"{self.id}: {self.address} is the same as before")
        return mutated


def changed_addresses(before: Document, after: Document) -> set[str]:
    """Return the addresses of the resources that differ, and the names of top-level blocks that do."""
    blocks = {block for block in before.keys() | after.keys() if before.get(block) != after.get(block)}
    if "resource" not in blocks:
        return blocks
    old, new = _resources(before), _resources(after)
    return (blocks - {"resource"}) | {
        address for address in old.keys() | new.keys() if old.get(address) != new.get(address)
    }


def _resources(document: Document) -> dict[str, Body]:
    return {
        f"{kind}.{name}": body for kind, named in document["resource"].items() for name, body in named.items()
    }
