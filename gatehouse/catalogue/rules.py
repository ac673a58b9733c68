"""Which capability a route needs: the reviewed rules, and their application to the routes of a version."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

from gatehouse.catalogue.model import (
    METHODS,
    Capability,
    Catalogue,
    CatalogueError,
    Endpoint,
    Route,
)
from gatehouse.errors import InputError, Problem
from gatehouse.yaml_source import parse_yaml

RULES = Path(__file__).resolve().parents[1] / "data" / "catalogue" / "capabilities.yaml"
_BELOW = "/**"
_ALONE = "="
_MIRRORED = "/api/"
_PATH = re.compile(r"/(?:[A-Za-z0-9._:/-]|\{[A-Za-z_][A-Za-z0-9_]*(?::path)?\})*(?:\*\*)?")


@dataclass(frozen=True)
class Rule:
    """One line of the rules file; ``line`` counts from 1. ``alone`` leaves the mirror to another rule."""

    methods: tuple[str, ...]
    path: str
    capability: Capability
    line: int
    alone: bool = False

    @cached_property
    def _shapes(self) -> tuple[str, ...]:
        shape = Endpoint(self.path.removesuffix("**"), "").shape
        if self.alone or not shape.startswith(_MIRRORED):
            return (shape,)
        return (shape, f"/ajax-api/{shape.removeprefix(_MIRRORED)}")

    def matches(self, endpoint: Endpoint) -> bool:
        """Whether the rule speaks of this endpoint; the names of parameters do not matter."""
        if endpoint.method not in self.methods:
            return False
        if self.path.endswith(_BELOW):
            return endpoint.shape.startswith(self._shapes)
        return endpoint.shape in self._shapes

    def __str__(self) -> str:
        """Return the rule as it is written, with its line and its capability."""
        path = f"{_ALONE * self.alone}{self.path}"
        return f"line {self.line} ({self.capability}: {','.join(self.methods)} {path})"


def load_rules(path: Path = RULES) -> tuple[Rule, ...]:
    """Return the rules in a file, in its order.

    Raises:
        InputError: with every line that is no rule, and every capability that is none.

    """
    source = parse_yaml(path.read_text(encoding="utf-8"), path.name)
    rules: list[Rule] = []
    problems: list[Problem] = []
    if not isinstance(source.data, dict):
        raise InputError([Problem(path.name, "holds no capabilities", "write area:verb: [METHOD /path]")])
    for name, lines in source.data.items():
        try:
            capability = Capability.parse(str(name))
        except CatalogueError as error:
            what, _, fix = str(error).partition(". Fix: ")
            problems.append(Problem(path.name, what, fix, line=source.line_of([name])))
            continue
        for position, text in enumerate(lines if isinstance(lines, list) else [lines]):
            line = source.line_of([name, position])
            rule = _rule(text, capability, line)
            if rule is None:
                fix = f"write METHODS /path, with methods of {', '.join(METHODS)} joined by a comma"
                problems.append(Problem(path.name, "is no rule", fix, line=line, field=str(name), value=text))
            else:
                rules.append(rule)
    if problems:
        raise InputError(problems)
    return tuple(rules)


def _rule(text: object, capability: Capability, line: int) -> Rule | None:
    methods, _, written = text.partition(" ") if isinstance(text, str) else ("", "", "")
    names, path = tuple(methods.split(",")), written.removeprefix(_ALONE)
    alone = path != written
    if not set(names) <= set(METHODS) or not _PATH.fullmatch(path):
        return None
    if "**" in path and not path.endswith(_BELOW):
        return None
    if alone and not path.startswith(_MIRRORED):
        return None  # there is no mirror to leave out
    return Rule(names, path, capability, line, alone)


def assign(
    mlflow_version: str, endpoints: Collection[Endpoint], rules: Sequence[Rule], file: str = RULES.name
) -> Catalogue:
    """Return the catalogue of these endpoints: each one with the capability of the one rule that speaks of it.

    ``file`` is where to mend what is wrong.

    Raises:
        CatalogueError: with every endpoint that no rule or more than one speaks of, and every two of different
            capability that one request could reach. What is granted would otherwise depend on MLflow's order.

    """
    routes: list[Route] = []
    problems: list[str] = []
    for endpoint in sorted(endpoints):
        found = [rule for rule in rules if rule.matches(endpoint)]
        if len(found) == 1:
            routes.append(Route(endpoint, found[0].capability))
        elif found:
            both = " and ".join(map(str, found))
            problems.append(f"{endpoint}: more than one rule: {both}. Fix: make one narrower in {file}")
        else:
            problems.append(
                f"{endpoint}: no capability. Fix: find out what it does in MLflow {mlflow_version}, "
                f"and add a rule to {file}"
            )
    problems += [
        f"{one.endpoint} ({one.capability}) and {two.endpoint} ({two.capability}): one request could reach either, "
        f"and no policy can tell them apart. Fix: give both the same capability in {file}"
        for one, two in combinations(routes, 2)
        if one.capability != two.capability and one.endpoint.overlaps(two.endpoint)
    ]
    if problems:
        raise CatalogueError("\n".join(problems))
    return Catalogue(mlflow_version, tuple(routes))


def unused(rules: Iterable[Rule], catalogues: Collection[Catalogue]) -> list[Rule]:
    """Return the rules that speak of no route in any of the catalogues."""
    endpoints = {endpoint for catalogue in catalogues for endpoint in catalogue.endpoints}
    return [rule for rule in rules if not any(rule.matches(endpoint) for endpoint in endpoints)]
