"""Capabilities, routes, and the catalogue of one MLflow version."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from gatehouse.errors import GatehouseError

_READ_WRITE_DELETE = ("read", "write", "delete")

#: The vocabulary: the verbs of each area. Order is the order in which they are shown.
AREAS: dict[str, tuple[str, ...]] = {
    "ui": ("read", "write"),
    "experiments": _READ_WRITE_DELETE,
    "runs": _READ_WRITE_DELETE,
    "traces": _READ_WRITE_DELETE,
    "evaluation": _READ_WRITE_DELETE,
    "datasets": _READ_WRITE_DELETE,
    "registry": ("read", "register", "promote", "write", "delete"),
    "prompts": _READ_WRITE_DELETE,
    "webhooks": _READ_WRITE_DELETE,
    "gateway": ("read", "use", "manage", "delete"),
    "workspaces": _READ_WRITE_DELETE,
    "artifacts": _READ_WRITE_DELETE,
}
METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
#: Pieces of a pattern beside plain characters: one of a segment, any number of a segment, any at all.
_ONE, _MANY, _ALL = "<one>", "<many>", "<all>"
_STARS = (_MANY, _ALL)
_PARAMETER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*(:path)?\}")


class CatalogueError(GatehouseError):
    """Routes, rules or a catalogue that do not fit together; the message names each one and the fix."""


@dataclass(frozen=True)
class Capability:
    """What a persona may do: ``area:verb`` of :data:`AREAS`."""

    area: str
    verb: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the capability written as ``area:verb``.

        Raises:
            CatalogueError: not in the vocabulary.

        """
        area, _, verb = text.partition(":")
        if area not in AREAS:
            raise CatalogueError(f"{text!r} is no capability. Fix: use one of the areas {', '.join(AREAS)}")
        if verb not in AREAS[area]:
            raise CatalogueError(f"{text!r} is no capability. Fix: {area} has {', '.join(AREAS[area])}")
        return cls(area, verb)

    def __str__(self) -> str:
        """Return ``area:verb``."""
        return f"{self.area}:{self.verb}"


#: Every capability, in the order in which they are shown.
CAPABILITIES = tuple(Capability(area, verb) for area, verbs in AREAS.items() for verb in verbs)


@dataclass(frozen=True, order=True)
class Endpoint:
    """A route as MLflow serves it: path pattern and method.

    ``{name}`` in the pattern is one or more characters of one segment, ``{name:path}`` any characters. HEAD
    goes with GET. OPTIONS, which every route of MLflow's Flask part answers with the methods it has, is in no
    catalogue and so granted to nobody.
    """

    path: str
    method: str

    @cached_property
    def shape(self) -> str:
        """The pattern without the parameters' names, which a new version may change: ``{}``, ``{:path}``."""
        return _PARAMETER.sub(lambda found: f"{{{found[1] or ''}}}", self.path)

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        parts = re.split(r"(\{:path\}|\{\})", self.shape)
        # Werkzeug wants one character for a path, Starlette none: the wider of the two.
        patterns = {"{}": "[^/]+", "{:path}": ".*"}
        return re.compile("".join(patterns.get(part, re.escape(part)) for part in parts), re.DOTALL)

    def matches(self, method: str, path: str) -> bool:
        """Whether a request could reach this route; ``path`` is decoded, as MLflow's routers see it.

        Flask takes any number of slashes at the start for one. Elsewhere it answers them with a redirection,
        which is another request.
        """
        same = self.method == ("GET" if method == "HEAD" else method)
        return same and bool(self._regex.fullmatch(f"/{path.lstrip('/')}"))

    def overlaps(self, other: Endpoint) -> bool:
        """Whether one request could reach either; which one it does, MLflow's routers decide."""
        if self.method != other.method:
            return False
        mine, others = self.shape.partition("{")[0], other.shape.partition("{")[0]
        if not (mine.startswith(others) or others.startswith(mine)):
            return False  # the usual case, and a fast answer
        return _meet(self._tokens, other._tokens)

    @cached_property
    def _tokens(self) -> tuple[str, ...]:
        found = re.findall(r"\{:path\}|\{\}|.", self.shape, re.DOTALL)
        tokens = {"{}": (_ONE, _MANY), "{:path}": (_ALL,)}
        return tuple(token for text in found for token in tokens.get(text, (text,)))

    def __str__(self) -> str:
        """Return ``METHOD path``."""
        return f"{self.method} {self.path}"


def _meet(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    """Whether some text fits both patterns: both are walked at once, over the pairs of places reached."""
    reached, ahead = set[tuple[int, int]](), [(0, 0)]
    while ahead:
        place = ahead.pop()
        if place in reached:
            continue
        reached.add(place)
        here, there = place
        one = first[here] if here < len(first) else None
        two = second[there] if there < len(second) else None
        if one is None and two is None:
            return True
        ahead += [(here + 1, there)] * (one in _STARS) + [(here, there + 1)] * (two in _STARS)
        if one is not None and two is not None and _share_a_character(one, two):
            ahead.append((here + (one not in _STARS), there + (two not in _STARS)))
    return False


def _share_a_character(one: str, two: str) -> bool:
    wide = {one, two} & {_ONE, _MANY, _ALL}
    if not wide:
        return one == two
    return "/" not in (one, two) or _ALL in wide


@dataclass(frozen=True)
class Route:
    """One line of the catalogue: an endpoint and the capability that opens it."""

    endpoint: Endpoint
    capability: Capability


@dataclass(frozen=True)
class Catalogue:
    """All routes of one MLflow version, sorted by path and method; no endpoint is there twice."""

    mlflow_version: str
    routes: tuple[Route, ...]

    def __iter__(self) -> Iterator[Route]:
        """Go through the routes."""
        return iter(self.routes)

    def __len__(self) -> int:
        """Return the number of routes."""
        return len(self.routes)

    @cached_property
    def endpoints(self) -> frozenset[Endpoint]:
        """The routes without their capabilities."""
        return frozenset(route.endpoint for route in self.routes)

    def of(self, *capabilities: Capability) -> tuple[Route, ...]:
        """Return the routes that these capabilities open, in the catalogue's order."""
        return tuple(route for route in self.routes if route.capability in capabilities)

    def matching(self, method: str, path: str) -> tuple[Route, ...]:
        """Return every route that a request could reach; none if MLflow answers 404.

        More than one where a literal segment stands beside a parameter (``traces/get``, ``traces/{trace_id}``).
        """
        return tuple(route for route in self.routes if route.endpoint.matches(method, path))

    def count(self) -> Counter[Capability]:
        """Return the number of routes of each capability."""
        return Counter(route.capability for route in self.routes)
