"""What each stage of `gatehouse check` costs, in one run over the example environments.

    .venv/bin/python benchmarks/scan.py [--environments dev,prod]

Prints wall seconds and the share of the whole. A stage that is first pays for what later ones find loaded: the import
of Checkov stands alone, its first run also loads its checks, and the first linter the list of all actions of AWS.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[1]
_Result = TypeVar("_Result")


class Stages:
    """The seconds of each stage, in the order in which they ran; several runs of one stage count together."""

    def __init__(self) -> None:
        """Begin with none."""
        self.seconds: dict[str, float] = {}

    def timed(self, stage: str, work: Callable[[], _Result]) -> _Result:
        """Do the work, and count its time for the stage."""
        started = time.perf_counter()
        result = work()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started
        return result

    def table(self) -> str:
        """Return a line for each stage, and the sum."""
        whole = sum(self.seconds.values())
        width = max(map(len, self.seconds))
        lines = [
            f"{stage:{width}}  {seconds:7.2f} s  {seconds / whole:6.1%}"
            for stage, seconds in self.seconds.items()
        ]
        return "\n".join([*lines, f"{'together':{width}}  {whole:7.2f} s"])


def measure(names: list[str], folder: Path) -> Stages:
    """Do what `gatehouse check` does, in a folder of its own, stage by stage."""
    stages = Stages()
    gate = stages.timed("import of the gate", partial(importlib.import_module, "gatehouse.scan.gate"))
    from gatehouse.scan.checkov_gate import read_document, scan  # noqa: PLC0415 - its import is measured above
    from gatehouse.synth import synthesize  # noqa: PLC0415
    from gatehouse.terraform import Outcome, validate  # noqa: PLC0415

    shutil.copytree(ROOT / "environments", folder / "environments")
    documents = stages.timed("synthesis", partial(synthesize, names, folder=folder)).documents
    stages.timed("import of Checkov", partial(importlib.import_module, "gatehouse.scan.checkov_runner"))
    for name, path in documents.items():
        stages.timed(f"Checkov, {name}", partial(scan, path))
    for path in documents.values():
        document = read_document(path)
        for linter in gate.LINTERS:
            stages.timed(linter.__name__, partial(linter, document))
    for name, path in documents.items():
        verdict = stages.timed("terraform validate", partial(validate, name, path, folder=folder))
        if verdict.outcome is Outcome.NOT_RUN:
            print(f"terraform validate {name}: not run ({verdict.reason})")
    return stages


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--environments", default="dev,prod", help="names with commas between (default dev,prod)"
    )
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        print(measure(arguments.environments.split(","), Path(folder)).table())


if __name__ == "__main__":
    main()
