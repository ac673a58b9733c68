"""Buckets: who reads and writes objects, over what, and where they lie."""

from __future__ import annotations

from tests.mutations.edits import (
    added,
    changed,
    condition,
    drop,
    insert,
    more,
    one_more_condition,
    operator,
    policy,
    put,
    removed,
    text,
    unconditional,
    with_more,
    without,
)
from tests.mutations.mutation import Assigned, Mutation

DEV, PROD = "dev", "prod"
ACCOUNT = "${data.aws_caller_identity.account.account_id}"
ARTIFACTS = "aws_s3_bucket.storage_artifacts"
FILES = "aws_s3_bucket.storage_server_files"
LOGS = "aws_s3_bucket.storage_access_logs"
POLICY = "aws_s3_bucket_policy.storage_artifacts_policy"
FILES_POLICY = "aws_s3_bucket_policy.storage_server_files_policy"
LOGS_POLICY = "aws_s3_bucket_policy.storage_access_logs_policy"
BLOCK = "aws_s3_bucket_public_access_block.storage_artifacts_public_access"
BUCKET = f"arn:aws:s3:::mlflow-dev-artifacts-{ACCOUNT}-eu-west-1"
PROD_BUCKET = f"arn:aws:s3:::mlflow-prod-artifacts-{ACCOUNT}-eu-west-1"
OWN_ROLE = f"arn:aws:iam::{ACCOUNT}:role/mlflow-prod-server"
ANYONE = "arn:aws:iam::*:*"
STRANGER = "arn:aws:iam::444455556666:root"
TEAM = "$${aws:PrincipalTag/team}"

