"""The user data of instances and launch templates, as the bytes that EC2 counts."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

from gatehouse.scan.sizes import UnknownSizeError, filled_in

#: Where user data stands, and whether it is encoded there.
_PLACES = (
    ("aws_instance", "user_data", False),
    ("aws_instance", "user_data_base64", True),
    ("aws_launch_configuration", "user_data", False),
    ("aws_launch_configuration", "user_data_base64", True),
    ("aws_launch_template", "user_data", True),
    ("aws_spot_instance_request", "user_data", False),
    ("aws_spot_instance_request", "user_data_base64", True),
)
_ENCODED = re.compile(r"\$\{base64encode\(\s*((?:local)\.\w+)\s*\)\}")


def user_data(terraform: Mapping[str, Any]) -> Iterator[tuple[str, str, bytes | UnknownSizeError]]:
    """Go through all user data: address, attribute, and the bytes, or why they cannot be told."""
    for kind, attribute, encoded in _PLACES:
        for name, body in terraform.get("resource", {}).get(kind, {}).items():
            written = body.get(attribute) if isinstance(body, Mapping) else None
            if written is None:
                continue
            try:
                yield f"{kind}.{name}", attribute, _bytes(str(written), terraform, encoded=encoded)
            except UnknownSizeError as error:
                yield f"{kind}.{name}", attribute, error


def _bytes(written: str, terraform: Mapping[str, Any], *, encoded: bool) -> bytes:
    if not encoded:
        return filled_in(written, terraform).encode()
    inside = _ENCODED.fullmatch(written)
    if inside is not None:
        return filled_in(f"${{{inside[1]}}}", terraform).encode()
    if "${" in written or "%{" in written:
        raise UnknownSizeError(f"only Terraform knows what {written} becomes")
    try:
        return base64.b64decode(written, validate=True)
    except binascii.Error:
        raise UnknownSizeError("it is not Base64") from None
