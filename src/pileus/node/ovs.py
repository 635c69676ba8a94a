"""Open vSwitch: which ports of this host OVN has wired, and what OVN lets pass that no guest may send."""

from __future__ import annotations

import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import structlog
from ovs import poller
from ovs.db import idl

from pileus.node.host import HostError

log = structlog.get_logger("pileus.ovs")
SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
GUARD_INTERVAL = 10.0
"""ovn-controller removes foreign flows when it starts, so they are put back every so many seconds."""
_COOKIE = "0x50494c45"


class WiredPorts:
    """Follows the Interface table: ovn-controller marks a port `ovn-installed` when all its flows are in place.

    Guests' interfaces on the integration bridge `bridge` are guarded as soon as they are seen there.
    """

    def __init__(self, connection: str, bridge: str, wake: Callable[[], None]) -> None:
        self._connection, self._wake = connection, wake
        self._switch = f"unix:{Path(connection.removeprefix('unix:')).parent / bridge}.mgmt"
        self._wired: frozenset[str] = frozenset()
        self._taps: Mapping[str, frozenset[str]] = {}
        self._guarded: frozenset[int] = frozenset()
        self._guard_due = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ovs-ports", daemon=True)
        self._thread.start()

    def ports(self) -> frozenset[str]:
        """Port ids."""
        return self._wired

    def taps(self) -> Mapping[str, frozenset[str]]:
        """The interfaces that libvirt has plugged, by guest."""
        return self._taps

    def close(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        helper = idl.SchemaHelper(str(SCHEMA))
        helper.register_columns("Interface", ["name", "external_ids", "ofport"])
        database: Any = idl.Idl(self._connection, helper)
        seen = -1
        while not self._stop.is_set():
            database.run()
            if database.change_seqno != seen:
                seen = database.change_seqno
                self._note(database)
            self._guard(database)
            wait = poller.Poller()
            wait.timer_wait(1000)
            database.wait(wait)
            wait.block()
        database.close()

    def _note(self, database: Any) -> None:
        wired: set[str] = set()
        taps: defaultdict[str, frozenset[str]] = defaultdict(frozenset)
        for row in database.tables["Interface"].rows.values():
            ids = row.external_ids
            if ids.get("ovn-installed") == "true" and "iface-id" in ids:
                wired.add(ids["iface-id"])
            if "vm-id" in ids:
                taps[ids["vm-id"]] |= {row.name}
        self._taps = dict(taps)
        if wired != self._wired:
            self._wired = frozenset(wired)
            self._wake()

    def _guard(self, database: Any) -> None:
        rows = database.tables["Interface"].rows.values()
        ports = frozenset(
            number for row in rows if "iface-id" in row.external_ids for number in row.ofport if number > 0
        )
        if ports != self._guarded or (ports and time.monotonic() >= self._guard_due):
            refuse_router_advertisements(self._switch, ports)
            self._guarded, self._guard_due = ports, time.monotonic() + GUARD_INTERVAL


def unplug(connection: str, bridge: str, tap: str) -> None:
    """Take a tap out of the bridge, if it is in it. Raises HostError."""
    command = ["ovs-vsctl", f"--db={connection}", "--timeout=10", "--if-exists", "del-port", bridge, tap]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise HostError(f"ovs-vsctl del-port {tap} failed: {done.stderr.strip() or done.returncode}")


def refuse_router_advertisements(switch: str, ports: Iterable[int]) -> None:
    """Drop what these OpenFlow ports, and no others, send as routers (RFC 6105).

    OVN lets all neighbour discovery pass before it looks at any access list, so it cannot do this itself.
    """
    flow = f"table=0,cookie={_COOKIE},priority=200,icmp6,icmp_type=134"
    lines = [f"delete table=0,cookie={_COOKIE}/-1", *(f"add {flow},in_port={port},actions=drop" for port in ports)]
    command = ["ovs-ofctl", "--bundle", "add-flows", switch, "-"]
    try:
        run = subprocess.run(command, input="\n".join((*lines, "")), capture_output=True, text=True, timeout=10)
        problem = run.stderr.strip() if run.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    if problem:
        log.warning("router advertisements of guests are not refused", switch=switch, problem=problem)
