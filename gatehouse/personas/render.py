"""A persona's template rendered: the managed policies of its roles, and what it was found to grant.

The template says everything (``templates/policies/personas/_macros.json.j2`` tells how it is written). Here it is
filled in, read back as JSON, checked, and cut into documents that fit IAM's quota. The same documents serve every
team, in both modes of binding.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, NoReturn

from gatehouse.catalogue.model import Capability, Catalogue, CatalogueError
from gatehouse.fields import ROOT
from gatehouse.personas.actions import service_of
from gatehouse.personas.check import check_persona, listed
from gatehouse.personas.cover import cover
from gatehouse.personas.grants import Grant, grants
from gatehouse.personas.model import ROUTE_SUFFIXES, Persona, Scope
from gatehouse.policies import (
    REFERENCE,
    Kind,
    PolicyError,
    escape,
    fill,
    macros,
    measure,
    parse_policy,
    within_quota,
)

MACROS = "policies/personas/_macros.json.j2"
#: The caller's own team, and every team.
OWN_TEAM, EVERY_TEAM = "${aws:PrincipalTag/team}", "*"
ARTIFACT_VERBS = ("read", "write", "delete")
INVOKE = "execute-api:Invoke"
#: Managed policies that the routes of one persona may take, of the ten that a role can have.
MOST_ROUTE_POLICIES = len(ROUTE_SUFFIXES)
_ENVELOPE = len('{"Version":"2012-10-17","Statement":[]}')
#: Characters of a statement without its resources: Sid, Effect, Action, a condition on MFA, and what JSON puts between.
_STATEMENT = 180
_FIX_ROUTES = "name fewer capabilities, or split the persona in two"


@dataclass(frozen=True)
class Names:
    """What the documents of one stack name: texts, or references that Terraform resolves.

    ``api`` is the ARN of the API's stage, ``arn:aws:execute-api:REGION:ACCOUNT:ID/STAGE``. ``lengths`` has the number
    of characters that a reference will have once it is resolved.
    """

    region: str
    account: str
    prefix: str
    api: str
    artifact_bucket: str
    storage_key: str
    operations_document: str
    scaling_group: str
    log_groups: tuple[str, ...]
    lengths: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def values(self, scope: Scope) -> dict[str, object]:
        """Return what the template of a persona of this scope may use, and its boundary's."""
        own = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "lengths"}
        return {**own, "team": EVERY_TEAM if scope is Scope.ALL_TEAMS else OWN_TEAM}


@dataclass(frozen=True)
class Document:
    """One managed policy: what its name ends in (after PREFIX-PERSONA), and its text, escaped for Terraform."""

    suffix: str
    text: str


@dataclass(frozen=True)
class Rendered:
    """A persona's managed policies, and what its template asked the macros for.

    ``with_mfa`` are the capabilities that need a second factor, ``artifacts`` the verbs on objects.
    """

    persona: Persona
    documents: tuple[Document, ...]
    capabilities: frozenset[Capability]
    with_mfa: frozenset[Capability]
    artifacts: frozenset[str]


def render_persona(persona: Persona, catalogue: Catalogue, names: Names) -> Rendered:
    """Return the documents of a persona.

    Raises:
        PolicyError: the template cannot be read or filled in, is no policy, names an unknown capability or action,
            grants what no persona may have, or does not fit into IAM's quotas; the message names template and fix.

    """
    name = template_name(persona)
    asked = _Asked(name, persona, catalogue, names)
    document = parse_policy(fill(name, asked.values, text=_read(persona, name)), name)
    check_persona(document, name)
    asked.check_own(document["Statement"])
    return Rendered(
        persona=persona,
        documents=tuple(_documents(name, document["Statement"], names)),
        capabilities=frozenset(asked.capabilities),
        with_mfa=frozenset(asked.with_mfa),
        artifacts=frozenset(asked.artifacts),
    )


def template_name(persona: Persona) -> str:
    """Return the template's path as messages show it."""
    path = persona.template
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


@dataclass(frozen=True)
class _Statement:
    """What the macro ``routes`` writes as one statement."""

    grant: Grant
    mfa: bool = False


@dataclass(frozen=True)
class _Routes:
    allow: tuple[_Statement, ...]
    deny: tuple[_Statement, ...]


