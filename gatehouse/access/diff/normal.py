"""What a statement says, without what it is called and where it stands: the same for policies that mean the same.

It is used to leave out questions whose answer is known, never to answer one: two policies with the same statements
about an action allow the same requests of it, because evaluation looks at nothing else and at no order.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

from gatehouse.access.conditions import Condition
from gatehouse.access.model import Layer, Levels, Policies
from gatehouse.access.policy import Policy, Statement

#: What one policy, or a level of them, says: its statements in no order.
Said = frozenset[Hashable]


def _condition(one: Condition) -> Hashable:
    return one.quantifier, one.operator, one.if_exists, one.key, one.variables, frozenset(one.values)


def _conditions(statement: Statement) -> Hashable:
    """Return what decides whether a statement about an action applies: all of it but the actions."""
    return (
        statement.is_deny,
        None if statement.resources is None else frozenset(statement.resources.written),
        statement.not_resource,
        statement.principals,
        frozenset(map(_condition, statement.conditions)),
    )


class Sayings:
    """What policies say, worked out once for each policy and action."""

    def __init__(self) -> None:
        """Start with none."""
        self._whole: dict[int, Said] = {}
        self._about: dict[tuple[int, str], Said] = {}
        self._kept: dict[int, Policy] = {}

    def whole(self, policies: Policies | None) -> Hashable:
        """Return what policies say of all actions; None says nothing, which allows nothing."""
        return None if policies is None else _layers(policies, self._of_level)

    def about(self, policies: Policies | None, action: str) -> Hashable:
        """Return what policies say of one action."""
        if policies is None:
            return None
        return _layers(policies, lambda level: self._about_level(level, action))

    def _of_level(self, level: Iterable[Policy]) -> Said:
        return frozenset(one for policy in level for one in self._of_policy(policy))

    def _of_policy(self, policy: Policy) -> Said:
        found = self._whole.get(id(policy))
        if found is None:
            self._kept[id(policy)] = policy  # so that no other gets its identity
            found = self._whole[id(policy)] = frozenset(
                (frozenset(one.actions.written), one.not_action, _conditions(one))
                for one in policy.statements
            )
        return found

    def _about_level(self, level: Iterable[Policy], action: str) -> Said:
        return frozenset(one for policy in level for one in self._about_policy(policy, action))

    def _about_policy(self, policy: Policy, action: str) -> Said:
        key = (id(policy), action)
        found = self._about.get(key)
        if found is None:
            self._kept[id(policy)] = policy
            found = self._about[key] = frozenset(
                _conditions(one) for one in policy.statements if one.covers_action(action)
            )
        return found


def _layers(policies: Policies, of_level: Callable[[Iterable[Policy]], Said]) -> Hashable:
    # Compiled documents are what they are, whether they are read as a trust policy or not.
    levels: dict[Layer, Levels] = dict(policies.levels(is_trust=False))
    return frozenset((layer, tuple(map(of_level, of_layer))) for layer, of_layer in levels.items())
