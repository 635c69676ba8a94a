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

import asyncio
import inspect
import typing
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qsl

import falcon
import falcon.asgi
import msgspec
import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError

from pileus.core import body as bodies
from pileus.core import errors
from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database, Tx, is_reference_violation, is_transient, is_unique_violation
from pileus.core.errors import Problem
from pileus.core.policy import Policy
from pileus.core.version import ALWAYS, FIRST, LAST, Version, Window
from pileus.core.watch import Watch

log = structlog.get_logger("pileus.http")
F = TypeVar("F", bound=Callable[..., Any])
MAX_BODY = 1 << 20
"""Bytes of a request body where the route does not say otherwise."""
_ATTEMPTS = 5


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
        return self.hints.get("body")

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
    stream: Any = None
    """The body's chunks, for async handlers with max_body 0."""

    @property
    def url(self) -> str:
        """Of this service, to build links from: scheme://host/prefix."""
        return self.base_url + self.prefix

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        try:
            return parse_qsl(self.query_string, keep_blank_values=True, max_num_fields=1000, errors="strict")
        except (ValueError, UnicodeDecodeError) as error:
            raise errors.BadRequest(f"The query string can't be read: {error}") from None

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
        vary: str | None = None,
        request_id_header: str | None = None,
        www_authenticate: bool = True,
        forbidden_before_missing: bool = False,
    ) -> None:
        self.name, self.prefix, self.shape, self.policy, self.versions = name, prefix, shape, policy, versions
        self.answers_head, self.vary, self.request_id_header = answers_head, vary, request_id_header
        self.www_authenticate = www_authenticate
        self.forbidden_before_missing = forbidden_before_missing
        """What is not there gives 403 to those who might not see it either, so that ids can't be probed."""
        self.routes: list[Route] = []
        self.sockets: dict[str, Socket] = {}

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

    def websocket(self, path: str) -> Callable[[Socket], Socket]:
        """`async def handler(socket: falcon.asgi.WebSocket, request: falcon.asgi.Request, db, **parameters)`."""

        def declare(handler: Socket) -> Socket:
            self.sockets[path] = handler
            return handler

        return declare


class HttpRequest(falcon.asgi.Request):
    """Falcon's request, which knows whether its client went away before the end of the body."""

    def __init__(self, scope: Any, receive: Any, first_event: Any = None, options: Any = None) -> None:
        self.cut_off = False

        async def watched() -> Any:
            found = await receive()
            if found["type"] == "http.disconnect":
                self.cut_off = True
            return found

        super().__init__(scope, watched, first_event=first_event, options=options)


class Resource:
    """All routes of one path of one service, as Falcon wants them: one responder a method."""

    def __init__(self, app: App, service: Service, routes: Sequence[Route], socket: Socket | None) -> None:
        self._app, self._service = app, service
        self._by_method: dict[str, list[Route]] = {}
        for route in routes:
            self._by_method.setdefault(route.method, []).append(route)
        if service.answers_head and "GET" in self._by_method:
            self._by_method.setdefault("HEAD", self._by_method["GET"])
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
            setattr(self, f"on_{method.lower()}", self._answer)
        if socket is not None:
            self._socket = socket
            self.on_websocket = self._websocket

    async def _websocket(self, req: Any, ws: Any, **parameters: str) -> None:
        await self._socket(ws, req, self._app.db, **parameters)

    async def _answer(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, **parameters: str) -> None:
        await self._app.answer(self._service, self._by_method, req, resp, parameters)


