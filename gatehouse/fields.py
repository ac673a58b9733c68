"""The kinds of value that an environment file holds: each one a type, its rule and the way out.

A rule refuses a value with :class:`RefusedError`, which carries what is wrong and what to write instead, so
that an error message never leaves a reader with a regular expression.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema
from pydantic_core.core_schema import (
    no_info_after_validator_function,
    no_info_wrap_validator_function,
)

from gatehouse.errors import CREDENTIAL

ROOT = Path(__file__).resolve().parents[1]
SERVER_FILES = ROOT / "templates" / "server"

#: Regions whose RDS certificate authorities ship with Gatehouse (templates/server/rds-ca).
REGIONS = tuple(sorted(path.stem for path in (SERVER_FILES / "rds-ca").glob("*.pem")))
#: MLflow versions whose hash-locked requirements ship with Gatehouse (templates/server/requirements).
MLFLOW_VERSIONS = tuple(
    sorted(
        (path.stem for path in (SERVER_FILES / "requirements").glob("*.txt")),
        key=lambda version: [int(part) for part in re.findall(r"\d+", version)],
    )
)
#: PostgreSQL major versions on which MLflow's schema is supported and that RDS offers.
POSTGRESQL_MAJORS = ("15", "16", "17")
#: Workspace names that MLflow keeps for itself, or that a client gets without asking for a team.
RESERVED_TEAMS = frozenset({"default", "workspaces", "api", "ajax-api", "static-files"})
#: Stands for every team, present and future.
ALL: Literal["all"] = "all"
#: Days that CloudWatch Logs accepts as a retention (PutRetentionPolicy), from a week on.
LOG_RETENTION_DAYS = (
    7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip

#: Prefix lengths: AWS takes no VPC wider than /16; below /22 endpoints, servers and NLB do not fit.
WIDEST_VPC, NARROWEST_VPC, WIDEST_CLIENT = 16, 22, 8


class Model(BaseModel):
    """Base of every model: frozen, no unknown fields, no coercion."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class RefusedError(ValueError):
    """A refused value and the way out: ``problem`` says what is wrong, ``fix`` what to write instead.

    ``field`` is the path below the model that raised, for rules over several fields.
    """

    def __init__(
        self, problem: str, fix: str, *, field: str = "", value: object = None, hidden: bool = False
    ) -> None:
        """Keep the parts; the message itself is ``problem``. A ``hidden`` value is not printed."""
        super().__init__(problem)
        self.hidden = hidden
        self.problem, self.fix, self.field, self.value = problem, fix, field, value


_CIDR = r"\d{1,3}(\.\d{1,3}){3}/\d{1,2}"


def _network(value: str) -> ipaddress.IPv4Network:
    plain = re.sub(r"(?<!\d)0+(?=\d)", "", value)
    if plain != value and re.fullmatch(_CIDR, plain, re.ASCII):
        raise RefusedError("is written with leading zeros", f"write no leading zeros: {plain}")
    # Python also takes a bare address and a netmask after the slash; AWS takes neither.
    if not re.fullmatch(_CIDR, value, re.ASCII):
        raise RefusedError("is not an IPv4 network", "write network/prefix, like 10.20.0.0/20")
    try:
        return ipaddress.IPv4Network(value)
    except ipaddress.AddressValueError:
        raise RefusedError("is not an IPv4 network", "use four numbers from 0 to 255") from None
    except ipaddress.NetmaskValueError:
        raise RefusedError("has no valid prefix", "use a prefix from /0 to /32") from None
    except ValueError:
        network = ipaddress.IPv4Network(value, strict=False)
        raise RefusedError("has host bits set", f"write the network: {network}") from None


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


_ENGINE = rf"({'|'.join(POSTGRESQL_MAJORS)})(\.[0-9]+)?"


def _engine_version(value: str) -> str:
    if not re.fullmatch(_ENGINE, value):
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


_TEAM = r"[a-z][a-z0-9-]{0,29}[a-z0-9]"


def _team(value: str) -> str:
    # The alphabet is part of the access proof: a tag value with "/" or "*" would reach another prefix.
    # MLflow's own rule (WorkspaceNameValidator, 3.17) adds that a name does not end in a hyphen.
    if not re.fullmatch(_TEAM, value):
        raise RefusedError(
            "is not a team name",
            "use 2 to 31 of a-z, 0-9 and '-', starting with a letter, not ending in '-'",
        )
    if value in RESERVED_TEAMS:
        raise RefusedError("is a name that MLflow keeps for itself", "choose another team name")
    return value


