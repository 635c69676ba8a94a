"""What the northbound database should hold for a topology. Pure: no database, no OVN."""

from __future__ import annotations

from pileus.services.network.ovn import dhcp, routers, security, switches
from pileus.services.network.ovn.rows import Rows
from pileus.services.network.ovn.topology import Topology


def desired(topology: Topology) -> Rows:
    rows = Rows()
    dhcp.add(rows, topology)
    switches.add(rows, topology)
    routers.add(rows, topology)
    security.add(rows, topology)
    return rows
