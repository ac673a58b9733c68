"""The access section: what is taken, and how each kind of bad input is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from gatehouse.access_rules import MAX_GROUPS, SERVICE_ROLES
from gatehouse.access_settings import NOT_FOR_MACHINES, NOT_FOR_SERVICES, Mode, Trust
from gatehouse.bindings import roles
from gatehouse.errors import InputError, Problem
from gatehouse.personas.model import BUILT_IN, ROUTE_SUFFIXES

if TYPE_CHECKING:
    from .conftest import Bind

OWN, OTHER = "111122223333", "444455556666"
ROLE = f"arn:aws:iam::{OWN}:role/data/scientist"
INSTEAD = "The provider asks for a security key"
ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
#: One right value of each kind of principal.
KINDS: dict[str, Any] = {
    "account_principals": {"arns": [ROLE]},
    "iam_group": {"users": ["anna"]},
    "saml": {"provider": f"arn:aws:iam::{OWN}:saml-provider/corp", "instead_of_mfa": INSTEAD},
    "oidc": {"issuer": "idp.example.com/x", "audiences": ["a"], "subjects": ["s"], "amr": ["mfa"]},
    "identity_center": {"permission_sets": ["MlScientist"], "instead_of_mfa": INSTEAD},
    "github_actions": {"repositories": ["acme/fraud"], "branches": ["main"]},
    "terraform_cloud": {
        "organization": "acme",
        "project": "ml-platform",
        "workspace": "fraud",
        "run_phases": ["apply"],
    },
    "eks": {"issuer": ISSUER, "service_accounts": ["serving/fraud"]},
    "services": ["ec2", "sagemaker", "lambda", "ecs-tasks"],
}
MACHINES = ("github_actions", "terraform_cloud", "eks", "services")
ADDED = {
    "template": "personas/feature-engineer.json.j2",
    "scope": "team",
    "description": "reads runs, writes features",
}


def binding(
    persona: str = "reader", teams: str | Sequence[str] | None = ("fraud",), /, **trust: object
) -> dict[str, object]:
    """Return a binding as it stands in the file; without ``trust`` a group may assume its roles."""
    made: dict[str, object] = {"persona": persona, "trust": trust or {"iam_group": {}}}
    return made if teams is None else {**made, "teams": teams if isinstance(teams, str) else list(teams)}


def refused(bind: Bind, *bindings: object, **settings: object) -> Problem:
    with pytest.raises(InputError) as error:
        bind(*bindings, **settings)
    (problem,) = error.value.problems
    return problem


def changed(kind: str, **fields: object) -> dict[str, object]:
    """Return the right value of a kind with some fields others, and those that are None left out."""
    merged = {**KINDS[kind], **fields}
    return {kind: {name: value for name, value in merged.items() if value is not None}}


def test_without_bindings_nobody_may_do_anything(bind: Bind) -> None:
    settings = bind()
    assert settings.access.mode is Mode.ROLES
    assert roles(settings) == ()


def test_every_kind_is_tried() -> None:
    assert set(KINDS) == set(Trust.model_fields)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_principal_is_taken(bind: Bind, kind: str, mode: Mode) -> None:
    settings = bind(binding(**{kind: KINDS[kind]}), mode=mode.value)
    assert [role.persona for role in roles(settings)] == ["reader"]


ACCOUNT = "trust.account_principals"


@pytest.mark.parametrize(
    ("trust", "field", "problem", "fix"),
    [
        ({}, "trust", "is empty: nobody could assume the role", "one of account_principals, iam_group"),
        *(
            (
                changed("account_principals", arns=[arn]),
                f"{ACCOUNT}.arns[0]",
                "is not the ARN of one IAM",
                "*",
            )
            for arn in (
                "*",
                OWN,
                f"arn:aws:iam::{OWN}:root",
                f"arn:aws:iam::{OWN}:role/*",
                f"arn:aws:iam::{OWN}:role/scien?ist",
                f"arn:aws:iam::{OWN}:group/ml",
                "arn:aws:iam::*:role/x",
                f"arn:aws:sts::{OWN}:assumed-role/x/y",
                f"arn:aws:iam::{OWN}:role/${{aws:username}}",
                f"arn:aws:iam::{OWN}:role//x",
            )
        ),
        (
            changed(
                "account_principals", arns=[f"arn:aws:iam::{OWN}:role/aws-reserved/sso.amazonaws.com/A_1"]
            ),
            f"{ACCOUNT}.arns[0]",
            "changes when AWS makes it anew",
            "name the permission set under identity_center",
        ),
        (changed("account_principals", arns=[ROLE, ROLE]), f"{ACCOUNT}.arns", "twice", "name each once"),
        (changed("account_principals", arns=[]), f"{ACCOUNT}.arns", "too few items", "at least 1"),
        (
            changed("account_principals", mfa=False),
            f"{ACCOUNT}.instead_of_mfa",
            "is missing while mfa is false",
            "write in one sentence what stands in its place",
        ),
        (
            changed("account_principals", instead_of_mfa=INSTEAD),
            f"{ACCOUNT}.instead_of_mfa",
            "contradicts mfa",
            "set mfa to false",
        ),
        *(
            (
                changed("account_principals", mfa=False, instead_of_mfa=text),
                f"{ACCOUNT}.instead_of_mfa",
                "is not a sentence",
                "Latin-1 on one line",
            )
            for text in ("short", "two lines\nof text", "quotes “these”", "a ${reference} in it", "x" * 161)
        ),
        (changed("account_principals", external_id="a*"), f"{ACCOUNT}.external_id", "external id", "letters"),
        (
            changed("iam_group", users=["a/b"]),
            "trust.iam_group.users[0]",
            "not the name of an IAM user",
            "64",
        ),
        (
            changed("saml", provider="corp"),
            "trust.saml.provider",
            "ARN of a SAML provider",
            "saml-provider/corp",
        ),
        (
            changed("saml", instead_of_mfa=None),
            "trust.saml.instead_of_mfa",
            "AWS does not see whether a SAML session",
            "or list assurance",
        ),
        (
            changed("saml", assurance=["*"]),
            "trust.saml.assurance[0]",
            "exact value of a claim",
            "without '*'",
        ),
        (
            changed("oidc", amr=None),
            "trust.oidc.instead_of_mfa",
            "AWS does not see whether an OIDC session",
            "or list amr",
        ),
        (changed("oidc", subjects=None), "trust.oidc.subjects", "is missing", "one of which the token"),
        (changed("oidc", subjects=[]), "trust.oidc.subjects", "too few items", "at least 1"),
        (changed("oidc", audiences=None), "trust.oidc.audiences", "is missing", "Client ids"),
        (changed("oidc", audiences=[]), "trust.oidc.audiences", "too few items", "at least 1"),
        (changed("oidc", subjects=["repo:*"]), "trust.oidc.subjects[0]", "exact value", "without '*'"),
        (changed("oidc", subjects=["a?"]), "trust.oidc.subjects[0]", "exact value", "without '*'"),
        (changed("oidc", subjects=["${aws:x}"]), "trust.oidc.subjects[0]", "exact value", "without '*'"),
        (changed("oidc", audiences=["*"]), "trust.oidc.audiences[0]", "exact value", "without '*'"),
        *(
            (changed("oidc", issuer=issuer), "trust.oidc.issuer", "is not the issuer", "without https://")
            for issuer in (
                "https://idp.example.com",
                "idp.example.com/",
                "idp.example.com/*",
                "localhost",
                "a:1",
            )
        ),
        *(
            (changed("oidc", issuer=issuer), "trust.oidc.issuer", "signs machines in", f"use {kind}")
            for issuer, kind in (
                ("token.actions.githubusercontent.com", "github_actions"),
                ("token.actions.githubusercontent.com/acme", "github_actions"),
                ("app.terraform.io", "terraform_cloud"),
                (ISSUER, "eks"),
                ("oidc.eks.us-east-1.amazonaws.com/id/x", "eks"),
            )
        ),
        *(
            (changed("oidc", issuer=issuer), "trust.oidc.issuer", "signs anybody in", "cognito-idp.REGION")
            for issuer in ("cognito-identity.amazonaws.com", "cognito-identity.amazonaws.com/x")
        ),
        (
            changed("identity_center", instead_of_mfa=None),
            "trust.identity_center.instead_of_mfa",
            "is missing",
            "What stands in the place of MFA",
        ),
        (
            changed("identity_center", permission_sets=["Ml*"]),
            "trust.identity_center.permission_sets[0]",
            "is not the name of a permission set",
            "up to 32",
        ),
        (
            changed("github_actions", branches=None),
            "trust.github_actions.branches",
            "every pull request would be let in",
            "list branches, environments or both",
        ),
        *(
            (
                changed("github_actions", repositories=[repository]),
                "trust.github_actions.repositories[0]",
                "is not a GitHub repository",
                "without wildcards",
            )
            for repository in ("acme", "acme/*", "*/fraud", "acme/fraud:ref", "acme@x/fraud")
        ),
        (
            changed("github_actions", branches=["rel/*"]),
            "trust.github_actions.branches[0]",
            "a branch",
            "wild",
        ),
        (
            changed("github_actions", environments=["prod:x"]),
            "trust.github_actions.environments[0]",
            "is not a GitHub environment",
            "without wildcards",
        ),
        (
            changed("terraform_cloud", run_phases=["destroy"]),
            "trust.terraform_cloud.run_phases[0]",
            "is not one of its values",
            '"plan", "apply"',
        ),
        (
            changed("terraform_cloud", workspace="*"),
            "trust.terraform_cloud.workspace",
            "workspace name",
            "use",
        ),
        (changed("terraform_cloud", project="*"), "trust.terraform_cloud.project", "Terraform Cloud", "copy"),
        (changed("eks", issuer="oidc.eks.eu-west-1.amazonaws.com/id/x"), "trust.eks.issuer", "EKS", "32 hex"),
        (
            changed("eks", service_accounts=["*/x"]),
            "trust.eks.service_accounts[0]",
            "service account",
            "wild",
        ),
        (changed("eks", service_accounts=["a:b/x"]), "trust.eks.service_accounts[0]", "account", "wildcards"),
        ({"services": ["s3"]}, "trust.services[0]", "is not one of its values", '"ec2", "sagemaker"'),
        ({"federated": {}}, "trust.federated", "belongs to no field of access.bindings[0].trust", "remove"),
    ],
)
def test_bad_trust_is_refused(
    bind: Bind, trust: dict[str, object], field: str, problem: str, fix: str
) -> None:
    told = refused(bind, {"persona": "reader", "teams": ["fraud"], "trust": trust})
    assert told.field == f"access.bindings[0].{field}"
    assert problem in told.problem
    assert fix in told.fix or fix == "*"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("account_principals", {"mfa": False, "instead_of_mfa": "Zugang nur über das Büronetz"}),
        ("account_principals", {"arns": [f"arn:aws:iam::{OWN}:user/people/anna@example.com"]}),
        ("iam_group", {"users": None}),
        ("saml", {"instead_of_mfa": None, "assurance": ["https://refeds.org/profile/mfa"]}),
        ("oidc", {"amr": None, "instead_of_mfa": INSTEAD}),
        ("oidc", {"issuer": "app.terraform.io.example.com"}),
        ("oidc", {"issuer": "cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI"}),
        ("github_actions", {"branches": None, "environments": ["Production EU"]}),
        ("github_actions", {"repositories": ["acme@123456/fraud@456789"]}),
    ],
)
def test_the_other_way_is_taken(bind: Bind, kind: str, fields: dict[str, object]) -> None:
    assert roles(bind(binding(**changed(kind, **fields))))


def test_a_binding_without_trust_is_refused(bind: Bind) -> None:
    told = refused(bind, {"persona": "reader", "teams": ["fraud"]})
    assert (told.field, told.problem) == ("access.bindings[0].trust", "is missing")
    assert "Who may assume the role" in told.fix


def test_an_unknown_persona_is_refused_with_the_closest(bind: Bind) -> None:
    told = refused(bind, binding(), binding("data-sientist"))
    assert told.field == "access.bindings[1].persona"
    assert told.value == "data-sientist"
    assert told.fix == 'write "data-scientist"'
    assert "add it to access.personas" in refused(bind, binding("zzz")).fix


class TestTeams:
    """Teams belong to personas that work on a team's data, and to no others."""

    @pytest.mark.parametrize(
        ("made", "problem", "fix"),
        [
            (binding("reader", None), "is missing: reader works on the data of a team", "or write all"),
            (binding("auditor", ["fraud"]), "is given, and auditor works on all teams", "remove it"),
            (binding("operator", "all"), "is given, and operator works on no team's data", "remove it"),
            (binding("reader", []), "has too few items", "at least 1"),
            (binding("reader", "fraud"), "is text, not a list", "write [fraud]"),
        ],
    )
    def test_they_are_given_where_they_belong(self, bind: Bind, made: object, problem: str, fix: str) -> None:
        told = refused(bind, made)
        assert told.field == "access.bindings[0].teams"
        assert problem in told.problem
        assert fix in told.fix

    @pytest.mark.parametrize(
        ("teams", "field", "problem", "fix"),
        [
            (["fraud", "serch"], "[1]", "is not one of this environment's teams", 'write "search"'),
            (["zzz"], "[0]", "is not one of this environment's teams", "add it to teams, or remove it"),
            (["fraud", "fraud"], "[1]", "is named twice", "once"),
            (["*"], "[0]", "is not a team name", "a-z"),
            (["all"], "[0]", "is not one of this environment's teams", "add it to teams"),
        ],
    )
    def test_they_are_teams(self, bind: Bind, teams: list[str], field: str, problem: str, fix: str) -> None:
        told = refused(bind, binding("reader", teams))
        assert told.field == f"access.bindings[0].teams{field}"
        assert problem in told.problem
        assert fix in told.fix

    def test_all_are_taken(self, bind: Bind) -> None:
        assert len(roles(bind(binding("reader", "all")))) == 3


