"""What each host should be, read from the rows; and who may ask for it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence

import msgspec

from pileus.core.db import Database, Tx
from pileus.core.errors import Forbidden, Unauthorized
from pileus.core.http import Request
from pileus.core.tls import Peer
from pileus.node.desired import GuestSpec, HostSpec, Nic, RootDisk, proof
from pileus.services.compute import states
from pileus.services.compute.rules import documents, hosts, interfaces
from pileus.services.compute.store import host_spec as store
from pileus.services.compute.store import servers as server_store
from pileus.services.compute.store.host_spec import HostSpecRow
from pileus.services.compute.store.hosts import HostRow
from pileus.services.compute.store.servers import ServerRow
from pileus.services.network import rules as network

TOKEN_HEADER = "x-pileus-host-token"
_WHO = "A host shows its certificate, or its token in X-Pileus-Host-Token."


def admit(tx: Tx, host: str, token: str | None = None) -> str:
    """Let a host in. The token is given once and kept as its hash; a new one replaces the one before."""
    token = token or secrets.token_urlsafe(32)
    store.set_token(tx, host, proof(token))
    return token


def hosts_let_in(tx: Tx) -> set[str]:
    """Names of those that are let in, registered or not."""
    return store.hosts(tx)


def known_host(tx: Tx, host: str, request: Request) -> HostSpecRow:
    """The host that asks, by its certificate or by its token. Raises Unauthorized or Forbidden."""
    return checked(store.host_spec_row(tx, host), host, request)


def reporting_host(tx: Tx, host: str, request: Request) -> HostRow:
    """The host that asks, as it has registered. Raises as `known_host` does, and NotFound."""
    known, registered = store.with_host(tx, host)
    checked(known, host, request)
    return hosts.there(registered, host)


def checked(row: HostSpecRow | None, host: str, request: Request) -> HostSpecRow:
    """The row of a host, where the request was made by that host. Raises Unauthorized or Forbidden."""
    if request.peer is not None:
        if row is None or not _is(request.peer, row):
            raise Forbidden(f"The certificate of '{request.peer.name}' is not that of a host '{host}' of this cloud.")
        return row
    token = request.headers.get(TOKEN_HEADER)
    if not token:
        raise Unauthorized(_WHO)
    if row is None or not hmac.compare_digest(row.token_hash, proof(token)):
        raise Forbidden(f"The token is not the one of host '{host}': let the host in with `pileus join`.")
    return row


def any_known_host(tx: Tx, request: Request) -> HostSpecRow:
    """One of the hosts, by its certificate or its token alone. Raises Unauthorized or Forbidden."""
    if request.peer is not None:
        return known_host(tx, request.peer.name, request)
    token = request.headers.get(TOKEN_HEADER)
    row = store.row_of_token(tx, proof(token)) if token else None
    if row is None:
        raise Unauthorized(_WHO)
    return row


def _is(peer: Peer, row: HostSpecRow) -> bool:
    """The certificate is of the very key with which the host joined: one of a host removed since opens nothing."""
    return peer.role == "host" and peer.name == row.host and peer.key_hash == row.key_hash


def _host_spec(tx: Tx, row: HostSpecRow, everything: Sequence[ServerRow]) -> HostSpec:
    """All that the host should be, which has these servers."""
    servers = [server for server in everything if server.task_state != states.DELETING]
    leaving = {each.id: each.action.request_id for each in everything if each not in servers and each.action}
    ports = interfaces.ports_of_servers(tx, servers)
    return HostSpec(
        host=row.host,
        revision=row.revision,
        guests=tuple(guest_spec(server, ports[server.id]) for server in servers),
        metadata_ports=tuple(network.metadata_ports(tx, [port for server in servers for port in ports[server.id]])),
        leaving=leaving,
    )


def newer_spec(db: Database, host: str, request: Request, seen: int) -> HostSpec | None:
    """The host's spec where it is not the one of revision `seen`; a spec that differs from the last gets a revision.

    Raises Unauthorized or Forbidden: the host may have been removed while it waited.
    """
    while True:
        with db.write() as tx:
            known, servers = server_store.of_host_spec(tx, host)
            row = checked(known, host, request)
            spec = _host_spec(tx, row, servers)
            digest = _digest(spec)
            if digest == row.digest:
                return spec if seen != row.revision else None
            revision = store.next_revision(tx, row, digest)
            if revision is not None:
                told = {guest.id for guest in spec.guests}
                server_store.mark_published(tx, [each.id for each in servers if each.id in told and not each.published])
                return msgspec.structs.replace(spec, revision=revision)


def _digest(spec: HostSpec) -> str:
    """Of what the host acts on: that an action has ended changes nothing for it."""
    guests = tuple(msgspec.structs.replace(guest, request_id=None) for guest in spec.guests)
    bare = msgspec.structs.replace(spec, revision=0, guests=guests, leaving={})
    return hashlib.sha256(msgspec.json.encode(bare, order="sorted")).hexdigest()


def guest_spec(server: ServerRow, ports: Sequence[network.PortDetail]) -> GuestSpec:
    properties = _hardware(server)
    flavor, image = server.flavor, server.image
    return GuestSpec(
        id=server.id,
        generation=server.generation,
        name=server.name,
        domain_name=server.instance_name,
        project_id=server.project_id,
        user_id=server.user_id,
        power=server.power,  # type: ignore[arg-type]
        vcpus=flavor.vcpus,
        memory_mb=flavor.ram,
        swap_mb=flavor.swap,
        ephemeral_gb=flavor.ephemeral,
        root=RootDisk(
            image_id=server.image_id,
            sha512=image.sha512,
            image_format=image.disk_format,
            image_size=image.size,
            size_gb=flavor.disk,
            bus=properties.get("hw_disk_bus", "virtio"),
        ),
        nics=tuple(
            Nic(
                port_id=detail.port.id,
                network_id=detail.port.network_id,
                mac=detail.port.mac_address,
                mtu=detail.network.mtu,
                model=properties.get("hw_vif_model", "virtio"),
            )
            for detail in ports
        ),
        config_drive=server.config_drive,
        reboots=server.reboots,
        hard_reboots=server.hard_reboots,
        rebuilds=server.rebuilds,
        properties=properties,
        documents=documents.build(server, ports),
        request_id=server.action.request_id if server.action else None,
    )


def _hardware(server: ServerRow) -> dict[str, str]:
    """hw_* of the image; the flavor's hw:* come after, as hw_*."""
    image = {name: value for name, value in server.image.properties.items() if name.startswith("hw_")}
    flavor = {
        name.replace(":", "_"): value for name, value in server.flavor.extra_specs.items() if name.startswith("hw:")
    }
    return image | flavor
