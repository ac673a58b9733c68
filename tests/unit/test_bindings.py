"""The roles, groups and users that bindings make, in both modes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gatehouse.access_rules import MAX_DESCRIPTION
from gatehouse.bindings import BY_IAM, Role, group_policy, roles, users
from gatehouse.environment_file import load_environment
from gatehouse.personas.model import BUILT_IN, Scope, personas

from .test_access_settings import ADDED, INSTEAD, KINDS, MACHINES, binding

if TYPE_CHECKING:
    from .conftest import Bind

ACCOUNT = "111122223333"
#: Hours that a session of each built-in persona may last, reviewed.
HOURS = {
    "reader": 8,
    "data-scientist": 8,
    "model-approver": 4,
    "ci-pipeline": 1,
    "model-server": 12,
    "team-admin": 1,
    "auditor": 4,
    "operator": 1,
    "platform-admin": 1,
}
PEOPLE = {kind: value for kind, value in KINDS.items() if kind not in MACHINES}
ROBOTS = {kind: KINDS[kind] for kind in MACHINES}


class TestRoles:
    """One tagged role for each team and persona."""

    def test_names_paths_and_tags(self, bind: Bind) -> None:
        first, second = roles(bind(binding("reader", ["search", "fraud"])))
        assert first.name == "mlflow-dev-search-reader"
        assert first.path == second.path == "/mlflow-dev/reader/"
        assert (first.tags, second.tags) == ({"team": "search"}, {"team": "fraud"})
        assert (first.team, first.persona, first.session_tagged) == ("search", "reader", False)

    def test_all_means_every_team_of_the_file(self, bind: Bind) -> None:
        made = roles(bind(binding("reader", "all"), teams=["ab", "cd"]))
        assert [role.team for role in made] == ["ab", "cd"]

    @pytest.mark.parametrize("mode", ["roles", "session_tags"])
    @pytest.mark.parametrize("persona", ["auditor", "operator", "platform-admin"])
    def test_a_persona_of_no_single_team_has_no_tag(self, bind: Bind, persona: str, mode: str) -> None:
        (role,) = roles(bind(binding(persona, None, **PEOPLE), mode=mode))
        assert (role.name, role.team, role.tags) == (f"mlflow-dev-{persona}", None, {})
        assert not role.session_tagged

    def test_no_role_admits_session_tags(self, bind: Bind) -> None:
        made = roles(bind(binding("reader", "all", **KINDS)))
        assert [entry for role in made for entry in role.trust if entry.session] == []
        assert {entry.kind for entry in made[0].trust} == {*PEOPLE, "services"}


class TestSessionTags:
    """One role for each persona; machines, which pass no tags, have a tagged role for each team."""

    def test_people_share_one_role(self, bind: Bind) -> None:
        (role,) = roles(bind(binding("reader", ["fraud", "search"], **PEOPLE), mode="session_tags"))
        assert (role.name, role.team, role.tags) == ("mlflow-dev-reader", None, {})
        assert role.session_tagged
        assert {entry.session.teams for entry in role.trust if entry.session} == {("fraud", "search")}
        assert len(role.trust) == len(PEOPLE)
        assert all(entry.session for entry in role.trust)

    def test_all_teams_are_not_listed(self, bind: Bind) -> None:
        (role,) = roles(bind(binding("reader", "all", **PEOPLE), mode="session_tags"))
        assert {entry.session.teams for entry in role.trust if entry.session} == {None}

    @pytest.mark.parametrize("kind", MACHINES)
    def test_machines_have_a_role_for_each_team(self, bind: Bind, kind: str) -> None:
        made = roles(bind(binding("reader", "all", **{kind: KINDS[kind]}), mode="session_tags"))
        assert [role.tags for role in made] == [{"team": team} for team in ("fraud", "pricing", "search")]
        assert not any(role.session_tagged for role in made)

    def test_a_binding_may_be_for_both(self, bind: Bind) -> None:
        made = roles(bind(binding("reader", ["fraud"], **KINDS), mode="session_tags"))
        assert [(role.name, role.session_tagged) for role in made] == [
            ("mlflow-dev-reader", True),
            ("mlflow-dev-fraud-reader", False),
        ]


class TestGroups:
    """A group for each team and persona, in both modes."""

    def test_of_tagged_roles(self, bind: Bind) -> None:
        made = roles(bind(binding("reader", ["fraud", "search"], iam_group={"users": ["anna"]})))
        groups = [role.groups for role in made]
        assert [[group.name for group in each] for each in groups] == [
            ["mlflow-dev-fraud-reader"],
            ["mlflow-dev-search-reader"],
        ]
        assert [(group.path, group.users) for group in groups[0]] == [("/mlflow-dev/reader/", ("anna",))]
        assert _statement(made[0], 0) == {
            "Sid": "AssumeRole",
            "Effect": "Allow",
            "Action": ["sts:AssumeRole"],
            "Resource": f"arn:aws:iam::{ACCOUNT}:role/mlflow-dev/reader/mlflow-dev-fraud-reader",
            "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
        }

    def test_of_tagged_sessions_pass_their_team_and_no_other(self, bind: Bind) -> None:
        (role,) = roles(bind(binding("reader", ["fraud", "search"], iam_group={}), mode="session_tags"))
        assert [group.name for group in role.groups] == [
            "mlflow-dev-fraud-reader",
            "mlflow-dev-search-reader",
        ]
        assert _statement(role, 1) == {
            "Sid": "AssumeRole",
            "Effect": "Allow",
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Resource": f"arn:aws:iam::{ACCOUNT}:role/mlflow-dev/reader/mlflow-dev-reader",
            "Condition": {
                "StringEquals": {"aws:RequestTag/team": "search"},
                "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]},
                "Null": {"aws:RequestTag/team": "false"},
                "Bool": {"aws:MultiFactorAuthPresent": "true"},
            },
        }

    @pytest.mark.parametrize("mode", ["roles", "session_tags"])
    def test_without_a_team_there_is_one(self, bind: Bind, mode: str) -> None:
        (role,) = roles(bind(binding("auditor", None, iam_group={}), mode=mode))
        assert [(group.name, group.session_team) for group in role.groups] == [("mlflow-dev-auditor", None)]

    def test_there_is_none_without_the_kind(self, bind: Bind) -> None:
        (role,) = roles(bind(binding(saml=KINDS["saml"])))
        assert role.groups == ()


def _statement(role: Role, group: int) -> Any:  # noqa: ANN401 - JSON
    document = json.loads(group_policy(role, role.groups[group], account=ACCOUNT))
    (statement,) = document["Statement"]
    return statement


def test_users_are_those_listed_each_once(bind: Bind) -> None:
    settings = bind(
        binding("reader", "all", iam_group={"users": ["zoe", "anna"]}),
        binding("team-admin", "all", iam_group={"users": ["anna"]}),
        binding("model-approver", "all", iam_group={}),
    )
    assert users(settings) == ("anna", "zoe")
    assert users(bind(binding())) == ()


@pytest.mark.parametrize(("services", "profile"), [(["ec2", "lambda"], True), (["sagemaker"], False)])
def test_only_instances_need_a_profile(bind: Bind, services: list[str], profile: bool) -> None:
    (role,) = roles(bind(binding(services=services)))
    assert role.instance_profile is profile


class TestSessions:
    """How long a session lasts."""

    def test_of_the_built_in_personas(self) -> None:
        assert {name: persona.session_hours for name, persona in BUILT_IN.items()} == HOURS

    def test_is_that_of_the_persona(self, bind: Bind) -> None:
        (role,) = roles(bind(binding("model-approver")))
        assert role.max_session_seconds == 4 * 3600

    def test_may_be_changed(self, bind: Bind) -> None:
        (role,) = roles(bind(binding("team-admin"), personas={"team-admin": {"session_hours": 2}}))
        assert role.max_session_seconds == 2 * 3600

    def test_of_an_added_persona_is_an_hour(self, bind: Bind) -> None:
        (role,) = roles(bind(binding("feature-engineer"), personas={"feature-engineer": ADDED}))
        assert role.max_session_seconds == 3600


class TestDescriptions:
    """Who, where, and what stands in the place of MFA."""

    def test_with_mfa_nothing_stands_in_its_place(self, bind: Bind) -> None:
        trust = {kind: KINDS[kind] for kind in ("account_principals", "iam_group")}
        (role,) = roles(bind(binding(**trust)))
        assert role.description == (
            "reader of team fraud: reads experiments, runs, traces, models and artifacts."
        )

    @pytest.mark.parametrize("mode", ["roles", "session_tags"])
    def test_a_group_without_listed_users_says_who_decides(self, bind: Bind, mode: str) -> None:
        for listed, told in (([], True), (["anna"], False)):
            (role,) = roles(bind(binding(iam_group={"users": listed}), mode=mode))
            assert role.description.endswith(BY_IAM) is told

    def test_three_long_reasons_and_a_group_that_iam_decides_on_fit(self, bind: Bind) -> None:
        trust: dict[str, object] = {
            kind: {**KINDS[kind], "instead_of_mfa": letter * 160}
            for kind, letter in (("saml", "a"), ("oidc", "b"), ("identity_center", "c"))
        }
        long = {"feature-engineer": {**ADDED, "description": "d" * 160}}
        made = binding("feature-engineer", "all", iam_group={}, **trust)
        (role,) = roles(bind(made, mode="session_tags", personas=long))
        assert all(letter * 160 in role.description for letter in "abcd")
        assert BY_IAM in role.description
        assert len(role.description) <= MAX_DESCRIPTION

    def test_one_reason_is_told_once(self, bind: Bind) -> None:
        trust = {kind: KINDS[kind] for kind in ("saml", "identity_center", "services")}
        (role,) = roles(bind(binding(**trust)))
        assert f"In place of MFA, Saml, IdentityCenter: {INSTEAD}." in role.description
        assert "In place of MFA, Services, ServicesForThisAccount: a machine" in role.description

    @pytest.mark.parametrize(
        ("persona", "teams", "mode", "where"),
        [
            ("reader", ["fraud"], "session_tags", "reader of the team that the session is tagged with: "),
            ("auditor", None, "roles", "auditor of all teams: "),
            ("operator", None, "roles", "operator of the stack: "),
        ],
    )
    def test_the_place_is_told(
        self, bind: Bind, persona: str, teams: Sequence[str] | None, mode: str, where: str
    ) -> None:
        (role,) = roles(bind(binding(persona, teams), mode=mode))
        assert role.description.startswith(where)

    @pytest.mark.parametrize("kind", ["saml", "oidc", "identity_center", *MACHINES])
    def test_every_kind_without_mfa_says_so(self, bind: Bind, kind: str) -> None:
        (role,) = roles(bind(binding(**{kind: KINDS[kind]})))
        assert "In place of MFA, " in role.description

    def test_the_wish_without_mfa_is_told(self, bind: Bind) -> None:
        trust = {
            "account_principals": {**KINDS["account_principals"], "mfa": False, "instead_of_mfa": INSTEAD}
        }
        (role,) = roles(bind(binding(**trust)))
        assert role.description.endswith(f"In place of MFA, AccountPrincipals: {INSTEAD}.")


class TestPersonas:
    """Built-in personas, changed and added to."""

    def test_the_built_in_ones_come_with_a_template_each(self, bind: Bind) -> None:
        found = personas(bind(), Path("environments"))
        assert found == BUILT_IN
        assert {persona.template.name for persona in found.values()} == {f"{name}.json.j2" for name in HOURS}

    def test_scopes(self) -> None:
        scopes = {
            name: persona.scope for name, persona in BUILT_IN.items() if persona.scope is not Scope.TEAM
        }
        assert scopes == {
            "auditor": Scope.ALL_TEAMS,
            "platform-admin": Scope.ALL_TEAMS,
            "operator": Scope.STACK,
        }

    def test_an_added_one_is_as_the_file_says(self, bind: Bind) -> None:
        added = {**ADDED, "scope": "all_teams", "session_hours": 3}
        found = personas(bind(personas={"feature-engineer": added}), Path("here"))["feature-engineer"]
        assert (found.scope, found.session_hours) == (Scope.ALL_TEAMS, 3)
        assert found.template == Path("here/personas/feature-engineer.json.j2")
        assert found.description == ADDED["description"]

    def test_a_change_leaves_the_rest(self, bind: Bind) -> None:
        found = personas(bind(personas={"reader": {"template": "r.json.j2"}}), Path("here"))
        assert found["reader"].template == Path("here/r.json.j2")
        assert found["reader"].description == BUILT_IN["reader"].description
        assert found["auditor"] == BUILT_IN["auditor"]


def test_the_shipped_environments_show_every_kind_of_principal(project: Path) -> None:
    shown = [
        kind
        for name in ("dev", "prod")
        for binding in load_environment(Path(f"environments/{name}.yaml")).access.bindings
        for kind in type(binding.trust).model_fields
        if getattr(binding.trust, kind)
    ]
    assert sorted(shown) == sorted(KINDS)
