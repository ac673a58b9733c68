"""The command line: exit codes, and what is printed where."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

import gatehouse.scan.gate
import gatehouse.steps
import gatehouse.synth
import gatehouse.terraform
from gatehouse.cli import app as commands
from gatehouse.scan.checkov_gate import Scanned
from gatehouse.scan.findings import Finding
from gatehouse.settings import json_schema_text
from gatehouse.steps import Step
from gatehouse.terraform import Diagnostic, Outcome, Validation

from .conftest import ROOT, WHOLE_APP

if TYPE_CHECKING:
    from .conftest import App, Edit

#: Writes down what each document was made from, as main.py does.
RECORDS = f"""
    from hashlib import sha256
    digest = lambda path: sha256(path.read_bytes()).hexdigest()
    program = {{"main.py": digest(Path({str(ROOT / "main.py")!r}))}}
    for name in names:
        document, file = out / "stacks" / name / "cdk.tf.json", f"environments/{{name}}.yaml"
        record = {{"document": digest(document), "program": program, "project": {{file: digest(Path(file))}}}}
        (document.parent / "inputs.json").write_text(json.dumps(record))
"""
FINDING = Finding("CKV_AWS_1", "aws_vpc.dev", "has no flow log", "id")
FAILED = Validation(Outcome.FAILED, (Diagnostic("error", "No such argument", "", "aws_vpc.this"),))
WARNED = Validation(Outcome.PASSED, (Diagnostic("warning", "deprecated"),))
NOT_RUN = Validation(Outcome.NOT_RUN, reason="terraform is not on the PATH")


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(commands, arguments)


@pytest.fixture
def stand_in(project: Path, app: App, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose app, Checkov, proofs and terraform are stand-ins; all is well with them."""
    monkeypatch.setattr(gatehouse.synth, "APP", app(WHOLE_APP + RECORDS))
    _proved(monkeypatch, sound=True)
    _found(monkeypatch)
    _verdict(monkeypatch, Validation(Outcome.PASSED))
    return project


