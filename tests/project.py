"""A copy of the project, for tests that run it somewhere else."""

from __future__ import annotations

import shutil
from pathlib import Path

from gatehouse.fields import ROOT

PARTS = ("gatehouse", "modules", "templates", "environments")


def copy_project(folder: Path) -> None:
    """Copy what ``main.py`` needs, and ``main.py``, into ``folder``."""
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "main.py", folder)
