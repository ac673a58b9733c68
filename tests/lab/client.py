"""A data scientist's script: logs runs with the ordinary MLflow client and notes what the server acknowledged.

    python client.py RUNS THREADS

Configured by MLFLOW_* variables. Prints one JSON object: how many requests were answered with each status (0:
no answer), and for each run that was created the metrics that the server acknowledged. Runs in the server's
environment.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec

import requests
from mlflow import MlflowClient  # type: ignore[import-not-found]
from mlflow.exceptions import MlflowException  # type: ignore[import-not-found]
from requests.adapters import HTTPAdapter

STATUSES: Counter[int] = Counter()
P = ParamSpec("P")
METRICS = 3


def counting(send: Callable[P, requests.Response]) -> Callable[P, requests.Response]:
    """`send`, which counts its answers."""

    def counted(*arguments: P.args, **options: P.kwargs) -> requests.Response:
        try:
            response = send(*arguments, **options)
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
