"""For whom this cloud vouches to another one, and what it says of them."""

from __future__ import annotations

import msgspec

from pileus.core.config import Settings
from pileus.core.db import Database, Tx
from pileus.core.errors import Forbidden
from pileus.services.identity.rules import resources, sign_on, tokens
from pileus.services.identity.rules.tokens import Session
from pileus.services.identity.store import rows, users
from pileus.services.identity.types.federation import ServiceProviderRow
from pileus.services.identity.types.projects import ProjectRow
from pileus.services.identity.types.sign_on import SigningKey
from pileus.services.identity.types.tokens import AssertionWish
from pileus.services.identity.types.users import GroupRow


class Vouching(msgspec.Struct):
    to: ServiceProviderRow
    session: Session
    groups: list[tuple[str, str]]
    """Names, with the names of their domains."""


def signer(db: Database, settings: Settings) -> tuple[str, SigningKey]:
    """What this cloud's API is called, and the key that it signs with, which is made when it is first needed."""
    with db.read() as tx:
        base, key = sign_on.base(tx), sign_on.signing_key(tx, settings)
    if key is None:
        with db.write() as tx:
            key = sign_on.make_signing_key(tx, settings)
    return base, key


def vouching(tx: Tx, body: AssertionWish) -> Vouching:
    """Raises Unauthorized for the token, Forbidden for one without a project or lent, NotFound for the provider."""
    session = tokens.session_of(tx, body.identity.token.id)
    to = resources.find(tx, ServiceProviderRow, body.scope.service_provider.id)
    if not to.enabled:
        raise Forbidden(f"Service provider {to.id} is disabled.")
    if session.project is None:
        raise Forbidden("An assertion tells of a project: take a token for one.")
    if session.caller.delegated or session.caller.certificate:
        raise Forbidden("A token that was delegated, or is bound to a certificate, can't be turned into an assertion.")
    groups = rows.where(tx, GroupRow, users.of_user(session.user.id, tx.now))
    return Vouching(to, session, [(group.name, _domain_name(tx, group)) for group in groups])


def _domain_name(tx: Tx, group: GroupRow) -> str:
    domain = rows.find(tx, ProjectRow, group.domain_id)
    return domain.name if domain else ""
