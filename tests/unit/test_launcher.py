"""The launcher's pure parts: configuration, passfile, password candidates, command line, schema, workspaces."""

# ruff: noqa: ANN401 - a module that is loaded by its path has no static type

from __future__ import annotations

import asyncio
import http.client
import importlib.util
import json
import re
import shlex
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

SERVER = Path(__file__).resolve().parents[2] / "templates" / "server"


def load(path: Path) -> ModuleType:
    """The module in a file that belongs to no package."""
    spec = importlib.util.spec_from_file_location(f"loaded_{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


launcher: Any = load(SERVER / "launcher.py")
additions: Any = load(SERVER / "sitecustomize.py")


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """A complete environment, defaults left out."""
    authority = tmp_path / "ca.pem"
    authority.write_text("-")
    return {
        "GATEHOUSE_REGION": "eu-west-1",
        "GATEHOUSE_DATABASE_HOST": "db.example.com",
        "GATEHOUSE_DATABASE_NAME": "mlflow",
        "GATEHOUSE_DATABASE_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-1",
        "GATEHOUSE_DATABASE_CA_FILE": str(authority),
        "GATEHOUSE_ARTIFACT_ROOT": "s3://artifacts",
        "GATEHOUSE_ALLOWED_HOSTS": "mlflow.example.com, mlflow.example.com:443",
        "GATEHOUSE_TEAMS": "alpha,beta,alpha",
        "GATEHOUSE_RUN_DIR": str(tmp_path),
    }


@pytest.fixture
def config(variables: dict[str, str]) -> Any:
    return launcher.read_config(variables)


# --- configuration ----------------------------------------------------------------------------------------------------


def test_configuration_and_its_defaults(config: Any) -> None:
    assert (config.database_port, config.port, config.workers, config.secret_refresh_seconds) == (
        5432,
        8443,
        2,
        10,
    )
    assert config.allowed_hosts == ("mlflow.example.com", "mlflow.example.com:443")
    assert config.teams == ("alpha", "beta")


REQUIRED = [
    "GATEHOUSE_REGION",
    "GATEHOUSE_DATABASE_HOST",
    "GATEHOUSE_DATABASE_NAME",
    "GATEHOUSE_DATABASE_SECRET_ARN",
    "GATEHOUSE_DATABASE_CA_FILE",
    "GATEHOUSE_ARTIFACT_ROOT",
    "GATEHOUSE_ALLOWED_HOSTS",
    "GATEHOUSE_TEAMS",
]


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_variable_is_named(variables: dict[str, str], name: str) -> None:
    del variables[name]
    with pytest.raises(launcher.ConfigurationError, match=f"^{name} is not set: "):
        launcher.read_config(variables)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEHOUSE_REGION", "Ireland"),
        ("GATEHOUSE_DATABASE_HOST", "db.example.com/other?sslmode=disable"),
        ("GATEHOUSE_DATABASE_PORT", "postgres"),
        ("GATEHOUSE_DATABASE_PORT", "70000"),
        ("GATEHOUSE_DATABASE_PORT", "5432.5"),
        ("GATEHOUSE_DATABASE_NAME", "mlflow?sslmode=disable"),
        ("GATEHOUSE_DATABASE_CA_FILE", "/nowhere/ca.pem"),
        ("GATEHOUSE_ARTIFACT_ROOT", "s3://artifacts/"),
        ("GATEHOUSE_ARTIFACT_ROOT", "/var/artifacts"),
        ("GATEHOUSE_ALLOWED_HOSTS", "*"),
        ("GATEHOUSE_ALLOWED_HOSTS", "a.example.com,,b.example.com"),
        ("GATEHOUSE_ALLOWED_HOSTS", "https://a.example.com"),
        ("GATEHOUSE_PORT", "0"),
        ("GATEHOUSE_TEAMS", ""),
        ("GATEHOUSE_TEAMS", "Alpha"),
        ("GATEHOUSE_TEAMS", "alpha/beta"),
        ("GATEHOUSE_TEAMS", "alpha-"),
        ("GATEHOUSE_TEAMS", "default"),
        ("GATEHOUSE_TEAMS", "ajax-api"),
        ("GATEHOUSE_RUN_DIR", "/nowhere"),
        ("GATEHOUSE_SECRET_REFRESH_SECONDS", "nan"),
        ("GATEHOUSE_WORKERS", "-1"),
    ],
)
def test_a_bad_variable_is_named_with_its_value(variables: dict[str, str], name: str, value: str) -> None:
    with pytest.raises(launcher.ConfigurationError, match=re.escape(f"{name} is {value!r}: ")):
        launcher.read_config(variables | {name: value})


