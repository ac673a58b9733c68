"""Runs `mlflow server` on an instance: fresh database password, upgraded schema, TLS, one workspace a team.

    python launcher.py          configuration from the environment, log as one JSON object a line on stderr

Steps, in this order: find a database password that works and keep it fresh; bring the schema up to date, one
launcher at a time; make a certificate; start MLflow; create the teams' workspaces; tell systemd READY; watch
the server until it ends or a signal comes.

Environment (required unless a default is given):

    GATEHOUSE_REGION                    AWS region of the secret and the bucket, such as eu-west-1
    GATEHOUSE_DATABASE_HOST             host name of the database, as its certificate has it
    GATEHOUSE_DATABASE_PORT             5432
    GATEHOUSE_DATABASE_NAME             database that holds MLflow's tables
    GATEHOUSE_DATABASE_SECRET_ARN       Secrets Manager secret, JSON with "username" and "password"
    GATEHOUSE_DATABASE_CA_FILE          PEM file with the authorities that may sign the database's certificate
    GATEHOUSE_ARTIFACT_ROOT             s3://BUCKET; MLflow appends workspaces/TEAM/EXPERIMENT
    GATEHOUSE_ALLOWED_HOSTS             names that clients may put into the Host header: name and name:port, by comma
    GATEHOUSE_API_STAGE                 stage of the API, with which the gateway's paths begin: /STAGE/TEAM/...
    GATEHOUSE_PORT                      8443
    GATEHOUSE_TEAMS_FILE                text file of 1 to 2,000 teams, one a line; each gets a workspace
    GATEHOUSE_RUN_DIR                   /run/mlflow; private folder for the passfile, the certificate and a socket
    GATEHOUSE_SECRET_REFRESH_SECONDS    10; how often the password is tried
    GATEHOUSE_WORKERS                   2; server processes

Exit status: 0 stopped by a signal, 1 failed (start again), 2 bad configuration, 3 the database is newer than
this MLflow. The last two do not mend themselves: the unit does not restart after them.
"""

from __future__ import annotations

import http.client
import importlib.util
import ipaddress
import json
import os
import random
import re
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from psycopg2.extensions import connection

EXIT_FAILED = 1
EXIT_CONFIGURATION = 2
EXIT_SCHEMA_NEWER = 3

CONNECT_TIMEOUT_SECONDS = 5
PASSWORD_BUDGET_SECONDS = 600
LOCK_BUDGET_SECONDS = 1800
UPGRADE_BUDGET_SECONDS = 7200
HEALTH_BUDGET_SECONDS = 300
# For the list of the workspaces, and for each that is missing.
WORKSPACE_BUDGET_SECONDS = 120
# The server's own grace, then ours, then systemd's TimeoutStopSec (see mlflow.service): each outlasts the one
# before.
GRACEFUL_SECONDS = 20
STOP_SECONDS = 30
# How long a refused connection waits for a fresh password (sitecustomize.py); a gateway gives up after 29 s.
PATIENCE_SECONDS = 20
# A load balancer keeps an idle connection for 350 s. The server must not be the first to close it, or a
# request that is just arriving on it is lost.
KEEP_ALIVE_SECONDS = 360
CERTIFICATE_DAYS = 825
TEAMS_LIMIT = 2000
# "gatehous" as a number: every launcher of a database takes this PostgreSQL advisory lock before it upgrades.
LOCK_KEY = int.from_bytes(b"gatehous", "big")

# What `mlflow server` 3.17.2 starts or opens by default, and what is done about it here.
#   telemetry                  posts usage to mlflow.org                               off
#   job execution              a huey consumer and subprocesses that run scorers       off
#   periodic tasks             of the job runner                                       off
#   AI gateway                 keeps provider keys, forwards prompts to the internet   off
#   assistant                  runs tools on the host; loopback only by default        remote use off, sandbox off
#   MCP tool discovery         connects to the servers that users register             off
#   model catalogue            fetched from GitHub                                     off (empty address)
#   custom scorers             user code in the server                                 off (its default)
#   pickle                     models deserialized in the server                       off
#   webhooks                   posts to addresses that users register                  no switch: no retries, 5 s;
#                                                                                      only egress "none" stops them
#   artifact proxy             the server's role writes for every user                 off (--no-serve-artifacts)
#   artifact download          the server's role reads for every user                  bound to the team, see
#                                                                                      sitecustomize.py
#   Prometheus, basic auth, trace archival                                             off unless asked for
SERVER_SWITCHES: Mapping[str, str] = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_SERVER_JOB_ENABLE_PERIODIC_TASKS": "false",
    "MLFLOW_ENABLE_AI_GATEWAY": "false",
    "MLFLOW_ENABLE_REMOTE_ASSISTANT": "false",
    "MLFLOW_ENABLE_ASSISTANT_SANDBOX": "false",
    "MLFLOW_ENABLE_MCP_TOOL_DISCOVERY": "false",
    "MLFLOW_MODEL_CATALOG_URI": "",
    "MLFLOW_SERVER_ENABLE_CUSTOM_SCORERS": "false",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_WEBHOOK_REQUEST_TIMEOUT": "5",
    # Per engine, of which a worker has three: with two workers at most 2 * 3 * (4 + 4) = 48 a server, so that two
    # servers fit the smallest database class (about 110). Connections up to the pool size stay open, so that a
    # password change finds few new ones being made. MLflow ignores an overflow of 0.
    "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "4",
    "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "4",
}
# What the server may see of the launcher's own environment. Everything else, above all MLFLOW_* and PG*,
# stays out.
SERVER_INHERITS = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")

REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
ALLOWED_HOST = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?")
ARTIFACT_ROOT = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
API_STAGE = re.compile(r"[A-Za-z0-9_-]{1,128}")
DATABASE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
# Gatehouse's team names, less what MLflow refuses as a workspace name: a hyphen at the end, and reserved
# words.
TEAM = re.compile(r"(?!(?:default|workspaces|api|ajax-api|static-files)$)[a-z][a-z0-9-]{0,29}[a-z0-9]")


class ConfigurationError(Exception):
    """A variable is missing or wrong; the message names it, its value and the fix."""


class SchemaNewerError(Exception):
    """The database was upgraded by a newer MLflow than the one installed here."""


class FailedError(Exception):
    """A step did not succeed within its budget; starting again may help."""


class StoppedError(Exception):
    """A signal asked the launcher to stop."""


def log(event: str, **fields: object) -> None:
    """Write one JSON line to stderr. Callers pass no secrets."""
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "source": "launcher",
        "event": event,
    }
    print(json.dumps(line | fields, default=str), file=sys.stderr, flush=True)


def notify(state: str, environ: Mapping[str, str] = os.environ) -> None:
    """Tell systemd `state` (sd_notify(3)); does nothing when not run by systemd."""
    address = environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, suppress(OSError):
            channel.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)


class Stop:
    """Set by SIGTERM and SIGINT; every wait of the main thread goes through it."""

    def __init__(self) -> None:
        """Start unset; `listen` connects it to the signals."""
        self._event = threading.Event()

    def listen(self) -> None:
        """Take over SIGTERM and SIGINT of this process."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _frame: self.set(signal.Signals(number).name))

    def set(self, reason: str) -> None:
        """Ask for the stop; the first reason is logged."""
        if not self._event.is_set():
            self._event.set()
            log("stopping", reason=reason)

    def __bool__(self) -> bool:
        """Whether a stop was asked for."""
        return self._event.is_set()

    def pause(self, seconds: float) -> None:
        """Wait; raises `StoppedError` as soon as a stop is asked for."""
        if self._event.wait(seconds):
            raise StoppedError


# --- configuration ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Config:
    """The launcher's environment, validated; the names are those of the variables."""

    region: str
    database_host: str
    database_port: int
    database_name: str
    database_secret_arn: str
    database_ca_file: Path
    artifact_root: str
    allowed_hosts: tuple[str, ...]
    api_stage: str
    port: int
    teams: tuple[str, ...]
    run_dir: Path
    secret_refresh_seconds: float
    workers: int

    @property
    def passfile(self) -> Path:
        """The libpq passfile, which libpq reads at every new connection."""
        return self.run_dir / "passfile"

    @property
    def certificate(self) -> Path:
        """The server's self-signed certificate."""
        return self.run_dir / "tls.crt"

    @property
    def certificate_key(self) -> Path:
        """The certificate's private key."""
        return self.run_dir / "tls.key"

    @property
    def nudge_socket(self) -> Path:
        """Where a server process whose connection was refused asks for a fresh password."""
        return self.run_dir / "nudge"


