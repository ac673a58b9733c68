"""The composition root: the one file that knows every module, in the order of the diagram in the README."""

from __future__ import annotations

import re
from pathlib import Path

from cdktf import ITerraformDependable, TerraformElement, TerraformOutput, TerraformStack
from cdktf_cdktf_provider_aws.data_aws_caller_identity import DataAwsCallerIdentity
from cdktf_cdktf_provider_aws.provider import AwsProvider, AwsProviderDefaultTags
from constructs import Construct, Node

from gatehouse.settings import Settings, Visibility
from modules.api import Api, PrivateEntry
from modules.database import Database
from modules.deployment import STAGE, Deployment
from modules.endpoints import Endpoints
from modules.firewall import Firewall
from modules.identity import Identity
from modules.key import Key
from modules.load_balancer import LoadBalancer
from modules.log_group import LogGroup
from modules.network import Network, Placement, existing_placement
from modules.observability import Observability
from modules.operations import Operations
from modules.role import Boundary, ServiceRole
from modules.server import Server
from modules.state import declare_backend
from modules.storage import Storage
from modules.variables import Variables

PROVIDER_VERSIONS = ">= 5.100, < 7.0"


class GatehouseStack(TerraformStack):
    """MLflow on AWS for one environment; its name is the environment's."""

    def __init__(self, scope: Construct, id_: str, *, settings: Settings, folder: Path) -> None:
        """Wire the modules together; ``folder`` is where the environment file is."""
        super().__init__(scope, id_)
        self._names: dict[tuple[type, str], str] = {}
        self._settings, self._folder = settings, folder
        self._roles: dict[str, ServiceRole] = {}
        self._deployment = self._configure()
        self._boundary = Boundary(
            self, "boundary", deployment=self._deployment, name="boundary", template="boundaries/service"
        )
        self._log_key = self._make_log_key()

        placement, routes = self._place()
        firewall = Firewall(self, "firewall", deployment=self._deployment, placement=placement)
        endpoints = Endpoints(
            self,
            "endpoints",
            deployment=self._deployment,
            placement=placement,
            interface_group=firewall.endpoints,
        )
        storage = Storage(self, "storage", deployment=self._deployment)
        database = Database(
            self,
            "database",
            deployment=self._deployment,
            placement=placement,
            security_group=firewall.database,
            log_key=self._log_key,
            monitoring_role=self._role(
                "database-monitoring", "monitoring.rds.amazonaws.com", source=f"rds:{{}}:db:{settings.prefix}"
            ),
        )
        load_balancer = LoadBalancer(
            self,
            "load-balancer",
            deployment=self._deployment,
            placement=placement,
            security_group=firewall.load_balancer,
            storage=storage,
        )
        server = Server(
            self,
            "server",
            deployment=self._deployment,
            placement=placement,
            security_group=firewall.server,
            role=self._role("server", "ec2.amazonaws.com"),
            storage=storage,
            database=database,
            load_balancer=load_balancer,
            log_key=self._log_key,
            after=[*routes, *endpoints.all],
        )
        operations = Operations(self, "operations", deployment=self._deployment)
        api = self._front_door(placement, firewall, load_balancer)
        identity = Identity(
            self,
            "identity",
            deployment=self._deployment,
            api=api,
            storage=storage,
        )
        observability = Observability(
            self,
            "observability",
            deployment=self._deployment,
            api=api,
            load_balancer=load_balancer,
            server=server,
            database=database,
        )
        self._declare_outputs(placement, api, storage, server, operations, database, identity, observability)

    def _configure(self) -> Deployment:
        settings = self._settings
        declare_backend(self, state=settings.state, environment=settings.environment)
        AwsProvider(
            self,
            "aws",
            region=settings.region,
            allowed_account_ids=[settings.account_id] if settings.account_id else None,
            default_tags=[AwsProviderDefaultTags(tags=settings.stack_tags)],
        )
        # The bindings are typed against 6.x; the stack uses only what 5.100 has as well, and says so.
        self.add_override(
            "terraform.required_providers.aws", {"source": "hashicorp/aws", "version": PROVIDER_VERSIONS}
        )
        account = settings.account_id or DataAwsCallerIdentity(self, "account").account_id
        return Deployment(
            settings=settings,
            folder=self._folder,
            account=account,
            variables=Variables(self, settings=settings),
        )

    def _make_log_key(self) -> Key:
        deployment = self._deployment
        regional = self._settings.api.visibility is Visibility.REGIONAL
        return Key(
            self,
            "log-key",
            deployment=deployment,
            purpose="logs",
            description="log groups",
            log_groups=[
                deployment.log_group_name("*"),
                f"/aws/rds/instance/{deployment.prefix}/*",
                f"API-Gateway-Execution-Logs_*/{STAGE}",
                *([deployment.web_acl_log_group] if regional else []),
            ],
        )

    def _role(self, name: str, service: str, source: str = "") -> ServiceRole:
        place = f"{self._settings.region}:{self._deployment.account}"
        self._roles[name] = ServiceRole(
            self,
            f"{name}-role",
            deployment=self._deployment,
            boundary=self._boundary,
            name=name,
            service=service,
            source_arn=f"arn:aws:{source.format(place)}" if source else None,
        )
        return self._roles[name]

    def _place(self) -> tuple[Placement, list[ITerraformDependable]]:
        """Return where things go, and the routes that a booting server needs."""
        network = self._settings.network
        if network.existing is not None:
            return existing_placement(network.existing), []
        if network.create is None:  # pragma: no cover - the settings have exactly one of the two
            raise AssertionError
        flow_logs = LogGroup(
            self,
            "flow-logs",
            deployment=self._deployment,
            name=self._deployment.log_group_name("flow"),
            key=self._log_key,
        )
        own = Network(
            self,
            "network",
            deployment=self._deployment,
            network=network.create,
            flow_log_group=flow_logs,
            flow_log_role=self._role(
                "flow-logs", "vpc-flow-logs.amazonaws.com", source="ec2:{}:vpc-flow-log/*"
            ),
        )
        return own.placement, list(own.internet_routes)

    def _front_door(self, placement: Placement, firewall: Firewall, load_balancer: LoadBalancer) -> Api:
        settings = self._settings.api
        entry = None
        if firewall.private_entry is not None:
            entry = PrivateEntry(
                self,
                "private-entry",
                deployment=self._deployment,
                placement=placement,
                security_group=firewall.private_entry,
            )
        api = Api(
            self,
            "api",
            deployment=self._deployment,
            load_balancer=load_balancer,
            vpc_endpoint_ids=[entry.id] if entry else list(settings.vpc_endpoint_ids),
            log_key=self._log_key,
            log_role=self._role("api-logs", "apigateway.amazonaws.com")
            if settings.manage_account_log_role
            else None,
        )
        if entry is not None:
            entry.restrict_to(api)
        return api

    def _declare_outputs(
        self,
        placement: Placement,
        api: Api,
        storage: Storage,
        server: Server,
        operations: Operations,
        database: Database,
        identity: Identity,
        observability: Observability,
    ) -> None:
        private = self._settings.api.visibility is Visibility.PRIVATE
        reach = "through its VPC endpoint" if private else "from the client ranges"
        outputs: dict[str, tuple[object, str]] = {
            "api_url": (api.url, f"URL of the API, reachable {reach}"),
            "tracking_uris": (
                {team: api.tracking_uri(team) for team in self._settings.teams},
                "MLFLOW_TRACKING_URI of each team; clients also set MLFLOW_TRACKING_AWS_SIGV4=true",
            ),
            "api_execution_arn": (api.execution_arn, "ARN that execute-api policies name"),
            "artifact_bucket": (storage.artifacts.id, "Bucket of the artifacts"),
            "server_bucket": (storage.server_files.id, "Bucket of the boot files and the wheelhouse"),
            "access_log_bucket": (storage.access_logs.id, "Bucket of the access logs"),
            "log_groups": (
                {
                    "api_access": api.access_log_group.name,
                    "api_execution": api.execution_log_group.name,
                    "server": server.server_log_group.name,
                    "boot": server.boot_log_group.name,
                },
                "Log groups: who called what, gateway errors, MLflow itself, an instance's first minutes",
            ),
            "role_arns": (
                {name.replace("-", "_"): role.arn for name, role in self._roles.items()},
                "Roles that the stack's services assume",
            ),
            "persona_role_arns": (identity.role_arns, "Roles that people and machines assume, by name"),
            "vpc_id": (placement.vpc_id, "VPC of the stack"),
            "server_subnet_ids": (placement.server_subnet_ids, "Subnets of servers and endpoints"),
            "server_route_table_ids": (
                placement.server_route_table_ids,
                "Route tables of those subnets, for routes to the clients' networks",
            ),
            "database_secret_arn": (database.secret_arn, "Secret with the database password, rotated by RDS"),
            "operations_document": (
                operations.document_name,
                "Session document of the operators; its parameter task is status, logs, boot-logs or restart",
            ),
            "alarm_topic_arn": (observability.topic_arn, "SNS topic of the alarms; subscribe to it"),
        }
        for name, (value, description) in outputs.items():
            TerraformOutput(self, name, value=value, description=description)

    def _allocate_logical_id(self, tf_element: TerraformElement | Node) -> str:
        """Name an element by its path, without the hash that cdktf appends; cdktf calls this for each element.

        Construct ids are a contract: a name that changes destroys a resource and makes it anew. The id
        "resource" is left out: ``server-role/resource`` is ``server_role``.

        Raises:
            ValueError: two elements would share a name, and cdktf would merge them without a word.

        """
        path = (tf_element.node if isinstance(tf_element, TerraformElement) else tf_element).path
        parts = [part for part in path.split("/")[1:] if part != "resource"]
        name = re.sub(r"[^a-z0-9]+", "_", "_".join(parts).lower())
        owner = self._names.setdefault((type(tf_element), name), path)
        if owner != path:
            raise ValueError(f"{path} and {owner} are both named {name}. Fix: rename one of them")
        return name
