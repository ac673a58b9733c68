"""What ``gatehouse check`` proves of an environment that was synthesized, with a hole and without."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatehouse.fields import ROOT
from gatehouse.steps import prove_access, prove_network
from gatehouse.synth import document_path
from tests.synth.template import Template

Place = Callable[[dict[str, Any]], None]


@pytest.fixture
def place(stack: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return a function that makes a document that of the environment, in a project of its own."""
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    monkeypatch.chdir(tmp_path)

    def write(document: dict[str, Any]) -> None:
        path = document_path(stack.path.parent.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document), encoding="utf-8")

    return write


def test_all_holds_as_it_was_synthesized(stack: Template, place: Place) -> None:
    place(stack.document)
    name = stack.path.parent.name
    for step in (prove_access(name), prove_network(name)):
        assert step.sound, step.whole
        assert " 0 " in step.told


def test_a_hole_in_access_is_told(stack: Template, place: Place) -> None:
    document = copy.deepcopy(stack.document)
    del document["resource"]["aws_s3_bucket_policy"]["storage_artifacts_policy"]
    place(document)
    step = prove_access(stack.path.parent.name)
    assert not step.sound
    assert "FAIL tls" in step.whole


def test_a_hole_in_the_network_is_told(stack: Template, place: Place) -> None:
    document = copy.deepcopy(stack.document)
    rules = document["resource"]["aws_vpc_security_group_ingress_rule"]
    for rule in rules.values():
        rule.pop("referenced_security_group_id", None)
        rule["cidr_ipv4"] = "0.0.0.0/0"
    place(document)
    step = prove_network(stack.path.parent.name)
    assert not step.sound
    assert "NW03" in step.whole


def test_a_way_out_that_the_file_denies_is_told(
    dev: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The document with NAT cannot tell that there was to be none; the file of prod can."""
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    monkeypatch.chdir(tmp_path)
    for name in ("dev", "prod"):
        path = document_path(name)
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(dev.document), encoding="utf-8")
    assert prove_network("dev").sound
    step = prove_network("prod")
    assert not step.sound
    assert "NW07  failed" in step.whole
