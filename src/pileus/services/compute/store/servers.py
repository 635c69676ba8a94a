"""Rows of servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.sql import Select

from pileus.core.db import Tx, among, is_away
from pileus.core.errors import BadRequest
from pileus.core.paging import Page, Sort, paged
from pileus.services.compute import states
from pileus.services.compute.store.host_spec import WIDTH, HostSpecRow
from pileus.services.compute.tables.host_spec import host_specs
from pileus.services.compute.tables.servers import servers


class FlavorCopy(msgspec.Struct):
    """The flavor as it was when the server was made: later changes of the flavor do not change the server."""

    id: str
    name: str
    vcpus: int
    ram: int
    disk: int
    ephemeral: int = 0
    swap: int = 0
    extra_specs: dict[str, str] = {}


class ImageCopy(msgspec.Struct):
    """What a host needs of the image, also after the image is gone from the catalog."""

    name: str
    sha512: str
    disk_format: str
    size: int
    min_disk: int = 0
    min_ram: int = 0
    properties: dict[str, str] = {}


class NicRow(msgspec.Struct):
    """A port of the server, in the order of the guest's NICs. `keep`: the port was there before the server."""

    port_id: str
    keep: bool
    tag: str | None = None


class Fault(msgspec.Struct):
    code: int
    message: str
    created: str
    details: str | None = None


class Action(msgspec.Struct):
    """The request whose work is under way: when the host reports its end, an event of that request says so."""

    name: str
    request_id: str
    user_id: str
    project_id: str | None


class ServerRow(msgspec.Struct):
    number: int
    id: str
    project_id: str
    user_id: str
    name: str
    description: str | None
    hostname: str
    reservation_id: str
    launch_index: int
    created_at: datetime
    updated_at: datetime
    power: str
    generation: int
    reboots: int
    hard_reboots: int
    rebuilds: int
    flavor: FlavorCopy
    image_id: str
    image: ImageCopy
    key_name: str | None
    public_key: str | None
    key_type: str | None
    user_data: str | None
    files: list[tuple[str, str]]
    admin_password: str | None
    config_drive: bool
    disk_config: str
    access_ip_v4: str | None
    access_ip_v6: str | None
    metadata: dict[str, str]
    tags: list[str]
    nics: list[NicRow]
    locked_by: str | None
    locked_reason: str | None
    scheduler_hints: dict[str, Any]
    group_id: str | None
    host: str | None
    availability_zone: str | None
    pinned_zone: str | None
    observed_generation: int
    published: bool
    reported_at: datetime | None
    vm_state: str
    task_state: str | None
    action: Action | None
    power_state: int
    fault: Fault | None
    guest_password: str | None
    launched_at: datetime | None
    terminated_at: datetime | None
    deleting_revision: int | None
    deleted_at: datetime | None

    @property
    def locked(self) -> bool:
        return self.locked_by is not None

    @property
    def instance_name(self) -> str:
        return f"instance-{self.number:08x}"

    @property
    def status(self) -> str:
        return states.status_of(self.vm_state, self.task_state)


_PARTS: dict[str, Any] = {
    "flavor": FlavorCopy,
    "image": ImageCopy,
    "nics": list[NicRow],
    "action": Action | None,
    "fault": Fault | None,
}
SORT_COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    "access_ip_v4": servers.c.access_ip_v4,
    "access_ip_v6": servers.c.access_ip_v6,
    "auto_disk_config": servers.c.disk_config,
    "availability_zone": servers.c.availability_zone,
    "config_drive": servers.c.config_drive,
    "created_at": servers.c.created_at,
    "display_description": servers.c.description,
    "display_name": servers.c.name,
    "host": servers.c.host,
    "hostname": servers.c.hostname,
    "image_ref": servers.c.image_id,
    "instance_type_id": sa.type_coerce(servers.c.flavor, sa.Text),
    "key_name": servers.c.key_name,
    "launch_index": servers.c.launch_index,
    "launched_at": servers.c.launched_at,
    "locked": servers.c.locked_by,
    "locked_by": servers.c.locked_by,
    "node": servers.c.host,
    "number": servers.c.number,
    "power_state": servers.c.power_state,
    "project_id": servers.c.project_id,
    "root_device_name": servers.c.number,
    "task_state": servers.c.task_state,
    "terminated_at": servers.c.terminated_at,
    "updated_at": servers.c.updated_at,
    "user_id": servers.c.user_id,
    "uuid": servers.c.id,
    "vm_state": servers.c.vm_state,
}
NEWEST_FIRST = (Sort("created_at", descending=True), Sort("number", descending=True))
LIVING = servers.c.deleted_at.is_(None)


def _row(values: Sequence[Any], names: Sequence[str]) -> ServerRow:
    found = dict(zip(names, values, strict=True))
    for name, kind in _PARTS.items():
        found[name] = msgspec.convert(found[name], kind)
    return ServerRow(**found)


