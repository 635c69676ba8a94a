"""Client certificates as a TLS proxy passes them on."""

import base64
import ssl
from urllib.parse import quote

import pytest

from pileus.core import certificates

DER = b"\x30\x03\x02\x01\x05"
RFC_9440 = f":{base64.b64encode(DER).decode()}:"


@pytest.mark.parametrize("value", [RFC_9440, quote(ssl.DER_cert_to_PEM_cert(DER))])
def test_the_proxy_is_believed(value: str) -> None:
    headers = {"client-cert": value, "x-tls-proxy-secret": "s3cret"}
    assert certificates.forwarded(headers, "s3cret") == DER


@pytest.mark.parametrize(
    ("headers", "secret"),
    [
        ({"client-cert": RFC_9440}, ""),
        ({"client-cert": RFC_9440, "x-tls-proxy-secret": ""}, ""),
        ({"client-cert": RFC_9440}, "s3cret"),
        ({"client-cert": RFC_9440, "x-tls-proxy-secret": "guess"}, "s3cret"),
        ({"client-cert": RFC_9440, "x-tls-proxy-secret": "gu\xe9ss"}, "s3cret"),
        ({"x-tls-proxy-secret": "s3cret"}, "s3cret"),
        ({"client-cert": ":not base64:", "x-tls-proxy-secret": "s3cret"}, "s3cret"),
        ({"client-cert": "no certificate", "x-tls-proxy-secret": "s3cret"}, "s3cret"),
    ],
)
def test_nobody_else_is(headers: dict[str, str], secret: str) -> None:
    assert certificates.forwarded(headers, secret) is None


def test_thumbprint() -> None:
    assert certificates.thumbprint(b"") == "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
