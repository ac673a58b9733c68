"""An IAM role for an AWS service, under the stack's permissions boundary."""

from __future__ import annotations

from cdktf_cdktf_provider_aws.iam_policy import IamPolicy
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from constructs import Construct

from gatehouse.policies import Kind
from modules.deployment import Deployment


class Boundary(Construct):
    """The most that some principals of this stack can ever do: a permissions boundary, not a grant."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        deployment: Deployment,
        name: str,
        template: str,
        **values: object,
    ) -> None:
        """Make the managed policy ``PREFIX-NAME`` from a template, filled with ``values``."""
        super().__init__(scope, id_)
        self.arn = IamPolicy(
            self,
            "resource",
            name=f"{deployment.prefix}-{name}",
            description=f"Permissions boundary of {deployment.prefix}",
            policy=deployment.policy(template, Kind.MANAGED, **values),
        ).arn


#: Service -> what its role is for, and whether its calls name the account they are made for (EC2's do not).
SERVICES: dict[str, tuple[str, bool]] = {
    "apigateway.amazonaws.com": ("API Gateway: write the logs of this region's APIs", False),
    "ec2.amazonaws.com": ("MLflow servers: read artifacts and the database secret, write logs", False),
    "monitoring.rds.amazonaws.com": ("RDS: write enhanced monitoring", True),
    "vpc-flow-logs.amazonaws.com": ("VPC: write flow logs", True),
}


class ServiceRole(Construct):
    """A role that one AWS service assumes, with one inline policy from ``templates/policies/roles``.

    The policy is a separate step (:meth:`grant`), because what it names is often made after the role.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        deployment: Deployment,
        boundary: Boundary,
        name: str,
        service: str,
        source_arn: str | None = None,
    ) -> None:
        """Make the role ``PREFIX-NAME`` for a service of :data:`SERVICES`.

        The trust is narrowed to calls made for this account, and for ``source_arn`` where given, if the service
        says for whom it calls.
        """
        super().__init__(scope, id_)
        self._deployment = deployment
        description, names_account = SERVICES[service]
        self._role = IamRole(
            self,
            "resource",
            name=deployment.role_name(name),
            description=description,
            permissions_boundary=boundary.arn,
            max_session_duration=3600,
            assume_role_policy=deployment.policy(
                "roles/trust-service",
                Kind.TRUST,
                service=service,
                source_account=deployment.account if names_account else None,
                source_arn=source_arn,
            ),
        )
        self.arn = self._role.arn
        self.name = self._role.name

    def grant(self, template: str, **values: object) -> IamRolePolicy:
        """Attach the inline policy ``roles/<template>``."""
        return IamRolePolicy(
            self,
            "policy",
            name=template,
            role=self._role.id,
            policy=self._deployment.policy(f"roles/{template}", Kind.INLINE, **values),
        )
