"""Render policy documents and server files from their templates.

A policy template is IAM JSON with Jinja placeholders, so that a security reviewer reads the policy itself;
Python never assembles statements. Rendering is one way for every document: fill in, parse as JSON, check the
form, measure against the AWS quota of its kind, write compactly, escape for Terraform.

Escaping happens here and nowhere else: in Terraform's JSON syntax ``${`` and ``%{`` start a template in
every string, so a policy variable such as ``${aws:PrincipalTag/team}`` must arrive with a second ``$``, while
the references that the constructs put in (``${TfToken[...]}``, which cdktf resolves at synthesis) must stay as
they are.
"""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache, partial
from types import MappingProxyType
from typing import Any

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateNotFound,
    TemplateSyntaxError,
    UndefinedError,
)
from jinja2.exceptions import SecurityError
from jinja2.runtime import Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from gatehouse import quotas
from gatehouse.errors import GatehouseError
from gatehouse.fields import ROOT
from gatehouse.quotas import REFERENCE_LENGTH

TEMPLATES = ROOT / "templates"
#: A reference made by cdktf: opaque until synthesis, so neither its text nor its length is known here.
REFERENCE = re.compile(r"\$\{TfToken\[[A-Za-z0-9_.]+\]\}")
_NO_LENGTHS: Mapping[str, int] = MappingProxyType({})
_SID = re.compile(r"[A-Za-z0-9]+")
_TEMPLATE_START = re.compile(r"([$%])\{")


class PolicyError(GatehouseError):
    """A template that does not make a sound document; the message names template, finding and fix.

    It counts as bad input: a template is edited by hand, or the environment file fills it beyond a quota.
    """

    exit_code = 2


class Kind(Enum):
    """What a document is attached to: its name in messages and its quota in characters, white space left out."""

    MANAGED = ("managed policy", quotas.MANAGED_POLICY)
    INLINE = ("inline policies of a role", quotas.ROLE_INLINE_POLICIES)
    GROUP = ("inline policies of a group", quotas.GROUP_INLINE_POLICIES)
    TRUST = (
        "trust policy",
        quotas.TRUST_POLICY,
        "split the binding: fewer kinds of principal, or shorter lists",
    )
    BUCKET = ("bucket policy", quotas.BUCKET_POLICY)
    KEY = ("key policy", quotas.KEY_POLICY)
    ENDPOINT = ("endpoint policy", quotas.ENDPOINT_POLICY)
    API = ("API resource policy", quotas.API_POLICY)
    TOPIC = ("topic policy", quotas.TOPIC_POLICY)

    def __init__(self, title: str, quota: int, fix: str = "shorten the template, or what fills it") -> None:
        """Give each member its title, its quota, and the way out where the quota is exceeded."""
        self.title, self.quota, self.fix = title, quota, fix


def render_policy(
    template: str,
    kind: Kind,
    *,
    lengths: Mapping[str, int] = _NO_LENGTHS,
    **values: object,
) -> str:
    """Return the document of ``templates/policies/<template>.json.j2``, compact and escaped for Terraform.

    ``values`` fill the placeholders: strings stand inside JSON quotes, lists go through ``tojson``. ``lengths`` has
    the characters that known references will have.

    Raises:
        PolicyError: a placeholder without a value, not JSON, a repeated key, no Version or Statement, a Sid missing
            or repeated, or above the quota of ``kind``.

    """
    document = parse_policy(fill(f"policies/{template}.json.j2", values), template)
    return escape(within_quota(document, kind, template, lengths=lengths))


def within_quota(
    document: Mapping[str, Any],
    kind: Kind,
    name: str,
    *,
    lengths: Mapping[str, int] = _NO_LENGTHS,
    fix: str = "",
) -> str:
    """Return a document as compact text, not yet escaped.

    Raises:
        PolicyError: above the quota of ``kind``; the message names document, size, quota and the ``fix``.

    """
    text = json.dumps(document, separators=(",", ":"))
    size = measure(text, lengths=lengths)
    if size > kind.quota:
        raise PolicyError(
            f"{name}: {size} characters exceed the quota of {kind.title}, {kind.quota}. Fix: {fix or kind.fix}"
        )
    return text


def render_file(template: str, *, quota: int, **values: object) -> str:
    """Return the text of ``templates/<template>`` with its placeholders filled, escaped for Terraform.

    Raises:
        PolicyError: more than ``quota`` bytes, references counted as in :func:`measure`.

    """
    text = _environment(json_strings=False).get_template(template).render(values)
    size = measure(text, spaces=True)
    if size > quota:
        raise PolicyError(
            f"{template}: {size} bytes after rendering exceed {quota}. Fix: shorten the template, or what fills it"
        )
    return escape(text)


