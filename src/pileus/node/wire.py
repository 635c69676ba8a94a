"""HTTP/1.1 over one connection, as far as the project's own API needs it.

For measuring alone: thousands of simulated hosts, and clients that load the API, have to cost less than what they measure.
A client library took four times as long for a request as this does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

LONGEST = 90.0
"""Seconds for an answer; the longest poll is shorter."""


class Answer(NamedTuple):
    status: int
    head: bytes
    """The status line and the headers; our server writes their names in small letters."""
    body: bytes

    def header(self, name: str) -> str:
        """Empty where there is none."""
        start = b"\r\n" + name.lower().encode() + b": "
        at = self.head.find(start)
        return self.head[at + len(start) :].split(b"\r\n", 1)[0].decode() if at >= 0 else ""


class Unanswered(Exception):
    """There is no connection, or it ended before the answer."""


class Connection:
    """To the API at `url` (http). Made when it is first needed and again after it was lost; one request at a time."""

    def __init__(self, url: str, **headers: str) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "", address.port or 80
        self._headers = f"Host: {address.netloc}\r\n{_lines(headers)}".rstrip()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """Raises Unanswered."""
        head = f"{method} {path} HTTP/1.1\r\n{self._headers}\r\n{_lines(headers)}"
        if body:
            kind = "" if "Content_Type" in headers else "Content-Type: application/json\r\n"
            head += f"{kind}Content-Length: {len(body)}\r\n"
        try:
            async with asyncio.timeout(LONGEST):
                if self._streams is None:
                    self._streams = await asyncio.open_connection(self._host, self._port)
                reader, writer = self._streams
                writer.write(head.encode() + b"\r\n" + body)
                return await self._answer(reader)
        except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError) as error:
            self.close()
            raise Unanswered(f"{method} {path}: {error or type(error).__name__}") from None

    async def _answer(self, reader: asyncio.StreamReader) -> Answer:
        head = await reader.readuntil(b"\r\n\r\n")
        answer = Answer(int(head[9:12]), head, b"")
        if answer.status not in (204, 304) and (length := answer.header("content-length")):
            answer = answer._replace(body=await reader.readexactly(int(length)))
        if answer.header("connection") == "close":
            self.close()
        return answer

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _lines(headers: Mapping[str, str]) -> str:
    return "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