def test_bad_configuration_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert launcher.main({}) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["error"].startswith("GATEHOUSE_REGION is not set")


def test_every_variable_is_documented() -> None:
    source = (SERVER / "launcher.py").read_text(encoding="utf-8")
    used = set(re.findall(r'"(GATEHOUSE_\w+)"', source)) - {
        "GATEHOUSE_NUDGE_SOCKET",
        "GATEHOUSE_PATIENCE_SECONDS",
    }
    assert used == set(re.findall(r"^    (GATEHOUSE_\w+) ", launcher.__doc__, re.MULTILINE))


# --- passfile ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "written"),
    [
        ("plain", "plain"),
        ("a:b", "a\\:b"),
        ("a\\b", "a\\\\b"),
        ("a\\:b\\\\:", "a\\\\\\:b\\\\\\\\\\:"),
        ("#é ", "#é "),
    ],
)
def test_passfile_round_trip(config: Any, password: str, written: str) -> None:
    credential = launcher.Credential("mlflow", password)
    line = launcher.passfile_line(config, credential)
    assert line == f"db.example.com:5432:mlflow:mlflow:{written}\n"
    launcher.write_private(config.passfile, line)
    assert launcher.read_passfile(config) == credential


@pytest.mark.parametrize("password", ["a\nb", "a\rb", "a\0b"])
def test_a_password_with_a_line_break_is_refused_without_being_shown(config: Any, password: str) -> None:
    with pytest.raises(ValueError, match="line break") as caught:
        launcher.passfile_line(config, launcher.Credential("mlflow", password))
    assert password not in str(caught.value)


def test_the_passfile_is_private_and_replaced_in_one_step(config: Any) -> None:
    launcher.write_private(config.passfile, "one")
    with config.passfile.open() as reader:
        launcher.write_private(config.passfile, "two")
        assert reader.read() == "one"
    assert config.passfile.read_text() == "two"
    assert config.passfile.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in config.run_dir.glob(".*")] == []


def test_a_leftover_of_a_crash_does_not_widen_the_mode(config: Any) -> None:
    leftover = config.passfile.with_name(".passfile.new")
    leftover.write_text("old")
    leftover.chmod(0o644)
    launcher.write_private(config.passfile, "new")
    assert config.passfile.stat().st_mode & 0o777 == 0o600


def test_a_credential_does_not_show_its_password() -> None:
    assert (
        "hunter2"
        not in f"{launcher.Credential('mlflow', 'hunter2')!r} {launcher.Credential('mlflow', 'hunter2')}"
    )


@pytest.mark.parametrize("text", ["hunter2", '{"username": "mlflow", "hunter2": 1}', "[]"])
def test_a_secret_in_another_form_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match='JSON with "username" and "password"') as caught:
        launcher.parse_secret(text)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


# --- which password works ---------------------------------------------------------------------------------------------


class Rotation:
    """A database that accepts one password and a secret with two stages; counts how often each is asked."""

    def __init__(self, config: Any, accepted: str, **stages: str | Exception) -> None:
        self.accepted, self.stages = accepted, stages
        self.asked: list[str] = []
        self.tried: list[str] = []
        self.passwords = launcher.Passwords(config, self.read, self.refusal)

    def read(self, stage: str) -> Any:
        self.asked.append(stage)
        answer = self.stages.get(stage)
        if isinstance(answer, Exception):
            raise answer
        return launcher.Credential("mlflow", answer) if answer else None

    def refusal(self, credential: Any) -> str | None:
        self.tried.append(credential.password)
        return None if credential.password == self.accepted else "password authentication failed"


