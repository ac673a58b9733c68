"""A document as a closed world: who is in it, what is in it, and which policies apply when one asks for the other.

::

    world = World.of(read_document(Path("cdktf.out/stacks/dev/cdk.tf.json")))
    role = world.role("data-scientist", "fraud")
    model = f"{world.buckets[1].arn}/workspaces/fraud/1/model"
    decision = world.ask(role, "s3:GetObject", model, {"aws:SecureTransport": "true"})
    print(decision.outcome, world.locate(decision.statement))

Names of policies in decisions are ``address.attribute``. What is outside the document has no policies here: other
accounts, organisation policies and resources of other stacks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from gatehouse.access.compiled import Compiled
from gatehouse.access.context import ContextValue
from gatehouse.access.evaluate import evaluate
from gatehouse.access.iam import Group, Identities, Role, User, read_identities
from gatehouse.access.model import Decision, Policies
from gatehouse.access.policy import Policy, Statement
from gatehouse.access.request import MalformedRequestError, Principal, Request, Resource
from gatehouse.access.resources import (
    Api,
    Bucket,
    Endpoint,
    Key,
    ResourceReader,
    Secret,
    Topic,
    refuse_unknown,
)
from gatehouse.document import Document
from gatehouse.errors import InputError, Problem

#: Boot files of the server, by the end of their keys: the workspaces that it makes, and what it installs.
_TEAMS_FILE, _REQUIREMENTS = "/teams.txt", "/requirements.txt"
_MLFLOW = re.compile(r"^mlflow==([\w.]+)", re.MULTILINE)
_NO_CONTEXT: Mapping[str, ContextValue] = {}


@dataclass(frozen=True, eq=False)
class World:
    """The principals and resources of one document, with compiled policies.

    ``policies`` are all of them by ``address.attribute``.
    """

    document: Document = field(repr=False)
    identities: Identities = field(repr=False)
    buckets: tuple[Bucket, ...]
    keys: tuple[Key, ...]
    topics: tuple[Topic, ...]
    secrets: tuple[Secret, ...]
    endpoints: tuple[Endpoint, ...]
    apis: tuple[Api, ...]
    _compiled: Compiled = field(repr=False)
    _applying: dict[tuple[str, str, str], Policies] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, document: Document) -> Self:
        """Read everything that has to do with access.

        Raises:
            InputError: something cannot be resolved, is not in the document, or is not modelled.
            MalformedPolicyError: a policy that AWS would refuse.

        """
        refuse_unknown(document)
        compiled = Compiled()
        reader = ResourceReader(document, compiled)
        endpoints = reader.endpoints()
        return cls(
            document=document,
            identities=read_identities(document, compiled),
            buckets=reader.buckets(),
            keys=reader.keys(),
            topics=reader.topics(),
            secrets=reader.secrets(),
            endpoints=endpoints,
            apis=reader.apis(endpoints),
            _compiled=compiled,
        )

    @property
    def account(self) -> str:
        """The account of the stack, 12 digits."""
        return self.document.account

    @property
    def region(self) -> str:
        """The region of the stack."""
        return self.document.region

    @property
    def partition(self) -> str:
        """The partition of the stack."""
        return self.document.partition

    @property
    def roles(self) -> Mapping[str, Role]:
        """The roles by ARN."""
        return self.identities.roles

    @property
    def users(self) -> Mapping[str, User]:
        """The users by ARN."""
        return self.identities.users

    @property
    def groups(self) -> Mapping[str, Group]:
        """The groups by ARN."""
        return self.identities.groups

    @property
    def policies(self) -> Mapping[str, Policy]:
        """Every policy by ``address.attribute``."""
        return self._compiled.policies

    @property
    def api(self) -> Api:
        """The one REST API.

        Raises:
            InputError: there is none, or more than one.

        """
        if len(self.apis) != 1:
            raise self._refused(f"has {len(self.apis)} stages of REST APIs", "judge a document with one")
        return self.apis[0]

    @cached_property
    def teams(self) -> tuple[str, ...]:
        """Names of the teams, sorted: those of roles' tags, and those whose workspaces the server makes."""
        tagged = {role.team for role in self.roles.values() if role.team}
        return tuple(sorted(tagged | set((self._boot_file(_TEAMS_FILE) or "").split())))

    @cached_property
    def mlflow_version(self) -> str:
        """The version of MLflow that the servers install.

        Raises:
            InputError: no boot file tells it.

        """
        found = _MLFLOW.findall(self._boot_file(_REQUIREMENTS) or "")
        if len(found) != 1:
            raise self._refused(
                f"does not tell MLflow's version: no boot file *{_REQUIREMENTS} has one line mlflow==",
                "synthesize it anew: gatehouse synth",
            )
        return str(found[0])

    def role(self, persona: str, team: str | None = None) -> Role:
        """Return the role of a persona: that of the team if it has one, or else the one of all its sessions.

        Raises:
            InputError: there is none.

        """
        found = {role.team: role for role in self.roles.values() if role.persona == persona}
        role = found.get(team) or found.get(None)
        if role is None:
            there = sorted({f"{one.persona}" + f" of {one.team}" * bool(one.team) for one in self.personas})
            of = f" of {team}" if team else ""
            raise self._refused(f"has no role of {persona}{of}", f"one of {', '.join(there)}")
        return role

    @cached_property
    def personas(self) -> tuple[Role, ...]:
        """The roles that people and machines assume, not those of the stack's services."""
        return tuple(role for role in self.roles.values() if role.persona)

    def policy_of(self, resource_arn: str) -> Policy | None:
        """Return the policy of a bucket or object, key, API call, topic or secret, or a role's trust policy.

        None: the resource has none, or is not in the document.

        Raises:
            MalformedRequestError: an alias, which policies do not know: KMS asks them about the key.

        """
        if ":alias/" in resource_arn and ":kms:" in resource_arn:
            raise MalformedRequestError(f"resource.arn: {resource_arn} is an alias. Fix: the ARN of its key")
        found = self._policies_by_arn
        return found.get(resource_arn) or found.get(resource_arn.partition("/")[0])

    @cached_property
    def _policies_by_arn(self) -> Mapping[str, Policy | None]:
        resources: list[Bucket | Key | Topic | Secret] = [
            *self.buckets, *self.keys, *self.topics, *self.secrets
        ]  # fmt: skip
        return {
            **{one.arn: one.policy for one in resources},
            **{api.execution_arn: api.policy for api in self.apis},
            **{role.arn: role.trust for role in self.roles.values()},
        }

    def policies_for(self, who: Role | User, resource_arn: str, endpoint: Endpoint | None = None) -> Policies:
        """Return what applies when somebody asks for a resource; the same object for the same policies."""
        resource = self.policy_of(resource_arn)
        key = (who.arn, resource.name if resource else "", endpoint.address if endpoint else "")
        if key not in self._applying:
            self._applying[key] = Policies(
                identity=who.identity,
                boundary=who.boundary,
                resource=resource,
                endpoint=endpoint.policy if endpoint else None,
            )
        return self._applying[key]

    def ask(
        self,
        who: Role | User,
        action: str,
        resource_arn: str,
        context: Mapping[str, ContextValue] = _NO_CONTEXT,
        tags: Mapping[str, str] | None = None,
        endpoint: Endpoint | None = None,
    ) -> Decision:
        """Return the decision on one request; ``tags`` are session tags, beside the principal's own."""
        principal: Principal = who.principal(tags=tags)
        request = Request(principal, action, Resource(resource_arn, self.account), context)
        return evaluate(request, self.policies_for(who, resource_arn, endpoint))

    def locate(self, statement: Statement) -> str:
        """Return where a statement of a decision stands, as ``FILE:LINE``."""
        line = self.document.line_of(*self._compiled.places[statement.policy])
        return f"{self.document.path}:{line}" if line else str(self.document.path)

    def written(self, statement: Statement) -> Mapping[str, Any]:
        """Return a statement of a decision as it is written, references resolved."""
        listed = self._compiled.contents[statement.policy]["Statement"]
        found: Mapping[str, Any] = listed if isinstance(listed, Mapping) else listed[statement.index]
        return found

    def _boot_file(self, end: str) -> str | None:
        """Return the content of the one S3 object whose key ends so."""
        found = [
            one
            for one in self.document.of_type("aws_s3_object")
            if f"/{one.attributes.get('key')}".endswith(end)
        ]
        if len(found) > 1:
            raise found[1].refused("key", f"is a second {end[1:]}", "leave one of them")
        content = found[0].attributes.get("content") if found else None
        return content if isinstance(content, str) else None

    def _refused(self, problem: str, fix: str) -> InputError:
        return InputError([Problem(str(self.document.path), problem, fix)])
