"""The small HTTP client of the measurements, against the server that it measures."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from pileus.node.wire import Connection, Unanswered

Reply = Callable[[bytes], bytes]


def served(reply: Reply, act: Callable[[Connection], Awaitable[None]]) -> list[bytes]:
    """What a server heard that answers each piece by `reply` and goes away where that is empty."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65536):
            heard.append(piece)
            answer = reply(piece)
            if not answer:
                break
            writer.write(answer)
        writer.close()

    async def go() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        connection = Connection(f"http://127.0.0.1:{port}", X_Token="t")
        try:
            await act(connection)
        finally:
            connection.close()
            server.close()

    asyncio.run(go())
    return heard


def test_requests_follow_each_other_on_one_connection() -> None:
    async def act(connection: Connection) -> None:
        answer = await connection.ask("POST", "/a", b"{}", X_More="m")
        assert (answer.status, answer.body, answer.header("X-Said")) == (201, b"abc", "yes")
        assert (await connection.ask("GET", "/b")).status == 304

    def reply(piece: bytes) -> bytes:
        if piece.startswith(b"POST"):
            return b"HTTP/1.1 201 Created\r\nx-said: yes\r\ncontent-length: 3\r\n\r\nabc"
        return b"HTTP/1.1 304 Not Modified\r\ncontent-length: 3\r\n\r\n"

    first, second = served(reply, act)
    assert first.startswith(b"POST /a HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nX-Token: t\r\nX-More: m\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}" in first
    assert second.startswith(b"GET /b HTTP/1.1\r\n")
    assert second.endswith(b"X-Token: t\r\n\r\n")


def test_a_connection_that_is_lost_is_made_again() -> None:
    async def act(connection: Connection) -> None:
        with pytest.raises(Unanswered, match="GET /gone"):
            await connection.ask("GET", "/gone")
        assert (await connection.ask("GET", "/there")).status == 204

    served(lambda piece: b"" if b"/gone" in piece else b"HTTP/1.1 204 No Content\r\n\r\n", act)


def test_what_is_no_http_is_no_answer() -> None:
    async def act(connection: Connection) -> None:
        with pytest.raises(Unanswered):
            await connection.ask("GET", "/")

    served(lambda _: b"who is there?\r\n\r\n", act)
