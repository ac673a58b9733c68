"""From environment files to ``cdktf.out/stacks/ENV/cdk.tf.json``, by running the CDKTF app beside us.

The app is a process of its own, so that nothing here imports cdktf. It writes into a folder of its own; only
a whole, readable result is moved over the previous one, so that a failure leaves that as it was.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatehouse.environment_file import ENVIRONMENTS, load_environments
from gatehouse.errors import GatehouseError, InputError
from gatehouse.fields import ROOT
from gatehouse.files import errors_explained, exclusive, write_all
from gatehouse.inputs import RECORD

APP = ROOT / "main.py"
OUTPUT = Path("cdktf.out")
WORK = Path(".gatehouse")
DOCUMENT = "cdk.tf.json"
MANIFEST = "manifest.json"
#: Folder of stacks below the output folder, as CDKTF lays it out.
STACKS = "stacks"
#: Start of the name of each run's own folder below WORK.
_PREFIX = "synth-"


class SynthError(GatehouseError):
    """The app failed, or what it made is not whole; ``exit_code`` is 2 where it refused its input."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        """Keep the message, which ends with what the app itself said."""
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Synthesis:
    """What one run made: the environments, the path of each document, and the seconds it took."""

    documents: dict[str, Path]
    seconds: float


def synthesize(
    names: Sequence[str] | None = None, *, folder: Path = Path(), app: Path | None = None
) -> Synthesis:
    """Synthesize the named environments of the project in ``folder``; all of them without names.

    Every file is validated first. ``app`` is main.py beside this package unless given. Stacks that have no
    environment file any more are dropped when all are made. Runs of the same project wait for each other.
    Raises InputError for bad files, SynthError for a failed app and FileError for what cannot be written, the
    previous output untouched.
    """
    started = time.monotonic()
    source = _shown(folder / ENVIRONMENTS)
    load_environments(source, names)  # before anything is made, a lock included
    with exclusive(_shown(folder / WORK) / "synth.lock"):
        _sweep(folder / WORK)
        # Again: while this run waited, another may have made what would count as stale here.
        environments = [one.environment for one in load_environments(source, names)]
        with _workspace(_shown(folder / WORK)) as made:
            _run(app or APP, environments, folder.resolve(), Path(made).resolve())
            manifest = _checked(Path(made), environments)
            documents = _install(Path(made), folder / OUTPUT, environments, manifest, every=not names)
    return Synthesis(documents, time.monotonic() - started)


def document_path(environment: str) -> Path:
    """Return where the document of an environment is, once it is synthesized."""
    return OUTPUT / STACKS / environment / DOCUMENT


def _sweep(work: Path) -> None:
    """Remove what killed runs left; only the holder of the lock has such a folder."""
    for left in work.glob(f"{_PREFIX}*"):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _workspace(work: Path) -> Iterator[str]:
    with errors_explained(work / _PREFIX):
        made = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=work)
    with made as name:
        yield name


def _shown(path: Path) -> Path:
    """Return the path as a user in the current folder would type it."""
    return (
        path
        if not path.is_absolute() or not path.is_relative_to(Path.cwd())
        else path.relative_to(Path.cwd())
    )


def _run(app: Path, environments: Sequence[str], folder: Path, made: Path) -> None:
    variables = {"CDKTF_OUTDIR": str(made), "GATEHOUSE_ENVIRONMENTS": ",".join(environments)}
    # The app is ours, and the names it gets were checked by the settings.
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(app)],
        cwd=folder,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode == InputError.exit_code:
        raise SynthError(done.stderr.strip() or "the environment files were refused", InputError.exit_code)
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip() or "it said nothing"
        raise SynthError(
            f"synthesis of {', '.join(environments)} failed ({app.name} exited with {done.returncode}); "
            f"the previous output is as it was. It said:\n{said}"
        )


def _checked(made: Path, environments: Sequence[str]) -> dict[str, Any]:
    """Return the manifest of a whole result: a readable document for each environment and no other."""
    manifest = _json(made / MANIFEST)
    stacks = manifest.get("stacks")
    if not isinstance(stacks, dict) or sorted(stacks) != sorted(environments):
        found = ", ".join(sorted(stacks)) if isinstance(stacks, dict) and stacks else "none"
        raise SynthError(f"synthesis was to make {', '.join(sorted(environments))}, and made {found}")
    for name in environments:
        _json(made / STACKS / name / DOCUMENT)
    return manifest


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise SynthError(f"synthesis made no {path.name} in {path.parent.name}") from None
    except ValueError as error:
        raise SynthError(f"synthesis made a {path.name} that is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise SynthError(f"synthesis made a {path.name} that is not a JSON object")
    return content


def _install(
    made: Path, output: Path, environments: Sequence[str], manifest: dict[str, Any], *, every: bool
) -> dict[str, Path]:
    """Put the new files over the old once all of them are written; the manifest last.

    What Terraform keeps beside a document (``.terraform``, lock files, state) is never touched.
    """
    previous = _previous_stacks(output)
    files: dict[Path, bytes] = {}
    for name in environments:
        source = made / STACKS / name
        for path in sorted(path for path in source.rglob("*") if path.is_file()):
            files[output / STACKS / name / path.relative_to(source)] = path.read_bytes()
    stale = sorted(set(previous) - set(environments)) if every else []
    kept = {name: stack for name, stack in previous.items() if name not in stale}
    stacks = dict(sorted({**kept, **manifest["stacks"]}.items()))
    files[output / MANIFEST] = (json.dumps({**manifest, "stacks": stacks}, indent=2) + "\n").encode()
    write_all(files)
    for name in stale:
        _drop(output / STACKS / name)
    return {name: output / STACKS / name / DOCUMENT for name in environments}


def _previous_stacks(output: Path) -> dict[str, Any]:
    try:
        stacks = json.loads((output / MANIFEST).read_bytes())["stacks"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # none yet, or not one of ours: there is nothing to keep
    if not isinstance(stacks, dict):
        return {}
    # A name that is a path would lead `_drop` out of the output folder.
    return {name: stack for name, stack in stacks.items() if name == Path(name).name and name != ".."}


def _drop(stack: Path) -> None:
    """Remove the files that synthesis makes, and the folder if that leaves it empty."""
    for name in (DOCUMENT, RECORD, "metadata.json"):
        (stack / name).unlink(missing_ok=True)
    if stack.is_dir() and not any(stack.iterdir()):
        stack.rmdir()
