"""A plan as ``terraform show -json`` writes it, laid over the document that it was made from.

A plan has what the document leaves to Terraform: variables, defaults and what others have made. What is known only
after the apply it has not; there the document stands, which is judged in any case. How many policies that are is
counted, so that nobody takes them for judged twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatehouse.scan.documents import POLICY_ATTRIBUTES
from gatehouse.scan.findings import ScanError

#: Of ``aws_subnet.this[0]`` and ``module.a["x"].aws_subnet.this["eu-west-1a"]``.
_INSTANCE = re.compile(r'\[(?:\d+|"(?:[^"\\]|\\.)*")\]')
_TEMPLATE = re.compile(r"([$%])\{")
_IN_MODULE = re.compile(r"^\w+\.(?=module\.)")
#: To a resource or data source, and nothing beside it.
_REFERENCE = re.compile(r"\$\{(?!var\.|local\.|each\.|count\.)[a-z]\w*(\.[\w-]+|\[\d+\])+\}")
_MOST_NAMED = 5
_SHOW = "Fix: terraform plan -out=plan.bin, then terraform show -json plan.bin > {}"
_COPIES = ("count", "for_each")


@dataclass(frozen=True)
class Plan:
    """One plan.

    ``resources`` are the addresses of all that is planned, instances and modules included. ``terraform`` is the
    document with the planned values in it, in Terraform's syntax. ``policies`` counts the policies of the document
    that are planned; ``unknown`` are those known only after the apply, as ADDRESS.ATTRIBUTE.
    """

    path: Path
    resources: frozenset[str]
    terraform: Mapping[str, Any]
    policies: int
    unknown: tuple[str, ...]


def without_instances(address: str) -> str:
    """Return an address as the configuration has it, without the keys of instances."""
    # What is in a module is laid over the document as TYPE and then the whole address.
    return _IN_MODULE.sub("", _INSTANCE.sub("", address))


def read_plan(path: Path, document: Mapping[str, Any], place: str) -> Plan:
    """Return the plan in a file; ``place`` stands for the document, from which it must be made, in messages.

    Raises:
        ScanError: it cannot be read, is no plan, is one that failed, or is not one of the whole document.

    """
    content = _content(path)
    planned = {one["address"]: one for one in _planned(content["planned_values"].get("root_module", {}))}
    managed = {address: one for address, one in planned.items() if one.get("mode") == "managed"}
    _check_whole(path, set(map(without_instances, managed)), document, place)
    unknown = {
        one["address"]: one["change"].get("after_unknown") or {}
        for one in content.get("resource_changes", [])
    }
    values = {
        address: _over(one.get("values", {}), _body(document, one), unknown.get(address, {}))
        for address, one in managed.items()
    }
    known = dict(_policies(document, managed, unknown))
    return Plan(
        path,
        frozenset(planned),
        _laid_over(document, managed, values),
        len(known),
        tuple(sorted(name for name, is_known in known.items() if not is_known)),
    )


def _content(path: Path) -> Mapping[str, Any]:
    again = _SHOW.format(path)
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ScanError(f"{path}: cannot be read: {error.strerror or error}. {again}") from None
    except (ValueError, RecursionError) as error:
        raise ScanError(f"{path}: is not JSON: {error}. {again}") from None
    version = content.get("format_version") if isinstance(content, dict) else None
    if not isinstance(version, str) or not isinstance(content.get("planned_values"), dict):
        raise ScanError(f"{path}: is no plan: it has no format_version and planned_values. {again}")
    if not version.startswith("1."):
        raise ScanError(
            f"{path}: is a plan of format {version}, and 1.x is what is known. Fix: use Terraform 1.x"
        )
    if content.get("errored"):
        raise ScanError(f"{path}: is the plan of a run that failed. {again}")
    return dict(content)


def _planned(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Go through the resources of a module and of those in it."""
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from _planned(child)


