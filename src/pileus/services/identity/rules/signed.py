"""Requests that are signed as OAuth 1 says (RFC 5849): who signed, and whether the signature is right."""

from __future__ import annotations

import hashlib
from datetime import UTC, timedelta
from types import SimpleNamespace

import msgspec

from pileus.core.config import Settings
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Unauthorized
from pileus.core.http import Request
from pileus.services.identity.rules import sealing
from pileus.services.identity.store import rows
from pileus.services.identity.types.oauth1 import AccessTokenRow, ConsumerRow, RequestTokenRow

AGE = timedelta(minutes=10)
"""How much the clock of a signature may differ from ours."""
METHODS = ("HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512")
REFUSED = "The signature of the request is not right."


class Signed(msgspec.Struct, rename=lambda name: f"oauth_{name}"):
    """The Authorization header of a request."""

    consumer_key: str
    nonce: str
    signature: str
    signature_method: str
    timestamp: str
    token: str = ""
    verifier: str = ""
    version: str = "1.0"

    def digest(self) -> str:
        """What must not come twice."""
        once = "\n".join((self.consumer_key, self.token, self.timestamp, self.nonce))
        return hashlib.sha256(once.encode()).hexdigest()


def read(request: Request) -> Signed:
    """Raises BadRequest for a header that is none of OAuth 1, or signed in a way that is not taken."""
    from oauthlib.oauth1.rfc5849.utils import parse_authorization_header, unescape

    header = request.headers.get("authorization", "")
    try:
        found = {name: unescape(value) for name, value in parse_authorization_header(header)}
        signed = msgspec.convert(found, Signed)
    except (ValueError, msgspec.ValidationError):
        raise BadRequest("The Authorization header must be one of OAuth 1.0 (RFC 5849), with its parameters.") from None
    if any("\x00" in value for value in found.values()):
        raise BadRequest("The Authorization header has a NUL character (%00).")
    if signed.signature_method not in METHODS or signed.version != "1.0":
        raise BadRequest(f"The signature must be of OAuth 1.0 and one of {', '.join(METHODS)}.")
    return signed


def consumer_of(tx: Tx, settings: Settings, request: Request, signed: Signed, token: Token = None) -> ConsumerRow:
    """Who signed. `token` is the one that the header names. Raises Unauthorized for a wrong signature or an old one."""
    consumer = rows.find(tx, ConsumerRow, signed.consumer_key)
    if consumer is None or not _is_recent(tx, signed.timestamp):
        raise Unauthorized(REFUSED)
    if token is not None and token.consumer_id != consumer.id:
        raise Unauthorized(REFUSED)
    token_secret = sealing.unseal(tx, settings, token.secret) if token else ""
    if not _is_right(request, signed, sealing.unseal(tx, settings, consumer.secret), token_secret):
        raise Unauthorized(REFUSED)
    return consumer


Token = RequestTokenRow | AccessTokenRow | None


def _is_recent(tx: Tx, timestamp: str) -> bool:
    """Seconds since 1970."""
    if not timestamp.isdecimal() or len(timestamp) > 12:
        return False
    return abs(tx.now.replace(tzinfo=UTC).timestamp() - int(timestamp)) <= AGE.total_seconds()


def _is_right(request: Request, signed: Signed, consumer_secret: str, token_secret: str) -> bool:
    from oauthlib.oauth1.rfc5849 import signature

    verify = {
        "HMAC-SHA1": signature.verify_hmac_sha1,
        "HMAC-SHA256": signature.verify_hmac_sha256,
        "HMAC-SHA512": signature.verify_hmac_sha512,
    }[signed.signature_method]
    authorization = {"Authorization": request.headers["authorization"]}
    try:
        parameters = signature.collect_parameters(request.query_string, headers=authorization)
    except ValueError:
        return False
    message = SimpleNamespace(
        uri=request.base_url + request.path,
        http_method=request.method,
        params=parameters,
        signature=signed.signature,
    )
    return bool(verify(message, consumer_secret, token_secret))
