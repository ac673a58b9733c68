"""A policy template read as a pattern: whether a document is one that the template could have made.

Nothing is rendered, and no value is known. What a template writes out must be there, and nothing else. A placeholder
stands for any text within its quotes, and for the same text wherever its name stands. An ``if`` goes either way, and
the same way wherever the same is asked. A loop goes round any number of times. So a document that passes may still
have other values than the template was given; it has no other statement, action or condition than the template has.

White space does not count. Nor do commas between statements, because a persona's statements are cut into several
documents.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, TemplateSyntaxError, nodes

from gatehouse.errors import GatehouseError

#: Ways that are tried before a document counts as one that the template does not make.
_MOST_STEPS = 50_000
_BETWEEN_STATEMENTS = ("}[", "{]")
_LAST = "loop.last"
_NOT = {"ne": "eq", "notin": "in"}

#: What names stand for: the text that a placeholder has filled, or whether a condition holds.
Bound = Mapping[str, str | bool]
#: What a template has set, and what a macro was called with.
Names = Mapping[str, nodes.Expr]
_Ways = Iterator[tuple[int, Bound]]
_Match = Callable[[nodes.Expr, int, Bound], _Ways]


class UnreadableTemplateError(GatehouseError):
    """A template uses something of Jinja that this reading does not know."""

    exit_code = 2


class _TooManyWaysError(Exception):
    """The document was tried in so many ways that it is taken for one that the template does not make."""


@dataclass(frozen=True)
class Template:
    """One template: its path below a folder, from which it includes others and takes the macros of ``macros``."""

    folder: Path
    path: Path
    macros: Path


@cache
def fillings(template: Template, text: str) -> Bound | None:
    """Return what the placeholders of a template stand for in a JSON text; None if it did not make that text.

    The text has no comma between statements.

    Raises:
        UnreadableTemplateError: the template cannot be read as a pattern.

    """
    bare = "".join(text.split())
    try:
        ways = _Matching(template, bare).whole()
        return next((bound for at, bound in ways if at == len(bare)), None)
    except _TooManyWaysError:
        return None


@cache
def _parsed(path: Path) -> nodes.Template:
    # The same as in gatehouse.policies; without a sandbox, because nothing runs.
    environment = Environment(trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701 - no HTML
    try:
        return environment.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, TemplateSyntaxError) as error:
        raise UnreadableTemplateError(
            f"{path}: cannot be read: {error}. Fix: correct the template"
        ) from error


class _Matching:
    """One text against one template; each method goes through the places where what it was given may end."""

    def __init__(self, template: Template, text: str) -> None:
        self._template, self._text = template, text
        self._steps = 0
        self._macros: dict[str, nodes.Macro] = {}
        for source in (template.macros, template.path):
            self._macros |= {macro.name: macro for macro in _parsed(source).find_all(nodes.Macro)}

    def whole(self) -> _Ways:
        """Match the template from the beginning of the text."""
        return self._body(_parsed(self._template.path).body, 0, {}, {})

    def _body(self, body: list[nodes.Node], at: int, bound: Bound, names: Names) -> _Ways:
        self._step()
        if not body:
            yield at, bound
            return
        first, rest = body[0], body[1:]
        if isinstance(first, nodes.Assign) and isinstance(first.target, nodes.Name):
            yield from self._body(rest, at, bound, {**names, first.target.name: _filled(first.node, names)})
            return
        for end, after in self._node(first, at, bound, names):
            yield from self._body(rest, end, after, names)

    def _node(self, node: nodes.Node, at: int, bound: Bound, names: Names) -> _Ways:
        if isinstance(node, nodes.Output):
            return self._all(node.nodes, at, bound, names)
        if isinstance(node, nodes.If):
            return self._if(node, at, bound, names)
        if isinstance(node, nodes.For):
            return self._for(node, at, bound, names)
        if isinstance(node, nodes.Include):
            return self._include(node, at, bound, names)
        if isinstance(node, nodes.Macro):
            return iter([(at, bound)])
        raise UnreadableTemplateError(
            f"{self._template.path}:{node.lineno}: {type(node).__name__} is nothing that a policy "
            "template uses. Fix: use if, for, set, include and macros"
        )

    def _step(self) -> None:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise _TooManyWaysError

    def _all(self, parts: list[nodes.Expr], at: int, bound: Bound, names: Names) -> _Ways:
        self._step()
        if not parts:
            yield at, bound
            return
        for end, after in self._expression(parts[0], at, bound, names):
            yield from self._all(parts[1:], end, after, names)

    def _if(self, node: nodes.If, at: int, bound: Bound, names: Names) -> _Ways:
        for holds, after in _decided(_filled(node.test, names), bound):
            if holds:
                yield from self._body(node.body, at, after, names)
            elif node.elif_:
                first, *more = node.elif_
                other = nodes.If(first.test, first.body, more, node.else_, lineno=node.lineno)
                yield from self._if(other, at, after, names)
            else:
                yield from self._body(node.else_, at, after, names)

    def _for(self, node: nodes.For, at: int, bound: Bound, names: Names) -> _Ways:
        target = node.target.name if isinstance(node.target, nodes.Name) else ""
        if isinstance(node.iter, nodes.Tuple | nodes.List):
            yield from self._each(node, target, node.iter.items, at, bound, names)
        else:
            yield from self._rounds(node, target, at, bound, {k: v for k, v in names.items() if k != target})

    def _each(
        self, node: nodes.For, target: str, items: list[nodes.Expr], at: int, bound: Bound, names: Names
    ) -> _Ways:
        """A loop over what is written out in the template."""
        if not items:
            yield at, bound
            return
        around = {**_without(bound, "loop"), _LAST: len(items) == 1}
        for end, after in self._body(node.body, at, around, {**names, target: items[0]}):
            yield from self._each(node, target, items[1:], end, after, names)

    def _rounds(self, node: nodes.For, target: str, at: int, bound: Bound, names: Names) -> _Ways:
        """A loop over what nobody knows here: what is bound in one round is not bound in the next."""
        around = _without(bound, target, "loop")
        yield at, around
        begun = [
            (at, self._body(node.body, at, around, names))
        ]  # no recursion: a loop may go round a hundred times
        while begun:
            start, ways = begun[-1]
            end, after = next(ways, (-1, around))
            if end < 0:
                begun.pop()
                continue
            last, after = after.get(_LAST), _without(after, target, "loop")
            if last is not False:
                yield end, after
            if last is not True and end > start:
                begun.append((end, self._body(node.body, end, after, names)))

    def _include(self, node: nodes.Include, at: int, bound: Bound, names: Names) -> _Ways:
        for path in self._included(_filled(node.template, names)):
            yield from self._body(_parsed(path).body, at, bound, names)

    def _included(self, template: nodes.Expr) -> list[Path]:
        """Return the templates that may be meant: one that is named, or all whose name is known in part."""
        parts = template.nodes if isinstance(template, nodes.Concat) else [template]
        pattern = "".join(str(one.value) if isinstance(one, nodes.Const) else "[!_]*" for one in parts)
        return sorted(self._template.folder.glob(pattern))

    def _expression(self, node: nodes.Expr, at: int, bound: Bound, names: Names) -> _Ways:
        if isinstance(node, nodes.Filter) and node.name == "safe":
            return self._expression(cast("nodes.Expr", node.node), at, bound, names)
        called = node.node.name if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) else ""
        if isinstance(node, nodes.Call) and called in self._macros:
            macro = self._macros[called]
            given = {to.name: _filled(one, names) for to, one in zip(macro.args, node.args, strict=False)}
            return self._body(macro.body, at, bound, {**names, **given})
        return self._written(_filled(node, names), at, bound)

    def _written(self, node: nodes.Expr, at: int, bound: Bound) -> _Ways:
        """What stands between ``{{`` and ``}}``, with the names replaced that the template has set."""
        if isinstance(node, nodes.TemplateData):
            yield from self._literal(node.data, at, bound)
        elif isinstance(node, nodes.Const):
            yield from self._literal(str(node.value), at, bound)
        elif isinstance(node, nodes.CondExpr):
            yield from self._either(node, at, bound, self._written)
        elif isinstance(node, nodes.Filter) and node.name == "tojson":
            yield from self._json(cast("nodes.Expr", node.node), at, bound)
        elif isinstance(node, nodes.Concat):
            yield from self._all(node.nodes, at, bound, {})
        else:
            yield from self._text_of(_key(node), at, bound)

    def _either(self, node: nodes.CondExpr, at: int, bound: Bound, match: _Match) -> _Ways:
        for holds, after in _decided(node.test, bound):
            way = node.expr1 if holds else node.expr2
            if way is None:
                yield at, after
            else:
                yield from match(way, at, after)

    def _literal(self, literal: str, at: int, bound: Bound) -> _Ways:
        for character in literal:
            if character.isspace():
                continue
            if self._text.startswith(character, at):
                at += 1
            elif character != "," or not self._between_statements(at):
                return
        yield at, bound

    def _between_statements(self, at: int) -> bool:
        before, after = self._text[at - 1 : at], self._text[at : at + 1]
        return before in _BETWEEN_STATEMENTS[0] and after in _BETWEEN_STATEMENTS[1]

    def _text_of(self, key: str, at: int, bound: Bound) -> _Ways:
        """A placeholder within quotes."""
        known = bound.get(key)
        if isinstance(known, str):
            if self._text.startswith(known, at):
                yield at + len(known), bound
            return
        end = self._end_of_string(at)
        for stop in range(at, end + 1):
            yield stop, {**bound, key: self._text[at:stop]} if key else bound

    def _end_of_string(self, at: int) -> int:
        while at < len(self._text) and self._text[at] != '"':
            at += 2 if self._text[at] == "\\" else 1
        return at

    def _json(self, node: nodes.Expr, at: int, bound: Bound) -> _Ways:
        """A value that stands as JSON, outside quotes."""
        if isinstance(node, nodes.CondExpr):
            yield from self._either(node, at, bound, self._json)
        elif isinstance(node, nodes.Or):
            for holds, after in _decided(node.left, bound):
                yield from self._json(node.left if holds else node.right, at, after)
        elif isinstance(node, nodes.List):
            yield from self._list(node.items, at, bound)
        elif isinstance(node, nodes.Const):
            yield from self._literal(json.dumps(node.value), at, bound)
        else:
            yield from self._value_of(_key(node), at, bound)

    def _list(self, items: list[nodes.Expr], at: int, bound: Bound) -> _Ways:
        parts: list[nodes.Expr] = [nodes.Const("[")]
        for number, item in enumerate(items):
            parts += [nodes.Const(',"' if number else '"'), item, nodes.Const('"')]
        yield from self._all([*parts, nodes.Const("]")], at, bound, {})

    def _value_of(self, key: str, at: int, bound: Bound) -> _Ways:
        known = bound.get(f"{key}|tojson")
        if isinstance(known, str):
            if self._text.startswith(known, at):
                yield at + len(known), bound
            return
        try:
            _, end = json.JSONDecoder().raw_decode(self._text, at)
        except json.JSONDecodeError:
            return
        yield end, {**bound, f"{key}|tojson": self._text[at:end]} if key else bound


def _decided(test: nodes.Expr, bound: Bound) -> Iterator[tuple[bool, Bound]]:
    """Go through the ways in which a condition may turn out, with what is then known."""
    if isinstance(test, nodes.Const):
        yield bool(test.value), bound
    elif isinstance(test, nodes.Compare) and test.ops[0].op in _NOT:
        operand = test.ops[0]
        same = nodes.Compare(test.expr, [nodes.Operand(_NOT[operand.op], operand.expr)])
        yield from ((not holds, after) for holds, after in _decided(same, bound))
    elif isinstance(test, nodes.Not):
        yield from ((not holds, after) for holds, after in _decided(test.node, bound))
    elif isinstance(test, nodes.And | nodes.Or):
        for holds, after in _decided(test.left, bound):
            if holds is isinstance(test, nodes.Or):
                yield holds, after
            else:
                yield from _decided(test.right, after)
    elif isinstance(test, nodes.CondExpr):
        for holds, after in _decided(test.test, bound):
            yield from _decided((test.expr1 if holds else test.expr2) or nodes.Const(None), after)
    else:
        yield from _asked(_key(test) or repr(test), bound)


def _asked(key: str, bound: Bound) -> Iterator[tuple[bool, Bound]]:
    known = bound.get(f"{key}?", bound.get(key) if key == _LAST else None)
    if isinstance(known, bool):
        yield known, bound
        return
    for holds in (True, False):
        yield holds, {**bound, key if key == _LAST else f"{key}?": holds}


def _filled(node: nodes.Node, names: Names) -> nodes.Expr:
    """Return an expression with the names replaced that a template has set."""
    return cast("nodes.Expr", _replaced(node, names) if names else node)


def _replaced(value: Any, names: Names) -> Any:  # noqa: ANN401 - what a node of the syntax tree has in a field
    if isinstance(value, nodes.Name):
        return names.get(value.name, value)
    if isinstance(value, list):
        return [_replaced(one, names) for one in value]
    if not isinstance(value, nodes.Node):
        return value
    return type(value)(
        *(_replaced(getattr(value, name), names) for name in value.fields), lineno=value.lineno
    )


def _key(node: nodes.Expr) -> str:
    """Return a name with its attributes, as in ``entry.issuer``; empty for anything else, which is not remembered."""
    if isinstance(node, nodes.Name):
        return str(node.name)
    if isinstance(node, nodes.Getattr) and (base := _key(node.node)):
        return f"{base}.{node.attr}"
    return ""


def _without(bound: Bound, *roots: str) -> dict[str, str | bool]:
    """Return what is bound, without what hangs on names that mean something else from now on."""
    hanging = tuple(f"{root}{mark}" for root in roots for mark in ".|?")
    return {
        key: value
        for key, value in bound.items()
        if key not in roots and not key.startswith(hanging) and not any(f"'{root}'" in key for root in roots)
    }
