"""What was done to a server: the events of each request, as one action with its beginning and its end."""

from __future__ import annotations

from datetime import datetime

import msgspec

from pileus.core import events
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound
from pileus.core.events import Event


class Done(msgspec.Struct):
    """An action: `ended` and `outcome` are None while the host has not reported its end."""

    name: str
    request_id: str
    user_id: str
    project_id: str | None
    started: datetime
    ended: datetime | None
    outcome: str | None
    message: str | None
    host: str | None

    @property
    def changed(self) -> datetime:
        return self.ended or self.started


def of_server(tx: Tx, server_id: str) -> list[Done]:
    """Newest first."""
    found: dict[str, Done] = {}
    for event in events.of_resource(tx, "server", server_id, limit=100_000):
        if event.request_id not in found:
            found[event.request_id] = _begun(event)
        if event.outcome != "started":
            _finish(found[event.request_id], event)
    return list(found.values())[::-1]


def _begun(event: Event) -> Done:
    return Done(event.action, event.request_id, event.user_id, event.project_id, event.at, None, None, None, None)


def _finish(action: Done, event: Event) -> None:
    action.ended = event.at
    action.outcome = "Success" if event.outcome == "success" else "Error"
    action.message = event.detail.get("message")
    action.host = event.detail.get("host")


def one(tx: Tx, server_id: str, request_id: str) -> Done:
    """Raises NotFound."""
    for action in of_server(tx, server_id):
        if action.request_id == request_id:
            return action
    raise NotFound(f"Action for request_id {request_id[:64]} on instance {server_id} not found.")


def page(actions: list[Done], limit: int, marker: str | None) -> tuple[list[Done], bool]:
    """The actions after the marker, and whether there are more. Raises BadRequest for an unknown marker."""
    if marker is not None:
        places = [index for index, action in enumerate(actions) if action.request_id == marker]
        if not places:
            raise BadRequest(f"marker [{marker[:64]}] not found")
        actions = actions[places[0] + 1 :]
    return actions[:limit], len(actions) > limit
