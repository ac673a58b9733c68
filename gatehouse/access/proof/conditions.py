"""Conditions, resources and principals of a statement as formulas; each mirrors a method of the evaluator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gatehouse.access.conditions import Condition
from gatehouse.access.context import MULTIVALUED, Variable
from gatehouse.access.pattern import Grammar, Token, tokens
from gatehouse.access.policy import Statement
from gatehouse.access.principals import Principals, Reach
from gatehouse.access.proof.alignment import Pattern
from gatehouse.access.proof.classes import family, fits
from gatehouse.access.proof.formula import Formula, Formulas
from gatehouse.access.proof.keys import Choice, Key, Keys, Value
from gatehouse.access.proof.patterns import equal_in_any_case, fits_any, pattern
from gatehouse.access.proof.question import Who
from gatehouse.access.proof.text import ProofError, Text, beginning, literal, text
from gatehouse.access.request import Sort


def variables_of(written: Iterable[Sequence[Token]]) -> Iterator[str]:
    """Go through the keys of the variables in patterns."""
    return (token.key for one in written for token in one if isinstance(token, Variable))


def read(condition: Condition) -> list[tuple[Token, ...]]:
    """Return the patterns of a string or ARN condition."""
    wildcards = condition.operator.endswith("Like") or condition.operator.startswith("Arn")
    return [tokens(value, variables=condition.variables, wildcards=wildcards) for value in condition.values]


def variables_in(condition: Condition) -> Iterator[str]:
    """Go through the keys that a condition uses as variables."""
    return variables_of(read(condition)) if family(condition) in ("String", "Arn") else iter(())


def holds(make: Formulas, keys: Keys, condition: Condition) -> Formula:
    """Return that a request meets a condition: :meth:`gatehouse.access.conditions.Condition.holds`."""
    key = keys.get(condition.key)
    if condition.is_null:
        return _holds_for_presence(make, key, condition)
    has_value = key.present
    if condition.quantifier and key.values:
        is_empty = make.all([make.no(key.many), _is_empty(make, key.values[0])])
        has_value = make.all([has_value, make.no(is_empty)])
    without = condition.if_exists or condition.quantifier == "ForAllValues"
    without = without or (condition.negated and not condition.quantifier)
    if has_value is False:
        return without
    alone = _holds_for(make, keys, condition, key.values[:1])
    holding = alone
    if key.many is not False:
        holding = make.choose(key.many, _holds_for(make, keys, condition, key.values), alone)
    return make.choose(has_value, holding, without)


def _holds_for_presence(make: Formulas, key: Key, condition: Condition) -> Formula:
    if condition.quantifier:
        return condition.quantifier == "ForAllValues"
    wanted = {value.lower() for value in condition.values}
    return make.any(
        [
            make.all(["false" in wanted, key.present]),
            make.all(["true" in wanted, make.no(key.present)]),
        ]
    )


def _is_empty(make: Formulas, value: Value) -> Formula:
    if isinstance(value, Choice):
        return make.any(
            chosen for one, chosen in zip(value.classes, value.chosen, strict=True) if not one.value
        )
    return make.equal(value, ())


def _holds_for(make: Formulas, keys: Keys, condition: Condition, values: Sequence[Value]) -> Formula:
    fitting = (_fits(make, keys, condition, value) for value in values)
    if condition.quantifier == "ForAllValues":
        return make.all(make.no(one) if condition.negated else one for one in fitting)
    if condition.quantifier == "ForAnyValue":
        return make.any(make.no(one) if condition.negated else one for one in fitting)
    found = make.any(fitting)
    return make.no(found) if condition.negated else found


def _fits(make: Formulas, keys: Keys, condition: Condition, value: Value) -> Formula:
    """Return that one value of the request fits one of the condition.

    Raises:
        ProofError: a comparison that is not modelled.

    """
    if isinstance(value, Choice):
        return make.any(
            chosen
            for one, chosen in zip(value.classes, value.chosen, strict=True)
            if fits(condition, one.value)
        )
    kind = family(condition)
    if kind in ("String", "Arn"):
        return _fits_text(make, keys, condition, value)
    known = literal(value)
    if known is not None:
        return fits(condition, known)
    if kind == "Bool":
        return make.any(equal_in_any_case(make, value, text(one.lower())) for one in condition.values)
    raise ProofError(
        f"{condition.operator} of {condition.key}, which is a text with symbols, is not modelled. "
        "Fix: give it one value, or say with Holds what it is"
    )


def _fits_text(make: Formulas, keys: Keys, condition: Condition, value: Text) -> Formula:
    if condition.operator.endswith("IgnoreCase"):
        return make.any(
            make.all([defined, equal_in_any_case(make, value, text(*_texts(filled)))])
            for one in read(condition)
            for defined, filled in _filled(make, keys, one)
        )
    grammar = Grammar.ARN if condition.operator.startswith("Arn") else Grammar.TEXT
    return matches(make, keys, value, read(condition), grammar)


def _texts(filled: Sequence[Token | Text]) -> Iterator[str | Text]:
    return (one for one in filled if isinstance(one, str | tuple))


def matches(
    make: Formulas, keys: Keys, value: Text, written: Iterable[Sequence[Token]], grammar: Grammar
) -> Formula:
    """Return that a text fits one of the patterns: :meth:`gatehouse.access.pattern.Patterns.match`."""
    defined: dict[Formula, list[Pattern]] = {}
    start = beginning(value)
    for one in written:
        first = one[0] if one else None
        if isinstance(first, str) and not (first.startswith(start) or start.startswith(first)):
            continue  # the most patterns by far: another service, or another method
        for condition, filled in _filled(make, keys, one):
            if condition is not False:
                defined.setdefault(condition, []).append(pattern(filled, grammar))
    return make.any(
        make.all([condition, fits_any(make, value, patterns)]) for condition, patterns in defined.items()
    )


def _filled(
    make: Formulas, keys: Keys, written: Sequence[Token]
) -> list[tuple[Formula, tuple[Token | Text, ...]]]:
    """Return a pattern with its variables' values, under the condition that they have one, and with defaults."""
    found: list[tuple[Formula, tuple[Token | Text, ...]]] = [(True, ())]
    for token in written:
        if not isinstance(token, Variable):
            found = [(condition, (*filled, token)) for condition, filled in found]
            continue
        key = keys.get(token.key)
        has_value = False if token.key in MULTIVALUED else make.all([key.present, make.no(key.many)])
        ways: list[tuple[Formula, Text]] = []
        if has_value is not False:
            ways.append((has_value, _text_value(key)))
        if token.default is not None and has_value is not True:
            ways.append((make.no(has_value), text(token.default)))
        found = [
            (make.all([condition, way]), (*filled, value))
            for condition, filled in found
            for way, value in ways
        ]
    return found


