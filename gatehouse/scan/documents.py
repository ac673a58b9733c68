"""Finds every policy document in a synthesized ``cdk.tf.json``, wherever it sits, and reads its statements.

A document is text in Terraform's template syntax: ``${aws_kms_key.k.arn}`` is a reference that Terraform fills in,
``$${aws:username}`` the text ``${aws:username}``, which is a policy variable to AWS. ``raw`` keeps both as
written, ``document`` is what AWS gets, except that references stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from gatehouse.document.source import once_each
from gatehouse.scan.statements import Statement, read_statements

#: Attributes that hold a policy; what is no policy there, nobody can judge.
POLICY_ATTRIBUTES = frozenset(
    {"access_policy", "assume_role_policy", "policy", "policy_document", "resource_policy"}  # of any resource
)
_STATEMENT = "Statement"
_ESCAPED = re.compile(r"([$%])\1\{")
_PRINCIPAL_TAG = re.compile(r"aws:PrincipalTag/([\w.:/=+\-@ ]+)", re.IGNORECASE)


class PolicyKind(Enum):
    """What a policy is attached to."""

    IDENTITY = "identity policy"
    GROUP = "group policy"
    BOUNDARY = "permissions boundary"
    TRUST = "trust policy"
    BUCKET = "bucket policy"
    KEY = "key policy"
    ENDPOINT = "endpoint policy"
    API = "API resource policy"
    TOPIC = "topic policy"
    RESOURCE = "resource-based policy"

    @property
    def names_principals(self) -> bool:
        """Whether its statements say whom they mean."""
        return self not in (PolicyKind.IDENTITY, PolicyKind.GROUP, PolicyKind.BOUNDARY)

    @property
    def only_narrows(self) -> bool:
        """Whether it grants nothing by itself: what it does not allow is denied, whatever others allow."""
        return self in (PolicyKind.BOUNDARY, PolicyKind.ENDPOINT)


_KINDS = {
    "aws_iam_policy": PolicyKind.IDENTITY,
    "aws_iam_role_policy": PolicyKind.IDENTITY,
    "aws_iam_user_policy": PolicyKind.IDENTITY,
    "aws_iam_group_policy": PolicyKind.GROUP,
    "aws_iam_role": PolicyKind.IDENTITY,
    "aws_s3_bucket": PolicyKind.BUCKET,
    "aws_s3_bucket_policy": PolicyKind.BUCKET,
    "aws_kms_key": PolicyKind.KEY,
    "aws_kms_key_policy": PolicyKind.KEY,
    "aws_kms_external_key": PolicyKind.KEY,
    "aws_vpc_endpoint": PolicyKind.ENDPOINT,
    "aws_vpc_endpoint_policy": PolicyKind.ENDPOINT,
    "aws_api_gateway_rest_api": PolicyKind.API,
    "aws_api_gateway_rest_api_policy": PolicyKind.API,
    "aws_sns_topic": PolicyKind.TOPIC,
    "aws_sns_topic_policy": PolicyKind.TOPIC,
}


@dataclass(frozen=True)
class PolicyDocument:
    """One policy: the resource's address, the path of its attribute, and what it is attached to.

    ``declared`` are the addresses of everything in the Terraform document, ``deciding_tags`` the keys, in lower
    case, of the principal tags that any of its policies looks at.
    """

    address: str
    attribute: str
    kind: PolicyKind
    raw: Mapping[str, Any]
    declared: frozenset[str] = frozenset()
    deciding_tags: frozenset[str] = frozenset()

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The policy as AWS gets it; references stay."""
        unescaped: Mapping[str, Any] = _unescaped(self.raw)
        return unescaped

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """Its statements, in order.

        Raises:
            StatementError: one that is none.

        """
        return read_statements(self.document)


@dataclass(frozen=True)
class Unreadable:
    """An attribute that should hold a policy and does not show it; ``reason`` completes "the policy ..."."""

    address: str
    attribute: str
    reason: str


