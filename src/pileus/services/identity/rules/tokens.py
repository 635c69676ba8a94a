"""Tokens: what is in one, whether it is still good, and whom it speaks for.

A token is Fernet text around its claims; nothing of it is stored. What it means is computed from the rows and kept, in this
process, for as long as the identity revision stays what it was: any change of identity is seen at once, by every process.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from pileus.core.body import micros
from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import NotFound, Unauthorized
from pileus.services.identity.rules import assignments
from pileus.services.identity.rules.access_rules import permission
from pileus.services.identity.rules.catalog import catalog
from pileus.services.identity.rules.packing import packed, unpacked
from pileus.services.identity.store import credentials as credential_store
from pileus.services.identity.store import federation as federation_store
from pileus.services.identity.store import projects as project_store
from pileus.services.identity.store import rows
from pileus.services.identity.store import tokens as store
from pileus.services.identity.store.kept import kept, kept_for
from pileus.services.identity.types.credentials import AccessRuleRow, ApplicationCredentialRow, TrustRow
from pileus.services.identity.types.federation import IdentityProviderRow
from pileus.services.identity.types.oauth1 import AccessTokenRow
from pileus.services.identity.types.projects import DomainRow, ProjectRow
from pileus.services.identity.types.roles import RoleRow
from pileus.services.identity.types.tokens import Claims
from pileus.services.identity.types.users import UserRow

FEDERATED = ("mapped", "saml2", "openid")
"""Methods in which an identity provider vouches for the user."""
GRACE = timedelta(days=2)
"""For how long a service may go on with a user's token that has ended while it worked."""
KEY_LIFE = timedelta(days=7)
_KEPT = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_NOT_VALID = "The token is not valid."


class Session(msgspec.Struct, kw_only=True):
    """A token and all that it means at one identity revision."""

    mark: str
    claims: Claims
    user: UserRow
    user_domain: DomainRow
    project: ProjectRow | None = None
    domain: ProjectRow | None = None
    """The scope, or the domain of the project that is the scope."""
    roles: Sequence[RoleRow] = ()
    trust: TrustRow | None = None
    application_credential: ApplicationCredentialRow | None = None
    access_token: AccessTokenRow | None = None
    access_rules: Sequence[AccessRuleRow] | None = None
    """None: not limited to any."""
    caller: Caller
    until: datetime | None = None
    """When something that it was computed with ends: a group membership, or what it was lent by."""
    documents: dict[bool, bytes] = {}
    """GET /auth/tokens, ready to send, without and with the catalog."""


_sessions: dict[str, Session] = {}


def time_of(stamp: int) -> datetime:
    return _EPOCH + timedelta(microseconds=stamp)


