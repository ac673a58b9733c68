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
import string
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

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
    teams = tmp_path / "teams.txt"
    teams.write_text("alpha\nbeta\nalpha\n")
    return {
        "GATEHOUSE_REGION": "eu-west-1",
        "GATEHOUSE_DATABASE_HOST": "db.example.com",
        "GATEHOUSE_DATABASE_NAME": "mlflow",
        "GATEHOUSE_DATABASE_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-1",
        "GATEHOUSE_DATABASE_CA_FILE": str(authority),
        "GATEHOUSE_ARTIFACT_ROOT": "s3://artifacts",
        "GATEHOUSE_ALLOWED_HOSTS": "mlflow.example.com, mlflow.example.com:443",
        "GATEHOUSE_API_STAGE": "api",
        "GATEHOUSE_TEAMS_FILE": str(teams),
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
    "GATEHOUSE_API_STAGE",
    "GATEHOUSE_TEAMS_FILE",
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
        ("GATEHOUSE_API_STAGE", ""),
        ("GATEHOUSE_API_STAGE", "/api"),
        ("GATEHOUSE_PORT", "0"),
        ("GATEHOUSE_TEAMS_FILE", ""),
        ("GATEHOUSE_TEAMS_FILE", "/nowhere/teams.txt"),
        ("GATEHOUSE_RUN_DIR", "/nowhere"),
        ("GATEHOUSE_SECRET_REFRESH_SECONDS", "nan"),
        ("GATEHOUSE_WORKERS", "-1"),
    ],
)
def test_a_bad_variable_is_named_with_its_value(variables: dict[str, str], name: str, value: str) -> None:
    with pytest.raises(launcher.ConfigurationError, match=re.escape(f"{name} is {value!r}: ")):
        launcher.read_config(variables | {name: value})


@pytest.mark.parametrize(
    "name", ["", "a", "Alpha", "alpha/beta", "alpha-", "alpha,beta", " alpha", "default", "ajax-api"]
)
def test_a_bad_team_is_named_with_its_line(variables: dict[str, str], name: str) -> None:
    path = Path(variables["GATEHOUSE_TEAMS_FILE"])
    path.write_text(f"beta\n{name}\ngamma\n")
    expected = (
        f"GATEHOUSE_TEAMS_FILE is {str(path)!r}: line 2 of that file, {name!r}, is not allowed; write a team"
    )
    with pytest.raises(launcher.ConfigurationError, match=re.escape(expected)):
        launcher.read_config(variables)


@pytest.mark.parametrize("teams", [1, 2000])
def test_up_to_two_thousand_teams_are_read(variables: dict[str, str], teams: int) -> None:
    names = [f"team-{number}" for number in range(teams)]
    Path(variables["GATEHOUSE_TEAMS_FILE"]).write_text("\n".join(names))
    assert launcher.read_config(variables).teams == tuple(names)


@pytest.mark.parametrize("teams", [0, 2001])
def test_no_team_or_too_many_are_refused(variables: dict[str, str], teams: int) -> None:
    Path(variables["GATEHOUSE_TEAMS_FILE"]).write_text("".join(f"team-{n}\n" for n in range(teams)))
    with pytest.raises(launcher.ConfigurationError, match=f"that file has {teams} lines; write 1 to 2000"):
        launcher.read_config(variables)


def test_teams_in_another_encoding_are_bad_configuration(variables: dict[str, str]) -> None:
    Path(variables["GATEHOUSE_TEAMS_FILE"]).write_bytes("alpha".encode("utf-16"))
    with pytest.raises(launcher.ConfigurationError, match="it cannot be read"):
        launcher.read_config(variables)


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
        "GATEHOUSE_TEAMS_FILE": "/opt/gatehouse/teams.txt",
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "*",
        "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true",
        "PGPASSWORD": "secret",
        "HTTPS_PROXY": "http://proxy",
        "LD_PRELOAD": "x",
    }
    given = launcher.server_environment(config, ambient)
    assert given["AWS_ENDPOINT_URL"] == "http://aws"
    assert given["GATEHOUSE_API_STAGE"] == "api"
    assert not {"GATEHOUSE_TEAMS_FILE", "PGPASSWORD", "HTTPS_PROXY", "LD_PRELOAD"} & set(given)
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