def _found(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    monkeypatch.setattr(gatehouse.scan.gate, "scan", lambda _path: Scanned(findings, 3))
    monkeypatch.setattr(gatehouse.scan.gate, "LINTERS", ())


def _proved(monkeypatch: pytest.MonkeyPatch, *, sound: bool) -> None:
    def prove(environment: str) -> Step:
        return Step(f"prove {environment}", sound, "1 asked", f"the whole of {environment}\n", 0)

    monkeypatch.setattr(gatehouse.steps, "STEPS", (prove,))


def _verdict(monkeypatch: pytest.MonkeyPatch, verdict: Validation) -> None:
    monkeypatch.setattr(gatehouse.terraform, "validate", lambda _name, _document: verdict)


@pytest.mark.parametrize("arguments", [["--help"], ["init", "--help"], ["check", "--help"]])
def test_help_is_there(arguments: list[str]) -> None:
    result = _run(*arguments)
    assert result.exit_code == 0
    assert "Usage: gatehouse" in result.output


def test_help_loads_neither_pydantic_nor_yaml() -> None:
    program = (
        "import sys; sys.argv = ['gatehouse', '--help']\n"
        "from gatehouse.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sys.exit(sorted({'pydantic', 'ruamel.yaml', 'jinja2', 'cdktf', 'jsii'} & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_it_runs_as_a_module(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gatehouse", "synth", "nowhere"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("environments/nowhere.yaml: environment 'nowhere' does not exist")


@pytest.mark.parametrize("arguments", [["init"], ["synth", "--no-such"], ["no-such"], ["init", "a", "b"]])
def test_wrong_usage_exits_2(project: Path, arguments: list[str]) -> None:
    assert _run(*arguments).exit_code == 2


class TestInit:
    """``gatehouse init``."""

    def test_it_writes_a_file_that_checks(self, stand_in: Path) -> None:
        result = _run("init", "qa", "--private")
        assert result.exit_code == 0
        assert result.stdout == "environments/qa.yaml written. Edit it, then run: gatehouse check qa\n"
        assert _run("check", "qa").exit_code == 0

    def test_it_writes_over_nothing(self, project: Path) -> None:
        before = Path("environments/dev.yaml").read_bytes()
        result = _run("init", "dev")
        assert result.exit_code == 2
        assert "exists already" in result.stderr
        assert Path("environments/dev.yaml").read_bytes() == before
        assert _run("init", "dev", "--force").exit_code == 0
        assert Path("environments/dev.yaml").read_bytes() != before

    def test_a_bad_name_is_explained(self, project: Path) -> None:
        result = _run("init", "QA")
        assert result.exit_code == 2
        assert result.stderr.startswith('environments/QA.yaml: environment: "QA" is not a name. Fix: use a-z')


class TestSchema:
    """``gatehouse schema``."""

    def test_it_prints_the_schema(self) -> None:
        result = _run("schema")
        assert (result.exit_code, result.stdout) == (0, json_schema_text())

    def test_it_writes_the_schema(self, tmp_path: Path) -> None:
        path = tmp_path / "schema.json"
        assert _run("schema", "--output", str(path)).exit_code == 0
        assert json.loads(path.read_text())["title"] == "Settings"

    def test_a_folder_in_its_place_is_explained(self, tmp_path: Path) -> None:
        result = _run("schema", "--output", str(tmp_path))
        assert result.exit_code == 1
        assert result.stderr == (
            f"{tmp_path}: is a folder, and a file is to be written. Fix: name a file, or remove the folder.\n"
        )


class TestSynth:
    """``gatehouse synth``."""

    def test_it_says_what_it_made(self, stand_in: Path) -> None:
        result = _run("synth")
        assert result.exit_code == 0
        assert "cdktf.out/stacks/dev/cdk.tf.json" in result.stdout
        assert "cdktf.out/stacks/prod/cdk.tf.json" in result.stdout
        assert "2 environments synthesized" in result.stdout

    def test_it_makes_the_named_ones(self, stand_in: Path) -> None:
        assert _run("synth", "dev").exit_code == 0
        assert not Path("cdktf.out/stacks/prod").exists()

    def test_bad_input_exits_2_and_keeps_the_output(self, stand_in: Path, edit: Edit) -> None:
        _run("synth")
        path = edit("zones: [a, b]", "zones: [a]")
        document = Path("cdktf.out/stacks/dev/cdk.tf.json")
        before = document.read_bytes()
        result = _run("synth")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == (
            f'{path}:13: network.create.availability_zones: ["a"] has too few items. Fix: give at least 2: '
            "Letters of 2 to 4 availability zones: [a, b] of eu-west-1 are eu-west-1a and eu-west-1b.\n"
        )
        assert document.read_bytes() == before

    def test_a_failed_app_exits_1(self, stand_in: Path, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gatehouse.synth, "APP", app("sys.exit('no [node] found')"))
        result = _run("synth")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "It said:\nno [node] found" in result.stderr


class TestCheck:
    """``gatehouse check``."""

    def test_it_prints_what_was_made_and_the_verdict(self, stand_in: Path) -> None:
        result = _run("check")
        assert result.exit_code == 0
        assert "terraform validate dev: passed, 0 warnings" in result.stdout
        assert "terraform validate prod: passed, 0 warnings" in result.stdout

    def test_it_scans_before_it_validates(self, stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        _found(monkeypatch, FINDING)
        result = _run("check", "dev")
        assert result.exit_code == 1
        assert "scan dev: failed" in result.stdout.partition("terraform validate dev: passed")[0]

    def test_it_proves_and_says_all_of_what_fails(
        self, stand_in: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert "prove dev: passed, 1 asked" in _run("check", "dev").stdout
        _proved(monkeypatch, sound=False)
        result = _run("check", "dev")
        assert result.exit_code == 1
        assert "prove dev: failed, 1 asked" in result.stdout
        assert "the whole of dev" in result.stdout

    @pytest.mark.parametrize(
        ("verdict", "usual", "strict"), [(FAILED, 1, 1), (WARNED, 0, 1), (NOT_RUN, 0, 1)]
    )
    def test_a_verdict_decides_the_exit_code(
        self, stand_in: Path, monkeypatch: pytest.MonkeyPatch, verdict: Validation, usual: int, strict: int
    ) -> None:
        _verdict(monkeypatch, verdict)
        assert _run("check", "dev").exit_code == usual
        assert _run("check", "dev", "--strict").exit_code == strict

    def test_the_diagnostics_are_printed(self, stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        _verdict(monkeypatch, FAILED)
        assert "  error: aws_vpc.this: No such argument" in _run("check", "dev").stdout

    def test_not_run_says_why(self, stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        _verdict(monkeypatch, NOT_RUN)
        assert "not run (terraform is not on the PATH)" in _run("check", "dev").stdout

    def test_without_environments_it_says_how_to_begin(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        result = _run("check")
        assert result.exit_code == 2
        assert "gatehouse init dev" in result.stderr


class TestScan:
    """``gatehouse scan``."""

    @pytest.fixture(autouse=True)
    def _synthesized(self, stand_in: Path) -> None:
        assert _run("synth").exit_code == 0

    def test_a_sound_project_passes(self) -> None:
        result = _run("scan")
        assert result.exit_code == 0
        assert [line.split(",")[0] for line in result.stdout.splitlines()] == [
            "scan dev: passed",
            "scan prod: passed",
        ]

    def test_a_finding_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        _found(monkeypatch, FINDING)
        result = _run("scan", "dev")
        assert result.exit_code == 1
        assert "has no flow log" in result.stdout
        assert "prod" not in result.stdout

    def test_a_waiver_of_the_project_counts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        _found(monkeypatch, FINDING)
        reason = "This network is that of a test and has nothing in it."
        expires = datetime.now(UTC).date().isoformat()
        waiver = f"{{findings: [{{check: CKV_AWS_1, resource: aws_vpc.*}}], reason: {reason}, owner: us, "
        Path("waivers.yaml").write_text(f"waivers:\n  - {waiver}expires: {expires}, environments: [all]}}\n")
        _found(monkeypatch, FINDING)
        assert _run("scan", "dev").exit_code == 0
        _found(monkeypatch)
        assert "GH902" in _run("scan", "dev").stdout

    def test_a_bad_waiver_exits_2(self) -> None:
        Path("waivers.yaml").write_text("waivers: 7\n")
        result = _run("scan")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith("waivers.yaml:1: waivers: 7 is a number, not a list. Fix: ")

    @pytest.mark.parametrize(
        ("name", "start"),
        [
            ("json", "{\n"),
            ("sarif", "{\n"),
            ("junit", "<?xml"),
            ("markdown", "# Scan"),
            ("table", "scan dev"),
        ],
    )
    def test_every_format_is_printed_and_written(self, name: str, start: str) -> None:
        assert _run("scan", "--format", name).stdout.startswith(start)
        result = _run("scan", "--format", name, "--output", "out/verdict")
        assert result.exit_code == 0
        assert Path("out/verdict").read_text().startswith(start)
        assert result.stdout.startswith("scan dev: passed")

    def test_a_verdict_is_written_where_it_is_bad(self, monkeypatch: pytest.MonkeyPatch) -> None:
        _found(monkeypatch, FINDING)
        assert _run("scan", "--format", "json", "-o", "verdict.json").exit_code == 1
        assert json.loads(Path("verdict.json").read_text())["sound"] is False

    def test_no_output_folder_exits_2(self) -> None:
        Path("cdktf.out").rename("elsewhere")
        result = _run("scan")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == (
            "cdktf.out/stacks/dev/cdk.tf.json: there is no such file. "
            "Fix: synthesize it anew: gatehouse synth dev\n"
        )

    def test_a_document_older_than_its_environment_exits_2(self, edit: Edit) -> None:
        edit("project: mlflow\n", "project: mlflow # still\n")
        result = _run("scan")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == (
            "environments/dev.yaml has changed since cdktf.out/stacks/dev/cdk.tf.json was made from it. "
            "Fix: synthesize it anew: gatehouse synth dev\n"
        )
        assert _run("scan", "prod").exit_code == 0

    def test_an_unknown_format_is_wrong_usage(self) -> None:
        assert _run("scan", "--format", "yaml").exit_code == 2

    def test_an_unknown_environment_is_explained(self) -> None:
        result = _run("scan", "pro")
        assert result.exit_code == 2
        assert 'Fix: write "prod"' in result.stderr


class TestExplain:
    """``gatehouse explain``."""

    def test_our_own_checks_are_explained(self) -> None:
        result = _run("explain", "gh901")
        assert result.exit_code == 0
        assert result.stdout.startswith("GH901: A waiver has expired\nseverity: medium\nwhy: ")

    def test_what_is_no_check_is_refused(self) -> None:
        result = _run("explain", "GH9O1")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == 'explain: "GH9O1" is no check. Fix: use GH901, or one of Checkov.\n'
