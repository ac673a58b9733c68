"""The access matrix of real stacks: it says what README says, and what the evaluator says request by request."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

import pytest

from gatehouse.access.capabilities import API, OBJECTS, UI, route_path
from gatehouse.access.matrix import Matrix, State, matrix
from gatehouse.access.matrix_outputs import as_html
from gatehouse.catalogue.model import CAPABILITIES
from gatehouse.catalogue.shipped import load
from gatehouse.fields import ROOT
from tests.synth.access_bindings import TEAMS, sections
from tests.synth.access_world import (
    API_CALL,
    FEDERATED,
    IN_ONE_TEAM,
    MFA,
    NO_MFA,
    PERSONAS,
    PRIVATE_CALL,
    S3_CALL,
    WITHOUT_TEAM,
    Context,
    World,
    kms_context,
)
from tests.synth.conftest import Synthesize

EVERYTHING = frozenset(map(str, CAPABILITIES))
OF_STACK = frozenset({"stack:connect-servers", "stack:read-logs"})
WORKSPACES = frozenset(name for name in EVERYTHING if name.startswith("workspaces:"))
_READ = frozenset(
    f"{area}:read"
    for area in ("experiments", "runs", "traces", "evaluation", "datasets", "registry", "artifacts")
)
_READER = _READ | {"ui:read"}
_OWN, _ALL = "own team", "all teams"
#: Persona -> the row of README, word by word, and what it means.
README: Mapping[str, tuple[str, str, frozenset[str]]] = {
    "reader": (
        "read experiments, runs, traces, evaluations, datasets, models, artifacts; user interface", _OWN, _READER
    ),
    "data-scientist": (
        "`reader`, and write all of these, register models, write artifacts; delete and promote nothing",
        _OWN,
        _READER
        | {f"{area}:write" for area in ("experiments", "runs", "traces", "evaluation", "datasets", "artifacts")}
        | {"registry:register"},
    ),
    "model-approver": (
        "`reader`, and promote models: stages, aliases, description and tags of a version",
        _OWN,
        _READER | {"registry:promote"},
    ),
    "ci-pipeline": (
        "read and write experiments, runs, datasets and artifacts, register models (it does not read them back); "
        "no user interface",
        _OWN,
        frozenset(f"{area}:read" for area in ("experiments", "runs", "datasets", "artifacts"))
        | {f"{area}:write" for area in ("experiments", "runs", "datasets", "artifacts")}
        | {"registry:register"},
    ),
    "model-server": (
        "read registered models and all artifacts, and nothing else",
        _OWN,
        frozenset({"registry:read", "artifacts:read"}),
    ),
    "team-admin": (
        "everything, deletes, webhooks and the model gateway included; workspaces not", _OWN, EVERYTHING - WORKSPACES
    ),
    "auditor": (
        "read everything, but not what artifacts hold and not the gateway's secrets",
        _ALL,
        frozenset(name for name in EVERYTHING if name.endswith(":read")) - {"artifacts:read"},
    ),
    "operator": (
        "four fixed commands on the servers, logs, metrics, alarms, instance refresh; no MLflow data",
        "the stack",
        OF_STACK,
    ),
    "platform-admin": ("everything, workspaces included", _ALL, EVERYTHING),
}  # fmt: skip
#: Personas that never see the user interface have no route of its own.
WITHOUT_UI = ("ci-pipeline", "model-server")
STACKS = ("roles", "session_tags", "private", "private_session_tags")


@pytest.fixture(scope="module")
def private_session_tags(synthesize: Synthesize) -> World:
    """A stack with a private API, where people's sessions carry the team."""
    return World(synthesize("prod", **sections("session_tags")))


@pytest.fixture(scope="module", params=STACKS)
def world(request: pytest.FixtureRequest) -> World:
    """Both environments in both modes, with every persona bound."""
    found: World = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def found(world: World) -> Matrix:
    """Its matrix."""
    return matrix(world.stack)


def allowed_in(found: Matrix, persona: str, situation: str = "own-team") -> frozenset[str]:
    """Return the capabilities of which something is allowed."""
    return frozenset(name for name in found.capabilities if found.cell(persona, name, situation).allowed)


@pytest.mark.parametrize("persona", PERSONAS)
def test_readme_says_what_a_persona_can_do(found: Matrix, persona: str) -> None:
    text, where, capabilities = README[persona]
    rows = re.findall(
        r"^\| `([a-z-]+)` \| (.*) \| (.*) \|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M
    )
    assert (persona, text, where) in rows
    assert allowed_in(found, persona) == capabilities
    for name in capabilities - OF_STACK:
        cell = found.cell(persona, name)
        if persona in WITHOUT_UI:
            assert set(cell.whole_parts) == set(cell.parts) - {UI}, name
        else:
            assert cell.state is State.ALL, name
    assert (allowed_in(found, persona, "another-team") == capabilities) == (persona in WITHOUT_TEAM)
    if persona in IN_ONE_TEAM:
        assert not allowed_in(found, persona, "another-team")
        assert not allowed_in(found, persona, "without-tag")


