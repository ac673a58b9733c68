"""Who can do what, in which situation: principals times capabilities times situations.

::

    found = matrix(World.of(read_document(path)))
    cell = found.cell("data-scientist", "registry:delete", "own-team")
    print(cell.state, [reason.statement for reason in cell.reasons])

Every request of a capability is asked of the evaluator; a cell sums up what it said. Where a situation can have several
forms (no key of MFA, or one that says no; another address, or another way in), a request counts as allowed if one of
them is. One team stands for all that no policy tells apart, see :mod:`gatehouse.access.teams`; the others are asked
about themselves, as who asks and as whom is asked about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from gatehouse.access.capabilities import ASSUME_ROLES, Asked, Call, Capabilities
from gatehouse.access.evaluate import evaluate
from gatehouse.access.iam import TEAM_TAG, Role, User
from gatehouse.access.model import Decision, Layer, Outcome
from gatehouse.access.policy import Statement
from gatehouse.access.request import Principal, Request, Resource
from gatehouse.access.situations import SITUATIONS, Calls, Keys, Network, Situation, Way, factors_of
from gatehouse.access.teams import Names, names_in, takes_team
from gatehouse.access.world import World

#: Of the calls of one request, in their order, each with what it is for people.
Decisions = tuple[tuple[str, Decision], ...]
#: A team that is in no document, to be asked about where there is no other.
_STRANGER = "some-other-team"


class State(StrEnum):
    """What a cell says."""

    ALL = "all"
    SOME = "some"
    NONE = "none"
    IMPOSSIBLE = "cannot happen"


class Sort(StrEnum):
    """What a principal is."""

    PERSONA = "persona"
    SERVICE = "service"
    USER = "user"


@dataclass(frozen=True)
class Subject:
    """Who asks, for all who are told apart by their team alone.

    ``who`` asks for all; ``team`` is its own, ``teams`` are all for which it stands, both empty for a principal
    without one. ``brought`` if sessions bring the team, and the role itself has none.
    """

    name: str
    sort: Sort
    who: Role | User = field(repr=False)
    team: str
    teams: tuple[str, ...] = field(repr=False)
    brought: bool
    can_have_mfa: bool

    @cached_property
    def tagged(self) -> Principal:
        """As who asks, with its team."""
        return self.who.principal(tags={TEAM_TAG: self.team} if self.brought else None)

    @cached_property
    def untagged(self) -> Principal:
        """As who asks, without one."""
        principal = self.who.principal()
        tags = {key: value for key, value in principal.tags.items() if key.lower() != TEAM_TAG}
        return replace(principal, tags=tags)

    def principal(self, situation: Situation) -> Principal:
        """Return who asks in a situation."""
        return self.tagged if situation.tagged else self.untagged


@dataclass(frozen=True)
class Reason:
    """Why requests were decided as they were: the layer, and the statement if one did; ``sample`` is one of them."""

    outcome: Outcome
    layer: Layer
    statement: Statement | None
    count: int
    sample: str


@dataclass(frozen=True)
class Cell:
    """What one principal can do of one capability in one situation.

    ``allowed`` are the places in the capability's requests of those that go through, ``parts`` how many of how many
    by where they go, ``teams`` those about which was asked.
    """

    state: State
    asked: int
    allowed: tuple[int, ...]
    parts: Mapping[str, tuple[int, int]]
    teams: tuple[str, ...]
    reasons: tuple[Reason, ...]

    @property
    def whole_parts(self) -> tuple[str, ...]:
        """The parts that are allowed in full, if nothing of any other is; otherwise none."""
        some = [part for part, (allowed, _) in self.parts.items() if allowed]
        return tuple(some) if all(self.parts[part][0] == self.parts[part][1] for part in some) else ()


class Asker:
    """Asks the evaluator for cells of one stack."""

    def __init__(self, world: World) -> None:
        """Read what capabilities and situations are in this stack.

        Raises:
            InputError: the document does not tell where artifacts are, which MLflow is installed, or has no API.
            CatalogueError: that MLflow has no catalogue.

        """
        self.world, self.capabilities = world, Capabilities.of(world)
        artifacts = self.capabilities.artifacts
        networks = Network.of_api(world.api), Network.of_bucket(artifacts.policy)
        self.calls = Calls(*networks, world.account, world.region)
        trusts = {role.trust.name: role.trust for role in world.roles.values()}
        others = (policy for name, policy in world.policies.items() if name not in trusts)
        self.names = names_in(world, artifacts.arn, others)
        self._trusts = names_in(world, artifacts.arn, trusts.values())
        self._contexts: dict[tuple[object, ...], tuple[Keys, ...]] = {}

    @cached_property
    def subjects(self) -> tuple[Subject, ...]:
        """Every principal of the stack, those told apart by their team alone as one."""
        return tuple(_subjects(self.world, self.names))

    @cached_property
    def alike(self) -> tuple[str, ...]:
        """The teams that no policy tells apart."""
        return tuple(team for team in self.world.teams if not self.names.tell_apart(None, team))

    @cached_property
    def told_apart(self) -> tuple[str, ...]:
        """The teams that some policy may tell from others."""
        return tuple(team for team in self.world.teams if team not in frozenset(self.alike))

    def home(self, subject: Subject) -> str:
        """Return the team whose data is the plain case: its own, or any."""
        return subject.team or next(iter((*self.alike, *self.told_apart)), _STRANGER)

    def others(self, subject: Subject) -> tuple[str, ...]:
        """Return the teams that stand for all but its own."""
        home = self.home(subject)
        alike = next((team for team in (*self.alike, *self._strangers()) if team != home), None)
        return (*([alike] if alike else ()), *(team for team in self.told_apart if team != home))

    def _strangers(self) -> Iterator[str]:
        taken = frozenset(self.world.teams)
        for name in (_STRANGER, *(f"{_STRANGER}-{number}" for number in range(2, 100))):
            if name not in taken and not self.names.tell_apart(None, name):
                yield name

    def cell(self, subject: Subject, capability: str, situation: Situation) -> Cell:
        """Return what a principal can do of a capability in a situation."""
        teams = self.others(subject) if situation.elsewhere else (self.home(subject),)
        cell = self.cell_in(subject, capability, situation, teams)
        if capability != ASSUME_ROLES or all(map(_is_denied_by_own, cell.reasons)):
            return cell
        # Trust policies name teams on purpose, and count for this alone: whom they tell apart is asked on its own.
        apart = [
            self.of_team(subject, team) for team in subject.teams if self._is_trusted_apart(subject, team)
        ]
        cells = [self.cell_in(one, capability, situation, teams) for one in apart]
        return _together([cell, *cells], self.capabilities.requests(capability, teams[0]))

    def _is_trusted_apart(self, subject: Subject, team: str) -> bool:
        role = self.of_team(subject, team).who
        return team != subject.team and self._trusts.tell_apart(
            role if isinstance(role, Role) else None, team
        )

    def of_team(self, subject: Subject, team: str) -> Subject:
        """Return a principal as that of one of the teams for which it stands."""
        who = subject.who
        if not subject.brought and isinstance(who, Role) and who.persona and who.team != team:
            who = next(
                one
                for one in self.world.personas
                if (one.persona, one.team, one.identity) == (who.persona, team, who.identity)
            )
        return replace(subject, who=who, team=team, teams=(team,))

    def cell_in(self, subject: Subject, capability: str, situation: Situation, teams: Sequence[str]) -> Cell:
        """Return what a principal can do of a capability with the data of any of these teams."""
        listed = [self.capabilities.requests(capability, team) for team in teams]
        return self.cell_of(subject, situation, teams, listed)

    def cell_of(
        self,
        subject: Subject,
        situation: Situation,
        teams: Sequence[str],
        listed: Sequence[Sequence[Asked]],
    ) -> Cell:
        """Return the cell of requests: for each team, as many in the same order."""
        parts: dict[str, tuple[int, int]] = {}
        allowed: list[int] = []
        reasons: dict[tuple[object, ...], Reason] = {}
        asked = 0
        for at, forms in enumerate(zip(*listed, strict=True)):
            decided = self._decided(subject, situation, forms)
            if decided is None:
                continue
            asked += 1
            one, decisions = decided
            goes = decisions[0][1].allowed
            before = parts.get(one.part, (0, 0))
            parts[one.part] = (before[0] + goes, before[1] + 1)
            if goes:
                allowed.append(at)
            for label, decision in decisions:
                _count(reasons, decision, label)
        return Cell(
            _state(len(allowed), asked), asked, tuple(allowed), parts, tuple(teams), _ranked(reasons.values())
        )

    def _decided(
        self, subject: Subject, situation: Situation, forms: Iterable[Asked]
    ) -> tuple[Asked, Decisions] | None:
        """Return the decisions that let one form of a request through, or else the first that did not.

        None: the situation cannot be.
        """
        refused: tuple[Asked, Decisions] | None = None
        for one in forms:
            for decisions in self._answers(subject, situation, one):
                if all(decision.allowed for _, decision in decisions):
                    return one, decisions
                refused = refused or (one, decisions[-1:])
        return refused

    def _answers(self, subject: Subject, situation: Situation, one: Asked) -> Iterator[Decisions]:
        """Go through the forms of a situation with the decisions on a request's calls, up to the first refusal."""
        principal = subject.principal(situation)
        forms = [self.keys(subject, situation, call) for call in one.calls]
        if not all(forms):
            return
        for number in range(max(map(len, forms))):
            decisions: list[tuple[str, Decision]] = []
            for call, of_call in zip(one.calls, forms, strict=True):
                keys = of_call[min(number, len(of_call) - 1)]
                label = one.label if call is one.calls[0] else f"{call.action} for {one.label}"
                decisions.append((label, self.decide(subject, principal, call, keys)))
                if not decisions[-1][1].allowed:
                    break
            yield tuple(decisions)

    def keys(self, subject: Subject, situation: Situation, call: Call) -> tuple[Keys, ...]:
        """Return the keys of a call in every form that the situation may have; none if it cannot be."""
        key = (call.way, situation, subject.can_have_mfa)
        if key not in self._contexts:
            factors = factors_of(situation, can_have=subject.can_have_mfa)
            self._contexts[key] = self.calls.keys(call.way, situation, factors)
        found = self._contexts[key]
        if not call.keys:
            return found
        own = {key.lower() for key in call.keys}
        return tuple(
            {**{key: value for key, value in one.items() if key.lower() not in own}, **call.keys}
            for one in found
        )

    def decide(self, subject: Subject, principal: Principal, call: Call, keys: Keys) -> Decision:
        """Return the decision on one call; one of a private API passes the endpoint that the keys name."""
        request = Request(principal, call.action, Resource(call.arn, self.world.account), keys)
        door = self.world.api.entry
        passed = door is not None and call.way is Way.API and keys.get("aws:SourceVpce") == door.id
        policies = self.world.policies_for(subject.who, call.arn, door if passed else None)
        return evaluate(request, policies)


