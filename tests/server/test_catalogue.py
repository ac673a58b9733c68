"""The shipped catalogue against the MLflow that the servers run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatehouse.catalogue import installed, shipped
from gatehouse.catalogue.model import Catalogue
from gatehouse.cli import app
from gatehouse.fields import ROOT, SERVER_FILES

pytestmark = pytest.mark.server

PYTHON = ROOT / ".venv-server" / "bin" / "python"


@pytest.fixture(scope="module")
def mlflow_python() -> Path:
    """The server environment's Python; its absence skips on a laptop and fails in CI."""
    if not PYTHON.exists():
        reason = "the server environment is not there; run `make .venv-server/.done`"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}, and CI is set")
        pytest.skip(reason)
    return PYTHON


@pytest.fixture(scope="module")
def built(mlflow_python: Path) -> Catalogue:
    """The catalogue of the installed MLflow."""
    return installed.build(mlflow_python)


def test_the_shipped_catalogue_is_what_the_installed_mlflow_serves(built: Catalogue) -> None:
    assert installed.differences(shipped.load(built.mlflow_version), built) == []
    assert shipped.path_of(built.mlflow_version).read_text() == shipped.text_of(built)


def test_the_installed_mlflow_is_a_version_that_servers_install(built: Catalogue) -> None:
    assert (SERVER_FILES / "requirements" / f"{built.mlflow_version}.txt").exists()


def test_the_command_checks(mlflow_python: Path) -> None:
    result = CliRunner().invoke(app, ["catalogue", "check", "--mlflow-python", str(mlflow_python)])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("MLflow 3.17.2: 485 routes")
