"""The gate: what was synthesized is judged by Checkov and by checks of our own, and every finding is a verdict.

A linter is a function from a synthesized document to its findings. Each finding stands under the id of a check; ours
are described in ``gatehouse/data/findings.yaml``, Checkov's by Checkov.
"""
