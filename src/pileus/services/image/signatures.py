"""Signed images: the properties img_signature* say by whom, and the data must be what was signed.

A certificate is trusted where the operator put it: STATE/image-certificates/<certificate's id>.pem. There is no key manager
to ask for others. The signature is checked when data arrives, and again at each boot: by then the certificate may have ended
or been taken away, and the properties may have been changed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from pileus.core.errors import BadRequest
from pileus.services.image.files import Hash

SIGNATURE = "img_signature"
METHOD, KEY, CERTIFICATE = (f"{SIGNATURE}_{name}" for name in ("hash_method", "key_type", "certificate_uuid"))
METHODS = ("SHA-224", "SHA-256", "SHA-384", "SHA-512")
CURVES = ("SECT571K1", "SECT409K1", "SECT571R1", "SECT409R1", "SECP521R1", "SECP384R1")
KEYS = ("RSA-PSS", "DSA", *(f"ECC_{curve}" for curve in CURVES))
_AS_PYTHON_SHOWS = re.compile(r"^b'(.*)'$")
"""The `openstack` command sends the signature so."""
_ID = re.compile(r"^[0-9a-fA-F-]{1,64}$")


class Signature(msgspec.Struct, frozen=True):
    value: bytes
    method: str
    key: str
    certificate: str

    def hasher(self) -> Hash:
        return hashlib.new(self.method.replace("-", ""), usedforsecurity=True)


def of(properties: Mapping[str, str]) -> Signature | None:
    """What an image's properties say; None where it is not signed. Raises BadRequest for what no signature is."""
    if SIGNATURE not in properties:
        return None
    missing = [name for name in (METHOD, KEY, CERTIFICATE) if name not in properties]
    if missing:
        raise BadRequest(f"The image has the property {SIGNATURE}; to be verified it needs {', '.join(missing)} too.")
    for name, possible in ((METHOD, METHODS), (KEY, KEYS)):
        if properties[name] not in possible:
            raise BadRequest(f"{name} must be one of {', '.join(possible)}, got '{properties[name][:64]}'.")
    try:
        value = base64.b64decode(_AS_PYTHON_SHOWS.sub(r"\1", properties[SIGNATURE]), validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest(f"{SIGNATURE} must be Base64.") from None
    return Signature(value, properties[METHOD], properties[KEY], properties[CERTIFICATE])


class Certificates:
    """Those that this process trusts; none until it is told where they are."""

    def __init__(self) -> None:
        self._directory: Path | None = None

    def read_from(self, directory: Path) -> None:
        self._directory = directory

    def find(self, certificate_id: str) -> Any:
        """The x509.Certificate. Raises BadRequest where there is none of that id, or it can't be read."""
        from cryptography import x509

        if not _ID.match(certificate_id):
            raise BadRequest(f"{CERTIFICATE} must be a UUID, got '{certificate_id[:64]}'.")
        try:
            if self._directory is None:
                raise FileNotFoundError
            return x509.load_pem_x509_certificate((self._directory / f"{certificate_id}.pem").read_bytes())
        except FileNotFoundError:
            raise BadRequest(
                f"The certificate {certificate_id} is not known: there is no key manager here, and the operator has not "
                "put it among the trusted ones."
            ) from None
        except ValueError as error:
            raise BadRequest(f"The certificate {certificate_id} can't be read: {error}.") from None

    def verify(self, signature: Signature, digest: bytes, at: datetime) -> None:
        """Raises BadRequest unless the data of this digest was signed so, by a certificate that holds `at` (UTC)."""
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
        from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

        certificate = self.find(signature.certificate)
        if not certificate.not_valid_before_utc <= at.replace(tzinfo=UTC) <= certificate.not_valid_after_utc:
            raise BadRequest(
                f"The certificate {signature.certificate} is valid from {certificate.not_valid_before_utc} "
                f"to {certificate.not_valid_after_utc} only."
            )
        method = getattr(hashes, signature.method.replace("-", ""))()
        hashed = Prehashed(method)
        try:
            key = certificate.public_key()
            if signature.key == "RSA-PSS" and isinstance(key, rsa.RSAPublicKey):
                pss = padding.PSS(mgf=padding.MGF1(method), salt_length=padding.PSS.AUTO)
                key.verify(signature.value, digest, pss, hashed)
            elif signature.key == "DSA" and isinstance(key, dsa.DSAPublicKey):
                key.verify(signature.value, digest, hashed)
            elif isinstance(key, ec.EllipticCurvePublicKey) and signature.key == f"ECC_{key.curve.name.upper()}":
                key.verify(signature.value, digest, ec.ECDSA(hashed))
            else:
                raise BadRequest(f"The key of certificate {signature.certificate} is not {signature.key}.")
        except UnsupportedAlgorithm as error:
            raise BadRequest(f"The key of certificate {signature.certificate} is not known here: {error}.") from None
        except InvalidSignature:
            raise BadRequest(
                f"The signature does not fit: the data is not what was signed with the key of {signature.certificate}."
            ) from None


def kept(signature: Signature, digest: bytes) -> str:
    """What is remembered of verified data."""
    return f"{signature.method}:{digest.hex()}"


def verify_kept(properties: Mapping[str, str], digest: str | None, at: datetime) -> None:
    """Verify, again, data that is here. Raises BadRequest."""
    signature = of(properties)
    if signature is None:
        return
    method, _, value = (digest or "").partition(":")
    if method != signature.method:
        raise BadRequest(
            f"The data was never verified against this {SIGNATURE}; upload it to a new image with the same."
        )
    certificates.verify(signature, bytes.fromhex(value), at)


certificates = Certificates()
"""The process's."""
