"""Servers: create, list, show, update, delete, addresses."""

from __future__ import annotations

from typing import Any

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound
from pileus.core.http import Request, Response
from pileus.core.version import Version
from pileus.services.compute.api.shown import View, plain_addresses
from pileus.services.compute.rules import create, interfaces, servers
from pileus.services.compute.service import api
from pileus.services.compute.store.servers import ServerRow
from pileus.services.compute.types.fields import flag, links, next_links
from pileus.services.compute.types.servers import (
    ServerCreate,
    ServerCreated,
    ServerQuery,
    ServerRef,
    ServerRefs,
    ServerShown,
    ServersShown,
    ServerUpdate,
)


def own_project(caller: Caller) -> dict[str, Any]:
    return {"project_id": caller.project_id, "user_id": caller.user_id}


@api.post(
    "/servers",
    policy="os_compute_api:servers:create",
    target=own_project,
    policies={
        "server.host": "compute:servers:create:requested_destination",
        "server.hypervisor_hostname": "compute:servers:create:requested_destination",
        "server.trusted_image_certificates": "os_compute_api:servers:create:trusted_certs",
    },
    success=202,
)
def create_server(tx: Tx, caller: Caller, request: Request, body: ServerCreate) -> Response:
    made = create.create(tx, caller, body)
    if flag(body.server.return_reservation_id):
        return Response({"reservation_id": made.reservation_id})
    groups = body.server.security_groups or []
    shown = ServerCreated(
        id=made.server_id,
        links=links(request, f"/servers/{made.server_id}"),
        disk_config=body.server.disk_config,
        security_groups=[{"name": group.name} for group in groups] or [{"name": "default"}],
        adminPass=made.admin_password,
    )
    return Response({"server": shown}, headers={"Location": shown.links[0].href})


@api.get("/servers", policy="os_compute_api:servers:index", target=own_project)
def list_servers(tx: Tx, caller: Caller, request: Request, query: ServerQuery) -> ServerRefs:
    check_names(request, caller)
    found, more = servers.list_servers(tx, caller, query)
    refs = [ServerRef(id=row.id, name=row.name, links=links(request, f"/servers/{row.id}")) for row in found]
    return ServerRefs(servers=refs, servers_links=_next(request, found, more))


@api.get("/servers/detail", policy="os_compute_api:servers:detail", target=own_project)
def list_servers_detail(tx: Tx, caller: Caller, request: Request, query: ServerQuery) -> ServersShown:
    check_names(request, caller)
    found, more = servers.list_servers(tx, caller, query)
    return ServersShown(servers=View(tx, caller, request).all(found), servers_links=_next(request, found, more))


def check_names(request: Request, caller: Caller) -> None:
    """From 2.75 on an unknown query parameter is an error."""
    if caller.version < Version(2, 75):
        return
    for name, _ in request.query:
        if name not in ServerQuery.__struct_encode_fields__:
            raise BadRequest(f"Additional properties are not allowed: there is no query parameter '{name[:64]}'.")


def _next(request: Request, found: list[ServerRow], more: bool) -> Any:
    return next_links(request, found[-1].id) if more and found else UNSET


@api.get("/servers/{server_id}", policy="os_compute_api:servers:show", load=servers.visible_server)
def show_server(tx: Tx, caller: Caller, request: Request, server: ServerRow) -> ServerShown:
    return ServerShown(server=View(tx, caller, request).one(server))


@api.put("/servers/{server_id}", policy="os_compute_api:servers:update", load=servers.visible_server)
def update_server(tx: Tx, caller: Caller, request: Request, server: ServerRow, body: ServerUpdate) -> ServerShown:
    servers.update_server(tx, caller, server, body)
    return ServerShown(server=View(tx, caller, request).changed(server))


@api.delete("/servers/{server_id}", policy="os_compute_api:servers:delete", load=servers.changeable_server)
def delete_server(tx: Tx, caller: Caller, server: ServerRow) -> None:
    servers.delete_server(tx, caller, server)


@api.get("/servers/{server_id}/ips", policy="os_compute_api:ips:index", load=servers.visible_server)
def list_addresses(tx: Tx, server: ServerRow) -> dict[str, Any]:
    return {"addresses": plain_addresses(interfaces.ports_of(tx, server))}


@api.get("/servers/{server_id}/ips/{network_label}", policy="os_compute_api:ips:show", load=servers.visible_server)
def show_addresses(tx: Tx, server: ServerRow, network_label: str) -> dict[str, Any]:
    found = plain_addresses(interfaces.ports_of(tx, server))
    if network_label not in found:
        raise NotFound(f"Instance {server.id} is not a member of network '{network_label[:255]}'.")
    return {network_label: found[network_label]}


@api.get(
    "/servers/{server_id}/os-security-groups",
    policy="os_compute_api:os-security-groups:list",
    load=servers.visible_server,
)
def list_server_security_groups(tx: Tx, server: ServerRow) -> dict[str, Any]:
    groups = {group.id: group for detail in interfaces.ports_of(tx, server) for group in detail.security_groups}
    return {"security_groups": interfaces.security_groups_shown(tx, list(groups.values()))}


PASSWORD = "/servers/{server_id}/os-server-password"


@api.get(PASSWORD, policy="os_compute_api:os-server-password:show", load=servers.visible_server)
def show_password(server: ServerRow) -> dict[str, Any]:
    return {"password": server.guest_password or ""}


@api.delete(PASSWORD, policy="os_compute_api:os-server-password:clear", load=servers.changeable_server)
def clear_password(tx: Tx, caller: Caller, server: ServerRow) -> None:
    servers.set_guest_password(tx, caller, server, None)
