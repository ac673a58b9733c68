"""Keys: who uses them, through what, and for how long."""

from __future__ import annotations

from tests.mutations.edits import (
    added,
    changed,
    condition,
    drop,
    insert,
    more,
    operator,
    policy,
    put,
    unconditional,
    with_more,
)
from tests.mutations.mutation import Assigned, Mutation

DEV, PROD = "dev", "prod"
ACCOUNT = "${data.aws_caller_identity.account.account_id}"
STORAGE = "aws_kms_key.storage_key"
DATABASE = "aws_kms_key.database_key"
LOG = "aws_kms_key.log_key"
NOTIFICATION = "aws_kms_key.observability_key"
STRANGER = {"AWS": "arn:aws:iam::444455556666:root"}

MUTATIONS = (
    Mutation(
        "key-rotation",
        "the key of artifacts stays the same",
        PROD,
        STORAGE,
        put("enable_key_rotation", False),
    ),
    Mutation(
        "key-rotation-gone", "rotation is left to the default", DEV, DATABASE, drop("enable_key_rotation")
    ),
    Mutation(
        "key-rotation-logs", "the key of logs stays the same", DEV, LOG, put("enable_key_rotation", False)
    ),
    Mutation(
        "key-everybody",
        "everybody decrypts",
        PROD,
        STORAGE,
        policy(changed("PersonasReadArtifacts", Principal="*")),
    ),
    Mutation(
        "key-anyone",
        "everybody decrypts, by a statement of its own",
        DEV,
        STORAGE,
        policy(with_more("Open", Principal={"AWS": "*"}, Action="kms:Decrypt", Resource="*")),
    ),
    Mutation(
        "key-stranger",
        "another account decrypts",
        PROD,
        STORAGE,
        policy(with_more("Partner", Principal=STRANGER, Action="kms:Decrypt", Resource="*")),
    ),
    Mutation(
        "key-stranger-service",
        "another account decrypts through S3",
        PROD,
        STORAGE,
        policy(
            with_more(
                "Partner",
                Principal=STRANGER,
                Action="kms:Decrypt",
                Resource="*",
                Condition={"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}},
            )
        ),
    ),
    Mutation(
        "key-all",
        "the account uses the key",
        PROD,
        DATABASE,
        policy(changed("AdministeredByAccount", Action="kms:*")),
    ),
    Mutation(
        "key-administrators-use",
        "who administers the key decrypts",
        DEV,
        STORAGE,
        policy(more("AdministeredByAccount", "Action", "kms:Decrypt")),
    ),
    Mutation(
        "key-administrators-grant",
        "who administers the key lets others use it",
        PROD,
        STORAGE,
        policy(more("AdministeredByAccount", "Action", "kms:CreateGrant")),
    ),
    Mutation(
        "key-directly",
        "personas decrypt outside S3",
        PROD,
        STORAGE,
        policy(unconditional("PersonasReadArtifacts", "StringEquals", "kms:ViaService")),
    ),
    Mutation(
        "key-any-object",
        "personas decrypt objects of other buckets",
        PROD,
        STORAGE,
        policy(unconditional("PersonasReadArtifacts", "StringLike")),
    ),
    Mutation(
        "key-other-service",
        "personas decrypt through any service",
        DEV,
        STORAGE,
        policy(
            operator("PersonasReadArtifacts", "StringEquals", "StringLike"),
            condition("PersonasReadArtifacts", "StringLike", "kms:ViaService", "*"),
        ),
    ),
    Mutation(
        "key-server-writes",
        "the server encrypts as well",
        PROD,
        STORAGE,
        policy(more("ServerReadsBuckets", "Action", "kms:GenerateDataKey")),
    ),
    Mutation(
        "key-server-anyone",
        "the statement for the server is for the whole account",
        PROD,
        STORAGE,
        policy(unconditional("ServerReadsBuckets", "ArnEquals")),
    ),
    Mutation(
        "key-deployers",
        "personas and the server are deployers too",
        PROD,
        DATABASE,
        policy(unconditional("DeployersThroughServices", "ArnNotLike")),
    ),
    Mutation(
        "key-deployers-only",
        "personas alone are deployers",
        DEV,
        STORAGE,
        policy(operator("DeployersWriteServerFiles", "ArnNotLike", "ArnLike")),
        assigned=Assigned.PROOF,
        reason="which roles deploy, only the environment file says",
    ),
    Mutation(
        "key-deployers-all",
        "deployers read artifacts with the server's key",
        PROD,
        STORAGE,
        policy(unconditional("DeployersWriteServerFiles", "StringLike")),
    ),
    Mutation(
        "key-grants",
        "grants for others than AWS services",
        PROD,
        DATABASE,
        policy(unconditional("GrantsForServicesOnly", "Bool")),
    ),
    Mutation(
        "key-secret",
        "the whole account reads the database secret",
        DEV,
        DATABASE,
        policy(unconditional("ServerReadsDatabaseSecret", "ArnEquals")),
    ),
    Mutation(
        "key-logs",
        "the key of logs serves all log groups, of all accounts",
        PROD,
        LOG,
        policy(unconditional("LogGroupsOfThisStack")),
    ),
    Mutation(
        "key-alarms",
        "alarms of all accounts use the key",
        DEV,
        NOTIFICATION,
        policy(unconditional("AlarmsOfThisStack")),
    ),
    Mutation("key-policy", "a key with the policy that AWS gives it", PROD, STORAGE, drop("policy")),
    Mutation(
        "key-lockout",
        "AWS does not ask whether anybody is left",
        PROD,
        STORAGE,
        insert("bypass_policy_lockout_safety_check", True),
    ),
    Mutation(
        "key-window", "a deleted key is gone in a week", PROD, STORAGE, put("deletion_window_in_days", 7)
    ),
    Mutation("key-off", "the key is switched off", PROD, STORAGE, insert("is_enabled", False)),
    Mutation("key-protected", "Terraform may destroy the key", PROD, STORAGE, drop("lifecycle")),
    Mutation(
        "key-grant",
        "a grant beside the policy",
        PROD,
        "aws_kms_grant.side",
        added(
            key_id="${aws_kms_key.storage_key.key_id}",
            grantee_principal="arn:aws:iam::444455556666:role/reader",
            operations=["Decrypt"],
        ),
        (STORAGE,),
    ),
    Mutation(
        "key-second-policy",
        "a second policy takes the place of the first",
        PROD,
        "aws_kms_key_policy.side",
        added(
            key_id="${aws_kms_key.storage_key.key_id}",
            policy='{"Version":"2012-10-17","Statement":[{"Sid":"All","Effect":"Allow",'
            f'"Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:root"}},"Action":"kms:*","Resource":"*"}}]}}',
        ),
        (STORAGE,),
    ),
    Mutation(
        "key-readers",
        "a persona without artifacts reads them",
        PROD,
        STORAGE,
        policy(
            condition(
                "PersonasReadArtifacts",
                "ArnLike",
                "aws:PrincipalArn",
                [f"arn:aws:iam::{ACCOUNT}:role/mlflow-prod/auditor/mlflow-prod-auditor"],
            )
        ),
        assigned=Assigned.PROOF,
        reason="whose roles read artifacts, their own policies say",
    ),
)
