"""Checkov's runner, made to tell what it saw. Importing this module imports Checkov, which takes seconds."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from checkov.common.graph.graph_builder.graph_components.attribute_names import CustomAttributes
from checkov.common.util.consts import START_LINE
from checkov.runner_filter import RunnerFilter
from checkov.terraform_json.runner import TerraformJsonRunner

if TYPE_CHECKING:
    from checkov.common.graph.checks_infra.base_check import BaseGraphCheck
    from checkov.common.output.record import Record
    from checkov.common.output.report import Report
    from checkov.common.typing import LibraryGraph, _CheckResult

FRAMEWORK = "terraform_json"
_INSTANCE = re.compile(r"\[[^\]]*\]$")
_BLOCKS = ("resource", "data")


@dataclass(frozen=True)
class Seen:
    """What Checkov has run over: addresses in each of its two stages, and the graph checks that crashed."""

    scanned: frozenset[str]
    graph: frozenset[str]
    crashed: tuple[str, ...]
    _by_line: Mapping[tuple[str, int], frozenset[str]]

    def addresses_of(self, record: Record) -> frozenset[str]:
        """Return what a record may speak of: Python checks name it BLOCK.NAME, graph checks TYPE.NAME."""
        name = _INSTANCE.sub("", str(record.resource))
        return self._by_line.get((name, record.file_line_range[0]), frozenset([name]))


class _Runner(TerraformJsonRunner):
    """Keeps which graph checks ended: one that raises is left out of the results without a word."""

    crashed: tuple[str, ...] = ()

    def run_graph_checks_results(
        self, runner_filter: RunnerFilter, report_type: str, graph: LibraryGraph | None = None
    ) -> dict[BaseGraphCheck, list[_CheckResult]]:
        results = super().run_graph_checks_results(runner_filter, report_type, graph)
        wanted = {
            check.id
            for check in self.graph_registry.checks
            if runner_filter.should_run_check(check, report_type=report_type)
        }
        self.crashed = tuple(sorted(wanted - {check.id for check in results}))
        return results


def run(path: str) -> tuple[list[Report], Seen]:
    """Run every check over one file, whose name ends in ``.tf.json``; whatever Checkov raises is raised."""
    runner = _Runner()
    report = runner.run(files=[path], runner_filter=RunnerFilter(framework=[FRAMEWORK]))
    reports = report if isinstance(report, list) else [report]
    graph = _graph_addresses(runner) if runner.definitions else frozenset()
    places = _by_line(runner.definitions.get(path, {}))
    scanned = frozenset(address for found in places.values() for address in found)
    return reports, Seen(scanned, graph, runner.crashed, places)


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
