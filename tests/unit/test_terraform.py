"""``terraform validate`` and its verdicts. The terraform here is a script that says what the real one says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gatehouse import terraform
from gatehouse.terraform import Diagnostic, Outcome, Validation, acceptable, validate

#: What Terraform 1.11 wrote on these occasions, on standard error.
NO_PROVIDER = """
Error: Failed to query available provider packages

Could not retrieve the list of available versions for provider hashicorp/aws:
could not connect to registry.example.org: no such host

To see which modules are currently depending on hashicorp/aws, run the following command:
    terraform providers
"""
BOXED = "╷\n│ Error: Failed to install provider\n│ \n│ Error while installing hashicorp/aws v5.100.0\n╵\n"
BAD_DOCUMENT = """
Error: Terraform encountered problems during initialisation, including problems
with the configuration, described below.

The Terraform configuration must be valid before initialization.

Error: Missing block label

At least one object property is required, whose name represents the provider.
"""
DEPRECATED = {
    "severity": "warning",
    "summary": "Argument is deprecated",
    "detail": "acl is deprecated.\nUse another.",
    "address": "aws_s3_bucket.artifacts",
}
BAD_ARGUMENT = {
    "severity": "error",
    "summary": "Extraneous JSON object property",
    "detail": 'No argument or block type is named "cdir".',
    "snippet": {"context": "resource.aws_vpc.this"},
}

Fake = Callable[..., None]


@pytest.fixture
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A document in a project folder that is the current folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "cdk.tf.json"
    path.write_text("{}")
    return path


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """A function that puts a terraform on the PATH: it runs ``init``, then ``validate``, as shell lines."""

    def put(*, init: str = "exit 0", validate: str = "", report: object = None) -> None:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "report.json").write_text(json.dumps(report))
        say = f'cat "{folder}/report.json"' if report is not None else ":"
        script = folder / "terraform"
        script.write_text(f'#!/bin/sh\ncase "$1" in\ninit) {init} ;;\nvalidate) {say}; {validate} ;;\nesac\n')
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return put


def _report(*diagnostics: object, valid: bool = True) -> dict[str, object]:
    return {"format_version": "1.0", "valid": valid, "diagnostics": list(diagnostics)}


def _says(text: str) -> str:
    return f"cat >&2 <<'END'\n{text}\nEND\nexit 1"


def test_a_sound_document_passes(document: Path, fake: Fake) -> None:
    fake(report=_report())
    verdict = validate("dev", document)
    assert (verdict.outcome, verdict.diagnostics, verdict.reason) == (Outcome.PASSED, (), "")


def test_a_warning_passes_and_is_told(document: Path, fake: Fake) -> None:
    fake(report=_report(DEPRECATED))
    verdict = validate("dev", document)
    assert (verdict.outcome, verdict.warnings) == (Outcome.PASSED, 1)
    (warning,) = verdict.diagnostics
    assert str(warning) == (
        "warning: aws_s3_bucket.artifacts: Argument is deprecated: acl is deprecated. Use another."
    )


def test_an_error_fails_and_names_its_place(document: Path, fake: Fake) -> None:
    fake(report=_report(BAD_ARGUMENT, valid=False), validate="exit 1")
    verdict = validate("dev", document)
    assert verdict.outcome is Outcome.FAILED
    assert str(verdict.diagnostics[0]).startswith("error: resource.aws_vpc.this: Extraneous JSON")


@pytest.mark.parametrize("report", [_report(BAD_ARGUMENT), {"valid": "yes", "diagnostics": []}])
def test_a_report_that_contradicts_itself_fails(document: Path, fake: Fake, report: object) -> None:
    fake(report=report)
    assert validate("dev", document).outcome is Outcome.FAILED


@pytest.mark.parametrize("report", [None, [], {"valid": True}])
def test_a_report_that_cannot_be_read_fails(document: Path, fake: Fake, report: object) -> None:
    fake(report=report, validate="echo 'panic: oh no' >&2; exit 11")
    verdict = validate("dev", document)
    assert verdict.outcome is Outcome.FAILED
    assert "panic: oh no" in str(verdict.diagnostics[0])


def test_without_terraform_it_is_not_run(document: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert validate("dev", document) == Validation(Outcome.NOT_RUN, reason="terraform is not on the PATH")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            NO_PROVIDER,
            "Failed to query available provider packages: Could not retrieve the list of available versions "
            "for provider hashicorp/aws: could not connect to registry.example.org: no such host",
        ),
        (BOXED, "Failed to install provider: Error while installing hashicorp/aws v5.100.0"),
    ],
)
def test_without_the_provider_it_is_not_run(document: Path, fake: Fake, said: str, reason: str) -> None:
    fake(init=_says(said))
    verdict = validate("dev", document)
    assert (verdict.outcome, verdict.reason) == (Outcome.NOT_RUN, reason)


def test_a_document_that_init_refuses_fails(document: Path, fake: Fake) -> None:
    fake(init=_says(BAD_DOCUMENT))
    verdict = validate("dev", document)
    assert verdict.outcome is Outcome.FAILED
    assert str(verdict.diagnostics[0]).startswith("error: Missing block label: At least one object property")


def test_a_terraform_that_hangs_is_ended(document: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform, "INIT_SECONDS", 0.1)
    fake(init="exec sleep 30")
    verdict = validate("dev", document)
    assert (verdict.outcome, verdict.reason) == (Outcome.NOT_RUN, "terraform init took more than 0.1 seconds")


def test_a_terraform_that_does_not_start_is_not_run(
    document: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake()
    Path(shutil.which("terraform") or "").write_bytes(b"\x7fELF")
    verdict = validate("dev", document)
    assert verdict.outcome is Outcome.NOT_RUN
    assert verdict.reason.startswith("terraform does not start: Exec format error")


def test_it_works_in_a_folder_of_its_own(document: Path, fake: Fake) -> None:
    note = 'echo "$PWD $TF_DATA_DIR $CHECKPOINT_DISABLE $TF_REGISTRY_CLIENT_TIMEOUT $*" > "$OLDPWD_NOTE"'
    fake(init=note.replace("$OLDPWD_NOTE", str(document.parent / "note")), report=_report())
    validate("dev", document)
    work = document.parent / ".gatehouse" / "terraform" / "dev"
    assert (document.parent / "note").read_text().split() == [
        str(work), f"{work}/.terraform", "1", "10", "init", "-backend=false", "-input=false", "-no-color",
    ]  # fmt: skip
    assert (work / "cdk.tf.json").read_text() == "{}"
    assert not (document.parent / ".terraform").exists()


def test_a_stale_lock_file_of_ours_is_made_anew(document: Path, fake: Fake) -> None:
    fake(init="test ! -e .terraform.lock.hcl", report=_report())
    lock = document.parent / ".gatehouse" / "terraform" / "dev" / ".terraform.lock.hcl"
    lock.parent.mkdir(parents=True)
    lock.write_text("")
    assert validate("dev", document).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("verdict", "usual", "strict"),
    [
        (Validation(Outcome.PASSED), True, True),
        (Validation(Outcome.PASSED, (Diagnostic("warning", "deprecated"),)), True, False),
        (Validation(Outcome.NOT_RUN, reason="no terraform"), True, False),
        (Validation(Outcome.FAILED), False, False),
    ],
)
def test_what_lets_a_run_succeed(verdict: Validation, usual: bool, strict: bool) -> None:
    assert acceptable(verdict, strict=False) is usual
    assert acceptable(verdict, strict=True) is strict
