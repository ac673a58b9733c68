"""Policies and the templates that make them: what counts as made by a template, and what does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatehouse.scan.findings import Finding
from gatehouse.scan.policy_templates import DIFFERING, UNTEMPLATED, lint_templates
from gatehouse.scan.template_pattern import UnreadableTemplateError

Statement = dict[str, Any]
#: Statements of a bucket's policy, or the whole text of its template; returns what is found of one policy each.
Lint = Callable[..., list[Finding]]

READ: Statement = {"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
READ_BY_NAME = json.dumps(READ).replace(":b/", ":{{ bucket }}/")


def statements(*written: str) -> str:
    """The text of a template with these statements, written as they stand."""
    return '{"Version": "2012-10-17", "Statement": [' + "\n".join(written) + "]}"


@pytest.fixture
def lint(tmp_path: Path) -> Lint:
    """What is found of bucket policies if there is one template for them, with others that it includes."""

    def found(template: str, *policies: list[Statement], **included: str) -> list[Finding]:
        folder = tmp_path / "templates"
        texts = {
            "personas/_macros": "",
            "buckets/only": template,
            **{f"buckets/{k}": v for k, v in included.items()},
        }
        for name, text in texts.items():
            path = folder / "policies" / f"{name}.json.j2"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        documents = [json.dumps({"Version": "2012-10-17", "Statement": listed}) for listed in policies]
        named = {f"bucket_{number}": {"policy": document} for number, document in enumerate(documents)}
        return lint_templates({"resource": {"aws_s3_bucket_policy": named}}, folder, tmp_path / "own")

    return found


def changed(**elements: object) -> Statement:
    return {**READ, **elements}


def conditional(test: str, statement: Statement) -> str:
    return f"{{% if {test} %}},{json.dumps(statement)}{{% endif %}}"


TAGGED = changed(Sid="Tagged", Condition={"StringEquals": {"aws:PrincipalTag/team": "a"}})
SECOND, THIRD = changed(Sid="Second"), changed(Sid="Third")
NAMED = json.dumps(TAGGED).replace('"a"', "{{ teams | tojson }}")
LOOP = (
    '{% for one in roles %}{"Sid": "{{ one.name }}", "Effect": "Allow", "Action": "sts:{{ one.name }}", '
    '"Resource": "*"}{{ "," if not loop.last }}{% endfor %}'
)


def role(name: str, action: str = "") -> Statement:
    return {"Sid": name, "Effect": "Allow", "Action": f"sts:{action or name}", "Resource": "*"}


#: What shows, the template, a policy that it makes, and one that it does not.
CASES: list[tuple[str, str, list[Statement], list[Statement]]] = [
    ("an action", statements(READ_BY_NAME), [READ], [changed(Action="s3:PutObject")]),
    ("one more action", statements(READ_BY_NAME), [READ], [changed(Action=["s3:GetObject", "s3:PutObject"])]),
    ("an effect", statements(READ_BY_NAME), [READ], [changed(Effect="Deny")]),
    ("a statement", statements(READ_BY_NAME), [READ], [READ, SECOND]),
    ("no statement", statements(READ_BY_NAME, ",", json.dumps(SECOND)), [READ, SECOND], [READ]),
    ("a condition", statements(json.dumps(TAGGED)), [TAGGED], [{**READ, "Sid": "Tagged"}]),
    ("text around a value", statements(READ_BY_NAME), [READ], [changed(Resource="arn:aws:s3:::b")]),
    (
        "a list as a value",
        statements(NAMED),
        [TAGGED],
        [changed(Sid="Tagged", Condition={"Bool": {"a": "b"}})],
    ),
    (
        "the same name twice",
        statements(READ_BY_NAME, ",", READ_BY_NAME.replace("Read", "Second")),
        [READ, SECOND],
        [READ, changed(Sid="Second", Resource="arn:aws:s3:::c/*")],
    ),
    (
        "the same question twice",
        statements(READ_BY_NAME, conditional("wide", SECOND), conditional("wide", THIRD)),
        [READ, SECOND, THIRD],
        [READ, THIRD],
    ),
    (
        "the opposite question",
        statements(READ_BY_NAME, conditional("wide", SECOND), conditional("not wide", THIRD)),
        [READ, THIRD],
        [READ, SECOND, THIRD],
    ),
    (
        "the question in other words",
        statements(READ_BY_NAME, conditional("part == 'a'", SECOND), conditional("part != 'a'", THIRD)),
        [READ, SECOND],
        [READ],
    ),
    (
        "questions together",
        statements(READ_BY_NAME, conditional("a and b", SECOND), conditional("a or b", THIRD)),
        [READ, THIRD],
        [READ, SECOND],
    ),
    (
        "otherwise",
        statements(
            f"{{% if a %}}{json.dumps(READ)}{{% elif b %}}{json.dumps(SECOND)}",
            f"{{% else %}}{json.dumps(THIRD)}{{% endif %}}",
        ),
        [THIRD],
        [changed(Sid="Fourth")],
    ),
    (
        "a name that is set",
        "{% set bucket = 'b' %}" + statements(READ_BY_NAME),
        [READ],
        [changed(Resource="arn:aws:s3:::c/*")],
    ),
    (
        "a choice that is set",
        "{% set bucket = 'b' if one else 'c' %}" + statements(READ_BY_NAME),
        [changed(Resource="arn:aws:s3:::c/*")],
        [changed(Resource="arn:aws:s3:::d/*")],
    ),
    (
        "names joined",
        "{% set bucket = prefix ~ '-logs' %}" + statements(READ_BY_NAME),
        [changed(Resource="arn:aws:s3:::b-logs/*")],
        [READ],
    ),
    ("rounds of a loop", statements(LOOP), [role("A"), role("B")], [role("A"), role("B", "C")]),
    (
        "a loop over what is written",
        statements(
            '{% for sid in ("A", "B") %}', json.dumps(role("A")).replace('"A"', '"{{ sid }}"'), "{% endfor %}"
        ),
        [role("A"), {**role("A"), "Sid": "B"}],
        [role("A"), {**role("A"), "Sid": "C"}],
    ),
    (
        "a macro",
        '{% macro read(name) %}{"Sid": "{{ name }}", "Effect": "Deny", "Action": "*", "Resource": "*"}{% endmacro %}'
        + statements("{{ read('Never') }}"),
        [{"Sid": "Never", "Effect": "Deny", "Action": "*", "Resource": "*"}],
        [{"Sid": "Never", "Effect": "Allow", "Action": "*", "Resource": "*"}],
    ),
    (
        "a list of values",
        statements(READ_BY_NAME.replace('"arn:aws:s3:::{{ bucket }}/*"', "{{ [one, 'b'] | tojson }}")),
        [changed(Resource=["a", "b"])],
        [changed(Resource=["a", "c"])],
    ),
    (
        "one value or another",
        statements(READ_BY_NAME.replace('"arn:aws:s3:::{{ bucket }}/*"', "{{ (given or ['b']) | tojson }}")),
        [changed(Resource=["a"])],
        [changed(Resource=["a"], Condition={})],
    ),
]


@pytest.mark.parametrize(
    ("template", "made", "other"), [pytest.param(*case[1:], id=case[0]) for case in CASES]
)
def test_a_policy_is_what_the_template_makes(
    lint: Lint, template: str, made: list[Statement], other: list[Statement]
) -> None:
    assert lint(template, made) == []
    (one,) = lint(template, made, other)
    assert (one.check, one.address, one.place) == (UNTEMPLATED, "aws_s3_bucket_policy.bucket_1", "policy")
    assert one.detail == "no template makes this bucket policy"


def test_a_template_includes_others(lint: Lint) -> None:
    template = statements('{% include "policies/buckets/_second.json.j2" %}')
    assert lint(template, [SECOND], _second=json.dumps(SECOND)) == []
    assert [one.check for one in lint(template, [THIRD], _second=json.dumps(SECOND))] == [UNTEMPLATED]


def test_a_template_includes_others_by_a_name_that_is_not_known(lint: Lint) -> None:
    template = statements('{% include "policies/buckets/" ~ kind ~ ".json.j2" %}')
    parts = {"second": json.dumps(SECOND), "_third": json.dumps(THIRD)}
    assert lint(template, [SECOND], **parts) == []
    assert [one.check for one in lint(template, [THIRD], **parts)] == [UNTEMPLATED], "a part of others alone"


def test_the_statements_of_one_template_may_be_cut(lint: Lint) -> None:
    """A persona's policy is: commas between its statements come from nowhere."""
    template = statements(READ_BY_NAME, ",", LOOP, ",")
    assert lint(template, [READ], [READ, role("A")]) == []


