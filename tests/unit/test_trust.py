"""Trust policies: one statement for each kind of principal, and who may set the tag that decides."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from gatehouse.bindings import roles, trust_policy
from gatehouse.fields import RESERVED_TEAMS
from gatehouse.policies import PolicyError, measure

from .test_access_settings import INSTEAD, KINDS, MACHINES, ROLE, binding

if TYPE_CHECKING:
    from .conftest import Bind

ACCOUNT, REGION = "111122223333", "eu-west-1"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
USERS = f"arn:aws:iam::{ACCOUNT}:user"
MFA = {"aws:MultiFactorAuthPresent": "true"}
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider"
TEAM_KEY = {
    "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]},
    "Null": {"aws:RequestTag/team": "false"},
}


def statements(
    bind: Bind,
    kind: str,
    *,
    teams: str | Sequence[str] = ("fraud",),
    mode: str = "roles",
    **fields: object,
) -> Any:  # noqa: ANN401 - JSON
    """Return the statements of the first role of a binding with one kind of principal."""
    trust = {**KINDS[kind], **fields} if fields else KINDS[kind]
    settings = bind(binding("reader", teams, **{kind: trust}), mode=mode)
    document = json.loads(trust_policy(roles(settings)[0], account=ACCOUNT, region=REGION))
    return document["Statement"]


def only(bind: Bind, kind: str, **rest: Any) -> Any:  # noqa: ANN401 - JSON
    """Return the one statement that there must be, without its effect, which must be Allow."""
    (statement,) = statements(bind, kind, **rest)
    assert statement.pop("Effect") == "Allow"
    return statement


class TestKinds:
    """What each kind of principal becomes, in mode roles."""

    def test_account_principals(self, bind: Bind) -> None:
        assert only(bind, "account_principals") == {
            "Sid": "AccountPrincipals",
            "Principal": {"AWS": [ROLE]},
            "Action": "sts:AssumeRole",
            "Condition": {"Bool": MFA, "StringEquals": {"aws:PrincipalAccount": ACCOUNT}},
        }

    def test_account_principals_without_mfa_and_with_an_external_id(self, bind: Bind) -> None:
        other = {"mfa": False, "instead_of_mfa": INSTEAD, "external_id": "agreed-2026"}
        condition = only(bind, "account_principals", **other)["Condition"]
        assert condition == {"StringEquals": {"sts:ExternalId": "agreed-2026"}}

    def test_account_principals_with_neither(self, bind: Bind) -> None:
        condition = only(bind, "account_principals", mfa=False, instead_of_mfa=INSTEAD)["Condition"]
        assert condition == {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}

    @pytest.mark.parametrize("mode", ["roles", "session_tags"])
    def test_without_an_external_id_the_account_is_the_stacks_own(self, bind: Bind, mode: str) -> None:
        trust = {"account_principals": KINDS["account_principals"]}
        (role,) = roles(bind(binding(**trust), mode=mode))
        reference = "${TfToken[TOKEN.12]}"  # of an environment that does not name its account
        document = json.loads(trust_policy(role, account=reference, region=REGION))
        (statement,) = document["Statement"]
        assert statement["Condition"]["StringEquals"]["aws:PrincipalAccount"] == reference

    @pytest.mark.parametrize(
        ("users", "admitted"),
        [
            (["zoe", "anna"], [f"{USERS}/mlflow-dev/zoe", f"{USERS}/mlflow-dev/anna"]),
            ([], f"{USERS}/*"),
        ],
        ids=["listed", "not-listed"],
    )
    def test_iam_group(self, bind: Bind, users: list[str], admitted: list[str] | str) -> None:
        assert only(bind, "iam_group", users=users) == {
            "Sid": "IamGroup",
            "Principal": {"AWS": ROOT},
            "Action": "sts:AssumeRole",
            "Condition": {"Bool": MFA, "ArnLike": {"aws:PrincipalArn": admitted}},
        }

    def test_saml(self, bind: Bind) -> None:
        assert only(bind, "saml") == {
            "Sid": "Saml",
            "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"},
            "Action": "sts:AssumeRoleWithSAML",
            "Condition": {
                "StringEquals": {
                    "saml:aud": [
                        "https://signin.aws.amazon.com/saml",
                        f"https://{REGION}.signin.aws.amazon.com/saml",
                    ]
                }
            },
        }

    def test_saml_with_assurance(self, bind: Bind) -> None:
        condition = only(bind, "saml", assurance=["mfa"])["Condition"]
        assert condition["ForAnyValue:StringEquals"] == {"saml:edupersonassurance": ["mfa"]}
        assert "StringEquals" in condition

    def test_oidc(self, bind: Bind) -> None:
        assert only(bind, "oidc") == {
            "Sid": "Oidc",
            "Principal": {"Federated": f"{PROVIDER}/idp.example.com/x"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {"idp.example.com/x:aud": ["a"], "idp.example.com/x:sub": ["s"]},
                "ForAnyValue:StringEquals": {"idp.example.com/x:amr": ["mfa"]},
            },
        }

    def test_oidc_with_a_reason(self, bind: Bind) -> None:
        condition = only(bind, "oidc", amr=[], instead_of_mfa=INSTEAD)["Condition"]
        assert list(condition) == ["StringEquals"]

    def test_identity_center(self, bind: Bind) -> None:
        role = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com"
        name = f"AWSReservedSSO_MlScientist_{'?' * 16}"
        assert only(bind, "identity_center") == {
            "Sid": "IdentityCenter",
            "Principal": {"AWS": ROOT},
            "Action": "sts:AssumeRole",
            "Condition": {"ArnLike": {"aws:PrincipalArn": [f"{role}/{name}", f"{role}/*/{name}"]}},
        }

    @pytest.mark.parametrize(
        ("path", "admitted"),
        [
            ("AWSReservedSSO_Dev_0123456789abcdef", True),
            ("eu-west-1/AWSReservedSSO_Dev_0123456789abcdef", True),
            ("AWSReservedSSO_Dev_Ops_0123456789abcdef", False),
            ("AWSReservedSSO_Dev_O_0123456789abcdef", False),
            ("AWSReservedSSO_Developer_0123456789abcdef", False),
            ("eu-west-1/AWSReservedSSO_Dev_Ops_0123456789abcdef", False),
        ],
    )
    def test_a_permission_set_admits_no_other(self, bind: Bind, path: str, admitted: bool) -> None:
        condition = only(bind, "identity_center", permission_sets=["Dev"])["Condition"]
        arn = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/{path}"
        patterns = condition["ArnLike"]["aws:PrincipalArn"]
        assert any(fnmatch.fnmatchcase(arn, pattern) for pattern in patterns) is admitted

    def test_github_actions(self, bind: Bind) -> None:
        other = {"repositories": ["acme/fraud", "acme/ops"], "branches": ["main"], "environments": ["prod"]}
        issuer = "token.actions.githubusercontent.com"
        assert only(bind, "github_actions", **other) == {
            "Sid": "GithubActions",
            "Principal": {"Federated": f"{PROVIDER}/{issuer}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{issuer}:aud": ["sts.amazonaws.com"],
                    f"{issuer}:sub": [
                        "repo:acme/fraud:ref:refs/heads/main",
                        "repo:acme/fraud:environment:prod",
                        "repo:acme/ops:ref:refs/heads/main",
                        "repo:acme/ops:environment:prod",
                    ],
                }
            },
        }

    def test_github_actions_with_ids(self, bind: Bind) -> None:
        condition = only(bind, "github_actions", repositories=["acme@12/fraud@34"])["Condition"]
        (subject,) = condition["StringEquals"]["token.actions.githubusercontent.com:sub"]
        assert subject == "repo:acme@12/fraud@34:ref:refs/heads/main"

    def test_terraform_cloud(self, bind: Bind) -> None:
        statement = only(bind, "terraform_cloud", run_phases=["plan", "apply"])
        run = "organization:acme:project:ml-platform:workspace:fraud:run_phase"
        assert statement["Principal"] == {"Federated": f"{PROVIDER}/app.terraform.io"}
        assert statement["Condition"] == {
            "StringEquals": {
                "app.terraform.io:aud": ["aws.workload.identity"],
                "app.terraform.io:sub": [f"{run}:plan", f"{run}:apply"],
            }
        }

    def test_eks(self, bind: Bind) -> None:
        issuer = KINDS["eks"]["issuer"]
        statement = only(bind, "eks")
        assert statement["Principal"] == {"Federated": f"{PROVIDER}/{issuer}"}
        assert statement["Condition"] == {
            "StringEquals": {
                f"{issuer}:aud": ["sts.amazonaws.com"],
                f"{issuer}:sub": ["system:serviceaccount:serving:fraud"],
            }
        }

    def test_services(self, bind: Bind) -> None:
        silent, naming = statements(bind, "services")
        assert silent == {
            "Sid": "Services",
            "Effect": "Allow",
            "Principal": {"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
        assert naming["Principal"] == {"Service": ["sagemaker.amazonaws.com", "ecs-tasks.amazonaws.com"]}
        assert naming["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}

    def test_each_kind_is_one_statement_beside_the_others(self, bind: Bind) -> None:
        trust = {kind: KINDS[kind] for kind in ("iam_group", "saml", "github_actions")}
        (role,) = roles(bind(binding(**trust)))
        document = json.loads(trust_policy(role, account=ACCOUNT, region=REGION))
        assert [one["Sid"] for one in document["Statement"]] == ["IamGroup", "Saml", "GithubActions"]


class TestSessionTags:
    """Who may set the tag, and to what."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_with_tagged_roles_nobody(self, bind: Bind, kind: str) -> None:
        assert "TagSession" not in json.dumps(statements(bind, kind))
        assert "RequestTag" not in json.dumps(statements(bind, kind))

    @pytest.mark.parametrize("kind", MACHINES)
    def test_machines_never(self, bind: Bind, kind: str) -> None:
        assert "TagSession" not in json.dumps(statements(bind, kind, mode="session_tags"))

    def test_nobody_tags_sessions_of_a_persona_without_a_team(self, bind: Bind) -> None:
        (role,) = roles(bind(binding("auditor", None, saml=KINDS["saml"]), mode="session_tags"))
        assert "TagSession" not in trust_policy(role, account=ACCOUNT, region=REGION)

    @pytest.mark.parametrize("teams", ["all", ["fraud", "search"]])
    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in MACHINES])
    def test_people_pass_the_team_and_nothing_else(
        self, bind: Bind, kind: str, teams: str | Sequence[str]
    ) -> None:
        statement = only(bind, kind, teams=teams, mode="session_tags")
        assume, tag = statement["Action"]
        assert assume.startswith("sts:AssumeRole")
        assert tag == "sts:TagSession"
        condition = statement["Condition"]
        assert condition["ForAllValues:StringEquals"] == {"aws:TagKeys": ["team"]}
        assert condition["Null"]["aws:RequestTag/team"] == "false"
        if kind in ("account_principals", "iam_group"):
            assert condition["Bool"] == MFA

    @pytest.mark.parametrize("kind", ["saml", "oidc", "iam_group"])
    def test_an_asserted_team_is_one_of_the_list(self, bind: Bind, kind: str) -> None:
        equals = only(bind, kind, mode="session_tags")["Condition"]["StringEquals"]
        assert equals["aws:RequestTag/team"] == ["fraud"]

    @pytest.mark.parametrize("teams", ["all", ["fraud"]])
    def test_listed_users_are_the_only_ones(self, bind: Bind, teams: str | Sequence[str]) -> None:
        condition = only(bind, "iam_group", teams=teams, mode="session_tags")["Condition"]
        assert condition["ArnLike"] == {"aws:PrincipalArn": [f"{USERS}/mlflow-dev/anna"]}

    @pytest.mark.parametrize("kind", ["account_principals", "identity_center"])
    def test_an_iam_principal_passes_its_own_team(self, bind: Bind, kind: str) -> None:
        variable = "$${aws:PrincipalTag/team}"  # escaped for Terraform
        account = {"aws:PrincipalAccount": ACCOUNT} if kind == "account_principals" else {}
        equals = only(bind, kind, mode="session_tags")["Condition"]["StringEquals"]
        assert equals == {"aws:RequestTag/team": variable, "aws:PrincipalTag/team": ["fraud"], **account}
        equals = only(bind, kind, teams="all", mode="session_tags")["Condition"]["StringEquals"]
        assert equals == {"aws:RequestTag/team": variable, **account}

    @pytest.mark.parametrize(
        ("kind", "other", "key"),
        [
            ("account_principals", {"external_id": "agreed"}, "sts:ExternalId"),
            ("saml", {"assurance": ["mfa"]}, "saml:edupersonassurance"),
        ],
    )
    def test_what_aws_does_not_tell_for_tagging_is_asked_of_the_sign_in(
        self, bind: Bind, kind: str, other: dict[str, Any], key: str
    ) -> None:
        sign_in, tags = statements(bind, kind, mode="session_tags", **other)
        assert sign_in["Action"].startswith("sts:AssumeRole")
        assert tags["Action"] == "sts:TagSession"
        assert tags["Sid"] == f"{sign_in['Sid']}TeamTag"
        assert key in json.dumps(sign_in)
        assert key not in json.dumps(tags)
        assert sign_in["Principal"] == tags["Principal"]
        for statement in (sign_in, tags):
            assert TEAM_KEY.items() <= statement["Condition"].items()
            assert "fraud" in json.dumps(statement["Condition"])


