"""Who may use which objects, keys and secrets, decided by the synthesized policies alone."""

from __future__ import annotations

import pytest

from gatehouse.access import Layer, Outcome
from tests.synth.access_bindings import DEPLOYER, S3_ENDPOINT
from tests.synth.access_world import (
    ACCOUNT,
    ANYTHING,
    FEDERATED,
    IAM,
    IN_ONE_TEAM,
    MFA,
    NO_MFA,
    OTHER_ACCOUNT,
    PERSONAS,
    REGION,
    S3_CALL,
    WITHOUT_TEAM,
    Caller,
    Context,
    World,
    actions,
    administrator,
    caller,
    kms_context,
)

READERS = frozenset(PERSONAS) - {"auditor", "operator"}
WRITERS = frozenset({"data-scientist", "ci-pipeline", "team-admin", "platform-admin"})
DELETERS = frozenset({"team-admin", "platform-admin"})
#: Everything that anybody does with an object.
OBJECT_ACTIONS = {
    "s3:GetObject": READERS,
    "s3:PutObject": WRITERS,
    "s3:AbortMultipartUpload": WRITERS,
    "s3:ListMultipartUploadParts": WRITERS,
    "s3:DeleteObject": DELETERS,
}
FACTORS = {"mfa": MFA, "no-mfa": NO_MFA, "federated": FEDERATED}
#: Key -> who may use it: "own" is a session of team fraud, "all" one of every team.
KEYS = {
    "workspaces/fraud/1/model.pkl": ("own", "all"),
    "workspaces/fraud/": ("own", "all"),
    "workspaces/fraud/../search/1/model.pkl": ("own", "all"),  # S3 takes a key as it is
    "workspaces/search/1/model.pkl": ("all",),
    "workspaces/fraudulent/1/model.pkl": ("all",),
    "workspaces/Fraud/1/model.pkl": ("all",),
    "workspaces/fraud": (),
    "workspaces/model.pkl": (),
    "fraud/1/model.pkl": (),
    "model.pkl": (),
}
PREFIXES = {
    "workspaces/fraud/": ("own", "all"),
    "workspaces/fraud/1/": ("own", "all"),
    "workspaces/search/": ("all",),
    "workspaces/fraudulent/": ("all",),
    "workspaces/fraud": (),
    "workspaces/": (),
    "workspaces": (),
    "": (),
    None: (),
}


def scope(persona: str) -> str:
    return "all" if persona in WITHOUT_TEAM else "own"


@pytest.mark.parametrize("factor", FACTORS.values(), ids=FACTORS)
@pytest.mark.parametrize("persona", PERSONAS)
def test_a_persona_uses_its_teams_objects(world: World, persona: str, factor: Context) -> None:
    session = world.session(persona)
    for action, allowed in OBJECT_ACTIONS.items():
        for key, who in KEYS.items():
            expected = persona in allowed and scope(persona) in who
            expected = expected and (action != "s3:DeleteObject" or factor is MFA)
            decision = world.ask(session, action, f"{world.artifacts}/{key}", S3_CALL, factor)
            assert decision.allowed == expected, f"{action} {key}: {decision.layer} {decision.statement}"


@pytest.mark.parametrize("persona", PERSONAS)
def test_a_persona_lists_its_teams_objects(world: World, persona: str) -> None:
    session = world.session(persona)
    for prefix, who in PREFIXES.items():
        listing = {} if prefix is None else {"s3:prefix": prefix}
        decision = world.ask(session, "s3:ListBucket", world.artifacts, S3_CALL, listing, MFA)
        expected = persona in READERS and scope(persona) in who
        assert decision.allowed == expected, f"{prefix}: {decision.layer} {decision.statement}"


