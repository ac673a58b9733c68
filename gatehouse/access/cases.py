"""Decisions as lines of JSON: one case a line in, one answer a line out, in the same order.

A line that is no case, or has a policy that AWS would refuse, is answered with an error of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gatehouse.access.evaluate import evaluate
from gatehouse.access.model import Decision, LayerVerdict, Policies
from gatehouse.access.policy import Statement
from gatehouse.access.request import MalformedRequestError, Principal, Request, Resource
from gatehouse.access.schema import CASE
from gatehouse.errors import GatehouseError, show

#: Policies of a case, by the argument of :class:`Policies`.
_POLICIES = {
    "identity": "identity_policies",
    "boundary": "permissions_boundary",
    "session": "session_policy",
    "resource": "resource_policy",
    "endpoint": "endpoint_policy",
    "scp": "service_control_policies",
    "rcp": "resource_control_policies",
}
_LISTS = frozenset({"identity", "scp", "rcp"})
_LEVELS = frozenset({"scp", "rcp"})


@dataclass(frozen=True)
class Case:
    """One line: what is asked, and with which policies. ``id`` is given back as it came."""

    id: object
    request: Request
    policies: Policies


def answers(lines: Iterable[str]) -> Iterator[str]:
    """Go through the answers to lines, one for each that is not blank."""
    return (answer(line) for line in lines if line.strip())


def answer(line: str) -> str:
    """Return the answer to one line: the decision, or the error."""
    identifier: object = None
    try:
        case = read(line)
        identifier = case.get("id")
        parsed = parse(case)
        found = format_decision(parsed.id, evaluate(parsed.request, parsed.policies))
    except GatehouseError as error:
        found = {"id": identifier, "error": str(error)}
    return json.dumps(found)  # in ASCII: what came as half a character could not be printed


def read(line: str) -> dict[str, Any]:
    """Return the JSON object of one line.

    Raises:
        MalformedRequestError: no JSON, no object, or a key that is there twice (of which one would be lost).

    """
    try:
        case = json.loads(line, object_pairs_hook=_unique, parse_constant=_refused)
    except (json.JSONDecodeError, RecursionError) as error:
        raise MalformedRequestError(f"not JSON: {error}. Fix: one JSON object a line") from error
    if not isinstance(case, dict):
        raise MalformedRequestError(f"{show(case)} is no case. Fix: a JSON object")
    return case


def parse(case: Mapping[str, Any]) -> Case:
    """Return the case of a JSON object as :data:`gatehouse.access.schema.CASE` describes it.

    Raises:
        MalformedRequestError: another form; an optional key may be null.

    """
    _check_keys(case, CASE, "case")
    principal, resource = _object(case, "principal"), _object(case, "resource")
    _check_keys(principal, CASE["properties"]["principal"], "principal")
    _check_keys(resource, CASE["properties"]["resource"], "resource")
    request = Request(
        Principal(
            arn=_string(principal, "principal.arn"),
            account=_string(principal, "principal.account"),
            session_arn=_string(principal, "principal.session_arn") or None,
            tags={
                key: _scalar(value, f"principal.tags.{key}")
                for key, value in _object(principal, "tags").items()
            },
            service=_string(principal, "principal.service") or None,
        ),
        _string(case, "action"),
        Resource(_string(resource, "resource.arn"), _string(resource, "resource.account")),
        {
            key: _context_value(value, f"context.{key}")
            for key, value in _object(case, "context").items()
            if value is not None
        },
    )
    given = {name: _policies(case, name, key) for name, key in _POLICIES.items()}
    return Case(
        case["id"], request, Policies(**{name: value for name, value in given.items() if value is not None})
    )


def format_decision(identifier: object, decision: Decision) -> dict[str, Any]:
    """Return a decision as :data:`gatehouse.access.schema.ANSWER` describes it."""
    return {
        "id": identifier,
        "decision": decision.outcome.value,
        "decided_by": {"layer": decision.layer.value, **_place(decision.statement)},
        "layers": {layer.value: _verdict(verdict) for layer, verdict in decision.layers.items()},
    }


def _verdict(verdict: LayerVerdict) -> dict[str, Any]:
    found: dict[str, Any] = {"verdict": verdict.outcome.value}
    if verdict.reach is not None:
        found["reach"] = verdict.reach.name.lower()
    return {**found, "statements": [_place(statement) for statement in verdict.statements]}


def _place(statement: Statement | None) -> dict[str, Any]:
    if statement is None:
        return {"policy": None, "sid": None, "statement": None}
    return {"policy": statement.policy, "sid": statement.sid, "statement": statement.index}


def _policies(case: Mapping[str, Any], name: str, key: str) -> Any:  # noqa: ANN401  # what Policies takes
    value = case.get(key)
    if value is None or name not in _LISTS:
        return value
    if not isinstance(value, list):
        raise MalformedRequestError(f"{key}: {show(value)} is no list. Fix: a list of policies")
    for level in value if name in _LEVELS else ():
        if not isinstance(level, list):
            raise MalformedRequestError(f"{key}: {show(level)} is no list. Fix: a list for each level")
    return value


def _check_keys(value: Mapping[str, Any], schema: Mapping[str, Any], name: str) -> None:
    for key in value.keys() - schema["properties"].keys():
        raise MalformedRequestError(f"{name}: {show(key)} is unknown. Fix: {', '.join(schema['properties'])}")
    for key in schema["required"]:
        if key not in value:
            raise MalformedRequestError(f"{name}: no {show(key)}. Fix: add it")


def _object(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedRequestError(f"{key}: {show(value)} is no object. Fix: a JSON object")
    return value


def _string(parent: Mapping[str, Any], path: str) -> str:
    value = parent.get(path.rpartition(".")[2])
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedRequestError(f"{path}: {show(value)} is no string. Fix: put it in quotes")
    return value


def _context_value(value: object, path: str) -> str | list[str]:
    return [_scalar(one, path) for one in value] if isinstance(value, list) else _scalar(value, path)


def _scalar(value: object, path: str) -> str:
    """Return a value as text; Booleans and numbers are taken as policies take them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise MalformedRequestError(f"{path}: {show(value)} is no string. Fix: a string, or a list of strings")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise MalformedRequestError(f"{show(twice)} is there twice in one object. Fix: one of them")
    return found


def _refused(constant: str) -> object:
    raise MalformedRequestError(f"{constant} is no JSON. Fix: a number, or a string")
