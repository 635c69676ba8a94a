"""A request's way: authenticate, choose the version and route, decode, load, authorise, handle, commit, encode."""

from __future__ import annotations

import asyncio
import inspect
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import falcon
import falcon.asgi
import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from pileus.core import body as bodies
from pileus.core import certificates, errors, metrics, sendfile
from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database, Tx, Uncertain, is_away, is_reference_violation, is_transient, is_unique_violation
from pileus.core.errors import Problem
from pileus.core.http import MAX_BODY, Authenticator, Request, Response, Route, Service, Socket, Stream
from pileus.core.rate import RateLimit
from pileus.core.version import FIRST, Version
from pileus.core.watch import Watch

log = structlog.get_logger("pileus.http")
_ATTEMPTS = 5
_PRINTABLE = bytes(range(0x20, 0x7F))
"""What stays as it is in a header's value; all else is written %XX."""
_ELSEWHERE = Service("pileus", "", errors.plain_shape)
"""Answers for paths that belong to no service."""


class Receive:
    """A request's body as it arrives. Of its own: a request that refers to itself is garbage for the collector alone."""

    def __init__(self, receive: Any) -> None:
        self._receive = receive
        self.cut_off = False

    async def __call__(self) -> Any:
        found = await self._receive()
        if found["type"] == "http.disconnect":
            self.cut_off = True
        return found


class HttpRequest(falcon.asgi.Request):
    """Falcon's request, which knows whether its client went away before the end of the body."""

    def __init__(self, scope: Any, receive: Any, first_event: Any = None, options: Any = None) -> None:
        self._watched = Receive(receive)
        super().__init__(scope, self._watched, first_event=first_event, options=options)

    @property
    def cut_off(self) -> bool:
        return self._watched.cut_off


class Resource:
    """All routes of one path of one service, as Falcon wants them: one responder a method."""

    def __init__(self, app: App, service: Service, routes: Sequence[Route], socket: Socket | None) -> None:
        self._app, self._service = app, service
        self._by_method: dict[str, list[Route]] = {}
        for route in routes:
            self._by_method.setdefault(route.method, []).append(route)
        if service.answers_head and "GET" in self._by_method:
            self._by_method.setdefault("HEAD", self._by_method["GET"])
        for method in falcon.HTTP_METHODS:
            setattr(self, f"on_{method.lower()}", self._answer)
        if socket is not None:
            self._socket = socket
            self.on_websocket = self._websocket

    async def _websocket(self, req: Any, ws: Any, **parameters: str) -> None:
        await self._socket(ws, req, self._app.db, self._app.settings, **parameters)

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
        bodies.learn_types()
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self.settings = settings or Settings()
        self.rate = RateLimit(self.settings.project_requests_per_second)
        self.asgi: falcon.asgi.App[Any, Any] = falcon.asgi.App(request_type=HttpRequest)
        self.asgi.req_options.strip_url_path_trailing_slash = True
        # what has no body has no type either: there are clients that decode what is said to be JSON
        self.asgi.resp_options.default_media_type = None  # type: ignore[assignment]
        self.asgi.ws_options.max_receive_queue = 32
        self.asgi.add_error_handler(falcon.HTTPError, self._refused)
        self.asgi.add_sink(self._nowhere, prefix="")
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

    def _service_at(self, path: str) -> Service:
        """Whose shape an answer has where there is no route."""
        for root in ("prefix", "root"):
            for service in self.services:
                if f"{path}/".startswith(f"{getattr(service, root)}/"):
                    return service
        return _ELSEWHERE

    async def _nowhere(self, req: falcon.asgi.Request, resp: Any, **_: str) -> None:
        await self.answer(self._service_at(req.path), {}, req, resp, {})

    async def _refused(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, error: falcon.HTTPError, _: Any, **more: Any
    ) -> None:
        """What Falcon refuses by itself, such as a method that is none."""
        problem = errors.BadRequest(error.description or error.title or "This is not a request that HTTP knows.")
        request_id = "req-" + str(uuid.uuid4())
        resp.status = error.status
        resp.data, resp.content_type = self._service_at(req.path).shape(problem, request_id, FIRST)
        resp.set_header("X-Openstack-Request-Id", request_id)

    async def answer(
        self,
        service: Service,
        by_method: Mapping[str, Sequence[Route]],
        req: falcon.asgi.Request,
        resp: falcon.asgi.Response,
        parameters: Mapping[str, str],
    ) -> None:
        """Do one request. Every exception becomes an answer in the service's shape."""
        began = time.perf_counter()
        answer = Answer("req-" + str(uuid.uuid4()))
        try:
            await self._try(service, by_method, req, parameters, answer)
        except Exception as error:
            answer.refuse(service, _problem_of(error, req, answer.request_id), req)
        _send(service, req, resp, answer)
        # after the answer has gone: nobody waits for a line in the log
        asyncio.get_running_loop().call_soon(_note, service, req, answer, time.perf_counter() - began)

    async def _try(
        self,
        service: Service,
        by_method: Mapping[str, Sequence[Route]],
        req: falcon.asgi.Request,
        parameters: Mapping[str, str],
        answer: Answer,
    ) -> None:
        """Fill the answer in. Raises Problem for what is refused."""
        if not service.trailing_slash and _ends_in_slash(service.prefix, req.scope["path"]):
            raise errors.NotFound(f"There is nothing at {req.scope['path']}.")
        wait = self.rate.wait(req.headers_lower.get("x-auth-token"))
        if wait:
            metrics.REFUSED.inc()
            raise errors.TooManyRequests(
                f"Your project makes more than {self.rate.rate:g} requests a second; come again in {wait} s.",
                headers={"Retry-After": str(wait)},
            )
        request = self._request(service, req, parameters, answer.request_id)
        answer.version = negotiate(service, request.headers)
        routes = by_method.get(req.method, ())
        largest = max((route.max_body for route in routes), default=MAX_BODY)
        if largest:
            request.raw = await _read(req, largest)
        else:
            request.stream = _chunks(req)
        exchange = Exchange(self, service, request, answer.version)
        loop = asyncio.get_running_loop()
        answer.route = exchange.route = exchange.choose(by_method)
        if exchange.route.is_async:
            if exchange.asks_rows:
                arguments = await loop.run_in_executor(self.pool, exchange.prepare)
            else:
                arguments = exchange.prepare()
            found = exchange.finish(await exchange.route.handler(**arguments))
        else:
            found = await loop.run_in_executor(self.pool, exchange.run)
        answer.status, answer.headers, answer.payload, answer.kind = found

    def _request(
        self, service: Service, req: falcon.asgi.Request, parameters: Mapping[str, str], request_id: str
    ) -> Request:
        for name, value in parameters.items():
            if not value:
                raise errors.NotFound(f"There is nothing at {req.path}: its {name} is empty.")
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
            certificates.forwarded(req.headers_lower, self.settings.tls_proxy_secret),
            req.scope.get("state", {}).get("peer"),
        )


