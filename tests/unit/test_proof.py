"""The prover: what is proved of a small stack, and the witness of every hole that is planted in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gatehouse.access import Decision, Policies, Principal, Request, evaluate
from gatehouse.access.conditions import parse_condition
from gatehouse.access.proof import (
    OBJECT_KEY,
    SEGMENT,
    TAG,
    TEAM,
    Holds,
    Like,
    ProofError,
    Prover,
    Question,
    Symbol,
    TextLike,
    Who,
    absent,
    anonymous,
    anybody,
    different,
    find,
    present,
    roles,
    root,
    text,
    unlike,
    users,
)
from gatehouse.access.proof.actions import actions
from gatehouse.access.proof.classes import classes
from tests.unit.access_documents import Document, document, grant, statement
from tests.unit.proof_cases import second_opinion, smt

ACCOUNT, OTHER = "111122223333", "444455556666"
BUCKET = "arn:aws:s3:::artifacts"
TAGGED = f"{BUCKET}/workspaces/${{aws:PrincipalTag/team}}/*"
ROLE = Principal(
    f"arn:aws:iam::{ACCOUNT}:role/ml/scientist", ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/scientist/s"
)
A, B, KEY = Symbol("a", TAG), Symbol("b", SEGMENT), Symbol("key", OBJECT_KEY)
READ = {"Sid": "Read", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": TAGGED}
TLS = statement("Deny", Principal="*", Action="s3:*", Condition={"Bool": {"aws:SecureTransport": "false"}})
OTHER_TEAMS = statement(
    "Deny",
    Principal="*",
    Action="s3:*",
    NotResource=[BUCKET, TAGGED],
    Condition={"Null": {"aws:PrincipalTag/team": "false"}},
)
WITHOUT_TEAM = statement(
    "Deny", Principal="*", Action="s3:*", Condition={"Null": {"aws:PrincipalTag/team": "true"}}
)
NO_SLASH = statement("Deny", Condition={"StringLike": {"aws:PrincipalTag/team": "*/*"}})


def stack(
    read: Document | None = None, bucket: tuple[Document, ...] = (TLS,), boundary: bool = True
) -> Policies:
    """One persona that reads and writes its team's objects."""
    return Policies(
        identity=[document(statement(**(READ if read is None else read)))],
        boundary=document(statement(), NO_SLASH) if boundary else None,
        resource=document(*bucket),
    )


def tenancy(policies: Policies, team: TextLike | None = A) -> Question:
    """Whether anybody of one team gets at another team's objects."""
    who = Who.of(ROLE).tagged(team=team)
    resource = text(f"{BUCKET}/workspaces/", B, "/", KEY)
    given = () if team is None else (different(team, B),)
    return Question(
        who, ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"), resource, policies, ACCOUNT, given=given
    )


PROVED = {
    "tenancy": tenancy(stack()),
    "tenancy by the bucket alone": tenancy(stack({}, (TLS, OTHER_TEAMS))),
    "no tag": tenancy(stack(), None),
    "no tag, by the bucket alone": tenancy(stack({}, (WITHOUT_TEAM,)), None),
    "no TLS": replace(tenancy(stack({})), context={"aws:SecureTransport": "false"}, given=()),
}
HOLES: dict[str, Question] = {
    "a widened prefix": tenancy(stack({**READ, "Resource": f"{BUCKET}/workspaces/*"})),
    "no slash after the team": tenancy(stack({**READ, "Resource": TAGGED.replace("/*", "*")})),
    "another beginning": tenancy(stack({**READ, "Resource": f"{BUCKET}/*/${{aws:PrincipalTag/team}}/*"})),
    "a wildcard before the team": tenancy(stack({**READ, "Resource": TAGGED.replace("$", "*$")})),
    "one character before the team": tenancy(stack({**READ, "Resource": TAGGED.replace("$", "?$")})),
    "a tag with a slash": replace(
        tenancy(stack(boundary=False)),
        resource=text(f"{BUCKET}/workspaces/", Symbol("b", TEAM), "/", KEY),
        given=(different(A, Symbol("b", TEAM)),),
    ),
    "a default for the team": tenancy(
        stack({**READ, "Resource": TAGGED.replace("team}", "team, 'all'}")}), None
    ),
    "no Null partner": tenancy(stack({}, (TLS, OTHER_TEAMS)), None),
    "TLS denied if the key is there": replace(
        tenancy(stack({})), context={"aws:SecureTransport": None}, given=()
    ),
    "the bucket's own Allow": tenancy(stack(bucket=(statement(Principal={"AWS": ROLE.session_arn}),))),
}


