"""What every construct of one stack shares: the settings, the account, the tunables and the names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cdktf import TerraformResourceLifecycle

from gatehouse.personas.render import Names
from gatehouse.personas.use import ArtifactUse, render_bound
from gatehouse.policies import REFERENCE, Kind, render_policy
from gatehouse.quotas import ACCOUNT_LENGTH, API_ID_LENGTH
from gatehouse.settings import Settings
from modules.variables import Variables

#: Name of the API's one stage. It is part of every ARN of a request, and so of each line of a persona's policy: a
#: short one leaves room for the routes, whatever the environment is called.
STAGE = "api"


@dataclass(frozen=True)
class Deployment:
    """One stack's settings and the names that follow from them.

    Names are strings made from the settings, never attributes read back from resources: so a policy can name a
    role that does not exist yet, and no cycle forms between keys, roles and buckets.
    """

    settings: Settings
    folder: Path
    """Where the environment file is: its persona templates are named relative to it."""
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

    @property
    def operations_document(self) -> str:
        """Name of the session document with what operators may run on the servers."""
        return f"{self.prefix}-operations"

    @property
    def web_acl_log_group(self) -> str:
        """Name of the log group of what stands before a regional API; AWS WAF wants it to start so."""
        return f"aws-waf-logs-{self.prefix}"

    @property
    def scaling_group(self) -> str:
        """Name of the servers' scaling group."""
        return f"{self.prefix}-server"

    @property
    def personas(self) -> str:
        """ARN pattern of the roles of all personas: no other role of the account is under this path."""
        return f"arn:aws:iam::{self.account}:role/{self.prefix}/*"

    def persona_arns(self, names: Iterable[str]) -> list[str]:
        """ARN patterns of the roles of some personas, in every team and both modes."""
        return [f"arn:aws:iam::{self.account}:role/{self.prefix}/{name}/*" for name in names]

    def names(self, *, api: str, api_logs: str, storage_key: str) -> Names:
        """Return what the personas' policies name.

        ``api`` is the ARN of the API's stage, ``api_logs`` its log group, ``storage_key`` the artifacts' key.
        """
        return Names(
            region=self.region,
            account=self.account,
            prefix=self.prefix,
            api=api,
            artifact_bucket=self.bucket_name("artifacts"),
            storage_key=storage_key,
            operations_document=self.operations_document,
            scaling_group=self.scaling_group,
            log_groups=(self.log_group_name("*"), api_logs),
            lengths=self._lengths(api),
        )

    @cached_property
    def artifact_use(self) -> ArtifactUse:
        """What the bound personas do with artifacts: their templates say so before API and key are made."""
        place = f"{self.region}:{self.account}"
        names = self.names(
            api=f"arn:aws:execute-api:{place}:not-yet-known/{STAGE}",
            api_logs="not-yet-known",
            storage_key=f"arn:aws:kms:{place}:key/not-yet-known",
        )
        return ArtifactUse.of(render_bound(self.settings, self.folder, names))

    def _lengths(self, *texts: str) -> Mapping[str, int]:
        """Characters of the references whose values are ids: the account's, and in ``texts`` an API's."""
        ids = {found: API_ID_LENGTH for text in texts for found in REFERENCE.findall(text)}
        return {**ids, self.account: ACCOUNT_LENGTH}

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
        common: dict[str, object] = {
            "account": self.account,
            "region": self.region,
            "prefix": self.prefix,
            "metric_namespace": self.metric_namespace,
            "artifact_bucket": self.bucket_name("artifacts"),
            "server_bucket": self.bucket_name("server"),
            "server_role": self.role_arn("server"),
            "deployer_roles": list(self.settings.deployer_role_arns),
            "personas": self.personas,
            "scaling_group": self.scaling_group,
        }
        return render_policy(template, kind, lengths=self._lengths(), **{**common, **values})