class TestMachines:
    """Personas whose work asks for a person are no machine's."""

    @pytest.mark.parametrize("persona", BUILT_IN)
    @pytest.mark.parametrize("kind", MACHINES)
    def test_each_persona_and_kind(self, bind: Bind, persona: str, kind: str) -> None:
        teams = None if persona in ("auditor", "operator", "platform-admin") else ["fraud"]
        made = binding(persona, teams, **{kind: KINDS[kind]})
        if persona in (NOT_FOR_SERVICES if kind == "services" else NOT_FOR_MACHINES):
            told = refused(bind, made)
            assert told.field == f"access.bindings[0].trust.{kind}"
            assert f"gives {persona} to machines" in told.problem
            assert "ci-pipeline" in told.fix
        else:
            assert roles(bind(made))

    @pytest.mark.parametrize("scope", ["all_teams", "stack"])
    @pytest.mark.parametrize("kind", MACHINES)
    def test_an_added_persona_is_one_of_a_team(self, bind: Bind, kind: str, scope: str) -> None:
        trust = {"iam_group": {}, kind: KINDS[kind]}
        wide = {"feature-engineer": {**ADDED, "scope": scope}}
        told = refused(bind, binding("feature-engineer", None, **trust), personas=wide)
        assert told.field == f"access.bindings[0].trust.{kind}"
        assert f"gives feature-engineer, of scope {scope}, to machines" in told.problem
        assert "scope team" in told.fix
        assert roles(bind(binding("feature-engineer", **trust), personas={"feature-engineer": ADDED}))
        assert roles(bind(binding("feature-engineer", None, iam_group={}), personas=wide))

    def test_an_approver_may_be_a_pipeline_and_no_service(self) -> None:
        assert {"model-approver"} == NOT_FOR_SERVICES - NOT_FOR_MACHINES


