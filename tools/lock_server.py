"""Write the hash-locked requirements of the MLflow server: `lock_server.py 3.17.2`.

The server runs on Amazon Linux 2023 (glibc 2.34) with CPython 3.11, on x86_64 or aarch64. uv resolves once
for each; both must come to the same pins, so that one file serves both. Only wheels are allowed, and only the
hashes of wheels that one of the two can install are written: pip then refuses everything else.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

PYTHON = (3, 11)
# Wheels for glibc 2.28 run on the 2.34 of Amazon Linux 2023, and nearly every project builds for it.
GLIBC_MINOR = 28
ARCHITECTURES = ("x86_64", "aarch64")
OUTPUT = Path(__file__).resolve().parents[1] / "templates" / "server" / "requirements"


def platforms(architecture: str) -> list[str]:
    """Wheel platform tags that a glibc 2.28 system of `architecture` installs, best first (PEP 600)."""
    modern = [f"manylinux_2_{minor}_{architecture}" for minor in range(GLIBC_MINOR, 4, -1)]
    legacy = [f"{name}_{architecture}" for name in ("manylinux2014", "manylinux2010", "manylinux1")]
    return [*modern, *legacy, f"linux_{architecture}"]


def usable_tags() -> frozenset[Tag]:
    """Every wheel tag that CPython 3.11 installs on one of the two architectures."""
    tags: set[Tag] = set()
    for architecture in ARCHITECTURES:
        names = platforms(architecture)
        tags.update(cpython_tags(PYTHON, platforms=names))
        tags.update(compatible_tags(PYTHON, interpreter="cp311", platforms=names))
    return frozenset(tags)


def resolve(requirements: str, architecture: str) -> dict[str, dict[str, Any]]:
    """Resolve with uv for one architecture; returns name -> package table of the pylock (PEP 751).

    Raises `CalledProcessError` when nothing satisfies the requirements with wheels alone.
    """
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder) / "pylock.toml"
        command = [
            str(Path(sys.executable).with_name("uv")),
            *("pip", "compile", "--quiet", "--format", "pylock.toml", "--only-binary", ":all:"),
            *("--python-version", ".".join(map(str, PYTHON))),
            *("--python-platform", f"{architecture}-manylinux_2_{GLIBC_MINOR}"),
            *("--output-file", str(lock), "-"),
        ]
        subprocess.run(command, input=requirements, text=True, check=True)  # noqa: S603 - no shell
        return {package["name"]: package for package in tomllib.loads(lock.read_text())["packages"]}


def wheel_hashes(packages: Iterable[dict[str, Any]], tags: frozenset[Tag]) -> list[str]:
    """Sorted SHA-256 of those packages' wheels that carry one of `tags`."""
    return sorted(
        {
            wheel["hashes"]["sha256"]
            for package in packages
            for wheel in package["wheels"]
            if parse_wheel_filename(wheel["url"].rsplit("/", 1)[-1])[3] & tags
        }
    )


def merge(resolutions: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
    """Requirement lines with hashes from one resolution per architecture.

    Raises `ValueError` when the architectures differ in a pin or one of them has no wheel.
    """
    first, *others = resolutions.values()
    pins = {name: package["version"] for name, package in first.items()}
    for other in others:
        theirs = {name: package["version"] for name, package in other.items()}
        if theirs != pins:
            differing = sorted(set(pins.items()) ^ set(theirs.items()))
            raise ValueError(f"the architectures resolve to different pins: {differing}; pin those packages")
    tags = usable_tags()
    lines = []
    for name, version in sorted(pins.items()):
        for architecture, packages in resolutions.items():
            if not wheel_hashes([packages[name]], tags):
                raise ValueError(f"{name}=={version} has no wheel for CPython 3.11 on {architecture}")
        hashes = wheel_hashes([packages[name] for packages in resolutions.values()], tags)
        lines.append(" \\\n".join([f"{name}=={version}", *(f"    --hash=sha256:{sha}" for sha in hashes)]))
    return lines


def main(arguments: list[str]) -> int:
    """Write the file for the version named in `arguments`; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("version", metavar="MLFLOW_VERSION", help="such as 3.17.2")
    version = parser.parse_args(arguments).version
    requirements = f"mlflow=={version}\nboto3\npsycopg2-binary\n"
    resolutions = {name: resolve(requirements, name) for name in ARCHITECTURES}
    header = (
        f"# MLflow {version}, boto3 and psycopg2-binary for CPython 3.11 on Amazon Linux 2023, x86_64 and aarch64.\n"
        f"# Written by tools/lock_server.py {version}; do not edit. Install with --require-hashes --only-binary :all:\n"
    )
    OUTPUT.mkdir(parents=True, exist_ok=True)
    target = OUTPUT / f"{version}.txt"
    target.write_text(header + "\n".join(merge(resolutions)) + "\n", encoding="utf-8")
    print(f"wrote {target.relative_to(OUTPUT.parents[2])}: {len(resolutions['x86_64'])} packages")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
