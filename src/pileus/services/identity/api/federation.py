"""Identity providers, their protocols, the mappings of both, and service providers."""

from collections.abc import Sequence
from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.identity.rules import federation as rules
from pileus.services.identity.rules import resources
from pileus.services.identity.service import api
from pileus.services.identity.store import federation as store
from pileus.services.identity.store import rows
from pileus.services.identity.types.base import listed, shown
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

PROVIDERS = "/OS-FEDERATION/identity_providers"
PROVIDER = PROVIDERS + "/{idp_id}"
PROTOCOL = PROVIDER + "/protocols/{protocol_id}"
MAPPINGS = "/OS-FEDERATION/mappings"
SERVICE_PROVIDERS = "/OS-FEDERATION/service_providers"


def provider_of_path(tx: Tx, idp_id: str) -> IdentityProviderRow:
    return resources.find(tx, IdentityProviderRow, idp_id)


def protocol_of_path(tx: Tx, idp_id: str, protocol_id: str) -> ProtocolRow:
    return rules.found_protocol(tx, idp_id, protocol_id)


def mapping_of_path(tx: Tx, mapping_id: str) -> MappingRow:
    return resources.find(tx, MappingRow, mapping_id)


def service_provider_of_path(tx: Tx, service_provider_id: str) -> ServiceProviderRow:
    return resources.find(tx, ServiceProviderRow, service_provider_id)


def _providers_shown(tx: Tx, request: Request, found: Sequence[IdentityProviderRow]) -> list[dict[str, Any]]:
    remote_ids = store.remote_ids_of(tx, [row.id for row in found])
    every = [shown(request, row, remote_ids=remote_ids[row.id]) for row in found]
    for one in every:
        one["links"]["protocols"] = one["links"]["self"] + "/protocols"
    return every


def _provider_shown(tx: Tx, request: Request, row: IdentityProviderRow) -> dict[str, Any]:
    return {"identity_provider": _providers_shown(tx, request, [row])[0]}


def _protocol_shown(request: Request, row: ProtocolRow) -> dict[str, Any]:
    provider = f"{request.url}{PROVIDERS}/{row.identity_provider_id}"
    found = shown(request, row)
    found["id"] = row.name
    found["links"] = {"self": f"{provider}/protocols/{row.name}", "identity_provider": provider}
    return found


@api.get(PROVIDERS, policy="identity:list_identity_providers")
def list_identity_providers(tx: Tx, request: Request) -> dict[str, Any]:
    found, more = rows.page(tx, IdentityProviderRow, request.query)
    return listed(request, "identity_providers", _providers_shown(tx, request, found), more)


@api.put(PROVIDER, policy="identity:create_identity_provider", success=201)
def create_identity_provider(
    tx: Tx, caller: Caller, request: Request, idp_id: str, body: IdentityProviderCreate
) -> dict[str, Any]:
    return _provider_shown(tx, request, rules.create_provider(tx, caller, idp_id, body))


@api.get(PROVIDER, policy="identity:get_identity_provider", load=provider_of_path)
def show_identity_provider(tx: Tx, request: Request, provider: IdentityProviderRow) -> dict[str, Any]:
    return _provider_shown(tx, request, provider)


@api.patch(PROVIDER, policy="identity:update_identity_provider", load=provider_of_path)
def update_identity_provider(
    tx: Tx, caller: Caller, request: Request, provider: IdentityProviderRow, body: IdentityProviderUpdate
) -> dict[str, Any]:
    return _provider_shown(tx, request, rules.update_provider(tx, caller, provider, body))


@api.delete(PROVIDER, policy="identity:delete_identity_provider", load=provider_of_path)
def delete_identity_provider(tx: Tx, caller: Caller, provider: IdentityProviderRow) -> None:
    rules.delete_provider(tx, caller, provider)


@api.get(PROVIDER + "/protocols", policy="identity:list_protocols", load=provider_of_path)
def list_protocols(tx: Tx, request: Request, provider: IdentityProviderRow) -> dict[str, Any]:
    found = rows.where(tx, ProtocolRow, identity_provider_id=provider.id)
    every = [{**_protocol_shown(request, row), "idp_id": provider.id} for row in found]
    return listed(request, "protocols", every)


