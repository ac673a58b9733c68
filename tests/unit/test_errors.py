"""How problems are printed."""

from __future__ import annotations

import datetime

import pytest

from gatehouse.errors import LONGEST_VALUE, InputError, Problem, Raw, show


def test_a_problem_is_one_sentence_and_its_fix() -> None:
    problem = Problem("dev.yaml", "is too small", "use more", line=3, field="server.min_size", value=0)
    assert str(problem) == "dev.yaml:3: server.min_size: 0 is too small. Fix: use more."


def test_what_is_unknown_is_left_out() -> None:
    assert (
        str(Problem("dev.yaml", "the file is empty", "fill it."))
        == "dev.yaml: the file is empty. Fix: fill it."
    )


def test_an_input_error_prints_every_problem() -> None:
    error = InputError([Problem("a.yaml", "x", "y"), Problem("b.yaml", "x", "y")])
    assert str(error).splitlines() == ["a.yaml: x. Fix: y.", "b.yaml: x. Fix: y."]
    assert error.exit_code == 2


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a", '"a"'),
        ("é", '"é"'),
        ("a\nb", '"a\\nb"'),
        (True, "true"),
        (None, "null"),
        (1.5, "1.5"),
        (Raw("16.10"), "16.10"),
        (datetime.date(2026, 1, 31), '"2026-01-31"'),
        (["a", 1], '["a", 1]'),
        ({"a": [1, [2, [3]]]}, '{"a": [1, […]]}'),
        (list(range(9)), "[0, 1, 2, 3, 4, …]"),
    ],
)
def test_values_are_shown_as_they_stand_in_yaml(value: object, shown: str) -> None:
    assert show(value) == shown


def test_a_long_value_is_cut_and_an_endless_one_ends() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert len(show("x" * 1000)) == LONGEST_VALUE
    assert show(endless) == "[[[…]]]"