class App:
    """Several services behind one port."""

    def __init__(
        self,
        services: Sequence[Service],
        db: Database,
        watch: Watch,
        authenticate: Authenticator,
        threads: int = 16,
        settings: Settings | None = None,
    ) -> None:
        self.services, self.db, self.watch, self.authenticate = list(services), db, watch, authenticate
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self.settings = settings or Settings()
        self.asgi: falcon.asgi.App[Any, Any] = falcon.asgi.App(request_type=HttpRequest)
        self.asgi.req_options.strip_url_path_trailing_slash = True
        self.asgi.ws_options.max_receive_queue = 32
        for service in self.services:
            self._add(service)

    @property
    def routes(self) -> list[Route]:
        return [route for service in self.services for route in service.routes]

    def _add(self, service: Service) -> None:
        paths: dict[str, list[Route]] = {}
        for route in service.routes:
            if service.policy is not None:
                missing = {route.policy, *route.policies.values()} - {None, *service.policy.names}
                if missing:
                    raise KeyError(f"{route.method} {route.path}: {service.name} has no policy rule {missing}")
            paths.setdefault(route.path if route.root else service.prefix + route.path, []).append(route)
        for path in service.sockets:
            paths.setdefault(service.prefix + path, [])
        for path, routes in sorted(paths.items()):
            socket = service.sockets.get(path.removeprefix(service.prefix))
            self.asgi.add_route(path, Resource(self, service, routes, socket))
        self.asgi.add_sink(self._nowhere(service), prefix=service.prefix + "(/|$)")

    def _nowhere(self, service: Service) -> Any:
        async def sink(req: falcon.asgi.Request, resp: falcon.asgi.Response, **_: str) -> None:
            await self.answer(service, {}, req, resp, {})

        return sink

    async def answer(
        self,
        service: Service,
        by_method: Mapping[str, Sequence[Route]],
        req: falcon.asgi.Request,
        resp: falcon.asgi.Response,
        parameters: Mapping[str, str],
    ) -> None:
        """Do one request. Every exception becomes an answer in the service's shape."""
        request_id = "req-" + str(uuid.uuid4())
        version = FIRST
        method = req.method
        try:
            request = self._request(service, req, parameters, request_id)
            version = negotiate(service, request.headers)
            routes = by_method.get(method, ())
            largest = max((route.max_body for route in routes), default=MAX_BODY)
            if largest:
                request.raw = await _read(req, largest)
            else:
                request.stream = _chunks(req)
            exchange = Exchange(self, service, request, version)
            loop = asyncio.get_running_loop()
            route = exchange.choose(by_method)
            exchange.route = route
            if route.is_async:
                arguments = await loop.run_in_executor(self.pool, exchange.prepare)
                outcome = await route.handler(**arguments)
                status, headers, payload, kind = exchange.finish(outcome)
            else:
                status, headers, payload, kind = await loop.run_in_executor(self.pool, exchange.run)
        except Problem as problem:
            payload, kind = service.shape(problem, request_id)
            status, headers = problem.status, problem.headers
            if status == 401 and service.www_authenticate:
                headers["WWW-Authenticate"] = f"Keystone uri='{req.prefix}/identity'"
        except Exception:
            log.exception("a request failed", method=method, path=req.path, request_id=request_id, service=service.name)
            failure = Problem(f"Pileus failed to answer. The log has the reason under {request_id}.")
            payload, kind = service.shape(failure, request_id)
            status, headers = 500, {}
        resp.status = falcon.util.code_to_http_status(status)
        resp.set_header("X-Openstack-Request-Id", request_id)
        for name, value in headers.items():
            resp.set_header(name, value)
        if service.request_id_header:
            resp.set_header(service.request_id_header, request_id)
        if service.versions is not None and version != FIRST:
            resp.set_header(service.versions.header, f"{service.versions.name} {version}")
            if service.versions.legacy_header:
                resp.set_header(service.versions.legacy_header, str(version))
        if service.vary:
            resp.set_header("Vary", service.vary)
        if isinstance(payload, Stream):
            resp.content_type = kind
            if payload.length is not None:
                resp.set_header("Content-Length", str(payload.length))
            if method != "HEAD":
                resp.stream = payload.chunks
        elif payload is not None:
            resp.content_type = kind
            resp.data = payload
            if method == "HEAD":
                resp.set_header("Content-Length", str(len(payload)))
                resp.data = None

    def _request(
        self, service: Service, req: falcon.asgi.Request, parameters: Mapping[str, str], request_id: str
    ) -> Request:
        for name, value in parameters.items():
            if "\x00" in value or len(value) > 1024:
                raise errors.BadRequest(f"{name} must have at most 1024 characters and no NUL.")
        return Request(
            req.method,
            req.path,
            req.query_string,
            req.headers_lower,
            req.forwarded_prefix.removesuffix("/"),
            service.prefix,
            parameters,
            b"",
            req.remote_addr or "",
            request_id,
        )


