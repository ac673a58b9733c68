"""The comparison of two small documents: what is new, what is lost, and that a request shows each of them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatehouse.access import Policies, evaluate
from gatehouse.access.diff import Change, Difference, Direction, compare
from gatehouse.access.world import World
from gatehouse.document import read_document

ACCOUNT = "111122223333"
BUCKET = "arn:aws:s3:::artifacts"
Blocks = dict[str, Any]
Edit = Callable[[Blocks], object]


def statement(effect: str, action: str, **elements: object) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, **elements}


def blocks() -> Blocks:
    """Return a stack of a persona in two teams, a server, and a bucket; policies as objects."""
    own = f"{BUCKET}/workspaces/${{aws:PrincipalTag/team}}/*"
    trust = statement(
        "Allow",
        "sts:AssumeRole",
        Principal={"AWS": ACCOUNT},
        Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    )
    return {
        "aws_iam_role": {
            team: {
                "name": f"st-{team}-reader",
                "path": "/st/reader/",
                "tags": {"team": team},
                "assume_role_policy": [copy.deepcopy(trust)],
                "permissions_boundary": "${aws_iam_policy.boundary.arn}",
            }
            for team in ("fraud", "pricing")
        },
        "aws_iam_policy": {
            "boundary": {"name": "boundary", "policy": [statement("Allow", "s3:*", Resource="*")]},
            "read": {
                "name": "read",
                "policy": [
                    statement("Allow", "s3:GetObject", Resource=own, Sid="Own"),
                    statement("Allow", "s3:ListBucket", Resource=BUCKET, Sid="Names"),
                ],
            },
        },
        "aws_iam_role_policy_attachment": {
            team: {"role": f"${{aws_iam_role.{team}.name}}", "policy_arn": "${aws_iam_policy.read.arn}"}
            for team in ("fraud", "pricing")
        },
        "aws_s3_bucket": {"b": {"bucket": "artifacts"}},
        "aws_s3_bucket_policy": {
            "b": {
                "bucket": "${aws_s3_bucket.b.id}",
                "policy": [
                    statement(
                        "Deny",
                        "s3:*",
                        Sid="Network",
                        Principal="*",
                        Resource=[BUCKET, f"{BUCKET}/*"],
                        Condition={"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/16"]}},
                    ),
                    statement(
                        "Deny",
                        "s3:*",
                        Sid="Tls",
                        Principal="*",
                        Resource=[BUCKET, f"{BUCKET}/*"],
                        Condition={"Bool": {"aws:SecureTransport": "false"}},
                    ),
                ],
            }
        },
    }


def written(content: Blocks) -> Blocks:
    """Return a stack with its policies as text."""
    found = copy.deepcopy(content)
    for resources in found.values():
        for attributes in resources.values():
            for name in ("policy", "assume_role_policy"):
                if name in attributes:
                    policy = {"Version": "2012-10-17", "Statement": attributes[name]}
                    attributes[name] = json.dumps(policy).replace("${aws:", "$${aws:")
    return found


def world(folder: Path, content: Blocks) -> World:
    folder.mkdir(exist_ok=True)
    path = folder / "cdk.tf.json"
    document = {"provider": {"aws": [{"region": "eu-west-1"}]}, "resource": written(content)}
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    return World.of(read_document(path))


Compare = Callable[..., Difference]


@pytest.fixture
def compared(tmp_path: Path) -> Compare:
    """Return the comparison of the stack with an edited one; ``before`` edits both."""

    def run(edit: Edit, before: Edit = lambda _: None) -> Difference:
        old = blocks()
        before(old)
        new = copy.deepcopy(old)
        edit(new)
        return compare(world(tmp_path / "old", old), world(tmp_path / "new", new))

    return run


def replayed(difference: Difference) -> list[Change]:
    """Return the changes, after each request was asked of both documents once more."""
    for one in difference.changes:
        assert evaluate(one.witness.request, one.questions[0].policies).allowed, one
        old = one.unless
        assert old is None or not evaluate(one.witness.request, old).allowed, one
        assert (one.before is None) == (old is None)
    return list(difference.changes)


def seen(difference: Difference, direction: Direction = Direction.NEW) -> set[tuple[str, str]]:
    """Return the principals and the first of the actions of every change; none is of another direction."""
    changes = replayed(difference)
    assert {one.direction for one in changes} <= {direction}
    return {(one.subject.group, one.actions[0]) for one in changes}


def bucket_policy(content: Blocks) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = content["aws_s3_bucket_policy"]["b"]["policy"]
    return found


def read_policy(content: Blocks) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = content["aws_iam_policy"]["read"]["policy"]
    return found


def trust(content: Blocks) -> dict[str, Any]:
    found: dict[str, Any] = content["aws_iam_role"]["fraud"]["assume_role_policy"][0]
    return found


def test_the_same_document_asks_nothing(compared: Compare) -> None:
    difference = compared(lambda _: None)
    assert (difference.changes, difference.notes, difference.asked) == ((), (), 0)


def rename(content: Blocks) -> None:
    for index, one in enumerate((*bucket_policy(content), *read_policy(content))):
        one["Sid"] = f"Renamed{index}"


def reorder(content: Blocks) -> None:
    bucket_policy(content).reverse()
    read_policy(content).reverse()
    bucket_policy(content)[0]["Resource"].reverse()


def spread(content: Blocks) -> None:
    """Write one statement as two, which says the same in other words."""
    listed = bucket_policy(content)
    both = listed.pop()
    listed += [{**both, "Sid": f"Tls{place}", "Resource": arn} for place, arn in enumerate(both["Resource"])]


@pytest.mark.parametrize("edit", [rename, reorder, spread])
def test_other_words_for_the_same_are_no_change(compared: Compare, edit: Edit) -> None:
    assert compared(edit).changes == ()


def test_other_words_are_compared_by_the_solver(compared: Compare) -> None:
    assert compared(spread).asked > 0


def widen_network(content: Blocks) -> None:
    bucket_policy(content)[0]["Condition"]["NotIpAddress"]["aws:SourceIp"] = ["10.0.0.0/15"]


def widen_prefix(content: Blocks) -> None:
    read_policy(content)[0]["Resource"] = f"{BUCKET}/workspaces/*"


def drop_deny(content: Blocks) -> None:
    del bucket_policy(content)[1]


def add_action(content: Blocks) -> None:
    read_policy(content)[0]["Action"] = ["s3:GetObject", "s3:DeleteObject"]


def add_elsewhere(content: Blocks) -> None:
    read_policy(content).append(statement("Allow", "s3:GetObject", Resource="arn:aws:s3:::other/*"))


def test_a_wider_network_is_new_access_from_there(compared: Compare) -> None:
    difference = compared(widen_network)
    assert {("reader", "s3:GetObject"), ("reader", "s3:ListBucket")} < seen(difference)
    assert {one.witness.request.context["aws:sourceip"][:5] for one in difference.changes} == {"10.1."}


def test_a_narrower_network_is_lost_access_alone(compared: Compare) -> None:
    narrow = compared(lambda new: bucket_policy(new)[0]["Condition"]["NotIpAddress"].update(
        {"aws:SourceIp": ["10.0.0.0/17"]}
    ))  # fmt: skip
    assert ("reader", "s3:GetObject") in seen(narrow, Direction.LOST)


def test_a_wider_prefix_is_new_access_to_another_team(compared: Compare) -> None:
    difference = compared(widen_prefix)
    assert seen(difference) == {("reader", "s3:GetObject")}
    for one in difference.changes:
        assert f"/workspaces/{one.subject.team}/" not in one.witness.request.resource.arn


def test_a_removed_deny_is_new_access(compared: Compare) -> None:
    difference = compared(drop_deny)
    assert ("reader", "s3:GetObject") in seen(difference)
    assert {one.witness.request.context["aws:securetransport"] for one in difference.changes} == {"false"}
    assert "own-account" in {one.subject.group for one in difference.changes}


def test_a_removed_condition_on_the_tag_is_new_access(compared: Compare) -> None:
    tag = {"StringEquals": {"aws:PrincipalTag/team": "fraud"}}

    def condition(content: Blocks) -> None:
        read_policy(content)[1]["Condition"] = tag

    difference = compared(lambda new: read_policy(new)[1].pop("Condition"), before=condition)
    assert seen(difference) == {("reader", "s3:ListBucket")}
    assert [one.subject.team for one in difference.changes] == ["pricing"]


def test_an_action_more_is_new_access_to_it(compared: Compare) -> None:
    assert seen(compared(add_action)) == {("reader", "s3:DeleteObject")}


def test_access_beyond_the_document_is_compared_too(compared: Compare) -> None:
    difference = compared(add_elsewhere)
    assert seen(difference) == {("reader", "s3:GetObject")}
    assert {one.target.label for one in difference.changes} == {"other s3 object"}


def test_a_boundary_that_gives_way_is_new_access(compared: Compare) -> None:
    def narrow(content: Blocks) -> None:
        content["aws_iam_policy"]["boundary"]["policy"] = [statement("Allow", "s3:GetObject", Resource="*")]

    def wide(content: Blocks) -> None:
        content["aws_iam_policy"]["boundary"]["policy"][0]["Action"] = "s3:*"

    assert seen(compared(wide, before=narrow)) == {("reader", "s3:ListBucket")}


def test_who_may_assume_a_role_is_access(compared: Compare) -> None:
    without_mfa = compared(lambda new: trust(new).pop("Condition"))
    assert ("own-account", "sts:AssumeRole") in seen(without_mfa)

    def more(content: Blocks) -> None:
        content["aws_iam_role"]["fraud"]["assume_role_policy"].append(
            statement("Allow", "sts:AssumeRole", Principal={"Service": "ec2.amazonaws.com"})
        )

    assert seen(compared(more)) == {("ec2.amazonaws.com", "sts:AssumeRole")}


def test_another_account_that_is_let_in_is_told(compared: Compare) -> None:
    def open_up(content: Blocks) -> None:
        bucket_policy(content).append(
            statement(
                "Allow", "s3:GetObject", Principal={"AWS": "444455556666"}, Resource=f"{BUCKET}/public/*"
            )
        )

    assert seen(compared(open_up)) == {("other-accounts", "s3:GetObject")}


def test_what_a_resource_grants_by_itself_is_new_within_the_account(compared: Compare) -> None:
    def grant(content: Blocks) -> None:
        bucket_policy(content).append(
            statement(
                "Allow",
                "s3:GetObject",
                Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/anna"},
                Resource=f"{BUCKET}/*",
            )
        )

    assert seen(compared(grant)) == {("own-account", "s3:GetObject")}


def test_everybody_that_is_let_in_is_told(compared: Compare) -> None:
    def open_up(content: Blocks) -> None:
        bucket_policy(content).append(
            statement("Allow", "s3:GetObject", Principal="*", Resource=f"{BUCKET}/*")
        )

    assert {
        ("anonymous", "s3:GetObject"),
        ("other-accounts", "s3:GetObject"),
        ("reader", "s3:GetObject"),
    } <= seen(compared(open_up))


def without(content: Blocks, team: str) -> None:
    for kind in ("aws_iam_role", "aws_iam_role_policy_attachment"):
        del content[kind][team]


def test_a_new_principal_has_all_that_it_can_do(compared: Compare) -> None:
    def add(content: Blocks) -> None:
        whole = blocks()
        for kind in ("aws_iam_role", "aws_iam_role_policy_attachment"):
            content[kind]["pricing"] = whole[kind]["pricing"]

    difference = compared(add, before=lambda old: without(old, "pricing"))
    readers = [one for one in replayed(difference) if one.subject.group == "reader"]
    assert {(one.subject.team, one.actions[0]) for one in readers} == {
        ("pricing", "s3:GetObject"),
        ("pricing", "s3:ListBucket"),
    }
    assert {one.before for one in readers} == {None}


def test_a_principal_that_goes_loses_all(compared: Compare) -> None:
    difference = compared(lambda new: without(new, "pricing"))
    assert {one.direction for one in replayed(difference)} == {Direction.LOST}
    assert ("reader", "s3:GetObject") in seen(difference, Direction.LOST)


def test_a_principal_with_another_tag_is_another_one(compared: Compare) -> None:
    difference = compared(lambda new: new["aws_iam_role"]["fraud"]["tags"].update(team="pricing"))
    directions = {one.direction for one in replayed(difference)}
    assert directions == set(Direction)


def test_tags_that_no_policy_asks_for_do_not_matter(compared: Compare) -> None:
    assert compared(lambda new: new["aws_iam_role"]["fraud"]["tags"].update(owner="somebody")).changes == ()


def test_a_public_access_block_that_is_gone_is_noted(compared: Compare) -> None:
    def on(content: Blocks) -> None:
        content["aws_s3_bucket_public_access_block"] = {
            "b": {"bucket": "${aws_s3_bucket.b.id}", "block_public_policy": True}
        }

    difference = compared(lambda new: new.pop("aws_s3_bucket_public_access_block"), before=on)
    assert difference.notes == (
        "aws_s3_bucket.b: block_public_policy of the public access block is off, and was on",
    )


def test_an_endpoint_that_lets_more_through_is_new_access_through_it(compared: Compare) -> None:
    def door(resource: str) -> Edit:
        def edit(content: Blocks) -> None:
            content["aws_vpc_endpoint"] = {
                "s3": {
                    "service_name": "com.amazonaws.eu-west-1.s3",
                    "vpc_id": "vpc-1",
                    "policy": [statement("Allow", "s3:*", Principal="*", Resource=resource)],
                }
            }

        return edit

    difference = compared(door("*"), before=door(f"{BUCKET}/workspaces/fraud/*"))
    changes = replayed(difference)
    assert ("reader", "s3:GetObject") in seen(difference)
    assert {"pricing"} == {
        one.subject.team for one in changes if one.actions == ("s3:GetObject",) and one.subject.team
    }
    assert "other s3 object" in {one.target.label for one in changes if one.subject.group == "own-account"}


def api(authorization: str, *statements: dict[str, Any]) -> Blocks:
    """Return an API with one method."""
    name = "${aws_api_gateway_rest_api.a.id}"
    policy = {"rest_api_id": name, "policy": list(statements)}
    return {
        "aws_api_gateway_rest_api": {"a": {"name": "st"}},
        "aws_api_gateway_stage": {"a": {"rest_api_id": name, "stage_name": "live"}},
        "aws_api_gateway_method": {
            "root": {
                "rest_api_id": name,
                "resource_id": "${aws_api_gateway_rest_api.a.root_resource_id}",
                "http_method": "GET",
                "authorization": authorization,
            }
        },
        **({"aws_api_gateway_rest_api_policy": {"a": policy}} if statements else {}),
    }


def test_a_method_that_asks_nobody_to_sign_in_is_new_access(compared: Compare) -> None:
    deny = statement("Deny", "execute-api:Invoke", Principal="*", Resource="*", Condition={
        "NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}
    })  # fmt: skip
    allow = statement("Allow", "execute-api:Invoke", Principal="*", Resource="*")

    def opened(*statements: dict[str, Any]) -> set[tuple[str, str]]:
        return seen(
            compared(
                lambda new: new.update(api("NONE", *statements)),
                before=lambda old: old.update(api("AWS_IAM", *statements)),
            )
        )

    assert opened() == {("anonymous", "execute-api:Invoke")}
    assert opened(allow, deny) == {("anonymous", "execute-api:Invoke")}
    assert opened(deny) == set()  # a policy must allow, where nothing else does


def test_policies_of_a_question_are_those_of_its_side(compared: Compare) -> None:
    change = compared(drop_deny).changes[0]
    assert isinstance(change.questions[0].policies, Policies)
    assert change.questions[0].policies is not change.unless
