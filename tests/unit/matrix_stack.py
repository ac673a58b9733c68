"""A small stack with teams, personas, an API and an artifact bucket, for the tests of the access matrix."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.stacks import ACCOUNT, Stack

IAM, BUCKET = f"arn:aws:iam::{ACCOUNT}", "arn:aws:s3:::artifacts"
API = f"arn:aws:execute-api:eu-west-1:{ACCOUNT}:a/live"
TEAM = "${aws:PrincipalTag/team}"
TEAMS = ("fraud", "fraudulent", "pricing", "search")
Blocks = dict[str, dict[str, Any]]
Statement = dict[str, Any]


def policy(*statements: Statement) -> str:
    """Return a policy as a document has it: text, with AWS's variables escaped."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}).replace("${aws:", "$${aws:")


def allow(sid: str, action: str | list[str], resource: str | list[str], **elements: object) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource, **elements}


def deny(sid: str, action: str | list[str], resource: str | list[str], **elements: object) -> Statement:
    return {**allow(sid, action, resource, **elements), "Effect": "Deny"}


def trust(**principal: str) -> str:
    return policy({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


def persona(name: str, team: str | None, trusted: str) -> Statement:
    of = f"{team}-" if team else ""
    return {
        "name": f"st-{of}{name}",
        "path": f"/st/{name}/",
        "tags": {"team": team} if team else {},
        "assume_role_policy": trusted,
    }


PLAIN = {"Bool": {"aws:SecureTransport": "false"}}
#: What an admin of a team may do: its routes, and its artifacts, deletes only with MFA.
ADMIN = (
    allow("Routes", "execute-api:Invoke", [f"{API}/{method}/{TEAM}/*" for method in ("GET", "POST", "PUT", "DELETE")]),
    allow("Objects", ["s3:GetObject", "s3:PutObject"], f"{BUCKET}/workspaces/{TEAM}/*"),
    allow("Names", "s3:ListBucket", BUCKET, Condition={"StringLike": {"s3:prefix": f"workspaces/{TEAM}/*"}}),
    allow(
        "Delete",
        "s3:DeleteObject",
        f"{BUCKET}/workspaces/{TEAM}/*",
        Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    ),
)  # fmt: skip
READER = (allow("Read", "execute-api:Invoke", f"{API}/GET/{TEAM}/api/*"),)
AUDITOR = (allow("ReadAll", "execute-api:Invoke", f"{API}/GET/*/api/*"),)


def blocks(*extra: Statement, admin: tuple[Statement, ...] = ADMIN) -> Blocks:
    """Return the stack; ``extra`` are statements that the readers of every team have as well."""
    people = trust(AWS=f"{IAM}:root")
    roles = {f"admin_{team}": persona("admin", team, people) for team in TEAMS}
    roles["reader"] = persona("reader", None, trust(Federated=f"{IAM}:saml-provider/x"))
    roles["auditor"] = persona("auditor", None, people)
    roles["server"] = {"name": "st-server", "assume_role_policy": trust(Service="ec2.amazonaws.com")}
    attached = {
        **{name: "admin" for name in roles if name.startswith("admin")},
        "reader": "reader",
        "auditor": "auditor",
    }
    return {
        "aws_iam_role": roles,
        "aws_iam_policy": {
            "admin": {"name": "admin", "policy": policy(*admin)},
            "reader": {"name": "reader", "policy": policy(*READER, *extra)},
            "auditor": {"name": "auditor", "policy": policy(*AUDITOR)},
        },
        "aws_iam_role_policy_attachment": {
            role: {"role": f"${{aws_iam_role.{role}.name}}", "policy_arn": f"${{aws_iam_policy.{name}.arn}}"}
            for role, name in attached.items()
        },
        "aws_s3_bucket": {"b": {"bucket": "artifacts"}},
        "aws_s3_bucket_policy": {
            "b": {
                "bucket": "${aws_s3_bucket.b.id}",
                "policy": policy(
                    deny("Tls", "s3:*", f"{BUCKET}/*", Principal="*", Condition=PLAIN)
                ),
            }
        },
        "aws_api_gateway_rest_api": {"a": {"name": "st"}},
        "aws_api_gateway_rest_api_policy": {
            "a": {
                "rest_api_id": "${aws_api_gateway_rest_api.a.id}",
                "policy": policy(
                    deny(
                        "Outside",
                        "execute-api:Invoke",
                        f"{API}/*",
                        Principal="*",
                        Condition={"NotIpAddress": {"aws:SourceIp": ["198.51.100.0/24"]}},
                    )
                ),
            }
        },
        "aws_api_gateway_stage": {"s": {"rest_api_id": "${aws_api_gateway_rest_api.a.id}", "stage_name": "live"}},
        "aws_s3_object": {
            "teams": {"bucket": "files", "key": "boot/teams.txt", "content": "\n".join(TEAMS)},
            "requirements": {"bucket": "files", "key": "boot/requirements.txt", "content": "mlflow==3.17.2 \\\n"},
        },
    }  # fmt: skip


def write(stack: Stack, content: Blocks) -> Any:  # noqa: ANN401 - a document
    """Return the document of a stack, with the output that names the bucket of artifacts."""
    return stack(content, output={"artifact_bucket": {"value": "${aws_s3_bucket.b.bucket}"}})