@pytest.mark.parametrize("persona", IN_ONE_TEAM)
@pytest.mark.parametrize("tag", [None, "", "fraud/1", "fraud ", "search", "frau", "Fraud"])
def test_another_tag_or_none_is_not_of_the_team(roles: World, persona: str, tag: str | None) -> None:
    session = roles.session(persona)
    session = session.tagged() if tag is None else session.tagged(team=tag)
    # A value that no team can have is refused in its own folder, too.
    folders = {"fraud/1", "fraud"} | ({tag} if tag in ("", "fraud/1", "fraud ") else set())
    for folder in folders:
        for action in OBJECT_ACTIONS:
            arn = f"{roles.artifacts}/workspaces/{folder}/model.pkl"
            assert not roles.ask(session, action, arn, S3_CALL, MFA).allowed, f"{action} {arn}"
        listing = {"s3:prefix": f"workspaces/{folder}/"}
        assert not roles.ask(session, "s3:ListBucket", roles.artifacts, S3_CALL, listing, MFA).allowed


@pytest.mark.parametrize("persona", sorted(READERS))
@pytest.mark.parametrize(
    "transport",
    [{"aws:SecureTransport": "false"}, {"s3:TlsVersion": "1.1"}, {"s3:TlsVersion": "1.0"}],
    ids=["plain", "tls-1.1", "tls-1.0"],
)
def test_nothing_goes_without_new_tls(roles: World, persona: str, transport: Context) -> None:
    session = roles.session(persona)
    for action, arn in (
        ("s3:GetObject", f"{roles.artifacts}/workspaces/fraud/1/m"),
        ("s3:ListBucket", roles.artifacts),
    ):
        prefix = {"s3:prefix": "workspaces/fraud/"}
        assert roles.ask(session, action, arn, S3_CALL, prefix).allowed
        decision = roles.ask(session, action, arn, S3_CALL, prefix, transport)
        assert (decision.outcome, decision.layer) == (Outcome.EXPLICITLY_DENIED, Layer.RESOURCE)


KMS, ALGORITHM = "s3:x-amz-server-side-encryption-aws-kms-key-id", "s3:x-amz-server-side-encryption"


@pytest.mark.parametrize("persona", sorted(WRITERS))
def test_an_upload_takes_the_buckets_key_or_says_nothing(roles: World, persona: str) -> None:
    session, arn = roles.session(persona), f"{roles.artifacts}/workspaces/fraud/1/m"
    ours, other = roles.key("storage_key"), f"arn:aws:kms:{REGION}:{ACCOUNT}:key/other"
    for headers, expected in (
        ({}, True),
        ({ALGORITHM: "aws:kms", KMS: ours}, True),
        ({ALGORITHM: "aws:kms", KMS: other}, False),
        ({KMS: other}, False),
        ({ALGORITHM: "aws:kms"}, False),
        ({ALGORITHM: "aws:kms:dsse", KMS: ours}, False),
        ({ALGORITHM: "AES256"}, False),
        ({"s3:x-amz-server-side-encryption-customer-algorithm": "AES256"}, False),
    ):
        assert roles.ask(session, "s3:PutObject", arn, S3_CALL, headers).allowed == expected, headers


@pytest.mark.parametrize("persona", PERSONAS)
def test_no_other_object_action_is_left_to_a_persona(roles: World, persona: str) -> None:
    # By the bucket's policy alone: neither identity policies nor boundary have to hold.
    known = actions("s3", "object")
    assert {*OBJECT_ACTIONS, "s3:DeleteObjectVersion", "s3:GetObjectVersion", "s3:PutObjectAcl"} < {*known}
    session = roles.session(persona).unbounded()
    for action in (*known, "s3:SomeNewObjectAction"):
        for key in ("workspaces/fraud/1/m", "workspaces/search/1/m", "m"):
            decision = roles.ask(session, action, f"{roles.artifacts}/{key}", S3_CALL, MFA)
            if action not in OBJECT_ACTIONS:
                assert decision.outcome is Outcome.EXPLICITLY_DENIED, f"{action} {key}"