def _no_credential(value: str) -> str:
    if CREDENTIAL.search(value):
        raise RefusedError(
            "looks like an access key or a token, and whoever may list resources reads their tags",
            "remove it, and revoke it if it is real",
            hidden=True,
        )
    return value


class Pattern:
    """Annotation of a text that ``regex`` must match whole; it says what was expected and what to write.

    The JSON Schema carries the same pattern, anchored, so that an editor refuses what Gatehouse refuses.
    """

    def __init__(self, regex: str, what: str, fix: str) -> None:
        """Keep the rule; ``what`` follows "is not", ``fix`` is an instruction."""
        self.regex, self.what, self.fix = re.compile(regex, re.ASCII), what, fix

    def __get_pydantic_core_schema__(self, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check after the type."""
        return no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Add the pattern."""
        return {**handler(schema), "pattern": _anchored(self.regex.pattern)}

    def _check(self, value: str) -> str:
        if not self.regex.fullmatch(value):
            raise RefusedError(f"is not {self.what}", self.fix)
        return value


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if values.count(value) > 1:
            raise RefusedError(f"names {str(value)!r} twice", "name each once")
    return values


#: Annotation of a list that names nothing twice.
DISTINCT = AfterValidator(_distinct)


class OrAll:
    """Annotation of a list of which the word "all" may stand in the place."""

    def __get_pydantic_core_schema__(self, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Take "all" as it is, and anything else as the list: an error then speaks of the list alone."""
        items = handler.generate_schema(Annotated[tuple[Team, ...], Field(strict=False, min_length=1)])
        return no_info_wrap_validator_function(
            lambda value, check: value if value == ALL else check(value), items
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Offer both."""
        return {"anyOf": [{"const": ALL}, handler(schema)]}


def _anchored(regex: str) -> str:
    """Return ``regex`` for JSON Schema, whose patterns match anywhere in a text."""
    return f"^({regex})$"


Name = Annotated[
    str,
    Pattern(
        r"[a-z][a-z0-9]*(-[a-z0-9]+)*",
        "a name",
        "use a-z, 0-9 and single '-' between them, starting with a letter",
    ),
]
#: Letters and signs that every AWS service takes in a tag; `${` would be read by Terraform.
_TAG = r"[A-Za-z0-9 _.:/=+@-]"
TagKey = Annotated[
    str,
    Pattern(
        rf"(?![aA][wW][sS]:)(?![gG][aA][tT][eE][hH][oO][uU][sS][eE]:){_TAG}{{1,128}}",
        "a tag key",
        "use 1 to 128 letters, digits, spaces and _.:/=+@-, not starting with 'aws:' or 'gatehouse:'",
    ),
]
TagValue = Annotated[
    str,
    Pattern(rf"{_TAG}{{0,256}}", "a tag value", "use up to 256 letters, digits, spaces and _.:/=+@-"),
    AfterValidator(_no_credential),
]
SecurityGroupId = Annotated[
    str, Pattern(r"sg-[0-9a-f]{8,17}", "a security group id", "write it like sg-0123456789abcdef0")
]
SubnetId = Annotated[
    str, Pattern(r"subnet-[0-9a-f]{8,17}", "a subnet id", "write it like subnet-0123456789abcdef0")
]
VpcId = Annotated[str, Pattern(r"vpc-[0-9a-f]{8,17}", "a VPC id", "write it like vpc-0123456789abcdef0")]
VpcEndpointId = Annotated[
    str, Pattern(r"vpce-[0-9a-f]{8,17}", "a VPC endpoint id", "write it like vpce-0123456789abcdef0")
]
RouteTableId = Annotated[
    str, Pattern(r"rtb-[0-9a-f]{8,17}", "a route table id", "write it like rtb-0123456789abcdef0")
]
AccountId = Annotated[
    str, Pattern(r"\d{12}", "an AWS account id", 'write its twelve digits in quotes, like "111122223333"')
]
CertificateArn = Annotated[
    str,
    Pattern(
        r"arn:aws:acm:[a-z0-9-]+:\d{12}:certificate/[0-9a-f-]+",
        "the ARN of an ACM certificate",
        "copy it from ACM; it starts with arn:aws:acm:",
    ),
]
RoleArn = Annotated[
    str,
    Pattern(
        r"arn:aws:iam::\d{12}:role/[A-Za-z0-9+=,.@_/-]+",
        "the ARN of an IAM role",
        "write it like arn:aws:iam::111122223333:role/terraform-state",
    ),
]
KeyArn = Annotated[
    str,
    Pattern(
        r"arn:aws:kms:[a-z0-9-]+:\d{12}:(key|alias)/[A-Za-z0-9/_-]+",
        "the ARN of a KMS key or alias",
        "copy it from KMS; it starts with arn:aws:kms:",
    ),
]
DomainName = Annotated[
    str,
    Pattern(
        r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}",
        "a domain name",
        "write it in lower case, like mlflow.example.com",
    ),
]
BucketName = Annotated[
    str,
    Pattern(
        r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket name", "write it like my-terraform-state"
    ),
]
ObjectKey = Annotated[
    str,
    Pattern(
        r"(?=.{1,512}$)[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*",
        "an object key",
        "write it like mlflow/prod.tfstate, with single '/' between names",
    ),
]
SnapshotId = Annotated[
    str,
    Pattern(
        r"(?!arn:)[A-Za-z][A-Za-z0-9:-]{0,254}",
        "an RDS snapshot of the account",
        "write its identifier; copy a snapshot that another account shares first",
    ),
]
Organization = Annotated[
    str, Pattern(r"[A-Za-z0-9_-]{1,40}", "an organization name", "copy it from Terraform Cloud")
]
WorkspaceName = Annotated[
    str, Pattern(r"[A-Za-z0-9_-]{1,90}", "a workspace name", "use letters, digits, '-' and '_'")
]
WorkspaceTag = Annotated[
    str, Pattern(r"[a-z0-9][a-z0-9:_-]*", "a workspace tag", "use a-z, 0-9, ':', '_' and '-'")
]
CloudProject = Annotated[
    str, Pattern(r"[A-Za-z0-9 _-]{3,40}", "a Terraform Cloud project", "copy its name from Terraform Cloud")
]
#: RFC 1123: labels of up to 63, none of them starting or ending in a hyphen; a last label of digits is an address.
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HostName = Annotated[
    str,
    Pattern(
        rf"(?=.{{1,253}}$)({_LABEL}\.)+(?=[a-z]){_LABEL}",
        "a host name",
        "write it in lower case, without https:// and port, like app.terraform.io",
    ),
]
InstanceType = Annotated[
    str,
    Pattern(r"[a-z][a-z0-9-]*\.[a-z0-9]+(-[a-z0-9]+)*", "an EC2 instance type", "write it like t4g.medium"),
]
InstanceClass = Annotated[
    str,
    Pattern(r"db\.[a-z][a-z0-9-]*\.[a-z0-9]+", "an RDS instance class", "write it like db.t4g.micro"),
]
ClientCidr = Annotated[
    str, AfterValidator(_client_cidr), WithJsonSchema({"type": "string", "pattern": _anchored(_CIDR)})
]
VpcCidr = Annotated[
    str, AfterValidator(_vpc_cidr), WithJsonSchema({"type": "string", "pattern": _anchored(_CIDR)})
]
Team = Annotated[
    str,
    AfterValidator(_team),
    WithJsonSchema({"type": "string", "pattern": _anchored(_TEAM), "not": {"enum": sorted(RESERVED_TEAMS)}}),
]
RegionName = Annotated[
    str, AfterValidator(_region), WithJsonSchema({"type": "string", "enum": list(REGIONS)})
]
ZoneLetter = Annotated[
    str, Pattern("[a-z]", "the letter of an availability zone", 'write "a" for eu-west-1a, and so on')
]
MlflowVersion = Annotated[
    str, AfterValidator(_mlflow_version), WithJsonSchema({"type": "string", "enum": list(MLFLOW_VERSIONS)})
]
EngineVersion = Annotated[
    str, AfterValidator(_engine_version), WithJsonSchema({"type": "string", "pattern": _anchored(_ENGINE)})
]
LogRetention = Annotated[
    int,
    AfterValidator(_log_retention),
    WithJsonSchema({"type": "integer", "enum": list(LOG_RETENTION_DAYS)}),
]
Teams = Annotated[tuple[Team, ...] | Literal["all"], OrAll()]

#: Names of IAM: letters, digits and these signs. Neither "*" nor "?" is among them, so an ARN made of
#: them is one principal. Source: IAM API Reference, CreateUser and CreateRole.
_IAM_NAME = r"[A-Za-z0-9+=,.@_-]"
PrincipalArn = Annotated[
    str,
    Pattern(
        rf"arn:aws:iam::\d{{12}}:(role|user)/({_IAM_NAME}+/)*{_IAM_NAME}{{1,64}}",
        "the ARN of one IAM role or user",
        "write it like arn:aws:iam::111122223333:role/data/scientist, without wildcards; not an account, "
        "not a session",
    ),
]
SamlProviderArn = Annotated[
    str,
    Pattern(
        r"arn:aws:iam::\d{12}:saml-provider/[A-Za-z0-9._-]{1,128}",
        "the ARN of a SAML provider",
        "write it like arn:aws:iam::111122223333:saml-provider/corp",
    ),
]
UserName = Annotated[
    str,
    Pattern(rf"{_IAM_NAME}{{1,64}}", "the name of an IAM user", "use up to 64 letters, digits and +=,.@_-"),
]
ExternalId = Annotated[
    str,
    Pattern(
        r"[A-Za-z0-9+=,.@:/_-]{2,1224}",
        "an external id",
        "use 2 to 1,224 letters, digits and +=,.@:/_-, as the other account's owner was told",
    ),
]
#: An issuer is part of the names of condition keys, which no policy variable and no wildcard may enter.
OidcIssuer = Annotated[
    str,
    Pattern(
        rf"(?=.{{1,255}}$)({_LABEL}\.)+(?=[a-z]){_LABEL}(/[A-Za-z0-9._~-]+)*",
        "the issuer of an OIDC provider",
        "write its URL without https:// and without a slash at the end, like idp.example.com/realms/corp",
    ),
]
#: Compared letter by letter (StringEquals); what looks like a pattern would never match and mislead a reader.
Claim = Annotated[
    str,
    Pattern(
        r"(?=.{1,255}$)(?!.*\$\{)[!-)+->@-~]([ -)+->@-~]*[!-)+->@-~])?",
        "the exact value of a claim",
        "write the whole value as the token has it, up to 255 characters, without '*', '?' and '${'",
    ),
]
PermissionSet = Annotated[
    str,
    Pattern(
        r"[A-Za-z0-9+=,.@-][A-Za-z0-9+=,.@_-]{0,31}",
        "the name of a permission set",
        "copy it from IAM Identity Center: up to 32 letters, digits and +=,.@_-",
    ),
]
#: Ids after '@' are part of the subject of repositories made or renamed since mid-2026, and of those that
#: opted in. Source: GitHub changelog 2026-04-23, "Immutable subject claims for GitHub Actions OIDC tokens".
GithubRepository = Annotated[
    str,
    Pattern(
        r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(@\d+)?/[A-Za-z0-9._-]{1,100}(@\d+)?",
        "a GitHub repository",
        "write it like acme/fraud, or acme@123456/fraud@456789 where tokens carry ids, without wildcards",
    ),
]
GitBranch = Annotated[
    str,
    Pattern(
        r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}",
        "a branch",
        "write its whole name, like main or release/1.2, without refs/heads/ and without wildcards",
    ),
]
GithubEnvironment = Annotated[
    str,
    Pattern(
        r"[A-Za-z0-9_.-]([A-Za-z0-9 _.-]{0,253}[A-Za-z0-9_.-])?",
        "a GitHub environment",
        "write its whole name, like production, without wildcards",
    ),
]
EksIssuer = Annotated[
    str,
    Pattern(
        r"oidc\.eks\.[a-z0-9-]+\.amazonaws\.com/id/[0-9A-F]{32}",
        "the OIDC issuer of an EKS cluster",
        "copy it from the cluster, without https://: oidc.eks.REGION.amazonaws.com/id/ and 32 hex digits",
    ),
]
ServiceAccount = Annotated[
    str,
    Pattern(
        r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?",
        "a Kubernetes service account",
        "write it as namespace/name, without wildcards",
    ),
]
#: Descriptions of IAM roles take Latin-1 without controls (CreateRole); `${` and `%{` Terraform would read.
RoleText = Annotated[
    str,
    Pattern(
        r"(?!.*[$%]\{)[ -~\u00a1-\u00ff]{10,160}",
        "a sentence for the role's description",
        "write 10 to 160 characters of Latin-1 on one line, without ${ and %{",
    ),
    AfterValidator(_no_credential),
]
TemplatePath = Annotated[
    str,
    Pattern(
        r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*\.json\.j2",
        "the path of a persona's template",
        "write it from the environment file's folder on, inside it, like personas/feature-engineer.json.j2",
    ),
]
