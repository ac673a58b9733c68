"""Who may call which route of the API, decided by the synthesized policies alone.

What each persona may do is written out here, from the table of the README; nothing is read from its template.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from gatehouse.access import Decision, Layer, Outcome
from gatehouse.catalogue import shipped
from gatehouse.catalogue.model import CAPABILITIES, Route
from tests.synth.access_bindings import TEAMS
from tests.synth.access_world import (
    ACCOUNT,
    ANYTHING,
    API_CALL,
    API_ID,
    EXECUTE_API,
    FEDERATED,
    IAM,
    IN_ONE_TEAM,
    MFA,
    NO_MFA,
    OTHER_ACCOUNT,
    PRIVATE_CALL,
    Caller,
    Context,
    World,
    administrator,
    caller,
)

CATALOGUE = shipped.load("3.17.2")

READER = frozenset(
    f"{area}:read"
    for area in ("ui", "experiments", "runs", "traces", "evaluation", "datasets", "registry", "artifacts")
)
EVERYTHING = frozenset(map(str, CAPABILITIES))
MAY: dict[str, frozenset[str]] = {
    "reader": READER,
    "data-scientist": READER
    | {"experiments:write", "runs:write", "traces:write", "evaluation:write", "datasets:write"}
    | {"registry:register", "artifacts:write"},
    "model-approver": READER | {"registry:promote"},
    "ci-pipeline": frozenset(
        f"{area}:{verb}"
        for area in ("experiments", "runs", "datasets", "artifacts")
        for verb in ("read", "write")
    )
    | {"registry:register"},
    "model-server": frozenset({"registry:read", "artifacts:read"}),
    "team-admin": frozenset(one for one in EVERYTHING if not one.startswith("workspaces:")),
    "auditor": frozenset(one for one in EVERYTHING if one.endswith(":read")) - {"artifacts:read"},
    "operator": frozenset(),
    "platform-admin": EVERYTHING,
}
#: Only for sessions that have proved a second factor.
WITH_MFA = frozenset({"artifacts:delete"})
IN_ALL_TEAMS = ("auditor", "platform-admin")
WITHOUT_UI = ("ci-pipeline", "model-server")

PLAIN = "a1b2"
#: One segment of a path, as sent: MLflow decodes it, IAM does not.
SEGMENTS = (PLAIN, "..", "%2F", "%2e%2e", "%2F..%2Fsearch%2Fhealth", "*", "search", "fraud", "$(x)", "?", "0")
#: Where a parameter may hold slashes, what other routes look like as well.
PATHS = ("a/b", "../../search/health", "health", "x/runs/get", "api/2.0/mlflow/runs/search", "a//b", "")


def filled(route: Route, *, hostile: bool = True) -> Iterator[str]:
    """Yield the route's path with each value in all of its parameters."""
    shape = route.endpoint.shape
    if "{" not in shape or not hostile:
        yield shape.replace("{:path}", PLAIN).replace("{}", PLAIN)
        return
    for value in SEGMENTS:
        yield shape.replace("{:path}", value).replace("{}", value)
    for value in PATHS if "{:path}" in shape else ():
        yield shape.replace("{:path}", value).replace("{}", PLAIN)


def opens(persona: str, route: Route, *, mfa: bool = True) -> bool:
    """Whether the persona may call the route in a team of its own."""
    path, capability = route.endpoint.path, str(route.capability)
    if persona in WITHOUT_UI and path.startswith("/ajax-api/"):
        return False
    return capability in MAY[persona] and (mfa or capability not in WITH_MFA)


def own(persona: str, team: str) -> bool:
    return persona in IN_ALL_TEAMS or team == "fraud"


def calls(persona: str, *, mfa: bool = True) -> list[tuple[str, str]]:
    """Return method and path of every call that the persona may make: these must be denied to test anything."""
    routes = [route for route in CATALOGUE if opens(persona, route, mfa=mfa)]
    return [(route.endpoint.method, next(filled(route, hostile=False))) for route in routes]


@pytest.mark.parametrize("persona", MAY)
def test_a_persona_opens_its_routes_in_its_team_and_no_other(roles: World, persona: str) -> None:
    # The other mode has the same documents: see below.
    session, wrong = roles.session(persona), []
    for route in CATALOGUE:
        for path in filled(route):
            for team in ("fraud", "search"):
                decision = roles.invoke(session, route.endpoint.method, team, path, API_CALL, MFA)
                if decision.allowed != (opens(persona, route) and own(persona, team)):
                    wrong.append(
                        f"{route.capability} {route.endpoint.method} /{team}{path}: {told(decision)}"
                    )
    assert not wrong, f"{len(wrong)}: " + "\n".join(wrong[:20])


