"""Work out the access matrix of dev with a thousand teams by session tags, and a hundred by roles, every persona bound.

    .venv/bin/python benchmarks/matrix.py

Prints the seconds of one core for reading and for the matrix, and the most memory that was used, each in a process of
its own; fails above 10 seconds or 500 MB.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gatehouse.access.matrix import matrix  # noqa: E402
from gatehouse.access.world import World  # noqa: E402
from gatehouse.document import read_document  # noqa: E402

MOST_SECONDS, MOST_MEGABYTES = 10, 500
RUNS = (("session_tags", 1000), ("roles", 100))
TRUST = {
    "saml": {
        "provider": "arn:aws:iam::111122223333:saml-provider/corporate",
        "instead_of_mfa": "the identity provider asks for a security key",
    }
}
PEOPLE, MACHINES = (
    ("reader", "data-scientist", "model-approver", "team-admin"),
    ("ci-pipeline", "model-server"),
)
OF_ALL_TEAMS = ("auditor", "operator", "platform-admin")


@dataclass(frozen=True)
class Measured:
    """Seconds of one core, megabytes, and what was made in them."""

    reading: float
    working_out: float
    megabytes: float
    principals: int
    cells: int


def synthesize(mode: str, teams: int, folder: Path) -> Path:
    """Return the document of dev with every persona bound; machines have a role a team in both modes."""
    environment = YAML(typ="safe").load(ROOT / "environments" / "dev.yaml")
    names = [f"team-{number:04}" for number in range(teams)]
    of_machines: object = "all" if mode == "roles" else names[:1]
    services = {"services": ["ec2"]}
    environment["teams"] = names
    environment["access"] = {
        "mode": mode,
        "bindings": [
            *({"persona": persona, "teams": "all", "trust": TRUST} for persona in PEOPLE),
            *({"persona": persona, "teams": of_machines, "trust": services} for persona in MACHINES),
            *({"persona": persona, "trust": TRUST} for persona in OF_ALL_TEAMS),
        ],
    }
    (folder / "environments").mkdir()
    with (folder / "environments" / "dev.yaml").open("w") as file:
        YAML(typ="safe").dump(environment, file)
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, str(ROOT / "main.py")], cwd=folder, env=variables, check=True)  # noqa: S603
    return folder / "cdktf.out/stacks/dev/cdk.tf.json"


def measure(path: Path) -> Measured:
    """Return what one document takes."""
    start = time.process_time()
    world = World.of(read_document(path))
    read = time.process_time()
    found = matrix(world)
    done = time.process_time()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(read - start, done - read, most, len(found.subjects), len(found.cells))


def main() -> int:
    """Print a line a run, each with its part of what it may take."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    print(
        f"{'mode':13} {'teams':>5} {'principals':>10} {'cells':>6} {'read s':>7} {'matrix s':>8} {'MB':>5}"
        f" {'of time':>8} {'of memory':>9}"
    )
    for mode, teams in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            document = synthesize(mode, teams, Path(folder))
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                one = pool.apply(measure, (document,))
        print(
            f"{mode:13} {teams:5} {one.principals:10} {one.cells:6} {one.reading:7.2f} {one.working_out:8.2f} "
            f"{one.megabytes:5.0f} {(one.reading + one.working_out) / MOST_SECONDS:8.2f} "
            f"{one.megabytes / MOST_MEGABYTES:9.2f}"
        )
    print(f"at most: {MOST_SECONDS} s, {MOST_MEGABYTES} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
