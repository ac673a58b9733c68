"""Answers in words, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gatehouse.access.answers import Answer, verdict
from gatehouse.access.matrix import Reason, State
from gatehouse.access.model import Layer, Outcome
from gatehouse.access.situations import Situation
from gatehouse.access.world import World

#: How many of the requests that go through are named where only some do.
_NAMED = 5
_IMPOSSIBLE = "the service answers nothing but HTTPS"
_LAYERS: Mapping[Layer, str] = {
    Layer.SERVICE_CONTROL: "the service control policies",
    Layer.RESOURCE_CONTROL: "the resource control policies",
    Layer.ENDPOINT: "the endpoint's policy",
    Layer.RESOURCE: "the resource's own policy",
    Layer.IDENTITY: "its identity policies",
    Layer.BOUNDARY: "its permissions boundary",
    Layer.SESSION: "the session policy",
}


def layer_name(layer: Layer) -> str:
    """Return a layer in words."""
    return _LAYERS[layer]


def why_text(world: World, answer: Answer) -> str:
    """Return the answer with the statements that decided it."""
    return "\n".join([f"{verdict(answer)}: {_question(answer)}.", *_lines(world, answer), ""])


def who_can_text(world: World, answers: Sequence[Answer]) -> str:
    """Return who can, and why, and who cannot."""
    able = [one for one in answers if one.cell.allowed]
    lines = [f"Who can {_wishes(answers)}, {_situation(answers[0].situation)}:"]
    lines += [] if able else ["", "Nobody."]
    for one in able:
        lines += ["", f"{_who(one)}, {verdict(one).lower()}:", *_lines(world, one)]
    unable: dict[str, list[str]] = {}
    for one in answers:
        if not one.cell.allowed:
            said = "; ".join(_reason(world, reason) for reason in one.cell.reasons) or _IMPOSSIBLE
            unable.setdefault(said, []).append(_who(one))
    if unable:
        lines += ["", "Not:"]
        lines += [f"  {', '.join(names)}: {said}" for said, names in unable.items()]
    return "\n".join([*lines, ""])


def answers_json(world: World, answers: Sequence[Answer]) -> str:
    """Return the answers for programs."""
    listed = [
        {
            "principal": one.subject.name,
            "arn": one.subject.who.arn,
            "teams": list(one.subject.teams),
            "do": one.wish.do,
            "on": one.wish.on,
            "in": one.where or None,
            "situation": _situation(one.situation),
            "state": one.cell.state.value,
            "asked": one.cell.asked,
            "allowed": [one.labels[place] for place in one.cell.allowed],
            "reasons": [reason_json(world, reason) for reason in one.cell.reasons],
        }
        for one in answers
    ]
    return (
        json.dumps({"document": str(world.document.path), "answers": listed}, indent=2, ensure_ascii=False)
        + "\n"
    )


def reason_json(world: World, reason: Reason) -> dict[str, Any]:
    """Return a reason for programs."""
    statement = reason.statement
    return {
        "outcome": reason.outcome.value,
        "layer": reason.layer.value,
        "policy": statement.policy if statement else None,
        "sid": statement.sid if statement else None,
        "statement": statement.index if statement else None,
        "place": world.locate(statement) if statement else None,
        "calls": reason.count,
        "such_as": reason.sample,
    }


def _lines(world: World, answer: Answer) -> Iterator[str]:
    cell = answer.cell
    if cell.state is State.IMPOSSIBLE:
        yield f"  {_IMPOSSIBLE}"
    if cell.state is State.SOME:
        named = [answer.labels[place] for place in cell.allowed[:_NAMED]]
        rest = len(cell.allowed) - len(named)
        yield f"  what goes through: {', '.join(named)}" + (f" and {rest} more" if rest else "")
    for reason in cell.reasons:
        yield f"  {_reason(world, reason)}: {_calls(reason)}"


def _calls(reason: Reason) -> str:
    return f"{reason.count} calls, such as {reason.sample}" if reason.count > 1 else reason.sample


def _reason(world: World, reason: Reason) -> str:
    statement = reason.statement
    if statement is None:
        return f"no statement of {_LAYERS[reason.layer]} allows it"
    name = statement.sid or f"statement {statement.index}"
    word = "allowed" if reason.outcome is Outcome.ALLOWED else "denied"
    return f"{word} by {name} in {statement.policy} ({world.locate(statement)}), {_LAYERS[reason.layer]}"


def _question(answer: Answer) -> str:
    return f"{_who(answer)}, {_situation(answer.situation)}, asks for {_wish(answer)}"


def _who(answer: Answer) -> str:
    subject = answer.subject
    if len(subject.teams) == 1 and not subject.name.endswith(f" of {subject.team}"):
        return f"{subject.name} of {subject.team}"
    if len(subject.teams) > _NAMED:
        return f"{subject.name} of {', '.join(subject.teams[:_NAMED])} and {len(subject.teams) - _NAMED} more teams"
    if len(subject.teams) > 1:
        return f"{subject.name} of {', '.join(subject.teams)}"
    return subject.name


def _wish(answer: Answer) -> str:
    if answer.wish.is_action:
        return f"{answer.wish.do} on {answer.wish.on}"
    own = len(answer.subject.teams) > 1 and answer.where in answer.subject.teams
    return f"{answer.wish.do} in {'its own team' if own else answer.where}"


def _wishes(answers: Sequence[Answer]) -> str:
    """Return what all were asked about; each its own team, unless it is the same team for all by name."""
    same = {_wish(one) for one in answers}
    return same.pop() if len(same) == 1 else f"{answers[0].wish.do} in its own team"


def _situation(situation: Situation) -> str:
    words = [
        "" if situation.tagged else "without tag",
        "" if situation.mfa else "without MFA",
        "" if situation.tls else "without TLS",
        "" if situation.inside else "from outside the network",
    ]
    return ", ".join(word for word in words if word) or "in the plain case"
