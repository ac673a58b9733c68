"""Checkov's runner, made to tell what it saw. Importing this module imports Checkov, which takes seconds."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checkov.common.graph.graph_builder.graph_components.attribute_names import CustomAttributes
from checkov.common.util.consts import START_LINE
from checkov.runner_filter import RunnerFilter
from checkov.terraform.checks.resource.registry import resource_registry
from checkov.terraform.plan_runner import Runner as TerraformPlanRunner
from checkov.terraform_json.runner import TerraformJsonRunner

if TYPE_CHECKING:
    from checkov.common.graph.checks_infra.base_check import BaseGraphCheck
    from checkov.common.graph.checks_infra.registry import BaseRegistry
    from checkov.common.output.record import Record
    from checkov.common.output.report import Report
    from checkov.common.typing import LibraryGraph, _CheckResult

FRAMEWORK, PLAN_FRAMEWORK = "terraform_json", "terraform_plan"
#: Our own checks, in the form in which plain Checkov takes them as well.
HOUSE_CHECKS = Path(__file__).parent / "house_checks"
_INSTANCE = re.compile(r"\[[^\]]*\]$")
_BLOCKS = ("resource", "data")


@dataclass(frozen=True)
class Seen:
    """What Checkov has run over: addresses in each of its two stages; how many graph checks, and which crashed."""

    scanned: frozenset[str]
    graph: frozenset[str]
    graph_checks: int
    crashed: tuple[str, ...]
    _by_line: Mapping[tuple[str, int], frozenset[str]]

    def addresses_of(self, record: Record) -> frozenset[str]:
        """Return what a record may speak of: Python checks name it BLOCK.NAME, graph checks TYPE.NAME."""
        name = _INSTANCE.sub("", str(record.resource))
        return self._by_line.get((name, record.file_line_range[0]), frozenset([name]))


@dataclass(frozen=True)
class _GraphChecks:
    """The ids of the graph checks that were to run, and of those that ended."""

    wanted: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        registry: BaseRegistry,
        runner_filter: RunnerFilter,
        report_type: str,
        results: Mapping[BaseGraphCheck, list[_CheckResult]],
    ) -> _GraphChecks:
        """Compare: a check that raises is left out of the results without a word."""
        checks = (
            one for one in registry.checks if runner_filter.should_run_check(one, report_type=report_type)
        )
        return cls(frozenset(check.id for check in checks), frozenset(check.id for check in results))

    @property
    def crashed(self) -> tuple[str, ...]:
        return tuple(sorted(self.wanted - self.ended))


class _Runner(TerraformJsonRunner):
    """Checkov's runner for Terraform's JSON; keeps which graph checks ended."""

    graph_checks = _GraphChecks()

    def run_graph_checks_results(
        self, runner_filter: RunnerFilter, report_type: str, graph: LibraryGraph | None = None
    ) -> dict[BaseGraphCheck, list[_CheckResult]]:
        results = super().run_graph_checks_results(runner_filter, report_type, graph)
        self.graph_checks = _GraphChecks.of(self.graph_registry, runner_filter, report_type, results)
        return results


class _PlanRunner(TerraformPlanRunner):
    """Checkov's runner for plans; keeps which graph checks ended."""

    graph_checks = _GraphChecks()

    def run_graph_checks_results(
        self, runner_filter: RunnerFilter, report_type: str, graph: LibraryGraph | None = None
    ) -> dict[BaseGraphCheck, list[_CheckResult]]:
        results = super().run_graph_checks_results(runner_filter, report_type, graph)
        self.graph_checks = _GraphChecks.of(self.graph_registry, runner_filter, report_type, results)
        return results


@cache
def load_house_checks() -> None:
    """Register our own checks with Checkov, once; what cannot be loaded Checkov logs as an error."""
    search_path = list(sys.path)
    resource_registry.load_external_checks(str(HOUSE_CHECKS))
    sys.path[:] = search_path


