"""Bytes from the web, for a caller who must not reach anything that only this machine reaches.

Every connection, redirects' too, goes to an address that was looked at: names are resolved here, once, and only globally
routable addresses are connected to, unless the operator allows their network.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpcore

from pileus.core.errors import BadRequest

_REDIRECTS = 3
_TIMEOUTS = {"connect": 10.0, "read": 60.0, "write": 10.0, "pool": 10.0}
_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
Networks = Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]


async def check(uri: str, allowed: Networks) -> None:
    """Raises BadRequest where `uri` can't be fetched: its form, its host's name, its address."""
    host, port = _parts(uri)
    await addresses(host, port, allowed)


async def stream(
    uri: str,
    allowed: Networks,
    span: tuple[int, int] | None = None,
    headers: Sequence[tuple[str, str]] = (),
) -> AsyncGenerator[bytes, None]:
    """The body that `uri` gives, or its bytes from the first to before the second of `span`.

    `headers` go to the host of `uri` alone, not to where it redirects. Raises BadRequest with the reason why not.
    """
    wanted = [*headers, ("Range", f"bytes={span[0]}-{span[1] - 1}")] if span else headers
    async with _answer("GET", uri, allowed, wanted) as answer:
        chunks = answer.aiter_stream()
        async for chunk in _cut(chunks, *span) if span and answer.status == 200 else chunks:
            yield chunk


async def size(uri: str, allowed: Networks) -> int:
    """How many bytes `uri` has, as its server says. Raises BadRequest."""
    for method in ("HEAD", "GET"):
        try:
            async with _answer(method, uri, allowed) as answer:
                length = _header(answer, b"content-length")
                if length is not None and length.isdigit():
                    return int(length)
        except BadRequest:
            if method == "GET":
                raise
    raise BadRequest(f"The server of {uri[:255]} does not say how many bytes it has.")


async def _cut(chunks: AsyncIterable[bytes], start: int, end: int) -> AsyncIterator[bytes]:
    """For servers that send all, whatever range is asked for."""
    at = 0
    async for chunk in chunks:
        part = chunk[max(start - at, 0) : max(end - at, 0)]
        at += len(chunk)
        if part:
            yield part
        if at >= end:
            return


def _header(answer: httpcore.Response, wanted: bytes) -> bytes | None:
    return next((value for name, value in answer.headers if name.lower() == wanted), None)


@asynccontextmanager
async def _answer(
    method: str, uri: str, allowed: Networks, headers: Sequence[tuple[str, str]] = ()
) -> AsyncIterator[httpcore.Response]:
    """The answer at the end of all redirects. What goes wrong with it inside is raised as BadRequest too."""
    backend = _Backend(allowed)
    async with httpcore.AsyncConnectionPool(network_backend=backend, ssl_context=ssl.create_default_context()) as pool:
        try:
            for _ in range(_REDIRECTS + 1):
                host, port = _parts(uri)
                async with pool.stream(method, uri, headers=[*headers], extensions={"timeout": _TIMEOUTS}) as answer:
                    target = _header(answer, b"location")
                    if answer.status in (301, 302, 303, 307, 308) and target:
                        uri = urljoin(uri, target.decode("latin-1"))
                        if _parts(uri) != (host, port):
                            headers = [each for each in headers if each[0] == "Range"]
                        continue
                    if answer.status not in (200, 206):
                        shown = any(name == "X-Auth-Token" for name, _ in headers)
                        hint = _UNKNOWN_TOKEN if shown and answer.status == 401 else ""
                        raise BadRequest(f"{uri[:255]} answered with status {answer.status}{hint}.")
                    yield answer
                    return
            raise BadRequest(f"There are more than {_REDIRECTS} redirects; the last one leads to {uri[:255]}.")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise BadRequest(f"{uri[:255]} can't be fetched: {error or type(error).__name__}.") from error


_UNKNOWN_TOKEN = ": it does not take your token, so its cloud and this one must share their identity service"


def _parts(uri: str) -> tuple[str, int]:
    """Host and port of a URI that may be fetched."""
    try:
        found = urlsplit(uri)
        host, port = found.hostname, found.port
    except ValueError as error:
        raise BadRequest(f"The URI '{uri[:255]}' can't be read: {error}.") from None
    if found.scheme not in _PORTS or not host:
        raise BadRequest(f"The URI '{uri[:255]}' must start with http:// or https:// and a host.")
    if found.username is not None or found.password is not None:
        raise BadRequest("The URI must not carry a user or a password.")
    if not uri.isascii() or any(character.isspace() or not character.isprintable() for character in uri):
        raise BadRequest("The URI must have neither blanks nor characters beyond ASCII; percent-encode them.")
    return host, port or _PORTS[found.scheme]


async def addresses(host: str, port: int, allowed: Networks) -> list[str]:
    """Where `host` is. Raises BadRequest unless all of its addresses may be connected to."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise BadRequest(f"The host '{host[:255]}' can't be found: {error}.") from None
    texts = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for text in texts:
        if not permitted(text, allowed):
            raise BadRequest(
                f"The host '{host[:255]}' is at {text}, which is not an address on the internet; "
                "the operator may allow its network by the option import_networks."
            )
    return texts


def permitted(address: str, allowed: Networks) -> bool:
    """Whether an address is globally routable, whichever way it is written, or in an allowed network."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if any(found in network for network in allowed if network.version == found.version):
        return True
    if not found.is_global or found.is_multicast or found in _LOCAL_NAT64:
        return False
    inner = _inner(found) if found.version == 6 else None
    return inner is None or permitted(str(inner), allowed)


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for: mapped, 6to4, Teredo or NAT64."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]


class _Backend(httpcore.AsyncNetworkBackend):
    """Connects to the addresses that were looked at, not to whatever the name says a moment later."""

    def __init__(self, allowed: Networks) -> None:
        self._allowed = allowed
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        error: Exception | None = None
        for address in await addresses(host, port, self._allowed):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failure:
                error = failure
        raise error or httpcore.ConnectError(f"{host} has no address")


def networks(text: str) -> Networks:
    """Of networks separated by commas. Raises ValueError for what is none."""
    return [ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip()]
