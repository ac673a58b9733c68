"""Each mend of the emulator is needed, and is right: plain moto is asked, then mended moto, with one client."""

from __future__ import annotations

import functools
import inspect
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.session import get_session
from moto import mock_aws

from tests.emulator.mends import MENDS, mended

REGION = "eu-west-1"


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty account in this process, without the machine images that take moto a second to load."""
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    for name in ("AWS_CA_BUNDLE", "AWS_PROFILE", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield


Client = Any


@functools.cache
def aws(service: str) -> Client:
    """A client; moto answers it while the account is there."""
    return get_session().create_client(
        service, region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing"
    )


def rest_api(**settings: object) -> str:
    return str(aws("apigateway").create_rest_api(name="api", **settings)["id"])


def ask_rest_api_policy() -> object:
    policy = '{"Version": "2012-10-17"}'
    return aws("apigateway").get_rest_api(restApiId=rest_api(policy=policy))["policy"]


def ask_binary_media_types() -> object:
    return (
        aws("apigateway").get_rest_api(restApiId=rest_api(binaryMediaTypes=["*/*"])).get("binaryMediaTypes")
    )


def ask_connection_id() -> object:
    api = rest_api()
    root = aws("apigateway").get_resources(restApiId=api)["items"][0]["id"]
    where = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    aws("apigateway").put_method(**where, authorizationType="AWS_IAM")
    put = aws("apigateway").put_integration(
        **where,
        type="HTTP_PROXY",
        integrationHttpMethod="GET",
        uri="https://example.com",
        connectionType="VPC_LINK",
        connectionId="link",
    )
    return put.get("connectionId"), aws("apigateway").get_integration(**where).get("connectionId")


def group(**settings: object) -> dict[str, Any]:
    aws("ec2").create_launch_template(
        LaunchTemplateName="server",
        LaunchTemplateData={"ImageId": "ami-0123456789abcdef0", "InstanceType": "t4g.large"},
    )
    aws("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="server",
        LaunchTemplate={"LaunchTemplateName": "server"},
        MinSize=0,
        MaxSize=0,
        AvailabilityZones=["eu-west-1a"],
        **settings,
    )
    found: dict[str, Any] = aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
    return found


def ask_max_instance_lifetime() -> object:
    before = group(MaxInstanceLifetime=86400).get("MaxInstanceLifetime")
    aws("autoscaling").update_auto_scaling_group(AutoScalingGroupName="server", MaxInstanceLifetime=0)
    after = aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
    return before, after.get("MaxInstanceLifetime")


def ask_default_instance_warmup() -> object:
    return group(DefaultInstanceWarmup=180).get("DefaultInstanceWarmup")


def scaling_policy() -> dict[str, Any]:
    group()
    aws("autoscaling").put_scaling_policy(
        AutoScalingGroupName="server",
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration={
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
            "TargetValue": 60.0,
        },
    )
    found: dict[str, Any] = aws("autoscaling").describe_policies()["ScalingPolicies"][0]
    return found


def ask_policy_enabled() -> object:
    return scaling_policy().get("Enabled")


def ask_predictive_scaling() -> object:
    return "PredictiveScalingConfiguration" in scaling_policy()


def ask_instance_refresh() -> object:
    group()
    started = aws("autoscaling").start_instance_refresh(AutoScalingGroupName="server")["InstanceRefreshId"]
    found = aws("autoscaling").describe_instance_refreshes(AutoScalingGroupName="server")["InstanceRefreshes"]
    return [each["InstanceRefreshId"] == started for each in found], found[0]["Status"]


def ask_query_definitions() -> object:
    logs = aws("logs")
    made = logs.put_query_definition(name="who", queryString="fields @message", logGroupNames=["a"])
    found = logs.describe_query_definitions(queryDefinitionNamePrefix="w")["queryDefinitions"]
    gone = logs.delete_query_definition(queryDefinitionId=made["queryDefinitionId"])["success"]
    return (
        [(each["name"], each["logGroupNames"]) for each in found],
        gone,
        logs.describe_query_definitions()["queryDefinitions"],
    )


def ask_rule_descriptions() -> object:
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    security_group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    prefixes = ec2.describe_managed_prefix_lists()["PrefixLists"][0]["PrefixListId"]
    port = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    answers = []
    for target in (
        {"UserIdGroupPairs": [{"GroupId": security_group, "Description": "to a group"}]},
        {"PrefixListIds": [{"PrefixListId": prefixes, "Description": "to a list"}]},
        {"IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "to a network"}]},
    ):
        made = ec2.authorize_security_group_egress(GroupId=security_group, IpPermissions=[{**port, **target}])
        rule = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        found = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule])["SecurityGroupRules"][0]
        answers.append((found.get("Description"), found.get("CidrIpv4")))
    return answers


def ask_launch_template_tags() -> object:
    tags = [{"Key": "project", "Value": "mlflow"}]
    ec2 = aws("ec2")
    made = ec2.create_launch_template(
        LaunchTemplateName="server",
        LaunchTemplateData={"TagSpecifications": [{"ResourceType": "instance", "Tags": tags}]},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}],
    )["LaunchTemplate"]
    version = ec2.describe_launch_template_versions(LaunchTemplateName="server")["LaunchTemplateVersions"][0]
    kinds = [each["ResourceType"] for each in version["LaunchTemplateData"]["TagSpecifications"]]
    return made["Tags"], kinds


def ask_private_link_choice() -> object:
    ec2, elb = aws("ec2"), aws("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    security_group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    balancer = elb.create_load_balancer(
        Name="n", Type="network", Scheme="internal", Subnets=[subnet], SecurityGroups=[security_group]
    )["LoadBalancers"][0]["LoadBalancerArn"]
    choice = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"
    elb.set_security_groups(LoadBalancerArn=balancer, SecurityGroups=[security_group], **{choice: "off"})
    return elb.describe_load_balancers()["LoadBalancers"][0].get(choice)


def statement(**settings: object) -> str:
    """A policy with one statement."""
    filled = {"Sid": "S", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", **settings}
    return json.dumps({"Version": "2012-10-17", "Statement": [filled]})


def managed_policy(**settings: object) -> str:
    made = aws("iam").create_policy(PolicyName="policy", PolicyDocument=statement(**settings))
    return str(made["Policy"]["Arn"])


def ask_managed_policy() -> object:
    arn = managed_policy(Resource="arn:aws:s3:::artifacts/100%25")
    found = aws("iam").get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
    return found["Statement"][0]["Resource"]


def ask_user_boundary() -> object:
    iam, arn = aws("iam"), managed_policy()
    iam.create_user(UserName="anna", PermissionsBoundary=arn)
    iam.create_user(UserName="bob")
    before = [iam.get_user(UserName=name)["User"].get("PermissionsBoundary") for name in ("anna", "bob")]
    iam.put_user_permissions_boundary(UserName="bob", PermissionsBoundary=arn)
    return before, iam.get_user(UserName="bob")["User"]["PermissionsBoundary"]


def ask_service_credentials() -> object:
    aws("iam").create_user(UserName="anna")
    return aws("iam").list_service_specific_credentials(UserName="anna")["ServiceSpecificCredentials"]


def in_use() -> dict[str, Callable[[], object]]:
    """Make policies, groups and users, each in use in one way, or in none; return what would delete each."""
    iam = aws("iam")
    policies = {
        name: iam.create_policy(PolicyName=name, PolicyDocument=statement())["Policy"]["Arn"]
        for name in ("attached policy", "boundary", "free policy")
    }
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
    iam.create_role(
        RoleName="role",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        PermissionsBoundary=policies["boundary"],
    )
    iam.attach_role_policy(RoleName="role", PolicyArn=policies["attached policy"])
    groups = ("group with member", "group with policy", "free group")
    users = ("member", "user with password", "user with key", "user with device", "free user")
    for name in groups:
        iam.create_group(GroupName=name)
    for name in users:
        iam.create_user(UserName=name)
    iam.add_user_to_group(GroupName="group with member", UserName="member")
    iam.put_group_policy(GroupName="group with policy", PolicyName="p", PolicyDocument=statement())
    iam.create_login_profile(UserName="user with password", Password="correct horse")
    iam.create_access_key(UserName="user with key")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="device")["VirtualMFADevice"]["SerialNumber"]
    codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "234567"}
    iam.enable_mfa_device(UserName="user with device", SerialNumber=device, **codes)
    return {
        **{name: functools.partial(iam.delete_policy, PolicyArn=arn) for name, arn in policies.items()},
        **{name: functools.partial(iam.delete_group, GroupName=name) for name in groups},
        **{name: functools.partial(iam.delete_user, UserName=name) for name in users},
    }


def ask_deletes_of_what_is_in_use() -> object:
    kept = []
    for name, delete in in_use().items():
        try:
            delete()
        except ClientError as error:
            if error.response["Error"]["Code"] != "DeleteConflict":
                raise
            kept.append(name)
    return kept


def ask_rotation_period() -> object:
    kms = aws("kms")
    periods = []
    for settings in ({"RotationPeriodInDays": 90}, {}):
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.enable_key_rotation(KeyId=key, **settings)
        periods.append(kms.get_key_rotation_status(KeyId=key).get("RotationPeriodInDays"))
    return periods


def ask_performance_insights() -> object:
    aws("rds").create_db_instance(
        DBInstanceIdentifier="db",
        DBInstanceClass="db.t4g.medium",
        Engine="postgres",
        EnablePerformanceInsights=True,
        PerformanceInsightsKMSKeyId="key",
        PerformanceInsightsRetentionPeriod=7,
    )
    found = aws("rds").describe_db_instances()["DBInstances"][0]
    names = (
        "PerformanceInsightsEnabled",
        "PerformanceInsightsKMSKeyId",
        "PerformanceInsightsRetentionPeriod",
    )
    return [found.get(name) for name in names]


def ask_parameter_source() -> object:
    rds = aws("rds")
    rds.create_db_parameter_group(
        DBParameterGroupName="p", DBParameterGroupFamily="postgres16", Description="p"
    )
    parameter = {"ParameterName": "rds.force_ssl", "ParameterValue": "1", "ApplyMethod": "immediate"}
    rds.modify_db_parameter_group(DBParameterGroupName="p", Parameters=[parameter])
    found = rds.describe_db_parameters(DBParameterGroupName="p")["Parameters"]
    return [(each["ParameterName"], each.get("Source")) for each in found]


def bucket(name: str, *statements: dict[str, Any]) -> str:
    aws("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    if statements:
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        aws("s3").put_bucket_policy(Bucket=name, Policy=policy)
    return name


DENY_PLAIN_HTTP = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def ask_conditional_deny() -> object:
    name = bucket("server", DENY_PLAIN_HTTP)
    answer = aws("s3").put_object(Bucket=name, Key="a", Body=b"a")
    return answer["ResponseMetadata"]["HTTPStatusCode"]


def ask_newer_noncurrent_versions() -> object:
    name = bucket("artifacts")
    filled = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}}
    expiration = {"NoncurrentDays": 90, "NewerNoncurrentVersions": 3}
    rules = [
        {**filled, "ID": "few", "NoncurrentVersionExpiration": expiration},
        {**filled, "ID": "all", "NoncurrentVersionExpiration": {"NoncurrentDays": 1}},
        {**filled, "ID": "days", "Expiration": {"Days": 1}},
    ]
    aws("s3").put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    found = aws("s3").get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    return [each.get("NoncurrentVersionExpiration") for each in found]


def ask_event_bridge() -> object:
    s3, answers = aws("s3"), []
    name = bucket("artifacts")
    switches: list[dict[str, object]] = [{"EventBridgeConfiguration": {}}, {}]
    for wanted in switches:
        s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=wanted)
        answers.append(s3.get_bucket_notification_configuration(Bucket=name).get("EventBridgeConfiguration"))
    return answers


def logged_bucket(prefix: str, *statements: dict[str, Any]) -> str:
    """A bucket that logs to the bucket access-logs, which lets the log service write below ``prefix``."""
    grant = {
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::access-logs/{prefix}*",
    }
    target = bucket("access-logs", *statements, grant)
    name = bucket("artifacts")
    wanted = {"TargetBucket": target, "TargetPrefix": "s3/artifacts/"}
    aws("s3").put_bucket_logging(Bucket=name, BucketLoggingStatus={"LoggingEnabled": wanted})
    return name


def ask_log_delivery() -> object:
    name = logged_bucket("s3/", DENY_PLAIN_HTTP)
    return aws("s3").get_bucket_logging(Bucket=name)["LoggingEnabled"]["TargetPrefix"]


def ask_access_logs() -> object:
    aws("s3").list_objects_v2(Bucket=logged_bucket("s3/artifacts/"))
    return aws("s3").list_objects_v2(Bucket="access-logs")["KeyCount"]


@dataclass(frozen=True)
class Case:
    """What to ask, what AWS answers, and what plain moto answers: a value, or the end of an error's message."""

    ask: Callable[[], object]
    aws: object
    moto: object


