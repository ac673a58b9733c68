"""Object storage: the artifacts, the files that servers boot from, and the access logs."""

from __future__ import annotations

from constructs import Construct

from modules.bucket import Bucket
from modules.deployment import Deployment
from modules.key import Key

#: Days to keep a replaced boot file or wheel; running servers do not read them again.
SERVER_FILE_VERSION_DAYS = 30
#: Access logs are written once; a noncurrent version only appears when somebody overwrites one.
LOG_VERSION_DAYS = 30
#: Where the load balancer's access log is in the bucket of access logs; the buckets' are under their purposes.
LOAD_BALANCER_PREFIX = "load-balancer"


class Storage(Construct):
    """Three buckets and the key of the first two."""

    def __init__(self, scope: Construct, id_: str, *, deployment: Deployment) -> None:
        """Make the buckets, their policies and access logging."""
        super().__init__(scope, id_)
        use = deployment.artifact_use
        self.key = Key(
            self,
            "key",
            deployment=deployment,
            purpose="storage",
            description="artifacts and server files",
            readers=deployment.persona_arns(use.readers),
            writers=deployment.persona_arns(use.writers),
        )
        self.artifacts = Bucket(
            self,
            "artifacts",
            deployment=deployment,
            purpose="artifacts",
            key=self.key,
            noncurrent_version_days=deployment.variables.noncurrent_version_days,
        )
        self.server_files = Bucket(
            self,
            "server-files",
            deployment=deployment,
            purpose="server",
            key=self.key,
            noncurrent_version_days=SERVER_FILE_VERSION_DAYS,
        )
        # S3 delivers its access logs only to buckets encrypted with SSE-S3 (S3 User Guide, "Enabling Amazon S3
        # server access logging"): with a KMS key they would be dropped without a word.
        self.access_logs = Bucket(
            self,
            "access-logs",
            deployment=deployment,
            purpose="access-logs",
            key=None,
            noncurrent_version_days=LOG_VERSION_DAYS,
            expiration_days=deployment.variables.access_log_days,
            # S3 logs Terraform's own calls as well, so this bucket is never empty when it is destroyed.
            disposable=not deployment.protected,
        )
        logged = (self.artifacts, self.server_files)
        #: What must be there before somebody else's log is delivered to the bucket.
        self.logs_policy = self.access_logs.restrict(
            sources=[bucket.arn for bucket in logged], load_balancer_prefix=LOAD_BALANCER_PREFIX
        )
        self.artifacts.restrict(
            every_team=[deployment.role_arn("server"), *deployment.persona_arns(use.every_team)],
            deleters=deployment.persona_arns(use.deleters),
            endpoints=list(deployment.settings.artifacts.vpc_endpoint_ids),
        )
        self.server_files.restrict()
        for bucket in logged:
            bucket.log_access_to(self.access_logs, after=self.logs_policy)
