"""Writing files so that a reader sees the old content or the new, and one run at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gatehouse.errors import GatehouseError

LOCK_SECONDS = 120.0
_POLL_SECONDS = 0.05


class FileError(GatehouseError):
    """What the file system refused; the message names the path that the user knows, and the fix."""


def write_atomic(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` in one step; folders are made, and the old mode is kept.

    Raises FileError, with the previous file untouched and nothing left behind.
    """
    write_all({path: content})


def write_all(files: Mapping[Path, bytes]) -> None:
    """Replace every file by its content, in this order, once all of them are on the disk beside the old.

    Raises FileError, with the previous files untouched and nothing left behind, if one cannot be written.
    """
    staged: list[tuple[Path, Path]] = []
    try:
        for path, content in files.items():
            with errors_explained(path):
                staged.append((_stage(path, content), path))
        for temporary, path in staged:
            with errors_explained(path):
                temporary.replace(path)
    except BaseException:
        for temporary, _ in staged:
            temporary.unlink(missing_ok=True)
        raise


def _stage(path: Path, content: bytes) -> Path:
    """Write a temporary file beside ``path``, with its mode, and return it."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


@contextmanager
def errors_explained(path: Path) -> Iterator[None]:
    """Raise FileError for an OSError inside: what stands in the way of writing ``path``, and what to do."""
    try:
        yield
    except OSError as error:
        raise FileError(_explanation(path, error)) from error


def _explanation(path: Path, error: OSError) -> str:
    if path.is_dir():
        return f"{path}: is a folder, and a file is to be written. Fix: name a file, or remove the folder."
    above = next((one for one in path.parents if os.path.lexists(one)), path.parent)
    if not above.is_dir():
        return f"{above}: is not a folder, and one is needed for {path.name}. Fix: rename or remove it."
    reason = (error.strerror or str(error)).lower()
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{path}: cannot be written: {reason}. Fix: give your user the right to write in {above}."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{path}: cannot be written: {reason}. Fix: free some space there."
    return f"{path}: cannot be written: {reason}. Fix: see that a file can be made in {above}."


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current


@contextmanager
def exclusive(path: Path, *, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the lock file ``path``; wait up to ``seconds`` for another run to let go of it.

    The operating system drops the lock when its process ends, however it ends.
    Raises GatehouseError when the wait is over, FileError if there can be no such file.
    """
    deadline = time.monotonic() + seconds
    with errors_explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        opened = path.open("ab")
    with opened as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise GatehouseError(
                        f"{path}: another run has held this lock for {seconds:g} seconds. "
                        "Fix: wait for it to end, or end it."
                    ) from None
                time.sleep(_POLL_SECONDS)
        yield
