"""A synthesized document or a plan as a closed world: resources whose every value is plain JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gatehouse.document.resolve import Resolver
from gatehouse.document.resource import Resource
from gatehouse.errors import InputError


@dataclass(frozen=True)
class Placeholders:
    """What stands for what only a run of Terraform finds out; a region of None is that of the provider block."""

    account: str = "111122223333"
    region: str | None = None
    partition: str = "aws"


@dataclass(frozen=True, eq=False)
class Document:
    """One stack. ``resources`` and ``data`` are by address, such as ``aws_kms_key.k`` and ``data.aws_region.r``."""

    path: Path
    resources: Mapping[str, Resource]
    data: Mapping[str, Resource]
    resolver: Resolver = field(repr=False)
    raw_outputs: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """Name of the stack: the folder of a synthesized document, else the file without its ending."""
        return self.path.parent.name if self.path.name == "cdk.tf.json" else self.path.name.partition(".")[0]

    @property
    def account(self) -> str:
        """The account, 12 digits."""
        return self.resolver.source.account

    @property
    def region(self) -> str:
        """The region of the provider block without an alias."""
        return self.resolver.source.region

    @property
    def partition(self) -> str:
        """The partition, such as ``aws``."""
        return self.resolver.source.partition

    @cached_property
    def outputs(self) -> Mapping[str, Any]:
        """Every output by name.

        Raises:
            InputError: one that cannot be resolved.

        """
        return {
            name: self.resolver.resolve(f"output.{name}", "value", raw)
            for name, raw in self.raw_outputs.items()
        }

    @cached_property
    def _by_type(self) -> Mapping[str, tuple[Resource, ...]]:
        found: dict[str, list[Resource]] = {}
        for resource in self.resources.values():
            found.setdefault(resource.type, []).append(resource)
        return {kind: tuple(named) for kind, named in found.items()}

    def of_type(self, kind: str) -> tuple[Resource, ...]:
        """Return the resources of a Terraform type, in the order of the document."""
        return self._by_type.get(kind, ())

    @property
    def types(self) -> frozenset[str]:
        """The Terraform types of which there are resources."""
        return frozenset(self._by_type)

    def region_of(self, resource: Resource) -> str:
        """Return the region in which a resource is."""
        return self.resolver.region_of(resource)

    def line_of(self, address: str, attribute: str = "") -> int | None:
        """Return the line of an attribute, or of what is around it; None if the file does not have the resource."""
        return self.resolver.source.line_of(address, attribute)

    def check(self) -> None:
        """Resolve everything.

        Raises:
            InputError: with every problem in the document.

        """
        problems = dict.fromkeys(problem for error in self._errors() for problem in error.problems)
        if problems:
            raise InputError(list(problems))

    def _errors(self) -> Iterator[InputError]:
        for resource in (*self.resources.values(), *self.data.values()):
            for name in resource.attributes:
                try:
                    resource.attributes[name]
                except InputError as error:
                    yield error
        for name, raw in self.raw_outputs.items():
            try:
                self.resolver.resolve(f"output.{name}", "value", raw)
            except InputError as error:
                yield error
