"""Every place where moto 5.2.5 answers otherwise than AWS, and the AWS provider 5.100.0 notices.

One function a mend. Its docstring says: the call; what moto does; what AWS does, with the page of the AWS API
reference; what the provider shows without it. ``tests/emulator/test_mends.py`` holds, for each, that plain moto
is wrong and mended moto is right: when a newer moto makes a mend needless, that test fails and the mend goes.

A mend corrects an answer of AWS's API. It never hides anything that the product's Terraform does.
What it does not show: on AWS a log bucket that has been in use is not empty, so a destroy waits for an operator.
"""

import datetime
import fnmatch
import json
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

Moto = Any
"""What moto's own functions take and give; most of it has no types."""

Replace = Callable[[Moto, str, Moto], None]
"""``replace(owner, name, new)``: put ``new`` in the place of ``owner.name`` while the mend is in force."""

Mend = Callable[[Replace], None]


@contextmanager
def mended(without: Collection[str] = ()) -> Iterator[None]:
    """Install every mend but those named in ``without``, and take them out again at the end.

    Raises ``ValueError`` for a name that is no mend.
    """
    if unknown := set(without) - MENDS.keys():
        raise ValueError(f"no such mend: {', '.join(sorted(unknown))}; there are {', '.join(MENDS)}")
    with ExitStack() as stack:

        def replace(owner: Moto, name: str, new: Moto) -> None:
            stack.enter_context(mock.patch.object(owner, name, new, create=True))

        for name, mend in MENDS.items():
            if name not in without:
                mend(replace)
        yield


# ---------------------------------------------------------------------------------------------------- API Gateway


def rest_api_policy_is_escaped(replace: Replace) -> None:
    """GetRestApi, CreateRestApi and UpdateRestApi return ``policy``.

    moto: the document as it was sent. AWS: the document as the inside of a JSON string, quotes escaped (API Gateway
    API reference, *RestApi*: "A stringified JSON policy document"; the provider unquotes it).
    Provider: ``aws_api_gateway_rest_api_policy`` fails with ``invalid character 'S' after top-level value``.
    """
    from moto.apigateway.models import RestAPI

    plain = RestAPI.to_dict

    def to_dict(self: Moto) -> dict[str, Any]:
        answer = dict(plain(self))
        if answer["policy"]:
            answer["policy"] = json.dumps(answer["policy"])[1:-1]
        return answer

    replace(RestAPI, "to_dict", to_dict)


def rest_api_keeps_binary_media_types(replace: Replace) -> None:
    """CreateRestApi takes ``binaryMediaTypes``; GetRestApi tells them.

    moto: drops them. AWS: returns them (API Gateway API reference, *RestApi*).
    Provider: every plan of ``aws_api_gateway_rest_api`` wants to add ``binary_media_types``.
    """
    from moto.apigateway.responses import APIGatewayResponse

    plain = APIGatewayResponse.create_rest_api

    def create_rest_api(self: Moto) -> Moto:
        status, headers, body = plain(self)
        answer = json.loads(body)
        if "id" not in answer:
            return status, headers, body
        answer["binaryMediaTypes"] = self._get_param("binaryMediaTypes") or []
        self.backend.get_rest_api(answer["id"]).binaryMediaTypes = answer["binaryMediaTypes"]
        return status, headers, json.dumps(answer)

    replace(APIGatewayResponse, "create_rest_api", create_rest_api)


def integration_keeps_connection_id(replace: Replace) -> None:
    """PutIntegration takes ``connectionId``; GetIntegration tells it.

    moto: drops it. AWS: returns the VPC link's id (API Gateway API reference, *Integration*).
    Provider: every plan of ``aws_api_gateway_integration`` wants to set ``connection_id``, and what is computed from
    the integration, such as a deployment's triggers, changes with it.
    """
    from moto.apigateway.models import Integration
    from moto.apigateway.responses import APIGatewayResponse

    put_integration, to_json = APIGatewayResponse.put_integration, Integration.to_json

    def put_integration_with_id(self: Moto) -> Moto:
        status, headers, _ = put_integration(self)
        api, resource, method = self.path.split("/")[
            2:8:2
        ]  # /restapis/API/resources/RESOURCE/methods/METHOD/...
        integration = self.backend.get_integration(api, resource, method)
        integration.connection_id = self._get_param("connectionId")
        return status, headers, json.dumps(integration.to_json())

    def to_json_with_id(self: Moto) -> dict[str, Any]:
        return {**to_json(self), "connectionId": getattr(self, "connection_id", None)}

    replace(APIGatewayResponse, "put_integration", put_integration_with_id)
    replace(Integration, "to_json", to_json_with_id)


