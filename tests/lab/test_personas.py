"""The personas with the real MLflow client and server: what each is for works, and what it must not do is refused.

A gateway and an S3 that ask the rendered policies stand between client and server. `flows.py` has what each persona
does; here stand the requests that were refused meanwhile, all of them, so that none is refused by mistake.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from gatehouse.personas.model import BUILT_IN, Scope

from .gateway import Role, gateway, shown, storage
from .laboratory import AWS, BUCKET, REGION, SERVER_PYTHON, STAGE, TEAMS, Database, Launcher, starter

pytestmark = pytest.mark.postgres

TEAM, OTHER_TEAM = TEAMS
V2, V3 = "/api/2.0/mlflow", "/api/3.0/mlflow"
DELETES = (
    f"POST {V2}/runs/delete",
    f"POST {V2}/experiments/delete",
    f"DELETE {V2}/logged-models/ID",
    f"POST {V2}/traces/delete-traces",
    f"DELETE {V3}/datasets/ID",
)
MODEL_DELETES = (f"DELETE {V2}/model-versions/delete", f"DELETE {V2}/registered-models/delete")
WRITES = (
    f"POST {V2}/experiments/create",
    f"POST {V2}/runs/create",
    f"POST {V2}/runs/set-tag",
    f"POST {V2}/registered-models/create",
    f"POST {V3}/traces/ID/assessments",
    f"POST {V3}/datasets/create",
)
ARTIFACT_WRITE = f"PUT /{BUCKET}/workspaces/{TEAM}/1/ID/artifacts/notes.txt"
ARTIFACT_NAMES = f"GET /{BUCKET}"
OTHER_RECORDS = (
    f"POST /{STAGE}/{OTHER_TEAM}{V2}/experiments/search",
    f"POST /{STAGE}/{OTHER_TEAM}{V2}/runs/create",
)
# Refused, and the client goes on with a warning. It links a prompt that is registered or loaded to the experiment, by
# a tag of the registered model that a prompt is: registry:write.
PROMPT_LINK = f"POST {V2}/registered-models/set-tag"
# The same for a trace: the exporter asks which version it talks to, and sends the trace.
TRACE = ("GET /version", f"POST {V3}/traces")

# Every request that is refused during the flow of each persona.
REFUSED: Mapping[str, Sequence[str]] = {
    "data-scientist": (
        *(PROMPT_LINK, PROMPT_LINK),
        *(*DELETES, *MODEL_DELETES),
        f"POST {V2}/registered-models/alias",
        f"POST {V2}/model-versions/set-tag",
        f"POST {V2}/model-versions/transition-stage",
        f"GET {V2}/webhooks",
        f"POST {V2}/webhooks",
        f"GET {V3}/gateway/secrets/list",
        f"POST {V3}/gateway/secrets/create",
        *(*OTHER_RECORDS, ARTIFACT_NAMES),
    ),
    "model-approver": (
        *(*DELETES, *MODEL_DELETES, *WRITES, ARTIFACT_WRITE),
        f"POST {V2}/registered-models/rename",
        f"POST {V2}/model-versions/create",
    ),
    "model-server": (
        f"POST {V2}/experiments/search",
        f"POST {V2}/runs/search",
        f"GET {V2}/logged-models/ID",
        f"POST {V2}/registered-models/alias",
        # The run is looked up for where its artifacts are.
        *(*WRITES, f"GET {V2}/runs/get"),
        *("GET /", "GET /version", "GET /graphql", f"GET {V3}/server-info"),
        "GET /ajax-api/2.0/mlflow/registered-models/search",
        *(*OTHER_RECORDS, ARTIFACT_NAMES),
    ),
    "ci-pipeline": (
        *TRACE,
        # The model is looked up before it or its version is deleted.
        *(*DELETES, f"GET {V2}/registered-models/get", f"GET {V2}/registered-models/get"),
        f"POST {V2}/registered-models/alias",
        f"DELETE {V2}/model-versions/delete",
        f"POST {V2}/model-versions/transition-stage",
        *("POST /ajax-api/2.0/mlflow/runs/create", "POST /graphql"),
        *(*OTHER_RECORDS, ARTIFACT_NAMES),
    ),
    "reader": (
        *(PROMPT_LINK, *WRITES, ARTIFACT_WRITE, *DELETES, *MODEL_DELETES),
        *(*OTHER_RECORDS, ARTIFACT_NAMES),
    ),
    "team-admin": (
        f"GET {V3}/workspaces",
        f"POST {V3}/workspaces",
        f"DELETE {V3}/workspaces/{OTHER_TEAM}",
        *(*OTHER_RECORDS, ARTIFACT_NAMES),
    ),
    "auditor": (
        *(PROMPT_LINK, *WRITES, ARTIFACT_WRITE, *DELETES, *MODEL_DELETES),
        *(ARTIFACT_NAMES, "GET /get-artifact", f"GET {V3}/gateway/secrets/list"),
    ),
    "platform-admin": (),
}


@dataclass(frozen=True)
class Visit:
    """What came of a persona's flow: whether it ended well, what it told, and the requests that were refused."""

    succeeded: bool
    output: str
    errors: str
    refused: list[str]

    @property
    def facts(self) -> dict[str, str]:
        """What the flow tells the next ones."""
        assert self.succeeded, self.errors
        told: dict[str, str] = json.loads(self.output.splitlines()[-1])
        return told


