"""Routes declared once; Falcon (ASGI) underneath.

A service is a `Service`; a route is one declaration on it:

    @api.get("/servers/{server_id}", policy="os_compute_api:servers:show", load=rules.visible_server)
    def show_server(tx: Tx, caller: Caller, server: ServerRow) -> Server: ...

Arguments are given by name: `tx`, `db`, `watch`, `settings`, `caller`, `request`, `body`, `query`, the path's parameters; the one name that is
left is what `load` returned. `load` and `target` get their arguments in the same way. A handler that takes `db` instead of
`tx`, or is `async`, opens its own transactions. Dispatch does, in this order: authenticate, choose the version and route,
decode, load, authorise, handle, commit, encode.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import parse_qsl

import msgspec

from pileus.core import body as bodies
from pileus.core import errors
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.policy import Policy
from pileus.core.sendfile import FilePart
from pileus.core.version import ALWAYS, Version, Window

if TYPE_CHECKING:
    from pileus.core.tls import Peer

F = TypeVar("F", bound=Callable[..., Any])
MAX_BODY = 1 << 20
"""Bytes of a request body where the route does not say otherwise."""


class Response(msgspec.Struct):
    """A reply that sets more than its body. `body`: anything encodable, bytes as they are, or None."""

    body: Any = None
    status: int | None = None
    headers: Mapping[str, str] = {}
    content_type: str = errors.JSON


class Stream(msgspec.Struct):
    """A reply that is sent piece by piece."""

    chunks: AsyncIterator[bytes]
    length: int | None = None
    status: int = 200
    headers: Mapping[str, str] = {}
    content_type: str = "application/octet-stream"
    file: FilePart | None = None
    """Where the chunks are a file's: for connections that can send it without them."""


class Versions(msgspec.Struct, frozen=True):
    """The microversions of a service and the headers in which they are asked for.

    `name` is the service type in `OpenStack-API-Version: <name> X.Y`; `legacy_header` carries X.Y alone.
    """

    name: str
    first: Version
    last: Version
    header: str = "OpenStack-API-Version"
    legacy_header: str | None = None


class Route(msgspec.Struct, kw_only=True, dict=True):
    """One operation of a service: what its decorator declared, and the handler."""

    service: str
    method: str
    path: str
    handler: Callable[..., Any]
    action: str | None = None
    window: Window = ALWAYS
    policy: str | None = None
    """None: any authenticated caller."""
    policies: Mapping[str, str] = {}
    """Body or query field -> the rule that the caller needs to give it."""
    public: bool = False
    """No token needed; one that is given is still looked at."""
    load: Callable[..., Any] | None = None
    openly_missing: bool = False
    """What is not there gives 404 to everybody, in a service that else gives 403 first."""
    target: Callable[..., Mapping[str, Any]] | None = None
    success: int | Mapping[str, int] = 200
    max_body: int = MAX_BODY
    summary: str = ""
    root: bool = False

    @cached_property
    def hints(self) -> dict[str, Any]:
        return typing.get_type_hints(self.handler, include_extras=True)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self.handler).parameters)

    @cached_property
    def loaded_name(self) -> str | None:
        known = {"tx", "db", "caller", "request", "body", "query", "watch", "settings", *self.parameters}
        rest = [name for name in self.names if name not in known]
        if len(rest) > (1 if self.load else 0):
            raise TypeError(f"{self.handler.__module__}.{self.handler.__name__}: nothing provides {', '.join(rest)}")
        return rest[0] if rest else None

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        return tuple(part[1:-1].split(":")[0] for part in self.path.split("/") if part.startswith("{"))

    @cached_property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.handler)

    @cached_property
    def own_transactions(self) -> bool:
        return self.is_async or "tx" not in self.names

    @cached_property
    def writes(self) -> bool:
        return self.method not in ("GET", "HEAD") and not self.own_transactions

    @cached_property
    def body_type(self) -> Any:
        """Without the None of a body that may be left out."""
        kind = self.hints.get("body")
        rest = [part for part in typing.get_args(kind) if part is not type(None)]
        return rest[0] if self.body_is_optional and len(rest) == 1 else kind

    @cached_property
    def body_is_optional(self) -> bool:
        return type(None) in typing.get_args(self.hints.get("body"))

    @cached_property
    def query_type(self) -> Any:
        return self.hints.get("query")

    def status(self, version: Version) -> int:
        if isinstance(self.success, int):
            return self.success
        code = 200
        for since, value in self.success.items():
            if version >= Version.parse(since):
                code = value
        return code


