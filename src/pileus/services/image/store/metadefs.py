"""Metadata definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from pileus.core import paging
from pileus.core.db import Tx
from pileus.services.image.tables import definitions, namespaces
from pileus.services.image.types.metadefs import DefinitionRow, NamespaceRow

NAMESPACE_SORT_KEYS = ("namespace", "visibility", "owner", "created_at", "updated_at")
DEFINITION_SORT_KEYS = ("name", "created_at", "updated_at")


def namespace(tx: Tx, name: str) -> NamespaceRow | None:
    return tx.row(NamespaceRow, sa.select(namespaces).where(namespaces.c.namespace == name))


def list_namespaces(
    tx: Tx, owner: str | None, visibility: str | None, resource_types: Sequence[str], page: paging.Page
) -> list[NamespaceRow]:
    """The public ones and the owner's; all where `owner` is None."""
    statement = sa.select(namespaces)
    if owner is not None:
        statement = statement.where((namespaces.c.owner == owner) | (namespaces.c.visibility == "public"))
    if visibility is not None:
        statement = statement.where(namespaces.c.visibility == visibility)
    if resource_types:
        own = (definitions.c.namespace_id == namespaces.c.id) & (definitions.c.kind == "resource_type")
        statement = statement.where(sa.exists().where(own & definitions.c.name.in_(resource_types)))
    columns = {key: namespaces.c[key] for key in NAMESPACE_SORT_KEYS}
    return tx.rows(NamespaceRow, paging.paged(tx, statement, page, columns, namespaces.c.namespace, page.sorts))


def insert_namespace(tx: Tx, row: NamespaceRow) -> None:
    """Raises Conflict where the name is taken."""
    tx.insert(namespaces, row, conflict="There is a metadata definition namespace '{namespace}' already.")


def update_namespace(tx: Tx, row: NamespaceRow, values: Mapping[str, Any]) -> None:
    """Raises Conflict where the name is taken."""
    taken = "There is a metadata definition namespace '{namespace}' already."
    tx.update(namespaces, namespaces.c.id == row.id, values, conflict=taken)


def delete_namespace(tx: Tx, row: NamespaceRow) -> None:
    tx.delete(namespaces, namespaces.c.id == row.id)


def definition(tx: Tx, namespace_id: str, kind: str, name: str) -> DefinitionRow | None:
    return tx.row(DefinitionRow, sa.select(definitions).where(_mine(namespace_id, kind), definitions.c.name == name))


def all_definitions(tx: Tx, namespace_ids: Sequence[str]) -> list[DefinitionRow]:
    """Of several namespaces and all kinds, by name."""
    mine = sa.select(definitions).where(definitions.c.namespace_id.in_(namespace_ids))
    return tx.rows(DefinitionRow, mine.order_by(definitions.c.kind, definitions.c.name))


def list_definitions(tx: Tx, namespace_id: str, kind: str, page: paging.Page) -> list[DefinitionRow]:
    statement = sa.select(definitions).where(_mine(namespace_id, kind))
    columns = {key: definitions.c[key] for key in DEFINITION_SORT_KEYS}
    return tx.rows(DefinitionRow, paging.paged(tx, statement, page, columns, definitions.c.name, page.sorts))


def insert_definition(tx: Tx, row: DefinitionRow) -> None:
    """Raises Conflict where the name is taken."""
    tx.insert(definitions, row, conflict="The namespace has a {kind} '{name}' already.")


def update_definition(tx: Tx, row: DefinitionRow, name: str, content: Mapping[str, Any]) -> None:
    """Raises Conflict where the name is taken."""
    mine = _mine(row.namespace_id, row.kind) & (definitions.c.name == row.name)
    values = {"name": name, "content": dict(content), "updated_at": tx.now}
    tx.update(definitions, mine, values, conflict="The namespace has a definition '{name}' already.")


def delete_definition(tx: Tx, row: DefinitionRow) -> None:
    tx.delete(definitions, _mine(row.namespace_id, row.kind) & (definitions.c.name == row.name))


def delete_definitions(tx: Tx, namespace_id: str, kind: str) -> None:
    tx.delete(definitions, _mine(namespace_id, kind))


def resource_types(tx: Tx) -> list[str]:
    """All that a namespace is associated with."""
    used = sa.select(definitions.c.name).where(definitions.c.kind == "resource_type").distinct()
    return tx.scalars(used)


def _mine(namespace_id: str, kind: str) -> sa.ColumnElement[bool]:
    return (definitions.c.namespace_id == namespace_id) & (definitions.c.kind == kind)
