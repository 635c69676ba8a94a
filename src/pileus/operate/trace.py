"""`pileus trace REQUEST-ID`: every event and every line of the logs, on all hosts, that one request has left."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import msgspec

from pileus.core import events, logs
from pileus.core.body import seconds
from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.operate.options import OptionError
from pileus.services.compute import agent
from pileus.services.compute.rules import console
from pileus.services.compute.rules.console import Place

ID = re.compile(r"req-[0-9a-f-]{36}")
AT_ONCE = 64
"""Hosts that are asked at the same time."""


class Line(msgspec.Struct, frozen=True, order=True):
    at: str
    """ISO 8601; empty where a line has no time."""
    where: str
    text: str


def trace(db: Database, settings: Settings, request_id: str) -> tuple[list[Line], list[str]]:
    """What there is, by time, and of which hosts nothing could be learnt. Raises OptionError for what is no id."""
    if not ID.fullmatch(request_id):
        raise OptionError(f"'{request_id}' is not a request id, such as req-6bdb1b1c-6d0c-4d8e-a3d5-0123456789ab.")
    state_dir = settings.state_dir
    with db.read() as tx:
        found = events.of_request(tx, request_id)
        places = console.places_of_hosts(tx)
    ids = {request_id} | {event.request_id for event in found}
    ids |= {cause for line in _own_lines(state_dir, [request_id]) for cause in _caused(line.text, request_id)}
    lines = {_event_line(event) for event in found} | set(_own_lines(state_dir, ids))
    silent = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for place, answer in zip(
            places, pool.map(lambda place: _of_host(place, settings.tls, ids), places), strict=True
        ):
            if answer is None:
                silent.append(place.host)
            else:
                lines |= set(answer)
    return sorted(lines), silent


def _caused(line: str, request_id: str) -> Iterator[str]:
    """Requests that name this one as their cause."""
    if f"caused_by={request_id}" in line:
        yield from re.findall(r"\brequest_id=(req-[0-9a-f-]{36})", line)


def _own_lines(state_dir: Path, ids: Iterable[str]) -> list[Line]:
    wanted = list(ids)
    return [
        _log_line("control plane", text)
        for file in sorted((state_dir / "log").glob("*.log"))
        if file.name != "agent.log"
        for text in logs.lines_with(file, wanted)
    ]


def _of_host(place: Place, tls: Path, ids: Iterable[str]) -> list[Line] | None:
    """None where the host's agent does not answer."""
    if not place.url:
        return []
    try:
        answers = [agent.get(place, tls, "log", text=each).json() for each in ids]
    except (httpx.HTTPError, OSError):
        return None
    return [_log_line(place.host, text) for answer in answers for text in answer]


def _log_line(where: str, text: str) -> Line:
    found = re.match(r"timestamp=(\S+) (.*)", text)
    return Line(found[1], where, found[2]) if found else Line("", where, text)


def _event_line(event: events.Event) -> Line:
    detail = " ".join(f"{name}={value}" for name, value in event.detail.items())
    text = f"event {event.service} {event.action} {event.resource_type} {event.resource_id} {event.outcome} {detail}"
    return Line(seconds(event.at) or "", "database", f"{text.strip()} request_id={event.request_id}")
