"""From the solver's model to a request, replayed in the evaluator; and from a request to the model that it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gatehouse.access.context import Context, ContextValue
from gatehouse.access.evaluate import evaluate
from gatehouse.access.model import Decision, Policies
from gatehouse.access.proof import given
from gatehouse.access.proof.classes import family, fits
from gatehouse.access.proof.encoding import Encoding
from gatehouse.access.proof.keys import PRINCIPAL_TAG, Choice, Key, Keys, Value
from gatehouse.access.proof.question import Who
from gatehouse.access.proof.text import ProofError, Symbol, fill, text
from gatehouse.access.request import MalformedRequestError, Principal, Request, Resource


@dataclass(frozen=True)
class Model:
    """Values of symbols and flags by name."""

    texts: Mapping[str, str]
    flags: Mapping[str, bool]


@dataclass(frozen=True)
class Witness:
    """A request that shows that something is possible, and the evaluator's decision on it.

    ``values`` are those of the question's symbols by name.
    """

    request: Request
    decision: Decision
    values: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What is proved or refuted. Without a witness there is no such request, as long as the assumptions hold."""

    witness: Witness | None
    assumptions: tuple[str, ...]


def unusual(encoding: Encoding, model: Model) -> tuple[list[Symbol], list[Choice]]:
    """Return the symbols and choices of which a model has values that AWS does not send."""
    symbols = dict(encoding.make.symbols)
    choices: list[Choice] = []
    for key in encoding.keys.open():
        for value in _values(key, model):
            if isinstance(value, Choice) and not value.classes[_chosen(value, model)].is_usual:
                choices.append(value)
        present = {id(value) for value in _values(key, model)}
        for value in key.values:
            if id(value) not in present and not isinstance(value, Choice):
                symbols.pop(_symbol(value).name, None)
    return [one for one in symbols.values() if not one.alphabet.has(model.texts[one.name])], choices


def witness(encoding: Encoding, model: Model, unless: Policies | None) -> Witness:
    """Return the request of a model.

    Raises:
        ProofError: the evaluator decides otherwise, so that encoding or evaluator are wrong.

    """
    try:
        request = _request(encoding, model)
        decision = evaluate(request, encoding.question.policies)
        before = None if unless is None else evaluate(request, unless)
    except MalformedRequestError as error:
        raise ProofError(
            f"the solver's model is no request: {error}. Fix: say more of the resource"
        ) from error
    broken = [one for one in encoding.question.given if not given.is_met(one, request.facts, model.texts)]
    if not decision.allowed or (before is not None and before.allowed) or broken:
        raise ProofError(
            f"prover and evaluator disagree on {describe(request)}: the evaluator says {decision.outcome.value}"
            + (f", before {before.outcome.value}" if before else "")
            + (f", and that {broken[0]} does not hold" if broken else "")
            + ". Fix: this is a defect of Gatehouse, please report it"
        )
    return Witness(request, decision, model.texts)


def describe(request: Request) -> str:
    """Return a request as JSON."""
    who = request.principal
    return json.dumps(
        {
            "principal": {"arn": who.arn, "session_arn": who.session_arn, "tags": dict(who.tags)},
            "action": request.action,
            "resource": request.resource.arn,
            "context": dict(request.context),
        }
    )


def _request(encoding: Encoding, model: Model) -> Request:
    question = encoding.question
    context: dict[str, ContextValue] = {}
    tags: dict[str, str] = {}
    for name, value in question.context.items():
        if isinstance(value, list):
            context[name] = value
        elif value is None:
            context[name] = []
        else:
            context[name] = fill(text(value), model.texts)
    for key in encoding.keys.open():
        values = [_text(one, model) for one in _values(key, model)]
        if key.name.startswith(PRINCIPAL_TAG):
            tags |= {key.name.removeprefix(PRINCIPAL_TAG): one for one in values}
        elif values:
            context[key.name] = values if len(values) > 1 else values[0]
    for name, tag in question.who.tags.items():
        if tag is not None:
            tags[name] = fill(text(tag), model.texts)
    return Request(
        _principal(question.who, tags, model),
        encoding.action,
        Resource(fill(question.resource, model.texts), encoding.owner),
        context,
    )


def _principal(who: Who, tags: Mapping[str, str], model: Model) -> Principal:
    return Principal(
        arn=fill(who.arn, model.texts),
        account=fill(who.account, model.texts),
        session_arn=None if who.session is None else fill(who.session, model.texts),
        tags=tags,
        service=who.service,
    )


def _values(key: Key, model: Model) -> Sequence[Value]:
    if not model.flags[key.name]:
        return ()
    return key.values if model.flags.get(f"{key.name} many") else key.values[:1]


def _chosen(choice: Choice, model: Model) -> int:
    return next(
        (place for place, name in enumerate(choice.flags) if model.flags[name]), len(choice.classes) - 1
    )


def _text(value: Value, model: Model) -> str:
    if isinstance(value, Choice):
        return value.classes[_chosen(value, model)].value
    return fill(value, model.texts)


def _symbol(value: Value) -> Symbol:
    assert isinstance(value, tuple)  # noqa: S101  # the value of an open key is one symbol
    assert isinstance(value[0], Symbol)  # noqa: S101
    return value[0]


def model_of(keys: Keys, context: Context, texts: Mapping[str, str]) -> Model:
    """Return the model that a request is; ``texts`` are the values of the question's own symbols.

    Raises:
        ProofError: a value of no class, or more values than the encoding has.

    """
    flags: dict[str, bool] = {}
    found = dict(texts)
    for key in keys.open():
        values = list(context.get(key.name))
        flags[key.name] = bool(values)
        if len(key.values) > 1:
            flags[f"{key.name} many"] = len(values) > 1
        if len(values) > len(key.values):
            raise ProofError(f"{key.name}: {len(values)} values, and the encoding has {len(key.values)}")
        # Repeating a value changes nothing but their number, which is one or more than one.
        filled = values + values[-1:] * (len(key.values) - len(values)) if values else []
        for place, value in enumerate(key.values):
            if isinstance(value, Choice):
                flags |= _flags(value, keys, key.name, filled[place] if filled else None)
            else:
                found[_symbol(value).name] = filled[place] if filled else ""
    return Model(found, flags)


def _flags(choice: Choice, keys: Keys, name: str, value: str | None) -> dict[str, bool]:
    place = 0 if value is None else _class_of(choice, keys, name, value)
    return {flag: index == place for index, flag in enumerate(choice.flags)}


def _class_of(choice: Choice, keys: Keys, name: str, value: str) -> int:
    conditions = [one for one in keys.conditions(name) if family(one)]
    for place, one in enumerate(choice.classes):
        if bool(one.value) == bool(value) and all(
            fits(condition, one.value) == fits(condition, value) for condition in conditions
        ):
            return place
    raise ProofError(f"{name}: {value!r} is of no class")
