"""Buckets: each one has all the resources that make it private, encrypted, versioned and accounted for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gatehouse.scan.stack_rules.stack import Flaw, Resource, Stack, blocks, is_on, references

BUCKET = "aws_s3_bucket"
PUBLIC_ACCESS = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
#: What a bucket may send its events to beside EventBridge, in any account.
RECEIVERS = ("lambda_function", "queue", "topic")


def versions(stack: Stack) -> Iterator[Flaw]:
    """Every bucket keeps old versions."""

    def enabled(body: Mapping[str, Any]) -> bool:
        return [one.get("status") for one in blocks(body, "versioning_configuration")] == ["Enabled"]

    yield from _each_has(stack, "aws_s3_bucket_versioning", enabled, "versioning that is enabled")


def no_public_access(stack: Stack) -> Iterator[Flaw]:
    """Nothing in any bucket can become public."""

    def blocked(body: Mapping[str, Any]) -> bool:
        return all(is_on(body.get(name)) for name in PUBLIC_ACCESS)

    yield from _each_has(stack, "aws_s3_bucket_public_access_block", blocked, "a whole public access block")


def one_owner(stack: Stack) -> Iterator[Flaw]:
    """Access lists are off: the bucket's account owns every object."""

    def enforced(body: Mapping[str, Any]) -> bool:
        return [one.get("object_ownership") for one in blocks(body, "rule")] == ["BucketOwnerEnforced"]

    yield from _each_has(stack, "aws_s3_bucket_ownership_controls", enforced, "an owner that is enforced")


def own_key(stack: Stack) -> Iterator[Flaw]:
    """Objects are encrypted with a key of the stack; access logs, which S3 delivers so only, with S3's own."""
    logs = _log_buckets(stack)
    kind = "aws_s3_bucket_server_side_encryption_configuration"
    for bucket in stack.of(BUCKET):
        found = stack.naming(bucket, kind, "bucket")
        sound = _encrypted_somehow if bucket in logs else _encrypted_with_key
        if not found or not all(sound(one.body) for one in found):
            yield Flaw(bucket.address, "is not encrypted with a key of the stack")


def with_policy(stack: Stack) -> Iterator[Flaw]:
    """Every bucket has a policy, which demands TLS among other things."""
    yield from _each_has(stack, "aws_s3_bucket_policy", lambda body: bool(body.get("policy")), "a policy")


def old_versions_end(stack: Stack) -> Iterator[Flaw]:
    """Old versions are deleted some day; current objects never, but for access logs."""
    logs = _log_buckets(stack)
    for bucket in stack.of(BUCKET):
        found = stack.naming(bucket, "aws_s3_bucket_lifecycle_configuration", "bucket")
        rules = [
            rule for one in found for rule in blocks(one.body, "rule") if rule.get("status") == "Enabled"
        ]
        ends = [end for rule in rules for end in blocks(rule, "noncurrent_version_expiration")]
        if not any(end.get("noncurrent_days") not in (None, 0, "0") for end in ends):
            yield Flaw(bucket.address, "keeps old versions without end")
        expire = any({"days", "date"} & end.keys() for rule in rules for end in blocks(rule, "expiration"))
        if expire and bucket not in logs:
            yield Flaw(bucket.address, "deletes objects that nobody deleted")


def accounted_for(stack: Stack) -> Iterator[Flaw]:
    """Who read or wrote what in a bucket is logged in another one of the stack."""
    logs = _log_buckets(stack)
    for bucket in stack.of(BUCKET):
        found = stack.naming(bucket, "aws_s3_bucket_logging", "bucket")
        targets = {target for one in found for target in references(one.body.get("target_bucket"))}
        if bucket not in logs and not targets & {one.address for one in logs}:
            yield Flaw(bucket.address, "has no access log in a bucket of the stack")


def kept_objects(stack: Stack) -> Iterator[Flaw]:
    """Terraform empties no bucket, but for access logs."""
    logs = _log_buckets(stack)
    for bucket in stack.of(BUCKET):
        if bucket.body.get("force_destroy") not in (None, False, "false") and bucket not in logs:
            yield Flaw(bucket.address, "is emptied when Terraform destroys it", "force_destroy")


def kept_data(stack: Stack) -> Iterator[Flaw]:
    """Where the database is protected, so are keys and buckets: none can be destroyed before the others refuse."""
    if not any(is_on(one.body.get("deletion_protection")) for one in stack.of("aws_db_instance")):
        return
    for one in stack.of("aws_db_instance", "aws_kms_key", BUCKET):
        if not any(is_on(block.get("prevent_destroy")) for block in blocks(one.body, "lifecycle")):
            yield Flaw(one.address, "may be destroyed while the database is protected", "lifecycle")
    for one in stack.of("aws_db_instance"):
        if one.body.get("skip_final_snapshot") not in (None, False, "false"):
            yield Flaw(one.address, "leaves no snapshot when it is destroyed", "skip_final_snapshot")


def told_nobody_else(stack: Stack) -> Iterator[Flaw]:
    """What happens in a bucket is told to this account's EventBridge, and to no queue, topic or function."""

    def event_bridge_alone(body: Mapping[str, Any]) -> bool:
        return is_on(body.get("eventbridge")) and not any(body.get(name) for name in RECEIVERS)

    kind = "aws_s3_bucket_notification"
    yield from _each_has(stack, kind, event_bridge_alone, "events for EventBridge alone")


def _each_has(
    stack: Stack, kind: str, sound: Callable[[Mapping[str, Any]], bool], what: str
) -> Iterator[Flaw]:
    for bucket in stack.of(BUCKET):
        found = stack.naming(bucket, kind, "bucket")
        if not found or not all(sound(one.body) for one in found):
            yield Flaw(bucket.address, f"does not have {what}")


def _log_buckets(stack: Stack) -> list[Resource]:
    """Return the buckets that take the access logs of others and have none themselves."""
    logging = stack.of("aws_s3_bucket_logging")
    targets = {address for one in logging for address in references(one.body.get("target_bucket"))}
    logged = {address for one in logging for address in references(one.body.get("bucket"))}
    return [one for one in stack.of(BUCKET) if one.address in targets - logged]


def _encrypted_with_key(body: Mapping[str, Any]) -> bool:
    rules = blocks(body, "rule")
    return bool(rules) and all(
        is_on(rule.get("bucket_key_enabled"))
        and [
            (one.get("sse_algorithm"), _is_key(one.get("kms_master_key_id")))
            for one in blocks(rule, "apply_server_side_encryption_by_default")
        ]
        == [("aws:kms", True)]
        for rule in rules
    )


def _encrypted_somehow(body: Mapping[str, Any]) -> bool:
    defaults = blocks(body, "rule", "apply_server_side_encryption_by_default")
    return bool(defaults) and all(one.get("sse_algorithm") in ("AES256", "aws:kms") for one in defaults)


def _is_key(value: object) -> bool:
    return any(address.startswith("aws_kms_key.") for address in references(value))
