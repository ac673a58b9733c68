"""The network: who reaches whom."""

from __future__ import annotations

from tests.mutations.edits import (
    added,
    both,
    changed,
    drop,
    insert,
    more,
    policy,
    put,
    removed,
    unconditional,
    with_more,
)
from tests.mutations.mutation import Edit, Mutation

DEV, PROD = "dev", "prod"
VPC = "${aws_vpc.network_vpc.id}"
TO_DATABASE = "aws_vpc_security_group_ingress_rule.firewall_database_from_server"
TO_SERVER = "aws_vpc_security_group_ingress_rule.firewall_server_from_load_balancer"
TO_API = "aws_vpc_security_group_ingress_rule.firewall_execute_api_from_10_0_0_0_11"
FROM_SERVER = "aws_vpc_security_group_egress_rule.firewall_server_to_endpoints"
DATABASE_GROUP = "aws_security_group.firewall_database"
SERVER_GROUP = "aws_security_group.firewall_server"
ACL = "aws_network_acl.network_isolated_acl"
ACL_RULE = "aws_network_acl_rule.network_acl_from_private_0"
S3_ENDPOINT = "aws_vpc_endpoint.endpoints_s3"
SECRETS_ENDPOINT = "aws_vpc_endpoint.endpoints_secretsmanager"
ENTRY = "aws_vpc_endpoint.private_entry"
ENTRY_POLICY = "aws_vpc_endpoint_policy.private_entry_policy"
FLOW_LOG = "aws_flow_log.network_flow_log"


def open_to(cidr: str) -> tuple[Edit, Edit]:
    """The attributes of a rule that names a group, made to name a range."""
    return (drop("referenced_security_group_id"), insert("cidr_ipv4", cidr))


