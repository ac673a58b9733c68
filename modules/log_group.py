"""A CloudWatch log group, encrypted with the stack's key, with the stack's retention."""

from __future__ import annotations

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from constructs import Construct

from modules.deployment import Deployment
from modules.key import Key


class LogGroup(Construct):
    """A log group; ``name`` is known at synthesis unless it holds a reference."""

    def __init__(self, scope: Construct, id_: str, *, deployment: Deployment, name: str, key: Key) -> None:
        """Make the log group ``name``, which the policy of ``key`` must admit."""
        super().__init__(scope, id_)
        self.name = name
        self.resource = CloudwatchLogGroup(
            self,
            "resource",
            name=name,
            kms_key_id=key.arn,
            retention_in_days=deployment.variables.log_retention_days,
        )
        self.arn = self.resource.arn
