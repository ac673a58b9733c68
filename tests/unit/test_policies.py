"""Rendering, escaping and measuring of policy documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatehouse import policies
from gatehouse.policies import Kind, PolicyError, escape, measure, parse_policy, render_policy
from gatehouse.quotas import REFERENCE_LENGTH

REFERENCE = "${TfToken[TOKEN.12]}"


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty templates folder in the place of the project's."""
    folder = tmp_path / "policies"
    folder.mkdir()
    monkeypatch.setattr(policies, "TEMPLATES", tmp_path)
    policies._environment.cache_clear()
    yield folder
    policies._environment.cache_clear()


def write(folder: Path, statement: str) -> None:
    (folder / "p.json.j2").write_text('{"Version": "2012-10-17", "Statement": [' + statement + "]}")


@pytest.mark.parametrize(("text", "escaped"), [
    ("plain", "plain"),
    ("${aws:PrincipalTag/team}", "$${aws:PrincipalTag/team}"),
    ("%{if}", "%%{if}"),
    ("$5 100% {}", "$5 100% {}"),
    (REFERENCE, REFERENCE),
    (f"{REFERENCE}/${{aws:username}}{REFERENCE}", f"{REFERENCE}/$${{aws:username}}{REFERENCE}"),
    ("${TfToken[", "$${TfToken["),
    ("${TfToken[a b]}", "$${TfToken[a b]}"),
    ("$${already}", "$$${already}"),
])  # fmt: skip
def test_escape_spares_references_and_nothing_else(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_render_keeps_policy_variables_and_references_apart(templates: Path) -> None:
    write(templates, '{"Sid": "A", "Effect": "Allow", "Resource": "{{ arn }}/${aws:PrincipalTag/team}/*"}')
    rendered = render_policy("p", Kind.INLINE, arn=REFERENCE)
    assert f'"Resource":"{REFERENCE}/$${{aws:PrincipalTag/team}}/*"' in rendered


def test_render_escapes_values_for_their_place_in_json(templates: Path) -> None:
    write(templates, '{"Sid": "A", "Resource": "{{ name }}", "Action": {{ actions | tojson }}}')
    rendered = render_policy("p", Kind.INLINE, name='a"b\\c', actions=["s3:Get<>&'", "b"])
    statement = json.loads(rendered)["Statement"][0]
    assert statement == {"Sid": "A", "Resource": 'a"b\\c', "Action": ["s3:Get<>&'", "b"]}


def test_a_value_cannot_break_out_of_its_string(templates: Path) -> None:
    write(templates, '{"Sid": "A", "Resource": "{{ name }}"}')
    rendered = render_policy("p", Kind.INLINE, name='x", "Effect": "Allow')
    assert list(json.loads(rendered)["Statement"][0]) == ["Sid", "Resource"]


def test_a_missing_value_is_an_error(templates: Path) -> None:
    write(templates, '{"Sid": "A", "Resource": "{{ nobody }}"}')
    with pytest.raises(PolicyError, match="nobody"):
        render_policy("p", Kind.INLINE)


@pytest.mark.parametrize(("text", "finding"), [
    ("{", "not JSON"),
    ('{"Statement": [{"Sid": "A"}]}', "Version"),
    ('{"Version": "2008-10-17", "Statement": [{"Sid": "A"}]}', "Version"),
    ('{"Version": "2012-10-17"}', "Statement"),
    ('{"Version": "2012-10-17", "Statement": []}', "Statement"),
    ('{"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]}', "Sid None"),
    ('{"Version": "2012-10-17", "Statement": [{"Sid": "A"}, {"Sid": "A"}]}', "Sid 'A'"),
    ('{"Version": "2012-10-17", "Statement": [{"Sid": "A", "Sid": "B"}]}', "'Sid' is repeated"),
])  # fmt: skip
def test_an_unsound_document_is_refused_by_name(text: str, finding: str) -> None:
    with pytest.raises(PolicyError, match="trust") as refused:
        parse_policy(text, "trust")
    assert finding in str(refused.value)


def test_a_document_above_its_quota_is_refused(templates: Path) -> None:
    write(templates, '{"Sid": "A", "Resource": {{ names | tojson }}}')
    names = [f"arn:aws:s3:::{number:0100}" for number in range(60)]
    with pytest.raises(PolicyError, match=r"\d+ characters exceed the quota of managed policy, 6144"):
        render_policy("p", Kind.MANAGED, names=names)
    assert render_policy("p", Kind.INLINE, names=names)


def test_measure_counts_as_iam_does() -> None:
    assert measure('{ "a" :\n\t1 }') == len('{"a":1}')
    assert measure("ab c", spaces=True) == 4
    assert measure(REFERENCE) == REFERENCE_LENGTH
