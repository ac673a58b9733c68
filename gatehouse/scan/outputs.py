"""A verdict as a file that other programs read: JSON, SARIF, JUnit, Markdown. The findings are the same in each."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from gatehouse.scan.findings import Check, Finding, Severity, shipped_checks
from gatehouse.scan.gate import Planned, Verdict
from gatehouse.scan.waivers import Placed

#: GitHub ranks alerts by it: above 9 critical, 7 high, 4 medium. Source: GitHub, "SARIF support for code scanning".
_SECURITY_SEVERITY: Mapping[Severity, str] = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
}
SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
#: What XML 1.0 cannot hold.
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def severity_of(finding: Finding) -> str:
    """Return the severity of our own check; Checkov's come without one, and any of them fails."""
    check = shipped_checks().get(finding.check)
    return check.severity.value if check is not None else ""


def place_of(finding: Finding) -> str:
    """Return the address, with the place in the resource behind it."""
    return f"{finding.address} ({finding.place})" if finding.place else finding.address


def plan_counts(plan: Planned) -> str:
    """Return what a plan added, and how much of it nobody knows before the apply."""
    return (
        f"{plan.passed} checks passed, {plan.findings} findings in it alone, "
        f"{len(plan.unknown)} of {plan.policies} policies unknown until the apply"
    )


def as_json(verdicts: Sequence[Verdict]) -> str:
    """Return everything, for programs: ``environments`` with ``failed`` and ``waived``."""
    environments = [
        {
            "environment": one.environment,
            "document": one.document.as_posix(),
            "sound": one.sound,
            "passed": one.passed,
            "plan": _plain_plan(one.plan) if one.plan is not None else None,
            "failed": [_plain(finding) for finding in one.failed],
            "waived": [{**_plain(finding), "waiver": _plain_waiver(by)} for finding, by in one.waived],
        }
        for one in verdicts
    ]
    return _json({"sound": all(one.sound for one in verdicts), "environments": environments})


def as_sarif(verdicts: Sequence[Verdict]) -> str:
    """Return SARIF 2.1.0; what is waived is there as suppressed.

    The place is the environment file, since what is synthesized is in no repository; the logical location is the
    resource.
    """
    everything = [finding for one in verdicts for finding in _all(one)]
    rules = {finding.check: _rule(finding) for finding in sorted(everything)}
    order = list(rules)
    results = [
        _result(one.environment, finding, order.index(finding.check), by)
        for one in verdicts
        for finding, by in (*((finding, None) for finding in one.failed), *one.waived)
    ]
    driver = {"name": "Gatehouse", "rules": list(rules.values())}
    run = {"tool": {"driver": driver}, "columnKind": "utf16CodeUnits", "results": results}
    return _json({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]})


def as_junit(verdicts: Sequence[Verdict]) -> str:
    """Return JUnit's XML: a suite for each environment; a finding is a failure, a waived one is skipped."""
    suites = Element("testsuites", name="gatehouse scan")
    for one in verdicts:
        passed = [f"{one.passed} checks passed"]
        if one.plan is not None:
            passed.append(f"plan: {plan_counts(one.plan)}")
        counts = {
            "tests": len(_all(one)) + len(passed),
            "failures": len(one.failed),
            "skipped": len(one.waived),
        }
        suite = SubElement(suites, "testsuite", {key: str(count) for key, count in counts.items()})
        suite.set("name", one.environment)
        # Without a case a suite counts as not run.
        for name in passed:
            SubElement(suite, "testcase", classname=one.environment, name=name)
        for finding in one.failed:
            failure = SubElement(_case(suite, one, finding), "failure", type=finding.check)
            failure.set("message", _xml(finding.detail))
            failure.text = _xml(f"{place_of(finding)}: {finding.detail}")
        for finding, by in one.waived:
            reason = f"waived until {by.waiver.expires} ({by.place}): {_line(by.waiver.reason)}"
            SubElement(_case(suite, one, finding), "skipped", message=_xml(reason))
    indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(suites, encoding="unicode")}\n'


