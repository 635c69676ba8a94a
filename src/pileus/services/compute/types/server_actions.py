"""os-instance-actions: what was done to a server."""

from __future__ import annotations

from typing import Annotated

from pileus.core.body import UNSET, Query, Reply, Unset, since
from pileus.services.compute.types.fields import Link


class ActionQuery(Query, rename={"changes_since": "changes-since", "changes_before": "changes-before"}):
    limit: Annotated[str, since("2.58")] | Unset = UNSET
    marker: Annotated[str, since("2.58")] | Unset = UNSET
    changes_since: Annotated[str, since("2.58")] | Unset = UNSET
    changes_before: Annotated[str, since("2.66")] | Unset = UNSET


class ActionEvent(Reply):
    event: str
    start_time: str
    finish_time: str | None
    result: str | None
    traceback: str | Unset | None = UNSET
    hostId: Annotated[str, since("2.62")] | Unset = UNSET
    host: Annotated[str, since("2.62")] | Unset = UNSET
    details: Annotated[str | None, since("2.84")] | Unset = UNSET


class InstanceAction(Reply):
    action: str
    instance_uuid: str
    request_id: str
    user_id: str
    project_id: str | None
    start_time: str
    message: str | None
    updated_at: Annotated[str | None, since("2.58")] | Unset = UNSET
    events: list[ActionEvent] | Unset = UNSET


class InstanceActions(Reply):
    instanceActions: list[InstanceAction]
    links: Annotated[list[Link], since("2.58")] | Unset = UNSET


class InstanceActionShown(Reply):
    instanceAction: InstanceAction