# ---------------------------------------------------------------------------------------------------- Auto Scaling


def group_keeps_max_instance_lifetime(replace: Replace) -> None:
    """CreateAutoScalingGroup and UpdateAutoScalingGroup take ``MaxInstanceLifetime``; DescribeAutoScalingGroups
    tells it.

    moto: drops it. AWS: returns it; 0 clears it (Auto Scaling API reference, *UpdateAutoScalingGroup*).
    Provider: every plan wants to set ``max_instance_lifetime`` again.
    """
    _group_keeps(replace, "MaxInstanceLifetime", "max_instance_lifetime")


def group_keeps_default_instance_warmup(replace: Replace) -> None:
    """CreateAutoScalingGroup and UpdateAutoScalingGroup take ``DefaultInstanceWarmup``; DescribeAutoScalingGroups
    tells it.

    moto: drops it. AWS: returns it (Auto Scaling API reference, *AutoScalingGroup*).
    Provider: every plan wants to set ``default_instance_warmup`` again.
    """
    _group_keeps(replace, "DefaultInstanceWarmup", "default_instance_warmup")


def _group_keeps(replace: Replace, parameter: str, attribute: str) -> None:
    from moto.autoscaling.responses import AutoScalingResponse

    def keeping(plain: Callable[[Moto], Moto]) -> Callable[[Moto], Moto]:
        def call(self: Moto) -> Moto:
            answer = plain(self)
            value = self._get_int_param(parameter)
            if value is not None:
                group = self.autoscaling_backend.autoscaling_groups[self._get_param("AutoScalingGroupName")]
                setattr(group, attribute, value or None)
            return answer

        return call

    for name in ("create_auto_scaling_group", "update_auto_scaling_group"):
        replace(AutoScalingResponse, name, keeping(getattr(AutoScalingResponse, name)))


def scaling_policy_is_enabled(replace: Replace) -> None:
    """PutScalingPolicy without ``Enabled``; DescribePolicies tells ``Enabled``.

    moto: leaves it out. AWS: ``true``, the default (Auto Scaling API reference, *PutScalingPolicy*).
    Provider: every plan of ``aws_autoscaling_policy`` wants to set ``enabled`` to true.
    """
    from moto.autoscaling.models import FakeScalingPolicy

    replace(FakeScalingPolicy, "enabled", True)


def target_tracking_is_not_predictive(replace: Replace) -> None:
    """PutScalingPolicy of type TargetTrackingScaling; DescribePolicies tells ``PredictiveScalingConfiguration``.

    moto: an empty element. AWS: no element (Auto Scaling API reference, *ScalingPolicy*).
    Provider: every plan wants to remove ``predictive_scaling_configuration``.
    """
    from moto.autoscaling.models import FakeScalingPolicy

    plain = FakeScalingPolicy.__init__

    def init(self: Moto, *arguments: Moto, **named: Moto) -> None:
        plain(self, *arguments, **named)
        self.predictive_scaling_configuration = self.predictive_scaling_configuration or None

    replace(FakeScalingPolicy, "__init__", init)


