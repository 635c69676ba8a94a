"""Identity providers and what belongs to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from pileus.core.db import Tx, matches
from pileus.services.identity.store import rows
from pileus.services.identity.store.kept import kept
from pileus.services.identity.tables import (
    directory_entries,
    expiring_memberships,
    federated_users,
    identity_providers,
    protocols,
    remote_ids,
    service_providers,
    signing_keys,
    used_assertions,
    users,
)
from pileus.services.identity.types.federation import (
    FederatedUser,
    Membership,
    ProtocolRow,
    ServiceProviderRow,
    SigningKeyRow,
)


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


def ready(tx: Tx, name: str) -> list[ProtocolRow]:
    """Protocols of a name, of enabled identity providers, that have settings to sign on by."""
    enabled = sa.select(identity_providers.c.id).where(identity_providers.c.enabled)
    return rows.where(
        tx,
        ProtocolRow,
        protocols.c.name == name,
        protocols.c.sign_on.is_not(None),
        protocols.c.identity_provider_id.in_(enabled),
    )


def enabled_service_providers(tx: Tx) -> list[ServiceProviderRow]:
    return kept(tx, "service providers", lambda tx: rows.where(tx, ServiceProviderRow, service_providers.c.enabled))


def keep_signing_key(tx: Tx, row: SigningKeyRow) -> bool:
    """False where there is one already."""
    return tx.insert_new(signing_keys, row)


# -- users who come by an identity provider


def user_of(tx: Tx, protocol_id: str, unique_id: str) -> str | None:
    """The id of the user whom a protocol knows by a name of its own."""
    c = federated_users.c
    mine = (c.protocol_id == protocol_id) & (c.unique_id == unique_id)
    found: str | None = tx.scalar(sa.select(c.user_id).where(mine))
    return found


def link(tx: Tx, protocol_id: str, unique_id: str, user_id: str) -> None:
    """Raises Conflict where that is another user already."""
    rows.touch(tx)
    values = {"protocol_id": protocol_id, "unique_id": unique_id, "user_id": user_id}
    tx.insert(federated_users, values, "The protocol knows another user as '{unique_id}' already.")


def unlink(tx: Tx, user_id: str) -> None:
    rows.touch(tx)
    tx.delete(federated_users, federated_users.c.user_id == user_id)


def links_of(tx: Tx, user_ids: Sequence[str]) -> dict[str, list[FederatedUser]]:
    """By user; only those who have any."""
    found: dict[str, list[FederatedUser]] = {}
    if user_ids:
        for one in _links(tx, matches(federated_users.c.user_id, user_ids)):
            found.setdefault(one.user_id, []).append(one)
    return found


def only_by(tx: Tx, domain_id: str, **of_protocol: str) -> list[str]:
    """Ids of a domain's users who have no other way to log in than by some protocols: those with these columns."""
    c = federated_users.c
    within = sa.select(protocols.c.id).where(*[protocols.c[name] == value for name, value in of_protocol.items()])
    elsewhere = sa.select(c.user_id).where(c.protocol_id.not_in(within))
    in_directory = sa.select(directory_entries.c.id)
    passwordless = sa.select(users.c.id).where(
        users.c.domain_id == domain_id, users.c.password_hash.is_(None), users.c.id.not_in(in_directory)
    )
    mine = c.protocol_id.in_(within) & c.user_id.not_in(elsewhere) & c.user_id.in_(passwordless)
    return tx.scalars(sa.select(c.user_id).where(mine).distinct())


def _links(tx: Tx, *conditions: sa.ColumnElement[bool]) -> list[FederatedUser]:
    statement = sa.select(
        federated_users.c.user_id,
        protocols.c.identity_provider_id,
        protocols.c.name.label("protocol"),
        federated_users.c.unique_id,
    ).join(protocols, protocols.c.id == federated_users.c.protocol_id)
    order = (protocols.c.identity_provider_id, protocols.c.name, federated_users.c.unique_id)
    return tx.rows(FederatedUser, statement.where(*conditions).order_by(*order))


_FILTERS = {
    "idp_id": protocols.c.identity_provider_id,
    "protocol_id": protocols.c.name,
    "unique_id": federated_users.c.unique_id,
}


def filters(query: Mapping[str, str]) -> list[sa.ColumnElement[bool]]:
    """A condition on users, where a query asks for those of an identity provider."""
    asked = [column == query[name] for name, column in _FILTERS.items() if name in query]
    if not asked:
        return []
    mine = sa.select(federated_users.c.user_id).join(protocols, protocols.c.id == federated_users.c.protocol_id)
    return [users.c.id.in_(mine.where(*asked))]


# -- memberships that end


def memberships_of(tx: Tx, user_id: str, provider_id: str | None = None) -> list[Membership]:
    """Those that have not ended."""
    c = expiring_memberships.c
    mine = (c.user_id == user_id) & (c.expires_at > tx.now)
    if provider_id is not None:
        mine &= c.identity_provider_id == provider_id
    return tx.rows(Membership, sa.select(expiring_memberships).where(mine).order_by(c.group_id))


def next_end(tx: Tx, user_id: str) -> datetime | None:
    """When the first of them ends."""
    if not kept(tx, "memberships end", _some_end):
        return None
    c = expiring_memberships.c
    ends = sa.select(sa.func.min(c.expires_at)).where((c.user_id == user_id) & (c.expires_at > tx.now))
    found: datetime | None = tx.scalar(ends)
    return found


def _some_end(tx: Tx) -> bool:
    return bool(tx.scalar(sa.select(sa.exists(sa.select(expiring_memberships)))))


def keep_membership(tx: Tx, membership: Membership) -> None:
    """Whether it is new is for the caller to know: what is only renewed changes the meaning of no token."""
    key = {
        "user_id": membership.user_id,
        "group_id": membership.group_id,
        "identity_provider_id": membership.identity_provider_id,
    }
    times = {"verified_at": membership.verified_at, "expires_at": membership.expires_at}
    tx.upsert(expiring_memberships, key, times)


def end_memberships(tx: Tx, user_id: str, provider_id: str, group_ids: Iterable[str]) -> None:
    rows.touch(tx)
    c = expiring_memberships.c
    mine = (c.user_id == user_id) & (c.identity_provider_id == provider_id) & c.group_id.in_(list(group_ids))
    tx.delete(expiring_memberships, mine)


def set_ttl(tx: Tx, provider_id: str, ttl: timedelta) -> None:
    """Let the memberships that a provider has verified last as long as it now says."""
    c = expiring_memberships.c
    mine = c.identity_provider_id == provider_id
    for verified_at in tx.scalars(sa.select(c.verified_at).where(mine).distinct()):
        tx.update(expiring_memberships, mine & (c.verified_at == verified_at), {"expires_at": verified_at + ttl})


# -- assertions that were used


def use_assertion(tx: Tx, assertion_id: str, expires_at: datetime) -> bool:
    """False where it was used before."""
    return tx.insert_new(used_assertions, {"id": assertion_id, "expires_at": expires_at})


def forget(tx: Tx) -> None:
    """What has ended: memberships, and assertions that nobody would accept any more."""
    tx.delete(used_assertions, used_assertions.c.expires_at < tx.now)
    tx.delete(expiring_memberships, expiring_memberships.c.expires_at < tx.now)
