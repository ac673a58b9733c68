"""The comparison of the shipped development stack with small changes of it; requests are replayed in both."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatehouse.access import evaluate
from gatehouse.access.diff import Difference, Direction, compare
from gatehouse.access.world import World
from gatehouse.document import read_document
from tests.synth.template import Template

Json = dict[str, Any]
Edit = Callable[[Json], None]
Compare = Callable[[Edit], Difference]


@pytest.fixture
def compared(dev: Template, tmp_path: Path) -> Compare:
    """Return the comparison of the stack with an edited one."""

    def run(edit: Edit) -> Difference:
        content: Json = json.loads(dev.path.read_text(encoding="utf-8"))
        edit(content["resource"])
        path = tmp_path / "cdk.tf.json"
        path.write_text(json.dumps(content, indent=2), encoding="utf-8")
        difference = compare(World.of(read_document(dev.path)), World.of(read_document(path)))
        for one in difference.changes:
            assert evaluate(one.witness.request, one.questions[0].policies).allowed
            assert one.unless is None or not evaluate(one.witness.request, one.unless).allowed
        return difference

    return run


def on(kind: str, name: str, sid: str, change: Callable[[Json, list[Json]], object]) -> Edit:
    """Return the edit of one statement of a policy; ``change`` gets it, and the list in which it is."""

    def edit(resources: Json) -> None:
        resource = resources[kind][name]
        policy = json.loads(resource["policy"])
        (found,) = (one for one in policy["Statement"] if one.get("Sid") == sid)
        change(found, policy["Statement"])
        resource["policy"] = json.dumps(policy)

    return edit


def of(difference: Difference, direction: Direction = Direction.NEW) -> set[tuple[str, str]]:
    """Return principals with capabilities or actions, of which there are none of the other direction."""
    assert {one.direction for one in difference.changes} <= {direction}
    return {(one.subject.group, one.do or one.actions[0]) for one in difference.changes}


def test_the_same_stack_asks_nothing(compared: Compare) -> None:
    difference = compared(lambda _: None)
    assert (difference.changes, difference.notes, difference.asked) == ((), (), 0)


def test_other_names_and_order_are_no_change(compared: Compare) -> None:
    def edit(resources: Json) -> None:
        for kind in ("aws_s3_bucket_policy", "aws_iam_policy"):
            for resource in resources[kind].values():
                policy = json.loads(resource["policy"])
                policy["Statement"].reverse()
                for place, one in enumerate(policy["Statement"]):
                    one["Sid"] = f"Renamed{place}"
                resource["policy"] = json.dumps(policy)

    assert compared(edit).changes == ()


def test_the_removed_deny_of_plain_http_is_new_access(compared: Compare) -> None:
    difference = compared(
        on(
            "aws_s3_bucket_policy",
            "storage_artifacts_policy",
            "DenyWithoutTls",
            lambda one, all_: all_.remove(one),
        )
    )
    assert {("data-scientist", "s3:GetObject"), ("team-admin", "s3:DeleteObject")} <= of(difference)
    keys = {one.witness.request.context["aws:securetransport"] for one in difference.changes}
    assert keys == {"false"}


def test_a_removed_deny_behind_which_another_one_stands_is_no_change(compared: Compare) -> None:
    edit = on(
        "aws_iam_policy",
        "identity_boundary_team",
        "NeverDeleteWithoutMfa",
        lambda one, all_: all_.remove(one),
    )
    difference = compared(edit)
    assert difference.changes == ()
    assert difference.asked > 0


def test_a_route_more_is_its_capability(compared: Compare) -> None:
    def more(one: Json, _: list[Json]) -> None:
        given = one["Resource"] if isinstance(one["Resource"], list) else [one["Resource"]]
        start = given[0].partition("/api/GET/")[0]
        path = "api/2.0/mlflow/registered-models/create"
        one["Resource"] = [*given, f"{start}/api/POST/$${{aws:PrincipalTag/team}}/{path}"]

    edit = on("aws_iam_policy", "identity_model_server_routes_1", "RegistryRead", more)
    difference = compared(edit)
    assert of(difference) == {("model-server", "registry:register")}


def test_a_role_without_mfa_is_new_trust(compared: Compare) -> None:
    def edit(resources: Json) -> None:
        (role,) = (
            one for one in resources["aws_iam_role"].values() if one["name"].endswith("-pricing-team-admin")
        )
        policy = json.loads(role["assume_role_policy"])
        del policy["Statement"][0]["Condition"]["Bool"]
        role["assume_role_policy"] = json.dumps(policy)

    difference = compared(edit)
    assert of(difference) == {("own-account", "sts:AssumeRole")}
    assert {one.witness.request.context["aws:multifactorauthpresent"] for one in difference.changes} == {
        "false"
    }


def test_a_wider_network_is_new_access_by_capability(compared: Compare) -> None:
    def wide(one: Json, _: list[Json]) -> None:
        one["Condition"]["NotIpAddress"]["aws:SourceIp"] = ["198.51.100.0/23"]

    difference = compared(on("aws_api_gateway_rest_api_policy", "api_policy", "DenyOutsideNetwork", wide))
    found = of(difference)
    assert {("data-scientist", "registry:read"), ("team-admin", "artifacts:delete")} <= found
    assert ("data-scientist", "registry:delete") not in found
    assert {one.witness.request.context["aws:sourceip"] for one in difference.changes} == {"198.51.101.1"}
