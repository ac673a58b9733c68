"""The verdicts of ``gatehouse check`` on an environment that was synthesized, beside the scan: access and network."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO

from gatehouse.access.invariants import Outcome
from gatehouse.access.invariants.outputs import as_text
from gatehouse.access.world import World
from gatehouse.access_cli import proofs_of
from gatehouse.declared import without_egress
from gatehouse.environment_file import ENVIRONMENTS, load_environments
from gatehouse.named_document import read_named
from gatehouse.reachability.report import print_report, report_on, summary
from gatehouse.report import console


@dataclass(frozen=True)
class Step:
    """One verdict: what was asked of which environment, whether it holds, a line on it, and the whole of it."""

    name: str
    sound: bool
    told: str
    whole: str
    seconds: float


def prove_access(environment: str) -> Step:
    """Return the verdict on who can do what, as ``gatehouse access prove`` has it.

    Raises:
        InputError: the document or the environment file has mistakes.
        ProofError: there is no verdict.

    """
    started = time.monotonic()
    proofs = proofs_of(World.of(read_named(environment)), environment)
    failed = sum(one.outcome is Outcome.FAIL for one in proofs)
    told = f"{len(proofs) - failed} invariants proved, {failed} might not hold"
    whole = as_text(environment, proofs)
    return Step(f"prove {environment}", not failed, told, whole, time.monotonic() - started)


def prove_network(environment: str) -> Step:
    """Return the verdict on who can open a connection to whom, as ``gatehouse network`` has it.

    The environment file says whether a way out is wanted.

    Raises:
        InputError: the environment file has mistakes, something cannot be resolved, or is of a type that is not
            modelled.

    """
    started = time.monotonic()
    (settings,) = load_environments(ENVIRONMENTS, [environment])
    report = report_on(read_named(environment), no_egress=without_egress(settings))
    whole = StringIO()
    print_report(console(whole), report)
    told = summary(report).partition(", ")[2]
    return Step(f"network {environment}", report.sound, told, whole.getvalue(), time.monotonic() - started)


#: In the order in which they are asked.
STEPS: tuple[Callable[[str], Step], ...] = (prove_access, prove_network)
