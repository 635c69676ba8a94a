"""One client's connection, guarded: what is too much or too slow ends it.

uvicorn bounds neither the size of a request's head, nor the time that head and body take to come and the answer to go.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import struct
import termios
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pileus.core import sendfile

MAX_HEAD = 64 * 1024
"""Bytes of request line and headers together."""
HEAD_SECONDS = 30.0
"""From the first byte of a head, or from the connection, to the end of the head."""
PATIENCE = 60.0
"""Seconds between two looks at who keeps us waiting."""
LEAST = 4096
"""Bytes that must come or go between two looks, while it is the client's turn to send or to take them."""
MAX_WAITING = 16
"""Requests that a client may send ahead of the answers: uvicorn makes each of them out at once, in a thousand times the memory."""
LINGER_SECONDS = 2.0
KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
"""A peer that is gone without a word is noticed after two minutes, whatever waits for it."""


class HeadTooLarge(Exception):
    pass


class TooManyAhead(Exception):
    pass


class Look(NamedTuple):
    """At whose turn it is."""

    request: int
    sending: bool
    """It is the client's turn: the body is not whole, and we would take more of it."""
    received: int
    pending: int
    """Bytes of answers that the client has not acknowledged."""
    taken: int
    """Those that it has, ever."""

    def takes_too_little(self, before: Look) -> bool:
        """Of what was pending then."""
        return before.pending > self.taken - before.taken < LEAST

    def sends_too_little(self, before: Look) -> bool:
        """Of a body that was open then."""
        same = before.sending and self.sending and before.request == self.request
        return same and self.received - before.received < LEAST


class Connection(HttpToolsProtocol):
    """As uvicorn's, with limits."""

    _head = 0
    """Bytes of this head that the parser has told."""
    _untold = 0
    """Bytes in later pieces since then: of a header that has not ended."""
    _head_open = True
    _refused = False
    _timer: asyncio.TimerHandle | None = None
    _watch: asyncio.TimerHandle | None = None
    _last: Look | None = None
    _requests = 0
    _received = 0
    _body_open = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        found = transport.get_extra_info("socket")
        if found is not None and found.family in (socket.AF_INET, socket.AF_INET6):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in KEEPALIVE:
                found.setsockopt(socket.IPPROTO_TCP, option, value)
            self._watch = self.loop.call_later(PATIENCE, self._look, found)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._stop_watching()
        # uvicorn leaves it running where the connection broke
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        self._stop_watching()
        super().handle_websocket_upgrade()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if cycle.transport.get_extra_info("ssl_object") is None:
            cycle.scope.setdefault("extensions", {})[sendfile.EXTENSION] = sendfile.offered(cycle)
        super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._received += len(data)
        self._untold += len(data) if self._head_open else 0
        super().data_received(data)
        if self._refused or self.transport.is_closing():
            return
        if self._head_open and self._untold > MAX_HEAD:
            self._refuse_head()
        elif self._timer is None and (self._head if self._head_open else self._at_rest):
            # at rest: what came began nothing, but has stopped uvicorn's own timer
            self._wait_for_head()

    @property
    def _at_rest(self) -> bool:
        return not self._body_open and (self.cycle is None or self.cycle.response_complete)

    def on_message_begin(self) -> None:
        self._head, self._untold, self._head_open = 1, 0, True
        self._requests += 1
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(name)
        self._count(value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head, self._untold, self._head_open, self._body_open = 0, 0, False, True
        self._stop_waiting()
        super().on_headers_complete()
        if len(self.pipeline) > MAX_WAITING:
            raise TooManyAhead

    def on_message_complete(self) -> None:
        self._body_open = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if self._head > MAX_HEAD:
            self._refuse_head()
        elif len(self.pipeline) > MAX_WAITING:
            self.pipeline.clear()
            self._refuse("400 Bad Request", f"More than {MAX_WAITING} requests came ahead of their answers.\n")
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

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _look(self, peer: socket.socket) -> None:
        """Whether the client has moved as much as it must since the last time."""
        before, now = self._last, self._seen(peer)
        self._last = now
        self._watch = self.loop.call_later(PATIENCE, self._look, peer)
        if before is None:
            return
        if now.takes_too_little(before):
            self._cut_off(peer)
        elif now.sends_too_little(before):
            self._refuse_body()

    def _seen(self, peer: socket.socket) -> Look:
        pending, taken = _output(peer)
        open_to_more = self._body_open and not self._refused and not self.flow.read_paused
        sending = open_to_more and not self.cycle.waiting_for_100_continue
        return Look(self._requests, sending, self._received, pending, taken)

    def _cut_off(self, peer: socket.socket) -> None:
        """At once, with what is still to be sent; also for a thread that sends a file by a descriptor of its own."""
        with socket.socket(fileno=os.dup(peer.fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            try:
                same.shutdown(socket.SHUT_RDWR)
            except OSError:  # the client was quicker
                pass
        self.transport.abort()

    def _refuse_body(self) -> None:
        if self.cycle.response_started:
            self.transport.close()
            return
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        self._refuse("408 Request Timeout", f"Of the body fewer than {LEAST} bytes came in {PATIENCE:.0f} seconds.\n")

    def _refuse_head(self) -> None:
        self._refuse(
            "431 Request Header Fields Too Large", f"Request line and headers have more than {MAX_HEAD} bytes.\n"
        )

    def _refuse(self, status: str, text: str) -> None:
        """Say why, and hear out for a moment what still comes: a connection closed at once loses the answer."""
        head = (
            f"HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\n"
            f"content-length: {len(text)}\r\nconnection: close\r\n\r\n"
        )
        self._refused = True
        self._stop_waiting()
        self.transport.write((head + text).encode())
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)


def _output(peer: socket.socket) -> tuple[int, int]:
    """Bytes that the peer has yet to acknowledge, and those that it has: TIOCOUTQ and TCP_INFO (tcp(7), linux/tcp.h)."""
    (pending,) = struct.unpack("i", fcntl.ioctl(peer.fileno(), termios.TIOCOUTQ, bytes(4)))
    (taken,) = struct.unpack_from("Q", peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192), 120)
    return pending, taken
