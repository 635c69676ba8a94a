"""A host to try supervision on: a network namespace of its own for the test's thread, and a state directory."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pyroute2 import IPRoute, netns

from pileus.supervise import libvirt, ovn, ovs, purge
from pileus.supervise.daemon import Daemon


@contextmanager
def own_network() -> Iterator[None]:
    name = f"test-supervise-{os.getpid()}"
    netns.create(name)
    netns.pushns(name)
    with IPRoute() as ip:
        ip.link("set", index=1, state="up")
    try:
        yield
    finally:
        netns.popns()
        netns.remove(name)


@contextmanager
def own_state() -> Iterator[Path]:
    """A state directory that the guests' account can reach, which pytest's own are not."""
    path = Path(tempfile.mkdtemp(prefix="pileus-"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        purge.purge(path)
        shutil.rmtree(path, ignore_errors=True)


def all_daemons(state: Path) -> list[Daemon]:
    chassis = ovn.Chassis(system_id="host-1", hostname="host-1")
    return [
        *ovs.daemons(state),
        *ovn.central_daemons(state),
        *ovn.host_daemons(state, chassis),
        *libvirt.daemons(state, kvm=False),
    ]


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.05)
