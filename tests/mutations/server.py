"""The servers and the load balancer in front of them."""

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
    text,
    unconditional,
    with_more,
)
from tests.mutations.mutation import Mutation

DEV, PROD = "dev", "prod"
TEMPLATE = "aws_launch_template.server_template"
GROUP = "aws_autoscaling_group.server_group"
BALANCER = "aws_lb.load_balancer"
LISTENER = "aws_lb_listener.load_balancer_https"
TARGETS = "aws_lb_target_group.load_balancer_servers"
ROLE_POLICY = "aws_iam_role_policy.server_role_policy"
DOCUMENT = "aws_ssm_document.operations_document"
PUBLIC = ["${aws_subnet.network_public_0.id}", "${aws_subnet.network_public_1.id}"]

MUTATIONS = (
    Mutation(
        "server-imds",
        "credentials without a token (IMDSv1)",
        PROD,
        TEMPLATE,
        put("metadata_options.http_tokens", "optional"),
    ),
    Mutation(
        "server-imds-default", "the metadata service as AWS makes it", DEV, TEMPLATE, drop("metadata_options")
    ),
    Mutation(
        "server-imds-hops",
        "credentials from within containers",
        PROD,
        TEMPLATE,
        put("metadata_options.http_put_response_hop_limit", 3),
    ),
    Mutation(
        "server-disk",
        "disks are not encrypted",
        PROD,
        TEMPLATE,
        put("block_device_mappings.0.ebs.encrypted", "false"),
    ),
    Mutation(
        "server-disk-default",
        "encryption of disks is left to the account",
        DEV,
        TEMPLATE,
        drop("block_device_mappings.0.ebs.encrypted"),
    ),
    Mutation(
        "server-disk-more",
        "one more disk, not encrypted",
        PROD,
        TEMPLATE,
        insert("block_device_mappings.1", {"device_name": "/dev/xvdb", "ebs": {"volume_size": 10}}),
    ),
    Mutation(
        "server-address",
        "servers have public addresses",
        DEV,
        TEMPLATE,
        put("network_interfaces.0.associate_public_ip_address", "true"),
    ),
    Mutation(
        "server-address-default",
        "the subnet decides on public addresses",
        PROD,
        TEMPLATE,
        drop("network_interfaces.0.associate_public_ip_address"),
    ),
    Mutation("server-ssh-key", "a key pair for SSH", PROD, TEMPLATE, insert("key_name", "ops")),
    Mutation(
        "server-group",
        "servers have one more security group",
        PROD,
        TEMPLATE,
        insert("network_interfaces.0.security_groups.1", "${aws_security_group.firewall_database.id}"),
        concerns=("aws_security_group.firewall_database",),
    ),
    Mutation(
        "server-group-foreign",
        "servers have a security group of somebody else",
        DEV,
        TEMPLATE,
        put("network_interfaces.0.security_groups", ["sg-0123456789abcdef0"]),
    ),
    Mutation(
        "server-profile",
        "servers have a persona's role",
        DEV,
        TEMPLATE,
        put(
            "iam_instance_profile.arn",
            "${aws_iam_instance_profile.identity_pricing_model_server_profile.arn}",
        ),
        concerns=("aws_iam_role_policy_attachment.identity_pricing_model_server_policy_1",),
    ),
    Mutation(
        "server-profile-foreign",
        "servers have a role of somebody else",
        PROD,
        TEMPLATE,
        put("iam_instance_profile.arn", "arn:aws:iam::111122223333:instance-profile/admin"),
    ),
    Mutation(
        "server-profile-role",
        "the servers' profile has a persona's role",
        DEV,
        "aws_iam_instance_profile.server_profile",
        put("role", "${aws_iam_role.identity_pricing_team_admin_role.name}"),
        concerns=("aws_iam_role_policy_attachment.identity_pricing_team_admin_policy_1",),
    ),
    Mutation(
        "server-image",
        "servers run an image of somebody else",
        PROD,
        TEMPLATE,
        put("image_id", "ami-0123456789abcdef0"),
    ),
    Mutation(
        "server-user-data",
        "servers run something else at their first boot",
        PROD,
        TEMPLATE,
        put("user_data", "IyEvYmluL3NoCmN1cmwgaHR0cHM6Ly9leGFtcGxlLm5ldC94IHwgc2gK"),
    ),
    Mutation(
        "server-subnets",
        "servers lie in the public subnets",
        DEV,
        GROUP,
        put("vpc_zone_identifier", PUBLIC),
        concerns=("aws_route.network_public_internet",),
    ),
    Mutation(
        "server-template-old",
        "new servers have an old launch template",
        PROD,
        GROUP,
        put("launch_template.version", "1"),
    ),
    # What operators run on them.
    Mutation(
        "server-shell",
        "operators choose the command",
        PROD,
        DOCUMENT,
        text("^(status|logs|boot-logs|restart)$", ".*", "content"),
    ),
    Mutation(
        "server-shell-session",
        "operators get a shell",
        DEV,
        DOCUMENT,
        text("NonInteractiveCommands", "Standard_Stream", "content"),
    ),
    # The servers' own role.
    Mutation(
        "server-role-writes",
        "servers write artifacts",
        PROD,
        ROLE_POLICY,
        policy(more("ReadArtifacts", "Action", "s3:PutObject")),
    ),
    Mutation(
        "server-role-deletes",
        "servers delete artifacts",
        DEV,
        ROLE_POLICY,
        policy(
            with_more(
                "Clean", Action="s3:DeleteObject", Resource="arn:aws:s3:::mlflow-dev-artifacts/workspaces/*"
            )
        ),
    ),
    Mutation(
        "server-role-buckets",
        "servers read every bucket",
        PROD,
        ROLE_POLICY,
        policy(changed("ReadArtifacts", Resource="*")),
    ),
    Mutation(
        "server-role-prefix",
        "servers list all names",
        DEV,
        ROLE_POLICY,
        policy(unconditional("ListArtifacts")),
    ),
    Mutation(
        "server-role-key",
        "servers decrypt outside S3",
        PROD,
        ROLE_POLICY,
        policy(unconditional("DecryptBuckets", "StringEquals")),
    ),
    Mutation(
        "server-role-keys",
        "servers decrypt with every key",
        PROD,
        ROLE_POLICY,
        policy(changed("DecryptBuckets", Resource="*")),
    ),
    Mutation(
        "server-role-secrets",
        "servers read every secret",
        PROD,
        ROLE_POLICY,
        policy(changed("ReadDatabaseSecret", Resource="*")),
    ),
    Mutation(
        "server-role-secret-key",
        "servers decrypt what is no secret",
        DEV,
        ROLE_POLICY,
        policy(unconditional("DecryptDatabaseSecret")),
    ),
    Mutation(
        "server-role-logs",
        "servers write every log",
        PROD,
        ROLE_POLICY,
        policy(changed("WriteLogs", Resource="*")),
    ),
    Mutation(
        "server-role-metrics",
        "servers write every metric",
        DEV,
        ROLE_POLICY,
        policy(unconditional("PublishMetrics")),
    ),
    Mutation(
        "server-role-assume",
        "servers become personas",
        PROD,
        ROLE_POLICY,
        policy(
            with_more(
                "Become",
                Action="sts:AssumeRole",
                Resource="arn:aws:iam::${data.aws_caller_identity.account.account_id}:role/mlflow-prod/*",
            )
        ),
    ),
    Mutation(
        "server-role-pass",
        "servers pass any role",
        PROD,
        ROLE_POLICY,
        policy(with_more("Pass", Action="iam:PassRole", Resource="*")),
    ),
    Mutation(
        "server-role-admin",
        "servers do anything",
        DEV,
        ROLE_POLICY,
        policy(with_more("All", Action="*", Resource="*")),
    ),
    # The load balancer.
    Mutation(
        "server-balancer-public",
        "the load balancer faces the internet",
        DEV,
        BALANCER,
        put("internal", False),
    ),
    Mutation(
        "server-balancer-subnets",
        "the load balancer lies in the public subnets",
        DEV,
        BALANCER,
        put("subnets", PUBLIC),
        concerns=("aws_route.network_public_internet",),
    ),
    Mutation(
        "server-balancer-group",
        "the load balancer has no security group",
        PROD,
        BALANCER,
        drop("security_groups"),
    ),
    Mutation(
        "server-balancer-protected",
        "the load balancer can be deleted",
        PROD,
        BALANCER,
        put("enable_deletion_protection", False),
    ),
    Mutation(
        "server-listener-plain",
        "the listener takes plain HTTP ports",
        PROD,
        LISTENER,
        both(put("port", 80), put("protocol", "TCP_UDP")),
    ),
    Mutation(
        "server-listener-elsewhere",
        "the listener sends requests elsewhere",
        PROD,
        LISTENER,
        put(
            "default_action.0.target_group_arn",
            "arn:aws:elasticloadbalancing:eu-west-1:444455556666:targetgroup/theirs/0123456789abcdef",
        ),
    ),
    Mutation(
        "server-listener-new",
        "a second listener, without TLS",
        PROD,
        "aws_lb_listener.plain",
        added(
            load_balancer_arn="${aws_lb.load_balancer.arn}",
            port=80,
            protocol="TCP",
            default_action=[
                {"type": "forward", "target_group_arn": "${aws_lb_target_group.load_balancer_servers.arn}"}
            ],
        ),
        (BALANCER,),
    ),
    Mutation(
        "server-targets-plain",
        "health checks without TLS",
        DEV,
        TARGETS,
        put("health_check.protocol", "HTTP"),
    ),
    Mutation(
        "server-balancer-in",
        "the load balancer is open to the world",
        DEV,
        "aws_vpc_security_group_ingress_rule.balancer",
        added(
            security_group_id="${aws_security_group.firewall_load_balancer.id}",
            description="all",
            cidr_ipv4="0.0.0.0/0",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
        ),
        ("aws_security_group.firewall_load_balancer",),
    ),
    Mutation(
        "server-balancer-in-vpc",
        "the load balancer is open to the network",
        PROD,
        "aws_vpc_security_group_ingress_rule.balancer",
        added(
            security_group_id="${aws_security_group.firewall_load_balancer.id}",
            description="from the network",
            cidr_ipv4="10.40.0.0/18",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
        ),
        ("aws_security_group.firewall_load_balancer",),
    ),
)
