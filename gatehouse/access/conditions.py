"""The Condition element: every operator of the policy language, and nothing else."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import chain
from operator import eq, ge, gt, le, lt
from typing import Any

from gatehouse.access.context import Context, Variable
from gatehouse.access.pattern import (
    Grammar,
    PatternError,
    Patterns,
    tokens,
)

#: Whether one value of the request fits one value of the policy.
Matcher = Callable[[str, Context], bool]
#: Makes the matcher of one value of the policy; ``variables`` if its Version has policy variables.
Maker = Callable[[str, bool], Matcher]

#: Values for which the answer of a condition is kept.
_KEPT = 256
_OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?")
_BOOLEANS = ("true", "false")
#: W3C's profile of ISO 8601, which is what AWS takes: a year, a month, a day, or a moment with a time zone.
_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?(Z|[+-]\d\d:?\d\d))?)?)?"
)


class ConditionError(ValueError):
    """An operator or value that is none; the message is what is wrong and the fix."""


@dataclass(frozen=True)
class Condition:
    """One operator with one key and its values.

    ``quantifier`` is ``ForAllValues``, ``ForAnyValue`` or empty; ``key`` is in lower case. ``operator`` is the
    bare name and ``values`` are as written; ``variables`` if they may hold policy variables.
    """

    key: str
    matchers: tuple[Matcher, ...]
    quantifier: str
    negated: bool
    if_exists: bool
    is_null: bool
    operator: str
    values: tuple[str, ...]
    variables: bool
    _variables: tuple[Variable, ...] = field(repr=False)
    _known: dict[object, bool] = field(default_factory=dict, repr=False, compare=False)

    def holds(self, context: Context) -> bool:
        """Whether the request meets it; the answer is kept for the values that it depends on."""
        given = context.values.get(self.key, ())
        asked = (given, context.of(self._variables)) if self._variables else given
        found = self._known.get(asked)
        if found is None:
            if len(self._known) == _KEPT:
                self._known.clear()
            found = self._known[asked] = self._judged(given, context)
        return found

    def _judged(self, values: tuple[str, ...], context: Context) -> bool:
        """Decide by the values of the key.

        A key with several values and no ForAllValues or ForAnyValue, which AWS calls an error without saying
        what it does, is taken to match with any of them; the negated operator is the exact opposite.

        Source: IAM User Guide, "IAM JSON policy elements: Condition operators" (a missing key, IfExists,
        Null), "Single-valued vs. multivalued context keys" (ForAllValues, ForAnyValue) and "Conditions with
        multiple context keys or values" (one of the values; none of them for a negated operator).
        """
        if self.is_null:
            return self._holds_for_presence("false" if values else "true", context)
        if not values or (self.quantifier and values == ("",)):
            return self._holds_without_value()
        if self.quantifier == "ForAllValues":
            return all(self._fits(value, context) != self.negated for value in values)
        if self.quantifier == "ForAnyValue":
            return any(self._fits(value, context) != self.negated for value in values)
        return any(self._fits(value, context) for value in values) != self.negated

    def _holds_for_presence(self, is_absent: str, context: Context) -> bool:
        """Whether Null is met; with a quantifier it does not look at the key at all.

        Source: IAM User Guide, "Access Analyzer policy check reference", "Null with qualifier".
        """
        return self.quantifier == "ForAllValues" if self.quantifier else self._fits(is_absent, context)

    def _holds_without_value(self) -> bool:
        if self.if_exists or self.quantifier == "ForAllValues":
            return True
        return self.negated and not self.quantifier

    def _fits(self, value: str, context: Context) -> bool:
        return any(matcher(value, context) for matcher in self.matchers)


def parse_condition(operator: str, key: str, values: Any, *, variables: bool) -> Condition:  # noqa: ANN401
    """Return the condition written as ``{operator: {key: values}}``.

    Source: IAM User Guide, "Grammar of the IAM JSON policy language".

    Raises:
        ConditionError: no operator, no condition key, or a value that the operator cannot compare with.

    """
    found = _OPERATOR.fullmatch(operator)
    quantifier, name, if_exists = (found[1] or "", found[2], bool(found[3])) if found else ("", "", False)
    if name not in OPERATORS or (name == "Null" and if_exists):
        raise ConditionError(f"{operator} is no condition operator")
    if not re.fullmatch(r"[^:]+:.+", key):
        raise ConditionError(f"{operator}: {key!r} is no condition key. Fix: such as aws:SourceIp")
    listed = values if isinstance(values, list | tuple) else [values]
    negated, maker = OPERATORS[name]
    try:
        texts = tuple(map(_text, listed))
        parts = chain.from_iterable(tokens(text, variables=variables, wildcards=False) for text in texts)
        found_variables = tuple(dict.fromkeys(part for part in parts if isinstance(part, Variable)))
        matchers = tuple(maker(text, variables) for text in texts)
    except PatternError as error:
        raise ConditionError(f"{operator}: {key}: a value {error}") from error
    except ConditionError as error:
        raise ConditionError(f"{operator}: {key}: {error}") from error
    return Condition(
        key=key.lower(),
        matchers=matchers,
        quantifier=quantifier,
        negated=negated,
        if_exists=if_exists,
        is_null=name == "Null",
        operator=name,
        values=texts,
        variables=variables,
        _variables=found_variables,
    )


def _text(value: object) -> str:
    """Return a value as text: quotation marks are optional around numbers and Booleans."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ConditionError(f"{value!r} is no string, number or Boolean")


