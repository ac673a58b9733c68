"""Rules of the code's own shape, read off the syntax tree: each one a function over (path, source).

Every rule is tried on all files of the repository, and on snippets that break it, so that it is seen to fail.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

import pytest

Rule = Callable[[PurePosixPath, str], list[str]]

CDKTF = frozenset({"cdktf", "cdktf_cdktf_provider_aws", "constructs", "jsii"})
#: What constructs may know of plain Python: values and rendering, never commands or verdicts.
OPEN_TO_MODULES = frozenset(
    {
        "gatehouse.bindings",
        "gatehouse.fields",
        "gatehouse.personas",
        "gatehouse.policies",
        "gatehouse.quotas",
        "gatehouse.settings",
    }
)
#: What judges a document, and what it must not know: the settings from which that was made.
VERIFIER = (
    ("gatehouse", "access"),
    ("gatehouse", "document"),
    ("gatehouse", "reachability"),
    ("gatehouse", "scan"),
)
CLOSED_TO_VERIFIER = frozenset(
    {
        "gatehouse.access_rules",
        "gatehouse.access_settings",
        "gatehouse.bindings",
        "gatehouse.declared",
        "gatehouse.environment_file",
        "gatehouse.invariant_settings",
        "gatehouse.revisions",
        "gatehouse.settings",
        "gatehouse.synth",
        "gatehouse.trust",
    }
)
#: Arguments whose Terraform type is a map or that have no typed struct, and our own that are looked things up in.
MAPS = frozenset(
    {
        "dimensions",
        "lengths",
        "policy_values",
        "request_parameters",
        "response_parameters",
        "statement",
        "tags",
        "tags_all",
        "triggers",
        "values",
        "variables",
    }
)
#: Calls that make a text of plain data, in which lists of dicts are what is meant.
JSON_WRITERS = frozenset({"dumps", "jsonencode", "render_policy", "render_file", "add_override"})
#: Files of modules/ that may write Terraform expressions by hand; all others use references and `Fn`.
RAW_EXPRESSIONS: frozenset[str] = frozenset()


def import_direction(path: PurePosixPath, source: str) -> list[str]:
    """Only modules/ and main.py know cdktf; gatehouse/ knows nothing of modules/; modules/ little of it.

    What judges a document knows nothing of the settings.
    """
    return [
        f"{path}:{line}: {path.parts[0]} must not import {name}"
        for line, name in _imports(path, ast.parse(source))
        if _is_forbidden(path, name)
    ]


def _is_forbidden(path: PurePosixPath, name: str) -> bool:
    root = name.partition(".")[0]
    place = path.parts[0]
    if place == "modules":
        return root in ("main", "tests") or (
            root == "gatehouse"
            and not any(name == one or name.startswith(f"{one}.") for one in OPEN_TO_MODULES)
        )
    if path.parts[:2] in VERIFIER and name in CLOSED_TO_VERIFIER:
        return True
    if path == PurePosixPath("main.py"):
        return False
    if path.parts[:2] == ("templates", "server"):  # copied to the instance: programs of their own
        return root in CDKTF or root in ("gatehouse", "modules", "main")
    if place in ("tests", "benchmarks") and path.parts[1:2] != ("unit",):
        return root in CDKTF  # they run the constructs, and leave cdktf to them
    return root in CDKTF or root in ("modules", "main")


def _imports(path: PurePosixPath, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every imported name with its line; ``from gatehouse import cli`` is ``gatehouse.cli``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.parent.parts[: len(path.parent.parts) - node.level + 1] if node.level else ()
            base = ".".join([*package, *(node.module or "").split(".")]).strip(".")
            whole = len(base.split(".")) > 1 or base not in ("gatehouse", "modules")
            yield from ((node.lineno, base if whole else f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _name(node.func) in ("import_module", "__import__") and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield node.lineno, name.value


def typed_structs(path: PurePosixPath, source: str) -> list[str]:
    """No dict inside a list goes to a construct: jsii drops its keys. A dict alone goes to map arguments."""
    if path.parts[0] != "modules":
        return []
    tree = ast.parse(source)
    shapes = _Shapes(tree)
    findings: list[str] = []
    for call in _calls(tree):
        for keyword, value in [
            *((None, one) for one in call.args),
            *((k.arg, k.value) for k in call.keywords),
        ]:
            if shapes.has_dict_in_list(value):
                findings.append(
                    f"{path}:{value.lineno}: a dict in a list loses its keys: use the typed struct"
                )
            elif keyword is not None and keyword not in MAPS and shapes.is_dict(value):
                findings.append(f"{path}:{value.lineno}: {keyword} takes a struct, or is missing from MAPS")
    return list(dict.fromkeys(findings))  # `list({...} for ...)` is two calls and one mistake


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    """Every call that is no JSON writer and is not inside one."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            if _name(child.func) in JSON_WRITERS:
                continue
            yield child
        yield from _calls(child)


