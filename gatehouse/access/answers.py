"""Questions about single principals, capabilities and actions: why somebody can do something or not, and who can."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gatehouse.access.capabilities import STACK, Asked, Call
from gatehouse.access.context import ContextValue
from gatehouse.access.iam import Role
from gatehouse.access.matrix import Asker, Cell, Reason, Sort, State, Subject, can_have_mfa
from gatehouse.access.situations import OWN_TEAM, Situation, Way
from gatehouse.errors import InputError, Problem
from gatehouse.problems import closest

_NO_CONTEXT: Mapping[str, ContextValue] = {}


@dataclass(frozen=True)
class Wish:
    """What is to be done: a capability, or an action ``on`` a resource with ``context`` beside the situation's own."""

    do: str
    on: str | None = None
    context: Mapping[str, ContextValue] = field(default_factory=dict, hash=False)

    @property
    def is_action(self) -> bool:
        """Whether it is an action of AWS, which has capital letters."""
        return self.on is not None or self.do != self.do.lower()

    @property
    def may_name_team(self) -> bool:
        """Whether it may be about one team by name, so that no team's principal answers for another's."""
        return self.is_action or bool(self.context)


@dataclass(frozen=True)
class Answer:
    """What one principal can do of a wish; ``where`` is the team whose data it is about, empty for an action's."""

    subject: Subject
    wish: Wish
    where: str
    situation: Situation
    cell: Cell
    labels: tuple[str, ...]


def why(
    asker: Asker,
    name: str,
    wish: Wish,
    *,
    team: str | None = None,
    where: str | None = None,
    situation: Situation = OWN_TEAM,
) -> Answer:
    """Return what somebody can do; ``team`` is whose they are, ``where`` whose data it is about, their own if None.

    Raises:
        InputError: a principal, team or capability that is not there, or an action without its resource.

    """
    _check(asker, wish)
    subject = subject_named(asker, name, team)
    if wish.may_name_team and len(subject.teams) > 1:
        teams = ", ".join(subject.teams)
        raise _refused(
            asker,
            "--as",
            name,
            "is of several teams, and this may be about one",
            f"--team with one of {teams}",
        )
    if where is not None:
        _check_team(asker, where, "--in")
    return _answer(asker, subject, wish, where or asker.home(subject), situation)


def who_can(
    asker: Asker, wish: Wish, *, team: str | None = None, situation: Situation = OWN_TEAM
) -> tuple[Answer, ...]:
    """Return what every principal can do: with the data of ``team``, or of its own if None.

    With a team, principals of it and those of others are asked apart.

    Raises:
        InputError: as :func:`why` has it.

    """
    _check(asker, wish)
    if team is not None and wish.is_action:
        raise _refused(asker, "--team", team, "says nothing: an action is on a resource", "leave it out")
    if team is not None:
        _check_team(asker, team, "--team")
        subjects = [(one, team) for subject in asker.subjects for one in _apart(asker, subject, team)]
        return tuple(_answer(asker, one, wish, where, situation) for one, where in subjects)
    if not wish.may_name_team:
        return tuple(_answer(asker, one, wish, asker.home(one), situation) for one in asker.subjects)
    return tuple(_alike([_answer(asker, one, wish, asker.home(one), situation) for one in _each(asker)]))


def _each(asker: Asker) -> Iterator[Subject]:
    """Go through every principal in each of its teams."""
    for subject in asker.subjects:
        if len(subject.teams) > 1:
            yield from (asker.of_team(subject, team) for team in subject.teams)
        else:
            yield subject


def _alike(answers: Sequence[Answer]) -> Iterator[Answer]:
    """Go through the answers; those that are the same for several teams of a principal are one."""
    found: dict[tuple[object, ...], list[Answer]] = {}
    for one in answers:
        reasons = tuple((reason.layer, _key(reason), reason.count) for reason in one.cell.reasons)
        found.setdefault((one.subject.name, one.cell.allowed, reasons), []).append(one)
    for same in found.values():
        teams = tuple(team for one in same for team in one.subject.teams)
        yield replace(same[0], subject=replace(same[0].subject, teams=teams))


def _key(reason: Reason) -> tuple[object, ...]:
    return (reason.statement.policy, reason.statement.index) if reason.statement else ()


def _apart(asker: Asker, subject: Subject, team: str) -> Iterator[Subject]:
    """Go through a principal as one of the team, and as one of another, if it stands for both."""
    if team in subject.teams:
        yield asker.of_team(subject, team)
    others = tuple(one for one in subject.teams if one != team)
    if others or not subject.teams:
        yield replace(asker.of_team(subject, others[0]), teams=others) if others else subject


