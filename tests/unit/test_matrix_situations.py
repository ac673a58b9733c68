"""What a call looks like in each situation, and which network a policy lets in."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from gatehouse.access import Kind, Policy
from gatehouse.access.situations import (
    FEDERATED,
    MFA,
    NO_MFA,
    OWN_TEAM,
    S3_CALL,
    SITUATIONS,
    Calls,
    Keys,
    Network,
    Situation,
    Way,
    factors_of,
)

BY_ID = {one.id: one for one in SITUATIONS}
DOORS = {"StringNotEquals": {"aws:SourceVpce": ["vpce-1", "vpce-2"]}}


def limited(*conditions: dict[str, Any], effect: str = "Deny") -> Policy:
    statements = [
        {"Effect": effect, "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": one}
        for one in conditions
    ]
    return Policy.parse({"Version": "2012-10-17", "Statement": statements}, "p", Kind.RESOURCE)


def outside_of(*ranges: str) -> dict[str, Any]:
    return {"NotIpAddress": {"aws:SourceIp": list(ranges)}}


LET_IN = limited({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, effect="Allow")


@pytest.mark.parametrize(
    ("policy", "inside", "outside"),
    [
        (limited(outside_of("198.51.100.0/24")), {"aws:SourceIp": "198.51.100.1"}, "203.0.113.1"),
        (limited(outside_of("203.0.113.0/24")), {"aws:SourceIp": "203.0.113.1"}, "192.0.2.1"),
        (limited(outside_of("192.0.2.7")), {"aws:SourceIp": "192.0.2.7"}, "203.0.113.1"),
        (limited(outside_of("2001:db8::/32")), {"aws:SourceIp": "2001:db8::1"}, "203.0.113.1"),
        (limited(outside_of("10.0.0.0/8"), outside_of("10.1.0.0/16")), {"aws:SourceIp": "10.1.0.1"}, "203.0.113.1"),
        (LET_IN, {"aws:SourceIp": "192.0.2.1"}, "203.0.113.1"),
        (None, {"aws:SourceIp": "203.0.113.1"}, "203.0.113.1"),
        (limited({"Bool": {"aws:SecureTransport": "false"}}), {"aws:SourceIp": "203.0.113.1"}, "203.0.113.1"),
    ],
)  # fmt: skip
def test_the_network_is_what_the_policy_lets_in(policy: Policy | None, inside: Keys, outside: str) -> None:
    found = Network.of_bucket(policy)
    assert found.inside == inside
    assert [one["aws:SourceIp"] for one in found.outside] == [
        outside,
        "fd00::1" if "db8" in str(inside) else "2001:db8::1",
    ]


@pytest.mark.parametrize("everybody", ["0.0.0.0/0", "::/0"])
def test_where_every_address_is_let_in_the_one_outside_is_as_well(everybody: str) -> None:
    found = Network.of_bucket(limited(outside_of(everybody)))
    addresses = [ip_address(str(one["aws:SourceIp"])) for one in found.outside]
    assert [one in ip_network(everybody) for one in addresses].count(True) == 1


def test_an_endpoint_is_gone_round_in_every_way() -> None:
    found = Network.of_bucket(limited(DOORS, outside_of("10.0.0.0/8")))
    assert found.inside == {"aws:SourceIp": "10.0.0.1", "aws:SourceVpce": "vpce-1"}
    assert found.outside == (
        {"aws:SourceIp": "203.0.113.1", "aws:SourceVpce": "vpce-1"},
        {"aws:SourceIp": "2001:db8::1", "aws:SourceVpce": "vpce-1"},
        {"aws:SourceIp": "10.0.0.1", "aws:SourceVpce": "vpce-0ffffffffffffffff"},
        {"aws:SourceIp": "203.0.113.1"},
    )


def test_behind_an_endpoint_that_alone_is_named_every_address_is_inside() -> None:
    found = Network.of_bucket(limited(DOORS))
    assert found.inside["aws:SourceVpce"] == "vpce-1"
    assert [one.get("aws:SourceVpce") for one in found.outside] == ["vpce-0ffffffffffffffff", None]


def calls() -> Calls:
    return Calls(
        Network({"aws:SourceIp": "in"}, ({"aws:SourceIp": "out"},)),
        Network({"aws:SourceIp": "in"}, ({"aws:SourceIp": "out"}, {"aws:SourceIp": "elsewhere"})),
        "111122223333",
        "eu-west-1",
    )


@pytest.mark.parametrize(
    ("way", "situation", "keys"),
    [
        (Way.API, "own-team", ({"aws:SourceIp": "in", **MFA},)),
        (Way.API, "without-tls", ()),
        (Way.API, "outside", ({"aws:SourceIp": "out", **MFA},)),
        (Way.ENCRYPTED, "without-tls", ()),
        (Way.OTHER, "without-tls", ({"aws:SecureTransport": "false", "aws:SourceIp": "in", **MFA},)),
        (Way.S3, "own-team", ({**S3_CALL, "aws:SourceIp": "in", **MFA},)),
        (
            Way.S3,
            "without-tls",
            ({"aws:SecureTransport": "false", "s3:authType": "REST-HEADER", "aws:SourceIp": "in", **MFA},),
        ),
        (Way.KMS_BY_S3, "without-tls", (MFA,)),
        (Way.KMS_BY_S3, "outside", (MFA, MFA)),
        (Way.KMS_BY_S3, "without-mfa", (NO_MFA, FEDERATED)),
    ],
)
def test_a_call_has_the_keys_of_its_situation(way: Way, situation: str, keys: tuple[Keys, ...]) -> None:
    one = BY_ID[situation]
    assert calls().keys(way, one, factors_of(one, can_have=True)) == keys


def test_what_cannot_have_mfa_lacks_the_key() -> None:
    assert (
        factors_of(OWN_TEAM, can_have=False)
        == factors_of(BY_ID["without-mfa"], can_have=False)
        == (FEDERATED,)
    )
    assert factors_of(OWN_TEAM, can_have=True) == (MFA,)


@pytest.mark.parametrize(
    ("action", "way"),
    [
        ("s3:GetObject", Way.S3),
        ("S3:getobject", Way.S3),
        ("execute-api:Invoke", Way.API),
        ("iam:PassRole", Way.ENCRYPTED),
        ("sns:Publish", Way.OTHER),
    ],
)
def test_an_action_is_asked_by_its_service(action: str, way: Way) -> None:
    assert Way.of(action) is way


def test_each_situation_differs_from_the_plain_one_in_one_thing() -> None:
    plain = Situation("", "")
    fields = ("elsewhere", "tagged", "mfa", "tls", "inside")
    different = [
        [name for name in fields if getattr(one, name) != getattr(plain, name)] for one in SITUATIONS
    ]
    assert different == [[], ["elsewhere"], ["tagged"], ["mfa"], ["tls"], ["inside"]]
