"""Open vSwitch: which ports of this host OVN has wired."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from ovs import poller
from ovs.db import idl

log = structlog.get_logger("pileus.ovs")
SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")


class WiredPorts:
    """Follows the Interface table: ovn-controller marks a port `ovn-installed` when all its flows are in place."""

    def __init__(self, connection: str, wake: Callable[[], None]) -> None:
        self._connection, self._wake = connection, wake
        self._wired: frozenset[str] = frozenset()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ovs-ports", daemon=True)
        self._thread.start()

    def ports(self) -> frozenset[str]:
        """Port ids."""
        return self._wired

    def close(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        helper = idl.SchemaHelper(str(SCHEMA))
        helper.register_columns("Interface", ["external_ids"])
        database: Any = idl.Idl(self._connection, helper)
        seen = -1
        while not self._stop.is_set():
            database.run()
            if database.change_seqno != seen:
                seen = database.change_seqno
                self._note(database)
            wait = poller.Poller()
            wait.timer_wait(1000)
            database.wait(wait)
            wait.block()
        database.close()

    def _note(self, database: Any) -> None:
        found = (row.external_ids for row in database.tables["Interface"].rows.values())
        wired = frozenset(ids["iface-id"] for ids in found if ids.get("ovn-installed") == "true" and "iface-id" in ids)
        if wired != self._wired:
            self._wired = wired
            self._wake()
