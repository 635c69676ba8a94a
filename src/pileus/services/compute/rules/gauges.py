"""Numbers of compute for Prometheus."""

from __future__ import annotations

from collections import Counter

from pileus.core.db import Tx
from pileus.core.metrics import Gauge
from pileus.services.compute.rules import hosts
from pileus.services.compute.store import hosts as host_store
from pileus.services.compute.store import servers as store


def gauges(tx: Tx) -> list[Gauge]:
    found = host_store.find(tx)
    states = Counter("disabled" if row.disabled else "up" if hosts.is_up(row, tx.now) else "down" for row in found)
    return [
        Gauge("pileus_hosts", "Hosts", ("state",), {(state,): states[state] for state in ("up", "down", "disabled")}),
        Gauge("pileus_servers", "Servers that are not deleted", ("vm_state", "task_state"), store.census(tx)),
    ]
