"""Pydantic's errors turned into problems: the field as the user wrote it, its line, and the way out."""

from __future__ import annotations

import difflib
import math
import types
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from gatehouse.errors import MISSING, Problem, Raw, names_a_secret, show
from gatehouse.fields import RefusedError
from gatehouse.yaml_source import Part, YamlSource, dotted


@dataclass(frozen=True)
class Place:
    """Where in the model an error lies: the path in the file, the field there, the models around it."""

    path: tuple[Part, ...]
    field: FieldInfo | None
    around: tuple[type[BaseModel], ...]
    here: tuple[type[BaseModel], ...]

    @property
    def description(self) -> str:
        """The field's one-line description, or an empty text."""
        return (self.field.description or "").replace("\n", " ") if self.field is not None else ""

    @property
    def siblings(self) -> list[str]:
        """Names of the fields beside this one."""
        return list(dict.fromkeys(name for model in self.around for name in model.model_fields))

    @property
    def inside(self) -> list[str]:
        """Names of the fields below this one; of a union, those that every member has."""
        common = set.intersection(*(set(model.model_fields) for model in self.here)) if self.here else set()
        return [name for model in self.here[:1] for name in model.model_fields if name in common]


@dataclass(frozen=True)
class Error:
    """One of pydantic's errors: its kind, the value received, the limits it names, and its place."""

    kind: str
    received: object
    context: Mapping[str, object]
    place: Place
    source: YamlSource
    of_key: bool

    @property
    def written(self) -> str:
        """The value as it stands in the file."""
        if self.secret:
            return "…"
        raw = None if self.of_key else self.source.raw(self.place.path)
        return show(Raw(raw)) if raw is not None else show(self.received).strip('"')

    @property
    def secret(self) -> bool:
        """Whether the value must not be printed: the name, none of ours, is that of a secret."""
        name = self.place.path[-1] if self.place.path else ""
        return not self.of_key and name not in self.place.siblings and names_a_secret(name)

    @property
    def meant(self) -> str | None:
        """The field, not yet in the file, that an unknown one was probably meant to be."""
        *above, name = self.place.path
        absent = [one for one in self.place.siblings if not self.source.has((*above, one))]
        return closest(str(name), absent)


def problems_of(
    error: ValidationError, model: type[BaseModel], source: YamlSource, file: str
) -> list[Problem]:
    """Return one problem for each error, in the order of lines; never an empty list.

    Two are left out, since others tell: that a list is too short only because its items were refused, and
    that a field is missing whose name was mistyped.
    """
    errors = [
        Error(
            kind=detail["type"],
            received=detail["input"],
            context=detail.get("ctx", {}),
            place=_locate(detail["loc"], model),
            source=source,
            of_key="[key]" in detail["loc"],
        )
        for detail in error.errors()
    ]
    mistyped = {
        (*one.place.path[:-1], one.meant) for one in errors if one.kind == "extra_forbidden" and one.meant
    }
    told = [one for one in errors if not (one.kind == "missing" and one.place.path in mistyped)]
    problems = [_problem(one, file) for one in told if not _is_echo(one)]
    return sorted(problems, key=lambda problem: problem.line or 0)


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that ``word`` was probably meant to be."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def _problem(error: Error, file: str) -> Problem:
    refused = error.context.get("error")
    if isinstance(refused, RefusedError):
        return _refused(refused, error, file)
    path = error.place.path
    if error.kind in ("union_tag_invalid", "union_tag_not_found"):
        path = (*path, _discriminator(error))
    problem, fix = _explain(error)
    line = error.source.line_of(path)
    if error.kind == "invalid_key":  # the value is the key itself, which may be no text
        path = path[:-1]
    return Problem(file, problem, fix, line=line, field=dotted(path), value=_value(error))


