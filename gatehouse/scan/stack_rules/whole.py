"""The document as a whole: nothing in it that the gate does not know, and nothing missing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gatehouse.scan.documents import texts
from gatehouse.scan.stack_rules.known import ALARMS, BELOW, DATA, NEEDED, RESOURCES, UNHEARD
from gatehouse.scan.stack_rules.stack import COMMENT, Flaw, Stack, blocks, is_on, items, references

PARTS = frozenset({COMMENT, "terraform", "provider", "variable", "locals", "data", "resource", "output"})
#: Meta-arguments with which a resource is another one, or several, or a program.
META = ("connection", "count", "dynamic", "for_each", "provider", "provisioner")
#: What Terraform may stop looking at, because AWS or a scaling policy changes it.
IGNORED = frozenset(
    {
        ("aws_autoscaling_group", "desired_capacity"),
        ("aws_db_instance", "kms_key_id"),
        ("aws_db_instance", "snapshot_identifier"),
        ("aws_subnet", "availability_zone"),
    }
)
TERRAFORM = frozenset({COMMENT, "backend", "cloud", "required_providers", "required_version"})
PROVIDER = frozenset({COMMENT, "region", "default_tags", "allowed_account_ids"})
_STAGE = "aws_api_gateway_stage"
STACK_TAG = "gatehouse:stack"
#: What a backend may say; an endpoint, a proxy or a profile would take the state, with its secrets, elsewhere.
S3_BACKEND = frozenset(
    {COMMENT, "assume_role", "bucket", "encrypt", "key", "kms_key_id", "region", "use_lockfile"}
)
CLOUD_BACKEND = frozenset({COMMENT, "hostname", "organization", "workspaces"})
#: Attributes whose value is a secret.
SECRETS = frozenset(
    {
        "auth_token",
        "client_secret",
        "master_password",
        "password",
        "private_key",
        "secret_key",
        "secret_string",
    }
)
_SECRET = re.compile(
    r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\b(ghp_[A-Za-z0-9]{36}|github_pat_\w{22,}|xox[baprs]-[\w-]{10,})"
    r"|://[\w.-]+:[^\s:@/{}%$\"']+@"
)
_SECRET_ATTRIBUTE = re.compile(r"\.(" + "|".join(sorted(SECRETS | {"secret"})) + r")\b")
_VARIABLE = re.compile(r"\$\{var\.\w+\}")
_LITERAL = re.compile(r"(?!\$\{).+", re.DOTALL)


def known_types(stack: Stack) -> Iterator[Flaw]:
    """Every resource and data source is of a type that some rule was written for."""
    for resource in stack.of():
        if resource.type not in RESOURCES:
            yield Flaw(resource.address, f"is of the type {resource.type}")
    for kind, named in stack.document.get("data", {}).items():
        if kind not in DATA:
            yield from (Flaw(f"data.{kind}.{name}", f"is of the type {kind}") for name in named)


def known_parts(stack: Stack) -> Iterator[Flaw]:
    """No module, import, check or other part holds what nobody reads."""
    for part in sorted(stack.document.keys() - PARTS):
        yield Flaw(f"terraform.{part}", f"is a part of the document that is not read: {part}")


def plain_resources(stack: Stack) -> Iterator[Flaw]:
    """A resource is one resource, of the one provider, and runs no program."""
    for resource in stack.of():
        for name in META:
            if name in resource.body:
                yield Flaw(resource.address, f"has {name}", name)


def nothing_ignored(stack: Stack) -> Iterator[Flaw]:
    """Terraform mends what somebody changes by hand."""
    for resource in stack.of():
        for lifecycle in blocks(resource.body, "lifecycle"):
            for name in items(lifecycle.get("ignore_changes")):
                if (resource.type, name) not in IGNORED:
                    yield Flaw(resource.address, f"lets {name} drift", "lifecycle")


def nothing_missing(stack: Stack) -> Iterator[Flaw]:
    """Every part that the stack cannot do without is there."""
    there = {resource.type for resource in stack.of()}
    for kind in sorted(NEEDED - there):
        yield Flaw(f"{kind}.missing", f"is not in the document: there is no {kind}")


def alarms(stack: Stack) -> Iterator[Flaw]:
    """Every metric that shows an outage or an attack has an alarm, which fires in time."""
    watching = stack.of("aws_cloudwatch_metric_alarm")
    for metric in sorted(ALARMS.keys() - {str(one.body.get("metric_name")) for one in watching}):
        yield Flaw("aws_cloudwatch_metric_alarm.missing", f"does not watch {metric}", metric)
    for alarm in watching:
        for attribute in _late(alarm.body):
            yield Flaw(alarm.address, f"does not fire in time: {attribute}", attribute)


def _late(alarm: Mapping[str, Any]) -> Iterator[str]:
    """Go through the attributes that keep an alarm from firing."""
    known = ALARMS.get(str(alarm.get("metric_name")))
    if known is None:
        yield "metric_name"
        return
    namespace, comparison, limit = known
    if namespace is not None and alarm.get("namespace") != namespace:
        yield "namespace"
    if alarm.get("comparison_operator") != comparison:
        yield "comparison_operator"
    threshold = alarm.get("threshold")
    if isinstance(threshold, int | float):
        if threshold < limit if comparison == BELOW else threshold > limit:
            yield "threshold"
    elif not _VARIABLE.fullmatch(str(threshold)):
        yield "threshold"
    period, periods = alarm.get("period"), alarm.get("evaluation_periods")
    if not (isinstance(period, int) and isinstance(periods, int) and period * periods <= UNHEARD):
        yield "evaluation_periods"


def refusals_counted(stack: Stack) -> Iterator[Flaw]:
    """The alarm of refused calls counts every 403 of the access log, under the name that it watches."""
    watched = [
        (one.body.get("namespace"), one.body.get("metric_name"))
        for one in stack.of("aws_cloudwatch_metric_alarm")
    ]
    logs = {
        address for one in stack.of(_STAGE) for address in references(one.body.get("access_log_settings"))
    }
    for counted in stack.of("aws_cloudwatch_log_metric_filter"):
        if re.sub(r"\s", "", str(counted.body.get("pattern"))) != '{$.status="403"}':
            yield Flaw(counted.address, "does not count refused calls", "pattern")
        if not references(counted.body.get("log_group_name")) & logs:
            yield Flaw(counted.address, "does not read the access log", "log_group_name")
        for metric in blocks(counted.body, "metric_transformation"):
            if (metric.get("namespace"), metric.get("name")) not in watched or metric.get("value") != "1":
                yield Flaw(counted.address, "counts for no alarm", "metric_transformation")


def one_provider(stack: Stack) -> Iterator[Flaw]:
    """One provider of AWS, with the tags of the stack and without credentials or addresses of its own."""
    providers = stack.document.get("provider", {})
    for name in sorted(providers.keys() - {"aws", COMMENT}):
        yield Flaw(f"provider.{name}", "is not the provider of AWS")
    found = blocks(stack.document, "provider", "aws")
    if len(found) != 1:
        yield Flaw("provider.aws", f"is there {len(found)} times")
    for one in found:
        for name in sorted(one.keys() - PROVIDER):
            yield Flaw("provider.aws", f"has {name}", name)
        if not any(tags.get(STACK_TAG) for tags in blocks(one, "default_tags", "tags")):
            yield Flaw("provider.aws", f"does not tag resources with {STACK_TAG}", "default_tags")
    for name in sorted(stack.document.get("terraform", {}).keys() - TERRAFORM):
        yield Flaw(f"terraform.{name}", "is a setting of Terraform that is not read", name)
    required = stack.document.get("terraform", {}).get("required_providers", {})
    for name, each in required.items():
        if name != "aws" or not isinstance(each, Mapping) or each.get("source") != "hashicorp/aws":
            yield Flaw("terraform.required_providers", f"asks for another provider: {name}", name)


def encrypted_state(stack: Stack) -> Iterator[Flaw]:
    """The state is declared, encrypted where it is in S3, and its credentials are not in the document."""
    settings = stack.document.get("terraform", {})
    backends = dict(settings.get("backend", {}))
    if "cloud" in settings:
        backends["cloud"] = settings["cloud"]
    if len(backends) != 1 or not backends.keys() <= {"cloud", "local", "s3"}:
        yield Flaw("terraform.backend", "is not one of s3, cloud and local", "backend")
    for body in blocks(backends, "s3"):
        for name in ("encrypt", "use_lockfile"):
            if not is_on(body.get(name)):
                yield Flaw("terraform.backend", f"keeps the state without {name}", name)
    for kind, known in (("s3", S3_BACKEND), ("cloud", CLOUD_BACKEND)):
        for body in blocks(backends, kind):
            for name in sorted(body.keys() - known):
                yield Flaw("terraform.backend", f"has {name}", name)


def validated_variables(stack: Stack) -> Iterator[Flaw]:
    """What an operator may tune is validated: outside of these bounds nothing was judged."""
    for name, body in stack.document.get("variable", {}).items():
        if name == COMMENT:
            continue
        conditions = [str(one.get("condition")) for one in blocks(body, "validation")]
        if not any(re.search(rf"\bvar\.{re.escape(name)}\b", condition) for condition in conditions):
            yield Flaw(f"variable.{name}", "takes any value", "validation")
        if body.get("nullable") is not False:
            yield Flaw(f"variable.{name}", "may be null, which unsets what it is for", "nullable")


def no_secret(stack: Stack) -> Iterator[Flaw]:
    """No credential stands in the document."""
    for section in ("locals", "variable", "output", "provider", "terraform"):
        for name, body in stack.document.get(section, {}).items():
            if any(_SECRET.search(text) for text in texts(body)):
                yield Flaw(f"{section}.{name}", "holds a credential")
    for resource in stack.of():
        if any(_SECRET.search(text) for text in texts(resource.body)):
            yield Flaw(resource.address, "holds a credential")
        for attribute in _secret_attributes(resource.body):
            yield Flaw(resource.address, f"holds the secret {attribute}", attribute)


def no_secret_output(stack: Stack) -> Iterator[Flaw]:
    """An output is printed: it has the address of a secret, never the secret."""
    for name, body in stack.document.get("output", {}).items():
        if name == COMMENT:
            continue
        hidden = is_on(body.get("sensitive"))
        if not hidden and any(_SECRET_ATTRIBUTE.search(text) for text in texts(body.get("value"))):
            yield Flaw(f"output.{name}", "prints a secret", "value")


def _secret_attributes(body: Mapping[str, Any]) -> Iterator[str]:
    for name, value in body.items():
        if name in SECRETS and isinstance(value, str) and _LITERAL.fullmatch(value):
            yield name
        for block in blocks(body, name):
            yield from _secret_attributes(block)
