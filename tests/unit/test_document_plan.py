"""A plan as a document: what is planned, what was read before, and what only apply finds out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatehouse.document import Document, Placeholders, read_document
from gatehouse.errors import InputError

Plan = Callable[..., Document]
REGION = {"aws": {"expressions": {"region": {"constant_value": "eu-west-1"}}}}
POLICY = '{"Resource": "${aws:username}"}'


def block(
    kind: str, label: str, place: str | None = None, mode: str = "managed", /, **values: object
) -> dict[str, Any]:
    return {
        "address": place or f"{kind}.{label}",
        "mode": mode,
        "type": kind,
        "name": label,
        "values": values,
    }


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    def write(*resources: dict[str, Any], **sections: object) -> Document:
        path = tmp_path / "tfplan.json"
        content = {
            "planned_values": {"root_module": {"resources": list(resources)}},
            "configuration": {"provider_config": REGION},
            **sections,
        }
        path.write_text(json.dumps(content, indent=1), encoding="utf-8")
        return read_document(path)

    return write


def test_values_are_as_planned(plan: Plan) -> None:
    document = plan(
        block("aws_iam_role", "r", name="n", path="/p/", arn="arn:planned", assume_role_policy=POLICY)
    )
    role = document.resources["aws_iam_role.r"]
    assert role.value("arn") == "arn:planned"
    assert role.value("assume_role_policy") == POLICY  # text of AWS's, nothing to resolve
    assert (document.name, document.region) == ("tfplan", "eu-west-1")


def test_what_apply_finds_out_is_made_as_in_a_document(plan: Plan) -> None:
    document = plan(block("aws_kms_key", "k", arn=None))
    assert document.resources["aws_kms_key.k"].value("arn") == "arn:aws:kms:eu-west-1:111122223333:key/k"


def test_a_constant_of_the_configuration_stands_in(plan: Plan) -> None:
    expressions = {"name": {"constant_value": "n"}, "subnets": {"references": ["s"]}}
    root = {"resources": [{"address": "aws_lb.l", "expressions": expressions}]}
    document = plan(
        block("aws_lb", "l", "aws_lb.l[0]"), configuration={"root_module": root, "provider_config": REGION}
    )
    load_balancer = document.resources["aws_lb.l[0]"]
    assert load_balancer.value("name") == "n"
    assert "subnets" not in load_balancer.attributes


def test_an_unknown_value_is_refused_by_name_when_it_is_read(plan: Plan) -> None:
    changes = [{"address": "aws_s3_bucket_policy.p", "change": {"after_unknown": {"policy": True}}}]
    document = plan(block("aws_s3_bucket_policy", "p", bucket="b"), resource_changes=changes)
    found = document.resources["aws_s3_bucket_policy.p"]
    assert found.value("bucket") == "b"
    with pytest.raises(InputError, match=r"aws_s3_bucket_policy\.p\.policy: .*known only after apply"):
        found.value("policy")


def test_resources_of_modules_are_there_by_address(plan: Plan) -> None:
    module = {
        "resources": [block("aws_kms_key", "k", 'module.m["a"].aws_kms_key.k', policy="{}")],
        "child_modules": [{"resources": [block("aws_kms_key", "k", 'module.m["a"].module.n.aws_kms_key.k')]}],
    }
    document = plan(planned_values={"root_module": {"child_modules": [module]}})
    assert set(document.resources) == {'module.m["a"].aws_kms_key.k', 'module.m["a"].module.n.aws_kms_key.k'}
    line = document.line_of('module.m["a"].aws_kms_key.k', "policy")
    assert line is not None
    assert '"policy"' in document.path.read_text(encoding="utf-8").splitlines()[line - 1]


def test_what_was_read_before_wins_over_placeholders(plan: Plan) -> None:
    identity = block(
        "aws_caller_identity", "me", "data.aws_caller_identity.me", "data", account_id="444455556666"
    )
    state = {"values": {"root_module": {"resources": [identity, block("aws_kms_key", "old")]}}}
    document = plan(prior_state=state)
    assert document.account == "444455556666"
    assert set(document.data) == {"data.aws_caller_identity.me"}
    assert document.resources == {}


def test_outputs_and_region(plan: Plan, tmp_path: Path) -> None:
    document = plan(planned_values={"outputs": {"url": {"value": "https://x"}}, "root_module": {}})
    assert document.outputs == {"url": "https://x"}
    path = tmp_path / "other.json"
    path.write_text('{"planned_values": {}}', encoding="utf-8")
    with pytest.raises(InputError, match="region: is not written in the provider block"):
        read_document(path)
    assert read_document(path, Placeholders(region="eu-north-1")).region == "eu-north-1"
