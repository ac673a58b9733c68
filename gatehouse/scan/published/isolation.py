"""Runs what belongs to a published package: quietly, and with whatever goes wrong inside as an error."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout


class PublishedCheckError(RuntimeError):
    """A published package failed or gave no answer, so that what it would have found is not known."""


class _Errors(logging.Handler):
    """Keeps what is logged as an error: the packages go on after some of them."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def failures_raised(package: str, loggers: Sequence[str]) -> Iterator[None]:
    """Print nothing of what is printed or logged inside.

    Raises:
        PublishedCheckError: something inside raised, ended the process, or logged an error with one of ``loggers``.

    """
    errors = _Errors()
    listened = [logging.getLogger(name) for name in loggers]
    before = [(one.level, one.propagate, one.handlers, one.disabled) for one in listened]
    for one in listened:
        one.handlers, one.propagate, one.disabled = [errors], False, False
        one.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except PublishedCheckError:
        raise
    except (Exception, SystemExit) as error:
        raise PublishedCheckError(f"{package} failed: {type(error).__name__}: {error}") from error
    finally:
        for one, (level, propagate, handlers, disabled) in zip(listened, before, strict=True):
            one.setLevel(level)
            one.handlers, one.propagate, one.disabled = handlers, propagate, disabled
    if errors.messages:
        raise PublishedCheckError(f"{package} went on after an error: {errors.messages[0]}")
