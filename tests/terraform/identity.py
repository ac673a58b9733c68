"""What IAM holds of a stack, and what it should hold: written out here, not computed from the settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.emulator.client import ACCOUNT, Client, Emulator

#: IAM User Guide, "IAM and AWS STS quotas": characters without white space of a managed policy, a trust policy.
MANAGED_POLICY, TRUST_POLICY = 6_144, 2_048


@dataclass(frozen=True)
class Expected:
    """A persona's role: persona, team of its tag, the end of its boundary's name, number of its policies."""

    persona: str
    team: str | None
    boundary: str
    policies: int


def _teams(persona: str, *teams: str | None, policies: int) -> dict[str, Expected]:
    return {
        "-".join(part for part in (team, persona) if part): Expected(persona, team, "boundary-team", policies)
        for team in teams
    }


_AUDITOR = {"auditor": Expected("auditor", None, "boundary-all-teams", 1)}

#: Environment and mode -> the end of a role's name -> the role.
ROLES: Mapping[tuple[str, str], Mapping[str, Expected]] = {
    ("dev", "roles"): {
        **_teams("data-scientist", "fraud", "pricing", "search", policies=3),
        **_teams("team-admin", "pricing", policies=3),
        **_teams("ci-pipeline", "pricing", policies=2),
        **_teams("model-server", "pricing", policies=2),
    },
    ("prod", "session_tags"): {
        **_teams("data-scientist", None, policies=3),
        **_teams("model-approver", None, policies=3),
        **_teams("ci-pipeline", "pricing", policies=2),
        **_AUDITOR,
    },
    ("prod", "roles"): {
        **_teams("data-scientist", "fraud", "pricing", "search", policies=3),
        **_teams("model-approver", "fraud", "pricing", policies=3),
        **_teams("ci-pipeline", "pricing", policies=2),
        **_AUDITOR,
    },
}


def check_roles(aws: Emulator, environment: str, mode: str) -> None:
    """Check every role of the stack's path: nothing missing, nothing more."""
    prefix, iam = f"mlflow-{environment}", aws.aws("iam")
    expected = ROLES[environment, mode]
    names = {each["RoleName"] for each in iam.list_roles(PathPrefix=f"/{prefix}/")["Roles"]}
    assert names == {f"{prefix}-{name}" for name in expected}
    for name, role in expected.items():
        found = iam.get_role(RoleName=f"{prefix}-{name}")["Role"]
        assert found["Path"] == f"/{prefix}/{role.persona}/", name
        boundary = found["PermissionsBoundary"]["PermissionsBoundaryArn"]
        assert boundary == f"arn:aws:iam::{ACCOUNT}:policy/{prefix}-{role.boundary}", name
        tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
        assert tags.get("team") == role.team, name
        assert tags["gatehouse:stack"] == prefix, name
        attached = iam.list_attached_role_policies(RoleName=found["RoleName"])["AttachedPolicies"]
        arns = {each["PolicyArn"] for each in attached}
        assert arns == set(_policies(iam, f"/{prefix}/{role.persona}/")), name
        assert len(arns) == role.policies, name
        assert iam.list_role_policies(RoleName=found["RoleName"])["PolicyNames"] == [], name
        check_trust(name, found["AssumeRolePolicyDocument"], tagged_session=_is_tagged_session(role, mode))


def _is_tagged_session(role: Expected, mode: str) -> bool:
    return mode == "session_tags" and role.team is None and role.boundary == "boundary-team"


def check_trust(name: str, document: Mapping[str, Any], *, tagged_session: bool) -> None:
    """Check that the trust policy came through Terraform, and takes a team from the caller only where it should."""
    text = json.dumps(document, separators=(",", ":"))
    assert "$${" not in text, name
    assert "data.aws_caller_identity" not in text, name
    assert len(text) <= TRUST_POLICY, name
    assert ("sts:TagSession" in text) == tagged_session, name
    if name == "data-scientist":
        assert '"aws:RequestTag/team":"${aws:PrincipalTag/team}"' in text


