"""One policy document, compiled: its statements, checked against the grammar of the policy language."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain
from typing import Any, Self

from gatehouse.access.conditions import Condition, ConditionError, parse_condition
from gatehouse.access.context import Context, Variable
from gatehouse.access.pattern import (
    ARN_COLONS,
    Grammar,
    PatternError,
    Patterns,
    Test,
    Token,
    Wildcard,
    tokens,
)
from gatehouse.access.principals import PrincipalError, Principals, Reach, parse_principals
from gatehouse.access.request import Principal
from gatehouse.errors import GatehouseError, show

WITH_VARIABLES = "2012-10-17"
_VERSIONS = (WITH_VARIABLES, "2008-10-17")
_POLICY_KEYS = frozenset({"Version", "Id", "Statement"})
_STATEMENT_KEYS = frozenset(
    {
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    }
)
_ACTION = re.compile(r"\*|\*:\*|[A-Za-z0-9-]+:[A-Za-z0-9_*?-]+")
#: Sets of values of variables for which the resources of statements are kept ready.
_KEPT = 256
_NO_CONTEXT = Context({})
#: In an ARN: those after "arn" and after the partition.
_COLONS_BEFORE_SERVICE = 2
#: What API Gateway lets a resource policy write instead of the API's whole ARN.
_SHORT_API = "execute-api:/"


class MalformedPolicyError(GatehouseError):
    """A document that AWS would refuse; the message names policy, statement, finding and fix."""

    exit_code = 2


class Kind(Enum):
    """Where a document stands, which decides about Principal and Resource; the value is its name in messages."""

    IDENTITY = "a policy without principals"
    RESOURCE = "a resource-based policy"
    TRUST = "a trust policy"
    RESOURCE_CONTROL = "a resource control policy"


@dataclass(frozen=True)
class Statement:
    """One statement. ``policy`` names its document, ``index`` counts from 0 within it."""

    policy: str
    index: int
    sid: str | None
    is_deny: bool
    actions: Patterns = field(repr=False)
    not_action: bool = field(repr=False)
    resources: Patterns | None = field(repr=False)
    not_resource: bool = field(repr=False)
    principals: Principals | None = field(repr=False)
    conditions: tuple[Condition, ...] = field(repr=False)

    def covers_action(self, action: str) -> bool:
        """Whether the action is one of Action, or none of NotAction; case does not count.

        Source: IAM User Guide, "IAM JSON policy elements: Action" and "IAM JSON policy elements: NotAction".
        """
        return self.actions.filled(_NO_CONTEXT).fits(action) != self.not_action

    def holds(self, context: Context) -> bool:
        """Whether all conditions are met.

        Source: IAM User Guide, "IAM JSON policy elements: Condition".
        """
        for condition in self.conditions:  # noqa: SIM110  # twice as fast as all(), in the innermost loop
            if not condition.holds(context):
                return False
        return True

    def reach(self, principal: Principal, *, has_boundary: bool) -> Reach:
        """Return how directly the statement names who asks."""
        if self.principals is None:
            return Reach.DIRECT
        return self.principals.reach(principal, has_boundary=has_boundary)


class _Candidates:
    """The statements of a policy that cover one action, in their order, to be looked up by resource."""

    def __init__(self, statements: Sequence[Statement]) -> None:
        """Keep the statements; their resources are filled when the values of the variables are known."""
        self._statements = statements
        resources = [one.resources for one in statements if one.resources is not None]
        self._variables = tuple(dict.fromkeys(chain.from_iterable(one.variables for one in resources)))
        self._known: dict[tuple[str | None, ...], list[_Candidate]] = {}

    def applying(self, arn: str, context: Context) -> list[Statement]:
        """Return those whose resource and conditions fit.

        Without Resource, a statement is about the resource to which its policy is attached.

        Source: IAM User Guide, "IAM JSON policy elements: Resource" and "IAM JSON policy elements: NotResource".
        """
        values = context.of(self._variables)
        known = self._known.get(values)
        if known is None:
            if len(self._known) == _KEPT:
                self._known.clear()
            known = self._known[values] = [_candidate(one, context) for one in self._statements]
        return [
            statement
            for statement, heads, fits, wanted, is_conditional in known
            if arn.startswith(heads)
            and (fits is None or fits(arn) is wanted)
            and (not is_conditional or statement.holds(context))
        ]


#: A statement, beginnings of which every resource of it has one, what a further test must say if there is one, and
#: whether there are conditions.
_Candidate = tuple[Statement, tuple[str, ...], Test | None, bool, bool]


def _candidate(statement: Statement, context: Context) -> _Candidate:
    is_conditional = bool(statement.conditions)
    if statement.resources is None:
        return statement, ("",), None, True, is_conditional
    filled = statement.resources.filled(context)
    if statement.not_resource:
        return statement, ("",), filled.fits, False, is_conditional
    return statement, filled.heads, None if filled.is_decided_by_head else filled.fits, True, is_conditional


@dataclass(frozen=True)
class Policy:
    """A compiled document; ``name`` stands for it in decisions and messages."""

    name: str
    statements: tuple[Statement, ...]
    _by_action: dict[str, _Candidates] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, document: Document, name: str, kind: Kind) -> Policy:
        """Return the policy of a document, or the one given."""
        return document if isinstance(document, Policy) else cls.parse(document, name, kind)

    @classmethod
    def parse(cls, document: Mapping[str, Any], name: str, kind: Kind) -> Self:
        """Compile a document.

        Source: IAM User Guide, "Grammar of the IAM JSON policy language" and "IAM JSON policy elements:
        Version" (2008-10-17 if there is none).

        Raises:
            MalformedPolicyError: what AWS would refuse, or what would silently never match.

        """
        if not isinstance(document, Mapping):
            raise MalformedPolicyError(f"{name}: {show(document)} is no policy. Fix: a JSON object")
        for key in document.keys() - _POLICY_KEYS:
            raise MalformedPolicyError(f"{name}: {show(key)} is no element of a policy. Fix: leave it out")
        version = document.get("Version", "2008-10-17")
        if version not in _VERSIONS:
            raise MalformedPolicyError(f"{name}: Version {show(version)} is none. Fix: {WITH_VARIABLES}")
        listed = document.get("Statement")
        listed = [listed] if isinstance(listed, Mapping) else listed
        if not isinstance(listed, list | tuple) or not listed:
            raise MalformedPolicyError(f"{name}: no Statement. Fix: at least one")
        statements = tuple(
            _Reader(name, index, one, kind, variables=version == WITH_VARIABLES).statement()
            for index, one in enumerate(listed)
        )
        # Services with policies of their own only recommend it ("Unique Sids recommended").
        sids = [statement.sid for statement in statements if statement.sid and kind is Kind.IDENTITY]
        for sid in sids:
            if sids.count(sid) > 1:
                raise MalformedPolicyError(
                    f"{name}: Sid {show(sid)} is there twice. Fix: one for each statement"
                )
        return cls(name, statements)

    def applying(self, action: str, arn: str, context: Context) -> list[Statement]:
        """Return the statements whose action, resource and conditions fit; principals are not looked at."""
        candidates = self._by_action.get(action)
        if candidates is None:
            candidates = _Candidates([one for one in self.statements if one.covers_action(action)])
            self._by_action[action] = candidates
        return candidates.applying(arn, context)


#: A policy as a parsed JSON object, or compiled already, for use in many decisions.
Document = Mapping[str, Any] | Policy


@dataclass(frozen=True)
class _Reader:
    """Reads one statement; every message names policy and statement."""

    policy: str
    index: int
    element: Any
    kind: Kind
    variables: bool

    def statement(self) -> Statement:
        if not isinstance(self.element, Mapping):
            raise self._refusal(f"{show(self.element)} is no statement. Fix: a JSON object")
        for key in self.element.keys() - _STATEMENT_KEYS:
            raise self._refusal(f"{show(key)} is no element of a statement. Fix: leave it out")
        effect = self.element.get("Effect")
        if effect not in ("Allow", "Deny"):
            raise self._refusal(f"Effect {show(effect)} is none. Fix: Allow or Deny")
        sid = self.element.get("Sid")
        if sid is not None and not isinstance(sid, str):
            raise self._refusal(f"Sid {show(sid)} is no string")
        action_key = self._either("Action", "NotAction")
        if action_key is None:
            raise self._refusal("no Action. Fix: Action or NotAction")
        resource_key = self._resource_key()
        return Statement(
            policy=self.policy,
            index=self.index,
            sid=sid or None,
            is_deny=effect == "Deny",
            actions=Patterns(map(self._action, self._strings(action_key)), Grammar.ANY_CASE),
            not_action=action_key == "NotAction",
            resources=None
            if resource_key is None
            else Patterns(map(self._resource, self._strings(resource_key)), Grammar.RESOURCE),
            not_resource=resource_key == "NotResource",
            principals=self._principals(effect),
            conditions=self._conditions(),
        )

    def _resource_key(self) -> str | None:
        """Return the one of Resource and NotResource that is there; a trust policy has none."""
        key = self._either("Resource", "NotResource")
        if self.kind is Kind.TRUST and key:
            raise self._refusal(f"{key} has no place in {self.kind.value}. Fix: leave it out")
        if self.kind in (Kind.IDENTITY, Kind.RESOURCE_CONTROL) and key is None:
            raise self._refusal("no Resource. Fix: Resource or NotResource")
        return key

    def _action(self, text: str) -> tuple[Token, ...]:
        if not _ACTION.fullmatch(text):
            raise self._refusal(f"action {show(text)} is none. Fix: such as s3:Get*, or *")
        return tokens(text, variables=False, wildcards=True)

    def _resource(self, text: str) -> tuple[Token, ...]:
        try:
            parts = tokens(text, variables=self.variables, wildcards=True)
        except PatternError as error:
            raise self._refusal(f"resource {show(text)} {error}") from error
        if self.kind is Kind.RESOURCE and text.startswith(_SHORT_API):
            parts = tokens("arn:*:execute-api:*:*:*/", variables=False, wildcards=True) + tokens(
                text.removeprefix(_SHORT_API), variables=self.variables, wildcards=True
            )
        elif parts != (Wildcard.MANY,):
            self._check_arn(text, parts)
        return parts

    def _check_arn(self, text: str, parts: tuple[Token, ...]) -> None:
        """Check that a resource is an ARN, or the start of one: the service in full, variables in the last part.

        Source: IAM User Guide, "Access Analyzer policy check reference" (ARN prefix and fields), "IAM JSON policy
        elements: Resource" (no wildcard in the service segment) and "IAM policy elements: Variables and tags"
        (where variables are taken).
        """
        colons = 0
        for part in parts:
            if isinstance(part, str):
                colons += part.count(":")
            elif isinstance(part, Variable) and colons < ARN_COLONS:
                raise self._refusal(f"resource {show(text)} has a variable before the fifth colon")
            elif isinstance(part, Wildcard) and colons == _COLONS_BEFORE_SERVICE:
                raise self._refusal(
                    f"resource {show(text)} has a wildcard in its service. Fix: name the service"
                )
        is_whole = colons >= ARN_COLONS or (colons > _COLONS_BEFORE_SERVICE and Wildcard.MANY in parts)
        if not text.startswith("arn:") or not is_whole:
            raise self._refusal(f'resource {show(text)} is no ARN. Fix: an ARN, or "*"')

    def _principals(self, effect: str) -> Principals | None:
        key = self._either("Principal", "NotPrincipal")
        if self.kind is Kind.IDENTITY:
            if key:
                raise self._refusal(f"{key} has no place in {self.kind.value}. Fix: leave it out")
            return None
        if key is None:
            raise self._refusal(f"no Principal, which {self.kind.value} needs. Fix: name who is meant")
        if key == "NotPrincipal" and (effect == "Allow" or self.kind is not Kind.RESOURCE):
            raise self._refusal("NotPrincipal is for Deny in a resource-based policy. Fix: use Principal")
        element = self.element[key]
        if self.kind is Kind.RESOURCE_CONTROL and element != "*":
            raise self._refusal(f'Principal {show(element)}: {self.kind.value} takes "*" only')
        try:
            return parse_principals(element, negated=key == "NotPrincipal", is_deny=effect == "Deny")
        except PrincipalError as error:
            raise self._refusal(f"{key} {error}") from error

    def _conditions(self) -> tuple[Condition, ...]:
        block = self.element.get("Condition", {})
        if not isinstance(block, Mapping) or not all(isinstance(keys, Mapping) for keys in block.values()):
            raise self._refusal("Condition is not of the form {operator: {key: values}}")
        for operator, keys in block.items():
            if len({str(key).lower() for key in keys}) < len(keys):
                raise self._refusal(
                    f"{operator} has one condition key twice, in other letters. Fix: one of them"
                )
        try:
            return tuple(
                parse_condition(operator, key, values, variables=self.variables)
                for operator, keys in block.items()
                for key, values in keys.items()
            )
        except ConditionError as error:
            raise self._refusal(str(error)) from error

    def _either(self, key: str, other: str) -> str | None:
        if key in self.element and other in self.element:
            raise self._refusal(f"{key} and {other} together. Fix: one of them")
        return key if key in self.element else other if other in self.element else None

    def _strings(self, key: str) -> list[str]:
        """Return the strings of an element; with none, the statement never applies.

        Source: IAM User Guide, "Access Analyzer policy check reference", "Empty array action" and "resource".
        """
        value = self.element[key]
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list | tuple) or not all(isinstance(one, str) for one in listed):
            raise self._refusal(f"{key} {show(value)} is neither a string nor a list of strings")
        if not listed and key.startswith("Not"):
            raise self._refusal(f"{key} names nothing, so that it would mean everything. Fix: name something")
        return list(listed)

    def _refusal(self, finding: str) -> MalformedPolicyError:
        sid = self.element.get("Sid") if isinstance(self.element, Mapping) else None
        place = f"statement {self.index}" + (f" ({sid})" if isinstance(sid, str) and sid else "")
        return MalformedPolicyError(f"{self.policy}: {place}: {finding}")
