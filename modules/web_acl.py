"""What stands before a regional API: its address is public, and AWS WAF looks at a request before IAM does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cdktf_cdktf_provider_aws.wafv2_ip_set import Wafv2IpSet
from cdktf_cdktf_provider_aws.wafv2_web_acl import (
    Wafv2WebAcl,
    Wafv2WebAclDefaultAction,
    Wafv2WebAclDefaultActionBlock,
    Wafv2WebAclRule,
    Wafv2WebAclRuleAction,
    Wafv2WebAclRuleActionAllow,
    Wafv2WebAclRuleOverrideAction,
    Wafv2WebAclRuleOverrideActionNone,
    Wafv2WebAclRuleVisibilityConfig,
    Wafv2WebAclVisibilityConfig,
)
from cdktf_cdktf_provider_aws.wafv2_web_acl_association import Wafv2WebAclAssociation
from cdktf_cdktf_provider_aws.wafv2_web_acl_logging_configuration import (
    Wafv2WebAclLoggingConfiguration,
    Wafv2WebAclLoggingConfigurationLoggingFilter,
    Wafv2WebAclLoggingConfigurationLoggingFilterFilter,
    Wafv2WebAclLoggingConfigurationLoggingFilterFilterCondition,
    Wafv2WebAclLoggingConfigurationLoggingFilterFilterConditionActionCondition,
    Wafv2WebAclLoggingConfigurationRedactedFields,
    Wafv2WebAclLoggingConfigurationRedactedFieldsQueryString,
    Wafv2WebAclLoggingConfigurationRedactedFieldsSingleHeader,
)
from constructs import Construct

from modules.deployment import Deployment
from modules.key import Key
from modules.log_group import LogGroup

#: Groups of AWS's rules that no call of MLflow trips (the common one limits bodies to 8 KB) -> their rules that only
#: count: a client may well live with a hosting provider, and the environment file says with which.
MANAGED_GROUPS: Mapping[str, tuple[str, ...]] = {
    "AWSManagedRulesKnownBadInputsRuleSet": (),
    "AWSManagedRulesAnonymousIpList": ("HostingProviderIPList",),
}
#: Headers that prove who calls; whoever reads a log could use them.
SECRET_HEADERS = ("authorization", "x-amz-security-token")


class WebAcl(Construct):
    """Blocks everybody but the clients' ranges, and of these known attacks and services that hide who calls.

    The ranges are those of the API's resource policy, on purpose: either of the two may be mistaken. There is no
    limit for an address: the stage has one for all callers, and an office often shares one address.

    Source: API Gateway Developer Guide, "Use AWS WAF to protect your REST APIs": it comes before IAM.
    """

    def __init__(
        self, scope: Construct, id_: str, *, deployment: Deployment, stage_arn: str, log_key: Key
    ) -> None:
        """Make the list, its log, and tie it to the API's stage ``stage_arn``."""
        super().__init__(scope, id_)
        self._name = deployment.prefix
        clients = Wafv2IpSet(
            self,
            "clients",
            name=f"{self._name}-clients",
            description=f"Ranges that clients of {self._name} call from",
            scope="REGIONAL",
            ip_address_version="IPV4",
            addresses=list(deployment.settings.api.client_cidrs),
        )
        self.arn = Wafv2WebAcl(
            self,
            "resource",
            name=self._name,
            description=f"Before the API of {self._name}",
            scope="REGIONAL",
            default_action=Wafv2WebAclDefaultAction(block=Wafv2WebAclDefaultActionBlock()),
            rule=self._rules(clients),
            visibility_config=Wafv2WebAclVisibilityConfig(**self._visibility("all")),
        ).arn
        self._log_blocked(deployment, log_key)
        Wafv2WebAclAssociation(self, "association", resource_arn=stage_arn, web_acl_arn=self.arn)

    def _rules(self, clients: Wafv2IpSet) -> list[Wafv2WebAclRule]:
        groups = [
            Wafv2WebAclRule(
                name=name,
                priority=priority,
                statement={"managed_rule_group_statement": _managed(name, counted)},
                override_action=Wafv2WebAclRuleOverrideAction(none=Wafv2WebAclRuleOverrideActionNone()),
                visibility_config=Wafv2WebAclRuleVisibilityConfig(**self._visibility(name)),
            )
            for priority, (name, counted) in enumerate(MANAGED_GROUPS.items())
        ]
        admitted = Wafv2WebAclRule(
            name="clients",
            priority=len(groups),
            statement={"ip_set_reference_statement": {"arn": clients.arn}},
            action=Wafv2WebAclRuleAction(allow=Wafv2WebAclRuleActionAllow()),
            visibility_config=Wafv2WebAclRuleVisibilityConfig(**self._visibility("clients")),
        )
        return [*groups, admitted]

    def _visibility(self, name: str) -> dict[str, Any]:
        return {
            "cloudwatch_metrics_enabled": True,
            "metric_name": f"{self._name}-{name}",
            # A sample is a whole request, with the headers that prove who calls.
            "sampled_requests_enabled": False,
        }

    def _log_blocked(self, deployment: Deployment, key: Key) -> None:
        group = LogGroup(self, "logs", deployment=deployment, name=deployment.web_acl_log_group, key=key)
        blocked = Wafv2WebAclLoggingConfigurationLoggingFilterFilterCondition(
            action_condition=Wafv2WebAclLoggingConfigurationLoggingFilterFilterConditionActionCondition(
                action="BLOCK"
            )
        )
        Wafv2WebAclLoggingConfiguration(
            self,
            "logging",
            resource_arn=self.arn,
            log_destination_configs=[group.arn],
            # What passes is in the API's own access log.
            logging_filter=Wafv2WebAclLoggingConfigurationLoggingFilter(
                default_behavior="DROP",
                filter=[
                    Wafv2WebAclLoggingConfigurationLoggingFilterFilter(
                        behavior="KEEP", requirement="MEETS_ANY", condition=[blocked]
                    )
                ],
            ),
            redacted_fields=[
                *(
                    Wafv2WebAclLoggingConfigurationRedactedFields(
                        single_header=Wafv2WebAclLoggingConfigurationRedactedFieldsSingleHeader(name=name)
                    )
                    for name in SECRET_HEADERS
                ),
                # A signature may be there as well.
                Wafv2WebAclLoggingConfigurationRedactedFields(
                    query_string=Wafv2WebAclLoggingConfigurationRedactedFieldsQueryString()
                ),
            ],
        )


def _managed(name: str, counted: Sequence[str]) -> dict[str, Any]:
    # The bindings leave statements untyped and hand them to Terraform as they are.
    overrides = [{"name": rule, "action_to_use": {"count": {}}} for rule in counted]
    return {"name": name, "vendor_name": "AWS", **({"rule_action_override": overrides} if overrides else {})}
