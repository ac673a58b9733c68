"""Artifacts, their key and the database's secret: who reads, writes and deletes, and how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gatehouse.access.invariants.model import Never, Severity, invariant
from gatehouse.access.invariants.stack import OWN, Stack, Subject
from gatehouse.access.model import Policies
from gatehouse.access.policy import Policy
from gatehouse.access.proof import (
    ACCOUNT,
    OBJECT_KEY,
    PRINTABLE,
    SESSION,
    AllOf,
    AnyOf,
    Constraint,
    Holds,
    Not,
    Question,
    Symbol,
    Who,
    absent,
    anybody,
    present,
    roles,
    service,
    text,
)
from gatehouse.access.request import Sort

_ON_OBJECTS = (
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
)
_KEY_USES = ("kms:Decrypt", "kms:GenerateDataKey")
_MFA = Holds("Bool", "aws:MultiFactorAuthPresent", "true")
_ALGORITHM = "s3:x-amz-server-side-encryption"
_KEY_ID = f"{_ALGORITHM}-aws-kms-key-id"
_CUSTOMER_KEY = f"{_ALGORITHM}-customer-algorithm"
_TLS, _ACCOUNT = ("aws:securetransport", "s3:tlsversion"), "aws:principalaccount"
_ENCRYPTED = "kms:EncryptionContext:aws:s3:arn"
_IDENTIFIED = (
    "The bucket of artifacts is that of the output artifact_bucket, their key that with the alias "
    "PREFIX-storage."
)
_SERVER = "The servers' role is PREFIX-server."
_DEPLOYERS = (
    "Principals outside the document that IAM lets (who deploys) configure buckets and keys: that is theirs "
    "to do."
)
#: Services that write into buckets by themselves.
_SERVICES = ("logging.s3.amazonaws.com", "delivery.logs.amazonaws.com", "any-other.amazonaws.com")


def is_one_of(patterns: tuple[str, ...]) -> Constraint:
    """Return that the ARN of whoever asks fits one of these patterns."""
    return Holds("ArnLike", "aws:PrincipalArn", *patterns) if patterns else AnyOf(())


def _objects(
    stack: Stack, who: Who, actions: tuple[str, ...], policies: Policies, *given: Constraint
) -> Question:
    where = text(f"{stack.artifacts.arn}/", Symbol("key", OBJECT_KEY))
    return Question(who, actions, where, policies, stack.account, given=given)


def _bucket(
    stack: Stack, who: Who, actions: tuple[str, ...], policies: Policies, *given: Constraint
) -> Question:
    return Question(who, actions, text(stack.artifacts.arn), policies, stack.account, given=given)


def in_account(stack: Stack) -> tuple[Who, ...]:
    """Return whoever of the account can ask, with any tags; users that a session of STS is for among them.

    Source: IAM User Guide, "Request credentials through a custom identity broker" (GetFederationToken).
    """
    partition = stack.world.partition
    arn = text(f"arn:{partition}:sts::{stack.account}:federated-user/", Symbol("federated user", SESSION))
    federated = Who(Sort.FEDERATED_USER, arn, text(stack.account), other_tags=True)
    return (*anybody(stack.account, partition=partition), federated)


@invariant(
    "only-personas-use-artifacts",
    "Artifacts are used by personas and the servers alone",
    "Nobody else of the account uses an object of the artifacts or lists their names by a prefix, whatever IAM grants: "
    "the bucket's policy alone sees to it.",
    Severity.CRITICAL,
    _IDENTIFIED,
    _SERVER,
    "Roles that deploy may list names; they are those that the database key's policy names (DeployersThroughServices).",
)
def only_personas_use_artifacts(stack: Stack) -> Iterator[Never]:
    """Ask of everybody in the account who is neither."""
    others = Not(is_one_of((stack.personas_path, stack.server_arn)))
    for who in in_account(stack):
        asked = _objects(stack, who, stack.actions.of("s3"), stack.alone(stack.artifacts.policy), others)
        yield Never("anybody of the account", "uses an object", (asked,))
        nor_deployers = Not(is_one_of((stack.personas_path, stack.server_arn, *stack.deployers)))
        names = _bucket(
            stack,
            who,
            ("s3:ListBucket",),
            stack.alone(stack.artifacts.policy),
            nor_deployers,
            present("s3:prefix"),
        )
        yield Never("anybody of the account", "lists names by a prefix", (names,))


@invariant(
    "delete-with-mfa",
    "Artifacts are deleted by administrators with MFA",
    "Nobody deletes an artifact but team-admin and platform-admin in a session that began with MFA.",
    Severity.CRITICAL,
    _IDENTIFIED,
    "The personas that delete are those named so, by their roles' path.",
)
def delete_with_mfa(stack: Stack) -> Iterator[Never]:
    """Ask of everybody by the bucket's policy alone, and of each principal by its boundary or own policies."""
    admins, delete = is_one_of(stack.of(*stack.meaning.deleters)), ("s3:DeleteObject",)
    for who in in_account(stack):
        asked = _objects(stack, who, delete, stack.alone(stack.artifacts.policy), Not(AllOf((admins, _MFA))))
        yield Never("anybody of the account", "deletes an artifact", (asked,))
    for subject in stack.subjects:
        who = stack.tagged(subject.general)
        if subject.persona:
            asked = _objects(stack, who, delete, stack.bounded(subject), Not(_MFA))
            yield Never(subject.name, "deletes an artifact without MFA, by its boundary", (asked,))
        given = Not(_MFA) if subject.persona in stack.meaning.deleters else AllOf(())
        asked = _objects(stack, who, delete, stack.own(subject), given)
        yield Never(subject.name, "deletes an artifact, by its own policies", (asked,))


