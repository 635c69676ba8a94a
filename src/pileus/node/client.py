"""The agent's side of the HTTP contract in desired.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import msgspec

from pileus.node.desired import HostFacts, HostSpec, HostStatus

TOKEN_HEADER = "X-Pileus-Host-Token"


class Refused(Exception):
    """The control plane answered, and not as the contract says."""


class ControlPlane:
    """One host's view of the control plane at `url`. Raises Refused, or httpx.TransportError while it is away."""

    def __init__(self, url: str, host: str, token: str) -> None:
        self._host = host
        self._http = httpx.Client(
            base_url=f"{url}/node/v1",
            headers={TOKEN_HEADER: token},
            timeout=httpx.Timeout(10, read=60),
            limits=httpx.Limits(max_keepalive_connections=4),
        )

    def register(self, facts: HostFacts) -> None:
        self._send("PUT", f"/hosts/{self._host}", facts)

    def spec(self, seen: int, wait: float) -> HostSpec | None:
        """The host's spec, or None when it is still of revision `seen` after `wait` seconds."""
        answer = self._http.get(f"/hosts/{self._host}/spec", params={"seen": seen, "wait": wait})
        if answer.status_code == 304:
            return None
        _check(answer)
        return msgspec.json.decode(answer.content, type=HostSpec)

    def report(self, status: HostStatus) -> None:
        self._send("POST", f"/hosts/{self._host}/status", status)

    def leave_password(self, guest_id: str, encrypted: bytes) -> int:
        """A guest's password, encrypted by itself; the HTTP status of the answer (409 where it has left one already)."""
        path = f"/hosts/{self._host}/guests/{guest_id}/password"
        return self._http.post(
            path, content=encrypted, headers={"Content-Type": "application/octet-stream"}
        ).status_code

    @contextmanager
    def image(self, image_id: str) -> Iterator[Iterator[bytes]]:
        """An image's bytes, in pieces."""
        with self._http.stream("GET", f"/images/{image_id}/file") as answer:
            _check(answer)
            yield answer.iter_bytes(1 << 20)

    def close(self) -> None:
        self._http.close()

    def _send(self, method: str, path: str, body: HostFacts | HostStatus) -> None:
        headers = {"Content-Type": "application/json"}
        _check(self._http.request(method, path, content=msgspec.json.encode(body), headers=headers))


def _check(answer: httpx.Response) -> None:
    if answer.status_code >= 300:
        answer.read()
        raise Refused(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:300]}")
