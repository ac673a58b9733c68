"""Invariants: what holds of every stack, each proved over its document or refuted by a request.

::

    from gatehouse.access.invariants import Outcome, prove

    for proof in prove(World.of(read_document(path))):
        print(proof.invariant.id, proof.outcome.value, proof.counterexample)

PASS means proved, under the assumptions that the proof lists. FAIL means that somebody might: it comes with one request
that the evaluator allows, and the statements that do. What the solver does not decide is an error, never a verdict.

``model`` is what an invariant is; ``stack`` who and what there is to ask about; ``tenancy``, ``data``, ``people``,
``trust`` and ``entrance`` are the invariants by theme; ``rule`` makes one of what an environment file says;
``judge`` gives the verdicts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gatehouse.access.invariants import data, entrance, people, tenancy, trust
from gatehouse.access.invariants.judge import Judge
from gatehouse.access.invariants.model import (
    Ask,
    Counterexample,
    Invariant,
    Must,
    Never,
    Outcome,
    Place,
    Proof,
    Severity,
    invariant,
)
from gatehouse.access.invariants.stack import Personas, Stack
from gatehouse.access.proof import ProofError
from gatehouse.access.world import World
from gatehouse.errors import InputError, Problem
from gatehouse.problems import closest

INVARIANTS: tuple[Invariant, ...] = (
    tenancy.tenancy,
    tenancy.tenancy_by_policies,
    tenancy.tenancy_by_boundary,
    tenancy.tenancy_by_bucket,
    tenancy.no_tag_no_access,
    data.only_personas_use_artifacts,
    data.delete_with_mfa,
    data.versions_and_configuration,
    data.tls,
    data.only_our_key,
    data.nobody_outside,
    data.server_only_reads,
    data.no_presigned_addresses,
    data.artifact_key,
    data.database_secret,
    people.identity_is_fixed,
    people.boundaries,
    people.operator_sees_no_data,
    people.auditor_sees_no_contents,
    people.records_are_deleted_by_admins,
    people.models_are_promoted_by_approvers,
    people.personas_do_no_more,
    people.names_tell_the_team,
    people.personas_work,
    trust.trust_mfa,
    trust.trust_federation,
    trust.trust_services,
    trust.trust_tags,
    entrance.only_personas_call,
    entrance.private_api,
    entrance.own_network,
)


def prove(
    world: World,
    extra: Sequence[Invariant] = (),
    *,
    only: Collection[str] = (),
    meaning: Personas | None = None,
) -> tuple[Proof, ...]:
    """Return the verdict on every invariant that the stack has something of, and on those of ``extra``.

    ``only``: those with these ids. ``meaning``: what names of personas mean, where it is not what the built-in ones do.

    Raises:
        InputError: an id that no invariant has, or a document that lacks what invariants are about.
        ProofError: no verdict on an invariant; the message says on which, and what failed of the others.

    """
    chosen = _chosen((*INVARIANTS, *extra), only)
    judge = Judge(Stack(world, meaning or Personas()))
    proofs: list[Proof] = []
    undecided: list[str] = []
    for one in chosen:
        try:
            proof = judge.judge(one)
        except ProofError as error:
            undecided.append(f"{one.id}: no verdict: {error}")
            continue
        if proof is not None:
            proofs.append(proof)
    if undecided:
        failed = [one.invariant.id for one in proofs if one.outcome is Outcome.FAIL]
        raise ProofError("\n".join([*undecided, *([f"FAIL: {', '.join(failed)}"] if failed else [])]))
    return tuple(proofs)


def _chosen(known: Sequence[Invariant], only: Collection[str]) -> tuple[Invariant, ...]:
    names = [one.id for one in known]
    problems = []
    for name in only:
        if name not in names:
            meant = closest(name, names)
            fix = f'write "{meant}"' if meant else f"one of {', '.join(names)}"
            problems.append(Problem("--only", f'"{name}" is no invariant', fix))
    if problems:
        raise InputError(problems)
    return tuple(one for one in known if not only or one.id in only)


__all__ = [
    "INVARIANTS",
    "Ask",
    "Counterexample",
    "Invariant",
    "Must",
    "Never",
    "Outcome",
    "Personas",
    "Place",
    "Proof",
    "Severity",
    "Stack",
    "invariant",
    "prove",
]