BOUNDARY = {
    "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
    "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/policy",
}
TAGS = [{"Key": "project", "Value": "mlflow"}]
CASES = {
    "rest_api_policy_is_escaped": Case(
        ask_rest_api_policy, aws=r"{\"Version\": \"2012-10-17\"}", moto='{"Version": "2012-10-17"}'
    ),
    "rest_api_keeps_binary_media_types": Case(ask_binary_media_types, aws=["*/*"], moto=[]),
    "integration_keeps_connection_id": Case(ask_connection_id, aws=("link", "link"), moto=(None, None)),
    "group_keeps_max_instance_lifetime": Case(
        ask_max_instance_lifetime, aws=(86400, None), moto=(None, None)
    ),
    "group_keeps_default_instance_warmup": Case(ask_default_instance_warmup, aws=180, moto=None),
    "scaling_policy_is_enabled": Case(ask_policy_enabled, aws=True, moto=None),
    "target_tracking_is_not_predictive": Case(ask_predictive_scaling, aws=False, moto=True),
    "instance_refresh_exists": Case(
        ask_instance_refresh,
        aws=([True], "Successful"),
        moto="The start_instance_refresh action has not been implemented",
    ),
    "query_definitions_exist": Case(
        ask_query_definitions,
        aws=([("who", ["a"])], True, []),
        moto="The put_query_definition action has not been implemented",
    ),
    "rule_between_groups_has_description": Case(
        ask_rule_descriptions,
        aws=[("to a group", None), ("to a list", None), ("to a network", "10.0.0.0/8")],
        moto=[(None, None), (None, None), ("to a network", "10.0.0.0/8")],
    ),
    "launch_template_tags_are_its_own": Case(
        ask_launch_template_tags, aws=(TAGS, ["instance"]), moto=(TAGS, ["instance", "launch-template"])
    ),
    "load_balancer_keeps_private_link_choice": Case(ask_private_link_choice, aws="off", moto=None),
    "managed_policy_is_url_encoded": Case(
        ask_managed_policy, aws="arn:aws:s3:::artifacts/100%25", moto="arn:aws:s3:::artifacts/100%"
    ),
    "user_keeps_permissions_boundary": Case(
        ask_user_boundary,
        aws=([BOUNDARY, None], BOUNDARY),
        moto="The put_user_permissions_boundary action has not been implemented",
    ),
    "user_has_no_service_credentials": Case(
        ask_service_credentials,
        aws=[],
        moto="The list_service_specific_credentials action has not been implemented",
    ),
    "what_is_in_use_stays": Case(
        ask_deletes_of_what_is_in_use,
        aws=[
            "attached policy",
            "boundary",
            "group with member",
            "group with policy",
            "member",
            "user with password",
            "user with key",
            "user with device",
        ],
        moto=[],
    ),
    "key_keeps_rotation_period": Case(ask_rotation_period, aws=[90, 365], moto=[None, None]),
    "database_keeps_performance_insights": Case(
        ask_performance_insights, aws=[True, "key", 7], moto=[None, None, None]
    ),
    "set_parameters_have_source_user": Case(
        ask_parameter_source, aws=[("rds.force_ssl", "user")], moto=[("rds.force_ssl", None)]
    ),
    "conditional_deny_is_no_deny": Case(ask_conditional_deny, aws=200, moto="PutObject operation: Forbidden"),
    "lifecycle_keeps_newer_noncurrent_versions": Case(
        ask_newer_noncurrent_versions,
        aws=[{"NoncurrentDays": 90, "NewerNoncurrentVersions": 3}, {"NoncurrentDays": 1}, None],
        moto=[{"NoncurrentDays": 90}, {"NoncurrentDays": 1}, None],
    ),
    "bucket_tells_event_bridge": Case(ask_event_bridge, aws=[{}, None], moto=[None, None]),
    "log_delivery_is_granted_by_policy": Case(
        ask_log_delivery, aws="s3/artifacts/", moto="'str' object has no attribute 'get'"
    ),
    "access_logs_arrive_later": Case(ask_access_logs, aws=0, moto=1),
}