@pytest.mark.parametrize("name", PROVED)
def test_what_is_so_is_proved(name: str) -> None:
    answer = Prover().answer(PROVED[name])
    assert answer.witness is None
    assert any("one value" in one for one in answer.assumptions)


@pytest.mark.parametrize("name", HOLES)
def test_a_hole_is_found_and_the_evaluator_allows_it(name: str) -> None:
    question = HOLES[name]
    witness = find(question)
    assert witness is not None
    assert witness.decision.allowed
    assert evaluate(witness.request, question.policies).allowed
    assert witness.request.resource.arn.startswith(f"{BUCKET}/")
    for symbol in (A, B, KEY):
        assert symbol.name not in witness.values or symbol.alphabet.has(witness.values[symbol.name])


def test_another_solver_agrees_on_proofs_and_holes() -> None:
    """z3, wherever it answers in time: on most proofs, and on some holes."""
    prover, answered = Prover(), {True: 0, False: 0}
    for question in (*PROVED.values(), *HOLES.values()):
        for encoding in prover.encodings(question):
            if isinstance(encoding.formula, bool):
                continue
            opinion = second_opinion(encoding)
            if opinion is not None:
                assert prover.is_satisfiable(encoding) == opinion, smt(encoding)
                answered[opinion] += 1
    assert answered[True] > 5, answered
    assert answered[False] > 1, answered


def test_the_proofs_need_what_they_are_about() -> None:
    """Each Deny and condition that a proof rests on is missed when it is gone."""
    assert find(tenancy(stack({}, (TLS,)))) is not None
    assert find(replace(PROVED["no TLS"], context={"aws:SecureTransport": "true"})) is not None
    assert find(replace(PROVED["tenancy"], given=())) is not None


def test_a_witness_is_about_the_question() -> None:
    witness = find(
        replace(
            tenancy(stack()),
            given=(Like(KEY, "models/*.bin"), Holds("IpAddress", "aws:SourceIp", "10.0.0.0/8")),
        )
    )
    assert witness is not None
    request = witness.request
    assert request.action in ("s3:GetObject", "s3:PutObject")
    assert request.principal.tags == {"team": witness.values["b"]}
    assert witness.values["key"].startswith("models/")
    assert str(request.context["aws:sourceip"]).startswith("10.")


# Who


