"""How a resource is changed: each function returns an edit that fails where its premise does not hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.mutations.mutation import Body, Edit

Statement = dict[str, Any]
#: From the statements of a policy to others, as a new list.
PolicyEdit = Callable[[list[Statement]], list[Statement]]


def put(path: str, value: object) -> Edit:
    """Another value at a path of names and numbers with dots between; there has to be one."""

    def edit(body: Body | None) -> Body | None:
        *way, last = _path(path)
        place = _follow(body, way)
        if place[last] == value:
            raise ValueError(f"{path} is {value!r} already")
        place[last] = value
        return body

    return edit


def insert(path: str, value: object) -> Edit:
    """A value where there is none."""

    def edit(body: Body | None) -> Body | None:
        *way, last = _path(path)
        place = _follow(body, way)
        if isinstance(place, list):
            place.insert(int(last), value)
        elif last in place:
            raise ValueError(f"there is {path} already: {place[last]!r}")
        else:
            place[last] = value
        return body

    return edit


def drop(path: str) -> Edit:
    """Nothing at a path."""

    def edit(body: Body | None) -> Body | None:
        *way, last = _path(path)
        del _follow(body, way)[last]
        return body

    return edit


def entry(path: str, key: str, value: object) -> Edit:
    """Another value of a map whose keys have dots, new or not; None leaves the key out."""

    def edit(body: Body | None) -> Body | None:
        place = _follow(body, _path(path))
        if place.get(key) == value:
            raise ValueError(f"{path} has {value!r} as {key} already")
        if value is None:
            del place[key]
        else:
            place[key] = value
        return body

    return edit


def both(*edits: Edit) -> Edit:
    """One edit after the other."""

    def edit(body: Body | None) -> Body | None:
        for one in edits:
            body = one(body)
        return body

    return edit


def removed(body: Body | None) -> None:
    """No such resource any more."""
    if body is None:
        raise ValueError("there is no such resource")


def added(**attributes: object) -> Edit:
    """A new resource."""

    def edit(body: Body | None) -> Body:
        if body is not None:
            raise ValueError("there is such a resource already")
        return attributes

    return edit


def policy(*edits: PolicyEdit, attribute: str = "policy") -> Edit:
    """A policy with other statements; it stands in the attribute as JSON."""

    def edit(body: Body | None) -> Body | None:
        place = _follow(body, [])
        document = json.loads(place[attribute])
        for one in edits:
            document["Statement"] = one(document["Statement"])
        place[attribute] = json.dumps(document, separators=(",", ":"))
        return body

    return edit


def trust(*edits: PolicyEdit) -> Edit:
    """A role that trusts others."""
    return policy(*edits, attribute="assume_role_policy")


def text(old: str, new: str, attribute: str = "policy") -> Edit:
    """Another text for one in an attribute, everywhere in it."""

    def edit(body: Body | None) -> Body | None:
        place = _follow(body, [])
        if old not in place[attribute]:
            raise ValueError(f"there is no {old} in {attribute}")
        place[attribute] = place[attribute].replace(old, new)
        return body

    return edit


def without(*sids: str) -> PolicyEdit:
    """A policy that lacks statements."""

    def edit(statements: list[Statement]) -> list[Statement]:
        for sid in sids:
            _statement(statements, sid)
        return [one for one in statements if one["Sid"] not in sids]

    return edit


def with_more(sid: str, effect: str = "Allow", **elements: object) -> PolicyEdit:
    """A policy with one more statement, in front."""

    def edit(statements: list[Statement]) -> list[Statement]:
        return [{"Sid": sid, "Effect": effect, **elements}, *statements]

    return edit


def changed(sid: str, **elements: object) -> PolicyEdit:
    """A statement with other values of elements that it has."""

    def edit(statements: list[Statement]) -> list[Statement]:
        found = _statement(statements, sid)
        for name, value in elements.items():
            if found[name] == value:
                raise ValueError(f"{sid} has {value!r} as {name} already")
            found[name] = value  # in its place: order must not give a mutation away
        return statements

    return edit


def renamed(sid: str, **elements: str) -> PolicyEdit:
    """A statement in which elements have other names: NotAction in place of Action."""

    def edit(statements: list[Statement]) -> list[Statement]:
        found = _statement(statements, sid)
        for old, new in elements.items():
            _rename(found, old, new)
        return statements

    return edit


def more(sid: str, element: str, *values: str) -> PolicyEdit:
    """A statement with more actions, resources and the like."""

    def edit(statements: list[Statement]) -> list[Statement]:
        found = _statement(statements, sid)
        found[element] = [*_listed(found[element]), *values]
        return statements

    return edit


def less(sid: str, element: str, value: str) -> PolicyEdit:
    """A statement with one action, resource or the like less."""

    def edit(statements: list[Statement]) -> list[Statement]:
        found = _statement(statements, sid)
        listed = _listed(found[element])
        listed.remove(value)
        found[element] = listed
        return statements

    return edit


def unconditional(sid: str, operator: str | None = None, key: str | None = None) -> PolicyEdit:
    """A statement without a condition: one key of an operator, the whole operator, or all there are."""

    def edit(statements: list[Statement]) -> list[Statement]:
        found = _statement(statements, sid)
        conditions = found["Condition"]
        if operator is None:
            del found["Condition"]
        elif key is None:
            del conditions[operator]
        else:
            del conditions[operator][key]
            if not conditions[operator]:
                del conditions[operator]
        if found.get("Condition") == {}:
            del found["Condition"]
        return statements

    return edit


def condition(sid: str, operator: str, key: str, value: object) -> PolicyEdit:
    """A statement that compares a key with something else; there is such a condition."""

    def edit(statements: list[Statement]) -> list[Statement]:
        keys = _statement(statements, sid)["Condition"][operator]
        if keys[key] == value:
            raise ValueError(f"{key} is compared with {value!r} already")
        keys[key] = value
        return statements

    return edit


def one_more_condition(sid: str, operator: str, key: str, value: object) -> PolicyEdit:
    """A statement that asks for more, and so applies to less."""

    def edit(statements: list[Statement]) -> list[Statement]:
        keys = _statement(statements, sid).setdefault("Condition", {}).setdefault(operator, {})
        if key in keys:
            raise ValueError(f"{key} is compared already")
        keys[key] = value
        return statements

    return edit


def operator(sid: str, old: str, new: str) -> PolicyEdit:
    """A statement that compares in another way."""

    def edit(statements: list[Statement]) -> list[Statement]:
        conditions = _statement(statements, sid)["Condition"]
        if new in conditions:
            conditions[new].update(conditions.pop(old))
        else:
            _rename(conditions, old, new)
        return statements

    return edit


def _statement(statements: list[Statement], sid: str) -> Statement:
    found = [one for one in statements if one["Sid"] == sid]
    if len(found) != 1:
        raise ValueError(f"{len(found)} statements {sid}; there are {[one['Sid'] for one in statements]}")
    return found[0]


def _rename(element: dict[str, Any], old: str, new: str) -> None:
    """Give a key another name, in its place: order must not give a mutation away."""
    if old not in element or new in element:
        raise ValueError(f"there is no {old}, or {new} already")
    items = [(new if key == old else key, value) for key, value in element.items()]
    element.clear()
    element.update(items)


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else [value]


def _path(path: str) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in path.split(".")]


def _follow(body: Any, way: list[str | int]) -> Any:  # noqa: ANN401 - any JSON
    for part in way:
        body = body[part]
    return body
