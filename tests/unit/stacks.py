"""Small synthesized documents for the tests of what reads them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gatehouse.document import Document, read_document

#: Makes a document of resources by type and name, and of other sections.
Stack = Callable[..., Document]
ACCOUNT = "111122223333"


def stack_in(folder: Path) -> Stack:
    """Return the function that writes a document into a folder and reads it."""

    def write(
        resource: Mapping[str, Any] | None = None,
        *,
        variables: Mapping[str, Any] | None = None,
        **sections: Any,  # noqa: ANN401 - any JSON
    ) -> Document:
        path = folder / "cdk.tf.json"
        content = {"provider": {"aws": [{"region": "eu-west-1"}]}, "resource": resource or {}, **sections}
        path.write_text(json.dumps(content, indent=2), encoding="utf-8")
        return read_document(path, variables=variables or {})

    return write
