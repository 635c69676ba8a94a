"""Subnet pools and address scopes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.network.api import frame
from pileus.services.network.rules import access
from pileus.services.network.rules import subnetpools as rules
from pileus.services.network.service import api
from pileus.services.network.store import common
from pileus.services.network.store.nouns import ADDRESS_SCOPES, SUBNETPOOLS
from pileus.services.network.types.common import Wish, standard
from pileus.services.network.types.rows import AddressScopeRow, SubnetpoolRow
from pileus.services.network.types.subnetpools import (
    AddressScope,
    AddressScopeBody,
    AddressScopeCreate,
    AddressScopeUpdate,
    PrefixesBody,
    Subnetpool,
    SubnetpoolBody,
    SubnetpoolCreate,
    SubnetpoolUpdate,
)


def view(tx: Tx, caller: Caller, rows: Sequence[SubnetpoolRow]) -> list[Subnetpool]:
    ids = [row.id for row in rows]
    tags, shared = common.tags_of(tx, ids), common.shared_ids(tx, ids, caller.project_id)
    return [
        Subnetpool(
            **standard(row),
            name=row.name,
            ip_version=row.ip_version,
            prefixes=row.prefixes,
            default_prefixlen=row.default_prefixlen,
            min_prefixlen=row.min_prefixlen,
            max_prefixlen=row.max_prefixlen,
            default_quota=row.default_quota,
            is_default=row.is_default,
            shared=row.id in shared,
            address_scope_id=row.address_scope_id,
            tags=tags[row.id],
        )
        for row in rows
    ]


def scope_view(tx: Tx, caller: Caller, rows: Sequence[AddressScopeRow]) -> list[AddressScope]:
    shared = common.shared_ids(tx, [row.id for row in rows], caller.project_id)
    return [
        AddressScope(**standard(row), name=row.name, ip_version=row.ip_version, shared=row.id in shared) for row in rows
    ]


def target(tx: Tx, caller: Caller, wish: Wish) -> Mapping[str, Any]:
    return {"project_id": access.owner(caller, wish.project_id, wish.tenant_id)}


def pool_target(tx: Tx, caller: Caller, pool: SubnetpoolRow) -> Mapping[str, Any]:
    """What rules on a pool that is there compare."""
    return {"project_id": pool.project_id, "shared": bool(common.shared_ids(tx, [pool.id], caller.project_id))}


def scope_target(tx: Tx, caller: Caller, scope: AddressScopeRow) -> Mapping[str, Any]:
    """What rules on a scope that is there compare."""
    return {"project_id": scope.project_id, "shared": bool(common.shared_ids(tx, [scope.id], caller.project_id))}


SUBNETPOOL = frame.Noun("subnetpool", "subnetpools", SUBNETPOOLS, view, target)
ADDRESS_SCOPE = frame.Noun("address_scope", "address_scopes", ADDRESS_SCOPES, scope_view, target)
POOL = "/subnetpools/{subnetpool_id}"
SCOPE = "/address-scopes/{address_scope_id}"
CREATE = frame.attribute_rules("create_subnetpool", SubnetpoolCreate, "subnetpool")
UPDATE = frame.attribute_rules("update_subnetpool", SubnetpoolUpdate)
CREATE_SCOPE = frame.attribute_rules("create_address_scope", AddressScopeCreate, "address_scope")
UPDATE_SCOPE = frame.attribute_rules("update_address_scope", AddressScopeUpdate)


@api.get("/subnetpools", policy="get_subnetpool")
def list_subnetpools(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    return frame.listing(SUBNETPOOL, tx, caller, request)


@api.post(
    "/subnetpools",
    policy="create_subnetpool",
    target=frame.creation_target(SUBNETPOOL),
    policies=CREATE,
    success=201,
)
def create_subnetpools(tx: Tx, caller: Caller, request: Request, body: SubnetpoolBody) -> dict[str, Any]:
    return frame.creating(SUBNETPOOL, tx, caller, request, body, lambda wish: rules.create_subnetpool(tx, caller, wish))


@api.get(POOL, policy="get_subnetpool", load=rules.visible_subnetpool, target=pool_target)
def show_subnetpool(tx: Tx, caller: Caller, request: Request, pool: SubnetpoolRow) -> dict[str, Any]:
    return frame.showing(SUBNETPOOL, tx, caller, request, pool)


@api.put(POOL, policy="update_subnetpool", policies=UPDATE, load=rules.visible_subnetpool)
def update_subnetpool(
    tx: Tx, caller: Caller, request: Request, pool: SubnetpoolRow, body: SubnetpoolUpdate
) -> dict[str, Any]:
    return frame.updating(
        SUBNETPOOL, tx, caller, request, pool, lambda: rules.update_subnetpool(tx, caller, pool, body)
    )


@api.delete(POOL, policy="delete_subnetpool", load=rules.visible_subnetpool)
def delete_subnetpool(tx: Tx, caller: Caller, request: Request, pool: SubnetpoolRow) -> None:
    frame.deleting(SUBNETPOOL, tx, caller, request, pool, lambda: rules.delete_subnetpool(tx, pool))


@api.put(f"{POOL}/add_prefixes", policy="add_prefixes", load=rules.visible_subnetpool)
def add_prefixes(tx: Tx, pool: SubnetpoolRow, request: Request, body: PrefixesBody) -> dict[str, Any]:
    frame.check_revision(request, pool)
    return {"prefixes": rules.add_prefixes(tx, pool, body.prefixes).prefixes}


@api.put(f"{POOL}/remove_prefixes", policy="remove_prefixes", load=rules.visible_subnetpool)
def remove_prefixes(tx: Tx, pool: SubnetpoolRow, request: Request, body: PrefixesBody) -> dict[str, Any]:
    frame.check_revision(request, pool)
    return {"prefixes": rules.remove_prefixes(tx, pool, body.prefixes).prefixes}


@api.get("/address-scopes", policy="get_address_scope")
def list_address_scopes(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    return frame.listing(ADDRESS_SCOPE, tx, caller, request)


@api.post(
    "/address-scopes",
    policy="create_address_scope",
    target=frame.creation_target(ADDRESS_SCOPE),
    policies=CREATE_SCOPE,
    success=201,
)
def create_address_scopes(tx: Tx, caller: Caller, request: Request, body: AddressScopeBody) -> dict[str, Any]:
    return frame.creating(
        ADDRESS_SCOPE, tx, caller, request, body, lambda wish: rules.create_address_scope(tx, caller, wish)
    )


@api.get(SCOPE, policy="get_address_scope", load=rules.visible_address_scope, target=scope_target)
def show_address_scope(tx: Tx, caller: Caller, request: Request, scope: AddressScopeRow) -> dict[str, Any]:
    return frame.showing(ADDRESS_SCOPE, tx, caller, request, scope)


@api.put(SCOPE, policy="update_address_scope", policies=UPDATE_SCOPE, load=rules.visible_address_scope)
def update_address_scope(
    tx: Tx, caller: Caller, request: Request, scope: AddressScopeRow, body: AddressScopeUpdate
) -> dict[str, Any]:
    return frame.updating(
        ADDRESS_SCOPE, tx, caller, request, scope, lambda: rules.update_address_scope(tx, scope, body)
    )


@api.delete(SCOPE, policy="delete_address_scope", load=rules.visible_address_scope)
def delete_address_scope(tx: Tx, caller: Caller, request: Request, scope: AddressScopeRow) -> None:
    frame.deleting(ADDRESS_SCOPE, tx, caller, request, scope, lambda: rules.delete_address_scope(tx, scope))
