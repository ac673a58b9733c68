"""For each invariant a hole of its own: what somebody could write into a stack so that it does not hold."""

from __future__ import annotations

from collections.abc import Mapping

from tests.mutations.edits import (
    added,
    both,
    changed,
    condition,
    drop,
    insert,
    more,
    operator,
    policy,
    put,
    text,
    trust,
    unconditional,
    with_more,
    without,
)
from tests.mutations.mutation import Edit
from tests.synth.access_bindings import LEAD

TEAM = "$${aws:PrincipalTag/team}"
ACCOUNT = "${data.aws_caller_identity.account.account_id}"
API = f"arn:aws:execute-api:eu-west-1:{ACCOUNT}:${{aws_api_gateway_rest_api.api_rest_api.id}}/api"
BUCKET = "aws_s3_bucket_policy.storage_artifacts_policy"
ENTRANCE = "aws_api_gateway_rest_api_policy.api_policy"
BOUNDARY = "aws_iam_policy.identity_boundary_team"
SCIENTIST = "aws_iam_policy.identity_data_scientist"
ROUTES = "aws_iam_policy.identity_data_scientist_routes_1"
ROLE = "aws_iam_role.identity_fraud_data_scientist_role"
OPERATOR = "aws_iam_role.identity_operator_role"
ARTIFACTS = f"arn:aws:s3:::mlflow-dev-artifacts-{ACCOUNT}-eu-west-1"
SERVER_FILES = f"arn:aws:s3:::mlflow-dev-server-{ACCOUNT}-eu-west-1"
TOPIC = "${aws_sns_topic.observability_topic.arn}"
EVERY_TEAM = text(TEAM, "*")

