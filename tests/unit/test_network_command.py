"""``gatehouse network``: its forms, its exit codes, and that a name in a document stays a name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from gatehouse.cli import app
from gatehouse.reachability.report import Report, report_on, written
from tests.unit.network_documents import DATABASE, behind_nat, network, rule
from tests.unit.stacks import Stack, stack_in

INGRESS = "aws_vpc_security_group_ingress_rule"
HOLE = {INGRESS: {"hole": rule(DATABASE, 5432, cidr_ipv4="10.0.0.0/24")}}
HOSTILE = "<script>alert('1')</script>&\"|`]"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return stack_in(tmp_path)


def report(stack: Stack, **changed: dict[str, Any]) -> Report:
    return report_on(stack(network(**changed)))


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["network", *arguments])
    return result.exit_code, result.output


def test_a_sound_network_ends_with_0_and_a_table(stack: Stack, tmp_path: Path) -> None:
    stack(network())
    code, told = run(str(tmp_path / "cdk.tf.json"))
    assert code == 0
    assert told.count("passed") >= 10
    assert "0 failed" in told


def test_a_hole_ends_with_1_and_its_way(stack: Stack, tmp_path: Path) -> None:
    stack(network(**HOLE))
    code, told = run(str(tmp_path / "cdk.tf.json"))
    assert code == 1
    assert re.search(
        rf"anything else in the VPC -> database d \(tcp 5432\) by .*{INGRESS}.hole \(line \d+\)", told
    )


def test_no_egress_can_be_asked_of_a_network_with_nat(stack: Stack, tmp_path: Path) -> None:
    egress = {"aws_vpc_security_group_egress_rule": {
        "out": rule("${aws_security_group.server.id}", 443, cidr_ipv4="0.0.0.0/0")
    }}  # fmt: skip
    stack(network(**behind_nat(), **egress))
    assert run(str(tmp_path / "cdk.tf.json"))[0] == 0
    assert run(str(tmp_path / "cdk.tf.json"), "--no-egress")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none/cdk.tf.json"], "none/cdk.tf.json: is not there"),
        (["nowhere"], "gatehouse synth nowhere"),
        (["{file}", "--var", "x"], "NAME=VALUE"),
        (["{file}", "--var", "x=1"], "no variable"),
    ],
)
def test_bad_input_ends_with_2(stack: Stack, tmp_path: Path, arguments: list[str], told: str) -> None:
    stack(network())
    code, output = run(*(one.format(file=tmp_path / "cdk.tf.json") for one in arguments))
    assert code == 2
    assert told in output


def test_a_type_that_is_not_modelled_ends_with_2(stack: Stack, tmp_path: Path) -> None:
    stack(network(aws_lambda_function={"f": {}}))
    code, output = run(str(tmp_path / "cdk.tf.json"))
    assert code == 2
    assert "aws_lambda_function.f" in output


def test_a_file_is_written_and_the_verdict_told(stack: Stack, tmp_path: Path) -> None:
    stack(network(**HOLE))
    picture = tmp_path / "network.svg"
    code, told = run(str(tmp_path / "cdk.tf.json"), "--format", "svg", "--output", str(picture))
    assert code == 1
    assert "NW03" in told
    assert picture.read_text(encoding="utf-8").startswith("<svg")


def test_json_has_the_graph_and_the_verdicts(stack: Stack) -> None:
    content = json.loads(written(report(stack, **HOLE), "json"))
    assert content["sound"] is False
    (failed,) = (one for one in content["verdicts"] if one["outcome"] == "failed")
    assert failed["id"] == "NW03"
    assert failed["failures"][0]["hops"]
    addresses = {one["address"] for one in content["nodes"]}
    assert {one[end] for one in content["edges"] for end in ("source", "target")} <= addresses


def test_picture_is_one_image_without_anything_from_elsewhere(stack: Stack) -> None:
    root = ET.fromstring(written(report(stack, **behind_nat(), **HOLE), "svg"))
    _, _, width, height = map(int, root.attrib["viewBox"].split())
    assert width < 1400
    boxes = [one for one in root.iter(f"{SVG}rect") if "rx" in one.attrib]
    assert boxes
    for one in boxes:
        left, top, wide, high = (int(one.attrib[name]) for name in ("x", "y", "width", "height"))
        assert left >= 0
        assert top >= 0
        assert left + wide <= width
        assert top + high <= height
    dashed = [one for one in root.iter(f"{SVG}path") if "stroke-dasharray" in one.attrib]
    assert len(dashed) == 1
    assert {one.tag for one in root.iter()}.isdisjoint({f"{SVG}script", f"{SVG}image", f"{SVG}use"})


def test_boxes_of_a_picture_do_not_lie_on_each_other(stack: Stack) -> None:
    root = ET.fromstring(written(report(stack, **behind_nat(), **HOLE), "svg"))
    places = [
        tuple(int(one.attrib[name]) for name in ("x", "y", "width", "height"))
        for one in root.iter(f"{SVG}rect")
        if "rx" in one.attrib
    ]
    for index, (left, top, wide, high) in enumerate(places):
        for other_left, other_top, other_wide, other_high in places[index + 1 :]:
            apart = left + wide <= other_left or other_left + other_wide <= left
            assert apart or top + high <= other_top or other_top + other_high <= top


@pytest.mark.parametrize("form", ["svg", "markdown", "mermaid"])
def test_a_hostile_name_stays_text(stack: Stack, form: str) -> None:
    found = written(report(stack, aws_lb={"b": {"name": HOSTILE}}, **HOLE), form)
    assert "<script" not in found
    if form == "svg":
        words = "".join(one.text or "" for one in ET.fromstring(found).iter(f"{SVG}text"))
        assert HOSTILE[:8] in words


def test_mermaid_is_a_flow_chart_line_by_line(stack: Stack) -> None:
    first, *lines = written(report(stack, aws_lb={"b": {"name": HOSTILE}}, **HOLE), "mermaid").splitlines()
    assert first == "flowchart LR"
    text = r'"[^"\[\]{}<>`|]*(?:<br/>[^"\[\]{}<>`|]*)*"'
    box, arrow = rf"  n\d+\[{text}\]", rf"  n\d+ (?:-->|-\.->)\|{text}\| n\d+"
    style = r"  linkStyle [\d,]+ stroke:#[0-9a-f]{6},stroke-width:3px"
    for line in lines:
        assert re.fullmatch(f"{box}|{arrow}|{style}", line), line
    declared = {line.split("[")[0].strip() for line in lines if "[" in line}
    used = {name for line in lines if "->" in line for name in re.findall(r"\bn\d+\b", line)}
    assert used <= declared


def test_markdown_has_a_row_for_each_invariant(stack: Stack) -> None:
    found = written(report(stack, **HOLE), "markdown")
    assert len(re.findall(r"^\| NW\d\d \| ", found, re.MULTILINE)) == 11
    assert "| NW03 | **failed** |" in found
    assert "```mermaid\nflowchart LR" in found
