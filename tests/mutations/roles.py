"""Roles, users and groups: who becomes whom, and what is attached to them."""

from __future__ import annotations

from tests.mutations.edits import (
    added,
    changed,
    condition,
    drop,
    insert,
    more,
    operator,
    put,
    trust,
    unconditional,
    with_more,
)
from tests.mutations.mutation import Assigned, Mutation

DEV, PROD = "dev", "prod"
ACCOUNT = "${data.aws_caller_identity.account.account_id}"
SERVER = "aws_iam_role.server_role"
FLOW = "aws_iam_role.flow_logs_role"
SCIENTIST = "aws_iam_role.identity_data_scientist_role"
FRAUD = "aws_iam_role.identity_fraud_data_scientist_role"
ADMIN = "aws_iam_role.identity_pricing_team_admin_role"
APPROVER = "aws_iam_role.identity_model_approver_role"
AUDITOR = "aws_iam_role.identity_auditor_role"
PIPELINE = "aws_iam_role.identity_pricing_ci_pipeline_role"
MODEL_SERVER = "aws_iam_role.identity_pricing_model_server_role"
GITHUB = "token.actions.githubusercontent.com"
TERRAFORM = "app.terraform.io"
IDENTITY_PROVIDER = "idp.example.com/realms/corp"
STRANGER = {"AWS": "arn:aws:iam::444455556666:root"}
ATTACHMENT = "aws_iam_role_policy_attachment.side"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
BINDING = "who may be which persona of which team, the access matrix says"

