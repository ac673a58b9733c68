"""What an environment file says of access, as invariants of the document that was made of it.

The document is judged without them first: these ask for more, and never for less.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from gatehouse import bindings
from gatehouse.access.invariants import Invariant, Never, Personas, Severity, Stack
from gatehouse.access.invariants.rule import Rule
from gatehouse.access.model import Policies
from gatehouse.access.policy import Kind, Policy
from gatehouse.access.proof import (
    PRINTABLE,
    Holds,
    Not,
    Question,
    Symbol,
    Who,
    anybody,
    service,
    text,
)
from gatehouse.access.request import Sort
from gatehouse.access.world import World
from gatehouse.invariant_settings import OwnInvariant
from gatehouse.personas.model import BUILT_IN, Scope
from gatehouse.personas.render import Names
from gatehouse.personas.use import bound_personas, render_bound
from gatehouse.settings import Egress, Settings

_ASSUMES = (
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:TagSession",
    "sts:SetSourceIdentity",
)
_FILE = "The environment file says what is wanted."


def declared(settings: Settings) -> tuple[Invariant, ...]:
    """Return what the file declares: its network, who becomes whom, and its own invariants."""
    network = (_network(settings),) if settings.api.client_cidrs else ()
    own = tuple(_rule(one).as_invariant() for one in settings.access.invariants)
    return (*network, _trust(settings), *own)


def without_egress(settings: Settings) -> bool:
    """Return whether the file says that nothing leads out of the VPC that it makes.

    A document that has a NAT gateway cannot tell that it was to have none.
    """
    create = settings.network.create
    return create is not None and create.egress is Egress.NONE


def meaning(settings: Settings, folder: Path, world: World) -> Personas:
    """Return what the names of personas mean: those built in as ever, the file's own as their templates say.

    Raises:
        PolicyError: a template of the file cannot be read or filled in.

    """
    plain = Personas()
    added = [one for one in bound_personas(settings, folder) if one.name not in BUILT_IN]
    if not added:
        return plain
    names = Names(
        region=world.region,
        account=world.account,
        prefix=world.api.name,
        api=world.api.arn,
        artifact_bucket=str(world.document.outputs["artifact_bucket"]),
        storage_key=f"arn:aws:kms:{world.region}:{world.account}:key/any",
        operations_document="any",
        scaling_group="any",
        log_groups=("any",),
    )
    rendered = [one for one in render_bound(settings, folder, names) if one.persona in added]
    able = {one.persona.name: tuple(map(str, {*one.capabilities, *one.with_mfa})) for one in rendered}
    # A template may open the routes of artifacts without the objects themselves.
    work = {
        one.persona.name: tuple(
            capability
            for capability in able[one.persona.name]
            if not capability.startswith("artifacts:") or capability.partition(":")[2] in one.artifacts
        )
        for one in rendered
    }

    def that(ends: str) -> tuple[str, ...]:
        return tuple(name for name, found in able.items() if any(one.endswith(ends) for one in found))

    def of(scope: Scope) -> tuple[str, ...]:
        return tuple(one.name for one in added if one.scope is scope)

    return Personas(
        all_teams=(*plain.all_teams, *of(Scope.ALL_TEAMS)),
        stack=(*plain.stack, *of(Scope.STACK)),
        deleters=(*plain.deleters, *that(":delete")),
        promoters=(*plain.promoters, *that(":promote")),
        without_contents=plain.without_contents,
        work={**plain.work, **work},
    )


def _network(settings: Settings) -> Invariant:
    key = "aws:SourceIp" if settings.api.visibility == "regional" else "aws:VpcSourceIp"
    ranges = Holds("IpAddress", key, *map(str, settings.api.client_cidrs))

    def asks(stack: Stack) -> Iterator[Never]:
        call = text(f"{stack.world.api.execution_arn}/", Symbol("call", PRINTABLE))
        opened = stack.open_to_all(stack.world.api.policy)
        for who in anybody(stack.account, partition=stack.world.partition):
            asked = Question(who, ("execute-api:Invoke",), call, opened, stack.account, given=(Not(ranges),))
            yield Never("anybody of the account", "calls the API from outside api.client_cidrs", (asked,))

    return Invariant(
        "declared-network",
        "The API's network is the one declared",
        "Nobody calls the API from an address outside api.client_cidrs of the environment file.",
        Severity.HIGH,
        (_FILE,),
        asks,
    )


def _trust(settings: Settings) -> Invariant:
    declared_roles = {one.name: one for one in bindings.roles(settings)}

    def asks(stack: Stack) -> Iterator[Never]:
        for role in stack.world.personas:
            made = declared_roles.get(role.name)
            known = (
                made is not None and made.path == role.path and dict(made.tags).items() <= role.tags.items()
            )
            wanted = None
            if made is not None and known:
                policy = bindings.trust_policy(made, account=stack.account, region=stack.world.region)
                wanted = Policy.parse(
                    json.loads(policy.replace("$${", "${")), "the environment file", Kind.TRUST
                )
            named = [one.principals for one in role.trust.statements if one.principals is not None]
            everybody = (
                *anybody(partition=stack.world.partition),
                *(
                    Who(Sort.FEDERATED, text(one))
                    for one in sorted({arn for each in named for arn in each.federated})
                ),
                *(service(one) for one in sorted({name for each in named for name in each.services} - {"*"})),
            )
            for who in everybody:
                asked = Question(who, _ASSUMES, text(role.arn), stack.alone(role.trust), stack.account)
                yield Never(
                    who.service or f"any {who.sort.value}",
                    f"becomes {role.name}, or tags its session, and the file does not say so",
                    (asked,),
                    unless=None if wanted is None else Policies((stack.anything,), resource=wanted),
                )

    return Invariant(
        "declared-trust",
        "Who becomes a persona is declared",
        "Nobody becomes a persona, or tags its session, whom access.bindings of the environment file does not name.",
        Severity.CRITICAL,
        (_FILE,),
        asks,
    )


def _rule(one: OwnInvariant) -> Rule:
    on = one.on.team.value if one.on.team else (one.on.arn or "")
    when = one.except_when
    return Rule(
        name=one.name,
        sentence=one.sentence or "",
        severity=Severity(one.severity.value),
        do=one.do,
        on=on,
        personas=one.who.personas,
        except_personas=one.who.except_personas,
        mfa=bool(when and when.mfa),
        networks=when.networks if when else (),
        endpoints=when.endpoints if when else (),
    )
