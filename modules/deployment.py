"""What every construct of one stack shares: the settings, the account, the tunables and the names."""

from __future__ import annotations

from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle

from gatehouse.policies import Kind, render_policy
from gatehouse.settings import Settings
from modules.variables import Variables


@dataclass(frozen=True)
class Deployment:
    """One stack's settings and the names that follow from them.

    Names are strings made from the settings, never attributes read back from resources: so a policy can name a
    role that does not exist yet, and no cycle forms between keys, roles and buckets.
    """

    settings: Settings
    account: str
    """Twelve digits, or a reference to the caller's account where the settings name none."""
    variables: Variables

    @property
    def prefix(self) -> str:
        """ "PROJECT-ENVIRONMENT", the start of every name."""
        return self.settings.prefix

    @property
    def region(self) -> str:
        """AWS region."""
        return self.settings.region

    @property
    def metric_namespace(self) -> str:
        """CloudWatch namespace of this stack's own metrics."""
        return f"Gatehouse/{self.prefix}"

    @property
    def protected(self) -> bool:
        """Whether Terraform refuses to destroy what holds data: database, artifacts, and the keys of both."""
        return self.settings.database.deletion_protection

    def keep(self, *ignore_changes: str) -> TerraformResourceLifecycle | None:
        """Return the lifecycle of a resource that holds data.

        A destroy that AWS would stop half-way (at a bucket with objects, say) has by then removed policies and
        scheduled keys for deletion; refused by Terraform, it stops before it begins.
        """
        if not self.protected and not ignore_changes:
            return None
        return TerraformResourceLifecycle(
            prevent_destroy=self.protected or None, ignore_changes=list(ignore_changes) or None
        )

    def role_name(self, role: str) -> str:
        """Name of one of this stack's roles."""
        return f"{self.prefix}-{role}"

    def role_arn(self, role: str) -> str:
        """ARN of one of this stack's roles."""
        return f"arn:aws:iam::{self.account}:role/{self.role_name(role)}"

    def bucket_name(self, purpose: str) -> str:
        """Name of one of this stack's buckets; account and region make it the only one of its name."""
        return f"{self.prefix}-{purpose}-{self.account}-{self.region}"

    def log_group_name(self, source: str) -> str:
        """Name of one of this stack's own log groups."""
        return f"/gatehouse/{self.prefix}/{source}"

    def policy(self, template: str, kind: Kind, **values: object) -> str:
        """Render a policy template with the values that all templates may use, and those given."""
        return render_policy(
            template,
            kind,
            account=self.account,
            region=self.region,
            prefix=self.prefix,
            metric_namespace=self.metric_namespace,
            artifact_bucket=self.bucket_name("artifacts"),
            server_bucket=self.bucket_name("server"),
            server_role=self.role_arn("server"),
            deployer_roles=list(self.settings.deployer_role_arns),
            **values,
        )
