"""How many rules a security group has as AWS counts them: in each direction, for IPv4 and for IPv6.

A rule that names a group or a prefix list counts for both versions; a prefix list counts as often as it has room for
ranges, or by the weight that AWS gives its own. Source: VPC User Guide, "Amazon VPC quotas", "AWS-managed prefix
lists".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

INGRESS, EGRESS = "ingress", "egress"
IPV4, IPV6 = "IPv4", "IPv6"
_BOTH = (IPV4, IPV6)
_RULE_TYPES = {"aws_vpc_security_group_ingress_rule": INGRESS, "aws_vpc_security_group_egress_rule": EGRESS}
_GROUP_TYPES = ("aws_security_group", "aws_default_security_group")
#: By the end of the name.
_WEIGHTS = {
    "cloudfront.origin-facing": 55,
    "dynamodb": 1,
    "ec2-instance-connect": 2,
    "groundstation": 5,
    "route53-healthchecks": 25,
    "s3": 1,
    "s3express": 6,
    "vpc-lattice": 10,
}
_REFERENCE = re.compile(r"\$\{(?P<data>data\.)?(?P<type>\w+)\.(?P<name>[\w-]+)\.(?P<attribute>\w+)\}")

Counts = Counter[tuple[str, str, str]]


class _UnknownWeightError(Exception):
    """A prefix list of which nobody knows how many ranges it has."""


def rule_counts(terraform: Mapping[str, Any]) -> tuple[Counts, list[tuple[str, str]]]:
    """Return the number of rules by group, direction and version of IP; and the rules that cannot be counted, why."""
    counts: Counts = Counter()
    unknown: list[tuple[str, str]] = []
    for address, group, direction, rule in _all_rules(terraform):
        try:
            for version, number in _worth(rule, terraform).items():
                counts[group, direction, version] += number
        except _UnknownWeightError as error:
            unknown.append((address, str(error)))
    return counts, unknown


def _all_rules(terraform: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """Go through all rules: address, group, direction and attributes."""
    resources = terraform.get("resource", {})
    for kind, direction in _RULE_TYPES.items():
        for name, body in _bodies(resources, kind):
            yield f"{kind}.{name}", _group(body.get("security_group_id")), direction, body
    for name, body in _bodies(resources, "aws_security_group_rule"):
        address = f"aws_security_group_rule.{name}"
        yield address, _group(body.get("security_group_id")), str(body.get("type")), body
    for kind in _GROUP_TYPES:
        for name, body in _bodies(resources, kind):
            for direction in (INGRESS, EGRESS):
                written = body.get(direction)
                for rule in written if isinstance(written, list) else [written]:
                    if isinstance(rule, Mapping):
                        yield f"{kind}.{name}", f"{kind}.{name}", direction, rule


def _bodies(resources: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, body in resources.get(kind, {}).items():
        if isinstance(body, Mapping) and name != "//":
            yield name, body


def _group(named: object) -> str:
    found = _REFERENCE.fullmatch(str(named))
    return f"{found['type']}.{found['name']}" if found is not None else str(named)


def _worth(rule: Mapping[str, Any], terraform: Mapping[str, Any]) -> Counter[str]:
    """Return what one block counts as: it may have many ranges, lists and groups."""
    worth: Counter[str] = Counter()
    worth[IPV4] += _number(rule, "cidr_ipv4", "cidr_blocks")
    worth[IPV6] += _number(rule, "cidr_ipv6", "ipv6_cidr_blocks")
    groups = _number(rule, "referenced_security_group_id", "source_security_group_id", "security_groups")
    groups += int(rule.get("self") in (True, "true"))
    lists = [one for key in ("prefix_list_id", "prefix_list_ids") for one in _listed(rule.get(key))]
    weight = sum(_weight(str(one), terraform) for one in lists)
    for version in _BOTH:
        worth[version] += groups + weight
    return worth


def _number(rule: Mapping[str, Any], *attributes: str) -> int:
    return sum(len(_listed(rule.get(attribute))) for attribute in attributes)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value in (None, "") else [value]


def _weight(named: str, terraform: Mapping[str, Any]) -> int:
    found = _REFERENCE.fullmatch(named)
    if found is None:
        raise _UnknownWeightError(f"{named} is a prefix list of an unknown size")
    section = "data" if found["data"] else "resource"
    body = terraform.get(section, {}).get(found["type"], {}).get(found["name"], {})
    if found["type"] == "aws_vpc_endpoint" and found["attribute"] == "prefix_list_id":
        return 1  # gateway endpoints are for S3 and DynamoDB
    entries = body.get("max_entries")
    if isinstance(entries, int):
        return entries
    name = str(body.get("name", ""))
    known = (weight for end, weight in _WEIGHTS.items() if found["data"] and name.endswith(f".{end}"))
    weight = next(known, None)
    if weight is None:
        raise _UnknownWeightError(f"{named} is a prefix list of an unknown size")
    return weight
