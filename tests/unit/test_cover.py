"""The ARN patterns of personas: exact over the catalogue, and the smallest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import combinations
from random import Random
from urllib.parse import unquote

import pytest

from gatehouse.catalogue import shipped
from gatehouse.catalogue.model import (
    CAPABILITIES,
    METHODS,
    Capability,
    Catalogue,
    CatalogueError,
    Endpoint,
    Route,
)
from gatehouse.personas.cover import PREFIX, Cover, Pattern, cover, narrowest


def _all(areas: str, verb: str) -> set[str]:
    return {f"{area}:{verb}" for area in areas.split()}


READS = _all("ui experiments runs traces evaluation datasets registry artifacts", "read")
PIPELINE = "experiments runs datasets artifacts"
EVERY = {str(capability) for capability in CAPABILITIES}
PERSONAS = {
    "reader": READS,
    "data-scientist": READS | _all(f"{PIPELINE} traces evaluation", "write") | {"registry:register"},
    "model-approver": READS | {"registry:promote"},
    "ci-pipeline": _all(PIPELINE, "read") | _all(PIPELINE, "write") | {"registry:register"},
    "model-server": _all("registry artifacts", "read"),
    "team-admin": {one for one in EVERY if not one.startswith("workspaces:")},
    "auditor": {one for one in EVERY if one.endswith(":read")} - {"artifacts:read"},
    "platform-admin": EVERY,
}
EVERY_TEAM = ("auditor", "platform-admin")
TEAM, OTHER_TEAM = "fraud", "fraud-2"


def _capabilities(names: set[str] | str) -> list[Capability]:
    return [Capability.parse(one) for one in (names.split() if isinstance(names, str) else sorted(names))]


def _catalogue(text: str) -> Catalogue:
    lines = (line.split() for line in text.strip().splitlines())
    routes = [Route(Endpoint(path, method), Capability.parse(name)) for name, method, path in lines]
    return Catalogue("test", tuple(sorted(routes, key=lambda route: route.endpoint)))


def _cover(text: str, names: str, *, every_team: bool = False) -> Cover:
    return cover(_catalogue(text), _capabilities(names), every_team=every_team)


def _persona(version: str, persona: str) -> Cover:
    capabilities = _capabilities(PERSONAS[persona])
    return cover(shipped.load(version), capabilities, every_team=persona in EVERY_TEAM)


def _paths(patterns: Sequence[Pattern]) -> list[str]:
    return [f"{pattern.method} {pattern.path}" for pattern in patterns]


# --- small catalogues ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        # All of a method, and nothing of another.
        ("runs:read GET /a\nruns:read GET /b/c\nruns:write POST /a", "runs:read", ["GET /*"]),
        # The team's own address needs both forms.
        ("ui:read GET /\nruns:read GET /a", "ui:read", ["GET ", "GET /"]),
        ("ui:read GET /\nui:read GET /a", "ui:read", ["GET ", "GET /*"]),
        # One pattern for the words that begin alike, cut at a boundary and not within a word.
        (
            "runs:write POST /r/log-a\nruns:write POST /r/log-b\nruns:delete POST /r/lose",
            "runs:write",
            ["POST /r/log-*"],
        ),
        # One for those that end alike.
        (
            "runs:read POST /a/search\nruns:read POST /b/search\nruns:write POST /a/x",
            "runs:read",
            ["POST /*/search"],
        ),
        # Both mirrors at once.
        (
            "ui:read GET /x\nruns:read GET /api/r/get\nruns:read GET /ajax-api/r/get\nruns:write GET /s/get",
            "ui:read runs:read",
            ["GET /a*", "GET /x"],
        ),
        (
            "runs:read POST /api/r/a\nruns:read POST /ajax-api/r/b\nruns:write POST /api/s\nruns:write POST /r/x",
            "ui:read runs:read",
            ["POST /a*/r/*"],
        ),
        # Without ui:read none of the mirrors.
        (
            "runs:read GET /api/r/get\nruns:read GET /ajax-api/r/get\nruns:read GET /version",
            "runs:read",
            ["GET /api/*", "GET /version"],
        ),
        # A parameter is one segment for MLflow and any text for IAM.
        ("runs:read GET /a/{x}/info\nruns:write GET /a/{x}/data", "runs:read", ["GET /*/info"]),
        ("runs:read GET /a/{x:path}\nruns:write GET /b", "runs:read", ["GET /a/*"]),
        # Slashes at the start are one slash for MLflow: "/*/b" would fit "//b".
        ("runs:read GET /a/b\nruns:read GET /c/b\nruns:write GET /b", "runs:read", ["GET /a/b", "GET /c/b"]),
        # A literal behind a parameter does not begin with what could complete an escape.
        ("runs:read GET /a/{x}:go\nruns:write GET /a/{x}:stop", "runs:read", ["GET /a/*:go"]),
        ("runs:read GET /a/{x}bad-x\nruns:write GET /a/{x}-y", "runs:read", ["GET /*-x"]),
        # Nothing for nothing.
        ("runs:read GET /a", "runs:write", []),
    ],
)
def test_a_cover(text: str, names: str, expected: list[str]) -> None:
    found = _cover(text, names)
    assert _paths(found.patterns) == expected
    assert found.deny == ()
    assert found.proved_smallest


def test_a_pattern_says_what_it_opens() -> None:
    found = _cover("runs:read GET /a/x\ntraces:read GET /a/{y}/z\nui:read POST /q", "traces:read runs:read")
    assert found.patterns == (Pattern("GET", "/*", tuple(_capabilities("runs:read traces:read"))),)
    assert found.size == found.patterns[0].size == PREFIX + len("GET") + len("/*")


def test_routes_that_no_arn_can_tell_apart_are_all_named() -> None:
    text = """
        traces:read     GET    /traces/{id}
        evaluation:read GET    /traces/{id}/assessments
        runs:delete     DELETE /runs/{id}
        runs:write      DELETE /runs/{id}/tags
        runs:write      DELETE /runs/{id}/params
    """
    with pytest.raises(CatalogueError) as caught:
        _cover(text, "traces:read runs:delete")
    first, second = str(caught.value).splitlines()
    assert first.startswith(
        "runs:delete without runs:write: no ARN opens the first of these routes and not the"
    )
    assert (
        "DELETE /runs/{id} and DELETE /runs/{id}/params; DELETE /runs/{id} and DELETE /runs/{id}/tags"
        in first
    )
    assert first.endswith("Fix: add runs:write, or leave out runs:delete")
    assert (
        "GET /traces/{id} and GET /traces/{id}/assessments. Fix: add evaluation:read, or leave out" in second
    )
    found = _cover(text, "traces:read evaluation:read runs:delete runs:write")
    assert _paths(found.patterns) == ["DELETE /*", "GET /*"]


def test_a_mirror_that_is_not_told_apart_asks_for_the_user_interface() -> None:
    text = "runs:read GET /{x:path}/b\nruns:read GET /ajax-api/b"
    with pytest.raises(CatalogueError, match="Fix: add ui:read, or leave out runs:read"):
        _cover(text, "runs:read")


def test_no_literal_behind_a_wildcard_could_complete_an_escape() -> None:
    # "/a/%4" and "1bc-x" are sent as "/a/%41bc-x", which "/a/*1bc-x" matches and MLflow reads as "/a/Abc-x".
    assert narrowest(Endpoint("/a/{x}1bc-x", "GET").shape) == "/a/*-x"
    assert narrowest(Endpoint("/a/{x:path}/b", "GET").shape) == "/a/*/b"


@pytest.mark.parametrize("path", ["/a*", "/a?b", "/a%20b", "/${x}", "/a b", "/a/{x}*"])
def test_a_path_that_means_something_else_in_an_arn_is_refused(path: str) -> None:
    with pytest.raises(CatalogueError, match=r"no ARN can stand for this path\. Fix: "):
        narrowest(Endpoint(path, "GET").shape)


# --- every team ---------------------------------------------------------------------------------------------


def test_all_of_a_method_is_one_pattern_for_every_team() -> None:
    found = _cover("ui:read GET /\nui:read GET /a\nruns:read PUT /a", "ui:read", every_team=True)
    assert _paths(found.patterns) == ["GET "]


def test_a_pattern_for_every_team_does_not_reach_behind_a_prefix() -> None:
    text = "runs:read GET /r/x/a\nruns:read GET /r/y/b\nruns:write GET /s/r/x"
    assert _paths(_cover(text, "runs:read").patterns) == ["GET /r/*"]
    assert _paths(_cover(text, "runs:read", every_team=True).patterns) == ["GET /a", "GET /b"]
    reached = f"{text}\nruns:write GET /t/a"
    assert _paths(_cover(reached, "runs:read", every_team=True).patterns) == ["GET /b", "GET /x/a"]


def test_what_only_a_prefix_reaches_is_denied() -> None:
    text = """
        ui:read        GET /health
        runs:read      GET /r
        artifacts:read GET /files/{x:path}
        gateway:use    GET /p/{y}/health
    """
    found = _cover(text, "ui:read runs:read", every_team=True)
    assert _paths(found.patterns) == ["GET /health", "GET /r"]
    assert _paths(found.deny) == ["GET /*/*"]
    assert found.deny[0].capabilities == tuple(_capabilities("gateway:use artifacts:read"))


def test_a_denial_leaves_a_route_of_any_text_alone() -> None:
    text = "ui:read GET /static/{x:path}\nui:read GET /health\nartifacts:read GET /files/{x:path}"
    found = _cover(text, "ui:read", every_team=True)
    assert _paths(found.patterns) == ["GET /health", "GET /static/*"]
    assert _paths(found.deny) == ["GET /files/*"]


def test_a_denied_route_is_still_avoided_where_that_is_possible() -> None:
    text = "runs:read GET /mm/x-a\nruns:read GET /mm/x-b\nartifacts:read GET /x-y/{x:path}"
    found = _cover(text, "runs:read", every_team=True)
    assert _paths(found.patterns) == ["GET /mm/*"]
    assert _paths(found.deny) == ["GET /x-y/*"]


def test_a_route_that_cannot_be_denied_as_a_whole_is_denied_for_the_value_that_reaches_it() -> None:
    text = "ui:read GET /health\nruns:read GET /m/{x}/info\nartifacts:read GET /m/{x}"
    found = _cover(text, "ui:read runs:read", every_team=True)
    assert _paths(found.patterns) == ["GET /health", "GET /m/*/*"]
    assert _paths(found.deny) == ["GET /m/health"]


def test_what_neither_patterns_nor_denials_tell_apart_is_refused() -> None:
    apart = "runs:read GET /b\nruns:write GET /a/b"
    assert _paths(_cover(apart, "runs:read", every_team=True).deny) == ["GET /a/b"]
    with pytest.raises(CatalogueError, match="runs:read without runs:write"):
        _cover(f"{apart}\nruns:read GET /{{x}}/b", "runs:read", every_team=True)


# --- the smallest -------------------------------------------------------------------------------------------


def _brute_force(catalogue: Catalogue, opened: Capability) -> int:
    """The characters of the smallest cover, by trying every set of every pattern of the family.

    There are no parameters and no mirrors, so that every pattern can be tried on the texts themselves.
    """
    mine = [route.endpoint.path for route in catalogue if route.capability == opened]
    others = [route.endpoint.path for route in catalogue if route.capability != opened]
    family = set(mine)
    for path in mine:
        places = [place for place, character in enumerate(path) if character in "/-"]
        family |= {
            f"{path[: cut + 1]}*{path[end:]}" for cut in places for end in [*places, len(path)] if end > cut
        }
    cheapest: dict[frozenset[str], str] = {}
    for pattern in sorted(family, key=len):
        regex = re.compile(re.escape(pattern).replace(r"\*", ".*"))
        if not any(regex.fullmatch("/" * slashes + one) for one in others for slashes in range(3)):
            cheapest.setdefault(frozenset(one for one in mine if regex.fullmatch(one)), pattern)
    for count in range(1, len(mine) + 1):
        sizes = [
            sum(PREFIX + len("GET") + len(cheapest[one]) for one in chosen)
            for chosen in combinations(cheapest, count)
            if frozenset().union(*chosen) == frozenset(mine)
        ]
        if sizes:  # one more pattern costs more than the paths of all
            return min(sizes)
    raise AssertionError


@pytest.mark.parametrize("seed", range(20))
def test_no_smaller_cover_is_found_by_trying_all(seed: int) -> None:
    random = Random(seed)
    words = ("a", "b", "a-b", "b-a")
    paths = {"".join(f"/{random.choice(words)}" for _ in range(random.randint(1, 3))) for _ in range(6)}
    lines = [f"{random.choice(('runs:read', 'runs:write'))} GET {path}" for path in sorted(paths)]
    catalogue = _catalogue("\n".join([*lines, "runs:read GET /c", "runs:write GET /d"]))
    found = cover(catalogue, _capabilities("runs:read"))
    assert found.proved_smallest
    assert found.size == _brute_force(catalogue, Capability("runs", "read"))


# --- the built-in personas over the shipped catalogues ------------------------------------------------------

#: Values of {name}, as sent; then values that turn a route into the end of another one; then values of {name:path}.
HOSTILE = (
    "x",
    "..",
    "%2F",
    "%2f..%2Fx",
    "%2e%2e",
    "*",
    "tags",
    "assessments",
    "api",
    "search",
    "get",
    OTHER_TEAM,
)
ENDS = ("health", "graphql", "version", "static-files", "build", "artifacts")
PATHS = (
    "",
    "a/b",
    "x/api/2.0/mlflow/runs/get",
    "graphql",
    "x/static-files/y",
    "../../api/2.0/mlflow/runs/get",
)
PARAMETER = re.compile(r"\{\w+(:path)?\}")


def _filled(path: str, value: str) -> str:
    return PARAMETER.sub(lambda found: value if found[1] or value not in PATHS else "x", path)


@cache
def _requests(version: str) -> tuple[tuple[str, str, frozenset[Route], frozenset[Route]], ...]:
    """Method, path behind the team as sent, the routes that it reaches so, and those once it is decoded."""
    catalogue = shipped.load(version)
    requests = {
        (route.endpoint.method, _filled(route.endpoint.path, value))
        for route in catalogue
        for value in (*HOSTILE, *ENDS, *PATHS)
    }
    return tuple(
        (
            method,
            path,
            frozenset(catalogue.matching(method, path)),
            frozenset(catalogue.matching(method, unquote(path)) if "%" in path else ()),
        )
        for method, path in sorted(requests)
    )


def _arns(patterns: Sequence[Pattern], team: str) -> re.Pattern[str]:
    arns = [f"dev/{pattern.method}/{team}{pattern.path}" for pattern in patterns]
    return re.compile("|".join(re.escape(arn).replace(r"\*", ".*") for arn in arns) or r"(?!)", re.DOTALL)


def _opened(route: Route, persona: str) -> bool:
    if route.endpoint.path.startswith("/ajax-api/") and "ui:read" not in PERSONAS[persona]:
        return False
    return str(route.capability) in PERSONAS[persona]


@pytest.mark.parametrize("version", shipped.versions())
@pytest.mark.parametrize("persona", PERSONAS)
def test_a_persona_may_use_exactly_its_routes(version: str, persona: str) -> None:
    found = _persona(version, persona)
    every_team = persona in EVERY_TEAM
    allow, deny = _arns(found.patterns, "*" if every_team else TEAM), _arns(found.deny, "*")
    wrong = []
    for method, path, sent, decoded in _requests(version):
        arn = f"dev/{method}/{TEAM}{path}"
        allowed = bool(allow.fullmatch(arn)) and not deny.fullmatch(arn)
        mine = all(_opened(route, persona) for route in sent)
        if allowed and not (mine and all(_opened(route, persona) for route in decoded)):
            wrong.append(f"opened: {arn}")
        if not allowed and sent and mine:
            wrong.append(f"closed: {arn}")
    assert not wrong, "\n".join(wrong[:20])
    assert found.proved_smallest


@pytest.mark.parametrize("persona", sorted(PERSONAS.keys() - set(EVERY_TEAM)))
def test_nothing_reaches_another_team_method_or_stage(persona: str) -> None:
    allow = _arns(_persona("3.17.2", persona).patterns, TEAM)
    for method, path, _sent, _decoded in _requests("3.17.2"):
        for start in (f"dev/{method}/{OTHER_TEAM}", f"dev/{method}/x/{TEAM}", f"prod/{method}/{TEAM}"):
            assert not allow.fullmatch(start + path), start + path
        for other in ("HEAD", "OPTIONS"):
            assert not allow.fullmatch(f"dev/{other}/{TEAM}{path}"), path


@pytest.mark.parametrize("persona", sorted(PERSONAS.keys() - set(EVERY_TEAM)))
def test_no_spelling_of_a_closed_route_is_opened(persona: str) -> None:
    """As sent: more slashes at the start, or any one character encoded."""
    allow = _arns(_persona("3.17.2", persona).patterns, TEAM)
    for route in shipped.load("3.17.2"):
        if not _opened(route, persona):
            path = _filled(route.endpoint.path, "x")
            spelled = [f"/{path}", f"//{path}"]
            spelled += [f"{path[:at]}%{ord(path[at]):02x}{path[at + 1 :]}" for at in range(1, len(path))]
            for one in spelled:
                assert not allow.fullmatch(f"dev/{route.endpoint.method}/{TEAM}{one}"), one


def test_every_capability_is_opened_alone_or_says_what_it_needs() -> None:
    catalogue, needs = shipped.load("3.17.2"), set()
    for capability in CAPABILITIES:
        try:
            cover(catalogue, [capability, Capability("ui", "read")])
        except CatalogueError as error:
            needs |= set(re.findall(r"^(\S+ without \S+):", str(error), re.MULTILINE))
    assert needs == {
        "artifacts:read without runs:read",  # only with ui:read, under /ajax-api/
        "datasets:delete without datasets:write",
        "runs:delete without runs:write",
        "traces:delete without evaluation:delete",
        "traces:read without evaluation:read",
        "traces:write without evaluation:write",
    }


@pytest.mark.parametrize("version", shipped.versions())
@pytest.mark.parametrize("persona", PERSONAS)
def test_patterns_are_in_order_and_of_plain_characters(version: str, persona: str) -> None:
    found = _persona(version, persona)
    assert found is _persona(version, persona)
    assert list(found.patterns) == sorted(found.patterns, key=lambda one: (one.method, one.path))
    for pattern in (*found.patterns, *found.deny):
        assert pattern.method in METHODS
        assert re.fullmatch(r"(/[A-Za-z0-9._:*/-]*)?", pattern.path)
        assert not re.search(r"\*[0-9A-Fa-f*]", pattern.path), "it could complete an escape"
        held = {str(one) for one in pattern.capabilities}
        assert held
        assert held.isdisjoint(PERSONAS[persona]) if pattern in found.deny else held <= PERSONAS[persona]
