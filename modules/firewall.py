"""Who may open a connection to whom: every security group of the stack and every rule between them."""

from __future__ import annotations

from cdktf_cdktf_provider_aws.data_aws_prefix_list import DataAwsPrefixList
from constructs import Construct

from gatehouse.settings import Egress, Visibility
from modules.deployment import Deployment
from modules.load_balancer import SERVER_PORT
from modules.network import POSTGRESQL_PORT, Placement
from modules.security_group import HTTPS, SecurityGroup


class Firewall(Construct):
    """Security groups, and these connections and no others::

    VPC link ─▶ load balancer ─8443▶ server ─5432▶ database
                                       ├─443▶ endpoints (or the VPC's own)
                                       ├─443▶ S3 prefix list
                                       └─443▶ internet, with egress "nat" only
    clients ─443▶ execute-api endpoint, of a private API only
    """

    def __init__(self, scope: Construct, id_: str, *, deployment: Deployment, placement: Placement) -> None:
        """Make the groups and their rules."""
        super().__init__(scope, id_)
        self._deployment, self._vpc_id = deployment, placement.vpc_id
        network, api = deployment.settings.network, deployment.settings.api
        self.load_balancer = self._group("load-balancer", "Load balancer: entered through the VPC link alone")
        self.server = self._group("server", "MLflow servers")
        self.database = self._group("database", "PostgreSQL")
        self.load_balancer.connect_to(self.server, port=SERVER_PORT)
        self.server.connect_to(self.database, port=POSTGRESQL_PORT)
        self._connect_to_s3()
        self.endpoints = self._connect_to_endpoints() if network.interface_endpoints else None
        if network.existing is not None:
            self._connect_to_existing_endpoints(network.existing.endpoint_security_group_ids)
        if network.egress is Egress.NAT:
            self.server.connect_to_internet("to-internet", description="server to the internet, HTTPS only")
        makes_entry = api.visibility is Visibility.PRIVATE and not api.vpc_endpoint_ids
        self.private_entry = self._admit_clients() if makes_entry else None

    def _group(self, name: str, description: str) -> SecurityGroup:
        return SecurityGroup(
            self, name, deployment=self._deployment, vpc_id=self._vpc_id, name=name, description=description
        )

    def _connect_to_s3(self) -> None:
        s3 = DataAwsPrefixList(self, "s3-prefix-list", name=f"com.amazonaws.{self._deployment.region}.s3")
        self.server.connect_to_prefix_list(
            "to-s3", prefix_list_id=s3.id, description="server to S3 through the gateway endpoint"
        )

    def _connect_to_endpoints(self) -> SecurityGroup:
        endpoints = self._group("endpoints", "Interface endpoints of the AWS services")
        self.server.connect_to(endpoints, port=HTTPS)
        return endpoints

    def _connect_to_existing_endpoints(self, group_ids: tuple[str, ...]) -> None:
        for group_id in group_ids:
            self.server.connect_to_group_id(
                f"to-{group_id}",
                group_id=group_id,
                port=HTTPS,
                description="server to the VPC's own endpoints",
            )

    def _admit_clients(self) -> SecurityGroup:
        api = self._deployment.settings.api
        entry = self._group("execute-api", "Entry of the private API: its clients alone")
        for cidr in api.client_cidrs:
            rule = f"from-{cidr.replace('.', '-').replace('/', '-')}"
            entry.admit_cidr(rule, cidr=cidr, description=f"clients in {cidr}")
        for group_id in api.client_security_groups:
            entry.admit_group_id(f"from-{group_id}", group_id=group_id, description=f"clients in {group_id}")
        return entry
