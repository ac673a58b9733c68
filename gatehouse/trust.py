"""Trust entries: what a binding says of its principals, as the trust policy's template takes it.

Each entry makes one statement of ``templates/policies/roles/trust.json.j2``. The presets of machines are
written out here as the OpenID Connect claims that they stand for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from gatehouse.access_settings import (
    AccountPrincipals,
    Eks,
    GithubActions,
    IdentityCenter,
    Oidc,
    Saml,
    Service,
    TerraformCloud,
    Trust,
)

#: Services that tell for which account they assume a role. EC2 and Lambda do not, and the condition would
#: shut them out; a role is passed to them within its own account only (iam:PassRole crosses no account).
#: Sources: SageMaker Developer Guide and ECS Developer Guide, "confused deputy"; prowler-cloud/prowler#2810.
NAMING_THEIR_ACCOUNT = frozenset({Service.SAGEMAKER, Service.ECS_TASKS})
_MACHINE = "a machine"


@dataclass(frozen=True)
class SessionTags:
    """The session tag ``team`` that the caller must pass: one of ``teams``, or any where that is None."""

    teams: tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One statement of a trust policy, named ``sid``; ``kind`` is the name of its template.

    ``instead_of_mfa`` is empty where MFA is asked for. ``session`` is None where no tag may be passed.
    """

    kind: ClassVar[str]
    sid: str
    instead_of_mfa: str = ""
    session: SessionTags | None = None

    @property
    def tags_apart(self) -> bool:
        """Whether sts:TagSession needs a statement without the conditions of the sign-in itself.

        AWS documents no sts:ExternalId and, of SAML, only saml:aud for it (Service Authorization Reference).
        """
        return False


@dataclass(frozen=True, kw_only=True)
class AccountEntry(Entry):
    """IAM roles and users by ARN."""

    kind = "account_principals"
    arns: tuple[str, ...]
    mfa: bool
    external_id: str | None

    @property
    def tags_apart(self) -> bool:
        """See :class:`Entry`."""
        return self.session is not None and self.external_id is not None


@dataclass(frozen=True, kw_only=True)
class GroupEntry(Entry):
    """IAM users of the account: ``users``, each with its path, or where there are none whoever IAM lets in."""

    kind = "iam_group"
    users: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SamlEntry(Entry):
    """People whom a SAML provider signs in."""

    kind = "saml"
    provider: str
    assurance: tuple[str, ...]

    @property
    def tags_apart(self) -> bool:
        """See :class:`Entry`."""
        return self.session is not None and bool(self.assurance)


@dataclass(frozen=True, kw_only=True)
class OidcEntry(Entry):
    """Whoever has a token of an OpenID Connect provider with these claims."""

    kind = "oidc"
    issuer: str
    audiences: tuple[str, ...]
    subjects: tuple[str, ...]
    amr: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PermissionSetEntry(Entry):
    """People with a permission set of IAM Identity Center."""

    kind = "identity_center"
    permission_sets: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ServiceEntry(Entry):
    """AWS services; ``names_account`` tells whether they say for which account they call."""

    kind = "services"
    services: tuple[Service, ...]
    names_account: bool

    @property
    def principals(self) -> list[str]:
        """Names of the services as principals."""
        return [f"{service.value}.amazonaws.com" for service in self.services]


def people(
    trust: Trust, teams: tuple[str, ...] | None, *, session_tags: bool, user_path: str
) -> tuple[Entry, ...]:
    """Return the entries of the kinds of principal that are people.

    With ``session_tags`` they pass their team, one of ``teams`` or any where that is None. ``user_path`` is the
    path at which listed IAM users are made.
    """
    session = SessionTags(teams) if session_tags else None
    found: list[Entry] = []
    if trust.account_principals:
        found.append(_account(trust.account_principals, session))
    if trust.iam_group:
        listed = tuple(f"{user_path}{user}" for user in trust.iam_group.users)
        found.append(GroupEntry(sid="IamGroup", users=listed, session=session))
    if trust.saml:
        found.append(_saml(trust.saml, session))
    if trust.oidc:
        found.append(_oidc(trust.oidc, session))
    if trust.identity_center:
        found.append(_identity_center(trust.identity_center, session))
    return tuple(found)


