"""Network namespaces for metadata: one a network, with one interface in the integration bridge."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pileus.node.desired import MetadataPort
from pileus.node.host import HostError

INSIDE = "eth0"
_CLONE_NEWNET = 0x40000000
_SIOCETHTOOL = 0x8946
_ETHTOOL_STXCSUM = 0x17
_libc = ctypes.CDLL(None, use_errno=True)


def outside(port_id: str) -> str:
    """The interface's end in the bridge; at most 15 characters."""
    return f"pmd{port_id[:12]}"[:15]


class Place(NamedTuple):
    """Where namespaces of this host belong."""

    ovs: str
    """Connection of the Open_vSwitch database."""
    bridge: str
    prefix: str
    """How the names of this host's namespaces begin."""
    mark: str
    """Alias of the interfaces outside, by which they are known as ours."""

    def name(self, network_id: str) -> str:
        return self.prefix + network_id


def networks(place: Place) -> list[str]:
    """Those that have a namespace: it is made first and removed last."""
    folder = Path("/run/netns")
    names = [each.name for each in folder.iterdir()] if folder.exists() else []
    return [name.removeprefix(place.prefix) for name in names if name.startswith(place.prefix)]


def ensure(place: Place, port: MetadataPort, addresses: Sequence[str]) -> list[socket.socket]:
    """The namespace is there, wired and addressed; returns sockets that listen on port 80 of `addresses` in it."""
    space, end = place.name(port.network_id), outside(port.port_id)
    if not Path("/run/netns", space).exists():
        _ip("netns", "add", space)
    if not _exists(space, INSIDE):
        if _exists(None, end):
            _ip("link", "del", end)
        _ip("link", "add", end, "type", "veth", "peer", "name", INSIDE, "netns", space)
    _ip("-n", space, "link", "set", "lo", "up")
    _ip("-n", space, "link", "set", INSIDE, "address", port.mac)
    _ip("-n", space, "addr", "flush", "dev", INSIDE, "scope", "global")
    for address in (*port.addresses, *(f"{each}/{32 if '.' in each else 64}" for each in addresses)):
        _ip("-n", space, "addr", "replace", address, "dev", INSIDE, *(["nodad"] if ":" in address else []))
    _ip("-n", space, "link", "set", INSIDE, "up")
    _ip("link", "set", end, "alias", place.mark)
    _ip("link", "set", end, "up")
    _inside(space, lambda: checksum_in_software(INSIDE))
    _plug(place, end, port)
    sockets: list[socket.socket] = _inside(space, lambda: [_listen(address) for address in addresses])
    return sockets


def remove(place: Place, network_id: str) -> None:
    """The bridge forgets the port; the interface is removed at once, as a namespace may take its time to go."""
    space = place.name(network_id)
    found = _vsctl(
        place.ovs, "--bare", "--columns=name", "find", "Interface", f"external_ids:pileus-network={network_id}"
    )
    for end in found.split():
        _vsctl(place.ovs, "--if-exists", "del-port", end)
        if _exists(None, end):
            _ip("link", "del", end)
    if Path("/run/netns", space).exists():
        _ip("netns", "del", space)


def _exists(space: str | None, link: str) -> bool:
    where = ["-n", space] if space else []
    return subprocess.run(["ip", *where, "link", "show", link], capture_output=True, timeout=30).returncode == 0


def _plug(place: Place, end: str, port: MetadataPort) -> None:
    known = {"iface-id": port.port_id, "attached-mac": port.mac, "pileus-network": port.network_id}
    ids = [f'external_ids:{key}="{value}"' for key, value in known.items()]
    _vsctl(place.ovs, "--may-exist", "add-port", place.bridge, end, "--", "set", "Interface", end, *ids)


def _listen(address: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.bind((address, 80, 0, socket.if_nametoindex(INSIDE)))
    else:
        listener.bind((address, 80))
    listener.listen(64)
    return listener


def checksum_in_software(interface: str) -> None:
    """The userspace datapath takes frames as they are: a checksum left to hardware would stay wrong (story W01)."""
    value = ctypes.create_string_buffer(struct.pack("II", _ETHTOOL_STXCSUM, 0))
    request = struct.pack("16sP", interface.encode(), ctypes.addressof(value)) + bytes(16)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, _SIOCETHTOOL, request)


def _inside(space: str, act: Callable[[], Any]) -> Any:
    """What `act` returns when a thread of its own does it inside the namespace."""
    result: list[Any] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            with Path("/run/netns", space).open() as place:
                if _libc.setns(place.fileno(), _CLONE_NEWNET):
                    number = ctypes.get_errno()
                    raise OSError(number, os.strerror(number), space)
            result.append(act())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="namespace")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _vsctl(ovs: str, *arguments: str) -> str:
    return _run("ovs-vsctl", f"--db={ovs}", "--timeout=10", *arguments)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise HostError(f"{' '.join(command[:6])} failed: {done.stderr.strip() or done.returncode}")
    return done.stdout
