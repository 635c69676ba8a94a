"""Asking for a token: who proves what, and for which scope.

Whoever fails to prove who they are learns nothing: the same answer, after the same work, for an unknown user, a wrong
password, and a user who is disabled, locked out or was away for too long, with the right password too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

import msgspec

from pileus.core.config import Settings
from pileus.core.db import Database, Tx
from pileus.core.errors import BadRequest, Forbidden, Unauthorized
from pileus.services.identity import passwords
from pileus.services.identity.drivers import driver_for
from pileus.services.identity.rules import compliance, factors, tokens, totp
from pileus.services.identity.rules.domain_config import options_of
from pileus.services.identity.rules.factors import Receipt
from pileus.services.identity.rules.targets import DEFAULT_DOMAIN
from pileus.services.identity.rules.tokens import Session
from pileus.services.identity.store import compliance as compliance_store
from pileus.services.identity.store import credentials as credential_store
from pileus.services.identity.store import projects, rows, users
from pileus.services.identity.types.credentials import ApplicationCredentialRow, TrustRow
from pileus.services.identity.types.domain_config import driver_of
from pileus.services.identity.types.projects import DomainRow, ProjectRow
from pileus.services.identity.types.tokens import (
    Auth,
    Claims,
    DomainRef,
    Federation,
    Identity,
    PasswordUser,
    ProjectRef,
    Scope,
    ScopeWish,
    TokenMethod,
    TrustRef,
    UserRef,
)
from pileus.services.identity.types.users import UserRow

REFUSED = "The request you have made requires authentication: the user, the secret or the scope is not right."


class Proof(msgspec.Struct, kw_only=True):
    """What one method brought: for whom, and the secret that is still to be compared."""

    method: str
    user: UserRow | None
    wrong: bool = False
    """What was brought is known to be wrong without comparing anything."""
    secret: str | None = None
    known: str | None = None
    """The secret's hash."""
    elsewhere: Callable[[], UserRow | None] | None = None
    """Asks who knows the password, where that is not Pileus: the user if it is right."""
    code: totp.Code | None = None
    session: Session | None = None
    application_credential: ApplicationCredentialRow | None = None
    federation: Federation | None = None


GUESSABLE = ("password", "totp")
"""Methods whose failures count, and which those who are locked out can't use."""


class Attempt(msgspec.Struct, kw_only=True):
    """What somebody brought, and asks for."""

    auth: Auth
    proofs: Sequence[Proof]
    before: Receipt | None = None
    """For what was proved before."""
    with_catalog: bool = False
    mark: str | None = None
    """The identity revision at which the user was read, or one before."""


class Place(msgspec.Struct):
    """What a token is for."""

    scope: Scope = "unscoped"
    scope_id: str | None = None
    trust: TrustRow | None = None


def log_in(
    db: Database, settings: Settings, auth: Auth, with_catalog: bool, receipt: str | None = None
) -> tuple[str, bytes]:
    """A token's text and its document. `receipt`: what was proved before.

    Raises Unauthorized (its kind MoreProofNeeded where one proof is not enough for this user), BadRequest, Forbidden.
    """
    admission: Admission | None = None
    with db.read(consistent=False) as tx:
        mark = rows.mark(tx)
        before = factors.read(tx, receipt) if receipt else None
        proofs = [_proof(db, tx, settings, auth.identity, method) for method in dict.fromkeys(auth.identity.methods)]
        attempt = Attempt(auth=auth, proofs=proofs, before=before, with_catalog=with_catalog, mark=mark)
        barred = not _may_enter(tx, settings, proofs)
        if not barred and _is_one_user(proofs, before) and all(map(_is_right_already, proofs)):
            admission = _admission(tx, settings, attempt)
    if admission is not None:
        return _let_in(db, admission)
    if any(proof.elsewhere for proof in proofs):
        _ask_elsewhere(proofs)
        with db.read() as tx:
            barred = not _may_enter(tx, settings, proofs)
    matched = [passwords.verify(proof.known, proof.secret) for proof in proofs if proof.secret is not None]
    wrong = not all(matched) or any(proof.wrong for proof in proofs)
    if barred or wrong or not _is_one_user(proofs, before):
        if any(proof.method in GUESSABLE for proof in proofs):
            compliance.failed(db, settings, proofs[0].user)
        raise Unauthorized(REFUSED)
    return _admitted(db, settings, attempt)


def _is_one_user(proofs: Sequence[Proof], before: Receipt | None) -> bool:
    named = {proof.user.id if proof.user else "" for proof in proofs} | ({before.user_id} if before else set())
    return len(named) == 1 and "" not in named


def _is_right_already(proof: Proof) -> bool:
    """Whether nothing is left to compare that takes its time."""
    if proof.wrong or proof.elsewhere is not None:
        return False
    return proof.secret is None or passwords.is_random(proof.known, proof.secret)


def _ask_elsewhere(proofs: Sequence[Proof]) -> None:
    for proof in proofs:
        if proof.elsewhere is not None:
            found = proof.elsewhere()
            proof.user, proof.wrong = found or proof.user, found is None


