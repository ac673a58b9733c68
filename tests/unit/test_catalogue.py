"""The shipped catalogues: what they say of the routes that matter, and how they are read and compared."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatehouse.catalogue import installed, shipped
from gatehouse.catalogue.model import (
    AREAS,
    CAPABILITIES,
    Capability,
    Catalogue,
    CatalogueError,
    Endpoint,
    Route,
)
from gatehouse.catalogue.rules import assign, load_rules, unused
from gatehouse.cli import app
from gatehouse.fields import SERVER_FILES

PINNED, OLDER = "3.17.2", "3.10.1"

#: Requests as they arrive, with parameters filled in, and the one capability that lets them through.
REQUESTS = """
GET    /                                                             ui:read
GET    /static-files/static/js/main.js                               ui:read
GET    /health                                                       ui:read
GET    //health                                                      ui:read
HEAD   /health                                                       ui:read
GET    /version                                                      ui:read
POST   /graphql                                                      ui:read
GET    /graphql                                                      ui:read
POST   /api/2.0/mlflow/experiments/search                            experiments:read
POST   /api/2.0/mlflow/experiments/delete                            experiments:delete
POST   /api/2.0/mlflow/experiments/restore                           experiments:write
POST   /api/2.0/mlflow/runs/search                                   runs:read
POST   /ajax-api/2.0/mlflow/runs/search                              runs:read
POST   /api/2.0/mlflow/runs/log-batch                                runs:write
POST   /api/2.0/mlflow/runs/delete-tag                               runs:write
POST   /api/2.0/mlflow/runs/delete                                   runs:delete
POST   ///api/2.0/mlflow/runs/delete                                 runs:delete
POST   /api/2.0/mlflow/logged-models/search                          runs:read
GET    /api/2.0/mlflow/logged-models/m-1                             runs:read
GET    /ajax-api/2.0/mlflow/logged-models/m-1                        artifacts:read
DELETE /api/2.0/mlflow/logged-models/m-1                             runs:delete
DELETE /api/2.0/mlflow/logged-models/m-1/tags/stage                  runs:write
GET    /api/2.0/mlflow/artifacts/list                                runs:read
POST   /api/3.0/mlflow/traces/search                                 traces:read
GET    /api/3.0/mlflow/traces/get                                    traces:read
GET    /api/3.0/mlflow/traces/tr-1                                   traces:read
POST   /api/3.0/mlflow/traces/delete-traces                          traces:delete
PATCH  /api/3.0/mlflow/traces/tr-1/tags                              traces:write
DELETE /api/3.0/mlflow/traces/tr-1/tags                              traces:delete
DELETE /ajax-api/3.0/mlflow/traces/tr-1/tags                         traces:delete
DELETE /api/2.0/mlflow/traces/tr-1/tags                              traces:write
POST   /v1/traces                                                    traces:write
GET    /ajax-api/3.0/mlflow/get-trace-artifact                       traces:read
POST   /api/3.0/mlflow/traces/tr-1/assessments                       evaluation:write
DELETE /api/3.0/mlflow/traces/tr-1/assessments/a-1                   evaluation:delete
POST   /api/3.0/mlflow/review-queues/delete                          evaluation:delete
POST   /api/3.0/mlflow/review-queues/get-or-create-user              evaluation:write
POST   /ajax-api/3.0/mlflow/scorer/invoke                            evaluation:write
PUT    /api/3.0/mlflow/scorers/online-config                         evaluation:write
POST   /ajax-api/3.0/jobs/search                                     evaluation:read
POST   /ajax-api/3.0/jobs/                                           workspaces:write
POST   /api/3.0/mlflow/datasets/search                               datasets:read
POST   /api/2.0mlflow/experiments/search-datasets                    datasets:read
DELETE /api/3.0/mlflow/datasets/d-1/records                          datasets:delete
POST   /api/3.0/mlflow/datasets/d-1/remove-experiments               datasets:write
POST   /api/2.0/mlflow/registered-models/get-latest-versions         registry:read
GET    /api/2.0/mlflow/model-versions/get-download-uri               registry:read
POST   /api/2.0/mlflow/registered-models/create                      registry:register
POST   /api/2.0/mlflow/model-versions/create                         registry:register
POST   /api/2.0/mlflow/model-versions/transition-stage               registry:promote
POST   /api/2.0/mlflow/registered-models/alias                       registry:promote
DELETE /api/2.0/mlflow/registered-models/alias                       registry:promote
GET    /api/2.0/mlflow/registered-models/alias                       registry:read
PATCH  /api/2.0/mlflow/model-versions/update                         registry:promote
POST   /api/2.0/mlflow/model-versions/set-tag                        registry:promote
DELETE /api/2.0/mlflow/model-versions/delete-tag                     registry:promote
POST   /api/2.0/mlflow/registered-models/rename                      registry:write
POST   /api/2.0/mlflow/registered-models/set-tag                     registry:write
DELETE /api/2.0/mlflow/model-versions/delete                         registry:delete
DELETE /api/2.0/mlflow/registered-models/delete                      registry:delete
POST   /api/3.0/mlflow/prompt-optimization/jobs/search               prompts:read
POST   /api/3.0/mlflow/prompt-optimization/jobs/j-1/cancel           prompts:write
GET    /api/2.0/mlflow/webhooks                                      webhooks:read
POST   /api/2.0/mlflow/webhooks/w-1/test                             webhooks:write
GET    /api/3.0/mlflow/gateway/endpoints/list                        gateway:read
GET    /api/3.0/mlflow/gateway/secrets/list                          gateway:manage
GET    /api/3.0/mlflow/gateway/secrets/get                           gateway:manage
GET    /ajax-api/3.0/mlflow/gateway/secrets/config                   gateway:manage
DELETE /api/3.0/mlflow/gateway/guardrails/remove-from-endpoint       gateway:manage
DELETE /api/3.0/mlflow/gateway/secrets/delete                        gateway:delete
POST   /gateway/mlflow/v1/chat/completions                           gateway:use
POST   /gateway/proxy/openai/v1/files                                gateway:use
POST   /gateway/gemini/v1beta/models/g:streamGenerateContent         gateway:use
GET    /ajax-api/2.0/mlflow/gateway-proxy                            gateway:use
GET    /api/3.0/mlflow/mcp-servers/io.github/files/versions/1.0      registry:read
POST   /api/3.0/mlflow/mcp-servers/io.github/files/aliases           gateway:manage
DELETE /ajax-api/3.0/mlflow/mcp-servers/io.github/files              gateway:delete
GET    /api/3.0/mlflow/workspaces                                    workspaces:read
POST   /api/3.0/mlflow/workspaces                                    workspaces:write
PATCH  /ajax-api/3.0/mlflow/workspaces/blue                          workspaces:write
DELETE /api/3.0/mlflow/workspaces/blue                               workspaces:delete
POST   /ajax-api/3.0/mlflow/assistant/message                        workspaces:write
GET    /ajax-api/3.0/mlflow/assistant/config                         workspaces:write
POST   /ajax-api/3.0/mlflow/demo/delete                              workspaces:delete
GET    /get-artifact                                                 artifacts:read
GET    /model-versions/get-artifact                                  artifacts:read
GET    /ajax-api/2.0/mlflow/logged-models/m-1/artifacts/files        artifacts:read
POST   /api/2.0/mlflow/artifacts/presigned-download-url              artifacts:read
GET    /api/2.0/mlflow-artifacts/presigned/1/a/b.bin                 artifacts:read
POST   /api/2.0/mlflow/artifacts/presigned-upload-url                artifacts:write
POST   /ajax-api/2.0/mlflow/upload-artifact                          artifacts:write
PUT    /api/2.0/mlflow-artifacts/artifacts/1/a/b.bin                 artifacts:write
DELETE /api/2.0/mlflow-artifacts/artifacts/1/a/b.bin                 artifacts:delete
"""

#: Requests that reach no route of the catalogue: MLflow answers 404 or 405, and nobody is granted them.
NOT_SERVED = """
GET     /api/2.0/mlflow/runs/search
DELETE  /api/2.0/mlflow/runs/delete
OPTIONS /api/2.0/mlflow/runs/search
GET     /api/2.0/mlflow/logged-models/a/b
GET     /api/3.0/mlflow/workspaces/
POST    /api/2.0//mlflow/runs/search
POST    /api/2.0/mlflow/runs/search/
GET     /docs
GET     /openapi.json
GET     /metrics
POST    /api/2.0/mlflow/users/create
"""

#: Every POST, in either version, that only reads.
READING_POSTS = frozenset(
    {
        "/graphql",
        "/api/2.0/mlflow/artifacts/presigned-download-url",
        "/api/2.0/mlflow/experiments/search",
        "/api/2.0/mlflow/experiments/search-datasets",
        "/api/2.0/mlflow/logged-models/search",
        "/api/2.0/mlflow/registered-models/get-latest-versions",
        "/api/2.0/mlflow/runs/search",
        "/api/2.0mlflow/experiments/search-datasets",
        "/api/3.0/jobs/search",
        "/api/3.0/mlflow/datasets/search",
        "/api/3.0/mlflow/issues/search",
        "/api/3.0/mlflow/prompt-optimization/jobs/search",
        "/api/3.0/mlflow/traces/batchGetInfos",
        "/api/3.0/mlflow/traces/calculate-filter-correlation",
        "/api/3.0/mlflow/traces/metrics",
        "/api/3.0/mlflow/traces/search",
    }
)
#: Every POST that deletes.
DELETING_POSTS = frozenset(
    {
        "/api/2.0/mlflow/experiments/delete",
        "/api/2.0/mlflow/runs/delete",
        "/api/2.0/mlflow/traces/delete-traces",
        "/api/3.0/mlflow/demo/delete",
        "/api/3.0/mlflow/review-queues/delete",
        "/api/3.0/mlflow/traces/delete-traces",
    }
)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return shipped.load(PINNED)


@pytest.fixture(scope="module")
def both() -> list[Catalogue]:
    return [shipped.load(version) for version in shipped.versions()]


def _api(path: str) -> str:
    return path.replace("/ajax-api/", "/api/", 1)


@pytest.mark.parametrize("line", REQUESTS.split("\n")[1:-1])
def test_a_request_needs_one_capability(catalogue: Catalogue, line: str) -> None:
    method, path, capability = line.split()
    assert {str(route.capability) for route in catalogue.matching(method, path)} == {capability}


@pytest.mark.parametrize("line", NOT_SERVED.split("\n")[1:-1])
def test_what_is_not_served_is_not_there(catalogue: Catalogue, line: str) -> None:
    assert catalogue.matching(*line.split()) == ()


def test_every_version_that_servers_install_has_a_catalogue() -> None:
    installable = {path.stem for path in (SERVER_FILES / "requirements").glob("*.txt")}
    assert installable <= set(shipped.versions())
    assert shipped.versions() == (OLDER, PINNED)


def test_the_shipped_catalogues_follow_the_rules(both: list[Catalogue]) -> None:
    rules = load_rules()
    for one in both:
        assert installed.differences(one, assign(one.mlflow_version, one.endpoints, rules)) == []
    assert [str(rule) for rule in unused(rules, both)] == []


def test_every_capability_opens_something(catalogue: Catalogue) -> None:
    assert set(catalogue.count()) == set(CAPABILITIES)


def test_a_get_reads_a_delete_does_not_and_the_rest_is_known(both: list[Catalogue]) -> None:
    """The verb is decided by what a route does; where its method suggests another, it is listed here."""
    odd = set()
    for one in both:
        for route in one:
            verb, method, path = route.capability.verb, route.endpoint.method, _api(route.endpoint.path)
            if method == "GET" and verb != "read":
                odd.add(f"{path} {route.capability}")
            if method != "GET" and verb == "read":
                assert method == "POST"
                assert path in READING_POSTS
            if method == "POST" and verb == "delete":
                assert path in DELETING_POSTS
            if method in ("PUT", "PATCH"):
                assert verb in ("write", "promote", "manage")
    assert odd == {
        "/api/2.0/mlflow/gateway-proxy gateway:use",
        "/api/3.0/mlflow/assistant/config workspaces:write",
        "/api/3.0/mlflow/assistant/providers workspaces:write",
        "/api/3.0/mlflow/assistant/providers/{provider}/health workspaces:write",
        "/api/3.0/mlflow/assistant/providers/{provider}/models workspaces:write",
        "/api/3.0/mlflow/assistant/sessions/{session_id}/stream workspaces:write",
        "/api/3.0/mlflow/gateway/secrets/config gateway:manage",
        "/api/3.0/mlflow/gateway/secrets/get gateway:manage",
        "/api/3.0/mlflow/gateway/secrets/list gateway:manage",
    }


@pytest.mark.parametrize("paths", [READING_POSTS, DELETING_POSTS])
def test_the_lists_of_posts_are_of_routes(catalogue: Catalogue, paths: frozenset[str]) -> None:
    verb = "read" if paths is READING_POSTS else "delete"
    found = [
        route for route in catalogue if route.endpoint.method == "POST" and route.capability.verb == verb
    ]
    assert {_api(route.endpoint.path) for route in found} == paths


def test_a_post_that_is_named_like_a_read_is_one(both: list[Catalogue]) -> None:
    names = ("search", "get", "list", "batchGet", "query", "metrics", "calculate", "download")
    wrong = [
        route
        for one in both
        for route in one
        if route.endpoint.method == "POST"
        and route.endpoint.path.rsplit("/", 1)[-1].startswith(names)
        and route.capability.verb != "read"
    ]
    assert {_api(route.endpoint.path) for route in wrong} == {
        "/api/3.0/mlflow/review-queues/get-or-create-user"
    }


def test_a_mirror_needs_what_its_original_needs(both: list[Catalogue]) -> None:
    others = set()
    for one in both:
        by_endpoint = {route.endpoint: route.capability for route in one}
        for endpoint, capability in by_endpoint.items():
            if endpoint.path.startswith("/api/"):
                mirror = Endpoint(endpoint.path.replace("/api/", "/ajax-api/", 1), endpoint.method)
                if by_endpoint[mirror] != capability:
                    others.add(f"{mirror} {by_endpoint[mirror]}")
    assert others == {"GET /ajax-api/2.0/mlflow/logged-models/{model_id} artifacts:read"}


def test_whoever_can_change_a_workspace_is_named_so(both: list[Catalogue]) -> None:
    for one in both:
        routes = [route for route in one if "/workspaces" in route.endpoint.path]
        assert len(routes) == 10
        assert {route.capability.area for route in routes} == {"workspaces"}


def test_only_3_17_has_these(both: list[Catalogue]) -> None:
    older, pinned = both
    assert older.endpoints < pinned.endpoints
    assert len(older) == 349
    assert len(pinned) == 485


# --- model --------------------------------------------------------------------------------------------------


def test_the_vocabulary_is_closed() -> None:
    assert Capability.parse("registry:promote") == Capability("registry", "promote")
    assert [str(Capability.parse(str(one))) for one in CAPABILITIES] == [str(one) for one in CAPABILITIES]
    assert len(CAPABILITIES) == sum(map(len, AREAS.values()))
    for text, fix in [
        ("models:read", "areas ui, "),
        ("runs:promote", "runs has read"),
        ("runs", "runs has"),
        ("", "areas"),
    ]:
        with pytest.raises(CatalogueError, match=fix):
            Capability.parse(text)


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/a/{x}", "/a/b", True),
        ("/a/{x}", "/a/", False),
        ("/a/{x}", "/a/b/c", False),
        ("/a/{x}", "/a/..", True),
        ("/a/{x}", "/a/b\n", True),
        ("/a/{x}:go", "/a/b:go", True),
        ("/a/{x}:go", "/a/b:stop", False),
        ("/a/{x:path}/c", "/a/b/b/c", True),
        ("/a/{x:path}", "/a/", True),
        ("/a.b", "/axb", False),
    ],
)
def test_a_pattern_fits_a_path(pattern: str, path: str, fits: bool) -> None:
    assert Endpoint(pattern, "GET").matches("GET", path) is fits
    assert Endpoint(pattern, "GET").matches("HEAD", path) is fits
    assert not Endpoint(pattern, "GET").matches("POST", path)


@pytest.mark.parametrize(
    ("first", "second", "meet"),
    [
        ("/a/{x}", "/a/get", True),
        ("/a/{x}", "/a/{y}", True),
        ("/a/{x}", "/a/", False),
        ("/a/{x}", "/a/get/b", False),
        ("/a/{x}/b", "/a/b/{y}", True),
        ("/a/{x}:go", "/a/{y}:stop", False),
        ("/a/{x:path}", "/a/b/c", True),
        ("/a/{x:path}/b", "/a/{y}/c/b", True),
        ("/a/{x:path}/b", "/a/{y:path}/c", False),
        ("/a/{x:path}", "/b/{y:path}", False),
        ("/a", "/a", True),
        ("/a", "/ab", False),
    ],
)
def test_two_patterns_overlap(first: str, second: str, meet: bool) -> None:
    assert Endpoint(first, "GET").overlaps(Endpoint(second, "GET")) is meet
    assert Endpoint(second, "GET").overlaps(Endpoint(first, "GET")) is meet
    assert not Endpoint(first, "GET").overlaps(Endpoint(second, "POST"))


def test_a_catalogue_gives_the_routes_of_capabilities(catalogue: Catalogue) -> None:
    some = catalogue.of(Capability("webhooks", "delete"), Capability("prompts", "delete"))
    assert [str(route.endpoint) for route in some] == [
        "DELETE /ajax-api/2.0/mlflow/webhooks/{webhook_id}",
        "DELETE /ajax-api/3.0/mlflow/prompt-optimization/jobs/{job_id}",
        "DELETE /api/2.0/mlflow/webhooks/{webhook_id}",
        "DELETE /api/3.0/mlflow/prompt-optimization/jobs/{job_id}",
    ]


# --- shipped files ------------------------------------------------------------------------------------------

SMALL = Catalogue(
    "3.99.0",
    (
        Route(Endpoint("/a", "GET"), Capability("ui", "read")),
        Route(Endpoint("/a", "POST"), Capability("registry", "register")),
        Route(Endpoint("/b/{x:path}", "DELETE"), Capability("workspaces", "delete")),
    ),
)


def test_a_catalogue_is_one_route_a_line() -> None:
    text = shipped.text_of(SMALL)
    assert text.splitlines()[1:] == [
        "ui:read            GET    /a",
        "registry:register  POST   /a",
        "workspaces:delete  DELETE /b/{x:path}",
    ]
    assert shipped.parse("3.99.0", text, "x") == SMALL


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("MLflow 3.99.0", "MLflow 3.98.0", "x:1: does not start with the head of MLflow 3.99.0"),
        ("ui:read ", "ui:raed ", "x:2: 'ui:raed' is no capability"),
        ("GET ", "GOT ", "x:2: has no method or path that is known: GOT /a"),
        ("POST   /a", "GET    /a", "x:3: is out of order or there twice: GET /a"),
        ("POST   /a", "POST   /c", "x:4: is out of order"),
        ("POST   /a", "POST   /a b", "x:3: is not CAPABILITY METHOD PATH"),
        ("GET    /a", "GET  /a", "x:4: is not as it was written"),
        ("{x:path}\n", "{x:path}", "x:4: is not as it was written"),
    ],
)
def test_a_file_that_was_edited_is_refused(old: str, new: str, message: str) -> None:
    text = shipped.text_of(SMALL).replace(old, new, 1)
    with pytest.raises(CatalogueError) as caught:
        shipped.parse("3.99.0", text, "x")
    assert str(caught.value).startswith(message)
    assert "Fix: " in str(caught.value)


def test_a_version_without_a_catalogue_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        CatalogueError, match=r"no catalogue of MLflow 3\.1\.0, only of 3\.10\.1, 3\.17\.2\. Fix: "
    ):
        shipped.load("3.1.0")
    with pytest.raises(CatalogueError, match="only of none"):
        shipped.load("3.1.0", tmp_path)


def test_versions_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    for version in ("3.9.1", "3.10.0", "3.2.12"):
        (tmp_path / f"{version}.routes").touch()
    assert shipped.versions(tmp_path) == ("3.2.12", "3.9.1", "3.10.0")


# --- installed ----------------------------------------------------------------------------------------------


def test_differences_name_the_routes() -> None:
    changed = Catalogue(
        "3.99.0",
        (
            Route(Endpoint("/a", "GET"), Capability("runs", "read")),
            SMALL.routes[1],
            Route(Endpoint("/c", "PUT"), Capability("runs", "write")),
        ),
    )
    assert installed.differences(SMALL, changed) == [
        "GET /a: ui:read in the catalogue, runs:read by the rules",
        "DELETE /b/{x:path}: in the catalogue, not served by MLflow 3.99.0",
        "PUT /c: served by MLflow 3.99.0, missing in the catalogue (runs:write)",
    ]
    assert installed.differences(SMALL, SMALL) == []


def test_a_check_fails_with_every_difference(catalogue: Catalogue) -> None:
    installed.check(catalogue)
    with pytest.raises(CatalogueError) as caught:
        installed.check(Catalogue(PINNED, catalogue.routes[1:]))
    assert str(caught.value).splitlines()[0] == "GET /: in the catalogue, not served by MLflow 3.17.2"
    assert "Fix: " in str(caught.value)


def test_a_python_without_mlflow_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"nowhere is no program\. Fix: name the Python"):
        installed.ask(tmp_path / "nowhere")
    with pytest.raises(CatalogueError, match=r"No module named 'mlflow'\. Fix: name a Python"):
        installed.ask(Path(sys.executable))


def _stand_in(tmp_path: Path, answer: str) -> str:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize("answer", ["hello", "[]", "{}", '{"mlflow_version": "3.99.0", "routes": [1]}'])
def test_another_program_is_refused(tmp_path: Path, answer: str) -> None:
    with pytest.raises(CatalogueError, match=r"printed no routes\. Fix: "):
        installed.ask(Path(_stand_in(tmp_path, answer)))


def test_build_writes_and_a_route_without_a_capability_is_named(tmp_path: Path) -> None:
    output = tmp_path / "out.routes"
    good = '{"mlflow_version": "3.99.0", "routes": [["/health", "GET"], ["/api/2.0/mlflow/runs/search", "POST"]]}'
    arguments = ["catalogue", "build", "--output", str(output), "--mlflow-python"]
    result = CliRunner().invoke(app, [*arguments, _stand_in(tmp_path, good)])
    assert result.exit_code == 0, result.output
    assert "MLflow 3.99.0" in result.output
    assert output.read_text().splitlines()[1:] == [
        "runs:read          POST   /api/2.0/mlflow/runs/search",
        "ui:read            GET    /health",
    ]
    before = output.read_text()
    bad = good.replace("runs/search", "runs/obliterate")
    result = CliRunner().invoke(app, [*arguments, _stand_in(tmp_path, bad)])
    assert result.exit_code == 1
    assert "POST /api/2.0/mlflow/runs/obliterate: no capability. Fix: " in result.output
    assert output.read_text() == before


def test_the_summary_counts_routes() -> None:
    result = CliRunner().invoke(app, ["catalogue"])
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert ["capability", "MLflow", OLDER, "MLflow", PINNED] in lines
    assert ["total", "349", "485"] in lines
    assert ["runs:write", "33", "33"] in lines