def test_anybody_is_stopped_by_a_deny_without_principals() -> None:
    everything = document(statement())
    denied = Policies(
        identity=[everything],
        resource=document(
            statement(Principal="*"),
            statement(
                "Deny", Principal="*", Condition={"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}}
            ),
        ),
    )
    for who in anybody():
        question = Question(who, ("s3:GetObject",), text(f"{BUCKET}/", KEY), denied, ACCOUNT)
        witness = Prover().find(question)
        if not who.account:
            assert witness is None
            continue
        assert witness is not None
        assert witness.request.principal.account == ACCOUNT
        assert find(replace(question, given=(different(who.account, ACCOUNT),))) is None


def test_a_named_role_is_found_among_all() -> None:
    policies = Policies(
        resource=grant(f"arn:aws:iam::{OTHER}:role/ci/deployer"), identity=[document(statement())]
    )
    question = Question(roles(OTHER), ("s3:GetObject",), text(f"{BUCKET}/", KEY), policies, ACCOUNT)
    witness = find(question)
    assert witness is not None
    assert witness.request.principal.arn == f"arn:aws:iam::{OTHER}:role/ci/deployer"
    name = question.who.arn
    assert find(replace(question, given=(different(name, f"arn:aws:iam::{OTHER}:role/ci/deployer"),))) is None


@pytest.mark.parametrize("who", [users(ACCOUNT), root(ACCOUNT), anonymous()])
def test_others_do_not_pass_for_a_role(who: Who) -> None:
    policies = Policies(
        identity=[document(statement())],
        resource=document(
            statement(
                "Deny", Principal="*", Condition={"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}
            )
        ),
    )
    assert find(Question(who, ("s3:GetObject",), text(f"{BUCKET}/", KEY), policies, ACCOUNT)) is None
    assert (
        find(Question(roles(ACCOUNT), ("s3:GetObject",), text(f"{BUCKET}/", KEY), policies, ACCOUNT))
        is not None
    )


# Old and new


def test_new_access_is_what_only_the_new_policies_allow() -> None:
    old, wider = stack(), stack({**READ, "Resource": [TAGGED, f"{BUCKET}/shared/*"]})
    question = Question(
        Who.of(ROLE).tagged(team=A),
        actions("s3:*", resource="object"),
        text(f"{BUCKET}/", KEY),
        wider,
        ACCOUNT,
    )
    witness = find(question, unless=old)
    assert witness is not None
    assert witness.values["key"].startswith("shared/")
    assert not evaluate(witness.request, old).allowed
    assert find(replace(question, policies=old), unless=wider) is None
    assert find(question, unless=wider) is None


def test_reordering_and_renaming_is_no_change() -> None:
    one = document(statement(**READ), statement("Deny", Condition={"Bool": {"aws:SecureTransport": "false"}}))
    two = document(
        *reversed([{**part, "Sid": f"Other{index}"} for index, part in enumerate(one["Statement"])])
    )
    question = Question(
        Who.of(ROLE).tagged(team=A),
        ("s3:GetObject",),
        text(f"{BUCKET}/", KEY),
        Policies(identity=[one]),
        ACCOUNT,
    )
    assert find(question, unless=Policies(identity=[two])) is None


# Which actions


def test_the_actions_of_a_pattern() -> None:
    found = actions("s3:Get*", resource="object")
    assert "s3:GetObject" in found
    assert "s3:GetBucketAcl" not in found
    assert "s3:PutObject" not in found
    assert "s3:Zzz" in actions("s3:*")
    beside = Policies(identity=[document(statement(Action="s3:GetObject*"))])
    assert "s3:GetObjectZzz" in actions("s3:*", beside=[beside])


# What is not answered


def refused(question: Question) -> str:
    with pytest.raises(ProofError) as refusal:
        find(question)
    return str(refusal.value)


def with_condition(**condition: object) -> Question:
    return tenancy(stack({**READ, "Condition": condition}))


def test_what_is_not_modelled_is_refused() -> None:
    assert "not modelled" in refused(
        with_condition(StringLike={"aws:SourceIp": "10.*"}, IpAddress={"aws:SourceIp": "10.0.0.0/8"})
    )
    assert "not modelled" in refused(
        with_condition(ArnLike={"aws:SourceArn": "arn:aws:*:*${aws:PrincipalTag/team}*"})
    )
    assert "not modelled" in refused(
        with_condition(ArnLike={"aws:SourceArn": "arn:aws:s3:${aws:PrincipalTag/team}*:x"})
    )
    assert "two alphabets" in refused(replace(tenancy(stack()), given=(different(Symbol("a", TEAM), B),)))
    question = tenancy(stack())
    assert "owner" in refused(replace(question, owner="", resource=text("arn:aws:s3:", KEY)))
    assert "role or not" in refused(
        replace(question, actions=("sts:AssumeRole",), resource=text("arn:aws:iam::", KEY))
    )
    assert "no request" in refused(
        replace(question, policies=Policies(identity=[document(statement())]), given=(), resource=text(KEY))
    )


def test_no_answer_in_time_is_no_verdict() -> None:
    hard = {
        **READ,
        "Resource": f"{BUCKET}/*/${{aws:PrincipalTag/team}}/*${{s3:prefix}}*a*${{aws:UserAgent}}/*",
    }
    question = replace(
        tenancy(stack(hard)), given=(different(A, B), unlike(KEY, "*a*b*c*", "?*?d*e*"), present("s3:prefix"))
    )
    with pytest.raises(ProofError, match="gave no answer"):
        Prover(limit_ms=1).find(question)


def test_a_model_on_which_the_evaluator_disagrees_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_is_allowed(request: Request, _: Policies) -> Decision:
        return evaluate(request, Policies())

    monkeypatch.setattr("gatehouse.access.proof.witness.evaluate", nothing_is_allowed)
    with pytest.raises(ProofError, match=r"disagree on .*s3:GetObject.*ImplicitlyDenied"):
        find(HOLES["a widened prefix"])


def test_an_answer_is_not_kept_for_another_alphabet() -> None:
    """The same formula, of which only the alphabet of a symbol makes it impossible."""
    prover, narrow, wide = Prover(), Symbol("b", TEAM), Symbol("b", OBJECT_KEY)
    policies = Policies(identity=[document(statement(Resource=f"{BUCKET}/UPPER"))])
    question = Question(Who.of(ROLE), ("s3:GetObject",), text(f"{BUCKET}/", narrow), policies, ACCOUNT)
    assert prover.find(question) is None
    assert prover.find(replace(question, resource=text(f"{BUCKET}/", wide))) is not None


# Classes of values


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("Bool", ["true"], {"true", "false"}),
        ("NumericLessThan", ["1.2"], {"1.2", "0.2"}),
        ("DateGreaterThan", ["2030"], {"2030-01-01T00:00:00Z", "2030-01-01T00:00:00.000001Z"}),
        ("IpAddress", ["10.0.0.0/8"], {"0.0.0.1", "10.0.0.1"}),
        ("IpAddress", ["2001:db8::/32"], {"0.0.0.1", "2001:db8::1"}),
        ("BinaryEquals", ["QQ=="], {"QQ==", "AAAAAAAAAAAAAAAAAAAA"}),
    ],
)
def test_the_usual_values_of_a_key(operator: str, values: list[str], expected: set[str]) -> None:
    condition = parse_condition(operator, "aws:Key", values, variables=True)
    assert {one.value for one in classes("aws:key", [condition]) if one.is_usual} == expected


