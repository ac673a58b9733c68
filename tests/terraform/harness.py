"""The real terraform and the real AWS provider, against the emulator, without a network.

:class:`Terraform` runs the commands in a copy of a folder of Terraform; :class:`Cdktf` runs ``cdktf`` in a folder with
a ``cdktf.json``. Both return what happened as data; a failed command raises :class:`CommandFailed` with its output.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = Any
"""What ``json.loads`` gives."""

ROOT = Path(__file__).resolve().parents[2]
AWS_PROVIDER = "*/hashicorp/aws"
"""A mirror has HOST/NAMESPACE/TYPE; the host is whatever registry it mirrors."""
COMMAND_SECONDS = 800
NO_CHANGE, CHANGES = 0, 2
OUTPUT_SHOWN = 12_000


class MissingToolError(Exception):
    """A program or the provider is not on this machine; the message says what and where it was looked for."""


class CommandFailedError(Exception):
    """A command ended with an error; the message holds the command and the end of its output."""


def find_program(name: str) -> Path:
    """The program ``name`` on PATH. Raises :class:`MissingToolError`."""
    found = shutil.which(name)
    if not found:
        raise MissingToolError(f"{name} is not on PATH")
    return Path(found)


def find_node_program(name: str) -> Path:
    """A program that ``npm ci`` installs. Raises :class:`MissingToolError`."""
    found = ROOT / "node_modules" / ".bin" / name
    if not found.exists():
        raise MissingToolError(f"{found.relative_to(ROOT)} is not there; run npm ci")
    find_program("node")
    return found


def provider_mirrors() -> list[Path]:
    """Where a mirror of providers may be: GATEHOUSE_TF_MIRROR, else the folders that terraform itself looks in."""
    if named := os.environ.get("GATEHOUSE_TF_MIRROR"):
        return [Path(named)]
    return [
        Path.home() / ".terraform.d" / "plugins",
        Path("/usr/local/share/terraform/plugins"),
        Path("/usr/share/terraform/plugins"),
    ]


def write_cli_config(directory: Path) -> Path:
    """A terraform CLI configuration that installs the AWS provider from this machine.

    A mirror (see :func:`provider_mirrors`) is used if there is one, else the file that TF_CLI_CONFIG_FILE names.
    Raises :class:`MissingToolError`.
    """
    mirrors = provider_mirrors()
    for mirror in mirrors:
        if any(mirror.glob(AWS_PROVIDER)):
            path = directory / "terraform.tfrc"
            path.write_text(
                f"provider_installation {{\n  filesystem_mirror {{\n    path = {json.dumps(str(mirror))}\n  }}\n}}\n",
                encoding="utf-8",
            )
            return path
    configured = os.environ.get("TF_CLI_CONFIG_FILE")
    if configured and Path(configured).is_file():
        return Path(configured)
    looked = ", ".join(str(each) for each in mirrors)
    raise MissingToolError(
        f"no mirror with {AWS_PROVIDER} in {looked}; set GATEHOUSE_TF_MIRROR to its folder"
    )


def terraform_environment(cli_config: Path, aws: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of terraform and cdktf: nothing of this machine but PATH and HOME."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "LANG": "C.UTF-8",
        "TF_CLI_CONFIG_FILE": str(cli_config),
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "TF_CLI_ARGS": "-no-color",
        "CHECKPOINT_DISABLE": "1",
        **aws,
    }


@dataclass(frozen=True)
class Completed:
    """How a command ended: exit code, standard output, both outputs for a reader, seconds it took."""

    code: int
    stdout: str
    output: str
    seconds: float


def run(
    command: Sequence[str | Path], *, cwd: Path, environment: Mapping[str, str], good: Sequence[int] = (0,)
) -> Completed:
    """Run a command to its end. Raises :class:`CommandFailedError` for an exit code that is not in ``good``."""
    start = time.monotonic()
    process = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    done = Completed(
        code=process.returncode,
        stdout=process.stdout,
        output=process.stdout + process.stderr,
        seconds=time.monotonic() - start,
    )
    if done.code not in good:
        words = " ".join(str(each) for each in command)
        raise CommandFailedError(
            f"{words}\nended with {done.code} after {done.seconds:.0f} s\n{errors(done.output)}"
        )
    return done


def errors(output: str) -> str:
    """The error messages in terraform's output, or its end if there are none."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
    found = re.findall(r"^(?:[│╷╵ ]*)Error: .*?(?=^(?:[│╷╵ ]*)Error: |\Z)", plain, re.MULTILINE | re.DOTALL)
    return ("\n".join(found) or plain)[-OUTPUT_SHOWN:]


