"""What a persona's template may not grant: each rule with what passes and what does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gatehouse.personas.actions import actions_named, closest_action, supports_resources
from gatehouse.personas.check import check_persona
from gatehouse.policies import Kind, PolicyError, render_policy

OBJECTS = "arn:aws:s3:::artifacts/workspaces/${aws:PrincipalTag/team}/*"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/k"
THROUGH_S3 = {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}


def allow(action: object, resource: object = OBJECTS, **more: object) -> dict[str, Any]:
    return {"Sid": "A", "Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: object, **more: object) -> dict[str, Any]:
    return {"Sid": "D", "Effect": "Deny", "Action": action, "Resource": "*", **more}


def without(statement: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in statement.items() if key not in keys}


def check(*statements: dict[str, Any]) -> None:
    check_persona({"Version": "2012-10-17", "Statement": list(statements)}, "personas/mine")


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(allow("s3:GetObject"), id="named action on a named resource"),
        pytest.param(allow(["s3:GetObject", "s3:PutObject"]), id="several"),
        pytest.param(allow("execute-api:Invoke", "arn:aws:execute-api:r:1:a/s/GET/*"), id="route"),
        pytest.param(allow("s3:ListAllMyBuckets", "*"), id="* for what supports no resource"),
        pytest.param(allow("cloudwatch:GetMetricData", "*"), id="* for metrics, which are no resource"),
        pytest.param(allow("kms:Decrypt", KEY, Condition=THROUGH_S3), id="key through S3"),
        pytest.param(
            allow("kms:GenerateDataKey", KEY, Condition={"StringEquals": {"KMS:viaservice": "s3"}}),
            id="condition keys have no case",
        ),
        pytest.param(deny("*"), id="deny everything"),
        pytest.param(
            deny(["s3:*", "iam:*", "sts:Assume*", "secretsmanager:GetSecretValue"]), id="deny patterns"
        ),
        pytest.param(without(deny("", NotAction="s3:Get*"), "Action"), id="deny all but"),
        pytest.param(without(deny("s3:*", NotResource=OBJECTS), "Resource"), id="deny elsewhere"),
    ],
)
def test_a_sound_statement_passes(statement: dict[str, Any]) -> None:
    check(statement)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (allow("s3:GetObjet"), 'A: "s3:GetObjet" is no AWS action. Fix: write s3:GetObject.'),
        (allow("s33:GetObject"), 'A: "s33:GetObject" is no AWS action. Fix: write s3:GetObject.'),
        (allow("nothing-like-it:Do"), '"nothing-like-it:Do" is no AWS action. Fix: write SERVICE:ACTION'),
        (allow("GetObject"), '"GetObject" is no AWS action'),
        (allow("s3:getobject"), '"s3:getobject" is spelled otherwise by AWS. Fix: write s3:GetObject.'),
        (allow("S3:GetObject"), '"S3:GetObject" is spelled otherwise by AWS. Fix: write s3:GetObject.'),
        (deny("s3:DeleteObjct"), 'D: "s3:DeleteObjct" is no AWS action. Fix: write s3:DeleteObject.'),
        (deny("s3:Remove*"), 'D: "s3:Remove*" matches no action'),
        (without(deny("", NotAction="s3:Gt"), "Action"), '"s3:Gt" is no AWS action'),
        (allow("*"), 'A: "*" grants actions that it does not name. Fix: name each action.'),
        (allow("s3:*"), '"s3:*" grants actions that it does not name. Fix: name each action, such as s3:'),
        (allow("s3:GetObject?"), '"s3:GetObject?" grants actions that it does not name'),
        (allow("s3:GetObjectAc*"), "such as s3:GetObjectAcl."),
        (allow("iam:PassRole"), '"iam:PassRole" is of iam, which no persona may use. Fix: remove it.'),
        (allow("iam:*"), '"iam:*" is of iam'),
        (allow("STS:AssumeRole"), '"STS:AssumeRole" is of sts'),
        (allow("sts:*"), '"sts:*" is of sts'),
        (allow("organizations:LeaveOrganization"), "is of organizations"),
        (allow("account:PutContactInformation"), "is of account"),
        (allow("sso:CreatePermissionSet"), "is of sso"),
        (allow("sso-directory:CreateUser"), "is of sso-directory"),
        (allow("identitystore:CreateUser"), "is of identitystore"),
        (allow("secretsmanager:GetSecretValue"), "is of secretsmanager"),
        (allow("rds-db:connect"), "is of rds-db"),
        (allow("kms:Decrypt", KEY), '"kms:Decrypt" uses a key outside any service'),
        (
            allow("kms:Decrypt", KEY, Condition={"StringEqualsIfExists": {"kms:ViaService": "s3"}}),
            "outside any service",
        ),
        (
            allow("kms:Decrypt", KEY, Condition={"StringNotEquals": {"kms:ViaService": "s3"}}),
            "outside any service",
        ),
        (
            allow("kms:CreateGrant", KEY, Condition=THROUGH_S3),
            "is no use of a key that a persona needs. Fix: use kms:Decrypt or kms:GenerateDataKey.",
        ),
        (without(allow("", NotAction="iam:PassRole"), "Action"), "is a NotAction in an Allow"),
        (without(allow("s3:GetObject", NotResource=OBJECTS), "Resource"), "is a NotResource in an Allow"),
        (allow("s3:GetObject", "*"), 'A: "*" grants s3:GetObject on everything. Fix: name the ARNs'),
        (allow("s3:GetObject", [OBJECTS, "arn:aws:*"]), '"arn:aws:*" grants s3:GetObject on everything'),
        (allow("s3:GetObject", "arn:aws:*:::x"), "on everything"),
        (allow(["s3:ListAllMyBuckets", "s3:ListBucket"], "*"), "grants s3:ListBucket on everything"),
        (allow("s3:GetObject", Principal="*"), '"*" is a Principal in an identity policy'),
        (deny("s3:*", NotPrincipal={"AWS": "1"}), "is a NotPrincipal in an identity policy"),
        (allow("s3:GetObject", Effect="allow"), 'A: "allow" is no effect. Fix: write "Effect": "Allow"'),
        (allow("s3:GetObject", Effect=True), "A: true is no effect"),
        (without(allow("s3:GetObject"), "Effect"), "A: has no Effect"),
        (without(allow("s3:GetObject"), "Action"), "A: has no Action. Fix: add Action."),
        (without(allow("s3:GetObject"), "Resource"), "A: has no Resource. Fix: add Resource."),
        (allow([]), "A: [] is no Action"),
        (allow(["s3:GetObject", 1]), "is no Action. Fix: write one text, or a list of texts."),
        (allow("s3:GetObject", {"Ref": "x"}), "is no Resource"),
    ],
)
def test_an_unsound_statement_is_refused(statement: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError) as refused:
        check(allow("s3:GetObject", Sid="Good"), statement)
    assert message in str(refused.value)
    assert all(line.startswith("personas/mine: ") for line in str(refused.value).splitlines())
    assert "Good" not in str(refused.value)


def test_a_statement_of_no_effect_is_held_to_the_rules_of_allow() -> None:
    with pytest.raises(PolicyError, match="is of iam"):
        check(allow("iam:PassRole", Effect="Permit"))


def test_every_finding_is_told_at_once() -> None:
    with pytest.raises(PolicyError) as refused:
        check(allow("s3:*", Sid="One"), allow("iam:PassRole", "*", Sid="Two"))
    assert [line.split(": ")[1] for line in str(refused.value).splitlines()] == ["One", "Two", "Two"]
    assert refused.value.exit_code == 2


def test_the_operator_s_template_passes() -> None:
    rendered = render_policy(
        "personas/operator",
        Kind.MANAGED,
        account="111122223333",
        region="eu-west-1",
        prefix="mlflow-dev",
        operations_document="mlflow-dev-operations",
        scaling_group="mlflow-dev-server",
        log_groups=["/gatehouse/mlflow-dev/*"],
    )
    check_persona(json.loads(rendered), "personas/operator")


def test_actions_are_those_of_aws() -> None:
    assert actions_named("s3:getobject") == ["s3:GetObject"]
    assert "execute-api:Invoke" in actions_named("execute-api:*")
    assert actions_named("*") == actions_named("nothing:*") == actions_named("s*:GetObject") == []
    assert "s3:GetObjectAcl" in actions_named("S3:GetObjec?A*")
    assert closest_action("execute-ap:Invoke") == "execute-api:Invoke"
    assert closest_action("s3:Zzzzzzzzzzzz") is None
    assert supports_resources("s3:GetObject")
    assert not supports_resources("s3:ListAllMyBuckets")
