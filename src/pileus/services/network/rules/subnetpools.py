"""Subnet pools: prefixes from which subnets are cut; and address scopes."""

from __future__ import annotations

import ipaddress

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx, new_id
from pileus.core.errors import BadRequest, Conflict
from pileus.services.network import addresses, tables
from pileus.services.network.rules import access, quotas
from pileus.services.network.store import common, nouns
from pileus.services.network.store import subnetpools as store
from pileus.services.network.store import subnets as subnet_store
from pileus.services.network.types.common import given
from pileus.services.network.types.rows import AddressScopeRow, SubnetpoolRow
from pileus.services.network.types.subnetpools import (
    AddressScopeCreate,
    AddressScopeUpdate,
    SubnetpoolCreate,
    SubnetpoolUpdate,
)
from pileus.services.network.types.subnets import SubnetCreate

_SMALLEST = {4: 8, 6: 64}
"""min_prefixlen where none is given."""


def visible_subnetpool(tx: Tx, caller: Caller, subnetpool_id: str) -> SubnetpoolRow:
    return access.visible(tx, caller, nouns.SUBNETPOOLS, subnetpool_id, "SubnetPool")


def visible_address_scope(tx: Tx, caller: Caller, address_scope_id: str) -> AddressScopeRow:
    return access.visible(tx, caller, nouns.ADDRESS_SCOPES, address_scope_id, "AddressScope")


def create_subnetpool(tx: Tx, caller: Caller, wish: SubnetpoolCreate) -> SubnetpoolRow:
    project_id = access.owner(caller, wish.project_id, wish.tenant_id)
    quotas.check(tx, project_id, "subnetpool")
    version, prefixes = _prefixes(wish.prefixes)
    smallest = wish.min_prefixlen if isinstance(wish.min_prefixlen, int) else _SMALLEST[version]
    row = SubnetpoolRow(
        id=new_id(),
        project_id=project_id,
        name=wish.name,
        ip_version=version,
        prefixes=prefixes,
        default_prefixlen=wish.default_prefixlen if isinstance(wish.default_prefixlen, int) else smallest,
        min_prefixlen=smallest,
        max_prefixlen=wish.max_prefixlen if isinstance(wish.max_prefixlen, int) else (32 if version == 4 else 128),
        default_quota=wish.default_quota if isinstance(wish.default_quota, int) else None,
        is_default=wish.is_default is True,
        address_scope_id=wish.address_scope_id or None,
        description=wish.description or "",
        created_at=tx.now,
        updated_at=tx.now,
        revision_number=0,
    )
    _check_lengths(row)
    _check_default(tx, row)
    _check_scope(tx, caller, row)
    tx.insert(tables.subnetpools, row)
    common.share(tx, row.id, "subnetpool", project_id, "access_as_shared", wish.shared is True)
    return row


def update_subnetpool(tx: Tx, caller: Caller, subnetpool: SubnetpoolRow, body: SubnetpoolUpdate) -> SubnetpoolRow:
    values = given(
        body, "name", "default_prefixlen", "min_prefixlen", "max_prefixlen", "default_quota", "is_default"
    ) | given(body, "address_scope_id")
    if body.description is not UNSET:
        values["description"] = body.description or ""
    if isinstance(body.prefixes, list):
        version, prefixes = _prefixes(body.prefixes)
        if version != subnetpool.ip_version:
            raise BadRequest(
                f"The prefixes of subnet pool {subnetpool.id} are of IPv{subnetpool.ip_version}.",
                code="PrefixVersionMismatch",
            )
        lost = [p for p in subnetpool.prefixes if not _within(p, prefixes)]
        if lost:
            raise BadRequest(
                f"Prefixes can only be added here; {', '.join(lost)} would be lost.",
                code="IllegalSubnetPoolPrefixUpdate",
            )
        values["prefixes"] = prefixes
    new = common.change(tx, tables.subnetpools, subnetpool, values)
    _check_lengths(new)
    _check_default(tx, new)
    _check_scope(tx, caller, new)
    return new


def add_prefixes(tx: Tx, subnetpool: SubnetpoolRow, prefixes: list[str]) -> SubnetpoolRow:
    version, new = _prefixes([*subnetpool.prefixes, *prefixes])
    assert version == subnetpool.ip_version
    return common.change(tx, tables.subnetpools, subnetpool, {"prefixes": new})


