"""Whether the stack's own policies leave to a deployer what Terraform was seen to do: to a bucket, and to keys.

A bucket policy or key policy that shuts out who made it is a trap: nobody can change or destroy the stack any more.
The emulator judges no access, so its calls are judged here, by :mod:`gatehouse.access`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from urllib.parse import parse_qs, urlsplit

from gatehouse.access import Policies, Principal, Request, Resource, evaluate
from gatehouse.access.policy import Document
from tests.emulator.client import ACCOUNT, Calls

ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

#: Method and subresource of a call on a bucket -> the action that S3 asks the policies for. A removal of a
#: configuration is the action that puts it; a HEAD is a listing without a prefix.
#: Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
BUCKET_ACTIONS: Mapping[tuple[str, str], str] = {
    ("HEAD", ""): "s3:ListBucket",
    ("PUT", ""): "s3:CreateBucket",
    ("DELETE", ""): "s3:DeleteBucket",
    ("GET", "accelerate"): "s3:GetAccelerateConfiguration",
    ("GET", "acl"): "s3:GetBucketAcl",
    ("GET", "cors"): "s3:GetBucketCORS",
    ("GET", "encryption"): "s3:GetEncryptionConfiguration",
    ("PUT", "encryption"): "s3:PutEncryptionConfiguration",
    ("DELETE", "encryption"): "s3:PutEncryptionConfiguration",
    ("GET", "lifecycle"): "s3:GetLifecycleConfiguration",
    ("PUT", "lifecycle"): "s3:PutLifecycleConfiguration",
    ("DELETE", "lifecycle"): "s3:PutLifecycleConfiguration",
    ("GET", "logging"): "s3:GetBucketLogging",
    ("PUT", "logging"): "s3:PutBucketLogging",
    ("GET", "notification"): "s3:GetBucketNotification",
    ("PUT", "notification"): "s3:PutBucketNotification",
    ("GET", "object-lock"): "s3:GetBucketObjectLockConfiguration",
    ("GET", "ownershipControls"): "s3:GetBucketOwnershipControls",
    ("PUT", "ownershipControls"): "s3:PutBucketOwnershipControls",
    ("DELETE", "ownershipControls"): "s3:PutBucketOwnershipControls",
    ("GET", "policy"): "s3:GetBucketPolicy",
    ("PUT", "policy"): "s3:PutBucketPolicy",
    ("DELETE", "policy"): "s3:DeleteBucketPolicy",
    ("GET", "publicAccessBlock"): "s3:GetBucketPublicAccessBlock",
    ("PUT", "publicAccessBlock"): "s3:PutBucketPublicAccessBlock",
    ("DELETE", "publicAccessBlock"): "s3:PutBucketPublicAccessBlock",
    ("GET", "replication"): "s3:GetReplicationConfiguration",
    ("GET", "requestPayment"): "s3:GetBucketRequestPayment",
    ("GET", "tagging"): "s3:GetBucketTagging",
    ("PUT", "tagging"): "s3:PutBucketTagging",
    ("DELETE", "tagging"): "s3:PutBucketTagging",
    ("GET", "versioning"): "s3:GetBucketVersioning",
    ("PUT", "versioning"): "s3:PutBucketVersioning",
    ("GET", "website"): "s3:GetBucketWebsite",
}
#: Calls of KMS on a key are named as their actions are; these concern no key that there is.
WITHOUT_KEY = frozenset({"kms:CreateKey", "kms:ListAliases", "kms:ListKeys"})
KEY_ACTIONS = frozenset(
    {
        "kms:DescribeKey",
        "kms:EnableKeyRotation",
        "kms:GetKeyPolicy",
        "kms:GetKeyRotationStatus",
        "kms:ListResourceTags",
        "kms:PutKeyPolicy",
        "kms:ScheduleKeyDeletion",
        "kms:TagResource",
        "kms:CreateAlias",
        "kms:DeleteAlias",
    }
)


class UnknownCallError(Exception):
    """A call whose action is not in the tables: look it up and add it."""


def bucket_actions(calls: Calls, bucket: str) -> set[str]:
    """Return the actions of the calls that concern a bucket. Raises :class:`UnknownCallError`."""
    return {_bucket_action(method, url, bucket) for method, url in calls.requests if bucket in url}


def _bucket_action(method: str, url: str, bucket: str) -> str:
    parts = urlsplit(url)
    on_the_bucket = parts.netloc.startswith(f"{bucket}.s3.") and parts.path == "/"
    query = parse_qs(parts.query, keep_blank_values=True)
    action = BUCKET_ACTIONS.get((method, next(iter(query), "")))
    if not on_the_bucket or len(query) > 1 or action is None:
        raise UnknownCallError(f"{method} {url}")
    return action


def key_actions(calls: Calls) -> set[str]:
    """Return the actions of the calls that concern keys. Raises :class:`UnknownCallError`."""
    found = {
        f"kms:{action.removeprefix('TrentService.')}"
        for action in calls.actions
        if action.startswith("TrentService.")
    }
    if unknown := found - WITHOUT_KEY - KEY_ACTIONS:
        raise UnknownCallError(", ".join(sorted(unknown)))
    return found - WITHOUT_KEY


def refused(
    actions: Iterable[str], resource: str, policy: Document, principals: Collection[Principal]
) -> Iterator[str]:
    """Yield what a policy refuses to principals who may do everything as far as IAM is concerned."""
    policies = Policies(identity=[ALLOW_ALL], resource=policy)
    context = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3", "kms:CallerAccount": ACCOUNT}
    for action in sorted(actions):
        mine = {name: each for name, each in context.items() if _concerns(name, action)}
        for principal in principals:
            decision = evaluate(Request(principal, action, Resource(resource, ACCOUNT), mine), policies)
            if not decision.allowed:
                sid = decision.statement.sid if decision.statement else decision.outcome.value
                yield f"{action} to {principal.arn}: {sid}"


def _concerns(key: str, action: str) -> bool:
    return key.partition(":")[0] in ("aws", action.partition(":")[0])


def role(name: str, **tags: str) -> Principal:
    """Return a role of the account."""
    return Principal(f"arn:aws:iam::{ACCOUNT}:role/{name}", ACCOUNT, tags=tags)
