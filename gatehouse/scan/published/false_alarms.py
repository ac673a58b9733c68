"""What iam-policy-validator says of sound policies: each with the reason why it does not count, and what does instead.

An entry is for one kind of issue, and for as few kinds of policies and statements as will do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gatehouse.scan.condition_keys import is_issuer_key
from gatehouse.scan.documents import PolicyKind
from gatehouse.scan.statements import Statement

ANY_KIND = frozenset(PolicyKind)
#: What API Gateway demands of the role by which it writes logs, for the whole account. Source: API Gateway Developer
#: Guide, "Set up CloudWatch logging for REST APIs".
_API_LOGGING = frozenset(
    {
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:DescribeLogGroups",
        "logs:DescribeLogStreams",
        "logs:FilterLogEvents",
        "logs:GetLogEvents",
        "logs:PutLogEvents",
    }
)
#: Actions that are decided by a resource although the Service Authorization Reference lists none. Sources: Systems
#: Manager User Guide, "Sample IAM policies for Session Manager"; CloudWatch Logs User Guide, "CloudWatch Logs
#: permissions reference".
_RESOURCE_AFTER_ALL = frozenset({"logs:DescribeLogGroups", "ssmmessages:OpenDataChannel"})
_ENCRYPTION_CONTEXT = "kms:encryptioncontext:"
_PARTS_BEFORE_NAME = 5


@dataclass(frozen=True)
class Issue:
    """What the package found: its check, the kind of issue, and where.

    The action and the condition key are empty if it names none; there is no statement if it is about the policy.
    """

    check: str
    type: str
    message: str
    statement: Statement | None
    action: str
    key: str


@dataclass(frozen=True)
class FalseAlarm:
    """Issues that do not count.

    ``only`` limits the entry to some statements or issues; ``covered_by`` are ids of checks of ours that look at the
    same, and ``instead`` says how, or what else does.
    """

    check: str
    issue: str
    kinds: frozenset[PolicyKind]
    reason: str
    covered_by: tuple[str, ...]
    instead: str
    only: Callable[[Statement, Issue], bool] = lambda _statement, _issue: True

    def fits(self, kind: PolicyKind, issue: Issue) -> bool:
        """Return whether an issue in a policy of some kind is this false alarm."""
        named = (self.check, self.issue) == (issue.check, issue.type)
        statement = issue.statement
        return named and kind in self.kinds and statement is not None and self.only(statement, issue)


def names_resources(resources: Iterable[str]) -> bool:
    """Return whether each of some resources has a name that does not begin with a wildcard; none is none."""
    listed = list(resources)
    return bool(listed) and all(_has_name(one) for one in listed)


def _has_name(resource: str) -> bool:
    if resource.startswith("${"):  # a reference to one
        return True
    parts = resource.split(":", _PARTS_BEFORE_NAME)
    if len(parts) <= _PARTS_BEFORE_NAME:
        return False
    rest = parts[-1]
    if parts[2] != "s3":  # elsewhere the type stands in front of the name
        rest = re.split("[:/]", rest, maxsplit=1)[-1]
    return not rest.startswith(("*", "?"))


def _named(statement: Statement, _issue: Issue) -> bool:
    return names_resources(statement.resources)


def _on_encryption_context(_statement: Statement, issue: Issue) -> bool:
    return issue.key.lower().startswith(_ENCRYPTION_CONTEXT)


def _demands_absence(statement: Statement, issue: Issue) -> bool:
    asked = statement.on(issue.key.lower())
    return bool(asked) and all(one.says_absent for one in asked)


def _has_encryption_context(statement: Statement, _issue: Issue) -> bool:
    return any(one.key.startswith(_ENCRYPTION_CONTEXT) and one.demands_value for one in statement.conditions)


def _on_source_ip(_statement: Statement, issue: Issue) -> bool:
    return issue.key.lower() == "aws:sourceip"


def _demands_a_tag(statement: Statement, issue: Issue) -> bool:
    """A request with a tag has tag keys."""
    return issue.key.lower() == "aws:tagkeys" and any(
        one.key.startswith("aws:requesttag/") and one.demands_value for one in statement.conditions
    )


def _for_api_gateway(statement: Statement, _issue: Issue) -> bool:
    return {name for _, name in statement.principals} == {"apigateway.amazonaws.com"}


FALSE_ALARMS: tuple[FalseAlarm, ...] = (
    FalseAlarm(
        check="sensitive_action",
        issue="missing_condition",
        kinds=frozenset({PolicyKind.BOUNDARY}),
        reason="A boundary is a ceiling and grants nothing; what stands below it is granted, and judged, elsewhere.",
        covered_by=("GH114", "GH115"),
        instead="The identity policies under the boundary are judged by the same check.",
    ),
    FalseAlarm(
        check="sensitive_action",
        issue="missing_condition",
        kinds=frozenset({PolicyKind.IDENTITY}),
        only=_named,
        reason="A statement that names its resources is limited by them; a condition is not the only way to do so.",
        covered_by=("GH114", "GH115", "GH116"),
        instead="Resources must be named, roles to pass one by one, and folders whole.",
    ),
    FalseAlarm(
        check="sensitive_action",
        issue="missing_condition",
        kinds=frozenset({PolicyKind.IDENTITY}),
        only=lambda statement, _issue: set(statement.actions) <= _API_LOGGING,
        reason="API Gateway takes a role for logging only with these actions for the whole account.",
        covered_by=("GH114",),
        instead="Resource * is still found, and the role is for API Gateway alone by its trust policy.",
    ),
    FalseAlarm(
        check="sensitive_action",
        issue="missing_condition",
        kinds=frozenset({PolicyKind.TRUST}),
        reason="sts:AssumeRole is what a trust policy is for; who may is said by the principal.",
        covered_by=("GH121", "GH122", "GH123", "GH125", "GH126", "GH127"),
        instead="Each kind of principal has a rule on the conditions that it needs.",
    ),
    FalseAlarm(
        check="sensitive_action",
        issue="missing_condition",
        kinds=frozenset({PolicyKind.KEY}),
        reason="A key that its account does not administer can never be changed again; the account's policies decide.",
        covered_by=("GH118", "GH120", "GH121"),
        instead="Use of a key's data, by whomever, needs a condition or named roles.",
    ),
    FalseAlarm(
        check="wildcard_resource",
        issue="overly_permissive",
        kinds=frozenset({PolicyKind.KEY}),
        reason="In a key policy * is the key itself.",
        covered_by=("GH118", "GH121"),
        instead="What the key allows is judged by who may use it, and through which service.",
    ),
    FalseAlarm(
        check="wildcard_resource",
        issue="overly_permissive",
        kinds=frozenset({PolicyKind.BOUNDARY}),
        reason="A boundary is a ceiling and grants nothing; actions with and without resources may share a statement.",
        covered_by=("GH114",),
        instead="An Allow on * of actions that all support resources is still found, in boundaries too.",
    ),
    FalseAlarm(
        check="wildcard_resource",
        issue="overly_permissive",
        kinds=frozenset({PolicyKind.ENDPOINT}),
        reason="An endpoint policy only narrows: it names who may pass, and their policies name the resources.",
        covered_by=("GH114", "GH121"),
        instead="Endpoints for S3 and APIs must name resources; every endpoint must say for whom it is.",
    ),
    FalseAlarm(
        check="principal_validation",
        issue="missing_principal_condition_any_of",
        kinds=frozenset({PolicyKind.ENDPOINT}),
        reason="The package does not count aws:PrincipalArn and aws:PrincipalAccount, by which endpoints say for whom.",
        covered_by=("GH121",),
        instead="Principal * needs a condition on who asks, or the buckets of AWS's own packages as resource.",
    ),
    FalseAlarm(
        check="action_condition_enforcement",
        issue="missing_required_condition_any_of",
        kinds=ANY_KIND,
        only=_named,
        reason=(
            "The package wants every Allow on S3 objects to name an organization or a network. These name their "
            "buckets, which have the account's id in the name or belong to AWS."
        ),
        covered_by=("GH114", "GH116", "GH117"),
        instead="Buckets and folders must be named; an Allow on every bucket is found by both.",
    ),
    FalseAlarm(
        check="action_condition_enforcement",
        issue="missing_required_condition",
        kinds=frozenset({PolicyKind.IDENTITY, PolicyKind.BOUNDARY}),
        only=_on_source_ip,
        reason="Nobody's network is known here; a session is opened by a role that demanded MFA.",
        covered_by=("GH114", "GH126"),
        instead="The servers are named, and people come with a second factor.",
    ),
    FalseAlarm(
        check="action_resource_matching",
        issue="resource_mismatch",
        kinds=frozenset({PolicyKind.IDENTITY, PolicyKind.BOUNDARY}),
        only=lambda _statement, issue: issue.action in _RESOURCE_AFTER_ALL,
        reason="AWS decides these actions by a resource that the Service Authorization Reference does not list.",
        covered_by=("GH110",),
        instead="The alarm is that the grant has no effect, which a first use would show; * would grant more.",
    ),
    FalseAlarm(
        check="condition_key_validation",
        issue="invalid_condition_key",
        kinds=frozenset({PolicyKind.IDENTITY, PolicyKind.BOUNDARY, PolicyKind.KEY}),
        only=_on_encryption_context,
        reason="The package does not read kms:EncryptionContext:${EncryptionContextKey} as a pattern.",
        covered_by=("GH132",),
        instead="Our rule on keys and actions reads it.",
    ),
    FalseAlarm(
        check="condition_key_validation",
        issue="invalid_condition_key",
        kinds=frozenset({PolicyKind.TRUST}),
        only=lambda _statement, issue: is_issuer_key(issue.key),
        reason="An identity provider's claims are also in requests for sts:TagSession, which comes with the token.",
        covered_by=("GH123", "GH132"),
        instead="Claims are known to the rule on keys and actions, and demanded by the one on tokens.",
    ),
    FalseAlarm(
        check="condition_key_validation",
        issue="invalid_condition_key",
        kinds=frozenset({PolicyKind.IDENTITY, PolicyKind.BOUNDARY}),
        only=_demands_absence,
        reason="Null true holds for every request of an action that never has the key, whatever the others have.",
        covered_by=("GH132",),
        instead="Our rule demands that one action of the statement supports the key.",
    ),
    FalseAlarm(
        check="condition_type_mismatch",
        issue="type_mismatch_usable",
        kinds=frozenset({PolicyKind.BUCKET}),
        reason="AWS compares an ARN with a string operator character by character, which is what is meant: one key.",
        covered_by=("GH130", "GH131"),
        instead="A wildcard that is none there, and a value of the wrong type, are found.",
    ),
    FalseAlarm(
        check="not_action_not_resource",
        issue="not_action_deny_review",
        kinds=ANY_KIND,
        reason="It asks for a review of any Deny with NotAction, which is how a Deny also meets actions to come.",
        covered_by=("GH112", "GH140"),
        instead="NotAction with Allow is found, and so is a Deny that spares actions of the same kind.",
    ),
    FalseAlarm(
        check="not_action_not_resource",
        issue="not_resource_deny_review",
        kinds=ANY_KIND,
        reason="It asks for a review of any Deny with NotResource, which is how a Deny also meets resources to come.",
        covered_by=("GH113", "GH141"),
        instead="NotResource with Allow is found, and so is a Deny that spares requests without the tag.",
    ),
    FalseAlarm(
        check="set_operator_validation",
        issue="forallvalues_allow_without_null_check",
        kinds=frozenset({PolicyKind.TRUST, PolicyKind.GROUP}),
        only=_demands_a_tag,
        reason="A statement that demands aws:RequestTag has no request without tag keys.",
        covered_by=("GH133",),
        instead="Our rule on ForAllValues knows of the tag as a partner.",
    ),
    FalseAlarm(
        check="trust_policy_validation",
        issue="confused_deputy_risk",
        kinds=frozenset({PolicyKind.TRUST}),
        only=_for_api_gateway,
        reason="API Gateway says for no account when it takes its logging role; a condition would keep it out.",
        covered_by=("GH127",),
        instead="Our rule on services has the list of those that give no account.",
    ),
    FalseAlarm(
        check="trust_policy_validation",
        issue="confused_deputy_risk",
        kinds=frozenset({PolicyKind.KEY}),
        only=_has_encryption_context,
        reason="A service that must give the encryption context of our own resource acts for nobody else.",
        covered_by=("GH127",),
        instead="Our rule on services takes the encryption context, or demands the account.",
    ),
)