def _check_whole(path: Path, planned: set[str], document: Mapping[str, Any], place: str) -> None:
    """Raise ScanError unless the plan is one of all resources of the document and no others."""
    declared = {
        f"{kind}.{name}": body
        for kind, named in document["resource"].items()
        for name, body in named.items()
        if name != "//"
    }
    modules = set(document.get("module", {}))
    strange = sorted(
        address
        for address in planned - set(declared)
        if not (address.startswith("module.") and address.split(".")[1] in modules)
    )
    if strange:
        raise ScanError(
            f"{path}: plans {_named(strange)}, which {place} has not. Fix: plan what was synthesized last, anew"
        )
    may_be_none = {address for address, body in declared.items() if any(key in body for key in _COPIES)}
    missing = sorted(set(declared) - planned - may_be_none)
    if missing:
        raise ScanError(
            f"{path}: does not plan {_named(missing)} of {place}. "
            "Fix: plan the whole of it anew, without -target and -destroy"
        )


def _named(addresses: Sequence[str]) -> str:
    more = f" and {len(addresses) - _MOST_NAMED} more" if len(addresses) > _MOST_NAMED else ""
    return f"{', '.join(addresses[:_MOST_NAMED])}{more}"


def _body(document: Mapping[str, Any], planned: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the document has of a planned resource; nothing if that is in a module."""
    if planned["address"].startswith("module."):
        return {}
    body: Mapping[str, Any] = document["resource"][planned["type"]][planned["name"]]
    return body


def _policies(
    document: Mapping[str, Any], managed: Mapping[str, Any], unknown: Mapping[str, Any]
) -> Iterator[tuple[str, bool]]:
    """Go through the policies that the document sets: ADDRESS.ATTRIBUTE, and whether the plan knows it."""
    for address, one in managed.items():
        written = one.get("values", {}).keys() | unknown.get(address, {}).keys()
        for attribute in sorted(POLICY_ATTRIBUTES & written):
            is_known = unknown.get(address, {}).get(attribute) is not True
            if attribute in _body(document, one):
                yield f"{address}.{attribute}", is_known


def _laid_over(
    document: Mapping[str, Any], managed: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, Any]:
    resources = {kind: dict(named) for kind, named in document["resource"].items()}
    for address, one in managed.items():
        name = address.removeprefix(f"{one['type']}.")  # with the instance's key, and the module's name
        resources.setdefault(one["type"], {})[name] = values[address]
    return {**document, "resource": resources}


def _over(values: Mapping[str, Any], body: Mapping[str, Any], unknown: Mapping[str, Any]) -> dict[str, Any]:
    """Return the planned attributes of a block, those of the document where the plan has none."""
    laid = dict(body)
    for key, value in values.items():
        if unknown.get(key) is True or value is None:
            continue
        laid[key] = _one_over(value, body.get(key), unknown.get(key))
    return laid


def _one_over(value: Any, written: Any, unknown: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a planned value in the form in which the document writes it: one block may be an object there."""
    if isinstance(written, str) and _REFERENCE.fullmatch(written):
        return written  # says more than the id that it has become
    if isinstance(value, dict) and isinstance(written, Mapping):
        return _over(value, written, unknown if isinstance(unknown, Mapping) else {})
    if isinstance(value, list):
        blocks = [written] if isinstance(written, Mapping) else written
        marks = unknown if isinstance(unknown, list) else [None] * len(value)
        if isinstance(blocks, list) and len(blocks) == len(value) == len(marks):
            laid = [
                item if mark is True else _one_over(known, item, mark)
                for known, item, mark in zip(value, blocks, marks, strict=True)
            ]
            return laid[0] if isinstance(written, Mapping) else laid
        if written is not None and _has_unknown(unknown):
            return written  # a set of blocks, in an order of its own
    return _escaped(value)


def _has_unknown(unknown: object) -> bool:
    if isinstance(unknown, Mapping):
        return any(map(_has_unknown, unknown.values()))
    return any(map(_has_unknown, unknown)) if isinstance(unknown, list) else unknown is True


def _escaped(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a planned value in Terraform's syntax: what is ``${`` in it is no reference any more."""
    if isinstance(value, str):
        return _TEMPLATE.sub(r"\1\1{", value)
    if isinstance(value, Mapping):
        return {_escaped(key): _escaped(item) for key, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list) else value
