"""The resources of a document whose own policies take part in a decision, and the endpoints on the way to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from gatehouse.access.compiled import Compiled
from gatehouse.access.policy import Kind, Policy
from gatehouse.document import Document, Resource

#: Types that have a policy of the same name as an attribute, or are one; what is in neither is refused.
_READ = frozenset(
    {
        "aws_api_gateway_rest_api",
        "aws_api_gateway_rest_api_policy",
        "aws_kms_key",
        "aws_kms_key_policy",
        "aws_s3_bucket",
        "aws_s3_bucket_policy",
        "aws_secretsmanager_secret",
        "aws_secretsmanager_secret_policy",
        "aws_sns_topic",
        "aws_sns_topic_policy",
        "aws_vpc_endpoint",
        "aws_vpc_endpoint_policy",
    }
)
_POLICY_ATTRIBUTES = ("access_policy", "policy", "policy_document", "resource_policy")
#: Types that let somebody in by other means than a policy.
_OTHER_GRANTS = frozenset(
    {
        "aws_api_gateway_authorizer",
        "aws_apigatewayv2_api",
        "aws_kms_grant",
        "aws_lambda_function_url",
        "aws_lambda_permission",
        "aws_s3_access_point",
        "aws_s3_bucket_acl",
        "aws_s3control_access_grant",
    }
)
#: Attributes that do so of a type that is read.
_GRANTING_ATTRIBUTES = {
    "aws_api_gateway_deployment": ("stage_name",),
    "aws_api_gateway_rest_api": ("body",),
    "aws_db_snapshot": ("shared_accounts",),
    "aws_s3_bucket": ("acl", "grant"),
}
_PUBLIC_ACCESS = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")


@dataclass(frozen=True, eq=False)
class Bucket:
    """An S3 bucket. ``key_arn`` is the KMS key that it encrypts with by default, None for S3's own."""

    address: str
    name: str
    arn: str
    policy: Policy | None = field(repr=False)
    key_arn: str | None
    public_access_block: Mapping[str, bool]


@dataclass(frozen=True, eq=False)
class Key:
    """A KMS key."""

    address: str
    arn: str
    policy: Policy = field(repr=False)
    aliases: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Topic:
    """An SNS topic."""

    address: str
    name: str
    arn: str
    policy: Policy | None = field(repr=False)


@dataclass(frozen=True, eq=False)
class Secret:
    """A secret, or that of a database instance."""

    address: str
    arn: str
    policy: Policy | None = field(repr=False)
    key_arn: str | None


@dataclass(frozen=True, eq=False)
class Endpoint:
    """A VPC endpoint. ``service`` is its last word, such as ``s3``; without a policy it lets everything through."""

    address: str
    id: str
    service: str
    type: str
    policy: Policy | None = field(repr=False)


@dataclass(frozen=True)
class Method:
    """A method of the API: ``path`` begins with a slash and has ``{team}`` and ``{proxy+}`` as they are."""

    address: str
    http_method: str
    path: str
    authorization: str


@dataclass(frozen=True, eq=False)
class Api:
    """A REST API with one stage. ``arn`` is the start of every call's ARN, up to the stage.

    ``entry`` is the endpoint of this document through which a private API is called.
    """

    address: str
    id: str
    name: str
    stage: str
    arn: str
    execution_arn: str
    policy: Policy | None = field(repr=False)
    private: bool
    endpoint_ids: tuple[str, ...]
    entry: Endpoint | None
    methods: tuple[Method, ...]

    def call(self, method: str, team: str, path: str) -> str:
        """Return the ARN of a call; ``path`` begins with a slash, as MLflow sees it."""
        return f"{self.arn}/{method}/{team}{path}"


def refuse_unknown(document: Document) -> None:
    """Refuse a document with resources that may let somebody in and are not modelled.

    Raises:
        InputError: naming the first.

    """
    for resource in document.resources.values():
        unread = not resource.type.startswith("aws_iam_") and resource.type not in _READ
        names = (*_GRANTING_ATTRIBUTES.get(resource.type, ()), *(_POLICY_ATTRIBUTES if unread else ()))
        attribute = next((name for name in names if _is_given(resource, name)), None)
        if attribute or resource.type in _OTHER_GRANTS:
            raise resource.refused(
                attribute or "",
                "lets somebody in by means that are not modelled",
                "use the policies of IAM, S3, KMS, SNS, Secrets Manager, API Gateway and VPC endpoints alone",
            )


