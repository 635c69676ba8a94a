"""A real cloud of the tests' own, and guests on it, as a user has them: through the public API and SSH."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openstack
import paramiko

GUEST_IMAGE = Path(os.environ.get("PILEUS_GUEST_IMAGE", "/var/cache/pileus/guest.qcow2"))
USER, PASSWORD = "cirros", "gocubsgo"
PATIENCE = 180.0
FLAVOR = "m1.nano"


class RealCloud:
    """`pileus up` in this network namespace, in a state directory under /var/lib."""

    def __init__(self, port: int = 8780) -> None:
        self.state_dir = Path(tempfile.mkdtemp(prefix="pileus-e2e-", dir="/var/lib"))
        self.state_dir.rmdir()
        self.port = port
        self.api: Any = None
        self.image: Any = None

    def pileus(self, *arguments: str, check: bool = True) -> str:
        line = [sys.executable, "-m", "pileus", arguments[0], "--state-dir", str(self.state_dir), *arguments[1:]]
        env = os.environ | {"HOME": tempfile.gettempdir()}
        done = subprocess.run(line, env=env, capture_output=True, text=True)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(self) -> None:
        self.pileus("up", "--port", str(self.port))
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(self.state_dir / "clouds.yaml")
        self.api = openstack.connect(cloud="pileus")

    def prepare(self) -> None:
        """Image, key, open security group, network behind a router."""
        api = self.api
        self.image = api.image.create_image(
            name="guest", filename=str(GUEST_IMAGE), disk_format="qcow2", container_format="bare", visibility="public"
        )
        self.key = paramiko.ECDSAKey.generate()
        api.compute.create_keypair(name="e2e", public_key=f"{self.key.get_name()} {self.key.get_base64()}")
        self.group = self.open_group("open")
        self.public = api.network.find_network("public", ignore_missing=False)
        self.router = api.network.create_router(name="e2e", external_gateway_info={"network_id": self.public.id})
        self.network = self.make_network("e2e", "10.20.0.0/24")

    def make_network(self, name: str, cidr: str, router: bool = True) -> Any:
        network = self.api.network.create_network(name=name)
        subnet = self.api.network.create_subnet(network_id=network.id, cidr=cidr, ip_version=4)
        if router:
            self.api.network.add_interface_to_router(self.router, subnet_id=subnet.id)
        return network

    def open_group(self, name: str) -> Any:
        group = self.api.network.create_security_group(name=name)
        for protocol in ("icmp", "tcp", "udp"):
            self.api.network.create_security_group_rule(
                security_group_id=group.id, direction="ingress", ether_type="IPv4", protocol=protocol
            )
        return group

    def boot(self, name: str, **more: Any) -> "Guest":
        """A server that is ACTIVE; it may not have come up yet."""
        guest = self.ask(name, **more)
        guest.wait("ACTIVE")
        return guest

    def ask(self, name: str, **more: Any) -> "Guest":
        """A server that is being made."""
        wish = {
            "image_id": self.image.id,
            "flavor_id": self.api.compute.find_flavor(FLAVOR, ignore_missing=False).id,
            "networks": [{"uuid": self.network.id}],
            "key_name": "e2e",
            "security_groups": [{"name": self.group.name}],
        }
        return Guest(self, self.api.compute.create_server(name=name, **(wish | more)))

    def stop(self) -> None:
        self.pileus("down", "--purge")


class Guest:
    def __init__(self, cloud: RealCloud, server: Any) -> None:
        self.cloud, self.server, self.address = cloud, server, ""

    @property
    def id(self) -> str:
        return str(self.server.id)

    @property
    def port(self) -> Any:
        return next(iter(self.cloud.api.network.ports(device_id=self.id)))

    def float(self) -> str:
        """A floating IP for it; returns the address."""
        made = self.cloud.api.network.create_ip(floating_network_id=self.cloud.public.id, port_id=self.port.id)
        self.address = str(made.floating_ip_address)
        return self.address

    def run(self, command: str, password: bool = False) -> str:
        """What the command prints, once the guest lets us in."""
        result: list[str] = []

        def once() -> bool:
            try:
                with self._connect(password) as ssh:
                    _, out, err = ssh.exec_command(command, timeout=60)
                    said = out.read().decode()
                    status = out.channel.recv_exit_status()
                    assert status == 0, f"{command}: {status} {said} {err.read().decode()}"
                    result.append(said)
                return True
            except (OSError, EOFError, paramiko.SSHException):
                return False

        until(once, f"{self.address} lets nobody in")
        return result[0]

    def boot_id(self) -> str:
        """Another after each start."""
        return self.run("cat /proc/sys/kernel/random/boot_id").strip()

    def _connect(self, password: bool) -> paramiko.SSHClient:
        ssh = paramiko.SSHClient()
        ssh.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        how: dict[str, Any] = {"password": PASSWORD} if password else {"pkey": self.cloud.key}
        try:
            ssh.connect(
                self.address,
                username=USER,
                timeout=10,
                banner_timeout=30,
                auth_timeout=30,
                look_for_keys=False,
                allow_agent=False,
                **how,
            )
        except BaseException:
            ssh.close()
            raise
        return ssh

    def act(self, action: str, until_status: str, *arguments: Any) -> None:
        """A server action by the SDK's name, until the server has the status and no task."""
        getattr(self.cloud.api.compute, action)(self.server, *arguments)
        self.wait(until_status)

    def wait(self, status: str) -> None:
        def reached() -> bool:
            self.server = self.cloud.api.compute.get_server(self.id)
            assert status == "ERROR" or self.server.status != "ERROR", self.server.fault
            return self.server.status == status and self.server.task_state is None

        until(reached, f"{self.server.name} does not become {status}")

    def console(self) -> str:
        return str(self.cloud.api.compute.get_server_console_output(self.id)["output"])

    def delete(self) -> None:
        self.cloud.api.compute.delete_server(self.server)
        self.cloud.api.compute.wait_for_delete(self.server, interval=0.2, wait=PATIENCE)


def until(condition: Callable[[], Any], otherwise: str, patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.2)


def answers(address: str, size: int = 56) -> bool:
    """Whether it answers one ping that may not be fragmented."""
    command = ["ping", "-c1", "-W1", "-M", "do", "-s", str(size), address]
    return subprocess.run(command, capture_output=True).returncode == 0