def test_a_thousand_workspaces_that_are_there_take_one_request() -> None:
    teams = [f"team-{number}" for number in range(1000)]
    server = Server((200, {"workspaces": [{"name": team} for team in ["default", *teams]]}))
    launcher.create_workspaces(teams, server, NoPause())
    assert server.requests == [("GET", None)]


def test_a_stop_does_not_wait_for_every_workspace() -> None:
    stop = launcher.Stop()
    stop.set("SIGTERM")
    server = Server(LISTED)
    with pytest.raises(launcher.StoppedError):
        launcher.create_workspaces(["beta", "gamma"], server, stop)
    assert server.requests == [("GET", None)]


def test_every_workspace_has_the_whole_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long those before it took."""
    clock = iter(range(0, 10_000, launcher.WORKSPACE_BUDGET_SECONDS // 2))
    monkeypatch.setattr(launcher.time, "monotonic", lambda: next(clock))
    trouble: list[tuple[int, Any]] = [(503, {}), (200, {})]
    launcher.create_workspaces(["alpha", "beta"], Server((200, {}), *trouble, *trouble), NoPause())


def test_trouble_that_lasts_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, launcher.WORKSPACE_BUDGET_SECONDS // 2))
    monkeypatch.setattr(launcher.time, "monotonic", lambda: next(clock))
    server = Server(*[(503, "busy")] * 4)
    with pytest.raises(launcher.FailedError, match="503 busy"):
        launcher.create_workspaces(["beta"], server, NoPause())
    assert len(server.requests) == 3


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


# --- one workspace a request, one way to write a path -----------------------------------------------------------------


def ask(
    raw_path: str, *headers: tuple[bytes, bytes], decided: Sequence[bytes] | None = None, kind: str = "http"
) -> list[Any]:
    """What the guarded application sends; "let through" stands for the application's own answer.

    The gateway decided on the same path in the stage "api", unless `decided` has others.
    """
    sent: list[Any] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send("let through")

    async def send(message: Any) -> None:
        sent.append(message)

    raw = raw_path.encode("latin-1")
    if decided is None:
        decided = [b"/api/%s%s" % (headers[0][1] if headers else b"", raw)]
    sent_with = [*headers, *((b"x-gatehouse-path", path) for path in decided)]
    scope = {"type": kind, "path": unquote(raw_path), "raw_path": raw, "headers": sent_with}
    asyncio.run(additions.guarded(app, "api")(scope, None, send))
    return sent


NAMED = (b"x-mlflow-workspace", b"alpha")
UNRESERVED = f"{string.ascii_letters}{string.digits}-._~"


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
        ((b"x-mlflow-workspace", b""),),
        (NAMED, (b"X-MLFLOW-WORKSPACE", b"beta")),
        ((b"x_mlflow_workspace", b"beta"), NAMED),
    ],
)
def test_a_request_of_none_or_several_is_refused(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    start, body = ask("/api/2.0/mlflow/runs/get", *headers)
    assert start["status"] == 400
    answer = json.loads(body["body"])
    assert (answer["error_code"], "X-MLFLOW-WORKSPACE" in answer["message"]) == ("BAD_REQUEST", True)


@pytest.mark.parametrize(
    "path",
    [
        "/gateway/proxy/a/mlflow/server-info",
        "/api/3.0/mlflow/mcp-servers/mlflow/server-info",
        "/api/3.0/mlflow/mcp-servers/mlflow/server-info/",
        "/api/3.0/mlflow/mcp-servers/mlflow%2Fserver-info",
    ],
)
def test_a_path_that_mlflow_takes_for_server_info_is_refused(path: str) -> None:
    assert ask(path, NAMED)[0]["status"] == 400
    assert ask("/api/3.0/mlflow/server-info", NAMED) == ["let through"]


MODELS = "/api/2.0/mlflow/logged-models"
MCP = "/api/3.0/mlflow/mcp-servers"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/build/static/js/main.1a2b.chunk.js",
        "/api/2.0/mlflow/runs/get/",
        "/api/2.0mlflow/experiments/search-datasets",
        "/gateway/gemini/v1beta/models/a:generateContent",
        f"{MODELS}/m-1/tags/mlflow.a_b~c-d",
        f"{MODELS}/m-1/tags/a%20b%3Ac%26%2B%C3%A9",
        f"{MODELS}/m-1/tags/100%25",
        f"{MODELS}/m-1/tags/100%25%20of",
        f"{MODELS}/m-1/tags/...",
        f"{MODELS}/m-1/tags/.hidden",
        f"{MODELS}/m-1/tags/a[0]!$&'()*+,;=@",
        f"{MCP}/com.example%2Fsearch",
        f"{MCP}/com.example%2fsearch/tags/a%2Fb",
        "/ajax-api/3.0/mlflow/mcp-servers/com.example%2Fsearch/versions/1.0",
    ],
)
def test_a_plain_path_is_let_through(path: str) -> None:
    assert ask(path, NAMED) == ["let through"]


@pytest.mark.parametrize(
    ("path", "what"),
    [
        *((f"{MODELS}/%{ord(character):02X}", "that is encoded") for character in UNRESERVED),
        *((f"{MODELS}/%{ord(character):02x}", "that is encoded") for character in UNRESERVED),
        ("/api/2.0/mlflow%2Dartifacts/artifacts", "that is encoded"),
        ("/%68ealth", "that is encoded"),
        (f"{MCP}/com%2Eexample%2Fsearch", "that is encoded"),
        (f"{MODELS}%2Fm-1", "an encoded slash"),
        (f"{MODELS}/m-1/tags/a%2fb", "an encoded slash"),
        ("/api%2F3.0/mlflow/mcp-servers/a", "an encoded slash"),
        (f"/x{MCP}/a%2Fb", "an encoded slash"),
        (f"{MCP}%2Fa", "an encoded slash"),
        (f"{MODELS}/a%5Cb", "a backslash"),
        (f"{MODELS}/a%5cb", "a backslash"),
        (f"{MODELS}/a\\b", "a backslash"),
        (f"{MCP}/a%5Cb", "a backslash"),
        (f"{MODELS}/a%252Db", "encoded twice"),
        (f"{MODELS}/a%25252Fb", "encoded twice"),
        (f"{MCP}/a%252fb", "encoded twice"),
        (f"{MODELS}/../runs", "a segment . or .."),
        (f"{MODELS}/./m-1", "a segment . or .."),
        (f"{MODELS}/..", "a segment . or .."),
        (f"{MODELS}/.", "a segment . or .."),
        (f"{MODELS}/%2e%2E/runs", "that is encoded"),
        (f"{MODELS}/%2e./runs", "that is encoded"),
        (f"{MCP}/..%2F..%2Fruns/get", "a segment . or .."),
        (f"{MCP}/a%2F.", "a segment . or .."),
        (f"/{MODELS}", "an empty segment"),
        (f"{MODELS}//m-1", "an empty segment"),
        (f"{MODELS}//", "an empty segment"),
        (f"{MCP}/a%2F%2Fb", "an empty segment"),
        (f"{MCP}/%2Fa", "an empty segment"),
        (f"{MODELS}%0A", "a control character"),
        (f"{MODELS}/%00", "a control character"),
        (f"{MODELS}/%7f", "a control character"),
        (f"{MODELS}/%C2%85", "a control character"),
        (f"{MODELS}/a\tb", "a control character"),
        (f"{MODELS}/100%", "a % that encodes nothing"),
        (f"{MODELS}/%2", "a % that encodes nothing"),
        (f"{MODELS}/%zz", "a % that encodes nothing"),
        ("/api/2.0/mlflow/runs/delete%3F/restore", "a ? or #"),
        ("/api/2.0/mlflow/runs/delete%3f/restore", "a ? or #"),
        ("/api/2.0/mlflow/runs/delete%23/restore", "a ? or #"),
        ("/api/2.0/mlflow/runs/delete#/restore", "a ? or #"),
        (f"{MCP}/a%3Fb", "a ? or #"),
        ("http://mlflow.example.com/api", "no slash at its start"),
        ("*", "no slash at its start"),
        ("", "no slash at its start"),
    ],
)
def test_a_path_with_another_way_to_write_it_is_refused(path: str, what: str) -> None:
    start, body = ask(path, NAMED)
    assert start["status"] == 400
    message = json.loads(body["body"])["message"]
    assert message.startswith(f"the path {path!r} has ")
    assert f" {what}: send letters" in message


def test_every_other_octet_may_be_encoded() -> None:
    """What is left encodes no character of a route's own text, nothing that ends a path and no control character."""
    allowed = {octet for octet in range(256) if additions.odd_path(b"/%%%02X" % octet) is None}
    controls = {*range(32), 127}
    assert allowed == set(range(256)) - controls - {ord(character) for character in f"{UNRESERVED}/\\?#"}


