"""Cases as lines of JSON, their schema read by another implementation, and the command over both."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from gatehouse.access.cases import answer, answers
from gatehouse.access.schema import ANSWER, CASE, schema_text
from gatehouse.cli import app
from tests.unit.access_documents import (
    ACCOUNT,
    OBJECT,
    OTHER,
    ROLE,
    SESSION,
    allow,
    deny,
    document,
    grant,
    statement,
)

CASE_SCHEMA, ANSWER_SCHEMA = Draft202012Validator(CASE), Draft202012Validator(ANSWER)


def case(**changes: object) -> dict[str, Any]:
    """A case that a policy with a variable allows; None leaves a key out."""
    found = {
        "id": "own-team",
        "principal": {"arn": ROLE, "account": ACCOUNT, "session_arn": SESSION, "tags": {"team": "report"}},
        "action": "s3:GetObject",
        "resource": {"arn": OBJECT, "account": ACCOUNT},
        "context": {"aws:SecureTransport": "true", "aws:TagKeys": ["a", "b"]},
        "identity_policies": [
            allow(Action="ec2:*"),
            document(statement(Sid="Own", Resource="arn:aws:s3:::data/${aws:PrincipalTag/team}.*")),
        ],
        **changes,
    }
    return {key: value for key, value in found.items() if value is not None}


def ask(asked: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer(json.dumps(asked)))
    ANSWER_SCHEMA.validate(found)
    return found


def test_an_allow_names_its_statement_and_what_each_layer_said() -> None:
    assert ask(case(permissions_boundary=allow(Sid="Any"))) == {
        "id": "own-team",
        "decision": "Allowed",
        "decided_by": {
            "layer": "identity_policies",
            "policy": "identity_policies[1]",
            "sid": "Own",
            "statement": 0,
        },
        "layers": {
            "identity_policies": {
                "verdict": "Allowed",
                "reach": "direct",
                "statements": [{"policy": "identity_policies[1]", "sid": "Own", "statement": 0}],
            },
            "permissions_boundary": {
                "verdict": "Allowed",
                "reach": "direct",
                "statements": [{"policy": "permissions_boundary", "sid": "Any", "statement": 0}],
            },
        },
    }


def test_an_implicit_deny_names_the_layer_alone() -> None:
    found = ask(case(identity_policies=[]))
    assert found["decision"] == "ImplicitlyDenied"
    assert found["decided_by"] == {
        "layer": "identity_policies",
        "policy": None,
        "sid": None,
        "statement": None,
    }
    assert found["layers"] == {"identity_policies": {"verdict": "ImplicitlyDenied", "statements": []}}


#: What changes in the case, the decision, the layer that decides.
EVERY_KEY: list[tuple[dict[str, object], str, str]] = [
    ({"permissions_boundary": allow(Action="ec2:*")}, "ImplicitlyDenied", "permissions_boundary"),
    ({"session_policy": deny()}, "ExplicitlyDenied", "session_policy"),
    ({"resource_policy": deny(Principal="*")}, "ExplicitlyDenied", "resource_policy"),
    ({"resource_policy": grant(SESSION), "identity_policies": None}, "Allowed", "resource_policy"),
    ({"endpoint_policy": grant(OTHER)}, "ImplicitlyDenied", "endpoint_policy"),
    (
        {"service_control_policies": [[allow()], [allow(), deny()]]},
        "ExplicitlyDenied",
        "service_control_policies",
    ),
    ({"service_control_policies": [[allow()], []]}, "ImplicitlyDenied", "service_control_policies"),
    ({"resource_control_policies": [[deny(Principal="*")]]}, "ExplicitlyDenied", "resource_control_policies"),
    ({"resource": {"arn": OBJECT, "account": OTHER}}, "ImplicitlyDenied", "resource_policy"),
    ({"principal": {"arn": ROLE, "account": ACCOUNT}}, "ImplicitlyDenied", "identity_policies"),
    ({"principal": {"service": "logs.amazonaws.com"}}, "ImplicitlyDenied", "resource_policy"),
    ({"principal": {"arn": "*"}, "resource_policy": allow(Principal="*")}, "Allowed", "resource_policy"),
    ({"context": None}, "Allowed", "identity_policies"),
    (
        {"identity_policies": [allow(Condition={"Bool": {"s3:x": "true"}})], "context": {"s3:x": True}},
        "Allowed",
        "identity_policies",
    ),
    (
        {"identity_policies": [allow(Condition={"NumericEquals": {"s3:x": 5}})], "context": {"s3:x": 5}},
        "Allowed",
        "identity_policies",
    ),
]


@pytest.mark.parametrize(("changes", "decision", "layer"), EVERY_KEY)
def test_every_key_counts(changes: dict[str, object], decision: str, layer: str) -> None:
    asked = case(**changes)
    CASE_SCHEMA.validate(asked)
    found = ask(asked)
    assert (found["decision"], found["decided_by"]["layer"]) == (decision, layer)


def test_a_key_that_is_null_is_as_good_as_none() -> None:
    nothing = {key: None for key in CASE["properties"] if key not in case()}
    asked = {**case(), **nothing, "principal": {**case()["principal"], "service": None}}
    CASE_SCHEMA.validate(asked)
    assert ask(asked) == ask(case())


#: What is wrong, the case, and whether the schema tells as well.
REFUSED: list[tuple[str, object, bool]] = [
    ("is no case", [case()], True),
    ("is no case", "x", True),
    ('no "id"', case(id=None), True),
    ('no "principal"', case(principal=None), True),
    ('no "action"', case(action=None), True),
    ('no "resource"', case(resource=None), True),
    ('"boundary" is unknown', case(boundary=allow()), True),
    ('"session" is unknown', case(principal={"arn": ROLE, "account": ACCOUNT, "session": SESSION}), True),
    ('"owner" is unknown', case(resource={"arn": OBJECT, "owner": ACCOUNT}), True),
    ("principal", case(principal=ROLE), True),
    ("principal.account", case(principal={"arn": ROLE, "account": 111122223333}), True),
    ("context.s3:x", case(context={"s3:x": {"a": "b"}}), True),
    ("context.s3:x", case(context={"s3:x": [None]}), True),
    ("identity_policies", case(identity_policies=allow()), True),
    ("identity_policies[0]", case(identity_policies=["x"]), True),
    ("service_control_policies", case(service_control_policies=[allow()]), True),
    ("permissions_boundary", case(permissions_boundary=[allow()]), True),
    ("permissions_boundary: statement 0", case(permissions_boundary=allow(Action="x")), False),
    ("action", case(action="s3:*"), False),
    (
        "StringIs is no condition operator",
        case(session_policy=allow(Condition={"StringIs": {"s3:x": "a"}})),
        False,
    ),
]


@pytest.mark.parametrize(("finding", "asked", "by_schema"), REFUSED)
def test_what_is_no_case_is_answered_with_an_error(finding: str, asked: object, by_schema: bool) -> None:
    found = ask(asked)
    assert finding in found["error"]
    assert found["id"] == (asked.get("id") if isinstance(asked, dict) else None)
    assert CASE_SCHEMA.is_valid(asked) != by_schema


@pytest.mark.parametrize("line", ["{", "nope", '{"id": NaN}', '{"id": 1, "id": 2}', "[" * 100_000])
def test_a_line_that_is_not_json_is_answered_with_an_error(line: str) -> None:
    found = json.loads(answer(line))
    assert found["id"] is None
    assert found["error"]


def test_a_key_that_is_twice_in_a_policy_is_an_error() -> None:
    line = json.dumps(case()).replace('"Effect": "Allow"', '"Effect": "Deny", "Effect": "Allow"', 1)
    assert '"Effect" is there twice' in json.loads(answer(line))["error"]


def test_answers_come_in_order_and_none_stops_the_next() -> None:
    lines = [json.dumps(case(id=1)), "\n", "nope", json.dumps(case(id={"n": 2}, identity_policies=[]))]
    found = [json.loads(line) for line in answers(lines)]
    assert [one["id"] for one in found] == [1, None, {"n": 2}]
    assert [one.get("decision") for one in found] == ["Allowed", None, "ImplicitlyDenied"]


def test_the_command_reads_lines_and_writes_lines() -> None:
    lines = f"{json.dumps(case())}\nnope\n"
    result = CliRunner().invoke(app, ["access", "evaluate"], input=lines)
    assert result.exit_code == 0
    first, second = map(json.loads, result.stdout.splitlines())
    assert first["decision"] == "Allowed"
    assert second["error"].startswith("not JSON")


def test_what_is_no_text_spoils_its_own_line_alone() -> None:
    lines = json.dumps(case(id="\ud800")).encode() + b'\n{"id": "\xff"}\n' + json.dumps(case()).encode()
    result = CliRunner().invoke(app, ["access", "evaluate"], input=lines)
    assert result.exit_code == 0, result.exception
    half, broken, whole = map(json.loads, result.stdout.splitlines())
    assert half["id"] == "\ud800"
    assert broken["error"].startswith("not JSON")
    assert whole["decision"] == "Allowed"


def test_the_command_prints_the_schema() -> None:
    result = CliRunner().invoke(app, ["access", "evaluate", "--schema"])
    assert result.exit_code == 0
    assert result.stdout == schema_text()
    schema = json.loads(result.stdout)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(case())