def as_markdown(verdicts: Sequence[Verdict]) -> str:
    """Return a page for a pull request."""
    lines = ["# Scan", ""]
    for one in verdicts:
        word = "passed" if one.sound else "**failed**"
        lines += [
            f"## {one.environment}: {word}",
            "",
            f"{one.passed} checks passed, {len(one.failed)} failed, {len(one.waived)} waived.",
            "",
        ]
        if one.plan is not None:
            lines += [f"Plan {_cell(one.plan.path.as_posix())}: {plan_counts(one.plan)}.", ""]
        if one.failed:
            rows = [(f.check, severity_of(f) or "-", place_of(f), f.detail) for f in one.failed]
            lines += [*_rows(("Check", "Severity", "Where", "What"), rows), ""]
        if one.waived:
            kept = [
                (f.check, place_of(f), by.waiver.reason, by.waiver.owner, by.waiver.expires)
                for f, by in one.waived
            ]
            lines += [*_rows(("Waived", "Where", "Reason", "Owner", "Until"), kept), ""]
    return "\n".join(lines)


def waiver_table(waivers: Sequence[Placed]) -> str:
    """Return the waivers of a project as a table for its README: one row for each decision."""
    rows = [
        (
            "<br>".join(f"`{one.check}` `{one.resource}`" for one in waiver.findings),
            _cell(", ".join(waiver.environments) + (" (where known)" if waiver.only_when_known else "")),
            _cell(waiver.reason),
            waiver.expires,
        )
        for waiver in dict.fromkeys(placed.waiver for placed in waivers)
    ]
    return "\n".join(_table(("Check and resource", "In", "Reason", "Until"), rows)) + "\n"


#: By the name of the format.
WRITERS: Mapping[str, Callable[[Sequence[Verdict]], str]] = {
    "json": as_json,
    "sarif": as_sarif,
    "junit": as_junit,
    "markdown": as_markdown,
}


def _all(verdict: Verdict) -> list[Finding]:
    return [*verdict.failed, *(finding for finding, _by in verdict.waived)]


def _plain(finding: Finding) -> dict[str, Any]:
    check = shipped_checks().get(finding.check)
    return {
        "check": finding.check,
        "severity": severity_of(finding) or None,
        "address": finding.address,
        "place": finding.place,
        "detail": finding.detail,
        "fix": check.fix if check is not None else None,
    }


def _plain_plan(plan: Planned) -> dict[str, Any]:
    return {
        "document": plan.path.as_posix(),
        "passed": plan.passed,
        "findings": plan.findings,
        "policies": plan.policies,
        "unknown_policies": list(plan.unknown),
    }


def _plain_waiver(by: Placed) -> dict[str, str]:
    waiver = by.waiver
    return {
        "place": by.place,
        "reason": _line(waiver.reason),
        "owner": waiver.owner,
        "expires": waiver.expires,
    }


def _rule(finding: Finding) -> dict[str, Any]:
    check = shipped_checks().get(finding.check)
    title = check.title if check is not None else finding.detail
    rule: dict[str, Any] = {
        "id": finding.check,
        "shortDescription": {"text": title},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["security"]},
    }
    if check is not None:
        rule["fullDescription"] = {"text": check.why}
        rule["help"] = {"text": _help(check)}
        rule["properties"]["security-severity"] = _SECURITY_SEVERITY[check.severity]
    return rule


def _help(check: Check) -> str:
    return f"{check.why}\n\n{check.fix}"


def _result(environment: str, finding: Finding, rule: int, by: Placed | None) -> dict[str, Any]:
    # A finding of a waiver stands in the file of waivers, at its line.
    file, _, line = finding.address.rpartition(":")
    uri, start = (file, int(line)) if file and line.isdecimal() else (f"environments/{environment}.yaml", 1)
    identity = "|".join((environment, finding.check, finding.address, finding.place))
    result: dict[str, Any] = {
        "ruleId": finding.check,
        "ruleIndex": rule,
        "level": "error",
        "message": {"text": f"{environment}: {place_of(finding)}: {finding.detail}"},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": start}},
                "logicalLocations": [{"fullyQualifiedName": finding.address, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"gatehouse/v1": hashlib.sha256(identity.encode()).hexdigest()},
    }
    if by is not None:
        result["suppressions"] = [{"kind": "external", "justification": _line(by.waiver.reason)}]
    return result


def _case(suite: Element, verdict: Verdict, finding: Finding) -> Element:
    classname = f"{verdict.environment}.{finding.check}"
    return SubElement(suite, "testcase", classname=classname, name=_xml(place_of(finding)))


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return _table(head, [[_cell(text) for text in row] for row in rows])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _cell(text: str) -> str:
    """Return a text that no cell of a table, and no HTML, is broken by."""
    escaped = _line(text).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\|*`\[\]])", r"\\\1", escaped)


def _xml(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


def _line(text: str) -> str:
    return " ".join(text.split())


def _json(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