def remove_prefixes(tx: Tx, subnetpool: SubnetpoolRow, prefixes: list[str]) -> SubnetpoolRow:
    """Raises Conflict where a subnet was cut from what would go."""
    _, gone = _prefixes(prefixes)
    left: list[addresses.Cidr] = [ipaddress.ip_network(p) for p in subnetpool.prefixes]
    for prefix in map(ipaddress.ip_network, gone):
        if not _within(str(prefix), subnetpool.prefixes):
            raise BadRequest(f"{prefix} is not in subnet pool {subnetpool.id}.", code="IllegalSubnetPoolPrefixUpdate")
        left = [rest for whole in left for rest in _without(whole, prefix)]
    kept = [str(p) for p in left]
    for subnet in subnet_store.of_pool(tx, subnetpool.id):
        if not _within(subnet.cidr, kept):
            raise Conflict(
                f"Subnet {subnet.id} has {subnet.cidr} of the prefixes that would go.",
                code="IllegalSubnetPoolPrefixUpdate",
            )
    if not kept:
        raise BadRequest("A subnet pool keeps at least one prefix.", code="IllegalSubnetPoolPrefixUpdate")
    return common.change(tx, tables.subnetpools, subnetpool, {"prefixes": _prefixes(kept)[1]})


def delete_subnetpool(tx: Tx, subnetpool: SubnetpoolRow) -> None:
    subnets = subnet_store.of_pool(tx, subnetpool.id)
    if subnets:
        raise Conflict(
            f"Subnet pool {subnetpool.id} is in use by {len(subnets)} subnets, the first is {subnets[0].id}.",
            code="SubnetPoolInUse",
        )
    common.remove(tx, tables.subnetpools, subnetpool.id)


def pool_for(tx: Tx, caller: Caller, wish: SubnetCreate) -> SubnetpoolRow | None:
    """The subnet pool that a new subnet is to be cut from, if it is to be."""
    if wish.subnetpool_id:
        if wish.use_default_subnetpool:
            raise BadRequest("subnetpool_id and use_default_subnetpool exclude each other.")
        return visible_subnetpool(tx, caller, wish.subnetpool_id)
    if not wish.use_default_subnetpool:
        return None
    found = store.default_of(tx, wish.ip_version)
    if found is None:
        raise BadRequest(f"There is no default subnet pool of IPv{wish.ip_version}.", code="InvalidInput")
    return found


def allocate(tx: Tx, caller: Caller, pool: SubnetpoolRow, wish: SubnetCreate) -> addresses.Cidr:
    """The prefix that was asked for, or the next free one of the length that was asked for."""
    if pool.ip_version != wish.ip_version:
        raise BadRequest(f"Subnet pool {pool.id} is of IPv{pool.ip_version}.", code="InvalidInput")
    if wish.allocation_pools is not UNSET and not wish.cidr:
        raise BadRequest("allocation_pools need a cidr beside the subnetpool_id.")
    taken = [subnet.cidr for subnet in subnet_store.of_pool(tx, pool.id)]
    cidr = addresses.cidr(wish.cidr, "cidr") if wish.cidr else None
    length = cidr.prefixlen if cidr else _length(wish, pool)
    if not pool.min_prefixlen <= length <= pool.max_prefixlen:
        small = length < pool.min_prefixlen
        raise BadRequest(
            f"A prefix of {length} bits is not within {pool.min_prefixlen} and {pool.max_prefixlen} of subnet pool {pool.id}.",
            code="MinPrefixSubnetAllocationError" if small else "MaxPrefixSubnetAllocationError",
        )
    if cidr is not None:
        if not _within(str(cidr), pool.prefixes):
            raise BadRequest(
                f"{cidr} is not within the prefixes of subnet pool {pool.id}.", code="SubnetAllocationError"
            )
        if any(cidr.overlaps(ipaddress.ip_network(other)) for other in taken):
            raise Conflict(f"{cidr} overlaps with a subnet of pool {pool.id}.", code="SubnetAllocationError")
        return cidr
    _check_quota(tx, caller, pool, length)
    found = addresses.free_prefix(pool.prefixes, taken, length)
    if found is None:
        raise Conflict(f"Subnet pool {pool.id} has no free prefix of {length} bits left.", code="SubnetAllocationError")
    return ipaddress.ip_network(found)


def create_address_scope(tx: Tx, caller: Caller, wish: AddressScopeCreate) -> AddressScopeRow:
    row = AddressScopeRow(
        id=new_id(),
        project_id=access.owner(caller, wish.project_id, wish.tenant_id),
        name=wish.name,
        ip_version=wish.ip_version,
        description=wish.description or "",
        created_at=tx.now,
        updated_at=tx.now,
        revision_number=0,
    )
    tx.insert(tables.address_scopes, row)
    common.share(tx, row.id, "address_scope", row.project_id, "access_as_shared", wish.shared is True)
    return row


