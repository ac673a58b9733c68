"""What a capability asks: every route of it on both mirrors, and calls of S3 with those of KMS behind them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatehouse.access.capabilities import API, OBJECTS, STACK, UI, Capabilities, route_path
from gatehouse.access.situations import Way
from gatehouse.access.world import World
from gatehouse.catalogue.model import CAPABILITIES
from gatehouse.catalogue.shipped import load, versions
from gatehouse.errors import InputError
from tests.unit import matrix_stack
from tests.unit.matrix_stack import BUCKET, Blocks, blocks, write
from tests.unit.stacks import ACCOUNT, Stack, stack_in

KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/k"


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return stack_in(tmp_path)


def capabilities(stack: Stack, content: Blocks) -> Capabilities:
    return Capabilities.of(World.of(write(stack, content)))


def encrypted(*, bucket_key: bool) -> Blocks:
    rule = {
        "apply_server_side_encryption_by_default": {"kms_master_key_id": "${aws_kms_key.k.arn}"},
        "bucket_key_enabled": bucket_key,
    }
    return {
        **blocks(),
        "aws_kms_key": {"k": {}},
        "aws_s3_bucket_server_side_encryption_configuration": {
            "b": {"bucket": "${aws_s3_bucket.b.id}", "rule": [rule]}
        },
    }


@pytest.mark.parametrize("version", versions())
def test_the_path_of_a_route_is_one_of_it(version: str) -> None:
    for route in load(version):
        path = route_path(route.endpoint)
        assert "{" not in path
        assert route.endpoint.matches(route.endpoint.method, path), route.endpoint


def test_every_route_is_asked_once_under_its_capability(stack: Stack) -> None:
    found = capabilities(stack, blocks())
    catalogue = load("3.17.2")
    labels = [
        one.label for name in found.names for one in found.requests(name, "fraud") if one.part in (API, UI)
    ]
    assert sorted(labels) == sorted(str(route.endpoint) for route in catalogue)
    for name in map(str, CAPABILITIES):
        parts = {one.part for one in found.requests(name, "fraud")}
        assert (UI in parts) == any(
            one.label.split()[1].startswith("/ajax-api/") for one in found.requests(name, "x")
        )
    (call,) = found.requests("runs:write", "fraud")[0].calls
    assert (call.way, call.action) == (Way.API, "execute-api:Invoke")
    assert call.arn.startswith(f"{matrix_stack.API}/")
    assert "/fraud/" in call.arn


def test_the_requests_of_teams_are_the_same_in_the_same_order(stack: Stack) -> None:
    found = capabilities(stack, blocks())
    for name in found.names:
        fraud, search = found.requests(name, "fraud"), found.requests(name, "search")
        assert [one.label for one in fraud] == [one.label for one in search]


@pytest.mark.parametrize(("bucket_key", "told"), [(True, BUCKET), (False, f"{BUCKET}/workspaces/fraud/1/")])
def test_s3_asks_kms_for_whoever_reads_or_writes(stack: Stack, bucket_key: bool, told: str) -> None:
    found = capabilities(stack, encrypted(bucket_key=bucket_key))
    actions = {
        one.label: [call.action for call in one.calls]
        for name in ("artifacts:read", "artifacts:write", "artifacts:delete")
        for one in found.requests(name, "fraud")
        if one.part == OBJECTS
    }
    assert actions == {
        "s3:GetObject": ["s3:GetObject", "kms:Decrypt"],
        "s3:ListBucket": ["s3:ListBucket"],
        "s3:PutObject": ["s3:PutObject", "kms:GenerateDataKey", "kms:Decrypt"],
        "s3:AbortMultipartUpload": ["s3:AbortMultipartUpload"],
        "s3:ListMultipartUploadParts": ["s3:ListMultipartUploadParts"],
        "s3:DeleteObject": ["s3:DeleteObject"],
    }
    _, kms = next(
        one for one in found.requests("artifacts:read", "fraud") if one.label == "s3:GetObject"
    ).calls
    assert (kms.way, kms.arn) == (Way.KMS_BY_S3, KEY)
    assert str(kms.keys["kms:EncryptionContext:aws:s3:arn"]).startswith(told)
    assert kms.keys["kms:ViaService"] == "s3.eu-west-1.amazonaws.com"


def test_a_bucket_with_s3s_own_key_asks_nobody_else(stack: Stack) -> None:
    found = capabilities(stack, blocks())
    assert {len(one.calls) for one in found.requests("artifacts:write", "fraud")} == {1}


def test_a_capability_of_the_stack_is_there_if_there_is_what_it_is_about(stack: Stack) -> None:
    names = {name for name in capabilities(stack, blocks()).names if name.startswith("stack:")}
    assert names == {
        "stack:assume-roles", "stack:change-iam", "stack:delete-versions", "stack:change-bucket", "stack:change-api",
        "stack:connect-servers",
    }  # fmt: skip
    content = encrypted(bucket_key=True) | {
        "aws_db_instance": {"d": {"identifier": "d", "manage_master_user_password": True}},
        "aws_cloudwatch_log_group": {"l": {"name": "/st/l"}},
    }
    more = {name for name in capabilities(stack, content).names if name.startswith("stack:")}
    assert more - names == {
        "stack:change-key", "stack:change-database", "stack:read-database-secret", "stack:read-logs"
    }  # fmt: skip
    assert all(one.part == STACK for name in more for one in capabilities(stack, content).requests(name, "x"))


def test_a_document_that_does_not_tell_its_bucket_is_refused(stack: Stack) -> None:
    world = World.of(stack(blocks()))
    with pytest.raises(
        InputError, match=r"output\.artifact_bucket: does not tell which bucket holds artifacts"
    ):
        _ = Capabilities.of(world).artifacts
