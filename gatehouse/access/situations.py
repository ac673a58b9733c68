"""The circumstances of a request: the plain call of each service as IAM sees it, and what may be different about it.

The network from which calls are allowed is what the policies of the API and of the bucket name; nothing else tells it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import product
from typing import Self

from gatehouse.access.conditions import Condition
from gatehouse.access.context import Context, ContextValue
from gatehouse.access.policy import Policy, Statement
from gatehouse.access.resources import Api

Keys = Mapping[str, ContextValue]

#: A request to S3 as SDKs make it: TLS, and signed in a header.
S3_CALL: Keys = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3", "s3:authType": "REST-HEADER"}
#: IAM users, and sessions of roles that they assumed, have the key with either value; a federated session lacks it.
MFA: Keys = {"aws:MultiFactorAuthPresent": "true"}
NO_MFA: Keys = {"aws:MultiFactorAuthPresent": "false"}
FEDERATED: Keys = {}

#: Addresses of each version that are nobody's, of which the first that no policy names is outside.
#: Source: RFC 5737, RFC 6598, RFC 1918; RFC 3849, RFC 4193, RFC 8215.
_NOBODYS = (
    ("203.0.113.1", "192.0.2.1", "198.51.100.1", "100.64.0.1", "10.255.255.1"),
    ("2001:db8::1", "fd00::1", "64:ff9b:1::1"),
)
_ADDRESSES = {"aws:sourceip": "aws:SourceIp", "aws:vpcsourceip": "aws:VpcSourceIp"}
_ENTRANCES = {"aws:sourcevpce": "aws:SourceVpce", "aws:sourcevpc": "aws:SourceVpc"}
_NETWORK = _ADDRESSES | _ENTRANCES


class Way(Enum):
    """By which service a call is made; the value is its name."""

    API = "API Gateway"
    S3 = "S3"
    KMS_BY_S3 = "KMS through S3"
    ENCRYPTED = "a service that answers HTTPS alone"
    OTHER = "another service"

    @classmethod
    def of(cls, action: str) -> Way:
        """Return how an action is asked for by whoever wants it."""
        service = action.partition(":")[0].lower()
        if service in _HTTPS_ALONE:
            return cls.ENCRYPTED
        return {"s3": cls.S3, "execute-api": cls.API}.get(service, cls.OTHER)


#: Source: AWS General Reference, "Service endpoints and quotas", the protocols of each service.
_HTTPS_ALONE = frozenset({"apigateway", "iam", "kms", "logs", "rds", "secretsmanager", "ssm", "sts"})


@dataclass(frozen=True)
class Situation:
    """What is different from the plain case: own team, with MFA if there can be one, TLS, from the allowed network."""

    id: str
    name: str
    elsewhere: bool = False
    tagged: bool = True
    mfa: bool = True
    tls: bool = True
    inside: bool = True


OWN_TEAM = Situation("own-team", "own team")
#: In the order in which they are shown.
SITUATIONS = (
    OWN_TEAM,
    Situation("another-team", "another team", elsewhere=True),
    Situation("without-tag", "without tag", tagged=False),
    Situation("without-mfa", "without MFA", mfa=False),
    Situation("without-tls", "without TLS", tls=False),
    Situation("outside", "from outside the network", inside=False),
)


def kms_by_s3(account: str, region: str, encrypted: str) -> Keys:
    """Return what KMS sees of a call that S3 makes for its own caller; ``encrypted`` is the bucket's or object's ARN.

    Source: AWS KMS Developer Guide, "AWS KMS condition keys" (kms:ViaService, kms:CallerAccount); S3 User Guide,
    "Using server-side encryption with AWS KMS keys" ("Encryption context").
    """
    return {
        "kms:ViaService": f"s3.{region}.amazonaws.com",
        "kms:EncryptionContext:aws:s3:arn": encrypted,
        "kms:CallerAccount": account,
    }


@dataclass(frozen=True)
class Network:
    """Keys of a call from the allowed network, and of each way in which one may not be from it."""

    inside: Keys
    outside: tuple[Keys, ...]

    @classmethod
    def of_api(cls, api: Api) -> Self:
        """Return that of the API: its policy's, and for a private one its endpoints'.

        Source: API Gateway Developer Guide, "AWS condition keys that can be used in API Gateway resource policies":
        a private API sees the address in the VPC.
        """
        doors = api.endpoint_ids if api.private else ()
        return cls._of(api.policy, "aws:VpcSourceIp" if api.private else "aws:SourceIp", doors)

    @classmethod
    def of_bucket(cls, policy: Policy | None) -> Self:
        """Return that of a bucket: its policy's."""
        return cls._of(policy, "aws:SourceIp", ())

    @classmethod
    def _of(cls, policy: Policy | None, address_key: str, doors: tuple[str, ...]) -> Self:
        limits = [found for one in policy.statements if (found := _limit(one))] if policy else []
        named = [condition for _, conditions in limits for condition in conditions]
        ranges = [
            (_ADDRESSES[one.key], ipaddress.ip_network(text.strip(), strict=False))
            for one in named
            if one.key in _ADDRESSES and one.operator.endswith("IpAddress")
            for text in one.values
        ]
        entrances: list[Keys] = [
            {_ENTRANCES[one.key]: text} for one in named if one.key in _ENTRANCES for text in one.values
        ]
        entrances += [{"aws:SourceVpce": door} for door in doors]
        strangers = [_stranger([network for _, network in ranges], those) for those in _NOBODYS]
        addresses: list[Keys] = [
            {key: str(network[min(1, network.num_addresses - 1)])} for key, network in ranges
        ]
        at_home = addresses or [{address_key: strangers[0]}]
        candidates = [{**one, **door} for one, door in product(at_home, entrances or [{}])]
        inside = next((one for one in candidates if _passes(limits, one)), candidates[0])
        # Where an endpoint alone is named, every address behind it is inside.
        elsewhere = strangers if ranges or not entrances else []
        return cls(inside, tuple(_outside(inside, elsewhere, strangers[0])))


