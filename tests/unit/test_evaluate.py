"""How the layers combine: which policies grant, which limit, what a deny does, and who is limited by what.

Each row is one rule of the pages that ``gatehouse.access.evaluate`` and ``gatehouse.access.principals`` cite.
"""

from __future__ import annotations

import textwrap
from dataclasses import replace

import pytest

import gatehouse.access
from gatehouse.access import Kind, Layer, Policies, Policy, Principal, Request, Resource, evaluate
from tests.unit.access_documents import (
    ACCOUNT,
    FEDERATED,
    LINKED,
    OTHER,
    ROLE,
    ROLE_SESSION,
    ROOT,
    S3,
    SAML,
    SESSION,
    USER,
    Document,
    allow,
    deny,
    document,
    grant,
    said,
    statement,
)

Row = tuple[str, Request, Policies, str, Layer]

TRAIL = f"arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:trail/all"
AWS_ROOT_OF_OTHER = f"arn:aws:iam::{OTHER}:root"
KEY = Resource(f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234", ACCOUNT)
TARGET = Resource(f"arn:aws:iam::{ACCOUNT}:role/target", ACCOUNT)
API = Resource(f"arn:aws:execute-api:eu-west-1:{ACCOUNT}:abc123/dev/GET/fraud/x", ACCOUNT)

ALL, UNRELATED = allow(), allow(Action="ec2:*")
AS_ROLE = replace(S3, principal=Principal(ROLE, ACCOUNT))
AS_USER = replace(S3, principal=Principal(USER, ACCOUNT))
AS_ROOT = replace(S3, principal=Principal(ROOT, ACCOUNT))
AS_FEDERATED_USER = replace(S3, principal=Principal(USER, ACCOUNT, FEDERATED))
AS_LINKED_ROLE = replace(S3, principal=Principal(LINKED, ACCOUNT))
AS_SERVICE = replace(S3, principal=Principal(service="logs.amazonaws.com"))
AS_NOBODY = replace(S3, principal=Principal("*"))
DECRYPT = replace(S3, action="kms:Decrypt", resource=KEY)
LIST_KEYS = replace(S3, action="kms:ListKeys", resource=Resource("*", ACCOUNT))
ASSUME = replace(S3, action="sts:AssumeRole", resource=TARGET)
TAG_SESSION = replace(ASSUME, action="sts:TagSession")
WITH_SAML = Request(Principal(SAML), "sts:AssumeRoleWithSAML", TARGET)
INVOKE = replace(S3, action="execute-api:Invoke", resource=API)


def abroad(request: Request) -> Request:
    """The same request on a resource of another account."""
    return replace(request, resource=Resource(request.resource.arn, OTHER))


def trust(*names: str, effect: str = "Allow", **elements: object) -> Document:
    return document(
        statement(
            effect,
            **{"Principal": {"AWS": list(names)}, "Action": "sts:AssumeRole", "Resource": None, **elements},
        )
    )


EVERYBODY = grant("*")
ANY_PRINCIPAL = allow(Principal="*")
FOR_SERVICE = allow(Principal={"Service": "logs.amazonaws.com"})
CANONICAL = allow(Principal={"CanonicalUser": "79a59df900b949e5"})
CANONICAL_AND_ACCOUNT = allow(Principal={"CanonicalUser": ["79a59df900b949e5"], "AWS": [ACCOUNT]})

#: IAM User Guide, "How AWS enforcement code logic evaluates requests to allow or deny access".
IDENTITY: list[Row] = [
    ("nothing allows", S3, Policies(), "implicit", Layer.IDENTITY),
    ("a policy allows", S3, Policies(identity=[ALL]), "allow", Layer.IDENTITY),
    ("one of several allows", S3, Policies(identity=[UNRELATED, ALL]), "allow", Layer.IDENTITY),
    ("allow of another action", S3, Policies(identity=[UNRELATED]), "implicit", Layer.IDENTITY),
    ("deny wins", S3, Policies(identity=[ALL, deny()]), "deny", Layer.IDENTITY),
    ("deny wins whatever the order", S3, Policies(identity=[deny(), ALL]), "deny", Layer.IDENTITY),
    ("deny of another action", S3, Policies(identity=[ALL, deny(Action="s3:Put*")]), "allow", Layer.IDENTITY),
    ("root needs no policy", AS_ROOT, Policies(), "allow", Layer.IDENTITY),
]

#: IAM User Guide, "Permissions boundaries for IAM entities"; "Policies and permissions in IAM", "Session policies".
LIMITS: list[Row] = [
    ("a boundary is nothing to root", AS_ROOT, Policies(boundary=UNRELATED), "allow", Layer.IDENTITY),
    ("a session policy is nothing to root", AS_ROOT, Policies(session=deny()), "allow", Layer.IDENTITY),
    (
        "a boundary is nothing to a service",
        AS_SERVICE,
        Policies(resource=FOR_SERVICE, boundary=deny()),
        "allow",
        Layer.RESOURCE,
    ),
    ("a boundary grants nothing", S3, Policies(boundary=ALL), "implicit", Layer.IDENTITY),
    ("a boundary allows, too", S3, Policies(identity=[ALL], boundary=ALL), "allow", Layer.IDENTITY),
    ("a boundary limits", S3, Policies(identity=[ALL], boundary=UNRELATED), "implicit", Layer.BOUNDARY),
    (
        "a boundary limits a user",
        AS_USER,
        Policies(identity=[ALL], boundary=UNRELATED),
        "implicit",
        Layer.BOUNDARY,
    ),
    ("a boundary denies", S3, Policies(identity=[ALL], boundary=deny()), "deny", Layer.BOUNDARY),
    ("a session policy grants nothing", S3, Policies(session=ALL), "implicit", Layer.IDENTITY),
    ("a session policy allows, too", S3, Policies(identity=[ALL], session=ALL), "allow", Layer.IDENTITY),
    ("a session policy limits", S3, Policies(identity=[ALL], session=UNRELATED), "implicit", Layer.SESSION),
    ("a session policy denies", S3, Policies(identity=[ALL], session=deny()), "deny", Layer.SESSION),
    (
        "all three must allow",
        S3,
        Policies(identity=[ALL], boundary=ALL, session=allow(Action="s3:Get*")),
        "allow",
        Layer.IDENTITY,
    ),
    (
        "a federated user has nothing without a session policy",
        AS_FEDERATED_USER,
        Policies(identity=[ALL]),
        "implicit",
        Layer.SESSION,
    ),
    (
        "a federated user with a session policy",
        AS_FEDERATED_USER,
        Policies(identity=[ALL], session=ALL),
        "allow",
        Layer.IDENTITY,
    ),
]

#: IAM User Guide, "AWS JSON policy elements: Principal"; "Identity-based policies and resource-based policies".
RESOURCE: list[Row] = [
    ("the user is named", AS_USER, Policies(resource=grant(USER)), "allow", Layer.RESOURCE),
    ("the role is named", AS_ROLE, Policies(resource=grant(ROLE)), "allow", Layer.RESOURCE),
    ("the role of the session is named", S3, Policies(resource=grant(ROLE)), "allow", Layer.RESOURCE),
    ("the session is named", S3, Policies(resource=grant(SESSION)), "allow", Layer.RESOURCE),
    (
        "another session is named",
        S3,
        Policies(resource=grant(SESSION.replace("anna", "bert"))),
        "implicit",
        Layer.IDENTITY,
    ),
    (
        "the role is named without its path",
        S3,
        Policies(resource=grant(ROLE.replace("ml/", ""))),
        "implicit",
        Layer.IDENTITY,
    ),
    (
        "names are case-sensitive",
        AS_USER,
        Policies(resource=grant(USER.replace("anna", "Anna"))),
        "implicit",
        Layer.IDENTITY,
    ),
    ("everybody", S3, Policies(resource=EVERYBODY), "allow", Layer.RESOURCE),
    ("any principal", S3, Policies(resource=ANY_PRINCIPAL), "allow", Layer.RESOURCE),
    (
        "the account leaves it to identity policies",
        S3,
        Policies(resource=grant(ROOT)),
        "implicit",
        Layer.IDENTITY,
    ),
    ("the account by its digits", S3, Policies(resource=grant(ACCOUNT)), "implicit", Layer.IDENTITY),
    (
        "the account and an identity policy",
        S3,
        Policies(identity=[ALL], resource=grant(ROOT)),
        "allow",
        Layer.IDENTITY,
    ),
    ("the account, and root asks", AS_ROOT, Policies(resource=grant(ROOT)), "allow", Layer.RESOURCE),
    (
        "silence, and an identity policy",
        S3,
        Policies(identity=[ALL], resource=grant(OTHER)),
        "allow",
        Layer.IDENTITY,
    ),
    (
        "deny for everybody",
        S3,
        Policies(identity=[ALL], resource=deny(Principal="*")),
        "deny",
        Layer.RESOURCE,
    ),
    (
        "deny for AWS everybody",
        S3,
        Policies(identity=[ALL], resource=deny(Principal={"AWS": "*"})),
        "deny",
        Layer.RESOURCE,
    ),
    (
        "deny for the account",
        S3,
        Policies(identity=[ALL], resource=deny(Principal={"AWS": ACCOUNT})),
        "deny",
        Layer.RESOURCE,
    ),
    (
        "deny for the role",
        S3,
        Policies(identity=[ALL], resource=deny(Principal={"AWS": ROLE})),
        "deny",
        Layer.RESOURCE,
    ),
    (
        "deny for the session",
        S3,
        Policies(identity=[ALL], resource=deny(Principal={"AWS": SESSION})),
        "deny",
        Layer.RESOURCE,
    ),
    (
        "deny for another account",
        S3,
        Policies(identity=[ALL], resource=deny(Principal={"AWS": OTHER})),
        "allow",
        Layer.IDENTITY,
    ),
    ("deny for root", AS_ROOT, Policies(resource=deny(Principal="*")), "deny", Layer.RESOURCE),
    ("nobody is named", S3, Policies(resource=allow(Principal={})), "implicit", Layer.IDENTITY),
    ("nobody is listed", S3, Policies(resource=allow(Principal={"AWS": []})), "implicit", Layer.IDENTITY),
    ("a canonical user is nobody known", S3, Policies(resource=CANONICAL), "implicit", Layer.IDENTITY),
    (
        "a canonical user beside the account",
        S3,
        Policies(identity=[ALL], resource=CANONICAL_AND_ACCOUNT),
        "allow",
        Layer.IDENTITY,
    ),
    (
        "a deleted role's id",
        S3,
        Policies(resource=grant("AROAEXAMPLEEXAMPLE123")),
        "implicit",
        Layer.IDENTITY,
    ),
]

#: IAM User Guide, "How AWS enforcement code logic evaluates requests to allow or deny access", its table of
#: resource-based policies and implicit denies; "AWS JSON policy elements: Principal", "All principals".
RESOURCE_AND_LIMITS: list[Row] = [
    (
        "any principal, boundary silent",
        S3,
        Policies(resource=ANY_PRINCIPAL, boundary=UNRELATED),
        "allow",
        Layer.RESOURCE,
    ),
    ("a boundary is nothing to root", AS_ROOT, Policies(boundary=UNRELATED), "allow", Layer.IDENTITY),
    ("a session policy is nothing to root", AS_ROOT, Policies(session=deny()), "allow", Layer.IDENTITY),
    (
        "a boundary is nothing to a service",
        AS_SERVICE,
        Policies(resource=FOR_SERVICE, boundary=deny()),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "user named, boundary silent",
        AS_USER,
        Policies(resource=grant(USER), boundary=UNRELATED),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "role named, boundary silent",
        AS_ROLE,
        Policies(resource=grant(ROLE), boundary=UNRELATED),
        "implicit",
        Layer.BOUNDARY,
    ),
    (
        "role of session named, boundary silent",
        S3,
        Policies(resource=grant(ROLE), boundary=UNRELATED),
        "implicit",
        Layer.BOUNDARY,
    ),
    (
        "role named, boundary allows",
        S3,
        Policies(resource=grant(ROLE), boundary=ALL),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "role named, session policy silent",
        S3,
        Policies(resource=grant(ROLE), session=UNRELATED),
        "implicit",
        Layer.SESSION,
    ),
    (
        "session named, boundary silent",
        S3,
        Policies(resource=grant(SESSION), boundary=UNRELATED),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "session named, session policy silent",
        S3,
        Policies(resource=grant(SESSION), session=UNRELATED),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "session named, boundary denies",
        S3,
        Policies(resource=grant(SESSION), boundary=deny()),
        "deny",
        Layer.BOUNDARY,
    ),
    (
        "everybody, boundary silent",
        S3,
        Policies(resource=EVERYBODY, boundary=UNRELATED),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "everybody with aws:PrincipalArn, boundary silent",
        S3,
        Policies(
            resource=grant("*", Condition={"ArnEquals": {"aws:PrincipalArn": ROLE}}), boundary=UNRELATED
        ),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "federated user named",
        AS_FEDERATED_USER,
        Policies(resource=grant(FEDERATED)),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "user of the federated session named",
        AS_FEDERATED_USER,
        Policies(resource=grant(USER), session=UNRELATED),
        "implicit",
        Layer.SESSION,
    ),
]

#: IAM User Guide, "Cross-account policy evaluation logic".
ACROSS_ACCOUNTS: list[Row] = [
    ("both allow", abroad(S3), Policies(identity=[ALL], resource=grant(ROLE)), "allow", Layer.RESOURCE),
    (
        "both, by the account",
        abroad(S3),
        Policies(identity=[ALL], resource=grant(ROOT)),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "both, for everybody",
        abroad(S3),
        Policies(identity=[ALL], resource=EVERYBODY),
        "allow",
        Layer.RESOURCE,
    ),
    ("identity policy alone", abroad(S3), Policies(identity=[ALL]), "implicit", Layer.RESOURCE),
    ("resource policy alone", abroad(S3), Policies(resource=grant(ROLE)), "implicit", Layer.IDENTITY),
    (
        "session named, no identity policy",
        abroad(S3),
        Policies(resource=grant(SESSION)),
        "implicit",
        Layer.IDENTITY,
    ),
    ("everybody, no identity policy", abroad(S3), Policies(resource=EVERYBODY), "implicit", Layer.IDENTITY),
    (
        "its own account is named",
        abroad(S3),
        Policies(identity=[ALL], resource=grant(OTHER)),
        "implicit",
        Layer.RESOURCE,
    ),
    (
        "a boundary limits, whoever is named",
        abroad(S3),
        Policies(identity=[ALL], resource=grant(SESSION), boundary=UNRELATED),
        "implicit",
        Layer.BOUNDARY,
    ),
    (
        "a session policy limits",
        abroad(S3),
        Policies(identity=[ALL], resource=grant(SESSION), session=UNRELATED),
        "implicit",
        Layer.SESSION,
    ),
    ("root of the one account", abroad(AS_ROOT), Policies(resource=grant(ROOT)), "allow", Layer.RESOURCE),
    ("root of the one, unnamed", abroad(AS_ROOT), Policies(), "implicit", Layer.RESOURCE),
    (
        "the account in the ARN counts where none is given",
        replace(INVOKE, resource=Resource(API.arn.replace(ACCOUNT, OTHER))),
        Policies(identity=[ALL]),
        "implicit",
        Layer.RESOURCE,
    ),
]

#: KMS Developer Guide, "Key policies in AWS KMS" and "Default key policy".
KEYS: list[Row] = [
    (
        "an object that is called like a key",
        replace(S3, resource=Resource("arn:aws:s3:::data/a:key/b", ACCOUNT)),
        Policies(identity=[ALL]),
        "allow",
        Layer.IDENTITY,
    ),
    ("no key policy", DECRYPT, Policies(identity=[ALL]), "implicit", Layer.RESOURCE),
    (
        "key policy for the account",
        DECRYPT,
        Policies(identity=[ALL], resource=grant(ROOT)),
        "allow",
        Layer.IDENTITY,
    ),
    ("key policy for the account alone", DECRYPT, Policies(resource=grant(ROOT)), "implicit", Layer.IDENTITY),
    (
        "key policy for the account, of another action",
        DECRYPT,
        Policies(identity=[ALL], resource=grant(ROOT, Action="kms:Describe*")),
        "implicit",
        Layer.RESOURCE,
    ),
    (
        "key policy for the account, under a condition",
        DECRYPT,
        Policies(
            identity=[ALL],
            resource=grant(
                ROOT, Condition={"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}
            ),
        ),
        "implicit",
        Layer.RESOURCE,
    ),
    ("key policy for the role", DECRYPT, Policies(resource=grant(ROLE)), "allow", Layer.RESOURCE),
    (
        "key policy for another role",
        DECRYPT,
        Policies(identity=[ALL], resource=grant(f"{ROLE}x")),
        "implicit",
        Layer.RESOURCE,
    ),
    (
        "key policy for root, root asks",
        replace(DECRYPT, principal=AS_ROOT.principal),
        Policies(resource=grant(ROOT)),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "root is not above the key policy",
        replace(DECRYPT, principal=AS_ROOT.principal),
        Policies(resource=grant(ROLE)),
        "implicit",
        Layer.RESOURCE,
    ),
    (
        "an identity policy denies without a key policy",
        DECRYPT,
        Policies(identity=[deny()]),
        "deny",
        Layer.IDENTITY,
    ),
    ("no key, no key policy", LIST_KEYS, Policies(identity=[ALL]), "allow", Layer.IDENTITY),
    (
        "key of another account",
        abroad(DECRYPT),
        Policies(identity=[ALL], resource=grant(ROOT)),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "key of another account, key policy alone",
        abroad(DECRYPT),
        Policies(resource=grant(ROLE)),
        "implicit",
        Layer.IDENTITY,
    ),
]

#: IAM User Guide, "AWS JSON policy elements: Principal"; "Update a role trust policy"; STS API Reference, "AssumeRole".
TRUST: list[Row] = [
    (
        "another action on a role needs no trust",
        replace(ASSUME, action="iam:PassRole"),
        Policies(identity=[ALL]),
        "allow",
        Layer.IDENTITY,
    ),
    (
        "assuming no role in particular needs no trust",
        replace(ASSUME, resource=Resource("*", ACCOUNT)),
        Policies(identity=[ALL]),
        "allow",
        Layer.IDENTITY,
    ),
    ("trust for the role", ASSUME, Policies(resource=trust(ROLE)), "allow", Layer.RESOURCE),
    ("trust for the account alone", ASSUME, Policies(resource=trust(ROOT)), "implicit", Layer.IDENTITY),
    (
        "trust for the account",
        ASSUME,
        Policies(identity=[ALL], resource=trust(ROOT)),
        "allow",
        Layer.IDENTITY,
    ),
    (
        "root gets no session of a role",
        replace(ASSUME, principal=Principal(ROOT, ACCOUNT)),
        Policies(resource=trust(ROOT)),
        "implicit",
        Layer.RESOURCE,
    ),
    ("no trust", ASSUME, Policies(identity=[ALL]), "implicit", Layer.RESOURCE),
    (
        "trust for another",
        ASSUME,
        Policies(identity=[ALL], resource=trust(OTHER)),
        "implicit",
        Layer.RESOURCE,
    ),
    (
        "a role does not trust itself",
        replace(ASSUME, resource=Resource(ROLE, ACCOUNT)),
        Policies(identity=[ALL], resource=trust(OTHER)),
        "implicit",
        Layer.RESOURCE,
    ),
    (
        "trust across accounts",
        abroad(ASSUME),
        Policies(identity=[ALL], resource=trust(ROLE)),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "trust across accounts alone",
        abroad(ASSUME),
        Policies(resource=trust(ROLE)),
        "implicit",
        Layer.IDENTITY,
    ),
    (
        "tagging the session is an action of its own",
        TAG_SESSION,
        Policies(resource=trust(ROLE)),
        "implicit",
        Layer.RESOURCE,
    ),
    (
        "tagging is allowed, too",
        TAG_SESSION,
        Policies(resource=trust(ROLE, Action=["sts:AssumeRole", "sts:TagSession"])),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "trust with MFA, none there",
        ASSUME,
        Policies(resource=trust(ROLE, Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
        "implicit",
        Layer.RESOURCE,
    ),
    (
        "trust with MFA",
        replace(ASSUME, context={"aws:MultiFactorAuthPresent": "true"}),
        Policies(resource=trust(ROLE, Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "trust for a SAML provider",
        WITH_SAML,
        Policies(resource=trust(Principal={"Federated": SAML}, Action="sts:AssumeRoleWithSAML")),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "trust for another SAML provider",
        WITH_SAML,
        Policies(resource=trust(Principal={"Federated": f"{SAML}x"}, Action="sts:AssumeRoleWithSAML")),
        "implicit",
        Layer.RESOURCE,
    ),
    (
        "the provider's account is not the provider",
        WITH_SAML,
        Policies(resource=trust(ROOT, Action="sts:*")),
        "implicit",
        Layer.RESOURCE,
    ),
    (
        "trust for a service",
        replace(ASSUME, principal=Principal(service="ec2.amazonaws.com")),
        Policies(resource=trust(Principal={"Service": ["ec2.amazonaws.com", "ecs.amazonaws.com"]})),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "trust for a web identity provider of its own name",
        replace(
            WITH_SAML, principal=Principal("accounts.google.com"), action="sts:AssumeRoleWithWebIdentity"
        ),
        Policies(
            resource=trust(
                Principal={"Federated": "accounts.google.com"}, Action="sts:AssumeRoleWithWebIdentity"
            )
        ),
        "allow",
        Layer.RESOURCE,
    ),
]

#: IAM User Guide, "AWS JSON policy elements: Principal" (service principals, all principals).
OUTSIDERS: list[Row] = [
    ("a service, named", AS_SERVICE, Policies(resource=FOR_SERVICE), "allow", Layer.RESOURCE),
    (
        "a service, given as ARN",
        replace(S3, principal=Principal("logs.amazonaws.com")),
        Policies(resource=FOR_SERVICE),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "a service, with the ARN of what it asks for",
        replace(S3, principal=Principal(TRAIL, ACCOUNT, service="cloudtrail.amazonaws.com")),
        Policies(resource=allow(Principal={"Service": ["ec2.amazonaws.com", "cloudtrail.amazonaws.com"]})),
        "allow",
        Layer.RESOURCE,
    ),
    ("a service, unnamed", AS_SERVICE, Policies(resource=grant(ROOT)), "implicit", Layer.RESOURCE),
    ("a service and AWS everybody", AS_SERVICE, Policies(resource=EVERYBODY), "implicit", Layer.RESOURCE),
    ("a service and any principal", AS_SERVICE, Policies(resource=ANY_PRINCIPAL), "allow", Layer.RESOURCE),
    ("a service has no identity policies", AS_SERVICE, Policies(identity=[ALL]), "implicit", Layer.RESOURCE),
    ("a role is no service", S3, Policies(resource=FOR_SERVICE), "implicit", Layer.IDENTITY),
    ("nobody signed in", AS_NOBODY, Policies(resource=ANY_PRINCIPAL), "allow", Layer.RESOURCE),
    ("nobody signed in, AWS everybody", AS_NOBODY, Policies(resource=EVERYBODY), "allow", Layer.RESOURCE),
    (
        "nobody signed in, account named",
        AS_NOBODY,
        Policies(resource=grant(ROOT)),
        "implicit",
        Layer.RESOURCE,
    ),
    ("nobody signed in has no policies", AS_NOBODY, Policies(identity=[ALL]), "implicit", Layer.RESOURCE),
]

#: Organizations User Guide, "SCP evaluation", "RCP evaluation" and what each page says is not affected.
ORGANISATION: list[Row] = [
    ("every level allows", S3, Policies(identity=[ALL], scp=[[ALL], [ALL]]), "allow", Layer.IDENTITY),
    (
        "one level does not",
        S3,
        Policies(identity=[ALL], scp=[[ALL], [UNRELATED]]),
        "implicit",
        Layer.SERVICE_CONTROL,
    ),
    (
        "one of a level's policies allows",
        S3,
        Policies(identity=[ALL], scp=[[UNRELATED, ALL]]),
        "allow",
        Layer.IDENTITY,
    ),
    (
        "a level without policies",
        S3,
        Policies(identity=[ALL], scp=[[ALL], []]),
        "implicit",
        Layer.SERVICE_CONTROL,
    ),
    (
        "a deny on any level",
        S3,
        Policies(identity=[ALL], scp=[[ALL, deny()], [ALL]]),
        "deny",
        Layer.SERVICE_CONTROL,
    ),
    ("an SCP grants nothing", S3, Policies(scp=[[ALL]]), "implicit", Layer.IDENTITY),
    (
        "an SCP limits a resource policy's grant",
        S3,
        Policies(resource=grant(SESSION), scp=[[UNRELATED]]),
        "implicit",
        Layer.SERVICE_CONTROL,
    ),
    ("an SCP limits root", AS_ROOT, Policies(scp=[[ALL], [deny(), ALL]]), "deny", Layer.SERVICE_CONTROL),
    (
        "an SCP and a service-linked role",
        AS_LINKED_ROLE,
        Policies(identity=[ALL], scp=[[deny()]]),
        "allow",
        Layer.IDENTITY,
    ),
    (
        "an SCP and a service",
        AS_SERVICE,
        Policies(resource=FOR_SERVICE, scp=[[deny()]]),
        "allow",
        Layer.RESOURCE,
    ),
    ("an RCP allows", S3, Policies(identity=[ALL], rcp=[[ANY_PRINCIPAL]]), "allow", Layer.IDENTITY),
    ("an RCP grants nothing", S3, Policies(rcp=[[ANY_PRINCIPAL]]), "implicit", Layer.IDENTITY),
    (
        "an RCP denies",
        S3,
        Policies(identity=[ALL], rcp=[[ANY_PRINCIPAL, deny(Principal="*")]]),
        "deny",
        Layer.RESOURCE_CONTROL,
    ),
    (
        "a level of RCPs without an Allow still has RCPFullAWSAccess",
        S3,
        Policies(identity=[ALL], rcp=[[ANY_PRINCIPAL], [deny(Principal="*", Action="sqs:*")], []]),
        "allow",
        Layer.IDENTITY,
    ),
    (
        "a level of RCPs that allows something else",
        S3,
        Policies(identity=[ALL], rcp=[[allow(Principal="*", Action="sqs:*")]]),
        "implicit",
        Layer.RESOURCE_CONTROL,
    ),
    (
        "an RCP denies nobody signed in",
        AS_NOBODY,
        Policies(resource=ANY_PRINCIPAL, rcp=[[deny(Principal="*")]]),
        "deny",
        Layer.RESOURCE_CONTROL,
    ),
    (
        "an RCP and a service-linked role",
        AS_LINKED_ROLE,
        Policies(identity=[ALL], rcp=[[deny(Principal="*")]]),
        "allow",
        Layer.IDENTITY,
    ),
]

#: PrivateLink Guide, "Control access to VPC endpoints using endpoint policies".
ENDPOINT: list[Row] = [
    ("the endpoint allows", S3, Policies(identity=[ALL], endpoint=ANY_PRINCIPAL), "allow", Layer.IDENTITY),
    (
        "the endpoint allows the account",
        S3,
        Policies(identity=[ALL], endpoint=grant(ROOT)),
        "allow",
        Layer.IDENTITY,
    ),
    (
        "the endpoint is silent",
        S3,
        Policies(identity=[ALL], endpoint=grant("*", Action="sqs:*")),
        "implicit",
        Layer.ENDPOINT,
    ),
    ("the endpoint grants nothing", S3, Policies(endpoint=ANY_PRINCIPAL), "implicit", Layer.IDENTITY),
    (
        "the endpoint denies",
        S3,
        Policies(identity=[ALL], endpoint=deny(Principal="*")),
        "deny",
        Layer.ENDPOINT,
    ),
    (
        "the endpoint limits a resource policy's grant",
        S3,
        Policies(resource=grant(SESSION), endpoint=grant(OTHER)),
        "implicit",
        Layer.ENDPOINT,
    ),
    (
        "the endpoint limits nobody signed in",
        AS_NOBODY,
        Policies(resource=ANY_PRINCIPAL, endpoint=grant(ROOT)),
        "implicit",
        Layer.ENDPOINT,
    ),
]

#: API Gateway Developer Guide, "How API Gateway resource policies affect authorization workflow", Tables A, B.
API_GATEWAY: list[Row] = [
    ("the identity policy alone", INVOKE, Policies(identity=[ALL]), "allow", Layer.IDENTITY),
    (
        "identity policy, resource policy silent",
        INVOKE,
        Policies(identity=[ALL], resource=grant(OTHER)),
        "allow",
        Layer.IDENTITY,
    ),
    (
        "resource policy for any principal alone",
        INVOKE,
        Policies(resource=ANY_PRINCIPAL),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "identity policy, resource policy denies",
        INVOKE,
        Policies(identity=[ALL], resource=deny(Principal="*")),
        "deny",
        Layer.RESOURCE,
    ),
    ("neither", INVOKE, Policies(resource=grant(OTHER)), "implicit", Layer.IDENTITY),
    (
        "another account: both",
        abroad(INVOKE),
        Policies(identity=[ALL], resource=ANY_PRINCIPAL),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "another account: identity alone",
        abroad(INVOKE),
        Policies(identity=[ALL], resource=grant(OTHER)),
        "implicit",
        Layer.RESOURCE,
    ),
    (
        "another account: resource alone",
        abroad(INVOKE),
        Policies(resource=ANY_PRINCIPAL),
        "implicit",
        Layer.IDENTITY,
    ),
    (
        "short resource",
        INVOKE,
        Policies(resource=grant(ROLE, Resource="execute-api:/dev/GET/*")),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "short resource of another stage",
        INVOKE,
        Policies(resource=grant(ROLE, Resource="execute-api:/prod/*")),
        "implicit",
        Layer.IDENTITY,
    ),
]


def _not_principal(*names: str, **principals: object) -> Document:
    named = {"AWS": list(names)} if names else principals
    return deny(NotPrincipal=named)


#: IAM User Guide, "AWS JSON policy elements: NotPrincipal".
NOT_PRINCIPAL: list[Row] = [
    (
        "no service beside the user",
        AS_USER,
        Policies(identity=[ALL], resource=_not_principal(AWS=[USER, ROOT], Service=[])),
        "allow",
        Layer.IDENTITY,
    ),
    (
        "a boundary is nothing to root",
        AS_ROOT,
        Policies(boundary=ALL, resource=_not_principal(ROOT)),
        "allow",
        Layer.IDENTITY,
    ),
    ("AWS everybody", S3, Policies(identity=[ALL], resource=_not_principal("*")), "allow", Layer.IDENTITY),
    (
        "AWS everybody is no service",
        AS_SERVICE,
        Policies(resource=_not_principal("*")),
        "deny",
        Layer.RESOURCE,
    ),
    ("everybody", AS_SERVICE, Policies(resource=deny(NotPrincipal="*")), "implicit", Layer.RESOURCE),
    (
        "user and account",
        AS_USER,
        Policies(identity=[ALL], resource=_not_principal(USER, ROOT)),
        "allow",
        Layer.IDENTITY,
    ),
    (
        "user without account",
        AS_USER,
        Policies(identity=[ALL], resource=_not_principal(USER)),
        "deny",
        Layer.RESOURCE,
    ),
    (
        "account without user",
        AS_USER,
        Policies(identity=[ALL], resource=_not_principal(ROOT)),
        "deny",
        Layer.RESOURCE,
    ),
    (
        "session, role and account",
        S3,
        Policies(identity=[ALL], resource=_not_principal(SESSION, ROLE, ROOT)),
        "allow",
        Layer.IDENTITY,
    ),
    (
        "role and account, not the session",
        S3,
        Policies(identity=[ALL], resource=_not_principal(ROLE, ROOT)),
        "deny",
        Layer.RESOURCE,
    ),
    (
        "role and account, no session given",
        AS_ROLE,
        Policies(identity=[ALL], resource=_not_principal(ROLE, ACCOUNT)),
        "allow",
        Layer.IDENTITY,
    ),
    ("root", AS_ROOT, Policies(resource=_not_principal(ROOT)), "allow", Layer.IDENTITY),
    ("somebody else", S3, Policies(identity=[ALL], resource=_not_principal(OTHER)), "deny", Layer.RESOURCE),
    (
        "the service",
        AS_SERVICE,
        Policies(
            resource=document(
                statement(Principal="*"), statement("Deny", NotPrincipal={"Service": "logs.amazonaws.com"})
            )
        ),
        "allow",
        Layer.RESOURCE,
    ),
    (
        "another service",
        AS_SERVICE,
        Policies(resource=_not_principal(Service="s3.amazonaws.com")),
        "deny",
        Layer.RESOURCE,
    ),
    (
        "always denies where there is a boundary",
        AS_USER,
        Policies(identity=[ALL], boundary=ALL, resource=_not_principal(USER, ROOT)),
        "deny",
        Layer.RESOURCE,
    ),
    (
        "in an endpoint policy",
        S3,
        Policies(
            identity=[ALL],
            endpoint=document(statement(Principal="*"), statement("Deny", NotPrincipal={"AWS": OTHER})),
        ),
        "deny",
        Layer.ENDPOINT,
    ),
]

ROWS = [
    (f"{group}: {row[0]}", *row[1:])
    for group, rows in {
        "identity": IDENTITY,
        "limits": LIMITS,
        "resource": RESOURCE,
        "resource and limits": RESOURCE_AND_LIMITS,
        "across accounts": ACROSS_ACCOUNTS,
        "key": KEYS,
        "trust": TRUST,
        "outsiders": OUTSIDERS,
        "organisation": ORGANISATION,
        "endpoint": ENDPOINT,
        "api": API_GATEWAY,
        "not principal": NOT_PRINCIPAL,
    }.items()
    for row in rows
]


@pytest.mark.parametrize(
    ("request_", "policies", "outcome", "layer"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_layers(request_: Request, policies: Policies, outcome: str, layer: Layer) -> None:
    decision = evaluate(request_, policies)
    assert (said(decision), decision.layer) == (outcome, layer)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_an_added_deny_always_wins(row: Row) -> None:
    _, request, policies, _, _ = row
    assert not evaluate(request, replace(policies, endpoint=deny(Principal="*"))).allowed


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_an_added_allow_never_denies(row: Row) -> None:
    _, request, policies, outcome, _ = row
    more = evaluate(request, replace(policies, identity=[*policies.identity, ALL]))
    assert more.allowed or outcome != "allow"


@pytest.mark.parametrize("row", [row for row in ROWS if row[2].boundary is None], ids=lambda row: row[0])
@pytest.mark.parametrize("boundary", [ALL, UNRELATED])
def test_a_boundary_only_removes(row: Row, boundary: Document) -> None:
    _, request, policies, outcome, _ = row
    assert outcome == "allow" or not evaluate(request, replace(policies, boundary=boundary)).allowed


def test_the_statement_that_decides_is_told() -> None:
    policies = Policies(
        identity=[
            UNRELATED,
            document(statement(Action="s3:Put*"), statement(Sid="Reads", Action="s3:Get*"), statement()),
            ALL,
        ]
    )
    decided = evaluate(S3, policies).statement
    assert decided is not None
    assert (decided.policy, decided.sid, decided.index) == ("identity_policies[1]", "Reads", 1)


def test_every_layer_that_was_asked_tells_what_it_said() -> None:
    decision = evaluate(S3, Policies(identity=[ALL], boundary=UNRELATED, resource=grant(OTHER), scp=[[ALL]]))
    assert {layer.name: verdict.outcome.value for layer, verdict in decision.layers.items()} == {
        "SERVICE_CONTROL": "Allowed",
        "RESOURCE": "ImplicitlyDenied",
        "IDENTITY": "Allowed",
        "BOUNDARY": "ImplicitlyDenied",
    }


def test_a_policy_of_its_own_name_is_told_by_it() -> None:
    named = Policy.parse(ALL, "dev-reader-data", Kind.IDENTITY)
    decided = evaluate(S3, Policies(identity=[named])).statement
    assert decided is not None
    assert decided.policy == "dev-reader-data"


def test_a_session_given_as_the_principal_is_one_of_the_role() -> None:
    as_session = replace(S3, principal=Principal(SESSION, ACCOUNT))
    assert as_session.principal.session_arn == SESSION
    assert evaluate(as_session, Policies(resource=grant(ROLE.replace("ml/", "")))).allowed


def test_who_asks_is_not_mixed_up_between_requests_to_the_same_policies() -> None:
    policies = Policies(resource=grant(ROLE))
    assert evaluate(S3, policies).allowed
    assert not evaluate(AS_USER, policies).allowed
    assert evaluate(replace(S3, principal=ROLE_SESSION), policies).allowed


def test_only_policies_without_principals_need_sids_of_their_own() -> None:
    twice = document(*[statement(Sid="A", Principal="*")] * 2)
    assert evaluate(S3, Policies(resource=twice)).allowed


def test_the_example_in_the_package_holds() -> None:
    text = str(gatehouse.access.__doc__)
    example = text.partition("::\n")[2].partition("Documents are")[0]
    exec(textwrap.dedent(example))
