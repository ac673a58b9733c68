"""Cases as people write them: what they leave out, give as a number, or write in another case.

Each row is the smallest case with one such thing; what it means is in the page that the function cited names.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gatehouse.access.cases import answer
from gatehouse.access.schema import ANSWER, CASE
from tests.unit.access_documents import (
    ACCOUNT,
    FEDERATED,
    OBJECT,
    OTHER,
    ROLE,
    ROOT,
    SESSION,
    USER,
    allow,
    deny,
    document,
    grant,
    statement,
)

CASE_SCHEMA, ANSWER_SCHEMA = Draft202012Validator(CASE), Draft202012Validator(ANSWER)
TRAIL = f"arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:trail/all"
TARGET = f"arn:aws:iam::{ACCOUNT}:role/target"
WRITES = allow(
    Principal={"Service": ["config.amazonaws.com", "cloudtrail.amazonaws.com"]},
    Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}},
)
ONE_STATEMENT = {"Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": OBJECT}}
OLD_VARIABLE = {"Statement": [statement(Resource="arn:aws:s3:::data/${aws:username}")]}


def case(**changes: object) -> dict[str, Any]:
    """A role that one policy allows everything; None leaves a key out."""
    found = {
        "id": 1,
        "principal": {"arn": ROLE, "account": ACCOUNT},
        "action": "s3:GetObject",
        "resource": {"arn": OBJECT, "account": ACCOUNT},
        "identity_policies": [allow()],
        **changes,
    }
    return {key: value for key, value in found.items() if value is not None}


def condition(operator: str, key: str, value: object) -> list[dict[str, Any]]:
    return [allow(Condition={operator: {key: value}})]


#: What is special, what changes in the case, the decision, the layer that decides.
MINIMAL: list[tuple[str, dict[str, object], str, str]] = [
    ("neither context nor session", {}, "Allowed", "identity_policies"),
    ("no policy of any kind", {"identity_policies": None}, "ImplicitlyDenied", "identity_policies"),
    ("no account of the resource", {"resource": {"arn": OBJECT}}, "Allowed", "identity_policies"),
    ("empty account", {"resource": {"arn": OBJECT, "account": ""}}, "Allowed", "identity_policies"),
    (
        "the account in the ARN of the resource",
        {"resource": {"arn": f"arn:aws:sqs:eu-west-1:{OTHER}:jobs"}, "action": "sqs:SendMessage"},
        "ImplicitlyDenied",
        "resource_policy",
    ),
    ("the account in the ARN of the role", {"principal": {"arn": ROLE}}, "Allowed", "identity_policies"),
    (
        "the account in the ARN of the session",
        {"principal": {"arn": SESSION, "account": ""}, "resource_policy": deny(Principal={"AWS": ACCOUNT})},
        "ExplicitlyDenied",
        "resource_policy",
    ),
    (
        "the session as the ARN, its role named",
        {
            "principal": {"arn": SESSION},
            "identity_policies": None,
            "resource_policy": grant(ROLE.replace("ml/", "")),
        },
        "Allowed",
        "resource_policy",
    ),
    (
        "root, and nothing else",
        {"principal": {"arn": ROOT}, "identity_policies": None},
        "Allowed",
        "identity_policies",
    ),
    (
        "a federated user has no policies of its own",
        {"principal": {"arn": FEDERATED}, "session_policy": allow(), "identity_policies": None},
        "ImplicitlyDenied",
        "identity_policies",
    ),
    (
        "a service, its account empty",
        {
            "principal": {"arn": "", "account": "", "service": "config.amazonaws.com", "tags": {}},
            "context": {"aws:SourceAccount": ACCOUNT},
            "identity_policies": [],
            "resource_policy": WRITES,
        },
        "Allowed",
        "resource_policy",
    ),
    (
        "a service as the ARN and beside it",
        {
            "principal": {"arn": "config.amazonaws.com", "service": "config.amazonaws.com"},
            "context": {"aws:SourceAccount": OTHER},
            "resource_policy": WRITES,
        },
        "ImplicitlyDenied",
        "resource_policy",
    ),
    (
        "a service with the ARN of what it asks for",
        {
            "principal": {"arn": TRAIL, "account": ACCOUNT, "service": "cloudtrail.amazonaws.com"},
            "context": {"aws:SourceAccount": ACCOUNT},
            "resource_policy": WRITES,
        },
        "Allowed",
        "resource_policy",
    ),
    ("nobody signed in", {"principal": {}}, "ImplicitlyDenied", "resource_policy"),
    ("one statement, no Version", {"identity_policies": [ONE_STATEMENT]}, "Allowed", "identity_policies"),
    (
        "no Version, no variables",
        {
            "identity_policies": [OLD_VARIABLE],
            "principal": {"arn": USER},
            "resource": {"arn": "arn:aws:s3:::data/anna"},
        },
        "ImplicitlyDenied",
        "identity_policies",
    ),
    ("an action in small letters", {"action": "s3:getobject"}, "Allowed", "identity_policies"),
    ("a policy with an Id", {"identity_policies": [{**allow(), "Id": "x"}]}, "Allowed", "identity_policies"),
    ("no levels", {"service_control_policies": []}, "Allowed", "identity_policies"),
    (
        "a level without policies",
        {"service_control_policies": [[]]},
        "ImplicitlyDenied",
        "service_control_policies",
    ),
    (
        "a level of resource control policies without policies",
        {"resource_control_policies": [[]]},
        "Allowed",
        "identity_policies",
    ),
    (
        "a tag that is a number",
        {
            "principal": {"arn": ROLE, "tags": {"Floor": 7}},
            "identity_policies": condition("StringEquals", "aws:PrincipalTag/floor", "7"),
        },
        "Allowed",
        "identity_policies",
    ),
    (
        "a key whose value is null is missing",
        {
            "context": {"s3:prefix": None},
            "identity_policies": condition("Null", "s3:prefix", True),
        },
        "Allowed",
        "identity_policies",
    ),
    (
        "one value of a multivalued key, not in a list",
        {
            "context": {"aws:TagKeys": "team"},
            "identity_policies": condition("ForAllValues:StringEquals", "aws:tagkeys", ["team", "area"]),
        },
        "Allowed",
        "identity_policies",
    ),
    (
        "a list of one for a single-valued key",
        {
            "context": {"aws:SourceIp": ["203.0.113.7"]},
            "identity_policies": condition("IpAddress", "aws:sourceip", "203.0.113.0/24"),
        },
        "Allowed",
        "identity_policies",
    ),
    (
        "an organisation is in the context or nowhere",
        {"identity_policies": condition("StringEquals", "aws:PrincipalOrgID", "o-a1b2c3d4e5")},
        "ImplicitlyDenied",
        "identity_policies",
    ),
    (
        "an organisation in the context",
        {
            "context": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"},
            "identity_policies": condition("StringEquals", "aws:PrincipalOrgID", "o-a1b2c3d4e5"),
        },
        "Allowed",
        "identity_policies",
    ),
    (
        "aws:userid by the name of the session",
        {
            "principal": {"arn": ROLE, "session_arn": SESSION},
            "identity_policies": condition("StringLike", "aws:userid", "*:anna"),
        },
        "Allowed",
        "identity_policies",
    ),
    (
        "aws:userid as the context has it",
        {
            "principal": {"arn": ROLE, "session_arn": SESSION},
            "context": {"aws:userid": "AROAEXAMPLE:anna"},
            "identity_policies": condition("StringEquals", "aws:userid", "AROAEXAMPLE:anna"),
        },
        "Allowed",
        "identity_policies",
    ),
    (
        "the variable of an identity provider",
        {
            "context": {"cognito-identity.amazonaws.com:sub": "eu-west-1:12ab"},
            "resource": {"arn": "arn:aws:s3:::data/eu-west-1:12ab/x"},
            "identity_policies": [
                allow(Resource="arn:aws:s3:::data/${cognito-identity.amazonaws.com:sub}/*")
            ],
        },
        "Allowed",
        "identity_policies",
    ),
    (
        "a role trusts a provider under the audience named",
        {
            "principal": {"arn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"},
            "action": "sts:AssumeRoleWithWebIdentity",
            "resource": {"arn": TARGET},
            "context": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"},
            "identity_policies": None,
            "resource_policy": document(
                statement(
                    Principal={
                        "Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
                    },
                    Action="sts:AssumeRoleWithWebIdentity",
                    Resource=None,
                    Condition={
                        "StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}
                    },
                )
            ),
        },
        "Allowed",
        "resource_policy",
    ),
    (
        "a principal by the digits of its account, in a list",
        {
            "resource": {"arn": OBJECT, "account": OTHER},
            "resource_policy": grant(OTHER, ACCOUNT),
        },
        "Allowed",
        "resource_policy",
    ),
    (
        "notes beside the case",
        {"comment": "x", "expected": "ExplicitlyDenied", "source": ["IAM User Guide"]},
        "Allowed",
        "identity_policies",
    ),
]


@pytest.mark.parametrize(
    ("changes", "decision", "layer"), [row[1:] for row in MINIMAL], ids=[row[0] for row in MINIMAL]
)
def test_what_a_small_case_means(changes: dict[str, object], decision: str, layer: str) -> None:
    asked = case(**changes)
    CASE_SCHEMA.validate(asked)
    found = json.loads(answer(json.dumps(asked)))
    ANSWER_SCHEMA.validate(found)
    assert "error" not in found, found
    assert (found["decision"], found["decided_by"]["layer"]) == (decision, layer)


#: What no case can be decided with: a policy as text, and a key that is none of a case.
UNDECIDED: list[tuple[str, dict[str, object]]] = [
    ("identity_policies[0]", {"identity_policies": [json.dumps(allow())]}),
    ("resource_policy", {"resource_policy": json.dumps(grant(ROLE))}),
    ('"permission_boundary" is unknown', {"permission_boundary": allow()}),
    ("no account", {"principal": {"arn": ROLE, "account": "alias"}}),
    ("one of them", {"principal": {"arn": ROLE, "service": "ec2.amazonaws.com"}}),
]


@pytest.mark.parametrize(("finding", "changes"), UNDECIDED)
def test_what_nothing_can_be_decided_about(finding: str, changes: dict[str, object]) -> None:
    found = json.loads(answer(json.dumps(case(**changes))))
    ANSWER_SCHEMA.validate(found)
    assert finding in found["error"], found
