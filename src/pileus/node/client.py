"""The agent's side of the HTTP contract in desired.py."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import msgspec

from pileus.core.authority import CONTROL_PLANE
from pileus.node.desired import (
    Certificate,
    CertificateRequest,
    CloudAuthority,
    ControlKeys,
    ControlRequest,
    HostFacts,
    HostSpec,
    HostStatus,
    JoinRequest,
    Membership,
)

TOKEN_HEADER = "X-Pileus-Host-Token"
ANSWER = 15.0
"""Seconds beyond the wait in which a spec must come: then the control plane is gone without a word, and asked anew."""


class Refused(Exception):
    """The control plane answered, and not as the contract says."""


class ControlPlane:
    """One host's view of the control plane at `url`. Raises Refused, or httpx.TransportError while it is away.

    The host shows its token, or the certificate in `context`; with a context the control plane must show its own.
    """

    def __init__(self, url: str, host: str, token: str = "", context: ssl.SSLContext | None = None) -> None:
        self._host = host
        self._http = httpx.Client(
            base_url=f"{url}/node/v1",
            headers={TOKEN_HEADER: token} if token else {},
            timeout=httpx.Timeout(10, read=60),
            trust_env=False,  # a proxy would be another name than the control plane's
            transport=_Transport(verify=context or True, limits=httpx.Limits(max_keepalive_connections=4)),
        )

    def authority(self) -> CloudAuthority:
        return msgspec.json.decode(self._get("/authority").content, type=CloudAuthority)

    def join(self, wish: JoinRequest) -> Membership:
        return msgspec.json.decode(self._send("POST", "/join", wish).content, type=Membership)

    def control(self, wish: ControlRequest) -> ControlKeys:
        return msgspec.json.decode(self._send("POST", "/control", wish).content, type=ControlKeys)

    def renew(self, request: str) -> str:
        """A new certificate for the key that the host has."""
        answer = self._send("POST", f"/hosts/{self._host}/certificate", CertificateRequest(request=request))
        return msgspec.json.decode(answer.content, type=Certificate).certificate

    def is_registered(self) -> bool:
        """Whether the control plane knows the host, and the host has registered."""
        return self._http.get(f"/hosts/{self._host}").status_code == 204

    def register(self, facts: HostFacts) -> None:
        self._send("PUT", f"/hosts/{self._host}", facts)

    def spec(self, seen: int, wait: float) -> HostSpec | None:
        """The host's spec, or None when it is still of revision `seen` after `wait` seconds."""
        path, query = f"/hosts/{self._host}/spec", {"seen": seen, "wait": wait}
        answer = self._http.get(path, params=query, timeout=httpx.Timeout(10, read=wait + ANSWER))
        if answer.status_code == 304:
            return None
        return msgspec.json.decode(_checked(answer).content, type=HostSpec)

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
            _checked(answer)
            yield answer.iter_bytes(1 << 20)

    def close(self) -> None:
        self._http.close()

    def _get(self, path: str) -> httpx.Response:
        return _checked(self._http.get(path))

    def _send(self, method: str, path: str, body: msgspec.Struct) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        return _checked(self._http.request(method, path, content=msgspec.json.encode(body), headers=headers))


class _Transport(httpx.HTTPTransport):
    """The control plane is known by its name, at whatever address it answers."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "sni_hostname": CONTROL_PLANE}
        return super().handle_request(request)


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.status_code >= 300:
        answer.read()
        raise Refused(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:300]}")
    return answer
