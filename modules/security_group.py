"""Security groups without inline rules: every rule is a resource of its own, with a description."""

from __future__ import annotations

from cdktf_cdktf_provider_aws.security_group import SecurityGroup as AwsSecurityGroup
from cdktf_cdktf_provider_aws.vpc_security_group_egress_rule import VpcSecurityGroupEgressRule
from cdktf_cdktf_provider_aws.vpc_security_group_ingress_rule import VpcSecurityGroupIngressRule
from constructs import Construct

from modules.deployment import Deployment

ANYWHERE = "0.0.0.0/0"
HTTPS = 443


class SecurityGroup(Construct):
    """A security group that admits nothing until a rule says so: no ingress and no egress to begin with."""

    def __init__(
        self, scope: Construct, id_: str, *, deployment: Deployment, vpc_id: str, name: str, description: str
    ) -> None:
        """Make the group ``PREFIX-NAME`` in the VPC."""
        super().__init__(scope, id_)
        self.name = name
        self.id = AwsSecurityGroup(
            self,
            "resource",
            name=f"{deployment.prefix}-{name}",
            description=description,
            vpc_id=vpc_id,
            revoke_rules_on_delete=True,
        ).id

    def connect_to(self, other: SecurityGroup, *, port: int) -> None:
        """Let members of this group open TCP connections to members of ``other``: one rule on each side."""
        description = f"{self.name} to {other.name}"
        self._egress(f"to-{other.name}", port=port, description=description, group_id=other.id)
        other._ingress(f"from-{self.name}", port=port, description=description, group_id=self.id)

    def connect_to_group_id(self, rule: str, *, group_id: str, port: int, description: str) -> None:
        """Let members open TCP connections to a group that somebody else owns."""
        self._egress(rule, port=port, description=description, group_id=group_id)

    def connect_to_prefix_list(self, rule: str, *, prefix_list_id: str, description: str) -> None:
        """Let members open HTTPS connections to the addresses of a prefix list."""
        self._egress(rule, port=HTTPS, description=description, prefix_list_id=prefix_list_id)

    def connect_to_internet(self, rule: str, *, description: str) -> None:
        """Let members open HTTPS connections to any address: no other rule may name 0.0.0.0/0."""
        self._egress(rule, port=HTTPS, description=description, cidr=ANYWHERE)

    def admit_cidr(self, rule: str, *, cidr: str, description: str) -> None:
        """Admit HTTPS connections from a range of addresses."""
        self._ingress(rule, port=HTTPS, description=description, cidr=cidr)

    def admit_group_id(self, rule: str, *, group_id: str, description: str) -> None:
        """Admit HTTPS connections from a group that somebody else owns."""
        self._ingress(rule, port=HTTPS, description=description, group_id=group_id)

    def _egress(
        self,
        rule: str,
        *,
        port: int,
        description: str,
        group_id: str | None = None,
        prefix_list_id: str | None = None,
        cidr: str | None = None,
    ) -> None:
        VpcSecurityGroupEgressRule(
            self,
            rule,
            security_group_id=self.id,
            referenced_security_group_id=group_id,
            prefix_list_id=prefix_list_id,
            cidr_ipv4=cidr,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            description=description,
        )

    def _ingress(
        self, rule: str, *, port: int, description: str, group_id: str | None = None, cidr: str | None = None
    ) -> None:
        VpcSecurityGroupIngressRule(
            self,
            rule,
            security_group_id=self.id,
            referenced_security_group_id=group_id,
            cidr_ipv4=cidr,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            description=description,
        )
