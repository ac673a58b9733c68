"""Verdicts, and the same verdict in every format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import gatehouse.scan.gate
from gatehouse.report import verdicts_as_text
from gatehouse.scan.checkov_gate import Scanned
from gatehouse.scan.findings import Finding, ScanError
from gatehouse.scan.gate import Verdict, judge_documents
from gatehouse.scan.outputs import (
    SARIF_SCHEMA,
    WRITERS,
    as_json,
    as_junit,
    as_markdown,
    as_sarif,
    waiver_table,
)
from gatehouse.scan.waivers import Accepted, Placed, Waiver

ACCEPTED = Accepted(check="CKV_AWS_1", resource="aws_s3_bucket.b")
WAIVER = Placed(
    Waiver(
        findings=(ACCEPTED, Accepted(check="CKV_AWS_4", resource="aws_lb.*")),
        environments=("all",),
        reason="It is accepted for a reason that is\ntold here at some length.",
        owner="ml-platform",
        expires="2027-01-01",
    ),
    ACCEPTED,
    "waivers.yaml:7",
)
CHECKOV = Finding("CKV_AWS_2", "aws_s3_bucket.a", "is <open> | to \x01 anyone & *all*", "policy, Sid`x`")
OURS = Finding("GH902", "waivers.yaml:9", "there is no finding CKV_AWS_3 for aws_s3_bucket.c in dev")
WAIVED = Finding("CKV_AWS_1", "aws_s3_bucket.b", "is accepted")
BAD = Verdict("dev", Path("cdktf.out/stacks/dev/cdk.tf.json"), (CHECKOV, OURS), ((WAIVED, WAIVER),), 12, 0.5)
GOOD = Verdict("prod", Path("cdktf.out/stacks/prod/cdk.tf.json"), (), (), 14, 0.5)


def sarif_run(*verdicts: Verdict) -> dict[str, Any]:
    """Return the one run."""
    document = json.loads(as_sarif(verdicts))
    assert (document["version"], document["$schema"]) == ("2.1.0", SARIF_SCHEMA)
    (run,) = document["runs"]
    assert isinstance(run, dict)
    return run


def test_json_holds_everything() -> None:
    document = json.loads(as_json([BAD, GOOD]))
    dev, prod = document["environments"]
    assert (document["sound"], dev["sound"], prod["sound"]) == (False, False, True)
    assert dev["document"] == "cdktf.out/stacks/dev/cdk.tf.json"
    assert [(one["check"], one["severity"]) for one in dev["failed"]] == [
        ("CKV_AWS_2", None),
        ("GH902", "medium"),
    ]
    assert dev["failed"][1]["fix"].startswith("Remove the waiver")
    assert dev["waived"][0]["waiver"] == {
        "place": "waivers.yaml:7",
        "reason": "It is accepted for a reason that is told here at some length.",
        "owner": "ml-platform",
        "expires": "2027-01-01",
    }
    assert json.loads(as_json([GOOD]))["sound"] is True


def test_sarif_has_a_rule_for_each_check_and_a_result_for_each_finding() -> None:
    run = sarif_run(BAD, GOOD)
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["CKV_AWS_1", "CKV_AWS_2", "GH902"]
    assert [one["ruleId"] for one in run["results"]] == ["CKV_AWS_2", "GH902", "CKV_AWS_1"]
    assert all(rules[one["ruleIndex"]]["id"] == one["ruleId"] for one in run["results"])
    assert rules[2]["properties"]["security-severity"] == "5.5"
    assert "help" in rules[2]


def test_sarif_places_are_files_of_the_repository() -> None:
    places = [
        one["locations"][0]["physicalLocation"] | {"name": one["locations"][0]["logicalLocations"][0]}
        for one in sarif_run(BAD)["results"]
    ]
    assert [(one["artifactLocation"]["uri"], one["region"]["startLine"]) for one in places] == [
        ("environments/dev.yaml", 1),
        ("waivers.yaml", 9),
        ("environments/dev.yaml", 1),
    ]
    assert places[0]["name"]["fullyQualifiedName"] == "aws_s3_bucket.a"


def test_sarif_suppresses_what_is_waived_and_nothing_else() -> None:
    suppressed = [one.get("suppressions") for one in sarif_run(BAD)["results"]]
    assert suppressed[:2] == [None, None]
    assert [one["kind"] for one in suppressed[2]] == ["external"]


def test_a_sarif_fingerprint_is_that_of_a_finding() -> None:
    def prints(*verdicts: Verdict) -> list[str]:
        results = sarif_run(*verdicts)["results"]
        return [one["partialFingerprints"]["gatehouse/v1"] for one in results]

    assert len(set(prints(BAD))) == 3
    assert prints(BAD) == prints(GOOD, BAD)


def test_junit_counts_and_names_every_finding() -> None:
    suites = ElementTree.fromstring(as_junit([BAD, GOOD]))
    dev, prod = suites
    assert dev.attrib == {"tests": "4", "failures": "2", "skipped": "1", "name": "dev"}
    assert prod.attrib == {"tests": "1", "failures": "0", "skipped": "0", "name": "prod"}
    assert [case.get("classname") for case in dev] == ["dev", "dev.CKV_AWS_2", "dev.GH902", "dev.CKV_AWS_1"]
    failure = dev[1].find("failure")
    assert failure is not None
    assert failure.get("message") == "is <open> | to \ufffd anyone & *all*"
    skipped = dev[3].find("skipped")
    assert skipped is not None
    assert str(skipped.get("message")).startswith("waived until 2027-01-01 (waivers.yaml:7): It is accepted")


def test_markdown_is_not_broken_by_what_is_found() -> None:
    page = as_markdown([BAD, GOOD])
    assert "## dev: **failed**" in page
    assert "## prod: passed" in page
    row = next(line for line in page.splitlines() if line.startswith("| CKV_AWS_2 "))
    assert row.replace("\\|", "").count("|") == 5
    assert "&lt;open> \\| to" in row


def test_the_table_names_every_failed_check_and_no_waived_one() -> None:
    text = verdicts_as_text([BAD, GOOD])
    assert "scan dev: failed, 12 checks passed, 2 failed, 1 waived, 0.5 s" in text
    assert "scan prod: passed, 14 checks passed, 0 failed, 0 waived" in text
    assert "CKV_AWS_2" in text
    assert "CKV_AWS_1 " not in text


@pytest.mark.parametrize("name", [*WRITERS, "table"])
def test_every_format_is_the_same_each_time(name: str) -> None:
    write = WRITERS.get(name, verdicts_as_text)
    assert write([BAD, GOOD]) == write([BAD, GOOD])
    assert write([BAD]).endswith("\n")


class TestJudgeDocuments:
    """A document's verdict, Checkov being a stand-in."""

    @pytest.fixture
    def document(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        path = tmp_path / "cdk.tf.json"
        path.write_text('{"resource": {"aws_s3_bucket": {"b": {}}}}', encoding="utf-8")
        monkeypatch.setattr(gatehouse.scan.gate, "scan", lambda _path: Scanned((WAIVED,), 3))
        return path

    def test_checkov_and_linters_are_one_list(self, document: Path) -> None:
        def linter(found: Mapping[str, Any]) -> list[Finding]:
            return [
                Finding("GH001", f"aws_s3_bucket.{name}", "") for name in found["resource"]["aws_s3_bucket"]
            ]

        (verdict,) = judge_documents({"dev": document}, [WAIVER], date(2026, 1, 1), [linter])
        assert verdict.failed == (Finding("GH001", "aws_s3_bucket.b", ""),)
        assert verdict.waived == ((WAIVED, WAIVER),)
        assert (verdict.passed, verdict.sound) == (3, False)

    def test_a_linter_that_crashes_leaves_no_verdict(self, document: Path) -> None:
        def linter(found: Mapping[str, Any]) -> list[Finding]:
            raise KeyError(str(found["resource"]))

        with pytest.raises(ScanError, match="the linter linter failed: KeyError") as refused:
            judge_documents({"dev": document}, [], date(2026, 1, 1), [linter])
        assert refused.value.exit_code == 2

    def test_no_documents_are_no_verdict(self) -> None:
        with pytest.raises(ScanError, match="there is nothing to scan"):
            judge_documents({}, [], date(2026, 1, 1))


def test_the_waivers_are_a_row_for_each_decision() -> None:
    second = Placed(WAIVER.waiver, WAIVER.waiver.findings[1], "waivers.yaml:8")
    rows = waiver_table([WAIVER, second]).splitlines()
    assert rows == [
        "| Check and resource | In | Reason | Until |",
        "| --- | --- | --- | --- |",
        "| `CKV_AWS_1` `aws_s3_bucket.b`<br>`CKV_AWS_4` `aws_lb.*` | all "
        "| It is accepted for a reason that is told here at some length. | 2027-01-01 |",
    ]


def test_a_finding_moves_no_cursor() -> None:
    finding = Finding("GH101", "aws_iam_policy.x", "a\x1b[2Jscan dev: passed\ud800", "b\x1b[1A")
    text = verdicts_as_text([Verdict("dev", Path("x"), (finding,), (), 1, 0.1)])
    assert "\x1b" not in text
    assert text.encode()