def _is_denied_by_own(reason: Reason) -> bool:
    """Whether a Deny of the principal's own policies decided, whatever another policy says."""
    return reason.outcome is Outcome.EXPLICITLY_DENIED and reason.layer in (Layer.IDENTITY, Layer.BOUNDARY)


def _together(cells: Sequence[Cell], requests: Sequence[Asked]) -> Cell:
    """Return the cell in which a request is allowed if it is in one of these."""
    allowed = tuple(sorted({place for cell in cells for place in cell.allowed}))
    parts = {part: (0, asked) for part, (_, asked) in cells[0].parts.items()}
    for place in allowed:
        part = requests[place].part
        parts[part] = (parts[part][0] + 1, parts[part][1])
    reasons: dict[tuple[object, ...], Reason] = {}
    for reason in (reason for cell in cells for reason in cell.reasons):
        reasons.setdefault(_key(reason.outcome, reason.layer, reason.statement), reason)
    state = _state(len(allowed), cells[0].asked)
    return replace(cells[0], state=state, allowed=allowed, parts=parts, reasons=_ranked(reasons.values()))


def _ranked(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Return what allows before what denies, and what decides much before what decides little."""
    order = {Outcome.ALLOWED: 0, Outcome.EXPLICITLY_DENIED: 1, Outcome.IMPLICITLY_DENIED: 2}
    return tuple(sorted(reasons, key=lambda one: (order[one.outcome], -one.count)))


def _key(outcome: Outcome, layer: Layer, statement: Statement | None) -> tuple[object, ...]:
    return outcome, layer, (statement.policy, statement.index) if statement else None


def _count(reasons: dict[tuple[object, ...], Reason], decision: Decision, label: str) -> None:
    statement = decision.statement
    key = _key(decision.outcome, decision.layer, statement)
    known = reasons.get(key)
    reasons[key] = Reason(
        decision.outcome,
        decision.layer,
        statement,
        known.count + 1 if known else 1,
        known.sample if known else label,
    )


def _state(allowed: int, asked: int) -> State:
    if not asked:
        return State.IMPOSSIBLE
    return State.ALL if allowed == asked else State.SOME if allowed else State.NONE


def _subjects(world: World, names: Names) -> Iterator[Subject]:
    """Go through the principals; roles that differ in their team alone, and are not told apart, are one."""
    alike: dict[tuple[object, ...], list[Role]] = {}
    for role in world.roles.values():
        apart = role.team is not None and names.tell_apart(role, role.team)
        other_tags = frozenset(item for item in role.tags.items() if item[0] != TEAM_TAG)
        key = (
            role.persona, role.team is not None, tuple(one.name for one in role.identity),
            role.boundary and role.boundary.name, other_tags, can_have_mfa(role),
            role.arn if apart or not role.persona or not role.team else "",
        )  # fmt: skip
        alike.setdefault(key, []).append(role)
    found: list[Subject] = []
    for roles in alike.values():
        found += _of_roles(world, names, roles)
    yield from _named(found)
    for user in world.users.values():
        team = user.tags.get(TEAM_TAG, "")
        yield Subject(user.name, Sort.USER, user, team, (team,) if team else (), False, True)


def _of_roles(world: World, names: Names, roles: Sequence[Role]) -> Iterator[Subject]:
    role = roles[0]
    name = role.persona or role.name
    sort = Sort.PERSONA if role.persona else Sort.SERVICE
    mfa = can_have_mfa(role)
    if role.team is not None or role.persona is None or not takes_team(role.identity):
        teams = tuple(sorted(one.team for one in roles if one.team))
        yield Subject(name, sort, role, role.team or "", teams, False, mfa)
        return
    alike = tuple(team for team in world.teams if not names.tell_apart(role, team)) or (_STRANGER,)
    yield Subject(name, sort, role, alike[0], alike, True, mfa)
    for team in world.teams:
        if team not in alike:
            yield Subject(name, sort, role, team, (team,), True, mfa)


def _named(subjects: Sequence[Subject]) -> Iterator[Subject]:
    """Go through the principals with a name of its own for each, in the order of names."""
    names = [one.name for one in subjects]
    taken: set[str] = set()
    for one in sorted(subjects, key=lambda one: (one.sort is not Sort.PERSONA, one.name, one.teams)):
        name = one.name
        if names.count(name) > 1:
            name = f"{name} of {one.teams[0] if one.teams else 'no team'}"
            if len(one.teams) > 1:
                name += f" and {len(one.teams) - 1} more"
        name = name if name not in taken else one.who.name
        taken.add(name)
        yield replace(one, name=name)


def can_have_mfa(role: Role) -> bool:
    """Whether sessions of a role may say that they began with MFA: those that users and roles assume.

    Federated sessions lack the key, and so do those of services.

    Source: IAM User Guide, "AWS global condition context keys" (aws:MultiFactorAuthPresent).
    """
    return any(
        not one.is_deny
        and one.covers_action("sts:AssumeRole")
        and one.principals is not None
        and bool(one.principals.everybody or one.principals.aws or one.principals.accounts)
        for one in role.trust.statements
    )


@dataclass(frozen=True)
class Matrix:
    """Every cell, by names of principal, capability and situation."""

    world: World = field(repr=False)
    capabilities: tuple[str, ...]
    subjects: tuple[Subject, ...]
    situations: tuple[Situation, ...]
    requests: Mapping[str, tuple[Asked, ...]] = field(repr=False)
    cells: Mapping[tuple[str, str, str], Cell] = field(repr=False)
    notes: tuple[str, ...]

    def cell(self, principal: str, capability: str, situation: str = "own-team") -> Cell:
        """Return one cell."""
        return self.cells[principal, capability, situation]

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """Every statement that decided something, once, in the order of their policies."""
        found = {
            (reason.statement.policy, reason.statement.index): reason.statement
            for cell in self.cells.values()
            for reason in cell.reasons
            if reason.statement is not None
        }
        return tuple(found[key] for key in sorted(found))


def matrix(world: World, situations: Sequence[Situation] = SITUATIONS) -> Matrix:
    """Return who can do what; errors as :class:`Asker` has them."""
    asker = Asker(world)
    cells = {
        (subject.name, capability, situation.id): asker.cell(subject, capability, situation)
        for subject in asker.subjects
        for capability in asker.capabilities.names
        for situation in situations
    }
    sample = (*asker.alike, *asker.told_apart, _STRANGER)[0]
    return Matrix(
        world=world,
        capabilities=asker.capabilities.names,
        subjects=asker.subjects,
        situations=tuple(situations),
        requests={name: asker.capabilities.requests(name, sample) for name in asker.capabilities.names},
        cells=cells,
        notes=notes_on(world),
    )


def notes_on(world: World) -> tuple[str, ...]:
    """Return what the cells do not say: methods of the API that ask IAM nothing."""
    return tuple(
        f"{one.http_method} {one.path} of the API has authorization {one.authorization}, so that IAM is not asked "
        f"about it: {one.address}"
        for one in world.api.methods
        if one.authorization != "AWS_IAM"
    )
