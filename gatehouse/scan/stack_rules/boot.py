"""What a server boots from: files that are what their names say, and MLflow as the access model needs it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from gatehouse.fields import ROOT
from gatehouse.scan.stack_rules.stack import Flaw, Stack

OBJECT = "aws_s3_object"
#: Switches of `mlflow server`: teams apart, and no artifact through the server's own role.
SWITCHES = ("--enable-workspaces", "--no-serve-artifacts")
_KEY = re.compile(r"boot/([0-9a-f]{64})/([\w.-]+)")
_FETCHED = re.compile(r"^([0-9a-f]{64}) ([\w.-]+) (boot/\S+)$", re.MULTILINE)
_ESCAPED = re.compile(r"([$%])\1\{")
_LOCAL = re.compile(r"\blocal\.([\w-]+)")
TEMPLATES = ROOT / "templates"
#: Boot files of which there is more than one to choose from; any other is the one of its name.
_CHOICES = {"rds-ca.pem": "rds-ca/*.pem", "requirements.txt": "requirements/*.txt"}
#: The boot file that has the names of teams, and nothing else.
_TEAMS, _TEAM_NAMES = "teams.txt", re.compile(r"([a-z0-9-]+\n)+")
_FIRST_LINE = "#!/bin/bash\n"
_HEREDOC = re.compile(r"<<'(GATEHOUSE_[A-Z]+)'\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
#: What may stand in each; files are fetched_by_digest's.
_FILLED = {
    "GATEHOUSE_SETTINGS": re.compile(r'(GATEHOUSE_[A-Z_]+="[^\n]*"\n)+'),
    "GATEHOUSE_SOURCE": re.compile(r"[^\s]+ [^\s]+\n"),
    "GATEHOUSE_FILES": re.compile(r"([0-9a-f]{64} [\w.-]+ boot/\S+\n)+"),
}


def files_as_named(stack: Stack) -> Iterator[Flaw]:
    """The key of a boot file has the digest of its content."""
    for stored in stack.of(OBJECT):
        key, content = _KEY.fullmatch(str(stored.body.get("key"))), stored.body.get("content")
        if key is None or not isinstance(content, str):
            yield Flaw(stored.address, "is not a boot file whose content is in the document", "key")
        elif key[1] != hashlib.sha256(_ESCAPED.sub(r"\1{", content).encode()).hexdigest():
            yield Flaw(stored.address, "has a content that its key does not name", "content")


def fetched_by_digest(stack: Stack) -> Iterator[Flaw]:
    """User data fetches boot files of the document, each with its digest, and all of them."""
    stored = {str(one.body.get("key")): one for one in stack.of(OBJECT)}
    for template in stack.of("aws_launch_template"):
        fetched = _FETCHED.findall(_user_data(stack, template.body.get("user_data")))
        for digest, _name, key in fetched:
            found = _KEY.fullmatch(key)
            if key not in stored or found is None or found[1] != digest:
                yield Flaw(template.address, f"fetches {key}, which is not in the document", "user_data")
        for key in sorted(stored.keys() - {key for *_, key in fetched}):
            yield Flaw(template.address, f"does not fetch {key} by its digest", "user_data")


def mlflow_switches(stack: Stack) -> Iterator[Flaw]:
    """MLflow is started with teams apart and without artifacts of its own."""
    contents = [str(one.body.get("content")) for one in stack.of(OBJECT)]
    for switch in SWITCHES:
        started = re.compile(rf'^\s*"{switch}",$', re.MULTILINE)
        if not any(started.search(content) for content in contents):
            yield Flaw(
                "aws_s3_object.missing", f"would start MLflow with {switch}: no boot file does", "content"
            )


def _user_data(stack: Stack, value: object) -> str:
    """Return the text of user data, which stands in a local value."""
    values = stack.document.get("locals", {})
    return "\n".join(str(values.get(name, "")) for name in _LOCAL.findall(str(value)))


def files_as_reviewed(stack: Stack) -> Iterator[Flaw]:
    """A boot file is a file of ``templates/server``; the one with names of teams has such names alone."""
    for stored in stack.of(OBJECT):
        key, content = _KEY.fullmatch(str(stored.body.get("key"))), str(stored.body.get("content"))
        name, text = key[2] if key else "", _ESCAPED.sub(r"\1{", content)
        if name == _TEAMS:
            reviewed = _TEAM_NAMES.fullmatch(text) is not None
        else:
            reviewed = any(
                _read(one) == text for one in (TEMPLATES / "server").glob(_CHOICES.get(name, name or "-"))
            )
        if not reviewed:
            yield Flaw(stored.address, "is not the file that was reviewed", "content")


def user_data_as_reviewed(stack: Stack) -> Iterator[Flaw]:
    """User data is what its template makes: nothing but settings, the source and the list of files is filled in."""
    _, _, template = _read(TEMPLATES / "server" / "user_data.sh.j2").partition(_FIRST_LINE)
    for one in stack.of("aws_launch_template"):
        text = _ESCAPED.sub(r"\1{", _user_data(stack, one.body.get("user_data")))
        if _HEREDOC.sub("", text).rstrip() != _HEREDOC.sub("", _FIRST_LINE + template).rstrip():
            yield Flaw(one.address, "boots from something else than its template makes", "user_data")
        for name, filled in _HEREDOC.findall(text):
            if name not in _FILLED or not _FILLED[name].fullmatch(filled):
                yield Flaw(
                    one.address, f"has something else in {name} than its template puts there", "user_data"
                )


def commands_as_reviewed(stack: Stack) -> Iterator[Flaw]:
    """What operators may run is the reviewed document."""
    reviewed = json.loads(_read(TEMPLATES / "operations" / "session.json"))
    for document in stack.of("aws_ssm_document"):
        try:
            same = json.loads(_ESCAPED.sub(r"\1{", str(document.body.get("content")))) == reviewed
        except ValueError:
            same = False
        if not same:
            yield Flaw(document.address, "is not the document that was reviewed", "content")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
