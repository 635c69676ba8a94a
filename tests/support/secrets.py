"""Every secret that goes over an API in a test, and the proof that none of them was written down."""

import json
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

from pileus.core import events
from pileus.core.db import Database

KEYS = frozenset(
    {
        *("password", "original_password", "admin_password", "adminPass", "secret", "passcode", "private_key"),
        *("blob", "user_data", "oauth_token_secret", "access_token", "client_secret"),
    }
)
HEADERS = (b"x-auth-token", b"x-subject-token", b"x-service-token", b"openstack-auth-receipt", b"authorization")
SHORTEST = 8
"""A shorter text may stand anywhere by chance."""


class Secrets:
    """Put around an application, it remembers what must not be found anywhere else."""

    def __init__(self, asgi: Any) -> None:
        self._asgi = asgi
        self.known: set[str] = set()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._asgi(scope, receive, send)
            return
        sent, answered = bytearray(), bytearray()
        scope["headers"] = [(name, value) for name, value in scope["headers"]]
        self._of_headers(scope["headers"])

        async def receiving() -> Any:
            message = await receive()
            sent.extend(message.get("body", b""))
            return message

        async def sending(message: Any) -> None:
            self._of_headers(message.get("headers", ()))
            answered.extend(message.get("body", b""))
            await send(message)

        await self._asgi(scope, receiving, sending)
        for raw in (sent, answered):
            self.known.update(_in_text(bytes(raw)))

    def _of_headers(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        for name, value in headers:
            text = value.decode("latin-1")
            if name.lower() in HEADERS and len(text) >= 5 * SHORTEST:  # shorter is a persona's name
                self.known.add(text.removeprefix("Bearer "))

    def written_down(self, db: Database, output: str) -> list[str]:
        """Where a secret stands that should not be there; best the empty list."""
        with db.read() as tx:
            happened = [str(row) for row in tx.execute(events.events.select())]
        places = [*happened, *output.splitlines()]
        return [f"'{secret}' in {place}" for secret in sorted(self.known) for place in places if secret in place]


def _in_text(raw: bytes) -> Iterator[str]:
    try:
        yield from _in(json.loads(raw))
    except (ValueError, RecursionError):
        return


def _in(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for part in value:
            yield from _in(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            if key in KEYS and isinstance(part, str) and len(part) >= SHORTEST:
                yield part
                yield from _in_text(part.encode())
            elif key == "token" and isinstance(part, dict) and len(str(part.get("id", ""))) >= 5 * SHORTEST:
                yield part["id"]
            yield from _in(part)
