"""Teams are apart: by all layers together, and by each one alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from gatehouse.access.context import Variable
from gatehouse.access.invariants.model import Never, Severity, invariant
from gatehouse.access.invariants.stack import ANOTHER_TEAM, OWN, Stack, Subject, patterns_of
from gatehouse.access.model import Policies
from gatehouse.access.proof import (
    OBJECT_KEY,
    PRINTABLE,
    SEGMENT,
    Constraint,
    Holds,
    Not,
    Question,
    Symbol,
    Who,
    different,
    roles,
    text,
    unlike,
)

_INVOKE = "execute-api:Invoke"
_PREFIX = "s3:prefix"
_ALL_TEAMS = (
    "The personas of all teams are those that are named so (auditor, platform-admin), by their roles' path."
)
_OWN_TEAM = "The team of whoever asks is the value of the principal tag team, and no other tag counts."
_TEAM_NAMES = (
    "Sessions are tagged with names of teams, which their roles' trust policies see to (see trust-tags)."
)


def _objects(
    stack: Stack, who: Who, policies: Policies, *given: Constraint
) -> Iterator[tuple[str, Question]]:
    """Go through what anybody could do with another team's objects and their names."""
    bucket, key, other = stack.artifacts.arn, Symbol("rest", OBJECT_KEY), Symbol("other team", SEGMENT)
    team = who.tags.get("team")
    apart = () if team is None else (different(team, other),)
    yield (
        "uses an object of another team",
        Question(
            who,
            stack.actions.of("s3"),
            text(f"{bucket}/workspaces/", other, "/", key),
            policies,
            stack.account,
            given=(*apart, *given),
        ),
    )
    names = (Not(Holds("StringLike", _PREFIX, f"workspaces/{OWN}/*")),) if team is not None else ()
    yield (
        "lists names outside its own team's prefix",
        Question(
            who,
            ("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"),
            text(bucket),
            policies,
            stack.account,
            given=(*names, *given),
        ),
    )


def _calls(stack: Stack, who: Who, policies: Policies) -> Iterator[tuple[str, Question]]:
    """Go through the calls of the API in the name of another team: below its path, and of the path itself."""
    other, rest, own = Symbol("other team", SEGMENT), Symbol("path", PRINTABLE), who.tags.get("team")
    paths: list[tuple[str | Symbol, ...]] = [(other, "/", rest)]
    # The path of a team itself is short enough to be written out: what no policy names, one name stands for.
    paths += [(team,) for team in (*stack.named_teams, ANOTHER_TEAM)]
    for path in paths:
        given = () if own is None else (different(own, path[0]),)
        for call in stack.calls(*path):
            yield (
                "calls the API in another team",
                Question(who, (_INVOKE,), call, policies, stack.account, given=given),
            )


def _whole(
    stack: Stack, who: Who, objects: Policies, calls: Policies | None
) -> Iterator[tuple[str, Question]]:
    yield from _objects(stack, who, objects)
    if calls is not None:
        yield from _calls(stack, who, calls)


def _asked(
    stack: Stack, subject: Subject, objects: Policies, calls: Policies, *, malformed: bool
) -> Iterator[Never]:
    """Ask of a subject whose tag is any text (``malformed``), or any team's name."""
    tag = stack.tagged if malformed else stack.proper
    for what, one in _whole(stack, tag(subject.general), objects, calls):
        exact = tuple(replace(one, who=tag(who)) for who in subject.each)
        yield Never(subject.name, what, exact or (one,), (one,) if len(exact) > 1 else ())


@invariant(
    "tenancy",
    "Teams are apart",
    "For all teams a and b that differ, nobody of a reads, writes, lists or deletes anything "
    "of b, in S3 or through the "
    "API; but for the personas of all teams.",
    Severity.CRITICAL,
    _ALL_TEAMS,
    _OWN_TEAM,
)
def tenancy(stack: Stack) -> Iterator[Never]:
    """Ask by all layers together."""
    bucket, api = stack.artifacts.policy, stack.world.api.policy
    for subject in stack.of_one_team:
        most = _whole(
            stack, stack.tagged(subject.general), stack.bounded(subject, bucket), stack.bounded(subject, api)
        )
        asked = _asked(
            stack, subject, stack.effective(subject, bucket), stack.effective(subject, api), malformed=True
        )
        for (_, wider), one in zip(most, asked, strict=True):
            yield replace(one, wider=(wider, *one.wider))


