"""Consoles: the log, and the screen by noVNC in the browser.

`console_pages` is the API of the browser: a page, noVNC's own files, and the WebSocket between it and the guest's host.
A console's token is all that it asks for.
"""

from __future__ import annotations

import asyncio
import html
import mimetypes
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import falcon.asgi
import structlog
import websockets

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database, Tx
from pileus.core.errors import NotFound, Problem, plain_shape
from pileus.core.http import Request, Response, Service
from pileus.services.compute import agent
from pileus.services.compute.rules import console as rules
from pileus.services.compute.rules import servers
from pileus.services.compute.service import api
from pileus.services.compute.store.servers import ServerRow
from pileus.services.compute.types.actions import ConsoleKind, ConsoleOutput, RemoteConsole, RemoteConsoleShown
from pileus.services.compute.types.fields import whole

ACTION = "/servers/{server_id}/action"
console_pages = Service("console", "/console", plain_shape, www_authenticate=False)
log = structlog.get_logger("pileus.console")
DEBIAN_NOVNC = Path("/usr/share/novnc")
FILES = frozenset({"app", "core", "vendor"})
"""The folders of noVNC that a browser may read."""
_CONTROL = {code: None for code in range(32) if chr(code) not in "\t\n"}


@api.action(
    ACTION,
    "os-getConsoleOutput",
    policy="os_compute_api:os-console-output",
    load=servers.visible_server,
    success=200,
)
def show_console_output(db: Database, settings: Settings, server: ServerRow, body: ConsoleOutput) -> dict[str, Any]:
    with db.read() as tx:
        place = rules.place_of(tx, server)
    text = agent.console_log(place, settings.tls).decode("utf-8", "replace").translate(_CONTROL)
    return {"output": last_lines(text, body.length)}


def last_lines(text: str, length: int | str | None) -> str:
    """None or -1: all of them."""
    if length is None or str(length) == "-1":
        return text
    count = whole(length, "length")
    return "\n".join(text.split("\n")[-count:]) if count else ""


@api.post(
    "/servers/{server_id}/remote-consoles",
    since="2.6",
    policy="os_compute_api:os-remote-consoles",
    load=servers.visible_server,
)
def create_remote_console(
    tx: Tx, caller: Caller, request: Request, server: ServerRow, body: RemoteConsole
) -> RemoteConsoleShown:
    token = rules.new_token(tx, caller, server, body.type)
    return RemoteConsoleShown(protocol=body.protocol, type=body.type, url=url_of(request, token))


@api.action(
    ACTION,
    "os-getVNCConsole",
    until="2.5",
    policy="os_compute_api:os-remote-consoles",
    load=servers.visible_server,
    success=200,
)
def get_vnc_console(tx: Tx, caller: Caller, request: Request, server: ServerRow, body: ConsoleKind) -> dict[str, Any]:
    token = rules.new_token(tx, caller, server, body.type)
    return {"console": {"type": body.type, "url": url_of(request, token)}}


def url_of(request: Request, token: str) -> str:
    """`path` is where the page opens its WebSocket, as noVNC's own pages have it."""
    stream = quote(f"console/vnc/stream?token={token}", safe="")
    return f"{request.base_url}/console/vnc?path={stream}"


@console_pages.get("/vnc", public=True)
def show_page(settings: Settings) -> Response:
    """The page on which noVNC shows the console that the token in its URL names."""
    if novnc(settings) is None:
        text = (
            "noVNC is not installed on this machine: unpack Debian's package novnc, or put its files into STATE/novnc."
        )
        return Response(f"<p>{html.escape(text)}</p>".encode(), status=501, content_type="text/html; charset=UTF-8")
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "SAMEORIGIN"}
    return Response(PAGE.encode(), headers=headers, content_type="text/html; charset=UTF-8")


@console_pages.get("/novnc/{path:path}", public=True)
def show_file(settings: Settings, path: str) -> Response:
    """One of noVNC's own files."""
    root = novnc(settings)
    file = (root / path).resolve() if root else None
    if (
        root is None
        or file is None
        or path.split("/", maxsplit=1)[0] not in FILES
        or not file.is_relative_to(root.resolve())
    ):
        raise NotFound(f"There is no noVNC file '{path[:255]}'.")
    if not file.is_file():
        raise NotFound(f"There is no noVNC file '{path[:255]}'.")
    kind = "text/javascript" if file.suffix == ".js" else mimetypes.guess_type(file.name)[0]
    headers = {"Cache-Control": "max-age=3600"}
    return Response(file.read_bytes(), headers=headers, content_type=kind or "application/octet-stream")


def novnc(settings: Settings) -> Path | None:
    """Where noVNC's files are."""
    return next(
        (root for root in (settings.state_dir / "novnc", DEBIAN_NOVNC) if (root / "core/rfb.js").is_file()), None
    )


@console_pages.websocket("/vnc/stream")
async def stream(ws: Any, req: falcon.asgi.Request, db: Database, settings: Settings) -> None:
    """The bytes between the browser and the guest's VNC server, until either side ends."""
    origin = req.get_header("Origin")
    if origin and urlsplit(origin).netloc != req.forwarded_host:
        raise falcon.HTTPForbidden(title="The console can be opened from its own page only.")
    token = req.get_param("token") or ""

    def find() -> rules.Place:
        with db.read() as tx:
            return rules.place_of_token(tx, token)

    try:
        place = await asyncio.to_thread(find)
        async with agent.vnc(place, settings.tls) as guest:
            await ws.accept(subprotocol="binary" if "binary" in ws.subprotocols else None)
            await pump(ws, guest)
    except Problem as problem:
        log.info("a console was refused", reason=problem.message)
        await ws.close()  # before it is accepted: 403 without a body, as consoles' clients know it


async def pump(ws: Any, guest: Any) -> None:
    async def down() -> None:
        async for data in guest:
            await ws.send_data(data)

    async def up() -> None:
        while True:
            await guest.send(await ws.receive_data())

    ends = (falcon.WebSocketDisconnected, websockets.ConnectionClosed)
    tasks = [asyncio.create_task(down()), asyncio.create_task(up())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, ends):
                raise result
        if not ws.closed:
            await ws.close()


PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>noVNC console</title>
<style>
  html, body { margin: 0; height: 100%; background: #222; color: #eee; font: 14px sans-serif }
  #bar { padding: 4px 8px; height: 22px } #bar button { float: right }
  #screen { height: calc(100% - 30px) }
</style>
</head>
<body>
<div id="bar"><span id="state">Connecting ...</span><button id="cad">Ctrl-Alt-Del</button></div>
<div id="screen"></div>
<script type="module">
  import RFB from "./novnc/core/rfb.js";
  const say = text => { document.getElementById("state").textContent = text; };
  const url = new URL("/" + new URLSearchParams(location.search).get("path"), location.href);
  url.host = location.host;
  url.protocol = location.protocol.replace("http", "ws");
  const rfb = new RFB(document.getElementById("screen"), url.href, { wsProtocols: ["binary"] });
  rfb.scaleViewport = true;
  rfb.addEventListener("connect", () => { say("Connected"); rfb.focus(); });
  rfb.addEventListener("disconnect", event =>
    say(event.detail.clean ? "The console was closed." : "The console ended: ask for a new one if its token has expired."));
  document.getElementById("cad").addEventListener("click", () => { rfb.sendCtrlAltDel(); rfb.focus(); });
</script>
</body>
</html>
"""