def machines(trust: Trust) -> tuple[Entry, ...]:
    """Return the entries of the kinds of principal that are machines; they pass no tags."""
    found: list[Entry] = []
    if trust.github_actions:
        found.append(_github(trust.github_actions))
    if trust.terraform_cloud:
        found.append(_terraform_cloud(trust.terraform_cloud))
    if trust.eks:
        found.append(_eks(trust.eks))
    found.extend(_services(trust.services))
    return tuple(found)


def _account(principals: AccountPrincipals, session: SessionTags | None) -> AccountEntry:
    return AccountEntry(
        sid="AccountPrincipals",
        arns=principals.arns,
        mfa=principals.mfa,
        external_id=principals.external_id,
        instead_of_mfa=principals.instead_of_mfa or "",
        session=session,
    )


def _saml(saml: Saml, session: SessionTags | None) -> SamlEntry:
    return SamlEntry(
        sid="Saml",
        provider=saml.provider,
        assurance=saml.assurance,
        instead_of_mfa=saml.instead_of_mfa or "the assurance in the SAML assertion",
        session=session,
    )


def _oidc(oidc: Oidc, session: SessionTags | None) -> OidcEntry:
    return OidcEntry(
        sid="Oidc",
        issuer=oidc.issuer,
        audiences=oidc.audiences,
        subjects=oidc.subjects,
        amr=oidc.amr,
        instead_of_mfa=oidc.instead_of_mfa or "the authentication methods in the token",
        session=session,
    )


def _identity_center(center: IdentityCenter, session: SessionTags | None) -> PermissionSetEntry:
    return PermissionSetEntry(
        sid="IdentityCenter",
        permission_sets=center.permission_sets,
        instead_of_mfa=center.instead_of_mfa,
        session=session,
    )


def _github(github: GithubActions) -> OidcEntry:
    # A pull request has the subject repo:ORG/REPO:pull_request, which is never listed. Source: GitHub Docs,
    # "OpenID Connect reference".
    where = [f"ref:refs/heads/{branch}" for branch in github.branches]
    where += [f"environment:{environment}" for environment in github.environments]
    return OidcEntry(
        sid="GithubActions",
        issuer="token.actions.githubusercontent.com",
        audiences=("sts.amazonaws.com",),
        subjects=tuple(f"repo:{repository}:{place}" for repository in github.repositories for place in where),
        instead_of_mfa=f"{_MACHINE}: the workflow's signed token",
    )


def _terraform_cloud(cloud: TerraformCloud) -> OidcEntry:
    # Source: HCP Terraform documentation, "Dynamic credentials with the AWS provider".
    run = f"organization:{cloud.organization}:project:{cloud.project}:workspace:{cloud.workspace}"
    return OidcEntry(
        sid="TerraformCloud",
        issuer="app.terraform.io",
        audiences=("aws.workload.identity",),
        subjects=tuple(f"{run}:run_phase:{phase.value}" for phase in cloud.run_phases),
        instead_of_mfa=f"{_MACHINE}: the run's signed token",
    )


def _eks(eks: Eks) -> OidcEntry:
    # Source: Amazon EKS User Guide, "IAM roles for service accounts".
    return OidcEntry(
        sid="Eks",
        issuer=eks.issuer,
        audiences=("sts.amazonaws.com",),
        subjects=tuple(
            f"system:serviceaccount:{account.replace('/', ':')}" for account in eks.service_accounts
        ),
        instead_of_mfa=f"{_MACHINE}: the service account's signed token",
    )


def _services(services: tuple[Service, ...]) -> Iterator[ServiceEntry]:
    for names_account, sid in ((False, "Services"), (True, "ServicesForThisAccount")):
        chosen = tuple(one for one in services if (one in NAMING_THEIR_ACCOUNT) == names_account)
        if chosen:
            yield ServiceEntry(
                sid=sid,
                services=chosen,
                names_account=names_account,
                instead_of_mfa=f"{_MACHINE}: who may run code with the role is iam:PassRole's to say",
            )
