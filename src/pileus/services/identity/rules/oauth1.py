"""OAuth 1: a consumer asks to act in a project, a user agrees to some roles, the consumer gets an access token."""

from __future__ import annotations

import secrets
from datetime import timedelta

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database, Tx, new_hex_id
from pileus.core.errors import BadRequest, Forbidden, NotFound, Unauthorized
from pileus.core.http import Request
from pileus.services.identity.rules import assignments, resources, sealing, signed, tokens
from pileus.services.identity.store import assignments as assignment_store
from pileus.services.identity.store import oauth1 as store
from pileus.services.identity.store import projects, rows
from pileus.services.identity.types.credentials import RoleRef
from pileus.services.identity.types.oauth1 import (
    AccessTokenRow,
    Authorization,
    ConsumerCreate,
    ConsumerRow,
    ConsumerUpdate,
    RequestTokenRow,
)
from pileus.services.identity.types.projects import ProjectRow
from pileus.services.identity.types.roles import RoleRow

REQUEST_LIFE = timedelta(hours=8)
ACCESS_LIFE = timedelta(hours=24)


def create_consumer(tx: Tx, settings: Settings, caller: Caller, body: ConsumerCreate) -> tuple[ConsumerRow, str]:
    """The consumer and its secret, which is not shown again."""
    secret = secrets.token_urlsafe(32)
    row = ConsumerRow(new_hex_id(), body.description, sealing.seal(tx, settings, secret), body.extra)
    return resources.add(tx, caller, row), secret


def update_consumer(tx: Tx, caller: Caller, consumer: ConsumerRow, body: ConsumerUpdate) -> ConsumerRow:
    """Raises BadRequest for a change of its secret."""
    if "secret" in body.extra or "id" in body.extra:
        raise BadRequest("The id and the secret of a consumer can't be changed: make another consumer.")
    return resources.change(tx, caller, consumer, resources.wishes(body, consumer))


def create_request_token(
    tx: Tx, settings: Settings, caller: Caller, request: Request, project_id: str
) -> tuple[RequestTokenRow, str]:
    """For who signed the request. Raises Unauthorized, and NotFound for the project."""
    header = signed.read(request)
    consumer = signed.consumer_of(tx, settings, request, header)
    _must_be_new(tx, header)
    resources.find(tx, ProjectRow, project_id)
    secret = secrets.token_urlsafe(32)
    sealed = sealing.seal(tx, settings, secret)
    row = RequestTokenRow(
        new_hex_id(), consumer.id, project_id, sealed, tx.now + REQUEST_LIFE, None, verifier=None, role_ids=None
    )
    return resources.add(tx, caller, row), secret


def _must_be_new(tx: Tx, header: signed.Signed) -> None:
    if not store.use_nonce(tx, header.digest()):
        raise Unauthorized(signed.REFUSED)


def authorize(tx: Tx, caller: Caller, token_id: str, body: Authorization) -> str:
    """The verifier, for the consumer. Raises Forbidden for a token that was itself lent, Unauthorized for other's roles."""
    if caller.delegated:
        raise Forbidden("A token that was delegated can't authorize another.")
    token = resources.find(tx, RequestTokenRow, token_id)
    if token.expires_at <= tx.now:
        raise Unauthorized(f"Request token {token.id} has expired.")
    if token.authorizing_user_id not in (None, caller.user_id):
        raise Forbidden(f"Request token {token.id} has been authorized by another user.")
    held = {
        role.id: role
        for role in assignments.effective_on_project(tx, caller.user_id, projects.lineage(tx, token.project_id))
    }
    role_ids = [_held(ref, held) for ref in body.roles]
    verifier = secrets.token_hex(8)
    values = {"authorizing_user_id": caller.user_id, "verifier": verifier, "role_ids": list(dict.fromkeys(role_ids))}
    resources.change(tx, caller, token, values)
    return verifier


def _held(ref: RoleRef, held: dict[str, RoleRow]) -> str:
    for role in held.values():
        if role.id == ref.id or (ref.id is None and role.name == ref.name):
            return role.id
    raise Unauthorized(f"You do not have role {ref.id or ref.name} on the project, so you can't pass it on.")


def create_access_token(tx: Tx, settings: Settings, caller: Caller, request: Request) -> tuple[AccessTokenRow, str]:
    """In exchange for the request token that signed, once. Raises Unauthorized."""
    header = signed.read(request)
    token = rows.find(tx, RequestTokenRow, header.token)
    if token is None or token.expires_at <= tx.now:
        raise Unauthorized(signed.REFUSED)
    signed.consumer_of(tx, settings, request, header, token)
    if token.authorizing_user_id is None or token.verifier is None or token.role_ids is None:
        raise Unauthorized(f"Request token {token.id} has not been authorized by a user yet.")
    if not secrets.compare_digest(token.verifier.encode(), header.verifier.encode()):
        raise Unauthorized(signed.REFUSED)
    if not store.take_request_token(tx, token):
        raise Unauthorized(signed.REFUSED)
    secret = secrets.token_urlsafe(32)
    row = AccessTokenRow(
        new_hex_id(),
        token.consumer_id,
        token.project_id,
        sealing.seal(tx, settings, secret),
        tx.now + ACCESS_LIFE,
        token.authorizing_user_id,
        token.role_ids,
    )
    return resources.add(tx, caller, row), secret


def log_in(db: Database, settings: Settings, request: Request, with_catalog: bool) -> tuple[str, bytes]:
    """A token's text and its document, for the access token that signed the request. Raises Unauthorized."""
    header = signed.read(request)
    with db.read() as tx:
        access = rows.find(tx, AccessTokenRow, header.token)
        if access is None or access.expires_at <= tx.now:
            raise Unauthorized(signed.REFUSED)
        signed.consumer_of(tx, settings, request, header, access)
        life = min(timedelta(hours=settings.token_hours), access.expires_at - tx.now)
        claims = tokens.fresh(life, access.authorizing_user_id, "oauth1", access.project_id, access_token_id=access.id)
        text, session = tokens.issue(tx, claims)
        document = tokens.document(tx, session, with_catalog)
    with db.write() as tx:
        _must_be_new(tx, header)
    return text, document


def find_access_token(tx: Tx, user_id: str, token_id: str) -> AccessTokenRow:
    """Raises NotFound, also for one of another user, or that has expired."""
    found = rows.find(tx, AccessTokenRow, token_id)
    if found is None or found.authorizing_user_id != user_id or found.expires_at <= tx.now:
        raise NotFound(f"Could not find access token: {token_id[:64]}.")
    return found


def roles_of(tx: Tx, token: AccessTokenRow) -> list[RoleRow]:
    return assignment_store.roles_by_id(tx, token.role_ids)


def tidy(tx: Tx) -> None:
    store.forget(tx, 2 * signed.AGE)
