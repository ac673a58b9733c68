"""A laboratory on loopback: PostgreSQL with TLS and SCRAM, an AWS emulator, and launchers with real MLflow servers."""

from __future__ import annotations

import dataclasses
import http.client
import itertools
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / "templates" / "server"
SERVER_PYTHON = ROOT / ".venv-server" / "bin" / "python"
BUCKET = "lab-artifacts"
REGION = "eu-west-1"
TEAMS = ("alpha", "beta")
STAGE = "api"
T = TypeVar("T")
AWS = {"AWS_ACCESS_KEY_ID": "lab", "AWS_SECRET_ACCESS_KEY": "lab", "AWS_EC2_METADATA_DISABLED": "true"}


def missing(what: str) -> NoReturn:
    """Skip on a laptop; fail in CI, where nothing may be skipped in silence."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}, and CI is set")
    pytest.skip(what)


def wait_for(what: str, attempt: Callable[[], T | None], seconds: float = 120) -> T:
    """The first answer of `attempt` but None, False and []; fails the test after a generous bound."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = attempt()
        if answer is not None and answer is not False and answer != []:
            return answer
        time.sleep(0.05)
    pytest.fail(f"no {what} within {seconds:g} s")


def free_port() -> int:
    """A loopback port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclasses.dataclass(frozen=True)
class Postgres:
    """A running PostgreSQL cluster: TLS and SCRAM over TCP, administered over its private socket."""

    binaries: Path
    data: Path
    port: int
    ca_file: Path
    as_user: Callable[[list[str]], list[str]]

    def sql(self, statement: str, database: str = "postgres") -> list[list[str]]:
        """Run one statement as the superuser; rows of text."""
        command = [str(self.binaries / "psql"), "-h", str(self.data), "-p", str(self.port), "-d", database]
        options = ["-X", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", statement]
        done = subprocess.run(
            self.as_user([*command, *options]), check=True, capture_output=True, text=True, cwd="/"
        )
        return [line.split("\t") for line in done.stdout.splitlines() if line]

    def log(self) -> str:
        """The server's log so far."""
        return (self.data / "log.txt").read_text(encoding="utf-8", errors="replace")

    @contextmanager
    def locked(self, table: str, database: str) -> Iterator[None]:
        """Hold every statement on `table` back while the block runs."""
        address = ["-h", str(self.data), "-p", str(self.port), "-d", database]
        with subprocess.Popen(
            self.as_user([str(self.binaries / "psql"), "-X", "-q", "-A", "-t", *address]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
        ) as session:
            assert session.stdin
            assert session.stdout
            session.stdin.write(f"BEGIN; LOCK TABLE {table}; SELECT 'locked';\n")
            session.stdin.flush()
            assert session.stdout.readline() == "locked\n"
            yield
            session.stdin.close()

    def login(self, database: Database, password: str) -> bool:
        """Whether the database lets its owner in with `password`, over TLS."""
        environment = {"PATH": os.environ["PATH"], "PGPASSWORD": password}
        address = f"host=localhost port={self.port} dbname={database.name} user={database.owner}"
        verified = f"{address} sslmode=verify-full sslrootcert={self.ca_file}"
        command = [str(self.binaries / "psql"), "-X", "-c", "SELECT 1", verified]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode and "password authentication failed" not in done.stderr:
            pytest.fail(f"the database is not there: {done.stderr}")
        return done.returncode == 0


def make_authority(folder: Path, host: str) -> tuple[Path, Path, Path]:
    """An authority and a certificate it signed for `host`; paths of authority, certificate and key."""
    now = datetime.now(UTC)

    def build(name: str, issuer: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=1))
        )

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = (
        build("lab authority", "lab authority", ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    certificate = (
        build(host, "lab authority", key)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    paths = folder / "ca.pem", folder / "server.crt", folder / "server.key"
    paths[0].write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[2].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    paths[2].chmod(0o600)
    return paths


def unprivileged() -> tuple[Callable[[list[str]], list[str]], int | None]:
    """How to run a command as a user that PostgreSQL accepts (it refuses root), and that user's id if not ours."""
    if os.geteuid() != 0:
        return (lambda command: command), None
    name = next(name for name in ("postgres", "nobody") if name in {user.pw_name for user in pwd.getpwall()})
    if not shutil.which("runuser"):
        missing("runuser is not installed, and PostgreSQL does not run as root")
    return (lambda command: ["runuser", "-u", name, "--", *command]), pwd.getpwnam(name).pw_uid


def s3(address: str) -> Any:  # noqa: ANN401 - the stubs cover Secrets Manager alone
    """A client of the emulator's S3."""
    return boto3.client(
        "s3", endpoint_url=address, region_name=REGION, aws_access_key_id="lab", aws_secret_access_key="lab"
    )


@dataclasses.dataclass
class Database:
    """A database, its owner, and the secret with the owner's password."""

    postgres: Postgres
    secrets: SecretsManagerClient
    name: str
    owner: str
    secret_arn: str
    password: str

    def sql(self, statement: str) -> list[list[str]]:
        """Run one statement in this database as the superuser."""
        return self.postgres.sql(statement, self.name)

    def document(self, password: str) -> str:
        """The secret's text for a password, in the form that RDS writes."""
        return json.dumps({"username": self.owner, "password": password})

    def stage(self) -> tuple[str, str]:
        """First step of a rotation: a new password as AWSPENDING; gives it and its version."""
        password = new_password()
        version = self.secrets.put_secret_value(
            SecretId=self.secret_arn, SecretString=self.document(password), VersionStages=["AWSPENDING"]
        )["VersionId"]
        return password, version

    def change(self, password: str) -> None:
        """Second step: the database takes the new password and refuses the old one."""
        self.postgres.sql(f"ALTER ROLE {self.owner} PASSWORD '{password}'")
        self.password = password

    def finish(self, version: str) -> None:
        """Third step: AWSCURRENT moves to the new version."""
        stages = self.secrets.describe_secret(SecretId=self.secret_arn)["VersionIdsToStages"]
        current = next(name for name, labels in stages.items() if "AWSCURRENT" in labels)
        self.secrets.update_secret_version_stage(
            SecretId=self.secret_arn,
            VersionStage="AWSCURRENT",
            MoveToVersionId=version,
            RemoveFromVersionId=current,
        )


def new_password() -> str:
    """A password with the characters that a passfile must escape."""
    return f"a:b\\{secrets.token_urlsafe(18)}"


def make_database(postgres: Postgres, aws: str, template: str) -> Database:
    """A database made from `template`, with an owner and a secret of its own."""
    name = f"db{secrets.token_hex(4)}"
    password = new_password()
    postgres.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
    postgres.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    postgres.sql(f"ALTER DATABASE {name} OWNER TO {name}")
    postgres.sql(f"ALTER SCHEMA public OWNER TO {name}", name)
    for (table,) in postgres.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", name):
        postgres.sql(f"ALTER TABLE {table} OWNER TO {name}", name)
    client = boto3.client(
        "secretsmanager",
        endpoint_url=aws,
        region_name=REGION,
        aws_access_key_id="lab",
        aws_secret_access_key="lab",
    )
    made = Database(postgres, client, name, name, "", password)
    made.secret_arn = client.create_secret(Name=name, SecretString=made.document(password))["ARN"]
    return made


@dataclasses.dataclass
class Launcher:
    """One launcher process and what it reports."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    notifications: socket.socket
    heard: str = ""

    @property
    def certificate(self) -> Path:
        """The certificate that its server made at the start."""
        return self.folder / "run" / "tls.crt"

    def log(self) -> str:
        """Its log and MLflow's so far."""
        return (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")

    def events(self, name: str) -> list[dict[str, Any]]:
        """The launcher's own log lines of one event."""
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith('{"time"')]
        return [line for line in lines if line["event"] == name]

    def notified(self, state: str) -> bool:
        """Whether it has told systemd `state` yet."""
        with suppress(BlockingIOError):
            while True:
                self.heard += self.notifications.recv(4096).decode() + "\n"
        return state in self.heard.splitlines()

    def ready(self) -> Launcher:
        """Wait for READY=1; fails with the log when the launcher ends first."""

        def attempt() -> bool:
            if self.process.poll() is not None:
                pytest.fail(f"the launcher ended with status {self.process.returncode}:\n{self.log()}")
            return self.notified("READY=1")

        wait_for(f"READY=1 in {self.folder}", attempt)
        return self

    def ended(self) -> int:
        """Wait for the launcher's end; its exit status."""
        return wait_for("end of the launcher", self.process.poll, 90)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        team: str = "default",
        host: str = "",
        workspace_headers: Sequence[tuple[str, str]] | None = None,
        path_headers: Sequence[tuple[str, str]] | None = None,
    ) -> tuple[int, Any]:
        """One request over verified TLS; status and decoded JSON, or text.

        Like the gateway's requests it names one workspace, `team`, unless `workspace_headers` takes its place, and
        the path that was decided on, unless `path_headers` does.
        """
        decided = f"/{STAGE}/{team}{path.partition('?')[0]}"
        context = ssl.create_default_context(cafile=str(self.certificate))
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=60, context=context)
        payload = b"" if body is None else json.dumps(body).encode()
        connection.putrequest(method, path, skip_host=True)
        headers = [
            ("Host", host or f"localhost:{self.port}"),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(payload))),
            *([("X-MLFLOW-WORKSPACE", team)] if workspace_headers is None else workspace_headers),
            *([("X-Gatehouse-Path", decided)] if path_headers is None else path_headers),
        ]
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders(payload)
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        connection.close()
        try:
            return response.status, json.loads(text)
        except ValueError:
            return response.status, text

    def descendants(self) -> list[int]:
        """Every live process below the launcher."""
        children: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if fields[0] != "Z":
                    children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
        found: list[int] = []
        queue = [self.process.pid]
        while queue:
            below = children.get(queue.pop(), [])
            found += below
            queue += below
        return found

    def kill_all(self) -> None:
        """SIGKILL for the launcher and everything below it, as when the instance dies."""
        doomed = [self.process.pid, *self.descendants()]
        for number in doomed:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        self.process.wait()


