"""Reading environment files: what is taken, and how each kind of bad input is refused."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ruamel.yaml import YAML

from gatehouse.environment_file import free_cidr, load_environment, load_environments, parse_environment
from gatehouse.errors import InputError, Problem
from gatehouse.settings import Egress, Settings, Visibility

if TYPE_CHECKING:
    from .conftest import Edit

FOLDER = Path("environments")


@dataclasses.dataclass(frozen=True)
class Bad:
    """An edit of dev.yaml and the problem that must come of it; ``line`` is where ``new`` has ``at``."""

    old: str
    new: str
    field: str
    value: str
    problem: str
    fix: str


CREATE = """  create:
    cidr: 10.20.0.0/20
    availability_zones: [a, b] # eu-west-1a and eu-west-1b
    egress: nat # HTTPS to the internet through one NAT gateway: packages come from PyPI
"""
EXISTING = """  existing:
    vpc_id: vpc-0123456789abcdef0
    egress: nat
"""
CIDR = "network.create.cidr"


def _bad_key(key: str) -> Bad:
    shown = f'"{key}"' if len(key) < 70 else f'"{key[:70]}'
    new = f"backend: s3\n  bucket: acme-state\n  region: eu-west-1\n  key: {key}"
    return Bad("backend: local", new, "state.key", shown, "not an object key", "like mlflow/prod.tfstate")


def _bad_host(host: str) -> Bad:
    new = f'backend: cloud\n  organization: acme\n  workspace: dev\n  hostname: "{host}"'
    return Bad(
        "backend: local", new, "state.hostname", f'"{host}"', "not a host name", "like app.terraform.io"
    )


BAD = {
    "unknown field": Bad("region:", "reigon:", "reigon", '"eu-west-1"', "belongs to no field", '"region"'),
    "unknown field, nested": Bad(
        "burst:", "brust:", "api.throttle.brust", "100", "of api.throttle", '"burst"'
    ),
    "unknown field, like no other": Bad(
        "region:", "zzz: 1\nregion:", "zzz", "1", "belongs to no field", "remove it; the fields are project,"
    ),
    "missing field": Bad("region: eu-west-1\n", "", "region", "", "is missing", 'add "region": AWS region'),
    "missing section": Bad(
        "artifacts:\n  noncurrent_version_days: 30\n  access_log_days: 90\n",
        "",
        "artifacts",
        "",
        "is missing",
        'add "artifacts": The artifact bucket.',
    ),
    "CIDR too small": Bad(
        "10.20.0.0/20", "10.20.0.0/26", CIDR, '"10.20.0.0/26"', "is too small", "/16 to /22"
    ),
    "CIDR too large": Bad(
        "10.20.0.0/20", "10.0.0.0/8", CIDR, '"10.0.0.0/8"', "larger than AWS", "/16 to /22"
    ),
    "CIDR not private": Bad(
        "10.20.0.0/20", "100.64.0.0/20", CIDR, '"100.64.0.0/20"', "not a private network", "inside 10.0.0.0/8"
    ),
    "CIDR with host bits": Bad(
        "10.20.0.0/20", "10.20.1.0/20", CIDR, '"10.20.1.0/20"', "host bits", "10.20.0.0/20"
    ),
    "CIDR without prefix": Bad(
        "10.20.0.0/20", "10.20.0.0", CIDR, '"10.20.0.0"', "not an IPv4 network", "like 10."
    ),
    "CIDR with a netmask": Bad(
        "10.20.0.0/20",
        "10.20.0.0/255.255.240.0",
        CIDR,
        '"10.20.0.0/255.255.240.0"',
        "not an IPv4",
        "network/prefix",
    ),
    "CIDR out of numbers": Bad(
        "10.20.0.0/20", "10.300.0.0/20", CIDR, '"10.300.0.0/20"', "not an IPv4", "0 to 255"
    ),
    "CIDR with a leading zero": Bad(
        "10.20.0.0/20",
        "10.020.0.0/20",
        CIDR,
        '"10.020.0.0/20"',
        "leading zeros",
        "no leading zeros: 10.20.0.0/20",
    ),
    "CIDR with a leading zero in its prefix": Bad(
        "10.20.0.0/20", "10.00.0.0/020", CIDR, '"10.00.0.0/020"', "leading zeros", ": 10.0.0.0/20"
    ),
    "CIDR out of bits": Bad("10.20.0.0/20", "10.20.0.0/40", CIDR, '"10.20.0.0/40"', "prefix", "/0 to /32"),
    "overlapping clients": Bad(
        "[198.51.100.0/24]",
        "[10.0.0.0/16, 10.0.1.0/24]",
        "api.client_cidrs[1]",
        '"10.0.1.0/24"',
        "overlaps 10.0.0.0/16",
        "keep the wider",
    ),
    "a client given twice": Bad(
        "[198.51.100.0/24]",
        "[10.0.0.0/16, 10.0.0.0/16]",
        "api.client_cidrs[1]",
        '"10.0.0.0/16"',
        "given twice",
        "remove one",
    ),
    "more clients than a security group takes": Bad(
        "[198.51.100.0/24]",
        f"[{', '.join(f'10.{n}.0.0/16' for n in range(51))}]",
        "api.client_cidrs",
        '["10.0.0.0/16", ',
        "too many items (51)",
        "at most 50: IPv4 ranges",
    ),
    "more client groups than a security group takes": Bad(
        "visibility: regional",
        f"visibility: private\n  client_security_groups: [{', '.join(f'sg-{n:08}' for n in range(51))}]",
        "api.client_security_groups",
        '["sg-00000000", ',
        "too many items (51)",
        "at most 50: Security groups",
    ),
    "ranges and groups of clients in one security group": Bad(
        "visibility: regional\n  client_cidrs: [198.51.100.0/24]",
        f"visibility: private\n  client_cidrs: [{', '.join(f'172.16.{n}.0/24' for n in range(31))}]\n"
        f"  client_security_groups: [{', '.join(f'sg-{n:08}' for n in range(30))}]",
        "api.client_security_groups",
        '["sg-00000000", ',
        "61 rules together with client_cidrs",
        "within 60",
    ),
    "tags that IAM takes for one": Bad(
        "  owner: ml-platform",
        "  owner: a\n  Owner: b",
        "tags",
        "",
        "'owner' and 'Owner', which IAM takes for one",
        "keep one of the two",
    ),
    "tag that Gatehouse keeps": Bad(
        "owner: ml-platform",
        "GateHouse:owner: x",
        'tags["GateHouse:owner"]',
        '"GateHouse:owner"',
        "not a tag key",
        "not starting with",
    ),
    "state key that starts with a slash": _bad_key("/dev.tfstate"),
    "state key that ends with a slash": _bad_key("dev/"),
    "state key with two slashes": _bad_key("mlflow//dev.tfstate"),
    "state key too long": _bad_key("k" * 513),
    "host with a scheme": _bad_host("https://app.terraform.io"),
    "host of dots": _bad_host("a..b"),
    "host that is a hyphen": _bad_host("-"),
    "host that ends in a dot": _bad_host("app.terraform.io."),
    "host that is an address": _bad_host("10.0.0.1"),
    "host with a label too long": _bad_host("a" * 64 + ".example.com"),
    "the internet as client": Bad(
        "198.51.100.0/24",
        "0.0.0.0/0",
        "api.client_cidrs[0]",
        '"0.0.0.0/0"',
        "much of the internet",
        "/8 or smaller",
    ),
    "a public client of a private API": Bad(
        "visibility: regional",
        "visibility: private",
        "api.client_cidrs[0]",
        '"198.51.100.0/24"',
        "private",
        "list",
    ),
    "one zone": Bad(
        "zones: [a, b]", "zones: [a]", "network.create.availability_zones", '["a"]', "too few", "at least 2"
    ),
    "five zones": Bad(
        "zones: [a, b]",
        "zones: [a, b, c, d, e]",
        "network.create.availability_zones",
        '["a", "b", "c", "d", "e"]',
        "too many",
        "at most 4",
    ),
    "a zone twice": Bad(
        "zones: [a, b]", "zones: [a, a]", "network.create.availability_zones", '["a", "a"]', "twice", "once"
    ),
    "a zone by its whole name": Bad(
        "zones: [a, b]",
        "zones: [a, eu-west-1b]",
        "network.create.availability_zones[1]",
        '"eu-west-1b"',
        "not the letter",
        'write "a" for eu-west-1a',
    ),
    "unknown region": Bad(
        "region: eu-west-1", "region: mars-1", "region", '"mars-1"', "not a region", "eu-west-1"
    ),
    "team with a slash": Bad(
        "fraud,", "fraud/x,", "teams[0]", '"fraud/x"', "not a team name", "a-z, 0-9 and '-'"
    ),
    "team in capitals": Bad("fraud,", "Fraud,", "teams[0]", '"Fraud"', "not a team name", "a-z"),
    "team with a star": Bad("fraud,", '"*",', "teams[0]", '"*"', "not a team name", "a-z"),
    "team that MLflow keeps": Bad("fraud,", "default,", "teams[0]", '"default"', "MLflow keeps", "another"),
    "team named twice": Bad("search]", "fraud]", "teams[2]", '"fraud"', "named twice", "once"),
    "team that is a number": Bad("fraud,", "42,", "teams[0]", "42", "is a number, not text", 'quotes: "42"'),
    "no team": Bad("[fraud, pricing, search]", "[]", "teams", "[]", "too few items", "at least 1: Teams"),
    "one team without brackets": Bad(
        "[fraud, pricing, search]", "fraud", "teams", '"fraud"', "not a list", "[fraud]"
    ),
    "min > max": Bad(
        "min_size: 1", "min_size: 3", "server.min_size", "3", "more than max_size (2)", "min_size <="
    ),
    "desired > max": Bad(
        "desired_capacity: 1",
        "desired_capacity: 3",
        "server.desired_capacity",
        "3",
        "not between",
        "min_size <=",
    ),
    "log retention": Bad(
        "  retention_days: 365",
        "  retention_days: 31",
        "logs.retention_days",
        "31",
        "CloudWatch",
        "7, 14, 30",
    ),
    "backup retention": Bad(
        "backup_retention_days: 7",
        "backup_retention_days: 36",
        "database.backup_retention_days",
        "36",
        "too large",
        "from 1 to 35",
    ),
    "MLflow version": Bad(
        '"3.17.2"', '"2.9.0"', "server.mlflow_version", '"2.9.0"', "not a supported", "3.17.2"
    ),
    "PostgreSQL version": Bad(
        'engine_version: "16"',
        'engine_version: "12.4"',
        "database.engine_version",
        '"12.4"',
        "not a supported",
        '"15", "16", "17"',
    ),
    "PostgreSQL version without quotes": Bad(
        'engine_version: "16"',
        "engine_version: 16.10",
        "database.engine_version",
        "16.10",
        "is a number, not text",
        'put it in quotes: "16.10"',
    ),
    "existing VPC without subnets": Bad(
        CREATE,
        EXISTING,
        "network.existing.server_subnet_ids",
        "",
        "is missing",
        "Private subnets for the servers",
    ),
    "existing VPC with one subnet": Bad(
        CREATE,
        f"{EXISTING}    server_subnet_ids: [subnet-01234567]\n"
        "    database_subnet_ids: [subnet-11234567, subnet-21234567]\n",
        "network.existing.server_subnet_ids",
        '["subnet-01234567"]',
        "too few items",
        "at least 2",
    ),
    "create and existing": Bad(
        CREATE,
        f"{CREATE}{EXISTING}    server_subnet_ids: [subnet-01234567, subnet-31234567]\n"
        "    database_subnet_ids: [subnet-11234567, subnet-21234567]\n",
        "network",
        "",
        "has both of create and existing",
        "exactly one",
    ),
    "cloud without organization": Bad(
        "backend: local",
        "backend: cloud",
        "state.organization",
        "",
        "is missing",
        "Organization in Terraform Cloud",
    ),
    "cloud without workspace": Bad(
        "backend: local",
        "backend: cloud\n  organization: acme",
        "state.workspace",
        "",
        "one way",
        "workspace_tags",
    ),
    "unknown backend": Bad(
        "backend: local",
        "backend: gcs",
        "state.backend",
        '"gcs"',
        "not one of its values",
        '"local", "s3", "cloud"',
    ),
    "state without backend": Bad(
        "  backend: local", "  bucket: x", "state.backend", "", "is missing", '"local", "s3", "cloud"'
    ),
    "empty state": Bad("  backend: local", "", "state", "", "is empty", "backend"),
    "tag with a Terraform expression": Bad(
        "owner: ml-platform",
        'owner: "${file(1)}"',
        "tags.owner",
        '"${file(1)}"',
        "not a tag value",
        "letters",
    ),
    "tag that AWS keeps": Bad(
        "owner: ml-platform",
        "AWS:owner: x",
        'tags["AWS:owner"]',
        '"AWS:owner"',
        "not a tag key",
        "not starting with",
    ),
    "tag that is a number": Bad(
        "owner: ml-platform", "owner: 7", "tags.owner", "7", "not text", 'quotes: "7"'
    ),
    "tags in a list": Bad(
        "tags:\n  owner: ml-platform\n  cost-center: research",
        "tags: [a]",
        "tags",
        '["a"]',
        "not a mapping",
        "lines",
    ),
    "egress none with pypi": Bad(
        "egress: nat", "egress: none", "server.package_source", '"pypi"', "needs the internet", '"wheelhouse"'
    ),
    "unknown egress": Bad(
        "egress: nat", "egress: vpn", "network.create.egress", '"vpn"', "not one", '"nat", "none"'
    ),
    "a switch as text": Bad(
        "multi_az: false",
        "multi_az: no",
        "database.multi_az",
        '"no"',
        "is text, not a switch",
        "true or false",
    ),
    "a number as text": Bad(
        " storage_gb: 20",
        ' storage_gb: "20"',
        "database.storage_gb",
        '"20"',
        "not a number",
        "remove the quotes: 20",
    ),
    "a fraction": Bad(
        " storage_gb: 20", " storage_gb: 20.5", "database.storage_gb", "20.5", "not a whole number", "like 20"
    ),
    "an empty field": Bad(
        " storage_gb: 20",
        " storage_gb:",
        "database.storage_gb",
        "",
        "is empty",
        "Storage to start with in GB",
    ),
    "no room for storage": Bad(
        "max_storage_gb: 50", "max_storage_gb: 21", "database.max_storage_gb", "21", "no room", "at least 22"
    ),
    "a section as text": Bad(
        "logs:\n  retention_days: 365", "logs: 30", "logs", "30", "not a mapping", "retention_days"
    ),
    "an account that lost its zero": Bad(
        "region:",
        "account_id: 012345678901\nregion:",
        "account_id",
        "012345678901",
        "not text",
        '"012345678901"',
    ),
    "certificate without domain": Bad(
        "api:",
        "api:\n  certificate_arn: arn:aws:acm:eu-west-1:111122223333:certificate/0a",
        "api.domain",
        "",
        "is missing",
        "together",
    ),
    "certificate of another region": Bad(
        "api:",
        "api:\n  certificate_arn: arn:aws:acm:us-east-1:111122223333:certificate/0a\n  domain: mlflow.example.com",
        "api.certificate_arn",
        '"arn:aws:acm:us-east-1:111122223333:certificate/0a"',
        "not in the region",
        "same region",
    ),
    "names too long": Bad(
        "project: mlflow",
        "project: machine-learning-platform",
        "environment",
        '"dev"',
        "too long",
        "within 22",
    ),
    "a number for a name": Bad(
        "burst:", "7: 1\n    burst:", "api.throttle", "7", "not the name", "use one of requests"
    ),
    "a text of two lines for a list": Bad(
        "[fraud, pricing, search]",
        "|\n  fraud\n  search",
        "teams",
        '"fraud\\nsearch\\n"',
        "not a list",
        "write [fraud\\n",
    ),
    "no finite number": Bad(
        "min_size: 1", "min_size: .inf", "server.min_size", ".inf", "not a whole number", "like 1"
    ),
    "a field given twice": Bad(
        "region:", "region: eu-west-2\nregion:", "region", "", "given twice", "keep one"
    ),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_bad_input_names_file_field_value_and_fix(edit: Edit, bad: Bad) -> None:
    path = edit(bad.old, bad.new)

    with pytest.raises(InputError) as refused:
        load_environments(FOLDER, ["dev"])

    problem = _of_field(refused.value, bad.field)
    text = str(problem)
    assert text.startswith(f"{path}:{problem.line}: {bad.field}: {bad.value}".rstrip())
    assert bad.problem in text.partition(" Fix: ")[0]
    assert bad.fix in text.partition(" Fix: ")[2]
    assert "\n" not in text
    assert refused.value.exit_code == 2


def _of_field(error: InputError, field: str) -> Problem:
    found = [problem for problem in error.problems if problem.field == field]
    assert len(found) == 1, f"{field} is not once in:\n{error}"
    return found[0]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("10.20.0.0/20", "10.20.0.0/26", 12),
        ("multi_az: false", "multi_az: 0", 29),
        ("[fraud, pricing, search]", "\n  - fraud\n  - SEARCH", 50),
        ("  multi_az: false\n", "", 24),  # what is missing: the line of the section
        ("project: mlflow\n", "", 1),
        ("server:\n", "server: &again\n", 40),  # an anchor changes no line
    ],
)
def test_a_problem_names_its_line(edit: Edit, old: str, new: str, line: int) -> None:
    edit(old, new)
    if line == 40:
        edit("198.51.100.0/24", "1")
    with pytest.raises(InputError) as refused:
        load_environments(FOLDER, ["dev"])
    assert [problem.line for problem in refused.value.problems] == [line]


def test_every_problem_is_told_in_the_order_of_lines(edit: Edit) -> None:
    edit("zones: [a, b]", "zones: [a]")
    edit("region: eu-west-1", "region: mars-1")
    edit("[fraud, pricing, search]", "[A, 1]")
    with pytest.raises(InputError) as refused:
        load_environments(FOLDER, ["dev"])
    assert [problem.field for problem in refused.value.problems] == [
        "region",
        "network.create.availability_zones",
        "teams[0]",
        "teams[1]",
    ]


def test_a_long_value_is_cut(edit: Edit) -> None:
    edit("region: eu-west-1", f"region: {'x' * 500}")
    with pytest.raises(InputError) as refused:
        load_environments(FOLDER, ["dev"])
    assert "x" * 100 not in str(refused.value)
    assert "…" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "place", "problem", "fix"),
    [
        ("project: [mlflow\n", "x.yaml:2:1", "expected ',' or ']'", "brackets are closed"),
        ("project:\n\t- a\n", "x.yaml:2:1", "found character '\\t'", "spaces"),
        ("project: a: b\n", "x.yaml:1:11", "mapping values are not allowed here", "colon"),
        ("project: *other\n", "x.yaml:1:10", "undefined alias", "define the anchor"),
        ("project: !vault a\n", "x.yaml:1:10", "'!vault'", "remove the tag"),
        ("project: a\n---\nproject: b\n", "x.yaml:2:1", "another document", "keep one document"),
        ("project: 'a\n", "x.yaml:2:1", "end of stream", "quotes"),
        ("project: a\n\x01", "x.yaml:2", "U+0001", "remove it"),
        (f"a: 1\nb: {'[' * 2000}]", "x.yaml:2", "nested more than 50 levels deep", "remove the brackets"),
        (f"a:\n  - b: {'9' * 10_000}\n", "x.yaml:2: a[0].b", "be read as YAML's int", "correct"),
        ("a: 1\nb: !!bool maybe\n", "x.yaml:2: b", "maybe cannot be read as YAML's bool", "correct"),
        ("a: &a [*a]\nb: 0x_\n", "x.yaml:2: b", "0x_ cannot be read as YAML's int", "quotes"),
        ("", "x.yaml:1", "the file is empty", "gatehouse init"),
        ("# nothing but a comment\n", "x.yaml:1", "the file is empty", "gatehouse init"),
        ("- a\n- b\n", "x.yaml:1", '["a", "b"] is not a mapping', "project: NAME"),
        ("mlflow\n", "x.yaml:1", '"mlflow" is not a mapping', "project: NAME"),
        ("a: &a [*a]\n", "x.yaml:1", "[[[…]]]", "remove it"),
    ],
)
def test_what_is_not_an_environment_is_refused(text: str, place: str, problem: str, fix: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_environment(text, "x.yaml")
    first = str(sorted(refused.value.problems, key=lambda one: one.field != "a")[0])
    assert first.startswith(f"{place}: ")
    assert problem in first.partition(" Fix: ")[0]
    assert fix in first.partition(" Fix: ")[2]


def test_a_file_that_is_not_utf_8_is_refused(project: Path) -> None:
    path = FOLDER / "latin.yaml"
    path.write_bytes("project: mlflow\n# café\n".encode("latin-1"))
    with pytest.raises(
        InputError, match=r"latin\.yaml:2: is not UTF-8: byte 0xe9.*Fix: save the file as UTF-8"
    ):
        load_environment(path)


def test_a_folder_in_place_of_a_file_is_refused(project: Path) -> None:
    (FOLDER / "odd.yaml").mkdir()
    with pytest.raises(InputError, match=r"odd\.yaml: cannot be read: .*Fix: make it a readable file"):
        load_environment(FOLDER / "odd.yaml")


def test_a_pipe_in_place_of_a_file_is_refused(project: Path) -> None:
    os.mkfifo(FOLDER / "odd.yaml")
    with pytest.raises(
        InputError, match=r"odd\.yaml: cannot be read: it is a pipe.* Fix: make it a readable"
    ):
        load_environments(FOLDER)
    assert len(load_environments(FOLDER, ["dev"])) == 1


def test_a_broken_link_is_told_as_one(project: Path) -> None:
    (FOLDER / "stg.yaml").symlink_to("nowhere.yaml")
    with pytest.raises(
        InputError, match=r"stg\.yaml: is a broken link: nowhere\.yaml does not exist\. Fix: make that file"
    ):
        load_environments(FOLDER, ["stg"])


def test_names_with_commas_are_told_apart(project: Path) -> None:
    with pytest.raises(InputError, match=r"Fix: separate names with spaces: dev prod\."):
        load_environments(FOLDER, ["dev,prod"])


def test_a_byte_order_mark_does_no_harm(project: Path) -> None:
    path = FOLDER / "dev.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_environment(path).environment == "dev"


@pytest.mark.parametrize("name", ["dve", "../environments/dev", "dev.yaml"])
def test_an_unknown_environment_lists_those_that_exist(project: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"does not exist; there are: dev, prod\. Fix: write \"dev\""):
        load_environments(FOLDER, [name])


def test_a_file_that_is_not_there_lists_those_that_exist(project: Path) -> None:
    with pytest.raises(InputError, match=r"environments/qa\.yaml: .*there are: dev, prod\. Fix: .*init qa"):
        load_environment(FOLDER / "qa.yaml")


def test_a_folder_without_environments_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no environment file here\. Fix: .*gatehouse init dev"):
        load_environments(tmp_path / "environments")


def test_a_yml_file_is_not_passed_over_in_silence(project: Path) -> None:
    (FOLDER / "qa.yml").write_text("project: mlflow\n")
    with pytest.raises(InputError, match=r"environments/qa\.yml: is not read.*Fix: rename it to qa\.yaml"):
        load_environments(FOLDER)


def test_the_file_has_the_name_of_its_environment(edit: Edit) -> None:
    edit("environment: dev", "environment: test")
    with pytest.raises(InputError) as refused:
        load_environments(FOLDER, ["dev"])
    (problem,) = refused.value.problems
    assert str(problem).startswith(
        'environments/dev.yaml:4: environment: "test" differs from the file\'s name'
    )
    assert problem.fix == 'write "environment: dev", or rename the file'


def test_problems_of_all_files_are_told_at_once(edit: Edit) -> None:
    edit("zones: [a, b]", "zones: [a]")
    edit("zones: [a, b, c]", "zones: [a]", name="prod")
    with pytest.raises(InputError) as refused:
        load_environments(FOLDER)
    assert [problem.file for problem in refused.value.problems] == [
        "environments/dev.yaml",
        "environments/prod.yaml",
    ]


class TestOverlappingEnvironments:
    """Two VPCs of one account, as far as is known, share no address."""

    @pytest.mark.parametrize("names", [None, ["dev"], ["prod"], ["dev", "prod"]])
    def test_both_files_are_named(self, edit: Edit, names: list[str] | None) -> None:
        edit("10.20.0.0/20", "10.40.16.0/20")
        with pytest.raises(InputError) as refused:
            load_environments(FOLDER, names)
        (problem,) = refused.value.problems
        text = str(problem)
        assert problem.field == "network.create.cidr"
        assert {"environments/dev.yaml", "environments/prod.yaml"} == {
            path for path in ("environments/dev.yaml", "environments/prod.yaml") if path in text
        }
        assert "choose a free range, such as 10." in text
        assert "account_id" in text

    def test_in_different_accounts_they_may(self, edit: Edit) -> None:
        edit("10.20.0.0/20", "10.40.16.0/20")
        edit("region:", 'account_id: "111122223333"\nregion:')
        edit("region: eu-west-1\ntags", 'account_id: "444455556666"\nregion: eu-west-1\ntags', name="prod")
        edit(
            "arn:aws:iam::111122223333:saml-provider", "arn:aws:iam::444455556666:saml-provider", name="prod"
        )
        assert len(load_environments(FOLDER)) == 2

    def test_a_broken_neighbour_is_left_alone(self, edit: Edit) -> None:
        edit("zones: [a, b, c]", "zones: [a]", name="prod")
        assert [one.environment for one in load_environments(FOLDER, ["dev"])] == ["dev"]


def test_the_shipped_environments_load(project: Path) -> None:
    dev, prod = load_environments(FOLDER)
    assert (dev.environment, prod.environment) == ("dev", "prod")
    assert (dev.network.egress, prod.network.egress) == (Egress.NAT, Egress.NONE)
    assert (dev.api.visibility, prod.api.visibility) == (Visibility.REGIONAL, Visibility.PRIVATE)


def test_environments_come_once_and_in_the_order_asked_for(project: Path) -> None:
    found = load_environments(FOLDER, ["prod", "dev", "prod"])
    assert [one.environment for one in found] == ["prod", "dev"]


def test_anchors_and_merge_keys_are_understood(edit: Edit) -> None:
    edit("tags:\n  owner: ml-platform", "tags: &tags\n  owner: &who ml-platform\n  contact: *who")
    edit("logs:\n", "logs: &logs\n")
    assert load_environment(FOLDER / "dev.yaml").tags["contact"] == "ml-platform"


@pytest.mark.parametrize("date", ["2024-13-45", "2026-01-31", "2026-01-31 10:00:00"])
def test_a_date_is_text(edit: Edit, date: str) -> None:
    edit("owner: ml-platform", f"owner: {date}")
    assert load_environment(FOLDER / "dev.yaml").tags["owner"] == date


def test_settings_are_frozen(project: Path) -> None:
    settings: Settings = load_environment(FOLDER / "dev.yaml")
    with pytest.raises(ValueError, match="frozen"):
        settings.region = "eu-west-2"


def test_a_free_range_overlaps_none_in_use() -> None:
    used = [ipaddress.IPv4Network("10.20.0.0/15"), ipaddress.IPv4Network("10.22.128.0/20")]
    assert free_cidr(used) == "10.22.0.0/20"
    assert free_cidr(used, 16) == "10.23.0.0/16"
    with pytest.raises(InputError, match=r"no 10\.N\.0\.0 range is free"):
        free_cidr([ipaddress.IPv4Network("10.0.0.0/8")])


ODD: tuple[object, ...] = (None, True, 2.5, "", "${x}", [], [[1]], {"7": {"a": []}}, {"backend": "cloud"})


def test_no_odd_value_anywhere_escapes_as_another_error(repository: Path) -> None:
    data = YAML(typ="safe", pure=True).load(repository / "environments" / "dev.yaml")
    for path in _paths(data):
        place = data
        for part in path[:-1]:
            place = place[part]
        original = place[path[-1]]
        for odd in ODD:
            place[path[-1]] = odd
            with contextlib.suppress(InputError):  # some are right in their place
                parse_environment(json.dumps(data), "dev.yaml")
        place[path[-1]] = original


def _paths(data: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for part, value in items:
        yield (*path, part)
        yield from _paths(value, (*path, part))


def test_two_stacks_of_one_account_cannot_both_manage_its_log_role(edit: Edit) -> None:
    for name in ("dev", "prod"):
        edit("region: eu-west-1\ntags", 'region: eu-west-1\naccount_id: "111122223333"\ntags', name=name)
    with pytest.raises(InputError) as refused:
        load_environments(Path("environments"))
    message = str(refused.value)
    assert "environments/dev.yaml" in message
    assert "api.manage_account_log_role" in message
    assert "is also managed by environments/prod.yaml" in message
    assert "Fix: set it to false in one of the two files" in message
    edit("visibility: regional", "visibility: regional\n  manage_account_log_role: false")
    assert len(load_environments(Path("environments"))) == 2


S3 = "backend: s3\n  bucket: acme-state\n  key: {}\n  region: eu-west-1"
CLOUD = "backend: cloud\n  organization: acme\n  workspace: {}"
PROD_STATE = """  backend: s3
  bucket: example-terraform-state
  key: mlflow/prod.tfstate
  region: eu-west-1
