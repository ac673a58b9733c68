"""The fast synthesis and the stock one write the same bytes; so do two folders; and each measure can step aside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from gatehouse.fields import ROOT
from modules import fast_synth
from tests.project import copy_project

ENVIRONMENTS = ("dev", "prod")


def run_main(project: Path, output: Path, **variables: str) -> dict[str, bytes]:
    """Run ``main.py`` of ``project`` in a process of its own; return the output of each environment."""
    environment = {
        key: value for key, value in os.environ.items() if key not in ("NODE_OPTIONS", "JSII_NODE")
    }
    environment |= {"CDKTF_OUTDIR": str(output), **variables}
    subprocess.run([sys.executable, "main.py"], cwd=project, env=environment, check=True, capture_output=True)
    return {name: (output / "stacks" / name / "cdk.tf.json").read_bytes() for name in ENVIRONMENTS}


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the fast way writes."""
    return run_main(ROOT, tmp_path_factory.mktemp("fast"))


def test_fast_and_stock_output_are_the_same_bytes(fast: dict[str, bytes], tmp_path: Path) -> None:
    assert run_main(ROOT, tmp_path, **{fast_synth.STOCK_SWITCH: "1"}) == fast


def test_two_folders_give_the_same_bytes(fast: dict[str, bytes], tmp_path: Path) -> None:
    project = tmp_path / "some where else"
    copy_project(project)
    assert run_main(project, tmp_path / "output") == fast


def test_output_holds_no_path_of_the_machine(fast: dict[str, bytes]) -> None:
    for name, content in fast.items():
        assert str(ROOT).encode() not in content, name
        assert str(Path.home()).encode() + b"/" not in content, name


def package(folder: Path, *, jsii: bool) -> str:
    """Make an importable package whose ``__init__`` counts as expensive; return its name."""
    name = "expensive_package"
    (folder / name / "_jsii").mkdir(parents=True)
    (folder / name / "__init__.py").write_text("raise RuntimeError('the expensive part ran')")
    (folder / name / "cheap.py").write_text("VALUE = 1")
    if jsii:
        (folder / name / "_jsii" / "__init__.py").write_text("")
    return name


def test_submodules_load_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    name = package(tmp_path, jsii=True)
    assert fast_synth.skip_package_init(name)
    from importlib import import_module

    assert import_module(f"{name}.cheap").VALUE == 1


def test_a_package_of_another_shape_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    name = package(tmp_path, jsii=False)
    assert not fast_synth.skip_package_init(name)
    assert name not in sys.modules
    assert not fast_synth.skip_package_init("no_such_package_anywhere")


def test_a_loaded_package_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = ModuleType("already_there")
    monkeypatch.setitem(sys.modules, "already_there", loaded)
    assert not fast_synth.skip_package_init("already_there")
    assert sys.modules["already_there"] is loaded


@pytest.mark.parametrize("has_lazy_index", [True, False])
def test_node_preload_falls_back_to_the_index(tmp_path: Path, has_lazy_index: bool) -> None:
    library = tmp_path / "node_modules" / "@cdktf" / "provider-aws" / "lib"
    library.mkdir(parents=True)
    (library / "index.js").write_text("module.exports = 'index';")
    if has_lazy_index:
        (library / "lazy-index.js").write_text("module.exports = 'lazy';")
    script = tmp_path / "main.js"
    script.write_text("console.log(require('@cdktf/provider-aws/lib/index.js'));")
    node = os.environ["JSII_NODE"]
    environment = {"PATH": os.environ["PATH"]}
    answer = subprocess.run(
        [node, "--require", str(fast_synth.PRELOAD), str(script)],
        env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert answer.stdout.strip() == ("lazy" if has_lazy_index else "index")
