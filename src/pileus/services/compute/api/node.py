"""The hosts' API: see pileus.node.desired. A host shows its own certificate or token; users have no business here."""

from __future__ import annotations

import asyncio
import time

import msgspec

from pileus.core.body import Query
from pileus.core.config import Settings
from pileus.core.context import system_caller
from pileus.core.db import Database, Tx
from pileus.core.errors import BadRequest, plain_shape
from pileus.core.http import Request, Response, Service, Stream
from pileus.core.watch import Watch
from pileus.node.desired import (
    Certificate,
    CertificateRequest,
    CloudAuthority,
    ControlKeys,
    ControlRequest,
    HostFacts,
    HostStatus,
    JoinRequest,
    Membership,
)
from pileus.services.compute.rules import control, hosts, join, reports, servers, specs
from pileus.services.compute.rules.alive import Alive
from pileus.services.compute.rules.known import Known
from pileus.services.compute.rules.looks import Looks
from pileus.services.compute.store.host_spec import HostSpecRow
from pileus.services.compute.store.hosts import HostRow
from pileus.services.image import rules as image
from pileus.services.image import send, stores
from pileus.services.network import rules as network

api = Service("node", "/node/v1", plain_shape, www_authenticate=False, quiet=True)
LONGEST_WAIT = 60.0
alive = Alive()
known_hosts = Known()
looks = Looks()
GATHER = 0.01
"""Seconds after a change in which others may follow: a burst of changes is told in few specs."""


class SpecQuery(Query):
    seen: int = -1
    wait: float = 0.0


@api.get("/authority", public=True)
def show_authority(tx: Tx, settings: Settings) -> CloudAuthority:
    """The certificate of the cloud's authority."""
    return CloudAuthority(
        certificate=join.authority_certificate(tx), mode=settings.mode, mtu=network.underlay_mtu_in_use(tx)
    )


@api.post("/join", public=True)
def join_cloud(tx: Tx, settings: Settings, body: JoinRequest) -> Membership:
    """A machine becomes a host, by a token."""
    return join.join(tx, settings, body)


@api.post("/control", public=True)
def join_control_plane(tx: Tx, settings: Settings, body: ControlRequest) -> ControlKeys:
    """A machine becomes one of the control plane, by a token for that."""
    return control.admit(tx, settings, body)


@api.post("/hosts/{host}/certificate", public=True, load=specs.known_host)
def renew_certificate(tx: Tx, settings: Settings, known: HostSpecRow, body: CertificateRequest) -> Certificate:
    """A new certificate for the host's key."""
    return join.renew(tx, settings, known, body.request)


@api.get("/hosts/{host}", public=True, load=specs.known_host, success=204)
def show_host(tx: Tx, known: HostSpecRow) -> None:
    """Whether the host has registered."""
    hosts.host_of(tx, known.host)


@api.put("/hosts/{host}", public=True, load=specs.known_host)
def register(tx: Tx, settings: Settings, known: HostSpecRow, body: HostFacts) -> None:
    """A host says what it is."""
    _same(known.host, body.host)
    hosts.register(tx, body, settings)


@api.post("/hosts/{host}/status", public=True, load=specs.reporting_host, success=204, max_body=1 << 26)
def report(tx: Tx, known: HostRow, body: HostStatus) -> None:
    """A host says what its guests are; without any it is a heartbeat."""
    _same(known.name, body.host)
    hosts.heartbeat(tx, known, body.used, body.problems)
    reports.observe(tx, body)


@api.post("/hosts/{host}/guests/{guest_id}/password", public=True, load=specs.known_host, success=204)
def note_password(tx: Tx, known: HostSpecRow, guest_id: str, body: bytes) -> None:
    """A guest left its password, encrypted, with its metadata service."""
    servers.guest_says_password(tx, known.host, guest_id, body)


def _same(host: str, said: str) -> None:
    if host != said:
        raise BadRequest(f"The path names host '{host}', the body '{said[:255]}'.")


@api.get("/hosts/{host}/spec", public=True)
async def give_spec(db: Database, watch: Watch, request: Request, host: str, query: SpecQuery) -> Response:
    """What a host should be: at once where it differs from revision `seen`, else as soon as it does, or 304."""
    specs.checked(await known_hosts.row(db, host), host, request)
    topic, until = f"host:{host}", time.monotonic() + min(query.wait, LONGEST_WAIT)
    alive.note(db, host)
    while True:
        count = watch.count(topic)
        if not looks.is_current(host, watch, count, query.seen):
            spec = await asyncio.to_thread(specs.newer_spec, db, host, request, query.seen)
            looks.note(host, watch, count, spec.revision if spec else query.seen)
            if spec is not None:
                return Response(msgspec.json.encode(spec))
        left = until - time.monotonic()
        if left <= 0:
            return Response(None, status=304)
        await watch.wait(topic, count, left)
        await asyncio.sleep(GATHER)


@api.get("/images/{image_id}/file", public=True, load=specs.any_known_host)
async def give_image(db: Database, settings: Settings, known: HostSpecRow, request: Request, image_id: str) -> Stream:
    """An image's bytes."""

    def find() -> image.ImageRow:
        with db.read() as tx:
            return image.visible_image(tx, system_caller(request.request_id), image_id)

    return await send.download(stores.of(settings), await asyncio.to_thread(find), None)
