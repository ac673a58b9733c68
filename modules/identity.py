"""Who may do what: the personas' policies, their boundaries, and the roles, groups and users that bindings make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cdktf_cdktf_provider_aws.iam_group import IamGroup
from cdktf_cdktf_provider_aws.iam_group_policy import IamGroupPolicy
from cdktf_cdktf_provider_aws.iam_instance_profile import IamInstanceProfile
from cdktf_cdktf_provider_aws.iam_policy import IamPolicy
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment
from cdktf_cdktf_provider_aws.iam_user import IamUser
from cdktf_cdktf_provider_aws.iam_user_group_membership import IamUserGroupMembership
from constructs import Construct

from gatehouse.bindings import Group, Role, group_policy, roles, trust_policy, user_path, users
from gatehouse.personas.model import Scope
from gatehouse.personas.render import Rendered
from gatehouse.personas.use import render_bound
from modules.api import Api
from modules.deployment import Deployment
from modules.role import Boundary
from modules.storage import Storage

#: Scope of a persona, or None for users -> the end of the boundary's name, and its template.
BOUNDARIES: Mapping[Scope | None, tuple[str, str]] = {
    Scope.TEAM: ("boundary-team", "boundaries/persona"),
    Scope.ALL_TEAMS: ("boundary-all-teams", "boundaries/persona"),
    Scope.STACK: ("boundary-operator", "boundaries/operator"),
    None: ("boundary-user", "boundaries/user"),
}


class Identity(Construct):
    """IAM as the environment file binds it.

    A persona's policies are made once and attached to each of its roles: a role differs from another in its trust and
    in its tag ``team``, never in what its policies say.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        deployment: Deployment,
        api: Api,
        storage: Storage,
    ) -> None:
        """Make what the bindings ask for."""
        super().__init__(scope, id_)
        self._deployment = deployment
        self._names = deployment.names(
            api=api.stage_arn, api_logs=api.execution_log_group.name, storage_key=storage.key.arn
        )
        self._boundaries: dict[str, Boundary] = {}
        personas = render_bound(deployment.settings, deployment.folder, self._names)
        policies = {each.persona.name: self._make_policies(each) for each in personas}
        scopes = {each.persona.name: each.persona.scope for each in personas}
        #: Role name -> ARN, in the order of the bindings.
        self.role_arns: dict[str, str] = {}
        groups: dict[str, list[str]] = {name: [] for name in users(deployment.settings)}
        for role in roles(deployment.settings):
            made = self._make_role(role, scopes[role.persona], policies[role.persona])
            self.role_arns[role.name] = made.arn
            for group in role.groups:
                name = self._make_group(role, group, made)
                for user in group.users:
                    groups[user].append(name)
        for user, joined in groups.items():
            self._make_user(user, joined)

    def _make_policies(self, rendered: Rendered) -> list[IamPolicy]:
        persona = rendered.persona
        return [
            IamPolicy(
                self,
                f"{persona.name}{document.suffix}",
                name=f"{self._deployment.prefix}-{persona.name}{document.suffix}",
                path=f"/{self._deployment.prefix}/{persona.name}/",
                description=f"{persona.name}: {persona.description}",
                policy=document.text,
            )
            for document in rendered.documents
        ]

    def _boundary(self, kind: Scope | None) -> Boundary:
        """Return the boundary of the roles of a scope, or, for None, of users; it is made when first asked for."""
        name, template = BOUNDARIES[kind]
        if name not in self._boundaries:
            values = self._names.values(kind) if kind else {}
            self._boundaries[name] = Boundary(
                self, name, deployment=self._deployment, name=name, template=template, **values
            )
        return self._boundaries[name]

    def _make_role(self, role: Role, scope: Scope, policies: Sequence[IamPolicy]) -> IamRole:
        deployment = self._deployment
        id_ = role.name.removeprefix(f"{deployment.prefix}-")
        made = IamRole(
            self,
            f"{id_}-role",
            name=role.name,
            path=role.path,
            description=role.description,
            permissions_boundary=self._boundary(scope).arn,
            max_session_duration=role.max_session_seconds,
            assume_role_policy=trust_policy(role, account=deployment.account, region=deployment.region),
            tags=dict(role.tags) or None,
        )
        for number, policy in enumerate(policies, start=1):
            IamRolePolicyAttachment(self, f"{id_}-policy-{number}", role=made.name, policy_arn=policy.arn)
        if role.instance_profile:
            IamInstanceProfile(self, f"{id_}-profile", name=role.name, path=role.path, role=made.name)
        return made

    def _make_group(self, role: Role, group: Group, made: IamRole) -> str:
        id_ = group.name.removeprefix(f"{self._deployment.prefix}-")
        name = IamGroup(self, f"{id_}-group", name=group.name, path=group.path).name
        IamGroupPolicy(
            self,
            f"{id_}-group-policy",
            name="assume",
            group=name,
            policy=group_policy(role, group, account=self._deployment.account),
            depends_on=[made],
        )
        return name

    def _make_user(self, name: str, groups: Sequence[str]) -> None:
        # No password, no access key: they would be in Terraform's state. Whoever looks after IAM users gives them.
        user = IamUser(
            self,
            f"{name}-user",
            name=name,
            path=user_path(self._deployment.settings),
            permissions_boundary=self._boundary(None).arn,
            # AWS keeps a user who has a password or an MFA device, and to be of use a user needs both.
            force_destroy=True,
        )
        IamUserGroupMembership(self, f"{name}-groups", user=user.name, groups=list(groups))
