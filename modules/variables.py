"""Terraform variables: what an operator tunes without a new synthesis.

What is proved about a stack (teams, networks, policies) is baked in at synthesis; what is tuned (sizes, counts,
days, the certificate) is a variable whose default comes from the environment file.
"""

from __future__ import annotations

from collections.abc import Callable

from cdktf import Fn, IResolvable, Op, TerraformVariable
from constructs import Construct

from gatehouse.fields import LOG_RETENTION_DAYS
from gatehouse.settings import Settings

#: Workers times engines times pool with overflow, and the launcher's own (templates/server/launcher.py).
CONNECTIONS_PER_SERVER = 50


class Variables:
    """The stack's variables, each with description, type, default and validation.

    They are made in the stack's own scope, so that ``-var`` and tfvars files use their plain names.
    """

    def __init__(self, scope: Construct, *, settings: Settings) -> None:
        """Make every variable in ``scope``, which is the stack."""
        self._scope = scope
        server, database, artifacts = settings.server, settings.database, settings.artifacts
        self.instance_type = self._text(
            "instance_type",
            f"EC2 instance type of the servers; its processors must be {server.architecture}.",
            server.instance_type,
            pattern=_instance_types(server.architecture),
            error=f"Use an EC2 instance type with {server.architecture} processors.",
        )
        self.server_min_size = self._number(
            "server_min_size", "Fewest servers.", server.min_size, least=1, most=50
        )
        self.server_max_size = self._number(
            "server_max_size",
            "Most servers.",
            server.max_size,
            least=1,
            most=50,
            rule=lambda most: Op.gte(most, self.server_min_size),
            error="Keep server_min_size <= server_desired_capacity <= server_max_size.",
        )
        self.server_desired_capacity = self._number(
            "server_desired_capacity",
            "Servers to start with; target tracking moves the number afterwards.",
            server.desired_capacity,
            least=1,
            most=50,
            rule=lambda desired: Op.and_(
                Op.gte(desired, self.server_min_size), Op.lte(desired, self.server_max_size)
            ),
            error="Keep server_min_size <= server_desired_capacity <= server_max_size.",
        )
        self.root_volume_gb = self._number(
            "root_volume_gb", "Root volume of a server in GB.", server.root_volume_gb, least=10, most=500
        )
        self.database_instance_class = self._text(
            "database_instance_class",
            "RDS instance class.",
            database.instance_class,
            pattern=r"^db[.][a-z][a-z0-9-]*[.][a-z0-9]+$",
            error="Use an RDS instance class such as db.t4g.micro.",
        )
        self.database_storage_gb = self._number(
            "database_storage_gb",
            "Database storage to start with in GB.",
            database.storage_gb,
            least=20,
            most=16384,
        )
        self.database_max_storage_gb = self._number(
            "database_max_storage_gb",
            "Limit in GB up to which the database storage grows by itself.",
            database.max_storage_gb,
            least=22,
            most=65536,
            rule=lambda limit: Op.gte(Op.mul(limit, 10), Op.mul(self.database_storage_gb, 11)),
            error="Use at least a tenth more than database_storage_gb.",
        )
        self.backup_retention_days = self._number(
            "backup_retention_days",
            "Days to keep automated database backups.",
            database.backup_retention_days,
            least=1,
            most=35,
        )
        self.database_connections_alarm = self._number(
            "database_connections_alarm",
            "Database connections above which the alarm fires; the default is what all servers together may open.",
            settings.server.max_size * CONNECTIONS_PER_SERVER,
            least=1,
            most=100_000,
        )
        self.final_snapshot_name = self._snapshot_name(settings) if database.final_snapshot else None
        self.noncurrent_version_days = self._number(
            "noncurrent_version_days",
            "Days to keep an artifact after it was overwritten or deleted.",
            artifacts.noncurrent_version_days,
            least=1,
            most=3650,
        )
        self.access_log_days = self._number(
            "access_log_days",
            "Days to keep the access logs of the buckets and of the load balancer.",
            artifacts.access_log_days,
            least=1,
            most=3650,
        )
        self.log_retention_days = self._retention(settings.logs.retention_days)
        self.requests_per_second = self._number(
            "requests_per_second",
            "Steady rate of the API in requests a second, over all callers.",
            settings.api.throttle.requests_per_second,
            least=1,
            most=10000,
        )
        self.request_burst = self._number(
            "request_burst",
            "Requests above the steady rate that the API lets through at once.",
            settings.api.throttle.burst,
            least=1,
            most=5000,
        )
        self.certificate_arn = self._certificate(settings)

    def _variable(self, name: str, type_: str, description: str, default: object) -> TerraformVariable:
        # Not nullable: an explicit null means the default, not an unset argument of some resource.
        return TerraformVariable(
            self._scope, name, type=type_, description=description, default=default, nullable=False
        )

    def _snapshot_name(self, settings: Settings) -> str:
        return self._text(
            "final_snapshot_name",
            "Name of the snapshot taken when the database is deleted; choose another if it exists already.",
            f"{settings.prefix}-final",
            pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
            error="Use a-z, 0-9 and single hyphens, starting with a letter.",
        )

    def _certificate(self, settings: Settings) -> str | None:
        if settings.api.certificate_arn is None:
            return None
        return self._text(
            "certificate_arn",
            f"ACM certificate of the load balancer, for the name {settings.api.domain}.",
            settings.api.certificate_arn,
            pattern=rf"^arn:aws:acm:{settings.region}:[0-9]{{12}}:certificate/[0-9a-f-]+$",
            error=f"Use the ARN of an ACM certificate in {settings.region}.",
        )

    def _text(self, name: str, description: str, default: str, *, pattern: str, error: str) -> str:
        variable = self._variable(name, "string", description, default)
        variable.add_validation(
            condition=Fn.can(Fn.regex(Fn.raw_string(pattern), variable.string_value)), error_message=error
        )
        return variable.string_value

    def _number(
        self,
        name: str,
        description: str,
        default: int,
        *,
        least: int,
        most: int,
        rule: Callable[[float], IResolvable] | None = None,
        error: str = "",
    ) -> float:
        variable = self._variable(name, "number", description, default)
        value = variable.number_value
        whole = Op.eq(value, Fn.floor(value))
        variable.add_validation(
            condition=Op.and_(whole, Op.and_(Op.gte(value, least), Op.lte(value, most))),
            error_message=f"Use a whole number from {least} to {most}.",
        )
        if rule is not None:
            variable.add_validation(condition=rule(value), error_message=error)
        return value

    def _retention(self, default: int) -> float:
        variable = self._variable("log_retention_days", "number", "Days to keep logs.", default)
        days = list(LOG_RETENTION_DAYS)
        variable.add_validation(
            condition=Fn.contains(days, variable.number_value),
            error_message=f"CloudWatch Logs offers {', '.join(map(str, days))}.",
        )
        return variable.number_value


def _instance_types(architecture: str) -> str:
    """Return a pattern of the instance types with that architecture (RE2: no look-ahead).

    A dot is written ``[.]``: a backslash would have to be doubled once for Terraform and once for JSON.
    """
    if architecture == "arm64":
        return r"^(a1|[a-z]+[0-9]+g[a-z]*)[.][a-z0-9-]+$"
    return r"^[a-z-]+[0-9]+([a-fh-z][a-z]*)?(-[a-z0-9]+)*[.][a-z0-9-]+$"
