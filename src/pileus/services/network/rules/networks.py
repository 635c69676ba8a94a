"""Networks: what may be made, changed, shared and deleted."""

from __future__ import annotations

from ipaddress import ip_address

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx, new_id
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.services.network import tables
from pileus.services.network.rules import access, metadata, quotas
from pileus.services.network.store import chassis as chassis_store
from pileus.services.network.store import common, nouns
from pileus.services.network.store import networks as store
from pileus.services.network.store import ports as port_store
from pileus.services.network.store import routers as router_store
from pileus.services.network.store import subnets as subnet_store
from pileus.services.network.types.common import given
from pileus.services.network.types.networks import NetworkCreate, NetworkUpdate
from pileus.services.network.types.rows import NetworkRow, SubnetRow

UNDERLAY_MTU = 1500
GENEVE_OVERHEAD = {4: 58, 6: 78}
"""Bytes, by the underlay's IP version: IP 20 or 40, UDP 8, Geneve 16 with OVN's option, inner Ethernet 14."""
PHYSICAL_NETWORKS = ("public",)
"""Names of networks outside of Pileus that hosts are wired to (OVN's bridge mappings)."""
ZONE = "nova"
_VLANS = range(1, 4095)
_TUNNELS = range(1, 65536)


def visible_network(tx: Tx, caller: Caller, network_id: str) -> NetworkRow:
    return access.visible(tx, caller, nouns.NETWORKS, network_id, "Network")


def network_for_ports(tx: Tx, caller: Caller, network_id: str) -> tuple[NetworkRow, list[SubnetRow]]:
    """`visible_network` and its subnets, read once for all the ports that a request makes on it."""
    key = ("network for ports", network_id, caller.user_id, caller.project_id)
    if key not in tx.memo:
        found = store.seen_with_subnets(tx, network_id[:64], caller.project_id, access.sees_all(caller))
        if found is None:
            raise access.not_found("Network", network_id)
        tx.memo[key] = found
    network, subnets = tx.memo[key]
    return network, subnets


def create_network(tx: Tx, caller: Caller, wish: NetworkCreate) -> NetworkRow:
    """Raises Conflict (OverQuota, VlanIdInUse, FlatNetworkInUse, ...) or BadRequest (InvalidInput)."""
    project_id = access.owner(caller, wish.project_id, wish.tenant_id)
    quotas.check(tx, project_id, "network")
    kind, physical, segment = _segment(tx, wish)
    external = wish.router_external is True
    row = NetworkRow(
        id=new_id(),
        project_id=project_id,
        name=wish.name,
        admin_state_up=wish.admin_state_up,
        external=external,
        is_default=_as_default(tx, external, wish.is_default is True),
        mtu=_mtu(tx, kind, wish.mtu or 0),
        port_security_enabled=wish.port_security_enabled is not False,
        dns_domain=wish.dns_domain or "",
        availability_zone_hints=zone_hints(wish.availability_zone_hints or []),
        network_type=kind,
        physical_network=physical,
        segmentation_id=segment,
        description=wish.description or "",
        created_at=tx.now,
        updated_at=tx.now,
        revision_number=1,
    )
    while not tx.insert_new(tables.networks, row):
        _, _, row.segmentation_id = _segment(tx, wish)
    common.share(tx, row.id, "network", project_id, "access_as_external", external)
    common.share(tx, row.id, "network", project_id, "access_as_shared", wish.shared is True)
    tx.wake("network")
    return row


def update_network(tx: Tx, caller: Caller, network: NetworkRow, body: NetworkUpdate) -> NetworkRow:
    """Raises Conflict where others use what would no longer be shared or external."""
    values = given(body, "name", "admin_state_up", "port_security_enabled", "dns_domain")
    if body.description is not UNSET:
        values["description"] = body.description or ""
    if body.mtu is not UNSET:
        values["mtu"] = _mtu(tx, network.network_type, body.mtu or 0)
    if body.router_external is not UNSET and body.router_external != network.external:
        values["external"] = _made_external(tx, network, body.router_external is True)
    if body.is_default is not UNSET:
        values["is_default"] = _as_default(tx, values.get("external", network.external), body.is_default is True)
    if body.shared is not UNSET:
        if not body.shared:
            _unshare(tx, network)
        common.share(tx, network.id, "network", network.project_id, "access_as_shared", body.shared is True)
    tx.wake("network")
    metadata.wake_hosts(tx, network.id)
    return common.change(tx, tables.networks, network, values)


def delete_network(tx: Tx, caller: Caller, network: NetworkRow) -> None:
    """With its subnets, and floating IPs that lead nowhere. Raises Conflict (NetworkInUse) where ports other than its own are on it."""
    floating = router_store.floating_ips_on(tx, network.id)
    goes_too = {row.floating_port_id for row in floating if row.port_id is None}
    ports = port_store.of_network(tx, network.id)
    blocking = [port for port in ports if port.device_owner not in metadata.OWN_PORTS and port.id not in goes_too]
    if blocking:
        raise Conflict(
            f"Unable to complete operation on network {network.id}. There are one or more ports still in use on the network:"
            f" {len(blocking)}, the first is {blocking[0].id} of {blocking[0].device_owner or 'no device'}.",
            code="NetworkInUse",
        )
    for row in floating:
        common.remove(tx, tables.floating_ips, row.id)
    for port in ports:
        metadata.drop(tx, port)
    for subnet in subnet_store.of_networks(tx, [network.id]):
        common.remove(tx, tables.subnets, subnet.id)
    common.remove(tx, tables.networks, network.id)
    tx.wake("network")


