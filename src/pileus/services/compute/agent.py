"""What is asked of a host's agent directly: console logs and console streams. The only room that talks to agents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from pileus.core.errors import ServiceUnavailable
from pileus.services.compute.rules.console import Place

TOKEN_HEADER = "X-Pileus-Host-Token"
MAX_LOG = 1 << 20
"""Bytes of a console log that are ever read at once."""
_TIMEOUT = httpx.Timeout(10.0, connect=3.0)


def console_log(place: Place, limit: int = MAX_LOG) -> bytes:
    """The last bytes of a guest's console log. Raises ServiceUnavailable while its host does not answer."""
    url = f"{place.url}/guests/{place.guest_id}/console-log"
    try:
        answer = httpx.get(url, params={"limit": limit}, headers={TOKEN_HEADER: place.proof}, timeout=_TIMEOUT)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise ServiceUnavailable(
            f"The host of instance {place.guest_id} does not give its console log: {error}"
        ) from None
    return answer.content[-limit:]


@asynccontextmanager
async def vnc(place: Place) -> AsyncIterator[ClientConnection]:
    """A connection that carries the bytes of the guest's VNC server. Raises ServiceUnavailable."""
    url = place.url.replace("http", "ws", 1) + f"/guests/{place.guest_id}/vnc"
    headers: Any = {TOKEN_HEADER: place.proof}
    protocols = [Subprotocol("binary")]
    try:
        connection = await connect(
            url, additional_headers=headers, subprotocols=protocols, max_size=None, open_timeout=5
        )
    except (OSError, websockets.WebSocketException, TimeoutError) as error:
        raise ServiceUnavailable(f"The host of instance {place.guest_id} does not give its console: {error}") from None
    try:
        yield connection
    finally:
        await connection.close()
