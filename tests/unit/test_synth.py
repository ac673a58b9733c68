"""Synthesis around the app: what is moved where, and what a failure leaves. The app is a stand-in."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gatehouse.errors import InputError
from gatehouse.files import FileError
from gatehouse.synth import SynthError, Synthesis, synthesize

if TYPE_CHECKING:
    from .conftest import App, Edit

OUTPUT = Path("cdktf.out")
DEV, PROD = (OUTPUT / "stacks" / name for name in ("dev", "prod"))


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _stacks() -> list[str]:
    return list(json.loads((OUTPUT / "manifest.json").read_text())["stacks"])


@pytest.fixture
def made(project: Path, app: App) -> Synthesis:
    """A first synthesis of all environments."""
    return synthesize(app=app())


def test_every_environment_gets_its_document(made: Synthesis) -> None:
    assert made.documents == {"dev": DEV / "cdk.tf.json", "prod": PROD / "cdk.tf.json"}
    assert all(path.is_file() for path in made.documents.values())
    assert _stacks() == ["dev", "prod"]
    assert [path.name for path in Path(".gatehouse").iterdir()] == ["synth.lock"]


def test_one_environment_leaves_the_others(made: Synthesis, app: App) -> None:
    (PROD / "cdk.tf.json").write_text("{}")
    assert list(synthesize(["dev"], app=app()).documents) == ["dev"]
    assert (PROD / "cdk.tf.json").read_text() == "{}"
    assert _stacks() == ["dev", "prod"]


def test_the_app_runs_in_the_folder_of_the_project(project: Path, app: App, tmp_path: Path) -> None:
    elsewhere = app("print(Path.cwd(), file=sys.stderr); sys.exit(1)")
    with pytest.raises(SynthError, match=str(project)):
        synthesize(folder=project, app=elsewhere)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("print('boom', file=sys.stderr); sys.exit(1)", r"exited with 1\).*It said:\nboom"),
        ("print('to stdout'); sys.exit(3)", r"exited with 3\).*It said:\nto stdout"),
        ("sys.exit(1)", "it said nothing"),
        ("raise RuntimeError('no node')", "RuntimeError: no node"),
        ("os.abort()", r"exited with -6\)"),
        ("pass", r"made no manifest\.json"),
        ("(out / 'manifest.json').write_text('{')", r"made a manifest\.json that is not JSON"),
        ("(out / 'manifest.json').write_text('[]')", "that is not a JSON object"),
        ("(out / 'manifest.json').write_text('{}')", "was to make dev, prod, and made none"),
        (
            "(out / 'manifest.json').write_text(json.dumps({'stacks': {'dev': {}}}))",
            "was to make dev, prod, and made dev",
        ),
        (
            "(out / 'manifest.json').write_text(json.dumps({'stacks': dict.fromkeys(names)}))",
            r"made no cdk\.tf\.json in dev",
        ),
    ],
)
def test_a_failed_synthesis_leaves_the_previous_output(
    made: Synthesis, app: App, body: str, message: str
) -> None:
    before = _files(OUTPUT)
    half = "(out / 'stacks' / 'dev').mkdir(parents=True)\n"
    with pytest.raises(SynthError, match=f"(?s){message}") as failed:
        synthesize(app=app(half + body))
    assert failed.value.exit_code == 1
    assert _files(OUTPUT) == before
    assert [path.name for path in Path(".gatehouse").iterdir()] == ["synth.lock"]


def test_a_half_written_document_is_not_installed(made: Synthesis, app: App) -> None:
    before = _files(OUTPUT)
    body = """
for name in names:
    (out / "stacks" / name).mkdir(parents=True)
    (out / "stacks" / name / "cdk.tf.json").write_text('{"resource": ' if name == "prod" else "{}")
