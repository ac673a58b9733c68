"""What is allowed, as a formula: the layers combined as :func:`gatehouse.access.evaluate` combines them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gatehouse.access.conditions import Condition
from gatehouse.access.context import Context
from gatehouse.access.evaluate import _TRUST_ACTIONS as TRUST_ACTIONS
from gatehouse.access.model import Layer, Levels, Policies
from gatehouse.access.policy import Policy, Statement
from gatehouse.access.principals import Reach
from gatehouse.access.proof.conditions import applies, reaches, variables_in, variables_of
from gatehouse.access.proof.formula import Formula, Formulas
from gatehouse.access.proof.keys import Keys
from gatehouse.access.proof.question import Who
from gatehouse.access.proof.text import ProofError, Text, text
from gatehouse.access.request import Sort

_NO_CONTEXT = Context({})
_LIMITING = (Layer.RESOURCE_CONTROL, Layer.SERVICE_CONTROL, Layer.ENDPOINT)


class Statements:
    """Which statements of a policy are about an action; looked up once for each policy and action."""

    def __init__(self) -> None:
        """Start with none."""
        self._known: dict[tuple[int, str], tuple[Statement, ...]] = {}
        self._policies: dict[int, Policy] = {}

    def about(self, policy: Policy, action: str) -> tuple[Statement, ...]:
        """Return the statements whose Action or NotAction covers the action."""
        key = (id(policy), action)
        found = self._known.get(key)
        if found is None:
            # The policy is kept, so that no other gets its identity.
            self._policies[id(policy)] = policy
            found = self._known[key] = tuple(
                one for one in policy.statements if one.actions.match(action, _NO_CONTEXT) != one.not_action
            )
        return found


@dataclass(frozen=True)
class Layers:
    """The statements about one action, by layer and level."""

    levels: Mapping[Layer, tuple[tuple[Statement, ...], ...]]
    is_trust: bool

    @classmethod
    def about(cls, policies: Policies, action: str, resource: Text, statements: Statements) -> Layers:
        """Return the layers for an action.

        Raises:
            MalformedPolicyError: a policy that AWS would refuse.
            ProofError: it is not known whether the resource is a role, and so its policy a trust policy.

        """
        is_trust = is_about_trust(action, resource)
        levels: Mapping[Layer, Levels] = policies.levels(is_trust=is_trust)
        return cls(
            {
                layer: tuple(
                    tuple(one for policy in level for one in statements.about(policy, action))
                    for level in of_layer
                )
                for layer, of_layer in levels.items()
            },
            is_trust,
        )

    @property
    def identity(self) -> tuple[object, ...]:
        """What is the same for actions that no policy tells apart."""
        return (
            self.is_trust,
            *(
                (layer, tuple(tuple(map(id, level)) for level in levels))
                for layer, levels in self.levels.items()
            ),
        )

    def statements(self) -> Iterator[Statement]:
        """Go through all statements."""
        return (one for levels in self.levels.values() for level in levels for one in level)


def is_about_trust(action: str, resource: Text) -> bool:
    """Whether the trust policy of a role decides.

    Raises:
        ProofError: the resource may be a role or not.

    """
    if action.lower() not in TRUST_ACTIONS:
        return False
    if any(isinstance(part, str) and ":role/" in part for part in resource):
        return True
    if any(not isinstance(part, str) and ":" in part.alphabet.characters for part in resource):
        raise ProofError(f"{action}: the resource may be a role or not. Fix: write out the start of its ARN")
    return False


def asked(statements: Iterator[Statement]) -> tuple[list[Condition], list[str]]:
    """Return the conditions of statements, and the keys that they use as variables."""
    conditions: list[Condition] = []
    variables: list[str] = []
    for statement in statements:
        conditions += statement.conditions
        if statement.resources is not None:
            variables += variables_of(statement.resources.written)
        for condition in statement.conditions:
            variables += variables_in(condition)
    return conditions, variables


@dataclass(frozen=True)
class Asked:
    """One action of a question, under one set of policies."""

    make: Formulas
    keys: Keys
    who: Who
    action: str
    resource: Text
    owner: str
    layers: Layers

    def allowed(self) -> Formula:
        """Return that the request is allowed: :func:`gatehouse.access.evaluate`."""
        is_root = self.who.sort is Sort.ROOT
        if self._never_allowed() or (is_root and self.action.lower() == "sts:assumerole"):
            return False
        make = self.make
        granted = make.all([*self._limits(), self._granted()])
        if granted is False:
            return False
        return make.all([granted, *(make.no(one) for one in self._denies())])

    def _never_allowed(self) -> bool:
        """Whether no Allow is about the action at all, which spares most actions the rest."""
        granting = [Layer.RESOURCE, Layer.IDENTITY]
        has_allow = any(
            not statement.is_deny
            for layer in granting
            for level in self.layers.levels.get(layer, ())
            for statement in level
        )
        return not has_allow and self.who.sort is not Sort.ROOT

    def _is_asked(self, layer: Layer) -> Formula:
        if layer not in self.layers.levels:
            return False
        if layer in (Layer.SERVICE_CONTROL, Layer.RESOURCE_CONTROL):
            linked = self.make.contains(self.who.arn, text(":role/aws-service-role/"))
            return self.make.all(
                [layer is Layer.RESOURCE_CONTROL or self.who.is_signed_in, self.make.no(linked)]
            )
        if layer is Layer.IDENTITY:
            return self.who.is_signed_in
        if layer in (Layer.BOUNDARY, Layer.SESSION):
            return self.who.is_signed_in and self.who.sort is not Sort.ROOT
        return True

    def _denies(self) -> Iterator[Formula]:
        for layer, levels in self.layers.levels.items():
            is_asked = self._is_asked(layer)
            if is_asked is False:
                continue
            for statement in (one for level in levels for one in level if one.is_deny):
                yield self.make.all([is_asked, *self._met(statement, Reach.ACCOUNT)])

    def _met(self, statement: Statement, least: Reach) -> Iterator[Formula]:
        has_boundary = self._is_asked(Layer.BOUNDARY) is True
        yield reaches(self.make, statement.principals, self.who, least, has_boundary=has_boundary)
        yield applies(self.make, self.keys, statement, self.resource)

    def _allows(self, layer: Layer, *, if_absent: bool, least: Reach = Reach.ACCOUNT) -> Formula:
        """Return that each level of a layer has an Allow that names who asks so directly."""
        is_asked = self._is_asked(layer)
        if is_asked is False:
            return if_absent
        allows = self.make.all(self._level_allows(level, least) for level in self.layers.levels[layer])
        return self.make.choose(is_asked, allows, if_absent)

    def _level_allows(self, level: Sequence[Statement], least: Reach) -> Formula:
        return self.make.any(
            self.make.all(self._met(statement, least)) for statement in level if not statement.is_deny
        )

    def _limits(self) -> Iterator[Formula]:
        for layer in _LIMITING:
            yield self._allows(layer, if_absent=True)

    def _granted(self) -> Formula:
        if not self.who.is_signed_in:
            return self._allows(Layer.RESOURCE, if_absent=False)
        if not self.owner:
            return self._in_account()
        in_account = self.make.equal(self.who.account, text(self.owner))
        if in_account is True:
            return self._in_account()
        if in_account is False:
            return self._across_accounts()
        return self.make.choose(in_account, self._in_account(), self._across_accounts())

    def _in_account(self) -> Formula:
        make = self.make
        direct = self._allows(Layer.RESOURCE, if_absent=False, least=Reach.DIRECT)
        if direct is True:
            return True
        named = self._allows(Layer.RESOURCE, if_absent=False, least=Reach.NAMED)
        by_identity = self._identity_allows()
        if self.layers.is_trust or self.action.lower().startswith("kms:"):
            is_bound = self.layers.is_trust or make.contains(self.resource, text(":key/"))
            for_account = self._allows(Layer.RESOURCE, if_absent=False)
            by_identity = make.all([make.choose(is_bound, for_account, True), by_identity])
        return make.any([direct, make.all([make.any([named, by_identity]), *self._within()])])

    def _across_accounts(self) -> Formula:
        return self.make.all(
            [self._identity_allows(), self._allows(Layer.RESOURCE, if_absent=False), *self._within()]
        )

    def _identity_allows(self) -> Formula:
        return self.who.sort is Sort.ROOT or self._allows(Layer.IDENTITY, if_absent=False)

    def _within(self) -> Iterator[Formula]:
        yield self._allows(Layer.BOUNDARY, if_absent=True)
        yield self._allows(Layer.SESSION, if_absent=not self.who.is_federated_session)
