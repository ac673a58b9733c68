"""Waivers: what they let pass, what makes one fail, and how a malformed one is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gatehouse.errors import InputError
from gatehouse.scan.findings import Finding
from gatehouse.scan.waivers import Judged, judge, load_waivers, parse_waivers

TODAY = date(2026, 11, 23)
WHOLE = """\
waivers:
  - check: CKV_AWS_120
    resource: aws_api_gateway_stage.api
    environments: [dev, prod]
    reason: A cache would answer one reader with what was read for another one.
    owner: ml-platform
    expires: 2027-05-31
"""
SECOND = WHOLE.removeprefix("waivers:\n")
FINDING = Finding("CKV_AWS_120", "aws_api_gateway_stage.api", "no cache", "cache_cluster_enabled")


def judged(text: str, *findings: Finding, environment: str = "dev", today: date = TODAY) -> Judged:
    return judge(findings, parse_waivers(text, "waivers.yaml", ["dev", "prod"], TODAY), environment, today)


def test_a_waiver_lets_its_finding_pass() -> None:
    verdict = judged(WHOLE, FINDING)
    assert verdict.failed == ()
    ((finding, waiver),) = verdict.waived
    assert finding == FINDING
    assert waiver.place == "waivers.yaml:2"
    assert waiver.waiver.owner == "ml-platform"


@pytest.mark.parametrize(
    "other",
    [
        Finding("CKV_AWS_121", "aws_api_gateway_stage.api", ""),
        Finding("CKV_AWS_120", "aws_api_gateway_stage.api_2", ""),
        Finding("CKV_AWS_120", "aws_api_gateway_stage.my_api", ""),
        Finding("CKV_AWS_120", "data.aws_api_gateway_stage.api", ""),
    ],
)
def test_any_other_finding_fails_and_the_waiver_is_unused(other: Finding) -> None:
    verdict = judged(WHOLE, other)
    assert [one.check for one in verdict.failed] == [other.check, "GH902"]
    assert verdict.failed[1].address == "waivers.yaml:2"
    assert verdict.failed[1].detail == "there is no finding CKV_AWS_120 for aws_api_gateway_stage.api in dev"


@pytest.mark.parametrize(
    ("pattern", "address", "allowed"),
    [
        ("aws_s3_bucket.*", "aws_s3_bucket.logs", True),
        ("aws_s3_bucket.*", "aws_s3_bucket_policy.logs", False),
        ("aws_s3_bucket.a_*_b", "aws_s3_bucket.a_x_b", True),
        ("aws_s3_bucket.a_*_b", "aws_s3_bucket.a_x_c", False),
        ("data.aws_iam_policy.*", "data.aws_iam_policy.x", True),
        ("aws_iam_policy.*", "data.aws_iam_policy.x", False),
    ],
)
def test_a_star_stands_for_a_part_of_the_name(pattern: str, address: str, allowed: bool) -> None:
    text = WHOLE.replace("aws_api_gateway_stage.api", pattern)
    assert bool(judged(text, Finding("CKV_AWS_120", address, "")).waived) is allowed


def test_one_waiver_lets_several_findings_pass() -> None:
    one, two = (Finding("CKV_AWS_120", f"aws_api_gateway_stage.{name}", "") for name in ("a", "b"))
    assert len(judged(WHOLE.replace("stage.api", "stage.*"), one, two).waived) == 2


@pytest.mark.parametrize(("place", "allowed"), [("cache_cluster_enabled", True), ("another", False)])
def test_a_place_narrows_it(place: str, allowed: bool) -> None:
    assert bool(judged(f"{WHOLE}    place: {place}\n", FINDING).waived) is allowed


def test_it_counts_in_its_environments_alone() -> None:
    text = WHOLE.replace("[dev, prod]", "[prod]")
    assert judged(text, FINDING).failed == (FINDING,)
    assert judged(text).failed == ()
    assert judged(text, FINDING, environment="prod").failed == ()
    assert judged(WHOLE.replace("[dev, prod]", "[all]"), FINDING, environment="qa").failed == ()


def test_it_counts_on_its_last_day_and_no_longer() -> None:
    assert judged(WHOLE, FINDING, today=date(2027, 5, 31)).failed == ()
    late = judged(WHOLE, FINDING, today=date(2027, 6, 1))
    assert late.waived == ()
    assert [(one.check, one.address, one.detail) for one in late.failed] == [
        ("CKV_AWS_120", "aws_api_gateway_stage.api", "no cache"),
        (
            "GH901",
            "waivers.yaml:2",
            "the waiver of CKV_AWS_120 for aws_api_gateway_stage.api has expired on 2027-05-31",
        ),
    ]


def test_of_two_that_allow_the_same_one_is_unused() -> None:
    verdict = judged(WHOLE + SECOND.replace("stage.api", "stage.*"), FINDING)
    assert [one.place for _finding, one in verdict.waived] == ["waivers.yaml:2"]
    assert [(one.check, one.address) for one in verdict.failed] == [("GH902", "waivers.yaml:8")]


def test_no_file_is_no_waivers(tmp_path: Path) -> None:
    assert load_waivers(tmp_path / "waivers.yaml", ["dev"], TODAY) == ()


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "waivers.yaml"
    path.write_text(WHOLE, encoding="utf-8")
    assert [one.waiver.check for one in load_waivers(path, ["dev", "prod"], TODAY)] == ["CKV_AWS_120"]
    path.write_bytes(b"waivers: [\xff]")
    with pytest.raises(InputError, match="is not UTF-8"):
        load_waivers(path, ["dev", "prod"], TODAY)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (WHOLE, "[]\n", "w.yaml:1: holds no waivers."),
        (WHOLE, "waivers: 7\n", "w.yaml:1: waivers: 7 is a number, not a list."),
        ("CKV_AWS_120", "CKV-1", 'w.yaml:2: waivers[0].check: "CKV-1" is not the id of a check.'),
        ("aws_api_gateway_stage.api", "'*'", 'w.yaml:3: waivers[0].resource: "*" is not the address of a resource.'),
        ("aws_api_gateway_stage.api", "'aws_*.x'", 'w.yaml:3: waivers[0].resource: "aws_*.x" is not the address'),
        ("aws_api_gateway_stage.api", "stage", 'w.yaml:3: waivers[0].resource: "stage" is not the address of'),
        ("[dev, prod]", "[]", "w.yaml:4: waivers[0].environments: [] has too few items."),
        ("[dev, prod]", "[dev, prd]", 'w.yaml:4: waivers[0].environments[1]: "prd" is no environment. Fix: write "pro'),
        ("[dev, prod]", "[dev, all]", "w.yaml:4: waivers[0].environments: "),
        ("[dev, prod]", "[dev, dev]", "w.yaml:4: waivers[0].environments: "),
        ("    reason: A cache would answer one reader with what was read for another one.\n", "", "w.yaml:2: waivers"),
        ("A cache would answer one reader with what was read for another one.", "Later.", "w.yaml:5: waivers[0].reas"),
        ("for another one.", "for another one", "w.yaml:5: waivers[0].reason: "),
        ("ml-platform", "''", 'w.yaml:6: waivers[0].owner: "" is not an owner.'),
        ("2027-05-31", "soon", 'w.yaml:7: waivers[0].expires: "soon" is not a date.'),
        ("2027-05-31", "2027-02-30", 'w.yaml:7: waivers[0].expires: "2027-02-30" is not in the calendar.'),
        ("2027-05-31", "2099-01-01", 'w.yaml:7: waivers[0].expires: "2099-01-01" is more than 400 days from now.'),
        ("expires:", "until:", "w.yaml:7: waivers[0].until: "),
    ],
)  # fmt: skip
def test_a_malformed_waiver_is_refused(old: str, new: str, message: str) -> None:
    assert WHOLE.count(old) == 1
    with pytest.raises(InputError) as refused:
        parse_waivers(WHOLE.replace(old, new), "w.yaml", ["dev", "prod"], TODAY)
    assert any(line.startswith(message) for line in str(refused.value).splitlines()), str(refused.value)
    assert all(" Fix: " in line for line in str(refused.value).splitlines())


@pytest.mark.parametrize("environments", ["[prod]", "[all]", "[dev, prod]"])
def test_a_waiver_that_is_there_twice_is_refused(environments: str) -> None:
    text = WHOLE + SECOND.replace("[dev, prod]", environments)
    with pytest.raises(InputError, match=r"^w.yaml:9: waivers\[1\].resource: .* in line 2. Fix: keep one"):
        parse_waivers(text, "w.yaml", ["dev", "prod"], TODAY)


def test_the_same_for_different_environments_is_no_double() -> None:
    text = WHOLE.replace("[dev, prod]", "[dev]") + SECOND.replace("[dev, prod]", "[prod]")
    assert len(parse_waivers(text, "w.yaml", ["dev", "prod"], TODAY)) == 2
