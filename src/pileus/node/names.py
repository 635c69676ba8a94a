"""Names of the hosts that this machine is."""

from __future__ import annotations

import socket


def own_hosts(count: int = 1) -> list[str]:
    """The hosts that this machine is: one, or so many simulated ones."""
    name = socket.gethostname().split(".")[0]
    return [name] if count < 2 else [f"{name}-{number}" for number in range(1, count + 1)]
