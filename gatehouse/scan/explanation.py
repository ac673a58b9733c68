"""What is known of a check: ours from the catalogue of findings, Checkov's from Checkov itself."""

from __future__ import annotations

from collections.abc import Mapping

from gatehouse.errors import InputError, Problem
from gatehouse.problems import closest
from gatehouse.scan.checkov_gate import explain
from gatehouse.scan.findings import shipped_checks

CHECKOV_PREFIXES = ("CKV_", "CKV2_")
#: Checkov's texts on how to mend a finding are on its platform; offline it has the title and what it looks at.
CHECKOV_INDEX = "https://www.checkov.io/5.Policy%20Index/terraform.html"


def explanation(check_id: str) -> tuple[str, Mapping[str, str]]:
    """Return the title of a check, and by name what else is known of it.

    Raises:
        InputError: there is no such check.

    """
    wanted = check_id.upper()
    ours = shipped_checks()
    if wanted in ours:
        check = ours[wanted]
        return f"{check.id}: {check.title}", {"severity": check.severity, "why": check.why, "fix": check.fix}
    if not wanted.startswith(CHECKOV_PREFIXES):
        meant = closest(wanted, ours)
        known = f"use {meant}" if meant else f"use one of {', '.join(ours)}"
        raise InputError([Problem("explain", "is no check", f"{known}, or one of Checkov", value=check_id)])
    found = explain(wanted)
    if found is None:
        raise InputError(
            [Problem("explain", "is no check of Checkov", f"see {CHECKOV_INDEX}", value=check_id)]
        )
    return f"{found.id}: {found.title}", {
        "looks at": ", ".join(found.resources),
        "source": found.source,
        "guideline": found.guideline or CHECKOV_INDEX,
    }
