"""Fixtures of the laboratory; see laboratory.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from .laboratory import (
    BUCKET,
    REGION,
    Database,
    Postgres,
    Start,
    free_port,
    make_authority,
    make_database,
    missing,
    s3,
    starter,
    unprivileged,
    wait_for,
)


@pytest.fixture(scope="session")
def workshop() -> Iterator[Path]:
    """A folder with a short name (socket addresses hold 107 bytes) that PostgreSQL's user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="gh-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(workshop: Path) -> Iterator[Postgres]:
    """PostgreSQL on loopback, refusing everything but TLS with SCRAM."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        missing("PostgreSQL is not installed (/usr/lib/postgresql/*/bin)")
    binaries = found[-1].parent
    as_user, uid = unprivileged()
    home = workshop / "pg"
    home.mkdir()
    authority, certificate, key = make_authority(home, "localhost")
    if uid is not None:
        for path in (home, key):
            os.chown(path, uid, -1)
    data = home / "data"
    initialize = [str(binaries / "initdb"), "-D", str(data), "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(as_user(initialize), check=True, stdout=subprocess.DEVNULL, cwd="/")
    port = free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": data,
        "ssl": "on",
        "ssl_cert_file": certificate,
        "ssl_key_file": key,
        "password_encryption": "scram-sha-256",
        "log_connections": "on",
        "fsync": "off",
        "max_connections": 200,
    }
    (data / "postgresql.auto.conf").write_text(
        "".join(f"{name} = '{value}'\n" for name, value in settings.items())
    )
    # The socket lies in the data folder, which only PostgreSQL's user can enter.
    (data / "pg_hba.conf").write_text("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
    control = [str(binaries / "pg_ctl"), "-D", str(data), "-w", "-l", str(data / "log.txt")]
    subprocess.run(as_user([*control, "start"]), check=True, stdout=subprocess.DEVNULL, cwd="/")
    yield Postgres(binaries, data, port, authority, as_user)
    subprocess.run(as_user([*control, "-m", "immediate", "stop"]), check=False, capture_output=True, cwd="/")


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    """The emulator's address, with the artifact bucket in it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    s3(address).create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    yield address
    server.stop()


@pytest.fixture
def empty_database(postgres: Postgres, aws: str) -> Database:
    """A new database without tables."""
    return make_database(postgres, aws, "template0")


@pytest.fixture
def database(postgres: Postgres, aws: str, migrated: str) -> Database:
    """A new database with the schema at its head."""
    return make_database(postgres, aws, migrated)


@pytest.fixture(scope="module")
def module_database(postgres: Postgres, aws: str, migrated: str) -> Database:
    """Like `database`, for all tests of a module."""
    return make_database(postgres, aws, migrated)


@pytest.fixture
def start(aws: str, workshop: Path) -> Iterator[Start]:
    """Starts launchers that end with the test."""
    with starter(aws, workshop) as function:
        yield function


@pytest.fixture(scope="session")
def migrated(postgres: Postgres, aws: str, workshop: Path) -> str:
    """A database whose schema is at its head, to copy: made by a launcher, once."""
    made = make_database(postgres, aws, "template0")
    with starter(aws, workshop) as function:
        function(made).ready().process.terminate()
    wait_for(
        "free template",
        lambda: (
            postgres.sql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{made.name}'") == [["0"]]
        ),
    )
    return made.name
