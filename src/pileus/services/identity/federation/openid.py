"""OpenID Connect: Pileus as relying party (authorization code with PKCE), and as resource server for bearer tokens.

OpenID Connect Core 1.0, Discovery 1.0; RFC 7636 (PKCE), 7662 (introspection), 9068 (access tokens that are JWTs).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from pileus.core.errors import ServiceUnavailable, Unauthorized
from pileus.services.identity.federation import fetch
from pileus.services.identity.rules.arrivals import Vouched
from pileus.services.identity.types.sign_on import OpenId, Pending

if TYPE_CHECKING:
    import jwt

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures with a key pair: a secret shared with the client could be anybody's."""
_LEEWAY = 60
_KEPT = 600.0
"""Seconds for which a provider's description and keys are believed."""
_ASK_AGAIN = 30.0
"""Seconds before an unknown key makes the keys be asked for again."""
_TYPES = (None, "JWT", "at+jwt", "application/at+jwt")
_MAX_TOKEN = 32 << 10
_MAX_DEPTH = 3
Claims = Mapping[str, Any]


class Description(msgspec.Struct):
    """What a provider says of itself."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    authorization_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    introspection_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class _Known(msgspec.Struct):
    description: Description
    keys: Any
    """jwt.PyJWKSet."""
    at: float


_known: dict[str, _Known] = {}
_lock = threading.Lock()


def _provider(sign_on: OpenId, older_than: float = _KEPT) -> _Known:
    """Raises ServiceUnavailable where it does not answer, or is another than it should be."""
    import jwt

    with _lock:
        found = _known.get(sign_on.issuer)
    if found is not None and time.monotonic() - found.at < older_than:
        return found
    url = f"{sign_on.issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        description: Description = fetch.json(url, Description)
        if description.issuer != sign_on.issuer:
            raise ServiceUnavailable(f"{url} is the description of {description.issuer[:255]}.")
        keys = jwt.PyJWKSet.from_dict(fetch.json(description.jwks_uri, dict[str, Any]))
    except (fetch.Refused, jwt.PyJWTError) as error:
        raise ServiceUnavailable(f"The identity provider's description can't be used: {error}") from None
    with _lock:
        found = _known[sign_on.issuer] = _Known(description, keys, time.monotonic())
    return found


# -- somebody with a browser


def start(sign_on: OpenId, pending: Pending, redirect_uri: str) -> str:
    """Where to send the browser."""
    description = _provider(sign_on).description
    if description.authorization_endpoint is None:
        raise ServiceUnavailable(f"{sign_on.issuer} has no authorization endpoint.")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(pending.verifier.encode()).digest()).decode().rstrip("=")
    asked = {
        "response_type": "code",
        "client_id": sign_on.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(sign_on.scopes),
        "state": pending.request_id,
        "nonce": pending.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    joint = "&" if "?" in description.authorization_endpoint else "?"
    return f"{description.authorization_endpoint}{joint}{urlencode(asked)}"


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def redeem(sign_on: OpenId, secret: str | None, pending: Pending, redirect_uri: str, code: str) -> Vouched:
    """Who came back with `code`. Raises Unauthorized."""
    description = _provider(sign_on).description
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": pending.verifier,
    }
    try:
        answer: dict[str, Any] = fetch.json(
            description.token_endpoint,
            dict[str, Any],
            form=form | _in_form(description, sign_on, secret),
            client=_in_header(description, sign_on, secret),
        )
        claims = _verified(sign_on, str(answer.get("id_token", "")))
        _must_be_for_us(claims, [sign_on.client_id])
        if not hmac.compare_digest(str(claims.get("nonce", "")), pending.nonce):
            raise Unauthorized("The identity provider's answer belongs to another sign-on.")
        if description.userinfo_endpoint and answer.get("access_token"):
            more: dict[str, Any] = fetch.json(
                description.userinfo_endpoint, dict[str, Any], bearer=str(answer["access_token"])
            )
            if more.get("sub") == claims["sub"]:
                claims = {**more, **claims}
    except fetch.Refused as error:
        raise Unauthorized(f"The identity provider refused: {error}") from None
    return _vouched(sign_on, claims)


def _in_header(description: Description, sign_on: OpenId, secret: str | None) -> tuple[str, str] | None:
    basic = "client_secret_basic" in description.token_endpoint_auth_methods_supported
    return (sign_on.client_id, secret) if secret and basic else None


def _in_form(description: Description, sign_on: OpenId, secret: str | None) -> dict[str, str]:
    if _in_header(description, sign_on, secret) is not None:
        return {}
    return {"client_id": sign_on.client_id, **({"client_secret": secret} if secret else {})}


# -- somebody with a token


def bearer(sign_on: OpenId, secret: str | None, token: str) -> Vouched:
    """Who holds an access token (or an ID token) of the provider's. Raises Unauthorized."""
    if len(token) > _MAX_TOKEN:
        raise Unauthorized(f"A bearer token has at most {_MAX_TOKEN} characters.")
    claims = _verified(sign_on, token) if token.count(".") == 2 else _introspected(sign_on, secret, token)
    _must_be_for_us(claims, [sign_on.client_id, *sign_on.audiences])
    return _vouched(sign_on, claims)