@invariant(
    "versions-and-configuration",
    "Old versions and the bucket's protection stay",
    "Nobody deletes versions of artifacts or does anything else unnamed with objects; no persona and no server changes "
    "the bucket or a key.",
    Severity.CRITICAL,
    _IDENTIFIED,
    _DEPLOYERS,
)
def versions_and_configuration(stack: Stack) -> Iterator[Never]:
    """Ask by the bucket's policy alone, and by boundaries for keys."""
    alone = stack.alone(stack.artifacts.policy)
    for who in in_account(stack):
        unnamed = _objects(stack, who, stack.actions.but(_ON_OBJECTS, "s3"), alone)
        yield Never("anybody of the account", "deletes versions, or the like", (unnamed,))
    persona = roles(stack.account, text(f"{stack.prefix}/", Symbol("role", PRINTABLE)))
    configured = _bucket(stack, persona, stack.actions.but(("s3:ListBucket",), "s3"), alone)
    yield Never("a persona", "changes the bucket", (configured,))
    server = Who.of(stack.server.principal())
    configured = _bucket(stack, server, stack.actions.but(("s3:ListBucket", "s3:GetObject"), "s3"), alone)
    yield Never("the servers' role", "changes the bucket", (configured,))
    for subject in stack.subjects:
        if subject.name.startswith("a user in group"):
            continue
        for key in stack.world.keys:
            asked = Question(
                stack.tagged(subject.general),
                stack.actions.but(_KEY_USES, "kms"),
                text(key.arn),
                stack.bounded(subject, key.policy),
                stack.account,
            )
            yield Never(subject.name, f"changes {key.address}", (asked,))


