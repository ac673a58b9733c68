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
from tests.terraform.deployer import bucket_actions, key_actions, refused, role
from tests.terraform.harness import CommandFailedError
from tests.terraform.identity import check_people, check_policies, check_roles, left_in_iam, sign_up

pytestmark = pytest.mark.terraform

BOOT_FILES = {"launcher.py", "bootstrap.sh", "mlflow.service", "sitecustomize.py", "cloudwatch-agent.json"}

DEPLOYER = f"arn:aws:iam::{ACCOUNT}:role/deploy"
#: Keys of a stack: logs, storage, database, notifications.
KEYS = 4
#: Of all session documents, those of this account.
OWN = [{"Key": "Owner", "Values": ["Self"]}]
#: Changes of an environment file: what is there, and what takes its place.
TO_ROLES = ("mode: session_tags", "mode: roles")
NAMED_DEPLOYER = ("project: mlflow\n", f"project: mlflow\ndeployer_role_arns: [{DEPLOYER}]\n")
WITH_A_USER = ("iam_group: {}", "iam_group: {users: [anna]}")
MISSING_ZONE = ("availability_zones: [a, b]", "availability_zones: [a, z]")
UNPROTECTED = ("deletion_protection: true", "deletion_protection: false")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with every environment synthesized, so that state and output stay out of the checkout."""
    return make_project(tmp_path_factory.mktemp("project"))


def make_project(folder: Path) -> Path:
    """Copy the project into ``folder`` and synthesize it."""
    copy_project(folder)
    settings = json.loads((ROOT / "cdktf.json").read_text(encoding="utf-8"))
    settings["app"] = f"{sys.executable} main.py"
    (folder / "cdktf.json").write_text(json.dumps(settings), encoding="utf-8")
    synthesize(folder)
    return folder


def synthesize(project: Path) -> None:
    """Run the project's ``main.py``, as an operator would."""
    subprocess.run([sys.executable, "main.py"], cwd=project, check=True, capture_output=True)


def edit(project: Path, old: str, new: str, *, environment: str = "prod") -> None:
    """Change an environment file, as an operator would, and synthesize."""
    file = project / "environments" / f"{environment}.yaml"
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")
    synthesize(project)


def stack(project: Path, environment: str) -> Path:
    """Return the folder in which terraform runs."""
    return project / "cdktf.out" / "stacks" / environment


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_real_provider_finds_nothing_to_say(project: Path, name: str, terraform_in: TerraformIn) -> None:
    assert terraform_in(stack(project, name), state="local").validate() == []


def test_the_real_provider_finds_nothing_to_say_of_the_other_mode(
    tmp_path: Path, terraform_in: TerraformIn
) -> None:
    project = make_project(tmp_path)
    edit(project, *TO_ROLES)
    assert terraform_in(stack(project, "prod"), state="local").validate() == []


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


def test_a_zone_that_is_not_there_is_told_before_anything_is_made(
    tmp_path: Path, aws: Emulator, terraform_in: TerraformIn
) -> None:
    project = make_project(tmp_path)
    edit(project, *MISSING_ZONE, environment="dev")
    with pytest.raises(CommandFailedError) as refused:
        terraform_in(stack(project, "dev"), state="local").plan()
    told = " ".join(str(refused.value).replace("│", " ").split())
    assert "This account has not all of eu-west-1a, eu-west-1z." in told


