"""The section ``access`` of the environment file: who may be which persona in which team.

A binding gives a persona, in some teams, to the principals that its trust names. What a binding lacks or
contradicts in itself is refused here; rules over several bindings are in :mod:`gatehouse.access_rules`.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from gatehouse.fields import (
    DISTINCT,
    Claim,
    CloudProject,
    EksIssuer,
    ExternalId,
    GitBranch,
    GithubEnvironment,
    GithubRepository,
    Model,
    Name,
    OidcIssuer,
    Organization,
    PermissionSet,
    PrincipalArn,
    RefusedError,
    RoleText,
    SamlProviderArn,
    ServiceAccount,
    Teams,
    TemplatePath,
    UserName,
    WorkspaceName,
)
from gatehouse.invariant_settings import OwnInvariant
from gatehouse.personas.model import BUILT_IN, Scope
from gatehouse.problems import closest

#: Personas whose work asks for a person with MFA; no machine becomes one. Approval by a pipeline that people
#: approved is a legitimate wish, so a model-approver may be one that proves what it runs, not a bare service.
NOT_FOR_MACHINES = frozenset({"team-admin", "platform-admin", "operator", "auditor"})
NOT_FOR_SERVICES = NOT_FOR_MACHINES | {"model-approver"}
#: Host of issuers whose tokens are machines' -> the kind that knows their claims, and the personas that they may be.
PRESETS = {
    r"token\.actions\.githubusercontent\.com": "github_actions",
    r"app\.terraform\.io": "terraform_cloud",
    r"oidc\.eks\.[a-z0-9-]+\.amazonaws\.com": "eks",
}
#: Signs in guests without authentication as well. Source: Amazon Cognito Developer Guide, "Identity pools".
ANONYMOUS = "cognito-identity.amazonaws.com"
_SAY_INSTEAD = 'write in one sentence what stands in its place, like "Okta asks for a security key"'


class Mode(StrEnum):
    """How a session comes by its team."""

    ROLES = "roles"
    SESSION_TAGS = "session_tags"


class PersonaChange(Model):
    """A persona added, or a built-in one changed."""

    template: TemplatePath | None = None
    """Policy template of the persona, relative to this file's folder."""
    scope: Annotated[Scope, Field(strict=False)] | None = None
    """Whose data an added persona works on: "team", "all_teams", or "stack" for none of MLflow's."""
    description: RoleText | None = None
    """What the persona may do, in one sentence; it becomes part of its roles' description."""
    session_hours: Annotated[int | None, Field(ge=1, le=12)] = None
    """Hours that a session may last, 1 to 12."""


class AccountPrincipals(Model):
    """IAM roles and users, each by its ARN."""

    arns: Annotated[tuple[PrincipalArn, ...], Field(strict=False, min_length=1), DISTINCT]
    """Roles and users that may assume the role."""
    mfa: bool = True
    """Ask for a session that began with MFA."""
    external_id: ExternalId | None = None
    """Id that callers must pass; without one, principals of another account are never let in."""
    instead_of_mfa: RoleText | None = None
    """What stands in the place of MFA where mfa is false, in one sentence."""

    @model_validator(mode="after")
    def _mfa_or_reason(self) -> AccountPrincipals:
        if not self.mfa and self.instead_of_mfa is None:
            raise RefusedError("is missing while mfa is false", _SAY_INSTEAD, field="instead_of_mfa")
        if self.mfa and self.instead_of_mfa is not None:
            raise RefusedError(
                "contradicts mfa, which is asked for",
                "remove it, or set mfa to false",
                field="instead_of_mfa",
            )
        for arn in self.arns:
            if ":role/aws-reserved/" in arn:
                raise RefusedError(
                    "is a role whose ARN changes when AWS makes it anew",
                    "name the permission set under identity_center",
                    field="arns",
                    value=arn,
                )
        return self


class IamGroup(Model):
    """IAM users by a group that is made for each team, with MFA."""

    users: Annotated[tuple[UserName, ...], Field(strict=False), DISTINCT] = ()
    """IAM users to make and put into the groups, and the only ones let in; empty: IAM decides who is."""


class Saml(Model):
    """Whom a SAML provider of this account signs in."""

    provider: SamlProviderArn
    """The provider's ARN."""
    assurance: Annotated[tuple[Claim, ...], Field(strict=False), DISTINCT] = ()
    """Values of the attribute eduPersonAssurance, one of which must be there."""
    instead_of_mfa: RoleText | None = None
    """What stands in the place of MFA, which AWS cannot see, in one sentence."""

    @model_validator(mode="after")
    def _assured(self) -> Saml:
        if not self.assurance and self.instead_of_mfa is None:
            raise RefusedError(
                "is missing: AWS does not see whether a SAML session began with MFA",
                f"{_SAY_INSTEAD}, or list assurance",
                field="instead_of_mfa",
            )
        return self