@invariant(
    "tls",
    "Without TLS there is nothing",
    "No principal whatever uses a bucket without TLS 1.2 or newer, or the topic without TLS: their policies alone see "
    "to it.",
    Severity.CRITICAL,
    "API Gateway, KMS, STS and Secrets Manager answer nothing but TLS.",
    "The topic's policy names sns:Publish and sns:Subscribe; what else there is of SNS needs "
    "the own policies of whoever asks.",
)
def tls(stack: Stack) -> Iterator[Never]:
    """Ask of everybody, of any account or none, and of services."""
    plain = Holds("Bool", "aws:SecureTransport", "false")
    old = Holds("NumericLessThan", "s3:TlsVersion", "1.2")
    everybody = (*anybody(partition=stack.world.partition), *map(service, _SERVICES))
    for who in everybody:
        for bucket in stack.world.buckets:
            opened = stack.open_to_all(bucket.policy)
            for where in (text(bucket.arn), text(f"{bucket.arn}/", Symbol("key", OBJECT_KEY))):
                asked = Question(
                    who, stack.actions.of("s3"), where, opened, stack.account, given=(AnyOf((plain, old)),)
                )
                wider = replace(asked, policies=stack.open_to_all(bucket.policy, *_TLS))
                yield Never(_sort(who), f"uses {bucket.address} without TLS 1.2", (asked,), (wider,))
        for topic in stack.world.topics:
            asked = Question(
                who,
                ("sns:Publish", "sns:Subscribe"),
                text(topic.arn),
                stack.open_to_all(topic.policy),
                stack.account,
                given=(plain,),
            )
            yield Never(_sort(who), f"uses {topic.address} without TLS", (asked,))


def _sort(who: Who) -> str:
    return who.service or f"any {who.sort.value}"


@invariant(
    "only-our-key",
    "Artifacts are encrypted with our key",
    "Nobody writes an artifact that is encrypted with another key than the stack's, or with none.",
    Severity.HIGH,
    _IDENTIFIED,
)
def only_our_key(stack: Stack) -> Iterator[Never]:
    """Ask of everybody in the account, by the bucket's policy alone; with no header the bucket's default holds."""
    kms = Holds("StringEquals", _ALGORITHM, "aws:kms")
    ours = Holds("StringEquals", _KEY_ID, stack.storage_key.arn)
    default = absent(_ALGORITHM) if stack.artifacts.key_arn == stack.storage_key.arn else AnyOf(())
    fine = AllOf(
        (
            absent(_CUSTOMER_KEY),
            AnyOf((AllOf((default, absent(_KEY_ID))), AllOf((default, ours)), AllOf((kms, ours)))),
        )
    )
    for who in in_account(stack):
        asked = _objects(stack, who, ("s3:PutObject",), stack.alone(stack.artifacts.policy), Not(fine))
        yield Never("anybody of the account", "writes an artifact with another key, or none", (asked,))


@invariant(
    "nobody-outside",
    "Nobody outside the account",
    "Nobody of another account, and nobody who is not signed in, uses a bucket, a key, the topic, a secret or the API, "
    "whatever is granted there; nor does an AWS service for another account.",
    Severity.CRITICAL,
)
def nobody_outside(stack: Stack) -> Iterator[Never]:
    """Ask of everybody of another account and of nobody; of buckets and the API as if their policies allowed all."""
    account = Symbol("account", ACCOUNT)
    from_outside = Not(Holds("StringEquals", "aws:PrincipalAccount", stack.account))
    world = stack.world
    guarded = (stack.artifacts, stack.server_files)
    places: list[tuple[str, str, Policy | None, tuple[str, ...], bool]] = [
        (f"{one.address}", one.arn, one.policy, ("s3",), one in guarded) for one in world.buckets
    ]
    places += [(one.address, one.arn, one.policy, ("kms",), False) for one in world.keys]
    places += [(one.address, one.arn, one.policy, ("sns",), False) for one in world.topics]
    places += [(one.address, one.arn, one.policy, ("secretsmanager",), False) for one in world.secrets]
    places += [(one.address, one.execution_arn, one.policy, ("execute-api",), True) for one in world.apis]
    for who in anybody(partition=world.partition):
        given = (from_outside,) if who.account == (account,) else ()
        for address, arn, policy, services, is_opened in places:
            policies = stack.open_to_all(policy) if is_opened else stack.alone(policy)
            actions = ("execute-api:Invoke",) if services == ("execute-api",) else stack.actions.of(*services)
            wheres = [text(arn)] if services != ("execute-api",) else []
            if services in (("s3",), ("execute-api",)):
                wheres.append(text(f"{arn}/", Symbol("rest", OBJECT_KEY)))
            for where in wheres:
                asked = Question(who, actions, where, policies, stack.account, given=given)
                wider = (replace(asked, policies=stack.open_to_all(policy, _ACCOUNT)),) if is_opened else ()
                yield Never(f"{_sort(who)} of another account", f"uses {address}", (asked,), wider)
    yield from _services_outside(stack)


