"""The commented environment file that ``gatehouse init`` writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from gatehouse.access_settings import Binding, PersonaChange, Trust
from gatehouse.environment_file import load_environments
from gatehouse.errors import InputError
from gatehouse.settings import Settings, Visibility
from gatehouse.starter import starter_text, write_starter

FOLDER = Path("environments")
NAME = re.compile(r"^ *#?([a-z_]+):", re.MULTILINE)


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from _models(field.annotation)
    for argument in get_args(annotation):
        yield from _models(argument)


def _text(*, private: bool = False) -> str:
    return starter_text("qa", project="mlflow", region="eu-west-1", private=private, cidr="10.20.0.0/20")


@pytest.mark.parametrize("private", [False, True])
def test_the_file_loads_beside_the_shipped_ones(project: Path, private: bool) -> None:
    path = write_starter(FOLDER, "qa", project="acme", region="us-east-1", private=private)
    assert path == FOLDER / "qa.yaml"
    *_, made = load_environments(FOLDER)
    assert (made.project, made.environment, made.region) == ("acme", "qa", "us-east-1")
    assert (made.api.visibility is Visibility.PRIVATE) == private


def test_the_file_may_be_the_first(tmp_path: Path) -> None:
    folder = tmp_path / "environments"
    write_starter(folder, "dev", project="mlflow", region="eu-west-1")
    assert len(load_environments(folder)) == 1


@pytest.mark.parametrize("private", [False, True])
def test_every_field_is_there_with_its_own_description(private: bool) -> None:
    text = _text(private=private)
    for model in _models(Settings):
        for name, field in model.model_fields.items():
            entry = rf"^ *# {re.escape(field.description or '?')}\n *#?{name}:"
            assert re.search(entry, text, re.MULTILINE), f"{model.__name__}.{name} is not explained"


def test_nothing_is_there_that_the_models_do_not_know() -> None:
    known = {name for model in _models(Settings) for name in model.model_fields}
    assert set(NAME.findall(_text())) <= known


def test_the_fields_stand_in_the_order_of_the_models() -> None:
    top = re.findall(r"^#?([a-z_]+):", _text(), re.MULTILINE)
    assert top == list(Settings.model_fields)


def test_no_line_is_too_long_to_read() -> None:
    assert max(map(len, _text().splitlines())) <= 110


def test_switched_on_the_access_section_has_its_shape() -> None:
    lines = _text().splitlines()
    start = lines.index("access:")
    section = lines[start : next(n for n in range(start, len(lines)) if not lines[n])]
    data = YAML(typ="safe", pure=True).load("\n".join(re.sub(r"#(?! )", "", line) for line in section))
    (binding,) = data["access"]["bindings"]
    assert list(binding) == list(Binding.model_fields)
    assert list(binding["trust"]) == list(Trust.model_fields)
    assert list(data["access"]["personas"]["my-own"]) == list(PersonaChange.model_fields)


def test_an_existing_file_is_kept(project: Path) -> None:
    before = (FOLDER / "dev.yaml").read_bytes()
    with pytest.raises(InputError, match=r"environments/dev\.yaml: exists already\. Fix: .*--force"):
        write_starter(FOLDER, "dev", project="mlflow", region="eu-west-1")
    assert (FOLDER / "dev.yaml").read_bytes() == before


def test_force_writes_over_it_and_may_take_its_range_again(project: Path) -> None:
    write_starter(FOLDER, "dev", project="mlflow", region="eu-west-1", force=True)
    made = load_environments(FOLDER, ["dev"])[0].network.create
    assert made is not None
    assert made.cidr == "10.20.0.0/20"


@pytest.mark.parametrize(
    ("name", "project_name", "region", "problem"),
    [
        ("QA", "mlflow", "eu-west-1", r'QA\.yaml: environment: "QA" is not a name\. Fix: use a-z'),
        ("../qa", "mlflow", "eu-west-1", r'environment: "\.\./qa" is not a name\. Fix: use a-z'),
        ("", "mlflow", "eu-west-1", r'environment: "" is not a name\. Fix: use a-z'),
        ("qa: {x", "mlflow", "eu-west-1", r'environment: "qa: {x" is not a name'),
        ("qa\nregion: x", "mlflow", "eu-west-1", r"environment: .*is not a name"),
        ("true", "Ml_flow", "eu-west-1", r'project: "Ml_flow" is not a name\. Fix: use a-z'),
        ("qa", "mlflow", "eu-west-9", r'region: "eu-west-9" is not a region.*Fix: use one of'),
    ],
)
def test_a_bad_name_writes_nothing(
    project: Path, name: str, project_name: str, region: str, problem: str
) -> None:
    before = sorted(path for path in project.rglob("*"))
    with pytest.raises(InputError, match=problem):
        write_starter(FOLDER, name, project=project_name, region=region)
    assert sorted(path for path in project.rglob("*")) == before


def test_a_name_that_yaml_reads_otherwise_stays_a_name(project: Path) -> None:
    write_starter(FOLDER, "null", project="true", region="eu-west-1")
    (made,) = load_environments(FOLDER, ["null"])
    assert made.prefix == "true-null"


def test_what_must_be_replaced_says_so() -> None:
    marked = [line.strip() for line in _text().splitlines() if line.endswith("# replace by your own")]
    assert [line.split(":")[0] for line in marked] == ["client_cidrs", "teams"]
