"""The program itself writes down what it made a document from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gatehouse import inputs
from tests.project import copy_project


def test_main_records_what_it_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_project(tmp_path)
    environment = {**os.environ, "GATEHOUSE_ENVIRONMENTS": "dev", "PYTHONPATH": str(tmp_path)}
    environment.pop("CDKTF_OUTDIR", None)
    subprocess.run(
        [sys.executable, "main.py"], cwd=tmp_path, env=environment, check=True, capture_output=True
    )
    document = Path("cdktf.out/stacks/dev/cdk.tf.json")
    record = json.loads((tmp_path / document).with_name(inputs.RECORD).read_text())
    assert {"main.py", "modules/stack.py", "gatehouse/policies.py", "templates/policies/api.json.j2"} <= set(
        record["program"]
    )
    assert "gatehouse/scan/gate.py" not in record["program"]  # what judges a document makes none

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inputs, "ROOT", tmp_path)
    inputs.check_current(document, "dev")
    with (tmp_path / "templates/policies/api.json.j2").open("a") as template:
        template.write("\n")
    with pytest.raises(inputs.StaleError, match=r"^templates/policies/api\.json\.j2 has changed since"):
        inputs.check_current(document, "dev")
