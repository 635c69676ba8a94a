"""Asking for a token: who proves what, and for which scope.

Whoever fails to prove who they are learns nothing: the same answer, after the same work, for an unknown user, a wrong
password and a disabled user.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from pileus.core.db import Database, Tx
from pileus.core.errors import BadRequest, Forbidden, Unauthorized
from pileus.services.identity import passwords
from pileus.services.identity.rules import tokens, totp
from pileus.services.identity.rules.tokens import Session
from pileus.services.identity.store import credentials as credential_store
from pileus.services.identity.store import projects, rows, users
from pileus.services.identity.types.credentials import ApplicationCredentialRow, TrustRow
from pileus.services.identity.types.projects import DomainRow, ProjectRow
from pileus.services.identity.types.tokens import (
    Auth,
    Claims,
    DomainRef,
    Identity,
    ProjectRef,
    Scope,
    ScopeWish,
    TrustRef,
    UserRef,
)
from pileus.services.identity.types.users import UserRow

REFUSED = "The request you have made requires authentication: the user, the secret or the scope is not right."


class Proof(msgspec.Struct, kw_only=True):
    """What one method brought: for whom, and the secret that is still to be compared."""

    method: str
    user: UserRow | None
    secret: str | None = None
    known: str | None = None
    """The secret's hash."""
    session: Session | None = None
    application_credential: ApplicationCredentialRow | None = None


class Place(msgspec.Struct):
    """What a token is for."""

    scope: Scope = "unscoped"
    scope_id: str | None = None
    trust: TrustRow | None = None


def log_in(db: Database, auth: Auth, life: timedelta, with_catalog: bool) -> tuple[str, bytes]:
    """A token's text and its document. Raises Unauthorized, BadRequest, Forbidden."""
    with db.read() as tx:
        proofs = [_proof(tx, auth.identity, method) for method in dict.fromkeys(auth.identity.methods)]
    matched = [passwords.verify(proof.known, proof.secret) for proof in proofs if proof.secret is not None]
    users_named = {proof.user.id if proof.user else "" for proof in proofs}
    if not all(matched) or len(users_named) != 1 or "" in users_named:
        raise Unauthorized(REFUSED)
    with db.read() as tx:
        claims, trust = _claims(tx, auth, proofs, life)
        text, session = tokens.issue(tx, claims)
        document = tokens.document(tx, session, with_catalog)
    if trust is not None and trust.remaining_uses is not None:
        with db.write() as tx:
            if not credential_store.use_trust(tx, trust.id):
                raise Unauthorized(f"Trust {trust.id} has no uses left.")
    return text, document


# -- who


def _proof(tx: Tx, identity: Identity, method: str) -> Proof:
    if method not in ("password", "token", "totp", "application_credential"):
        raise Unauthorized(f"'{method[:64]}' is not an authentication method here.")
    if getattr(identity, method) is None:
        raise BadRequest(f"auth.identity.{method} is missing though the method is given.")
    if method == "password" and identity.password is not None:
        user = _user(tx, identity.password.user)
        return Proof(
            method=method, user=user, secret=identity.password.user.password, known=user.password_hash if user else None
        )
    if method == "totp" and identity.totp is not None:
        user = _user(tx, identity.totp.user)
        return Proof(
            method=method, user=user if user and totp.is_right(tx, user, identity.totp.user.passcode) else None
        )
    if method == "token" and identity.token is not None:
        session = tokens.session_of(tx, identity.token.id)
        return Proof(method=method, user=rows.find(tx, UserRow, session.claims.user_id), session=session)
    return _application_credential_proof(tx, identity)


def _application_credential_proof(tx: Tx, identity: Identity) -> Proof:
    given = identity.application_credential
    assert given is not None
    found: ApplicationCredentialRow | None = None
    if given.id is not None:
        found = rows.find(tx, ApplicationCredentialRow, given.id)
    elif given.name is not None and given.user is not None:
        user = _user(tx, given.user)
        found = credential_store.application_credential_by_name(tx, user.id, given.name) if user else None
    else:
        raise BadRequest("auth.identity.application_credential needs an id, or a name and a user.")
    if found is not None and found.expires_at is not None and found.expires_at <= tx.now:
        found = None
    return Proof(
        method="application_credential",
        user=rows.find(tx, UserRow, found.user_id) if found else None,
        secret=given.secret,
        known=found.secret_hash if found else None,
        application_credential=found,
    )


def _user(tx: Tx, wanted: UserRef) -> UserRow | None:
    if wanted.id is not None:
        return rows.find(tx, UserRow, wanted.id)
    if wanted.name is None or wanted.domain is None:
        raise BadRequest("A user is given by its id, or by its name and domain.")
    domain = _domain(tx, wanted.domain)
    return users.by_name(tx, domain.id, wanted.name) if domain else None


def _domain(tx: Tx, wanted: DomainRef) -> DomainRow | None:
    if wanted.id is not None:
        return projects.domain(tx, wanted.id)
    if wanted.name is None:
        raise BadRequest("A domain is given by its id or its name.")
    return projects.domain_by_name(tx, wanted.name)


