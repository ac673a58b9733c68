"""Short ways to write requests and policies, for the tests of the evaluator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gatehouse.access import Decision, Outcome, Policies, Principal, Request, Resource, evaluate

ACCOUNT, OTHER = "111122223333", "444455556666"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ml/analyst"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/analyst/anna"
USER = f"arn:aws:iam::{ACCOUNT}:user/anna"
FEDERATED = f"arn:aws:sts::{ACCOUNT}:federated-user/anna"
SAML = f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"
LINKED = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ops.amazonaws.com/AWSServiceRoleForOps"
OBJECT = "arn:aws:s3:::data/report.csv"

Document = dict[str, Any]

ROLE_SESSION = Principal(ROLE, ACCOUNT, SESSION)
S3 = Request(ROLE_SESSION, "s3:GetObject", Resource(OBJECT, ACCOUNT))


def statement(effect: str = "Allow", /, **elements: object) -> Document:
    """A statement about everything, but for the elements given; None leaves one out."""
    found: Document = {"Effect": effect, "Action": "*", "Resource": "*", **elements}
    for element in ("Action", "Resource"):
        if f"Not{element}" in elements:
            del found[element]
    return {key: value for key, value in found.items() if value is not None}


def document(*statements: Document, version: str | None = "2012-10-17") -> Document:
    return {**({"Version": version} if version else {}), "Statement": list(statements)}


def allow(**elements: object) -> Document:
    return document(statement(**elements))


def deny(**elements: object) -> Document:
    return document(statement("Deny", **elements))


def grant(*names: str, **elements: object) -> Document:
    """A resource-based policy that allows AWS principals."""
    return document(statement("Allow", Principal={"AWS": list(names)}, **elements))


def said(decision: Decision) -> str:
    """The outcome in a word: allow, deny (explicit) or implicit."""
    words = {
        Outcome.ALLOWED: "allow",
        Outcome.EXPLICITLY_DENIED: "deny",
        Outcome.IMPLICITLY_DENIED: "implicit",
    }
    return words[decision.outcome]


def allows(request: Request, policy: Document) -> bool:
    """Whether an identity policy allows a request."""
    return evaluate(request, Policies(identity=[policy])).allowed


def with_context(context: dict[str, str | list[str]], tags: dict[str, str] | None = None) -> Request:
    """A request with these condition keys, by a principal with these tags."""
    return replace(S3, context=context, principal=replace(ROLE_SESSION, tags=tags or {}))
