"""The statements of a policy: how patterns are grouped and named."""

from __future__ import annotations

import pytest

from gatehouse.catalogue.model import CAPABILITIES, Capability
from gatehouse.personas.cover import Pattern
from gatehouse.personas.grants import LONGEST_SID, RESOURCE, STATEMENT, grants, sid_of

PLENTY = 1_000_000


def _capabilities(text: str) -> tuple[Capability, ...]:
    return tuple(Capability.parse(one) for one in text.split())


def _patterns(*groups: str) -> list[Pattern]:
    """One pattern for each set of capabilities."""
    return [Pattern("GET", f"/{number}", _capabilities(group)) for number, group in enumerate(groups)]


@pytest.mark.parametrize(
    ("text", "sid"),
    [
        ("runs:read", "RunsRead"),
        ("runs:read runs:write", "RunsReadWrite"),
        ("runs:read runs:write runs:delete", "Runs"),
        ("runs:read experiments:read", "ReadExperimentsRuns"),
        ("runs:read traces:write", "ReadRunsWriteTraces"),
        ("runs:read webhooks:read webhooks:write webhooks:delete", "ReadRunsAllWebhooks"),
        ("registry:register runs:write", "WriteRunsRegisterRegistry"),
    ],
)
def test_a_sid_names_its_capabilities(text: str, sid: str) -> None:
    assert sid_of(_capabilities(text)) == sid
    assert sid_of(_capabilities(text)[::-1]) == sid


def test_a_sid_of_many_capabilities_stays_true_and_short() -> None:
    assert sid_of(CAPABILITIES) == "EveryCapability"
    assert sid_of([one for one in CAPABILITIES if one.area != "workspaces"]) == "EveryCapabilityButWorkspaces"
    assert sid_of([one for one in CAPABILITIES if str(one) != "runs:read"]) == "EveryCapabilityButRunsRead"
    some = "experiments:read runs:write traces:delete evaluation:read evaluation:write datasets:delete prompts:read"
    assert sid_of(_capabilities(some)) == "SomeOfExperimentsRunsTracesEvaluationDatasetsPrompts"
    assert sid_of([one for one in CAPABILITIES if one.verb in ("read", "write")]) == "SomeOf12Areas"


def test_each_set_of_capabilities_is_a_statement() -> None:
    found = grants(
        _patterns("runs:read", "ui:read", "runs:read", "runs:read ui:read"), prefix=80, room=PLENTY
    )
    assert [(grant.sid, [pattern.path for pattern in grant.patterns]) for grant in found] == [
        ("UiRead", ["/1"]),
        ("ReadUiRuns", ["/3"]),
        ("RunsRead", ["/0", "/2"]),
    ]


def test_sets_that_no_name_can_tell_apart_are_one_statement() -> None:
    verbs = (("read", "write"), ("read", "delete"))
    many = [" ".join(str(one) for one in CAPABILITIES if one.verb in two) for two in verbs]
    found = grants(_patterns(*many, "runs:read"), prefix=80, room=PLENTY)
    assert [(grant.sid, len(grant.patterns)) for grant in found] == [("SomeOf12Areas", 2), ("RunsRead", 1)]


def test_the_nearest_two_become_one_until_they_fit() -> None:
    patterns = _patterns(
        "ui:read", "runs:read runs:write", "runs:read", "traces:read traces:write traces:delete"
    )
    sids = ["UiRead", "RunsRead", "RunsReadWrite", "Traces"]
    resources = 4 * (80 + len("GET/1") + RESOURCE)
    room = resources + len(sids) * STATEMENT + sum(map(len, sids))
    assert [grant.sid for grant in grants(patterns, prefix=80, room=room)] == sids
    assert [grant.sid for grant in grants(patterns, prefix=80, room=room - 1)] == [
        "UiRead",
        "RunsReadWrite",
        "Traces",
    ]
    (one,) = grants(patterns, prefix=80, room=0)
    assert one.sid == "ReadUiRunsWriteRunsAllTraces"
    assert [pattern.path for pattern in one.patterns] == ["/0", "/1", "/2", "/3"]


def test_nothing_is_granted_by_nothing() -> None:
    assert grants(_patterns(), prefix=80, room=0) == ()


def test_no_sid_is_there_twice_or_too_long() -> None:
    some = CAPABILITIES[::3]
    pairs = [f"{one} {two}" for one in some for two in some]
    sids = [grant.sid for grant in grants(_patterns(*pairs), prefix=80, room=PLENTY)]
    assert len(sids) == len(set(sids)) == len(some) * (len(some) + 1) // 2
    assert all(sid.isalnum() and len(sid) <= LONGEST_SID for sid in sids)
