"""The IAM roles, groups and users that the bindings of an environment make.

Names and paths: role ``PREFIX-TEAM-PERSONA`` (``PREFIX-PERSONA`` without a team) at path ``/PREFIX/PERSONA/``,
so that ``role/PREFIX/*`` are exactly the persona roles and ``role/PREFIX/team-admin/*`` those of one persona.
Listed users are made at path ``/PREFIX/``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gatehouse.access_settings import Binding, Mode, Service
from gatehouse.fields import ALL
from gatehouse.personas.model import Persona, Scope, personas
from gatehouse.policies import Kind, PolicyError, render_policy
from gatehouse.quotas import ACCOUNT_LENGTH
from gatehouse.trust import Entry, GroupEntry, ServiceEntry, machines, people

if TYPE_CHECKING:
    from gatehouse.settings import Settings

SECONDS_AN_HOUR = 3600
#: Said in the description of a role for a group whose members the file does not list.
BY_IAM = "IamGroup names no users: IAM decides which users of the account come in, with MFA."


@dataclass(frozen=True)
class Group:
    """An IAM group whose members may assume one role with MFA.

    ``users`` are those that the file lists. ``session_team`` is the team that they must pass as a session
    tag; None where the role itself has it, or needs none.
    """

    name: str
    path: str
    users: tuple[str, ...]
    session_team: str | None


@dataclass(frozen=True)
class Role:
    """An IAM role of one persona.

    ``team`` is that of the role's tag; None for a persona that works on no single team, and for a role whose
    sessions are tagged. ``binding`` is the position of the binding that makes it.
    """

    name: str
    path: str
    persona: str
    team: str | None
    description: str
    max_session_seconds: int
    trust: tuple[Entry, ...]
    groups: tuple[Group, ...]
    binding: int

    @property
    def tags(self) -> Mapping[str, str]:
        """Tags of the role: its team, the one tag that access is decided by."""
        return {} if self.team is None else {"team": self.team}

    @property
    def session_tagged(self) -> bool:
        """Whether its sessions carry the team, which their callers pass."""
        return any(entry.session for entry in self.trust)

    @property
    def instance_profile(self) -> bool:
        """Whether EC2 instances get the role, for which they need an instance profile."""
        return any(isinstance(entry, ServiceEntry) and Service.EC2 in entry.services for entry in self.trust)


def roles(settings: Settings) -> tuple[Role, ...]:
    """Return every role that the bindings make, in the order of the file and of its teams."""
    known = personas(settings, Path())  # of a template only the place differs
    return tuple(
        role
        for position, binding in enumerate(settings.access.bindings)
        for role in _roles_of(position, binding, known[binding.persona], settings)
    )


def users(settings: Settings) -> tuple[str, ...]:
    """Return the IAM users that the file lists, each once, sorted."""
    groups = [binding.trust.iam_group for binding in settings.access.bindings]
    return tuple(sorted({user for group in groups if group for user in group.users}))


def user_path(settings: Settings) -> str:
    """Return the IAM path of the users that the file lists."""
    return f"/{settings.prefix}/"


def trust_policy(role: Role, *, account: str, region: str) -> str:
    """Return the role's trust policy, escaped for Terraform; ``account`` may be a reference.

    Raises:
        PolicyError: above the quota; the message names the role.

    """
    try:
        return render_policy(
            "roles/trust",
            Kind.TRUST,
            lengths={account: ACCOUNT_LENGTH},
            trust=role.trust,
            account=account,
            region=region,
        )
    except PolicyError as error:
        raise PolicyError(f"role {role.name}: {error}") from error


def group_policy(role: Role, group: Group, *, account: str) -> str:
    """Return the inline policy of one of the role's groups, escaped for Terraform."""
    return render_policy(
        "groups/assume",
        Kind.GROUP,
        lengths={account: ACCOUNT_LENGTH},
        role=role,
        group=group,
        account=account,
    )


def _roles_of(position: int, binding: Binding, persona: Persona, settings: Settings) -> Iterator[Role]:
    trust, path = binding.trust, user_path(settings)
    tagged_sessions = settings.access.mode is Mode.SESSION_TAGS
    if persona.scope is not Scope.TEAM:
        entries = people(trust, None, session_tags=False, user_path=path)  # machines are of one team
        yield _role(position, persona, None, entries, _groups(binding, (None,), settings), settings)
        return
    listed = None if binding.teams in (ALL, None) else tuple(team for team in binding.teams or ())
    teams = settings.teams if listed is None else listed
    of_machines = machines(trust)
    if tagged_sessions:
        of_people = people(trust, listed, session_tags=True, user_path=path)
        if of_people:
            yield _role(position, persona, None, of_people, _groups(binding, teams, settings), settings)
        if not of_machines:
            return
    of_each = of_machines
    if not tagged_sessions:
        of_each = (*people(trust, None, session_tags=False, user_path=path), *of_machines)
    for team in teams:
        groups = () if tagged_sessions else _groups(binding, (team,), settings)
        yield _role(position, persona, team, of_each, groups, settings)


def _role(
    position: int,
    persona: Persona,
    team: str | None,
    entries: tuple[Entry, ...],
    groups: tuple[Group, ...],
    settings: Settings,
) -> Role:
    return Role(
        name=_name(settings.prefix, team, persona.name),
        path=_path(settings.prefix, persona.name),
        persona=persona.name,
        team=team,
        description=_description(persona, team, entries),
        max_session_seconds=persona.session_hours * SECONDS_AN_HOUR,
        trust=entries,
        groups=groups,
        binding=position,
    )


def _groups(binding: Binding, teams: tuple[str | None, ...], settings: Settings) -> tuple[Group, ...]:
    """Return the group of each team; a None among ``teams`` is a persona without one."""
    if binding.trust.iam_group is None:
        return ()
    return tuple(
        Group(
            name=_name(settings.prefix, team, binding.persona),
            path=_path(settings.prefix, binding.persona),
            users=binding.trust.iam_group.users,
            session_team=team if settings.access.mode is Mode.SESSION_TAGS else None,
        )
        for team in teams
    )


def _name(prefix: str, team: str | None, persona: str) -> str:
    return "-".join(part for part in (prefix, team, persona) if part)


def _path(prefix: str, persona: str) -> str:
    return f"/{prefix}/{persona}/"


def _description(persona: Persona, team: str | None, entries: tuple[Entry, ...]) -> str:
    if persona.scope is Scope.STACK:
        where = "of the stack"
    elif persona.scope is Scope.ALL_TEAMS:
        where = "of all teams"
    else:
        where = "of the team that the session is tagged with" if team is None else f"of team {team}"
    kinds: dict[str, list[str]] = {}
    for entry in entries:
        if entry.instead_of_mfa:
            kinds.setdefault(entry.instead_of_mfa, []).append(entry.sid)
    instead = [_sentence(f"In place of MFA, {', '.join(sids)}: {text}") for text, sids in kinds.items()]
    first = _sentence(f"{persona.name} {where}: {persona.description}")
    left_to_iam = any(isinstance(entry, GroupEntry) and not entry.users for entry in entries)
    return " ".join([first, *instead, *([BY_IAM] if left_to_iam else [])])


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
