"""Requests to identity providers: short, small, and only a few at a time, so that one that hangs holds up nobody else."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import structlog

from pileus.core.errors import ServiceUnavailable

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
log = structlog.get_logger("pileus.identity")
MAX_ANSWER = 1 << 20
_SECONDS = 5.0
_turns = threading.BoundedSemaphore(4)
"""Fewer than there are threads for requests."""


class Refused(Exception):
    """The provider answered, and the answer is no."""


def is_safe(url: str) -> bool:
    """https, or http to this machine itself."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return bool(parts.hostname)
    try:
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def json(
    url: str,
    kind: type[T] | Any,
    *,
    form: Mapping[str, str] | None = None,
    client: tuple[str, str] | None = None,
    bearer: str | None = None,
) -> T:
    """GET, or POST of a form; `client`: id and secret. Raises ServiceUnavailable, Refused (a status of 400 to 499)."""
    headers = {"Accept": "application/json", **({"Authorization": f"Bearer {bearer}"} if bearer else {})}
    try:
        return msgspec.json.decode(_ask(url, headers, form, client), type=kind)
    except msgspec.MsgspecError as error:
        raise ServiceUnavailable(f"{url} does not answer as it should: {error}") from None


def text(url: str) -> str:
    """Raises ServiceUnavailable, Refused."""
    try:
        return _ask(url, {}, None, None).decode()
    except UnicodeDecodeError as error:
        raise ServiceUnavailable(f"{url} does not answer as it should: {error}") from None


def _ask(url: str, headers: Mapping[str, str], form: Mapping[str, str] | None, client: tuple[str, str] | None) -> bytes:
    import httpx

    if not is_safe(url):
        raise ServiceUnavailable(f"{url[:255]} is not https.")
    if not _turns.acquire(blocking=False):
        raise ServiceUnavailable("Identity providers are slow to answer: try again.", headers={"Retry-After": "5"})
    method = "GET" if form is None else "POST"
    try:
        with (
            httpx.Client(timeout=_SECONDS) as http,
            http.stream(method, url, data=form, auth=client, headers=headers) as response,
        ):
            return _content(url, response)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        log.warning("an identity provider does not answer", url=url, reason=str(error))
        raise ServiceUnavailable(f"{url} does not answer as it should: {error}") from None
    finally:
        _turns.release()


def _content(url: str, response: httpx.Response) -> bytes:
    raw = bytearray()
    for chunk in response.iter_bytes():
        raw += chunk
        if len(raw) > MAX_ANSWER:
            raise ServiceUnavailable(f"The answer of {url} has more than {MAX_ANSWER} bytes.")
    if 400 <= response.status_code < 500:
        raise Refused(f"{url} answered {response.status_code}: {bytes(raw[:200])!r}")
    if response.status_code != 200:
        raise ServiceUnavailable(f"{url} answered {response.status_code}.")
    return bytes(raw)
