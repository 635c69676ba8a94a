"""What every answer must be, whatever was asked."""

import html
import re
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

import msgspec

from pileus.core import errors
from tests.fuzz.world import Answer, Request, service_of

MEANT = {
    ("PUT", "/compute/v2*/os-hosts/*", 501): "hosts have no maintenance mode",
    ("GET", "/compute/v2*/os-hosts/*/*", 501): "hosts are not switched on or off",
    ("GET", "/compute/v2*/os-hypervisors/*/uptime", 501): "hosts report no uptime",
    ("POST", "/compute/v2*/servers/*/action", 503): "the console of a host that does not answer",
}
"""(method, path, status) -> why this answer is right though it is not a refusal."""


def complaint(request: Request, answer: Answer) -> str | None:
    """What is wrong with an answer; None where it is fine."""
    if answer.status >= 500 and not _meant(request, answer.status):
        return f"status {answer.status}"
    if not answer.headers.get("x-openstack-request-id", "").startswith("req-"):
        return "no X-Openstack-Request-Id"
    if answer.status >= 400 and request.method != "HEAD":
        return _shape_complaint(request, answer)
    return None


def _meant(request: Request, status: int) -> bool:
    path = unquote(request.path)
    return any((m, s) == (request.method, status) and fnmatchcase(path, p) for m, p, s in MEANT)


def _shape_complaint(request: Request, answer: Answer) -> str | None:
    service = service_of(unquote(request.path))
    shape = service.shape if service else errors.plain_shape
    kind = answer.headers.get("content-type", "")
    if shape is errors.image_shape and kind.startswith("text/html"):
        text = html.unescape(answer.body.decode())
        return None if re.search(rf"<title>{answer.status} .*</title>", text) else "not the page of an error"
    try:
        value: Any = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return "an error that is not JSON"
    return None if _fits(shape, value, answer.status) else "an error in a foreign shape"


def _fits(shape: errors.Shape, value: Any, status: int) -> bool:
    match value:
        case {"NeutronError": {"type": str(), "message": str(message), "detail": str()}}:
            return shape is errors.network_shape and bool(message)
        case {"errors": [{"status": number, "title": str(), "detail": str(message), "request_id": str()}]}:
            return shape is errors.placement_shape and number == status and bool(message)
        case {"error": {"code": number, "message": str(message), "title": str()}}:
            return shape is errors.identity_shape and number == status and bool(message)
        case {"error": str(word), "error_description": str(message)}:  # OAuth 2 (RFC 6749, 5.2)
            return shape is errors.identity_shape and bool(word) and bool(message)
        case {"error": {"code": number, "message": str(message), "request_id": str()}}:
            return shape is errors.plain_shape and number == status and bool(message)
        case {**faults} if len(faults) == 1:
            (fault,) = faults.values()
            return shape is errors.compute_shape and fault.get("code") == status and bool(fault.get("message"))
    return False
