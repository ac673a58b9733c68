"""Logs, alarms and notifications: what is seen, by whom, and for how long."""

from __future__ import annotations

from tests.mutations.edits import (
    added,
    changed,
    drop,
    insert,
    policy,
    put,
    removed,
    unconditional,
    with_more,
    without,
)
from tests.mutations.mutation import Mutation

DEV, PROD = "dev", "prod"
ACCESS = "aws_cloudwatch_log_group.api_access_logs"
SERVER = "aws_cloudwatch_log_group.server_logs"
FLOW = "aws_cloudwatch_log_group.flow_logs"
TOPIC = "aws_sns_topic.observability_topic"
TOPIC_POLICY = "aws_sns_topic_policy.observability_topic_policy"
SURGE = "aws_cloudwatch_metric_alarm.observability_forbidden_surge"

MUTATIONS = (
    Mutation("log-key", "the access log has a key of AWS", PROD, ACCESS, drop("kms_key_id")),
    Mutation("log-key-server", "the servers' log has a key of AWS", DEV, SERVER, drop("kms_key_id")),
    Mutation(
        "log-key-other",
        "the flow log has the key of artifacts",
        PROD,
        FLOW,
        put("kms_key_id", "${aws_kms_key.storage_key.arn}"),
    ),
    Mutation("log-retention", "the access log is kept for ever", PROD, ACCESS, drop("retention_in_days")),
    Mutation(
        "log-retention-day", "the access log is kept for a day", PROD, ACCESS, put("retention_in_days", 1)
    ),
    Mutation(
        "log-class",
        "a log in which no alarm looks",
        DEV,
        ACCESS,
        insert("log_group_class", "INFREQUENT_ACCESS"),
    ),
    Mutation(
        "log-new",
        "one more log, without key and end",
        DEV,
        "aws_cloudwatch_log_group.side",
        added(name="/side"),
    ),
    Mutation(
        "log-away",
        "a copy of the access log goes to another account",
        PROD,
        "aws_cloudwatch_log_subscription_filter.away",
        added(
            name="away",
            log_group_name="${aws_cloudwatch_log_group.api_access_logs.name}",
            filter_pattern="",
            destination_arn="arn:aws:logs:eu-west-1:444455556666:destination:theirs",
        ),
        (ACCESS,),
    ),
    Mutation(
        "log-policy",
        "everybody writes logs",
        PROD,
        "aws_cloudwatch_log_resource_policy.open",
        added(
            policy_name="open",
            policy_document='{"Version":"2012-10-17","Statement":[{"Sid":"Open","Effect":"Allow",'
            '"Principal":"*","Action":"logs:PutLogEvents","Resource":"*"}]}',
        ),
    ),
    Mutation("topic-key", "alarms are not encrypted", PROD, TOPIC, drop("kms_master_key_id")),
    Mutation(
        "topic-tls", "alarms without TLS", PROD, TOPIC_POLICY, policy(without("DenyWithoutTls")), (TOPIC,)
    ),
    Mutation(
        "topic-tls-publish",
        "subscriptions without TLS",
        DEV,
        TOPIC_POLICY,
        policy(changed("DenyWithoutTls", Action="sns:Publish")),
        (TOPIC,),
    ),
    Mutation(
        "topic-everybody",
        "everybody sends alarms",
        PROD,
        TOPIC_POLICY,
        policy(changed("AlarmsOfThisStack", Principal="*"), unconditional("AlarmsOfThisStack")),
        (TOPIC,),
    ),
    Mutation(
        "topic-accounts",
        "alarms of other accounts",
        DEV,
        TOPIC_POLICY,
        policy(unconditional("AlarmsOfThisStack")),
        (TOPIC,),
    ),
    Mutation(
        "topic-listeners",
        "another account listens",
        PROD,
        TOPIC_POLICY,
        policy(
            with_more(
                "Listen",
                Principal={"AWS": "arn:aws:iam::444455556666:root"},
                Action="sns:Subscribe",
                Resource="${aws_sns_topic.observability_topic.arn}",
            )
        ),
        (TOPIC,),
    ),
    Mutation(
        "topic-policy",
        "the topic has the policy that AWS gives it",
        PROD,
        TOPIC_POLICY,
        removed,
        (TOPIC, "aws_sns_topic_policy.missing"),
    ),
    Mutation(
        "topic-subscription",
        "alarms go to an address without TLS",
        DEV,
        "aws_sns_topic_subscription.away",
        added(
            topic_arn="${aws_sns_topic.observability_topic.arn}",
            protocol="http",
            endpoint="http://example.net/alarms",
        ),
        (TOPIC,),
    ),
    Mutation(
        "alarm-silent", "nobody hears of a surge of refusals", PROD, SURGE, insert("actions_enabled", False)
    ),
    Mutation("alarm-nobody", "an alarm tells nobody", PROD, SURGE, put("alarm_actions", [])),
)