# --- the path that was decided on -------------------------------------------------------------------------------------


DELETE = "/api/2.0/mlflow/runs/delete"


@pytest.mark.parametrize(
    ("decided", "path"),
    [
        (b"/api/alpha/api/2.0/mlflow/runs/delete", DELETE),
        (b"/api/alpha/", "/"),
        (b"/api/alpha", "/"),
        # Encoded on the way, or not: it is the same text.
        (b"/api/alpha/t/a%20b%C3%A9", "/t/a%20b%c3%a9"),
        (b"/api/alpha/t/a b\xc3\xa9", "/t/a%20b%C3%A9"),
        (b"/api/alpha/t/100%25", "/t/100%25"),
        (b"/api/alpha/t/100%", "/t/100%25"),
        (b"/api/alpha/api/3.0/mlflow/mcp-servers/a%2Fb", f"{MCP}/a/b"),
        (b"/api/alpha/api/3.0/mlflow/mcp-servers/a/b", f"{MCP}/a%2Fb"),
    ],
)
def test_the_path_that_was_decided_on_is_served(decided: bytes, path: str) -> None:
    for name in (b"x-gatehouse-path", b"X-Gatehouse-Path", b"x_gatehouse_path"):
        assert ask(path, NAMED, (name, decided), decided=()) == ["let through"]


