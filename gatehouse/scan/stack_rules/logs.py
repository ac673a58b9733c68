"""Log groups and their keys: what a group is encrypted with has to let CloudWatch Logs write it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from gatehouse.scan.stack_rules.stack import Flaw, Resource, Stack, references
from gatehouse.scan.statements import Statement, StatementError, matches, read_statements

#: What CloudWatch Logs does with a key.
USES = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey")
#: Says for which group it does.
CONTEXT = "kms:encryptioncontext:aws:logs:arn"
_NAME = ":log-group:"


def writable_logs(stack: Stack) -> Iterator[Flaw]:
    """A log group's key admits CloudWatch Logs for that group; otherwise nothing is logged.

    Source: CloudWatch Logs User Guide, "Encrypt log data in CloudWatch Logs using AWS KMS".
    """
    keys = {one.address: one for one in stack.of("aws_kms_key")}
    for group in stack.of("aws_cloudwatch_log_group"):
        for address in sorted(references(group.body.get("kms_key_id")) & keys.keys()):
            statements = _statements(keys[address])
            if not all(any(_admits(one, action, group) for one in statements) for action in USES):
                yield Flaw(
                    group.address,
                    f"has the key {address}, which does not admit CloudWatch Logs for it",
                    "kms_key_id",
                )


def _statements(key: Resource) -> tuple[Statement, ...]:
    """Return the statements of a key's policy; none of one that cannot be read, which others report."""
    try:
        return read_statements(json.loads(str(key.body.get("policy"))))
    except (json.JSONDecodeError, AttributeError, StatementError):
        return ()


def _admits(statement: Statement, action: str, group: Resource) -> bool:
    service = any(kind == "Service" and name.startswith("logs.") for kind, name in statement.principals)
    name = str(group.body.get("name"))
    return (
        statement.allows
        and service
        and statement.has_action(action)
        and all(
            condition.demands_value
            and any(matches(value.partition(_NAME)[2], name) for value in condition.values)
            for condition in statement.on(CONTEXT)
        )
    )