def _limit(statement: Statement) -> tuple[bool, tuple[Condition, ...]] | None:
    """Return whether a statement denies, and what it asks of the network; None if nothing."""
    found = tuple(one for one in statement.conditions if one.key in _NETWORK and one.operator != "Null")
    return (statement.is_deny, found) if found else None


def _passes(limits: list[tuple[bool, tuple[Condition, ...]]], keys: Keys) -> bool:
    """Whether no Deny that asks for a network applies, and every Allow does."""
    context = Context({key.lower(): (str(value),) for key, value in keys.items()})
    return all(all(one.holds(context) for one in conditions) != is_deny for is_deny, conditions in limits)


def _stranger(ranges: list[ipaddress.IPv4Network | ipaddress.IPv6Network], nobodys: tuple[str, ...]) -> str:
    """Return the first address in no range; if every one is in some, the first, as everybody is let in."""
    return next(
        (one for one in nobodys if not any(ipaddress.ip_address(one) in network for network in ranges)),
        nobodys[0],
    )


def _outside(inside: Keys, strangers: list[str], public: str) -> Iterator[Keys]:
    """Go through the ways of being outside: other addresses, another entrance, none."""
    for stranger in strangers:
        yield {key: stranger if key in _ADDRESSES.values() else value for key, value in inside.items()}
    doors = [key for key in inside if key in _ENTRANCES.values()]
    for door in doors:
        yield {key: "vpce-0ffffffffffffffff" if key == door else value for key, value in inside.items()}
    if doors:
        yield {"aws:SourceIp": public}


@dataclass(frozen=True)
class Calls:
    """Makes the keys of calls to one stack."""

    api: Network
    bucket: Network
    account: str
    region: str

    def keys(self, way: Way, situation: Situation, factors: tuple[Keys, ...]) -> tuple[Keys, ...]:
        """Return the keys of a call in every form that the situation may have; none if it cannot be.

        ``factors`` are the forms of :func:`factors_of`. What S3 and KMS say to each other needs no network and is
        always by TLS; API Gateway and other services answer nothing but HTTPS.

        Source: API Gateway Developer Guide, "Data protection in Amazon API Gateway" ("Encryption in transit").
        """
        if way in (Way.API, Way.ENCRYPTED) and not situation.tls:
            return ()
        network = self.api if way is Way.API else self.bucket
        places = (network.inside,) if situation.inside else network.outside
        if way is Way.KMS_BY_S3:
            places = ({},) * len(places)  # as many forms as the call of S3 that it belongs to
        plain: Keys = {}
        if way is Way.S3:
            plain = (
                S3_CALL if situation.tls else {"aws:SecureTransport": "false", "s3:authType": "REST-HEADER"}
            )
        elif way in (Way.ENCRYPTED, Way.OTHER):
            plain = {"aws:SecureTransport": "true" if situation.tls else "false"}
        return tuple({**plain, **place, **factor} for place, factor in product(places, factors))


def factors_of(situation: Situation, *, can_have: bool) -> tuple[Keys, ...]:
    """Return the key of MFA in every form that it may have for a principal that can have it, or cannot."""
    if not can_have:
        return (FEDERATED,)
    return (MFA,) if situation.mfa else (NO_MFA, FEDERATED)
