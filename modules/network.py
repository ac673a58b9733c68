"""The network: a VPC of its own, or the ids of one that is there."""

from __future__ import annotations

from dataclasses import dataclass

from cdktf import Fn, Op, Postcondition, TerraformResourceLifecycle, TerraformSelf
from cdktf_cdktf_provider_aws.data_aws_availability_zones import (
    DataAwsAvailabilityZones,
    DataAwsAvailabilityZonesFilter,
)
from cdktf_cdktf_provider_aws.default_route_table import DefaultRouteTable
from cdktf_cdktf_provider_aws.default_security_group import DefaultSecurityGroup
from cdktf_cdktf_provider_aws.eip import Eip
from cdktf_cdktf_provider_aws.flow_log import FlowLog
from cdktf_cdktf_provider_aws.internet_gateway import InternetGateway
from cdktf_cdktf_provider_aws.nat_gateway import NatGateway
from cdktf_cdktf_provider_aws.network_acl import NetworkAcl
from cdktf_cdktf_provider_aws.network_acl_rule import NetworkAclRule
from cdktf_cdktf_provider_aws.route import Route
from cdktf_cdktf_provider_aws.route_table import RouteTable
from cdktf_cdktf_provider_aws.route_table_association import RouteTableAssociation
from cdktf_cdktf_provider_aws.subnet import Subnet
from cdktf_cdktf_provider_aws.vpc import Vpc
from constructs import Construct

from gatehouse.settings import CreateNetwork, Egress, ExistingNetwork
from modules.deployment import Deployment
from modules.log_group import LogGroup
from modules.role import ServiceRole
from modules.security_group import ANYWHERE

POSTGRESQL_PORT = 5432
EPHEMERAL_PORTS = (1024, 65535)


@dataclass(frozen=True)
class Placement:
    """Where the other constructs go: ids, and what they must wait for."""

    vpc_id: str
    server_subnet_ids: list[str]
    database_subnet_ids: list[str]
    server_route_table_ids: list[str]
    """Route tables that the S3 gateway endpoint joins; empty if the VPC has that endpoint already."""


def existing_placement(network: ExistingNetwork) -> Placement:
    """Return the placement in a VPC that somebody else owns; nothing is made."""
    return Placement(
        vpc_id=network.vpc_id,
        server_subnet_ids=list(network.server_subnet_ids),
        database_subnet_ids=list(network.database_subnet_ids),
        server_route_table_ids=list(network.route_table_ids),
    )