class _Shapes:
    """What an expression is, as far as one file tells: names by their assignments, calls by their returns."""

    def __init__(self, tree: ast.AST) -> None:
        self._assigned: dict[str, list[ast.expr]] = {}
        self._returns_dict: set[str] = {"dict"}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self._assigned.setdefault(_name(target), []).append(node.value)
            elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
                self._assigned.setdefault(_name(node.target), []).append(node.value)
            elif isinstance(node, ast.FunctionDef) and _returns(node).startswith(("dict", "Mapping")):
                self._returns_dict.add(node.name)

    def is_dict(self, node: ast.expr, seen: frozenset[str] = frozenset()) -> bool:
        """Whether the expression is a dict, on one of its ways at least."""
        if isinstance(node, ast.Dict | ast.DictComp):
            return True
        if isinstance(node, ast.Call):
            return _name(node.func) in self._returns_dict
        return any(self.is_dict(one, seen | {_name(node)}) for one in self._parts(node, seen))

    def has_dict_in_list(self, node: ast.expr, seen: frozenset[str] = frozenset()) -> bool:
        """Whether the expression is a list, tuple or the like with a dict in it."""
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            items = [one.value if isinstance(one, ast.Starred) else one for one in node.elts]
            return any(self.is_dict(one, seen) or self.has_dict_in_list(one, seen) for one in items)
        if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
            return self.is_dict(node.elt, seen) or self.has_dict_in_list(node.elt, seen)
        if isinstance(node, ast.Call) and _name(node.func) in ("list", "tuple", "sorted"):
            return any(self.has_dict_in_list(one, seen) for one in node.args)
        return any(self.has_dict_in_list(one, seen | {_name(node)}) for one in self._parts(node, seen))

    def _parts(self, node: ast.expr, seen: frozenset[str]) -> Iterable[ast.expr]:
        if isinstance(node, ast.Name | ast.Attribute):
            return () if _name(node) in seen else self._assigned.get(_name(node), ())
        if isinstance(node, ast.IfExp):
            return (node.body, node.orelse)
        if isinstance(node, ast.BoolOp):
            return node.values
        if isinstance(node, ast.BinOp):
            return (node.left, node.right)
        return ()


def no_raw_expressions(path: PurePosixPath, source: str) -> list[str]:
    """Terraform expressions are references and ``Fn``, not text with ``${``; documentation may speak of it."""
    if path.parts[0] != "modules" or str(path) in RAW_EXPRESSIONS:
        return []
    tree = ast.parse(source)
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        f"{path}:{node.lineno}: a Terraform expression is written by hand"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and id(node) not in documentation
        and isinstance(node.value, str)
        and ("${" in node.value or "%{" in node.value)
    ]


def _returns(function: ast.FunctionDef) -> str:
    return ast.unparse(function.returns) if function.returns is not None else ""