def subject_named(asker: Asker, name: str, team: str | None = None) -> Subject:
    """Return a principal by the name of its persona, role or user, or by its ARN.

    Raises:
        InputError: there is none, it has no such team, or it is one of several.

    """
    if team is not None:
        _check_team(asker, team, "--team")
    users = [one for one in asker.subjects if one.sort is Sort.USER and name in (one.name, one.who.arn)]
    if users:
        return users[0]
    role = next((one for one in asker.world.roles.values() if name in (one.name, one.arn)), None)
    persona = role.persona if role is not None else name
    known = [one for one in asker.subjects if isinstance(one.who, Role)]
    if role is not None and (role.persona is None or role.team is not None):
        # Exactly this role, whichever others it is like.
        mine = next(
            one for one in known if one.who is role or (one.who.name == role.name) or _like(one, role)
        )
        if role.persona is None:
            return mine
        if team not in (None, role.team):
            raise _refused(
                asker, "--team", team, f"is not the team of {role.name}", f"{role.team}, or leave it out"
            )
        return replace(
            mine, name=persona or role.name, who=role, team=role.team or "", teams=(role.team or "",)
        )
    found = [one for one in known if isinstance(one.who, Role) and one.who.persona == persona]
    if not found:
        names = sorted({one.who.persona or one.name for one in known if isinstance(one.who, Role)})
        names += [one.name for one in asker.subjects if one.sort is Sort.USER]
        raise _unknown(asker, "--as", name, "no principal of the stack", names)
    return _one_of(asker, found, persona or name, team)


def _one_of(asker: Asker, found: Sequence[Subject], persona: str, team: str | None) -> Subject:
    if team is None:
        if len(found) > 1:
            names = ", ".join(sorted({team for one in found for team in one.teams}))
            raise _refused(
                asker, "--as", persona, "is not the same in every team", f"--team with one of {names}"
            )
        return found[0]
    theirs = next((one for one in found if team in one.teams), None)
    if theirs is not None:
        return replace(asker.of_team(theirs, team), name=persona)
    if not any(one.teams for one in found):
        return found[0]  # a principal of all teams, or of none, is the same in each
    names = ", ".join(sorted({one for subject in found for one in subject.teams}))
    raise _refused(asker, "--team", team, f"has no {persona}", f"one of {names}")


def _like(subject: Subject, role: Role) -> bool:
    who = subject.who
    return (
        isinstance(who, Role)
        and who.persona == role.persona
        and role.team in subject.teams
        and who.identity == role.identity
        and can_have_mfa(who) == can_have_mfa(role)
    )


def _answer(asker: Asker, subject: Subject, wish: Wish, where: str, situation: Situation) -> Answer:
    if wish.is_action:
        asked = (_action(wish),)
        cell = asker.cell_of(subject, situation, (), [asked])
        return Answer(subject, wish, "", situation, cell, tuple(one.label for one in asked))
    requests = asker.capabilities.requests(wish.do, where)
    if wish.context:
        requests = tuple(_with(one, wish.context) for one in requests)
    cell = asker.cell_of(subject, situation, (where,), [requests])
    return Answer(subject, wish, where, situation, cell, tuple(one.label for one in requests))


def _with(asked: Asked, context: Mapping[str, ContextValue]) -> Asked:
    return replace(asked, calls=tuple(replace(one, keys={**one.keys, **context}) for one in asked.calls))


def _action(wish: Wish) -> Asked:
    arn = wish.on or ""
    return Asked(f"{wish.do} on {arn}", STACK, (Call(Way.of(wish.do), wish.do, arn, wish.context),))


def _check(asker: Asker, wish: Wish) -> None:
    if wish.is_action and wish.on is None:
        raise _refused(
            asker,
            "--do",
            wish.do,
            "is an action, and nothing says on what",
            "--on with the ARN of a resource",
        )
    if not wish.is_action and wish.do not in asker.capabilities.names:
        raise _unknown(
            asker, "--do", wish.do, "no capability, and no action of AWS", asker.capabilities.names
        )


def _check_team(asker: Asker, team: str, option: str) -> None:
    if team not in asker.world.teams:
        raise _unknown(asker, option, team, "no team of the stack", asker.world.teams)


def _unknown(asker: Asker, option: str, value: str, what: str, known: Sequence[str]) -> InputError:
    meant = closest(value, known)
    shown = f"one of {', '.join(known)}" if known else "there is none"
    return _refused(asker, option, value, f"is {what}", f"{meant}?" if meant else shown)


def _refused(asker: Asker, option: str, value: str | None, problem: str, fix: str) -> InputError:
    return InputError([Problem(str(asker.world.document.path), problem, fix, field=option, value=value)])


def verdict(answer: Answer) -> str:
    """Return the answer in a word or two."""
    cell = answer.cell
    if cell.state is State.ALL:
        return "Yes"
    if cell.state is State.SOME:
        return f"In part ({len(cell.allowed)} of {cell.asked})"
    return "No" if cell.state is State.NONE else "That cannot happen"