class TestPersonas:
    """Personas of the file."""

    def test_one_may_be_added(self, bind: Bind) -> None:
        settings = bind(binding("feature-engineer"), personas={"feature-engineer": ADDED})
        assert [role.name for role in roles(settings)] == ["mlflow-dev-fraud-feature-engineer"]

    @pytest.mark.parametrize("field", ["template", "scope", "description"])
    def test_an_added_one_is_whole(self, bind: Bind, field: str) -> None:
        told = refused(bind, personas={"team-admn": {**ADDED, field: None}})
        assert told.field == f"access.personas.team-admn.{field}"
        assert told.problem == "is missing: team-admn is not built in"
        assert 'write "team-admin" if that built-in persona was meant' in told.fix

    def test_a_built_in_keeps_its_scope(self, bind: Bind) -> None:
        told = refused(bind, personas={"reader": {"scope": "all_teams"}})
        assert told.field == "access.personas.reader.scope"
        assert "reader is built in, with scope team" in told.problem

    @pytest.mark.parametrize(
        ("change", "field", "problem", "fix"),
        [
            ({"session_hours": 0}, "session_hours", "is too small", "from 1 to 12"),
            ({"session_hours": 13}, "session_hours", "is too large", "from 1 to 12"),
            ({"template": "/etc/x.json.j2"}, "template", "is not the path", "inside it"),
            ({"template": "../x.json.j2"}, "template", "is not the path", "inside it"),
            ({"template": "x.json"}, "template", "is not the path", "json.j2"),
            ({"description": "x"}, "description", "is not a sentence", "10 to 160"),
            ({"sesion_hours": 1}, "sesion_hours", "belongs to no field", 'write "session_hours"'),
        ],
    )
    def test_a_bad_change_is_refused(
        self, bind: Bind, change: object, field: str, problem: str, fix: str
    ) -> None:
        told = refused(bind, personas={"team-admin": change})
        assert told.field == f"access.personas.team-admin.{field}"
        assert problem in told.problem
        assert fix in told.fix

    def test_their_names_are_names(self, bind: Bind) -> None:
        told = refused(bind, personas={"Feature_Engineer": ADDED})
        assert "is not a name" in told.problem