def instance_refresh_exists(replace: Replace) -> None:
    """StartInstanceRefresh and DescribeInstanceRefreshes.

    moto: has neither. AWS: starts one and lists them, newest first (Auto Scaling API reference,
    *StartInstanceRefresh*). Here it is done at once, because no instance of moto runs anything.
    Provider: an update of ``aws_autoscaling_group`` that starts a refresh fails.
    """
    from moto.autoscaling.responses import AutoScalingResponse
    from moto.core.responses import ActionResult

    def refreshes(self: Moto) -> list[dict[str, Any]]:
        group = self.autoscaling_backend.autoscaling_groups[self._get_param("AutoScalingGroupName")]
        kept: list[dict[str, Any]] = group.__dict__.setdefault("instance_refreshes", [])
        return kept

    def start_instance_refresh(self: Moto) -> ActionResult:
        now = datetime.datetime.now(datetime.UTC)
        refresh = {
            "InstanceRefreshId": str(uuid.uuid4()),
            "AutoScalingGroupName": self._get_param("AutoScalingGroupName"),
            "Status": "Successful",
            "StartTime": now,
            "EndTime": now,
            "PercentageComplete": 100,
            "InstancesToUpdate": 0,
            "Preferences": self._get_param("Preferences", {}),
        }
        refreshes(self).insert(0, refresh)
        return ActionResult({"InstanceRefreshId": refresh["InstanceRefreshId"]})

    def describe_instance_refreshes(self: Moto) -> ActionResult:
        wanted = self._get_param("InstanceRefreshIds", [])
        found = [each for each in refreshes(self) if not wanted or each["InstanceRefreshId"] in wanted]
        return ActionResult({"InstanceRefreshes": found})

    replace(AutoScalingResponse, "start_instance_refresh", start_instance_refresh)
    replace(AutoScalingResponse, "describe_instance_refreshes", describe_instance_refreshes)


# ------------------------------------------------------------------------------------------------- CloudWatch Logs


def query_definitions_exist(replace: Replace) -> None:
    """PutQueryDefinition, DescribeQueryDefinitions and DeleteQueryDefinition.

    moto: has none. AWS: keeps named queries (CloudWatch Logs API reference, *PutQueryDefinition*).
    Provider: ``aws_cloudwatch_query_definition`` fails.
    """
    from moto.logs.responses import LogsResponse

    def definitions(self: Moto) -> dict[str, dict[str, Any]]:
        kept: dict[str, dict[str, Any]] = self.logs_backend.__dict__.setdefault("query_definitions", {})
        return kept

    def put_query_definition(self: Moto) -> str:
        key = self._get_param("queryDefinitionId") or str(uuid.uuid4())
        definitions(self)[key] = {
            "queryDefinitionId": key,
            "name": self._get_param("name"),
            "queryString": self._get_param("queryString"),
            "logGroupNames": self._get_param("logGroupNames") or [],
            "lastModified": 0,
        }
        return json.dumps({"queryDefinitionId": key})

    def describe_query_definitions(self: Moto) -> str:
        prefix = self._get_param("queryDefinitionNamePrefix") or ""
        found = [each for each in definitions(self).values() if each["name"].startswith(prefix)]
        return json.dumps({"queryDefinitions": found})

    def delete_query_definition(self: Moto) -> str:
        return json.dumps(
            {"success": definitions(self).pop(self._get_param("queryDefinitionId"), None) is not None}
        )

    for function in (put_query_definition, describe_query_definitions, delete_query_definition):
        replace(LogsResponse, function.__name__, function)


# ------------------------------------------------------------------------------------------------------------- EC2


def rule_between_groups_has_description(replace: Replace) -> None:
    """AuthorizeSecurityGroupIngress and -Egress with a description beside a group or a prefix list;
    DescribeSecurityGroupRules tells it.

    moto: keeps the description of a CIDR only. AWS: returns it for each (EC2 API reference, *SecurityGroupRule*).
    Provider: ``aws_vpc_security_group_ingress_rule`` and ``..._egress_rule`` want to set ``description`` at every plan.
    """
    from moto.ec2.models.security_groups import SecurityGroupRule

    plain = SecurityGroupRule.__init__

    def init(
        self: Moto,
        ec2_backend: Moto,
        ip_protocol: str,
        group_id: str,
        from_port: str | None,
        to_port: str | None,
        ip_range: dict[str, str] | None,
        source_group: dict[str, str] | None = None,
        prefix_list_id: dict[str, str] | None = None,
        **named: Moto,
    ) -> None:
        if description := {**(source_group or {}), **(prefix_list_id or {})}.get("Description"):
            ip_range = {"Description": description}  # where moto looks for it
        plain(
            self,
            ec2_backend,
            ip_protocol,
            group_id,
            from_port,
            to_port,
            ip_range,
            source_group,
            prefix_list_id,
            **named,
        )

    replace(SecurityGroupRule, "__init__", init)


