"""Which teams a policy tells apart by name, and so for which teams one answer stands for all.

Policies are the same documents for every team, and ``${aws:PrincipalTag/team}`` stands where a team is. Then what one
team's principal may do, another's may in its own. That ends where a policy names a team, in full or in part, as a hole
or on purpose: ``workspaces/fraud/*`` is for one team, ``role/*-fr*`` for those that begin so. So the answer for one
stands for those alone that no text of any policy can tell from each other, and every other team is asked about itself.

A text of a policy can tell one team from another only if some literal of its pattern meets characters of the team's
name in the request. Names hold no ``/`` and no ``:``, and it is known what stands before them in a request. So a
literal at the start of a pattern meets the name where it is longer than what stands before the name, and agrees with
that; one after a wildcard where a part of it, cut at ``/`` and ``:``, is in the name. A ``?`` there counts characters,
and tells all names apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from gatehouse.access.context import Variable
from gatehouse.access.iam import TEAM_TAG, Role
from gatehouse.access.pattern import PatternError, Token, Wildcard, tokens
from gatehouse.access.policy import Policy, Statement
from gatehouse.access.world import World
from gatehouse.catalogue.model import METHODS

TEAM_KEY = f"aws:principaltag/{TEAM_TAG}"
_CUT, _PART = re.compile("[/:]"), re.compile("[^/:]+")


@dataclass(frozen=True)
class Meeting:
    """A literal that may meet a name: it ``is`` the name, ``starts`` or ``ends`` it, is ``in`` it, or ``any``."""

    how: str
    text: str

    def meets(self, name: str) -> bool:
        """Whether it does."""
        if self.how == "is":
            return name == self.text
        if self.how == "starts":
            return name.startswith(self.text)
        if self.how == "ends":
            return name.endswith(self.text)
        return self.how == "any" or self.text in name


def meetings(pattern: Sequence[Token], before: str, *, of_team: bool = True) -> Iterator[Meeting]:
    """Go through the literals of a pattern that may meet a name; ``before`` stands before it in the request.

    ``of_team``: the name is a team's, so that the variable of the caller's own team may stand for it.
    """
    first = next((at for at, part in enumerate(pattern) if not isinstance(part, str)), len(pattern))
    head, rest = "".join(map(str, pattern[:first])).lower(), pattern[first:]
    before = before.lower()
    if len(head) > len(before):
        if head.startswith(before):
            part, *more = _CUT.split(head[len(before) :])
            yield Meeting("is" if more or not rest else "starts", part)
        return
    if not before.startswith(head):
        return
    own = of_team and bool(rest) and isinstance(rest[0], Variable) and rest[0].key == TEAM_KEY
    if own and head == before:
        return  # the caller's own team stands there, and what follows is behind it
    reached = len(head)
    for run in _runs(rest):
        if run is None:
            yield Meeting("any", "")
            continue
        for part in _PART.finditer(run):
            # What the pattern has before this part must be what stands before the name.
            if before[reached:].endswith(run[: part.start()]):
                yield Meeting(_place(part, run), part[0])
        # Another name is met by a later literal alone, which this one then stands before.
        reached = before.find(run, reached) + len(run)
        if reached < len(run):
            return


def _place(part: re.Match[str], run: str) -> str:
    first, last = part.start() == 0, part.end() == len(run)
    return "in" if first and last else "ends" if first else "starts" if last else "is"


def _runs(pattern: Sequence[Token]) -> Iterator[str | None]:
    """Go through the literals between wildcards and variables; None is a ``?``."""
    run = ""
    for part in pattern:
        if isinstance(part, str):
            run += part.lower()
            continue
        if run:
            yield run
        run = ""
        if part is Wildcard.ONE:
            yield None
    if run:
        yield run


@dataclass(frozen=True)
class Names:
    """What the policies of a stack tell apart: ``teams`` and names of ``roles`` by literals that may meet them."""

    teams: frozenset[Meeting]
    roles: frozenset[Meeting]

    def tell_apart(self, role: Role | None, team: str) -> bool:
        """Whether some policy may tell this team, or the team's role, from others."""
        name = team.lower()
        return (
            _CUT.search(name) is not None
            or any(one.meets(name) for one in self.teams)
            or (role is not None and any(one.meets(role.name.lower()) for one in self.roles))
        )


def names_in(world: World, bucket: str, policies: Iterable[Policy]) -> Names:
    """Return what some policies of a stack tell apart; ``bucket`` is the ARN of the one that holds artifacts."""
    api = world.api
    starts = [f"{api.arn}/{method}/" for method in METHODS] + [f"{bucket}/workspaces/"]
    of_values = {
        TEAM_KEY: [""],
        "s3:prefix": ["workspaces/"],
        "kms:encryptioncontext:aws:s3:arn": starts[-1:],
    }
    homes = sorted({role.arn.removesuffix(role.name) for role in world.personas})
    of_roles = {"aws:principalarn": homes}
    teams: set[Meeting] = set()
    roles: set[Meeting] = set()
    for statement in chain.from_iterable(one.statements for one in policies):
        written = statement.resources.written if statement.resources is not None else ()
        teams |= _all(written, starts)
        teams |= _of_conditions(statement, of_values)
        roles |= _of_conditions(statement, of_roles, of_team=False)
        if statement.principals is not None:
            named = statement.principals.aws
            # A session's ARN has the role's name without its path, and the session's behind it.
            roles |= {Meeting("is", _CUT.split(arn.lower())[-1]) for arn in named}
            roles |= {Meeting("is", part) for arn in named for part in _CUT.split(arn.lower())[6:7]}
    return Names(frozenset(teams), frozenset(roles))


def _all(patterns: Iterable[Sequence[Token]], starts: Iterable[str], *, of_team: bool = True) -> set[Meeting]:
    listed = list(starts)
    return {
        one for pattern in patterns for before in listed for one in meetings(pattern, before, of_team=of_team)
    }


def _of_conditions(
    statement: Statement, of_values: dict[str, list[str]], *, of_team: bool = True
) -> set[Meeting]:
    found: set[Meeting] = set()
    for condition in statement.conditions:
        if condition.key not in of_values or condition.operator == "Null":
            continue
        if condition.operator.startswith(("String", "Arn")):
            found |= _all(map(_read, condition.values), of_values[condition.key], of_team=of_team)
        else:
            found.add(Meeting("any", ""))  # a number or a date: no text to look at
    return found


def _read(text: str) -> tuple[Token, ...]:
    """Return a value as if it held wildcards and variables, which is the wider of what it may be."""
    try:
        return tokens(text, variables=True, wildcards=True)
    except PatternError:
        return tokens(text, variables=False, wildcards=True)


def takes_team(policies: Iterable[Policy]) -> bool:
    """Whether these policies give something to a team: one of them has the caller's own in a resource."""
    return any(
        variable.key == TEAM_KEY
        for policy in policies
        for statement in policy.statements
        if statement.resources is not None
        for variable in statement.resources.variables
        if isinstance(variable, Variable)
    )
