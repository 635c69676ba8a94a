"""Servers: who sees which, lists, changes of what the user calls them, deletion."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from pileus.core import events
from pileus.core.body import UNSET, parse_time
from pileus.core.context import Caller, system_caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, Forbidden, NotFound
from pileus.core.paging import Page, limit_of, sorts_of
from pileus.core.version import Version
from pileus.services.compute import states
from pileus.services.compute.rules import create, interfaces, reports
from pileus.services.compute.store import host_spec as spec_store
from pileus.services.compute.store import servers as store
from pileus.services.compute.store.servers import Action, Filter, ServerRow
from pileus.services.compute.types.fields import strict_bool
from pileus.services.compute.types.servers import ServerQuery, ServerUpdate

ALL_TENANTS = "os_compute_api:servers:index:get_all_tenants"
ALL_FILTERS = "os_compute_api:servers:allow_all_filters"
MOST_PASSWORD = 1020
"""Characters of what a guest may leave as its password."""
KEPT = timedelta(days=30)
"""How long a deleted server is still known to changes-since and to administrators."""


def visible_server(tx: Tx, caller: Caller, server_id: str) -> ServerRow:
    """A living server of the caller's project, or any for administrators."""
    server = store.server_by_id(tx, server_id)
    if server is None or server.deleted_at is not None or not _sees(caller, server):
        raise NotFound(f"Instance {server_id} could not be found.")
    return server


def known_server(tx: Tx, caller: Caller, server_id: str) -> ServerRow:
    """Also one that is deleted, as long as it is kept."""
    server = store.server_by_id(tx, server_id)
    if server is None or not _sees(caller, server):
        raise NotFound(f"Instance {server_id} could not be found.")
    return server


def changeable_server(tx: Tx, caller: Caller, server_id: str) -> ServerRow:
    """A visible server that is not locked against the caller. Raises NotFound, Conflict."""
    server = visible_server(tx, caller, server_id)
    if server.locked and not caller.is_admin:
        reason = f": {server.locked_reason}" if server.locked_reason else ""
        raise Conflict(f"Instance {server_id} is locked{reason}.")
    return server


def _sees(caller: Caller, server: ServerRow) -> bool:
    return caller.is_admin or server.project_id == caller.project_id


# lists

_TEXTS = (
    "access_ip_v4",
    "access_ip_v6",
    "availability_zone",
    "flavor",
    "host",
    "image",
    "key_name",
    "locked_by",
    "node",
    "reservation_id",
    "task_state",
    "user_id",
    "uuid",
    "vm_state",
)
_FREE = frozenset(
    {"name", "status", "image", "flavor", "ip", "ip6", "reservation_id", "changes_since", "changes_before", "tags",
     "tags_any", "not_tags", "not_tags_any", "locked"}
)  # fmt: skip
"""What everybody may filter by."""
_FREE_SINCE_2_83 = frozenset(
    {"availability_zone", "config_drive", "created_at", "key_name", "launched_at", "power_state", "progress",
     "task_state", "terminated_at", "user_id", "vm_state"}
)  # fmt: skip


def list_servers(tx: Tx, caller: Caller, query: ServerQuery) -> tuple[list[ServerRow], bool]:
    """The servers that the query asks for, and whether there may be more. Raises BadRequest, Forbidden."""
    may_all = caller.allows(ALL_FILTERS)
    filters = _filters(tx, caller, query, may_all)
    limit = limit_of(None if query.limit is UNSET else query.limit)
    if filters is None or limit == 0:
        return [], False
    keys = [key for key in query.sort_key if key in store.SORT_COLUMNS or key not in _IGNORED_SORTS]
    if not may_all and {"host", "node"} & set(keys):
        raise Forbidden("Only an administrator can sort servers by host or node.")
    sorts = sorts_of(keys, query.sort_dir[: len(keys)], tuple(store.SORT_COLUMNS), default="desc")
    marker = None if query.marker is UNSET else query.marker
    found = store.list_servers(tx, filters, Page(limit=limit, marker=marker, sorts=sorts))
    return found, len(found) == limit