def test_the_current_password_is_written_first(config: Any) -> None:
    rotation = Rotation(config, "one", AWSCURRENT="one")
    assert rotation.passwords.refresh().password == "one"
    assert launcher.read_passfile(config).password == "one"
    assert rotation.asked == ["AWSCURRENT"]


def test_a_working_password_asks_nobody(config: Any) -> None:
    rotation = Rotation(config, "one", AWSCURRENT="one")
    rotation.passwords.refresh()
    rotation.asked.clear()
    assert rotation.passwords.refresh().password == "one"
    assert rotation.asked == []


def test_in_the_window_the_pending_password_is_found(config: Any) -> None:
    rotation = Rotation(config, "one", AWSCURRENT="one")
    rotation.passwords.refresh()
    rotation.stages["AWSPENDING"] = "two"
    assert rotation.passwords.refresh().password == "one", "staged, but the database has not changed yet"
    rotation.accepted = "two"
    assert rotation.passwords.refresh().password == "two"
    assert launcher.read_passfile(config).password == "two"
    rotation.stages = {"AWSCURRENT": "two", "AWSPREVIOUS": "one"}
    assert rotation.passwords.refresh().password == "two"


def test_a_password_is_written_only_after_it_has_worked(config: Any) -> None:
    rotation = Rotation(config, "three", AWSCURRENT="one", AWSPENDING="two")
    with pytest.raises(launcher.FailedError) as caught:
        rotation.passwords.refresh()
    assert not config.passfile.exists()
    assert rotation.tried == ["one", "two"]
    assert not {"one", "two", "three"} & set(re.findall(r"\w+", str(caught.value)))


def test_an_outage_of_one_stage_does_not_hide_the_other(config: Any) -> None:
    rotation = Rotation(config, "two", AWSCURRENT=OSError("outage"), AWSPENDING="two")
    assert rotation.passwords.refresh().password == "two"


def test_a_password_of_an_earlier_start_outlives_an_outage(config: Any) -> None:
    launcher.write_private(
        config.passfile, launcher.passfile_line(config, launcher.Credential("mlflow", "one"))
    )
    rotation = Rotation(config, "one", AWSCURRENT=OSError("outage"), AWSPENDING=OSError("outage"))
    assert rotation.passwords.refresh().password == "one"


class Countdown:
    """Stands for the passwords: fails and works as listed, then ends the loop."""

    def __init__(self, finished: threading.Event, outcomes: list[Exception | None]) -> None:
        self.finished, self.outcomes, self.calls = finished, outcomes, 0

    def refresh(self) -> None:
        outcome = self.outcomes[self.calls]
        self.calls += 1
        if self.calls == len(self.outcomes):
            self.finished.set()
        if outcome:
            raise outcome


@pytest.mark.parametrize(
    "outcomes",
    [[ValueError("bad"), OSError("outage"), launcher.FailedError("none"), None], [OSError("outage")] * 1100],
    ids=["any error", "a long outage"],
)
def test_the_refresh_loop_survives_everything_and_heeds_nudges(
    monkeypatch: pytest.MonkeyPatch, outcomes: list[Exception | None]
) -> None:
    monkeypatch.setattr(launcher.time, "sleep", lambda _seconds: None)
    finished = threading.Event()
    passwords = Countdown(finished, outcomes)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    loop = threading.Thread(
        target=launcher.keep_fresh, args=(passwords, theirs, 3600.0, finished), daemon=True
    )
    loop.start()
    while loop.is_alive():
        # The interval is an hour: only nudges move the loop.
        with suppress(BlockingIOError):
            ours.send(b"!")
        loop.join(0.0001)
    assert passwords.calls == len(outcomes)


def test_without_a_nudge_the_interval_counts() -> None:
    finished = threading.Event()
    passwords = Countdown(finished, [None, None, None])
    _ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    launcher.keep_fresh(passwords, theirs, 0.001, finished)
    assert passwords.calls == 3