class TestAccounts:
    """Principals of other accounts, where the own one is known."""

    OTHERS = f"arn:aws:iam::{OTHER}:role/partner"

    def test_they_need_an_external_id(self, bind: Bind) -> None:
        trust = changed("account_principals", arns=[ROLE, self.OTHERS])
        told = refused(bind, binding(**trust), account_id=OWN)
        assert told.field == "access.bindings[0].trust.account_principals.arns[1]"
        assert "give external_id" in told.fix
        trust = changed("account_principals", arns=[ROLE, self.OTHERS], external_id="agreed-2026")
        assert roles(bind(binding(**trust), account_id=OWN))

    def test_they_do_not_choose_among_all_teams(self, bind: Bind) -> None:
        trust = changed("account_principals", arns=[self.OTHERS], external_id="agreed-2026")
        told = refused(bind, binding("reader", "all", **trust), account_id=OWN, mode="session_tags")
        assert "would choose among all teams" in told.problem
        assert roles(bind(binding("reader", "all", **trust), account_id=OWN))
        assert roles(bind(binding("reader", ["fraud"], **trust), account_id=OWN, mode="session_tags"))

    def test_a_saml_provider_is_of_this_account(self, bind: Bind) -> None:
        told = refused(bind, binding(saml=KINDS["saml"]), account_id=OTHER)
        assert told.field == "access.bindings[0].trust.saml.provider"
        assert roles(bind(binding(saml=KINDS["saml"]), account_id=OWN))


