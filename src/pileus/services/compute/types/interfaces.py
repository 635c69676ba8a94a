"""os-interface: the NICs of a server."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from pileus.core.body import UNSET, Body, Reply, Unset, since
from pileus.services.compute.types.servers import Tag


class FixedIpWish(Body):
    ip_address: str


class InterfaceAttach(Body):
    """POST /servers/{id}/os-interface: a network to make a port on, or a port that is there."""

    __wrap__ = "interfaceAttachment"
    net_id: str | Unset = UNSET
    port_id: str | Unset = UNSET
    fixed_ips: Annotated[list[FixedIpWish], msgspec.Meta(min_length=1, max_length=1)] | Unset = UNSET
    tag: Annotated[Tag, since("2.49")] | Unset = UNSET


class Interface(Reply):
    port_id: str
    net_id: str
    mac_addr: str
    port_state: str
    fixed_ips: list[dict[str, Any]]
    tag: Annotated[str | None, since("2.70")] | Unset = UNSET


class InterfaceShown(Reply):
    interfaceAttachment: Interface


class InterfacesShown(Reply):
    interfaceAttachments: list[Interface]