def launch_template_tags_are_its_own(replace: Replace) -> None:
    """CreateLaunchTemplate with ``TagSpecification`` of resource type launch-template.

    moto: also writes it into ``LaunchTemplateData.TagSpecifications``, so that DescribeLaunchTemplateVersions shows
    it. AWS: tags the template and leaves the data alone (EC2 API reference, *CreateLaunchTemplate*).
    Provider: every plan of an ``aws_launch_template`` with tags or default_tags wants to drop a
    ``tag_specifications`` block.
    """
    from moto.ec2.models.launch_templates import LaunchTemplateBackend

    plain = LaunchTemplateBackend.create_launch_template

    def create(
        self: Moto, name: str, description: str, template_data: dict[str, Any], tag_spec: dict[str, Any]
    ) -> Moto:
        tags = template_data.pop("TagSpecifications", [])
        if kept := [each for each in tags if each["ResourceType"] != "launch-template"]:
            template_data["TagSpecifications"] = kept
        return plain(self, name, description, template_data, tag_spec)

    replace(LaunchTemplateBackend, "create_launch_template", create)


# --------------------------------------------------------------------------------------------- Elastic Load Balancing


def load_balancer_keeps_private_link_choice(replace: Replace) -> None:
    """SetSecurityGroups takes ``EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic``; DescribeLoadBalancers tells it.

    moto: drops it. AWS: returns it, ``on`` unless told otherwise (Elastic Load Balancing API reference,
    *SetSecurityGroups*).
    Provider: every plan of ``aws_lb`` wants to set ``enforce_security_group_inbound_rules_on_private_link_traffic``.
    """
    from moto.elbv2.responses import ELBV2Response

    plain = ELBV2Response.set_security_groups
    choice = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"

    def set_security_groups(self: Moto) -> Moto:
        answer = plain(self)
        balancer = self.elbv2_backend.load_balancers[self._get_param("LoadBalancerArn")]
        if balancer.type == "network":
            kept = self._get_param(choice) or "on"
            balancer.enforce_security_group_inbound_rules_on_private_link_traffic = kept
        return answer

    replace(ELBV2Response, "set_security_groups", set_security_groups)


# ------------------------------------------------------------------------------------------------------------- IAM


def managed_policy_is_url_encoded(replace: Replace) -> None:
    """GetPolicyVersion returns the ``Document`` of a managed policy.

    moto: as it was sent. AWS: URL-encoded, as every policy that IAM returns (IAM API reference, *PolicyVersion*:
    "URL-encoded compliant with RFC 3986"). What decodes it takes a plus sign of plain text for a space.
    Provider: every plan of an ``aws_iam_policy`` with a plus sign wants to put it back.
    """
    from moto.core.serialize import url_encode
    from moto.iam.responses import IamResponse

    transformers = IamResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER
    document = {"GetPolicyVersionResponse.PolicyVersion.Document": url_encode}
    replace(IamResponse, "RESPONSE_KEY_PATH_TO_TRANSFORMER", {**transformers, **document})


def user_keeps_permissions_boundary(replace: Replace) -> None:
    """CreateUser takes ``PermissionsBoundary``; GetUser tells it. PutUserPermissionsBoundary sets it.

    moto: drops it, and lacks the other call. AWS: returns it (IAM API reference, *User*).
    Provider: every plan of an ``aws_iam_user`` wants to set ``permissions_boundary``, and fails to.
    """
    from moto.core.responses import EmptyResult
    from moto.iam.models import User
    from moto.iam.responses import IamResponse

    create_user = IamResponse.create_user

    def keep(self: Moto) -> None:
        if arn := self._get_param("PermissionsBoundary"):
            self.backend.get_user(self._get_param("UserName")).permissions_boundary = {
                "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
                "PermissionsBoundaryArn": arn,
            }

    def create_user_and_keep(self: Moto) -> Moto:
        answer = create_user(self)
        keep(self)
        return answer

    def put_user_permissions_boundary(self: Moto) -> Moto:
        keep(self)
        return EmptyResult()

    replace(User, "permissions_boundary", None)
    replace(IamResponse, "create_user", create_user_and_keep)
    replace(IamResponse, "put_user_permissions_boundary", put_user_permissions_boundary)


