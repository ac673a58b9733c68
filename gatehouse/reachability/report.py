"""The verdict on a network in words: as a table, as JSON, as Markdown with a picture."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gatehouse.document import Document
from gatehouse.reachability.build import build_graph
from gatehouse.reachability.graph import Graph
from gatehouse.reachability.invariants import Failure, Outcome, Verdict, judge_graph
from gatehouse.reachability.picture import mermaid, svg
from gatehouse.reachability.ranges import ports_text
from gatehouse.reachability.view import view_of

_STYLES = {Outcome.PASSED: "green", Outcome.FAILED: "bold red", Outcome.NOT_ASKED: "yellow"}
_WIDTH = 110


@dataclass(frozen=True)
class Report:
    """The graph of a document and the verdicts on it."""

    name: str
    graph: Graph
    verdicts: tuple[Verdict, ...]

    @property
    def sound(self) -> bool:
        """Whether every invariant holds that is asked."""
        return all(one.sound for one in self.verdicts)


def report_on(document: Document, *, no_egress: bool = False) -> Report:
    """Return the report on a document.

    Raises:
        InputError: something cannot be resolved, or is of a type that is not modelled.

    """
    graph = build_graph(document)
    return Report(document.name, graph, judge_graph(document, graph, no_egress=no_egress))


def table(report: Report) -> str:
    """Return the verdicts as plain text."""
    text = StringIO()
    print_report(Console(file=text, width=_WIDTH, markup=False, highlight=False, emoji=False), report)
    return text.getvalue()


def print_report(out: Console, report: Report) -> None:
    """Print the verdicts, and below them each way that must not be there, hop by hop."""
    rows = Table(box=box.SIMPLE_HEAD if out.is_terminal else None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("id", "verdict", "severity"):
        rows.add_column(title, no_wrap=True)
    rows.add_column("what must hold", overflow="fold")
    for one in report.verdicts:
        told = f"{one.invariant.sentence} ({one.reason})" if one.reason else one.invariant.sentence
        verdict = Text(one.outcome.value, style=_STYLES[one.outcome])
        rows.add_row(one.invariant.id, verdict, one.invariant.severity.value, Text(told))
    out.print(rows)
    for one in report.verdicts:
        for failure in one.failures:
            out.print(Text(f"\n{one.invariant.id} {failure.sentence}:"), soft_wrap=True)
            for line in _told(failure):
                out.print(Text(f"  {line}"), soft_wrap=True)
    for assumption in report.graph.assumptions:
        out.print(Text(f"\nAssumed: {assumption}"), soft_wrap=True)
    out.print(Text(f"\nnetwork {report.name}: {summary(report)}"), soft_wrap=True)


def _told(failure: Failure) -> Iterator[str]:
    yield from failure.hops
    if failure.reasons:
        yield f"by {', '.join(map(str, failure.reasons))}"


def summary(report: Report) -> str:
    """Return the verdict in one line: how many invariants, and how large the network is."""
    counts = [
        f"{sum(one.outcome is outcome for one in report.verdicts)} {outcome.value}" for outcome in Outcome
    ]
    found = len(report.graph.nodes), len(report.graph.edges)
    verdict = "passed" if report.sound else "failed"
    return f"{verdict}, {', '.join(counts)}; {found[0]} nodes, {found[1]} edges"


def as_json(report: Report) -> str:
    """Return graph and verdicts as JSON."""
    graph = report.graph
    content = {
        "name": report.name,
        "sound": report.sound,
        "assumptions": list(graph.assumptions),
        "verdicts": list(map(_verdict, report.verdicts)),
        "nodes": [{"kind": one.kind, "address": one.address, "label": one.label} for one in graph.nodes],
        "edges": [
            {
                "source": edge.source.address,
                "target": edge.target.address,
                "ports": ports_text(edge.ports),
                "ways": [
                    {
                        "ports": ports_text(way.ports),
                        "by": [{"address": one.address, "line": one.line} for one in way.reasons],
                    }
                    for way in edge.ways
                ],
            }
            for edge in graph.edges
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _verdict(one: Verdict) -> dict[str, Any]:
    return {
        "id": one.invariant.id,
        "name": one.invariant.name,
        "sentence": one.invariant.sentence,
        "severity": one.invariant.severity,
        "outcome": one.outcome,
        "reason": one.reason,
        "failures": [
            {
                "sentence": failure.sentence,
                "hops": list(failure.hops),
                "by": [{"address": reason.address, "line": reason.line} for reason in failure.reasons],
            }
            for failure in one.failures
        ],
    }


def markdown(report: Report) -> str:
    """Return the verdicts as Markdown, with a Mermaid picture."""
    lines = [
        f"# Network of {_cell(report.name)}",
        "",
        "```mermaid",
        mermaid(view_of(report.graph, report.verdicts)).rstrip(),
        "```",
        "",
        "| Id | Verdict | Severity | What must hold |",
        "|---|---|---|---|",
    ]
    for one in report.verdicts:
        told = f"{one.invariant.sentence} ({one.reason})" if one.reason else one.invariant.sentence
        verdict = f"**{one.outcome}**" if one.outcome is Outcome.FAILED else str(one.outcome)
        lines.append(f"| {one.invariant.id} | {verdict} | {one.invariant.severity} | {_cell(told)} |")
    for one in report.verdicts:
        lines += [line for failure in one.failures for line in _listed(one, failure)]
    lines += [f"\nAssumed: {_cell(one)}" for one in report.graph.assumptions]
    return "\n".join(lines) + "\n"


def _listed(verdict: Verdict, failure: Failure) -> list[str]:
    hops = [f"{index}. {_cell(line)}" for index, line in enumerate(_told(failure), 1)]
    return ["", f"**{verdict.invariant.id}** {_cell(failure.sentence)}:", "", *hops]


def _cell(text: str) -> str:
    """Return a text in which nothing means anything to Markdown or HTML."""
    marked = "".join(f"\\{sign}" if sign in "\\`*_[]|#~" else sign for sign in text.replace("\n", " "))
    return escape(marked, quote=False)


def written(report: Report, form: str) -> str:
    """Return a report in one of the forms ``table``, ``json``, ``svg``, ``mermaid`` and ``markdown``."""
    if form == "svg":
        return svg(
            view_of(report.graph, report.verdicts), f"Who can open a connection to whom: {report.name}"
        )
    if form == "mermaid":
        return mermaid(view_of(report.graph, report.verdicts))
    return {"table": table, "json": as_json, "markdown": markdown}[form](report)
