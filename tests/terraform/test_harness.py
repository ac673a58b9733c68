"""The harness itself: a small stack through terraform, and through cdktf, against the emulator."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.emulator.client import ACCOUNT, REGION, Emulator
from tests.terraform.conftest import CdktfIn, TerraformIn
from tests.terraform.harness import UNKNOWN, compare, errors, read_plan

DOCUMENT = {
    "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 5.100, < 7.0"}}},
    "provider": {"aws": [{"region": REGION, "default_tags": [{"tags": {"project": "mlflow"}}]}]},
    "variable": {"retention_days": {"type": "number", "default": 30}},
    "resource": {
        "aws_s3_bucket": {"artifacts": {"bucket": "mlflow-artifacts"}},
        "aws_cloudwatch_log_group": {
            "server": {"name": "/mlflow/server", "retention_in_days": "${var.retention_days}"}
        },
        "aws_cloudwatch_query_definition": {
            "who": {
                "name": "who",
                "log_group_names": ["${aws_cloudwatch_log_group.server.name}"],
                "query_string": "fields @message",
            }
        },
    },
    "output": {"log_group": {"value": "${aws_cloudwatch_log_group.server.arn}"}},
}
LOG_GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/mlflow/server"

APP = """
from cdktf import App, LocalBackend, TerraformStack
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

app = App()
stack = TerraformStack(app, "dev")
stack.add_override("terraform.required_providers.aws.version", ">= 5.100, < 7.0")
LocalBackend(stack, path="../../../terraform.dev.tfstate")
AwsProvider(stack, "aws", region="eu-west-1")
SnsTopic(stack, "alarms", name="alarms")
app.synth()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of Terraform, as small as will do."""
    stack = tmp_path / "sample"
    stack.mkdir()
    (stack / "cdk.tf.json").write_text(json.dumps(DOCUMENT), encoding="utf-8")
    return stack


@pytest.mark.terraform
def test_terraform_from_plan_to_destroy(folder: Path, aws: Emulator, terraform_in: TerraformIn) -> None:
    terraform = terraform_in(folder)
    assert terraform.validate() == []

    first = terraform.plan()
    assert sorted(first.addresses("create")) == [
        "aws_cloudwatch_log_group.server",
        "aws_cloudwatch_query_definition.who",
        "aws_s3_bucket.artifacts",
    ]
    terraform.apply_plan()
    assert terraform.outputs() == {"log_group": LOG_GROUP}
    assert len(terraform.resources()) == 3
    assert aws.aws("s3").get_bucket_tagging(Bucket="mlflow-artifacts")["TagSet"] == [
        {"Key": "project", "Value": "mlflow"}
    ]
    second = terraform.plan()
    assert second.empty, second

    third = terraform.plan({"retention_days": 90})
    assert [str(each) for each in third.changes] == [
        "aws_cloudwatch_log_group.server (update)\n    retention_in_days: 30 -> 90"
    ]
    terraform.apply({"retention_days": 90})
    aws.aws("logs").put_retention_policy(logGroupName="/mlflow/server", retentionInDays=7)
    drifted = terraform.plan({"retention_days": 90})
    assert str(drifted) == (
        "aws_cloudwatch_log_group.server (update)\n    retention_in_days: 7 -> 90\n"
        "found otherwise than kept: aws_cloudwatch_log_group.server (update)\n    retention_in_days: 90 -> 7"
    )

    terraform.destroy({"retention_days": 90})
    assert terraform.resources() == []
    assert aws.aws("s3").list_buckets()["Buckets"] == []


@pytest.mark.terraform
def test_cdktf_from_deploy_to_destroy(tmp_path: Path, aws: Emulator, cdktf_in: CdktfIn) -> None:
    (tmp_path / "main.py").write_text(APP, encoding="utf-8")
    settings = {"language": "python", "app": f"{sys.executable} main.py", "sendCrashReports": "false"}
    (tmp_path / "cdktf.json").write_text(json.dumps(settings), encoding="utf-8")
    cdktf = cdktf_in(tmp_path)

    cdktf.deploy("dev")
    topics = aws.aws("sns").list_topics()["Topics"]
    assert [each["TopicArn"] for each in topics] == [f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"]
    assert (tmp_path / "terraform.dev.tfstate").exists()
    assert "No changes. Your infrastructure matches the configuration." in cdktf.diff("dev").output
    shutil.rmtree(tmp_path / "cdktf.out")  # nothing in it is needed again: the state lies beside cdktf.json
    cdktf.destroy("dev")
    assert aws.aws("sns").list_topics()["Topics"] == []


def test_compare_names_each_leaf() -> None:
    before = {"a": 1, "b": {"c": [1, {"d": 2}]}, "e": [1], "g": None}
    after = {"a": 1, "b": {"c": [1, {"d": 3}]}, "e": [1, 2]}
    found = compare(before, after, {"f": True, "b": {"c": [False, {}]}})
    assert [str(each) for each in found] == [
        "b.c[1].d: 2 -> 3",
        "e: [1] -> [1, 2]",
        f"f: None -> {UNKNOWN!r}",
    ]


def test_a_plan_of_reads_and_no_ops_is_empty() -> None:
    document = {
        "resource_changes": [
            {"address": "a.a", "change": {"actions": ["no-op"], "before": {}, "after": {}}},
            {"address": "data.b.b", "change": {"actions": ["read"], "before": None, "after": {}}},
        ],
        "output_changes": {"o": {"actions": ["no-op"]}},
    }
    plan = read_plan(document)
    assert plan.empty
    assert str(plan) == "no changes"


def test_a_changed_output_is_a_change() -> None:
    plan = read_plan({"output_changes": {"url": {"actions": ["update"]}}})
    assert not plan.empty
    assert str(plan) == "output url"


def test_errors_are_picked_out_of_the_output() -> None:
    output = "aws_vpc.a: Creating...\n\x1b[31m╷\n│ Error: first\n│ more\n╵\n╷\n│ Error: second\n╵\n"
    assert errors(output).startswith("│ Error: first\n│ more\n")
    assert "Creating" not in errors(output)
    assert errors("no such file") == "no such file"
