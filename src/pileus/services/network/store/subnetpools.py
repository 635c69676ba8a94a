"""Statements on subnet pools and address scopes."""

from __future__ import annotations

import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.services.network.store.common import shared_to
from pileus.services.network.tables import address_scopes, subnetpools
from pileus.services.network.types.rows import SubnetpoolRow


def seen_by(project_id: str | None) -> sa.ColumnElement[bool]:
    return (subnetpools.c.project_id == project_id) | subnetpools.c.id.in_(shared_to(project_id))


def scopes_seen_by(project_id: str | None) -> sa.ColumnElement[bool]:
    return (address_scopes.c.project_id == project_id) | address_scopes.c.id.in_(shared_to(project_id))


def default_of(tx: Tx, ip_version: int) -> SubnetpoolRow | None:
    mine = subnetpools.c.is_default & (subnetpools.c.ip_version == ip_version)
    return tx.row(SubnetpoolRow, sa.select(subnetpools).where(mine).limit(1))


def of_scope(tx: Tx, address_scope_id: str) -> list[SubnetpoolRow]:
    return tx.rows(SubnetpoolRow, sa.select(subnetpools).where(subnetpools.c.address_scope_id == address_scope_id))