class _Reader:
    """Reads and checks variables one by one."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def fail(self, name: str, fix: str) -> ConfigurationError:
        """The error for variable `name`, naming the value that was received."""
        value = self._environ.get(name)
        received = "is not set" if value is None else f"is {value!r}"
        return ConfigurationError(f"{name} {received}: {fix}")

    def text(self, name: str, pattern: re.Pattern[str], fix: str, default: str | None = None) -> str:
        """The variable, which `pattern` must match as a whole."""
        value = self._environ.get(name, default)
        if value is None or not pattern.fullmatch(value):
            raise self.fail(name, fix)
        return value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """The variable as a number from `low` to `high`."""
        with suppress(ValueError):
            value = float(self._environ.get(name, default))
            if low <= value <= high:
                return value
        raise self.fail(name, f"set it to a number from {low:g} to {high:g}, or leave it out for {default:g}")

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """The variable as a whole number from `low` to `high`."""
        value = self.number(name, default, low, high)
        if value != int(value):
            raise self.fail(name, f"set it to a whole number from {low} to {high}")
        return int(value)

    def lines(self, name: str, pattern: re.Pattern[str], fix: str, most: int) -> tuple[str, ...]:
        """The lines of the text file that the variable names: 1 to `most`, each matching `pattern`, less repeats."""
        path = Path(self.text(name, re.compile(r"\S+"), "set it to the name of a text file"))
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise self.fail(
                name, f"it cannot be read ({error}); name a text file that this user can read"
            ) from None
        for number, line in enumerate(lines, 1):
            if not pattern.fullmatch(line):
                raise self.fail(name, f"line {number} of that file, {line!r}, is not allowed; {fix}")
        if not 1 <= len(lines) <= most:
            raise self.fail(name, f"that file has {len(lines)} lines; write 1 to {most}")
        return tuple(dict.fromkeys(lines))

    def items(self, name: str, pattern: re.Pattern[str], fix: str) -> tuple[str, ...]:
        """The variable as a comma list without repeats, at least one item, each matching `pattern`."""
        items = tuple(dict.fromkeys(item.strip() for item in self._environ.get(name, "").split(",")))
        for item in items:
            if not pattern.fullmatch(item):
                raise self.fail(name, f"{item!r} is not allowed in it; {fix}")
        return items


def read_config(environ: Mapping[str, str]) -> Config:
    """The configuration in `environ`.

    Raises `ConfigurationError` for the first variable that is missing or wrong.
    """
    reader = _Reader(environ)
    anything = re.compile(r"\S+")
    config = Config(
        region=reader.text("GATEHOUSE_REGION", REGION, "set it to an AWS region such as eu-west-1"),
        database_host=reader.text("GATEHOUSE_DATABASE_HOST", HOST, "set it to the database's host name"),
        database_port=reader.integer("GATEHOUSE_DATABASE_PORT", 5432, 1, 65535),
        database_name=reader.text(
            "GATEHOUSE_DATABASE_NAME", DATABASE_NAME, "set it to the name of a database, such as mlflow"
        ),
        database_secret_arn=reader.text(
            "GATEHOUSE_DATABASE_SECRET_ARN", anything, "set it to the ARN of the database's secret"
        ),
        database_ca_file=Path(
            reader.text("GATEHOUSE_DATABASE_CA_FILE", anything, "set it to a PEM file of authorities")
        ),
        artifact_root=reader.text(
            "GATEHOUSE_ARTIFACT_ROOT",
            ARTIFACT_ROOT,
            "set it to s3://BUCKET, without a path or a slash at the end",
        ),
        allowed_hosts=reader.items(
            "GATEHOUSE_ALLOWED_HOSTS", ALLOWED_HOST, "list host names as name or name:port, or *.domain"
        ),
        api_stage=reader.text("GATEHOUSE_API_STAGE", API_STAGE, "set it to the name of the API's stage"),
        port=reader.integer("GATEHOUSE_PORT", 8443, 1, 65535),
        teams=reader.lines(
            "GATEHOUSE_TEAMS_FILE",
            TEAM,
            "write a team a line: 2 to 31 lower-case letters, digits and inner hyphens, not reserved",
            TEAMS_LIMIT,
        ),
        run_dir=Path(reader.text("GATEHOUSE_RUN_DIR", anything, "set it to a private folder", "/run/mlflow")),
        secret_refresh_seconds=reader.number("GATEHOUSE_SECRET_REFRESH_SECONDS", 10, 0.1, 3600),
        workers=reader.integer("GATEHOUSE_WORKERS", 2, 1, 64),
    )
    if not config.database_ca_file.is_file():
        raise reader.fail(
            "GATEHOUSE_DATABASE_CA_FILE", "there is no such file; name a PEM file of authorities"
        )
    if not os.access(config.run_dir, os.W_OK | os.X_OK):
        raise reader.fail(
            "GATEHOUSE_RUN_DIR", "it is no folder that this user can write; create it or change its owner"
        )
    return config


# --- the database password ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Credential:
    """A database user and its password. Neither `repr` nor `str` shows the password."""

    username: str
    password: str

    def __repr__(self) -> str:
        """Without the password."""
        return f"Credential({self.username!r})"


def escape(field: str) -> str:
    """A passfile field: backslash and colon are escaped (PostgreSQL, "The Password File")."""
    return field.replace("\\", "\\\\").replace(":", "\\:")


def passfile_line(config: Config, credential: Credential) -> str:
    """The passfile's one line. Raises `ValueError` for a password that no passfile can hold."""
    if re.search(r"[\r\n\0]", credential.username + credential.password):
        raise ValueError("the secret's username or password has a line break; a passfile cannot hold it")
    fields = (config.database_host, str(config.database_port), config.database_name)
    return ":".join(escape(field) for field in (*fields, credential.username, credential.password)) + "\n"