@pytest.mark.xdist_group("dev")
@pytest.mark.timeout(1200)  # two applies and a destroy
def test_dev_by_cdktf_deploy(
    project: Path, aws: Emulator, cdktf_in: CdktfIn, terraform_in: TerraformIn
) -> None:
    start = aws.log.stat().st_size
    cdktf = cdktf_in(project)
    cdktf.deploy("dev")
    assert (project / "terraform.dev.tfstate").exists()
    assert "No changes. Your infrastructure matches the configuration." in cdktf.diff("dev").output

    # Once more by terraform itself, which says what would change, and where.
    terraform = terraform_in(stack(project, "dev"))
    shutil.copy(project / "terraform.dev.tfstate", terraform.folder.parents[2])
    second = terraform.plan()
    assert second.empty, second
    check_what_was_made(project, aws, terraform.outputs(), "dev", teams=["fraud", "pricing", "search"])
    check_roles(aws, "dev", "roles")
    check_policies(aws, "dev")
    check_people(aws, users=[])
    check_before_the_api(aws)

    edit(project, *WITH_A_USER, environment="dev")
    cdktf.deploy("dev")
    assert "No changes. Your infrastructure matches the configuration." in cdktf.diff("dev").output
    check_people(aws, users=["anna"])

    guards = Guards(aws, "dev")
    sign_up(aws, "anna")
    cdktf.destroy("dev")
    assert left_over(aws) == []
    guards.check(aws, since=start, named=False)


@pytest.mark.xdist_group("prod")
@pytest.mark.timeout(1800)  # four applies and two destroys
def test_prod_by_terraform_with_its_state_in_s3(
    project: Path, aws: Emulator, terraform_in: TerraformIn
) -> None:
    s3 = aws.aws("s3")
    s3.create_bucket(
        Bucket="example-terraform-state", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    start = aws.log.stat().st_size
    terraform = terraform_in(stack(project, "prod"))
    terraform.apply()
    second = terraform.plan()
    assert second.empty, second
    state = s3.head_object(Bucket="example-terraform-state", Key="mlflow/prod.tfstate")
    assert state["ServerSideEncryption"] == "AES256"
    check_what_was_made(project, aws, terraform.outputs(), "prod", teams=["fraud", "pricing", "search"])
    check_roles(aws, "prod", "session_tags")
    check_policies(aws, "prod")
    Guards(aws, "prod").check(aws, since=start, named=False, destroyed=False)

    edit(project, *NAMED_DEPLOYER)
    edit(project, *TO_ROLES)
    terraform = terraform_in(stack(project, "prod"))
    terraform.apply()
    second = terraform.plan()
    assert second.empty, second
    check_roles(aws, "prod", "roles")
    check_policies(aws, "prod")

    with pytest.raises(CommandFailedError, match="Instance cannot be destroyed"):
        terraform.destroy()
    assert len(left_over(aws)) > 1, "nothing was destroyed before the refusal"
    guards = Guards(aws, "prod")
    edit(project, *UNPROTECTED)
    unprotected = terraform_in(stack(project, "prod"))
    unprotected.apply()
    unprotected.destroy()
    snapshots = aws.aws("rds").describe_db_snapshots()["DBSnapshots"]
    assert [snapshot["DBSnapshotIdentifier"] for snapshot in snapshots] == ["mlflow-prod-final"]
    assert left_over(aws) == ["example-terraform-state"]
    guards.check(aws, since=start, named=True)


class Guards:
    """The policies of the artifacts' bucket and of the keys, as they were when this was made."""

    def __init__(self, aws: Emulator, environment: str) -> None:
        self.environment = environment
        self.bucket = f"mlflow-{environment}-artifacts-{ACCOUNT}-{REGION}"
        self.bucket_policy = json.loads(aws.aws("s3").get_bucket_policy(Bucket=self.bucket)["Policy"])
        kms = aws.aws("kms")
        aliases = {each["AliasName"]: each.get("TargetKeyId") for each in kms.list_aliases()["Aliases"]}
        keys = [
            key for name, key in aliases.items() if key and name.startswith(f"alias/mlflow-{environment}")
        ]
        self.key_policies = {
            f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}": json.loads(
                kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
            )
            for key in keys
        }

    def check(self, aws: Emulator, *, since: int, named: bool, destroyed: bool = True) -> None:
        """Check that a deployer may do all that Terraform did, and that others may not."""
        calls = aws.calls(since=since)
        on_bucket, on_keys = bucket_actions(calls, self.bucket), key_actions(calls)
        assert {"s3:ListBucket", "s3:GetBucketPolicy", "s3:PutBucketPolicy"} <= on_bucket
        assert {"kms:DescribeKey", "kms:GetKeyPolicy"} <= on_keys
        if destroyed:
            assert {"s3:DeleteBucket", "s3:DeleteBucketPolicy"} <= on_bucket
            assert "kms:ScheduleKeyDeletion" in on_keys

        arn = f"arn:aws:s3:::{self.bucket}"
        deployers = [role("deploy"), role("deploy", team="fraud"), *([] if named else [role("any/other")])]
        assert list(refused(on_bucket, arn, self.bucket_policy, deployers)) == []
        assert len(self.key_policies) == KEYS
        for key, policy in self.key_policies.items():
            assert list(refused(on_keys, key, policy, deployers)) == [], key

        # The judge does refuse: to a persona all configuration, and where deployers are named, to others the look.
        persona = role(f"mlflow-{self.environment}/team-admin/x", team="fraud")
        configuration = on_bucket - {"s3:ListBucket"}
        assert len(list(refused(configuration, arn, self.bucket_policy, [persona]))) == len(configuration)
        look = list(refused(["s3:ListBucket"], arn, self.bucket_policy, [role("any/other")]))
        assert bool(look) == named


