"""What no caller can do whatever is attached to it: boundaries and endpoint policies, each by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gatehouse.access import Decision, Kind, Layer, Outcome, Policies, Policy, Request, Resource, evaluate
from tests.synth.access_world import (
    ACCOUNT,
    ANYTHING,
    API_CALL,
    ASSUME,
    FEDERATED,
    IAM,
    IN_ONE_TEAM,
    MFA,
    NO_MFA,
    OTHER_ACCOUNT,
    PERSONAS,
    PRIVATE_CALL,
    REGION,
    S3_CALL,
    Caller,
    Context,
    World,
    actions,
    administrator,
    caller,
    kms_context,
)


def _of_account(**elements: str | list[str]) -> dict[str, Any]:
    statement = {"Sid": "Account", "Effect": "Allow", "Principal": {"AWS": f"{IAM}:root"}, **elements}
    return {"Version": "2012-10-17", "Statement": [statement]}


#: Policies that leave everything to the account's own: so it is the boundary alone that limits.
LEFT_TO_IAM = Policy.parse(_of_account(Action="*", Resource="*"), "resource", Kind.RESOURCE)
TRUST_LEFT_TO_IAM = Policy.parse(
    _of_account(Action=["sts:AssumeRole", "sts:TagSession"]), "trust", Kind.TRUST
)


def decide(
    asking: Caller, action: str, arn: str, *contexts: Context, endpoint: Policy | None = None
) -> Decision:
    """Return the decision where the resource's policy leaves it to the caller's own, and the endpoint's."""
    trust = action in (ASSUME, "sts:TagSession") and ":role/" in arn
    merged = {key: value for context in contexts for key, value in context.items()}
    policies = Policies(
        identity=asking.identity,
        boundary=asking.boundary,
        resource=TRUST_LEFT_TO_IAM if trust else LEFT_TO_IAM,
        endpoint=endpoint,
    )
    return evaluate(Request(asking.principal, action, Resource(arn, ACCOUNT), merged), policies)


def passes(asking: Caller, action: str, arn: str, *contexts: Context, endpoint: Policy | None = None) -> bool:
    return decide(asking, action, arn, *contexts, endpoint=endpoint).allowed


