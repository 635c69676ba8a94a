"""Signing on by an identity provider: for programs, for browsers, and for dashboards.

A browser goes from `auth` or `websso` to its provider, comes back to `callback` or `acs`, and from there, with its token in
a cookie, to where it began. The cookie is this API's alone, lives for minutes, and is taken away as soon as it has served.
"""

from __future__ import annotations

import hmac
from html import escape
from urllib.parse import parse_qs

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database
from pileus.core.errors import BadRequest, Unauthorized
from pileus.core.http import Request, Response
from pileus.services.identity.api.federation import PROTOCOL
from pileus.services.identity.rules import arrivals, tokens
from pileus.services.identity.rules import sign_on as rules
from pileus.services.identity.rules.arrivals import Vouched
from pileus.services.identity.rules.sign_on import Configured, Place
from pileus.services.identity.service import api
from pileus.services.identity.store import federation as store
from pileus.services.identity.types.sign_on import PAOS, OpenId, Pending, Saml2

COOKIE = "pileus-sign-on"
HTML = "text/html; charset=utf-8"
WEBSSO = "/auth/OS-FEDERATION/websso/{protocol_id}"
PROVIDER_WEBSSO = "/auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/websso"


def sign_on(
    db: Database, settings: Settings, caller: Caller, request: Request, idp_id: str, protocol_id: str
) -> Response:
    """An unscoped token for somebody who has proved who they are; for others, the way to do so."""
    bearer = request.bearer
    with db.read() as tx:
        found = rules.configured(tx, settings, idp_id, protocol_id)
    if bearer is not None:
        from pileus.services.identity.federation import openid

        vouched = openid.bearer(rules.of_kind(found, OpenId), found.secret, bearer)
        text, document = arrivals.arrive(db, settings, caller, idp_id, protocol_id, vouched)
        return Response(document, headers={"X-Subject-Token": text})
    arrived = _arrived(db, request)
    if arrived is not None:
        text, document = arrived
        return Response(document, headers={"X-Subject-Token": text, "Set-Cookie": _cookie(found.place, "", 0)})
    if isinstance(found.sign_on, Saml2) and PAOS in request.headers.get("accept", ""):
        return _ask_program(db, found, found.sign_on)
    return _ask_browser(db, found, found.place.auth)


for method in ("GET", "POST"):
    api.route(method, f"{PROTOCOL}/auth", public=True, success=201)(sign_on)


def _arrived(db: Database, request: Request) -> tuple[str, bytes] | None:
    """The token that somebody's browser has come back with, and its document."""
    text = _cookie_of(request)
    if text is None:
        return None
    with db.read() as tx:
        try:
            session = tokens.session_of(tx, text)
            return text, tokens.document(tx, session, with_catalog=False)
        except Unauthorized:
            return None


# -- the way there


def _ask_program(db: Database, found: Configured, sign_on: Saml2) -> Response:
    from pileus.services.identity.federation import saml

    request_id, asked = saml.start_ecp(found, sign_on)
    with db.read() as tx:
        relay_state = rules.sealed(tx, _pending(found.place, request_id, found.place.auth))
    return Response(saml.ecp_envelope(found, asked, relay_state), status=200, content_type=PAOS)


def _ask_browser(db: Database, found: Configured, return_to: str) -> Response:
    if isinstance(found.sign_on, OpenId):
        from pileus.services.identity.federation import openid

        pending = _pending(found.place, openid.new_secret(), return_to, openid.new_secret(), openid.new_secret())
        address = openid.start(found.sign_on, pending, found.place.callback)
    else:
        from pileus.services.identity.federation import saml

        asked = saml.start(found, found.sign_on)
        pending, address = _pending(found.place, asked.id, return_to), asked.content
    with db.read() as tx:
        text = rules.sealed(tx, pending)
    # a browser brings SAML's answer from the provider's page, and this cookie must come with it
    from_elsewhere = isinstance(found.sign_on, Saml2)
    headers = {"Location": address, "Set-Cookie": _cookie(found.place, text, 600, from_elsewhere)}
    return Response(status=302, headers=headers)


def _pending(place: Place, request_id: str, return_to: str, nonce: str = "", verifier: str = "") -> Pending:
    return Pending(place.provider_id, place.protocol, request_id, return_to, rules.pending_until(), nonce, verifier)


def _cookie(place: Place, value: str, seconds: int, from_elsewhere: bool = False) -> str:
    secure = rules.is_secure(place)
    same_site = "None" if from_elsewhere and secure else "Lax"
    parts = [f"{COOKIE}={value}", f"Path={api.prefix}", f"Max-Age={seconds}", "HttpOnly", f"SameSite={same_site}"]
    return "; ".join([*parts, "Secure"] if secure else parts)


def _cookie_of(request: Request) -> str | None:
    for part in request.headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE and value:
            return value
    return None


# -- and back


