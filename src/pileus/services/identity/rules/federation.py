"""Who may vouch for users from elsewhere, and to whom this cloud vouches for its own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from pileus.core.context import Caller
from pileus.core.db import Tx, new_hex_id
from pileus.core.errors import BadRequest, NotFound
from pileus.services.identity.rules import mapping, resources
from pileus.services.identity.rules import users as user_rules
from pileus.services.identity.rules.assignments import found_domain
from pileus.services.identity.store import federation as store
from pileus.services.identity.store import rows
from pileus.services.identity.types.federation import (
    IdentityProviderCreate,
    IdentityProviderRow,
    IdentityProviderUpdate,
    MappingRow,
    MappingWish,
    ProtocolCreate,
    ProtocolRow,
    ProtocolUpdate,
    ServiceProviderCreate,
    ServiceProviderRow,
    ServiceProviderUpdate,
)
from pileus.services.identity.types.projects import DomainRow
from pileus.services.identity.types.users import UserRow

_THERE = "There is such a thing with the id '{id}' already."
_RELAY_STATE_PREFIX = "ss:mem:"
"""What a Shibboleth service provider writes before the names of things that it keeps in its memory."""


def _new_id(text: str) -> str:
    """An id that a caller chose. Raises BadRequest."""
    if len(text) > 64 or not text.strip():
        raise BadRequest(f"An id has 1 to 64 characters and is not blank; got '{text[:64]}'.")
    return text


def create_provider(tx: Tx, caller: Caller, provider_id: str, body: IdentityProviderCreate) -> IdentityProviderRow:
    """Raises Conflict for its id or a remote id, NotFound for the domain. Without one it gets a domain of its own."""
    if body.domain_id is None:
        description = f"Users who come by identity provider {provider_id}"
        domain = DomainRow(new_hex_id(), new_hex_id(), None, None, True, True, description, {}, {})
        resources.add(tx, caller, domain)
    else:
        domain = found_domain(tx, body.domain_id)
    row = IdentityProviderRow(
        _new_id(provider_id), domain.id, bool(body.enabled), body.description, body.authorization_ttl
    )
    resources.add(tx, caller, row, _THERE)
    store.set_remote_ids(tx, row.id, dict.fromkeys(body.remote_ids or ()))
    return row


def update_provider(
    tx: Tx, caller: Caller, provider: IdentityProviderRow, body: IdentityProviderUpdate
) -> IdentityProviderRow:
    values = resources.wishes(body)
    if "authorization_ttl" in values:
        store.set_ttl(tx, provider.id, timedelta(minutes=values["authorization_ttl"] or 0))
    if "remote_ids" in values:
        store.set_remote_ids(tx, provider.id, dict.fromkeys(values.pop("remote_ids") or ()))
    if "enabled" in values:
        values["enabled"] = bool(values["enabled"])
    return resources.change(tx, caller, provider, values)


def delete_provider(tx: Tx, caller: Caller, provider: IdentityProviderRow) -> None:
    """With the users of its domain who had no other way to log in: the next one of that id may mean others by their names."""
    _remove_users(tx, caller, store.only_by(tx, provider.domain_id, identity_provider_id=provider.id))
    resources.remove(tx, caller, provider)


def delete_protocol(tx: Tx, caller: Caller, protocol: ProtocolRow) -> None:
    """With the users of its provider's domain who had no other way to log in."""
    provider = resources.find(tx, IdentityProviderRow, protocol.identity_provider_id)
    _remove_users(tx, caller, store.only_by(tx, provider.domain_id, id=protocol.id))
    resources.remove(tx, caller, protocol)


def _remove_users(tx: Tx, caller: Caller, user_ids: Iterable[str]) -> None:
    for user_id in user_ids:
        user_rules.erase(tx, caller, resources.find(tx, UserRow, user_id))


def create_mapping(tx: Tx, caller: Caller, mapping_id: str, body: MappingWish) -> MappingRow:
    """Raises BadRequest for rules that can't be read, Conflict for its id."""
    mapping.read(body.rules)
    version = body.schema_version or mapping.SCHEMA_VERSIONS[0]
    return resources.add(tx, caller, MappingRow(_new_id(mapping_id), body.rules, version), _THERE)


def update_mapping(tx: Tx, caller: Caller, row: MappingRow, body: MappingWish) -> MappingRow:
    mapping.read(body.rules)
    version = body.schema_version or row.schema_version
    return resources.change(tx, caller, row, {"rules": body.rules, "schema_version": version})


def found_protocol(tx: Tx, provider_id: str, name: str) -> ProtocolRow:
    """Raises NotFound, also for the identity provider."""
    provider = resources.find(tx, IdentityProviderRow, provider_id)
    found = store.protocol(tx, provider.id, name)
    if found is None:
        raise NotFound(f"Could not find protocol: {name[:64]} of identity provider {provider.id}.")
    return found


def create_protocol(
    tx: Tx, caller: Caller, provider: IdentityProviderRow, name: str, body: ProtocolCreate
) -> ProtocolRow:
    """Raises Conflict for its name, BadRequest for the mapping."""
    _must_be_mapping(tx, body.mapping_id)
    row = ProtocolRow(new_hex_id(), provider.id, _new_id(name), body.mapping_id, body.remote_id_attribute, None, None)
    return resources.add(tx, caller, row, "Identity provider {identity_provider_id} has a protocol '{name}' already.")


def update_protocol(tx: Tx, caller: Caller, protocol: ProtocolRow, body: ProtocolUpdate) -> ProtocolRow:
    values = resources.wishes(body)
    if "mapping_id" in values:
        _must_be_mapping(tx, values["mapping_id"])
    return resources.change(tx, caller, protocol, values)


def _must_be_mapping(tx: Tx, mapping_id: str) -> None:
    if rows.find(tx, MappingRow, mapping_id) is None:
        raise BadRequest(f"There is no mapping {mapping_id}: make it first.")


def create_service_provider(
    tx: Tx, caller: Caller, provider_id: str, body: ServiceProviderCreate
) -> ServiceProviderRow:
    """Raises Conflict for its id."""
    prefix = _RELAY_STATE_PREFIX if body.relay_state_prefix is None else body.relay_state_prefix
    row = ServiceProviderRow(
        _new_id(provider_id), body.auth_url, body.sp_url, bool(body.enabled), body.description, prefix
    )
    return resources.add(tx, caller, row, _THERE)


def update_service_provider(
    tx: Tx, caller: Caller, provider: ServiceProviderRow, body: ServiceProviderUpdate
) -> ServiceProviderRow:
    values = resources.wishes(body)
    if "enabled" in values:
        values["enabled"] = bool(values["enabled"])
    if values.get("relay_state_prefix", "") is None:
        values["relay_state_prefix"] = _RELAY_STATE_PREFIX
    return resources.change(tx, caller, provider, values)
