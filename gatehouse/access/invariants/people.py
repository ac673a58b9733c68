"""What principals are kept from by what limits them, and what is left to them: boundaries, IAM, names, work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from gatehouse.access.iam import TEAM_TAG, Role
from gatehouse.access.invariants.model import Ask, Must, Never, Severity, invariant
from gatehouse.access.invariants.stack import ANOTHER_TEAM, WORK, Near, Stack, Subject, patterns_of
from gatehouse.access.model import Policies
from gatehouse.access.proof import (
    OBJECT_KEY,
    PRINTABLE,
    SEGMENT,
    TEAM,
    AllOf,
    Holds,
    Like,
    Question,
    Symbol,
    Text,
    Who,
    different,
    text,
    unlike,
)
from gatehouse.access.request import Sort
from gatehouse.personas.actions import services

_IDENTITY = ("iam", "organizations", "account")
#: Of STS, what every caller may ask, whatever policies say, and what tells nothing but who one is.
#: Source: IAM User Guide, "Permissions for GetCallerIdentity".
_HARMLESS = ("sts:GetCallerIdentity",)
_OWN_SIGN_IN = (
    "iam:ChangePassword",
    "iam:CreateVirtualMFADevice",
    "iam:EnableMFADevice",
    "iam:GetUser",
    "iam:ListMFADevices",
    "iam:ResyncMFADevice",
)
_ANY_ARN = "arn:*:*:*:*:*"
#: What changes the API, the database or who is in a group of Identity Center.
_CONTROL = (
    "apigateway:DELETE",
    "apigateway:PATCH",
    "apigateway:POST",
    "apigateway:PUT",
    "apigateway:UpdateRestApiPolicy",
    "ec2:CreateLaunchTemplateVersion",
    "identitystore:CreateGroupMembership",
    "rds:ModifyDBInstance",
    "rds:ModifyDBSnapshotAttribute",
    "ssm:SendCommand",
    "sso:CreateAccountAssignment",
)
_ROUTES = "Routes and what they do are those of the catalogue for the MLflow that the servers install."
_PLAIN = (
    "Parameters in a path are plain text, or what makes it look like another path that the policies name."
)
_PATHS = "A role is a persona of the stack by its path, /PREFIX/PERSONA/, where PREFIX is the API's name."


def _limited(stack: Stack) -> Iterator[Subject]:
    """Go through the roles and users; members of a group have no boundary of the stack's unless they are listed."""
    return (one for one in stack.subjects if one.each)


@invariant(
    "identity-is-fixed",
    "Nobody changes who may do what",
    "No role of the stack changes IAM, the account or the organisation, passes a role, tags itself or another, or "
    "becomes another role, whatever is attached to it; a listed user looks after its own "
    "sign-in and becomes a persona.",
    Severity.CRITICAL,
    _PATHS,
)
def identity_is_fixed(stack: Stack) -> Iterator[Never]:
    """Ask under each boundary, of IAM by its own and of STS by roles that trust their account."""
    personas = f"{stack.iam}:role/{stack.prefix}/*"
    for subject in _limited(stack):
        who, is_user = stack.tagged(subject.general), subject.general.sort is Sort.USER
        changes = stack.actions.but(_OWN_SIGN_IN if is_user else (), *_IDENTITY)
        hostile = Policies((stack.anything,), subject.boundary)
        anywhere = text(f"{stack.iam}:", Symbol("identity", PRINTABLE))
        yield Never(subject.name, "changes IAM", (Question(who, changes, anywhere, hostile, stack.account),))
        role = Symbol("becomes", PRINTABLE)
        given = (unlike(text(f"{stack.iam}:role/", role), personas),) if is_user else ()
        trusting = Policies((stack.anything,), subject.boundary, resource=stack.trusts_account)
        becomes = Question(
            who,
            stack.actions.but(_HARMLESS, "sts"),
            text(f"{stack.iam}:role/", role),
            trusting,
            stack.account,
            given=given,
        )
        yield Never(subject.name, "becomes another role", (becomes,))


