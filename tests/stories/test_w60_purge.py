"""W60: re-deploying needed a file-system snapshot to get back to a clean state."""

import json
import os
import signal
import subprocess

import pytest
from pyroute2 import netns

from pileus.supervise import host_network
from pileus.supervise.purge import leftovers
from tests.support.command import Command, links, processes_of, until

pytestmark = pytest.mark.real


def machine(host: Command) -> str:
    """All of the host's network that a purge could leave something in; other clouds' namespaces come and go."""
    said = []
    for words in (["ip", "address"], ["ip", "route"], ["nft", "list", "ruleset"], ["sysctl", "net.ipv4.ip_forward"]):
        run = subprocess.run([*host.prefix, *words], capture_output=True, text=True, check=True)
        said.append(run.stdout)
    prefix = host_network.namespace_prefix(host.state_dir)
    return "\n".join([*said, *sorted(name for name in netns.listnetns() if name.startswith(prefix))])


def test_w60_up_and_purged_the_machine_is_as_before(host: Command) -> None:
    before = machine(host)
    host.ok("up")
    assert machine(host) != before
    assert processes_of(host.state_dir)
    host.ok("down", "--purge")
    assert machine(host) == before
    assert not leftovers(host.state_dir)
    assert not (host.home / ".config/openstack/clouds.yaml").exists()


def test_w60_killed_and_purged_the_machine_is_as_before(host: Command) -> None:
    before = machine(host)
    host.ok("up")
    os.kill(json.loads((host.state_dir / "run/pileus.json").read_text())["pid"], signal.SIGKILL)
    host.ok("down", "--purge")
    assert machine(host) == before
    assert not leftovers(host.state_dir)


def test_down_without_guests_ends_the_daemons_too(host: Command) -> None:
    host.ok("up")
    assert "no guest runs" in host.ok("down")
    assert processes_of(host.state_dir) == []
    assert links(host) == ["lo"]
    host.ok("up")
    assert "br-int" in links(host)


@pytest.mark.parametrize("step", ["run/pileus.json", "run/openvswitch/db.sock", "run/libvirt/libvirt-sock"])
def test_an_interrupted_start_leaves_nothing(host: Command, step: str) -> None:
    before = machine(host)
    starting = host.begin("up")
    until(lambda: (host.state_dir / step).exists() or starting.poll() is not None)
    starting.send_signal(signal.SIGINT)
    starting.communicate(timeout=60)
    assert starting.returncode == 130
    assert processes_of(host.state_dir) == []
    assert machine(host) == before
    assert not host.state_dir.exists()


def test_a_hypervisor_that_hangs_stops_the_start(host: Command) -> None:
    """A libvirtd that runs and never answers."""
    before = machine(host)
    fake = host.home / "bin"
    fake.mkdir()
    (fake / "libvirtd").write_text("#!/bin/sh\necho 'waiting for a lock'\nexec sleep 1000\n")
    (fake / "libvirtd").chmod(0o755)
    host.environment["PATH"] = f"{fake}:{host.environment['PATH']}"
    said = host.refused("up")
    assert "libvirtd did not start" in said
    assert processes_of(host.state_dir) == []
    assert machine(host) == before
    assert not host.state_dir.exists()