def _policies(iam: Client, path: str) -> Iterable[str]:
    return [each["Arn"] for each in iam.list_policies(Scope="Local", PathPrefix=path)["Policies"]]


def check_policies(aws: Emulator, environment: str) -> None:
    """Check every managed policy: references resolved, IAM's own variables kept, and within the quota as applied."""
    iam, own = aws.aws("iam"), "${aws:PrincipalTag/team}"
    variables = {own, "${aws:username}"}
    for each in iam.list_policies(Scope="Local")["Policies"]:
        version = iam.get_policy_version(PolicyArn=each["Arn"], VersionId=each["DefaultVersionId"])
        text = json.dumps(version["PolicyVersion"]["Document"], separators=(",", ":"))
        name = each["PolicyName"]
        assert "$${" not in text, name
        assert set(re.findall(r"\$\{[^}]*}", text)) <= variables, name
        assert len(text) <= MANAGED_POLICY, name
        if name.startswith(f"mlflow-{environment}-data-scientist"):
            assert own in text, name


def check_people(aws: Emulator, *, users: list[str]) -> None:
    """Check dev's groups, the users that its file lists, and its one instance profile."""
    iam, prefix = aws.aws("iam"), "mlflow-dev"
    teams = ("fraud", "pricing", "search")
    groups = {f"{prefix}-{team}-data-scientist" for team in teams}
    assert {each["GroupName"] for each in iam.list_groups()["Groups"]} == groups
    for name in groups:
        assert [each["UserName"] for each in iam.get_group(GroupName=name)["Users"]] == users
        (policy,) = iam.list_group_policies(GroupName=name)["PolicyNames"]
        document = iam.get_group_policy(GroupName=name, PolicyName=policy)["PolicyDocument"]
        (statement,) = document["Statement"]
        assert statement["Resource"] == f"arn:aws:iam::{ACCOUNT}:role/{prefix}/data-scientist/{name}"
        assert statement["Condition"]["Bool"] == {"aws:MultiFactorAuthPresent": "true"}

    assert [each["UserName"] for each in iam.list_users()["Users"]] == users
    for name in users:
        user = iam.get_user(UserName=name)["User"]
        assert user["Path"] == f"/{prefix}/"
        boundary = user["PermissionsBoundary"]["PermissionsBoundaryArn"]
        assert boundary == f"arn:aws:iam::{ACCOUNT}:policy/{prefix}-boundary-user"
        assert {each["GroupName"] for each in iam.list_groups_for_user(UserName=name)["Groups"]} == groups
        assert iam.list_access_keys(UserName=name)["AccessKeyMetadata"] == []

    profile = iam.get_instance_profile(InstanceProfileName=f"{prefix}-pricing-model-server")[
        "InstanceProfile"
    ]
    assert profile["Path"] == f"/{prefix}/model-server/"
    assert [each["RoleName"] for each in profile["Roles"]] == [f"{prefix}-pricing-model-server"]


def sign_up(aws: Emulator, user: str) -> None:
    """Give a user what somebody must give him outside of Terraform: a password and an MFA device."""
    iam = aws.aws("iam")
    iam.create_login_profile(UserName=user, Password="correct horse battery staple")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=user)["VirtualMFADevice"]["SerialNumber"]
    codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "234567"}
    iam.enable_mfa_device(UserName=user, SerialNumber=device, **codes)


def left_in_iam(aws: Emulator) -> list[str]:
    """Return names of every role, policy, group, user and instance profile that somebody made."""
    iam = aws.aws("iam")
    return [
        *(each["RoleName"] for each in iam.list_roles()["Roles"]),
        *(each["PolicyName"] for each in iam.list_policies(Scope="Local")["Policies"]),
        *(each["GroupName"] for each in iam.list_groups()["Groups"]),
        *(each["UserName"] for each in iam.list_users()["Users"]),
        *(each["InstanceProfileName"] for each in iam.list_instance_profiles()["InstanceProfiles"]),
    ]
