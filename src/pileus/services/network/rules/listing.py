"""What a caller sees, for other services that list it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.paging import Page
from pileus.services.network.rules import access
from pileus.services.network.store import nouns, security_groups
from pileus.services.network.store.collection import Collection, listed
from pileus.services.network.types.rows import FloatingIpRow, NetworkRow, SecurityGroupRow, SecurityGroupRuleRow

R = TypeVar("R", bound=msgspec.Struct)


def _seen(tx: Tx, caller: Caller, collection: Collection[R], project_id: str | None) -> list[R]:
    filters = {"project_id": [project_id]} if project_id is not None else {}
    return listed(tx, collection, caller.project_id, access.sees_all(caller), filters, Page())


def list_networks(tx: Tx, caller: Caller) -> list[NetworkRow]:
    return _seen(tx, caller, nouns.NETWORKS, None)


def list_security_groups(tx: Tx, caller: Caller, project_id: str | None) -> list[SecurityGroupRow]:
    """Of one project, or all that are seen."""
    return _seen(tx, caller, nouns.SECURITY_GROUPS, project_id)


def rules_of_security_groups(tx: Tx, ids: Sequence[str]) -> dict[str, list[SecurityGroupRuleRow]]:
    """By group."""
    return security_groups.rules_of(tx, ids)


def list_floating_ips(tx: Tx, caller: Caller, project_id: str | None) -> list[FloatingIpRow]:
    return _seen(tx, caller, nouns.FLOATING_IPS, project_id)
