"""Buckets and keys."""

from __future__ import annotations

import pytest

from tests.synth.conftest import Synthesize
from tests.synth.template import Template

BUCKETS = ("artifacts", "server_files", "access_logs")


@pytest.mark.parametrize("bucket", BUCKETS)
def test_every_bucket_is_private_versioned_and_owned(stack: Template, bucket: str) -> None:
    block = stack.named("aws_s3_bucket_public_access_block", f"storage_{bucket}_public_access")
    for switch in (
        "block_public_acls",
        "block_public_policy",
        "ignore_public_acls",
        "restrict_public_buckets",
    ):
        assert block[switch] is True, switch
    versioning = stack.named("aws_s3_bucket_versioning", f"storage_{bucket}_versioning")
    assert versioning["versioning_configuration"] == {"status": "Enabled"}
    ownership = stack.named("aws_s3_bucket_ownership_controls", f"storage_{bucket}_ownership")
    assert ownership["rule"] == {"object_ownership": "BucketOwnerEnforced"}
    emptied = stack.named("aws_s3_bucket", f"storage_{bucket}").get("force_destroy", False)
    assert not emptied or bucket == "access_logs", "Terraform never deletes an artifact"


@pytest.mark.parametrize("bucket", ["artifacts", "server_files"])
def test_data_is_encrypted_with_our_key_and_a_bucket_key(stack: Template, bucket: str) -> None:
    encryption = stack.named(
        "aws_s3_bucket_server_side_encryption_configuration", f"storage_{bucket}_encryption"
    )
    assert encryption["rule"] == [
        {
            "apply_server_side_encryption_by_default": {
                "kms_master_key_id": "${aws_kms_key.storage_key.arn}",
                "sse_algorithm": "aws:kms",
            },
            "bucket_key_enabled": True,
        }
    ]
    logging = stack.named("aws_s3_bucket_logging", f"storage_{bucket}_logging")
    assert logging["target_bucket"] == "${aws_s3_bucket.storage_access_logs.id}"


def test_access_logs_use_the_one_encryption_that_delivery_supports(stack: Template) -> None:
    encryption = stack.named(
        "aws_s3_bucket_server_side_encryption_configuration", "storage_access_logs_encryption"
    )
    (rule,) = encryption["rule"]
    assert rule["apply_server_side_encryption_by_default"] == {"sse_algorithm": "AES256"}
    statements = stack.policy("aws_s3_bucket_policy", "storage_access_logs_policy")
    delivery = statements["S3DeliversAccessLogs"]
    assert delivery["Principal"] == {"Service": "logging.s3.amazonaws.com"}
    assert len(delivery["Condition"]["ArnEquals"]["aws:SourceArn"]) == 2
    assert "aws:SourceAccount" in delivery["Condition"]["StringEquals"]


def test_the_load_balancer_writes_below_its_prefix_alone(stack: Template) -> None:
    statements = stack.policy("aws_s3_bucket_policy", "storage_access_logs_policy")
    look, delivery = statements["LogDeliveryLooks"], statements["LoadBalancerDeliversAccessLogs"]
    account = "${data.aws_caller_identity.account.account_id}"
    assert (look["Action"], delivery["Action"]) == ("s3:GetBucketAcl", "s3:PutObject")
    assert delivery["Resource"] == f"{look['Resource']}/load-balancer/AWSLogs/{account}/*"
    for statement in (look, delivery):
        assert statement["Principal"] == {"Service": "delivery.logs.amazonaws.com"}
        condition = statement["Condition"]
        assert condition["StringEquals"]["aws:SourceAccount"] == account
        assert condition["ArnLike"] == {"aws:SourceArn": f"arn:aws:logs:eu-west-1:{account}:*"}
    acl = delivery["Condition"]["StringEquals"]["s3:x-amz-acl"]
    assert acl == "bucket-owner-full-control", "no object that its bucket does not own"


@pytest.mark.parametrize("bucket", BUCKETS)
def test_every_bucket_tells_event_bridge(stack: Template, bucket: str) -> None:
    notification = stack.named("aws_s3_bucket_notification", f"storage_{bucket}_notification")
    assert notification["bucket"] == f"${{aws_s3_bucket.storage_{bucket}.id}}"
    assert notification["eventbridge"] is True
    assert not {"lambda_function", "queue", "topic"} & set(notification)


