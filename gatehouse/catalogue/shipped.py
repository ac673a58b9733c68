"""The catalogues that ship with Gatehouse: one text file a version, one route a line, made to be compared.

A line is ``CAPABILITY METHOD PATH``; the lines are sorted by path and method, so that the difference between two
versions, and what an upgrade would open to whom, is a diff that can be read.
"""

from __future__ import annotations

from pathlib import Path

from gatehouse.catalogue.model import METHODS, Capability, Catalogue, CatalogueError, Endpoint, Route

FOLDER = Path(__file__).resolve().parents[1] / "data" / "catalogue"
_SUFFIX = ".routes"
_HEAD = "# MLflow {version}: capability, method, path. Written by `gatehouse catalogue build` by capabilities.yaml."
_CAPABILITY_WIDTH, _METHOD_WIDTH = 18, 6


def versions(folder: Path = FOLDER) -> tuple[str, ...]:
    """Return the MLflow versions that have a catalogue, oldest first."""
    found = [path.name.removesuffix(_SUFFIX) for path in folder.glob(f"*{_SUFFIX}")]
    return tuple(sorted(found, key=lambda version: [int(part) for part in version.split(".")]))


def path_of(mlflow_version: str, folder: Path = FOLDER) -> Path:
    """Return where the catalogue of a version is, or would be."""
    return folder / f"{mlflow_version}{_SUFFIX}"


def load(mlflow_version: str, folder: Path = FOLDER) -> Catalogue:
    """Return the catalogue of a version.

    Raises:
        CatalogueError: there is none, or it is not as it was written.

    """
    path = path_of(mlflow_version, folder)
    if not path.exists():
        raise CatalogueError(
            f"there is no catalogue of MLflow {mlflow_version}, only of {', '.join(versions(folder)) or 'none'}. "
            "Fix: install that version, and run: gatehouse catalogue build --mlflow-python PATH"
        )
    return parse(mlflow_version, path.read_text(encoding="utf-8"), path.name)


def parse(mlflow_version: str, text: str, name: str) -> Catalogue:
    """Return the catalogue in a text; ``name`` stands for it in messages.

    Raises:
        CatalogueError: it is not, byte for byte, as :func:`text_of` writes it.

    """
    lines = text.splitlines()
    if lines[:1] != [_HEAD.format(version=mlflow_version)]:
        raise _refused(name, 1, f"does not start with the head of MLflow {mlflow_version}")
    routes: list[Route] = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            capability, method, path = line.split()
        except ValueError:
            raise _refused(name, number, "is not CAPABILITY METHOD PATH") from None
        if method not in METHODS or not path.startswith("/"):
            raise _refused(name, number, f"has no method or path that is known: {method} {path}")
        try:
            route = Route(Endpoint(path, method), Capability.parse(capability))
        except CatalogueError as error:
            raise _refused(name, number, str(error).partition(". Fix")[0]) from None
        if routes and routes[-1].endpoint >= route.endpoint:
            raise _refused(name, number, f"is out of order or there twice: {route.endpoint}")
        routes.append(route)
    catalogue = Catalogue(mlflow_version, tuple(routes))
    if not routes or text_of(catalogue) != text:
        raise _refused(name, len(lines), "is not as it was written, or not complete")
    return catalogue


def text_of(catalogue: Catalogue) -> str:
    """Return the catalogue as its file holds it."""
    lines = [_HEAD.format(version=catalogue.mlflow_version)]
    for route in catalogue:
        capability, method = (
            f"{route.capability!s:<{_CAPABILITY_WIDTH}}",
            f"{route.endpoint.method:<{_METHOD_WIDTH}}",
        )
        lines.append(f"{capability} {method} {route.endpoint.path}")
    return "\n".join([*lines, ""])


def _refused(name: str, line: int, what: str) -> CatalogueError:
    return CatalogueError(f"{name}:{line}: {what}. Fix: write it anew: gatehouse catalogue build")