@pytest.mark.parametrize("factor", FACTORS.values(), ids=FACTORS)
@pytest.mark.parametrize("persona", PERSONAS)
def test_the_bucket_alone_keeps_teams_apart_and_deletes_rare(
    world: World, persona: str, factor: Context
) -> None:
    session = world.session(persona).unbounded()
    for key, who in KEYS.items():
        for action in OBJECT_ACTIONS:
            denied = persona != "platform-admin" and "own" not in who
            denied = denied or persona in ("auditor", "operator")
            if action == "s3:DeleteObject":
                denied = denied or persona not in DELETERS or factor is not MFA
            decision = world.ask(session, action, f"{world.artifacts}/{key}", S3_CALL, factor)
            assert (decision.outcome is Outcome.EXPLICITLY_DENIED) == denied, f"{action} {key}"
    for prefix, who in PREFIXES.items():
        listing = {} if prefix is None else {"s3:prefix": prefix}
        for one in (session, session.tagged()):
            own = "own" in who and one is session and persona not in ("auditor", "operator")
            decision = world.ask(one, "s3:ListBucket", world.artifacts, S3_CALL, listing, factor)
            allowed = own or persona == "platform-admin"
            assert (decision.outcome is Outcome.EXPLICITLY_DENIED) == (not allowed), prefix


@pytest.mark.parametrize("persona", PERSONAS)
def test_a_persona_does_not_touch_the_bucket_itself(roles: World, persona: str) -> None:
    session = roles.session(persona).unbounded()
    known = set(actions("s3", "bucket")) - {"s3:ListBucket", "s3:CreateBucket"}
    assert {"s3:PutBucketPolicy", "s3:DeleteBucket", "s3:PutLifecycleConfiguration"} < known
    for action in known:
        for listing in ({}, {"s3:prefix": "workspaces/fraud/"}):
            decision = roles.ask(session, action, roles.artifacts, S3_CALL, listing, MFA)
            assert decision.outcome is Outcome.EXPLICITLY_DENIED, action


@pytest.mark.parametrize("persona", PERSONAS)
def test_a_persona_does_not_use_the_servers_files(roles: World, persona: str) -> None:
    session = roles.session(persona).hostile()
    for action in (*actions("s3", "object"), *actions("s3", "bucket")):
        for arn in (roles.server_files, f"{roles.server_files}/boot/launcher.py"):
            assert not roles.ask(session, action, arn, S3_CALL, MFA).allowed, action


def strangers(world: World) -> dict[str, Caller]:
    return {
        "administrator": administrator(),
        "administrator tagged with a team": administrator(team="fraud"),
        "role named like a persona": administrator(f"{world.prefix}-fraud-team-admin", team="fraud"),
        "account": caller(f"{IAM}:root"),
        "user": caller(f"{IAM}:user/anna", ANYTHING, team="fraud"),
        "other account": caller(
            f"arn:aws:iam::{OTHER_ACCOUNT}:role/{world.prefix}/reader/x", ANYTHING, team="fraud"
        ),
    }


@pytest.mark.parametrize("stack", ["roles", "guarded"])
def test_nobody_but_a_persona_uses_an_object(request: pytest.FixtureRequest, stack: str) -> None:
    world: World = request.getfixturevalue(stack)
    through = {"aws:SourceVpce": S3_ENDPOINT}
    for name, stranger in {**strangers(world), "deployer": caller(DEPLOYER, ANYTHING)}.items():
        for action in actions("s3", "object"):
            for key in ("workspaces/fraud/1/m", "m"):
                decision = world.ask(stranger, action, f"{world.artifacts}/{key}", S3_CALL, MFA, through)
                assert decision.outcome is Outcome.EXPLICITLY_DENIED, f"{name} {action} {key}"
        listing = {"s3:prefix": "workspaces/fraud/"}
        if name != "deployer" or stack == "roles":
            decision = world.ask(stranger, "s3:ListBucket", world.artifacts, S3_CALL, MFA, listing, through)
            assert decision.outcome is Outcome.EXPLICITLY_DENIED, name


