"""IAM around the policies: boundaries, what is attached to whom, and credentials."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatehouse.scan.house_checks.house_reading import (
        Attributes,
        HouseCheck,
        is_given,
        number,
        refers_to,
        value,
    )
else:  # Checkov has the folder on the path, not the package.
    from house_reading import HouseCheck, is_given, number, refers_to, value

#: Attributes that hold a policy.
POLICIES = ("policy", "assume_role_policy")
#: Eight hours, in seconds: the longest session of a person.
WORKING_DAY = 8 * 3600
#: Identity providers that sign tokens for workflows, runs and service accounts, and for no person.
_MACHINES = re.compile(
    r"arn:[a-z-]+:iam::[^:]+:oidc-provider/"
    r"(token\.actions\.githubusercontent\.com|app\.terraform\.io|oidc\.eks\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/id/\w+)"
)


def bounded(principal: Attributes) -> Iterator[str]:
    """Whatever is granted to a role or a user, a boundary of this document is the most it can do."""
    if not refers_to(value(principal, "permissions_boundary"), "arn", "aws_iam_policy"):
        yield "permissions_boundary"


def own_policy(attachment: Attributes) -> Iterator[str]:
    """What is attached stands in this document, where it is judged."""
    if not refers_to(value(attachment, "policy_arn"), "arn", "aws_iam_policy"):
        yield "policy_arn"


def attached_apart(role: Attributes) -> Iterator[str]:
    """Attachments are resources of their own."""
    for name in ("managed_policy_arns", "inline_policy"):
        if is_given(role, name):
            yield name


def policy_in_sight(holder: Attributes) -> Iterator[str]:
    """A policy is JSON text, rendered from a template: no function of Terraform and no data source makes it."""
    for name in POLICIES:
        if is_given(holder, name) and not _is_policy(value(holder, name)):
            yield name


def short_sessions(role: Attributes) -> Iterator[str]:
    """A person signs in anew every working day; machines renew their sessions by themselves."""
    longest = value(role, "max_session_duration")
    seconds = number(longest)
    short = longest is None or (seconds is not None and seconds <= WORKING_DAY)
    if not short and not _is_for_machines(value(role, "assume_role_policy")):
        yield "max_session_duration"


def _is_for_machines(trust: object) -> bool:
    """Return whether every principal that a trust policy admits is an AWS service or a signer for machines."""
    read = _policy(trust)
    statements = read["Statement"] if read else None
    listed = statements if isinstance(statements, list) else [statements]
    principals = [
        one.get("Principal") for one in listed if isinstance(one, dict) and one.get("Effect") == "Allow"
    ]
    return bool(principals) and all(_is_machine(one) for one in principals)


def _is_machine(principal: object) -> bool:
    if not isinstance(principal, dict) or not principal or principal.keys() - {"Service", "Federated"}:
        return False
    federated = principal.get("Federated", [])
    listed = federated if isinstance(federated, list) else [federated]
    return all(isinstance(one, str) and _MACHINES.fullmatch(one) is not None for one in listed)


def _is_policy(text: object) -> bool:
    return _policy(text) is not None


def _policy(text: object) -> dict[str, Any] | None:
    try:
        read = json.loads(text) if isinstance(text, str) else None
    except json.JSONDecodeError:
        return None
    return read if isinstance(read, dict) and "Statement" in read else None


def through_groups(_user: Attributes) -> Iterator[str]:
    """A user has permissions as a member of groups alone."""
    yield "user"


def no_credentials(_credential: Attributes) -> Iterator[str]:
    """No credential that lasts: its secret would stand in Terraform's state."""
    yield "user"


HouseCheck(
    "GH231",
    "A role or a user is not under a permissions boundary of the stack",
    ["aws_iam_role", "aws_iam_user"],
    bounded,
)
HouseCheck(
    "GH232",
    "A policy from elsewhere is attached",
    [
        "aws_iam_role_policy_attachment",
        "aws_iam_group_policy_attachment",
        "aws_iam_user_policy_attachment",
        "aws_iam_policy_attachment",
    ],
    own_policy,
)
HouseCheck("GH233", "A role has policies inside", ["aws_iam_role"], attached_apart)
HouseCheck(
    "GH234",
    "A policy is not in sight",
    [
        "aws_iam_policy",
        "aws_iam_role",
        "aws_iam_role_policy",
        "aws_iam_group_policy",
        "aws_iam_user_policy",
        "aws_s3_bucket_policy",
        "aws_kms_key",
        "aws_kms_key_policy",
        "aws_sns_topic_policy",
        "aws_vpc_endpoint",
        "aws_vpc_endpoint_policy",
        "aws_api_gateway_rest_api_policy",
    ],
    policy_in_sight,
)
HouseCheck(
    "GH235",
    "A user has permissions of its own",
    ["aws_iam_user_policy", "aws_iam_user_policy_attachment"],
    through_groups,
)
HouseCheck(
    "GH236",
    "Credentials that last are made",
    [
        "aws_iam_access_key",
        "aws_iam_user_login_profile",
        "aws_iam_user_ssh_key",
        "aws_iam_service_specific_credential",
        "aws_iam_signing_certificate",
    ],
    no_credentials,
)
HouseCheck("GH238", "A person's session lasts longer than a working day", ["aws_iam_role"], short_sessions)
