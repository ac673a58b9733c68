"""Who may become whom, decided by the synthesized policies alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from gatehouse.access import Principal
from gatehouse.access.context import ContextValue
from tests.synth.access_bindings import EKS, EXTERNAL_ID, LEAD, OIDC, PARTNER, SAML
from tests.synth.access_world import (
    ACCOUNT,
    ANYTHING,
    ASSUME,
    FEDERATED,
    IAM,
    MFA,
    NO_MFA,
    OTHER_ACCOUNT,
    PERSONAS,
    REGION,
    WITHOUT_TEAM,
    Caller,
    Context,
    World,
    administrator,
    caller,
)

PEOPLE = ("reader", "data-scientist", "model-approver", "team-admin")
SAML_IN, WEB_IN = "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"
GITHUB, TERRAFORM = "token.actions.githubusercontent.com", "app.terraform.io"
SSO = f"{IAM}:role/aws-reserved/sso.amazonaws.com"
SUFFIX = "0123456789abcdef"

Tags = Mapping[str, str]


def provider(issuer: str, account: str = ACCOUNT) -> Caller:
    return Caller(Principal(f"arn:aws:iam::{account}:oidc-provider/{issuer}"))


def service(name: str) -> Caller:
    return Caller(Principal(service=f"{name}.amazonaws.com"))


def claims(issuer: str, audience: str, subject: str, **others: ContextValue) -> Context:
    named: dict[str, ContextValue] = {"aud": audience, "sub": subject, **others}
    return {f"{issuer}:{claim}": value for claim, value in named.items()}


def github(subject: str, audience: str = "sts.amazonaws.com") -> Context:
    return claims(GITHUB, audience, f"repo:{subject}")


def terraform(workspace: str, phase: str, audience: str = "aws.workload.identity") -> Context:
    run = f"organization:acme:project:research:workspace:{workspace}:run_phase:{phase}"
    return claims(TERRAFORM, audience, run)


def kubernetes(account: str, audience: str = "sts.amazonaws.com", issuer: str = EKS) -> Context:
    return claims(issuer, audience, f"system:serviceaccount:{account}")


@dataclass(frozen=True)
class SignIn:
    """How somebody becomes a persona."""

    persona: str
    who: Caller
    how: str = ASSUME
    context: Context = field(default_factory=dict)

    def succeeds(self, world: World, team: str = "fraud", tags: Tags | None = None) -> bool:
        """Whether STS gives a session with these session tags; passing any is an action of its own."""
        passed: Context = {f"aws:RequestTag/{key}": value for key, value in (tags or {}).items()}
        keys: Context = {"aws:TagKeys": list(tags)} if tags else {}
        role = world.role(self.persona, team)
        return all(
            world.ask(self.who, action, role.arn, self.context, passed, keys).allowed
            for action in [self.how, *(["sts:TagSession"] if tags else [])]
        )

    def tags(self, world: World, team: str = "fraud") -> Tags | None:
        """Return the session tags that the role asks for: none where it has a tag, or needs none."""
        role = world.role(self.persona, team)
        return (
            None if "team" in role.caller.principal.tags or self.persona in WITHOUT_TEAM else {"team": team}
        )


WITH_ID: Context = {**MFA, "sts:ExternalId": EXTERNAL_ID}
AT_SAML: Context = {"saml:aud": "https://signin.aws.amazon.com/saml"}
ASSURED: Context = {**AT_SAML, "saml:edupersonassurance": ["https://refeds.org/profile/mfa"]}
LED = caller(LEAD, team="fraud")
SCIENTIST = caller(f"{SSO}/{REGION}/AWSReservedSSO_Scientist_{SUFFIX}", ANYTHING, team="fraud")
FEDERATION = Caller(Principal(SAML))
OIDC_TOKEN = claims(OIDC, "mlflow", "anna", amr=["mfa", "pwd"])
ON_MAIN, IN_RELEASE = "acme/fraud:ref:refs/heads/main", "acme/fraud:environment:release"

RIGHT = {
    "saml": SignIn("reader", FEDERATION, SAML_IN, AT_SAML),
    "saml of the region": SignIn(
        "reader", FEDERATION, SAML_IN, {"saml:aud": f"https://{REGION}.signin.aws.amazon.com/saml"}
    ),
    "saml with assurance": SignIn("auditor", FEDERATION, SAML_IN, ASSURED),
    "role": SignIn("reader", LED, ASSUME, MFA),
    "role with external id": SignIn("model-approver", LED, ASSUME, WITH_ID),
    "role of another account": SignIn(
        "model-approver", caller(PARTNER, ANYTHING, team="fraud"), ASSUME, WITH_ID
    ),
    "role that operates": SignIn("operator", LED, ASSUME, MFA),
    # Without a list, a group's trust leaves it to IAM which users may come; with one, it names them.
    "user": SignIn("model-approver", caller(f"{IAM}:user/zoe", ANYTHING), ASSUME, MFA),
    "listed user": SignIn("team-admin", caller(f"{IAM}:user/mlflow-dev/anna", ANYTHING), ASSUME, MFA),
    "user of all teams": SignIn(
        "platform-admin", caller(f"{IAM}:user/mlflow-dev/bob", ANYTHING), ASSUME, MFA
    ),
    "oidc": SignIn("data-scientist", provider(OIDC), WEB_IN, OIDC_TOKEN),
    "permission set": SignIn("data-scientist", SCIENTIST),
    "permission set in us-east-1": SignIn(
        "data-scientist", caller(f"{SSO}/AWSReservedSSO_Scientist_{SUFFIX}", ANYTHING, team="fraud")
    ),
    "github branch": SignIn("ci-pipeline", provider(GITHUB), WEB_IN, github(ON_MAIN)),
    "github environment": SignIn("ci-pipeline", provider(GITHUB), WEB_IN, github(IN_RELEASE)),
    "terraform cloud": SignIn("ci-pipeline", provider(TERRAFORM), WEB_IN, terraform("models", "apply")),
    "kubernetes": SignIn("model-server", provider(EKS), WEB_IN, kubernetes("serving:mlflow")),
    "ec2": SignIn("model-server", service("ec2")),
    "sagemaker": SignIn("model-server", service("sagemaker"), ASSUME, {"aws:SourceAccount": ACCOUNT}),
}
#: What was right but for one thing.
WRONG = {
    "saml for another audience": replace(RIGHT["saml"], context={"saml:aud": "https://example.com/saml"}),
    "saml without an audience": replace(RIGHT["saml"], context={}),
    "saml of another provider": replace(RIGHT["saml"], who=Caller(Principal(f"{IAM}:saml-provider/partner"))),
    "saml without assurance": replace(RIGHT["saml with assurance"], context=AT_SAML),
    "saml with another assurance": replace(
        RIGHT["saml with assurance"], context={**AT_SAML, "saml:edupersonassurance": ["low"]}
    ),
    "role without mfa": replace(RIGHT["role"], context=NO_MFA),
    "role without the key of mfa": replace(RIGHT["role"], context=FEDERATED),
    "another role": replace(RIGHT["role"], who=administrator("leader", team="fraud")),
    "the same role of another account": replace(
        RIGHT["role"], who=caller(f"arn:aws:iam::{OTHER_ACCOUNT}:role/lead", ANYTHING, team="fraud")
    ),
    "role with another id": replace(
        RIGHT["role with external id"], context={**MFA, "sts:ExternalId": "gatehouse"}
    ),
    "role without the id": replace(RIGHT["role with external id"], context=MFA),
    "role with the id without mfa": replace(
        RIGHT["role with external id"], context={"sts:ExternalId": EXTERNAL_ID, **NO_MFA}
    ),
    "role of another account without the id": replace(RIGHT["role of another account"], context=MFA),
    "role of another account, not allowed there": replace(
        RIGHT["role of another account"], who=caller(PARTNER, team="fraud")
    ),
    "user without mfa": replace(RIGHT["user"], context=NO_MFA),
    "user of all teams without mfa": replace(RIGHT["user of all teams"], context=FEDERATED),
    "user who is not listed": replace(RIGHT["listed user"], who=caller(f"{IAM}:user/zoe", ANYTHING)),
    "user of all teams who is not listed": replace(
        RIGHT["user of all teams"], who=caller(f"{IAM}:user/zoe", ANYTHING)
    ),
    "user whom nothing allows": replace(RIGHT["user"], who=caller(f"{IAM}:user/zoe")),
    "role in the place of a user": replace(RIGHT["user"], who=administrator(team="fraud")),
    "role of another account, named without an id": replace(
        RIGHT["role that operates"], who=caller(PARTNER, ANYTHING)
    ),
    "role of another account, with an id that nobody asked for": replace(
        RIGHT["role that operates"], who=caller(PARTNER, ANYTHING), context=WITH_ID
    ),
    "operator without mfa": replace(RIGHT["role that operates"], context=NO_MFA),
    "oidc for another audience": replace(RIGHT["oidc"], context=claims(OIDC, "other", "anna", amr=["mfa"])),
    "oidc of another subject": replace(RIGHT["oidc"], context=claims(OIDC, "mlflow", "bob", amr=["mfa"])),
    "oidc without a second factor": replace(
        RIGHT["oidc"], context=claims(OIDC, "mlflow", "anna", amr=["pwd"])
    ),
    "oidc that does not say how": replace(RIGHT["oidc"], context=claims(OIDC, "mlflow", "anna")),
    "oidc of another provider": replace(RIGHT["oidc"], who=provider("idp.example.com/others")),
    "oidc provider of another account": replace(RIGHT["oidc"], who=provider(OIDC, OTHER_ACCOUNT)),
    "another permission set": replace(
        RIGHT["permission set"],
        who=caller(f"{SSO}/{REGION}/AWSReservedSSO_Scientist_Ops_{SUFFIX}", ANYTHING, team="fraud"),
    ),
    "role named like a permission set's": replace(
        RIGHT["permission set"], who=administrator(f"AWSReservedSSO_Scientist_{SUFFIX}", team="fraud")
    ),
    "permission set without permission": replace(
        RIGHT["permission set"], who=caller(SCIENTIST.principal.arn, team="fraud")
    ),
    "github fork": replace(RIGHT["github branch"], context=github(ON_MAIN.replace("acme/", "mallory/"))),
    "github repository that begins alike": replace(
        RIGHT["github branch"], context=github(ON_MAIN.replace("fraud", "fraud-ui"))
    ),
    "another branch": replace(RIGHT["github branch"], context=github(f"{ON_MAIN}-next")),
    "a tag named main": replace(RIGHT["github branch"], context=github(ON_MAIN.replace("heads", "tags"))),
    "a pull request": replace(RIGHT["github branch"], context=github("acme/fraud:pull_request")),
    "another environment": replace(RIGHT["github branch"], context=github("acme/fraud:environment:staging")),
    "github for another audience": replace(
        RIGHT["github branch"], context=github(ON_MAIN, "https://github.com/acme")
    ),
    "github's claims of another provider": replace(RIGHT["github branch"], who=provider(TERRAFORM)),
    "plan of terraform cloud": replace(RIGHT["terraform cloud"], context=terraform("models", "plan")),
    "another workspace": replace(RIGHT["terraform cloud"], context=terraform("models-2", "apply")),
    "terraform cloud for another audience": replace(
        RIGHT["terraform cloud"], context=terraform("models", "apply", "other")
    ),
    "another namespace": replace(RIGHT["kubernetes"], context=kubernetes("default:mlflow")),
    "another service account": replace(RIGHT["kubernetes"], context=kubernetes("serving:default")),
    "kubernetes for another audience": replace(
        RIGHT["kubernetes"], context=kubernetes("serving:mlflow", "kubernetes.default.svc")
    ),
    "another cluster": replace(
        RIGHT["kubernetes"],
        who=provider(EKS.replace("0123", "9999")),
        context=kubernetes("serving:mlflow", issuer=EKS.replace("0123", "9999")),
    ),
    "sagemaker for another account": replace(
        RIGHT["sagemaker"], context={"aws:SourceAccount": OTHER_ACCOUNT}
    ),
    "sagemaker for nobody": replace(RIGHT["sagemaker"], context={}),
    "a service that is not bound": replace(RIGHT["ec2"], who=service("lambda")),
}


@pytest.mark.parametrize("sign_in", RIGHT.values(), ids=RIGHT)
def test_the_bound_principal_becomes_the_persona(world: World, sign_in: SignIn) -> None:
    assert sign_in.succeeds(world, tags=sign_in.tags(world))


@pytest.mark.parametrize("sign_in", WRONG.values(), ids=WRONG)
def test_with_one_thing_wrong_nobody_becomes_the_persona(world: World, sign_in: SignIn) -> None:
    assert not sign_in.succeeds(world, tags=sign_in.tags(world))
    assert not sign_in.succeeds(world)


@pytest.mark.parametrize("sign_in", RIGHT.values(), ids=RIGHT)
def test_a_role_with_its_own_tag_takes_no_session_tag(roles: World, sign_in: SignIn) -> None:
    # A session tag would stand in the place of the role's own.
    for tags in ({"team": "fraud"}, {"team": "search"}, {"Team": "search"}, {"project": "x"}):
        assert not sign_in.succeeds(roles, tags=tags), tags


@pytest.mark.parametrize("sign_in", RIGHT.values(), ids=RIGHT)
def test_machines_and_personas_without_a_team_pass_no_tag(session_tags: World, sign_in: SignIn) -> None:
    tags = sign_in.tags(session_tags)
    assert (tags is not None) == (sign_in.persona in PEOPLE)
    if tags is None:
        for passed in ({"team": "fraud"}, {"team": "search"}, {"project": "x"}):
            assert not sign_in.succeeds(session_tags, tags=passed), passed


@pytest.mark.parametrize("name", [name for name, sign_in in RIGHT.items() if sign_in.persona in PEOPLE])
def test_people_pass_one_team_and_nothing_else(session_tags: World, name: str) -> None:
    sign_in = RIGHT[name]
    own = sign_in.who.principal.tags.get("team")
    bad: list[Tags | None] = [
        None,
        {"Team": "fraud"},
        {"TEAM": "fraud"},
        {"team": "fraud", "project": "x"},
        {"project": "fraud"},
    ]
    bad += [{"team": team} for team in ("", "fraud/1", "fraud ", "fr.ud", "a:b", "a@b", "a_b", "a=b", "a+b")]
    bad += [{"team": team} for team in ("default", "workspaces", "api", "ajax-api", "static-files")]
    bad += [{"team": "fraudulent"}] * (sign_in.persona != "reader")
    bad += [{"team": "search"}] * (own is not None)
    for tags in bad:
        assert not sign_in.succeeds(session_tags, tags=tags), tags
    for team in ("fraud", "search", "fraudulent"):
        if {"team": team} not in bad and own in (None, team):
            assert sign_in.succeeds(session_tags, tags={"team": team}), team


@pytest.mark.parametrize("name", ["role", "role with external id", "permission set"])
def test_a_caller_passes_the_team_of_the_own_tag(session_tags: World, name: str) -> None:
    sign_in = RIGHT[name]
    for own, passed, expected in (
        ({"team": "search"}, "search", True),
        ({"team": "search"}, "fraud", False),
        ({"team": "fraud/1"}, "fraud/1", False),
        ({"team": "*"}, "fraud", False),
        ({"Other": "fraud"}, "fraud", False),
        ({}, "fraud", False),
    ):
        asking = replace(sign_in, who=sign_in.who.tagged(**own))
        assert asking.succeeds(session_tags, tags={"team": passed}) == expected, (own, passed)


def test_nobody_else_becomes_anybody(world: World) -> None:
    everybody = {
        "administrator": administrator(),
        "tagged administrator": administrator(team="fraud"),
        "administrator of another account": caller(f"arn:aws:iam::{OTHER_ACCOUNT}:role/admin", ANYTHING),
        "user of another account": caller(f"arn:aws:iam::{OTHER_ACCOUNT}:user/anna", ANYTHING),
        "nobody": Caller(Principal("*")),
        "lambda": service("lambda"),
        "api gateway": service("edgelambda"),
        "server": world.role("server").caller.hostile(),
        **{persona: world.session(persona).hostile() for persona in PERSONAS},
    }
    context = {**WITH_ID, **ASSURED, "aws:SourceAccount": ACCOUNT}
    tag: Context = {"aws:RequestTag/team": "fraud", "aws:TagKeys": ["team"]}
    for name, who in everybody.items():
        for role in world.roles.values():
            for action in (ASSUME, SAML_IN, WEB_IN, "sts:TagSession", "sts:SetSourceIdentity"):
                for tags in ({}, tag):
                    decision = world.ask(who, action, role.arn, context, tags)
                    assert not decision.allowed, f"{name} {action} {role.name}: {decision.statement}"


@pytest.mark.parametrize(
    ("role", "principal"),
    [
        ("server", "ec2"),
        ("api-logs", "apigateway"),
        ("flow-logs", "vpc-flow-logs"),
        ("database-monitoring", "monitoring.rds"),
    ],
)
def test_the_stacks_own_roles_are_for_one_service(roles: World, role: str, principal: str) -> None:
    sources = {
        "flow-logs": f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc-flow-log/fl-1",
        "database-monitoring": f"arn:aws:rds:{REGION}:{ACCOUNT}:db:{roles.prefix}",
    }
    context: Context = (
        {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": sources[role]} if role in sources else {}
    )
    arn = roles.role(role).arn
    assert roles.ask(service(principal), ASSUME, arn, context).allowed
    assert not roles.ask(service(principal), "sts:TagSession", arn, context).allowed
    for other in {"ec2", "lambda", "apigateway", "vpc-flow-logs", "monitoring.rds"} - {principal}:
        assert not roles.ask(service(other), ASSUME, arn, context).allowed
    if role in sources:
        other_arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/x"
        for wrong in ({"aws:SourceAccount": OTHER_ACCOUNT}, {"aws:SourceArn": other_arn}):
            assert not roles.ask(service(principal), ASSUME, arn, context, wrong).allowed


def member(world: World, persona: str, team: str | None, user: str) -> Caller:
    """Return a member of the persona's group, which the team names where the persona has one."""
    return world.member("-".join(part for part in (world.prefix, team, persona) if part), user)