def test_a_passfile_of_another_database_is_not_used(config: Any, variables: dict[str, str]) -> None:
    launcher.write_private(
        config.passfile, launcher.passfile_line(config, launcher.Credential("mlflow", "one"))
    )
    other = launcher.read_config(variables | {"GATEHOUSE_DATABASE_HOST": "restored.example.com"})
    assert launcher.read_passfile(other) is None
    config.passfile.write_text("spoiled")
    assert launcher.read_passfile(config) is None


# --- patience and tenancy in the server's processes -------------------------------------------------------------------


def connector(failures: int, message: str) -> Callable[[], str]:
    """A `connect` that fails so many times."""
    attempts = iter(range(failures + 1))

    def connect() -> str:
        if next(attempts) < failures:
            raise OSError(message)
        return "connected"

    return connect


def test_a_refused_connection_asks_and_tries_again() -> None:
    asked: list[int] = []
    connect = additions.patient(
        connector(2, 'FATAL: password authentication failed for user "x"'), 60, lambda: asked.append(1)
    )
    assert connect() == "connected"
    assert len(asked) == 2


def test_other_errors_and_the_end_of_patience_are_raised() -> None:
    with pytest.raises(OSError, match="refused"):
        additions.patient(connector(1, "Connection refused"), 60, lambda: None)()
    with pytest.raises(OSError, match="authentication failed"):
        additions.patient(connector(1, "password authentication failed"), -1, lambda: None)()


def test_a_nudge_without_a_launcher_is_harmless(tmp_path: Path) -> None:
    additions.nudge(str(tmp_path / "nobody"))


@pytest.mark.parametrize(
    ("uri", "workspace", "expected"),
    [
        ("s3://b/workspaces/alpha/1/run/artifacts", "alpha", True),
        ("s3://b/workspaces/alpha/1", "alpha", True),
        ("s3://b/workspaces/alpha", "alpha", False),
        ("s3://b/workspaces/beta/1", "alpha", False),
        ("s3://b/workspaces/alpha-2/1", "alpha", False),
        ("s3://b/workspaces/alpha/../beta/1", "alpha", False),
        ("s3://b/workspaces/alpha/./1", "alpha", False),
        ("s3://b/workspaces/alpha//1", "alpha", False),
        ("s3://b/workspaces/alpha/%2e%2e/beta", "alpha", False),
        ("s3://b/workspaces/alpha/1?x=1", "alpha", False),
        ("s3://b/workspaces/alpha/1\\..\\beta", "alpha", False),
        ("s3://other/workspaces/alpha/1", "alpha", False),
        ("S3://b/workspaces/alpha/1", "alpha", False),
        ("s3://b/workspaces/None/1", None, False),
    ],
)
def test_what_belongs_to_a_workspace(uri: str, workspace: str | None, expected: bool) -> None:
    assert additions.belongs(uri, "s3://b", workspace) is expected


def test_the_plugin_registers_every_scheme() -> None:
    points = additions.Plugin().entry_points
    assert {point.group for point in points} == {"mlflow.artifact_repository"}
    assert {point.name for point in points} == {"s3", *additions.OTHER_SCHEMES}
    assert {point.attr for point in points if point.name != "s3"} == {"refuse"}


def test_the_additions_stay_away_from_other_processes() -> None:
    before = list(sys.meta_path)
    additions.install({})
    assert sys.meta_path == before


def test_without_its_additions_no_server_is_started() -> None:
    with pytest.raises(launcher.FailedError, match=r"sitecustomize\.py must lie beside the launcher"):
        launcher.check_additions({"PATH": "/bin"})


# --- schema -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def known(tmp_path: Path) -> Mapping[str, str | None]:
    for name, before in (("a1", "None"), ("b2", "'a1'"), ("c3", '"b2"')):
        (tmp_path / f"{name}_x.py").write_text(f'"""x"""\nrevision = "{name}"\ndown_revision = {before}\n')
    (tmp_path / "__init__.py").write_text("")
    revisions: Mapping[str, str | None] = launcher.revisions(tmp_path)
    return revisions


def test_revisions_are_read_from_the_scripts(known: Mapping[str, str | None]) -> None:
    assert known == {"a1": None, "b2": "a1", "c3": "b2"}
    assert launcher.head(known) == "c3"


