"""What every decision to accept something has, in whichever file: the reason, who answers for it, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from gatehouse.errors import InputError, Problem
from gatehouse.fields import Model, Pattern, RefusedError
from gatehouse.yaml_source import YamlSource, dotted

#: Longest time for which something may be accepted; a decision is looked at again within about a year.
LONGEST_DAYS = 400


def _calendar_date(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError:
        raise RefusedError("is not in the calendar", "write a day that exists, like 2027-06-30") from None
    return value


class Acceptance(Model):
    """One decision."""

    reason: Annotated[
        str,
        Pattern(r"(?s)\S.{38,}[.!]\s*", "a reason", "write a whole sentence that would convince a reviewer"),
    ]
    """Why the finding is accepted, in sentences."""
    owner: Annotated[str, Pattern(r"\S(.*\S)?", "an owner", "name the team or the person who answers for it")]
    """Who answers for it."""
    expires: Annotated[
        str,
        Pattern(r"\d{4}-\d\d-\d\d", "a date", "write it like 2027-06-30"),
        AfterValidator(_calendar_date),
    ]
    """Last day on which it counts."""

    def counts_on(self, day: date) -> bool:
        """Return whether it has not expired."""
        return date.fromisoformat(self.expires) >= day


def read_acceptances(path: Path) -> str | None:
    """Return the text of a file of decisions, None if there is none.

    Raises:
        InputError: the file is not UTF-8.

    """
    if not path.exists():
        return None
    return decoded(path.read_bytes(), str(path))


def decoded(content: bytes, file: str) -> str:
    """Return the text of such a file; ``file`` stands for it in messages. Raises as :func:`read_acceptances` does."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError([Problem(file, "is not UTF-8", "save the file as UTF-8")]) from None


def too_long(
    name: str, decisions: Sequence[Acceptance], source: YamlSource, file: str, today: date
) -> list[Problem]:
    """Return a problem for each decision of the list ``name`` that expires too late."""
    latest = (today + timedelta(days=LONGEST_DAYS)).isoformat()
    problems = []
    for position, one in enumerate(decisions):
        if one.expires > latest:
            path = (name, position, "expires")
            problem = f"is more than {LONGEST_DAYS} days from now"
            line = source.line_of(path)
            problems.append(
                Problem(file, problem, f"write {latest} or earlier", line, None, dotted(path), one.expires)
            )
    return problems