@pytest.mark.parametrize("bucket", BUCKETS)
def test_every_bucket_refuses_plain_and_old_tls(stack: Template, bucket: str) -> None:
    statements = stack.policy("aws_s3_bucket_policy", f"storage_{bucket}_policy")
    plain, old = statements["DenyWithoutTls"], statements["DenyOldTls"]
    assert plain["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert old["Condition"] == {"NumericLessThan": {"s3:TlsVersion": "1.2"}}
    for statement in (plain, old):
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
        assert len(statement["Resource"]) == 2


@pytest.mark.parametrize("bucket", ["artifacts", "server_files"])
def test_uploads_with_another_encryption_are_refused(stack: Template, bucket: str) -> None:
    statements = stack.policy("aws_s3_bucket_policy", f"storage_{bucket}_policy")
    for sid in ("DenyOtherEncryption", "DenyOtherKey"):
        condition = statements[sid]["Condition"]
        (header,) = condition["StringNotEquals"]
        # The partner: without it an upload that leaves encryption to the bucket would be refused as well.
        assert condition["Null"] == {header: "false"}
    assert statements["DenyOtherKey"]["Condition"]["StringNotEquals"] == {
        "s3:x-amz-server-side-encryption-aws-kms-key-id": "${aws_kms_key.storage_key.arn}"
    }


@pytest.mark.parametrize("bucket", ["artifacts", "server_files"])
def test_kms_without_a_key_is_refused(stack: Template, bucket: str) -> None:
    # S3 then takes the account's aws/s3 key, whose policy is not ours.
    statement = stack.policy("aws_s3_bucket_policy", f"storage_{bucket}_policy")["DenyKmsWithoutKey"]
    assert statement["Condition"] == {
        "StringEquals": {"s3:x-amz-server-side-encryption": "aws:kms"},
        "Null": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "true"},
    }


@pytest.mark.parametrize("bucket", ["artifacts", "server_files"])
def test_a_bucket_goes_before_its_key(stack: Template, bucket: str) -> None:
    assert stack.named("aws_s3_bucket", f"storage_{bucket}")["depends_on"] == ["aws_kms_key.storage_key"]


def test_named_deployers_are_the_only_ones(synthesize: Synthesize, dev: Template) -> None:
    deployer = "arn:aws:iam::111122223333:role/deploy"
    named = synthesize("dev", deployer_role_arns=[deployer])
    for key, sids in (
        ("database_key", ("DeployersThroughServices", "GrantsForServicesOnly")),
        ("storage_key", ("DeployersWriteServerFiles",)),
    ):
        for sid in sids:
            condition = named.policy("aws_kms_key", key)[sid]["Condition"]
            assert condition["ArnLike"] == {"aws:PrincipalArn": [deployer]}
            condition = dev.policy("aws_kms_key", key)[sid]["Condition"]
            server, personas = condition["ArnNotLike"]["aws:PrincipalArn"]
            assert server.endswith(":role/mlflow-dev-server")
            assert personas.endswith(":role/mlflow-dev/*")


@pytest.mark.parametrize("bucket", ["artifacts", "server_files"])
def test_the_server_role_can_do_nothing_but_read(stack: Template, bucket: str) -> None:
    statement = stack.policy("aws_s3_bucket_policy", f"storage_{bucket}_policy")["ServerOnlyReads"]
    assert (statement["Effect"], statement["NotAction"]) == ("Deny", ["s3:GetObject", "s3:ListBucket"])
    assert statement["Condition"]["ArnEquals"]["aws:PrincipalArn"].endswith("-server")


@pytest.mark.parametrize("bucket", BUCKETS)
def test_lifecycle_ends_noncurrent_versions_and_incomplete_uploads(stack: Template, bucket: str) -> None:
    (rule,) = stack.named("aws_s3_bucket_lifecycle_configuration", f"storage_{bucket}_lifecycle")["rule"]
    assert rule["status"] == "Enabled"
    assert rule["noncurrent_version_expiration"][0]["noncurrent_days"]
    assert rule["abort_incomplete_multipart_upload"] == [{"days_after_initiation": 7}]
    expires = "days" in rule["expiration"][0]
    assert expires is (bucket == "access_logs"), "only logs end by themselves"


def test_every_key_rotates_and_keeps_administration_apart_from_use(stack: Template) -> None:
    uses = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncrypt", "kms:CreateGrant", "kms:*")
    assert len(stack.resources("aws_kms_key")) == 4
    for name, key in stack.resources("aws_kms_key").items():
        assert key["enable_key_rotation"] is True
        assert key["deletion_window_in_days"] == 30
        statements = stack.policy("aws_kms_key", name)
        administration = statements.pop("AdministeredByAccount")
        assert "kms:PutKeyPolicy" in administration["Action"], "the account can always mend the policy"
        assert not any(action.startswith(uses) for action in administration["Action"])
        for sid, statement in statements.items():
            assert statement["Condition"], f"{name}: {sid} lets somebody use the key without a condition"
            actions = statement["Action"]
            for action in [actions] if isinstance(actions, str) else actions:
                assert action.startswith((*uses[:-1], "kms:DescribeKey")), f"{name}: {sid} {action}"


def test_services_use_keys_for_this_account_alone(stack: Template) -> None:
    alarms = stack.policy("aws_kms_key", "observability_key")["AlarmsOfThisStack"]
    assert alarms["Condition"]["StringEquals"]["aws:SourceAccount"]
    assert "aws:SourceArn" in alarms["Condition"]["ArnLike"]
    logs = stack.policy("aws_kms_key", "log_key")["LogGroupsOfThisStack"]
    patterns = logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    assert all("${data.aws_caller_identity.account.account_id}" in pattern for pattern in patterns)
