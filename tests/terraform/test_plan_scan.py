"""A plan of the shipped dev environment by the real provider, judged as an operator would have it judged."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from gatehouse.environment_file import environment_names
from gatehouse.fields import ROOT
from gatehouse.scan.gate import judge_documents
from gatehouse.scan.waivers import WAIVERS, load_waivers
from tests.emulator.client import Emulator
from tests.terraform.conftest import TerraformIn
from tests.terraform.test_stack import make_project, stack

pytestmark = pytest.mark.terraform

#: A day on which every shipped waiver counts.
TODAY = date(2026, 11, 23)


def test_a_plan_of_dev_has_no_finding_beyond_waivers(
    tmp_path: Path, aws: Emulator, terraform_in: TerraformIn
) -> None:
    folder = stack(make_project(tmp_path), "dev")
    plan = terraform_in(folder, state="local").plan()
    path = tmp_path / "tfplan.json"
    path.write_text(json.dumps(plan.document), encoding="utf-8")
    waivers = load_waivers(ROOT / WAIVERS, environment_names(ROOT / "environments"), TODAY)

    (verdict,) = judge_documents({"dev": folder / "cdk.tf.json"}, waivers, TODAY, plans={"dev": path})

    assert verdict.failed == ()
    assert verdict.plan is not None
    assert verdict.plan.passed > 300
    # A first plan does not know the ids of what it makes, and policies name some.
    assert 0 < len(verdict.plan.unknown) < verdict.plan.policies
    assert {by.accepted.check for _finding, by in verdict.waived if by.waiver.only_when_known}