@pytest.mark.parametrize(
    ("decided", "path"),
    [
        # What is left of runs/delete?/restore once the query string is off.
        (b"/api/alpha/api/2.0/mlflow/runs/delete%3F/restore", DELETE),
        (b"/api/alpha/api/2.0/mlflow/runs/delete?/restore", DELETE),
        (b"/api/alpha/api/2.0/mlflow/runs/delete%23/restore", DELETE),
        (b"/api/alpha/api/2.0/mlflow/runs/delete%00/restore", DELETE),
        (b"/api/alpha/api/2.0/mlflow/runs/restore/../delete", DELETE),
        (b"/api/alpha/api/2.0/mlflow/runs/restore/%2e%2e/delete", DELETE),
        (b"/api/alpha/api/2.0/mlflow/runs/./delete", DELETE),
        (b"/api/alpha/api/2.0/mlflow//runs/delete", DELETE),
        (b"/api/alpha//api/2.0/mlflow/runs/delete", DELETE),
        (b"/api//alpha/api/2.0/mlflow/runs/delete", DELETE),
        (b"//api/alpha/api/2.0/mlflow/runs/delete", DELETE),
        (b"/api/alpha/api/2.0/mlflow/runs/delete/", DELETE),
        (b"/api/alpha/api/2.0/mlflow/runs/delete;restore", DELETE),
        (b"/api/alpha/api/2.0/mlflow/runs/delet%2565", DELETE),
        (b"/api/alpha/api/2.0/mlflow/runs/Delete", DELETE),
        (b"/api/alpha/t/a+b", "/t/a%20b"),
        (b"/api/alpha/t/%C3%A9", "/t/e%CC%81"),
        # Another team's, another stage's, and none.
        (b"/api/beta/api/2.0/mlflow/runs/delete", DELETE),
        (b"/api/beta/../alpha/api/2.0/mlflow/runs/delete", DELETE),
        (b"/api/%20alpha/api/2.0/mlflow/runs/delete", DELETE),
        (b"/dev/alpha/api/2.0/mlflow/runs/delete", DELETE),
        (b"/alpha/api/2.0/mlflow/runs/delete", DELETE),
        (b"/api/2.0/mlflow/runs/delete", DELETE),
        (b"https://x.example.com/api/alpha/api/2.0/mlflow/runs/delete", DELETE),
        (b"", DELETE),
        (b"/api/alpha", DELETE),
        (b"/api/alpha//", "/"),
        (b"/api/", "/"),
        (b"/api/alphabet", "/"),
        (b"/api/alpha", "/bet"),
    ],
)
def test_any_other_path_is_refused(decided: bytes, path: str) -> None:
    start, body = ask(path, NAMED, decided=[decided])
    assert start["status"] == 400
    answer = json.loads(body["body"])
    assert answer["error_code"] == "BAD_REQUEST"
    assert answer["message"].startswith("the gateway decided on the path ")
    assert repr(f"/api/alpha{unquote_to_bytes(path).decode('latin-1')}") in answer["message"]


