"""What a synthesized document holds, in numbers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Areas in the order of the design: the construct directly below the stack, or else the Terraform type.
AREAS: Mapping[str, tuple[str, ...]] = {
    "network": (
        "aws_vpc", "aws_subnet", "aws_route", "aws_internet_gateway", "aws_nat_gateway", "aws_eip",
        "aws_network_acl", "aws_default_", "aws_security_group", "aws_flow_log",
    ),
    "storage": ("aws_s3_", "aws_kms_"),
    "database": ("aws_db_", "aws_rds_", "aws_secretsmanager_"),
    "server": ("aws_launch_template", "aws_autoscaling_", "aws_ssm_"),
    "api": ("aws_api_gateway_", "aws_lb", "aws_wafv2_"),
    "identity": ("aws_iam_",),
    "observability": ("aws_cloudwatch_", "aws_sns_"),
}  # fmt: skip
OTHER = "other"
#: Constructs below the stack that belong to an area of another name.
_PART_OF: Mapping[str, str] = {
    "endpoints": "network",
    "firewall": "network",
    "load-balancer": "api",
    "log-key": "observability",
    "operations": "server",
}


@dataclass(frozen=True)
class Summary:
    """Counts of one document; ``resources`` has every area of :data:`AREAS` and ``other``."""

    environment: str
    path: Path
    size: int
    resources: Mapping[str, int]
    data_sources: int
    variables: int
    outputs: int

    @property
    def total(self) -> int:
        """Number of resources in all areas."""
        return sum(self.resources.values())


def summarize(environment: str, path: Path) -> Summary:
    """Return the counts of the document at ``path``, which synthesis has found to be JSON."""
    content = path.read_bytes()
    document = json.loads(content)
    resources = [
        _area(kind, body) for kind, named in document.get("resource", {}).items() for body in named.values()
    ]
    counted = Counter(resources)
    return Summary(
        environment=environment,
        path=path,
        size=len(content),
        resources={area: counted[area] for area in (*AREAS, OTHER)},
        data_sources=sum(len(named) for named in document.get("data", {}).values()),
        variables=len(document.get("variable", {})),
        outputs=len(document.get("output", {})),
    )


def _area(kind: str, body: Any) -> str:  # noqa: ANN401 - JSON
    # CDKTF keeps the construct path beside each resource: STACK/AREA/...
    metadata = body.get("//", {}).get("metadata", {}) if isinstance(body, Mapping) else {}
    parts = str(metadata.get("path", "")).split("/")
    construct = _PART_OF.get(parts[1], parts[1]) if len(parts) > 1 else ""
    if construct in AREAS:
        return construct
    return next((area for area, prefixes in AREAS.items() if kind.startswith(prefixes)), OTHER)
