"""One synthesis for all tests of this folder; variants are synthesized once each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from gatehouse.fields import ROOT
from gatehouse.settings import Settings
from tests.synth.access_bindings import DEPLOYER, S3_ENDPOINT, sections
from tests.synth.access_world import World
from tests.synth.template import Template

Synthesize = Callable[..., Template]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder: each needs cdktf."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("synth")


def example(environment: str) -> dict[str, Any]:
    """Return the shipped environment file as plain data."""
    data: dict[str, Any] = YAML(typ="safe").load(ROOT / "environments" / f"{environment}.yaml")
    return data


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    """Return a function from an example's name and changed sections to the synthesized template."""
    from modules.app import synthesize as run

    def build(environment: str, **sections: object) -> Template:
        output = tmp_path_factory.mktemp("synth")
        settings = Settings.model_validate({**example(environment), **sections})
        run([settings], folder=ROOT / "environments", output=output)
        return Template.read(output / "stacks" / settings.environment / "cdk.tf.json")

    return build


@pytest.fixture(scope="session")
def dev(synthesize: Synthesize) -> Template:
    """The shipped dev environment: NAT, regional API, one of each."""
    return synthesize("dev")


@pytest.fixture(scope="session")
def prod(synthesize: Synthesize) -> Template:
    """The shipped prod environment: no internet, private API, three zones."""
    return synthesize("prod")


@pytest.fixture(params=["dev", "prod"])
def stack(request: pytest.FixtureRequest) -> Template:
    """Each shipped environment in turn, for what must hold in all of them."""
    template: Template = request.getfixturevalue(request.param)
    return template


@pytest.fixture(scope="session")
def roles(synthesize: Synthesize) -> World:
    """A regional stack with every persona bound, one tagged role for each team and persona."""
    return World(synthesize("dev", **sections("roles")))


@pytest.fixture(scope="session")
def session_tags(synthesize: Synthesize) -> World:
    """The same, where people's sessions carry the team."""
    return World(synthesize("dev", **sections("session_tags")))


@pytest.fixture(scope="session")
def private(synthesize: Synthesize) -> World:
    """A stack with a private API and interface endpoints."""
    return World(synthesize("prod", **sections("roles")))


@pytest.fixture(scope="session")
def guarded(synthesize: Synthesize) -> World:
    """A stack that names who deploys it, and the endpoint through which alone artifacts are used."""
    artifacts = {**example("dev")["artifacts"], "vpc_endpoint_ids": [S3_ENDPOINT]}
    return World(synthesize("dev", **sections("roles"), artifacts=artifacts, deployer_role_arns=[DEPLOYER]))


@pytest.fixture(params=["roles", "session_tags"])
def world(request: pytest.FixtureRequest) -> World:
    """Each mode in turn, for what must hold in both."""
    found: World = request.getfixturevalue(request.param)
    return found