MUTATIONS = (
    # What every bucket denies.
    Mutation("bucket-tls", "artifacts without TLS", PROD, POLICY, policy(without("DenyWithoutTls"))),
    Mutation(
        "bucket-tls-files", "boot files without TLS", DEV, FILES_POLICY, policy(without("DenyWithoutTls"))
    ),
    Mutation(
        "bucket-tls-logs", "access logs without TLS", DEV, LOGS_POLICY, policy(without("DenyWithoutTls"))
    ),
    Mutation(
        "bucket-tls-reads",
        "TLS for reads alone",
        PROD,
        POLICY,
        policy(changed("DenyWithoutTls", Action="s3:GetObject")),
    ),
    Mutation(
        "bucket-tls-names",
        "TLS for the bucket, not for its objects",
        DEV,
        POLICY,
        policy(changed("DenyWithoutTls", Resource=BUCKET)),
    ),
    Mutation(
        "bucket-tls-but",
        "TLS for all but one role",
        PROD,
        POLICY,
        policy(
            one_more_condition(
                "DenyWithoutTls", "ArnNotLike", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:role/legacy"
            )
        ),
    ),
    Mutation(
        "bucket-tls-true",
        "requests with TLS are denied, those without are not",
        DEV,
        POLICY,
        policy(condition("DenyWithoutTls", "Bool", "aws:SecureTransport", "true")),
    ),
    Mutation("bucket-old-tls", "TLS 1.0 will do", PROD, POLICY, policy(without("DenyOldTls"))),
    Mutation(
        "bucket-old-tls-1.0",
        "TLS older than 1.0 alone is denied",
        PROD,
        FILES_POLICY,
        policy(condition("DenyOldTls", "NumericLessThan", "s3:TlsVersion", "1.0")),
    ),
    Mutation(
        "bucket-encryption", "uploads may name AES256", DEV, POLICY, policy(without("DenyOtherEncryption"))
    ),
    Mutation("bucket-key", "uploads may name another key", PROD, POLICY, policy(without("DenyOtherKey"))),
    Mutation(
        "bucket-aws-key",
        "uploads may use the account's own key",
        PROD,
        FILES_POLICY,
        policy(without("DenyKmsWithoutKey")),
    ),
    Mutation(
        "bucket-customer-keys", "uploads may bring a key", DEV, POLICY, policy(without("DenyCustomerKeys"))
    ),
    Mutation(
        "bucket-accounts", "other accounts are not denied", PROD, POLICY, policy(without("DenyOtherAccounts"))
    ),
    Mutation(
        "bucket-account-named",
        "one more account is not denied",
        PROD,
        POLICY,
        policy(
            condition(
                "DenyOtherAccounts", "StringNotEquals", "aws:PrincipalAccount", [ACCOUNT, "444455556666"]
            )
        ),
    ),
    Mutation(
        "bucket-server",
        "the server may do what its role may",
        DEV,
        POLICY,
        policy(without("ServerOnlyReads")),
    ),
    Mutation(
        "bucket-server-writes",
        "the server may write artifacts",
        PROD,
        POLICY,
        policy(more("ServerOnlyReads", "NotAction", "s3:PutObject")),
    ),
    Mutation(
        "bucket-server-boots",
        "the server may write its boot files",
        PROD,
        FILES_POLICY,
        policy(more("ServerOnlyReads", "NotAction", "s3:PutObject")),
    ),
    # Tenancy.
    Mutation(
        "bucket-actions",
        "objects have tags, ACLs and versions again",
        PROD,
        POLICY,
        policy(without("DenyUnnamedObjectActions")),
    ),
    Mutation(
        "bucket-actions-acl",
        "objects may have ACLs",
        DEV,
        POLICY,
        policy(more("DenyUnnamedObjectActions", "NotAction", "s3:PutObjectAcl")),
    ),
    Mutation(
        "bucket-presigned",
        "the server may sign addresses",
        PROD,
        POLICY,
        policy(without("DenyServerPresigned")),
    ),
    Mutation(
        "bucket-presigned-query",
        "signatures in the query are let in, those in the header denied",
        DEV,
        POLICY,
        policy(condition("DenyServerPresigned", "StringNotEquals", "s3:authType", "REST-QUERY-STRING")),
    ),
    Mutation(
        "bucket-others",
        "roles besides personas reach objects",
        PROD,
        POLICY,
        policy(without("DenyOthersObjects")),
    ),
    Mutation(
        "bucket-others-any",
        "any principal counts as a persona",
        DEV,
        POLICY,
        policy(condition("DenyOthersObjects", "ArnNotLike", "aws:PrincipalArn", [ANYONE])),
    ),
    Mutation(
        "bucket-others-one",
        "one more role reaches objects",
        PROD,
        POLICY,
        policy(
            condition(
                "DenyOthersObjects",
                "ArnNotLike",
                "aws:PrincipalArn",
                [
                    f"arn:aws:iam::{ACCOUNT}:role/mlflow-prod/*",
                    f"arn:aws:iam::{ACCOUNT}:role/mlflow-prod-server",
                    f"arn:aws:iam::{ACCOUNT}:role/analytics",
                ],
            )
        ),
    ),
    Mutation(
        "bucket-others-allowed",
        "the Deny of others' requests allows them",
        PROD,
        POLICY,
        policy(changed("DenyOthersObjects", Effect="Allow")),
    ),
    Mutation(
        "bucket-teams", "a team reaches others' objects", PROD, POLICY, policy(without("DenyOtherTeams"))
    ),
    Mutation(
        "bucket-teams-variable",
        "every team's folder counts as the own one",
        PROD,
        POLICY,
        text(f"workspaces/{TEAM}/*", "workspaces/*"),
    ),
    Mutation(
        "bucket-teams-one",
        "every team's folder counts as the own one, for objects",
        DEV,
        POLICY,
        policy(
            changed(
                "DenyOtherTeams",
                NotResource=[BUCKET, f"{BUCKET}/workspaces/*"],
            )
        ),
    ),
    Mutation(
        "bucket-teams-slash",
        "the own folder is not closed with a slash",
        PROD,
        POLICY,
        text(f"workspaces/{TEAM}/*", f"workspaces/{TEAM}*"),
    ),
    Mutation(
        "bucket-teams-reads",
        "other teams' objects are denied to writers alone",
        PROD,
        POLICY,
        policy(changed("DenyOtherTeams", Action="s3:PutObject")),
    ),
    Mutation(
        "bucket-teams-mfa",
        "a second factor opens others' objects",
        DEV,
        POLICY,
        policy(one_more_condition("DenyOtherTeams", "BoolIfExists", "aws:MultiFactorAuthPresent", "false")),
    ),
    Mutation(
        "bucket-nobody",
        "a principal without a team is not denied",
        PROD,
        POLICY,
        policy(without("DenyWithoutTeam")),
    ),
    Mutation(
        "bucket-nobody-null",
        "the partner asks for the tag",
        DEV,
        POLICY,
        policy(condition("DenyWithoutTeam", "Null", "aws:PrincipalTag/team", "false")),
    ),
    Mutation(
        "bucket-configuration",
        "personas configure the bucket",
        PROD,
        POLICY,
        policy(without("DenyPersonasConfiguration")),
    ),
    Mutation(
        "bucket-names", "a team lists others' names", PROD, POLICY, policy(without("DenyOtherTeamsNames"))
    ),
    Mutation(
        "bucket-names-like",
        "a team's own names alone are denied",
        DEV,
        POLICY,
        policy(operator("DenyOtherTeamsNames", "StringNotLike", "StringLike")),
    ),
    Mutation(
        "bucket-names-equal",
        "names are compared as they stand",
        PROD,
        POLICY,
        policy(operator("DenyOtherTeamsNames", "StringNotLike", "StringNotEquals")),
    ),
    Mutation(
        "bucket-names-nobody",
        "a principal without a team lists names",
        PROD,
        POLICY,
        policy(without("DenyNamesWithoutTeam")),
    ),
    Mutation(
        "bucket-versions", "old versions are listed", DEV, POLICY, policy(without("DenyVersionsAndUploads"))
    ),
    Mutation("bucket-others-names", "others list names", PROD, POLICY, policy(without("DenyOthersNames"))),
    Mutation(
        "bucket-delete", "who may write may delete", PROD, POLICY, policy(without("DenyDeleteToOthers"))
    ),
    Mutation(
        "bucket-delete-mfa",
        "deletes without a second factor",
        DEV,
        POLICY,
        policy(without("DenyDeleteWithoutMfa")),
    ),
    Mutation(
        "bucket-delete-bool",
        "access keys count as a second factor",
        PROD,
        POLICY,
        policy(operator("DenyDeleteWithoutMfa", "BoolIfExists", "Bool")),
    ),
    Mutation(
        "bucket-tenancy",
        "neither statement keeps the teams apart",
        PROD,
        POLICY,
        policy(without("DenyWithoutTeam", "DenyOtherTeams")),
    ),
    # Grants.
    Mutation(
        "bucket-public-read",
        "everybody reads artifacts",
        PROD,
        POLICY,
        policy(with_more("Public", Principal="*", Action="s3:GetObject", Resource=f"{PROD_BUCKET}/*")),
    ),
    Mutation(
        "bucket-stranger",
        "another account reads artifacts",
        DEV,
        POLICY,
        policy(
            with_more("Partner", Principal={"AWS": STRANGER}, Action="s3:GetObject", Resource=f"{BUCKET}/*")
        ),
    ),
    Mutation(
        "bucket-own-account",
        "the whole account writes boot files",
        PROD,
        FILES_POLICY,
        policy(
            with_more(
                "Deploy",
                Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                Action="s3:PutObject",
                Resource=f"arn:aws:s3:::mlflow-prod-server-{ACCOUNT}-eu-west-1/*",
            )
        ),
    ),
    Mutation(
        "bucket-log-writers",
        "anybody with permission writes access logs",
        PROD,
        LOGS_POLICY,
        policy(without("DenyOtherWriters")),
    ),
    Mutation(
        "bucket-log-source",
        "S3 writes access logs for other accounts",
        DEV,
        LOGS_POLICY,
        policy(unconditional("S3DeliversAccessLogs")),
    ),
    Mutation("bucket-policy", "artifacts without a policy", PROD, POLICY, removed, (ARTIFACTS,)),
    Mutation(
        "bucket-policy-elsewhere",
        "the artifacts' policy lies on the bucket of the logs",
        DEV,
        POLICY,
        put("bucket", "${aws_s3_bucket.storage_access_logs.id}"),
        (ARTIFACTS, LOGS),
    ),
    # The bucket itself.
    Mutation("bucket-block", "no public access block", PROD, BLOCK, removed, (ARTIFACTS,)),
    Mutation(
        "bucket-block-policy", "public policies", DEV, BLOCK, put("block_public_policy", False), (ARTIFACTS,)
    ),
    Mutation("bucket-block-acls", "public ACLs", PROD, BLOCK, put("block_public_acls", False), (ARTIFACTS,)),
    Mutation(
        "bucket-block-ignore", "ACLs count", PROD, BLOCK, put("ignore_public_acls", False), (ARTIFACTS,)
    ),
    Mutation(
        "bucket-block-restrict",
        "a public policy lets strangers in",
        PROD,
        BLOCK,
        put("restrict_public_buckets", False),
        (ARTIFACTS,),
    ),
    Mutation(
        "bucket-encrypted",
        "no default encryption with the own key",
        PROD,
        "aws_s3_bucket_server_side_encryption_configuration.storage_artifacts_encryption",
        removed,
        (ARTIFACTS,),
    ),
    Mutation(
        "bucket-encrypted-s3",
        "default encryption with a key of S3",
        DEV,
        "aws_s3_bucket_server_side_encryption_configuration.storage_artifacts_encryption",
        put("rule.0.apply_server_side_encryption_by_default", {"sse_algorithm": "AES256"}),
        (ARTIFACTS,),
    ),
    Mutation(
        "bucket-encrypted-other",
        "default encryption with a key of another account",
        PROD,
        "aws_s3_bucket_server_side_encryption_configuration.storage_artifacts_encryption",
        put(
            "rule.0.apply_server_side_encryption_by_default.kms_master_key_id",
            "arn:aws:kms:eu-west-1:444455556666:key/11111111-2222-3333-4444-555555555555",
        ),
        (ARTIFACTS,),
    ),
    Mutation(
        "bucket-versions-off",
        "what is overwritten is gone",
        PROD,
        "aws_s3_bucket_versioning.storage_artifacts_versioning",
        put("versioning_configuration.status", "Suspended"),
        (ARTIFACTS,),
    ),
    Mutation(
        "bucket-owner",
        "who writes an object owns it",
        PROD,
        "aws_s3_bucket_ownership_controls.storage_artifacts_ownership",
        put("rule.object_ownership", "ObjectWriter"),
        (ARTIFACTS,),
    ),
    Mutation(
        "bucket-owner-gone",
        "no rule on ownership",
        DEV,
        "aws_s3_bucket_ownership_controls.storage_artifacts_ownership",
        removed,
        (ARTIFACTS,),
    ),
    Mutation(
        "bucket-acl",
        "an ACL for everybody",
        DEV,
        "aws_s3_bucket_acl.open",
        added(bucket="${aws_s3_bucket.storage_artifacts.id}", acl="public-read"),
        (ARTIFACTS,),
    ),
    Mutation(
        "bucket-logging",
        "nobody sees who reads artifacts",
        PROD,
        "aws_s3_bucket_logging.storage_artifacts_logging",
        removed,
        (ARTIFACTS,),
    ),
    Mutation(
        "bucket-logging-elsewhere",
        "access logs go to a bucket of somebody else",
        PROD,
        "aws_s3_bucket_logging.storage_artifacts_logging",
        put("target_bucket", "somebody-elses-logs"),
        (ARTIFACTS,),
    ),
    Mutation(
        "bucket-destroy", "destroying it deletes its objects", PROD, ARTIFACTS, insert("force_destroy", True)
    ),
    Mutation("bucket-protected", "Terraform may destroy artifacts", PROD, ARTIFACTS, drop("lifecycle")),
    Mutation(
        "bucket-expiry",
        "artifacts are gone after a day",
        PROD,
        "aws_s3_bucket_lifecycle_configuration.storage_artifacts_lifecycle",
        put("rule.0.expiration", [{"days": 1}]),
        (ARTIFACTS,),
    ),
    Mutation(
        "bucket-cors",
        "any web page reads artifacts with the reader's rights",
        DEV,
        "aws_s3_bucket_cors_configuration.open",
        added(
            bucket="${aws_s3_bucket.storage_artifacts.id}",
            cors_rule=[{"allowed_methods": ["GET", "PUT"], "allowed_origins": ["*"]}],
        ),
        (ARTIFACTS,),
    ),
    Mutation(
        "bucket-website",
        "artifacts as a web site",
        DEV,
        "aws_s3_bucket_website_configuration.open",
        added(bucket="${aws_s3_bucket.storage_artifacts.id}", index_document={"suffix": "index.html"}),
        (ARTIFACTS,),
    ),
    Mutation(
        "bucket-replication",
        "every artifact is copied into another account",
        PROD,
        "aws_s3_bucket_replication_configuration.away",
        added(
            bucket="${aws_s3_bucket.storage_artifacts.id}",
            role="${aws_iam_role.server_role.arn}",
            rule=[
                {
                    "id": "all",
                    "status": "Enabled",
                    "destination": {"bucket": "arn:aws:s3:::elsewhere", "account": "444455556666"},
                }
            ],
        ),
        (ARTIFACTS,),
    ),
    Mutation(
        "bucket-access-point",
        "an access point with a policy of its own",
        PROD,
        "aws_s3_access_point.side",
        added(bucket="${aws_s3_bucket.storage_artifacts.id}", name="side"),
        (ARTIFACTS,),
    ),
    Mutation(
        "bucket-events",
        "another account hears of every artifact",
        PROD,
        "aws_s3_bucket_notification.storage_artifacts_notification",
        insert(
            "queue",
            [{"queue_arn": "arn:aws:sqs:eu-west-1:444455556666:theirs", "events": ["s3:ObjectCreated:*"]}],
        ),
        (ARTIFACTS,),
    ),
    # Widened where the documents still agree with each other.
    Mutation(
        "bucket-every-team",
        "a persona of one team counts as one of all teams",
        PROD,
        POLICY,
        text(
            f'"ArnNotLike":{{"aws:PrincipalArn":["{OWN_ROLE}"]}}',
            f'"ArnNotLike":{{"aws:PrincipalArn":["{OWN_ROLE}",'
            f'"arn:aws:iam::{ACCOUNT}:role/mlflow-prod/data-scientist/mlflow-prod-data-scientist"]}}',
        ),
        assigned=Assigned.PROOF,
        reason="which roles are of all teams, nothing in the policy itself says",
    ),
)
