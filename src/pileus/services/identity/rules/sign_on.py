"""Signing on by an identity provider that Pileus itself asks: the addresses of it, its settings, and what is pending."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from cryptography.fernet import InvalidToken

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Forbidden, NotFound, Unauthorized
from pileus.services.identity.rules import federation, resources, sealing, tokens
from pileus.services.identity.store import federation as store
from pileus.services.identity.store import rows
from pileus.services.identity.types.catalog import EndpointRow, ServiceRow
from pileus.services.identity.types.federation import IdentityProviderRow, SigningKeyRow
from pileus.services.identity.types.sign_on import OpenId, Pending, Saml2, SigningKey, SignOn

LIFE = timedelta(minutes=10)
"""For how long somebody may take to prove to their identity provider who they are."""
_MARK = b"sign-on "
"""No token begins like this, so that neither can be taken for the other."""
_KEY = "saml2"
S = TypeVar("S", OpenId, Saml2)


class Place(msgspec.Struct, frozen=True):
    """The addresses of one protocol, as identity providers and browsers know them."""

    base: str
    """Of the API, with its version."""
    provider_id: str
    protocol: str

    @property
    def _name(self) -> str:
        return f"OS-FEDERATION/identity_providers/{quote(self.provider_id, safe='')}/protocols/{quote(self.protocol, safe='')}"

    @property
    def _here(self) -> str:
        return f"{self.base}/{self._name}"

    @property
    def auth(self) -> str:
        return f"{self._here}/auth"

    def websso(self, origin: str) -> str:
        """Where a dashboard sends browsers."""
        return f"{self.base}/auth/{self._name}/websso?{urlencode({'origin': origin})}"

    @property
    def callback(self) -> str:
        """Where OpenID Connect sends the browser back to."""
        return f"{self._here}/callback"

    @property
    def acs(self) -> str:
        """Where SAML assertions are taken."""
        return f"{self._here}/acs"

    @property
    def entity_id(self) -> str:
        """What SAML calls this cloud for this protocol; it is where its metadata is, too."""
        return f"{self._here}/metadata"


class Configured(msgspec.Struct):
    """A protocol that is ready for somebody to sign on by."""

    place: Place
    sign_on: SignOn
    secret: str | None
    key: SigningKey | None


def base(tx: Tx) -> str:
    """The public address of this API, from the catalog: not from a request, which could name any host."""
    for service in rows.where(tx, ServiceRow, type="identity", enabled=True):
        for endpoint in rows.where(tx, EndpointRow, service_id=service.id, interface="public", enabled=True):
            return endpoint.url.rstrip("/").removesuffix("/v3") + "/v3"
    raise NotFound("The catalog has no public endpoint of the identity service.")


def is_secure(place: Place) -> bool:
    return urlsplit(place.base).scheme == "https"


def configured(tx: Tx, settings: Settings, provider_id: str, protocol: str) -> Configured:
    """Raises NotFound, Forbidden (disabled), Unauthorized (no settings)."""
    row = federation.found_protocol(tx, provider_id, protocol)
    provider = resources.find(tx, IdentityProviderRow, provider_id)
    if not provider.enabled:
        raise Forbidden(f"Identity provider {provider.id} is disabled.")
    if row.sign_on is None:
        raise Unauthorized(
            f"Protocol {row.name} of identity provider {provider.id} has no settings to sign on by: "
            "an operator gives them by 'pileus federation set'."
        )
    secret = sealing.unseal(tx, settings, row.secret) if row.secret is not None else None
    sign_on: SignOn = msgspec.convert(row.sign_on, SignOn)
    key = signing_key(tx, settings) if isinstance(sign_on, Saml2) else None
    return Configured(Place(base(tx), provider.id, row.name), sign_on, secret, key)


def of_kind(found: Configured, kind: type[S]) -> S:
    """Raises Unauthorized for a protocol that signs on in another way."""
    if not isinstance(found.sign_on, kind):
        raise Unauthorized(f"Protocol {found.place.protocol} does not sign on by {kind.__struct_config__.tag}.")
    return found.sign_on


def configure(
    tx: Tx, settings: Settings, caller: Caller, provider_id: str, protocol: str, sign_on: SignOn, secret: str | None
) -> Place:
    """Raises NotFound."""
    row = federation.found_protocol(tx, provider_id, protocol)
    if isinstance(sign_on, Saml2):
        make_signing_key(tx, settings)
    sealed = sealing.seal(tx, settings, secret) if secret is not None else None
    resources.change(tx, caller, row, {"sign_on": msgspec.to_builtins(sign_on), "secret": sealed})
    return Place(base(tx), provider_id, protocol)


def forget(tx: Tx, caller: Caller, provider_id: str, protocol: str) -> None:
    row = federation.found_protocol(tx, provider_id, protocol)
    resources.change(tx, caller, row, {"sign_on": None, "secret": None})


def must_be_trusted(settings: Settings, origin: str | None) -> str:
    """Raises BadRequest, Unauthorized: a token is given to no page but a dashboard's."""
    if not origin:
        raise BadRequest("Say by ?origin= which dashboard the token is for.")
    if origin not in trusted_dashboards(settings):
        raise Unauthorized(f"{origin[:255]} is not one of this cloud's dashboards (option trusted_dashboards).")
    return origin


def trusted_dashboards(settings: Settings) -> Sequence[str]:
    return [url.strip() for url in settings.trusted_dashboards.split(",") if url.strip()]


# -- what is pending


def sealed(tx: Tx, pending: Pending) -> str:
    return tokens.box(tx).encrypt(_MARK + msgspec.msgpack.encode(pending)).decode().rstrip("=")


def opened(tx: Tx, text: str | None, place: Place) -> Pending | None:
    """None for what is not, or no longer, pending there."""
    try:
        raw = tokens.box(tx).decrypt((text or "") + "=" * (-len(text or "") % 4))
        found = msgspec.msgpack.decode(raw.removeprefix(_MARK), type=Pending) if raw.startswith(_MARK) else None
    except (InvalidToken, ValueError, msgspec.MsgspecError):
        return None
    if found is None or (found.provider_id, found.protocol) != (place.provider_id, place.protocol):
        return None
    return found if found.expires_at > tokens.now_stamp() else None


def pending_until() -> int:
    return tokens.now_stamp() + LIFE // timedelta(microseconds=1)


# -- the key with which this cloud signs what it says in SAML


def signing_key(tx: Tx, settings: Settings) -> SigningKey | None:
    found = rows.find(tx, SigningKeyRow, _KEY)
    return SigningKey(sealing.unseal(tx, settings, found.private_key), found.certificate) if found else None


def make_signing_key(tx: Tx, settings: Settings) -> SigningKey:
    """The key; made where there is none."""
    known = signing_key(tx, settings)
    if known is not None:
        return known
    from pileus.services.identity.federation import keys

    made = keys.new()
    row = SigningKeyRow(_KEY, sealing.seal(tx, settings, made.private_key), made.certificate)
    if store.keep_signing_key(tx, row):
        return made
    return make_signing_key(tx, settings)  # somebody else was faster
