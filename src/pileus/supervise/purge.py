"""Leaves the machine as it was before Pileus: no process, interface, rule, mount or file of this state directory.

Everything that Pileus makes outside its state directory carries that directory's name, so it is found even when the
notes about it are lost.
"""

import os
import shutil
import subprocess
from dataclasses import astuple, dataclass
from pathlib import Path

from pyroute2 import netns

from pileus.supervise import host_network, ovs, process
from pileus.supervise.daemon import mount_points_file


@dataclass(frozen=True)
class Leftovers:
    """What of a state directory is on this machine; false if nothing is."""

    processes: list[str]
    interfaces: list[str]
    tables: list[str]
    namespaces: list[str]
    mounts: list[str]
    files: list[str]

    def __bool__(self) -> bool:
        return any(astuple(self))


def leftovers(state_dir: Path) -> Leftovers:
    return Leftovers(
        processes=[f"{Path(found.argv[0]).name} ({found.pid})" for found in process.of_state(state_dir)],
        interfaces=host_network.links(state_dir),
        tables=[host_network.table(state_dir)] if host_network.table(state_dir) else [],
        namespaces=_namespaces(state_dir),
        mounts=_mounts(state_dir),
        files=[str(state_dir)] if state_dir.exists() else [],
    )


def purge(state_dir: Path) -> None:
    """Remove all of it, guests included. Whoever supervises the daemons must have ended before."""
    stop(state_dir)
    _remove_mount_points(state_dir)
    shutil.rmtree(state_dir, ignore_errors=not state_dir.exists())


def stop(state_dir: Path) -> None:
    """End guests and daemons, and take away what they had outside the state directory; its files stay."""
    process.end(process.guests(state_dir))
    ovs.remove_datapath(state_dir)
    process.end(found for found in process.of_state(state_dir) if found.pid != os.getpid())
    host_network.clear(state_dir)
    for namespace in _namespaces(state_dir):
        netns.remove(namespace)
    for mount in _mounts(state_dir):
        subprocess.run(["umount", "--lazy", mount], check=True)


def _namespaces(state_dir: Path) -> list[str]:
    prefix = host_network.namespace_prefix(state_dir)
    return [name for name in netns.listnetns() if name.startswith(prefix)]


def _mounts(state_dir: Path) -> list[str]:
    """Mount points inside the state directory, innermost first."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    inside = [point for point in points if Path(point).is_relative_to(state_dir)]
    return sorted(inside, key=len, reverse=True)


def _remove_mount_points(state_dir: Path) -> None:
    note = mount_points_file(state_dir)
    for point in map(Path, note.read_text().splitlines() if note.exists() else ()):
        # To remove a directory takes away what others have mounted on it in their own namespaces.
        if point.is_dir() and not any(point.iterdir()) and not process.mounted_elsewhere(point):
            point.rmdir()
