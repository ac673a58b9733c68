"""VPC endpoints: how the servers reach AWS without the internet, each with a policy of its own."""

from __future__ import annotations

from cdktf_cdktf_provider_aws.vpc_endpoint import VpcEndpoint
from constructs import Construct

from gatehouse.policies import Kind
from modules.deployment import Deployment
from modules.network import Placement
from modules.security_group import SecurityGroup

#: Service -> actions that the server calls through it. An endpoint lets nothing else through, whoever asks.
SERVER_ACTIONS: dict[str, tuple[str, ...]] = {
    "ssm": ("ssm:UpdateInstanceInformation",),
    "ssmmessages": (
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    ),
    # Agents before 3.3.40 poll here; newer ones use ssmmessages alone. The server's role allows none of these.
    "ec2messages": ("ec2messages:GetEndpoint", "ec2messages:GetMessages"),
    "secretsmanager": ("secretsmanager:GetSecretValue",),
    "kms": ("kms:Decrypt",),
    "logs": ("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"),
    "sts": ("sts:GetCallerIdentity",),
    "monitoring": ("cloudwatch:PutMetricData",),
    "autoscaling": ("autoscaling:CompleteLifecycleAction",),
}


class Endpoints(Construct):
    """The S3 gateway endpoint, and interface endpoints where they are asked for."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        deployment: Deployment,
        placement: Placement,
        interface_group: SecurityGroup | None,
    ) -> None:
        """Make the endpoints; ``interface_group`` guards the interface endpoints, None leaves them out."""
        super().__init__(scope, id_)
        self.all: list[VpcEndpoint] = []
        if placement.server_route_table_ids:
            self.all.append(self._s3(deployment, placement))
        if interface_group is not None:
            self.all += [
                self._interface(deployment, placement, service, interface_group) for service in SERVER_ACTIONS
            ]

    def _s3(self, deployment: Deployment, placement: Placement) -> VpcEndpoint:
        return VpcEndpoint(
            self,
            "s3",
            vpc_id=placement.vpc_id,
            service_name=f"com.amazonaws.{deployment.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=placement.server_route_table_ids,
            policy=deployment.policy("endpoints/s3", Kind.ENDPOINT),
            tags={"Name": f"{deployment.prefix}-s3"},
        )

    def _interface(
        self, deployment: Deployment, placement: Placement, service: str, group: SecurityGroup
    ) -> VpcEndpoint:
        return VpcEndpoint(
            self,
            service,
            vpc_id=placement.vpc_id,
            service_name=f"com.amazonaws.{deployment.region}.{service}",
            vpc_endpoint_type="Interface",
            subnet_ids=placement.server_subnet_ids,
            security_group_ids=[group.id],
            private_dns_enabled=True,
            policy=deployment.policy(
                "endpoints/interface", Kind.ENDPOINT, actions=list(SERVER_ACTIONS[service])
            ),
            tags={"Name": f"{deployment.prefix}-{service}"},
        )
