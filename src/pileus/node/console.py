"""The agent's own small server: console logs, console streams as WebSockets, what a guest uses and asked of metadata.

Only the control plane may call. Where it does not show its certificate, it shows the hash of the host's token, which is
all that it keeps of it: `token`; None where the server takes its connections alone.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import falcon
import falcon.asgi
import msgspec

from pileus.core import logs
from pileus.node.client import TOKEN_HEADER
from pileus.node.host import Host

MAX_LINES = 10_000
MIN_TEXT = 8
MAX_LOG = 1 << 20
"""Bytes of a console log that one read gives at most, whatever the guest has printed."""


class ConsoleLog:
    """GET /{host}/guests/{guest_id}/console-log?limit=BYTES -> the last bytes, as they are."""

    def __init__(self, hosts: Mapping[str, Host], token: str | None) -> None:
        self._hosts, self._token = hosts, token

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, host: str, guest_id: str) -> None:
        _check(req, self._token)
        limit = req.get_param_as_int("limit", min_value=0, default=MAX_LOG) or 0
        resp.data = await asyncio.to_thread(_host(self._hosts, host).console_log, guest_id, min(limit, MAX_LOG))
        resp.content_type = "application/octet-stream"


class MetadataAsked:
    """GET /{host}/guests/{guest_id}/metadata-requests -> the last ones, as a JSON list of lines."""

    def __init__(self, hosts: Mapping[str, Host], token: str | None) -> None:
        self._hosts, self._token = hosts, token

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, host: str, guest_id: str) -> None:
        _check(req, self._token)
        resp.media = _host(self._hosts, host).metadata_asked(guest_id)


class Log:
    """GET /{host}/log?text=TEXT -> the lines of the agent's log with the text, as a JSON list."""

    def __init__(self, log: Path, token: str | None) -> None:
        self._log, self._token = log, token

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, host: str) -> None:
        _check(req, self._token)
        text = req.get_param("text") or ""
        if len(text) < MIN_TEXT:
            raise falcon.HTTPBadRequest(title=f"text needs at least {MIN_TEXT} characters.")
        resp.media = await asyncio.to_thread(lambda: list(islice(logs.lines_with(self._log, [text]), MAX_LINES)))


class GuestDiagnostics:
    """GET /{host}/guests/{guest_id}/diagnostics -> Diagnostics as JSON."""

    def __init__(self, hosts: Mapping[str, Host], token: str | None) -> None:
        self._hosts, self._token = hosts, token

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, host: str, guest_id: str) -> None:
        _check(req, self._token)
        found = await asyncio.to_thread(_host(self._hosts, host).diagnostics, guest_id)
        if found is None:
            raise falcon.HTTPNotFound(title="This guest does not run now.")
        resp.data, resp.content_type = msgspec.json.encode(found), falcon.MEDIA_JSON


class Vnc:
    """A WebSocket on /{host}/guests/{guest_id}/vnc carries the bytes of the guest's VNC server."""

    def __init__(self, hosts: Mapping[str, Host], token: str | None) -> None:
        self._hosts, self._token = hosts, token

    async def on_websocket(self, req: falcon.asgi.Request, ws: falcon.asgi.WebSocket, host: str, guest_id: str) -> None:
        _check(req, self._token)
        seen = (await asyncio.to_thread(_host(self._hosts, host).see)).get(guest_id)
        if seen is None or seen.vnc_port is None:
            raise falcon.HTTPNotFound(title="This guest has no VNC console now.")
        reader, writer = await asyncio.open_connection("127.0.0.1", seen.vnc_port)
        await ws.accept(subprotocol="binary" if "binary" in ws.subprotocols else None)
        await pump(ws, reader, writer)


async def pump(ws: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Both directions until either side ends."""

    async def down() -> None:
        while data := await reader.read(1 << 16):
            await ws.send_data(data)

    async def up() -> None:
        while True:
            writer.write(await ws.receive_data())
            await writer.drain()

    tasks = [asyncio.create_task(down()), asyncio.create_task(up())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.close()
        if not ws.closed:
            await ws.close()


def _check(req: falcon.asgi.Request, proof: str | None) -> None:
    if proof is not None and not hmac.compare_digest((req.get_header(TOKEN_HEADER) or "").encode(), proof.encode()):
        raise falcon.HTTPForbidden(title="The caller does not show that it is the control plane.")


def _host(hosts: Mapping[str, Host], name: str) -> Host:
    if name not in hosts:
        raise falcon.HTTPNotFound(title=f"This agent has no host {name}.")
    return hosts[name]


def make_app(hosts: Mapping[str, Host], token: str | None, log: Path) -> Any:
    """For all hosts of one agent process: a real one has one, a simulating one may have many."""
    app: Any = falcon.asgi.App()
    app.add_route("/{host}/guests/{guest_id}/console-log", ConsoleLog(hosts, token))
    app.add_route("/{host}/guests/{guest_id}/metadata-requests", MetadataAsked(hosts, token))
    app.add_route("/{host}/log", Log(log, token))
    app.add_route("/{host}/guests/{guest_id}/diagnostics", GuestDiagnostics(hosts, token))
    app.add_route("/{host}/guests/{guest_id}/vnc", Vnc(hosts, token))
    return app