def update_address_scope(tx: Tx, scope: AddressScopeRow, body: AddressScopeUpdate) -> AddressScopeRow:
    if isinstance(body.shared, bool):
        if not body.shared and common.shared_ids(tx, [scope.id], None):
            raise BadRequest("An address scope that is shared stays shared.", code="AddressScopeUpdateError")
        common.share(tx, scope.id, "address_scope", scope.project_id, "access_as_shared", body.shared)
    return common.change(tx, tables.address_scopes, scope, given(body, "name"))


def delete_address_scope(tx: Tx, scope: AddressScopeRow) -> None:
    pools = store.of_scope(tx, scope.id)
    if pools:
        raise Conflict(f"Address scope {scope.id} is in use by subnet pool {pools[0].id}.", code="AddressScopeInUse")
    common.remove(tx, tables.address_scopes, scope.id)


def _length(wish: SubnetCreate, pool: SubnetpoolRow) -> int:
    return wish.prefixlen if isinstance(wish.prefixlen, int) else pool.default_prefixlen


def _prefixes(given_prefixes: list[str]) -> tuple[int, list[str]]:
    """IP version and the prefixes, adjacent ones made one. Raises BadRequest where versions are mixed."""
    found = [addresses.cidr(text, "prefixes") for text in given_prefixes]
    versions = {network.version for network in found}
    if len(versions) != 1:
        raise BadRequest("The prefixes of a subnet pool are of one IP version.", code="PrefixVersionMismatch")
    return versions.pop(), [str(network) for network in ipaddress.collapse_addresses(found)]  # type: ignore[type-var]


def _within(prefix: str, prefixes: list[str]) -> bool:
    inner = ipaddress.ip_network(prefix)
    return any(inner.subnet_of(ipaddress.ip_network(outer)) for outer in prefixes)  # type: ignore[arg-type]


def _without(whole: addresses.Cidr, part: addresses.Cidr) -> list[addresses.Cidr]:
    if not part.subnet_of(whole):  # type: ignore[arg-type]
        return [whole]
    return list(whole.address_exclude(part)) if part != whole else []  # type: ignore[arg-type]


def _check_lengths(pool: SubnetpoolRow) -> None:
    most = 32 if pool.ip_version == 4 else 128
    if not pool.min_prefixlen <= pool.default_prefixlen <= pool.max_prefixlen <= most:
        raise BadRequest(
            f"min_prefixlen {pool.min_prefixlen} <= default_prefixlen {pool.default_prefixlen} <= max_prefixlen"
            f" {pool.max_prefixlen} <= {most} must hold.",
            code="IllegalSubnetPoolPrefixBounds",
        )


def _check_default(tx: Tx, pool: SubnetpoolRow) -> None:
    if pool.is_default:
        held = store.default_of(tx, pool.ip_version)
        if held is not None and held.id != pool.id:
            raise BadRequest(
                f"Subnet pool {held.id} is the default of IPv{pool.ip_version} already.", code="InvalidInput"
            )


def _check_scope(tx: Tx, caller: Caller, pool: SubnetpoolRow) -> None:
    """A pool is of its scope's IP version and overlaps with no other pool of the scope."""
    if pool.address_scope_id is None:
        return
    scope = visible_address_scope(tx, caller, pool.address_scope_id)
    if scope.ip_version != pool.ip_version:
        raise BadRequest(
            f"Address scope {scope.id} is of IPv{scope.ip_version}.", code="IllegalSubnetPoolIpVersionAssociation"
        )
    mine = [ipaddress.ip_network(p) for p in pool.prefixes]
    for other in store.of_scope(tx, scope.id):
        if other.id != pool.id and any(a.overlaps(ipaddress.ip_network(b)) for a in mine for b in other.prefixes):
            raise Conflict(
                f"The prefixes overlap with those of subnet pool {other.id} of the same address scope.",
                code="AddressScopePrefixConflict",
            )


def _check_quota(tx: Tx, caller: Caller, pool: SubnetpoolRow, length: int) -> None:
    """default_quota counts addresses for IPv4 and /64s for IPv6, per pool and project."""
    if pool.default_quota is None:
        return
    unit = 32 if pool.ip_version == 4 else 64

    def size(bits: int) -> int:
        return 1 << max(unit - bits, 0)

    mine = [subnet for subnet in subnet_store.of_pool(tx, pool.id) if subnet.project_id == caller.project_id]
    used = sum(size(int(subnet.cidr.split("/")[1])) for subnet in mine)
    if used + size(length) > pool.default_quota:
        raise Conflict(
            f"Subnet pool {pool.id} gives {pool.default_quota} to a project; {used} are in use.",
            code="SubnetPoolQuotaExceeded",
        )
