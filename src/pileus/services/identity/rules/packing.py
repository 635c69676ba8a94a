"""The claims of a token as bytes, few of them."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import msgspec

from pileus.services.identity.types.tokens import Claims, Federation

METHODS = (
    "password",
    "token",
    "totp",
    "application_credential",
    "external",
    "mapped",
    "oauth1",
    "saml2",
    "openid",
    "ec2credential",
    "oauth2_credential",
)
"""Tokens have them by number: new ones come last."""
SCOPES = ("unscoped", "project", "domain", "system")


class _Packed(msgspec.Struct, array_like=True):
    user: bytes
    methods: list[int]
    scope: int
    scope_id: bytes
    issued_at: int
    expires_at: int
    audit_ids: list[bytes]
    trust: bytes = b""
    application_credential: bytes = b""
    federation: list[bytes] = []
    """Identity provider, protocol, groups."""
    access_token: bytes = b""
    certificate: bytes = b""


def _pack(text: str | None) -> bytes:
    """An id in as few bytes as it takes: 17 for 32 hexadecimal digits, 33 for the 64 of a directory's user."""
    if text is None:
        return b""
    if len(text) in (32, 64) and not set(text) - set("0123456789abcdef"):
        return b"\x01" + bytes.fromhex(text)
    return b"\x00" + text.encode()


def _unpack(raw: bytes) -> str | None:
    if not raw:
        return None
    return raw[1:].hex() if raw[0] == 1 else raw[1:].decode()


def packed(claims: Claims) -> bytes:
    return msgspec.msgpack.encode(
        _Packed(
            _pack(claims.user_id),
            [METHODS.index(method) for method in claims.methods],
            SCOPES.index(claims.scope),
            _pack(claims.scope_id),
            claims.issued_at,
            claims.expires_at,
            [base64.urlsafe_b64decode(audit_id + "==") for audit_id in claims.audit_ids],
            _pack(claims.trust_id),
            _pack(claims.application_credential_id),
            _packed_federation(claims.federation),
            _pack(claims.access_token_id),
            base64.urlsafe_b64decode(f"{claims.certificate or ''}="),
        )
    )


def _packed_federation(federation: Federation | None) -> list[bytes]:
    if federation is None:
        return []
    return [_pack(federation.provider_id), federation.protocol.encode(), *map(_pack, federation.group_ids)]


def _unpacked_federation(parts: Sequence[bytes]) -> Federation | None:
    if not parts:
        return None
    provider_id, protocol, *group_ids = parts
    return Federation(_unpack(provider_id) or "", protocol.decode(), tuple(_unpack(raw) or "" for raw in group_ids))


def unpacked(raw: bytes) -> Claims:
    found = msgspec.msgpack.decode(raw, type=_Packed)
    return Claims(
        user_id=_unpack(found.user) or "",
        methods=tuple(METHODS[index] for index in found.methods),
        scope=SCOPES[found.scope],  # type: ignore[arg-type]
        scope_id=_unpack(found.scope_id),
        issued_at=found.issued_at,
        expires_at=found.expires_at,
        audit_ids=tuple(base64.urlsafe_b64encode(raw).decode().rstrip("=") for raw in found.audit_ids),
        trust_id=_unpack(found.trust),
        application_credential_id=_unpack(found.application_credential),
        federation=_unpacked_federation(found.federation),
        access_token_id=_unpack(found.access_token),
        certificate=base64.urlsafe_b64encode(found.certificate).decode().rstrip("=") or None,
    )
