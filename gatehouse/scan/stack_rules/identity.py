"""IAM as a whole: a boundary is a limit and never a grant."""

from __future__ import annotations

from collections.abc import Iterator

from gatehouse.scan.stack_rules.stack import Flaw, Stack, references

PRINCIPALS = ("aws_iam_role", "aws_iam_user")


def boundaries_only_bound(stack: Stack) -> Iterator[Flaw]:
    """What limits somebody is granted to nobody: a boundary says far more than any one of its principals may do."""
    boundaries = {
        address
        for one in stack.of(*PRINCIPALS)
        for address in references(one.body.get("permissions_boundary"))
    }
    attachments = [one for one in stack.of() if one.type.endswith("_policy_attachment")]
    for one in attachments:
        for address in sorted(references(one.body.get("policy_arn")) & boundaries):
            yield Flaw(one.address, f"grants the boundary {address}", "policy_arn")


def boundaries_in_the_document(stack: Stack) -> Iterator[Flaw]:
    """The boundary of every role and user is a policy of the document that has statements."""
    policies = {one.address for one in stack.of("aws_iam_policy") if one.body.get("policy")}
    for principal in stack.of(*PRINCIPALS):
        if not references(principal.body.get("permissions_boundary")) & policies:
            yield Flaw(principal.address, "has no boundary in the document", "permissions_boundary")


def servers_role(stack: Stack) -> Iterator[Flaw]:
    """The servers' role is for servers: no persona's policy is attached to it."""
    templates = stack.of("aws_launch_template")
    profiles = {address for one in templates for address in references(one.body.get("iam_instance_profile"))}
    named = [one for one in stack.of("aws_iam_instance_profile") if one.address in profiles]
    roles = {address for one in named for address in references(one.body.get("role"))}
    for one in stack.of("aws_iam_role_policy_attachment"):
        for address in sorted(references(one.body.get("role")) & roles):
            yield Flaw(one.address, f"attaches a policy to {address}, which servers have", "role")
