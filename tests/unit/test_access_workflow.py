"""The workflow that comments on pull requests: what it may do, what it runs, and whose words it trusts."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
from ruamel.yaml import YAML

from gatehouse.fields import ROOT

PATH = ROOT / "examples/github-actions/access-diff.yml"
WORKFLOW: dict[str, Any] = YAML(typ="safe").load(PATH)
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
#: What nobody but GitHub writes: numbers, the name of the repository, our own output.
SAFE = {
    "github.event.pull_request.number",
    "github.event.pull_request.head.repo.full_name",
    "github.repository",
    "github.token",
    "needs.diff.outputs.comment",
    "steps.diff.outputs.comment",
}


def test_what_runs_the_pull_request_may_only_read() -> None:
    assert WORKFLOW["permissions"] == {}
    assert WORKFLOW["jobs"]["diff"]["permissions"] == {"contents": "read"}
    assert list(WORKFLOW["on"]) == ["pull_request"]


def test_what_may_comment_runs_nothing_of_the_pull_request() -> None:
    job = WORKFLOW["jobs"]["comment"]
    assert job["permissions"] == {"pull-requests": "write"}
    assert not any("uses" in step for step in job["steps"])
    assert "gatehouse access diff -->" in job["steps"][0]["run"]
    assert "bin/gatehouse" not in job["steps"][0]["run"]


def test_no_expression_is_in_a_script_and_none_has_a_title_or_branch() -> None:
    assert not any("${{" in str(step.get("run", "")) for step in STEPS)
    used = re.findall(r"\$\{\{(.*?)\}\}", PATH.read_text(encoding="utf-8"), re.DOTALL)
    names = {name for one in used for name in re.findall(r"(?:github|needs|steps|env|inputs)\.[\w.]+", one)}
    assert names == SAFE


def test_actions_are_pinned_and_keep_no_credentials() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert len(used) == 2
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", one) for one in used)
    (checkout,) = (step for step in STEPS if "actions/checkout@" in str(step.get("uses")))
    assert checkout["with"] == {"persist-credentials": False, "fetch-depth": 2}


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize("step", [step for step in STEPS if "run" in step], ids=lambda step: step["name"])
def test_scripts_are_shell(step: dict[str, Any]) -> None:
    done = subprocess.run(["bash", "-n"], input=step["run"], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
