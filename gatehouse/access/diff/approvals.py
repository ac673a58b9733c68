"""Approvals: new access that somebody has accepted, each for a time, in one file that is kept true.

An approval counts for one change: those that the old revision had already are spent, so that they let nothing more
pass. One that is not spent must let something pass. One that has expired is to be looked at again or removed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from gatehouse.acceptance import Acceptance, too_long
from gatehouse.access.diff.compare import Change, Difference, Direction
from gatehouse.access.diff.subjects import ANONYMOUS, OTHER_ACCOUNTS, OWN_ACCOUNT
from gatehouse.access.evaluate import evaluate
from gatehouse.access.pattern import PatternError, tokens
from gatehouse.access.proof import Like, Prover, unlike
from gatehouse.catalogue.model import CAPABILITIES
from gatehouse.errors import InputError, Problem
from gatehouse.fields import Model, Pattern
from gatehouse.personas.actions import actions_named, closest_action, wildcards
from gatehouse.problems import closest, problems_of
from gatehouse.yaml_source import YamlSource, dotted, parse_yaml

APPROVALS = Path("access-approvals.yaml")


class Approval(Acceptance):
    """One decision: who may do what that they could not before."""

    principal: Annotated[
        str, Pattern(r"\S(.*\S)?", "a principal", "write a persona, or a name as the diff has it")
    ]
    """A persona for all its teams, or a name: of a role, `user NAME`, `group NAME`, a service, an identity provider,
    anonymous, other-accounts or own-account."""
    do: Annotated[
        str,
        Pattern(
            r"[a-z0-9-]+:[A-Za-z0-9*?_-]+",
            "a capability or an action",
            "write one like registry:read or s3:GetObject; only an action's name may hold '*' and '?'",
        ),
    ]
    """A capability of MLflow such as registry:read, or an action such as s3:GetObject or s3:Get*."""
    on: Annotated[str, Field(min_length=1)] | None = None
    """The resources, as an ARN in which `*` stands for any text; without it, all."""

    def approves(self, change: Change, action: str) -> bool:
        """Return whether it is about an action of a change, wherever."""
        if not change.subject.is_named(self.principal):
            return False
        if change.do:
            return self.do == change.do
        return _is_action(self.do) and _named(self.do, action)


class ApprovalFile(Model):
    """The file."""

    approvals: Annotated[tuple[Approval, ...], Field(strict=False)]
    """Decisions to give new access."""


@dataclass(frozen=True)
class Placed:
    """An approval and where it is written, as FILE:LINE."""

    approval: Approval
    place: str


@dataclass(frozen=True)
class Judged:
    """What of the new access nobody has approved, what somebody has, and what is wrong with approvals."""

    refused: tuple[Change, ...]
    approved: tuple[tuple[Change, tuple[Placed, ...]], ...]
    lost: tuple[Change, ...]
    complaints: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is left to say."""
        return not self.refused and not self.complaints


def parse_approvals(text: str, file: str, today: date) -> tuple[Placed, ...]:
    """Return the approvals in ``text``; ``file`` stands for it in messages.

    Raises:
        InputError: with every approval that is malformed, there twice, or for something that does not exist.

    """
    source = parse_yaml(text, file)
    if not isinstance(source.data, dict):
        problem = Problem(file, "holds no approvals", 'start with "approvals:" and a list below it', line=1)
        raise InputError([problem])
    try:
        approvals = ApprovalFile.model_validate(source.data).approvals
    except ValidationError as error:
        raise InputError(problems_of(error, ApprovalFile, source, file)) from None
    problems = [*_unknown(approvals, source, file), *_doubled(approvals, source, file)]
    problems += too_long("approvals", approvals, source, file, today)
    if problems:
        raise InputError(sorted(problems, key=lambda problem: problem.line or 0))
    return tuple(
        Placed(one, f"{file}:{source.line_of(('approvals', position))}")
        for position, one in enumerate(approvals)
    )


def judge(
    difference: Difference, approvals: Sequence[Placed], spent: Collection[Approval], today: date
) -> Judged:
    """Return the verdict on new access on a day; ``spent`` are the approvals that the old revision had already.

    Raises:
        InputError: an approval names a principal that is in neither document.
        ProofError: the solver gives no answer on what an approval leaves open.

    """
    fresh = [one for one in approvals if one.approval not in spent]
    _check_principals(difference, fresh)
    valid = [one for one in fresh if one.approval.counts_on(today)]
    refused: list[Change] = []
    approved: list[tuple[Change, tuple[Placed, ...]]] = []
    used: set[str] = set()
    prover = Prover()
    for change in difference.of(Direction.NEW):
        for part, by, is_whole in _parts(change, valid, prover):
            used |= {one.place for one in by}
            if is_whole:
                approved.append((part, by))
            else:
                refused.append(part)
    complaints = [
        f"{one.place}: the approval of {one.approval.do} for {one.approval.principal} has expired on "
        f"{one.approval.expires}. Fix: look at it again, then renew or remove it"
        for one in approvals
        if not one.approval.counts_on(today)
    ]
    complaints += [
        f"{one.place}: {one.approval.principal} gets no new {one.approval.do}"
        + (f" on {one.approval.on}" if one.approval.on else "")
        + ", so that this approves nothing. Fix: remove it"
        for one in valid
        if one.place not in used
    ]
    return Judged(tuple(refused), tuple(approved), difference.of(Direction.LOST), tuple(complaints))


