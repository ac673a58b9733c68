"""Reading ``environments/*.yaml``: every problem of every file at once, each with its place and its fix."""

from __future__ import annotations

import ipaddress
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from pydantic import ValidationError

from gatehouse.errors import InputError, Problem
from gatehouse.problems import closest, problems_of
from gatehouse.settings import CloudState, S3State, Settings
from gatehouse.yaml_source import YamlSource, parse_yaml

ENVIRONMENTS = Path("environments")


@dataclass(frozen=True)
class _Loaded:
    path: Path
    settings: Settings
    source: YamlSource


def load_environment(path: Path) -> Settings:
    """Return the settings of one environment file, whose name is ENVIRONMENT.yaml.

    Looks at this file only; :func:`load_environments` adds the rules between files.
    Raises InputError with every problem found.
    """
    return _load(path).settings


def load_environments(folder: Path, names: Sequence[str] | None = None) -> tuple[Settings, ...]:
    """Return the settings of the named environments of ``folder``, in the order given, each once.

    Without names, all of them, by name. The named files are checked whole; the other files of the folder
    only as far as they can be read, to compare address ranges.
    Raises InputError with every problem of every file.
    """
    existing = environment_names(folder)
    wanted = list(dict.fromkeys(names)) if names else existing
    problems = _misnamed(folder)
    loaded: list[_Loaded] = []
    if not wanted:
        fix = 'write one with "gatehouse init dev", or change to the folder that has them'
        raise InputError([*problems, Problem(str(folder), "there is no environment file here", fix)])
    for name in wanted:
        path = folder / f"{name}.yaml"
        if name not in existing:  # "../x" as well: only names that were listed are opened
            problems.append(_not_found(path, name, existing))
            continue
        try:
            loaded.append(_load(path))
        except InputError as error:
            problems += error.problems
    others = _readable(folder, [name for name in existing if name not in wanted])
    for between in (_overlaps, _shared_log_roles, _shared_states):
        problems += between(loaded, others)
    if problems:
        raise InputError(problems)
    return tuple(one.settings for one in loaded)


def parse_environment(text: str, file: str) -> Settings:
    """Return the settings that ``text`` holds; ``file`` is named in the problems.

    Raises InputError with every problem found.
    """
    return _validate(_mapping(text, file), file)


def environment_names(folder: Path) -> list[str]:
    """Return the names of the environment files in ``folder``, sorted; none if there is no such folder."""
    return sorted(path.stem for path in folder.glob("*.yaml") if not path.name.startswith("."))


def _load(path: Path) -> _Loaded:
    file = str(path)
    source = _mapping(_read(path), file)
    problems: list[Problem] = []
    if source.data.get("environment") not in (None, path.stem):
        problems.append(
            Problem(
                file,
                f"differs from the file's name, {path.stem!r}",
                f'write "environment: {path.stem}", or rename the file',
                line=source.line_of(["environment"]),
                field="environment",
                value=source.data["environment"],
            )
        )
    try:
        settings = _validate(source, file)
    except InputError as error:
        # A name that is refused for itself needs no second complaint.
        own = {problem.field for problem in error.problems}
        raise InputError([*(p for p in problems if p.field not in own), *error.problems]) from None
    if problems:
        raise InputError(problems)
    return _Loaded(path, settings, source)


def _mapping(text: str, file: str) -> YamlSource:
    source = parse_yaml(text, file)
    if source.data is None:
        fix = 'write an environment into it; "gatehouse init NAME" makes a commented one'
        raise InputError([Problem(file, "the file is empty", fix, line=1)])
    if not isinstance(source.data, dict):
        fix = 'start with "project: NAME" at the left margin'
        line = source.line_of([])
        raise InputError([Problem(file, "is not a mapping of names to values", fix, line, value=source.data)])
    return source


def _validate(source: YamlSource, file: str) -> Settings:
    try:
        return Settings.model_validate(source.data)
    except ValidationError as error:
        raise InputError(problems_of(error, Settings, source, file)) from None


def _read(path: Path) -> str:
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind):  # reading a pipe would wait for ever
            what = "a folder" if stat.S_ISDIR(kind) else "a pipe, socket or device"
            problem = f"cannot be read: it is {what}"
            raise InputError([Problem(str(path), problem, "make it a readable file")])
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        if path.is_symlink():
            problem = f"is a broken link: {path.readlink()} does not exist"
            fix = "make that file, or remove the link"
            raise InputError([Problem(str(path), problem, fix)]) from None
        raise InputError([_not_found(path, path.stem, environment_names(path.parent))]) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problem = f"is not UTF-8: byte 0x{error.object[error.start]:02x} at position {error.start}"
        raise InputError([Problem(str(path), problem, "save the file as UTF-8", line=line)]) from None
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        raise InputError([Problem(str(path), problem, "make it a readable file")]) from None


def _not_found(path: Path, name: str, existing: Sequence[str]) -> Problem:
    there = f"there are: {', '.join(existing)}" if existing else "there is none"
    if "," in name:
        apart = " ".join(name.replace(",", " ").split())
        fix = f"separate names with spaces: {apart}"
        return Problem(str(path), f"environment {name!r} does not exist; {there}", fix)
    meant = closest(Path(name).stem, existing)
    fix = f'write "{meant}"' if meant else f'use one of them, or make it with "gatehouse init {name}"'
    return Problem(str(path), f"environment {name!r} does not exist; {there}", fix)


