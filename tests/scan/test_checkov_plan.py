"""Checkov over a real plan of a few resources of dev, and every way in which it could see nothing of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from gatehouse.scan.checkov_gate import read_document, scan_plan
from gatehouse.scan.findings import Finding, ScanError
from gatehouse.scan.gate import judge_documents
from gatehouse.scan.plan import read_plan

if TYPE_CHECKING:
    from checkov.common.output.report import Report
    from checkov.runner_filter import RunnerFilter
    from checkov.terraform.plan_runner import Runner

PLANNED = Path(__file__).parent / "planned"
DOCUMENT, PLAN = PLANNED / "cdk.tf.json", PLANNED / "plan.json"
RETENTION = ("CKV_AWS_338", "aws_cloudwatch_log_group.flow_logs")

Json = dict[str, Any]
Change = Callable[[Json], None]
Edited = Callable[[Change], Path]


@pytest.fixture
def edited(tmp_path: Path) -> Edited:
    """A function that writes the plan with a change and returns its path."""

    def make(change: Change) -> Path:
        content = json.loads(PLAN.read_bytes())
        change(content)
        path = tmp_path / "tfplan.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    return make


def findings(path: Path = PLAN) -> tuple[Finding, ...]:
    return scan_plan(read_plan(path, read_document(DOCUMENT), str(DOCUMENT))).findings


def refusal(path: Path = PLAN) -> str:
    """Return the one message with which the gate gives no verdict."""
    with pytest.raises(ScanError) as refused:
        findings(path)
    assert refused.value.exit_code == 2
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert ". Fix: " in message
    assert "\n" not in message
    return message


def test_a_plan_shows_what_the_document_leaves_to_variables() -> None:
    (verdict,) = judge_documents({"dev": DOCUMENT}, [], date(2026, 11, 23), [], plans={"dev": PLAN})
    (without,) = judge_documents({"dev": DOCUMENT}, [], date(2026, 11, 23), [])
    assert RETENTION in {(one.check, one.address) for one in verdict.failed}
    assert RETENTION not in {(one.check, one.address) for one in without.failed}
    assert set(without.failed) <= set(verdict.failed)
    assert verdict.plan is not None
    assert verdict.plan.findings == len(verdict.failed) - len(without.failed)
    assert verdict.plan.passed > 0
    assert verdict.plan.unknown == ("aws_s3_bucket_policy.storage_artifacts_policy.policy",)
    assert (without.plan, verdict.passed) == (None, without.passed)


def test_our_own_linters_see_the_plan_as_well(edited: Edited) -> None:
    def double(content: Json) -> None:
        (policy,) = (
            one["values"]
            for one in content["planned_values"]["root_module"]["resources"]
            if one["address"] == "aws_iam_role_policy.flow_logs_role_policy"
        )
        policy["policy"] = policy["policy"].replace(
            '"Effect":"Allow"', '"Effect":"Allow","NotResource":"x"', 1
        )

    def linter(terraform: Mapping[str, Any]) -> list[Finding]:
        text = terraform["resource"]["aws_iam_role_policy"]["flow_logs_role_policy"]["policy"]
        return (
            [Finding("GH113", "aws_iam_role_policy.flow_logs_role_policy", "x")]
            if "NotResource" in text
            else []
        )

    plans = {"dev": edited(double)}
    (verdict,) = judge_documents({"dev": DOCUMENT}, [], date(2026, 11, 23), [linter], plans=plans)
    assert "GH113" in {one.check for one in verdict.failed}


def test_a_finding_of_both_is_one() -> None:
    (verdict,) = judge_documents({"dev": DOCUMENT}, [], date(2026, 11, 23), [], plans={"dev": PLAN})
    places = [(one.check, one.address, one.place) for one in verdict.failed]
    assert len(places) == len(set(places))


def test_every_instance_of_a_resource_is_one_finding_under_its_address(
    edited: Edited, tmp_path: Path
) -> None:
    def repeat(content: Json) -> None:
        resources = content["planned_values"]["root_module"]["resources"]
        (group,) = (one for one in resources if one["type"] == "aws_cloudwatch_log_group")
        resources.remove(group)
        resources += [
            {**group, "address": f'{group["address"]}["{key}"]', "index": key} for key in ("a", "b.c")
        ]

    document = json.loads(DOCUMENT.read_bytes())
    document["resource"]["aws_cloudwatch_log_group"]["flow_logs"]["for_each"] = "${var.names}"
    found = scan_plan(read_plan(edited(repeat), document, "x")).findings
    assert [one.address for one in found if one.check == RETENTION[0]] == [RETENTION[1]]


def test_no_variable_of_the_environment_has_a_say(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = findings()
    monkeypatch.setenv("EVAL_TF_PLAN_AFTER_UNKNOWN", "true")
    assert findings() == usual
    assert os.environ["EVAL_TF_PLAN_AFTER_UNKNOWN"] == "true"


def test_a_plan_that_checkov_does_not_take_fails(edited: Edited) -> None:
    """Checkov alone sees nothing in it and ends with 0."""
    message = refusal(edited(lambda content: content.pop("terraform_version")))
    assert "Checkov did not see aws_cloudwatch_log_group.flow_logs" in message


def test_a_parsing_error_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from checkov.terraform import plan_utils

    def no_parse(path: str, errors: dict[str, str]) -> tuple[None, None]:
        errors[path] = "no"
        return None, None

    monkeypatch.setattr(plan_utils, "parse_tf_plan", no_parse)
    assert "Checkov cannot parse it" in refusal()


def test_a_resource_that_checkov_drops_fails(edited: Edited) -> None:
    """Checkov passes over what is forgotten, which planned_values may hold by a mistake of Terraform."""

    def forget(content: Json) -> None:
        (change,) = (
            one["change"]
            for one in content["resource_changes"]
            if one["address"] == "aws_iam_policy.boundary"
        )
        change["actions"] = ["forget"]

    assert "Checkov did not see aws_iam_policy.boundary, so no check" in refusal(edited(forget))


def test_a_resource_missing_in_the_graph_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from gatehouse.scan import checkov_runner

    monkeypatch.setattr(checkov_runner, "_planned_in_graph", lambda _runner: frozenset())
    assert "Checkov did not see" in refusal()


def test_a_plan_of_which_checkov_knows_nothing_fails(edited: Edited, tmp_path: Path) -> None:
    def only(content: Json) -> None:
        module = content["planned_values"]["root_module"]
        one = {"address": "aws_network_interface.n", "type": "aws_network_interface", "name": "n"}
        module["resources"] = [{**one, "mode": "managed", "values": {"description": "x"}}]

    path = edited(only)
    document: dict[str, Any] = {"resource": {"aws_network_interface": {"n": {}}}}
    with pytest.raises(ScanError, match="Checkov has no check for anything in it"):
        scan_plan(read_plan(path, document, "x"))


def test_a_crash_of_checkov_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from checkov.terraform.plan_runner import Runner

    def crash(*_arguments: object, **_named: object) -> NoReturn:
        raise KeyError("listener")

    monkeypatch.setattr(Runner, "check_tf_definition", crash)
    assert "Checkov failed: KeyError: 'listener'" in refusal()


def test_a_graph_check_that_crashes_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from checkov.common.checks_infra.registry import get_graph_checks_registry

    registry = get_graph_checks_registry("terraform")
    registry.load_checks()
    check = next(one for one in registry.checks if one.id == "CKV2_AWS_62")

    def crash(_graph: object) -> NoReturn:
        raise RuntimeError("no such vertex")

    monkeypatch.setattr(check, "run", crash)
    assert "ended with an error of their own: CKV2_AWS_62." in refusal()


def test_graph_checks_that_are_left_out_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    from checkov.common.output.report import Report as Empty
    from checkov.terraform.plan_runner import Runner as Plans

    def nothing(
        self: Runner, root_folder: str, runner_filter: RunnerFilter, tf_local_graph: object
    ) -> Report:
        return Empty("terraform_plan")

    monkeypatch.setattr(Plans, "_get_graph_report", nothing)
    assert "no graph check of Checkov has run over it" in refusal()


def test_a_name_that_checkov_passes_over_fails(tmp_path: Path) -> None:
    path = tmp_path / "plan.txt"
    path.write_bytes(PLAN.read_bytes())
    assert "ends in .json" in refusal(path)