def _parts(
    change: Change, approvals: Sequence[Placed], prover: Prover
) -> Iterator[tuple[Change, tuple[Placed, ...], bool]]:
    """Go through the actions of a change by who approves them, and whether that leaves nothing open."""
    found: dict[tuple[Placed, ...], list[str]] = {}
    for action in change.actions:
        by = tuple(one for one in approvals if one.approval.approves(change, action))
        found.setdefault(by, []).append(action)
    for by, actions in found.items():
        part = _of_actions(change, tuple(actions))
        patterns = [one.approval.on for one in by]
        if not by:
            yield part, (), False
        elif None in patterns:
            yield part, tuple(one for one in by if one.approval.on is None), True
        else:
            yield from _limited(part, by, prover)


def _limited(
    change: Change, by: tuple[Placed, ...], prover: Prover
) -> Iterator[tuple[Change, tuple[Placed, ...], bool]]:
    """Return a change if approvals of some resources cover it; else what they leave, with a request of that."""
    used = tuple(one for one in by if _reaches(change, one.approval.on or "", prover))
    for question in change.questions:
        limit = unlike(question.resource, *(one.approval.on or "" for one in used))
        left = prover.find(replace(question, given=(*question.given, limit)), unless=change.unless)
        if left is not None:
            yield replace(change, witness=left), used, False
            return
    yield change, used, True


def _reaches(change: Change, pattern: str, prover: Prover) -> bool:
    """Return whether some of the new access is on resources of a pattern."""
    return any(
        prover.find(replace(one, given=(*one.given, Like(one.resource, pattern))), unless=change.unless)
        is not None
        for one in change.questions
    )


def _of_actions(change: Change, actions: tuple[str, ...]) -> Change:
    """Return a change with some of its actions; its request is made one of these, which policies do not tell apart."""
    if change.witness.request.action in actions:
        return replace(change, actions=actions)
    questions = tuple(replace(one, actions=actions[:1]) for one in change.questions)
    request = replace(change.witness.request, action=actions[0])
    decision = evaluate(request, questions[0].policies)
    witness = replace(change.witness, request=request, decision=decision)
    return replace(change, actions=actions, witness=witness, questions=questions)


def _is_action(do: str) -> bool:
    return do not in map(str, CAPABILITIES)


def _named(pattern: str, action: str) -> bool:
    return wildcards(pattern.lower(), re.NOFLAG).fullmatch(action.lower()) is not None


def _unknown(approvals: Sequence[Approval], source: YamlSource, file: str) -> Iterator[Problem]:
    for position, one in enumerate(approvals):
        if _is_action(one.do) and not actions_named(one.do):
            capability = closest(one.do, map(str, CAPABILITIES))
            meant = capability or closest_action(one.do)
            fix = f'write "{meant}"' if meant else "write one like registry:read or s3:GetObject"
            path = ("approvals", position, "do")
            problem = "is no capability of MLflow and no action of AWS"
            yield Problem(file, problem, fix, source.line_of(path), None, dotted(path), one.do)
        try:
            tokens(one.on or "", variables=True, wildcards=True)
        except PatternError as error:
            path = ("approvals", position, "on")
            fix = "write an ARN, with * for any text"
            yield Problem(file, str(error), fix, source.line_of(path), None, dotted(path), one.on)


def _doubled(approvals: Sequence[Approval], source: YamlSource, file: str) -> Iterator[Problem]:
    seen: dict[tuple[str, str, str | None], int] = {}
    for position, one in enumerate(approvals):
        key = (one.principal, one.do, one.on)
        if key in seen:
            path = ("approvals", position, "do")
            first = source.line_of(("approvals", seen[key]))
            problem = f"is approved for {one.principal} already, in line {first}"
            yield Problem(
                file, problem, "keep one of the two", source.line_of(path), None, dotted(path), one.do
            )
        seen.setdefault(key, position)


def _check_principals(difference: Difference, approvals: Sequence[Placed]) -> None:
    known = {ANONYMOUS, OTHER_ACCOUNTS, OWN_ACCOUNT, *difference.principals}
    problems = []
    for one in approvals:
        name = one.approval.principal
        if name not in known:
            meant = closest(name, known)
            fix = f'write "{meant}"' if meant else f"use one of {', '.join(sorted(known))}"
            problems.append(Problem(one.place, "is in neither document", fix, field="principal", value=name))
    if problems:
        raise InputError(problems)