def _refused(refused: RefusedError, error: Error, file: str) -> Problem:
    source, path = error.source, error.place.path
    value: object = error.received
    if refused.field:
        path = (*path, *(int(part) if part.isdecimal() else part for part in refused.field.split(".")))
        value = source.value_at(path) if refused.value is None else refused.value
        found = source.value_at(path)
        if isinstance(found, list) and value in found:
            path = (*path, len(found) - 1 - found[::-1].index(value))
    if (
        refused.hidden
        or error.secret
        or value is None
        or isinstance(value, Mapping)
        or (value == [] and not source.has(path))
    ):
        value = MISSING  # nothing was written there, or a whole section: its lines say more
    line = source.line_of(path)
    return Problem(file, refused.problem, refused.fix, line=line, field=dotted(path), value=value)


def _explain(error: Error) -> tuple[str, str]:
    """Return what is wrong and the fix, for pydantic's own kinds of error."""
    if error.received is None and error.kind not in ("extra_forbidden", "invalid_key"):
        inside = error.place.inside
        return "is empty", f"write its fields below it: {', '.join(inside)}" if inside else _give(error)
    explanation = _EXPLANATIONS.get(error.kind)
    if explanation is not None:
        return explanation(error)
    return f"is not accepted ({error.kind.replace('_', ' ')})", _give(error)


def _give(error: Error) -> str:
    description = error.place.description
    return f"give a value: {description}" if description else "give another value"


def _missing(error: Error) -> tuple[str, str]:
    return "is missing", f'add "{error.place.path[-1]}": {error.place.description}'


def _missing_tag(error: Error) -> tuple[str, str]:
    return "is missing", f'add "{_discriminator(error)}": one of {_tags(error.place)}'


def _unknown_tag(error: Error) -> tuple[str, str]:
    return "is not one of its values", f"use one of {_tags(error.place)}"


def _unknown_field(error: Error) -> tuple[str, str]:
    place = error.place
    parent = dotted(place.path[:-1])
    problem = f"belongs to no field of {parent}" if parent else "belongs to no field of an environment"
    meant = error.meant
    known = ", ".join(place.siblings)
    return problem, f'write "{meant}" if that was meant' if meant else f"remove it; the fields are {known}"


def _unknown_key(error: Error) -> tuple[str, str]:
    return "is not the name of a field", f"use one of {', '.join(error.place.siblings)}"


def _unknown_value(error: Error) -> tuple[str, str]:
    expected = str(error.context["expected"]).replace(" or ", ", ").replace("'", '"')
    return "is not one of its values", f"use one of {expected}"


def _out_of_range(error: Error) -> tuple[str, str]:
    metadata = error.place.field.metadata if error.place.field is not None else []
    least = next((item.ge for item in metadata if hasattr(item, "ge")), None)
    most = next((item.le for item in metadata if hasattr(item, "le")), None)
    size = "too small" if error.kind.startswith("greater") else "too large"
    return f"is {size}", f"use a number from {least} to {most}"


def _too_short(error: Error) -> tuple[str, str]:
    least = error.context["min_length"]
    return "has too few items", f"give at least {least}: {error.place.description}"


def _too_long(error: Error) -> tuple[str, str]:
    most, items = error.context["max_length"], error.received
    count = f" ({len(items)})" if isinstance(items, Sized) else ""
    return f"has too many items{count}", f"give at most {most}: {error.place.description}"


def _not_text(error: Error) -> tuple[str, str]:
    if isinstance(error.received, list | dict):
        return f"is {_kind_of(error.received)}, not text", _give(error)
    return f"is {_kind_of(error.received)}, not text", f'put it in quotes: "{error.written}"'


def _not_whole(error: Error) -> tuple[str, str]:
    if isinstance(error.received, str) and error.received.strip().isdecimal():
        return "is text, not a number", f"remove the quotes: {error.received.strip()}"
    if isinstance(error.received, float):
        near = max(1, round(error.received)) if math.isfinite(error.received) else 1
        return "is not a whole number", f"use a whole number, like {near}"
    return f"is {_kind_of(error.received)}, not a number", f"use a whole number: {error.place.description}"


def _not_bool(error: Error) -> tuple[str, str]:
    return f"is {_kind_of(error.received)}, not a switch", "write true or false, without quotes"


