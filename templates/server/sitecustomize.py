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
4. One way to write a path. The gateway decides on the path as it was sent, MLflow's routers on what it decodes to.
   A path that could be written otherwise and reach the same route is refused, so that both, and the access log,
   speak of the same route.
5. The path that was decided on. The gateway also sends the path for which IAM let the request through, in
   X-Gatehouse-Path. A request that would be served at another one is refused.

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
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar
from urllib.parse import unquote_to_bytes

Scope = MutableMapping[str, Any]
Send = Callable[[Scope], Awaitable[None]]
App = Callable[[Scope, Any, Send], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]
P = ParamSpec("P")
T = TypeVar("T")

WORKSPACE_HEADER = b"x-mlflow-workspace"
PATH_HEADER = b"x-gatehouse-path"
# MLflow resolves no workspace for a path with this end, which a greedy route could have as well.
SERVER_INFO = "/mlflow/server-info"
SERVER_INFO_PATHS = tuple(f"/{prefix}/3.0{SERVER_INFO}" for prefix in ("api", "ajax-api"))
# The load balancer asks these, and names nobody.
WITHOUT_WORKSPACE = ("/health", "/version")
# By these a path as sent and the path that is routed differ. uvicorn undoes one encoding, of slashes too; "%0A" at the
# end of a path passes the "$" of Starlette's routes.
ODDITIES = tuple(
    (re.compile(pattern, re.IGNORECASE), what)
    for pattern, what in (
        (rb"\A(?!/)", "no slash at its start"),
        (rb"//", "an empty segment"),
        (rb"/\.{1,2}(?=/|\Z)", "a segment . or .."),
        (rb"%(?![0-9A-F]{2})", "a % that encodes nothing"),
        (rb"%25[0-9A-F]{2}", "a character that is encoded twice"),
        (rb"%(2[DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|5F|7E)", "a letter, digit, -, ., _ or ~ that is encoded"),
        (rb"[\x00-\x1F\x7F]|%[01][0-9A-F]|%7F|%C2%[89][0-9A-F]", "a control character"),
        (rb"\\|%5C", "a backslash"),
        (rb"%2F", "an encoded slash"),
        # The query string begins at "?", and some parsers end a path at "#": decoded on the way, either would cut it.
        (rb"[?#]|%3F|%23", "a ? or #"),
    )
)
# MLflow's client and pages encode the slash that the name of every MCP server has (com.example/search). All that lies
# below takes any number of segments: there a slash reaches the same route however it is written.
MCP_SERVERS = re.compile(rb"/(ajax-)?api/3\.0/mlflow/mcp-servers/")
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


def odd_path(raw_path: bytes) -> str | None:
    """Why a path, as it was sent, is not the one way to write it; None if it is."""
    path = re.sub(rb"%2F", b"/", raw_path, flags=re.IGNORECASE) if MCP_SERVERS.match(raw_path) else raw_path
    for pattern, what in ODDITIES:
        if pattern.search(path):
            return (
                f"the path {raw_path.decode('latin-1')!r} has {what}: send letters, digits and -._~ as they are, no "
                "empty segment, no segment . or .., no control character, backslash, encoded slash, ? or #, and encode "
                "once"
            )
    return None


def values(headers: Headers, name: bytes) -> list[bytes]:
    """What all headers of that name hold, in any spelling.

    A name with `_` for `-` counts: some servers and gateways take the two as one.
    """
    return [value for spelled, value in headers if spelled.lower().replace(b"_", b"-") == name]


def odd_workspace(path: str, headers: Headers) -> str | None:
    """Why a request does not name exactly one workspace, or would run in none; None if all is well."""
    workspaces = values(headers, WORKSPACE_HEADER)
    # An empty name is none: MLflow takes it for its default workspace.
    if len(workspaces) != 1 or not workspaces[0]:
        return "name exactly one workspace in X-MLFLOW-WORKSPACE"
    # MLflow leaves slashes at the end out of account.
    if path.rstrip("/").endswith(SERVER_INFO) and path not in SERVER_INFO_PATHS:
        return f"no path but the API's own may end in {SERVER_INFO}"
    return None


def odd_decision(stage: str, raw_path: bytes, headers: Headers) -> str | None:
    """Why a request, which names one workspace, would not be served at the path that IAM decided on; None if it would.

    Whatever the gateway does to a path once IAM has decided shows here: decoding, also of a `?`, which then ends the
    path (`runs/delete%3F/restore` is no restore), resolving `.` and `..`, dropping slashes. Both sides are decoded
    once, as the routers do, since a character may be encoded on the way without harm; then each byte counts.

    The gateway sends its `$context.path`, documented as the request's path with the stage before it: /STAGE/TEAM/...
    This could not be tried against AWS: neither that it has that form (in any other, such as behind a custom domain
    name, every request is refused), nor that it is the path before any such change, as IAM sees it.
    """
    decisions = values(headers, PATH_HEADER)
    if len(decisions) != 1:
        return "name the path that the gateway decided on in exactly one X-Gatehouse-Path"
    (workspace,) = values(headers, WORKSPACE_HEADER)
    root = b"/%s/%s" % (stage.encode(), workspace)
    decided, served = unquote_to_bytes(decisions[0]), root + unquote_to_bytes(raw_path)
    # The team's address has a slash at its end, or has none.
    if decided == served or (decided == root and raw_path == b"/"):
        return None
    return (
        f"the gateway decided on the path {decided.decode('latin-1')!r}, and {served.decode('latin-1')!r} would be "
        "served: send a path that the gateway passes on unchanged"
    )


def odd_request(stage: str, scope: Scope) -> str | None:
    """Why a request is refused; None if it is not. The load balancer's are asked for no headers."""
    odd = odd_path(scope["raw_path"])
    if odd or scope["path"] in WITHOUT_WORKSPACE:
        return odd
    headers = scope["headers"]
    return odd_workspace(scope["path"], headers) or odd_decision(stage, scope["raw_path"], headers)


def guarded(app: App, stage: str) -> App:
    """`app`, which answers 400 to a request with an odd path or workspace, or another path than was decided on."""

    async def guard(scope: Scope, receive: object, send: Send) -> None:
        if scope["type"] == "http":
            refusal = odd_request(stage, scope)
            if refusal:
                await answer(send, 400, refusal)
                return
        await app(scope, receive, send)

    return guard


async def answer(send: Send, status: int, message: str) -> None:
    """Send a JSON error in MLflow's form."""
    body = json.dumps({"error_code": "BAD_REQUEST", "message": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def guard_uvicorn(config: type, stage: str) -> None:
    """Have every application that uvicorn loads pass through `guarded`, before FastAPI's routes and Flask's."""
    plain = vars(config)["load_app"]

    @wraps(plain)
    def load_app(self: object) -> App:
        return guarded(plain(self), stage)

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
    guard_uvicorn(Config, environ["GATEHOUSE_API_STAGE"])


install(os.environ)
