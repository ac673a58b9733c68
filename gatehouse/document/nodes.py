"""The syntax tree of Terraform's expressions, and what each node of it is worth.

Source: HCL Native Syntax Specification, "Expressions"; Terraform documentation, "Types and Values" (conversions).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gatehouse.document.values import ValueProblem, equal, kind, number, text, truth


class UnresolvedError(Exception):
    """What has no value in the document, whatever the values of other things are."""

    def __init__(self, problem: str, fix: str, reference: str = "") -> None:
        """Keep what is wrong, what to do, and the expression in which it is, if known already."""
        super().__init__(problem)
        self.problem, self.fix, self.reference = problem, fix, reference


class Members(Protocol):
    """What has attributes beyond those of a plain object: a resource."""

    def value(self, attribute: str) -> Any:  # noqa: ANN401 - JSON
        """Return the value of an attribute."""


class Scope(Protocol):
    """What an expression can refer to."""

    def lookup(self, names: tuple[str, ...]) -> Any:  # noqa: ANN401 - JSON or a resource
        """Return what a reference is to."""

    def function(self, name: str) -> Callable[..., Any]:
        """Return the function of a name."""


class Node(Protocol):
    """A part of an expression."""

    @abstractmethod
    def evaluate(self, scope: Scope) -> Any:  # noqa: ANN401 - JSON or a resource
        """Return the value.

        Raises:
            UnresolvedError: a reference or function that is not known.
            ValueProblem: values that do not fit each other.

        """


@dataclass(frozen=True)
class Literal(Node):
    """A value as written."""

    constant: Any

    def evaluate(self, scope: Scope) -> Any:  # noqa: ANN401, D102
        return self.constant


@dataclass(frozen=True)
class Interpolation(Node):
    """``${...}``; it says in which expression an error is."""

    inside: Node
    source: str

    def evaluate(self, scope: Scope) -> Any:  # noqa: ANN401, D102
        try:
            value = self.inside.evaluate(scope)
        except (UnresolvedError, ValueProblem) as error:
            error.reference = error.reference or self.source
            raise
        if kind(value) is None:
            raise UnresolvedError("it is a whole resource", "refer to one of its attributes", self.source)
        return value


@dataclass(frozen=True)
class Template(Node):
    """Text and interpolations, one after the other."""

    parts: tuple[Node, ...]

    def evaluate(self, scope: Scope) -> str:  # noqa: D102
        return "".join([_written(part, part.evaluate(scope)) for part in self.parts])


def _written(part: Node, value: object) -> str:
    try:
        return text(value)
    except ValueProblem as error:
        error.reference = part.source if isinstance(part, Interpolation) else ""
        raise


@dataclass(frozen=True)
class Reference(Node):
    """A variable, a local value, a resource or a data source."""

    names: tuple[str, ...]

    def evaluate(self, scope: Scope) -> Any:  # noqa: ANN401, D102
        return scope.lookup(self.names)


@dataclass(frozen=True)
class Attribute(Node):
    """``of.name``."""

    of: Node
    name: str

    def evaluate(self, scope: Scope) -> Any:  # noqa: ANN401, D102
        return member(self.of.evaluate(scope), self.name)


def member(value: Any, name: str) -> Any:  # noqa: ANN401 - JSON or a resource
    """Return the attribute of an object or resource."""
    if isinstance(value, Mapping):
        if name not in value:
            raise ValueProblem(f"there is no attribute {name}")
        return value[name]
    found = kind(value)
    if found is not None:
        raise ValueProblem(f"a {found} has no attribute {name}")
    return value.value(name)


@dataclass(frozen=True)
class Index(Node):
    """``of[key]``."""

    of: Node
    key: Node

    def evaluate(self, scope: Scope) -> Any:  # noqa: ANN401, D102
        value, key = self.of.evaluate(scope), self.key.evaluate(scope)
        if kind(value) is None:
            raise UnresolvedError("indexes a resource without count", "refer to one of its attributes")
        if isinstance(value, Mapping):
            return member(value, text(key))
        position = number(key)
        if not isinstance(value, list) or position != int(position) or not 0 <= position < len(value):
            raise ValueProblem(f"there is no index {text(key)}")
        return value[int(position)]


@dataclass(frozen=True)
class Splat(Node):
    """``of[*].name``: the attribute of every item."""

    of: Node
    names: tuple[str, ...]

    def evaluate(self, scope: Scope) -> list[Any]:  # noqa: D102
        value = self.of.evaluate(scope)
        items = value if isinstance(value, list) else [] if value is None else [value]
        for name in self.names:
            items = [member(item, name) for item in items]
        return list(items)


@dataclass(frozen=True)
class Call(Node):
    """A function of arguments; the last is a list of them if ``spread``."""

    name: str
    arguments: tuple[Node, ...]
    spread: bool = False

    def evaluate(self, scope: Scope) -> Any:  # noqa: ANN401, D102
        if self.name in ("can", "try"):
            return self._attempt(scope)
        function = scope.function(self.name)
        values = [one.evaluate(scope) for one in self.arguments]
        if self.spread:
            if not isinstance(values[-1], list):
                raise ValueProblem("only a list can be spread")
            values = [*values[:-1], *values[-1]]
        try:
            return function(*values)
        except ValueProblem as error:
            raise ValueProblem(f"{self.name}: {error}") from error
        except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
            raise ValueProblem(f"{self.name} does not take these arguments: {error}") from error

    def _attempt(self, scope: Scope) -> Any:  # noqa: ANN401 - JSON
        """Return what ``can`` and ``try`` do: they catch what values cause, not what the document lacks."""
        for one in self.arguments:
            try:
                value = one.evaluate(scope)
            except ValueProblem:
                continue
            return True if self.name == "can" else value
        if self.name == "can":
            return False
        raise ValueProblem("try: none of the expressions has a value")


@dataclass(frozen=True)
class Conditional(Node):
    """``condition ? yes : no``; only one of them is looked at."""

    condition: Node
    yes: Node
    no: Node

    def evaluate(self, scope: Scope) -> Any:  # noqa: ANN401, D102
        return (self.yes if truth(self.condition.evaluate(scope)) else self.no).evaluate(scope)


@dataclass(frozen=True)
class Unary(Node):
    """``!operand`` or ``-operand``."""

    operator: str
    operand: Node

    def evaluate(self, scope: Scope) -> Any:  # noqa: ANN401, D102
        value = self.operand.evaluate(scope)
        return not truth(value) if self.operator == "!" else -number(value)


@dataclass(frozen=True)
class Binary(Node):
    """``left operator right``."""

    operator: str
    left: Node
    right: Node

    def evaluate(self, scope: Scope) -> Any:  # noqa: ANN401, D102
        left, right = self.left.evaluate(scope), self.right.evaluate(scope)
        if self.operator in ("==", "!="):
            return equal(left, right) == (self.operator == "==")
        if self.operator in ("&&", "||"):
            both = (truth(left), truth(right))
            return all(both) if self.operator == "&&" else any(both)
        return _ARITHMETIC[self.operator](number(left), number(right))


def _quotient(left: float, right: float) -> float:
    if right == 0:
        raise ValueProblem("nothing can be divided by zero")
    return left // right if left % right == 0 else left / right


def _remainder(left: float, right: float) -> float:
    if right == 0:
        raise ValueProblem("nothing can be divided by zero")
    rest = abs(left) % abs(right)  # with the sign of the left operand, as in Go
    return rest if left >= 0 else -rest


_ARITHMETIC: Mapping[str, Callable[[float, float], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": _quotient,
    "%": _remainder,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


@dataclass(frozen=True)
class Items(Node):
    """``[a, b]``."""

    items: tuple[Node, ...]

    def evaluate(self, scope: Scope) -> list[Any]:  # noqa: D102
        return [item.evaluate(scope) for item in self.items]


@dataclass(frozen=True)
class ObjectItems(Node):
    """``{a = b}``."""

    items: tuple[tuple[Node, Node], ...]

    def evaluate(self, scope: Scope) -> dict[str, Any]:  # noqa: D102
        return {text(key.evaluate(scope)): value.evaluate(scope) for key, value in self.items}
