"""OAuth 2.0 client credentials (RFC 6749, 4.4): a token for an application credential, or for a client certificate.

Who shows a certificate (RFC 8705) is the user whom the mapping `oauth2_mapping` makes of its subject, and the token is bound
to it: every request with the token must be made with the certificate.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import parse_qsl

import msgspec

from pileus.core import certificates
from pileus.core.config import Settings
from pileus.core.db import Database, Tx
from pileus.core.errors import BadRequest, Unauthorized
from pileus.core.http import Request
from pileus.services.identity.rules import login, mapping, tokens
from pileus.services.identity.store import projects, rows
from pileus.services.identity.types.federation import MappingRow
from pileus.services.identity.types.mappings import MappedUser
from pileus.services.identity.types.tokens import ApplicationCredentialMethod, Auth, Identity
from pileus.services.identity.types.users import UserRow

MAPPING = "oauth2_mapping"
EMAIL = "1.2.840.113549.1.9.1"
REFUSED = "The client is not known, or could not prove who it is."


class Refused(Exception):
    """As RFC 6749, 5.2 has it."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status


class Client(msgspec.Struct):
    """Who asks, and how that is proved."""

    id: str
    secret: str | None = None
    certificate: bytes | None = None


def token(db: Database, settings: Settings, request: Request, form: bytes) -> str:
    """Raises Refused."""
    client = _client(request, _fields(form))
    if client.secret is not None:
        return _for_secret(db, settings, client.id, client.secret)
    if client.certificate is not None:
        with db.read() as tx:
            return _for_certificate(tx, settings, client.id, client.certificate)
    raise _unknown_client()


def _unknown_client() -> Refused:
    return Refused("invalid_client", REFUSED, 401)


def _fields(form: bytes) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(form.decode(), keep_blank_values=True, max_num_fields=20, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise Refused("invalid_request", "The body must be a form.") from None
    found = dict(pairs)
    if "%00" in form.decode():
        raise Refused("invalid_request", "The form has a NUL character (%00).")
    if len(found) != len(pairs):
        raise Refused("invalid_request", "A parameter is there more than once.")
    grant = found.get("grant_type")
    if grant is None:
        raise Refused("invalid_request", "The parameter grant_type is missing.")
    if grant != "client_credentials":
        raise Refused("unsupported_grant_type", f"The grant type '{grant[:64]}' is not supported.")
    return found


def _client(request: Request, fields: Mapping[str, str]) -> Client:
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            raise _unknown_client() from None
        if "\x00" in client_id:
            raise _unknown_client()
        return Client(client_id, secret)
    return Client(fields.get("client_id", ""), fields.get("client_secret"), request.certificate)


def _for_secret(db: Database, settings: Settings, client_id: str, secret: str) -> str:
    proof = ApplicationCredentialMethod(secret, client_id)
    auth = Auth(Identity(["application_credential"], application_credential=proof))
    try:
        return login.log_in(db, settings, auth, with_catalog=False)[0]
    except Unauthorized:
        raise _unknown_client() from None


def _for_certificate(tx: Tx, settings: Settings, user_id: str, der: bytes) -> str:
    """For the user's default project."""
    user = rows.find(tx, UserRow, user_id)
    if user is None or user.default_project_id is None or not _is_of(tx, user, der):
        raise _unknown_client()
    life = timedelta(hours=settings.token_hours)
    bound = certificates.thumbprint(der)
    claims = tokens.fresh(life, user.id, "oauth2_credential", user.default_project_id, certificate=bound)
    try:
        return tokens.issue(tx, claims)[0]
    except Unauthorized:
        raise _unknown_client() from None


def _is_of(tx: Tx, user: UserRow, der: bytes) -> bool:
    """Whether the mapping makes this user of the certificate."""
    known = rows.find(tx, MappingRow, MAPPING)
    if known is None:
        return False
    try:
        mapped = mapping.apply(mapping.read(known.rules), subject(der), "2.0").user
    except (Unauthorized, BadRequest, ValueError):
        return False
    return _is_same(tx, mapped, user)


def _is_same(tx: Tx, mapped: MappedUser, user: UserRow) -> bool:
    """All that the mapping says must be so; its id, or its name and domain, must be said."""
    domain = projects.domain(tx, user.domain_id)
    pairs = [(mapped.given_id, user.id), (mapped.email, user.extra.get("email"))]
    if mapped.name != mapped.given_id:
        pairs.append((mapped.name, user.name))
    if mapped.domain is not None and domain is not None:
        pairs += [(mapped.domain.id, domain.id), (mapped.domain.name, domain.name)]
    is_named = mapped.given_id is not None or mapped.domain is not None
    return is_named and all(said == is_so for said, is_so in pairs if said)


def subject(der: bytes) -> dict[str, list[str]]:
    """SSL_CLIENT_SUBJECT_DN_CN and its like, also of the issuer: the names that mappings for the original know.

    Raises ValueError for what is no certificate.
    """
    from cryptography import x509

    certificate = x509.load_der_x509_certificate(der)
    found: dict[str, list[str]] = {}
    for whose, name in (("SUBJECT", certificate.subject), ("ISSUER", certificate.issuer)):
        for attribute in name:
            oid = attribute.oid.dotted_string
            kind = "EMAILADDRESS" if oid == EMAIL else attribute.rfc4514_attribute_name.upper()
            found.setdefault(f"SSL_CLIENT_{whose}_DN_{kind}", []).append(str(attribute.value))
    return found
