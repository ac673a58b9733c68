"""The kinds of value that an environment file holds: each one a type, its rule and the way out.

A rule refuses a value with :class:`RefusedError`, which carries what is wrong and what to write instead, so
that an error message never leaves a reader with a regular expression.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

ROOT = Path(__file__).resolve().parents[1]
SERVER_FILES = ROOT / "templates" / "server"

#: Regions whose RDS certificate authorities ship with Gatehouse (templates/server/rds-ca).
REGIONS = tuple(sorted(path.stem for path in (SERVER_FILES / "rds-ca").glob("*.pem")))
#: MLflow versions whose hash-locked requirements ship with Gatehouse (templates/server/requirements).
MLFLOW_VERSIONS = tuple(sorted(path.stem for path in (SERVER_FILES / "requirements").glob("*.txt")))
#: PostgreSQL major versions on which MLflow's schema is supported and that RDS offers.
POSTGRESQL_MAJORS = ("15", "16", "17")
#: Workspace names that MLflow keeps for itself, or that a client gets without asking for a team.
RESERVED_TEAMS = frozenset({"default", "workspaces", "api", "ajax-api", "static-files"})
#: Days that CloudWatch Logs accepts as a retention (PutRetentionPolicy), from a week on.
LOG_RETENTION_DAYS = (
    7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip

#: Prefix lengths: AWS takes no VPC wider than /16; below /22 endpoints, servers and NLB do not fit.
WIDEST_VPC, NARROWEST_VPC, WIDEST_CLIENT = 16, 22, 8


class RefusedError(ValueError):
    """A refused value and the way out: ``problem`` says what is wrong, ``fix`` what to write instead.

    ``field`` is the path below the model that raised, for rules over several fields.
    """

    def __init__(self, problem: str, fix: str, *, field: str = "", value: object = None) -> None:
        """Keep the four parts; the message itself is ``problem``."""
        super().__init__(problem)
        self.problem, self.fix, self.field, self.value = problem, fix, field, value


def _network(value: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(value)
    except ValueError as error:
        raise RefusedError(
            f"is not an IPv4 network ({error})", "write network/prefix with no host bits, like 10.20.0.0/20"
        ) from None


#: RFC 1918; Python's `is_private` counts documentation and shared ranges as well.
PRIVATE_NETWORKS = tuple(
    ipaddress.IPv4Network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)


def _vpc_cidr(value: str) -> str:
    network = _network(value)
    if not any(network.subnet_of(private) for private in PRIVATE_NETWORKS):
        raise RefusedError(
            "is not a private network", "choose it inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"
        )
    if network.prefixlen < WIDEST_VPC:
        raise RefusedError("is larger than AWS allows for a VPC", "use a prefix from /16 to /22")
    if network.prefixlen > NARROWEST_VPC:
        raise RefusedError(
            "is too small: servers, endpoints and databases over four zones do not fit",
            "use a prefix from /16 to /22",
        )
    return value


def _client_cidr(value: str) -> str:
    network = _network(value)
    if network.prefixlen < WIDEST_CLIENT:
        raise RefusedError(
            "would admit much of the internet", "list the ranges your clients really use, each /8 or smaller"
        )
    return value


def _one_of(known: tuple[str, ...], what: str, value: str) -> str:
    if value not in known:
        raise RefusedError(f"is not {what}", f"use one of {', '.join(known)}")
    return value


def _region(value: str) -> str:
    return _one_of(REGIONS, "a region that Gatehouse supports", value)


def _mlflow_version(value: str) -> str:
    return _one_of(MLFLOW_VERSIONS, "a supported MLflow version", value)


def _engine_version(value: str) -> str:
    if value.partition(".")[0] not in POSTGRESQL_MAJORS or not re.fullmatch(r"\d+(\.\d+)?", value):
        majors = ", ".join(f'"{major}"' for major in POSTGRESQL_MAJORS)
        raise RefusedError(
            "is not a supported PostgreSQL version",
            f'use {majors}, or one of them with a minor version such as "16.10"',
        )
    return value


def _log_retention(value: int) -> int:
    if value not in LOG_RETENTION_DAYS:
        raise RefusedError(
            "is not a retention that CloudWatch Logs offers",
            f"use one of {', '.join(map(str, LOG_RETENTION_DAYS))}",
        )
    return value


def _team(value: str) -> str:
    # The alphabet is part of the access proof: a tag value with "/" or "*" would reach another prefix.
    # MLflow's own rule (WorkspaceNameValidator, 3.17) adds that a name does not end in a hyphen.
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,29}[a-z0-9]", value):
        raise RefusedError(
            "is not a team name",
            "use 2 to 31 of a-z, 0-9 and '-', starting with a letter, not ending in '-'",
        )
    if value in RESERVED_TEAMS:
        raise RefusedError("is a name that MLflow keeps for itself", "choose another team name")
    return value


def _pattern(regex: str, what: str, fix: str) -> AfterValidator:
    """Return a validator of the whole string that says what was expected and what to write."""

    def check(value: str) -> str:
        if not re.fullmatch(regex, value):
            raise RefusedError(f"is not {what}", fix)
        return value

    return AfterValidator(check)


Name = Annotated[
    str,
    _pattern(
        r"[a-z][a-z0-9]*(-[a-z0-9]+)*",
        "a name",
        "use a-z, 0-9 and single '-' between them, starting with a letter",
    ),
]
#: Letters and signs that every AWS service takes in a tag; `${` would be read by Terraform.
_TAG = r"[A-Za-z0-9 _.:/=+@-]"
TagKey = Annotated[
    str,
    _pattern(
        rf"(?!aws:)(?!gatehouse:){_TAG}{{1,128}}",
        "a tag key",
        "use up to 128 letters, digits, spaces and _.:/=+@-, not starting with 'aws:' or 'gatehouse:'",
    ),
]
TagValue = Annotated[
    str, _pattern(rf"{_TAG}{{0,256}}", "a tag value", "use up to 256 letters, digits, spaces and _.:/=+@-")
]
SecurityGroupId = Annotated[
    str, _pattern(r"sg-[0-9a-f]{8,17}", "a security group id", "write it like sg-0123456789abcdef0")
]
SubnetId = Annotated[
    str, _pattern(r"subnet-[0-9a-f]{8,17}", "a subnet id", "write it like subnet-0123456789abcdef0")
]
VpcId = Annotated[str, _pattern(r"vpc-[0-9a-f]{8,17}", "a VPC id", "write it like vpc-0123456789abcdef0")]
VpcEndpointId = Annotated[
    str, _pattern(r"vpce-[0-9a-f]{8,17}", "a VPC endpoint id", "write it like vpce-0123456789abcdef0")
]
RouteTableId = Annotated[
    str, _pattern(r"rtb-[0-9a-f]{8,17}", "a route table id", "write it like rtb-0123456789abcdef0")
]
AccountId = Annotated[
    str, _pattern(r"\d{12}", "an AWS account id", 'write its twelve digits in quotes, like "111122223333"')
]
CertificateArn = Annotated[
    str,
    _pattern(
        r"arn:aws:acm:[a-z0-9-]+:\d{12}:certificate/[0-9a-f-]+",
        "the ARN of an ACM certificate",
        "copy it from ACM; it starts with arn:aws:acm:",
    ),
]
RoleArn = Annotated[
    str,
    _pattern(
        r"arn:aws:iam::\d{12}:role/[A-Za-z0-9+=,.@_/-]+",
        "the ARN of an IAM role",
        "write it like arn:aws:iam::111122223333:role/terraform-state",
    ),
]
KeyArn = Annotated[
    str,
    _pattern(
        r"arn:aws:kms:[a-z0-9-]+:\d{12}:(key|alias)/[A-Za-z0-9/_-]+",
        "the ARN of a KMS key or alias",
        "copy it from KMS; it starts with arn:aws:kms:",
    ),
]
DomainName = Annotated[
    str,
    _pattern(
        r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}",
        "a domain name",
        "write it in lower case, like mlflow.example.com",
    ),
]
BucketName = Annotated[
    str, _pattern(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket name", "write it like my-terraform-state")
]
ObjectKey = Annotated[
    str, _pattern(r"[A-Za-z0-9/_.-]{1,512}", "an object key", "write it like mlflow/prod.tfstate")
]
SnapshotId = Annotated[
    str,
    _pattern(
        r"[A-Za-z][A-Za-z0-9:-]{0,254}|arn:aws:rds:[a-z0-9-]+:\d{12}:snapshot:[A-Za-z0-9:-]+",
        "an RDS snapshot",
        "write its identifier or its ARN",
    ),
]
Organization = Annotated[
    str, _pattern(r"[A-Za-z0-9_-]{1,40}", "an organization name", "copy it from Terraform Cloud")
]
WorkspaceName = Annotated[
    str, _pattern(r"[A-Za-z0-9_-]{1,90}", "a workspace name", "use letters, digits, '-' and '_'")
]
WorkspaceTag = Annotated[
    str, _pattern(r"[a-z0-9][a-z0-9:_-]*", "a workspace tag", "use a-z, 0-9, ':', '_' and '-'")
]
CloudProject = Annotated[
    str, _pattern(r"[A-Za-z0-9 _-]{3,40}", "a Terraform Cloud project", "copy its name from Terraform Cloud")
]
HostName = Annotated[str, _pattern(r"[a-z0-9.-]+", "a host name", "write it like app.terraform.io")]
InstanceType = Annotated[
    str, _pattern(r"[a-z][a-z0-9-]*\.[a-z0-9]+", "an EC2 instance type", "write it like t4g.medium")
]
InstanceClass = Annotated[
    str,
    _pattern(r"db\.[a-z][a-z0-9-]*\.[a-z0-9]+", "an RDS instance class", "write it like db.t4g.micro"),
]
ClientCidr = Annotated[str, AfterValidator(_client_cidr)]
Team = Annotated[str, AfterValidator(_team)]
RegionName = Annotated[str, AfterValidator(_region)]


VpcCidr = Annotated[str, AfterValidator(_vpc_cidr)]
MlflowVersion = Annotated[str, AfterValidator(_mlflow_version)]
EngineVersion = Annotated[str, AfterValidator(_engine_version)]
LogRetention = Annotated[int, AfterValidator(_log_retention)]
