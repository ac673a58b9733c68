"""What personas may do: their policies and their boundaries."""

from __future__ import annotations

from tests.mutations.edits import (
    changed,
    condition,
    less,
    more,
    operator,
    policy,
    put,
    renamed,
    text,
    unconditional,
    with_more,
    without,
)
from tests.mutations.mutation import Assigned, Mutation

DEV, PROD = "dev", "prod"
ACCOUNT = "${data.aws_caller_identity.account.account_id}"
SCIENTIST = "aws_iam_policy.identity_data_scientist"
SCIENTIST_ROUTES = "aws_iam_policy.identity_data_scientist_routes_1"
ADMIN = "aws_iam_policy.identity_team_admin"
AUDITOR_ROUTES = "aws_iam_policy.identity_auditor_routes_1"
BOUNDARY = "aws_iam_policy.identity_boundary_team"
ALL_TEAMS = "aws_iam_policy.identity_boundary_all_teams"
SERVICE = "aws_iam_policy.boundary"
GROUP = "aws_iam_group_policy.identity_fraud_data_scientist_group_policy"
TEAM = "$${aws:PrincipalTag/team}"
OBJECTS = f"arn:aws:s3:::mlflow-prod-artifacts-{ACCOUNT}-eu-west-1"
API = f"arn:aws:execute-api:eu-west-1:{ACCOUNT}:${{aws_api_gateway_rest_api.api_rest_api.id}}/api"
LAYERS = "the template makes such a document too, for a persona of all teams or with another tag"
ROUTES = "whether a route is one of the persona's, the route catalogue says"

