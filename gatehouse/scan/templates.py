"""What stands between ``${`` and ``}`` in the text of a policy: Terraform's references and AWS's variables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_START = re.compile(r"(\$+)\{")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
#: A reference in an expression: ``aws_kms_key.storage``, ``data.aws_caller_identity.account``, ``var.name``.
_ROOT = re.compile(r"(?<![\w.])(data\.[a-z][a-z0-9_]*\.[\w-]+|[a-z][a-z0-9_]*\.[\w-]+)")
_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_DEFAULT = re.compile(r"\s*,\s*'.*'", re.DOTALL)
#: Stand for the characters themselves.
CHARACTERS = frozenset("*?$")


@dataclass(frozen=True)
class Template:
    """One ``${...}``: what is inside, whether it was escaped for Terraform, and whether it is closed."""

    inside: str
    escaped: bool
    closed: bool

    @property
    def roots(self) -> list[str]:
        """What a Terraform expression refers to."""
        return _ROOT.findall(_STRING.sub('""', self.inside))

    @property
    def key(self) -> str:
        """The condition key of a policy variable, without its default value."""
        return _DEFAULT.sub("", self.inside)


def templates(raw: str) -> Iterator[Template]:
    """Go through the ``${...}`` of a text in Terraform's syntax."""
    for start in _START.finditer(raw):
        end = raw.find("}", start.end())
        again = raw.find("${", start.end())
        closed = end >= 0 and (again < 0 or end < again)
        inside = raw[start.end() : end] if closed else raw[start.end() :]
        yield Template(inside, escaped=len(start[1]) > 1, closed=closed)


def variables(text: str) -> list[str]:
    """Return the policy variables of an unescaped text that can have no value, by condition key in lower case."""
    found = [Template(inside, escaped=True, closed=True) for inside in _VARIABLE.findall(text)]
    return [one.key.lower() for one in found if ":" in one.inside and one.key == one.inside]


def without_templates(text: str) -> str:
    """Return a text without its ``${...}``, for what looks at the rest."""
    return _VARIABLE.sub("", text)


def has_reference(text: str) -> bool:
    """Return whether Terraform fills in a part of an unescaped text."""
    return any(":" not in inside and inside not in CHARACTERS for inside in _VARIABLE.findall(text))


def stand_ins(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a JSON value with references replaced by something of the form that they will have."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _stand_in(found[1]) or found[0], value)
    if isinstance(value, Mapping):
        return {stand_ins(key): stand_ins(item) for key, item in value.items()}
    if isinstance(value, list):
        return [stand_ins(item) for item in value]
    return value


def _stand_in(inside: str) -> str:
    if ":" in inside or inside in CHARACTERS:
        return ""
    if inside.endswith("arn"):
        return "arn:aws:service:eu-west-1:111122223333:resource"
    return "111122223333" if inside.endswith("account_id") else "reference"
