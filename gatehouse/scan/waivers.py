"""Waivers: findings that somebody has judged and accepted, each for a time, in one file that is kept true.

A waiver that has expired, or that lets nothing pass any more, is a finding itself (GH901, GH902); one that cannot be
read, or is there twice, is bad input.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from gatehouse.errors import InputError, Problem
from gatehouse.fields import ALL, DISTINCT, Model, Name, Pattern, RefusedError
from gatehouse.problems import closest, problems_of
from gatehouse.scan.findings import Finding
from gatehouse.yaml_source import YamlSource, dotted, parse_yaml

WAIVERS = Path("waivers.yaml")
EXPIRED, UNUSED = "GH901", "GH902"
#: Longest time for which a finding may be let pass; a decision is looked at again within about a year.
LONGEST_DAYS = 400


def _calendar_date(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError:
        raise RefusedError("is not in the calendar", "write a day that exists, like 2027-06-30") from None
    return value


def _all_alone(value: tuple[str, ...]) -> tuple[str, ...]:
    if ALL in value and len(value) > 1:
        raise RefusedError("names all environments and one of them", "write [all], or the names")
    return value


class Waiver(Model):
    """One finding, or those of several resources of a type, and why it is accepted."""

    check: Annotated[
        str, Pattern(r"(CKV2?_[A-Z]+|GH)_?\d+", "the id of a check", "write it like CKV_AWS_18 or GH001")
    ]
    """Id of the check."""
    resource: Annotated[
        str,
        Pattern(
            r"(data\.)?[a-z][a-z0-9_]*\.[A-Za-z0-9_*-]+",
            "the address of a resource",
            "write TYPE.NAME as the finding does, like aws_s3_bucket.storage_artifacts; only NAME may hold '*'",
        ),
    ]
    """Address as the finding has it; `*` in the name stands for any text."""
    place: Annotated[str, Field(min_length=1)] | None = None
    """Place in the resource as the finding has it; without it, every place."""
    environments: Annotated[
        tuple[Name, ...], Field(strict=False, min_length=1), DISTINCT, AfterValidator(_all_alone)
    ]
    """Environments by name, or [all]."""
    reason: Annotated[
        str,
        Pattern(r"(?s)\S.{38,}[.!]\s*", "a reason", "write a whole sentence that would convince a reviewer"),
    ]
    """Why the finding is accepted, in sentences."""
    owner: Annotated[str, Pattern(r"\S(.*\S)?", "an owner", "name the team or the person who answers for it")]
    """Who answers for it."""
    expires: Annotated[
        str,
        Pattern(r"\d{4}-\d\d-\d\d", "a date", "write it like 2027-06-30"),
        AfterValidator(_calendar_date),
    ]
    """Last day on which it counts."""

    def allows(self, finding: Finding) -> bool:
        """Return whether the finding is the one that is accepted, whatever the environment and the day."""
        if self.check != finding.check or self.place not in (None, finding.place):
            return False
        name = "[A-Za-z0-9_-]*".join(map(re.escape, self.resource.split("*")))
        return re.fullmatch(name, finding.address) is not None

    def counts_in(self, environment: str) -> bool:
        """Return whether it speaks of this environment."""
        return self.environments == (ALL,) or environment in self.environments

    def meets(self, other: Waiver) -> bool:
        """Return whether another one says the same of an environment that both name."""
        shared = ALL in (*self.environments, *other.environments) or set(self.environments) & set(
            other.environments
        )
        same = (self.check, self.resource, self.place) == (other.check, other.resource, other.place)
        return same and bool(shared)


class WaiverFile(Model):
    """The file."""

    waivers: Annotated[tuple[Waiver, ...], Field(strict=False)]
    """Findings that are accepted."""


@dataclass(frozen=True)
class Placed:
    """A waiver and where it is written, as FILE:LINE."""

    waiver: Waiver
    place: str


@dataclass(frozen=True)
class Judged:
    """Findings that fail, those of the waivers themselves included, and those let pass, each with its waiver."""

    failed: tuple[Finding, ...]
    waived: tuple[tuple[Finding, Placed], ...]


def load_waivers(path: Path, environments: Collection[str], today: date) -> tuple[Placed, ...]:
    """Return the waivers in a file; none if there is no such file.

    Raises:
        InputError: with every waiver that is malformed, there twice, too long, or for no environment of the project.

    """
    if not path.exists():
        return ()
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError([Problem(str(path), "is not UTF-8", "save the file as UTF-8")]) from None
    return parse_waivers(text, str(path), environments, today)


def parse_waivers(text: str, file: str, environments: Collection[str], today: date) -> tuple[Placed, ...]:
    """Return the waivers in ``text``; ``file`` stands for it in messages. Raises as :func:`load_waivers` does."""
    source = parse_yaml(text, file)
    if not isinstance(source.data, dict):
        raise InputError(
            [Problem(file, "holds no waivers", 'start with "waivers:" and a list below it', line=1)]
        )
    try:
        waivers = WaiverFile.model_validate(source.data).waivers
    except ValidationError as error:
        raise InputError(problems_of(error, WaiverFile, source, file)) from None
    problems = [*_doubled(waivers, source, file), *_elsewhere(waivers, source, file, environments)]
    problems += _too_long(waivers, source, file, today)
    if problems:
        raise InputError(sorted(problems, key=lambda problem: problem.line or 0))
    return tuple(
        Placed(waiver, f"{file}:{source.line_of(('waivers', position))}")
        for position, waiver in enumerate(waivers)
    )


def judge(findings: Iterable[Finding], waivers: Sequence[Placed], environment: str, today: date) -> Judged:
    """Return the verdict on what was found in one environment on a day.

    The first waiver that allows a finding lets it pass; a second one is unused.
    """
    here = [one for one in waivers if one.waiver.counts_in(environment)]
    valid = [one for one in here if date.fromisoformat(one.waiver.expires) >= today]
    failed: list[Finding] = []
    waived: list[tuple[Finding, Placed]] = []
    for finding in sorted(findings):
        found = next((one for one in valid if one.waiver.allows(finding)), None)
        if found is None:
            failed.append(finding)
        else:
            waived.append((finding, found))
    failed += [_expired(one) for one in here if one not in valid]
    used = {id(one) for _finding, one in waived}
    failed += [_unused(one, environment) for one in valid if id(one) not in used]
    return Judged(tuple(failed), tuple(waived))


def _expired(one: Placed) -> Finding:
    waiver = one.waiver
    detail = f"the waiver of {waiver.check} for {waiver.resource} has expired on {waiver.expires}"
    return Finding(EXPIRED, one.place, detail, "expires")


def _unused(one: Placed, environment: str) -> Finding:
    waiver = one.waiver
    detail = f"there is no finding {waiver.check} for {waiver.resource} in {environment}"
    return Finding(UNUSED, one.place, detail, "resource")


def _doubled(waivers: Sequence[Waiver], source: YamlSource, file: str) -> list[Problem]:
    problems = []
    for (first, one), (second, other) in combinations(enumerate(waivers), 2):
        if one.meets(other):
            path = ("waivers", second, "resource")
            problem = f"has a waiver of {one.check} already, in line {source.line_of(('waivers', first))}"
            line = source.line_of(path)
            problems.append(
                Problem(file, problem, "keep one of the two", line, None, dotted(path), other.resource)
            )
    return problems


def _elsewhere(
    waivers: Sequence[Waiver], source: YamlSource, file: str, environments: Collection[str]
) -> list[Problem]:
    problems = []
    for position, waiver in enumerate(waivers):
        for item, name in enumerate(waiver.environments):
            if name not in (ALL, *environments):
                path = ("waivers", position, "environments", item)
                meant = closest(name, environments)
                fix = f'write "{meant}"' if meant else f"use some of {', '.join((ALL, *environments))}"
                line = source.line_of(path)
                problems.append(Problem(file, "is no environment", fix, line, None, dotted(path), name))
    return problems


def _too_long(waivers: Sequence[Waiver], source: YamlSource, file: str, today: date) -> list[Problem]:
    latest = (today + timedelta(days=LONGEST_DAYS)).isoformat()
    problems = []
    for position, waiver in enumerate(waivers):
        if waiver.expires > latest:
            path = ("waivers", position, "expires")
            problem = f"is more than {LONGEST_DAYS} days from now"
            fix = f"write {latest} or earlier"
            line = source.line_of(path)
            problems.append(Problem(file, problem, fix, line, None, dotted(path), waiver.expires))
    return problems
