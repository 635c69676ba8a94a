"""Tokens: get, look at and revoke one; where else a token could lead."""

from typing import Any

from pileus.core.body import UNSET, micros, parse_time
from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database, Tx
from pileus.core.errors import BadRequest, NotFound
from pileus.core.http import Request, Response
from pileus.services.identity.rules import assignments, factors, login, oauth1, tokens
from pileus.services.identity.rules.catalog import catalog
from pileus.services.identity.rules.tokens import Session
from pileus.services.identity.service import api
from pileus.services.identity.store import tokens as store
from pileus.services.identity.types.base import listed, shown
from pileus.services.identity.types.tokens import Auth, TokenQuery


def subject(tx: Tx, request: Request) -> Session:
    """The token that X-Subject-Token holds. Raises NotFound."""
    text = request.headers.get("x-subject-token")
    if not text:
        raise BadRequest("Give the token to look at in X-Subject-Token.")
    return tokens.found(tx, text, allow_expired=_is_set(request, "allow_expired"))


def _is_set(request: Request, name: str) -> bool:
    value = dict(request.query).get(name)
    return value is not None and value.lower() not in ("0", "false")


def target_token(token: Session) -> dict[str, Any]:
    return {"target.token.user_id": token.claims.user_id}


@api.post("/auth/tokens", public=True, success=201)
def create_token(db: Database, settings: Settings, request: Request, query: TokenQuery, body: Auth) -> Response:
    with_catalog = query.nocatalog is UNSET
    if body.identity.methods == ["oauth1"]:
        text, document = oauth1.log_in(db, settings, request, with_catalog)
        return Response(document, headers={"X-Subject-Token": text})
    receipt = request.headers.get("openstack-auth-receipt")
    try:
        text, document = login.log_in(db, settings, body, with_catalog, receipt)
    except factors.MoreProofNeeded as need:
        return Response(need.answer, status=401, headers={"Openstack-Auth-Receipt": need.receipt})
    return Response(document, headers={"X-Subject-Token": text})


@api.get("/auth/tokens", policy="identity:validate_token", load=subject, openly_missing=True, target=target_token)
def show_token(tx: Tx, request: Request, query: TokenQuery, token: Session) -> Response:
    document = tokens.document(tx, token, with_catalog=query.nocatalog is UNSET)
    return Response(document, headers={"X-Subject-Token": request.headers["x-subject-token"]})


@api.route(
    "HEAD", "/auth/tokens", policy="identity:check_token", load=subject, openly_missing=True, target=target_token
)
def check_token(token: Session, tx: Tx) -> None:
    return None


@api.delete("/auth/tokens", policy="identity:revoke_token", load=subject, openly_missing=True, target=target_token)
def revoke_token(tx: Tx, token: Session) -> None:
    store.revoke(tx, token.claims.audit_ids[0], tokens.time_of(token.claims.expires_at))


@api.get("/auth/catalog", policy="identity:get_auth_catalog")
def show_catalog(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    if caller.scope == "unscoped":
        raise NotFound("An unscoped token has no catalog: take one for a project, a domain or the system.")
    return listed(request, "catalog", catalog(tx, caller.user_id, caller.project_id))


@api.get("/OS-FEDERATION/projects", policy="identity:get_auth_projects")
@api.get("/auth/projects", policy="identity:get_auth_projects")
def list_auth_projects(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    rows = [row for row in assignments.projects_of(tx, caller.user_id, caller.group_ids) if row.enabled]
    return listed(request, "projects", [shown(request, row) for row in rows])


@api.get("/OS-FEDERATION/domains", policy="identity:get_auth_domains")
@api.get("/auth/domains", policy="identity:get_auth_domains")
def list_auth_domains(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    rows = [row for row in assignments.domains_of(tx, caller.user_id, caller.group_ids) if row.enabled]
    return listed(request, "domains", [shown(request, row) for row in rows])


@api.get("/auth/system", policy="identity:get_auth_system")
def list_auth_system(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    system = [{"all": True}] if assignments.effective_on_system(tx, caller.user_id, caller.group_ids) else []
    return listed(request, "system", system)


@api.get("/OS-REVOKE/events", policy="identity:list_revoke_events")
def list_revocations(tx: Tx, request: Request) -> dict[str, Any]:
    text = dict(request.query).get("since")
    try:
        since = parse_time(text) if text else None
    except ValueError:
        raise BadRequest(f"since must be a time of ISO 8601, got '{str(text)[:64]}'.") from None
    events = [
        {"audit_id": found.audit_id, "issued_before": micros(found.revoked_at), "revoked_at": micros(found.revoked_at)}
        for found in store.revocations(tx, since)
    ]
    return listed(request, "events", events)
