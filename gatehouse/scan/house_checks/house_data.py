"""Data at rest and what is told of it: database, buckets, keys, logs, alarms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatehouse.scan.house_checks.house_reading import (
        Attributes,
        HouseCheck,
        all_refer_to,
        blocks,
        is_given,
        is_off,
        is_on,
        number,
        refers_to,
        value,
        values,
    )
else:  # Checkov has the folder on the path, not the package.
    from house_reading import (
        HouseCheck,
        all_refer_to,
        blocks,
        is_given,
        is_off,
        is_on,
        number,
        refers_to,
        value,
        values,
    )

KEY = "aws_kms_key"
#: Major versions of PostgreSQL that get patches and that MLflow's schema is supported on.
MAJORS = ("15", "16", "17")
#: Attributes that fill a new database from elsewhere than a snapshot of its own account.
ORIGINS = ("replicate_source_db", "restore_to_point_in_time", "s3_import")
#: The name of a snapshot: one that another account shares is restored by its ARN only.
_SNAPSHOT = re.compile(r"(?!arn:)[A-Za-z][A-Za-z0-9:-]{0,254}")
#: Longest time that KMS waits before it deletes a key.
DELETION_DAYS = 30
#: Any other could weaken TLS or passwords, or write queries with their data into the log.
PARAMETERS = (
    "log_connections",
    "log_disconnections",
    "log_lock_waits",
    "log_min_duration_statement",
    "rds.force_ssl",
)
#: Older attributes of a bucket, each of which now has a resource of its own.
INSIDE_A_BUCKET = (
    "acl",
    "cors_rule",
    "grant",
    "lifecycle_rule",
    "logging",
    "object_lock_configuration",
    "policy",
    "replication_configuration",
    "server_side_encryption_configuration",
    "versioning",
    "website",
)


def closed_database(database: Attributes) -> Iterator[str]:
    """The database has no public address, and is in the stack's own groups and subnets."""
    if not is_off(value(database, "publicly_accessible")):
        yield "publicly_accessible"
    if not all_refer_to(values(database, "vpc_security_group_ids"), "id", "aws_security_group"):
        yield "vpc_security_group_ids"
    subnets = value(database, "db_subnet_group_name")
    if not (
        refers_to(subnets, "name", "aws_db_subnet_group") or refers_to(subnets, "id", "aws_db_subnet_group")
    ):
        yield "db_subnet_group_name"


def own_database_key(database: Attributes) -> Iterator[str]:
    """Storage and statistics are encrypted with the stack's key; a restored database keeps its snapshot's."""
    if not is_on(value(database, "storage_encrypted")):
        yield "storage_encrypted"
    restored = is_given(database, "snapshot_identifier") and not is_given(database, "kms_key_id")
    if not restored and not refers_to(value(database, "kms_key_id"), "arn", KEY):
        yield "kms_key_id"
    if not is_off(value(database, "performance_insights_enabled")) and not refers_to(
        value(database, "performance_insights_kms_key_id"), "arn", KEY
    ):
        yield "performance_insights_kms_key_id"


def managed_password(database: Attributes) -> Iterator[str]:
    """RDS makes and rotates the password: it never stands in a file or in Terraform's state."""
    if not is_on(value(database, "manage_master_user_password")):
        yield "manage_master_user_password"
    for name in ("password", "password_wo"):
        if is_given(database, name):
            yield name
    if not refers_to(value(database, "master_user_secret_kms_key_id"), "arn", KEY):
        yield "master_user_secret_kms_key_id"


def backed_up(database: Attributes) -> Iterator[str]:
    """There are backups: of a number of days, or of a variable that is validated."""
    days = value(database, "backup_retention_period")
    fixed = number(days)
    if days is None or (fixed is not None and fixed < 1):
        yield "backup_retention_period"


def own_parameters(database: Attributes) -> Iterator[str]:
    """The database has the stack's parameters, and logs what they make it log."""
    if not refers_to(value(database, "parameter_group_name"), "name", "aws_db_parameter_group"):
        yield "parameter_group_name"
    if "postgresql" not in values(database, "enabled_cloudwatch_logs_exports"):
        yield "enabled_cloudwatch_logs_exports"


def tls_and_connections(group: Attributes) -> Iterator[str]:
    """PostgreSQL refuses a connection without TLS, and logs who connects."""
    given = [(value(one, "name"), str(value(one, "value"))) for one in blocks(group, "parameter")]
    for name in ("rds.force_ssl", "log_connections", "log_disconnections"):
        if [setting for known, setting in given if known == name] != ["1"]:
            yield f"parameter/{name}"
    for name in dict.fromkeys(str(known) for known, _ in given):
        if name not in PARAMETERS:
            yield f"parameter/{name}"


