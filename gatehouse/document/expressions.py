"""Terraform's expressions: text to syntax tree, in the grammar of HCL's native syntax.

What a synthesized document holds and no more: literals, quoted templates, references, indexes, calls, operators,
conditionals, lists and objects. Directives (``%{``), ``for`` and heredocs are refused by name.

Source: HCL Native Syntax Specification, "Expressions" and "Templates"; HCL JSON Syntax Specification, "Expressions"
(a string of a JSON document is a template).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatehouse.document.nodes import (
    Attribute,
    Binary,
    Call,
    Conditional,
    Index,
    Interpolation,
    Items,
    Literal,
    Node,
    ObjectItems,
    Reference,
    Splat,
    Template,
    Unary,
    UnresolvedError,
)

_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[^\W\d][\w-]*)"
    r"|(?P<sign>\.\.\.|=>|==|!=|<=|>=|&&|\|\||[-+*/%<>!?:=.,()\[\]{}\"])"
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_UNICODE = {"u": 4, "U": 8}
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
#: How many names make a reference, by its first; a resource has two.
_NAMES = {"data": 3}
#: Operators by how tightly they bind, loosest first.
_LEVELS = (("||",), ("&&",), ("==", "!="), ("<", "<=", ">", ">="), ("+", "-"), ("*", "/", "%"))
_AS_SYNTHESIZED = "see that it is what synthesis writes"
#: Characters of an expression in a message, where it cannot be told where it ends.
_LONGEST = 60
_REPEATED = frozenset({"count", "each", "self"})


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def parse_template(text: str, known: dict[str, Node]) -> Node:
    """Return the syntax tree of a string in a JSON document; ``known`` keeps the trees of what was seen before.

    A string that is one interpolation and nothing else has that value, of whatever type.

    Raises:
        UnresolvedError: what is no template, or more than is read here.

    """
    parts: list[Node] = []
    position = 0
    while position < len(text):
        node, position = _part(text, position, known, end=None)
        parts.append(node)
    return parts[0] if len(parts) == 1 else Template(tuple(parts))


def _part(text: str, start: int, known: dict[str, Node], end: str | None) -> tuple[Node, int]:
    """Return one interpolation, or the literal text up to the next (or to the quote that ends it)."""
    if text.startswith("%{", start):
        raise UnresolvedError(
            "has a template directive, %{...}", "write an expression instead", text[start : start + 40]
        )
    if text.startswith("${", start):
        return _interpolation(text, start, known)
    literal, position = [], start
    while position < len(text) and text[position] != end:
        if text.startswith(("$${", "%%{"), position):
            literal.append(text[position] + "{")
            position += 3
        elif text.startswith(("${", "%{"), position):
            break
        elif end is not None and text[position] == "\\":
            character, position = _escape(text, position)
            literal.append(character)
        else:
            stop = _plain_end(text, position, quoted=end is not None)
            literal.append(text[position:stop])
            position = stop
    return Literal("".join(literal)), position


_SPECIAL, _SPECIAL_QUOTED = re.compile(r"[$%]"), re.compile(r'[$%"\\]')


def _plain_end(text: str, start: int, *, quoted: bool) -> int:
    found = (_SPECIAL_QUOTED if quoted else _SPECIAL).search(text, start + 1)
    return found.start() if found else len(text)


def _escape(text: str, start: int) -> tuple[str, int]:
    letter = text[start + 1 : start + 2]
    if letter in _ESCAPES:
        return _ESCAPES[letter], start + 2
    digits = _UNICODE.get(letter, 0)
    code = text[start + 2 : start + 2 + digits]
    if digits and re.fullmatch(rf"[0-9A-Fa-f]{{{digits}}}", code):
        return chr(int(code, 16)), start + 2 + digits
    raise UnresolvedError(f"has the unknown escape \\{letter}", _AS_SYNTHESIZED, text)


def _interpolation(text: str, start: int, known: dict[str, Node]) -> tuple[Node, int]:
    # Without quotes and braces before it, the next brace is the one that closes.
    close = text.find("}", start)
    short = text[start : close + 1]
    if short and '"' not in short and "{" not in short[2:]:
        node = known.get(short)
        if node is None:
            node = known[short] = _Parser(text, start + 2, known).interpolation(start)[0]
        return node, close + 1
    return _Parser(text, start + 2, known).interpolation(start)


class _Parser:
    """Recursive descent from a position of the text."""

    def __init__(self, text: str, position: int, known: dict[str, Node]) -> None:
        self._text, self._known, self._start = text, known, position
        self._next = self._token(position)

    def interpolation(self, start: int) -> tuple[Node, int]:
        node = self._expression()
        if self._next.text != "}":
            raise self._unexpected("}")
        end = self._next.end
        return Interpolation(node, self._text[start:end]), end

    def _token(self, position: int) -> _Token:
        found = _TOKEN.match(self._text, position)
        if found and found.lastgroup == "space":
            found = _TOKEN.match(self._text, found.end())
        if not found or found.lastgroup == "space":
            return _Token("end", self._text[position : position + 1], position, position)
        return _Token(str(found.lastgroup), found[0], found.start(), found.end())

    def _advance(self) -> _Token:
        token = self._next
        self._next = self._token(token.end)
        return token

    def _at(self, *signs: str) -> bool:
        return self._next.kind == "sign" and self._next.text in signs

    def _take(self, sign: str) -> bool:
        if self._at(sign):
            self._advance()
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise self._unexpected(sign)

    @property
    def _written(self) -> str:
        return "${" + self._text[self._start : self._start + _LONGEST]

    def _unexpected(self, expected: str) -> UnresolvedError:
        found = self._next.text or "its end"
        return UnresolvedError(
            f"has {found} where {expected} was expected",
            _AS_SYNTHESIZED,
            self._written,
        )

    def _unsupported(self, what: str) -> UnresolvedError:
        return UnresolvedError(
            f"has {what}, which is not read",
            "write the values out",
            self._written,
        )

    def _expression(self) -> Node:
        condition = self._operators(0)
        if not self._take("?"):
            return condition
        yes = self._expression()
        self._need(":")
        return Conditional(condition, yes, self._expression())

    def _operators(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        node = self._operators(level + 1)
        while self._at(*_LEVELS[level]):
            node = Binary(self._advance().text, node, self._operators(level + 1))
        return node

    def _unary(self) -> Node:
        if self._at("!", "-"):
            return Unary(self._advance().text, self._unary())
        return self._postfix(self._primary())

    def _postfix(self, node: Node) -> Node:
        while True:
            if self._take("."):
                node = self._member(node)
            elif self._take("["):
                if self._take("*"):
                    self._need("]")
                    return self._splat(node)
                node = Index(node, self._expression())
                self._need("]")
            else:
                return node

    def _member(self, node: Node) -> Node:
        if self._next.kind == "name":
            return Attribute(node, self._advance().text)
        if self._next.kind == "number" and self._next.text.isdecimal():
            return Index(node, Literal(int(self._advance().text)))
        raise self._unsupported("a splat without brackets") if self._at("*") else self._unexpected("a name")

    def _splat(self, node: Node) -> Node:
        names: list[str] = []
        while self._take("."):
            names.append(self._name())
        return Splat(node, tuple(names))

    def _name(self) -> str:
        if self._next.kind != "name":
            raise self._unexpected("a name")
        return self._advance().text

    def _primary(self) -> Node:
        token = self._next
        if token.kind == "number":
            self._advance()
            return Literal(int(token.text) if token.text.isdecimal() else float(token.text))
        if token.kind == "name":
            return self._named()
        if self._take("("):
            node = self._expression()
            self._need(")")
            return node
        if self._at('"'):
            return self._quoted()
        if self._take("["):
            return self._items()
        if self._take("{"):
            return self._object()
        raise self._unsupported("a heredoc") if self._at("<") else self._unexpected("an expression")

    def _named(self) -> Node:
        name = self._advance().text
        if self._take("("):
            return self._call(name)
        if name in _WORDS:
            return Literal(_WORDS[name])
        if name in _REPEATED:
            raise self._unsupported(name)
        names = [name]
        while len(names) < _NAMES.get(name, 2):
            self._need(".")
            names.append(self._name())
        return Reference(tuple(names))

    def _call(self, name: str) -> Node:
        arguments: list[Node] = []
        spread = False
        while not self._at(")"):
            arguments.append(self._expression())
            spread = self._take("...")
            if spread or not self._take(","):
                break
        self._need(")")
        return Call(name, tuple(arguments), spread)

    def _quoted(self) -> Node:
        position = self._next.end
        parts: list[Node] = []
        while self._text[position : position + 1] != '"':
            if position >= len(self._text):
                raise UnresolvedError('has its end where " was expected', _AS_SYNTHESIZED, self._written)
            node, position = _part(self._text, position, self._known, end='"')
            parts.append(node)
        self._next = self._token(position + 1)
        # Always text: the interpolation of a quoted template that has nothing else keeps its type in HCL, too.
        return parts[0] if len(parts) == 1 else Template(tuple(parts))

    def _items(self) -> Node:
        if self._next.text == "for":
            raise self._unsupported("for")
        items: list[Node] = []
        while not self._at("]"):
            items.append(self._expression())
            if not self._take(","):
                break
        self._need("]")
        return Items(tuple(items))

    def _object(self) -> Node:
        if self._next.text == "for":
            raise self._unsupported("for")
        items: list[tuple[Node, Node]] = []
        while not self._at("}"):
            key: Node = Literal(self._advance().text) if self._next.kind == "name" else self._expression()
            if not self._take("="):
                self._need(":")
            items.append((key, self._expression()))
            self._take(",")
        self._need("}")
        return ObjectItems(tuple(items))
