"""The database: who reaches it, how, and what is kept."""

from __future__ import annotations

from tests.mutations.edits import added, both, drop, insert, put, removed
from tests.mutations.mutation import Mutation

DEV, PROD = "dev", "prod"
INSTANCE = "aws_db_instance.database_instance"
PARAMETERS = "aws_db_parameter_group.database_parameters"
SUBNETS = "aws_db_subnet_group.database_subnets"

MUTATIONS = (
    Mutation(
        "db-public", "the database has a public address", PROD, INSTANCE, put("publicly_accessible", True)
    ),
    Mutation(
        "db-encrypted", "the database is not encrypted", PROD, INSTANCE, put("storage_encrypted", False)
    ),
    Mutation(
        "db-encrypted-default", "encryption is left to the default", DEV, INSTANCE, drop("storage_encrypted")
    ),
    Mutation("db-key", "the database has a key of AWS", PROD, INSTANCE, drop("kms_key_id")),
    Mutation(
        "db-tls", "connections without TLS", PROD, PARAMETERS, put("parameter.0.value", "0"), (INSTANCE,)
    ),
    Mutation("db-tls-gone", "TLS is left to the default", DEV, PARAMETERS, drop("parameter.0"), (INSTANCE,)),
    Mutation(
        "db-parameters",
        "the parameters are not used",
        PROD,
        INSTANCE,
        drop("parameter_group_name"),
        (PARAMETERS,),
    ),
    Mutation(
        "db-parameters-default",
        "the parameters are those of RDS",
        DEV,
        INSTANCE,
        put("parameter_group_name", "default.postgres16"),
        (PARAMETERS,),
    ),
    Mutation(
        "db-connections",
        "nobody sees who connects",
        PROD,
        PARAMETERS,
        put("parameter.1.value", "0"),
        (INSTANCE,),
    ),
    Mutation(
        "db-public-subnets",
        "the database lies in the public subnets",
        DEV,
        SUBNETS,
        put("subnet_ids", ["${aws_subnet.network_public_0.id}", "${aws_subnet.network_public_1.id}"]),
        (INSTANCE, "aws_subnet.network_public_0", "aws_subnet.network_public_1"),
    ),
    Mutation(
        "db-private-subnets",
        "the database lies beside the servers",
        PROD,
        SUBNETS,
        put("subnet_ids", ["${aws_subnet.network_private_0.id}", "${aws_subnet.network_private_1.id}"]),
        (INSTANCE, "aws_subnet.network_private_0", "aws_subnet.network_private_1"),
    ),
    Mutation(
        "db-group",
        "the database has the servers' security group",
        PROD,
        INSTANCE,
        put("vpc_security_group_ids", ["${aws_security_group.firewall_server.id}"]),
        concerns=("aws_security_group.firewall_server",),
    ),
    Mutation(
        "db-group-more",
        "the database has one more security group",
        DEV,
        INSTANCE,
        insert("vpc_security_group_ids.1", "sg-0123456789abcdef0"),
    ),
    Mutation(
        "db-group-default",
        "the database has the default security group",
        PROD,
        INSTANCE,
        drop("vpc_security_group_ids"),
    ),
    Mutation(
        "db-password",
        "the password stands in the state",
        PROD,
        INSTANCE,
        both(drop("manage_master_user_password"), insert("password", "correct-horse-battery")),
    ),
    Mutation(
        "db-password-key",
        "the password has a key of AWS",
        DEV,
        INSTANCE,
        drop("master_user_secret_kms_key_id"),
    ),
    Mutation("db-backups", "no backups", PROD, INSTANCE, put("backup_retention_period", 0)),
    Mutation(
        "db-protected", "the database can be deleted", PROD, INSTANCE, put("deletion_protection", False)
    ),
    Mutation(
        "db-destroy", "Terraform may destroy the database", PROD, INSTANCE, drop("lifecycle.prevent_destroy")
    ),
    Mutation("db-snapshot", "no last snapshot", PROD, INSTANCE, put("skip_final_snapshot", True)),
    Mutation("db-zones", "the database is in one zone", PROD, INSTANCE, put("multi_az", False)),
    Mutation("db-logs", "its logs are not kept", PROD, INSTANCE, drop("enabled_cloudwatch_logs_exports")),
    Mutation(
        "db-statistics-key",
        "statements are kept with a key of AWS",
        PROD,
        INSTANCE,
        drop("performance_insights_kms_key_id"),
    ),
    Mutation("db-patches", "no patches", PROD, INSTANCE, put("auto_minor_version_upgrade", False)),
    Mutation("db-monitoring", "no enhanced monitoring", PROD, INSTANCE, put("monitoring_interval", 0)),
    Mutation(
        "db-old",
        "a PostgreSQL that gets no more patches",
        PROD,
        INSTANCE,
        put("engine_version", "11"),
    ),
    Mutation(
        "db-import",
        "the data come from another account's snapshot",
        DEV,
        INSTANCE,
        insert("snapshot_identifier", "arn:aws:rds:eu-west-1:444455556666:snapshot:theirs"),
    ),
    Mutation("db-parameter-group", "no parameters at all", DEV, PARAMETERS, removed, (INSTANCE,)),
    Mutation(
        "db-replica",
        "a public replica",
        PROD,
        "aws_db_instance.replica",
        added(
            replicate_source_db="${aws_db_instance.database_instance.identifier}",
            instance_class="db.t4g.micro",
            publicly_accessible=True,
            skip_final_snapshot=True,
        ),
    ),
    Mutation(
        "db-snapshot-shared",
        "a snapshot for another account",
        PROD,
        "aws_db_snapshot.shared",
        added(
            db_instance_identifier="${aws_db_instance.database_instance.identifier}",
            db_snapshot_identifier="shared",
            shared_accounts=["444455556666"],
        ),
        (INSTANCE,),
    ),
    Mutation(
        "db-export",
        "the data are exported to a bucket elsewhere",
        PROD,
        "aws_rds_export_task.away",
        added(
            export_task_identifier="away",
            source_arn="${aws_db_instance.database_instance.arn}",
            s3_bucket_name="elsewhere",
            iam_role_arn="${aws_iam_role.server_role.arn}",
            kms_key_id="${aws_kms_key.database_key.arn}",
        ),
        (INSTANCE,),
    ),
)
