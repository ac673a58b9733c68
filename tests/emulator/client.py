"""Start the emulator as a process of its own, and talk to it."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.session import get_session

Client = Any
"""A client of any AWS service."""

REGION = "eu-west-1"
ACCOUNT = "123456789012"
START_SECONDS = 60
STOP_SECONDS = 10


_REQUEST = re.compile(r"(GET|HEAD|POST|PUT|PATCH|DELETE)(?:\x1b\[0m)? (https://\S+)")
_ACTION = re.compile(r" - action (\S+)")


@dataclass(frozen=True)
class Calls:
    """What was asked of the emulator: ``("GET", "https://...")``, and actions such as ``TrentService.DescribeKey``."""

    requests: frozenset[tuple[str, str]]
    actions: frozenset[str]


@dataclass(frozen=True)
class Emulator:
    """A running emulator: where it listens, whom to trust, what it logged."""

    port: int
    ca: Path
    log: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to see this AWS and no other: the way in, the authority, credentials of no account."""
        proxy = f"http://127.0.0.1:{self.port}"
        return {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CA_BUNDLE": str(self.ca),
            "SSL_CERT_FILE": str(self.ca),
            "HTTP_PROXY": proxy,
            "HTTPS_PROXY": proxy,
            "NO_PROXY": "",
        }

    def aws(self, service: str, *, region: str = REGION) -> Client:
        """An AWS client of this emulator, to see for oneself what an apply has made."""
        proxy = f"http://127.0.0.1:{self.port}"
        return get_session().create_client(
            service,
            region_name=region,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            verify=str(self.ca),
            config=Config(proxies={"http": proxy, "https": proxy}, retries={"total_max_attempts": 1}),
        )

    def calls(self, *, since: int = 0) -> Calls:
        """What was asked since the log had ``since`` bytes."""
        with self.log.open("rb") as file:
            file.seek(since)
            text = file.read().decode(errors="replace")
        return Calls(
            requests=frozenset((method, url) for method, url in _REQUEST.findall(text)),
            actions=frozenset(_ACTION.findall(text)),
        )

    def reset(self) -> None:
        """Empty the account, secrets in their recovery window included."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", "/moto-api/reset", headers={"Host": f"localhost:{self.port}"})
            answer = connection.getresponse()
            if answer.status != http.HTTPStatus.OK:
                raise RuntimeError(f"reset answered {answer.status} {answer.read()[:200]!r}")
        finally:
            connection.close()


@contextmanager
def emulator(directory: Path, *, without: Sequence[str] = ()) -> Iterator[Emulator]:
    """An emulator until the end of the block; its files and its log are in ``directory``.

    ``without`` names mends to leave out, to see what the provider does to plain moto. Raises ``RuntimeError`` with
    the end of the log if it does not start.
    """
    log = directory / "emulator.log"
    address = directory / "address.json"
    command = [sys.executable, "-m", "tests.emulator", str(directory)]
    for mend in without:
        command += ["--without", mend]
    root = Path(__file__).resolve().parents[2]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=root,
            env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not address.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the emulator did not start:\n{log.read_text()[-4000:]}")
                time.sleep(0.05)
            found = json.loads(address.read_text(encoding="utf-8"))
            yield Emulator(port=found["port"], ca=Path(found["ca"]), log=log)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
