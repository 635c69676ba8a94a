"""Address groups: named lists of prefixes for security group rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.network.api import frame
from pileus.services.network.rules import access
from pileus.services.network.rules import security_groups as rules
from pileus.services.network.service import api
from pileus.services.network.store import common
from pileus.services.network.store.nouns import ADDRESS_GROUPS
from pileus.services.network.types.common import standard
from pileus.services.network.types.rows import AddressGroupRow
from pileus.services.network.types.security_groups import (
    AddressesBody,
    AddressGroup,
    AddressGroupBody,
    AddressGroupCreate,
    AddressGroupUpdate,
)


def view(tx: Tx, caller: Caller, rows: Sequence[AddressGroupRow]) -> list[AddressGroup]:
    shared = common.shared_ids(tx, [row.id for row in rows], caller.project_id)
    return [
        AddressGroup(**standard(row), name=row.name, addresses=row.addresses, shared=row.id in shared) for row in rows
    ]


def target(tx: Tx, caller: Caller, wish: AddressGroupCreate) -> Mapping[str, Any]:
    return {"project_id": access.owner(caller, wish.project_id, wish.tenant_id)}


def group_target(tx: Tx, caller: Caller, group: AddressGroupRow) -> Mapping[str, Any]:
    """What rules on a group that is there compare."""
    return {"project_id": group.project_id, "shared": bool(common.shared_ids(tx, [group.id], caller.project_id))}


ADDRESS_GROUP = frame.Noun("address_group", "address_groups", ADDRESS_GROUPS, view, target)
PATH = "/address-groups/{address_group_id}"


@api.get("/address-groups", policy="get_address_group")
def list_address_groups(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    return frame.listing(ADDRESS_GROUP, tx, caller, request)


@api.post("/address-groups", policy="create_address_group", target=frame.creation_target(ADDRESS_GROUP), success=201)
def create_address_groups(tx: Tx, caller: Caller, request: Request, body: AddressGroupBody) -> dict[str, Any]:
    return frame.creating(
        ADDRESS_GROUP, tx, caller, request, body, lambda wish: rules.create_address_group(tx, caller, wish)
    )


@api.get(PATH, policy="get_address_group", load=rules.visible_address_group, target=group_target)
def show_address_group(tx: Tx, caller: Caller, request: Request, group: AddressGroupRow) -> dict[str, Any]:
    return frame.showing(ADDRESS_GROUP, tx, caller, request, group)


@api.put(PATH, policy="update_address_group", load=rules.visible_address_group)
def update_address_group(
    tx: Tx, caller: Caller, request: Request, group: AddressGroupRow, body: AddressGroupUpdate
) -> dict[str, Any]:
    return frame.updating(
        ADDRESS_GROUP, tx, caller, request, group, lambda: rules.update_address_group(tx, group, body)
    )


@api.delete(PATH, policy="delete_address_group", load=rules.visible_address_group)
def delete_address_group(tx: Tx, caller: Caller, request: Request, group: AddressGroupRow) -> None:
    frame.deleting(ADDRESS_GROUP, tx, caller, request, group, lambda: rules.delete_address_group(tx, group))


@api.put(f"{PATH}/add_addresses", policy="add_addresses", load=rules.visible_address_group)
def add_addresses(
    tx: Tx, caller: Caller, request: Request, group: AddressGroupRow, body: AddressesBody
) -> dict[str, Any]:
    return frame.updating(
        ADDRESS_GROUP, tx, caller, request, group, lambda: rules.add_addresses(tx, group, body.addresses)
    )


@api.put(f"{PATH}/remove_addresses", policy="remove_addresses", load=rules.visible_address_group)
def remove_addresses(
    tx: Tx, caller: Caller, request: Request, group: AddressGroupRow, body: AddressesBody
) -> dict[str, Any]:
    return frame.updating(
        ADDRESS_GROUP, tx, caller, request, group, lambda: rules.remove_addresses(tx, group, body.addresses)
    )
