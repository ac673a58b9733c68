"""Approvals of new access: what they let pass, what they do not, and what is wrong with the file."""

from __future__ import annotations

import json
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gatehouse.access.diff import Difference, Judged, compare, judge
from gatehouse.access.diff.approvals import parse_approvals
from gatehouse.access.diff.outputs import WRITERS, Report, as_json, as_markdown, as_text
from gatehouse.errors import InputError
from tests.unit.test_access_diff import BUCKET, Blocks, blocks, read_policy, statement, world

TODAY = date(2026, 11, 24)
REASON = "The readers build a report over all teams, which the data protection officer has agreed to."


def approval(principal: str = "reader", do: str = "s3:GetObject", **fields: str) -> str:
    values = {"reason": REASON, "owner": "ml-platform", "expires": "2027-06-30", **fields}
    lines = [f"  - principal: {json.dumps(principal)}", f"    do: {do}"]
    return "\n".join([*lines, *(f"    {name}: {json.dumps(value)}" for name, value in values.items())])


def listed(*approvals: str) -> str:
    return "\n".join(["approvals:", *approvals]) + "\n"


def widen(content: Blocks) -> None:
    read_policy(content)[0]["Resource"] = f"{BUCKET}/workspaces/*"
    read_policy(content)[0]["Action"] = ["s3:GetObject", "s3:GetObjectTagging"]


@pytest.fixture(scope="module")
def difference(tmp_path_factory: pytest.TempPathFactory) -> Difference:
    folder = tmp_path_factory.mktemp("sides")
    new = blocks()
    widen(new)
    return compare(world(folder / "old", blocks()), world(folder / "new", new))


def judged(difference: Difference, *approvals: str, spent: tuple[str, ...] = ()) -> Judged:
    old = parse_approvals(listed(*spent), "old.yaml", TODAY) if spent else ()
    placed = parse_approvals(listed(*approvals), "a.yaml", TODAY) if approvals else ()
    return judge(difference, placed, [one.approval for one in old], TODAY)


def refused(verdict: Judged) -> set[str]:
    return {action for one in verdict.refused for action in one.actions}


BOTH = (approval(), approval(do="s3:GetObjectTagging"))


def test_new_access_needs_an_approval(difference: Difference) -> None:
    verdict = judged(difference)
    assert not verdict.sound
    assert refused(verdict) == {"s3:GetObject", "s3:GetObjectTagging"}


def test_approved_access_passes(difference: Difference) -> None:
    verdict = judged(difference, *BOTH)
    assert verdict.sound
    assert {by.place for _, placed in verdict.approved for by in placed} == {"a.yaml:2", "a.yaml:7"}


def test_a_pattern_approves_all_actions_that_it_names(difference: Difference) -> None:
    assert judged(difference, approval(do="s3:GetObject*")).sound


def test_what_is_not_approved_stays_open_with_a_request_of_it(difference: Difference) -> None:
    verdict = judged(difference, approval())
    assert refused(verdict) == {"s3:GetObjectTagging"}
    assert {one.witness.request.action for one in verdict.refused} == {"s3:GetObjectTagging"}
    assert all(one.witness.decision.allowed for one in verdict.refused)


def test_an_approval_for_one_principal_is_not_for_another(difference: Difference) -> None:
    verdict = judged(difference, approval("st-fraud-reader", do="s3:GetObject*"))
    assert {one.subject.team for one in verdict.refused} == {"pricing"}


def test_an_approval_of_some_resources_leaves_the_others(difference: Difference) -> None:
    verdict = judged(difference, approval(do="s3:GetObject*", on=f"{BUCKET}/workspaces/shared/*"))
    assert verdict.refused
    for one in verdict.refused:
        assert "/workspaces/shared/" not in one.witness.request.resource.arn


def test_an_approval_of_all_resources_that_are_new_covers_them(difference: Difference) -> None:
    assert judged(difference, approval(do="s3:GetObject*", on=f"{BUCKET}/workspaces/*")).sound


def test_an_approval_that_approves_nothing_fails(difference: Difference) -> None:
    verdict = judged(difference, *BOTH, approval(do="s3:PutObject"), approval(on="arn:aws:s3:::elsewhere/*"))
    assert not verdict.sound
    assert not verdict.refused
    assert [one.partition(":")[2].split(":")[0] for one in verdict.complaints] == ["12", "17"]
    assert "approves nothing. Fix: remove it" in verdict.complaints[0]


