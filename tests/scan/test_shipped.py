"""The shipped environments, judged by the shipped waivers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pytest

from gatehouse.environment_file import environment_names
from gatehouse.fields import ROOT
from gatehouse.scan.gate import Verdict, judge_documents
from gatehouse.scan.waivers import WAIVERS, load_waivers
from gatehouse.settings import Settings
from tests.synth.conftest import example

#: A day on which every shipped waiver counts.
TODAY = date(2026, 11, 23)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Verdict]:
    """The verdict on each shipped environment, by name."""
    from modules.app import synthesize

    output = tmp_path_factory.mktemp("scan")
    names = environment_names(ROOT / "environments")
    environments = [Settings.model_validate(example(name)) for name in names]
    synthesize(environments, folder=ROOT / "environments", output=output)
    documents = {name: output / "stacks" / name / "cdk.tf.json" for name in names}
    waivers = load_waivers(ROOT / WAIVERS, names, TODAY)
    assert waivers
    return {one.environment: one for one in judge_documents(documents, waivers, TODAY)}


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_nothing_is_found_beyond_waivers(verdicts: Mapping[str, Verdict], environment: str) -> None:
    """An unused waiver is a finding as well."""
    verdict = verdicts[environment]
    assert verdict.failed == ()
    assert verdict.passed > 300


def test_production_has_no_waiver_of_its_own(verdicts: Mapping[str, Verdict]) -> None:
    assert {by.waiver.environments for _finding, by in verdicts["prod"].waived} == {("all",)}
