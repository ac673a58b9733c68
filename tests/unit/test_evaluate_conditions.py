"""Condition operators, each with values that fit and values that do not, by the pages their functions cite."""

from __future__ import annotations

import pytest

from gatehouse.access import Policies, evaluate
from gatehouse.access.conditions import OPERATORS
from tests.unit.access_documents import allow, allows, deny, said, with_context

KEY = "s3:x"
ARN = "arn:aws:sns:eu-west-1:111122223333:alarms"

#: Operator, values of the policy, value of the request (None: the key is missing), whether it holds.
#: IAM User Guide, "IAM JSON policy elements: Condition operators": the section of each operator.
SINGLE = [
    ("StringEquals", "a", "a", True),
    ("StringEquals", "a", "A", False),
    ("StringEquals", "a", "b", False),
    ("StringEquals", ["a", "b"], "b", True),
    ("StringEquals", ["a", "b"], "c", False),
    ("StringEquals", "a*", "ab", False),
    ("StringEquals", "a*", "a*", True),
    ("StringEquals", "", "", True),
    ("StringEquals", "", None, False),
    ("StringEquals", "a", None, False),
    ("StringEquals", 5, "5", True),
    ("StringEquals", True, "true", True),
    ("StringEquals", [], "a", False),
    ("StringNotEquals", "a", "a", False),
    ("StringNotEquals", "a", "A", True),
    ("StringNotEquals", "a", None, True),
    ("StringNotEquals", ["a", "b"], "b", False),
    ("StringNotEquals", ["a", "b"], "c", True),
    ("StringEqualsIgnoreCase", "Straße", "STRAßE", True),
    ("StringEqualsIgnoreCase", "a", "A", True),
    ("StringEqualsIgnoreCase", "a", "b", False),
    ("StringEqualsIgnoreCase", "a*", "AB", False),
    ("StringEqualsIgnoreCase", "", "", True),
    ("StringEqualsIgnoreCase", "", "a", False),
    ("StringEqualsIgnoreCase", "a", None, False),
    ("StringNotEqualsIgnoreCase", "a", "A", False),
    ("StringNotEqualsIgnoreCase", "a", "b", True),
    ("StringNotEqualsIgnoreCase", "a", None, True),
    ("StringLike", "a*", "abc", True),
    ("StringLike", "a*", "a", True),
    ("StringLike", "a*", "Abc", False),
    ("StringLike", "*b*", "abc", True),
    ("StringLike", "a?c", "abc", True),
    ("StringLike", "a?c", "ac", False),
    ("StringLike", "a", "ab", False),
    ("StringLike", "*", "", True),
    ("StringLike", "*", None, False),
    ("StringLike", "?*", "", False),
    ("StringLike", ["x", "a*"], "abc", True),
    ("StringLike", "a.c", "abc", False),
    ("StringLike", "arn:aws:s:*:1:f/*", "arn:aws:s:eu:9:store/a:1:f/d", True),
    ("StringNotLike", "a*", "abc", False),
    ("StringNotLike", "a*", "xbc", True),
    ("StringNotLike", "a*", None, True),
    ("StringNotLike", ["a*", "x*"], "xbc", False),
    ("NumericEquals", "10", "10", True),
    ("NumericEquals", 10, "10.0", True),
    ("NumericEquals", "10", "11", False),
    ("NumericEquals", "-1", "-1", True),
    ("NumericEquals", "10", "ten", False),
    ("NumericEquals", "10", None, False),
    ("NumericNotEquals", "10", "11", True),
    ("NumericNotEquals", "10", "10.0", False),
    ("NumericNotEquals", "10", None, True),
    ("NumericLessThan", "10", "9.5", True),
    ("NumericLessThan", "10", "10", False),
    ("NumericLessThan", "10", "9", True),
    ("NumericLessThan", "10", None, False),
    ("NumericLessThanEquals", "10", "10", True),
    ("NumericLessThanEquals", "10", "10.01", False),
    ("NumericGreaterThan", "10", "11", True),
    ("NumericGreaterThan", "10", "10", False),
    ("NumericGreaterThanEquals", "10", "10", True),
    ("NumericGreaterThanEquals", "10", "9", False),
    ("NumericGreaterThanEquals", "0.1", "0.1", True),
    ("DateEquals", "2030-01-31T00:00:00Z", "2030-01-31T00:00:00Z", True),
    ("DateEquals", "2030-01-31T00:00:00Z", "2030-01-31", True),
    ("DateEquals", "2030-01", "2030-01-01T00:00:00Z", True),
    ("DateEquals", "2030", "2030-01-01T00:00Z", True),
    ("DateEquals", "2030-01-31T00:00:00Z", "2030-01-31T01:00:00+01:00", True),
    ("DateEquals", "2030-01-31T00:00:00.500Z", "2030-01-31T00:00:00.5Z", True),
    ("DateEquals", "1970-01-02T00:00:00Z", "86400", True),
    ("DateEquals", 86400, "1970-01-02T00:00:00Z", True),
    ("DateEquals", "2030-01-31", "yesterday", False),
    ("DateNotEquals", "2030-01-31", "2030-01-31", False),
    ("DateNotEquals", "2030-01-31", "2030-02-01", True),
    ("DateNotEquals", "2030-01-31", None, True),
    ("DateLessThan", "2030-01-31T00:00:00Z", "2030-01-30T23:59:59Z", True),
    ("DateLessThan", "2030-01-31T00:00:00Z", "2030-01-31T00:00:00Z", False),
    ("DateLessThan", "2030-01-31", None, False),
    ("DateLessThanEquals", "2030-01-31T00:00:00Z", "2030-01-31T00:00:00Z", True),
    ("DateLessThanEquals", "2030-01-31T00:00:00Z", "2030-01-31T00:00:01Z", False),
    ("DateGreaterThan", "2030-01-31T00:00:00Z", "2030-01-31T00:00:01Z", True),
    ("DateGreaterThan", "2030-01-31T00:00:00Z", "2030-01-31T00:00:00Z", False),
    ("DateGreaterThanEquals", "2030-01-31T00:00:00Z", "2030-01-31T00:00:00Z", True),
    ("DateGreaterThanEquals", "2030-01-31T00:00:00Z", "2029-01-31T00:00:00Z", False),
    ("Bool", "true", "true", True),
    ("Bool", "true", "false", False),
    ("Bool", True, "true", True),
    ("Bool", "True", "TRUE", True),
    ("Bool", "false", "false", True),
    ("Bool", "false", None, False),
    ("Bool", "true", "yes", False),
    ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
    ("BinaryEquals", "QmluYXJ5", "qmluyxj5", False),
    ("BinaryEquals", "QmluYXJ5", "Binary!", False),
    ("BinaryEquals", "QmluYXJ5", "Qmlu!YXJ5", False),
    ("BinaryEquals", "QmluYXJ5", None, False),
    ("IpAddress", "203.0.113.0/24", "203.0.113.7", True),
    ("IpAddress", "203.0.113.0/24", "203.0.114.7", False),
    ("IpAddress", "10.1.2.3/8", "10.9.9.9", True),
    ("IpAddress", "203.0.113.7", "203.0.113.7", True),
    ("IpAddress", "203.0.113.7", "203.0.113.8", False),
    ("IpAddress", ["10.0.0.0/8", "203.0.113.0/24"], "203.0.113.7", True),
    ("IpAddress", "2001:db8:1234:5678::/64", "2001:0DB8:1234:5678::1", True),
    ("IpAddress", "2001:db8:1234:5678::/64", "2001:db8:1234:5679::1", False),
    ("IpAddress", "2001:db8::1", "2001:db8:0::1", True),
    ("IpAddress", "0.0.0.0/0", "2001:db8::1", False),
    ("IpAddress", "::/0", "203.0.113.7", False),
    ("IpAddress", "0.0.0.0/0", "cloudformation.amazonaws.com", False),
    ("IpAddress", "0.0.0.0/0", None, False),
    ("NotIpAddress", "203.0.113.0/24", "203.0.113.7", False),
    ("NotIpAddress", "203.0.113.0/24", "198.51.100.1", True),
    ("NotIpAddress", ["203.0.113.0/24", "198.51.100.0/24"], "198.51.100.1", False),
    ("NotIpAddress", "203.0.113.0/24", None, True),
    ("NotIpAddress", "203.0.113.0/24", "cloudformation.amazonaws.com", True),
    ("ArnEquals", ARN, ARN, True),
    ("ArnEquals", ARN, ARN.upper(), False),
    ("ArnEquals", "arn:aws:sns:*:111122223333:alarms", ARN, True),
    ("ArnEquals", "arn:aws:sns:*:*:a?arms", ARN, True),
    ("ArnEquals", ARN, None, False),
    ("ArnLike", "arn:aws:sns:*:111122223333:*", ARN, True),
    ("ArnLike", "arn:aws:sns:*:444455556666:*", ARN, False),
    ("ArnLike", "arn:aws:sns:*", ARN, False),
    ("ArnLike", "*", ARN, True),
    ("ArnLike", "*", "alarms", False),
    ("ArnLike", "arn:aws:s:*:1:f/*", "arn:aws:s:eu:9:store/a:1:f/d", False),
    ("ArnLike", "arn:aws:logs:*:*:log-group:*", "arn:aws:logs:eu-west-1:1:log-group:api:log-stream:x", True),
    ("ArnLike", "arn:aws:iam::1:role/*", "arn:aws:iam::1:role/a/b", True),
    ("ArnNotEquals", ARN, ARN, False),
    ("ArnNotEquals", ARN, f"{ARN}x", True),
    ("ArnNotEquals", ARN, None, True),
    ("ArnNotLike", "arn:aws:sns:*:*:*", ARN, False),
    ("ArnNotLike", "arn:aws:sqs:*:*:*", ARN, True),
    ("ArnNotLike", "arn:aws:sns:*:*:*", None, True),
    ("Null", "true", None, True),
    ("Null", "true", "a", False),
    ("Null", "false", None, False),
    ("Null", "false", "a", True),
    ("Null", "false", "", True),
    ("Null", False, "a", True),
    ("StringEqualsIfExists", "a", "a", True),
    ("StringEqualsIfExists", "a", "b", False),
    ("StringEqualsIfExists", "a", None, True),
    ("StringNotEqualsIfExists", "a", "a", False),
    ("StringNotEqualsIfExists", "a", None, True),
    ("StringLikeIfExists", "a*", None, True),
    ("StringLikeIfExists", "a*", "b", False),
    ("NumericLessThanIfExists", "5", None, True),
    ("DateLessThanIfExists", "2030", "2031", False),
    ("BoolIfExists", "true", "false", False),
    ("BoolIfExists", "true", None, True),
    ("BoolIfExists", "false", None, True),
    ("IpAddressIfExists", "203.0.113.0/24", None, True),
    ("NotIpAddressIfExists", "203.0.113.0/24", None, True),
    ("NotIpAddressIfExists", "203.0.113.0/24", "203.0.113.7", False),
    ("ArnLikeIfExists", "arn:aws:sns:*:*:*", None, True),
    ("BinaryEqualsIfExists", "QmluYXJ5", None, True),
]


