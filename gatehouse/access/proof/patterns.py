"""Patterns of policies over texts with symbols: what :mod:`gatehouse.access.pattern` matches, as a formula."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import cvc5

from gatehouse.access.context import Variable
from gatehouse.access.pattern import ARN_COLONS, Grammar, Token, Wildcard
from gatehouse.access.proof.alignment import Part, Pattern, Wild, aligned, text_of
from gatehouse.access.proof.formula import Formula, Formulas
from gatehouse.access.proof.text import ProofError, Symbol, Text, literal, text

_K = cvc5.Kind
#: The solver's strings are of the first 3 * 65,536 characters.
_ALL_BUT_COLON = (("\0", "9"), (";", chr(0x2FFFF)))
_ANYTHING = Wild(many=True, colons=True)


def pattern(tokens: Sequence[Token | Text], grammar: Grammar) -> Pattern:
    """Return the pattern of tokens whose variables are texts already.

    Raises:
        ProofError: a wildcard after a text that may hold colons, in the first five parts of an ARN: which part
            the wildcard stands in would depend on the text.

    """
    if grammar is Grammar.ARN and tuple(tokens) == (Wildcard.MANY,):
        # "*" alone is any ARN.
        return (*((Wild(many=True, colons=False), ":") * ARN_COLONS), _ANYTHING)
    if grammar is Grammar.RESOURCE and tuple(tokens) == (Wildcard.MANY,):
        return (_ANYTHING,)
    found: list[Part] = []
    colons, certain = 0, True
    for index, token in enumerate(tokens):
        if isinstance(token, Wildcard):
            in_last = grammar is Grammar.TEXT or colons >= ARN_COLONS
            if not in_last and not certain:
                raise ProofError(
                    "a wildcard after a variable that may hold colons, before the last part of an ARN, is not "
                    "modelled. Fix: write the account and the service out"
                )
            crosses = in_last or _crosses(tokens, index, grammar)
            found.append(Wild(token is Wildcard.MANY, crosses))
            continue
        for part in text(token) if isinstance(token, str) else _texts(token):
            found.append(part)
            if isinstance(part, str):
                colons += part.count(":")
            else:
                certain = certain and ":" not in part.alphabet.characters
    return _merged(found)


def _texts(token: Token | Text) -> Text:
    if isinstance(token, Variable | Wildcard | str):
        raise TypeError(token)
    return token


def _crosses(tokens: Sequence[Token | Text], index: int, grammar: Grammar) -> bool:
    """Whether a star that ends a part stands for the parts after it, too: in Resource alone."""
    if grammar is not Grammar.RESOURCE or tokens[index] is Wildcard.ONE:
        return False
    after = tokens[index + 1] if index + 1 < len(tokens) else ":"
    return isinstance(after, str) and after.startswith(":")


def _merged(parts: Iterable[Part]) -> Pattern:
    found: list[Part] = []
    for part in parts:
        last = found[-1] if found else None
        if part == "":
            continue
        if isinstance(part, str) and isinstance(last, str):
            found[-1] = last + part
        elif isinstance(part, Wild) and isinstance(last, Wild) and part.many and last.many:
            found[-1] = Wild(many=True, colons=part.colons or last.colons)
        else:
            found.append(part)
    return tuple(found)


def fits_any(make: Formulas, value: Text, patterns: Iterable[Pattern]) -> Formula:
    """Return that a text fits one of the patterns.

    Those that differ only between the same literal and symbolic ends share one regular expression.
    """
    formulas: list[Formula] = []
    middles: dict[tuple[Formula, Text, Text, Text], list[Pattern]] = {}
    for one in patterns:
        condition, left, rest = aligned(make, value, one)
        if condition is False:
            continue
        known = _plain(make, left, rest)
        if known is not None:
            formulas.append(make.all([condition, known]))
            continue
        head, middle, tail = _split(rest)
        if not any(isinstance(part, Symbol) for part in rest):
            head, middle, tail = (), rest, ()
        middles.setdefault((condition, left, head, tail), []).append(middle)
    formulas += [
        make.all([condition, _with_middle(make, left, head, middle, tail)])
        for (condition, left, head, tail), middle in middles.items()
    ]
    return make.any(formulas)


def _plain(make: Formulas, value: Text, rest: Pattern) -> Formula | None:
    """Return the formula of a pattern that needs no regular expression, None for any other."""
    known = literal(value)
    if known is not None and not any(isinstance(part, Symbol) for part in rest):
        return re.fullmatch(_expression(rest), known, re.DOTALL) is not None
    wild = [part for part in rest if isinstance(part, Wild)]
    if not wild:
        return make.equal(value, text_of(rest))
    if any(part != _ANYTHING for part in wild):
        return None
    head, middle, tail = _split(rest)
    if middle == (_ANYTHING,):
        return _between(make, value, head, tail)
    inner = middle[1:-1]
    if not head and not tail and not any(isinstance(part, Wild) for part in inner):
        return make.contains(value, text_of(inner))
    return None


def _split(rest: Pattern) -> tuple[Text, Pattern, Text]:
    """Return a pattern's beginning and end without wildcards, and what is between."""
    wild = [index for index, part in enumerate(rest) if isinstance(part, Wild)]
    return text_of(rest[: wild[0]]), rest[wild[0] : wild[-1] + 1], text_of(rest[wild[-1] + 1 :])


