"""The MLflow servers: launch template, scaling group, and the files that an instance boots from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cdktf import Fn, ITerraformDependable, TerraformLocal, TerraformResourceLifecycle, Token
from cdktf_cdktf_provider_aws.autoscaling_group import (
    AutoscalingGroup,
    AutoscalingGroupInitialLifecycleHook,
    AutoscalingGroupInstanceRefresh,
    AutoscalingGroupInstanceRefreshPreferences,
    AutoscalingGroupLaunchTemplate,
    AutoscalingGroupTag,
)
from cdktf_cdktf_provider_aws.autoscaling_policy import (
    AutoscalingPolicy,
    AutoscalingPolicyTargetTrackingConfiguration,
    AutoscalingPolicyTargetTrackingConfigurationPredefinedMetricSpecification,
)
from cdktf_cdktf_provider_aws.iam_instance_profile import IamInstanceProfile
from cdktf_cdktf_provider_aws.launch_template import (
    LaunchTemplate,
    LaunchTemplateBlockDeviceMappings,
    LaunchTemplateBlockDeviceMappingsEbs,
    LaunchTemplateIamInstanceProfile,
    LaunchTemplateMetadataOptions,
    LaunchTemplateMonitoring,
    LaunchTemplateNetworkInterfaces,
    LaunchTemplateTagSpecifications,
)
from cdktf_cdktf_provider_aws.s3_object import (
    S3Object,
    S3ObjectOverrideProvider,
    S3ObjectOverrideProviderDefaultTags,
)
from constructs import Construct

from gatehouse import quotas
from gatehouse.fields import SERVER_FILES
from gatehouse.policies import escape, render_file
from gatehouse.settings import PackageSource
from modules.database import DATABASE_NAME, Database
from modules.deployment import STAGE, Deployment
from modules.key import Key
from modules.load_balancer import SERVER_PORT, LoadBalancer
from modules.log_group import LogGroup
from modules.network import POSTGRESQL_PORT, Placement
from modules.role import ServiceRole
from modules.security_group import HTTPS, SecurityGroup
from modules.storage import Storage

CPU_TARGET_PERCENT = 60
WARMUP_SECONDS = 60
#: From the lifecycle hook's end, when MLflow answers, to the load balancer's first verdict.
HEALTH_CHECK_GRACE_SECONDS = 300
#: A first boot waits up to 30 minutes for the wheelhouse, installs MLflow and upgrades the schema.
BOOT_SECONDS = 2700
BOOT_HOOK = "boot"
#: Where user data puts the boot files.
BOOT_FOLDER = "/opt/gatehouse"
#: The boot file that is made from the settings: a team a line.
TEAMS_FILE = "teams.txt"


@dataclass(frozen=True)
class BootFile:
    """A file that an instance fetches at boot and checks against its SHA-256 before using it."""

    name: str
    content: str

    @property
    def sha256(self) -> str:
        """Hex digest of the content in UTF-8."""
        return hashlib.sha256(self.content.encode()).hexdigest()

    @property
    def key(self) -> str:
        """Object key; it holds the digest, so a new version never replaces what a running group boots from."""
        return f"boot/{self.sha256}/{self.name}"


class Server(Construct):
    """The scaling group of MLflow servers over the private subnets."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        deployment: Deployment,
        placement: Placement,
        security_group: SecurityGroup,
        role: ServiceRole,
        storage: Storage,
        database: Database,
        load_balancer: LoadBalancer,
        log_key: Key,
        after: Sequence[ITerraformDependable],
    ) -> None:
        """Make the group; ``after`` is what an instance needs to boot: its ways to AWS and the internet."""
        super().__init__(scope, id_)
        self._deployment = deployment
        self.server_log_group, self.boot_log_group = (
            LogGroup(self, id_, deployment=deployment, name=deployment.log_group_name(source), key=log_key)
            for id_, source in (("logs", "server"), ("boot-logs", "boot"))
        )
        permission = role.grant(
            "server",
            storage_key=storage.key.arn,
            database_key=database.key.arn,
            database_secret=database.secret_arn,
            log_groups=[self.server_log_group.name, self.boot_log_group.name],
        )
        files = self._boot_files()
        objects = [self._upload(file, storage) for file in files]
        user_data = render_file(
            "server/user_data.sh.j2",
            quota=quotas.USER_DATA,
            region=deployment.region,
            bucket=storage.server_files.name,
            files=files,
            environment=self._environment(database, load_balancer),
        )
        template = self._launch_template(security_group, role, user_data)
        group = self._scaling_group(placement, template, load_balancer, [permission, *objects, *after])
        AutoscalingPolicy(
            self,
            "cpu",
            name=f"{deployment.prefix}-cpu",
            autoscaling_group_name=group.name,
            policy_type="TargetTrackingScaling",
            target_tracking_configuration=AutoscalingPolicyTargetTrackingConfiguration(
                target_value=CPU_TARGET_PERCENT,
                predefined_metric_specification=AutoscalingPolicyTargetTrackingConfigurationPredefinedMetricSpecification(
                    predefined_metric_type="ASGAverageCPUUtilization"
                ),
            ),
        )
        self.group_name = group.name

    @property
    def _tags(self) -> dict[str, str]:
        return {**self._deployment.settings.stack_tags, "Name": self._deployment.scaling_group}

    def _boot_files(self) -> list[BootFile]:
        settings = self._deployment.settings
        sources = {
            "bootstrap.sh": "bootstrap.sh",
            "cloudwatch-agent.json": "cloudwatch-agent.json",
            "launcher.py": "launcher.py",
            "mlflow.service": "mlflow.service",
            "rds-ca.pem": f"rds-ca/{settings.region}.pem",
            "requirements.txt": f"requirements/{settings.server.mlflow_version}.txt",
            "sitecustomize.py": "sitecustomize.py",
        }
        return [
            *(
                BootFile(name, (SERVER_FILES / source).read_text(encoding="utf-8"))
                for name, source in sources.items()
            ),
            # Not in user data, which would hold some hundred names.
            BootFile(TEAMS_FILE, "".join(f"{team}\n" for team in settings.teams)),
        ]

    def _environment(self, database: Database, load_balancer: LoadBalancer) -> dict[str, str]:
        deployment, settings = self._deployment, self._deployment.settings
        environment = {
            "GATEHOUSE_REGION": deployment.region,
            "GATEHOUSE_DATABASE_HOST": database.host,
            "GATEHOUSE_DATABASE_PORT": str(POSTGRESQL_PORT),
            "GATEHOUSE_DATABASE_NAME": DATABASE_NAME,
            "GATEHOUSE_DATABASE_SECRET_ARN": database.secret_arn,
            "GATEHOUSE_DATABASE_CA_FILE": f"{BOOT_FOLDER}/rds-ca.pem",
            "GATEHOUSE_ARTIFACT_ROOT": f"s3://{deployment.bucket_name('artifacts')}",
            "GATEHOUSE_ALLOWED_HOSTS": f"{load_balancer.host},{load_balancer.host}:{HTTPS}",
            "GATEHOUSE_API_STAGE": STAGE,
            "GATEHOUSE_PORT": str(SERVER_PORT),
            "GATEHOUSE_TEAMS_FILE": f"{BOOT_FOLDER}/{TEAMS_FILE}",
            "GATEHOUSE_PACKAGE_SOURCE": settings.server.package_source.value,
            "GATEHOUSE_SERVER_LOG_GROUP": self.server_log_group.name,
            "GATEHOUSE_BOOT_LOG_GROUP": self.boot_log_group.name,
            "GATEHOUSE_METRIC_NAMESPACE": deployment.metric_namespace,
            "GATEHOUSE_SCALING_GROUP": self._deployment.scaling_group,
            "GATEHOUSE_BOOT_HOOK": BOOT_HOOK,
        }
        if settings.server.package_source is PackageSource.WHEELHOUSE:
            version = settings.server.mlflow_version
            environment["GATEHOUSE_WHEELHOUSE"] = (
                f"s3://{deployment.bucket_name('server')}/wheelhouse/{version}/"
            )
        return environment

    def _upload(self, file: BootFile, storage: Storage) -> S3Object:
        bucket = storage.server_files
        return S3Object(
            self,
            f"boot-{file.name}",
            bucket=bucket.id,
            key=file.key,
            content=escape(file.content),
            content_type="text/plain; charset=utf-8",
            server_side_encryption="aws:kms",
            kms_key_id=storage.key.arn,
            bucket_key_enabled=True,
            # S3 takes ten tags an object; the environment file may have more.
            override_provider=S3ObjectOverrideProvider(
                default_tags=S3ObjectOverrideProviderDefaultTags(tags={})
            ),
            # The new file is there before the launch template names it, the old one until nothing does.
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
            depends_on=[bucket.encryption, bucket.versioning],
        )

    def _launch_template(
        self, security_group: SecurityGroup, role: ServiceRole, user_data: str
    ) -> LaunchTemplate:
        deployment, settings = self._deployment, self._deployment.settings
        image = (
            f"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{settings.server.architecture}"
        )
        profile = IamInstanceProfile(self, "profile", name=role.name, role=role.name)
        return LaunchTemplate(
            self,
            "template",
            name=f"{deployment.prefix}-server",
            description=f"MLflow server of {deployment.prefix}",
            # Resolved when an instance starts: new instances have the newest patches, and a new image of Amazon
            # Linux does not turn somebody's unrelated apply into a rolling replacement.
            image_id=f"resolve:ssm:{image}",
            instance_type=deployment.variables.instance_type,
            update_default_version=True,
            iam_instance_profile=LaunchTemplateIamInstanceProfile(arn=profile.arn),
            metadata_options=LaunchTemplateMetadataOptions(
                http_endpoint="enabled",
                http_tokens="required",
                http_put_response_hop_limit=1,
                instance_metadata_tags="disabled",
            ),
            monitoring=LaunchTemplateMonitoring(enabled=True),
            network_interfaces=[
                LaunchTemplateNetworkInterfaces(
                    device_index=0,
                    associate_public_ip_address="false",
                    delete_on_termination="true",
                    security_groups=[security_group.id],
                )
            ],
            block_device_mappings=[
                LaunchTemplateBlockDeviceMappings(
                    device_name="/dev/xvda",
                    ebs=LaunchTemplateBlockDeviceMappingsEbs(
                        volume_type="gp3",
                        volume_size=deployment.variables.root_volume_gb,
                        encrypted="true",
                        delete_on_termination="true",
                    ),
                )
            ],
            tag_specifications=[
                LaunchTemplateTagSpecifications(resource_type=kind, tags=self._tags)
                for kind in ("instance", "volume", "network-interface")
            ],
            user_data=Fn.base64encode(TerraformLocal(self, "user-data", user_data).as_string),
        )

    def _scaling_group(
        self,
        placement: Placement,
        template: LaunchTemplate,
        load_balancer: LoadBalancer,
        after: Sequence[ITerraformDependable],
    ) -> AutoscalingGroup:
        variables = self._deployment.variables
        return AutoscalingGroup(
            self,
            "group",
            name=self._deployment.scaling_group,
            min_size=variables.server_min_size,
            max_size=variables.server_max_size,
            desired_capacity=variables.server_desired_capacity,
            vpc_zone_identifier=placement.server_subnet_ids,
            target_group_arns=[load_balancer.target_group_arn],
            launch_template=AutoscalingGroupLaunchTemplate(
                id=template.id, version=Token.as_string(template.latest_version)
            ),
            health_check_type="ELB",
            health_check_grace_period=HEALTH_CHECK_GRACE_SECONDS,
            default_instance_warmup=WARMUP_SECONDS,
            # An instance counts, and replaces another, once its own boot says that MLflow answers. One that does
            # not say so in time is given up.
            initial_lifecycle_hook=[
                AutoscalingGroupInitialLifecycleHook(
                    name=BOOT_HOOK,
                    lifecycle_transition="autoscaling:EC2_INSTANCE_LAUNCHING",
                    default_result="ABANDON",
                    heartbeat_timeout=BOOT_SECONDS,
                )
            ],
            # The wheelhouse is filled after the bucket is made, so Terraform must not wait for a first instance.
            wait_for_capacity_timeout="0",
            instance_refresh=AutoscalingGroupInstanceRefresh(
                strategy="Rolling",
                preferences=AutoscalingGroupInstanceRefreshPreferences(
                    # New servers first, old ones afterwards: a group of one serves without a gap.
                    min_healthy_percentage=100,
                    max_healthy_percentage=200,
                    instance_warmup=str(WARMUP_SECONDS),
                    auto_rollback=False,
                ),
            ),
            enabled_metrics=["GroupDesiredCapacity", "GroupInServiceInstances", "GroupTotalInstances"],
            # The provider's default tags do not reach a group; its instances are tagged by the launch template.
            tag=[
                AutoscalingGroupTag(key=key, value=value, propagate_at_launch=False)
                for key, value in sorted(self._tags.items())
            ],
            # After creation the number belongs to target tracking; Terraform would set it back at every apply.
            lifecycle=TerraformResourceLifecycle(ignore_changes=["desired_capacity"]),
            depends_on=after,
        )
