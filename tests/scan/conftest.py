"""What the tests of the gate share: small documents of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Write = Callable[..., Path]

#: A bucket that Checkov has much to say about, and a network interface of which it knows nothing.
DOCUMENT: dict[str, Any] = {
    "provider": {"aws": [{"region": "eu-west-1"}]},
    "resource": {
        "aws_s3_bucket": {"open": {"//": {"metadata": {"path": "a/open"}}, "bucket": "open"}},
        "aws_lb": {"open": {"load_balancer_type": "network", "internal": True}},
        "aws_network_interface": {"plain": {"subnet_id": "subnet-1"}},
    },
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder: each imports Checkov."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("checkov")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that writes the document, with other top-level blocks, as synthesis does, and returns its path."""

    def make(**blocks: object) -> Path:
        path = tmp_path / "cdk.tf.json"
        path.write_text(json.dumps({**DOCUMENT, **blocks}, indent=2), encoding="utf-8")
        return path

    return make
