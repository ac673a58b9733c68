"""Whom a policy lets in: principals, trust, and the tags by which they are told apart."""

from __future__ import annotations

from collections.abc import Iterator

from gatehouse.scan.documents import PolicyDocument, PolicyKind
from gatehouse.scan.policy_rules.flaw import Flaw
from gatehouse.scan.policy_rules.grants import names_account
from gatehouse.scan.statements import Condition, Statement, covers

#: Keys that say who asks, or on whose behalf a service does; of an anonymous request none has a value.
_WHO = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
        "kms:calleraccount",
    }
)
#: Buckets of AWS that an instance reads packages from, unsigned, so that no principal could be asked for.
#: Source: Amazon Linux 2023 User Guide, "AL2023 repositories"; S3 User Guide, "Gateway endpoints for Amazon S3".
_PACKAGES = (
    "arn:aws:s3:::al2023-repos-*-de612dc2/*",
    "arn:aws:s3:::amazonlinux-2-repos-*/*",
)
#: Services that assume a role without saying for which account. Source: IAM User Guide, "The confused deputy
#: problem" and "Cross-service confused deputy prevention"; the guides of these services name no such key.
_NAMELESS = frozenset({"apigateway.amazonaws.com", "ec2.amazonaws.com", "lambda.amazonaws.com"})
_FOR_WHOM = frozenset({"aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths"})
_ENCRYPTION_CONTEXT = "kms:encryptioncontext:"
_ASSUME = "sts:AssumeRole"
_SAML = "sts:AssumeRoleWithSAML"
_WEB_IDENTITY = "sts:AssumeRoleWithWebIdentity"
_TAG_SESSION = "sts:TagSession"
#: What writes tags on a principal.
_TAG_PRINCIPAL = ("iam:TagRole", "iam:TagUser", "iam:UntagRole", "iam:UntagUser")


def no_not_principal(policy: PolicyDocument) -> Iterator[Flaw]:
    """No Allow is for everybody but a list."""
    for statement in policy.statements:
        if statement.allows and statement.not_principals:
            names = ", ".join(name for _, name in statement.not_principals)
            yield Flaw(f"allows everybody but {names}", statement.place)


def nobody_unknown(policy: PolicyDocument) -> Iterator[Flaw]:
    """An Allow for ``*`` demands an account, an organisation or an ARN."""
    for statement in policy.statements:
        anyone = any(name == "*" for _, name in statement.principals)
        if (
            statement.allows
            and anyone
            and not _says_who(statement)
            and not _reads_packages(policy, statement)
        ):
            yield Flaw("lets everybody in, of any account", statement.place)


def _says_who(statement: Statement) -> bool:
    return any(one.key in _WHO and _is_definite(one) for one in statement.conditions)


def _is_definite(condition: Condition) -> bool:
    """Whether a condition demands one of its values, of which none is a bare wildcard."""
    is_check = condition.name != "Null" and condition.demands_value
    return is_check and all(value.strip("*?") for value in condition.values)


def _reads_packages(policy: PolicyDocument, statement: Statement) -> bool:
    return (
        policy.kind is PolicyKind.ENDPOINT
        and statement.actions == ("s3:GetObject",)
        and bool(statement.resources)
        and covers(_PACKAGES, statement.resources)
    )


def services_on_own_behalf(policy: PolicyDocument) -> Iterator[Flaw]:
    """A service is let in for this account only: others can make it act on theirs, with the same principal.

    What a key encrypts for a service can also be told by its encryption context, which names the resource.
    """
    for statement in policy.statements:
        services = {name for type_, name in statement.principals if type_ == "Service"}
        if policy.kind is PolicyKind.TRUST:
            services -= _NAMELESS
        told = any(
            (one.key in _FOR_WHOM or one.key.startswith(_ENCRYPTION_CONTEXT)) and _is_definite(one)
            for one in statement.conditions
        )
        if statement.allows and services and not told:
            yield Flaw(f"lets {', '.join(sorted(services))} in for any account", statement.place)


def accounts_with_conditions(policy: PolicyDocument) -> Iterator[Flaw]:
    """A role that trusts a whole account says under which condition."""
    if policy.kind is not PolicyKind.TRUST:
        return
    for statement in policy.statements:
        if statement.allows and names_account(statement) and not statement.conditions:
            yield Flaw("trusts a whole account without any condition", statement.place)