def write_private(path: Path, text: str) -> None:
    """Replace `path` in one step by `text`, readable by this user alone.

    A reader sees the old or the new file.
    """
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(
        os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    temporary.replace(path)


def read_passfile(config: Config) -> Credential | None:
    """The credential that an earlier `write_private` left for this very database, None when there is none."""
    try:
        line = config.passfile.read_text(encoding="utf-8").rstrip("\n")
    except FileNotFoundError:
        return None
    field = r"((?:[^\\:]|\\.)*)"
    match = re.fullmatch(":".join([field] * 5), line)
    if not match:
        return None
    host, port, name, username, password = (re.sub(r"\\(.)", r"\1", text) for text in match.groups())
    if (host, port, name) != (config.database_host, str(config.database_port), config.database_name):
        return None
    return Credential(username, password)


class Passwords:
    """Keeps in the passfile a password that the database accepts.

    A rotation goes: the new password is staged (AWSPENDING), the database changes, AWSCURRENT moves. Between
    the last two steps the current secret is wrong, so when a password is refused both stages are tried by
    really connecting.
    """

    def __init__(
        self,
        config: Config,
        read_secret: Callable[[str], Credential | None],
        refusal: Callable[[Credential], str | None],
    ) -> None:
        """`read_secret(stage)` gives a credential or None and may raise.

        `refusal(credential)` why it fails, or None.
        """
        self._config = config
        self._read_secret = read_secret
        self._refusal = refusal

    def refresh(self) -> Credential:
        """Make sure that the passfile works; returns its credential.

        Asks Secrets Manager only when the password in the passfile fails. Raises `FailedError` when none
        works.
        """
        present = read_passfile(self._config)
        reasons = []
        if present:
            reason = self._refusal(present)
            if reason is None:
                return present
            reasons.append(f"passfile: {reason}")
        for stage in ("AWSCURRENT", "AWSPENDING"):
            try:
                candidate = self._read_secret(stage)
            except Exception as error:
                reasons.append(f"{stage}: Secrets Manager: {type(error).__name__}: {error}")
                continue
            if candidate is None:
                continue
            reason = self._refusal(candidate)
            if reason is None:
                write_private(self._config.passfile, passfile_line(self._config, candidate))
                log("password_written", stage=stage, username=candidate.username)
                return candidate
            reasons.append(f"{stage}: {reason}")
        raise FailedError("no password works: " + "; ".join(reasons or ["the secret has no version"]))


def secret_reader(config: Config) -> Callable[[str], Credential | None]:
    """A function that reads one stage of the database's secret.

    It gives None when the stage has no version.
    """
    import boto3  # noqa: PLC0415 - the slow imports wait until the configuration is known to be good
    from botocore.config import Config as ClientConfig  # noqa: PLC0415

    client = boto3.client(
        "secretsmanager",
        region_name=config.region,
        config=ClientConfig(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2}),
    )

    def read(stage: str) -> Credential | None:
        try:
            answer = client.get_secret_value(SecretId=config.database_secret_arn, VersionStage=stage)
        except client.exceptions.ResourceNotFoundException:
            return None
        return parse_secret(answer["SecretString"])

    return read


def parse_secret(text: str) -> Credential:
    """The credential in a secret. Raises `ValueError` without quoting the text."""
    try:
        secret = json.loads(text)
        return Credential(str(secret["username"]), str(secret["password"]))
    except (ValueError, KeyError, TypeError):
        # `from None`: a JSON error quotes the document, and the document is the secret.
        raise ValueError('the secret is not JSON with "username" and "password"') from None


def connect(config: Config, credential: Credential) -> connection:
    """A connection with TLS verified to the host name. Raises `psycopg2.Error`."""
    import psycopg2  # noqa: PLC0415 - absent where only the pure parts are tested

    opened: connection = psycopg2.connect(
        host=config.database_host,
        port=config.database_port,
        dbname=config.database_name,
        user=credential.username,
        password=credential.password,
        sslmode="verify-full",
        sslrootcert=str(config.database_ca_file),
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        application_name="gatehouse-launcher",
        **KEEPALIVES,
    )
    return opened


# A dead database host is noticed within half a minute instead of the kernel's quarter of an hour.
KEEPALIVES: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30000,
}


