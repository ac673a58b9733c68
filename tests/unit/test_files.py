"""Writing whole files, and one run at a time."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from gatehouse.errors import GatehouseError
from gatehouse.files import exclusive, write_atomic


def test_a_file_is_written_and_its_folders_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert [one.name for one in path.parent.iterdir()] == ["b.json"]


def test_the_mode_is_kept_and_a_new_file_follows_the_umask(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"")
    old.chmod(0o640)
    previous = os.umask(0o027)
    try:
        write_atomic(old, b"x")
        write_atomic(new, b"x")
    finally:
        os.umask(previous)
    assert (old.stat().st_mode & 0o777, new.stat().st_mode & 0o777) == (0o640, 0o640)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


def test_a_second_run_waits_for_the_first(tmp_path: Path) -> None:
    lock, order = tmp_path / "lock", list[str]()
    held, release = threading.Event(), threading.Event()

    def first() -> None:
        with exclusive(lock):
            held.set()
            release.wait(5)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    held.wait(5)
    release.set()
    with exclusive(lock, seconds=5):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_waiting_has_an_end(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with (
        exclusive(lock),
        pytest.raises(GatehouseError, match=r"another run has held this lock for 0 seconds\. Fix: wait"),
        exclusive(lock, seconds=0),
    ):
        pass


def test_the_lock_is_free_after_a_failure(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with pytest.raises(ValueError, match="inside"), exclusive(lock):
        raise ValueError("inside")
    with exclusive(lock, seconds=0):
        pass