@invariant(
    "boundaries",
    "Every role and user has a boundary",
    "Every role and user of the document has a permissions boundary, under which nothing that "
    "is attached to it deletes "
    "versions, uses what is not the stack's, or changes the stack; a persona of teams uses no service of AWS but the "
    "API, S3 and KMS.",
    Severity.CRITICAL,
    "AWS makes service-linked roles and their policies; no boundary can be set on them.",
)
def boundaries(stack: Stack) -> Iterator[Never]:
    """Ask for what no boundary leaves open: objects' versions, other buckets, other APIs, functions."""
    bucket, region = stack.artifacts.arn, f"{stack.world.region}:{stack.account}"
    partition = stack.world.partition
    anywhere = text(f"arn:{partition}:", Symbol("resource", PRINTABLE))
    closed = (
        (("s3:DeleteObjectVersion", "s3:PutObjectAcl"), text(f"{bucket}/", Symbol("key", OBJECT_KEY))),
        (("s3:PutBucketPolicy", "s3:DeleteBucket"), text(bucket)),
        (
            ("s3:GetObject", "s3:PutObject"),
            text(f"arn:{partition}:s3:::somebody-elses/", Symbol("key", OBJECT_KEY)),
        ),
        (
            ("execute-api:Invoke",),
            text(f"arn:{partition}:execute-api:{region}:another/", Symbol("call", PRINTABLE)),
        ),
        (("lambda:InvokeFunction",), text(f"arn:{partition}:lambda:{region}:function:any")),
        (("ec2:RunInstances",), text(f"arn:{partition}:ec2:{region}:instance/*")),
        # Who writes what servers boot from, or runs commands of any sort on them, is the servers.
        (("s3:DeleteObject", "s3:PutObject"), text(f"{stack.server_files.arn}/", Symbol("key", OBJECT_KEY))),
        (
            ("ssm:SendCommand", "ssm:StartSession"),
            text(f"arn:{partition}:ssm:{stack.world.region}::document/AWS-", Symbol("document", PRINTABLE)),
        ),
        (_CONTROL, anywhere),
    )
    for subject in _limited(stack):
        for actions, where in closed:
            given = (Like(where, _ANY_ARN),) if where == anywhere else ()
            asked = Question(
                stack.tagged(subject.general),
                actions,
                where,
                stack.bounded(subject),
                stack.account,
                given=given,
            )
            yield Never(subject.name, f"does {actions[0]} or the like", (asked,))
        if subject.persona and subject.persona not in stack.meaning.stack:
            asked = Question(
                stack.tagged(subject.general),
                stack.actions.of(*_other_services()),
                anywhere,
                stack.bounded(subject),
                stack.account,
                given=(Like(anywhere, _ANY_ARN),),
            )
            yield Never(subject.name, "uses another service of AWS", (asked,))


def _other_services() -> tuple[str, ...]:
    """Return all services but those that a persona of teams is for, and what everybody may ask of STS."""
    return tuple(one for one in services() if one not in ("execute-api", "kms", "s3", "sts"))


@invariant(
    "operator-sees-no-data",
    "Operators see no data",
    "An operator reaches no artifact, key, secret, database or route of the API, whatever is attached to the role.",
    Severity.HIGH,
    "Operators are the personas named so (operator), by their roles' path.",
)
def operator_sees_no_data(stack: Stack) -> Iterator[Never]:
    """Ask under the boundary for anything of the services that hold data."""
    services = ("s3", "kms", "secretsmanager", "execute-api", "rds-db")
    for subject in (one for one in stack.personas if one.persona in stack.meaning.stack):
        for service in services:
            place = "::" if service == "s3" else f"{stack.world.region}:{stack.account}:"
            start = f"arn:{stack.world.partition}:{service}:{place}"
            where = text(start, Symbol("resource", PRINTABLE))
            asked = Question(
                stack.tagged(subject.general),
                stack.actions.of(service),
                where,
                stack.bounded(subject),
                stack.account,
            )
            yield Never(subject.name, f"does anything with {service}", (asked,))


