"""moto's proxy on loopback, with certificates of this run's own authority."""

import os
import ssl
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from unittest import mock

from moto.moto_proxy import info, proxy3

from tests.emulator.authority import Authority

ADDRESS = ("127.0.0.1", 0)
NOT_IMPLEMENTED = 501
BAD_GATEWAY = 502


class Handler(proxy3.ProxyRequestHandler):
    """moto's handler, and what it leaves out of HTTP."""

    def parse_request(self) -> bool:
        """Log the action of a call whose URL does not tell it, as moto logs the URL of each."""
        parsed = super().parse_request()
        if parsed and (target := self.headers.get("X-Amz-Target")):
            info(f"action {target}")
        return parsed

    def end_headers(self) -> None:
        """Say that the connection closes: moto closes it after each answer, and a client that does not know loses
        the next request it sends there.
        """
        if isinstance(self.connection, ssl.SSLSocket):
            self.send_header("Connection", "close")
        super().end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a call that moto cannot carry out with 501. moto's 502 makes the AWS SDK try for ten minutes."""
        traceback.print_exc()
        super().send_error(NOT_IMPLEMENTED if code == BAD_GATEWAY else code, message, explain)


class Server(ThreadingHTTPServer):
    """Many provider threads connect at once, so the queue is long."""

    daemon_threads = True
    request_queue_size = 256


@contextmanager
def listening(directory: Path) -> Iterator[tuple[Server, Authority]]:
    """A server bound to a free port of 127.0.0.1; the caller serves. ``directory`` receives the authority's files."""
    authority = Authority(directory)

    class Certificates:
        """What moto's handler asks of its certificate creator."""

        certkey = str(authority.key)

        def create(self, address: str) -> str:
            return str(authority.certificate(address.partition(":")[0]))

    with mock.patch.object(proxy3, "CertificateCreator", Certificates), Server(ADDRESS, Handler) as server:
        port = str(server.server_port)
        with mock.patch.dict(os.environ, TEST_PROXY_MODE="true", MOTO_PROXY_PORT=port, MOTO_PORT=port):
            yield server, authority