@pytest.mark.parametrize(("current", "expected"), [(None, True), ("a1", True), ("c3", False)])
def test_when_to_upgrade(known: Mapping[str, str | None], current: str | None, expected: bool) -> None:
    assert launcher.must_upgrade(current, known) is expected


def test_an_unknown_revision_is_a_newer_mlflow(known: Mapping[str, str | None]) -> None:
    with pytest.raises(launcher.SchemaNewerError, match=r"revision d4 is unknown .* newest is c3"):
        launcher.must_upgrade("d4", known)


def test_two_heads_or_no_scripts_are_errors(tmp_path: Path) -> None:
    with pytest.raises(launcher.FailedError, match="2 heads"):
        launcher.head({"a1": None, "b2": None})
    with pytest.raises(launcher.FailedError, match="no schema revisions"):
        launcher.revisions(tmp_path)


# --- the server's command line and environment ------------------------------------------------------------------------


def test_the_address_verifies_tls_and_holds_no_password(config: Any) -> None:
    uri = launcher.database_uri(config, "ml:flow@x")
    assert uri.startswith(
        "postgresql+psycopg2://ml%3Aflow%40x@db.example.com:5432/mlflow?sslmode=verify-full&"
    )
    assert f"passfile={str(config.passfile).replace('/', '%2F')}" in uri


def options(command: list[str]) -> dict[str, str]:
    """Options and their values; a flag has the next option as its value."""
    return {
        name: value for name, value in zip(command, [*command[1:], ""], strict=True) if name.startswith("-")
    }


def test_the_command_line(config: Any) -> None:
    command = launcher.server_command(config, "mlflow")
    given = options(command)
    assert command[1:4] == ["-m", "mlflow", "server"]
    assert {"--enable-workspaces", "--no-serve-artifacts"} <= set(given)
    assert given["--default-artifact-root"] == "s3://artifacts"
    assert given["--allowed-hosts"] == "mlflow.example.com,mlflow.example.com:443"
    assert (given["--port"], given["--workers"]) == ("8443", "2")
    assert "--cors-allowed-origins" not in given
    assert "--disable-security-middleware" not in given


def test_the_options_of_uvicorn(config: Any) -> None:
    given = options(shlex.split(options(launcher.server_command(config, "mlflow"))["--uvicorn-opts"]))
    assert given["--ssl-keyfile"] == str(config.certificate_key)
    assert given["--ssl-certfile"] == str(config.certificate)
    assert given["--ssl-ciphers"] == "ECDHE+AESGCM:ECDHE+CHACHA20"
    assert {"--no-server-header", "--no-proxy-headers"} <= set(given)
    assert int(given["--timeout-keep-alive"]) > 350


def test_the_times_to_stop_outlast_one_another() -> None:
    unit = (SERVER / "mlflow.service").read_text()
    (systemd,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert launcher.GRACEFUL_SECONDS < launcher.STOP_SECONDS < int(systemd)


def test_the_server_inherits_little(config: Any) -> None:
    ambient = {
        "PATH": "/bin",
        "AWS_ENDPOINT_URL": "http://aws",
        "GATEHOUSE_TEAMS": "alpha",
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "*",
        "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true",
        "PGPASSWORD": "secret",
        "HTTPS_PROXY": "http://proxy",
        "LD_PRELOAD": "x",
    }
    given = launcher.server_environment(config, ambient)
    assert given["AWS_ENDPOINT_URL"] == "http://aws"
    assert not {"GATEHOUSE_TEAMS", "PGPASSWORD", "HTTPS_PROXY", "LD_PRELOAD"} & set(given)
    assert not {name for name in ambient if name.startswith("MLFLOW_")} & set(given)
    assert given["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert given["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert given["MLFLOW_ENABLE_AI_GATEWAY"] == "false"


def test_the_certificate(config: Any) -> None:
    now = datetime.now(UTC)
    launcher.make_certificate(config, now)
    certificate = x509.load_pem_x509_certificate(config.certificate.read_bytes())
    certificate.verify_directly_issued_by(certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mlflow.example.com", "localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert certificate.not_valid_before_utc < now < certificate.not_valid_after_utc
    # What API Gateway wants of a root even where it does not verify the chain.
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.value.ca, constraints.critical) == (True, True)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_cert_sign, usage.digital_signature) == (True, True)
    assert isinstance(certificate.public_key(), rsa.RSAPublicKey)
    assert config.certificate_key.stat().st_mode & 0o777 == 0o600


# --- workspaces, systemd ----------------------------------------------------------------------------------------------


class Server:
    """Answers from a list; remembers what it was asked."""

    def __init__(self, *answers: tuple[int, Any] | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, object]] = []

    def __call__(self, method: str, _path: str, body: object) -> tuple[int, Any]:
        self.requests.append((method, body))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class NoPause:
    """A stop that never comes and never waits."""

    def pause(self, _seconds: float) -> None:
        """Return at once."""


