"""A small document as a world: its principals and resources, what applies between them, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gatehouse.access import MalformedPolicyError, MalformedRequestError, Outcome
from gatehouse.access.world import World
from gatehouse.errors import InputError
from tests.unit.stacks import ACCOUNT, Stack, stack_in

IAM = f"arn:aws:iam::{ACCOUNT}"
BUCKET = "arn:aws:s3:::artifacts"
Blocks = dict[str, dict[str, Any]]


def policy(*statements: dict[str, Any]) -> str:
    """Return a policy as a document has it: text, with AWS's variables escaped."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}).replace("${aws:", "$${aws:")


def allow(action: str, resource: str = "*", **elements: object) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **elements}


def trust(service: str = "ec2") -> str:
    return policy(
        {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    )


def deny(action: str, resource: str = "*", **elements: object) -> dict[str, Any]:
    return {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": resource, **elements}


def blocks() -> Blocks:
    """Return a small stack: a persona's role in a team, a bucket with its key, an API."""
    return {
        "aws_iam_role": {
            "reader": {
                "name": "st-fraud-reader",
                "path": "/st/reader/",
                "description": "Reads",
                "max_session_duration": 7200,
                "tags": {"team": "fraud"},
                "assume_role_policy": trust(),
                "permissions_boundary": "${aws_iam_policy.boundary.arn}",
            },
            "server": {"name": "st-server", "assume_role_policy": trust()},
        },
        "aws_iam_policy": {
            "boundary": {"name": "boundary", "policy": policy(allow("s3:Get*"), allow("execute-api:Invoke"))},
            "read": {
                "name": "read",
                "policy": policy(
                    allow("s3:*", "${aws_s3_bucket.b.arn}/${aws:PrincipalTag/team}/*", Sid="Own")
                ),
            },
        },
        "aws_iam_role_policy_attachment": {
            "read": {"role": "${aws_iam_role.reader.name}", "policy_arn": "${aws_iam_policy.read.arn}"}
        },
        "aws_iam_role_policy": {
            "invoke": {"role": "${aws_iam_role.reader.id}", "policy": policy(allow("execute-api:Invoke"))}
        },
        "aws_s3_bucket": {"b": {"bucket": "artifacts"}},
        "aws_s3_bucket_policy": {
            "b": {
                "bucket": "${aws_s3_bucket.b.id}",
                "policy": policy(
                    deny(
                        "s3:*", f"{BUCKET}/*", Sid="Tls", Condition={"Bool": {"aws:SecureTransport": "false"}}
                    )
                ),
            }
        },
        "aws_s3_bucket_public_access_block": {
            "b": {"bucket": "${aws_s3_bucket.b.id}", "block_public_acls": True}
        },
        "aws_s3_bucket_server_side_encryption_configuration": {
            "b": {
                "bucket": "${aws_s3_bucket.b.id}",
                "rule": [
                    {"apply_server_side_encryption_by_default": {"kms_master_key_id": "${aws_kms_key.k.arn}"}}
                ],
            }
        },
        "aws_kms_key": {"k": {}},
        "aws_kms_alias": {"k": {"name": "alias/st", "target_key_id": "${aws_kms_key.k.key_id}"}},
        "aws_api_gateway_rest_api": {"a": {"name": "st"}},
        "aws_api_gateway_rest_api_policy": {
            "a": {
                "rest_api_id": "${aws_api_gateway_rest_api.a.id}",
                "policy": policy(allow("execute-api:Invoke", Principal="*")),
            }
        },
        "aws_api_gateway_stage": {
            "a": {"rest_api_id": "${aws_api_gateway_rest_api.a.id}", "stage_name": "live"}
        },
        "aws_api_gateway_resource": {
            "proxy": {
                "rest_api_id": "${aws_api_gateway_rest_api.a.id}",
                "parent_id": "${aws_api_gateway_resource.team.id}",
                "path_part": "{proxy+}",
            },
            "team": {
                "rest_api_id": "${aws_api_gateway_rest_api.a.id}",
                "parent_id": "${aws_api_gateway_rest_api.a.root_resource_id}",
                "path_part": "{team}",
            },
        },
        "aws_api_gateway_method": {
            "proxy": {
                "rest_api_id": "${aws_api_gateway_rest_api.a.id}",
                "resource_id": "${aws_api_gateway_resource.proxy.id}",
                "http_method": "ANY",
                "authorization": "AWS_IAM",
            },
            "root": {
                "rest_api_id": "${aws_api_gateway_rest_api.a.id}",
                "resource_id": "${aws_api_gateway_rest_api.a.root_resource_id}",
                "http_method": "GET",
                "authorization": "NONE",
            },
        },
        "aws_s3_object": {
            "teams": {"bucket": "files", "key": "boot/1/teams.txt", "content": "pricing\nfraud\n"},
            "wheels": {
                "bucket": "files",
                "key": "boot/2/requirements.txt",
                "content": "a==1\nmlflow==3.17.2 \\\n",
            },
        },
    }


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return stack_in(tmp_path)


@pytest.fixture
def world(stack: Stack) -> World:
    return World.of(stack(blocks()))


def changed(stack: Stack, kind: str, **resources: dict[str, Any]) -> World:
    """Return the world with more or other resources of a type."""
    content = blocks()
    return World.of(stack({**content, kind: {**content.get(kind, {}), **resources}}))


def test_a_role_has_all_that_is_attached(world: World) -> None:
    role = world.roles[f"{IAM}:role/st/reader/st-fraud-reader"]
    assert role is world.role("reader", "fraud")
    assert (role.persona, role.team, role.account) == ("reader", "fraud", ACCOUNT)
    assert (role.description, role.max_session_seconds, role.tags) == ("Reads", 7200, {"team": "fraud"})
    assert [one.name for one in role.identity] == [
        "aws_iam_policy.read.policy",
        "aws_iam_role_policy.invoke.policy",
    ]
    assert role.boundary is world.policies["aws_iam_policy.boundary.policy"]
    assert role.trust is world.policies["aws_iam_role.reader.assume_role_policy"]
    principal = role.principal("anna", {"project": "x"})
    assert principal.session_arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/st-fraud-reader/anna"
    assert principal.tags == {"team": "fraud", "project": "x"}
    assert role.principal(tags={"team": "other"}).tags == {"team": "other"}


def test_a_role_of_a_service_is_no_persona(world: World) -> None:
    server = world.roles[f"{IAM}:role/st-server"]
    assert (server.persona, server.team, server.boundary, server.identity) == (None, None, None, ())
    assert server.max_session_seconds == 3600
    assert world.personas == (world.role("reader", "fraud"),)


def test_tags_of_the_provider_are_the_roles_too(stack: Stack) -> None:
    provider = {"aws": [{"region": "eu-west-1", "default_tags": [{"tags": {"team": "all", "owner": "x"}}]}]}
    world = World.of(stack(blocks(), provider=provider))
    assert world.roles[f"{IAM}:role/st-server"].team == "all"
    assert world.roles[f"{IAM}:role/st/reader/st-fraud-reader"].tags == {"team": "fraud", "owner": "x"}


def test_a_role_of_all_sessions_is_that_of_every_team(stack: Stack) -> None:
    role = {"name": "st-auditor", "path": "/st/auditor/", "assume_role_policy": trust()}
    world = changed(stack, "aws_iam_role", auditor=role)
    assert world.role("auditor") is world.role("auditor", "fraud")
    with pytest.raises(
        InputError, match=r"has no role of reader of other\. Fix: one of auditor, reader of fraud"
    ):
        world.role("reader", "other")


def test_what_a_roles_own_block_attaches(stack: Stack) -> None:
    world = changed(
        stack,
        "aws_iam_role",
        own={
            "name": "own",
            "assume_role_policy": trust(),
            "managed_policy_arns": ["${aws_iam_policy.read.arn}"],
            "inline_policy": [{"name": "none"}, {"name": "x", "policy": policy(allow("s3:ListBucket"))}],
        },
    )
    role = world.roles[f"{IAM}:role/own"]
    assert [one.name for one in role.identity] == [
        "aws_iam_policy.read.policy",
        "aws_iam_role.own.inline_policy.1.policy",
    ]
    assert world.locate(role.identity[1].statements[0]).startswith(f"{world.document.path}:")


def test_a_user_has_the_policies_of_its_groups(stack: Stack) -> None:
    content = blocks() | {
        "aws_iam_group": {name: {"name": name} for name in ("g1", "g2")},
        "aws_iam_group_policy": {
            "p": {"group": "${aws_iam_group.g1.name}", "policy": policy(allow("s3:GetObject"))}
        },
        "aws_iam_group_policy_attachment": {
            "p": {"group": "${aws_iam_group.g2.name}", "policy_arn": "${aws_iam_policy.read.arn}"}
        },
        "aws_iam_user": {"anna": {"name": "anna", "permissions_boundary": "${aws_iam_policy.boundary.arn}"}},
        "aws_iam_user_policy": {
            "p": {"user": "${aws_iam_user.anna.name}", "policy": policy(allow("kms:Decrypt"))}
        },
        "aws_iam_policy_attachment": {
            "p": {"users": ["${aws_iam_user.anna.name}"], "policy_arn": "${aws_iam_policy.read.arn}"}
        },
        "aws_iam_user_group_membership": {"m": {"user": "${aws_iam_user.anna.name}", "groups": ["g1"]}},
        "aws_iam_group_membership": {"m": {"users": ["anna"], "group": "g2"}},
    }
    world = World.of(stack(content))
    anna = world.users[f"{IAM}:user/anna"]
    assert anna.groups == ("g1", "g2")
    assert [one.name.removesuffix(".policy") for one in anna.identity] == [
        "aws_iam_policy.read", "aws_iam_user_policy.p", "aws_iam_group_policy.p", "aws_iam_policy.read"
    ]  # fmt: skip
    assert anna.boundary is not None
    assert [one.name for one in world.groups[f"{IAM}:group/g1"].identity] == ["aws_iam_group_policy.p.policy"]
    assert world.ask(anna, "s3:GetObject", f"{BUCKET}/x").allowed
    assert not world.ask(anna, "kms:Decrypt", f"{BUCKET}/x").allowed  # the boundary


def test_resources_know_their_policies(world: World) -> None:
    (bucket,) = world.buckets
    assert bucket.key_arn == f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/k"
    assert bucket.public_access_block == {
        "block_public_acls": True, "block_public_policy": False,
        "ignore_public_acls": False, "restrict_public_buckets": False,
    }  # fmt: skip
    (key,) = world.keys
    assert key.aliases == ("alias/st",)
    assert [one.sid for one in key.policy.statements] == ["Enable IAM User Permissions"]
    names = {
        f"{BUCKET}/any/thing": "aws_s3_bucket_policy.b.policy",
        BUCKET: "aws_s3_bucket_policy.b.policy",
        key.arn: "aws_kms_key.k.policy",
        world.api.call("GET", "fraud", "/x"): "aws_api_gateway_rest_api_policy.a.policy",
        f"{world.api.execution_arn}/other-stage/GET/": "aws_api_gateway_rest_api_policy.a.policy",
        f"{IAM}:role/st-server": "aws_iam_role.server.assume_role_policy",
    }
    for arn, name in names.items():
        found = world.policy_of(arn)
        assert found is not None, arn
        assert found.name == name
    for arn in (f"{BUCKET}-of-others/x", f"{IAM}:role/elsewhere", "*"):
        assert world.policy_of(arn) is None


def test_an_alias_is_not_what_policies_are_about(world: World) -> None:
    with pytest.raises(MalformedRequestError, match="is an alias"):
        world.policy_of(f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias/st")


def test_the_api_with_its_methods(world: World) -> None:
    api = world.api
    assert api.arn == f"arn:aws:execute-api:eu-west-1:{ACCOUNT}:a/live"
    assert api.call("GET", "fraud", "/api/x") == f"{api.arn}/GET/fraud/api/x"
    assert [(one.http_method, one.path, one.authorization) for one in api.methods] == [
        ("ANY", "/{team}/{proxy+}", "AWS_IAM"),
        ("GET", "/", "NONE"),
    ]
    assert (api.private, api.entry, api.endpoint_ids) == (False, None, ())


def test_a_private_api_has_an_entry(stack: Stack) -> None:
    content = blocks() | {
        "aws_vpc_endpoint": {
            "door": {"service_name": "com.amazonaws.eu-west-1.execute-api", "vpc_endpoint_type": "Interface"},
            "s3": {"service_name": "com.amazonaws.eu-west-1.s3", "policy": policy(deny("*"))},
        },
        "aws_vpc_endpoint_policy": {
            "door": {
                "vpc_endpoint_id": "${aws_vpc_endpoint.door.id}",
                "policy": policy(deny("execute-api:*")),
            }
        },
    }
    content["aws_api_gateway_rest_api"]["a"]["endpoint_configuration"] = {"types": ["PRIVATE"]}
    world = World.of(stack(content))
    entry = world.api.entry
    assert entry is not None
    assert (entry.service, entry.type, entry.id) == ("execute-api", "Interface", "vpce-door")
    assert (world.api.private, world.api.endpoint_ids) == (True, ("vpce-door",))
    role, call = world.role("reader", "fraud"), world.api.call("GET", "fraud", "/x")
    assert world.ask(role, "execute-api:Invoke", call).allowed
    decision = world.ask(role, "execute-api:Invoke", call, endpoint=entry)
    assert (decision.outcome, decision.layer.value) == (Outcome.EXPLICITLY_DENIED, "endpoint_policy")
    gateway = next(one for one in world.endpoints if one.service == "s3")
    assert gateway.type == "Gateway"
    assert gateway.policy is not None
    assert gateway.policy.name == "aws_vpc_endpoint.s3.policy"


def test_topics_and_secrets(stack: Stack) -> None:
    content = blocks() | {
        "aws_sns_topic": {"t": {"name": "t"}},
        "aws_sns_topic_policy": {
            "t": {"arn": "${aws_sns_topic.t.arn}", "policy": policy(deny("sns:Publish"))}
        },
        "aws_secretsmanager_secret": {
            "s": {"name": "s", "policy": policy(deny("secretsmanager:GetSecretValue"))}
        },
        "aws_db_instance": {
            "d": {
                "identifier": "d",
                "manage_master_user_password": True,
                "master_user_secret_kms_key_id": "${aws_kms_key.k.arn}",
            },
            "own": {"identifier": "own"},
        },
    }
    world = World.of(stack(content))
    written, managed = world.secrets
    for arn, name in (
        (world.topics[0].arn, "aws_sns_topic_policy.t"),
        (written.arn, "aws_secretsmanager_secret.s"),
    ):
        found = world.policy_of(arn)
        assert found is not None
        assert found.name == f"{name}.policy"
    assert managed.arn == f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:rds!db-d"
    assert (managed.policy, managed.key_arn) == (None, world.keys[0].arn)
    content["aws_secretsmanager_secret_policy"] = {
        "d": {
            "secret_arn": "${aws_db_instance.d.master_user_secret[0].secret_arn}",
            "policy": policy(allow("secretsmanager:GetSecretValue", Principal="*")),
        }
    }
    found = World.of(stack(content)).policy_of(managed.arn)
    assert found is not None
    assert found.name == "aws_secretsmanager_secret_policy.d.policy"


def test_decisions_name_the_statement_and_its_line(world: World) -> None:
    role, tls = world.role("reader", "fraud"), {"aws:SecureTransport": "true"}
    decision = world.ask(role, "s3:GetObject", f"{BUCKET}/fraud/x", tls)
    assert decision.allowed
    assert decision.statement is not None
    assert (decision.statement.policy, decision.statement.sid) == ("aws_iam_policy.read.policy", "Own")
    path, _, line = world.locate(decision.statement).rpartition(":")
    assert "PrincipalTag/team" in Path(path).read_text(encoding="utf-8").splitlines()[int(line) - 1]
    assert world.ask(role, "s3:GetObject", f"{BUCKET}/other/x", tls).outcome is Outcome.IMPLICITLY_DENIED
    assert world.ask(role, "s3:GetObject", f"{BUCKET}/other/x", tls, tags={"team": "other"}).allowed
    assert world.ask(role, "s3:PutObject", f"{BUCKET}/fraud/x", tls).layer.value == "permissions_boundary"
    plain = world.ask(role, "s3:GetObject", f"{BUCKET}/fraud/x", {"aws:SecureTransport": "false"})
    assert plain.statement is not None
    assert plain.statement.sid == "Tls"
    assert world.policies_for(role, f"{BUCKET}/a") is world.policies_for(role, f"{BUCKET}/b")


def test_boot_files_tell_teams_and_version(world: World, stack: Stack) -> None:
    assert world.teams == ("fraud", "pricing")
    assert world.mlflow_version == "3.17.2"
    without = World.of(stack({**blocks(), "aws_s3_object": {}}))
    assert without.teams == ("fraud",)
    with pytest.raises(InputError, match="does not tell MLflow's version"):
        _ = without.mlflow_version
    twice = changed(stack, "aws_s3_object", more={"bucket": "b", "key": "x/teams.txt", "content": "c"})
    with pytest.raises(InputError, match=r"aws_s3_object\.more\.key: is a second teams\.txt"):
        _ = twice.teams


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (
        "aws_iam_role_policies_exclusive",
        {"role_name": "x"},
        "is of a type whose effect on access is not modelled",
    ),
    (
        "aws_iam_role_policy",
        {"role": "gone", "policy": policy(allow("*"))},
        "role: names the role gone, which is not in",
    ),
    (
        "aws_iam_role_policy_attachment",
        {"role": "st-server", "policy_arn": "arn:aws:iam::aws:policy/AdministratorAccess"},
        "policy_arn: names the policy arn:aws:iam::aws:policy/AdministratorAccess, whose content is not in",
    ),
    ("aws_iam_role", {"name": "x", "assume_role_policy": "{"}, "assume_role_policy: is not JSON"),
    (
        "aws_iam_role",
        {"name": "x"},
        "assume_role_policy cannot be resolved|nothing is known of aws_iam_role.new.assume",
    ),
    (
        "aws_iam_role",
        {"name": "x", "assume_role_policy": trust(), "permissions_boundary": f"{IAM}:policy/gone"},
        "permissions_boundary: names the policy .*gone",
    ),
    ("aws_iam_user_group_membership", {"user": "x", "groups": ["gone"]}, "groups: names the group gone"),
    (
        "aws_sqs_queue_policy",
        {"queue_url": "u", "policy": "{}"},
        "policy: lets somebody in by means that are not",
    ),
    ("aws_kms_grant", {"key_id": "k"}, "aws_kms_grant.new: lets somebody in"),
    ("aws_apigatewayv2_api", {"name": "x", "protocol_type": "HTTP"}, "lets somebody in"),
    ("aws_lambda_function_url", {"function_name": "x"}, "lets somebody in"),
    ("aws_s3_bucket", {"bucket": "x", "acl": "public-read"}, "acl: lets somebody in"),
    ("aws_s3_bucket", {"bucket": "x", "grant": [{"type": "Group"}]}, "grant: lets somebody in"),
    ("aws_api_gateway_rest_api", {"name": "x", "body": "{}"}, "body: lets somebody in"),
    ("aws_api_gateway_deployment", {"rest_api_id": "x", "stage_name": "x"}, "stage_name: lets somebody in"),
    ("aws_db_snapshot", {"shared_accounts": ["all"]}, "shared_accounts: lets somebody in"),
    (
        "aws_secretsmanager_secret_policy",
        {"secret_arn": "by-name", "policy": policy(allow("secretsmanager:*", Principal="*"))},
        "secret_arn: names by-name, which is not in the document",
    ),
    (
        "aws_s3_bucket_policy",
        {"bucket": "artifacts", "policy": policy(deny("*"))},
        "replaces aws_s3_bucket_policy.b.policy",
    ),
    (
        "aws_api_gateway_resource",
        {"rest_api_id": "a", "parent_id": "gone", "path_part": "x"},
        "parent_id: is no resource of this API",
    ),
]


@pytest.mark.parametrize(("kind", "body", "message"), REFUSED)
def test_what_would_not_be_judged_is_refused(
    stack: Stack, kind: str, body: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as refused:
        changed(stack, kind, new=body)
    assert f"{kind}.new" in str(refused.value)


def test_a_policy_that_aws_would_refuse_is_named(stack: Stack) -> None:
    body = {"role": "st-server", "policy": '{"Statement": []}'}
    with pytest.raises(MalformedPolicyError, match=r"aws_iam_role_policy\.new\.policy: no Statement"):
        changed(stack, "aws_iam_role_policy", new=body)


def test_two_policies_of_one_resource_are_refused(stack: Stack) -> None:
    with pytest.raises(
        InputError, match=r"aws_s3_bucket_policy\.b\.policy: replaces aws_s3_bucket\.b\.policy"
    ):
        changed(stack, "aws_s3_bucket", b={"bucket": "artifacts", "policy": policy(deny("s3:*"))})


@pytest.mark.parametrize(
    ("private", "message"),
    [
        (["door", "side"], "endpoint_configuration: is reached through several endpoints"),
        ([], "policy: is missing, so nobody can call this private API"),
    ],
)
def test_a_private_api_that_is_not_understood_is_refused(
    stack: Stack, private: list[str], message: str
) -> None:
    content = blocks()
    content["aws_api_gateway_rest_api"]["a"]["endpoint_configuration"] = [{"types": ["PRIVATE"]}]
    content["aws_vpc_endpoint"] = {
        name: {"service_name": "com.amazonaws.eu-west-1.execute-api"} for name in private
    }
    if not private:
        del content["aws_api_gateway_rest_api_policy"]
    with pytest.raises(InputError, match=message):
        World.of(stack(content))


def test_a_document_without_an_api_says_so(stack: Stack) -> None:
    world = World.of(stack({}))
    with pytest.raises(InputError, match="has 0 stages of REST APIs"):
        _ = world.api