def left_over(aws: Emulator) -> list[str]:
    """Return names of what costs money, holds data or gives access.

    That is buckets, databases, instances, load balancers, VPCs, web ACLs, what is in IAM, and session documents.
    """
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
        *(each["Name"] for each in aws.aws("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"]),
        *left_in_iam(aws),
        *(each["Name"] for each in aws.aws("ssm").list_documents(Filters=OWN)["DocumentIdentifiers"]),
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
    document = aws.aws("ssm").get_document(Name=f"mlflow-{environment}-operations")
    reviewed = (project / "templates" / "operations" / "session.json").read_text(encoding="utf-8")
    assert document["DocumentType"] == "Session"
    assert json.loads(document["Content"]) == json.loads(reviewed)

    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    uploaded = {key.rpartition("/")[2]: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
    for name in BOOT_FILES:
        assert uploaded[name] == (project / "templates" / "server" / name).read_bytes(), name

    for name in ("artifact_bucket", "server_bucket", "access_log_bucket"):
        assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=outputs[name])
    check_load_balancer(aws, outputs["access_log_bucket"])

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


def check_load_balancer(aws: Emulator, bucket: str) -> None:
    """Check where the load balancer's access log goes."""
    elb = aws.aws("elbv2")
    (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
    found = elb.describe_load_balancer_attributes(LoadBalancerArn=balancer["LoadBalancerArn"])["Attributes"]
    log = {
        each["Key"].rpartition(".")[2]: each["Value"]
        for each in found
        if each["Key"].startswith("access_logs")
    }
    assert log == {"enabled": "true", "bucket": bucket, "prefix": "load-balancer"}


def check_before_the_api(aws: Emulator) -> None:
    """Check that dev's stage is behind its web ACL, which blocks whom it does not know and logs that."""
    gateway, waf = aws.aws("apigateway"), aws.aws("wafv2")
    (api,) = gateway.get_rest_apis()["items"]
    stage = f"arn:aws:apigateway:{REGION}::/restapis/{api['id']}/stages/api"
    found = waf.get_web_acl_for_resource(ResourceArn=stage)["WebACL"]
    assert found["DefaultAction"] == {"Block": {}}
    admitted = found["Rules"][-1]
    assert (admitted["Name"], admitted["Action"]) == ("clients", {"Allow": {}})
    log = waf.get_logging_configuration(ResourceArn=found["ARN"])["LoggingConfiguration"]
    assert log["LogDestinationConfigs"] == [
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:aws-waf-logs-mlflow-dev"
    ]
