"""What holds of every request and all policies, whatever they say: hundreds of random ones, always the same.

Documents are made of few elements that meet often, so that every layer allows, denies and says nothing many times.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gatehouse.access import Decision, Layer, Outcome, Policies, Principal, Request, Resource, evaluate
from gatehouse.access.cases import format_decision
from gatehouse.access.context import Context
from gatehouse.access.pattern import Grammar, Patterns, Wildcard, tokens
from gatehouse.access.schema import ANSWER
from tests.unit.access_documents import (
    ACCOUNT,
    FEDERATED,
    LINKED,
    OTHER,
    ROLE,
    ROOT,
    SESSION,
    USER,
    Document,
    document,
    statement,
)

KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234"
TARGET = f"arn:aws:iam::{ACCOUNT}:role/target"
SCHEMA = Draft202012Validator(ANSWER)

#: Random statements and documents of each layer, from which examples are drawn.
POOL = 60
examples = settings(max_examples=200, derandomize=True, deadline=None, database=None)

PRINCIPALS = [
    Principal(ROLE, ACCOUNT, SESSION, tags={"team": "fraud"}),
    Principal(ROLE, ACCOUNT, SESSION),
    Principal(ROLE, ACCOUNT, tags={"team": "*"}),
    Principal(USER, ACCOUNT, tags={"team": "search"}),
    Principal(USER, ACCOUNT, FEDERATED),
    Principal(LINKED, ACCOUNT),
    Principal(ROOT, ACCOUNT),
    Principal(service="logs.amazonaws.com"),
    Principal("*"),
]
ASKED = [
    ("s3:GetObject", "arn:aws:s3:::data/fraud/x"),
    ("s3:PutObject", "arn:aws:s3:::data/search/x"),
    ("sqs:SendMessage", f"arn:aws:sqs:eu-west-1:{ACCOUNT}:fraud"),
    ("kms:Decrypt", KEY),
    ("s3:ListAllMyBuckets", "*"),
]
ASSUMING = ("sts:AssumeRole", TARGET)
CONTEXTS: list[dict[str, Any]] = [
    {},
    {
        "aws:SecureTransport": "true",
        "aws:SourceIp": "203.0.113.7",
        "aws:TagKeys": ["team"],
        "aws:RequestTag/team": "fraud",
    },
    {"aws:SecureTransport": "false", "aws:SourceIp": "2001:db8::1", "aws:TagKeys": []},
    {
        "aws:MultiFactorAuthPresent": "true",
        "aws:TagKeys": ["team", "area"],
        "aws:RequestTag/team": "search",
    },
]
ACTIONS: list[object] = ["*", "s3:*", "s3:Get*", ["s3:GetObject", "sqs:SendMessage"], "kms:*", "sts:*"]
RESOURCES: list[object] = [
    "*",
    "arn:aws:s3:::data/*",
    "arn:aws:s3:::data/${aws:PrincipalTag/team}/*",
    ["arn:aws:s3:::*/fraud/*", "arn:aws:sqs:*:*:${aws:PrincipalTag/team, 'fraud'}"],
    ["arn:aws:sqs:*", "arn:aws:kms:*:*:key/*"],
]
CONDITIONS: list[Document] = [
    {"Bool": {"aws:SecureTransport": "true"}},
    {"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}},
    {"StringEquals": {"aws:PrincipalTag/team": ["fraud", "search"]}},
    {"StringNotLike": {"aws:PrincipalTag/team": "f*"}},
    {"StringNotEquals": {"aws:RequestTag/team": "${aws:PrincipalTag/team}"}},
    {"StringLike": {"aws:RequestTag/team": ["${aws:PrincipalTag/team}*", "${aws:username, 'search'}"]}},
    {"ForAllValues:StringEquals": {"aws:TagKeys": "team"}},
    {"ForAnyValue:StringEquals": {"aws:TagKeys": "team"}},
    {"Null": {"aws:PrincipalTag/team": "true"}, "NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
    {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}},
]
NAMES: list[object] = [
    "*",
    {"AWS": "*"},
    {"AWS": ACCOUNT},
    {"AWS": [ROLE, OTHER]},
    {"AWS": SESSION},
    {"AWS": [USER, ROOT]},
    {"AWS": FEDERATED},
    {"Service": "logs.amazonaws.com"},
    {},
]


def written(random: Random, layer: Layer, *, is_trust: bool, effect: str) -> Document:
    """One random statement that may stand in a layer."""
    found: Document = {"Effect": effect or random.choice(("Allow", "Allow", "Allow", "Deny"))}
    found[random.choice(("Action", "Action", "NotAction"))] = random.choice(ACTIONS)
    if not (is_trust and layer is Layer.RESOURCE):
        found[random.choice(("Resource", "Resource", "NotResource"))] = random.choice(RESOURCES)
    if found["Effect"] == "Deny" or random.random() < 1 / 3:
        found["Condition"] = random.choice(CONDITIONS)
    if layer is Layer.RESOURCE_CONTROL:
        found["Principal"] = "*"
    if layer in (Layer.RESOURCE, Layer.ENDPOINT):
        names = random.choice(NAMES)
        may_be_negated = found["Effect"] == "Deny" and not is_trust and names
        found["NotPrincipal" if may_be_negated and random.random() < 1 / 2 else "Principal"] = names
    return found


@cache
def statements(layer: Layer, *, is_trust: bool = False, effect: str = "") -> st.SearchStrategy[Document]:
    random = Random(f"{layer} {is_trust} {effect}")
    return st.sampled_from([written(random, layer, is_trust=is_trust, effect=effect) for _ in range(POOL)])


@cache
def documents(layer: Layer, *, is_trust: bool = False) -> st.SearchStrategy[Document]:
    # An organisation's own resource control policies can only deny.
    effect = "Deny" if layer is Layer.RESOURCE_CONTROL else ""
    random = Random(f"{layer} {is_trust}")
    listed = []
    for _ in range(POOL):
        found = [
            written(random, layer, is_trust=is_trust, effect=effect) for _ in range(random.randint(1, 3))
        ]
        if not effect and random.random() < 2 / 3:
            found.append(everything(layer))
        listed.append(document(*({**one, "Sid": f"S{index}"} for index, one in enumerate(found))))
    return st.sampled_from(listed)


def everything(layer: Layer) -> Document:
    if layer is Layer.RESOURCE:
        return statement(Principal={"AWS": ACCOUNT}, Resource=None)
    return statement(Principal="*" if layer is Layer.ENDPOINT else None)


def some(layer: Layer, *, is_trust: bool = False) -> st.SearchStrategy[Document | None]:
    return st.one_of(st.none(), st.none(), documents(layer, is_trust=is_trust))


def levels(layer: Layer) -> st.SearchStrategy[list[list[Document]]]:
    one = documents(layer)
    return st.sampled_from([0, 0, 0, 1, 2]).flatmap(
        lambda number: st.lists(st.lists(one, min_size=1, max_size=2), min_size=number, max_size=number)
    )


@st.composite
def asked(draw: st.DrawFn) -> tuple[Request, Policies]:
    """A request, with every layer or some."""
    action, arn = draw(st.sampled_from([*ASKED, ASSUMING]))
    owner = draw(st.sampled_from((ACCOUNT, ACCOUNT, OTHER)))
    request = Request(
        draw(st.sampled_from(PRINCIPALS)), action, Resource(arn, owner), draw(st.sampled_from(CONTEXTS))
    )
    return request, Policies(
        identity=draw(st.lists(documents(Layer.IDENTITY), max_size=2)),
        boundary=draw(some(Layer.BOUNDARY)),
        session=draw(some(Layer.SESSION)),
        resource=draw(some(Layer.RESOURCE, is_trust=is_trust(request))),
        endpoint=draw(some(Layer.ENDPOINT)),
        scp=draw(levels(Layer.SERVICE_CONTROL)),
        rcp=draw(levels(Layer.RESOURCE_CONTROL)),
    )


#: The arguments of Policies.
FIELDS = {
    Layer.IDENTITY: "identity",
    Layer.BOUNDARY: "boundary",
    Layer.SESSION: "session",
    Layer.RESOURCE: "resource",
    Layer.ENDPOINT: "endpoint",
    Layer.SERVICE_CONTROL: "scp",
    Layer.RESOURCE_CONTROL: "rcp",
}


def with_statement(policies: Policies, layer: Layer, added: Document) -> Policies:
    """The policies with one more statement in a layer, in a document of its own where the layer has none."""
    existing: Any = getattr(policies, FIELDS[layer])
    more: Any = document(*(existing["Statement"] if isinstance(existing, dict) else ()), added)
    if layer is Layer.IDENTITY:
        more = [*existing, more]
    elif layer in (Layer.SERVICE_CONTROL, Layer.RESOURCE_CONTROL):
        more = [[document(*level[0]["Statement"], added), *level[1:]] for level in existing] or [[more]]
    return replace(policies, **{FIELDS[layer]: more})


def has(policies: Policies, layer: Layer) -> bool:
    return layer in (Layer.IDENTITY, Layer.RESOURCE) or bool(getattr(policies, FIELDS[layer]))


def is_trust(request: Request) -> bool:
    return request.resource.arn == TARGET


LAYERS = st.sampled_from([*Layer])


@examples
@given(asked())
def test_a_deny_of_any_layer_is_the_decision(case: tuple[Request, Policies]) -> None:
    decision = evaluate(*case)
    denies = [
        layer for layer, verdict in decision.layers.items() if verdict.outcome is Outcome.EXPLICITLY_DENIED
    ]
    assert (decision.outcome is Outcome.EXPLICITLY_DENIED) == bool(denies)
    assert not denies or decision.layer == denies[0]


@examples
@given(st.data(), asked(), LAYERS)
def test_an_added_deny_never_allows(
    data: st.DataObject, case: tuple[Request, Policies], layer: Layer
) -> None:
    request, policies = case
    added = data.draw(statements(layer, is_trust=is_trust(request), effect="Deny"))
    before, after = evaluate(request, policies), evaluate(request, with_statement(policies, layer, added))
    assert before.allowed or not after.allowed
    # And where it did deny already, it still does.
    assert before.outcome is not Outcome.EXPLICITLY_DENIED or after.outcome is Outcome.EXPLICITLY_DENIED


@examples
@given(st.data(), asked(), LAYERS)
def test_an_added_allow_never_denies(
    data: st.DataObject, case: tuple[Request, Policies], layer: Layer
) -> None:
    """Not so in a layer without policies that only limits, and not for resource control policies.

    The first Allow of a level of those stands for RCPFullAWSAccess, which is taken as given where none is.
    """
    request, policies = case
    if not has(policies, layer) or layer is Layer.RESOURCE_CONTROL:
        return
    added = data.draw(statements(layer, is_trust=is_trust(request), effect="Allow"))
    before, after = evaluate(request, policies), evaluate(request, with_statement(policies, layer, added))
    assert after.allowed or not before.allowed
    assert (before.outcome is Outcome.EXPLICITLY_DENIED) == (after.outcome is Outcome.EXPLICITLY_DENIED)


LIMITING = [Layer.BOUNDARY, Layer.SESSION, Layer.ENDPOINT, Layer.SERVICE_CONTROL, Layer.RESOURCE_CONTROL]


@examples
@given(st.data(), asked(), st.sampled_from(LIMITING))
def test_what_limits_only_removes(data: st.DataObject, case: tuple[Request, Policies], layer: Layer) -> None:
    """Not so for the session policy of a federated user, who has nothing without one."""
    request, policies = case
    if has(policies, layer) or (layer is Layer.SESSION and request.principal.is_federated_session):
        return
    added = data.draw(statements(layer, is_trust=is_trust(request)))
    after = evaluate(request, with_statement(policies, layer, added))
    assert evaluate(request, policies).allowed or not after.allowed


def rewritten(found: Any, random: Random) -> Any:  # noqa: ANN401  # documents, in lists or not
    """Policies with their statements in another order and other Sids; documents of a level too are shuffled."""
    if isinstance(found, list):
        return [rewritten(one, random) for one in random.sample(found, len(found))]
    if found is None:
        return None
    shuffled = random.sample(found["Statement"], len(found["Statement"]))
    return document(*({**one, "Sid": f"R{index}"} for index, one in enumerate(shuffled)))


def summary(decision: Decision) -> object:
    said = {layer: (verdict.outcome, verdict.reach) for layer, verdict in decision.layers.items()}
    return decision.outcome, decision.layer, said


@examples
@given(asked(), st.integers(0, 1000))
def test_order_and_sids_change_nothing(case: tuple[Request, Policies], seed: int) -> None:
    request, policies = case
    random = Random(seed)
    other = Policies(
        identity=rewritten(policies.identity, random),
        boundary=rewritten(policies.boundary, random),
        session=rewritten(policies.session, random),
        resource=rewritten(policies.resource, random),
        endpoint=rewritten(policies.endpoint, random),
        scp=[rewritten(level, random) for level in policies.scp],
        rcp=[rewritten(level, random) for level in policies.rcp],
    )
    assert summary(evaluate(request, policies)) == summary(evaluate(request, other))


@examples
@given(asked())
def test_the_decision_names_what_is_there(case: tuple[Request, Policies]) -> None:
    """Policy, index and Sid lead to a statement of the effect that decided, and the answer is as the schema says."""
    request, policies = case
    decision = evaluate(request, policies)
    answer = format_decision("x", decision)
    SCHEMA.validate(json.loads(json.dumps(answer)))
    named = [(decision.layer, decision.outcome, decision.statement)] if decision.statement else []
    named += [(layer, one.outcome, said) for layer, one in decision.layers.items() for said in one.statements]
    for layer, outcome, said in named:
        assert said.is_deny == (outcome is Outcome.EXPLICITLY_DENIED)
        if said.policy != "RCPFullAWSAccess":
            there = place(policies, layer, said.policy)["Statement"][said.index]
            assert (there["Sid"], there["Effect"] == "Deny") == (said.sid, said.is_deny)
    assert (decision.statement is None) == (
        decision.outcome is Outcome.IMPLICITLY_DENIED
        or (decision.layer is Layer.IDENTITY and not decision.layers[Layer.IDENTITY].statements)
    )


def place(policies: Policies, layer: Layer, name: str) -> Any:  # noqa: ANN401
    """Follow a policy's name, such as service_control_policies[0][1]."""
    found: Any = getattr(policies, FIELDS[layer])
    first, *indices = name.replace("]", "").split("[")
    assert first == layer.value
    for index in indices:
        found = found[int(index)]
    return found


