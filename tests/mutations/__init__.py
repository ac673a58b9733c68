"""Mutations of the synthesized stacks: what a careless or a hostile change of the code could write into them.

Each is one change of one resource of one environment, as data. Scan and proof are tested against the same table.
"""

from __future__ import annotations

from tests.mutations import added, api, buckets, data, keys, network, observability, personas, roles, server
from tests.mutations.mutation import Assigned, Document, Mutation

#: By area, each in the order of its file.
GROUPS: dict[str, tuple[Mutation, ...]] = {
    "buckets": buckets.MUTATIONS,
    "keys": keys.MUTATIONS,
    "database": data.MUTATIONS,
    "network": network.MUTATIONS,
    "server": server.MUTATIONS,
    "api": api.MUTATIONS,
    "personas": personas.MUTATIONS,
    "roles": roles.MUTATIONS,
    "observability": observability.MUTATIONS,
    "added": added.MUTATIONS,
}
MUTATIONS: tuple[Mutation, ...] = tuple(one for group in GROUPS.values() for one in group)

__all__ = ["GROUPS", "MUTATIONS", "Assigned", "Document", "Mutation"]
