"""Servers as the API shows them: one struct for all versions, from rows that were read in a bounded number of statements."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pileus.core.body import UNSET, seconds
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.core.version import Version
from pileus.services.compute import states
from pileus.services.compute.rules import hosts, interfaces
from pileus.services.compute.store import hosts as host_store
from pileus.services.compute.store.servers import FlavorCopy, ServerRow
from pileus.services.compute.types.fields import Link, links
from pileus.services.compute.types.servers import Address, FlavorShown, FullAddress, ImageShown, Rebuilt, Server
from pileus.services.network import rules as network

ATTRIBUTES = "os_compute_api:os-extended-server-attributes"
HOST_STATUS = "os_compute_api:servers:show:host_status"
CHANGED_IS_WHOLE = Version(2, 75)
"""From here on update and rebuild give all that show gives."""
FLAVOR_SPECS = "os_compute_api:servers:show:flavor-extra-specs"


class View:
    """Shows servers to one caller: what the policy lets the caller see is asked once, not for each server."""

    def __init__(self, tx: Tx, caller: Caller, request: Request) -> None:
        self.tx, self.caller, self.request = tx, caller, request
        self.attributes = caller.allows(ATTRIBUTES)
        self.specs = caller.allows(FLAVOR_SPECS)
        self.host_status = caller.version >= Version(2, 16) and caller.allows(HOST_STATUS)

    def all(self, servers: Sequence[ServerRow], whole: bool = True) -> list[Server]:
        ports = interfaces.ports_of_servers(self.tx, servers)
        statuses = host_statuses(self.tx) if self.host_status and whole else {}
        return [self._one(server, ports[server.id], statuses, whole) for server in servers]

    def one(self, server: ServerRow) -> Server:
        return self._alone(server, whole=True)

    def changed(self, server: ServerRow) -> Server:
        """As update and rebuild give it."""
        return self._alone(server, whole=self.caller.version >= CHANGED_IS_WHOLE)

    def _alone(self, server: ServerRow, whole: bool) -> Server:
        """With the server's group, which lists do not give."""
        shown = self.all([server], whole)[0]
        shown.server_groups = [server.group_id] if server.group_id else []
        return shown

    def _one(
        self, server: ServerRow, ports: Sequence[network.PortDetail], statuses: Mapping[str, str], whole: bool
    ) -> Server:
        status = server.status
        shown = Server(
            id=server.id,
            name=server.name,
            status=status,
            tenant_id=server.project_id,
            user_id=server.user_id,
            metadata=server.metadata,
            hostId=host_id(server.project_id, server.host),
            image=ImageShown(server.image_id, self._bookmark(f"/images/{server.image_id}"), _properties(server)),
            flavor=self._flavor(server.flavor),
            created=seconds(server.created_at) or "",
            updated=seconds(server.updated_at) or "",
            addresses=addresses(ports) if whole else plain_addresses(ports),
            accessIPv4=server.access_ip_v4 or "",
            accessIPv6=server.access_ip_v6 or "",
            links=links(self.request, f"/servers/{server.id}"),
            disk_config=server.disk_config,
            locked=server.locked,
            description=server.description,
            tags=server.tags,
            trusted_image_certificates=None,
            locked_reason=server.locked_reason,
            pinned_availability_zone=server.pinned_zone,
            scheduler_hints=server.scheduler_hints,
        )
        if status in states.PROGRESS:
            shown.progress = states.PROGRESS[status]
        if status in ("ERROR", "DELETED") and server.fault is not None:
            shown.fault = self._fault(server)
        if whole:
            self._fill(shown, server, ports)
            if self.host_status:
                shown.host_status = statuses.get(server.host, "UNKNOWN") if server.host else ""
        return shown

    def _fill(self, shown: Server, server: ServerRow, ports: Sequence[network.PortDetail]) -> None:
        shown.key_name = server.key_name
        shown.config_drive = "True" if server.config_drive else ""
        shown.availability_zone = server.availability_zone or ""
        shown.launched_at = _precise(server.launched_at)
        shown.terminated_at = _precise(server.terminated_at)
        shown.task_state = server.task_state
        shown.vm_state = server.vm_state
        shown.power_state = server.power_state
        shown.volumes_attached = []
        groups = list(dict.fromkeys(group.name for detail in ports for group in detail.security_groups))
        if groups:
            shown.security_groups = [{"name": name} for name in groups]
        if self.attributes:
            shown.host = shown.hypervisor_hostname = server.host
            shown.instance_name = server.instance_name
            shown.reservation_id = server.reservation_id
            shown.launch_index = server.launch_index
            shown.kernel_id = server.image.properties.get("kernel_id", "")
            shown.ramdisk_id = server.image.properties.get("ramdisk_id", "")
            shown.root_device_name = "/dev/vda"
            shown.ext_user_data = server.user_data
        if self.attributes or self.caller.version >= Version(2, 90):
            shown.hostname = server.hostname

    def _flavor(self, flavor: FlavorCopy) -> FlavorShown:
        return FlavorShown(
            id=flavor.id,
            links=self._bookmark(f"/flavors/{flavor.id}"),
            original_name=flavor.name,
            vcpus=flavor.vcpus,
            ram=flavor.ram,
            disk=flavor.disk,
            ephemeral=flavor.ephemeral,
            swap=flavor.swap,
            extra_specs=flavor.extra_specs if self.specs else UNSET,
        )

    def _bookmark(self, path: str) -> list[Link]:
        return links(self.request, path)[1:]

    def _fault(self, server: ServerRow) -> dict[str, Any]:
        fault = server.fault
        assert fault is not None
        shown = {"code": fault.code, "created": fault.created, "message": fault.message}
        if fault.details and (self.caller.is_admin or fault.code != 500):
            shown["details"] = fault.details
        return shown


def rebuilt(shown: Server, server: ServerRow, password: str) -> Rebuilt:
    """What a rebuild tells beyond an update."""
    fields = {name: getattr(shown, name) for name in Server.__struct_fields__}
    fields |= {"adminPass": password, "key_name": server.key_name, "user_data": server.user_data}
    return Rebuilt(**fields | {"ext_user_data": UNSET})


def host_statuses(tx: Tx) -> dict[str, str]:
    """UP, DOWN or MAINTENANCE, by host."""

    def status(row: host_store.HostRow) -> str:
        if row.forced_down or not hosts.is_up(row, tx.now):
            return "DOWN"
        return "MAINTENANCE" if row.disabled else "UP"

    return {row.name: status(row) for row in host_store.find(tx)}


def addresses(ports: Sequence[network.PortDetail]) -> dict[str, list[FullAddress]]:
    found: dict[str, list[FullAddress]] = {}
    for label, address, kind, version, mac in interfaces.addresses(ports):
        found.setdefault(label, []).append(FullAddress(version, address, kind, mac))
    return found


def plain_addresses(ports: Sequence[network.PortDetail]) -> dict[str, list[Address]]:
    found: dict[str, list[Address]] = {}
    for label, address, _, version, _ in interfaces.addresses(ports):
        found.setdefault(label, []).append(Address(version, address))
    return found


@lru_cache(4096)
def host_id(project_id: str, host: str | None) -> str:
    """A host as a project may know it: the same for servers on one host, and no name."""
    return hashlib.sha224((project_id + host).encode()).hexdigest() if host else ""


def _precise(at: Any) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%S.%f")


def _properties(server: ServerRow) -> dict[str, str]:
    return {name: value[:255] for name, value in server.image.properties.items()}
