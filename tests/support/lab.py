"""A private Open vSwitch with OVN in a network namespace and a state directory of its own; guests in namespaces.

The lab's namespace is the host: its br-ex carries the host's address. A guest is an internal port of br-int in a
namespace of its own: the kernel answers for it, and raw sockets on it send whatever a hostile guest would.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pyroute2 import IPRoute, NetNS, netns

from pileus.supervise import ovn, ovs
from pileus.supervise.supervisor import Supervisor

T = TypeVar("T")
PHYSICAL_NETWORK = "public"
ANY_PROTOCOL = 3


def until(look: Callable[[], T], patience: float = 60.0, what: str = "it") -> T:
    """The first true value of `look`, within `patience` seconds."""
    deadline = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what} did not come within {patience:g} s"
        time.sleep(0.02)
    return found


class Lab:
    def __init__(self, controllers_elsewhere: bool = False) -> None:
        self._controllers_elsewhere = controllers_elsewhere
        self.name = f"lab{os.getpid()}"
        self.state_dir = Path(tempfile.mkdtemp(prefix="pileus-lab-"))
        self.guests: list[Guest] = []
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)

    def start(self) -> None:
        """Also moves this thread, and what it starts from now on, into the lab's namespace."""
        netns.create(self.name)
        netns.setns(self.name)
        with IPRoute() as ip:
            ip.link("set", index=1, state="up")
        chassis = ovn.Chassis(self.name, self.name)
        host = ovn.host_daemons(self.state_dir, chassis)
        central = ovn.central_daemons(self.state_dir, self._controllers_elsewhere)
        self._supervisor = Supervisor(self.state_dir, [*ovs.daemons(self.state_dir), *central, *host])
        self._supervisor.start()
        ovs.ensure_bridge(self.state_dir, "br-ex")
        ovs.set_external_ids(self.state_dir, {"ovn-bridge-mappings": f"{PHYSICAL_NETWORK}:br-ex"})
        with IPRoute() as ip:
            index = ip.link_lookup(ifname="br-ex")[0]
            ip.addr("replace", index=index, address="172.24.4.1", prefixlen=24)
            ip.link("set", index=index, state="up")

    def stop(self) -> None:
        for guest in [*self.guests]:
            guest.unplug()
        self._supervisor.stop_all()
        netns.setns(self._home)
        os.close(self._home)
        netns.remove(self.name)
        shutil.rmtree(self.state_dir)

    def kill(self, daemon: str) -> None:
        """As a crash would; its supervisor starts it again."""
        report = next(report for report in self._supervisor.report() if report.name == daemon)
        assert report.pid
        os.kill(report.pid, signal.SIGKILL)

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """In the host's namespace."""
        return socket.socket(family, kind, protocol)

    def vsctl(self, *arguments: str) -> str:
        return ovs.vsctl(self.state_dir, *arguments)

    def nbctl(self, *arguments: str) -> str:
        return self._ovn("ovn-nbctl", *arguments)

    def sbctl(self, *arguments: str) -> str:
        return self._ovn("ovn-sbctl", *arguments)

    def _ovn(self, *command: str) -> str:
        env = {**os.environ, **ovn.environment(self.state_dir)}
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=60).stdout


class Guest:
    """What sits at a port: an interface with the port's MAC address (or another, for a hostile one)."""

    def __init__(self, lab: Lab, port_id: str, mac: str) -> None:
        self.lab, self.port_id, self.mac = lab, port_id, mac
        self.device = f"g{port_id[:8]}"
        self.namespace = f"{lab.name}-{self.device}"
        lab.guests.append(self)

    def plug(self, wired: bool = True) -> Guest:
        """`wired`: wait for it. OVN does not report a host's own ports (localport)."""
        external_ids = (f"external_ids:iface-id={self.port_id}", f'external_ids:attached-mac="{self.mac}"')
        self.lab.vsctl(
            "add-port", "br-int", self.device, "--", "set", "interface", self.device, "type=internal", *external_ids
        )
        netns.create(self.namespace)
        with IPRoute() as ip:
            index = until(lambda: ip.link_lookup(ifname=self.device), what="the interface")[0]
            ip.link("set", index=index, net_ns_fd=self.namespace)
        with NetNS(self.namespace) as ip:
            ip.link("set", index=1, state="up")
            ip.link("set", index=self._index(ip), address=self.mac, state="up")
        if wired:
            until(self.wired, what=f"the wiring of port {self.port_id}")
        return self

    def wired(self) -> bool:
        """OVN says that this port's flows are in place."""
        found = self.lab.vsctl("--if-exists", "get", "interface", self.device, "external_ids")
        return 'ovn-installed="true"' in found

    def unplug(self) -> None:
        self.lab.vsctl("--if-exists", "del-port", "br-int", self.device)
        netns.remove(self.namespace)
        self.lab.guests.remove(self)

    def configure(self, address: str, gateway: str | None = None) -> None:
        """A static address with prefix length."""
        host, _, length = address.partition("/")
        with NetNS(self.namespace) as ip:
            index = self._index(ip)
            ip.addr("replace", index=index, address=host, prefixlen=int(length))
            if gateway:
                ip.route("replace", dst="default" if ":" not in gateway else "::/0", gateway=gateway, oif=index)

    def route(self, destination: str, gateway: str) -> None:
        with NetNS(self.namespace) as ip:
            ip.route("replace", dst=destination, gateway=gateway, oif=self._index(ip))

    def bounce(self) -> None:
        """Down and up again: the kernel asks for routers."""
        with NetNS(self.namespace) as ip:
            index = self._index(ip)
            ip.link("set", index=index, state="down")
            ip.link("set", index=index, state="up")

    def addresses(self) -> list[str]:
        with NetNS(self.namespace) as ip:
            return [a.get_attr("IFA_ADDRESS") for a in ip.get_addr(index=self._index(ip)) if not a["flags"] & 0x40]

    def mtu(self) -> int:
        with NetNS(self.namespace) as ip:
            return int(ip.get_links(self._index(ip))[0].get_attr("IFLA_MTU"))

    def sysctl(self, name: str, value: str) -> None:
        with inside(self.namespace):
            Path("/proc/sys/net", name).write_text(value)

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """In the guest's namespace, whoever uses it."""
        with inside(self.namespace):
            return socket.socket(family, kind, protocol)

    def wire(self) -> socket.socket:
        """A raw socket that sends and sees whole frames."""
        raw = self.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ANY_PROTOCOL))
        with inside(self.namespace):
            raw.bind((self.device, ANY_PROTOCOL))
        return raw

    def _index(self, ip: NetNS) -> int:
        index: int = ip.link_lookup(ifname=self.device)[0]
        return index


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    netns.pushns(namespace)
    try:
        yield
    finally:
        netns.popns()
