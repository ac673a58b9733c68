"""What Gatehouse adds to MLflow's own processes. Python imports a module of this name at start (see PYTHONPATH).

1. Patience. A database connection that is refused because the password has just changed asks the launcher for the
   new one and tries again, instead of failing somebody's request. libpq reads the passfile at every attempt.
2. Tenancy of artifact reads. The server reads artifacts with its own role, and MLflow lets a user say where they lie
   (`source` of a model version). Without a check, team A could register `s3://BUCKET/workspaces/B/...` and have the
   server fetch it. Here an artifact location outside the request's own workspace is refused, and so is every scheme
   but S3, which closes the way to other servers too. Registered through MLflow's plugin entry points.
3. One workspace a request. The gateway sets X-MLFLOW-WORKSPACE from the path. MLflow takes the first such header: if
   a client's own, spelled otherwise, ever came through beside it, the client would choose the team. A request with
   no such header, or with more than one, is refused, save for the load balancer's health check; and so is a path
   for which MLflow would look at no header.

Does nothing unless the launcher started the process.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

Scope = MutableMapping[str, Any]
Send = Callable[[Scope], Awaitable[None]]
App = Callable[[Scope, Any, Send], Awaitable[None]]
P = ParamSpec("P")
T = TypeVar("T")

WORKSPACE_HEADER = b"x-mlflow-workspace"
# MLflow resolves no workspace for a path with this end, which a greedy route could have as well.
SERVER_INFO = "/mlflow/server-info"
SERVER_INFO_PATHS = tuple(f"/{prefix}/3.0{SERVER_INFO}" for prefix in ("api", "ajax-api"))
# The load balancer asks these, and names nobody.
WITHOUT_WORKSPACE = ("/health", "/version")
REFUSED = "password authentication failed"
RETRY_SECONDS = 0.1
# Every scheme of MLflow 3.17.2 that leaves the process. "runs" and "models" lead back to one of these.
OTHER_SCHEMES = (
    "r2",
    "b2",
    "gs",
    "wasbs",
    "ftp",
    "sftp",
    "dbfs",
    "hdfs",
    "viewfs",
    "http",
    "https",
    "abfss",
    "file",
    "mlflow-artifacts",
)


def nudge(address: str) -> None:
    """Ask the launcher to look for a fresh password now; no answer is expected."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, suppress(OSError):
        channel.setblocking(False)
        channel.sendto(b"!", address)


def patient(connect: Callable[P, T], seconds: float, ask: Callable[[], None]) -> Callable[P, T]:
    """`connect`, which asks for a fresh password and tries again for `seconds` when its password is refused.

    Any other error is raised at once.
    """

    @wraps(connect)
    def patiently(*arguments: P.args, **options: P.kwargs) -> T:
        deadline = time.monotonic() + seconds
        while True:
            try:
                return connect(*arguments, **options)
            except Exception as error:
                if REFUSED not in str(error) or time.monotonic() > deadline:
                    raise
            ask()
            time.sleep(RETRY_SECONDS)

    return patiently


def belongs(artifact_uri: str, root: str, workspace: str | None) -> bool:
    """Whether `artifact_uri` lies under `root`/workspaces/`workspace`.

    Never for odd paths or without a workspace.
    """
    prefix = f"{root}/workspaces/{workspace}/"
    if workspace is None or not artifact_uri.startswith(prefix):
        return False
    path = artifact_uri.removeprefix(prefix)
    return not re.search(r"[\\%?#\s]|//", f"/{path}") and not {".", ".."} & set(path.split("/"))


def s3_repository(
    artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
) -> object:
    """MLflow's own S3 repository, for locations of the request's workspace only (403 for any other)."""
    from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository  # type: ignore[import-not-found]  # noqa: PLC0415
    from mlflow.utils.workspace_context import get_request_workspace  # type: ignore[import-not-found]  # noqa: PLC0415

    if not belongs(artifact_uri, os.environ["GATEHOUSE_ARTIFACT_ROOT"], get_request_workspace()):
        refuse(artifact_uri)
    return S3ArtifactRepository(artifact_uri, tracking_uri=tracking_uri, registry_uri=registry_uri)


