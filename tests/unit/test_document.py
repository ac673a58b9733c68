"""A document as a closed world: references, computed attributes, variables, lines, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gatehouse.document import Placeholders, read_document
from gatehouse.document.computed import COMPUTED
from gatehouse.errors import InputError
from tests.unit.stacks import ACCOUNT, Stack, stack_in

#: Other attributes that a computed one is made of.
GIVEN: dict[str, dict[str, Any]] = {
    "aws_api_gateway_method": {"rest_api_id": "r", "resource_id": "s", "http_method": "ANY"},
    "aws_api_gateway_stage": {"rest_api_id": "r", "stage_name": "live"},
    "aws_api_gateway_domain_name": {"domain_name": "x.example.com"},
    "aws_cloudwatch_metric_alarm": {"alarm_name": "n"},
    "aws_default_route_table": {"default_route_table_id": "rtb-1"},
    "aws_iam_openid_connect_provider": {"arn": "arn:x"},
    "aws_s3_object": {"bucket": "b", "key": "k/f"},
    **{
        f"aws_wafv2_{kind}": {"name": "n", "scope": "REGIONAL"}
        for kind in ("ip_set", "rule_group", "web_acl")
    },
}


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return stack_in(tmp_path)


def computed(stack: Stack, kind: str, attribute: str, **given: object) -> Any:  # noqa: ANN401 - JSON
    """Return an attribute as another resource refers to it."""
    own, prefix = {kind.removeprefix("data."): {"x": given}}, "data." if kind.startswith("data.") else ""
    user = {"thing": {"user": {"at": f"${{{kind}.x.{attribute}}}"}}}
    document = stack(user, data=own) if prefix else stack({**own, **user})
    return document.resources["thing.user"].attributes["at"]


@pytest.mark.parametrize(
    ("kind", "attribute", "given", "value"),
    [
        ("aws_s3_bucket", "arn", {"bucket": "b"}, "arn:aws:s3:::b"),
        ("aws_s3_bucket", "id", {"bucket": "b"}, "b"),
        ("aws_s3_bucket", "id", {"bucket_prefix": "b-"}, "b-x"),
        ("aws_s3_bucket", "id", {}, "terraform-x"),
        ("aws_s3_object", "arn", {"bucket": "b", "key": "k"}, "arn:aws:s3:::b/k"),
        ("aws_iam_role", "arn", {"name": "n"}, f"arn:aws:iam::{ACCOUNT}:role/n"),
        ("aws_iam_role", "arn", {"name": "n", "path": "/p/q/"}, f"arn:aws:iam::{ACCOUNT}:role/p/q/n"),
        ("aws_iam_role", "id", {"name": "n"}, "n"),
        ("aws_iam_role", "name", {"name_prefix": "n-"}, "n-x"),
        ("aws_iam_policy", "id", {"name": "n"}, f"arn:aws:iam::{ACCOUNT}:policy/n"),
        ("aws_iam_user", "arn", {"name": "n"}, f"arn:aws:iam::{ACCOUNT}:user/n"),
        ("aws_iam_group", "arn", {"name": "n", "path": "/p/"}, f"arn:aws:iam::{ACCOUNT}:group/p/n"),
        ("aws_iam_instance_profile", "arn", {"name": "n"}, f"arn:aws:iam::{ACCOUNT}:instance-profile/n"),
        ("aws_kms_key", "arn", {}, f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/x"),
        ("aws_kms_key", "key_id", {}, "x"),
        ("aws_kms_alias", "arn", {"name": "alias/n"}, f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias/n"),
        (
            "aws_db_instance",
            "master_user_secret[0].secret_arn",
            {"identifier": "d"},
            f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:rds!db-x",
        ),
        ("aws_db_instance", "endpoint", {"identifier": "d"}, "d.x.eu-west-1.rds.amazonaws.com:5432"),
        ("aws_db_instance", "arn", {"identifier": "d"}, f"arn:aws:rds:eu-west-1:{ACCOUNT}:db:d"),
        ("aws_api_gateway_rest_api", "execution_arn", {}, f"arn:aws:execute-api:eu-west-1:{ACCOUNT}:x"),
        ("aws_sns_topic", "arn", {"name": "n"}, f"arn:aws:sns:eu-west-1:{ACCOUNT}:n"),
        ("aws_sqs_queue", "url", {"name": "n"}, f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/n"),
        ("aws_cloudwatch_log_group", "arn", {"name": "/g"}, f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/g"),
        ("aws_security_group", "id", {}, "sg-x"),
        ("aws_subnet", "arn", {}, f"arn:aws:ec2:eu-west-1:{ACCOUNT}:subnet/subnet-x"),
        ("aws_vpc_endpoint", "id", {}, "vpce-x"),
        ("aws_lb", "arn_suffix", {"name": "n"}, "app/n/x"),
        (
            "aws_lb",
            "arn",
            {"name": "n", "load_balancer_type": "network"},
            f"arn:aws:elasticloadbalancing:eu-west-1:{ACCOUNT}:loadbalancer/net/n/x",
        ),
        ("aws_lb", "dns_name", {"name": "n"}, "n-x.elb.eu-west-1.amazonaws.com"),
        (
            "aws_secretsmanager_secret",
            "id",
            {"name": "n"},
            f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:n-x",
        ),
        ("aws_launch_template", "latest_version", {}, 1),
        (
            "aws_wafv2_web_acl",
            "arn",
            {"name": "n", "scope": "REGIONAL"},
            f"arn:aws:wafv2:eu-west-1:{ACCOUNT}:regional/webacl/n/x",
        ),
        ("aws_iam_role", "tags_all", {"name": "n", "tags": {"a": "b"}}, {"a": "b"}),
        ("data.aws_caller_identity", "account_id", {}, ACCOUNT),
        ("data.aws_region", "name", {}, "eu-west-1"),
        ("data.aws_partition", "partition", {}, "aws"),
        ("data.aws_partition", "dns_suffix", {}, "amazonaws.com"),
        ("data.aws_availability_zones", "names[2]", {}, "eu-west-1c"),
        ("data.aws_prefix_list", "id", {}, "pl-x"),
    ],
)
def test_a_computed_attribute(
    stack: Stack, kind: str, attribute: str, given: dict[str, Any], value: object
) -> None:
    assert computed(stack, kind, attribute, **given) == value


@pytest.mark.parametrize("kind", sorted(COMPUTED))
def test_every_row_of_the_table_can_be_filled(stack: Stack, kind: str) -> None:
    for attribute in COMPUTED[kind]:
        value = computed(stack, kind, attribute, **GIVEN.get(kind, {}))
        assert value, (kind, attribute)
        assert "{" not in json.dumps(value).replace('{"', ""), (kind, attribute, value)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("aws_kms_key.k.secret", r"nothing is known of aws_kms_key\.k\.secret\. Fix: write its value out"),
        (
            "thing.two.id",
            r"nothing is known of thing\.two\.id\. Fix: write its value out; no attribute of thing",
        ),
        ("aws_kms_key.q.arn", r"there is no aws_kms_key\.q\. Fix: write aws_kms_key\.k if that was meant"),
        ("aws_kms_key.k", "it is a whole resource"),
        ("aws_kms_key.k[0].arn", "indexes a resource without count"),
        ("data.aws_region.r.name", r"there is no data\.aws_region\.r"),
        ("var.v", "there is no variable v"),
        ("aws_lb.strange.arn", "odd is no load_balancer_type"),
    ],
)
def test_what_is_not_known_is_refused(stack: Stack, reference: str, message: str) -> None:
    document = stack(
        {
            "aws_kms_key": {"k": {}},
            "aws_lb": {"strange": {"name": "n", "load_balancer_type": "odd"}},
            "thing": {"one": {"at": f"${{{reference}}}"}, "two": {}},
        }
    )
    with pytest.raises(InputError, match=message) as refused:
        document.resources["thing.one"].value("at")
    assert f"thing.one.at: ${{{reference}}} cannot be resolved: " in str(refused.value)


def test_an_attribute_may_be_made_of_others(stack: Stack) -> None:
    document = stack(
        {
            "aws_s3_bucket": {"b": {"bucket": "b-${data.aws_caller_identity.me.account_id}"}},
            "aws_s3_bucket_policy": {
                "p": {"bucket": "${aws_s3_bucket.b.id}", "policy": "${aws_s3_bucket.b.arn}/*"}
            },
        },
        data={"aws_caller_identity": {"me": {}}},
    )
    (policy,) = document.of_type("aws_s3_bucket_policy")
    assert dict(policy.attributes) == {"bucket": f"b-{ACCOUNT}", "policy": f"arn:aws:s3:::b-{ACCOUNT}/*"}
    assert document.of_type("aws_kms_key") == ()
    document.check()


def test_what_terraform_itself_reads_is_no_attribute(stack: Stack) -> None:
    body = {
        "//": {},
        "at": 1,
        "depends_on": ["a.b"],
        "lifecycle": {},
        "provider": "aws",
        "block": {"//": 1, "x": 2},
    }
    found = stack({"thing": {"one": body}}).resources["thing.one"].attributes
    assert dict(found) == {"at": 1, "block": {"x": 2}}
    with pytest.raises(KeyError):
        found["lifecycle"]


def test_placeholders_can_be_set(stack: Stack) -> None:
    path = stack({"aws_kms_key": {"k": {}}, "aws_lb": {"l": {"name": "n"}}}).path
    document = read_document(path, Placeholders("444455556666", "cn-north-1", "aws-cn"))
    assert document.resources["aws_kms_key.k"].value("arn") == "arn:aws-cn:kms:cn-north-1:444455556666:key/k"
    assert document.resources["aws_lb.l"].value("dns_name") == "n-l.elb.cn-north-1.amazonaws.com.cn"
    assert (document.account, document.region, document.partition) == ("444455556666", "cn-north-1", "aws-cn")


def test_a_provider_gives_its_resources_region_and_tags(stack: Stack) -> None:
    providers = [
        {"region": "eu-west-1", "default_tags": [{"tags": {"owner": "a", "of": "all"}}]},
        {"alias": "us", "region": "us-east-1"},
    ]
    topics = {"here": {"name": "n", "tags": {"owner": "b"}}, "there": {"name": "n", "provider": "aws.us"}}
    document = stack({"aws_sns_topic": topics}, provider={"aws": providers})
    here, there = document.of_type("aws_sns_topic")
    assert here.value("tags_all") == {"owner": "b", "of": "all"}
    assert there.value("tags_all") == {}
    assert there.value("arn") == f"arn:aws:sns:us-east-1:{ACCOUNT}:n"
    assert (document.region_of(here), document.region_of(there)) == ("eu-west-1", "us-east-1")


def test_outputs_are_resolved(stack: Stack) -> None:
    document = stack({"aws_kms_key": {"k": {}}}, output={"key": {"value": "${aws_kms_key.k.id}"}})
    assert document.outputs == {"key": "k"}


VARIABLES = {
    "days": {
        "type": "number",
        "default": 7,
        "validation": [
            {"condition": "${var.days == floor(var.days)}", "error_message": "Use a whole number."}
        ],
    },
    "name": {"type": "string", "default": "${not_a_template}"},
    "needed": {"type": "string"},
}


def of_variables(stack: Stack, variables: dict[str, Any]) -> dict[str, Any]:
    body = {name: f"${{var.{name}}}" for name in VARIABLES}
    return dict(
        stack({"thing": {"one": body}}, variable=VARIABLES, variables=variables)
        .resources["thing.one"]
        .attributes
    )


def test_a_variable_is_worth_what_is_given_or_its_default(stack: Stack) -> None:
    assert of_variables(stack, {"needed": "x"}) == {"days": 7, "name": "${not_a_template}", "needed": "x"}
    assert of_variables(stack, {"needed": "x", "days": "9", "name": 5}) == {
        "days": 9,
        "name": "5",
        "needed": "x",
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {},
            r"\$\{var\.needed\} cannot be resolved: the variable needed has no default\. Fix: give a value for needed",
        ),
        (
            {"needed": "x", "dys": 1},
            "variables: is no variable of it: dys. Fix: give one of days, name, needed",
        ),
        ({"needed": "x", "days": 1.5}, r"variable\.days: 1\.5 is refused\. Fix: Use a whole number"),
        ({"needed": "x", "days": "many"}, "a string is no number"),
    ],
)
def test_a_variable_refuses(stack: Stack, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        of_variables(stack, given)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"thing": {"one": {"count": 2}}}, r"thing\.one\.count: repeats the resource, which is not read"),
        ({"thing": {"one": {"for_each": ["a"]}}}, r"thing\.one\.for_each: repeats the resource"),
        ({"thing": {"one": {"dynamic": {"at": {"for_each": [1]}}}}}, r"thing\.one\.dynamic: repeats a block"),
        ({"thing": {"one": {"in": {"dynamic": [{"at": 1}]}}}}, r"thing\.one\.in: has a dynamic block"),
    ],
)
def test_what_repeats_blocks_is_refused(stack: Stack, content: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        stack(content).check()


def test_a_module_is_refused(stack: Stack) -> None:
    with pytest.raises(InputError, match=r"module\.m: is a module, which is not read"):
        stack({}, module={"m": {"source": "./m"}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        ("{", "is not JSON: "),
        ('{"resource": {"a": {}}, "resource": {}}', "is not JSON: 'resource' is there twice in one object"),
        ('{"resource": {"a": {"b": {"c": 1, "c": 2}}}}', "is not JSON: 'c' is there twice in one object"),
        ("[]", "holds no resources"),
        ("{}", "holds no resources as types, names and attributes"),
        ('{"resource": {"thing": []}}', "holds no resources as types, names and attributes"),
        ('{"resource": {"thing": {"one": 1}}}', "holds no resources as types, names and attributes"),
        ('{"resource": {}}', "region: is not written in the provider block"),
        (
            '{"resource": {}, "provider": {"aws": {"region": "${var.r}"}}}',
            "region: is not written in the provider block",
        ),
    ],
)
def test_a_file_that_is_no_document_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "cdk.tf.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as refused:
        read_document(path)
    assert str(refused.value).startswith(f"{path}: {message}")


def test_lines_are_those_of_the_file(stack: Stack) -> None:
    document = stack(
        {
            "thing": {
                "one": {"a": 'a "quoted": {text}, [x]', "b": {"c": [1, 2, {"d": "e"}], "f\u00e9": []}},
                "two": {"a": 1},
            }
        },
        data={"thing": {"one": {"a": 1}}},
        output={"o": {"value": "x"}},
    )
    written = document.path.read_text(encoding="utf-8").splitlines()

    def line(address: str, attribute: str = "") -> str:
        number = document.line_of(address, attribute)
        assert number is not None
        return written[number - 1].strip()

    assert line("thing.one").startswith('"one": {')
    assert line("thing.one", "a").startswith('"a": "a \\"quoted')
    assert line("thing.one", "b.c.2.d") == '"d": "e"'
    assert line("thing.one", "b.f\u00e9") == json.dumps("f\u00e9") + ": []"
    assert line("thing.one", "b.missing") == '"b": {'
    assert line("thing.two", "a") == '"a": 1'
    assert document.line_of("thing.two") != document.line_of("thing.one")
    assert document.line_of("data.thing.one") != document.line_of("thing.one")
    assert line("output.o", "value") == '"value": "x"'
    assert document.line_of("thing.three") is None


@pytest.mark.parametrize(("path", "name"), [("dev/cdk.tf.json", "dev"), ("tfplan.json", "tfplan")])
def test_the_name_is_that_of_the_stack(tmp_path: Path, path: str, name: str) -> None:
    file = tmp_path / path
    file.parent.mkdir(exist_ok=True)
    file.write_text('{"resource": {}, "provider": {"aws": {"region": "eu-west-1"}}}', encoding="utf-8")
    assert read_document(file).name == name