@dataclass(frozen=True)
class AttributeChange:
    """One attribute that a plan would change. ``after`` is ``...`` where it is known only after the apply."""

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.path}: {self.before!r} -> {self.after!r}"


@dataclass(frozen=True)
class ResourceChange:
    """One resource that a plan would change, and how."""

    address: str
    actions: tuple[str, ...]
    attributes: tuple[AttributeChange, ...]

    def __str__(self) -> str:
        lines = [f"{self.address} ({', '.join(self.actions)})", *(f"    {each}" for each in self.attributes)]
        return "\n".join(lines)


@dataclass(frozen=True)
class Plan:
    """What ``terraform plan`` found. ``drifted`` is what AWS holds otherwise than the state says."""

    changes: tuple[ResourceChange, ...]
    drifted: tuple[ResourceChange, ...]
    outputs: tuple[str, ...]
    document: Mapping[str, Any] = field(repr=False)

    @property
    def empty(self) -> bool:
        """Whether an apply would do nothing."""
        return not self.changes and not self.outputs

    def __str__(self) -> str:
        parts = [str(each) for each in self.changes]
        concerned = {each.address for each in self.changes}
        parts += [f"found otherwise than kept: {each}" for each in self.drifted if each.address in concerned]
        parts += [f"output {each}" for each in self.outputs]
        return "\n".join(parts) or "no changes"

    def addresses(self, *actions: str) -> list[str]:
        """Addresses of the resources with exactly these actions, such as ``("delete", "create")``."""
        return [each.address for each in self.changes if each.actions == actions]


UNKNOWN = "..."


