"""The verbs of a real host, on a libvirt of the test's own. The guests are empty machines: they sit in the BIOS."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from pileus.node.desired import Documents, MetadataPort, RootDisk
from pileus.node.libvirt_host import LibvirtHost, Place
from pileus.node.metadata import MetadataServers
from pileus.node.vm import Machine
from pileus.supervise import host_network, libvirt, ovs, purge
from pileus.supervise.supervisor import Supervisor
from tests.unit.test_diff import nic, spec

pytestmark = pytest.mark.real
GUEST = "5b1e4a9a-2a0e-4f2f-9c39-3f6f2a1d7e01"
OTHER = "e7c01a9a-2a0e-4f2f-9c39-3f6f2a1d7e01"
PORT = "0a2b4c6d-1111-4222-8333-444455556666"
NETWORK = "9f1b4a9a-2a0e-4f2f-9c39-3f6f2a1d7e02"


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    import tempfile

    place = Path(tempfile.mkdtemp(prefix="pileus-host-", dir="/var/lib"))
    place.chmod(0o755)
    keeper = Supervisor(place, [*ovs.daemons(place), *libvirt.daemons(place, kvm=False)])
    keeper.start()
    ovs.ensure_bridge(place, ovs.INTEGRATION_BRIDGE)
    yield place
    keeper.stop_all()
    purge.purge(place)
    assert not purge.leftovers(place)


left: dict[str, bytes] = {}


def leave(guest_id: str, password: bytes) -> int:
    return 409 if guest_id in left else left.setdefault(guest_id, password) and 204


@pytest.fixture
def host(state_dir: Path) -> Iterator[LibvirtHost]:
    (state_dir / "images").mkdir(exist_ok=True)
    (state_dir / "images" / "cafe").write_bytes(bytes(1 << 20))
    place = Place(
        name="h", state_dir=state_dir, agent_url="", libvirt_uri=libvirt.uri(state_dir), ovs=ovs.connection(state_dir),
        namespaces=host_network.namespace_prefix(state_dir), machine=Machine("tcg", userspace_datapath=True),
        accelerator_reason="test",
    )  # fmt: skip
    made = LibvirtHost(place, lambda image_id: (_ for _ in ()).throw(AssertionError(image_id)), leave)
    yield made
    made.remove(GUEST)
    made.remove(OTHER)
    made.close()


ROOT = RootDisk(image_id="i", sha512="cafe", image_format="raw", image_size=1 << 20, size_gb=1)
DOCUMENTS = Documents(
    meta_data={"uuid": GUEST},
    network_data={},
    ec2={"instance-id": "i-1", "public-keys": {"0=k": {"openssh-key": "ssh-ed25519 A"}}},
    user_data="IyEvYmluL3NoCg==",
)
BASE = spec(
    id=GUEST, root=ROOT, documents=DOCUMENTS, config_drive=True, nics=(nic(PORT),), domain_name="instance-00000001"
)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_guest_s_life(host: LibvirtHost) -> None:
    host.ensure_disk(BASE)
    host.start(BASE)
    seen = host.see()[GUEST]
    assert (seen.state, seen.nics) == ("running", (PORT,))
    assert seen.vnc_port is not None
    host.start(BASE)
    host.pause(BASE)
    assert host.see()[GUEST].state == "paused"
    host.resume(BASE)
    host.suspend(BASE)
    assert host.see()[GUEST].state == "suspended"
    host.start(BASE)
    assert host.see()[GUEST].state == "running"
    host.destroy(BASE)
    assert host.see()[GUEST].state == "stopped"
    host.reset_disk(BASE)
    host.start(msgspec.structs.replace(BASE, nics=()))
    assert host.see()[GUEST].nics == ()
    host.remove(GUEST)
    host.remove(GUEST)
    assert GUEST not in host.see()


def test_a_guest_that_keeps_a_nic_loses_its_network_at_once(host: LibvirtHost, state_dir: Path) -> None:
    """A machine in its BIOS hears no request to unplug: its port is free all the same, and it is asked again."""
    host.ensure_disk(BASE)
    host.start(BASE)
    host.detach_nic(BASE, PORT)
    until(lambda: host.see()[GUEST].nics == ())
    assert host.see()[GUEST].leaving == (PORT,)
    assert ovs.vsctl(state_dir, "list-ports", "br-int") == ""
    host.release_nic(GUEST, PORT)
    assert host.see()[GUEST].leaving == (PORT,)
    other = msgspec.structs.replace(BASE, id=OTHER, domain_name="instance-00000002", nics=())
    host.ensure_disk(other)
    host.start(other)
    host.attach_nic(other, nic(PORT))
    assert host.see()[OTHER].nics == (PORT,)
    host.remove(OTHER)
    host.pause(BASE)
    host.destroy(BASE)
    assert host.see()[GUEST].nics == host.see()[GUEST].leaving == ()


def test_what_survives_a_lost_agent(host: LibvirtHost) -> None:
    host.ensure_disk(BASE)
    disk = host._disks.root(GUEST)
    inode = disk.stat().st_ino
    host.define(BASE)
    host.ensure_disk(BASE)
    assert disk.stat().st_ino == inode
    assert host.see()[GUEST].state == "stopped"


def test_an_interface_that_libvirt_could_not_unplug_leaves_with_its_guest(host: LibvirtHost, state_dir: Path) -> None:
    """As where Open vSwitch's database was away when the guest ended."""
    of_guest = ("type=internal", f"external_ids:vm-id={GUEST}")
    ovs.vsctl(state_dir, "add-port", "br-int", "tapleft", "--", "set", "Interface", "tapleft", *of_guest)
    until(lambda: GUEST in host.see())
    assert not host.see()[GUEST].has_domain
    host.remove(GUEST)
    assert ovs.vsctl(state_dir, "list-ports", "br-int") == ""
    until(lambda: GUEST not in host.see())


