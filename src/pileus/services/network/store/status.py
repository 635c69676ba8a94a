"""Statuses that follow from what OVN has in place."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx, matches
from pileus.services.network import tables as t
from pileus.services.network.ovn.topology import HOST_OWNERS, ROUTER_OWNERS


class Waiting(msgspec.Struct):
    """Ids of what should be ACTIVE and does not say so yet."""

    routers: list[str]
    ports: list[str]
    floating_ips: list[str]

    def __bool__(self) -> bool:
        return bool(self.routers or self.ports or self.floating_ips)


_owned = sa.or_(*(t.ports.c.device_owner == owner for owner in ROUTER_OWNERS + HOST_OWNERS))
_routers = t.routers.c.status != "ACTIVE"
_ports = (t.ports.c.status != "ACTIVE") & t.ports.c.admin_state_up & _owned
_floating_ips = (t.floating_ips.c.status != "ACTIVE") & t.floating_ips.c.router_id.is_not(None)
_WAITING = sa.union_all(
    sa.select(sa.literal("routers").label("what"), t.routers.c.id).where(_routers),
    sa.select(sa.literal("ports"), t.ports.c.id).where(_ports),
    sa.select(sa.literal("floating_ips"), t.floating_ips.c.id).where(_floating_ips),
)


def waiting(tx: Tx) -> Waiting:
    found: dict[str, list[str]] = {"routers": [], "ports": [], "floating_ips": []}
    for what, row_id in tx.execute(_WAITING, {}):
        found[what].append(row_id)
    return Waiting(**found)


def activate(tx: Tx, waiting: Waiting) -> None:
    """What OVN has in place is ACTIVE, unless its row has changed its mind meanwhile."""
    for table, ids, condition in (
        (t.routers, waiting.routers, _routers),
        (t.ports, waiting.ports, _ports),
        (t.floating_ips, waiting.floating_ips, _floating_ips),
    ):
        if ids:
            tx.update(table, matches(table.c.id, ids) & condition, {"status": "ACTIVE"})
