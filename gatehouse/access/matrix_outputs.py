"""The matrix as a file: table, JSON, CSV, Markdown, and one HTML page. The cells are the same in each."""

from __future__ import annotations

import csv
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gatehouse.access.answer_outputs import layer_name, reason_json
from gatehouse.access.capabilities import API, OBJECTS, STACK, UI, meaning
from gatehouse.access.matrix import Cell, Matrix, Reason, State, Subject
from gatehouse.access.situations import OWN_TEAM, Situation

TEMPLATES = Path(__file__).resolve().parents[2] / "templates" / "access"
#: What spreadsheets take for a formula at the start of a cell. Source: OWASP, "CSV Injection".
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SHORT_PARTS = {API: "API", UI: "UI", OBJECTS: "S3", STACK: "part"}
_SYMBOLS: Mapping[State, str] = {State.ALL: "●", State.SOME: "◐", State.NONE: "○", State.IMPOSSIBLE: "-"}
#: What JSON in a script element of HTML must not hold as it is.
_IN_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def cell_text(cell: Cell) -> str:
    """Return a cell in a word: all, none, which parts in full, or how many of how many."""
    if cell.state is not State.SOME:
        return "-" if cell.state is State.IMPOSSIBLE else cell.state.value
    if cell.whole_parts and STACK not in cell.whole_parts:
        return ", ".join(_SHORT_PARTS[part] for part in cell.whole_parts)
    return f"{len(cell.allowed)}/{cell.asked}"


def who(subject: Subject) -> str:
    """Return for whom a column stands."""
    if not subject.teams:
        return ""
    if len(subject.teams) > 3:  # noqa: PLR2004 - as many as fit
        return f"{len(subject.teams)} teams, such as {subject.teams[0]}"
    return ", ".join(subject.teams)


def as_text(found: Matrix) -> str:
    """Return tables for a terminal: the plain case in full, of the others what is left."""
    columns = {subject.name: str(number) for number, subject in enumerate(found.subjects, start=1)}
    lines = [f"Who can do what in {found.world.document.name}, in own team:", ""]
    for subject in found.subjects:
        teams = f" ({who(subject)})" if subject.teams else ""
        lines.append(f"  {columns[subject.name]:>2} {subject.name}{teams}")
    lines += ["", *_grid(found, columns, OWN_TEAM, found.capabilities)]
    for situation in found.situations:
        if situation == OWN_TEAM:
            continue
        left = [name for name in found.capabilities if _any_allowed(found, name, situation)]
        lines += ["", f"{situation.name[:1].upper()}{situation.name[1:]}:" + ("" if left else " nothing.")]
        lines += ["", *_grid(found, columns, situation, left)] if left else []
    lines += ["", "all, none (.), number of requests, or which part in full: API, UI (user interface), S3."]
    lines += [f"Note: {note}." for note in found.notes]
    return "\n".join([*lines, ""])


def _grid(
    found: Matrix, columns: Mapping[str, str], situation: Situation, capabilities: Sequence[str]
) -> Iterator[str]:
    texts = {
        (name, subject.name): cell_text(found.cell(subject.name, name, situation.id)).replace("none", ".")
        for name in capabilities
        for subject in found.subjects
    }
    wide = {
        name: max([len(number), *(len(texts[one, name]) for one in capabilities)])
        for name, number in columns.items()
    }
    first = max(len(name) for name in found.capabilities)
    yield "  ".join([" " * first, *(number.ljust(wide[name]) for name, number in columns.items())]).rstrip()
    for name in capabilities:
        cells = (texts[name, subject.name].ljust(wide[subject.name]) for subject in found.subjects)
        yield "  ".join([name.ljust(first), *cells]).rstrip()


def _any_allowed(found: Matrix, capability: str, situation: Situation) -> bool:
    return any(found.cell(one.name, capability, situation.id).allowed for one in found.subjects)


def as_json(found: Matrix) -> str:
    """Return everything, for programs."""
    cells = [
        {
            "principal": principal,
            "capability": capability,
            "situation": situation,
            "state": cell.state.value,
            "asked": cell.asked,
            "allowed": list(cell.allowed),
            "teams": list(cell.teams),
            "reasons": [reason_json(found.world, reason) for reason in cell.reasons],
        }
        for (principal, capability, situation), cell in found.cells.items()
    ]
    return json.dumps({**_frame(found), "cells": cells}, indent=1, ensure_ascii=False) + "\n"


def _frame(found: Matrix) -> dict[str, Any]:
    """Return what is around the cells."""
    world = found.world
    return {
        "document": str(world.document.path),
        "account": world.account,
        "region": world.region,
        "mlflow_version": world.mlflow_version,
        "notes": list(found.notes),
        "situations": [{"id": one.id, "name": one.name} for one in found.situations],
        "principals": [
            {
                "name": one.name,
                "sort": one.sort.value,
                "arn": one.who.arn,
                "teams": list(one.teams),
                "can_have_mfa": one.can_have_mfa,
            }
            for one in found.subjects
        ],
        "capabilities": [
            {
                "name": name,
                "meaning": meaning(name),
                "requests": [{"label": one.label, "part": one.part} for one in found.requests[name]],
            }
            for name in found.capabilities
        ],
    }