class TestAnyTeam:
    """With teams: all, a tag that could reach into another team's data is refused."""

    def _refused(self, bind: Bind, value: str) -> bool:
        patterns = only(bind, "saml", teams="all", mode="session_tags")["Condition"]["StringNotLike"]
        return any(fnmatch.fnmatchcase(value, pattern) for pattern in patterns["aws:RequestTag/team"])

    @pytest.mark.parametrize("value", ["fraud", "ab", "a-b-c", "t" * 31, "team-2000"])
    def test_teams_are_taken(self, bind: Bind, value: str) -> None:
        assert not self._refused(bind, value)

    @pytest.mark.parametrize("character", sorted("/.:=+@_ "))
    def test_no_sign_but_the_hyphen(self, bind: Bind, character: str) -> None:
        for value in (character, f"fraud{character}", f"{character}fraud", f"a{character}b"):
            assert self._refused(bind, value)

    def test_every_sign_of_a_tag_value_is_thought_of(self) -> None:
        # STS API Reference, Tag: [\p{L}\p{Z}\p{N}_.:/=+\-@]*
        signs = {chr(code) for code in range(32, 127) if re.fullmatch(r"[ _.:/=+\-@]", chr(code))}
        assert signs - {"-"} == set("/.:=+@_ ")

    @pytest.mark.parametrize("value", ["", *sorted(RESERVED_TEAMS)])
    def test_no_name_that_mlflow_keeps_and_no_empty_one(self, bind: Bind, value: str) -> None:
        assert self._refused(bind, value)

    def test_a_list_needs_no_patterns(self, bind: Bind) -> None:
        assert "StringNotLike" not in only(bind, "saml", mode="session_tags")["Condition"]


