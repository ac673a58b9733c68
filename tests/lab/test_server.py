"""The launcher and the real MLflow server: boot, rotation, loss of an instance, tenancy, shutdown."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from .laboratory import (
    BUCKET,
    STAGE,
    TEAMS,
    Client,
    Database,
    Launcher,
    Start,
    alive,
    balancer,
    free_port,
    s3,
    starter,
    wait_for,
)

pytestmark = pytest.mark.postgres

WORKSPACES = "/api/3.0/mlflow/workspaces"
EXPERIMENTS = "/api/2.0/mlflow/experiments"
RUNS = "/api/2.0/mlflow/runs"
MODEL_VERSIONS = "/api/2.0/mlflow/model-versions"
MCP_SERVERS = "/api/3.0/mlflow/mcp-servers"
ACTIVITY = "pg_stat_activity WHERE datname = current_database() AND application_name = 'mlflow'"


# --- boot ---------------------------------------------------------------------------------------------------


def test_four_launchers_boot_at_once_on_an_empty_database(empty_database: Database, start: Start) -> None:
    launchers = [start(empty_database) for _ in range(4)]
    for launcher in launchers:
        launcher.ready()
        assert launcher.call("GET", "/health") == (200, "OK")
    names = [row[0] for row in empty_database.sql("SELECT name FROM workspaces ORDER BY name")]
    assert names == sorted(["default", *TEAMS])
    upgrades = [event for launcher in launchers for event in launcher.events("schema_upgrade")]
    assert len(upgrades) == 1
    assert empty_database.sql("SELECT version_num FROM alembic_version") == [[upgrades[0]["after"]]]


def test_a_boot_creates_the_missing_workspaces_alone(database: Database, start: Start) -> None:
    for missing in (["delta"], []):
        launcher = start(database, teams=[*TEAMS, "delta"]).ready()
        assert [event["team"] for event in launcher.events("workspace_ready")] == missing
        assert launcher.log().count(f" {WORKSPACES} ") == 1 + len(missing)


def test_a_database_of_a_newer_mlflow_is_refused(database: Database, start: Start) -> None:
    database.sql("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    launcher = start(database)
    assert launcher.ended() == 3
    (event,) = launcher.events("schema_newer")
    assert "ffffffffffff is unknown to the installed MLflow" in event["error"]
    assert database.sql("SELECT version_num FROM alembic_version") == [["ffffffffffff"]]


def test_the_databases_authority_is_verified(database: Database, start: Start) -> None:
    other = Path(__file__).parents[2] / "templates/server/rds-ca/eu-west-1.pem"
    launcher = start(database, GATEHOUSE_DATABASE_CA_FILE=str(other))
    wait_for("refusal", lambda: launcher.events("waiting_for_database"))
    assert "certificate verify failed" in launcher.events("waiting_for_database")[0]["reason"]


def test_the_databases_name_is_verified(database: Database, start: Start) -> None:
    """Its certificate is for localhost, and sslmode=require would not care."""
    launcher = start(database, GATEHOUSE_DATABASE_HOST="127.0.0.1")
    wait_for("refusal", lambda: launcher.events("waiting_for_database"))
    assert "does not match host name" in launcher.events("waiting_for_database")[0]["reason"]


# --- rotation -----------------------------------------------------------------------------------------------


def test_rotations_fail_no_request(database: Database, start: Start) -> None:
    """Three rotations in the real order under load.

    In each, between the change of the password and the move of AWSCURRENT, the server must open new connections: while
    a lock holds all of the client's requests back, every idle connection is cut.
    """
    # No more than one worker's pool takes, because all of them may have met the same worker.
    threads = 6
    launcher = start(database, GATEHOUSE_WORKERS="2").ready()
    client = Client(launcher, runs=200, threads=threads)
    old = [database.password]
    for _ in range(3):
        password, version = database.stage()
        with database.postgres.locked("runs", database.name):
            waiting = f"SELECT count(*) FROM {ACTIVITY} AND wait_event_type = 'Lock'"
            wait_for("requests", partial(returns, database, waiting, str(threads)))
            database.change(password)
            cut = database.sql(f"SELECT pg_terminate_backend(pid) FROM {ACTIVITY} AND state = 'idle'")
            before = logins(database)
        assert cut
        wait_for("new connections", partial(has_new_logins, database, before))
        database.finish(version)
        old.append(password)
    report = client.report()
    # server-info and create experiment, then five requests a run; nothing else was answered, or not answered.
    assert report.statuses == {200: 2 + 200 * 5}, launcher.log()[-3000:]
    assert len(report.acknowledged) == 200
    assert [database.postgres.login(database, password) for password in old] == [False, False, False, True]
    assert [event["stage"] for event in launcher.events("password_written")][1:] == ["AWSPENDING"] * 3


def returns(database: Database, statement: str, value: str) -> bool:
    """Whether a statement returns this one value."""
    return database.sql(statement) == [[value]]


def has_new_logins(database: Database, before: int) -> bool:
    """Whether MLflow has logged in since `before`."""
    return logins(database) > before


def logins(database: Database) -> int:
    """How often the database has let one of MLflow's own connections in."""
    return len(
        re.findall(rf"authorized: user={database.owner} .* application_name=mlflow ", database.postgres.log())
    )