def _services_outside(stack: Stack) -> Iterator[Never]:
    """Ask of AWS services, each of which works for every account, when they do not do so for this one.

    Source: IAM User Guide, "The confused deputy problem" (Cross-service confused deputy prevention).
    """
    world = stack.world
    for_us = AnyOf(
        (
            Holds("StringEquals", "aws:SourceAccount", stack.account),
            Holds("ArnLike", "aws:SourceArn", f"arn:*:*:*:{stack.account}:*"),
            Holds("ArnLike", "kms:EncryptionContext:aws:logs:arn", f"arn:*:logs:*:{stack.account}:*"),
        )
    )
    places: list[tuple[str, str, Policy | None, str]] = [
        *((one.address, one.arn, one.policy, "s3") for one in world.buckets),
        *((one.address, one.arn, one.policy, "kms") for one in world.keys),
        *((one.address, one.arn, one.policy, "sns") for one in world.topics),
        *((one.address, one.arn, one.policy, "secretsmanager") for one in world.secrets),
    ]
    for address, arn, policy, of in places:
        named = {
            name
            for statement in (policy.statements if policy else ())
            if statement.principals is not None
            for name in statement.principals.services
        }
        for name in sorted((named - {"*"}) | {_SERVICES[-1]}):
            where = (text(arn), *((text(f"{arn}/", Symbol("rest", OBJECT_KEY)),) if of == "s3" else ()))
            asked = tuple(
                Question(
                    service(name),
                    stack.actions.of(of),
                    one,
                    stack.alone(policy),
                    stack.account,
                    given=(Not(for_us),),
                )
                for one in where
            )
            yield Never(f"{name} for another account", f"uses {address}", asked)


@invariant(
    "server-only-reads",
    "The servers do not write artifacts",
    "The servers' role reads and lists artifacts and does nothing else with them, whatever is attached to it.",
    Severity.HIGH,
    _IDENTIFIED,
    _SERVER,
)
def server_only_reads(stack: Stack) -> Iterator[Never]:
    """Ask by the bucket's policy alone, and by the boundary alone."""
    server = stack.server
    who = Who.of(server.principal())
    subject = Subject("the servers' role", None, who, (who,), server.identity, server.boundary)
    others = stack.actions.but(("s3:GetObject", "s3:ListBucket"), "s3")
    for policies, by in (
        (stack.alone(stack.artifacts.policy), "the bucket's policy"),
        (stack.bounded(subject), "its boundary"),
        (stack.own(subject), "its own policies"),
    ):
        asked = (_objects(stack, who, others, policies), _bucket(stack, who, others, policies))
        yield Never(subject.name, f"does more than read, by {by}", asked)


@invariant(
    "no-presigned-addresses",
    "The servers give no signed addresses away",
    "An address that the servers' role signed opens no artifact: S3 takes its requests signed in the header alone.",
    Severity.HIGH,
    _IDENTIFIED,
    _SERVER,
)
def no_presigned_addresses(stack: Stack) -> Iterator[Never]:
    """Ask for objects with any other sort of signature."""
    who = Who.of(stack.server.principal())
    in_header = Holds("StringEquals", "s3:authType", "REST-HEADER")
    asked = _objects(stack, who, stack.actions.of("s3"), stack.alone(stack.artifacts.policy), Not(in_header))
    yield Never("whoever has an address that the servers signed", "uses an artifact", (asked,))


