"""The changes as text, JSON and Markdown for a pull request. What a document names is escaped, never read as markup."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gatehouse.access.diff.approvals import Judged, Placed
from gatehouse.access.diff.compare import Change, Difference, Direction
from gatehouse.access.model import Decision
from gatehouse.access.world import World

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~&@-])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
#: GitHub takes comments of up to 65536 characters.
_LONGEST = 60_000
_SHOWN = 3


@dataclass(frozen=True)
class Report:
    """A verdict with what is needed to write it; ``old`` and ``new`` stand for the documents."""

    difference: Difference
    judged: Judged
    old: str
    new: str

    @property
    def summary(self) -> str:
        """The verdict in one line."""
        judged = self.judged
        counts = [
            (len(_rows(judged.refused)), "new and not approved"),
            (len(_rows([change for change, _ in judged.approved])), "new and approved"),
            (len(_rows(judged.lost)), "lost"),
        ]
        parts = [f"{count} {what}" for count, what in counts if count]
        parts += [f"{len(judged.complaints)} approvals to mend"] * bool(judged.complaints)
        return "access: " + (", ".join(parts) or "no change")


@dataclass(frozen=True)
class _Row:
    """Changes that differ in the team alone."""

    changes: list[Change]
    by: list[Placed] = field(default_factory=list)

    @property
    def first(self) -> Change:
        return self.changes[0]

    @property
    def who(self) -> str:
        teams = sorted({one.subject.team for one in self.changes if one.subject.team})
        return self.first.subject.group + (f" of {', '.join(teams)}" if teams else "")

    @property
    def what(self) -> str:
        change = self.first
        if change.do:
            return change.do
        shown = ", ".join(change.actions[:_SHOWN])
        return shown + (f" and {len(change.actions) - _SHOWN} more" if len(change.actions) > _SHOWN else "")


def _rows(changes: Sequence[Change]) -> list[_Row]:
    """Return changes of one persona in several teams as one."""
    found: dict[tuple[object, ...], _Row] = {}
    for one in changes:
        key = (
            one.direction,
            one.subject.group,
            bool(one.subject.team),
            one.target.label,
            one.do,
            one.actions,
        )
        found.setdefault(key, _Row([])).changes.append(one)
    return list(found.values())


def as_text(report: Report) -> str:
    """Return the verdict for a terminal."""
    lines = [report.summary, f"  from {report.old}", f"  to   {report.new}"]
    for title, rows in _sections(report):
        lines += ["", title]
        for row in rows:
            lines += [f"  {row.who}: {row.what} on {row.first.target.label}"]
            lines += [f"    {line}" for line in _details(report, row)]
    lines += [f"\nnote: {one}" for one in report.difference.notes]
    lines += [f"\n{one}" for one in report.judged.complaints]
    return "\n".join(_plain(line) for text in lines for line in text.split("\n")) + "\n"


def as_json(report: Report) -> str:
    """Return everything for programs."""
    judged = report.judged
    content = {
        "old": report.old,
        "new": report.new,
        "sound": judged.sound,
        "summary": report.summary,
        "new_access": [_as_object(report, one) for one in judged.refused],
        "approved": [
            {**_as_object(report, one), "approvals": [placed.place for placed in by]}
            for one, by in judged.approved
        ],
        "lost_access": [_as_object(report, one) for one in judged.lost],
        "notes": list(report.difference.notes),
        "complaints": list(judged.complaints),
    }
    return json.dumps(content, indent=2) + "\n"


def as_markdown(report: Report) -> str:
    """Return a comment for a pull request: the verdict, and each change with its request to unfold."""
    judged = report.judged
    verdict = "✅" if judged.sound else "❌"
    lines = [f"### {verdict} {_escaped(report.summary)}", "", f"{_code(report.old)} → {_code(report.new)}"]
    lines += [f"- ⚠️ {_escaped(one)}" for one in (*report.difference.notes, *judged.complaints)]
    for title, rows in _sections(report):
        lines += ["", f"**{title}**", ""]
        for row in rows:
            head = f"<b>{_html(row.who)}</b>: {_html(row.what)} on {_html(row.first.target.label)}"
            body = _html("\n".join(_details(report, row)))
            entry = ["<details>", f"<summary>{head}</summary>", "", f"<pre>{body}</pre>", "", "</details>"]
            if sum(map(len, (*lines, *entry))) > _LONGEST:
                lines += ["", "There is more; it is in the output of the command."]
                return "\n".join(lines) + "\n"
            lines += entry
    return "\n".join(lines) + "\n"


WRITERS: Mapping[str, Callable[[Report], str]] = {"table": as_text, "json": as_json, "markdown": as_markdown}


def _sections(report: Report) -> Iterator[tuple[str, list[_Row]]]:
    judged = report.judged
    approved: dict[int, list[Placed]] = {id(change): list(by) for change, by in judged.approved}
    with_approval = _rows([change for change, _ in judged.approved])
    for row in with_approval:
        row.by.extend(dict.fromkeys(one for change in row.changes for one in approved[id(change)]))
    for title, rows in (
        ("New access, not approved", _rows(judged.refused)),
        ("New access, approved", with_approval),
        ("Lost access", _rows(judged.lost)),
    ):
        if rows:
            yield title, rows


def _details(report: Report, row: _Row) -> Iterator[str]:
    """Go through the request that shows a change, and what decided it before and after."""
    change = row.first
    request = change.witness.request
    principal = request.principal
    yield f"principal: {principal.service or principal.arn or 'nobody signed in'}"
    if principal.tags:
        yield f"principal tags: {_pairs(principal.tags)}"
    yield f"action: {request.action}"
    if not change.do and len(change.actions) > 1:
        yield f"as well: {', '.join(one for one in change.actions if one != request.action)}"
    yield f"resource: {request.resource.arn}"
    if request.context:
        yield f"context: {_pairs(request.context)}"
    for name, decision, world, shown in _decisions(report, change):
        yield f"{name}: {_decided(decision, world, shown)}"
    for one in row.by:
        yield f"approved by {one.approval.owner} until {one.approval.expires} ({one.place})"


def _decisions(report: Report, change: Change) -> Iterator[tuple[str, Decision | None, World, str]]:
    is_new = change.direction is Direction.NEW
    before = change.before if is_new else change.witness.decision
    after = change.witness.decision if is_new else change.before
    yield "before", before, report.difference.old, report.old
    yield "after", after, report.difference.new, report.new


def _decided(decision: Decision | None, world: World, shown: str) -> str:
    if decision is None:
        return "there is no such principal or resource"
    statement = decision.statement
    if statement is None:
        return f"{decision.outcome.value} by {decision.layer.value}"
    place = _place(decision, world, shown)
    name = statement.sid or f"statement {statement.index}"
    return f"{decision.outcome.value} by {name} of {statement.policy}" + (f" ({place})" if place else "")


def _place(decision: Decision, world: World, shown: str) -> str | None:
    """Return where the deciding statement stands, as FILE:LINE."""
    statement = decision.statement
    if statement is None or statement.policy not in world.policies:
        return None
    return world.locate(statement).replace(str(world.document.path), shown, 1)


def _as_object(report: Report, change: Change) -> dict[str, Any]:
    request = change.witness.request
    decided = {
        name: None
        if decision is None
        else {
            "decision": decision.outcome.value,
            "layer": decision.layer.value,
            "policy": decision.statement.policy if decision.statement else None,
            "sid": decision.statement.sid if decision.statement else None,
            "place": _place(decision, world, shown),
        }
        for name, decision, world, shown in _decisions(report, change)
    }
    return {
        "principal": change.subject.group,
        "name": change.subject.name,
        "team": change.subject.team,
        "do": change.do or None,
        "actions": list(change.actions),
        "target": change.target.label,
        "on": change.on,
        "witness": {
            "principal": {
                "arn": request.principal.arn,
                "session_arn": request.principal.session_arn,
                "service": request.principal.service,
                "tags": dict(request.principal.tags),
            },
            "action": request.action,
            "resource": request.resource.arn,
            "context": dict(request.context),
        },
        **decided,
    }


def _pairs(values: Mapping[str, Any]) -> str:
    return json.dumps(values, default=dict)


def _plain(value: str) -> str:
    return _CONTROL.sub("?", value)


def _escaped(value: str) -> str:
    return _MARKUP.sub(r"\\\1", _plain(value))


def _html(value: str) -> str:
    """Return text for HTML in Markdown: one line to it, no markup, and nobody is mentioned."""
    lines = (html.escape(_plain(line)).replace("@", "&#64;") for line in value.split("\n"))
    return "<br>".join(lines)


def _code(value: str) -> str:
    return f"<code>{_html(value)}</code>"