def as_csv(found: Matrix) -> str:
    """Return a line for each cell, for spreadsheets."""
    text = StringIO()
    out = csv.writer(text, lineterminator="\r\n")
    out.writerow(("principal", "teams", "capability", "situation", "state", "allowed", "asked", "decided by"))
    names = {subject.name: who(subject) for subject in found.subjects}
    for (principal, capability, situation), cell in found.cells.items():
        row = (
            principal, names[principal], capability, situation, cell.state.value, str(len(cell.allowed)),
            str(cell.asked), "; ".join(_brief(found, reason) for reason in cell.reasons),
        )  # fmt: skip
        out.writerow([f"'{value}" if value.startswith(_FORMULA) else value for value in row])
    return text.getvalue()


def _brief(found: Matrix, reason: Reason) -> str:
    statement = reason.statement
    if statement is None:
        return f"no Allow in {reason.layer.value}"
    word = "denied" if statement.is_deny else "allowed"
    return f"{word} by {statement.sid or statement.index} of {statement.policy} ({found.world.locate(statement)})"


def as_markdown(found: Matrix) -> str:
    """Return a table for each situation, for a pull request or a README."""
    lines = [f"# Who can do what in {_cell(found.world.document.name)}", ""]
    lines += [
        "● all, ○ none, ◐ some: how many requests, or which part in full (API, user interface, S3).",
        "",
    ]
    lines += [f"- {_cell(one.name)}: {_cell(who(one))}" for one in found.subjects if one.teams]
    for situation in found.situations:
        table = [*_markdown_table(found, situation), ""]
        title = f"{situation.name[:1].upper()}{situation.name[1:]}"
        if situation == OWN_TEAM:
            lines += ["", f"## {title}", "", *table]
        else:
            lines += ["<details>", f"<summary>{title}</summary>", "", *table, "</details>"]
    lines += [f"\nNote: {_cell(note)}." for note in found.notes]
    return "\n".join([*lines, ""])


def _markdown_table(found: Matrix, situation: Situation) -> Iterator[str]:
    names = [_cell(one.name) for one in found.subjects]
    yield f"| | {' | '.join(names)} |"
    yield f"|---|{':-:|' * len(names)}"
    for name in found.capabilities:
        cells = [found.cell(one.name, name, situation.id) for one in found.subjects]
        yield f"| `{name}` | {' | '.join(_symbol(cell) for cell in cells)} |"


def _symbol(cell: Cell) -> str:
    return _SYMBOLS[cell.state] if cell.state is not State.SOME else f"◐ {cell_text(cell)}"


def _cell(text: str) -> str:
    """Return a text that no cell of a table, and no HTML, is broken by."""
    escaped = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\|*_`\[\]])", r"\\\1", escaped)


def as_html(found: Matrix) -> str:
    """Return one page that needs nothing else: no network, no script or style but its own.

    The page says so itself by a Content Security Policy with the digests of both.
    """
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = ((TEMPLATES / f"matrix.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    reasons: dict[str, int] = {}
    sections = [
        {"situation": one, "rows": [_row(found, name, one, reasons) for name in found.capabilities]}
        for one in found.situations
    ]
    statements = [
        {
            "sid": one.sid or f"statement {one.index}",
            "effect": "Deny" if one.is_deny else "Allow",
            "policy": one.policy,
            "place": found.world.locate(one),
            "text": json.dumps(found.world.written(one), indent=2, ensure_ascii=False),
        }
        for one in found.statements
    ]
    frame = _frame(found)
    data = {
        "capabilities": {one["name"]: one["requests"] for one in frame["capabilities"]},
        "statements": statements,
        "details": [json.loads(text) for text in reasons],
    }
    return templates.get_template("matrix.html.j2").render(
        matrix=found,
        frame=frame,
        name=found.world.document.name,
        who=who,
        sections=sections,
        data=Markup(in_script(data)),  # noqa: S704 - nothing in it can end the script element
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        style_digest=_digest(style),
        script_digest=_digest(script),
    )


def _row(found: Matrix, capability: str, situation: Situation, reasons: dict[str, int]) -> dict[str, Any]:
    cells = []
    for subject in found.subjects:
        cell = found.cell(subject.name, capability, situation.id)
        text = json.dumps(_detail(found, cell))
        cells.append(
            {
                "state": cell.state.name.lower(),
                "symbol": _SYMBOLS[cell.state],
                "text": cell_text(cell),
                "principal": subject.name,
                "detail": reasons.setdefault(text, len(reasons)),
            }
        )
    return {"capability": capability, "meaning": meaning(capability), "cells": cells}


def _detail(found: Matrix, cell: Cell) -> dict[str, Any]:
    places = {(one.policy, one.index): place for place, one in enumerate(found.statements)}
    return {
        "asked": cell.asked,
        "allowed": list(cell.allowed),
        "teams": list(cell.teams),
        "reasons": [
            [
                reason.outcome.value,
                layer_name(reason.layer),
                places[reason.statement.policy, reason.statement.index] if reason.statement else None,
                reason.count,
                reason.sample,
            ]
            for reason in cell.reasons
        ],
    }


def in_script(data: object) -> str:
    """Return JSON for a script element: no text of it can end the element, or begin a comment in it.

    Source: HTML Living Standard, "Restrictions for contents of script elements".
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return "".join(_IN_SCRIPT.get(character, character) for character in text)


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


#: By the name of the format.
WRITERS: Mapping[str, Callable[[Matrix], str]] = {
    "table": as_text,
    "json": as_json,
    "csv": as_csv,
    "markdown": as_markdown,
    "html": as_html,
}