@invariant(
    "artifact-key",
    "The artifacts' key serves S3 and the own team",
    "No persona uses the artifacts' key but through S3, for the artifacts' bucket or its own "
    "team's objects; whatever it "
    "may do elsewhere, the key's policy keeps it to artifacts.",
    Severity.HIGH,
    _IDENTIFIED,
    "With S3 Bucket Keys KMS is told the bucket, and S3 alone tells teams apart.",
)
def artifact_key(stack: Stack) -> Iterator[Never]:
    """Ask of each persona by its own policies and its boundary, and of any by the key's policy alone."""
    bucket, key = stack.artifacts.arn, stack.storage_key
    via = Holds("StringEquals", "kms:ViaService", f"s3.{stack.world.region}.amazonaws.com")
    for subject in stack.personas:
        team = "*" if subject.persona in stack.meaning.all_teams else OWN
        what = Holds("StringLike", _ENCRYPTED, bucket, f"{bucket}/workspaces/{team}/*")
        for policies in (stack.own(subject), stack.bounded(subject)):
            asked = Question(
                stack.proper(subject.general),
                stack.actions.of("kms"),
                text(key.arn),
                policies,
                stack.account,
                given=(Not(AllOf((via, what))),),
            )
            yield Never(subject.name, "uses the key for something else", (asked,))
    persona = roles(stack.account, text(f"{stack.prefix}/", Symbol("role", PRINTABLE)))
    what = Holds("StringLike", _ENCRYPTED, bucket, f"{bucket}/workspaces/*")
    uses = (
        "kms:Decrypt",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:GenerateDataKeyPair",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
        "kms:CreateGrant",
    )
    alone = Question(
        persona, uses, text(key.arn), stack.alone(key.policy), stack.account, given=(Not(AllOf((via, what))),)
    )
    yield Never("a persona", "uses the key for something else, by the key's policy", (alone,))


@invariant(
    "database-secret",
    "The servers alone reach the database's secret",
    "Nobody in the document but the servers' role reads the database's secret or decrypts with its key, whatever is "
    "attached to them.",
    Severity.CRITICAL,
    _SERVER,
    "Principals outside the document that IAM lets (who deploys) make the database and its secret.",
)
def database_secret(stack: Stack) -> Iterator[Never]:
    """Ask of every role and user by its boundary and own policies, and of personas by the key's policy alone."""
    key = stack.database_key
    for subject in stack.subjects:
        if subject.name == f"role {stack.prefix}-server":
            continue
        who = stack.tagged(subject.general)
        for secret in stack.world.secrets:
            read = Question(
                who,
                stack.actions.of("secretsmanager"),
                text(secret.arn),
                Policies(subject.identity, subject.boundary, resource=secret.policy),
                stack.account,
            )
            yield Never(subject.name, "reads the database's secret", (read,))
            if subject.persona:
                hostile = Policies((stack.anything,), subject.boundary, resource=secret.policy)
                read = Question(
                    who, stack.actions.of("secretsmanager"), text(secret.arn), hostile, stack.account
                )
                yield Never(subject.name, "reads the database's secret, by its boundary", (read,))
        decrypt = Question(
            who,
            ("kms:Decrypt", "kms:GenerateDataKey", "kms:CreateGrant"),
            text(key.arn),
            stack.effective(subject, key.policy),
            stack.account,
        )
        yield Never(subject.name, "uses the database's key", (decrypt,))
    persona = roles(stack.account, text(f"{stack.prefix}/", Symbol("role", PRINTABLE)))
    uses = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:CreateGrant")
    alone = Question(persona, uses, text(key.arn), stack.alone(key.policy), stack.account)
    yield Never("a persona", "uses the database's key, by the key's policy", (alone,))
