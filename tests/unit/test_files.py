"""Writing whole files, and one run at a time."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from gatehouse.errors import GatehouseError
from gatehouse.files import FileError, exclusive, write_all, write_atomic


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
    with pytest.raises(FileError, match=r"a\.json: cannot be written: no space left.* Fix: free some space"):
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


def test_one_file_that_cannot_be_written_leaves_all_of_them(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"old")
    second.mkdir()
    with pytest.raises(
        FileError, match=r"second: is a folder, and a file is to be written\. Fix: name a file"
    ):
        write_all({first: b"new", second: b"new"})
    assert first.read_bytes() == b"old"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["first", "second"]


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "work").write_bytes(b"")
    message = r"/work: is not a folder, and one is needed for lock\. Fix: rename"
    with pytest.raises(FileError, match=message):
        write_atomic(tmp_path / "work" / "lock", b"")
    with pytest.raises(FileError, match=message), exclusive(tmp_path / "work" / "lock"):
        pass


@pytest.mark.parametrize(
    ("number", "fix"), [(13, "give your user the right"), (30, "give your user the right"), (5, "see that a")]
)
def test_a_refused_write_names_the_file_and_not_a_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, fix: str
) -> None:
    def refuse(**_: object) -> tuple[int, str]:
        raise OSError(number, os.strerror(number), str(tmp_path / ".a.json.x1y2"))

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(
        FileError, match=rf"^{tmp_path}/a\.json: cannot be written: .*\. Fix: {fix}"
    ) as refused:
        write_atomic(tmp_path / "a.json", b"")
    assert "x1y2" not in str(refused.value)
