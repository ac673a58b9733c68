"""A plan as a document: values as planned, and constants of the configuration where the plan does not know them.

Source: Terraform documentation, "JSON Output Format" (Plan, Configuration and Expression Representation).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gatehouse.document.document import Document, Placeholders
from gatehouse.document.lines import Place, line_finder
from gatehouse.document.resolve import Resolver, Source
from gatehouse.document.resource import Resource
from gatehouse.document.source import constant

_Found = tuple[Mapping[str, Any], Place]


def read_plan(path: Path, content: Mapping[str, Any], text: str, placeholders: Placeholders) -> Document:
    """Return the document of what ``terraform show -json`` prints of a plan.

    What the plan knows of account and partition wins over the placeholders.

    Raises:
        InputError: nothing tells the region.

    """
    found = _blocks(content)
    outside = {body["type"]: body.get("values", {}) for body, _ in found.values() if body["mode"] == "data"}
    configuration = content.get("configuration", {})
    provider = configuration.get("provider_config", {}).get("aws", {}).get("expressions", {})
    region = placeholders.region or provider.get("region", {}).get("constant_value")
    source = Source(
        file=str(path),
        account=outside.get("aws_caller_identity", {}).get("account_id") or placeholders.account,
        region=constant(path, "region", region),
        partition=outside.get("aws_partition", {}).get("partition") or placeholders.partition,
        variables={},
        given={},
        local_values={},
        line_of=line_finder(text, {address: (*place, "values") for address, (_, place) in found.items()}),
        is_plan=True,
        unknown={
            change["address"]: change["change"].get("after_unknown") or {}
            for change in content.get("resource_changes", [])
        },
    )
    resolver = Resolver(source)
    constants = dict(_constants(configuration.get("root_module", {}), ""))
    kinds: dict[str, dict[str, Resource]] = {"managed": {}, "data": {}}
    for address, (body, _) in found.items():
        planned = {name: value for name, value in body.get("values", {}).items() if value is not None}
        values = {**constants.get(_declared(address), {}), **planned}
        resource = Resource(body["type"], body["name"], address, values, resolver)
        kinds[body["mode"]][address] = resource
        resolver.add(resource)
    outputs = {name: body.get("value") for name, body in content["planned_values"].get("outputs", {}).items()}
    return Document(path, kinds["managed"], kinds["data"], resolver, outputs)


def _blocks(content: Mapping[str, Any]) -> dict[str, _Found]:
    """Return every block by address: resources as planned, data sources as read before or planned."""
    read = content.get("prior_state", {}).get("values", {}).get("root_module", {})
    planned = content["planned_values"].get("root_module", {})
    found = {
        body["address"]: (body, place)
        for body, place in _module(read, ("prior_state", "values", "root_module"))
        if body["mode"] == "data"
    }
    found |= {
        body["address"]: (body, place) for body, place in _module(planned, ("planned_values", "root_module"))
    }
    return found


def _module(module: Mapping[str, Any], place: Place) -> Iterator[_Found]:
    for index, body in enumerate(module.get("resources", [])):
        yield body, (*place, "resources", index)
    for index, child in enumerate(module.get("child_modules", [])):
        yield from _module(child, (*place, "child_modules", index))


def _constants(module: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Go through the attributes that the configuration writes out, by the address of their resource."""
    for body in module.get("resources", []):
        yield (
            f"{prefix}{body['address']}",
            {
                name: expression["constant_value"]
                for name, expression in body.get("expressions", {}).items()
                if isinstance(expression, Mapping) and expression.get("constant_value") is not None
            },
        )
    for name, call in module.get("module_calls", {}).items():
        yield from _constants(call.get("module", {}), f"{prefix}module.{name}.")


def _declared(address: str) -> str:
    """Return the address without the keys of count and for_each."""
    declared, inside = [], False
    for character in address:
        inside = character == "[" or (inside and character != "]")
        if not inside and character != "]":
            declared.append(character)
    return "".join(declared)
