"""The network between hosts: this machine's address on it, and what its interface carries."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import psutil

from pileus.core.config import TUNNEL_BRIDGE
from pileus.operate.options import OptionError


def address_towards(url: str) -> str:
    """This machine's own address on the way to a URL's host. Raises OptionError where there is none."""
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 443), timeout=5) as way:
            return str(way.getsockname()[0])
    except OSError as error:
        raise OptionError(f"{url} can't be reached from here: {error}.") from None


def interface_of(address: str) -> str | None:
    """The interface that has the address."""
    for name, has in psutil.net_if_addrs().items():
        if name != TUNNEL_BRIDGE and any(each.address.partition("%")[0] == address for each in has):
            return name
    return None


def mtu_of(address: str) -> int | None:
    """Of the interface that has the address; None where none has it."""
    name = interface_of(address)
    return psutil.net_if_stats()[name].mtu if name else None


def agent_arguments(address: str) -> list[str]:
    """What a host agent is told of it."""
    mtu = mtu_of(address)
    return ["--address", address, *(["--mtu", str(mtu)] if mtu else [])]
