"""What a persona's template must never grant, however it was written: one rule, one function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gatehouse.errors import MISSING, Problem
from gatehouse.personas.actions import (
    actions_named,
    closest_action,
    has_wildcard,
    service_of,
    supports_resources,
)
from gatehouse.policies import REFERENCE, PolicyError

Statement = Mapping[str, Any]

#: Services that lead to other identities or to the database; prefixes, as in ``sso`` and ``sso-directory``.
FORBIDDEN_SERVICES = (
    "account",
    "iam",
    "identity-sync",
    "identitystore",
    "organizations",
    "rds-db",
    "secretsmanager",
    "sso",
    "sts",
)
#: What the artifacts' encryption needs, and only on S3's behalf.
KEY_ACTIONS = frozenset({"kms:Decrypt", "kms:GenerateDataKey"})
_EXAMPLES = 3
_ARN_PARTS = 6


@dataclass(frozen=True)
class Finding:
    """What is wrong with one value of a statement, and what to write instead."""

    value: object
    problem: str
    fix: str


Rule = Callable[[Statement], Iterator[Finding]]


def check_persona(document: Mapping[str, Any], name: str) -> None:
    """Refuse a persona's rendered policy that grants what no persona may have; ``name`` stands for it in messages.

    Deny statements may use wildcards; an action that they name must exist all the same, or they deny nothing.

    Raises:
        PolicyError: with every finding: statement, value received, what is wrong with it, and the fix.

    """
    problems = [
        Problem(name, finding.problem, finding.fix, field=str(statement.get("Sid", "")), value=finding.value)
        for statement in document["Statement"]
        for rule in RULES
        for finding in rule(statement)
    ]
    if problems:
        raise PolicyError("\n".join(map(str, problems)))


def effect(statement: Statement) -> Iterator[Finding]:
    """Effect is Allow or Deny, in these letters."""
    value = statement.get("Effect", MISSING)
    if value not in ("Allow", "Deny"):
        yield Finding(
            value,
            "has no Effect that IAM knows" if value is MISSING else "is no effect",
            'write "Effect": "Allow" or "Effect": "Deny"',
        )


def no_principal(statement: Statement) -> Iterator[Finding]:
    """An identity policy names no principal: it is whoever it is attached to."""
    for key in ("Principal", "NotPrincipal"):
        if key in statement:
            yield Finding(
                statement[key],
                f"is a {key} in an identity policy",
                "remove it; bindings say who has a persona",
            )


def texts(statement: Statement) -> Iterator[Finding]:
    """Actions and resources are texts, and there is at least one of each."""
    for key, opposite in (("Action", "NotAction"), ("Resource", "NotResource")):
        if key not in statement and opposite not in statement:
            yield Finding(MISSING, f"has no {key}", f"add {key}")
        for found in (key, opposite):
            if found not in statement:
                continue
            value = statement[found]
            items = value if isinstance(value, list) else [value]
            if not items or not all(isinstance(item, str) and item for item in items):
                yield Finding(value, f"is no {found}", "write one text, or a list of texts")


def no_exceptions(statement: Statement) -> Iterator[Finding]:
    """An Allow says what it grants, not what it leaves out."""
    if _is_deny(statement):
        return
    for key in ("NotAction", "NotResource"):
        if key in statement:
            yield Finding(statement[key], f"is a {key} in an Allow", f"name what is granted with {key[3:]}")


def known_actions(statement: Statement) -> Iterator[Finding]:
    """Every action exists, spelled as AWS spells it; a Deny's pattern matches at least one."""
    for action in [*listed(statement, "Action"), *listed(statement, "NotAction")]:
        found = actions_named(action)
        if action == "*" or action in found:
            continue
        if has_wildcard(action):
            if not found and _is_deny(statement):
                yield Finding(action, "matches no action", "correct the pattern, or it denies nothing")
            continue
        meant = closest_action(action)
        fix = f"write {meant}" if meant else "write SERVICE:ACTION of the Service Authorization Reference"
        yield Finding(action, "is spelled otherwise by AWS" if found else "is no AWS action", fix)


def no_wildcard_action(statement: Statement) -> Iterator[Finding]:
    """An Allow names each action, so that a new action of AWS is not granted on the day it is born."""
    for action in _granted(statement):
        if not has_wildcard(action):
            continue
        examples = ", ".join(actions_named(action)[:_EXAMPLES])
        such = f", such as {examples}" if examples else ""
        yield Finding(action, "grants actions that it does not name", f"name each action{such}")


def no_forbidden_service(statement: Statement) -> Iterator[Finding]:
    """No persona reaches other identities, or the database past MLflow."""
    for action in _granted(statement):
        service = service_of(action)
        if service.startswith(FORBIDDEN_SERVICES):
            yield Finding(action, f"is of {service}, which no persona may use", "remove it")


def keys_through_services(statement: Statement) -> Iterator[Finding]:
    """A key is used for the artifacts and on a service's behalf alone."""
    for action in _granted(statement):
        if service_of(action) != "kms":
            continue
        if action not in KEY_ACTIONS:
            yield Finding(
                action, "is no use of a key that a persona needs", f"use {' or '.join(sorted(KEY_ACTIONS))}"
            )
        elif not _has_via_service(statement):
            yield Finding(
                action,
                "uses a key outside any service",
                'add the condition "StringEquals": {"kms:ViaService": "s3.REGION.amazonaws.com"}',
            )


def named_resources(statement: Statement) -> Iterator[Finding]:
    """An action that supports resources is granted on resources that are named."""
    broad = [resource for resource in listed(statement, "Resource") if _is_everything(resource)]
    if not broad or _is_deny(statement):
        return
    for action in _granted(statement):
        if action in actions_named(action) and supports_resources(action):
            yield Finding(broad[0], f"grants {action} on everything", "name the ARNs that it is for")


RULES: tuple[Rule, ...] = (
    effect,
    no_principal,
    texts,
    no_exceptions,
    known_actions,
    no_wildcard_action,
    no_forbidden_service,
    keys_through_services,
    named_resources,
)


def _is_deny(statement: Statement) -> bool:
    return bool(statement.get("Effect") == "Deny")


def listed(statement: Statement, key: str) -> list[str]:
    """Return the texts of an element that may be one text, a list, or absent."""
    value = statement.get(key, [])
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]


def _granted(statement: Statement) -> list[str]:
    return [] if _is_deny(statement) else listed(statement, "Action")


def _is_everything(resource: str) -> bool:
    if REFERENCE.fullmatch(resource):
        return False  # the constructs' own, to one ARN; a template that writes one is refused
    # An ARN with fewer parts, or with a wildcard for its service, names no kind of resource.
    parts = resource.split(":", _ARN_PARTS - 1)
    return len(parts) < _ARN_PARTS or has_wildcard(parts[2])


def _has_via_service(statement: Statement) -> bool:
    # Not StringEqualsIfExists, which holds where no service is in between, and not StringLike, which takes any.
    condition = statement.get("Condition", {})
    required = condition.get("StringEquals", {}) if isinstance(condition, Mapping) else {}
    return isinstance(required, Mapping) and "kms:viaservice" in {str(key).lower() for key in required}