@invariant(
    "auditor-sees-no-contents",
    "Auditors see no contents",
    "An auditor reads no artifact, in S3 or through the API, and does not decrypt one.",
    Severity.HIGH,
    "The personas without contents are those named so (auditor, operator), by their roles' path.",
    "Their sessions carry no tag team (see trust-tags).",
    _ROUTES,
    _PLAIN,
)
def auditor_sees_no_contents(stack: Stack) -> Iterator[Never]:
    """Ask for objects and their key with everything attached, and for routes with what is."""
    personas = tuple(one for one in stack.personas if one.persona in stack.meaning.without_contents)
    for subject in personas:
        # A session may have no tag, but has those of its role.
        for who in (stack.untagged(subject.general), *(one for one in subject.each if one.tags)):
            where = text(f"{stack.artifacts.arn}/", Symbol("key", OBJECT_KEY))
            hostile = stack.bounded(subject, stack.artifacts.policy)
            asked = Question(who, stack.actions.of("s3"), where, hostile, stack.account)
            yield Never(subject.name, "uses an object", (asked,))
            key = stack.storage_key
            hostile = stack.bounded(subject, key.policy)
            asked = Question(who, stack.actions.of("kms"), text(key.arn), hostile, stack.account)
            yield Never(subject.name, "uses the artifacts' key", (asked,))
    capabilities = ("artifacts:read", "artifacts:write", "artifacts:delete")
    yield from routes_closed(stack, personas, capabilities, "calls a route that gives contents")


def routes_closed(
    stack: Stack,
    subjects: tuple[Subject, ...],
    capabilities: tuple[str, ...],
    what: str,
    *,
    by_name: bool = False,
) -> Iterator[Never]:
    """Ask for every route of some capabilities, in any team; ``by_name``: two teams' names stand for all."""
    any_team = Symbol("own team", TEAM)
    for subject in subjects:
        of_all = subject.persona in stack.meaning.all_teams
        # What is for every team has a wildcard there, and no variable: two teams' names stand for all.
        teams = (*stack.world.teams[:1], ANOTHER_TEAM) if of_all or by_name else (any_team,)
        own = stack.own(subject)
        policies = stack.effective(subject, stack.world.api.policy)
        # What no Allow of its own policies comes near needs no solver.
        near = Near(one for policy in subject.identity for one in patterns_of(policy, allow_only=True))
        shapes = [
            near.may_match(_call(where)) for where in stack.routes(capabilities, any_team, subject.identity)
        ]
        asked = tuple(
            Question(
                subject.general.tagged(others=True, **{TEAM_TAG: None if of_all else team}),
                ("execute-api:Invoke",),
                where,
                own,
                stack.account,
            )
            for team in teams
            for where, is_near in zip(stack.routes(capabilities, team, subject.identity), shapes, strict=True)
            if is_near
        )
        # By its own policies alone routes are closed at once.
        for one in asked:
            yield Never(subject.name, what, (replace(one, policies=policies),), (one,))
        if not asked:
            yield Never(subject.name, what, ())


def _call(where: Text) -> str:
    """Return the ARN of a call with nothing for the team."""
    return "".join(part if isinstance(part, str) else "" for part in where)


def _others(stack: Stack, but: tuple[str, ...]) -> tuple[Subject, ...]:
    return tuple(one for one in stack.personas if one.persona not in but)


