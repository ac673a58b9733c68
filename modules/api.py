"""The front door: a REST API whose every method is decided by IAM on the path ``/{team}/...``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from cdktf import TerraformResource, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.api_gateway_account import ApiGatewayAccount
from cdktf_cdktf_provider_aws.api_gateway_deployment import ApiGatewayDeployment
from cdktf_cdktf_provider_aws.api_gateway_integration import (
    ApiGatewayIntegration,
    ApiGatewayIntegrationTlsConfig,
)
from cdktf_cdktf_provider_aws.api_gateway_method import ApiGatewayMethod
from cdktf_cdktf_provider_aws.api_gateway_method_settings import (
    ApiGatewayMethodSettings,
    ApiGatewayMethodSettingsSettings,
)
from cdktf_cdktf_provider_aws.api_gateway_request_validator import ApiGatewayRequestValidator
from cdktf_cdktf_provider_aws.api_gateway_resource import ApiGatewayResource
from cdktf_cdktf_provider_aws.api_gateway_rest_api import (
    ApiGatewayRestApi,
    ApiGatewayRestApiEndpointConfiguration,
)
from cdktf_cdktf_provider_aws.api_gateway_rest_api_policy import ApiGatewayRestApiPolicy
from cdktf_cdktf_provider_aws.api_gateway_stage import ApiGatewayStage, ApiGatewayStageAccessLogSettings
from cdktf_cdktf_provider_aws.api_gateway_vpc_link import ApiGatewayVpcLink
from cdktf_cdktf_provider_aws.vpc_endpoint import VpcEndpoint
from cdktf_cdktf_provider_aws.vpc_endpoint_policy import VpcEndpointPolicy
from constructs import Construct

from gatehouse.policies import REFERENCE, Kind
from gatehouse.settings import Visibility
from modules.deployment import STAGE, Deployment
from modules.key import Key
from modules.load_balancer import LoadBalancer
from modules.log_group import LogGroup
from modules.network import Placement
from modules.role import ServiceRole
from modules.security_group import SecurityGroup
from modules.web_acl import WebAcl

#: The longest that API Gateway waits for an integration without a raised quota, in milliseconds.
INTEGRATION_TIMEOUT_MILLISECONDS = 29_000
AUTHORIZATION = "AWS_IAM"
BINARY_MEDIA_TYPES = ["*/*"]
#: A request without a team, or with an empty path behind it, ends at the gateway.
VALIDATES_PARAMETERS = True
WORKSPACE_HEADER = "integration.request.header.X-MLFLOW-WORKSPACE"
PATH_HEADER = "integration.request.header.X-Gatehouse-Path"
#: One JSON object a request, of values that a caller cannot put quotes into; the team is the path's second part.
ACCESS_LOG_FORMAT = {
    "time": "$context.requestTimeEpoch",
    "request_id": "$context.requestId",
    "caller": "$context.identity.userArn",
    "account": "$context.identity.accountId",
    "source_ip": "$context.identity.sourceIp",
    "vpc_endpoint": "$context.identity.vpceId",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "resource": "$context.resourcePath",
    "status": "$context.status",
    "latency_ms": "$context.responseLatency",
    "server_status": "$context.integration.status",
    "server_latency_ms": "$context.integration.latency",
    "response_bytes": "$context.responseLength",
    "error": "$context.error.responseType",
}


@dataclass(frozen=True)
class Route:
    """One resource of the API and where its requests go."""

    name: str
    resource_id: str
    uri: str
    path_parameters: tuple[str, ...]

    @property
    def method_parameters(self) -> dict[str, bool]:
        """The path parameters, each required."""
        return {f"method.request.path.{name}": True for name in self.path_parameters}

    @property
    def integration_parameters(self) -> dict[str, str]:
        """What the server is sent: the workspace from the path, whatever the client sent, and the rest of the path.

        And the path that IAM decided on, ``/STAGE/TEAM/...``: what becomes of it on the way, the server sees by it.
        """
        parameters = {WORKSPACE_HEADER: "method.request.path.team", PATH_HEADER: "context.path"}
        if "proxy" in self.path_parameters:
            parameters["integration.request.path.proxy"] = "method.request.path.proxy"
        return parameters


class PrivateEntry(Construct):
    """The execute-api endpoint through which a private API is called.

    Private DNS stays off: it would send every execute-api name that anybody in the VPC looks up to this one
    API. Clients use the name that joins the API's id and the endpoint's.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        deployment: Deployment,
        placement: Placement,
        security_group: SecurityGroup,
    ) -> None:
        """Make the endpoint; ``security_group`` admits the clients."""
        super().__init__(scope, id_)
        self.id = VpcEndpoint(
            self,
            "resource",
            vpc_id=placement.vpc_id,
            service_name=f"com.amazonaws.{deployment.region}.execute-api",
            vpc_endpoint_type="Interface",
            subnet_ids=placement.server_subnet_ids,
            security_group_ids=[security_group.id],
            private_dns_enabled=False,
            tags={"Name": f"{deployment.prefix}-execute-api"},
        ).id
        self._deployment = deployment

    def restrict_to(self, api: Api) -> None:
        """Let the endpoint through to ``api`` alone, for callers of this account alone.

        A resource of its own, because the API names the endpoint and the endpoint's policy names the API.
        """
        VpcEndpointPolicy(
            self,
            "policy",
            vpc_endpoint_id=self.id,
            policy=self._deployment.policy("endpoints/execute-api", Kind.ENDPOINT, api=api.execution_arn),
        )


