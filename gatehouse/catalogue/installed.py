"""The routes of an installed MLflow, and how the shipped catalogue compares with them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gatehouse.catalogue import shipped
from gatehouse.catalogue.model import Catalogue, CatalogueError, Endpoint
from gatehouse.catalogue.rules import assign, load_rules
from gatehouse.fields import ROOT

#: Runs in MLflow's own Python, so that Gatehouse never imports MLflow.
PROGRAM = ROOT / "tools" / "mlflow_routes.py"
SECONDS = 180


@dataclass(frozen=True)
class Installed:
    """What an installed MLflow serves."""

    mlflow_version: str
    endpoints: frozenset[Endpoint]


def ask(mlflow_python: Path) -> Installed:
    """Return the routes of the MLflow that this Python has; it takes some seconds, and nothing listens.

    Raises:
        CatalogueError: there is no such Python, it has no MLflow, or a kind of route that is not known.

    """
    executable = shutil.which(mlflow_python)
    if executable is None:
        raise CatalogueError(
            f"{mlflow_python} is no program. Fix: name the Python that has MLflow, such as .venv-server/bin/python"
        )
    # -I: nothing of ours, and nothing of the caller's environment, is imported with MLflow.
    command = [executable, "-I", str(PROGRAM)]
    environment = {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ
    }
    try:
        done = subprocess.run(  # noqa: S603 - no shell; the user names the program
            command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise CatalogueError(f"{mlflow_python} did not list its routes within {SECONDS} seconds") from None
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise CatalogueError(
            f"{mlflow_python} could not list its routes: {reason[0]}. "
            "Fix: name a Python 3.11 or newer that has MLflow 3.10 or newer"
        )
    try:
        return read(done.stdout)
    except (ValueError, KeyError, TypeError):
        raise CatalogueError(
            f"{mlflow_python} printed no routes. Fix: name the Python that has MLflow, such as .venv-server/bin/python"
        ) from None


def read(text: str) -> Installed:
    """Return what the program printed."""
    answer = json.loads(text)
    endpoints = frozenset(Endpoint(path, method) for path, method in answer["routes"])
    return Installed(str(answer["mlflow_version"]), endpoints)


def build(mlflow_python: Path) -> Catalogue:
    """Return the catalogue of the MLflow that this Python has, by the rules.

    Raises:
        CatalogueError: see :func:`ask`; or a route that no rule, or more than one, speaks of.

    """
    found = ask(mlflow_python)
    return assign(found.mlflow_version, found.endpoints, load_rules())


def check(built: Catalogue) -> None:
    """Compare a catalogue just built with the shipped one of the same version.

    Raises:
        CatalogueError: with every route in which they differ; or there is no shipped one.

    """
    found = differences(shipped.load(built.mlflow_version), built)
    if found:
        fix = "Fix: review the rules, then run: gatehouse catalogue build --mlflow-python PATH"
        raise CatalogueError("\n".join([*found, fix]))


def differences(old_catalogue: Catalogue, built: Catalogue) -> list[str]:
    """Return one line for each route in which the shipped catalogue differs from the one just built."""
    old = {route.endpoint: route for route in old_catalogue}
    new = {route.endpoint: route for route in built}
    where = f"MLflow {built.mlflow_version}"
    lines = []
    for endpoint in sorted(old.keys() | new.keys()):
        if endpoint not in old:
            lines.append(
                f"{endpoint}: served by {where}, missing in the catalogue ({new[endpoint].capability})"
            )
        elif endpoint not in new:
            lines.append(f"{endpoint}: in the catalogue, not served by {where}")
        elif old[endpoint] != new[endpoint]:
            lines.append(
                f"{endpoint}: {old[endpoint].capability} in the catalogue, {new[endpoint].capability} by the rules"
            )
    return lines
