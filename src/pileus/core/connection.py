"""One client's connection, guarded: what is too much or too slow before a request has begun ends it.

uvicorn bounds neither the size of a request's head nor the time that it takes.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pileus.core import sendfile

MAX_HEAD = 64 * 1024
"""Bytes of request line and headers together."""
HEAD_SECONDS = 30.0
"""From the first byte of a head, or from the connection, to the end of the head."""
LINGER_SECONDS = 2.0
KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
"""A peer that is gone without a word is noticed after two minutes, whatever waits for it."""


class HeadTooLarge(Exception):
    pass


class Connection(HttpToolsProtocol):
    """As uvicorn's, with limits."""

    _head = 0
    """Bytes of this head that the parser has told."""
    _untold = 0
    """Bytes in later pieces since then: of a header that has not ended."""
    _head_open = True
    _refused = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        found = transport.get_extra_info("socket")
        if found is not None and found.family in (socket.AF_INET, socket.AF_INET6):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in KEEPALIVE:
                found.setsockopt(socket.IPPROTO_TCP, option, value)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if cycle.transport.get_extra_info("ssl_object") is None:
            cycle.scope.setdefault("extensions", {})[sendfile.EXTENSION] = sendfile.offered(cycle)
        super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._untold += len(data) if self._head_open else 0
        super().data_received(data)
        if not self._head_open or self._refused or self.transport.is_closing():
            return
        if self._untold > MAX_HEAD:
            self._refuse_head()
        elif self._head and self._timer is None:
            self._wait_for_head()

    def on_message_begin(self) -> None:
        self._head, self._untold, self._head_open = 1, 0, True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(name)
        self._count(value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head, self._untold, self._head_open = 0, 0, False
        self._stop_waiting()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        if self._head > MAX_HEAD:
            self._refuse_head()
        else:
            super().send_400_response(msg)

    def _count(self, part: bytes) -> None:
        self._head, self._untold = self._head + len(part), 0
        if self._head > MAX_HEAD:
            raise HeadTooLarge

    def _wait_for_head(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse_head(self) -> None:
        """Say why, and hear out for a moment what still comes: a connection closed at once loses the answer."""
        text = f"Request line and headers have more than {MAX_HEAD} bytes.\n".encode()
        head = (
            "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
            f"content-length: {len(text)}\r\nconnection: close\r\n\r\n"
        )
        self._refused = True
        self._stop_waiting()
        self.transport.write(head.encode() + text)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)
