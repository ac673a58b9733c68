"""Synthesized stacks as closed worlds: everything resolves, and nobody and no policy is left out."""

from __future__ import annotations

import re

import pytest

from gatehouse.access.world import World as ClosedWorld
from gatehouse.document import Document, read_document
from gatehouse.document.resource import Resource
from tests.synth.access_bindings import LISTED, TEAMS
from tests.synth.access_world import ACCOUNT, IN_ONE_TEAM, PERSONAS, WITHOUT_TEAM, World
from tests.synth.template import Template

_TERRAFORM = re.compile(r"\b(aws_[a-z0-9_]+|data|var|local)\.[a-z]\w+\.\w+")
_POLICY_VARIABLE = re.compile(r"\$\{aws:[A-Za-z]+(/team)?\}")


@pytest.fixture(params=["dev", "prod", "roles", "session_tags", "private", "guarded"])
def template(request: pytest.FixtureRequest) -> Template:
    """Each shipped environment, and each mode of bindings with every persona and every kind of trust."""
    found: Template | World = request.getfixturevalue(request.param)
    return found if isinstance(found, Template) else found.template


def test_everything_resolves(template: Template) -> None:
    document = read_document(template.path)
    document.check()
    assert document.outputs.keys() == template.document["output"].keys()
    assert len(document.resources) == len(template.all())


def test_no_reference_is_left_in_a_policy(template: Template) -> None:
    document = read_document(template.path)
    for address, _ in template.policies():
        text = attribute(document, address)
        for left in re.findall(r"\$\{[^}]*\}?", text):
            assert _POLICY_VARIABLE.fullmatch(left), f"{address}: {left} is no policy variable"
        assert not _TERRAFORM.search(text), address


def attribute(document: Document, address: str) -> str:
    """Return the text at ``type.name.attribute``."""
    kind, name, last = address.split(".")
    resource: Resource = document.resources[f"{kind}.{name}"]
    return resource.text(last)


def test_no_policy_is_left_out(template: Template) -> None:
    world = ClosedWorld.of(read_document(template.path))
    assert sorted(world.policies) == sorted(address for address, _ in template.policies())
    for address, policy in world.policies.items():
        path, _, line = world.locate(policy.statements[0]).rpartition(":")
        assert path == str(template.path)
        written = template.path.read_text(encoding="utf-8").splitlines()[int(line) - 1]
        assert written.strip().startswith(f'"{address.split(".")[2]}": '), address


def test_nobody_is_left_out(template: Template) -> None:
    world = ClosedWorld.of(read_document(template.path))
    for found, kind in ((world.roles, "role"), (world.users, "user"), (world.groups, "group")):
        bodies = template.resources(f"aws_iam_{kind}").values()
        arns = {f"arn:aws:iam::{ACCOUNT}:{kind}{body.get('path', '/')}{body['name']}" for body in bodies}
        assert set(found) == arns
    attached = sum(len(role.identity) for role in world.roles.values())
    kinds = ("aws_iam_role_policy", "aws_iam_role_policy_attachment")
    assert attached == sum(len(template.resources(kind)) for kind in kinds)
    assert all(role.boundary for role in world.roles.values())


@pytest.mark.parametrize("mode", ["roles", "session_tags"])
def test_every_persona_has_its_roles(request: pytest.FixtureRequest, mode: str) -> None:
    world: ClosedWorld = request.getfixturevalue(mode).stack
    found = {(role.persona, role.team) for role in world.personas}
    assert {persona for persona, _ in found} == set(PERSONAS)
    assert {persona for persona, team in found if team is None} >= set(WITHOUT_TEAM)
    if mode == "roles":
        assert found == (
            {(persona, team) for persona in IN_ONE_TEAM for team in LISTED}
            | {("reader", team) for team in TEAMS}
            | {(persona, None) for persona in WITHOUT_TEAM}
        )
    assert world.teams == tuple(sorted(TEAMS))


def test_the_document_tells_the_version_and_the_doors(dev: Template, prod: Template) -> None:
    regional, private = (ClosedWorld.of(read_document(template.path)) for template in (dev, prod))
    assert regional.mlflow_version == private.mlflow_version == "3.17.2"
    assert not regional.api.private
    assert private.api.private
    assert private.api.entry is not None
    assert private.api.entry.policy is private.policies["aws_vpc_endpoint_policy.private_entry_policy.policy"]
    for world in (regional, private):
        assert {method.authorization for method in world.api.methods} == {"AWS_IAM"}
        assert {method.path for method in world.api.methods} == {"/{team}", "/{team}/{proxy+}"}
        assert [secret.address for secret in world.secrets] == ["aws_db_instance.database_instance"]
        assert all(all(bucket.public_access_block.values()) for bucket in world.buckets)
        assert world.role("data-scientist", "fraud").persona == "data-scientist"
