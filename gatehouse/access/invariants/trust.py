"""Who becomes whom: what trust policies ask of whoever assumes a role."""

from __future__ import annotations

from collections.abc import Iterator

from gatehouse.access.iam import TEAM_TAG, Role
from gatehouse.access.invariants.model import Never, Severity, invariant
from gatehouse.access.invariants.stack import Stack
from gatehouse.access.policy import Statement
from gatehouse.access.proof import (
    AllOf,
    AnyOf,
    Constraint,
    Holds,
    Not,
    Question,
    Who,
    absent,
    anonymous,
    anybody,
    service,
    text,
)
from gatehouse.access.request import Sort

_SIGN_IN = ("sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity")
_ANY = (*_SIGN_IN, "sts:TagSession", "sts:SetSourceIdentity")
_MFA = Holds("Bool", "aws:MultiFactorAuthPresent", "true")
#: AWS services that run the user's own code, which a persona's role may be for.
_RUN_CODE = (
    "ec2.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "lambda.amazonaws.com",
    "sagemaker.amazonaws.com",
)
#: The end of a service role's name, and who assumes it.
_SERVICES = {
    "server": "ec2.amazonaws.com",
    "api-logs": "apigateway.amazonaws.com",
    "flow-logs": "vpc-flow-logs.amazonaws.com",
    "database-monitoring": "monitoring.rds.amazonaws.com",
}
_UNKNOWN_SERVICE = "any-other.amazonaws.com"
_MACHINES = ("token.actions.githubusercontent.com", "app.terraform.io", "oidc.eks.")
#: What a role's description says stands in the place of MFA where the policy itself asks for it.
IN_TOKEN, IN_ASSERTION = "the authentication methods in the token", "the assurance in the SAML assertion"
_IDENTITY_CENTER = (
    "IAM Identity Center alone makes roles below /aws-reserved/sso.amazonaws.com/; it asks for MFA."
)
_DESCRIPTION = (
    "Where MFA is not asked for, the role's description names the statement and what stands in its place, "
    "which people agreed to."
)


def _assumes(stack: Stack, role: Role, who: Who, actions: tuple[str, ...], *given: Constraint) -> Question:
    return Question(who, actions, text(role.arn), stack.alone(role.trust), stack.account, given=given)


def _says_instead(role: Role, statement: Statement) -> bool:
    """Whether a role's description names a statement in place of whose MFA something stands."""
    found = [one for one in role.description.split(". ") if one.startswith("In place of MFA, ")]
    named = {
        name.strip(): text
        for one in found
        for text in [one]
        for name in one[17:].partition(":")[0].split(",")
    }
    said = named.get((statement.sid or "").removesuffix("TeamTag"), "")
    return bool(said) and IN_TOKEN not in said and IN_ASSERTION not in said


@invariant(
    "trust-mfa",
    "Nobody signed in to AWS becomes a persona without MFA",
    "Users and roles become a persona only in a session that began with MFA, or through IAM Identity Center; those of "
    "another account pass an external id as well.",
    Severity.CRITICAL,
    _IDENTITY_CENTER,
    _DESCRIPTION,
)
def trust_mfa(stack: Stack) -> Iterator[Never]:
    """Ask of everybody of every account, each of whom may do everything by its own policies."""
    sso = Holds("ArnLike", "aws:PrincipalArn", f"{stack.iam}:role/aws-reserved/sso.amazonaws.com/*")
    in_account = Holds("StringEquals", "aws:PrincipalAccount", stack.account)
    for role in stack.world.personas:
        agreed = _agreed(role)
        for who in anybody(partition=stack.world.partition):
            allowed = AnyOf((_MFA, sso, *agreed))
            fine = AnyOf((AllOf((in_account, allowed)), AllOf((allowed, Not(absent("sts:ExternalId"))))))
            yield Never(
                f"any {who.sort.value}",
                f"becomes {role.name} without MFA, or from outside without an external id",
                (_assumes(stack, role, who, _SIGN_IN, Not(fine)),),
            )


def _agreed(role: Role) -> tuple[Constraint, ...]:
    """Return who comes without MFA as the role's description says: the principals of its statement, by ARN."""
    named = [
        arn
        for one in role.trust.statements
        if not one.is_deny and _says_instead(role, one) and one.principals is not None
        for arn in one.principals.aws
        if arn != "*"  # nobody can have agreed to everybody
    ]
    return (Holds("ArnEquals", "aws:PrincipalArn", *named),) if named else ()


@invariant(
    "trust-federation",
    "Federated sign-in names audience and subject",
    "Nobody becomes a persona by a token or an assertion but for an audience and, with a token, of a subject that the "
    "policy writes out; people prove a second factor, or the role's description says what stands in its place.",
    Severity.CRITICAL,
    "An identity provider signs for its own people and machines alone.",
    _DESCRIPTION,
)
def trust_federation(stack: Stack) -> Iterator[Never]:
    """Ask of each provider that a policy names, with claims that it does not."""
    for role in stack.world.personas:
        for statement in role.trust.statements:
            for provider in sorted(statement.principals.federated if statement.principals else ()):
                who = Who(Sort.FEDERATED, text(provider))
                for what, given in _claims(role, statement, provider):
                    asked = _assumes(stack, role, who, _SIGN_IN, *given)
                    yield Never(f"whoever {provider} signs in", f"becomes {role.name} {what}", (asked,))


