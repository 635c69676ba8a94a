"""Credentials, and the EC2 ones among them."""

from typing import Any

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request
from pileus.services.identity.api.users import user_of_path
from pileus.services.identity.rules import credentials as rules
from pileus.services.identity.rules import resources
from pileus.services.identity.rules.targets import Target, target_user
from pileus.services.identity.service import api
from pileus.services.identity.store import credentials as store
from pileus.services.identity.store import rows
from pileus.services.identity.types.base import listed, shown
from pileus.services.identity.types.credentials import CredentialCreate, CredentialRow, CredentialUpdate, Ec2Create
from pileus.services.identity.types.users import UserRow


def credential_of_path(tx: Tx, caller: Caller, credential_id: str) -> CredentialRow:
    found = resources.find(tx, CredentialRow, credential_id)
    rules.must_be_within(caller, found.project_id)
    return found


def ec2_of_path(tx: Tx, caller: Caller, access: str) -> CredentialRow:
    """Whoever the path says it belongs to: the rules look at whose it is."""
    found = rules.find_ec2(tx, access)
    rules.must_be_within(caller, found.project_id)
    return found


def target_credential(credential: CredentialRow) -> Target:
    return {"target.credential.user_id": credential.user_id}


def target_own(caller: Caller) -> Target:
    """For the list, which is cut to what the caller may see."""
    return {"target.credential.user_id": caller.user_id}


def target_new(caller: Caller, body: CredentialCreate) -> Target:
    return {"target.credential.user_id": body.user_id or caller.user_id}


def target_ec2(user_id: str) -> Target:
    return {"target.credential.user_id": user_id}


def _shown(tx: Tx, settings: Settings, request: Request, row: CredentialRow) -> dict[str, Any]:
    return shown(request, row, blob=rules.blob_of(tx, settings, row))


def _is_visible(caller: Caller, row: CredentialRow) -> bool:
    return caller.allows("identity:get_credential", target_credential(row)) and rules.is_within(caller, row.project_id)


@api.get("/credentials", policy="identity:list_credentials", target=target_own)
def list_credentials(tx: Tx, settings: Settings, caller: Caller, request: Request) -> dict[str, Any]:
    found, more = rows.page(tx, CredentialRow, request.query)
    visible = [_shown(tx, settings, request, row) for row in found if _is_visible(caller, row)]
    return listed(request, "credentials", visible, more)


@api.post("/credentials", policy="identity:create_credential", target=target_new, success=201)
def create_credential(
    tx: Tx, settings: Settings, caller: Caller, request: Request, body: CredentialCreate
) -> dict[str, Any]:
    return {"credential": _shown(tx, settings, request, rules.create(tx, settings, caller, body))}


ONE = "/credentials/{credential_id}"


@api.get(ONE, policy="identity:get_credential", load=credential_of_path, target=target_credential)
def show_credential(tx: Tx, settings: Settings, request: Request, credential: CredentialRow) -> dict[str, Any]:
    return {"credential": _shown(tx, settings, request, credential)}


@api.patch(ONE, policy="identity:update_credential", load=credential_of_path, target=target_credential)
def update_credential(
    tx: Tx, settings: Settings, caller: Caller, request: Request, credential: CredentialRow, body: CredentialUpdate
) -> dict[str, Any]:
    changed = rules.update(tx, settings, caller, credential, body)
    return {"credential": _shown(tx, settings, request, changed)}


@api.delete(ONE, policy="identity:delete_credential", load=credential_of_path, target=target_credential)
def delete_credential(tx: Tx, caller: Caller, credential: CredentialRow) -> None:
    resources.remove(tx, caller, credential)


EC2 = "/users/{user_id}/credentials/OS-EC2"


def _ec2_shown(tx: Tx, settings: Settings, request: Request, row: CredentialRow) -> dict[str, Any]:
    blob = rules.ec2_blob(tx, settings, row)
    return {
        "access": blob.access,
        "secret": blob.secret,
        "user_id": row.user_id,
        "tenant_id": row.project_id,
        "trust_id": blob.trust_id,
        "links": {"self": f"{request.url}/users/{row.user_id}/credentials/OS-EC2/{blob.access}"},
    }


@api.get(EC2, policy="identity:ec2_list_credentials", load=user_of_path, target=target_user)
def list_ec2(tx: Tx, settings: Settings, caller: Caller, request: Request, user: UserRow) -> dict[str, Any]:
    found = [row for row in store.of_user(tx, user.id, rules.EC2) if rules.is_within(caller, row.project_id)]
    return listed(request, "credentials", [_ec2_shown(tx, settings, request, row) for row in found])


@api.post(EC2, policy="identity:ec2_create_credential", load=user_of_path, target=target_ec2, success=201)
def create_ec2(
    tx: Tx, settings: Settings, caller: Caller, request: Request, user: UserRow, body: Ec2Create
) -> dict[str, Any]:
    made = rules.create_ec2(tx, settings, caller, user, body)
    return {"credential": _ec2_shown(tx, settings, request, made)}


@api.get(
    EC2 + "/{access}",
    policy="identity:ec2_get_credential",
    load=ec2_of_path,
    openly_missing=True,
    target=target_credential,
)
def show_ec2(tx: Tx, settings: Settings, request: Request, credential: CredentialRow) -> dict[str, Any]:
    return {"credential": _ec2_shown(tx, settings, request, credential)}


@api.delete(
    EC2 + "/{access}",
    policy="identity:ec2_delete_credential",
    load=ec2_of_path,
    openly_missing=True,
    target=target_credential,
)
def delete_ec2(tx: Tx, caller: Caller, credential: CredentialRow) -> None:
    resources.remove(tx, caller, credential)
