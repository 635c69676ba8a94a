"""Network for behaviour tests: one host, and an external network with its subnet."""

from pileus.core.context import system_caller
from pileus.core.db import Database
from pileus.core.http import Service
from pileus.services.network.api import api
from pileus.services.network.rules import chassis, networks, subnets
from pileus.services.network.types.networks import NetworkCreate
from pileus.services.network.types.subnets import SubnetCreate


def services() -> list[Service]:
    return [api]


def prepare(db: Database) -> None:
    with db.write() as tx:
        caller = system_caller()
        chassis.see_host(tx, "host1", "192.0.2.1", "1")
        wish = NetworkCreate(
            name="public",
            project_id="admins",
            router_external=True,
            is_default=True,
            provider_network_type="flat",
            provider_physical_network="public",
        )
        network = networks.create_network(tx, caller, wish)
        subnet = SubnetCreate(
            network_id=network.id, project_id="admins", ip_version=4, cidr="172.24.4.0/24", enable_dhcp=False
        )
        subnets.create_subnet(tx, caller, network, subnet)
