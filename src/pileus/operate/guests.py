"""All guests of this machine at once."""

from __future__ import annotations

import time
from pathlib import Path

import libvirt

from pileus.supervise import ask, process
from pileus.supervise import libvirt as daemons

PATIENCE = 30.0
"""Seconds that guests have to power down by themselves."""


def power_down(state_dir: Path, patience: float = PATIENCE) -> None:
    """Press every guest's power button and wait until they have ended, or `patience` seconds."""
    try:
        ask.LibvirtKeepalive(daemons.socket(state_dir))(2.0)
        connection = libvirt.open(daemons.uri(state_dir))
    except (OSError, libvirt.libvirtError):
        return  # without libvirtd nobody can ask them
    for domain in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
        try:
            domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
        except libvirt.libvirtError:
            continue  # it has just ended, or is paused and hears nothing
    deadline = time.monotonic() + patience
    while process.guests(state_dir) and time.monotonic() < deadline:
        time.sleep(0.1)
    connection.close()
