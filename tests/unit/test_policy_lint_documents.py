"""Where the policy lint looks: every place of a synthesized document, and our own documents as reviewed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatehouse.scan.documents import PolicyDocument, PolicyKind, find_documents
from gatehouse.scan.findings import Finding
from gatehouse.scan.policy_lint import FAILED_RULE, lint_policies, lint_policy
from gatehouse.scan.policy_rules.flaw import Flaw

VARIABLE = "arn:aws:s3:::b/$${aws:username}/*"
REFERENCE = "${aws_kms_key.k.arn}"
POLICY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {"Sid": "A", "Effect": "Allow", "Action": "s3:GetObject", "Resource": [VARIABLE, REFERENCE]}
    ],
}
FOR_SOMEBODY = {"Statement": {**POLICY["Statement"][0], "Principal": "*"}}
TEXT = json.dumps(POLICY)


def resource(type_: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"resource": {type_: {"it": body}}}


@pytest.mark.parametrize(
    ("type_", "body", "attribute", "kind"),
    [
        ("aws_iam_policy", {"policy": TEXT}, "policy", PolicyKind.IDENTITY),
        ("aws_iam_role_policy", {"policy": TEXT}, "policy", PolicyKind.IDENTITY),
        ("aws_iam_role", {"assume_role_policy": TEXT}, "assume_role_policy", PolicyKind.TRUST),
        (
            "aws_iam_role",
            {"inline_policy": [{"policy": TEXT}]},
            "inline_policy.0.policy",
            PolicyKind.IDENTITY,
        ),
        ("aws_iam_group_policy", {"policy": TEXT}, "policy", PolicyKind.GROUP),
        ("aws_s3_bucket_policy", {"policy": TEXT}, "policy", PolicyKind.BUCKET),
        ("aws_kms_key", {"policy": TEXT}, "policy", PolicyKind.KEY),
        ("aws_vpc_endpoint", {"policy": TEXT}, "policy", PolicyKind.ENDPOINT),
        ("aws_vpc_endpoint_policy", {"policy": TEXT}, "policy", PolicyKind.ENDPOINT),
        ("aws_api_gateway_rest_api_policy", {"policy": TEXT}, "policy", PolicyKind.API),
        ("aws_sns_topic_policy", {"policy": TEXT}, "policy", PolicyKind.TOPIC),
        ("aws_sqs_queue_policy", {"policy": json.dumps(FOR_SOMEBODY)}, "policy", PolicyKind.RESOURCE),
        (
            "aws_ssoadmin_permission_set_inline_policy",
            {"inline_policy": TEXT},
            "inline_policy",
            PolicyKind.IDENTITY,
        ),
        ("aws_anything", {"deep": {"down": [{"there": TEXT}]}}, "deep.down.0.there", PolicyKind.IDENTITY),
        ("aws_anything", {"body": json.dumps({"x-policy": POLICY})}, "body.x-policy", PolicyKind.IDENTITY),
        ("aws_anything", {"policy": POLICY}, "policy", PolicyKind.IDENTITY),
    ],
)
def test_policies_are_found(type_: str, body: dict[str, Any], attribute: str, kind: PolicyKind) -> None:
    (found,), unreadable = find_documents(resource(type_, body))
    assert (found.address, found.attribute, found.kind) == (f"{type_}.it", attribute, kind)
    assert unreadable == []


@pytest.mark.parametrize("twice", ['{"Statement":[{"Effect":"Allow"}],', '{"Id":"a","Id":"b",'])
def test_a_policy_with_a_name_twice_is_unreadable(twice: str) -> None:
    """Which of the two AWS would take, nobody knows."""
    policies, (found,) = find_documents(resource("aws_iam_policy", {"policy": twice + TEXT[1:]}))
    assert policies == []
    assert "has a name twice" in found.reason


def test_a_boundary_is_known_by_whom_it_bounds() -> None:
    document = resource("aws_iam_policy", {"policy": TEXT})
    document["resource"]["aws_iam_role"] = {"r": {"permissions_boundary": "${aws_iam_policy.it.arn}"}}
    assert [one.kind for one in find_documents(document)[0]] == [PolicyKind.BOUNDARY]


def test_variables_are_unescaped_and_references_stay() -> None:
    (found,), _ = find_documents(resource("aws_iam_policy", {"policy": TEXT}))
    assert found.raw == POLICY
    assert found.statements[0].resources == ("arn:aws:s3:::b/${aws:username}/*", REFERENCE)


def test_what_is_declared_and_what_decides_is_known() -> None:
    deciding = TEXT.replace("aws:username", "aws:PrincipalTag/Team")
    document = resource("aws_iam_policy", {"policy": deciding})
    document |= {"data": {"aws_x": {"y": {}}}, "variable": {"v": {}}, "locals": {"l": 1}}
    (found,), _ = find_documents(document)
    assert found.declared == {"aws_iam_policy.it", "data.aws_x.y", "var.v", "local.l"}
    assert found.deciding_tags == {"team"}


@pytest.mark.parametrize(
    "document",
    [
        resource("aws_iam_policy", {"policy": "${data.aws_iam_policy_document.d.json}"}),
        resource("aws_iam_policy", {"policy": '${jsonencode({"Statement" = []})}'}),
        resource("aws_iam_policy", {"policy": TEXT[:-1]}),
        resource("aws_iam_policy", {"policy": "{}"}),
        resource("aws_iam_role", {"assume_role_policy": ""}),
        {"data": {"aws_iam_policy_document": {"it": {"statement": [{"actions": ["*"]}]}}}},
    ],
)
def test_what_cannot_be_read_is_a_finding(document: dict[str, Any]) -> None:
    (one,) = lint_policies(document)
    assert one.check == "GH101"
    assert one.address.endswith(".it")


def test_other_texts_are_no_policies() -> None:
    body = {
        "policy_arn": "${aws_iam_policy.x.arn}",
        "dashboard_body": '{"widgets": [1]}',
        "ssl_policy": "ELBSecurity",
    }
    assert lint_policies(resource("aws_lb_listener", body)) == []


def test_a_rule_that_fails_is_a_finding() -> None:
    def broken(policy: PolicyDocument) -> Iterator[Flaw]:
        yield Flaw("seen before it failed")
        raise KeyError("Sid")

    policy = PolicyDocument("aws_iam_policy.it", "policy", PolicyKind.IDENTITY, POLICY)
    detail = "rule GH199 failed: KeyError: 'Sid'"
    assert lint_policy(policy, {"GH199": broken}) == [Finding(FAILED_RULE, policy.address, detail, "policy")]


def test_findings_are_sorted_and_told_once() -> None:
    document = resource("aws_iam_policy", {"b": json.dumps(FOR_SOMEBODY), "a": json.dumps(FOR_SOMEBODY)})
    found = lint_policies(document)
    assert found == sorted(set(found))
    assert len(found) > 2


GOLDEN = Path(__file__).parents[1] / "synth" / "__snapshots__" / "test_golden"


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_our_own_policies_are_found_and_sound(name: str) -> None:
    golden = GOLDEN / f"test_{name}_is_as_reviewed[{name}].json"
    document = json.loads(golden.read_text(encoding="utf-8"))
    policies, unreadable = find_documents(document)
    assert unreadable == []
    assert set(PolicyKind) - {policy.kind for policy in policies} <= {PolicyKind.GROUP, PolicyKind.RESOURCE}
    assert lint_policies(document) == []
