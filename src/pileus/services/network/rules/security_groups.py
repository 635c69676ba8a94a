"""Security groups and their rules."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx, new_id
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.services.network import addresses, protocols, tables
from pileus.services.network.rules import access, quotas
from pileus.services.network.store import common, nouns
from pileus.services.network.store import ports as port_store
from pileus.services.network.store import security_groups as store
from pileus.services.network.types.common import given
from pileus.services.network.types.rows import (
    AddressGroupRow,
    SecurityGroupRow,
    SecurityGroupRuleRow,
)
from pileus.services.network.types.security_groups import (
    AddressGroupCreate,
    AddressGroupUpdate,
    SecurityGroupCreate,
    SecurityGroupRuleCreate,
    SecurityGroupUpdate,
)

DEFAULT = "default"
_UNSET_TIME = datetime(1, 1, 1)  # noqa: DTZ001


def visible_security_group(tx: Tx, caller: Caller, security_group_id: str) -> SecurityGroupRow:
    return access.visible(tx, caller, nouns.SECURITY_GROUPS, security_group_id, "SecurityGroup")


def visible_rule(tx: Tx, caller: Caller, security_group_rule_id: str) -> SecurityGroupRuleRow:
    return access.visible(tx, caller, nouns.SECURITY_GROUP_RULES, security_group_rule_id, "SecurityGroupRule")


def visible_address_group(tx: Tx, caller: Caller, address_group_id: str) -> AddressGroupRow:
    return access.visible(tx, caller, nouns.ADDRESS_GROUPS, address_group_id, "AddressGroup")


def group_of(tx: Tx, rule: SecurityGroupRuleRow) -> SecurityGroupRow:
    found = common.find(tx, tables.security_groups, SecurityGroupRow, rule.security_group_id)
    assert found is not None
    return found


def has_default_group(tx: Tx, project_id: str) -> bool:
    return store.default_group_id(tx, project_id) is not None


def default_group(tx: Tx, project_id: str) -> str:
    """The id of the project's default group, which is made when it is first needed."""
    found = store.default_group_id(tx, project_id)
    if found is not None:
        return found
    group = _insert_group(tx, project_id, DEFAULT, "Default security group", True)
    if not store.name_default(tx, project_id, group.id):
        common.remove(tx, tables.security_groups, group.id)
        found = store.default_group_id(tx, project_id)
        assert found is not None
        return found
    for ethertype in ("IPv4", "IPv6"):
        _insert_rule(tx, group, "egress", ethertype)
        _insert_rule(tx, group, "ingress", ethertype, remote_group_id=group.id)
    quotas.given_uncounted(tx, project_id)
    return group.id


def create_security_group(tx: Tx, caller: Caller, wish: SecurityGroupCreate) -> SecurityGroupRow:
    """With the two rules that let everything out. Raises Conflict for the name of the default group."""
    project_id = access.owner(caller, wish.project_id, wish.tenant_id)
    if wish.name.lower() == DEFAULT:
        raise Conflict(
            f"Default security group already exists for project {project_id}: the name '{DEFAULT}' is its own.",
            code="SecurityGroupDefaultAlreadyExists",
        )
    default_group(tx, project_id)
    quotas.check(tx, project_id, "security_group")
    group = _insert_group(tx, project_id, wish.name, wish.description or "", wish.stateful is not False)
    for ethertype in ("IPv4", "IPv6"):
        _insert_rule(tx, group, "egress", ethertype)
    tx.wake("network")
    return group