class Oidc(Model):
    """Whom an OpenID Connect provider of this account signs in."""

    issuer: OidcIssuer
    """The issuer's URL without https://; machines that have a kind of their own are bound by that."""
    audiences: Annotated[tuple[Claim, ...], Field(strict=False, min_length=1), DISTINCT]
    """Client ids, one of which the token must be for."""
    subjects: Annotated[tuple[Claim, ...], Field(strict=False, min_length=1), DISTINCT]
    """Subjects, one of which the token must be of."""
    amr: Annotated[tuple[Claim, ...], Field(strict=False), DISTINCT] = ()
    """Values of the claim amr (authentication methods), one of which must be there, such as "mfa"."""
    instead_of_mfa: RoleText | None = None
    """What stands in the place of MFA, which AWS cannot see, in one sentence."""

    @model_validator(mode="after")
    def _of_people(self) -> Oidc:
        host = self.issuer.partition("/")[0]
        for pattern, kind in PRESETS.items():
            if re.fullmatch(pattern, host):
                raise RefusedError(
                    "signs machines in, and oidc is for people",
                    f"use {kind}",
                    field="issuer",
                    value=self.issuer,
                )
        if host == ANONYMOUS:
            raise RefusedError(
                "signs anybody in, also without authentication",
                "name the provider that people sign in with, such as cognito-idp.REGION.amazonaws.com/POOL",
                field="issuer",
                value=self.issuer,
            )
        return self

    @model_validator(mode="after")
    def _assured(self) -> Oidc:
        if not self.amr and self.instead_of_mfa is None:
            raise RefusedError(
                "is missing: AWS does not see whether an OIDC session began with MFA",
                f"{_SAY_INSTEAD}, or list amr",
                field="instead_of_mfa",
            )
        return self


class IdentityCenter(Model):
    """Whoever has a permission set of IAM Identity Center in this account."""

    permission_sets: Annotated[tuple[PermissionSet, ...], Field(strict=False, min_length=1), DISTINCT]
    """Names of permission sets."""
    instead_of_mfa: RoleText
    """What stands in the place of MFA, which AWS cannot see, in one sentence."""


class GithubActions(Model):
    """Workflows of GitHub Actions; the account needs the provider token.actions.githubusercontent.com."""

    repositories: Annotated[tuple[GithubRepository, ...], Field(strict=False, min_length=1), DISTINCT]
    """Repositories, as organization/name, or organization@id/name@id where tokens carry ids."""
    branches: Annotated[tuple[GitBranch, ...], Field(strict=False), DISTINCT] = ()
    """Branches whose workflows may assume the role."""
    environments: Annotated[tuple[GithubEnvironment, ...], Field(strict=False), DISTINCT] = ()
    """GitHub environments whose jobs may assume the role."""

    @model_validator(mode="after")
    def _narrowed(self) -> GithubActions:
        if not (self.branches or self.environments):
            raise RefusedError(
                "is missing, and so is environments: every pull request would be let in",
                "list branches, environments or both",
                field="branches",
            )
        return self


class RunPhase(StrEnum):
    """Part of a run in Terraform Cloud."""

    PLAN = "plan"
    APPLY = "apply"


class TerraformCloud(Model):
    """Runs of one workspace in Terraform Cloud; the account needs the provider app.terraform.io."""

    organization: Organization
    """The organization."""
    project: CloudProject
    """The project that the workspace is in."""
    workspace: WorkspaceName
    """The workspace."""
    run_phases: Annotated[
        tuple[Annotated[RunPhase, Field(strict=False)], ...], Field(strict=False, min_length=1), DISTINCT
    ]
    """Phases of a run that may assume the role: "plan", "apply"."""


class Eks(Model):
    """Kubernetes service accounts; the account needs the cluster's OIDC provider."""

    issuer: EksIssuer
    """The cluster's OIDC issuer without https://."""
    service_accounts: Annotated[tuple[ServiceAccount, ...], Field(strict=False, min_length=1), DISTINCT]
    """Service accounts, each as namespace/name."""


class Service(StrEnum):
    """An AWS service that runs the user's own code with a role."""

    EC2 = "ec2"
    SAGEMAKER = "sagemaker"
    LAMBDA = "lambda"
    ECS_TASKS = "ecs-tasks"


