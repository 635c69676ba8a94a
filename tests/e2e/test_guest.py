"""A user's guest, from boot to deletion."""

import json
from pathlib import Path

import pytest

from tests.e2e.cloud import Guest, RealCloud, answers, until

pytestmark = pytest.mark.real


def test_log_in_by_key_and_by_password(guest: Guest) -> None:
    assert guest.run("hostname").strip() == "first"
    assert guest.run("sudo id -u", password=True).strip() == "0"
    until(lambda: answers(guest.address), "no ping")


def test_w31_metadata_by_network_and_by_config_drive(cloud: RealCloud, guest: Guest) -> None:
    """Key, user data and network data, by each way."""
    base = "http://169.254.169.254"
    told = json.loads(guest.run(f"curl -s {base}/openstack/latest/meta_data.json"))
    assert told["uuid"] == guest.id
    assert cloud.key.get_base64() in told["public_keys"]["e2e"]
    assert guest.run(f"curl -s {base}/latest/meta-data/local-ipv4") == guest.port.fixed_ips[0]["ip_address"]
    assert guest.run(f"curl -s {base}/latest/meta-data/public-ipv4") == guest.address
    assert "user data ran" in guest.run(f"curl -s {base}/latest/user-data")
    mount = "sudo mkdir -p /mnt/c; sudo mount $(sudo blkid -L config-2 -o device) /mnt/c 2>/dev/null || true; "
    by_drive = json.loads(guest.run(mount + "sudo cat /mnt/c/openstack/latest/meta_data.json"))
    assert by_drive["public_keys"] == told["public_keys"]
    network = json.loads(guest.run("sudo cat /mnt/c/openstack/latest/network_data.json"))
    assert [link["ethernet_mac_address"] for link in network["links"]] == [guest.port.mac_address]
    assert "user data ran" in guest.run("sudo cat /mnt/c/openstack/latest/user_data; sudo umount /mnt/c")
    assert guest.run("cat /home/cirros/ran").strip() == "user data ran"


def test_the_mtu_is_told_and_fits(guest: Guest) -> None:
    """Story W07 on one host: the largest packet passes, a larger one does not."""
    mtu = int(guest.run("cat /sys/class/net/eth0/mtu"))
    assert mtu == 1442
    until(lambda: answers(guest.address, mtu - 28), "the largest packet does not pass")
    assert not answers(guest.address, mtu)


def test_console_log_and_events(cloud: RealCloud, guest: Guest) -> None:
    until(lambda: "login:" in guest.console(), "no login on the console")
    actions = [action.action for action in cloud.api.compute.server_actions(guest.server)]
    assert actions[-1] == "create"


def test_power(cloud: RealCloud) -> None:
    guest = cloud.boot("power")
    guest.float()
    guest.run("echo kept > kept; sync")
    guest.act("pause_server", "PAUSED")
    assert not answers(guest.address)
    guest.act("unpause_server", "ACTIVE")
    assert guest.run("cat kept").strip() == "kept"
    guest.act("suspend_server", "SUSPENDED")
    guest.act("resume_server", "ACTIVE")
    guest.run("true")
    boot = guest.boot_id()
    guest.act("reboot_server", "ACTIVE", "SOFT")
    until(lambda: guest.boot_id() != boot, "it did not start anew")
    guest.act("stop_server", "SHUTOFF")
    guest.act("start_server", "ACTIVE")
    assert guest.run("cat kept").strip() == "kept"
    guest.act("reboot_server", "ACTIVE", "HARD")
    assert guest.run("cat kept").strip() == "kept"
    cloud.api.compute.rebuild_server(guest.server, image=cloud.image.id)
    guest.wait("ACTIVE")
    assert guest.run("ls").strip() == ""
    guest.delete()
    assert not (cloud.state_dir / "instances" / guest.id).exists()


def test_nics_come_and_go(cloud: RealCloud) -> None:
    second = cloud.make_network("second", "10.21.0.0/24", router=False)
    guest = cloud.boot("nics")
    guest.float()
    assert "eth1" not in guest.run("ls /sys/class/net")
    made = cloud.api.compute.create_server_interface(guest.id, net_id=second.id)
    until(lambda: "eth1" in guest.run("ls /sys/class/net"), "no second NIC")
    mac = guest.run("cat /sys/class/net/eth1/address").strip()
    assert mac == made.mac_addr
    cloud.api.compute.delete_server_interface(made.port_id, server=guest.server)
    until(lambda: "eth1" not in guest.run("ls /sys/class/net"), "the second NIC stays")
    guest.delete()


def test_w24_guests_go_on_without_the_control_plane(cloud: RealCloud, guest: Guest) -> None:
    """Guests, their network and metadata's host go on while Pileus is down; nothing is restarted when it is back."""
    up = float(guest.run("cat /proc/uptime").split()[0])
    cloud.pileus("down")
    until(lambda: answers(guest.address), "no ping", 10)
    assert float(guest.run("cat /proc/uptime").split()[0]) > up
    guest.run("sudo /bin/kill -USR1 $(cat /var/run/udhcpc.eth0.pid); sleep 2; ip addr show eth0 | grep -q 10.20")
    cloud.start()
    assert float(guest.run("cat /proc/uptime").split()[0]) > up
    guest.wait("ACTIVE")


def test_w06_twenty_boots_each_answers(cloud: RealCloud) -> None:
    """A server that is ACTIVE gets its address: no boot may be left without."""
    for batch in range(5):
        guests = [cloud.boot(f"w06-{batch}-{number}") for number in range(4)]
        for guest in guests:
            guest.float()
        for guest in guests:
            until(
                lambda guest=guest: answers(guest.address),
                f"{guest.server.name} does not answer: {guest.console()[-500:]}",
            )
            guest.delete()


def test_nothing_is_left_of_deleted_guests(cloud: RealCloud, guest: Guest) -> None:
    folders = {entry.name for entry in Path(cloud.state_dir / "instances").iterdir()}
    alive = {server.id for server in cloud.api.compute.servers()}
    assert folders == alive