@pytest.mark.parametrize(("operator", "values", "given", "holds"), SINGLE)
def test_single_valued(operator: str, values: object, given: str | None, holds: bool) -> None:
    request = with_context({} if given is None else {KEY: given})
    condition = {operator: {KEY: values}}
    assert allows(request, allow(Condition=condition)) == holds
    denied = said(evaluate(request, Policies(identity=[allow(), deny(Condition=condition)])))
    assert denied == ("deny" if holds else "allow")


def test_every_operator_is_tried() -> None:
    assert {row[0].removesuffix("IfExists") for row in SINGLE} == set(OPERATORS)


#: Operator, values of the policy, values of the request (None: the key is missing), whether it holds.
#: IAM User Guide, "Single-valued vs. multivalued context keys"; "Access Analyzer policy check reference".
MULTIVALUED: list[tuple[str, object, list[str] | None, bool]] = [
    ("ForAllValues:StringEquals", ["a", "b"], ["a", "b"], True),
    ("ForAllValues:StringEquals", ["a", "b"], ["a"], True),
    ("ForAllValues:StringEquals", ["a", "b"], ["a", "c"], False),
    ("ForAllValues:StringEquals", ["a", "b"], None, True),
    ("ForAllValues:StringEquals", ["a", "b"], [], True),
    ("ForAllValues:StringEquals", ["a", "b"], [""], True),
    ("ForAllValues:StringEquals", [], ["a"], False),
    ("ForAllValues:StringEquals", [], None, True),
    ("ForAllValues:StringLike", "key1*", ["key1:a", "key1:b"], True),
    ("ForAllValues:StringLike", "key1*", ["key1:a", "key2:b"], False),
    ("ForAllValues:StringNotLike", "key1*", ["key1:a"], False),
    ("ForAllValues:StringNotLike", "key1*", ["key2:a"], True),
    ("ForAllValues:StringNotLike", "key1*", ["key1:a", "key2:a"], False),
    ("ForAllValues:StringNotLike", "key1*", None, True),
    ("ForAllValues:StringNotEquals", ["a", "b"], ["c", "d"], True),
    ("ForAllValues:StringNotEquals", ["a", "b"], ["c", "a"], False),
    ("ForAllValues:ArnLike", "arn:aws:sns:*:*:*", [ARN], True),
    ("ForAllValues:NumericLessThan", 5, ["1", "4"], True),
    ("ForAllValues:NumericLessThan", 5, ["1", "6"], False),
    ("ForAllValues:StringEqualsIfExists", "a", None, True),
    ("ForAnyValue:StringEquals", ["a", "b"], ["c", "b"], True),
    ("ForAnyValue:StringEquals", ["a", "b"], ["c", "d"], False),
    ("ForAnyValue:StringEquals", ["a", "b"], None, False),
    ("ForAnyValue:StringEquals", ["a", "b"], [], False),
    ("ForAnyValue:StringEquals", [], ["a"], False),
    ("ForAnyValue:StringLike", "o-1/r-1/*", ["o-2/r-1/x", "o-1/r-1/x"], True),
    ("ForAnyValue:StringNotEquals", "a", ["a", "b"], True),
    ("ForAnyValue:StringNotEquals", "a", ["a"], False),
    ("ForAnyValue:StringNotEquals", "a", None, False),
    ("ForAnyValue:StringEqualsIfExists", "a", None, True),
    ("ForAnyValue:StringEqualsIfExists", "a", ["b"], False),
    ("ForAnyValue:IpAddress", "10.0.0.0/8", ["192.0.2.1", "10.1.1.1"], True),
    ("ForAllValues:Null", "true", ["a"], True),
    ("ForAllValues:Null", "false", None, True),
    ("ForAnyValue:Null", "true", None, False),
    ("Null", "true", [], True),
    ("Null", "false", ["a", "b"], True),
    # Without a quantifier: any value, and the negated operator the exact opposite.
    ("StringEquals", "a", ["a", "b"], True),
    ("StringEquals", "a", ["b", "c"], False),
    ("StringNotEquals", "a", ["a", "b"], False),
    ("StringNotEquals", "a", ["b", "c"], True),
    ("StringEquals", "a", [], False),
    ("StringNotEquals", "a", [], True),
]


