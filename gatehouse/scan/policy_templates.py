"""Each policy of a stack is what one of the templates makes: a reviewer who has read those has read all there is.

The templates are read as texts, next to the synthesized document. Whoever changes a template changes both, and shows
it in a diff of the template; whoever changes the code that renders, or a policy by other means, is found here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gatehouse.fields import ROOT
from gatehouse.scan.documents import PolicyDocument, PolicyKind, find_documents
from gatehouse.scan.findings import Finding
from gatehouse.scan.template_pattern import Bound, Template, fillings

UNTEMPLATED, DIFFERING = "GH601", "GH602"
TEMPLATES = ROOT / "templates"
#: Where a project's own personas have their templates: beside the environment files that name them.
OWN = ROOT / "environments"
_MACROS = "policies/personas/_macros.json.j2"
#: The templates of each kind, as patterns of their paths.
_OF_KIND = {
    PolicyKind.IDENTITY: ("roles/*", "personas/*"),
    PolicyKind.GROUP: ("groups/*",),
    PolicyKind.BOUNDARY: ("boundaries/*",),
    PolicyKind.TRUST: ("roles/trust*",),
    PolicyKind.BUCKET: ("buckets/*",),
    PolicyKind.KEY: ("keys/*",),
    PolicyKind.ENDPOINT: ("endpoints/*",),
    PolicyKind.API: ("api*",),
    PolicyKind.TOPIC: ("topic*",),
    PolicyKind.RESOURCE: (),
}
#: Placeholders that have one value in a stack, whatever the template.
_OF_STACK = ("account", "artifact_bucket", "personas", "prefix", "region", "server_bucket", "server_role")


def lint_templates(document: Mapping[str, Any], folder: Path = TEMPLATES, own: Path = OWN) -> list[Finding]:
    """Return the policies of a parsed ``cdk.tf.json`` that no template in the folders makes, sorted.

    Raises:
        UnreadableTemplateError: a template uses something of Jinja that cannot be read as a pattern.

    """
    policies, _ = find_documents(document)
    made = [(policy, _made(policy, folder, own)) for policy in policies]
    found = [
        Finding(UNTEMPLATED, policy.address, f"no template makes this {policy.kind.value}", policy.attribute)
        for policy, bound in made
        if bound is None
    ]
    return sorted([*found, *_differing([(policy, bound) for policy, bound in made if bound is not None])])


def _made(policy: PolicyDocument, folder: Path, own: Path) -> Bound | None:
    """Return what fills the placeholders of the template that makes a policy; None if there is none."""
    text = _text(policy.document)
    for path in _templates(policy.kind, folder, own):
        bound = fillings(Template(folder, path, folder / _MACROS), text)
        if bound is not None:
            return bound
    return None


def _text(document: Mapping[str, Any]) -> str:
    """Return a policy as compact JSON, but for the commas between statements."""
    mark = "\N{UNIT SEPARATOR}"
    rest = {**document, "Statement": mark}
    statements = document["Statement"]
    listed = statements if isinstance(statements, list) else [statements]
    return _compact(rest).replace(_compact(mark), f"[{''.join(map(_compact, listed))}]")


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _templates(kind: PolicyKind, folder: Path, own: Path) -> list[Path]:
    found = [
        path
        for pattern in _OF_KIND[kind]
        for path in sorted((folder / "policies").glob(f"{pattern}.json.j2"))
    ]
    if kind is PolicyKind.IDENTITY:
        found += sorted(own.rglob("*.json.j2"))
    return [path for path in found if not path.name.startswith("_")]


def _differing(made: list[tuple[PolicyDocument, Bound]]) -> Iterator[Finding]:
    """Go through the policies that mean another account, bucket and the like than most of the stack's do."""
    for name in _OF_STACK:
        meant = Counter(bound[name] for _, bound in made if name in bound)
        usual = meant.most_common(1)[0][0] if meant else None
        for policy, bound in made:
            if bound.get(name, usual) != usual:
                detail = f"{name} is {bound[name]} here, {usual} in other policies"
                yield Finding(DIFFERING, policy.address, detail, policy.attribute)
