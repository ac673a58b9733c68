"""What is answered: the policies that apply to a request, and the decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from gatehouse.access.policy import Document, Kind, Policy, Statement
from gatehouse.access.principals import Reach


class Outcome(StrEnum):
    """What a layer says, and what is decided."""

    ALLOWED = "Allowed"
    EXPLICITLY_DENIED = "ExplicitlyDenied"
    IMPLICITLY_DENIED = "ImplicitlyDenied"


class Layer(StrEnum):
    """The kinds of policy that are asked, in the order in which an explicit deny is reported."""

    SERVICE_CONTROL = "service_control_policies"
    RESOURCE_CONTROL = "resource_control_policies"
    ENDPOINT = "endpoint_policy"
    RESOURCE = "resource_policy"
    IDENTITY = "identity_policies"
    BOUNDARY = "permissions_boundary"
    SESSION = "session_policy"


_FULL_ACCESS = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"},
}

#: The documents of one layer: levels that must all allow, each one policies of which one must.
Levels = tuple[tuple[Policy, ...], ...]


@dataclass(frozen=True)
class Policies:
    """The policies that apply to a request; what is None or empty does not exist.

    ``scp`` and ``rcp`` hold a sequence for each level of the organisation, each of which is the policies
    attached there. ``resource`` is also the key policy of a KMS key and the trust policy of a role. Documents
    are compiled at the first decision: keep the object for many decisions, or pass :class:`Policy` objects.
    """

    identity: Sequence[Document] = ()
    boundary: Document | None = None
    session: Document | None = None
    resource: Document | None = None
    endpoint: Document | None = None
    scp: Sequence[Sequence[Document]] = ()
    rcp: Sequence[Sequence[Document]] = ()

    def levels(self, *, is_trust: bool) -> Mapping[Layer, Levels]:
        """Return the compiled documents of each layer that has any, and always of the identity layer.

        ``is_trust``: the resource policy is the trust policy of a role.

        Raises:
            MalformedPolicyError: a document that AWS would refuse.

        """
        return self._with_trust_policy if is_trust else self._with_resource_policy

    @cached_property
    def _with_resource_policy(self) -> Mapping[Layer, Levels]:
        return self._compiled(Kind.RESOURCE)

    @cached_property
    def _with_trust_policy(self) -> Mapping[Layer, Levels]:
        return self._compiled(Kind.TRUST)

    def _compiled(self, kind: Kind) -> Mapping[Layer, Levels]:
        found = {
            Layer.SERVICE_CONTROL: _levels(self.scp, Layer.SERVICE_CONTROL, Kind.IDENTITY),
            Layer.RESOURCE_CONTROL: tuple(
                map(_with_full_access, _levels(self.rcp, Layer.RESOURCE_CONTROL, Kind.RESOURCE_CONTROL))
            ),
            Layer.ENDPOINT: _one(self.endpoint, Layer.ENDPOINT, Kind.RESOURCE),
            Layer.RESOURCE: _one(self.resource, Layer.RESOURCE, kind),
            Layer.IDENTITY: (_named(self.identity, Layer.IDENTITY.value, Kind.IDENTITY),),
            Layer.BOUNDARY: _one(self.boundary, Layer.BOUNDARY, Kind.IDENTITY),
            Layer.SESSION: _one(self.session, Layer.SESSION, Kind.IDENTITY),
        }
        return {layer: levels for layer, levels in found.items() if levels}


def _one(document: Document | None, layer: Layer, kind: Kind) -> Levels:
    return () if document is None else ((Policy.of(document, layer.value, kind),),)


def _levels(levels: Sequence[Sequence[Document]], layer: Layer, kind: Kind) -> Levels:
    return tuple(_named(level, f"{layer.value}[{index}]", kind) for index, level in enumerate(levels))


def _with_full_access(level: tuple[Policy, ...]) -> tuple[Policy, ...]:
    """Return a level of resource control policies with the one that AWS attaches to each and nobody can detach.

    It is taken as given where no Allow is; the policies that an organisation writes itself can only deny.

    Source: AWS Organizations User Guide, "Resource control policies (RCPs)" and "RCP evaluation".
    """
    if any(not statement.is_deny for policy in level for statement in policy.statements):
        return level
    return (*level, Policy.parse(_FULL_ACCESS, "RCPFullAWSAccess", Kind.RESOURCE_CONTROL))


def _named(documents: Sequence[Document], name: str, kind: Kind) -> tuple[Policy, ...]:
    return tuple(Policy.of(one, f"{name}[{index}]", kind) for index, one in enumerate(documents))


@dataclass(frozen=True)
class LayerVerdict:
    """What one layer said by itself, and the statements that made it say so (none for an implicit deny).

    ``reach`` tells for a policy with principals how directly its Allow names who asks: an Allow for the
    account alone leaves it to the identity policies.
    """

    outcome: Outcome
    statements: tuple[Statement, ...] = ()
    reach: Reach | None = None


@dataclass(frozen=True)
class Decision:
    """The decision, the layer and statement that decided it, and what every layer that was asked said.

    ``statement`` is the Deny or the Allow that decided. It is None for an implicit deny, where ``layer`` is
    the first that lacks an Allow, and for an account's root, which needs none.
    """

    outcome: Outcome
    layer: Layer
    statement: Statement | None
    layers: Mapping[Layer, LayerVerdict]

    @property
    def allowed(self) -> bool:
        """Whether the request goes through."""
        return self.outcome is Outcome.ALLOWED