def _text_value(key: Key) -> Text:
    value = key.values[0]
    if isinstance(value, Choice):
        raise ProofError(
            f"{key.name} is a variable and no text, which is not modelled. Fix: give it one value"
        )
    return value


def applies(make: Formulas, keys: Keys, statement: Statement, resource: Text) -> Formula:
    """Return that resource and conditions fit: :meth:`gatehouse.access.policy.Statement.applies`."""

    def each() -> Iterator[Formula]:
        for condition in statement.conditions:
            yield holds(make, keys, condition)
        if statement.resources is not None:
            found = matches(make, keys, resource, statement.resources.written, Grammar.RESOURCE)
            yield make.no(found) if statement.not_resource else found

    return make.all(each())


def reaches(
    make: Formulas, principals: Principals | None, who: Who, least: Reach, *, has_boundary: bool
) -> Formula:
    """Return that a statement names who asks so directly: :meth:`gatehouse.access.principals.Principals.reach`."""
    if principals is None:
        return True
    if principals.negated:
        return True if has_boundary else make.no(_excepts(make, principals, who))
    return _names(make, principals, who, least)


def _names(make: Formulas, principals: Principals, who: Who, least: Reach) -> Formula:
    if principals.everybody:
        return True
    if who.sort is Sort.SERVICE:
        return bool(principals.services & {who.service, "*"})
    if who.sort is Sort.FEDERATED:
        return "*" in principals.federated or _one_of(make, who.arn, principals.federated)
    own_account = _is_account(make, principals, who)
    ways: list[Formula] = ["*" in principals.aws]
    if who.session is not None:
        ways.append(_one_of(make, who.session, principals.aws))
    if who.sort is Sort.ROOT:
        return make.any([*ways, own_account])
    is_limited = who.sort is Sort.ROLE or who.session is not None
    if least <= (Reach.NAMED if is_limited else Reach.DIRECT):
        ways.append(_one_of(make, who.arn, principals.aws))
    if least <= Reach.ACCOUNT:
        ways.append(own_account)
    return make.any(ways)


def _is_account(make: Formulas, principals: Principals, who: Who) -> Formula:
    return _one_of(make, who.account, principals.accounts) if who.account else False


def _one_of(make: Formulas, value: Text, names: Iterable[str]) -> Formula:
    return make.any(make.equal(value, text(name)) for name in sorted(names))


def _excepts(make: Formulas, principals: Principals, who: Who) -> Formula:
    if principals.everybody or (who.is_signed_in and "*" in principals.aws):
        return True
    if not who.is_signed_in:
        return _names(make, principals, who, Reach.ACCOUNT)
    own = [] if who.sort is Sort.ROOT else [one for one in (who.arn, who.session) if one is not None]
    return make.all(
        [_is_account(make, principals, who), *(_one_of(make, one, principals.aws) for one in own)]
    )