@invariant(
    "records-are-deleted-by-admins",
    "Records are deleted by administrators",
    "No persona but team-admin and platform-admin calls a route that deletes.",
    Severity.HIGH,
    "The personas that delete are those named so, by their roles' path.",
    _ROUTES,
    _PLAIN,
)
def records_are_deleted_by_admins(stack: Stack) -> Iterator[Never]:
    """Ask for every route whose capability ends in delete."""
    deletes = tuple(
        sorted({str(one.capability) for one in stack.catalogue if one.capability.verb == "delete"})
    )
    subjects = _others(stack, stack.meaning.deleters)
    yield from routes_closed(stack, subjects, deletes, "calls a route that deletes")


@invariant(
    "models-are-promoted-by-approvers",
    "Models are promoted by approvers",
    "No persona but model-approver, team-admin and platform-admin calls a route that promotes a model.",
    Severity.HIGH,
    "The personas that promote are those named so, by their roles' path.",
    _ROUTES,
    _PLAIN,
)
def models_are_promoted_by_approvers(stack: Stack) -> Iterator[Never]:
    """Ask for every route that needs registry:promote."""
    subjects = _others(stack, stack.meaning.promoters)
    yield from routes_closed(stack, subjects, ("registry:promote",), "calls a route that promotes")


@invariant(
    "personas-do-no-more",
    "Personas do no more than their work",
    "No built-in persona calls a route that is for something else than its work, or reads or writes artifacts if that "
    "is not its work.",
    Severity.HIGH,
    "What the personas are for is what their names say: the README's table.",
    "Two teams' names stand for all.",
    _ROUTES,
    _PLAIN,
)
def personas_do_no_more(stack: Stack) -> Iterator[Never]:
    """Ask for every route and use of artifacts that a persona does not have to have."""
    known = {str(one.capability) for one in stack.catalogue}
    for subject in (one for one in stack.personas if one.persona in WORK):
        work = WORK[subject.persona or ""]
        others = tuple(sorted(known - set(work)))
        yield from routes_closed(
            stack, (subject,), others, "calls a route that is not for its work", by_name=True
        )
        where = text(f"{stack.artifacts.arn}/", Symbol("key", OBJECT_KEY))
        for capability, action in (("artifacts:read", "s3:GetObject"), ("artifacts:write", "s3:PutObject")):
            if capability not in work:
                who, own = stack.tagged(subject.general), stack.own(subject)
                asked = Question(who, (action,), where, own, stack.account)
                yield Never(subject.name, f"does {action}, which is not its work", (asked,))


@invariant(
    "names-tell-the-team",
    "A role's name tells its team",
    "A persona's role reaches, by its own tags, no team but the one in its name, "
    "PREFIX-TEAM-PERSONA; one without a team "
    "in its name, PREFIX-PERSONA, none. A group's members become the role of the group's name and no other.",
    Severity.HIGH,
    "Bindings give roles and groups these names, and people go by them.",
    _PATHS,
)
def names_tell_the_team(stack: Stack) -> Iterator[Never]:
    """Ask of each role with the tags it has, and of each group's members."""
    for subject in stack.of_one_team:
        for who in subject.each if subject.persona else ():
            named = _team_in_name(stack, subject, str(who.arn[0]))
            team = Symbol("team", SEGMENT)
            asked = Question(
                who,
                stack.actions.of("s3"),
                text(f"{stack.artifacts.arn}/workspaces/", team, "/", Symbol("key", OBJECT_KEY)),
                stack.own(subject),
                stack.account,
                given=(different(team, named),) if named else (),
            )
            yield Never(
                str(who.arn[0]).rpartition("/")[2],
                "uses an object of a team that it is not named for",
                (asked,),
            )
    yield from _members(stack)


