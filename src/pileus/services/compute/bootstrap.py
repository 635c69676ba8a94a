"""The first hosts and flavors."""

from __future__ import annotations

from collections.abc import Sequence

from pileus.core import notes
from pileus.core.context import system_caller
from pileus.core.db import Tx
from pileus.services.compute.rules import flavors, join, specs
from pileus.services.compute.types.flavors import FlavorCreate

FLAVORS = (
    ("m1.nano", 1, 96, 1),
    ("m1.tiny", 1, 256, 1),
    ("m1.small", 1, 2048, 10),
    ("m1.medium", 2, 4096, 20),
    ("m1.large", 4, 8192, 40),
)
"""Name, vCPUs, MiB of memory, GiB of disk."""


def bootstrap(tx: Tx, hosts: Sequence[str], token: str, southbound: str) -> None:
    """Let the hosts in that this Pileus starts itself. Flavors are made once: who removes them does not want them.

    `southbound`: where hosts that join find OVN's southbound database.
    """
    join.note_southbound(tx, southbound)
    for host in hosts:
        specs.admit(tx, host, token)
    if notes.once(tx, "compute flavors"):
        for name, vcpus, ram, disk in FLAVORS:
            flavors.create(tx, system_caller(), FlavorCreate(name=name, vcpus=vcpus, ram=ram, disk=disk))