#: Of artifacts, nobody lists these: Terraform asks for neither.
NAMES_OF_VERSIONS = {"s3:ListBucketMultipartUploads", "s3:ListBucketVersions"}


@pytest.mark.parametrize(
    ("stack", "name"), [("roles", "admin"), ("roles", "deploy"), ("guarded", "deploy"), ("private", "deploy")]
)
def test_who_deploys_is_not_locked_out(request: pytest.FixtureRequest, stack: str, name: str) -> None:
    world: World = request.getfixturevalue(stack)
    for deployer in (administrator(name), administrator(name, team="fraud")):
        for bucket in (world.artifacts, world.server_files):
            for action in actions("s3", "bucket"):
                decision = world.ask(deployer, action, bucket, S3_CALL)
                closed = bucket == world.artifacts and action in NAMES_OF_VERSIONS
                assert decision.allowed is not closed, f"{action}: {decision.layer} {decision.statement}"
        for key in world.template.resources("aws_kms_key"):
            for action in ("kms:PutKeyPolicy", "kms:GetKeyPolicy", "kms:ScheduleKeyDeletion"):
                assert world.ask(deployer, action, world.key(key)).allowed, f"{action} {key}"
        boot_file = f"{world.server_files}/boot/launcher.py"
        for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
            assert world.ask(deployer, action, boot_file, S3_CALL).allowed
        context = kms_context(world.server_files, "s3")
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            assert world.ask(deployer, action, world.key("storage_key"), context).allowed


def test_where_deployers_are_named_nobody_else_lists_or_encrypts(guarded: World) -> None:
    admin = administrator()
    for action in ("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"):
        assert not guarded.ask(admin, action, guarded.artifacts, S3_CALL).allowed
    context = kms_context(guarded.server_files, "s3")
    assert not guarded.ask(admin, "kms:GenerateDataKey", guarded.key("storage_key"), context).allowed


@pytest.mark.parametrize("persona", sorted(READERS))
def test_where_endpoints_are_named_artifacts_are_used_through_them(guarded: World, persona: str) -> None:
    session, arn = guarded.session(persona), f"{guarded.artifacts}/workspaces/fraud/1/m"
    prefix = {"s3:prefix": "workspaces/fraud/"}
    for source, expected in (
        ({"aws:SourceVpce": S3_ENDPOINT}, True),
        ({"aws:SourceVpce": "vpce-0ffffffffffffffff"}, False),
        ({}, False),
    ):
        assert guarded.ask(session, "s3:GetObject", arn, S3_CALL, source).allowed == expected
        decision = guarded.ask(session, "s3:ListBucket", guarded.artifacts, S3_CALL, source, prefix)
        assert decision.allowed == expected


@pytest.mark.parametrize("stack", ["roles", "guarded", "private"])
def test_the_server_reads_and_does_nothing_else(request: pytest.FixtureRequest, stack: str) -> None:
    world: World = request.getfixturevalue(stack)
    server = world.role("server").caller
    door = world.endpoint("endpoints_s3")
    for key in ("workspaces/fraud/1/m", "workspaces/search/1/m"):
        arn = f"{world.artifacts}/{key}"
        assert world.ask(server, "s3:GetObject", arn, S3_CALL, endpoint=door).allowed
        for action in set(actions("s3", "object")) - {"s3:GetObject"}:
            assert not world.ask(server.unbounded(), action, arn, S3_CALL, MFA).allowed, action
        for signed in ("REST-QUERY-STRING", "POST"):  # an address that the server gave away
            presigned = {**S3_CALL, "s3:authType": signed}
            assert not world.ask(server, "s3:GetObject", arn, presigned, endpoint=door).allowed
    for bucket in (world.artifacts, world.server_files):
        for action in set(actions("s3", "bucket")) - {"s3:ListBucket"}:
            assert not world.ask(server.unbounded(), action, bucket, S3_CALL, MFA).allowed, action
    listing = {"s3:prefix": "workspaces/fraud/"}
    assert world.ask(server, "s3:ListBucket", world.artifacts, S3_CALL, listing, endpoint=door).allowed
    assert not world.ask(server, "s3:ListBucket", world.artifacts, S3_CALL).allowed


