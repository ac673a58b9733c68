"""How long a text of a Terraform document is once Terraform has filled in its references."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gatehouse.quotas import ACCOUNT_LENGTH, API_ID_LENGTH, REFERENCE_LENGTH

#: An escape, which stands for two characters; or an expression.
_TEMPLATE = re.compile(r"(?P<escape>\$\$\{|%%\{)|\$\{(?P<inside>[^}]*)\}|%\{")
#: ``aws_kms_key.storage.arn``, ``data.aws_caller_identity.account.account_id``, ``local.name``.
_REFERENCE = re.compile(r"(?P<of>data\.\w+\.[\w-]+|\w+\.[\w-]+)(?P<path>(?:\.\w+|\[\d+\])*)")
#: Of ids, whose length AWS fixes; by the end of the reference.
_LENGTHS = (
    (re.compile(r"data\.aws_caller_identity\.[\w-]+\.account_id"), ACCOUNT_LENGTH),
    (re.compile(r"aws_api_gateway_rest_api\.[\w-]+\.id"), API_ID_LENGTH),
)
#: Locals that refer to locals, at most so deep; a circle is none that Terraform takes.
_DEEPEST = 10


class UnknownSizeError(Exception):
    """The message completes "its size cannot be told: "."""


def filled_in(text: str, terraform: Mapping[str, Any], depth: int = 0) -> str:
    """Return a text as long as what Terraform makes of it.

    A reference to a local value, or to an attribute that the document gives as text, counts as what stands there; one
    to an id as its length; any other one as :data:`gatehouse.quotas.REFERENCE_LENGTH`.

    Raises:
        UnknownSizeError: there is an expression that is more than a reference.

    """

    def replace(found: re.Match[str]) -> str:
        if found["escape"]:
            return found["escape"][1:]
        return _value(found["inside"] or "", terraform, depth)

    return _TEMPLATE.sub(replace, text)


def _value(inside: str, terraform: Mapping[str, Any], depth: int) -> str:
    reference = _REFERENCE.fullmatch(inside.strip())
    if reference is None:
        raise UnknownSizeError(f"only Terraform knows what ${{{inside}}} becomes")
    if depth == _DEEPEST:
        raise UnknownSizeError(f"${{{inside}}} leads to itself")
    written = declared(reference["of"], reference["path"], terraform)
    if written is not None:
        return filled_in(written, terraform, depth + 1)
    known = (length for pattern, length in _LENGTHS if pattern.fullmatch(reference[0]))
    return "x" * next(known, REFERENCE_LENGTH)


def declared(of: str, path: str, terraform: Mapping[str, Any]) -> str | None:
    """Return what a document itself gives for a local value, or for an attribute of a resource; None if nothing."""
    kind, _, name = of.partition(".")
    if kind == "local":
        value = None if path else terraform.get("locals", {}).get(name)
    else:
        section = "data" if kind == "data" else "resource"
        kind, _, name = name.partition(".") if kind == "data" else (kind, _, name)
        body = terraform.get(section, {}).get(kind, {}).get(name, {})
        value = body.get(path.removeprefix(".")) if isinstance(body, Mapping) else None
    return value if isinstance(value, str) else None