def _introspected(sign_on: OpenId, secret: str | None, token: str) -> Claims:
    description = _provider(sign_on).description
    if description.introspection_endpoint is None or secret is None:
        raise Unauthorized("The bearer token is no JWT, and the identity provider can't be asked what it means.")
    form = {"token": token, "token_type_hint": "access_token"}
    try:
        claims: dict[str, Any] = fetch.json(
            description.introspection_endpoint, dict[str, Any], form=form, client=(sign_on.client_id, secret)
        )
    except fetch.Refused as error:
        raise Unauthorized(f"The identity provider refused: {error}") from None
    if claims.get("active") is not True or claims.get("iss", sign_on.issuer) != sign_on.issuer:
        raise Unauthorized("The bearer token is not valid.")
    return claims


def _must_be_for_us(claims: Claims, clients: Sequence[str]) -> None:
    """A token that the same provider gave to another service's client must not work here."""
    audience = claims.get("aud", ())
    parties = set(map(str, audience if isinstance(audience, list | tuple) else [audience]))
    issued_to = claims.get("azp", claims.get("client_id"))
    if not (parties | {str(issued_to)}) & set(clients):
        raise Unauthorized(f"The token is for {', '.join(sorted(parties))[:255] or 'nobody'}, not for this cloud.")


def _verified(sign_on: OpenId, token: str) -> dict[str, Any]:
    """The claims of a JWT that the provider has signed, for it is now. Raises Unauthorized."""
    import jwt

    try:
        header = jwt.get_unverified_header(token)
        if header.get("typ") not in _TYPES:
            raise Unauthorized(f"A token of type '{str(header.get('typ'))[:64]}' is not for signing on.")
        return jwt.decode(
            token,
            _key(sign_on, header.get("kid")),
            algorithms=ALGORITHMS,
            issuer=sign_on.issuer,
            leeway=_LEEWAY,
            options={"require": ["exp", "iss", "sub"], "verify_aud": False},
        )
    except jwt.PyJWTError as error:
        raise Unauthorized(f"The identity provider's token is not valid: {error}") from None


def _key(sign_on: OpenId, key_id: str | None) -> jwt.PyJWK:
    for older_than in (_KEPT, _ASK_AGAIN):
        shown: list[jwt.PyJWK] = _provider(sign_on, older_than).keys.keys
        # a symmetric key that is shown to everybody proves nothing
        every = [key for key in shown if key.public_key_use in (None, "sig") and key.key_type != "oct"]
        found = every if key_id is None and len(every) == 1 else [key for key in every if key.key_id == key_id]
        for key in found:
            return key
    raise Unauthorized("The identity provider's token is signed with a key that the provider does not show.")


# -- claims as attributes


def _vouched(sign_on: OpenId, claims: Claims) -> Vouched:
    """Each claim under its own name, and under those that web servers' modules give it."""
    found: dict[str, Sequence[str]] = {}
    for name, values in _flat(claims):
        plain = name.replace("-", "_").replace(".", "_")
        for alias in (name, f"OIDC-{name}", f"OIDC_CLAIM_{name}", f"HTTP_OIDC_{plain.upper()}"):
            found[alias] = values
    found["REMOTE_USER"] = [str(claims.get("sub", claims.get("username", "")))]
    return Vouched(sign_on.issuer, found)


def _flat(claims: Claims, before: str = "", depth: int = 0) -> Iterable[tuple[str, list[str]]]:
    """A claim within a claim has both names, with a dot between."""
    for name, value in claims.items():
        if isinstance(value, Mapping):
            if depth < _MAX_DEPTH:
                yield from _flat(value, f"{before}{name}.", depth + 1)
        else:
            values = value if isinstance(value, list) else [value]
            yield before + name, [_text(one) for one in values if one is not None]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
