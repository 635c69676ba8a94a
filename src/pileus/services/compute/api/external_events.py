"""Events that other services report about servers: the server's host and network are compared again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from pileus.core.body import UNSET, Body, Unset, length
from pileus.core.db import Tx
from pileus.core.errors import NotFound
from pileus.core.http import Response
from pileus.services.compute.service import api
from pileus.services.compute.store import server_groups as store


class ExternalEvent(Body):
    name: Literal[
        "network-changed",
        "network-vif-plugged",
        "network-vif-unplugged",
        "network-vif-deleted",
        "volume-extended",
        "power-update",
        "accelerator-request-bound",
        "volume-reimaged",
    ]
    server_uuid: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F-]{32,36}$")]
    status: Literal["failed", "completed", "in-progress"] = "completed"
    tag: Annotated[str, length(0, 255)] | Unset = UNSET


class ExternalEvents(Body):
    events: Annotated[list[ExternalEvent], msgspec.Meta(min_length=1)]


@api.post("/os-server-external-events", policy="os_compute_api:os-server-external-events:create")
def create_events(tx: Tx, body: ExternalEvents) -> Response:
    hosts = store.hosts_of_servers(tx, [event.server_uuid for event in body.events])
    if not hosts:
        raise NotFound("No instances found for any event.")
    answers: list[dict[str, Any]] = []
    for event in body.events:
        host = hosts.get(event.server_uuid)
        code = 404 if event.server_uuid not in hosts else 422 if host is None else 200
        if host is not None:
            tx.wake(f"host:{host}")
            tx.wake("network")
        answers.append(msgspec.to_builtins(event) | {"code": code})
    return Response({"events": answers}, status=200 if all(one["code"] == 200 for one in answers) else 207)
