"""os-instance-actions: what was done to a server, also after its end."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pileus.core.body import UNSET
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.core.http import Request
from pileus.core.paging import limit_of
from pileus.core.version import Version
from pileus.services.compute.api.shown import host_id
from pileus.services.compute.rules import server_actions, servers
from pileus.services.compute.rules.server_actions import Done
from pileus.services.compute.service import api
from pileus.services.compute.store.servers import ServerRow
from pileus.services.compute.types.fields import next_links
from pileus.services.compute.types.server_actions import (
    ActionEvent,
    ActionQuery,
    InstanceAction,
    InstanceActions,
    InstanceActionShown,
)

PATH = "/servers/{server_id}/os-instance-actions"
EVENTS = "os_compute_api:os-instance-actions:events"
DETAILS = "os_compute_api:os-instance-actions:events:details"


def loaded(tx: Tx, caller: Caller, server_id: str) -> ServerRow:
    """From 2.21 on deleted servers are answered for too."""
    if caller.version >= Version(2, 21):
        return servers.known_server(tx, caller, server_id)
    return servers.visible_server(tx, caller, server_id)


@api.get(PATH, policy="os_compute_api:os-instance-actions:list", load=loaded)
def list_actions(tx: Tx, caller: Caller, request: Request, server: ServerRow, query: ActionQuery) -> InstanceActions:
    since = _time(query.changes_since, "changes-since")
    before = _time(query.changes_before, "changes-before")
    if since and before and since > before:
        raise BadRequest("The value of changes-since must be less than or equal to changes-before.")
    found = [
        action
        for action in server_actions.of_server(tx, server.id)
        if (since is None or action.changed >= since) and (before is None or action.changed <= before)
    ]
    limit = limit_of(None if query.limit is UNSET else query.limit)
    found, more = server_actions.page(found, limit, None if query.marker is UNSET else query.marker)
    links = next_links(request, found[-1].request_id) if more and found else UNSET
    return InstanceActions(instanceActions=[shown(server, action) for action in found], links=links)


def _time(text: Any, name: str) -> datetime | None:
    return None if text is UNSET else servers.time_of(str(text), name)


@api.get(PATH + "/{request_id}", policy="os_compute_api:os-instance-actions:show", load=loaded)
def show_action(tx: Tx, caller: Caller, server: ServerRow, request_id: str) -> InstanceActionShown:
    action = server_actions.one(tx, server.id, request_id)
    found = shown(server, action)
    target = {"project_id": server.project_id, "user_id": server.user_id}
    inside = caller.allows(EVENTS, target)
    if inside or caller.version >= Version(2, 51):
        found.events = [_event(server, action, inside, caller.allows(DETAILS, target))]
    return InstanceActionShown(instanceAction=found)


def shown(server: ServerRow, action: Done) -> InstanceAction:
    return InstanceAction(
        action=action.name,
        instance_uuid=server.id,
        request_id=action.request_id,
        user_id=action.user_id,
        project_id=action.project_id,
        start_time=_micros(action.started) or "",
        message="Error" if action.outcome == "Error" else None,
        updated_at=_micros(action.changed),
    )


def _event(server: ServerRow, action: Done, inside: bool, detailed: bool) -> ActionEvent:
    event = ActionEvent(
        event=f"compute_{action.name}",
        start_time=_micros(action.started) or "",
        finish_time=_micros(action.ended),
        result=action.outcome,
        hostId=host_id(server.project_id, action.host),
        details=action.message if detailed else None,
    )
    if inside:
        event.traceback = None
        if action.host:
            event.host = action.host
    return event


def _micros(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%S.%f")
