"""A virtual machine under QEMU's TCG and what a test wants from it: console, login, power."""

import contextlib
import io
import json
import logging
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import paramiko
import pycdlib

from tests.support.command import free_port

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # each try before the guest listens would be told

LONG = 120.0  # seconds that a state may take to come on a busy machine
LOGIN_PREFIX = "set -eu -o pipefail; PATH=$PATH:/sbin:/usr/sbin; "  # as Tempest puts before each command
# The network that has the metadata service's address, so that a guest never reaches the machine's own service.
NETWORK, GUEST_ADDRESS, GATEWAY, NAME_SERVER = "169.254.169.0/24", "169.254.169.15", "169.254.169.2", "169.254.169.3"
DISK_BUSES = {  # what `-device` attaches the root disk
    "virtio": ["virtio-blk-pci,drive=root,bootindex=1"],
    "scsi": ["virtio-scsi-pci,id=scsi", "scsi-hd,drive=root,bus=scsi.0,bootindex=1"],
    "ide": ["ide-hd,drive=root,bootindex=1"],
}


def wait_for(what: str, condition: Callable[[], Any], seconds: float = LONG) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come in {seconds} s")
        time.sleep(0.1)
    return found


class Guest:
    def __init__(self, folder: Path, disk: Path, arguments: list[str], *, network: str) -> None:
        self.disk = disk
        self.console_log = folder / "console.log"
        self.monitor = folder / "monitor"
        self.ssh_port = free_port()
        forward = f"hostfwd=tcp:127.0.0.1:{self.ssh_port}-:22"
        self.process = subprocess.Popen(
            [
                *("qemu-system-x86_64", "-accel", "tcg", "-m", "256", "-smp", "1", "-display", "none"),
                *("-serial", f"file:{self.console_log}", "-qmp", f"unix:{self.monitor},server,wait=off"),
                *("-nic", f"user,model=virtio-net-pci,net={NETWORK},{forward}{network}"),
                *("-device", "virtio-rng-pci", *arguments),
            ]
        )

    @staticmethod
    @contextlib.contextmanager
    def starter(image: Path, folder: Path) -> Iterator[Callable[..., "Guest"]]:
        """Yields start(disk=, size=, bus=, machine=, config_drive=, network=, extra=), which returns a Guest."""
        guests: list[Guest] = []

        def start(
            *,
            disk: Path | None = None,
            size: str = "1G",
            bus: str = "virtio",
            machine: str = "pc",
            config_drive: dict[str, bytes] | None = None,
            network: str = "",
            extra: Sequence[str] = (),
        ) -> Guest:
            own = folder / f"guest-{len(guests)}"
            own.mkdir()
            if disk is None:
                disk = new_disk(own / "disk.qcow2", size, image)
            arguments = ["-machine", machine, "-drive", f"if=none,id=root,file={disk},format=qcow2"]
            for device in DISK_BUSES[bus]:
                arguments += ["-device", device]
            if config_drive is not None:
                drive = write_config_drive(config_drive, own / "config.iso")
                arguments += attach(drive, "config", "format=raw,readonly=on")
            guests.append(Guest(own, disk, [*arguments, *extra], network=network))
            return guests[-1]

        try:
            yield start
        finally:
            for guest in guests:
                guest.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def console(self) -> str:
        return self.console_log.read_text(errors="replace") if self.console_log.exists() else ""

    def wait_console(self, pattern: str, *, times: int = 1) -> None:
        def seen() -> bool:
            assert self.process.poll() is None, f"the machine ended; its console said:\n{self.console()}"
            return len(re.findall(pattern, self.console())) >= times

        try:
            wait_for(f"{pattern!r} on the console", seen)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; it said:\n{self.console()}") from None

    def login(self, *, key: paramiko.PKey | None = None, password: str | None = None) -> "Shell":
        """The shell of the guest's user, as soon as the guest lets one in."""
        shell = Shell(self.ssh_port, key, password)

        def let_in() -> bool:
            assert self.process.poll() is None, f"the machine ended; its console said:\n{self.console()}"
            try:
                shell.run("true")
            except (paramiko.SSHException, OSError, EOFError):
                return False
            return True

        wait_for("a login", let_in)
        return shell

    def command(self, name: str, **arguments: Any) -> None:
        """A command of QEMU's monitor (QMP); underscores in the names of arguments stand for hyphens."""
        wanted = {key.replace("_", "-"): value for key, value in arguments.items()}
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.monitor))
            stream = connection.makefile("rw")
            stream.readline()
            for order in ({"execute": "qmp_capabilities"}, {"execute": name, "arguments": wanted}):
                stream.write(json.dumps(order) + "\n")
                stream.flush()
                while "return" not in (answer := json.loads(stream.readline())):
                    assert "error" not in answer, answer


