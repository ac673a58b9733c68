"""What OLD and NEW mean: files, folders, and revisions of a repository whose code is a stand-in."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatehouse.access.diff.approvals import APPROVALS
from gatehouse.cli import app
from gatehouse.errors import InputError
from gatehouse.revisions import RevisionError, side
from tests.unit.test_access_approvals import approval, listed, widen
from tests.unit.test_access_diff import Blocks, blocks, written

DOCUMENT = Path("cdktf.out/stacks/dev/cdk.tf.json")
#: A Gatehouse that copies what the revision has, and tells which variables it got.
STAND_IN = """
import os, pathlib, sys
assert sys.argv[1] == "synth", sys.argv
if pathlib.Path("broken").exists():
    sys.exit("the environment is broken")
made = pathlib.Path("cdktf.out/stacks", sys.argv[2], "cdk.tf.json")
made.parent.mkdir(parents=True)
made.write_text(pathlib.Path("source.json").read_text())
pathlib.Path(made.parent, "variables").write_text(" ".join(os.environ))
"""


def text_of(content: Blocks) -> str:
    document = {"provider": {"aws": [{"region": "eu-west-1"}]}, "resource": written(content)}
    return json.dumps(document, indent=2)


def git(*arguments: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def commit(files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    git("add", "-A")
    git("commit", "-q", "-m", "change")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository with one environment in its first revision, whose readers are wider in the second."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    wide = blocks()
    widen(wide)
    commit(
        {
            "gatehouse/__init__.py": "",
            "gatehouse/__main__.py": STAND_IN,
            "environments/dev.yaml": "",
            "source.json": text_of(blocks()),
        }
    )
    commit({"source.json": text_of(wide)})
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["access", "diff", *arguments])
    return done.exit_code, done.output


def test_a_file_is_itself(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("{}")
    with side(str(path), None, APPROVALS) as found:
        assert (found.path, found.shown, found.approvals) == (path, str(path), None)


@pytest.mark.parametrize("below", ["cdk.tf.json", "stacks/dev/cdk.tf.json", str(DOCUMENT)])
def test_a_folder_has_a_document_or_environments(tmp_path: Path, below: str) -> None:
    (tmp_path / below).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / below).write_text("{}")
    with side(str(tmp_path), None, APPROVALS) as found:
        assert found.path == tmp_path / below


def test_a_folder_of_several_environments_needs_a_name(tmp_path: Path) -> None:
    for name in ("dev", "prod"):
        (tmp_path / "stacks" / name).mkdir(parents=True)
        (tmp_path / "stacks" / name / "cdk.tf.json").write_text("{}")
    with side(str(tmp_path), "prod", APPROVALS) as found:
        assert found.path.parent.name == "prod"
    with (
        pytest.raises(InputError, match=r"several environments.*--env dev, or prod"),
        side(str(tmp_path), None, APPROVALS),
    ):
        pass
    with (
        pytest.raises(InputError, match=r"no such environment.*dev, prod"),
        side(str(tmp_path), "test", APPROVALS),
    ):
        pass


def test_a_folder_without_documents_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"has neither cdk\.tf\.json nor"),
        side(str(tmp_path), None, APPROVALS),
    ):
        pass


@pytest.mark.parametrize("value", ["nowhere", "git:nowhere", "--output=x", "git:--all", "HEAD; touch x"])
@pytest.mark.usefixtures("repository")
def test_what_is_nothing_is_refused(value: str) -> None:
    with (
        pytest.raises(InputError, match="no file, no folder, and no revision"),
        side(value, "dev", APPROVALS),
    ):
        pass


@pytest.mark.parametrize("revision", ["HEAD", "git:HEAD"])
def test_a_revision_is_made_by_its_own_code_without_credentials(
    repository: Path, monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with side(revision, None, APPROVALS) as found:
        assert found.path.read_text() == (repository / "source.json").read_text()
        assert found.shown == f"HEAD:{DOCUMENT}"
        variables = (found.path.parent / "variables").read_text().split()
        assert "PATH" in variables
        assert "AWS_SECRET_ACCESS_KEY" not in variables
    assert not found.path.exists()
    assert not (repository / "cdktf.out").exists()


def test_a_revision_that_cannot_be_made_says_why(repository: Path) -> None:
    commit({"broken": ""})
    with pytest.raises(RevisionError, match="the environment is broken"), side("HEAD", "dev", APPROVALS):
        pass


@pytest.mark.usefixtures("repository")
def test_an_environment_that_a_revision_lacks_is_refused() -> None:
    with (
        pytest.raises(InputError, match=r"has no environment prod.*\(dev\)"),
        side("HEAD", "prod", APPROVALS),
    ):
        pass
    with pytest.raises(InputError, match="is no environment's name"), side("HEAD", "../dev", APPROVALS):
        pass


def test_a_committed_document_is_read_where_there_is_no_environment_file(repository: Path) -> None:
    git("rm", "-q", "-r", "environments")
    commit({str(DOCUMENT): text_of(blocks())})
    (repository / DOCUMENT).unlink()
    with side("HEAD", "dev", APPROVALS) as found:
        assert found.path.read_text() == text_of(blocks())


@pytest.mark.usefixtures("repository")
def test_new_access_between_revisions_ends_with_1() -> None:
    code, said = run("HEAD~1", "HEAD")
    assert code == 1
    assert f"HEAD:{DOCUMENT}:" in said
    assert "gatehouse-" not in said
    assert run("HEAD", "HEAD")[0] == 0


@pytest.mark.usefixtures("repository")
def test_access_that_is_only_lost_ends_with_0() -> None:
    code, said = run("HEAD", "HEAD~1")
    assert code == 0
    assert "Lost access" in said


@pytest.mark.usefixtures("repository")
def test_approvals_of_the_new_revision_count_once() -> None:
    commit({str(APPROVALS): listed(approval(do="s3:GetObject*"))})
    assert run("HEAD~2", "HEAD")[0] == 0
    assert run("HEAD~1", "HEAD")[0] == 1  # they approve nothing there
    commit({"other": ""})
    assert run("HEAD~1", "HEAD")[0] == 0  # and are spent here


def test_approvals_of_another_file(repository: Path) -> None:
    for name, text in (
        ("mine.yaml", listed(approval(do="s3:GetObject*"))),
        ("bad.yaml", listed("  - do: 1")),
    ):
        (repository / name).write_text(text)
    assert run("HEAD~1", "HEAD", "--approvals", "mine.yaml")[0] == 0
    assert run("HEAD~1", "HEAD", "--approvals", str(repository / "mine.yaml"))[0] == 0
    assert run("HEAD~1", "HEAD", "--approvals", "bad.yaml")[0] == 2
    code, said = run("HEAD~1", "HEAD", "--approvals", "none.yaml")
    assert (code, "none.yaml: is not there" in said) == (2, True)


def test_the_output_is_a_file_if_asked(repository: Path) -> None:
    code, said = run("HEAD~1", "HEAD", "--format", "markdown", "--output", "comment.md")
    assert (code, said) == (1, "comment.md written.\n")
    assert (repository / "comment.md").read_text(encoding="utf-8").startswith("### ❌ access")
