"""Credentials that are kept for a user: EC2 keys, one-time passwords, anything else. What is in them is kept sealed.

What a delegated token makes stays as narrow as the token: an EC2 credential says what it was made with, and a delegated
token reaches no credential of another project, nor one of no project.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from typing import Any

import msgspec
from msgspec import UNSET

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Tx, new_hex_id
from pileus.core.errors import BadRequest, Forbidden, NotFound
from pileus.services.identity.rules import resources, sealing
from pileus.services.identity.store import rows
from pileus.services.identity.types.credentials import (
    CredentialCreate,
    CredentialRow,
    CredentialUpdate,
    Ec2Blob,
    Ec2Create,
)
from pileus.services.identity.types.projects import ProjectRow
from pileus.services.identity.types.users import UserRow

EC2 = "ec2"
TOTP = "totp"
_LENT = ("trust_id", "app_cred_id", "access_token_id")
"""Fields of an EC2 blob that say what the credential was made with."""
_TAKEN = "There is a credential with this access key already."


def access_hash(access: str) -> str:
    """By which an EC2 credential is found; also its id, so that no two are made with one access key."""
    return hashlib.sha256(access.encode()).hexdigest()


def blob_of(tx: Tx, settings: Settings, credential: CredentialRow) -> str:
    return sealing.unseal(tx, settings, credential.blob)


def ec2_blob(tx: Tx, settings: Settings, credential: CredentialRow) -> Ec2Blob:
    return msgspec.json.decode(blob_of(tx, settings, credential), type=Ec2Blob)


def create(tx: Tx, settings: Settings, caller: Caller, body: CredentialCreate) -> CredentialRow:
    """Raises BadRequest for a blob that is not of its type, NotFound for the user, Conflict for EC2 keys, Forbidden."""
    user = resources.find(tx, UserRow, body.user_id or caller.user_id)
    must_be_within(caller, body.project_id)
    blob, row_id, hashed = body.blob, new_hex_id(), None
    if body.type == EC2:
        _may_make_ec2(caller)
        blob, access = _new_ec2(caller, body)
        row_id = hashed = access_hash(access)
    elif body.type == TOTP:
        _must_be_base32(blob)
    sealed = sealing.seal(tx, settings, blob)
    row = CredentialRow(row_id, user.id, body.project_id, body.type, sealed, body.extra, hashed)
    return resources.add(tx, caller, row, _TAKEN)


def must_be_within(caller: Caller, project_id: str | None) -> None:
    """Raises Forbidden where a delegated token reaches for a credential that is not of its project."""
    if not is_within(caller, project_id):
        raise Forbidden("A token that was delegated reaches the credentials of its own project alone.")


def is_within(caller: Caller, project_id: str | None) -> bool:
    return not caller.delegated or (project_id is not None and project_id == caller.project_id)


def _may_make_ec2(caller: Caller) -> None:
    if caller.application_credential_id is not None and not caller.unrestricted:
        raise Forbidden("A restricted application credential can't make EC2 credentials.")


def _lent_by(caller: Caller) -> dict[str, str]:
    """What the caller's token was lent by, in the words of an EC2 blob."""
    lent = (caller.trust_id, caller.application_credential_id, caller.access_token_id)
    return {name: value for name, value in zip(_LENT, lent, strict=True) if value is not None}


def _new_ec2(caller: Caller, body: CredentialCreate) -> tuple[str, str]:
    """The blob with what the token was lent by, and the access key."""
    if body.project_id is None:
        raise BadRequest("An EC2 credential needs a project_id.")
    fields, keys = _read_ec2(body.blob)
    lent = _lent_by(caller)
    if any(fields.get(name) not in (None, lent.get(name)) for name in _LENT):
        raise BadRequest(f"The {', '.join(_LENT)} of an EC2 credential are those of the token that makes it.")
    return (msgspec.json.encode(fields | lent).decode() if lent else body.blob), keys.access


def _read_ec2(blob: str) -> tuple[dict[str, Any], Ec2Blob]:
    try:
        fields = msgspec.json.decode(blob, type=dict[str, Any])
        return fields, msgspec.convert(fields, Ec2Blob)
    except (msgspec.MsgspecError, RecursionError):
        raise BadRequest("The blob of an EC2 credential must be JSON with 'access' and 'secret'.") from None


def _must_be_base32(blob: str) -> None:
    text = blob.strip().upper()
    try:
        decoded = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        decoded = b""
    if not decoded:
        raise BadRequest("The blob of a totp credential must be a secret in base32.")


def update(
    tx: Tx, settings: Settings, caller: Caller, credential: CredentialRow, body: CredentialUpdate
) -> CredentialRow:
    """What it is, whose it is, for which project and what it was made with stays.

    Raises Forbidden for that, BadRequest for a blob that is not of its type, Conflict for EC2 keys.
    """
    resources.same_or_unset(credential, body, "type", "user_id", "project_id")
    values = resources.wishes(body, credential)
    if body.blob is not UNSET:
        if credential.type == EC2:
            values["access_hash"] = access_hash(_changed_ec2(tx, settings, credential, body.blob).access)
        elif credential.type == TOTP:
            _must_be_base32(body.blob)
        values["blob"] = sealing.seal(tx, settings, body.blob)
    return resources.change(tx, caller, credential, values, _TAKEN)


def _changed_ec2(tx: Tx, settings: Settings, credential: CredentialRow, blob: str) -> Ec2Blob:
    before, (_, after) = ec2_blob(tx, settings, credential), _read_ec2(blob)
    for name in _LENT:
        if getattr(before, name) != getattr(after, name):
            raise BadRequest(f"The {name} of an EC2 credential can't be changed.")
    return after


def create_ec2(tx: Tx, settings: Settings, caller: Caller, user: UserRow, body: Ec2Create) -> CredentialRow:
    """New keys for a user in a project. Raises NotFound for the project, Forbidden for a token that was lent."""
    _may_make_ec2(caller)
    must_be_within(caller, body.tenant_id)
    resources.find(tx, ProjectRow, body.tenant_id)
    blob = Ec2Blob(new_hex_id(), secrets.token_hex(16), **_lent_by(caller))
    hashed = access_hash(blob.access)
    sealed = sealing.seal(tx, settings, msgspec.json.encode(blob).decode())
    return resources.add(tx, caller, CredentialRow(hashed, user.id, body.tenant_id, EC2, sealed, {}, hashed))


def find_ec2(tx: Tx, access: str) -> CredentialRow:
    """By its access key. Raises NotFound."""
    found = rows.where(tx, CredentialRow, access_hash=access_hash(access))
    if not found:
        raise NotFound(f"Could not find credential: {access[:64]}.")
    return found[0]
