"""A side of a comparison: a file, a folder, or a git revision whose environment is synthesized anew.

A revision is unpacked into a folder of its own with ``git archive``, which runs no hooks and leaves the repository as
it is. Its own code makes the document, so compare revisions only if you would run them; it gets none of this process's
variables but those that a program needs to start.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gatehouse.environment_file import ENVIRONMENTS
from gatehouse.errors import GatehouseError, InputError, Problem
from gatehouse.synth import DOCUMENT, OUTPUT, STACKS, document_path

GIT = "git:"
#: What a program needs to start and to find its modules, and no credentials.
_PASSED_ON = (
    "HOME",
    "LANG",
    "LC_ALL",
    "PATH",
    "PYTHONPATH",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "TMPDIR",
    "VIRTUAL_ENV",
)
_ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]*")


class RevisionError(GatehouseError):
    """A revision whose environment cannot be made; the message ends with what was said."""

    exit_code = 2


@dataclass(frozen=True)
class Side:
    """Where a document is now, what stands for that in messages, and its approvals if it is a revision."""

    path: Path
    shown: str
    approvals: bytes | None = None


@contextmanager
def side(value: str, environment: str | None, approvals: Path) -> Iterator[Side]:
    """Give the document that OLD or NEW means; a revision's is there as long as this is open.

    ``approvals`` is the path of the approvals in a revision.

    Raises:
        InputError: it is no file, folder or revision, or it has not the one environment.
        RevisionError: the revision's environment cannot be made.

    """
    path = Path(value)
    if not value.startswith(GIT) and path.is_file():
        yield Side(path, value)
    elif not value.startswith(GIT) and path.is_dir():
        found = _in_folder(path, environment)
        yield Side(found, str(found))
    else:
        commit = _commit(value)
        with tempfile.TemporaryDirectory(prefix="gatehouse-") as made:
            folder = Path(made).resolve()
            _unpack(commit, folder)
            name = environment or _only(
                value, sorted(one.stem for one in (folder / ENVIRONMENTS).glob("*.yaml"))
            )
            found = _made(value, name, folder)
            listed = folder / approvals
            if not listed.resolve().is_relative_to(folder):
                raise InputError(
                    [Problem(str(approvals), "is not in the project", "keep the approvals beside it")]
                )
            shown = f"{value.removeprefix(GIT)}:{document_path(name)}"
            yield Side(found, shown, listed.read_bytes() if listed.is_file() else b"")


def _in_folder(folder: Path, environment: str | None) -> Path:
    """Return the document in a folder: its own, or that of an environment below stacks/."""
    own = folder / DOCUMENT
    if own.is_file():
        return own
    stacks = next((one for one in (folder / STACKS, folder / OUTPUT / STACKS) if one.is_dir()), None)
    if stacks is None:
        problem = f"has neither {DOCUMENT} nor {STACKS}/ENV/{DOCUMENT}"
        raise InputError([Problem(str(folder), problem, "give the folder that gatehouse synth wrote")])
    names = sorted(one.parent.name for one in stacks.glob(f"*/{DOCUMENT}"))
    name = environment or _only(str(folder), names)
    if name not in names:
        fix = f"use one of {', '.join(names)}" if names else "run gatehouse synth there"
        raise InputError([Problem(str(folder), "has no such environment", fix, field="--env", value=name)])
    return stacks / name / DOCUMENT


def _only(value: str, names: list[str]) -> str:
    if len(names) != 1:
        problem = f"has {'several environments' if names else 'no environment'}"
        fix = f"say which: --env {names[0]}, or {', '.join(names[1:])}" if names else "say which: --env"
        raise InputError([Problem(value, problem, fix)])
    return names[0]


def _commit(value: str) -> str:
    """Return the full id of a revision's commit."""
    revision = value.removeprefix(GIT)
    done = _run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if done.returncode != 0:
        problem = "is no file, no folder, and no revision that git knows here"
        fix = "give the path of a document, the folder of cdktf.out, or a commit (in CI: fetch it, fetch-depth: 0)"
        raise InputError([Problem(value, problem, fix)])
    return done.stdout.decode().strip()


def _run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        # Options end before what the user gave, and there is no shell.
        return subprocess.run(  # noqa: S603
            ["git", *arguments],  # noqa: S607  # that of the user's PATH
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise RevisionError("there is no git on the PATH. Fix: install it, or compare files") from None


def _unpack(commit: str, folder: Path) -> None:
    done = _run("archive", "--format=tar", commit)
    if done.returncode != 0:
        raise RevisionError(f"git archive {commit} failed: {done.stderr.decode(errors='replace').strip()}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")


def _made(value: str, environment: str, folder: Path) -> Path:
    """Return the document of an environment of an unpacked revision: made now, or as it was committed."""
    if not _ENVIRONMENT.fullmatch(environment):
        raise InputError(
            [Problem("--env", "is no environment's name", "write one like dev", value=environment)]
        )
    found = folder / document_path(environment)
    if not (folder / ENVIRONMENTS / f"{environment}.yaml").is_file():
        if found.is_file():
            return found
        names = ", ".join(sorted(one.stem for one in (folder / ENVIRONMENTS).glob("*.yaml"))) or "none"
        problem = f"has no environment {environment}"
        raise InputError([Problem(value, problem, f"choose one that it has ({names}), or another revision")])
    # The name was checked; the code that runs is the revision's, as the module says.
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "gatehouse", "synth", environment],
        cwd=folder,
        env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0 or not found.is_file():
        said = done.stderr.strip() or done.stdout.strip() or "it said nothing"
        raise RevisionError(
            f"{value}: {environment} cannot be synthesized from this revision by the Python that runs now. "
            f"Fix: synthesize it where it was made, and compare the files. It said:\n{said}"
        )
    return found