class TestRolesOfPersonas:
    """A persona assumes no other role, and deploys nothing."""

    @pytest.mark.parametrize("account", [None, OWN])
    def test_a_persona_is_bound_to_no_persona(self, bind: Bind, account: str | None) -> None:
        own = f"arn:aws:iam::{OWN}:role/mlflow-dev/reader/mlflow-dev-fraud-reader"
        told = refused(bind, binding(**changed("account_principals", arns=[ROLE, own])), account_id=account)
        assert told.field == "access.bindings[0].trust.account_principals.arns[1]"
        assert "a persona assumes no other role" in told.problem
        assert "whoever may assume that role" in told.fix

    @pytest.mark.parametrize("account", [None, OWN])
    def test_a_persona_deploys_nothing(self, bind: Bind, account: str | None) -> None:
        for arn in ("mlflow-dev/deploy", "mlflow-dev/reader/mlflow-dev-fraud-reader"):
            roles_named = [f"arn:aws:iam::{OWN}:role/deploy", f"arn:aws:iam::{OWN}:role/{arn}"]
            told = refused(bind, deployer_role_arns=roles_named, account_id=account)
            assert told.field == "deployer_role_arns[1]"
            assert "is at the path of the personas, /mlflow-dev/" in told.problem
            assert "another path" in told.fix

    @pytest.mark.parametrize(
        "arn",
        [
            f"arn:aws:iam::{OWN}:role/mlflow-dev",
            f"arn:aws:iam::{OWN}:role/mlflow-dev-2/reader/x",
            f"arn:aws:iam::{OWN}:role/teams/mlflow-dev/x",
            f"arn:aws:iam::{OTHER}:role/mlflow-dev/reader/x",
        ],
    )
    def test_other_roles_are_taken(self, bind: Bind, arn: str) -> None:
        trust = changed("account_principals", arns=[arn], external_id="agreed-2026")
        assert roles(bind(binding(**trust), account_id=OWN, deployer_role_arns=[arn]))

    def test_users_of_the_stack_may_be_named(self, bind: Bind) -> None:
        assert roles(bind(binding(account_principals={"arns": [f"arn:aws:iam::{OWN}:user/mlflow-dev/anna"]})))