NEVER = (
    *[(action, f"{IAM}:role/admin") for action in (ASSUME, "sts:TagSession", "iam:PassRole")],
    ("sts:GetFederationToken", f"{IAM}:user/x"),
    ("s3:PutBucketPolicy", "{artifacts}"),
    ("s3:DeleteBucket", "{artifacts}"),
    ("s3:PutObject", "{artifacts}/model.pkl"),
    ("s3:GetObject", "{artifacts}/model.pkl"),
    ("s3:DeleteObjectVersion", "{artifacts}/workspaces/fraud/1/m"),
    ("s3:PutObjectAcl", "{artifacts}/workspaces/fraud/1/m"),
    ("s3:GetObject", "arn:aws:s3:::somebody-elses/x"),
    ("s3:PutObject", "arn:aws:s3:::somebody-elses/x"),
    ("s3:CreateAccessPoint", f"arn:aws:s3:{REGION}:{ACCOUNT}:accesspoint/x"),
    ("kms:CreateGrant", "{storage_key}"),
    ("kms:PutKeyPolicy", "{storage_key}"),
    ("kms:ScheduleKeyDeletion", "{storage_key}"),
    ("kms:GenerateDataKey", "{database_key}"),
    ("execute-api:Invoke", f"arn:aws:execute-api:{REGION}:{ACCOUNT}:zzzzzzzzzz/api/GET/fraud/"),
    ("execute-api:Invoke", "{stage}/OPTIONS/fraud/api/2.0/mlflow/runs/get"),
    ("apigateway:PATCH", f"arn:aws:apigateway:{REGION}::/restapis/x"),
    ("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:x"),
    ("ec2:RunInstances", f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/*"),
    ("ssm:SendCommand", f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-1"),
    ("organizations:LeaveOrganization", "*"),
    ("account:PutContactInformation", "*"),
)
#: Denied outright, so that no policy of another resource that names the role can allow it either.
OUTRIGHT = (
    *[(action, f"{IAM}:role/x") for action in (ASSUME, "sts:AssumeRoleWithSAML", "sts:TagSession")],
    *[(action, f"{IAM}:role/x") for action in ("iam:PassRole", "iam:CreateRole", "iam:TagRole")],
    ("sts:GetFederationToken", f"{IAM}:user/x"),
    ("organizations:LeaveOrganization", "*"),
    ("account:PutContactInformation", "*"),
    ("kms:CreateGrant", "{storage_key}"),
    ("kms:PutKeyPolicy", "{storage_key}"),
)
#: For personas of one team.
NEVER_OF_ANOTHER_TEAM = (
    *[(f"s3:{verb}Object", "{artifacts}/workspaces/search/1/m") for verb in ("Get", "Put", "Delete")],
    ("s3:GetObject", "{artifacts}/workspaces/fraudulent/1/m"),
    ("execute-api:Invoke", "{stage}/GET/search/api/2.0/mlflow/runs/get"),
    ("execute-api:Invoke", "{stage}/GET/fraudulent/"),
    ("execute-api:Invoke", "{stage}/GET/search"),
)


def _named(world: World, arn: str) -> str:
    return arn.format(
        artifacts=world.artifacts,
        stage=world.stage,
        storage_key=world.key("storage_key"),
        database_key=world.key("database_key"),
    )


def test_every_role_and_user_has_a_boundary(world: World) -> None:
    assert len(world.roles) > len(PERSONAS)
    assert [name for name, role in world.roles.items() if role.caller.boundary is None] == []
    users = world.template.resources("aws_iam_user").values()
    assert {user["name"] for user in users} == {"anna", "bob"}
    assert all(user["permissions_boundary"] for user in users)


def test_no_boundary_lets_a_role_out(world: World) -> None:
    for role in world.roles.values():
        hostile = role.caller.hostile()
        for action, arn in NEVER:
            assert passes(role.caller.unbounded(), action, _named(world, arn), MFA), "the test asks nothing"
            assert not passes(hostile, action, _named(world, arn), MFA), f"{role.name} {action} {arn}"
        for action in actions("iam"):
            assert not passes(hostile, action, f"{IAM}:role/x", MFA), f"{role.name} {action}"
        for action, arn in OUTRIGHT:
            decision = decide(hostile, action, _named(world, arn), MFA)
            denied = (Outcome.EXPLICITLY_DENIED, Layer.BOUNDARY)
            assert (decision.outcome, decision.layer) == denied, f"{role.name} {action}"


@pytest.mark.parametrize("persona", IN_ONE_TEAM)
def test_no_boundary_lets_a_team_into_another(world: World, persona: str) -> None:
    hostile = world.session(persona).hostile()
    for action, arn in NEVER_OF_ANOTHER_TEAM:
        there = _named(world, arn)
        own = there.replace("search", "fraud").replace("fraudulent", "fraud")
        assert passes(hostile, action, own, MFA), own
        assert not passes(hostile, action, there, MFA), there
        assert not passes(hostile.tagged(), action, own, MFA), "without a tag"
    for prefix, expected in (("workspaces/fraud/", True), ("workspaces/search/", False), ("", False)):
        assert passes(hostile, "s3:ListBucket", world.artifacts, {"s3:prefix": prefix}) == expected
    assert not passes(hostile, "s3:ListBucket", world.artifacts)


@pytest.mark.parametrize("persona", ["team-admin", "auditor", "platform-admin"])
def test_the_boundary_keeps_keys_and_names_to_artifacts(world: World, persona: str) -> None:
    hostile, key = world.session(persona).hostile(), world.key("storage_key")
    for via, encrypted, expected in (
        ("s3", world.artifacts, True),
        ("s3", f"{world.artifacts}/workspaces/fraud/1/m", True),
        ("s3", f"{world.artifacts}/workspaces/search/1/m", persona != "team-admin"),
        ("s3", f"{world.artifacts}/m", False),
        ("s3", world.server_files, False),
        ("ec2", world.artifacts, False),
    ):
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            context = kms_context(encrypted, via)
            assert passes(hostile, action, key, context) == expected, (via, encrypted)
            assert not passes(hostile, action, key, {"kms:EncryptionContext:aws:s3:arn": encrypted})
    for prefix in ("", "workspaces/", "workspaces/fraud", "x"):
        assert not passes(hostile, "s3:ListBucket", world.artifacts, {"s3:prefix": prefix}), prefix
    assert passes(hostile, "s3:ListBucket", world.artifacts, {"s3:prefix": "workspaces/fraud/"})
    assert not passes(hostile, "s3:ListBucket", world.artifacts)


@pytest.mark.parametrize("persona", ["reader", "team-admin", "auditor", "platform-admin"])
@pytest.mark.parametrize("tag", ["", "fraud/1", "..", "a:b", "a=b", "a+b", "a@b", "a_b", "a b"])
def test_the_boundary_denies_all_to_a_malformed_team(roles: World, persona: str, tag: str) -> None:
    hostile, arn = roles.session(persona).hostile(), f"{roles.stage}/GET/fraud/version"
    assert passes(hostile, "execute-api:Invoke", arn)
    for own in (arn, arn.replace("fraud", tag)):
        decision = decide(hostile.tagged(team=tag), "execute-api:Invoke", own)
        assert (decision.outcome, decision.layer) == (Outcome.EXPLICITLY_DENIED, Layer.BOUNDARY)


@pytest.mark.parametrize("persona", ["team-admin", "platform-admin"])
@pytest.mark.parametrize("factor", [NO_MFA, FEDERATED], ids=["no-mfa", "federated"])
def test_the_boundary_deletes_with_mfa_alone(world: World, persona: str, factor: Context) -> None:
    hostile, arn = world.session(persona).hostile(), f"{world.artifacts}/workspaces/fraud/1/m"
    assert passes(hostile, "s3:DeleteObject", arn, MFA)
    assert not passes(hostile, "s3:DeleteObject", arn, factor)


@pytest.mark.parametrize("role", ["server", "api-logs", "flow-logs", "database-monitoring"])
def test_the_stacks_own_roles_never_write_objects_or_call_the_api(roles: World, role: str) -> None:
    hostile = roles.role(role).caller.hostile()
    for action, arn in (
        ("s3:PutObject", "{artifacts}/workspaces/fraud/1/m"),
        ("s3:DeleteObject", "{artifacts}/workspaces/fraud/1/m"),
        ("execute-api:Invoke", "{stage}/GET/fraud/"),
        ("kms:GenerateDataKey", "{storage_key}"),
        ("kms:Decrypt", "{storage_key}"),  # not through a service
    ):
        assert not passes(hostile, action, _named(roles, arn), MFA), action


def test_the_stacks_own_roles_publish_metrics_of_this_stack(roles: World) -> None:
    hostile = roles.role("server").caller.hostile()
    for namespace, expected in ((f"Gatehouse/{roles.prefix}", True), ("Gatehouse/other", False)):
        context = {"cloudwatch:namespace": namespace}
        assert passes(hostile, "cloudwatch:PutMetricData", "*", context) == expected


#: Request -> whether an operator, whatever is attached, may make it.
OPERATIONS: dict[tuple[str, str], tuple[tuple[Context, bool], ...]] = {
    ("ssm:StartSession", f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-1"): (
        ({"aws:ResourceTag/gatehouse:stack": "mlflow-dev"}, True),
        ({"aws:ResourceTag/gatehouse:stack": "mlflow-prod"}, False),
        ({"aws:ResourceTag/gatehouse:stack": "mlflow-dev", "ssm:SessionDocumentAccessCheck": "false"}, False),
        ({}, False),
    ),
    ("ssm:StartSession", f"arn:aws:ssm:{REGION}:{ACCOUNT}:document/mlflow-dev-operations"): (
        ({"ssm:SessionDocumentAccessCheck": "true"}, True),
        ({"ssm:SessionDocumentAccessCheck": "false"}, False),
    ),
    ("ssm:StartSession", f"arn:aws:ssm:{REGION}:{ACCOUNT}:document/SSM-SessionManagerRunShell"): (
        ({}, False),
    ),
    (
        "autoscaling:StartInstanceRefresh",
        f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:1:autoScalingGroupName/mlflow-dev-server",
    ): (
        ({}, True),
        ({"autoscaling:ImageId": "ami-1"}, False),
        ({"autoscaling:TargetCapacityTypes": "x"}, False),
    ),
    (
        "autoscaling:StartInstanceRefresh",
        f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:1:autoScalingGroupName/other",
    ): (({}, False),),
}


def test_an_operator_can_never_choose_what_servers_run(world: World) -> None:
    operator = world.session("operator").hostile()
    for (action, arn), cases in OPERATIONS.items():
        for context, expected in cases:
            assert passes(operator, action, arn, context) == expected, f"{action} {arn} {context}"
    for action in (
        *("ec2:RunInstances", "ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"),
        *("ec2:CreateTags", "ec2:ModifyInstanceAttribute", "autoscaling:UpdateAutoScalingGroup"),
        *("ssm:SendCommand", "ssm:StartAutomationExecution", "ssm:CreateDocument", "ssm:UpdateDocument"),
        "ssm:UpdateDocumentDefaultVersion",
    ):
        assert decide(operator, action, "*").outcome is Outcome.EXPLICITLY_DENIED, action


@pytest.mark.parametrize(("persona", "team"), [("team-admin", "fraud"), ("platform-admin", None)])
def test_a_groups_policy_alone_asks_for_mfa(roles: World, persona: str, team: str | None) -> None:
    # The role's trust asks for it as well.
    role = roles.role(persona, team)
    member = roles.member(role.name, "somebody-else")
    assert passes(member, ASSUME, role.arn, MFA)
    for factor in (NO_MFA, FEDERATED):
        assert not passes(member, ASSUME, role.arn, factor)
    assert not passes(member, "sts:TagSession", role.arn, MFA)


def test_a_listed_user_can_never_do_more_than_become_a_persona(roles: World) -> None:
    user = roles.member(f"{roles.prefix}-platform-admin").hostile()
    assert user.boundary is not None
    own = user.principal.arn
    sign_in = {"ChangePassword", "EnableMFADevice", "GetUser", "ListMFADevices", "ResyncMFADevice"}
    for action in actions("iam"):
        for arn in (own, f"{IAM}:user/bob", f"{IAM}:role/admin", f"{IAM}:policy/x"):
            allowed = passes(user, action, arn, MFA)
            assert allowed == (arn == own and action.removeprefix("iam:") in sign_in), f"{action} {arn}"
    for action, arn in (
        (ASSUME, f"{IAM}:role/admin"),
        (ASSUME, roles.role("server").arn),
        ("sts:GetFederationToken", f"{IAM}:user/x"),
        ("s3:GetObject", f"{roles.artifacts}/workspaces/fraud/1/m"),
        ("execute-api:Invoke", f"{roles.stage}/GET/fraud/"),
        ("kms:Decrypt", roles.key("storage_key")),
    ):
        assert passes(replace(user, boundary=None), action, arn, MFA)
        assert not passes(user, action, arn, MFA), action


def test_the_apis_endpoint_admits_personas_to_this_api(private: World) -> None:
    door, here = private.door(), f"{private.stage}/GET/fraud/"
    elsewhere = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:zzzzzzzzzz/api/GET/fraud/"
    outsiders = [
        administrator(),
        administrator(f"{private.prefix}-fraud-reader", team="fraud"),
        private.role("server").caller.unbounded(),
        caller(f"arn:aws:iam::{OTHER_ACCOUNT}:role/{private.prefix}/reader/x", ANYTHING),
        caller(f"{IAM}:user/{private.prefix}/anna", ANYTHING),
    ]
    for persona in PERSONAS:
        session = private.session(persona).unbounded()
        assert passes(session, "execute-api:Invoke", here, PRIVATE_CALL, endpoint=door)
        assert not passes(session, "execute-api:Invoke", elsewhere, PRIVATE_CALL, endpoint=door)
        assert not passes(session, "execute-api:ManageConnections", here, PRIVATE_CALL, endpoint=door)
    for outsider in outsiders:
        assert not passes(outsider, "execute-api:Invoke", here, PRIVATE_CALL, endpoint=door)


def interface_endpoints(world: World) -> dict[str, str]:
    """Return each of the servers' interface endpoints with the prefix of its service's actions."""
    found = world.template.find("aws_vpc_endpoint", vpc_endpoint_type="Interface")
    names = [body["service_name"].rpartition(".")[2] for body in found]
    return {name: {"monitoring": "cloudwatch"}.get(name, name) for name in names if name != "execute-api"}


def test_the_servers_endpoints_admit_the_server_alone(private: World) -> None:
    endpoints = interface_endpoints(private)
    assert {"kms", "secretsmanager", "sts", "logs", "ssm"} < set(endpoints)
    server = private.role("server").caller.unbounded()
    for name, prefix in endpoints.items():
        door = private.endpoint(f"endpoints_{name}")
        admitted = {action for action in actions(prefix) if passes(server, action, "*", endpoint=door)}
        assert admitted or name == "ec2messages", name
        assert len(admitted) < len(actions(prefix)) or prefix in ("ssmmessages", "ec2messages"), name
        strangers = [administrator(), *(private.session(persona).unbounded() for persona in PERSONAS)]
        for stranger in strangers:
            for action in actions(prefix):
                assert passes(stranger, action, "*"), "the test asks nothing"
                assert not passes(stranger, action, "*", endpoint=door), f"{name} {action}"


@pytest.mark.parametrize("stack", ["roles", "private"])
def test_the_s3_endpoint_admits_the_server_to_its_own_buckets(
    request: pytest.FixtureRequest, stack: str
) -> None:
    world: World = request.getfixturevalue(stack)
    door = world.endpoint("endpoints_s3")
    artifact, packages = f"{world.artifacts}/workspaces/fraud/1/m", f"al2023-repos-{REGION}-de612dc2"
    server = world.role("server").caller.unbounded()
    for arn in (artifact, f"{world.server_files}/boot/launcher.py", f"arn:aws:s3:::{packages}/x"):
        assert passes(server, "s3:GetObject", arn, S3_CALL, endpoint=door)
        assert not passes(server, "s3:PutObject", arn, S3_CALL, endpoint=door)
    assert not passes(server, "s3:GetObject", "arn:aws:s3:::somebody-elses/x", S3_CALL, endpoint=door)
    for persona in PERSONAS:
        session = world.session(persona).unbounded()
        for action in (*actions("s3", "object"), *actions("s3", "bucket")):
            for arn in (artifact, world.artifacts, world.server_files, "arn:aws:s3:::somebody-elses/x"):
                assert not passes(session, action, arn, S3_CALL, endpoint=door), action
    own = world.session("reader")
    decision = world.ask(own, "s3:GetObject", artifact, S3_CALL, endpoint=door)
    assert (decision.outcome, decision.layer) == (Outcome.IMPLICITLY_DENIED, Layer.ENDPOINT)
    assert world.ask(own, "s3:GetObject", artifact, S3_CALL, API_CALL).allowed