class Shell:
    """Logs in anew for each command, as Tempest does."""

    def __init__(self, port: int, key: paramiko.PKey | None, password: str | None) -> None:
        self.port = port
        self.key = key
        self.password = password
        self.host_key: paramiko.PKey | None = None

    @contextlib.contextmanager
    def connection(self) -> Iterator[paramiko.SSHClient]:
        with paramiko.SSHClient() as client:
            client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
            client.connect(
                "127.0.0.1",
                self.port,
                "cirros",
                self.password,
                self.key,
                timeout=10,
                banner_timeout=60,
                auth_timeout=60,
                allow_agent=False,
                look_for_keys=False,
            )
            transport = client.get_transport()
            assert transport
            self.host_key = transport.get_remote_server_key()
            yield client

    def run(self, command: str) -> str:
        """What the command prints; it must succeed."""
        with self.connection() as client:
            _, out, err = client.exec_command(LOGIN_PREFIX + command, timeout=LONG)
            printed, complained = out.read().decode(), err.read().decode()
            assert out.channel.recv_exit_status() == 0, f"{command}: {printed}{complained}"
        return printed


def new_disk(disk: Path, size: str, image: Path | None = None) -> Path:
    """An empty disk, or one on top of the image."""
    backing: list[str | Path] = ["-b", image, "-F", "qcow2"] if image else []
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *backing, disk, size], check=True)
    return disk


def attach(disk: Path, name: str, options: str, *, serial: str = "") -> list[str]:
    """Arguments that give the machine one more virtio disk; options are those of QEMU's -drive."""
    drive = f"if=none,id={name},file={disk},{options}"
    return ["-drive", drive, "-device", f"virtio-blk-pci,drive={name},serial={serial}"]


def write_config_drive(files: dict[str, bytes], target: Path) -> Path:
    """An ISO labelled config-2 with the files by their paths."""
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=4, joliet=3, rock_ridge="1.09", vol_ident="config-2")
    folders: set[str] = set()
    for path, content in files.items():
        parts = path.split("/")
        for depth in range(1, len(parts)):
            folder = "/" + "/".join(parts[:depth])
            if folder not in folders:
                folders.add(folder)
                iso.add_directory(folder, rr_name=parts[depth - 1], joliet_path=folder)
        iso.add_fp(io.BytesIO(content), len(content), f"/{path}", rr_name=parts[-1], joliet_path=f"/{path}")
    iso.write(str(target))
    iso.close()
    return target


def metadata(key: paramiko.PKey, **changes: Any) -> bytes:
    """A meta_data.json of the OpenStack form."""
    document = {
        "uuid": "5d6a8ab8-3b0a-4a5f-9d0e-1f6f2f0f3a11",
        "name": "first.guest",
        "hostname": "first-guest.novalocal",
        "public_keys": {"mine": f"{key.get_name()} {key.get_base64()} comment\n"},
        "random_seed": "c2VlZA==",
        "meta": {"role": "test"},
    }
    return json.dumps(document | changes).encode()