"""


class TestSharedState:
    """Two environments never share one Terraform state, whatever their accounts."""

    @pytest.mark.parametrize("names", [None, ["dev"], ["prod"]])
    @pytest.mark.parametrize(
        ("state", "field", "fix"),
        [
            (S3, "key", "mlflow/dev.tfstate"),
            (CLOUD, "workspace", "mlflow-dev"),
        ],
    )
    def test_both_files_are_named(
        self, edit: Edit, names: list[str] | None, state: str, field: str, fix: str
    ) -> None:
        edit("backend: local", state.format("one"))
        edit(PROD_STATE, f"  {state.format('one')}\n", name="prod")
        edit("region: eu-west-1\ntags", 'account_id: "444455556666"\nregion: eu-west-1\ntags', name="prod")
        edit(
            "arn:aws:iam::111122223333:saml-provider", "arn:aws:iam::444455556666:saml-provider", name="prod"
        )
        with pytest.raises(InputError) as refused:
            load_environments(FOLDER, names)
        (problem,) = refused.value.problems
        other = "dev" if names == ["prod"] else "prod"
        assert problem.field == f"state.{field}"
        assert problem.value == "one"
        assert f"is also the Terraform state of environments/{other}.yaml:" in str(problem)
        assert fix in problem.fix

    @pytest.mark.parametrize("state", [S3, CLOUD])
    def test_their_own_are_taken(self, edit: Edit, state: str) -> None:
        edit("backend: local", state.format("one"))
        edit(PROD_STATE, f"  {state.format('two')}\n", name="prod")
        assert len(load_environments(FOLDER)) == 2

    def test_local_states_are_apart_by_name(self, edit: Edit) -> None:
        edit(PROD_STATE, "  backend: local\n", name="prod")
        assert len(load_environments(FOLDER)) == 2


class TestSecrets:
    """What should never have been in the file is not repeated on a terminal or in a log."""

    @pytest.mark.parametrize(
        "line",
        [
            "db_password: hunter2",
            "accessKey: hunter2",
            "auth: {api_token: hunter2}",
            "credentials: [hunter2]",
            "secret: !!int hunter2",
            "api_key: a: hunter2",
        ],
    )
    def test_the_value_of_an_unknown_field_is_not_shown(self, edit: Edit, line: str) -> None:
        edit("region: eu-west-1", f"region: eu-west-1\n{line}")
        with pytest.raises(InputError) as refused:
            load_environments(FOLDER, ["dev"])
        assert "environments/dev.yaml:6" in str(refused.value)
        assert "hunter2" not in str(refused.value)

    @pytest.mark.parametrize("value", ['"hunter2$"', "7357", "[hunter2]"])
    def test_the_value_of_a_secret_tag_is_not_shown(self, edit: Edit, value: str) -> None:
        edit("owner: ml-platform", f"api-token: {value}")
        with pytest.raises(InputError, match=r"dev\.yaml:7: tags\.api-token: is") as refused:
            load_environments(FOLDER, ["dev"])
        assert "hunter2" not in str(refused.value)
        assert "7357" not in str(refused.value)

    @pytest.mark.parametrize(
        "value", ["AKIA" + "A1" * 8, "x ASIA" + "B2" * 8, "ghp_" + "c3" * 18, "github_pat_" + "d_4" * 9]
    )
    @pytest.mark.parametrize("place", ["owner: ml-platform", "region: eu-west-1\n"])
    def test_a_credential_is_refused_and_not_shown(self, edit: Edit, value: str, place: str) -> None:
        edit(place, f"{place.partition(':')[0]}: {value}\n")
        with pytest.raises(InputError) as refused:
            load_environments(FOLDER, ["dev"])
        (problem,) = refused.value.problems
        assert value[-16:] not in str(problem)
        if place.startswith("owner"):
            assert "looks like an access key or a token" in problem.problem
            assert problem.fix == "remove it, and revoke it if it is real"


class TestTypingMistakes:
    """One mistyped name is one problem, and what is there already is not suggested."""

    @pytest.mark.parametrize(
        ("old", "new", "field", "fix"),
        [
            ("egress: nat", "egres: nat", "network.create.egres", 'write "egress" if that was meant'),
            ("\nregion:", "\nreigon:", "reigon", 'write "region" if that was meant'),
            ("\nregion:", "\nregions: a\nregion:", "regions", "remove it; the fields are project,"),
        ],
    )
    def test_one_problem_is_told(self, edit: Edit, old: str, new: str, field: str, fix: str) -> None:
        edit(old, new)
        with pytest.raises(InputError) as refused:
            load_environments(FOLDER, ["dev"])
        (problem,) = refused.value.problems
        assert problem.field == field
        assert problem.fix.startswith(fix)