class Exchange:
    """One request on its way through authenticate, decode, load, authorise, handle, commit."""

    route: Route

    def __init__(self, app: App, service: Service, request: Request, version: Version) -> None:
        self.app, self.service, self.request, self.version = app, service, request, version

    def choose(self, by_method: Mapping[str, Sequence[Route]]) -> Route:
        """The route for the method, the action in the body and the version."""
        request = self.request
        routes = by_method.get(request.method)
        if not by_method:
            raise errors.NotFound(f"There is nothing at {request.path}.", code="HTTPNotFound")
        if routes is None:
            allow = ", ".join(sorted(by_method))
            raise errors.MethodNotAllowed(
                f"{request.method} is not possible on {request.path}; possible are {allow}.", headers={"Allow": allow}
            )
        named = [route for route in routes if route.action is not None]
        if named:
            routes = self._of_action(named) or [route for route in routes if route.action is None]
            if not routes:
                raise errors.BadRequest(
                    "There is no such action: the body must be a JSON object with one action as its key."
                )
        for route in routes:
            if self.version in route.window:
                return route
        raise errors.NotFound(f"{request.method} {request.path} does not exist in version {self.version}.")

    def _of_action(self, named: Sequence[Route]) -> list[Route]:
        value = self.request.json
        if not isinstance(value, dict):
            return []
        found = [route for route in named if route.action in value]
        if found and len(value) > 1:
            raise errors.BadRequest(f"One action at a time: the body has {', '.join(sorted(map(str, value)))[:255]}.")
        return found

    def run(self) -> tuple[int, dict[str, str], Any, str]:
        """A synchronous route, in its transaction."""
        route = self.route
        if route.own_transactions:
            return self.finish(route.handler(**self.prepare()))
        for attempt in range(_ATTEMPTS):
            try:
                with self.app.db.write() if route.writes else self.app.db.read() as tx:
                    arguments = self._arguments(tx)
                    # encoded before the commit, so that a reply that can't be encoded changes nothing
                    return self.finish(route.handler(**arguments))
            except DBAPIError as error:
                self._database_refused(error, attempt)
        raise AssertionError("unreachable")

    def _database_refused(self, error: DBAPIError, attempt: int) -> None:
        """Go on to the next attempt, or raise what the caller is told."""
        if isinstance(error, IntegrityError):
            if is_reference_violation(error):
                raise errors.Conflict(
                    "Something that this refers to is gone, or something still refers to this."
                ) from error
            if is_unique_violation(error):
                raise errors.Conflict("This exists already.") from error
        if not is_transient(error) or attempt == _ATTEMPTS - 1:
            raise error

    def prepare(self) -> dict[str, Any]:
        """The arguments of a handler that opens its own transactions."""
        with self.app.db.read() as tx:
            return self._arguments(tx)

    def _arguments(self, tx: Tx) -> dict[str, Any]:
        """Authenticate, decode, load, authorise; then what the handler takes, by name."""
        route, request = self.route, self.request
        caller = self._caller(tx)
        have: dict[str, Any] = {
            **request.parameters,
            "tx": tx,
            "db": self.app.db,
            "watch": self.app.watch,
            "settings": self.app.settings,
            "caller": caller,
            "request": request,
        }
        if route.body_type is not None:
            have["body"] = self._body()
        if route.query_type is not None:
            have["query"] = bodies.decode_query(request.query, route.query_type, self.version, self._name)
        if route.load is not None:
            loaded = self._load(route.load, caller, have)
            have[route.loaded_name or "loaded"] = loaded
        else:
            loaded = None
        self._authorise(caller, have, loaded)
        return {name: have[name] for name in route.names}

    def _load(self, load: Callable[..., Any], caller: Caller, have: Mapping[str, Any]) -> Any:
        policy, rule = self.service.policy, self.route.policy
        try:
            return _call(load, have)
        except errors.NotFound:
            if self.service.forbidden_before_missing and policy is not None and rule is not None:
                policy.enforce(rule, caller, {})
            raise

    @property
    def _name(self) -> str:
        return self.service.versions.name if self.service.versions else self.service.name

    def _caller(self, tx: Tx) -> Caller:
        headers = self.request.headers
        token = headers.get("x-auth-token") or headers.get("x-storage-token")
        policy = self.service.policy
        if not token:
            if not self.route.public:
                raise errors.Unauthorized(
                    "The request you have made requires authentication: give a token in X-Auth-Token."
                )
            caller = Caller(user_id="", project_id=None)
        else:
            try:
                caller = self.app.authenticate(tx, token, headers.get("x-service-token"))
            except errors.Unauthorized:
                if not self.route.public:
                    raise
                caller = Caller(user_id="")
        inbound = headers.get("x-openstack-request-id")
        known = inbound if inbound and inbound.startswith("req-") and len(inbound) == 40 else None

        def allows(rule: str, target: Mapping[str, Any] | None = None) -> bool:
            return policy is None or policy.allows(rule, here, target)

        here = caller.at(self.request.request_id, known, self.version, allows)
        return here

    def _body(self) -> Any:
        request, kind = self.request, self.route.body_type
        if self.route.action is not None:
            value = request.json[self.route.action]
            return bodies.convert(value, kind, self.version, self._name, self.route.action)
        if kind is bytes:
            return request.raw
        if not request.raw:
            if type(None) in typing.get_args(kind):
                return None
            raise errors.BadRequest("This request needs a JSON body.")
        return bodies.decode(request.raw, kind, self.version, self._name)

    def _authorise(self, caller: Caller, have: Mapping[str, Any], loaded: Any) -> None:
        route, policy = self.route, self.service.policy
        if policy is None or (route.policy is None and not route.policies):
            return
        target: Mapping[str, Any] | None
        if route.target is not None:
            target = _call(route.target, have)
        elif loaded is not None:
            target = _as_target(loaded)
        else:
            target = None
        if route.policy is not None:
            policy.enforce(route.policy, caller, target)
        for field, rule in route.policies.items():
            if _given(have.get("body"), field) or _given(have.get("query"), field):
                policy.enforce(rule, caller, target)

    def finish(self, outcome: Any) -> tuple[int, dict[str, str], Any, str]:
        """status, headers, payload, content type."""
        status = self.route.status(self.version)
        if isinstance(outcome, Stream):
            return outcome.status, dict(outcome.headers), outcome, outcome.content_type
        headers: dict[str, str] = {}
        kind = errors.JSON
        if isinstance(outcome, Response):
            status, headers, kind = outcome.status or status, dict(outcome.headers), outcome.content_type
            outcome = outcome.body
        if outcome is None:
            return status, headers, None, kind
        if isinstance(outcome, bytes):
            return status, headers, outcome, kind
        return status, headers, bodies.encode(outcome, self.version), kind


