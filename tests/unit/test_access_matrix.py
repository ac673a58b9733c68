"""The access matrix: what cells say and why, and every form in which it is written."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from gatehouse.access import Layer, Outcome
from gatehouse.access.matrix import Matrix, State, matrix
from gatehouse.access.matrix_outputs import WRITERS, as_html, cell_text, in_script
from gatehouse.access.world import World
from tests.unit.matrix_stack import ADMIN, API, BUCKET, TEAMS, Blocks, allow, blocks, deny, policy, write
from tests.unit.stacks import stack_in

HOSTILE = "<script>alert(1)</script><!--=&\"'|`"


def made(folder: Path, content: Blocks | None = None) -> Matrix:
    return matrix(World.of(write(stack_in(folder), content or blocks())))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    return made(tmp_path_factory.mktemp("matrix"))


@pytest.mark.parametrize(
    ("principal", "capability", "situation", "state", "text"),
    [
        ("admin", "artifacts:delete", "own-team", State.ALL, "all"),
        ("admin", "artifacts:delete", "another-team", State.NONE, "none"),
        ("admin", "artifacts:delete", "without-tag", State.NONE, "none"),
        ("admin", "artifacts:delete", "without-mfa", State.SOME, "UI, API"),
        ("admin", "artifacts:delete", "outside", State.SOME, "S3"),
        ("admin", "artifacts:delete", "without-tls", State.NONE, "none"),
        ("admin", "runs:read", "without-tls", State.IMPOSSIBLE, "-"),
        ("admin", "runs:read", "outside", State.NONE, "none"),
        ("admin", "runs:read", "without-mfa", State.ALL, "all"),
        ("reader", "runs:read", "own-team", State.SOME, "6/16"),
        ("reader", "runs:read", "without-tag", State.NONE, "none"),
        ("auditor", "runs:read", "another-team", State.SOME, "6/16"),
        ("auditor", "runs:read", "without-tag", State.SOME, "6/16"),
        ("st-server", "runs:read", "own-team", State.NONE, "none"),
    ],
)
def test_a_cell_says_how_much(
    found: Matrix, principal: str, capability: str, situation: str, state: State, text: str
) -> None:
    cell = found.cell(principal, capability, situation)
    assert (cell.state, cell_text(cell)) == (state, text)
    assert (state is State.IMPOSSIBLE) == (cell.asked == 0)
    assert len(cell.allowed) == sum(allowed for allowed, _ in cell.parts.values())


@pytest.mark.parametrize(
    ("capability", "situation", "outcome", "layer", "sid"),
    [
        ("runs:read", "own-team", Outcome.ALLOWED, Layer.IDENTITY, "Routes"),
        ("runs:read", "another-team", Outcome.IMPLICITLY_DENIED, Layer.IDENTITY, None),
        ("runs:read", "outside", Outcome.EXPLICITLY_DENIED, Layer.RESOURCE, "Outside"),
        ("artifacts:delete", "without-tls", Outcome.EXPLICITLY_DENIED, Layer.RESOURCE, "Tls"),
    ],
)
def test_a_cell_says_why(
    found: Matrix, capability: str, situation: str, outcome: Outcome, layer: Layer, sid: str | None
) -> None:
    (reason,) = found.cell("admin", capability, situation).reasons
    assert (reason.outcome, reason.layer) == (outcome, layer)
    assert (reason.statement.sid if reason.statement else None) == sid
    if reason.statement is not None:
        path, _, line = found.world.locate(reason.statement).rpartition(":")
        assert sid is not None
        assert sid in Path(path).read_text(encoding="utf-8").splitlines()[int(line) - 1]
        assert found.world.written(reason.statement)["Sid"] == sid


def test_a_second_layer_is_named_where_it_denies(tmp_path: Path) -> None:
    admin = (*ADMIN, deny("Never", "s3:PutObject", f"{BUCKET}/*"))
    cell = made(tmp_path, blocks(admin=admin)).cell("admin", "artifacts:write")
    denied = [one for one in cell.reasons if one.outcome is Outcome.EXPLICITLY_DENIED]
    assert [(one.layer, one.statement and one.statement.sid, one.sample) for one in denied] == [
        (Layer.IDENTITY, "Never", "s3:PutObject")
    ]


def test_an_allow_for_whoever_has_no_key_of_mfa_is_seen(tmp_path: Path) -> None:
    hole = allow(
        "Hole",
        "s3:DeleteObject",
        f"{BUCKET}/workspaces/*",
        Condition={"Null": {"aws:MultiFactorAuthPresent": "true"}},
    )
    found = made(tmp_path, blocks(admin=(*ADMIN, hole)))
    assert found.cell("admin", "artifacts:delete", "without-mfa").state is State.ALL
    assert found.cell("admin", "artifacts:delete", "another-team").state is State.NONE


def test_a_private_api_is_called_through_its_endpoint(tmp_path: Path) -> None:
    content = blocks()
    content["aws_api_gateway_rest_api"]["a"]["endpoint_configuration"] = [{"types": ["PRIVATE"]}]
    reads = {**allow("ReadsPass", "execute-api:Invoke", f"{API}/GET/*"), "Principal": "*"}
    content["aws_vpc_endpoint"] = {
        "door": {
            "service_name": "com.amazonaws.eu-west-1.execute-api",
            "vpc_endpoint_type": "Interface",
            "policy": policy(reads),
        }
    }
    content["aws_api_gateway_rest_api_policy"]["a"]["policy"] = policy(
        deny(
            "Outside",
            "execute-api:Invoke",
            f"{API}/*",
            Principal="*",
            Condition={"StringNotEquals": {"aws:SourceVpce": "${aws_vpc_endpoint.door.id}"}},
        )
    )
    found = made(tmp_path, content)
    cell = found.cell("admin", "experiments:read")
    labels = [found.requests["experiments:read"][place].label for place in cell.allowed]
    assert labels
    assert all(label.startswith("GET ") for label in labels)
    assert {one.layer for one in cell.reasons} == {Layer.IDENTITY, Layer.ENDPOINT}
    outside = found.cell("admin", "experiments:read", "outside")
    assert outside.allowed == ()
    assert {one.statement and one.statement.sid for one in outside.reasons} <= {"Outside", None}


def test_a_method_that_asks_iam_nothing_is_noted(tmp_path: Path) -> None:
    content = blocks()
    content["aws_api_gateway_method"] = {
        "open": {
            "rest_api_id": "${aws_api_gateway_rest_api.a.id}",
            "resource_id": "${aws_api_gateway_rest_api.a.root_resource_id}",
            "http_method": "GET",
            "authorization": "NONE",
        }
    }
    (note,) = made(tmp_path, content).notes
    assert "GET / of the API has authorization NONE" in note
    assert "aws_api_gateway_method.open" in note


def test_json_holds_every_cell(found: Matrix) -> None:
    data = json.loads(WRITERS["json"](found))
    assert len(data["cells"]) == len(found.cells) == 4 * len(found.capabilities) * 6
    assert {one["state"] for one in data["cells"]} == {state.value for state in State}
    assert [one["name"] for one in data["principals"]] == ["admin", "auditor", "reader", "st-server"]
    meanings = {one["name"]: one["meaning"] for one in data["capabilities"]}
    assert all(bool(text) == name.startswith("stack:") for name, text in meanings.items())
    for cell in data["cells"]:
        assert cell.keys() == {
            "principal", "capability", "situation", "state", "asked", "allowed", "teams", "reasons"
        }  # fmt: skip
        assert len(cell["allowed"]) <= cell["asked"]
        for reason in cell["reasons"]:
            assert (reason["place"] is None) == (reason["policy"] is None)


def test_csv_has_a_line_for_every_cell(found: Matrix) -> None:
    text = WRITERS["csv"](found)
    rows = list(csv.DictReader(StringIO(text)))
    assert len(rows) == len(found.cells)
    row = next(one for one in rows if (one["principal"], one["capability"]) == ("admin", "runs:read"))
    assert (row["state"], row["situation"], row["allowed"], row["asked"]) == ("all", "own-team", "16", "16")
    assert "allowed by Routes of aws_iam_policy.admin.policy (" in row["decided by"]


def test_markdown_has_a_whole_table_for_each_situation(found: Matrix) -> None:
    text = WRITERS["markdown"](found)
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len(tables) == 6 * (len(found.capabilities) + 2)
    assert {line.count("|") for line in tables} == {6}


def test_the_table_leaves_out_what_nobody_can_do(found: Matrix) -> None:
    text = WRITERS["table"](found)
    assert (
        "Without TLS: nothing." not in text
    )  # listing names is left, which the bucket's policy does not deny
    own, _, other = text.partition("Another team:")
    assert "experiments:delete" in own
    assert "experiments:delete" not in other.partition("Without tag:")[0]
    assert max(map(len, text.splitlines())) <= 100


class Page(HTMLParser):
    """What a browser would make of a page: its elements, and the texts of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == [], self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "input", "wbr"):
            self._open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.scripts[-1] += data