def _members(stack: Stack) -> Iterator[Never]:
    """Ask of each group's members; where sessions are tagged, all groups of a persona share its role."""
    for group in stack.world.groups.values():
        subject = next(one for one in stack.subjects if one.name == f"a user in group {group.name}")
        persona, folder = group.path.strip("/").rpartition("/")[2], group.path[1:]
        role, policies = (
            Symbol("becomes", PRINTABLE),
            Policies(subject.identity, resource=stack.trusts_account),
        )
        team = _team_in(stack, group.name, persona)
        other_role = unlike(role, f"{folder}{group.name}", f"{folder}{stack.prefix}-{persona}")
        other_team = Holds("StringNotEquals", "aws:RequestTag/team", team) if team else AllOf(())
        for what, actions, given in (
            ("becomes a role of another name", ("sts:AssumeRole", "sts:TagSession"), other_role),
            ("passes another team", ("sts:TagSession",), other_team),
        ):
            where = text(f"{stack.iam}:role/", role)
            asked = Question(subject.general, actions, where, policies, stack.account, given=(given,))
            yield Never(subject.name, what, (asked,))


def _team_in_name(stack: Stack, subject: Subject, arn: str) -> str | None:
    return _team_in(stack, arn.rpartition("/")[2], subject.persona or "")


def _team_in(stack: Stack, name: str, persona: str) -> str | None:
    """Return the team in the name of a role or group, None if there is none."""
    start, end = f"{stack.prefix}-", f"-{persona}"
    return (
        name[len(start) : -len(end)]
        if name.startswith(start) and name.endswith(end) and len(name) > len(start + end)
        else None
    )


@invariant(
    "personas-work",
    "Personas can do their work",
    "Every role of a persona does in its team what the persona is for.",
    Severity.MEDIUM,
    "What the personas are for is what their names say: the README's table.",
    _ROUTES,
    _PLAIN,
)
def personas_work(stack: Stack) -> Iterator[Ask]:
    """Ask for every route and every use of artifacts that a persona has to have."""
    for subject in stack.personas:
        work = stack.meaning.work.get(subject.persona or "", ())
        for number, who in enumerate(subject.each):
            role = stack.world.roles[str(who.arn[0])]
            # The policies of the others are the same, so that only their tags can keep them from it.
            yield from islice(_work(stack, subject, role, work), None if number == 0 else 1)


def _work(stack: Stack, subject: Subject, role: Role, work: tuple[str, ...]) -> Iterator[Must]:
    team = role.team or (stack.world.teams[0] if _takes_tag(role) and stack.world.teams else None)
    is_wide = subject.persona in stack.meaning.all_teams
    tags = {TEAM_TAG: team} if team and not is_wide else {}
    who, folder = Who.of(role.principal(tags=tags)), team or stack.world.teams[0]
    for where in stack.routes(work, folder):
        if "/ajax-api/" in str(where[0]) and "ui:read" not in work:
            continue
        policies = stack.effective(subject, stack.world.api.policy)
        yield Must(
            role.name,
            f"calls {where[0]}",
            Question(who, ("execute-api:Invoke",), where, policies, stack.account),
        )
    bucket, key = stack.artifacts, stack.storage_key
    uses = {
        "artifacts:read": (("s3:GetObject", "kms:Decrypt"),),
        "artifacts:write": (
            ("s3:PutObject", "kms:GenerateDataKey"),
            ("s3:AbortMultipartUpload", "kms:Decrypt"),
        ),
        "artifacts:delete": (("s3:DeleteObject", None),),
    }
    for capability in (one for one in work if one in uses):
        for action, of_key in uses[capability]:
            model = text(f"{bucket.arn}/workspaces/{folder}/1/model.pkl")
            policies = stack.effective(subject, bucket.policy)
            yield Must(
                role.name,
                f"does {action} in its team",
                Question(who, (action,), model, policies, stack.account),
            )
            if of_key:
                policies = stack.effective(subject, key.policy)
                yield Must(
                    role.name,
                    f"does {of_key} for it",
                    Question(who, (of_key,), text(key.arn), policies, stack.account),
                )


def _takes_tag(role: Role) -> bool:
    return any(one.covers_action("sts:TagSession") and not one.is_deny for one in role.trust.statements)
