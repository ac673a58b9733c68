"""The environment file as typed, validated, frozen models.

One file describes one environment. Every field has a one-line description, which is also what
``gatehouse schema`` writes and what an error message quotes. Unknown fields are refused, types are not
coerced (``16`` is not ``"16"``), and a rule that needs two fields lives in the model that holds both.

Nothing here knows of cdktf: data flows from these models to the policies and constructs, never back.
"""

from __future__ import annotations

import ipaddress
import json
import re
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from gatehouse.access_rules import check_access
from gatehouse.access_settings import Access
from gatehouse.fields import (
    DISTINCT,
    PRIVATE_NETWORKS,
    AccountId,
    BucketName,
    CertificateArn,
    ClientCidr,
    CloudProject,
    DomainName,
    EngineVersion,
    HostName,
    InstanceClass,
    InstanceType,
    KeyArn,
    LogRetention,
    MlflowVersion,
    Model,
    Name,
    ObjectKey,
    Organization,
    RefusedError,
    RegionName,
    RoleArn,
    RouteTableId,
    SecurityGroupId,
    SnapshotId,
    SubnetId,
    TagKey,
    TagValue,
    Team,
    VpcCidr,
    VpcEndpointId,
    VpcId,
    WorkspaceName,
    WorkspaceTag,
    ZoneLetter,
)

#: Bits by which a VPC is split: half for servers in four parts, a quarter each for databases and NAT.
PRIVATE_NEWBITS, NARROW_NEWBITS = 3, 4
MAX_ZONES = 4
#: "PROJECT-ENVIRONMENT" is part of bucket names: 63 characters, less "-access-logs-", account and region.
MAX_PREFIX = 23
#: Items of a list of clients, each a rule of one security group; AWS's quota is 60 rules in each direction.
MAX_CLIENTS, MAX_RULES = 50, 60


class Egress(StrEnum):
    """How the private subnets reach the internet."""

    NAT = "nat"
    NONE = "none"


class CreateNetwork(Model):
    """A VPC of its own."""

    cidr: VpcCidr
    """Private IPv4 range of the VPC, /16 to /22."""
    availability_zones: Annotated[
        tuple[ZoneLetter, ...], Field(strict=False, min_length=2, max_length=MAX_ZONES), DISTINCT
    ] = ("a", "b")
    """Letters of 2 to 4 availability zones: [a, b] of eu-west-1 are eu-west-1a and eu-west-1b."""
    egress: Annotated[Egress, Field(strict=False)]
    """"nat": HTTPS to the internet through NAT gateways; "none": no route to the internet exists."""
    nat_gateway_per_zone: bool = False
    """One NAT gateway in each zone (survives the loss of a zone) instead of one in all."""
    interface_endpoints: bool = False
    """Interface endpoints for the AWS services although there is NAT; always made with egress "none"."""

    @model_validator(mode="after")
    def _nat_only_with_egress(self) -> CreateNetwork:
        if self.nat_gateway_per_zone and self.egress is Egress.NONE:
            raise RefusedError(
                'asks for NAT gateways while egress is "none"',
                'remove it, or set egress to "nat"',
                field="nat_gateway_per_zone",
                value=True,
            )
        return self

    @cached_property
    def network(self) -> ipaddress.IPv4Network:
        """The VPC's range."""
        return ipaddress.IPv4Network(self.cidr)

    @property
    def private_cidrs(self) -> tuple[str, ...]:
        """Ranges of the server subnets, one a zone: the first half of the VPC in four parts."""
        return self._part(PRIVATE_NEWBITS, first=0)

    @property
    def isolated_cidrs(self) -> tuple[str, ...]:
        """Ranges of the database subnets, one a zone: the third quarter of the VPC in four parts."""
        return self._part(NARROW_NEWBITS, first=8)

    @property
    def public_cidrs(self) -> tuple[str, ...]:
        """Ranges of the NAT gateways' subnets, one a zone: the last quarter; none without NAT."""
        return self._part(NARROW_NEWBITS, first=12) if self.egress is Egress.NAT else ()

    def _part(self, newbits: int, *, first: int) -> tuple[str, ...]:
        # Places are fixed for all four zones, so that adding a zone later moves no subnet.
        subnets = list(self.network.subnets(prefixlen_diff=newbits))
        return tuple(str(subnet) for subnet in subnets[first : first + len(self.availability_zones)])