class TestBoundOnce:
    """A role has one trust policy, made by one binding."""

    @pytest.mark.parametrize(
        ("mode", "first", "second"),
        [
            ("roles", binding("reader", ["fraud", "search"]), binding("reader", ["search"])),
            ("roles", binding("reader", "all"), binding("reader", ["fraud"])),
            ("roles", binding("auditor", None), binding("auditor", None)),
            ("session_tags", binding("reader", ["fraud"]), binding("reader", ["search"])),
            (
                "session_tags",
                binding("reader", ["fraud"], services=["ec2"]),
                binding("reader", ["fraud"], services=["lambda"]),
            ),
        ],
    )
    def test_a_second_binding_is_refused(self, bind: Bind, mode: str, first: object, second: object) -> None:
        told = refused(bind, first, binding("model-approver"), second, mode=mode)
        assert told.field == "access.bindings[2].persona"
        assert "a second time: access.bindings[0] makes the role" in told.problem
        assert "one binding" in told.fix

    @pytest.mark.parametrize("mode", list(Mode))
    def test_other_teams_or_personas_are_taken(self, bind: Bind, mode: Mode) -> None:
        made = [
            binding("reader", ["fraud"], services=["ec2"]),
            binding("reader", ["search"], services=["ec2"]),
            binding("model-approver", ["fraud"]),
        ]
        assert len(roles(bind(*made, mode=mode.value))) == 3


class TestNames:
    """Names of IAM: 64 characters, one space for all roles of an account."""

    def test_a_role_name_too_long_is_named_with_its_excess(self, bind: Bind) -> None:
        persona, team = "p" * 30, "t" * 31
        made = {
            "personas": {persona: ADDED},
            "teams": [team, "fraud"],
        }
        told = refused(bind, binding(persona, [team]), **made)
        assert told.field == "access.bindings[0].persona"
        assert f"mlflow-dev-{team}-{persona}, 9 characters too long" in told.problem
        assert "shorten" in told.fix
        assert roles(bind(binding(persona, ["fraud"]), **made))

    def test_two_roles_of_one_name_are_refused(self, bind: Bind) -> None:
        made: dict[str, object] = {"teams": ["ab", "ab-cd"], "personas": {"cd-ef": ADDED, "ef": ADDED}}
        told = refused(bind, binding("cd-ef", ["ab"]), binding("ef", ["ab-cd"]), **made)
        assert told.field == "access.bindings[1].persona"
        assert "mlflow-dev-ab-cd-ef for team ab-cd and persona ef" in told.problem
        assert "team ab and persona cd-ef" in told.problem
        assert roles(bind(binding("cd-ef", ["ab"]), binding("ef", ["ab"]), **made))

    @pytest.mark.parametrize("name", SERVICE_ROLES)
    def test_the_stacks_own_names_are_taken_already(self, bind: Bind, name: str) -> None:
        added = {name: {**ADDED, "scope": "all_teams"}}
        told = refused(bind, binding(name, None), personas=added)
        assert f"mlflow-dev-{name} for persona {name}, which is a role of the stack itself" in told.problem

    @pytest.mark.parametrize(
        "name", ["boundary", "boundary-team", "boundary-user", "boundary-routes-1", "boundaryless"]
    )
    def test_no_policy_is_named_like_a_boundary(self, bind: Bind, name: str) -> None:
        told = refused(bind, personas={name: ADDED})
        assert (told.field, told.value) == (f"access.personas.{name}", name)
        assert f"mlflow-dev-{name}, as permissions boundaries are named" in told.problem
        assert "does not start with boundary" in told.fix
        assert bind(personas={f"own-{name}": ADDED})

    @pytest.mark.parametrize("suffix", ROUTE_SUFFIXES)
    def test_no_policy_is_named_like_another_personas(self, bind: Bind, suffix: str) -> None:
        for other in ("reader", "feature-engineer"):
            name = f"{other}{suffix}"
            told = refused(bind, personas={name: ADDED, "feature-engineer": ADDED})
            assert (told.field, told.value) == (f"access.personas.{name}", name)
            assert f"mlflow-dev-{name}, as one of persona {other} is named" in told.problem
        assert bind(personas={f"x{suffix}": ADDED, f"reader{suffix}0": ADDED})

    def test_two_groups_of_one_name_are_refused(self, bind: Bind) -> None:
        made: dict[str, object] = {"teams": ["ab", "ab-cd"], "personas": {"cd-ef": ADDED, "ef": ADDED}}
        both = (binding("cd-ef", ["ab"]), binding("ef", ["ab-cd"]))
        told = refused(bind, *both, mode="session_tags", **made)
        assert "makes the group name mlflow-dev-ab-cd-ef, which is also one of persona cd-ef" in told.problem

    def test_users_that_iam_takes_for_one_are_refused(self, bind: Bind) -> None:
        told = refused(
            bind,
            binding("reader", iam_group={"users": ["anna"]}),
            binding("team-admin", iam_group={"users": ["Anna"]}),
        )
        assert told.field == "access.bindings[1].trust.iam_group.users[0]"
        assert "are one user to IAM" in told.problem


