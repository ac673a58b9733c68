"""What a document was made from, kept beside it as digests, so that nobody judges a document that is out of date.

The record is no part of the document, which stays the same byte for byte. It has the digest of the document itself
too: one that something else wrote since has no record, whatever lies beside it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gatehouse.errors import GatehouseError
from gatehouse.fields import ROOT
from gatehouse.files import write_atomic
from gatehouse.settings import Settings

#: Name of the record, in the folder of the document.
RECORD = "inputs.json"
#: What the program reads besides its own modules.
_DATA = ("templates", "gatehouse/data/catalogue")
_PROGRAM = ("gatehouse", "modules")
_MAIN = "main.py"


class StaleError(GatehouseError):
    """A document that is not what its inputs make now, or of which nobody can tell."""

    exit_code = 2


def project_digests(settings: Settings, folder: Path) -> dict[str, str]:
    """Return the digests of what an operator edits: the environment file in ``folder``, and persona templates.

    A template that is not there is left out: rendering says so with a better message.
    """
    templates = [one.template for one in settings.access.personas.values() if one.template is not None]
    names = (f"{settings.environment}.yaml", *templates)
    return _digests(Path(), (path for path in (folder / name for name in names) if path.is_file()))


def write_record(document: Path, project: Mapping[str, str]) -> None:
    """Write down beside a document what it was made from: files of the project, and the running program."""
    record = {"document": _digest(document), "program": _digests(ROOT, _program()), "project": dict(project)}
    write_atomic(document.with_name(RECORD), (json.dumps(record, indent=2, sort_keys=True) + "\n").encode())


def check_current(document: Path, environment: str) -> None:
    """Look whether a document is still what its inputs would make; the project is the current folder.

    Raises:
        StaleError: an input has changed, the document has, or there is no record of the two.

    """
    again = f"Fix: synthesize it anew: gatehouse synth {environment}"
    if not document.is_file():
        raise StaleError(f"{document}: there is no such file. {again}")
    record = _read(document.with_name(RECORD))
    if record is None:
        raise StaleError(f"{document}: nothing beside it says what it was made from. {again}")
    if record["document"] != _digest(document):
        raise StaleError(f"{document}: was changed after it was synthesized. {again}")
    changed = [
        name
        for part, base in (("project", Path()), ("program", ROOT))
        for name, digest in record[part].items()
        if digest != _digest_if_there(base / name)
    ]
    if changed:
        more = f" and {len(changed) - 1} more files have" if len(changed) > 1 else " has"
        raise StaleError(f"{changed[0]}{more} changed since {document} was made from it. {again}")


def _program() -> Iterable[Path]:
    """Return what the running program consists of: the modules of ours that it has loaded, and its data."""
    loaded = (getattr(module, "__file__", None) for module in tuple(sys.modules.values()))
    ours = {Path(name) for name in loaded if name is not None}
    yield ROOT / _MAIN
    yield from (path for path in ours if any(path.is_relative_to(ROOT / part) for part in _PROGRAM))
    for part in _DATA:
        yield from (path for path in (ROOT / part).rglob("*") if path.is_file())


def _digests(base: Path, paths: Iterable[Path]) -> dict[str, str]:
    return {path.relative_to(base).as_posix(): _digest(path) for path in sorted(set(paths))}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest_if_there(path: Path) -> str | None:
    try:
        return _digest(path)
    except OSError:
        return None


def _read(path: Path) -> dict[str, Any] | None:
    """Return a record; None if there is none, or what is there is none."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or not isinstance(record.get("document"), str):
        return None
    parts = (record.get("project"), record.get("program"))
    # A project without a file, or a program without one, has made nothing.
    return record if all(isinstance(part, dict) and part for part in parts) else None
