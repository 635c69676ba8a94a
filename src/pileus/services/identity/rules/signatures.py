"""Signatures of requests to EC2 and S3, from the secret and what was signed.

Sources: "Signature Version 2", "Signature Version 4" and "Signing and authenticating REST requests" of AWS' references.
Versions 0 and 1 of EC2 sign with SHA-1, as they always did.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from urllib.parse import quote

from pileus.services.identity.types.credentials import Ec2Request

V4 = "AWS4-HMAC-SHA256"
_CREDENTIAL = re.compile(r"Credential=[^/,\s]+/(\d{8}/[^,\s]+)")
_SIGNED_HEADERS = re.compile(r"SignedHeaders=([\w;-]+)")


class Unsigned(Exception):
    """Nothing that could be signed, or signed in no known way; the text says so to the caller."""


def is_v4(request: Ec2Request) -> bool:
    return (request.header("authorization") or "").startswith(V4) or request.params.get("X-Amz-Algorithm") == V4


def time_of(request: Ec2Request) -> str | None:
    """When it was signed, or until when it is good."""
    if is_v4(request):
        return request.header("x-amz-date") or request.params.get("X-Amz-Date")
    return request.params.get("Timestamp") or request.params.get("Expires")


def ec2(secret: str, request: Ec2Request) -> str:
    """Raises Unsigned."""
    if is_v4(request):
        return _ec2_v4(secret, request)
    version = request.params.get("SignatureVersion")
    signed = {name: value for name, value in request.params.items() if name != "Signature"}
    if version == "0":
        text = signed.get("Action", "") + signed.get("Timestamp", "")
        return _base64(secret, text, "sha1")
    if version == "1":
        text = "".join(name + signed[name] for name in sorted(signed, key=str.lower))
        return _base64(secret, text, "sha1")
    if version == "2":
        query = _joined((_quoted(name), _quoted(signed[name])) for name in sorted(signed))
        text = "\n".join((request.verb, request.host.lower(), request.path or "/", query))
        digest = "sha1" if signed.get("SignatureMethod") == "HmacSHA1" else "sha256"
        return _base64(secret, text, digest)
    raise Unsigned(f"The signature's version must be 0, 1, 2 or 4; SignatureVersion is '{(version or '')[:16]}'.")


def _base64(secret: str, text: str, digest: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), digest)).decode()


def _joined(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in pairs)


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")


def _ec2_v4(secret: str, request: Ec2Request) -> str:
    scope, names = _v4_terms(request)
    at = time_of(request) or ""
    query = sorted((_quoted(name), _quoted(text)) for name, text in request.params.items() if name != "X-Amz-Signature")
    headers = [(name, " ".join((_signed_header(request, name)).split())) for name in names]
    canonical = "\n".join(
        (
            request.verb,
            request.path or "/",
            "" if request.verb.upper() == "POST" else _joined(query),
            *(f"{name}:{value}" for name, value in headers),
            "",
            ";".join(names),
            request.body_hash,
        )
    )
    return v4(secret, "\n".join((V4, at, scope, hashlib.sha256(canonical.encode()).hexdigest())))


def _v4_terms(request: Ec2Request) -> tuple[str, list[str]]:
    """The scope DATE/REGION/SERVICE/aws4_request, and the names of the signed headers."""
    authorization = request.header("authorization") or ""
    if authorization.startswith(V4):
        scope, names = _CREDENTIAL.search(authorization), _SIGNED_HEADERS.search(authorization)
        found = (scope[1] if scope else "", names[1] if names else "")
    else:
        _, _, scope_text = request.params.get("X-Amz-Credential", "").partition("/")
        found = (scope_text, request.params.get("X-Amz-SignedHeaders", ""))
    if not all(found):
        raise Unsigned("A signature of version 4 names its Credential and its SignedHeaders.")
    return found[0], found[1].lower().split(";")


def _signed_header(request: Ec2Request, name: str) -> str:
    value = request.host if name == "host" else request.header(name)
    if value is None:
        raise Unsigned(f"The header '{name[:64]}' was signed and is not there.")
    return value


def v4(secret: str, to_sign: str) -> str:
    """Of the four lines of version 4: algorithm, time, scope, hash. Raises Unsigned."""
    lines = to_sign.split("\n")
    parts = lines[2].split("/") if len(lines) == 4 else []
    if lines[0] != V4 or len(parts) != 4 or parts[3] != "aws4_request":
        raise Unsigned(f"What was signed must have four lines: {V4}, a time, DATE/REGION/SERVICE/aws4_request, a hash.")
    key = f"AWS4{secret}".encode()
    for part in parts:
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def s3(secret: str, to_sign: str) -> str:
    """Of S3's own first version, or of version 4. Raises Unsigned."""
    return v4(secret, to_sign) if to_sign.startswith("AWS4") else _base64(secret, to_sign, "sha1")
