"""Where a server is asked to go: a zone, a host, the company of a group."""

from __future__ import annotations

from typing import Any

import msgspec

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Forbidden, NotFound
from pileus.services.compute.rules import aggregates, hosts, server_groups
from pileus.services.compute.store.server_groups import ServerGroupRow
from pileus.services.compute.types.servers import ServerWish

FORCED_HOST = "os_compute_api:servers:create:forced_host"


class Destination(msgspec.Struct):
    """`host` still goes through the filters, `forced_host` hardly."""

    zone: str | None = None
    host: str | None = None
    forced_host: str | None = None


def of_wish(tx: Tx, caller: Caller, wish: ServerWish) -> Destination:
    """Raises BadRequest where zone or host do not exist, Forbidden."""
    found = _of_zone(tx, caller, wish.availability_zone) if wish.availability_zone is not UNSET else Destination()
    named = {str(name) for name in (wish.host, wish.hypervisor_hostname) if name is not UNSET}
    if not named:
        return found
    if found.forced_host:
        raise BadRequest("A host is given both in availability_zone and in host or hypervisor_hostname: one is enough.")
    if len(named) > 1:
        raise BadRequest(f"host and hypervisor_hostname name different hosts: {', '.join(sorted(named))}.")
    found.host = _existing(tx, named.pop())
    return found


def _of_zone(tx: Tx, caller: Caller, text: str) -> Destination:
    """`zone`, or for administrators `zone:host` and `zone:host:node`."""
    zone, *rest = text.split(":")
    names = {name for name in rest if name}
    if len(rest) > 2 or len(names) > 1:
        raise BadRequest(f"Unable to parse availability_zone '{text}': it is ZONE or ZONE:HOST.")
    if names:
        if not caller.allows(FORCED_HOST):
            raise Forbidden(f"Policy doesn't allow {FORCED_HOST} to be performed.")
        return Destination(zone=zone or None, forced_host=_existing(tx, names.pop()))
    if zone != aggregates.DEFAULT_ZONE and zone not in aggregates.zones(tx).values():
        raise BadRequest(f"The requested availability zone is not available: there is no zone '{zone}'.")
    return Destination(zone=zone)


def _existing(tx: Tx, name: str) -> str:
    try:
        return hosts.host_of(tx, name).name
    except NotFound as error:
        raise BadRequest(error.message) from None


def group_of(tx: Tx, caller: Caller, hints: dict[str, Any]) -> ServerGroupRow | None:
    """The group in the hints. Raises BadRequest where the project has no such group."""
    given = hints.get("group")
    if not given:
        return None
    group_id = str(given[0] if isinstance(given, list) else given)
    try:
        group = server_groups.visible_group(tx, group_id)
    except NotFound:
        group = None
    if group is None or group.project_id != caller.project_id:
        raise BadRequest(f"Instance group {group_id[:64]} could not be found.")
    return group
