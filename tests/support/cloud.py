"""Rows on the one side, OVN in a lab on the other, the network's reconciler between them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pileus.core.db import Database
from pileus.services.network import tables as t
from pileus.services.network.reconcile import NetworkReconciler
from pileus.supervise import ovn
from tests.support.lab import PHYSICAL_NETWORK, Guest, Lab
from tests.support.network_rows import Rows


class Cloud:
    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab = lab
        self.db = Database(f"sqlite:///{directory}/pileus.db")
        self.db.create_tables()
        self.reconciler = self.new_reconciler()

    def new_reconciler(self) -> NetworkReconciler:
        """What a restarted process has."""
        return NetworkReconciler(self.db, ovn.northbound(self.lab.state_dir), ovn.southbound(self.lab.state_dir))

    @contextmanager
    def rows(self) -> Iterator[Rows]:
        """Write rows; afterwards OVN is made to agree."""
        with self.db.write() as tx:
            yield Rows(tx)
        self.apply()

    def apply(self) -> None:
        """Returns when the flows are in place."""
        self.reconciler.run()
        self.lab.nbctl("--wait=hv", "sync")

    def guest(self, port_id: str, address: str | None = None, gateway: str | None = None, wired: bool = True) -> Guest:
        """A running guest at a port, with a static address if one is given."""
        own = self.value(t.ports.c.device_owner, port_id).startswith("network:")
        guest = Guest(self.lab, port_id, self.value(t.ports.c.mac_address, port_id)).plug(wired=wired and not own)
        if address:
            guest.configure(address, gateway)
        return guest

    def value(self, column: sa.Column[Any], row_id: str) -> Any:
        with self.db.read() as tx:
            return tx.scalar(sa.select(column).where(column.table.c.id == row_id))

    def close(self) -> None:
        for guest in [*self.lab.guests]:
            guest.unplug()
        self.reconciler.close()
        self.db.close()


class Office:
    """A network behind a router with SNAT, as most projects have: 10.0.0.0/24, the world is 172.24.4.0/24."""

    def __init__(self, cloud: Cloud, mtu: int = 1442) -> None:
        self.cloud = cloud
        with cloud.rows() as rows:
            self.outside = rows.network(physical_network=PHYSICAL_NETWORK, mtu=1500)
            self.outside_subnet = rows.subnet(self.outside, "172.24.4.0/24", enable_dhcp=False)
            self.network = rows.network(mtu=mtu)
            self.subnet = rows.subnet(self.network, "10.0.0.0/24", dns_nameservers=["9.9.9.9", "8.8.8.8"])
            self.metadata = rows.port(
                self.network, (self.subnet, "10.0.0.2"), device_owner="network:distributed", port_security_enabled=False
            )
            self.router = rows.router()
            self.interface = rows.interface(self.router, self.network, (self.subnet, "10.0.0.1"))
            self.gateway = rows.gateway(self.router, self.outside, (self.outside_subnet, "172.24.4.10"))
            self.open = rows.open_group()
