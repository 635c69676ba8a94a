"""The first network: `public`, behind the external bridge, from which floating IPs come."""

from __future__ import annotations

from ipaddress import ip_interface

from pileus.core import notes
from pileus.core.config import Settings
from pileus.core.context import system_caller
from pileus.core.db import Tx
from pileus.services.network.rules import networks, subnets
from pileus.services.network.types.networks import NetworkCreate
from pileus.services.network.types.subnets import SubnetCreate

NAME = "public"


def bootstrap(tx: Tx, settings: Settings, project_id: str) -> None:
    """Made once, at the first start; an administrator may change or remove it for good."""
    if not notes.once(tx, "network public"):
        return
    caller = system_caller()
    bridge = ip_interface(settings.external_address)
    wish = NetworkCreate(
        name=NAME,
        project_id=project_id,
        router_external=True,
        is_default=True,
        provider_network_type="flat",
        provider_physical_network=networks.PHYSICAL_NETWORKS[0],
    )
    network = networks.create_network(tx, caller, wish)
    subnet = SubnetCreate(
        name=NAME,
        project_id=project_id,
        network_id=network.id,
        ip_version=bridge.version,
        cidr=str(bridge.network),
        gateway_ip=str(bridge.ip),
        enable_dhcp=False,
    )
    subnets.create_subnet(tx, caller, network, subnet)
