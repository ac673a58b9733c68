"""An S3 bucket with all that is not an option: versions, encryption, TLS, lifecycle, nothing public."""

from __future__ import annotations

from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from cdktf_cdktf_provider_aws.s3_bucket_lifecycle_configuration import (
    S3BucketLifecycleConfiguration,
    S3BucketLifecycleConfigurationRule,
    S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload,
    S3BucketLifecycleConfigurationRuleExpiration,
    S3BucketLifecycleConfigurationRuleFilter,
    S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration,
)
from cdktf_cdktf_provider_aws.s3_bucket_logging import S3BucketLoggingA
from cdktf_cdktf_provider_aws.s3_bucket_notification import S3BucketNotification
from cdktf_cdktf_provider_aws.s3_bucket_ownership_controls import (
    S3BucketOwnershipControls,
    S3BucketOwnershipControlsRule,
)
from cdktf_cdktf_provider_aws.s3_bucket_policy import S3BucketPolicy
from cdktf_cdktf_provider_aws.s3_bucket_public_access_block import S3BucketPublicAccessBlock
from cdktf_cdktf_provider_aws.s3_bucket_server_side_encryption_configuration import (
    S3BucketServerSideEncryptionConfigurationA,
    S3BucketServerSideEncryptionConfigurationRuleA,
    S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA,
)
from cdktf_cdktf_provider_aws.s3_bucket_versioning import (
    S3BucketVersioningA,
    S3BucketVersioningVersioningConfiguration,
)
from constructs import Construct

from gatehouse.policies import Kind
from modules.deployment import Deployment
from modules.key import Key

INCOMPLETE_UPLOAD_DAYS = 7


class Bucket(Construct):
    """A private, versioned, encrypted bucket; its policy is ``policies/buckets/<purpose>.json.j2``."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        deployment: Deployment,
        purpose: str,
        key: Key | None,
        noncurrent_version_days: float,
        expiration_days: float | None = None,
        disposable: bool = False,
    ) -> None:
        """Make the bucket ``PREFIX-PURPOSE-ACCOUNT-REGION``.

        Without ``key`` it is encrypted with S3's own key (SSE-S3). ``expiration_days`` deletes current
        objects after that time; left out, they stay. A ``disposable`` bucket is emptied when it is destroyed.
        """
        super().__init__(scope, id_)
        self._deployment, self._purpose, self._key = deployment, purpose, key
        self.name = deployment.bucket_name(purpose)
        self.resource = S3Bucket(
            self,
            "resource",
            bucket=self.name,
            force_destroy=disposable or None,
            lifecycle=None if disposable else deployment.keep(),
            # Destroyed before its key: a bucket that still holds objects keeps the key that reads them.
            depends_on=[key.resource] if key else None,
        )
        self.id = self.resource.id
        self.arn = f"arn:aws:s3:::{self.name}"
        self._public_access = S3BucketPublicAccessBlock(
            self,
            "public-access",
            bucket=self.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
        )
        S3BucketOwnershipControls(
            self,
            "ownership",
            bucket=self.id,
            rule=S3BucketOwnershipControlsRule(object_ownership="BucketOwnerEnforced"),
        )
        self.versioning = S3BucketVersioningA(
            self,
            "versioning",
            bucket=self.id,
            versioning_configuration=S3BucketVersioningVersioningConfiguration(status="Enabled"),
        )
        # Whoever watches the account writes an EventBridge rule; until then S3 tells nobody.
        S3BucketNotification(self, "notification", bucket=self.id, eventbridge=True)
        self.encryption = self._encrypt(key)
        self._add_lifecycle(noncurrent_version_days, expiration_days)

    def restrict(self, **values: object) -> S3BucketPolicy:
        """Attach the bucket policy, its template filled with ``values``."""
        return S3BucketPolicy(
            self,
            "policy",
            bucket=self.id,
            policy=self._deployment.policy(
                f"buckets/{self._purpose}",
                Kind.BUCKET,
                bucket=self.arn,
                key=self._key.arn if self._key else None,
                **values,
            ),
            # S3 weighs a new policy against the public access block: one after the other, not at once.
            depends_on=[self._public_access],
        )

    def log_access_to(self, logs: Bucket, *, after: S3BucketPolicy) -> None:
        """Have S3 deliver this bucket's access log to ``logs``, whose policy ``after`` admits that."""
        S3BucketLoggingA(
            self,
            "logging",
            bucket=self.id,
            target_bucket=logs.id,
            target_prefix=f"{self._purpose}/",
            depends_on=[after],
        )

    def _encrypt(self, key: Key | None) -> S3BucketServerSideEncryptionConfigurationA:
        default = S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA(
            sse_algorithm="aws:kms" if key else "AES256", kms_master_key_id=key.arn if key else None
        )
        rule = S3BucketServerSideEncryptionConfigurationRuleA(
            apply_server_side_encryption_by_default=default, bucket_key_enabled=True if key else None
        )
        return S3BucketServerSideEncryptionConfigurationA(self, "encryption", bucket=self.id, rule=[rule])

    def _add_lifecycle(self, noncurrent_version_days: float, expiration_days: float | None) -> None:
        expiration = (
            S3BucketLifecycleConfigurationRuleExpiration(days=expiration_days)
            if expiration_days is not None
            else S3BucketLifecycleConfigurationRuleExpiration(expired_object_delete_marker=True)
        )
        rule = S3BucketLifecycleConfigurationRule(
            id="retention",
            status="Enabled",
            filter=[S3BucketLifecycleConfigurationRuleFilter(prefix="")],
            abort_incomplete_multipart_upload=[
                S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload(
                    days_after_initiation=INCOMPLETE_UPLOAD_DAYS
                )
            ],
            expiration=[expiration],
            noncurrent_version_expiration=[
                S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration(
                    noncurrent_days=noncurrent_version_days
                )
            ],
        )
        # Rules on noncurrent versions are refused while versioning is not yet on.
        S3BucketLifecycleConfiguration(
            self, "lifecycle", bucket=self.id, rule=[rule], depends_on=[self.versioning]
        )
