"""The solver: is there a request of the question that is allowed?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import cvc5

from gatehouse.access.context import Context
from gatehouse.access.model import Policies
from gatehouse.access.proof.encoding import Encoding, encode
from gatehouse.access.proof.formula import Formula, Formulas
from gatehouse.access.proof.layers import Layers, Statements
from gatehouse.access.proof.question import ALWAYS_ASSUMED, Question
from gatehouse.access.proof.text import ProofError
from gatehouse.access.proof.witness import Answer, Model, Witness, model_of, unusual, witness

#: How long the solver may think about one formula, in milliseconds.
LIMIT_MS = 60_000


@dataclass(frozen=True)
class Prover:
    """Answers questions; keep one for many, because it remembers what it knows of policies and formulas."""

    limit_ms: int = LIMIT_MS
    _manager: cvc5.TermManager = field(default_factory=cvc5.TermManager, repr=False)
    _solvers: list[cvc5.Solver] = field(default_factory=list, repr=False)
    _constants: dict[str, cvc5.Term] = field(default_factory=dict, repr=False)
    _statements: Statements = field(default_factory=Statements, repr=False)
    _impossible: set[cvc5.Term] = field(default_factory=set, repr=False)

    def find(self, question: Question, *, unless: Policies | None = None) -> Witness | None:
        """Return a request of the question that is allowed, None if it is proved that there is none.

        With ``unless``, one that is allowed by the question's policies and not by these.

        Raises:
            ProofError: something that is not modelled, no answer in time, or a request on which the evaluator
                disagrees.
            MalformedPolicyError: a policy that AWS would refuse.

        """
        return self.answer(question, unless=unless).witness

    def answer(self, question: Question, *, unless: Policies | None = None) -> Answer:
        """Return the same with what is assumed; raises as :meth:`find`."""
        assumed: dict[str, None] = {}
        for encoding in self.encodings(question, unless=unless):
            found = self._satisfied(encoding, unless)
            assumed |= dict.fromkeys(one.alphabet.meaning for one in encoding.make.symbols.values())
            if found is not None:
                return Answer(found, (*ALWAYS_ASSUMED, *assumed))
        return Answer(None, (*ALWAYS_ASSUMED, *assumed))

    def encodings(self, question: Question, *, unless: Policies | None = None) -> Iterator[Encoding]:
        """Go through the encodings for the question's actions, one for all that no policy tells apart."""
        seen: set[tuple[object, ...]] = set()
        for action in question.actions:
            layers = self._layers(question.policies, action, question)
            other = None if unless is None else self._layers(unless, action, question)
            kind = (layers.identity, other.identity if other else None, action.lower().startswith("kms:"))
            if kind in seen:
                continue
            seen.add(kind)
            make = Formulas(self._manager, self._constants)
            yield encode(question, action, layers, other, make)

    def holds(self, encoding: Encoding, context: Context, texts: Mapping[str, str]) -> bool:
        """Whether the formula of an encoding holds of one request, which is how it is compared with the evaluator.

        ``context`` are the request's facts, ``texts`` the values of the question's own symbols.

        Raises:
            ProofError: a value for which there is none in the encoding, or a formula that is still open.

        """
        return self._worked_out(encoding, encoding.formula, model_of(encoding.keys, context, texts))

    def lemmas_hold(self, encoding: Encoding, context: Context, texts: Mapping[str, str]) -> bool:
        """Whether what the solver is told besides holds of one request; it must of any with valid values."""
        model = model_of(encoding.keys, context, texts)
        return all(self._worked_out(encoding, lemma, model) for lemma in encoding.make.lemmas)

    def _worked_out(self, encoding: Encoding, formula: Formula, model: Model) -> bool:
        if isinstance(formula, bool):
            return formula
        make = encoding.make
        open_ = [make.term((symbol,)) for symbol in make.symbols.values()] + list(make.flags.values())
        values = [make.string(model.texts[name]) for name in make.symbols]
        values += [self._manager.mkBoolean(model.flags[name]) for name in make.flags]
        found = self._solver().simplify(formula.substitute(open_, values))
        if not found.isBooleanValue():
            raise ProofError(f"the formula is still open: {found}")
        return bool(found.getBooleanValue())

    def _layers(self, policies: Policies, action: str, question: Question) -> Layers:
        return Layers.about(policies, action, question.resource, self._statements)

    def _satisfied(self, encoding: Encoding, unless: Policies | None) -> Witness | None:
        make = encoding.make
        everything = make.all([encoding.formula, *make.lemmas])
        if everything is False or everything in self._impossible:
            return None
        solver = self._solver()
        solver.push()
        try:
            return self._solved(solver, encoding, everything, unless)
        finally:
            solver.pop()

    def _solved(
        self, solver: cvc5.Solver, encoding: Encoding, everything: Formula, unless: Policies | None
    ) -> Witness | None:
        """Return the witness; values that AWS does not send are forbidden when the solver comes up with them."""
        make, formula = encoding.make, everything
        while formula is not False:
            if formula is not True:
                solver.assertFormula(formula)
            if not self._checked(solver):
                if formula is everything:
                    # So it is whatever the symbols' alphabets, which the formula does not hold.
                    self._impossible.add(everything)
                return None
            model = self._model(solver, encoding)
            symbols, choices = unusual(encoding, model)
            if not symbols and not choices:
                return witness(encoding, model, unless)
            formula = make.all(
                [
                    *(make.valid(symbol) for symbol in symbols),
                    *(choice.usual(make) for choice in choices),
                ]
            )
        return None

    def is_satisfiable(self, encoding: Encoding) -> bool:
        """Whether there are any values at all, be they such as AWS sends or not; for a second solver to compare with.

        Raises:
            ProofError: no answer in time.

        """
        solver = self._solver()
        solver.push()
        try:
            for term in (encoding.formula, *encoding.make.lemmas):
                solver.assertFormula(self._manager.mkBoolean(term) if isinstance(term, bool) else term)
            return self._checked(solver)
        finally:
            solver.pop()

    def _checked(self, solver: cvc5.Solver) -> bool:
        try:
            result = solver.checkSat()
        except RuntimeError as error:
            raise ProofError(f"the solver failed: {error}") from error
        if result.isUnknown():
            raise ProofError(
                f"the solver gave no answer ({result.getUnknownExplanation().name}) within {self.limit_ms} ms. "
                "Fix: ask of fewer actions, or write out more of the resource"
            )
        return bool(result.isSat())

    def _model(self, solver: cvc5.Solver, encoding: Encoding) -> Model:
        make = encoding.make
        texts = {
            name: solver.getValue(make.term((symbol,))).getStringValue()
            for name, symbol in make.symbols.items()
        }
        flags = {name: solver.getValue(flag).getBooleanValue() for name, flag in make.flags.items()}
        return Model(texts, flags)

    def _solver(self) -> cvc5.Solver:
        if not self._solvers:
            solver = cvc5.Solver(self._manager)
            solver.setLogic("QF_SLIA")
            solver.setOption("incremental", "true")
            solver.setOption("produce-models", "true")
            solver.setOption("strings-exp", "true")
            # Expressions are taken apart when they matter, not at once: thirty times faster on an API's routes.
            solver.setOption("strings-eager-reg", "false")
            solver.setOption("tlimit-per", str(self.limit_ms))
            self._solvers.append(solver)
        return self._solvers[0]


def find(question: Question, *, unless: Policies | None = None) -> Witness | None:
    """Return a request of the question that is allowed, None if it is proved that there is none.

    For many questions, keep a :class:`Prover` and use its ``find``.
    """
    return Prover().find(question, unless=unless)