def test_white_space_does_not_count(lint: Lint) -> None:
    spaced = changed(Sid="Read", Condition={"StringLike": {"aws:PrincipalTag/team": "* *"}})
    assert lint(statements(json.dumps(spaced, indent=4)), [spaced]) == []


def test_a_policy_of_a_kind_without_templates(tmp_path: Path, lint: Lint) -> None:
    lint(statements(READ_BY_NAME))
    queue = {
        "aws_sqs_queue_policy": {"q": {"policy": json.dumps({"Statement": [{**READ, "Principal": "*"}]})}}
    }
    (one,) = lint_templates({"resource": queue}, tmp_path / "templates", tmp_path / "own")
    assert one.check == UNTEMPLATED


def test_a_projects_own_personas_have_their_templates_beside_the_environment_files(
    tmp_path: Path, lint: Lint
) -> None:
    lint(statements(READ_BY_NAME))
    policy = json.dumps({"Version": "2012-10-17", "Statement": [SECOND]})
    document = {"resource": {"aws_iam_policy": {"p": {"policy": policy}}}}
    folder, own = tmp_path / "templates", tmp_path / "own"
    assert [one.check for one in lint_templates(document, folder, own)] == [UNTEMPLATED]
    own.mkdir()
    (own / "mine.json.j2").write_text(statements(json.dumps(SECOND)), encoding="utf-8")
    assert lint_templates(document, folder, own) == []