class Answer:
    """What becomes of one request."""

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.version = FIRST
        self.route: Route | None = None
        self.status = 500
        self.headers: dict[str, str] = {}
        self.payload: Any = None
        self.kind = errors.JSON

    def refuse(self, service: Service, problem: Problem, req: falcon.asgi.Request) -> None:
        self.payload, self.kind = service.shape(problem, self.request_id, self.version)
        self.status, self.headers = problem.status, problem.headers
        if problem.status == 401 and service.www_authenticate:
            self.headers["WWW-Authenticate"] = f"Keystone uri='{req.prefix}/identity'"


def _problem_of(error: Exception, req: falcon.asgi.Request, request_id: str) -> Problem:
    """What the caller is told of it; what is not the caller's doing is logged."""
    if isinstance(error, Problem):
        return error
    about = {"method": req.method, "path": req.path, "request_id": request_id}
    if not isinstance(error, SQLAlchemyError) or not is_away(error):
        log.error("a request failed", exc_info=error, **about)
        return Problem(f"Pileus failed to answer. The log has the reason under {request_id}.")
    log.warning("the database is away", reason=str(getattr(error, "orig", error)).strip(), **about)
    words = "The database does not answer now; try again."
    if isinstance(error, Uncertain):
        words = "The database was lost while this was written, so it may be done or not: look before you try again."
    return errors.ServiceUnavailable(words, headers={"Retry-After": "1"})


def _send(service: Service, req: falcon.asgi.Request, resp: falcon.asgi.Response, answer: Answer) -> None:
    resp.status = falcon.util.code_to_http_status(answer.status)
    resp.set_header("X-Openstack-Request-Id", answer.request_id)
    for name, value in answer.headers.items():
        # not set_header, which refuses cookies
        resp.append_header(name, value if value.isascii() and value.isprintable() else quote(value, safe=_PRINTABLE))
    if service.request_id_header:
        resp.set_header(service.request_id_header, answer.request_id)
    if service.versions is not None and answer.version != FIRST:
        resp.set_header(service.versions.header, f"{service.versions.name} {answer.version}")
        if service.versions.legacy_header:
            resp.set_header(service.versions.legacy_header, str(answer.version))
    if service.vary:
        resp.set_header("Vary", service.vary)
    payload = answer.payload
    if isinstance(payload, Stream):
        resp.content_type = answer.kind
        if payload.length is not None:
            resp.set_header("Content-Length", str(payload.length))
        if req.method != "HEAD":
            resp.stream = _chunks_of(req, payload)
    elif payload is not None:
        resp.content_type = answer.kind
        resp.data = payload
        if req.method == "HEAD":
            resp.set_header("Content-Length", str(len(payload)))
            resp.data = None


