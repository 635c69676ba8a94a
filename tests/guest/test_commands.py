"""What a login finds in a guest: the programs in the forms in which test suites and people call them."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from .machine import GATEWAY, GUEST_ADDRESS, LOGIN_PREFIX, LONG, NAME_SERVER, Guest, Shell, attach, metadata

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.fixture(scope="module")
def shell(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    key = paramiko.ECDSAKey.generate()
    with Guest.starter(image, tmp_path_factory.mktemp("guest")) as start:
        scratch = tmp_path_factory.mktemp("disk") / "scratch.raw"
        with scratch.open("wb") as file:
            file.truncate(64 << 20)
        guest = start(
            config_drive={"openstack/latest/meta_data.json": metadata(key)},
            extra=attach(scratch, "scratch", "format=raw", serial="5e1a1"),
        )
        yield guest.login(key=key)


END = "status of the command: "
CONFIG_DRIVE, SCRATCH_DISK = "/dev/vdb", "/dev/vdc"

COMMANDS = {
    "hostname": "first-guest",
    "cat /etc/hostname": "first-guest",
    "id -un": "cirros",
    "sudo id -un": "root",
    "echo text > ~/input.txt && touch ~/test_file && ls ~": "input.txt",
    "ip addr show eth0": f"inet {GUEST_ADDRESS}/24",
    "/sbin/ip address list": "eth0:",
    "ip -o link": "link/ether",
    "ip -o addr": f"{GUEST_ADDRESS}",
    "ip -6 -o addr": "inet6 fe80::5054:ff:fe12:3456/64",
    "ip -br addr": "eth0",
    "ip -4 route show": f"default via {GATEWAY}",
    "sudo ip link add link eth0 name eth0.7 type vlan id 7 && ip link show eth0.7": "eth0.7@eth0",
    "sudo ip netns add ns && sudo ip netns exec ns ip link && sudo ip netns del ns": "lo:",
    f"ping -c1 -w5 -s56 {GATEWAY}": " 0% packet loss",
    f"ping -c1 -w5 -M do -p a5 -W 1 {GATEWAY}": f"from {GATEWAY}",
    f"sudo ping -I eth0 -c1 -w5 {GATEWAY}": " 0% packet loss",
    "ping6 -c1 -w5 ::1": " 0% packet loss",
    f"traceroute -n -I -m 2 {GATEWAY}": f"{GATEWAY}",
    "lsblk -lb --nodeps": "disk",
    "lsblk --nodeps --noheadings --output NAME": "vda",
    "lsblk -S; echo done": "done",
    "sudo lsblk --fs --ascii": "vda1",
    "blkid -L config-2 -o device": CONFIG_DRIVE,
    "cat /sys/block/vdc/serial": "5e1a1",
    f"sudo mount {CONFIG_DRIVE} /mnt && cat /mnt/openstack/latest/meta_data.json && sudo umount /mnt": "public_keys",
    f"sudo mkfs -t vfat {SCRATCH_DISK} && sudo mkdir -p /mnt/fat": "mkfs.fat",
    f"sudo mount {SCRATCH_DISK} /mnt/fat && mount": "/mnt/fat type vfat",
    'sudo sh -c "date > /mnt/fat/stamp; sync" && ls /mnt/fat && sudo umount /mnt/fat': "stamp",
    f"sudo mkfs -t ext4 {SCRATCH_DISK} 2>&1 && sudo mkdir -p /mnt/ext": "superblocks",
    f"sudo mount {SCRATCH_DISK} /mnt/ext && ls -l /mnt/ext | wc -l && sudo umount /mnt/ext": "2",
    "grep -c -E [vs]d.$ /proc/partitions": "3",
    "sudo dd bs=1024 count=8 if=/dev/urandom of=/tmp/file": "",
    "md5sum -b /tmp/file | cut -c 1-32 | wc -c": "33",
    "dd if=/dev/zero bs=10 count=1 iflag=fullblock 2> /dev/null | sha1sum": "  -",
    "seq 3 | tail -n 1; seq 3 | head -n -1 | wc -l": "3\n2",
    "echo 1 2 | awk -v x=1 '{print $2 + x}'": "3",
    "sleep 0.1; dmesg | grep version": "Linux version",
    "curl -V": "libcurl",
    "which curl": "/usr/bin/curl",
    "nohup true; sleep 60 & /bin/kill $!; echo killed": "killed",
    "killall -q nc || echo none": "none",
    "start-stop-daemon -K -x /sbin/dhcpcd -p /var/run/dhcpcd/pid -o || true; echo on": "on",
    "sudo screen -d -m sleep 90; until ps | grep '[S]CREEN'; do sleep 0.2; done": "SCREEN",
    'sudo sh -c "echo 1 > /proc/sys/vm/overcommit_memory"; sudo sysctl -w net.ipv4.ip_forward=1': "ip_forward = 1",
    "lspci": "1af4:1001",
    "cat /proc/sys/net/ipv6/conf/eth0/use_tempaddr": "0",
    "stat -f -c %T /tmp": "ext2/ext3",
    "false | true || echo pipefail": "pipefail",
    "date +%Y": "20",
}


@pytest.fixture(scope="module")
def printed(shell: Shell) -> dict[str, str]:
    """What each command printed, all run over one connection in the order above, as some use what others made."""
    answers = {}
    with shell.connection() as client:
        stdin, stdout, _ = client.exec_command("sh", timeout=LONG)
        for command in COMMANDS:
            stdin.write(f"sh -c {shlex.quote(LOGIN_PREFIX + command)} 2>&1 < /dev/null; echo {END}$?\n")
            stdin.flush()
            lines = []
            while END not in (line := stdout.readline()):
                assert line, f"the connection ended in {command}"
                lines.append(line)
            answers[command] = "".join([*lines, line])
    return answers


@pytest.mark.parametrize("command", COMMANDS)
def test_command_prints(printed: dict[str, str], command: str) -> None:
    assert COMMANDS[command] in printed[command]
    assert printed[command].endswith(f"{END}0\n")


def test_script_on_standard_input(shell: Shell) -> None:
    with shell.connection() as client:
        stdin, stdout, _ = client.exec_command("sudo sh -eux")
        stdin.write("id -u\n")
        stdin.channel.shutdown_write()
        assert stdout.read() == b"0\n"


def listen(shell: Shell, command: str, port: int) -> None:
    """Run the command in the background and wait until something listens on the port."""
    shell.run(f"{command} &")
    shell.run(f"until netstat -lntu | grep -q :{port}; do sleep 0.1; done")


def test_background_job_outlives_its_session(shell: Shell) -> None:
    listen(shell, "nc -p 7000 -lk -e echo still-here > /dev/null 2>&1", 7000)
    assert shell.run("pidof nc").strip()
    for _ in range(2):
        assert shell.run("nc -w 5 127.0.0.1 7000 < /dev/null") == "still-here\n"
    shell.run("killall nc")


def test_nc_listens_for_datagrams(shell: Shell) -> None:
    listen(shell, "nc -u -p 7001 -lk -e echo 'a:b' > /dev/null 2>&1", 7001)
    for _ in range(2):
        assert shell.run("echo knock | nc -u -w 2 127.0.0.1 7001") == "a:b\n"
    shell.run("killall nc")


def test_nc_answers_once_from_standard_input(shell: Shell) -> None:
    listen(shell, "(echo answer | nc -llp 7002) > /tmp/heard 2>&1", 7002)
    assert shell.run("echo question | nc -w 5 127.0.0.1 7002") == "answer\n"
    assert shell.run("cat /tmp/heard") == "question\n"


def test_nc_streams_zeros(shell: Shell) -> None:
    listen(shell, "nc -p 7003 -lk < /dev/zero > /dev/null 2>&1", 7003)
    heard = shell.run("nc -w 5 127.0.0.1 7003 < /dev/null | head -c 5000000 | wc -c || true")
    assert heard.strip() == "5000000"
    shell.run("killall nc")


def test_files_by_sftp(shell: Shell) -> None:
    with shell.connection() as client, client.open_sftp() as sftp, sftp.open("/tmp/sent", "w") as file:
        file.write("by sftp")
    assert shell.run("cat /tmp/sent") == "by sftp"


def test_scp_is_served(shell: Shell) -> None:
    assert shell.run("echo by scp > /tmp/a; printf '\\0\\0\\0' | scp -f /tmp/a").endswith("by scp\n\0")


def test_dhcp_renewal_rewrites_the_resolver(shell: Shell) -> None:
    shell.run("echo nameserver 192.0.2.1 | sudo tee /etc/resolv.conf")
    shell.run("sudo /bin/kill -USR1 $(cat /var/run/udhcpc.eth0.pid)")
    shell.run("for i in $(seq 50); do grep -q 192.0.2.1 /etc/resolv.conf || break; sleep 0.2; done")
    assert shell.run("cat /etc/resolv.conf") == f"nameserver {NAME_SERVER}\n"


def test_lease_sets_mtu_routes_and_resolver(shell: Shell) -> None:
    shell.run("sudo cp /etc/resolv.conf /tmp/resolv.conf; sudo ip link add lease0 type veth peer name lease1")
    options = {
        "interface": "lease0",
        "ip": "198.51.100.7",
        "mask": "24",
        "mtu": "1392",
        "router": "198.51.100.254",
        "staticroutes": "169.254.169.254/32 198.51.100.2 203.0.113.0/24 198.51.100.1 192.0.2.0/25 0.0.0.0",
        "dns": "198.51.100.3 198.51.100.4",
        "domain": "example.org",
    }
    words = " ".join(f"{name}='{value}'" for name, value in options.items())
    for event in ("deconfig", "renew", "renew"):
        shell.run(f"sudo env {words} /usr/lib/guest/lease {event}")
    assert "mtu 1392" in shell.run("ip link show lease0")
    assert "198.51.100.7/24 brd 198.51.100.255" in shell.run("ip addr show lease0")
    routes = shell.run("ip route show dev lease0")
    assert "169.254.169.254 via 198.51.100.2" in routes
    assert "203.0.113.0/24 via 198.51.100.1" in routes
    assert "192.0.2.0/25" in routes
    assert "198.51.100.254" not in routes
    wanted = "search example.org\nnameserver 198.51.100.3\nnameserver 198.51.100.4\n"
    assert shell.run("cat /etc/resolv.conf") == wanted
    shell.run("sudo ip link del lease0; sudo cp /tmp/resolv.conf /etc/resolv.conf")
