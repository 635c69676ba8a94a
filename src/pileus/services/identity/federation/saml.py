"""SAML 2.0 with Pileus as service provider: web browsers (POST binding) and programs (ECP).

SAML 2.0 Profiles, sections 4.1 and 4.2. python3-saml verifies; what it leaves open is required here.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
import xmlsec
from lxml import etree
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.authn_request import OneLogin_Saml2_Authn_Request
from onelogin.saml2.errors import OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings

from pileus.core.errors import BadRequest, Unauthorized
from pileus.services.identity.federation import xml
from pileus.services.identity.rules.arrivals import Vouched
from pileus.services.identity.rules.sign_on import Configured
from pileus.services.identity.types.sign_on import Saml2

_REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
_URI = "urn:oasis:names:tc:SAML:2.0:bindings:URI"
"""Of clouds, which describe themselves so."""
_POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_PAOS_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:PAOS"
_PAOS_SERVICE = "urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp"
_UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
_REFUSED = (OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError, etree.LxmlError, xmlsec.Error, ValueError)


class Asked(msgspec.Struct):
    """A request to an identity provider; `id` comes back in its answer."""

    id: str
    content: str


class Answered(msgspec.Struct):
    """A verified assertion. It must be used once: `id` names it until `expires_at`."""

    id: str
    expires_at: datetime
    in_response_to: str | None
    vouched: Vouched


def provider_of(sign_on: Saml2) -> dict[str, Any]:
    """What the metadata says of the identity provider. Raises BadRequest."""
    xml.parse(sign_on.metadata.encode())
    provider: dict[str, Any] = {}
    for binding in (_REDIRECT, _URI):
        try:
            found = OneLogin_Saml2_IdPMetadataParser.parse(sign_on.metadata, binding, entity_id=sign_on.entity_id)
        except _REFUSED as error:
            raise BadRequest(f"The metadata can't be read: {error}") from None
        provider = found.get("idp", {})
        if "singleSignOnService" in provider:
            break
    missing = [name for name in ("entityId", "singleSignOnService") if name not in provider]
    if "x509cert" not in provider and "x509certMulti" not in provider:
        missing.append("KeyDescriptor")
    if missing:
        raise BadRequest(f"The metadata describes no identity provider: it has no {', '.join(missing)}.")
    return provider


def _settings(found: Configured, sign_on: Saml2, binding: str = _POST) -> dict[str, Any]:
    assert found.key is not None
    return {
        "strict": True,
        "sp": {
            "entityId": found.place.entity_id,
            "assertionConsumerService": {"url": found.place.acs, "binding": binding},
            "NameIDFormat": _UNSPECIFIED,
            "x509cert": found.key.certificate,
            "privateKey": found.key.private_key,
        },
        "idp": provider_of(sign_on),
        "security": {
            "authnRequestsSigned": True,
            "requestedAuthnContext": False,
            "wantAttributeStatement": False,
            "rejectDeprecatedAlgorithm": True,
            "allowSingleLabelDomains": True,
        },
    }


def _received(found: Configured, response: str = "") -> dict[str, Any]:
    """The request as python3-saml wants to know it: at the address that the provider was told."""
    parts = urlsplit(found.place.acs)
    return {
        "https": "on" if parts.scheme == "https" else "off",
        "http_host": parts.netloc,
        "script_name": parts.path,
        "get_data": {},
        "post_data": {"SAMLResponse": response},
    }


def metadata(found: Configured, sign_on: Saml2) -> bytes:
    """Of this cloud, for the identity provider."""
    described = OneLogin_Saml2_Settings(_settings(found, sign_on)).get_sp_metadata()
    return described.encode() if isinstance(described, str) else described


def start(found: Configured, sign_on: Saml2) -> Asked:
    """Where to send the browser. Raises Unauthorized where it can't go: to other clouds only programs come."""
    if provider_of(sign_on)["singleSignOnService"]["binding"] != _REDIRECT:
        raise Unauthorized("This identity provider has no page to sign on by.")
    signer = OneLogin_Saml2_Auth(_received(found), old_settings=_settings(found, sign_on))
    address = signer.login(return_to=found.place.auth)
    return Asked(signer.get_last_request_id(), address)


