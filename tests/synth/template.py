"""A synthesized stack for assertions: resources are found by type and property, never by name alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Resource = dict[str, Any]


@dataclass(frozen=True)
class Template:
    """The parsed ``cdk.tf.json`` of one environment."""

    document: dict[str, Any]
    path: Path

    @classmethod
    def read(cls, path: Path) -> Template:
        """Return the template in the file at ``path``."""
        return cls(json.loads(path.read_text(encoding="utf-8")), path)

    def resources(self, kind: str) -> dict[str, Resource]:
        """Return the resources of a Terraform type by name; empty if there are none."""
        found: dict[str, Resource] = self.document["resource"].get(kind, {})
        return found

    def all(self) -> list[tuple[str, str, Resource]]:
        """Return every resource as (type, name, attributes)."""
        return [
            (kind, name, body)
            for kind, named in self.document["resource"].items()
            for name, body in named.items()
        ]

    def find(self, kind: str, **attributes: object) -> list[Resource]:
        """Return the resources of a type that have all the ``attributes``."""
        return [
            body
            for body in self.resources(kind).values()
            if all(body.get(key) == value for key, value in attributes.items())
        ]

    def only(self, kind: str, **attributes: object) -> Resource:
        """Return the one resource of a type with the ``attributes``; say what is there if it is not one."""
        found = self.find(kind, **attributes)
        assert len(found) == 1, f"{len(found)} {kind} with {attributes}; there are: " + json.dumps(
            {name: {key: body.get(key) for key in attributes} for name, body in self.resources(kind).items()}
        )
        return found[0]

    def named(self, kind: str, name: str) -> Resource:
        """Return a resource whose name is part of what is tested (a construct id is a contract)."""
        there = self.resources(kind)
        assert name in there, f"no {kind}.{name}; there are {sorted(there)}"
        return there[name]

    def policy(self, kind: str, name: str, attribute: str = "policy") -> dict[str, Resource]:
        """Return the statements of a policy document by Sid."""
        document = json.loads(self.named(kind, name)[attribute])
        return {statement["Sid"]: statement for statement in document["Statement"]}

    def policies(self) -> list[tuple[str, dict[str, Any]]]:
        """Return every policy document in the stack as (address.attribute, document)."""
        return [
            (f"{kind}.{name}.{attribute}", json.loads(body[attribute]))
            for kind, name, body in self.all()
            for attribute in ("policy", "assume_role_policy")
            if isinstance(body.get(attribute), str) and body[attribute].startswith("{")
        ]
