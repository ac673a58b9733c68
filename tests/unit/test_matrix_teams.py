"""For which teams one answer stands: a policy that tells a team apart by name is found, whatever its form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gatehouse.access.iam import Role
from gatehouse.access.matrix import Asker, Matrix, Subject, matrix
from gatehouse.access.pattern import tokens
from gatehouse.access.situations import SITUATIONS
from gatehouse.access.teams import meetings
from gatehouse.access.world import World
from tests.unit.matrix_stack import API, BUCKET, IAM, TEAM, TEAMS, Blocks, allow, blocks, policy, write
from tests.unit.stacks import Stack, stack_in

BEFORE = f"{BUCKET}/workspaces/"


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return stack_in(tmp_path)


def asker(stack: Stack, content: Blocks) -> Asker:
    return Asker(World.of(write(stack, content)))


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("*", ()),
        (f"{BEFORE}*", ()),
        (f"{BEFORE}{TEAM}/*", ()),
        (f"{BEFORE}{TEAM}*", ()),
        (f"{BEFORE}{TEAM}/?", ()),
        (f"{BUCKET}", ()),
        (f"{BUCKET}/elsewhere/fraud/*", ()),
        (f"{BEFORE}*/fraud", ()),  # a part behind the team's
        (f"{BEFORE}{TEAM}/fraud/*", ()),
        (f"{BEFORE}fraud/*", ("fraud",)),
        (f"{BEFORE}FRAUD/*", ("fraud",)),
        (f"{BEFORE}fraud", ("fraud",)),
        (f"{BEFORE}fraud*", ("fraud", "fraudulent")),
        (f"{BEFORE}fr?ud/*", ("fraud", "fraudulent")),
        (f"{BEFORE}*ing/*", ("pricing",)),
        (f"{BEFORE}*aud*", ("fraud", "fraudulent")),
        (f"{BUCKET}/*/search/*", ("search",)),
        (f"{BUCKET}/work*s/search/*", ("search",)),
        (f"{BUCKET}/*search*", ("search",)),
        (f"{BUCKET}/*/elsewhere/search/*", ()),
        (f"{BEFORE}?????/*", TEAMS),
        (f"{BUCKET}/*/${{aws:username}}/*", ()),
        (f"{BUCKET}/${{aws:PrincipalTag/x}}/fraud/*", ("fraud",)),
        ("arn:aws:s3:::*/fraud/1", ("fraud",)),
        ("arn:aws:s3:::others/workspaces/fraud/*", ()),
    ],
)
def test_a_pattern_that_may_tell_teams_apart_names_them(pattern: str, named: tuple[str, ...]) -> None:
    parts = tokens(pattern, variables=True, wildcards=True)
    found = list(meetings(parts, BEFORE))
    assert tuple(team for team in TEAMS if any(one.meets(team) for one in found)) == named


def test_the_variable_of_the_team_is_none_in_a_roles_name() -> None:
    parts = tokens(f"x/{TEAM}-fraud", variables=True, wildcards=True)
    assert not list(meetings(parts, "x/"))
    assert [one.meets("st-fraud") for one in meetings(parts, "x/", of_team=False)] == [True]


def test_one_role_stands_for_all_that_are_alike(stack: Stack) -> None:
    found = asker(stack, blocks())
    assert found.alike == TEAMS
    assert {one.name: one.teams for one in found.subjects} == {
        "admin": TEAMS, "auditor": (), "reader": TEAMS, "st-server": ()
    }  # fmt: skip
    assert {one.name: (one.brought, one.can_have_mfa) for one in found.subjects} == {
        "admin": (False, True), "auditor": (False, True), "reader": (True, False), "st-server": (False, False)
    }  # fmt: skip


HOLES: dict[str, Any] = {
    "an object of a team": allow("Hole", "s3:GetObject", f"{BEFORE}search/*"),
    "objects of some": allow("Hole", "s3:GetObject", f"{BEFORE}*ulent/*"),
    "a call in a team's name": allow("Hole", "execute-api:Invoke", f"{API}/POST/search/api/*"),
    "those who are of a team": allow(
        "Hole", "s3:GetObject", f"{BEFORE}*", Condition={"StringEquals": {"aws:PrincipalTag/team": "search"}}
    ),
    "all but a team": allow(
        "Hole", "s3:GetObject", f"{BEFORE}*", Condition={"StringNotLike": {"aws:PrincipalTag/team": "se*"}}
    ),
    "names in a team's folder": allow(
        "Hole", "s3:ListBucket", BUCKET, Condition={"StringLike": {"s3:prefix": "workspaces/search/*"}}
    ),
    "a role by its name": allow(
        "Hole",
        "s3:GetObject",
        f"{BEFORE}*",
        Condition={"ArnLike": {"aws:PrincipalArn": f"{IAM}:role/st/admin/st-search-*"}},
    ),
    "a tag that is a number": allow(
        "Hole", "s3:GetObject", f"{BEFORE}*", Condition={"NumericEquals": {"aws:PrincipalTag/team": "1"}}
    ),
}


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
def test_one_answer_stands_for_all_that_it_says_it_does(stack: Stack, hole: dict[str, Any]) -> None:
    """Every principal in every team, about every other team, is asked and compared with its cell."""
    content = blocks(hole)
    content["aws_iam_policy"]["admin"]["policy"] = policy(
        *({**one, "Sid": f"A{at}"} for at, one in enumerate([*_statements(content, "admin"), hole]))
    )
    found = asker(stack, content)
    names = ("artifacts:read", "runs:read", "runs:write")
    situations = [one for one in SITUATIONS if one.id in ("own-team", "another-team")]
    asked = 0
    for role in found.world.personas:
        for team in [role.team] if role.team else TEAMS:
            subject = _subject_of(found, role, team)
            for situation in situations if subject.teams else situations[1:]:
                about = [one for one in TEAMS if (one != team) is situation.elsewhere]
                for name in names:
                    cell, allowed = (
                        found.cell(subject, name, situation),
                        _union(found, role, team, name, about),
                    )
                    # One other team is asked about for all that are alike: what it has, no other has more of.
                    assert set(cell.allowed) >= allowed, (role.name, team, name, situation.id)
                    assert situation.elsewhere or set(cell.allowed) == allowed, (role.name, team, name)
                    asked += 1
    assert asked > 50


def _subject_of(found: Asker, role: Role, team: str) -> Subject:
    mine = [one for one in found.subjects if isinstance(one.who, Role) and one.who.persona == role.persona]
    return next(one for one in mine if not one.teams or team in one.teams)


def _statements(content: Blocks, name: str) -> list[dict[str, Any]]:
    text = content["aws_iam_policy"][name]["policy"].replace("$${aws:", "${aws:")
    found: list[dict[str, Any]] = json.loads(text)["Statement"]
    return found


def _union(found: Asker, role: Role, team: str, name: str, about: list[str]) -> set[int]:
    allowed: set[int] = set()
    for one in about:
        for place, asked in enumerate(found.capabilities.requests(name, one)):
            (call,) = asked.calls
            keys = {**call.keys, "aws:SourceIp": "198.51.100.1"}
            keys |= {"aws:SecureTransport": "true", "aws:MultiFactorAuthPresent": "true"}
            if found.world.ask(role, call.action, call.arn, keys, tags={"team": team}).allowed:
                allowed.add(place)
    return allowed


def test_a_hole_for_one_team_is_a_row_of_its_own(stack: Stack) -> None:
    found = matrix(World.of(write(stack, blocks(HOLES["those who are of a team"]))))
    names = {one.name: one.teams for one in found.subjects if one.name.startswith("reader")}
    assert names == {
        "reader of fraud and 2 more": ("fraud", "fraudulent", "pricing"), "reader of search": ("search",)
    }  # fmt: skip
    cells = {name: found.cell(name, "artifacts:read", "another-team") for name in names}
    assert not cells["reader of fraud and 2 more"].parts["S3"][0]
    assert cells["reader of search"].parts["S3"] == (1, 2)


def test_a_hole_into_one_team_is_in_the_cell_of_others(stack: Stack) -> None:
    found = matrix(World.of(write(stack, blocks(HOLES["an object of a team"]))))
    cell = found.cell("reader of fraud and 2 more", "artifacts:read", "another-team")
    assert cell.parts["S3"] == (1, 2)
    assert "search" in cell.teams
    assert [one.statement.sid for one in cell.reasons if one.statement] == ["Hole"]


def test_the_only_team_is_compared_with_one_that_is_not_there(stack: Stack) -> None:
    content = blocks()
    for team in TEAMS[1:]:
        del content["aws_iam_role"][f"admin_{team}"]
        del content["aws_iam_role_policy_attachment"][f"admin_{team}"]
    content["aws_s3_object"]["teams"]["content"] = "fraud"
    found = asker(stack, content)
    admin = next(one for one in found.subjects if one.name == "admin")
    assert (found.home(admin), found.others(admin)) == ("fraud", ("some-other-team",))


def trusting(stack: Stack, *own: dict[str, Any]) -> Matrix:
    """Return the matrix of a stack whose server's role may be assumed by sessions of team search, says its trust."""
    content = blocks(allow("Assume", "sts:AssumeRole", "*"), *own)
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"{IAM}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:PrincipalTag/team": "search"}},
    }
    content["aws_iam_role"]["server"]["assume_role_policy"] = policy(trust)
    for name, role in content["aws_iam_role"].items():
        if name != "server":
            role["assume_role_policy"] = trust_of("ec2.amazonaws.com")
    return matrix(World.of(write(stack, content)))


def trust_of(service: str) -> str:
    return policy({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"})


def test_a_trust_policy_that_names_a_team_makes_no_row_and_is_seen(stack: Stack) -> None:
    found = trusting(stack)
    assert {one.name: one.teams for one in found.subjects}["reader"] == TEAMS
    cell = found.cell("reader", "stack:assume-roles")
    assert [found.requests["stack:assume-roles"][place].label for place in cell.allowed] == [
        "sts:AssumeRole on role/st-server"
    ]
    assert cell.parts == {"AWS": (1, cell.asked)}
    assert found.cell("reader", "stack:assume-roles", "without-tag").allowed == ()


def test_a_trust_policy_that_names_a_team_opens_nothing_to_whom_a_deny_stops(stack: Stack) -> None:
    never = {"Sid": "Never", "Effect": "Deny", "Action": "sts:*", "Resource": "*"}
    assert trusting(stack, never).cell("reader", "stack:assume-roles").allowed == ()
