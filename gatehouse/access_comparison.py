"""Two sides as the user names them, compared, and judged by the approvals of the new one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from gatehouse.acceptance import decoded, read_acceptances
from gatehouse.access.diff import compare, judge
from gatehouse.access.diff.approvals import APPROVALS, Approval, Placed, parse_approvals
from gatehouse.access.diff.outputs import Report
from gatehouse.access.world import World
from gatehouse.errors import InputError, Problem
from gatehouse.revisions import side


def compared(
    old: str,
    new: str,
    environment: str | None,
    approvals: Path | None,
    today: date,
    world_of: Callable[[str], World],
) -> Report:
    """Return the changes and the verdict on them.

    The approvals are those in ``approvals``; without it, of the new revision, or in the current folder. Those that
    the old revision has already are spent.

    Raises:
        InputError: a side, a document or an approval has mistakes.
        RevisionError: a revision's environment cannot be made.
        ProofError: there is no verdict.

    """
    path = approvals or APPROVALS
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    with side(old, environment, path) as before, side(new, environment, path) as after:
        difference = compare(world_of(str(before.path.resolve())), world_of(str(after.path.resolve())))
        listed = _listed(
            path, after.approvals if approvals is None else None, today, is_given=approvals is not None
        )
        judged = judge(difference, listed, _spent(before.approvals, str(path), today), today)
        return Report(difference, judged, before.shown, after.shown)


def _listed(path: Path, committed: bytes | None, today: date, *, is_given: bool) -> tuple[Placed, ...]:
    if committed is not None:
        return parse_approvals(decoded(committed, str(path)), str(path), today) if committed else ()
    text = read_acceptances(path)
    if text is None and is_given:
        raise InputError([Problem(str(path), "is not there", "give the path of a file with approvals")])
    return () if text is None else parse_approvals(text, str(path), today)


def _spent(content: bytes | None, file: str, today: date) -> tuple[Approval, ...]:
    """Return the approvals in the old revision's file; of one with mistakes nothing was ever approved."""
    try:
        return tuple(one.approval for one in parse_approvals(decoded(content or b"", file), file, today))
    except InputError:
        return ()