#: Invariant -> what is edited by address, in the stack of every persona with tagged roles.
HOLES: Mapping[str, Mapping[str, Edit]] = {
    "tenancy": {SCIENTIST: EVERY_TEAM, BOUNDARY: EVERY_TEAM, BUCKET: policy(without("DenyOtherTeams"))},
    "tenancy-by-policies": {SCIENTIST: EVERY_TEAM},
    "tenancy-by-boundary": {BOUNDARY: EVERY_TEAM},
    "tenancy-by-bucket": {BUCKET: policy(without("DenyOtherTeams"))},
    "no-tag-no-access": {BUCKET: policy(without("DenyWithoutTeam"))},
    "only-personas-use-artifacts": {BUCKET: policy(without("DenyOthersObjects"))},
    "delete-with-mfa": {BUCKET: policy(without("DenyDeleteWithoutMfa"))},
    "versions-and-configuration": {BUCKET: policy(without("DenyUnnamedObjectActions"))},
    "tls": {"aws_sns_topic_policy.observability_topic_policy": policy(without("DenyWithoutTls"))},
    "only-our-key": {BUCKET: policy(without("DenyOtherKey"))},
    "nobody-outside": {BUCKET: policy(without("DenyOtherAccounts"))},
    "server-only-reads": {BUCKET: policy(without("ServerOnlyReads"))},
    "no-presigned-addresses": {BUCKET: policy(without("DenyServerPresigned"))},
    "artifact-key": {
        "aws_kms_key.storage_key": policy(operator("DeployersWriteServerFiles", "ArnNotLike", "ArnLike"))
    },
    "database-secret": {
        "aws_kms_key.database_key": policy(unconditional("DeployersThroughServices", "ArnNotLike"))
    },
    "identity-is-fixed": {
        BOUNDARY: policy(without("NeverAnythingElse"), with_more("More", Action="iam:PassRole", Resource="*"))
    },
    "boundaries": {"aws_iam_role.flow_logs_role": drop("permissions_boundary")},
    "operator-sees-no-data": {
        "aws_iam_policy.identity_boundary_operator": policy(
            without("NeverTouchIdentityOrData"), with_more("More", Action="s3:GetObject", Resource="*")
        )
    },
    "auditor-sees-no-contents": {
        "aws_iam_policy.identity_auditor_routes_1": policy(without("NeverArtifactsRead"))
    },
    "records-are-deleted-by-admins": {
        ROUTES: policy(
            more("UiRead", "Resource", f"{API}/DELETE/{TEAM}/api/2.0/mlflow/registered-models/delete")
        )
    },
    "models-are-promoted-by-approvers": {
        ROUTES: policy(more("UiRead", "Resource", f"{API}/POST/{TEAM}/api/2.0/mlflow/*"))
    },
    "personas-do-no-more": {
        "aws_iam_policy.identity_auditor_routes_1": policy(
            with_more(
                "More", Action="execute-api:Invoke", Resource=f"{API}/POST/*/api/2.0/mlflow/runs/log-metric"
            )
        )
    },
    "names-tell-the-team": {ROLE: put("tags.team", "search")},
    "personas-work": {ROUTES: policy(without("RunsWrite"))},
    "trust-mfa": {OPERATOR: trust(unconditional("AccountPrincipals", "Bool"))},
    "trust-federation": {ROLE: trust(unconditional("Oidc", "StringEquals", "idp.example.com/people:sub"))},
    "trust-services": {
        "aws_iam_role.flow_logs_role": trust(
            changed("AssumedByService", Principal={"Service": "lambda.amazonaws.com"})
        )
    },
    "trust-tags": {
        OPERATOR: trust(changed("AccountPrincipals", Action=["sts:AssumeRole", "sts:TagSession"]))
    },
    "only-personas-call": {ENTRANCE: policy(without("DenyAllButPersonas"))},
    "own-network": {ENTRANCE: policy(without("DenyOutsideNetwork"))},
    "declared-network": {
        ENTRANCE: policy(condition("DenyOutsideNetwork", "NotIpAddress", "aws:SourceIp", ["198.51.100.0/22"]))
    },
    "declared-trust": {
        OPERATOR: trust(
            changed("AccountPrincipals", Principal={"AWS": [f"arn:aws:iam::{ACCOUNT}:user/mallory"]})
        )
    },
}
#: More holes of the same stack, each in its own way, beside those above.
MORE_HOLES: list[tuple[str, Mapping[str, Edit]]] = [
    (
        "nobody-outside",
        {
            "aws_secretsmanager_secret_policy.side": added(
                secret_arn="${aws_db_instance.database_instance.master_user_secret[0].secret_arn}",
                policy='{"Version":"2012-10-17","Statement":[{"Sid":"Side","Effect":"Allow","Principal":{"AWS":'
                '"arn:aws:iam::444455556666:root"},"Action":"secretsmanager:GetSecretValue","Resource":"*"}]}',
            )
        },
    ),
    *(
        (
            "nobody-outside",
            {
                address: policy(
                    with_more(
                        "Side", Principal={"Service": "cloudfront.amazonaws.com"}, Action=action, Resource=on
                    )
                )
            },
        )
        for address, action, on in (
            ("aws_kms_key.storage_key", "kms:Decrypt", "*"),
            ("aws_s3_bucket_policy.storage_server_files_policy", "s3:PutObject", f"{SERVER_FILES}/*"),
            ("aws_sns_topic_policy.observability_topic_policy", "sns:Publish", TOPIC),
        )
    ),
    (
        "only-personas-use-artifacts",
        {
            BUCKET: policy(
                condition(
                    "DenyOthersObjects",
                    "ArnNotLike",
                    "aws:PrincipalArn",
                    [
                        f"arn:aws:iam::{ACCOUNT}:role/mlflow-dev/*",
                        f"arn:aws:iam::{ACCOUNT}:role/mlflow-dev-server",
                        f"arn:aws:sts::{ACCOUNT}:federated-user/*",
                    ],
                ),
                with_more(
                    "Side",
                    Principal={"AWS": f"arn:aws:sts::{ACCOUNT}:federated-user/mallory"},
                    Action="s3:GetObject",
                    Resource=f"{ARTIFACTS}/*",
                ),
            )
        },
    ),
    (
        "own-network",
        {
            ENTRANCE: policy(
                condition(
                    "DenyOutsideNetwork",
                    "NotIpAddress",
                    "aws:SourceIp",
                    ["0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2"],
                )
            )
        },
    ),
    ("auditor-sees-no-contents", {"aws_iam_role.identity_auditor_role": insert("tags", {"team": "fraud"})}),
    *(
        (
            "boundaries",
            {BOUNDARY: policy(without(*sids), with_more("More", Action=action, Resource=on))},
        )
        for sids, action, on in (
            (("NeverAnythingElse",), "ssm:StartSession", "*"),
            (("NeverAnythingElse",), "rds:ModifyDBInstance", "*"),
            (("NeverAnythingElse",), "sso:CreateAccountAssignment", "*"),
            (("NeverAnywhereElse",), "s3:PutObject", f"{SERVER_FILES}/*"),
        )
    ),
    (
        "boundaries",
        {
            "aws_iam_policy.boundary": policy(
                with_more("More", Action="apigateway:UpdateRestApiPolicy", Resource="*")
            )
        },
    ),
    (
        "identity-is-fixed",
        {
            "aws_iam_policy.side": added(
                name="side",
                policy='{"Version":"2012-10-17","Statement":[{"Sid":"Side","Effect":"Allow",'
                '"Action":"iam:EnableMFADevice","Resource":"*"}]}',
            ),
            "aws_iam_role.flow_logs_role": both(
                insert("path", "/side:user/"), put("permissions_boundary", "${aws_iam_policy.side.arn}")
            ),
        },
    ),
    *(
        (
            "trust-mfa",
            {
                OPERATOR: both(
                    put(
                        "description",
                        "operator: fixed commands. In place of MFA, Other: nobody has agreed to it.",
                    ),
                    trust(
                        unconditional("AccountPrincipals", "Bool"),
                        with_more(
                            "Other", effect, Principal={"AWS": arn}, Action="sts:AssumeRole", Condition=never
                        ),
                    ),
                )
            },
        )
        for never in [{"Bool": {"aws:SecureTransport": "false"}}]
        for effect, arn in (("Deny", "*"), ("Allow", "*"), ("Deny", LEAD))
    ),
]
#: The same in the stack with a private API.
PRIVATE_HOLES: Mapping[str, Mapping[str, Edit]] = {
    "private-api": {ENTRANCE: policy(without("DenyOutsideEndpoints"))},
}