def database_refusal(config: Config) -> Callable[[Credential], str | None]:
    """A function that opens and closes one connection; it gives None, or why it could not be opened."""
    import psycopg2  # noqa: PLC0415 - absent where only the pure parts are tested

    def refusal(credential: Credential) -> str | None:
        try:
            connect(config, credential).close()
        except psycopg2.Error as error:
            return " ".join(str(error).split())
        return None

    return refusal


def await_password(passwords: Passwords, stop: Stop) -> Credential:
    """The first password that works, waiting for the database and Secrets Manager within a budget."""
    deadline = time.monotonic() + PASSWORD_BUDGET_SECONDS
    while True:
        try:
            return passwords.refresh()
        except FailedError as error:
            if time.monotonic() > deadline:
                raise
            log("waiting_for_database", reason=str(error))
        stop.pause(random.uniform(1, 3))  # noqa: S311 - jitter


def keep_fresh(
    passwords: Passwords, nudges: socket.socket, refresh_seconds: float, finished: threading.Event
) -> None:
    """Refresh at the interval and at every nudge until `finished`; never raises, whatever fails.

    Failures back off up to a minute, with jitter; a nudge is heeded even then, at most about once a second.
    """
    failures = 0
    while not finished.is_set():
        try:
            passwords.refresh()
            if failures:
                log("password_works_again", failures=failures)
            failures = 0
        except Exception as error:
            failures += 1
            log("password_refresh_failed", failures=failures, reason=str(error))
            time.sleep(random.uniform(0.5, 1))  # noqa: S311 - jitter
        # An exponent without a bound would overflow after a day without Secrets Manager.
        backoff = min(60, refresh_seconds * 2 ** min(failures, 6)) if failures else 0
        await_nudge(nudges, max(refresh_seconds, backoff) * random.uniform(0.8, 1))  # noqa: S311 - jitter


def await_nudge(nudges: socket.socket, seconds: float) -> None:
    """Wait for a nudge, but not longer; those that piled up meanwhile count as one."""
    with suppress(OSError):  # a time-out is one
        nudges.settimeout(seconds)
        nudges.recv(16)
        nudges.setblocking(False)
        while nudges.recv(16):
            pass


@contextmanager
def fresh_password(passwords: Passwords, config: Config) -> Iterator[None]:
    """Keep the password fresh in a thread while the block runs."""
    config.nudge_socket.unlink(missing_ok=True)
    finished = threading.Event()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nudges:
        nudges.bind(str(config.nudge_socket))
        config.nudge_socket.chmod(0o600)
        arguments = (passwords, nudges, config.secret_refresh_seconds, finished)
        threading.Thread(target=keep_fresh, args=arguments, daemon=True, name="password").start()
        try:
            yield
        finally:
            finished.set()


# --- the schema ---------------------------------------------------------------------------------------------


def revisions(folder: Path) -> dict[str, str | None]:
    """Revision -> the one before it, read from Alembic's scripts in `folder`.

    Raises `FailedError` when there are none.
    """
    found: dict[str, str | None] = {}
    for script in folder.glob("*.py"):
        text = script.read_text(encoding="utf-8")
        revision = re.search(r"^revision = [\"'](\w+)[\"']", text, re.MULTILINE)
        before = re.search(r"^down_revision = (?:[\"'](\w+)[\"']|None)", text, re.MULTILINE)
        if revision and before:
            found[revision[1]] = before[1]
    if not found:
        raise FailedError(
            f"no schema revisions in {folder}; the installed MLflow is not one this launcher knows"
        )
    return found


def head(known: Mapping[str, str | None]) -> str:
    """The revision that no other follows. Raises `FailedError` unless there is exactly one."""
    heads = set(known) - set(known.values())
    if len(heads) != 1:
        raise FailedError(f"MLflow's schema revisions have {len(heads)} heads, {sorted(heads)}; expected one")
    return heads.pop()


def must_upgrade(current: str | None, known: Mapping[str, str | None]) -> bool:
    """Whether a database at revision `current` (None when empty) needs `mlflow db upgrade`.

    Raises `SchemaNewerError` for a revision that the installed MLflow does not know.
    """
    if current is not None and current not in known:
        raise SchemaNewerError(
            f"the database's schema revision {current} is unknown to the installed MLflow, whose newest is "
            f"{head(known)}: a newer MLflow has upgraded it. Deploy that version again, or restore a snapshot from "
            "before the upgrade."
        )
    return current != head(known)


def installed_revisions() -> dict[str, str | None]:
    """The schema revisions of the installed MLflow, found without importing it (which takes seconds)."""
    spec = importlib.util.find_spec("mlflow")
    if spec is None or spec.origin is None:
        raise FailedError(
            "MLflow is not installed for this Python; run the launcher with the server's environment"
        )
    return revisions(Path(spec.origin).parent / "store" / "db_migrations" / "versions")