def test_an_approval_that_has_expired_counts_no_more(difference: Difference) -> None:
    verdict = judged(difference, approval(do="s3:GetObject*", expires="2026-11-23"))
    assert refused(verdict) == {"s3:GetObject", "s3:GetObjectTagging"}
    assert "has expired on 2026-11-23" in verdict.complaints[0]
    assert judged(difference, approval(do="s3:GetObject*", expires="2026-11-24")).sound


def test_an_approval_of_the_old_revision_is_spent(difference: Difference) -> None:
    assert not judged(difference, *BOTH, spent=BOTH).sound
    unused = approval(do="s3:PutObject")
    assert judged(difference, *BOTH, unused, spent=(unused,)).sound


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nothing", "holds no approvals"),
        (listed(approval(do="s3:GetObjekt")), 'no action of AWS. Fix: write "s3:GetObject"'),
        (listed(approval(do="registry:delte")), 'write "registry:delete"'),
        (listed(approval(do="'*'")), "a capability or an action"),
        (listed(approval(on="arn:aws:s3:::b/${aws:x")), "opens no variable"),
        (listed(approval(reason="because")), "reason"),
        (listed(approval(expires="2027-02-30")), "is not in the calendar"),
        (listed(approval(expires="2029-01-01")), "more than 400 days"),
        (listed(approval(since="x")), "since"),
        (listed(approval(), approval()), "is approved for reader already, in line 2"),
        (listed("  - principal: reader"), '"do"'),
    ],
)
def test_a_file_with_mistakes_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        parse_approvals(text, "a.yaml", TODAY)
    assert said in str(error.value)
    assert str(error.value).startswith("a.yaml:")


def test_a_principal_that_does_not_exist_is_refused(difference: Difference) -> None:
    with pytest.raises(InputError, match=r'is in neither document.*write "reader"'):
        judged(difference, approval("raeder"))


@pytest.mark.parametrize("form", WRITERS)
def test_every_form_names_principal_action_request_and_statement(difference: Difference, form: str) -> None:
    text = WRITERS[form](Report(difference, judged(difference, approval()), "old.json", "new.json"))
    for part in ("reader", "s3:GetObjectTagging", "workspaces/", "Own", "new.json:", "a.yaml:2"):
        assert part in text.replace("\\", ""), part
    assert "1 new and not approved, 1 new and approved" in text.replace("\\", "")


def test_roles_of_one_persona_are_one_entry(difference: Difference) -> None:
    text = as_text(Report(difference, judged(difference), "old", "new"))
    assert "reader of fraud, pricing: s3:GetObjectTagging on objects of artifacts" in text


def test_the_json_can_be_read(difference: Difference) -> None:
    content = json.loads(as_json(Report(difference, judged(difference), "old", "new")))
    assert content["sound"] is False
    first = content["new_access"][0]
    assert first["before"]["decision"] == "ImplicitlyDenied"
    assert first["after"] == {
        "decision": "Allowed",
        "layer": "identity_policies",
        "policy": "aws_iam_policy.read.policy",
        "sid": "Own",
        "place": first["after"]["place"],
    }


class Tags(HTMLParser):
    """Collects the elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        assert not attrs


def test_nothing_in_a_document_is_markup_in_the_comment(tmp_path: Path) -> None:
    new = blocks()
    read_policy(new).append(
        statement(
            "Allow",
            "s3:GetObject",
            Sid="Evil",
            Resource="arn:aws:s3:::b/</pre></details>\n# <script>alert(1)</script> @everyone [x](http://x) ``` *",
        )
    )
    difference = compare(world(tmp_path / "old", blocks()), world(tmp_path / "new", new))
    text = as_markdown(Report(difference, judged(difference), "old@x", "<img src=x>\n# title"))
    parser = Tags()
    parser.feed(text)
    assert parser.found <= {"details", "summary", "b", "pre", "code", "br"}
    assert "@" not in text
    assert text.count("</pre>") == text.count("<pre>")
    assert not any(line.startswith("# ") for line in text.splitlines())


def test_a_long_comment_says_that_there_is_more(difference: Difference) -> None:
    verdict = judged(difference)
    many = Judged(
        tuple(
            type(one)(**{**vars(one), "do": f"capability:{place}"})
            for place in range(200)
            for one in verdict.refused
        ),
        (),
        (),
        (),
    )
    text = as_markdown(Report(difference, many, "old", "new"))
    assert len(text) < 65_536
    assert "There is more" in text
    assert text.count("<details>") == text.count("</details>")