def _between(make: Formulas, value: Text, head: Text, tail: Text) -> Formula:
    """Return that a text has these ends, which do not overlap."""
    ends = make.all([make.starts(value, head), make.ends(value, tail)])
    if ends is False or not head or not tail:
        return ends
    length = make.make(_K.STRING_LENGTH, make.term(value))
    least = make.make(_K.STRING_LENGTH, make.term(text(head, tail)))
    return make.all([ends, make.make(_K.GEQ, length, least)])


def _with_middle(make: Formulas, value: Text, head: Text, middles: Sequence[Pattern], tail: Text) -> Formula:
    """Return that a text has these ends, and what is between fits one of the middles."""
    ends = _between(make, value, head, tail)
    if ends is False:
        return False
    constant = [one for one in middles if not any(isinstance(part, Symbol) for part in one)]
    found: list[Formula] = [
        _one_by_one(make, value, (*head, *one, *tail)) for one in middles if one not in constant
    ]
    if constant:
        subject = make.term(value)
        if head or tail:
            start = make.make(_K.STRING_LENGTH, make.term(head))
            length = make.make(
                _K.SUB,
                make.make(_K.STRING_LENGTH, subject),
                make.make(_K.STRING_LENGTH, make.term(text(head, tail))),
            )
            subject = make.make(_K.STRING_SUBSTR, subject, start, length)
        terms = [_regular(make, one) for one in constant]
        union = make.make(_K.REGEXP_UNION, *terms) if len(terms) > 1 else terms[0]
        found.append(make.make(_K.STRING_IN_REGEXP, subject, union))
    return make.all([ends, make.any(found)])


def _one_by_one(make: Formulas, value: Text, rest: Pattern) -> Formula:
    """Return that a text fits a pattern with symbols among its wildcards.

    What is before the first star has its place counted from the beginning, what is after the last from the end.
    Texts between stars come in turn, each at its first place after the one before.

    Raises:
        ProofError: a star that does not stand for colons, among symbols.

    """
    stars = [index for index, part in enumerate(rest) if isinstance(part, Wild) and part.many]
    subject = make.term(value)
    length = make.make(_K.STRING_LENGTH, subject)
    zero = make.number(0)
    if not stars:
        end, conditions = _placed(make, subject, rest, zero)
        return make.all([*conditions, make.make(_K.EQUAL, end, length)])
    head, middle, tail = rest[: stars[0]], rest[stars[0] : stars[-1] + 1], rest[stars[-1] + 1 :]
    place, conditions = _placed(make, subject, head, zero)
    last = make.make(_K.SUB, length, _length(make, tail))
    conditions += _placed(make, subject, tail, last)[1]
    if any(isinstance(part, Wild) and part != _ANYTHING for part in middle):
        raise ProofError(
            "a pattern with a variable between two stars, and a ? there or a star that stands for one part of an "
            "ARN, is not modelled. Fix: write it out"
        )
    for chunk in _chunks(middle):
        wanted = make.term(chunk)
        found = make.make(_K.STRING_INDEXOF, subject, wanted, place)
        conditions.append(make.make(_K.GEQ, found, zero))
        place = make.make(_K.ADD, found, make.make(_K.STRING_LENGTH, wanted))
    return make.all([*conditions, make.make(_K.LEQ, place, last)])