def registered(prefix: str) -> dict[str, str]:
    """Return the titles of the registered checks of resources by id, of those whose id starts with a prefix."""
    load_house_checks()
    return {
        check.id: check.name for _type, check in resource_registry.all_checks() if check.id.startswith(prefix)
    }


def run(path: str) -> tuple[list[Report], Seen]:
    """Run every check over one file, whose name ends in ``.tf.json``; whatever Checkov raises is raised."""
    load_house_checks()
    runner = _Runner()
    report = runner.run(files=[path], runner_filter=RunnerFilter(framework=[FRAMEWORK]))
    reports = report if isinstance(report, list) else [report]
    graph = _graph_addresses(runner) if runner.definitions else frozenset()
    places = _by_line(runner.definitions.get(path, {}))
    scanned = frozenset(address for found in places.values() for address in found)
    checks = runner.graph_checks
    return reports, Seen(scanned, graph, len(checks.wanted), checks.crashed, places)


def run_plan(path: str) -> tuple[list[Report], Seen]:
    """Run every check over a plan as JSON, whose name ends in ``.json``; whatever Checkov raises is raised."""
    runner = _PlanRunner()
    report = runner.run(files=[path], runner_filter=RunnerFilter(framework=[PLAN_FRAMEWORK]))
    reports = report if isinstance(report, list) else [report]
    graph = _planned_in_graph(runner) if runner.definitions else frozenset()
    scanned = frozenset(
        str(attributes[CustomAttributes.TF_RESOURCE_ADDRESS])
        for definition in (runner.definitions or {}).values()
        for block in _BLOCKS
        for entity in definition.get(block, [])
        for named in entity.values()
        for attributes in named.values()
    )
    checks = runner.graph_checks
    return reports, Seen(scanned, graph, len(checks.wanted), checks.crashed, {})


def _by_line(definition: Mapping[str, Any]) -> dict[tuple[str, int], frozenset[str]]:
    """Return the addresses by every name that a record may give them and the line on which they start."""
    places: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    for block in _BLOCKS:
        for entity in definition.get(block, []):
            for kind, named in entity.items():
                for name, attributes in named.items():
                    address = f"{kind}.{name}" if block == "resource" else f"{block}.{kind}.{name}"
                    for known in (f"{block}.{name}", f"{kind}.{name}", address):
                        places[known, attributes[START_LINE]].add(address)
    return {place: frozenset(found) for place, found in places.items()}


def _graph_addresses(runner: TerraformJsonRunner) -> frozenset[str]:
    nodes = [attributes for _index, attributes in runner.graph_manager.get_reader_endpoint().nodes()]
    return frozenset(
        _INSTANCE.sub("", str(node[CustomAttributes.ID]))
        for node in nodes
        if node[CustomAttributes.BLOCK_TYPE] in _BLOCKS
    )


def _planned_in_graph(runner: TerraformPlanRunner) -> frozenset[str]:
    nodes = [attributes for _index, attributes in runner.graph_manager.get_reader_endpoint().nodes()]
    return frozenset(
        str(node[CustomAttributes.TF_RESOURCE_ADDRESS])
        for node in nodes
        if node[CustomAttributes.BLOCK_TYPE] in _BLOCKS
    )


@dataclass(frozen=True)
class Known:
    """A check of Checkov as its registry has it; ``guideline`` is None where Checkov ships none."""

    id: str
    title: str
    resources: tuple[str, ...]
    source: str
    guideline: str | None


def known(check_id: str) -> Known | None:
    """Return what Checkov says of one of its checks for Terraform."""
    runner = _Runner()
    for registry in runner.block_type_registries.values():
        check = registry.get_check_by_id(check_id)
        if check is not None:
            entities = tuple(sorted(map(str, check.supported_entities)))
            return Known(check.id, check.name, entities, type(check).__module__, check.guideline)
    runner.graph_registry.load_checks()
    for one in runner.graph_registry.checks:
        if one.id == check_id:
            return Known(one.id, one.name, tuple(sorted(one.resource_types)), "", one.guideline)
    return None
