"""The parts of the invariants that need no stack: what a file may say, how verdicts are written, what is looked up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gatehouse import trust
from gatehouse.access import Policies, Policy, Principal, Request, Resource, evaluate
from gatehouse.access.invariants import INVARIANTS, Counterexample, Invariant, Place, Proof, Severity
from gatehouse.access.invariants.outputs import as_json, as_markdown, as_text
from gatehouse.access.invariants.stack import Near, may_match
from gatehouse.access.invariants.trust import IN_ASSERTION, IN_TOKEN
from gatehouse.access.pattern import tokens
from gatehouse.access.policy import Kind
from gatehouse.access_settings import Access
from gatehouse.fields import RefusedError

OWN: dict[str, Any] = {"name": "no-deletes", "do": ["registry:delete"]}
API = "arn:aws:execute-api:eu-west-1:111122223333:a/api"


def access(**changes: object) -> dict[str, Any]:
    return {"invariants": [{**OWN, **changes}]}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"who": {"personas": ["reader"]}, "on": {"team": "other"}, "severity": "critical"},
        {"do": ["s3:DeleteObject", "artifacts:delete"], "except_when": {"mfa": True}},
        {"do": ["kms:Decrypt"], "on": {"arn": "arn:aws:kms:eu-west-1:111122223333:key/*"}},
    ],
)
def test_an_invariant_is_read(changes: dict[str, object]) -> None:
    (found,) = Access.model_validate(access(**changes)).invariants
    assert found.name == "no-deletes"


@pytest.mark.parametrize(
    ("changes", "field", "fix"),
    [
        ({"do": ["registry:deletes"]}, "do.0", 'write "registry:delete"'),
        ({"do": ["registr:delete"]}, "do.0", "on: {arn:"),
        ({"do": ["s3:*"]}, "do.0", "without wildcards"),
        ({"do": []}, "do", ""),
        ({"do": ["iam:PassRole"]}, "do.0", "on: {arn:"),
        ({"on": {"arn": "arn:aws:s3:::b/*"}}, "do.0", "on: {team: ...}"),
        ({"on": {}}, "on.team", "give one of the two"),
        ({"on": {"team": "own", "arn": "arn:aws:s3:::b/*"}}, "on.team", "give one of the two"),
        ({"on": {"team": "fraud"}}, "on.team", "own"),
        ({"who": {"personas": ["redaer"]}}, "who.personas", 'write "reader"'),
        ({"who": {"except_personas": ["nobody-we-know"]}}, "who.except_personas", "use one of them"),
        ({"except_when": {}}, "except_when", "leave it out"),
        ({"severity": "bad"}, "severity", "critical"),
        ({"extra": 1}, "extra", ""),
    ],
)
def test_a_mistake_is_named_with_its_fix(changes: dict[str, object], field: str, fix: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Access.model_validate(access(**changes))
    told = refused.value.errors()[0]
    error = told.get("ctx", {}).get("error")
    place = [
        *map(str, told["loc"]),
        *([error.field] if isinstance(error, RefusedError) and error.field else []),
    ]
    assert ".".join(place).removeprefix("invariants.0.").startswith(field.removeprefix("invariants.0."))
    assert fix in (error.fix if isinstance(error, RefusedError) else told["msg"])


def test_two_invariants_have_two_names() -> None:
    with pytest.raises(ValidationError, match="two invariants"):
        Access.model_validate({"invariants": [OWN, OWN]})


def test_ids_are_distinct_and_texts_are_sentences() -> None:
    assert len({one.id for one in INVARIANTS}) == len(INVARIANTS)
    for one in INVARIANTS:
        assert one.sentence.endswith("."), one.id
        assert all(text.endswith(".") for text in one.assumptions), one.id


def test_what_descriptions_say_in_place_of_mfa_is_known() -> None:
    source = trust.__file__
    assert source is not None
    text = Path(source).read_text(encoding="utf-8")
    assert IN_TOKEN in text
    assert IN_ASSERTION in text


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        (f"{API}/GET/${{aws:PrincipalTag/team}}/runs/*", "GET//runs/get", True),
        (f"{API}/GET/${{aws:PrincipalTag/team}}/runs/*", "GET//registry/get", False),
        (f"{API}/POST/${{aws:PrincipalTag/team}}/runs/*", "GET//runs/get", False),
        (f"{API}/GET/${{aws:PrincipalTag/team}}/${{aws:username}}/get", "GET//runs/get", True),
        (f"{API}/GET/${{aws:PrincipalTag/team}}*", "GET//runs/get", True),
        (f"{API}/GET/${{aws:PrincipalTag/team}}", "GET//runs/get", False),
        (f"{API}/GET/${{aws:PrincipalTag/team}}", "GET/", True),
        (f"{API}/GET/fraud/${{aws:PrincipalTag/team}}/get", "GET//runs/get", True),  # of a team named fraud
        (f"{API}/${{aws:PrincipalTag/team}}/runs/get", "GET//get", True),
        (f"{API}/GET/*/get", "GET//runs/get", True),
        (f"{API}/GET/*/get", "GET//runs/delete", False),
        (f"{API}/*/runs/get", "GET//get", True),  # of a team named runs
        (f"{API}/*", "GET//runs/delete", True),
        (f"{API}/*/fraud/runs/*", "GET//runs/delete", True),
        (f"{API}/*/fraud/models/*", "GET//runs/delete", False),
        ("arn:aws:s3:::bucket", "GET//runs/delete", False),
        ("*", "GET//runs/delete", True),
    ],
)
def test_a_pattern_that_comes_near_a_call_is_looked_at(pattern: str, path: str, expected: bool) -> None:
    read = tokens(pattern, variables=True, wildcards=True)
    assert may_match(read, f"{API}/{path}") is expected
    assert Near([read]).may_match(f"{API}/{path}") is expected
    assert not Near([]).may_match(f"{API}/{path}")


def _failure(name: str) -> Proof:
    document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    policies = Policies(identity=(Policy.parse(document, "p", Kind.IDENTITY),))
    who = Principal("arn:aws:iam::111122223333:role/x", tags={"team": name})
    request = Request(who, "s3:GetObject", Resource("arn:aws:s3:::b/k", "111122223333"), {"aws:x": name})
    made = Invariant("own", name, f"{name}.", Severity.HIGH, (f"{name}.",), lambda _stack: ())
    place = Place("aws_iam_policy.p.policy", name, "Allow", "identity_policies", "f.json:3")
    decision = evaluate(request, policies)
    return Proof(made, made.assumptions, 1, Counterexample("x", name, request, decision, policies, (place,)))


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a|b", "[x](http://y)", "a\x1b[31mb\nc"])
def test_what_a_document_names_is_no_markup(name: str) -> None:
    proof = _failure(name)
    assert json.loads(as_json("dev", [proof]))["invariants"][0]["counterexample"]["what"] == name
    markdown = as_markdown("dev", [proof])
    assert "<script>" not in markdown
    assert "](http" not in markdown
    assert all(line.count(" | ") == 3 for line in markdown.splitlines() if line.startswith("| FAIL"))
    for written in (markdown, as_text("dev", [proof])):
        assert "\x1b" not in written
        assert "f.json:3" in written.replace("\\", "")


def test_a_failure_shows_request_and_statement() -> None:
    written = as_text("dev", [_failure("fraud")])
    for part in ("0 of 1 invariants proved", "FAIL", "s3:GetObject", "arn:aws:s3:::b/k", "Allow by fraud of"):
        assert part in written
