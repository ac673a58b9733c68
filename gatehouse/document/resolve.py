"""References to values: what the document says, what AWS makes, and what is set for the world outside."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gatehouse.document.computed import GENERATED, ByValue, row
from gatehouse.document.expressions import parse_template
from gatehouse.document.functions import FUNCTIONS
from gatehouse.document.nodes import Node, UnresolvedError
from gatehouse.document.resource import META_ARGUMENTS, Resource
from gatehouse.document.values import ValueProblem, number, text, truth
from gatehouse.errors import InputError, Problem

_FIELD = re.compile(r"\{(\w+)\}")
_SUFFIXES = {"aws-cn": "amazonaws.com.cn"}
_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {"string": text, "number": number, "bool": truth}
_MISSING = object()


@dataclass(frozen=True)
class Source:
    """What a document says and what is set for it.

    ``providers`` are the blocks of the AWS provider by ``aws`` and ``aws.ALIAS``. ``line_of`` finds the line of an
    attribute. ``is_plan``: values are final, and ``unknown`` are those, by address, that only apply finds out.
    """

    file: str
    account: str
    region: str
    partition: str
    variables: Mapping[str, Any]
    given: Mapping[str, Any]
    local_values: Mapping[str, Any]
    line_of: Callable[[str, str], int | None]
    providers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    is_plan: bool = False
    unknown: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Resolver:
    """Values of one document, each found once."""

    def __init__(self, source: Source) -> None:
        """Start without resources; :meth:`add` them before anything is resolved."""
        self.source = source
        self._resources: dict[tuple[str, ...], Resource] = {}
        self._trees: dict[str, Node] = {}
        self._values: dict[tuple[str, str], Any] = {}
        self._open: dict[tuple[str, str], None] = {}

    def add(self, resource: Resource) -> None:
        """Let expressions refer to a resource."""
        self._resources[tuple(resource.address.split("."))] = resource

    def given(self, resource: Resource, attribute: str) -> Any:  # noqa: ANN401 - JSON
        """Return an attribute that the document gives."""
        return self._once(resource.address, attribute, lambda: self._plain(resource.body[attribute]))

    def value(self, resource: Resource, attribute: str) -> Any:  # noqa: ANN401 - JSON
        """Return an attribute that the document gives, or else what is known of it."""
        if attribute not in META_ARGUMENTS and resource.body.get(attribute) is not None:
            found = self.given(resource, attribute)
            if found is not None:
                return found
        return self._once(resource.address, f"{attribute}*", lambda: self._computed(resource, attribute))

    def resolve(self, address: str, attribute: str, raw: Any) -> Any:  # noqa: ANN401 - JSON
        """Return the value of anything else in the document: an output, a local value."""
        return self._once(address, attribute, lambda: self._plain(raw))

    def lookup(self, names: tuple[str, ...]) -> Any:  # noqa: ANN401 - JSON or a resource
        """Return what an expression refers to (:class:`~gatehouse.document.nodes.Scope`)."""
        if names[0] == "var":
            return self._variable(names[1])
        if names[0] == "local":
            return self._local(names[1])
        resource = self._resources.get(names)
        if resource is None:
            there = [".".join(one) for one in self._resources]
            raise UnresolvedError(
                f"there is no {'.'.join(names)}",
                _meant(".".join(names), there, "declare it, or refer to another"),
            )
        return resource

    def function(self, name: str) -> Callable[..., Any]:
        """Return a function of Terraform (:class:`~gatehouse.document.nodes.Scope`)."""
        found = FUNCTIONS.get(name)
        if found is None:
            raise UnresolvedError(f"the function {name} is not known here", "write its result out")
        return found

    def refused(self, address: str, attribute: str, problem: str, fix: str) -> InputError:
        """Return the error that names a place in the document."""
        line = self.source.line_of(address, attribute)
        place = f"{address}.{attribute}" if attribute else address
        return InputError([Problem(self.source.file, problem, fix, line=line, field=place)])

    def _once(self, address: str, attribute: str, find: Callable[[], Any]) -> Any:  # noqa: ANN401 - JSON
        key = (address, attribute)
        found = self._values.get(key, _MISSING)
        if found is _MISSING:
            with self._explained(key):
                found = self._values[key] = find()
        return found

    @contextmanager
    def _explained(self, key: tuple[str, str]) -> Iterator[None]:
        """Name the place of what cannot be resolved inside, and refuse what needs itself."""
        address, attribute = key[0], key[1].rstrip("*")
        if key in self._open:
            way = " -> ".join(".".join(one).rstrip("*") for one in [*self._open, key])
            raise self.refused(address, attribute, f"refers to itself: {way}", "break the circle")
        self._open[key] = None
        try:
            yield
        except (UnresolvedError, ValueProblem) as error:
            if attribute != key[1] and len(self._open) > 1:
                raise  # of a computed attribute, the place to name is where it is referred to
            fix = (
                error.fix if isinstance(error, UnresolvedError) else "see that the values fit the expression"
            )
            reference = f"{error.reference} cannot be resolved: " if error.reference else ""
            raise self.refused(address, attribute, f"{reference}{error}", fix) from error
        finally:
            del self._open[key]

    def _plain(self, raw: Any) -> Any:  # noqa: ANN401 - JSON
        if self.source.is_plan:
            return raw
        if isinstance(raw, str):
            if "${" not in raw and "%{" not in raw:
                return raw
            return parse_template(raw, self._trees).evaluate(self)
        if isinstance(raw, Mapping):
            if "dynamic" in raw and isinstance(raw["dynamic"], Mapping | list):
                raise UnresolvedError("has a dynamic block", "write the blocks out, as synthesis does")
            return {text(self._plain(key)): self._plain(value) for key, value in raw.items() if key != "//"}
        return [self._plain(item) for item in raw] if isinstance(raw, list) else raw

    def _variable(self, name: str) -> Any:  # noqa: ANN401 - JSON
        declared = self.source.variables
        if name not in declared:
            raise UnresolvedError(
                f"there is no variable {name}", _meant(name, declared, "declare it, or refer to another")
            )
        if name in self.source.given:
            value = self.source.given[name]
        elif "default" in declared[name]:
            value = declared[name]["default"]
        else:
            raise UnresolvedError(f"the variable {name} has no default", f"give a value for {name}")
        convert = _CONVERSIONS.get(str(declared[name].get("type", "")))
        return convert(value) if convert and value is not None else value

    def _local(self, name: str) -> Any:  # noqa: ANN401 - JSON
        there = self.source.local_values
        if name not in there:
            raise UnresolvedError(
                f"there is no local value {name}", _meant(name, there, "declare it, or refer to another")
            )
        return self.resolve("local", name, there[name])

    def _computed(self, resource: Resource, attribute: str) -> Any:  # noqa: ANN401 - JSON
        if attribute == "tags_all":
            return {**self._default_tags(resource), **(resource.attributes.get("tags") or {})}
        kind = f"data.{resource.type}" if resource.address.startswith("data.") else resource.type
        known = row(kind)
        if attribute in known:
            return self._filled(resource, known[attribute])
        if attribute in GENERATED:
            prefix = resource.attributes.get(GENERATED[attribute]) or "terraform-"
            return f"{prefix}{resource.name}"
        if attribute in self.source.unknown.get(resource.address, ()):
            raise UnresolvedError(
                f"{resource.address}.{attribute} is known only after apply", "judge the synthesized document"
            )
        raise UnresolvedError(
            f"nothing is known of {resource.address}.{attribute}",
            "write its value out" if known else f"write its value out; no attribute of {kind} is known",
        )

    def _filled(self, resource: Resource, value: Any) -> Any:  # noqa: ANN401 - JSON
        """Return a value of the table with its words replaced."""
        if isinstance(value, str):
            return _FIELD.sub(lambda found: self._word(resource, found[1]), value)
        if isinstance(value, ByValue):
            chosen = text(resource.value(value.attribute))
            if chosen not in value.values:
                raise UnresolvedError(
                    f"{chosen} is no {value.attribute}", f"one of {', '.join(value.values)}"
                )
            return self._filled(resource, value.values[chosen])
        if isinstance(value, Mapping):
            return {key: self._filled(resource, item) for key, item in value.items()}
        return [self._filled(resource, item) for item in value] if isinstance(value, list) else value

    def _word(self, resource: Resource, word: str) -> str:
        source = self.source
        if word == "region":
            return self.region_of(resource)
        words = {
            "account": source.account,
            "label": resource.name,
            "partition": source.partition,
            "suffix": _SUFFIXES.get(source.partition, "amazonaws.com"),
        }
        return words[word] if word in words else text(resource.value(word))

    def region_of(self, resource: Resource) -> str:
        """Return the region in which a resource is: that of its provider."""
        name = _provider(resource)
        if name == "aws":
            return self.source.region
        return text(self._provider_value(name, "region"))

    def _default_tags(self, resource: Resource) -> dict[str, Any]:
        if "default_tags" not in self.source.providers.get(_provider(resource), {}):
            return {}
        blocks = self._provider_value(_provider(resource), "default_tags")
        listed = blocks if isinstance(blocks, list) else [blocks]
        return {key: value for block in listed for key, value in (block.get("tags") or {}).items()}

    def _provider_value(self, name: str, attribute: str) -> Any:  # noqa: ANN401 - JSON
        body = self.source.providers.get(name, {})
        if attribute not in body:
            raise UnresolvedError(f"the provider {name} has no {attribute}", "write it in the provider block")
        return self.resolve(f"provider.{name}", attribute, body[attribute])


def _provider(resource: Resource) -> str:
    return str(resource.body.get("provider", "aws"))


def _meant(name: str, there: Mapping[str, Any] | list[str], otherwise: str) -> str:
    from gatehouse.problems import closest  # noqa: PLC0415 - pydantic's import takes longer than the whole reading

    near = closest(name, there)
    return f"write {near} if that was meant" if near else otherwise