LISTED = (200, {"workspaces": [{"name": "default"}, {"name": "alpha"}]})
EXISTS = (400, {"error_code": "RESOURCE_ALREADY_EXISTS"})


def test_only_missing_workspaces_are_created() -> None:
    server = Server(LISTED, (201, {}))
    launcher.create_workspaces(["alpha", "beta"], server, NoPause())
    assert server.requests == [("GET", None), ("POST", {"name": "beta"})]


def test_a_workspace_that_another_launcher_made_meanwhile_is_fine() -> None:
    launcher.create_workspaces(["beta"], Server(LISTED, EXISTS), NoPause())


def test_passing_trouble_is_tried_again() -> None:
    server = Server(
        LISTED, OSError("reset"), (503, {}), http.client.RemoteDisconnected("x"), (429, "slow"), (200, {})
    )
    launcher.create_workspaces(["beta"], server, NoPause())
    assert len(server.requests) == 6


def test_a_refusal_is_not_tried_again() -> None:
    server = Server(LISTED, (403, "Invalid Host header"))
    with pytest.raises(launcher.FailedError, match="403 Invalid Host header"):
        launcher.create_workspaces(["beta"], server, NoPause())
    assert len(server.requests) == 2


@pytest.mark.parametrize("prefix", ["", "@"])
def test_systemd_is_told(tmp_path: Path, prefix: str) -> None:
    name = f"gatehouse-{tmp_path.name}" if prefix else str(tmp_path / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind("\0" + name if prefix else name)
        launcher.notify("READY=1", {"NOTIFY_SOCKET": prefix + name})
        assert channel.recv(100) == b"READY=1"
    launcher.notify("READY=1", {})


# --- one workspace a request ------------------------------------------------------------------------------------------


def ask(path: str, *headers: tuple[bytes, bytes], kind: str = "http") -> list[Any]:
    """What the guarded application sends; "let through" stands for the application's own answer."""
    sent: list[Any] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send("let through")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": kind, "path": path, "headers": list(headers)}
    asyncio.run(additions.one_workspace(app)(scope, None, send))
    return sent


NAMED = (b"x-mlflow-workspace", b"alpha")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api", (NAMED,)),
        ("/api", ((b"X-Mlflow_Workspace", b"a"),)),
        ("/health", ()),
        ("/version", (NAMED, NAMED)),
    ],
)
def test_a_request_of_one_workspace_is_let_through(
    path: str, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    assert ask(path, *headers) == ["let through"]


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (NAMED, NAMED),
        (NAMED, (b"X-MLFLOW-WORKSPACE", b"beta")),
        ((b"x_mlflow_workspace", b"beta"), NAMED),
    ],
)
def test_a_request_of_none_or_several_is_refused(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    start, body = ask("/api/2.0/mlflow/runs/get", *headers)
    assert start["status"] == 400
    assert json.loads(body["body"])["error_code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    "path", ["/gateway/proxy/a/mlflow/server-info", "/api/3.0/mlflow/mcp-servers/mlflow/server-info"]
)
def test_a_path_that_mlflow_takes_for_server_info_is_refused(path: str) -> None:
    assert ask(path, NAMED)[0]["status"] == 400
    assert ask("/api/3.0/mlflow/server-info", NAMED) == ["let through"]


def test_the_servers_own_lifespan_is_let_through() -> None:
    assert ask("", kind="lifespan") == ["let through"]
