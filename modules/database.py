"""The database: PostgreSQL on RDS in isolated subnets, encrypted, TLS only, password managed by RDS."""

from __future__ import annotations

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.db_instance import DbInstance
from cdktf_cdktf_provider_aws.db_parameter_group import DbParameterGroup, DbParameterGroupParameter
from cdktf_cdktf_provider_aws.db_subnet_group import DbSubnetGroup
from constructs import Construct

from modules.deployment import Deployment
from modules.key import Key
from modules.log_group import LogGroup
from modules.network import POSTGRESQL_PORT, Placement
from modules.role import ServiceRole
from modules.security_group import SecurityGroup

DATABASE_NAME = "mlflow"
MASTER_USER = "mlflow"
MONITORING_INTERVAL_SECONDS = 60
INSIGHTS_RETENTION_DAYS = 7
#: Values without a unit are RDS's own; the first makes the server refuse a connection without TLS.
PARAMETERS = {
    "rds.force_ssl": "1",
    "log_connections": "1",
    "log_disconnections": "1",
    "log_lock_waits": "1",
    "log_min_duration_statement": "5000",
}


class Database(Construct):
    """One PostgreSQL instance, with a standby where the environment asks for it."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        deployment: Deployment,
        placement: Placement,
        security_group: SecurityGroup,
        log_key: Key,
        monitoring_role: ServiceRole,
    ) -> None:
        """Make the instance, its key, parameter group, subnet group and log group."""
        super().__init__(scope, id_)
        settings, variables = deployment.settings.database, deployment.variables
        identifier = deployment.prefix
        self.key = Key(
            self,
            "key",
            deployment=deployment,
            purpose="database",
            description="database and its secret",
        )
        subnets = DbSubnetGroup(
            self,
            "subnets",
            name=identifier,
            description=f"Isolated subnets of {identifier}",
            subnet_ids=placement.database_subnet_ids,
        )
        parameters = DbParameterGroup(
            self,
            "parameters",
            # A major upgrade needs the new family's group beside the old one, so the family is in the name.
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
            name=f"{identifier}-{settings.parameter_group_family}",
            family=settings.parameter_group_family,
            description=f"TLS only, connections logged: {identifier}",
            parameter=[
                DbParameterGroupParameter(name=name, value=value) for name, value in PARAMETERS.items()
            ],
        )
        # RDS would make these groups itself, without our key and without end.
        log_groups = [
            LogGroup(
                self,
                f"{kind}-logs",
                deployment=deployment,
                name=f"/aws/rds/instance/{identifier}/{kind}",
                key=log_key,
            )
            for kind in ("postgresql", "upgrade")
        ]
        permission = monitoring_role.grant("database-monitoring")
        restored = settings.snapshot_identifier is not None
        self._instance = DbInstance(
            self,
            "instance",
            identifier=identifier,
            engine="postgres",
            engine_version=settings.engine_version,
            instance_class=variables.database_instance_class,
            allocated_storage=variables.database_storage_gb,
            max_allocated_storage=variables.database_max_storage_gb,
            storage_type="gp3",
            storage_encrypted=True,
            # A restored database keeps its snapshot's key; RDS takes no other when it restores.
            kms_key_id=None if restored else self.key.arn,
            # A snapshot brings its own database and master user; RDS refuses both with one.
            db_name=None if restored else DATABASE_NAME,
            username=None if restored else MASTER_USER,
            snapshot_identifier=settings.snapshot_identifier,
            manage_master_user_password=True,
            master_user_secret_kms_key_id=self.key.arn,
            port=POSTGRESQL_PORT,
            multi_az=settings.multi_az,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[security_group.id],
            publicly_accessible=False,
            parameter_group_name=parameters.name,
            backup_retention_period=variables.backup_retention_days,
            copy_tags_to_snapshot=True,
            # Kept backups would be encrypted with a key that the same destroy schedules for deletion.
            delete_automated_backups=True,
            deletion_protection=settings.deletion_protection,
            skip_final_snapshot=not settings.final_snapshot,
            final_snapshot_identifier=variables.final_snapshot_name,
            auto_minor_version_upgrade=True,
            # A major upgrade is asked for by a new engine_version in the environment file, and not otherwise.
            allow_major_version_upgrade=True,
            enabled_cloudwatch_logs_exports=["postgresql", "upgrade"],
            performance_insights_enabled=True,
            performance_insights_kms_key_id=self.key.arn,
            performance_insights_retention_period=INSIGHTS_RETENTION_DAYS,
            monitoring_interval=MONITORING_INTERVAL_SECONDS,
            monitoring_role_arn=monitoring_role.arn,
            # Both can be set at creation only: a change of either would replace the database by an empty one.
            lifecycle=deployment.keep("snapshot_identifier", "kms_key_id"),
            depends_on=[permission, *(group.resource for group in log_groups)],
        )
        self.identifier = identifier
        self.host = self._instance.address
        self.secret_arn = self._instance.master_user_secret.get(0).secret_arn
