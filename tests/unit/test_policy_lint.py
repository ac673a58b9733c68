"""The policy lint: each rule with a clean policy and with one that differs only in the flaw."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gatehouse.scan.findings import Finding, shipped_checks
from gatehouse.scan.policy_lint import FAILED_RULE, REFUSED, RULES, UNREADABLE, lint_policies

ACCOUNT = "${data.aws_caller_identity.account.account_id}"
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
BUCKET = "arn:aws:s3:::artifacts"
OWN = f"{BUCKET}/workspaces/$${{aws:PrincipalTag/team}}/*"
BY_ARN = {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/stack/*"}}
WITH_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
NO_TEAM = {"Null": {"aws:PrincipalTag/team": "true"}}
SAML = {"Federated": "arn:aws:iam::111122223333:saml-provider/corporate"}
GITHUB = "token.actions.githubusercontent.com"
ISSUED_BY_GITHUB = {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"}

Element = dict[str, Any]

#: Where a policy of each kind stands.
IDENTITY = ("aws_iam_policy", "policy")
TRUST = ("aws_iam_role", "assume_role_policy")
BUCKET_POLICY = ("aws_s3_bucket_policy", "policy")
KEY = ("aws_kms_key", "policy")
ENDPOINT = ("aws_vpc_endpoint", "policy")
TOPIC = ("aws_sns_topic_policy", "policy")
API = ("aws_api_gateway_rest_api_policy", "policy")
#: Of an identity policy that is a permissions boundary.
BOUNDARY = ("aws_iam_policy", "boundary")


def allow(action: object = "s3:GetObject", resource: object = f"{BUCKET}/x", **more: object) -> Element:
    return {"Sid": "A", "Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: object = "s3:*", resource: object = f"{BUCKET}/*", **more: object) -> Element:
    return {"Sid": "D", "Effect": "Deny", "Action": action, "Resource": resource, **more}


def trust(principal: object, action: object = "sts:AssumeRole", **condition: object) -> Element:
    element = {"Sid": "T", "Effect": "Allow", "Principal": principal, "Action": action}
    return {**element, "Condition": condition} if condition else element


def everybody(element: Element) -> Element:
    return {**element, "Principal": "*"}


def under(element: Element, *left_out: str, **more: object) -> Element:
    """A statement with other elements, and without those named."""
    return {key: value for key, value in {**element, **more}.items() if key not in left_out}


def when(element: Element, **condition: object) -> Element:
    return {**element, "Condition": condition}


def terraform(place: tuple[str, str], *statements: Element, **more: object) -> dict[str, Any]:
    """A synthesized document with one policy, and with what it refers to."""
    type_, attribute = place
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more})
    document: dict[str, Any] = {
        "resource": {type_: {"it": {attribute if attribute != "boundary" else "policy": policy}}},
        "data": {"aws_caller_identity": {"account": {}}},
    }
    if place is BOUNDARY:
        document["resource"]["aws_iam_user"] = {"anna": {"permissions_boundary": "${aws_iam_policy.it.arn}"}}
    return document


def found(place: tuple[str, str], *statements: Element, **more: object) -> list[Finding]:
    """The findings of a policy; a bucket's demands TLS unless it has a statement on that of its own."""
    if place is BUCKET_POLICY and not any(one["Sid"] == "Tls" for one in statements):
        statements = (*statements, BUCKET_TLS)
    return lint_policies(terraform(place, *statements, **more))


def publish(**condition: object) -> Element:
    """A topic's statement for alarms."""
    alarms = under(
        allow("sns:Publish", "arn:aws:sns:r:1:t"), Principal={"Service": "cloudwatch.amazonaws.com"}
    )
    return when(alarms, **condition) if condition else alarms


def logs(**condition: object) -> Element:
    """A key's statement for log groups."""
    groups = under(allow("kms:Decrypt", "*"), Principal={"Service": "logs.eu-west-1.amazonaws.com"})
    return when(groups, **condition) if condition else groups


Case = tuple[str, tuple[str, str], list[Element], list[Element]]

