"""Policies of a document, each compiled once and named by the attribute in which it stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gatehouse.access.policy import Kind, Policy
from gatehouse.document import Resource


class Compiled:
    """The policies that were read, by ``address.attribute``, with their content and where each stands."""

    def __init__(self) -> None:
        """Start with none."""
        self.policies: dict[str, Policy] = {}
        self.places: dict[str, tuple[str, str]] = {}
        self.contents: dict[str, Mapping[str, Any]] = {}

    def policy(self, resource: Resource, attribute: str, kind: Kind) -> Policy:
        """Return the policy in an attribute.

        Raises:
            InputError: the attribute cannot be resolved, or is not JSON.
            MalformedPolicyError: AWS would refuse the policy.

        """
        known = self.policies.get(f"{resource.address}.{attribute}")
        return known or self.text(resource, attribute, resource.text(attribute), kind)

    def optional(self, resource: Resource, attribute: str, kind: Kind) -> Policy | None:
        """Return the policy in an attribute, None if it is not given."""
        return self.policy(resource, attribute, kind) if resource.attributes.get(attribute) else None

    def text(self, resource: Resource, attribute: str, text: str, kind: Kind) -> Policy:
        """Return the policy of a text that stands in an attribute; as :meth:`policy`."""
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise resource.refused(attribute, f"is not JSON: {error}", "a policy as JSON") from error
        return self.document(resource, attribute, content, kind)

    def document(self, resource: Resource, attribute: str, content: Mapping[str, Any], kind: Kind) -> Policy:
        """Return the policy of a document that belongs to an attribute."""
        name = f"{resource.address}.{attribute}"
        if name not in self.policies:
            self.policies[name] = Policy.parse(content, name, kind)
            self.places[name] = (resource.address, attribute)
            self.contents[name] = content
        return self.policies[name]