@api.get(f"{PROTOCOL}/callback", public=True)
def take_code(
    db: Database, settings: Settings, caller: Caller, request: Request, idp_id: str, protocol_id: str
) -> Response:
    """Somebody's browser comes back from an OpenID Connect provider."""
    from pileus.services.identity.federation import openid

    answer = dict(request.query)
    with db.read() as tx:
        found = rules.configured(tx, settings, idp_id, protocol_id)
        pending = rules.opened(tx, _cookie_of(request), found.place)
    if pending is None or not hmac.compare_digest(answer.get("state", "").encode(), pending.request_id.encode()):
        raise Unauthorized("This sign-on was not begun by this browser, or too long ago: begin again.")
    if "code" not in answer:
        raise Unauthorized(f"The identity provider refused: {answer.get('error', 'it gave no code')[:255]}.")
    asked = rules.of_kind(found, OpenId)
    vouched = openid.redeem(asked, found.secret, pending, found.place.callback, answer["code"])
    return _back(db, settings, caller, found.place, vouched, pending.return_to)


@api.post(f"{PROTOCOL}/acs", public=True)
def take_assertion(
    db: Database, settings: Settings, caller: Caller, request: Request, idp_id: str, protocol_id: str
) -> Response:
    """A SAML assertion: from a browser's form, or in an envelope from a program."""
    from pileus.services.identity.federation import saml

    by_program = "xml" in request.headers.get("content-type", "")
    response, relay_state = saml.unwrapped(request.raw) if by_program else (_field(request, "SAMLResponse"), None)
    with db.read() as tx:
        found = rules.configured(tx, settings, idp_id, protocol_id)
        pending = rules.opened(tx, relay_state if by_program else _cookie_of(request), found.place)
    sign_on = rules.of_kind(found, Saml2)
    # a page of somebody else's can make a browser send a form, but no XML
    if pending is None and not (sign_on.unsolicited and by_program):
        raise Unauthorized("This sign-on was not begun here, or too long ago: begin again.")
    answered = saml.verify(found, sign_on, response)
    if answered.in_response_to != (pending.request_id if pending else None):
        raise Unauthorized("The identity provider's answer belongs to another sign-on.")
    with db.write() as tx:
        if not store.use_assertion(tx, answered.id, answered.expires_at):
            raise Unauthorized("The identity provider's answer was used before.")
    return_to = pending.return_to if pending else found.place.auth
    return _back(db, settings, caller, found.place, answered.vouched, return_to)


def _back(db: Database, settings: Settings, caller: Caller, place: Place, vouched: Vouched, return_to: str) -> Response:
    text, _ = arrivals.arrive(db, settings, caller, place.provider_id, place.protocol, vouched)
    return Response(status=303, headers={"Location": return_to, "Set-Cookie": _cookie(place, text, 120)})


def _field(request: Request, name: str) -> str:
    """Of a form. Raises BadRequest."""
    try:
        found = parse_qs(request.raw.decode(), max_num_fields=100).get(name)
    except ValueError:
        found = None
    if not found:
        raise BadRequest(f"The form has no field '{name}'.")
    return found[0]


@api.get(f"{PROTOCOL}/metadata", public=True)
def show_metadata(db: Database, settings: Settings, idp_id: str, protocol_id: str) -> Response:
    """What a SAML identity provider must know of this cloud."""
    from pileus.services.identity.federation import saml

    with db.read() as tx:
        found = rules.configured(tx, settings, idp_id, protocol_id)
    return Response(saml.metadata(found, rules.of_kind(found, Saml2)), content_type="application/samlmetadata+xml")


# -- dashboards


def provider_websso(db: Database, settings: Settings, request: Request, idp_id: str, protocol_id: str) -> Response:
    """A page that brings a token to a dashboard, or the way to get one."""
    origin = rules.must_be_trusted(settings, _origin(request))
    with db.read() as tx:
        found = rules.configured(tx, settings, idp_id, protocol_id)
    arrived = _arrived(db, request)
    if arrived is None:
        return _ask_browser(db, found, found.place.websso(origin))
    return _page(
        f'<form method="post" action="{escape(origin)}"><input type="hidden" name="token" value="{escape(arrived[0])}">'
        "<noscript><button>Go on</button></noscript></form><script>document.forms[0].submit()</script>",
        {"Set-Cookie": _cookie(found.place, "", 0)},
    )


def websso(db: Database, settings: Settings, request: Request, protocol_id: str) -> Response:
    """The same where the dashboard does not say by whom: the one provider, or a choice among several."""
    origin = rules.must_be_trusted(settings, _origin(request))
    with db.read() as tx:
        base = rules.base(tx)
        names = [row.identity_provider_id for row in store.ready(tx, protocol_id)]
    if not names:
        raise Unauthorized(f"No identity provider has settings to sign on by protocol '{protocol_id[:64]}'.")
    addresses = [Place(base, name, protocol_id).websso(origin) for name in names]
    if len(addresses) == 1:
        return Response(status=302, headers={"Location": addresses[0]})
    links = [f'<li><a href="{escape(to)}">{escape(name)}</a>' for name, to in zip(names, addresses, strict=True)]
    return _page(f"<h1>Sign on by</h1><ul>{''.join(links)}</ul>", {})


for method in ("GET", "POST"):
    api.route(method, PROVIDER_WEBSSO, public=True)(provider_websso)
    api.route(method, WEBSSO, public=True)(websso)


def _origin(request: Request) -> str | None:
    return dict(request.query).get("origin")


def _page(body: str, headers: dict[str, str]) -> Response:
    safe = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}
    page = f"<!doctype html><meta charset=utf-8><title>Sign on</title>{body}"
    return Response(page.encode(), headers=headers | safe, content_type=HTML)
