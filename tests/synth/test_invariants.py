"""The invariants: proved of real stacks, and each refuted by a hole of its own, with a request that is replayed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gatehouse.access import evaluate
from gatehouse.access import world as closed
from gatehouse.access.invariants import INVARIANTS, Invariant, Outcome, Proof, Severity, prove
from gatehouse.access.invariants.rule import Rule
from gatehouse.cli import app as commands
from gatehouse.declared import declared, meaning
from gatehouse.document import read_document
from gatehouse.fields import ROOT
from gatehouse.settings import Settings
from tests.mutations import MUTATIONS, Assigned, Mutation
from tests.mutations.mutation import Edit
from tests.synth.access_bindings import sections
from tests.synth.access_world import World
from tests.synth.conftest import example
from tests.synth.invariant_holes import HOLES, MORE_HOLES, PRIVATE_HOLES

LEFT_TO_PROOF = [one for one in MUTATIONS if one.assigned is Assigned.PROOF]


def settings_of(environment: str, **sections: object) -> Settings:
    return Settings.model_validate({**example(environment), **sections})


def proofs(
    world: closed.World, settings: Settings | None = None, only: tuple[str, ...] = ()
) -> dict[str, Proof]:
    """Return the verdicts by the invariants' ids; with settings, on what they declare as well."""
    extra: tuple[Invariant, ...] = declared(settings) if settings else ()
    names = meaning(settings, ROOT / "environments", world) if settings else None
    return {one.invariant.id: one for one in prove(world, extra, only=only, meaning=names)}


def failed(found: Mapping[str, Proof]) -> list[str]:
    return [name for name, one in found.items() if one.outcome is Outcome.FAIL]