def current_revision(database: connection) -> str | None:
    """The database's schema revision, None when it has none."""
    with database.cursor() as cursor:
        cursor.execute("SELECT to_regclass('alembic_version') IS NOT NULL")
        (exists,) = cursor.fetchone() or (False,)
        if not exists:
            return None
        cursor.execute("SELECT version_num FROM alembic_version")
        row = cursor.fetchone()
        return str(row[0]) if row else None


def take_lock(database: connection, stop: Stop) -> None:
    """Take the advisory lock for the rest of the session. Raises `FailedError` after the budget."""
    started = time.monotonic()
    reported = float("-inf")
    while True:
        with database.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", (LOCK_KEY,))
            if cursor.fetchone() == (True,):
                return
        waited = time.monotonic() - started
        if waited > LOCK_BUDGET_SECONDS:
            raise FailedError(
                f"another launcher has held the upgrade lock for {waited:.0f} s; look at its log"
            )
        if waited - reported >= 30:  # noqa: PLR2004 - seconds between two such lines
            log("waiting_for_upgrade_lock", waited_seconds=round(waited))
            reported = waited
        stop.pause(random.uniform(0.3, 0.7))  # noqa: S311 - jitter


def upgrade(config: Config, username: str, environ: Mapping[str, str], stop: Stop) -> None:
    """Run `mlflow db upgrade`.

    Raises `FailedError` when it fails; PostgreSQL rolls an unfinished upgrade back.
    """
    command = [sys.executable, "-m", "mlflow", "db", "upgrade", database_uri(config, username)]
    child = start(command, server_environment(config, environ))
    deadline = time.monotonic() + UPGRADE_BUDGET_SECONDS
    try:
        while child.poll() is None:
            if time.monotonic() > deadline:
                raise FailedError(f"mlflow db upgrade did not end within {UPGRADE_BUDGET_SECONDS} s")
            stop.pause(0.1)
    finally:
        kill_group(child)
    if child.returncode != 0:
        raise FailedError(f"mlflow db upgrade ended with status {child.returncode}; its output is above")


def migrate(config: Config, passwords: Passwords, environ: Mapping[str, str], stop: Stop) -> None:
    """Bring the schema to the installed MLflow's newest revision, one launcher of the database at a time.

    Also on an empty database, where `mlflow server` itself would create the tables and race with its
    neighbours: after this it finds all of them. The lock belongs to a session that lasts as long as the
    upgrade.
    """
    known = installed_revisions()
    credential = passwords.refresh()
    database = connect(config, credential)
    try:
        database.autocommit = True
        take_lock(database, stop)
        before = current_revision(database)
        if must_upgrade(before, known):
            log("schema_upgrade", before=before, after=head(known))
            upgrade(config, credential.username, environ, stop)
            after = current_revision(database)
            if after != head(known):
                raise FailedError(f"after the upgrade the schema is at {after}, not at {head(known)}")
        log("schema_ready", revision=head(known))
    finally:
        database.close()


# --- the certificate ----------------------------------------------------------------------------------------


def certificate_names(allowed_hosts: Iterable[str]) -> list[str]:
    """Names for the certificate: the allowed hosts without ports, and this machine's own."""
    names = [host.rsplit(":", 1)[0] for host in allowed_hosts]
    return list(dict.fromkeys([*names, "localhost", "127.0.0.1"]))