class Network(Construct):
    """A VPC over two to four zones, in tiers.

    * private subnets for servers, load balancer and endpoints, in the zone's own route table;
    * isolated subnets for the database, in a route table without any route, behind a network ACL;
    * public subnets for NAT gateways, and the internet gateway, only if egress is ``nat``.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        deployment: Deployment,
        network: CreateNetwork,
        flow_log_group: LogGroup,
        flow_log_role: ServiceRole,
    ) -> None:
        """Make the VPC and its flow log."""
        super().__init__(scope, id_)
        self._deployment, self._network = deployment, network
        self._vpc = Vpc(
            self,
            "vpc",
            cidr_block=network.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=self._name("vpc"),
        )
        self._zones = [f"{deployment.region}{letter}" for letter in network.availability_zones]
        self._look_for_zones()
        self._empty_the_defaults()
        private = self._subnets("private", network.private_cidrs)
        isolated = self._subnets("isolated", network.isolated_cidrs)
        private_tables = self._route_tables("private", private)
        self._isolate(isolated)
        self.internet_routes = self._add_nat(private_tables) if network.egress is Egress.NAT else []
        self._log_flows(flow_log_group, flow_log_role)
        self.placement = Placement(
            vpc_id=self._vpc.id,
            server_subnet_ids=[subnet.id for subnet in private],
            database_subnet_ids=[subnet.id for subnet in isolated],
            server_route_table_ids=[table.id for table in private_tables],
        )

    def _name(self, part: str) -> dict[str, str]:
        return {"Name": f"{self._deployment.prefix}-{part}"}

    def _look_for_zones(self) -> None:
        # Which letters there are differs from account to account; a plan says so before an apply has begun.
        found = Fn.length_of(TerraformSelf.get_any("names"))
        missing = f"This account has not all of {', '.join(self._zones)}. "
        way_out = "Write the letters of zones that it has into network.create.availability_zones."
        DataAwsAvailabilityZones(
            self,
            "zones",
            filter=[DataAwsAvailabilityZonesFilter(name="zone-name", values=self._zones)],
            lifecycle=TerraformResourceLifecycle(
                postcondition=[
                    Postcondition(condition=Op.eq(found, len(self._zones)), error_message=missing + way_out)
                ]
            ),
        )

    def _empty_the_defaults(self) -> None:
        # The security group that AWS makes with a VPC lets its members talk to each other and to anywhere, and
        # whoever forgets to name a group gets it. The main route table is whoever's who forgets to name one.
        DefaultSecurityGroup(
            self, "default-security-group", vpc_id=self._vpc.id, tags=self._name("default-empty")
        )
        DefaultRouteTable(
            self,
            "default-routes",
            default_route_table_id=self._vpc.default_route_table_id,
            tags=self._name("default-empty"),
        )

    def _subnets(self, tier: str, cidrs: tuple[str, ...]) -> list[Subnet]:
        return [
            Subnet(
                self,
                f"{tier}-{zone}",
                vpc_id=self._vpc.id,
                cidr_block=cidr,
                availability_zone=self._zones[zone],
                map_public_ip_on_launch=False,
                tags=self._name(f"{tier}-{zone}"),
            )
            for zone, cidr in enumerate(cidrs)
        ]

    def _route_tables(self, tier: str, subnets: list[Subnet]) -> list[RouteTable]:
        tables = []
        for zone, subnet in enumerate(subnets):
            table = RouteTable(
                self, f"{tier}-routes-{zone}", vpc_id=self._vpc.id, tags=self._name(f"{tier}-{zone}")
            )
            RouteTableAssociation(
                self, f"{tier}-association-{zone}", subnet_id=subnet.id, route_table_id=table.id
            )
            tables.append(table)
        return tables

    def _isolate(self, subnets: list[Subnet]) -> None:
        table = RouteTable(self, "isolated-routes", vpc_id=self._vpc.id, tags=self._name("isolated"))
        for zone, subnet in enumerate(subnets):
            RouteTableAssociation(
                self, f"isolated-association-{zone}", subnet_id=subnet.id, route_table_id=table.id
            )
        # The database's second lock, independent of security groups: PostgreSQL from the server subnets, and
        # the answers; a security group opened by mistake opens nothing.
        acl = NetworkAcl(
            self,
            "isolated-acl",
            vpc_id=self._vpc.id,
            subnet_ids=[subnet.id for subnet in subnets],
            tags=self._name("isolated"),
        )
        for zone, cidr in enumerate(self._network.private_cidrs):
            self._allow(
                acl, f"from-private-{zone}", zone, cidr, (POSTGRESQL_PORT, POSTGRESQL_PORT), egress=False
            )
            self._allow(acl, f"to-private-{zone}", zone, cidr, EPHEMERAL_PORTS, egress=True)

    def _allow(
        self, acl: NetworkAcl, rule: str, zone: int, cidr: str, ports: tuple[int, int], *, egress: bool
    ) -> None:
        NetworkAclRule(
            self,
            f"acl-{rule}",
            network_acl_id=acl.id,
            rule_number=100 + zone,
            egress=egress,
            protocol="tcp",
            rule_action="allow",
            cidr_block=cidr,
            from_port=ports[0],
            to_port=ports[1],
        )

    def _add_nat(self, private_tables: list[RouteTable]) -> list[Route]:
        gateway = InternetGateway(self, "internet", vpc_id=self._vpc.id, tags=self._name("internet"))
        public = self._subnets("public", self._network.public_cidrs)
        table = RouteTable(self, "public-routes", vpc_id=self._vpc.id, tags=self._name("public"))
        to_internet = Route(
            self,
            "public-internet",
            route_table_id=table.id,
            destination_cidr_block=ANYWHERE,
            gateway_id=gateway.id,
        )
        for zone, subnet in enumerate(public):
            RouteTableAssociation(
                self, f"public-association-{zone}", subnet_id=subnet.id, route_table_id=table.id
            )
        zones = public if self._network.nat_gateway_per_zone else public[:1]
        gateways = [self._nat_gateway(zone, subnet, after=to_internet) for zone, subnet in enumerate(zones)]
        return [
            Route(
                self,
                f"private-internet-{zone}",
                route_table_id=private.id,
                destination_cidr_block=ANYWHERE,
                nat_gateway_id=gateways[min(zone, len(gateways) - 1)].id,
            )
            for zone, private in enumerate(private_tables)
        ]

    def _nat_gateway(self, zone: int, subnet: Subnet, *, after: Route) -> NatGateway:
        address = Eip(self, f"nat-address-{zone}", domain="vpc", tags=self._name(f"nat-{zone}"))
        return NatGateway(
            self,
            f"nat-{zone}",
            subnet_id=subnet.id,
            allocation_id=address.allocation_id,
            tags=self._name(f"nat-{zone}"),
            depends_on=[after],
        )

    def _log_flows(self, group: LogGroup, role: ServiceRole) -> None:
        permission = role.grant("flow-logs", log_group=group.name)
        FlowLog(
            self,
            "flow-log",
            vpc_id=self._vpc.id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=60,
            tags=self._name("flow-log"),
            depends_on=[permission],
        )
