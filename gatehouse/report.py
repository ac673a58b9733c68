"""What the command line prints about a run: plain text in a pipe, colours in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gatehouse.catalogue.model import CAPABILITIES, Catalogue
from gatehouse.scan.findings import Finding
from gatehouse.scan.gate import Verdict
from gatehouse.scan.outputs import plan_counts, severity_of
from gatehouse.summary import AREAS, OTHER, Summary
from gatehouse.terraform import Outcome, Validation

if TYPE_CHECKING:
    from gatehouse.steps import Step

#: Width where there is no terminal to ask.
PLAIN_WIDTH = 100
_STYLES = {Outcome.PASSED: "green", Outcome.FAILED: "bold red", Outcome.NOT_RUN: "yellow"}


def console(file: TextIO | None = None) -> Console:
    """Return a console on ``file`` (standard output); in a pipe it writes plain text, 100 columns wide."""
    file = file if file is not None else sys.stdout
    # Nothing here is markup: addresses such as aws_subnet.this[0] hold brackets.
    return Console(
        file=file, width=None if file.isatty() else PLAIN_WIDTH, markup=False, highlight=False, emoji=False
    )


def print_documents(out: Console, summaries: Sequence[Summary], seconds: float) -> None:
    """Print where each document is, its size and counts, and what it took to make them."""
    table = _table(out, "document", "size", "data sources", "variables", "outputs")
    if not out.is_terminal:  # there, the table brings its own
        out.print()
    for one in summaries:
        table.add_row(str(one.path), _size(one.size), *_counts(one.data_sources, one.variables, one.outputs))
    out.print(table)
    out.print(f"\n{_plural(len(summaries), 'environment')} synthesized in {seconds:.1f} s")


def print_resources(out: Console, summaries: Sequence[Summary]) -> None:
    """Print the number of resources by area, one environment a row."""
    areas = [
        area for area in (*AREAS, OTHER) if area != OTHER or any(one.resources[OTHER] for one in summaries)
    ]
    table = _table(out, "resources", *areas, "total")
    for one in summaries:
        table.add_row(one.environment, *_counts(*(one.resources[area] for area in areas), one.total))
    out.print(table)


def print_validation(out: Console, environment: str, validation: Validation) -> None:
    """Print the verdict on one environment, with every error and warning of Terraform below it."""
    verdict = Text(f"terraform validate {environment}: ")
    verdict.append(validation.outcome.value, style=_STYLES[validation.outcome])
    if validation.reason:
        verdict.append(f" ({validation.reason})")
    else:
        verdict.append(f", {_plural(validation.warnings, 'warning')}, {validation.seconds:.1f} s")
    out.print(verdict, soft_wrap=True)
    for diagnostic in validation.diagnostics:
        out.print(Text(f"  {diagnostic}"), soft_wrap=True)


def print_step(out: Console, step: Step) -> None:
    """Print one line on a verdict of a check, and the whole of it if it is a bad one."""
    line = Text(f"{step.name}: ")
    line.append(*(("passed", "green") if step.sound else ("failed", "bold red")))
    line.append(f", {step.told}, {step.seconds:.1f} s")
    out.print(line, soft_wrap=True)
    if not step.sound:
        out.print(Text(step.whole), soft_wrap=True)


def print_verdicts(out: Console, verdicts: Sequence[Verdict]) -> None:
    """Print the verdict of a scan on each environment, with every failed check below it."""
    for verdict in verdicts:
        _print_verdict(out, verdict)


def verdicts_as_text(verdicts: Sequence[Verdict]) -> str:
    """Return what is printed of them in a pipe."""
    text = StringIO()
    print_verdicts(console(text), verdicts)
    return text.getvalue()


def _print_verdict(out: Console, verdict: Verdict) -> None:
    line = Text(f"scan {verdict.environment}: ")
    line.append(*(("passed", "green") if verdict.sound else ("failed", "bold red")))
    counts = f"{verdict.passed} checks passed, {len(verdict.failed)} failed, {len(verdict.waived)} waived"
    line.append(f", {counts}, {verdict.seconds:.1f} s")
    if verdict.plan is not None:
        line.append(f"; plan {verdict.plan.path}: {plan_counts(verdict.plan)}")
    out.print(line, soft_wrap=True)
    if verdict.failed:
        out.print(_findings(out, verdict.failed))


def print_explanation(out: Console, title: str, parts: Mapping[str, str]) -> None:
    """Print what is known of a check: a title, then each part that is not empty."""
    out.print(Text(title, style="bold"), soft_wrap=True)
    for name, text in parts.items():
        if text:
            out.print(Text(f"{name}: {' '.join(text.split())}"))


def _findings(out: Console, findings: Sequence[Finding]) -> Table:
    table = Table(box=box.SIMPLE_HEAD if out.is_terminal else None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("check", no_wrap=True)
    table.add_column("severity", no_wrap=True)
    table.add_column("where", overflow="fold", ratio=5)
    table.add_column("what", overflow="fold", ratio=4)
    for one in findings:
        where = f"{one.address}\n{one.place}" if one.place else one.address
        table.add_row(one.check, severity_of(one) or "-", _shown(where), _shown(one.detail))
    return table


def _shown(text: str) -> str:
    """Return a text that moves no cursor and clears no screen, whatever a document has in its names."""
    return "".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in text)


def print_catalogues(out: Console, catalogues: Sequence[Catalogue]) -> None:
    """Print the number of routes that each capability opens, one MLflow version a column."""
    table = _table(out, "capability", *(f"MLflow {one.mlflow_version}" for one in catalogues))
    counts = [one.count() for one in catalogues]
    for capability in CAPABILITIES:
        table.add_row(str(capability), *_counts(*(count[capability] for count in counts)))
    table.add_row("total", *_counts(*map(len, catalogues)))
    out.print(table)


def _table(out: Console, first: str, *columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD if out.is_terminal else None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _counts(*numbers: int) -> list[str]:
    return [str(number) if number else "-" for number in numbers]


def _size(size: int) -> str:
    return f"{size / 1000:.1f} kB"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