class TestQuota:
    """2,048 characters."""

    def test_more_is_refused_with_role_and_way_out(self, bind: Bind) -> None:
        arns = [f"arn:aws:iam::{ACCOUNT}:role/person-{number:04}" for number in range(60)]
        (role,) = roles(bind(binding(account_principals={"arns": arns})))
        with pytest.raises(PolicyError) as refused:
            trust_policy(role, account=ACCOUNT, region=REGION)
        message = str(refused.value)
        assert message.startswith("role mlflow-dev-fraud-reader: roles/trust: ")
        assert "exceed the quota of trust policy, 2048. Fix: split the binding" in message

    @pytest.mark.parametrize("mode", ["roles", "session_tags"])
    def test_twenty_five_listed_users_fit_and_many_more_are_refused(self, bind: Bind, mode: str) -> None:
        for number in (25, 45):
            listed = {"users": [f"scientist-{position:02}" for position in range(number)]}
            (role,) = roles(bind(binding(iam_group=listed), mode=mode))
            if number == 25:
                assert trust_policy(role, account="${TfToken[TOKEN.12]}", region=REGION)
            else:
                with pytest.raises(PolicyError, match="quota of trust policy, 2048"):
                    trust_policy(role, account="${TfToken[TOKEN.12]}", region=REGION)

    def test_an_account_that_terraform_looks_up_counts_twelve(self, bind: Bind) -> None:
        sets = [f"MlScientist{number}" for number in range(8)]
        trust = {"identity_center": {**KINDS["identity_center"], "permission_sets": sets}}
        (role,) = roles(bind(binding(**trust)))
        size = measure(trust_policy(role, account=ACCOUNT, region=REGION))
        assert 1700 < size <= 2048
        assert trust_policy(role, account="${TfToken[TOKEN.12]}", region=REGION)

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in MACHINES])
    def test_a_thousand_teams_take_no_more_than_three(self, bind: Bind, kind: str) -> None:
        sizes = set()
        for number in (3, 1000 if kind != "iam_group" else 300):  # groups have a quota of their own
            teams = [f"team-{position}" for position in range(number)]
            trust = {kind: KINDS[kind] if kind != "iam_group" else {}}
            made = roles(bind(binding("reader", "all", **trust), mode="session_tags", teams=teams))
            sizes.add(measure(trust_policy(made[0], account=ACCOUNT, region=REGION)))
        assert len(sizes) == 1
        assert max(sizes) < 800

    def test_three_kinds_of_people_fit_with_any_team(self, bind: Bind) -> None:
        trust = {kind: KINDS[kind] for kind in ("iam_group", "saml", "identity_center")}
        (role,) = roles(bind(binding("reader", "all", **trust), mode="session_tags"))
        assert measure(trust_policy(role, account=ACCOUNT, region=REGION)) <= 2048
