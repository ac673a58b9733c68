"""How a policy is written: version, Sids, references and variables."""

from __future__ import annotations

from collections.abc import Iterator

from gatehouse.access import Kind, MalformedPolicyError, Policy
from gatehouse.access.context import MULTIVALUED
from gatehouse.scan.condition_keys import closest_key, is_known
from gatehouse.scan.documents import PolicyDocument, PolicyKind, texts
from gatehouse.scan.policy_rules.flaw import Flaw
from gatehouse.scan.templates import CHARACTERS, Template, stand_ins, templates

VERSION = "2012-10-17"


def as_aws_reads_it(policy: PolicyDocument) -> Iterator[Flaw]:
    """AWS takes the document; references count as what they stand for."""
    kind = Kind.RESOURCE if policy.kind.names_principals else Kind.IDENTITY
    if policy.kind is PolicyKind.TRUST:
        kind = Kind.TRUST
    try:
        Policy.parse(stand_ins(policy.document), policy.kind.value, kind)
    except MalformedPolicyError as error:
        yield Flaw(str(error))


def version(policy: PolicyDocument) -> Iterator[Flaw]:
    """Version is 2012-10-17: before it, policy variables are plain text."""
    written = policy.document.get("Version")
    if written != VERSION:
        yield Flaw(f"Version is {written!r}" if written else "there is no Version")


def sids(policy: PolicyDocument) -> Iterator[Flaw]:
    """Each statement has a Sid of its own, which findings and reviews can name."""
    written = [statement.sid for statement in policy.statements]
    for statement in policy.statements:
        if not statement.sid:
            yield Flaw("the statement has no Sid", statement.place)
    for sid in dict.fromkeys(sid for sid in written if sid and written.count(sid) > 1):
        yield Flaw(f"{written.count(sid)} statements have this Sid", sid)


def references(policy: PolicyDocument) -> Iterator[Flaw]:
    """Each ``${`` is a reference to something declared, each ``$${`` a policy variable, none is left over."""
    for place, raw, template in _templates(policy):
        problem = _reference_problem(template, policy.declared)
        if problem:
            yield Flaw(f"{problem} in {raw}", place)


def _reference_problem(template: Template, declared: frozenset[str]) -> str:
    shown = f"{'$' * template.escaped}${{{template.inside}}}"
    if not template.closed:
        return "a ${ that is not closed"
    if template.escaped:
        escaped = ":" not in template.inside and bool(template.roots)
        return f"{shown}, a reference that is escaped and stays text" if escaped else ""
    if not template.roots:
        variable = ":" in template.inside or template.inside in CHARACTERS
        return (
            f"{shown}, a policy variable that is not escaped"
            if variable
            else f"{shown}, which is not resolved"
        )
    unknown = [root for root in template.roots if root not in declared]
    return f"{shown}, a reference to {unknown[0]}, which is not declared" if unknown else ""


def policy_variables(policy: PolicyDocument) -> Iterator[Flaw]:
    """Each policy variable is a condition key that exists and has one value."""
    for place, _, template in _templates(policy):
        if template.escaped and template.closed and template.inside not in CHARACTERS:
            problem = _variable_problem(template)
            if problem:
                yield Flaw(f"${{{template.inside}}} {problem}", place)


def _templates(policy: PolicyDocument) -> Iterator[tuple[str, str, Template]]:
    """Go through what is between braces, with its statement and the text around it."""
    listed = policy.raw["Statement"]
    elements = listed if isinstance(listed, list) else [listed]
    for element, statement in zip(elements, policy.statements, strict=True):
        for raw in dict.fromkeys(texts(element)):
            for template in templates(raw):
                yield statement.place, raw, template


def _variable_problem(template: Template) -> str:
    if ":" not in template.inside and template.roots:
        return ""  # an escaped reference, of which references() speaks
    if template.key.lower() in MULTIVALUED:
        return "has many values, which no variable can have"
    if is_known(template.key):
        return ""
    meant = closest_key(template.key)
    return "is no policy variable" + (f"; ${{{meant}}} is" if meant else "")