class ExistingNetwork(Model):
    """A VPC that somebody else owns."""

    vpc_id: VpcId
    """The VPC's id; its DNS support and DNS hostnames must be on."""
    server_subnet_ids: Annotated[tuple[SubnetId, ...], Field(strict=False, min_length=2)]
    """Private subnets for the servers, in at least two zones."""
    database_subnet_ids: Annotated[tuple[SubnetId, ...], Field(strict=False, min_length=2)]
    """Subnets for the database, in at least two zones, without a route to the internet."""
    egress: Annotated[Egress, Field(strict=False)]
    """"nat": the server subnets have a route to the internet; "none": they have not."""
    route_table_ids: Annotated[tuple[RouteTableId, ...], Field(strict=False)] = ()
    """Route tables of the server subnets alone; they get an S3 endpoint that lets nothing else through."""
    endpoint_security_group_ids: Annotated[tuple[SecurityGroupId, ...], Field(strict=False)] = ()
    """Security groups of the interface endpoints that the VPC has already."""

    @model_validator(mode="after")
    def _complete(self) -> ExistingNetwork:
        both = sorted(set(self.server_subnet_ids) & set(self.database_subnet_ids))
        if both:
            raise RefusedError(
                "is a server subnet and a database subnet",
                "give the database subnets of its own",
                field="database_subnet_ids",
                value=both[0],
            )
        for field, ids in (
            ("server_subnet_ids", self.server_subnet_ids),
            ("database_subnet_ids", self.database_subnet_ids),
        ):
            if len(set(ids)) != len(ids):
                raise RefusedError(
                    "names a subnet twice", "name each subnet once", field=field, value=list(ids)
                )
        if self.egress is Egress.NONE and not self.endpoint_security_group_ids:
            raise RefusedError(
                'leaves the servers no way to the AWS services with egress "none"',
                "name the security groups of the VPC's interface endpoints",
                field="endpoint_security_group_ids",
                value=[],
            )
        return self


class Network(Model):
    """Where the stack lives: exactly one of `create` and `existing`."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["create"]}, {"required": ["existing"]}]}
    )

    create: CreateNetwork | None = None
    """Make a VPC."""
    existing: ExistingNetwork | None = None
    """Use a VPC that is there."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Network:
        if (self.create is None) == (self.existing is None):
            state = "neither" if self.create is None else "both"
            raise RefusedError(f"has {state} of create and existing", "give exactly one of the two")
        return self

    @property
    def egress(self) -> Egress:
        """How the servers reach the internet."""
        one = self.create or self.existing
        if one is None:  # pragma: no cover - the validator has seen to it
            raise AssertionError
        return one.egress

    @property
    def interface_endpoints(self) -> bool:
        """Whether the stack makes interface endpoints; in somebody else's VPC never.

        Their private DNS names answer for the whole VPC, and their policies admit the servers alone: other
        workloads in it would be shut out of the services.
        """
        return self.create is not None and (
            self.create.interface_endpoints or self.create.egress is Egress.NONE
        )


class PackageSource(StrEnum):
    """Where an instance installs MLflow from."""

    PYPI = "pypi"
    WHEELHOUSE = "wheelhouse"


class Server(Model):
    """The MLflow servers."""

    mlflow_version: MlflowVersion
    """MLflow version; its requirements are locked by hash."""
    instance_type: InstanceType
    """EC2 instance type; the family decides between x86_64 and arm64."""
    min_size: Annotated[int, Field(ge=1, le=50)]
    """Fewest instances."""
    desired_capacity: Annotated[int, Field(ge=1, le=50)]
    """Instances to start with; target tracking moves the number afterwards."""
    max_size: Annotated[int, Field(ge=1, le=50)]
    """Most instances."""
    package_source: Annotated[PackageSource, Field(strict=False)]
    """"pypi": install from PyPI through NAT; "wheelhouse": from the stack's own bucket, no internet."""
    root_volume_gb: Annotated[int, Field(ge=10, le=500)] = 20
    """Size of the encrypted root volume in GB."""

    @model_validator(mode="after")
    def _ordered(self) -> Server:
        if self.min_size > self.max_size:
            raise RefusedError(
                f"is more than max_size ({self.max_size})",
                "keep min_size <= desired_capacity <= max_size",
                field="min_size",
                value=self.min_size,
            )
        if not self.min_size <= self.desired_capacity <= self.max_size:
            raise RefusedError(
                f"is not between min_size ({self.min_size}) and max_size ({self.max_size})",
                "keep min_size <= desired_capacity <= max_size",
                field="desired_capacity",
                value=self.desired_capacity,
            )
        return self

    @property
    def architecture(self) -> Literal["x86_64", "arm64"]:
        """Processor architecture, read off the family: Graviton has a "g" after the generation.

        Source: EC2 User Guide, "Amazon EC2 instance type naming conventions".
        """
        # "g5.xlarge" is the fifth generation of class g: only letters after the digit are attributes.
        return "arm64" if re.match(r"(a1|[a-z]+\d+[a-z]*?g[a-z]*)\.", self.instance_type) else "x86_64"


