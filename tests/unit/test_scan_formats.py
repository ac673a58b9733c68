"""SARIF and JUnit by the rules of those who read them, not by what is written today."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import jsonschema
import pytest

from gatehouse.report import verdicts_as_text
from gatehouse.scan.gate import Planned, Verdict
from gatehouse.scan.outputs import as_json, as_junit, as_markdown, as_sarif

from .test_scan_outputs import BAD, GOOD

Json = dict[str, Any]
SCHEMA: Json = json.loads(Path(__file__).with_name("sarif.schema.json").read_bytes())
PLAN = Planned(Path("tf|plan.json"), 30, 2, 40, ("aws_iam_policy.a.policy", "aws_iam_policy.b.policy"))
PLANNED = replace(BAD, plan=PLAN)
SETS = [[BAD], [GOOD], [BAD, GOOD], [PLANNED]]


def sarif_problems(log: Json) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(log)]


@pytest.mark.parametrize("verdicts", SETS)
def test_sarif_is_as_the_standard_has_it(verdicts: Sequence[Verdict]) -> None:
    log = json.loads(as_sarif(verdicts))
    assert sarif_problems(log) == []
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run["results"])


def _result(log: Json) -> Json:
    found: Json = log["runs"][0]["results"][0]
    return found


BROKEN: list[Callable[[Json], object]] = [
    lambda log: log.pop("runs"),
    lambda log: log.update(version="2.0.0"),
    lambda log: log["runs"][0].pop("tool"),
    lambda log: log["runs"][0]["tool"]["driver"].pop("name"),
    lambda log: log["runs"][0]["tool"]["driver"]["rules"][0].pop("id"),
    lambda log: _result(log).pop("message"),
    lambda log: _result(log).update(message={"text": ""}),
    lambda log: _result(log).update(level="fatal"),
    lambda log: _result(log).update(severity="high"),
    lambda log: _result(log)["locations"][0]["physicalLocation"].update(region={"startLine": 0}),
    lambda log: _result(log)["locations"][0]["physicalLocation"].update(artifactLocation={"uri": "/x"}),
    lambda log: _result(log).update(suppressions=[{"kind": "later"}]),
]


@pytest.mark.parametrize("break_it", BROKEN)
def test_what_is_not_would_be_noticed(break_it: Callable[[Json], object]) -> None:
    log = json.loads(as_sarif([BAD]))
    break_it(log)
    assert sarif_problems(log)


def junit_problems(suites: Element) -> list[str]:
    """Return what is against the form that CI servers read: names, counts, one outcome a case."""
    found = [] if suites.tag == "testsuites" else ["the root is no testsuites"]
    for suite in suites:
        cases = suite.findall("testcase")
        if suite.tag != "testsuite" or not suite.get("name") or len(cases) != len(suite):
            found.append("a suite has no name, or something else than cases")
        counts = {
            "tests": len(cases),
            "failures": sum(case.find("failure") is not None for case in cases),
            "skipped": sum(case.find("skipped") is not None for case in cases),
        }
        found += [f"{key} is not {count}" for key, count in counts.items() if suite.get(key) != str(count)]
        for case in cases:
            outcomes = [child.tag for child in case]
            if not case.get("name") or not case.get("classname"):
                found.append("a case has no name")
            if len(outcomes) > 1 or not set(outcomes) <= {"failure", "error", "skipped"}:
                found.append(f"a case has the outcomes {outcomes}")
            found += ["an outcome says nothing" for child in case if not child.get("message")]
    return found


@pytest.mark.parametrize("verdicts", SETS)
def test_junit_is_as_servers_read_it(verdicts: Sequence[Verdict]) -> None:
    suites = ElementTree.fromstring(as_junit(verdicts))
    assert junit_problems(suites) == []
    assert len(suites) == len(verdicts)


@pytest.mark.parametrize(
    "old", ['tests="4"', 'failures="2"', 'skipped="1"', 'message="', 'classname="dev.CKV_AWS_2"']
)
def test_a_broken_report_would_be_noticed(old: str) -> None:
    text = as_junit([BAD])
    assert old in text
    broken = text.replace(
        old,
        old.replace("message", "text").replace("classname", "class").translate(str.maketrans("412", "999")),
        1,
    )
    assert junit_problems(ElementTree.fromstring(broken))


class TestPlan:
    """What the outputs say of a plan."""

    WORDS = "30 checks passed, 2 findings in it alone, 2 of 40 policies unknown until the apply"

    def test_every_output_for_people_says_what_is_unknown(self) -> None:
        assert f"; plan tf|plan.json: {self.WORDS}\n" in verdicts_as_text([PLANNED])
        assert f"Plan tf\\|plan.json: {self.WORDS}." in as_markdown([PLANNED])
        assert f'name="plan: {self.WORDS}"' in as_junit([PLANNED])

    def test_json_names_what_is_unknown(self) -> None:
        (environment,) = json.loads(as_json([PLANNED]))["environments"]
        assert environment["plan"] == {
            "document": "tf|plan.json",
            "passed": 30,
            "findings": 2,
            "policies": 40,
            "unknown_policies": ["aws_iam_policy.a.policy", "aws_iam_policy.b.policy"],
        }

    def test_without_a_plan_nothing_is_said(self) -> None:
        assert json.loads(as_json([BAD]))["environments"][0]["plan"] is None
        assert "plan" not in verdicts_as_text([BAD]) + as_markdown([BAD]) + as_junit([BAD])