def edited(path: Path, edits: Mapping[str, Edit], to: Path) -> closed.World:
    """Return the world of a document after some edits, each of which has to change something."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for address, edit in edits.items():
        document = Mutation("hole", "a hole", "dev", address, edit).apply(document)
    return read(document, to)


def read(document: Mapping[str, Any], to: Path) -> closed.World:
    path = to / "cdk.tf.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return closed.World.of(read_document(path))


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_the_shipped_stacks_are_proved(request: pytest.FixtureRequest, environment: str) -> None:
    world = World(request.getfixturevalue(environment)).stack
    found = proofs(world, settings_of(environment))
    assert failed(found) == []
    assert {"tenancy", "tls", "trust-mfa", "declared-network", "declared-trust"} <= set(found)
    assert all(one.questions and one.assumptions for one in found.values())


@pytest.mark.parametrize("stack", ["roles", "session_tags", "private", "guarded"])
def test_stacks_with_every_persona_are_proved(request: pytest.FixtureRequest, stack: str) -> None:
    world: World = request.getfixturevalue(stack)
    found = proofs(world.stack)
    assert failed(found) == []
    known = {one.id for one in INVARIANTS}
    assert known - set(found) == (set() if stack == "private" else {"private-api"})


def test_every_invariant_has_a_hole() -> None:
    assert {*HOLES, *PRIVATE_HOLES} == {one.id for one in INVARIANTS} | {"declared-network", "declared-trust"}


@pytest.mark.parametrize("name", [*HOLES, *PRIVATE_HOLES])
def test_a_hole_is_found_and_its_request_replayed(
    request: pytest.FixtureRequest, name: str, tmp_path: Path
) -> None:
    is_private = name in PRIVATE_HOLES
    stack: World = request.getfixturevalue("private" if is_private else "roles")
    edits = PRIVATE_HOLES[name] if is_private else HOLES[name]
    world = edited(stack.template.path, edits, tmp_path)
    (proof,) = proofs(world, settings_of("dev", **sections("roles")), only=(name,)).values()
    assert proof.outcome is Outcome.FAIL
    found = proof.counterexample
    assert found is not None
    assert evaluate(found.request, found.policies).allowed is (name != "personas-work")
    assert evaluate(found.request, found.policies) == found.decision
    assert all(one.location or one.policy.endswith("made up for the question") for one in found.places)
    (sound,) = proofs(stack.stack, settings_of("dev", **sections("roles")), only=(name,)).values()
    assert sound.outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("name", "edits"), MORE_HOLES, ids=[f"{one[0]}-{number}" for number, one in enumerate(MORE_HOLES)]
)
def test_other_holes_are_found_too(
    roles: World, name: str, edits: Mapping[str, Edit], tmp_path: Path
) -> None:
    (proof,) = proofs(edited(roles.template.path, edits, tmp_path), only=(name,)).values()
    assert proof.counterexample is not None
    assert evaluate(proof.counterexample.request, proof.counterexample.policies).allowed


@pytest.mark.parametrize("mutation", LEFT_TO_PROOF, ids=lambda one: one.id)
def test_what_the_scan_leaves_to_the_proof_is_refuted(
    request: pytest.FixtureRequest, mutation: Mutation, tmp_path: Path
) -> None:
    template = request.getfixturevalue(mutation.environment)
    mutated = mutation.apply(json.loads(template.path.read_text(encoding="utf-8")))
    found = proofs(read(mutated, tmp_path), settings_of(mutation.environment))
    assert failed(found), mutation.sentence


def test_a_role_beside_the_personas_that_reads_everything_is_found(roles: World, tmp_path: Path) -> None:
    document = json.loads(roles.template.path.read_text(encoding="utf-8"))
    boundary = document["resource"]["aws_iam_role"]["flow_logs_role"]["permissions_boundary"]
    trust = document["resource"]["aws_iam_role"]["flow_logs_role"]["assume_role_policy"]
    for path in ("/", "/mlflow-dev/auditor/"):
        role = {"name": "side", "path": path, "permissions_boundary": boundary, "assume_role_policy": trust}
        document["resource"]["aws_iam_role"]["side"] = role
        document["resource"]["aws_iam_role_policy"]["side"] = {
            "role": "${aws_iam_role.side.name}",
            "name": "side",
            "policy": json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "All",
                            "Effect": "Allow",
                            "Action": "s3:*",
                            "Resource": f"{roles.artifacts}/*",
                        }
                    ],
                }
            ),
        }
        names = failed(proofs(read(document, tmp_path)))
        assert "trust-services" in names
        assert path != "/" or "tenancy-by-policies" in names


def test_the_command_ends_with_the_verdict(roles: World, tmp_path: Path) -> None:
    path, output = str(roles.template.path), tmp_path / "verdicts.json"
    one = ["access", "prove", path, "--only", "tenancy-by-bucket"]
    assert CliRunner().invoke(commands, one).exit_code == 0
    edited(roles.template.path, HOLES["tenancy-by-bucket"], tmp_path)
    one[2] = str(tmp_path / "cdk.tf.json")
    written = CliRunner().invoke(commands, [*one, "--format", "json", "--output", str(output)])
    assert written.exit_code == 1
    (verdict,) = json.loads(output.read_text(encoding="utf-8"))["invariants"]
    assert verdict["verdict"] == "FAIL"
    assert verdict["counterexample"]["request"]["action"].startswith("s3:")
    refused = CliRunner().invoke(commands, ["access", "prove", path, "--only", "tenanci"])
    assert refused.exit_code == 2
    assert 'write "tenancy"' in refused.stderr


def _rule(*do: str, **others: Any) -> Invariant:  # noqa: ANN401 - fields of a rule
    return Rule("own", "", Severity.HIGH, do, **others).as_invariant()


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        (_rule("registry:delete", personas=("data-scientist",)), Outcome.PASS),
        (_rule("registry:delete", personas=("team-admin",), on="own"), Outcome.FAIL),
        (_rule("registry:delete", personas=("team-admin",), on="other"), Outcome.PASS),
        (_rule("artifacts:write", except_personas=("data-scientist", "ci-pipeline")), Outcome.FAIL),
        (_rule("s3:DeleteObject"), Outcome.FAIL),
        (_rule("s3:DeleteObject", mfa=True), Outcome.PASS),
        (_rule("runs:read", networks=("198.51.100.0/24",)), Outcome.PASS),
        (_rule("runs:read", networks=("198.51.100.0/25",)), Outcome.FAIL),
        (_rule("s3:GetObject", endpoints=("vpce-0123456789abcdef0",)), Outcome.FAIL),
        (_rule("secretsmanager:GetSecretValue", on="arn:aws:secretsmanager:*"), Outcome.FAIL),
        (
            _rule("secretsmanager:GetSecretValue", on="arn:aws:secretsmanager:*", personas=("operator",)),
            Outcome.PASS,
        ),
    ],
)
def test_an_invariant_of_the_file_is_proved_or_refuted(
    roles: World, rule: Invariant, outcome: Outcome
) -> None:
    (proof,) = prove(roles.stack, (rule,), only=("own",))
    assert proof.outcome is outcome
