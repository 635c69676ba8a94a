"""How a machine becomes a host: a token lets it in once, its certificate ever after. Tokens are for one role each."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import timedelta

from pileus.core import authority, events, notes
from pileus.core.authority import Authority, Role
from pileus.core.config import Settings
from pileus.core.context import system_caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, Forbidden, NotFound
from pileus.node.desired import Certificate, JoinRequest, Membership
from pileus.services.compute.store import host_spec, hosts, join_tokens
from pileus.services.compute.store.host_spec import HostSpecRow
from pileus.services.compute.store.join_tokens import JoinTokenRow
from pileus.services.identity.rules import authorities

_SOUTHBOUND = "southbound"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def new_token(tx: Tx, role: Role, valid: timedelta, uses: int) -> str:
    """A token that lets so many machines in; only its hash is kept. Raises NotFound where the cloud has no authority.

    It begins with the fingerprint of the cloud's authority: who joins knows whom it talks to from the first byte.
    """
    secret = secrets.token_hex(24)
    join_tokens.insert(tx, JoinTokenRow(_hashed(secret, role), tx.now + valid, uses))
    return f"{authority.fingerprint(authority_certificate(tx))}.{secret}"


def authority_certificate(tx: Tx) -> str:
    """Of the cloud."""
    found = authorities.certificate(tx)
    if found is None:
        raise NotFound("This cloud serves its own machine alone: 'pileus up --host ADDRESS' lets other hosts in.")
    return found


def _signer(tx: Tx, settings: Settings) -> Authority:
    authority_certificate(tx)
    return authorities.ensure(tx, settings)


def note_southbound(tx: Tx, connection: str) -> None:
    """Where hosts that join find OVN's southbound database, whichever process they ask."""
    notes.write(tx, _SOUTHBOUND, connection)


def join(tx: Tx, settings: Settings, wish: JoinRequest) -> Membership:
    """Let a host in. The same host may ask again with the same key, as where the first answer was lost; and a machine
    whose first try failed, before it ever registered, with another.

    Raises Forbidden for a token that is not valid, Conflict for a name that another host has.
    """
    if not _NAME.fullmatch(wish.host):
        raise BadRequest(
            f"'{wish.host[:64]}' can't be a host's name: it has small letters, digits and '-' only, 63 at most."
        )
    secret = _valid(tx, wish.token, "host", "pileus host token")
    key_hash = _signable(wish.request)
    known = host_spec.host_spec_row(tx, wish.host)
    if known is None or known.key_hash != key_hash:
        if known is not None and (known.key_hash is None or hosts.host_of_name(tx, wish.host) is not None):
            raise Conflict(
                f"There is a host '{wish.host}' already. Give this machine another name, or remove that host first: "
                "openstack compute service delete."
            )
        _use(tx, secret, "pileus host token")
        host_spec.set_key(tx, wish.host, key_hash)
        events.record(tx, system_caller(), "compute", "join", "host", wish.host)
    return Membership(
        host=wish.host,
        certificate=_signer(tx, settings).sign(wish.request, "host", wish.host),
        southbound=notes.read(tx, _SOUTHBOUND) or "",
    )


def certify_own(tx: Tx, settings: Settings, host: str, request: str) -> str:
    """A certificate for a host that this Pileus starts itself."""
    host_spec.set_key(tx, host, _signable(request))
    return _signer(tx, settings).sign(request, "host", host)


def renew(tx: Tx, settings: Settings, known: HostSpecRow, request: str) -> Certificate:
    """A new certificate for the key that the host has. Raises Forbidden for another key."""
    if known.key_hash is None or _signable(request) != known.key_hash:
        raise Forbidden(f"The request is not for the key with which host '{known.host}' joined.")
    return Certificate(certificate=_signer(tx, settings).sign(request, "host", known.host))


def _signable(request: str) -> str:
    try:
        return authority.key_of_request(request)
    except authority.BadRequest as error:
        raise BadRequest(str(error)) from None


def spend(tx: Tx, token: str, role: Role, made_by: str) -> None:
    """Count one use of a token for that role. Raises Forbidden."""
    _use(tx, _valid(tx, token, role, made_by), made_by)


def _valid(tx: Tx, token: str, role: Role, made_by: str) -> str:
    """The hash of its secret."""
    secret = _hashed(token.rpartition(".")[2], role)
    if join_tokens.valid(tx, secret) is None:
        raise Forbidden(f"The token is not valid for a {role}, or has expired: '{made_by}' makes a new one.")
    return secret


def _use(tx: Tx, secret: str, made_by: str) -> None:
    if not join_tokens.use(tx, secret):
        raise Forbidden(f"The token has been used up: '{made_by}' makes a new one.")


def _hashed(secret: str, role: Role) -> str:
    """A token for one role is none for the other."""
    return hashlib.sha256(f"{role} {secret}".encode()).hexdigest()
