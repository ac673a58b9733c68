"""The pre-commit hooks and the workflow: they parse, what they run exists, and they may do no more than they need."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML

from gatehouse.cli import app
from gatehouse.fields import ROOT

Json = dict[str, Any]
HOOKS: list[Json] = YAML(typ="safe").load(ROOT / ".pre-commit-hooks.yaml")
WORKFLOW: Json = YAML(typ="safe").load(ROOT / "examples/github-actions/gatehouse.yml")
#: Fields of a hook in a manifest, those it must have first. Source: pre-commit.com, "Creating new hooks".
REQUIRED = {"id", "name", "entry", "language"}
ALLOWED = REQUIRED | {
    "additional_dependencies",
    "always_run",
    "args",
    "description",
    "exclude",
    "exclude_types",
    "fail_fast",
    "files",
    "language_version",
    "minimum_pre_commit_version",
    "pass_filenames",
    "require_serial",
    "stages",
    "types",
    "types_or",
    "verbose",
}
INPUTS = [
    "environments/dev.yaml",
    "environments/personas/x.json.j2",
    "templates/policies/api.json.j2",
    "waivers.yaml",
]


def steps() -> list[Json]:
    (job,) = WORKFLOW["jobs"].values()
    found: list[Json] = job["steps"]
    return found


def commands() -> Iterator[list[str]]:
    """Go through what hooks and workflow run of ours, as words after the program's name."""
    for hook in HOOKS:
        yield shlex.split(hook["entry"])[1:]
    for step in steps():
        for line in str(step.get("run", "")).splitlines():
            if "gatehouse " in line:
                yield shlex.split(line.partition(">>")[0])[1:]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_has_the_fields_of_a_manifest(hook: Json) -> None:
    assert set(hook) >= REQUIRED
    assert set(hook) <= ALLOWED
    assert hook["language"] == "system"
    assert hook["pass_filenames"] is False  # the program takes environments, not files


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_runs_for_what_a_document_is_made_of(hook: Json) -> None:
    assert all(re.search(hook["files"], name) for name in INPUTS)
    assert not any(
        re.search(hook["files"], name) for name in ("README.md", "tests/waivers.yaml", "environments/x.md")
    )


def test_there_are_the_hooks_and_commands() -> None:
    assert [hook["id"] for hook in HOOKS] == ["gatehouse-check", "gatehouse-scan"]
    assert len(list(commands())) == 5


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_command_takes_what_it_is_given(words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    name, *rest = words
    assert parses(command.commands[name], rest)


def parses(command: Any, words: list[str]) -> bool:  # noqa: ANN401 - typer brings its own click
    command.make_context(command.name, list(words))
    return True


def test_a_command_with_an_option_that_it_has_not_is_noticed() -> None:
    command: Any = typer.main.get_command(app)
    with pytest.raises(Exception, match="No such option"):
        parses(command.commands["scan"], ["--no-such"])


def test_make_has_the_target(repository_makefile: str) -> None:
    targets = [step["run"].split()[1] for step in steps() if str(step.get("run", "")).startswith("make ")]
    assert targets
    assert all(re.search(rf"^{target}:", repository_makefile, re.MULTILINE) for target in targets)


@pytest.fixture
def repository_makefile() -> str:
    return (ROOT / "Makefile").read_text(encoding="utf-8")


def test_every_action_is_pinned_by_commit() -> None:
    used = [step["uses"] for step in steps() if "uses" in step]
    assert len(used) == 4
    assert all(re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40}", name) for name in used)
    text = (ROOT / "examples/github-actions/gatehouse.yml").read_text(encoding="utf-8")
    assert len(re.findall(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", text, re.MULTILINE)) == len(used)


def test_the_workflow_may_read_and_report_and_nothing_else() -> None:
    (job,) = WORKFLOW["jobs"].values()
    assert WORKFLOW["permissions"] == {}
    assert job["permissions"] == {"contents": "read", "security-events": "write"}
    assert "pull_request_target" not in WORKFLOW["on"]
    (checkout,) = (step for step in steps() if str(step.get("uses", "")).startswith("actions/checkout@"))
    assert checkout["with"] == {"persist-credentials": False}
    # What somebody else wrote never becomes a part of a script.
    assert not any("${{" in str(step.get("run", "")) for step in steps())


def test_what_is_uploaded_is_what_was_written() -> None:
    written = {words[words.index("--output") + 1] for words in commands() if "--output" in words}
    uploaded = {
        step["with"].get("sarif_file") or step["with"].get("path")
        for step in steps()
        if "upload" in str(step.get("uses"))
    }
    assert written == uploaded == {"gatehouse.sarif", "gatehouse.xml"}
