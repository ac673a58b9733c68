"""What a scan finds, and the catalogue of our own checks: id, severity, title, why it matters, how to mend it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from gatehouse.errors import GatehouseError, InputError, Problem
from gatehouse.yaml_source import YamlSource, parse_yaml

CHECKS = Path(__file__).resolve().parents[1] / "data" / "findings.yaml"
_ID = re.compile(r"GH\d{3}")


class ScanError(GatehouseError):
    """No verdict: what was to be judged or a judge failed, and what it would have found is not known."""

    exit_code = 2


class Severity(StrEnum):
    """How bad a finding is; any finding without a waiver fails the gate."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, order=True)
class Finding:
    """One failed check.

    ``check`` is its id (CKV_AWS_18, GH001), ``address`` the resource as Terraform names it (aws_s3_bucket.x),
    ``detail`` what is wrong in one sentence, ``place`` where in the resource: the attribute and, in a policy, the Sid.
    """

    check: str
    address: str
    detail: str
    place: str = ""


#: From a parsed ``cdk.tf.json`` to what is wrong in it; the order does not matter.
Linter = Callable[[Mapping[str, Any]], list[Finding]]


@dataclass(frozen=True)
class Check:
    """One check of ours; ``why`` and ``fix`` are sentences."""

    id: str
    severity: Severity
    title: str
    why: str
    fix: str


_FIELDS = tuple(field.name for field in fields(Check) if field.name != "id")


@cache
def shipped_checks() -> Mapping[str, Check]:
    """Return the checks that ship with Gatehouse by id, in the order of their file."""
    return read_checks(CHECKS.read_text(encoding="utf-8"), CHECKS.name)


def read_checks(text: str, file: str) -> dict[str, Check]:
    """Return the checks that ``text`` describes, by id and in its order; ``file`` is named in errors.

    Raises:
        InputError: with every entry that is no check.

    """
    source = parse_yaml(text, file)
    if not isinstance(source.data, dict):
        raise InputError([Problem(file, "holds no checks", "write GH001: {severity, title, why, fix}")])
    problems = [problem for name in source.data for problem in _problems(source, name, file)]
    if problems:
        raise InputError(problems)
    return {
        name: Check(name, Severity(entry["severity"]), *(entry[field].strip() for field in _FIELDS[1:]))
        for name, entry in source.data.items()
    }


def _problems(source: YamlSource, name: str, file: str) -> list[Problem]:
    line, entry = source.line_of([name]), source.data[name]
    if not isinstance(name, str) or not _ID.fullmatch(name):
        return [Problem(file, "is not the id of a check", "write GH and three digits", line, value=name)]
    if not isinstance(entry, dict) or set(entry) != set(_FIELDS):
        return [Problem(file, "is no check", f"give {', '.join(_FIELDS)} and nothing else", line, field=name)]
    problems = []
    for field in _FIELDS:
        place, value = f"{name}.{field}", entry[field]
        line = source.line_of([name, field])
        if not isinstance(value, str) or not value.strip():
            problems.append(Problem(file, "is not text", "write a sentence", line, field=place, value=value))
        elif field == "severity" and value not in list(Severity):
            known = ", ".join(Severity)
            problems.append(Problem(file, "is no severity", f"use one of {known}", line, None, place, value))
    return problems
