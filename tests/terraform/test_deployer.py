"""The judge of what deployers may do: it knows the calls, and tells a refusal."""

from __future__ import annotations

import pytest

from tests.emulator.client import ACCOUNT, Calls
from tests.terraform.deployer import UnknownCallError, bucket_actions, key_actions, refused, role

BUCKET = "mlflow-dev-artifacts"
HOST = f"https://{BUCKET}.s3.eu-west-1.amazonaws.com"
NO_LOOK = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "NoLook",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:ListBucket",
            "Resource": f"arn:aws:s3:::{BUCKET}",
            "Condition": {"ArnNotLike": {"aws:PrincipalArn": role("deploy").arn}},
        }
    ],
}


def calls(*requests: tuple[str, str], actions: tuple[str, ...] = ()) -> Calls:
    return Calls(frozenset(requests), frozenset(actions))


def test_calls_on_the_bucket_are_actions() -> None:
    seen = calls(
        ("HEAD", f"{HOST}/"),
        ("GET", f"{HOST}/?policy="),
        ("DELETE", f"{HOST}/?lifecycle"),
        ("GET", "https://other.s3.eu-west-1.amazonaws.com/?website="),
    )
    assert bucket_actions(seen, BUCKET) == {
        "s3:ListBucket",
        "s3:GetBucketPolicy",
        "s3:PutLifecycleConfiguration",
    }


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", f"{HOST}/"),
        ("GET", f"{HOST}/?list-type=2&prefix=workspaces"),
        ("GET", f"{HOST}/?analytics="),
        ("GET", f"{HOST}/?policy=&versions="),
        ("GET", f"{HOST}/workspaces/fraud/model"),
        ("PUT", f"{HOST}/?website="),
        ("GET", f"https://123456789012.s3-control.eu-west-1.amazonaws.com/v20180820/tags/{BUCKET}"),
    ],
)
def test_a_call_that_is_not_in_the_table_is_an_error(method: str, url: str) -> None:
    with pytest.raises(UnknownCallError):
        bucket_actions(calls((method, url)), BUCKET)


def test_calls_of_kms_are_actions_on_keys() -> None:
    seen = calls(actions=("TrentService.CreateKey", "TrentService.DescribeKey", "Logs_20140328.PutLogEvents"))
    assert key_actions(seen) == {"kms:DescribeKey"}
    with pytest.raises(UnknownCallError, match="kms:CreateGrant"):
        key_actions(calls(actions=("TrentService.CreateGrant",)))


def test_a_refusal_names_action_principal_and_statement() -> None:
    asked = ["s3:GetBucketPolicy", "s3:ListBucket"]
    found = refused(asked, f"arn:aws:s3:::{BUCKET}", NO_LOOK, [role("deploy"), role("other")])
    assert list(found) == [f"s3:ListBucket to arn:aws:iam::{ACCOUNT}:role/other: NoLook"]
