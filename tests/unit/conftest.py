"""What tests share: a project folder of their own, edits of its environment files, a stand-in for the app."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from gatehouse.environment_file import parse_environment
from gatehouse.settings import Settings

ROOT = Path(__file__).resolve().parents[2]

Edit = Callable[..., Path]
App = Callable[..., Path]
Bind = Callable[..., Settings]

#: Does what main.py does, in milliseconds: a document and a manifest entry for each environment.
WHOLE_APP = """
    for name in names:
        (out / "stacks" / name).mkdir(parents=True)
        text = json.dumps({"resource": {"aws_vpc": {name: {"cidr_block": "10.0.0.0/16"}}}})
        (out / "stacks" / name / "cdk.tf.json").write_text(text)
    stacks = {name: {"name": name, "synthesizedStackPath": f"stacks/{name}/cdk.tf.json"} for name in names}
    (out / "manifest.json").write_text(json.dumps({"version": "1", "stacks": stacks}))
"""


@pytest.fixture
def repository() -> Path:
    """The repository's own folder."""
    return ROOT


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder of its own with the shipped environments, and the current folder of the test."""
    (tmp_path / "environments").mkdir()
    for name in ("dev", "prod"):
        source = ROOT / "environments" / f"{name}.yaml"
        (tmp_path / "environments" / source.name).write_bytes(source.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def edit(project: Path) -> Edit:
    """A function that replaces one piece of an environment file, seen to be there, and returns its path."""

    def change(old: str, new: str, *, name: str = "dev") -> Path:
        path = Path("environments") / f"{name}.yaml"
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {path}"
        path.write_text(text.replace(old, new))
        return path

    return change


@pytest.fixture(scope="session")
def bind() -> Bind:
    """A function that makes settings of dev.yaml with other bindings; keywords are top-level fields."""
    text = (ROOT / "environments" / "dev.yaml").read_text()

    def make(*bindings: object, mode: str = "roles", personas: object = None, **top: object) -> Settings:
        access = {"mode": mode, "personas": personas or {}, "bindings": list(bindings)}
        data = {**YAML(typ="safe", pure=True).load(text), "access": access, **top}
        return parse_environment(json.dumps(data), "dev.yaml")

    return make


@pytest.fixture
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    """A function that makes an app of a few lines, which see ``out`` and ``names`` as main.py does."""

    def make(body: str = WHOLE_APP) -> Path:
        head = """
            import json, os, sys
            from pathlib import Path
            out = Path(os.environ["CDKTF_OUTDIR"])
            names = os.environ["GATEHOUSE_ENVIRONMENTS"].split(",")
        """
        path = tmp_path_factory.mktemp("app") / "main.py"
        path.write_text(textwrap.dedent(head) + textwrap.dedent(body))
        return path

    return make