def user_has_no_service_credentials(replace: Replace) -> None:
    """ListServiceSpecificCredentials of a user.

    moto: lacks the call. AWS: lists the user's passwords for CodeCommit and the like (IAM API reference,
    *ListServiceSpecificCredentials*). Nothing here makes one, so the list is empty.
    Provider: an ``aws_iam_user`` with ``force_destroy`` cannot be destroyed.
    """
    from moto.core.responses import ActionResult
    from moto.iam.responses import IamResponse

    def list_service_specific_credentials(self: Moto) -> Moto:
        self.backend.get_user(self._get_param("UserName"))
        return ActionResult({"ServiceSpecificCredentials": []})

    replace(IamResponse, "list_service_specific_credentials", list_service_specific_credentials)


def what_is_in_use_stays(replace: Replace) -> None:
    """DeletePolicy of a policy that is attached or is a boundary; DeleteGroup of one with members or policies;
    DeleteUser of one with a password, access keys, MFA devices or groups.

    moto: deletes them. AWS: answers ``DeleteConflict`` (IAM API reference, *DeletePolicy*, *DeleteGroup* and
    *DeleteUser*).
    Provider: a destroy in the wrong order goes through here, and would not on AWS.
    """
    from moto.iam.exceptions import DeleteConflictException
    from moto.iam.models import IAMBackend

    delete_policy, delete_group = IAMBackend.delete_policy, IAMBackend.delete_group
    delete_user = IAMBackend.delete_user

    def refuse(reasons: dict[str, Any]) -> None:
        for reason, found in reasons.items():
            if found:
                raise DeleteConflictException(reason)

    def delete_unused_policy(self: Moto, policy_arn: str) -> None:
        bounded = [each.permissions_boundary or {} for each in (*self.roles.values(), *self.users.values())]
        refuse(
            {
                "Cannot delete a policy attached to entities.": self.get_policy(policy_arn).attachment_count
                or any(each.get("PermissionsBoundaryArn") == policy_arn for each in bounded)
            }
        )
        delete_policy(self, policy_arn)

    def delete_empty_group(self: Moto, group_name: str) -> None:
        group = self.get_group(group_name)
        refuse(
            {
                "Cannot delete entity, must remove users from group first.": group.users,
                "Cannot delete entity, must delete policies first.": group.policies,
                "Cannot delete entity, must detach all policies first.": group.managed_policies,
            }
        )
        delete_group(self, group_name)

    def delete_bare_user(self: Moto, user_name: str) -> None:
        user = self.get_user(user_name)
        refuse(
            {
                "Cannot delete entity, must delete login profile first.": user.password,
                "Cannot delete entity, must delete access keys first.": user.access_keys,
                "Cannot delete entity, must delete MFA device first.": user.mfa_devices,
                "Cannot delete entity, must remove user from groups first.": user.group_list,
            }
        )
        delete_user(self, user_name)

    replace(IAMBackend, "delete_policy", delete_unused_policy)
    replace(IAMBackend, "delete_group", delete_empty_group)
    replace(IAMBackend, "delete_user", delete_bare_user)


# ------------------------------------------------------------------------------------------------------------- KMS


def key_keeps_rotation_period(replace: Replace) -> None:
    """EnableKeyRotation takes ``RotationPeriodInDays``; GetKeyRotationStatus tells it.

    moto: drops it. AWS: returns it, 365 if none was given (KMS API reference, *GetKeyRotationStatus*).
    Provider: ``aws_kms_key`` with ``rotation_period_in_days`` wants to set it at every plan.
    """
    from moto.kms.responses import KmsResponse

    enable, status = KmsResponse.enable_key_rotation, KmsResponse.get_key_rotation_status

    def key(self: Moto) -> Moto:
        return self.kms_backend.keys[self.kms_backend.get_key_id(self._get_param("KeyId"))]

    def enable_key_rotation(self: Moto) -> str:
        answer = enable(self)
        key(self).rotation_period_in_days = self._get_param("RotationPeriodInDays") or 365
        return answer

    def get_key_rotation_status(self: Moto) -> str:
        answer = json.loads(status(self))
        if answer["KeyRotationEnabled"]:
            answer["RotationPeriodInDays"] = key(self).rotation_period_in_days
        return json.dumps(answer)

    replace(KmsResponse, "enable_key_rotation", enable_key_rotation)
    replace(KmsResponse, "get_key_rotation_status", get_key_rotation_status)


