"""Checkov over a document: what it finds, under which address, and every way in which it could find nothing."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from gatehouse.scan.checkov_gate import explain, scan
from gatehouse.scan.findings import ScanError
from tests.scan.conftest import DOCUMENT, Write

if TYPE_CHECKING:
    from checkov.common.output.report import Report
    from checkov.runner_filter import RunnerFilter
    from checkov.terraform_json.runner import TerraformJsonRunner


def refusal(path: Path) -> str:
    """Return the one message with which the gate gives no verdict."""
    with pytest.raises(ScanError) as refused:
        scan(path)
    assert refused.value.exit_code == 2
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_failed_checks_are_findings_under_terraform_addresses(write: Write) -> None:
    found = scan(write())
    assert found.passed > 0
    assert list(found.findings) == sorted(set(found.findings))
    by_check = {(one.check, one.address): one for one in found.findings}
    assert {address for _check, address in by_check} == {"aws_s3_bucket.open", "aws_lb.open"}
    python = by_check["CKV_AWS_150", "aws_lb.open"]  # a check of one resource, named resource.open by Checkov
    assert python.place == "enable_deletion_protection"
    assert python.detail == "Ensure that Load Balancer has deletion protection enabled"
    assert ("CKV2_AWS_62", "aws_s3_bucket.open") in by_check  # a graph check


def test_data_sources_are_found_under_their_address(write: Write) -> None:
    document: dict[str, Any] = {"aws_availability_zones": {"all": {"state": "available"}}}
    findings = scan(write(data=document)).findings
    assert "data.aws_availability_zones.all" in {one.address for one in findings}


def test_every_copy_of_a_counted_resource_is_one_finding(write: Write) -> None:
    buckets = {"aws_s3_bucket": {"many": {"count": 3, "bucket": "many"}}}
    findings = scan(write(resource=buckets)).findings
    assert {one.address for one in findings} == {"aws_s3_bucket.many"}


def test_a_verdict_does_not_depend_on_the_run_before(write: Write) -> None:
    path = write()
    assert scan(path) == scan(path)


def test_nothing_is_fetched(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> NoReturn:
        raise AssertionError("Checkov opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert scan(write()).findings


def test_no_variable_of_the_environment_has_a_say(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = scan(write())
    monkeypatch.setenv("CHECKOV_GRAPH_FRAMEWORK", "NETWORKX")
    monkeypatch.setenv("CHECKOV_ENABLE_FOREACH_HANDLING", "nonsense")
    assert scan(write()) == usual
    assert os.environ["CHECKOV_GRAPH_FRAMEWORK"] == "NETWORKX"


def test_required_version_is_no_clean_bill(write: Write) -> None:
    """Checkov alone reports parsing_errors: 1, nothing failed, and ends with 0 (bridgecrewio/checkov#7454)."""
    assert "Checkov cannot parse it" in refusal(write(terraform={"required_version": ">= 1.10"}))


def test_a_document_without_resources_fails(write: Write) -> None:
    assert "has no check for anything in it" in refusal(write(resource={}, provider={}))


def test_a_document_of_which_checkov_knows_nothing_fails(write: Write) -> None:
    only = {"aws_network_interface": DOCUMENT["resource"]["aws_network_interface"]}
    assert "has no check for anything in it" in refusal(write(resource=only, provider={}))


def test_a_resource_that_checkov_drops_fails(write: Write) -> None:
    hidden = {**DOCUMENT["resource"], "aws_db_instance": {"__startline__": {"engine": "postgres"}}}
    assert "Checkov did not see aws_db_instance.__startline__" in refusal(write(resource=hidden))


def test_a_resource_missing_in_the_graph_fails(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    from gatehouse.scan import checkov_runner

    monkeypatch.setattr(checkov_runner, "_graph_addresses", lambda _runner: frozenset({"aws_lb.open"}))
    assert "did not see aws_network_interface.plain, aws_s3_bucket.open" in refusal(write())


def test_a_check_that_crashes_fails(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    from checkov.terraform.checks.resource.aws.ELBv2AccessLogs import ELBv2AccessLogs

    def crash(*_arguments: object) -> NoReturn:
        raise KeyError("listener")

    monkeypatch.setattr(ELBv2AccessLogs, "scan_resource_conf", crash)
    assert "Checkov went on after an error: Failed to run check CKV_AWS_91" in refusal(write())


def test_a_crash_of_checkov_fails(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    from checkov.terraform_json.runner import TerraformJsonRunner

    def crash(*_arguments: object, **_named: object) -> NoReturn:
        raise KeyError("listener")

    monkeypatch.setattr(TerraformJsonRunner, "add_python_check_results", crash)
    assert "Checkov failed: KeyError: 'listener'. Fix: " in refusal(write())


def test_a_graph_check_that_crashes_fails(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkov runs these in threads and never asks how they ended."""
    from checkov.common.checks_infra.registry import get_graph_checks_registry

    registry = get_graph_checks_registry("terraform")
    registry.load_checks()
    check = next(one for one in registry.checks if one.id == "CKV2_AWS_62")

    def crash(_graph: object) -> NoReturn:
        raise RuntimeError("no such vertex")

    monkeypatch.setattr(check, "run", crash)
    assert "ended with an error of their own: CKV2_AWS_62." in refusal(write())


def test_an_end_of_the_process_is_no_verdict(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    from checkov.terraform_json.runner import TerraformJsonRunner

    monkeypatch.setattr(TerraformJsonRunner, "add_python_check_results", lambda *_a, **_k: sys.exit(0))
    assert "Checkov failed: SystemExit: 0" in refusal(write())


def test_an_error_that_checkov_only_logs_fails(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    from checkov.terraform_json.runner import TerraformJsonRunner

    usual = TerraformJsonRunner.add_graph_check_results

    def log(self: TerraformJsonRunner, report: Report, runner_filter: RunnerFilter) -> None:
        logging.getLogger("checkov.x").error("a rule could not be loaded")
        usual(self, report, runner_filter)

    monkeypatch.setattr(TerraformJsonRunner, "add_graph_check_results", log)
    assert "Checkov went on after an error: a rule could not be loaded. Fix: " in refusal(write())


def test_a_skipped_check_fails(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    from checkov.common.models.enums import CheckResult
    from checkov.terraform.checks.resource.aws.ELBv2AccessLogs import ELBv2AccessLogs

    monkeypatch.setattr(ELBv2AccessLogs, "scan_resource_conf", lambda *_a: CheckResult.SKIPPED)
    assert "Checkov skipped CKV_AWS_91 of resource.open" in refusal(write())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b'{"resource": "\xff"}', "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "holds no resources"),
        (b"{}", "holds no resources"),
        (b'{"resource": [{"aws_vpc": {"a": {}}}]}', "holds no resources"),
        (b'{"resource": {"aws_vpc": []}}', "holds no resources"),
    ],
)
def test_an_unreadable_document_fails(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "cdk.tf.json"
    path.write_bytes(content)
    assert refusal(path).startswith(f"{path}: {message}")


def test_a_document_that_is_not_there_fails(tmp_path: Path) -> None:
    assert "cannot be read: No such file or directory" in refusal(tmp_path / "cdk.tf.json")


def test_a_name_that_checkov_passes_over_fails(write: Write) -> None:
    assert "ends in .tf.json" in refusal(write().rename(write().with_name("cdk.json")))


def test_names_that_cannot_be_told_apart_fail(write: Write, tmp_path: Path) -> None:
    """In a document of one line, Checkov's NAME without a type may be any of these."""
    import json

    path = tmp_path / "cdk.tf.json"
    path.write_text(json.dumps(DOCUMENT), encoding="utf-8")
    assert "which may be any of aws_lb.open, aws_s3_bucket.open" in refusal(path)


def test_checks_are_explained() -> None:
    python, graph = explain("CKV_AWS_91"), explain("CKV2_AWS_62")
    assert python is not None
    assert graph is not None
    assert (python.title, python.resources) == (
        "Ensure the ELBv2 (Application/Network) has access logging enabled",
        ("aws_alb", "aws_lb"),
    )
    assert graph.resources == ("aws_s3_bucket",)
    assert explain("CKV_AWS_999999") is None


def test_checkov_is_imported_by_a_scan_and_not_before() -> None:
    program = "import sys, gatehouse.cli, gatehouse.scan.checkov_gate; sys.exit('checkov' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
