"""What an operator may do: the rendered policies, and the commands of the session document."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gatehouse.policies import TEMPLATES, Kind, measure, render_policy

TASKS = ("status", "logs", "boot-logs", "restart")
DOCUMENTS = ("personas/operator", "boundaries/operator")
Statements = dict[str, dict[str, Any]]


def render(template: str) -> str:
    return render_policy(
        template,
        Kind.MANAGED,
        account="111122223333",
        region="eu-west-1",
        prefix="mlflow-dev",
        operations_document="mlflow-dev-operations",
        scaling_group="mlflow-dev-server",
        log_groups=["/gatehouse/mlflow-dev/*", "/aws/rds/instance/mlflow-dev/*"],
    )


def statements(template: str, effect: str = "Allow") -> Statements:
    document = json.loads(render(template).replace("$${", "${"))
    return {one["Sid"]: one for one in document["Statement"] if one["Effect"] == effect}


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def actions(found: Statements) -> set[str]:
    return {action for statement in found.values() for action in listed(statement["Action"])}


def with_action(found: Statements, action: str) -> list[dict[str, Any]]:
    return [statement for statement in found.values() if action in listed(statement["Action"])]


@pytest.mark.parametrize("template", DOCUMENTS)
def test_every_action_is_named_and_none_reaches_data_or_identity(template: str) -> None:
    allowed = actions(statements(template))
    assert not [action for action in allowed if "*" in action or "?" in action]
    assert {action.partition(":")[0] for action in allowed} == {
        "autoscaling", "cloudwatch", "ec2", "logs", "ssm", "ssmmessages",
    }  # fmt: skip
    writes = {action for action in allowed if not re.match(r"[a-z0-9]+:(Describe|Get|List|Filter)", action)}
    assert writes == {
        "autoscaling:CancelInstanceRefresh", "autoscaling:RollbackInstanceRefresh",
        "autoscaling:StartInstanceRefresh", "logs:StartQuery", "logs:StopQuery", "ssm:ResumeSession",
        "ssm:StartSession", "ssm:TerminateSession", "ssmmessages:OpenDataChannel",
    }  # fmt: skip


@pytest.mark.parametrize("template", DOCUMENTS)
def test_a_session_needs_the_server_s_tag_and_this_stack_s_document(template: str) -> None:
    checked = {"BoolIfExists": {"ssm:SessionDocumentAccessCheck": "true"}}
    tagged = {"StringEquals": {"aws:ResourceTag/gatehouse:stack": "mlflow-dev"}}
    found = with_action(statements(template), "ssm:StartSession")
    assert {one["Resource"]: one["Condition"] for one in found} == {
        "arn:aws:ec2:eu-west-1:111122223333:instance/*": {**tagged, **checked},
        "arn:aws:ssm:eu-west-1:111122223333:document/mlflow-dev-operations": checked,
    }


def test_only_own_sessions_are_used_and_ended() -> None:
    found = statements("personas/operator")
    (channel,) = with_action(found, "ssmmessages:OpenDataChannel")
    assert channel["Resource"].endswith(":session/${aws:userid}-*")
    (end,) = with_action(found, "ssm:TerminateSession")
    owner = {"ssm:resourceTag/aws:ssmmessages:session-id": ["${aws:userid}", "${aws:userid}-*"]}
    assert end["Condition"] == {"StringLike": owner}


@pytest.mark.parametrize("template", DOCUMENTS)
def test_a_refresh_replaces_this_group_s_servers_by_the_same(template: str) -> None:
    (refresh,) = with_action(statements(template), "autoscaling:StartInstanceRefresh")
    assert refresh["Resource"].endswith(":autoScalingGroupName/mlflow-dev-server")
    assert refresh["Condition"] == {
        "Null": {"autoscaling:ImageId": "true", "autoscaling:TargetCapacityTypes": "true"}
    }


@pytest.mark.parametrize("template", DOCUMENTS)
def test_log_events_are_read_from_this_stack_s_groups_alone(template: str) -> None:
    for action in ("logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartQuery", "logs:GetQueryResults"):
        (statement,) = with_action(statements(template), action)
        assert statement["Resource"] == [
            "arn:aws:logs:eu-west-1:111122223333:log-group:/gatehouse/mlflow-dev/*:*",
            "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/rds/instance/mlflow-dev/*:*",
        ]


def test_the_boundary_admits_all_of_the_persona_and_denies_the_rest_by_name() -> None:
    assert actions(statements("personas/operator")) == actions(statements("boundaries/operator"))
    denied = statements("boundaries/operator", "Deny")
    assert all("Condition" not in one and one["Resource"] == "*" for one in denied.values())
    assert actions(denied) >= {
        "iam:*", "organizations:*", "account:*", "sts:*", "s3:*", "execute-api:*", "secretsmanager:*",
        "rds-db:*", "kms:*", "ec2:RunInstances", "ssm:SendCommand",
    }  # fmt: skip


@pytest.mark.parametrize("template", DOCUMENTS)
def test_the_documents_leave_room_in_their_quota(template: str) -> None:
    assert measure(render(template)) < Kind.MANAGED.quota * 0.75


def session() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((TEMPLATES / "operations" / "session.json").read_text())
    return document


def test_a_session_runs_one_command_without_shell_or_terminal() -> None:
    document = session()
    assert (document["schemaVersion"], document["sessionType"]) == ("1.0", "NonInteractiveCommands")
    assert document["properties"].keys() == {"linux"}
    assert document["parameters"].keys() == {"task"}


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        *((task, True) for task in TASKS),
        ("", False),
        ("status;id", False),
        ("status restart", False),
        ("xstatus", False),
        ("restart\nid", False),
        ("{{ssm:secret}}", False),
    ],
)
def test_the_document_accepts_its_tasks_alone(value: str, accepted: bool) -> None:
    pattern = session()["parameters"]["task"]["allowedPattern"]
    assert (re.search(pattern, value) is not None) is accepted
    assert session()["parameters"]["task"]["default"] in TASKS


def ran(value: str, programs: Path) -> tuple[int, str]:
    """Run the command as the agent does: split into words, without a shell. Programs are stand-ins that echo."""
    command = session()["properties"]["linux"]["commands"].replace("{{ task }}", value)
    done = subprocess.run(
        shlex.split(command), env={"PATH": str(programs)}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.strip()


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    for name in ("systemctl", "tail", "id"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(("task", "command"), [
    ("status", "systemctl status mlflow.service --no-pager --full --lines=100"),
    ("logs", "tail --lines=500 /var/log/mlflow/server.log"),
    ("boot-logs", "tail --lines=500 /var/log/cloud-init-output.log"),
    ("restart", "systemctl restart mlflow.service"),
])  # fmt: skip
def test_a_task_is_one_command(task: str, command: str, programs: Path) -> None:
    assert ran(task, programs) == (0, command)


@pytest.mark.parametrize("value", ["", "id", "*", "$(id)", "`id`", "x;id", "x'\"'$(id)", "|| id", "*) id"])
def test_what_the_pattern_would_refuse_runs_nothing(value: str, programs: Path) -> None:
    try:
        code, output = ran(value, programs)
    except ValueError:  # quotes that do not match: the agent starts nothing either
        return
    assert (code, output) == (2, "")


def test_the_paths_and_the_unit_are_those_of_the_server(repository: Path) -> None:
    server = repository / "templates" / "server"
    unit = (server / "mlflow.service").read_text()
    agent = (server / "cloudwatch-agent.json").read_text()
    command = session()["properties"]["linux"]["commands"]
    assert "append:/var/log/mlflow/server.log" in unit
    for path in re.findall(r"/var/log/\S+?\.log", command):
        assert path in agent
