"""OAuth 1: consumers, and the tokens that they are given."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import UNSET

from pileus.core.body import Body, OpenBody, Unset, length
from pileus.services.identity import tables
from pileus.services.identity.types.base import Extra, Row
from pileus.services.identity.types.credentials import RoleRef

Description = Annotated[str, length(0, 255)]


class ConsumerRow(Row):
    """A program that users can let act for them."""

    __table__ = tables.oauth1_consumers
    __noun__ = "consumer"
    __collection__ = "OS-OAUTH1/consumers"
    __hidden__ = frozenset({"secret"})

    description: str | None
    secret: str
    extra: Extra


class ConsumerCreate(OpenBody):
    __wrap__ = "consumer"

    description: Description | None = None


class ConsumerUpdate(OpenBody):
    __wrap__ = "consumer"

    description: Description | Unset | None = UNSET


class RequestTokenRow(Row):
    """A consumer's wish to act in a project; a user who agrees is noted in it."""

    __table__ = tables.oauth1_request_tokens
    __noun__ = "request_token"
    __collection__ = "OS-OAUTH1/request_token"

    consumer_id: str
    project_id: str
    secret: str
    expires_at: datetime
    authorizing_user_id: str | None
    verifier: str | None
    role_ids: list[str] | None


class AccessTokenRow(Row):
    """What a consumer signs with to act for a user in a project."""

    __table__ = tables.oauth1_access_tokens
    __noun__ = "access_token"
    __collection__ = "OS-OAUTH1/access_tokens"
    __hidden__ = frozenset({"secret", "role_ids"})

    consumer_id: str
    project_id: str
    secret: str
    expires_at: datetime
    authorizing_user_id: str
    role_ids: list[str]


class Authorization(Body):
    """PUT /OS-OAUTH1/authorize/{request_token_id}."""

    roles: Annotated[list[RoleRef], length(1, 1000)]
