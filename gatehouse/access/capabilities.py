"""What a capability means as requests: routes of MLflow, actions on artifacts, and what else a reviewer asks about.

A request is one or more calls, all of which must be allowed: S3 calls KMS for whoever reads or writes an object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Self

from gatehouse.access.resources import Bucket
from gatehouse.access.situations import Keys, Way, kms_by_s3
from gatehouse.access.world import World
from gatehouse.catalogue import shipped
from gatehouse.catalogue.model import CAPABILITIES, Catalogue, Endpoint
from gatehouse.errors import InputError, Problem

#: Where requests of a capability go, by which cells are summed up.
API, UI, OBJECTS, STACK = "the API", "the user interface", "S3", "AWS"
_UI_ROUTES = "/ajax-api/"
#: What stands for a path's parameters: plain text that is no route's own word.
_PARAMETERS = ((re.compile(r"\{[^{}]*:path\}"), "1a/2b"), (re.compile(r"\{[^{}]*\}"), "1a"))
_OBJECT = "1/0a1b2c/artifacts/model.pkl"
#: Of an instance that AWS has not made yet.
_INSTANCE = "i-0123456789abcdef0"


@dataclass(frozen=True)
class Call:
    """One call of an AWS API; ``keys`` are what its service adds to the request."""

    way: Way
    action: str
    arn: str
    keys: Keys = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Asked:
    """One request of a capability: ``label`` for people, ``part`` where it goes."""

    label: str
    part: str
    calls: tuple[Call, ...]


def route_path(endpoint: Endpoint) -> str:
    """Return a route's path with plain text for its parameters."""
    path = endpoint.path
    for parameter, text in _PARAMETERS:
        path = parameter.sub(text, path)
    return path


