"""How a guest comes up, becomes the instance that it is asked to be, and goes down."""

import json
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .conftest import StartGuest
from .machine import GUEST_ADDRESS, attach, metadata, new_disk, wait_for, write_config_drive

pytestmark = [pytest.mark.real, pytest.mark.slow]

MEGABYTE = 10**6
IMAGE_LIMIT = 40 * MEGABYTE
METADATA_SERVICE = Path(__file__).with_name("metadata_service.py")


@pytest.fixture(scope="module")
def key() -> paramiko.PKey:
    return paramiko.ECDSAKey.generate()


def metadata_network(folder: Path) -> str:
    """Options of a network whose metadata service answers from the folder."""
    service = f"{sys.executable} {METADATA_SERVICE} {folder}"
    return f",guestfwd=tcp:169.254.169.254:80-cmd:{service}"


def write_tree(folder: Path, files: dict[str, bytes]) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def test_image_is_small(image: Path) -> None:
    assert image.stat().st_size <= IMAGE_LIMIT


def test_console_and_password_without_any_metadata(
    start_guest: StartGuest, record_property: Callable[[str, object], None]
) -> None:
    guest = start_guest()
    guest.wait_console("login:")
    console = guest.console()
    for line in ("root on /dev/vda1", f"eth0 {GUEST_ADDRESS}/24 by DHCP", "host key ed25519 SHA256:"):
        assert line in console
    shell = guest.login(password="gocubsgo")
    record_property("boot_seconds", float(shell.run("cat /run/boot-seconds")))
    assert int(shell.run("df -m / | awk 'NR == 2 {print $2}'")) > 900
    shell.run('sudo sh -c "echo spoken >/dev/console"')
    guest.wait_console("spoken")


def test_config_drive_alone(start_guest: StartGuest, key: paramiko.PKey) -> None:
    files = [{"path": f"/test{number}.txt", "content_path": f"/content/000{number}"} for number in range(3)]
    guest = start_guest(
        config_drive={
            "openstack/latest/meta_data.json": metadata(key, files=files),
            "openstack/latest/user_data": b"#!/bin/sh\necho user data by $(id -un)\ndate >> /root/ran\n",
            **{f"openstack/content/000{number}": f"content {number}\n".encode() for number in range(3)},
        },
    )
    guest.wait_console("user data by root")
    shell = guest.login(key=key)
    assert shell.run("hostname") == "first-guest\n"
    assert shell.run("sudo cat /test2.txt") == "content 2\n"
    shell.run("sudo reboot")
    guest.wait_console("login:", times=2)
    shell = guest.login(key=key)
    assert shell.run("sudo cat /root/ran | wc -l").strip() == "1"


def test_openstack_metadata_service(start_guest: StartGuest, key: paramiko.PKey, tmp_path: Path) -> None:
    files = {
        "openstack/latest/meta_data.json": metadata(key),
        "openstack/latest/user_data": b"#!/bin/sh\necho from-service\n",
    }
    guest = start_guest(network=metadata_network(write_tree(tmp_path / "service", files)))
    guest.wait_console("from-service")
    shell = guest.login(key=key)
    assert shell.run("hostname") == "first-guest\n"
    told = json.loads(shell.run("curl -s http://169.254.169.254/openstack/latest/meta_data.json"))
    assert told["meta"] == {"role": "test"}


def test_ec2_metadata_service(start_guest: StartGuest, key: paramiko.PKey, tmp_path: Path) -> None:
    files = {
        "latest/meta-data/instance-id": b"i-00000001",
        "latest/meta-data/local-hostname": b"from-ec2.novalocal",
        "latest/meta-data/public-keys/0=mine/unused": b"",
        "latest/meta-data/public-keys/0/openssh-key": f"{key.get_name()} {key.get_base64()}".encode(),
        "latest/user-data": b"#!/bin/sh\necho ec2-user-data\n",
    }
    guest = start_guest(network=metadata_network(write_tree(tmp_path / "service", files)))
    guest.wait_console("ec2-user-data")
    shell = guest.login(key=key)
    assert shell.run("hostname") == "from-ec2\n"


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_other_kinds_of_keys(start_guest: StartGuest, kind: str) -> None:
    key = paramiko.RSAKey.generate(2048) if kind == "rsa" else ed25519_key()
    guest = start_guest(config_drive={"openstack/latest/meta_data.json": metadata(key)})
    shell = guest.login(key=key)
    assert shell.run("id -un") == "cirros\n"


