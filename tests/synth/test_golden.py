"""One reviewed golden file an environment: whatever changes in the output is seen in a diff.

``make golden`` writes the files anew. The contents of boot files are left to their own tests: here only their
digests are kept, so that a changed script shows as one line.
"""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from gatehouse.personas.model import BUILT_IN, Scope
from tests.synth.conftest import Synthesize
from tests.synth.template import Template

#: One binding of each persona, for two teams, that needs no example's names.
PEOPLE = {
    "saml": {
        "provider": "arn:aws:iam::111122223333:saml-provider/corporate",
        "instead_of_mfa": "the identity provider asks for a security key",
    }
}


def readable(template: Template) -> dict[str, Any]:
    """Return the document for a reviewer: policies as objects, boot files by digest, no construct paths."""
    document = copy.deepcopy(template.document)
    del document["//"]
    for named in document["resource"].values():
        for body in named.values():
            body.pop("//", None)
            body.pop("content", None)
            for attribute in ("policy", "assume_role_policy", "dashboard_body"):
                text = body.get(attribute)
                if isinstance(text, str) and text.startswith("{"):
                    body[attribute] = json.loads(text)
    for named in document["data"].values():
        for body in named.values():
            body.pop("//", None)
    # A changed boot file changes its digest in two places; one is enough.
    document["locals"]["server_user_data"] = re.sub(
        r"\b[0-9a-f]{64}\b", "DIGEST", document["locals"]["server_user_data"]
    ).splitlines()
    return document


def test_dev_is_as_reviewed(dev: Template, snapshot: SnapshotAssertion) -> None:
    assert readable(dev) == snapshot(extension_class=JSONSnapshotExtension, name="dev")


@pytest.mark.parametrize("mode", ["roles", "session_tags"])
def test_access_is_as_reviewed(synthesize: Synthesize, snapshot: SnapshotAssertion, mode: str) -> None:
    bindings = [
        {"persona": name, "trust": PEOPLE, **({"teams": "all"} if persona.scope is Scope.TEAM else {})}
        for name, persona in BUILT_IN.items()
    ]
    template = synthesize(
        "dev",
        account_id="111122223333",
        teams=["fraud", "search"],
        access={"mode": mode, "bindings": bindings},
    )
    policies = {address: document for address, document in template.policies() if "identity" in address}
    roles = {
        name: {key: role.get(key) for key in ("name", "path", "tags", "permissions_boundary", "description")}
        for name, role in template.resources("aws_iam_role").items()
        if "path" in role
    }
    expected = snapshot(extension_class=JSONSnapshotExtension, name=mode)
    assert {"roles": roles, "policies": policies} == expected


def test_prod_is_as_reviewed(prod: Template, snapshot: SnapshotAssertion) -> None:
    assert readable(prod) == snapshot(extension_class=JSONSnapshotExtension, name="prod")
