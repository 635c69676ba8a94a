"""POST /servers/{server_id}/action."""

from __future__ import annotations

from pileus.core import events
from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict
from pileus.core.http import Request, Response
from pileus.services.compute.api.shown import View, rebuilt
from pileus.services.compute.rules import actions, interfaces, servers
from pileus.services.compute.service import api
from pileus.services.compute.store.servers import ServerRow
from pileus.services.compute.types.actions import (
    ChangePassword,
    FixedIpAddress,
    FloatingIpAddress,
    GroupName,
    Lock,
    NetworkOfFixedIp,
    Reboot,
    ResetState,
)
from pileus.services.compute.types.servers import ServerRebuild, ServerShown

PATH = "/servers/{server_id}/action"


@api.action(PATH, "os-start", policy="os_compute_api:servers:start", load=servers.changeable_server)
def start(tx: Tx, caller: Caller, server: ServerRow) -> None:
    actions.change_power(tx, caller, server, "start")


@api.action(PATH, "os-stop", policy="os_compute_api:servers:stop", load=servers.changeable_server)
def stop(tx: Tx, caller: Caller, server: ServerRow) -> None:
    actions.change_power(tx, caller, server, "stop")


@api.action(PATH, "pause", policy="os_compute_api:os-pause-server:pause", load=servers.changeable_server)
def pause(tx: Tx, caller: Caller, server: ServerRow) -> None:
    actions.change_power(tx, caller, server, "pause")


@api.action(PATH, "unpause", policy="os_compute_api:os-pause-server:unpause", load=servers.changeable_server)
def unpause(tx: Tx, caller: Caller, server: ServerRow) -> None:
    actions.change_power(tx, caller, server, "unpause")


@api.action(PATH, "suspend", policy="os_compute_api:os-suspend-server:suspend", load=servers.changeable_server)
def suspend(tx: Tx, caller: Caller, server: ServerRow) -> None:
    actions.change_power(tx, caller, server, "suspend")


@api.action(PATH, "resume", policy="os_compute_api:os-suspend-server:resume", load=servers.changeable_server)
def resume(tx: Tx, caller: Caller, server: ServerRow) -> None:
    actions.change_power(tx, caller, server, "resume")


@api.action(PATH, "reboot", policy="os_compute_api:servers:reboot", load=servers.changeable_server)
def reboot(tx: Tx, caller: Caller, server: ServerRow, body: Reboot) -> None:
    actions.reboot(tx, caller, server, hard=body.type.upper() == "HARD")


@api.action(PATH, "rebuild", policy="os_compute_api:servers:rebuild", load=servers.changeable_server)
def rebuild(tx: Tx, caller: Caller, request: Request, server: ServerRow, body: ServerRebuild) -> Response:
    password = actions.rebuild(tx, caller, server, body)
    shown = rebuilt(View(tx, caller, request).changed(server), server, password)
    return Response(ServerShown(server=shown), headers={"Location": shown.links[0].href})


@api.action(PATH, "lock", policy="os_compute_api:os-lock-server:lock", load=servers.visible_server)
def lock(tx: Tx, caller: Caller, server: ServerRow, body: Lock | None) -> None:
    actions.lock(tx, caller, server, None if body is None or body.locked_reason is UNSET else body.locked_reason)


@api.action(PATH, "unlock", policy="os_compute_api:os-lock-server:unlock", load=servers.visible_server)
def unlock(tx: Tx, caller: Caller, server: ServerRow) -> None:
    actions.unlock(tx, caller, server)


@api.action(PATH, "os-resetState", policy="os_compute_api:os-admin-actions:reset_state", load=servers.visible_server)
def reset_state(tx: Tx, caller: Caller, server: ServerRow, body: ResetState) -> None:
    actions.reset_state(tx, caller, server, body.state)


@api.action(
    PATH,
    "injectNetworkInfo",
    policy="os_compute_api:os-admin-actions:inject_network_info",
    load=servers.visible_server,
)
def inject_network_info(tx: Tx, caller: Caller, server: ServerRow) -> None:
    actions.look_again(tx, caller, server)


@api.action(PATH, "forceDelete", policy="os_compute_api:os-deferred-delete:force", load=servers.changeable_server)
def force_delete(tx: Tx, caller: Caller, server: ServerRow) -> None:
    servers.delete_server(tx, caller, server, force=True)


@api.action(PATH, "restore", policy="os_compute_api:os-deferred-delete:restore", load=servers.visible_server)
def restore(server: ServerRow) -> None:
    raise Conflict(
        f"Cannot 'restore' instance {server.id} while it is in vm_state {server.vm_state}: deletion is not deferred here."
    )


@api.action(PATH, "addSecurityGroup", policy="os_compute_api:os-security-groups:add", load=servers.visible_server)
def add_security_group(tx: Tx, caller: Caller, server: ServerRow, body: GroupName) -> None:
    actions.add_security_group(tx, caller, server, body.name)


@api.action(PATH, "removeSecurityGroup", policy="os_compute_api:os-security-groups:remove", load=servers.visible_server)
def remove_security_group(tx: Tx, caller: Caller, server: ServerRow, body: GroupName) -> None:
    actions.remove_security_group(tx, caller, server, body.name)


@api.action(PATH, "changePassword", policy="os_compute_api:os-admin-password", load=servers.changeable_server)
def change_password(server: ServerRow, body: ChangePassword) -> None:
    actions.require(server, "changePassword", frozenset({"active"}))
    raise Conflict(
        f"Failed to set admin password on {server.id}: its guest has no agent that could do it"
        " (hw_qemu_guest_agent is not set on its image)."
    )


@api.action(PATH, "addFixedIp", until="2.43", policy="os_compute_api:os-multinic:add", load=servers.changeable_server)
def add_fixed_ip(tx: Tx, caller: Caller, server: ServerRow, body: NetworkOfFixedIp) -> None:
    address = interfaces.add_fixed_ip(tx, server, body.networkId)
    events.record(tx, caller, "compute", "addFixedIp", "server", server.id, address=address)


@api.action(
    PATH, "removeFixedIp", until="2.43", policy="os_compute_api:os-multinic:remove", load=servers.changeable_server
)
def remove_fixed_ip(tx: Tx, caller: Caller, server: ServerRow, body: FixedIpAddress) -> None:
    interfaces.remove_fixed_ip(tx, server, body.address)
    events.record(tx, caller, "compute", "removeFixedIp", "server", server.id, address=body.address)


@api.action(
    PATH, "addFloatingIp", until="2.43", policy="os_compute_api:os-floating-ips:add", load=servers.visible_server
)
def add_floating_ip(tx: Tx, caller: Caller, server: ServerRow, body: FloatingIpAddress) -> None:
    fixed = None if body.fixed_address is UNSET else body.fixed_address
    actions.add_floating_ip(tx, caller, server, body.address, fixed)


@api.action(
    PATH, "removeFloatingIp", until="2.43", policy="os_compute_api:os-floating-ips:remove", load=servers.visible_server
)
def remove_floating_ip(tx: Tx, caller: Caller, server: ServerRow, body: FloatingIpAddress) -> None:
    actions.remove_floating_ip(tx, caller, server, body.address)


@api.post(PATH, load=servers.visible_server)
def no_such_action(server: ServerRow) -> None:
    """What no action of this cloud fits: a server that is not there is told first."""
    raise BadRequest(
        "There is no such action: the body must be a JSON object with one action of this cloud as its key."
    )
