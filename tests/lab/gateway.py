"""Stand-ins for API Gateway and S3 that ask a persona's rendered policies before they pass a request on.

API Gateway is here what modules/api.py makes of it: the path is ``/api/TEAM/...``, IAM decides on method and path as
they were sent, and the headers with the workspace and with the whole path are set from it. S3 asks the same policies,
with the emulator behind it.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from gatehouse.access import Policies, Principal, Request, Resource, evaluate
from gatehouse.catalogue.shipped import load
from gatehouse.personas.model import BUILT_IN
from gatehouse.personas.render import Names, render_persona
from gatehouse.policies import Kind, fill, render_policy

from .laboratory import BUCKET, REGION, STAGE, Launcher

MLFLOW_VERSION = "3.17.2"
ACCOUNT = "111122223333"
PREFIX = "mlflow-lab"
NAMES = Names(
    region=REGION,
    account=ACCOUNT,
    prefix=PREFIX,
    api=f"arn:aws:execute-api:{REGION}:{ACCOUNT}:abcdefghij/{STAGE}",
    artifact_bucket=BUCKET,
    storage_key=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11112222-3333-4444-5555-666677778888",
    operations_document=f"{PREFIX}-operations",
    scaling_group=f"{PREFIX}-server",
    log_groups=(f"/gatehouse/{PREFIX}/*",),
)
# Of one connection, or set anew.
NOT_PASSED_ON = (
    *("connection", "content-length", "expect", "host", "transfer-encoding"),
    *("x-mlflow-workspace", "x-gatehouse-path"),
)
OBJECT_ACTIONS = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject"}


class Call(NamedTuple):
    """One request, and whether IAM let it through (answered by the server with ``status``)."""

    method: str
    path: str
    allowed: bool
    status: int


class Onward(NamedTuple):
    """Where a request goes that is allowed, with the headers that are set."""

    connection: http.client.HTTPConnection
    target: str
    headers: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Role:
    """A role of a persona, in a team or, for a persona of all teams, in none."""

    persona: str
    team: str | None

    @property
    def principal(self) -> Principal:
        """A session of the role."""
        name = "-".join(part for part in (PREFIX, self.team, self.persona) if part)
        return Principal(
            arn=f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}/{self.persona}/{name}",
            account=ACCOUNT,
            session_arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/lab",
            tags={"team": self.team} if self.team else {},
        )

    def policies(self, resource: Mapping[str, Any] | None) -> Policies:
        """The role's managed policies and boundary, and the resource's own policy."""
        persona = BUILT_IN[self.persona]
        documents = render_persona(persona, load(MLFLOW_VERSION), NAMES).documents
        boundary = fill("policies/boundaries/persona.json.j2", NAMES.values(persona.scope))
        return Policies(
            identity=[as_applied(document.text) for document in documents],
            boundary=json.loads(boundary),
            resource=resource,
        )


def as_applied(text: str) -> dict[str, Any]:
    """A rendered document as AWS gets it, after Terraform has undone the escaping."""
    document: dict[str, Any] = json.loads(text.replace("$${", "${"))
    return document


def api_policy() -> dict[str, Any]:
    """The resource policy of a public API that is open to this machine."""
    stage_of_any_name = NAMES.api.rpartition("/")[0]
    return as_applied(
        render_policy(
            "api",
            Kind.API,
            api=stage_of_any_name,
            account=ACCOUNT,
            personas=f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}/*",
            vpc_endpoints=[],
            client_cidrs=["127.0.0.0/8"],
        )
    )


class Door:
    """Decides about requests as one role's, keeps what it decided, and passes on what is allowed."""

    def __init__(
        self,
        role: Role,
        policies: Policies,
        *,
        asked: Callable[[str, SplitResult], tuple[str, str, dict[str, str]]],
        onward: Callable[[SplitResult], Onward],
        refusal: Callable[[str], bytes],
    ) -> None:
        """`asked` gives action, resource and context of a method and address; `refusal` the body of a no."""
        self.calls: list[Call] = []
        self._role, self._policies = role, policies
        self._asked, self._onward, self._refusal = asked, onward, refusal

    def allows(self, method: str, url: SplitResult) -> tuple[bool, str]:
        """Whether IAM allows it, and the words of AWS if not."""
        action, resource, context = self._asked(method, url)
        request = Request(self._role.principal, action, Resource(resource, ACCOUNT), context)
        message = (
            f"User: {self._role.principal.session_arn} is not authorized to perform: {action} "
            f"on resource: {resource.replace(ACCOUNT, '********' + ACCOUNT[-4:])}"
        )
        return evaluate(request, self._policies).allowed, message

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        method, url = handler.command, urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        allowed, message = self.allows(method, url)
        if not allowed:
            self.calls.append(Call(method, url.path, allowed=False, status=403))
            send(handler, 403, [], self._refusal(message))
            return
        connection, target, headers = self._onward(url)
        passed = [pair for pair in handler.headers.items() if pair[0].lower() not in NOT_PASSED_ON]
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in [*passed, *headers, ("Content-Length", str(len(body)))]:
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        self.calls.append(Call(method, url.path, allowed=True, status=response.status))
        send(handler, response.status, response.getheaders(), content)

    @contextmanager
    def open(self) -> Iterator[str]:
        """Serve on a loopback port while the block runs; gives the address."""
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def handle_any(self) -> None:
                door.answer(self)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_arguments: object) -> None:
                """`Door.calls` has it."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()


def send(
    handler: BaseHTTPRequestHandler, status: int, headers: Sequence[tuple[str, str]], content: bytes
) -> None:
    """Send a whole answer; to HEAD its headers alone."""
    head = handler.command == "HEAD"
    handler.send_response_only(status)
    for name, value in headers:
        if name.lower() not in ("connection", "transfer-encoding") and (
            head or name.lower() != "content-length"
        ):
            handler.send_header(name, value)
    if not head:
        handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(b"" if head else content)


def gateway(role: Role, launcher: Launcher) -> Door:
    """API Gateway before a launcher's server, called with one role's credentials."""

    def asked(method: str, url: SplitResult) -> tuple[str, str, dict[str, str]]:
        stage, _, path = url.path.removeprefix("/").partition("/")
        assert stage == STAGE, url
        return "execute-api:Invoke", f"{NAMES.api}/{method}/{path}", {"aws:SourceIp": "127.0.0.1"}

    def onward(url: SplitResult) -> Onward:
        _, _, team, *rest = url.path.split("/")
        context = ssl.create_default_context(cafile=str(launcher.certificate))
        connection = http.client.HTTPSConnection("localhost", launcher.port, timeout=29, context=context)
        target = "/" + "/".join(rest) + (f"?{url.query}" if url.query else "")
        return Onward(connection, target, [("X-MLFLOW-WORKSPACE", team), ("X-Gatehouse-Path", url.path)])

    def refusal(message: str) -> bytes:
        return json.dumps({"Message": message}).encode()

    return Door(role, role.policies(api_policy()), asked=asked, onward=onward, refusal=refusal)


def storage(role: Role, aws: str) -> Door:
    """S3 before the emulator, called with one role's credentials; its bucket has no policy."""

    def asked(method: str, url: SplitResult) -> tuple[str, str, dict[str, str]]:
        bucket, _, key = unquote(url.path).removeprefix("/").partition("/")
        arn = f"arn:aws:s3:::{bucket}"
        if key:
            return f"s3:{OBJECT_ACTIONS[method]}", f"{arn}/{key}", {}
        prefix = parse_qs(url.query).get("prefix")
        return "s3:ListBucket", arn, {"s3:prefix": prefix[0]} if prefix else {}

    def onward(url: SplitResult) -> Onward:
        server = urlsplit(aws)
        assert server.hostname
        connection = http.client.HTTPConnection(server.hostname, server.port or 80, timeout=60)
        return Onward(connection, url._replace(scheme="", netloc="").geturl())

    def refusal(message: str) -> bytes:
        return f"<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>".encode()

    return Door(role, role.policies(None), asked=asked, onward=onward, refusal=refusal)


# Ids that MLflow gives: of runs, models, traces, datasets, assessments, webhooks.
IDENTIFIER = re.compile(r"(?<=/)(?:[a-z]{1,3}-)?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}(?=/|\Z)")


def shown(calls: Sequence[Call], team: str) -> list[str]:
    """Requests as ``METHOD /path`` in a team, with ``ID`` for the ids of this run."""
    return [
        f"{call.method} {IDENTIFIER.sub('ID', call.path.removeprefix(f'/{STAGE}/{team}'))}" for call in calls
    ]