_IGNORED_SORTS = frozenset({"block_device_mapping", "extra", "info_cache", "metadata", "pci_devices", "security_groups",
                            "services", "system_metadata", "tags"})  # fmt: skip


def _filters(tx: Tx, caller: Caller, query: ServerQuery, may_all: bool) -> list[Filter] | None:
    """The conditions; None where nothing can match."""
    filters = [*_of_project(caller, query), *_of_times(caller, query, may_all)]
    allowed = _FREE | (_FREE_SINCE_2_83 if caller.version >= Version(2, 83) else frozenset())
    given = {
        name: value
        for name in query.__struct_fields__
        if (value := getattr(query, name)) not in (UNSET, []) and (may_all or name in allowed)
    }
    if "status" in given:
        known = [status.upper() for status in given["status"] if status.upper() in states.KNOWN_STATUSES]
        if "DELETED" in known and not may_all:
            raise Forbidden("Only an administrator can list deleted servers.")
        if not known:
            return None
        filters.append(Filter("status", known))
        if "DELETED" in known:
            filters = [f for f in filters if f.name != "deleted"]
    filters += [Filter(name, given[name]) for name in _TEXTS if name in given]
    filters += [Filter(name, read(given[name], name)) for name, read in _READERS.items() if name in given]
    if "display_name" in given:
        filters.append(Filter("name", given["display_name"]))
    by_address = [(version, given[name]) for name, version in (("ip", 4), ("ip6", 6)) if name in given]
    if by_address:
        filters.append(Filter("ids", _with_addresses(tx, filters, by_address)))
    return filters


def _of_project(caller: Caller, query: ServerQuery) -> list[Filter]:
    everywhere = query.all_tenants is not UNSET and (
        query.all_tenants == "" or strict_bool(str(query.all_tenants), "all_tenants")
    )
    wanted = query.project_id if query.project_id is not UNSET else query.tenant_id
    if not everywhere:
        return [Filter("project_id", caller.project_id)]
    if not caller.allows(ALL_TENANTS):
        raise Forbidden(f"Policy doesn't allow {ALL_TENANTS} to be performed.")
    return [] if wanted is UNSET else [Filter("project_id", wanted)]


def _of_times(caller: Caller, query: ServerQuery, may_all: bool) -> list[Filter]:
    """changes-since shows deleted servers too; otherwise only administrators ask for them."""
    since = None if query.changes_since is UNSET else time_of(str(query.changes_since), "changes-since")
    before = None if query.changes_before is UNSET else time_of(str(query.changes_before), "changes-before")
    if since and before and since > before:
        raise BadRequest(f"changes-since {query.changes_since} is later than changes-before {query.changes_before}.")
    found = [Filter(name, at) for name, at in (("changes_since", since), ("changes_before", before)) if at]
    if query.deleted is not UNSET and may_all:
        return [*found, Filter("deleted", strict_bool(str(query.deleted), "deleted"))]
    return found if since else [*found, Filter("deleted", False)]


