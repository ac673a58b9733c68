"""The servers and what stands before them: launch template, scaling group, load balancer, session document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from gatehouse.scan.house_checks.house_reading import (
        Attributes,
        HouseCheck,
        all_refer_to,
        blocks,
        is_given,
        is_off,
        is_on,
        number,
        refers_to,
        value,
        values,
    )
else:  # Checkov has the folder on the path, not the package.
    from house_reading import (
        HouseCheck,
        all_refer_to,
        blocks,
        is_given,
        is_off,
        is_on,
        number,
        refers_to,
        value,
        values,
    )

#: Public parameters of AWS that name its own newest images.
AMAZON_IMAGES = "resolve:ssm:/aws/service/ami-amazon-linux-latest/"
PRIVATE_LINK = "enforce_security_group_inbound_rules_on_private_link_traffic"
#: TLS 1.3, and 1.2 with forward secrecy only; the second keeps to FIPS.
TLS_POLICIES = ("ELBSecurityPolicy-TLS13-1-2-Res-2021-06", "ELBSecurityPolicy-TLS13-1-2-Res-FIPS-2023-04")


def guarded_metadata(template: Attributes) -> Iterator[str]:
    """The role's credentials are had with a session token, from the instance itself, and no further."""
    expected = {"http_tokens": "required", "http_endpoint": "enabled"}
    for name, wanted in expected.items():
        if value(template, "metadata_options", name) != wanted:
            yield f"metadata_options/{name}"
    if number(value(template, "metadata_options", "http_put_response_hop_limit")) != 1:
        yield "metadata_options/http_put_response_hop_limit"


def no_public_interface(template: Attributes) -> Iterator[str]:
    """Each network interface is without a public address and in the stack's own groups."""
    interfaces = blocks(template, "network_interfaces")
    if not interfaces:
        yield "network_interfaces"
    for interface in interfaces:
        address = value(interface, "associate_public_ip_address")
        if address is None or not is_off(address):
            yield "network_interfaces/associate_public_ip_address"
        if not all_refer_to(values(interface, "security_groups"), "id", "aws_security_group"):
            yield "network_interfaces/security_groups"


def encrypted_volumes(template: Attributes) -> Iterator[str]:
    """The root volume is named, and so encrypted whatever the account's default is; so is every other."""
    devices = blocks(template, "block_device_mappings")
    if not devices:
        yield "block_device_mappings"
    for device in devices:
        if not is_on(value(device, "ebs", "encrypted")):
            yield "block_device_mappings/ebs/encrypted"


def no_key_pair(template: Attributes) -> Iterator[str]:
    """Nobody signs in with SSH: operators have Session Manager and four commands."""
    if is_given(template, "key_name"):
        yield "key_name"


def own_profile(template: Attributes) -> Iterator[str]:
    """A server has the role of the stack."""
    arn = value(template, "iam_instance_profile", "arn")
    name = value(template, "iam_instance_profile", "name")
    kind = "aws_iam_instance_profile"
    if not (refers_to(arn, "arn", kind) or refers_to(name, "name", kind)):
        yield "iam_instance_profile"


def image_of_amazon(template: Attributes) -> Iterator[str]:
    """The image is the newest Amazon Linux, as AWS itself publishes it."""
    if not str(value(template, "image_id")).startswith(AMAZON_IMAGES):
        yield "image_id"


def watched_by_the_minute(template: Attributes) -> Iterator[str]:
    """Scaling and alarms see a minute, not five."""
    if not is_on(value(template, "monitoring", "enabled")):
        yield "monitoring/enabled"


def own_template(group: Attributes) -> Iterator[str]:
    """What is started is the launch template of the stack, and dead servers are replaced."""
    if not refers_to(value(group, "launch_template", "id"), "id", "aws_launch_template"):
        yield "launch_template"
    for name in ("launch_configuration", "mixed_instances_policy"):
        if is_given(group, name):
            yield name
    if value(group, "health_check_type") != "ELB":
        yield "health_check_type"


