"""Statements of a policy as the lint reads them: names and patterns as written, and what covers what."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from gatehouse.errors import show
from gatehouse.personas.actions import actions_named, has_wildcard, wildcards

_OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?")


class StatementError(ValueError):
    """Something that is no statement; the message says what."""


@dataclass(frozen=True)
class Condition:
    """One operator with one key and its values; ``key`` is in lower case, ``written`` as it stands there."""

    operator: str
    written: str
    values: tuple[str, ...]

    @property
    def key(self) -> str:
        """The key as IAM compares it."""
        return self.written.lower()

    @property
    def quantifier(self) -> str:
        """``ForAllValues``, ``ForAnyValue`` or an empty text."""
        found = _OPERATOR.fullmatch(self.operator)
        return (found[1] or "") if found else ""

    @property
    def name(self) -> str:
        """The operator without quantifier and IfExists."""
        found = _OPERATOR.fullmatch(self.operator)
        return found[2] if found else self.operator

    @property
    def negated(self) -> bool:
        """Whether it holds for all values but those listed."""
        return "Not" in self.name

    @property
    def demands_value(self) -> bool:
        """Whether it holds only for requests in which the key has one of these values, or with Null false, any."""
        if self.name == "Null":
            return self.says_present
        return not (self.negated or self.operator.endswith("IfExists") or self.quantifier == "ForAllValues")

    @property
    def says_present(self) -> bool:
        """Whether it is ``Null: false``."""
        return self.operator == "Null" and [value.lower() for value in self.values] == ["false"]

    @property
    def says_absent(self) -> bool:
        """Whether it is ``Null: true``."""
        return self.operator == "Null" and [value.lower() for value in self.values] == ["true"]

    @property
    def meaning(self) -> tuple[str, str, frozenset[str]]:
        """The same for conditions that say the same."""
        return self.operator, self.key, frozenset(self.values)


@dataclass(frozen=True)
class Statement:
    """One statement; ``place`` is its Sid, or its number counted from 0. Elements that are not there are empty.

    ``principals`` are pairs of a type, such as AWS or Service, and a name; a bare ``*`` is of the type ``*``.
    """

    place: str
    sid: str
    effect: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    principals: tuple[tuple[str, str], ...]
    not_principals: tuple[tuple[str, str], ...]
    conditions: tuple[Condition, ...]

    @property
    def allows(self) -> bool:
        """Whether its effect is Allow."""
        return self.effect == "Allow"

    @property
    def denies(self) -> bool:
        """Whether its effect is Deny."""
        return self.effect == "Deny"

    def on(self, key: str) -> list[Condition]:
        """Return the conditions on a key, given in lower case."""
        return [condition for condition in self.conditions if condition.key == key]

    def has_action(self, action: str) -> bool:
        """Return whether the statement speaks of an action."""
        if self.not_actions:
            return not any(matches(pattern.lower(), action.lower()) for pattern in self.not_actions)
        return any(matches(pattern.lower(), action.lower()) for pattern in self.actions)

    def named_actions(self) -> Iterator[str]:
        """Go through the known actions of Action, those that a pattern stands for included."""
        for action in self.actions:
            yield from actions_named(action)

    def covers_actions_of(self, other: Statement) -> bool:
        """Return whether every action of the other is one of this one's too."""
        if self.not_actions and other.not_actions:
            return set(self.not_actions) <= set(other.not_actions)
        if other.not_actions:
            return "*" in self.actions
        if self.not_actions:
            return not any(
                matches(pattern.lower(), action.lower()) or matches(action.lower(), pattern.lower())
                for pattern in self.not_actions
                for action in other.actions
            )
        return all(self.has_action(action) for action in other.actions)

    def covers_resources_of(self, other: Statement) -> bool:
        """Return whether every resource of the other is one of this one's too; a trust policy has none."""
        if self.not_resources or other.not_resources:
            same = bool(other.not_resources) and set(self.not_resources) <= set(other.not_resources)
            return same if self.not_resources else "*" in self.resources
        return covers(self.resources, other.resources)

    def covers_conditions_of(self, other: Statement, besides: Collection[str] = ()) -> bool:
        """Return whether this one applies whenever the other does, as far as the same conditions tell.

        ``besides``: keys, in lower case, whose conditions do not count.
        """
        theirs = {condition.meaning for condition in other.conditions}
        return all(one.key in besides or one.meaning in theirs for one in self.conditions)

    def covers_principals_of(self, other: Statement) -> bool:
        """Return whether every principal of the other is one of this one's too."""
        names = {name for _, name in self.principals}
        return "*" in names or set(other.principals) <= set(self.principals)


def read_statements(document: Mapping[str, Any]) -> tuple[Statement, ...]:
    """Return the statements of a policy.

    Raises:
        StatementError: what is none; how it is written, not what it says.

    """
    listed = document.get("Statement")
    listed = [listed] if isinstance(listed, Mapping) else listed
    if not isinstance(listed, list) or not listed:
        raise StatementError("has no statement")
    return tuple(_statement(element, index) for index, element in enumerate(listed))


def _statement(element: object, index: int) -> Statement:
    if not isinstance(element, Mapping):
        raise StatementError(f"has {show(element)} as statement {index}")
    sid = str(element.get("Sid", ""))
    place = sid or f"statement {index}"
    actions, not_actions, resources, not_resources = (
        _strings(element.get(key, []), key, place)
        for key in ("Action", "NotAction", "Resource", "NotResource")
    )
    return Statement(
        place=place,
        sid=sid,
        effect=str(element.get("Effect", "")),
        actions=actions,
        not_actions=not_actions,
        resources=resources,
        not_resources=not_resources,
        principals=_principals(element.get("Principal", {}), place),
        not_principals=_principals(element.get("NotPrincipal", {}), place),
        conditions=tuple(_conditions(element.get("Condition", {}), place)),
    )


def _principals(element: object, place: str) -> tuple[tuple[str, str], ...]:
    if isinstance(element, str):
        return ((element, element),)
    if not isinstance(element, Mapping):
        raise StatementError(f"has {show(element)} as principal in {place}")
    return tuple((str(type_), name) for type_ in element for name in _strings(element[type_], type_, place))


def _conditions(block: object, place: str) -> Iterator[Condition]:
    if not isinstance(block, Mapping) or not all(isinstance(keys, Mapping) for keys in block.values()):
        raise StatementError(f"has a Condition in {place} that is not {{operator: {{key: values}}}}")
    for operator, keys in block.items():
        for key, values in keys.items():
            yield Condition(str(operator), str(key), tuple(_values(values)))


def _values(values: object) -> Iterator[str]:
    for value in values if isinstance(values, list) else [values]:
        yield str(value).lower() if isinstance(value, bool) else str(value)


def _strings(value: object, key: object, place: str) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in listed):
        raise StatementError(f"has {show(value)} as {key} in {place}")
    return tuple(listed)


def covers(patterns: Collection[str], others: Collection[str]) -> bool:
    """Return whether every one of ``others`` is within one of the patterns, read as texts."""
    return all(any(matches(pattern, other) for pattern in patterns) for other in others)


def matches(pattern: str, text: str) -> bool:
    """Return whether a pattern with ``*`` and ``?`` matches a text, or one within it, whole."""
    return pattern == text or (has_wildcard(pattern) and _regex(pattern).fullmatch(text) is not None)


@cache
def _regex(pattern: str) -> re.Pattern[str]:
    return wildcards(pattern, re.DOTALL)