def update_security_group(
    tx: Tx, caller: Caller, group: SecurityGroupRow, body: SecurityGroupUpdate
) -> SecurityGroupRow:
    values = given(body, "name", "stateful")
    if body.description is not UNSET:
        values["description"] = body.description or ""
    is_default = bool(store.default_group_ids(tx, [group.id]))
    if "name" in values and values["name"] != group.name and (is_default or values["name"].lower() == DEFAULT):
        raise Conflict(
            "The name of the default security group can't be changed, and no other group can have it.",
            code="SecurityGroupCannotUpdateDefault" if is_default else "SecurityGroupDefaultAlreadyExists",
        )
    if values.get("stateful", group.stateful) != group.stateful and store.ports_of(tx, group.id):
        raise Conflict(
            f"Security group {group.id} is in use by ports; 'stateful' can be changed only before.",
            code="SecurityGroupInUse",
        )
    tx.wake("network")
    for host in port_store.hosts_of_group(tx, group.id):
        tx.wake(f"host:{host}")
    return common.change(tx, tables.security_groups, group, values)


def delete_security_group(tx: Tx, caller: Caller, group: SecurityGroupRow) -> None:
    """Raises Conflict where ports use it, or where it is the default and the caller is no administrator."""
    ports = store.ports_of(tx, group.id)
    if ports:
        raise Conflict(
            f"Security group {group.id} is in use by {len(ports)} ports, the first is {ports[0]}.",
            code="SecurityGroupInUse",
        )
    if store.default_group_ids(tx, [group.id]) and not access.sees_all(caller):
        raise Conflict(
            f"Security group {group.id} is the default of its project; only an administrator can delete it.",
            code="SecurityGroupCannotRemoveDefault",
        )
    store.delete_rules(tx, group.id)
    store.forget_default(tx, group.id)
    common.remove(tx, tables.security_groups, group.id)
    tx.wake("network")


def groups_for_port(tx: Tx, caller: Caller, project_id: str, wanted: list[str] | msgspec.UnsetType | None) -> list[str]:
    """Ids that a port may have: the given ones if they are seen, else the project's default group."""
    if wanted is UNSET:
        key = ("default group for ports", project_id)
        if key not in tx.memo:
            tx.memo[key] = default_group(tx, project_id)
        return [tx.memo[key]]
    assert not isinstance(wanted, msgspec.UnsetType)
    ids = list(dict.fromkeys(wanted or []))
    found = store.existing(tx, ids, caller.project_id, access.sees_all(caller))
    for group_id in ids:
        if group_id not in found:
            raise NotFound(f"SecurityGroup {group_id[:64]} could not be found.", code="SecurityGroupNotFound")
    return ids


def create_rule(tx: Tx, caller: Caller, wish: SecurityGroupRuleCreate) -> SecurityGroupRuleRow:
    """Raises BadRequest naming what does not fit, Conflict (SecurityGroupRuleExists) for one that is there."""
    group = visible_security_group(tx, caller, wish.security_group_id)
    project_id = access.owner(caller, wish.project_id, wish.tenant_id)
    quotas.check(tx, project_id, "security_group_rule")
    row = checked_rule(wish)
    row.id, row.project_id, row.created_at, row.updated_at = new_id(), project_id, tx.now, tx.now
    if row.remote_group_id:
        visible_security_group(tx, caller, row.remote_group_id)
    if row.remote_address_group_id:
        visible_address_group(tx, caller, row.remote_address_group_id)
    for other in store.rules_of(tx, [group.id])[group.id]:
        if meaning(other) == meaning(row):
            raise Conflict(
                f"Security group rule already exists. Rule id is {other.id}.", code="SecurityGroupRuleExists"
            )
    tx.insert(tables.security_group_rules, row)
    common.touch(tx, tables.security_groups, group.id)
    tx.wake("network")
    return row


def delete_rule(tx: Tx, rule: SecurityGroupRuleRow) -> None:
    common.remove(tx, tables.security_group_rules, rule.id)
    common.touch(tx, tables.security_groups, rule.security_group_id)
    tx.wake("network")


def meaning(rule: SecurityGroupRuleRow) -> tuple[object, ...]:
    """Equal for two rules of a group that let the same through."""
    protocol = None if rule.protocol is None else protocols.number(rule.protocol, rule.ethertype)
    return (
        rule.direction,
        rule.ethertype,
        protocol,
        rule.port_range_min,
        rule.port_range_max,
        normalized_cidr(rule),
        rule.remote_group_id,
        rule.remote_address_group_id,
    )