def _teams(number: int) -> list[str]:
    return [f"team-{position}" for position in range(number)]


class TestQuotas:
    """What an account takes."""

    SIGN_IN = binding("reader", "all", saml=KINDS["saml"])

    def test_roles(self, bind: Bind) -> None:
        most = 1000 - len(SERVICE_ROLES)
        assert len(roles(bind(self.SIGN_IN, teams=_teams(most)))) == most
        told = refused(bind, self.SIGN_IN, teams=_teams(most + 1))
        assert told.field == "access.bindings"
        assert "makes 1,001 roles with those of the stack, and an account takes 1,000" in told.problem
        assert told.fix == 'switch access.mode to "session_tags"'

    def test_with_session_tags_a_persona_is_one_role(self, bind: Bind) -> None:
        assert len(roles(bind(self.SIGN_IN, teams=_teams(2000), mode="session_tags"))) == 1

    def test_machines_are_roles_in_either_mode(self, bind: Bind) -> None:
        many = binding("reader", "all", services=["ec2"])
        told = refused(bind, many, teams=_teams(1000), mode="session_tags")
        assert "list fewer teams for machines" in told.fix

    def test_more_teams_than_two_thousand_are_refused(self, bind: Bind) -> None:
        assert "too many items (2001)" in refused(bind, teams=_teams(2001)).problem

    @pytest.mark.parametrize("mode", list(Mode))
    def test_groups(self, bind: Bind, mode: Mode) -> None:
        many = binding("reader", "all", iam_group={})
        assert bind(many, teams=_teams(MAX_GROUPS), mode=mode.value)
        told = refused(bind, many, teams=_teams(MAX_GROUPS + 1), mode=mode.value)
        assert "makes 301 groups" in told.problem
        assert "instead of iam_group" in told.fix

    def test_groups_of_one_user(self, bind: Bind) -> None:
        many = binding("reader", "all", iam_group={"users": ["anna"]})
        assert bind(many, teams=_teams(10))
        assert "puts user anna into 11 groups" in refused(bind, many, teams=_teams(11)).problem

    def test_descriptions(self, bind: Bind) -> None:
        long = {"personas": {"feature-engineer": {**ADDED, "description": "d" * 160}}}
        texts = [letter * 160 for letter in "abcd"]
        trust = {
            **changed("account_principals", mfa=False, instead_of_mfa=texts[0]),
            **changed("saml", instead_of_mfa=texts[1]),
            **changed("oidc", instead_of_mfa=texts[2]),
            **changed("identity_center", instead_of_mfa=texts[3]),
        }
        told = refused(
            bind, binding("feature-engineer", **trust, github_actions=KINDS["github_actions"]), **long
        )
        assert "characters, and IAM takes 1000" in told.problem
        assert "shorten its instead_of_mfa" in told.fix


@pytest.mark.parametrize("key", ["team", "Team", "TEAM"])
def test_the_tag_that_decides_is_not_put_on_everything(bind: Bind, key: str) -> None:
    told = refused(bind, tags={key: "x"})
    assert told.field == f"tags.{key}"
    assert "decides whose data a role reaches" in told.problem
    assert bind(tags={"teams": "x"})


def test_artifacts_may_be_kept_to_endpoints(bind: Bind) -> None:
    artifacts: dict[str, object] = {"noncurrent_version_days": 30, "access_log_days": 90}
    endpoint = "vpce-0123456789abcdef0"
    settings = bind(artifacts={**artifacts, "vpc_endpoint_ids": [endpoint]})
    assert settings.artifacts.vpc_endpoint_ids == (endpoint,)
    assert bind(artifacts=artifacts).artifacts.vpc_endpoint_ids == ()
    told = refused(bind, artifacts={**artifacts, "vpc_endpoint_ids": ["vpc-1"]})
    assert told.field == "artifacts.vpc_endpoint_ids[0]"
