"""Keypairs."""

from __future__ import annotations

from typing import Any

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Database, Tx
from pileus.core.errors import BadRequest
from pileus.core.http import Request
from pileus.core.paging import limit_of
from pileus.core.version import Version
from pileus.services.compute.rules import keypairs as rules
from pileus.services.compute.service import api
from pileus.services.compute.types import keypairs as types
from pileus.services.compute.types.fields import next_links

NONE_ARE_MADE = Version(2, 92)


def owner_in_body(caller: Caller, body: types.KeypairCreate) -> dict[str, Any]:
    return {"user_id": body.user_id or caller.user_id}


def owner_in_query(caller: Caller, query: types.KeypairQuery) -> dict[str, Any]:
    return {"user_id": query.user_id or caller.user_id}


@api.post(
    "/os-keypairs",
    policy="os_compute_api:os-keypairs:create",
    target=owner_in_body,
    success={"2.1": 200, "2.2": 201},
)
def create_keypair(db: Database, caller: Caller, body: types.KeypairCreate) -> types.KeypairMade:
    user_id = body.user_id or caller.user_id
    public, private = body.public_key, None
    if public is UNSET:
        if caller.version >= NONE_ARE_MADE:
            raise BadRequest(f"keypair.public_key is required: from compute {NONE_ARE_MADE} on no keys are made here.")
        public, private = rules.generate(body.type, caller.user_name)
    with db.write() as tx:
        row = rules.create(tx, caller, user_id, body.name, body.type, public)
    return types.KeypairMade(
        name=row.name,
        public_key=row.public_key,
        fingerprint=row.fingerprint,
        user_id=row.user_id,
        type=row.type,
        private_key=private or UNSET,
    )


@api.get("/os-keypairs", policy="os_compute_api:os-keypairs:index", target=owner_in_query)
def list_keypairs(tx: Tx, caller: Caller, request: Request, query: types.KeypairsQuery) -> types.Keypairs:
    limit = limit_of(query.limit)
    rows = rules.page(tx, query.user_id or caller.user_id, limit, query.marker)
    items = [
        types.KeypairBrief(name=row.name, public_key=row.public_key, fingerprint=row.fingerprint, type=row.type)
        for row in rows
    ]
    found = types.Keypairs(keypairs=[types.KeypairItem(keypair=item) for item in items])
    if query.limit is not None and rows and len(rows) == limit:
        found.keypairs_links = next_links(request, rows[-1].name)
    return found


@api.get("/os-keypairs/{name}", policy="os_compute_api:os-keypairs:show", target=owner_in_query)
def show_keypair(tx: Tx, caller: Caller, name: str, query: types.KeypairQuery) -> types.Keypair:
    row = rules.visible_keypair(tx, query.user_id or caller.user_id, name)
    return types.Keypair(
        id=row.number,
        name=row.name,
        public_key=row.public_key,
        fingerprint=row.fingerprint,
        user_id=row.user_id,
        type=row.type,
        created_at=row.created_at,
    )


@api.delete(
    "/os-keypairs/{name}",
    policy="os_compute_api:os-keypairs:delete",
    target=owner_in_query,
    success={"2.1": 202, "2.2": 204},
)
def delete_keypair(tx: Tx, caller: Caller, name: str, query: types.KeypairQuery) -> None:
    rules.delete(tx, caller, rules.visible_keypair(tx, query.user_id or caller.user_id, name))
