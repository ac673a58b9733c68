"""Servers, database, roles, alarms, variables and outputs."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest

from gatehouse.fields import ROOT
from tests.synth.conftest import Synthesize, example
from tests.synth.template import Template

STATE_ROLE = "arn:aws:iam::111122223333:role/tf"


def test_instances_are_hardened(stack: Template) -> None:
    template = stack.only("aws_launch_template")
    metadata = template["metadata_options"]
    assert (metadata["http_tokens"], metadata["http_put_response_hop_limit"]) == ("required", 1)
    assert "key_name" not in template
    (interface,) = template["network_interfaces"]
    assert interface["associate_public_ip_address"] == "false"
    (disk,) = template["block_device_mappings"]
    assert (disk["ebs"]["encrypted"], disk["ebs"]["volume_type"]) == ("true", "gp3")


def test_image_follows_the_instance_architecture(synthesize: Synthesize, dev: Template) -> None:
    def image(template: Template) -> str:
        name: str = template.only("aws_launch_template")["image_id"]
        assert name.startswith("resolve:ssm:/aws/service/ami-amazon-linux-latest/")
        return name

    assert image(dev).endswith("/al2023-ami-kernel-default-arm64")
    intel = synthesize("dev", server={**example("dev")["server"], "instance_type": "m7i.large"})
    assert image(intel).endswith("/al2023-ami-kernel-default-x86_64")


def test_group_spans_the_private_subnets_and_follows_the_health_check(stack: Template) -> None:
    group = stack.only("aws_autoscaling_group")
    assert all("network_private" in subnet for subnet in group["vpc_zone_identifier"])
    assert group["health_check_type"] == "ELB"
    assert group["instance_refresh"]["strategy"] == "Rolling"
    assert group["lifecycle"] == {"ignore_changes": ["desired_capacity"]}
    tracking = stack.only("aws_autoscaling_policy")["target_tracking_configuration"]
    assert tracking["predefined_metric_specification"]["predefined_metric_type"] == "ASGAverageCPUUtilization"


def test_terraform_ignores_only_what_counts_at_creation_or_is_scaled(stack: Template) -> None:
    ignoring = {
        kind: body["lifecycle"]["ignore_changes"]
        for kind, _, body in stack.all()
        if "ignore_changes" in body.get("lifecycle", {})
    }
    assert ignoring == {
        "aws_autoscaling_group": ["desired_capacity"],
        "aws_db_instance": ["snapshot_identifier", "kms_key_id"],
    }


def test_what_holds_data_cannot_be_destroyed_in_prod(dev: Template, prod: Template) -> None:
    def kept(template: Template) -> set[str]:
        return {name for _, name, body in template.all() if body.get("lifecycle", {}).get("prevent_destroy")}

    assert kept(dev) == set()
    assert kept(prod) >= {
        "database_instance", "database_key", "storage_key", "storage_artifacts", "storage_server_files",
        "storage_access_logs",
    }  # fmt: skip
    assert prod.only("aws_lb")["enable_deletion_protection"] is True
    assert prod.only("aws_db_instance")["deletion_protection"] is True


def test_an_instance_serves_only_after_its_own_boot_said_so(stack: Template) -> None:
    group = stack.only("aws_autoscaling_group")
    (hook,) = group["initial_lifecycle_hook"]
    assert (hook["lifecycle_transition"], hook["default_result"]) == (
        "autoscaling:EC2_INSTANCE_LAUNCHING",
        "ABANDON",
    )
    assert hook["heartbeat_timeout"] > 30 * 60, "boot waits half an hour for the wheelhouse"
    assert group["wait_for_capacity_timeout"] == "0"
    user_data = stack.document["locals"]["server_user_data"]
    assert f'GATEHOUSE_BOOT_HOOK="{hook["name"]}"' in user_data
    assert f'GATEHOUSE_SCALING_GROUP="{group["name"]}"' in user_data
    statement = stack.policy("aws_iam_role_policy", "server_role_policy")["ReportOwnBoot"]
    assert statement["Resource"].endswith(f":autoScalingGroupName/{group['name']}")


def test_boot_files_are_checked_against_the_bytes_that_are_uploaded(stack: Template) -> None:
    user_data = stack.document["locals"]["server_user_data"]
    objects = stack.resources("aws_s3_object").values()
    assert len(objects) == 8
    for uploaded in objects:
        content = uploaded["content"].replace("$${", "${").replace("%%{", "%{")
        digest = hashlib.sha256(content.encode()).hexdigest()
        assert digest in uploaded["key"]
        assert digest in user_data
        assert uploaded["kms_key_id"] == "${aws_kms_key.storage_key.arn}"


def test_teams_are_a_boot_file_and_not_in_user_data(synthesize: Synthesize) -> None:
    teams = [f"team-{number}" for number in range(1000)]
    template = synthesize("dev", teams=teams, access={})
    (content,) = [
        uploaded["content"]
        for uploaded in template.resources("aws_s3_object").values()
        if uploaded["key"].endswith("/teams.txt")
    ]
    assert content.splitlines() == teams
    user_data = template.document["locals"]["server_user_data"]
    assert 'GATEHOUSE_TEAMS_FILE="/opt/gatehouse/teams.txt"\n' in user_data
    assert not re.search(r"\bteam-\d", user_data)


def test_shell_variables_reach_the_instance_as_written(stack: Template) -> None:
    user_data = stack.document["locals"]["server_user_data"]
    references = re.findall(r"(?<!\$)\$\{([^}]*)\}", user_data)
    assert references
    assert all(reference.startswith(("aws_", "data.aws_")) for reference in references), references


def test_the_database_is_closed_and_encrypted(stack: Template) -> None:
    database = stack.only("aws_db_instance")
    assert database["storage_encrypted"] is True
    assert database["publicly_accessible"] is False
    assert database["manage_master_user_password"] is True
    assert "password" not in database
    assert database["performance_insights_enabled"] is True
    assert database["performance_insights_retention_period"] == 7
    for attribute in ("kms_key_id", "master_user_secret_kms_key_id", "performance_insights_kms_key_id"):
        assert database[attribute] == "${aws_kms_key.database_key.arn}"
    assert database["enabled_cloudwatch_logs_exports"] == ["postgresql", "upgrade"]
    assert database["auto_minor_version_upgrade"] is True
    parameters = {p["name"]: p["value"] for p in stack.only("aws_db_parameter_group")["parameter"]}
    assert parameters["rds.force_ssl"] == "1"
    assert all("isolated" in subnet for subnet in stack.only("aws_db_subnet_group")["subnet_ids"])


def test_prod_keeps_what_dev_may_lose(dev: Template, prod: Template) -> None:
    cheap, safe = dev.only("aws_db_instance"), prod.only("aws_db_instance")
    assert (cheap["multi_az"], safe["multi_az"]) == (False, True)
    assert (cheap["skip_final_snapshot"], safe["skip_final_snapshot"]) == (True, False)
    assert safe["final_snapshot_identifier"] == "${var.final_snapshot_name}"


def test_a_database_can_start_from_a_snapshot(synthesize: Synthesize) -> None:
    template = synthesize(
        "dev", database={**example("dev")["database"], "snapshot_identifier": "before-the-fire"}
    )
    database = template.only("aws_db_instance")
    assert database["snapshot_identifier"] == "before-the-fire"
    # RDS takes none of these when it restores: the snapshot has them.
    assert not {"username", "db_name", "kms_key_id"} & set(database)


def service_roles(stack: Template) -> dict[str, dict[str, Any]]:
    """Return the stack's own roles; those of personas have a path."""
    return {name: role for name, role in stack.resources("aws_iam_role").items() if "path" not in role}


