"""One resource or data source of a document, its attributes resolved when they are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatehouse.document.resolve import Resolver

#: What Terraform itself reads in a block; it is no attribute.
META_ARGUMENTS = frozenset(
    {"//", "connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioner"}
)


@dataclass(frozen=True, eq=False)
class Resource:
    """A block of the document.

    ``address`` is ``type.name``, with ``data.`` before it for a data source. ``body`` is the block as written, of
    which ``attributes`` are the resolved values.
    """

    type: str
    name: str
    address: str
    body: Mapping[str, Any] = field(repr=False)
    resolver: Resolver = field(repr=False)

    @cached_property
    def attributes(self) -> Mapping[str, Any]:
        """What the document gives, by name: plain JSON, each resolved when it is first read.

        Raises InputError at the lookup of what cannot be resolved.
        """
        return _Attributes(self)

    def value(self, attribute: str) -> Any:  # noqa: ANN401 - JSON
        """Return an attribute, given by the document or by AWS.

        Raises:
            InputError: it cannot be resolved, or nothing is known of it.

        """
        return self.resolver.value(self, attribute)

    def text(self, attribute: str) -> str:
        """Return an attribute that is a string.

        Raises:
            InputError: as :meth:`value`, or it is none.

        """
        found = self.value(attribute)
        if not isinstance(found, str):
            raise self.refused(attribute, "is no text", "write one")
        return found

    def refused(self, attribute: str, problem: str, fix: str) -> Exception:
        """Return the error that names this resource and the attribute."""
        return self.resolver.refused(self.address, attribute, problem, fix)


class _Attributes(Mapping[str, Any]):
    """The attributes of a resource that the document gives."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self._names = [name for name in resource.body if name not in META_ARGUMENTS]

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - JSON
        if name not in self._names:
            raise KeyError(name)
        return self._resource.resolver.given(self._resource, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
