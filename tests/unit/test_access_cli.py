"""``gatehouse access matrix``, ``why`` and ``who-can``: answers in words, exit codes, and how bad input is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gatehouse.cli import app
from tests.unit.matrix_stack import BUCKET, IAM, blocks, write
from tests.unit.stacks import stack_in

DOCUMENT = "cdk.tf.json"
OBJECT = f"{BUCKET}/workspaces/search/1/model"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("cli")
    content = blocks()
    content["aws_iam_user"] = {"anna": {"name": "anna"}}
    write(stack_in(made), content)
    return made


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def run(command: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["access", command, DOCUMENT, *arguments])


def why(*arguments: str) -> str:
    result = run("why", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("--as", "admin", "--do", "runs:read"),
            ("Yes: admin of", "in its own team", "allowed by Routes in aws_iam_policy.admin.policy"),
        ),
        (
            ("--as", "admin", "--team", "search", "--do", "artifacts:delete"),
            ("Yes: admin of search", "Delete in"),
        ),
        (
            ("--as", "admin", "--team", "search", "--do", "runs:write", "--in", "fraud"),
            ("No: ", "runs:write in fraud"),
        ),
        (
            ("--as", "admin", "--do", "artifacts:delete", "--no-mfa"),
            ("In part (2 of 3)", "what goes through: "),
        ),
        (
            ("--as", "admin", "--do", "runs:read", "--outside"),
            ("No: ", "denied by Outside", "the resource's own policy"),
        ),
        (
            ("--as", "admin", "--do", "runs:read", "--no-tag"),
            ("No: ", "no statement of its identity policies"),
        ),
        (("--as", "admin", "--do", "runs:read", "--no-tls"), ("That cannot happen", "HTTPS")),
        (("--as", "admin", "--do", "artifacts:write", "--no-tls"), ("No: ", "denied by Tls")),
        (("--as", "st-search-admin", "--do", "runs:read"), ("Yes: admin of search",)),
        (("--as", f"{IAM}:role/st/admin/st-search-admin", "--do", "runs:read"), ("Yes: admin of search",)),
        (("--as", "st-server", "--do", "artifacts:read"), ("No: st-server,",)),
        (("--as", "anna", "--do", "artifacts:read"), ("No: anna,",)),
        (("--as", "auditor", "--do", "runs:read", "--in", "search"), ("In part (6 of 16)",)),
        (("--as", "auditor", "--team", "search", "--do", "runs:read"), ("In part (6 of 16)",)),
        (
            ("--as", "admin", "--team", "search", "--do", "s3:GetObject", "--on", OBJECT),
            ("Yes: ", f"s3:GetObject on {OBJECT}", "allowed by Objects"),
        ),
        (("--as", "admin", "--team", "fraud", "--do", "s3:GetObject", "--on", OBJECT), ("No: ",)),
        (
            (
                "--as",
                "st-search-admin",
                "--do",
                "s3:GetObject",
                "--on",
                OBJECT,
                "--context",
                "aws:securetransport=false",
            ),
            ("No: ", "denied by Tls"),
        ),
        (
            (
                "--as",
                "admin",
                "--team",
                "fraud",
                "--do",
                "artifacts:read",
                "--context",
                "s3:prefix=workspaces/search/",
            ),
            ("In part", "what goes through"),
        ),
    ],
)
def test_an_answer_says_whether_and_why(arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    said = why(*arguments)
    for word in words:
        assert word in said


def test_an_answer_names_file_and_line() -> None:
    said = why("--as", "admin", "--do", "runs:write")
    line = int(said.split(f"({DOCUMENT}:")[1].split(")")[0])
    assert "execute-api:Invoke" in Path(DOCUMENT).read_text(encoding="utf-8").splitlines()[line - 1]


def test_an_answer_as_json() -> None:
    data = json.loads(
        why("--as", "admin", "--team", "search", "--do", "artifacts:delete", "--no-mfa", "-f", "json")
    )
    (answer,) = data["answers"]
    assert (answer["principal"], answer["teams"], answer["state"]) == ("admin", ["search"], "some")
    assert (answer["in"], answer["situation"], answer["asked"]) == ("search", "without MFA", 3)
    assert len(answer["allowed"]) == 2
    assert {one["layer"] for one in answer["reasons"]} == {"identity_policies"}


def test_who_can_names_those_who_can_and_those_who_cannot() -> None:
    result = run("who-can", "--do", "artifacts:delete")
    assert result.exit_code == 0
    assert result.stdout.startswith("Who can artifacts:delete in its own team, in the plain case:\n")
    able, _, unable = result.stdout.partition("Not:")
    assert "admin of fraud, fraudulent, pricing, search, yes:" in able
    assert "allowed by Delete in aws_iam_policy.admin.policy (cdk.tf.json:" in able
    assert "auditor, reader of fraud, fraudulent, pricing, search, st-server, anna: " in unable


def test_who_can_with_a_teams_data_asks_those_of_other_teams_apart() -> None:
    result = run("who-can", "--do", "artifacts:delete", "--team", "search")
    able, _, unable = result.stdout.partition("Not:")
    assert "admin of search, yes:" in able
    assert "admin of fraud, fraudulent, pricing" in unable
    assert "reader of search" in unable


def test_who_can_do_an_action_finds_the_one_team_that_can() -> None:
    result = run("who-can", "--do", "s3:DeleteObject", "--on", OBJECT)
    able, _, unable = result.stdout.partition("Not:")
    assert able.count("yes:") == able.count("admin of search, yes:") == 1
    assert "admin of fraud, fraudulent, pricing" in unable


def test_nobody_can() -> None:
    result = run("who-can", "--do", "stack:change-iam", "-f", "json")
    assert result.exit_code == 0
    assert {one["state"] for one in json.loads(result.stdout)["answers"]} == {"none"}
    assert "\nNobody.\n" in run("who-can", "--do", "stack:change-iam").stdout


@pytest.mark.parametrize("output_format", ["table", "json", "csv", "markdown", "html"])
def test_the_matrix_is_written_as_asked(output_format: str, folder: Path) -> None:
    shown = run("matrix", "--format", output_format)
    assert shown.exit_code == 0, shown.output
    written = run("matrix", "--format", output_format, "--output", "m.out")
    assert (written.exit_code, written.stdout) == (0, "m.out written.\n")
    assert (folder / "m.out").read_bytes().decode().replace("\r\n", "\n") == shown.stdout.replace(
        "\r\n", "\n"
    )


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        (
            "why",
            ("--as", "admim", "--do", "runs:read"),
            '--as: "admim" is no principal of the stack. Fix: admin?',
        ),
        ("why", ("--as", "zzz", "--do", "runs:read"), "Fix: one of admin, auditor, reader, st-server, anna."),
        (
            "why",
            ("--as", "admin", "--do", "runs:reed"),
            '--do: "runs:reed" is no capability, and no action of AWS. Fix: runs:read?',
        ),
        (
            "why",
            ("--as", "admin", "--team", "fruad", "--do", "runs:read"),
            '--team: "fruad" is no team of the stack. Fix: fraud?',
        ),
        (
            "why",
            ("--as", "admin", "--in", "serch", "--do", "runs:read"),
            '--in: "serch" is no team of the stack. Fix: search?',
        ),
        (
            "why",
            ("--as", "st-search-admin", "--team", "fraud", "--do", "runs:read"),
            "is not the team of st-search-admin",
        ),
        (
            "why",
            ("--as", "admin", "--do", "s3:GetObject"),
            "is an action, and nothing says on what. Fix: --on",
        ),
        (
            "why",
            ("--as", "admin", "--do", "s3:GetObjct", "--on", OBJECT),
            "is no action of AWS. Fix: s3:GetObject.",
        ),
        ("why", ("--as", "admin", "--do", "s3:Get*", "--on", OBJECT), "is a pattern. Fix: one action."),
        (
            "why",
            ("--as", "admin", "--do", "s3:GetObject", "--on", OBJECT),
            "is of several teams, and this may be about one",
        ),
        ("why", ("--as", "st-server", "--do", "s3:GetObject", "--on", "x"), "is no ARN"),
        ("why", ("--as", "admin", "--do", "runs:read", "--context", "x"), "--context: x is not NAME=VALUE"),
        ("who-can", ("--do", "nothing:read"), "is no capability"),
        (
            "who-can",
            ("--do", "s3:GetObject", "--on", OBJECT, "--team", "fraud"),
            "says nothing: an action is on a resource",
        ),
        ("matrix", ("--var", "x"), "--var: x is not NAME=VALUE"),
        ("matrix", ("--var", "x=1"), "x"),
    ],
)
def test_bad_input_is_refused_with_the_fix(command: str, arguments: tuple[str, ...], said: str) -> None:
    result = run(command, *arguments)
    assert result.exit_code == 2, result.output
    assert said.replace('"', "") in result.stderr.replace('"', "")
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("environment", "said"),
    [("nowhere", "run: gatehouse synth nowhere"), ("no.json", "the path of a document")],
)
def test_a_document_that_is_not_there_is_refused(environment: str, said: str) -> None:
    result = CliRunner().invoke(app, ["access", "matrix", environment])
    assert result.exit_code == 2
    assert said in result.stderr


def test_the_account_may_be_given() -> None:
    data = json.loads(
        run("matrix", "-f", "json", "--account", "444455556666", "--region", "eu-central-1").stdout
    )
    assert (data["account"], data["region"]) == ("444455556666", "eu-central-1")
