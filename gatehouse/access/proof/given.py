"""What a question says of its requests, as a formula, and for the one request of a witness."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gatehouse.access.conditions import Condition
from gatehouse.access.context import Context
from gatehouse.access.pattern import Grammar, Patterns, Token, tokens
from gatehouse.access.proof.conditions import holds, matches, variables_in, variables_of
from gatehouse.access.proof.formula import Formula, Formulas
from gatehouse.access.proof.keys import Keys
from gatehouse.access.proof.question import AllOf, AnyOf, Constraint, Holds, Like, Not, Same
from gatehouse.access.proof.text import Text, fill, text


def _pattern(like: Like) -> tuple[Token, ...]:
    return tokens(like.pattern, variables=True, wildcards=True)


def asked(constraints: Iterable[Constraint]) -> tuple[list[Condition], list[str]]:
    """Return the conditions in constraints, and the keys that they use as variables."""
    conditions: list[Condition] = []
    variables: list[str] = []
    for one in _leaves(constraints):
        if isinstance(one, Holds):
            conditions.append(one.condition)
            variables += variables_in(one.condition)
        elif isinstance(one, Like):
            variables += variables_of([_pattern(one)])
    return conditions, variables


def texts(constraints: Iterable[Constraint]) -> Iterator[Text]:
    """Go through the texts in constraints."""
    for one in _leaves(constraints):
        if isinstance(one, Same):
            yield from (text(one.one), text(one.other))
        elif isinstance(one, Like):
            yield text(one.text)


def _leaves(constraints: Iterable[Constraint]) -> Iterator[Constraint]:
    for one in constraints:
        if isinstance(one, Not):
            yield from _leaves((one.of,))
        elif isinstance(one, AllOf | AnyOf):
            yield from _leaves(one.of)
        else:
            yield one


def formula(make: Formulas, keys: Keys, constraint: Constraint) -> Formula:
    """Return that a constraint holds."""
    if isinstance(constraint, Holds):
        return holds(make, keys, constraint.condition)
    if isinstance(constraint, Same):
        return make.equal(text(constraint.one), text(constraint.other))
    if isinstance(constraint, Like):
        return matches(make, keys, text(constraint.text), [_pattern(constraint)], Grammar.TEXT)
    if isinstance(constraint, Not):
        return make.no(formula(make, keys, constraint.of))
    parts = (formula(make, keys, one) for one in constraint.of)
    return make.all(parts) if isinstance(constraint, AllOf) else make.any(parts)


def is_met(constraint: Constraint, context: Context, values: Mapping[str, str]) -> bool:
    """Whether a constraint holds of one request, by the evaluator; ``values`` are those of the symbols."""
    if isinstance(constraint, Holds):
        return constraint.condition.holds(context)
    if isinstance(constraint, Same):
        return fill(text(constraint.one), values) == fill(text(constraint.other), values)
    if isinstance(constraint, Like):
        return Patterns([_pattern(constraint)], Grammar.TEXT).match(
            fill(text(constraint.text), values), context
        )
    if isinstance(constraint, Not):
        return not is_met(constraint.of, context, values)
    parts = (is_met(one, context, values) for one in constraint.of)
    return all(parts) if isinstance(constraint, AllOf) else any(parts)
