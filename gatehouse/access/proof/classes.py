"""Values of condition keys that are no texts to a policy: numbers, dates, Booleans, addresses, bytes.

The conditions on such a key look at a value only through finitely many comparisons, so that all values fall into
finitely many classes which no condition tells apart. One value for each class stands for all of it, and a formula
chooses among them. What a condition says of each is not computed anew: the evaluator is asked.

* Bool: true, false, neither.
* Numeric, Date: the constants of the policies, a value between each two neighbours, below the first and above the
  last, and what is no number or date. A key that is compared as both has years as well, because four digits are a
  year to Date and a number to Numeric.
* IpAddress: the ends of the ranges cut all addresses of a version into intervals; one address each. A range as a
  value lies in all ranges around the smallest that it lies in, so that the policies' ranges stand for all.
* BinaryEquals: each constant, and anything else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from gatehouse.access.conditions import Condition, parse_condition
from gatehouse.access.conditions import _moment as read_moment
from gatehouse.access.context import Context
from gatehouse.access.proof.text import ProofError

_FAMILIES = ("Numeric", "Date", "Bool", "Binary", "String", "Arn")
#: What no number, date, address or Boolean is, nor base64.
_OTHER = "-?-"
_FIRST_YEAR, _LAST_YEAR = 1, 9999
_TICK = timedelta(microseconds=1)


def family(condition: Condition) -> str:
    """Return what a condition takes values for; empty for Null, which does not look at them."""
    if condition.is_null:
        return ""
    if condition.operator.endswith("IpAddress"):
        return "Ip"
    return next(one for one in _FAMILIES if condition.operator.startswith(one))


def fits(condition: Condition, value: str) -> bool:
    """Whether one value of the request is one of the condition's, as the evaluator has it; no variables."""
    plain = parse_condition(
        condition.operator, condition.key, list(condition.values), variables=condition.variables
    )
    return plain.holds(Context({condition.key: (value,)})) != plain.negated


@dataclass(frozen=True)
class Class:
    """One class of values: the one that stands for it, and whether AWS sends such a value."""

    value: str
    is_usual: bool


def classes(key: str, conditions: Sequence[Condition]) -> tuple[Class, ...]:
    """Return a value for each class, usual ones first.

    Raises:
        ProofError: conditions that take the key for things whose classes are not independent.

    """
    families = {family(one) for one in conditions} - {""}
    if len(families - {"Bool"}) > 1 and families - {"Bool"} != {"Numeric", "Date"}:
        raise ProofError(
            f"conditions take {key} for {' and '.join(sorted(families))}, which is not modelled. Fix: one operator"
        )
    if {"Bool", "Binary"} <= families:
        raise ProofError(
            f"conditions take {key} for Bool and Binary, which is not modelled. Fix: one operator"
        )
    found: dict[tuple[bool, ...], Class] = {}
    for one in _candidates(families, conditions):
        # A quantifier takes an empty text for no value at all.
        found.setdefault(
            (not one.value, *(fits(each, one.value) for each in conditions if family(each))), one
        )
    return tuple(found.values())


def _candidates(families: set[str], conditions: Sequence[Condition]) -> Iterable[Class]:
    usual: list[str] = []
    unusual: list[str] = []
    constants = {name: _constants(conditions, name) for name in families}
    if "Bool" in families:
        usual += ["true", "false"]
    if "Numeric" in families or "Date" in families:
        usual += _moments(constants.get("Date", ()))
        usual += _numbers(constants.get("Numeric", ()), constants.get("Date", ()))
    if {"Numeric", "Date"} <= families:
        usual += _years(constants["Numeric"], constants["Date"])
    if "Ip" in families:
        usual += _addresses(constants["Ip"])
        unusual += [str(_network(one)) for one in constants["Ip"]]
    if "Binary" in families:
        usual += [*constants["Binary"], *_other_bytes(constants["Binary"])]
    return [Class(one, True) for one in usual] + [Class(one, False) for one in (*unusual, _OTHER, "")]


def _other_bytes(constants: Sequence[str]) -> list[str]:
    """Return bytes that are longer than all constants, in base64."""
    return ["A" * 4 * (1 + max(map(len, constants), default=0))]


def _constants(conditions: Sequence[Condition], name: str) -> list[str]:
    return [value for one in conditions if family(one) == name for value in one.values]


def _numbers(numbers: Sequence[str], dates: Sequence[str]) -> list[str]:
    """Return numbers at, between and beyond constants, in a form that no date has; a date is its seconds."""
    exact = {Decimal(one.strip()) for one in numbers}
    exact |= {_seconds(moment) for moment in map(_moment, dates)}
    places = sorted(exact)
    if not places:
        return []
    between = [(one + other) / 2 for one, other in pairwise(places)]
    ends = [places[0] - 1, places[-1] + 1]
    return [f"{one:f}" if "." in f"{one:f}" else f"{one:f}.0" for one in (*places, *between, *ends)]


def _seconds(moment: datetime) -> Decimal:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return Decimal(since // _TICK) / 1_000_000


def _moment(value: str) -> datetime:
    return read_moment(value).astimezone(UTC)


def _moments(dates: Sequence[str]) -> list[str]:
    """Return moments at, next to and so between and beyond the constants."""
    found: list[datetime] = []
    for moment in sorted({_moment(one) for one in dates}):
        found.append(moment)
        if moment > datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC):
            found.append(moment - _TICK)
        if moment < datetime(_LAST_YEAR, 12, 31, 23, 59, 59, 999999, tzinfo=UTC):
            found.append(moment + _TICK)
    return [one.isoformat().replace("+00:00", "Z") for one in found]


def _years(numbers: Sequence[str], dates: Sequence[str]) -> list[str]:
    marks = {_FIRST_YEAR - 1, _FIRST_YEAR, _LAST_YEAR}
    marks |= {int(Decimal(one.strip())) for one in numbers} | {_moment(one).year for one in dates}
    near = {mark + step for mark in marks for step in (-1, 0, 1)}
    return [f"{one:04}" for one in sorted(near) if 0 <= one <= _LAST_YEAR]


def _network(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(value.strip(), strict=False)


def _addresses(ranges: Sequence[str]) -> list[str]:
    """Return one address of each interval that the ranges make, of both versions."""
    found: list[str] = []
    networks = [_network(one) for one in ranges]
    for version, kind in ((4, ipaddress.IPv4Address), (6, ipaddress.IPv6Address)):
        last = 2 ** (32 if version == 4 else 128) - 1  # noqa: PLR2004
        starts = {0, last + 1}
        for one in networks:
            if one.version == version:
                starts |= {int(one.network_address), int(one.broadcast_address) + 1}
        places = sorted(starts)
        # The second address of an interval, which unlike the first some machine may have.
        found += [str(kind(min(one + 1, other - 1))) for one, other in pairwise(places)]
    return found
