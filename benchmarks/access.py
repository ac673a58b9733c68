"""Decide requests to the dev stack on one core: roles times routes of the catalogue, and times objects.

    .venv/bin/python benchmarks/access.py [cdk.tf.json] [--rounds N]

Policies are compiled once, requests are made anew for each decision, so that nothing of a request is kept. Prints
decisions a second, and fails below 50,000 over all.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gatehouse.access import Outcome, Policies, Principal, Request, Resource, evaluate  # noqa: E402
from gatehouse.access.context import ContextValue  # noqa: E402
from gatehouse.access.world import World  # noqa: E402
from gatehouse.catalogue.shipped import load  # noqa: E402
from gatehouse.document.read import read_document  # noqa: E402

DOCUMENT = ROOT / "cdktf.out/stacks/dev/cdk.tf.json"
WANTED_RATE = 50_000
TEAMS = ("fraud", "search")
OBJECT_ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
FILES = ("model.pkl", "plots/loss.png", "MLmodel")
#: What the gateway and S3 see of an ordinary call.
API_CALL: dict[str, ContextValue] = {"aws:SourceIp": "198.51.100.7", "aws:MultiFactorAuthPresent": "true"}
S3_CALL: dict[str, ContextValue] = {
    "aws:SecureTransport": "true",
    "s3:TlsVersion": "1.3",
    "aws:MultiFactorAuthPresent": "true",
}
_PARAMETER = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True)
class Question:
    """What makes one request, and the policies that are asked."""

    principal: Principal
    action: str
    arn: str
    context: dict[str, ContextValue]
    policies: Policies

    def request(self) -> Request:
        """Return the request, anew."""
        return Request(self.principal, self.action, Resource(self.arn, self.principal.account), self.context)


def questions(world: World) -> dict[str, list[Question]]:
    """Return what is asked by the kind of resource: by every role in its own team's name, of two teams."""
    calls = [
        world.api.call(route.endpoint.method, team, _PARAMETER.sub("17", route.endpoint.path))
        for team in TEAMS
        for route in load(world.mlflow_version)
    ]
    artifacts = next(bucket.arn for bucket in world.buckets if bucket.address.endswith("artifacts"))
    objects = [
        (action, f"{artifacts}/workspaces/{team}/1/abc/artifacts/{file}")
        for action in OBJECT_ACTIONS
        for team in TEAMS
        for file in FILES
    ]
    found: dict[str, list[Question]] = {"routes": [], "objects": []}
    for role in world.roles.values():
        who = role.principal(tags=None if role.team else {"team": TEAMS[0]})
        found["routes"] += [
            Question(who, "execute-api:Invoke", arn, API_CALL, world.policies_for(role, arn)) for arn in calls
        ]
        found["objects"] += [
            Question(who, action, arn, S3_CALL, world.policies_for(role, arn)) for action, arn in objects
        ]
    return found


def rate(asked: Sequence[Question], rounds: int) -> float:
    """Return decisions a second of processor time, the making of the requests included.

    The best of the rounds, as ``timeit`` has it: what else runs on the machine makes the others slower.
    """
    return max(len(asked) / _seconds(asked) for _ in range(rounds))


def _seconds(asked: Sequence[Question]) -> float:
    start = time.process_time()
    for one in asked:
        evaluate(one.request(), one.policies)
    return time.process_time() - start


def main() -> int:
    """Print the rates."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "document", nargs="?", type=Path, default=DOCUMENT, help="default: dev, as synthesized"
    )
    parser.add_argument("--rounds", type=int, default=9, help="default 9")
    arguments = parser.parse_args()
    if not arguments.document.exists():
        parser.error(f"{arguments.document} is not there. Fix: gatehouse synth")
    asked = questions(World.of(read_document(arguments.document)))
    asked["all"] = [one for of_kind in asked.values() for one in of_kind]
    print(f"{'requests':9} {'number':>7} {'allowed':>8} {'a second':>9}")
    for kind, listed in asked.items():
        decided = [evaluate(one.request(), one.policies).outcome for one in listed]
        found = rate(listed, arguments.rounds)
        print(f"{kind:9} {len(listed):7} {decided.count(Outcome.ALLOWED):8} {found:9,.0f}")
    print(f"wanted: {WANTED_RATE:,}; ratio {found / WANTED_RATE:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