def internal_balancer(balancer: Attributes) -> Iterator[str]:
    """The load balancer is an internal one of the fourth layer, in the stack's own group."""
    if not is_on(value(balancer, "internal")):
        yield "internal"
    if value(balancer, "load_balancer_type") != "network":
        yield "load_balancer_type"
    if not all_refer_to(values(balancer, "security_groups"), "id", "aws_security_group"):
        yield "security_groups"
    # Its group has no ingress rule: what PrivateLink brings is not held against it, and nothing else gets in.
    if value(balancer, PRIVATE_LINK) != "off":
        yield PRIVATE_LINK


def listener_with_tls(listener: Attributes) -> Iterator[str]:
    """TLS ends here with a strict policy, or is passed through to the server."""
    protocol = value(listener, "protocol")
    if protocol not in ("TCP", "TLS"):
        yield "protocol"
    if protocol == "TLS":
        if value(listener, "ssl_policy") not in TLS_POLICIES:
            yield "ssl_policy"
        if not is_given(listener, "certificate_arn"):
            yield "certificate_arn"
    if number(value(listener, "port")) != 443:  # noqa: PLR2004 - HTTPS
        yield "port"


def targets_with_tls(targets: Attributes) -> Iterator[str]:
    """Servers are asked for their health over TLS, and see the load balancer, which their group admits."""
    if value(targets, "protocol") not in ("TCP", "TLS"):
        yield "protocol"
    if value(targets, "health_check", "protocol") != "HTTPS":
        yield "health_check/protocol"
    if value(targets, "target_type") != "instance":
        yield "target_type"
    address = value(targets, "preserve_client_ip")
    if address is None or not is_off(address):
        yield "preserve_client_ip"


def fixed_commands(document: Attributes) -> Iterator[str]:
    """An operator chooses among commands: there is no shell, and each parameter has a pattern of whole words."""
    if value(document, "document_type") != "Session":
        yield "document_type"
        return
    content = _json(value(document, "content"))
    if content.get("sessionType") != "NonInteractiveCommands":
        yield "content/sessionType"
    parameters = content.get("parameters", {})
    for name, parameter in parameters.items():
        pattern = str(parameter.get("allowedPattern", ""))
        bounded = pattern.startswith("^(") and pattern.endswith(")$") and not set(pattern) & set(".*+?[{\\")
        if not bounded and not parameter.get("allowedValues"):
            yield f"content/parameters/{name}"
    if not content.get("properties", {}).get("linux", {}).get("commands"):
        yield "content/properties/linux/commands"


def _json(text: object) -> dict[str, Any]:
    """Return the object that a text is; an empty one if it is none."""
    try:
        read = json.loads(text) if isinstance(text, str) else None
    except json.JSONDecodeError:
        return {}
    return read if isinstance(read, dict) else {}


TEMPLATE = ["aws_launch_template"]

HouseCheck("GH240", "Credentials of a server can be had from elsewhere", TEMPLATE, guarded_metadata)
HouseCheck("GH241", "A server has an open network interface", TEMPLATE, no_public_interface)
HouseCheck("GH242", "A volume of a server is not encrypted for certain", TEMPLATE, encrypted_volumes)
HouseCheck("GH243", "A server has a key pair", TEMPLATE, no_key_pair)
HouseCheck("GH244", "A server does not have the role of the stack", TEMPLATE, own_profile)
HouseCheck("GH245", "A server's image is not Amazon's own", TEMPLATE, image_of_amazon)
HouseCheck("GH246", "A server is watched too seldom", TEMPLATE, watched_by_the_minute)
HouseCheck(
    "GH247", "A scaling group starts something else than judged", ["aws_autoscaling_group"], own_template
)
HouseCheck("GH248", "The load balancer is not an internal one of the stack", ["aws_lb"], internal_balancer)
HouseCheck("GH249", "A listener is without TLS, or with a weak one", ["aws_lb_listener"], listener_with_tls)
HouseCheck("GH250", "Servers are reached without TLS", ["aws_lb_target_group"], targets_with_tls)
HouseCheck("GH251", "Operators can run more than fixed commands", ["aws_ssm_document"], fixed_commands)