def test_the_policies_of_a_stack_mean_the_same(lint: Lint) -> None:
    template = statements(READ_BY_NAME.replace("bucket", "artifact_bucket"))
    other = changed(Resource="arn:aws:s3:::theirs/*")
    (one,) = lint(template, [READ], [READ], [other])
    assert (one.check, one.address) == (DIFFERING, "aws_s3_bucket_policy.bucket_2")
    assert one.detail == "artifact_bucket is theirs here, b in other policies"


def test_what_a_template_is_given_may_differ_otherwise(lint: Lint) -> None:
    assert lint(statements(READ_BY_NAME), [READ], [READ], [changed(Resource="arn:aws:s3:::theirs/*")]) == []


def test_what_takes_too_long_to_read_counts_as_made_by_no_template(lint: Lint) -> None:
    template = statements(
        READ_BY_NAME.replace("{{ bucket }}", "{{ a }}{{ b }}{{ c }}{{ d }}{{ e }}"), ',{"Sid": "X"}'
    )
    assert [one.check for one in lint(template, [changed(Resource=f"arn:aws:s3:::{'b' * 60}/*")])] == [
        UNTEMPLATED
    ]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% block a %}{% endblock %}", "only.json.j2:1: Block is nothing that a policy template uses"),
        ("{% if %}", "cannot be read"),
    ],
)
def test_a_template_that_cannot_be_read_is_an_error(lint: Lint, template: str, message: str) -> None:
    with pytest.raises(UnreadableTemplateError, match=message):
        lint(template, [READ])
