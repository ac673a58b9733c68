"""The verdicts as text, JSON and Markdown. What a document names is escaped; nothing of it is read as markup."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from gatehouse.access.invariants.model import Counterexample, Outcome, Place, Proof

_MEANS = "PASS: proved under the assumptions listed. FAIL: somebody might; the request shown was replayed."
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~&-])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def as_text(name: str, proofs: Sequence[Proof]) -> str:
    """Return the verdicts for a terminal, failures in full."""
    width = max((len(one.invariant.id) for one in proofs), default=0)
    lines = [f"{name}: {_count(proofs)}", ""]
    lines += [
        f"  {one.outcome.value}  {one.invariant.id:<{width}}  {one.invariant.severity.value:<8}  {one.invariant.name}"
        for one in proofs
    ]
    for one in proofs:
        if one.counterexample is not None:
            lines += ["", f"FAIL {one.invariant.id}: {one.invariant.sentence}"]
            lines += [f"  {line}" for line in _words(one.counterexample)]
    lines += ["", "Assumed:", *(f"  - {line}" for line in _assumed(proofs)), "", _MEANS]
    return "\n".join(_CONTROL.sub("?", line) for line in lines) + "\n"


def as_json(name: str, proofs: Sequence[Proof]) -> str:
    """Return the verdicts as JSON, failures with request, decision and statements."""
    content = {"stack": name, "invariants": [_as_object(one) for one in proofs]}
    return json.dumps(content, indent=2) + "\n"


def as_markdown(name: str, proofs: Sequence[Proof]) -> str:
    """Return the verdicts as Markdown: a table, each failure, and what is assumed."""
    lines = [f"## {_escaped(name)}: {_count(proofs)}", ""]
    lines += ["| Verdict | Invariant | Severity | What it says |", "|---|---|---|---|"]
    for one in proofs:
        made = one.invariant
        lines.append(
            f"| {one.outcome.value} | {_escaped(made.id)} | {made.severity.value} | {_escaped(made.sentence)} |"
        )
    for one in proofs:
        if one.counterexample is not None:
            lines += ["", f"### FAIL {_escaped(one.invariant.id)}", ""]
            lines += [f"- {_escaped(line)}" for line in _words(one.counterexample)]
    lines += ["", "<details><summary>Assumptions</summary>", ""]
    lines += [f"- {_escaped(line)}" for line in _assumed(proofs)]
    return "\n".join([*lines, "", "</details>", "", _MEANS]) + "\n"


WRITERS = {"table": as_text, "json": as_json, "markdown": as_markdown}


def _count(proofs: Sequence[Proof]) -> str:
    failed = sum(one.outcome is Outcome.FAIL for one in proofs)
    proved = len(proofs) - failed
    return f"{proved} of {len(proofs)} invariants proved" + (f", {failed} might not hold" if failed else "")


def _assumed(proofs: Sequence[Proof]) -> list[str]:
    return list(dict.fromkeys(line for one in proofs for line in one.assumptions))


def _words(found: Counterexample) -> Iterator[str]:
    """Go through a counterexample in words: who, what, the request, what decided it."""
    request, principal = found.request, found.request.principal
    yield f"{found.who} {found.what}"
    yield f"decision: {found.decision.outcome.value}"
    yield f"principal: {principal.service or principal.arn or 'nobody signed in'}"
    if principal.tags:
        yield f"principal tags: {_pairs(principal.tags)}"
    yield f"action: {request.action}"
    yield f"resource: {request.resource.arn}"
    if request.context:
        yield f"context: {_pairs(request.context)}"
    for place in found.places:
        at = f" ({place.location})" if place.location else ""
        yield f"{place.effect} by {place.statement} of {place.policy}{at}"


def _pairs(values: object) -> str:
    return json.dumps(values, default=dict)


def _as_object(proof: Proof) -> dict[str, Any]:
    made = proof.invariant
    return {
        "id": made.id,
        "name": made.name,
        "sentence": made.sentence,
        "severity": made.severity.value,
        "verdict": proof.outcome.value,
        "questions": proof.questions,
        "assumptions": list(proof.assumptions),
        "counterexample": _counterexample(proof.counterexample),
    }


def _counterexample(found: Counterexample | None) -> dict[str, Any] | None:
    if found is None:
        return None
    principal = found.request.principal
    return {
        "who": found.who,
        "what": found.what,
        "decision": found.decision.outcome.value,
        "request": {
            "principal": {
                "arn": principal.arn,
                "account": principal.account,
                "session_arn": principal.session_arn,
                "service": principal.service,
                "tags": dict(principal.tags),
            },
            "action": found.request.action,
            "resource": {"arn": found.request.resource.arn, "account": found.request.resource.account},
            "context": dict(found.request.context),
        },
        "statements": [_place(one) for one in found.places],
    }


def _place(place: Place) -> dict[str, str]:
    return {
        "policy": place.policy,
        "statement": place.statement,
        "effect": place.effect,
        "layer": place.layer,
        "location": place.location,
    }


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", _CONTROL.sub("?", text))
