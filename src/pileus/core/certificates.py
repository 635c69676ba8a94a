"""The certificate that a client showed to the TLS terminator in front of Pileus, as the terminator passes it on."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ssl
from collections.abc import Mapping
from urllib.parse import unquote

HEADER = "client-cert"
"""RFC 9440: the DER in base64, between colons. nginx has no such variable: its escaped PEM is understood too."""
PROOF = "x-tls-proxy-secret"
"""By which the terminator shows that the header is its own, and not the client's."""


def forwarded(headers: Mapping[str, str], secret: str) -> bytes | None:
    """The DER; None where no certificate was shown, or where it was not the terminator who says so."""
    value = headers.get(HEADER)
    if not value or not secret or not hmac.compare_digest(headers.get(PROOF, "").encode(), secret.encode()):
        return None
    try:
        if value.startswith(":"):
            return base64.b64decode(value.strip(":"), validate=True)
        return ssl.PEM_cert_to_DER_cert(unquote(value))
    except (binascii.Error, ValueError):
        return None


def thumbprint(der: bytes) -> str:
    """x5t#S256 of RFC 8705: SHA-256 in base64url without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")
