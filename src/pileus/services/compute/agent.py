"""What is asked of a host's agent directly: console logs and streams, and what a guest uses. The only room that talks to agents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from pileus.core.errors import Conflict, ServiceUnavailable
from pileus.core.tls import Folder
from pileus.node.desired import Diagnostics
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
    with httpx.Client(verify=Folder(tls).client_context(), timeout=_TIMEOUT, trust_env=False) as client:
        extensions = {"sni_hostname": place.host}
        return client.get(url, params=parameters, headers=headers, extensions=extensions).raise_for_status()


def console_log(place: Place, tls: Path, limit: int = MAX_LOG) -> bytes:
    """The last bytes of a guest's console log. Raises ServiceUnavailable while its host does not answer."""
    return _asked(place, tls, "console-log", limit=limit).content[-limit:]


def diagnostics(place: Place, tls: Path) -> Diagnostics:
    """Raises Conflict where the guest does not run, ServiceUnavailable while its host does not answer."""
    return msgspec.json.decode(_asked(place, tls, "diagnostics").content, type=Diagnostics)


def _asked(place: Place, tls: Path, what: str, **parameters: int) -> httpx.Response:
    try:
        return get(place, tls, what, **parameters)
    except (httpx.HTTPError, OSError) as error:
        if isinstance(error, httpx.HTTPStatusError) and error.response.status_code == 404:
            raise Conflict(f"Instance {place.guest_id} does not run on its host now.") from None
        raise ServiceUnavailable(
            f"The host of instance {place.guest_id} does not give its {what.replace('-', ' ')}: {error}"
        ) from None


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
