"""The program that lists MLflow's routes: what it reads off the two applications, and what it refuses."""

from __future__ import annotations

import importlib.util
from types import ModuleType, SimpleNamespace

import pytest

from gatehouse.catalogue.installed import PROGRAM


@pytest.fixture(scope="module")
def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mlflow_routes", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Route:
    """Stands in for Starlette's; the program goes by the names of classes."""

    def __init__(self, path: str, *methods: str) -> None:
        self.path, self.methods = path, set(methods)


class OwnRoute(Route):
    """A route of a class of MLflow's own."""


class _IncludedRouter:
    def __init__(self, prefix: str, *routes: object) -> None:
        self.original_router = SimpleNamespace(routes=routes)
        self.include_context = SimpleNamespace(prefix=prefix)


class Mount:
    def __init__(self, path: str, app: object) -> None:
        self.path, self.app = path, SimpleNamespace(app=app)


class WebSocketRoute:
    path = "/socket"


FLASK = object()


def _rule(path: str, *methods: str, **changes: object) -> SimpleNamespace:
    plain = {"websocket": False, "redirect_to": None, "host": None, "subdomain": None}
    given = {"rule": path, "methods": set(methods), "provide_automatic_options": True}
    return SimpleNamespace(**{**plain, **given, **changes})


def test_the_switches_are_the_launchers(program: ModuleType) -> None:
    switches = program.switches()
    assert switches["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert all(isinstance(value, str) for value in switches.values())


def test_routes_of_included_routers_are_read(program: ModuleType) -> None:
    routes = [
        _IncludedRouter("/pre", Route("/a/{x}", "GET"), OwnRoute("/b/{x:path}", "PUT")),
        Route("/c", "POST"),
        Mount("", FLASK),
    ]
    found = sorted(program.asgi_routes(routes, "", FLASK))
    assert found == [("/c", "POST"), ("/pre/a/{x}", "GET"), ("/pre/b/{x:path}", "PUT")]


@pytest.mark.parametrize(
    "route",
    [
        WebSocketRoute(),
        Route("/a"),
        Route("/a/{x:int}", "GET"),
        Mount("/other", FLASK),
        Mount("", object()),
        _IncludedRouter("/a", _IncludedRouter("/b", Route("/c", "GET"))),
    ],
)
def test_a_kind_of_route_that_is_not_known_is_an_error(program: ModuleType, route: object) -> None:
    with pytest.raises(program.UnknownRouteError):
        list(program.asgi_routes([route], "", FLASK))


def test_rules_of_flask_are_read(program: ModuleType) -> None:
    rules = [
        _rule("/a/<x>/<path:y>", "GET", "HEAD", "OPTIONS"),
        _rule("/b", "OPTIONS", provide_automatic_options=False),
    ]
    found = sorted(program.flask_routes(rules))
    assert found == [("/a/{x}/{y:path}", "GET"), ("/a/{x}/{y:path}", "HEAD"), ("/b", "OPTIONS")]


@pytest.mark.parametrize(
    "rule",
    [
        _rule("/a/<int:x>", "GET"),
        _rule("/a", "GET", websocket=True),
        _rule("/a", "GET", redirect_to="/b"),
        _rule("/a", "GET", subdomain="b"),
    ],
)
def test_a_rule_that_is_not_known_is_an_error(program: ModuleType, rule: object) -> None:
    with pytest.raises(program.UnknownRouteError):
        list(program.flask_routes([rule]))


def test_routes_are_sorted_and_distinct(program: ModuleType) -> None:
    routes = [("/b/{x}", "GET"), ("/b/{y}", "GET"), ("/b/{y}", "HEAD"), ("/c", "HEAD"), ("/a", "POST")]
    assert program.distinct(routes) == [("/a", "POST"), ("/b/{x}", "GET"), ("/c", "HEAD")]
