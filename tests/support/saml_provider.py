"""A SAML 2.0 identity provider of the tests' own: web browsers by the redirect and POST bindings, programs by ECP."""

import base64
import secrets
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from html import escape, unescape
from typing import Any

from lxml import etree
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from pileus.services.identity.federation import keys
from tests.support.web import Answer, Asked, web

NAMES = {
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "S": "http://schemas.xmlsoap.org/soap/envelope/",
    "ecp": "urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp",
}
DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMES.items())
PASSWORD = "dana's password"
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"


key = cache(keys.new)
"""Made once: it takes a while."""


def stamp(minutes: int) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


class SamlProvider:
    def __init__(self) -> None:
        self.url = ""
        self.key = key()
        self.attributes = {"uid": ["dana"], "mail": ["dana@acme.example"], "memberOf": ["staff", "eng"]}
        self.handlers = {"/sso": self.sso, "/ecp": self.ecp}

    @property
    def entity_id(self) -> str:
        return f"{self.url}/idp"

    @property
    def metadata(self) -> str:
        body = "".join(self.key.certificate.strip().splitlines()[1:-1])
        return f"""<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{self.entity_id}">
          <md:IDPSSODescriptor protocolSupportEnumeration="{NAMES["samlp"]}">
            <md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">
              <ds:X509Data><ds:X509Certificate>{body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
            <md:SingleSignOnService Binding="{REDIRECT}" Location="{self.url}/sso"/>
          </md:IDPSSODescriptor></md:EntityDescriptor>"""

    def response(self, request: Any, sign: str = "assertion", **wrong: str) -> str:
        """The answer to an AuthnRequest; `wrong` are facts that it gets wrong."""
        facts = {
            "id": "_" + secrets.token_hex(8),
            "to": request.get("ID"),
            "acs": request.get("AssertionConsumerServiceURL"),
            "audience": request.find("saml:Issuer", NAMES).text,
            "issuer": self.entity_id,
            "name": "dana@acme",
            "ends": stamp(5),
        } | wrong
        to = f'InResponseTo="{facts["to"]}"' if facts["to"] else ""
        every = "".join(
            f'<saml:Attribute Name="{name}">{"".join(f"<saml:AttributeValue>{escape(v)}</saml:AttributeValue>" for v in values)}</saml:Attribute>'
            for name, values in self.attributes.items()
        )
        assertion = f"""<saml:Assertion {DECLARED} ID="{facts["id"]}" Version="2.0" IssueInstant="{stamp(0)}"><saml:Issuer>{facts["issuer"]}</saml:Issuer>
          <saml:Subject><saml:NameID>{facts["name"]}</saml:NameID>
            <saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
              <saml:SubjectConfirmationData {to} Recipient="{facts["acs"]}" NotOnOrAfter="{facts["ends"]}"/></saml:SubjectConfirmation></saml:Subject>
          <saml:Conditions NotBefore="{stamp(-5)}" NotOnOrAfter="{facts["ends"]}">
            <saml:AudienceRestriction><saml:Audience>{facts["audience"]}</saml:Audience></saml:AudienceRestriction></saml:Conditions>
          <saml:AuthnStatement AuthnInstant="{stamp(0)}"><saml:AuthnContext>
            <saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>
          <saml:AttributeStatement>{every}</saml:AttributeStatement></saml:Assertion>"""
        if sign == "assertion":
            assertion = self._signed(assertion)
        found = f"""<samlp:Response {DECLARED} ID="_{secrets.token_hex(8)}" Version="2.0" IssueInstant="{stamp(0)}" {to} Destination="{facts["acs"]}"><saml:Issuer>{facts["issuer"]}</saml:Issuer>
          <samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>{assertion}</samlp:Response>"""
        return self._signed(found) if sign == "response" else found

    def _signed(self, text: str) -> str:
        made = OneLogin_Saml2_Utils.add_sign(text, self.key.private_key, self.key.certificate)
        return made.decode() if isinstance(made, bytes) else made

    def sso(self, asked: Asked) -> Answer:
        """A page whose form brings the answer back. The user is signed on already."""
        response = base64.b64encode(self.response(request_of(asked.query["SAMLRequest"])).encode()).decode()
        return Answer(f'<form method="post"><input name="SAMLResponse" value="{response}"></form>'.encode())

    def ecp(self, asked: Asked) -> Answer:
        given = base64.b64decode(asked.headers.get("authorization", "").removeprefix("Basic ")).decode()
        if given != f"dana:{PASSWORD}":
            return Answer(status=401)
        request = etree.fromstring(asked.body).find("S:Body/samlp:AuthnRequest", NAMES)
        acs = request.get("AssertionConsumerServiceURL")
        return Answer(in_envelope(self.response(request), acs).encode(), headers={"Content-Type": "text/xml"})


def in_envelope(response: str, acs: str, header: str = "") -> str:
    answer = f'<ecp:Response S:mustUnderstand="1" AssertionConsumerServiceURL="{acs}"/>'
    return f"<S:Envelope {DECLARED}><S:Header>{header or answer}</S:Header><S:Body>{response}</S:Body></S:Envelope>"


def request_of(text: str) -> Any:
    """The AuthnRequest of a redirect."""
    return etree.fromstring(zlib.decompress(base64.b64decode(text), -15))


def answer_of(page: str) -> str:
    return unescape(page.split('name="SAMLResponse" value="')[1].split('"', maxsplit=1)[0])


@contextmanager
def saml_provider() -> Iterator[SamlProvider]:
    found = SamlProvider()
    with web(found.handlers) as found.url:
        yield found