def time_of(text: str, name: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError:
        raise BadRequest(f"Invalid input for query parameter {name}: '{text[:64]}' is not an ISO 8601 time.") from None


def _number(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadRequest(f"Invalid input for query parameter {name}: '{text[:64]}' is not a whole number.") from None


def _pattern(text: str, name: str) -> str:
    """A regular expression that can be read; otherwise the text as it is."""
    try:
        re.compile(text)
    except re.error:
        return re.escape(text)
    return text


def _words(text: str, _name: str) -> list[str]:
    return text.split(",")


_READERS: dict[str, Callable[[str, str], Any]] = {
    "config_drive": strict_bool,
    "created_at": time_of,
    "description": _pattern,
    "hostname": _pattern,
    "launch_index": _number,
    "launched_at": time_of,
    "locked": strict_bool,
    "name": _pattern,
    "not_tags": _words,
    "not_tags_any": _words,
    "power_state": _number,
    "tags": _words,
    "tags_any": _words,
    "terminated_at": time_of,
}


def _with_addresses(tx: Tx, filters: list[Filter], wanted: list[tuple[int, str]]) -> list[str]:
    """Those of the filtered servers that have an address of each version that matches its regular expression."""
    patterns = [(version, re.compile(_pattern(text, "ip"))) for version, text in wanted]
    found = []
    servers = store.servers_by_ids(tx, store.ids_of(tx, filters))
    for server_id, ports in interfaces.ports_of_servers(tx, servers).items():
        mine = interfaces.addresses(ports)
        if all(
            any(v == version and pattern.search(addr) for _, addr, _, v, _ in mine) for version, pattern in patterns
        ):
            found.append(server_id)
    return found


# changes


def update_server(tx: Tx, caller: Caller, server: ServerRow, body: ServerUpdate) -> None:
    """Raises BadRequest, Conflict."""
    changes: dict[str, Any] = {}
    for field, column in (("name", "name"), ("description", "description"), ("disk_config", "disk_config")):
        value = getattr(body, field)
        if value is not UNSET:
            changes[column] = value
    if body.hostname is not UNSET:
        changes["hostname"] = body.hostname
    if body.accessIPv4 is not UNSET:
        changes["access_ip_v4"] = create.address(body.accessIPv4 or "", "accessIPv4", 4)
    if body.accessIPv6 is not UNSET:
        changes["access_ip_v6"] = create.address(body.accessIPv6 or "", "accessIPv6", 6)
    if body.pinned_availability_zone is not UNSET:
        changes["pinned_zone"] = body.pinned_availability_zone
    store.update_server(tx, server, changes)
    if server.host:
        tx.wake(f"host:{server.host}")
    events.record(tx, caller, "compute", "update", "server", server.id, changed=sorted(changes))


def set_guest_password(tx: Tx, caller: Caller, server: ServerRow, password: str | None) -> None:
    """What the guest gave its metadata service: its password, encrypted by it with the user's key."""
    store.update_server(tx, server, {"guest_password": password})
    action = "set_password" if password else "clear_password"
    events.record(tx, caller, "compute", action, "server", server.id)


def guest_says_password(tx: Tx, host: str, guest_id: str, password: bytes) -> None:
    """Once only. Raises NotFound, Conflict, BadRequest."""
    server = store.server_by_id(tx, guest_id)
    if server is None or server.deleted_at is not None or server.host != host:
        raise NotFound(f"Instance {guest_id} is not on host {host}.")
    if server.guest_password is not None:
        raise Conflict(f"Instance {guest_id} has given its password already.")
    if not password or len(password) > MOST_PASSWORD or not password.isascii():
        raise BadRequest(f"A guest's password is 1 to {MOST_PASSWORD} ASCII characters; these are {len(password)}.")
    set_guest_password(tx, system_caller(), server, password.decode())


def delete_server(tx: Tx, caller: Caller, server: ServerRow, force: bool = False) -> None:
    """Take the server's ports away now, tell its host by the spec; it is gone when the host says so.

    At once where no host has ever been told of it, or when forced: a host that is away then removes the guest when it
    comes back, as its spec does not have it.
    """
    if server.task_state == states.DELETING and not force:
        return
    action = "forceDelete" if force else "delete"
    events.record(tx, caller, "compute", action, "server", server.id, outcome="started", name=server.name)
    interfaces.release(tx, caller, server)
    server.action = Action(action, caller.request_id, caller.user_id, caller.project_id)
    if server.host is not None:
        tx.wake(f"host:{server.host}")
    if force or server.host is None or not server.published:
        reports.finish_delete(tx, server)
        return
    store.update_server(
        tx,
        server,
        {
            "task_state": states.DELETING,
            "action": server.action,
            "generation": server.generation + 1,
            "deleting_revision": spec_store.revision_of(tx, server.host),
        },
    )
