"""Plans as JSON: what is none, what is not one of the whole document, and how one is laid over the document."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from gatehouse.scan.findings import ScanError
from gatehouse.scan.plan import Plan, read_plan, without_instances

Json = dict[str, Any]
PLACE = "cdktf.out/stacks/dev/cdk.tf.json"
DOCUMENT: Json = {
    "resource": {
        "aws_s3_bucket": {
            "//": {},
            "b": {
                "bucket": "x-${data.aws_caller_identity.account.account_id}",
                "depends_on": ["aws_iam_role.r"],
            },
        },
        "aws_s3_bucket_policy": {
            "p": {"bucket": "${aws_s3_bucket.b.id}", "policy": '{"Statement": "${x.y.z}"}'}
        },
        "aws_iam_role": {"r": {"name": "reader", "assume_role_policy": '{"Statement": []}'}},
    },
    "variable": {"days": {"default": 7}},
}


def planned(address: str, *, unknown: object = None, **values: object) -> tuple[Json, Json]:
    """Return a resource of planned_values, and its entry in resource_changes."""
    bare = without_instances(address)
    kind, name = bare.split(".")[-2:]
    one = {"address": address, "mode": "managed", "type": kind, "name": name, "values": values}
    return one, {"address": address, "change": {"actions": ["create"], "after_unknown": unknown or {}}}


WHOLE = (
    planned("aws_s3_bucket.b", bucket="x-123456789012", force_destroy=False),
    planned("aws_s3_bucket_policy.p", unknown={"bucket": True, "policy": True}),
    planned("aws_iam_role.r", name="reader", assume_role_policy='{"Statement": ["${aws:username}"]}'),
)


def plan_of(*resources: tuple[Json, Json]) -> Json:
    return {
        "format_version": "1.2",
        "planned_values": {"root_module": {"resources": [one for one, _change in resources]}},
        "resource_changes": [change for _one, change in resources],
    }


def read(tmp_path: Path, content: object, document: Json | None = None) -> Plan:
    path = tmp_path / "tfplan.json"
    path.write_text(json.dumps(content))
    return read_plan(path, document or DOCUMENT, PLACE)


def refusal(tmp_path: Path, content: object) -> str:
    with pytest.raises(ScanError) as refused:
        read(tmp_path, content)
    assert refused.value.exit_code == 2
    message = str(refused.value)
    assert message.startswith(f"{tmp_path / 'tfplan.json'}: ")
    assert ". Fix: " in message
    assert "\n" not in message
    return message


class TestRefused:
    """What is no plan, or not one of the whole document."""

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(
            ScanError, match=r"tfplan\.json: cannot be read: No such file.*Fix: terraform plan"
        ):
            read_plan(tmp_path / "tfplan.json", DOCUMENT, PLACE)

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"[" * 100_000])
    def test_no_json(self, tmp_path: Path, content: bytes) -> None:
        """A plan as terraform keeps it is an archive."""
        path = tmp_path / "tfplan.json"
        path.write_bytes(content)
        with pytest.raises(ScanError, match=r"is not JSON.*terraform show -json"):
            read_plan(path, DOCUMENT, PLACE)

    @pytest.mark.parametrize("missing", ["format_version", "planned_values"])
    def test_no_plan(self, tmp_path: Path, missing: str) -> None:
        content = plan_of(*WHOLE)
        del content[missing]
        assert "is no plan: it has no format_version and planned_values" in refusal(tmp_path, content)

    @pytest.mark.parametrize("content", [[], 7, {"format_version": "1.0", "values": {}}])
    def test_no_plan_at_all(self, tmp_path: Path, content: object) -> None:
        assert "is no plan" in refusal(tmp_path, content)

    def test_a_format_that_is_not_known(self, tmp_path: Path) -> None:
        assert "format 2.0" in refusal(tmp_path, {**plan_of(*WHOLE), "format_version": "2.0"})

    def test_a_plan_that_failed(self, tmp_path: Path) -> None:
        assert "run that failed" in refusal(tmp_path, {**plan_of(*WHOLE), "errored": True})

    def test_a_resource_that_is_not_planned(self, tmp_path: Path) -> None:
        message = refusal(tmp_path, plan_of(*WHOLE[1:]))
        assert f"does not plan aws_s3_bucket.b of {PLACE}. Fix: plan the whole of it anew" in message

    def test_a_plan_to_destroy(self, tmp_path: Path) -> None:
        assert "does not plan aws_iam_role.r, aws_s3_bucket.b" in refusal(tmp_path, plan_of())

    def test_a_plan_of_another_document(self, tmp_path: Path) -> None:
        message = refusal(tmp_path, plan_of(*WHOLE, planned("aws_kms_key.k")))
        assert f"plans aws_kms_key.k, which {PLACE} has not" in message

    def test_a_module_that_is_not_declared(self, tmp_path: Path) -> None:
        content = plan_of(*WHOLE)
        child = {"resources": [planned("module.m.aws_kms_key.k")[0]]}
        content["planned_values"]["root_module"]["child_modules"] = [child]
        assert "plans module.m.aws_kms_key.k" in refusal(tmp_path, content)


class TestLaidOver:
    """The document with the planned values in it."""

    def test_planned_values_stand_in_it_and_nothing_of_the_document_is_lost(self, tmp_path: Path) -> None:
        before = copy.deepcopy(DOCUMENT)
        plan = read(tmp_path, plan_of(*WHOLE))
        assert plan.terraform["resource"]["aws_s3_bucket"]["b"] == {
            "bucket": "x-123456789012",
            "force_destroy": False,
            "depends_on": ["aws_iam_role.r"],
        }
        assert plan.terraform["variable"] == DOCUMENT["variable"]
        assert plan.resources == {"aws_s3_bucket.b", "aws_s3_bucket_policy.p", "aws_iam_role.r"}
        assert before == DOCUMENT

    def test_what_is_unknown_is_that_of_the_document_and_is_counted(self, tmp_path: Path) -> None:
        plan = read(tmp_path, plan_of(*WHOLE))
        policy = DOCUMENT["resource"]["aws_s3_bucket_policy"]["p"]
        assert plan.terraform["resource"]["aws_s3_bucket_policy"]["p"] == policy
        assert (plan.policies, plan.unknown) == (2, ("aws_s3_bucket_policy.p.policy",))

    def test_an_unknown_policy_that_the_document_does_not_set_is_not_counted(self, tmp_path: Path) -> None:
        """S3 says what policy a bucket has; the attribute is not ours."""
        bucket = planned("aws_s3_bucket.b", unknown={"policy": True}, bucket="x")
        assert read(tmp_path, plan_of(bucket, *WHOLE[1:])).policies == 2

    def test_policy_variables_stay_text(self, tmp_path: Path) -> None:
        written = read(tmp_path, plan_of(*WHOLE)).terraform["resource"]["aws_iam_role"]["r"]
        assert written["assume_role_policy"] == '{"Statement": ["$${aws:username}"]}'

    @pytest.mark.parametrize(
        ("written", "value", "unknown", "laid"),
        [
            ("${var.days}", 30, None, 30),
            ("${aws_kms_key.k.arn}", "arn:aws:kms:key", None, "${aws_kms_key.k.arn}"),
            ("${data.aws_x.y.ids[0]}", "a", None, "${data.aws_x.y.ids[0]}"),
            ("a-${aws_kms_key.k.arn}", "a-b", None, "a-b"),
            ("${var.days}", None, None, "${var.days}"),
            ({"size": "${var.days}"}, [{"size": 7, "type": "gp3"}], [{}], {"size": 7, "type": "gp3"}),
            ({"size": 7, "key": "${a.b.c}"}, [{"size": 8}], [{"key": True}], {"size": 8, "key": "${a.b.c}"}),
            ([{"a": 1}, {"a": 2}], [{"a": 3}, {"a": 4}], [{}, {}], [{"a": 3}, {"a": 4}]),
            (["${a.b.c}", "x"], ["id", "y"], None, ["${a.b.c}", "y"]),
            (["${a.b.c}"], [None], [True], ["${a.b.c}"]),
            ([{"a": "${a.b.c}"}], [{"a": None}, {"a": 1}], [{"a": True}, {}], [{"a": "${a.b.c}"}]),
            (["a"], ["b", "c"], None, ["b", "c"]),
            ({"t": "${var.x}"}, {"t": "%{x}", "u": 1}, {}, {"t": "%%{x}", "u": 1}),
        ],
    )
    def test_every_form_of_value(
        self, tmp_path: Path, written: object, value: object, unknown: object, laid: object
    ) -> None:
        document = copy.deepcopy(DOCUMENT)
        document["resource"]["aws_s3_bucket"]["b"]["x"] = written
        bucket = planned("aws_s3_bucket.b", unknown={"x": unknown} if unknown else {}, x=value)
        plan = read(tmp_path, plan_of(bucket, *WHOLE[1:]), document)
        assert plan.terraform["resource"]["aws_s3_bucket"]["b"]["x"] == laid

    def test_every_instance_is_there(self, tmp_path: Path) -> None:
        document = copy.deepcopy(DOCUMENT)
        document["resource"]["aws_kms_key"] = {"k": {"for_each": "${var.names}"}, "none": {"count": 0}}
        keys = (planned(f'aws_kms_key.k["{name}"]', description=name) for name in ("a", "b.c[0]"))
        plan = read(tmp_path, plan_of(*WHOLE, *keys), document)
        made = plan.terraform["resource"]["aws_kms_key"]
        assert made['k["b.c[0]"]'] == {"for_each": "${var.names}", "description": "b.c[0]"}
        assert {without_instances(f"aws_kms_key.{name}") for name in made} == {
            "aws_kms_key.k",
            "aws_kms_key.none",
        }

    def test_resources_of_a_module_are_there(self, tmp_path: Path) -> None:
        content = plan_of(*WHOLE)
        child = {"resources": [planned('module.m["x"].aws_kms_key.k', description="d")[0]]}
        content["planned_values"]["root_module"]["child_modules"] = [child]
        plan = read(tmp_path, content, {**DOCUMENT, "module": {"m": {"source": "./m"}}})
        assert 'module.m["x"].aws_kms_key.k' in plan.resources
        (made,) = plan.terraform["resource"]["aws_kms_key"].values()
        assert made == {"description": "d"}


@pytest.mark.parametrize(
    ("address", "bare"),
    [
        ("aws_subnet.this", "aws_subnet.this"),
        ("aws_subnet.this[0]", "aws_subnet.this"),
        ('aws_subnet.this["a.b[0]"]', "aws_subnet.this"),
        ('aws_subnet.this["a\\"]"]', "aws_subnet.this"),
        ('module.a["x"].data.aws_subnet.this[1]', "module.a.data.aws_subnet.this"),
        ('aws_subnet.module.a["x"].aws_subnet.this', "module.a.aws_subnet.this"),
    ],
)
def test_addresses_are_those_of_the_configuration(address: str, bare: str) -> None:
    assert without_instances(address) == bare
