"""What the gate says of mutations: the same linters and checks as ``gatehouse scan``, less what is waived.

Checkov takes seconds for each document. So it first runs over one document that has, beside the stack, a copy of every
mutated resource, and of the same resource as it was: what it finds of the one copy and not of the other, it would find
of the mutated resource in its place, because nothing refers to either. What is not caught that way, and what was
removed, is scanned in a document of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from gatehouse.scan.checkov_gate import scan
from gatehouse.scan.findings import Finding, Linter
from gatehouse.scan.gate import LINTERS, lint
from gatehouse.scan.policy_templates import lint_templates
from gatehouse.scan.quota_lint import lint_quotas
from gatehouse.scan.stack_lint import lint_stack
from gatehouse.scan.waivers import EXPIRED, UNUSED, Placed, judge
from tests.mutations.mutation import Document, Mutation

#: The quick ones first. A policy that grew beyond a quota says nothing of what it grants.
_FIRST: tuple[Linter, ...] = (lint_templates, lint_stack)
_LAST: tuple[Linter, ...] = tuple(one for one in LINTERS if one not in (*_FIRST, lint_quotas))


@dataclass(frozen=True)
class Stacks:
    """The documents of the environments, what is found in them as they are, and the waivers of a day."""

    documents: Mapping[str, Document]
    found: Mapping[str, frozenset[Finding]]
    waivers: Sequence[Placed]
    today: date

    @classmethod
    def read(cls, paths: Mapping[str, Path], waivers: Sequence[Placed], today: date) -> Stacks:
        """Return the stacks in files."""
        documents = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items()}
        found = {
            name: frozenset({*lint(documents[name], LINTERS, name), *scan(path).findings})
            for name, path in paths.items()
        }
        return cls(documents, found, waivers, today)

    def catching(self, mutation: Mutation, findings: Iterable[Finding]) -> list[Finding]:
        """Return the findings that fail the scan, are of the mutation, and name what it concerns."""
        new = set(findings) - self.found[mutation.environment]
        failed = judge(new, self.waivers, mutation.environment, self.today).failed
        return [
            one for one in failed if one.address in mutation.named_by and one.check not in (EXPIRED, UNUSED)
        ]


def caught(mutations: Sequence[Mutation], stacks: Stacks, folder: Path) -> dict[str, list[Finding]]:
    """Return what catches each mutation by its id; an empty list if nothing does."""
    result = {one.id: _linted(one, stacks, _FIRST) for one in mutations}
    for environment in stacks.documents:
        left = [one for one in mutations if not result[one.id] and one.environment == environment]
        result |= _of_copies(left, stacks, folder)
    for one in mutations:
        result[one.id] = result[one.id] or _linted(one, stacks, _LAST) or _scanned(one, stacks, folder)
    return result


def _linted(mutation: Mutation, stacks: Stacks, linters: Sequence[Linter]) -> list[Finding]:
    document = mutation.apply(stacks.documents[mutation.environment])
    for linter in linters:
        found = stacks.catching(mutation, lint(document, [linter], mutation.id))
        if found:
            return found
    return []


def _scanned(mutation: Mutation, stacks: Stacks, folder: Path) -> list[Finding]:
    document = mutation.apply(stacks.documents[mutation.environment])
    return stacks.catching(mutation, scan(_written(document, folder / mutation.id)).findings)


def _of_copies(mutations: Sequence[Mutation], stacks: Stacks, folder: Path) -> dict[str, list[Finding]]:
    if not mutations:
        return {}
    whole = deepcopy(stacks.documents[mutations[0].environment])
    for mutation in mutations:
        mutated = mutation.apply(stacks.documents[mutation.environment])
        for suffix, document in (("was", stacks.documents[mutation.environment]), ("is", mutated)):
            kind, _, name = mutation.address.partition(".")
            body = document["resource"].get(kind, {}).get(name)
            if body is not None:
                whole["resource"].setdefault(kind, {})[f"{name}_{_word(mutation)}_{suffix}"] = body
    findings = scan(_written(whole, folder / "copies" / mutations[0].environment)).findings
    return {one.id: stacks.catching(one, _of_copy(one, findings)) for one in mutations}


def _of_copy(mutation: Mutation, findings: Iterable[Finding]) -> set[Finding]:
    """Return what was found of the mutated copy alone, as findings of the resource itself."""
    found: dict[str, set[Finding]] = {}
    for suffix in ("was", "is"):
        copy = f"{mutation.address}_{_word(mutation)}_{suffix}"
        found[suffix] = {replace(one, address=mutation.address) for one in findings if one.address == copy}
    before = {one.check for one in found["was"]}
    return {one for one in found["is"] if one.check not in before}


def _word(mutation: Mutation) -> str:
    return mutation.id.replace("-", "_").replace(".", "_")


def _written(document: Document, folder: Path) -> Path:
    folder.mkdir(parents=True)
    path = folder / "cdk.tf.json"
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    return path