class Api(Construct):
    """REST API, VPC link, deployment and stage.

    ``/{team}`` and ``/{team}/{proxy+}`` are the only resources. The integration **sets** the workspace header
    from the path, whatever the client sent: the team of a request is what IAM allowed on its path. It sets a header
    with that whole path as well, and the server serves no other.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        deployment: Deployment,
        load_balancer: LoadBalancer,
        vpc_endpoint_ids: list[str],
        log_key: Key,
        log_role: ServiceRole | None,
    ) -> None:
        """Make the API; a private one is called through ``vpc_endpoint_ids`` and through nothing else.

        ``log_role`` becomes the region's role for API Gateway logs; None leaves the account's setting alone.
        """
        super().__init__(scope, id_)
        self._deployment = deployment
        self.stage_name = STAGE
        self.name = deployment.prefix
        private = deployment.settings.api.visibility is Visibility.PRIVATE
        self._api = ApiGatewayRestApi(
            self,
            "rest-api",
            name=self.name,
            description=f"MLflow of {deployment.prefix}: /TEAM/..., IAM on every call",
            # Without it protobuf traces and images arrive as broken text.
            binary_media_types=BINARY_MEDIA_TYPES,
            endpoint_configuration=ApiGatewayRestApiEndpointConfiguration(
                types=["PRIVATE" if private else "REGIONAL"],
                vpc_endpoint_ids=vpc_endpoint_ids if private else None,
            ),
            # So it is in any case: Terraform takes it over from the deployment, which refers to the API.
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        document = deployment.policy(
            "api",
            Kind.API,
            api=self._api.execution_arn,
            vpc_endpoints=vpc_endpoint_ids if private else [],
            client_cidrs=self._client_cidrs(private=private),
        )
        self._policy = ApiGatewayRestApiPolicy(self, "policy", rest_api_id=self._api.id, policy=document)
        self._link = ApiGatewayVpcLink(
            self,
            "vpc-link",
            name=self.name,
            description=f"To the load balancer of {deployment.prefix}",
            target_arns=[load_balancer.arn],
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        self._validator = ApiGatewayRequestValidator(
            self,
            "validator",
            rest_api_id=self._api.id,
            name="parameters",
            validate_request_parameters=VALIDATES_PARAMETERS,
            # A body is validated against a model of it; MLflow's are its own affair.
            validate_request_body=False,
        )
        team = ApiGatewayResource(
            self,
            "team",
            rest_api_id=self._api.id,
            parent_id=self._api.root_resource_id,
            path_part="{team}",
        )
        proxy = ApiGatewayResource(
            self, "proxy", rest_api_id=self._api.id, parent_id=team.id, path_part="{proxy+}"
        )
        host = load_balancer.host
        routes = [
            Route("team", team.id, f"https://{host}/", ("team",)),
            Route("proxy", proxy.id, f"https://{host}/{{proxy}}", ("team", "proxy")),
        ]
        made = [part for route in routes for part in self._make_route(route)]
        self._deployed = self._deploy(made, self._triggers(document, routes, host, vpc_endpoint_ids))
        self.access_log_group, self.execution_log_group = self._log_groups(log_key)
        stage = self._publish(log_role)
        if not private:
            WebAcl(self, "web-acl", deployment=deployment, stage_arn=stage.arn, log_key=log_key)
        self.execution_arn = self._api.execution_arn
        #: ARN that each request's ARN starts with; made of the parts, so that its length is known.
        self.stage_arn = (
            f"arn:aws:execute-api:{deployment.region}:{deployment.account}:{self._api.id}/{self.stage_name}"
        )
        self.url = self._url(vpc_endpoint_ids if private else [])

    def tracking_uri(self, team: str) -> str:
        """Return the MLflow tracking URI of a team."""
        return f"{self.url}/{team}"

    def _client_cidrs(self, *, private: bool) -> list[str]:
        api = self._deployment.settings.api
        # Members of a client security group may have any address: there the endpoint's own group decides.
        return [] if private and api.client_security_groups else list(api.client_cidrs)

    def _make_route(self, route: Route) -> tuple[ApiGatewayMethod, ApiGatewayIntegration]:
        method = ApiGatewayMethod(
            self,
            f"{route.name}-method",
            rest_api_id=self._api.id,
            resource_id=route.resource_id,
            http_method="ANY",
            authorization=AUTHORIZATION,
            request_parameters=route.method_parameters,
            request_validator_id=self._validator.id,
        )
        integration = ApiGatewayIntegration(
            self,
            f"{route.name}-integration",
            rest_api_id=self._api.id,
            resource_id=route.resource_id,
            http_method=method.http_method,
            integration_http_method="ANY",
            type="HTTP_PROXY",
            uri=route.uri,
            connection_type="VPC_LINK",
            connection_id=self._link.id,
            request_parameters=route.integration_parameters,
            timeout_milliseconds=INTEGRATION_TIMEOUT_MILLISECONDS,
            # A certificate that the server made for itself cannot be verified; one from ACM can, and is.
            tls_config=ApiGatewayIntegrationTlsConfig(insecure_skip_verification=not self._verified),
        )
        return method, integration

    @property
    def _verified(self) -> bool:
        return self._deployment.settings.api.domain is not None

    def _triggers(
        self, document: str, routes: list[Route], host: str, vpc_endpoint_ids: list[str]
    ) -> dict[str, str]:
        """Return what makes a new deployment when it changes.

        It is made of what is configured, never of what the provider reads back: AWS may write the same policy
        in another order, and every plan would then replace the deployment.
        """
        definition = [
            REFERENCE.sub("reference", document),
            *(
                json.dumps([route.name, route.method_parameters, route.integration_parameters])
                for route in routes
            ),
            AUTHORIZATION,
            *BINARY_MEDIA_TYPES,
            str(INTEGRATION_TIMEOUT_MILLISECONDS),
            str(VALIDATES_PARAMETERS),
            str(self._verified),
        ]
        return {
            "definition": hashlib.sha256("\n".join(definition).encode()).hexdigest(),
            "host": host,
            "vpc_link": self._link.id,
            "vpc_endpoints": ",".join(vpc_endpoint_ids),
        }

    def _deploy(self, made: Sequence[TerraformResource], triggers: dict[str, str]) -> ApiGatewayDeployment:
        return ApiGatewayDeployment(
            self,
            "deployment",
            rest_api_id=self._api.id,
            description=f"MLflow of {self._deployment.prefix}",
            # A deployment is a snapshot: whatever changes in the API must make a new one.
            triggers=triggers,
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
            depends_on=[self._policy, *made],
        )

    def _log_groups(self, key: Key) -> tuple[LogGroup, LogGroup]:
        deployment = self._deployment
        access = LogGroup(
            self, "access-logs", deployment=deployment, name=deployment.log_group_name("api"), key=key
        )
        # API Gateway would make this group itself, without our key and without end.
        name = f"API-Gateway-Execution-Logs_{self._api.id}/{self.stage_name}"
        return access, LogGroup(self, "execution-logs", deployment=deployment, name=name, key=key)

    def _publish(self, log_role: ServiceRole | None) -> ApiGatewayStage:
        deployment, variables = self._deployment, self._deployment.variables
        ready: list[TerraformResource] = [self.execution_log_group.resource]
        if log_role is not None:
            permission = log_role.grant("api-logs")
            ready.append(
                ApiGatewayAccount(self, "account", cloudwatch_role_arn=log_role.arn, depends_on=[permission])
            )
        stage = ApiGatewayStage(
            self,
            "stage",
            rest_api_id=self._api.id,
            deployment_id=self._deployed.id,
            stage_name=self.stage_name,
            description=f"MLflow of {deployment.prefix}",
            access_log_settings=ApiGatewayStageAccessLogSettings(
                destination_arn=self.access_log_group.arn,
                format=json.dumps(ACCESS_LOG_FORMAT, separators=(",", ":")),
            ),
            depends_on=ready,
        )
        ApiGatewayMethodSettings(
            self,
            "settings",
            rest_api_id=self._api.id,
            stage_name=stage.stage_name,
            method_path="*/*",
            settings=ApiGatewayMethodSettingsSettings(
                metrics_enabled=True,
                logging_level="ERROR",
                # Full requests would put parameters, tags and prompts of every team into one log.
                data_trace_enabled=False,
                throttling_rate_limit=variables.requests_per_second,
                throttling_burst_limit=variables.request_burst,
            ),
        )
        return stage

    def _url(self, vpc_endpoint_ids: list[str]) -> str:
        host = f"{self._api.id}-{vpc_endpoint_ids[0]}" if vpc_endpoint_ids else self._api.id
        return f"https://{host}.execute-api.{self._deployment.region}.amazonaws.com/{self.stage_name}"