@invariant(
    "tenancy-by-policies",
    "Principals' own policies keep teams apart",
    "The policies attached to a principal of a team alone give it nothing of another team.",
    Severity.HIGH,
    _ALL_TEAMS,
    _OWN_TEAM,
    _TEAM_NAMES,
)
def tenancy_by_policies(stack: Stack) -> Iterator[Never]:
    """Ask with no boundary, and resources that leave it to the account."""
    for subject in stack.of_one_team:
        own = stack.own(subject)
        yield from _guessed(stack, subject, own)
        yield from _asked(stack, subject, own, own, malformed=False)


def _guessed(stack: Stack, subject: Subject, own: Policies) -> Iterator[Never]:
    """Ask of single calls in another team, where a pattern has a wildcard before the team: sooner than any proof."""
    who = stack.proper(subject.general)
    team = who.tags["team"]
    for pattern in chain.from_iterable(map(patterns_of, subject.identity)):
        first, *rest = pattern
        if not (isinstance(first, str) and first.startswith(stack.world.api.execution_arn) and rest):
            continue
        if isinstance(rest[0], Variable) or team is None:
            continue
        start = f"{stack.world.api.arn}/GET/{ANOTHER_TEAM}/1a"
        parts = (
            team if isinstance(one, Variable) else one if isinstance(one, str) else "1a" for one in rest[1:]
        )
        asked = Question(who, (_INVOKE,), text(start, *parts), own, stack.account)
        given = (different(team, ANOTHER_TEAM),)
        yield Never(subject.name, "calls the API in another team", (replace(asked, given=given),))


@invariant(
    "tenancy-by-boundary",
    "Boundaries keep teams apart",
    "A persona of one team has nothing of another team, whatever is attached to its role: its "
    "boundary alone sees to it.",
    Severity.HIGH,
    _ALL_TEAMS,
    _OWN_TEAM,
)
def tenancy_by_boundary(stack: Stack) -> Iterator[Never]:
    """Ask with a policy that allows everything, under the boundary."""
    for subject in stack.of_one_team:
        if subject.persona:
            bounded = stack.bounded(subject)
            yield from _asked(stack, subject, bounded, bounded, malformed=True)


@invariant(
    "tenancy-by-bucket",
    "The bucket keeps teams apart",
    "No persona of one team, bound here or not, uses another team's objects, whatever its role may do: the bucket's "
    "policy alone sees to it.",
    Severity.HIGH,
    _ALL_TEAMS,
    _OWN_TEAM,
    _TEAM_NAMES,
)
def tenancy_by_bucket(stack: Stack) -> Iterator[Never]:
    """Ask of any persona, by the bucket's policy alone."""
    anyone, of_one_team = _any_of_one_team(stack)
    for what, one in _objects(stack, stack.proper(anyone), stack.alone(stack.artifacts.policy), of_one_team):
        yield Never("a persona of one team", what, (one,))


def _any_of_one_team(stack: Stack) -> tuple[Who, Constraint]:
    persona = Symbol("persona", SEGMENT)
    path = text(f"{stack.prefix}/", persona, "/", Symbol("role", SEGMENT))
    return roles(stack.account, path), unlike(persona, *stack.meaning.all_teams)


@invariant(
    "no-tag-no-access",
    "Without a tag there is nothing",
    "A persona of one team whose session has no tag team does nothing with artifacts, their key or the API.",
    Severity.CRITICAL,
    _ALL_TEAMS,
)
def no_tag_no_access(stack: Stack) -> Iterator[Never]:
    """Ask by the own policies alone and by the boundary alone, each of which is enough, and by the bucket's."""
    for subject in (one for one in stack.of_one_team if one.persona):
        who = stack.untagged(subject.general)
        for policies in (stack.own(subject), stack.bounded(subject)):
            for what, one in _whole(stack, who, policies, policies):
                yield Never(f"{subject.name} without a tag", what.replace("another", "a"), (one,))
    anyone, of_one_team = _any_of_one_team(stack)
    for what, one in _objects(
        stack, stack.untagged(anyone), stack.alone(stack.artifacts.policy), of_one_team
    ):
        yield Never("a persona of one team without a tag", what.replace("another", "a"), (one,))
