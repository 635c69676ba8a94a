"""OAuth 1: consumers, request tokens and access tokens."""

from typing import Any
from urllib.parse import urlencode

from pileus.core.body import micros
from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Forbidden, NotFound
from pileus.core.http import Request, Response
from pileus.services.identity.rules import oauth1 as rules
from pileus.services.identity.rules import resources
from pileus.services.identity.rules.targets import Target
from pileus.services.identity.service import api
from pileus.services.identity.store import oauth1 as store
from pileus.services.identity.store import rows
from pileus.services.identity.types.base import listed, shown
from pileus.services.identity.types.oauth1 import (
    AccessTokenRow,
    Authorization,
    ConsumerCreate,
    ConsumerRow,
    ConsumerUpdate,
    RequestTokenRow,
)

CONSUMERS = "/OS-OAUTH1/consumers"
CONSUMER = CONSUMERS + "/{consumer_id}"
TOKENS = "/users/{user_id}/OS-OAUTH1/access_tokens"
TOKEN = TOKENS + "/{access_token_id}"
FORM = "application/x-www-form-urlencoded"


def consumer_of_path(tx: Tx, consumer_id: str) -> ConsumerRow:
    return resources.find(tx, ConsumerRow, consumer_id)


def owner_of_path(caller: Caller, user_id: str) -> Target:
    """Raises Forbidden for a delegated token: who lends what is no matter of who was lent to."""
    if caller.delegated:
        raise Forbidden("A token that was delegated does not reach access tokens.")
    return {"target.user.id": user_id}


def token_of_path(tx: Tx, caller: Caller, user_id: str, access_token_id: str) -> AccessTokenRow:
    owner_of_path(caller, user_id)
    return rules.find_access_token(tx, user_id, access_token_id)


@api.get(CONSUMERS, policy="identity:list_consumers")
def list_consumers(tx: Tx, request: Request) -> dict[str, Any]:
    found, more = rows.page(tx, ConsumerRow, request.query)
    return listed(request, "consumers", [shown(request, row) for row in found], more)


@api.post(CONSUMERS, policy="identity:create_consumer", success=201)
def create_consumer(
    tx: Tx, settings: Settings, caller: Caller, request: Request, body: ConsumerCreate
) -> dict[str, Any]:
    consumer, secret = rules.create_consumer(tx, settings, caller, body)
    return {"consumer": shown(request, consumer, secret=secret)}


@api.get(CONSUMER, policy="identity:get_consumer", load=consumer_of_path)
def show_consumer(tx: Tx, request: Request, consumer: ConsumerRow) -> dict[str, Any]:
    return {"consumer": shown(request, consumer)}


@api.patch(CONSUMER, policy="identity:update_consumer", load=consumer_of_path)
def update_consumer(
    tx: Tx, caller: Caller, request: Request, consumer: ConsumerRow, body: ConsumerUpdate
) -> dict[str, Any]:
    return {"consumer": shown(request, rules.update_consumer(tx, caller, consumer, body))}


@api.delete(CONSUMER, policy="identity:delete_consumer", load=consumer_of_path)
def delete_consumer(tx: Tx, caller: Caller, consumer: ConsumerRow) -> None:
    """Its tokens go with it."""
    resources.remove(tx, caller, consumer)


@api.post("/OS-OAUTH1/request_token", public=True, success=201)
def create_request_token(tx: Tx, settings: Settings, caller: Caller, request: Request) -> Response:
    project_id = request.headers.get("requested-project-id")
    if not project_id:
        raise BadRequest("Name the project to act in by the header Requested-Project-Id.")
    return _token(*rules.create_request_token(tx, settings, caller, request, project_id))


def _token(token: RequestTokenRow | AccessTokenRow, secret: str) -> Response:
    """As OAuth 1 answers: a form."""
    fields = {"oauth_token": token.id, "oauth_token_secret": secret, "oauth_expires_at": micros(token.expires_at)}
    return Response(urlencode(fields, safe=":").encode(), content_type=FORM)


@api.put("/OS-OAUTH1/authorize/{request_token_id}", policy="identity:authorize_request_token")
def authorize(tx: Tx, caller: Caller, request_token_id: str, body: Authorization) -> dict[str, Any]:
    return {"token": {"oauth_verifier": rules.authorize(tx, caller, request_token_id, body)}}


@api.post("/OS-OAUTH1/access_token", public=True, success=201)
def create_access_token(tx: Tx, settings: Settings, caller: Caller, request: Request) -> Response:
    return _token(*rules.create_access_token(tx, settings, caller, request))


def _shown(request: Request, token: AccessTokenRow) -> dict[str, Any]:
    here = f"{request.url}/users/{token.authorizing_user_id}/OS-OAUTH1/access_tokens/{token.id}"
    return shown(request, token) | {"links": {"self": here, "roles": f"{here}/roles"}}


@api.get(TOKENS, policy="identity:list_access_tokens", load=owner_of_path)
def list_access_tokens(tx: Tx, request: Request, user_id: str) -> dict[str, Any]:
    found = store.access_tokens_of(tx, user_id)
    return listed(request, "access_tokens", [_shown(request, token) for token in found])


@api.get(TOKEN, policy="identity:get_access_token", load=token_of_path)
def show_access_token(tx: Tx, request: Request, token: AccessTokenRow) -> dict[str, Any]:
    return {"access_token": _shown(request, token)}


@api.delete(TOKEN, policy="identity:delete_access_token", load=token_of_path)
def delete_access_token(tx: Tx, caller: Caller, token: AccessTokenRow) -> None:
    resources.remove(tx, caller, token)


@api.get(TOKEN + "/roles", policy="identity:list_access_token_roles", load=token_of_path)
def list_access_token_roles(tx: Tx, request: Request, token: AccessTokenRow) -> dict[str, Any]:
    return listed(request, "roles", [shown(request, role) for role in rules.roles_of(tx, token)])


@api.get(TOKEN + "/roles/{role_id}", policy="identity:get_access_token_role", load=token_of_path)
def show_access_token_role(tx: Tx, request: Request, token: AccessTokenRow, role_id: str) -> dict[str, Any]:
    for role in rules.roles_of(tx, token):
        if role.id == role_id:
            return {"role": shown(request, role)}
    raise NotFound(f"Access token {token.id} does not have role {role_id[:64]}.")