def start_ecp(found: Configured, sign_on: Saml2) -> tuple[str, Any]:
    """The id of a request for a program, and the request."""
    made = OneLogin_Saml2_Authn_Request(OneLogin_Saml2_Settings(_settings(found, sign_on, _PAOS_BINDING)))
    return made.get_id(), xml.parse(made.get_xml().encode())


def ecp_envelope(found: Configured, request: Any, relay_state: str) -> bytes:
    headers = [
        xml.header("paos:Request", responseConsumerURL=found.place.acs, service=_PAOS_SERVICE),
        xml.header("ecp:Request", xml.element("saml:Issuer", found.place.entity_id), IsPassive="0"),
        xml.header("ecp:RelayState", relay_state),
    ]
    return xml.envelope(headers, request)


def unwrapped(raw: bytes) -> tuple[str, str | None]:
    """Response (base64) and relay state of an answer that a program brings. Raises BadRequest."""
    root = xml.parse(raw)
    response = xml.find(root, "S:Body/samlp:Response")
    if response is None:
        raise BadRequest("There is no SAML response in the SOAP envelope.")
    state = xml.find(root, "S:Header/ecp:RelayState")
    return base64.b64encode(xml.text(response)).decode(), state.text if state is not None else None


def verify(found: Configured, sign_on: Saml2, response: str) -> Answered:
    """What an identity provider said. Raises Unauthorized, BadRequest (nothing of SAML)."""
    settings = OneLogin_Saml2_Settings(_settings(found, sign_on))
    try:
        read = OneLogin_Saml2_Response(settings, response)
        read.is_valid(_received(found, response), raise_exceptions=True)
        confirmed = _confirmed_for_us(found, read)
        named = {**read.get_friendlyname_attributes(), **read.get_attributes()}
        provider, name_id = settings.get_idp_data()["entityId"], read.get_nameid()
        assertion_id, ends = read.get_assertion_id(), read.get_assertion_not_on_or_after()
    except _REFUSED as error:
        raise Unauthorized(f"The identity provider's answer is not valid: {error}") from None
    if not ends:
        raise Unauthorized("The identity provider's answer is not valid: it does not say when it ends.")
    return Answered(
        id=hashlib.sha256(f"{provider}\n{assertion_id}".encode()).hexdigest(),
        expires_at=datetime.fromtimestamp(ends, UTC).replace(tzinfo=None),
        in_response_to=confirmed.get("InResponseTo"),
        vouched=Vouched(provider, _attributes(provider, name_id, named)),
    )


def _confirmed_for_us(found: Configured, read: OneLogin_Saml2_Response) -> Any:
    """For whom and what the assertion, which alone may be signed, was made. Raises ValueError where not for us.

    python3-saml also takes assertions that say nothing of that, or say it outside.
    """
    root = read.decrypted_document if read.encrypted else read.document
    path = "saml:Assertion/saml:Subject/saml:SubjectConfirmation/saml:SubjectConfirmationData"
    every = root.findall(path, namespaces=xml.PREFIXES)
    if len(every) != 1 or every[0].get("Recipient") != found.place.acs:
        raise ValueError(f"its one recipient is not {found.place.acs}")
    return every[0]


def _attributes(provider: str, name_id: str, named: dict[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Each attribute under its own name and, as Mellon gives it, with MELLON_ before."""
    found: dict[str, Sequence[str]] = {}
    for name, values in named.items():
        texts = [value for value in values if isinstance(value, str)]
        found |= {name: texts, f"MELLON_{name}": texts}
    for name in ("REMOTE_USER", "NAME_ID", "MELLON_NAME_ID"):
        found[name] = [name_id]
    for name in ("MELLON_IDP", "Shib-Identity-Provider"):
        found[name] = [provider]
    return found