def vouched_for(
    db: Database, settings: Settings, user: UserRow, method: str, federation: Federation | None
) -> tuple[str, bytes]:
    """An unscoped token for a user whom an identity provider has vouched for."""
    auth = Auth(Identity([method]), "unscoped")
    proof = Proof(method=method, user=user, federation=federation)
    return _admitted(db, settings, Attempt(auth=auth, proofs=[proof]))


def _admitted(db: Database, settings: Settings, attempt: Attempt) -> tuple[str, bytes]:
    """What somebody gets who has proved who they are."""
    with db.read(consistent=False) as tx:
        admission = _admission(tx, settings, attempt)
    return _let_in(db, admission)


class Admission(msgspec.Struct, kw_only=True):
    """What somebody gets who has proved who they are, or `more` that is asked of them; and what is written down first."""

    text: str = ""
    document: bytes = b""
    more: factors.MoreProofNeeded | None = None
    marks: list[Callable[[Tx], None]]


def _admission(tx: Tx, settings: Settings, attempt: Attempt) -> Admission:
    proofs, before = attempt.proofs, attempt.before
    if proofs[0].user is not None and rows.mark(tx) == attempt.mark:
        rows.know(tx, proofs[0].user)
    user, domain = _still_there(tx, settings, proofs, before)
    methods = _methods(proofs, before)
    if not factors.enough(user, methods):
        more = factors.more_needed(tx, user, domain, methods)
        return Admission(more=more, marks=_marks(tx, user, proofs, None, is_complete=False))
    claims, trust = _claims(tx, settings, attempt.auth, proofs, methods)
    text, session = tokens.issue(tx, claims)
    document = tokens.document(tx, session, attempt.with_catalog)
    return Admission(text=text, document=document, marks=_marks(tx, user, proofs, trust, is_complete=True))


def _let_in(db: Database, admission: Admission) -> tuple[str, bytes]:
    """Raises MoreProofNeeded; Unauthorized for what somebody else has used up meanwhile."""
    if admission.marks:
        with db.write() as tx:
            for mark in admission.marks:
                mark(tx)
    if admission.more is not None:
        raise admission.more
    return admission.text, admission.document


def _marks(
    tx: Tx, user: UserRow, proofs: Sequence[Proof], trust: TrustRow | None, is_complete: bool
) -> list[Callable[[Tx], None]]:
    """What a log-in leaves behind, where it leaves anything: most leave nothing, and wait for no disk.

    Failures are forgotten by a complete one alone: who has the password must not guess codes without end.
    """
    found: list[Callable[[Tx], None]] = []
    if trust is not None and trust.remaining_uses is not None:
        found.append(lambda tx: _use_trust(tx, trust))
    found += [partial(_use_code, code=proof.code) for proof in proofs if proof.code is not None]
    guessable = any(proof.method in GUESSABLE for proof in proofs)
    if is_complete and guessable and compliance_store.failures(tx, user.id):
        found.append(lambda tx: compliance_store.forget_failures(tx, user.id))
    is_ours = driver_of(options_of(tx, user.domain_id)) == "sql"
    if is_ours and (user.last_active_at is None or user.last_active_at < tx.now - compliance.DAY):
        found.append(lambda tx: compliance_store.note_activity(tx, user.id))
    return found


def _use_trust(tx: Tx, trust: TrustRow) -> None:
    if not credential_store.use_trust(tx, trust.id):
        raise Unauthorized(f"Trust {trust.id} has no uses left.")


def _use_code(tx: Tx, code: totp.Code) -> None:
    if not compliance_store.use_code(tx, code.credential_id, code.step):
        raise Unauthorized(REFUSED)


# -- who


def _proof(db: Database, tx: Tx, settings: Settings, identity: Identity, method: str) -> Proof:
    if method not in ("password", "totp", "application_credential", "token", *tokens.FEDERATED):
        raise Unauthorized(f"'{method[:64]}' is not an authentication method here.")
    given = getattr(identity, method)
    if given is None:
        raise BadRequest(f"auth.identity.{method} is missing though the method is given.")
    if method == "password" and identity.password is not None:
        return _password_proof(db, tx, settings, identity.password.user)
    if method == "totp" and identity.totp is not None:
        user = _user(tx, identity.totp.user)
        code = totp.matching(tx, settings, user, identity.totp.user.passcode)
        return Proof(method=method, user=user, wrong=code is None, code=code)
    if isinstance(given, TokenMethod):
        session = tokens.found(tx, given.id)
        if method in tokens.FEDERATED and session.claims.federation is None:
            raise Unauthorized(
                f"auth.identity.{method} takes the token of a user whom an identity provider vouched for."
            )
        return Proof(method=method, user=rows.find(tx, UserRow, session.claims.user_id), session=session)
    return _application_credential_proof(tx, identity)


def _password_proof(db: Database, tx: Tx, settings: Settings, given: PasswordUser) -> Proof:
    user = _user(tx, given)
    driver = driver_for(db, settings, tx, user.domain_id if user else _domain_id(tx, given))
    if driver.keeps_passwords:
        by_id = given.id is not None
        ask = partial(driver.sign_on, user if by_id else None, None if by_id else given.name, given.password)
        return Proof(method="password", user=user, elsewhere=ask)
    return Proof(method="password", user=user, secret=given.password, known=user.password_hash if user else None)


