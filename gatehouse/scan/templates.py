"""What stands between ``${`` and ``}`` in the text of a policy: Terraform's references and AWS's variables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

_START = re.compile(r"(\$+)\{")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
#: A reference in an expression: ``aws_kms_key.storage``, ``data.aws_caller_identity.account``, ``var.name``.
_ROOT = re.compile(r"(?<![\w.])(data\.[a-z][a-z0-9_]*\.[\w-]+|[a-z][a-z0-9_]*\.[\w-]+)")
_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_DEFAULT = re.compile(r"\s*,\s*'.*'", re.DOTALL)
#: Stand for the characters themselves.
CHARACTERS = frozenset("*?$")
_RESOURCE = re.compile(r"(?:data\.)?(\w+)\.[\w-]+\.(.+)")
_INDEX = re.compile(r"\[[^\]]*\]")
_PLACE = "eu-west-1:111122223333"
#: What references to ARNs stand for, by type and attribute; of the others nothing but the form of an ARN is known.
_ARNS: Mapping[str, str] = MappingProxyType(
    {
        "aws_api_gateway_rest_api.execution_arn": f"arn:aws:execute-api:{_PLACE}:a1b2c3d4e5",
        "aws_cloudwatch_log_group.arn": f"arn:aws:logs:{_PLACE}:log-group:reference",
        "aws_db_instance.arn": f"arn:aws:rds:{_PLACE}:db:reference",
        "aws_db_instance.master_user_secret.secret_arn": f"arn:aws:secretsmanager:{_PLACE}:secret:rds!db-reference",
        "aws_iam_policy.arn": "arn:aws:iam::111122223333:policy/reference",
        "aws_iam_role.arn": "arn:aws:iam::111122223333:role/reference",
        "aws_iam_user.arn": "arn:aws:iam::111122223333:user/reference",
        "aws_instance.arn": f"arn:aws:ec2:{_PLACE}:instance/i-0a1b2c3d4e5f60718",
        "aws_kms_key.arn": f"arn:aws:kms:{_PLACE}:key/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
        "aws_s3_bucket.arn": "arn:aws:s3:::reference",
        "aws_secretsmanager_secret.arn": f"arn:aws:secretsmanager:{_PLACE}:secret:reference-a1b2c3",
        "aws_sns_topic.arn": f"arn:aws:sns:{_PLACE}:reference",
        "aws_sqs_queue.arn": f"arn:aws:sqs:{_PLACE}:reference",
        "aws_ssm_parameter.arn": f"arn:aws:ssm:{_PLACE}:parameter/reference",
    }
)


@dataclass(frozen=True)
class Template:
    """One ``${...}``: what is inside, whether it was escaped for Terraform, and whether it is closed."""

    inside: str
    escaped: bool
    closed: bool

    @property
    def roots(self) -> list[str]:
        """What a Terraform expression refers to."""
        return _ROOT.findall(_STRING.sub('""', self.inside))

    @property
    def key(self) -> str:
        """The condition key of a policy variable, without its default value."""
        return _DEFAULT.sub("", self.inside)


def templates(raw: str) -> Iterator[Template]:
    """Go through the ``${...}`` of a text in Terraform's syntax."""
    for start in _START.finditer(raw):
        end = raw.find("}", start.end())
        again = raw.find("${", start.end())
        closed = end >= 0 and (again < 0 or end < again)
        inside = raw[start.end() : end] if closed else raw[start.end() :]
        yield Template(inside, escaped=len(start[1]) > 1, closed=closed)


def variables(text: str) -> list[str]:
    """Return the policy variables of an unescaped text that can have no value, by condition key in lower case."""
    found = [Template(inside, escaped=True, closed=True) for inside in _VARIABLE.findall(text)]
    return [one.key.lower() for one in found if ":" in one.inside and one.key == one.inside]


def without_templates(text: str) -> str:
    """Return a text without its ``${...}``, for what looks at the rest."""
    return _VARIABLE.sub("", text)


def has_reference(text: str) -> bool:
    """Return whether Terraform fills in a part of an unescaped text."""
    return any(":" not in inside and inside not in CHARACTERS for inside in _VARIABLE.findall(text))


def stand_ins(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a JSON value with references replaced by something of the form that they will have."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _stand_in(found[1]) or found[0], value)
    if isinstance(value, Mapping):
        return {stand_ins(key): stand_ins(item) for key, item in value.items()}
    if isinstance(value, list):
        return [stand_ins(item) for item in value]
    return value


def _stand_in(inside: str) -> str:
    if ":" in inside or inside in CHARACTERS:
        return ""
    resource = _RESOURCE.fullmatch(inside)
    if resource and (known := _ARNS.get(f"{resource[1]}.{_INDEX.sub('', resource[2])}")):
        return known
    if inside.endswith("arn"):
        return f"arn:aws:service:{_PLACE}:resource"
    return "111122223333" if inside.endswith("account_id") else "reference"