def normalized_cidr(rule: SecurityGroupRuleRow) -> str | None:
    return str(addresses.cidr(rule.remote_ip_prefix, "remote_ip_prefix")) if rule.remote_ip_prefix else None


def checked_rule(wish: SecurityGroupRuleCreate) -> SecurityGroupRuleRow:
    """The wish as a row without id, project and times. A pure function. Raises BadRequest."""
    direction = wish.direction.lower()
    if direction not in ("ingress", "egress"):
        raise BadRequest(f"Invalid input for direction: '{wish.direction[:64]}' is neither ingress nor egress.")
    ethertype = {"ipv4": "IPv4", "ipv6": "IPv6"}.get((wish.ethertype or "IPv4").lower())
    if ethertype is None:
        raise BadRequest(f"Invalid input for ethertype: '{str(wish.ethertype)[:64]}' is neither IPv4 nor IPv6.")
    protocol = _protocol(wish.protocol, ethertype)
    low, high = _port(wish.port_range_min, "port_range_min"), _port(wish.port_range_max, "port_range_max")
    _check_ports(protocol, ethertype, low, high)
    remotes = [r for r in (wish.remote_ip_prefix, wish.remote_group_id, wish.remote_address_group_id) if r]
    if len(remotes) > 1:
        raise BadRequest(
            "Only one of remote_ip_prefix, remote_group_id and remote_address_group_id may be given.",
            code="SecurityGroupMultipleRemoteEntites",
        )
    if wish.remote_ip_prefix:
        version = addresses.cidr(wish.remote_ip_prefix, "remote_ip_prefix").version
        if f"IPv{version}" != ethertype:
            raise BadRequest(
                f"Conflicting value ethertype {ethertype} for the remote_ip_prefix {wish.remote_ip_prefix}.",
                code="SecurityGroupRuleParameterConflict",
            )
    return SecurityGroupRuleRow(
        id="",
        project_id="",
        security_group_id=wish.security_group_id,
        direction=direction,
        ethertype=ethertype,
        protocol=protocol,
        port_range_min=low,
        port_range_max=high,
        remote_ip_prefix=wish.remote_ip_prefix or None,
        remote_group_id=wish.remote_group_id or None,
        remote_address_group_id=wish.remote_address_group_id or None,
        description=wish.description or "",
        created_at=_UNSET_TIME,
        updated_at=_UNSET_TIME,
        revision_number=0,
    )


def create_address_group(tx: Tx, caller: Caller, wish: AddressGroupCreate) -> AddressGroupRow:
    row = AddressGroupRow(
        id=new_id(),
        project_id=access.owner(caller, wish.project_id, wish.tenant_id),
        name=wish.name,
        addresses=_cidrs(wish.addresses or []),
        description=wish.description or "",
        created_at=tx.now,
        updated_at=tx.now,
        revision_number=0,
    )
    tx.insert(tables.address_groups, row)
    return row


def update_address_group(tx: Tx, group: AddressGroupRow, body: AddressGroupUpdate) -> AddressGroupRow:
    values = given(body, "name")
    if body.description is not UNSET:
        values["description"] = body.description or ""
    return common.change(tx, tables.address_groups, group, values)


def add_addresses(tx: Tx, group: AddressGroupRow, more: list[str]) -> AddressGroupRow:
    new = _cidrs([*group.addresses, *more])
    tx.wake("network")
    return common.change(tx, tables.address_groups, group, {"addresses": new})


def remove_addresses(tx: Tx, group: AddressGroupRow, gone: list[str]) -> AddressGroupRow:
    unwanted = _cidrs(gone)
    missing = [a for a in unwanted if a not in group.addresses]
    if missing:
        raise NotFound(f"Address group {group.id} does not have {', '.join(missing)}.", code="AddressesNotFound")
    tx.wake("network")
    left = [a for a in group.addresses if a not in unwanted]
    return common.change(tx, tables.address_groups, group, {"addresses": left})


