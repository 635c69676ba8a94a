"""Numbers of compute for Prometheus."""

from __future__ import annotations

from collections import Counter

import prometheus_client as prometheus

from pileus.core.db import Tx
from pileus.core.metrics import Gauge
from pileus.services.compute.rules import hosts
from pileus.services.compute.store import hosts as host_store
from pileus.services.compute.store import servers as store

CLAIM_SECONDS = prometheus.Histogram(
    "pileus_claim_seconds",
    "To choose a host for a server and claim its room there",
    buckets=(0.001, 0.002, 0.003, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.25, 0.5, 1, 5),
)


def gauges(tx: Tx) -> list[Gauge]:
    found = host_store.find(tx)
    states = Counter("disabled" if row.disabled else "up" if hosts.is_up(row, tx.now) else "down" for row in found)
    return [
        Gauge("pileus_hosts", "Hosts", ("state",), {(state,): states[state] for state in ("up", "down", "disabled")}),
        Gauge("pileus_servers", "Servers that are not deleted", ("vm_state", "task_state"), store.census(tx)),
    ]