@pytest.mark.parametrize("persona", PERSONAS)
def test_what_a_situation_takes_away(found: Matrix, persona: str) -> None:
    own = allowed_in(found, persona)
    assert own - allowed_in(found, persona, "without-mfa") == own & {"artifacts:delete"}
    assert not allowed_in(found, persona, "without-tls")
    for name in EVERYTHING:
        outside = found.cell(persona, name, "outside").parts
        assert not any(allowed for part, (allowed, _) in outside.items() if part != OBJECTS), name


def test_services_do_what_they_are_for(found: Matrix) -> None:
    services = {
        one.name: allowed_in(found, one.name) for one in found.subjects if one.sort.value == "service"
    }
    (server,) = (name for name in services if name.endswith("-server"))
    assert services[server] == {"artifacts:read", "stack:read-database-secret", "stack:read-server-files"}
    assert found.cell(server, "artifacts:read").whole_parts == (OBJECTS,)
    assert frozenset().union(*(allowed for name, allowed in services.items() if name != server)) <= {
        "stack:read-logs"
    }


def test_a_session_on_a_server_is_by_the_stacks_document_alone(found: Matrix) -> None:
    asked, cell = found.requests["stack:connect-servers"], found.cell("operator", "stack:connect-servers")
    assert [asked[place].label for place in cell.allowed] == [
        f"ssm:StartSession by {found.world.api.name}-operations"
    ]
    assert cell.asked == 2


def test_one_row_stands_for_all_teams(world: World, found: Matrix) -> None:
    rows = {one.name: one.teams for one in found.subjects if one.name in IN_ONE_TEAM}
    assert set(rows) == set(IN_ONE_TEAM)
    assert rows["reader"] == tuple(sorted(TEAMS))
    for one in found.subjects:
        assert " of " not in one.name, one
    assert all(world.stack.role(name, team) for name, teams in rows.items() for team in teams)


@pytest.mark.parametrize("persona", PERSONAS)
def test_routes_are_decided_as_one_by_one(world: World, found: Matrix, persona: str) -> None:
    subject = next(one for one in found.subjects if one.name == persona)
    factor = MFA if subject.can_have_mfa else FEDERATED
    call, endpoint = (PRIVATE_CALL, world.door()) if world.stack.api.private else (API_CALL, None)
    for team in TEAMS if persona in IN_ONE_TEAM else TEAMS[:1]:
        if team not in (*subject.teams, *(TEAMS if persona in WITHOUT_TEAM else ())):
            continue
        session = world.session(persona, team)
        for situation in ("own-team", "another-team", "without-mfa"):
            factors = [NO_MFA, FEDERATED] if situation == "without-mfa" and subject.can_have_mfa else [factor]
            about = [one for one in TEAMS if one != team] if situation == "another-team" else [team]
            for name in sample(f"{persona}{team}{situation}", EVERYTHING, 6):
                expected = {
                    str(route.endpoint)
                    for route in load("3.17.2")
                    if str(route.capability) == name
                    and any(
                        world.invoke(
                            session,
                            route.endpoint.method,
                            other,
                            route_path(route.endpoint),
                            call,
                            one,
                            endpoint=endpoint,
                        ).allowed
                        for one in factors
                        for other in about
                    )
                }
                cell, asked = found.cell(persona, name, situation), found.requests[name]
                said = {asked[place].label for place in cell.allowed if asked[place].part in (API, UI)}
                assert said == expected, (team, situation, name)


def sample(seed: str, names: frozenset[str], number: int) -> list[str]:
    return random.Random(seed).sample(sorted(names), number)


@pytest.mark.parametrize("persona", PERSONAS)
def test_objects_are_decided_as_one_by_one(world: World, found: Matrix, persona: str) -> None:
    subject = next(one for one in found.subjects if one.name == persona)
    home = subject.team or "fraud"
    session = world.session(persona, home)
    situations: dict[str, tuple[str, tuple[Context, ...]]] = {
        "own-team": (home, (MFA if subject.can_have_mfa else FEDERATED,)),
        "another-team": (
            next(one for one in TEAMS if one != home),
            (MFA if subject.can_have_mfa else FEDERATED,),
        ),
        "without-mfa": (home, (NO_MFA, FEDERATED) if subject.can_have_mfa else (FEDERATED,)),
    }
    of_key = {"s3:GetObject": ("kms:Decrypt",), "s3:PutObject": ("kms:GenerateDataKey", "kms:Decrypt")}
    for situation, (team, factors) in situations.items():
        for name in ("artifacts:read", "artifacts:write", "artifacts:delete"):
            cell = found.cell(persona, name, situation)
            for place, asked in enumerate(found.requests[name]):
                if asked.part != OBJECTS:
                    continue
                listing = asked.label == "s3:ListBucket"
                arn = world.artifacts if listing else f"{world.artifacts}/workspaces/{team}/x"
                prefix = {"s3:prefix": f"workspaces/{team}/"} if listing else {}
                kms = kms_context(world.artifacts, "s3")
                expected = any(
                    world.ask(session, asked.label, arn, S3_CALL, one, prefix).allowed
                    and all(
                        world.ask(session, action, world.key("storage_key"), kms, one).allowed
                        for action in of_key.get(asked.label, ())
                    )
                    for one in factors
                )
                assert (place in cell.allowed) == expected, (situation, asked.label)


def test_the_page_is_not_too_large(found: Matrix) -> None:
    assert len(as_html(found).encode()) < 1_500_000
