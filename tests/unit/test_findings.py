"""Findings and the catalogue of our own checks."""

from __future__ import annotations

import pytest

from gatehouse.errors import InputError
from gatehouse.scan.findings import Check, Finding, Severity, read_checks, shipped_checks

WHOLE = "GH001: {severity: high, title: A thing, why: It is bad., fix: Mend it.}\n"


def test_a_check_is_read() -> None:
    assert read_checks(WHOLE, "f.yaml") == {
        "GH001": Check("GH001", Severity.HIGH, "A thing", "It is bad.", "Mend it.")
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "f.yaml: holds no checks."),
        (WHOLE.replace("GH001", "X1"), 'f.yaml:1: "X1" is not the id of a check.'),
        (WHOLE.replace("GH001", "1"), "f.yaml:1: 1 is not the id of a check."),
        (WHOLE.replace(", fix: Mend it.", ""), "f.yaml:1: GH001: is no check."),
        (WHOLE.replace("fix:", "remedy:"), "f.yaml:1: GH001: is no check."),
        ("GH001: text", "f.yaml:1: GH001: is no check."),
        (WHOLE.replace("Mend it.", "''"), 'f.yaml:1: GH001.fix: "" is not text.'),
        (WHOLE.replace("A thing", "7"), "f.yaml:1: GH001.title: 7 is not text."),
        (WHOLE.replace("high", "huge"), 'f.yaml:1: GH001.severity: "huge" is no severity.'),
        (WHOLE + WHOLE, "f.yaml:2: GH001: is given twice"),
    ],
)
def test_what_is_no_check_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        read_checks(text, "f.yaml")
    assert str(refused.value).startswith(message)


def test_every_shipped_check_is_described_in_sentences() -> None:
    checks = shipped_checks()
    assert list(checks) == sorted(checks)
    for check in checks.values():
        assert check.why.endswith("."), check
        assert check.fix.endswith("."), check
        assert not check.title.endswith("."), check


def test_findings_are_told_apart_and_sorted() -> None:
    one = Finding("GH001", "aws_s3_bucket.a", "is open", "policy/Anyone")
    assert sorted([Finding("GH002", "aws_s3_bucket.a", "is open"), one]) == [
        one,
        Finding("GH002", "aws_s3_bucket.a", "is open"),
    ]
    assert one == Finding("GH001", "aws_s3_bucket.a", "is open", "policy/Anyone")
