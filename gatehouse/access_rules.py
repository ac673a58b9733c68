"""Rules over the whole access section and what it makes: teams, roles, groups and their names.

Each rule is a function that raises RefusedError with the field in the file; :func:`check_access` runs them all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gatehouse.access_settings import Binding, Mode
from gatehouse.bindings import Role, roles
from gatehouse.fields import ALL, RefusedError
from gatehouse.personas.model import BUILT_IN, ROUTE_SUFFIXES, Scope
from gatehouse.problems import closest
from gatehouse.quotas import ROLES

if TYPE_CHECKING:
    from gatehouse.settings import Settings

#: Roles of the stack itself, PREFIX-NAME; names of IAM are one space, whatever the path.
SERVICE_ROLES = ("api-logs", "database-monitoring", "flow-logs", "server")
#: IAM User Guide, "IAM and AWS STS quotas": groups an account, groups a user, lengths.
MAX_GROUPS, MAX_GROUPS_A_USER = 300, 10
MAX_ROLE_NAME, MAX_DESCRIPTION = 64, 1_000
#: Start of what the stack's own managed policies are named: PREFIX-boundary, PREFIX-boundary-team and so on.
BOUNDARY = "boundary"


def check_access(settings: Settings) -> None:
    """Raise RefusedError for the first rule that the access section breaks."""
    _check_policy_names(settings)
    _check_deployers(settings)
    for position, binding in enumerate(settings.access.bindings):
        field = f"access.bindings.{position}"
        _check_teams(binding, field, settings)
        _check_machines(binding, field, settings)
        _check_chains(binding, field, settings)
        _check_accounts(binding, field, settings)
    _check_users(settings)
    _check_number(settings)
    made = roles(settings)
    _check_bound_once(made)
    _check_names(made, settings)
    _check_descriptions(made)
    _check_groups(made)


def _check_policy_names(settings: Settings) -> None:
    """Refuse added personas of whose managed policies one would have the name of another policy of the stack."""
    known = {*BUILT_IN, *settings.access.personas}
    for name in settings.access.personas:
        if name.startswith(BOUNDARY):
            raise RefusedError(
                f"would name its policies {settings.prefix}-{name}, as permissions boundaries are named",
                f"choose a name that does not start with {BOUNDARY}",
                field=f"access.personas.{name}",
                value=name,
            )
        for suffix in ROUTE_SUFFIXES:
            other = name.removesuffix(suffix)
            if other != name and other in known:
                raise RefusedError(
                    f"would name its policy {settings.prefix}-{name}, as one of persona {other} is named",
                    "choose another name",
                    field=f"access.personas.{name}",
                    value=name,
                )


def _check_deployers(settings: Settings) -> None:
    for arn in settings.deployer_role_arns:
        if _is_persona(arn, settings):
            raise RefusedError(
                f"is at the path of the personas, /{settings.prefix}/, and would count as one",
                "deploy with a role of another path",
                field="deployer_role_arns",
                value=arn,
            )


def _check_chains(binding: Binding, field: str, settings: Settings) -> None:
    """A persona assumes no other role: its boundary forbids it, and a session would lose its team on the way."""
    principals = binding.trust.account_principals
    for arn in principals.arns if principals else ():
        if _is_persona(arn, settings):
            raise RefusedError(
                "is itself the role of a persona, and a persona assumes no other role",
                "name whoever may assume that role",
                field=f"{field}.trust.account_principals.arns",
                value=arn,
            )


def _is_persona(arn: str, settings: Settings) -> bool:
    """Whether the ARN is of a role at the path of this stack's personas, in its account if that is known."""
    account, resource = arn.split(":")[4:6]
    return resource.startswith(f"role/{settings.prefix}/") and settings.account_id in (None, account)


def _check_teams(binding: Binding, field: str, settings: Settings) -> None:
    scope = settings.access.scope_of(binding.persona)
    field = f"{field}.teams"
    if scope is not Scope.TEAM:
        if binding.teams is not None:
            what = "works on all teams" if scope is Scope.ALL_TEAMS else "works on no team's data"
            raise RefusedError(f"is given, and {binding.persona} {what}", "remove it", field=field)
        return
    if binding.teams is None:
        raise RefusedError(
            f"is missing: {binding.persona} works on the data of a team",
            "list teams, or write all",
            field=field,
        )
    for team in () if binding.teams == ALL else binding.teams:
        if team not in settings.teams:
            meant = closest(team, settings.teams)
            raise RefusedError(
                "is not one of this environment's teams",
                f'write "{meant}", or add it to teams' if meant else "add it to teams, or remove it",
                field=field,
                value=team,
            )


def _check_machines(binding: Binding, field: str, settings: Settings) -> None:
    """A machine works for one team; of what reaches further, a person with MFA is asked for."""
    scope = settings.access.scope_of(binding.persona)
    for kind in binding.trust.machines if scope is not Scope.TEAM else ():
        raise RefusedError(
            f"gives {binding.persona}, of scope {scope.value}, to machines, which work for one team",
            "remove it, or bind a persona of scope team",
            field=f"{field}.trust.{kind}",
        )