def _note(service: Service, req: falcon.asgi.Request, answer: Answer, seconds: float) -> None:
    """Count the request; what may have changed something has a line in the log."""
    path = answer.route.path if answer.route else ""
    metrics.REQUESTS.labels(service.name, req.method, path, answer.status).inc()
    metrics.REQUEST_SECONDS.labels(service.name, req.method, path).observe(seconds)
    if req.method not in ("GET", "HEAD") and not service.quiet:
        log.info(
            "request",
            request_id=answer.request_id,
            caused_by=req.get_header("X-Openstack-Request-Id"),
            method=req.method,
            path=req.path,
            action=answer.route.action if answer.route else None,
            status=answer.status,
            ms=round(seconds * 1000, 1),
        )


def _anything(*_: object) -> bool:
    """What a service without a policy allows."""
    return True


def _ends_in_slash(prefix: str, path: str) -> bool:
    """Below the service's root: there a slash is how clients write it."""
    return path.endswith("/") and path.startswith(f"{prefix}/") and path != f"{prefix}/"


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

    @property
    def asks_rows(self) -> bool:
        """Whether there is somebody to authenticate or something to load before the handler."""
        return not self.route.public or self.route.load is not None or self._token is not None

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
            if (
                self.service.forbidden_before_missing
                and not self.route.openly_missing
                and policy is not None
                and rule is not None
            ):
                policy.enforce(rule, caller, self._target_without(have))
            raise

    def _target_without(self, have: Mapping[str, Any]) -> Mapping[str, Any]:
        """The target as far as it is known without what was to be loaded: by the path alone, or nothing."""
        if self.route.target is None:
            return {}
        try:
            found: Mapping[str, Any] = _call(self.route.target, have)
            return found
        except KeyError:
            return {}

    @property
    def _name(self) -> str:
        return self.service.versions.name if self.service.versions else self.service.name

    @property
    def _token(self) -> str | None:
        headers = self.request.headers
        return headers.get("x-auth-token") or headers.get("x-storage-token") or self.request.bearer

    def _caller(self, tx: Tx) -> Caller:
        headers, token, policy = self.request.headers, self._token, self.service.policy
        if not token:
            if not self.route.public:
                raise errors.Unauthorized(
                    "The request you have made requires authentication: give a token in X-Auth-Token."
                )
            caller = Caller(user_id="", project_id=None)
        else:
            try:
                caller = self.app.authenticate(tx, token, headers.get("x-service-token"))
                self.app.rate.learn(token, caller.project_id)
                self._within_access_rules(caller)
                self._with_its_certificate(caller)
            except errors.Unauthorized:
                if not self.route.public:
                    raise
                caller = Caller(user_id="")
        inbound = headers.get("x-openstack-request-id")
        known = inbound if inbound and inbound.startswith("req-") and len(inbound) == 40 else None
        here = caller.at(self.request.request_id, known, self.version)
        here.judge = policy.allows if policy is not None else _anything
        return here

    def _within_access_rules(self, caller: Caller) -> None:
        """Raises Unauthorized for a request that an application credential was not given for."""
        if caller.permits is None:
            return
        path = self.request.path.removeprefix(self.service.root) or "/"
        if not caller.permits(self.service.name, self.request.method, path):
            raise errors.Unauthorized(
                f"The access rules of application credential {caller.application_credential_id} do not allow "
                f"{self.request.method} {path} on {self.service.name}."
            )

    def _with_its_certificate(self, caller: Caller) -> None:
        """Raises Unauthorized for a token that is bound to a certificate which this client did not show."""
        if caller.certificate is None:
            return
        shown = self.request.certificate
        if shown is None or certificates.thumbprint(shown) != caller.certificate:
            raise errors.Unauthorized("The token is bound to a client certificate; this request was not made with it.")

    def _body(self) -> Any:
        request, kind = self.request, self.route.body_type
        if self.route.action is not None:
            value = request.json[self.route.action]
            if value is None and self.route.body_is_optional:
                return None
            return bodies.convert(value, kind, self.version, self._name, self.route.action)
        if kind is bytes:
            return request.raw
        if not request.raw:
            if self.route.body_is_optional:
                return None
            raise errors.BadRequest("This request needs a JSON body.")
        return bodies.decode(request.raw, kind, self.version, self._name, strict=not self.service.lenient_bodies)

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
            if bodies.given(have.get("body"), field) or bodies.given(have.get("query"), field):
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
    async for chunk in _chunks(req):
        size += len(chunk)
        if size > limit:
            raise errors.TooLarge(f"The request body has more than {limit} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


def _chunks_of(req: falcon.asgi.Request, payload: Stream) -> AsyncIterator[bytes]:
    send = req.scope.get("extensions", {}).get(sendfile.EXTENSION)
    if payload.file is None or send is None:
        return payload.chunks
    return sendfile.by_kernel(send, payload.file)
