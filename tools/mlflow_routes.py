"""Print the routes that MLflow's server has, as JSON: `mlflow_routes.py`, run by the Python that has MLflow.

    {"mlflow_version": "3.17.2", "routes": [["/api/2.0/mlflow/runs/get", "GET"], ...]}

The application is built in this process as `mlflow server` builds it with the launcher's switches
(templates/server/launcher.py); nothing listens, and no database is made. It is a FastAPI application that hands
what it does not know to a Flask application; both are asked. `{name}` in a path is one segment and `{name:path}`
any number of them. A kind of route that is not known here is an error, because it could be left out otherwise.

HEAD beside GET and Flask's automatic OPTIONS are not printed. Exit status: 0, or 1 with the reason on stderr.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

LAUNCHER = Path(__file__).resolve().parents[1] / "templates" / "server" / "launcher.py"
_FLASK_PARAMETER = re.compile(r"<(?:(?P<converter>[^:<>]+):)?(?P<name>\w+)>")


class UnknownRouteError(Exception):
    """A route of a kind that this program cannot read."""


def switches() -> dict[str, str]:
    """The launcher's switches, read from the launcher itself."""
    spec = importlib.util.spec_from_file_location("launcher", LAUNCHER)
    if spec is None or spec.loader is None:  # pragma: no cover - a .py file has a loader
        raise UnknownRouteError(f"{LAUNCHER} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules["launcher"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return dict(module.SERVER_SWITCHES)


def configure(folder: str) -> None:
    """What `mlflow server` sets for its processes, given the launcher's command line."""
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "_MLFLOW_"))]:
        del os.environ[name]
    os.environ.update(switches())
    os.environ["MLFLOW_ENABLE_WORKSPACES"] = "true"  # --enable-workspaces
    os.environ["_MLFLOW_SERVER_FILE_STORE"] = f"sqlite:///{folder}/mlflow.db"  # --backend-store-uri
    os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = (
        "s3://bucket"  # --default-artifact-root; --no-serve-artifacts sets none
    )
    os.environ["_MLFLOW_SGI_NAME"] = "uvicorn"


def check_settings() -> None:
    """Raise `UnknownRouteError` unless this MLflow understands the settings above."""
    from mlflow import server  # type: ignore[import-not-found]  # noqa: PLC0415
    from mlflow.environment_variables import (  # type: ignore[import-not-found]  # noqa: PLC0415
        MLFLOW_ENABLE_WORKSPACES,
    )

    if not MLFLOW_ENABLE_WORKSPACES.get() or server.BACKEND_STORE_URI_ENV_VAR not in os.environ:
        raise UnknownRouteError("this MLflow takes its settings from other variables")


def asgi_routes(routes: Iterable[Any], prefix: str, flask: object) -> Iterator[tuple[str, str]]:
    """Path and method of every route of a FastAPI application; `flask` is what the last one hands on to."""
    for route in routes:
        kinds = [kind.__name__ for kind in type(route).__mro__]
        if kinds[0] == "_IncludedRouter" and not prefix:
            # Newer versions of FastAPI keep an included router as it is, where older ones copied its routes.
            yield from asgi_routes(route.original_router.routes, route.include_context.prefix or "", flask)
        elif kinds[0] == "Mount" and route.path == "" and getattr(route.app, "app", None) is flask:
            continue
        elif "Route" in kinds and route.methods:
            if any(name != "path" for name in re.findall(r"\{\w+:(\w+)\}", route.path)):
                raise UnknownRouteError(f"{route.path}: a converter that is not known")
            yield from ((prefix + route.path, method) for method in route.methods)
        else:
            raise UnknownRouteError(f"{getattr(route, 'path', '?')}: a route of kind {kinds[0]}")


def flask_routes(rules: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Path and method of every rule of a Flask application."""
    for rule in rules:
        if rule.websocket or rule.redirect_to or rule.host or rule.subdomain:
            raise UnknownRouteError(f"{rule.rule}: a rule with a host, a redirection or a socket")
        methods = set(rule.methods)
        if rule.provide_automatic_options:
            methods.discard("OPTIONS")
        yield from ((_FLASK_PARAMETER.sub(parameter, rule.rule), method) for method in methods)


def parameter(found: re.Match[str]) -> str:
    """A parameter in our form."""
    if found["converter"] not in (None, "string", "path", "default"):
        raise UnknownRouteError(f"{found[0]}: a converter that is not known")
    return f"{{{found['name']}:path}}" if found["converter"] == "path" else f"{{{found['name']}}}"


def distinct(routes: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Sorted; one where both applications have a route, and HEAD only where there is no GET."""
    by_shape: dict[tuple[str, str], str] = {}
    for path, method in routes:  # the parameters' names do not make another route
        by_shape.setdefault((re.sub(r"\{\w+", "{", path), method), path)
    return sorted(
        (path, method)
        for (shape, method), path in by_shape.items()
        if method != "HEAD" or (shape, "GET") not in by_shape
    )


def main() -> int:
    """Print the routes."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        configure(folder)
        from mlflow.server.fastapi_app import app  # type: ignore[import-not-found]  # noqa: PLC0415

        check_settings()
        from mlflow.server import app as flask  # type: ignore[import-not-found]  # noqa: PLC0415
        from mlflow.version import VERSION  # type: ignore[import-not-found]  # noqa: PLC0415

        try:
            routes = distinct(
                [*asgi_routes(app.routes, "", flask), *flask_routes(flask.url_map.iter_rules())]
            )
        except UnknownRouteError as error:
            print(f"MLflow {VERSION}: {error}", file=sys.stderr)
            return 1
    json.dump({"mlflow_version": VERSION, "routes": routes}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
