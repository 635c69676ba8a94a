"""A small web server of the tests' own: handlers by path, on a free loopback port."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec


class Asked(msgspec.Struct):
    query: dict[str, str]
    form: dict[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class Answer(msgspec.Struct):
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = {}


def as_json(value: Any, status: int = 200) -> Answer:
    return Answer(msgspec.json.encode(value), status, {"Content-Type": "application/json"})


@contextmanager
def web(handlers: Mapping[str, Callable[[Asked], Answer]]) -> Iterator[str]:
    """The address. `handlers` is looked into at each request."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            is_form = "form" in self.headers.get("Content-Type", "")
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(
                dict(parse_qsl(parts.query)), dict(parse_qsl(body.decode())) if is_form else {}, headers, body
            )
            handle = handlers.get(parts.path)
            answer = handle(asked) if handle else Answer(status=404)
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
