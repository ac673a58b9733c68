"""Whatever keeps the gate from a verdict ends the command line with 2, one message, and nothing that looks like one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
from typer.testing import CliRunner, Result

import gatehouse.scan.gate
from gatehouse.cli import app
from gatehouse.fields import ROOT
from gatehouse.inputs import write_record
from tests.scan.conftest import DOCUMENT

PLANNED = Path(__file__).parent / "planned"
ENVIRONMENT = Path("environments/dev.yaml")
SYNTHESIZED = Path("cdktf.out/stacks/dev/cdk.tf.json")
PLAN = Path("tfplan.json")

Json = dict[str, Any]
Spoil = Callable[[pytest.MonkeyPatch], object]


def put(content: bytes | Json) -> None:
    """Write a document as if it were synthesized from the environment file."""
    SYNTHESIZED.parent.mkdir(parents=True, exist_ok=True)
    SYNTHESIZED.write_bytes(content if isinstance(content, bytes) else json.dumps(content, indent=2).encode())
    write_record(SYNTHESIZED, {str(ENVIRONMENT): hashlib.sha256(ENVIRONMENT.read_bytes()).hexdigest()})


def put_plan(change: Callable[[Json], object]) -> None:
    content = json.loads((PLANNED / "plan.json").read_bytes())
    change(content)
    PLAN.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project of one environment, with a document and its plan."""
    monkeypatch.chdir(tmp_path)
    ENVIRONMENT.parent.mkdir()
    ENVIRONMENT.write_bytes((ROOT / ENVIRONMENT).read_bytes())
    put((PLANNED / "cdk.tf.json").read_bytes())
    put_plan(lambda _content: None)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["scan", "dev", *words])


def crash(*_arguments: object, **_named: object) -> NoReturn:
    raise KeyError("listener")


def crash_of_checkov(monkeypatch: pytest.MonkeyPatch) -> None:
    from checkov.terraform_json.runner import TerraformJsonRunner

    monkeypatch.setattr(TerraformJsonRunner, "add_python_check_results", crash)


def crash_over_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    from checkov.terraform.plan_runner import Runner

    monkeypatch.setattr(Runner, "check_tf_definition", crash)


def crash_of_a_linter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatehouse.scan.gate, "LINTERS", (crash,))


def no_output_folder(_monkeypatch: pytest.MonkeyPatch) -> None:
    Path("cdktf.out").rename("elsewhere")


def a_file_for_the_output_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    no_output_folder(monkeypatch)
    Path("cdktf.out").touch()


def older_than_its_file(_monkeypatch: pytest.MonkeyPatch) -> None:
    ENVIRONMENT.write_bytes(ENVIRONMENT.read_bytes() + b"# more\n")


def a_file_beside(name: str, _monkeypatch: pytest.MonkeyPatch) -> None:
    (SYNTHESIZED.parent / name).touch()


def a_folder_for_the_plan(_monkeypatch: pytest.MonkeyPatch) -> None:
    PLAN.unlink()
    PLAN.mkdir()


HIDDEN: Json = {**DOCUMENT["resource"], "aws_db_instance": {"__startline__": {"engine": "postgres"}}}
FAILURES: dict[str, tuple[Spoil, str]] = {
    "a parsing error": (
        lambda _m: put({**DOCUMENT, "terraform": {"required_version": ">= 1.10"}}),
        "Checkov cannot parse it",
    ),
    "nothing scanned": (
        lambda _m: put({"resource": {"aws_network_interface": {"n": {}}}}),
        "Checkov has no check for anything in it",
    ),
    "no resources": (lambda _m: put({"resource": {}}), "Checkov has no check for anything in it"),
    "a resource not seen": (lambda _m: put({**DOCUMENT, "resource": HIDDEN}), "Checkov did not see"),
    "a crash of Checkov": (crash_of_checkov, "Checkov failed: KeyError"),
    "a crash of a linter": (crash_of_a_linter, "the linter crash failed: KeyError"),
    "no output folder": (no_output_folder, "there is no such file"),
    "a file for the output folder": (a_file_for_the_output_folder, "there is no such file"),
    **{
        f"a file beside it, {name}": (partial(a_file_beside, name), f"{name}: Terraform would read it")
        for name in ("more.tf", "override.tf.json", "cdk_override.tofu", "more.tofu.json")
    },
    "a block twice": (
        lambda _m: put(b'{"resource": {"a": {}}, "resource": {}}'),
        "'resource' is there twice",
    ),
    "no JSON": (lambda _m: put(b"{"), "is not JSON"),
    "no text": (lambda _m: put(b'{"resource": "\xff"}'), "is not JSON"),
    "no document": (lambda _m: put(b"[]"), "holds no resources"),
    "out of date": (older_than_its_file, "has changed since"),
}
PLAN_FAILURES: dict[str, tuple[Spoil, str]] = {
    "no plan file": (lambda _m: PLAN.unlink(), "cannot be read"),
    "a folder": (a_folder_for_the_plan, "cannot be read"),
    "no JSON": (lambda _m: PLAN.write_bytes(b"PK\x03\x04"), "is not JSON"),
    "no plan": (lambda _m: PLAN.write_text("{}"), "is no plan"),
    "no planned_values": (lambda _m: put_plan(lambda plan: plan.pop("planned_values")), "is no plan"),
    "a plan of nothing": (
        lambda _m: put_plan(lambda plan: plan.update(planned_values={})),
        "does not plan aws_cloudwatch_log_group.flow_logs",
    ),
    "a plan that Checkov does not take": (
        lambda _m: put_plan(lambda plan: plan.pop("terraform_version")),
        "Checkov did not see",
    ),
    "a plan of another document": (lambda _m: put(DOCUMENT), "has not. Fix: plan what was synthesized last"),
    "a crash over the plan": (crash_over_the_plan, "Checkov failed: KeyError"),
}


def check_one_message(result: Result, message: str) -> None:
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Fix: " in result.stderr
    assert "Traceback" not in result.stderr


def test_what_is_whole_has_a_verdict() -> None:
    result = run("--plan", str(PLAN))
    assert result.exit_code == 1
    assert "CKV_AWS_338" in result.stdout
    assert "; plan tfplan.json: " in result.stdout


@pytest.mark.parametrize("name", FAILURES)
def test_a_document_without_a_verdict(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil, message = FAILURES[name]
    spoil(monkeypatch)
    check_one_message(run("--format", "sarif", "--output", "out.sarif"), message)
    assert not Path("out.sarif").exists()


@pytest.mark.parametrize("name", PLAN_FAILURES)
def test_a_plan_without_a_verdict(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil, message = PLAN_FAILURES[name]
    spoil(monkeypatch)
    check_one_message(run("--plan", str(PLAN)), message)
