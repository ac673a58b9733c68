"""Proofs: what no request of a kind can do, decided by a solver over the evaluator's own semantics.

::

    from gatehouse.access.proof import Prover, Question, Who, TEAM, Symbol, different, text

    a, b = Symbol("a", TEAM), Symbol("b", TEAM)
    question = Question(
        who=Who.of(role).tagged(team=a),
        actions=("s3:GetObject", "s3:PutObject"),
        resource=text(f"{bucket}/workspaces/", b, "/", Symbol("rest", OBJECT_KEY)),
        owner=account,
        policies=Policies(identity=..., boundary=..., resource=...),
        context={"aws:SecureTransport": "true"},
        given=(different(a, b),),
    )
    witness = Prover().find(question)  # None: proved. Else a request that the evaluator allows.

``text`` is what strings are made of, ``question`` what is asked. ``formula``, ``alignment``, ``patterns``,
``classes``, ``keys``, ``conditions`` and ``layers`` encode what the evaluator decides; ``given`` does the same for
what the question itself says. ``encoding`` puts them together for one action, ``solve`` asks, and ``witness``
replays in the evaluator what the solver found. ``actions`` lists what a question may be about.
"""

from gatehouse.access.proof.question import (
    AllOf,
    AnyOf,
    Constraint,
    Given,
    Holds,
    Like,
    Not,
    Question,
    Same,
    Who,
    absent,
    anonymous,
    anybody,
    different,
    present,
    roles,
    root,
    service,
    unlike,
    users,
)
from gatehouse.access.proof.solve import Prover, find
from gatehouse.access.proof.text import (
    ACCOUNT,
    IAM_NAME,
    OBJECT_KEY,
    PRINTABLE,
    SEGMENT,
    SESSION,
    TAG,
    TEAM,
    Alphabet,
    ProofError,
    Symbol,
    Text,
    TextLike,
    text,
)
from gatehouse.access.proof.witness import Answer, Witness

__all__ = [
    "ACCOUNT",
    "IAM_NAME",
    "OBJECT_KEY",
    "PRINTABLE",
    "SEGMENT",
    "SESSION",
    "TAG",
    "TEAM",
    "AllOf",
    "Alphabet",
    "Answer",
    "AnyOf",
    "Constraint",
    "Given",
    "Holds",
    "Like",
    "Not",
    "ProofError",
    "Prover",
    "Question",
    "Same",
    "Symbol",
    "Text",
    "TextLike",
    "Who",
    "Witness",
    "absent",
    "anonymous",
    "anybody",
    "different",
    "find",
    "present",
    "roles",
    "root",
    "service",
    "text",
    "unlike",
    "users",
]
