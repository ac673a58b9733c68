"""The internal network load balancer between the API's VPC link and the servers."""

from __future__ import annotations

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.lb import Lb, LbAccessLogs
from cdktf_cdktf_provider_aws.lb_listener import LbListener, LbListenerDefaultAction
from cdktf_cdktf_provider_aws.lb_target_group import LbTargetGroup, LbTargetGroupHealthCheck
from constructs import Construct

from modules.deployment import Deployment
from modules.network import Placement
from modules.security_group import HTTPS, SecurityGroup
from modules.storage import LOAD_BALANCER_PREFIX, Storage

SERVER_PORT = 8443
#: TLS 1.3, and 1.2 with forward secrecy only.
TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"


class LoadBalancer(Construct):
    """An internal NLB that only the API's VPC link reaches, with TLS on both sides.

    Its security group has no ingress rule at all: what comes through PrivateLink is not held against it
    (``enforce_security_group_inbound_rules_on_private_link_traffic`` is off), and nothing else gets in. So no
    address in the VPC can go round the API and its IAM.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        deployment: Deployment,
        placement: Placement,
        security_group: SecurityGroup,
        storage: Storage,
    ) -> None:
        """Make the load balancer, its listener and the target group.

        With a certificate the listener ends TLS and opens it anew to the server; without one it passes through.
        """
        super().__init__(scope, id_)
        certificate = deployment.variables.certificate_arn
        protocol = "TLS" if certificate else "TCP"
        load_balancer = Lb(
            self,
            "resource",
            name=deployment.prefix,
            internal=True,
            load_balancer_type="network",
            subnets=placement.server_subnet_ids,
            security_groups=[security_group.id],
            enforce_security_group_inbound_rules_on_private_link_traffic="off",
            enable_cross_zone_load_balancing=True,
            enable_deletion_protection=deployment.protected,
            # A network load balancer logs what it decrypts: without a certificate there is nothing to log.
            access_logs=LbAccessLogs(
                bucket=storage.access_logs.id, prefix=LOAD_BALANCER_PREFIX, enabled=True
            ),
            depends_on=[storage.logs_policy],
        )
        targets = LbTargetGroup(
            self,
            "servers",
            # The protocol cannot change in place: the new group stands beside the old while the listener moves.
            name=f"{deployment.prefix}-{protocol.lower()}",
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
            vpc_id=placement.vpc_id,
            target_type="instance",
            protocol=protocol,
            port=SERVER_PORT,
            # The server sees the load balancer, which its security group admits, never an address of PrivateLink.
            preserve_client_ip="false",
            deregistration_delay="60",
            health_check=LbTargetGroupHealthCheck(
                protocol="HTTPS",
                path="/health",
                port="traffic-port",
                matcher="200",
                interval=10,
                timeout=6,
                healthy_threshold=2,
                unhealthy_threshold=3,
            ),
        )
        LbListener(
            self,
            "https",
            load_balancer_arn=load_balancer.arn,
            port=HTTPS,
            protocol=protocol,
            certificate_arn=certificate,
            ssl_policy=TLS_POLICY if certificate else None,
            default_action=[LbListenerDefaultAction(type="forward", target_group_arn=targets.arn)],
        )
        self.arn = load_balancer.arn
        self.arn_suffix = load_balancer.arn_suffix
        self.target_group_arn = targets.arn
        self.target_group_arn_suffix = targets.arn_suffix
        #: The name by which the gateway calls the server: the certificate's, or the load balancer's own.
        self.host = deployment.settings.api.domain or load_balancer.dns_name