def _check_accounts(binding: Binding, field: str, settings: Settings) -> None:
    """Refuse principals of other accounts that nothing ties to this binding, where the own one is known.

    Of another account's principals the other account's administrators decide: who holds the name, what its
    tag `team` says. So the id agreed on with them is asked for, and they never choose among all teams.
    """
    own, trust = settings.account_id, binding.trust
    if own is None:
        return
    if trust.saml and trust.saml.provider.split(":")[4] != own:
        raise RefusedError(
            f"is not in this account ({own}), as the provider of a role's sign-in must be",
            "make the provider in this account",
            field=f"{field}.trust.saml.provider",
            value=trust.saml.provider,
        )
    principals = trust.account_principals
    for arn in principals.arns if principals else ():
        if arn.split(":")[4] == own or principals is None:
            continue
        if principals.external_id is None:
            raise RefusedError(
                f"is in another account than this environment ({own})",
                "give external_id, an id agreed on with that account's owner",
                field=f"{field}.trust.account_principals.arns",
                value=arn,
            )
        if settings.access.mode is Mode.SESSION_TAGS and binding.teams == ALL:
            raise RefusedError(
                "is in another account, whose administrators would choose among all teams",
                "list the teams of this binding",
                field=f"{field}.trust.account_principals.arns",
                value=arn,
            )


def _check_users(settings: Settings) -> None:
    """IAM takes names that differ in case only for one, so two groups would fight over one user."""
    seen: dict[str, str] = {}
    for field, user in _listed_users(settings):
        first = seen.setdefault(user.casefold(), user)
        if first != user:
            raise RefusedError(
                f"and {first!r} are one user to IAM", "write the name in one way", field=field, value=user
            )


def _listed_users(settings: Settings) -> Iterator[tuple[str, str]]:
    for position, binding in enumerate(settings.access.bindings):
        for user in binding.trust.iam_group.users if binding.trust.iam_group else ():
            yield f"access.bindings.{position}.trust.iam_group.users", user


def _check_number(settings: Settings) -> None:
    """Count roles before they are made: a thousand teams would make many."""
    made = len(SERVICE_ROLES) + sum(_count(binding, settings) for binding in settings.access.bindings)
    if made > ROLES:
        fix = (
            'switch access.mode to "session_tags"'
            if settings.access.mode is Mode.ROLES
            else "list fewer teams for machines, which get a role for each team, or use more accounts"
        )
        raise RefusedError(
            f"makes {made:,} roles with those of the stack, and an account takes {ROLES:,}",
            fix,
            field="access.bindings",
            hidden=True,
        )


def _count(binding: Binding, settings: Settings) -> int:
    if binding.teams is None:
        return 1
    teams = len(settings.teams if binding.teams == ALL else binding.teams)
    if settings.access.mode is Mode.ROLES:
        return teams
    kinds = [kind for kind in type(binding.trust).model_fields if getattr(binding.trust, kind)]
    people = len(kinds) > len(binding.trust.machines)
    return int(people) + (teams if binding.trust.machines else 0)


def _check_bound_once(made: tuple[Role, ...]) -> None:
    first: dict[tuple[str, str | None], Role] = {}
    for role in made:
        other = first.setdefault((role.persona, role.team), role)
        if other is not role:
            whose = f"{role.persona} of team {role.team}" if role.team else role.persona
            raise RefusedError(
                f"binds {whose} a second time: access.bindings[{other.binding}] makes the role {role.name}",
                "put the two into one binding, or take the team out of one of them"
                if role.team
                else "put the two into one binding: it is one role, with one trust policy",
                field=f"access.bindings.{role.binding}.persona",
                value=role.persona,
            )


def _check_names(made: tuple[Role, ...], settings: Settings) -> None:
    """Refuse names that are too long, and two roles or groups of one name."""
    owners = {f"{settings.prefix}-{name}": "a role of the stack itself" for name in SERVICE_ROLES}
    for role in made:
        field, whose = f"access.bindings.{role.binding}.persona", _whose(role.persona, role.team)
        if len(role.name) > MAX_ROLE_NAME:
            raise RefusedError(
                f"makes the role name {role.name}, {len(role.name) - MAX_ROLE_NAME} characters too long",
                f"shorten the persona's, team's, project's or environment's name: IAM takes {MAX_ROLE_NAME}",
                field=field,
                value=role.persona,
            )
        if role.name in owners:
            raise RefusedError(
                f"makes the role name {role.name} for {whose}, which is {owners[role.name]}",
                "rename the persona or the team",
                field=field,
                value=role.persona,
            )
        owners[role.name] = f"also that of {whose}"
    _check_group_names(made)


def _check_group_names(made: tuple[Role, ...]) -> None:
    owners: dict[str, Role] = {}
    for role in made:
        for group in role.groups:
            other = owners.setdefault(group.name, role)
            if other is not role:
                raise RefusedError(
                    f"makes the group name {group.name}, which is also one of persona {other.persona}",
                    "rename the persona or the team",
                    field=f"access.bindings.{role.binding}.persona",
                    value=role.persona,
                )


def _whose(persona: str, team: str | None) -> str:
    return f"team {team} and persona {persona}" if team else f"persona {persona}"


def _check_descriptions(made: tuple[Role, ...]) -> None:
    for role in made:
        if len(role.description) > MAX_DESCRIPTION:
            raise RefusedError(
                f"makes a role description of {len(role.description)} characters, and IAM takes {MAX_DESCRIPTION}",
                "shorten its instead_of_mfa",
                field=f"access.bindings.{role.binding}.trust",
            )


def _check_groups(made: tuple[Role, ...]) -> None:
    groups = [group for role in made for group in role.groups]
    if len(groups) > MAX_GROUPS:
        raise RefusedError(
            f"makes {len(groups)} groups, one a team and persona, and an account takes {MAX_GROUPS}",
            "bind identity_center, saml or oidc instead of iam_group, or list fewer teams",
            field="access.bindings",
            hidden=True,
        )
    memberships = Counter(user for group in groups for user in group.users)
    for user, number in memberships.items():
        if number > MAX_GROUPS_A_USER:
            raise RefusedError(
                f"puts user {user} into {number} groups, and IAM takes {MAX_GROUPS_A_USER} a user",
                "list the user for fewer teams and personas, or bind identity_center, saml or oidc",
                field="access.bindings",
                hidden=True,
            )
