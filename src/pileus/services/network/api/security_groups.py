"""Security groups and their rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Database, Tx
from pileus.core.http import Request
from pileus.services.network.api import frame
from pileus.services.network.rules import access
from pileus.services.network.rules import security_groups as rules
from pileus.services.network.service import api
from pileus.services.network.store import common
from pileus.services.network.store import security_groups as store
from pileus.services.network.store.nouns import SECURITY_GROUP_RULES, SECURITY_GROUPS
from pileus.services.network.types.common import standard
from pileus.services.network.types.rows import SecurityGroupRow, SecurityGroupRuleRow
from pileus.services.network.types.security_groups import (
    SecurityGroup,
    SecurityGroupBody,
    SecurityGroupCreate,
    SecurityGroupRule,
    SecurityGroupRuleBody,
    SecurityGroupRuleCreate,
    SecurityGroupUpdate,
)


def rule_view(tx: Tx, caller: Caller, rows: Sequence[SecurityGroupRuleRow]) -> list[SecurityGroupRule]:
    defaults = store.default_group_ids(tx, sorted({row.security_group_id for row in rows}))
    return [
        SecurityGroupRule(
            **standard(row),
            security_group_id=row.security_group_id,
            direction=row.direction,
            ethertype=row.ethertype,
            protocol=row.protocol,
            port_range_min=row.port_range_min,
            port_range_max=row.port_range_max,
            remote_ip_prefix=row.remote_ip_prefix,
            normalized_cidr=rules.normalized_cidr(row),
            remote_group_id=row.remote_group_id,
            remote_address_group_id=row.remote_address_group_id,
            belongs_to_default_sg=row.security_group_id in defaults,
        )
        for row in rows
    ]


def view(tx: Tx, caller: Caller, rows: Sequence[SecurityGroupRow]) -> list[SecurityGroup]:
    ids = [row.id for row in rows]
    tags, shared = common.tags_of(tx, ids), common.shared_ids(tx, ids, caller.project_id)
    inside = store.rules_of(tx, ids)
    shown = {reply.id: reply for reply in rule_view(tx, caller, [rule for group in inside.values() for rule in group])}
    return [
        SecurityGroup(
            **standard(row),
            name=row.name,
            stateful=row.stateful,
            shared=row.id in shared,
            security_group_rules=[shown[rule.id] for rule in inside[row.id]],
            tags=tags[row.id],
        )
        for row in rows
    ]


def target(tx: Tx, caller: Caller, wish: SecurityGroupCreate) -> Mapping[str, Any]:
    return {"project_id": access.owner(caller, wish.project_id, wish.tenant_id)}


def group_target(tx: Tx, caller: Caller, security_group: SecurityGroupRow) -> Mapping[str, Any]:
    """What rules on a group that is there compare."""
    shared = common.shared_ids(tx, [security_group.id], caller.project_id)
    return {"project_id": security_group.project_id, "shared": bool(shared)}


def rule_wish_target(tx: Tx, caller: Caller, wish: SecurityGroupRuleCreate) -> Mapping[str, Any]:
    group = rules.visible_security_group(tx, caller, wish.security_group_id)
    project_id = access.owner(caller, wish.project_id, wish.tenant_id)
    return {"project_id": project_id, "security_group:project_id": group.project_id}


def rule_target(tx: Tx, rule: SecurityGroupRuleRow) -> Mapping[str, Any]:
    """What rules on a rule that is there compare."""
    group = rules.group_of(tx, rule)
    return {"project_id": rule.project_id, "security_group:project_id": group.project_id}


SECURITY_GROUP = frame.Noun("security_group", "security_groups", SECURITY_GROUPS, view, target)
RULE = frame.Noun("security_group_rule", "security_group_rules", SECURITY_GROUP_RULES, rule_view, rule_wish_target)
CREATE = frame.attribute_rules("create_security_group", SecurityGroupCreate, "security_group")


@api.get("/security-groups", policy="get_security_group")
def list_security_groups(db: Database, caller: Caller, request: Request) -> dict[str, Any]:
    """The project's groups; its default group is made where nobody has needed it before."""
    with db.read() as tx:
        ready = caller.project_id is None or rules.has_default_group(tx, caller.project_id)
        if ready:
            return frame.listing(SECURITY_GROUP, tx, caller, request)
    with db.write() as tx:
        assert caller.project_id is not None
        rules.default_group(tx, caller.project_id)
        return frame.listing(SECURITY_GROUP, tx, caller, request)


@api.post(
    "/security-groups",
    policy="create_security_group",
    target=frame.creation_target(SECURITY_GROUP),
    policies=CREATE,
    success=201,
)
def create_security_groups(tx: Tx, caller: Caller, request: Request, body: SecurityGroupBody) -> dict[str, Any]:
    return frame.creating(
        SECURITY_GROUP, tx, caller, request, body, lambda wish: rules.create_security_group(tx, caller, wish)
    )


@api.get(
    "/security-groups/{security_group_id}",
    policy="get_security_group",
    load=rules.visible_security_group,
    target=group_target,
)
def show_security_group(tx: Tx, caller: Caller, request: Request, security_group: SecurityGroupRow) -> dict[str, Any]:
    return frame.showing(SECURITY_GROUP, tx, caller, request, security_group)


@api.put("/security-groups/{security_group_id}", policy="update_security_group", load=rules.visible_security_group)
def update_security_group(
    tx: Tx, caller: Caller, request: Request, security_group: SecurityGroupRow, body: SecurityGroupUpdate
) -> dict[str, Any]:
    def update() -> SecurityGroupRow:
        return rules.update_security_group(tx, caller, security_group, body)

    return frame.updating(SECURITY_GROUP, tx, caller, request, security_group, update)


@api.delete("/security-groups/{security_group_id}", policy="delete_security_group", load=rules.visible_security_group)
def delete_security_group(tx: Tx, caller: Caller, request: Request, security_group: SecurityGroupRow) -> None:
    def delete() -> None:
        rules.delete_security_group(tx, caller, security_group)

    frame.deleting(SECURITY_GROUP, tx, caller, request, security_group, delete)


def own_target(caller: Caller) -> Mapping[str, Any]:
    return {"project_id": caller.project_id, "security_group:project_id": caller.project_id}


@api.get("/security-group-rules", policy="get_security_group_rule", target=own_target)
def list_security_group_rules(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    return frame.listing(RULE, tx, caller, request)


@api.post(
    "/security-group-rules",
    policy="create_security_group_rule",
    target=frame.creation_target(RULE),
    success=201,
)
def create_security_group_rules(
    tx: Tx, caller: Caller, request: Request, body: SecurityGroupRuleBody
) -> dict[str, Any]:
    return frame.creating(RULE, tx, caller, request, body, lambda wish: rules.create_rule(tx, caller, wish))


@api.get(
    "/security-group-rules/{security_group_rule_id}",
    policy="get_security_group_rule",
    load=rules.visible_rule,
    target=rule_target,
)
def show_security_group_rule(tx: Tx, caller: Caller, request: Request, rule: SecurityGroupRuleRow) -> dict[str, Any]:
    return frame.showing(RULE, tx, caller, request, rule)


@api.delete(
    "/security-group-rules/{security_group_rule_id}",
    policy="delete_security_group_rule",
    load=rules.visible_rule,
    target=rule_target,
)
def delete_security_group_rule(tx: Tx, caller: Caller, request: Request, rule: SecurityGroupRuleRow) -> None:
    frame.deleting(RULE, tx, caller, request, rule, lambda: rules.delete_rule(tx, rule))
