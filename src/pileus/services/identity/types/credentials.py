"""Credentials, application credentials with their access rules, and trusts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET

from pileus.core.body import Body, OpenBody, Unset, length, pattern
from pileus.core.errors import BadRequest
from pileus.services.identity import tables
from pileus.services.identity.types.base import Extra, Id, Name, Row


class CredentialRow(Row):
    __table__ = tables.credentials
    __noun__ = "credential"
    __collection__ = "credentials"
    __hidden__ = frozenset({"access_hash"})
    __filters__ = ("user_id", "type")

    user_id: str
    project_id: str | None
    type: str
    blob: str
    """Sealed."""
    extra: Extra
    access_hash: str | None


class CredentialCreate(OpenBody):
    __wrap__ = "credential"

    type: Annotated[str, length(1, 255)]
    blob: str
    user_id: Id | None = None
    project_id: Id | None = None


class CredentialUpdate(OpenBody):
    __wrap__ = "credential"

    type: Annotated[str, length(1, 255)] | Unset = UNSET
    blob: str | Unset = UNSET
    user_id: Id | Unset = UNSET
    project_id: Id | Unset | None = UNSET


class Ec2Create(Body):
    tenant_id: Id


class Ec2Blob(msgspec.Struct):
    """What the blob of an EC2 credential holds."""

    access: str
    secret: str
    trust_id: str | None = None
    app_cred_id: str | None = None
    access_token_id: str | None = None


class Ec2Request(msgspec.Struct):
    """What a service says of a request that it got, and of who says to have signed it."""

    access: str
    signature: str = ""
    host: str = ""
    verb: str = "GET"
    path: str = "/"
    params: dict[str, str] = {}
    headers: dict[str, str] = {}
    body_hash: str = ""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers.items() if key.lower() == name), None)


class Ec2Signed(msgspec.Struct):
    """POST /ec2tokens. Services call what it is about by one of three names."""

    credentials: Ec2Request | None = None
    credential: Ec2Request | None = None
    ec2Credentials: Ec2Request | None = None

    @property
    def request(self) -> Ec2Request:
        """Raises BadRequest where there is none."""
        found = self.credentials or self.credential or self.ec2Credentials
        if found is None:
            raise BadRequest("The request body must be a JSON object with the key 'credentials'.")
        return found


class S3Request(msgspec.Struct):
    """`token`: what was signed, in base64."""

    access: str
    token: str
    signature: str


class S3Signed(msgspec.Struct):
    """POST /s3tokens."""

    credentials: S3Request


class AccessRuleRow(Row):
    __table__ = tables.access_rules
    __noun__ = "access_rule"
    __collection__ = "access_rules"
    __hidden__ = frozenset({"user_id"})

    user_id: str
    service: str
    path: str
    method: str


class ApplicationCredentialRow(Row):
    __table__ = tables.application_credentials
    __noun__ = "application_credential"
    __collection__ = "application_credentials"
    __hidden__ = frozenset({"secret_hash", "role_ids", "access_rule_ids"})
    __filters__ = ("name",)

    user_id: str
    project_id: str
    name: str
    description: str | None
    secret_hash: str
    expires_at: datetime | None
    unrestricted: bool
    role_ids: list[str]
    access_rule_ids: list[str] | None
    """None: not limited to any."""


class RoleRef(msgspec.Struct):
    id: Id | None = None
    name: Name | None = None
    domain_id: Id | None = None


class AccessRuleWish(msgspec.Struct, forbid_unknown_fields=True):
    id: Id | None = None
    service: Annotated[str, length(1, 64)] | None = None
    path: Annotated[str, length(1, 225), pattern(r"/[^\x00]*")] | None = None
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] | None = None


class ApplicationCredentialCreate(Body):
    __wrap__ = "application_credential"

    name: Name
    description: str | None = None
    secret: Annotated[str, length(1, 4096)] | None = None
    expires_at: str | None = None
    unrestricted: bool = False
    roles: list[RoleRef] | None = None
    access_rules: list[AccessRuleWish] | None = None
    project_id: Id | None = None


class TrustRow(Row):
    __table__ = tables.trusts
    __noun__ = "trust"
    __collection__ = "OS-TRUST/trusts"
    __hidden__ = frozenset({"role_ids"})

    trustor_user_id: str
    trustee_user_id: str
    project_id: str | None
    impersonation: bool
    expires_at: datetime | None
    remaining_uses: int | None
    redelegated_trust_id: str | None
    redelegation_count: int
    role_ids: list[str]
    extra: Extra


class TrustCreate(OpenBody):
    __wrap__ = "trust"

    trustor_user_id: Id
    trustee_user_id: Id
    impersonation: bool
    project_id: Id | None = None
    roles: list[RoleRef] = []
    expires_at: str | None = None
    remaining_uses: Annotated[int, msgspec.Meta(ge=1)] | None = None
    allow_redelegation: bool = False
    redelegation_count: Annotated[int, msgspec.Meta(ge=0, le=10)] | None = None
    redelegated_trust_id: Id | None = None