def test_an_absent_key_is_no_value() -> None:
    question = with_condition(StringNotEquals={"aws:UserAgent": "x"})
    witness = find(replace(question, given=(absent("aws:UserAgent"),)))
    assert witness is not None
    assert "aws:useragent" not in witness.request.context


# What random policies seldom meet


@pytest.mark.parametrize(("name", "allowed"), [(ROLE.arn, False), (str(ROLE.session_arn), True)])
def test_a_boundary_limits_an_allow_for_the_role_and_not_one_for_its_session(
    name: str, allowed: bool
) -> None:
    policies = Policies(resource=grant(name), boundary=document(statement(Action="kms:*")))
    question = Question(Who.of(ROLE), ("s3:GetObject",), text(f"{BUCKET}/", KEY), policies, ACCOUNT)
    assert (find(question) is not None) == allowed


@pytest.mark.parametrize(("values", "allowed"), [(["a"], True), (["a", "a"], False)])
def test_a_key_with_several_values_is_no_variable(values: list[str], allowed: bool) -> None:
    policies = Policies(identity=[document(statement(Resource=f"{BUCKET}/${{s3:prefix}}"))])
    question = Question(
        Who.of(ROLE), ("s3:GetObject",), text(f"{BUCKET}/a"), policies, ACCOUNT, {"s3:prefix": values}
    )
    assert (find(question) is not None) == allowed


@pytest.mark.parametrize(("region", "allowed"), [("x", True), (":", False)])
def test_one_character_of_a_part_is_no_colon(region: str, allowed: bool) -> None:
    policies = Policies(identity=[document(statement(Resource="arn:aws:s3:?::data/x"))])
    question = Question(
        Who.of(ROLE), ("s3:GetObject",), text(f"arn:aws:s3:{region}::data/x"), policies, ACCOUNT
    )
    assert (find(question) is not None) == allowed
