"""Formulas for the solver: built with what is constant worked out, so that most of a policy never gets there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import cvc5

from gatehouse.access.proof.text import ProofError, Symbol, Text, literal

#: What is known, or a term of the solver.
Formula: TypeAlias = "bool | cvc5.Term"

_K = cvc5.Kind


class Formulas:
    """Makes formulas about the symbols of one question.

    ``lemmas`` hold of all texts, whatever the question: they only spare the solver the work to find them, see
    :meth:`_separate`. ``symbols`` are those that were used.
    """

    def __init__(self, manager: cvc5.TermManager, constants: dict[str, cvc5.Term]) -> None:
        """Take the manager of the terms, and the constants that it has already by name."""
        self._manager, self._constants = manager, constants
        self._string, self._boolean = manager.getStringSort(), manager.getBooleanSort()
        self.symbols: dict[str, Symbol] = {}
        self.flags: dict[str, cvc5.Term] = {}
        self.lemmas: dict[cvc5.Term, None] = {}
        self._separated: set[tuple[Text, Text, cvc5.Term]] = set()

    # Booleans

    def flag(self, name: str) -> cvc5.Term:
        """Return an open Boolean."""
        self.flags[name] = term = self._constant(f"{name}?", self._boolean)
        return term

    def no(self, formula: Formula) -> Formula:
        """Return the negation."""
        return (not formula) if isinstance(formula, bool) else formula.notTerm()

    def all(self, formulas: Iterable[Formula]) -> Formula:
        """Return the conjunction; what comes after a False is not built."""
        open_: dict[cvc5.Term, None] = {}
        for formula in formulas:
            if formula is False:
                return False
            if formula is not True:
                open_[formula] = None
        return self._joined(_K.AND, list(open_), empty=True)

    def any(self, formulas: Iterable[Formula]) -> Formula:
        """Return the disjunction; what comes after a True is not built."""
        open_: dict[cvc5.Term, None] = {}
        for formula in formulas:
            if formula is True:
                return True
            if formula is not False:
                open_[formula] = None
        return self._joined(_K.OR, list(open_), empty=False)

    def choose(self, condition: Formula, then: Formula, otherwise: Formula) -> Formula:
        """Return one formula if a condition holds and another if not."""
        if isinstance(condition, bool):
            return then if condition else otherwise
        return self.all([self.any([self.no(condition), then]), self.any([condition, otherwise])])

    def same(self, one: Formula, other: Formula) -> Formula:
        """Return that both hold, or neither."""
        return self.choose(one, other, self.no(other))

    def _joined(self, kind: cvc5.Kind, terms: list[cvc5.Term], *, empty: bool) -> Formula:
        if len(terms) > 1:
            return self._manager.mkTerm(kind, *terms)
        return terms[0] if terms else empty

    # Texts

    def equal(self, one: Text, other: Text) -> Formula:
        """Two texts are the same."""
        one, other = _stripped(one, other)
        if not one or not other:
            return self._empty(one or other)
        if literal(one) is not None and literal(other) is not None:
            return False
        if _differ(one, other) or _differ(one[::-1], other[::-1], backwards=True):
            return False
        atom = self._manager.mkTerm(_K.EQUAL, self.term(one), self.term(other))
        self._separate(one, other, atom, whole=True)
        return atom

    def starts(self, value: Text, head: Text) -> Formula:
        """A text begins with another."""
        head, value = _stripped(head, value, ends=False)
        if not head:
            return True
        if not value:
            return self._empty(head)
        if _differ(head, value):
            return False
        if literal(value) is not None and literal(head) is not None:
            return False  # the value is the shorter one
        atom = self._manager.mkTerm(_K.STRING_PREFIX, self.term(head), self.term(value))
        self._separate(head, value, atom, whole=False)
        return atom

    def ends(self, value: Text, tail: Text) -> Formula:
        """A text ends with another."""
        if not tail:
            return True
        known, wanted = literal(value), literal(tail)
        if known is not None and wanted is not None:
            return known.endswith(wanted)
        if _differ(tail[::-1], value[::-1], backwards=True):
            return False
        return self._manager.mkTerm(_K.STRING_SUFFIX, self.term(tail), self.term(value))

    def contains(self, value: Text, part: Text) -> Formula:
        """A text is somewhere in another."""
        known, wanted = literal(value), literal(part)
        if wanted is not None and any(isinstance(one, str) and wanted in one for one in value):
            return True
        if known is not None and wanted is not None:
            return wanted in known
        if wanted is not None and len(wanted) == 1:
            # Parts of a text meet nowhere in the middle of one character.
            return self.any(self._has_character(one, wanted) for one in value if isinstance(one, Symbol))
        return self._manager.mkTerm(_K.STRING_CONTAINS, self.term(value), self.term(part))

    def _has_character(self, symbol: Symbol, character: str) -> Formula:
        if character not in symbol.alphabet.characters:
            return False
        return self._manager.mkTerm(
            _K.STRING_CONTAINS, self.term((symbol,)), self._manager.mkString(character)
        )

    def _empty(self, value: Text) -> Formula:
        if any(isinstance(one, str) or one.alphabet.shortest > 0 for one in value):
            return False
        return self.all(
            self._manager.mkTerm(_K.EQUAL, self.term((one,)), self._manager.mkString("")) for one in value
        )

    def know(self, value: Text) -> Text:
        """Return a text, whose symbols are then among those that were used."""
        self.term(value)
        return value

    def term(self, value: Text) -> cvc5.Term:
        """Return a text as a term."""
        terms = [
            self._manager.mkString(part) if isinstance(part, str) else self._symbol(part) for part in value
        ]
        if len(terms) == 1:
            return terms[0]
        return self._manager.mkTerm(_K.STRING_CONCAT, *terms) if terms else self._manager.mkString("")

    def _symbol(self, symbol: Symbol) -> cvc5.Term:
        known = self.symbols.setdefault(symbol.name, symbol)
        if known is not symbol and known != symbol:
            raise ProofError(f"the symbol {symbol.name!r} has two alphabets. Fix: one, or another name")
        return self._constant(symbol.name, self._string)

    def _constant(self, name: str, sort: cvc5.Sort) -> cvc5.Term:
        found = self._constants.get(name)
        if found is None:
            found = self._constants[name] = self._manager.mkConst(sort, name)
        return found

    def _separate(self, head: Text, value: Text, atom: cvc5.Term, *, whole: bool) -> None:
        """Add what a separator says: if both texts go on with ``c`` after a part without ``c``, those parts are equal.

        From ``a/x`` being the beginning of ``b/y``, it follows that a has a ``/``, or b has one, or a is b and x
        is the beginning of y. Without this, the solver compares all lengths of a and b.
        """
        if isinstance(head[0], str) and isinstance(value[0], str):
            return
        separator = separator_of(head) if isinstance(head[0], Symbol) else separator_of(value)
        if separator is None:
            return
        first, rest = cut(head, separator)
        other, others_rest = cut(value, separator)
        if first is None or other is None or (head, value, atom) in self._separated:
            return
        self._separated.add((head, value, atom))
        follows = self.equal(rest, others_rest) if whole else self.starts(others_rest, rest)
        for consequence in (self.equal(first, other), follows):
            lemma = self.any(
                [
                    self.no(atom),
                    self.contains(first, (separator,)),
                    self.contains(other, (separator,)),
                    consequence,
                ]
            )
            if not isinstance(lemma, bool):
                self.lemmas[lemma] = None

    # Regular expressions

    def inside(self, value: Text, expression: cvc5.Term) -> Formula:
        """A text is in a regular language."""
        return self._manager.mkTerm(_K.STRING_IN_REGEXP, self.term(value), expression)

    def make(self, kind: cvc5.Kind, *terms: cvc5.Term) -> cvc5.Term:
        """Return a term of the solver."""
        return self._manager.mkTerm(kind, *terms)

    def string(self, value: str) -> cvc5.Term:
        """Return a string of the solver."""
        return self._manager.mkString(value)

    def number(self, value: int) -> cvc5.Term:
        """Return a number of the solver."""
        return self._manager.mkInteger(value)

    def valid(self, symbol: Symbol) -> Formula:
        """A symbol is of its alphabet."""
        term, alphabet = self.term((symbol,)), symbol.alphabet
        characters = self._one_of(alphabet.characters)
        expression = self.make(
            _K.REGEXP_CONCAT, self._one_of(alphabet.first), self.make(_K.REGEXP_STAR, characters)
        )
        matches = self.make(_K.STRING_IN_REGEXP, term, expression)
        if alphabet.shortest == 0:
            matches = self.make(_K.OR, matches, self.make(_K.EQUAL, term, self.string("")))
        length = self.make(_K.STRING_LENGTH, term)
        limits = [self.make(_K.GEQ, length, self.number(alphabet.shortest))]
        if alphabet.longest is not None:
            limits.append(self.make(_K.LEQ, length, self.number(alphabet.longest)))
        return self.all([matches, *limits])

    def _one_of(self, characters: frozenset[str]) -> cvc5.Term:
        ranges: list[tuple[str, str]] = []
        for one in sorted(characters):
            if ranges and ord(one) == ord(ranges[-1][1]) + 1:
                ranges[-1] = (ranges[-1][0], one)
            else:
                ranges.append((one, one))
        terms = [self.make(_K.REGEXP_RANGE, self.string(first), self.string(last)) for first, last in ranges]
        return self.make(_K.REGEXP_UNION, *terms) if len(terms) > 1 else terms[0]


def _stripped(one: Text, other: Text, *, ends: bool = True) -> tuple[Text, Text]:
    """Return two texts without what both begin with and, with ``ends``, without what both end with."""
    one, other = _without_common_beginning(one, other)
    if ends and one and other:
        one, other = _without_common_beginning(one[::-1], other[::-1], backwards=True)
        one, other = one[::-1], other[::-1]
    return one, other


def _without_common_beginning(one: Text, other: Text, *, backwards: bool = False) -> tuple[Text, Text]:
    while one and other:
        first, second = one[0], other[0]
        if first == second:
            one, other = one[1:], other[1:]
            continue
        if isinstance(first, Symbol) or isinstance(second, Symbol):
            break
        count = _common(first, second, backwards=backwards)
        if not count:
            break
        one, other = _without(one, count, backwards=backwards), _without(other, count, backwards=backwards)
        if count < min(len(first), len(second)):
            break
    return one, other


def _common(one: str, other: str, *, backwards: bool) -> int:
    """Count the characters that two literals begin (or end) with."""
    if backwards:
        one, other = one[::-1], other[::-1]
    shorter = min(len(one), len(other))
    return next((place for place in range(shorter) if one[place] != other[place]), shorter)


def _without(value: Text, count: int, *, backwards: bool) -> Text:
    first = value[0]
    assert isinstance(first, str)  # noqa: S101  # the callers look
    left = first[: len(first) - count] if backwards else first[count:]
    return (left, *value[1:]) if left else value[1:]


def _differ(one: Text, other: Text, *, backwards: bool = False) -> bool:
    """Whether both begin (or end) with literals of which neither begins (or ends) the other."""
    first, second = one[0] if one else "", other[0] if other else ""
    if not isinstance(first, str) or not isinstance(second, str):
        return False
    return _common(first, second, backwards=backwards) < min(len(first), len(second))


def separator_of(value: Text) -> str | None:
    """Return the character after the symbol that a text begins with, None if no literal follows."""
    after = value[1] if len(value) > 1 and isinstance(value[0], Symbol) else None
    return after[0] if isinstance(after, str) else None


def cut(value: Text, separator: str) -> tuple[Text | None, Text]:
    """Return what is before a separator and what after: a literal, or a symbol right before it."""
    first = value[0]
    if isinstance(first, str):
        before, found, after = first.partition(separator)
        if not found:
            return None, ()
        return ((before,) if before else ()), ((after, *value[1:]) if after else value[1:])
    if separator_of(value) != separator:
        return None, ()
    return (first,), _without(value[1:], 1, backwards=False)
