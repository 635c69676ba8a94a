"""SAML 2.0 with Pileus as identity provider: signed assertions of this cloud's users for another one."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import xmlsec

from pileus.services.identity.federation import xml
from pileus.services.identity.rules.tokens import Session
from pileus.services.identity.types.federation import ServiceProviderRow
from pileus.services.identity.types.sign_on import SigningKey

LIFE = timedelta(minutes=5)
_LEEWAY = timedelta(minutes=1)
"""By which the other cloud's clock may be behind."""
_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
_CONTEXT = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
_NAME_ID = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
_BASIC = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"


def issuer(base: str) -> str:
    """What this cloud is called as an identity provider: the remote id to register it by."""
    return f"{base}/OS-FEDERATION/saml2/idp"


def metadata(base: str, key: SigningKey) -> bytes:
    """For other clouds."""
    body = "".join(key.certificate.strip().splitlines()[1:-1])
    certificate = xml.element("ds:KeyInfo", xml.element("ds:X509Data", xml.element("ds:X509Certificate", body)))
    provider = xml.element(
        "md:IDPSSODescriptor",
        xml.element("md:KeyDescriptor", certificate, use="signing"),
        xml.element("md:NameIDFormat", _NAME_ID),
        xml.element(
            "md:SingleSignOnService",
            Binding="urn:oasis:names:tc:SAML:2.0:bindings:URI",
            Location=f"{base}/auth/OS-FEDERATION/saml2",
        ),
        protocolSupportEnumeration=xml.SAMLP,
    )
    return xml.text(xml.element("md:EntityDescriptor", provider, entityID=issuer(base)))


def attributes(session: Session, groups: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """What the other cloud is told; `groups` are names with the names of their domains."""
    assert session.project is not None
    assert session.domain is not None
    written = [msgspec.json.encode({"name": name, "domain": {"name": domain}}).decode() for name, domain in groups]
    return {
        "openstack_user": [session.user.name],
        "openstack_user_domain": [session.user_domain.name],
        "openstack_roles": [role.name for role in session.roles],
        "openstack_project": [session.project.name],
        "openstack_project_domain": [session.domain.name],
        "openstack_groups": [f"JSON:{one}" for one in written],
    }


def response(
    base: str, key: SigningKey, to: ServiceProviderRow, session: Session, groups: Sequence[tuple[str, str]]
) -> Any:
    """A samlp:Response with one signed assertion."""
    now = datetime.now(UTC)
    ends = _time(now + LIFE)
    confirmed = xml.element("saml:SubjectConfirmationData", NotOnOrAfter=ends, Recipient=to.sp_url)
    subject = xml.element(
        "saml:Subject",
        xml.element("saml:NameID", session.user.name, Format=_NAME_ID),
        xml.element("saml:SubjectConfirmation", confirmed, Method=_BEARER),
    )
    context = xml.element("saml:AuthnContext", xml.element("saml:AuthnContextClassRef", _CONTEXT))
    assertion = xml.element(
        "saml:Assertion",
        xml.element("saml:Issuer", issuer(base)),
        subject,
        xml.element("saml:Conditions", NotBefore=_time(now - _LEEWAY), NotOnOrAfter=ends),
        xml.element(
            "saml:AuthnStatement", context, AuthnInstant=_time(now), SessionIndex=_new_id(), SessionNotOnOrAfter=ends
        ),
        xml.element(
            "saml:AttributeStatement", *map(_attribute, *zip(*attributes(session, groups).items(), strict=True))
        ),
        ID=_new_id(),
        Version="2.0",
        IssueInstant=_time(now),
    )
    sign(assertion, key)
    return xml.element(
        "samlp:Response",
        xml.element("saml:Issuer", issuer(base)),
        xml.element("samlp:Status", xml.element("samlp:StatusCode", Value=_SUCCESS)),
        assertion,
        ID=_new_id(),
        Version="2.0",
        IssueInstant=_time(now),
        Destination=to.sp_url,
    )


def ecp_envelope(to: ServiceProviderRow, answer: Any) -> bytes:
    """As the enhanced client of the other cloud's takes it."""
    headers = [
        xml.header("ecp:Response", AssertionConsumerServiceURL=to.sp_url),
        xml.header("ecp:RelayState", to.relay_state_prefix + secrets.token_hex(16)),
    ]
    return xml.envelope(headers, answer)


def sign(signed: Any, key: SigningKey) -> None:
    """Puts a signature after the issuer of an assertion or a response."""
    made = xmlsec.template.create(signed, xmlsec.Transform.EXCL_C14N, xmlsec.Transform.RSA_SHA256, ns="ds")
    xml.find(signed, "saml:Issuer").addnext(made)
    reference = xmlsec.template.add_reference(made, xmlsec.Transform.SHA256, uri=f"#{signed.get('ID')}")
    xmlsec.template.add_transform(reference, xmlsec.Transform.ENVELOPED)
    xmlsec.template.add_transform(reference, xmlsec.Transform.EXCL_C14N)
    xmlsec.template.add_x509_data(xmlsec.template.ensure_key_info(made))
    xmlsec.tree.add_ids(signed, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(key.private_key, xmlsec.KeyFormat.PEM, None)
    context.key.load_cert_from_memory(key.certificate, xmlsec.KeyFormat.PEM)
    context.sign(made)


def _attribute(name: str, values: Sequence[str]) -> Any:
    texts = [xml.element("saml:AttributeValue", value) for value in values]
    return xml.element("saml:Attribute", *texts, Name=name, NameFormat=_BASIC)


def _new_id() -> str:
    return f"_{secrets.token_hex(16)}"


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
