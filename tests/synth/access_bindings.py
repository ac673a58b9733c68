"""An access section with every persona and every kind of principal, for the tests of access."""

from __future__ import annotations

from typing import Any

from tests.synth.access_world import IAM, OTHER_ACCOUNT

#: "fraudulent" begins like "fraud": a prefix without its slash would reach it.
TEAMS = ("fraud", "fraudulent", "search")
#: The teams of the bindings that list them; "fraudulent" is a team of the stack and of other bindings.
LISTED = ["fraud", "search"]
SAML = f"{IAM}:saml-provider/corporate"
OIDC, EKS = "idp.example.com/people", "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
LEAD, PARTNER = f"{IAM}:role/lead", f"arn:aws:iam::{OTHER_ACCOUNT}:role/partner"
DEPLOYER, S3_ENDPOINT = f"{IAM}:role/deploy", "vpce-0a1b2c3d4e5f60718"
EXTERNAL_ID = "gatehouse-7f3a"
REASON = "the identity provider asks for a security key"

BINDINGS: list[dict[str, Any]] = [
    {
        "persona": "reader",
        "teams": "all",
        "trust": {
            "saml": {"provider": SAML, "instead_of_mfa": REASON},
            "account_principals": {"arns": [LEAD]},
        },
    },
    {
        "persona": "data-scientist",
        "teams": LISTED,
        "trust": {
            "oidc": {"issuer": OIDC, "audiences": ["mlflow"], "subjects": ["anna"], "amr": ["mfa"]},
            "identity_center": {"permission_sets": ["Scientist"], "instead_of_mfa": REASON},
        },
    },
    {
        "persona": "model-approver",
        "teams": LISTED,
        "trust": {
            "account_principals": {"arns": [LEAD, PARTNER], "external_id": EXTERNAL_ID},
            "iam_group": {},
        },
    },
    {
        "persona": "ci-pipeline",
        "teams": LISTED,
        "trust": {
            "github_actions": {
                "repositories": ["acme/fraud"],
                "branches": ["main"],
                "environments": ["release"],
            },
            "terraform_cloud": {
                "organization": "acme",
                "project": "research",
                "workspace": "models",
                "run_phases": ["apply"],
            },
        },
    },
    {
        "persona": "model-server",
        "teams": LISTED,
        "trust": {
            "eks": {"issuer": EKS, "service_accounts": ["serving/mlflow"]},
            "services": ["ec2", "sagemaker"],
        },
    },
    {"persona": "team-admin", "teams": LISTED, "trust": {"iam_group": {"users": ["anna"]}}},
    {
        "persona": "auditor",
        "trust": {"saml": {"provider": SAML, "assurance": ["https://refeds.org/profile/mfa"]}},
    },
    # No external id, so the partner's role is named in vain.
    {"persona": "operator", "trust": {"account_principals": {"arns": [LEAD, PARTNER]}}},
    {"persona": "platform-admin", "trust": {"iam_group": {"users": ["anna", "bob"]}}},
]


def sections(mode: str) -> dict[str, Any]:
    """Return the sections that replace those of a shipped example."""
    return {"teams": list(TEAMS), "access": {"mode": mode, "bindings": BINDINGS}}