(out / "manifest.json").write_text(json.dumps({"stacks": dict.fromkeys(names)}))
"""
    with pytest.raises(SynthError, match=r"made a cdk\.tf\.json that is not JSON"):
        synthesize(app=app(body))
    assert _files(OUTPUT) == before


def test_input_that_the_app_refuses_is_bad_input(project: Path, app: App) -> None:
    with pytest.raises(SynthError, match=r"^environments/dev\.yaml: too many teams$") as refused:
        synthesize(app=app("print('environments/dev.yaml: too many teams', file=sys.stderr); sys.exit(2)"))
    assert refused.value.exit_code == 2


def test_bad_files_are_refused_before_the_app_runs(made: Synthesis, edit: Edit, app: App) -> None:
    before = _files(OUTPUT)
    edit("zones: [a, b, c]", "zones: [a]", name="prod")
    with pytest.raises(InputError, match=r"environments/prod\.yaml:.*availability_zones"):
        synthesize(app=app("(Path.cwd() / 'ran').touch()"))
    assert not Path("ran").exists()
    assert _files(OUTPUT) == before


def test_a_stack_without_a_file_is_dropped_when_all_are_made(made: Synthesis, app: App) -> None:
    Path("environments/prod.yaml").unlink()
    synthesize(["dev"], app=app())
    assert PROD.is_dir()
    synthesize(app=app())
    assert not PROD.exists()
    assert _stacks() == ["dev"]


def test_what_terraform_keeps_is_never_touched(made: Synthesis, app: App) -> None:
    kept = {
        PROD / "terraform.tfstate": "prod",
        PROD / ".terraform.lock.hcl": "lock",
        PROD / ".terraform" / "providers" / "x": "provider",
        DEV / "terraform.tfstate": "dev",
        OUTPUT / "stacks" / "by-hand" / "cdk.tf.json": "{}",
    }
    for path, text in kept.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    Path("environments/prod.yaml").unlink()
    synthesize(app=app())
    assert {path: path.read_text() for path in kept} == kept
    assert not (PROD / "cdk.tf.json").exists()


@pytest.mark.parametrize("manifest", ["", "[]", '{"stacks": []}', '{"stacks": {"../../keep": {}, "..": {}}}'])
def test_a_strange_manifest_does_no_harm(project: Path, app: App, manifest: str) -> None:
    OUTPUT.mkdir()
    (OUTPUT / "manifest.json").write_text(manifest)
    Path("keep").mkdir()
    Path("keep/cdk.tf.json").write_text("mine")
    synthesize(app=app())
    assert Path("keep/cdk.tf.json").read_text() == "mine"
    assert _stacks() == ["dev", "prod"]


def test_two_runs_at_once_both_succeed(project: Path, app: App) -> None:
    script, done = app(), list[str]()
    threads = [
        threading.Thread(target=lambda name=name: done.extend(synthesize([name], app=script).documents))
        for name in ("dev", "prod")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == ["dev", "prod"]
    assert _stacks() == ["dev", "prod"]


def test_a_file_that_cannot_be_written_leaves_the_previous_output(made: Synthesis, app: App) -> None:
    (PROD / "cdk.tf.json").unlink()
    (PROD / "cdk.tf.json").mkdir()
    (DEV / "cdk.tf.json").write_text("{}")
    before = _files(OUTPUT)
    with pytest.raises(FileError, match=r"^cdktf\.out/stacks/prod/cdk\.tf\.json: is a folder.* Fix: "):
        synthesize(app=app())
    assert _files(OUTPUT) == before


def test_what_killed_runs_left_is_removed(made: Synthesis, app: App) -> None:
    Path(".gatehouse/synth-killed/stacks").mkdir(parents=True)
    Path(".gatehouse/synth-killed/stacks/x").touch()
    Path(".gatehouse/mine").touch()
    synthesize(app=app())
    assert sorted(path.name for path in Path(".gatehouse").iterdir()) == ["mine", "synth.lock"]


def test_a_folder_without_environments_is_left_as_it_was(tmp_path: Path, app: App) -> None:
    with pytest.raises(InputError, match="there is no environment file here"):
        synthesize(folder=tmp_path, app=app())
    assert not list(tmp_path.iterdir())


def test_a_file_in_place_of_the_work_folder_is_explained(project: Path, app: App) -> None:
    Path(".gatehouse").touch()
    with pytest.raises(FileError, match=r"^\.gatehouse: is not a folder.* Fix: rename or remove it\.$"):
        synthesize(app=app())
