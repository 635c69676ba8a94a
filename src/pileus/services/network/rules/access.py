"""Who sees what. What is not seen is not found; what is seen and may not be changed is forbidden (by policy, in dispatch)."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from pileus.core.body import Unset
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound
from pileus.services.network.store import common
from pileus.services.network.store.collection import Collection

R = TypeVar("R", bound=msgspec.Struct)


def sees_all(caller: Caller) -> bool:
    return not caller.roles.isdisjoint({"admin", "service"})


def visible(tx: Tx, caller: Caller, collection: Collection[R], row_id: str, title: str) -> R:
    """Raises NotFound, of the type `<title>NotFound`."""
    seen = None if sees_all(caller) else collection.seen_by(caller.project_id)
    found = common.find_seen(tx, collection.table, collection.row, row_id[:64], seen)
    if found is None:
        raise not_found(title, row_id)
    return found


def not_found(title: str, row_id: str) -> NotFound:
    return NotFound(f"{title} {row_id[:64]} could not be found.", code=f"{title}NotFound")


def owner(caller: Caller, project_id: str | Unset, tenant_id: str | Unset) -> str:
    """Whose a new thing will be. Raises BadRequest where a caller who is no administrator asks for another project."""
    wanted = project_id or tenant_id or caller.project_id or ""
    if project_id and tenant_id and project_id != tenant_id:
        raise BadRequest("'project_id' and 'tenant_id' do not match.")
    if wanted != caller.project_id and not sees_all(caller):
        raise BadRequest(
            f"Specifying a project_id other than that of your token ({caller.project_id}) takes the admin role."
        )
    assert isinstance(wanted, str)
    return wanted
