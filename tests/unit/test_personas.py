"""Personas rendered: what the built-in ones grant, and what a template of a user's own may not do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatehouse.catalogue import shipped
from gatehouse.catalogue.model import Capability
from gatehouse.personas.model import BUILT_IN, Persona, Scope
from gatehouse.personas.render import Names, Rendered, render_persona
from gatehouse.personas.use import ArtifactUse
from gatehouse.policies import Kind, PolicyError, measure

CATALOGUE = shipped.load("3.17.2")
NAMES = Names(
    region="eu-west-1",
    account="111122223333",
    prefix="mlflow-dev",
    api="arn:aws:execute-api:eu-west-1:111122223333:abcdefghij/api",
    artifact_bucket="mlflow-dev-artifacts-111122223333-eu-west-1",
    storage_key="arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    operations_document="mlflow-dev-operations",
    scaling_group="mlflow-dev-server",
    log_groups=("/gatehouse/mlflow-dev/*",),
)
#: The longest names there can be: the region's and, 23 characters, the prefix.
LONGEST = replace(
    NAMES,
    region="ap-southeast-2",
    prefix="m" * 23,
    api="arn:aws:execute-api:ap-southeast-2:111122223333:abcdefghij/api",
    artifact_bucket=f"{'m' * 23}-artifacts-111122223333-ap-southeast-2",
)


def statements(rendered: Rendered) -> dict[str, dict[str, Any]]:
    """Return the statements of all documents by Sid, as IAM gets them."""
    found: dict[str, dict[str, Any]] = {}
    for document in rendered.documents:
        for statement in json.loads(document.text.replace("$${", "${"))["Statement"]:
            part = found.setdefault(statement["Sid"], statement)
            if part is not statement:  # cut in two
                part["Resource"] += statement["Resource"]
    return found


OBJECTS = f"arn:aws:s3:::{NAMES.artifact_bucket}/workspaces/${{aws:PrincipalTag/team}}/"


def own(tmp_path: Path, text: str, scope: Scope = Scope.TEAM) -> Persona:
    """Return a persona of a user's own with this template."""
    template = tmp_path / "tester.json.j2"
    template.write_text(text, encoding="utf-8")
    return Persona("tester", "tests things", scope, 1, template)


def policy(*parts: str) -> str:
    """Return a template with these statements, or calls of macros."""
    return '{"Version": "2012-10-17", "Statement": [' + ",\n".join(parts) + "]}"


def statement(**elements: object) -> str:
    """Return one statement as text."""
    return json.dumps({"Sid": "Own", "Effect": "Allow", **elements})


def refusal(tmp_path: Path, text: str) -> str:
    """Return the message with which a template is refused."""
    with pytest.raises(PolicyError) as refused:
        render_persona(own(tmp_path, text), CATALOGUE, NAMES)
    assert refused.value.exit_code == 2
    assert "tester.json.j2" in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("names", [NAMES, LONGEST], ids=["usual names", "longest names"])
def test_every_persona_fits_into_its_policies(name: str, names: Names) -> None:
    documents = render_persona(BUILT_IN[name], CATALOGUE, names).documents
    assert all(measure(document.text.replace("$${", "${")) <= Kind.MANAGED.quota for document in documents)
    routes = [document.suffix for document in documents if document.suffix]
    assert routes == [f"-routes-{number}" for number in range(1, len(routes) + 1)]
    assert len(routes) <= 2
    assert len(documents) - len(routes) <= 1


@pytest.mark.parametrize("name", [name for name, one in BUILT_IN.items() if one.scope is Scope.TEAM])
def test_a_team_persona_says_whose_team_in_every_resource(name: str) -> None:
    for sid, each in statements(render_persona(BUILT_IN[name], CATALOGUE, NAMES)).items():
        named = json.dumps([each["Resource"], each.get("Condition", {})])
        if each["Action"] == "execute-api:Invoke":
            methods = {
                resource.removeprefix(f"{NAMES.api}/").split("/", 1)[0] for resource in each["Resource"]
            }
            assert methods <= {"DELETE", "GET", "PATCH", "POST", "PUT"}, sid
            assert all(
                resource.split("/")[3] == "${aws:PrincipalTag" and resource.split("/")[4].startswith("team}")
                for resource in (resource.replace(NAMES.api, "a/b") for resource in each["Resource"])
            ), sid
        else:
            assert "${aws:PrincipalTag/team}" in named, sid