def find_documents(terraform: Mapping[str, Any]) -> tuple[list[PolicyDocument], list[Unreadable]]:
    """Return the policies of resources and data sources, and the attributes where one should be and is not."""
    declared = declared_addresses(terraform)
    boundaries = _boundaries(terraform)
    found: list[tuple[str, str, PolicyKind, Mapping[str, Any]]] = []
    unreadable: list[Unreadable] = []
    for type_, address, body in _blocks(terraform):
        if type_ == "aws_iam_policy_document":
            unreadable.append(
                Unreadable(address, "statement", "is assembled by Terraform, where nobody reviews it")
            )
            continue
        for path, value in _places(body, ()):
            policy = _policy(value)
            if policy is not None:
                kind = PolicyKind.BOUNDARY if address in boundaries else _kind(type_, path, policy)
                found.append((address, ".".join(path), kind, policy))
            elif path and path[-1] in POLICY_ATTRIBUTES and isinstance(value, str):
                unreadable.append(Unreadable(address, ".".join(path), _why_unreadable(value)))
    tags = frozenset(tag for *_, policy in found for tag in _principal_tags(policy))
    return [PolicyDocument(*one, declared, tags) for one in found], unreadable


def declared_addresses(terraform: Mapping[str, Any]) -> frozenset[str]:
    """Return what expressions can refer to: ``type.name``, ``data.type.name``, ``var.name``, ``local.name``."""
    named = {"variable": "var", "locals": "local", "module": "module"}
    return frozenset(address for _, address, _ in _blocks(terraform)) | {
        f"{prefix}.{name}" for section, prefix in named.items() for name in terraform.get(section, {})
    }


def texts(value: object) -> Iterator[str]:
    """Go through every string in a JSON value, keys of objects included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)


def _blocks(terraform: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for section, prefix in (("resource", ""), ("data", "data.")):
        for type_, named in terraform.get(section, {}).items():
            for name, body in named.items():
                yield type_, f"{prefix}{type_}.{name}", body


def _places(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Go through a block's values with their paths; a policy is one value, and JSON in a string is looked into."""
    yield path, value
    if _policy(value) is not None:
        return
    inside = _json(value) if isinstance(value, str) else value
    if isinstance(inside, Mapping):
        items: Iterable[tuple[object, Any]] = inside.items()
    elif isinstance(inside, list):
        items = enumerate(inside)
    else:
        return
    for key, item in items:
        yield from _places(item, (*path, str(key)))


def _policy(value: object) -> Mapping[str, Any] | None:
    """Return the policy that a value is, as an object or as its text; None if it is none."""
    read = _json(value) if isinstance(value, str) else value
    return read if isinstance(read, Mapping) and _STATEMENT in read else None


def _json(text: str) -> object:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text, object_pairs_hook=once_each)
    except ValueError:
        return None  # a policy with a name twice is one of which nobody knows what AWS would take


def _why_unreadable(text: str) -> str:
    if text.startswith("${"):
        return f"stands somewhere else: {text}"
    return 'is not JSON with a "Statement", or has a name twice'


def _kind(type_: str, path: tuple[str, ...], policy: Mapping[str, Any]) -> PolicyKind:
    if path[-1] == "assume_role_policy":
        return PolicyKind.TRUST
    known = _KINDS.get(type_)
    if known is not None:
        return known
    listed = policy[_STATEMENT] if isinstance(policy[_STATEMENT], list) else [policy[_STATEMENT]]
    names = any(isinstance(one, Mapping) and {"Principal", "NotPrincipal"} & one.keys() for one in listed)
    return PolicyKind.RESOURCE if names else PolicyKind.IDENTITY


def _boundaries(terraform: Mapping[str, Any]) -> frozenset[str]:
    """Return the addresses of policies that a role or user has as its permissions boundary."""
    values = [
        str(body.get("permissions_boundary", ""))
        for _, _, body in _blocks(terraform)
        if isinstance(body, Mapping)
    ]
    return frozenset(
        match[1] for value in values if (match := re.match(r"\$\{(aws_iam_policy\.\w+)\.", value))
    )


def _principal_tags(policy: Mapping[str, Any]) -> Iterator[str]:
    for text in texts(policy):
        for tag in _PRINCIPAL_TAG.findall(text):
            yield tag.lower()


def _unescaped(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        return _ESCAPED.sub(r"\1{", value)
    if isinstance(value, Mapping):
        return {_unescaped(key): _unescaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unescaped(item) for item in value]
    return value