#: Of artifacts: the action on an object, and what KMS is asked because of it.
#: Source: S3 User Guide, "Using server-side encryption with AWS KMS keys" ("Permissions"): S3 decrypts the parts of a
#: multipart upload to join them.
_ON_OBJECTS: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "artifacts:read": (("s3:GetObject", ("kms:Decrypt",)),),
    "artifacts:write": (
        ("s3:PutObject", ("kms:GenerateDataKey", "kms:Decrypt")),
        ("s3:AbortMultipartUpload", ()),
        ("s3:ListMultipartUploadParts", ()),
    ),
    "artifacts:delete": (("s3:DeleteObject", ()),),
}
_CHANGES_OF_BUCKET = (
    "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:PutBucketAcl", "s3:PutBucketOwnershipControls",
    "s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock", "s3:PutBucketVersioning",
    "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration", "s3:PutReplicationConfiguration",
)  # fmt: skip
_CHANGES_OF_KEY = ("kms:CreateGrant", "kms:DisableKey", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion")
#: By the kind of the resource in IAM.
_CHANGES_OF_IAM: Mapping[str, tuple[str, ...]] = {
    "role": (
        "iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePermissionsBoundary", "iam:DetachRolePolicy",
        "iam:PassRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:TagRole",
        "iam:UntagRole", "iam:UpdateAssumeRolePolicy",
    ),
    "policy": ("iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion"),
    "user": ("iam:AttachUserPolicy", "iam:CreateAccessKey", "iam:CreateUser", "iam:PutUserPolicy", "iam:TagUser"),
    "group": ("iam:AddUserToGroup", "iam:AttachGroupPolicy", "iam:PutGroupPolicy"),
}  # fmt: skip
_CHANGES_OF_API = (
    "apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT",
    "apigateway:UpdateRestApiPolicy",
)  # fmt: skip
_CHANGES_OF_DATABASE = ("rds:DeleteDBInstance", "rds:ModifyDBInstance", "rds:RestoreDBInstanceFromDBSnapshot")
_READS_OF_LOGS = ("logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartQuery")

ASSUME_ROLES = "stack:assume-roles"
_OF_STACK: Mapping[str, str] = {
    ASSUME_ROLES: "assume another role of the stack, directly",
    "stack:change-iam": "change roles, policies, users and groups of the stack, or pass its roles",
    "stack:delete-versions": "delete old versions of artifacts",
    "stack:change-bucket": "change the artifact bucket's policy or configuration",
    "stack:change-key": "change or disable the key of artifacts",
    "stack:change-api": "change the API",
    "stack:change-database": "change or delete the database",
    "stack:read-database-secret": "read the database's password",
    "stack:read-server-files": "read what servers boot from",
    "stack:write-server-files": "write what servers boot from",
    "stack:connect-servers": "open a session on a server",
    "stack:read-logs": "read the stack's logs",
}


def meaning(name: str) -> str:
    """Return what a capability of the stack is; those of MLflow say it themselves."""
    return _OF_STACK.get(name, "")


class Capabilities:
    """The capabilities of one stack, with their requests in the name of a team."""

    def __init__(self, world: World, catalogue: Catalogue) -> None:
        """Keep the stack and MLflow's routes."""
        self._world, self._catalogue = world, catalogue
        self._of_team = cache(self._requests)

    @classmethod
    def of(cls, world: World) -> Self:
        """Return those of a stack, with the routes of the MLflow that its servers install.

        Raises:
            InputError: the document does not tell which, or has no API.
            CatalogueError: there is no catalogue of that version.

        """
        return cls(world, shipped.load(world.mlflow_version))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every capability that has requests in this stack, in the order in which they are shown."""
        asked = self._of_team("x")
        return tuple(name for name in (*map(str, CAPABILITIES), *_OF_STACK) if asked[name])

    def requests(self, name: str, team: str) -> tuple[Asked, ...]:
        """Return what a capability asks in the name of a team."""
        return self._of_team(team)[name]

    @cached_property
    def artifacts(self) -> Bucket:
        """The bucket that holds artifacts.

        Raises:
            InputError: no output of the document tells which it is.

        """
        found = self._bucket("artifact_bucket")
        if found is None:
            path = str(self._world.document.path)
            problem = Problem(
                path,
                "does not tell which bucket holds artifacts",
                "an output with its name",
                field="output.artifact_bucket",
            )
            raise InputError([problem])
        return found

    def _bucket(self, output: str) -> Bucket | None:
        outputs = self._world.document.raw_outputs
        name = self._world.document.outputs[output] if output in outputs else None
        return next((one for one in self._world.buckets if one.name == name), None)

    def _requests(self, team: str) -> Mapping[str, tuple[Asked, ...]]:
        found: dict[str, list[Asked]] = {name: [] for name in (*map(str, CAPABILITIES), *_OF_STACK)}
        for route in self._catalogue:
            found[str(route.capability)].append(self._route(route.endpoint, team))
        for name in _ON_OBJECTS:
            found[name] += self._objects(name, team)
        for name, asked in self._of_stack.items():
            found[name] += asked
        found["stack:delete-versions"] += self._versions(team)
        return {name: tuple(asked) for name, asked in found.items()}

    def _route(self, endpoint: Endpoint, team: str) -> Asked:
        path = route_path(endpoint)
        call = Call(Way.API, "execute-api:Invoke", self._world.api.call(endpoint.method, team, path))
        part = UI if path.startswith(_UI_ROUTES) else API
        return Asked(str(endpoint), part, (call,))

    def _objects(self, name: str, team: str) -> Iterator[Asked]:
        bucket = self.artifacts
        arn = f"{bucket.arn}/workspaces/{team}/{_OBJECT}"
        for action, of_key in _ON_OBJECTS[name]:
            behind = tuple(self._by_s3(bucket, one, arn) for one in of_key) if bucket.key_arn else ()
            yield Asked(action, OBJECTS, (Call(Way.S3, action, arn), *behind))
        if name == "artifacts:read":
            prefix = {"s3:prefix": f"workspaces/{team}/"}
            yield Asked("s3:ListBucket", OBJECTS, (Call(Way.S3, "s3:ListBucket", bucket.arn, prefix),))

    def _versions(self, team: str) -> Iterator[Asked]:
        arn = f"{self.artifacts.arn}/workspaces/{team}/{_OBJECT}"
        for action in ("s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"):
            yield Asked(action, STACK, (Call(Way.S3, action, arn),))

    def _by_s3(self, bucket: Bucket, action: str, object_arn: str) -> Call:
        """Return the call of KMS; with bucket keys, KMS is told the bucket and not the object.

        Source: S3 User Guide, "Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys".
        """
        encrypted = bucket.arn if bucket.name in self._with_bucket_keys else object_arn
        keys = kms_by_s3(self._world.account, self._world.region, encrypted)
        return Call(Way.KMS_BY_S3, action, bucket.key_arn or "", keys)

    @cached_property
    def _with_bucket_keys(self) -> frozenset[str]:
        kind = "aws_s3_bucket_server_side_encryption_configuration"
        found = set()
        for one in self._world.document.of_type(kind):
            rules = one.attributes.get("rule") or []
            if any(
                rule.get("bucket_key_enabled") for rule in (rules if isinstance(rules, list) else [rules])
            ):
                found.add(one.text("bucket"))
        return frozenset(found)

    @cached_property
    def _of_stack(self) -> Mapping[str, tuple[Asked, ...]]:
        world, bucket = self._world, self.artifacts
        server = self._bucket("server_bucket")
        root = f"arn:{world.partition}"
        api = f"{root}:apigateway:{world.region}::/restapis/{world.api.id}"
        roles = tuple(world.roles)
        found: dict[str, list[Asked]] = {
            ASSUME_ROLES: [_asked("sts:AssumeRole", arn) for arn in roles],
            "stack:change-iam": list(self._changes_of_iam()),
            "stack:change-bucket": [_asked(action, bucket.arn) for action in _CHANGES_OF_BUCKET],
            "stack:change-key": [
                _asked(action, bucket.key_arn) for action in _CHANGES_OF_KEY if bucket.key_arn
            ],
            "stack:change-api": [_asked(action, api) for action in _CHANGES_OF_API],
            "stack:change-database": [
                _asked(action, one.text("arn"))
                for one in world.document.of_type("aws_db_instance")
                for action in _CHANGES_OF_DATABASE
            ],
            "stack:read-database-secret": [
                _asked("secretsmanager:GetSecretValue", one.arn) for one in world.secrets
            ],
            "stack:connect-servers": list(self._sessions()),
            "stack:read-logs": [
                _asked(action, f"{one.text('arn')}:*")
                for one in world.document.of_type("aws_cloudwatch_log_group")
                for action in _READS_OF_LOGS
            ],
        }
        if server is not None:
            arn = f"{server.arn}/boot/launcher.py"
            for name, action, of_key in (
                ("stack:read-server-files", "s3:GetObject", "kms:Decrypt"),
                ("stack:write-server-files", "s3:PutObject", "kms:GenerateDataKey"),
            ):
                behind = (self._by_s3(server, of_key, arn),) if server.key_arn else ()
                found[name] = [Asked(action, STACK, (Call(Way.S3, action, arn), *behind))]
        return {name: tuple(asked) for name, asked in found.items()}

    def _changes_of_iam(self) -> Iterator[Asked]:
        for kind, actions in _CHANGES_OF_IAM.items():
            for one in self._world.document.of_type(f"aws_iam_{kind}")[:1]:
                for action in actions:
                    yield _asked(action, one.text("arn"))

    def _sessions(self) -> Iterator[Asked]:
        """Go through a session by each document: one is allowed on the instance and on the document, or not at all.

        Source: Systems Manager User Guide, "Start a session with a document by specifying the session documents in
        IAM policies".
        """
        world = self._world
        place = f"arn:{world.partition}:ec2:{world.region}:{world.account}:instance/{_INSTANCE}"
        tags: dict[str, str] = {}
        for one in world.document.of_type("aws_launch_template"):
            for block in one.attributes.get("tag_specifications") or ():
                if block.get("resource_type") == "instance":
                    tags |= {f"aws:ResourceTag/{key}": str(value) for key, value in block["tags"].items()}
        shell = (
            f"arn:{world.partition}:ssm:{world.region}:{world.account}:document/SSM-SessionManagerRunShell"
        )
        documents = [one.text("arn") for one in world.document.of_type("aws_ssm_document")]
        for document in (*documents, shell):
            keys = {**tags, "ssm:SessionDocumentAccessCheck": "true"}
            calls = (
                Call(Way.ENCRYPTED, "ssm:StartSession", place, keys),
                Call(Way.ENCRYPTED, "ssm:StartSession", document, keys),
            )
            yield Asked(f"ssm:StartSession by {document.rpartition('/')[2]}", STACK, calls)


def _asked(action: str, arn: str | None) -> Asked:
    name = (arn or "").rpartition(":")[2]
    return Asked(f"{action} on {name}", STACK, (Call(Way.of(action), action, arn or ""),))