def _project(tx: Tx, wanted: ProjectRef) -> ProjectRow | None:
    if wanted.id is not None:
        return rows.find(tx, ProjectRow, wanted.id)
    if wanted.name is None or wanted.domain is None:
        raise BadRequest("A project is given by its id, or by its name and domain.")
    domain = _domain(tx, wanted.domain)
    return projects.by_name(tx, domain.id, wanted.name) if domain else None


# -- for what


def _claims(tx: Tx, auth: Auth, proofs: Sequence[Proof], life: timedelta) -> tuple[Claims, TrustRow | None]:
    user = proofs[0].user
    assert user is not None
    domain = projects.domain(tx, user.domain_id)
    if not user.enabled or domain is None or not domain.enabled:
        raise Unauthorized(REFUSED)
    _password_still_good(tx, user, proofs)
    parent = next((proof.session for proof in proofs if proof.session), None)
    credential = next((proof.application_credential for proof in proofs if proof.application_credential), None)
    place = _place(tx, auth, user)
    if credential is not None:
        place = _place_of(credential, place)
    if parent is not None:
        _may_rescope(parent, place)
    issued_at = tokens.now_stamp()
    audit_id = tokens.new_audit_id()
    claims = Claims(
        user_id=place.trust.trustor_user_id if place.trust and place.trust.impersonation else user.id,
        methods=_methods(proofs, parent),
        scope=place.scope,
        scope_id=place.scope_id,
        issued_at=issued_at,
        expires_at=parent.claims.expires_at if parent else issued_at + life // timedelta(microseconds=1),
        audit_ids=(audit_id, parent.claims.audit_ids[-1]) if parent else (audit_id,),
        trust_id=place.trust.id if place.trust else None,
        application_credential_id=credential.id if credential else None,
    )
    return claims, place.trust


def _methods(proofs: Sequence[Proof], parent: Session | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys([proof.method for proof in proofs] + list(parent.claims.methods if parent else ())))


def _password_still_good(tx: Tx, user: UserRow, proofs: Sequence[Proof]) -> None:
    expired = user.password_expires_at is not None and user.password_expires_at <= tx.now
    if (
        expired
        and any(proof.method == "password" for proof in proofs)
        and not user.options.get("ignore_password_expiry")
    ):
        raise Unauthorized(
            f"The password of user {user.id} has expired: set a new one with POST /users/{user.id}/password."
        )


def _place_of(credential: ApplicationCredentialRow, asked: Place) -> Place:
    if asked.scope_id not in (None, credential.project_id) or asked.scope in ("domain", "system"):
        raise Unauthorized(f"Application credential {credential.id} is for project {credential.project_id} alone.")
    return Place("project", credential.project_id)


def _may_rescope(parent: Session, place: Place) -> None:
    """A token that somebody was lent, or that is less than its user, must not grow."""
    claims = parent.claims
    if claims.trust_id is None and claims.application_credential_id is None:
        return
    raise Forbidden("A token of a trust or an application credential can't be turned into another token.")


def _place(tx: Tx, auth: Auth, user: UserRow) -> Place:
    wish = auth.scope
    if wish is None:
        return _default_place(tx, user)
    if isinstance(wish, str):
        return Place()
    given = [name for name in wish.__struct_fields__ if getattr(wish, name) is not msgspec.UNSET]
    if len(given) != 1:
        raise BadRequest("auth.scope must be one of project, domain, system, OS-TRUST:trust, unscoped.")
    return _chosen_place(tx, wish, user)


def _chosen_place(tx: Tx, wish: ScopeWish, user: UserRow) -> Place:
    if isinstance(wish.project, ProjectRef):
        project = _project(tx, wish.project)
        return Place("project", _present(project, "project", wish.project.id or wish.project.name))
    if isinstance(wish.domain, DomainRef):
        domain = _domain(tx, wish.domain)
        return Place("domain", _present(domain, "domain", wish.domain.id or wish.domain.name))
    if wish.system is not msgspec.UNSET:
        return Place("system")
    if isinstance(wish.trust, TrustRef):
        return _trusted_place(tx, wish.trust.id, user)
    return Place()


def _present(row: ProjectRow | None, noun: str, wanted: str | None) -> str:
    if row is None:
        raise Unauthorized(f"You have no role on {noun} {wanted}, or it is not there, or it is disabled.")
    return row.id


def _trusted_place(tx: Tx, trust_id: str, user: UserRow) -> Place:
    trust = rows.find(tx, TrustRow, trust_id)
    if trust is None or trust.trustee_user_id != user.id:
        raise Unauthorized(f"Trust {trust_id[:64]} is not there or not yours.")
    return Place("project" if trust.project_id else "unscoped", trust.project_id, trust)


def _default_place(tx: Tx, user: UserRow) -> Place:
    """The user's default project, if it is one that the user can use."""
    if user.default_project_id and tokens.can_use_project(tx, user.id, user.default_project_id):
        return Place("project", user.default_project_id)
    return Place()
