"""The product itself: the shipped environments applied by the real provider, planned again, and destroyed."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gatehouse.fields import ROOT
from tests.emulator.client import ACCOUNT, REGION, Emulator
from tests.project import copy_project
from tests.terraform.conftest import CdktfIn, TerraformIn
from tests.terraform.harness import CommandFailedError

pytestmark = pytest.mark.terraform

BOOT_FILES = {"launcher.py", "bootstrap.sh", "mlflow.service", "sitecustomize.py", "cloudwatch-agent.json"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with every environment synthesized, so that state and output stay out of the checkout."""
    folder = tmp_path_factory.mktemp("project")
    copy_project(folder)
    settings = json.loads((ROOT / "cdktf.json").read_text(encoding="utf-8"))
    settings["app"] = f"{sys.executable} main.py"
    (folder / "cdktf.json").write_text(json.dumps(settings), encoding="utf-8")
    subprocess.run([sys.executable, "main.py"], cwd=folder, check=True, capture_output=True)
    return folder


def stack(project: Path, environment: str) -> Path:
    """Return the folder in which terraform runs."""
    return project / "cdktf.out" / "stacks" / environment


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_real_provider_finds_nothing_to_say(project: Path, name: str, terraform_in: TerraformIn) -> None:
    assert terraform_in(stack(project, name), state="local").validate() == []


WRONG_VARIABLES: list[tuple[dict[str, object], str]] = [
    ({"instance_type": "m7i.large"}, "arm64 processors"),
    ({"server_min_size": 3}, "server_min_size <= server_desired_capacity <= server_max_size"),
    ({"backup_retention_days": 36}, "whole number from 1 to 35"),
    ({"backup_retention_days": 1.5}, "whole number from 1 to 35"),
    ({"log_retention_days": 8}, "CloudWatch Logs offers"),
    ({"database_instance_class": "t4g.micro"}, "RDS instance class"),
    ({"database_max_storage_gb": 21, "database_storage_gb": 20}, "from 22 to 65536"),
    ({"database_max_storage_gb": 54, "database_storage_gb": 50}, "a tenth more than"),
]


def test_a_wrong_variable_is_refused_with_a_sentence(
    project: Path, aws: Emulator, terraform_in: TerraformIn
) -> None:
    terraform = terraform_in(stack(project, "dev"), state="local")
    for variables, message in WRONG_VARIABLES:
        with pytest.raises(CommandFailedError, match=r"Invalid value for variable") as refused:
            terraform.plan(variables)
        assert message in " ".join(str(refused.value).replace("│", " ").split()), variables


@pytest.mark.xdist_group("dev")
def test_dev_by_cdktf_deploy(
    project: Path, aws: Emulator, cdktf_in: CdktfIn, terraform_in: TerraformIn
) -> None:
    cdktf = cdktf_in(project)
    cdktf.deploy("dev")
    assert (project / "terraform.dev.tfstate").exists()
    assert "No changes. Your infrastructure matches the configuration." in cdktf.diff("dev").output

    # Once more by terraform itself, which says what would change, and where.
    terraform = terraform_in(stack(project, "dev"))
    shutil.copy(project / "terraform.dev.tfstate", terraform.folder.parents[2])
    second = terraform.plan()
    assert second.empty, second
    check_what_was_made(project, aws, terraform.outputs(), "dev", teams=["fraud", "search"])

    cdktf.destroy("dev")
    assert left_over(aws) == []


@pytest.mark.xdist_group("prod")
def test_prod_by_terraform_with_its_state_in_s3(
    project: Path, aws: Emulator, terraform_in: TerraformIn
) -> None:
    s3 = aws.aws("s3")
    s3.create_bucket(
        Bucket="example-terraform-state", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    terraform = terraform_in(stack(project, "prod"))
    terraform.apply()
    second = terraform.plan()
    assert second.empty, second
    state = s3.head_object(Bucket="example-terraform-state", Key="mlflow/prod.tfstate")
    assert state["ServerSideEncryption"] == "AES256"
    check_what_was_made(project, aws, terraform.outputs(), "prod", teams=["fraud", "pricing", "search"])

    with pytest.raises(CommandFailedError, match="Instance cannot be destroyed"):
        terraform.destroy()
    assert len(left_over(aws)) > 1, "nothing was destroyed before the refusal"
    unprotected = terraform_in(stack(unprotect(project), "prod"))
    unprotected.apply()
    unprotected.destroy()
    snapshots = aws.aws("rds").describe_db_snapshots()["DBSnapshots"]
    assert [snapshot["DBSnapshotIdentifier"] for snapshot in snapshots] == ["mlflow-prod-final"]
    assert left_over(aws) == ["example-terraform-state"]


def unprotect(project: Path) -> Path:
    """Switch the protection off in the environment file, as an operator would, and synthesize."""
    file = project / "environments" / "prod.yaml"
    text = file.read_text(encoding="utf-8")
    assert "deletion_protection: true" in text
    file.write_text(text.replace("deletion_protection: true", "deletion_protection: false"), encoding="utf-8")
    subprocess.run([sys.executable, "main.py"], cwd=project, check=True, capture_output=True)
    return project


def left_over(aws: Emulator) -> list[str]:
    """Return names of what costs money or holds data: buckets, databases, instances, load balancers, VPCs."""
    reservations = aws.aws("ec2").describe_instances()["Reservations"]
    instances = [instance for reservation in reservations for instance in reservation["Instances"]]
    running = [each["InstanceId"] for each in instances if each["State"]["Name"] != "terminated"]
    vpcs = aws.aws("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"]
    return [
        *(bucket["Name"] for bucket in aws.aws("s3").list_buckets()["Buckets"]),
        *(each["DBInstanceIdentifier"] for each in aws.aws("rds").describe_db_instances()["DBInstances"]),
        *running,
        *(each["LoadBalancerName"] for each in aws.aws("elbv2").describe_load_balancers()["LoadBalancers"]),
        *(each["VpcId"] for each in vpcs),
    ]


def check_what_was_made(
    project: Path, aws: Emulator, outputs: dict[str, Any], environment: str, *, teams: list[str]
) -> None:
    """Check what only an apply can show: references resolved, texts unescaped, files as they are in the project."""
    uris = outputs["tracking_uris"]
    assert list(uris) == teams
    assert all(uri == f"{outputs['api_url']}/{team}" for team, uri in uris.items())
    assert "${" not in json.dumps(outputs)

    s3 = aws.aws("s3")
    bucket = outputs["server_bucket"]
    assert bucket == f"mlflow-{environment}-server-{ACCOUNT}-{REGION}"
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    uploaded = {key.rpartition("/")[2]: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
    for name in BOOT_FILES:
        assert uploaded[name] == (project / "templates" / "server" / name).read_bytes(), name

    versions = aws.aws("ec2").describe_launch_template_versions(
        LaunchTemplateName=f"mlflow-{environment}-server", Versions=["$Latest"]
    )
    user_data = versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]["UserData"]
    script = base64.b64decode(user_data).decode()
    assert len(script) < 16_384
    assert "$${" not in script
    assert f'GATEHOUSE_ARTIFACT_ROOT="s3://{outputs["artifact_bucket"]}"' in script
    assert outputs["database_secret_arn"] in script
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
