"""Bodies, replies and inner shapes of ports."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from pileus.core.body import UNSET, Body, Unset, length, rename
from pileus.services.network.types.common import Given, Name, Shown, Tags, Uuid
from pileus.services.network.types.rows import (
    AddressPair,
    DhcpOption,
    FloatingIpRow,
    NetworkRow,
    PortRow,
    SecurityGroupRow,
    SubnetRow,
)

VnicType = Literal[
    "normal",
    "direct",
    "macvtap",
    "baremetal",
    "direct-physical",
    "virtio-forwarder",
    "smart-nic",
    "vdpa",
    "accelerator-direct",
    "accelerator-direct-physical",
    "remote-managed",
]


class FixedIpWish(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An address of a subnet, any address of a subnet, or an address of whichever subnet has it."""

    subnet_id: str | Unset = UNSET
    ip_address: Annotated[str, msgspec.Meta(max_length=64)] | Unset = UNSET


class PairWish(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    ip_address: Annotated[str, msgspec.Meta(max_length=64)]
    mac_address: str | Unset = UNSET


class OptionWish(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    opt_name: Annotated[str, length(1, 64)]
    opt_value: Annotated[str, length(0, 255)] | None
    ip_version: Literal[4, 6] = 4


class PortAttributes(Given, kw_only=True):
    """What creation and change have in common."""

    name: Name | Unset = UNSET
    admin_state_up: bool | Unset = UNSET
    mac_address: str | Unset | None = UNSET
    fixed_ips: list[FixedIpWish] | Unset | None = UNSET
    device_id: Name | Unset | None = UNSET
    device_owner: Name | Unset | None = UNSET
    security_groups: list[str] | Unset | None = UNSET
    port_security_enabled: bool | Unset = UNSET
    allowed_address_pairs: list[PairWish] | Unset | None = UNSET
    extra_dhcp_opts: list[OptionWish] | Unset | None = UNSET
    dns_name: Name | Unset = UNSET
    dns_domain: Name | Unset = UNSET
    binding_host_id: Name | Unset | None = rename(name="binding:host_id", default=UNSET)
    binding_vnic_type: VnicType | Unset = rename(name="binding:vnic_type", default=UNSET)
    binding_profile: dict[str, Any] | Unset | None = rename(name="binding:profile", default=UNSET)


class PortCreate(PortAttributes, kw_only=True):
    __defaults__ = {
        "device_id": "",
        "device_owner": "",
        "binding_vnic_type": "normal",
        "dns_name": "",
        "dns_domain": "",
    }
    network_id: Uuid
    project_id: Name | Unset = UNSET
    tenant_id: Name | Unset = UNSET
    tags: Tags | Unset = UNSET


class PortUpdate(PortAttributes, kw_only=True):
    __wrap__ = "port"


class PortBody(Body):
    port: PortCreate | Unset = UNSET
    ports: list[PortCreate] | Unset = UNSET


class Port(Shown, kw_only=True):
    __wrap__ = "port"
    network_id: str
    name: str
    mac_address: str
    admin_state_up: bool
    status: str
    device_id: str
    device_owner: str
    fixed_ips: list[dict[str, str]]
    security_groups: list[str]
    port_security_enabled: bool
    allowed_address_pairs: list[AddressPair]
    extra_dhcp_opts: list[DhcpOption]
    dns_name: str
    dns_domain: str
    dns_assignment: list[dict[str, str]]
    ip_allocation: str
    binding_host_id: str = rename(name="binding:host_id")
    binding_vnic_type: str = rename(name="binding:vnic_type")
    binding_profile: dict[str, Any] = rename(name="binding:profile")
    binding_vif_type: str = rename(name="binding:vif_type")
    binding_vif_details: dict[str, Any] = rename(name="binding:vif_details")
    tags: list[str]


class PortWish(msgspec.Struct, kw_only=True):
    """A port to create, as other services and the API ask for it. UNSET: as is usual."""

    network_id: str
    project_id: str | None = None
    """None: the caller's."""
    name: str = ""
    description: str = ""
    fixed_ips: list[FixedIpWish] | Unset | None = UNSET
    """UNSET: one of each IP version; None or empty: no address."""
    mac_address: str | None = None
    security_groups: list[str] | Unset | None = UNSET
    """Ids. UNSET: the project's default group; None or empty: none."""
    device_id: str = ""
    device_owner: str = ""
    admin_state_up: bool = True
    port_security_enabled: bool | Unset = UNSET
    """UNSET: as the network says."""
    binding_host: str = ""
    binding_profile: dict[str, Any] = {}
    vnic_type: str = "normal"
    allowed_address_pairs: list[PairWish] = []
    extra_dhcp_opts: list[OptionWish] = []
    dns_name: str = ""
    dns_domain: str = ""


class FixedIp(msgspec.Struct):
    ip_address: str
    subnet: SubnetRow


class PortDetail(msgspec.Struct):
    """A port with all that addresses, network documents and NICs need."""

    port: PortRow
    network: NetworkRow
    fixed_ips: list[FixedIp]
    """IPv4 first."""
    floating_ips: list[FloatingIpRow]
    security_groups: list[SecurityGroupRow]
