"""A real cloud of three hosts, and guests on two of them, as users at the wire have them."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import libvirt
import openstack

from pileus.supervise import libvirt as daemons
from tests.e2e.cloud import Guest, RealCloud, until
from tests.support.hosts import Lab


class SeveralHosts(RealCloud):
    """The first host makes the cloud and has no guests; all reach the external network by a card of their own."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.state_dir: Path = lab.hosts[0].state_dir
        self.api: Any = None
        self.image: Any = None

    def pileus(self, *arguments: str, check: bool = True) -> str:
        done = self.lab.hosts[0].pileus(*arguments)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(self) -> None:
        self.lab.up("--external-interface", "eth1")
        self.connect()

    def prepare(self) -> None:
        """The router's gateway is on a host that can be lost: each router has an order of hosts of its own."""
        super().prepare()
        subnet = self.api.network.get_network(self.network.id).subnet_ids[0]
        while self.gateway_of(self.router) == "host0":
            self.api.network.remove_interface_from_router(self.router, subnet_id=subnet)
            self.api.network.delete_router(self.router)
            gateway = {"network_id": self.public.id}
            self.router = self.api.network.create_router(name="e2e", external_gateway_info=gateway)
            self.api.network.add_interface_to_router(self.router, subnet_id=subnet)

    def network_of_its_own(self, name: str, cidr: str) -> Any:
        """Behind a router of its own."""
        network = self.make_network(name, cidr, router=False)
        subnet = self.api.network.get_network(network.id).subnet_ids[0]
        router = self.api.network.create_router(name=name, external_gateway_info={"network_id": self.public.id})
        self.api.network.add_interface_to_router(router, subnet_id=subnet)
        return network

    def connect(self) -> None:
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(self.state_dir / "clouds.yaml")
        self.api = openstack.connect(cloud="pileus")

    def boot_on(self, number: int, name: str, **more: Any) -> Guest:
        """A guest on that host, with a floating IP, that lets us in."""
        guest = self.boot(name, availability_zone=f"nova:host{number}", **more)
        guest.float()
        guest.run("true")
        return guest

    def guests_on(self, number: int) -> set[str]:
        """Ids of the domains that run on a host."""
        with closing(libvirt.open(daemons.uri(self.lab.hosts[number].state_dir))) as connection:
            return {domain.UUIDString() for domain in connection.listAllDomains()}

    def host_of(self, guest: Guest) -> str:
        return str(self.api.compute.get_server(guest.id).hypervisor_hostname)

    def gateway_of(self, router: Any) -> str:
        """The host where the router's gateway is now."""
        until(lambda: self._gateway(router), "the router has no gateway")
        return self._gateway(router)

    def _gateway(self, router: Any) -> str:
        port = next(iter(self.api.network.ports(device_id=router.id, device_owner="network:router_gateway")))
        found = self.southbound("--columns=chassis", "find", "Port_Binding", f"logical_port=cr-router-{port.id}")
        chassis = found.strip()
        return self.southbound("--columns=name", "list", "Chassis", chassis).strip() if chassis else ""

    def all_up(self) -> bool:
        """Whether all hosts are there and report."""
        found = {each.host: each.state for each in self.api.compute.services(binary="nova-compute")}
        return found == {host.name: "up" for host in self.lab.hosts}

    def chassis(self) -> set[str]:
        """The hosts that OVN knows."""
        return set(self.southbound("--columns=name", "list", "Chassis").split())

    def southbound(self, *words: str) -> str:
        database = f"--db=unix:{self.state_dir}/run/ovn/ovn-sb.sock"
        done = subprocess.run(["ovn-sbctl", database, "--bare", *words], capture_output=True, text=True, check=True)
        return done.stdout


def pings(address: str) -> bool:
    """Whether it answers one, within a third of a second."""
    command = ["ping", "-n", "-c1", "-W0.3", address]
    return subprocess.run(command, capture_output=True).returncode == 0


def silence(address: str, seconds: float) -> float:
    """The longest time without an answer within so many seconds."""
    began = last = time.monotonic()
    longest = 0.0
    while time.monotonic() < began + seconds:
        if pings(address):
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
    return max(longest, time.monotonic() - last)