# ------------------------------------------------------------------------------------------------------------- RDS


def database_keeps_performance_insights(replace: Replace) -> None:
    """CreateDBInstance takes ``EnablePerformanceInsights`` and its two companions; DescribeDBInstances tells them.

    moto: drops them. AWS: returns them (RDS API reference, *DBInstance*).
    Provider: every plan of ``aws_db_instance`` wants to set ``performance_insights_*``.
    """
    from moto.rds.models import DBInstance

    plain = DBInstance.__init__

    def init(self: Moto, *arguments: Moto, **named: Moto) -> None:
        plain(self, *arguments, **named)
        self.performance_insights_enabled = named.get("enable_performance_insights", False)
        self.performance_insights_kms_key_id = named.get("performance_insights_kms_key_id")
        self.performance_insights_retention_period = named.get("performance_insights_retention_period")

    replace(DBInstance, "__init__", init)


def set_parameters_have_source_user(replace: Replace) -> None:
    """ModifyDBParameterGroup sets parameters; DescribeDBParameters tells each one's ``Source``.

    moto: no source. AWS: ``user`` for a parameter that was set (RDS API reference, *DescribeDBParameters*).
    Provider: ``aws_db_parameter_group`` reads back no parameter and wants to set all of them at every plan.
    """
    from moto.rds.models import DBParameterGroup

    plain = DBParameterGroup.update_parameters

    def update(self: Moto, new_parameters: Moto) -> None:
        plain(self, [{**each, "Source": "user"} for each in new_parameters])

    replace(DBParameterGroup, "update_parameters", update)


# -------------------------------------------------------------------------------------------------------------- S3


def conditional_deny_is_no_deny(replace: Replace) -> None:
    """Any object call on a bucket whose policy has a Deny with a ``Condition``.

    moto: ignores the condition and denies everything, even with its IAM checks off. AWS: denies when the condition
    holds (IAM user guide, *Policy evaluation logic*). Here such a Deny is left out: moto judges no access.
    Provider: ``aws_s3_object`` fails with 403 Forbidden in a bucket that denies plain HTTP.
    """
    from moto.iam.access_control import IAMPolicy, PermissionResult
    from moto.s3.models import FakeBucket

    def get_permission(self: Moto, action: str, resource: str) -> Moto:
        kept = [
            each for each in _statements(self.policy) if each["Effect"] != "Deny" or "Condition" not in each
        ]
        if not kept:
            return PermissionResult.NEUTRAL
        return IAMPolicy(json.dumps({"Statement": kept})).is_action_permitted(action, resource)

    replace(FakeBucket, "get_permission", get_permission)


def lifecycle_keeps_newer_noncurrent_versions(replace: Replace) -> None:
    """PutBucketLifecycleConfiguration with ``NoncurrentVersionExpiration.NewerNoncurrentVersions``.

    moto: drops it from GetBucketLifecycleConfiguration. AWS: returns it (S3 API reference,
    *NoncurrentVersionExpiration*).
    Provider: ``aws_s3_bucket_lifecycle_configuration`` waits three minutes to read what it wrote, then fails.
    """
    from moto.s3.models import FakeBucket
    from moto.s3.responses import S3Response

    set_lifecycle, serialized = FakeBucket.set_lifecycle, S3Response.serialized

    def set_lifecycle_and_versions(self: Moto, rules: list[dict[str, Any]]) -> None:
        set_lifecycle(self, rules)
        for kept, rule in zip(self.rules, rules, strict=True):
            kept.newer_noncurrent_versions = (rule.get("NoncurrentVersionExpiration") or {}).get(
                "NewerNoncurrentVersions"
            )

    def serialized_with_versions(self: Moto, action_result: Moto) -> Moto:
        rules = action_result.result.get("Rules") if isinstance(action_result.result, dict) else None
        if rules and self.data.get("Action") == "GetBucketLifecycleConfiguration":
            kept = self.backend.get_bucket_lifecycle(self.bucket_name)
            for rule, answer in zip(kept, rules, strict=True):
                if rule.newer_noncurrent_versions:
                    answer["NoncurrentVersionExpiration"]["NewerNoncurrentVersions"] = (
                        rule.newer_noncurrent_versions
                    )
        return serialized(self, action_result)

    replace(FakeBucket, "set_lifecycle", set_lifecycle_and_versions)
    replace(S3Response, "serialized", serialized_with_versions)