def _placed(
    make: Formulas, subject: cvc5.Term, parts: Pattern, place: cvc5.Term
) -> tuple[cvc5.Term, list[Formula]]:
    """Return where parts without stars end that begin at a place, and that they are there."""
    conditions: list[Formula] = [make.make(_K.GEQ, place, make.number(0))]
    for part in parts:
        if isinstance(part, Wild):
            length, wanted = make.number(1), None
        else:
            wanted = make.term((part,))
            length = make.make(_K.STRING_LENGTH, wanted)
        here = make.make(_K.STRING_SUBSTR, subject, place, length)
        place = make.make(_K.ADD, place, length)
        if wanted is not None:
            conditions.append(make.make(_K.EQUAL, here, wanted))
            continue
        conditions.append(make.make(_K.EQUAL, make.make(_K.STRING_LENGTH, here), length))
        if isinstance(part, Wild) and not part.colons:
            conditions.append(make.no(make.make(_K.EQUAL, here, make.string(":"))))
    return place, [*conditions, make.make(_K.LEQ, place, make.make(_K.STRING_LENGTH, subject))]


def _length(make: Formulas, parts: Pattern) -> cvc5.Term:
    found = make.number(0)
    for part in parts:
        one = make.number(1)
        if not isinstance(part, Wild):
            one = make.make(_K.STRING_LENGTH, make.term((part,)))
        found = make.make(_K.ADD, found, one)
    return found


def _chunks(middle: Pattern) -> list[Text]:
    """Return what is between the stars."""
    found: list[Text] = []
    for part in middle:
        if isinstance(part, Wild):
            found.append(())
        else:
            found[-1] = text(found[-1], part)
    return [one for one in found if one]


def _expression(rest: Pattern) -> str:
    """Return a pattern without symbols as Python's regular expression."""
    found = ""
    for part in rest:
        if isinstance(part, str):
            found += re.escape(part)
        elif isinstance(part, Wild):
            found += ("." if part.colons else "[^:]") + ("*" if part.many else "")
    return found


def _range(make: Formulas, ends: tuple[str, str]) -> cvc5.Term:
    return make.make(_K.REGEXP_RANGE, *map(make.string, ends))


def _regular(make: Formulas, rest: Pattern) -> cvc5.Term:
    """Return a pattern without symbols as the solver's regular expression."""
    terms = []
    for part in rest:
        if isinstance(part, str):
            terms.append(make.make(_K.STRING_TO_REGEXP, make.string(part)))
        elif isinstance(part, Wild):
            one = make.make(_K.REGEXP_ALLCHAR)
            if not part.colons:
                one = make.make(_K.REGEXP_UNION, *(_range(make, ends) for ends in _ALL_BUT_COLON))
            terms.append(make.make(_K.REGEXP_STAR, one) if part.many else one)
    return make.make(_K.REGEXP_CONCAT, *terms) if len(terms) > 1 else terms[0]


def equal_in_any_case(make: Formulas, value: Text, wanted: Text) -> Formula:
    """Return that two texts are the same but for the case of ASCII letters."""
    known, other = literal(value), literal(wanted)
    if known is not None and other is not None:
        return re.fullmatch(re.escape(other), known, re.IGNORECASE) is not None
    return make.make(
        _K.EQUAL,
        make.make(_K.STRING_TO_LOWER, make.term(value)),
        make.make(_K.STRING_TO_LOWER, make.term(wanted)),
    )
