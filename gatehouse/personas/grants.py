"""The patterns of a cover as the statements of a policy, each named for what it grants."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import combinations

from gatehouse.catalogue.model import AREAS, CAPABILITIES, Capability
from gatehouse.personas.cover import Pattern

#: Characters of a statement without its Sid and its resources, and of the quotes and the comma of a resource.
STATEMENT, RESOURCE = 80, 3
#: Longer Sids are legal, and cost characters that patterns need.
LONGEST_SID = 64
_EVERY, _SOME = "EveryCapability", "SomeOf"
_VERBS = tuple(dict.fromkeys(capability.verb for capability in CAPABILITIES))


@dataclass(frozen=True)
class Grant:
    """One statement: a Sid that names its capabilities, and its patterns by method and path."""

    sid: str
    patterns: tuple[Pattern, ...]


def grants(patterns: Iterable[Pattern], *, prefix: int, room: int) -> tuple[Grant, ...]:
    """Return the statements that hold a cover's patterns: one for each set of capabilities, as far as they fit.

    ``prefix`` is the number of characters of an ARN beside its method and path, ``room`` that of the policies
    together. While the statements do not fit, the two become one that together have the fewest capabilities. One
    statement may still not fit.
    """
    groups: dict[frozenset[Capability], list[Pattern]] = {}
    for pattern in patterns:
        groups.setdefault(frozenset(pattern.capabilities), []).append(pattern)
    # What no name can tell apart is one statement.
    _merge(groups, [capabilities for capabilities in groups if sid_of(capabilities).startswith(_SOME)])
    while len(groups) > 1 and _size(_grants(groups), prefix) > room:
        _merge(groups, _nearest(groups))
    return _grants(groups)


def _merge(
    groups: dict[frozenset[Capability], list[Pattern]], several: Collection[frozenset[Capability]]
) -> None:
    patterns = [pattern for capabilities in several for pattern in groups.pop(capabilities)]
    if patterns:
        groups.setdefault(frozenset().union(*several), []).extend(patterns)


def _nearest(groups: Iterable[frozenset[Capability]]) -> tuple[frozenset[Capability], ...]:
    """Return the two that together are the fewest capabilities, and of those the two most alike."""
    pairs = combinations(sorted(groups, key=_order), 2)
    return min(pairs, key=lambda pair: (len(pair[0] | pair[1]), len(pair[0] ^ pair[1])))


def sid_of(capabilities: Collection[Capability]) -> str:
    """Return a statement's name: true, and short enough.

    ``RunsRead``, ``RunsReadWrite``, ``Runs`` (all of it); ``ReadTracesEvaluation`` (one verb, several areas);
    ``ReadRunsAllWebhooks``; ``EveryCapability``; ``EveryCapabilityButWorkspaces``; where these are too long,
    ``SomeOfRunsTraces``, and at last ``SomeOf9Areas``.
    """
    areas = [area for area in AREAS if any(capability.area == area for capability in capabilities)]
    others = [capability for capability in CAPABILITIES if capability not in capabilities]
    names = [
        _in_full(capabilities) if others else _EVERY,
        f"{_EVERY}But{_in_full(others)}",
        f"{_SOME}{_titles(areas)}",
    ]
    return next((name for name in names if len(name) <= LONGEST_SID), f"{_SOME}{len(areas)}Areas")


def _in_full(capabilities: Collection[Capability]) -> str:
    held = {
        area: [verb for verb in verbs if Capability(area, verb) in capabilities]
        for area, verbs in AREAS.items()
        if any(capability.area == area for capability in capabilities)
    }
    whole = [area for area, verbs in held.items() if len(verbs) == len(AREAS[area])]
    if len(held) == 1:
        return _titles(held) + ("" if whole else _titles(*held.values()))
    parts = {verb: [area for area in held if area not in whole and verb in held[area]] for verb in _VERBS}
    parts["all"] = whole
    return "".join(_titles([verb, *areas]) for verb, areas in parts.items() if areas)


def _titles(words: Iterable[str]) -> str:
    return "".join(word.capitalize() for word in words)


def _order(capabilities: Collection[Capability]) -> list[int]:
    return [position for position, one in enumerate(CAPABILITIES) if one in capabilities]


def _grants(groups: dict[frozenset[Capability], list[Pattern]]) -> tuple[Grant, ...]:
    made: list[Grant] = []
    for capabilities in sorted(groups, key=_order):
        name = sid_of(capabilities)
        again = sum(grant.sid.rstrip("0123456789") == name for grant in made)
        patterns = sorted(groups[capabilities], key=lambda pattern: (pattern.method, pattern.path))
        made.append(Grant(f"{name}{again + 1}" if again else name, tuple(patterns)))
    return tuple(made)


def _size(made: Iterable[Grant], prefix: int) -> int:
    return sum(
        STATEMENT
        + len(grant.sid)
        + sum(prefix + len(one.method) + len(one.path) + RESOURCE for one in grant.patterns)
        for grant in made
    )
