"""The way in: REST API, VPC links, load balancers and what they forward to.

What these open is decided by what they are joined to, and only then by security groups.

Source: Amazon API Gateway Developer Guide, "Private REST APIs in API Gateway" and "Set up API Gateway private
integrations"; Elastic Load Balancing User Guide, "Update the security groups for your Network Load Balancer".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from gatehouse.document import Document, Resource
from gatehouse.reachability.graph import Kind, Node, Reason, Way
from gatehouse.reachability.groups import INGRESS, Groups, Party
from gatehouse.reachability.hosts import Host, Hosts
from gatehouse.reachability.ranges import EVERYWHERE, HTTPS
from gatehouse.reachability.reading import blocks, reason, text, texts

Found = Iterator[tuple[Node, Node, Way]]
_TYPES = ("EDGE", "REGIONAL", "PRIVATE")
_EXECUTE_API = ".execute-api"


class Front:
    """The edges of API, VPC links and load balancers."""

    def __init__(self, document: Document, groups: Groups, hosts: Hosts, internet: Node) -> None:
        """Keep what the edges are between."""
        self._document, self._groups, self._hosts, self._internet = document, groups, hosts, internet
        self._apis = {
            one.text("id"): Node(Kind.API, one.address, f"API {text(one, 'name') or one.name}")
            for one in document.of_type("aws_api_gateway_rest_api")
        }
        self._links = {
            one.text("id"): Node(Kind.VPC_LINK, one.address, f"VPC link {text(one, 'name') or one.name}")
            for one in document.of_type("aws_api_gateway_vpc_link")
        }

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The APIs and the VPC links."""
        return (*self._apis.values(), *self._links.values())

    def edges(self) -> Found:
        """Find all edges.

        Raises:
            InputError: something cannot be resolved, or is not modelled.

        """
        for one in self._document.of_type("aws_api_gateway_rest_api"):
            yield from self._entry(one)
        for one in self._document.of_type("aws_api_gateway_integration"):
            yield from self._integration(one)
        for one in self._document.of_type("aws_api_gateway_vpc_link"):
            yield from self._linked(one)

    def _entry(self, api: Resource) -> Found:
        """Find who gets to an API: everybody, who is then asked to sign; or endpoints, to a private one."""
        node, why = self._apis[api.text("id")], reason(self._document, api, "endpoint_configuration")
        configured = blocks(api, "endpoint_configuration")
        kinds = [kind for one in configured for kind in texts(api, "types", one)] or ["EDGE"]
        for kind in kinds:
            if kind not in _TYPES:
                raise api.refused("endpoint_configuration", f"{kind} is no type", f"one of {_TYPES}")
        if kinds != ["PRIVATE"]:
            yield self._internet, node, Way(HTTPS, (why,))
            for written, policy in self._named_ranges(api):
                clients = Node(Kind.NETWORK, written, f"clients {written}")
                yield clients, node, Way(HTTPS, (policy, why))
            return
        for host in self._hosts.endpoints:
            if host.resource.text("service_name").endswith(_EXECUTE_API):
                yield host.node, node, Way(HTTPS, (why, reason(self._document, host.resource)))
        known = {host.resource.text("id") for host in self._hosts.endpoints}
        for endpoint_id in (one for block in configured for one in texts(api, "vpc_endpoint_ids", block)):
            if endpoint_id not in known:
                elsewhere = Node(Kind.OUTSIDE, endpoint_id, f"whoever calls through {endpoint_id}")
                yield elsewhere, node, Way(HTTPS, (why,))

    def _named_ranges(self, api: Resource) -> Iterator[tuple[str, Reason]]:
        """Return the ranges of clients that the API's resource policy names."""
        own = [(api, "policy")] if api.attributes.get("policy") else []
        apart = self._document.of_type("aws_api_gateway_rest_api_policy")
        own += [(one, "policy") for one in apart if one.text("rest_api_id") == api.text("id")]
        for resource, name in own:
            try:
                policy = json.loads(resource.text(name))
            except ValueError:
                raise resource.refused(name, "is no JSON", "write a policy document") from None
            for written in dict.fromkeys(_source_ranges(policy)):
                yield written, reason(self._document, resource, name)

    def _integration(self, one: Resource) -> Found:
        api_id, kind = one.text("rest_api_id"), (text(one, "type") or "").upper()
        if api_id not in self._apis:
            raise one.refused("rest_api_id", f"there is no API {api_id}", "refer to one of the document")
        way = Way(HTTPS, (reason(self._document, one),))
        if kind == "MOCK":
            return
        if kind in ("AWS", "AWS_PROXY"):
            name = one.text("uri").split(":")[4] if one.text("uri").count(":") > 4 else one.text("uri")  # noqa: PLR2004
            yield self._apis[api_id], Node(Kind.SERVICE, one.text("uri"), f"AWS service {name}"), way
        elif text(one, "connection_type") == "VPC_LINK":
            link_id = one.text("connection_id")
            if link_id not in self._links:
                raise one.refused("connection_id", f"there is no VPC link {link_id}", "refer to one")
            yield self._apis[api_id], self._links[link_id], way
        else:
            yield self._apis[api_id], self._internet, way

    def _linked(self, link: Resource) -> Found:
        """Find what a VPC link reaches: the listeners of its load balancers.

        PrivateLink's traffic is held against the group of a load balancer only if that is asked for, and then by the
        address of the caller, which nobody here knows.
        """
        why = reason(self._document, link, "target_arns")
        for arn in texts(link, "target_arns"):
            if arn not in self._hosts.balancers:
                raise link.refused("target_arns", f"there is no load balancer {arn}", "refer to one")
            host = self._hosts.balancers[arn]
            name = "enforce_security_group_inbound_rules_on_private_link_traffic"
            switched_off = text(host.resource, name) == "off"
            listening = reason(self._document, host.resource, name if switched_off else "")
            groups = None if switched_off else host.groups
            for box in self._groups.let(groups, INGRESS, Party(EVERYWHERE)):
                ports = box.ports & host.listens
                if ports:
                    yield self._links[link.text("id")], host.node, Way(ports, (why, listening, *box.reasons))

    def forwards(self) -> Iterator[tuple[Host, Host, Resource, tuple[Reason, ...]]]:
        """Return load balancers with the servers to which they forward, the target group, and what joins them."""
        groups = {one.text("arn"): one for one in self._document.of_type("aws_lb_target_group")}
        registered = list(self._hosts.registered())
        for host in self._hosts.balancers.values():
            for listener in self._hosts.listeners(host.resource):
                for arn in _forwarded_to(listener):
                    if arn not in groups:
                        raise listener.refused(
                            "default_action", f"there is no target group {arn}", "refer to one"
                        )
                    joined = reason(self._document, listener), reason(self._document, groups[arn])
                    for server, server_arn, why in registered:
                        if server_arn == arn:
                            yield host, server, groups[arn], (*joined, why)


def _forwarded_to(listener: Resource) -> Iterator[str]:
    for action in blocks(listener, "default_action"):
        if action.get("target_group_arn"):
            yield str(action["target_group_arn"])
        forward = action.get("forward") or []
        for one in forward if isinstance(forward, list) else [forward]:
            groups = one.get("target_group") or []
            for group in groups if isinstance(groups, list) else [groups]:
                yield str(group.get("arn"))


def _source_ranges(policy: Mapping[str, Any]) -> Iterator[str]:
    statements = policy.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        for tested in statement.get("Condition", {}).values():
            for key, value in tested.items():
                if key.lower() == "aws:sourceip":
                    yield from value if isinstance(value, list) else [value]
