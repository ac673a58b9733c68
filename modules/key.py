"""A KMS key with rotation, an alias, and a policy that separates administration from use."""

from __future__ import annotations

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.kms_alias import KmsAlias
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from constructs import Construct

from gatehouse.policies import Kind
from modules.deployment import Deployment


class Key(Construct):
    """A customer-managed key; its policy is ``templates/policies/keys/<purpose>.json.j2``.

    The policy names roles by ARN in a condition rather than as principals: a key policy with a principal that
    does not exist is refused, and one whose role was made anew points at a dead id.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        deployment: Deployment,
        purpose: str,
        description: str,
        log_groups: Sequence[str] = (),
        readers: Sequence[str] = (),
        writers: Sequence[str] = (),
    ) -> None:
        """Make the key and its alias ``alias/PREFIX-PURPOSE``.

        ``log_groups`` are the name patterns that the policy of the key for logs admits; ``readers`` and ``writers``
        the ARN patterns of roles that the policy of the key for artifacts admits.
        """
        super().__init__(scope, id_)
        key = KmsKey(
            self,
            "resource",
            description=f"{deployment.prefix}: {description}",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            lifecycle=deployment.keep(),
            policy=deployment.policy(
                f"keys/{purpose}",
                Kind.KEY,
                log_groups=list(log_groups),
                readers=list(readers),
                writers=list(writers),
            ),
        )
        KmsAlias(self, "alias", name=f"alias/{deployment.prefix}-{purpose}", target_key_id=key.key_id)
        self.arn = key.arn
        self.resource = key
