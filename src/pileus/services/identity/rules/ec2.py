"""Tokens for who signed a request to EC2 or S3: a service that got the request asks.

The token is as narrow as the EC2 credential: where that was made with a trust, an application credential or an access
token, the token has the roles of those and ends with them.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from datetime import timedelta

import msgspec

from pileus.core.body import parse_time
from pileus.core.config import Settings
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound, Unauthorized
from pileus.services.identity.rules import credentials, signatures, tokens
from pileus.services.identity.rules.tokens import Session
from pileus.services.identity.store import credentials as store
from pileus.services.identity.store import rows
from pileus.services.identity.types.credentials import CredentialRow, Ec2Blob, Ec2Request, S3Request, TrustRow

AGE = timedelta(minutes=15)
"""How long a signed request to EC2 is good."""
REFUSED = "The access key or the signature is not right."


def for_ec2(tx: Tx, settings: Settings, request: Ec2Request) -> tuple[str, Session]:
    """Raises Unauthorized for a wrong signature or an old one."""
    credential, blob = _found(tx, settings, request.access)
    _must_be_recent(tx, signatures.time_of(request))
    try:
        right = _is_right(blob.secret, request)
    except signatures.Unsigned as error:
        raise Unauthorized(str(error)) from None
    if credential is None or not right:
        raise Unauthorized(REFUSED)
    return _token(tx, settings, credential, blob)


def _is_right(secret: str, request: Ec2Request) -> bool:
    """Some clients sign the host without its port."""
    name, colon, port = request.host.rpartition(":")
    hosts = [request.host, *([name] if colon and port.isdecimal() else [])]
    found = [signatures.ec2(secret, msgspec.structs.replace(request, host=host)) for host in hosts]
    return any(hmac.compare_digest(one.encode(), request.signature.encode()) for one in found)


def for_s3(tx: Tx, settings: Settings, request: S3Request) -> Session:
    """The time is for the service to look at: a URL that was signed beforehand may be days old. Raises Unauthorized."""
    credential, blob = _found(tx, settings, request.access)
    try:
        to_sign = base64.urlsafe_b64decode(request.token.replace("+", "-").replace("/", "_")).decode()
        right = signatures.s3(blob.secret, to_sign)
    except (binascii.Error, ValueError):
        raise BadRequest("credentials.token must be what was signed, in base64.") from None
    except signatures.Unsigned as error:
        raise Unauthorized(str(error)) from None
    if credential is None or not hmac.compare_digest(right.encode(), request.signature.encode()):
        raise Unauthorized(REFUSED)
    return _token(tx, settings, credential, blob)[1]


def _found(tx: Tx, settings: Settings, access: str) -> tuple[CredentialRow | None, Ec2Blob]:
    """For an unknown access key nobody's secret, so that no time is saved."""
    try:
        credential = credentials.find_ec2(tx, access)
    except NotFound:
        return None, Ec2Blob(access, secrets.token_hex(16))
    return credential, credentials.ec2_blob(tx, settings, credential)


def _must_be_recent(tx: Tx, text: str | None) -> None:
    try:
        at = parse_time(text or "")
    except ValueError:
        raise Unauthorized("The request must be signed with a time: Timestamp, Expires or X-Amz-Date.") from None
    if abs(tx.now - at) > AGE:
        raise Unauthorized(f"The request was signed for {text}; that is more than {AGE} from now.")


def _token(tx: Tx, settings: Settings, credential: CredentialRow, blob: Ec2Blob) -> tuple[str, Session]:
    _use_trust(tx, blob.trust_id)
    claims = tokens.fresh(
        timedelta(hours=settings.token_hours),
        credential.user_id,
        "ec2credential",
        credential.project_id or "",
        trust_id=blob.trust_id,
        application_credential_id=blob.app_cred_id,
        access_token_id=blob.access_token_id,
    )
    return tokens.issue(tx, claims)


def _use_trust(tx: Tx, trust_id: str | None) -> None:
    """Raises Unauthorized where none are left."""
    trust = rows.find(tx, TrustRow, trust_id) if trust_id else None
    if trust is not None and trust.remaining_uses is not None and not store.use_trust(tx, trust.id):
        raise Unauthorized(f"Trust {trust.id} has no uses left.")