def bucket_tells_event_bridge(replace: Replace) -> None:
    """PutBucketNotificationConfiguration with ``EventBridgeConfiguration``; GetBucketNotificationConfiguration.

    moto: sends the events, and does not tell that it does. AWS: returns the empty element (S3 API reference,
    *GetBucketNotificationConfiguration*).
    Provider: every plan of an ``aws_s3_bucket_notification`` wants to set ``eventbridge``.
    """
    from moto.s3.responses import S3Response

    plain = S3Response.serialized

    def serialized(self: Moto, action_result: Moto) -> Moto:
        if self.data.get("Action") == "GetBucketNotificationConfiguration":
            kept = self.backend.get_bucket_notification_configuration(self.bucket_name)
            if kept is not None and kept.event_bridge is not None:
                action_result.result["EventBridgeConfiguration"] = {}
        return plain(self, action_result)

    replace(S3Response, "serialized", serialized)


def log_delivery_is_granted_by_policy(replace: Replace) -> None:
    """PutBucketLogging to a bucket whose policy lets ``logging.s3.amazonaws.com`` put objects.

    moto: wants one statement whose resource is, letter for letter, the bucket or the very target prefix; a wider or
    listed resource is refused, and a statement with ``"Principal": "*"`` beside it is an internal error. AWS: any
    grant that covers the prefix will do (S3 user guide, *Enabling Amazon S3 server access logging*).
    Provider: ``aws_s3_bucket_logging`` fails with ``InvalidTargetBucketForLogging``.
    """
    from moto.s3.models import FakeBucket

    def granted(target_bucket: Moto, target_prefix: str | None) -> bool:
        arn = f"arn:{target_bucket.partition}:s3:::{target_bucket.name}/{target_prefix or ''}"
        return any(
            each["Effect"] == "Allow"
            and isinstance(each["Principal"], dict)
            and "logging.s3.amazonaws.com" in _listed(each["Principal"].get("Service", []))
            and "s3:PutObject" in _listed(each["Action"])
            and any(fnmatch.fnmatchcase(arn, pattern) for pattern in _listed(each["Resource"]))
            for each in _statements(target_bucket.policy)
        )

    replace(FakeBucket, "_log_permissions_enabled_policy", staticmethod(granted))


def access_logs_arrive_later(replace: Replace) -> None:
    """Any call on a bucket with server access logging.

    moto: writes a log object before the call is answered. AWS: delivers most records within a few hours (S3 user
    guide, *Logging requests with server access logging*), so not within one test.
    Provider: destroy fails with ``BucketNotEmpty``, because destroy's own calls fill the log bucket.
    """
    from moto.s3.models import S3Backend

    def log_incoming_request(_self: Moto, request: Moto, bucket_name: str) -> None:
        """Not yet."""

    replace(S3Backend, "log_incoming_request", log_incoming_request)


def _statements(policy: bytes | None) -> list[dict[str, Any]]:
    return _listed(json.loads(policy)["Statement"]) if policy else []


def _listed(value: Moto) -> list[Any]:
    return value if isinstance(value, list) else [value]


MENDS: dict[str, Mend] = {
    mend.__name__: mend
    for mend in (
        rest_api_policy_is_escaped,
        rest_api_keeps_binary_media_types,
        integration_keeps_connection_id,
        group_keeps_max_instance_lifetime,
        group_keeps_default_instance_warmup,
        scaling_policy_is_enabled,
        target_tracking_is_not_predictive,
        instance_refresh_exists,
        query_definitions_exist,
        rule_between_groups_has_description,
        launch_template_tags_are_its_own,
        load_balancer_keeps_private_link_choice,
        managed_policy_is_url_encoded,
        user_keeps_permissions_boundary,
        user_has_no_service_credentials,
        what_is_in_use_stays,
        key_keeps_rotation_period,
        database_keeps_performance_insights,
        set_parameters_have_source_user,
        conditional_deny_is_no_deny,
        lifecycle_keeps_newer_noncurrent_versions,
        bucket_tells_event_bridge,
        log_delivery_is_granted_by_policy,
        access_logs_arrive_later,
    )
}