def test_new_connections_after_a_rotation_succeed(database: Database, start: Start) -> None:
    launcher = start(database).ready()
    password, version = database.stage()
    database.change(password)
    database.finish(version)
    assert database.sql(f"SELECT pg_terminate_backend(pid) FROM {ACTIVITY}")
    before = logins(database)
    for number in range(5):
        status, _ = launcher.call("POST", f"{EXPERIMENTS}/create", {"name": f"after-{number}"}, team="alpha")
        assert status == 200, launcher.log()
    assert logins(database) > before


def test_an_outage_of_secrets_manager_hurts_nobody(database: Database, start: Start) -> None:
    """The secret is gone while the password still works, and comes back with another one."""
    launcher = start(database, GATEHOUSE_SECRET_REFRESH_SECONDS="0.2").ready()
    database.secrets.delete_secret(SecretId=database.secret_arn, RecoveryWindowInDays=7)
    assert launcher.call("GET", WORKSPACES)[0] == 200
    database.change("another:one")
    wait_for("failed refresh", lambda: launcher.events("password_refresh_failed"))
    assert launcher.call("GET", WORKSPACES)[0] == 200
    assert launcher.process.poll() is None
    database.secrets.restore_secret(SecretId=database.secret_arn)
    database.secrets.put_secret_value(
        SecretId=database.secret_arn, SecretString=database.document("another:one")
    )
    wait_for("recovery", lambda: launcher.events("password_works_again"))


# --- loss of an instance ------------------------------------------------------------------------------------


def test_killing_an_instance_loses_no_acknowledged_run(
    database: Database, start: Start, workshop: Path
) -> None:
    port = free_port()
    hosts = f"localhost:{port}"
    first, second = (start(database, GATEHOUSE_ALLOWED_HOSTS=hosts) for _ in range(2))
    bundle = workshop / f"{database.name}.pem"
    bundle.write_text(first.ready().certificate.read_text() + second.ready().certificate.read_text())
    with balancer(port, [first.port, second.port]) as served:
        client = Client(first, runs=60, threads=4, port=port, certificate=bundle, retries=6)
        wait_for("runs", lambda: int(database.sql("SELECT count(*) FROM runs")[0][0]) >= 15)
        first.kill_all()
        report = client.report()
    assert all(served.values()), "both servers must have had traffic"
    stored = {row[0] for row in database.sql("SELECT run_uuid FROM runs")}
    metrics = {(row[0], row[1]) for row in database.sql("SELECT run_uuid, key FROM metrics")}
    acknowledged = {(run, key) for run, keys in report.acknowledged.items() for key in keys}
    assert set(report.acknowledged) <= stored
    assert acknowledged <= metrics
    assert len(report.acknowledged) >= 50, report


# --- tenancy and the front door -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(aws: str, workshop: Path, postgres: object, module_database: Database) -> Iterator[Launcher]:
    """One server for the tests that change nothing about it."""
    with starter(aws, workshop) as function:
        yield function(module_database).ready()


@pytest.fixture(scope="module")
def run_of_alpha(server: Launcher) -> str:
    """A run in team alpha's workspace."""
    _, experiment = server.call("POST", f"{EXPERIMENTS}/create", {"name": "secret"}, team="alpha")
    body = {"experiment_id": experiment["experiment_id"]}
    return str(server.call("POST", f"{RUNS}/create", body, team="alpha")[1]["run"]["info"]["run_id"])


