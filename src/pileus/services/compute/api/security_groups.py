"""Security groups, for clients that ask compute for them: until 2.35."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from pileus.core.body import Body, Query, length
from pileus.core.context import Caller
from pileus.core.db import Database, Tx
from pileus.core.errors import BadRequest
from pileus.core.paging import limit_of
from pileus.services.compute.rules import network_proxy as rules
from pileus.services.compute.service import api
from pileus.services.compute.types.fields import check_uuid
from pileus.services.network.rules import SecurityGroupRow, SecurityGroupRuleRow, visible_security_group

LAST = "2.35"
POLICY = "os_compute_api:os-security-groups"
ONE = "/os-security-groups/{group_id}"
Port = int | Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,5}$")]


class GroupWish(Body):
    __wrap__ = "security_group"
    name: Annotated[str, length(1, 255)]
    description: Annotated[str, length(0, 255)] | None = None


class RuleWish(Body):
    __wrap__ = "security_group_rule"
    parent_group_id: str
    ip_protocol: str | None = None
    from_port: Port | None = None
    to_port: Port | None = None
    cidr: str | None = None
    group_id: str | None = None


class GroupsQuery(Query):
    limit: str | None = None
    offset: str | None = None
    all_tenants: str | None = None


def rule(row: SecurityGroupRuleRow, names: dict[str, SecurityGroupRow]) -> dict[str, Any]:
    low, high = rules.ports_shown(row)
    other = names.get(row.remote_group_id or "")
    anywhere = "::/0" if row.ethertype == "IPv6" else "0.0.0.0/0"
    return {
        "id": row.id,
        "parent_group_id": row.security_group_id,
        "ip_protocol": row.protocol,
        "from_port": low,
        "to_port": high,
        "group": {"name": other.name, "tenant_id": other.project_id} if other else {},
        "ip_range": {} if row.remote_group_id else {"cidr": row.remote_ip_prefix or anywhere},
    }


def groups(tx: Tx, caller: Caller, rows: list[SecurityGroupRow]) -> list[dict[str, Any]]:
    found = rules.rules(tx, rows)
    others = {one.remote_group_id for some in found.values() for one in some if one.remote_group_id}
    names = {row.id: row for row in rows}
    names |= {one: visible_security_group(tx, caller, one) for one in others - {*names}}
    return [
        {
            "id": row.id,
            "name": row.name,
            "description": row.description,
            "tenant_id": row.project_id,
            "rules": [rule(one, names) for one in found[row.id]],
        }
        for row in rows
    ]


def group(tx: Tx, caller: Caller, row: SecurityGroupRow) -> dict[str, Any]:
    return {"security_group": groups(tx, caller, [row])[0]}


@api.get("/os-security-groups", until=LAST, policy=f"{POLICY}:get")
def list_security_groups(db: Database, caller: Caller, query: GroupsQuery) -> dict[str, Any]:
    """It writes where a project's first look makes its default group."""
    everyone = query.all_tenants not in (None, "0", "False", "false") and caller.is_admin
    start = limit_of(query.offset, 2**31) if query.offset is not None else 0
    with db.write() as tx:
        rows = rules.groups(tx, caller, everyone)[start : start + limit_of(query.limit)]
        return {"security_groups": groups(tx, caller, rows)}


@api.post("/os-security-groups", until=LAST, policy=f"{POLICY}:create")
def create_security_group(tx: Tx, caller: Caller, body: GroupWish) -> dict[str, Any]:
    return group(tx, caller, rules.create_group(tx, caller, body.name, body.description or ""))


@api.get(ONE, until=LAST, policy=f"{POLICY}:show")
def show_security_group(tx: Tx, caller: Caller, group_id: str) -> dict[str, Any]:
    return group(tx, caller, visible_security_group(tx, caller, group_id))


@api.put(ONE, until=LAST, policy=f"{POLICY}:update")
def update_security_group(tx: Tx, caller: Caller, group_id: str, body: GroupWish) -> dict[str, Any]:
    return group(tx, caller, rules.update_group(tx, caller, group_id, body.name, body.description or ""))


@api.delete(ONE, until=LAST, policy=f"{POLICY}:delete", success=202)
def delete_security_group(tx: Tx, caller: Caller, group_id: str) -> None:
    rules.delete_group(tx, caller, group_id)


@api.post("/os-security-group-rules", until=LAST, policy=f"{POLICY}:rule:create")
def create_security_group_rule(tx: Tx, caller: Caller, body: RuleWish) -> dict[str, Any]:
    parent_id = check_uuid(body.parent_group_id, "security_group_rule.parent_group_id")
    if body.ip_protocol is None and body.group_id is None:
        raise BadRequest("security_group_rule.ip_protocol is required.")
    if body.ip_protocol is not None and (body.from_port is None or body.to_port is None):
        raise BadRequest("security_group_rule.from_port and to_port are required with ip_protocol.")
    low, high = (-1 if port is None else int(port) for port in (body.from_port, body.to_port))
    row = rules.create_rule(tx, caller, parent_id, body.ip_protocol, low, high, body.cidr, body.group_id)
    names = (
        {row.remote_group_id: visible_security_group(tx, caller, row.remote_group_id)} if row.remote_group_id else {}
    )
    return {"security_group_rule": rule(row, names)}


@api.delete("/os-security-group-rules/{rule_id}", until=LAST, policy=f"{POLICY}:rule:delete", success=202)
def delete_security_group_rule(tx: Tx, caller: Caller, rule_id: str) -> None:
    rules.delete_rule(tx, caller, rule_id)