class _Asked:
    """Answers a template's calls of the macros, and keeps what it asked for."""

    def __init__(self, name: str, persona: Persona, catalogue: Catalogue, names: Names) -> None:
        self._name, self._catalogue, self._names = name, catalogue, names
        self._every_team = persona.scope is Scope.ALL_TEAMS
        self.capabilities: list[Capability] = []
        self.with_mfa: list[Capability] = []
        self.artifacts: list[str] = []
        given = names.values(persona.scope)
        self._team = str(given["team"])
        self._bucket = f"arn:aws:s3:::{names.artifact_bucket}"
        self._objects = f"{self._bucket}/workspaces/{self._team}/"
        self._written: set[str] = set()
        answers = {"statements": self._statements, "artifact_verbs": self._verbs}
        self.values = {**given, **macros(MACROS, {**given, **answers})}

    def _statements(self, names: Sequence[str], with_mfa: Sequence[str]) -> _Routes:
        if self.capabilities:
            self._refuse("calls routes(...) twice", "name all capabilities in one call")
        if not names:
            self._refuse("calls routes(...) without a capability", "name at least one, such as runs:read")
        try:
            self.capabilities = [Capability.parse(name) for name in names]
            self.with_mfa = [Capability.parse(name) for name in with_mfa]
            return self._covered()
        except CatalogueError as error:
            raise PolicyError(f"{self._name}: {error}") from error

    def _covered(self) -> _Routes:
        plain = cover(self._catalogue, self.capabilities, every_team=self._every_team)
        proved = cover(self._catalogue, self.with_mfa, besides=self.capabilities, every_team=self._every_team)
        if proved.deny:
            self._refuse(
                "asks for a second factor on routes that no ARN tells apart from others",
                "name them without with_mfa, or leave them out",
            )
        api = measure(self._names.api, lengths=self._names.lengths)
        prefix = api + len(f"//{OWN_TEAM}")
        room = MOST_ROUTE_POLICIES * (Kind.MANAGED.quota - _ENVELOPE - _STATEMENT)
        allow = grants(plain.patterns, prefix=prefix, room=room)
        denied = grants(plain.deny, prefix=prefix, room=room)
        self._written = {
            f"{self._names.api}/{pattern.method}/{self._team}{pattern.path}"
            for pattern in (*plain.patterns, *proved.patterns)
        }
        return _Routes(
            allow=(
                *(_Statement(grant) for grant in allow),
                *(_Statement(grant, mfa=True) for grant in grants(proved.patterns, prefix=prefix, room=room)),
            ),
            deny=tuple(
                _Statement(grant, mfa=all(c in self.with_mfa for p in grant.patterns for c in p.capabilities))
                for grant in denied
            ),
        )

    def check_own(self, statements: Iterable[dict[str, Any]]) -> None:
        """Refuse grants of routes and objects that the macros did not write: nothing would keep them exact.

        Raises:
            PolicyError: the first one.

        """
        for statement in statements:
            if statement["Effect"] != "Allow":
                continue
            services = {service_of(action) for action in listed(statement, "Action")}
            for resource in listed(statement, "Resource"):
                if "execute-api" in services and resource not in self._written:
                    self._refuse(f"{statement['Sid']} grants {resource} by hand", "call routes(...)")
                if "s3" in services and not resource.startswith(self._objects) and resource != self._bucket:
                    self._refuse(
                        f"{statement['Sid']} grants {resource}",
                        f"name objects that begin with {self._objects}, or call artifacts(...)",
                    )
                if "kms" in services and resource != self._names.storage_key:
                    self._refuse(f"{statement['Sid']} grants the key {resource}", "call artifacts(...)")

    def _verbs(self, verbs: Sequence[str]) -> list[str]:
        wrong = [verb for verb in verbs if verb not in ARTIFACT_VERBS]
        if wrong:
            self._refuse(f"calls artifacts({wrong[0]!r})", f"use {', '.join(map(repr, ARTIFACT_VERBS))}")
        if self.artifacts or not verbs:
            self._refuse("calls artifacts(...) twice, or without a verb", "name all verbs in one call")
        self.artifacts = [verb for verb in ARTIFACT_VERBS if verb in verbs]
        return self.artifacts

    def _refuse(self, problem: str, fix: str) -> NoReturn:
        raise PolicyError(f"{self._name}: {problem}. Fix: {fix}")


def _read(persona: Persona, name: str) -> str:
    try:
        text = persona.template.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise PolicyError(
            f"{name}: the template of {persona.name} cannot be read: {reason}. Fix: correct its path, or the file"
        ) from error
    if REFERENCE.search(text):
        raise PolicyError(f"{name}: holds a reference of cdktf. Fix: use a value that the template is given")
    return text


def _documents(name: str, statements: Sequence[dict[str, Any]], names: Names) -> Iterable[Document]:
    """Cut a persona's statements into managed policies: those on routes apart from all others."""
    routes = [statement for statement in statements if _is_route(statement)]
    parts = list(_cut(routes, names.lengths))
    if len(parts) > MOST_ROUTE_POLICIES:
        raise PolicyError(
            f"{name}: its routes need {len(parts)} managed policies of {Kind.MANAGED.quota} characters; "
            f"{MOST_ROUTE_POLICIES} are allowed. Fix: {_FIX_ROUTES}"
        )
    for suffix, part in zip(ROUTE_SUFFIXES, parts, strict=False):
        yield Document(suffix, _text(name, part, names, _FIX_ROUTES))
    others = [statement for statement in statements if not _is_route(statement)]
    if others:
        yield Document("", _text(name, others, names, "shorten the template"))


def _is_route(statement: dict[str, Any]) -> bool:
    return statement.get("Action") == INVOKE and isinstance(statement.get("Resource"), list)


def _text(name: str, statements: list[dict[str, Any]], names: Names, fix: str) -> str:
    document = {"Version": "2012-10-17", "Statement": statements}
    return escape(within_quota(document, Kind.MANAGED, name, lengths=names.lengths, fix=fix))


def _cut(statements: Iterable[dict[str, Any]], lengths: Mapping[str, int]) -> Iterable[list[dict[str, Any]]]:
    """Fill one document after the other; a statement that does not fit whole goes on in the next one."""
    room, part = Kind.MANAGED.quota - _ENVELOPE, list[dict[str, Any]]()
    for statement in statements:
        rest = list(statement["Resource"])
        while rest:
            bare = measure(json.dumps({**statement, "Resource": []}), lengths=lengths) + 1
            taken, used = list[str](), bare
            while rest and used + (size := measure(json.dumps(rest[0]), lengths=lengths) + 1) <= room:
                taken.append(rest.pop(0))
                used += size
            if taken:
                part.append({**statement, "Resource": taken})
                room -= used
            if rest:
                yield part
                room, part = Kind.MANAGED.quota - _ENVELOPE, []
    if part:
        yield part
