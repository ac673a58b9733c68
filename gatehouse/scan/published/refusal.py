"""Policies that AWS would refuse: our own lint says so, and the published packages cannot read them."""

from __future__ import annotations

from gatehouse.scan.documents import PolicyDocument
from gatehouse.scan.policy_rules.writing import as_aws_reads_it
from gatehouse.scan.statements import StatementError


def is_refused(policy: PolicyDocument) -> bool:
    """Return whether a policy is a finding of our own lint because AWS would refuse it."""
    try:
        _ = policy.statements
    except StatementError:
        return True
    return any(as_aws_reads_it(policy))
