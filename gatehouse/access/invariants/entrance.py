"""The API's entrance: who calls it at all, and from where."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator

from gatehouse.access.invariants.data import in_account, is_one_of
from gatehouse.access.invariants.model import Never, Severity, invariant
from gatehouse.access.invariants.stack import Stack
from gatehouse.access.model import Policies
from gatehouse.access.proof import PRINTABLE, AnyOf, Holds, Not, Question, Symbol, anybody, text

_INVOKE = ("execute-api:Invoke",)


def _call(stack: Stack) -> tuple[str | Symbol, ...]:
    return text(f"{stack.world.api.execution_arn}/", Symbol("call", PRINTABLE))


@invariant(
    "only-personas-call",
    "The API answers personas alone",
    "Nobody but a persona of the stack calls the API, whatever IAM grants: the API's policy alone sees to it.",
    Severity.CRITICAL,
    "A role is a persona of the stack by its path, /PREFIX/PERSONA/, where PREFIX is the API's name.",
)
def only_personas_call(stack: Stack) -> Iterator[Never]:
    """Ask of everybody else in the account."""
    others = Not(is_one_of((stack.personas_path,)))
    for who in in_account(stack):
        asked = Question(
            who, _INVOKE, _call(stack), stack.alone(stack.world.api.policy), stack.account, given=(others,)
        )
        yield Never("anybody of the account", "calls the API", (asked,))


@invariant(
    "private-api",
    "A private API answers through its own endpoints",
    "Nobody calls a private API but through the endpoints that it is associated with; that of the stack lets personas "
    "call this API and nothing else.",
    Severity.HIGH,
)
def private_api(stack: Stack) -> Iterator[Never]:
    """Ask of everybody by the API's policy alone, and by the endpoint's; a regional API has no endpoint."""
    api = stack.world.api
    if not api.private:
        return
    through = Holds("StringEquals", "aws:SourceVpce", *api.endpoint_ids) if api.endpoint_ids else AnyOf(())
    for who in anybody(partition=stack.world.partition):
        asked = Question(
            who, _INVOKE, _call(stack), stack.open_to_all(api.policy), stack.account, given=(Not(through),)
        )
        yield Never(f"any {who.sort.value}", "calls the API past its endpoints", (asked,))
    if api.entry is None:
        return
    others = Not(is_one_of((stack.personas_path,)))
    door = Policies((stack.anything,), resource=stack.delegates, endpoint=api.entry.policy)
    for who in in_account(stack):
        asked = Question(who, _INVOKE, _call(stack), door, stack.account, given=(others,))
        yield Never("anybody of the account", f"calls the API through {api.entry.address}", (asked,))
        elsewhere = text(
            f"arn:{stack.world.partition}:execute-api:{stack.world.region}:{stack.account}:another/",
            Symbol("call", PRINTABLE),
        )
        asked = Question(who, _INVOKE, elsewhere, door, stack.account)
        yield Never("anybody of the account", f"calls another API through {api.entry.address}", (asked,))


@invariant(
    "own-network",
    "The API answers its own network",
    "Nobody calls the API from an address outside the ranges that its policy names, nor do these hold half of all "
    "addresses.",
    Severity.HIGH,
    "Which ranges are the own, the environment file says (see declared-network).",
)
def own_network(stack: Stack) -> Iterator[Never]:
    """Ask for addresses at large, of which a network that is one's own cannot have any."""
    api = stack.world.api
    key = "aws:VpcSourceIp" if api.private else "aws:SourceIp"
    named = {
        value
        for statement in (api.policy.statements if api.policy else ())
        for condition in statement.conditions
        if condition.key == key.lower() and condition.operator.endswith("IpAddress")
        for value in condition.values
    }
    if api.private and not named:
        return  # its endpoints alone are the entrance
    own = Holds("IpAddress", key, *sorted(named)) if named and not _hold_half(named) else AnyOf(())
    for who in in_account(stack):
        asked = Question(
            who, _INVOKE, _call(stack), stack.open_to_all(api.policy), stack.account, given=(Not(own),)
        )
        yield Never("anybody of the account", "calls the API from outside the own network", (asked,))


def _hold_half(ranges: Collection[str]) -> bool:
    """Whether ranges hold half of all addresses of a version together: one by one none of four quarters does."""
    networks = [ipaddress.ip_network(one, strict=False) for one in ranges]
    old = ipaddress.collapse_addresses(one for one in networks if isinstance(one, ipaddress.IPv4Network))
    new = ipaddress.collapse_addresses(one for one in networks if isinstance(one, ipaddress.IPv6Network))
    return (
        sum(one.num_addresses for one in old) >= ipaddress.IPv4Network("0.0.0.0/1").num_addresses
        or sum(one.num_addresses for one in new) >= ipaddress.IPv6Network("::/1").num_addresses
    )
