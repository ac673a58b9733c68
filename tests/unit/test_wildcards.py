"""Which routes a pattern meets, against regular expressions and against the catalogue's own test of overlap."""

from __future__ import annotations

import re
from itertools import product

import pytest

from gatehouse.catalogue.model import Endpoint
from gatehouse.personas.wildcards import Shapes, bits, reachable, unknown


@pytest.mark.parametrize(
    ("shape", "pattern", "meet"),
    [
        ("/a", "/a", True),
        ("/a", "/ab", False),
        ("/ab", "/a", False),
        ("/a/b", "/*", True),
        ("/a/b", "*/b", True),
        ("/a/b", "/a*b", True),
        ("/a/b", "/a/*b", True),
        ("/a/b", "/a/b*", True),
        ("/a/b", "/*/c", False),
        ("/a/{}", "/a/", False),
        ("/a/{}", "/a/x", True),
        ("/a/{}", "/a/x/y", False),
        ("/a/{}", "/a/x*y", True),
        ("/a/{}/b", "/a/*/x/*", False),
        ("/a/{}/b", "/a/*/b", True),
        ("/a/{}/b", "/a/b", False),
        ("/a/{:path}", "/a/", True),
        ("/a/{:path}", "/a/x/y", True),
        ("/a/{:path}", "/a", False),
        ("/a/{:path}/b", "*/c/b", True),
        ("/a/{:path}/b", "*/c", False),
        ("/{:path}", "/", True),
    ],
)
def test_a_pattern_meets_a_shape(shape: str, pattern: str, meet: bool) -> None:
    assert Shapes([shape]).meet(pattern) is meet
    # The same beside others, which must not leak into it.
    others = ["/zz/{:path}", shape, "/zz/{}"]
    assert Shapes(others).met_by(pattern) >> 1 & 1 == meet


@pytest.mark.parametrize(
    ("shape", "pattern", "match"),
    [
        ("/a/{}", "/a/*", True),
        ("/a/{}", "/a/x", False),
        ("/a/{}/b", "/a/*/b", True),
        ("/a/{}/b", "/a/*b", True),
        ("/a/{}/b", "/a/*/*", True),
        ("/a/{}/b", "/a/*/*/b", False),
        ("/a/{:path}", "/a/*", True),
        ("/a/{:path}", "/a/*/*", False),
        ("/a", "/*/a", False),
    ],
)
def test_a_pattern_matches_a_shape_for_every_value(shape: str, pattern: str, match: bool) -> None:
    assert Shapes([unknown(shape)]).meet(pattern) is match


def test_any_number_of_slashes_at_the_start_reaches_a_route() -> None:
    shapes = Shapes([reachable("/a/{}"), reachable("/")])
    assert list(bits(shapes.met_by("/*/a/x"))) == [0]
    assert list(bits(shapes.met_by("///a/x"))) == [0]
    assert list(bits(shapes.met_by("//"))) == [1]
    assert not shapes.meet("/a//x")
    assert not Shapes(["/a/{}"]).meet("/*/a/x")


def test_all_patterns_of_a_small_alphabet_agree_with_the_overlap_of_endpoints() -> None:
    routes = ["/", "/a", "/a/{x}", "/a/{x}/a", "/{x:path}/a", "/a/{x:path}", "/{x}"]
    endpoints = [Endpoint(path, "GET") for path in routes]
    shapes = Shapes(endpoint.shape for endpoint in endpoints)
    texts = ["".join(text) for length in range(5) for text in product("/a*", repeat=length)]
    for text in texts:
        as_endpoint = Endpoint(re.sub(r"\*+", "{w:path}", text), "GET")
        expected = [number for number, one in enumerate(endpoints) if one.overlaps(as_endpoint)]
        assert list(bits(shapes.met_by(text))) == expected, text
