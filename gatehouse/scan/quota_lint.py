"""Quotas: what AWS would refuse during an apply, when half of the stack is made, is found in the document.

The numbers are in :mod:`gatehouse.quotas`. A size or a number that cannot be told is a finding too.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gatehouse import quotas
from gatehouse.scan.documents import PolicyDocument, PolicyKind, find_documents
from gatehouse.scan.findings import Finding
from gatehouse.scan.rule_counts import rule_counts
from gatehouse.scan.sizes import UnknownSizeError, filled_in
from gatehouse.scan.user_data import user_data

MANAGED, MANY_MANAGED, MANY_ROLES, MANY_RULES = "GH501", "GH502", "GH512", "GH513"
USER_DATA, UNKNOWN = "GH514", "GH515"


@dataclass(frozen=True)
class Quota:
    """The check of a kind of policy, its limit, and how its size is counted."""

    check: str
    limit: int
    unit: str = "characters"
    spaces: bool = True

    def size(self, text: str) -> int:
        """Return the size of a text in ``unit``."""
        counted = text if self.spaces else "".join(text.split())
        return len(counted.encode()) if self.unit == "bytes" else len(counted)


_MANAGED = Quota(MANAGED, quotas.MANAGED_POLICY, spaces=False)
#: Of policies that stand alone.
_SIZES: Mapping[PolicyKind, Quota] = {
    PolicyKind.TRUST: Quota("GH506", quotas.TRUST_POLICY, spaces=False),
    PolicyKind.BUCKET: Quota("GH507", quotas.BUCKET_POLICY, "bytes"),
    PolicyKind.KEY: Quota("GH508", quotas.KEY_POLICY, "bytes"),
    PolicyKind.ENDPOINT: Quota("GH509", quotas.ENDPOINT_POLICY),
    PolicyKind.API: Quota("GH510", quotas.API_POLICY),
    PolicyKind.TOPIC: Quota("GH511", quotas.TOPIC_POLICY, "bytes"),
}
#: Of the inline policies of one identity together, by the type of resource and the attribute that names the identity;
#: "" is the resource itself.
_INLINE: Mapping[str, tuple[str, str, Quota]] = {
    "aws_iam_role_policy": (
        "role",
        "aws_iam_role",
        Quota("GH503", quotas.ROLE_INLINE_POLICIES, spaces=False),
    ),
    "aws_iam_role": ("", "aws_iam_role", Quota("GH503", quotas.ROLE_INLINE_POLICIES, spaces=False)),
    "aws_iam_group_policy": (
        "group",
        "aws_iam_group",
        Quota("GH504", quotas.GROUP_INLINE_POLICIES, spaces=False),
    ),
    "aws_iam_user_policy": (
        "user",
        "aws_iam_user",
        Quota("GH505", quotas.USER_INLINE_POLICIES, spaces=False),
    ),
}
#: Types that attach managed policies: where the identities and where the policies are named.
_ATTACHMENTS: tuple[tuple[str, str, str, str], ...] = (
    ("aws_iam_role", "", "managed_policy_arns", "aws_iam_role"),
    ("aws_iam_role_policy_attachment", "role", "policy_arn", "aws_iam_role"),
    ("aws_iam_role_policy_attachments_exclusive", "role_name", "policy_arns", "aws_iam_role"),
    ("aws_iam_user_policy_attachment", "user", "policy_arn", "aws_iam_user"),
    ("aws_iam_user_policy_attachments_exclusive", "user_name", "policy_arns", "aws_iam_user"),
    ("aws_iam_group_policy_attachment", "group", "policy_arn", "aws_iam_group"),
    ("aws_iam_group_policy_attachments_exclusive", "group_name", "policy_arns", "aws_iam_group"),
    ("aws_iam_policy_attachment", "roles", "policy_arn", "aws_iam_role"),
    ("aws_iam_policy_attachment", "users", "policy_arn", "aws_iam_user"),
    ("aws_iam_policy_attachment", "groups", "policy_arn", "aws_iam_group"),
)
_OWNER = re.compile(r"\$\{(\w+\.[\w-]+)\.(?:id|name)\}")


def lint_quotas(document: Mapping[str, Any]) -> list[Finding]:
    """Return what in a parsed ``cdk.tf.json`` is beyond a quota of AWS, sorted."""
    found = [
        *_copies(document),
        *_policies(document),
        *_managed(document),
        *_roles(document),
        *_rules(document),
        *_user_data(document),
    ]
    return sorted(set(found))


def _copies(terraform: Mapping[str, Any]) -> Iterator[Finding]:
    """Find what is made several times: how often is Terraform's to say, so that nothing of it is counted here."""
    counted = {
        "aws_iam_role",
        "aws_vpc_security_group_ingress_rule",
        "aws_vpc_security_group_egress_rule",
        "aws_security_group_rule",
        *_INLINE,
        *(kind for kind, *_ in _ATTACHMENTS),
    }
    for kind in sorted(counted):
        for name, body in _named(terraform, kind):
            for attribute in ("count", "for_each"):
                if attribute in body:
                    detail = f"{attribute} makes several of it, and how many cannot be told"
                    yield Finding(UNKNOWN, f"{kind}.{name}", detail, attribute)