def told(decision: Decision) -> str:
    return f"{decision.outcome.value} by {decision.layer.value} {decision.statement}"


@pytest.mark.parametrize("factor", [NO_MFA, FEDERATED], ids=["no-mfa", "federated"])
@pytest.mark.parametrize("persona", MAY)
def test_without_a_second_factor_artifacts_are_not_deleted(
    world: World, persona: str, factor: Context
) -> None:
    session = world.session(persona)
    for route in CATALOGUE:
        for path in filled(route, hostile=False):
            decision = world.invoke(session, route.endpoint.method, "fraud", path, API_CALL, factor)
            assert decision.allowed == opens(persona, route, mfa=False), f"{route.endpoint}: {told(decision)}"


@pytest.mark.parametrize("persona", MAY)
def test_both_modes_have_the_same_documents(roles: World, session_tags: World, persona: str) -> None:
    there, here = roles.session(persona), session_tags.session(persona)
    names, same = (
        [policy.name.split(".")[1] for policy in (*session.identity, session.boundary) if policy]
        for session in (there, here)
    )
    assert names == same
    assert len(names) > 1
    for name in names:
        one, other = (world.template.named("aws_iam_policy", name) for world in (roles, session_tags))
        assert one["policy"] == other["policy"]


@pytest.mark.parametrize("persona", IN_ONE_TEAM)
def test_encoding_a_path_or_doubling_its_slash_opens_nothing(roles: World, persona: str) -> None:
    session = roles.session(persona)
    for route in CATALOGUE:
        if opens(persona, route):
            continue
        for path in disguised(next(filled(route, hostile=False))):
            decision = roles.invoke(session, route.endpoint.method, "fraud", path, API_CALL, MFA)
            assert not decision.allowed, f"{path}: {told(decision)}"


def disguised(path: str) -> Iterator[str]:
    """Yield other ways to write a path, all the same to MLflow."""
    yield f"/{path}"
    head, _, last = path.rpartition("/")
    for part in [path[1:], last]:
        if part:
            yield path.replace(part, f"%{ord(part[0]):02x}{part[1:]}", 1)
    yield head + "/" + "".join(f"%{ord(character):02X}" for character in last)
    yield quote(path, safe="")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("persona", IN_ONE_TEAM + IN_ALL_TEAMS)
def test_methods_that_are_in_no_catalogue_are_open_to_nobody(roles: World, persona: str, method: str) -> None:
    session = roles.session(persona)
    for path in {path for _, path in calls(persona)}:
        assert not roles.invoke(session, method, "fraud", path, API_CALL, MFA).allowed


@pytest.mark.parametrize("persona", MAY)
def test_the_teams_address_without_a_slash_is_a_page(roles: World, persona: str) -> None:
    # For a persona of every team API Gateway's ARN of it, METHOD/TEAM, cannot be told from METHOD/anything.
    page = "ui:read" in MAY[persona] and persona != "auditor"
    session = roles.session(persona)
    assert roles.invoke(session, "GET", "fraud", "", API_CALL).allowed == page
    assert roles.invoke(session, "GET", "fraudulent", "", API_CALL).allowed == (persona == "platform-admin")


@pytest.mark.parametrize("persona", IN_ONE_TEAM)
@pytest.mark.parametrize("tag", [None, "", "fraud/1", "fraud ", "Fraud", "search", "frau"])
def test_a_session_with_another_tag_or_none_is_not_of_the_team(
    roles: World, persona: str, tag: str | None
) -> None:
    session = roles.session(persona)
    session = session.tagged() if tag is None else session.tagged(team=tag)
    for method, path in calls(persona):
        assert not roles.invoke(session, method, "fraud", path, API_CALL, MFA).allowed


@pytest.mark.parametrize("persona", IN_ONE_TEAM)
@pytest.mark.parametrize("tag", [None, "", "fraud/1", "fraud ", "..", "a:b", "fraud+1", "a@b", "a_b", "a=b"])
def test_a_session_without_a_name_of_a_team_calls_nothing(
    roles: World, persona: str, tag: str | None
) -> None:
    session = roles.session(persona)
    session = session.tagged() if tag is None else session.tagged(team=tag)
    for team in {"fraud", "fraud/1", tag or ""}:
        for method, path in calls(persona):
            decision = roles.invoke(session, method, team, path, API_CALL, MFA)
            assert not decision.allowed, f"{team}{path}: {told(decision)}"


