"""Terraform's expressions and functions: what each is worth, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gatehouse.errors import InputError
from tests.unit.stacks import Stack, stack_in


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return stack_in(tmp_path)


def worth(stack: Stack, text: object, **local_values: object) -> Any:  # noqa: ANN401 - JSON
    """Return the value of one attribute."""
    return (
        stack({"thing": {"one": {"at": text}}}, locals=local_values).resources["thing.one"].attributes["at"]
    )


def refusal(stack: Stack, text: object, **local_values: object) -> str:
    with pytest.raises(InputError) as refused:
        worth(stack, text, **local_values)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        (7, 7),
        (None, None),
        (True, True),
        ("$${aws:PrincipalTag/team}", "${aws:PrincipalTag/team}"),
        ("%%{ if }", "%{ if }"),
        ("costs 5$ or 10%", "costs 5$ or 10%"),
        ("$5 {x} %s", "$5 {x} %s"),
        ("${7}", 7),
        ("a${7}", "a7"),
        ("${true}${false}", "truefalse"),
        ("a$${b}${1}", "a${b}1"),
        ('${"a\\tb\\"c\\\\"}', 'a\tb"c\\'),
        ('${"\\u00e9\\U0001F600"}', "é😀"),
        ('${"x-${1 + 1}-$${y}"}', "x-2-${y}"),
        ('${"}"}', "}"),
        ('${{a = 1, "b": 2}["b"]}', 2),
        ("${{a = {b = 3}}.a.b}", 3),
        ("${[1, 2, 3][1]}", 2),
        ("${[[1, 2]][0].1}", 2),
        ("${[{a = 1}, {a = 2}][*].a}", [1, 2]),
        ("${1 + 2 * 3}", 7),
        ("${(1 + 2) * 3}", 9),
        ("${7 / 2}", 3.5),
        ("${8 / 2}", 4),
        ("${-7 % 3}", -1),
        ("${2 - -1}", 3),
        ("${1.5 + 1.5}", 3.0),
        ("x${1.5 + 1.5}", "x3"),
        ('${"5" + 1}', 6),
        ("${1 < 2 && 2 <= 2 && !(3 > 4) || false}", True),
        ("${1 == 1.0}", True),
        ('${1 == "1"}', False),
        ("${true == 1}", False),
        ("${[1, {a = null}] == [1, {a = null}]}", True),
        ("${[1] != [1, 2]}", True),
        ("${null == null}", True),
        ('${true ? "yes" : nothing.there.is}', "yes"),
        ("${false ? 1 : true ? 2 : 3}", 2),
        ("${min([3, 1, 2]...)}", 1),
        ("${  7  }", 7),
        ({"${1}": ["${2}", {"x": "y${3}"}]}, {"1": [2, {"x": "y3"}]}),
    ],
)
def test_a_template_is_worth(stack: Stack, text: object, value: object) -> None:
    found = worth(stack, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("abs(-3)", 3),
        ("alltrue([true, false])", False),
        ("anytrue([true, false])", True),
        ('base64decode("aMOp")', "hé"),
        ('base64encode("hé")', "aMOp"),
        ('base64sha256("")', "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        ('can(regex("^a", "abc"))', True),
        ('can(regex("^b", "abc"))', False),
        ("ceil(1.2)", 2),
        ('chomp("a\\r\\n\\n")', "a"),
        ('cidrhost("10.0.0.0/24", 5)', "10.0.0.5"),
        ('cidrhost("10.0.0.0/24", -1)', "10.0.0.255"),
        ('cidrsubnet("10.0.0.0/16", 8, 2)', "10.0.2.0/24"),
        ('cidrsubnet("fd00::/48", 16, 255)', "fd00:0:0:ff::/64"),
        (
            'cidrsubnets("10.1.0.0/16", 4, 4, 8, 4)',
            ["10.1.0.0/20", "10.1.16.0/20", "10.1.32.0/24", "10.1.48.0/20"],
        ),
        ('coalesce(null, "", "a")', "a"),
        ("coalescelist([], [1])", [1]),
        ('compact(["a", "", null, "b"])', ["a", "b"]),
        ("concat([1], [2, 3])", [1, 2, 3]),
        ('contains([1, "a"], "a")', True),
        ('contains([1], "1")', False),
        ("distinct([1, 2, 1, true])", [1, 2, True]),
        ('element(["a", "b"], 3)', "b"),
        ('endswith("abc", "bc")', True),
        ("flatten([[1, [2]], 3])", [1, 2, 3]),
        ("floor(1.8)", 1),
        ('format("%s-%03d %5s|%-%", "a", 7, "b")', None),
        (
            'format("%s-%03d %5s %.2f %v %q %t %%", "a", 7, "b", 1.5, [1], "c", true)',
            'a-007     b 1.50 [1] "c" true %',
        ),
        ('indent(2, "a\\nb")', "a\n  b"),
        ('index(["a", "b"], "b")', 1),
        ('join(",", ["a", 1], [true])', "a,1,true"),
        ('jsondecode("[1, {\\"a\\": null}]")', [1, {"a": None}]),
        ('jsonencode({b = [1, 2.0], a = "<&>é"})', '{"a":"\\u003c\\u0026\\u003eé","b":[1,2]}'),
        ("keys({b = 1, a = 2})", ["a", "b"]),
        ('length("é😀")', 2),
        ("length({a = 1})", 1),
        ('lookup({a = 1}, "b", 9)', 9),
        ('lower("ABC")', "abc"),
        ("max(1, 3, 2)", 3),
        ('md5("a")', "0cc175b9c0f1b6a831c399e269772661"),
        ("merge({a = 1, b = 1}, {b = 2})", {"a": 1, "b": 2}),
        ("min(2, 1)", 1),
        ("nonsensitive(sensitive(1))", 1),
        ("one([])", None),
        ("one([5])", 5),
        ("range(3)", [0, 1, 2]),
        ("range(1, 4)", [1, 2, 3]),
        ("range(4, 1)", [4, 3, 2]),
        ("range(1, 8, 3)", [1, 4, 7]),
        ('regex("[a-z]+", "53ab34")', "ab"),
        ('regex("(\\\\d\\\\d)-(\\\\d)", "12-3")', ["12", "3"]),
        ('regex("(?P<year>\\\\d+)", "in 2024")', {"year": "2024"}),
        ('regexall("[a-z]", "a1b")', ["a", "b"]),
        ('replace("a.b.c", ".", "-")', "a-b-c"),
        ('replace("hello world", "/w(.*)d/", "<$1>")', "hello <orl>"),
        ("reverse([1, 2])", [2, 1]),
        ("setintersection([1, 2], [2, 3])", [2]),
        ("setsubtract([1, 2], [2])", [1]),
        ('setunion(["b"], ["a", "b"])', ["a", "b"]),
        ('sha1("a")', "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
        ('sha256("")', "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("signum(-4)", -1),
        ('slice(["a", "b", "c"], 1, 2)', ["b"]),
        ('sort(["b", "a"])', ["a", "b"]),
        ('split(",", "a,b")', ["a", "b"]),
        ('startswith("abc", "ab")', True),
        ('strcontains("abc", "d")', False),
        ('strrev("abc")', "cba"),
        ('substr("hello", 1, 3)', "ell"),
        ('substr("hello", -3, -1)', "llo"),
        ("sum([1, 2.5])", 3.5),
        ('title("hello world")', "Hello World"),
        ('tobool("true")', True),
        ("tolist([1])", [1]),
        ("tomap({a = 1})", {"a": 1}),
        ('tonumber("12")', 12),
        ('toset(["b", "a", "b"])', ["a", "b"]),
        ("tostring(12)", "12"),
        ('trim("?!a?", "?!")', "a"),
        ('trimprefix("abc", "ab")', "c"),
        ('trimspace(" a\\n")', "a"),
        ('trimsuffix("abc", "bc")', "a"),
        ('try(index(["a"], "b"), 5)', 5),
        ('upper("a")', "A"),
        ("values({b = 1, a = 2})", [2, 1]),
        ('zipmap(["a", "b"], [1, 2])', {"a": 1, "b": 2}),
    ],
)
def test_a_function_is_worth(stack: Stack, call: str, value: object) -> None:
    if value is None and call.startswith("format"):
        assert "cannot be resolved: format: a verb is not read here" in refusal(stack, f"${{{call}}}")
    else:
        assert worth(stack, f"${{{call}}}") == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("%{ if true }a%{ endif }", "has a template directive"),
        ("${[for x in [1] : x]}", "has for, which is not read"),
        ("${{for x in [1] : x => x}}", "has for, which is not read"),
        ("${count.index}", "has count, which is not read"),
        ("${each.key}", "has each, which is not read"),
        ("${self.id}", "has self, which is not read"),
        ("${[1].*.a}", "has a splat without brackets, which is not read"),
        ("${<<EOT}", "has a heredoc, which is not read"),
        ("${1 +}", "has } where an expression was expected"),
        ("${1 2}", "has 2 where } was expected"),
        ("${1", "has its end where } was expected"),
        ('${"a', 'has its end where " was expected'),
        ("${}", "has } where an expression was expected"),
        ("${var}", "has } where . was expected"),
        ('${"\\x"}', "has the unknown escape \\x"),
        ("a${[1]}", "a list is no string"),
        ("a${null}", "a null is no string"),
        ("${[1][1]}", "there is no index 1"),
        ("${[1][0.5]}", "there is no index 0.5"),
        ("${{a = 1}.b}", "there is no attribute b"),
        ('${"x".length}', "a string has no attribute length"),
        ("${1 / 0}", "nothing can be divided by zero"),
        ("${1 % 0}", "nothing can be divided by zero"),
        ('${"a" + 1}', "a string is no number"),
        ("${true + 1}", "a bool is no number"),
        ("${1 && true}", "a number is neither true nor false"),
        ("${timestamp()}", "the function timestamp is not known here"),
        ('${file("x")}', "the function file is not known here"),
        ("${lower()}", "lower does not take these arguments"),
        ("${element([], 0)}", "element: the list is empty"),
        ("${slice([1], 0, 2)}", "slice: 0 to 2 is not within a list of 1"),
        ('${regex("b", "a")}', "regex: the pattern does not match"),
        ('${regex("(", "a")}', "regex: the pattern is not read"),
        ('${regex("a$", "a\\n")}', "differ between RE2 and here"),
        ('${index(["a"], "b")}', "index: the value is not in the list"),
        ('${lookup({}, "a")}', "lookup: there is no key a"),
        ('${format("%s")}', "format: there are fewer arguments than verbs"),
        ('${format("a", 1)}', "format: there are more arguments than verbs"),
        ('${format("%z", 1)}', "format: %z is not read here"),
        ('${cidrsubnet("10.0.0.0/16", 8, 256)}', "has no subnet 256"),
        ('${cidrsubnets("10.0.0.0/30", 1, 1, 1)}', "has no room for them"),
        ('${base64decode("*")}', "the text is not Base64"),
        ('${jsondecode("{")}', "the text is not JSON"),
        ("${one([1, 2])}", "the list has 2 items"),
        ("${concat(1)}", "concat: a number is no list"),
        ("${concat(1...)}", "only a list can be spread"),
        ("${try(index([], 1))}", "try: none of the expressions has a value"),
        ("${range(0.5)}", "0.5 is no whole number"),
        ("${can(local.missing)}", "there is no local value missing"),  # Terraform refuses it, too
        ("${can(nothing.there.is)}", "there is no nothing.there"),
    ],
)
def test_what_has_no_value_is_refused(stack: Stack, text: str, message: str) -> None:
    found = refusal(stack, text)
    assert message in found
    assert ": thing.one.at: " in found
    assert text.removeprefix("a")[:10] in found  # the expression itself
    assert " Fix: " in found


def test_the_message_names_place_reference_and_fix(stack: Stack) -> None:
    document = stack({"thing": {"one": {"a": 1, "policy": "x ${local.nmae} y"}}}, locals={"name": 1})
    with pytest.raises(InputError) as refused:
        document.resources["thing.one"].value("policy")
    line = document.line_of("thing.one", "policy")
    assert str(refused.value) == (
        f"{document.path}:{line}: thing.one.policy: ${{local.nmae}} cannot be resolved: "
        "there is no local value nmae. Fix: write name if that was meant."
    )
    assert refused.value.exit_code == 2


def test_local_values_are_resolved_on_the_way(stack: Stack) -> None:
    assert worth(stack, "${local.b}", a="x", b="${local.a}y") == "xy"


def test_a_circle_is_refused(stack: Stack) -> None:
    found = refusal(stack, "${local.a}", a="${local.b}", b="${local.a}")
    assert "local.a: refers to itself: thing.one.at -> local.a -> local.b -> local.a" in found


def test_an_unknown_reference_elsewhere_does_not_block(stack: Stack) -> None:
    document = stack({"thing": {"one": {"good": "x", "bad": "${thing.two.id}"}}})
    assert document.resources["thing.one"].attributes["good"] == "x"
    with pytest.raises(InputError, match=r"there is no thing\.two"):
        document.check()