class Database(Model):
    """The PostgreSQL database of runs and models."""

    engine_version: EngineVersion
    """PostgreSQL version in quotes: a major version, which follows minor upgrades, or an exact one."""
    instance_class: InstanceClass
    """RDS instance class."""
    storage_gb: Annotated[int, Field(ge=20, le=16384)]
    """Storage to start with in GB."""
    max_storage_gb: Annotated[int, Field(ge=20, le=65536)]
    """Limit in GB up to which storage grows by itself."""
    multi_az: bool
    """Keep a standby in another zone."""
    backup_retention_days: Annotated[int, Field(ge=1, le=35)]
    """Days to keep automated backups, 1 to 35."""
    deletion_protection: bool
    """Refuse to destroy database, artifacts, keys and load balancer until this is false and applied."""
    final_snapshot: bool = True
    """Take a snapshot before the database is deleted."""
    snapshot_identifier: SnapshotId | None = None
    """Snapshot to start from instead of an empty database; counts at creation only."""

    @model_validator(mode="after")
    def _storage_grows(self) -> Database:
        # RDS: the threshold must exceed the allocated storage by at least 10 %.
        least = -(-self.storage_gb * 11 // 10)
        if self.max_storage_gb < least:
            raise RefusedError(
                f"leaves no room above storage_gb ({self.storage_gb})",
                f"use at least {least}",
                field="max_storage_gb",
                value=self.max_storage_gb,
            )
        return self

    @property
    def parameter_group_family(self) -> str:
        """RDS parameter group family, such as "postgres16"."""
        return f"postgres{self.engine_version.partition('.')[0]}"


class Artifacts(Model):
    """The artifact bucket."""

    noncurrent_version_days: Annotated[int, Field(ge=1, le=3650)]
    """Days to keep an artifact after it was overwritten or deleted."""
    access_log_days: Annotated[int, Field(ge=1, le=3650)]
    """Days to keep the access logs of the buckets and of the load balancer."""
    vpc_endpoint_ids: Annotated[tuple[VpcEndpointId, ...], Field(strict=False), DISTINCT] = ()
    """S3 endpoints through which alone artifacts are read and written; empty: from anywhere IAM allows."""


class Visibility(StrEnum):
    """Where the API can be called from."""

    REGIONAL = "regional"
    PRIVATE = "private"


class Throttle(Model):
    """Limits over all callers of the API together."""

    requests_per_second: Annotated[int, Field(ge=1, le=10000)] = 100
    """Steady rate in requests a second."""
    burst: Annotated[int, Field(ge=1, le=5000)] = 200
    """Requests above the steady rate that are let through at once."""


class Api(Model):
    """The API Gateway in front of MLflow."""

    visibility: Annotated[Visibility, Field(strict=False)]
    """"regional": a public address, IAM and client_cidrs decide; "private": only through VPC endpoints."""
    client_cidrs: Annotated[tuple[ClientCidr, ...], Field(strict=False, max_length=MAX_CLIENTS)] = ()
    """IPv4 ranges that clients call from; nothing else is let in."""
    client_security_groups: Annotated[
        tuple[SecurityGroupId, ...], Field(strict=False, max_length=MAX_CLIENTS)
    ] = ()
    """Security groups, in the VPC or a peered one, whose members may reach the private API's endpoint."""
    vpc_endpoint_ids: Annotated[tuple[VpcEndpointId, ...], Field(strict=False)] = ()
    """Existing execute-api endpoints through which the private API is called; one is made if empty."""
    certificate_arn: CertificateArn | None = None
    """ACM certificate of the load balancer, publicly trusted; with it the gateway verifies the server's name."""
    domain: DomainName | None = None
    """Name in that certificate."""
    throttle: Throttle = Throttle()
    """Limits over all callers together."""
    manage_account_log_role: bool = True
    """Set the role with which API Gateway writes logs: one an account and region, so one stack sets it."""

    @model_validator(mode="after")
    def _reachable(self) -> Api:
        clients = [ipaddress.IPv4Network(cidr) for cidr in self.client_cidrs]
        for position, network in enumerate(clients):
            for other in clients[:position]:
                if network == other:
                    raise RefusedError(
                        "is given twice", "remove one", field="client_cidrs", value=str(network)
                    )
                if network.overlaps(other):
                    raise RefusedError(
                        f"overlaps {other}",
                        "keep the wider of the two",
                        field="client_cidrs",
                        value=str(network),
                    )
        if (self.certificate_arn is None) != (self.domain is None):
            missing = "domain" if self.domain is None else "certificate_arn"
            raise RefusedError(
                "is missing", "give certificate_arn and domain together, or neither", field=missing
            )
        if self.visibility is Visibility.REGIONAL:
            self._check_regional()
        else:
            self._check_private()
        return self

    def _check_regional(self) -> None:
        for field in ("client_security_groups", "vpc_endpoint_ids"):
            if getattr(self, field):
                raise RefusedError(
                    "belongs to a private API",
                    'remove it, or set visibility to "private"',
                    field=field,
                    value=list(getattr(self, field)),
                )
        if not self.client_cidrs:
            raise RefusedError(
                "is empty: nobody could call the API",
                "list the ranges your clients call from",
                field="client_cidrs",
                value=[],
            )

    def _check_private(self) -> None:
        for cidr in self.client_cidrs:
            if not any(ipaddress.IPv4Network(cidr).subnet_of(net) for net in PRIVATE_NETWORKS):
                raise RefusedError(
                    "is not a private network, so it cannot reach a private API",
                    "list the private ranges your clients have",
                    field="client_cidrs",
                    value=cidr,
                )
        rules = len(self.client_cidrs) + len(self.client_security_groups)
        if rules > MAX_RULES:
            raise RefusedError(
                f"makes {rules} rules together with client_cidrs, and a security group takes {MAX_RULES}",
                f"keep both lists together within {MAX_RULES}; merge neighbouring ranges",
                field="client_security_groups",
            )
        if self.vpc_endpoint_ids and self.client_security_groups:
            raise RefusedError(
                "cannot be added to endpoints that are not this stack's",
                "admit the groups at the existing endpoints, and remove them here",
                field="client_security_groups",
                value=list(self.client_security_groups),
            )
        if not (self.vpc_endpoint_ids or self.client_cidrs or self.client_security_groups):
            raise RefusedError(
                "is empty: nobody could call the API",
                "list client_cidrs, client_security_groups or existing vpc_endpoint_ids",
                field="client_cidrs",
                value=[],
            )


class Logs(Model):
    """Log groups."""

    retention_days: LogRetention = 90
    """Days to keep logs."""


class LocalState(Model):
    """Terraform state in a file of this folder: for trying things out."""

    backend: Literal["local"]
    """State in terraform.ENVIRONMENT.tfstate beside cdktf.json."""


class S3State(Model):
    """Terraform state in S3, encrypted, with a lock file."""

    backend: Literal["s3"]
    """State in an S3 bucket."""
    bucket: BucketName
    """Existing bucket, with versioning on."""
    key: ObjectKey
    """Object key of the state."""
    region: RegionName
    """Region of the bucket."""
    role_arn: RoleArn | None = None
    """Role to assume for reading and writing the state."""
    kms_key_id: KeyArn | None = None
    """KMS key (ARN) that encrypts the state."""


class CloudState(Model):
    """Terraform state and runs in HCP Terraform (Terraform Cloud)."""

    backend: Literal["cloud"]
    """State and runs in Terraform Cloud."""
    organization: Organization
    """Organization in Terraform Cloud."""
    workspace: WorkspaceName | None = None
    """Workspace by its name; give this or workspace_tags."""
    workspace_tags: Annotated[tuple[WorkspaceTag, ...], Field(strict=False)] = ()
    """Workspaces by their tags; give these or workspace."""
    project: CloudProject | None = None
    """Project in which new workspaces are made."""
    hostname: HostName = "app.terraform.io"
    """Host of Terraform Cloud or Terraform Enterprise."""

    @model_validator(mode="after")
    def _one_way(self) -> CloudState:
        if (self.workspace is None) == (not self.workspace_tags):
            raise RefusedError(
                "must be chosen in one way",
                "give workspace or workspace_tags, not both and not neither",
                field="workspace",
                value=self.workspace,
            )
        return self


State = Annotated[LocalState | S3State | CloudState, Field(discriminator="backend")]


class Settings(Model):
    """One environment of Gatehouse: MLflow on AWS."""

    project: Name
    """First part of every name, such as "mlflow"."""
    environment: Name
    """Second part of every name; the file is environments/ENVIRONMENT.yaml, the stack has the same name."""
    region: RegionName
    """AWS region."""
    account_id: AccountId | None = None
    """Twelve-digit AWS account in quotes; Terraform then refuses to run in any other."""
    deployer_role_arns: Annotated[tuple[RoleArn, ...], Field(strict=False)] = ()
    """Roles that run Terraform; keys then admit no other deployer. Empty: whoever IAM allows in the account."""
    tags: Annotated[
        dict[TagKey, TagValue], Field(max_length=40, json_schema_extra={"additionalProperties": False})
    ] = Field(default={})
    """Tags put on every resource."""
    network: Network
    """Where the stack lives."""
    server: Server
    """The MLflow servers."""
    database: Database
    """The PostgreSQL database."""
    artifacts: Artifacts
    """The artifact bucket."""
    api: Api
    """The API Gateway in front of MLflow."""
    logs: Logs = Logs()
    """Log groups."""
    teams: Annotated[tuple[Team, ...], Field(strict=False, min_length=1, max_length=2000)]
    """Teams; each gets an MLflow workspace and a prefix in the artifact bucket."""
    access: Access = Access()
    """Who may be which persona in which team; without bindings nobody."""
    state: State
    """Where Terraform keeps its state."""

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if len(self.prefix) > MAX_PREFIX:
            raise RefusedError(
                f"makes names too long: {self.prefix!r} has {len(self.prefix)} characters",
                f"keep project and environment together within {MAX_PREFIX - 1}",
                field="environment",
                value=self.environment,
            )
        self._check_tag_keys()
        twice = sorted({team for team in self.teams if self.teams.count(team) > 1})
        if twice:
            raise RefusedError("is named twice", "name each team once", field="teams", value=twice[0])
        if self.network.egress is Egress.NONE and self.server.package_source is PackageSource.PYPI:
            raise RefusedError(
                'needs the internet, and network egress is "none"',
                'set it to "wheelhouse"',
                field="server.package_source",
                value=self.server.package_source.value,
            )
        self._check_clients_reach_the_vpc()
        certificate = self.api.certificate_arn
        if certificate is not None and certificate.split(":")[3] != self.region:
            raise RefusedError(
                f"is not in the region of this environment ({self.region})",
                "request or import the certificate in the same region",
                field="api.certificate_arn",
                value=certificate,
            )
        check_access(self)
        return self

    def _check_tag_keys(self) -> None:
        seen: dict[str, str] = {}
        for key in self.tags:
            if key.casefold() == "team":
                raise RefusedError(
                    "decides whose data a role reaches, and would be put on every role",
                    "choose another tag key, such as owner",
                    field=f"tags.{key}",
                )
            first = seen.setdefault(key.casefold(), key)
            if first != key:
                raise RefusedError(
                    f"has the keys {first!r} and {key!r}, which IAM takes for one",
                    "keep one of the two",
                    field="tags",
                )

    def _check_clients_reach_the_vpc(self) -> None:
        made = self.network.create
        if made is None or self.api.visibility is not Visibility.PRIVATE:
            return
        for cidr in self.api.client_cidrs:
            if made.network.overlaps(ipaddress.IPv4Network(cidr)):
                raise RefusedError(
                    f"overlaps the VPC's own range ({made.cidr}), so it cannot be routed to the VPC",
                    "list only ranges outside the VPC, or move network.create.cidr",
                    field="api.client_cidrs",
                    value=cidr,
                )

    @property
    def prefix(self) -> str:
        """ "PROJECT-ENVIRONMENT", the start of every name."""
        return f"{self.project}-{self.environment}"

    @property
    def stack_tags(self) -> dict[str, str]:
        """The tags of the file, and the one that tells whose stack a resource is part of."""
        return {**self.tags, "gatehouse:stack": self.prefix}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an environment file.

    An editor that knows it completes field names and values and marks what is refused; rules that need
    several fields are told by the loader only.
    """
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Settings.model_json_schema()}


def json_schema_text() -> str:
    """Return the JSON Schema as the text of environments/schema.json."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
