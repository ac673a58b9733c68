"""A check made of one rule, and how rules read what Checkov hands them: each attribute's value in a list."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from checkov.common.models.enums import CheckCategories, CheckResult
from checkov.terraform.checks.resource.base_resource_check import BaseResourceCheck

Attributes = Mapping[str, Any]
#: From a resource's attributes to the names of those that are wrong.
Rule = Callable[[Attributes], Iterator[str]]

_REFERENCE = re.compile(r"\$\{([a-z][a-z0-9_]*)\.[\w-]+\.([a-z_]+)\}")


class HouseCheck(BaseResourceCheck):
    """A check of single resources; it registers itself with Checkov when it is made."""

    def __init__(self, id_: str, title: str, resources: list[str], rule: Rule) -> None:
        """Make the check ``id_`` of resources of these types."""
        super().__init__(
            name=title, id=id_, categories=[CheckCategories.GENERAL_SECURITY], supported_resources=resources
        )
        self._rule = rule

    def scan_resource_conf(self, conf: dict[str, list[Any]]) -> CheckResult:
        """Fail if the rule finds an attribute wrong; the report names all that it finds."""
        wrong = list(dict.fromkeys(self._rule(conf)))
        self.evaluated_keys = wrong
        return CheckResult.FAILED if wrong else CheckResult.PASSED


def value(attributes: Attributes, *path: str) -> object:
    """Return the value of an attribute, of the first block where blocks are listed; None if there is none."""
    found: object = attributes
    for name in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
        while isinstance(found, list):
            found = found[0] if found else None
    return found


def values(attributes: Attributes, *path: str) -> list[object]:
    """Return the values of an attribute that is a list; a value without a list is a list of one."""
    *outer, name = path
    block = value(attributes, *outer) if outer else attributes
    found = block.get(name) if isinstance(block, Mapping) else None
    if isinstance(found, list) and len(found) == 1 and isinstance(found[0], list):
        found = found[0]
    listed = found if isinstance(found, list) else [found]
    return [one for one in listed if one is not None]


def blocks(attributes: Attributes, *path: str) -> list[Attributes]:
    """Return the blocks of a name."""
    return [one for one in values(attributes, *path) if isinstance(one, Mapping)]


def is_given(attributes: Attributes, name: str) -> bool:
    """Return whether an attribute says something: null, an empty text and an empty list say nothing."""
    return any(one not in ("", {}) for one in values(attributes, name))


def is_on(found: object) -> bool:
    """Return whether a value is true for certain; what a variable decides is not."""
    return found is True or found == "true"


def is_off(found: object) -> bool:
    """Return whether a value is false for certain, or left out where that is the default."""
    return found is None or found is False or found == "false"


def number(found: object) -> int | None:
    """Return the whole number that a value is, as a number or as its text; None if it is none."""
    if isinstance(found, bool) or not isinstance(found, int | str):
        return None
    return int(found) if re.fullmatch(r"-?\d+", str(found)) else None


def refers_to(found: object, attribute: str, *types: str) -> bool:
    """Return whether a value is nothing but a reference to an attribute of a resource of one of the types."""
    match = _REFERENCE.fullmatch(found) if isinstance(found, str) else None
    return match is not None and match[1] in types and match[2] == attribute


def all_refer_to(found: list[object], attribute: str, *types: str) -> bool:
    """Return whether there are values and each one is such a reference."""
    return bool(found) and all(refers_to(one, attribute, *types) for one in found)
