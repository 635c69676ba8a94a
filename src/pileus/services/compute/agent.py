"""What is asked of a host's agent directly: console logs and console streams. The only room that talks to agents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from pileus.core.errors import ServiceUnavailable
from pileus.core.tls import Folder
from pileus.services.compute.rules.console import Place

TOKEN_HEADER = "X-Pileus-Host-Token"
MAX_LOG = 1 << 20
"""Bytes of a console log that are ever read at once."""
_TIMEOUT = httpx.Timeout(10.0, connect=3.0)


def get(place: Place, tls: Path, what: str, **parameters: int | str) -> httpx.Response:
    """What the agent of a host, or of a guest's host, answers; `tls` is the folder of our certificates.

    Raises httpx.HTTPError, OSError.
    """
    url = f"{place.url}/guests/{place.guest_id}/{what}" if place.guest_id else f"{place.url}/{what}"
    headers = {TOKEN_HEADER: place.proof}
    if not place.url.startswith("https:"):
        return httpx.get(url, params=parameters, headers=headers, timeout=_TIMEOUT).raise_for_status()
    with httpx.Client(verify=Folder(tls).client_context(), timeout=_TIMEOUT) as client:
        extensions = {"sni_hostname": place.host}
        return client.get(url, params=parameters, headers=headers, extensions=extensions).raise_for_status()


def console_log(place: Place, tls: Path, limit: int = MAX_LOG) -> bytes:
    """The last bytes of a guest's console log. Raises ServiceUnavailable while its host does not answer."""
    try:
        answer = get(place, tls, "console-log", limit=limit)
    except (httpx.HTTPError, OSError) as error:
        raise ServiceUnavailable(
            f"The host of instance {place.guest_id} does not give its console log: {error}"
        ) from None
    return answer.content[-limit:]


@asynccontextmanager
async def vnc(place: Place, tls: Path) -> AsyncIterator[ClientConnection]:
    """A connection that carries the bytes of the guest's VNC server. Raises ServiceUnavailable."""
    url = place.url.replace("http", "ws", 1) + f"/guests/{place.guest_id}/vnc"
    headers: Any = {TOKEN_HEADER: place.proof}
    protocols = [Subprotocol("binary")]
    try:
        secured: Any = {}
        if url.startswith("wss:"):
            secured = {"ssl": Folder(tls).client_context(), "server_hostname": place.host}
        connection = await connect(
            url, additional_headers=headers, subprotocols=protocols, max_size=None, open_timeout=5, **secured
        )
    except (OSError, websockets.WebSocketException, TimeoutError) as error:
        raise ServiceUnavailable(f"The host of instance {place.guest_id} does not give its console: {error}") from None
    try:
        yield connection
    finally:
        await connection.close()