def test_nobody_but_the_admins_deletes_artifacts_and_they_only_with_mfa() -> None:
    for persona in BUILT_IN.values():
        rendered = render_persona(persona, CATALOGUE, NAMES)
        found = [each for each in statements(rendered).values() if "s3:DeleteObject" in each["Action"]]
        if persona.name not in ("team-admin", "platform-admin"):
            assert not found
            continue
        assert [each["Condition"] for each in found] == [{"Bool": {"aws:MultiFactorAuthPresent": "true"}}]
        assert rendered.with_mfa == {Capability("artifacts", "delete")}
        assert Capability("artifacts", "delete") not in rendered.capabilities


def test_routes_that_ask_for_mfa_are_statements_of_their_own() -> None:
    found = statements(render_persona(BUILT_IN["team-admin"], CATALOGUE, NAMES))
    asked = {
        sid for sid, each in found.items() if "Condition" in each and each["Action"] == "execute-api:Invoke"
    }
    assert asked == {"ArtifactsDelete"}
    assert all(
        resource.startswith(f"{NAMES.api}/DELETE/") for resource in found["ArtifactsDelete"]["Resource"]
    )


def test_for_all_teams_what_no_pattern_can_avoid_is_denied() -> None:
    auditor = statements(render_persona(BUILT_IN["auditor"], CATALOGUE, NAMES))
    denied = [each for each in auditor.values() if each["Effect"] == "Deny"]
    assert denied
    assert all(each["Sid"].startswith("Never") and "Condition" not in each for each in denied)
    admin = statements(render_persona(BUILT_IN["platform-admin"], CATALOGUE, NAMES))
    conditions = [each["Condition"] for each in admin.values() if each["Effect"] == "Deny"]
    assert conditions == [{"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}]


def test_what_personas_do_with_artifacts() -> None:
    rendered = [render_persona(persona, CATALOGUE, NAMES) for persona in BUILT_IN.values()]
    assert ArtifactUse.of(rendered) == ArtifactUse(
        every_team=("platform-admin",),
        readers=(
            "reader",
            "data-scientist",
            "model-approver",
            "ci-pipeline",
            "model-server",
            "team-admin",
            "platform-admin",
        ),
        writers=("data-scientist", "ci-pipeline", "team-admin", "platform-admin"),
        deleters=("team-admin", "platform-admin"),
    )


def test_a_persona_of_a_users_own(tmp_path: Path) -> None:
    text = policy('{{ routes("registry:read") }}', '{{ artifacts("write") }}')
    rendered = render_persona(own(tmp_path, text), CATALOGUE, NAMES)
    assert rendered.capabilities == {Capability("registry", "read")}
    assert rendered.artifacts == {"write"}
    assert list(statements(rendered)) == ["RegistryRead", "ArtifactsWriteObjects", "ArtifactsWriteEncrypt"]


def test_a_persona_may_deny_what_it_does_not_name(tmp_path: Path) -> None:
    deny = json.dumps({"Sid": "OnlyReads", "Effect": "Deny", "NotAction": "execute-api:*", "Resource": "*"})
    rendered = render_persona(own(tmp_path, policy('{{ routes("runs:read") }}', deny)), CATALOGUE, NAMES)
    assert list(statements(rendered)) == ["RunsRead", "OnlyReads"]


REFUSED = [
    (policy("{{ nothing }}"), "'nothing' is undefined"),
    (policy("{{ routes( }}"), "Jinja syntax"),
    (policy('{{ routes("runs:read") }},'), "not JSON after rendering"),
    (policy('{{ routes("runs:look") }}'), "'runs:look' is no capability. Fix: runs has read, write, delete"),
    (policy('{{ routes("lines:read") }}'), "'lines:read' is no capability. Fix: use one of the areas ui,"),
    (policy("{{ routes() }}"), "calls routes(...) without a capability"),
    (policy('{{ routes("runs:read") }}', '{{ routes("ui:read") }}'), "calls routes(...) twice"),
    (policy('{{ artifacts("shred") }}'), "calls artifacts('shred'). Fix: use 'read', 'write', 'delete'"),
    (policy('{{ artifacts("read") }}', '{{ artifacts("write") }}'), "calls artifacts(...) twice"),
    (policy('{{ routes("traces:write") }}'), "Fix: add evaluation:write, or leave out traces:write"),
    (policy('{% include "policies/none.json.j2" %}'), "there is no template policies/none.json.j2"),
    (policy(statement(Action="s3:GetObjekt", Resource="arn:aws:s3:::b/*")), "s3:GetObject"),
    (policy(statement(Action="iam:*", Resource="*")), "iam"),
    (policy(statement(Action="sts:AssumeRole", Resource="arn:aws:iam::111122223333:role/x")), "sts"),
    (policy(statement(Action="s3:GetObject", Resource=f"{OBJECTS}{'x' * 6144}")), "quota of managed policy"),
    (policy(statement(Action="s3:GetObject", Resource="arn:aws:s3:::other/*")), "call artifacts(...)"),
    (policy(statement(Action="s3:GetObject", Resource="arn:aws:s3:::*/*")), "call artifacts(...)"),
    (
        policy(
            '{{ routes("runs:read") }}',
            statement(Action="execute-api:Invoke", Resource=[f"{NAMES.api}/GET/*"]),
        ),
        "grants arn:aws:execute-api:eu-west-1:111122223333:abcdefghij/api/GET/* by hand. Fix: call routes(...)",
    ),
    (policy(statement(Action="s3:GetObject", Resource="${TfToken[TOKEN.3]}")), "holds a reference of cdktf"),
    (policy('{{ "".__class__.__mro__ }}'), "nothing of Python"),
    (policy('{{ lipsum.__globals__["os"].popen("true") }}'), "'lipsum' is undefined"),
    ('{"Version": "2012-10-17", "Statement": ["text"]}', "is no statement"),
    (policy(statement(Sid="Two Words", Action="logs:GetLogEvents", Resource="*")), "Sid 'Two Words'"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_template_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(tmp_path, text)


def test_an_undefined_name_is_told_with_its_line(tmp_path: Path) -> None:
    message = refusal(tmp_path, '{\n"Version": "2012-10-17",\n"Statement": [{{ nobody }}]}')
    assert "tester.json.j2:3: 'nobody' is undefined" in message


def test_routes_beyond_two_policies_are_refused(tmp_path: Path) -> None:
    capabilities = [
        "ui:read",
        *(f"{area}:write" for area in ("experiments", "runs", "evaluation", "datasets")),
    ]
    text = policy("{{ routes(" + ", ".join(f'"{each}"' for each in capabilities) + ") }}")
    names = replace(NAMES, api=NAMES.api + "x" * 60)
    with pytest.raises(PolicyError, match="its routes need 3 managed policies") as refused:
        render_persona(own(tmp_path, text), CATALOGUE, names)
    assert "Fix: name fewer capabilities, or split the persona in two" in str(refused.value)


def test_a_template_that_cannot_be_read(tmp_path: Path) -> None:
    missing = Persona("tester", "", Scope.TEAM, 1, tmp_path / "tester.json.j2")
    with pytest.raises(PolicyError, match="the template of tester cannot be read: No such file"):
        render_persona(missing, CATALOGUE, NAMES)
    missing.template.write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyError, match="it is not UTF-8"):
        render_persona(missing, CATALOGUE, NAMES)
