"""A data scientist's script: logs runs with the ordinary MLflow client and notes what the server acknowledged.

    python client.py RUNS THREADS

Configured by MLFLOW_* variables and GATEHOUSE_API_STAGE: there is no gateway before the server, so the script itself
names the path that one would have decided on. Prints one JSON object: how many requests were answered with each status
(0: no answer), and for each run that was created the metrics that the server acknowledged. Runs in the server's
environment.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeAlias

import requests
from mlflow import MlflowClient  # type: ignore[import-not-found]
from mlflow.exceptions import MlflowException  # type: ignore[import-not-found]
from requests.adapters import HTTPAdapter

STATUSES: Counter[int] = Counter()
TEAM_PATH = f"/{os.environ['GATEHOUSE_API_STAGE']}/{os.environ['MLFLOW_WORKSPACE']}"
P = ParamSpec("P")
Send: TypeAlias = Callable[Concatenate[HTTPAdapter, requests.PreparedRequest, P], requests.Response]
METRICS = 3


def counting(send: Send[P]) -> Send[P]:
    """`send`, which names the path to the server and counts its answers."""

    def counted(
        adapter: HTTPAdapter, request: requests.PreparedRequest, /, *arguments: P.args, **options: P.kwargs
    ) -> requests.Response:
        request.headers["X-Gatehouse-Path"] = f"{TEAM_PATH}{request.path_url.partition('?')[0]}"
        try:
            response = send(adapter, request, *arguments, **options)
        except Exception:
            STATUSES[0] += 1
            raise
        STATUSES[response.status_code] += 1
        return response

    return counted


def log_run(client: MlflowClient, experiment: str, acknowledged: dict[str, list[str]]) -> None:
    """One run with a few metrics; what fails is not acknowledged, and the script goes on."""
    try:
        run = client.create_run(experiment).info.run_id
        acknowledged[run] = []
        for number in range(METRICS):
            client.log_metric(run, f"metric{number}", number)
            acknowledged[run].append(f"metric{number}")
        client.set_terminated(run)
    except MlflowException as error:
        print(error, file=sys.stderr)


def main(runs: int, threads: int) -> None:
    """Log `runs` runs from `threads` threads."""
    setattr(HTTPAdapter, "send", counting(HTTPAdapter.send))  # noqa: B010 - the client has no other hook
    client = MlflowClient()
    experiment = client.create_experiment("load")
    acknowledged: dict[str, list[str]] = {}
    print("started", flush=True)
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(runs):
            pool.submit(log_run, client, experiment, acknowledged)
    print(json.dumps({"statuses": STATUSES, "acknowledged": acknowledged}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
