"""The actions that questions are about: of all that AWS has, one for each set that no policy tells apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gatehouse.access.pattern import Token, Wildcard
from gatehouse.access.policy import Policy, Statement
from gatehouse.personas.actions import actions_named

#: Stands for the actions of a service that AWS adds one day.
NEW = "ActionThatIsNew"


class Actions:
    """Representatives of each service's actions for a set of policies."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        """Take the policies that may tell actions apart."""
        kinds: dict[object, Statement] = {}
        for policy in policies:
            for one in policy.statements:
                kinds.setdefault(one.actions.written, one)
        self._statements = tuple(kinds.values())
        patterns = [pattern for one in self._statements for pattern in one.actions.written]
        #: Services of which some pattern names actions; None if one may name those of any.
        self._named = None if any(map(_is_of_any, patterns)) else set(map(_service, patterns))
        self._found: dict[str, tuple[str, ...]] = {}

    def of(self, *services: str) -> tuple[str, ...]:
        """Return the actions of services, and for each one that is not known yet."""
        return tuple(action for service in services for action in self._of(service))

    def _of(self, service: str) -> tuple[str, ...]:
        if service not in self._found:
            told: dict[tuple[bool, ...], str] = {}
            known = (*actions_named(f"{service}:*"), f"{service}:{NEW}")
            is_told_apart = self._named is None or service.lower() in self._named
            for action in known if is_told_apart else known[:1]:
                told.setdefault(tuple(one.covers_action(action) for one in self._statements), action)
            self._found[service] = tuple(told.values())
        return self._found[service]

    def but(self, exceptions: Iterable[str], *services: str) -> tuple[str, ...]:
        """Return the actions of services without some."""
        left_out: Mapping[str, None] = dict.fromkeys(exceptions)
        return tuple(action for action in self.of(*services) if action not in left_out)


def _is_of_any(pattern: Sequence[Token]) -> bool:
    """Return whether a pattern may tell apart the actions of any service; ``*`` alone tells none apart."""
    return pattern != (Wildcard.MANY,) and not (isinstance(pattern[0], str) and ":" in pattern[0])


def _service(pattern: Sequence[Token]) -> str:
    return str(pattern[0]).partition(":")[0].lower()