def _rows(tx: Tx, statement: Select[Any], values: Mapping[str, Any] | None = None) -> list[ServerRow]:
    result = tx.execute(statement, values)
    names = tuple(result.keys())
    return [_row(values, names) for values in result]


_BY_ID = sa.select(servers).where(servers.c.id == sa.bindparam("wanted"))
_LOCKED_BY_ID = _BY_ID.with_for_update()
_BY_IDS = sa.select(servers).where(among(servers.c.id))
_LOCKED_BY_IDS = _BY_IDS.with_for_update()


def server_by_id(tx: Tx, server_id: str) -> ServerRow | None:
    """Also one that is deleted. In a writing transaction the row is locked: who changes it has seen its newest state."""
    found = _rows(tx, _LOCKED_BY_ID if tx.writable else _BY_ID, {"wanted": server_id})
    return found[0] if found else None


def servers_by_ids(tx: Tx, ids: Sequence[str]) -> list[ServerRow]:
    if not ids:
        return []
    found = _rows(tx, _LOCKED_BY_IDS if tx.writable else _BY_IDS, {"ids": ids})
    return [server for server in found if server.deleted_at is None]


_ON_HOST = sa.select(servers).where((servers.c.host == sa.bindparam("name")) & LIVING)
_IN_ORDER = _ON_HOST.order_by(servers.c.number)
_CONCERNED = sa.select(servers).where(
    among(servers.c.id) | (servers.c.deleting_revision.is_not(None) & (servers.c.host == sa.bindparam("name"))), LIVING
)
_LOCKED_CONCERNED = _CONCERNED.with_for_update()


_TOLD = (
    sa.select(host_specs, servers)
    .outerjoin(servers, (servers.c.host == host_specs.c.host) & LIVING)
    .where(host_specs.c.host == sa.bindparam("name"))
    .order_by(servers.c.number)
)
_NAMES = tuple(servers.c.keys())


def of_host_spec(tx: Tx, host: str) -> tuple[HostSpecRow | None, list[ServerRow]]:
    """One that is let in, and the servers that are on it."""
    rows = tx.tuples(_TOLD, {"name": host})
    known = HostSpecRow(*rows[0][:WIDTH]) if rows else None
    return known, [_row(row[WIDTH:], _NAMES) for row in rows if row[WIDTH] is not None]


def servers_on_host(tx: Tx, host: str) -> list[ServerRow]:
    return _rows(tx, _IN_ORDER, {"name": host})


def concerned(tx: Tx, host: str, ids: Sequence[str]) -> list[ServerRow]:
    """Locked: servers with these ids, wherever they are, and those that are to go from the host."""
    return _rows(tx, _LOCKED_CONCERNED, {"name": host, "ids": ids})


def insert_server(tx: Tx, values: Mapping[str, Any]) -> None:
    """`values` by column name; `number` is given by the database."""
    tx.insert(servers, {name: _plain(value) for name, value in values.items()})


def update_server(tx: Tx, server: ServerRow, values: Mapping[str, Any]) -> None:
    """Write the values and keep the struct like the row."""
    if not values:
        return
    changed = {"updated_at": tx.now, **values}
    tx.change(servers, server.id, {name: _plain(value) for name, value in changed.items()})
    for name, value in changed.items():
        setattr(server, name, value)


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct) or (
        isinstance(value, list) and value and isinstance(value[0], msgspec.Struct)
    ):
        return msgspec.to_builtins(value)
    return value


_PUBLISH = servers.update().where(among(servers.c.id), ~servers.c.published).values(published=True)


def mark_published(tx: Tx, ids: Sequence[str]) -> None:
    if ids:
        tx.execute(_PUBLISH, {"ids": ids})


class Filter(NamedTuple):
    """One condition on the list of servers; all must hold."""

    name: str
    value: Any


def _status_condition(status: str) -> sa.ColumnElement[bool]:
    alternatives = []
    for vm_state, (usual, exceptions) in states.STATUSES.items():
        mine = [task for task, other in exceptions.items() if other == status]
        others = [task for task, other in exceptions.items() if other != status]
        if usual == status:
            free = sa.or_(servers.c.task_state.is_(None), servers.c.task_state.not_in(others)) if others else sa.true()
            alternatives.append((servers.c.vm_state == vm_state) & free)
        elif mine:
            alternatives.append((servers.c.vm_state == vm_state) & servers.c.task_state.in_(mine))
    return sa.or_(sa.false(), *alternatives)


def _has_tag(tag: str) -> sa.ColumnElement[bool]:
    return sa.type_coerce(servers.c.tags, sa.Text).contains(msgspec.json.encode(tag).decode(), autoescape=True)


def _has_metadata(key: str, value: str) -> sa.ColumnElement[bool]:
    pair = msgspec.json.encode({key: value}).decode()[1:-1]
    return sa.type_coerce(servers.c.metadata, sa.Text).contains(pair, autoescape=True)