@pytest.mark.parametrize("persona", PERSONAS)
def test_the_storage_key_serves_artifacts_through_s3(world: World, persona: str) -> None:
    session, key, bucket = world.session(persona), world.key("storage_key"), world.artifacts
    own = {bucket: True, f"{bucket}/workspaces/fraud/1/m": True}
    own |= {f"{bucket}/workspaces/{team}/1/m": scope(persona) == "all" for team in ("search", "fraudulent")}
    own |= {f"{bucket}/m": False, world.server_files: False, f"{world.server_files}/boot/x": False}
    for encrypted, ours in own.items():
        for action, who in (("kms:Decrypt", READERS), ("kms:GenerateDataKey", WRITERS)):
            decision = world.ask(session, action, key, kms_context(encrypted, "s3"))
            assert decision.allowed == (ours and persona in who), f"{action} {encrypted} {decision.layer}"
            for service in ("secretsmanager", "ec2", "rds"):
                assert not world.ask(session, action, key, kms_context(encrypted, service)).allowed
            directly = {**kms_context(encrypted, "s3")}
            del directly["kms:ViaService"]
            assert not world.ask(session, action, key, directly).allowed


@pytest.mark.parametrize("persona", PERSONAS)
def test_a_persona_does_nothing_else_with_any_key(roles: World, persona: str) -> None:
    session = roles.session(persona).hostile()
    context = kms_context(roles.artifacts, "s3")
    for name in roles.template.resources("aws_kms_key"):
        used = {"kms:Decrypt", "kms:GenerateDataKey"} if name == "storage_key" else set()
        for action in set(actions("kms", "key")) - used:
            assert not roles.ask(session, action, roles.key(name), context).allowed, f"{action} {name}"


@pytest.mark.parametrize("name", ["storage_key", "database_key"])
def test_a_key_is_used_by_nobody_but_those_it_names(roles: World, name: str) -> None:
    # By the key's policy alone. The account administers it, and personas are kept from that by their boundary.
    key, bucket = roles.key(name), roles.artifacts
    uses = ("kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt", "kms:ReEncryptFrom", "kms:CreateGrant")
    personas = {persona: roles.session(persona).unbounded() for persona in PERSONAS}
    for persona, session in {**personas, **strangers(roles)}.items():
        for service in ("s3", "rds", "secretsmanager"):
            for action in uses:
                if name == "storage_key" and service == "s3" and persona in READERS:
                    continue
                if name == "database_key" and service != "s3" and persona in strangers(roles):
                    continue  # who deploys makes the database and its secret
                decision = roles.ask(session, action, key, kms_context(bucket, service))
                assert not decision.allowed, f"{persona} {action} {service}: {decision.statement}"


def test_the_server_decrypts_and_does_not_encrypt(roles: World) -> None:
    server, storage = roles.role("server").caller, roles.key("storage_key")
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!db-database_instance"
    through_secret = {**kms_context("", "secretsmanager"), "kms:EncryptionContext:SecretARN": secret}
    assert roles.ask(server, "kms:Decrypt", storage, kms_context(roles.artifacts, "s3")).allowed
    assert roles.ask(server, "kms:Decrypt", roles.key("database_key"), through_secret).allowed
    assert roles.ask(server, "secretsmanager:GetSecretValue", secret).allowed
    for action in ("kms:GenerateDataKey", "kms:Encrypt", "kms:CreateGrant", "kms:ReEncryptTo"):
        for context in (kms_context(roles.artifacts, "s3"), through_secret):
            for key in (storage, roles.key("database_key")):
                assert not roles.ask(server.unbounded(), action, key, context).allowed, action


