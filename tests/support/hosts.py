"""Several hosts on one machine, joined by a wire: each has network, mount and UTS namespaces and a state directory.

    with lab_of(3) as lab:
        lab.up("--sim")                          # hosts[0] makes the cloud
        lab.join(1)                              # hosts[1] becomes a host of it
        lab.hosts[1].run(["ip", "address"])
        lab.wire.cut(1)

Nothing touches the machine's own networks. The thread that made the lab lives at the wire: it is where the users are, with
an address on the hosts' network (10.99.0.254) and one on the external network (172.24.4.254).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pyroute2 import netns

from tests.support.command import Command

UNDERLAY, EXTERNAL = "10.99.0.{}", "172.24.4.{}"
USERS = 254
PORT = 8780
_BORN = """
set -e
hostname "$1"
mount -t sysfs sysfs /sys
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
mount --bind "$2" /proc/sys/kernel/random/boot_id
ip link set lo up
echo born
exec sleep infinity
"""
_CUTS = """
table bridge cuts {
  set cut { type ifname; }
  set loses { type ifname; }
  set apart { type ifname . ifname; }
  chain forward {
    type filter hook forward priority 0;
    iifname @cut drop
    oifname @cut drop
    iifname . oifname @apart drop
    iifname @loses numgen random mod 10 < 1 drop
  }
}
"""


class Space:
    """Namespaces of network, mounts and host name, held by a process that sleeps."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self._boot_id = name, folder / "boot-id"
        self._holder: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        assert self._holder, f"{self.name} is off"
        return self._holder.pid

    @property
    def prefix(self) -> tuple[str, ...]:
        """What enters it, before a command."""
        return ("nsenter", f"--target={self.pid}", "--net", "--mount", "--uts", "--")

    def open(self) -> None:
        """Each time is another boot."""
        self._boot_id.write_text(f"{uuid.uuid4()}\n")
        words = ["unshare", "--net", "--mount", "--uts", "/bin/sh", "-c", _BORN, "sh", self.name, str(self._boot_id)]
        self._holder = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self._holder.stdout
        assert self._holder.stdout.readline() == "born\n", f"{self.name} has no namespaces"

    def close(self) -> None:
        """Every process in it ends as by a power cut; its interfaces go with it."""
        ours = os.stat(f"/proc/{self.pid}/ns/uts").st_ino
        while found := [pid for pid in _in_namespace("uts", ours) if pid != self.pid]:
            for pid in found:
                _kill(pid)
        assert self._holder
        self._holder.kill()
        self._holder.wait()
        self._holder = None

    @property
    def is_open(self) -> bool:
        return self._holder is not None

    def run(self, words: Sequence[str], check: bool = True) -> str:
        """What the command says on both its outputs."""
        done = subprocess.run([*self.prefix, *words], capture_output=True, text=True, timeout=120)
        assert not check or done.returncode == 0, f"{self.name}: {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr


class Wire(Space):
    """Two bridges: `wire` joins the hosts, `outside` is the external network."""

    def open(self) -> None:
        super().open()
        for bridge, address in (("wire", UNDERLAY), ("outside", EXTERNAL)):
            self.run(["ip", "link", "add", bridge, "type", "bridge"])
            self.run(["ip", "address", "add", f"{address.format(USERS)}/24", "dev", bridge])
            self.run(["ip", "link", "set", bridge, "up"])
        # What the users send has its checksums, as from a network card: Open vSwitch looks at frames as they are.
        self.run([sys.executable, "-c", "from pileus.node import namespace as n; n.checksum_in_software('outside')"])
        subprocess.run([*self.prefix, "nft", "-f", "-"], input=_CUTS, text=True, check=True)

    def plug(self, host: Host, mtu: int = 1500) -> None:
        for bridge, near, far in (("wire", f"h{host.number}", "eth0"), ("outside", f"x{host.number}", "eth1")):
            self.run(["ip", "link", "delete", near], check=False)  # of a boot before: namespaces take their time to go
            pair = ["type", "veth", "peer", "name", far, "mtu", str(mtu), "netns", str(host.pid)]
            self.run(["ip", "link", "add", near, "mtu", str(mtu), *pair])
            self.run(["ip", "link", "set", near, "master", bridge, "up"])
            host.run(["ip", "link", "set", far, "up"])
        host.run(["ip", "address", "add", f"{host.address}/24", "dev", "eth0"])

    def unplug(self, host: Host) -> None:
        """As where its power is cut: nobody is told that its connections have ended."""
        for near in (f"h{host.number}", f"x{host.number}"):
            self.run(["ip", "link", "set", near, "nomaster"])

    def cut(self, number: int) -> None:
        """Nothing passes to or from the host on the hosts' network; its carrier stays."""
        self.run(["nft", "add", "element", "bridge", "cuts", "cut", f"{{ h{number} }}"])

    def mend(self, number: int) -> None:
        self.run(["nft", "delete", "element", "bridge", "cuts", "cut", f"{{ h{number} }}"])

    def part(self, one: int, other: int) -> None:
        """These two hosts do not reach each other; all others reach both."""
        self._apart("add", one, other)

    def join(self, one: int, other: int) -> None:
        self._apart("delete", one, other)

    def _apart(self, verb: str, one: int, other: int) -> None:
        pairs = f"{{ h{one} . h{other}, h{other} . h{one} }}"
        self.run(["nft", verb, "element", "bridge", "cuts", "apart", pairs])

    def lose(self, number: int) -> None:
        """A tenth of what the host sends is lost from now on."""
        self.run(["nft", "add", "element", "bridge", "cuts", "loses", f"{{ h{number} }}"])


class Host(Space):
    """A machine. What it runs when it starts is `at_boot`, as its service manager would."""

    def __init__(self, number: int, wire: Wire, folder: Path) -> None:
        self.number, self.address = number, UNDERLAY.format(number + 1)
        self._wire = wire
        self.folder = folder / f"host{number}"
        self.folder.mkdir(mode=0o711)
        self.at_boot: list[str] = []
        super().__init__(f"host{number}", self.folder)

    def open(self) -> None:
        super().open()
        self._wire.plug(self)

    @property
    def pileus(self) -> Command:
        return Command(self.folder / "home", self.folder / "state", self.prefix)

    @property
    def control(self) -> Command:
        """In the directory that it has as one of the control plane."""
        return Command(self.folder / "home", self.folder / "control", self.prefix)

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    def kill(self) -> None:
        """The power is cut."""
        self._wire.unplug(self)
        self.close()

    def boot(self) -> None:
        self.open()
        self.pileus.ok(*self.at_boot)

    def reboot(self) -> None:
        self.kill()
        self.boot()


class Lab:
    def __init__(self, count: int, folder: Path) -> None:
        self.folder = folder
        self.wire = Wire("wire", folder)
        self.hosts = [Host(number, self.wire, folder) for number in range(count)]

    @property
    def url(self) -> str:
        return f"https://{self.hosts[0].address}:{PORT}"

    def up(self, *words: str) -> None:
        """The first host makes the cloud."""
        first = self.hosts[0]
        first.at_boot = ["up", "--host", first.address, "--port", str(PORT), *words]
        first.pileus.ok(*first.at_boot)

    def token(self, *words: str) -> str:
        return self.hosts[0].pileus.ok("host", "token", *words).strip()

    def join(self, number: int, *words: str) -> None:
        host = self.hosts[number]
        host.pileus.ok("join", self.url, "--token", self.token(), *words)
        host.at_boot = ["join"]


@contextmanager
def lab_of(count: int) -> Iterator[Lab]:
    folder = Path(tempfile.mkdtemp(prefix="pileus-hosts-"))
    folder.chmod(0o711)
    lab = Lab(count, folder)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        for space in (lab.wire, *lab.hosts):
            space.open()
        wire = os.open(f"/proc/{lab.wire.pid}/ns/net", os.O_RDONLY)
        netns.setns(wire)
        os.close(wire)
        yield lab
    finally:
        netns.setns(home)
        os.close(home)
        for space in (*lab.hosts, lab.wire):
            if space.is_open:
                space.close()
        shutil.rmtree(folder, ignore_errors=True)


def _in_namespace(kind: str, inode: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.stat(entry / "ns" / kind).st_ino == inode:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