class Trust(Model):
    """Who may assume the role: at least one kind of principal."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    account_principals: AccountPrincipals | None = None
    """IAM roles and users by ARN."""
    iam_group: IamGroup | None = None
    """A group for each team, whose members may assume the role with MFA."""
    saml: Saml | None = None
    """People that a SAML provider signs in."""
    oidc: Oidc | None = None
    """People that an OpenID Connect provider signs in."""
    identity_center: IdentityCenter | None = None
    """People with a permission set of IAM Identity Center."""
    github_actions: GithubActions | None = None
    """Workflows of GitHub Actions."""
    terraform_cloud: TerraformCloud | None = None
    """Runs in Terraform Cloud."""
    eks: Eks | None = None
    """Kubernetes service accounts of an EKS cluster."""
    services: Annotated[
        tuple[Annotated[Service, Field(strict=False)], ...], Field(strict=False), DISTINCT
    ] = ()
    """AWS services that run your code with the role: "ec2", "sagemaker", "lambda", "ecs-tasks"."""

    @model_validator(mode="after")
    def _somebody(self) -> Trust:
        if not any(getattr(self, kind) for kind in type(self).model_fields):
            raise RefusedError(
                "is empty: nobody could assume the role",
                f"name principals under one of {', '.join(type(self).model_fields)}",
            )
        return self

    @property
    def machines(self) -> tuple[str, ...]:
        """Kinds given here that are no people, presets before services."""
        return tuple(
            kind for kind in ("github_actions", "terraform_cloud", "eks", "services") if getattr(self, kind)
        )


class Binding(Model):
    """A persona given to principals, in some teams."""

    persona: Name
    """Name of a built-in persona or of one in access.personas."""
    teams: Teams | None = None
    """Teams by name, or "all"; left out for a persona that works on no single team."""
    trust: Trust
    """Who may assume the role: at least one kind of principal."""

    @model_validator(mode="after")
    def _people_where_asked_for(self) -> Binding:
        for kind in self.trust.machines:
            if self.persona in (NOT_FOR_SERVICES if kind == "services" else NOT_FOR_MACHINES):
                raise RefusedError(
                    f"gives {self.persona} to machines, and its work asks for a person with MFA",
                    "remove it, or bind ci-pipeline or model-server",
                    field=f"trust.{kind}",
                )
        if isinstance(self.teams, tuple):
            for team in self.teams:
                if self.teams.count(team) > 1:
                    raise RefusedError("is named twice", "name each team once", field="teams", value=team)
        return self


class Access(Model):
    """Who may do what; without bindings nobody may do anything."""

    mode: Annotated[Mode, Field(strict=False)] = Mode.ROLES
    """"roles": one role a team and persona; "session_tags": one a persona, sign-in passes the team."""
    personas: Annotated[
        dict[Name, PersonaChange], Field(json_schema_extra={"additionalProperties": False})
    ] = Field(default={})
    """Personas to add, or built-in ones to change."""
    bindings: Annotated[tuple[Binding, ...], Field(strict=False)] = ()
    """Who may be which persona in which team."""
    invariants: Annotated[tuple[OwnInvariant, ...], Field(strict=False)] = ()
    """What nobody may do, to be proved beside what is proved of every stack."""

    @model_validator(mode="after")
    def _invariants_of_personas(self) -> Access:
        known = [*BUILT_IN, *self.personas]
        names = [one.name for one in self.invariants]
        for position, one in enumerate(self.invariants):
            if names.count(one.name) > 1:
                raise RefusedError(
                    "is the name of two invariants",
                    "name each differently",
                    field=f"invariants.{position}.name",
                    value=one.name,
                )
            for field in ("personas", "except_personas"):
                for name in getattr(one.who, field):
                    if name not in known:
                        meant = closest(name, known)
                        raise RefusedError(
                            f"is no persona; there are {', '.join(known)}",
                            f'write "{meant}"' if meant else "use one of them",
                            field=f"invariants.{position}.who.{field}",
                            value=name,
                        )
        return self

    @model_validator(mode="after")
    def _known_personas(self) -> Access:
        for name, change in self.personas.items():
            _check_change(name, change)
        known = [*BUILT_IN, *self.personas]
        for position, binding in enumerate(self.bindings):
            if binding.persona not in known:
                meant = closest(binding.persona, known)
                raise RefusedError(
                    f"is no persona; there are {', '.join(known)}",
                    f'write "{meant}"' if meant else "use one of them, or add it to access.personas",
                    field=f"bindings.{position}.persona",
                    value=binding.persona,
                )
        return self

    def scope_of(self, persona: str) -> Scope:
        """Return whose data the persona works on."""
        built_in, change = BUILT_IN.get(persona), self.personas.get(persona)
        scope = built_in.scope if built_in else change.scope if change else None
        if scope is None:  # pragma: no cover - the validator has seen to it
            raise AssertionError
        return scope


def _check_change(name: str, change: PersonaChange) -> None:
    if name in BUILT_IN:
        if change.scope is not None:
            raise RefusedError(
                f"cannot be changed: {name} is built in, with scope {BUILT_IN[name].scope.value}",
                "remove it, or add a persona of another name",
                field=f"personas.{name}.scope",
                value=change.scope.value,
            )
        return
    for field in ("template", "scope", "description"):
        if getattr(change, field) is None:
            meant = closest(name, BUILT_IN)
            either = f', or write "{meant}" if that built-in persona was meant' if meant else ""
            raise RefusedError(
                f"is missing: {name} is not built in",
                f"give template, scope and description{either}",
                field=f"personas.{name}.{field}",
            )
