"""From a file to a document: the synthesized ``cdk.tf.json``, or what ``terraform show -json`` prints of a plan.

Source: Terraform documentation, "JSON Configuration Syntax" and "JSON Output Format" (Plan Representation).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gatehouse.document.document import Document, Placeholders
from gatehouse.document.lines import Place, line_finder
from gatehouse.document.plan import read_plan
from gatehouse.document.resolve import Resolver, Source
from gatehouse.document.resource import Resource
from gatehouse.document.source import COMMENT, check_blocks, constant, read_json
from gatehouse.errors import InputError, Problem, show

_REPEATED = {"count": "the resource", "for_each": "the resource", "dynamic": "a block"}
_SECTIONS = ("resource", "data")
_NOTHING: Mapping[str, Any] = {}
_PLACEHOLDERS = Placeholders()


def read_document(
    path: Path, placeholders: Placeholders = _PLACEHOLDERS, variables: Mapping[str, Any] = _NOTHING
) -> Document:
    """Return the document in a file; attributes are resolved when they are read.

    ``variables`` are given values of Terraform variables, which then must hold their validations.

    Raises:
        InputError: the file is none of the two, it repeats blocks (count, for_each, modules), or a variable is
            unknown or refused.

    """
    content, text = read_json(path)
    if "planned_values" in content:
        return read_plan(path, content, text, placeholders)
    check_blocks(path, content)
    places: dict[str, Place] = {
        address: (section, kind, name)
        for section in _SECTIONS
        for address, kind, name, _ in _blocks(content, section)
    }
    providers = _providers(content)
    source = Source(
        file=str(path),
        account=placeholders.account,
        region=placeholders.region or constant(path, "region", providers.get("aws", {}).get("region")),
        partition=placeholders.partition,
        variables=content.get("variable", {}),
        given=variables,
        local_values=content.get("locals", {}),
        line_of=line_finder(text, {**places, "local": ("locals",)}),
        providers=providers,
    )
    resolver = Resolver(source)
    found = {section: _resources(content, section, resolver) for section in _SECTIONS}
    _refuse_repeated(content, (*found["resource"].values(), *found["data"].values()), resolver)
    outputs = {name: body.get("value") for name, body in content.get("output", {}).items()}
    _check_variables(source, resolver)
    return Document(path, found["resource"], found["data"], resolver, outputs)


def _blocks(content: Mapping[str, Any], section: str) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    prefix = "data." if section == "data" else ""
    for kind, named in content.get(section, {}).items():
        if kind != COMMENT:
            for name, body in named.items():
                if name != COMMENT:
                    yield f"{prefix}{kind}.{name}", kind, name, body


def _resources(content: Mapping[str, Any], section: str, resolver: Resolver) -> dict[str, Resource]:
    found = {
        address: Resource(kind, name, address, body, resolver)
        for address, kind, name, body in _blocks(content, section)
    }
    for resource in found.values():
        resolver.add(resource)
    return found


def _refuse_repeated(content: Mapping[str, Any], resources: Iterable[Resource], resolver: Resolver) -> None:
    if content.get("module"):
        raise resolver.refused(
            f"module.{next(iter(content['module']))}",
            "",
            "is a module, which is not read",
            "judge a plan instead",
        )
    for resource in resources:
        for word, what in _REPEATED.items():
            if word in resource.body:
                raise resource.refused(word, f"repeats {what}, which is not read", "judge a plan instead")


def _providers(content: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the blocks of the AWS provider by ``aws`` and ``aws.ALIAS``."""
    blocks = content.get("provider", {}).get("aws", [])
    listed = blocks if isinstance(blocks, list) else [blocks]
    return {f"aws.{body['alias']}" if "alias" in body else "aws": body for body in listed}


def _check_variables(source: Source, resolver: Resolver) -> None:
    """Refuse given values that no variable takes."""
    for name, value in source.given.items():
        if name not in source.variables:
            there = ", ".join(sorted(source.variables)) or "none"
            raise InputError(
                [
                    Problem(
                        source.file,
                        f"is no variable of it: {name}",
                        f"give one of {there}",
                        field="variables",
                    )
                ]
            )
        for index, rule in enumerate(source.variables[name].get("validation", [])):
            place = f"validation.{index}.condition"
            if resolver.resolve(f"variable.{name}", place, rule["condition"]) is not True:
                message = str(rule.get("error_message", "give another value"))
                raise resolver.refused(f"variable.{name}", "", f"{show(value)} is refused", message)
