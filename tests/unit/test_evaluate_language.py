"""Actions, resources and policy variables: what matches what, by the pages that the evaluator's functions cite."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gatehouse.access import Policies, Request, Resource, evaluate
from gatehouse.access.request import UNKNOWN_ROLE_ID, Principal
from tests.unit.access_documents import (
    ACCOUNT,
    FEDERATED,
    OTHER,
    ROLE,
    ROLE_SESSION,
    ROOT,
    S3,
    SESSION,
    USER,
    allow,
    allows,
    deny,
    document,
    said,
    statement,
    with_context,
)

#: Action element, action of the request, whether it is allowed.
#: IAM User Guide, "IAM JSON policy elements: Action" and "NotAction".
ACTIONS = [
    ("s3:GetObject", "s3:GetObject", True),
    ("s3:getobject", "s3:GetObject", True),
    ("S3:GETOBJECT", "s3:GetObject", True),
    ("s3:GetObject", "s3:getobject", True),
    ("s3:GetObject", "s3:GetObjectAcl", False),
    ("s3:GetObject*", "s3:GetObject", True),
    ("s3:GetObject*", "s3:GetObjectAcl", True),
    ("s3:Get*", "s3:PutObject", False),
    ("s3:*Object", "s3:DeleteObject", True),
    ("s3:*Object", "s3:DeleteObjectVersion", False),
    ("s3:*e*O*t", "s3:GetObject", True),
    ("s3:?etObject", "s3:GetObject", True),
    ("s3:?GetObject", "s3:GetObject", False),
    ("s3:*", "s3:GetObject", True),
    ("s3:*", "s3-object-lambda:GetObject", False),
    ("*", "s3:GetObject", True),
    ("*:*", "s3:GetObject", True),
    (["ec2:*", "s3:GetObject"], "s3:GetObject", True),
    (["ec2:*", "s3:PutObject"], "s3:GetObject", False),
    ([], "s3:GetObject", False),
]


@pytest.mark.parametrize(("element", "action", "allowed"), ACTIONS)
def test_action(element: object, action: str, allowed: bool) -> None:
    assert allows(replace(S3, action=action), allow(Action=element)) == allowed


@pytest.mark.parametrize(("element", "action", "allowed"), [row for row in ACTIONS if row[0]])
def test_not_action_is_the_opposite(element: object, action: str, allowed: bool) -> None:
    assert allows(replace(S3, action=action), allow(NotAction=element)) != allowed


def test_a_deny_with_not_action_leaves_what_it_names() -> None:
    policies = Policies(identity=[allow(), deny(NotAction="s3:Get*")])
    assert evaluate(S3, policies).allowed
    assert said(evaluate(replace(S3, action="s3:PutObject"), policies)) == "deny"


QUEUE = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:jobs"
LOGS = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:api:log-stream:a/b"
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:train:7"

#: Resource element, ARN of the request, whether it is allowed.
#: IAM User Guide, "IAM JSON policy elements: Resource", "Using wildcards in resource ARNs", and "NotResource".
RESOURCES = [
    ("*", "arn:aws:s3:::data/x", True),
    ("*", "*", True),
    ("arn:aws:s3:::data/x", "arn:aws:s3:::data/x", True),
    ("arn:aws:s3:::data/x", "arn:aws:s3:::data/X", False),
    ("arn:aws:s3:::Data/x", "arn:aws:s3:::data/x", False),
    ("arn:aws:s3:::data/x", "arn:aws:s3:::data/xy", False),
    ("arn:aws:s3:::data", "arn:aws:s3:::data/x", False),
    ("arn:aws:s3:::data/*", "arn:aws:s3:::data", False),
    ("arn:aws:s3:::data/*", "arn:aws:s3:::data/", True),
    ("arn:aws:s3:::data/*", "arn:aws:s3:::data/a/b/c", True),
    ("arn:aws:s3:::data*", "arn:aws:s3:::data-of-others/x", True),
    ("arn:aws:s3:::data/*/x", "arn:aws:s3:::data/a/b/x", True),
    ("arn:aws:s3:::data/*/x", "arn:aws:s3:::data/x", False),
    ("arn:aws:s3:::data/*/x", "arn:aws:s3:::data/a:b/x", True),
    ("arn:aws:s3:::data/*/x", "arn:aws:s3:::data/a/x/y", False),
    ("arn:aws:s3:::data/*/x", "arn:aws:s3:::other/a/x", False),
    ("arn:aws:s3:::data/a*b", "arn:aws:s3:::data/ab", True),
    ("arn:aws:s3:::data/ab*ba", "arn:aws:s3:::data/aba", False),
    ("arn:aws:s3:::data/a*b*c*d", "arn:aws:s3:::data/a-b-c-d", True),
    ("arn:aws:s3:::data/a*b*c*d", "arn:aws:s3:::data/a-c-b-d", False),
    ("arn:aws:s3:::data/a?b", "arn:aws:s3:::data/a:b", True),
    ("arn:aws:s3:::data/a**b", "arn:aws:s3:::data/a-b", True),
    ("arn:aws:s3:::data/?", "arn:aws:s3:::data/x", True),
    ("arn:aws:s3:::data/?", "arn:aws:s3:::data/", False),
    ("arn:aws:s3:::data/?", "arn:aws:s3:::data/xy", False),
    ("arn:aws:s3:::data/??", "arn:aws:s3:::data//y", True),
    ("arn:aws:s3:::data/a+b(c).txt", "arn:aws:s3:::data/a+b(c).txt", True),
    ("arn:aws:s3:::data/a.b", "arn:aws:s3:::data/axb", False),
    ("arn:aws:s3:::data/*", "arn:aws:s3:::data/line\nbreak", True),
    ("arn:aws:s3:::*", QUEUE, False),
    (f"arn:aws:sqs:*:{ACCOUNT}:jobs", QUEUE, True),
    (f"arn:aws:sqs:eu-*-1:{ACCOUNT}:jobs", QUEUE, True),
    (f"arn:aws:sqs:us-*-1:{ACCOUNT}:jobs", QUEUE, False),
    (f"arn:aws:sqs:eu-west-?:{ACCOUNT}:jobs", QUEUE, True),
    ("arn:aws:sqs:*:*:jobs", QUEUE, True),
    ("arn:aws:sqs:*:*:*", QUEUE, True),
    (f"arn:aws:sqs:*:{OTHER}:jobs", QUEUE, False),
    ("arn:*:sqs:*:*:jobs", QUEUE, True),
    ("arn:aws-cn:sqs:*:*:jobs", QUEUE, False),
    # A star inside a part stays in it, one that ends a part can go on behind the colon.
    ("arn:aws:sqs:eu*1:*:jobs", f"arn:aws:sqs:eu:{ACCOUNT}1:jobs", False),
    ("arn:aws:sqs:eu*1:*:jobs", f"arn:aws:sqs:eu:x1:{ACCOUNT}:jobs", False),
    ("arn:aws:sqs:*", QUEUE, True),
    ("arn:aws:sqs:eu-west-1:*", QUEUE, True),
    ("arn:aws:sqs:eu-west-2:*", QUEUE, False),
    ("arn:aws:lambda:*:function:train:7", FUNCTION, True),
    ("arn:*:sqs:*", QUEUE, True),
    ("arn:aws-*:sqs:*", QUEUE, False),
    ("arn:aws:sqs:*:jobs", QUEUE, True),
    ("arn:aws:sqs:?*:*:jobs", QUEUE, True),
    ("arn:aws:sqs:?:*:jobs", QUEUE, False),
    ("arn:aws:logs:*:*:log-group:api:*", LOGS, True),
    ("arn:aws:logs:*:*:log-group:*:log-stream:a/*", LOGS, True),
    ("arn:aws:logs:*:*:*", LOGS, True),
    ("arn:aws:logs:*:*:log-group:web:*", LOGS, False),
    (["arn:aws:sqs:*:*:other", QUEUE], QUEUE, True),
    (["arn:aws:sqs:*:*:other"], QUEUE, False),
    ("arn:aws:s3:::data", "*", False),
    ([], QUEUE, False),
]


@pytest.mark.parametrize(("element", "arn", "allowed"), RESOURCES)
def test_resource(element: object, arn: str, allowed: bool) -> None:
    assert allows(replace(S3, resource=Resource(arn, ACCOUNT)), allow(Resource=element)) == allowed


@pytest.mark.parametrize(("element", "arn", "allowed"), [row for row in RESOURCES if row[0]])
def test_not_resource_is_the_opposite(element: object, arn: str, allowed: bool) -> None:
    assert allows(replace(S3, resource=Resource(arn, ACCOUNT)), allow(NotResource=element)) != allowed


def test_a_resource_policy_without_resource_is_about_its_resource() -> None:
    policy = document(statement(Principal={"AWS": USER}, Resource=None))
    assert evaluate(replace(S3, principal=Principal(USER, ACCOUNT)), Policies(resource=policy)).allowed


TEAM = "${aws:PrincipalTag/team}"

#: Resource element, tags of the principal, key of the object, whether it is allowed.
#: IAM User Guide, "IAM policy elements: Variables and tags".
VARIABLES_IN_RESOURCE = [
    (f"{TEAM}/*", {"team": "fraud"}, "fraud/x", True),
    (f"{TEAM}/*", {"team": "fraud"}, "search/x", False),
    (f"{TEAM}/*", {"team": "fraud"}, "fraud-2/x", False),
    (f"{TEAM}/*", {}, "fraud/x", False),
    (f"{TEAM}/*", {}, "/x", False),
    (f"{TEAM}/*", {}, f"{TEAM}/x", False),
    (f"{TEAM}/*", {"team": ""}, "/x", True),
    (f"{TEAM}/*", {"Team": "fraud"}, "fraud/x", True),
    ("${AWS:principaltag/TEAM}/*", {"team": "fraud"}, "fraud/x", True),
    (f"{TEAM}/*", {"team": "Fraud"}, "fraud/x", False),
    (f"{TEAM}/*", {"team": "*"}, "fraud/x", False),
    (f"{TEAM}/*", {"team": "*"}, "*/x", True),
    (f"{TEAM}/*", {"team": "f?aud"}, "fraud/x", False),
    (f"{TEAM}/*", {"team": "a.b"}, "axb/x", False),
    (f"{TEAM}/*", {"team": "${aws:username}"}, "${aws:username}/x", True),
    (f"{TEAM}/{TEAM}", {"team": "a"}, "a/a", True),
    (f"{TEAM}/{TEAM}", {"team": "a"}, "a/b", False),
    (f"{TEAM}/${{aws:PrincipalTag/area}}/*", {"team": "a", "area": "b"}, "a/b/x", True),
    (f"{TEAM}/${{aws:PrincipalTag/area}}/*", {"team": "a"}, "a/b/x", False),
    ("${aws:PrincipalTag/team, 'shared'}/*", {}, "shared/x", True),
    ("${aws:PrincipalTag/team, 'shared'}/*", {"team": "fraud"}, "fraud/x", True),
    ("${aws:PrincipalTag/team, 'shared'}/*", {"team": "fraud"}, "shared/x", False),
    ("${aws:PrincipalTag/team,'shared'}/*", {}, "shared/x", True),
    ("${aws:PrincipalTag/team, 'of all'}/*", {}, "of all/x", True),
    ("${aws:PrincipalTag/team, ''}/*", {}, "/x", True),
    ("${aws:PrincipalTag/team, '*'}/*", {}, "fraud/x", False),
    ("a${*}b", {}, "a*b", True),
    ("a${*}b", {}, "axb", False),
    ("a${?}b", {}, "a?b", True),
    ("a${?}b", {}, "axb", False),
    ("a${$}b", {}, "a$b", True),
    ("${$}{aws:username}", {}, "${aws:username}", True),
    ("cost$5", {}, "cost$5", True),
    # Keys of a service, and of an identity provider.
    ("${s3:VersionId, 'null'}/x", {}, "null/x", True),
    ("${cognito-identity.amazonaws.com:sub}/x", {}, "/x", False),
    ("${cognito-identity.amazonaws.com:sub, 'guest'}/x", {}, "guest/x", True),
    ("${oidc.eks.eu-west-1.amazonaws.com/id/AB12:sub, 'pod'}/x", {}, "pod/x", True),
]


@pytest.mark.parametrize(("element", "tags", "key", "allowed"), VARIABLES_IN_RESOURCE)
def test_variables_in_resource(element: str, tags: dict[str, str], key: str, allowed: bool) -> None:
    request = replace(
        S3, principal=replace(ROLE_SESSION, tags=tags), resource=Resource(f"arn:aws:s3:::data/{key}", ACCOUNT)
    )
    assert allows(request, allow(Resource=f"arn:aws:s3:::data/{element}")) == allowed
    assert allows(request, allow(NotResource=f"arn:aws:s3:::data/{element}")) != allowed
    denied = said(
        evaluate(request, Policies(identity=[allow(), deny(Resource=f"arn:aws:s3:::data/{element}")]))
    )
    assert (denied == "deny") == allowed


@pytest.mark.parametrize("version", ["2008-10-17", None])
def test_there_are_no_variables_before_2012(version: str | None) -> None:
    def request(key: str) -> Request:
        principal = replace(ROLE_SESSION, tags={"team": "fraud"})
        return replace(S3, principal=principal, resource=Resource(f"arn:aws:s3:::data/{key}", ACCOUNT))

    policy = document(statement(Resource=f"arn:aws:s3:::data/{TEAM}/x"), version=version)
    assert allows(request(f"{TEAM}/x"), policy)
    assert not allows(request("fraud/x"), policy)
    star = document(statement(Resource="arn:aws:s3:::data/${*}"), version=version)
    assert allows(request("${anything}"), star)
    condition = document(statement(Condition={"StringEquals": {"s3:prefix": TEAM}}), version=version)
    assert allows(with_context({"s3:prefix": TEAM}, {"team": "fraud"}), condition)
    assert not allows(with_context({"s3:prefix": "fraud"}, {"team": "fraud"}), condition)


#: Operator, value of the policy, tags, value of the request (None: the key is missing), whether it holds.
#: IAM User Guide, "IAM policy elements: Variables and tags", "Policy variables with no value".
VARIABLES_IN_CONDITIONS = [
    ("StringEquals", TEAM, {"team": "fraud"}, "fraud", True),
    ("StringEquals", TEAM, {"team": "fraud"}, "search", False),
    ("StringEquals", TEAM, {}, "fraud", False),
    ("StringEquals", TEAM, {}, TEAM, False),
    ("StringEquals", TEAM, {}, None, False),
    ("StringNotEquals", TEAM, {"team": "fraud"}, "fraud", False),
    ("StringNotEquals", TEAM, {"team": "fraud"}, "search", True),
    ("StringNotEquals", TEAM, {}, "fraud", True),
    ("StringNotEquals", TEAM, {}, None, True),
    ("StringEqualsIgnoreCase", TEAM, {"team": "FRAUD"}, "fraud", True),
    ("StringNotEqualsIgnoreCase", TEAM, {"team": "FRAUD"}, "fraud", False),
    ("StringLike", f"{TEAM}/*", {"team": "fraud"}, "fraud/x", True),
    ("StringLike", f"{TEAM}/*", {"team": "*"}, "fraud/x", False),
    ("StringLike", f"{TEAM}/*", {}, "/x", False),
    ("StringLike", f"{TEAM}/${{*}}", {"team": "fraud"}, "fraud/x", False),
    ("StringLike", f"{TEAM}/${{*}}", {"team": "fraud"}, "fraud/*", True),
    ("StringNotLike", f"{TEAM}/*", {"team": "fraud"}, "fraud/x", False),
    ("StringNotLike", f"{TEAM}/*", {}, "fraud/x", True),
    ("StringEquals", "${aws:PrincipalTag/team, 'none'}", {}, "none", True),
    ("StringEqualsIfExists", TEAM, {}, "fraud", False),
    ("StringEqualsIfExists", TEAM, {}, None, True),
    ("ArnLike", f"arn:aws:s3:::{TEAM}/*", {"team": "fraud"}, "arn:aws:s3:::fraud/x", True),
    ("ArnLike", f"arn:aws:s3:::{TEAM}/*", {}, "arn:aws:s3:::fraud/x", False),
    ("ArnEquals", "${aws:PrincipalArn}", {}, ROLE, True),
    ("ArnEquals", "${aws:PrincipalArn}", {}, f"{ROLE}x", False),
    ("ArnNotEquals", "${aws:PrincipalArn}", {}, ROLE, False),
    ("ArnNotLike", f"arn:aws:s3:::{TEAM}/*", {}, "arn:aws:s3:::fraud/x", True),
]


@pytest.mark.parametrize(("operator", "value", "tags", "given", "holds"), VARIABLES_IN_CONDITIONS)
def test_variables_in_conditions(
    operator: str, value: str, tags: dict[str, str], given: str | None, holds: bool
) -> None:
    request = with_context({} if given is None else {"s3:x": given}, tags)
    condition = {operator: {"s3:x": value}}
    assert allows(request, allow(Condition=condition)) == holds
    denied = said(evaluate(request, Policies(identity=[allow(), deny(Condition=condition)])))
    assert (denied == "deny") == holds


def test_one_of_the_values_may_be_unresolved() -> None:
    condition = {"StringEquals": {"s3:prefix": [TEAM, "shared"]}}
    assert allows(with_context({"s3:prefix": "shared"}), allow(Condition=condition))


def test_a_multivalued_key_is_no_variable() -> None:
    policy = allow(Resource="arn:aws:s3:::data/${s3:x}.csv")
    assert allows(with_context({"s3:x": "report"}), policy)
    assert allows(with_context({"s3:x": ["report"]}), policy)
    assert not allows(with_context({"s3:x": ["report", "other"]}), policy)
    assert not allows(
        with_context({"aws:TagKeys": ["report"]}), allow(Resource="arn:aws:s3:::data/${aws:TagKeys}.csv")
    )


#: Who asks, condition key, value that follows without being in the context (None: the key is missing).
#: IAM User Guide, "AWS global condition context keys"; principal key values in "Variables and tags".
DERIVED = [
    (Principal(ROLE, ACCOUNT, SESSION), "aws:PrincipalArn", ROLE),
    (Principal(ROLE, ACCOUNT), "aws:PrincipalArn", ROLE),
    (Principal(USER, ACCOUNT), "aws:PrincipalArn", USER),
    (Principal(ROOT, ACCOUNT), "aws:PrincipalArn", ROOT),
    (Principal(USER, ACCOUNT, FEDERATED), "aws:PrincipalArn", FEDERATED),
    (Principal(FEDERATED, ACCOUNT), "aws:PrincipalArn", FEDERATED),
    (Principal("*"), "aws:PrincipalArn", None),
    (Principal(ROLE, ACCOUNT, SESSION), "aws:PrincipalAccount", ACCOUNT),
    (Principal("*"), "aws:PrincipalAccount", None),
    (Principal(ROLE, ACCOUNT, SESSION), "aws:PrincipalType", "AssumedRole"),
    (Principal(USER, ACCOUNT), "aws:PrincipalType", "User"),
    (Principal(USER, ACCOUNT, FEDERATED), "aws:PrincipalType", "FederatedUser"),
    (Principal(ROOT, ACCOUNT), "aws:PrincipalType", "Account"),
    (Principal("*"), "aws:PrincipalType", "Anonymous"),
    (Principal(service="logs.amazonaws.com"), "aws:PrincipalType", None),
    (Principal(USER, ACCOUNT), "aws:username", "anna"),
    (Principal(ROLE, ACCOUNT, SESSION), "aws:username", None),
    (Principal(ROOT, ACCOUNT), "aws:userid", ACCOUNT),
    (Principal(ROLE, ACCOUNT, SESSION), "aws:userid", f"{UNKNOWN_ROLE_ID}:anna"),
    (Principal(ROLE, ACCOUNT), "aws:userid", None),
    (Principal(USER, ACCOUNT, FEDERATED), "aws:userid", f"{ACCOUNT}:anna"),
    (Principal(ROLE, ACCOUNT, tags={"team": "fraud"}), "aws:PrincipalTag/team", "fraud"),
    (Principal(ROLE, ACCOUNT, tags={"team": "fraud"}), "aws:PrincipalTag/area", None),
    (Principal(service="logs.amazonaws.com"), "aws:PrincipalServiceName", "logs.amazonaws.com"),
    (Principal(service="logs.amazonaws.com"), "aws:PrincipalIsAWSService", "true"),
    (Principal(ROLE, ACCOUNT), "aws:PrincipalIsAWSService", "false"),
    (Principal(ROLE, ACCOUNT), "aws:ResourceAccount", ACCOUNT),
    (Principal(ROLE, ACCOUNT), "aws:SecureTransport", None),
]


@pytest.mark.parametrize(("principal", "key", "value"), DERIVED)
def test_keys_that_follow_from_the_request(principal: Principal, key: str, value: str | None) -> None:
    assert replace(S3, principal=principal).facts.get(key.lower()) == (() if value is None else (value,))


def test_what_the_context_says_wins() -> None:
    request = replace(with_context({"AWS:PrincipalArn": USER, "aws:principaltag/team": "b"}, {"team": "a"}))
    assert request.facts.get("aws:principalarn") == (USER,)
    assert request.facts.get("aws:principaltag/team") == ("b",)
