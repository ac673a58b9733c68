"""The models beyond single refusals: what follows from a file, and the JSON Schema made of it."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from gatehouse import fields
from gatehouse.environment_file import load_environment
from gatehouse.errors import InputError
from gatehouse.settings import (
    MAX_ZONES,
    CreateNetwork,
    Egress,
    Server,
    Settings,
    json_schema,
    json_schema_text,
)

if TYPE_CHECKING:
    from .conftest import Edit

DEV = Path("environments/dev.yaml")


def _create(cidr: str, zones: int, egress: str = "nat") -> CreateNetwork:
    letters = ["a", "b", "c", "d"][:zones]
    return CreateNetwork.model_validate({"cidr": cidr, "availability_zones": letters, "egress": egress})


class TestSubnets:
    """How a VPC is divided."""

    @pytest.mark.parametrize("cidr", ["10.20.0.0/16", "10.20.0.0/20", "192.168.4.0/22"])
    def test_no_two_subnets_overlap_and_all_lie_in_the_vpc(self, cidr: str) -> None:
        network = _create(cidr, MAX_ZONES)
        cidrs = (*network.private_cidrs, *network.isolated_cidrs, *network.public_cidrs)
        subnets = [ipaddress.IPv4Network(one) for one in cidrs]
        assert len(subnets) == 3 * MAX_ZONES
        assert all(subnet.subnet_of(network.network) for subnet in subnets)
        assert sum(one.overlaps(other) for one in subnets for other in subnets) == len(subnets)

    def test_another_zone_moves_no_subnet(self) -> None:
        two, four = _create("10.20.0.0/20", 2), _create("10.20.0.0/20", 4)
        assert four.private_cidrs[:2] == two.private_cidrs
        assert four.isolated_cidrs[:2] == two.isolated_cidrs
        assert four.public_cidrs[:2] == two.public_cidrs

    def test_the_narrowest_vpc_has_subnets_that_aws_takes(self) -> None:
        network = _create(f"10.20.0.0/{fields.NARROWEST_VPC}", MAX_ZONES)
        assert all(ipaddress.IPv4Network(cidr).prefixlen <= 28 for cidr in network.isolated_cidrs)

    def test_without_nat_there_is_no_public_subnet(self) -> None:
        assert _create("10.20.0.0/20", 2, "none").public_cidrs == ()


@pytest.mark.parametrize(
    ("instance_type", "architecture"),
    [
        ("t4g.medium", "arm64"),
        ("m7g.large", "arm64"),
        ("c7gn.xlarge", "arm64"),
        ("a1.large", "arm64"),
        ("x2gd.large", "arm64"),
        ("t3.medium", "x86_64"),
        ("m7i.large", "x86_64"),
        ("g5.xlarge", "x86_64"),
        ("c7a.large", "x86_64"),
        ("c7i.metal-24xl", "x86_64"),
        ("u7i-12tb.224xlarge", "x86_64"),
        ("m8g.metal-48xl", "arm64"),
    ],
)
def test_the_instance_type_decides_the_architecture(instance_type: str, architecture: str) -> None:
    server = Server.model_validate(
        {
            "mlflow_version": fields.MLFLOW_VERSIONS[-1],
            "instance_type": instance_type,
            "min_size": 1,
            "desired_capacity": 1,
            "max_size": 1,
            "package_source": "pypi",
        }
    )
    assert server.architecture == architecture


def test_endpoints_are_always_made_without_egress(project: Path) -> None:
    assert load_environment(Path("environments/prod.yaml")).network.interface_endpoints
    assert not load_environment(DEV).network.interface_endpoints


def test_a_private_api_cannot_be_reached_from_the_vpcs_own_range(edit: Edit) -> None:
    edit("10.40.0.0/18", "10.16.0.0/18", name="prod")
    with pytest.raises(
        InputError, match=r"api\.client_cidrs\[0\]: \"10\.0\.0\.0/11\" overlaps the VPC's own"
    ):
        load_environment(Path("environments/prod.yaml"))


def test_an_existing_vpc_is_taken(edit: Edit) -> None:
    lines = DEV.read_text().splitlines()
    start = lines.index("  create:")
    existing = {
        "vpc_id": "vpc-0123456789abcdef0",
        "server_subnet_ids": ["subnet-01234567", "subnet-11234567"],
        "database_subnet_ids": ["subnet-21234567", "subnet-31234567"],
        "egress": "nat",
    }
    edit("\n".join(lines[start : start + 4]), f"  existing: {json.dumps(existing)}")
    settings = load_environment(DEV)
    assert settings.network.create is None
    assert settings.network.egress is Egress.NAT


class TestJsonSchema:
    """The schema that editors read, with another implementation of JSON Schema."""

    def test_the_committed_schema_is_current(self, repository: Path) -> None:
        committed = (repository / "environments" / "schema.json").read_text()
        assert committed == json_schema_text(), "run: gatehouse schema --output environments/schema.json"

    @pytest.mark.parametrize("name", ["dev", "prod"])
    def test_the_shipped_environments_match(self, repository: Path, name: str) -> None:
        _validator().validate(_read(repository / "environments" / f"{name}.yaml"))

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            (("region",), "mars-1"),
            (("reigon",), "eu-west-1"),
            (("server", "mlflow_version"), "1.0"),
            (("database", "engine_version"), "9.6"),
            (("database", "engine_version"), 16),
            (("logs", "retention_days"), 31),
            (("teams",), ["Fraud"]),
            (("teams",), ["default"]),
            (("teams",), []),
            (("tags",), {"owner": "${x}"}),
            (("tags",), {"aws:owner": "x"}),
            (("tags",), {"Gatehouse:owner": "x"}),
            (("api", "client_cidrs"), [f"10.{n}.0.0/16" for n in range(51)]),
            (("network",), {}),
            (("network", "create", "cidr"), "10.20.0.0"),
            (("network", "create", "availability_zones"), 2),
            (("network", "create", "availability_zones"), ["a"]),
            (("network", "create", "availability_zones"), ["a", "eu-west-1b"]),
            (("network", "create", "egress"), "vpn"),
            (("state",), {"backend": "cloud"}),
            (("state",), {"backend": "gcs"}),
            (("account_id",), "123"),
            (("access", "mode"), "tags"),
            (("access", "bindings", 0, "teams"), "some"),
            (("access", "bindings", 0, "teams"), []),
            (("access", "bindings", 0, "trust"), {}),
            (("access", "bindings", 0, "trust"), {"account_principals": {"arns": ["*"]}}),
            (("access", "bindings", 0, "trust", "iam_group", "users"), ["a/b"]),
            (("access", "personas"), {"reader": {"session_hours": 13}}),
            (("access", "personas"), {"Reader": {}}),
            (("api", "client_cidrs"), ["everywhere"]),
        ],
    )
    def test_an_editor_marks_what_is_refused(
        self, repository: Path, path: tuple[Any, ...], value: object
    ) -> None:
        data: Any = _read(repository / "environments" / "dev.yaml")
        place = data
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value
        assert not _validator().is_valid(data)

    def test_every_field_has_a_description_of_one_line(self) -> None:
        described = list(_properties(json_schema()))
        assert len(described) > 60
        for name, description in described:
            assert description.endswith("."), f"{name} has no description"
            assert "\n" not in description, f"the description of {name} has more than one line"

    def test_an_editor_offers_the_known_values(self) -> None:
        schema = json_schema()
        assert schema["properties"]["region"]["enum"] == list(fields.REGIONS)
        server, logs = schema["$defs"]["Server"]["properties"], schema["$defs"]["Logs"]["properties"]
        assert server["mlflow_version"]["enum"] == list(fields.MLFLOW_VERSIONS)
        assert logs["retention_days"]["enum"] == list(fields.LOG_RETENTION_DAYS)


def _validator() -> jsonschema.Draft202012Validator:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def _read(path: Path) -> dict[str, Any]:
    return dict(YAML(typ="safe", pure=True).load(path))


def _properties(schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each property's name and description; where it says the same as its model, pydantic keeps only that."""
    for model in (schema, *schema["$defs"].values()):
        for name, field in model.get("properties", {}).items():
            kind = schema["$defs"].get(field.get("$ref", "").rpartition("/")[2], {})
            yield f"{model['title']}.{name}", field.get("description", kind.get("description", ""))


def test_every_region_has_its_certificates_and_every_version_its_lock() -> None:
    assert "eu-west-1" in fields.REGIONS
    assert "3.17.2" in fields.MLFLOW_VERSIONS


def test_the_names_of_an_environment_start_alike(project: Path) -> None:
    settings: Settings = load_environment(DEV)
    assert settings.prefix == "mlflow-dev"
    assert settings.database.parameter_group_family == "postgres16"
