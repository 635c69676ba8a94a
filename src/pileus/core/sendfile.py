"""A file's bytes to a client by the kernel alone: sendfile(2), no copy in this process.

Files are read in threads, as reading may wait for a disk; the event loop only waits for slow clients.
"""

from __future__ import annotations

import asyncio
import os
import select
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from typing import Any

import msgspec

EXTENSION = "pileus.sendfile"
"""In a request's scope["extensions"], where its connection can do this: a Send."""
_PIECE = 4 << 20
_BURST = 64 << 20
"""Bytes after which a thread lets others have their turn."""
_PATIENCE = 5
"""Milliseconds for which a thread waits for a client; a slower one is waited for by the event loop."""
_pool = ThreadPoolExecutor(8, thread_name_prefix="sendfile", initializer=lambda: os.nice(10))


class FilePart(msgspec.Struct):
    """The bytes of an open file from `start` to before `end`."""

    file: FileIO
    start: int
    end: int


Send = Callable[[FilePart], Awaitable[None]]


def offered(cycle: Any) -> Send:
    """For one request and response of uvicorn's (RequestResponseCycle), over TCP without TLS."""
    weak = weakref.ref(cycle)  # which holds its scope, and so this: only the collector would find them

    async def send(part: FilePart) -> None:
        cycle = weak()
        assert cycle is not None, "it lives as long as its request is answered"
        if cycle.disconnected:
            part.file.close()
            return
        # what was written before, the head, goes first
        cycle.transport.set_write_buffer_limits(high=0)
        if cycle.flow.write_paused:
            await cycle.flow.drain()
        cycle.transport.set_write_buffer_limits()
        out = os.dup(cycle.transport.get_extra_info("socket").fileno())
        try:
            await _send(out, part)
        except OSError:
            # the client went away; the connection's end is on its way to be noticed
            cycle.disconnected = True
            cycle.transport.abort()
        cycle.expected_content_length -= part.end - part.start

    return send


async def by_kernel(send: Send, part: FilePart) -> AsyncIterator[bytes]:
    """In the place of a response's chunks: all is sent, and none is given."""
    await send(part)
    nothing: tuple[bytes, ...] = ()
    for each in nothing:
        yield each


async def _send(out: int, part: FilePart) -> None:
    """Closes both."""
    at, work = part.start, None
    try:
        while at < part.end:
            work = _pool.submit(_burst, out, part.file.fileno(), at, part.end)
            reached = await asyncio.wrap_future(work)
            if reached == at:
                await _writable(out)
            at = reached
    finally:

        def close(_: object) -> None:
            os.close(out)
            part.file.close()

        if work is None:
            close(None)
        else:
            work.add_done_callback(close)


def _burst(out: int, file: int, at: int, end: int) -> int:
    """How far it came."""
    waiting = select.poll()
    waiting.register(out, select.POLLOUT)
    last = min(end, at + _BURST)
    while at < last:
        try:
            sent = os.sendfile(out, file, at, min(last - at, _PIECE))
        except BlockingIOError:
            if not waiting.poll(_PATIENCE):
                return at
            continue
        if not sent:
            raise OSError(f"the file ended at {at}, not at {end}")
        at += sent
    return at


async def _writable(out: int) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def tell() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(out, tell)
    try:
        await ready
    finally:
        loop.remove_writer(out)
