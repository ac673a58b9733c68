"""Condition keys of a question: which a request has, and their values, as far as they are open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gatehouse.access.conditions import Condition
from gatehouse.access.context import MULTIVALUED
from gatehouse.access.proof.classes import Class, classes, family
from gatehouse.access.proof.formula import Formula, Formulas
from gatehouse.access.proof.question import Given, Who
from gatehouse.access.proof.text import PRINTABLE, TAG, ProofError, Symbol, Text, text
from gatehouse.access.request import UNKNOWN_ROLE_ID, UNKNOWN_USER_ID, Sort

PRINCIPAL_TAG = "aws:principaltag/"
#: Keys that follow from principal and resource; a question that does not set them does not leave them open.
DERIVED = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalisawsservice",
        "aws:principalservicename",
        "aws:principaltype",
        "aws:resourceaccount",
        "aws:userid",
        "aws:username",
    }
)
#: Their tags have one value each.
_TAGS = (PRINCIPAL_TAG, "aws:requesttag/", "aws:resourcetag/")


@dataclass(frozen=True)
class Choice:
    """A value of one of finitely many classes; ``chosen`` are in their order, and exactly one holds.

    It is the first whose flag (of that name) is set; the last has none.
    """

    classes: tuple[Class, ...]
    chosen: tuple[Formula, ...]
    flags: tuple[str, ...]

    def usual(self, make: Formulas) -> Formula:
        """Return that the value is one that AWS sends."""
        return make.any(chosen for one, chosen in zip(self.classes, self.chosen, strict=True) if one.is_usual)


Value = Text | Choice


@dataclass(frozen=True)
class Key:
    """One key. It has ``values[0]`` alone, or with ``many`` all of its values, or with not ``present`` none.

    An open one has flags of these names: its own, and its own followed by ``many`` if it can have several values.
    """

    name: str
    present: Formula
    many: Formula
    values: tuple[Value, ...]
    is_open: bool = False


@dataclass(frozen=True)
class Vocabulary:
    """What the policies of a question ask of each key, and the keys that they use as variables."""

    conditions: Mapping[str, tuple[Condition, ...]]
    variables: frozenset[str]


class Keys:
    """The keys of one question, made when they are asked for.

    An open key that no ForAnyValue or ForAllValues asks for has one value or none, unless AWS documents it as
    multivalued. Others have none, one or ``n`` values, which need not differ. That is enough: a condition on the
    key is met, or not met, because of one value that fits or does not, and another condition is at most helped
    by leaving out the rest. So of the values of any request, keep one for each condition that needs one, and two
    if there were two; what the policies say stays the same. ``n`` is the number of conditions, and at least two
    (a variable tells one value from more).
    """

    def __init__(
        self, make: Formulas, who: Who, owner: str, context: Mapping[str, Given], vocabulary: Vocabulary
    ) -> None:
        """Take who asks, who owns the resource, the keys with known values, and what is asked of each."""
        self._make, self._vocabulary, self._who, self._owner = make, vocabulary, who, owner
        self._known: dict[str, Key] = {}
        for tag, value in who.tags.items():
            self._set(f"{PRINCIPAL_TAG}{tag.lower()}", () if value is None else (text(value),))
        for name, given in context.items():
            if isinstance(given, list):
                self._set(name.lower(), tuple(text(one) for one in given))
            else:
                self._set(name.lower(), () if given is None else (text(given),))

    def _set(self, name: str, values: tuple[Text, ...]) -> None:
        self._known[name] = Key(name, bool(values), len(values) > 1, values)

    def get(self, name: str) -> Key:
        """Return a key, by its name in lower case."""
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = self._made(name)
        return found

    def conditions(self, name: str) -> tuple[Condition, ...]:
        """Return what is asked of a key."""
        return self._vocabulary.conditions.get(name, ())

    def open(self) -> Iterable[Key]:
        """Go through the keys that a request may have or not."""
        return (key for key in self._known.values() if key.is_open)

    def _made(self, name: str) -> Key:
        is_left_out = name.startswith(PRINCIPAL_TAG) and not self._who.other_tags
        if name in DERIVED:
            value = _derived(self._who, self._owner, name)
            return Key(name, value is not None, False, () if value is None else (value,))
        if is_left_out:
            return Key(name, False, False, ())
        conditions = self.conditions(name)
        is_text = name in self._vocabulary.variables or {"String", "Arn"} & {
            family(one) for one in conditions
        }
        found = () if is_text or all(one.is_null for one in conditions) else classes(name, conditions)
        if is_text and any(family(one) not in ("", "String", "Arn", "Bool") for one in conditions):
            raise ProofError(
                f"policies take {name} for a text and for a number, a date or an address, which is not modelled. "
                "Fix: give the key one value in the question, or one kind of operator in the policies"
            )
        count = self._count(name, conditions)
        values = tuple(self._value(f"{name}#{place}" if place else name, found) for place in range(count))
        many = self._make.flag(f"{name} many") if count > 1 else False
        return Key(name, self._make.flag(name), many, values, is_open=True)

    def _count(self, name: str, conditions: Sequence[Condition]) -> int:
        if name.startswith(_TAGS):
            return 1
        if name in MULTIVALUED or any(one.quantifier for one in conditions):
            return max(2, len(conditions))
        return 1

    def _value(self, name: str, found: tuple[Class, ...]) -> Value:
        if not found:
            return self._make.know((Symbol(name, TAG if name.startswith(_TAGS) else PRINTABLE),))
        chosen: list[Formula] = []
        flags = tuple(f"{name} is {place}" for place in range(len(found) - 1))
        before: Formula = True
        for here in map(self._make.flag, flags):
            chosen.append(self._make.all([before, here]))
            before = self._make.all([before, self._make.no(here)])
        return Choice(found, (*chosen, before), flags)


def vocabulary(conditions: Iterable[Condition], variables: Iterable[str]) -> Vocabulary:
    """Return what these conditions ask of each key; equal ones count once."""
    found: dict[str, dict[tuple[object, ...], Condition]] = {}
    for one in conditions:
        identity = (one.quantifier, one.operator, one.values, one.if_exists, one.variables)
        found.setdefault(one.key, {}).setdefault(identity, one)
    return Vocabulary({key: tuple(ones.values()) for key, ones in found.items()}, frozenset(variables))


def _derived(who: Who, owner: str, name: str) -> Text | None:
    """Return what follows from principal and resource; see :meth:`gatehouse.access.Request.facts`."""
    if name == "aws:resourceaccount":
        return text(owner) if owner else None
    if name == "aws:principalisawsservice":
        return text("true" if who.sort is Sort.SERVICE else "false")
    if name == "aws:principalservicename":
        return None if who.service is None else text(who.service)
    if name == "aws:principaltype":
        is_named = who.is_signed_in or who.sort is Sort.ANONYMOUS
        return (
            text((Sort.FEDERATED_USER if who.is_federated_session else who.sort).value) if is_named else None
        )
    return _of_signed_in(who, name) if who.is_signed_in else None


def _of_signed_in(who: Who, name: str) -> Text | None:
    if name == "aws:principalaccount":
        return who.account
    if name == "aws:principalarn":
        return (who.session or who.arn) if who.is_federated_session else who.arn
    if name == "aws:username":
        return _last(who.arn) if who.sort is Sort.USER and not who.is_federated_session else None
    return _user_id(who)


def _user_id(who: Who) -> Text | None:
    if who.sort is Sort.ROOT:
        return who.account
    if who.is_federated_session:
        return text(who.account, ":", _last(who.session or who.arn))
    if who.sort is Sort.USER:
        return text(UNKNOWN_USER_ID)
    return None if who.session is None else text(UNKNOWN_ROLE_ID, ":", _last(who.session))


def _last(arn: Text) -> Text:
    """Return what is after the last slash.

    Raises:
        ProofError: that is not known, because a symbol may have a slash.

    """
    found: list[str | Symbol] = []
    for part in reversed(arn):
        if isinstance(part, str) and "/" in part:
            return text(part.rpartition("/")[2], *found)
        if isinstance(part, Symbol) and "/" in part.alphabet.characters:
            break
        found.insert(0, part)
    raise ProofError("the name of a user or session may have a path in it. Fix: write the path out")
