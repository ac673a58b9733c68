"""From one request and its policies to the decision: which layers are asked, and how they combine."""

from __future__ import annotations

from collections.abc import Mapping

from gatehouse.access.context import Context
from gatehouse.access.model import Decision, Layer, LayerVerdict, Levels, Outcome, Policies
from gatehouse.access.policy import Statement
from gatehouse.access.principals import Reach
from gatehouse.access.request import Principal, Request, Sort

#: Actions that a role's trust policy decides about.
_TRUST_ACTIONS = frozenset(
    {
        "sts:assumerole",
        "sts:assumerolewithsaml",
        "sts:assumerolewithwebidentity",
        "sts:setsourceidentity",
        "sts:tagsession",
    }
)
#: Layers that must allow whoever asks, in the order in which a missing Allow is reported.
_ALWAYS_LIMITING = (Layer.RESOURCE_CONTROL, Layer.SERVICE_CONTROL, Layer.ENDPOINT)
_NOTHING_SAID = LayerVerdict(Outcome.IMPLICITLY_DENIED)

Verdicts = Mapping[Layer, LayerVerdict]


def evaluate(request: Request, policies: Policies) -> Decision:
    """Return the decision on one request.

    A Deny that applies, in any layer, wins. Otherwise every layer that limits must allow, and one that grants.

    Not modelled, so that none of it allows: grants of KMS, access control lists of S3, and what a service does
    by itself beside IAM. An endpoint policy is read as a resource policy is; the gateway endpoints of S3 and
    DynamoDB take an account in it for its root user alone.

    Source: IAM User Guide, "How AWS enforcement code logic evaluates requests to allow or deny access".

    Raises:
        MalformedPolicyError: a policy that AWS would refuse.
        MalformedRequestError: a request that nothing can be decided about.

    """
    levels = policies.levels(is_trust=_is_trust(request))
    facts = request.facts
    unasked = _unasked(request.principal)
    has_boundary = Layer.BOUNDARY in levels and Layer.BOUNDARY not in unasked
    verdicts = {
        layer: _ask(request, facts, of_layer, has_boundary=has_boundary)
        for layer, of_layer in levels.items()
        if layer not in unasked
    }
    for layer, verdict in verdicts.items():
        if verdict.outcome is Outcome.EXPLICITLY_DENIED:
            return Decision(verdict.outcome, layer, verdict.statements[0], verdicts)
    for layer in _ALWAYS_LIMITING:
        if layer in verdicts and verdicts[layer].outcome is not Outcome.ALLOWED:
            return Decision(Outcome.IMPLICITLY_DENIED, layer, None, verdicts)
    if _is_root_assuming(request):
        return Decision(Outcome.IMPLICITLY_DENIED, Layer.RESOURCE, None, verdicts)
    if not request.principal.has_identity_policies:
        return _for_outsider(verdicts)
    if request.is_in_account:
        return _in_account(request, verdicts)
    return _across_accounts(request, verdicts)


def _is_trust(request: Request) -> bool:
    return ":role/" in request.resource.arn and request.action.lower() in _TRUST_ACTIONS


def _is_root_assuming(request: Request) -> bool:
    """Whether an account's root asks for a role's session, which it never gets, whatever the role trusts.

    Source: AWS STS API Reference, "AssumeRole" (credentials of the root user are refused).
    """
    return request.principal.sort is Sort.ROOT and request.action.lower() == "sts:assumerole"


def _is_kms_key(request: Request) -> bool:
    return ":key/" in request.resource.arn and request.action.lower().startswith("kms:")


def _unasked(principal: Principal) -> tuple[Layer, ...]:
    """Return the layers that do not apply to who asks, even if they have policies.

    Service control policies apply to the principals of member accounts; neither they nor resource control
    policies to service-linked roles. A boundary or session policy limits a role, a user or a session.

    Source: AWS Organizations User Guide, "Service control policies (SCPs)" and "Resource control policies
    (RCPs)"; IAM User Guide, "Permissions boundaries for IAM entities".
    """
    if not principal.has_identity_policies:
        return Layer.SERVICE_CONTROL, Layer.IDENTITY, Layer.BOUNDARY, Layer.SESSION
    if principal.sort is Sort.ROOT:
        return Layer.BOUNDARY, Layer.SESSION
    if principal.is_service_linked:
        return Layer.SERVICE_CONTROL, Layer.RESOURCE_CONTROL
    return ()