@pytest.mark.parametrize("persona", IN_ONE_TEAM + IN_ALL_TEAMS)
def test_a_call_is_of_this_api_from_the_clients_networks(roles: World, persona: str) -> None:
    session, (method, path) = roles.session(persona), calls(persona, mfa=False)[0]
    assert roles.invoke(session, method, "fraud", path, API_CALL).allowed
    for elsewhere in ({"aws:SourceIp": "203.0.113.9"}, {"aws:SourceIp": "2001:db8::1"}, {}):
        decision = roles.invoke(session, method, "fraud", path, elsewhere)
        assert (decision.outcome, decision.layer) == (Outcome.EXPLICITLY_DENIED, Layer.RESOURCE)
    request = f"{method}/fraud{path}"
    for arn in (
        f"{EXECUTE_API}:{API_ID}/test/{request}",
        f"{EXECUTE_API}:{API_ID}/api2/{request}",
        f"{EXECUTE_API}:{API_ID}/*/{request}",
        f"{EXECUTE_API}:zzzzzzzzzz/api/{request}",
        f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{API_ID}/api/{request}",
        f"arn:aws:execute-api:eu-west-1:{OTHER_ACCOUNT}:{API_ID}/api/{request}",
    ):
        assert not roles.ask(session, "execute-api:Invoke", arn, API_CALL, MFA).allowed, arn
    for action in ("execute-api:InvalidateCache", "execute-api:ManageConnections"):
        assert not roles.ask(session, action, f"{roles.stage}/{request}", API_CALL, MFA).allowed


@pytest.mark.parametrize("persona", IN_ONE_TEAM + IN_ALL_TEAMS)
def test_a_private_api_is_called_through_its_endpoint_alone(private: World, persona: str) -> None:
    session, (method, path) = private.session(persona), calls(persona, mfa=False)[0]
    door = private.door()
    assert private.invoke(session, method, "fraud", path, PRIVATE_CALL, endpoint=door).allowed
    for elsewhere in (
        {**PRIVATE_CALL, "aws:SourceVpce": "vpce-0123456789abcdef0"},
        {"aws:SourceIp": "10.1.2.3"},
        {**PRIVATE_CALL, "aws:VpcSourceIp": "192.168.0.1"},
        API_CALL,
    ):
        decision = private.invoke(session, method, "fraud", path, elsewhere)
        assert (decision.outcome, decision.layer) == (Outcome.EXPLICITLY_DENIED, Layer.RESOURCE), elsewhere


STRANGERS = {
    "administrator": administrator(),
    "administrator tagged with a team": administrator(team="fraud"),
    "role with a persona's name at another path": administrator("mlflow-dev-fraud-reader", team="fraud"),
    "role at a path that begins alike": administrator("mlflow-dev-2/reader/x", team="fraud"),
    "user": caller(f"{IAM}:user/anna", ANYTHING),
    "user at the personas' path": caller(f"{IAM}:user/mlflow-dev/anna", ANYTHING, team="fraud"),
    "account": caller(f"{IAM}:root"),
    "persona of another account": caller(
        f"arn:aws:iam::{OTHER_ACCOUNT}:role/mlflow-dev/platform-admin/mlflow-dev-platform-admin", ANYTHING
    ),
}


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_nobody_but_a_persona_calls_the_api(roles: World, stranger: Caller) -> None:
    for method, path in (("GET", "/"), ("POST", "/api/2.0/mlflow/runs/search"), ("GET", "/version")):
        for team in TEAMS:
            decision = roles.invoke(stranger, method, team, path, API_CALL, MFA)
            assert (decision.outcome, decision.layer) == (Outcome.EXPLICITLY_DENIED, Layer.RESOURCE)


@pytest.mark.parametrize("role", ["server", "api-logs", "flow-logs", "database-monitoring"])
def test_the_stacks_own_roles_do_not_call_the_api(roles: World, role: str) -> None:
    service = roles.role(role).caller
    assert not roles.invoke(service, "GET", "fraud", "/", API_CALL).allowed
    decision = roles.invoke(service.hostile(), "GET", "fraud", "/", API_CALL)
    assert (decision.outcome, decision.layer) == (Outcome.EXPLICITLY_DENIED, Layer.RESOURCE)


@pytest.mark.parametrize("persona", MAY)
def test_secrets_of_the_model_gateway_are_for_administrators(roles: World, persona: str) -> None:
    session = roles.session(persona)
    for mirror in ("api", "ajax-api"):
        for name in ("get", "list"):
            path = f"/{mirror}/3.0/mlflow/gateway/secrets/{name}"
            decision = roles.invoke(session, "GET", "fraud", path, API_CALL, MFA)
            assert decision.allowed == (persona in ("team-admin", "platform-admin"))