def _domain_id(tx: Tx, given: UserRef) -> str:
    """Of a user who is named with a domain; "" for none."""
    domain = _domain(tx, given.domain) if given.domain is not None and given.id is None else None
    return domain.id if domain else ""


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
    return users.by_name(tx, domain.id if domain else "", wanted.name)


def _may_enter(tx: Tx, settings: Settings, proofs: Sequence[Proof]) -> bool:
    """Whether the user may log in, if the proofs are right. Asks the database the same for a user that is not there."""
    user = proofs[0].user
    domain = projects.domain(tx, user.domain_id if user else DEFAULT_DOMAIN)
    locked = compliance.is_locked(tx, settings, user) and any(proof.method in GUESSABLE for proof in proofs)
    if user is None or domain is None or locked:
        return False
    return user.enabled and domain.enabled and not compliance.is_idle(tx, settings, user)


def _still_there(
    tx: Tx, settings: Settings, proofs: Sequence[Proof], before: Receipt | None
) -> tuple[UserRow, DomainRow]:
    """The user as now: much can happen while hashes are compared, such as the last of many guesses that locks out."""
    assert proofs[0].user is not None
    user = rows.find(tx, UserRow, proofs[0].user.id)
    domain = projects.domain(tx, user.domain_id) if user else None
    if user is None or domain is None or user.password_hash != proofs[0].user.password_hash:
        raise Unauthorized(REFUSED)
    if not _may_enter(tx, settings, proofs) or (before is not None and factors.is_outdated(before, user)):
        raise Unauthorized(REFUSED)
    if any(proof.method == "password" for proof in proofs) and compliance.is_expired(tx, user):
        # dashboards know it by these words, and offer to change the password
        raise Unauthorized(
            f"The password is expired and needs to be changed for user: {user.id}. "
            f"Set a new one with POST /users/{user.id}/password."
        )
    return user, domain


def _domain(tx: Tx, wanted: DomainRef) -> DomainRow | None:
    if wanted.id is not None:
        return projects.domain(tx, wanted.id)
    if wanted.name is None:
        raise BadRequest("A domain is given by its id or its name.")
    return projects.domain_by_name(tx, wanted.name)


def _project(tx: Tx, wanted: ProjectRef) -> ProjectRow | None:
    if wanted.id is not None:
        return projects.project(tx, wanted.id)
    if wanted.name is None or wanted.domain is None:
        raise BadRequest("A project is given by its id, or by its name and domain.")
    domain = _domain(tx, wanted.domain)
    return projects.by_name(tx, domain.id, wanted.name) if domain else None


# -- for what


def _claims(
    tx: Tx, settings: Settings, auth: Auth, proofs: Sequence[Proof], methods: tuple[str, ...]
) -> tuple[Claims, TrustRow | None]:
    user = proofs[0].user
    assert user is not None
    parent = next((proof.session for proof in proofs if proof.session), None)
    credential = next((proof.application_credential for proof in proofs if proof.application_credential), None)
    place = _place(tx, auth, user)
    if credential is not None:
        place = _place_of(credential, place)
    if parent is not None:
        _may_rescope(parent, place)
    issued_at = tokens.now_stamp()
    life = timedelta(hours=settings.token_hours)
    audit_id = tokens.new_audit_id()
    claims = Claims(
        user_id=place.trust.trustor_user_id if place.trust and place.trust.impersonation else user.id,
        methods=methods,
        scope=place.scope,
        scope_id=place.scope_id,
        issued_at=issued_at,
        expires_at=parent.claims.expires_at if parent else issued_at + life // timedelta(microseconds=1),
        audit_ids=(audit_id, parent.claims.audit_ids[-1]) if parent else (audit_id,),
        trust_id=place.trust.id if place.trust else None,
        application_credential_id=credential.id if credential else None,
        federation=None if place.trust else next((found for found in map(_federation, proofs) if found), None),
    )
    return claims, place.trust


def _federation(proof: Proof) -> Federation | None:
    return proof.session.claims.federation if proof.session else proof.federation


def _methods(proofs: Sequence[Proof], before: Receipt | None) -> tuple[str, ...]:
    """All by which the user was known: now, by the receipt, and for the token that was brought."""
    earlier = [method for proof in proofs if proof.session for method in proof.session.claims.methods]
    return tuple(dict.fromkeys([*(proof.method for proof in proofs), *(before.methods if before else ()), *earlier]))


def _place_of(credential: ApplicationCredentialRow, asked: Place) -> Place:
    if asked.scope_id not in (None, credential.project_id) or asked.scope in ("domain", "system"):
        raise Unauthorized(f"Application credential {credential.id} is for project {credential.project_id} alone.")
    return Place("project", credential.project_id)


def _may_rescope(parent: Session, place: Place) -> None:
    """A token that somebody was lent, or that is less than its user, must not grow."""
    if parent.caller.delegated or parent.caller.certificate:
        raise Forbidden("A token that was delegated, or is bound to a certificate, can't be turned into another token.")


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
