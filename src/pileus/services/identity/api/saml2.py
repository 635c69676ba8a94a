"""This cloud as identity provider for another: assertions of who holds a token."""

from __future__ import annotations

from typing import Any

from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.core.http import Response
from pileus.services.identity.rules import assertions as rules
from pileus.services.identity.service import api
from pileus.services.identity.types.tokens import AssertionWish

XML = "text/xml"


@api.get("/OS-FEDERATION/saml2/metadata", public=True)
def show_saml_metadata(db: Database, settings: Settings) -> Response:
    from pileus.services.identity.federation import assertions

    base, key = rules.signer(db, settings)
    return Response(assertions.metadata(base, key), content_type=XML)


def _answer(db: Database, settings: Settings, body: AssertionWish) -> tuple[rules.Vouching, Any]:
    from pileus.services.identity.federation import assertions

    base, key = rules.signer(db, settings)
    with db.read() as tx:
        vouching = rules.vouching(tx, body)
    return vouching, assertions.response(base, key, vouching.to, vouching.session, vouching.groups)


@api.post("/auth/OS-FEDERATION/saml2", public=True)
def create_assertion(db: Database, settings: Settings, body: AssertionWish) -> Response:
    """A SAML response for a service provider."""
    from pileus.services.identity.federation import xml

    vouching, answer = _answer(db, settings, body)
    return Response(xml.text(answer), headers=_addresses(vouching), content_type=XML)


@api.post("/auth/OS-FEDERATION/saml2/ecp", public=True)
def create_ecp_assertion(db: Database, settings: Settings, body: AssertionWish) -> Response:
    """The same in the envelope in which a program brings it there."""
    from pileus.services.identity.federation import assertions

    vouching, answer = _answer(db, settings, body)
    return Response(assertions.ecp_envelope(vouching.to, answer), headers=_addresses(vouching), content_type=XML)


def _addresses(vouching: rules.Vouching) -> dict[str, str]:
    return {"X-sp-url": vouching.to.sp_url, "X-auth-url": vouching.to.auth_url}
