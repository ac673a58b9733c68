"""Terraform's functions over values of JSON, each exactly as Terraform documents it, or refused.

Left out, so that their use is an error: what reads files or the clock, what is random, and what Python has no equal
of. ``can`` and ``try`` are part of the syntax tree, because they catch errors.

Source: Terraform documentation, "Built-in Functions".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_network
from typing import Any

from gatehouse.document.values import ValueProblem, equal, kind, number, text, truth

_VERB = re.compile(r"%(?P<pad>0?)(?P<width>\d*)(?:\.(?P<digits>\d+))?(?P<verb>[a-zA-Z%])")
_SPACE = " \t\n\r\v\f"


def _items(value: Any) -> list[Any]:  # noqa: ANN401 - JSON
    if not isinstance(value, list):
        raise ValueProblem(f"a {kind(value)} is no list")
    return value


def _mapping(value: Any) -> Mapping[str, Any]:  # noqa: ANN401 - JSON
    if not isinstance(value, Mapping):
        raise ValueProblem(f"a {kind(value)} is no object")
    return value


def _whole(value: Any) -> int:  # noqa: ANN401 - JSON
    found = number(value)
    if found != int(found):
        raise ValueProblem(f"{found} is no whole number")
    return int(found)


def _element(items: Any, index: Any) -> Any:  # noqa: ANN401 - JSON
    values, position = _items(items), _whole(index)
    if not values:
        raise ValueProblem("the list is empty")
    return values[position % len(values)]


def _slice(items: Any, start: Any, end: Any) -> list[Any]:  # noqa: ANN401 - JSON
    values, first, last = _items(items), _whole(start), _whole(end)
    if not 0 <= first <= last <= len(values):
        raise ValueProblem(f"{first} to {last} is not within a list of {len(values)}")
    return values[first:last]


def _index(items: Any, value: Any) -> int:  # noqa: ANN401 - JSON
    for position, one in enumerate(_items(items)):
        if equal(one, value):
            return position
    raise ValueProblem("the value is not in the list")


def _length(value: Any) -> int:  # noqa: ANN401 - JSON
    if not isinstance(value, str | list | Mapping):
        raise ValueProblem(f"a {kind(value)} has no length")
    return len(value)


def _lookup(mapping: Any, key: Any, *default: Any) -> Any:  # noqa: ANN401 - JSON
    found = _mapping(mapping)
    if key in found:
        return found[key]
    if not default:
        raise ValueProblem(f"there is no key {key}")
    return default[0]


def _distinct(items: Any) -> list[Any]:  # noqa: ANN401 - JSON
    found: list[Any] = []
    for one in _items(items):
        if not any(equal(one, other) for other in found):
            found.append(one)
    return found


def _flatten(items: Any) -> list[Any]:  # noqa: ANN401 - JSON
    return [inner for one in _items(items) for inner in (_flatten(one) if isinstance(one, list) else [one])]


def _merge(*objects: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {key: value for one in objects if one is not None for key, value in _mapping(one).items()}


def _coalesce(*values: Any) -> Any:  # noqa: ANN401 - JSON
    for value in values:
        if value is not None and value != "":
            return value
    raise ValueProblem("every argument is null or empty")


def _coalesce_list(*lists: Any) -> Any:  # noqa: ANN401 - JSON
    for one in lists:
        if one:
            return _items(one)
    raise ValueProblem("every list is empty")


def _one(items: Any) -> Any:  # noqa: ANN401 - JSON
    values = _items(items)
    if len(values) > 1:
        raise ValueProblem(f"the list has {len(values)} items")
    return values[0] if values else None


def _range(*limits: Any) -> list[int]:  # noqa: ANN401 - JSON
    """Return whole numbers up to a limit; without a step they go down if the limit is below the start."""
    start, end, step = (
        (0, *map(_whole, limits), 0)[-3:] if len(limits) == 1 else (*map(_whole, limits), 0)[:3]
    )
    return list(range(start, end, step or (1 if end >= start else -1)))


def _set(items: Any) -> list[Any]:  # noqa: ANN401 - JSON
    """Return the items as Terraform iterates over a set: each once, in order."""
    return sorted(_distinct(items), key=lambda one: (kind(one) or "", one))


def _sets(combine: Callable[[list[Any], list[Any]], list[Any]]) -> Callable[..., list[Any]]:
    def function(first: Any, *others: Any) -> list[Any]:  # noqa: ANN401 - JSON
        found = _items(first)
        for other in others:
            found = combine(found, _items(other))
        return _set(found)

    return function


def _within(one: Any, items: Iterable[Any]) -> bool:  # noqa: ANN401 - JSON
    return any(equal(one, other) for other in items)


def _join(separator: Any, *lists: Any) -> str:  # noqa: ANN401 - JSON
    return text(separator).join(text(one) for items in lists for one in _items(items))


def _substring(value: Any, offset: Any, length: Any) -> str:  # noqa: ANN401 - JSON
    found, start, size = text(value), _whole(offset), _whole(length)
    start = max(start + len(found), 0) if start < 0 else start
    return found[start:] if size < 0 else found[start : start + size]


def _title(value: Any) -> str:  # noqa: ANN401 - JSON
    return re.sub(r"(?<![^\W_])(?<!')[a-z]", lambda letter: letter[0].upper(), text(value))


def _indent(spaces: Any, value: Any) -> str:  # noqa: ANN401 - JSON
    return text(value).replace("\n", "\n" + " " * _whole(spaces))


def _pattern(pattern: Any, value: str) -> re.Pattern[str]:  # noqa: ANN401 - JSON
    source = text(pattern)
    if "$" in source and value.endswith("\n"):
        raise ValueProblem("a pattern with $ and a text that ends a line differ between RE2 and here")
    try:
        return re.compile(source, re.ASCII)
    except re.error as error:
        raise ValueProblem(f"the pattern is not read: {error}") from error


def _captured(match: re.Match[str]) -> Any:  # noqa: ANN401 - JSON
    return match.groupdict() or list(match.groups()) or match[0]


def _regex(pattern: Any, value: Any) -> Any:  # noqa: ANN401 - JSON
    found = _pattern(pattern, text(value)).search(text(value))
    if found is None:
        raise ValueProblem("the pattern does not match")
    return _captured(found)


def _regex_all(pattern: Any, value: Any) -> list[Any]:  # noqa: ANN401 - JSON
    return [_captured(found) for found in _pattern(pattern, text(value)).finditer(text(value))]


def _replace(value: Any, old: Any, new: Any) -> str:  # noqa: ANN401 - JSON
    whole, searched, replacement = text(value), text(old), text(new)
    if len(searched) < 2 or not (searched.startswith("/") and searched.endswith("/")):  # noqa: PLR2004
        return whole.replace(searched, replacement)
    groups = re.sub(r"\$(?:\{(\w+)\}|(\w+))", r"\\g<\1\2>", replacement.replace("\\", "\\\\"))
    return _pattern(searched[1:-1], whole).sub(groups, whole)


def _format(template: Any, *arguments: Any) -> str:  # noqa: ANN401 - JSON
    left = list(arguments)

    def filled(verb: re.Match[str]) -> str:
        if verb["verb"] == "%":
            return "%"
        if not left:
            raise ValueProblem("there are fewer arguments than verbs")
        written = _verb(verb["verb"], left.pop(0), verb["digits"])
        return (
            written.zfill(int(verb["width"]))
            if verb["pad"] and verb["width"]
            else written.rjust(int(verb["width"] or 0))
        )

    source = text(template)
    if "%" in _VERB.sub("", source):
        raise ValueProblem("a verb is not read here")
    found = _VERB.sub(filled, source)
    if left:
        raise ValueProblem("there are more arguments than verbs")
    return found


def _verb(verb: str, value: Any, digits: str | None) -> str:  # noqa: ANN401 - JSON
    if verb == "f":
        return f"{number(value):.{digits or 6}f}"
    if digits is not None:
        raise ValueProblem(f"digits of %{verb} are not read here")
    if verb in ("d", "x", "X"):
        return format(_whole(value), verb)
    if verb in ("s", "t") or (verb == "v" and not isinstance(value, list | Mapping) and value is not None):
        return text(truth(value)) if verb == "t" else text(value)
    if verb == "v":
        return _json_encode(value)
    if verb == "q":
        return _json_encode(text(value))
    raise ValueProblem(f"%{verb} is not read here")


def _json_encode(value: Any) -> str:  # noqa: ANN401 - JSON
    """Return JSON as Terraform writes it: keys in order, no white space, and three signs escaped."""
    written = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for sign, code in (
        ("&", "\\u0026"),
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("\u2028", "\\u2028"),
        ("\u2029", "\\u2029"),
    ):
        written = written.replace(sign, code)
    return written


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value == int(value):
        return int(value)
    return value


def _base64_decode(value: Any) -> str:  # noqa: ANN401 - JSON
    try:
        return base64.b64decode(text(value), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueProblem("the text is not Base64 of UTF-8") from error


def _json_decode(value: Any) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(text(value))
    except json.JSONDecodeError as error:
        raise ValueProblem(f"the text is not JSON: {error}") from error


def _digest(algorithm: str) -> Callable[[Any], str]:
    return lambda value: hashlib.new(algorithm, text(value).encode(), usedforsecurity=False).hexdigest()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _subnet(prefix: Any, bits: Any, index: Any) -> str:  # noqa: ANN401 - JSON
    network, new, position = ip_network(text(prefix), strict=False), _whole(bits), _whole(index)
    length = network.prefixlen + new
    if new < 0 or length > network.max_prefixlen or not 0 <= position < 2**new:
        raise ValueProblem(f"{text(prefix)} has no subnet {position} with {new} bits more")
    start = int(network.network_address) + (position << (network.max_prefixlen - length))
    return f"{type(network.network_address)(start)}/{length}"


def _subnets(prefix: Any, *bits: Any) -> list[str]:  # noqa: ANN401 - JSON
    network = ip_network(text(prefix), strict=False)
    start, found = int(network.network_address), []
    for new in map(_whole, bits):
        size = 1 << (network.max_prefixlen - network.prefixlen - new)
        start = -(-start // size) * size
        if start + size > int(network.broadcast_address) + 1:
            raise ValueProblem(f"{text(prefix)} has no room for them")
        found.append(f"{type(network.network_address)(start)}/{network.prefixlen + new}")
        start += size
    return found


def _host(prefix: Any, index: Any) -> str:  # noqa: ANN401 - JSON
    network, position = ip_network(text(prefix), strict=False), _whole(index)
    if not -network.num_addresses <= position < network.num_addresses:
        raise ValueProblem(f"{text(prefix)} has no host {position}")
    return str(network[position])


def _text_or_null(value: Any) -> Any:  # noqa: ANN401 - JSON
    return None if value is None else text(value)


def _zip(keys: Any, values: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {text(key): value for key, value in zip(_items(keys), _items(values), strict=True)}


_NUMBERS: Mapping[str, Callable[..., Any]] = {
    "abs": lambda value: abs(number(value)),
    "ceil": lambda value: math.ceil(number(value)),
    "floor": lambda value: math.floor(number(value)),
    "max": lambda *values: max(map(number, values)),
    "min": lambda *values: min(map(number, values)),
    "signum": lambda value: (number(value) > 0) - (number(value) < 0),
    "sum": lambda items: sum(map(number, _items(items))),
    "range": _range,
}
_TEXTS: Mapping[str, Callable[..., Any]] = {
    "chomp": lambda value: re.sub(r"[\r\n]+\Z", "", text(value)),
    "endswith": lambda value, end: text(value).endswith(text(end)),
    "format": _format,
    "indent": _indent,
    "join": _join,
    "lower": lambda value: text(value).lower(),
    "regex": _regex,
    "regexall": _regex_all,
    "replace": _replace,
    "split": lambda separator, value: text(value).split(text(separator)) if separator else list(text(value)),
    "startswith": lambda value, start: text(value).startswith(text(start)),
    "strcontains": lambda value, part: text(part) in text(value),
    "strrev": lambda value: text(value)[::-1],
    "substr": _substring,
    "title": _title,
    "trim": lambda value, signs: text(value).strip(text(signs)),
    "trimprefix": lambda value, start: text(value).removeprefix(text(start)),
    "trimspace": lambda value: text(value).strip(_SPACE),
    "trimsuffix": lambda value, end: text(value).removesuffix(text(end)),
    "upper": lambda value: text(value).upper(),
}
_COLLECTIONS: Mapping[str, Callable[..., Any]] = {
    "alltrue": lambda items: all(map(truth, _items(items))),
    "anytrue": lambda items: any(map(truth, _items(items))),
    "coalesce": _coalesce,
    "coalescelist": _coalesce_list,
    "compact": lambda items: [one for one in _items(items) if one not in (None, "")],
    "concat": lambda *lists: [one for items in lists for one in _items(items)],
    "contains": lambda items, value: _within(value, _items(items)),
    "distinct": _distinct,
    "element": _element,
    "flatten": _flatten,
    "index": _index,
    "keys": lambda mapping: sorted(_mapping(mapping)),
    "length": _length,
    "lookup": _lookup,
    "merge": _merge,
    "one": _one,
    "reverse": lambda items: _items(items)[::-1],
    "setintersection": _sets(lambda left, right: [one for one in left if _within(one, right)]),
    "setsubtract": _sets(lambda left, right: [one for one in left if not _within(one, right)]),
    "setunion": _sets(lambda left, right: [*left, *right]),
    "slice": _slice,
    "sort": lambda items: sorted(map(text, _items(items))),
    "values": lambda mapping: [_mapping(mapping)[key] for key in sorted(_mapping(mapping))],
    "zipmap": _zip,
}
_CONVERSIONS: Mapping[str, Callable[..., Any]] = {
    "base64decode": _base64_decode,
    "base64encode": lambda value: _base64(text(value).encode()),
    "base64sha256": lambda value: _base64(hashlib.sha256(text(value).encode()).digest()),
    "cidrhost": _host,
    "cidrsubnet": _subnet,
    "cidrsubnets": _subnets,
    "jsondecode": _json_decode,
    "jsonencode": _json_encode,
    "md5": _digest("md5"),
    "nonsensitive": lambda value: value,
    "sensitive": lambda value: value,
    "sha1": _digest("sha1"),
    "sha256": _digest("sha256"),
    "sha512": _digest("sha512"),
    "tobool": lambda value: None if value is None else truth(value),
    "tolist": _items,
    "tomap": _mapping,
    "tonumber": lambda value: None if value is None else number(value),
    "toset": _set,
    "tostring": _text_or_null,
}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {**_NUMBERS, **_TEXTS, **_COLLECTIONS, **_CONVERSIONS}
