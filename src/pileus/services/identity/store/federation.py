"""Identity providers and what belongs to them."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from pileus.core.db import Tx, matches
from pileus.services.identity.store import rows
from pileus.services.identity.tables import protocols, remote_ids, service_providers
from pileus.services.identity.types.federation import ProtocolRow, ServiceProviderRow


def remote_ids_of(tx: Tx, provider_ids: Iterable[str]) -> dict[str, list[str]]:
    """By identity provider."""
    found: dict[str, list[str]] = {provider_id: [] for provider_id in provider_ids}
    if found:
        mine = matches(remote_ids.c.identity_provider_id, list(found))
        for remote_id, provider_id in tx.execute(sa.select(remote_ids).where(mine).order_by(remote_ids.c.remote_id)):
            found[provider_id].append(remote_id)
    return found


def set_remote_ids(tx: Tx, provider_id: str, wanted: Iterable[str]) -> None:
    """Raises Conflict for one that another identity provider has."""
    rows.touch(tx)
    tx.delete(remote_ids, remote_ids.c.identity_provider_id == provider_id)
    for remote_id in wanted:
        values = {"remote_id": remote_id, "identity_provider_id": provider_id}
        tx.insert(remote_ids, values, "The remote id '{remote_id}' belongs to an identity provider already.")


def protocol(tx: Tx, provider_id: str, name: str) -> ProtocolRow | None:
    mine = (protocols.c.identity_provider_id == provider_id) & (protocols.c.name == name)
    return tx.row(ProtocolRow, sa.select(protocols).where(mine))


def enabled_service_providers(tx: Tx) -> list[ServiceProviderRow]:
    return rows.where(tx, ServiceProviderRow, service_providers.c.enabled)