def _misnamed(folder: Path) -> list[Problem]:
    """Files that look like environments and would be passed over without a word."""
    return [
        Problem(str(path), "is not read: environment files end in .yaml", f"rename it to {path.stem}.yaml")
        for path in sorted(folder.glob("*.yml"))
    ]


def _readable(folder: Path, names: Sequence[str]) -> list[_Loaded]:
    loaded = []
    for name in names:
        try:
            loaded.append(_load(folder / f"{name}.yaml"))
        except InputError:
            continue  # its own problems are told when it is asked for
    return loaded


def _pairs(loaded: Sequence[_Loaded], others: Sequence[_Loaded]) -> list[tuple[_Loaded, _Loaded]]:
    """Every pair of files of which one at least was asked for."""
    return [*combinations(loaded, 2), *((one, other) for one in loaded for other in others)]


def _overlaps(loaded: Sequence[_Loaded], others: Sequence[_Loaded]) -> list[Problem]:
    used = [one.settings.network.create.network for one in (*loaded, *others) if one.settings.network.create]
    pairs = _pairs(loaded, others)
    return [problem for first, second in pairs if (problem := _overlap(first, second, used)) is not None]


def _overlap(first: _Loaded, second: _Loaded, used: Sequence[ipaddress.IPv4Network]) -> Problem | None:
    """The problem that two VPCs, in one account as far as is known, share addresses."""
    accounts = {first.settings.account_id, second.settings.account_id}
    if None not in accounts and len(accounts) > 1:
        return None
    here, there = first.settings.network.create, second.settings.network.create
    if here is None or there is None or not here.network.overlaps(there.network):
        return None
    place = ("network", "create", "cidr")
    separate = "" if None not in accounts else ", or set account_id in both if their accounts differ"
    return Problem(
        str(first.path),
        f"overlaps {there.cidr} of {second.path}:{second.source.line_of(place)}",
        f"choose a free range, such as {free_cidr(used, here.network.prefixlen)}" + separate,
        line=first.source.line_of(place),
        field=".".join(place),
        value=here.cidr,
    )


def _shared_log_roles(loaded: Sequence[_Loaded], others: Sequence[_Loaded]) -> list[Problem]:
    """Two stacks that would take API Gateway's one log role of a region and account from each other."""
    place = ("api", "manage_account_log_role")

    def where(one: _Loaded) -> tuple[str | None, str]:
        return one.settings.account_id, one.settings.region

    return [
        Problem(
            str(first.path),
            f"is also managed by {second.path}: API Gateway has one log role an account and region",
            "set it to false in one of the two files",
            line=first.source.line_of(place),
            field=".".join(place),
            value=True,
        )
        for first, second in _pairs(loaded, others)
        if where(first) == where(second)
        and first.settings.account_id is not None
        and first.settings.api.manage_account_log_role
        and second.settings.api.manage_account_log_role
    ]


def _shared_states(loaded: Sequence[_Loaded], others: Sequence[_Loaded]) -> list[Problem]:
    """Two environments with one Terraform state: the second to be applied would destroy the first."""
    problems = []
    for first, second in _pairs(loaded, others):
        state = _state(first.settings)
        if state is None or state != _state(second.settings):
            continue
        field, own = _state_field(first.settings)
        place = ("state", field)
        problems.append(
            Problem(
                str(first.path),
                f"is also the Terraform state of {second.path}:{second.source.line_of(place)}: "
                "each would destroy what the other made",
                f"give each environment its own, such as {own} and {_state_field(second.settings)[1]}",
                line=first.source.line_of(place),
                field=".".join(place),
                value=first.source.value_at(place),
            )
        )
    return problems


def _state(settings: Settings) -> tuple[str, ...] | None:
    """What makes a Terraform state the same one; None if it is told apart by the environment's name."""
    state = settings.state
    if isinstance(state, S3State):  # bucket names are unique over all accounts
        return ("s3", state.bucket, state.key)
    if isinstance(state, CloudState) and state.workspace is not None:
        return ("cloud", state.hostname, state.organization, state.workspace)
    return None


def _state_field(settings: Settings) -> tuple[str, str]:
    """Return the field that tells states apart, and a value that belongs to this environment alone."""
    if isinstance(settings.state, S3State):
        return "key", f"{settings.project}/{settings.environment}.tfstate"
    return "workspace", settings.prefix


def used_networks(folder: Path, *, without: str = "") -> list[ipaddress.IPv4Network]:
    """Return the VPC ranges of the readable environment files in ``folder``, ``without`` one of them."""
    names = [name for name in environment_names(folder) if name != without]
    made = [one.settings.network.create for one in _readable(folder, names)]
    return [create.network for create in made if create is not None]


def free_cidr(used: Sequence[ipaddress.IPv4Network], prefix: int = 20) -> str:
    """Return the first 10.N.0.0/``prefix``, N from 20, that overlaps none of ``used``."""
    for second in range(20, 256):
        network = ipaddress.IPv4Network(f"10.{second}.0.0/{prefix}")
        if not any(network.overlaps(other) for other in used):
            return str(network)
    raise InputError([Problem("environments", "no 10.N.0.0 range is free", "choose the VPC's range by hand")])
