"""From a running cloud to a guest that answers: what `quickstart` does once everything is installed."""

from __future__ import annotations

import argparse
import hashlib
import ipaddress
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openstack
import openstack.exceptions

from pileus.cli.steps import Steps, console

NAME = "quickstart"
IMAGE = "pileus-guest"
FLAVOR = "m1.tiny"
CIDR = "10.11.12.0/24"
USER = "cirros"
PATIENCE = 180.0
"""Seconds until a guest that does not answer counts as failed; an emulated processor is slow."""


class Failed(Exception):
    """The text says what, and what to do."""


class Quickstart:
    """Each step looks first whether its thing is there: running it again is safe and quick."""

    def __init__(self, cloud: Any, folder: Path, image: Path) -> None:
        self.cloud, self.folder, self.image_file = cloud, folder, image
        self.steps = Steps()

    def run(self) -> None:
        with self.steps("Image") as note:
            image = self._image()
            note(f"{image.name}, {self.image_file.stat().st_size / 1e6:.0f} MB")
        with self.steps("Network, subnet, router") as note:
            network = self._network()
            note(f"{CIDR} behind a router to the network 'public'")
        with self.steps("Key and security rules"):
            key = self._key()
            self._rules()
        with self.steps("Server") as note:
            server = self._server(image, network)
            note(f"{server.name} is {server.status}")
        with self.steps("Floating IP") as note:
            address = self._floating_ip(server)
            note(address)
        with self.steps("The guest answers") as note:
            self._wait_for_ssh(address)
        with self.steps("Log in by SSH"):
            words = self._log_in(address, key)
        console.print(f"\n[bold]The guest says:[/]\n{words}")
        console.print(f"Ready in {self.steps.seconds:.1f} s. To go on with:\n")
        console.print(f"  ssh -i {key} {USER}@{address}")
        console.print("  openstack --os-cloud pileus console url show quickstart")
        console.print("  .venv/bin/pileus status")

    def _image(self) -> Any:
        digest = _sha512(self.image_file)
        for found in self.cloud.image.images(name=IMAGE):
            if found.status == "active" and found.hash_value == digest:
                return found
            self.cloud.image.delete_image(found)
        return self.cloud.image.create_image(
            name=IMAGE,
            filename=str(self.image_file),
            disk_format="qcow2",
            container_format="bare",
            visibility="public",
            validate_checksum=False,
            wait=True,
        )

    def _network(self) -> Any:
        neutron = self.cloud.network
        public = neutron.find_network("public")
        if public is None:
            raise Failed("There is no network 'public': it was removed. 'sudo ./quickstart --purge' starts afresh.")
        network = neutron.find_network(NAME) or neutron.create_network(name=NAME)
        subnet = neutron.find_subnet(NAME) or neutron.create_subnet(
            name=NAME, network_id=network.id, cidr=CIDR, ip_version=4, dns_nameservers=_name_servers()
        )
        router = neutron.find_router(NAME) or neutron.create_router(
            name=NAME, external_gateway_info={"network_id": public.id}
        )
        if not any(port.device_id == router.id for port in neutron.ports(network_id=network.id)):
            neutron.add_interface_to_router(router, subnet_id=subnet.id)
        return network

    def _key(self) -> Path:
        """The private key's file; the key pair in the cloud is made to fit it."""
        key = self.folder / "quickstart-key"
        if not key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", NAME, "-f", str(key)], check=True)
        public = key.with_suffix(".pub").read_text().strip()
        found = self.cloud.compute.find_keypair(NAME)
        if found is not None and found.public_key.split()[1] != public.split()[1]:
            self.cloud.compute.delete_keypair(found)
            found = None
        if found is None:
            self.cloud.compute.create_keypair(name=NAME, public_key=public)
        return key

    def _rules(self) -> None:
        neutron = self.cloud.network
        group = neutron.find_security_group(NAME) or neutron.create_security_group(
            name=NAME, description="Ping and SSH from everywhere"
        )
        known = {
            (rule.protocol, rule.ether_type, rule.direction)
            for rule in neutron.security_group_rules(security_group_id=group.id)
        }
        for protocol, ports in (("icmp", {}), ("tcp", {"port_range_min": 22, "port_range_max": 22})):
            if (protocol, "IPv4", "ingress") not in known:
                neutron.create_security_group_rule(
                    security_group_id=group.id, direction="ingress", ether_type="IPv4", protocol=protocol, **ports
                )

    def _server(self, image: Any, network: Any) -> Any:
        nova = self.cloud.compute
        server = nova.find_server(NAME)
        if server is not None and server.status == "ERROR":
            nova.delete_server(server)
            nova.wait_for_delete(server)
            server = None
        if server is None:
            flavor = nova.find_flavor(FLAVOR)
            if flavor is None:
                raise Failed(f"There is no flavor {FLAVOR}: it was removed. Create one by 'openstack flavor create'.")
            server = nova.create_server(
                name=NAME,
                image_id=image.id,
                flavor_id=flavor.id,
                networks=[{"uuid": network.id}],
                key_name=NAME,
                security_groups=[{"name": NAME}],
            )
        elif server.status != "ACTIVE":
            nova.start_server(server)
        try:
            return nova.wait_for_server(server, wait=PATIENCE, interval=0.2)
        except openstack.exceptions.ResourceFailure:
            fault = (nova.get_server(server).fault or {}).get("message", "no reason was given")
            raise Failed(f"The server could not be started: {fault}") from None

    def _floating_ip(self, server: Any) -> str:
        neutron = self.cloud.network
        port = next(iter(neutron.ports(device_id=server.id)))
        for found in neutron.ips(port_id=port.id):
            return str(found.floating_ip_address)
        public = neutron.find_network("public")
        return str(neutron.create_ip(floating_network_id=public.id, port_id=port.id).floating_ip_address)

    def _wait_for_ssh(self, address: str) -> None:
        def answers() -> bool:
            try:
                with socket.create_connection((address, 22), timeout=2) as connection:
                    connection.settimeout(5)
                    return connection.recv(4) == b"SSH-"
            except OSError:
                return False

        if not _until(answers):
            raise Failed(
                f"{address} does not answer on port 22 within {PATIENCE:.0f} s. Why: .venv/bin/pileus doctor server {NAME}"
            )

    def _log_in(self, address: str, key: Path) -> str:
        command = [
            "ssh", "-i", str(key), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
            "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", f"{USER}@{address}", "uname -a; ip -brief address",
        ]  # fmt: skip
        done = subprocess.CompletedProcess(command, 1, "", "")

        def logged_in() -> bool:
            nonlocal done
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            return done.returncode == 0

        if not _until(logged_in):
            raise Failed(
                f"SSH to {address} was refused: {done.stderr.strip()}. Why: .venv/bin/pileus doctor server {NAME}"
            )
        return done.stdout


def _until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.2)
    return False


def _name_servers() -> list[str]:
    """This machine's own, where guests can reach them."""
    found = []
    try:
        for line in Path("/etc/resolv.conf").read_text().splitlines():
            words = line.split()
            if len(words) > 1 and words[0] == "nameserver":
                address = ipaddress.ip_address(words[1].partition("%")[0])
                if address.version == 4 and not address.is_loopback:
                    found.append(str(address))
    except (OSError, ValueError):
        return []
    return found[:3]


def _sha512(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha512").hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(prog="quickstart", allow_abbrev=False)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--image", type=Path, required=True, help="the guest image's file")
    given = parser.parse_args()
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(given.state_dir / "clouds.yaml")
    try:
        Quickstart(openstack.connect(cloud="pileus"), given.state_dir, given.image).run()
    except Failed as failure:
        console.print(f"[red]quickstart:[/] {failure}")
        return 1
    except (openstack.exceptions.SDKException, subprocess.CalledProcessError) as error:
        console.print(f"[red]quickstart:[/] {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
