"""Reading the file: JSON, or what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatehouse.errors import InputError, Problem

_AGAIN = "synthesize it anew: gatehouse synth"
#: The comment of Terraform's JSON, which is no name.
COMMENT = "//"


def read_json(path: Path) -> tuple[dict[str, Any], str]:
    """Return the object of a JSON file, and its text.

    Raises:
        InputError: there is no such file, it holds no JSON object, or one that has a name twice.

    """
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text, object_pairs_hook=once_each)
    except OSError as error:
        raise unreadable(path, f"cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise unreadable(path, f"is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise unreadable(path, "holds no resources: it is no JSON object")
    return document, text


def once_each(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object that has these members, for ``json.loads``.

    Terraform takes a second block of the same name for one more, where Python's reader forgets the first one.

    Raises:
        ValueError: a name is there twice.

    """
    read = dict(members)
    if len(read) < len(members):
        names = [name for name, _ in members]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is there twice in one object")
    return read


def check_blocks(path: Path, document: Mapping[str, Any]) -> None:
    """Refuse what is no Terraform JSON as synthesis writes it.

    Raises:
        InputError: resources are not there, or not as types, names and attributes.

    """
    sections = [document.get("resource"), document.get("data", {})]
    if not all(_is_nested(section) for section in sections):
        raise unreadable(path, "holds no resources as types, names and attributes")


def _is_nested(section: object) -> bool:
    return isinstance(section, Mapping) and all(
        isinstance(named, Mapping)
        and all(isinstance(body, Mapping) for name, body in named.items() if name != COMMENT)
        for kind, named in section.items()
        if kind != COMMENT
    )


def unreadable(path: Path, problem: str, fix: str = _AGAIN) -> InputError:
    """Return the error for a whole file."""
    return InputError([Problem(str(path), problem, fix)])


def constant(path: Path, name: str, value: object) -> str:
    """Return a text that must be written out, because nothing else can be found without it.

    Raises:
        InputError: it is not.

    """
    if not isinstance(value, str) or "${" in value:
        problem = Problem(str(path), "is not written in the provider block", "write it there", field=name)
        raise InputError([problem])
    return value