def make_certificate(config: Config, now: datetime) -> None:
    """Write a self-signed certificate (RSA 2048) for the server's names, and its key, into the run folder.

    Made anew at every start; the key never leaves the instance. API Gateway, even where it is told not to verify
    the authority, still wants the names to match and a root that says it is one: CA:TRUE with keyCertSign (API
    Gateway API Reference, TlsConfig, insecureSkipVerification).
    """
    from cryptography import x509  # noqa: PLC0415 - slow to import; MLflow itself depends on it
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415

    def general(name: str) -> x509.GeneralName:
        try:
            return x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            return x509.DNSName(name)

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    serial = x509.random_serial_number()
    # The serial number makes the name unique: of two equal names, a client that trusts both servers finds only one.
    subject = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COMMON_NAME, "gatehouse mlflow server"),
            x509.NameAttribute(x509.NameOID.SERIAL_NUMBER, f"{serial:x}"),
        ]
    )
    names = [general(name) for name in certificate_names(config.allowed_hosts)]
    key_usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(config.certificate_key, private.decode("ascii"))
    write_private(config.certificate, certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"))


# --- the server ---------------------------------------------------------------------------------------------


def database_uri(config: Config, username: str) -> str:
    """MLflow's backend address.

    It holds no password: libpq takes that from the passfile at every connection.
    """
    options = {
        "sslmode": "verify-full",
        "sslrootcert": config.database_ca_file,
        "passfile": config.passfile,
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "application_name": "mlflow",
        **KEEPALIVES,
    }
    user = quote(username, safe="")
    return (
        f"postgresql+psycopg2://{user}@{config.database_host}:{config.database_port}/{config.database_name}"
        f"?{urlencode(options, quote_via=quote)}"
    )


def server_command(config: Config, username: str) -> list[str]:
    """The `mlflow server` command line.

    No `--cors-allowed-origins`: pages of other origins may not change anything. Only authenticated ciphers:
    OpenSSL's own list still has CBC for TLS 1.2 (anything older Python's context refuses by itself). The address
    in X-Forwarded-For is not believed, so nobody can claim to be localhost.
    """
    uvicorn = [
        *("--ssl-keyfile", str(config.certificate_key)),
        *("--ssl-certfile", str(config.certificate)),
        *("--ssl-ciphers", "ECDHE+AESGCM:ECDHE+CHACHA20"),
        "--no-server-header",
        "--no-proxy-headers",
        *("--timeout-keep-alive", str(KEEP_ALIVE_SECONDS)),
        *("--timeout-graceful-shutdown", str(GRACEFUL_SECONDS)),
    ]
    return [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--host", "0.0.0.0"),  # noqa: S104 - the load balancer connects from outside; the security group decides who
        *("--port", str(config.port)),
        *("--workers", str(config.workers)),
        *("--backend-store-uri", database_uri(config, username)),
        *("--default-artifact-root", config.artifact_root),
        "--no-serve-artifacts",
        "--enable-workspaces",
        *("--allowed-hosts", ",".join(config.allowed_hosts)),
        *("--x-frame-options", "DENY"),
        *("--uvicorn-opts", shlex.join(uvicorn)),
    ]


def server_environment(config: Config, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of MLflow's processes: AWS settings and little else of ours, and the switches above."""
    inherited = {
        name: value for name, value in environ.items() if name in SERVER_INHERITS or name.startswith("AWS_")
    }
    return {
        **inherited,
        **SERVER_SWITCHES,
        "AWS_REGION": config.region,
        "AWS_DEFAULT_REGION": config.region,
        "HOME": str(config.run_dir),
        "PYTHONUNBUFFERED": "1",
        # Every Python process of the server imports sitecustomize.py, which lies beside this file.
        "PYTHONPATH": str(Path(__file__).resolve().parent),
        "GATEHOUSE_API_STAGE": config.api_stage,
        "GATEHOUSE_ARTIFACT_ROOT": config.artifact_root,
        "GATEHOUSE_NUDGE_SOCKET": str(config.nudge_socket),
        "GATEHOUSE_PATIENCE_SECONDS": str(PATIENCE_SECONDS),
    }


def check_additions(environment: Mapping[str, str]) -> None:
    """Raise `FailedError` unless the server's processes will load sitecustomize.py.

    Python goes on without it when it cannot be imported, and one team could then read another's artifacts.
    """
    command = [sys.executable, "-c", "import sitecustomize; sitecustomize.check()"]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise FailedError(f"sitecustomize.py must lie beside the launcher and load: {done.stderr.strip()}")


def start(command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a child in a process group of its own, so that nothing of it can outlive `kill_group`."""
    return subprocess.Popen(command, env=dict(environment), stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """Kill the child's whole process group, if anything of it is left, and reap the child."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def stop_server(server: subprocess.Popen[bytes]) -> None:
    """SIGTERM, a bounded wait while requests finish, then SIGKILL for whatever is left of the group."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            log("server_killed", after_seconds=STOP_SECONDS)
    kill_group(server)


def call(config: Config, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """One request to the server on its own port, its certificate verified; status and decoded JSON (or text).

    Raises `OSError` or `http.client.HTTPException` when there is no answer.
    """
    context = ssl.create_default_context(cafile=str(config.certificate))
    connection = http.client.HTTPSConnection("127.0.0.1", config.port, timeout=30, context=context)
    try:
        # The first allowed name; in a pattern such as *.example.com any label will do.
        headers = {
            "Host": config.allowed_hosts[0].replace("*", "gatehouse"),
            # Every request names one workspace, and the path as the gateway saw it (sitecustomize.py); this workspace
            # is nobody's team.
            "X-MLFLOW-WORKSPACE": "default",
            "X-Gatehouse-Path": f"/{config.api_stage}/default{path}",
            "Content-Type": "application/json",
        }
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
    finally:
        connection.close()
    try:
        return response.status, json.loads(text)
    except ValueError:
        return response.status, text


def await_health(config: Config, server: subprocess.Popen[bytes], stop: Stop) -> None:
    """Wait until /health answers 200.

    Raises `FailedError` when the server ends first or the budget is spent.
    """
    deadline = time.monotonic() + HEALTH_BUDGET_SECONDS
    while True:
        if server.poll() is not None:
            raise FailedError(
                f"the server ended with status {server.returncode} before it was healthy; see above"
            )
        with suppress(OSError, http.client.HTTPException):
            if call(config, "GET", "/health")[0] == http.HTTPStatus.OK:
                return
        if time.monotonic() > deadline:
            raise FailedError(f"the server was not healthy within {HEALTH_BUDGET_SECONDS} s")
        stop.pause(0.2)


WORKSPACES = "/api/3.0/mlflow/workspaces"


def insist(request: Callable[[], tuple[int, Any]], stop: Stop, *, accept: str = "") -> dict[str, Any]:
    """The JSON answer of `request`, tried again within the budget while there is no answer, a 429 or a 5xx.

    Raises `FailedError` for any other refusal, except one with the error code `accept`.
    """
    deadline = time.monotonic() + WORKSPACE_BUDGET_SECONDS
    while True:
        try:
            status, answer = request()
        except (OSError, http.client.HTTPException) as error:
            status, answer = 0, f"{type(error).__name__}: {error}"
        known = answer if isinstance(answer, dict) else {}
        if status in (http.HTTPStatus.OK, http.HTTPStatus.CREATED) or (
            accept and known.get("error_code") == accept
        ):
            return known
        final = (
            status not in (0, http.HTTPStatus.TOO_MANY_REQUESTS)
            and status < http.HTTPStatus.INTERNAL_SERVER_ERROR
        )
        if final or time.monotonic() > deadline:
            raise FailedError(f"the server refused to set up the workspaces: {status} {answer}")
        log("workspace_retry", status=status)
        stop.pause(random.uniform(0.5, 1.5))  # noqa: S311 - jitter


def create_workspaces(
    teams: Iterable[str], request: Callable[[str, str, object], tuple[int, Any]], stop: Stop
) -> None:
    """Create the teams' missing workspaces. One that is there is never touched, whoever made it, perhaps just now.

    One request tells which are there, however many: MLflow 3.17.2 lists all workspaces in one answer (ListWorkspaces
    has no page token). `request(method, path, body)` gives status and answer. Raises `FailedError` when the server
    refuses and `StoppedError` between two workspaces.
    """
    listed = insist(partial(request, "GET", WORKSPACES, None), stop)
    present = {workspace["name"] for workspace in listed.get("workspaces", [])}
    for team in teams:
        if team not in present:
            stop.pause(0)
            body = {"name": team}
            insist(partial(request, "POST", WORKSPACES, body), stop, accept="RESOURCE_ALREADY_EXISTS")
            log("workspace_ready", team=team)


def serve(config: Config, username: str, environ: Mapping[str, str], stop: Stop) -> None:
    """Run the server until a signal (`StoppedError`) or its own end (`FailedError`).

    Nothing of it is left behind.
    """
    environment = server_environment(config, environ)
    check_additions(environment)
    server = start(server_command(config, username), environment)
    log("server_started", pid=server.pid, port=config.port, workers=config.workers)
    try:
        await_health(config, server, stop)
        create_workspaces(config.teams, partial(call, config), stop)
        notify("READY=1\nSTATUS=serving")
        log("ready", teams=len(config.teams))
        while server.poll() is None:
            stop.pause(0.2)
        # Even status 0: `mlflow server` hides that of the processes beneath it.
        raise FailedError(f"the server ended by itself with status {server.returncode}")
    finally:
        notify("STOPPING=1")
        stop_server(server)


def run(config: Config, environ: Mapping[str, str], stop: Stop) -> None:
    """All steps; ends only by an exception, see `main`."""
    os.umask(0o077)
    passwords = Passwords(config, secret_reader(config), database_refusal(config))
    notify("STATUS=waiting for the database")
    username = await_password(passwords, stop).username
    with fresh_password(passwords, config):
        notify("STATUS=upgrading the schema")
        migrate(config, passwords, environ, stop)
        make_certificate(config, datetime.now(UTC))
        notify("STATUS=starting the server")
        serve(config, username, environ, stop)


def main(environ: Mapping[str, str]) -> int:
    """Run the launcher; returns the exit status that the head of this file describes."""
    stop = Stop()
    stop.listen()
    try:
        run(read_config(environ), environ, stop)
    except StoppedError:
        log("stopped")
        return 0
    except ConfigurationError as error:
        log("bad_configuration", error=str(error))
        return EXIT_CONFIGURATION
    except SchemaNewerError as error:
        log("schema_newer", error=str(error))
        return EXIT_SCHEMA_NEWER
    except Exception as error:
        log("failed", error=f"{type(error).__name__}: {error}")
        return EXIT_FAILED
    return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main(os.environ))