class Request(msgspec.Struct, dict=True):
    """What a handler may need of the request beyond its decoded parts."""

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    """Names in lower case."""
    base_url: str
    """scheme://host[:port] as the client knows it."""
    prefix: str
    """The service's path prefix."""
    parameters: Mapping[str, str]
    raw: bytes
    client: str
    request_id: str
    certificate: bytes | None = None
    """The DER of the client's certificate, where a TLS proxy that is believed passed one on."""
    peer: Peer | None = None
    """Who has shown a certificate of the cloud's authority, where the connection is TLS."""
    stream: Any = None
    """The body's chunks, for async handlers with max_body 0."""

    @property
    def url(self) -> str:
        """Of this service, to build links from: scheme://host/prefix."""
        return self.base_url + self.prefix

    @property
    def bearer(self) -> str | None:
        """A token as OAuth 2 clients send it (RFC 6750)."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        try:
            found = parse_qsl(self.query_string, keep_blank_values=True, max_num_fields=1000, errors="strict")
        except (ValueError, UnicodeDecodeError) as error:
            raise errors.BadRequest(f"The query string can't be read: {error}") from None
        if "%00" in self.query_string and any("\x00" in part for pair in found for part in pair):
            raise errors.BadRequest("The query string has a NUL character (%00).")
        return found

    @cached_property
    def json(self) -> Any:
        return bodies.parse_json(self.raw) if self.raw else None


class Authenticator(Protocol):
    def __call__(self, tx: Tx, token: str, service_token: str | None) -> Caller:
        """Who a token speaks for. Raises Unauthorized."""


Socket = Callable[..., Awaitable[None]]


class Service:
    """One API: its prefix, versions, error shape, policy and routes."""

    def __init__(
        self,
        name: str,
        prefix: str,
        shape: errors.Shape,
        policy: Policy | None = None,
        versions: Versions | None = None,
        answers_head: bool = False,
        trailing_slash: bool = True,
        vary: str | None = None,
        request_id_header: str | None = None,
        www_authenticate: bool = True,
        forbidden_before_missing: bool = False,
        lenient_bodies: bool = False,
        quiet: bool = False,
    ) -> None:
        self.name, self.prefix, self.shape, self.policy, self.versions = name, prefix, shape, policy, versions
        self.trailing_slash = trailing_slash
        """Whether /things/ is /things; else its empty id names nothing."""
        self.answers_head, self.vary, self.request_id_header = answers_head, vary, request_id_header
        self.www_authenticate = www_authenticate
        self.forbidden_before_missing = forbidden_before_missing
        """What is not there gives 403 to those who might not see it either, so that ids can't be probed."""
        self.lenient_bodies = lenient_bodies
        """Whether "1400" and "true" in a body are the number and the truth that they say."""
        self.quiet = quiet
        """Its requests come by themselves, all the time, and are not logged."""
        self.routes: list[Route] = []
        self.sockets: dict[str, Socket] = {}

    @property
    def root(self) -> str:
        """The first part of its paths: /compute of /compute/v2.1."""
        return "/" + self.prefix.split("/")[1]

    def route(
        self,
        method: str,
        path: str,
        *,
        action: str | None = None,
        since: str | None = None,
        until: str | None = None,
        **declared: Any,
    ) -> Callable[[F], F]:
        """Declare an operation; `declared` are the fields of Route."""

        def declare(handler: F) -> F:
            route = Route(
                service=self.name,
                method=method,
                path=path,
                handler=handler,
                action=action,
                window=Window.of(since, until),
                summary=(handler.__doc__ or "").strip().split("\n")[0],
                **declared,
            )
            assert route.loaded_name is None or route.load
            self.routes.append(route)
            return handler

        return declare

    def get(self, path: str, **declared: Any) -> Callable[[F], F]:
        return self.route("GET", path, **declared)

    def post(self, path: str, **declared: Any) -> Callable[[F], F]:
        return self.route("POST", path, **declared)

    def put(self, path: str, **declared: Any) -> Callable[[F], F]:
        return self.route("PUT", path, **declared)

    def patch(self, path: str, **declared: Any) -> Callable[[F], F]:
        return self.route("PATCH", path, **declared)

    def delete(self, path: str, **declared: Any) -> Callable[[F], F]:
        return self.route("DELETE", path, success=declared.pop("success", 204), **declared)

    def action(self, path: str, name: str, **declared: Any) -> Callable[[F], F]:
        """POST with a body of the single key `name`; the handler's `body` is what is under it."""
        return self.route("POST", path, action=name, success=declared.pop("success", 202), **declared)

    def described(self) -> Iterator[Route]:
        """The routes as clients can call them: a HEAD beside each GET where the service answers it."""
        for route in self.routes:
            yield route
            if self.answers_head and route.method == "GET":
                yield msgspec.structs.replace(route, method="HEAD")

    def shown_path(self, route: Route) -> str:
        """As API references have it: below the prefix, or for version documents below the root."""
        if route.path and not route.root:
            return route.path
        return (route.path or self.prefix).removeprefix(self.root) or "/"

    def websocket(self, path: str) -> Callable[[Socket], Socket]:
        """`async def handler(socket: falcon.asgi.WebSocket, request: falcon.asgi.Request, db, settings, **parameters)`."""

        def declare(handler: Socket) -> Socket:
            self.sockets[path] = handler
            return handler

        return declare
