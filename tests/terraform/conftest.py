"""An emulated AWS, and terraform and cdktf against it. One terraform at a time: the AWS provider takes 640 MB."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.emulator.client import Emulator, emulator
from tests.terraform.harness import (
    Cdktf,
    MissingToolError,
    Terraform,
    find_node_program,
    find_program,
    terraform_environment,
    write_cli_config,
)

TerraformIn = Callable[..., Terraform]
CdktfIn = Callable[[Path], Cdktf]

LOG_SHOWN = 6_000
LOG = pytest.StashKey[Path]()
LOG_START = pytest.StashKey[int]()


def missing(reason: str) -> NoReturn:
    """End a test that lacks a tool: a failure in CI, where everything must run, and a skip elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory, emulated: Emulator) -> dict[str, str]:
    """The environment of terraform and cdktf: this machine's provider, the emulated AWS."""
    try:
        cli_config = write_cli_config(tmp_path_factory.mktemp("cli"))
    except MissingToolError as error:
        missing(str(error))
    return terraform_environment(cli_config, emulated.environment)


@pytest.fixture(scope="session")
def emulated(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Emulator]:
    """One emulator for the session. What is in it stays from test to test; most tests want ``aws``."""
    with emulator(tmp_path_factory.mktemp("emulator")) as running:
        pytestconfig.stash[LOG] = running.log
        yield running


@pytest.fixture
def aws(emulated: Emulator) -> Emulator:
    """An empty AWS account."""
    emulated.reset()
    return emulated


@pytest.fixture(scope="session")
def terraform_in(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> TerraformIn:
    """``terraform_in(folder)``: terraform, initialized, in a copy of a folder of Terraform.

    The copy lies at ``cdktf.out/stacks/NAME`` of a new folder, as deep as cdktf has it, so that a state path relative
    to the stack stays in that new folder. Plans, locks and state of the folder are not copied. With ``state="local"``
    an override file puts the state beside the Terraform, whatever the backend; the Terraform itself is unchanged.
    """
    try:
        program = find_program("terraform")
    except MissingToolError as error:
        missing(str(error))

    def make(folder: Path, *, state: str = "") -> Terraform:
        copy = tmp_path_factory.mktemp("terraform") / "cdktf.out" / "stacks" / folder.name
        leftovers = shutil.ignore_patterns(
            ".terraform", ".terraform.lock.hcl", "*.tfstate*", "plan", "plan.bin"
        )
        shutil.copytree(folder, copy, ignore=leftovers)
        if state == "local":
            override = copy / "backend_override.tf.json"
            override.write_text('{"terraform": {"backend": {"local": {}}}}\n', encoding="utf-8")
        terraform = Terraform(folder=copy, environment=environment, program=program)
        terraform.init()
        return terraform

    return make


@pytest.fixture(scope="session")
def cdktf_in(environment: dict[str, str]) -> CdktfIn:
    """``cdktf_in(folder)``: the cdktf command line in a folder with a ``cdktf.json``."""
    try:
        find_program("terraform")
        program = find_node_program("cdktf")
    except MissingToolError as error:
        missing(str(error))
    return lambda folder: Cdktf(folder=folder, environment=environment, program=program)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note where the emulator's log ends before a test."""
    log = item.config.stash.get(LOG, None)
    item.stash[LOG_START] = log.stat().st_size if log and log.exists() else 0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of what the emulator logged during a test that failed."""
    report = yield
    log = item.config.stash.get(LOG, None)
    if report.failed and log and log.exists():
        with log.open("rb") as file:
            file.seek(item.stash.get(LOG_START, 0))
            text = file.read().decode(errors="replace")
        report.sections.append(("emulator", text[-LOG_SHOWN:]))
    return report