def test_every_mend_has_a_case() -> None:
    assert CASES.keys() == MENDS.keys()


@pytest.mark.parametrize("name", MENDS)
def test_plain_moto_answers_otherwise_than_aws(name: str) -> None:
    """With every other mend in force. If this fails because moto now answers as AWS does, the mend goes."""
    case = CASES[name]
    with mended(without=[name]):
        try:
            answer = case.ask()
        except (ClientError, NotImplementedError, AttributeError) as error:
            answer = str(error)
            if isinstance(case.moto, str) and answer.endswith(case.moto):
                answer = case.moto
    assert answer != case.aws, "moto answers as AWS does: delete this mend"
    assert answer == case.moto


@pytest.mark.parametrize("name", MENDS)
def test_mended_moto_answers_as_aws(name: str) -> None:
    with mended():
        assert CASES[name].ask() == CASES[name].aws


@pytest.mark.parametrize("name", MENDS)
def test_a_mend_says_what_it_mends(name: str) -> None:
    text = inspect.getdoc(MENDS[name]) or ""
    missing = [part for part in ("moto: ", "AWS: ", "Provider: ") if part not in text]
    assert not missing, f"the docstring of {name} lacks {missing}"
    assert re.search(r"(API reference|user guide), \*\w", " ".join(text.split())), (
        f"{name} cites no page of AWS"
    )


def test_mends_are_taken_out_again() -> None:
    with mended():
        pass
    assert ask_rotation_period() == CASES["key_keeps_rotation_period"].moto


def test_an_unknown_mend_is_refused() -> None:
    with pytest.raises(ValueError, match="no such mend: nothing"), mended(without=["nothing"]):
        pass
