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
  - findings:
      - check: CKV_AWS_120
        resource: aws_api_gateway_stage.api
    environments: [dev, prod]
    reason: A cache would answer one reader with what was read for another one.
    owner: ml-platform
    expires: 2027-05-31
"""
LISTED = "      - check: CKV_AWS_120\n        resource: aws_api_gateway_stage.api\n"
SECOND = WHOLE.removeprefix("waivers:\n")
#: One decision that answers two checks.
BOTH = WHOLE.replace(
    "    environments",
    "      - {check: CKV_AWS_225, resource: aws_api_gateway_method_settings.all}\n    environments",
)
FINDING = Finding("CKV_AWS_120", "aws_api_gateway_stage.api", "no cache", "cache_cluster_enabled")
OTHER = Finding("CKV_AWS_225", "aws_api_gateway_method_settings.all", "no cache", "settings")


def judged(text: str, *findings: Finding, environment: str = "dev", today: date = TODAY) -> Judged:
    return judge(findings, parse_waivers(text, "waivers.yaml", ["dev", "prod"], TODAY), environment, today)


def test_a_waiver_lets_its_finding_pass() -> None:
    verdict = judged(WHOLE, FINDING)
    assert verdict.failed == ()
    ((finding, waiver),) = verdict.waived
    assert finding == FINDING
    assert waiver.place == "waivers.yaml:3"
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
    assert verdict.failed[1].address == "waivers.yaml:3"
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
    assert bool(judged(WHOLE.replace(".api\n", f".api\n        place: {place}\n"), FINDING).waived) is allowed


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
            "waivers.yaml:3",
            "the waiver of CKV_AWS_120 for aws_api_gateway_stage.api has expired on 2027-05-31",
        ),
    ]


def test_of_two_that_allow_the_same_one_is_unused() -> None:
    verdict = judged(WHOLE + SECOND.replace("stage.api", "stage.*"), FINDING)
    assert [one.place for _finding, one in verdict.waived] == ["waivers.yaml:3"]
    assert [(one.check, one.address) for one in verdict.failed] == [("GH902", "waivers.yaml:10")]


def test_no_file_is_no_waivers(tmp_path: Path) -> None:
    assert load_waivers(tmp_path / "waivers.yaml", ["dev"], TODAY) == ()


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "waivers.yaml"
    path.write_text(WHOLE, encoding="utf-8")
    assert [one.accepted.check for one in load_waivers(path, ["dev", "prod"], TODAY)] == ["CKV_AWS_120"]
    path.write_bytes(b"waivers: [\xff]")
    with pytest.raises(InputError, match="is not UTF-8"):
        load_waivers(path, ["dev", "prod"], TODAY)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (WHOLE, "[]\n", "w.yaml:1: holds no waivers."),
        (WHOLE, "waivers: 7\n", "w.yaml:1: waivers: 7 is a number, not a list."),
        ("CKV_AWS_120", "CKV-1", 'w.yaml:3: waivers[0].findings[0].check: "CKV-1" is not the id of a check.'),
        ("aws_api_gateway_stage.api", "'*'", 'w.yaml:4: waivers[0].findings[0].resource: "*" is not the a'),
        ("aws_api_gateway_stage.api", "'aws_*.x'", 'w.yaml:4: waivers[0].findings[0].resource: "aws_*.x" is not the a'),
        ("aws_api_gateway_stage.api", "stage", 'w.yaml:4: waivers[0].findings[0].resource: "stage" is not the a'),
        (LISTED, "      []\n", "w.yaml:2: waivers[0].f"),
        ("[dev, prod]", "[]", "w.yaml:5: waivers[0].environments: [] has too few items."),
        ("[dev, prod]", "[dev, prd]", 'w.yaml:5: waivers[0].environments[1]: "prd" is no environment. Fix: write "pro'),
        ("[dev, prod]", "[dev, all]", "w.yaml:5: waivers[0].environments: "),
        ("[dev, prod]", "[dev, dev]", "w.yaml:5: waivers[0].environments: "),
        ("    reason: A cache would answer one reader with what was read for another one.\n", "", "w.yaml:2: waivers"),
        ("A cache would answer one reader with what was read for another one.", "Later.", "w.yaml:6: waivers[0].reas"),
        ("for another one.", "for another one", "w.yaml:6: waivers[0].reason: "),
        ("ml-platform", "''", 'w.yaml:7: waivers[0].owner: "" is not an owner.'),
        ("2027-05-31", "soon", 'w.yaml:8: waivers[0].expires: "soon" is not a date.'),
        ("2027-05-31", "2027-02-30", 'w.yaml:8: waivers[0].expires: "2027-02-30" is not in the calendar.'),
        ("2027-05-31", "2099-01-01", 'w.yaml:8: waivers[0].expires: "2099-01-01" is more than 400 days from now.'),
        ("expires:", "until:", "w.yaml:8: waivers[0].until: "),
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
    with pytest.raises(
        InputError, match=r"^w.yaml:11: waivers\[1\].findings\[0\].resource: .* in line 3. Fix: keep one"
    ):
        parse_waivers(text, "w.yaml", ["dev", "prod"], TODAY)


def test_the_same_for_different_environments_is_no_double() -> None:
    text = WHOLE.replace("[dev, prod]", "[dev]") + SECOND.replace("[dev, prod]", "[prod]")
    assert len(parse_waivers(text, "w.yaml", ["dev", "prod"], TODAY)) == 2


def test_one_decision_answers_several_checks() -> None:
    verdict = judged(BOTH, FINDING, OTHER)
    assert verdict.failed == ()
    assert [(finding.check, one.place) for finding, one in verdict.waived] == [
        ("CKV_AWS_120", "waivers.yaml:3"),
        ("CKV_AWS_225", "waivers.yaml:5"),
    ]
    assert verdict.waived[0][1].waiver == verdict.waived[1][1].waiver


@pytest.mark.parametrize(
    ("there", "unused", "line"), [(FINDING, "CKV_AWS_225", 5), (OTHER, "CKV_AWS_120", 3)]
)
def test_each_check_of_a_decision_must_let_something_pass(there: Finding, unused: str, line: int) -> None:
    verdict = judged(BOTH, there)
    assert [finding for finding, _one in verdict.waived] == [there]
    assert [(one.check, one.address) for one in verdict.failed] == [("GH902", f"waivers.yaml:{line}")]
    assert f"there is no finding {unused} for " in verdict.failed[0].detail


def test_a_check_of_a_decision_allows_its_own_resource_alone() -> None:
    crossed = Finding("CKV_AWS_225", "aws_api_gateway_stage.api", "")
    assert crossed in judged(BOTH, FINDING, OTHER, crossed).failed


def test_every_check_of_a_decision_expires() -> None:
    late = judged(BOTH, FINDING, OTHER, today=date(2027, 6, 1))
    assert late.waived == ()
    assert [one.address for one in late.failed if one.check == "GH901"] == [
        "waivers.yaml:3",
        "waivers.yaml:5",
    ]


def test_a_decision_that_names_a_finding_twice_is_refused() -> None:
    text = BOTH.replace("CKV_AWS_225", "CKV_AWS_120").replace(
        "aws_api_gateway_method_settings.all", "aws_api_gateway_stage.api"
    )
    with pytest.raises(
        InputError, match=r"^w.yaml:5: waivers\[0\].findings\[1\].resource: .* in line 3. Fix: keep one"
    ):
        parse_waivers(text, "w.yaml", ["dev", "prod"], TODAY)


class TestPlan:
    """Findings that show where a value is known, as in a plan."""

    MARKED = WHOLE.replace("    owner:", "    only_when_known: true\n    owner:")

    def verdict(self, text: str, document: list[Finding], plan: list[Finding] | None) -> Judged:
        waivers = parse_waivers(text, "waivers.yaml", ["dev", "prod"], TODAY)
        return judge(document, waivers, "dev", TODAY, in_plan=plan)

    def test_a_waiver_counts_for_the_document_and_for_the_plan(self) -> None:
        for document, plan in (([FINDING], None), ([FINDING], []), ([], [FINDING])):
            verdict = self.verdict(WHOLE, document, plan)
            assert verdict.failed == ()
            assert [one for one, _by in verdict.waived] == [FINDING]

    def test_it_is_unused_if_neither_needs_it(self) -> None:
        assert [one.check for one in self.verdict(WHOLE, [], []).failed] == ["GH902"]

    def test_a_finding_of_the_plan_fails_without_one(self) -> None:
        assert self.verdict("waivers: []", [], [FINDING]).failed == (FINDING,)

    def test_one_for_known_values_is_not_missed_without_a_plan(self) -> None:
        assert self.verdict(self.MARKED, [], None).failed == ()
        assert [one.check for one in self.verdict(self.MARKED, [], []).failed] == ["GH902"]
        assert self.verdict(self.MARKED, [], [FINDING]).failed == ()

    def test_it_counts_for_a_document_that_knows_the_value(self) -> None:
        assert self.verdict(self.MARKED, [FINDING], None).failed == ()
        assert self.verdict(self.MARKED, [FINDING], []).failed == ()

    def test_it_expires_as_others_do(self) -> None:
        text = self.MARKED.replace("2027-05-31", "2026-11-22")
        assert [one.check for one in self.verdict(text, [], None).failed] == ["GH901"]
