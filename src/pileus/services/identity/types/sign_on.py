"""How Pileus itself asks an identity provider who somebody is: settings of a protocol, and what it remembers meanwhile."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pileus.core.body import length

PAOS = "application/vnd.paos+xml"
"""How programs that know SAML's enhanced client profile (ECP) speak."""
Url = Annotated[str, length(1, 2048)]


class OpenId(msgspec.Struct, kw_only=True, tag_field="kind", tag="openid", forbid_unknown_fields=True):
    """OpenID Connect: `issuer` is where the provider describes itself (OpenID Connect Discovery 1.0, section 4)."""

    issuer: Url
    client_id: Annotated[str, length(1, 255)]
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    audiences: tuple[str, ...] = ()
    """Clients beside `client_id` whose tokens are taken, such as that of a command line tool."""


class Saml2(msgspec.Struct, kw_only=True, tag_field="kind", tag="saml2", forbid_unknown_fields=True):
    """SAML 2.0, with the provider's metadata."""

    metadata: Annotated[str, length(1, 1 << 20)]
    entity_id: str | None = None
    """The provider's, where the metadata has several."""
    unsolicited: bool = False
    """Whether assertions are taken that nobody here asked for, as clouds send them to each other."""


SignOn = OpenId | Saml2


class Pending(msgspec.Struct, array_like=True, frozen=True):
    """A sign-on that somebody has begun: kept by themselves, sealed."""

    provider_id: str
    protocol: str
    request_id: str
    """Of the SAML request; `state` of OpenID Connect."""
    return_to: str
    expires_at: int
    nonce: str = ""
    verifier: str = ""
    """Of PKCE (RFC 7636)."""


class SigningKey(msgspec.Struct):
    """PEM: with which this cloud signs what it says by SAML."""

    private_key: str
    certificate: str
