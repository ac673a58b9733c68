"""The personas that an environment binds, and what they do with artifacts, for the policies of bucket and key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gatehouse.catalogue import shipped
from gatehouse.personas.model import Persona, Scope, personas
from gatehouse.personas.render import Names, Rendered, render_persona
from gatehouse.settings import Settings


@dataclass(frozen=True)
class ArtifactUse:
    """Names of the personas that use artifacts: those of every team, and those that read, write and delete them."""

    every_team: tuple[str, ...]
    readers: tuple[str, ...]
    writers: tuple[str, ...]
    deleters: tuple[str, ...]

    @classmethod
    def of(cls, rendered: Iterable[Rendered]) -> Self:
        """Return what these personas do with artifacts."""
        using = [each for each in rendered if each.artifacts]

        def names(verb: str) -> tuple[str, ...]:
            return tuple(each.persona.name for each in using if verb in each.artifacts)

        return cls(
            every_team=tuple(each.persona.name for each in using if each.persona.scope is Scope.ALL_TEAMS),
            # Whoever writes reads as well: S3 decrypts the parts of a large upload to join them.
            readers=tuple(each.persona.name for each in using if each.artifacts & {"read", "write"}),
            writers=names("write"),
            deleters=names("delete"),
        )


def bound_personas(settings: Settings, folder: Path) -> tuple[Persona, ...]:
    """Return the personas that a binding names; ``folder`` is the environment file's, where its templates are."""
    bound = {binding.persona for binding in settings.access.bindings}
    return tuple(persona for name, persona in personas(settings, folder).items() if name in bound)


def render_bound(settings: Settings, folder: Path, names: Names) -> tuple[Rendered, ...]:
    """Return the bound personas with their documents.

    Raises:
        PolicyError: see :func:`gatehouse.personas.render.render_persona`.

    """
    catalogue = shipped.load(settings.server.mlflow_version)
    return tuple(render_persona(persona, catalogue, names) for persona in bound_personas(settings, folder))
