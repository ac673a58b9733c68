"""The rules that give routes their capabilities: how they match, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatehouse.catalogue.model import CatalogueError, Endpoint
from gatehouse.catalogue.rules import Rule, assign, load_rules, unused
from gatehouse.errors import InputError


def _load(tmp_path: Path, text: str) -> tuple[Rule, ...]:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    return load_rules(path)


def _rule(tmp_path: Path, rule: str) -> Rule:
    (one,) = _load(tmp_path, f"runs:read:\n  - {rule}\n")
    return one


@pytest.mark.parametrize(
    ("rule", "endpoint", "fits"),
    [
        ("GET /a", "GET /a", True),
        ("GET /a", "POST /a", False),
        ("GET,POST /a", "POST /a", True),
        ("GET /a", "GET /a/", False),
        ("GET /a/{x}", "GET /a/{other}", True),
        ("GET /a/{x}", "GET /a/b", False),
        ("GET /a/{x}", "GET /a/{x:path}", False),
        ("GET /a/{x:path}", "GET /a/{y:path}", True),
        ("GET /api/a", "GET /api/a", True),
        ("GET /api/a", "GET /ajax-api/a", True),
        ("GET =/api/a", "GET /api/a", True),
        ("GET =/api/a", "GET /ajax-api/a", False),
        ("GET =/api/a/**", "GET /api/a/b", True),
        ("GET =/api/a/**", "GET /ajax-api/a/b", False),
        ("GET /ajax-api/a", "GET /ajax-api/a", True),
        ("GET /ajax-api/a", "GET /api/a", False),
        ("GET /a/**", "GET /a/b/{x}", True),
        ("GET /a/**", "GET /a/", True),
        ("GET /a/**", "GET /a", False),
        ("GET /a/**", "GET /ab", False),
        ("GET /api/a/**", "GET /ajax-api/a/b", True),
        ("GET /a/{x}/**", "GET /a/{y}/b", True),
    ],
)
def test_a_rule_matches(tmp_path: Path, rule: str, endpoint: str, fits: bool) -> None:
    method, path = endpoint.split()
    assert _rule(tmp_path, rule).matches(Endpoint(path, method)) is fits


@pytest.mark.parametrize(
    "rule",
    [
        "GET",
        "/a",
        "GET a",
        "GOT /a",
        "GET, POST /a",
        "get /a",
        "'* /a'",
        "GET /a/**/b",
        "GET /a*",
        "GET /{}",
        "GET /a b",
        "GET =/a",
        "GET =/ajax-api/a",
        "GET ==/api/a",
        "GET = /api/a",
        "=GET /api/a",
        "17",
        "",
    ],
)
def test_what_is_no_rule_is_refused_with_its_line(tmp_path: Path, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        _load(tmp_path, f"runs:read:\n  - GET /ok\n  - {rule}\n")
    (problem,) = caught.value.problems
    assert str(problem).startswith("rules.yaml:3: runs:read: ")
    assert "is no rule. Fix: write METHODS /path" in str(problem)


def test_every_problem_of_the_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        _load(tmp_path, "runs:raed:\n  - GET /a\nmodels:read: []\nruns:write: GOT /a\nruns:delete:\n")
    assert [problem.line for problem in caught.value.problems] == [1, 3, 4, 5]
    with pytest.raises(InputError, match="holds no capabilities"):
        _load(tmp_path, "[]")


def test_a_route_without_a_rule_is_named(tmp_path: Path) -> None:
    rules = _load(tmp_path, "runs:read:\n  - GET /a\n")
    routes = [Endpoint("/a", "GET"), Endpoint("/b", "GET"), Endpoint("/a", "POST")]
    with pytest.raises(CatalogueError) as caught:
        assign("3.99.0", routes, rules)
    first, second = str(caught.value).splitlines()
    assert first.startswith("POST /a: no capability. Fix: find out what it does in MLflow 3.99.0")
    assert second.startswith("GET /b: no capability.")


def test_a_route_with_two_rules_is_named_with_both(tmp_path: Path) -> None:
    rules = _load(tmp_path, "runs:read:\n  - GET /a/**\nruns:write:\n  - GET,PUT /a/b\n")
    with pytest.raises(CatalogueError) as caught:
        assign("3.99.0", [Endpoint("/a/b", "GET")], rules)
    assert str(caught.value) == (
        "GET /a/b: more than one rule: line 2 (runs:read: GET /a/**) and line 4 (runs:write: GET,PUT /a/b). "
        "Fix: make one narrower in capabilities.yaml"
    )


def test_a_mirror_may_need_another_capability(tmp_path: Path) -> None:
    rules = _load(tmp_path, "runs:read:\n  - GET =/api/a\nruns:write:\n  - GET /ajax-api/a\n")
    catalogue = assign("3.99.0", [Endpoint("/api/a", "GET"), Endpoint("/ajax-api/a", "GET")], rules)
    assert [str(route.capability) for route in catalogue] == ["runs:write", "runs:read"]
    assert str(rules[0]) == "line 2 (runs:read: GET =/api/a)"


def test_two_rules_of_one_capability_are_too_many_as_well(tmp_path: Path) -> None:
    rules = _load(tmp_path, "runs:read:\n  - GET /a/**\n  - GET /a/b\n")
    with pytest.raises(CatalogueError, match="more than one rule"):
        assign("3.99.0", [Endpoint("/a/b", "GET")], rules)


def test_routes_that_one_request_could_reach_need_one_capability(tmp_path: Path) -> None:
    rules = _load(
        tmp_path, "runs:read:\n  - GET /a/{x}\nruns:write:\n  - GET /a/secret\n  - POST /a/secret\n"
    )
    routes = [Endpoint("/a/{x}", "GET"), Endpoint("/a/secret", "GET"), Endpoint("/a/secret", "POST")]
    with pytest.raises(CatalogueError) as caught:
        assign("3.99.0", routes, rules)
    assert str(caught.value).startswith(
        "GET /a/secret (runs:write) and GET /a/{x} (runs:read): one request could"
    )
    assert len(assign("3.99.0", routes[1:], rules)) == 2


def test_a_rule_that_nothing_needs_is_found(tmp_path: Path) -> None:
    rules = _load(tmp_path, "runs:read:\n  - GET /a\n  - GET /b\n")
    catalogue = assign("3.99.0", [Endpoint("/a", "GET")], rules)
    assert [rule.line for rule in unused(rules, [catalogue])] == [3]
