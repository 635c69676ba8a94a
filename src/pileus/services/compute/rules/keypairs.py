"""Public keys of users: what counts as one, its fingerprint, and keys made here for API versions that still do so."""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from pileus.core import events
from pileus.core.context import Caller
from pileus.core.db import Tx, now
from pileus.core.errors import BadRequest, NotFound
from pileus.services.compute.rules import quota
from pileus.services.compute.store import keypairs as store
from pileus.services.compute.store.keypairs import KeypairRow

RSA_BITS = 2048
_USER_PRINCIPAL_NAME = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")


def visible_keypair(tx: Tx, user_id: str, name: str) -> KeypairRow:
    row = store.keypair(tx, user_id, name)
    if row is None:
        raise NotFound(f"Keypair {name} not found for user {user_id}.")
    return row


def create(tx: Tx, caller: Caller, user_id: str, name: str, kind: str, public_key: str) -> KeypairRow:
    """Raises QuotaExceeded (key_pairs), Conflict (name), BadRequest (not a public key)."""
    shown = fingerprint(kind, public_key)
    quota.check_keypairs(tx, caller.project_id, user_id)
    store.insert(tx, user_id, name, kind, public_key, shown)
    events.record(tx, caller, "compute", "create", "keypair", name, user=user_id, fingerprint=shown)
    return visible_keypair(tx, user_id, name)


def delete(tx: Tx, caller: Caller, row: KeypairRow) -> None:
    """Servers keep the key that they were made with."""
    store.delete(tx, row.number)
    events.record(tx, caller, "compute", "delete", "keypair", row.name, user=row.user_id)


def page(tx: Tx, user_id: str, limit: int, marker: str | None) -> list[KeypairRow]:
    if marker is not None and store.keypair(tx, user_id, marker) is None:
        raise BadRequest(f"marker [{marker[:255]}] not found")
    return store.of_user(tx, user_id, limit, marker)


def fingerprint(kind: str, public_key: str) -> str:
    """MD5 of an SSH key, SHA-1 of an X.509 certificate, as hex pairs. Raises BadRequest where it is not one."""
    digest = _ssh_digest(public_key) if kind == "ssh" else _certificate_digest(public_key)
    return ":".join(f"{byte:02x}" for byte in digest)


def _ssh_digest(public_key: str) -> bytes:
    words = public_key.split()
    try:
        blob = base64.b64decode(words[1], validate=True)
        size = int.from_bytes(blob[:4], "big")
        if blob[4 : 4 + size] != words[0].encode():
            raise ValueError("the key is not of the type before it")
        serialization.load_ssh_public_key(" ".join(words[:2]).encode())
    except UnsupportedAlgorithm:
        pass
    except (IndexError, ValueError, binascii.Error) as error:
        raise BadRequest(
            f"Keypair data is invalid: failed to generate fingerprint, not an SSH public key ({error})."
        ) from None
    return hashlib.md5(blob, usedforsecurity=False).digest()


def _certificate_digest(public_key: str) -> bytes:
    try:
        return x509.load_pem_x509_certificate(public_key.encode()).fingerprint(hashes.SHA1())
    except ValueError as error:
        raise BadRequest(f"Keypair data is invalid: failed to generate X509 fingerprint ({error}).") from None


def generate(kind: str, user_name: str) -> tuple[str, str]:
    """(public, private) of a new key pair in PEM. Takes tenths of a second: call it outside of a transaction."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    form = serialization.PrivateFormat.TraditionalOpenSSL if kind == "ssh" else serialization.PrivateFormat.PKCS8
    text = private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    if kind == "x509":
        return _certificate(private, user_name), text
    public = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return f"{public.decode()} Generated-by-Pileus", text


def _certificate(private: rsa.RSAPrivateKey, user_name: str) -> str:
    """Self-signed, for WinRM's logins: it names the user as Windows looks for it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user_name[:64] or "user")])
    text = f"{user_name}@localhost".encode()[:100]
    principal = x509.OtherName(_USER_PRINCIPAL_NAME, bytes([0x0C, len(text)]) + text)
    at = now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at)
        .not_valid_after(at + timedelta(days=3650))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([principal]), critical=False)
        .sign(private, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()
