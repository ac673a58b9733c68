"""What a change of a document changes: new and lost access of every principal, each shown by a request.

::

    difference = compare(World.of(read_document(before)), World.of(read_document(after)))
    for change in difference.of(Direction.NEW):
        print(change.subject.name, change.actions, change.witness.request)

The solver decides, of all requests at once, whether one document allows some request that the other does not; texts
are not compared. ``subjects`` is who is asked about and ``targets`` on what, ``normal`` tells which questions need not
be asked, ``compare`` asks them, ``approvals`` is what somebody has accepted, ``outputs`` writes the result.

Taken for granted, beside what every proof assumes: calls of the API are those of MLflow's routes with plain text for
their parameters, and some beside them; principals that are in neither document may do everything that resources leave
to them; the policies of resources that are in neither document leave it to the principals of the account.
"""

from gatehouse.access.diff.approvals import Judged, judge
from gatehouse.access.diff.compare import Change, Difference, Direction, compare

__all__ = ["Change", "Difference", "Direction", "Judged", "compare", "judge"]
