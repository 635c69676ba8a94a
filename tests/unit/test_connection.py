"""What one client sends too slowly or too much of is its own trouble."""

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from pileus.core import connection


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """As many bytes as x-size says, else "hi"; with x-wait after the whole body."""
    asked = dict(scope["headers"])
    size = int(asked.get(b"x-size", b"2"))
    while b"x-wait" in asked and (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
    await send({"type": "http.response.body", "body": b"hi" + bytes(size - 2)})


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


def test_too_many_requests_ahead_of_their_answers_are_refused(address: tuple[str, int]) -> None:
    said = ask(address, GET + b"x-wait: yes\r\ncontent-length: 1\r\n\r\n1" + (GET + b"\r\n") * 1000)
    assert b"HTTP/1.1 400 " in said
    assert b"16 requests" in said
    assert said.count(b"HTTP/1.1 200") <= 1


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


@contextmanager
def dripping(client: socket.socket) -> Iterator[None]:
    """A byte now and then, for as long as the other side takes them."""
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.05):
            try:
                client.send(b"x")
            except OSError:
                return

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def closed(client: socket.socket) -> bytes:
    """What still came until the other side closed."""
    found = b""
    try:
        while chunk := client.recv(65536):
            found += chunk
    except ConnectionResetError:
        pass
    return found


POST = b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 100000\r\n"


def test_a_body_that_drips_is_cut_off(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PATIENCE", 0.3)
    with socket.create_connection(address, timeout=20) as client, dripping(client):
        client.sendall(POST + b"x-wait: yes\r\n\r\n")
        assert closed(client).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_drips_after_the_answer_is_cut_off(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PATIENCE", 0.3)
    with socket.create_connection(address, timeout=20) as client:
        client.sendall(POST + b"\r\n")
        answer(client)
        with dripping(client):
            assert closed(client) == b""


def test_who_is_too_slow() -> None:
    before = connection.Look(request=1, sending=True, received=1000, pending=0, taken=0)
    least = 1000 + connection.LEAST
    assert before._replace(received=least - 1).sends_too_little(before)
    assert not before._replace(received=least).sends_too_little(before)
    assert not before._replace(sending=False).sends_too_little(before), "we are busy, or the body is whole"
    assert not before._replace(request=2).sends_too_little(before), "another body"
    assert not before.takes_too_little(before), "nothing is to be taken"
    before = before._replace(pending=100_000)
    assert before._replace(taken=connection.LEAST - 1).takes_too_little(before)
    assert not before._replace(taken=connection.LEAST).takes_too_little(before)
    before = before._replace(pending=10)
    assert not before._replace(taken=10).takes_too_little(before), "all that there was"


def test_an_answer_that_nobody_takes_is_cut_off(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PATIENCE", 0.3)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(20)
        client.connect(address)
        client.sendall(GET + b"x-size: 30000000\r\n\r\n")
        gone = select.poll()
        gone.register(client, select.POLLRDHUP)
        assert gone.poll(20_000), "the connection stays, though nobody reads"


def test_what_begins_nothing_keeps_no_connection(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.3)
    with socket.create_connection(address, timeout=20) as client:
        client.sendall(GET + b"\r\n")
        answer(client)
        client.sendall(b"\r\n")
        assert client.recv(100) == b""
