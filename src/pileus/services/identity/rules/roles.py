"""Roles, and which brings which."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pileus.core.context import Caller
from pileus.core.db import Tx, new_hex_id
from pileus.core.errors import Forbidden, NotFound
from pileus.services.identity.rules import resources
from pileus.services.identity.rules.assignments import ADMIN, found_domain
from pileus.services.identity.store import assignments as store
from pileus.services.identity.types.roles import RoleCreate, RoleRow, RoleUpdate

_TAKEN = "There is a role '{name}' already."


class Implication(msgspec.Struct):
    prior: RoleRow
    implied: RoleRow


def visible_role(tx: Tx, caller: Caller, role_id: str) -> RoleRow:
    """Raises NotFound, and Forbidden for a domain's role that the caller may not see."""
    role = resources.find(tx, RoleRow, role_id)
    if role.domain_id is not None and not caller.allows("identity:get_domain_role"):
        raise Forbidden("Policy doesn't allow identity:get_domain_role to be performed.")
    return role


def create_role(tx: Tx, caller: Caller, body: RoleCreate) -> RoleRow:
    if body.domain_id is not None:
        found_domain(tx, body.domain_id)
    options = resources.wishes(body)["options"]
    row = RoleRow(new_hex_id(), body.name, body.domain_id, body.description, options, body.extra)
    return resources.add(tx, caller, row, _TAKEN)


def update_role(tx: Tx, caller: Caller, role: RoleRow, body: RoleUpdate) -> RoleRow:
    resources.same_or_unset(role, body, "domain_id")
    values = resources.wishes(body, role)
    resources.must_be_mutable(role, values)
    return resources.change(tx, caller, role, values, _TAKEN)


def delete_role(tx: Tx, caller: Caller, role: RoleRow) -> None:
    """Its assignments and implications go with it."""
    resources.must_be_mutable(role)
    resources.remove(tx, caller, role)


def implication(tx: Tx, parameters: Mapping[str, str]) -> Implication:
    return Implication(
        resources.find(tx, RoleRow, parameters["role_id"]), resources.find(tx, RoleRow, parameters["implies_role_id"])
    )


def must_imply(tx: Tx, pair: Implication) -> None:
    if pair.implied.id not in store.implications(tx).get(pair.prior.id, ()):
        raise NotFound(f"Role {pair.prior.id} does not imply role {pair.implied.id}.")


def imply(tx: Tx, pair: Implication) -> None:
    """Raises Forbidden for the admin role, which nothing may bring, and for a domain's role below a global one."""
    if pair.prior.domain_id is None and pair.implied.domain_id is not None:
        raise Forbidden(f"Role {pair.implied.name} of a domain can't be implied by the global role {pair.prior.name}.")
    if pair.implied.name == ADMIN and pair.implied.domain_id is None:
        raise Forbidden(f"Role {ADMIN} can't be implied by another.")
    store.imply(tx, pair.prior.id, pair.implied.id)


def imply_no_more(tx: Tx, pair: Implication) -> None:
    must_imply(tx, pair)
    store.imply_no_more(tx, pair.prior.id, pair.implied.id)