MUTATIONS = (
    # Objects.
    Mutation(
        "persona-objects",
        "a persona reads every bucket",
        PROD,
        SCIENTIST,
        policy(changed("ArtifactsReadObjects", Resource="*")),
    ),
    Mutation(
        "persona-team",
        "a persona reads every team's objects",
        PROD,
        SCIENTIST,
        policy(changed("ArtifactsReadObjects", Resource=f"{OBJECTS}/workspaces/*/*")),
    ),
    Mutation(
        "persona-team-all",
        "a persona reads and writes every team's objects",
        DEV,
        SCIENTIST,
        text(TEAM, "*"),
        assigned=Assigned.PROOF,
        reason=LAYERS,
    ),
    Mutation(
        "persona-team-fixed",
        "a persona reads another team's objects",
        PROD,
        SCIENTIST,
        policy(changed("ArtifactsReadObjects", Resource=f"{OBJECTS}/workspaces/fraud/*")),
    ),
    Mutation(
        "persona-team-slash",
        "a persona reads what begins with its team's name",
        PROD,
        SCIENTIST,
        text(f"{TEAM}/*", f"{TEAM}*"),
    ),
    Mutation(
        "persona-team-bucket",
        "a persona reads the whole bucket",
        DEV,
        SCIENTIST,
        text(f"workspaces/{TEAM}/*", "*"),
    ),
    Mutation(
        "persona-team-misspelt",
        "a variable that nobody has",
        PROD,
        SCIENTIST,
        text("aws:PrincipalTag/team", "aws:PrincipalTags/team"),
    ),
    Mutation(
        "persona-team-request",
        "the caller says of which team it is",
        PROD,
        SCIENTIST,
        text("aws:PrincipalTag/team", "aws:RequestTag/team"),
        assigned=Assigned.PROOF,
        reason=LAYERS,
    ),
    Mutation(
        "persona-team-other-tag",
        "another tag tells the team",
        PROD,
        SCIENTIST,
        text("aws:PrincipalTag/team", "aws:PrincipalTag/group"),
        assigned=Assigned.PROOF,
        reason=LAYERS,
    ),
    Mutation(
        "persona-names",
        "a persona lists all names",
        PROD,
        SCIENTIST,
        policy(unconditional("ArtifactsReadNames")),
    ),
    Mutation(
        "persona-names-prefix",
        "a persona lists every team's names",
        DEV,
        SCIENTIST,
        policy(condition("ArtifactsReadNames", "StringLike", "s3:prefix", "workspaces/*")),
    ),
    Mutation(
        "persona-names-equal",
        "a persona's prefix is compared as it stands",
        PROD,
        SCIENTIST,
        policy(operator("ArtifactsReadNames", "StringLike", "StringEquals")),
    ),
    Mutation(
        "persona-names-not",
        "a persona lists all names but its own",
        PROD,
        SCIENTIST,
        policy(operator("ArtifactsReadNames", "StringLike", "StringNotLike")),
    ),
    Mutation(
        "persona-names-if",
        "a persona lists names if it gives no prefix",
        DEV,
        SCIENTIST,
        policy(operator("ArtifactsReadNames", "StringLike", "StringLikeIfExists")),
    ),
    Mutation(
        "persona-key",
        "a persona decrypts outside S3",
        PROD,
        SCIENTIST,
        policy(unconditional("ArtifactsReadDecrypt", "StringEquals")),
    ),
    Mutation(
        "persona-key-objects",
        "a persona decrypts other buckets' objects",
        PROD,
        SCIENTIST,
        policy(unconditional("ArtifactsReadDecrypt", "StringLike")),
    ),
    Mutation(
        "persona-keys",
        "a persona decrypts with every key",
        DEV,
        SCIENTIST,
        policy(changed("ArtifactsReadDecrypt", Resource="*")),
    ),
    Mutation(
        "persona-deletes",
        "a persona deletes objects",
        PROD,
        SCIENTIST,
        policy(more("ArtifactsWriteObjects", "Action", "s3:DeleteObject")),
    ),
    Mutation(
        "persona-acl",
        "a persona gives objects away",
        PROD,
        SCIENTIST,
        policy(more("ArtifactsWriteObjects", "Action", "s3:PutObjectAcl")),
    ),
    Mutation(
        "persona-s3",
        "a persona does anything with its objects",
        DEV,
        SCIENTIST,
        policy(changed("ArtifactsWriteObjects", Action="s3:*")),
    ),
    Mutation(
        "persona-pattern",
        "a persona does what begins like a read",
        PROD,
        SCIENTIST,
        policy(changed("ArtifactsReadObjects", Action="s3:Get*")),
    ),
    Mutation(
        "persona-not-action",
        "a persona does all but read",
        PROD,
        SCIENTIST,
        policy(renamed("ArtifactsReadObjects", Action="NotAction")),
    ),
    Mutation(
        "persona-not-resource",
        "a persona reads all but its own objects",
        DEV,
        SCIENTIST,
        policy(renamed("ArtifactsReadObjects", Resource="NotResource")),
    ),
    Mutation(
        "persona-delete-mfa",
        "deletes without a second factor",
        DEV,
        ADMIN,
        policy(unconditional("ArtifactsDeleteObjects")),
    ),
    Mutation(
        "persona-delete-if",
        "deletes if nobody asks for a second factor",
        DEV,
        ADMIN,
        policy(operator("ArtifactsDeleteObjects", "Bool", "BoolIfExists")),
    ),
    # Other services.
    Mutation(
        "persona-pass",
        "a persona passes any role",
        PROD,
        SCIENTIST,
        policy(with_more("Pass", Action="iam:PassRole", Resource="*")),
    ),
    Mutation(
        "persona-pass-own",
        "a persona passes roles of the stack",
        PROD,
        SCIENTIST,
        policy(
            with_more(
                "Pass", Action="iam:PassRole", Resource=f"arn:aws:iam::{ACCOUNT}:role/mlflow-prod-server"
            )
        ),
    ),
    Mutation(
        "persona-tag",
        "a persona tags roles",
        DEV,
        SCIENTIST,
        policy(with_more("Tag", Action="iam:TagRole", Resource=f"arn:aws:iam::{ACCOUNT}:role/mlflow-dev/*")),
    ),
    Mutation(
        "persona-assume",
        "a persona becomes another one",
        PROD,
        SCIENTIST,
        policy(
            with_more(
                "Become",
                Action=["sts:AssumeRole", "sts:TagSession"],
                Resource=f"arn:aws:iam::{ACCOUNT}:role/mlflow-prod/*",
            )
        ),
    ),
    Mutation(
        "persona-secret",
        "a persona reads the database's password",
        PROD,
        SCIENTIST,
        policy(
            with_more(
                "Read",
                Action="secretsmanager:GetSecretValue",
                Resource=f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:rds!db-*",
            )
        ),
    ),
    Mutation(
        "persona-ssm",
        "a persona opens a shell on servers",
        PROD,
        SCIENTIST,
        policy(
            with_more(
                "Shell", Action="ssm:StartSession", Resource=f"arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/*"
            )
        ),
    ),
    Mutation(
        "persona-all",
        "a persona does anything",
        DEV,
        SCIENTIST,
        policy(with_more("All", Action="*", Resource="*")),
    ),
    Mutation(
        "persona-iam",
        "a persona changes IAM",
        PROD,
        SCIENTIST,
        policy(with_more("Iam", Action="iam:*", Resource="*")),
    ),
    Mutation(
        "persona-escalates",
        "a persona attaches policies to itself",
        DEV,
        SCIENTIST,
        policy(with_more("Mend", Action="iam:AttachRolePolicy", Resource=f"arn:aws:iam::{ACCOUNT}:role/*")),
    ),
    # Routes.
    Mutation(
        "persona-routes",
        "a persona calls every route of every API",
        PROD,
        SCIENTIST_ROUTES,
        policy(changed("UiRead", Resource="*")),
    ),
    Mutation(
        "persona-routes-string",
        "a persona calls every route of this API",
        DEV,
        SCIENTIST_ROUTES,
        policy(changed("UiRead", Resource=f"{API}/*")),
    ),
    Mutation(
        "persona-routes-action",
        "a persona manages APIs",
        PROD,
        SCIENTIST_ROUTES,
        policy(changed("UiRead", Action="execute-api:*")),
    ),
    Mutation(
        "persona-routes-allowed",
        "what an auditor is denied is allowed",
        PROD,
        AUDITOR_ROUTES,
        policy(changed("NeverArtifactsRead", Effect="Allow")),
        assigned=Assigned.PROOF,
        reason=ROUTES,
    ),
    Mutation(
        "persona-routes-mfa",
        "what an auditor is denied is denied without a second factor alone",
        PROD,
        AUDITOR_ROUTES,
        text(
            '"Sid":"NeverArtifactsRead","Effect":"Deny"',
            '"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"false"}},"Sid":"NeverArtifactsRead","Effect":"Deny"',
        ),
    ),
    Mutation(
        "persona-routes-team",
        "a persona calls a route for every team",
        PROD,
        SCIENTIST_ROUTES,
        policy(more("UiRead", "Resource", f"{API}/GET/*/experiments/*")),
        assigned=Assigned.PROOF,
        reason=ROUTES,
    ),
    Mutation(
        "persona-routes-one-team",
        "a persona calls a route for team fraud",
        DEV,
        SCIENTIST_ROUTES,
        policy(more("UiRead", "Resource", f"{API}/GET/fraud/*")),
        assigned=Assigned.PROOF,
        reason=ROUTES,
    ),
    Mutation(
        "persona-routes-method",
        "a persona calls a route with any method",
        PROD,
        SCIENTIST_ROUTES,
        policy(more("UiRead", "Resource", f"{API}/*/{TEAM}/experiments/search")),
        assigned=Assigned.PROOF,
        reason=ROUTES,
    ),
    Mutation(
        "persona-routes-stage",
        "a persona calls any stage",
        PROD,
        SCIENTIST_ROUTES,
        policy(
            more(
                "UiRead",
                "Resource",
                f"arn:aws:execute-api:eu-west-1:{ACCOUNT}:${{aws_api_gateway_rest_api.api_rest_api.id}}/*/GET/{TEAM}/experiments/search",
            )
        ),
        assigned=Assigned.PROOF,
        reason=ROUTES,
    ),
    Mutation(
        "persona-routes-delete",
        "a data scientist deletes registered models",
        PROD,
        SCIENTIST_ROUTES,
        policy(more("UiRead", "Resource", f"{API}/DELETE/{TEAM}/api/2.0/mlflow/registered-models/delete")),
        assigned=Assigned.PROOF,
        reason=ROUTES,
    ),
    Mutation(
        "persona-routes-wide",
        "a data scientist calls every POST route of the own team",
        DEV,
        SCIENTIST_ROUTES,
        policy(more("UiRead", "Resource", f"{API}/POST/{TEAM}/*")),
        assigned=Assigned.PROOF,
        reason=ROUTES,
    ),
    Mutation(
        "persona-routes-never",
        "an auditor downloads artifacts through the API",
        PROD,
        AUDITOR_ROUTES,
        policy(without("NeverArtifactsRead")),
        assigned=Assigned.PROOF,
        reason=ROUTES,
    ),
    Mutation(
        "persona-routes-gone",
        "a data scientist lacks a route",
        PROD,
        SCIENTIST_ROUTES,
        policy(without("RunsWrite")),
        assigned=Assigned.PROOF,
        reason=ROUTES,
    ),
    Mutation(
        "persona-objects-gone",
        "a data scientist cannot write artifacts",
        PROD,
        SCIENTIST,
        policy(without("ArtifactsWriteObjects", "ArtifactsWriteEncrypt")),
        assigned=Assigned.PROOF,
        reason="the policy is one that a template makes for another persona",
    ),
    # The boundary of personas.
    Mutation(
        "boundary-else",
        "a persona does what its policies say besides",
        PROD,
        BOUNDARY,
        policy(without("NeverAnythingElse")),
    ),
    Mutation(
        "boundary-else-more",
        "a persona may do one thing more",
        PROD,
        BOUNDARY,
        policy(more("NeverAnythingElse", "NotAction", "s3:PutBucketPolicy")),
    ),
    Mutation(
        "boundary-else-one",
        "a Deny of all but a list is one of the list",
        DEV,
        BOUNDARY,
        policy(renamed("NeverAnythingElse", NotAction="Action")),
    ),
    Mutation(
        "boundary-elsewhere",
        "a persona uses other buckets",
        DEV,
        BOUNDARY,
        policy(without("NeverAnywhereElse")),
    ),
    Mutation(
        "boundary-elsewhere-more",
        "a persona uses one more bucket",
        PROD,
        BOUNDARY,
        policy(more("NeverAnywhereElse", "NotResource", "arn:aws:s3:::theirs/*")),
    ),
    Mutation(
        "boundary-elsewhere-s3",
        "a persona uses other buckets, not other APIs",
        PROD,
        BOUNDARY,
        policy(less("NeverAnywhereElse", "Action", "s3:*")),
    ),
    Mutation(
        "boundary-malformed",
        "a team with a slash in its name",
        PROD,
        BOUNDARY,
        policy(without("NeverWithMalformedTeam")),
    ),
    Mutation(
        "boundary-malformed-slash",
        "a slash in a team's name is well",
        DEV,
        BOUNDARY,
        policy(
            condition(
                "NeverWithMalformedTeam",
                "StringLike",
                "aws:PrincipalTag/team",
                ["*.*", "*:*", "*=*", "*+*", "*@*", "*_*", "* *", ""],
            )
        ),
    ),
    Mutation(
        "boundary-mfa",
        "deletes without a second factor",
        PROD,
        BOUNDARY,
        policy(without("NeverDeleteWithoutMfa")),
    ),
    Mutation(
        "boundary-mfa-bool",
        "access keys count as a second factor",
        DEV,
        BOUNDARY,
        policy(operator("NeverDeleteWithoutMfa", "BoolIfExists", "Bool")),
    ),
    Mutation(
        "boundary-objects",
        "a persona may reach every team's objects",
        PROD,
        BOUNDARY,
        policy(changed("UseArtifacts", Resource=f"{OBJECTS}/*")),
    ),
    Mutation(
        "boundary-actions",
        "a persona may tag objects",
        PROD,
        BOUNDARY,
        policy(more("UseArtifacts", "Action", "s3:PutObjectTagging")),
    ),
    Mutation(
        "boundary-names",
        "a persona may list all names",
        DEV,
        BOUNDARY,
        policy(unconditional("NameArtifacts")),
    ),
    Mutation(
        "boundary-key",
        "a persona may decrypt outside S3",
        PROD,
        BOUNDARY,
        policy(unconditional("UseArtifactKey", "StringEquals")),
    ),
    Mutation(
        "boundary-api",
        "a persona may call every API",
        PROD,
        BOUNDARY,
        policy(changed("CallThisApi", Resource="*")),
    ),
    Mutation(
        "boundary-all",
        "a persona may do anything",
        DEV,
        BOUNDARY,
        policy(with_more("All", Action="*", Resource="*")),
    ),
    Mutation(
        "boundary-all-teams",
        "an auditor may do anything",
        PROD,
        ALL_TEAMS,
        policy(with_more("All", Action="*", Resource="*")),
    ),
    Mutation(
        "boundary-allowed",
        "what is never allowed is",
        PROD,
        BOUNDARY,
        policy(changed("NeverAnywhereElse", Effect="Allow")),
    ),
    Mutation(
        "boundary-teams",
        "a persona may reach every team's objects, consistently",
        PROD,
        BOUNDARY,
        text(TEAM, "*"),
        assigned=Assigned.PROOF,
        reason="the document is the boundary of personas of all teams",
    ),
    # The boundary of services.
    Mutation("boundary-service", "services change IAM", PROD, SERVICE, policy(without("NeverTouchIdentity"))),
    Mutation(
        "boundary-service-less",
        "services become other roles",
        PROD,
        SERVICE,
        policy(less("NeverTouchIdentity", "Action", "sts:AssumeRole*")),
    ),
    Mutation(
        "boundary-service-if",
        "services change IAM with a second factor",
        DEV,
        SERVICE,
        text(
            '"Sid":"NeverTouchIdentity",',
            '"Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}},"Sid":"NeverTouchIdentity",',
        ),
    ),
    Mutation(
        "boundary-service-secrets",
        "services read every secret",
        PROD,
        SERVICE,
        policy(changed("ReadDatabaseSecret", Resource="*")),
    ),
    Mutation(
        "boundary-service-key",
        "services decrypt anything",
        DEV,
        SERVICE,
        policy(unconditional("DecryptThroughServices")),
    ),
    Mutation(
        "boundary-service-writes",
        "services write artifacts",
        PROD,
        SERVICE,
        policy(more("ReadOwnBuckets", "Action", "s3:PutObject")),
    ),
    # Groups.
    Mutation(
        "group-mfa",
        "members become the role without a second factor",
        DEV,
        GROUP,
        policy(unconditional("AssumeRole")),
    ),
    Mutation("group-any", "members become any role", DEV, GROUP, policy(changed("AssumeRole", Resource="*"))),
    Mutation(
        "group-stack",
        "members become any persona",
        DEV,
        GROUP,
        policy(changed("AssumeRole", Resource=f"arn:aws:iam::{ACCOUNT}:role/mlflow-dev/*")),
    ),
    Mutation(
        "group-tags",
        "members choose their team",
        DEV,
        GROUP,
        policy(more("AssumeRole", "Action", "sts:TagSession")),
    ),
    Mutation(
        "group-team",
        "members become another team's role",
        DEV,
        GROUP,
        text("mlflow-dev-fraud", "mlflow-dev-pricing"),
        assigned=Assigned.PROOF,
        reason="who belongs to which team, the access matrix says",
    ),
    # Where a policy says nothing that can be read.
    Mutation(
        "persona-unreadable",
        "a policy that Terraform assembles",
        PROD,
        SCIENTIST,
        put("policy", "${jsonencode({})}"),
    ),
    Mutation(
        "persona-old",
        "a policy in which variables are text",
        PROD,
        SCIENTIST,
        text("2012-10-17", "2008-10-17"),
    ),
)
