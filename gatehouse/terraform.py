"""``terraform validate`` on a synthesized document, in a work folder away from state and lock files."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from gatehouse.files import exclusive, write_atomic
from gatehouse.synth import DOCUMENT, WORK

#: Longest time for one `terraform init`, which may have to download the provider (about 150 MB).
INIT_SECONDS = 600.0
VALIDATE_SECONDS = 300.0
#: Set where the user has not: an unreachable registry is given up after seconds, not minutes.
_PATIENCE = {"TF_REGISTRY_CLIENT_TIMEOUT": "10", "TF_REGISTRY_DISCOVERY_RETRY": "1"}
#: What `terraform init` says when it cannot get a provider (Terraform 1.5 to 1.14).
_NO_PROVIDER = re.compile(r"(Failed to (query available|install) provider|Could not load plugin)")
_FRAME = re.compile(r"^[\s│╷╵]+|[\s│╷╵]+$")


class Outcome(StrEnum):
    """The verdict of a validation."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Diagnostic:
    """One error or warning of Terraform."""

    severity: str
    summary: str
    detail: str = ""
    address: str = ""

    def __str__(self) -> str:
        """Return ``error: ADDRESS: SUMMARY: DETAIL`` on one line."""
        parts = (self.severity, self.address, self.summary, " ".join(self.detail.split()))
        return ": ".join(part for part in parts if part)


@dataclass(frozen=True)
class Validation:
    """The verdict on one document; ``reason`` says why it was not run."""

    outcome: Outcome
    diagnostics: tuple[Diagnostic, ...] = ()
    reason: str = ""
    seconds: float = 0.0

    @property
    def warnings(self) -> int:
        """Number of warnings, deprecations among them."""
        return sum(one.severity == "warning" for one in self.diagnostics)


def validate(environment: str, document: Path, *, folder: Path = Path()) -> Validation:
    """Validate ``document`` with the terraform on the PATH and the provider it finds or downloads.

    Works in ``folder``/.gatehouse/terraform/ENVIRONMENT; never reads or writes state, and waits for another
    run that validates the same project. Nothing is raised for a bad document or a missing provider: both
    are outcomes.
    """
    terraform = shutil.which("terraform")
    if terraform is None:
        return Validation(Outcome.NOT_RUN, reason="terraform is not on the PATH")
    started = time.monotonic()
    work = (folder / WORK / "terraform" / environment).resolve()
    with exclusive(folder / WORK / "terraform.lock", seconds=INIT_SECONDS):
        write_atomic(work / DOCUMENT, document.read_bytes())
        found = _Terraform(terraform, work).validate()
    return Validation(found.outcome, found.diagnostics, found.reason, time.monotonic() - started)


def acceptable(validation: Validation, *, strict: bool) -> bool:
    """Return whether the verdict lets a run succeed; ``strict`` also wants it run, and without warnings."""
    if strict:
        return validation.outcome is Outcome.PASSED and not validation.warnings
    return validation.outcome is not Outcome.FAILED


@dataclass(frozen=True)
class _Terraform:
    binary: str
    work: Path

    def validate(self) -> Validation:
        try:
            refused = self._init()
            return refused if refused is not None else self._validate()
        except subprocess.TimeoutExpired as error:
            reason = f"terraform {error.cmd[1]} took more than {error.timeout:g} seconds"
            return Validation(Outcome.NOT_RUN, reason=reason)
        except OSError as error:
            return Validation(Outcome.NOT_RUN, reason=f"terraform does not start: {error.strerror or error}")

    def _init(self) -> Validation | None:
        """Return None if the work folder is ready, and the verdict if it cannot be made so."""
        arguments = ("init", "-backend=false", "-input=false", "-no-color")
        done = self._run(arguments, INIT_SECONDS)
        lock = self.work / ".terraform.lock.hcl"
        if done.returncode != 0 and lock.exists():
            lock.unlink()  # ours: it pins what an earlier document asked for
            done = self._run(arguments, INIT_SECONDS)
        if done.returncode == 0:
            return None
        summary, detail = _first_error(done.stderr)
        if _NO_PROVIDER.search(summary):
            return Validation(Outcome.NOT_RUN, reason=f"{summary}: {detail}")
        return Validation(Outcome.FAILED, (Diagnostic("error", summary, detail),))

    def _validate(self) -> Validation:
        done = self._run(("validate", "-json", "-no-color"), VALIDATE_SECONDS)
        try:
            report = json.loads(done.stdout)
            diagnostics = tuple(_diagnostic(one) for one in report["diagnostics"])
            valid = report["valid"] is True and not any(one.severity == "error" for one in diagnostics)
        except (ValueError, KeyError, TypeError):
            summary, detail = _first_error(done.stderr or done.stdout)
            return Validation(Outcome.FAILED, (Diagnostic("error", summary, detail),))
        return Validation(Outcome.PASSED if valid else Outcome.FAILED, diagnostics)

    def _run(self, arguments: Sequence[str], seconds: float) -> subprocess.CompletedProcess[str]:
        plugins = self.work.parent / "plugins"
        plugins.mkdir(parents=True, exist_ok=True)
        ours = {
            "TF_DATA_DIR": str(self.work / ".terraform"),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",  # no call home
        }
        # One download for all environments; the work folders' lock files are nobody's to keep.
        cache = {
            "TF_PLUGIN_CACHE_DIR": str(plugins),
            "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1",
        }
        return subprocess.run(  # noqa: S603 - the terraform of the PATH, with constant arguments
            [self.binary, *arguments],
            cwd=self.work,
            env={**_PATIENCE, **cache, **os.environ, **ours},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )


def _diagnostic(one: Any) -> Diagnostic:  # noqa: ANN401 - JSON; what is missing raises
    snippet = one.get("snippet") or {}
    return Diagnostic(
        severity=str(one["severity"]),
        summary=str(one["summary"]),
        detail=str(one.get("detail", "")),
        address=str(one.get("address") or snippet.get("context") or ""),
    )


def _first_error(output: str) -> tuple[str, str]:
    """Return the summary and the first paragraph of the first error in Terraform's text output."""
    paragraphs: list[list[str]] = [[]]
    for line in output.splitlines():
        text = _FRAME.sub("", line)
        if text:
            paragraphs[-1].append(text)
        elif paragraphs[-1]:
            paragraphs.append([])
    texts = [" ".join(lines) for lines in paragraphs if lines]
    for position, text in enumerate(texts):
        if text.startswith("Error: ") and "encountered problems during init" not in text:
            detail = texts[position + 1] if position + 1 < len(texts) else ""
            return text.removeprefix("Error: "), detail
    return "terraform failed", texts[0] if texts else "it said nothing"
