"""Terraform's values as those of JSON, and its conversions between them.

Source: Terraform documentation, "Types and Values" ("Type Conversion") and "Arithmetic and Logical Operators".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KINDS = ((bool, "bool"), (int | float, "number"), (str, "string"), (list, "list"), (Mapping, "object"))


class ValueProblem(Exception):  # noqa: N818 - a value that Terraform itself refuses, which `can` and `try` catch
    """Values that do not fit each other, or an operation."""

    reference: str = ""


def kind(value: object) -> str | None:
    """Return the name of a value's type; None for what is no value, such as a whole resource."""
    return (
        "null" if value is None else next((name for type_, name in _KINDS if isinstance(value, type_)), None)
    )


def text(value: object) -> str:
    """Return a value as a string."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(int(value)) if value == int(value) else repr(value)
    raise ValueProblem(f"a {kind(value)} is no string")


def number(value: object) -> int | float:
    """Return a value as a number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    try:
        if isinstance(value, str):
            return int(value) if value.lstrip("-").isdecimal() else float(value)
    except ValueError:
        pass
    raise ValueProblem(f"a {kind(value)} is no number")


def truth(value: object) -> bool:
    """Return a value as true or false."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise ValueProblem(f"a {kind(value)} is neither true nor false")


def equal(left: Any, right: Any) -> bool:  # noqa: ANN401 - JSON
    """Return whether two values are the same; values of different types never are."""
    if kind(left) != kind(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, Mapping):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return bool(left == right)
