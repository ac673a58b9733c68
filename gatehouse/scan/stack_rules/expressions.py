"""What Terraform fills in: plain references to what AWS makes, and nothing that computes another value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gatehouse.scan.documents import texts
from gatehouse.scan.stack_rules.stack import COMMENT, Flaw, Stack

#: What AWS makes of a resource, or its name. Of a description or a tag somebody could make any text.
REFERRED = frozenset(
    {
        "address",
        "allocation_id",
        "arn",
        "arn_suffix",
        "default_route_table_id",
        "dns_name",
        "execution_arn",
        "http_method",
        "id",
        "key_id",
        "latest_version",
        "master_user_secret[0].secret_arn",
        "name",
        "root_resource_id",
        "stage_name",
    }
)
_START = re.compile(r"(\$+|%+)\{")
_REFERENCE = re.compile(r"\$\{aws_[a-z0-9_]+\.[\w-]+\.([\w.\[\]]+)\}")
_DATA = re.compile(r"\$\{data\.(aws_caller_identity\.[\w-]+\.account_id|aws_prefix_list\.[\w-]+\.id)\}")
_VARIABLE = re.compile(r"\$\{var\.\w+\}")
_USER_DATA = re.compile(r"\$\{base64encode\(local\.\w+\)\}")


def plain_expressions(stack: Stack) -> Iterator[Flaw]:
    """Every expression is a reference to what AWS makes, or the whole value is a variable, or encoded user data.

    A condition, a function or a local value in another place could have any value whatever it names.
    """
    for resource in stack.of():
        for attribute, value in resource.body.items():
            encoded = (resource.type, attribute) == ("aws_launch_template", "user_data")
            for expression in _computing(value, encoded=encoded):
                yield Flaw(resource.address, f"computes a value: {expression}", attribute)
    for section in ("locals", "provider", "terraform"):
        yield from _of_section(section, stack.document.get(section, {}))
    for kind, named in stack.document.get("data", {}).items():
        for name, body in named.items():
            asked = {key: value for key, value in body.items() if key != "lifecycle"}
            yield from _of_section(f"data.{kind}", {name: asked})


def _of_section(section: str, parts: Mapping[str, Any]) -> Iterator[Flaw]:
    for name, body in parts.items():
        for expression in _computing(body, encoded=False):
            yield Flaw(f"{section}.{name}", f"computes a value: {expression}")


def _computing(value: object, *, encoded: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = {key: item for key, item in value.items() if key != COMMENT}
    for text in texts(value):
        if _VARIABLE.fullmatch(text) or (encoded and _USER_DATA.fullmatch(text)):
            continue
        for start in _START.finditer(text):
            if len(start[1]) != 2 and not _is_plain(text, start.start()):  # noqa: PLR2004 - $${ is text
                yield text[start.start() :].split("\n", maxsplit=1)[0][:80]


def _is_plain(text: str, at: int) -> bool:
    found = _REFERENCE.match(text, at)
    return _DATA.match(text, at) is not None or (found is not None and found[1] in REFERRED)
