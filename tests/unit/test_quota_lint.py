"""Quotas in a document: exactly the limit passes, one more fails; what cannot be counted is a finding."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from gatehouse import quotas
from gatehouse.scan.findings import Finding, shipped_checks
from gatehouse.scan.quota_lint import lint_quotas

Terraform = dict[str, Any]
GROUP = "${aws_security_group.g.id}"


def document(kind: str, **named: object) -> Terraform:
    """Return a Terraform document with resources of one type."""
    return {"resource": {kind: named}}


def policy(size: int, *, text: str = "") -> str:
    """Return a policy of this many characters, none of them white space; ``text`` is a part of it."""
    whole = {"Version": "2012-10-17", "Statement": [{"Sid": text}]}
    empty = json.dumps(whole, separators=(",", ":"), ensure_ascii=False)
    return empty.replace('"Sid":"', '"Sid":"' + "x" * (size - len(empty)))


def checks(terraform: Terraform) -> list[str]:
    return [finding.check for finding in lint_quotas(terraform)]


def role(**more: object) -> Terraform:
    return {"aws_iam_role": {"r": {"name": "reader", **more}}}


def inline(kind: str, owner: str, named: object) -> Callable[[int], Terraform]:
    """Return two inline policies of one identity that have a size together."""

    def make(size: int) -> Terraform:
        first = {owner: named, "policy": policy(1_000)}
        return {"resource": {kind: {"a": first, "b": {owner: named, "policy": policy(size - 1_000)}}}}

    return make


def alone(kind: str, attribute: str = "policy") -> Callable[[int], Terraform]:
    return lambda size: document(kind, p={attribute: policy(size)})


def attachments(number: int) -> Terraform:
    of = {
        f"a{one}": {"role": "${aws_iam_role.r.name}", "policy_arn": f"${{aws_iam_policy.p{one}.arn}}"}
        for one in range(number)
    }
    return {"resource": {**role(), "aws_iam_role_policy_attachment": of}}


def rules(number: int) -> Terraform:
    of = {
        f"r{one}": {"security_group_id": GROUP, "cidr_ipv4": f"10.0.{one}.0/24", "ip_protocol": "tcp"}
        for one in range(number)
    }
    return document("aws_vpc_security_group_ingress_rule", **of)


def roles(number: int) -> Terraform:
    return document("aws_iam_role", **{f"r{one}": {"name": f"r{one}"} for one in range(number)})


def launch_template(size: int) -> Terraform:
    local = {"user_data": "x" * size}
    return {
        **document("aws_launch_template", t={"user_data": "${base64encode(local.user_data)}"}),
        "locals": local,
    }


LIMITS: list[tuple[str, int, Callable[[int], Terraform]]] = [
    ("GH501", 6_144, alone("aws_iam_policy")),
    ("GH502", 10, attachments),
    ("GH503", 10_240, inline("aws_iam_role_policy", "role", "${aws_iam_role.r.id}")),
    ("GH504", 5_120, inline("aws_iam_group_policy", "group", "${aws_iam_group.g.name}")),
    ("GH505", 2_048, inline("aws_iam_user_policy", "user", "anna")),
    ("GH506", 2_048, alone("aws_iam_role", "assume_role_policy")),
    ("GH507", 20_480, alone("aws_s3_bucket_policy")),
    ("GH508", 32_768, alone("aws_kms_key")),
    ("GH509", 20_480, alone("aws_vpc_endpoint")),
    ("GH510", 8_192, alone("aws_api_gateway_rest_api_policy")),
    ("GH511", 30_720, alone("aws_sns_topic_policy")),
    ("GH512", 1_000, roles),
    ("GH513", 60, rules),
    ("GH514", 16_384, launch_template),
]


@pytest.mark.parametrize(("check", "limit", "make"), LIMITS, ids=[check for check, *_ in LIMITS])
def test_the_limit_passes_and_one_more_fails(
    check: str, limit: int, make: Callable[[int], Terraform]
) -> None:
    assert lint_quotas(make(limit)) == []
    (finding,) = lint_quotas(make(limit + 1))
    assert finding.check == check
    assert f"{limit + 1:,}" in finding.detail
    assert f"{limit:,}" in finding.detail


def test_every_quota_is_tried_at_its_limit() -> None:
    assert {f"GH{number}" for number in range(501, 515)} == {check for check, *_ in LIMITS}
    assert {check for check in shipped_checks() if check.startswith("GH5")} == {
        *(check for check, *_ in LIMITS),
        "GH515",
    }


@pytest.mark.parametrize(
    ("kind", "attribute", "limit", "counts"),
    [
        ("aws_iam_policy", "policy", 6_144, False),
        ("aws_iam_role", "assume_role_policy", 2_048, False),
        ("aws_vpc_endpoint", "policy", 20_480, True),
        ("aws_kms_key", "policy", 32_768, True),
    ],
)
def test_white_space_counts_where_aws_counts_it(
    kind: str, attribute: str, limit: int, *, counts: bool
) -> None:
    written = policy(limit).replace(":[", ": [")
    assert bool(lint_quotas(document(kind, p={attribute: written}))) == counts


def test_bytes_are_counted_where_aws_counts_bytes() -> None:
    written = {"p": {"policy": policy(20_480, text="é")}}
    assert checks(document("aws_s3_bucket_policy", **written)) == ["GH507"]
    assert checks(document("aws_vpc_endpoint", **written)) == []


class TestReferences:
    """What a reference counts as."""

    @pytest.mark.parametrize(
        ("reference", "length"),
        [
            ("${data.aws_caller_identity.account.account_id}", 12),
            ("${aws_api_gateway_rest_api.api.id}", 10),
            ("${aws_s3_bucket.b.arn}", quotas.REFERENCE_LENGTH),
            ("${aws_db_instance.d.master_user_secret[0].secret_arn}", quotas.REFERENCE_LENGTH),
            ("${var.name}", quotas.REFERENCE_LENGTH),
            ("${local.short}", 3),
            ("${local.outer}", 5),
            ("${aws_iam_role.r.name}", 6),
            ("$${aws:username}", len("${aws:username}")),
            ("%%{x}", len("%{x}")),
        ],
    )
    def test_it_counts_as_what_it_becomes(self, reference: str, length: int) -> None:
        def terraform(size: int) -> Terraform:
            written = policy(size - length + len(reference), text=reference)
            kinds = {**role(), "aws_iam_policy": {"p": {"policy": written}}}
            return {"resource": kinds, "locals": {"short": "abc", "outer": "-${local.short}-"}}

        assert lint_quotas(terraform(6_144)) == []
        assert checks(terraform(6_145)) == ["GH501"]

    @pytest.mark.parametrize(
        "expression", ['${join(\\"\\", var.names)}', "${local.circle}", "%{ if true }", "${}"]
    )
    def test_more_than_a_reference_cannot_be_told(self, expression: str) -> None:
        terraform = document(
            "aws_iam_policy", p={"policy": policy(500, text="").replace("xxx", expression, 1)}
        )
        terraform["locals"] = {"circle": "${local.circle}"}
        assert checks(terraform) == ["GH515"]


class TestIdentities:
    """Whose policies are counted together."""

    def test_inline_policies_of_the_role_itself_count(self) -> None:
        own = role(inline_policy=[{"policy": policy(9_000)}])
        more = {"aws_iam_role_policy": {"p": {"role": "${aws_iam_role.r.id}", "policy": policy(1_240)}}}
        assert lint_quotas({"resource": {**own, **more}}) == []
        more["aws_iam_role_policy"]["p"]["policy"] = policy(1_241)
        (finding,) = lint_quotas({"resource": {**own, **more}})
        assert (finding.check, finding.address) == ("GH503", "aws_iam_role.r")

    def test_a_role_may_be_named_by_its_name(self) -> None:
        terraform = attachments(10)
        attached = terraform["resource"]["aws_iam_role_policy_attachment"]
        attached["more"] = {"role": "reader", "policy_arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}
        (finding,) = lint_quotas(terraform)
        assert (finding.check, finding.address) == ("GH502", "aws_iam_role.r")

    @pytest.mark.parametrize(
        "more",
        [
            {"aws_iam_policy_attachment": {"x": {"roles": ["${aws_iam_role.r.name}"], "policy_arn": "a"}}},
            {
                "aws_iam_role_policy_attachments_exclusive": {
                    "x": {"role_name": "${aws_iam_role.r.name}", "policy_arns": ["a"]}
                }
            },
            {"aws_iam_role": {"r": {"name": "reader", "managed_policy_arns": ["a"]}}},
        ],
    )
    def test_every_way_to_attach_counts(self, more: Terraform) -> None:
        terraform = attachments(10)
        terraform["resource"].update(more)
        assert checks(terraform) == ["GH502"]

    def test_one_policy_attached_twice_counts_once(self) -> None:
        terraform = attachments(10)
        attached = terraform["resource"]["aws_iam_role_policy_attachment"]
        attached["again"] = attached["a0"]
        assert lint_quotas(terraform) == []

    def test_two_roles_are_counted_apart(self) -> None:
        terraform = inline("aws_iam_role_policy", "role", "${aws_iam_role.r.id}")(10_241)
        terraform["resource"]["aws_iam_role_policy"]["b"]["role"] = "${aws_iam_role.other.id}"
        assert lint_quotas(terraform) == []

    @pytest.mark.parametrize("attribute", ["count", "for_each"])
    def test_copies_cannot_be_counted(self, attribute: str) -> None:
        terraform = {"resource": role(**{attribute: "${var.names}"})}
        assert lint_quotas(terraform) == [
            Finding(
                "GH515",
                "aws_iam_role.r",
                f"{attribute} makes several of it, and how many cannot be told",
                attribute,
            )
        ]


class TestRules:
    """Rules of security groups as AWS counts them."""

    def with_rule(self, number: int, **rule: object) -> Terraform:
        terraform = rules(number)
        terraform["resource"]["aws_vpc_security_group_ingress_rule"]["more"] = {
            "security_group_id": GROUP,
            **rule,
        }
        terraform["resource"]["aws_ec2_managed_prefix_list"] = {"ours": {"max_entries": 7}}
        terraform["resource"]["aws_vpc_endpoint"] = {"s3": {}}
        terraform["data"] = {
            "aws_ec2_managed_prefix_list": {
                "cloudfront": {"name": "com.amazonaws.global.cloudfront.origin-facing"},
                "other": {"name": "other"},
            },
            "aws_prefix_list": {"s3": {"name": "com.amazonaws.eu-west-1.s3"}},
        }
        return terraform

    @pytest.mark.parametrize(
        ("prefix_list", "worth"),
        [
            ("${data.aws_prefix_list.s3.id}", 1),
            ("${data.aws_ec2_managed_prefix_list.cloudfront.id}", 55),
            ("${aws_ec2_managed_prefix_list.ours.id}", 7),
            ("${aws_vpc_endpoint.s3.prefix_list_id}", 1),
        ],
    )
    def test_a_prefix_list_counts_as_its_ranges(self, prefix_list: str, worth: int) -> None:
        assert lint_quotas(self.with_rule(60 - worth, prefix_list_id=prefix_list)) == []
        assert checks(self.with_rule(61 - worth, prefix_list_id=prefix_list)) == ["GH513"]

    @pytest.mark.parametrize("prefix_list", ["pl-1234", "${data.aws_ec2_managed_prefix_list.other.id}"])
    def test_a_prefix_list_of_unknown_size_is_a_finding(self, prefix_list: str) -> None:
        assert checks(self.with_rule(1, prefix_list_id=prefix_list)) == ["GH515"]

    def test_a_group_counts_for_both_versions(self) -> None:
        assert checks(self.with_rule(60, referenced_security_group_id="${aws_security_group.o.id}")) == [
            "GH513"
        ]

    def test_the_versions_and_directions_are_counted_apart(self) -> None:
        assert lint_quotas(self.with_rule(60, cidr_ipv6="fd00::/8")) == []
        terraform = rules(60)
        out = {"e": {"security_group_id": GROUP, "cidr_ipv4": "10.0.0.0/8"}}
        terraform["resource"]["aws_vpc_security_group_egress_rule"] = out
        assert lint_quotas(terraform) == []

    def test_rules_of_every_form_are_counted_together(self) -> None:
        old = {"type": "ingress", "security_group_id": GROUP, "cidr_blocks": ["10.1.0.0/16", "10.2.0.0/16"]}
        within = {"ingress": [{"cidr_blocks": ["10.3.0.0/16"], "self": True}]}
        for number, found in ((56, []), (57, ["GH513"])):
            terraform = rules(number)
            terraform["resource"]["aws_security_group_rule"] = {"old": old}
            terraform["resource"]["aws_security_group"] = {"g": within}
            assert checks(terraform) == found


class TestUserData:
    """User data in every place where it may stand."""

    @pytest.mark.parametrize(
        ("kind", "attribute", "encode"),
        [
            ("aws_instance", "user_data", str),
            ("aws_instance", "user_data_base64", lambda text: base64.b64encode(text.encode()).decode()),
            ("aws_launch_template", "user_data", lambda text: base64.b64encode(text.encode()).decode()),
        ],
    )
    def test_bytes_before_encoding_count(
        self, kind: str, attribute: str, encode: Callable[[str], str]
    ) -> None:
        assert lint_quotas(document(kind, i={attribute: encode("x" * 16_384)})) == []
        assert checks(document(kind, i={attribute: encode("x" * 16_385)})) == ["GH514"]

    @pytest.mark.parametrize("written", ["${filebase64(var.path)}", "not base64!"])
    def test_what_cannot_be_read_cannot_be_told(self, written: str) -> None:
        assert checks(document("aws_launch_template", i={"user_data": written})) == ["GH515"]