def test_the_page_is_whole_and_needs_nothing_else(found: Matrix) -> None:
    page = Page(as_html(found))
    attributes = [name for _, attrs in page.elements for name in attrs]
    assert not [name for name in attributes if name.startswith("on") or name in ("src", "href", "style")]
    tables = [attrs for tag, attrs in page.elements if tag == "table"]
    assert [one["role"] for one in tables] == ["grid"] * 6
    buttons = [attrs for tag, attrs in page.elements if tag == "button" and "data-detail" in attrs]
    assert len(buttons) == len(found.cells)
    details = json.loads(page.scripts[0])["details"]
    assert {int(one["data-detail"] or "-1") for one in buttons} == set(range(len(details)))
    policy_of_page = next(attrs["content"] for tag, attrs in page.elements if "http-equiv" in attrs)
    assert policy_of_page is not None
    assert policy_of_page.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy_of_page


def test_every_statement_of_the_page_is_one_of_the_document(found: Matrix) -> None:
    data = json.loads(Page(as_html(found)).scripts[0])
    assert {one["sid"] for one in data["statements"]} == {
        "Routes", "Objects", "Names", "Delete", "Read", "ReadAll", "Tls", "Outside"
    }  # fmt: skip
    for detail in data["details"]:
        for _, _, place, _, _ in detail["reasons"]:
            assert place is None or 0 <= place < len(data["statements"])


