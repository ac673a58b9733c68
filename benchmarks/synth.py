"""Time the synthesis of the example environments, stock and fast, in turn, in one run.

    .venv/bin/python benchmarks/synth.py [--runs N]

Prints whole-process wall seconds (minimum, median, maximum) of both and their ratio. The first run of each is
a warm-up: it compiles the bindings to bytecode and fills jsii's package cache.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def synthesis_seconds(*, stock: bool, environments: str) -> float:
    """Return the wall time of one ``main.py`` in seconds."""
    with tempfile.TemporaryDirectory() as output:
        environment = {
            **os.environ,
            "CDKTF_OUTDIR": output,
            "GATEHOUSE_ENVIRONMENTS": environments,
            "GATEHOUSE_STOCK_SYNTH": "1" if stock else "0",
        }
        # With it every run would compile all sources again, which nobody's own runs do.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "main.py"],
            cwd=ROOT,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            sys.exit(done.stderr.strip())
        return time.perf_counter() - start


def main() -> None:
    """Run both ways in turn and print times and ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3, help="counted runs of each way (default 3)")
    parser.add_argument("--environments", default="dev", help="names with commas between (default dev)")
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {"stock": [], "fast": []}
    for run in range(arguments.runs + 1):
        for way, seconds in times.items():
            taken = synthesis_seconds(stock=way == "stock", environments=arguments.environments)
            if run > 0:
                seconds.append(taken)
    for way, seconds in times.items():
        print(
            f"{way:5}  min {min(seconds):6.2f} s  median {statistics.median(seconds):6.2f} s  "
            f"max {max(seconds):6.2f} s  ({arguments.runs} runs of {arguments.environments})"
        )
    ratio = statistics.median(times["stock"]) / statistics.median(times["fast"])
    print(f"ratio of medians, stock to fast: {ratio:.1f}")


if __name__ == "__main__":
    main()