def compare(before: Json, after: Json, unknown: Json, path: str = "") -> list[AttributeChange]:
    """The leaves in which two values of ``terraform show -json`` differ. ``unknown`` is its ``after_unknown``."""
    if unknown is True:
        return [AttributeChange(path, before, UNKNOWN)]
    if isinstance(before, dict) and isinstance(after, dict):
        inner: Mapping[str, Any] = unknown if isinstance(unknown, dict) else {}
        keys = sorted(before.keys() | after.keys() | inner.keys())
        return [
            change
            for key in keys
            for change in compare(
                before.get(key), after.get(key), inner.get(key), f"{path}.{key}" if path else key
            )
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        marks = unknown if isinstance(unknown, list) else []
        return [
            change
            for index, (old, new) in enumerate(zip(before, after, strict=True))
            for change in compare(old, new, marks[index] if index < len(marks) else None, f"{path}[{index}]")
        ]
    return [] if before == after else [AttributeChange(path, before, after)]


def read_plan(document: Mapping[str, Any]) -> Plan:
    """A plan from ``terraform show -json``."""

    def resources(key: str) -> tuple[ResourceChange, ...]:
        return tuple(
            ResourceChange(
                address=each["address"],
                actions=tuple(each["change"]["actions"]),
                attributes=tuple(
                    compare(
                        each["change"]["before"] or {},
                        each["change"]["after"] or {},
                        each["change"].get("after_unknown"),
                    )
                ),
            )
            for each in document.get(key, [])
            if each["change"]["actions"] not in (["no-op"], ["read"])
        )

    outputs = [
        name for name, change in document.get("output_changes", {}).items() if change["actions"] != ["no-op"]
    ]
    return Plan(
        changes=resources("resource_changes"),
        drifted=resources("resource_drift"),
        outputs=tuple(outputs),
        document=document,
    )


@dataclass(frozen=True)
class Terraform:
    """terraform in one folder. The state lies in that folder."""

    folder: Path
    environment: Mapping[str, str]
    program: Path

    def init(self) -> Completed:
        return self._run("init", "-input=false")

    def validate(self) -> list[str]:
        """Diagnostics of ``terraform validate``, errors and warnings alike; none means valid."""
        done = self._run("validate", "-json", good=(0, 1))
        found = json.loads(done.stdout)["diagnostics"]
        return [f"{each['severity']}: {each['summary']}: {each.get('detail', '')}" for each in found]

    def plan(self, variables: Mapping[str, object] | None = None, *, destroy: bool = False) -> Plan:
        """Plan, keep it in ``plan.bin`` and read it back."""
        flags = ["-input=false", "-detailed-exitcode", "-out=plan.bin", *self._variables(variables)]
        if destroy:
            flags.append("-destroy")
        self._run("plan", *flags, good=(NO_CHANGE, CHANGES))
        return read_plan(json.loads(self._run("show", "-json", "plan.bin").stdout))

    def apply(self, variables: Mapping[str, object] | None = None) -> Completed:
        """Plan and apply."""
        return self._run("apply", "-input=false", "-auto-approve", *self._variables(variables))

    def apply_plan(self) -> Completed:
        """Apply the plan that :meth:`plan` kept."""
        return self._run("apply", "-input=false", "plan.bin")

    def destroy(self, variables: Mapping[str, object] | None = None) -> Completed:
        return self._run("destroy", "-input=false", "-auto-approve", *self._variables(variables))

    def outputs(self) -> dict[str, Any]:
        """Values of the outputs by name, sensitive ones included."""
        found = json.loads(self._run("output", "-json").stdout)
        return {name: each["value"] for name, each in found.items()}

    def state(self) -> dict[str, Any]:
        """``terraform show -json``: what the state holds."""
        document: dict[str, Any] = json.loads(self._run("show", "-json").stdout)
        return document

    def resources(self) -> list[str]:
        """Addresses in the state."""
        return self._run("state", "list").stdout.split()

    def _run(self, command: str, *flags: str, good: Sequence[int] = (0,)) -> Completed:
        return run([self.program, command, *flags], cwd=self.folder, environment=self.environment, good=good)

    @staticmethod
    def _variables(variables: Mapping[str, object] | None) -> list[str]:
        return [
            f"-var={name}={value if isinstance(value, str) else json.dumps(value)}"
            for name, value in (variables or {}).items()
        ]


CDKTF_ENVIRONMENT = {
    "CI": "1",  # plain lines instead of a moving picture
    "CDKTF_DISABLE_PLUGIN_CACHE_ENV": "1",
    "CDKTF_LOG_LEVEL": "warn",
}


@dataclass(frozen=True)
class Cdktf:
    """The command line that operators use, from ``node_modules``, in a folder with a ``cdktf.json``.

    cdktf runs terraform in ``cdktf.out/stacks/NAME``; a local state lies where the stack's backend says.
    """

    folder: Path
    environment: Mapping[str, str]
    program: Path

    def deploy(self, stack: str, *, variables: Mapping[str, object] | None = None) -> Completed:
        return self._run("deploy", stack, "--auto-approve", variables=variables)

    def diff(self, stack: str, *, variables: Mapping[str, object] | None = None) -> Completed:
        """The plan as text: ``cdktf diff`` ends with 0 whether or not there are changes."""
        return self._run("diff", stack, variables=variables)

    def destroy(self, stack: str, *, variables: Mapping[str, object] | None = None) -> Completed:
        return self._run("destroy", stack, "--auto-approve", variables=variables)

    def _run(self, *words: str, variables: Mapping[str, object] | None) -> Completed:
        # cdktf runs `terraform providers lock`, which asks the public registry even where a mirror is configured.
        offline = ("--skip-provider-lock", "--no-color")
        command: list[str | Path] = [self.program, *words, *offline, *self._variables(variables)]
        return run(command, cwd=self.folder, environment={**self.environment, **CDKTF_ENVIRONMENT})

    @staticmethod
    def _variables(variables: Mapping[str, object] | None) -> list[str]:
        return [
            f"--var={name}={value if isinstance(value, str) else json.dumps(value)}"
            for name, value in (variables or {}).items()
        ]
