"""What the tests of the gate share: small documents of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Write = Callable[..., Path]
WITHOUT_CHECKOV = "test_published_"

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
    """Mark the tests of this folder, most of which import Checkov."""
    for item in items:
        if Path(__file__).parent in item.path.parents and not item.path.name.startswith(WITHOUT_CHECKOV):
            item.add_marker("checkov")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many mutations were caught: test_mutations.py leaves it in its reports."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    scores = [
        value
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == "mutations"
    ]
    if scores:
        caught, assigned, left = (sum(score[place] for score in scores) for place in range(3))
        terminalreporter.write_line(
            f"mutations: {caught} of {assigned} assigned to scan caught; {left} left to proof"
        )


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that writes the document, with other top-level blocks, as synthesis does, and returns its path."""

    def make(**blocks: object) -> Path:
        path = tmp_path / "cdk.tf.json"
        path.write_text(json.dumps({**DOCUMENT, **blocks}, indent=2), encoding="utf-8")
        return path

    return make