def alive(process: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    with suppress(OSError):
        return (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


Start: TypeAlias = Callable[..., Launcher]


def environment(database: Database, aws: str, folder: Path, port: int) -> dict[str, str]:
    """A launcher's environment in the laboratory."""
    return {
        "PATH": os.environ["PATH"],
        **AWS,
        "AWS_ENDPOINT_URL": aws,
        "NOTIFY_SOCKET": str(folder / "notify"),
        "GATEHOUSE_REGION": REGION,
        "GATEHOUSE_DATABASE_HOST": "localhost",
        "GATEHOUSE_DATABASE_PORT": str(database.postgres.port),
        "GATEHOUSE_DATABASE_NAME": database.name,
        "GATEHOUSE_DATABASE_SECRET_ARN": database.secret_arn,
        "GATEHOUSE_DATABASE_CA_FILE": str(database.postgres.ca_file),
        "GATEHOUSE_ARTIFACT_ROOT": f"s3://{BUCKET}",
        "GATEHOUSE_ALLOWED_HOSTS": f"mlflow.example.com,localhost,localhost:{port},*.lab.example.com:443",
        "GATEHOUSE_API_STAGE": STAGE,
        "GATEHOUSE_PORT": str(port),
        "GATEHOUSE_TEAMS_FILE": str(folder / "teams.txt"),
        "GATEHOUSE_RUN_DIR": str(folder / "run"),
        "GATEHOUSE_WORKERS": "1",
    }


@contextmanager
def starter(aws: str, workshop: Path) -> Iterator[Start]:
    """A function that starts launchers, which end with the block."""
    if not SERVER_PYTHON.exists():
        missing("the server environment is not there; run `make .venv-server/.done`")
    started: list[Launcher] = []

    def start(database: Database, *, teams: Sequence[str] = TEAMS, **changes: str) -> Launcher:
        folder = workshop / secrets.token_hex(3)
        (folder / "run").mkdir(parents=True)
        port = free_port()
        notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notifications.bind(str(folder / "notify"))
        notifications.setblocking(False)
        (folder / "teams.txt").write_text("".join(f"{team}\n" for team in teams), encoding="utf-8")
        variables = environment(database, aws, folder, port) | changes
        with (folder / "log.txt").open("wb") as output:
            process = subprocess.Popen(
                [SERVER_PYTHON, SERVER / "launcher.py"],
                env=variables,
                stdout=output,
                stderr=output,
                cwd=folder,
            )
        launcher = Launcher(process, port, folder, notifications)
        started.append(launcher)
        return launcher

    try:
        yield start
    finally:
        for launcher in started:
            launcher.kill_all()
            launcher.notifications.close()


@dataclasses.dataclass(frozen=True)
class Report:
    """What a client script saw: answers by status (0: none), and the acknowledged metrics of each run."""

    statuses: dict[int, int]
    acknowledged: dict[str, list[str]]


class Client:
    """client.py in the background, talking to a launcher's server or to a balancer before it."""

    def __init__(
        self,
        launcher: Launcher,
        *,
        runs: int,
        threads: int,
        port: int = 0,
        certificate: Path | None = None,
        retries: int = 0,
    ) -> None:
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(launcher.folder),
            "MLFLOW_TRACKING_URI": f"https://localhost:{port or launcher.port}",
            "MLFLOW_TRACKING_SERVER_CERT_PATH": str(certificate or launcher.certificate),
            "MLFLOW_WORKSPACE": TEAMS[0],
            "GATEHOUSE_API_STAGE": STAGE,
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": str(retries),
            "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
            "MLFLOW_HTTP_POOL_MAXSIZE": str(threads),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        }
        script = Path(__file__).with_name("client.py")
        self._errors = (launcher.folder / "client.txt").open("w+")
        self._process = subprocess.Popen(
            [SERVER_PYTHON, script, str(runs), str(threads)],
            env=variables,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        if not self._process.stdout or self._process.stdout.readline() != "started\n":
            self._fail()

    def _fail(self) -> NoReturn:
        self._errors.seek(0)
        pytest.fail(f"the client failed:\n{self._errors.read()}")

    def report(self) -> Report:
        """Wait for the script's end; what it saw."""
        output, _ = self._process.communicate(timeout=300)
        if self._process.returncode:
            self._fail()
        answer = json.loads(output)
        return Report({int(key): count for key, count in answer["statuses"].items()}, answer["acknowledged"])


def pump(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until one side ends, then end both."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for channel in (source, target):
        with suppress(OSError):
            channel.shutdown(socket.SHUT_RDWR)


@contextmanager
def balancer(listen: int, ports: list[int]) -> Iterator[dict[int, int]]:
    """A TCP balancer on port `listen` over `ports`: round robin, skipping those that refuse.

    Gives the number of connections by target.
    """
    served = dict.fromkeys(ports, 0)
    turn = itertools.count()

    def relay(client: socket.socket) -> None:
        first = next(turn) % len(ports)
        for port in ports[first:] + ports[:first]:
            with suppress(OSError):
                target = socket.create_connection(("127.0.0.1", port))
                served[port] += 1
                threading.Thread(target=pump, args=(client, target), daemon=True).start()
                pump(target, client)
                break
        client.close()

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=relay, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", listen)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield served
