"""The prover's formulas say of each request what the evaluator says, over the shipped stack."""

from __future__ import annotations

import json
from collections import Counter
from random import Random

import pytest

from gatehouse.access import evaluate
from gatehouse.access.proof import Prover
from gatehouse.access.proof.witness import describe
from gatehouse.access.world import World
from gatehouse.document import read_document
from tests.synth.proof_requests import Requests
from tests.synth.template import Template

BATCHES, REQUESTS = 250, 40


@pytest.fixture(scope="module")
def shipped(dev: Template, tmp_path_factory: pytest.TempPathFactory) -> World:
    path = tmp_path_factory.mktemp("proof") / "cdk.tf.json"
    path.write_text(json.dumps(dev.document), encoding="utf-8")
    return World.of(read_document(path))


def test_ten_thousand_requests_are_decided_as_the_evaluator_decides(shipped: World) -> None:
    requests, prover, asked = Requests(shipped, Random(5)), Prover(), Counter[bool]()
    for batch in requests.batches(BATCHES):
        (encoding,) = prover.encodings(batch.question)
        for _ in range(REQUESTS):
            request = requests.request(batch)
            expected = evaluate(request, batch.policies).allowed
            symbols = {"resource": request.resource.arn}
            assert prover.holds(encoding, request.facts, symbols) == expected, describe(request)
            asked[expected] += 1
    assert asked.total() == 10_000
    # Not only requests that everything denies.
    assert min(asked.values()) > 1_500, asked