def test_every_role_is_bounded_and_trusts_one_service(stack: Template) -> None:
    for name, role in service_roles(stack).items():
        assert role["permissions_boundary"] == "${aws_iam_policy.boundary.arn}", name
        (statement,) = json.loads(role["assume_role_policy"])["Statement"]
        assert set(statement["Principal"]) == {"Service"}
    guarded = ("flow_logs_role", "database_monitoring_role")
    for name in guarded:
        (statement,) = json.loads(stack.named("aws_iam_role", name)["assume_role_policy"])["Statement"]
        assert set(statement["Condition"]) == {"StringEquals", "ArnLike"}


def test_no_managed_policy_of_aws_is_attached(stack: Template) -> None:
    assert not stack.resources("aws_iam_policy_attachment")
    for attachment in stack.resources("aws_iam_role_policy_attachment").values():
        assert re.fullmatch(r"\$\{aws_iam_policy\.identity_\w+\.arn\}", attachment["policy_arn"])
        assert attachment["role"].startswith("${aws_iam_role.identity_")


def test_the_server_role_reads_and_writes_no_artifact(stack: Template) -> None:
    statements = stack.policy("aws_iam_role_policy", "server_role_policy")
    actions = {
        action
        for statement in statements.values()
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert {action for action in actions if action.startswith("s3:")} == {"s3:GetObject", "s3:ListBucket"}
    assert not any("*" in action or action.startswith(("iam:", "sts:")) for action in actions)
    everywhere = {sid for sid, statement in statements.items() if statement["Resource"] == "*"}
    assert everywhere == {"PublishMetrics", "SessionManagerChannels"}, "neither supports a resource"


def test_the_boundary_forbids_identity(stack: Template) -> None:
    statement = stack.policy("aws_iam_policy", "boundary")["NeverTouchIdentity"]
    assert statement["Effect"] == "Deny"
    assert {"iam:*", "sts:AssumeRole*", "sts:TagSession"} <= set(statement["Action"])


def test_every_log_group_is_encrypted_and_ends(stack: Template) -> None:
    behind_acl = len(stack.resources("aws_wafv2_web_acl"))
    assert len(stack.resources("aws_cloudwatch_log_group")) == 7 + behind_acl
    for name, group in stack.resources("aws_cloudwatch_log_group").items():
        assert group["kms_key_id"] == "${aws_kms_key.log_key.arn}", name
        assert group["retention_in_days"] == "${var.log_retention_days}", name


def test_alarms_tell_the_encrypted_topic(stack: Template) -> None:
    alarms = stack.resources("aws_cloudwatch_metric_alarm")
    expected = {
        "api_5xx", "api_latency", "forbidden_surge", "unhealthy_hosts", "no_healthy_host",
        "database_cpu", "database_storage", "database_connections",
    }  # fmt: skip
    assert {name.removeprefix("observability_") for name in alarms} == expected
    assert all(
        alarm["alarm_actions"] == ["${aws_sns_topic.observability_topic.arn}"] for alarm in alarms.values()
    )
    assert all(alarm["alarm_description"] for alarm in alarms.values())
    assert stack.only("aws_sns_topic")["kms_master_key_id"] == "${aws_kms_key.observability_key.arn}"
    forbidden = stack.only("aws_cloudwatch_log_metric_filter")
    assert forbidden["pattern"] == '{ $.status = "403" }'


def test_the_dashboard_shows_every_alarmed_metric(stack: Template) -> None:
    widgets = json.loads(stack.only("aws_cloudwatch_dashboard")["dashboard_body"])["widgets"]
    shown = {widget["properties"]["metrics"][0][1] for widget in widgets}
    alarmed = {alarm["metric_name"] for alarm in stack.resources("aws_cloudwatch_metric_alarm").values()}
    assert alarmed <= shown


def test_every_variable_is_described_typed_and_validated(stack: Template) -> None:
    for name, variable in stack.document["variable"].items():
        assert variable["description"].endswith("."), name
        assert variable["type"] in {"string", "number"}, name
        assert "default" in variable, name
        assert variable["nullable"] is False, name
        assert variable["validation"], name


def test_every_output_is_described(stack: Template) -> None:
    assert all(output["description"] for output in stack.document["output"].values())
    roles = stack.document["output"]["role_arns"]["value"]
    assert len(roles) == len(service_roles(stack))
    personas = stack.document["output"]["persona_role_arns"]["value"]
    assert len(personas) + len(roles) == len(stack.resources("aws_iam_role"))
    assert "server" in stack.document["output"]["log_groups"]["value"]


def test_tags_are_on_the_provider(stack: Template) -> None:
    (provider,) = stack.document["provider"]["aws"]
    (tags,) = provider["default_tags"]
    assert {"owner", "gatehouse:stack"} <= set(tags["tags"])


def test_a_named_account_is_the_only_one(synthesize: Synthesize) -> None:
    template = synthesize("dev", account_id="111122223333")
    (provider,) = template.document["provider"]["aws"]
    assert provider["allowed_account_ids"] == ["111122223333"]
    assert "aws_caller_identity" not in template.document["data"]
    assert (
        template.named("aws_s3_bucket", "storage_artifacts")["bucket"]
        == "mlflow-dev-artifacts-111122223333-eu-west-1"
    )


@pytest.mark.parametrize(("state", "backend"), [
    ({"backend": "local"}, {"local": {"path": "../../../terraform.dev.tfstate"}}),
    (
        {"backend": "s3", "bucket": "states", "key": "a/b", "region": "eu-west-1", "role_arn": STATE_ROLE},
        {"s3": {"bucket": "states", "key": "a/b", "region": "eu-west-1", "encrypt": True, "use_lockfile": True,
                "assume_role": {"role_arn": STATE_ROLE}}},
    ),
    (
        {"backend": "cloud", "organization": "acme", "workspace": "mlflow", "project": "ml platform"},
        {"organization": "acme", "hostname": "app.terraform.io",
         "workspaces": {"name": "mlflow", "project": "ml platform"}},
    ),
    (
        {"backend": "cloud", "organization": "acme", "workspace_tags": ["mlflow"]},
        {"organization": "acme", "hostname": "app.terraform.io", "workspaces": {"tags": ["mlflow"]}},
    ),
])  # fmt: skip
def test_state_backends(synthesize: Synthesize, state: dict[str, object], backend: dict[str, object]) -> None:
    terraform = synthesize("dev", state=state).document["terraform"]
    assert terraform["cloud" if state["backend"] == "cloud" else "backend"] == backend


def test_the_provider_constraint_is_declared_and_no_terraform_version_is(stack: Template) -> None:
    providers = stack.document["terraform"]["required_providers"]
    assert providers == {"aws": {"source": "hashicorp/aws", "version": ">= 5.100, < 7.0"}}
    assert "required_version" not in stack.document["terraform"], "Checkov 3.3 cannot parse the file with it"


def test_policies_are_sound_everywhere(stack: Template) -> None:
    documents = stack.policies()
    assert len(documents) >= 19
    for address, document in documents:
        assert document["Version"] == "2012-10-17", address
        sids = [statement["Sid"] for statement in document["Statement"]]
        assert len(set(sids)) == len(sids), address
        for statement in document["Statement"]:
            assert not (statement["Effect"] == "Allow" and "NotAction" in statement), address
            assert not (statement["Effect"] == "Allow" and "NotPrincipal" in statement), address


def test_every_policy_document_comes_from_a_template(stack: Template) -> None:
    sids = set()
    for template in (ROOT / "templates" / "policies").rglob("*.j2"):
        sids |= set(re.findall(r'"Sid": "([A-Za-z0-9]+)', template.read_text(encoding="utf-8")))
    for address, document in stack.policies():
        for statement in document["Statement"]:
            # Routes and kinds of trust are named by what they are made of.
            named = (
                address.startswith("aws_iam_role.identity_")
                or statement.get("Action") == "execute-api:Invoke"
            )
            assert statement["Sid"] in sids or named, address
