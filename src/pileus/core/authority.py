"""Certificate authorities of the cloud's own (RFC 5280), and what they sign.

Certificates are of two roles, which stand in the subject's organisation: the control plane's, which serve the API and
call hosts, and hosts', whose common name is the host's name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from cryptography import x509

Role = Literal["control plane", "host"]
CONTROL_PLANE = "control-plane.pileus"
"""The name by which hosts know whatever process of the control plane they talk to, at whatever address."""
AUTHORITY_LIFE = timedelta(days=20 * 365)
LIFE = timedelta(days=90)
RENEWED_BEFORE = timedelta(days=30)
_SKEW = timedelta(hours=1)
"""Certificates are valid so much before they are made: other machines' clocks may be behind."""


class BadRequest(Exception):
    """A certificate request that can't be signed; the text says why."""


class Authority(msgspec.Struct, frozen=True):
    """PEM, both."""

    certificate: str
    key: str

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.certificate)

    def sign(self, request: str, role: Role, name: str, addresses: Iterable[str] = (), life: timedelta = LIFE) -> str:
        """A certificate for the request's key, whatever else the request says. Raises BadRequest."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

        asked = _request(request)
        own = x509.load_pem_x509_certificate(self.certificate.encode())
        key = serialization.load_pem_private_key(self.key.encode(), None)
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, role), x509.NameAttribute(NameOID.COMMON_NAME, name)]
        names: list[x509.GeneralName] = [x509.DNSName(name)]
        names += [x509.IPAddress(ip_address(address)) for address in addresses]
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(subject))
            .issuer_name(own.subject)
            .public_key(asked.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SKEW)
            .not_valid_after(min(now + life, own.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(own.public_key()),  # type: ignore[arg-type]
                critical=False,
            )
            .sign(key, hashes.SHA256())  # type: ignore[arg-type]
        )
        return made.public_bytes(serialization.Encoding.PEM).decode()


def fingerprint(certificate: str) -> str:
    """SHA-256 of the certificate, in hex. Raises ValueError for what is none."""
    import ssl

    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()


def new_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        .decode()
    )  # fmt: skip


def request_for(key: str, name: str) -> str:
    """A certificate request (PKCS #10), which proves that its sender has the key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import NameOID

    private = serialization.load_pem_private_key(key.encode(), None)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject)
    signed = made.sign(private, hashes.SHA256())  # type: ignore[arg-type]
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def key_of_request(request: str) -> str:
    """The hash of the key that a request is for. Raises BadRequest."""
    return _key_hash(_request(request))


def key_of_certificate(der: bytes) -> str:
    """The hash of a certificate's key, by which a peer is known over all its certificates."""
    from cryptography import x509

    return _key_hash(x509.load_der_x509_certificate(der))


def expiry(certificate: str) -> datetime:
    """When it ends, in UTC."""
    from cryptography import x509

    return x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc


def addresses_of(certificate: str) -> set[str]:
    from cryptography import x509

    parsed = x509.load_pem_x509_certificate(certificate.encode())
    names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(address) for address in names.get_values_for_type(x509.IPAddress)}


def _request(request: str) -> x509.CertificateSigningRequest:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        asked = x509.load_pem_x509_csr(request.encode())
        key = asked.public_key()
        good = asked.is_signature_valid
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadRequest(f"The certificate request can't be read: {error}") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise BadRequest("The certificate request must be for a key on the curve P-256.")
    if not good:
        raise BadRequest("The certificate request is not signed with the key that it is for.")
    return asked


def _key_hash(holder: x509.Certificate | x509.CertificateSigningRequest) -> str:
    from cryptography.hazmat.primitives import serialization

    info = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(holder.public_key().public_bytes(serialization.Encoding.DER, info)).hexdigest()


def new(title: str) -> Authority:
    """Another authority, with a key of its own."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return Authority(
        made.public_bytes(pem).decode(), key.private_bytes(pem, pkcs8, serialization.NoEncryption()).decode()
    )
