"""What the whole set of invariants costs, in one process on one core.

Usage: python -m benchmarks.proof [DOCUMENT]

Times are those of the processor. Imports and the reading of the document are told apart from the proofs. A pass of
the evaluator, every capability of every principal in every situation, is what their time is compared with.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import process_time

from gatehouse.access.invariants import prove
from gatehouse.access.matrix import matrix
from gatehouse.access.world import World
from gatehouse.document import read_document

DOCUMENT = Path("cdktf.out/stacks/dev/cdk.tf.json")
ROUNDS = 5


def main(arguments: list[str]) -> None:
    """Print seconds, questions and the ratio for one document."""
    path = Path(arguments[0]) if arguments else DOCUMENT
    start = process_time()
    World.of(read_document(path))
    reading = process_time() - start
    rounds = []
    for _ in range(ROUNDS):
        world = World.of(read_document(path))  # anew: nothing is kept from round to round
        start = process_time()
        proofs = prove(world)
        rounds.append(process_time() - start)
    start = process_time()
    matrix(world)
    once = process_time() - start
    seconds, slowest = min(rounds), max(proofs, key=lambda one: one.questions)
    print(f"{path}: {len(proofs)} invariants, {sum(one.questions for one in proofs)} questions")
    print(f"reading     {reading:.3f} s")
    print(f"proofs      {seconds:.3f} s, best of {ROUNDS}; worst {max(rounds):.3f} s")
    print(f"evaluator   {once:.3f} s for the access matrix; proofs take {seconds / once:.1f} times that")
    print(f"most questions: {slowest.invariant.id}, {slowest.questions}")


if __name__ == "__main__":
    main(sys.argv[1:])
