"""What AWS would refuse is an error that names the place and the finding, never a decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gatehouse.access import (
    MalformedPolicyError,
    MalformedRequestError,
    Policies,
    Principal,
    Resource,
    evaluate,
)
from gatehouse.errors import GatehouseError
from tests.unit.access_documents import (
    ACCOUNT,
    FEDERATED,
    OTHER,
    ROLE,
    S3,
    USER,
    Document,
    allow,
    document,
    grant,
    statement,
    with_context,
)


def condition(block: object) -> Document:
    return allow(Condition=block)


#: Finding, identity policy.
#: IAM User Guide, "Grammar of the IAM JSON policy language" and "Access Analyzer policy check reference".
IDENTITY: list[tuple[str, Any]] = [
    ("is no policy", "allow everything"),
    ("is no policy", [statement()]),
    ('"Statements" is no element of a policy', {"Version": "2012-10-17", "Statements": []}),
    ("no Statement", {"Version": "2012-10-17"}),
    ("no Statement", document()),
    ("no Statement", {"Version": "2012-10-17", "Statement": "x"}),
    ("is no statement", {"Version": "2012-10-17", "Statement": ["x"]}),
    ("Version", {"Version": "2012-10-18", "Statement": [statement()]}),
    ("Version", {"Version": 2012, "Statement": [statement()]}),
    ('Sid "A" is there twice', document(statement(Sid="A"), statement(Sid="A"))),
    ("Sid 5 is no string", allow(Sid=5)),
    ("Effect null", document({"Action": "*", "Resource": "*"})),
    ('Effect "allow"', allow(Effect="allow")),
    ('"Actions" is no element', allow(Actions="s3:*")),
    ('"condition" is no element', allow(condition={})),
    ("no Action", allow(Action=None)),
    ("Action and NotAction together", document({**statement(), "NotAction": "s3:*"})),
    ("Action 5", allow(Action=5)),
    ("Action [5]", allow(Action=[5])),
    ("NotAction names nothing", allow(NotAction=[])),
    ('action "GetObject"', allow(Action="GetObject")),
    ('action "s3:"', allow(Action="s3:")),
    ('action ""', allow(Action="")),
    ('action "s3:Get Object"', allow(Action="s3:Get Object")),
    ('action "s3*:Get"', allow(Action="s3*:Get")),
    ("action", allow(Action="s3:${aws:username}")),
    ("no Resource", allow(Resource=None)),
    ("Resource and NotResource together", document({**statement(), "NotResource": "*"})),
    ("NotResource names nothing", allow(NotResource=[])),
    ("Resource {}", allow(Resource={})),
    ('resource "data"', allow(Resource="data")),
    ('resource ""', allow(Resource="")),
    ('resource "arn:aws:s3:data"', allow(Resource="arn:aws:s3:data")),
    ('resource "execute-api:/*"', allow(Resource="execute-api:/*")),
    ("wildcard in its service", allow(Resource="arn:aws:*")),
    ("wildcard in its service", allow(Resource="arn:aws:s*")),
    ("wildcard in its service", allow(NotResource="arn:aws:s?s:*:*:jobs")),
    ("is no ARN", allow(Resource="arn:*")),
    ("is no ARN", allow(Resource="arn:*:s3")),
    ("variable before the fifth colon", allow(Resource="arn:aws:sqs:*:${aws:PrincipalAccount}:jobs")),
    ("opens no variable", allow(Resource="arn:aws:s3:::${aws:username/x")),
    ("names no condition key", allow(Resource="arn:aws:s3:::data/${}")),
    ("names no condition key", allow(Resource="arn:aws:s3:::data/${username}")),
    ("names no condition key", allow(Resource="arn:aws:s3:::data/${aws:username, x}")),
    ("names no condition key", allow(Resource="arn:aws:s3:::data/${aws:username, 'x}")),
    ("names no condition key", allow(Resource="arn:aws:s3:::data/${aws:PrincipalTag/a b}")),
    ("Principal has no place", allow(Principal="*")),
    ("NotPrincipal has no place", allow(NotPrincipal={"AWS": ROLE})),
    ("Condition is not of the form", condition([])),
    ("Condition is not of the form", condition({"StringEquals": "a"})),
    ("one condition key twice", condition({"StringEquals": {"aws:username": "a", "AWS:Username": "b"}})),
    ("StringMatches is no condition operator", condition({"StringMatches": {"s3:x": "a"}})),
    ("stringequals is no condition operator", condition({"stringequals": {"s3:x": "a"}})),
    ("is no condition operator", condition({"ForSomeValues:StringEquals": {"s3:x": "a"}})),
    ("is no condition operator", condition({"StringEqualsIfExist": {"s3:x": "a"}})),
    ("is no condition operator", condition({"IfExists": {"s3:x": "a"}})),
    ("is no condition operator", condition({"": {"s3:x": "a"}})),
    ("NullIfExists is no condition operator", condition({"NullIfExists": {"s3:x": "true"}})),
    ("is no condition key", condition({"StringEquals": {"username": "a"}})),
    ("is no condition key", condition({"StringEquals": {"aws:": "a"}})),
    ("is no string, number or Boolean", condition({"StringEquals": {"s3:x": None}})),
    ("is no string, number or Boolean", condition({"StringEquals": {"s3:x": [["a"]]}})),
    ("is no string, number or Boolean", condition({"StringEquals": {"s3:x": {"a": 1}}})),
    ("is no number", condition({"NumericEquals": {"s3:x": "ten"}})),
    ("is no number", condition({"NumericEquals": {"s3:x": "NaN"}})),
    ("is no number", condition({"NumericEquals": {"s3:x": "${s3:y}"}})),
    ("is no date", condition({"DateEquals": {"s3:x": "2030-13-01"}})),
    ("is no date", condition({"DateEquals": {"s3:x": "2030-01-01T00:00:00"}})),
    ("is no date", condition({"DateEquals": {"s3:x": "1e30"}})),
    ("is not true or false", condition({"Bool": {"s3:x": "yes"}})),
    ("is not true or false", condition({"Bool": {"s3:x": "${s3:y}"}})),
    ("is not true or false", condition({"Null": {"s3:x": "1"}})),
    ("is not base64", condition({"BinaryEquals": {"s3:x": "a b"}})),
    ("is no address or CIDR range", condition({"IpAddress": {"s3:x": "10.0.0.0/33"}})),
    ("is no address or CIDR range", condition({"IpAddress": {"s3:x": "localhost"}})),
    ("opens no variable", condition({"StringEquals": {"s3:x": "${aws:username"}})),
    ("names no condition key", condition({"StringLike": {"s3:x": "${}"}})),
]


@pytest.mark.parametrize(("finding", "policy"), IDENTITY)
def test_identity_policy(finding: str, policy: Document) -> None:
    for policies in (Policies(identity=[policy]), Policies(identity=[allow()], boundary=policy)):
        with pytest.raises(MalformedPolicyError) as error:
            evaluate(S3, policies)
        assert finding in str(error.value)


#: Finding, resource policy.
#: IAM User Guide, "Grammar of the IAM JSON policy language", "AWS JSON policy elements: Principal" and "NotPrincipal".
RESOURCE: list[tuple[str, Document]] = [
    ("no Principal", allow()),
    ("Principal and NotPrincipal together", allow(Principal="*", NotPrincipal={"AWS": ROLE})),
    ("neither", allow(Principal=ROLE)),
    ("neither", allow(Principal=["*"])),
    ("has 'Aws'", allow(Principal={"Aws": ROLE})),
    ("CanonicalUser", document(statement("Deny", Principal={"CanonicalUser": "79a59d"}))),
    ("CanonicalUser", document(statement("Deny", NotPrincipal={"AWS": ROLE, "CanonicalUser": "79a59d"}))),
    ("neither a string nor a list", allow(Principal={"CanonicalUser": 79})),
    ("neither a string nor a list", allow(Principal={"AWS": 111122223333})),
    ("wildcard", grant("arn:aws:iam::111122223333:role/*")),
    ("wildcard", grant("arn:aws:sts::111122223333:assumed-role/analyst/*")),
    ("wildcard", allow(Principal={"Service": "*.amazonaws.com"})),
    ("no principal", grant("anna")),
    ("no principal", grant("11112222333")),
    ("no principal", grant("arn:aws:s3:::data")),
    ("NotPrincipal is for Deny", allow(NotPrincipal={"AWS": ROLE})),
    ("names nobody", document(statement("Deny", NotPrincipal={"AWS": []}))),
]


@pytest.mark.parametrize(("finding", "policy"), RESOURCE)
def test_resource_policy(finding: str, policy: Document) -> None:
    for policies in (Policies(resource=policy), Policies(endpoint=policy)):
        with pytest.raises(MalformedPolicyError) as error:
            evaluate(S3, policies)
        assert finding in str(error.value)


def test_trust_policy() -> None:
    request = replace(S3, action="sts:AssumeRole", resource=Resource(ROLE, ACCOUNT))
    with pytest.raises(MalformedPolicyError, match="Resource has no place in a trust policy"):
        evaluate(request, Policies(resource=grant(USER)))
    with pytest.raises(MalformedPolicyError, match="NotPrincipal"):
        evaluate(request, Policies(resource=document(statement("Deny", NotPrincipal="*", Resource=None))))


def test_policies_of_the_organisation() -> None:
    with pytest.raises(MalformedPolicyError, match="Principal has no place"):
        evaluate(S3, Policies(scp=[[grant("*")]]))
    with pytest.raises(MalformedPolicyError, match="no Principal"):
        evaluate(S3, Policies(rcp=[[allow()]]))
    with pytest.raises(MalformedPolicyError, match='takes "\\*" only'):
        evaluate(S3, Policies(rcp=[[grant(ROLE)]]))


def test_a_malformed_policy_is_found_whatever_another_one_says() -> None:
    with pytest.raises(MalformedPolicyError):
        evaluate(S3, Policies(identity=[document(statement("Deny")), allow(Action="nothing")]))


def test_the_message_names_policy_and_statement() -> None:
    policy = document(statement(Sid="Fine"), statement(Sid="Broken", Action="GetObject"))
    with pytest.raises(
        MalformedPolicyError, match=r"^identity_policies\[1\]: statement 1 \(Broken\): action "
    ):
        evaluate(S3, Policies(identity=[allow(), policy]))


#: Finding, what makes the request.
#: IAM User Guide, "IAM identifiers".
REQUESTS: list[tuple[str, Callable[[], object]]] = [
    ("is no action", lambda: replace(S3, action="GetObject")),
    ("is no action", lambda: replace(S3, action="s3:*")),
    ("is no action", lambda: replace(S3, action="s3:GetObject ")),
    ("is no ARN", lambda: replace(S3, resource=Resource("data/x"))),
    ("is no ARN", lambda: replace(S3, resource=Resource("arn:aws:s3:data"))),
    ("is no account", lambda: Principal(ROLE, "1111")),
    ("is not that of", lambda: Principal(ROLE, OTHER)),
    ("makes no request", lambda: Principal(f"arn:aws:iam::{ACCOUNT}:group/all", ACCOUNT)),
    ("is no principal", lambda: Principal("anna", ACCOUNT)),
    ("is no principal", lambda: Principal("arn:aws:s3:::data", ACCOUNT)),
    ("Fix: one of them", lambda: Principal(ROLE, ACCOUNT, service="logs.amazonaws.com")),
    ("is there twice", lambda: with_context({"s3:x": "a", "S3:X": "b"}).facts),
    ("is there twice", lambda: with_context({}, {"team": "a", "Team": "b"}).facts),
]


@pytest.mark.parametrize(("finding", "make"), REQUESTS)
def test_request(finding: str, make: Callable[[], object]) -> None:
    with pytest.raises(MalformedRequestError) as error:
        make()
    assert finding in str(error.value)


def test_both_count_as_bad_input() -> None:
    assert issubclass(MalformedPolicyError, GatehouseError)
    assert (MalformedPolicyError.exit_code, MalformedRequestError.exit_code) == (2, 2)
    assert Principal(FEDERATED, ACCOUNT).is_federated_session