THROUGH_S3 = {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}
TEAM_SPARED = everybody(
    when(
        under(deny(), "Resource", NotResource=[OWN]),
        **BY_ARN,
        Null={"aws:PrincipalTag/team": "false"},
    )
)
TEAMLESS = everybody(under(when(deny(), **BY_ARN, **NO_TEAM), Sid="N"))
FOR_TEAM = {"StringEquals": {"aws:RequestTag/team": ["fraud", "search"]}}
TAG_KEYS = {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}
TOKEN = {
    "StringEquals": {
        f"{GITHUB}:aud": "sts.amazonaws.com",
        f"{GITHUB}:sub": "repo:acme/fraud:ref:refs/heads/main",
    }
}
FOR_AWS = {"StringEquals": {"saml:aud": "https://signin.aws.amazon.com/saml"}}
ASSURED = {"StringEquals": {**FOR_AWS["StringEquals"], "saml:edupersonassurance": "mfa"}}
ANNA = {"AWS": "arn:aws:iam::111122223333:user/anna"}
WITHOUT_TLS = {"Bool": {"aws:SecureTransport": "false"}}
BUCKET_TLS = everybody(under(when(deny(), **WITHOUT_TLS), Sid="Tls"))
TOPIC_TLS = under(BUCKET_TLS, Action=["sns:Publish", "sns:Subscribe"], Resource="arn:aws:sns:r:1:t")
API_CALLS = everybody(deny("execute-api:Invoke", "*"))
FROM_ELSEWHERE = {"NotIpAddress": {"aws:SourceIp": ["198.51.100.0/24"]}}
ONE_ROLE = f"arn:aws:iam::{ACCOUNT}:role/stack/reader"
BY_TEAM = under(allow(resource=OWN), Sid="Own")

