"""The personas of an environment: those built in, changed and added to by its file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from gatehouse.fields import ROOT

if TYPE_CHECKING:
    from gatehouse.settings import Settings

#: Of a persona that the file adds and says nothing more of.
DEFAULT_SESSION_HOURS = 1
#: Ends of the names of the managed policies for a persona's routes; that of the policy for the rest has no end.
ROUTE_SUFFIXES = ("-routes-1", "-routes-2")
TEMPLATES = ROOT / "templates" / "policies" / "personas"


class Scope(StrEnum):
    """Whose data a persona works on."""

    TEAM = "team"
    ALL_TEAMS = "all_teams"
    STACK = "stack"


@dataclass(frozen=True)
class Persona:
    """A named set of capabilities; ``template`` is the policy that grants them."""

    name: str
    description: str
    scope: Scope
    session_hours: int
    template: Path


def _built_in(name: str, scope: Scope, session_hours: int, description: str) -> Persona:
    return Persona(name, description, scope, session_hours, TEMPLATES / f"{name}.json.j2")


#: Name -> persona. Sessions are as short as the work allows: whoever may delete or promote signs in again.
BUILT_IN: dict[str, Persona] = {
    persona.name: persona
    for persona in (
        _built_in("reader", Scope.TEAM, 8, "reads experiments, runs, traces, models and artifacts"),
        _built_in(
            "data-scientist", Scope.TEAM, 8, "reader that writes runs and artifacts and registers models"
        ),
        _built_in("model-approver", Scope.TEAM, 4, "reader that promotes models"),
        _built_in("ci-pipeline", Scope.TEAM, 1, "reads and writes runs and artifacts, registers models"),
        _built_in("model-server", Scope.TEAM, 12, "reads registered models and artifacts"),
        _built_in("team-admin", Scope.TEAM, 1, "does everything in its team, deletes included"),
        _built_in(
            "auditor", Scope.ALL_TEAMS, 4, "reads everything but artifact contents and gateway secrets"
        ),
        _built_in("operator", Scope.STACK, 1, "runs the servers and sees logs and metrics, no MLflow data"),
        _built_in("platform-admin", Scope.ALL_TEAMS, 1, "does everything in all teams, workspaces included"),
    )
}


def personas(settings: Settings, folder: Path) -> dict[str, Persona]:
    """Return the personas by name, the built-in ones first.

    ``folder`` is the environment file's own: templates named in the file are relative to it. They are not
    read here.
    """
    found = dict(BUILT_IN)
    for name, change in settings.access.personas.items():
        # An added persona gives description, scope and template itself; the settings have seen to it.
        base = found.get(name, Persona(name, "", Scope.TEAM, DEFAULT_SESSION_HOURS, folder))
        found[name] = replace(
            base,
            description=change.description or base.description,
            scope=change.scope or base.scope,
            session_hours=change.session_hours or base.session_hours,
            template=folder / change.template if change.template else base.template,
        )
    return found
