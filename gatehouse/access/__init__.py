"""Who can do what: the decision on one request, as AWS makes it from the policies that apply.

::

    from gatehouse.access import Policies, Principal, Request, Resource, evaluate

    team = {"Version": "2012-10-17", "Statement": {
        "Sid": "OwnTeam", "Effect": "Allow", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::artifacts/workspaces/${aws:PrincipalTag/team}/*"}}
    tls = {"Version": "2012-10-17", "Statement": {
        "Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}}}}
    decision = evaluate(
        Request(
            Principal("arn:aws:iam::111122223333:role/reader", "111122223333", tags={"team": "fraud"}),
            "s3:GetObject",
            Resource("arn:aws:s3:::artifacts/workspaces/fraud/model", "111122223333"),
            {"aws:SecureTransport": "true"},
        ),
        Policies(identity=[team], resource=tls),
    )
    assert decision.allowed and decision.statement.sid == "OwnTeam"

Documents are what ``json.loads`` makes of a rendered policy. Keep a :class:`Policies` for many requests: it
compiles its documents once. A key that the context lacks is missing from the request; those that follow from
principal and resource are filled in (:attr:`Request.facts`). What AWS would refuse is an error
(:class:`MalformedPolicyError`, :class:`MalformedRequestError`), never a decision.

``request`` is what is asked, ``policy`` with ``principals``, ``conditions`` and ``pattern`` what a document
says of it, ``evaluate`` how the layers of ``model`` combine, ``cases`` the same as lines of JSON.

``world`` is a document with all its principals and policies. ``matrix`` asks who of them can do what, ``capabilities``
being the what, ``situations`` the circumstances, and ``teams`` those for whom one answer stands; ``answers`` says why.
"""

from gatehouse.access.evaluate import evaluate
from gatehouse.access.model import Decision, Layer, LayerVerdict, Outcome, Policies
from gatehouse.access.policy import Document, Kind, MalformedPolicyError, Policy, Statement
from gatehouse.access.principals import Reach
from gatehouse.access.request import MalformedRequestError, Principal, Request, Resource

__all__ = [
    "Decision",
    "Document",
    "Kind",
    "Layer",
    "LayerVerdict",
    "MalformedPolicyError",
    "MalformedRequestError",
    "Outcome",
    "Policies",
    "Policy",
    "Principal",
    "Reach",
    "Request",
    "Resource",
    "Statement",
    "evaluate",
]