def _pattern(grammar: Grammar, *, wildcards: bool) -> Maker:
    """Return the maker of string and ARN operators, which alone take policy variables.

    Source: IAM User Guide, "IAM policy elements: Variables and tags", "Condition element".
    """

    def maker(text: str, variables: bool) -> Matcher:
        return Patterns([tokens(text, variables=variables, wildcards=wildcards)], grammar).match

    return maker


def _boolean(text: str, variables: bool) -> Matcher:
    """Compare with "true" or "false", in any case: Bool and Null.

    A policy variable is refused: "Variables and tags" and Access Analyzer say so, the page on operators does not.

    Source: IAM User Guide, "IAM JSON policy elements: Condition operators", "Boolean condition operators" and
    "Condition operator to check existence of condition keys".
    """
    wanted = text.lower()
    if wanted not in _BOOLEANS:
        raise ConditionError(f"{text!r} is not true or false")
    return lambda value, _: value.lower() == wanted


def _compared(read: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Maker:
    """Return the maker of an operator that compares what ``read`` makes of both sides.

    A value of the request that is of another type fits nothing.
    """

    def maker(text: str, variables: bool) -> Matcher:
        wanted = read(text)

        def matcher(value: str, _: Context) -> bool:
            try:
                return compare(read(value), wanted)
            except ConditionError:
                return False

        return matcher

    return maker


def _number(text: str) -> Decimal:
    """Return an integer or decimal. Source: as above, "Numeric condition operators"."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        raise ConditionError(f"{text!r} is no number") from None
    if not number.is_finite():
        raise ConditionError(f"{text!r} is no number")
    return number


def _moment(text: str) -> datetime:
    """Return a date, in UTC unless it says otherwise, or seconds since 1970; four digits are a year.

    Source: as above, "Date condition operators".
    """
    found = _DATE.fullmatch(text.strip())
    try:
        if found is None:
            return datetime.fromtimestamp(float(_number(text)), UTC)
        year, month, day, hour, minute, second, fraction, zone = found.groups()
        moment = f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}"
        return datetime.fromisoformat(f"{moment}.{(fraction or '0').ljust(6, '0')}{zone or 'Z'}")
    except (ValueError, OverflowError, OSError):
        raise ConditionError(f"{text!r} is no date. Fix: such as 2030-01-31T00:00:00Z") from None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Return an address or a range of either version; without a prefix it is one address.

    Source: as above, "IP address condition operators".
    """
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ConditionError(f"{text!r} is no address or CIDR range") from None


def _within(
    inner: ipaddress.IPv4Network | ipaddress.IPv6Network, outer: ipaddress.IPv4Network | ipaddress.IPv6Network
) -> bool:
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network):
        return inner.subnet_of(outer)
    return False


def _bytes(text: str) -> bytes:
    """Return what base64 stands for. Source: as above, "Binary condition operators"."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ConditionError(f"{text!r} is not base64") from None


_EXACT, _LIKE = _pattern(Grammar.TEXT, wildcards=False), _pattern(Grammar.TEXT, wildcards=True)
_ANY_CASE, _ARN = _pattern(Grammar.ANY_CASE, wildcards=False), _pattern(Grammar.ARN, wildcards=True)

#: Every operator: whether it is negated, and what compares its values. ArnEquals is ArnLike.
OPERATORS: dict[str, tuple[bool, Maker]] = {
    "StringEquals": (False, _EXACT),
    "StringNotEquals": (True, _EXACT),
    "StringEqualsIgnoreCase": (False, _ANY_CASE),
    "StringNotEqualsIgnoreCase": (True, _ANY_CASE),
    "StringLike": (False, _LIKE),
    "StringNotLike": (True, _LIKE),
    "NumericEquals": (False, _compared(_number, eq)),
    "NumericNotEquals": (True, _compared(_number, eq)),
    "NumericLessThan": (False, _compared(_number, lt)),
    "NumericLessThanEquals": (False, _compared(_number, le)),
    "NumericGreaterThan": (False, _compared(_number, gt)),
    "NumericGreaterThanEquals": (False, _compared(_number, ge)),
    "DateEquals": (False, _compared(_moment, eq)),
    "DateNotEquals": (True, _compared(_moment, eq)),
    "DateLessThan": (False, _compared(_moment, lt)),
    "DateLessThanEquals": (False, _compared(_moment, le)),
    "DateGreaterThan": (False, _compared(_moment, gt)),
    "DateGreaterThanEquals": (False, _compared(_moment, ge)),
    "Bool": (False, _boolean),
    "BinaryEquals": (False, _compared(_bytes, eq)),
    "IpAddress": (False, _compared(_network, _within)),
    "NotIpAddress": (True, _compared(_network, _within)),
    "ArnEquals": (False, _ARN),
    "ArnLike": (False, _ARN),
    "ArnNotEquals": (True, _ARN),
    "ArnNotLike": (True, _ARN),
    "Null": (False, _boolean),
}
