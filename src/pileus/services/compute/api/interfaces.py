"""os-interface: attach, detach, list, show."""

from __future__ import annotations

from pileus.core import events
from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound
from pileus.services.compute.rules import actions, interfaces, servers
from pileus.services.compute.service import api
from pileus.services.compute.store.servers import ServerRow
from pileus.services.compute.types.interfaces import Interface, InterfaceAttach, InterfaceShown, InterfacesShown
from pileus.services.compute.types.servers import NetworkWish
from pileus.services.network import rules as network

PATH = "/servers/{server_id}/os-interface"
STATES = frozenset({"active", "paused", "stopped"})


def shown(server: ServerRow, detail: network.PortDetail) -> Interface:
    return Interface(
        port_id=detail.port.id,
        net_id=detail.port.network_id,
        mac_addr=detail.port.mac_address,
        port_state=detail.port.status,
        fixed_ips=[{"ip_address": fixed.ip_address, "subnet_id": fixed.subnet.id} for fixed in detail.fixed_ips],
        tag=next((nic.tag for nic in server.nics if nic.port_id == detail.port.id), None),
    )


def one(tx: Tx, server: ServerRow, port_id: str) -> Interface:
    for detail in interfaces.ports_of(tx, server):
        if detail.port.id == port_id:
            return shown(server, detail)
    raise NotFound(f"Instance {server.id} does not have a port with id {port_id}.")


@api.get(PATH, policy="os_compute_api:os-attach-interfaces:list", load=servers.visible_server)
def list_interfaces(tx: Tx, server: ServerRow) -> InterfacesShown:
    return InterfacesShown(
        interfaceAttachments=[shown(server, detail) for detail in interfaces.ports_of(tx, server)],
    )


@api.post(PATH, policy="os_compute_api:os-attach-interfaces:create", load=servers.changeable_server)
def attach_interface(tx: Tx, caller: Caller, server: ServerRow, body: InterfaceAttach) -> InterfaceShown:
    actions.require(server, "attach_interface", STATES)
    port_id = interfaces.attach(tx, caller, server, _wish(body))
    events.record(tx, caller, "compute", "attach_interface", "server", server.id, port=port_id)
    return InterfaceShown(interfaceAttachment=one(tx, server, port_id))


def _wish(body: InterfaceAttach) -> NetworkWish:
    if body.net_id is not UNSET and body.port_id is not UNSET:
        raise BadRequest("Must not input both network_id and port_id: a port is on a network already.")
    if body.fixed_ips is not UNSET and body.net_id is UNSET:
        raise BadRequest("Must input network_id when request IP address: an address is of a network.")
    fixed_ip = UNSET if body.fixed_ips is UNSET else body.fixed_ips[0].ip_address
    return NetworkWish(uuid=body.net_id, port=body.port_id, fixed_ip=fixed_ip, tag=body.tag)


@api.get(PATH + "/{port_id}", policy="os_compute_api:os-attach-interfaces:show", load=servers.visible_server)
def show_interface(tx: Tx, server: ServerRow, port_id: str) -> InterfaceShown:
    return InterfaceShown(interfaceAttachment=one(tx, server, port_id))


@api.delete(
    PATH + "/{port_id}",
    policy="os_compute_api:os-attach-interfaces:delete",
    load=servers.changeable_server,
    success=202,
)
def detach_interface(tx: Tx, caller: Caller, server: ServerRow, port_id: str) -> None:
    actions.require(server, "detach_interface", STATES)
    interfaces.detach(tx, caller, server, port_id)
    events.record(tx, caller, "compute", "detach_interface", "server", server.id, port=port_id)
