"""Policies with one flaw each, and twins without it, for every kind of issue that the published checks stay on for."""

from __future__ import annotations

import json
from typing import Any

ACCOUNT = "111122223333"
BUCKET = "arn:aws:s3:::artifacts"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/lead"
QUEUE = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:jobs"
SAML = f"arn:aws:iam::{ACCOUNT}:saml-provider/corporate"
GITHUB = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"

Element = dict[str, Any]

#: Where a policy of each kind stands: a type of resource and its attribute.
IDENTITY = ("aws_iam_policy", "policy")
INLINE = ("aws_iam_role_policy", "policy")
GROUP = ("aws_iam_group_policy", "policy")
TRUST = ("aws_iam_role", "assume_role_policy")
BUCKET_POLICY = ("aws_s3_bucket_policy", "policy")
QUEUE_POLICY = ("aws_sqs_queue_policy", "policy")
ORGANIZATION = ("aws_organizations_policy", "content")

Place = tuple[str, str]
Policy = list[Element]


def allow(action: object = "s3:GetObject", resource: object = f"{BUCKET}/x", **more: object) -> Element:
    return {"Sid": "A", "Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: object = "s3:PutObject", resource: object = f"{BUCKET}/*", **more: object) -> Element:
    return {"Sid": "D", "Effect": "Deny", "Action": action, "Resource": resource, **more}


def trust(principal: object, action: object = "sts:AssumeRole", **condition: object) -> Element:
    element = {"Sid": "T", "Effect": "Allow", "Principal": principal, "Action": action}
    return {**element, "Condition": condition} if condition else element


def under(element: Element, *left_out: str, **more: object) -> Element:
    """A statement with other elements, and without those named."""
    return {key: value for key, value in {**element, **more}.items() if key not in left_out}


def when(element: Element, **condition: object) -> Element:
    return {**element, "Condition": condition}


def terraform(place: Place, statements: Policy, **more: object) -> dict[str, Any]:
    """A synthesized document with one policy; ``more`` are its elements beside the statements."""
    type_, attribute = place
    policy = {"Version": "2012-10-17", "Statement": statements, **more}
    return {"resource": {type_: {"it": {attribute: json.dumps(policy)}}}}


ROLE_ONLY = {"AWS": ROLE}
EVERYBODY_SENDS = allow("sqs:SendMessage", QUEUE, Principal="*")
SENDS = under(EVERYBODY_SENDS, Principal=ROLE_ONLY)
TOPICS_SEND = under(EVERYBODY_SENDS, Principal={"Service": "sns.amazonaws.com"})
OF_ACCOUNT = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
LISTS = allow("s3:ListBucket", BUCKET)
DELETES = allow("iam:DeleteRole", "*")
TAGS = allow("ec2:CreateTags", f"arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/i-1")
TEAM_TAG = {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}
HAS_TAG = {"Null": {"aws:TagKeys": "false"}}
FOR_AWS = {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}
FROM_MAIN = {
    "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:sub": "repo:acme/x:ref:refs/heads/main"}
}
FOR_ANY = {"StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"}}
LEAD_WITH_MFA = trust(ROLE_ONLY, Bool={"aws:MultiFactorAuthPresent": "true"})
RCP = deny("s3:GetObject", "*", Principal="*")
ABROAD = {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}
NO_SERVICE = {"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}
PASSES = allow("iam:PassRole", ROLE)
STARTS = under(allow("ec2:RunInstances", "*"), Sid="B")

#: Id of ours, the package's kind of issue, where the policy stands, a policy without the flaw, its twin with it.
VALIDATOR: list[tuple[str, str, Place, Policy, Policy]] = [
    ("GH401", "unknown_field", IDENTITY, [LISTS], [under(LISTS, Owner="anna")]),
    ("GH401", "invalid_effect", IDENTITY, [LISTS], [under(LISTS, Effect="allow")]),
    ("GH401", "missing_resource", IDENTITY, [LISTS], [under(LISTS, "Resource")]),
    ("GH401", "action_conflict", IDENTITY, [LISTS], [under(LISTS, NotAction="s3:GetObject")]),
    ("GH401", "resource_conflict", IDENTITY, [LISTS], [under(LISTS, NotResource=BUCKET)]),
    ("GH401", "missing_action", IDENTITY, [LISTS], [under(LISTS, "Action")]),
    ("GH401", "missing_effect", IDENTITY, [LISTS], [under(LISTS, "Effect")]),
    ("GH402", "duplicate_sid", IDENTITY, [LISTS, deny()], [LISTS, under(deny(), Sid="A")]),
    ("GH402", "invalid_sid_format", IDENTITY, [LISTS], [under(LISTS, Sid="list-all")]),
    (
        "GH403",
        "policy_size_exceeded",
        IDENTITY,
        [under(LISTS, Resource=[f"{BUCKET}-{n:03}" for n in range(100)])],
        [under(LISTS, Resource=[f"{BUCKET}-{n:03}" for n in range(300)])],
    ),
    (
        "GH403",
        "policy_size_exceeded",
        INLINE,
        [under(LISTS, Resource=[f"{BUCKET}-{n:03}" for n in range(300)])],
        [under(LISTS, Resource=[f"{BUCKET}-{n:03}" for n in range(400)])],
    ),
    ("GH404", "policy_type_hint", IDENTITY, [LISTS], [under(LISTS, Principal=ROLE_ONLY)]),
    ("GH404", "missing_principal", QUEUE_POLICY, [SENDS], [SENDS, under(SENDS, "Principal", Sid="B")]),
    ("GH405", "invalid_action", IDENTITY, [LISTS], [under(LISTS, Action="s3:ListBukket")]),
    ("GH405", "invalid_action", IDENTITY, [LISTS], [under(LISTS, Action="s4:ListBucket")]),
    ("GH405", "invalid_action", IDENTITY, [deny("s3:Put*")], [deny("s3:Remove*")]),
    ("GH406", "invalid_resource", IDENTITY, [LISTS], [under(LISTS, Resource="artifacts")]),
    (
        "GH407",
        "invalid_condition_key",
        IDENTITY,
        [when(LISTS, StringEquals={"s3:prefix": "x/"})],
        [when(LISTS, StringEquals={"s3:prefiks": "x/"})],
    ),
    (
        "GH407",
        "invalid_condition_key",
        IDENTITY,
        [when(LISTS, StringEquals={"s3:prefix": "x/"})],
        [when(allow(), StringEquals={"s3:prefix": "x/"})],
    ),
    (
        "GH407",
        "invalid_condition_key",
        IDENTITY,
        [when(LISTS, StringEquals={"aws:PrincipalAccount": ACCOUNT})],
        [when(LISTS, StringEquals={"aws:PrincipalAcount": ACCOUNT})],
    ),
    (
        "GH408",
        "type_mismatch",
        IDENTITY,
        [when(LISTS, NumericLessThanEquals={"s3:max-keys": "10"})],
        [when(LISTS, DateLessThan={"s3:max-keys": "2026-01-01T00:00:00Z"})],
    ),
    (
        "GH408",
        "type_mismatch_usable",
        IDENTITY,
        [when(LISTS, ArnEquals={"aws:PrincipalArn": ROLE})],
        [when(LISTS, StringEquals={"aws:PrincipalArn": ROLE})],
    ),
    (
        "GH408",
        "invalid_operator",
        IDENTITY,
        [when(LISTS, StringEquals={"s3:prefix": "x/"})],
        [when(LISTS, StringEqual={"s3:prefix": "x/"})],
    ),
    (
        "GH409",
        "set_operator_on_single_valued_key",
        IDENTITY,
        [when(LISTS, StringEquals={"s3:prefix": "x/"})],
        [when(LISTS, **{"ForAnyValue:StringEquals": {"s3:prefix": "x/"}})],
    ),
    (
        "GH409",
        "forallvalues_allow_without_null_check",
        IDENTITY,
        [when(TAGS, **TEAM_TAG, **HAS_TAG)],
        [when(TAGS, **TEAM_TAG)],
    ),
    (
        "GH409",
        "forallvalues_allow_without_null_check",
        TRUST,
        [trust(ROLE_ONLY, ["sts:AssumeRole", "sts:TagSession"], **TEAM_TAG, **HAS_TAG)],
        [trust(ROLE_ONLY, ["sts:AssumeRole", "sts:TagSession"], **TEAM_TAG)],
    ),
    (
        "GH410",
        "ifexists_weakens_security_condition",
        IDENTITY,
        [when(LISTS, IpAddress={"aws:SourceIp": "10.0.0.0/8"})],
        [when(LISTS, IpAddressIfExists={"aws:SourceIp": "10.0.0.0/8"})],
    ),
    ("GH411", "resource_mismatch", IDENTITY, [LISTS], [under(LISTS, Resource=f"{BUCKET}/x")]),
    (
        "GH411",
        "resource_mismatch",
        IDENTITY,
        [allow("s3:ListAllMyBuckets", "*")],
        [allow("s3:ListAllMyBuckets", BUCKET)],
    ),
    ("GH412", "overly_permissive", IDENTITY, [LISTS], [under(LISTS, Action="*")]),
    ("GH413", "overly_permissive", IDENTITY, [LISTS], [under(LISTS, Resource="*")]),
    ("GH414", "security_risk", IDENTITY, [LISTS], [allow("*", "*")]),
    ("GH415", "overly_permissive", IDENTITY, [LISTS], [under(LISTS, Action="s3:*")]),
    ("GH415", "overly_permissive", IDENTITY, [LISTS], [under(LISTS, Action="logs:*")]),
    (
        "GH416",
        "not_action_allow",
        IDENTITY,
        [LISTS],
        [when(under(allow(resource="*"), "Action", NotAction="iam:*"), **OF_ACCOUNT)],
    ),
    (
        "GH416",
        "not_resource_broad",
        IDENTITY,
        [LISTS],
        [under(LISTS, "Resource", NotResource=BUCKET, Action="s3:*")],
    ),
    (
        "GH416",
        "not_resource_deny_ineffective",
        IDENTITY,
        [under(deny(), "Resource", NotResource=f"{BUCKET}/x")],
        [under(deny(), "Resource", NotResource="*")],
    ),
    (
        "GH417",
        "not_principal_with_allow",
        QUEUE_POLICY,
        [SENDS],
        [under(SENDS, "Principal", NotPrincipal=ROLE_ONLY)],
    ),
    (
        "GH417",
        "not_principal_usage",
        QUEUE_POLICY,
        [SENDS, when(deny("sqs:*", QUEUE, Principal="*"), ArnNotEquals={"aws:PrincipalArn": ROLE})],
        [SENDS, deny("sqs:*", QUEUE, NotPrincipal=ROLE_ONLY)],
    ),
    ("GH418", "missing_condition", IDENTITY, [allow("iam:DeleteRole", ROLE)], [DELETES]),
    ("GH418", "missing_condition", GROUP, [LISTS], [DELETES]),
    (
        "GH419",
        "missing_required_condition",
        IDENTITY,
        [when(PASSES, StringEquals={"iam:PassedToService": "ec2.amazonaws.com"})],
        [PASSES],
    ),
    ("GH419", "missing_required_condition_any_of", IDENTITY, [allow()], [allow(resource="arn:aws:s3:::*/*")]),
    (
        "GH419",
        "forbidden_condition_present",
        IDENTITY,
        [when(allow(), Bool={"aws:SecureTransport": "true"})],
        [when(allow(), Bool={"aws:SecureTransport": "false"})],
    ),
    (
        "GH420",
        "mfa_antipattern_bool_false",
        TRUST,
        [LEAD_WITH_MFA],
        [trust(ROLE_ONLY, Bool={"aws:MultiFactorAuthPresent": "false"})],
    ),
    (
        "GH420",
        "mfa_antipattern_null_false",
        TRUST,
        [LEAD_WITH_MFA],
        [trust(ROLE_ONLY, Null={"aws:MultiFactorAuthPresent": "false"})],
    ),
    ("GH421", "missing_principal_condition_any_of", QUEUE_POLICY, [SENDS], [EVERYBODY_SENDS]),
    (
        "GH421",
        "service_principal_wildcard",
        QUEUE_POLICY,
        [SENDS],
        [under(SENDS, Principal={"Service": "*"})],
    ),
    ("GH422", "confused_deputy_risk", QUEUE_POLICY, [when(TOPICS_SEND, **OF_ACCOUNT)], [TOPICS_SEND]),
    (
        "GH422",
        "invalid_principal_type_for_assume_action",
        TRUST,
        [trust({"Federated": SAML}, "sts:AssumeRoleWithSAML", **FOR_AWS)],
        [trust({"Federated": SAML}, "sts:AssumeRole", **FOR_AWS)],
    ),
    (
        "GH422",
        "missing_required_condition_for_assume_action",
        TRUST,
        [trust({"Federated": PROVIDER}, "sts:AssumeRoleWithWebIdentity", **FROM_MAIN)],
        [trust({"Federated": PROVIDER}, "sts:AssumeRoleWithWebIdentity", **FOR_ANY)],
    ),
    (
        "GH422",
        "invalid_provider_format",
        TRUST,
        [trust({"Federated": SAML}, "sts:AssumeRoleWithSAML", **FOR_AWS)],
        [trust({"Federated": PROVIDER}, "sts:AssumeRoleWithSAML", **FOR_AWS)],
    ),
    ("GH423", "rcp_blanket_deny", ORGANIZATION, [when(RCP, **ABROAD, **NO_SERVICE)], [RCP]),
    (
        "GH423",
        "rcp_missing_service_carveout",
        ORGANIZATION,
        [when(RCP, **ABROAD, **NO_SERVICE)],
        [when(RCP, **ABROAD)],
    ),
]
#: Id of ours, where the policy stands, a policy without the flaw, its twin with it.
SPLAINING: list[tuple[str, Place, Policy, Policy]] = [
    ("GH431", IDENTITY, [allow("iam:CreateAccessKey", ROLE)], [allow("iam:CreateAccessKey", "*")]),
    (
        "GH431",
        IDENTITY,
        [PASSES, STARTS],
        [under(PASSES, Resource="*"), STARTS],
    ),
    (
        "GH431",
        IDENTITY,
        [PASSES, STARTS],
        [allow("IAM:Pass?ole", "*"), under(STARTS, Action="ec2:Run*")],
    ),
    (
        "GH431",
        IDENTITY,
        [allow("iam:CreateAccessKey", "*"), deny("iam:CreateAccessKey", "*")],
        [allow("iam:CreateAccessKey", "*"), deny("iam:CreateAccessKey", ROLE)],
    ),
    (
        "GH431",
        IDENTITY,
        [allow("iam:CreateAccessKey", "*"), deny("iam:CreateAccessKey", "*")],
        [
            allow("iam:CreateAccessKey", "*"),
            when(deny("iam:CreateAccessKey", "*"), Bool={"aws:MultiFactorAuthPresent": "false"}),
        ],
    ),
    (
        "GH431",
        GROUP,
        [allow("iam:PutUserPolicy", ROLE)],
        [when(allow("iam:PutUserPolicy", "*"), StringEquals={"aws:RequestedRegion": "eu-west-1"})],
    ),
    ("GH431", INLINE, [PASSES], [under(allow(resource="*"), "Action", NotAction="s3:*")]),
    ("GH432", IDENTITY, [allow()], [allow(resource="*")]),
    ("GH432", IDENTITY, [allow()], [under(allow(), "Resource", NotResource=f"{BUCKET}/x")]),
    ("GH432", INLINE, [allow()], [allow("secretsmanager:Get*", ["*", ROLE])]),
    ("GH433", IDENTITY, [allow("s3:PutBucketPolicy", BUCKET)], [allow("s3:PutBucketPolicy", "*")]),
    ("GH434", IDENTITY, [allow("sts:AssumeRole", ROLE)], [allow("sts:AssumeRole", "*")]),
    ("GH435", IDENTITY, [allow()], [allow("S3:*")]),
    ("GH435", IDENTITY, [allow()], [allow("*")]),
    ("GH436", IDENTITY, [allow("s3:PutObject")], [allow("s3:PutObject", "*")]),
]