def whose_token(policy: PolicyDocument) -> Iterator[Flaw]:
    """A role for web identities says for whom a token was made and whose it is: ``:aud`` and ``:sub``."""
    for statement in policy.statements:
        if not (policy.kind is PolicyKind.TRUST and statement.allows and statement.has_action(_WEB_IDENTITY)):
            continue
        for claim in ("aud", "sub"):
            asked = [
                one for one in statement.conditions if one.key.endswith(f":{claim}") and _is_definite(one)
            ]
            if not asked:
                yield Flaw(f"takes tokens of any {claim}", statement.place)
            for value in (value for one in asked for value in one.values if _is_any_owner(value)):
                yield Flaw(f"takes tokens of {value}, which anybody can get", statement.place)


def whose_assertion(policy: PolicyDocument) -> Iterator[Flaw]:
    """A role for SAML says for whom an assertion was made: ``saml:aud``."""
    for statement in policy.statements:
        takes = policy.kind is PolicyKind.TRUST and statement.allows and statement.has_action(_SAML)
        if takes and not any(_is_definite(one) for one in statement.on("saml:aud")):
            yield Flaw("takes assertions made for anybody", statement.place)


def people_with_second_factor(policy: PolicyDocument) -> Iterator[Flaw]:
    """A role that users of IAM may assume demands MFA: they have access keys, which get lost."""
    for statement in policy.statements:
        if not (policy.kind is PolicyKind.TRUST and statement.allows and statement.has_action(_ASSUME)):
            continue
        asked = [*statement.on("aws:multifactorauthpresent"), *statement.on("aws:multifactorauthage")]
        if not any(one.demands_value for one in asked) and _may_be_users(statement):
            yield Flaw("lets users of IAM in without MFA", statement.place)


def _may_be_users(statement: Statement) -> bool:
    """Whether a principal is a user, or an account whose users no condition on the ARN keeps out."""
    named = any(type_ == "AWS" and ":user/" in name for type_, name in statement.principals)
    asked = [one for one in statement.on("aws:principalarn") if _is_definite(one)]
    only_roles = any(all(":role/" in value for value in one.values) for one in asked)
    return named or (names_account(statement) and not only_roles)


def _is_any_owner(subject: str) -> bool:
    """Whether a subject of GitHub leaves the owner of the repository open."""
    owner, slash, _ = subject.removeprefix("repo:").partition("/")
    return subject.startswith("repo:") and (not slash or "*" in owner or "?" in owner)


def tags_by_others(policy: PolicyDocument) -> Iterator[Flaw]:
    """No principal sets the tag by which it is judged: neither on its session nor on a role or user."""
    for statement in policy.statements:
        if not statement.allows:
            continue
        for tag in sorted(policy.deciding_tags):
            if policy.kind is PolicyKind.TRUST and statement.has_action(_TAG_SESSION):
                if not _keeps_session_tag(statement, tag):
                    yield Flaw(f"lets who assumes the role choose the session tag {tag}", statement.place)
            elif not policy.kind.names_principals and not _leaves_tag(statement, tag):
                yield from _tagging(policy, statement, tag)


def _tagging(policy: PolicyDocument, statement: Statement, tag: str) -> Iterator[Flaw]:
    denials = [one for one in policy.statements if one.denies and not one.conditions and "*" in one.resources]
    for action in _TAG_PRINCIPAL:
        if statement.has_action(action) and not any(denial.has_action(action) for denial in denials):
            yield Flaw(f"lets a principal set the tag {tag} that decides, by {action}", statement.place)


def _keeps_session_tag(statement: Statement, tag: str) -> bool:
    """Whether a session gets only the tag's values that the policy names.

    An identity provider asserts tags itself, so that for its users any condition on the value will do; other
    principals choose them freely.
    """
    asked = [one for one in statement.on(f"aws:requesttag/{tag}") if one.name != "Null"]
    federated = all(type_ == "Federated" for type_, _ in statement.principals)
    return any(federated or _is_definite(one) for one in asked) or _leaves_tag(statement, tag)


def _leaves_tag(statement: Statement, tag: str) -> bool:
    """Whether a statement takes only requests that leave a tag alone."""
    if any(one.says_absent for one in statement.on(f"aws:requesttag/{tag}")):
        return True
    return any(
        one.quantifier == "ForAllValues" and not one.negated and not _has_tag(one, tag)
        for one in statement.on("aws:tagkeys")
    )


def _has_tag(condition: Condition, tag: str) -> bool:
    return any(value.lower() == tag or "*" in value or "?" in value for value in condition.values)
