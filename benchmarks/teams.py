"""Synthesize an environment with more and more teams, in both modes of binding: sizes of policies, and times.

    .venv/bin/python benchmarks/teams.py [--teams N ...]

With session tags the number of teams changes no policy: the run fails if one has another size than with the fewest
teams. With a role for each team and persona IAM's quota of roles ends it, and the refusal is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = "dev"
#: Attributes of resources that hold policy documents.
POLICIES = ("policy", "assume_role_policy")


@dataclass(frozen=True)
class Run:
    """One synthesis: its wall time in seconds, and characters of each policy by address; or why it was refused."""

    seconds: float
    sizes: dict[str, int]
    refusal: str = ""


def synthesize(mode: str, teams: int) -> Run:
    """Return one whole-process synthesis of the example with a data scientist and a reader in every team."""
    environment = YAML(typ="safe").load(ROOT / "environments" / f"{EXAMPLE}.yaml")
    environment["teams"] = [f"team-{number:04}" for number in range(teams)]
    trust = {
        "saml": {
            "provider": "arn:aws:iam::111122223333:saml-provider/corporate",
            "instead_of_mfa": "the identity provider asks for a security key",
        }
    }
    environment["access"] = {
        "mode": mode,
        "bindings": [
            {"persona": persona, "teams": "all", "trust": trust} for persona in ("data-scientist", "reader")
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "environments").mkdir()
        with (Path(folder) / "environments" / f"{EXAMPLE}.yaml").open("w") as file:
            YAML(typ="safe").dump(environment, file)
        # With it every run would compile all sources again, which nobody's own runs do.
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        start = time.perf_counter()
        done = subprocess.run(  # noqa: S603 - no shell; our own program
            [sys.executable, str(ROOT / "main.py")],
            cwd=folder,
            env=variables,
            check=False,
            capture_output=True,
            text=True,
        )
        seconds = time.perf_counter() - start
        if done.returncode != 0:
            return Run(seconds, {}, done.stderr.strip())
        document = json.loads((Path(folder) / "cdktf.out/stacks" / EXAMPLE / "cdk.tf.json").read_text())
    return Run(seconds, sizes_of(document))


def sizes_of(document: dict[str, dict[str, dict[str, dict[str, object]]]]) -> dict[str, int]:
    """Return the characters of every policy in a synthesized document by its address."""
    return {
        f"{kind}.{name}.{attribute}": len(text)
        for kind, named in document["resource"].items()
        for name, body in named.items()
        for attribute in POLICIES
        if isinstance(text := body.get(attribute), str)
    }


def main() -> int:
    """Print a line a run; fail if a policy grew with the teams, or if the quota of roles was not noticed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--teams", type=int, nargs="+", default=[3, 100, 1000], help="default 3 100 1000")
    numbers = sorted(parser.parse_args().teams)
    print(f"{'mode':13} {'teams':>5} {'seconds':>8} {'policies':>8} {'characters':>11} {'largest':>8}")
    failed = False
    for mode in ("session_tags", "roles"):
        fewest: Run | None = None
        for teams in numbers:
            run = synthesize(mode, teams)
            if run.refusal:
                print(f"{mode:13} {teams:5} {run.seconds:8.1f} refused: {run.refusal}")
                failed = failed or mode == "session_tags"
                continue
            sizes = run.sizes
            together, largest = sum(sizes.values()), max(sizes.values())
            print(f"{mode:13} {teams:5} {run.seconds:8.1f} {len(sizes):8} {together:11} {largest:8}")
            fewest = fewest or run
            grown = [address for address, size in sizes.items() if size != fewest.sizes.get(address, size)]
            if mode == "session_tags" and (grown or len(sizes) != len(fewest.sizes)):
                print(f"policies changed with the number of teams: {', '.join(grown) or 'their number'}")
                failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