def _is_given(resource: Resource, name: str) -> bool:
    """Whether an attribute is there; of those that a plan lists with nothing in them, whether they have a value."""
    if name not in resource.attributes:
        return False
    return name not in _GRANTING_ATTRIBUTES.get(resource.type, ()) or bool(resource.attributes[name])


class ResourceReader:
    """Reads the resources of one document."""

    def __init__(self, document: Document, compiled: Compiled) -> None:
        """Keep the document, and where policies are compiled."""
        self._document, self._compiled = document, compiled

    def buckets(self) -> tuple[Bucket, ...]:
        """Return the buckets."""
        buckets = self._document.of_type("aws_s3_bucket")
        own = self._separate("aws_s3_bucket_policy", "bucket", {one.text("bucket") for one in buckets})
        keys = {
            name: _key_of(one)
            for name, one in self._by("aws_s3_bucket_server_side_encryption_configuration", "bucket")
        }
        blocks = dict(self._by("aws_s3_bucket_public_access_block", "bucket"))
        return tuple(
            Bucket(
                address=one.address,
                name=one.text("bucket"),
                arn=one.text("arn"),
                policy=self._policy(one, own.get(one.text("bucket"))),
                key_arn=keys.get(one.text("bucket")),
                public_access_block=_public_access(blocks.get(one.text("bucket"))),
            )
            for one in buckets
        )

    def keys(self) -> tuple[Key, ...]:
        """Return the KMS keys; one without a policy has the one that KMS gives it.

        Source: AWS KMS Developer Guide, "Default key policy".
        """
        keys = self._document.of_type("aws_kms_key")
        known = {one.text(name) for one in keys for name in ("id", "arn")}
        own = self._separate("aws_kms_key_policy", "key_id", known)
        aliases = list(self._by("aws_kms_alias", "target_key_id"))
        found = []
        for one in keys:
            names = {one.text("id"), one.text("arn")}
            policy = self._policy(one, next((own[name] for name in names if name in own), None))
            found.append(
                Key(
                    address=one.address,
                    arn=one.text("arn"),
                    policy=policy or self._default_key_policy(one),
                    aliases=tuple(alias.text("name") for target, alias in aliases if target in names),
                )
            )
        return tuple(found)

    def topics(self) -> tuple[Topic, ...]:
        """Return the SNS topics."""
        topics = self._document.of_type("aws_sns_topic")
        own = self._separate("aws_sns_topic_policy", "arn", {one.text("arn") for one in topics})
        return tuple(
            Topic(one.address, one.text("name"), one.text("arn"), self._policy(one, own.get(one.text("arn"))))
            for one in topics
        )

    def secrets(self) -> tuple[Secret, ...]:
        """Return the secrets, those that RDS makes for its instances included."""
        secrets = self._document.of_type("aws_secretsmanager_secret")
        of_databases = {
            str(one.value("master_user_secret")[0]["secret_arn"]): one
            for one in self._document.of_type("aws_db_instance")
            if one.attributes.get("manage_master_user_password")
        }
        known = {one.text("arn") for one in secrets} | of_databases.keys()
        own = self._separate("aws_secretsmanager_secret_policy", "secret_arn", known)
        written = [
            Secret(
                one.address,
                one.text("arn"),
                self._policy(one, own.get(one.text("arn"))),
                one.attributes.get("kms_key_id"),
            )
            for one in secrets
        ]
        managed = [
            Secret(
                one.address,
                arn,
                self._compiled.policy(own[arn], "policy", Kind.RESOURCE) if arn in own else None,
                one.attributes.get("master_user_secret_kms_key_id"),
            )
            for arn, one in of_databases.items()
        ]
        return (*written, *managed)

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return the VPC endpoints."""
        endpoints = self._document.of_type("aws_vpc_endpoint")
        known = {one.text("id") for one in endpoints}
        own = self._separate("aws_vpc_endpoint_policy", "vpc_endpoint_id", known)
        return tuple(
            Endpoint(
                address=one.address,
                id=one.text("id"),
                service=one.text("service_name").rpartition(".")[2],
                type=one.attributes.get("vpc_endpoint_type") or "Gateway",
                policy=self._policy(one, own.get(one.text("id"))),
            )
            for one in endpoints
        )

    def apis(self, endpoints: tuple[Endpoint, ...]) -> tuple[Api, ...]:
        """Return the REST APIs, one for each stage."""
        apis = self._document.of_type("aws_api_gateway_rest_api")
        known = {one.text("id") for one in apis}
        own = self._separate("aws_api_gateway_rest_api_policy", "rest_api_id", known)
        stages = list(self._by("aws_api_gateway_stage", "rest_api_id"))
        return tuple(
            self._api(one, stage, self._policy(one, own.get(one.text("id"))), endpoints)
            for one in apis
            for api_id, stage in stages
            if api_id == one.text("id")
        )

    def _api(
        self, one: Resource, stage: Resource, policy: Policy | None, endpoints: tuple[Endpoint, ...]
    ) -> Api:
        configured = one.attributes.get("endpoint_configuration") or {}
        configured = configured[0] if isinstance(configured, list) else configured
        private = "PRIVATE" in (configured.get("types") or ())
        ids = tuple(configured.get("vpc_endpoint_ids") or ())
        doors = [door for door in endpoints if door.service == "execute-api" and (not ids or door.id in ids)]
        if private and len(doors) > 1:
            raise one.refused(
                "endpoint_configuration", "is reached through several endpoints", "leave one of them"
            )
        if private and policy is None:
            raise one.refused("policy", "is missing, so nobody can call this private API", "give it a policy")
        return Api(
            address=one.address,
            id=one.text("id"),
            name=one.text("name"),
            stage=stage.text("stage_name"),
            arn=f"{one.text('execution_arn')}/{stage.text('stage_name')}",
            execution_arn=one.text("execution_arn"),
            policy=policy,
            private=private,
            endpoint_ids=ids or tuple(door.id for door in doors if private),
            entry=doors[0] if private and doors else None,
            methods=self._methods(one),
        )

    def _methods(self, api: Resource) -> tuple[Method, ...]:
        paths = {api.text("root_resource_id"): ""}
        left = [
            one
            for api_id, one in self._by("aws_api_gateway_resource", "rest_api_id")
            if api_id == api.text("id")
        ]
        while left:
            known = [one for one in left if one.text("parent_id") in paths]
            if not known:
                raise left[0].refused("parent_id", "is no resource of this API", "refer to one")
            for one in known:
                paths[one.text("id")] = f"{paths[one.text('parent_id')]}/{one.text('path_part')}"
            left = [one for one in left if one not in known]
        return tuple(
            Method(
                one.address,
                one.text("http_method"),
                paths[one.text("resource_id")] or "/",
                one.text("authorization"),
            )
            for api_id, one in self._by("aws_api_gateway_method", "rest_api_id")
            if api_id == api.text("id")
        )

    def _by(self, kind: str, attribute: str) -> list[tuple[str, Resource]]:
        """Return the resources of a type with what they belong to."""
        return [(one.text(attribute), one) for one in self._document.of_type(kind)]

    def _separate(self, kind: str, attribute: str, known: Collection[str]) -> dict[str, Resource]:
        """Return the policies that are resources of their own by what they belong to, one each.

        AWS takes other names of a resource as well, and a policy that belonged to nothing would not be judged.
        """
        found: dict[str, Resource] = {}
        for target, one in self._by(kind, attribute):
            if target in found:
                raise one.refused("policy", f"replaces {found[target].address}.policy", "leave one of them")
            if target not in known:
                raise one.refused(
                    attribute, f"names {target}, which is not in the document", "refer to the resource"
                )
            found[target] = one
        return found

    def _policy(self, resource: Resource, separate: Resource | None) -> Policy | None:
        inside = self._compiled.optional(resource, "policy", Kind.RESOURCE)
        if separate is None:
            return inside
        if inside is not None:
            raise separate.refused("policy", f"replaces {resource.address}.policy", "leave one of them")
        return self._compiled.policy(separate, "policy", Kind.RESOURCE)

    def _default_key_policy(self, resource: Resource) -> Policy:
        parts = resource.text("arn").split(":")
        content: dict[str, Any] = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "Enable IAM User Permissions",
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:{parts[1]}:iam::{parts[4]}:root"},
                    "Action": "kms:*",
                    "Resource": "*",
                }
            ],
        }
        return self._compiled.document(resource, "policy", content, Kind.RESOURCE)


def _key_of(configuration: Resource) -> str | None:
    rules = configuration.attributes.get("rule") or []
    for rule in [rules] if isinstance(rules, Mapping) else rules:
        default = rule.get("apply_server_side_encryption_by_default") or {}
        for block in default if isinstance(default, list) else [default]:
            if block.get("kms_master_key_id"):
                return str(block["kms_master_key_id"])
    return None


def _public_access(block: Resource | None) -> Mapping[str, bool]:
    """Return the four switches; each is off if nothing turns it on."""
    given = block.attributes if block is not None else {}
    return {name: given.get(name) is True for name in _PUBLIC_ACCESS}
