"""The only place where errors become status codes and bodies, in each service's own shape (facts.md section 3)."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from pileus.core.version import Version


class Problem(Exception):
    """A refusal written for the reader: what, which value, which limit, what to do.

    `code` is the machine's word for it: the exception type in neutron's shape, the error code in placement's.
    """

    status = 500
    code = ""

    def __init__(self, message: str, *, code: str = "", headers: Mapping[str, str] | None = None, **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code or type(self).__name__
        self.headers = dict(headers or {})
        self.extra = extra


class BadRequest(Problem):
    status = 400


class Unauthorized(Problem):
    status = 401


class Forbidden(Problem):
    status = 403


class NotFound(Problem):
    status = 404


class MethodNotAllowed(Problem):
    status = 405


class NotAcceptable(Problem):
    status = 406


class Conflict(Problem):
    status = 409


class Gone(Problem):
    status = 410


class PreconditionFailed(Problem):
    status = 412


class TooLarge(Problem):
    status = 413


class UnsupportedMediaType(Problem):
    status = 415


class TooManyRequests(Problem):
    """With the header Retry-After, in seconds."""

    status = 429


class RangeNotSatisfiable(Problem):
    status = 416


class QuotaExceeded(Problem):
    """403 in compute, 409 in network, 413 in image: raise with the service's own status by a subclass where it differs."""

    status = 403
    code = "OverQuota"


class NotImplementedHere(Problem):
    status = 501


class ServiceUnavailable(Problem):
    status = 503


Rendered = tuple[bytes, str]
Shape = Callable[[Problem, str, Version], Rendered]
"""From a problem, the request's id and the version in which it asked."""
"""(problem, request id) -> (body, content type)."""

JSON = "application/json"


def _json(value: Any) -> Rendered:
    return msgspec.json.encode(value), JSON


def title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


_FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}


def compute_shape(problem: Problem, request_id: str, version: Version) -> Rendered:
    fault: dict[str, Any] = {"code": problem.status, "message": problem.message}
    if problem.status in (413, 429):
        fault["retryAfter"] = problem.headers.get("Retry-After", "0")
    return _json({_FAULTS.get(problem.status, "computeFault"): fault})


def identity_shape(problem: Problem, request_id: str, version: Version) -> Rendered:
    error = {"code": problem.status, "message": problem.message, "title": title(problem.status), **problem.extra}
    return _json({"error": error})


def network_shape(problem: Problem, request_id: str, version: Version) -> Rendered:
    kind = f"HTTP{problem.code}" if problem.code == type(problem).__name__ else problem.code
    return _json({"NeutronError": {"type": kind, "message": problem.message, "detail": ""}})


def image_shape(problem: Problem, request_id: str, version: Version) -> Rendered:
    head = f"{problem.status} {title(problem.status)}"
    text = html.escape(problem.message, quote=False)
    page = f"<html>\n <head>\n  <title>{head}</title>\n </head>\n <body>\n  <h1>{head}</h1>\n  {text}<br /><br />\n </body>\n</html>"
    return page.encode(), "text/html; charset=UTF-8"


PLACEMENT_CODES = Version(1, 23)


def placement_shape(problem: Problem, request_id: str, version: Version) -> Rendered:
    error = {
        "status": problem.status,
        "title": title(problem.status),
        "detail": problem.message,
        "request_id": request_id,
        **problem.extra,
    }
    if version >= PLACEMENT_CODES:
        error["code"] = problem.code if problem.code.startswith("placement.") else "placement.undefined_code"
    return _json({"errors": [error]})


def plain_shape(problem: Problem, request_id: str, version: Version) -> Rendered:
    """For Pileus' own interfaces: {"error": {"code", "message", "request_id"}}."""
    return _json({"error": {"code": problem.status, "message": problem.message, "request_id": request_id}})