def _policies(terraform: Mapping[str, Any]) -> Iterator[Finding]:
    inline: defaultdict[str, list[tuple[Quota, PolicyDocument, str]]] = defaultdict(list)
    for policy in find_documents(terraform)[0]:
        type_, _, _name = policy.address.partition(".")
        try:
            text = filled_in(_text(policy, terraform), terraform)
        except UnknownSizeError as error:
            detail = f"the size of the policy cannot be told: {error}"
            yield Finding(UNKNOWN, policy.address, detail, policy.attribute)
            continue
        if policy.kind is PolicyKind.TRUST or type_ not in _INLINE:
            quota = _MANAGED if type_ == "aws_iam_policy" else _SIZES.get(policy.kind)
            if quota is not None:
                yield from _measured(
                    quota, quota.size(text), policy.address, policy.attribute, "the policy has"
                )
            continue
        attribute, owner_type, quota = _INLINE[type_]
        owner = _owner(terraform, policy.address, attribute, owner_type)
        inline[owner].append((quota, policy, text))
    for owner, members in inline.items():
        quota = members[0][0]
        size = sum(quota.size(text) for _quota, _policy, text in members)
        several = "the inline policies have" if len(members) > 1 else "the inline policy has"
        yield from _measured(quota, size, owner, "inline policies", several)


def _measured(quota: Quota, size: int, address: str, place: str, what: str) -> Iterator[Finding]:
    if size > quota.limit:
        detail = f"{what} {size:,} {quota.unit}, and AWS takes {quota.limit:,}"
        yield Finding(quota.check, address, detail, place)


def _text(policy: PolicyDocument, terraform: Mapping[str, Any]) -> str:
    """Return a policy as it is written; where it is inside something else, without white space."""
    kind, _, name = policy.address.removeprefix("data.").partition(".")
    section = "data" if policy.address.startswith("data.") else "resource"
    written = terraform[section][kind][name].get(policy.attribute)
    if isinstance(written, str):
        return written
    return json.dumps(policy.raw, separators=(",", ":"), ensure_ascii=False)


def _owner(terraform: Mapping[str, Any], address: str, attribute: str, owner_type: str) -> str:
    if not attribute:
        return address
    kind, _, name = address.partition(".")
    return _identity(terraform, terraform["resource"][kind][name].get(attribute), owner_type)


def _identity(terraform: Mapping[str, Any], named: object, kind: str) -> str:
    """Return the address of the identity that is named by reference or by its plain name."""
    reference = _OWNER.fullmatch(str(named))
    if reference is not None:
        return reference[1]
    of_this_name = (name for name, body in _named(terraform, kind) if body.get("name") == named)
    found = next(of_this_name, None)
    return f"{kind}.{found}" if found is not None else f"{kind} {named}"


def _managed(terraform: Mapping[str, Any]) -> Iterator[Finding]:
    attached: defaultdict[str, set[str]] = defaultdict(set)
    for type_, whom, what, kind in _ATTACHMENTS:
        for name, body in _named(terraform, type_):
            owners = [f"{type_}.{name}"] if not whom else _identities(terraform, body.get(whom), kind)
            for owner in owners:
                attached[owner].update(map(str, _listed(body.get(what))))
    for owner, policies in attached.items():
        if len(policies) > quotas.MANAGED_POLICIES:
            detail = f"{len(policies)} managed policies are attached, and AWS takes {quotas.MANAGED_POLICIES}"
            yield Finding(MANY_MANAGED, owner, detail, "managed policies")


def _identities(terraform: Mapping[str, Any], named: object, kind: str) -> list[str]:
    return [_identity(terraform, one, kind) for one in _listed(named)]


def _roles(terraform: Mapping[str, Any]) -> Iterator[Finding]:
    names = [name for name, _body in _named(terraform, "aws_iam_role")]
    if len(names) > quotas.ROLES:
        detail = f"there are {len(names):,} roles, and an account takes {quotas.ROLES:,}"
        yield Finding(MANY_ROLES, f"aws_iam_role.{names[quotas.ROLES]}", detail)


def _rules(terraform: Mapping[str, Any]) -> Iterator[Finding]:
    counts, unknown = rule_counts(terraform)
    for (group, direction, version), count in counts.items():
        if count > quotas.SECURITY_GROUP_RULES:
            detail = f"there are {count} rules for {version}, and AWS takes {quotas.SECURITY_GROUP_RULES}"
            yield Finding(MANY_RULES, group, detail, f"{direction} {version}")
    for address, reason in unknown:
        yield Finding(UNKNOWN, address, f"how many rules it counts as cannot be told: {reason}")


def _user_data(terraform: Mapping[str, Any]) -> Iterator[Finding]:
    for address, attribute, read in user_data(terraform):
        if isinstance(read, UnknownSizeError):
            yield Finding(UNKNOWN, address, f"the size of the user data cannot be told: {read}", attribute)
        elif len(read) > quotas.USER_DATA:
            detail = f"the user data has {len(read):,} bytes, and AWS takes {quotas.USER_DATA:,}"
            yield Finding(USER_DATA, address, detail, attribute)


def _named(terraform: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, body in terraform.get("resource", {}).get(kind, {}).items():
        if isinstance(body, Mapping) and name != "//":
            yield name, body


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
