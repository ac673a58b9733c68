"""The request context: condition keys without case, each with the values that the request has for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Values of one key as given: a string, or strings for a multivalued key.
ContextValue = str | Sequence[str]

#: Global keys that AWS documents as multivalued; the prefix of request tags is not, each tag has one value.
MULTIVALUED = frozenset(
    {
        "aws:calledvia",
        "aws:principalorgpaths",
        "aws:principalservicenameslist",
        "aws:resourceorgpaths",
        "aws:sourceorgpaths",
        "aws:tagkeys",
    }
)


@dataclass(frozen=True)
class Variable:
    """A policy variable: its condition key in lower case, and what stands for a key without a value."""

    key: str
    default: str | None


@dataclass(frozen=True)
class Context:
    """Values by condition key in lower case. An empty tuple is a key without a value, which counts as absent."""

    values: Mapping[str, tuple[str, ...]]

    def get(self, key: str) -> tuple[str, ...]:
        """Return the values of ``key``, given in lower case; empty if the request has none.

        Source: IAM User Guide, "IAM JSON policy elements: Condition": key names are not case-sensitive.
        """
        return self.values.get(key, ())

    def variable(self, key: str) -> str | None:
        """Return what a policy variable of this key stands for, None if it has no value.

        Source: IAM User Guide, "IAM policy elements: Variables and tags": multivalued keys are no variables.
        """
        values = self.values.get(key, ())
        return values[0] if len(values) == 1 and key not in MULTIVALUED else None

    def of(self, variables: Sequence[Variable]) -> tuple[str | None, ...]:
        """Return what each variable stands for, with its default."""
        if not variables:
            return ()
        return tuple(
            [
                variable.default if (value := self.variable(variable.key)) is None else value
                for variable in variables
            ]
        )