def patched_engine(database: Attributes) -> Iterator[str]:
    """The database is a PostgreSQL for which there are patches."""
    if value(database, "engine") != "postgres":
        yield "engine"
    if str(value(database, "engine_version")).partition(".")[0] not in MAJORS:
        yield "engine_version"


def own_data(database: Attributes) -> Iterator[str]:
    """A database is new, or restored from a snapshot of its own account.

    Source: Amazon RDS API Reference, RestoreDBInstanceFromDBSnapshot: a shared snapshot is named by its ARN.
    """
    snapshot = str(value(database, "snapshot_identifier"))
    if is_given(database, "snapshot_identifier") and not _SNAPSHOT.fullmatch(snapshot):
        yield "snapshot_identifier"
    for name in ORIGINS:
        if is_given(database, name):
            yield name


def bucket_alone(bucket: Attributes) -> Iterator[str]:
    """What a bucket lets happen stands in resources of its own, where it is judged."""
    for name in INSIDE_A_BUCKET:
        if is_given(bucket, name):
            yield name


def own_object_key(stored: Attributes) -> Iterator[str]:
    """An object is encrypted with the stack's key, and has no access list of its own."""
    if value(stored, "server_side_encryption") != "aws:kms":
        yield "server_side_encryption"
    if not refers_to(value(stored, "kms_key_id"), "arn", KEY):
        yield "kms_key_id"
    if is_given(stored, "acl"):
        yield "acl"


def lasting_key(key: Attributes) -> Iterator[str]:
    """A key is rotated, can be saved for a month after its deletion, and says itself who may use it."""
    if not is_on(value(key, "enable_key_rotation")):
        yield "enable_key_rotation"
    if number(value(key, "deletion_window_in_days")) != DELETION_DAYS:
        yield "deletion_window_in_days"
    if not is_given(key, "policy"):
        yield "policy"
    if not is_off(value(key, "bypass_policy_lockout_safety_check")):
        yield "bypass_policy_lockout_safety_check"
    enabled = value(key, "is_enabled")
    if enabled is not None and not is_on(enabled):
        yield "is_enabled"


def kept_logs(group: Attributes) -> Iterator[str]:
    """Logs are encrypted with the stack's key, and have an end that somebody chose."""
    if not refers_to(value(group, "kms_key_id"), "arn", KEY):
        yield "kms_key_id"
    days = value(group, "retention_in_days")
    if days is None or number(days) == 0:
        yield "retention_in_days"


def heard_alarm(alarm: Attributes) -> Iterator[str]:
    """An alarm is sent to the stack's topic."""
    if not all_refer_to(values(alarm, "alarm_actions"), "arn", "aws_sns_topic"):
        yield "alarm_actions"
    enabled = value(alarm, "actions_enabled")
    if enabled is not None and not is_on(enabled):
        yield "actions_enabled"


def own_topic_key(topic: Attributes) -> Iterator[str]:
    """The key of AWS would admit no alarm; the stack's does, and its policy is judged."""
    key = value(topic, "kms_master_key_id")
    if not (refers_to(key, "arn", KEY) or refers_to(key, "id", KEY) or refers_to(key, "key_id", KEY)):
        yield "kms_master_key_id"


DATABASE = ["aws_db_instance"]

HouseCheck("GH260", "The database can be reached from elsewhere", DATABASE, closed_database)
HouseCheck("GH261", "The database is not encrypted with the stack's key", DATABASE, own_database_key)
HouseCheck("GH262", "The database's password is not managed by RDS", DATABASE, managed_password)
HouseCheck("GH263", "The database has no backups", DATABASE, backed_up)
HouseCheck("GH264", "The database does not have the stack's parameters", DATABASE, own_parameters)
HouseCheck(
    "GH265",
    "The database takes connections without TLS, or does not log them",
    ["aws_db_parameter_group"],
    tls_and_connections,
)
HouseCheck("GH266", "A bucket's settings are inside it", ["aws_s3_bucket"], bucket_alone)
HouseCheck("GH267", "An object is not encrypted with the stack's key", ["aws_s3_object"], own_object_key)
HouseCheck("GH268", "A key can be lost, is not rotated, or has no policy", [KEY], lasting_key)
HouseCheck(
    "GH269", "Logs are without the stack's key or without end", ["aws_cloudwatch_log_group"], kept_logs
)
HouseCheck("GH270", "Nobody hears an alarm", ["aws_cloudwatch_metric_alarm"], heard_alarm)
HouseCheck("GH271", "A topic is not encrypted with the stack's key", ["aws_sns_topic"], own_topic_key)
HouseCheck("GH272", "The database's engine gets no more patches, or is not known", DATABASE, patched_engine)
HouseCheck("GH273", "The database begins with somebody else's data", DATABASE, own_data)
