"""Credentials that are kept for a user: EC2 keys, one-time passwords, anything else."""

from __future__ import annotations

import hashlib
import secrets

import msgspec
from msgspec import UNSET

from pileus.core.context import Caller
from pileus.core.db import Tx, new_hex_id
from pileus.core.errors import BadRequest, Forbidden, NotFound
from pileus.services.identity.rules import resources
from pileus.services.identity.store import credentials as store
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


def ec2_id(access: str) -> str:
    """Of an EC2 credential, so that no two are made with one access key."""
    return hashlib.sha256(access.encode()).hexdigest()


def ec2_blob(credential: CredentialRow) -> Ec2Blob:
    return msgspec.json.decode(credential.blob, type=Ec2Blob)


def create(tx: Tx, caller: Caller, body: CredentialCreate) -> CredentialRow:
    """Raises BadRequest for an EC2 credential without keys or project, NotFound for the user, Conflict for its keys."""
    user = resources.find(tx, UserRow, body.user_id or caller.user_id)
    row_id = _ec2_id_of(body.blob, body.project_id) if body.type == EC2 else new_hex_id()
    row = CredentialRow(row_id, user.id, body.project_id, body.type, body.blob, body.extra)
    return resources.add(tx, caller, row, "There is a credential with this access key already.")


def _ec2_id_of(blob: str, project_id: str | None) -> str:
    if project_id is None:
        raise BadRequest("An EC2 credential needs a project_id.")
    try:
        return ec2_id(msgspec.json.decode(blob, type=Ec2Blob).access)
    except msgspec.MsgspecError:
        raise BadRequest("The blob of an EC2 credential must be JSON with 'access' and 'secret'.") from None


def update(tx: Tx, caller: Caller, credential: CredentialRow, body: CredentialUpdate) -> CredentialRow:
    """What it is, whose it is and for which project stays. Raises Forbidden for that, BadRequest for EC2 keys in no form."""
    resources.same_or_unset(credential, body, "type", "user_id", "project_id")
    if credential.type == EC2 and body.blob is not UNSET:
        _ec2_id_of(body.blob, credential.project_id)
    return resources.change(tx, caller, credential, resources.wishes(body, credential))


def create_ec2(tx: Tx, caller: Caller, user: UserRow, body: Ec2Create) -> CredentialRow:
    """New keys for a user in a project. Raises NotFound for the project, Forbidden for a token that was lent."""
    if caller.application_credential_id is not None and not caller.unrestricted:
        raise Forbidden("A restricted application credential can't make credentials.")
    resources.find(tx, ProjectRow, body.tenant_id)
    blob = Ec2Blob(
        new_hex_id(), secrets.token_hex(16), trust_id=caller.trust_id, app_cred_id=caller.application_credential_id
    )
    row = CredentialRow(ec2_id(blob.access), user.id, body.tenant_id, EC2, msgspec.json.encode(blob).decode(), {})
    return resources.add(tx, caller, row)


def find_ec2(tx: Tx, access: str) -> CredentialRow:
    """By its access key. Raises NotFound."""
    for credential in store.ec2_with(tx, access):
        if ec2_blob(credential).access == access:
            return credential
    raise NotFound(f"Could not find credential: {access[:64]}.")
