"""What people and machines do with the ordinary MLflow client: one function for each persona.

    python flows.py PERSONA NAME=VALUE ...

Configured by MLFLOW_* and AWS_* variables. What is allowed must succeed; what must be refused stands in `refused`
or `forbidden`. Prints one JSON object: the given facts and those of the work done, such as the id of a run. Runs in
the server's environment.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import mlflow  # type: ignore[import-not-found]
import requests
from boto3.exceptions import Boto3Error
from botocore.exceptions import ClientError
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag  # type: ignore[import-not-found]
from mlflow.exceptions import MlflowException  # type: ignore[import-not-found]
from mlflow.genai import datasets  # type: ignore[import-not-found]

Facts = dict[str, str]
TRAINING, MODEL, NOTES = "training", "churn", "notes.txt"
API = "/api/2.0/mlflow"


class Doubler(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """The smallest model."""

    def predict(self, context: object, model_input: list[int], params: object = None) -> list[int]:
        """Twice the input."""
        return [2 * number for number in model_input]


def refused(action: Callable[[], object]) -> None:
    """Do what the gateway or S3 must refuse, with the client."""
    try:
        action()
    except (Boto3Error, ClientError, MlflowException) as error:
        if "not authorized" not in str(error):
            raise
    else:
        raise AssertionError("what must be refused was allowed")


def forbidden(*calls: str) -> None:
    """Send each METHOD PATH itself, where the client would first ask something else."""
    for call in calls:
        method, _, path = call.partition(" ")
        answer = requests.request(method, f"{os.environ['MLFLOW_TRACKING_URI']}{path}", json={}, timeout=60)
        assert answer.status_code == 403, (call, answer.text)


def train(experiment: str) -> Facts:
    """A training script: a run with everything that it logs, and a registered model."""
    mlflow.set_experiment(experiment)
    with mlflow.start_run() as run:
        mlflow.log_param("depth", 3)
        mlflow.log_metric("loss", 0.5, step=1)
        mlflow.set_tag("kind", "lab")
        MlflowClient().log_batch(
            run.info.run_id, [Metric("accuracy", 0.9, 0, 0)], [Param("seed", "7")], [RunTag("size", "small")]
        )
        mlflow.log_text("it went well", NOTES)
        # The requirements are given, because to find them takes longer than all the rest.
        model = mlflow.pyfunc.log_model(
            name="model", python_model=Doubler(), pip_requirements=["mlflow"], registered_model_name=MODEL
        )
    return {
        "experiment": run.info.experiment_id,
        "run": run.info.run_id,
        "model": model.model_id,
        "version": str(model.registered_model_version),
    }


def trace() -> str | None:
    """Two nested spans; the id of their trace."""

    @mlflow.trace  # type: ignore[untyped-decorator]
    def answer(question: str) -> str:
        with mlflow.start_span("look up") as span:
            span.set_attribute("words", len(question.split()))
        return question.upper()

    answer("what is it?")
    mlflow.flush_trace_async_logging()
    last: str | None = mlflow.get_last_active_trace_id()
    return last


def read_records(facts: Facts) -> None:
    """Search and get all that a data scientist has recorded."""
    client, experiment, name = MlflowClient(), facts["experiment"], f"name='{MODEL}'"
    assert experiment in [each.experiment_id for each in client.search_experiments()]
    assert client.get_experiment_by_name(TRAINING).experiment_id == experiment
    assert client.get_experiment(experiment).name == TRAINING
    assert len(mlflow.search_runs(experiment_names=[TRAINING], output_format="list")) == 1
    assert client.get_run(facts["run"]).data.params["depth"] == "3"
    assert [each.value for each in client.get_metric_history(facts["run"], "loss")] == [0.5]
    found = mlflow.search_logged_models(experiment_ids=[experiment], output_format="list")
    assert [each.model_id for each in found] == [facts["model"]]
    assert client.get_logged_model(facts["model"]).source_run_id == facts["run"]
    assert [each.name for each in client.search_registered_models(name)] == [MODEL]
    assert client.get_registered_model(MODEL).name == MODEL
    assert facts["version"] in [each.version for each in client.search_model_versions(name)]
    assert client.get_model_version(MODEL, facts["version"]).run_id == facts["run"]
    assert client.get_latest_versions(MODEL)
    assert len(mlflow.search_traces(locations=[experiment], return_type="list")) == 1
    spans = mlflow.get_trace(facts["trace"]).data.spans
    assert sorted(span.name for span in spans) == ["answer", "look up"]
    assert [each.name for each in datasets.search_datasets(experiment_ids=[experiment])] == ["questions"]
    assert len(datasets.get_dataset(dataset_id=facts["dataset"]).to_df()) == 1
    assert mlflow.genai.load_prompt("greeting", version=1).format(name="you") == "hello you"


def read_artifacts(facts: Facts) -> None:
    """List and download a run's artifacts, which the client asks of S3 itself."""
    assert NOTES in [each.path for each in MlflowClient().list_artifacts(facts["run"])]
    with tempfile.TemporaryDirectory() as folder:
        mlflow.artifacts.download_artifacts(run_id=facts["run"], dst_path=folder)
        assert Path(folder, NOTES).read_text(encoding="utf-8") == "it went well"
    assert mlflow.artifacts.load_text(f"runs:/{facts['run']}/{NOTES}") == "it went well"