def _ask(request: Request, facts: Context, levels: Levels, *, has_boundary: bool) -> LayerVerdict:
    """Return what one layer says: a Deny anywhere denies, and every level needs an Allow.

    Source: AWS Organizations User Guide, "SCP evaluation" (a level without an Allow denies); a layer of
    another kind has one level.
    """
    principal, action, arn = request.principal, request.action, request.resource.arn
    denying: list[Statement] = []
    allowing: list[Statement] = []
    weakest = Reach.DIRECT
    for policies in levels:
        best, best_reach = None, Reach.NONE
        for policy in policies:
            for statement in policy.applying(action, arn, facts):
                reach = statement.reach(principal, has_boundary=has_boundary)
                if reach is Reach.NONE:
                    continue
                if statement.is_deny:
                    denying.append(statement)
                elif reach > best_reach:
                    best, best_reach = statement, reach
        weakest = min(weakest, best_reach)
        if best is not None:
            allowing.append(best)
    if denying:
        return LayerVerdict(Outcome.EXPLICITLY_DENIED, tuple(denying))
    if weakest is Reach.NONE:
        return _NOTHING_SAID
    return LayerVerdict(Outcome.ALLOWED, tuple(allowing), weakest)


def _allows(verdicts: Verdicts, layer: Layer, *, if_absent: bool) -> bool:
    return verdicts[layer].outcome is Outcome.ALLOWED if layer in verdicts else if_absent


def _for_outsider(verdicts: Verdicts) -> Decision:
    """Decide for a service, an identity provider's user, or nobody: the resource policy alone grants.

    Source: IAM User Guide, "AWS JSON policy elements: Principal" (service and federated principals, all
    principals), and "Identity-based policies and resource-based policies".
    """
    if not _allows(verdicts, Layer.RESOURCE, if_absent=False):
        return Decision(Outcome.IMPLICITLY_DENIED, Layer.RESOURCE, None, verdicts)
    return _granted(verdicts, Layer.RESOURCE)


def _in_account(request: Request, verdicts: Verdicts) -> Decision:
    """Decide within one account: an Allow of the resource policy or of an identity policy is enough.

    An Allow that names the user, the session or everybody is not limited by boundary and session policy, one
    that names the role is. One that names the account leaves it to the identity policies. The identity
    policies count for a KMS key or the assuming of a role only as far as the key or trust policy allows the
    account. This holds for API Gateway with IAM authorization, too.

    Source: IAM User Guide, "How AWS enforcement code logic evaluates requests to allow or deny access"; KMS
    Developer Guide, "Default key policy"; API Gateway Developer Guide, "How API Gateway resource policies
    affect authorization workflow", Table A.
    """
    reach = verdicts.get(Layer.RESOURCE, _NOTHING_SAID).reach or Reach.NONE
    if reach is Reach.DIRECT:
        return _granted(verdicts, Layer.RESOURCE)
    if reach is Reach.NAMED:
        return _within_limits(request, verdicts, Layer.RESOURCE)
    if reach is Reach.NONE and (_is_trust(request) or _is_kms_key(request)):
        return Decision(Outcome.IMPLICITLY_DENIED, Layer.RESOURCE, None, verdicts)
    if not _identity_allows(request, verdicts):
        return Decision(Outcome.IMPLICITLY_DENIED, Layer.IDENTITY, None, verdicts)
    return _within_limits(request, verdicts, Layer.IDENTITY)


def _across_accounts(request: Request, verdicts: Verdicts) -> Decision:
    """Decide across accounts: the principal's account and the resource's must both allow.

    Source: IAM User Guide, "Cross-account policy evaluation logic".
    """
    if not _identity_allows(request, verdicts):
        return Decision(Outcome.IMPLICITLY_DENIED, Layer.IDENTITY, None, verdicts)
    if not _allows(verdicts, Layer.RESOURCE, if_absent=False):
        return Decision(Outcome.IMPLICITLY_DENIED, Layer.RESOURCE, None, verdicts)
    return _within_limits(request, verdicts, Layer.RESOURCE)


def _identity_allows(request: Request, verdicts: Verdicts) -> bool:
    """Whether the identity policies allow; an account's root needs none.

    Source: IAM User Guide, "How AWS enforcement code logic evaluates requests to allow or deny access".
    """
    return request.principal.sort is Sort.ROOT or _allows(verdicts, Layer.IDENTITY, if_absent=False)


def _within_limits(request: Request, verdicts: Verdicts, granting: Layer) -> Decision:
    """Return the grant, unless boundary or session policy lacks an Allow.

    The session of a federated user has nothing without a session policy.

    Source: IAM User Guide, "Permissions boundaries for IAM entities", "Policies and permissions in IAM"
    ("Session policies") and "How AWS enforcement code logic evaluates requests to allow or deny access".
    """
    if not _allows(verdicts, Layer.BOUNDARY, if_absent=True):
        return Decision(Outcome.IMPLICITLY_DENIED, Layer.BOUNDARY, None, verdicts)
    if not _allows(verdicts, Layer.SESSION, if_absent=not request.principal.is_federated_session):
        return Decision(Outcome.IMPLICITLY_DENIED, Layer.SESSION, None, verdicts)
    return _granted(verdicts, granting)


def _granted(verdicts: Verdicts, layer: Layer) -> Decision:
    statements = verdicts[layer].statements
    return Decision(Outcome.ALLOWED, layer, statements[0] if statements else None, verdicts)
