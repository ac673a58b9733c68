"""The lint of policies, ours and the published ones, over our own stacks with every persona: nothing is found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gatehouse.scan.documents import PolicyKind, find_documents
from gatehouse.scan.findings import Linter
from gatehouse.scan.gate import LINTERS
from gatehouse.scan.published.false_alarms import ANY_KIND, FALSE_ALARMS, FalseAlarm, Issue
from gatehouse.scan.published.validator import issues_of
from tests.synth.access_bindings import sections
from tests.synth.access_world import World
from tests.synth.conftest import Synthesize
from tests.synth.template import Template

#: Fixtures: the shipped environments as they are; with every persona in each mode; with every guard there is.
STACKS = ("dev", "prod", "roles", "session_tags", "private", "private_session_tags", "guarded")

Found = list[tuple[PolicyKind, Issue]]


@pytest.fixture(scope="module")
def private_session_tags(synthesize: Synthesize) -> Template:
    """A stack with a private API, where people's sessions carry the team."""
    return synthesize("prod", **sections("session_tags"))


@pytest.fixture(scope="module")
def documents(request: pytest.FixtureRequest) -> Mapping[str, Mapping[str, Any]]:
    """Every stack's document, by the name of its fixture."""
    found: dict[str, Template | World] = {name: request.getfixturevalue(name) for name in STACKS}
    return {name: (one.template if isinstance(one, World) else one).document for name, one in found.items()}


@pytest.fixture(scope="module")
def issues(documents: Mapping[str, Mapping[str, Any]]) -> Found:
    """All that iam-policy-validator has to say of them."""
    policies = [policy for document in documents.values() for policy in find_documents(document)[0]]
    return [(policy.kind, issue) for policy in policies for issue in issues_of(policy)]


@pytest.mark.parametrize("linter", LINTERS, ids=lambda linter: linter.__name__)
@pytest.mark.parametrize("stack", STACKS)
def test_nothing_is_found(documents: Mapping[str, Mapping[str, Any]], stack: str, linter: Linter) -> None:
    assert linter(documents[stack]) == []


def test_every_kind_of_policy_is_there(documents: Mapping[str, Mapping[str, Any]]) -> None:
    """Otherwise nothing was found because nothing was looked at."""
    kinds = {policy.kind for document in documents.values() for policy in find_documents(document)[0]}
    assert kinds == set(PolicyKind) - {PolicyKind.RESOURCE}


@pytest.mark.parametrize("alarm", FALSE_ALARMS, ids=lambda one: f"{one.check}-{one.issue}")
def test_every_false_alarm_would_be_one(issues: Found, alarm: FalseAlarm) -> None:
    """No other entry keeps a sound policy from this finding, for each kind of policy that the entry names."""
    others = [one for one in FALSE_ALARMS if one is not alarm]
    alarmed = {
        kind
        for kind, issue in issues
        if alarm.fits(kind, issue) and not any(one.fits(kind, issue) for one in others)
    }
    assert alarmed
    assert alarm.kinds in (alarmed, ANY_KIND)