def delete_address_group(tx: Tx, group: AddressGroupRow) -> None:
    rule = store.rule_of_address_group(tx, group.id)
    if rule is not None:
        raise Conflict(f"Address group {group.id} is in use by security group rule {rule}.", code="AddressGroupInUse")
    common.remove(tx, tables.address_groups, group.id)


def _cidrs(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(str(addresses.cidr(text, "addresses")) for text in texts))


def _insert_group(tx: Tx, project_id: str, name: str, description: str, stateful: bool) -> SecurityGroupRow:
    group = SecurityGroupRow(new_id(), project_id, name, stateful, description, tx.now, tx.now, 1)
    tx.insert(tables.security_groups, group)
    return group


def _insert_rule(
    tx: Tx, group: SecurityGroupRow, direction: str, ethertype: str, remote_group_id: str | None = None
) -> None:
    rule = SecurityGroupRuleRow(
        id=new_id(),
        project_id=group.project_id,
        security_group_id=group.id,
        direction=direction,
        ethertype=ethertype,
        protocol=None,
        port_range_min=None,
        port_range_max=None,
        remote_ip_prefix=None,
        remote_group_id=remote_group_id,
        remote_address_group_id=None,
        description="",
        created_at=tx.now,
        updated_at=tx.now,
        revision_number=0,
    )
    tx.insert(tables.security_group_rules, rule)


def _protocol(wanted: str | int | None, ethertype: str) -> str | None:
    """As it was given, in lower case; None for any."""
    if wanted is None or str(wanted).lower() in ("", "any"):
        return None
    text = str(wanted).lower()
    if protocols.number(text, ethertype) is None:
        raise BadRequest(
            f"Security group rule protocol '{text[:64]}' is not supported: it must be a number from 0 to 255"
            f" or one of {', '.join(protocols.NUMBERS)}.",
            code="SecurityGroupRuleInvalidProtocol",
        )
    if text in protocols.IPV6_ONLY and ethertype == "IPv4":
        raise BadRequest(
            f"The protocol {text} needs the ethertype IPv6.", code="SecurityGroupEthertypeConflictWithProtocol"
        )
    return text


def _port(value: int | str | None, what: str) -> int | None:
    if value is None or value == "":
        return None
    try:
        found = int(value)
    except ValueError:
        found = -1
    if not 0 <= found <= 65535:
        raise BadRequest(
            f"Invalid value for port {str(value)[:64]}: {what} is a whole number from 0 to 65535.",
            code="SecurityGroupInvalidPortValue",
        )
    return found


def _check_ports(protocol: str | None, ethertype: str, low: int | None, high: int | None) -> None:
    if low is None and high is None:
        return
    if protocol is None:
        raise BadRequest("A port range needs a protocol.", code="SecurityGroupProtocolRequiredWithPorts")
    number = protocols.number(protocol, ethertype)
    if number in protocols.ICMP:
        for name, value in (("type", low), ("code", high)):
            if value is not None and value > 255:
                raise BadRequest(
                    f"Invalid value for ICMP {name} {value}: it is a whole number from 0 to 255.",
                    code="SecurityGroupInvalidIcmpValue",
                )
        if low is None:
            raise BadRequest(
                f"ICMP code (port-range-max) {high} is given but ICMP type (port-range-min) is missing.",
                code="SecurityGroupMissingIcmpType",
            )
    elif number in protocols.WITH_PORTS:
        if low is None or high is None or low > high or (low == 0 and number in (6, 17)):
            raise BadRequest(
                f"For TCP/UDP protocols, port_range_min must be <= port_range_max, both at least 1:"
                f" got {low} and {high}.",
                code="SecurityGroupInvalidPortRange",
            )
    else:
        raise BadRequest(
            f"The protocol {protocol} has no ports; a port range goes with dccp, sctp, tcp, udp and udplite.",
            code="SecurityGroupInvalidProtocolForPort",
        )