def test_a_key_serves_the_server_through_services_alone(roles: World) -> None:
    # By the key's policy alone, whatever the server's role allows.
    server = roles.role("server").caller.unbounded()
    for name, serves in (("storage_key", "s3"), ("database_key", "secretsmanager")):
        for via in ("s3", "secretsmanager", "rds", "ec2"):
            context = kms_context(roles.artifacts, via)
            assert roles.ask(server, "kms:Decrypt", roles.key(name), context).allowed == (via == serves)
        directly = {"kms:EncryptionContext:aws:s3:arn": roles.artifacts}
        assert not roles.ask(server, "kms:Decrypt", roles.key(name), directly).allowed
    elsewhere = kms_context("arn:aws:s3:::somebody-elses", "s3")
    assert not roles.ask(server, "kms:Decrypt", roles.key("storage_key"), elsewhere).allowed


def test_the_storage_key_keeps_personas_and_deployers_to_their_bucket(roles: World) -> None:
    # By the key's policy alone.
    key, artifacts, files = roles.key("storage_key"), roles.artifacts, roles.server_files
    for who, own, other in (
        (roles.session("team-admin").unbounded(), artifacts, files),
        (administrator("deploy"), files, artifacts),
    ):
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            assert roles.ask(who, action, key, kms_context(own, "s3")).allowed
            assert not roles.ask(who, action, key, kms_context(own, "ec2")).allowed
            assert not roles.ask(who, action, key, kms_context(other, "s3")).allowed
            assert not roles.ask(who, action, key, kms_context("arn:aws:s3:::elsewhere", "s3")).allowed


@pytest.mark.parametrize(("stack", "expected"), [("roles", True), ("guarded", False)])
def test_the_database_key_serves_who_deploys_through_services(
    request: pytest.FixtureRequest, stack: str, expected: bool
) -> None:
    world: World = request.getfixturevalue(stack)
    key, granted = world.key("database_key"), {"kms:GrantIsForAWSResource": "true"}
    for who, deploys in ((administrator("deploy"), True), (administrator(), expected)):
        for via, through in (("rds", True), ("secretsmanager", True), ("ec2", False)):
            context = kms_context("", via)
            for action in ("kms:Decrypt", "kms:GenerateDataKey"):
                assert world.ask(who, action, key, context).allowed == (deploys and through)
            allowed = world.ask(who, "kms:CreateGrant", key, context, granted).allowed
            assert allowed == (deploys and through)
            assert not world.ask(who, "kms:CreateGrant", key, context).allowed
        for action in ("kms:Decrypt", "kms:GenerateDataKey", "kms:CreateGrant"):
            assert not world.ask(who, action, key, granted).allowed, action


@pytest.mark.parametrize("persona", PERSONAS)
def test_a_persona_reads_no_secret(world: World, persona: str) -> None:
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!db-database_instance"
    session = world.session(persona).hostile()
    for action in actions("secretsmanager", "Secret"):
        assert not world.ask(session, action, secret, MFA).allowed, action


@pytest.mark.parametrize("service", ["secretsmanager", "kms", "s3", "execute-api", "rds-db", "iam", "sts"])
def test_an_operator_has_nothing_of_the_data(world: World, service: str) -> None:
    operator = world.session("operator")
    names = actions(service)
    assert names
    for action in names:
        for arn in ("*", f"{world.artifacts}/workspaces/fraud/1/m", world.key("database_key")):
            assert not world.ask(operator, action, arn, S3_CALL, MFA).allowed, action
            decision = world.ask(operator.hostile(), action, arn, S3_CALL, MFA)
            assert decision.outcome is Outcome.EXPLICITLY_DENIED, action
