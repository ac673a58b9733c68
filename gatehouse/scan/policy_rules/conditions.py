"""Conditions that do not say what they seem to."""

from __future__ import annotations

from collections.abc import Iterator

from gatehouse.access.conditions import OPERATORS, ConditionError
from gatehouse.access.pattern import PatternError
from gatehouse.personas.actions import actions_named, has_wildcard
from gatehouse.scan.condition_keys import closest_key, is_global, is_known, supports
from gatehouse.scan.documents import PolicyDocument
from gatehouse.scan.policy_rules.flaw import Flaw
from gatehouse.scan.statements import Condition, Statement
from gatehouse.scan.templates import has_reference, without_templates

#: Operators that take ``*`` for the character itself. ArnEquals is not one of them: it is ArnLike.
#: Source: IAM User Guide, "IAM JSON policy elements: Condition operators".
_EXACT = frozenset({"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"})
_MFA = ("aws:multifactorauthpresent", "aws:multifactorauthage")


def literal_wildcards(policy: PolicyDocument) -> Iterator[Flaw]:
    """No operator that compares exactly has a wildcard, which would be an ordinary character."""
    for statement, condition in _conditions(policy):
        for value in condition.values:
            if condition.name in _EXACT and has_wildcard(without_templates(value)):
                yield Flaw(
                    f"{condition.operator} compares {condition.written} with {value} as it stands",
                    statement.place,
                )


def values_of_the_right_type(policy: PolicyDocument) -> Iterator[Flaw]:
    """Each value is of the type that the operator compares: true or false, a number, a date, a CIDR."""
    for statement, condition in _conditions(policy):
        if condition.name not in OPERATORS:
            continue  # AWS refuses it
        maker = OPERATORS[condition.name][1]
        for value in condition.values:
            if has_reference(value) or condition.name.startswith(("String", "Arn")):
                continue
            try:
                maker(value, True)
            except (ConditionError, PatternError) as error:
                yield Flaw(f"{condition.operator}: {condition.written}: {error}", statement.place)


def supported_keys(policy: PolicyDocument) -> Iterator[Flaw]:
    """Each condition key exists, and each named action, or one that a pattern matches, supports it."""
    for statement, condition in _conditions(policy):
        key = condition.written
        if has_reference(key) or is_global(key):
            continue
        if not is_known(key):
            meant = closest_key(key)
            yield Flaw(f"{key} is no condition key" + (f"; {meant} is" if meant else ""), statement.place)
            continue
        lacking = [action for action in statement.actions if not _supports(action, key)]
        # That a key must be absent is true of requests that never have it, and may be meant for the others.
        if len(lacking) == len(statement.actions) if condition.says_absent else lacking:
            yield Flaw(f"no request for {', '.join(lacking)} has {key}", statement.place)


def _supports(action: str, key: str) -> bool:
    matched = actions_named(action)
    return not matched or any(supports(one, key) for one in matched)  # of an unknown one another rule speaks


def all_of_nothing(policy: PolicyDocument) -> Iterator[Flaw]:
    """ForAllValues in an Allow has a partner that demands the key: of no values, all fit.

    A request with a tag has tag keys, so that for aws:TagKeys a demanded aws:RequestTag will do.
    """
    for statement, condition in _conditions(policy):
        if not statement.allows or condition.quantifier != "ForAllValues":
            continue
        keys = [condition.key, *(["aws:requesttag/"] if condition.key == "aws:tagkeys" else [])]
        if not any(_demands(one, keys) for one in statement.conditions):
            yield Flaw(
                f"{condition.operator} holds for requests without {condition.written} as well",
                statement.place,
            )


def _demands(condition: Condition, keys: list[str]) -> bool:
    named = condition.key == keys[0] or condition.key.startswith(tuple(keys[1:]))
    return named and condition.demands_value


def second_factor_demanded(policy: PolicyDocument) -> Iterator[Flaw]:
    """An Allow demands MFA without IfExists: requests with an access key have no such key at all."""
    for statement, condition in _conditions(policy):
        if statement.allows and condition.key in _MFA and condition.operator.endswith("IfExists"):
            yield Flaw(f"{condition.operator} lets in requests without {condition.written}", statement.place)


def second_factor_missing(policy: PolicyDocument) -> Iterator[Flaw]:
    """A Deny without MFA has IfExists: requests with an access key have no such key, so that it would not apply."""
    for statement, condition in _conditions(policy):
        says_no = condition.name == "Bool" and "false" in [value.lower() for value in condition.values]
        if (
            statement.denies
            and condition.key in _MFA
            and says_no
            and not condition.operator.endswith("IfExists")
        ):
            yield Flaw(f"{condition.operator} spares requests without {condition.written}", statement.place)


def _conditions(policy: PolicyDocument) -> Iterator[tuple[Statement, Condition]]:
    return ((statement, one) for statement in policy.statements for one in statement.conditions)