def stamp_of(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def new_audit_id() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")


# -- keys


def box(tx: Tx) -> MultiFernet:
    """What seals tokens: the newest key makes, any of them opens."""
    return kept(tx, "box", lambda tx: MultiFernet([Fernet(key.key) for key in store.keys(tx)]))


def rotate_keys(tx: Tx, settings: Settings) -> None:
    """A new key for new tokens; those that no token can need any more, not even within its grace, are dropped."""
    keys = store.keys(tx)
    needed = max(KEY_LIFE, timedelta(hours=settings.token_hours) + GRACE)
    for newer, older in pairwise(keys):
        if newer.created_at < tx.now - needed:
            store.drop_keys_before(tx, older.id + 1)
            break
    store.add_key(tx, keys[0].id + 1 if keys else 1, Fernet.generate_key().decode())


def end_all(tx: Tx) -> None:
    """All keys but the newest go, and with them every token made before it."""
    store.drop_keys_before(tx, store.keys(tx)[0].id)


def tidy(tx: Tx, settings: Settings) -> None:
    """A new key where the newest is old; revocations of tokens that have ended are forgotten."""
    keys = store.keys(tx)
    if not keys or keys[0].created_at < tx.now - KEY_LIFE:
        rotate_keys(tx, settings)
    store.forget_revocations(tx, GRACE)


def fresh(
    life: timedelta,
    user_id: str,
    method: str,
    project_id: str,
    *,
    trust_id: str | None = None,
    application_credential_id: str | None = None,
    access_token_id: str | None = None,
    certificate: str | None = None,
) -> Claims:
    """Of a token for a project that one proof gives."""
    issued_at = now_stamp()
    return Claims(
        user_id=user_id,
        methods=(method,),
        scope="project",
        scope_id=project_id,
        issued_at=issued_at,
        expires_at=issued_at + life // timedelta(microseconds=1),
        audit_ids=(new_audit_id(),),
        trust_id=trust_id,
        application_credential_id=application_credential_id,
        access_token_id=access_token_id,
        certificate=certificate,
    )


# -- what a token means


def issue(tx: Tx, claims: Claims) -> tuple[str, Session]:
    """The token's text, and what it means. Raises Unauthorized where it would mean nothing."""
    mark = rows.mark(tx)
    session = _session(tx, claims, mark, claims.audit_ids[1:])
    text = box(tx).encrypt(packed(claims)).decode().rstrip("=")
    _keep(tx, text, session)
    return text, session


def found(tx: Tx, text: str, allow_expired: bool = False) -> Session:
    """As the subject of a request. Raises NotFound for a token that is not, or no longer, valid."""
    try:
        return session_of(tx, text, allow_expired)
    except Unauthorized as problem:
        raise NotFound(f"Could not find token: {problem.message}") from None


def session_of(tx: Tx, text: str, allow_expired: bool = False) -> Session:
    """Raises Unauthorized for a token that is not, or no longer, valid."""
    mark = rows.mark(tx)
    session = _sessions.get(text)
    if session is None or session.mark != mark or (session.until is not None and session.until <= tx.now):
        claims = _read(tx, text)
        session = _session(tx, claims, mark, claims.audit_ids)
        _keep(tx, text, session)
    end = time_of(session.claims.expires_at) + (GRACE if allow_expired else timedelta())
    if end <= tx.now:
        raise Unauthorized(_NOT_VALID)
    return session


def _keep(tx: Tx, text: str, session: Session) -> None:
    if rows.is_touched(tx):
        return
    while len(_sessions) >= _KEPT:
        _sessions.pop(next(iter(_sessions)), None)
    _sessions[text] = session


def _read(tx: Tx, text: str) -> Claims:
    try:
        return unpacked(box(tx).decrypt(text + "=" * (-len(text) % 4)))
    except (InvalidToken, ValueError, IndexError, msgspec.MsgspecError):
        raise Unauthorized(_NOT_VALID) from None


def _session(tx: Tx, claims: Claims, mark: str, revocable: Sequence[str]) -> Session:
    """`revocable` are those of its audit ids that others can know already."""
    user, user_domain = _user(tx, claims)
    if store.is_any_revoked(tx, revocable):
        raise Unauthorized(_NOT_VALID)
    trust = _trust(tx, claims)
    subject_id = trust.trustor_user_id if trust else claims.user_id
    group_ids = _vouched_groups(tx, claims)
    until = federation_store.next_end(tx, subject_id)
    standing = _standing(tx, claims, subject_id, group_ids, until)
    project, domain, roles = standing.project, standing.domain, standing.roles
    credential = _application_credential(tx, claims)
    access_token = _access_token(tx, claims)
    lenders = [lender for lender in (trust, credential, access_token) if lender is not None]
    for lender in lenders:
        roles = _lent(tx, roles, lender.role_ids)
    rule_ids = credential.access_rule_ids if credential else None
    access_rules = None if rule_ids is None else credential_store.access_rules_by_id(tx, rule_ids)
    caller = Caller(
        user_id=user.id,
        user_name=user.name,
        user_domain_id=user.domain_id,
        project_id=project.id if project else None,
        project_name=project.name if project else None,
        project_domain_id=project.domain_id if project else None,
        domain_id=domain.id if domain and not project else None,
        domain_name=domain.name if domain and not project else None,
        system=claims.scope == "system",
        roles=frozenset(role.name for role in roles),
        role_ids=tuple(role.id for role in roles),
        methods=claims.methods,
        audit_ids=claims.audit_ids,
        group_ids=group_ids,
        issued_at=time_of(claims.issued_at),
        expires_at=time_of(claims.expires_at),
        trust_id=claims.trust_id,
        trustor_id=trust.trustor_user_id if trust else None,
        trustee_id=trust.trustee_user_id if trust else None,
        application_credential_id=claims.application_credential_id,
        access_token_id=claims.access_token_id,
        certificate=claims.certificate,
        permits=None if access_rules is None else permission(access_rules),
        unrestricted=credential.unrestricted if credential else trust is None and access_token is None,
    )
    return Session(
        mark=mark,
        claims=claims,
        user=user,
        user_domain=user_domain,
        project=project,
        domain=domain,
        roles=roles,
        trust=trust,
        application_credential=credential,
        access_token=access_token,
        access_rules=access_rules,
        caller=caller,
        until=_earliest(until, *(lender.expires_at for lender in lenders)),
        documents={},
    )


def _earliest(*times: datetime | None) -> datetime | None:
    return min((at for at in times if at is not None), default=None)


def _user(tx: Tx, claims: Claims) -> tuple[UserRow, DomainRow]:
    user = rows.find(tx, UserRow, claims.user_id)
    domain = project_store.domain(tx, user.domain_id) if user else None
    if user is None or domain is None or not user.enabled or not domain.enabled:
        raise Unauthorized(_NOT_VALID)
    if user.tokens_valid_after is not None and time_of(claims.issued_at) < user.tokens_valid_after:
        raise Unauthorized(_NOT_VALID)
    return user, domain


def _vouched_groups(tx: Tx, claims: Claims) -> tuple[str, ...]:
    """Raises Unauthorized where who vouched for the user is not, or no longer, believed."""
    if claims.federation is None:
        return ()
    provider = rows.find(tx, IdentityProviderRow, claims.federation.provider_id)
    if provider is None or not provider.enabled:
        raise Unauthorized(_NOT_VALID)
    return claims.federation.group_ids


class Standing(msgspec.Struct):
    """Where a token is for, and the roles there."""

    project: ProjectRow | None = None
    domain: ProjectRow | None = None
    roles: Sequence[RoleRow] = ()


def _standing(tx: Tx, claims: Claims, user_id: str, group_ids: Sequence[str], until: datetime | None) -> Standing:
    """`until`: when the user leaves a group. Raises Unauthorized for a scope that is gone, disabled or without roles."""

    def ask() -> Standing:
        return _asked_standing(tx, claims, user_id, group_ids)

    if until is not None or group_ids:
        return ask()
    return kept_for(tx, "standings", (user_id, claims.scope, claims.scope_id), ask)


def _asked_standing(tx: Tx, claims: Claims, user_id: str, group_ids: Sequence[str]) -> Standing:
    found = Standing()
    if claims.scope == "unscoped":
        return found
    if claims.scope == "system":
        found.roles = assignments.effective_on_system(tx, user_id, group_ids)
    elif claims.scope == "domain":
        found.domain = project_store.domain(tx, claims.scope_id or "")
        if found.domain:
            found.roles = assignments.effective_on_domain(tx, user_id, found.domain.id, group_ids)
    else:
        lineage = project_store.lineage(tx, claims.scope_id or "")
        if lineage:
            found.project, found.domain = lineage[0], lineage[-1]
            found.roles = assignments.effective_on_project(tx, user_id, lineage, group_ids)
    if not found.roles or not all(place.enabled for place in (found.project, found.domain) if place):
        raise Unauthorized(_no_scope(claims))
    return found


def _trust(tx: Tx, claims: Claims) -> TrustRow | None:
    """Raises Unauthorized for a trust that ended, or whose other side is disabled."""
    if claims.trust_id is None:
        return None
    found = rows.find(tx, TrustRow, claims.trust_id)
    if found is None or (found.expires_at is not None and found.expires_at <= tx.now):
        raise Unauthorized(f"Trust {claims.trust_id} has ended.")
    speaks_for = found.trustor_user_id if found.impersonation else found.trustee_user_id
    if (speaks_for, found.project_id) != (claims.user_id, claims.scope_id):
        raise Unauthorized(_NOT_VALID)
    for user_id in (found.trustor_user_id, found.trustee_user_id):
        user = rows.find(tx, UserRow, user_id)
        if user is None or not user.enabled:
            raise Unauthorized(f"User {user_id} of trust {found.id} is disabled.")
    return found


def _application_credential(tx: Tx, claims: Claims) -> ApplicationCredentialRow | None:
    if claims.application_credential_id is None:
        return None
    found = rows.find(tx, ApplicationCredentialRow, claims.application_credential_id)
    if found is None or (found.expires_at is not None and found.expires_at <= tx.now):
        raise Unauthorized(_NOT_VALID)
    if (found.user_id, found.project_id) != (claims.user_id, claims.scope_id):
        raise Unauthorized(_NOT_VALID)
    return found


def _access_token(tx: Tx, claims: Claims) -> AccessTokenRow | None:
    if claims.access_token_id is None:
        return None
    found = rows.find(tx, AccessTokenRow, claims.access_token_id)
    if found is None or found.expires_at <= tx.now:
        raise Unauthorized(_NOT_VALID)
    if (found.authorizing_user_id, found.project_id) != (claims.user_id, claims.scope_id):
        raise Unauthorized(_NOT_VALID)
    return found


def _lent(tx: Tx, held: Sequence[RoleRow], role_ids: Sequence[str]) -> Sequence[RoleRow]:
    """The roles that were lent, and what they imply. Raises Unauthorized where the lender has lost one of them."""
    held_ids = {role.id for role in held}
    if not set(role_ids) <= held_ids:
        raise Unauthorized("A role that this token was given is no longer held by the one who gave it.")
    lent = assignments.with_implied(tx, role_ids)
    return [role for role in held if role.id in lent]


def can_use_project(tx: Tx, user_id: str, project_id: str) -> bool:
    lineage = project_store.lineage(tx, project_id)
    enabled = bool(lineage) and lineage[0].enabled and lineage[-1].enabled
    return enabled and bool(assignments.effective_on_project(tx, user_id, lineage))


def _no_scope(claims: Claims) -> str:
    where = "the system" if claims.scope == "system" else f"{claims.scope} {claims.scope_id}"
    return f"You have no role on {where}, or it is not there, or it is disabled."


# -- a token as its API shows it


def document(tx: Tx, session: Session, with_catalog: bool) -> bytes:
    """The JSON of GET and POST /auth/tokens."""
    found = session.documents.get(with_catalog)
    if found is None:
        found = msgspec.json.encode({"token": _described(tx, session, with_catalog)})
        session.documents[with_catalog] = found
    return found


def _described(tx: Tx, session: Session, with_catalog: bool) -> dict[str, Any]:
    claims, user = session.claims, session.user
    shown: dict[str, Any] = {
        "methods": claims.methods,
        "user": {
            "id": user.id,
            "name": user.name,
            "domain": _named(session.user_domain),
            "password_expires_at": micros(user.password_expires_at),
        },
        "audit_ids": claims.audit_ids,
        "issued_at": micros(time_of(claims.issued_at)),
        "expires_at": micros(time_of(claims.expires_at)),
    }
    if claims.federation:
        shown["user"]["OS-FEDERATION"] = {
            "identity_provider": {"id": claims.federation.provider_id},
            "protocol": {"id": claims.federation.protocol},
            "groups": [{"id": group_id} for group_id in claims.federation.group_ids],
        }
    if session.project and session.domain:
        shown["project"] = {**_named(session.project), "domain": _named(session.domain)}
        shown["is_domain"] = session.project.is_domain
    elif session.domain:
        shown["domain"] = _named(session.domain)
    elif claims.scope == "system":
        shown["system"] = {"all": True}
    if claims.scope != "unscoped":
        shown["roles"] = [_named(role) for role in session.roles]
        if with_catalog:
            shown["catalog"] = catalog(tx, user.id, session.project.id if session.project else None)
    sisters = federation_store.enabled_service_providers(tx)
    if sisters:
        shown["service_providers"] = [{"id": one.id, "auth_url": one.auth_url, "sp_url": one.sp_url} for one in sisters]
    if session.trust:
        shown["OS-TRUST:trust"] = {
            "id": session.trust.id,
            "impersonation": session.trust.impersonation,
            "trustor_user": {"id": session.trust.trustor_user_id},
            "trustee_user": {"id": session.trust.trustee_user_id},
        }
    if session.access_token:
        shown["OS-OAUTH1"] = {
            "access_token_id": session.access_token.id,
            "consumer_id": session.access_token.consumer_id,
        }
    if claims.certificate:
        shown["oauth2_credential"] = {"x5t#S256": claims.certificate}
    if session.application_credential:
        credential = session.application_credential
        restricted: dict[str, Any] = {
            "id": credential.id,
            "name": credential.name,
            "restricted": not credential.unrestricted,
        }
        if session.access_rules is not None:
            restricted["access_rules"] = [
                {"id": rule.id, "service": rule.service, "path": rule.path, "method": rule.method}
                for rule in session.access_rules
            ]
        shown["application_credential"] = restricted
    return shown


def _named(row: ProjectRow | RoleRow) -> dict[str, str]:
    return {"id": row.id, "name": row.name}


# -- for dispatch


def authenticate(tx: Tx, token: str, service_token: str | None) -> Caller:
    """Whom a token speaks for. With a service's token beside it, also one that ended a short while ago.

    Raises Unauthorized.
    """
    of_service = service_token is not None and "service" in session_of(tx, service_token).caller.roles
    return session_of(tx, token, allow_expired=of_service).caller


def now_stamp() -> int:
    return stamp_of(datetime.now(UTC).replace(tzinfo=None))
