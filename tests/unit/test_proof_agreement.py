"""The prover's formulas say what the evaluator says: random policies of every operator, quantifier and layer."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement
from random import Random

import cvc5
import pytest

from gatehouse.access import MalformedPolicyError, Policies, Principal, Request, Resource, evaluate
from gatehouse.access.context import Context
from gatehouse.access.proof import OBJECT_KEY, ProofError, Prover, Symbol, Who, text
from gatehouse.access.proof.encoding import Encoding
from gatehouse.access.proof.formula import Formulas
from gatehouse.access.proof.keys import Keys, vocabulary
from gatehouse.access.proof.question import Question
from gatehouse.access.proof.witness import describe
from tests.unit.access_documents import document, statement
from tests.unit.proof_cases import (
    ACCOUNT,
    ACTIONS,
    BUCKET,
    PRINCIPALS,
    ROLE,
    Cases,
    closed_question,
    open_question,
    second_opinion,
    smt,
)

#: What the encoding does not have, and says so.
NOT_MODELLED = "is not modelled"
REQUESTS = 8


def drawn(seed: int) -> tuple[Cases, Principal, str, Policies]:
    """Policies that AWS takes, and who asks for what."""
    cases = Cases(Random(seed))
    action, principal = cases.random.choice(ACTIONS), cases.random.choice(PRINCIPALS)
    while True:
        policies = cases.policies(is_trust=action.startswith("sts:"))
        try:
            evaluate(cases.request(principal, action), policies)
        except MalformedPolicyError:
            continue
        return cases, principal, action, policies


def encoded(prover: Prover, question: Question) -> Encoding | None:
    """The encoding of a question about one action, None for what is not modelled."""
    try:
        (found,) = prover.encodings(question)
    except ProofError as error:
        if NOT_MODELLED not in str(error):
            raise
        return None
    return found


@pytest.mark.parametrize("seeds", [range(start, start + 200) for start in range(0, 1200, 200)], ids=str)
def test_an_open_encoding_says_of_each_request_what_the_evaluator_says(seeds: range) -> None:
    prover, compared = Prover(), {True: 0, False: 0}
    for seed in seeds:
        cases, principal, action, policies = drawn(seed)
        encoding = encoded(prover, open_question(cases.request(principal, action), policies))
        if encoding is None:
            continue
        for _ in range(REQUESTS):
            request = cases.request(principal, action)
            symbols = {"resource": request.resource.arn}
            expected = evaluate(request, policies).allowed
            if any(len(request.facts.get(key.name)) > len(key.values) for key in encoding.keys.open()):
                continue  # several values of a key that has one for these policies
            assert prover.holds(encoding, request.facts, symbols) == expected, describe(request)
            assert prover.lemmas_hold(encoding, request.facts, symbols), describe(request)
            compared[expected] += 1
    assert min(compared.values()) > 10, compared


@pytest.mark.parametrize("seeds", [range(start, start + 200) for start in range(5000, 5600, 200)], ids=str)
def test_an_encoding_of_one_request_is_worked_out_without_the_solver(seeds: range) -> None:
    prover = Prover()
    for seed in seeds:
        cases, principal, action, policies = drawn(seed)
        for _ in range(REQUESTS):
            request = cases.request(principal, action)
            (encoding,) = prover.encodings(closed_question(request, policies))
            assert encoding.formula is evaluate(request, policies).allowed, describe(request)


@pytest.mark.parametrize("principal", PRINCIPALS, ids=lambda one: one.arn or one.service)
def test_what_follows_from_a_principal_is_what_the_evaluator_derives(principal: Principal) -> None:
    make = Formulas(cvc5.TermManager(), {})
    request = Request(principal, "s3:GetObject", Resource(BUCKET, ACCOUNT))
    keys = Keys(make, Who.of(principal), ACCOUNT, {}, vocabulary((), ()))
    for name in (
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalisawsservice",
        "aws:principalservicename",
        "aws:principaltype",
        "aws:resourceaccount",
        "aws:userid",
        "aws:username",
    ):
        assert keys.get(name).values == tuple((one,) for one in request.facts.get(name)), name


def test_more_values_than_the_encoding_has_are_no_more_than_some_of_them() -> None:
    """The argument for a bounded number of values, on lists of up to four values."""
    policies = Policies(
        identity=[
            document(
                statement(Condition={"ForAnyValue:StringLike": {"aws:TagKeys": "a*"}}),
                statement(
                    Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}},
                    Resource=f"{BUCKET}/x",
                ),
                statement("Deny", Condition={"ForAnyValue:StringNotLike": {"aws:TagKeys": ["*a", "b"]}}),
                statement("Deny", Condition={"StringEquals": {"aws:TagKeys": "bad"}}),
            )
        ]
    )
    prover = Prover()
    base = Request(Principal(ROLE, ACCOUNT), "s3:GetObject", Resource(f"{BUCKET}/x", ACCOUNT))
    question = Question(Who.of(base.principal), (base.action,), text(f"{BUCKET}/x"), policies, ACCOUNT)
    (encoding,) = prover.encodings(question)
    (key,) = encoding.keys.open()
    assert len(key.values) == 4

    def says(values: tuple[str, ...]) -> bool:
        return prover.holds(encoding, Context({"aws:tagkeys": values}), {})

    for count in range(1, 6):
        for values in combinations_with_replacement(("", "a", "b", "ab", "bad"), count):
            expected = evaluate(replace(base, context={"aws:TagKeys": values}), policies).allowed
            if count <= 4:
                assert says(values) == expected, values
            else:
                fewer = combinations_with_replacement(dict.fromkeys(values), 4)
                assert expected in {says(some) for some in fewer}, values


# What spares the solver work


A, B = Symbol("a"), Symbol("b")
SEPARATED = [
    (text(A, "/x"), text(B, "/x", Symbol("rest"))),
    (text(A, "/"), text(B, "/", Symbol("rest"))),
    (text("fraud/x"), text(B, "/", Symbol("rest"))),
    (text(A, "/", Symbol("more")), text("workspaces/fraud/x")),
]


@pytest.mark.parametrize(("head", "value"), SEPARATED)
@pytest.mark.parametrize("whole", [True, False])
def test_a_lemma_holds_of_all_texts(
    head: tuple[str | Symbol, ...], value: tuple[str | Symbol, ...], whole: bool
) -> None:
    manager = cvc5.TermManager()
    make = Formulas(manager, {})
    made = make.equal(head, value) if whole else make.starts(value, head)
    assert not isinstance(made, bool)
    assert make.lemmas
    for lemma in make.lemmas:
        solver = cvc5.Solver(manager)
        solver.setLogic("QF_SLIA")
        solver.assertFormula(lemma.notTerm())
        assert solver.checkSat().isUnsat(), lemma


# A second solver


def test_another_solver_agrees_wherever_it_answers() -> None:
    prover, answered = Prover(), 0
    for seed in range(1000, 1120):
        cases, principal, action, policies = drawn(seed)
        question = open_question(cases.request(principal, action), policies)
        if not action.startswith("sts:"):
            question = replace(question, resource=text(f"{BUCKET}/", Symbol("key", OBJECT_KEY)))
        encoding = encoded(prover, question)
        if encoding is None or isinstance(encoding.formula, bool):
            continue
        opinion = second_opinion(encoding)
        if opinion is None:
            continue
        found = prover.is_satisfiable(encoding)
        assert found == opinion, (seed, smt(encoding))
        answered += 1
    assert answered > 10
