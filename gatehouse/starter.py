"""``gatehouse init``: a commented environment file, explained by the models' own descriptions."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args, get_origin

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from gatehouse.environment_file import free_cidr, parse_environment, used_networks
from gatehouse.errors import InputError, Problem
from gatehouse.fields import MLFLOW_VERSIONS, ROOT
from gatehouse.files import write_atomic
from gatehouse.settings import Settings

TEMPLATE = "environment.yaml.j2"
#: Texts that YAML 1.2 reads as text without quotes, inside flow lists as well.
_PLAIN = re.compile(r"[a-z][A-Za-z0-9._/-]*|\d+(\.\d+){3}/\d+")
_SPOKEN_FOR = frozenset({"true", "false", "null"})
#: What begins an entry of a list of models, and of a mapping of them.
_ITEM_MARKS: Mapping[object, str] = {tuple: "-", dict: "my-own:"}
Tree = Mapping[str, object]


@dataclass(frozen=True)
class Entry:
    """One field of the file: its explanation, and its value unless it has fields of its own.

    ``given`` is false for a field that stands there commented out, with its default. An ``item`` is no field:
    it is the mark that begins one entry of a list or mapping, whose fields are the children.
    """

    name: str
    description: str
    value: str
    given: bool
    children: tuple[Entry, ...] = ()
    alternative: str = ""
    item: str = ""


def starter_text(name: str, *, project: str, region: str, private: bool, cidr: str) -> str:
    """Return the text of a commented environment file, every field explained.

    ``private`` asks for a private API and no route to the internet. The values are not checked here.
    """
    values = _values(name, project=project, region=region, private=private, cidr=cidr)
    # YAML, not HTML: there is nothing to escape for a browser.
    templates = Environment(  # noqa: S701
        loader=FileSystemLoader(ROOT / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return templates.get_template(TEMPLATE).render(entries=_entries(Settings, values))


def write_starter(
    folder: Path, name: str, *, project: str, region: str, private: bool = False, force: bool = False
) -> Path:
    """Write ``folder``/NAME.yaml with a VPC range that no other file there uses, and return its path.

    Raises InputError, with nothing written, if a value is refused, or if the file exists without ``force``.
    """
    path = folder / f"{name}.yaml"
    text = starter_text(
        name,
        project=project,
        region=region,
        private=private,
        cidr=free_cidr(used_networks(folder, without=name)),
    )
    try:
        parse_environment(text, str(path))
    except InputError as error:  # the lines are those of a file that is not there
        raise InputError([replace(problem, line=None) for problem in error.problems]) from None
    if os.path.lexists(path) and not force:
        raise InputError(
            [Problem(str(path), "exists already", "choose another name, or write over it with --force")]
        )
    write_atomic(path, text.encode())
    return path


def _values(name: str, *, project: str, region: str, private: bool, cidr: str) -> Tree:
    return {
        "project": project,
        "environment": name,
        "region": region,
        "tags": {"owner": "ml-platform"},
        "network": {
            "create": {"cidr": cidr, "availability_zones": ["a", "b"], "egress": "none" if private else "nat"}
        },
        "server": {
            "mlflow_version": MLFLOW_VERSIONS[-1],
            "instance_type": "t4g.medium",
            "min_size": 1,
            "desired_capacity": 1,
            "max_size": 2,
            "package_source": "wheelhouse" if private else "pypi",
        },
        "database": {
            "engine_version": "16",
            "instance_class": "db.t4g.micro",
            "storage_gb": 20,
            "max_storage_gb": 50,
            "multi_az": False,
            "backup_retention_days": 7,
            "deletion_protection": True,
        },
        "artifacts": {"noncurrent_version_days": 30, "access_log_days": 90},
        "api": {
            "visibility": "private" if private else "regional",
            # Documentation and private ranges: nobody on the internet can use either.
            "client_cidrs": ["192.168.0.0/16"] if private else ["198.51.100.0/24"],
        },
        "teams": ["research"],
        "access": {"mode": "roles"},
        "state": {"backend": "local"},
    }


def _entries(model: type[BaseModel], values: Tree | None) -> tuple[Entry, ...]:
    """Return the fields of ``model`` in its own order; ``values`` None comments all of them out."""
    return tuple(_entry(name, field, values) for name, field in model.model_fields.items())


def _entry(name: str, field: FieldInfo, values: Tree | None) -> Entry:
    given = values is not None and name in values
    value = values[name] if values is not None and given else _default(field)
    below = value if isinstance(value, Mapping) and given else None
    models = _models(field.annotation)
    children = _children(models, below)
    mark = _ITEM_MARKS.get(get_origin(field.annotation))
    if models and mark:
        children = (Entry("", "", "", given=False, children=children, item=mark),)
    return Entry(
        name=name,
        description=(field.description or "").replace("\n", " "),
        value="" if models else _yaml(value),
        given=given,
        children=children,
    )


def _children(models: tuple[type[BaseModel], ...], below: Tree | None) -> tuple[Entry, ...]:
    if len(models) <= 1:
        return tuple(entry for model in models for entry in _entries(model, below))
    # A union: the chosen member first, the others commented out below it.
    chosen = [model for model in models if below is not None and below[_tag_name(model)] == _tag(model)]
    entries = [entry for model in chosen for entry in _entries(model, below)]
    for model in models:
        if model not in chosen:
            title = (model.__doc__ or "").strip()
            other = _entries(model, {_tag_name(model): _tag(model)})
            entries.append(Entry("", title, "", given=False, children=other, alternative=_tag(model)))
    return tuple(entries)


def _tag_name(model: type[BaseModel]) -> str:
    return next(iter(model.model_fields))


def _tag(model: type[BaseModel]) -> str:
    return str(get_args(model.model_fields[_tag_name(model)].annotation)[0])


def _models(annotation: object) -> tuple[type[BaseModel], ...]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    return tuple(model for argument in get_args(annotation) for model in _models(argument))


def _default(field: FieldInfo) -> object:
    return None if field.default is PydanticUndefined else field.default


def _yaml(value: object) -> str:
    """Return a value in YAML flow style on one line; nothing for None, which the reader fills in."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and value not in _SPOKEN_FOR else json.dumps(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_yaml(key)}: {_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    return json.dumps(value)