@pytest.mark.parametrize(("operator", "values", "given", "holds"), MULTIVALUED)
def test_multivalued(operator: str, values: object, given: list[str] | None, holds: bool) -> None:
    request = with_context({} if given is None else {KEY: given})
    assert allows(request, allow(Condition={operator: {KEY: values}})) == holds


#: Condition block, whether it holds for a request with s3:x = a and s3:y = 2.
#: IAM User Guide, "Conditions with multiple context keys or values"; case: "IAM JSON policy elements: Condition".
BLOCKS = [
    ({}, True),
    ({"StringEquals": {}}, True),
    ({"StringEquals": {"s3:x": "a", "s3:y": "2"}}, True),
    ({"StringEquals": {"s3:x": "a", "s3:y": "3"}}, False),
    ({"StringEquals": {"s3:x": "a"}, "NumericLessThan": {"s3:y": "3"}}, True),
    ({"StringEquals": {"s3:x": "a"}, "NumericLessThan": {"s3:y": "2"}}, False),
    ({"StringEquals": {"S3:X": "a"}}, True),
    ({"StringEquals": {"s3:X": "A"}}, False),
    ({"StringLike": {"s3:x": "*"}, "Null": {"s3:z": "true"}}, True),
    ({"StringNotEquals": {"s3:x": "b"}, "StringEquals": {"s3:x": "a"}}, True),
]


@pytest.mark.parametrize(("block", "holds"), BLOCKS)
def test_all_conditions_must_hold(block: object, holds: bool) -> None:
    assert allows(with_context({"s3:x": "a", "s3:y": "2"}), allow(Condition=block)) == holds
