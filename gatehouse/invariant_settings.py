"""The section ``access.invariants`` of the environment file: what nobody may do, in a typed form.

Each entry reads: nobody of WHO can DO on WHAT, except when. Gatehouse proves it, or shows who might.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from gatehouse.catalogue.model import AREAS, CAPABILITIES
from gatehouse.fields import DISTINCT, ClientCidr, Model, Name, Pattern, RefusedError, RoleText, VpcEndpointId
from gatehouse.problems import closest

_CAPABILITY_NAMES = tuple(map(str, CAPABILITIES))
Doing = Annotated[
    str,
    Pattern(
        r"[a-z0-9-]+:[A-Za-z][A-Za-z0-9-]*",
        "a capability or an action",
        "write it like registry:delete or s3:DeleteObject, without wildcards",
    ),
]
ArnPattern = Annotated[
    str,
    Pattern(
        r"arn:aws:[a-z0-9-]+:[a-z0-9-]*:\d{0,12}:[!-~]+",
        "the pattern of an ARN",
        "write it like arn:aws:s3:::my-bucket/reports/*, with wildcards in its last part alone",
    ),
]


class Level(StrEnum):
    """How bad it is if an invariant does not hold."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"


class Whose(StrEnum):
    """Whose data."""

    OWN = "own"
    OTHER = "other"
    ANY = "any"


class Meant(Model):
    """Who is meant: every role, user and group of the stack, if nothing is given."""

    personas: Annotated[tuple[Name, ...], Field(strict=False), DISTINCT] = ()
    """Personas that are meant; all principals if empty."""
    except_personas: Annotated[tuple[Name, ...], Field(strict=False), DISTINCT] = ()
    """Personas that are not meant."""


class On(Model):
    """What it is on: a team's data, or what the pattern of an ARN matches."""

    team: Annotated[Whose | None, Field(strict=False)] = None
    """"own", "other" or "any": whose team's data."""
    arn: ArnPattern | None = None
    """Pattern of ARNs."""

    @model_validator(mode="after")
    def _one(self) -> On:
        if (self.team is None) == (self.arn is None):
            raise RefusedError(
                "is not given" if self.team is None else "is given beside arn",
                'give one of the two: team: own, other or any; or arn: "arn:aws:..."',
                field="team",
            )
        return self


class Excuse(Model):
    """When it is no matter: all that is given holds of the request."""

    mfa: bool = False
    """The session began with MFA."""
    networks: Annotated[tuple[ClientCidr, ...], Field(strict=False), DISTINCT] = ()
    """The call comes from one of these IPv4 ranges."""
    endpoints: Annotated[tuple[VpcEndpointId, ...], Field(strict=False), DISTINCT] = ()
    """The call comes through one of these VPC endpoints."""

    @model_validator(mode="after")
    def _something(self) -> Excuse:
        if not (self.mfa or self.networks or self.endpoints):
            raise RefusedError("says nothing", "give mfa: true, networks or endpoints, or leave it out")
        return self


class OwnInvariant(Model):
    """Nobody of ``who`` can do any of ``do`` on ``on``, except when."""

    name: Name
    """Name of the invariant, as verdicts show it."""
    sentence: RoleText | None = None
    """What it says, in one sentence."""
    who: Meant = Meant()
    """Who is meant; everybody in the stack if not given."""
    do: Annotated[tuple[Doing, ...], Field(strict=False, min_length=1), DISTINCT]
    """Capabilities such as registry:delete, and actions such as s3:DeleteObject."""
    on: On = On(team=Whose.ANY)
    """What it is on: any team's data if not given."""
    except_when: Excuse | None = None
    """When it is no matter."""
    severity: Annotated[Level, Field(strict=False)] = Level.HIGH
    """"critical", "high" or "medium"."""

    @model_validator(mode="after")
    def _doable(self) -> OwnInvariant:
        for position, do in enumerate(self.do):
            area, _, verb = do.partition(":")
            is_capability = verb.islower() and area in AREAS
            if is_capability and do not in _CAPABILITY_NAMES:
                meant = closest(do, _CAPABILITY_NAMES)
                raise RefusedError(
                    "is no capability",
                    f'write "{meant}"' if meant else f"{area} has {', '.join(AREAS[area])}",
                    field=f"do.{position}",
                    value=do,
                )
            if is_capability and self.on.arn is not None:
                raise RefusedError(
                    "is a capability, which is on a team's data",
                    'give on: {team: ...}, or actions such as "s3:GetObject"',
                    field=f"do.{position}",
                    value=do,
                )
            if not is_capability and area != "s3" and self.on.arn is None:
                raise RefusedError(
                    "is an action on no team's data",
                    'give on: {arn: "arn:aws:..."}',
                    field=f"do.{position}",
                    value=do,
                )
            if not is_capability and not re.search("[A-Z]", verb):
                meant = closest(do, _CAPABILITY_NAMES)
                raise RefusedError(
                    "is neither a capability nor an action",
                    f'write "{meant}"' if meant else "write it like registry:delete or s3:DeleteObject",
                    field=f"do.{position}",
                    value=do,
                )
        return self