#: Id of the check, kind of policy, a policy that passes, its failing twin.
CASES: list[Case] = [
    ("GH105", IDENTITY, [allow()], [under(allow(), "Sid")]),
    ("GH105", BUCKET_POLICY, [TEAM_SPARED, TEAMLESS], [TEAM_SPARED, under(TEAMLESS, Sid="D")]),
    ("GH106", IDENTITY, [allow(resource=OWN)], [allow(resource=OWN.replace("$$", "$"))]),
    ("GH106", IDENTITY, [allow(resource=OWN)], [allow(resource=f"{BUCKET}-${ACCOUNT}/x")]),
    ("GH106", IDENTITY, [allow(resource=OWN)], [allow(resource="${TfToken[TOKEN.7]}")]),
    ("GH106", IDENTITY, [allow(resource=OWN)], [allow(resource="${aws_s3_bucket.gone.arn}/x")]),
    ("GH106", IDENTITY, [allow(resource=OWN)], [allow(resource=OWN.replace("}", ""))]),
    (
        "GH107",
        IDENTITY,
        [allow(resource=OWN)],
        [allow(resource=OWN.replace("PrincipalTag/", "PrincipalTags/"))],
    ),
    (
        "GH107",
        IDENTITY,
        [allow(resource=f"{BUCKET}/$${{aws:username}}/*")],
        [allow(resource=f"{BUCKET}/$${{aws:user}}/*")],
    ),
    (
        "GH107",
        IDENTITY,
        [allow(resource=f"{BUCKET}/$${{*}}")],
        [allow(resource=f"{BUCKET}/$${{aws:TagKeys}}")],
    ),
    ("GH110", IDENTITY, [allow()], [allow("s3:GetObjekt")]),
    ("GH110", IDENTITY, [deny("s3:Put*")], [deny("s3:Remove*")]),
    ("GH111", IDENTITY, [allow()], [allow("s3:*")]),
    ("GH111", IDENTITY, [deny("*")], [allow("*")]),
    (
        "GH112",
        IDENTITY,
        [under(deny(), "Action", NotAction="s3:GetObject")],
        [under(allow(), "Action", NotAction="s3:GetObject")],
    ),
    (
        "GH113",
        IDENTITY,
        [under(deny(), "Resource", NotResource=BUCKET)],
        [under(allow(), "Resource", NotResource=BUCKET)],
    ),
    ("GH114", IDENTITY, [allow("s3:ListAllMyBuckets", "*")], [allow("s3:GetObject", "*")]),
    (
        "GH114",
        IDENTITY,
        [allow(["s3:GetObject", "s3:ListAllMyBuckets"], "*")],
        [allow(["s3:GetObject", "s3:PutObject"], "*")],
    ),
    ("GH114", IDENTITY, [allow("cloudwatch:PutMetricData", "*")], [allow("cloudwatch:GetDashboard", "*")]),
    (
        "GH115",
        IDENTITY,
        [allow("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/server")],
        [allow("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/*")],
    ),
    ("GH115", IDENTITY, [deny("iam:PassRole", "*")], [allow(["iam:PassRole", "s3:ListAllMyBuckets"], "*")]),
    (
        "GH116",
        IDENTITY,
        [allow(resource=f"{BUCKET}/workspaces/fraud/*")],
        [allow(resource=f"{BUCKET}/workspaces/fraud*")],
    ),
    ("GH116", IDENTITY, [allow(resource=OWN)], [allow(resource=OWN.replace("}/*", "}*"))]),
    (
        "GH116",
        IDENTITY,
        [allow(resource=f"{BUCKET}/*/models/x")],
        [allow(resource=f"{BUCKET}/fraud*/models/x")],
    ),
    (
        "GH116",
        IDENTITY,
        [
            when(
                allow("kms:Decrypt", "arn:aws:kms:r:1:key/k"),
                **THROUGH_S3,
                StringLike={"kms:EncryptionContext:aws:s3:arn": f"{BUCKET}/fraud/*"},
            )
        ],
        [
            when(
                allow("kms:Decrypt", "arn:aws:kms:r:1:key/k"),
                **THROUGH_S3,
                StringLike={"kms:EncryptionContext:aws:s3:arn": f"{BUCKET}/fraud*"},
            )
        ],
    ),
    (
        "GH117",
        IDENTITY,
        [when(allow("s3:ListBucket", BUCKET), StringLike={"s3:prefix": ["", "fraud/", "fraud/*"]})],
        [when(allow("s3:ListBucket", BUCKET), StringLike={"s3:prefix": ["", "fraud/", "fraud*"]})],
    ),
    (
        "GH117",
        BUCKET_POLICY,
        [everybody(when(deny("s3:ListBucketVersions", BUCKET), StringNotEquals={"s3:prefix": "fraud/"}))],
        [everybody(when(deny("s3:ListBucketVersions", BUCKET), StringNotEquals={"s3:prefix": "fraud"}))],
    ),
    (
        "GH118",
        KEY,
        [when(under(allow("kms:Decrypt", "*"), Principal=ROOT), **THROUGH_S3)],
        [under(allow("kms:Decrypt", "*"), Principal=ROOT)],
    ),
    (
        "GH118",
        KEY,
        [under(allow(["kms:PutKeyPolicy", "kms:DescribeKey"], "*"), Principal=ROOT)],
        [under(allow(["kms:PutKeyPolicy", "kms:GenerateDataKey*"], "*"), Principal=ROOT)],
    ),
    (
        "GH120",
        BUCKET_POLICY,
        [under(deny(), NotPrincipal=ROOT)],
        [under(allow(), NotPrincipal=ROOT)],
    ),
    ("GH121", BUCKET_POLICY, [everybody(when(allow(), **BY_ARN))], [everybody(allow())]),
    (
        "GH121",
        BUCKET_POLICY,
        [everybody(when(allow(), StringEquals={"aws:PrincipalOrgID": "o-1"}))],
        [everybody(when(allow(), StringEqualsIfExists={"aws:PrincipalOrgID": "o-1"}))],
    ),
    (
        "GH121",
        BUCKET_POLICY,
        [under(allow(), Principal={"AWS": "arn:aws:iam::111122223333:role/x"})],
        [when(under(allow(), Principal={"AWS": "*"}), StringLike={"aws:PrincipalArn": "*"})],
    ),
    (
        "GH121",
        ENDPOINT,
        [everybody(allow(resource="arn:aws:s3:::al2023-repos-eu-west-1-de612dc2/*"))],
        [everybody(allow(resource=f"{BUCKET}/*"))],
    ),
    ("GH122", TRUST, [trust(ROOT, **WITH_MFA)], [trust(ROOT)]),
    ("GH122", TRUST, [trust({"AWS": "arn:aws:iam::111122223333:role/x"})], [trust({"AWS": "111122223333"})]),
    (
        "GH123",
        TRUST,
        [trust(ISSUED_BY_GITHUB, "sts:AssumeRoleWithWebIdentity", **TOKEN)],
        [
            trust(
                ISSUED_BY_GITHUB,
                "sts:AssumeRoleWithWebIdentity",
                StringEquals={f"{GITHUB}:aud": "sts.amazonaws.com"},
            )
        ],
    ),
    (
        "GH123",
        TRUST,
        [trust(ISSUED_BY_GITHUB, "sts:AssumeRoleWithWebIdentity", **TOKEN)],
        [
            trust(
                ISSUED_BY_GITHUB,
                "sts:AssumeRoleWithWebIdentity",
                StringLike={f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:sub": "repo:*"},
            )
        ],
    ),
    (
        "GH130",
        IDENTITY,
        [when(allow("s3:ListBucket", BUCKET), StringLike={"s3:prefix": "fraud/*"})],
        [when(allow("s3:ListBucket", BUCKET), StringEquals={"s3:prefix": "fraud/*"})],
    ),
    (
        "GH130",
        IDENTITY,
        [when(allow(), ArnEquals={"aws:PrincipalArn": "arn:aws:iam::1:role/x/*"})],
        [when(allow(), StringEquals={"aws:PrincipalArn": "arn:aws:iam::1:role/x/*"})],
    ),
    (
        "GH131",
        IDENTITY,
        [when(deny(), Bool={"aws:SecureTransport": False})],
        [when(deny(), Bool={"aws:SecureTransport": "no"})],
    ),
    (
        "GH131",
        IDENTITY,
        [when(deny(), NumericLessThan={"s3:TlsVersion": "1.2"})],
        [when(deny(), NumericLessThan={"s3:TlsVersion": "TLS1.2"})],
    ),
    (
        "GH131",
        IDENTITY,
        [when(deny(), NotIpAddress={"aws:SourceIp": "10.0.0.0/8"})],
        [when(deny(), NotIpAddress={"aws:SourceIp": "10.0.0/8"})],
    ),
    (
        "GH131",
        IDENTITY,
        [when(deny(), Null={"aws:SourceVpce": "true"})],
        [when(deny(), Null={"aws:SourceVpce": "absent"})],
    ),
    (
        "GH132",
        IDENTITY,
        [when(allow("s3:ListBucket", BUCKET), StringLike={"s3:prefix": "a/*"})],
        [when(allow("s3:GetObject"), StringLike={"s3:prefix": "a/*"})],
    ),
    (
        "GH132",
        IDENTITY,
        [when(allow(), StringEquals={"aws:PrincipalOrgID": "o-1"})],
        [when(allow(), StringEquals={"aws:PrincipalOrg": "o-1"})],
    ),
    (
        "GH132",
        IDENTITY,
        [when(deny("s3:*"), NumericLessThan={"s3:TlsVersion": "1.2"})],
        [when(deny("s3:*"), NumericLessThan={"s3:Tls": "1.2"})],
    ),
    (
        "GH132",
        IDENTITY,
        [
            when(
                allow(
                    ["autoscaling:CancelInstanceRefresh", "autoscaling:StartInstanceRefresh"],
                    "arn:aws:autoscaling:r:1:autoScalingGroup:*:autoScalingGroupName/x",
                ),
                Null={"autoscaling:ImageId": "true"},
            )
        ],
        [
            when(
                allow(
                    "autoscaling:CancelInstanceRefresh",
                    "arn:aws:autoscaling:r:1:autoScalingGroup:*:autoScalingGroupName/x",
                ),
                Null={"autoscaling:ImageId": "true"},
            )
        ],
    ),
    (
        "GH132",
        TRUST,
        [trust(SAML, "sts:AssumeRoleWithSAML", **ASSURED)],
        [trust(SAML, ["sts:AssumeRoleWithSAML", "sts:TagSession"], **ASSURED)],
    ),
    (
        "GH133",
        TRUST,
        [trust(SAML, "sts:AssumeRoleWithSAML", **FOR_AWS, **TAG_KEYS, Null={"aws:TagKeys": "false"})],
        [trust(SAML, "sts:AssumeRoleWithSAML", **FOR_AWS, **TAG_KEYS)],
    ),
    (
        "GH133",
        TRUST,
        [trust(SAML, "sts:AssumeRoleWithSAML", **FOR_AWS, **TAG_KEYS, Null={"aws:RequestTag/team": "false"})],
        [trust(SAML, "sts:AssumeRoleWithSAML", **FOR_AWS, **TAG_KEYS, Null={"aws:RequestTag/team": "true"})],
    ),
    (
        "GH134",
        TRUST,
        [trust(ROOT, **WITH_MFA)],
        [trust(ROOT, BoolIfExists={"aws:MultiFactorAuthPresent": "true"})],
    ),
    (
        "GH134",
        TRUST,
        [trust(ROOT, NumericLessThan={"aws:MultiFactorAuthAge": "60"})],
        [trust(ROOT, NumericLessThanIfExists={"aws:MultiFactorAuthAge": "60"})],
    ),
    (
        "GH135",
        IDENTITY,
        [when(deny(), BoolIfExists={"aws:MultiFactorAuthPresent": "false"})],
        [when(deny(), Bool={"aws:MultiFactorAuthPresent": "false"})],
    ),
    ("GH140", IDENTITY, [deny("s3:DeleteObject*")], [deny(["s3:DeleteObject", "s3:DeleteObjectVersion"])]),
    (
        "GH140",
        BUCKET_POLICY,
        [
            everybody(deny("s3:DeleteObject")),
            everybody(under(deny(), "Action", Sid="R", NotAction=["s3:GetObject", "s3:DeleteObject"])),
        ],
        [
            everybody(deny("s3:DeleteObject")),
            everybody(under(deny(), "Action", Sid="R", NotAction=["s3:GetObject", "s3:DeleteObject*"])),
        ],
    ),
    (
        "GH140",
        BUCKET_POLICY,
        [everybody(deny("s3:DeleteObject")), everybody(under(deny("s3:DeleteObject*"), Sid="R"))],
        [
            everybody(deny("s3:DeleteObject")),
            everybody(when(under(deny("s3:DeleteObject*"), Sid="R"), **BY_ARN)),
        ],
    ),
    (
        "GH140",
        BUCKET_POLICY,
        [everybody(when(deny("s3:PutObject"), Null={"s3:x-amz-server-side-encryption": "true"}))],
        [everybody(when(deny("s3:PutObject"), Null={"aws:PrincipalOrgID": "true"}))],
    ),
    (
        "GH140",
        BOUNDARY,
        [deny("s3:DeleteObject", "*"), allow(["s3:GetObject", "s3:DeleteObject"])],
        [deny("s3:DeleteObject", "*"), allow(["s3:GetObject", "s3:DeleteObjectVersion"])],
    ),
    ("GH141", BUCKET_POLICY, [TEAM_SPARED, TEAMLESS], [TEAM_SPARED]),
    ("GH141", BUCKET_POLICY, [TEAM_SPARED, TEAMLESS], [TEAM_SPARED, under(TEAMLESS, Action="s3:Get*")]),
    ("GH141", BUCKET_POLICY, [TEAM_SPARED, TEAMLESS], [TEAM_SPARED, under(TEAMLESS, Resource=BUCKET)]),
    (
        "GH141",
        BUCKET_POLICY,
        [TEAM_SPARED, TEAMLESS],
        [TEAM_SPARED, when(TEAMLESS, **BY_ARN, **NO_TEAM, **WITH_MFA)],
    ),
    ("GH141", BUCKET_POLICY, [TEAM_SPARED, TEAMLESS], [TEAM_SPARED, under(TEAMLESS, Principal=ROOT)]),
    (
        "GH141",
        IDENTITY,
        [deny(resource=f"{BUCKET}/$${{aws:PrincipalTag/team, 'none'}}/*")],
        [deny(resource=OWN)],
    ),
]

CASES += [
    (
        "GH114",
        ENDPOINT,
        [everybody(when(allow(), **BY_ARN))],
        [everybody(when(allow(resource="*"), **BY_ARN))],
    ),
    (
        "GH114",
        ENDPOINT,
        [everybody(when(allow("kms:Decrypt", "*"), **BY_ARN))],
        [everybody(when(allow("execute-api:Invoke", "*"), **BY_ARN))],
    ),
    (
        "GH118",
        IDENTITY,
        [when(allow("kms:Decrypt", "arn:aws:kms:r:1:key/k"), **THROUGH_S3)],
        [allow("kms:Decrypt", "arn:aws:kms:r:1:key/k")],
    ),
    (
        "GH125",
        TRUST,
        [trust(SAML, "sts:AssumeRoleWithSAML", **FOR_AWS)],
        [trust(SAML, "sts:AssumeRoleWithSAML")],
    ),
    ("GH126", TRUST, [trust(ANNA, **WITH_MFA)], [trust(ANNA)]),
    (
        "GH126",
        TRUST,
        [trust({"AWS": "arn:aws:iam::111122223333:role/x"})],
        [trust(ANNA, StringEquals={"sts:ExternalId": "x"})],
    ),
    (
        "GH126",
        TRUST,
        [trust(ROOT, **BY_ARN)],
        [trust(ROOT, ArnLike={"aws:PrincipalArn": "arn:aws:iam::1:user/*"})],
    ),
    (
        "GH127",
        TOPIC,
        [publish(StringEquals={"aws:SourceAccount": ACCOUNT}), TOPIC_TLS],
        [publish(), TOPIC_TLS],
    ),
    (
        "GH127",
        KEY,
        [logs(ArnLike={"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:r:1:log-group:x"})],
        [logs()],
    ),
    (
        "GH127",
        TRUST,
        [trust({"Service": "ec2.amazonaws.com"})],
        [trust({"Service": "sagemaker.amazonaws.com"})],
    ),
    ("GH142", BUCKET_POLICY, [], [under(BUCKET_TLS, Principal=ROOT)]),
    ("GH142", BUCKET_POLICY, [], [under(BUCKET_TLS, Action="s3:Get*")]),
    ("GH142", BUCKET_POLICY, [], [when(BUCKET_TLS, **BY_ARN, **BUCKET_TLS["Condition"])]),
    ("GH142", TOPIC, [TOPIC_TLS], [under(TOPIC_TLS, Action="sns:Publish")]),
    (
        "GH119",
        IDENTITY,
        [allow("sts:AssumeRole", ONE_ROLE)],
        [allow("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/stack/*")],
    ),
    ("GH143", API, [when(API_CALLS, **FROM_ELSEWHERE)], [API_CALLS]),
    (
        "GH143",
        API,
        [when(API_CALLS, StringNotEquals={"aws:SourceVpce": ["vpce-1"]})],
        [
            when(
                API_CALLS,
                StringNotEquals={"aws:SourceVpce": ["vpce-1"]},
                Bool={"aws:SecureTransport": "true"},
            )
        ],
    ),
    (
        "GH143",
        API,
        [when(API_CALLS, **FROM_ELSEWHERE)],
        [when(API_CALLS, NotIpAddress={"aws:SourceIp": ["198.51.100.0/24", "0.0.0.0/0"]})],
    ),
    (
        "GH143",
        API,
        [when(API_CALLS, **FROM_ELSEWHERE)],
        [under(when(API_CALLS, **FROM_ELSEWHERE), Effect="Allow")],
    ),
]


@pytest.mark.parametrize(
    ("check", "place", "clean", "flawed"),
    [pytest.param(*case, id=f"{case[0]} {n}") for n, case in enumerate(CASES)],
)
def test_a_rule_finds_the_flaw_and_nothing_else(
    check: str, place: tuple[str, str], clean: list[Element], flawed: list[Element]
) -> None:
    assert not [one for one in found(place, *clean) if one.check == check]
    assert [one.check for one in found(place, *flawed) if one.check == check]


@pytest.mark.parametrize(("place", "clean"), [(place, clean) for _, place, clean, _ in CASES])
def test_a_clean_policy_is_clean_for_every_rule(place: tuple[str, str], clean: list[Element]) -> None:
    assert found(place, *clean) == []


def test_version() -> None:
    assert found(IDENTITY, allow()) == []
    for version in ("2008-10-17", None):
        (one,) = found(IDENTITY, allow(), Version=version)
        assert (one.check, one.address, one.place) == ("GH104", "aws_iam_policy.it", "policy")


def tagged(trusting: Element | None = None, granting: Element | None = None) -> list[str]:
    """The tag findings of a stack that decides by the tag ``team``."""
    document = terraform(IDENTITY, BY_TEAM, *([granting] if granting else []))
    if trusting:
        document["resource"].update(terraform(TRUST, trusting)["resource"])
    return [one.detail for one in lint_policies(document) if one.check == "GH124"]


ASSUME_TAGGED = ["sts:AssumeRole", "sts:TagSession"]


@pytest.mark.parametrize(
    ("clean", "flawed"),
    [
        (trust(ANNA), trust(ANNA, ASSUME_TAGGED)),
        (trust(ANNA, ASSUME_TAGGED, **FOR_TEAM), trust(ANNA, ASSUME_TAGGED, **WITH_MFA)),
        (
            trust(ANNA, ASSUME_TAGGED, StringEquals={"aws:RequestTag/team": "$${aws:PrincipalTag/team}"}),
            trust(ANNA, ASSUME_TAGGED, StringNotLike={"aws:RequestTag/team": "default"}),
        ),
        (
            trust(
                SAML, ["sts:AssumeRoleWithSAML", "sts:TagSession"], StringNotLike={"aws:RequestTag/team": "a"}
            ),
            trust(SAML, ["sts:AssumeRoleWithSAML", "sts:TagSession"], StringEquals={"saml:aud": "a"}),
        ),
        (
            trust(ANNA, ASSUME_TAGGED, **{"ForAllValues:StringEquals": {"aws:TagKeys": ["cost"]}}),
            trust(ANNA, ASSUME_TAGGED, **TAG_KEYS),
        ),
    ],
)
def test_a_session_does_not_choose_its_team(clean: Element, flawed: Element) -> None:
    assert tagged(clean) == []
    assert tagged(flawed) == ["lets who assumes the role choose the session tag team"]


def test_only_tags_that_decide_count() -> None:
    document = terraform(TRUST, trust(ANNA, ASSUME_TAGGED, **WITH_MFA))
    assert lint_policies(document) == []


def test_a_boundary_may_leave_open_which_role_is_assumed() -> None:
    pattern = allow("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/stack/*")
    assert "GH119" in {one.check for one in found(IDENTITY, pattern)}
    assert "GH119" not in {one.check for one in found(BOUNDARY, pattern)}


def test_a_principal_does_not_tag_a_role() -> None:
    roles = f"arn:aws:iam::{ACCOUNT}:role/*"
    assert tagged(granting=allow("iam:GetRole", roles)) == []
    assert tagged(granting=allow("iam:TagRole", roles)) == [
        "lets a principal set the tag team that decides, by iam:TagRole"
    ]
    other = {"ForAllValues:StringEquals": {"aws:TagKeys": ["cost"]}, "Null": {"aws:TagKeys": "false"}}
    assert tagged(granting=when(allow("iam:TagRole", roles), **other)) == []


def test_a_boundary_that_denies_tagging_passes() -> None:
    tagging, never = allow(["iam:TagRole", "iam:TagUser"], "arn:aws:iam::1:role/x"), deny("iam:Tag*", "*")
    assert not found(BOUNDARY, BY_TEAM, tagging, never)
    assert found(BOUNDARY, BY_TEAM, tagging, when(never, **WITH_MFA))


@pytest.mark.parametrize(
    ("element", "message"),
    [
        (allow("s3:GetObjekt"), "s3:GetObject is one"),
        (allow(resource=OWN.replace("PrincipalTag/", "PrincipalTags/")), "; ${aws:PrincipalTag/team} is"),
        (when(allow(), StringEquals={"aws:PrincipalOrgI": "o"}), "; aws:PrincipalOrgID is"),
        (when(allow(), StringEquals={"s3:DataAccessPointArm": "o"}), "; s3:DataAccessPointArn is"),
        (when(allow(), StringEquals={"s3:prefix": "a/"}), "no request for s3:GetObject has s3:prefix"),
        (deny(["s3:PutObject"]), "s3:PutObjectRetention"),
    ],
)
def test_a_finding_says_what_was_meant(element: Element, message: str) -> None:
    (one,) = found(IDENTITY, element)
    assert message in one.detail
    assert one.place == f"policy:{element['Sid']}"


def test_what_no_rule_explains_is_left_to_the_grammar() -> None:
    (one,) = found(IDENTITY, when(allow(), StringMatches={"aws:SourceVpc": "x"}))
    assert (one.check, one.place) == (REFUSED, "policy")
    assert "StringMatches is no condition operator" in one.detail
    assert [one.check for one in found(IDENTITY, allow("s3:GetObjekt", "no ARN"))] == ["GH110"]


@pytest.mark.parametrize(
    "statement", ["text", allow(Principal=7), allow(action=[7]), allow(Condition={"Bool": "x"})]
)
def test_what_is_no_statement_is_refused(statement: Element) -> None:
    (one,) = found(IDENTITY, statement)
    assert one.check == REFUSED
    assert one.detail.startswith("the policy has ")


def test_every_check_is_described() -> None:
    ours = {name for name in shipped_checks() if name.startswith("GH1")}
    assert ours == {*RULES, UNREADABLE, FAILED_RULE, REFUSED}


def test_every_rule_has_a_case() -> None:
    assert set(RULES) - {check for check, *_ in CASES} == {"GH104", "GH124"}, "they have tests of their own"