def _not_list(error: Error) -> tuple[str, str]:
    one = isinstance(error.received, str | int | float)
    return (
        f"is {_kind_of(error.received)}, not a list",
        f"write [{error.written if one else 'first, second'}]",
    )


def _not_mapping(error: Error) -> tuple[str, str]:
    inside = error.place.inside
    fix = (
        f"write its fields below it, indented: {', '.join(inside)}" if inside else 'write "name: value" lines'
    )
    return f"is {_kind_of(error.received)}, not a mapping of names to values", fix


_EXPLANATIONS: Mapping[str, Callable[[Error], tuple[str, str]]] = {
    "missing": _missing,
    "union_tag_not_found": _missing_tag,
    "union_tag_invalid": _unknown_tag,
    "extra_forbidden": _unknown_field,
    "invalid_key": _unknown_key,
    "enum": _unknown_value,
    "literal_error": _unknown_value,
    "greater_than_equal": _out_of_range,
    "less_than_equal": _out_of_range,
    "too_short": _too_short,
    "too_long": _too_long,
    "string_type": _not_text,
    "int_type": _not_whole,
    "int_from_float": _not_whole,
    "bool_type": _not_bool,
    "tuple_type": _not_list,
    "model_type": _not_mapping,
    "model_attributes_type": _not_mapping,
    "dict_type": _not_mapping,
}


def _kind_of(value: object) -> str:
    kinds: tuple[tuple[type | types.UnionType, str], ...] = (
        (bool, "true or false"),
        (int | float, "a number"),
        (str, "text"),
        (dict, "a mapping"),
        (list | tuple | set, "a list"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), f"a {type(value).__name__}")


def _value(error: Error) -> object:
    received = error.received
    if error.kind == "invalid_key":
        return Raw(str(error.place.path[-1]))
    if error.secret or received is None or error.kind in ("missing", "union_tag_not_found"):
        return MISSING
    if error.kind == "union_tag_invalid" and isinstance(received, Mapping):
        received = received[_discriminator(error)]
    return Raw(error.written) if isinstance(error.received, int | float) else received


def _is_echo(error: Error) -> bool:
    least = error.context.get("min_length")
    return (
        error.kind == "too_short"
        and isinstance(error.received, list)
        and isinstance(least, int)
        and len(error.received) >= least
    )


def _discriminator(error: Error) -> str:
    return str(error.context["discriminator"]).strip("'")


def _locate(loc: Sequence[Part], model: type[BaseModel]) -> Place:
    """Follow pydantic's location through the models; leave out what is not in the file."""
    path: tuple[Part, ...] = ()
    field: FieldInfo | None = None
    around: tuple[type[BaseModel], ...] = ()
    here: tuple[type[BaseModel], ...] = (model,)
    of_items = False
    for part in loc:
        if part == "[key]":
            continue
        if of_items:  # an index or a key of our user's: the models are those of each item
            path, around, of_items = (*path, part), (), False
            continue
        tagged = tuple(member for member in here if part in _literals(member))
        if len(here) > 1 and tagged:  # the tag of a union: it names a model, not a field
            here = tagged
            continue
        around, field = here, next((m.model_fields[str(part)] for m in here if part in m.model_fields), None)
        path = (*path, part)
        here = _models(field.annotation) if field is not None else ()
        of_items = field is not None and _is_collection(field.annotation)
    return Place(path, field, around, here)


def _literals(model: type[BaseModel]) -> set[object]:
    first = next(iter(model.model_fields.values()))
    return set(get_args(first.annotation))


def _is_collection(annotation: object) -> bool:
    return get_origin(annotation) in (tuple, dict)


def _models(annotation: object) -> tuple[type[BaseModel], ...]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    return tuple(model for argument in get_args(annotation) for model in _models(argument))


def _tags(place: Place) -> str:
    return ", ".join(f'"{tag}"' for model in place.here for tag in sorted(map(str, _literals(model))))