def _claims(role: Role, statement: Statement, provider: str) -> Iterator[tuple[str, tuple[Constraint, ...]]]:
    """Go through what must not be enough: claims other than those written out, no second factor."""
    is_saml = ":saml-provider/" in provider
    issuer = "saml" if is_saml else provider.partition(":oidc-provider/")[2] or provider
    for claim in ("aud",) if is_saml else ("aud", "sub"):
        key = f"{issuer}:{claim}"
        exact = {
            value
            for one in role.trust.statements
            for condition in one.conditions
            if condition.key == key.lower() and condition.operator.endswith("StringEquals")
            for value in condition.values
        }
        listed = (Not(Holds("ForAnyValue:StringEquals", key, *sorted(exact))),) if exact else ()
        yield f"with another {claim} than those written out", listed
    if any(issuer.startswith(one) for one in _MACHINES) or _says_instead(role, statement):
        return
    second = "saml:edupersonassurance" if is_saml else f"{issuer}:amr"
    yield "without a second factor", (absent(second),)


@invariant(
    "trust-services",
    "Services assume the roles that are theirs",
    "The stack's service roles are assumed by the one service each is for, and by nobody else; a persona's role by "
    "services that run the user's own code at most; nobody who is not signed in becomes anything.",
    Severity.CRITICAL,
    "The service roles are those of the names PREFIX-server, -api-logs, -flow-logs and -database-monitoring; any other "
    "role outside the personas' path is for no service.",
)
def trust_services(stack: Stack) -> Iterator[Never]:
    """Ask of every service that any policy names and one that none does, of everybody, and of nobody signed in."""
    named = {
        one
        for role in stack.world.roles.values()
        for statement in role.trust.statements
        if statement.principals is not None
        for one in statement.principals.services
    } - {"*"}
    for role in stack.world.roles.values():
        own = _SERVICES.get(role.name.removeprefix(f"{stack.prefix}-"))
        is_persona = stack.persona_of(role) is not None
        fine = _RUN_CODE if is_persona else (own,)
        for name in sorted({*named, _UNKNOWN_SERVICE} - set(fine)):
            yield Never(name, f"becomes {role.name}", (_assumes(stack, role, service(name), _ANY),))
        yield Never("nobody signed in", f"becomes {role.name}", (_assumes(stack, role, anonymous(), _ANY),))
        if is_persona:
            continue
        strangers = anybody(partition=stack.world.partition)[:-1]
        federated = {
            one for each in role.trust.statements if each.principals for one in each.principals.federated
        }
        for who in (*strangers, *(Who(Sort.FEDERATED, text(one)) for one in sorted(federated))):
            yield Never(f"any {who.sort.value}", f"becomes {role.name}", (_assumes(stack, role, who, _ANY),))


@invariant(
    "trust-tags",
    "Sign-in passes a team's name and no other tag",
    "Whoever becomes a role with a team of its own, or one of all teams, passes no session "
    "tag; whoever becomes another "
    "persona passes the tag team, with nothing in it that no team's name has, and no other; an IAM principal its own.",
    Severity.CRITICAL,
    "Values with capitals or letters beyond ASCII are one segment and equal no team's name.",
)
def trust_tags(stack: Stack) -> Iterator[Never]:
    """Ask of all sorts of principals for sessions with other tags, or without one."""
    for role in stack.world.personas:
        federated = {
            one for each in role.trust.statements if each.principals for one in each.principals.federated
        }
        persona = stack.persona_of(role)
        takes_none = role.team is not None or persona in (*stack.meaning.all_teams, *stack.meaning.stack)
        everybody = anybody(partition=stack.world.partition)
        for who in (*everybody, *(Who(Sort.FEDERATED, text(one)) for one in sorted(federated))):
            if takes_none:
                asked = _assumes(stack, role, who, ("sts:TagSession",))
                yield Never(f"any {who.sort.value}", f"tags a session of {role.name}", (asked,))
                continue
            for what, given in _tags(stack, who):
                asked = _assumes(stack, role, who, ("sts:TagSession",), *given)
                yield Never(f"any {who.sort.value}", f"tags a session of {role.name} {what}", (asked,))
            untagged = _assumes(stack, role, who, _SIGN_IN, absent(f"aws:RequestTag/{TEAM_TAG}"))
            yield Never(f"any {who.sort.value}", f"becomes {role.name} without passing a team", (untagged,))


def _tags(stack: Stack, who: Who) -> Iterator[tuple[str, tuple[Constraint, ...]]]:
    passed = f"aws:RequestTag/{TEAM_TAG}"
    yield "with another tag", (Not(Holds("ForAllValues:StringEquals", "aws:TagKeys", TEAM_TAG)),)
    yield (
        "with what is no team's name",
        (Holds("StringLike", passed, "*/*", "*.*", "*:*", "*=*", "*+*", "*@*", "*_*", "* *", ""),),
    )
    if who.sort is Sort.ROLE:
        yield (
            "with another team than its own",
            (Holds("StringNotEquals", passed, "${aws:PrincipalTag/team}"),),
        )
