"""Checkov, in this process, over one document or plan: every failed check as a finding, or no verdict at all.

Checkov 3.3 ends well where it has seen nothing: a file that it cannot parse, a resource that it drops and a graph
check that raises are no findings of its own (bridgecrewio/checkov#7454). Here each is an error, as is whatever
Checkov logs as one. Nothing is fetched: Checkov's platform is not asked. No variable of the environment has a say.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatehouse.document.source import COMMENT, check_blocks, read_json
from gatehouse.errors import InputError
from gatehouse.scan.findings import Finding, ScanError, shipped_checks
from gatehouse.scan.plan import Plan, without_instances

if TYPE_CHECKING:
    from checkov.common.output.record import Record
    from checkov.common.output.report import Report

    from gatehouse.scan.checkov_runner import Known, Seen

#: What Checkov opens in this framework; it leaves any other file out without a word.
SUFFIX, PLAN_SUFFIX = ".tf.json", ".json"
#: Ids of our own checks that Checkov runs.
HOUSE_PREFIX = "GH2"
#: Environment variables that change what Checkov does.
_SETTINGS = ("CHECKOV_", "CKV_", "EVAL_TF_PLAN", "BC_", "PRISMA_", "LOG_LEVEL", "PYCHARM_HOSTED")
_MOST_NAMED = 5
_INSTALLED = (
    "Fix: see whether the installed Checkov is the one in requirements/run.txt, and whether `terraform validate` "
    "takes the document"
)


@dataclass(frozen=True)
class Scanned:
    """What Checkov found in one document, sorted, and how many checks passed."""

    findings: tuple[Finding, ...]
    passed: int


def read_document(path: Path) -> dict[str, Any]:
    """Return the Terraform JSON in a file.

    Raises:
        ScanError: there is none, it is not JSON, or it holds no resources in the form that synthesis writes.

    """
    try:
        document, _ = read_json(path)
        check_blocks(path, document)
    except InputError as error:
        raise ScanError(str(error)) from None
    return document


def addresses(document: Mapping[str, Any]) -> set[str]:
    """Return the address of every resource in a document."""
    return {
        f"{kind}.{name}" for kind, named in document["resource"].items() for name in named if name != COMMENT
    }


def scan(path: Path) -> Scanned:
    """Run every check of Checkov over the document in a file.

    Raises:
        ScanError: the document cannot be read or parsed, no check ran, a resource was not seen, or Checkov failed.

    """
    if not path.name.endswith(SUFFIX):
        raise ScanError(f"{path}: Checkov reads no such file. Fix: give it a name that ends in {SUFFIX}")
    expected = addresses(read_document(path))
    with _failures_raised(str(path)):
        from gatehouse.scan.checkov_runner import registered, run  # noqa: PLC0415 - Checkov's import takes seconds

        _check_loaded(path, registered(HOUSE_PREFIX))
        reports, seen = run(str(path))
        return _scanned(path, expected, reports, seen)


def scan_plan(plan: Plan) -> Scanned:
    """Run every check of Checkov's own over a plan; the findings' addresses are those of the configuration.

    Raises:
        ScanError: as for a document.

    """
    path = plan.path
    if path.suffix != PLAN_SUFFIX:
        raise ScanError(f"{path}: Checkov reads no such plan. Fix: give it a name that ends in {PLAN_SUFFIX}")
    with _failures_raised(str(path)):
        from gatehouse.scan.checkov_runner import registered, run_plan  # noqa: PLC0415 - Checkov's import takes seconds

        _check_loaded(path, registered(HOUSE_PREFIX))
        reports, seen = run_plan(str(path))
        found = _scanned(path, set(plan.resources), reports, seen)
    # Our own checks are of references, which a plan has lost; they have judged the document.
    theirs = (one for one in found.findings if not one.check.startswith(HOUSE_PREFIX))
    of_configuration = {replace(one, address=without_instances(one.address)) for one in theirs}
    return Scanned(tuple(sorted(of_configuration)), found.passed)


def explain(check_id: str) -> Known | None:
    """Return what Checkov says of one of its checks; None if it has none of this id."""
    with _failures_raised(check_id):
        from gatehouse.scan.checkov_runner import known  # noqa: PLC0415 - Checkov's import takes seconds

        return known(check_id)


def _check_loaded(path: Path, titles: Mapping[str, str]) -> None:
    missing = [check for check in shipped_checks() if check.startswith(HOUSE_PREFIX) and check not in titles]
    if missing:
        raise ScanError(f"{path}: checks of our own were not loaded: {', '.join(missing)}. {_INSTALLED}")


def _scanned(path: Path, expected: set[str], reports: list[Report], seen: Seen) -> Scanned:
    """Return what was found, once it is sure that all of it was looked at."""
    _check_parsed(path, reports)
    _check_seen(path, expected, seen)
    _check_ran(path, reports, seen)
    findings = {_finding(record, seen) for report in reports for record in report.failed_checks}
    return Scanned(tuple(sorted(findings)), sum(len(report.passed_checks) for report in reports))


def _check_parsed(path: Path, reports: list[Report]) -> None:
    if any(report.parsing_errors for report in reports):
        raise ScanError(
            f"{path}: Checkov cannot parse it, so nothing was checked. Fix: see that in every top-level block each "
            "name has an object; required_version in the block terraform has none"
        )


def _check_seen(path: Path, expected: set[str], seen: Seen) -> None:
    for unseen in (sorted(expected - seen.scanned), sorted(expected - seen.graph)):
        if unseen:
            more = f" and {len(unseen) - _MOST_NAMED} more" if len(unseen) > _MOST_NAMED else ""
            raise ScanError(
                f"{path}: Checkov did not see {', '.join(unseen[:_MOST_NAMED])}{more}, so no check was made of it. "
                "Fix: see that its type and name are words and its attributes an object"
            )


def _check_ran(path: Path, reports: list[Report], seen: Seen) -> None:
    if not seen.graph_checks:
        raise ScanError(f"{path}: no graph check of Checkov has run over it. {_INSTALLED}")
    if seen.crashed:
        raise ScanError(
            f"{path}: checks of Checkov ended with an error of their own: {', '.join(seen.crashed)}. {_INSTALLED}"
        )
    skipped = sorted(
        {f"{one.check_id} of {one.resource}" for report in reports for one in report.skipped_checks}
    )
    if skipped:
        raise ScanError(
            f"{path}: Checkov skipped {', '.join(skipped[:_MOST_NAMED])}. Fix: waive it in waivers.yaml instead"
        )
    if not any(report.passed_checks or report.failed_checks for report in reports):
        raise ScanError(
            f"{path}: Checkov has no check for anything in it. Fix: see that it holds AWS resources"
        )


def _finding(record: Record, seen: Seen) -> Finding:
    found = sorted(seen.addresses_of(record))
    if len(found) != 1:
        raise ScanError(
            f"{record.check_id} failed for {record.resource}, which may be any of {', '.join(found)}. "
            "Fix: write the document with one attribute a line, as synthesis does"
        )
    keys = record.check_result.get("evaluated_keys") or []
    # A graph check names the type it looks for among the attributes.
    names = [str(key).replace("/[0]", "").strip("/") for key in keys if key != "resource_type"]
    place = ", ".join(sorted(set(names)))
    return Finding(record.check_id, found[0], str(record.check_name), place)


class _Errors(logging.Handler):
    """Keeps what is logged as an error: Checkov goes on after some of them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            self.messages.append(record.getMessage())


@contextmanager
def _failures_raised(what: str) -> Iterator[None]:
    """Raise ScanError for whatever goes wrong inside; what Checkov would print is not printed."""
    errors = _Errors()
    settings = {name: value for name, value in os.environ.items() if name.startswith(_SETTINGS)}
    root = logging.getLogger()
    root.addHandler(errors)
    try:
        for name in settings:
            del os.environ[name]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ScanError:
        raise
    except (Exception, SystemExit) as error:
        said = errors.messages[-1:] or [str(error) or type(error).__name__]
        raise ScanError(f"{what}: Checkov failed: {type(error).__name__}: {said[0]}. {_INSTALLED}") from error
    finally:
        root.removeHandler(errors)
        os.environ.update(settings)
    if errors.messages:
        raise ScanError(f"{what}: Checkov went on after an error: {errors.messages[0]}. {_INSTALLED}")