def _flavor_is(flavor_id: str) -> sa.ColumnElement[bool]:
    start = msgspec.json.encode({"id": flavor_id}).decode()[:-1]
    return sa.type_coerce(servers.c.flavor, sa.Text).startswith(start + ",", autoescape=True)


_CONDITIONS: dict[str, Any] = {
    "changes_since": lambda v: servers.c.updated_at >= v,
    "changes_before": lambda v: servers.c.updated_at <= v,
    "deleted": lambda v: servers.c.deleted_at.is_not(None) if v else LIVING,
    "flavor": _flavor_is,
    "group_id": lambda v: servers.c.group_id == v,
    "ids": lambda v: servers.c.id.in_(v),
    "locked": lambda v: servers.c.locked_by.is_not(None) if v else servers.c.locked_by.is_(None),
    "metadata": lambda v: sa.and_(sa.true(), *(_has_metadata(key, value) for key, value in v.items())),
    "name": lambda v: servers.c.name.regexp_match(v),
    "description": lambda v: servers.c.description.regexp_match(v),
    "hostname": lambda v: servers.c.hostname.regexp_match(v),
    "status": lambda v: sa.or_(*(_status_condition(status) for status in v)),
    "tags": lambda v: sa.and_(*(_has_tag(tag) for tag in v)),
    "tags_any": lambda v: sa.or_(*(_has_tag(tag) for tag in v)),
    "not_tags": lambda v: sa.not_(sa.and_(*(_has_tag(tag) for tag in v))),
    "not_tags_any": lambda v: sa.not_(sa.or_(*(_has_tag(tag) for tag in v))),
}
_EQUAL = {
    "access_ip_v4": servers.c.access_ip_v4,
    "access_ip_v6": servers.c.access_ip_v6,
    "availability_zone": servers.c.availability_zone,
    "config_drive": servers.c.config_drive,
    "created_at": servers.c.created_at,
    "disk_config": servers.c.disk_config,
    "host": servers.c.host,
    "image": servers.c.image_id,
    "key_name": servers.c.key_name,
    "launch_index": servers.c.launch_index,
    "launched_at": servers.c.launched_at,
    "locked_by": servers.c.locked_by,
    "node": servers.c.host,
    "power_state": servers.c.power_state,
    "project_id": servers.c.project_id,
    "reservation_id": servers.c.reservation_id,
    "task_state": servers.c.task_state,
    "terminated_at": servers.c.terminated_at,
    "user_id": servers.c.user_id,
    "uuid": servers.c.id,
    "vm_state": servers.c.vm_state,
}


def _where(filters: Sequence[Filter]) -> list[sa.ColumnElement[bool]]:
    return [_EQUAL[f.name] == f.value if f.name in _EQUAL else _CONDITIONS[f.name](f.value) for f in filters]


def list_servers(tx: Tx, filters: Sequence[Filter], page: Page) -> list[ServerRow]:
    """Raises BadRequest for an unknown marker and for a regular expression that the database can't read."""
    statement = sa.select(servers).where(*_where(filters))
    statement = paged(tx, statement, page, SORT_COLUMNS, servers.c.id, NEWEST_FIRST)
    try:
        return _rows(tx, statement)
    except sa.exc.DBAPIError as error:
        if is_away(error):
            raise
        raise BadRequest(f"A filter is not a regular expression that can be read: {error.orig}") from None


def ids_of(tx: Tx, filters: Sequence[Filter]) -> list[str]:
    return tx.scalars(sa.select(servers.c.id).where(*_where(filters)))


def reached_but_busy(tx: Tx, since: datetime) -> list[ServerRow]:
    """Servers whose host has reached their spec before `since`, and whose task has not ended."""
    mine = (
        LIVING
        & servers.c.task_state.is_not(None)
        & (servers.c.task_state != states.DELETING)
        & (servers.c.observed_generation >= servers.c.generation)
        & (servers.c.updated_at < since)
    )
    return _rows(tx, sa.select(servers).where(mine).limit(100))


def is_reached_but_busy(server: ServerRow, since: datetime) -> bool:
    busy = server.task_state not in (None, states.DELETING) and server.deleted_at is None
    return busy and server.observed_generation >= server.generation and server.updated_at < since


def image_files(tx: Tx) -> list[str]:
    """SHA-512 names of the image files that servers are made of."""
    images = tx.scalars(sa.select(servers.c.image).where(LIVING).distinct())
    return [image["sha512"] for image in images]


def forget_deleted(tx: Tx, before: datetime) -> int:
    return tx.delete(servers, servers.c.deleted_at < before)


def census(tx: Tx) -> dict[tuple[str, ...], float]:
    """How many servers are in which (vm_state, task_state or an empty string)."""
    counted = (
        sa.select(servers.c.vm_state, sa.func.coalesce(servers.c.task_state, ""), sa.func.count())
        .where(servers.c.deleted_at.is_(None))
        .group_by(servers.c.vm_state, servers.c.task_state)
    )
    return {(vm_state, task_state): count for vm_state, task_state, count in tx.execute(counted)}