def load(uri: str) -> None:
    """Load a model and use it."""
    assert mlflow.pyfunc.load_model(uri).predict([1, 2]) == [2, 4]


def write_nothing(facts: Facts) -> None:
    """Every kind of write, each refused."""
    client = MlflowClient()
    refused(lambda: client.create_experiment("more"))
    refused(lambda: client.create_run(facts["experiment"]))
    refused(lambda: client.set_tag(facts["run"], "kind", "changed"))
    refused(lambda: client.create_registered_model("more"))
    refused(lambda: client.log_text(facts["run"], "it went badly", NOTES))
    refused(lambda: mlflow.log_feedback(trace_id=facts["trace"], name="good", value=False))
    refused(lambda: datasets.create_dataset(name="more", experiment_id=facts["experiment"]))


def delete_nothing(facts: Facts) -> None:
    """Deletes of every kind of object, each refused."""
    client = MlflowClient()
    refused(lambda: client.delete_run(facts["run"]))
    refused(lambda: client.delete_experiment(facts["experiment"]))
    refused(lambda: client.delete_logged_model(facts["model"]))
    refused(lambda: client.delete_traces(facts["experiment"], trace_ids=[facts["trace"]]))
    refused(lambda: client.delete_dataset(facts["dataset"]))
    refused(lambda: client.delete_model_version(MODEL, facts["version"]))
    refused(lambda: client.delete_registered_model(MODEL))


def stay_in_team(facts: Facts) -> None:
    """Another team's records and artifacts, refused."""
    other = MlflowClient(facts["other_uri"])
    refused(other.search_experiments)
    refused(lambda: other.create_run("0"))
    location = f"{facts['bucket']}/workspaces/{facts['other_team']}/1/{facts['run']}/artifacts/{NOTES}"
    refused(lambda: mlflow.artifacts.download_artifacts(artifact_uri=location))


def data_scientist(facts: Facts) -> None:
    """Train, trace, evaluate, and read it all back."""
    facts |= train(TRAINING)
    facts["trace"] = trace() or ""
    mlflow.log_feedback(trace_id=facts["trace"], name="good", value=True)
    mlflow.set_trace_tag(facts["trace"], "kind", "lab")
    mlflow.delete_trace_tag(facts["trace"], "kind")
    dataset = datasets.create_dataset(name="questions", experiment_id=facts["experiment"])
    dataset.merge_records([{"inputs": {"question": "what is it?"}, "expectations": {"answer": "IT"}}])
    facts["dataset"] = dataset.dataset_id
    mlflow.genai.register_prompt("greeting", "hello {{ name }}")
    read_records(facts)
    read_artifacts(facts)
    load(f"models:/{MODEL}/{facts['version']}")
    load(f"models:/{facts['model']}")
    client, version = MlflowClient(), facts["version"]
    delete_nothing(facts)
    refused(lambda: client.set_registered_model_alias(MODEL, "champion", version))
    refused(lambda: client.set_model_version_tag(MODEL, version, "approved", "yes"))
    refused(lambda: client.transition_model_version_stage(MODEL, version, "Production"))
    refused(client.list_webhooks)
    refused(lambda: client.create_webhook("hook", "https://example.com", ["model_version.created"]))
    forbidden("GET /api/3.0/mlflow/gateway/secrets/list", "POST /api/3.0/mlflow/gateway/secrets/create")
    stay_in_team(facts)


def model_approver(facts: Facts) -> None:
    """Look at a version, and promote it."""
    client, version = MlflowClient(), facts["version"]
    load(f"models:/{MODEL}/{version}")
    client.set_registered_model_alias(MODEL, "champion", version)
    client.set_registered_model_alias(MODEL, "old", version)
    client.delete_registered_model_alias(MODEL, "old")
    client.set_model_version_tag(MODEL, version, "approved", "yes")
    client.update_model_version(MODEL, version, "reviewed")
    client.transition_model_version_stage(MODEL, version, "Production")
    delete_nothing(facts)
    write_nothing(facts)
    refused(lambda: client.rename_registered_model(MODEL, "other"))
    refused(lambda: client.create_model_version(MODEL, "s3://elsewhere"))


