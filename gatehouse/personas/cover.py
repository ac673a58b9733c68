"""The ARN patterns that open a persona's routes and no other route of the catalogue.

The resource of a request is ``arn:aws:execute-api:REGION:ACCOUNT:APIID/STAGE/METHOD/TEAM/path``. A policy allows it
by patterns whose ``*`` is any text, slashes included. Three things make such a set exact:

- No pattern has a text in common with a route that the persona lacks, whatever its parameters hold, and however
  many slashes stand at the start, where MLflow takes several for one.
- That holds for encoded text, too. Say a pattern matches a path as it is sent, and MLflow decodes ``%XX`` in it:
  the parts that ``*`` matched turn into other text, which ``*`` matches as well, and the literal parts hold no
  ``%``. An escape that begins at the end of a ``*`` and ends in the literal behind it would change the literal;
  therefore no literal behind a ``*`` begins with a hexadecimal digit (:func:`narrowest`). The decoded path thus
  matches the same pattern, and meets no other route. Decoding twice, or partly, changes nothing.
- ``TEAM`` is a literal too, the tag of the principal, with ``/`` behind it; ``METHOD`` and ``STAGE`` stand before
  any ``*``. No ``*`` can reach another method, stage or team.

What is left for the server to keep: it serves the path that IAM decided on, decoded, and no other. A gateway may
change a path after the decision: decode a ``?``, which then ends it, resolve ``.`` and ``..``, drop slashes. Then the
server receives another path than the one that API Gateway sends beside it as decided on, and refuses the request
(``templates/server/sitecustomize.py``). Nor does it take a path with empty segments, ``.`` or ``..`` for another one.

A set that only allows is what makes this work: a Deny by path can be evaded by encoding a character of a literal
part. ``deny`` of :class:`Cover` is the one place where it is used nevertheless.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from gatehouse.catalogue.model import (
    CAPABILITIES,
    METHODS,
    Capability,
    Catalogue,
    CatalogueError,
    Endpoint,
    Route,
)
from gatehouse.personas.smallest import Column, smallest
from gatehouse.personas.wildcards import ANY, SEGMENT, Shapes, bits, reachable, unknown

#: Characters of ``arn:aws:execute-api:REGION:ACCOUNT:APIID/STAGE/`` and ``/${aws:PrincipalTag/team}``: what each
#: pattern costs beside its method and its path.
PREFIX = 88
_UI = Capability("ui", "read")
_FOR_UI = "/ajax-api/"
_MIRRORS = ("/api/", _FOR_UI)
_EITHER_MIRROR = "/a*"
_SPLIT_MIRROR = "/ajax"
# What "*" takes with it: a parameter, and the characters behind it that could complete an escape.
_VARIABLE = re.compile(r"(\{:path\}|\{\})[0-9A-Fa-f]*")
_PLAIN = re.compile(r"/[A-Za-z0-9._:~/*-]*")
_BOUNDARIES = "/-"


@dataclass(frozen=True)
class Pattern:
    """What opens routes: ``METHOD``, and behind the team the path, in which ``*`` is any text.

    The path is empty or begins with ``/``. Empty is the team's address without a slash at the end, which API Gateway
    has as a resource of its own; or, for every team, the whole method.

    ``capabilities`` are those of the routes that it matches, in the order in which they are shown. A route that it
    meets for single values of a parameter does not count: ``/*/runs/get`` also fits a static file of that name.
    """

    method: str
    path: str
    capabilities: tuple[Capability, ...]

    @property
    def size(self) -> int:
        """Characters of the whole ARN."""
        return PREFIX + len(self.method) + len(self.path)


@dataclass(frozen=True)
class Cover:
    """The patterns that open what a persona may use, by method and path.

    ``deny`` is for every team only, where ``*`` stands in the place of the team and can reach into the path:
    ``*/health`` also fits ``TEAM/.../providers/health``. Routes that can be reached only so, and by no other choice
    of patterns be avoided, are denied; a ``{name:path}`` at the end can hold any other route's path. These denials
    are a second line: a request that encodes a character of a literal part (``%61rtifacts``) evades them. The first
    line is the server, which refuses such paths, and, for the artifact proxy, answers every request with an error
    (``--no-serve-artifacts``).

    ``proved_smallest`` says that no other patterns of the same family (:func:`_family`) have fewer characters.
    """

    patterns: tuple[Pattern, ...]
    deny: tuple[Pattern, ...]
    proved_smallest: bool

    @property
    def size(self) -> int:
        """Characters of all ARNs that are allowed."""
        return sum(pattern.size for pattern in self.patterns)


def cover(
    catalogue: Catalogue,
    capabilities: Iterable[Capability],
    *,
    besides: Iterable[Capability] = (),
    every_team: bool = False,
) -> Cover:
    """Return the smallest set of patterns that opens the routes of these capabilities exactly.

    Without ``ui:read`` no route under ``/ajax-api/`` is opened, whatever its capability. HEAD and OPTIONS are opened
    to nobody. For ``every_team`` the ARN is ``METHOD/*PATH`` instead of ``METHOD/TEAM/PATH``; the team's address
    without a slash is then opened only with the whole method. What ``besides`` opens is open anyhow: it need not be
    opened here, nor avoided.

    Raises:
        CatalogueError: with every two capabilities that no patterns can tell apart, and their routes.

    """
    return _cover(catalogue, frozenset(capabilities), frozenset(besides), every_team)


@cache
def _cover(
    catalogue: Catalogue,
    capabilities: frozenset[Capability],
    besides: frozenset[Capability],
    every_team: bool,
) -> Cover:
    everything = capabilities | besides
    patterns: list[Pattern] = []
    deny: list[Pattern] = []
    proved, lines = True, list[str]()
    lead = "*" if every_team else ""
    for method in METHODS:
        routes = [route for route in catalogue if route.endpoint.method == method]
        available = [route for route in routes if _opens(route, everything)]
        opened = [route for route in available if route.capability in capabilities]
        closed = [route for route in routes if not _opens(route, everything)]
        if every_team and opened and not closed:
            patterns += _patterns(method, [""], opened, lead)
            continue
        split = _separate(opened, closed, lead)
        if split.inseparable:
            lines += _explain(split.inseparable, capabilities)
            continue
        allowed = _smallest([route.endpoint.shape for route in opened], split.avoid, lead)
        denied = _smallest([route.endpoint.shape for route in split.deny], split.deny_avoids, lead)
        patterns += _patterns(method, allowed.paths, opened, lead)
        deny += _patterns(method, denied.paths, split.deny, lead)
        proved = proved and allowed.proved and denied.proved
    if lines:
        raise CatalogueError("\n".join(lines))
    return Cover(tuple(patterns), tuple(deny), proved)


def _opens(route: Route, capabilities: Collection[Capability]) -> bool:
    return route.capability in capabilities and (
        _UI in capabilities or not route.endpoint.path.startswith(_FOR_UI)
    )


def _patterns(method: str, paths: Iterable[str], routes: Sequence[Route], lead: str) -> list[Pattern]:
    """Return the patterns of these paths with the capabilities of the routes that each one matches."""
    shapes = Shapes(unknown(route.endpoint.shape) for route in routes)
    patterns = []
    for path in sorted(paths):
        met = {routes[position].capability for position in bits(shapes.met_by(lead + path or "/"))}
        patterns.append(Pattern(method, path, tuple(one for one in CAPABILITIES if one in met)))
    return patterns


# --- telling routes apart -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Separation:
    """The shapes that the patterns of one method avoid, the routes denied, and those that cannot be told apart."""

    avoid: tuple[str, ...]
    deny: tuple[Route, ...]
    deny_avoids: tuple[str, ...]
    inseparable: tuple[tuple[Route, Route], ...]


def _separate(opened: Sequence[Route], closed: Sequence[Route], lead: str) -> _Separation:
    """Find the closed routes that even the narrowest pattern of an opened one meets; all others only meet more."""
    avoid = {route: reachable(route.endpoint.shape) for route in closed}
    avoided = Shapes(avoid.values())
    inseparable: list[tuple[Route, Route]] = []
    behind: dict[Route, list[Route]] = {}
    for route in opened:
        path = narrowest(route.endpoint.shape)
        direct = avoided.met_by(path)
        inseparable += [(route, closed[position]) for position in bits(direct)]
        for position in bits(avoided.met_by(lead + path) & ~direct):
            behind.setdefault(closed[position], []).append(route)
    # A {name:path} has room for any denied path; to deny that, and only that, harms nobody.
    shapes = [route.endpoint.shape for route in opened]
    deny_avoids = tuple(unknown(shape) if ANY in shape else shape for shape in shapes)
    opened_plainly = Shapes(deny_avoids)
    deny: list[Route] = []
    for other, routes in behind.items():
        denials = {other.endpoint.shape}
        if opened_plainly.meet(lead + narrowest(other.endpoint.shape)):
            denials = _in_one_parameter(
                other.endpoint.shape, [route.endpoint.shape for route in routes], lead
            )
        else:
            # Not a reason to go there: only what reaches into a parameter of it is left to the denial.
            avoid[other] = unknown(other.endpoint.shape)
        if not denials or any(opened_plainly.meet(lead + narrowest(one)) for one in denials):
            inseparable += [(route, other) for route in routes]
        deny += [Route(Endpoint(one, other.endpoint.method), other.capability) for one in sorted(denials)]
    return _Separation(tuple(avoid.values()), tuple(deny), deny_avoids, tuple(inseparable))


def _in_one_parameter(shape: str, reached: Sequence[str], lead: str) -> set[str]:
    """Return the shape with a parameter set to a word of the paths that reach it, for all ways to reach it so.

    ``.../logged-models/{}`` is reached by ``*/health`` with the model id ``health`` alone, and can be denied so
    where it cannot as a whole. Nothing is returned if there may be other ways: all segments have to be a parameter
    or a literal, and no path may reach the shape's literals without a word of its own in a parameter.
    """
    segments = shape.split("/")
    words = {word for path in reached for word in path.split("/") if word not in ("", SEGMENT, ANY)}
    if any("{" in word for word in words.union(segments) - {SEGMENT}):
        return set()
    paths = [lead + narrowest(path) for path in reached]
    if any(Shapes([unknown(shape)]).meet(path) for path in paths):
        return set()
    found = {
        "/".join([*segments[:position], word, *segments[position + 1 :]])
        for position, segment in enumerate(segments)
        if segment == SEGMENT
        for word in words
    }
    return {one for one in found if any(Shapes([one]).meet(path) for path in paths)}


def _explain(pairs: Iterable[tuple[Route, Route]], capabilities: Collection[Capability]) -> list[str]:
    found: dict[tuple[Capability, Capability], list[str]] = {}
    for route, other in pairs:
        key = (route.capability, _UI if other.capability in capabilities else other.capability)
        found.setdefault(key, []).append(f"{route.endpoint} and {other.endpoint}")
    return [
        f"{mine} without {other}: no ARN opens the first of these routes and not the second, because its * also "
        f"matches /: {'; '.join(routes)}. Fix: add {other}, or leave out {mine}"
        for (mine, other), routes in found.items()
    ]


# --- the smallest set of patterns ---------------------------------------------------------------------------


def narrowest(shape: str) -> str:
    """Return the narrowest pattern that matches a route whatever its parameters hold.

    Raises:
        CatalogueError: the path has a character that means something else in an ARN or an address.

    """
    path = _VARIABLE.sub("*", shape)
    if "*" in shape or not _PLAIN.fullmatch(path):
        raise CatalogueError(
            f"{shape}: no ARN can stand for this path. Fix: leave out its capability; a path is made of "
            "letters, digits and -._~:/"
        )
    return path


@dataclass(frozen=True)
class _Paths:
    paths: tuple[str, ...]
    proved: bool


def _smallest(shapes: Sequence[str], avoid: Sequence[str], lead: str) -> _Paths:
    """Return the smallest set of paths that match all the shapes whole, and meet none that is to be avoided."""
    avoided, wanted = Shapes(avoid), Shapes(map(unknown, shapes))
    family = _behind_any_team if lead else _family
    candidates = {path for shape in shapes for path in family(narrowest(shape), avoided)}
    # Of two that cost the same, the one with fewer wildcards comes first.
    ordered = sorted(candidates, key=lambda path: (path.count("*"), path))
    columns = [Column(PREFIX + len(path), wanted.met_by(lead + path), path) for path in ordered]
    choice = smallest(columns, (1 << len(shapes)) - 1)
    paths = tuple(column.name for column in choice.columns)
    return _Paths(("", *paths) if "/" in shapes and not lead else paths, choice.proved)


def _family(path: str, avoided: Shapes) -> Iterator[str]:
    """Yield the patterns that may stand for a path, but none that meets what is to be avoided.

    They are meant to be read: a ``*`` begins and ends where a word does, at ``/`` or ``-``, and there is one beside
    the parameters: at the end or within (``/api/2.0/mlflow/runs/log-*``, ``/api/2.0/*/search``). ``/a*`` may stand
    for both mirrors. Of two that differ in where one ``*`` begins or ends, the wider is cheaper and matches more, so
    the narrower is left out.
    """
    yield path
    yield from _widest("", path, avoided)
    if path.startswith(_MIRRORS):
        for begin in [*_boundaries(path)[1:], len(path)]:
            if path[:begin] != _SPLIT_MIRROR:
                if not avoided.meet(_EITHER_MIRROR + path[begin:]):
                    yield _EITHER_MIRROR + path[begin:]
                yield from _widest(_EITHER_MIRROR, path[begin:], avoided)


def _behind_any_team(path: str, avoided: Shapes) -> Iterator[str]:
    """Yield the same for a pattern with ``*`` before it, which may stand for the beginning of the path, too."""
    yield path
    for begin in _boundaries(path):
        if path[begin] == "/":
            if not avoided.meet("*" + path[begin:]):
                yield path[begin:]
            for pattern in _widest("*", path[begin:], avoided):
                yield pattern.removeprefix("*")


def _widest(head: str, path: str, avoided: Shapes) -> Iterator[str]:
    """Yield ``head`` and ``path`` with one part of the path replaced by ``*``, each as wide as can be."""
    boundaries = _boundaries(path)
    cut = len(boundaries) - 1
    for end in [len(path), *reversed(boundaries)]:
        while cut >= 0 and boundaries[cut] >= end:
            cut -= 1
        widest = None
        while cut >= 0:
            pattern = f"{head}{path[: boundaries[cut] + 1]}*{path[end:]}"
            if avoided.meet(pattern):
                break
            widest = pattern
            cut -= 1
        if widest is not None:
            yield widest
            cut += 1


def _boundaries(path: str) -> list[int]:
    return [position for position, character in enumerate(path) if character in _BOUNDARIES]