def _name(node: ast.AST) -> str:
    """The last part of a name: ``dumps`` of ``json.dumps``; empty for anything else."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _files(repository: Path) -> Iterator[tuple[PurePosixPath, str]]:
    for top in ("main.py", "gatehouse", "modules", "templates", "tests", "benchmarks", "tools"):
        place = repository / top
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            yield PurePosixPath(path.relative_to(repository)), path.read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", [import_direction, typed_structs, no_raw_expressions])
def test_the_repository_keeps_the_rule(repository: Path, rule: Rule) -> None:
    findings = [finding for path, source in _files(repository) for finding in rule(path, source)]
    assert not findings, "\n".join(findings)


def test_every_part_of_the_repository_is_read(repository: Path) -> None:
    read = {str(path) for path, _source in _files(repository)}
    assert {"main.py", "gatehouse/cli.py", "modules/stack.py", "tests/unit/test_architecture.py"} <= read


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("gatehouse/synth.py", "import cdktf"),
        ("gatehouse/document/read.py", "from gatehouse.settings import Settings"),
        ("gatehouse/access/world.py", "from gatehouse import bindings"),
        ("gatehouse/scan/gate.py", "import gatehouse.access_settings"),
        ("gatehouse/synth.py", "from cdktf import App"),
        ("gatehouse/synth.py", "from constructs import Construct"),
        ("gatehouse/synth.py", "def f():\n    from modules.stack import GatehouseStack"),
        ("gatehouse/synth.py", "from modules import stack"),
        ("gatehouse/synth.py", "from cdktf_cdktf_provider_aws.vpc import Vpc"),
        ("gatehouse/synth.py", "import importlib\nimportlib.import_module('jsii')"),
        ("gatehouse/access/prove.py", "from .. import cdktf\nimport jsii.errors"),
        ("gatehouse/synth.py", "import main"),
        ("modules/stack.py", "from gatehouse.cli import main"),
        ("modules/stack.py", "from gatehouse import synth"),
        ("modules/stack.py", "import gatehouse.environment_file"),
        ("modules/stack.py", "import gatehouse"),
        ("tests/unit/test_x.py", "from cdktf import Testing"),
        ("tests/unit/test_x.py", "from modules.stack import GatehouseStack"),
        ("tests/synth/test_x.py", "from cdktf import Testing"),
        ("benchmarks/synth.py", "import cdktf"),
        ("tools/lock_server.py", "from modules import stack"),
        ("templates/server/launcher.py", "from gatehouse import settings"),
    ],
)
def test_a_forbidden_import_is_found(path: str, source: str) -> None:
    (finding,) = import_direction(PurePosixPath(path), source)
    assert finding.startswith(f"{path}:{len(source.splitlines())}: ")


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("modules/stack.py", "from cdktf import App\nfrom constructs import Construct"),
        (
            "modules/stack.py",
            "from gatehouse.settings import Settings\nfrom gatehouse import fields, policies",
        ),
        ("modules/stack.py", "from gatehouse.policies.kinds import Kind\nfrom . import network"),
        ("modules/stack.py", "from modules.network import Network"),
        (
            "main.py",
            "from cdktf import App\nfrom modules.stack import S\nfrom gatehouse.errors import InputError",
        ),
        ("gatehouse/cli.py", "from gatehouse.synth import synthesize\nimport json"),
        ("tests/synth/test_x.py", "from modules.app import synthesize"),
    ],
)
def test_other_imports_are_not(path: str, source: str) -> None:
    assert import_direction(PurePosixPath(path), source) == []


@pytest.mark.parametrize(
    "source",
    [
        "Bucket(self, 'x', rule=[{'id': 'a', 'expiration_days': 1}])",
        "Bucket(self, 'x', rule=[dict(id='a')])",
        "Bucket(self, 'x', rule=({'id': 'a'},))",
        "Bucket(self, 'x', rule=[{'id': name} for name in names])",
        "Bucket(self, 'x', rule=list({'id': name} for name in names))",
        "Bucket(self, 'x', rule=[*first, {'id': 'a'}])",
        "Bucket(self, 'x', rule=[Rule(id='a')] + [{'id': 'b'}])",
        "Bucket(self, 'x', rule=[{'id': 'a'}] if wanted else None)",
        "Bucket(self, 'x', rule=[[{'id': 'a'}]])",
        "rules = [{'id': 'a'}]\nBucket(self, 'x', rule=rules)",
        "one = {'id': 'a'}\nBucket(self, 'x', rule=[one])",
        "self._one = {'id': 'a'}\nBucket(self, 'x', rule=[self._one])",
        "def one() -> dict[str, str]: ...\nBucket(self, 'x', rule=[one()])",
        "Bucket(self, 'x', rule=[Rule(filter=[{'prefix': 'a'}])])",
        "Bucket(self, 'x', versioning={'enabled': True})",
        "Bucket(self, 'x', versioning=dict(enabled=True))",
        "versioning = {'enabled': True}\nBucket(self, 'x', versioning=versioning)",
        "Bucket(self, 'x', tags={'a': 'b'}, timeouts={'create': '1h'})",
    ],
)
def test_an_untyped_struct_is_found(source: str) -> None:
    (finding,) = typed_structs(PurePosixPath("modules/storage.py"), source)
    assert finding.startswith(f"modules/storage.py:{len(source.splitlines())}: ")


@pytest.mark.parametrize(
    "source",
    [
        "Bucket(self, 'x', rule=[Rule(id='a')], tags={'Name': 'a'})",
        "Bucket(self, 'x', rule=[Rule(id=name) for name in names])",
        "ApiGatewayMethod(self, 'x', request_parameters={name: True for name in names})",
        "Dashboard(self, 'x', body=json.dumps({'widgets': [{'type': 'metric'}]}))",
        "Dashboard(self, 'x', body=Fn.jsonencode([{'type': 'metric'}]))",
        "PORTS = {'https': 443}\nGroup(self, 'x', port=PORTS['https'])",
        "names = {'a': 'b'}\nfor name in names.items():\n    Bucket(self, name)",
        "rules = rules + [Rule(id='a')]\nBucket(self, 'x', rule=rules)",
        "default_tags = [DefaultTags(tags={**settings.tags, 'a': 'b'})]\nProvider(self, default_tags=default_tags)",
    ],
)
def test_typed_structs_and_maps_are_not(source: str) -> None:
    assert typed_structs(PurePosixPath("modules/storage.py"), source) == []


@pytest.mark.parametrize(
    "source",
    [
        "arn = '${aws_s3_bucket.artifacts.arn}'",
        "arn = f'arn:aws:s3:::${{var.bucket}}/{team}'",
        "text = 'a%{ if true }b'",
        "def f():\n    '''Writes ${x}.'''\n    return '${x}'",
    ],
)
def test_a_raw_expression_is_found(source: str) -> None:
    (finding,) = no_raw_expressions(PurePosixPath("modules/storage.py"), source)
    assert finding.startswith(f"modules/storage.py:{len(source.splitlines())}: ")


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("modules/storage.py", '"""Policies hold ${aws:PrincipalTag/team}."""\narn = bucket.arn'),
        ("modules/storage.py", "log = '$context.path'\nname = f'{prefix}-logs'"),
        ("gatehouse/policies.py", "variable = '${aws:PrincipalTag/team}'"),
    ],
)
def test_other_text_is_not(path: str, source: str) -> None:
    assert no_raw_expressions(PurePosixPath(path), source) == []