def _given(value: Any, field: str) -> bool:
    """Whether a dotted field of a body or query was given."""
    for part in field.split("."):
        if value is None:
            return False
        value = value.get(part, bodies.UNSET) if isinstance(value, Mapping) else getattr(value, part, bodies.UNSET)
    return value is not bodies.UNSET and value is not None


def _as_target(loaded: Any) -> Mapping[str, Any]:
    if isinstance(loaded, Mapping):
        return loaded
    return {name: getattr(loaded, name) for name in loaded.__struct_fields__}


_signatures: dict[Callable[..., Any], tuple[str, ...]] = {}


def _call(function: Callable[..., Any], have: Mapping[str, Any]) -> Any:
    names = _signatures.get(function)
    if names is None:
        names = _signatures[function] = tuple(inspect.signature(function).parameters)
    return function(**{name: have[name] for name in names})


def negotiate(service: Service, headers: Mapping[str, str]) -> Version:
    """The microversion that the headers ask for. Raises BadRequest (malformed) or NotAcceptable (out of range)."""
    versions = service.versions
    if versions is None:
        return FIRST
    asked = None
    for item in headers.get(versions.header.lower(), "").split(","):
        words = item.split()
        if len(words) == 2 and words[0].lower() == versions.name:
            asked = words[1]
        elif len(words) == 1 and words[0].lower() == versions.name:
            raise errors.BadRequest(f"{versions.header} must be '{versions.name} X.Y', got '{item.strip()[:64]}'.")
    if asked is None and versions.legacy_header:
        asked = headers.get(versions.legacy_header.lower())
    if asked is None:
        return versions.first
    if asked.lower() == "latest":
        return versions.last
    try:
        version = Version.parse(asked)
    except ValueError:
        raise errors.BadRequest(
            f"API version '{asked[:64]}' is not of the form MAJOR.MINOR; {versions.name} has {versions.first} to {versions.last}."
        ) from None
    if not versions.first <= version <= versions.last:
        raise errors.NotAcceptable(
            f"Version {version} is not supported by {versions.name}; it has {versions.first} to {versions.last}.",
            min_version=str(versions.first),
            max_version=str(versions.last),
        )
    return version


async def _chunks(req: falcon.asgi.Request) -> AsyncIterator[bytes]:
    """The body piece by piece. Raises BadRequest where it ends too early."""
    async for chunk in req.stream:
        yield chunk
    if isinstance(req, HttpRequest) and req.cut_off:
        raise errors.BadRequest("The client went away before the end of the request's body.")


async def _read(req: falcon.asgi.Request, limit: int) -> bytes:
    if req.content_length is not None and req.content_length > limit:
        raise errors.TooLarge(f"The request body has {req.content_length} bytes; the limit is {limit}.")
    if not req.content_length and not req.get_header("transfer-encoding"):
        return b""
    chunks, size = [], 0
    async for chunk in req.stream:
        size += len(chunk)
        if size > limit:
            raise errors.TooLarge(f"The request body has more than {limit} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


__all__ = ["ALWAYS", "LAST", "App", "Request", "Response", "Route", "Service", "Stream", "Versions", "negotiate"]
