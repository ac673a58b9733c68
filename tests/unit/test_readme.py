"""What the README shows of environment files and persona templates is taken as it stands there."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from gatehouse.bindings import roles
from gatehouse.catalogue.model import Capability
from gatehouse.declared import declared
from gatehouse.environment_file import environment_names
from gatehouse.fields import ROOT
from gatehouse.personas.use import render_bound
from gatehouse.scan.outputs import waiver_table
from gatehouse.scan.waivers import WAIVERS, load_waivers
from gatehouse.settings import Settings
from tests.unit.test_personas import NAMES

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str, holding: str) -> list[str]:
    """Return the README's code blocks of a language that hold a text."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [block for block in found if holding in block]


def only(language: str, holding: str) -> str:
    """Return the one such block."""
    found = blocks(language, holding)
    assert len(found) == 1, (language, holding, len(found))
    return found[0]


def settings_with(text: str) -> Settings:
    """Return the dev example with the sections that a block of the README holds."""
    example: dict[str, Any] = YAML(typ="safe").load(ROOT / "environments" / "dev.yaml")
    return Settings.model_validate({**example, **YAML(typ="safe").load(text)})


def test_the_waivers_shown_are_those_that_count() -> None:
    """Written anew by: gatehouse waivers."""
    placed = load_waivers(ROOT / WAIVERS, environment_names(ROOT / "environments"), date(2026, 11, 23))
    shown = README.partition("<!-- waivers -->\n")[2].partition("<!-- end of waivers -->")[0]
    assert shown.strip() == waiver_table(placed).strip()


def test_the_bindings_shown_make_roles() -> None:
    made = [role.name for role in roles(settings_with(only("yaml", "github_actions: {repositories: [acme")))]
    assert made == [
        "mlflow-dev-fraud-data-scientist",
        "mlflow-dev-search-data-scientist",
        "mlflow-dev-fraud-ci-pipeline",
        "mlflow-dev-fraud-team-admin",
    ]


def test_the_persona_shown_is_one(tmp_path: Path) -> None:
    settings = settings_with(only("yaml", "feature-engineer:"))
    template = only("jinja", "environments/personas/feature-engineer.json.j2")
    path = tmp_path / settings.access.personas["feature-engineer"].template  # type: ignore[operator]
    path.parent.mkdir()
    path.write_text(template, encoding="utf-8")
    (rendered,) = render_bound(settings, tmp_path, NAMES)
    assert Capability("datasets", "write") in rendered.capabilities
    assert rendered.artifacts == {"read"}
    assert [document.suffix for document in rendered.documents] == ["-routes-1", ""]
    assert [role.team for role in roles(settings)] == ["fraud"]


def test_the_invariant_shown_is_one() -> None:
    shown = YAML(typ="safe").load(only("yaml", "scientists-delete-nothing"))["access"]
    example = YAML(typ="safe").load(ROOT / "environments" / "dev.yaml")
    settings = Settings.model_validate({**example, "access": {**example["access"], **shown}})
    assert "scientists-delete-nothing" in [one.id for one in declared(settings)]


@pytest.mark.parametrize("kind", ["account_principals", "iam_group", "saml", "oidc", "identity_center",
                                  "github_actions", "terraform_cloud", "eks", "services"])  # fmt: skip
def test_every_kind_of_principal_is_in_the_table(kind: str) -> None:
    assert re.search(rf"^\| `{kind}: ", README, re.MULTILINE)
