"""A YAML text as plain data, with the line of every field kept beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from gatehouse.errors import MISSING, InputError, Problem, Raw, names_a_secret, show, without_credentials

Part = str | int
"""One step of a path: a field's name or an item's index."""
#: Levels of a text that is told to be nested too deep; an environment has five.
_DEEPEST = 50


@dataclass(frozen=True)
class YamlSource:
    """Parsed YAML 1.2: ``data`` in plain Python types, ``node`` the same as marked nodes (None if empty)."""

    data: Any
    node: Node | None

    def line_of(self, path: Sequence[Part]) -> int:
        """Return the line, from 1, of the deepest part of ``path`` that the text has."""
        line, node = 1, self.node
        for part in path:
            found = _step(node, part)
            if found is None:
                break
            key, node = found
            line = key.start_mark.line + 1
        return line

    def raw(self, path: Sequence[Part]) -> str | None:
        """Return the scalar at ``path`` as it is written, without quotes; None if there is none."""
        node = self.node
        for part in path:
            found = _step(node, part)
            if found is None:
                return None
            node = found[1]
        return str(node.value) if isinstance(node, ScalarNode) else None

    def has(self, path: Sequence[Part]) -> bool:
        """Return whether the text holds something at ``path``."""
        return self._walk(path)[0]

    def value_at(self, path: Sequence[Part]) -> object:
        """Return the data at ``path``; None if there is none."""
        return self._walk(path)[1]

    def _walk(self, path: Sequence[Part]) -> tuple[bool, object]:
        value: Any = self.data
        for part in path:
            inside = isinstance(value, dict) and part in value
            if not inside and not (isinstance(value, list) and isinstance(part, int) and part < len(value)):
                return False, None
            value = value[part]
        return True, value


def _step(node: Node | None, part: Part) -> tuple[Node, Node] | None:
    """Return the node that marks the place of ``part`` and the node of its value."""
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.value == str(part):
                return key, value
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


def dotted(path: Sequence[Part]) -> str:
    """Return a path as text: ``api.client_cidrs[1]``, ``tags["cost center"]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("_", "a").replace("-", "a").isalnum():
            text += f".{part}" if text else part
        else:
            text += f"[{show(part)}]"
    return text


class _UnreadableError(Exception):
    """A scalar that its tag does not fit, such as a number of ten thousand digits."""

    def __init__(self, node: ScalarNode) -> None:
        """Keep the node."""
        super().__init__(node.value)
        self.node = node


class _Constructor(SafeConstructor):
    """Plain data; dates stay the text that they are written as."""


def _guarded(construct: Callable[[SafeConstructor, Node], object]) -> Callable[[_Constructor, Node], object]:
    def checked(constructor: _Constructor, node: Node) -> object:
        try:
            return construct(constructor, node)
        except (ValueError, KeyError, IndexError):
            if not isinstance(node, ScalarNode):
                raise
            raise _UnreadableError(node) from None

    return checked


_YAML = "tag:yaml.org,2002:"
_Constructor.add_constructor(f"{_YAML}timestamp", SafeConstructor.construct_yaml_str)
_Constructor.add_constructor(f"{_YAML}int", _guarded(SafeConstructor.construct_yaml_int))
_Constructor.add_constructor(f"{_YAML}float", _guarded(SafeConstructor.construct_yaml_float))
_Constructor.add_constructor(f"{_YAML}bool", _guarded(SafeConstructor.construct_yaml_bool))