def refuse(artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> NoReturn:
    """Raise PERMISSION_DENIED; the repository of every scheme but S3."""
    from mlflow.exceptions import MlflowException  # type: ignore[import-not-found]  # noqa: PLC0415
    from mlflow.protos.databricks_pb2 import PERMISSION_DENIED  # type: ignore[import-not-found]  # noqa: PLC0415

    raise MlflowException(
        f"{artifact_uri!r} is not an artifact location of this workspace", PERMISSION_DENIED
    )


def one_workspace(app: App) -> App:
    """`app`, which answers 400 to a request that does not name exactly one workspace, or would run in none.

    A name with `_` for `-` counts: some servers and gateways take the two as one.
    """

    async def guarded(scope: Scope, receive: object, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in WITHOUT_WORKSPACE:
            names = [name.lower().replace(b"_", b"-") for name, _ in scope["headers"]]
            if names.count(WORKSPACE_HEADER) != 1:
                await answer(send, 400, "name exactly one workspace in X-MLFLOW-WORKSPACE")
                return
            if scope["path"].endswith(SERVER_INFO) and scope["path"] not in SERVER_INFO_PATHS:
                await answer(send, 400, f"no path but the API's own may end in {SERVER_INFO}")
                return
        await app(scope, receive, send)

    return guarded


async def answer(send: Send, status: int, message: str) -> None:
    """Send a JSON error in MLflow's form."""
    body = json.dumps({"error_code": "BAD_REQUEST", "message": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def guard_uvicorn(config: type) -> None:
    """Have every application that uvicorn loads pass through `one_workspace`."""
    plain = vars(config)["load_app"]

    @wraps(plain)
    def load_app(self: object) -> App:
        return one_workspace(plain(self))

    config.load_app = load_app  # type: ignore[attr-defined]


class Plugin(importlib.metadata.Distribution):
    """The metadata of an installed package that registers the repositories above with MLflow."""

    def read_text(self, filename: str) -> str | None:
        """The two metadata files that `importlib.metadata` asks for."""
        lines = [
            f"s3 = {__name__}:s3_repository",
            *(f"{scheme} = {__name__}:refuse" for scheme in OTHER_SCHEMES),
        ]
        files = {
            "METADATA": "Metadata-Version: 2.1\nName: gatehouse-server\nVersion: 1\n",
            "entry_points.txt": "\n".join(["[mlflow.artifact_repository]", *lines, ""]),
        }
        return files.get(filename)

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        """Where the package's files lie."""
        return Path(__file__).parent / path


class Finder(importlib.metadata.DistributionFinder):
    """Shows the plugin to `importlib.metadata` without installing anything."""

    def find_spec(self, *_arguments: object) -> None:
        """No module is found here."""

    def find_distributions(
        self, context: importlib.metadata.DistributionFinder.Context | None = None
    ) -> Iterable[importlib.metadata.Distribution]:
        """The plugin, when all packages or it by name are asked for."""
        return [Plugin()] if context is None or context.name in (None, "gatehouse-server") else []


def check() -> None:
    """Raise `RuntimeError` unless all additions are in force in this process; the launcher asks before it starts."""
    import psycopg2  # noqa: PLC0415
    from uvicorn.config import Config  # type: ignore[import-not-found]  # noqa: PLC0415

    points = importlib.metadata.entry_points(group="mlflow.artifact_repository", name="s3")
    wrapped = [hasattr(one, "__wrapped__") for one in (psycopg2.connect, Config.load_app)]
    if [point.load() for point in points] != [s3_repository] or not all(wrapped):
        raise RuntimeError("the additions to MLflow are not in force")


def install(environ: Mapping[str, str]) -> None:
    """Put the additions in place if the launcher's variables are there."""
    if "GATEHOUSE_NUDGE_SOCKET" not in environ:
        return
    import psycopg2  # noqa: PLC0415 - only where there is something to do
    from uvicorn.config import Config  # noqa: PLC0415

    address = environ["GATEHOUSE_NUDGE_SOCKET"]
    seconds = float(environ["GATEHOUSE_PATIENCE_SECONDS"])
    vars(psycopg2)["connect"] = patient(psycopg2.connect, seconds, lambda: nudge(address))
    sys.meta_path.append(Finder())
    guard_uvicorn(Config)


install(os.environ)