def test_a_team_does_not_find_another_teams_run(server: Launcher, run_of_alpha: str) -> None:
    assert server.call("GET", f"{RUNS}/get?run_id={run_of_alpha}", team="alpha")[0] == 200
    status, answer = server.call("GET", f"{RUNS}/get?run_id={run_of_alpha}", team="beta")
    assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("X-MLFLOW-WORKSPACE", "alpha"), ("X-MLFLOW-WORKSPACE", "beta")],
        [("x-mlflow-workspace", "beta"), ("X-MLFLOW-WORKSPACE", "alpha")],
        [("X_MLFLOW_WORKSPACE", "beta"), ("X-MLFLOW-WORKSPACE", "alpha")],
    ],
)
def test_a_request_names_exactly_one_workspace(server: Launcher, headers: list[tuple[str, str]]) -> None:
    """Whatever a gateway does with a header that its client sent as well, it does not choose the team."""
    for path in (f"{EXPERIMENTS}/search", "/v1/traces", "/graphql"):
        status, answer = server.call("POST", path, {"max_results": 1}, workspace_headers=headers)
        assert (status, answer["error_code"]) == (400, "BAD_REQUEST")
        assert "X-MLFLOW-WORKSPACE" in answer["message"]
    assert server.call("GET", "/health", workspace_headers=headers) == (200, "OK")


DECIDED = ("X-Gatehouse-Path", f"/{STAGE}/alpha{RUNS}/search")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [DECIDED, DECIDED],
        [DECIDED, ("x_gatehouse_path", DECIDED[1])],
        [("X-Gatehouse-Path", f"/{STAGE}/beta{RUNS}/search")],
        [("X-Gatehouse-Path", f"/{STAGE}/alpha{RUNS}/get")],
    ],
)
def test_a_request_is_served_at_the_path_that_was_decided_on(
    server: Launcher, headers: list[tuple[str, str]]
) -> None:
    def search(path_headers: list[tuple[str, str]]) -> tuple[int, Any]:
        return server.call(
            "POST", f"{RUNS}/search", {"max_results": 1}, team="alpha", path_headers=path_headers
        )

    assert search([DECIDED])[0] == 200
    status, answer = search(headers)
    assert (status, answer["error_code"]) == (400, "BAD_REQUEST")
    assert server.call("GET", "/health", path_headers=headers) == (200, "OK")


@pytest.mark.parametrize("mark", ["?", "#", "%3F"])
def test_what_was_decided_on_as_a_restore_deletes_nothing(
    server: Launcher, run_of_alpha: str, mark: str
) -> None:
    """The gateway may decode the mark behind `runs/delete`, and MLflow would then see no `/restore`."""
    decided = [("X-Gatehouse-Path", f"/{STAGE}/alpha{RUNS}/delete%3F/restore")]
    path = f"{RUNS}/delete{mark}/restore"
    status, answer = server.call("POST", path, {"run_id": run_of_alpha}, team="alpha", path_headers=decided)
    assert (status, answer["error_code"]) == (400, "BAD_REQUEST")
    _, answer = server.call("GET", f"{RUNS}/get?run_id={run_of_alpha}", team="alpha")
    assert answer["run"]["info"]["lifecycle_stage"] == "active"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{EXPERIMENTS}/se%61rch"),
        ("POST", "/api/2.0/mlflow%2Fexperiments/search"),
        ("POST", "/api/2.0/mlflow/./experiments/search"),
        ("POST", f"/{EXPERIMENTS}/search"),
        ("POST", "/v1/tr%61ces"),
        ("POST", "/v1/traces%0A"),
        ("GET", "/api/2.0/mlflow%2Dartifacts/artifacts"),
        ("GET", "/api/3.0/mlflow/mcp%2Dservers"),
        ("GET", f"{MCP_SERVERS}/mlflow/server-info/"),
        ("GET", "/%68ealth"),
        ("POST", f"{EXPERIMENTS}/search%3F"),
    ],
)
def test_a_route_is_reached_by_one_path_alone(server: Launcher, method: str, path: str) -> None:
    """Routes of Flask and of FastAPI."""
    status, answer = server.call(method, path, {"max_results": 1}, team="alpha")
    assert (status, answer["error_code"]) == (400, "BAD_REQUEST"), answer