def parse_yaml(text: str, file: str) -> YamlSource:
    """Parse one YAML 1.2 document; ``file`` is named in errors.

    Raises InputError for syntax errors, duplicate keys, unknown tags and values that YAML cannot read.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    node: Node | None = None
    try:
        node = yaml.compose(text)
        return YamlSource(None if node is None else yaml.constructor.construct_document(node), node)
    except DuplicateKeyError as error:
        raise InputError([_duplicate(error, file, text)]) from None
    except MarkedYAMLError as error:
        raise InputError([_syntax(error, file, text)]) from None
    except ReaderError as error:
        code = error.character if isinstance(error.character, int) else ord(str(error.character)[:1])
        problem = f"the character U+{code:04X} is not allowed in YAML"
        raise InputError([Problem(file, problem, "remove it", line=_line(text, error.position))]) from None
    except _UnreadableError as error:
        raise InputError([_unreadable(error.node, node, file)]) from None
    except RecursionError:
        fix = "remove the brackets; an environment has few levels"
        line = _line_of_depth(text)
        raise InputError([Problem(file, f"is nested more than {_DEEPEST} levels deep", fix, line)]) from None
    except (YAMLError, ValueError, TypeError) as error:  # constructors raise what they like
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise InputError([Problem(file, f"cannot be read as YAML: {reason}", "correct the value")]) from None


def _unreadable(scalar: ScalarNode, root: Node | None, file: str) -> Problem:
    kind = str(scalar.tag).rpartition(":")[2]
    path = _path_of(scalar, root, set()) or ()
    return Problem(
        file,
        f"cannot be read as YAML's {kind}",
        "correct it, or put it in quotes if it is text",
        line=scalar.start_mark.line + 1,
        field=dotted(path),
        value=MISSING if path and names_a_secret(path[-1]) else Raw(str(scalar.value)),
    )


def _path_of(scalar: Node, node: Node | None, seen: set[int]) -> tuple[Part, ...] | None:
    """Return the path of ``scalar`` below ``node``; ``seen`` keeps aliases from leading around in a circle."""
    if node is scalar:
        return ()
    if id(node) in seen:
        return None
    seen.add(id(node))
    parts: list[tuple[Part, Node]] = []
    if isinstance(node, MappingNode):
        parts = [(str(key.value), below) for key, below in node.value]
        parts += [(str(key.value), key) for key, _ in node.value]
    elif isinstance(node, SequenceNode):
        parts = list(enumerate(node.value))
    for part, below in parts:
        found = _path_of(scalar, below, seen)
        if found is not None:
            return (part, *found)
    return None


def _line_of_depth(text: str) -> int | None:
    """Return the line where the text is nested too deep; events, unlike nodes, are read without recursion."""
    depth = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        depth += isinstance(event, CollectionStartEvent)
        depth -= isinstance(event, CollectionEndEvent)
        if depth > _DEEPEST:
            return int(event.start_mark.line) + 1
    return None


def _line(text: str, position: object) -> int | None:
    return text.count("\n", 0, position) + 1 if isinstance(position, int) else None


def _duplicate(error: DuplicateKeyError, file: str, text: str) -> Problem:
    mark = error.problem_mark
    line = mark.line + 1 if mark is not None else None
    written = text.splitlines()[mark.line].strip() if mark is not None else ""
    field = written.partition(":")[0].strip("'\"- ")
    return Problem(file, "is given twice in one mapping", "keep one of the two", line=line, field=field)


def _syntax(error: MarkedYAMLError, file: str, text: str) -> Problem:
    what = " ".join(str(part) for part in (error.problem, error.context) if part) or "is not YAML"
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Problem(file, f"YAML syntax: {what}", "correct the YAML")
    lines = text.splitlines()
    found = lines[mark.line].strip() if mark.line < len(lines) else "the end of the file"
    name, colon, _ = found.partition(":")
    shown = f"{name}{colon} …" if colon and names_a_secret(name) else without_credentials(found)
    return Problem(
        file,
        f"YAML syntax: {what}, at: {shown[:60]}",
        _syntax_fix(str(error.problem), found),
        line=mark.line + 1,
        column=mark.column + 1,
    )


def _syntax_fix(problem: str, found: str) -> str:
    if "\\t" in problem or "\t" in found:
        return "indent with spaces; YAML takes no tabs"
    if "single document" in str(problem) or "another document" in problem:
        return 'keep one document: remove the "---" in the middle'
    if "tag" in problem:
        return 'remove the tag that starts with "!"'
    if "alias" in problem:
        return "define the anchor (&name) above the alias (*name)"
    return "check the indentation, the colon after each name, and that quotes and brackets are closed"
