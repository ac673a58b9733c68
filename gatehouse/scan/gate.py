"""The verdict on synthesized documents: Checkov, published checks of policies and our own linters, less waivers."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gatehouse.scan.checkov_gate import read_document, scan, scan_plan
from gatehouse.scan.findings import Finding, Linter, ScanError
from gatehouse.scan.plan import read_plan, without_instances
from gatehouse.scan.policy_lint import lint_policies
from gatehouse.scan.policy_templates import lint_templates
from gatehouse.scan.published.splaining import splain_policies
from gatehouse.scan.published.validator import validate_policies
from gatehouse.scan.quota_lint import lint_quotas
from gatehouse.scan.stack_lint import lint_stack
from gatehouse.scan.waivers import Placed, judge

#: Our own linters, and published checks of policies, in the order in which they run.
LINTERS: tuple[Linter, ...] = (
    lint_policies,
    lint_templates,
    lint_quotas,
    lint_stack,
    validate_policies,
    splain_policies,
)
#: Those that judge how the document is written, its references and templates, which a plan has lost.
_OF_DOCUMENTS: tuple[Linter, ...] = (lint_templates, lint_stack)
#: Endings of what Terraform, and OpenTofu, take for configuration. A file of values is none: variables are validated.
CONFIGURATION = (".tf", ".tf.json", ".tofu", ".tofu.json")
_NO_PLANS: Mapping[str, Path] = MappingProxyType({})


@dataclass(frozen=True)
class Planned:
    """What a plan added to a verdict: checks that passed, findings that it alone has, and its policies.

    ``unknown`` names those of its ``policies`` that are known only after the apply: the document's were judged.
    """

    path: Path
    passed: int
    findings: int
    policies: int
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What is wrong in one environment, what of it is let pass and by which waiver, and how many checks passed."""

    environment: str
    document: Path
    failed: tuple[Finding, ...]
    waived: tuple[tuple[Finding, Placed], ...]
    passed: int
    seconds: float
    plan: Planned | None = None

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.failed


def judge_documents(
    documents: Mapping[str, Path],
    waivers: Sequence[Placed],
    today: date,
    linters: Sequence[Linter] | None = None,
    *,
    plans: Mapping[str, Path] = _NO_PLANS,
) -> tuple[Verdict, ...]:
    """Return the verdict on each environment's document, in their order; by all linters of ours if none are given.

    ``plans`` has the plan of a document, as JSON, for environments that have one.

    Raises:
        ScanError: there are no documents, or one of them or its plan could not be judged.

    """
    if not documents:
        raise ScanError("there is nothing to scan. Fix: name an environment")
    ours = LINTERS if linters is None else linters
    return tuple(
        _verdict(name, path, plans.get(name), waivers, today, ours) for name, path in documents.items()
    )


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
    environment: str,
    path: Path,
    plan: Path | None,
    waivers: Sequence[Placed],
    today: date,
    linters: Sequence[Linter],
) -> Verdict:
    started = time.monotonic()
    _check_alone(path)
    document = read_document(path)
    ours = lint(document, linters, str(path))
    scanned = scan(path)
    found = {*scanned.findings, *ours}
    planned, in_plan = (None, None) if plan is None else _planned(plan, document, path, found, linters)
    judged = judge(found, waivers, environment, today, in_plan=in_plan)
    seconds = time.monotonic() - started
    return Verdict(environment, path, judged.failed, judged.waived, scanned.passed, seconds, planned)


def _check_alone(path: Path) -> None:
    """Raise ScanError if Terraform would read more in the folder of a document than the document."""
    if not path.parent.is_dir():
        return  # reading the document says so with a better message
    others = sorted(
        one.name
        for one in path.parent.iterdir()
        if one.name.endswith(CONFIGURATION) and one.name != path.name
    )
    if others:
        raise ScanError(
            f"{path.parent / others[0]}: Terraform would read it along with {path.name}, and nothing judges it. "
            "Fix: move it away"
        )


def _planned(
    path: Path,
    document: Mapping[str, Any],
    place: Path,
    found: Collection[Finding],
    linters: Sequence[Linter],
) -> tuple[Planned, frozenset[Finding]]:
    """Return what a plan adds to what was found in the document, and the findings that it alone has."""
    plan = read_plan(path, document, str(place))
    scanned = scan_plan(plan)
    of_plans = [one for one in linters if one not in _OF_DOCUMENTS]
    ours = (
        replace(one, address=without_instances(one.address))
        for one in lint(plan.terraform, of_plans, str(path))
    )
    known = {(one.check, one.address, one.place) for one in found}
    alone = frozenset(
        one for one in (*scanned.findings, *ours) if (one.check, one.address, one.place) not in known
    )
    return Planned(path, scanned.passed, len(alone), plan.policies, plan.unknown), alone
