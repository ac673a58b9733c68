"""Our own checks find nothing in any other kind of environment than the shipped ones either."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gatehouse.fields import ROOT
from gatehouse.scan.checkov_gate import scan
from gatehouse.scan.stack_lint import lint_stack
from gatehouse.settings import Settings
from tests.synth.access_bindings import BINDINGS, TEAMS
from tests.synth.conftest import example

CERTIFICATE = "arn:aws:acm:eu-west-1:111122223333:certificate/11111111-2222-3333-4444-555555555555"
EXISTING = {
    "existing": {
        "vpc_id": "vpc-0123456789abcdef0",
        "server_subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        "database_subnet_ids": ["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"],
        "egress": "none",
        "endpoint_security_group_ids": ["sg-0123456789abcdef0"],
    }
}
#: Environment, and the sections that are other than the example's.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "somebody else's VPC": ("prod", {"network": EXISTING}),
    "a VPC with NAT and endpoints": (
        "dev",
        {"network": {"create": {"cidr": "10.0.0.0/20", "egress": "nat", "interface_endpoints": True}}},
    ),
    "a NAT gateway in each zone": (
        "dev",
        {"network": {"create": {"cidr": "10.0.0.0/20", "egress": "nat", "nat_gateway_per_zone": True}}},
    ),
    "a certificate": (
        "dev",
        {"api": {**example("dev")["api"], "certificate_arn": CERTIFICATE, "domain": "mlflow.example.com"}},
    ),
    "somebody else's endpoint": (
        "prod",
        {"api": {"visibility": "private", "vpc_endpoint_ids": ["vpce-0123456789abcdef0"]}},
    ),
    "clients in a security group": (
        "prod",
        {"api": {"visibility": "private", "client_security_groups": ["sg-0aaaaaaaaaaaaaaa1"]}},
    ),
    "somebody else's role for API logs": (
        "dev",
        {"api": {**example("dev")["api"], "manage_account_log_role": False}},
    ),
    "a restored database": (
        "dev",
        {"database": {**example("dev")["database"], "snapshot_identifier": "mlflow-before"}},
    ),
    "every persona and kind of principal": (
        "dev",
        {"teams": list(TEAMS), "access": {"mode": "roles", "bindings": BINDINGS}},
    ),
    "deployers, and an endpoint of others for artifacts": (
        "prod",
        {
            "deployer_role_arns": ["arn:aws:iam::111122223333:role/deploy"],
            "artifacts": {**example("prod")["artifacts"], "vpc_endpoint_ids": ["vpce-0123456789abcdef0"]},
        },
    ),
    "an account that is named": ("dev", {"account_id": "111122223333"}),
    "state in Terraform Cloud": (
        "dev",
        {"state": {"backend": "cloud", "organization": "acme", "workspace": "mlflow-dev"}},
    ),
    "state in S3 through a role": (
        "dev",
        {
            "state": {
                "backend": "s3",
                "bucket": "acme-state",
                "key": "mlflow/dev.tfstate",
                "region": "eu-west-1",
                "role_arn": "arn:aws:iam::111122223333:role/state",
            }
        },
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_of_ours_is_found(variant: str, tmp_path: Path) -> None:
    from modules.app import synthesize

    environment, sections = VARIANTS[variant]
    settings = Settings.model_validate({**example(environment), **sections})
    synthesize([settings], folder=ROOT / "environments", output=tmp_path)
    path = tmp_path / "stacks" / environment / "cdk.tf.json"
    assert lint_stack(json.loads(path.read_text(encoding="utf-8"))) == []
    assert [one for one in scan(path).findings if one.check.startswith("GH")] == []