def model_server(facts: Facts) -> None:
    """Load models by version, alias and stage."""
    for name in (facts["version"], "Production", "latest"):
        load(f"models:/{MODEL}/{name}")
    load(f"models:/{MODEL}@champion")
    client = MlflowClient()
    refused(client.search_experiments)
    refused(lambda: client.search_runs([facts["experiment"]]))
    refused(lambda: client.get_logged_model(facts["model"]))
    refused(lambda: client.set_registered_model_alias(MODEL, "champion", facts["version"]))
    write_nothing(facts)
    forbidden(*(f"GET {path}" for path in ("/", "/version", "/graphql", "/api/3.0/mlflow/server-info")))
    forbidden("GET /ajax-api/2.0/mlflow/registered-models/search")
    stay_in_team(facts)


def ci_pipeline(facts: Facts) -> None:
    """Train and register; find runs again; and trace, which does not stop the script."""
    theirs = dict(facts)
    facts |= train("nightly")
    assert len(mlflow.search_runs(experiment_names=["nightly"], output_format="list")) == 1
    read_artifacts(facts)
    load(f"models:/{facts['model']}")
    mlflow.register_model(f"runs:/{facts['run']}/model", "nightly")
    trace()
    delete_nothing(theirs)
    forbidden(
        f"POST {API}/registered-models/alias",
        f"DELETE {API}/model-versions/delete",
        f"POST {API}/model-versions/transition-stage",
        "POST /ajax-api/2.0/mlflow/runs/create",
        "POST /graphql",
    )
    stay_in_team(theirs)


def reader(facts: Facts) -> None:
    """Read everything."""
    read_records(facts)
    read_artifacts(facts)
    load(f"models:/{MODEL}@champion")
    write_nothing(facts)
    delete_nothing(facts)
    stay_in_team(facts)


def team_admin(facts: Facts) -> None:
    """Make and delete everything in the team."""
    client = MlflowClient()
    experiment = mlflow.set_experiment("scratch").experiment_id
    with mlflow.start_run() as run:
        mlflow.log_text("scratch", NOTES)
        model = mlflow.create_external_model(name="scratch")
    trace_id = trace()
    dataset = datasets.create_dataset(name="scratch", experiment_id=experiment)
    client.create_registered_model("scratch")
    client.set_registered_model_tag("scratch", "kind", "lab")
    version = client.create_model_version("scratch", run.info.artifact_uri, run.info.run_id)
    client.set_registered_model_alias("scratch", "champion", version.version)
    # The address must be a public one; nothing is sent before a model is registered.
    hook = client.create_webhook("scratch", "https://1.1.1.1", ["registered_model.created"])
    assert [each.name for each in client.list_webhooks()] == ["scratch"]
    client.delete_webhook(hook.webhook_id)
    client.delete_model_version("scratch", version.version)
    client.delete_registered_model("scratch")
    client.delete_traces(experiment, trace_ids=[trace_id])
    client.delete_dataset(dataset.dataset_id)
    client.delete_logged_model(model.model_id)
    client.delete_run(run.info.run_id)
    client.delete_experiment(experiment)
    refused(mlflow.list_workspaces)
    refused(lambda: mlflow.create_workspace("gamma"))
    refused(lambda: mlflow.delete_workspace(facts["other_team"]))
    stay_in_team(facts)


def auditor(facts: Facts) -> None:
    """Read the records of every team, and no artifact."""
    read_records(facts)
    other = MlflowClient(facts["other_uri"])
    other.search_experiments()
    assert facts["other_team"] in [each.name for each in mlflow.list_workspaces()]
    MlflowClient().list_webhooks()
    refused(lambda: read_artifacts(facts))
    write_nothing(facts)
    delete_nothing(facts)
    run = f"run_uuid={facts['run']}&path={NOTES}"
    forbidden(f"GET /get-artifact?{run}", "GET /api/3.0/mlflow/gateway/secrets/list")


def platform_admin(facts: Facts) -> None:
    """Make, change and delete a team's workspace, and work in every other."""
    mlflow.create_workspace("gamma", description="new")
    mlflow.update_workspace("gamma", description="newer")
    assert mlflow.get_workspace("gamma").description == "newer"
    mlflow.delete_workspace("gamma")
    other = MlflowClient(facts["other_uri"])
    other.delete_experiment(other.create_experiment("scratch"))
    read_artifacts(facts)


def main(persona: str, *given: str) -> None:
    """Do what the persona does."""
    flows = (
        *(data_scientist, model_approver, model_server, ci_pipeline, reader),
        *(team_admin, auditor, platform_admin),
    )
    facts = dict(pair.split("=", 1) for pair in given)
    {flow.__name__: flow for flow in flows}[persona.replace("-", "_")](facts)
    print(json.dumps(facts))


if __name__ == "__main__":
    main(*sys.argv[1:])
