"""Writing files so that a reader sees the old content or the new, and one run at a time."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gatehouse.errors import GatehouseError

LOCK_SECONDS = 120.0
_POLL_SECONDS = 0.05


def write_atomic(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` in one step; folders are made, and the old mode is kept.

    Raises OSError, with the previous file untouched and nothing left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current


@contextmanager
def exclusive(path: Path, *, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the lock file ``path``; wait up to ``seconds`` for another run to let go of it.

    The operating system drops the lock when its process ends, however it ends.
    Raises GatehouseError when the wait is over.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    with path.open("ab") as stream:
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
