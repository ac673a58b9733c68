"""Alarms to an encrypted topic, one dashboard, and the saved queries of the access log."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.cloudwatch_dashboard import CloudwatchDashboard
from cdktf_cdktf_provider_aws.cloudwatch_log_metric_filter import (
    CloudwatchLogMetricFilter,
    CloudwatchLogMetricFilterMetricTransformation,
)
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.cloudwatch_query_definition import CloudwatchQueryDefinition
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
from cdktf_cdktf_provider_aws.sns_topic_policy import SnsTopicPolicy
from constructs import Construct

from gatehouse.policies import Kind
from modules.api import Api
from modules.database import Database
from modules.deployment import Deployment
from modules.key import Key
from modules.load_balancer import LoadBalancer
from modules.server import Server

FORBIDDEN_METRIC = "ForbiddenRequests"
GIB = 1024**3


@dataclass(frozen=True)
class Metric:
    """A metric, as the dashboard shows it."""

    name: str
    namespace: str
    metric: str
    dimensions: dict[str, str]
    statistic: str
    """"Sum", "Average", "Maximum", "Minimum", or a percentile such as "p95"."""
    period_seconds: int = 300


@dataclass(frozen=True, kw_only=True)
class Alarm(Metric):
    """One alarm: fires when the statistic crosses the threshold in ``periods`` periods in a row."""

    description: str
    threshold: float
    """In the metric's own unit."""
    comparison: str = "GreaterThanThreshold"
    periods: int = 1
    missing: str = "notBreaching"