def hostile(folder: Path) -> Matrix:
    """Return the matrix of a stack in which everything that has a free name has a bad one."""
    content = blocks()
    content["aws_iam_policy"]["admin"]["policy"] = policy(
        *({**one, "Sid": f"{HOSTILE}{one['Sid']}"} for one in ADMIN)
    )
    content["aws_iam_role"]["server"]["name"] = HOSTILE
    content["aws_iam_role"]["reader"]["path"] = f"/st/{'=HYPERLINK(1)'}/"
    for team in TEAMS[:1]:
        content["aws_iam_role"][f"admin_{team}"]["tags"] = {"team": HOSTILE}
    return made(folder, content)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    return hostile(tmp_path_factory.mktemp("hostile"))


def test_names_stay_names_on_the_page(bad: Matrix) -> None:
    text = as_html(bad)
    page = Page(text)
    assert len(page.scripts) == 2
    assert "alert(1)" not in page.scripts[1]
    assert "<script>alert" not in text
    data = json.loads(page.scripts[0])
    assert any(one["sid"].startswith(HOSTILE) for one in data["statements"])
    heads = [attrs.get("data-principal") for tag, attrs in page.elements if tag == "th"]
    assert HOSTILE in heads


def test_names_stay_names_in_markdown(bad: Matrix) -> None:
    text = WRITERS["markdown"](bad)
    assert "<script>" not in text
    assert "&lt;script>" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in rows}) == 1


def test_no_name_is_a_formula_in_a_spreadsheet(bad: Matrix) -> None:
    rows = list(csv.reader(StringIO(WRITERS["csv"](bad))))
    assert any("'=HYPERLINK(1)" in row[0] for row in rows)
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
    assert {len(row) for row in rows} == {8}


def test_names_stay_names_in_json_and_the_table(bad: Matrix) -> None:
    names = [one["name"] for one in json.loads(WRITERS["json"](bad))["principals"]]
    assert HOSTILE in names
    assert HOSTILE in WRITERS["table"](bad)


@pytest.mark.parametrize("text", ["</script>", "<!--", "]]>", "\u2028", "&lt;", "<SCRIPT"])
def test_no_text_ends_a_script_element(text: str) -> None:
    written = in_script({"text": text})
    assert not re.search(r"[<>&\u2028\u2029]", written)
    data: dict[str, Any] = json.loads(written)
    assert data == {"text": text}