def ed25519_key() -> paramiko.PKey:
    private = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return paramiko.Ed25519Key.from_private_key(StringIO(private.decode()))


@pytest.mark.parametrize(("machine", "bus"), [("pc", "scsi"), ("pc", "ide"), ("q35", "virtio"), ("q35", "scsi")])
def test_boots_from(start_guest: StartGuest, machine: str, bus: str) -> None:
    guest = start_guest(machine=machine, bus=bus)
    guest.wait_console("root on /dev/" + ("vda1" if bus == "virtio" else "sda1"))
    guest.wait_console("login:")


def test_config_drive_as_cd(start_guest: StartGuest, key: paramiko.PKey, tmp_path: Path) -> None:
    drive = write_config_drive({"openstack/latest/meta_data.json": metadata(key)}, tmp_path / "cd.iso")
    guest = start_guest(extra=("-drive", f"if=ide,media=cdrom,file={drive},format=raw"))
    guest.wait_console("instance 5d6a8ab8.*config-drive")


def test_power_button(start_guest: StartGuest) -> None:
    guest = start_guest()
    guest.wait_console("login:")
    guest.command("system_powerdown")
    wait_for("the end of the machine", lambda: guest.process.poll() is not None)
    assert guest.process.returncode == 0
    assert "going down" in guest.console()


def test_synced_data_outlives_a_power_cut(start_guest: StartGuest) -> None:
    first = start_guest()
    shell = first.login(password="gocubsgo")
    shell.run("echo kept > /tmp/file; sudo sync; sync")
    host_key = shell.host_key
    first.kill()
    again = start_guest(disk=first.disk)
    shell = again.login(password="gocubsgo")
    assert shell.run("cat /tmp/file") == "kept\n"
    assert shell.host_key == host_key


def test_copied_disk_gets_host_keys_of_its_own(start_guest: StartGuest) -> None:
    first = start_guest(extra=("-uuid", "11111111-1111-4111-8111-111111111111"))
    shell = first.login(password="gocubsgo")
    old = shell.host_key
    shell.run("sync")
    first.kill()
    copy = start_guest(disk=first.disk, extra=("-uuid", "22222222-2222-4222-8222-222222222222"))
    shell = copy.login(password="gocubsgo")
    assert shell.host_key != old


def test_rescue_disk_is_the_one_that_runs(start_guest: StartGuest, image: Path, tmp_path: Path) -> None:
    broken = start_guest()
    shell = broken.login(password="gocubsgo")
    shell.run("sudo touch /of-the-broken-one; sync")
    broken.kill()
    rescue = new_disk(tmp_path / "rescue.qcow2", "1G", image)
    guest = start_guest(disk=rescue, bus="scsi", extra=attach(broken.disk, "broken", "format=qcow2"))
    guest.wait_console("root on /dev/sda1")
    shell = guest.login(password="gocubsgo")
    shell.run("sudo mount /dev/vda1 /mnt && ls /mnt/of-the-broken-one")
    shell.run("test ! -e /of-the-broken-one")


def test_devices_come_and_go_while_it_runs(start_guest: StartGuest, tmp_path: Path) -> None:
    volume = new_disk(tmp_path / "volume.qcow2", "64M")
    guest = start_guest()
    guest.wait_console("login:")
    shell = guest.login(password="gocubsgo")
    guest.command("blockdev-add", driver="qcow2", node_name="volume", file={"driver": "file", "filename": str(volume)})
    guest.command("device_add", driver="virtio-blk-pci", drive="volume", id="disk1", serial="volume-1")
    guest.command("netdev_add", type="user", id="net1")
    guest.command("device_add", driver="virtio-net-pci", netdev="net1", id="nic1")
    here = "[ -e /sys/class/block/vdb ] && [ -e /sys/class/net/eth1 ] && echo yes || echo no"
    wait_for("the new devices", lambda: shell.run(here) == "yes\n")
    shell.run("sudo ip link set eth1 up && sudo ip addr add 198.51.100.9/24 dev eth1")
    assert shell.run("cat /sys/block/vdb/serial") == "volume-1"
    guest.command("device_del", id="disk1")
    guest.command("device_del", id="nic1")
    wait_for(
        "their end", lambda: shell.run("ls /sys/class/block /sys/class/net | grep -c -E 'vdb|eth1' || true") == "0\n"
    )


def test_small_memory(start_guest: StartGuest) -> None:
    start_guest(extra=("-m", "128")).wait_console("login:")