MUTATIONS = (
    # Security groups.
    Mutation(
        "net-database",
        "the database is open to the world",
        PROD,
        TO_DATABASE,
        both(*open_to("0.0.0.0/0")),
        (DATABASE_GROUP,),
    ),
    Mutation(
        "net-database-v6",
        "the database is open to the world, by IPv6",
        PROD,
        TO_DATABASE,
        both(drop("referenced_security_group_id"), insert("cidr_ipv6", "::/0")),
        (DATABASE_GROUP,),
    ),
    Mutation(
        "net-database-wide",
        "the database is open to half of the world",
        DEV,
        TO_DATABASE,
        both(*open_to("0.0.0.0/1")),
        (DATABASE_GROUP,),
    ),
    Mutation(
        "net-database-private",
        "the database is open to private networks",
        PROD,
        TO_DATABASE,
        both(*open_to("10.0.0.0/8")),
        (DATABASE_GROUP,),
    ),
    Mutation(
        "net-database-endpoints",
        "the database is open to another group",
        PROD,
        TO_DATABASE,
        put("referenced_security_group_id", "${aws_security_group.firewall_execute_api.id}"),
        (DATABASE_GROUP,),
    ),
    Mutation(
        "net-database-foreign",
        "the database is open to a group of another account",
        PROD,
        TO_DATABASE,
        put("referenced_security_group_id", "444455556666/sg-0123456789abcdef0"),
        (DATABASE_GROUP,),
    ),
    Mutation(
        "net-database-ports",
        "all ports of the database",
        DEV,
        TO_DATABASE,
        both(put("from_port", 0), put("to_port", 65535)),
        (DATABASE_GROUP,),
    ),
    Mutation(
        "net-database-protocols",
        "all protocols",
        PROD,
        TO_DATABASE,
        both(put("ip_protocol", "-1"), drop("from_port"), drop("to_port")),
        (DATABASE_GROUP,),
    ),
    Mutation(
        "net-server",
        "servers are open to the world",
        DEV,
        TO_SERVER,
        both(*open_to("0.0.0.0/0")),
        (SERVER_GROUP,),
    ),
    Mutation("net-api", "the private API is open to the world", PROD, TO_API, put("cidr_ipv4", "0.0.0.0/0")),
    Mutation(
        "net-api-wide",
        "the private API is open to all private networks and more",
        PROD,
        TO_API,
        put("cidr_ipv4", "8.0.0.0/5"),
    ),
    Mutation("net-description", "a rule without a reason", PROD, TO_API, drop("description")),
    Mutation(
        "net-egress", "servers call anybody", PROD, FROM_SERVER, both(*open_to("0.0.0.0/0")), (SERVER_GROUP,)
    ),
    Mutation(
        "net-egress-ports",
        "servers call any port",
        DEV,
        "aws_vpc_security_group_egress_rule.firewall_server_to_internet",
        both(put("from_port", 0), put("to_port", 65535)),
        (SERVER_GROUP,),
    ),
    Mutation(
        "net-egress-protocols",
        "servers call in any protocol",
        DEV,
        "aws_vpc_security_group_egress_rule.firewall_server_to_internet",
        both(put("ip_protocol", "-1"), drop("from_port"), drop("to_port")),
        (SERVER_GROUP,),
    ),
    Mutation(
        "net-egress-new",
        "one more rule lets servers call anybody",
        PROD,
        "aws_vpc_security_group_egress_rule.out",
        added(
            security_group_id="${aws_security_group.firewall_server.id}",
            description="updates",
            cidr_ipv4="0.0.0.0/0",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
        ),
        (SERVER_GROUP,),
    ),
    Mutation(
        "net-ssh",
        "SSH from an office",
        DEV,
        "aws_vpc_security_group_ingress_rule.ssh",
        added(
            security_group_id="${aws_security_group.firewall_server.id}",
            description="SSH from the office",
            cidr_ipv4="198.51.100.7/32",
            ip_protocol="tcp",
            from_port=22,
            to_port=22,
        ),
        (SERVER_GROUP,),
    ),
    Mutation(
        "net-ssh-world",
        "SSH from anywhere, by a rule of the old kind",
        PROD,
        "aws_security_group_rule.ssh",
        added(
            type="ingress",
            security_group_id="${aws_security_group.firewall_server.id}",
            description="SSH",
            cidr_blocks=["0.0.0.0/0"],
            protocol="tcp",
            from_port=22,
            to_port=22,
        ),
        (SERVER_GROUP,),
    ),
    Mutation(
        "net-inline",
        "a rule within the group",
        PROD,
        DATABASE_GROUP,
        insert(
            "ingress",
            [
                {
                    "description": "all",
                    "cidr_blocks": ["0.0.0.0/0"],
                    "protocol": "tcp",
                    "from_port": 5432,
                    "to_port": 5432,
                }
            ],
        ),
    ),
    Mutation(
        "net-default-group",
        "the default group lets in",
        DEV,
        "aws_default_security_group.network_default_security_group",
        insert("ingress", [{"protocol": "-1", "self": True, "from_port": 0, "to_port": 0}]),
    ),
    Mutation(
        "net-default-group-gone",
        "the default group is as AWS makes it",
        PROD,
        "aws_default_security_group.network_default_security_group",
        removed,
        ("aws_vpc.network_vpc",),
    ),
    Mutation(
        "net-group",
        "a group that is open to the world",
        PROD,
        "aws_security_group.open",
        added(
            name="open",
            description="open",
            vpc_id=VPC,
            ingress=[
                {
                    "description": "all",
                    "cidr_blocks": ["0.0.0.0/0"],
                    "protocol": "-1",
                    "from_port": 0,
                    "to_port": 0,
                }
            ],
        ),
    ),
    # Network ACL of the isolated subnets.
    Mutation(
        "net-acl",
        "the isolated subnets are open to the world",
        PROD,
        ACL_RULE,
        put("cidr_block", "0.0.0.0/0"),
    ),
    Mutation(
        "net-acl-ports",
        "any port of the isolated subnets",
        DEV,
        ACL_RULE,
        both(put("from_port", 0), put("to_port", 65535)),
    ),
    Mutation(
        "net-acl-protocols",
        "any protocol",
        PROD,
        ACL_RULE,
        both(put("protocol", "-1"), put("from_port", 0), put("to_port", 0)),
    ),
    Mutation("net-acl-unused", "no subnet has the ACL", PROD, ACL, put("subnet_ids", [])),
    Mutation(
        "net-acl-one",
        "one isolated subnet has no ACL",
        PROD,
        ACL,
        drop("subnet_ids.2"),
        concerns=("aws_subnet.network_isolated_2",),
    ),
    Mutation(
        "net-acl-new",
        "one more rule opens the isolated subnets",
        DEV,
        "aws_network_acl_rule.side",
        added(
            network_acl_id="${aws_network_acl.network_isolated_acl.id}",
            rule_number=10,
            rule_action="allow",
            protocol="tcp",
            from_port=5432,
            to_port=5432,
            cidr_block="0.0.0.0/0",
            egress=False,
        ),
    ),
    # Routes and subnets.
    Mutation(
        "net-gateway",
        "an internet gateway where there is none",
        PROD,
        "aws_internet_gateway.out",
        added(vpc_id=VPC),
    ),
    Mutation(
        "net-route-database",
        "the database's subnets have a way out",
        DEV,
        "aws_route.out",
        added(
            route_table_id="${aws_route_table.network_isolated_routes.id}",
            destination_cidr_block="0.0.0.0/0",
            nat_gateway_id="${aws_nat_gateway.network_nat_0.id}",
        ),
    ),
    Mutation(
        "net-route-inline",
        "the database's subnets have a way in",
        DEV,
        "aws_route_table.network_isolated_routes",
        insert(
            "route",
            [{"cidr_block": "0.0.0.0/0", "gateway_id": "${aws_internet_gateway.network_internet.id}"}],
        ),
    ),
    Mutation(
        "net-route-servers",
        "the servers' subnets are public",
        DEV,
        "aws_route.network_private_internet_0",
        both(drop("nat_gateway_id"), insert("gateway_id", "${aws_internet_gateway.network_internet.id}")),
    ),
    Mutation(
        "net-association",
        "an isolated subnet is routed as a public one",
        DEV,
        "aws_route_table_association.network_isolated_association_0",
        put("route_table_id", "${aws_route_table.network_public_routes.id}"),
        ("aws_subnet.network_isolated_0", "aws_route.network_public_internet"),
    ),
    Mutation(
        "net-association-private",
        "a server's subnet is routed as a public one",
        DEV,
        "aws_route_table_association.network_private_association_1",
        put("route_table_id", "${aws_route_table.network_public_routes.id}"),
        ("aws_subnet.network_private_1", "aws_route.network_public_internet"),
    ),
    Mutation(
        "net-association-gone",
        "an isolated subnet is routed by the main table",
        PROD,
        "aws_route_table_association.network_isolated_association_0",
        removed,
        ("aws_subnet.network_isolated_0",),
    ),
    Mutation(
        "net-subnet",
        "a subnet gives out public addresses",
        PROD,
        "aws_subnet.network_private_0",
        put("map_public_ip_on_launch", True),
    ),
    Mutation(
        "net-default-routes",
        "the main table has a way out",
        PROD,
        "aws_default_route_table.network_default_routes",
        insert("route", [{"cidr_block": "0.0.0.0/0", "gateway_id": "igw-0123456789abcdef0"}]),
    ),
    Mutation(
        "net-peering",
        "another account's network is joined",
        PROD,
        "aws_vpc_peering_connection.side",
        added(vpc_id=VPC, peer_vpc_id="vpc-0123456789abcdef0", peer_owner_id="444455556666"),
    ),
    Mutation("net-flow-log", "nobody sees who calls whom", PROD, FLOW_LOG, removed, ("aws_vpc.network_vpc",)),
    Mutation(
        "net-flow-log-accepts", "refused calls are not logged", DEV, FLOW_LOG, put("traffic_type", "ACCEPT")
    ),
    # Endpoints.
    Mutation("net-s3-policy", "any bucket through the endpoint", PROD, S3_ENDPOINT, drop("policy")),
    Mutation(
        "net-s3-role",
        "any principal through the endpoint",
        PROD,
        S3_ENDPOINT,
        policy(unconditional("ServerReadsOwnBuckets")),
    ),
    Mutation(
        "net-s3-buckets",
        "any bucket for the server",
        DEV,
        S3_ENDPOINT,
        policy(changed("ServerReadsOwnBuckets", Resource="*")),
    ),
    Mutation(
        "net-s3-writes",
        "the server writes through the endpoint",
        PROD,
        S3_ENDPOINT,
        policy(more("ServerReadsOwnBuckets", "Action", "s3:PutObject")),
    ),
    Mutation(
        "net-s3-packages",
        "any bucket with packages",
        PROD,
        S3_ENDPOINT,
        policy(changed("AmazonLinuxPackages", Resource="*")),
    ),
    Mutation(
        "net-s3-more",
        "one more bucket through the endpoint",
        PROD,
        S3_ENDPOINT,
        policy(with_more("Tools", Principal="*", Action="s3:*", Resource="arn:aws:s3:::tools/*")),
    ),
    Mutation(
        "net-secrets",
        "anybody reads secrets through the endpoint",
        PROD,
        SECRETS_ENDPOINT,
        policy(unconditional("ServerRoleOnly")),
    ),
    Mutation(
        "net-secrets-all",
        "every action through the endpoint",
        PROD,
        SECRETS_ENDPOINT,
        policy(changed("ServerRoleOnly", Action="*")),
    ),
    Mutation(
        "net-secrets-policy",
        "an endpoint with the policy that AWS gives it",
        PROD,
        SECRETS_ENDPOINT,
        drop("policy"),
    ),
    Mutation(
        "net-secrets-group",
        "the endpoint has another security group",
        PROD,
        SECRETS_ENDPOINT,
        put("security_group_ids", ["${aws_security_group.firewall_execute_api.id}"]),
        ("aws_security_group.firewall_execute_api",),
    ),
    Mutation(
        "net-entry-policy", "the API's endpoint without a policy", PROD, ENTRY_POLICY, removed, (ENTRY,)
    ),
    Mutation(
        "net-entry-anyone",
        "anybody through the API's endpoint",
        PROD,
        ENTRY_POLICY,
        policy(unconditional("PersonasCallThisApi")),
        (ENTRY,),
    ),
    Mutation(
        "net-entry-account",
        "personas of any account through the API's endpoint",
        PROD,
        ENTRY_POLICY,
        policy(unconditional("PersonasCallThisApi", "StringEquals")),
        (ENTRY,),
    ),
    Mutation(
        "net-entry-apis",
        "any API through the endpoint",
        PROD,
        ENTRY_POLICY,
        policy(changed("PersonasCallThisApi", Resource="*")),
        (ENTRY,),
    ),
    Mutation(
        "net-entry-group",
        "the API's endpoint has another security group",
        PROD,
        ENTRY,
        put("security_group_ids", ["${aws_security_group.firewall_endpoints.id}"]),
        ("aws_security_group.firewall_endpoints",),
    ),
    Mutation(
        "net-entry-open",
        "the API's endpoint has the default security group",
        PROD,
        ENTRY,
        drop("security_group_ids"),
    ),
)