def visit(server: Launcher, aws: str, facts: Mapping[str, str], persona: str) -> Visit:
    """Run a persona's flow in the server's environment."""
    role = Role(persona, TEAM if BUILT_IN[persona].scope is Scope.TEAM else None)
    api, objects = gateway(role, server), storage(role, aws)
    with api.open() as address, objects.open() as s3_address:
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(server.folder),
            **AWS,
            "AWS_DEFAULT_REGION": REGION,
            "MLFLOW_TRACKING_URI": f"{address}/{STAGE}/{TEAM}",
            "MLFLOW_S3_ENDPOINT_URL": s3_address,
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        }
        others = {"other_team": OTHER_TEAM, "other_uri": f"{address}/{STAGE}/{OTHER_TEAM}"}
        given = [f"{name}={value}" for name, value in {**facts, **others}.items()]
        done = subprocess.run(
            [SERVER_PYTHON, Path(__file__).with_name("flows.py"), persona, *given],
            env=variables,
            cwd=server.folder,
            capture_output=True,
            text=True,
            check=False,
        )
    refused = [call for call in [*api.calls, *objects.calls] if not call.allowed]
    return Visit(done.returncode == 0, done.stdout, done.stderr, shown(refused, TEAM))


@pytest.fixture(scope="module")
def visits(module_database: Database, aws: str, workshop: Path) -> dict[str, Visit]:
    """The flows of all personas: the model is trained, then promoted, then used by all others, two at a time."""
    with starter(aws, workshop) as function:
        server = function(module_database).ready()
        found = {"data-scientist": visit(server, aws, {"bucket": f"s3://{BUCKET}"}, "data-scientist")}
        facts = found["data-scientist"].facts
        found["model-approver"] = visit(server, aws, facts, "model-approver")
        others = [persona for persona in REFUSED if persona not in found]
        with ThreadPoolExecutor(2) as pool:
            return found | dict(
                zip(others, pool.map(partial(visit, server, aws, facts), others), strict=True)
            )


def test_every_persona_of_mlflow_has_a_flow() -> None:
    assert set(REFUSED) == {name for name, persona in BUILT_IN.items() if persona.scope is not Scope.STACK}


@pytest.mark.parametrize("persona", REFUSED)
def test_a_persona_does_its_work_and_nothing_else(visits: dict[str, Visit], persona: str) -> None:
    assert visits[persona].succeeded, visits[persona].errors
    assert sorted(visits[persona].refused) == sorted(REFUSED[persona])
