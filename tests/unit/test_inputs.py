"""The record of what a document was made from, and every way in which a document can be out of date."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from gatehouse import inputs
from gatehouse.environment_file import load_environment
from gatehouse.inputs import RECORD, StaleError, check_current, project_digests, write_record

DOCUMENT = Path("cdktf.out/stacks/dev/cdk.tf.json")
AGAIN = "Fix: synthesize it anew: gatehouse synth dev"


@pytest.fixture
def program(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of its own: main.py, one module that is loaded, one that is not, and a template."""
    root = tmp_path_factory.mktemp("program")
    texts = ("main.py", "modules/stack.py", "modules/other.py", "templates/policies/a.json.j2", "tests/x.py")
    for name in texts:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "gatehouse/data/catalogue").mkdir(parents=True)
    (root / "gatehouse/data/catalogue/1.routes").write_text("routes")
    for name in ("modules.stack", "tests.x"):
        module = type(sys)(name)
        module.__file__ = str(root / f"{name.replace('.', '/')}.py")
        monkeypatch.setitem(sys.modules, f"loaded.{name}", module)
    monkeypatch.setattr(inputs, "ROOT", root)
    return root


@pytest.fixture
def document(project: Path, program: Path) -> Path:
    """A document with its record."""
    DOCUMENT.parent.mkdir(parents=True)
    DOCUMENT.write_text('{"resource": {}}')
    template = Path("environments/personas/x.json.j2")
    template.parent.mkdir()
    template.write_text("{}")
    settings = load_environment(Path("environments/dev.yaml"))
    write_record(
        DOCUMENT, project_digests(settings, Path("environments")) | {str(template): _digest(template)}
    )
    return DOCUMENT


def _digest(path: Path) -> str:
    return inputs._digest(path)


def refusal(document: Path) -> str:
    with pytest.raises(StaleError) as refused:
        check_current(document, "dev")
    assert refused.value.exit_code == 2
    message = str(refused.value)
    assert message.endswith(AGAIN)
    return message.removesuffix(f" {AGAIN}")


def test_a_document_of_these_inputs_is_current(document: Path) -> None:
    before = document.read_bytes()
    check_current(document, "dev")
    assert document.read_bytes() == before


def test_the_record_has_what_was_read_and_nothing_of_this_machine(document: Path) -> None:
    record = json.loads(document.with_name(RECORD).read_text())
    assert list(record["project"]) == ["environments/dev.yaml", "environments/personas/x.json.j2"]
    assert list(record["program"]) == [
        "gatehouse/data/catalogue/1.routes",
        "main.py",
        "modules/stack.py",
        "templates/policies/a.json.j2",
    ]


def test_the_record_is_the_same_each_time(document: Path) -> None:
    before = document.with_name(RECORD).read_bytes()
    write_record(document, json.loads(before)["project"])
    assert document.with_name(RECORD).read_bytes() == before


@pytest.mark.parametrize("name", ["environments/dev.yaml", "environments/personas/x.json.j2"])
def test_a_changed_file_of_the_project_is_named(document: Path, name: str) -> None:
    Path(name).write_text("changed")
    assert refusal(document) == f"{name} has changed since {document} was made from it."


@pytest.mark.parametrize(
    "name",
    ["main.py", "modules/stack.py", "templates/policies/a.json.j2", "gatehouse/data/catalogue/1.routes"],
)
def test_a_changed_file_of_the_program_is_named(document: Path, program: Path, name: str) -> None:
    (program / name).write_text("changed")
    assert refusal(document) == f"{name} has changed since {document} was made from it."


def test_a_removed_file_counts_as_changed(document: Path, program: Path) -> None:
    (program / "templates/policies/a.json.j2").unlink()
    Path("environments/dev.yaml").unlink()
    assert refusal(document).startswith("environments/dev.yaml and 1 more files have changed since")


def test_what_was_not_read_may_change(document: Path, program: Path) -> None:
    (program / "modules/other.py").write_text("changed")
    (program / "tests/x.py").write_text("changed")
    Path("environments/prod.yaml").write_text("changed")
    check_current(document, "dev")


def test_touching_a_file_changes_nothing(document: Path) -> None:
    path = Path("environments/dev.yaml")
    path.write_bytes(path.read_bytes())
    check_current(document, "dev")


def test_a_document_that_something_else_wrote_is_refused(document: Path) -> None:
    document.write_text('{"resource": {} }')
    assert refusal(document) == f"{document}: was changed after it was synthesized."


@pytest.mark.parametrize("record", [None, "", "[]", "{}", '{"document": "x", "project": {}, "program": {}}'])
def test_a_document_without_a_record_is_refused(document: Path, record: str | None) -> None:
    path = document.with_name(RECORD)
    path.unlink() if record is None else path.write_text(record)
    assert refusal(document) == f"{document}: nothing beside it says what it was made from."


def test_no_document_is_refused(document: Path) -> None:
    document.unlink()
    assert refusal(document) == f"{document}: there is no such file."


def test_a_template_that_is_not_there_is_left_to_rendering(project: Path) -> None:
    settings = load_environment(Path("environments/dev.yaml"))
    personas = {"x": type("Custom", (), {"template": "personas/none.json.j2"})()}
    access = settings.access.model_copy(update={"personas": personas})
    digests = project_digests(settings.model_copy(update={"access": access}), Path("environments"))
    assert list(digests) == ["environments/dev.yaml"]
