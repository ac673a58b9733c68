"""Counting what a document holds, and printing it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from gatehouse.report import console, print_documents, print_resources, print_validation
from gatehouse.summary import AREAS, Summary, summarize
from gatehouse.terraform import Diagnostic, Outcome, Validation


def _at(path: str) -> dict[str, object]:
    return {"//": {"metadata": {"path": path, "uniqueId": "x"}}}


DOCUMENT = {
    "//": {"metadata": {"stackName": "dev"}},
    "resource": {
        "aws_vpc": {"a": _at("dev/network/vpc")},
        "aws_iam_role": {"a": _at("dev/network/flow-log-role"), "b": {}, "c": _at("dev/server-role/role")},
        "aws_security_group": {"a": _at("dev/firewall/server/group")},
        "aws_lb": {"a": _at("dev/load-balancer/balancer")},
        "aws_kms_key": {"a": _at("dev/log-key/key"), "b": _at("dev/key")},
        "aws_db_instance": {"a": {}},
        "null_resource": {"a": {}},
    },
    "data": {"aws_caller_identity": {"a": {}}, "aws_availability_zones": {"a": {}}},
    "variable": {"instance_type": {}},
    "output": {"api_url": {}, "bucket": {}, "tracking_uri": {}},
}


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Summary:
    """The summary of a small document, at the path that synthesis gives it."""
    monkeypatch.chdir(tmp_path)
    path = Path("cdktf.out/stacks/dev/cdk.tf.json")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(DOCUMENT))
    return summarize("dev", path)


def test_resources_are_counted_by_area(summary: Summary) -> None:
    assert {area: count for area, count in summary.resources.items() if count} == {
        "network": 3,  # by their construct, whatever the type
        "storage": 1,
        "database": 1,  # by its type
        "api": 1,
        "identity": 2,
        "observability": 1,
        "other": 1,
    }
    assert summary.total == 10
    assert (summary.data_sources, summary.variables, summary.outputs) == (2, 1, 3)
    assert summary.size == len(json.dumps(DOCUMENT))


def test_an_empty_document_has_nothing(tmp_path: Path) -> None:
    (tmp_path / "cdk.tf.json").write_text("{}")
    assert summarize("dev", tmp_path / "cdk.tf.json").total == 0


def test_the_tables_fit_in_100_columns_of_plain_text(summary: Summary) -> None:
    file = io.StringIO()
    out = console(file)
    print_resources(out, [summary, summary])
    print_documents(out, [summary], 1.25)
    printed = file.getvalue()
    assert printed.isascii()
    assert "\x1b" not in printed
    assert max(map(len, printed.splitlines())) <= 100
    header, row, *_ = printed.splitlines()
    assert header.split() == ["resources", *AREAS, "other", "total"]
    assert row.split() == ["dev", "3", "1", "1", "-", "1", "2", "1", "1", "10"]
    assert "cdktf.out/stacks/dev/cdk.tf.json" in printed
    assert "1 environment synthesized in 1.2 s" in printed


def test_no_column_for_others_if_there_are_none(summary: Summary) -> None:
    file = io.StringIO()
    alone = Summary("dev", summary.path, 1, {**dict.fromkeys(AREAS, 1), "other": 0}, 0, 0, 0)
    print_resources(console(file), [alone])
    assert "other" not in file.getvalue()


def test_every_diagnostic_is_printed_whole() -> None:
    file = io.StringIO()
    long = Diagnostic("warning", "Argument is deprecated", "x" * 200, "aws_subnet.this[0]")
    verdicts = [
        ("dev", Validation(Outcome.PASSED, (long,), seconds=3.21)),
        ("prod", Validation(Outcome.NOT_RUN, reason="terraform is not on the PATH")),
    ]
    for environment, verdict in verdicts:
        print_validation(console(file), environment, verdict)
    assert file.getvalue().splitlines() == [
        "terraform validate dev: passed, 1 warning, 3.2 s",
        f"  warning: aws_subnet.this[0]: Argument is deprecated: {'x' * 200}",
        "terraform validate prod: not run (terraform is not on the PATH)",
    ]