MUTATIONS = (
    # Boundaries.
    Mutation(
        "role-boundary", "the servers' role has no boundary", PROD, SERVER, drop("permissions_boundary")
    ),
    Mutation(
        "role-boundary-persona", "a persona's role has no boundary", DEV, FRAUD, drop("permissions_boundary")
    ),
    Mutation(
        "role-boundary-foreign",
        "a persona's boundary is a policy of AWS",
        PROD,
        SCIENTIST,
        put("permissions_boundary", ADMINISTRATOR),
    ),
    Mutation(
        "role-boundary-service",
        "a persona has the boundary of services",
        PROD,
        SCIENTIST,
        put("permissions_boundary", "${aws_iam_policy.boundary.arn}"),
        assigned=Assigned.PROOF,
        reason="whether a boundary is the one of personas, what it allows says",
    ),
    Mutation(
        "role-boundary-policy",
        "a role's boundary is its own policy",
        DEV,
        FRAUD,
        put("permissions_boundary", "${aws_iam_policy.identity_data_scientist.arn}"),
        concerns=("aws_iam_policy.identity_data_scientist",),
    ),
    Mutation(
        "role-boundary-teams",
        "a persona of one team has the boundary of all teams",
        PROD,
        SCIENTIST,
        put("permissions_boundary", "${aws_iam_policy.identity_boundary_all_teams.arn}"),
        assigned=Assigned.PROOF,
        reason="whether a persona is of one team, its policies say",
    ),
    # Attachments.
    Mutation(
        "role-administrator",
        "a persona is an administrator",
        PROD,
        ATTACHMENT,
        added(role="${aws_iam_role.identity_data_scientist_role.name}", policy_arn=ADMINISTRATOR),
        (SCIENTIST,),
    ),
    Mutation(
        "role-administrator-server",
        "servers are administrators",
        DEV,
        ATTACHMENT,
        added(role="${aws_iam_role.server_role.name}", policy_arn=ADMINISTRATOR),
        (SERVER,),
    ),
    Mutation(
        "role-power",
        "a persona has another policy of AWS",
        PROD,
        ATTACHMENT,
        added(
            role="${aws_iam_role.identity_data_scientist_role.name}",
            policy_arn="arn:aws:iam::aws:policy/AmazonS3FullAccess",
        ),
        (SCIENTIST,),
    ),
    Mutation(
        "role-swapped",
        "one of a persona's policies is another one of AWS",
        PROD,
        "aws_iam_role_policy_attachment.identity_data_scientist_policy_3",
        put("policy_arn", "arn:aws:iam::aws:policy/AmazonS3FullAccess"),
        (SCIENTIST,),
    ),
    Mutation(
        "role-managed",
        "a persona has a policy of AWS, by its role",
        DEV,
        FRAUD,
        insert("managed_policy_arns", [ADMINISTRATOR]),
    ),
    Mutation(
        "role-foreign-policy",
        "a persona has a policy that is not in the stack",
        PROD,
        ATTACHMENT,
        added(
            role="${aws_iam_role.identity_data_scientist_role.name}",
            policy_arn=f"arn:aws:iam::{ACCOUNT}:policy/side",
        ),
        (SCIENTIST,),
    ),
    Mutation(
        "role-inline",
        "a persona has a policy beside its template",
        PROD,
        "aws_iam_role_policy.side",
        added(
            role="${aws_iam_role.identity_data_scientist_role.id}",
            policy='{"Version":"2012-10-17","Statement":[{"Sid":"Side","Effect":"Allow","Action":"s3:GetObject",'
            '"Resource":"arn:aws:s3:::theirs/*"}]}',
        ),
        (SCIENTIST,),
    ),
    Mutation(
        "role-inline-block",
        "a persona has a policy within its role",
        DEV,
        FRAUD,
        insert(
            "inline_policy",
            [
                {
                    "name": "side",
                    "policy": '{"Version":"2012-10-17","Statement":[{"Sid":"Side","Effect":"Allow",'
                    '"Action":"s3:GetObject","Resource":"arn:aws:s3:::theirs/*"}]}',
                }
            ],
        ),
    ),
    Mutation(
        "role-all",
        "a policy for whoever is listed",
        PROD,
        "aws_iam_policy_attachment.side",
        added(name="side", roles=["${aws_iam_role.server_role.name}"], policy_arn=ADMINISTRATOR),
        (SERVER,),
    ),
    Mutation(
        "role-group-administrator",
        "a group's members are administrators",
        DEV,
        "aws_iam_group_policy_attachment.side",
        added(group="${aws_iam_group.identity_fraud_data_scientist_group.name}", policy_arn=ADMINISTRATOR),
        ("aws_iam_group.identity_fraud_data_scientist_group",),
    ),
    Mutation(
        "role-user-administrator",
        "a user is an administrator",
        DEV,
        "aws_iam_user_policy_attachment.side",
        added(user="anna", policy_arn=ADMINISTRATOR),
    ),
    Mutation(
        "role-admins-policy",
        "a data scientist has an administrator's policies too",
        DEV,
        ATTACHMENT,
        added(
            role="${aws_iam_role.identity_fraud_data_scientist_role.name}",
            policy_arn="${aws_iam_policy.identity_team_admin.arn}",
        ),
        (FRAUD,),
        Assigned.PROOF,
        BINDING,
    ),
    Mutation(
        "role-auditors-policy",
        "a data scientist reads what an auditor reads",
        PROD,
        ATTACHMENT,
        added(
            role="${aws_iam_role.identity_data_scientist_role.name}",
            policy_arn="${aws_iam_policy.identity_auditor_routes_1.arn}",
        ),
        (SCIENTIST,),
        Assigned.PROOF,
        BINDING,
    ),
    # Who is trusted.
    Mutation(
        "trust-everybody",
        "everybody becomes a persona",
        PROD,
        SCIENTIST,
        trust(changed("IdentityCenter", Principal="*"), unconditional("IdentityCenter")),
    ),
    Mutation(
        "trust-anyone",
        "everybody becomes the servers' role",
        DEV,
        SERVER,
        trust(with_more("Open", Principal={"AWS": "*"}, Action="sts:AssumeRole")),
    ),
    Mutation(
        "trust-stranger",
        "another account becomes a persona",
        DEV,
        ADMIN,
        trust(
            changed("AccountPrincipals", Principal=STRANGER),
            condition("AccountPrincipals", "StringEquals", "aws:PrincipalAccount", "444455556666"),
        ),
    ),
    Mutation(
        "trust-stranger-more",
        "another account becomes the servers' role",
        PROD,
        SERVER,
        trust(with_more("Partner", Principal=STRANGER, Action="sts:AssumeRole")),
    ),
    Mutation(
        "trust-stranger-mfa",
        "another account's users become a persona, with a second factor",
        DEV,
        FRAUD,
        trust(
            with_more(
                "Partner",
                Principal=STRANGER,
                Action="sts:AssumeRole",
                Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}},
            )
        ),
    ),
    Mutation(
        "trust-account",
        "the whole account becomes the servers' role",
        PROD,
        SERVER,
        trust(
            with_more("Account", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, Action="sts:AssumeRole")
        ),
    ),
    Mutation(
        "trust-mfa",
        "a user becomes an administrator without a second factor",
        DEV,
        ADMIN,
        trust(unconditional("AccountPrincipals", "Bool")),
    ),
    Mutation(
        "trust-mfa-group",
        "a group becomes a persona without a second factor",
        DEV,
        FRAUD,
        trust(unconditional("IamGroup", "Bool")),
    ),
    Mutation(
        "trust-mfa-if",
        "a second factor if the request speaks of it",
        DEV,
        FRAUD,
        trust(operator("IamGroup", "Bool", "BoolIfExists")),
    ),
    Mutation(
        "trust-mfa-false",
        "only without a second factor",
        DEV,
        ADMIN,
        trust(condition("AccountPrincipals", "Bool", "aws:MultiFactorAuthPresent", "false")),
    ),
    Mutation(
        "trust-own-account",
        "users of any account of that name",
        DEV,
        ADMIN,
        trust(unconditional("AccountPrincipals", "StringEquals")),
    ),
    Mutation(
        "trust-users",
        "every user of the account becomes a persona",
        DEV,
        FRAUD,
        trust(unconditional("IamGroup", "ArnLike")),
    ),
    Mutation(
        "trust-service",
        "functions become the servers' role",
        PROD,
        SERVER,
        trust(
            changed("AssumedByService", Principal={"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]})
        ),
        assigned=Assigned.PROOF,
        reason="the template makes such a document too, for a persona that services run as",
    ),
    Mutation(
        "trust-service-other",
        "another service becomes the servers' role",
        DEV,
        SERVER,
        trust(changed("AssumedByService", Principal={"Service": "glue.amazonaws.com"})),
    ),
    Mutation(
        "trust-service-account",
        "the flow logs of any account",
        PROD,
        FLOW,
        trust(unconditional("AssumedByService")),
    ),
    Mutation(
        "trust-service-source",
        "notebooks of any account become a persona",
        DEV,
        MODEL_SERVER,
        trust(unconditional("ServicesForThisAccount")),
    ),
    Mutation(
        "trust-not",
        "everybody but one",
        PROD,
        SERVER,
        trust(
            with_more("Rest", NotPrincipal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/x"}, Action="sts:AssumeRole")
        ),
    ),
    # Web identities.
    Mutation(
        "trust-subject",
        "every workflow of GitHub becomes a persona",
        DEV,
        PIPELINE,
        trust(unconditional("GithubActions", "StringEquals", f"{GITHUB}:sub")),
    ),
    Mutation(
        "trust-subject-like",
        "every repository of GitHub becomes a persona",
        DEV,
        PIPELINE,
        trust(
            operator("GithubActions", "StringEquals", "StringLike"),
            condition("GithubActions", "StringLike", f"{GITHUB}:sub", "repo:*"),
        ),
    ),
    Mutation(
        "trust-subject-owner",
        "every repository of one's own becomes a persona",
        DEV,
        PIPELINE,
        trust(
            operator("GithubActions", "StringEquals", "StringLike"),
            condition("GithubActions", "StringLike", f"{GITHUB}:sub", ["repo:acme/*"]),
        ),
    ),
    Mutation(
        "trust-subject-branch",
        "every branch becomes a persona, pull requests included",
        DEV,
        PIPELINE,
        trust(
            operator("GithubActions", "StringEquals", "StringLike"),
            condition("GithubActions", "StringLike", f"{GITHUB}:sub", ["repo:acme/pricing:*"]),
        ),
    ),
    Mutation(
        "trust-subject-wild",
        "a wildcard where it is an ordinary character",
        DEV,
        PIPELINE,
        trust(condition("GithubActions", "StringEquals", f"{GITHUB}:sub", ["repo:acme/pricing:*"])),
    ),
    Mutation(
        "trust-subject-if",
        "tokens without a subject",
        DEV,
        PIPELINE,
        trust(operator("GithubActions", "StringEquals", "StringEqualsIfExists")),
    ),
    Mutation(
        "trust-audience",
        "tokens that were made for somebody else",
        PROD,
        PIPELINE,
        trust(unconditional("TerraformCloud", "StringEquals", f"{TERRAFORM}:aud")),
    ),
    Mutation(
        "trust-workspace",
        "every workspace of Terraform Cloud",
        PROD,
        PIPELINE,
        trust(unconditional("TerraformCloud", "StringEquals", f"{TERRAFORM}:sub")),
    ),
    Mutation(
        "trust-workspace-any",
        "every workspace, of any organisation",
        PROD,
        PIPELINE,
        trust(
            operator("TerraformCloud", "StringEquals", "StringLike"),
            condition("TerraformCloud", "StringLike", f"{TERRAFORM}:sub", "organization:*"),
        ),
    ),
    Mutation(
        "trust-people",
        "everybody whom the provider signs in is an auditor",
        PROD,
        AUDITOR,
        trust(unconditional("Oidc", "StringEquals", f"{IDENTITY_PROVIDER}:sub")),
    ),
    Mutation(
        "trust-amr",
        "an auditor without a second factor",
        PROD,
        AUDITOR,
        trust(unconditional("Oidc", "ForAnyValue:StringEquals")),
        assigned=Assigned.PROOF,
        reason="the binding may say what stands in place of the second factor",
    ),
    Mutation(
        "trust-provider",
        "another identity provider",
        DEV,
        PIPELINE,
        trust(changed("GithubActions", Principal={"Federated": "cognito-identity.amazonaws.com"})),
    ),
    Mutation(
        "trust-branch",
        "another branch of the same repository",
        DEV,
        PIPELINE,
        trust(
            condition(
                "GithubActions", "StringEquals", f"{GITHUB}:sub", ["repo:acme/pricing:ref:refs/heads/dev"]
            )
        ),
        assigned=Assigned.PROOF,
        reason=BINDING,
    ),
    Mutation(
        "trust-repository",
        "another repository",
        DEV,
        PIPELINE,
        trust(
            condition(
                "GithubActions", "StringEquals", f"{GITHUB}:sub", ["repo:mallory/tools:ref:refs/heads/main"]
            )
        ),
        assigned=Assigned.PROOF,
        reason=BINDING,
    ),
    Mutation(
        "trust-user",
        "another user is the administrator",
        DEV,
        ADMIN,
        trust(changed("AccountPrincipals", Principal={"AWS": ["arn:aws:iam::111122223333:user/mallory"]})),
        assigned=Assigned.PROOF,
        reason=BINDING,
    ),
    # SAML and Identity Center.
    Mutation(
        "trust-saml-audience",
        "assertions that were made for somebody else",
        PROD,
        APPROVER,
        trust(unconditional("Saml", "StringEquals", "saml:aud")),
    ),
    Mutation(
        "trust-saml-assurance",
        "an approver without a second factor",
        PROD,
        APPROVER,
        trust(unconditional("Saml", "ForAnyValue:StringEquals")),
        assigned=Assigned.PROOF,
        reason="the binding may say what stands in place of the second factor",
    ),
    Mutation(
        "trust-permission-set",
        "every permission set",
        PROD,
        SCIENTIST,
        trust(
            condition(
                "IdentityCenter",
                "ArnLike",
                "aws:PrincipalArn",
                f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/*",
            )
        ),
    ),
    Mutation(
        "trust-permission-sets",
        "every permission set that begins like the one",
        PROD,
        SCIENTIST,
        trust(
            condition(
                "IdentityCenter",
                "ArnLike",
                "aws:PrincipalArn",
                f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_MlScientist_*",
            )
        ),
    ),
    Mutation(
        "trust-center",
        "every principal of the account is signed in",
        PROD,
        SCIENTIST,
        trust(unconditional("IdentityCenter", "ArnLike")),
    ),
    # The session's team.
    Mutation(
        "trust-tag",
        "who signs in chooses the team",
        PROD,
        SCIENTIST,
        trust(unconditional("IdentityCenter", "StringEquals")),
    ),
    Mutation(
        "trust-tag-like",
        "any team counts as the own one",
        PROD,
        SCIENTIST,
        trust(
            operator("IdentityCenter", "StringEquals", "StringLike"),
            condition("IdentityCenter", "StringLike", "aws:RequestTag/team", "*"),
        ),
    ),
    Mutation(
        "trust-tag-other",
        "the team is the value of another tag",
        PROD,
        SCIENTIST,
        trust(
            condition("IdentityCenter", "StringEquals", "aws:RequestTag/team", "$${aws:PrincipalTag/group}")
        ),
    ),
    Mutation(
        "trust-tag-slash",
        "a team with a slash in its name",
        PROD,
        SCIENTIST,
        trust(unconditional("IdentityCenter", "StringNotLike")),
    ),
    Mutation(
        "trust-tag-keys",
        "other tags can be passed",
        PROD,
        SCIENTIST,
        trust(unconditional("IdentityCenter", "ForAllValues:StringEquals")),
    ),
    Mutation(
        "trust-tag-keys-more",
        "one more tag can be passed",
        PROD,
        SCIENTIST,
        trust(condition("IdentityCenter", "ForAllValues:StringEquals", "aws:TagKeys", ["team", "admin"])),
    ),
    Mutation(
        "trust-tag-null",
        "a session without a team",
        PROD,
        APPROVER,
        trust(unconditional("SamlTeamTag", "Null")),
    ),
    Mutation(
        "trust-tag-saml",
        "the provider passes any team",
        PROD,
        APPROVER,
        trust(unconditional("SamlTeamTag", "StringEquals", "aws:RequestTag/team")),
    ),
    Mutation(
        "trust-tag-roles",
        "a role of one team takes a session's team",
        DEV,
        FRAUD,
        trust(more("IamGroup", "Action", "sts:TagSession")),
    ),
    Mutation(
        "trust-tag-pipeline",
        "a pipeline chooses its team",
        PROD,
        PIPELINE,
        trust(more("TerraformCloud", "Action", "sts:TagSession")),
    ),
    Mutation(
        "trust-source-identity",
        "the session says whose it is",
        PROD,
        SERVER,
        trust(more("AssumedByService", "Action", "sts:SetSourceIdentity")),
    ),
    Mutation(
        "trust-tag-team",
        "an approver for one more team",
        PROD,
        APPROVER,
        trust(
            condition("Saml", "StringEquals", "aws:RequestTag/team", ["fraud", "pricing", "search"]),
            condition("SamlTeamTag", "StringEquals", "aws:RequestTag/team", ["fraud", "pricing", "search"]),
        ),
        assigned=Assigned.PROOF,
        reason=BINDING,
    ),
    # The role itself.
    Mutation(
        "role-session",
        "sessions of half a day for an administrator",
        DEV,
        ADMIN,
        put("max_session_duration", 43200),
    ),
    Mutation(
        "role-tag",
        "a role of one team is tagged with another",
        DEV,
        FRAUD,
        put("tags.team", "pricing"),
        assigned=Assigned.PROOF,
        reason=BINDING,
    ),
    Mutation(
        "role-tag-gone",
        "a role of one team has no tag",
        DEV,
        FRAUD,
        drop("tags.team"),
        assigned=Assigned.PROOF,
        reason=BINDING,
    ),
    Mutation(
        "role-tag-slash",
        "a role's team has a slash in its name",
        DEV,
        FRAUD,
        put("tags.team", "pricing/1"),
        assigned=Assigned.PROOF,
        reason=BINDING,
    ),
    Mutation(
        "role-tag-session",
        "a role whose sessions are tagged has a team too",
        PROD,
        SCIENTIST,
        insert("tags", {"team": "fraud"}),
        assigned=Assigned.PROOF,
        reason=BINDING,
    ),
    Mutation(
        "role-path",
        "a service's role has a persona's path",
        PROD,
        FLOW,
        insert("path", "/mlflow-prod/data-scientist/"),
        assigned=Assigned.PROOF,
        reason="who counts as a persona, the policies on buckets, keys and the API say",
    ),
    Mutation(
        "role-moved",
        "a persona's role lies beside the personas",
        PROD,
        AUDITOR,
        put("path", "/"),
        assigned=Assigned.PROOF,
        reason="who counts as a persona, the policies on buckets, keys and the API say",
    ),
    Mutation(
        "role-new",
        "one more role",
        PROD,
        "aws_iam_role.side",
        added(
            name="side",
            assume_role_policy='{"Version":"2012-10-17","Statement":[{"Sid":"AssumedByService","Effect":"Allow",'
            '"Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}',
        ),
    ),
    Mutation(
        "role-new-persona",
        "one more role with a persona's path and another team's tag",
        DEV,
        "aws_iam_role.side",
        added(
            name="side",
            path="/mlflow-dev/data-scientist/",
            tags={"team": "pricing"},
            permissions_boundary="${aws_iam_policy.identity_boundary_team.arn}",
            max_session_duration=3600,
            assume_role_policy='{"Version":"2012-10-17","Statement":[{"Sid":"AccountPrincipals","Effect":"Allow",'
            '"Principal":{"AWS":["arn:aws:iam::111122223333:user/mallory"]},"Action":"sts:AssumeRole","Condition":'
            '{"Bool":{"aws:MultiFactorAuthPresent":"true"},"StringEquals":{"aws:PrincipalAccount":"'
            + ACCOUNT
            + '"}}}]}',
        ),
        assigned=Assigned.PROOF,
        reason=BINDING,
    ),
    # Users and groups.
    Mutation(
        "user-group-more",
        "a user is in a group outside the stack too",
        DEV,
        "aws_iam_user_group_membership.side",
        added(user="anna", groups=["admins"]),
    ),
)