class Observability(Construct):
    """What tells people that something is wrong, and where they look."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        deployment: Deployment,
        api: Api,
        load_balancer: LoadBalancer,
        server: Server,
        database: Database,
    ) -> None:
        """Make topic, alarms, dashboard and queries."""
        super().__init__(scope, id_)
        self._deployment = deployment
        self._api_dimensions = {"ApiName": api.name, "Stage": api.stage_name}
        self._balancer_dimensions = {
            "LoadBalancer": load_balancer.arn_suffix,
            "TargetGroup": load_balancer.target_group_arn_suffix,
        }
        self._database_dimensions = {"DBInstanceIdentifier": database.identifier}
        self.topic_arn = self._topic()
        self._count_forbidden(api)
        alarms = [*self._api_alarms(), *self._server_alarms(), *self._database_alarms()]
        for alarm in alarms:
            self._add(alarm)
        self._dashboard(alarms, server)
        self._queries(api)

    def _topic(self) -> str:
        deployment = self._deployment
        key = Key(
            self,
            "key",
            deployment=deployment,
            purpose="notifications",
            description="alarm notifications",
        )
        topic = SnsTopic(self, "topic", name=f"{deployment.prefix}-alarms", kms_master_key_id=key.arn)
        SnsTopicPolicy(
            self,
            "topic-policy",
            arn=topic.arn,
            policy=deployment.policy("topic", Kind.TOPIC, topic=topic.arn),
        )
        return topic.arn

    def _count_forbidden(self, api: Api) -> None:
        # API Gateway counts all 4xx together; a surge of refusals is a question of its own.
        CloudwatchLogMetricFilter(
            self,
            "forbidden",
            name=f"{self._deployment.prefix}-forbidden",
            log_group_name=api.access_log_group.resource.name,
            pattern='{ $.status = "403" }',
            metric_transformation=CloudwatchLogMetricFilterMetricTransformation(
                name=FORBIDDEN_METRIC,
                namespace=self._deployment.metric_namespace,
                value="1",
                default_value="0",
            ),
        )

    def _api_alarms(self) -> list[Alarm]:
        return [
            Alarm(
                "api-5xx",
                "AWS/ApiGateway",
                "5XXError",
                self._api_dimensions,
                "Sum",
                description="The API answers with server errors: look at the server log and the target group.",
                threshold=5,
            ),
            Alarm(
                "api-latency",
                "AWS/ApiGateway",
                "Latency",
                self._api_dimensions,
                "p95",
                description="One request in twenty takes longer than five seconds: "
                "look at the database and the servers' CPU.",
                threshold=5000,
                periods=3,
            ),
            Alarm(
                "forbidden-surge",
                self._deployment.metric_namespace,
                FORBIDDEN_METRIC,
                {},
                "Sum",
                description="Many refused calls: somebody tries doors, or a role lost a permission. "
                "Query the access log.",
                threshold=50,
            ),
        ]

    def _server_alarms(self) -> list[Alarm]:
        return [
            Alarm(
                "unhealthy-hosts",
                "AWS/NetworkELB",
                "UnHealthyHostCount",
                self._balancer_dimensions,
                "Maximum",
                description="A server fails its health check: look at its server and boot logs.",
                threshold=0,
                period_seconds=60,
                # A booting server is unhealthy until /health answers.
                periods=20,
            ),
            Alarm(
                "no-healthy-host",
                "AWS/NetworkELB",
                "HealthyHostCount",
                self._balancer_dimensions,
                "Maximum",
                description="No server is healthy: MLflow is down.",
                threshold=1,
                comparison="LessThanThreshold",
                period_seconds=60,
                periods=3,
                missing="breaching",
            ),
        ]

    def _database_alarms(self) -> list[Alarm]:
        return [
            Alarm(
                "database-cpu",
                "AWS/RDS",
                "CPUUtilization",
                self._database_dimensions,
                "Average",
                description="The database is short of CPU: look at its slow queries, or choose a larger class.",
                threshold=80,
                periods=3,
            ),
            Alarm(
                "database-storage",
                "AWS/RDS",
                "FreeStorageSpace",
                self._database_dimensions,
                "Minimum",
                description="Less than 5 GiB of database storage is free: raise the storage limit.",
                threshold=5 * GIB,
                comparison="LessThanThreshold",
            ),
            Alarm(
                "database-connections",
                "AWS/RDS",
                "DatabaseConnections",
                self._database_dimensions,
                "Maximum",
                description="More connections than the servers open: "
                "something else is connected, or a class too small is near.",
                threshold=self._deployment.variables.database_connections_alarm,
                periods=2,
            ),
        ]

    def _add(self, alarm: Alarm) -> None:
        percentile = alarm.statistic.startswith("p")
        CloudwatchMetricAlarm(
            self,
            alarm.name,
            alarm_name=f"{self._deployment.prefix}-{alarm.name}",
            alarm_description=alarm.description,
            namespace=alarm.namespace,
            metric_name=alarm.metric,
            dimensions=alarm.dimensions or None,
            statistic=None if percentile else alarm.statistic,
            extended_statistic=alarm.statistic if percentile else None,
            comparison_operator=alarm.comparison,
            threshold=alarm.threshold,
            period=alarm.period_seconds,
            evaluation_periods=alarm.periods,
            treat_missing_data=alarm.missing,
            alarm_actions=[self.topic_arn],
            ok_actions=[self.topic_arn],
        )

    def _dashboard(self, alarms: list[Alarm], server: Server) -> None:
        cpu = Metric(
            "server-cpu", "AWS/EC2", "CPUUtilization", {"AutoScalingGroupName": server.group_name}, "Average"
        )
        widgets = [self._widget(position, metric) for position, metric in enumerate([*alarms, cpu])]
        CloudwatchDashboard(
            self,
            "dashboard",
            dashboard_name=self._deployment.prefix,
            dashboard_body=json.dumps({"widgets": widgets}, separators=(",", ":")),
        )

    def _widget(self, position: int, metric: Metric) -> dict[str, object]:
        width, height, columns = 8, 6, 3
        dimensions = [part for pair in metric.dimensions.items() for part in pair]
        return {
            "type": "metric",
            "x": width * (position % columns),
            "y": height * (position // columns),
            "width": width,
            "height": height,
            "properties": {
                "title": metric.name,
                "region": self._deployment.region,
                "view": "timeSeries",
                "metrics": [[metric.namespace, metric.metric, *dimensions]],
                "stat": metric.statistic,
                "period": metric.period_seconds,
            },
        }

    def _queries(self, api: Api) -> None:
        # REST APIs have no access-log variable for a path parameter: the team is cut out of the path here.
        parse = r"parse path /^\/[^\/]+\/(?<team>[^\/]+)/"
        questions = {
            "calls-by-team": f"{parse} | stats count() as calls, avg(latency_ms) as average_ms by team, method, status",
            "refusals-by-caller": f"{parse} | filter status = '403' | stats count() as refusals by caller, team, path",
            "slowest-calls": f"{parse} | sort latency_ms desc | limit 50 | display caller, team, path, latency_ms",
        }
        for name, query in questions.items():
            CloudwatchQueryDefinition(
                self,
                name,
                name=f"gatehouse/{self._deployment.prefix}/{name}",
                log_group_names=[api.access_log_group.resource.name],
                query_string=query,
            )