SAME = f"/api/alpha{DELETE}".encode()


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ((b"x-gatehouse-path", SAME), (b"x-gatehouse-path", SAME)),
        ((b"x-gatehouse-path", SAME), (b"X-GATEHOUSE-PATH", b"/api/beta/x")),
        ((b"X_Gatehouse_Path", SAME), (b"x-gatehouse-path", SAME)),
        ((b"gatehouse-path", SAME),),
    ],
)
def test_a_request_names_exactly_one_path(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    start, body = ask(DELETE, NAMED, *headers, decided=())
    assert start["status"] == 400
    assert "exactly one X-Gatehouse-Path" in json.loads(body["body"])["message"]


@pytest.mark.parametrize("path", ["/health", "/version"])
def test_the_load_balancer_names_no_path(path: str) -> None:
    assert ask(path, decided=()) == ["let through"]
    assert ask(f"{path}/", NAMED, decided=())[0]["status"] == 400


def test_the_launcher_names_its_path(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the gateway would, and so it passes the guard."""
    sent: list[tuple[str, dict[str, str]]] = []

    class Connection:
        def __init__(self, *_arguments: object, **_options: object) -> None:
            pass

        def request(self, _method: str, path: str, _body: object, headers: dict[str, str]) -> None:
            sent.append((path, headers))

        def getresponse(self) -> Any:
            return SimpleNamespace(status=200, read=lambda: b"{}")

        def close(self) -> None:
            pass

    monkeypatch.setattr(launcher.ssl, "create_default_context", lambda **_options: None)
    monkeypatch.setattr(launcher.http.client, "HTTPSConnection", Connection)
    assert launcher.call(config, "GET", launcher.WORKSPACES) == (200, {})
    ((path, headers),) = sent
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert ask(path, *encoded, decided=()) == ["let through"]


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_what_is_no_request_is_let_through(kind: str) -> None:
    assert ask("", kind=kind) == ["let through"]