def default_networks(tx: Tx, caller: Caller) -> list[NetworkRow]:
    """Networks that a server of the caller's project may be put on when it names none: its own and shared ones."""
    return store.usable(tx, caller.project_id) if caller.project_id else []


def found(tx: Tx, network_id: str) -> NetworkRow | None:
    return common.find(tx, tables.networks, NetworkRow, network_id)


def check_not_external_used(tx: Tx, network: NetworkRow) -> None:
    """Raises Conflict while the network has gateways or floating IPs."""
    in_use = ("network:router_gateway", "network:floatingip")
    if any(port.device_owner in in_use for port in port_store.of_network(tx, network.id)):
        raise Conflict(
            f"Network {network.id} has router gateways or floating IPs; it can't stop being external.",
            code="ExternalNetworkInUse",
        )


def zone_hints(hints: list[str]) -> list[str]:
    for hint in hints:
        if hint != ZONE:
            raise NotFound(
                f"AvailabilityZone {hint[:64]} could not be found; there is {ZONE}.", code="AvailabilityZoneNotFound"
            )
    return hints


def _as_default(tx: Tx, external: bool, wanted: bool) -> bool:
    """One external network at most is the default."""
    if wanted and external:
        store.forget_default(tx)
    return wanted and external


def _made_external(tx: Tx, network: NetworkRow, external: bool) -> bool:
    if not external:
        check_not_external_used(tx, network)
    common.share(tx, network.id, "network", network.project_id, "access_as_external", external)
    return external


def _unshare(tx: Tx, network: NetworkRow) -> None:
    kept = {network.project_id, *store.rbac_targets(tx, network.id, "access_as_shared")}
    others = [p for p in store.other_projects_using(tx, network.id, network.project_id) if p not in kept]
    if others:
        raise Conflict(
            f"Network {network.id} can't stop being shared: projects {', '.join(others[:5])} have ports on it.",
            code="InvalidSharedSetting",
        )


def largest_mtu(tx: Tx, kind: str) -> int:
    """What every host's underlay carries, less the tunnel's header (story W07)."""
    if kind != "geneve":
        return UNDERLAY_MTU
    underlays = chassis_store.underlays(tx)
    return min(
        (mtu - tunnel_overhead(address) for address, mtu in underlays), default=UNDERLAY_MTU - GENEVE_OVERHEAD[4]
    )


def underlay_mtu_in_use(tx: Tx) -> int:
    """What an underlay must carry for the tunnelled networks that are there; 0 without any."""
    overhead = max((tunnel_overhead(address) for address, _ in chassis_store.underlays(tx)), default=GENEVE_OVERHEAD[4])
    most = store.largest_mtu_of(tx, "geneve")
    return most + overhead if most else 0


def tunnel_overhead(address: str) -> int:
    """Of tunnels that lead to this address of a host."""
    return GENEVE_OVERHEAD[ip_address(address).version]


def _mtu(tx: Tx, kind: str, wanted: int) -> int:
    largest = largest_mtu(tx, kind)
    if wanted and not 68 <= wanted <= largest:
        raise BadRequest(
            f"Invalid input for mtu: {wanted} is not within 68 and {largest}, the most that a {kind} network can carry.",
            code="InvalidInput",
        )
    return wanted or largest


def _segment(tx: Tx, wish: NetworkCreate) -> tuple[str, str, int | None]:
    """Network type, physical network and segmentation ID."""
    kind = wish.provider_network_type or "geneve"
    physical = wish.provider_physical_network or ""
    segment = wish.provider_segmentation_id or None
    if kind not in ("geneve", "vlan", "flat", "local"):
        raise BadRequest(
            f"Invalid input for provider:network_type: '{kind}' is not one of geneve, vlan, flat, local.",
            code="InvalidInput",
        )
    if (physical != "") != (kind in ("vlan", "flat")):
        raise BadRequest(
            f"Invalid input for provider:physical_network: a {kind} network {'has none' if physical else 'needs one'}.",
            code="InvalidInput",
        )
    if physical and physical not in PHYSICAL_NETWORKS:
        raise BadRequest(
            f"Invalid input for provider:physical_network: '{physical}' is not one of {', '.join(PHYSICAL_NETWORKS)}.",
            code="InvalidInput",
        )
    if kind in ("flat", "local"):
        if segment is not None:
            raise BadRequest(
                f"Invalid input for provider:segmentation_id: a {kind} network has none.", code="InvalidInput"
            )
        held = store.of_physical(tx, kind, physical) if kind == "flat" else None
        if held is not None:
            raise Conflict(
                f"Physical network {physical} carries flat network {held.id} already.", code="FlatNetworkInUse"
            )
        return kind, physical, None
    return kind, physical, _segmentation_id(tx, kind, physical, segment)


def _segmentation_id(tx: Tx, kind: str, physical: str, wanted: int | None) -> int:
    possible = _VLANS if kind == "vlan" else _TUNNELS
    taken = store.segmentation_ids(tx, kind, physical)
    if wanted is not None:
        if wanted not in possible:
            raise BadRequest(
                f"Invalid input for provider:segmentation_id: {wanted} is not within {possible[0]} and {possible[-1]}.",
                code="InvalidInput",
            )
        if wanted in taken:
            raise Conflict(
                f"The segmentation ID {wanted} is in use.", code="VlanIdInUse" if kind == "vlan" else "TunnelIdInUse"
            )
        return wanted
    if not taken or taken[-1] < possible[-1]:
        return taken[-1] + 1 if taken else possible[0]
    free = sorted(set(possible) - set(taken))
    if not free:
        raise Conflict(f"All {len(possible)} segmentation IDs of {kind} are in use.", code="NoNetworkAvailable")
    return free[0]
