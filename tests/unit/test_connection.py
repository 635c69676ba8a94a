"""What one client sends too slowly or too much of is its own trouble."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from pileus.core import connection


async def hello(scope: object, receive: object, send: "uvicorn._types.ASGISendCallable") -> None:
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")], "trailers": False}
    )
    await send({"type": "http.response.body", "body": b"hi", "more_body": False})


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(hello, lifespan="off", http=connection.Connection, log_level="critical"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield listener.getsockname()
        server.should_exit = True
        thread.join(10)


def ask(address: tuple[str, int], *parts: bytes) -> bytes:
    """All that comes back until the other side closes."""
    with socket.create_connection(address, timeout=20) as client:
        for part in parts:
            client.sendall(part)
        found = b""
        while chunk := client.recv(65536):
            found += chunk
        return found


def answer(client: socket.socket) -> None:
    """One whole answer."""
    found = b""
    while not found.endswith(b"\r\n\r\nhi"):
        chunk = client.recv(1000)
        assert chunk
        found += chunk
    assert found.startswith(b"HTTP/1.1 200")


GET = b"GET / HTTP/1.1\r\nhost: here\r\n"


def test_several_requests_on_one_connection(address: tuple[str, int]) -> None:
    last = GET + b"connection: close\r\n\r\n"
    said = ask(address, GET + b"\r\n" + GET + b"\r\n", last)
    assert said.count(b"HTTP/1.1 200") == 3


@pytest.mark.parametrize("pieces", [1, 50])
def test_a_head_that_is_too_large_is_refused(address: tuple[str, int], pieces: int) -> None:
    many = b"".join(b"x-%d: %s\r\n" % (number, b"v" * 1000) for number in range(100))
    size = -(-len(many) // pieces)
    said = ask(address, GET, *(many[start : start + size] for start in range(0, len(many), size)))
    assert said.startswith(b"HTTP/1.1 431 ")
    assert b"65536 bytes" in said


def test_one_header_without_an_end_is_refused(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=20) as client:
        client.sendall(GET + b"x-endless: " + b"v" * 60_000)
        for _ in range(3):
            client.sendall(b"v" * 60_000)
        assert client.recv(1000).startswith(b"HTTP/1.1 431 ")


def test_a_large_head_within_the_limit_is_taken(address: tuple[str, int]) -> None:
    said = ask(address, GET, b"x-large: ", b"v" * 30_000, b"v" * 30_000, b"\r\nconnection: close\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 200")


def test_a_head_that_never_ends_is_cut_off(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.3)
    assert ask(address) == b"", "nothing was sent"
    assert ask(address, GET + b"x-slow: ") == b""
    with socket.create_connection(address, timeout=20) as client:
        client.sendall(GET + b"\r\n")
        answer(client)
        time.sleep(0.6)  # longer than a head may take: between requests a connection may be quiet
        client.sendall(GET + b"\r\n")
        answer(client)