@pytest.mark.parametrize(
    ("persona", "team", "user"),
    [
        ("team-admin", "fraud", "anna"),
        ("platform-admin", None, "bob"),
        ("model-approver", "fraud", "anna"),
        ("model-approver", "fraud", "somebody-else"),
    ],
)
def test_a_member_becomes_one_persona_with_mfa(
    world: World, persona: str, team: str | None, user: str
) -> None:
    sign_in = SignIn(persona, member(world, persona, team, user), ASSUME, MFA)
    tags = sign_in.tags(world)
    assert sign_in.succeeds(world, tags=tags)
    for context in (NO_MFA, FEDERATED):
        assert not replace(sign_in, context=context).succeeds(world, tags=tags)
    for wrong in ({"team": "search"}, {"team": "fraudulent"}, {"team": "fraud", "x": "y"}, {"Team": "fraud"}):
        assert not sign_in.succeeds(world, tags=wrong), wrong
    own = world.role(persona, team).arn
    for role in world.roles.values():
        if role.arn != own:
            decision = world.ask(sign_in.who, ASSUME, role.arn, MFA)
            assert not decision.allowed, role.name


def test_whom_iam_lets_assume_anything_is_let_in_only_where_no_user_is_listed(world: World) -> None:
    users = f"{IAM}:user"
    others = {
        "user of the account": caller(f"{users}/carol", ANYTHING),
        "user of the same name elsewhere": caller(f"{users}/anna", ANYTHING),
        "user of a path that goes on": caller(f"{users}/{world.prefix}/anna/anna", ANYTHING),
        "user who is listed for another persona": caller(f"{users}/{world.prefix}/bob", ANYTHING),
        "member from elsewhere": member(world, "team-admin", "fraud", "carol").hostile(),
    }
    for name, who in others.items():
        admitted = {
            persona
            for persona in PERSONAS
            for sign_in in [SignIn(persona, who, ASSUME, MFA)]
            if sign_in.succeeds(world) or sign_in.succeeds(world, tags={"team": "fraud"})
        }
        listed = {"platform-admin"} if name == "user who is listed for another persona" else set()
        assert admitted == {"model-approver", *listed}, name
        assert not SignIn("model-approver", who, ASSUME, NO_MFA).succeeds(world), name
    assert not SignIn("model-approver", administrator(), ASSUME, MFA).succeeds(world)


def test_a_member_of_a_group_passes_the_groups_team(session_tags: World) -> None:
    for team in ("fraud", "search"):
        member = session_tags.member(f"{session_tags.prefix}-{team}-team-admin")
        for passed in ("fraud", "search", "fraudulent"):
            sign_in = SignIn("team-admin", member, ASSUME, MFA)
            assert sign_in.succeeds(session_tags, tags={"team": passed}) == (team == passed)
        assert not sign_in.succeeds(session_tags)
