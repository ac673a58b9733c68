"""Every mutation that is the scan's to catch is caught, by a finding that names what was mutated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from gatehouse.environment_file import environment_names
from gatehouse.fields import ROOT
from gatehouse.scan.waivers import WAIVERS, load_waivers
from gatehouse.settings import Settings
from tests.mutations import GROUPS, MUTATIONS, Assigned
from tests.mutations.mutation import changed_addresses
from tests.mutations.verdict import Stacks, caught
from tests.synth.conftest import example

#: A day on which every shipped waiver counts.
TODAY = date(2026, 11, 24)


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Stacks:
    """The shipped environments as they are."""
    from modules.app import synthesize

    output = tmp_path_factory.mktemp("mutations")
    names = environment_names(ROOT / "environments")
    environments = [Settings.model_validate(example(name)) for name in names]
    synthesize(environments, folder=ROOT / "environments", output=output)
    paths = {name: output / "stacks" / name / "cdk.tf.json" for name in names}
    return Stacks.read(paths, load_waivers(ROOT / WAIVERS, names, TODAY), TODAY)


def test_each_mutation_changes_what_it_says_and_nothing_else(stacks: Stacks) -> None:
    assert len({one.id for one in MUTATIONS}) == len(MUTATIONS)
    for one in MUTATIONS:
        before = stacks.documents[one.environment]
        assert changed_addresses(before, one.apply(before)) == {one.address}, one.id


def test_each_mutation_that_is_not_the_scans_to_catch_says_why() -> None:
    assert {one.id for one in MUTATIONS if (one.assigned is Assigned.SCAN) == bool(one.reason)} == set()


@pytest.mark.parametrize("group", GROUPS)
def test_each_mutation_is_caught(
    stacks: Stacks, group: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    assigned = [one for one in GROUPS[group] if one.assigned is Assigned.SCAN]
    found = caught(assigned, stacks, tmp_path)
    missed = [f"{one.id}: {one.sentence}" for one in assigned if not found[one.id]]
    left = len(GROUPS[group]) - len(assigned)
    record_property("mutations", (len(assigned) - len(missed), len(assigned), left))
    assert not missed, "\n".join(["not caught:", *missed])