def test_the_slash_in_the_name_of_an_mcp_server_may_be_encoded(server: Launcher) -> None:
    """MLflow's own client sends it so."""
    assert server.call("POST", MCP_SERVERS, {"name": "com.example/search"}, team="alpha")[0] == 200
    for path in ("com.example%2Fsearch", "com.example/search"):
        status, answer = server.call("GET", f"{MCP_SERVERS}/{path}", team="alpha")
        assert (status, answer["name"]) == (200, "com.example/search")
    assert server.call("GET", f"{MCP_SERVERS}/com.example%2Fsearch", team="beta")[0] == 404


def test_an_unknown_workspace_is_an_error(server: Launcher) -> None:
    status, answer = server.call("POST", f"{EXPERIMENTS}/search", {"max_results": 1}, team="gamma")
    assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


@pytest.mark.parametrize("team", TEAMS)
def test_artifacts_lie_in_the_teams_prefix(server: Launcher, team: str) -> None:
    _, made = server.call("POST", f"{EXPERIMENTS}/create", {"name": "where"}, team=team)
    _, answer = server.call("GET", f"{EXPERIMENTS}/get?experiment_id={made['experiment_id']}", team=team)
    location = answer["experiment"]["artifact_location"]
    assert location == f"s3://{BUCKET}/workspaces/{team}/{made['experiment_id']}"


def register(server: Launcher, team: str, name: str, source: str) -> tuple[int, str]:
    """Register a model version with that source; status and the path that downloads its file.txt."""
    server.call("POST", "/api/2.0/mlflow/registered-models/create", {"name": name}, team=team)
    status, _ = server.call("POST", f"{MODEL_VERSIONS}/create", {"name": name, "source": source}, team=team)
    return status, f"/model-versions/get-artifact?name={name}&version=1&path=file.txt"


def test_a_team_downloads_its_own_artifacts(server: Launcher, aws: str) -> None:
    s3(aws).put_object(Bucket=BUCKET, Key="workspaces/alpha/7/model/file.txt", Body=b"mine")
    _, path = register(server, "alpha", "own", f"s3://{BUCKET}/workspaces/alpha/7/model")
    assert server.call("GET", path, team="alpha") == (200, "mine")


@pytest.mark.parametrize(
    "source",
    [
        f"s3://{BUCKET}/workspaces/alpha/9/model",
        f"s3://{BUCKET}/workspaces/beta/../alpha/9/model",
        f"s3://{BUCKET}/workspaces/beta%2F..%2Falpha/9/model",
        f"s3://{BUCKET}/workspaces/alpha",
        "s3://another-bucket/workspaces/beta/9/model",
    ],
)
def test_a_team_cannot_make_the_server_fetch_elsewhere(server: Launcher, aws: str, source: str) -> None:
    """The server reads S3 with its own role; a model version's source is the user's to choose."""
    s3(aws).put_object(Bucket=BUCKET, Key="workspaces/alpha/9/model/file.txt", Body=b"secret")
    name = f"thief{abs(hash(source))}"
    created, path = register(server, "beta", name, source)
    status, answer = server.call("GET", path, team="beta")
    assert answer != "secret"
    assert status == (403 if created == 200 else 404), (created, answer)


def test_a_host_that_is_not_listed_is_refused(server: Launcher) -> None:
    assert server.call("GET", WORKSPACES, host="mlflow.example.com")[0] == 200
    status, answer = server.call("GET", WORKSPACES, host="evil.example.com")
    assert (status, "Invalid Host header" in str(answer)) == (403, True)


def test_plain_http_is_refused(server: Launcher) -> None:
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=30)) as channel:
        channel.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with suppress(ConnectionResetError):
            assert channel.recv(100) == b""