@examples
@given(asked())
def test_policies_that_were_asked_before_say_the_same(case: tuple[Request, Policies]) -> None:
    """Nothing that is kept for one principal, resource or context is taken for another."""
    request, policies = case
    for principal in PRINCIPALS:
        other = replace(request, principal=principal)
        assert summary(evaluate(other, policies)) == summary(evaluate(other, replace(policies)))


LETTERS = st.text(alphabet="ab:*?", max_size=8)


def matches(pattern: str, value: str) -> bool:
    """Wildcards by their definition, letter by letter."""
    if not pattern:
        return not value
    if pattern[0] == "*":
        return any(matches(pattern[1:], value[start:]) for start in range(len(value) + 1))
    return bool(value) and pattern[0] in ("?", value[0]) and matches(pattern[1:], value[1:])


@examples
@given(st.lists(LETTERS, max_size=4), LETTERS)
def test_wildcards_match_as_defined(texts: list[str], value: str) -> None:
    parsed = [tokens(text, variables=False, wildcards=True) for text in texts]
    patterns = Patterns(parsed, Grammar.TEXT)
    fits = any(matches(text, value) for text in texts)
    assert patterns.match(value, Context({})) == fits
    filled = patterns.filled(Context({}))
    assert not fits or value.startswith(filled.heads)
    assert not filled.is_decided_by_head or fits == value.startswith(filled.heads)


@examples
@given(st.lists(st.sampled_from(("arn", "a", "b", "*", "?", ":", ":", "/")), max_size=14), st.data())
def test_arns_match_within_their_parts(pieces: list[str], data: st.DataObject) -> None:
    """Where pattern and value have the same parts, each part is compared apart, by either grammar."""
    pattern = "".join(pieces)
    parts = pattern.split(":", 5)
    value = ":".join(data.draw(st.text(alphabet="ab/", max_size=3)) for _ in parts)
    parsed = tokens(pattern, variables=False, wildcards=True)
    if parsed == (Wildcard.MANY,) or len(parts) < 6:
        return
    fits = all(matches(one, other) for one, other in zip(parts, value.split(":", 5), strict=True))
    assert Patterns([parsed], Grammar.ARN).match(value, Context({})) == fits
    assert Patterns([parsed], Grammar.RESOURCE).match(value, Context({})) >= fits