def test_metadata_is_served_inside_the_network(host: LibvirtHost, state_dir: Path) -> None:
    """From the namespace itself: the way through OVN is the network's tests' matter."""
    import subprocess

    port = MetadataPort(
        network_id=NETWORK,
        port_id=PORT,
        mac="fa:16:3e:00:00:09",
        addresses=("10.0.0.2/24",),
        guests={"10.0.0.2": GUEST},
    )
    space = host._metadata._place.name(NETWORK)
    fetch = ["ip", "netns", "exec", space, "curl", "-s", "--interface", "10.0.0.2", "http://169.254.169.254"]

    def get(path: str, *more: str) -> str:
        return subprocess.run([*fetch[:-1], *more, fetch[-1] + path], capture_output=True, text=True, timeout=60).stdout

    host.serve_metadata([port], [BASE])
    assert get("/openstack/latest/meta_data.json") == f'{{"uuid":"{GUEST}"}}'
    assert get("/latest/meta-data/instance-id") == "i-1"
    assert get("/latest/user-data") == "#!/bin/sh\n"
    host.serve_metadata([port], [BASE])
    assert "no such metadata" in get("/nothing")
    assert get("/latest/meta-data/public-keys/") == "0=k"
    assert get("/latest/meta-data/public-keys/0/openssh-key") == "ssh-ed25519 A"
    post = ["-X", "POST", "-d", "secret", "-o", "/dev/null", "-w", "%{http_code}"]
    assert [get("/openstack/2013-10-17/password", *post) for _ in range(2)] == ["204", "409"]
    assert left == {GUEST: b"secret"}
    host.serve_metadata([], [BASE])
    host.serve_metadata([port], [BASE])
    assert get("/latest/meta-data/instance-id") == "i-1", "a network that is back at once is served again"
    host.serve_metadata([], [BASE])
    assert not Path("/run/netns", space).exists()
    host.serve_metadata([port], [BASE])
    MetadataServers(host._metadata._place, leave).ensure([], [BASE])
    assert not Path("/run/netns", space).exists(), "an agent knows what one before it has left"
    assert ovs.vsctl(state_dir, "list-ports", "br-int") == ""