@api.put(PROTOCOL, policy="identity:create_protocol", load=provider_of_path, success=201)
def create_protocol(
    tx: Tx, caller: Caller, request: Request, provider: IdentityProviderRow, protocol_id: str, body: ProtocolCreate
) -> dict[str, Any]:
    return {"protocol": _protocol_shown(request, rules.create_protocol(tx, caller, provider, protocol_id, body))}


@api.get(PROTOCOL, policy="identity:get_protocol", load=protocol_of_path)
def show_protocol(request: Request, tx: Tx, protocol: ProtocolRow) -> dict[str, Any]:
    return {"protocol": _protocol_shown(request, protocol)}


@api.patch(PROTOCOL, policy="identity:update_protocol", load=protocol_of_path)
def update_protocol(
    tx: Tx, caller: Caller, request: Request, protocol: ProtocolRow, body: ProtocolUpdate
) -> dict[str, Any]:
    return {"protocol": _protocol_shown(request, rules.update_protocol(tx, caller, protocol, body))}


@api.delete(PROTOCOL, policy="identity:delete_protocol", load=protocol_of_path)
def delete_protocol(tx: Tx, caller: Caller, protocol: ProtocolRow) -> None:
    rules.delete_protocol(tx, caller, protocol)


@api.get(MAPPINGS, policy="identity:list_mappings")
def list_mappings(tx: Tx, request: Request) -> dict[str, Any]:
    found, more = rows.page(tx, MappingRow, request.query)
    return listed(request, "mappings", [shown(request, row) for row in found], more)


@api.put(MAPPINGS + "/{mapping_id}", policy="identity:create_mapping", success=201)
def create_mapping(tx: Tx, caller: Caller, request: Request, mapping_id: str, body: MappingWish) -> dict[str, Any]:
    return {"mapping": shown(request, rules.create_mapping(tx, caller, mapping_id, body))}


@api.get(MAPPINGS + "/{mapping_id}", policy="identity:get_mapping", load=mapping_of_path)
def show_mapping(tx: Tx, request: Request, mapping: MappingRow) -> dict[str, Any]:
    return {"mapping": shown(request, mapping)}


@api.patch(MAPPINGS + "/{mapping_id}", policy="identity:update_mapping", load=mapping_of_path)
def update_mapping(tx: Tx, caller: Caller, request: Request, mapping: MappingRow, body: MappingWish) -> dict[str, Any]:
    return {"mapping": shown(request, rules.update_mapping(tx, caller, mapping, body))}


@api.delete(MAPPINGS + "/{mapping_id}", policy="identity:delete_mapping", load=mapping_of_path)
def delete_mapping(tx: Tx, caller: Caller, mapping: MappingRow) -> None:
    resources.remove(tx, caller, mapping)


@api.get(SERVICE_PROVIDERS, policy="identity:list_service_providers")
def list_service_providers(tx: Tx, request: Request) -> dict[str, Any]:
    found, more = rows.page(tx, ServiceProviderRow, request.query)
    return listed(request, "service_providers", [shown(request, row) for row in found], more)


@api.put(SERVICE_PROVIDERS + "/{service_provider_id}", policy="identity:create_service_provider", success=201)
def create_service_provider(
    tx: Tx, caller: Caller, request: Request, service_provider_id: str, body: ServiceProviderCreate
) -> dict[str, Any]:
    row = rules.create_service_provider(tx, caller, service_provider_id, body)
    return {"service_provider": shown(request, row)}


@api.get(
    SERVICE_PROVIDERS + "/{service_provider_id}",
    policy="identity:get_service_provider",
    load=service_provider_of_path,
)
def show_service_provider(tx: Tx, request: Request, provider: ServiceProviderRow) -> dict[str, Any]:
    return {"service_provider": shown(request, provider)}


@api.patch(
    SERVICE_PROVIDERS + "/{service_provider_id}",
    policy="identity:update_service_provider",
    load=service_provider_of_path,
)
def update_service_provider(
    tx: Tx, caller: Caller, request: Request, provider: ServiceProviderRow, body: ServiceProviderUpdate
) -> dict[str, Any]:
    return {"service_provider": shown(request, rules.update_service_provider(tx, caller, provider, body))}


@api.delete(
    SERVICE_PROVIDERS + "/{service_provider_id}",
    policy="identity:delete_service_provider",
    load=service_provider_of_path,
)
def delete_service_provider(tx: Tx, caller: Caller, provider: ServiceProviderRow) -> None:
    resources.remove(tx, caller, provider)