def handshake(server: Launcher, version: ssl.TLSVersion, ciphers: str = "ALL:@SECLEVEL=0") -> tuple[str, str]:
    """TLS version and cipher that the server agrees to when offered that version and those ciphers only."""
    context = ssl.create_default_context(cafile=str(server.certificate))
    context.set_ciphers(ciphers)
    context.minimum_version = context.maximum_version = version
    with (
        closing(socket.create_connection(("127.0.0.1", server.port), timeout=30)) as channel,
        context.wrap_socket(channel, server_hostname="mlflow.example.com") as secure,
    ):
        return str(secure.version()), (secure.cipher() or ("",))[0]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_only_modern_tls_is_spoken(server: Launcher) -> None:
    version, cipher = handshake(server, ssl.TLSVersion.TLSv1_2)
    assert (version, "GCM" in cipher or "CHACHA20" in cipher) == ("TLSv1.2", True), cipher
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        handshake(server, ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA256")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        handshake(server, ssl.TLSVersion.TLSv1_1)


def test_the_server_does_not_name_itself(server: Launcher) -> None:
    context = ssl.create_default_context(cafile=str(server.certificate))
    with (
        closing(socket.create_connection(("127.0.0.1", server.port), timeout=30)) as channel,
        context.wrap_socket(channel, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: secure.recv(4096), b"")).lower()
    assert answer.startswith(b"http/1.1 200")
    assert b"\nserver:" not in answer


def test_what_a_tenant_server_should_not_do_is_off(server: Launcher) -> None:
    """The AI gateway, jobs and telemetry; and no process beside the server's own."""
    status, answer = server.call("GET", "/api/3.0/mlflow/gateway/secrets/list", team="alpha")
    assert (status >= 400, "gateway" in str(answer).lower()) == (True, True), (status, answer)
    commands = [(Path("/proc") / str(number) / "cmdline").read_bytes() for number in server.descendants()]
    assert len(commands) == 2
    assert not [command for command in commands if b"huey" in command or b"job" in command]


def test_secrets_stay_out_of_the_log_and_of_command_lines(
    server: Launcher, module_database: Database
) -> None:
    commands = [(Path("/proc") / str(number) / "cmdline").read_text() for number in server.descendants()]
    environments = [(Path("/proc") / str(number) / "environ").read_text() for number in server.descendants()]
    for text in (server.log(), *commands, *environments):
        assert module_database.password not in text
        assert module_database.password.replace("\\", "\\\\").replace(":", "\\:") not in text
    for name in ("passfile", "tls.key"):
        assert (server.folder / "run" / name).stat().st_mode & 0o777 == 0o600


# --- the end ------------------------------------------------------------------------------------------------


def replaced(launcher: Launcher, before: list[int]) -> bool:
    """Whether as many processes run as before, without the one that was started last."""
    now = launcher.descendants()
    return len(now) == len(before) and max(before) not in now


def test_a_worker_is_replaced_and_sigterm_stops_everything(database: Database, start: Start) -> None:
    launcher = start(database, GATEHOUSE_WORKERS="2").ready()
    before = launcher.descendants()
    assert len(before) >= 4  # mlflow, uvicorn, two workers
    os.kill(max(before), signal.SIGKILL)
    wait_for("new worker", lambda: replaced(launcher, before))
    assert launcher.call("GET", WORKSPACES)[0] == 200
    assert launcher.process.poll() is None
    processes = launcher.descendants()
    launcher.process.terminate()
    assert launcher.ended() == 0
    assert launcher.notified("STOPPING=1")
    assert not [number for number in processes if alive(number)]


def test_sigterm_during_boot_stops_everything(empty_database: Database, start: Start) -> None:
    launcher = start(empty_database)
    wait_for("upgrade", lambda: launcher.events("schema_upgrade"))
    processes = wait_for("child", launcher.descendants)
    launcher.process.terminate()
    assert launcher.ended() == 0, launcher.log()
    assert not [number for number in processes if alive(number)]


@pytest.mark.parametrize("victim", ["mlflow", "uvicorn"])
def test_the_death_of_the_server_ends_the_launcher(database: Database, start: Start, victim: str) -> None:
    launcher = start(database, GATEHOUSE_WORKERS="2").ready()
    processes = launcher.descendants()
    index = {"mlflow": 0, "uvicorn": 1}[victim]
    os.kill(processes[index], signal.SIGKILL)
    assert launcher.ended() == 1
    assert "ended by itself" in launcher.events("failed")[0]["error"]
    wait_for("end of every process", lambda: not [number for number in processes if alive(number)])
