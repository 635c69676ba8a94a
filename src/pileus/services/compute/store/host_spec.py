"""Rows of the talk with hosts: token or key, revision of the last spec."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx, among
from pileus.services.compute.store.hosts import HostRow
from pileus.services.compute.tables.host_spec import host_specs
from pileus.services.compute.tables.hosts import hosts as hosts_table


class HostSpecRow(msgspec.Struct):
    """The fields are the table's columns, in their order."""

    host: str
    token_hash: str
    revision: int
    digest: str
    key_hash: str | None = None


WIDTH = len(HostSpecRow.__struct_fields__)

_OF_HOST = sa.select(host_specs).where(host_specs.c.host == sa.bindparam("name"))


def host_spec_row(tx: Tx, host: str) -> HostSpecRow | None:
    return tx.row(HostSpecRow, _OF_HOST, {"name": host})


_REPORTING = (
    sa.select(host_specs, hosts_table)
    .outerjoin(hosts_table, hosts_table.c.name == host_specs.c.host)
    .where(host_specs.c.host == sa.bindparam("name"))
)


def with_host(tx: Tx, host: str) -> tuple[HostSpecRow | None, HostRow | None]:
    """One that is let in, and what it has registered as."""
    for row in tx.tuples(_REPORTING, {"name": host}):
        registered = HostRow(*row[WIDTH:]) if row[WIDTH] is not None else None
        return HostSpecRow(*row[:WIDTH]), registered
    return None, None


_OF_HOSTS = sa.select(host_specs).where(among(host_specs.c.host))


def host_spec_rows(tx: Tx, hosts: Collection[str]) -> dict[str, HostSpecRow]:
    """By host, of those that are let in."""
    return {row.host: row for row in tx.rows(HostSpecRow, _OF_HOSTS, {"ids": hosts})}


def hosts(tx: Tx) -> set[str]:
    return set(tx.scalars(sa.select(host_specs.c.host)))


def token_hash(tx: Tx, host: str) -> str:
    """Empty for a host that has none."""
    return str(tx.scalar(sa.select(host_specs.c.token_hash).where(host_specs.c.host == host)) or "")


def row_of_token(tx: Tx, token_hash: str) -> HostSpecRow | None:
    return tx.row(HostSpecRow, sa.select(host_specs).where(host_specs.c.token_hash == token_hash))


def revision_of(tx: Tx, host: str) -> int:
    return int(tx.scalar(sa.select(host_specs.c.revision).where(host_specs.c.host == host)) or 0)


def set_token(tx: Tx, host: str, token_hash: str) -> None:
    """Let the host in with this token, and no longer with the one before."""
    if not tx.update(host_specs, host_specs.c.host == host, {"token_hash": token_hash}):
        tx.insert(host_specs, HostSpecRow(host, token_hash, 0, ""))


def set_key(tx: Tx, host: str, key_hash: str) -> None:
    """Let the host in with this key, and no longer with the one before. No token opens it."""
    if not tx.update(host_specs, host_specs.c.host == host, {"key_hash": key_hash}):
        tx.insert(host_specs, HostSpecRow(host, "", 0, "", key_hash))


def forget_joined(tx: Tx, host: str) -> None:
    """One that this Pileus starts itself has a token too, and stays let in."""
    tx.delete(host_specs, (host_specs.c.host == host) & (host_specs.c.token_hash == ""))


_COUNT_ON = (
    host_specs.update()
    .where(host_specs.c.host == sa.bindparam("name"), host_specs.c.revision == sa.bindparam("last"))
    .values(revision=host_specs.c.revision + 1, digest=sa.bindparam("new"))
    .returning(host_specs.c.revision)
)


def next_revision(tx: Tx, row: HostSpecRow, digest: str) -> int | None:
    """Count one more spec; None, and nothing done, where somebody else has since the row was read."""
    found: int | None = tx.execute(_COUNT_ON, {"name": row.host, "last": row.revision, "new": digest}).scalar()
    return found