def parse_policy(text: str, name: str) -> dict[str, Any]:
    """Return the policy document in ``text``; ``name`` stands for it in messages.

    Raises:
        PolicyError: see :func:`render_policy`.

    """
    try:
        document = json.loads(text, object_pairs_hook=lambda pairs: _unique_keys(pairs, name))
    except json.JSONDecodeError as error:
        raise PolicyError(
            f"{name}: not JSON after rendering, line {error.lineno} column {error.colno}: {error.msg}"
        ) from error
    if not isinstance(document, dict) or document.get("Version") != "2012-10-17":
        raise PolicyError(f'{name}: no "Version": "2012-10-17". Older versions read policy variables as text')
    statements = document.get("Statement")
    if not isinstance(statements, list) or not statements:
        raise PolicyError(f'{name}: "Statement" is not a list with at least one statement')
    for statement in statements:
        if not isinstance(statement, dict):
            raise PolicyError(
                f"{name}: {statement!r} is no statement. Fix: write an object with Sid and Effect"
            )
    sids = [statement.get("Sid") for statement in statements]
    for sid in sids:
        if not isinstance(sid, str) or not _SID.fullmatch(sid) or sids.count(sid) > 1:
            raise PolicyError(
                f"{name}: Sid {sid!r} is missing, repeated or no word. "
                "Fix: give each statement its own Sid of letters and digits"
            )
    return document


def measure(text: str, *, spaces: bool = False, lengths: Mapping[str, int] = _NO_LENGTHS) -> int:
    """Return the size of a document: in bytes with ``spaces``, else in characters without them, as IAM counts.

    A reference counts as ``lengths`` says, or else ``REFERENCE_LENGTH``: its value is known only when Terraform
    applies.
    """
    plain = REFERENCE.sub(lambda found: "x" * lengths.get(found.group(), REFERENCE_LENGTH), text)
    return len(plain.encode()) if spaces else sum(not character.isspace() for character in plain)


def escape(text: str) -> str:
    """Return ``text`` so that Terraform reads it as it stands, except for the references of cdktf."""
    pieces = []
    position = 0
    for reference in REFERENCE.finditer(text):
        pieces += [_TEMPLATE_START.sub(r"\1\1{", text[position : reference.start()]), reference.group()]
        position = reference.end()
    return "".join([*pieces, _TEMPLATE_START.sub(r"\1\1{", text[position:])])


def fill(template: str, values: Mapping[str, object], *, text: str | None = None) -> str:
    """Return the text of ``templates/<template>``, or of ``text`` under that name, its placeholders filled.

    Raises:
        PolicyError: no such template, a mistake in its syntax, a placeholder without a value (with its line), or
            something that a template may not do.

    """
    environment = _environment(json_strings=True)
    try:
        if text is None:
            return environment.get_template(template).render(values)
        code = environment.compile(text, name=template, filename=template)
        return Template.from_code(environment, code, environment.make_globals(None)).render(values)
    except TemplateSyntaxError as error:
        raise PolicyError(
            f"{error.name or template}:{error.lineno}: {error.message}. Fix: correct the Jinja syntax"
        ) from error
    except TemplateNotFound as error:
        raise PolicyError(f"{template}: there is no template {error.name}. Fix: correct the name") from error
    except SecurityError as error:
        raise PolicyError(
            f"{template}: {error}. Fix: use the given values and macros, and nothing of Python"
        ) from error
    except UndefinedError as error:
        raise PolicyError(
            f"{template}:{_line(error, template)}: {error.message}. Fix: use a value that the template is given: "
            f"{', '.join(sorted(values))}"
        ) from error


def macros(template: str, values: Mapping[str, object]) -> dict[str, Callable[..., str]]:
    """Return the macros of ``templates/<template>``, whose own placeholders ``values`` fill."""
    module = _environment(json_strings=True).get_template(template).make_module(dict(values))
    return {name: partial(_marked, macro) for name, macro in vars(module).items() if isinstance(macro, Macro)}


def _marked(macro: Macro, *arguments: object, **named: object) -> Markup:
    # What a macro wrote is JSON already; a plain text would be escaped once more where it is used.
    return Markup(macro(*arguments, **named))  # noqa: S704 - no HTML here


def _line(error: UndefinedError, template: str) -> int:
    """Return the line of the template in which an error was raised; Jinja puts it into the traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame.lineno for frame in frames if frame.filename.endswith(template)]
    return own[-1] or 1 if own else 1


@cache
def _environment(*, json_strings: bool) -> Environment:
    # A persona's template may be a user's own, and is read as data in a review: it must not run code.
    environment = ImmutableSandboxedEnvironment(
        # No HTML here: autoescaping would turn quotes into entities. Strings are escaped for JSON instead.
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_json_string if json_strings else None,
    )
    environment.globals.clear()
    return environment


def _json_string(value: object) -> object:
    """Escape a string for its place between JSON quotes; what ``tojson`` made is JSON already."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return json.dumps(value)[1:-1]
    return value


def _unique_keys(pairs: list[tuple[str, Any]], name: str) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise PolicyError(f"{name}: key {key!r} is repeated in one object; JSON would keep the last only")
    return dict(pairs)
