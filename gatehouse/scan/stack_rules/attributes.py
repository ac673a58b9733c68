"""Which attributes resources have: those that constructs write, of which some rule or check was thought through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from gatehouse.scan.stack_rules.stack import COMMENT, Flaw, Stack, blocks
from gatehouse.yaml_source import parse_yaml

ATTRIBUTES = Path(__file__).resolve().parents[2] / "data" / "attributes.yaml"
#: Attributes whose keys are not Terraform's: tags, and maps that other rules read.
MAPS = frozenset({"dimensions", "request_parameters", "tags", "triggers"})


@cache
def known_attributes() -> Mapping[str, frozenset[str]]:
    """Return the attributes of each type, as paths with dots between the names of blocks."""
    read = parse_yaml(ATTRIBUTES.read_text(encoding="utf-8"), ATTRIBUTES.name).data
    return {kind: frozenset(paths) for kind, paths in read.items()}


def attributes_that_are_judged(stack: Stack) -> Iterator[Flaw]:
    """No resource has an attribute that no construct writes: what it opens, no rule was written for."""
    for resource in stack.of():
        known = known_attributes().get(resource.type, frozenset())
        for path in sorted(set(paths(resource.body)) - known):
            yield Flaw(resource.address, f"has {path}, of which no rule speaks", path)


def paths(body: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Go through the paths of the attributes of a block, those of the blocks in it included."""
    for name, value in body.items():
        if name == COMMENT or value is None:
            continue
        inner = [] if name in MAPS else [one for one in blocks(body, name) if one]
        if not inner:
            yield f"{prefix}{name}"
        for block in inner:
            yield from paths(block, f"{prefix}{name}.")
