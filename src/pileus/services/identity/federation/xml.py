"""XML of SAML, SOAP and PAOS: names, and parsing that takes no document types, entities or external things."""

from __future__ import annotations

from typing import Any

from lxml import etree
from onelogin.saml2.xmlparser import fromstring

from pileus.core.errors import BadRequest

MD = "urn:oasis:names:tc:SAML:2.0:metadata"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
DS = "http://www.w3.org/2000/09/xmldsig#"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
ECP = "urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp"
PAOS = "urn:liberty:paos:2003-08"
PREFIXES = {"md": MD, "saml": SAML, "samlp": SAMLP, "ds": DS, "S": SOAP, "ecp": ECP, "paos": PAOS}
_NEXT = "http://schemas.xmlsoap.org/soap/actor/next"


def parse(raw: bytes) -> Any:
    """Raises BadRequest."""
    try:
        return fromstring(raw, forbid_dtd=True, forbid_entities=True)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BadRequest(f"The XML can't be read: {error}") from None


def text(element: Any) -> bytes:
    found: bytes = etree.tostring(element)
    return found


def element(name: str, *children: Any, **attributes: str) -> Any:
    """`name` with one of the prefixes; children are elements or one text."""
    prefix, _, local = name.partition(":")
    used = {prefix: PREFIXES[prefix]}
    made = etree.Element(f"{{{PREFIXES[prefix]}}}{local}", attributes, nsmap=used)
    for child in children:
        if isinstance(child, str):
            made.text = child
        else:
            made.append(child)
    return made


def header(name: str, *children: Any, **attributes: str) -> Any:
    """A header of SOAP for whoever comes next."""
    made = element(name, *children, **attributes)
    made.set(f"{{{SOAP}}}mustUnderstand", "1")
    made.set(f"{{{SOAP}}}actor", _NEXT)
    return made


def envelope(headers: list[Any], body: Any) -> bytes:
    return text(element("S:Envelope", element("S:Header", *headers), element("S:Body", body)))


def find(root: Any, path: str) -> Any:
    return root.find(path, namespaces=PREFIXES)
