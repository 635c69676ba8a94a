"""How much later a real guest asks for its address when the API makes it than when virsh starts the same domain.

usage (root): python bench/real_boot.py [--times N]

Also tells the memory of all Pileus processes with one guest running (libvirt and OVN daemons aside).
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil
from tests.e2e.cloud import FLAVOR, Guest, RealCloud, until

from pileus.operate import state
from pileus.supervise import libvirt

ASKS = b"broadcasting discover"


def asks_after(log: Path, offset: int) -> float:
    """When the guest's DHCP client says on the console that it asks."""
    found: list[float] = []

    def asked() -> bool:
        try:
            new = log.read_bytes()[offset:]
        except FileNotFoundError:
            return False
        if ASKS in new:
            found.append(time.perf_counter())
        return bool(found)

    deadline = time.monotonic() + 120
    while not asked():
        assert time.monotonic() < deadline, "the guest does not ask for an address"
        time.sleep(0.005)
    return found[0]


def by_api(cloud: RealCloud, number: int) -> tuple[float, Guest]:
    flavor = cloud.api.compute.find_flavor(FLAVOR)
    began = time.perf_counter()
    server = cloud.api.compute.create_server(
        name=f"bench-{number}", image_id=cloud.image.id, flavor_id=flavor.id, networks=[{"uuid": cloud.network.id}]
    )
    log = cloud.state_dir / "instances" / server.id / "console.log"
    spent = asks_after(log, 0) - began
    guest = Guest(cloud, server)
    guest.wait("ACTIVE")
    return spent, guest


def by_virsh(cloud: RealCloud, guest: Guest) -> float:
    """The same domain on a fresh disk."""
    folder = cloud.state_dir / "instances" / guest.id
    virsh = ["virsh", "-q", "-c", libvirt.uri(cloud.state_dir)]
    image = next(iter((cloud.state_dir / "images").iterdir()))
    cloud.pileus("down")
    subprocess.run([*virsh, "destroy", guest.id], check=True, capture_output=True)
    disk = folder / "disk.qcow2"
    disk.unlink()
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", image, disk, "1G"], check=True)
    log = folder / "console.log"
    offset = log.stat().st_size
    began = time.perf_counter()
    subprocess.run([*virsh, "start", guest.id], check=True, capture_output=True)
    spent = asks_after(log, offset) - began
    cloud.start()
    return spent


def memory(cloud: RealCloud) -> float:
    """PSS in MB of the serving process and the host agent."""
    running = state.running(cloud.state_dir)
    assert running is not None
    root = psutil.Process(running.pid)
    ours = [root, *(p for p in root.children() if "pileus.node" in p.cmdline() or "keeper.py" in " ".join(p.cmdline()))]
    return sum(process.memory_full_info().pss for process in ours) / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    cloud = RealCloud(port=8795)
    try:
        cloud.start()
        cloud.prepare()
        api, virsh = [], []
        for number in range(given.times):
            spent, guest = by_api(cloud, number)
            api.append(spent)
            virsh.append(by_virsh(cloud, guest))
            until(lambda guest=guest: cloud.api.compute.get_server(guest.id).status == "ACTIVE", "not ACTIVE")
            if number == 0:
                print(f"Pileus processes with one guest: {memory(cloud):.0f} MB PSS")
            guest.delete()
        later = statistics.median(api) - statistics.median(virsh)
        print(f"POST /servers to DHCP request: p50 {statistics.median(api):.2f} s, max {max(api):.2f} s")
        print(f"virsh start to DHCP request:   p50 {statistics.median(virsh):.2f} s, max {max(virsh):.2f} s")
        print(f"later by {later:.2f} s")
    finally:
        cloud.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
