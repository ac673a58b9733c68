"""The document that a command means by ENV: an environment's, or that in a file, with values for variables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gatehouse.document import Document, Placeholders, read_document
from gatehouse.errors import InputError, Problem
from gatehouse.synth import document_path


def names_file(environment: str) -> bool:
    """Return whether ENV is the path of a document or plan, and no environment's name."""
    return environment.endswith(".json") or "/" in environment


def read_named(
    environment: str,
    *,
    account: str | None = None,
    region: str | None = None,
    variables: Sequence[str] = (),
) -> Document:
    """Return the document of an environment that was synthesized, or of the path of a document or plan.

    Raises:
        InputError: there is none, it cannot be read, or a variable is not NAME=VALUE.

    """
    is_file = names_file(environment)
    path = Path(environment) if is_file else document_path(environment)
    if not path.is_file():
        fix = "give the path of a document" if is_file else f"run: gatehouse synth {environment}"
        raise InputError([Problem(str(path), "is not there", fix)])
    given = {}
    for one in variables:
        name, sign, value = one.partition("=")
        if not sign or not name:
            raise InputError(
                [Problem("--var", "is not NAME=VALUE", "write one such as --var max_size=2", value=one)]
            )
        given[name] = value
    placeholders = Placeholders(region=region) if account is None else Placeholders(account, region)
    return read_document(path, placeholders, given)
