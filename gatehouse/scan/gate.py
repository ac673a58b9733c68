"""The verdict on synthesized documents: Checkov and our own linters, less what is waived."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from gatehouse.scan.checkov_gate import ScanError, read_document, scan
from gatehouse.scan.findings import Finding, Linter
from gatehouse.scan.policy_lint import lint_policies
from gatehouse.scan.waivers import Placed, judge

#: Our own linters, in the order in which they run.
LINTERS: tuple[Linter, ...] = (lint_policies,)


@dataclass(frozen=True)
class Verdict:
    """What is wrong in one environment, what of it is let pass and by which waiver, and how many checks passed."""

    environment: str
    document: Path
    failed: tuple[Finding, ...]
    waived: tuple[tuple[Finding, Placed], ...]
    passed: int
    seconds: float

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.failed


def judge_documents(
    documents: Mapping[str, Path],
    waivers: Sequence[Placed],
    today: date,
    linters: Sequence[Linter] | None = None,
) -> tuple[Verdict, ...]:
    """Return the verdict on each environment's document, in their order; by all linters of ours if none are given.

    Raises:
        ScanError: there are no documents, or one of them could not be judged.

    """
    if not documents:
        raise ScanError("there is nothing to scan. Fix: name an environment")
    ours = LINTERS if linters is None else linters
    return tuple(_verdict(name, path, waivers, today, ours) for name, path in documents.items())


def lint(document: Mapping[str, Any], linters: Sequence[Linter], place: str) -> list[Finding]:
    """Return what the linters find; ``place`` stands for the document in messages.

    Raises:
        ScanError: one of them crashed: what it would have found is not known.

    """
    findings: list[Finding] = []
    for linter in linters:
        try:
            findings += linter(document)
        except Exception as error:
            name = getattr(linter, "__name__", repr(linter))
            raise ScanError(
                f"{place}: the linter {name} failed: {type(error).__name__}: {error}. "
                "Fix: report it with the document; no verdict is given without it"
            ) from error
    return findings


def _verdict(
    environment: str, path: Path, waivers: Sequence[Placed], today: date, linters: Sequence[Linter]
) -> Verdict:
    started = time.monotonic()
    ours = lint(read_document(path), linters, str(path))
    scanned = scan(path)
    judged = judge({*scanned.findings, *ours}, waivers, environment, today)
    return Verdict(
        environment, path, judged.failed, judged.waived, scanned.passed, time.monotonic() - started
    )
