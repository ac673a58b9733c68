"""Waivers: findings that somebody has judged and accepted, each for a time, in one file that is kept true.

A waiver that has expired, or that lets nothing pass any more, is a finding itself (GH901, GH902); one that cannot be
read, or is there twice, is bad input.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from gatehouse.acceptance import Acceptance, read_acceptances, too_long
from gatehouse.errors import InputError, Problem
from gatehouse.fields import ALL, DISTINCT, Model, Name, Pattern, RefusedError
from gatehouse.problems import closest, problems_of
from gatehouse.scan.findings import Finding
from gatehouse.yaml_source import YamlSource, dotted, parse_yaml

WAIVERS = Path("waivers.yaml")
EXPIRED, UNUSED = "GH901", "GH902"


def _all_alone(value: tuple[str, ...]) -> tuple[str, ...]:
    if ALL in value and len(value) > 1:
        raise RefusedError("names all environments and one of them", "write [all], or the names")
    return value


class Accepted(Model):
    """A check, and the resource or the resources of one type for which its findings are let pass."""

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

    def allows(self, finding: Finding) -> bool:
        """Return whether the finding is one of those, whatever the environment and the day."""
        if self.check != finding.check or self.place not in (None, finding.place):
            return False
        name = "[A-Za-z0-9_-]*".join(map(re.escape, self.resource.split("*")))
        return re.fullmatch(name, finding.address) is not None


class Waiver(Acceptance):
    """One decision: the findings that it accepts, and the reason that answers all of them."""

    findings: Annotated[tuple[Accepted, ...], Field(strict=False, min_length=1)]
    """What is accepted; several only if one reason answers them all. Each must let something pass."""
    environments: Annotated[
        tuple[Name, ...], Field(strict=False, min_length=1), DISTINCT, AfterValidator(_all_alone)
    ]
    """Environments by name, or [all]."""
    only_when_known: bool = False
    """Whether the finding shows only where a value is known, as in a plan: a scan without one does not miss it."""

    def counts_in(self, environment: str) -> bool:
        """Return whether it speaks of this environment."""
        return self.environments == (ALL,) or environment in self.environments

    def meets(self, other: Waiver) -> bool:
        """Return whether another one speaks of an environment that this one speaks of too."""
        return ALL in (*self.environments, *other.environments) or not set(self.environments).isdisjoint(
            other.environments
        )


class WaiverFile(Model):
    """The file."""

    waivers: Annotated[tuple[Waiver, ...], Field(strict=False)]
    """Decisions to accept findings."""


@dataclass(frozen=True)
class Placed:
    """What a waiver accepts, one of its findings, and where that is written, as FILE:LINE."""

    waiver: Waiver
    accepted: Accepted
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
    text = read_acceptances(path)
    return () if text is None else parse_waivers(text, str(path), environments, today)


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
    problems += too_long("waivers", waivers, source, file, today)
    if problems:
        raise InputError(sorted(problems, key=lambda problem: problem.line or 0))
    return tuple(
        Placed(waiver, accepted, f"{file}:{source.line_of(path)}")
        for path, waiver, accepted in _entries(waivers)
    )


def judge(
    findings: Iterable[Finding],
    waivers: Sequence[Placed],
    environment: str,
    today: date,
    *,
    in_plan: Collection[Finding] | None = None,
) -> Judged:
    """Return the verdict on what was found in one environment on a day.

    ``in_plan`` is what a plan alone has, None without a plan. The first entry of a waiver that allows a finding lets it
    pass; a second one is unused. Each is told of by itself.
    """
    planned = in_plan or ()
    here = [one for one in waivers if one.waiver.counts_in(environment)]
    valid = [one for one in here if one.waiver.counts_on(today)]
    failed: list[Finding] = []
    waived: list[tuple[Finding, Placed]] = []
    for finding in sorted({*findings, *planned}):
        found = next((one for one in valid if one.accepted.allows(finding)), None)
        if found is None:
            failed.append(finding)
        else:
            waived.append((finding, found))
    failed += [_expired(one) for one in here if one not in valid]
    used = {id(one) for _finding, one in waived}
    asked = [one for one in valid if in_plan is not None or not one.waiver.only_when_known]
    failed += [_unused(one, environment) for one in asked if id(one) not in used]
    return Judged(tuple(failed), tuple(waived))


def _expired(one: Placed) -> Finding:
    accepted, expires = one.accepted, one.waiver.expires
    detail = f"the waiver of {accepted.check} for {accepted.resource} has expired on {expires}"
    return Finding(EXPIRED, one.place, detail, "expires")


def _unused(one: Placed, environment: str) -> Finding:
    accepted = one.accepted
    detail = f"there is no finding {accepted.check} for {accepted.resource} in {environment}"
    return Finding(UNUSED, one.place, detail, "resource")


def _entries(waivers: Sequence[Waiver]) -> Iterator[tuple[tuple[str | int, ...], Waiver, Accepted]]:
    """Yield everything that is accepted, with its path in the file and its waiver."""
    for position, waiver in enumerate(waivers):
        for item, accepted in enumerate(waiver.findings):
            yield ("waivers", position, "findings", item), waiver, accepted


def _doubled(waivers: Sequence[Waiver], source: YamlSource, file: str) -> list[Problem]:
    problems = []
    for (first, waiver, one), (second, other_waiver, other) in combinations(_entries(waivers), 2):
        if one == other and waiver.meets(other_waiver):
            path = (*second, "resource")
            problem = f"has a waiver of {one.check} already, in line {source.line_of(first)}"
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
